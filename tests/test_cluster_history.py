"""The ledger of two windows by hand, what a history keeps, and its tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys_interest.cluster_history import (
    History,
    Snapshot,
    ledger_rows,
    read_state,
    state_tables,
)
from recsys_interest.cluster_matching import match_clusters

PLACES = np.eye(8)


def labels(*sizes):
    """One cluster of users for each size: 0, 0, 1, 1, 1, ..."""
    of = np.repeat(np.arange(len(sizes)), sizes)
    return pd.Series(of, index=[f"u{n:02d}" for n in range(len(of))])


def matched(before, after, path, new_path, new_places, window="now"):
    match = match_clusters(before.centroids, before.positions(path), new_places, new_path)
    return match, before.followed(window, new_places, new_path.to_numpy(), match)


@pytest.fixture(scope="module")
def changed():
    """Ids 7 to 11; id 7 is split, 8 and 9 are merged, 10 dies, 11 goes on; one is born."""
    sizes = (10, 6, 8, 4, 5)
    path = labels(*sizes).map(dict(enumerate(range(7, 12))))
    ids = np.arange(7, 12)
    before = Snapshot(ids, PLACES[:5], np.array(sizes), "then", next_id=20)
    new = labels(*sizes).map({0: 0, 1: 2, 2: 2, 3: 4, 4: 4}).to_numpy(copy=True)
    new[[6, 7, 8, 9]] = 1  # four of the ten go elsewhere
    new[[24, 25, 26, 27]] = [0, 2, 3, -1]  # all of id 10 go everywhere
    new[[16, 17]] = 3  # and some of 9 to a new place
    new[[0, 28]] = 3
    members = pd.Series(new, index=path.index)
    places = np.array([PLACES[0], PLACES[5], PLACES[1] + PLACES[2], PLACES[6], PLACES[4]])
    match = match_clusters(before.centroids, before.positions(path), places, members)
    after = before.followed("now", places, new, match)
    return before, after, match


def test_those_that_go_on_keep_their_id_and_others_get_one_that_was_never_given(changed):
    _, after, _ = changed
    assert after.ids.tolist() == [7, 20, 8, 21, 11]
    assert after.sizes.tolist() == [6, 4, 13, 5, 4]  # without noise
    assert (after.next_id, after.seen) == (22, "now")
    again = after.followed("later", PLACES[:1], np.zeros(3, dtype=np.int64), match_clusters(
        after.centroids, None, -after.centroids[:1], None))  # fmt: skip
    assert (again.ids.tolist(), again.next_id) == ([22], 23)


def test_the_ledger_by_hand(changed):
    before, after, match = changed
    table = pd.DataFrame(ledger_rows("now", before, after, match))
    assert table["window"].eq("now").all()
    names = ["event", "cluster", "related", "n_users"]
    assert table[names].astype(object).where(table[names].notna(), None).values.tolist() == [
        ["split", 20, 7, 4],
        ["birth", 21, None, 5],
        ["merge", 9, 8, 8],
        ["death", 10, None, 4],
    ]
    scores = match.scores.set_index(["before", "after"])
    split, birth, merge, death = table["score"]
    assert split == scores.loc[(0, 1), "part"] == 1.0  # all of the new one are from there
    assert scores.loc[(0, 1), "joined"] == pytest.approx(0.4)
    assert merge == scores.loc[(2, 2), "joined"] == 0.75  # of the old one's, so many are there
    assert scores.loc[(2, 2), "part"] == pytest.approx(6 / 13)
    # What was left over says how near it came to going on.
    assert birth == scores["same"].xs(3, level="after").max() > 0
    assert death == scores["same"].xs(3, level="before").max() > 0
    assert birth != death


def test_without_any_cluster_before_a_birth_has_the_score_nought():
    nothing = Snapshot(np.empty(0, dtype=np.int64), np.empty((0, 8)), np.empty(0, dtype=np.int64))
    path = labels(2, 3)
    match = match_clusters(nothing.centroids, None, PLACES[:2], path)
    after = nothing.followed("now", PLACES[:2], path.to_numpy(), match)
    rows = ledger_rows("now", nothing, after, match)
    assert [(row["event"], row["cluster"], row["score"]) for row in rows] == [
        ("birth", 0, 0.0),
        ("birth", 1, 0.0),
    ]
    gone = after.followed("later", nothing.centroids, np.full(5, -1), match_clusters(
        PLACES[:2], None, nothing.centroids, None))  # fmt: skip
    assert (gone.ids.tolist(), gone.next_id) == ([], 2)


def test_members_are_positions_and_noise_is_in_no_cluster():
    one = Snapshot(np.array([4, 9]), PLACES[:2], np.array([1, 1]))
    path = pd.Series([9, -1, 4, 9], index=list("abcd"))
    assert one.positions(path).tolist() == [1, -1, 0, 1]
    assert one.positions(None) is None


# What is kept


@pytest.fixture
def history():
    found = History()
    for window in (1, 2, 3):
        about = {"window": window, "n_users": 2, "n_clusters": 1, "n_noise": window}
        row = dict(zip(("window", "event", "cluster", "related", "n_users", "score"),
                       (window, "birth", window, None, 2, 0.5), strict=True))  # fmt: skip
        path = pd.Series([window, 0], index=[f"u{window}", "ann"])
        found = found.with_window(about, [row], path, 2)
    return found


def test_only_so_many_paths_stay_and_all_rows(history):
    assert history.window_table().index.tolist() == [1, 2, 3]
    assert history.ledger_table()["cluster"].tolist() == [1, 2, 3]
    assert history.path(1) is None
    table = history.path_table()
    assert table.columns.tolist() == [2, 3]
    assert table.index.tolist() == ["ann", "u2", "u3"]  # sorted
    assert table.loc["u3"].isna().tolist() == [True, False]
    assert History().path_table().empty


def test_the_last_window_is_taken_back_alone(history):
    before = history.before_last()
    assert before.window_table().index.tolist() == [1, 2]
    assert before.ledger_table()["window"].tolist() == [1, 2]
    assert before.path_table().columns.tolist() == [2]
    assert before.path(3) is None
    assert history.path_table().columns.tolist() == [2, 3]  # what was there is unchanged


def test_a_user_can_be_left_out(history):
    left = history.without(pd.Index(["ann", "nobody"]))
    assert left.path_table().index.tolist() == ["u2", "u3"]
    assert left.ledger_table().equals(history.ledger_table())


def test_tables_and_back(history, changed):
    now, before = changed[1], changed[0]
    tables = state_tables(history, {"now": now, "before": before}, ["x", None] * 4)
    found, snapshots, features = read_state(tables)
    assert features == ["x", None] * 4
    pd.testing.assert_frame_equal(found.path_table(), history.path_table())
    pd.testing.assert_frame_equal(found.ledger_table(), history.ledger_table())
    pd.testing.assert_frame_equal(found.window_table(), history.window_table())
    for name, one in (("now", now), ("before", before)):
        again = snapshots[name]
        np.testing.assert_array_equal(again.ids, one.ids)
        np.testing.assert_array_equal(again.centroids, one.centroids)
        np.testing.assert_array_equal(again.sizes, one.sizes)
        assert (again.seen, again.next_id) == (one.seen, one.next_id)
