"""Nominal interest clusters: any scikit-learn clusterer, one rule for new users, noise kept.

Chapter: 07 (K-means), 08 (hierarchical and density clustering), 09 (Gaussian mixtures), 10
(choosing and naming clusters).
"""

from __future__ import annotations

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
from recsys_interest.reproducible import check_part, content_order, seeded_clone
from recsys_interest.vectors import unit_rows

__all__ = ["InterestClusterer"]

logger = logging.getLogger(__name__)

DEFAULT_CLUSTERS = 8
#: Unit vectors closer than this in every coordinate are the same interest: single precision
#: cannot tell a vector from its double after both are scaled to length one.
SAME = 1e-6
ROWS_AT_ONCE = 4096

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
        unit = unit_rows(self._checked(X, reset=True))
        order = content_order(unit)
        unit = unit[order]
        # Runs of equal rows: what cannot be told apart must not be torn apart.
        first = np.append(True, (unit[1:] != unit[:-1]).any(axis=1))
        run = np.cumsum(first) - 1
        found = _by_size(self._partition(unit)[first][run])
        self.labels_ = np.empty(len(unit), dtype=np.int64)
        self.labels_[order] = found
        self.n_clusters_ = int(found.max()) + 1
        self.centroids_ = _centroids(unit, found, self.n_clusters_)
        index = X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(len(unit))
        self.medoids_ = _medoids(unit, found, run, self.centroids_, index[order])
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
        bad = ~np.isfinite(rows).all(axis=1)
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

    def _partition(self, unit: Array) -> npt.NDArray[np.int64]:
        """Return the estimator's labels of the sorted unit rows, −1 for rows of zeros."""
        labels = np.full(len(unit), -1, dtype=np.int64)
        directed = unit.any(axis=1)
        default = KMeans(DEFAULT_CLUSTERS, n_init=10)
        self.estimator_ = seeded_clone(
            default if self.estimator is None else self.estimator, self.random_state
        )
        self.reducer_ = None
        if self.reducer is not None:
            self.reducer_ = seeded_clone(self.reducer, self.random_state)
        if directed.any():
            labels[directed] = self._run(unit[directed])
        return np.maximum(labels, -1)

    def _run(self, unit: Array) -> Array:
        if _count_different(unit, 2) == 1:
            # One direction only: a density method would find clusters in the rounding.
            unit = np.repeat(unit[:1], len(unit), axis=0)
        try:
            # Two partial sums are the same in either order, three are not.
            with threadpool_limits(limits=2, user_api="openmp"), warnings.catch_warnings():
                # Fewer clusters than asked for: n_clusters_ says so.
                warnings.filterwarnings("ignore", "Number of distinct", ConvergenceWarning)
                seen = unit if self.reducer_ is None else self.reducer_.fit_transform(unit)
                self._check_count(np.asarray(seen))
                labels: Array = self.estimator_.fit_predict(seen)
        except ValueError as error:
            raise ValueError(
                f"{type(self.estimator_).__name__} cannot cluster the rows that are not zero "
                f"(n_samples = {len(unit)}, n_features = {unit.shape[1]}): {error}"
            ) from error
        return np.asarray(labels)

    def _check_count(self, seen: Array) -> None:
        last = (
            self.estimator_.steps[-1][1] if hasattr(self.estimator_, "steps") else self.estimator_
        )
        params = last.get_params(deep=False)
        name = "n_clusters" if "n_clusters" in params else "n_components"
        wanted = params.get(name)
        if not isinstance(wanted, (int, np.integer)):
            return
        there = _count_different(seen, int(wanted))
        if there >= wanted:
            return
        if self.estimator is not None:
            raise ValueError(
                f"{name}={wanted} is more than the {there} different vector(s); "
                f"use {name}={there} or fewer"
            )
        logger.info("%d clusters instead of %d: no more different vectors", there, wanted)
        last.set_params(**{name: there})


def _count_different(rows: Array, limit: int) -> int:
    """Return how many rows differ by more than `SAME` from one another, counting up to `limit`."""
    tolerance = SAME * max(float(np.abs(rows).max()), np.finfo(rows.dtype).tiny)
    kept: list[Array] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        rest = rows[start : start + ROWS_AT_ONCE]
        for row in kept:
            rest = rest[np.abs(rest - row).max(axis=1) > tolerance]
        while len(rest) and len(kept) < limit:
            kept.append(rest[0])
            rest = rest[np.abs(rest - rest[0]).max(axis=1) > tolerance]
        if len(kept) >= limit:
            break
    return len(kept)


def _by_size(labels: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Renumber by falling size, equal sizes by the first member; −1 stays."""
    names, first, inverse, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    clusters = np.flatnonzero(names >= 0)
    ranked = clusters[np.lexsort((first[clusters], -sizes[clusters]))]
    rank = np.full(len(names), -1, dtype=np.int64)
    rank[ranked] = np.arange(len(ranked))
    return rank[inverse]


def _centroids(unit: Array, labels: npt.NDArray[np.int64], n_clusters: int) -> Array:
    sums = [unit[labels == k].sum(axis=0, dtype=np.float64) for k in range(n_clusters)]
    means = np.array(sums).reshape(n_clusters, unit.shape[1])
    counts = np.bincount(labels[labels >= 0], minlength=n_clusters)[:, None]
    means = means / np.maximum(counts, 1)
    # What is left of members that cancel out is rounding, not a direction.
    means[np.abs(means).max(axis=1, initial=0.0) < np.finfo(unit.dtype).eps] = 0.0
    return unit_rows(means).astype(unit.dtype)


def _medoids(
    unit: Array,
    labels: npt.NDArray[np.int64],
    run: npt.NDArray[np.intp],
    centroids: Array,
    index: pd.Index,
) -> Array:
    chosen = []
    for k, centroid in enumerate(centroids):
        members = np.flatnonzero(labels == k)
        nearest = members[np.argmax(unit[members] @ centroid)]
        equal = index[run == run[nearest]]
        # Ids of one kind compare; an index of mixed kinds still gives one answer.
        chosen.append(min(equal, key=lambda label: (type(label).__name__, label)))
    return pd.Index(chosen, dtype=index.dtype).to_numpy()


def _check_min_similarity(value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        raise TypeError(f"min_similarity must be a number or None, got {value!r}")
    if not -1 <= value <= 1:
        raise ValueError(f"min_similarity is a cosine, between -1 and 1, got {value!r}")
