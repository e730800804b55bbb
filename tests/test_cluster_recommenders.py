"""Popularity within clusters, and candidates of one recommender ordered by another."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans

pytest.register_assert_rewrite("tests.recommender_conformance")

from recsys_interest import (  # noqa: E402
    ClusterPopularityRecommender,
    CosineRecommender,
    EaseRecommender,
    InterestClusterer,
    PopularityRecommender,
    TwoStageRecommender,
)
from tests.recommender_conformance import RecommenderConformance  # noqa: E402


class TestClusterPopularity(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return ClusterPopularityRecommender(session_weight=0.9)


class TestTwoStage(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return TwoStageRecommender(PopularityRecommender(), EaseRecommender(2.0))


class TestTwoStageDefaults(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return TwoStageRecommender()


def two_camps(n=30, seed=0):
    """Return a log of campers and cooks, with vectors that say which items are whose."""
    rng = np.random.default_rng(seed)
    chance = [np.where(np.arange(40) % 2 == camp, 0.045, 0.005) for camp in (0, 1)]
    rows = [
        (user, item)
        for user in range(n)
        for item in rng.choice(40, size=8, replace=False, p=chance[user % 2])
    ]
    log = pd.DataFrame(rows, columns=["user_id", "item_id"])
    log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    vectors = np.eye(2, 6)[np.arange(40) % 2] + 0.1 * rng.normal(size=(40, 6))
    return log, pd.DataFrame({"item_id": range(40)}), pd.DataFrame(vectors, dtype="float32")


@pytest.mark.parametrize("prior", [0.5, 20.0])
def test_the_score_is_the_smoothed_share_of_the_cluster(prior):
    log, items, vectors = two_camps()
    clusterer = InterestClusterer(KMeans(2, n_init=3), random_state=0)
    fitted = ClusterPopularityRecommender(clusterer, prior_users=prior).fit(log, items, vectors)
    table = pd.crosstab(log["user_id"], log["item_id"]).reindex(columns=range(40), fill_value=0)
    lists = fitted.recommend(k=40, exclude_seen=False)
    for user in (0, 1):
        mates = fitted.clusters_ == fitted.clusters_[user]
        assert mates.sum() == 15
        expected = (table[mates].sum() + prior * table.mean()) / (15 + prior)
        found = lists[lists["user_id"] == user].set_index("item_id")["score"].sort_index()
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_without_end_the_prior_is_popularity():
    log, items, vectors = two_camps()
    fitted = ClusterPopularityRecommender(prior_users=1e12).fit(log, items, vectors)
    popular = PopularityRecommender().fit(log, items)
    scores = fitted.shares_ * 30
    np.testing.assert_allclose(scores, np.tile(popular.popularity_, (len(scores), 1)), atol=1e-6)


def test_a_session_brings_a_stranger_to_a_cluster():
    log, items, vectors = two_camps()
    clusterer = InterestClusterer(KMeans(2, n_init=3), random_state=0)
    fitted = ClusterPopularityRecommender(clusterer, prior_users=1.0).fit(log, items, vectors)
    for item in (4, 7):
        session = log.head(1).assign(user_id=500, item_id=item)
        lists = fitted.recommend([500], k=8, session=session)
        assert (lists["item_id"] % 2 == item % 2).all()
    assert fitted.recommend([500])["source"].unique() == ["popularity"]


def test_a_user_without_a_cluster_gets_what_is_popular():
    log, items, vectors = two_camps()
    clusterer = InterestClusterer(KMeans(2), min_similarity=0.999999, random_state=0)
    lists = ClusterPopularityRecommender(clusterer).fit(log, items, vectors).recommend()
    assert "popularity" in set(lists["source"])


def test_only_candidates_are_ranked_and_by_the_ranker():
    log, items, vectors = two_camps()
    popular = PopularityRecommender().fit(log, items)
    first = popular.recommend([0], 12, exclude_seen=False)["item_id"]
    two = TwoStageRecommender(PopularityRecommender(), CosineRecommender(), n_candidates=12)
    lists = two.fit(log, items, vectors).recommend([0], k=40, exclude_seen=False)
    assert set(lists["item_id"]) == set(first)
    alone = CosineRecommender().fit(log, items, vectors)
    expected = alone.recommend([0], k=40, exclude_seen=False, candidates=first)
    pd.testing.assert_frame_equal(
        lists.drop(columns="source"), expected.drop(columns="source"), check_exact=True
    )


def test_enough_candidates_leave_the_ranker_alone():
    log, items, vectors = two_camps()
    two = TwoStageRecommender(PopularityRecommender(), EaseRecommender(5.0), n_candidates=40)
    ease = EaseRecommender(5.0).fit(log, items)
    lists = two.fit(log, items, vectors).recommend()
    pd.testing.assert_frame_equal(
        lists.drop(columns="source"), ease.recommend().drop(columns="source"), check_exact=True
    )


def test_the_session_reaches_both_stages():
    log, items, vectors = two_camps()
    clusterer = InterestClusterer(KMeans(2, n_init=3), random_state=0)
    two = TwoStageRecommender(
        ClusterPopularityRecommender(clusterer, prior_users=0.1),
        CosineRecommender(),
        n_candidates=10,
    ).fit(log, items, vectors)
    for item in (4, 7):
        session = log.head(1).assign(user_id=500, item_id=item)
        lists = two.recommend([500], k=5, session=session)
        assert (lists["item_id"] % 2 == item % 2).all()
        assert lists["source"].unique() == ["two_stage"]


@pytest.mark.parametrize(
    ("recommender", "error", "message"),
    [
        (ClusterPopularityRecommender(prior_users=0), ValueError, "prior_users must be a finite"),
        (ClusterPopularityRecommender(KMeans(2)), TypeError, "clusterer must be an InterestClus"),
        (TwoStageRecommender(n_candidates=0), ValueError, "n_candidates must be at least 1"),
        (TwoStageRecommender(ranker="ease"), TypeError, "ranker must be a Recommender, got str"),
        (TwoStageRecommender(KMeans(2)), TypeError, "candidates must be a Recommender, got KM"),
    ],
)
def test_bad_parameters_are_named(recommender, error, message):
    with pytest.raises(error, match=message):
        recommender.fit(*two_camps())
