from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import pairwise_distances

from recsys_interest.interests import multi_interest
from recsys_interest.profiles import InterestProfiler
from recsys_interest.vectors import unit_rows

DAY = pd.Timestamp("2026-01-01", tz="UTC")


def log(users_items, days=0):
    table = pd.DataFrame(users_items, columns=["user_id", "item_id"])
    return table.assign(timestamp=DAY + pd.to_timedelta(days, unit="D"))


def random_case(seed, n_items=12, n_users=3, n_events=30):
    rng = np.random.default_rng(seed)
    vectors = pd.DataFrame(rng.normal(size=(n_items, 4)))
    users, items = rng.integers(0, n_users, n_events), rng.integers(0, n_items, n_events)
    return log(np.column_stack([users, items]), rng.integers(0, 50, n_events)), vectors


@pytest.mark.rows("C03")
@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000), distance=st.sampled_from([0.3, 1.0, 1.4, 2.5]))
def test_groups_are_scikit_learns_and_medoids_are_the_definition(seed, distance):
    events, vectors = random_case(seed)
    profiler = InterestProfiler(half_life=20.0).fit(events, vectors)
    found = multi_interest(profiler, distance=distance)
    for user, mine in found.groupby("user_id"):
        parts = profiler.contributions([user]).set_index("item_id")["share"].sort_index()
        unit = unit_rows(vectors.loc[parts.index].to_numpy())
        model = AgglomerativeClustering(None, linkage="ward", distance_threshold=distance)
        labels = model.fit_predict(unit) if len(unit) > 1 else np.zeros(1, dtype=int)
        expected = set()
        for label in np.unique(labels):
            members = np.flatnonzero(labels == label)
            costs = np.square(pairwise_distances(unit[members])).sum(axis=0)
            tied = members[costs <= costs.min() + 1e-9]
            medoid = tied[np.argmax(parts.to_numpy()[tied])]
            share = round(parts.to_numpy()[members].sum(), 9)
            expected.add((parts.index[medoid], share, len(members)))
        rounded = mine["importance"].round(9)
        assert set(zip(mine["item_id"], rounded, mine["n_items"], strict=True)) == expected
        assert mine["interest"].tolist() == list(range(len(mine)))
        assert mine["importance"].is_monotonic_decreasing


def test_users_have_as_many_interests_as_there_are():
    axes = pd.DataFrame(np.eye(3), index=["tent", "novel", "oven"])
    near = (axes + 0.1).set_axis(["rope", "poem", "whisk"])
    vectors = pd.concat([axes, near])
    pairs = [(user, item) for user in (1, 2, 3) for item in vectors.index[:user]]
    pairs += [(user, item) for user in (1, 2, 3) for item in near.index[:user]]
    found = multi_interest(InterestProfiler().fit(log(pairs), vectors), distance=0.5)
    assert found.groupby("user_id").size().tolist() == [1, 2, 3]
    assert (found["n_items"] == 2).all()
    np.testing.assert_allclose(found.groupby("user_id")["importance"].sum(), 1.0)


def test_importance_follows_the_half_life():
    vectors = pd.DataFrame(np.eye(2), index=["old", "new"])
    events = log([(1, "old"), (1, "old"), (1, "old"), (1, "new")], [0, 0, 0, 90])
    timeless = multi_interest(InterestProfiler().fit(events, vectors), distance=1.0)
    fading = multi_interest(InterestProfiler(half_life=30).fit(events, vectors), distance=1.0)
    assert timeless["item_id"].tolist() == ["old", "new"]
    assert fading["item_id"].tolist() == ["new", "old"]
    np.testing.assert_allclose(fading["importance"], [8 / 11, 3 / 11])


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 1000))
def test_row_order_changes_no_bit(seed):
    events, vectors = random_case(seed)
    mixed = events.sample(frac=1, random_state=seed)
    one = multi_interest(InterestProfiler(half_life=9.0).fit(events, vectors))
    other = multi_interest(InterestProfiler(half_life=9.0).fit(mixed, vectors.iloc[::-1]))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_items_beyond_the_limit_join_the_nearest_interest():
    rng = np.random.default_rng(0)
    centres = np.eye(3).repeat(40, axis=0)
    vectors = pd.DataFrame(centres + 0.05 * rng.normal(size=centres.shape))
    events = log([(7, item) for item in vectors.index for _ in range(1 + (item % 7 == 0))])
    profiler = InterestProfiler().fit(events, vectors)
    all_items = multi_interest(profiler, distance=1.0)
    found = multi_interest(profiler, distance=1.0, max_items=20)
    assert found["n_items"].tolist() == all_items["n_items"].tolist() == [40, 40, 40]
    np.testing.assert_allclose(found["importance"], all_items["importance"])


def test_users_without_a_profile_have_no_rows():
    vectors = pd.DataFrame([[1.0], [0.0]], index=["a", "blank"])
    profiler = InterestProfiler().fit(log([(1, "a"), (2, "blank")]), vectors)
    assert multi_interest(profiler)["user_id"].tolist() == [1]
    assert multi_interest(profiler, [2]).empty
    assert multi_interest(profiler, [2]).columns.tolist() == [
        *("user_id", "interest", "item_id", "importance", "n_items")
    ]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"distance": -1}, ValueError, "distance must not be negative"),
        ({"distance": float("nan")}, ValueError, "distance must not be negative"),
        ({"distance": "far"}, TypeError, "distance must be a number"),
        ({"max_items": 1}, ValueError, "max_items must be at least 2"),
    ],
)
def test_wrong_parameters_are_named(options, error, message):
    profiler = InterestProfiler().fit(log([(1, 0)]), pd.DataFrame([[1.0]]))
    with pytest.raises(error, match=message):
        multi_interest(profiler, **options)


def test_a_profiler_is_asked_for():
    with pytest.raises(TypeError, match="profiler must be an InterestProfiler, got DataFrame"):
        multi_interest(pd.DataFrame())
