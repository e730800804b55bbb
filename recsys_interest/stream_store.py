"""The file behind a stream: a state, the batches since, and the events not to be counted again.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import shown

__all__ = ["StreamStore"]

Ints = NDArray[np.int64]

FORMAT_VERSION = 1
NEVER = np.iinfo(np.int64).min  # before any moment
_TABLES = """
create table if not exists about (name text primary key, value text not null);
create table if not exists seen (key integer primary key, time integer not null);
create index if not exists seen_by_time on seen (time);
create table if not exists forgotten (key integer primary key, until integer not null);
create table if not exists state (name text primary key, body blob not null);
create table if not exists batch (number integer primary key, events integer not null,
                                  body blob not null);
create temporary table incoming (place integer primary key, key integer not null);
"""


class StreamStore:
    """One SQLite file that one process works on; every change is whole or not at all.

    Parameters
    ----------
    path : path
        The file; its folder is made if need be.
    sync : bool
        Whether a commit waits until the disk has the data. Without it a kill of the process still
        loses nothing, a power cut may.

    Raises
    ------
    ValueError
        If the file is no stream, or of a newer version.
    RuntimeError
        If another process has it open.
    """

    def __init__(self, path: str | os.PathLike[str], *, sync: bool = True) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._file = sqlite3.connect(self.path, timeout=0.0, isolation_level=None)
        except sqlite3.OperationalError as error:
            raise ValueError(f"path is no file that can be opened: {self.path}: {error}") from None
        try:
            self._prepare(sync)
        except BaseException as error:
            self._file.close()
            if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
                raise RuntimeError(
                    f"{self.path} is open in another process or object; a stream has one writer"
                ) from None
            if isinstance(error, sqlite3.DatabaseError):
                raise ValueError(f"{self.path} is not a saved stream: {error}") from None
            raise

    def _prepare(self, sync: bool) -> None:
        self._file.execute("pragma locking_mode = exclusive")
        self._file.execute(f"pragma synchronous = {'full' if sync else 'off'}")
        # What is deleted is overwritten: a user who is forgotten is not left in the file.
        self._file.execute("pragma secure_delete = on")
        self._file.execute("pragma temp_store = memory")
        self._file.execute("begin exclusive")
        names = {row[0] for row in self._file.execute("select name from sqlite_master")}
        if names and not {"about", "seen", "forgotten", "state", "batch"} <= names:
            raise ValueError(
                f"{self.path} is not a saved stream but another database, with {shown(names)}; "
                f"choose a file of its own"
            )
        for statement in _TABLES.split(";"):
            self._file.execute(statement)
        self._file.execute("commit")
        version = self.about("format", FORMAT_VERSION)
        if version > FORMAT_VERSION:
            raise ValueError(
                f"{self.path} has the format version {version}, this package reads up to "
                f"{FORMAT_VERSION}; upgrade recsys-interest"
            )

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make everything inside happen, or nothing of it."""
        self._file.execute("begin immediate")
        try:
            yield
            self._file.execute("commit")
        except BaseException:
            if self._file.in_transaction:
                self._file.execute("rollback")
            raise

    def about(self, name: str, default: int) -> int:
        """Return a number by name."""
        found = self._file.execute("select value from about where name = ?", (name,)).fetchone()
        return default if found is None else int(json.loads(found[0]))

    def set_about(self, name: str, value: int) -> None:
        """Keep a number by name."""
        self._file.execute(
            "insert or replace into about values (?, ?)", (name, json.dumps(int(value)))
        )

    def known(self, keys: Ints) -> NDArray[np.bool_]:
        """Say which keys are remembered."""
        return np.isin(np.arange(len(keys)), self._places(keys, "seen"))

    def until(self, keys: Ints) -> Ints:
        """Return the moment up to which each user was forgotten, or a moment before any."""
        found = np.full(len(keys), NEVER)
        for place in self._places(keys, "forgotten"):
            row = self._file.execute(
                "select until from forgotten where key = ?", (int(keys[place]),)
            )
            found[place] = row.fetchone()[0]
        return found

    def _places(self, keys: Ints, table: str) -> Ints:
        self._file.execute("delete from incoming")
        self._file.executemany("insert into incoming values (?, ?)", enumerate(keys.tolist()))
        query = f"select place from incoming where key in (select key from {table})"
        return np.array([row[0] for row in self._file.execute(query)], dtype=np.int64)

    def remember(self, keys: Ints, time: Ints, most: int) -> None:
        """Remember the keys, but no more than `most`, and raise the floor to what was dropped."""
        rows = zip(keys.tolist(), time.tolist(), strict=True)
        self._file.executemany("insert into seen values (?, ?)", rows)
        count = self.about("remembered", 0) + len(keys)
        if count > most:
            query = "select time from seen order by time desc limit 1 offset ?"
            (floor,) = self._file.execute(query, (most,)).fetchone()
            count -= self._file.execute("delete from seen where time <= ?", (floor,)).rowcount
            self.set_about("floor", floor)
            # Nothing that old is taken in any more, whoever it is from.
            self._file.execute("delete from forgotten where until <= ?", (floor,))
        self.set_about("remembered", count)

    def forget(self, keys: Ints, until: int) -> None:
        """Keep in mind that nothing of these users up to a moment may be taken in."""
        rows = [(key, until, until) for key in keys.tolist()]
        sql = "insert into forgotten values (?, ?) on conflict do update set until = max(until, ?)"
        self._file.executemany(sql, rows)

    def add_batch(self, events: pd.DataFrame) -> int:
        """Keep a batch, and return how many events came since the state was written."""
        sql = "insert into batch (events, body) values (?, ?)"
        self._file.execute(sql, (len(events), _packed(events)))
        return int(self._file.execute("select sum(events) from batch").fetchone()[0])

    def batches(self) -> Iterator[pd.DataFrame]:
        """Yield the batches since the state was written, in their order."""
        numbers = self._file.execute("select number from batch order by number").fetchall()
        for number in numbers:
            body = self._file.execute("select body from batch where number = ?", number)
            yield _unpacked(body.fetchone()[0])

    def write_state(self, state: Mapping[str, pd.DataFrame]) -> None:
        """Put a state in the place of the earlier one and of the batches since."""
        self._file.execute("delete from batch")
        self._file.execute("delete from state")
        rows = [(name, _packed(table)) for name, table in state.items()]
        self._file.executemany("insert into state values (?, ?)", rows)
        self.set_about("format", FORMAT_VERSION)

    def read_state(self) -> dict[str, pd.DataFrame]:
        """Return the state, without a table if none was written yet."""
        rows = self._file.execute("select name, body from state").fetchall()
        return {name: _unpacked(body) for name, body in rows}


def _packed(table: pd.DataFrame) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    whole = pa.Table.from_pandas(table, preserve_index=True)
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    return sink.getvalue().to_pybytes()


def _unpacked(body: bytes) -> pd.DataFrame:
    import pyarrow as pa

    with pa.ipc.open_stream(body) as reader:
        return reader.read_all().to_pandas()
