"""Lists with a share for each interest, against D'Hondt's rule played seat by seat."""

import numpy as np
import pandas as pd
import pytest

pytest.register_assert_rewrite("tests.recommender_conformance")

from recsys_interest import InterestProfiler, SeveralInterestsRecommender  # noqa: E402
from tests.recommender_conformance import (  # noqa: E402
    ITEMS_WITHOUT_VECTOR,
    RecommenderConformance,
)


class TestSeveralInterests(RecommenderConformance):
    score_is_of_the_pair = False  # it is a place among the items of an interest

    @pytest.fixture
    def recommender(self):
        return SeveralInterestsRecommender(distance=0.8)

    def test_items_without_vector_never_come_from_interests(self, fitted):
        lists = fitted.recommend(k=1000, exclude_seen=False)
        own = lists[lists["source"] == "several_interests"]["item_id"]
        assert own.nunique() == 28
        assert not own.isin(ITEMS_WITHOUT_VECTOR).any()


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    topic = np.arange(120) % 4
    vectors = np.eye(4, 12)[topic] + 0.15 * rng.normal(size=(120, 12))
    vectors = pd.DataFrame(vectors, dtype="float32")
    tastes = {0: [0] * 6 + [1] * 3 + [2], 1: [3] * 5, 2: [0, 1, 2, 3] * 2}
    rows = [
        (user, item)
        for user, wanted in tastes.items()
        for item in dict.fromkeys(wanted)
        and np.concatenate(
            [
                rng.choice(np.flatnonzero(topic == t), wanted.count(t), replace=False)
                for t in sorted(set(wanted))
            ]
        )
    ]
    log = pd.DataFrame(rows, columns=["user_id", "item_id"])
    log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    return log, pd.DataFrame({"item_id": range(120)}), vectors


def seats(importance, n):
    """Give n seats, one after the other, to whoever has the largest quotient."""
    held = np.zeros(len(importance), dtype=int)
    for _ in range(n):
        held[np.argmax(importance / (held + 1))] += 1
    return held


@pytest.mark.parametrize("k", [1, 5, 10, 17])
def test_each_interest_holds_the_places_of_dhondts_rule(world, k):
    fitted = SeveralInterestsRecommender(distance=1.0).fit(*world)
    lists = fitted.recommend(k=k)
    for user, interests in fitted.interests_.groupby("user_id"):
        own = lists.loc[lists["user_id"] == user, "item_id"]
        medoids = world[2].loc[interests["item_id"]].to_numpy()
        medoids = medoids / np.linalg.norm(medoids, axis=1, keepdims=True)
        nearest = (world[2].loc[own].to_numpy() @ medoids.T).argmax(axis=1)
        expected = seats(interests["importance"].to_numpy(), k)
        found = np.bincount(nearest, minlength=len(interests))
        # Equal quotients are given by item id.
        assert np.abs(found - expected).max() <= (user == 2)
        assert found.sum() == k


def test_shares_are_held_rounded_down(world):
    fitted = SeveralInterestsRecommender(distance=1.0).fit(*world)
    lists = fitted.recommend([0], k=10)
    topics = np.bincount(lists["item_id"] % 4, minlength=4)
    assert topics.tolist() == [6, 3, 1, 0]
    mean_only = SeveralInterestsRecommender(distance=1.0, max_interests=1).fit(*world)
    assert (mean_only.recommend([0], k=10)["item_id"] % 4 == 0).all()


def test_the_session_has_its_share(world):
    fitted = SeveralInterestsRecommender(distance=1.0, session_weight=0.5).fit(*world)
    session = world[0].head(1).assign(user_id=1, item_id=0)  # he was all for topic 3
    lists = fitted.recommend([1], k=10, session=session)
    assert np.bincount(lists["item_id"] % 4, minlength=4).tolist() == [5, 0, 0, 5]
    for weight, topic in ((0.0, 3), (1.0, 0)):
        fitted.set_params(session_weight=weight)
        assert (fitted.recommend([1], k=10, session=session)["item_id"] % 4 == topic).all()


def test_a_session_keeps_the_rarities_of_the_log(world):
    plain = SeveralInterestsRecommender(InterestProfiler(idf=True), distance=1.0).fit(*world)
    own = world[0][world[0]["user_id"] == 0]
    more = pd.concat([own.head(2).assign(user_id=u) for u in range(50, 60)])  # two common items
    plain.fit(pd.concat([world[0], more]), *world[1:])
    found = plain.recommend([77], session=own.assign(user_id=77))
    expected = plain.recommend([0]).assign(user_id=77)
    pd.testing.assert_frame_equal(found, expected)
    assert found["source"].unique() == ["several_interests"]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"distance": -1.0}, ValueError, "distance must be a finite number of at least 0"),
        ({"max_interests": 0}, ValueError, "max_interests must be at least 1"),
        ({"session_weight": 2}, ValueError, "session_weight must be from 0 to 1.0, got 2"),
    ],
)
def test_bad_parameters_are_named(world, wrong, error, message):
    with pytest.raises(error, match=message):
        SeveralInterestsRecommender(**wrong).fit(*world)
