"""Vectors that were computed before, on disk: found by content, safe at any moment.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recsys_interest.checks import check_count

__all__ = ["VectorCache"]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]

_KEY = np.dtype([("head", "<u8"), ("tail", "<u8")])  # 16 bytes of a hash
_SCHEMA = (
    "create table if not exists chunk_1 (id integer primary key autoincrement, "
    "width integer not null, keys blob not null, flags blob not null, vectors blob not null)"
)
_SMALL = 64  # chunks of fewer rows are joined, so that many small calls do not make many chunks
_LARGE = 512  # rows of a chunk, which is read as a whole
_AT_ONCE = 32  # chunks that are read at one time
_PATIENCE = 60.0  # seconds to wait for another process that is writing


@dataclass
class _Index:
    """Where each key is, as far as this object has read; sorted by `head`."""

    keys: NDArray[np.void] = field(default_factory=lambda: np.empty(0, dtype=_KEY))
    chunk: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    row: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    seen: int = 0

    def add(self, chunks: list[tuple[int, bytes]]) -> None:
        """Take in chunks, each its number and its keys one after the other."""
        keys = [np.frombuffer(k, dtype=_KEY) for _, k in chunks]
        sizes = [len(k) for k in keys]
        numbers = np.repeat([n for n, _ in chunks], sizes)
        # New ones first: of equal keys the first is found, and an older chunk may be gone.
        self.keys = np.concatenate([*keys, self.keys])
        self.row = np.concatenate([*(np.arange(n) for n in sizes), self.row])
        self.chunk = np.concatenate([numbers, self.chunk])
        order = np.argsort(self.keys["head"], kind="stable")
        self.keys, self.chunk, self.row = self.keys[order], self.chunk[order], self.row[order]
        self.seen = max([self.seen, *(n for n, _ in chunks)])

    def find(self, keys: NDArray[np.void]) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """Return which keys are known, and at which place of the index."""
        place = np.searchsorted(self.keys["head"], keys["head"])
        inside = place < len(self.keys)
        place[~inside] = 0
        known = inside & (self.keys[place] == keys) if len(self.keys) else inside
        return known, place


class VectorCache:
    """Vectors on disk under the hash of what they were computed from.

    One SQLite file with a write-ahead log. A batch of vectors is written in one transaction: after
    a kill at any moment it is there whole or not at all. Several processes may read and write at
    the same time. A file that is no longer readable is put aside and begun anew: a cache holds
    nothing that cannot be computed again.

    Parameters
    ----------
    path : str or Path
        The file; its folder is made if need be.
    max_bytes : int, default 2 GiB
        When the vectors take more, the oldest are dropped until a tenth of the space is free.

    Notes
    -----
    The write-ahead log does not work on network file systems. Chapter 03, "BERT features".

    Rows: H01, Q03.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cache = VectorCache(Path(folder) / "vectors.sqlite")
    ...     cache.put([b"0123456789abcdef"], np.ones((1, 3), dtype=np.float32))
    ...     found, vectors, flags = cache.get([b"0123456789abcdef", b"never written..."], width=3)
    >>> found.tolist(), vectors.tolist()
    ([True, False], [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    """

    def __init__(self, path: str | os.PathLike[str], *, max_bytes: int = 2 * 2**30) -> None:
        self.path = Path(path)
        self.max_bytes = check_count(max_bytes, "max_bytes")
        self._index = _Index()

    def __repr__(self) -> str:
        return f"VectorCache({str(self.path)!r}, max_bytes={self.max_bytes})"

    def __getstate__(self) -> dict[str, object]:
        # Copies and other processes read the index again.
        return {"path": self.path, "max_bytes": self.max_bytes, "_index": _Index()}

    def get(
        self, keys: Sequence[bytes], width: int, *, out: Floats | None = None
    ) -> tuple[NDArray[np.bool_], Floats, NDArray[np.bool_]]:
        """Return the vectors that are there.

        Parameters
        ----------
        keys : sequence of bytes
            Of 16 bytes each.
        width : int
            Length of a vector.
        out : ndarray of float32, shape (n_keys, width), optional
            Where to put the vectors; rows that are not found are left as they are.

        Returns
        -------
        found : ndarray of bool, shape (n_keys,)
            Which ones are there.
        vectors : ndarray of float32, shape (n_keys, width)
            `out`, or a new array with zeros where there is none.
        flags : ndarray of bool, shape (n_keys,)
            What was stored with them.
        """
        found = np.zeros(len(keys), dtype=bool)
        vectors = np.zeros((len(keys), width), dtype=np.float32) if out is None else out
        flags = np.zeros(len(keys), dtype=bool)
        if len(keys):
            wanted = np.frombuffer(b"".join(keys), dtype=_KEY)
            with self._tolerated("read"), self._open() as database, _snapshot(database):
                self._update(database)
                if not self._read(database, wanted, (found, vectors, flags)):
                    # Chunks that were joined or dropped since: what is there, from the beginning.
                    self._index = _Index()
                    self._update(database)
                    self._read(database, wanted, (found, vectors, flags))
        return found, vectors, flags

    def put(self, keys: Sequence[bytes], vectors: Floats, flags: object = None) -> None:
        """Add vectors, in one transaction.

        Parameters
        ----------
        keys : sequence of bytes
            Of 16 bytes each, one per row.
        vectors : ndarray of float32, shape (n_keys, width)
            What is stored under them.
        flags : array-like of bool, shape (n_keys,), optional
            One mark per row; False by default.

        Raises
        ------
        ValueError
            If the keys are not of 16 bytes, or not as many as the rows.
        """
        if len(keys) != len(vectors) or any(len(key) != _KEY.itemsize for key in keys):
            raise ValueError("one key of 16 bytes is needed for each row of the vectors")
        if not len(keys):
            return
        marks = np.zeros(len(keys), dtype=np.uint8) if flags is None else np.asarray(flags)
        marks = marks.astype(np.uint8)
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
        with self._tolerated("write"), self._open() as database, _transaction(database):
            for start in range(0, len(keys), _LARGE):
                some = slice(start, start + _LARGE)
                parts = (b"".join(keys[some]), marks[some].tobytes(), rows[some].tobytes())
                self._append(database, rows.shape[1], parts)
            self._drop_oldest(database)

    def clear(self) -> None:
        """Drop everything, and give the space back."""
        with self._open() as database:
            with _transaction(database):
                database.execute("delete from chunk_1")
            database.execute("vacuum")
        self._index = _Index()

    def __len__(self) -> int:
        with self._open() as database:
            total = database.execute("select sum(length(flags)) from chunk_1").fetchone()[0]
        return int(total or 0)

    @property
    def nbytes(self) -> int:
        """Bytes that the vectors take on disk, their keys included."""
        with self._open() as database:
            return _bytes_used(database)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self.path, timeout=_PATIENCE, isolation_level=None)
        try:
            _keep_a_log(database)
            # The log is synced before it is merged: whole after a kill and after a power cut.
            database.execute("pragma synchronous=normal")
            database.execute(_SCHEMA)
            yield database
        finally:
            database.close()

    @contextmanager
    def _tolerated(self, what: str) -> Iterator[None]:
        """Go on without the cache where it fails; put a damaged file aside."""
        try:
            yield
        except sqlite3.OperationalError as error:  # locked, full, read-only
            logger.warning("cannot %s the cache %s: %s", what, self.path, error)
        except sqlite3.DatabaseError as error:
            aside = self.path.with_name(self.path.name + ".damaged")
            logger.warning("the cache %s is damaged (%s); put aside as %s", self.path, error, aside)
            self._index = _Index()
            for end in ("-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
            self.path.replace(aside)

    def _update(self, database: sqlite3.Connection) -> None:
        query = "select id, keys from chunk_1 where id > ? order by id"
        new = database.execute(query, [self._index.seen]).fetchall()
        if new:
            self._index.add(new)

    def _read(
        self,
        database: sqlite3.Connection,
        wanted: NDArray[np.void],
        into: tuple[NDArray[np.bool_], Floats, NDArray[np.bool_]],
    ) -> bool:
        """Fill in what is known; return False if a chunk of the index is not there."""
        found, vectors, flags = into
        width = vectors.shape[1]
        known, place = self._index.find(wanted)
        rows = np.flatnonzero(known)
        chunk, inside = self._index.chunk[place[rows]], self._index.row[place[rows]]
        order = np.argsort(chunk, kind="stable")
        numbers, starts = np.unique(chunk[order], return_index=True)
        groups = dict(
            zip(numbers.tolist(), np.split(order, starts[1:])[: len(numbers)], strict=True)
        )
        read = 0
        for number, size, marks, block in _chunks(database, list(groups)):
            read += 1
            if size != width:
                continue
            here = groups[number]
            stored = np.frombuffer(block, dtype=np.float32).reshape(-1, width)
            vectors[rows[here]] = stored[inside[here]]
            flags[rows[here]] = np.frombuffer(marks, dtype=np.uint8)[inside[here]] > 0
            found[rows[here]] = True
        return read == len(groups)

    def _append(
        self, database: sqlite3.Connection, width: int, parts: tuple[bytes, bytes, bytes]
    ) -> None:
        last = database.execute(
            "select id, width, keys, flags, vectors from chunk_1 order by id desc limit 1"
        ).fetchone()
        if last and last[1] == width and len(last[3]) + len(parts[1]) <= _SMALL:
            database.execute("delete from chunk_1 where id = ?", [last[0]])
            parts = (last[2] + parts[0], last[3] + parts[1], last[4] + parts[2])
        database.execute(
            "insert into chunk_1 (width, keys, flags, vectors) values (?, ?, ?, ?)",
            [width, *parts],
        )

    def _drop_oldest(self, database: sqlite3.Connection) -> None:
        if _bytes_used(database) <= self.max_bytes:
            return
        size = "length(keys) + length(flags) + length(vectors)"
        sizes = database.execute(f"select id, {size} from chunk_1 order by id desc").fetchall()
        kept = 0
        for number, size in sizes:
            kept += size
            if kept > 0.9 * self.max_bytes:
                database.execute("delete from chunk_1 where id <= ?", [number])
                logger.info("the cache %s is full: dropped its oldest vectors", self.path)
                break


def _chunks(
    database: sqlite3.Connection, numbers: list[int]
) -> Iterator[tuple[int, int, bytes, bytes]]:
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        marks = ",".join("?" * len(some))
        yield from database.execute(
            f"select id, width, flags, vectors from chunk_1 where id in ({marks})", some
        )


def _bytes_used(database: sqlite3.Connection) -> int:
    pages, free, size = (
        database.execute(f"pragma {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _keep_a_log(database: sqlite3.Connection) -> None:
    # While another process does the same to a new file, SQLite says "locked" without waiting.
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            database.execute("pragma journal_mode=wal")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


@contextmanager
def _snapshot(database: sqlite3.Connection) -> Iterator[None]:
    """See one state of the file, whatever others write meanwhile."""
    database.execute("begin")
    yield
    database.execute("commit")


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("begin immediate")
    try:
        yield
    except BaseException:
        database.execute("rollback")
        raise
    database.execute("commit")
