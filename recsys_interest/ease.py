"""A linear model of which items go together, solved in one step: EASE.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import get_lapack_funcs

from recsys_interest.behaviour import LinearRecommender
from recsys_interest.checks import check_positive
from recsys_interest.likes import cooccurrence, put_on_grid
from recsys_interest.recommender import Recommender

__all__ = ["EaseRecommender", "closed_form"]

_ROWS_AT_ONCE = 1024


class EaseRecommender(LinearRecommender):
    r"""Score an item by how well the other liked items predict that it is liked.

    With the likes :math:`X`, the weights :math:`W` minimise

    .. math:: \lVert X - X W \rVert_F^2 + \lambda \lVert W \rVert_F^2
        \quad \text{with } \operatorname{diag}(W) = 0 ,

    which has the solution

    .. math:: P = (X^\top X + \lambda I)^{-1}, \qquad W_{ij} = -P_{ij} / P_{jj} \; (i \ne j) .

    Parameters
    ----------
    l2 : float, default 200.0
        The penalty :math:`\lambda`, above 0; in the unit of a number of users. Choose it on a
        validation split.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for users without a like and unknown users; `PopularityRecommender` if not given.
        It is cloned and fitted on the same tables.

    Attributes
    ----------
    weights_ : ndarray of float64, shape (n_items, n_items)
        :math:`W`, in multiples of :math:`2^{-30}`.
    likes_ : scipy.sparse.csr_array of float64, shape (n_users, n_items)
        :math:`X`.
    fallback_ : Recommender
        The fitted fallback.

    Notes
    -----
    Steck (2019), "Embarrassingly shallow autoencoders for sparse data",
    doi:10.1145/3308558.3313710. It takes :math:`8 n^2` bytes and time that grows with
    :math:`n^3`, n the number of items: 10,000 items take 0.8 GB and some ten seconds. Chapter 12,
    "Measuring recommendations".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["tent", "rope"] * 2 + ["tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> EaseRecommender(l2=1.0).fit(log).recommend([3]).round(3)
       user_id item_id  rank  score source
    0        3    rope     1    0.5   ease
    """

    source = "ease"

    def __init__(
        self,
        l2: float = 200.0,
        *,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
    ) -> None:
        self.l2 = l2
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback

    def _check_parameters(self) -> None:
        check_positive(self.l2, "l2")

    def _learn_likes(self, likes: sparse.csr_array, item_vectors: pd.DataFrame | None) -> None:
        self.weights_ = put_on_grid(closed_form(cooccurrence(likes), float(self.l2)))


def closed_form(gram: NDArray[Any], l2: float) -> NDArray[Any]:
    r"""Return the weights of EASE for a Gram matrix, which is overwritten by them.

    Parameters
    ----------
    gram : ndarray of float32 or float64, shape (n_items, n_items)
        :math:`G`, symmetric and positive semidefinite, in C order.
    l2 : float
        :math:`\lambda`, above 0.

    Returns
    -------
    ndarray, shape (n_items, n_items)
        :math:`W_{ij} = -P_{ij} / P_{jj}` with :math:`P = (G + \lambda I)^{-1}`; zero on the
        diagonal.

    Examples
    --------
    >>> closed_form(np.array([[2.0, 2.0], [2.0, 3.0]]), 1.0).round(3).tolist()
    [[0.0, 0.667], [0.5, 0.0]]
    """
    n = len(gram)
    diagonal = np.arange(n)
    gram[diagonal, diagonal] += l2
    potrf, potri = get_lapack_funcs(("potrf", "potri"), (gram,))
    # A symmetric table in C order is its own transpose in Fortran order: nothing is copied.
    factor, failed = potrf(gram.T, lower=1, overwrite_a=1, clean=0)
    if not failed:
        factor, failed = potri(factor, lower=1, overwrite_c=1)
    if failed:
        raise ValueError(
            f"the table of co-occurrences plus l2={l2:g} is not positive definite in "
            f"{gram.dtype}; raise l2"
        )
    inverse: NDArray[Any] = factor.T  # its upper triangle is set
    for start in range(0, n, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, n)
        block = np.triu(inverse[start:stop, start:stop])
        inverse[start:stop, start:stop] = block + np.triu(block, 1).T
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
    scale = -inverse[diagonal, diagonal]
    inverse /= scale
    inverse[diagonal, diagonal] = 0.0
    return inverse
