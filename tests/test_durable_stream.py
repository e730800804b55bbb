"""Streams that are killed, sent twice, late, cut off, forgotten and damaged."""

from __future__ import annotations

import sqlite3
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.checks import SchemaError
from recsys_interest.durable_stream import DurableStream
from recsys_interest.event_ids import event_keys
from recsys_interest.profiles import InterestProfiler

from .test_profile_streams import batches
from .test_profiles import EVENTS, VECTORS, log

ROWS = [(1 + n % 3, "ab"[n % 2], "like", n, None) for n in range(12)]


def ready(**options):
    return InterestProfiler(**options).fit(log([]), VECTORS)


def opened(path, model=None, **options):
    return DurableStream(ready() if model is None else model, path, sync=False, **options)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some folder" / "profiles.stream"


# Stream = batch


@settings(deadline=None, max_examples=25)
@given(
    rows=EVENTS,
    cuts=st.lists(st.integers(0, 30), max_size=6),
    order=st.randoms(use_true_random=False),
    half_life=st.sampled_from([None, 0.01, 3.0]),
    save_every=st.sampled_from([1, 5, 1000]),
)
def test_any_order_any_batches_and_every_batch_twice_equal_the_batch(
    tmp_path_factory, rows, cuts, order, half_life, save_every
):
    events = log(rows).assign(event_id=range(len(rows)))
    parts = batches(events.sample(frac=1, random_state=order.randint(0, 99)), cuts) * 2
    order.shuffle(parts)
    path = tmp_path_factory.mktemp("any") / "s"
    accepted = 0
    for part in parts:  # opened anew each time: every event meets a restart
        with opened(path, ready(half_life=half_life), save_every=save_every) as stream:
            receipt = stream.append(part)
        accepted += receipt.accepted
        assert receipt.accepted + len(receipt.rejected) == len(part)
        assert set(receipt.rejected["reason"]) <= {"duplicate"}
    assert accepted == len(events)
    batch = InterestProfiler(half_life=half_life).fit(events, VECTORS)
    pd.testing.assert_frame_equal(stream.model.profiles_, batch.profiles_, rtol=0, atol=1e-6)
    pd.testing.assert_frame_equal(stream.model.users_, batch.users_, rtol=1e-9, atol=1e-12)


# Killed


def test_killed_at_any_moment_it_goes_on_where_it_was(tmp_path):
    code = [sys.executable, "-m", "tests.stream_killer", str(tmp_path), "24"]
    run = subprocess.run(code, capture_output=True, text=True, check=True)
    report = [line.split() for line in run.stdout.splitlines()]
    places = {int(place) for kind, place in report if kind == "killed"}
    assert sum(kind == "killed" for kind, _ in report) == 24, run.stdout
    assert len(places) > 8, run.stdout
    assert report[-2:] == [["lost", "0"], ["same", "True"]], run.stdout


def test_what_fails_half_way_leaves_no_trace(path):
    events = log(ROWS)
    with opened(path) as stream:
        stream.append(events[:6])
        before = stream.model.get_state()
        with pytest.raises(SchemaError, match="kinds without a weight: 'wave'"):
            stream.append(events[6:].assign(event="wave"))
        for name, table in stream.model.get_state().items():
            pd.testing.assert_frame_equal(table, before[name])
        assert stream.append(events).accepted == 6


def test_a_commit_that_fails_takes_the_model_back(path, monkeypatch):
    with opened(path) as stream:
        stream.append(log(ROWS[:3]))

        def full(*_):
            raise OSError("no space left")

        monkeypatch.setattr(stream._store, "add_batch", full)
        with pytest.raises(OSError, match="no space left"):
            stream.append(log(ROWS[3:]))
        assert stream.model.users_["n_events"].sum() == 3


# Which event is which


def test_ids_decide_where_there_are_any_and_else_the_content():
    events = log([(1, "a", "like", 0, None)] * 2 + [(1, "a", "rate", 0, 4.0)])
    assert (event_keys(events)[0] == event_keys(events)).tolist() == [True, True, False]
    numbered = events.assign(event_id=["x", "y", "x"])
    assert (event_keys(numbered)[0] == event_keys(numbered)).tolist() == [True, False, True]
    with pytest.raises(SchemaError, match=r"events\.event_id is missing in 1 row"):
        event_keys(numbered.assign(event_id=["x", None, "y"]))


def test_a_duplicate_in_one_batch_counts_once(path):
    events = log([(1, "a", "like", 0, None)] * 3).set_axis(list("xyz"))
    with opened(path) as stream:
        receipt = stream.append(events)
        assert stream.append(log([])).accepted == 0
    assert (receipt.accepted, receipt.rejected.index.tolist()) == (1, ["y", "z"])


# What is remembered


def test_a_clock_that_goes_backwards_is_only_late(path):
    events = log(ROWS)
    with opened(path) as stream:
        for place in range(len(events))[::-1]:
            assert stream.append(events.iloc[[place]]).accepted == 1
        assert stream.floor is None
    batch = InterestProfiler().fit(events, VECTORS)
    pd.testing.assert_frame_equal(stream.model.profiles_, batch.profiles_, rtol=0, atol=1e-6)


def test_what_is_older_than_the_memory_is_handed_back(path):
    events = log(ROWS)
    with opened(path, max_ids=4) as stream:
        assert stream.append(events[2:]).accepted == 10
        assert stream.floor == pd.Timestamp("2026-01-08", tz="UTC")  # day 7; 8, 9, 10, 11 are kept
        receipt = stream.append(events)
        assert receipt.accepted == 0
        assert receipt.rejected["reason"].tolist() == ["too late"] * 8 + ["duplicate"] * 4
        # One clock far ahead takes one place.
        assert stream.append(log([(9, "a", "like", 3000, None)])).accepted == 1
        assert stream.append(log([(9, "a", "like", 10, None)])).accepted == 1
    with opened(path, max_ids=4) as stream:
        assert stream.append(events[2:]).accepted == 0
        assert stream.model.users_["n_events"].sum() == 12


def test_of_one_moment_no_more_are_taken_than_are_remembered(path):
    with opened(path, max_ids=4) as stream:
        taken = [stream.append(log([(u, "a", "like", 0, None)])).accepted for u in range(1, 9)]
        assert taken == [1] * 5 + [0] * 3
        assert stream.append(log([(u, "a", "like", 1, None) for u in range(1, 5)])).accepted == 4


def test_the_file_stays_as_small_as_its_memory(path):
    rng = np.random.default_rng(0)
    sizes = []
    with opened(path, max_ids=500, save_every=500) as stream:
        for day in range(40):
            rows = [(int(u), "a", "like", day + n / 999, None) for n, u in
                    enumerate(rng.integers(1, 9, 250))]  # fmt: skip
            stream.append(log(rows))
            sizes.append(path.stat().st_size)
    assert max(sizes[20:]) <= max(sizes[:20])
    seen = sqlite3.connect(path).execute("select count(*) from seen").fetchone()
    assert seen == (500,)


def test_the_state_is_written_after_so_many_events(path):
    with opened(path, save_every=5) as stream:
        stream.append(log(ROWS[:2]))
        stream.append(log(ROWS[2:4]))
        assert [len(batch) for batch in stream._store.batches()] == [2, 2]
        stream.append(log(ROWS[4:5]))
        assert not list(stream._store.batches())


# Forgotten


def test_a_forgotten_user_does_not_come_back(path):
    events = log(ROWS)
    others = InterestProfiler().fit(events[events["user_id"] != 1], VECTORS)
    with opened(path) as stream:
        stream.append(events[:10])
        stream.forget([1, 77])
        assert 1 not in stream.model.users_.index
    with opened(path) as stream:
        late = log([(1, "b", "like", 5.5, None)])
        receipt = stream.append(pd.concat([events, late]))
        mine = receipt.rejected[receipt.rejected["user_id"] == 1]
        assert set(mine["reason"]) == {"forgotten"}
        assert len(mine) == 5
        pd.testing.assert_frame_equal(stream.model.profiles_, others.profiles_)
        # A new beginning after the deletion is no replay.
        assert stream.append(log([(1, "b", "like", 50, None)])).accepted == 1
        assert stream.model.users_.loc[1, "n_events"] == 1


@pytest.mark.rows("H04", "Q06")
def test_nothing_of_a_forgotten_user_is_left_in_the_file(path):
    events = log(ROWS).assign(user_id="somebody-else")
    with opened(path) as stream:
        stream.append(events.assign(user_id="very-private"))
        assert b"very-private" in path.read_bytes()
        stream.append(events)
        stream.forget(["very-private"])
    assert b"very-private" not in path.read_bytes()
    assert b"somebody-else" in path.read_bytes()


def test_until_says_when_and_strings_are_not_several_users(path):
    with opened(path) as stream:
        stream.forget([]).forget([1], until="2026-01-03")
        receipt = stream.append(log([(1, "a", "like", d, None) for d in (1, 2, 3)]))
        assert receipt.rejected["reason"].tolist() == ["forgotten", "forgotten"]
        with pytest.raises(TypeError, match=r"write \['ann'\]"):
            stream.forget("ann")
        with pytest.raises(SchemaError, match=r"user_ids is str, events\.user_id"):
            stream.forget(["1"])


def test_a_deletion_that_fails_is_none(path, monkeypatch):
    with opened(path) as stream:
        stream.append(log(ROWS))

        def full(*_):
            raise OSError("no space left")

        with monkeypatch.context() as patch:
            patch.setattr(stream._store, "write_state", full)
            with pytest.raises(OSError, match="no space left"):
                stream.forget([1])
        assert 1 in stream.model.users_.index
        assert stream.append(log([(1, "b", "like", 5.5, None)])).accepted == 1


def test_a_deletion_reaches_up_to_the_newest_event_whatever_came_last(path):
    with opened(path) as stream:
        for day in (10, 3):
            stream.append(log([(1, "a", "like", day, None)]))
        stream.forget([1])
        receipt = stream.append(log([(1, "b", "like", day, None) for day in (3, 10, 11)]))
        assert receipt.rejected["reason"].tolist() == ["forgotten", "forgotten"]
        assert receipt.accepted == 1


# Files and arguments


def test_a_stream_has_one_writer(path):
    with opened(path), pytest.raises(RuntimeError, match="a stream has one writer"):
        opened(path)
    opened(path).close()


def test_a_state_of_other_parameters_or_another_file_is_refused(path, tmp_path):
    opened(path, ready(half_life=7.0)).close()
    with pytest.raises(ValueError, match=r"made with half_life=7\.0"):
        opened(path)
    opened(path, ready(half_life=7.0)).close()
    other = tmp_path / "notes.txt"
    other.write_text("nothing that SQLite would read, and long enough to look at" * 9)
    with pytest.raises(ValueError, match="is not a saved stream"):
        opened(other)
    foreign = tmp_path / "shop.db"
    with sqlite3.connect(foreign) as file:
        file.execute("create table customers (name)")
    file.close()
    with pytest.raises(ValueError, match="another database, with 'customers'"):
        opened(foreign)
    with sqlite3.connect(foreign) as file:
        assert file.execute("select name from sqlite_master").fetchall() == [("customers",)]
    file.close()
    with pytest.raises(ValueError, match="path is no file that can be opened"):
        opened(tmp_path)
    with sqlite3.connect(path) as file:
        file.execute("update about set value = '99' where name = 'format'")
    with pytest.raises(ValueError, match="format version 99"):
        opened(path, ready(half_life=7.0))


def test_arguments_are_checked(path):
    with pytest.raises(TypeError, match="model must be an object with partial_fit"):
        DurableStream(object(), path)
    with pytest.raises(TypeError, match="model must be an object"):
        DurableStream(InterestProfiler, path)
    with pytest.raises(ValueError, match="max_ids must be at least 1"):
        opened(path, max_ids=0)
    with opened(path) as stream, pytest.raises(TypeError, match="must be a pandas DataFrame"):
        stream.append([1])
    with pytest.raises(ValueError, match="not finite"):
        InterestProfiler().fit(log([]), VECTORS * np.nan)
