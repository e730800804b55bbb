"""Replace every vector by the mean of its neighbours, so that what they share stands out.

Chapter: 10 (choosing and naming clusters).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_is_fitted, validate_data

from recsys_interest.checks import check_count
from recsys_interest.vectors import unit_rows

__all__ = ["NeighbourSmoothing"]

_FLOATS = [np.float64, np.float32]
# Rows whose neighbours are looked up together: their copies are all that grows with it.
_ROWS_AT_ONCE = 2048


class NeighbourSmoothing(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    r"""Average every unit vector with its nearest neighbours, several times.

    With :math:`N(x)` the `n_neighbors` fitted rows of the largest cosine to :math:`x`, itself
    included if it was fitted,

    .. math:: s_0(x) = \frac{x}{\lVert x \rVert}, \qquad
        s_t(x) = \frac{1}{|N(x)|} \sum_{j \in N(x)} s_{t-1}(x_j) .

    The neighbours stay the same; only what is averaged changes. What a row has alone averages out,
    what a neighbourhood shares stays, so that K-means can follow groups that are long or bent.
    Round groups of equal width, which are K-means' own model, it finds no better.

    Parameters
    ----------
    n_neighbors : int, default 10
        How many rows to average; all of them where there are fewer.
    n_rounds : int, default 2
        How often; 0 leaves the unit vectors as they are.
    normalize : bool, default True
        Scale each result to length 1.

    Attributes
    ----------
    rows_ : ndarray of shape (n_directed_rows, n_features)
        The unit rows of `fit`; rows of zeros, which are nobody's neighbours, are left out.
    smoothed_ : ndarray of shape (n_directed_rows, n_features)
        :math:`s_{T-1}` of those rows, whose means are the answers.
    n_features_in_ : int
        Number of features.

    Notes
    -----
    Powers of a normalised neighbourhood graph are the low-pass filter of Wu et al. (2019),
    "Simplifying graph convolutional networks", used before clustering by Zhang et al. (2019),
    "Attributed graph clustering via adaptive graph convolution". Every pair of rows is compared:
    20,000 rows take seconds, a million hours. A row of zeros has no direction and stays zero.
    Chapter 10, "Choosing and naming clusters".

    Examples
    --------
    >>> rows = [[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]]
    >>> NeighbourSmoothing(n_neighbors=2, n_rounds=1).fit_transform(rows).round(2).tolist()
    [[0.95, 0.32], [0.95, 0.32], [-0.32, 0.95], [-0.32, 0.95]]
    """

    def __init__(self, n_neighbors: int = 10, n_rounds: int = 2, *, normalize: bool = True) -> None:
        self.n_neighbors = n_neighbors
        self.n_rounds = n_rounds
        self.normalize = normalize

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Keep the rows, smoothed all but once.

        Parameters
        ----------
        X : array-like of float, shape (n_rows, n_features)
            Vectors of any length, finite.
        y : ignored
            There for scikit-learn's pipelines.

        Returns
        -------
        NeighbourSmoothing
            This object.

        Raises
        ------
        TypeError
            If `n_neighbors` or `n_rounds` is not a whole number.
        ValueError
            If one of them is too small, or X is not finite.
        """
        wanted = check_count(self.n_neighbors, "n_neighbors")
        rounds = check_count(self.n_rounds, "n_rounds", least=0)
        given: NDArray[Any] = validate_data(self, X, dtype=_FLOATS)
        unit = unit_rows(given)
        # To a row of zeros the distance is 1: nearer than a right angle, but no direction.
        self.rows_: NDArray[Any] = unit[unit.any(axis=1)]
        self.smoothed_: NDArray[Any] = self.rows_
        if not len(self.rows_):
            return self
        self._search = NearestNeighbors(n_neighbors=min(wanted, len(self.rows_)), algorithm="brute")
        self._search.fit(self.rows_)
        if rounds > 1:
            near = self._neighbours(self.rows_)
            for _ in range(rounds - 1):
                self.smoothed_ = self._means(near, self.rows_)
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Return the smoothed vectors.

        Parameters
        ----------
        X : array-like of float, shape (n_rows, n_features)
            Vectors, fitted or new.

        Returns
        -------
        ndarray, shape (n_rows, n_features)
            Of the type of `X`; a frame after ``set_output(transform="pandas")``.
        """
        check_is_fitted(self)
        given: NDArray[Any] = validate_data(self, X, dtype=_FLOATS, reset=False)
        rows = unit_rows(given)
        if self.n_rounds and len(self.rows_):
            rows = self._means(self._neighbours(rows), rows)
        return (unit_rows(rows) if self.normalize else rows).astype(given.dtype)

    def _neighbours(self, rows: NDArray[Any]) -> NDArray[np.intp]:
        # Sorted, so that the sum of a row does not depend on how near its neighbours are.
        return np.sort(self._search.kneighbors(rows, return_distance=False), axis=1)

    def _means(self, near: NDArray[np.intp], rows: NDArray[Any]) -> NDArray[Any]:
        out = np.empty((len(near), rows.shape[1]), dtype=rows.dtype)
        for start in range(0, len(near), _ROWS_AT_ONCE):
            here = slice(start, start + _ROWS_AT_ONCE)
            out[here] = self.smoothed_[near[here]].mean(axis=1)
        out[~rows.any(axis=1)] = 0.0
        return out

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
