"""K-means that finds its number of clusters, from scratch or on from the centres of before.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import silhouette_samples
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from recsys_interest.checks import check_count
from recsys_interest.partitions import count_different
from recsys_interest.vectors import unit_rows

__all__ = ["AdaptiveKMeans"]

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

DIRECTIONS = 20
#: How far from the number of before the search goes; farther while the best is at the end.
REACH = 2
STARTS = 4
ERRORS = 2.0  # by how many standard errors another number must be better than that of before
MOST_ROWS = 2000  # the silhouette needs all pairs


class AdaptiveKMeans(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """K-means with the number of clusters of the largest mean silhouette.

    Without `init`, every number up to `max_clusters` is tried. With the centres of an earlier fit,
    the search starts there: centres are taken away, one by one, where that costs the least inertia,
    then added, one by one, where that saves the most, and Lloyd's algorithm runs after each step.
    It goes on in a direction as long as the best number so far is the last one.

    Parameters
    ----------
    max_clusters : int, default 30
        The largest number that is tried.
    init : array of shape (n_clusters_before, n_features), optional
        Centres to go on from.
    random_state : int, RandomState or None, default None
        Seed.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n_samples,)
        Cluster of every row.
    cluster_centers_ : ndarray of shape (n_clusters_, n_features)
        Mean of the rows of every cluster.
    n_clusters_ : int
        The number found; 1 if all rows are the same.
    silhouettes_ : dict of int to float
        Mean silhouette of every number that was tried.
    n_features_in_ : int
        Number of features.

    Notes
    -----
    Chapter 14, "Dynamic interests"; the criterion is that of `choose_k`, on the first 20 principal
    components, scaled to length one; of 20 features or fewer all components, not scaled. The
    silhouette names at least two clusters, whatever the rows.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = np.repeat(np.eye(8)[:4], 30, axis=0) + rng.normal(0, 0.1, (120, 8))
    >>> before = AdaptiveKMeans(random_state=0).fit(rows[:90])
    >>> before.n_clusters_
    3
    >>> AdaptiveKMeans(init=before.cluster_centers_, random_state=0).fit(rows).n_clusters_
    4
    """

    def __init__(self, max_clusters: int = 30, init: Any = None, random_state: Any = None) -> None:
        self.max_clusters = max_clusters
        self.init = init
        self.random_state = random_state

    def fit(self, X: Any, y: object = None) -> AdaptiveKMeans:
        """Find the number and the clusters.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Finite.
        y : None
            Ignored.

        Returns
        -------
        AdaptiveKMeans
            Itself.

        Raises
        ------
        ValueError
            If `X` is not finite, `init` has other features than `X`, or `max_clusters` is below 1.
        """
        rows = validate_data(self, X, dtype=[np.float64, np.float32])
        check_count(self.max_clusters, "max_clusters")
        search = _Search(rows, self.max_clusters, check_random_state(self.random_state))
        if search.most < 2:
            self.labels_ = np.zeros(len(rows), dtype=np.int64)
            self.silhouettes_ = {}
        else:
            if self.init is None:
                search.everything()
            else:
                search.onwards(self._start())
            self.labels_ = search.chosen_labels()
            self.silhouettes_ = dict(sorted(search.scores.items()))
        self.n_clusters_ = int(self.labels_.max()) + 1
        means = [rows[self.labels_ == k].mean(axis=0) for k in range(self.n_clusters_)]
        self.cluster_centers_ = np.array(means, dtype=rows.dtype)
        return self

    def predict(self, X: Any) -> Labels:
        """Return the nearest centre of every row.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of int64, shape (n_samples,)
            Positions in `cluster_centers_`.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        nearest = euclidean_distances(rows, self.cluster_centers_).argmin(axis=1)
        return nearest.astype(np.int64)

    def _start(self) -> Floats:
        try:
            centres = np.asarray(self.init, dtype=np.float64)
        except (TypeError, ValueError):
            centres = np.empty(0)
        width = self.n_features_in_
        if centres.shape[1:] != (width,) or not len(centres) or not np.isfinite(centres).all():
            raise ValueError(
                f"init must be finite centres of {width} features, got {self.init!r}; give "
                f"cluster_centers_ of an earlier fit on the same features"
            )
        return centres


class _Search:
    """The partitions of every number tried, and what they are worth."""

    def __init__(self, rows: Floats, most: int, rng: np.random.RandomState) -> None:
        self.rng = rng
        self._pca: PCA | None = None
        different = count_different(rows, most + 1)
        self.rows = np.asarray(rows, dtype=np.float64)
        if rows.shape[1] > DIRECTIONS and different > 1:
            self._pca = PCA(min(DIRECTIONS, len(rows)), random_state=rng).fit(self.rows)
            self.rows = self.reduced(self.rows)
        # A silhouette needs a cluster of more than one row.
        self.most = min(most, different, len(rows) - 1)
        size = min(MOST_ROWS, len(rows))
        self.seen = np.sort(rng.choice(len(rows), size, replace=False))
        self.apart = euclidean_distances(self.rows[self.seen])  # the same for every number
        self.each: dict[int, Floats] = {}
        self.found: dict[int, tuple[float, Labels, Floats]] = {}
        self.scores: dict[int, float] = {}
        self.start: int | None = None

    def reduced(self, rows: Floats) -> Floats:
        return rows if self._pca is None else unit_rows(self._pca.transform(rows))

    def everything(self) -> None:
        """Try every number from scratch."""
        for k in range(2, self.most + 1):
            self._run(k, "k-means++", STARTS)

    def onwards(self, init: Floats) -> None:
        """Try the numbers around that of the centres, each from its neighbour's centres."""
        centres = self.reduced(init)[: self.most]
        if len(centres) < 2:
            centres = self._grown(centres)
        here = self.start = len(centres)
        self._run(here, centres)
        low = here
        while low > 2 and (here - low < REACH or self.best() == low):
            self._run(low - 1, self._shrunk(self.found[low][2]))
            low -= 1
        # Upwards again from the bottom: what was taken away may be better put elsewhere.
        high = low
        while high < self.most and (high - here < REACH or self.best() == high):
            self._run(high + 1, self._grown(self.found[high][2]))
            high += 1

    def best(self) -> int:
        return max(self.scores, key=lambda k: (self.scores[k], -k))

    def _better(self, k: int, than: int) -> bool:
        """Say whether k is better by more than the standard errors allow for."""
        gain = self.each[k] - self.each[than]
        return bool(gain.mean() > ERRORS * gain.std() / np.sqrt(len(gain)))

    def chosen(self) -> int:
        """Return the best number; that of before unless another is clearly better."""
        best = self.best()
        if self.start is None or self._better(best, self.start):
            return best
        return self.start

    def chosen_labels(self) -> Labels:
        labels = self.found[self.chosen()][1]
        return np.unique(labels, return_inverse=True)[1].astype(np.int64)

    def _run(self, k: int, init: Any, starts: int = 1) -> None:
        model = KMeans(k, init=init, n_init=starts, random_state=self.rng).fit(self.rows)
        if k in self.found and self.found[k][0] <= model.inertia_:
            return
        self.found[k] = (model.inertia_, model.labels_, model.cluster_centers_)
        self.each[k] = np.full(len(self.seen), -1.0)
        here = model.labels_[self.seen]
        if 2 <= len(np.unique(here)) < len(here):
            self.each[k] = silhouette_samples(self.apart, here, metric="precomputed")
        self.scores[k] = float(self.each[k].mean())

    def _shrunk(self, centres: Floats) -> Floats:
        """Leave out the centre whose rows lose least by going to their next best one."""
        square = euclidean_distances(self.rows, centres, squared=True)
        nearest = square.argmin(axis=1)
        two = np.partition(square, 1, axis=1)
        loss = np.bincount(nearest, two[:, 1] - two[:, 0], minlength=len(centres))
        return np.delete(centres, loss.argmin(), axis=0)

    def _grown(self, centres: Floats) -> Floats:
        """Add the row that lowers the inertia most, of some drawn like those of k-means++."""
        square = euclidean_distances(self.rows, centres, squared=True).min(axis=1)
        share = square / square.sum() if square.sum() > 0 else None
        drawn = self.rng.choice(len(self.rows), 2 * STARTS, p=share)
        offered = euclidean_distances(self.rows, self.rows[drawn], squared=True)
        inertia = np.minimum(offered, square[:, None]).sum(axis=0)
        return np.vstack([centres, self.rows[drawn[inertia.argmin()]]])
