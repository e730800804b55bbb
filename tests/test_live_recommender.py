"""Lists that follow every event: equal to a refit, bounded, restartable, forgetful on demand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from recsys_interest.checks import SchemaError
from recsys_interest.durable_stream import DurableStream
from recsys_interest.live_recommender import LiveRecommender
from recsys_interest.profiles import InterestProfiler
from recsys_interest.recommend import CosineRecommender

from .test_profile_streams import batches
from .test_profiles import EVENTS, VECTORS, log

LIKES = [(1, "a", "like", 0, None), (2, "b", "like", 1, None), (1, "b", "browse", 2, None)]


def live(events=None, vectors=VECTORS, **options):
    return LiveRecommender(**options).fit(events, vectors)


@settings(deadline=None, max_examples=50)
@given(
    rows=EVENTS,
    cuts=st.lists(st.integers(0, 30), max_size=6),
    order=st.randoms(use_true_random=False),
    half_life=st.sampled_from([None, 0.01, 3.0, 40.0]),
)
def test_any_order_and_any_batches_give_the_profiles_of_the_batch(rows, cuts, order, half_life):
    events = log(rows)
    parts = batches(events.sample(frac=1, random_state=order.randint(0, 99)), cuts)
    order.shuffle(parts)
    found = live(half_life=half_life)
    for part in parts:
        found.partial_fit(part)
    batch = InterestProfiler(half_life=half_life).fit(events, VECTORS)
    pd.testing.assert_frame_equal(found.profiles_, batch.profiles_, rtol=0, atol=1e-6)
    about = ["n_events", "last_event", "has_profile"]
    pd.testing.assert_frame_equal(found.users_, batch.users_[about])


@pytest.fixture(scope="module")
def wide():
    rng = np.random.default_rng(0)
    vectors = pd.DataFrame(rng.normal(size=(60, 8)), index=[f"i{n:02d}" for n in range(60)])
    n = 900
    events = pd.DataFrame(
        {
            "user_id": rng.integers(1, 40, n),
            "item_id": rng.choice(vectors.index, n),
            "event": rng.choice(["browse", "like", "purchase", "return"], n),
            "timestamp": rng.integers(0, 10**13, n).view("datetime64[us]"),
        }
    )
    return events, vectors


@pytest.mark.rows("U03")
def test_lists_are_those_of_a_cosine_recommender_fitted_now(wide):
    events, vectors = wide
    found = live(vectors=vectors, half_life=20.0)
    for row in events.itertuples(index=False):
        found.observe(row.user_id, row.item_id, row.event, row.timestamp)
    fitted = CosineRecommender(InterestProfiler(half_life=20.0))
    fitted.fit(events, pd.DataFrame({"item_id": vectors.index}), vectors)
    for options in ({"k": 7}, {"k": 100}, {"exclude_seen": False}):
        expected = fitted.recommend(**options)
        lists = found.recommend(**options)
        assert lists["item_id"].tolist() == expected["item_id"].tolist()
        names = ["user_id", "item_id", "rank", "score"]
        pd.testing.assert_frame_equal(lists[names], expected[names], rtol=0, atol=1e-6)
    one = pd.concat([found.recommend([u]) for u in found.users_.index], ignore_index=True)
    pd.testing.assert_frame_equal(one, found.recommend(), rtol=0, atol=1e-6)


def test_the_row_order_of_a_batch_changes_no_bit(wide):
    events, vectors = wide
    tight = {"max_users": 10, "max_seen": 3, "half_life": 5.0}
    one = live(events, vectors, **tight)
    other = live(events.sample(frac=1, random_state=0), vectors, **tight)
    assert one.n_evicted_ == other.n_evicted_ > 0
    pd.testing.assert_frame_equal(one.profiles_, other.profiles_, check_exact=True)
    pd.testing.assert_frame_equal(one.recommend(), other.recommend(), check_exact=True)


def test_items_with_one_vector_are_ranked_by_their_ids():
    # The last bits of a product of matrices depend on how many users are asked for.
    rng = np.random.default_rng(0)
    ids = [f"i{n:03d}" for n in range(203)]
    vectors = pd.DataFrame(rng.normal(size=(40, 384))[rng.integers(0, 40, 203)], index=ids)
    rows = {"user_id": rng.integers(1, 20, 200), "item_id": rng.choice(ids, 200), "event": "like"}
    stamps = rng.integers(0, 10**13, 200).view("datetime64[us]")
    events = pd.DataFrame({**rows, "timestamp": stamps})
    found = live(events, vectors, half_life=20.0)
    lists = found.recommend()
    one = pd.concat([found.recommend([u]) for u in found.users_.index], ignore_index=True)
    pd.testing.assert_frame_equal(one, lists, check_exact=True)
    ties = lists[lists["score"] == lists.groupby("user_id")["score"].shift()]
    assert (ties["item_id"] > lists["item_id"].shift()[ties.index]).all()
    assert len(ties) > 100


# Strangers, new items, empty batches


def test_who_has_no_profile_gets_what_is_popular_now():
    days = [(1, "a", "like", d, None) for d in range(3)] + [(2, "b", "like", 40, None)]
    assert live(log(days)).recommend([9], 1)["item_id"].tolist() == ["a"]
    fading = live(log(days), half_life=5.0)
    lists = fading.recommend([9, 1], 2)
    assert lists["item_id"].tolist() == ["b", "a", "b"]
    assert lists["source"].tolist() == ["popularity", "popularity", "live"]
    assert lists["rank"].tolist() == [1, 2, 1]


def test_an_item_may_join_later():
    found = live(log(LIKES))
    more = pd.DataFrame([[0.9, 0.1]], index=["B"])
    found.partial_fit(log([]), more)
    assert found.recommend([1], 3)["item_id"].tolist() == ["B"]
    assert found.recommend([2], 1)["item_id"].tolist() == ["B"]  # "b" is still seen
    found.observe(2, "B", "like", "2026-02-01")
    assert found.users_.loc[2, "n_events"] == 2


def test_an_event_on_an_unknown_item_only_counts():
    found = live(log(LIKES)).observe(1, "nowhere", "like", "2026-03-01")
    assert found.users_.loc[1, "n_events"] == 3
    pd.testing.assert_frame_equal(found.profiles_, live(log(LIKES)).profiles_)


def test_nothing_in_nothing_out():
    found = live()
    assert found.partial_fit(log([])).recommend().empty
    assert found.recommend([]).columns.tolist() == live(log(LIKES)).recommend().columns.tolist()
    assert found.profiles_.shape == (0, 2)
    assert found.recommend([1])["source"].tolist() == ["popularity"] * 3
    bare = live(log(LIKES), VECTORS.iloc[:0]).observe(1, "a", "like", "2026-03-01")
    assert bare.users_["n_events"].tolist() == [3, 1]
    assert bare.recommend().empty


def test_popularity_does_not_lose_small_differences():
    events = log([(u, "ab"[u], "rate", 0, 1e9 + u) for u in (0, 1)])
    lists = live(events).recommend([9], 2)
    assert lists["item_id"].tolist() == ["b", "a"]
    large = live(log([(1, "a", "rate", 0, 1e150)]))
    assert large.recommend([9], 1)["score"].gt(1e149).all()


# Bounded memory


def test_the_user_of_longest_ago_makes_room():
    found = live(max_users=2)
    for user, day in ((1, "2026-01-01"), (2, "2026-01-02"), (1, "2026-01-03"), (3, "2026-01-04")):
        found.observe(user, "a", "like", day)
    assert found.users_.index.tolist() == [1, 3]
    assert found.n_evicted_ == 1
    assert found.observe(2, "b", "like", "2026-01-05").users_.loc[2, "n_events"] == 1


def test_memory_does_not_grow_with_the_stream(wide):
    events, vectors = wide
    found = live(vectors=vectors, max_users=16, max_seen=2)
    for _ in range(3):
        found.partial_fit(events)
        state = found.get_state()
        assert len(state["users"]) == 16
        assert state["seen"].groupby("user_id").size().max() == 2
        assert found._live.sums.shape == (16, 8)


def test_a_state_may_go_on_with_room_for_fewer(wide):
    events, vectors = wide
    big = live(events, vectors)
    small = LiveRecommender(max_users=7, max_seen=2).set_state(big.get_state())
    last = big.users_["last_event"].nlargest(7).index.sort_values()
    pd.testing.assert_frame_equal(small.users_, big.users_.loc[last])
    pd.testing.assert_frame_equal(small.profiles_, big.profiles_.loc[last], check_exact=True)
    assert small.n_evicted_ == len(big.users_) - 7
    assert small._live.sums.shape == (7, 8)
    known = big.get_state()["seen"].merge(small.get_state()["seen"])
    assert len(known) == 14
    assert (known.groupby("user_id").size() == 2).all()


# Restart, forgetting


def test_a_restart_changes_no_bit(wide, tmp_path):
    events, vectors = wide
    options = {"max_users": 25, "max_seen": 4, "half_life": 9.0}
    start = live(vectors=vectors, **options)
    with DurableStream(start, tmp_path / "s", save_every=200, sync=False) as stream:
        for part in batches(events, [100, 350, 420, 800]):
            stream.append(part)
    again = live(vectors=vectors, **options)
    with DurableStream(again, tmp_path / "s", sync=False) as stream:
        stream.append(events)
    for name, table in start.get_state().items():
        pd.testing.assert_frame_equal(again.get_state()[name], table, check_exact=True)
    pd.testing.assert_frame_equal(again.recommend(), start.recommend(), check_exact=True)
    other = live(vectors=vectors, half_life=1.0)
    with pytest.raises(ValueError, match=r"made with half_life=9\.0, now it is 1\.0"):
        other.set_state(start.get_state())
    with pytest.raises(SchemaError, match="state lacks 'sums'"):
        other.set_state({k: v for k, v in start.get_state().items() if k != "sums"})


def test_a_forgotten_user_is_a_stranger():
    found = live(log(LIKES)).forget([1, 99])
    assert found.users_.index.tolist() == [2]
    assert found.recommend([1], 1)["source"].tolist() == ["popularity"]
    found.observe(1, "b", "like", "2026-05-01")
    assert found.profiles_.loc[1].tolist() == [0.0, 1.0]


# Bad input


def test_bad_input_is_named_and_changes_nothing():
    found = live(log(LIKES))
    before = found.get_state()
    moment = "2026-05-01"
    with pytest.raises(SchemaError, match="user_id is str, the earlier user_id is int64"):
        found.observe("ann", "a", "like", moment)
    with pytest.raises(SchemaError, match="item_id is int64, the earlier item_id is str"):
        found.observe(1, 7, "like", moment)
    with pytest.raises(SchemaError, match="item_id is missing"):
        found.observe(1, None, "like", moment)
    with pytest.raises(SchemaError, match="kinds without a weight: 'wave'"):
        found.observe(1, "a", "wave", moment)
    with pytest.raises(TypeError, match="timestamp must be a datetime"):
        found.observe(1, "a", "like")
    with pytest.raises(SchemaError, match=r"events\.user_id is str"):
        found.partial_fit(log([("ann", "a", "like", 0, None)]))
    with pytest.raises(ValueError, match="item_vectors is not finite for 'c'"):
        found.partial_fit(log(LIKES), pd.DataFrame([[np.nan, 1]], index=["c"]))
    with pytest.raises(TypeError, match="must be several ids"):
        found.recommend("ann")
    with pytest.raises(ValueError, match="k must be at least 1"):
        found.recommend(k=0)
    for ids in ("abc", ["1"], [1, "a"], [np.nan], 5, {1: 2}):
        for method in (found.forget, found.recommend):
            with pytest.raises((TypeError, SchemaError), match="user_ids"):
                method(ids)
    for value in (np.inf, -np.inf, "many"):
        with pytest.raises(SchemaError, match=r"events\.value holds what is not a finite number"):
            found.observe(1, "a", "rate", moment, value)
    with pytest.raises(SchemaError, match="too large to be weighed"):
        found.observe(1, "a", "rate", moment, 1e300)
    for user in (" ", 10**30):
        with pytest.raises(SchemaError, match="user_id"):
            found.observe(user, "a", "like", moment)
    with pytest.raises(TypeError, match="item_vectors must be a DataFrame"):
        found.partial_fit(log(LIKES), {"c": [1, 2]})
    with pytest.raises(TypeError, match="exclude_seen must be True or False"):
        found.recommend([1], exclude_seen="no")
    for name, table in found.get_state().items():
        pd.testing.assert_frame_equal(table, before[name])


def test_parameters_are_checked_in_fit():
    for options, message in [
        ({"max_users": 0}, "max_users must be at least 1"),
        ({"max_seen": 0}, "max_seen must be at least 1"),
        ({"half_life": -1}, "half_life must be a positive number"),
    ]:
        with pytest.raises(ValueError, match=message):
            clone(LiveRecommender(**options)).fit(None, VECTORS)
    with pytest.raises(NotFittedError):
        LiveRecommender().recommend([1])
    with pytest.raises(TypeError, match="the first partial_fit needs it"):
        LiveRecommender().partial_fit(log(LIKES))
    with pytest.raises(ValueError, match="not finite"):
        live(vectors=VECTORS * np.inf)
