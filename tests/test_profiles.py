from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.checks import SchemaError
from recsys_interest.event_weights import COUNTED_KINDS, EVENT_WEIGHTS
from recsys_interest.profiles import InterestProfiler
from recsys_interest.vectors import check_vectors

VECTORS = pd.DataFrame([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], index=["a", "b", "blank"])
DAY = pd.Timestamp("2026-01-01")


def log(rows):
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "event", "day", "value"])
    table["timestamp"] = DAY + pd.to_timedelta(table["day"], unit="D")
    return table.drop(columns="day")


def by_hand(events, half_life=None):
    """The formula, one event at a time."""
    sums, weights = {}, {}
    newest = events["timestamp"].max()
    for row in events.itertuples():
        strength = EVENT_WEIGHTS[row.event]
        if row.event == "rate":
            strength *= (row.value - 3) / 2
        if row.event in COUNTED_KINDS:
            strength *= np.log2(1 + row.value)
        age = (newest - row.timestamp).total_seconds() / 86_400
        weight = max(strength, 0) * (1 if half_life is None else 2 ** (-age / half_life))
        if weight > 0 and VECTORS.loc[row.item_id].any():
            sums[row.user_id] = sums.get(row.user_id, 0) + weight * VECTORS.loc[row.item_id]
            weights[row.user_id] = weights.get(row.user_id, 0) + weight
    return pd.DataFrame({u: sums[u] / weights[u] for u in sorted(sums)}).T


EVENTS = st.lists(
    st.tuples(
        st.integers(1, 4),
        st.sampled_from(["a", "b", "blank"]),
        st.sampled_from(["browse", "like", "impression", "return", "rate"]),
        st.integers(0, 30),
        st.sampled_from([1.0, 3.0, 4.5, 5.0]),
    ),
    min_size=1,
    max_size=25,
)


@pytest.mark.rows("F14")
@settings(deadline=None, max_examples=50)
@given(rows=EVENTS, half_life=st.sampled_from([None, 1.0, 7.0]))
def test_profiles_equal_the_formula(rows, half_life):
    events = log(rows)
    found = InterestProfiler(half_life=half_life).fit(events, VECTORS)
    expected = by_hand(events, half_life)
    assert found.profiles_.index.tolist() == sorted(events["user_id"].unique())
    assert found.users_.index.equals(found.profiles_.index)
    known = found.users_["has_profile"]
    assert found.profiles_.index[known].tolist() == expected.index.tolist()
    if len(expected):
        np.testing.assert_allclose(found.profiles_[known], expected, atol=1e-6)
    assert not found.profiles_[~known].any(axis=None)
    assert found.users_["n_events"].sum() == len(events)


@settings(deadline=None, max_examples=25)
@given(rows=EVENTS, seed=st.integers(0, 9))
def test_row_order_changes_no_bit(rows, seed):
    events = log(rows)
    mixed = events.sample(frac=1, random_state=seed)
    one = InterestProfiler(half_life=3.0).fit(events, VECTORS).profiles_
    other = InterestProfiler(half_life=3.0).fit(mixed, VECTORS.iloc[::-1]).profiles_
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_long_histories_do_not_dominate():
    once = log([(1, "a", "like", 0, None)])
    often = log([(1, "a", "like", day, None) for day in range(100)])
    for events in (once, often):
        found = InterestProfiler().fit(events, VECTORS).profiles_.loc[1].tolist()
        assert found == [1.0, 0.0]


def test_a_half_life_halves():
    events = log([(1, "a", "like", 0, None), (1, "b", "like", 10, None)])
    found = InterestProfiler(half_life=10).fit(events, VECTORS)
    np.testing.assert_allclose(found.profiles_.loc[1], [1 / 3, 2 / 3], atol=1e-6)
    np.testing.assert_allclose(found.users_.loc[1, "weight"], 1.5 * EVENT_WEIGHTS["like"])


def test_an_old_user_keeps_a_profile_where_weights_underflow():
    events = log([(1, "a", "like", 0, None), (2, "b", "like", 5000, None)])
    found = InterestProfiler(half_life=1.0).fit(events, VECTORS).profiles_
    assert found.loc[1].tolist() == [1.0, 0.0]


def test_the_reference_time_scales_weights_but_no_profile():
    events = log([(1, "a", "like", 0, None), (1, "b", "browse", 3, None)])
    now = InterestProfiler(half_life=2.0).fit(events, VECTORS)
    later = InterestProfiler(half_life=2.0, reference_time=DAY + pd.Timedelta(days=5))
    later.fit(events, VECTORS)
    pd.testing.assert_frame_equal(now.profiles_, later.profiles_)
    np.testing.assert_allclose(later.users_["weight"], now.users_["weight"] / 2)


def test_transform_serves_new_users_and_empty_logs():
    events = log([(1, "a", "like", 0, None)])
    profiler = InterestProfiler().fit(events, VECTORS)
    fresh = profiler.transform(log([(9, "b", "like", 0, None)]))
    assert fresh.loc[9].tolist() == [0.0, 1.0]
    assert profiler.transform(events.iloc[:0]).shape == (0, 2)


def test_items_without_a_vector_are_passed_over():
    events = log([(1, "a", "like", 0, None), (1, "new", "like", 0, None)])
    assert InterestProfiler().fit(events, VECTORS).profiles_.loc[1].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        ([[1.0]], TypeError, "item_vectors must be a DataFrame indexed by id, got list"),
        (pd.DataFrame({"x": [1, 2]}, index=["a", "a"]), SchemaError, "has duplicates: 'a'"),
        (pd.DataFrame({"x": [np.nan]}, index=["a"]), ValueError, "is not finite for 'a'"),
        (pd.DataFrame({"x": ["one"]}, index=["a"]), ValueError, "item_vectors must be numeric"),
        (pd.DataFrame({"x": [1.0]}, index=[5]), SchemaError, "events.item_id is str"),
    ],
)
def test_wrong_vectors_are_named(vectors, error, message):
    with pytest.raises(error, match=message):
        InterestProfiler().fit(log([(1, "a", "like", 0, None)]), vectors)


@pytest.mark.parametrize("half_life", [0, -1, float("nan")])
def test_a_half_life_is_positive(half_life):
    with pytest.raises(ValueError, match="half_life must be a positive number of days"):
        InterestProfiler(half_life=half_life).fit(log([(1, "a", "like", 0, None)]), VECTORS)


def test_check_vectors_returns_one_block_of_float32():
    vectors = check_vectors(VECTORS.iloc[::-1], "vectors")
    assert vectors.index.tolist() == ["a", "b", "blank"]
    assert vectors.to_numpy().dtype == np.float32


@pytest.mark.parametrize("columns", [[], ["x", "y"]])
def test_without_any_vector_nobody_has_a_profile(columns):
    nothing = pd.DataFrame(index=[], columns=columns, dtype="float32")
    found = InterestProfiler(half_life=2.0).fit(log([(1, "a", "like", 0, None)]), nothing)
    assert found.profiles_.shape == (1, len(columns))
    assert not found.profiles_.any(axis=None)
    assert found.users_["has_profile"].tolist() == [False]


@pytest.mark.parametrize("half_life", ["7", True, pd.Timedelta(days=7), [7]])
def test_a_half_life_is_a_number(half_life):
    with pytest.raises(TypeError, match="half_life must be a number of days or None"):
        InterestProfiler(half_life=half_life).fit(log([(1, "a", "like", 0, None)]), VECTORS)


@pytest.mark.parametrize("values", [[DAY], [DAY - DAY], [1j], ["1"]])
def test_check_vectors_takes_real_numbers_only(values):
    with pytest.raises(ValueError, match="vectors must be numeric, its columns have the types"):
        check_vectors(pd.DataFrame({"x": values}), "vectors")
