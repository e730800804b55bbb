"""Cutting a log into windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys_interest import InterestProfiler, make_interest_log
from recsys_interest.checks import SchemaError
from recsys_interest.event_ids import drop_replays
from recsys_interest.windows import window_profiles


@pytest.fixture(scope="module")
def log():
    return make_interest_log(40, 30)


@pytest.fixture(scope="module")
def vectors(log):
    rng = np.random.default_rng(0)
    return pd.DataFrame(rng.normal(size=(len(log.items), 4)), index=log.items["item_id"])


def test_each_window_is_profiled_by_itself(log, vectors):
    found = window_profiles(log.events, vectors, "MS")
    march = pd.Timestamp("2026-03-01", tz="UTC")
    inside = log.events[log.events["timestamp"].dt.month == 3]
    expected = InterestProfiler().fit(inside, vectors).profiles_
    pd.testing.assert_frame_equal(found.loc[march], expected)
    assert found.index.names == ["window", "user_id"]
    assert len(found.index.get_level_values("window").unique()) == 6


def test_with_memory_the_past_fades_by_the_half_life(log, vectors):
    profiler = InterestProfiler(half_life=30)
    found = window_profiles(log.events, vectors, "MS", profiler=profiler, memory=True)
    until = log.events[log.events["timestamp"] < "2026-04-01"]
    expected = InterestProfiler(half_life=30).fit(until, vectors).profiles_
    march = found.loc[pd.Timestamp("2026-03-01", tz="UTC")]
    np.testing.assert_allclose(march, expected.loc[march.index], atol=1e-6)
    assert not hasattr(profiler, "_parts")  # what was handed in stays unfitted


def test_a_clock_that_goes_backwards_changes_nothing(log, vectors):
    backwards = log.events.iloc[::-1]
    pd.testing.assert_frame_equal(
        window_profiles(log.events, vectors, "30D"), window_profiles(backwards, vectors, "30D")
    )


def test_a_replayed_event_counts_once(log, vectors):
    numbered = log.events.assign(event_id=np.arange(len(log.events)))
    again = pd.concat([numbered, numbered.iloc[:50]])
    pd.testing.assert_frame_equal(
        window_profiles(log.events, vectors, "MS"), window_profiles(again, vectors, "MS")
    )
    assert len(drop_replays(again)) == len(log.events)
    assert drop_replays(log.events) is log.events


def test_one_id_for_two_events_is_an_error(log, vectors):
    same = log.events.assign(event_id=7)
    with pytest.raises(SchemaError, match="event_id 7 stands for different events"):
        window_profiles(same, vectors, "MS")
    with pytest.raises(SchemaError, match="event_id is missing"):
        window_profiles(log.events.assign(event_id=None), vectors, "MS")


def test_a_window_without_events_has_no_rows(log, vectors):
    gap = log.events[log.events["timestamp"].dt.month != 3]
    months = window_profiles(gap, vectors, "MS").index.get_level_values("window").unique()
    assert months.month.tolist() == [1, 2, 4, 5, 6]


def test_windows_of_days_can_be_counted_from_a_fixed_moment(log, vectors):
    late = log.events[log.events["timestamp"] >= "2026-01-06"]
    fixed = window_profiles(late, vectors, "30D", origin=pd.Timestamp("2026-01-01", tz="UTC"))
    assert fixed.index[0][0] == pd.Timestamp("2026-01-01", tz="UTC")


def test_months_are_those_of_the_calendar_by_whatever_end_they_are_called(log, vectors):
    start, end = (window_profiles(log.events, vectors, every) for every in ("MS", "ME"))
    assert start.index[0][0] == pd.Timestamp("2026-01-01", tz="UTC")
    assert end.index[0][0] == pd.Timestamp("2026-01-31", tz="UTC")
    np.testing.assert_array_equal(start, end)


def test_a_window_is_of_utc_whatever_the_zone(log, vectors):
    there = log.events.assign(timestamp=log.events["timestamp"].dt.tz_convert("Asia/Tokyo"))
    naive = log.events.assign(timestamp=log.events["timestamp"].dt.tz_localize(None))
    expected = window_profiles(log.events, vectors, "MS")
    for events in (there, naive):
        pd.testing.assert_frame_equal(window_profiles(events, vectors, "MS"), expected)


def test_bad_input_is_named(log, vectors):
    for every in ("whenever", 30, None, "0D", "-7D"):
        with pytest.raises(ValueError, match="every is no frequency of pandas"):
            window_profiles(log.events, vectors, every)
    with pytest.raises(ValueError, match="no events"):
        window_profiles(log.events[:0], vectors, "MS")
    with pytest.raises(TypeError, match="profiler must be an InterestProfiler"):
        from sklearn.cluster import KMeans

        window_profiles(log.events, vectors, "MS", profiler=KMeans())
    with pytest.raises(TypeError, match="profiler must be an InterestProfiler"):
        window_profiles(log.events, vectors, "MS", profiler=InterestProfiler)
