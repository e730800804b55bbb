"""Nominal interest clusters: any scikit-learn clusterer, one rule for new users, noise kept.

Chapter: 07 (K-means), 08 (hierarchical and density clustering), 09 (Gaussian mixtures), 10
(choosing and naming clusters).
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from recsys_interest.checks import shown
from recsys_interest.partitions import (
    blocks,
    by_size,
    count_different,
    mean_directions,
    medoids,
    runs,
)
from recsys_interest.reproducible import check_part, seeded_clone, sort_in_place
from recsys_interest.vectors import unit_rows

__all__ = ["InterestClusterer"]

logger = logging.getLogger(__name__)

DEFAULT_CLUSTERS = 8

Array = npt.NDArray[Any]


class InterestClusterer(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    r"""Group users by the direction of their interest vectors.

    Rows are scaled to length one, so that the squared Euclidean distance is twice the cosine
    distance,
    :math:`\lVert u - v \rVert^2 = 2 - 2 \cos(u, v)`, and sorted by content, so that the partition
    is the same for any row order.

    Parameters
    ----------
    estimator : scikit-learn clusterer, mixture or pipeline, optional
        Anything with `fit_predict`. Default: K-means with 8 clusters, or as many as there are
        different rows.
    reducer : scikit-learn transformer, optional
        Applied to the unit rows before the estimator sees them, for example a PCA. Centroids,
        medoids and `predict` stay in the space of the input.
    min_similarity : float in [-1, 1], optional
        `predict` answers −1 for a row whose best cosine is below it. Default: no threshold.
    random_state : int, RandomState or None, default None
        Given to the default, and to every part of `estimator` and `reducer` whose own
        `random_state` is None.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n_users,)
        Cluster of every row of `fit`, as the estimator saw it: 0 is the largest cluster, equal
        sizes are ordered by content, −1 is noise. A row of zeros has no direction and is noise.
        Rows of equal direction have equal labels.
    n_clusters_ : int
        Number of clusters, noise left out; 0 if all is noise.
    membership_ : ndarray of shape (n_users, n_clusters_) or None
        To which degree every row of `fit` belongs to each cluster, if the estimator says so: the
        posterior probabilities of a mixture, or HDBSCAN's strength (`probabilities_`) in the
        column of the label. 0 for a row of zeros. None for estimators without degrees.
    centroids_ : ndarray of shape (n_clusters_, n_features)
        Mean of the unit rows of a cluster, scaled to length one (zeros if they cancel out).
    medoids_ : ndarray of shape (n_clusters_,)
        The member nearest to the centroid: its index label if `fit` got a frame, its position
        otherwise. Of several members of equal direction the smallest.
    estimator_ : clusterer
        The fitted one; unfitted if every row was zero.
    reducer_ : transformer or None
        The fitted one.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if `fit` got a frame.

    Notes
    -----
    Chapters 07 to 10. There is one rule for new rows, whatever the algorithm: the nearest centroid
    by cosine. ``predict(X)`` on the rows of `fit` may therefore differ from `labels_`: a density
    method leaves noise and draws clusters that are not round, and the other methods may draw a
    border elsewhere too.

    For a million users hand in
    ``MiniBatchKMeans(k, batch_size=8192, init_size=5000, n_init=3)``. Besides `X`, `fit` holds one
    copy of it: the unit rows, sorted.

    Rows: C01, C02, C05, C06, Q09, T08.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.cluster import KMeans
    >>> X = pd.DataFrame([[1, 0], [2, 0.1], [3, 0], [0, 1], [0, 0]], index=list("abcde"))
    >>> model = InterestClusterer(KMeans(2), random_state=0).fit(X)
    >>> model.labels_.tolist()
    [0, 0, 0, 1, -1]
    >>> model.medoids_.tolist()
    ['a', 'd']
    >>> model.predict([[0.2, 5.0]]).tolist()
    [1]
    """

    def __init__(
        self,
        estimator: Any = None,
        reducer: Any = None,
        min_similarity: float | None = None,
        random_state: Any = None,
    ) -> None:
        self.estimator = estimator
        self.reducer = reducer
        self.min_similarity = min_similarity
        self.random_state = random_state

    def fit(self, X: Any, y: object = None) -> InterestClusterer:
        """Find the clusters.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            User vectors, finite, any length; zeros are noise.
        y : None
            Ignored.

        Returns
        -------
        InterestClusterer
            Itself.

        Raises
        ------
        TypeError
            If the estimator has no `fit_predict`, the reducer no `fit_transform`, or
            `min_similarity` is not a number.
        ValueError
            If X holds NaN or infinity, more clusters are asked for than there are different rows,
            the estimator refuses so few rows, or `min_similarity` is not between −1 and 1.
        """
        self._check_parts()
        _check_min_similarity(self.min_similarity)
        unit = _unit_rows(self._checked(X, reset=True))
        order = sort_in_place(unit)
        labels, soft = self._partition(unit)
        # What cannot be told apart must not be torn apart.
        first, run = runs(unit)
        found, self._names = by_size(labels[first][run])
        self.labels_ = np.empty(len(unit), dtype=np.int64)
        self.labels_[order] = found
        self.n_clusters_ = len(self._names)
        self.centroids_ = mean_directions(unit, found, self.n_clusters_)
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(unit))
        self.medoids_ = medoids(unit, found, run, self.centroids_, index[order])
        self.membership_ = None
        if soft is not None:
            self.membership_ = np.empty((len(unit), self.n_clusters_), dtype=soft.dtype)
            self.membership_[order] = soft[:, self._names][first][run]
        return self

    def predict(self, X: Any) -> npt.NDArray[np.int64]:
        """Return the nearest cluster by cosine of every row, −1 where there is none.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            User vectors.

        Returns
        -------
        ndarray of int64, shape (n_users,)
            −1 for a row of zeros, for a best cosine below `min_similarity`, and for every row if
            there is no cluster. Of equally near clusters the first, which is the larger.
        """
        cosine, directed = self._cosine(X)
        if self.n_clusters_ == 0:
            return np.full(len(cosine), -1, dtype=np.int64)
        _check_min_similarity(self.min_similarity)
        floor = -1.0 if self.min_similarity is None else self.min_similarity
        near = directed & (cosine.max(axis=1) >= floor)
        return np.where(near, cosine.argmax(axis=1), -1).astype(np.int64)

    def similarity(self, X: Any) -> Array:
        """Return the cosine of every row with every centroid.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            User vectors.

        Returns
        -------
        ndarray of shape (n_users, n_clusters_)
            Between −1 and 1; 0 for a row of zeros.
        """
        return self._cosine(X)[0]

    def membership(self, X: Any) -> Array:
        """Return to which degree every row belongs to each cluster, as the mixture model says.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            User vectors.

        Returns
        -------
        ndarray of shape (n_users, n_clusters_)
            The posterior probabilities (`predict_proba`) of the components that are clusters; 0
            for a row of zeros. The largest of them is the model's own choice, which need not be the
            nearest centroid that `predict` returns.

        Raises
        ------
        TypeError
            If the estimator has no `predict_proba`, or the reducer cannot place new rows.
        """
        check_is_fitted(self)
        name = type(self.estimator_).__name__
        if not hasattr(self.estimator_, "predict_proba"):
            known = " for other rows than those of fit, see membership_"
            raise TypeError(
                f"{name} has no soft memberships{known if self.membership_ is not None else ''}; "
                f"use a sklearn.mixture.GaussianMixture, or similarity(X) for cosines"
            )
        if self.reducer_ is not None and not hasattr(self.reducer_, "transform"):
            raise TypeError(f"{type(self.reducer_).__name__} has no transform for new rows")
        unit = _unit_rows(self._checked(X, reset=False))
        directed = unit.any(axis=1)
        out = np.zeros((len(unit), self.n_clusters_), dtype=unit.dtype)
        if directed.any() and self.n_clusters_:
            seen = unit[directed]
            seen = seen if self.reducer_ is None else self.reducer_.transform(seen)
            out[directed] = self.estimator_.predict_proba(seen)[:, self._names]
        return out

    def _cosine(self, X: Any) -> tuple[Array, npt.NDArray[np.bool_]]:
        check_is_fitted(self)
        unit = unit_rows(self._checked(X, reset=False))
        directed: npt.NDArray[np.bool_] = np.asarray(unit.any(axis=1))
        return np.clip(unit @ self.centroids_.T, -1.0, 1.0), directed

    def _checked(self, X: Any, reset: bool) -> Array:
        rows: Array = validate_data(
            self,
            X,
            reset=reset,
            dtype=[np.float64, np.float32],
            order="C",
            ensure_all_finite=False,
        )
        bad = np.empty(len(rows), dtype=bool)
        for here in blocks(len(rows)):
            bad[here] = ~np.isfinite(rows[here]).all(axis=1)
        if bad.any():
            who = X.index[bad] if isinstance(X, pd.DataFrame) else np.flatnonzero(bad)
            raise ValueError(
                f"X holds NaN or inf in the row(s) {shown(who.tolist())}; "
                f"drop those users, or give them a row of zeros, which is noise"
            )
        return rows

    def _check_parts(self) -> None:
        if self.estimator is not None:
            example = "sklearn.cluster.KMeans(8)"
            check_part(self.estimator, "estimator", "a clusterer", "fit_predict", example)
        if self.reducer is not None:
            example = "sklearn.decomposition.PCA(50)"
            check_part(self.reducer, "reducer", "a transformer", "fit_transform", example)

    def _partition(self, unit: Array) -> tuple[npt.NDArray[np.int64], Array | None]:
        """Return the estimator's labels and memberships of the sorted unit rows."""
        labels = np.full(len(unit), -1, dtype=np.int64)
        default = KMeans(DEFAULT_CLUSTERS, n_init=10)
        self.estimator_ = seeded_clone(
            default if self.estimator is None else self.estimator, self.random_state
        )
        self.reducer_ = None
        if self.reducer is not None:
            self.reducer_ = seeded_clone(self.reducer, self.random_state)
        n_zero = int(np.argmax(np.append(unit.any(axis=1), True)))  # zeros are sorted first
        if n_zero == len(unit):
            return labels, None
        labels[n_zero:], soft = self._run(unit[n_zero:])
        if soft is not None:
            soft = np.vstack([np.zeros((n_zero, soft.shape[1]), dtype=unit.dtype), soft])
        return np.maximum(labels, -1), soft

    def _run(self, unit: Array) -> tuple[Array, Array | None]:
        alike = count_different(unit, 2) == 1
        if alike:
            # One direction only: a density method would find clusters in the rounding.
            unit = np.repeat(unit[:1], len(unit), axis=0)
        # A PCA of equal rows divides nothing by nothing, and returns zeros.
        quiet = np.errstate(invalid="ignore") if alike else contextlib.nullcontext()
        part = self.estimator_ if self.reducer_ is None else self.reducer_
        try:
            # Two partial sums are the same in either order, three are not.
            with threadpool_limits(limits=2, user_api="openmp"), quiet, warnings.catch_warnings():
                # Fewer clusters than asked for: n_clusters_ says so.
                warnings.filterwarnings("ignore", "Number of distinct", ConvergenceWarning)
                seen = unit if self.reducer_ is None else self.reducer_.fit_transform(unit)
                part = self.estimator_
                self._check_count(np.asarray(seen))
                labels = np.asarray(self.estimator_.fit_predict(seen))
                return labels, _membership(self.estimator_, seen, labels)
        except ValueError as error:
            raise ValueError(
                f"{type(part).__name__} cannot be fitted to the rows that are not zero "
                f"(n_samples = {len(unit)}, n_features = {unit.shape[1]}): {error}"
            ) from error

    def _check_count(self, seen: Array) -> None:
        last = _last_step(self.estimator_)
        params = last.get_params(deep=False)
        name = "n_clusters" if "n_clusters" in params else "n_components"
        wanted = params.get(name)
        if not isinstance(wanted, (int, np.integer)):
            return
        there = count_different(seen, int(wanted))
        if there >= wanted:
            return
        if self.estimator is not None:
            raise ValueError(
                f"{name}={wanted} is more than the {there} different vector(s); "
                f"use {name}={there} or fewer"
            )
        logger.info("%d clusters instead of %d: no more different vectors", there, wanted)
        last.set_params(**{name: there})


def _unit_rows(rows: Array) -> Array:
    """Scale the rows to length one, with no more extra memory than the result."""
    unit = np.empty(rows.shape, dtype=rows.dtype)
    for here in blocks(len(rows)):
        unit[here] = unit_rows(rows[here]) + 0.0  # no -0.0, which equals 0.0 but sorts elsewhere
    return unit


def _last_step(estimator: Any) -> Any:
    return estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator


def _membership(estimator: Any, seen: Any, labels: Array) -> Array | None:
    """Return what the fitted model says of its own rows, one column a label, if it says it."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(seen))
    strength = getattr(_last_step(estimator), "probabilities_", None)
    if strength is None:
        return None
    out = np.zeros((len(labels), max(int(labels.max()) + 1, 0)), dtype=strength.dtype)
    real = np.flatnonzero(labels >= 0)
    out[real, labels[real]] = strength[real]
    return out


def _check_min_similarity(value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"min_similarity must be a number or None, got {value!r}")
    if not -1 <= value <= 1:
        raise ValueError(f"min_similarity is a cosine, between -1 and 1, got {value!r}")
