"""The file behind a stream, by itself: what is kept, in which order, and what goes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys_interest.stream_store import NEVER, StreamStore


@pytest.fixture
def store(tmp_path):
    store = StreamStore(tmp_path / "s", sync=False)
    yield store
    store.close()


def ints(*values):
    return np.array(values, dtype=np.int64)


def batch(*users):
    return pd.DataFrame({"user_id": users}, index=[f"row {u}" for u in users])


def test_only_the_latest_events_are_remembered(store):
    store.remember(ints(1, 2, 3, 4), ints(10, 40, 30, 20), 3)
    assert store.about("floor", NEVER) == 10
    assert store.known(ints(1, 2, 3, 4, 5)).tolist() == [False, True, True, True, False]
    assert store.known(ints(9, 4)).tolist() == [False, True]  # each question is one of its own
    store.remember(ints(5), ints(50), 3)
    assert store.about("floor", NEVER) == 20
    store.remember(ints(6), ints(60), 9)  # there is more room now
    assert store.known(ints(2, 3, 5, 6)).all()
    assert store.about("remembered", -1) == 4


def test_all_events_of_the_moment_of_the_floor_go(store):
    store.remember(ints(1, 2, 3, 4), ints(10, 10, 10, 20), 2)
    assert store.known(ints(1, 2, 3, 4)).tolist() == [False, False, False, True]
    assert store.about("remembered", -1) == 1


def test_who_was_forgotten_is_known_until_the_floor_says_it_for_everybody(store):
    store.forget(ints(1, 2, 3), 10)
    store.forget(ints(2), 30)
    store.forget(ints(2, 3), 20)  # an earlier moment takes nothing back
    assert store.until(ints(3, 9, 2, 1)).tolist() == [20, NEVER, 30, 10]
    store.remember(ints(7, 8), ints(20, 90), 1)
    assert store.about("floor", NEVER) == 20
    assert store.until(ints(1, 2, 3)).tolist() == [NEVER, 30, NEVER]


def test_batches_come_back_in_their_order_until_a_state_takes_their_place(store):
    assert store.add_batch(batch(9, 8, 7)) == 3
    assert store.add_batch(batch(1)) == 4
    assert [b["user_id"].tolist() for b in store.batches()] == [[9, 8, 7], [1]]
    pd.testing.assert_frame_equal(next(store.batches()), batch(9, 8, 7))
    store.write_state({"users": batch(5), "old": batch(4)})
    assert list(store.batches()) == []
    assert store.add_batch(batch(2, 3)) == 2
    store.write_state({"users": batch(6)})
    assert store.read_state().keys() == {"users"}
    pd.testing.assert_frame_equal(store.read_state()["users"], batch(6))


def test_a_table_comes_back_to_the_last_bit(store):
    table = pd.DataFrame(
        {
            "id": pd.Series(["ann", None], dtype="str"),
            "time": pd.to_datetime(["2026-01-05", None], utc=True).as_unit("us"),
            "mass": np.array([0.1 + 0.2, np.nan]),
            "small": np.array([0.1, 1e-40], dtype=np.float32),
        },
        index=pd.Index([7, 3], name="place"),
    )
    store.write_state({"table": table, "nothing": table.iloc[:0]})
    found = store.read_state()
    pd.testing.assert_frame_equal(found["table"], table, check_exact=True)
    pd.testing.assert_frame_equal(found["nothing"], table.iloc[:0])


def test_what_fails_inside_a_transaction_did_not_happen(store):
    store.remember(ints(1), ints(10), 5)

    def failing():
        with store.transaction():
            store.remember(ints(2), ints(20), 5)
            store.forget(ints(3), 20)
            store.add_batch(batch(1))
            raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        failing()
    assert store.known(ints(1, 2)).tolist() == [True, False]
    assert store.until(ints(3)).tolist() == [NEVER]
    assert list(store.batches()) == []
    assert store.about("remembered", -1) == 1
    with store.transaction():
        store.remember(ints(2), ints(20), 5)
    assert store.known(ints(2)).all()


@pytest.mark.parametrize(("sync", "level"), [(True, 2), (False, 0)])
def test_a_commit_waits_for_the_disk_if_asked_to(tmp_path, sync, level):
    store = StreamStore(tmp_path / "s", sync=sync)
    assert store._file.execute("pragma synchronous").fetchone() == (level,)
    store.close()
