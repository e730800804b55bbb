"""Spread crowded vectors: whitening, and taking out the common directions.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from recsys_interest.reproducible import content_order
from recsys_interest.vectors import unit_rows

__all__ = ["AllButTheTop", "Whitening"]

_FLOATS = [np.float64, np.float32]
# Directions with less than this share of the largest variance hold rounding errors only.
_RANK = 1e-10


class _Spectral(TransformerMixin, BaseEstimator):
    """What both transformers share: the mean and the main directions, in any order of the rows."""

    def _decompose(self, X: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        given: NDArray[Any] = validate_data(self, X, dtype=_FLOATS, ensure_min_samples=2)
        # Sums depend on the order of what is added, in the last digits.
        rows = given.astype(np.float64)[content_order(given)]
        self.mean_: NDArray[Any] = rows.mean(axis=0)
        centred = rows - self.mean_
        variance, directions = np.linalg.eigh(centred.T @ centred / len(rows))
        variance, directions = np.maximum(variance[::-1], 0), directions[:, ::-1].T
        # Equal rows differ from their mean by rounding, which has no width.
        rounding = 4 * np.finfo(np.float64).eps * np.abs(self.mean_).max()
        variance[variance <= len(variance) * rounding**2] = 0
        # An eigenvector has no sign of its own: its largest entry is made positive.
        largest = np.abs(directions).argmax(axis=1)
        signs = np.where(directions[np.arange(len(directions)), largest] < 0, -1.0, 1.0)
        return variance, directions * signs[:, None]

    def _centred(self, X: ArrayLike) -> tuple[NDArray[Any], np.dtype[Any]]:
        check_is_fitted(self)
        given: NDArray[Any] = validate_data(self, X, dtype=_FLOATS, reset=False)
        return given.astype(np.float64) - self.mean_, given.dtype

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


class Whitening(ClassNamePrefixFeaturesOutMixin, _Spectral):
    r"""Make all directions equally wide: mean zero, covariance the identity.

    With the mean :math:`\mu` and the covariance :math:`\Sigma = U \Lambda U^\top` of the vectors
    that were fitted,

    .. math:: z = \Lambda^{-1/2} U^\top (x - \mu)

    has the mean 0 and the covariance I. The dot product of two whitened vectors is the Mahalanobis
    product of the raw ones.

    Parameters
    ----------
    n_components : int, optional
        Keep only so many directions, widest first; by default all that have any width.
    shrinkage : float, default 0.0
        Between 0 and 1: the share of :math:`\Sigma` that is replaced by its mean variance times I.
        Narrow directions hold much noise, and whitening makes them as wide as any other.
    normalize : bool, default True
        Scale each result to length 1, so that the dot product is a cosine.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (n_features,)
        :math:`\mu`.
    components_ : ndarray of float64, shape (n_components_, n_features)
        The rows of :math:`\Lambda^{-1/2} U^\top`.
    variance_ : ndarray of float64, shape (n_components_,)
        The variance along each direction, before.
    n_components_ : int
        How many are kept.

    Notes
    -----
    Su et al. (2021), "Whitening sentence representations for better semantics and faster
    retrieval". Chapter 03, "BERT features".

    Rows: F08, F11.

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(5.0, [9.0, 1.0, 0.1], size=(500, 3))
    >>> white = Whitening(normalize=False).fit_transform(rows)
    >>> np.allclose(np.cov(white.T, bias=True), np.eye(3))
    True
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        shrinkage: float = 0.0,
        normalize: bool = True,
    ) -> None:
        self.n_components = n_components
        self.shrinkage = shrinkage
        self.normalize = normalize

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the mean and the covariance.

        Parameters
        ----------
        X : array-like of float, shape (n, n_features)
            Vectors.
        y : ignored
            There for scikit-learn's pipelines.

        Returns
        -------
        Whitening
            This object.

        Raises
        ------
        TypeError
            If `n_components` is not a whole number or `shrinkage` not a number.
        ValueError
            If one of them is out of range, or all vectors are the same.
        """
        if not isinstance(self.shrinkage, Real):
            raise TypeError(f"shrinkage must be a number, got {self.shrinkage!r}")
        if not 0 <= self.shrinkage <= 1:
            raise ValueError(f"shrinkage must be between 0 and 1, got {self.shrinkage!r}")
        variance, directions = self._decompose(X)
        width = _at_most(self.n_components, len(variance), "n_components")
        usable = int((variance > _RANK * variance[0]).sum())
        if usable == 0:
            raise ValueError("all vectors are the same: there is no direction to widen")
        self.n_components_ = min(width, usable)
        shrunk = (1 - self.shrinkage) * variance + self.shrinkage * variance.mean()
        kept = slice(self.n_components_)
        self.variance_ = variance[kept]
        self.components_: NDArray[Any] = directions[kept] / np.sqrt(shrunk[kept])[:, None]
        self._n_features_out = self.n_components_
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Return the whitened vectors.

        Parameters
        ----------
        X : array-like of float, shape (n, n_features)
            Vectors.

        Returns
        -------
        ndarray, shape (n, n_components_)
            Of the type of `X`; a frame after ``set_output(transform="pandas")``.
        """
        centred, kind = self._centred(X)
        white = centred @ self.components_.T
        return (unit_rows(white) if self.normalize else white).astype(kind)


class AllButTheTop(OneToOneFeatureMixin, _Spectral):
    r"""Subtract the mean and the few directions that all vectors share.

    .. math:: z = (x - \mu) - \sum_{k=1}^{D} u_k u_k^\top (x - \mu)

    with the :math:`D` directions :math:`u_k` of largest variance.

    Parameters
    ----------
    n_directions : int, optional
        :math:`D`; by default a hundredth of the number of features, and at least one.
    normalize : bool, default True
        Scale each result to length 1, so that the dot product is a cosine.

    Attributes
    ----------
    mean_ : ndarray of float64, shape (n_features,)
        :math:`\mu`.
    directions_ : ndarray of float64, shape (n_directions, n_features)
        The :math:`u_k`, orthonormal.

    Notes
    -----
    Mu and Viswanath (2018), "All-but-the-top: simple and effective postprocessing for word
    representations". Chapter 03, "BERT features".

    Examples
    --------
    >>> rows = np.random.default_rng(0).normal(5.0, [9.0, 1.0, 0.5], size=(500, 3))
    >>> rest = AllButTheTop(n_directions=1, normalize=False).fit_transform(rows)
    >>> rest.std(axis=0).round(1).tolist()
    [0.0, 1.0, 0.5]
    """

    def __init__(self, n_directions: int | None = None, *, normalize: bool = True) -> None:
        self.n_directions = n_directions
        self.normalize = normalize

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the mean and the directions.

        Parameters
        ----------
        X : array-like of float, shape (n, n_features)
            Vectors.
        y : ignored
            There for scikit-learn's pipelines.

        Returns
        -------
        AllButTheTop
            This object.

        Raises
        ------
        TypeError
            If `n_directions` is not a whole number.
        ValueError
            If it is out of range.
        """
        _, directions = self._decompose(X)
        usual = max(1, len(directions) // 100)
        wanted = usual if self.n_directions is None else self.n_directions
        self.directions_: NDArray[Any] = directions[
            : _at_most(wanted, len(directions), "n_directions")
        ]
        return self

    def transform(self, X: ArrayLike) -> NDArray[Any]:
        """Return what is left of the vectors.

        Parameters
        ----------
        X : array-like of float, shape (n, n_features)
            Vectors.

        Returns
        -------
        ndarray, shape (n, n_features)
            Of the type of `X`; a frame after ``set_output(transform="pandas")``.
        """
        centred, kind = self._centred(X)
        rest = centred - centred @ self.directions_.T @ self.directions_
        return (unit_rows(rest) if self.normalize else rest).astype(kind)


def _at_most(number: object, most: int, name: str) -> int:
    if number is None:
        return most
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise TypeError(f"{name} must be a whole number, got {number!r}")
    count = int(number)
    if not 1 <= count <= most:
        raise ValueError(f"{name} must be between 1 and {most}, the number of features: {count}")
    return count
