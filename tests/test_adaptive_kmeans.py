"""K-means that finds its number of clusters, anew or on from before."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from recsys_interest.adaptive_kmeans import AdaptiveKMeans


def groups(k, size=30, features=12, noise=0.08, seed=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(k), size)
    return np.eye(features)[labels] + rng.normal(0, noise, (len(labels), features)), labels


@parametrize_with_checks([AdaptiveKMeans(6)])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@pytest.mark.parametrize("k", [2, 3, 5, 8])
@pytest.mark.parametrize("features", [12, 60])
def test_the_planted_number_is_found(k, features):
    rows, labels = groups(k, features=features)
    model = AdaptiveKMeans(random_state=0).fit(rows)
    assert model.n_clusters_ == k
    assert adjusted_rand_score(labels, model.labels_) == 1
    assert model.predict(rows).tolist() == model.labels_.tolist()


@pytest.mark.parametrize(("before", "after"), [(3, 6), (6, 3), (2, 8), (8, 2), (4, 4)])
def test_from_any_number_the_search_finds_the_next(before, after):
    start = AdaptiveKMeans(random_state=0).fit(groups(before)[0])
    rows, labels = groups(after, seed=1)
    model = AdaptiveKMeans(init=start.cluster_centers_, random_state=0).fit(rows)
    assert model.n_clusters_ == after
    assert adjusted_rand_score(labels, model.labels_) == 1


def test_one_place_emptied_and_another_filled_at_once():
    rows, labels = groups(6)
    start = AdaptiveKMeans(random_state=0).fit(rows[labels < 5])
    model = AdaptiveKMeans(init=start.cluster_centers_, random_state=0).fit(rows[labels > 0])
    assert adjusted_rand_score(labels[labels > 0], model.labels_) == 1


def test_the_silhouettes_are_those_of_scikit_learn():
    rows, _ = groups(3)
    model = AdaptiveKMeans(5, random_state=0).fit(rows)
    assert [*model.silhouettes_] == [2, 3, 4, 5]
    assert model.silhouettes_[3] == pytest.approx(silhouette_score(rows, model.labels_))


def test_one_direction_is_one_cluster():
    model = AdaptiveKMeans().fit(np.ones((5, 3)))
    assert model.labels_.tolist() == [0] * 5
    assert AdaptiveKMeans(init=np.eye(3)).fit(np.ones((5, 3))).n_clusters_ == 1
    assert AdaptiveKMeans().fit(np.eye(2)).n_clusters_ == 1  # a silhouette needs three rows


def test_bad_input_is_named():
    for init in (np.eye(2), np.eye(3) * np.nan, "k-means++", 3):
        with pytest.raises(ValueError, match="init must be finite centres of 3 features"):
            AdaptiveKMeans(init=init).fit(np.eye(4, 3))
    with pytest.raises(ValueError, match="max_clusters must be at least 1"):
        AdaptiveKMeans(0).fit(np.eye(3))
