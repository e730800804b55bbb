from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

pytest.register_assert_rewrite("tests.recommender_conformance")

from recsys_interest.profiles import InterestProfiler  # noqa: E402
from recsys_interest.ranking_metrics import evaluate_recommendations  # noqa: E402
from recsys_interest.recommend import CosineRecommender, PopularityRecommender  # noqa: E402
from recsys_interest.schema import validate_events  # noqa: E402
from recsys_interest.sequence import GRURecommender  # noqa: E402
from recsys_interest.training_plan import TrainingPlan  # noqa: E402
from tests.recommender_conformance import (  # noqa: E402
    ITEMS_WITHOUT_VECTOR,
    RecommenderConformance,
)

FAST = TrainingPlan(steps=5, batch_size=8, evaluate_every=5)
N = 12


class TestGRU(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return GRURecommender(8, plan=FAST, progress=False)

    def test_items_without_vector_never_come_from_the_gru(self, fitted):
        lists = fitted.recommend(k=1000, exclude_seen=False)
        by_gru = lists[lists["source"] == "gru"]["item_id"]
        assert not by_gru.isin(ITEMS_WITHOUT_VECTOR).any()
        assert by_gru.nunique() == 28


def walks(n_users=120, length=6, *, seed=0):
    """Return a log in which item i is followed by i + 1 in a ring, and where each user ends."""
    start = np.random.default_rng(seed).integers(N, size=n_users)
    rows = [(u, (start[u] + t) % N, t) for u in range(n_users) for t in range(length)]
    log = pd.DataFrame(rows, columns=["user_id", "item_id", "day"])
    log["timestamp"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(log["day"], "D")
    return log.drop(columns="day"), (start + length) % N


@pytest.fixture(scope="module")
def vectors():
    return pd.DataFrame(np.random.default_rng(1).normal(size=(N, 6)))


@pytest.mark.rows("F07")
def test_it_learns_an_order_that_the_baselines_cannot_see(vectors):
    log, following = walks()
    plan = TrainingPlan(steps=150, batch_size=64, learning_rate=0.01, evaluate_every=30)
    gru = GRURecommender(16, dropout=0.0, plan=plan, progress=False)
    relevant = pd.DataFrame({"user_id": range(120), "item_id": following})
    hit = {}
    for name, method in (
        ("gru", gru),
        ("popularity", PopularityRecommender()),
        ("last item", CosineRecommender(InterestProfiler(half_life=1e-4))),
    ):
        lists = method.fit(log, item_vectors=vectors).recommend(k=1)
        hit[name] = evaluate_recommendations(lists, relevant, k=1).loc["hit_rate@1", "mean"]
    # One of the six items that a user has not had: chance is 1/6.
    assert hit["gru"] > 0.95
    assert hit["popularity"] < 0.4
    assert hit["last item"] < 0.4
    assert gru.losses_["held_out_loss"].min() < 0.2 < np.log(N) < gru.losses_.iloc[0, 2] + 0.3


def test_before_training_the_list_is_popularity(vectors):
    log, _ = walks(30)
    log = pd.concat([log, log[log["item_id"] == 5]], ignore_index=True)
    still = TrainingPlan(steps=1, learning_rate=1e-9)
    gru = GRURecommender(4, plan=still, progress=False).fit(log, item_vectors=vectors)
    gru.user_states_[:, :-1] = 0
    scores = gru._scores(np.arange(3))
    times = log["item_id"].value_counts().reindex(range(N)).to_numpy()
    np.testing.assert_allclose(scores[0], np.log((times + 1) / (times + 1).sum()), atol=1e-5)


def test_order_of_rows_and_torchs_random_state_do_not_matter(vectors):
    log, _ = walks(40)
    torch.manual_seed(5)
    first = GRURecommender(8, plan=FAST, progress=False).fit(log, item_vectors=vectors)
    mixed = log.sample(frac=1, random_state=2)
    second = GRURecommender(8, plan=FAST, progress=False).fit(mixed, item_vectors=vectors)
    pd.testing.assert_frame_equal(first.recommend(), second.recommend(), check_exact=True)
    other = GRURecommender(8, plan=FAST, random_state=1, progress=False)
    other.fit(log, item_vectors=vectors)
    assert not np.allclose(other.user_states_, first.user_states_)


def test_only_the_last_items_are_read(vectors):
    log, _ = walks(20)
    short = GRURecommender(8, max_length=2, plan=FAST, progress=False)
    short.fit(log, item_vectors=vectors)
    read = short._sequences(validate_events(log), short.user_ids_)
    assert [len(s) for s in read] == [2] * 20
    assert read[0].tolist() == log[log["user_id"] == 0]["item_id"].tolist()[-2:]


def test_a_log_of_single_events_is_answered(vectors):
    log, _ = walks(5, length=1)
    lists = GRURecommender(4, progress=False).fit(log, item_vectors=vectors).recommend(k=2)
    assert set(lists["source"]) == {"gru"}


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"hidden_size": 0}, ValueError, "hidden_size must be at least 1, got 0"),
        ({"max_length": 1}, ValueError, "max_length must be at least 2, got 1"),
        ({"dropout": 1.0}, ValueError, "dropout must be from 0 to 0.9, got 1.0"),
        ({"device": "tpu"}, ValueError, "device 'tpu' is not there"),
    ],
)
def test_wrong_parameters_are_named(vectors, wrong, error, message):
    with pytest.raises(error, match=message):
        GRURecommender(**wrong, progress=False).fit(walks(4)[0], item_vectors=vectors)


def test_vectors_are_needed():
    with pytest.raises(TypeError, match="item_vectors is missing"):
        GRURecommender().fit(walks(4)[0])
