from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.checks import SchemaError
from recsys_interest.profiles import InterestProfiler
from recsys_interest.sessions import blend_profiles, last_session, session_numbers
from recsys_interest.vectors import unit_rows

VECTORS = pd.DataFrame([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]], index=["tent", "novel", "map"])


def log(rows):
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "minute"])
    table["timestamp"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(table["minute"], unit="min")
    return table.drop(columns="minute")


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(st.tuples(st.integers(1, 3), st.just("tent"), st.integers(0, 200)), min_size=1),
    gap=st.sampled_from([0.0, 10.0, 30.0]),
)
def test_sessions_equal_the_definition(rows, gap):
    events = log(rows)
    found = session_numbers(events, gap)
    for _, mine in events.groupby("user_id"):
        number, before = 0, None
        for place, row in mine.sort_values("timestamp", kind="stable").iterrows():
            if before is not None and (row["timestamp"] - before).total_seconds() > 60 * gap:
                number += 1
            assert found[place] == number
            before = row["timestamp"]


def test_the_last_session_ends_at_the_gap():
    events = log([(1, "map", 100), (2, "tent", 0), (1, "tent", 0), (1, "novel", 70)])
    events.index = list("abcd")
    assert last_session(events, gap=30).index.tolist() == ["a", "b", "d"]
    assert last_session(events, gap=29).index.tolist() == ["a", "b"]
    assert last_session(events, gap=1e6).index.tolist() == list("abcd")
    assert last_session(events.iloc[:0]).empty


@pytest.mark.rows("R03")
def test_another_session_gives_another_list():
    past = log([(1, "tent", 0), (1, "tent", 1000), (1, "map", 2000)])
    profiler = InterestProfiler().fit(past, VECTORS)
    best = {}
    for item in ("tent", "novel"):
        session = profiler.transform(log([(1, item, 5000)]))
        now = blend_profiles(profiler.profiles_, session, alpha=0.9)
        best[item] = (VECTORS @ now.loc[1].to_numpy()).idxmax()
    assert best == {"tent": "tent", "novel": "novel"}


def test_zero_and_one_are_the_ends():
    usual = pd.DataFrame([[3.0, 4.0], [1.0, 0.0]], index=["ann", "ben"])
    now = pd.DataFrame([[0.0, 9.0], [5.0, 5.0]], index=["ann", "ben"])
    for alpha, end in ((0, usual), (1, now)):
        found = blend_profiles(usual, now, alpha)
        np.testing.assert_allclose(found, unit_rows(end.to_numpy()), atol=1e-7)
    middle = blend_profiles(usual, now, 0.5)
    np.testing.assert_allclose(middle.loc["ann"], [0.3, 0.9], atol=1e-7)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_who_has_one_profile_keeps_it(alpha):
    usual = pd.DataFrame([[0.0, 0.0], [2.0, 0.0]], index=["new", "away"])
    now = pd.DataFrame([[0.0, 2.0]], index=["new"])
    found = blend_profiles(usual, now, alpha)
    assert found.loc["new"].tolist() == [0.0, 1.0]
    assert found.loc["away"].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("alpha", "error", "message"),
    [
        (1.5, ValueError, "alpha must lie between 0"),
        (float("nan"), ValueError, "alpha must lie between 0"),
        ("half", TypeError, "alpha must be a number"),
    ],
)
def test_alpha_is_a_share(alpha, error, message):
    with pytest.raises(error, match=message):
        blend_profiles(VECTORS, VECTORS, alpha)


def test_blending_wants_tables_that_fit():
    with pytest.raises(ValueError, match="have different columns"):
        blend_profiles(VECTORS, VECTORS.rename(columns={0: "x"}))
    with pytest.raises(SchemaError, match="long_term is str, session is int64"):
        blend_profiles(VECTORS, VECTORS.set_axis([1, 2, 3]))


@pytest.mark.parametrize(
    ("gap", "error"), [(-1, ValueError), (np.inf, ValueError), ("30min", TypeError)]
)
def test_a_gap_is_minutes(gap, error):
    with pytest.raises(error, match=r"gap must be a (finite )?number of minutes"):
        session_numbers(log([(1, "tent", 0)]), gap)
