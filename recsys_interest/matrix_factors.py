"""Users and items as a few factors each: truncated SVD and alternating least squares.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.utils.extmath import randomized_svd
from threadpoolctl import threadpool_limits

from recsys_interest.behaviour import FactorRecommender
from recsys_interest.checks import check_count, check_positive
from recsys_interest.likes import Doubles
from recsys_interest.recommender import Recommender

__all__ = ["ALSRecommender", "SVDRecommender"]


class SVDRecommender(FactorRecommender):
    r"""Project the likes on their strongest common directions (PureSVD).

    With :math:`V` the first `n_factors` right singular vectors of the likes :math:`X`,

    .. math:: \mathrm{score}(u, i) = (X V)_u \cdot V_i .

    Parameters
    ----------
    n_factors : int, default 64
        Number of factors; fewer where the table has fewer rows or columns.
    n_iter : int, default 7
        Power iterations of the randomised algorithm: more are nearer to the exact SVD.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for users without a like and unknown users; `PopularityRecommender` if not given.
        It is cloned and fitted on the same tables.
    random_state : int, default 0
        Seed of the randomised algorithm.

    Attributes
    ----------
    user_factors_ : ndarray of float64, shape (n_users, n_factors)
        :math:`X V`.
    item_factors_ : ndarray of float64, shape (n_items, n_factors)
        :math:`V`.
    likes_ : scipy.sparse.csr_array of float64, shape (n_users, n_items)
        :math:`X`.
    fallback_ : Recommender
        The fitted fallback.

    Notes
    -----
    Cremonesi, Koren and Turrin (2010), "Performance of recommender algorithms on top-N
    recommendation tasks", doi:10.1145/1864708.1864721. Chapter 12, "Measuring recommendations".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["tent", "rope"] * 2 + ["tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> SVDRecommender(n_factors=1).fit(log).recommend([3]).round(3)
       user_id item_id  rank  score source
    0        3    rope     1  0.485    svd
    """

    source = "svd"

    def __init__(
        self,
        n_factors: int = 64,
        *,
        n_iter: int = 7,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
        random_state: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.n_iter = n_iter
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_count(self.n_factors, "n_factors")
        check_count(self.n_iter, "n_iter", least=0)

    def _learn_likes(self, likes: sparse.csr_array, item_vectors: pd.DataFrame | None) -> None:
        n_factors = min(self.n_factors, *likes.shape)
        _, sizes, axes = randomized_svd(
            likes, n_factors, n_iter=self.n_iter, random_state=self.random_state
        )
        # Directions that hold nothing are rounding errors of the algorithm, not factors.
        axes = axes[sizes > 1e-9 * max(sizes.max(initial=0.0), 1.0)]
        self._set_factors(likes @ axes.T, axes.T)

    def _folded_in(self, likes: sparse.csr_array) -> Doubles:
        return np.asarray(likes @ self.item_factors_)


class ALSRecommender(FactorRecommender):
    r"""Factorise the likes by alternating least squares, every missing like a weak zero.

    The factors :math:`P, Q` minimise

    .. math:: \sum_{u, i} c_{ui} \, (x_{ui} - P_u \cdot Q_i)^2 + \lambda \Bigl(\sum_u \lVert P_u
        \rVert^2 + \sum_i \lVert Q_i \rVert^2 \Bigr), \qquad
        c_{ui} = \begin{cases} \alpha & x_{ui} = 1 \\ 1 & x_{ui} = 0 . \end{cases}

    Parameters
    ----------
    n_factors : int, default 64
        Number of factors.
    l2 : float, default 5.0
        The penalty :math:`\lambda`.
    confidence : float, default 5.0
        The weight :math:`\alpha` of a like, at least 1.
    n_iter : int, default 15
        How often both sides are solved.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for users without a like and unknown users; `PopularityRecommender` if not given.
        It is cloned and fitted on the same tables.
    random_state : int, default 0
        Seed of the first factors.

    Attributes
    ----------
    user_factors_ : ndarray of float64, shape (n_users, n_factors)
        :math:`P`.
    item_factors_ : ndarray of float64, shape (n_items, n_factors)
        :math:`Q`.
    likes_ : scipy.sparse.csr_array of float64, shape (n_users, n_items)
        :math:`x`.
    fallback_ : Recommender
        The fitted fallback.

    Notes
    -----
    Hu, Koren and Volinsky (2008), "Collaborative filtering for implicit feedback datasets",
    doi:10.1109/ICDM.2008.22. Solved by the package `implicit` (extra ``als``), exactly and on one
    thread, so that the same log gives the same factors. Chapter 12, "Measuring recommendations".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["tent", "rope"] * 2 + ["tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> ALSRecommender(n_factors=2, l2=0.1).fit(log).recommend([3])[["item_id", "source"]]
      item_id source
    0    rope    als
    """

    source = "als"

    def __init__(
        self,
        n_factors: int = 64,
        *,
        l2: float = 5.0,
        confidence: float = 5.0,
        n_iter: int = 15,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
        random_state: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.l2 = l2
        self.confidence = confidence
        self.n_iter = n_iter
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback
        self.random_state = random_state

    def _check_parameters(self) -> None:
        check_count(self.n_factors, "n_factors")
        check_count(self.n_iter, "n_iter")
        check_positive(self.l2, "l2")
        if check_positive(self.confidence, "confidence") < 1:
            raise ValueError(f"confidence must be at least 1, got {self.confidence!r}")

    def _learn_likes(self, likes: sparse.csr_array, item_vectors: pd.DataFrame | None) -> None:
        # The package multiplies the stored values by alpha in its own float32 copy.
        table = sparse.csr_matrix(likes.astype(np.float32))
        # Its threads and those of BLAS would get in each other's way; it warns if they can.
        with threadpool_limits(1, user_api="blas"):
            model = self._model()
            model.fit(table, show_progress=False)
        self._set_factors(model.user_factors, model.item_factors)

    def _folded_in(self, likes: sparse.csr_array) -> Doubles:
        items = self.item_factors_
        unliked = items.T @ items + self.l2 * np.eye(items.shape[1])
        factors = np.zeros((likes.shape[0], items.shape[1]))
        for user in range(len(factors)):
            own = items[likes.indices[likes.indptr[user] : likes.indptr[user + 1]]]
            inner = unliked + (self.confidence - 1.0) * (own.T @ own)
            factors[user] = np.linalg.solve(inner, self.confidence * own.sum(axis=0))
        return factors

    def _model(self) -> Any:
        try:
            from implicit.cpu.als import AlternatingLeastSquares
        except ImportError:
            raise ImportError("ALSRecommender needs implicit: pip install implicit") from None
        return AlternatingLeastSquares(
            factors=self.n_factors,
            regularization=float(self.l2),
            alpha=float(self.confidence),
            iterations=self.n_iter,
            use_cg=False,
            num_threads=1,
            random_state=self.random_state,
        )
