"""Clusters that a classifier, trained on their typical members alone, finds again.

Chapter: 10 (choosing and naming clusters).
"""

from __future__ import annotations

from numbers import Real
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.validation import check_is_fitted, validate_data

from recsys_interest.checks import check_count
from recsys_interest.reproducible import check_part, content_order, seeded_clone

__all__ = ["IterativeClassification"]

_FLOATS = [np.float64, np.float32]
NOISE = -1
Labels = NDArray[np.int64]


class IterativeClassification(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    r"""Train a classifier on the typical members of each cluster, let it place all rows, repeat.

    Every round keeps, of each of the :math:`k` clusters, the

    .. math:: \left\lfloor P \, \frac{n}{k} \right\rfloor

    rows that fit it best (all, if it has fewer), trains the classifier on those, and moves every
    row to its most probable cluster. A row fits as well as its probability was in the round before;
    in the first round, as it is near to the centroid. What lies between the clusters does not teach
    the classifier, and a large cluster teaches it no more than its share, so that it cannot swallow
    the others.

    Parameters
    ----------
    n_clusters : int, default 8
        Number of clusters that the default of `initial` starts with.
    initial : clusterer, optional
        Gives the labels to start with. Default: K-means with ten starts. Rows it calls noise (−1)
        are not trained on, but placed.
    classifier : classifier with predict_proba, optional
        Default: linear discriminant analysis with the shrinkage of Ledoit and Wolf, which takes
        one linear system a round.
    train_share : float, default 0.8
        :math:`P`, above 0: the largest training part of a cluster, as a share of the mean size.
    n_rounds : int, default 30
        Rounds at most.
    tol : float, default 0.001
        Stop when no larger share of the rows has moved.
    random_state : int, RandomState or None, default None
        Given to every part whose own `random_state` is None.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n_rows,)
        Cluster of every row, from 0 without gaps; −1 for all if `initial` found noise only.
    classifier_ : classifier
        The last one, which answers `predict`. The nearest centroid if no round was taken.
    initial_ : clusterer
        The fitted one.
    n_rounds_ : int
        Rounds taken. A round that would leave a cluster without rows is not taken; where a cluster
        has a single row, there is nothing to learn, and none is.
    moved_ : list of float
        Share of the rows that moved in each round.
    n_features_in_ : int
        Number of features.

    Notes
    -----
    After Rakib, Zeh, Jankowska and Milios (2020), "Enhancement of short text clustering by
    iterative classification", who take logistic regression, an isolation forest for the outliers,
    and a :math:`P` drawn anew each round. With the default classifier the rounds are those of Ding
    and Li (2007), "Adaptive dimension reduction using discriminant analysis and K-means
    clustering", with the typical rows only. The rows are sorted by content first, so that their
    order does not matter. Chapter 10, "Choosing and naming clusters".

    Examples
    --------
    >>> rows = np.array([[0.0, 0], [0, 1], [1, 0], [7, 7], [7, 8], [9, 7]])
    >>> IterativeClassification(2, random_state=0).fit_predict(rows).tolist() in (
    ...     [0, 0, 0, 1, 1, 1], [1, 1, 1, 0, 0, 0])
    True
    """

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        initial: Any = None,
        classifier: Any = None,
        train_share: float = 0.8,
        n_rounds: int = 30,
        tol: float = 0.001,
        random_state: Any = None,
    ) -> None:
        self.n_clusters = n_clusters
        self.initial = initial
        self.classifier = classifier
        self.train_share = train_share
        self.n_rounds = n_rounds
        self.tol = tol
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Find the clusters.

        Parameters
        ----------
        X : array-like of float, shape (n_rows, n_features)
            Finite.
        y : ignored
            There for scikit-learn's pipelines.

        Returns
        -------
        IterativeClassification
            This object.

        Raises
        ------
        TypeError
            If a parameter is of the wrong kind.
        ValueError
            If a number is out of range, X is not finite, or there are more clusters than rows.
        """
        classifier = self._checked_parts()
        given: NDArray[Any] = validate_data(self, X, dtype=_FLOATS)
        order = content_order(given)
        rows = given[order]
        self.initial_ = seeded_clone(
            KMeans(self.n_clusters, n_init=10) if self.initial is None else self.initial,
            self.random_state,
        )
        labels = _without_gaps(np.asarray(self.initial_.fit_predict(rows)))
        self.n_rounds_ = 0
        self.moved_: list[float] = []
        if labels.max() < 1:  # one cluster, or noise only: nothing to tell apart
            self.classifier_: Any = DummyClassifier(strategy="most_frequent").fit(rows, labels)
        else:
            labels = self._rounds(rows, labels, classifier)
        self.labels_: Labels = np.empty(len(rows), dtype=np.int64)
        self.labels_[order] = labels
        return self

    def predict(self, X: ArrayLike) -> Labels:
        """Return the cluster of every row.

        Parameters
        ----------
        X : array-like of float, shape (n_rows, n_features)
            New or fitted rows.

        Returns
        -------
        ndarray of int64, shape (n_rows,)
            As the last classifier places them.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=_FLOATS, reset=False)
        return np.asarray(self.classifier_.predict(rows), dtype=np.int64)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return how probable each cluster is for every row.

        Parameters
        ----------
        X : array-like of float, shape (n_rows, n_features)
            New or fitted rows.

        Returns
        -------
        ndarray of shape (n_rows, n_clusters)
            Rows sum to 1.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, dtype=_FLOATS, reset=False)
        return np.asarray(self.classifier_.predict_proba(rows), dtype=np.float64)

    def _rounds(self, rows: NDArray[Any], labels: Labels, classifier: Any) -> Labels:
        k = int(labels.max()) + 1
        centroids = np.array([rows[labels == label].mean(axis=0) for label in range(k)])
        self.classifier_ = KNeighborsClassifier(1, algorithm="brute").fit(centroids, range(k))
        fit = -np.linalg.norm(rows - centroids[labels], axis=1)
        for _ in range(self.n_rounds):
            if np.bincount(labels[labels >= 0]).min() < 2:
                break
            typical = self._typical(fit, labels, k)
            model = seeded_clone(classifier, self.random_state)
            model.fit(rows[typical], labels[typical])
            probability = model.predict_proba(rows)
            # In single precision two clusters can be equally probable, and `predict` decides.
            placed = np.asarray(model.predict(rows), dtype=np.int64)
            if len(np.unique(placed)) < k:
                break
            moved = float(np.mean(placed != labels))
            self.classifier_, labels, fit = model, placed, probability.max(axis=1)
            self.n_rounds_ += 1
            self.moved_.append(moved)
            if moved <= self.tol:
                break
        return labels

    def _typical(self, fit: NDArray[Any], labels: Labels, k: int) -> NDArray[np.intp]:
        most = max(2, int(self.train_share * (labels >= 0).sum() / k))
        members = (np.flatnonzero(labels == label) for label in range(k))
        best = [m[np.argsort(-fit[m], kind="stable")[:most]] for m in members]
        return np.sort(np.concatenate(best))

    def _checked_parts(self) -> Any:
        check_count(self.n_clusters, "n_clusters")
        check_count(self.n_rounds, "n_rounds", least=0)
        for name, value in (("train_share", self.train_share), ("tol", self.tol)):
            if isinstance(value, bool) or not isinstance(value, Real):
                raise TypeError(f"{name} must be a number, got {value!r}")
        if not 0 < self.train_share < np.inf:
            raise ValueError(f"train_share must be above 0, got {self.train_share!r}")
        if not self.tol >= 0:
            raise ValueError(f"tol must not be negative, got {self.tol!r}")
        if self.initial is not None:
            example = "sklearn.cluster.AgglomerativeClustering(8)"
            check_part(self.initial, "initial", "a clusterer", "fit_predict", example)
        if self.classifier is None:
            return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
        example = "sklearn.linear_model.LogisticRegression()"
        check_part(self.classifier, "classifier", "a classifier", "predict_proba", example)
        return self.classifier


def _without_gaps(labels: NDArray[Any]) -> Labels:
    names = np.unique(labels[labels >= 0])
    return np.where(labels >= 0, np.searchsorted(names, labels), NOISE).astype(np.int64)
