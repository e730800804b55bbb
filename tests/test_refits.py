"""Refit policies: when they act, what they gain on a log that changes, and what they cost."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys_interest.ease import EaseRecommender
from recsys_interest.live_recommender import LiveRecommender
from recsys_interest.refit_policies import (
    DriftPolicy,
    FrozenPolicy,
    OnlinePolicy,
    ScheduledPolicy,
)
from recsys_interest.refit_replay import compare_refits

DAYS, N_USERS, PER_SIDE = 60, 16, 60
START = "2026-01-11"


@pytest.fixture(scope="module")
def catalogue():
    rng = np.random.default_rng(0)
    ids = [f"{side}{n:02d}" for side in "lr" for n in range(PER_SIDE)]
    centre = np.repeat(np.eye(2), PER_SIDE, axis=0)
    return pd.DataFrame(centre + 0.1 * rng.normal(size=centre.shape), index=ids)


def lived(change_day):
    """Everybody takes a new item of one side each day, and of the other from `change_day` on."""
    rng = np.random.default_rng(1)
    rows = []
    for user in range(N_USERS):
        for side, days in (("l", range(change_day)), ("r", range(change_day, DAYS))):
            items = rng.permutation(PER_SIDE)[: len(days)]
            rows += [(user, f"{side}{i:02d}", d) for i, d in zip(items, days, strict=True)]
    log = pd.DataFrame(rows, columns=["user_id", "item_id", "day"])
    log["timestamp"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(log.pop("day"), unit="D")
    return log.assign(event="like")


def policies(vectors):
    return {
        "frozen": FrozenPolicy(),
        "monthly": ScheduledPolicy(30),
        "drift": DriftPolicy(vectors, again_days=7),
        "online": OnlinePolicy(),
    }


def learner(vectors):
    return lambda log: LiveRecommender(half_life=3.0).fit(log, vectors)


@pytest.fixture(scope="module")
def changed(catalogue):
    options = {"start": START, "measure_from": "2026-02-15", "step_days": 3}
    return compare_refits(lived(30), learner(catalogue), policies(catalogue), **options)


@pytest.mark.rows("Q05")
def test_after_a_change_whoever_learns_gains(changed):
    table = changed.table
    assert table.index.tolist() == ["frozen", "monthly", "drift", "online"]
    assert table.loc["frozen", ["gain", "ci_low", "ci_high"]].tolist() == [0, 0, 0]
    assert table.loc["frozen", "ndcg"] < 0.02
    assert (table["ci_low"].drop("frozen") > 0).all()
    assert (table["n_users"] == N_USERS).all()


def test_what_each_policy_costs(changed):
    refits = changed.table["refits"]
    assert refits.to_dict() == {"frozen": 0, "monthly": 1, "drift": refits["drift"], "online": 0}
    assert 2 <= refits["drift"] <= 3
    assert (changed.table["seconds"] > 0).all()


def test_a_single_fit_at_the_alarm_learns_too_little(catalogue):
    both = {
        "once": DriftPolicy(catalogue, again_days=0),
        "again": DriftPolicy(catalogue, again_days=7),
    }
    found = compare_refits(
        lived(30), learner(catalogue), both, start="2026-01-27", step_days=1
    ).table
    assert found["refits"].tolist() == [1, 2]
    assert found.loc["again", "ci_low"] > 0


def test_where_nothing_changes_drift_learns_nothing_anew(catalogue):
    found = compare_refits(lived(60), learner(catalogue), policies(catalogue), start=START)
    assert found.table.loc["drift", "refits"] == 0
    assert found.steps["measured"].all()


def test_following_equals_learning_everything_before_each_step(catalogue):
    options = {"start": START, "step_days": 5}
    both = {"each step": ScheduledPolicy(5), "online": OnlinePolicy()}
    found = compare_refits(lived(30), learner(catalogue), both, **options)
    by_policy = found.steps.pivot_table(index=["step", "user_id"], columns="policy", values="ndcg")
    pd.testing.assert_series_equal(
        by_policy["each step"], by_policy["online"], check_names=False, atol=1e-12
    )
    assert found.table["refits"].tolist() == [9, 0]


def test_a_recommender_follows_by_sessions(catalogue):
    asked = {"frozen": [], "online": []}

    class Spy(EaseRecommender):
        def recommend(self, user_ids=None, k=10, *, session=None, **options):
            asked[name].append(0 if session is None else len(session))
            return super().recommend(user_ids, k, session=session, **options)

    def learn(log):
        return Spy(50.0).fit(log, pd.DataFrame({"item_id": catalogue.index}))

    for name, policy in (("frozen", FrozenPolicy()), ("online", OnlinePolicy(ScheduledPolicy(20)))):
        found = compare_refits(lived(30), learn, {name: policy}, start=START, step_days=10)
        assert found.table["refits"].tolist() == [2 * (name == "online")]
    daily = N_USERS * 10
    assert asked == {"frozen": [0] * 5, "online": [0, daily, 0, daily, 0]}


def test_a_list_never_holds_what_the_user_did_before(catalogue):
    asked = []

    class Spy(LiveRecommender):
        def recommend(self, user_ids=None, k=10, **options):
            asked.append(k)
            return super().recommend(user_ids, k, **options)

    def learn(log):
        return Spy(half_life=3.0).fit(log, catalogue)

    compare_refits(lived(30), learn, {"frozen": FrozenPolicy()}, start=START, step_days=10, k=5)
    assert asked == [5, 15, 25, 35, 45]


def test_a_policy_begins_each_replay_without_a_memory(catalogue):
    options = {"start": "2026-01-27", "step_days": 1}
    both = {"frozen": FrozenPolicy(), "drift": OnlinePolicy(DriftPolicy(catalogue, again_days=40))}
    one, other = (compare_refits(lived(30), learner(catalogue), both, **options) for _ in "12")
    assert one.table["refits"].tolist() == other.table["refits"].tolist() == [0, 1]
    pd.testing.assert_frame_equal(one.steps, other.steps)

    class Once(FrozenPolicy):
        asked = False

        def due(self, new, now):
            first, self.asked = not self.asked, True
            return first

    once = {"once": Once()}
    for _ in range(2):
        found = compare_refits(lived(30), learner(catalogue), once, **options)
        assert found.table["refits"].tolist() == [1]


def test_a_policy_is_told_of_each_event_once(catalogue):
    told = []

    class Spy(ScheduledPolicy):
        def due(self, new, now):
            told.append(new)
            return super().due(new, now)

    log = lived(30)
    options = {"start": START, "step_days": 5}
    found = compare_refits(log, learner(catalogue), {"spy": Spy(15)}, **options)
    assert found.table["refits"].tolist() == [3]
    days = pd.concat(told)["timestamp"].value_counts()
    assert days.index.min() == pd.Timestamp(START, tz="UTC")
    assert (days == N_USERS).all()


def test_row_order_decides_nothing(catalogue):
    one, other = (
        compare_refits(log, learner(catalogue), policies(catalogue), start=START, step_days=7)
        for log in (lived(30), lived(30).sample(frac=1, random_state=0))
    )
    pd.testing.assert_frame_equal(one.steps, other.steps)


def test_of_several_events_of_one_moment_row_order_decides_nothing(catalogue):
    log = lived(30)
    seen = log[log["timestamp"] >= "2026-02-01"].assign(event="impression")
    ways = [pd.concat(parts) for parts in ([log, seen], [seen, log])]
    one, other = (
        compare_refits(
            way, learner(catalogue), {"online": OnlinePolicy()}, start=START, step_days=7
        )
        for way in ways
    )
    pd.testing.assert_frame_equal(one.steps, other.steps)


def test_only_what_is_liked_and_was_never_met_counts_as_a_hit(catalogue):
    log = lived(30)
    day = pd.Timestamp("2026-02-05")
    later = log[log["timestamp"] == day]
    met, disliked = later["user_id"] == 0, later["user_id"] == 1
    early = later[met].assign(timestamp=pd.Timestamp("2026-01-02"), event="browse")
    bad = log["timestamp"].eq(day) & log["user_id"].eq(1)
    log = pd.concat([log.assign(event=np.where(bad, "impression", log["event"])), early])
    found = compare_refits(log, learner(catalogue), {"f": FrozenPolicy()}, start=day, step_days=1)
    first = found.steps[found.steps["step"] == day.tz_localize("UTC")]
    assert first["user_id"].tolist() == list(range(2, N_USERS))
    assert disliked.any()


def test_the_table_is_a_mean_over_users_of_the_measured_steps(changed):
    measured = changed.steps[changed.steps["measured"]]
    mean = measured.groupby(["policy", "user_id"])["ndcg"].mean().groupby("policy").mean()
    for name, row in changed.table.iterrows():
        assert row["ndcg"] == pytest.approx(mean[name], rel=1e-12)
        assert row["gain"] == pytest.approx(mean[name] - mean["frozen"], rel=1e-12)
    assert not changed.steps["measured"].all()


def test_steps_may_be_of_any_length(catalogue):
    found = compare_refits(
        lived(30), learner(catalogue), {"frozen": FrozenPolicy()}, start=START, step_days=50 / 7
    )
    steps = found.steps["step"].drop_duplicates()
    assert len(steps) == 7  # the last event is 49 days after the start
    assert steps.diff().dropna().eq(pd.Timedelta(days=50 / 7).floor("us")).all()


def test_gaps_in_the_log_are_steps_without_a_score(catalogue):
    log = lived(30)
    log = log[(log["timestamp"] < "2026-01-15") | (log["timestamp"] > "2026-02-20")]
    found = compare_refits(log, learner(catalogue), policies(catalogue), start=START, step_days=3)
    steps = found.steps["step"].drop_duplicates()
    assert not steps.between("2026-01-20", "2026-02-10").any()


def test_bad_input_is_named(catalogue):
    log, learn = lived(30), learner(catalogue)
    for options, message in [
        ({"start": "2020-01-01"}, "no events before start"),
        ({"start": "2030-01-01"}, "nobody turns to anything new"),
        ({"start": START, "measure_from": "2030-01-01"}, "nobody turns to anything new"),
        ({"start": START, "step_days": 0}, "step_days must be a finite number above 0"),
        ({"start": START, "step_days": 1e-15}, "step_days is too short"),
        ({"start": START, "k": 0}, "k must be at least 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            compare_refits(log, learn, {"frozen": FrozenPolicy()}, **options)
    with pytest.raises(ValueError, match="at least one"):
        compare_refits(log, learn, {}, start=START)
    with pytest.raises(ValueError, match="days must be a finite number"):
        ScheduledPolicy(-1)
