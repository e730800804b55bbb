"""Sums of vectors by user, in rows that are used again: by definition, and after others left."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys_interest.live_profiles import LiveProfiles

DAY = 86_400_000_000  # microseconds
VECTORS = np.array([[1.0, 0.0], [0.0, 1.0], [3.0, 4.0], [0.0, 0.0]], dtype=np.float32)
COLUMNS = pd.Index(["x", "y"])


def moment(day):
    return pd.Timestamp(0, tz="UTC") + pd.Timedelta(days=day)


def add(profiles, rows):
    """Take in rows of user, item, day and weight."""
    table = pd.DataFrame(rows, columns=["user", "item", "day", "weight"])
    code, users = pd.factorize(table["user"], sort=True)
    table["time"], table["code"] = table["day"] * DAY, code
    table = table.sort_values(["time", "code", "item", "weight"])
    columns = [table[n].to_numpy(np.int64) for n in ("code", "item", "time")]
    profiles.add(users.tolist(), *columns, table["weight"].to_numpy(float), VECTORS)
    return profiles


def by_definition(rows, half_life):
    found = {}
    for user in sorted({row[0] for row in rows}):
        mine = [row for row in rows if row[0] == user]
        last = max((row[2] for row in mine if row[3] > 0), default=0)
        weight = np.array([w * 2.0 ** -((last - d) / half_life) for _, _, d, w in mine])
        total = weight @ VECTORS[[row[1] for row in mine]].astype(float)
        found[user] = total / weight.sum() if weight.sum() else np.zeros(2)
    return pd.DataFrame(found, index=COLUMNS).T


def random_rows(seed, n=60):
    rng = np.random.default_rng(seed)
    columns = [rng.integers(1, 6, n), rng.integers(0, 4, n), rng.integers(0, 40, n)]
    return list(zip(*(c.tolist() for c in columns), rng.choice([0.0, 1.0, 2.5], n), strict=True))


@pytest.mark.parametrize("max_users", [5, 100])
def test_profiles_are_those_of_the_definition_in_any_batches(max_users):
    rows = random_rows(0)
    expected = by_definition(rows, 7.0)
    for seed in range(4):
        order = np.random.default_rng(seed).permutation(len(rows))
        profiles = LiveProfiles(2, 7.0, max_users, 100)
        for part in np.array_split(order, 1 + 5 * seed):
            add(profiles, [rows[n] for n in part])
        found = profiles.profiles(COLUMNS)
        assert found.index.tolist() == expected.index.tolist()
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)
        about = profiles.users()
        for user in about.index:
            mine = [row for row in rows if row[0] == user]
            assert about.loc[user, "n_events"] == len(mine)
            assert about.loc[user, "last_event"] == moment(max(row[2] for row in mine))


def test_an_event_that_comes_late_is_not_the_last():
    profiles = add(LiveProfiles(2, None, 9, 9), [(1, 0, 10, 1.0)])
    assert add(profiles, [(1, 1, 3, 1.0)]).users().loc[1, "last_event"] == moment(10)
    assert profiles.seen[profiles.row[1]] == {0: 10 * DAY, 1: 3 * DAY}
    add(profiles, [(1, 0, 5, 1.0)])  # the last moment of an item stays, too
    assert profiles.seen[profiles.row[1]] == {0: 10 * DAY, 1: 3 * DAY}


def test_an_event_of_long_ago_weighs_nothing_and_overflows_nothing():
    profiles = add(LiveProfiles(2, 1.0, 9, 9), [(1, 0, 5000, 1.0)])
    add(profiles, [(1, 1, 0, 1.0)])
    assert profiles.profiles(COLUMNS).loc[1].tolist() == [1.0, 0.0]
    assert profiles.mass[profiles.row[1]] == 1.0


def test_a_row_that_is_used_again_knows_nothing_of_the_user_before():
    profiles = add(LiveProfiles(2, 1.0, 1, 9), [(1, 0, 5000, 2.0), (1, 1, 5000, 1.0)])
    add(profiles, [(2, 1, 3, 1.0)])
    assert profiles.n_evicted == 1
    assert profiles.users().to_dict("list") == {
        "n_events": [1], "last_event": [moment(3)], "has_profile": [True],
    }  # fmt: skip
    assert profiles.seen[0] == {1: 3 * DAY}
    assert profiles.profiles(COLUMNS).loc[2].tolist() == [0.0, 1.0]
    profiles.drop(2)
    add(profiles, [(3, -1, 4, 0.0)])
    assert profiles.users()["has_profile"].tolist() == [False]
    assert profiles.profiles(COLUMNS).loc[3].tolist() == [0.0, 0.0]
    assert profiles.seen[0] == {}  # an item that is not known is not seen
    assert profiles.n_evicted == 1  # who is dropped on purpose did not make room


def test_of_a_user_the_items_of_the_latest_events_are_remembered():
    profiles = LiveProfiles(2, None, 9, 2)
    add(profiles, [(1, 0, 1, 1.0), (1, 1, 2, 1.0)])
    assert sorted(profiles.seen[profiles.row[1]]) == [0, 1]
    add(profiles, [(1, 2, 3, 1.0)])
    assert sorted(profiles.seen[profiles.row[1]]) == [1, 2]
    add(profiles, [(1, 3, 0, 1.0)])  # later than none of the two
    assert sorted(profiles.seen[profiles.row[1]]) == [1, 2]


def test_directions_have_length_one():
    profiles = add(LiveProfiles(2, None, 9, 9), [(1, 2, 1, 9.0), (2, 3, 1, 0.0)])
    own, directions = profiles.directions(profiles.find([2, 1, 7]))
    assert own.tolist() == [False, True, False]
    np.testing.assert_allclose(directions, [[0.6, 0.8]], rtol=1e-6)


def test_a_state_goes_on_with_those_who_came_last():
    items = pd.Index(list("abcd"))
    rows = random_rows(3)
    whole = add(LiveProfiles(2, 7.0, 100, 3), rows)
    state = whole.to_frames(items)
    again, fewer = (LiveProfiles(2, 7.0, most, 3) for most in (100, 2))
    for one in (again, fewer):
        one.from_frames(state, items)
    pd.testing.assert_frame_equal(again.users(), whole.users())
    pd.testing.assert_frame_equal(
        again.profiles(COLUMNS), whole.profiles(COLUMNS), check_exact=True
    )
    assert {u: again.seen[r] for u, r in again.row.items()} == {
        u: whole.seen[r] for u, r in whole.row.items()
    }
    last = list(whole.row)[-2:]
    assert list(fewer.row) == last
    assert fewer.n_evicted == len(whole.row) - 2
    pd.testing.assert_frame_equal(
        fewer.profiles(COLUMNS), whole.profiles(COLUMNS).loc[sorted(last)]
    )


def test_new_numbers_of_items():
    profiles = add(LiveProfiles(2, None, 9, 9), [(1, 0, 1, 1.0), (1, 2, 2, 1.0)])
    profiles.renumber(np.array([5, 6, 0, 7]))
    assert profiles.seen[profiles.row[1]] == {5: DAY, 0: 2 * DAY}
