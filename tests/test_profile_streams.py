"""Profiles from micro-batches, their weights, their parts, and their state on disk."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfTransformer

from recsys_interest.checks import SchemaError
from recsys_interest.means import FEW_TERMS
from recsys_interest.profiles import InterestProfiler
from recsys_interest.storage import load_folder, save_folder
from recsys_interest.vectors import check_vectors

from .test_profiles import DAY, EVENTS, VECTORS, log


def batches(events, cuts):
    edges = sorted({0, len(events), *(c % (len(events) + 1) for c in cuts)})
    return [events.iloc[a:b] for a, b in pairwise(edges)]


def streamed(profiler, parts, vectors=VECTORS):
    for part in parts:
        profiler.partial_fit(part, vectors if part is parts[0] else None)
    return profiler


IDFS = st.sampled_from([False, True, {"a": 0.5, "b": 2.0}])


@settings(deadline=None, max_examples=50)
@given(
    rows=EVENTS,
    cuts=st.lists(st.integers(0, 30), max_size=6),
    order=st.randoms(use_true_random=False),
    half_life=st.sampled_from([None, 0.01, 1.0, 40.0]),
    idf=IDFS,
    weigh=st.booleans(),
)
def test_any_stream_in_any_order_equals_the_batch(rows, cuts, order, half_life, idf, weigh):
    events = log(rows).sample(frac=1, random_state=order.randint(0, 99))
    parts = batches(events, cuts)
    order.shuffle(parts)
    settings_ = {"half_life": half_life, "idf": idf, "weigh_events": weigh}
    batch = InterestProfiler(**settings_).fit(events, VECTORS)
    stream = streamed(InterestProfiler(**settings_), parts)
    pd.testing.assert_frame_equal(stream.profiles_, batch.profiles_, rtol=0, atol=1e-6)
    pd.testing.assert_frame_equal(stream.users_, batch.users_, rtol=1e-9, atol=1e-12)
    pd.testing.assert_series_equal(stream.idf_, batch.idf_)
    users = batch.profiles_.index
    pd.testing.assert_frame_equal(stream.lookup(users), batch.profiles_, rtol=0, atol=1e-6)


def test_profiles_can_be_asked_for_between_batches():
    events = log([(1, "a", "like", day, None) for day in range(20)] + [(2, "b", "like", 0, None)])
    stream = InterestProfiler(half_life=5.0)
    for place in np.random.default_rng(0).permutation(len(events)):
        seen = stream.partial_fit(events.iloc[[place]], VECTORS).profiles_
    batch = InterestProfiler(half_life=5.0).fit(events, VECTORS)
    pd.testing.assert_frame_equal(seen, batch.profiles_, atol=1e-6)


def test_years_of_late_events_neither_vanish_nor_overflow():
    # A half-life of a minute over 40 years: weights span 10 to the power of six million.
    days = [0, 14_600, 14_600 - 1 / 1440, 7_000]
    items = ["b", "a", "b", "b"]
    events = log([(1, item, "like", day, None) for item, day in zip(items, days, strict=True)])
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2]):
        parts = [events.iloc[[place]] for place in order]
        found = streamed(InterestProfiler(half_life=1 / 1440), parts)
        np.testing.assert_allclose(found.profiles_.loc[1], [2 / 3, 1 / 3], atol=1e-6)
        np.testing.assert_allclose(found.users_.loc[1, "weight"], 4.5)


def test_a_user_whose_newest_items_have_no_vector_keeps_a_profile():
    events = log([(1, "a", "like", 0, None), (1, "new", "like", 9_000, None)])
    assert InterestProfiler(half_life=1.0).fit(events, VECTORS).profiles_.loc[1].tolist() == [1, 0]


def test_an_item_may_get_its_vector_after_its_events():
    events = log([(1, "a", "like", 0, None), (1, "late", "like", 1, None)])
    stream = InterestProfiler().partial_fit(events, VECTORS)
    assert stream.profiles_.loc[1].tolist() == [1.0, 0.0]
    late = pd.DataFrame([[0.0, 1.0]], index=["late"])
    stream.partial_fit(events.iloc[:0], late)
    assert stream.profiles_.loc[1].tolist() == [0.5, 0.5]
    assert stream.item_vectors_.index.tolist() == ["a", "b", "blank", "late"]


def test_an_event_without_effect_gives_a_row_and_a_flag():
    rows = [(1, "a", "like", 0, None), (2, "a", "impression", 0, None), (3, "blank", "like", 0, 0)]
    found = InterestProfiler().fit(log(rows), VECTORS)
    assert found.users_["has_profile"].tolist() == [True, False, False]
    assert found.profiles_.loc[[2, 3]].to_numpy().tolist() == [[0, 0], [0, 0]]
    assert found.users_["weight"].tolist()[1:] == [0.0, 0.0]


# The factors


def test_counted_idf_is_scikit_learns():
    rows = [(u, item, "like", 0, None) for u in (1, 2, 3) for item in "ab"[: 1 + (u == 1)]]
    found = InterestProfiler(idf=True).fit(log(rows), VECTORS)
    counts = np.array([[1, 1], [1, 0], [1, 0]])
    np.testing.assert_allclose(found.idf_, TfidfTransformer(norm=None).fit(counts).idf_)
    expected = found.idf_ / found.idf_.sum()
    np.testing.assert_allclose(found.profiles_.loc[1], expected, atol=1e-6)


def test_each_factor_can_be_switched_off():
    rows = [(1, "a", "like", 0, None), (1, "b", "browse", 10, None), (2, "a", "browse", 0, None)]
    weights = {}
    for name, options in {
        "none": {"weigh_events": False},
        "strength": {},
        "age": {"weigh_events": False, "half_life": 10.0},
        "idf": {"weigh_events": False, "idf": {"a": 1.0, "b": 4.0}},
    }.items():
        weights[name] = InterestProfiler(**options).fit(log(rows), VECTORS).profiles_.loc[1, 0]
    expected = {"none": 1 / 2, "strength": 3 / 4, "age": 1 / 3, "idf": 1 / 5}
    assert weights == pytest.approx(expected, abs=1e-6)


def test_a_new_item_is_as_rare_as_the_rarest_known():
    events = log([(1, "a", "like", 0, None), (1, "b", "like", 0, None)])
    fixed = InterestProfiler(idf=pd.Series({"a": 1.0, "other": 3.0})).fit(events, VECTORS)
    assert fixed.profiles_.loc[1].tolist() == [0.25, 0.75]
    counted = InterestProfiler(idf=True).fit(events.head(1), VECTORS)
    both = counted.transform(events).loc[1]
    np.testing.assert_allclose(both[1] / both[0], 1 + np.log(2), atol=1e-6)


def test_an_idf_of_zero_silences_an_item():
    events = log([(1, "a", "like", 0, None), (1, "b", "like", 0, None), (2, "a", "like", 0, None)])
    found = InterestProfiler(idf={"a": 0.0, "b": 1.0}).fit(events, VECTORS)
    assert found.profiles_.loc[1].tolist() == [0.0, 1.0]
    assert found.users_["has_profile"].tolist() == [True, False]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"idf": "yes"}, TypeError, "idf must be True, False or a mapping"),
        ({"idf": {}}, ValueError, "idf must hold numbers"),
        ({"idf": {"a": -1.0}}, ValueError, "idf must hold numbers from 0 to 1e"),
        ({"idf": pd.Series([1, 1], index=["a", "a"])}, ValueError, "several for 'a'"),
        ({"weigh_events": 1}, TypeError, "weigh_events must be True or False, got 1"),
        ({"n_jobs": 0}, ValueError, "n_jobs must be at least 1, got 0"),
        ({"reference_time": 5}, TypeError, "reference_time must be a datetime"),
    ],
)
def test_wrong_parameters_are_named(options, error, message):
    with pytest.raises(error, match=message):
        InterestProfiler(**options).fit(log([(1, "a", "like", 0, None)]), VECTORS)


def test_a_value_too_large_to_be_summed_is_named():
    with pytest.raises(SchemaError, match=r"events\.value is too large to be weighed: 1e\+300"):
        InterestProfiler().fit(log([(1, "a", "rate", 0, 1e300)]), VECTORS)


def test_parameters_set_after_the_fit_do_not_act_on_it():
    events = log([(1, "a", "like", 0, None), (1, "b", "like", 10, None)])
    profiler = InterestProfiler(half_life=10.0).fit(events, VECTORS)
    profiler.set_params(half_life=1.0)
    np.testing.assert_allclose(profiler.profiles_.loc[1], [1 / 3, 2 / 3], atol=1e-6)
    with pytest.raises(ValueError, match=r"summed with half_life=10\.0, now it is 1\.0"):
        profiler.partial_fit(events)


def test_the_first_batch_needs_vectors_and_later_ones_the_same_columns():
    events = log([(1, "a", "like", 0, None)])
    with pytest.raises(TypeError, match="the first partial_fit needs it"):
        InterestProfiler().partial_fit(events)
    profiler = InterestProfiler().fit(events, VECTORS)
    with pytest.raises(ValueError, match="item_vectors has 1 columns"):
        profiler.partial_fit(events, VECTORS[[0]])
    with pytest.raises(SchemaError, match=r"events\.user_id is str, the earlier one is int64"):
        profiler.partial_fit(events.assign(user_id="1"))
    assert profiler.partial_fit(events).users_.loc[1, "n_events"] == 2


# Many users, many items


def test_threads_and_many_terms_change_nothing():
    rng = np.random.default_rng(0)
    n_items = 3 * FEW_TERMS
    vectors = pd.DataFrame(rng.normal(size=(n_items, 5)))
    user = np.append(np.zeros(n_items, dtype=int), rng.integers(1, 6_000, 20_000))
    item = np.append(np.arange(n_items), rng.integers(0, n_items, 20_000))
    events = pd.DataFrame({"user_id": user, "item_id": item, "timestamp": DAY})
    one = InterestProfiler().fit(events, vectors).profiles_
    two = InterestProfiler(n_jobs=2).fit(events.iloc[::-1], vectors).profiles_
    pd.testing.assert_frame_equal(one, two, check_exact=True)
    expected = vectors.loc[item].groupby(user).mean()
    np.testing.assert_allclose(one, expected, atol=1e-6)


# Contributions


@settings(deadline=None, max_examples=40)
@given(rows=EVENTS, half_life=st.sampled_from([None, 3.0]), idf=IDFS)
def test_contributions_make_up_the_profile(rows, half_life, idf):
    events = log(rows)
    profiler = InterestProfiler(half_life=half_life, idf=idf).fit(events, VECTORS)
    known = profiler.users_.index[profiler.users_["has_profile"]]
    for parts in (profiler.contributions(), profiler.contributions(events=events)):
        assert sorted(parts["user_id"].unique()) == known.tolist()
        sums = parts.groupby("user_id")["share"].sum()
        np.testing.assert_allclose(sums, 1.0)
        weighted = VECTORS.loc[parts["item_id"]].mul(parts["share"].to_numpy(), axis=0)
        again = weighted.groupby(parts["user_id"].to_numpy()).sum()
        np.testing.assert_allclose(again, profiler.profiles_.loc[known], atol=1e-6)


def test_contributions_of_single_events():
    rows = [(1, "a", "like", 0, None), (1, "a", "like", 10, None), (1, "b", "browse", 10, None)]
    events = log([*rows, (2, "a", "like", 3, None)]).set_axis(list("wxyz"))
    profiler = InterestProfiler(half_life=10.0).fit(events, VECTORS)
    found = profiler.contributions([1], events)
    assert found.index.tolist() == ["x", "w", "y"]
    np.testing.assert_allclose(found["share"], [3 / 5.5, 1.5 / 5.5, 1 / 5.5])
    assert profiler.contributions([77]).empty
    with pytest.raises(TypeError, match="user_ids must be several ids, got 'ann'"):
        profiler.contributions("ann")


def test_lookup_answers_unknown_users_with_zeros():
    profiler = InterestProfiler().fit(log([(1, "a", "like", 0, None)]), VECTORS)
    found = profiler.lookup([9, 1, 9])
    assert found.index.tolist() == [9, 1, 9]
    assert found.to_numpy().tolist() == [[0, 0], [1, 0], [0, 0]]
    assert profiler.lookup(["somebody"]).to_numpy().tolist() == [[0, 0]]
    assert profiler.lookup([]).shape == (0, 2)


# State


@pytest.fixture
def half_way():
    rows = [(1, "a", "like", 0, None), (2, "b", "like", 5, None), (3, "a", "impression", 1, None)]
    return InterestProfiler(half_life=7.0, idf=True).fit(log(rows), VECTORS)


def test_a_stream_goes_on_after_a_restart(half_way, tmp_path):
    state = half_way.get_state()
    vectors = {"item_vectors": state.pop("item_vectors")}
    save_folder(tmp_path / "state", state, vectors, {})
    tables, vectors, _ = load_folder(tmp_path / "state")
    again = InterestProfiler(half_life=7.0, idf=True).set_state({**tables, **vectors})
    pd.testing.assert_frame_equal(again.profiles_, half_way.profiles_, check_exact=True)
    pd.testing.assert_frame_equal(again.users_, half_way.users_, check_exact=True)
    more = log([(1, "b", "like", 3, None), (4, "a", "rate", 9, 5.0)])
    one, other = (profiler.partial_fit(more).profiles_ for profiler in (again, half_way))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_a_state_of_a_log_without_any_profile_comes_back():
    empty = InterestProfiler().fit(log([(1, "a", "impression", 0, None)]), VECTORS)
    again = InterestProfiler().set_state(empty.get_state())
    pd.testing.assert_frame_equal(again.profiles_, empty.profiles_)


def test_a_state_that_does_not_fit_is_refused(half_way):
    state = half_way.get_state()
    with pytest.raises(ValueError, match=r"made with half_life=7\.0, now it is None"):
        InterestProfiler().set_state(state)
    fitting = InterestProfiler(half_life=7.0)
    with pytest.raises(SchemaError, match="state lacks 'pairs'"):
        fitting.set_state({k: v for k, v in state.items() if k != "pairs"})
    with pytest.raises(SchemaError, match=r"pairs lacks the column\(s\) 'mass'"):
        fitting.set_state({**state, "pairs": state["pairs"].drop(columns="mass")})
    with pytest.raises(SchemaError, match="users and pairs do not fit each other for 1"):
        fitting.set_state({**state, "users": state["users"].iloc[1:]})


def test_vectors_are_checked_once_and_kept_sorted(half_way):
    pd.testing.assert_frame_equal(half_way.item_vectors_, check_vectors(VECTORS, "x"))
