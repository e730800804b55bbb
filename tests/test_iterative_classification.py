"""Clusters found again by a classifier: better than their start, never fewer, any row order."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN, AgglomerativeClustering, KMeans
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestCentroid
from sklearn.utils.estimator_checks import parametrize_with_checks

from recsys_interest.clusters import InterestClusterer
from recsys_interest.iterative_classification import IterativeClassification


class Given(ClusterMixin, BaseEstimator):
    """Labels that are known, by the first feature, whatever the order of the rows."""

    def __init__(self, cuts=(0.0,)):
        self.cuts = cuts

    def fit_predict(self, X, y=None):
        return np.digitize(X[:, 0], self.cuts)


def stretched(seed=0, n=300):
    """Two long parallel clouds that K-means cuts across, and their clusters."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1], n)
    rows = rng.normal(size=(2 * n, 6)) * [4, 1, 1, 1, 1, 1]
    rows[:, 1] += np.where(truth, 2.5, -2.5)
    # K-means sees one direction that is wide for a reason and one that is wide for none.
    return rows, truth


@parametrize_with_checks(
    [
        IterativeClassification(3),
        IterativeClassification(2, classifier=LogisticRegression(), train_share=1.0),
        IterativeClassification(2, initial=AgglomerativeClustering(2), n_rounds=2),
    ]
)
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_half_right_start_is_put_right(seed):
    rows, truth = stretched(seed)
    rng = np.random.default_rng(seed)
    flipped = np.where(rng.random(len(truth)) < 0.3, 1 - truth, truth)

    class Flipped(Given):
        def fit_predict(self, X, y=None):
            known = {row.tobytes(): label for row, label in zip(rows, flipped, strict=True)}
            return np.array([known[np.ascontiguousarray(row).tobytes()] for row in X])

    model = IterativeClassification(initial=Flipped()).fit(rows)
    assert adjusted_rand_score(truth, flipped) < 0.3
    assert adjusted_rand_score(truth, model.labels_) > 0.9
    assert model.n_rounds_ == len(model.moved_) >= 2
    assert model.moved_[0] > 0.2
    assert model.moved_[-1] <= 0.001


def test_one_round_by_hand():
    rows = np.array([[-4.0], [-3.0], [-2.0], [-1.0], [1.0], [9.0]])
    # Starts as {-4, -3, -2, -1} and {1, 9}, centroids -2.5 and 5; P n / k = 2 rows each.
    model = IterativeClassification(
        initial=Given(), classifier=NearestCentroidProba(), train_share=0.7, n_rounds=1
    )
    model.fit(rows)
    # Kept: -3 and -2 (nearest to -2.5), and 1 and 9: means -2.5 and 5, border 1.25.
    assert model.labels_.tolist() == [0, 0, 0, 0, 0, 1]
    assert model.moved_ == [pytest.approx(1 / 6)]
    assert model.predict([[1.2], [1.3]]).tolist() == [0, 1]


class NearestCentroidProba(NearestCentroid):
    """Nearest centroid, sure of what is near."""

    def predict_proba(self, X):
        near = np.exp(-np.abs(X - self.centroids_.T))
        return near / near.sum(axis=1, keepdims=True)


def test_a_large_cluster_teaches_no_more_than_its_share():
    seen = []

    class Spy(LogisticRegression):
        def fit(self, X, y):
            seen.append(np.bincount(y).tolist())
            return super().fit(X, y)

    rows = np.concatenate([np.linspace(-9, -1, 90), np.linspace(1, 9, 10)])[:, None]
    IterativeClassification(initial=Given(), classifier=Spy(), train_share=0.8, n_rounds=1).fit(
        rows
    )
    assert seen == [[40, 10]]


def test_a_round_that_would_lose_a_cluster_is_not_taken():
    class Blind(LogisticRegression):
        def predict(self, X):
            return np.zeros(len(X), dtype=int)

    rows = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    model = IterativeClassification(initial=Given(), classifier=Blind()).fit(rows)
    assert model.labels_.tolist() == [0, 0, 1, 1]
    assert model.n_rounds_ == 0
    assert model.predict([[-5.0], [5.0]]).tolist() == [0, 1]


def test_any_row_order_gives_the_same_clusters():
    rows, _ = stretched()
    order = np.random.default_rng(0).permutation(len(rows))
    one = IterativeClassification(3, random_state=0).fit(rows)
    other = IterativeClassification(3, random_state=0).fit(rows[order])
    assert one.labels_[order].tolist() == other.labels_.tolist()


def test_labels_are_what_the_classifier_predicts():
    rows, _ = stretched()
    model = IterativeClassification(4, random_state=1).fit(rows)
    assert model.predict(rows).tolist() == model.labels_.tolist()
    probability = model.predict_proba(rows)
    assert probability.shape == (len(rows), 4)
    assert np.allclose(probability.sum(axis=1), 1)


def test_noise_is_placed():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(-5, 0.2, (30, 2)), rng.normal(5, 0.2, (30, 2))])
    rows = np.concatenate([rows, [[-2.0, -2.0], [2.5, 2.5]]])
    start = DBSCAN(eps=0.8)
    assert set(start.fit_predict(rows)) == {-1, 0, 1}
    model = IterativeClassification(initial=start).fit(rows)
    assert set(model.labels_) == {0, 1}
    assert model.labels_[60] == model.labels_[0]
    assert model.labels_[61] == model.labels_[30]


def test_noise_only_one_cluster_and_gaps():
    rows, _ = stretched(n=20)
    nothing = IterativeClassification(initial=DBSCAN(eps=1e-6)).fit(rows)
    assert set(nothing.labels_) == set(nothing.predict(rows)) == {-1}
    single = IterativeClassification(1).fit(rows)
    assert set(single.labels_) == set(single.predict(rows)) == {0}
    assert single.predict_proba(rows).tolist() == [[1.0]] * 40
    gaps = IterativeClassification(initial=Given((0.0, 0.0, 0.0)), n_rounds=0).fit(rows)
    assert set(gaps.labels_) == {0, 1}


@pytest.mark.filterwarnings("ignore:.*[Dd]istinct clusters")
def test_equal_rows_do_not_break_it():
    rows = np.repeat([[0.0, 1.0], [1.0, 0.0]], 5, axis=0)
    labels = IterativeClassification(2, random_state=0).fit_predict(rows)
    assert sorted(np.bincount(labels)) == [5, 5]
    assert set(IterativeClassification(2).fit_predict(np.ones((4, 2)))) <= {0, 1}


def test_it_is_a_part_of_the_interest_clusterer():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(3), 50)
    rows = np.eye(8)[truth] + rng.normal(scale=0.1, size=(150, 8))
    model = InterestClusterer(IterativeClassification(3), random_state=0).fit(rows)
    assert adjusted_rand_score(truth, model.labels_) == 1.0
    assert model.estimator_.random_state == 0
    with pytest.raises(ValueError, match="different vector"):
        InterestClusterer(IterativeClassification(4)).fit(np.eye(3))


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"n_clusters": 0}, ValueError, "n_clusters must be at least 1"),
        ({"n_rounds": 2.5}, TypeError, "n_rounds must be a whole number"),
        ({"train_share": 0}, ValueError, "train_share must be above 0, got 0"),
        ({"train_share": float("nan")}, ValueError, "train_share must be above 0, got nan"),
        ({"train_share": "all"}, TypeError, "train_share must be a number, got 'all'"),
        ({"tol": -1}, ValueError, "tol must not be negative, got -1"),
        ({"initial": "ward"}, TypeError, "initial must be a clusterer with fit_predict"),
        ({"initial": KMeans}, TypeError, "initial must be a clusterer with fit_predict"),
        ({"classifier": RidgeClassifier()}, TypeError, "a classifier with predict_proba"),
    ],
)
def test_bad_settings(settings, error, says):
    with pytest.raises(error, match=says):
        IterativeClassification(**settings).fit(stretched()[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_and_infinite_values(bad):
    rows, _ = stretched()
    rows[3, 1] = bad
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        IterativeClassification(2).fit(rows)


def test_more_clusters_than_rows():
    with pytest.raises(ValueError, match="n_samples=3 should be >= n_clusters=8"):
        IterativeClassification().fit(np.eye(3))
