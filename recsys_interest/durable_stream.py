"""A stream that survives: every event counts once, whatever is killed, sent twice or comes late.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd

from recsys_interest.checks import as_moment, check_count, given_ids
from recsys_interest.decayed_sums import microseconds, moments
from recsys_interest.event_ids import keys_of, keys_of_valid
from recsys_interest.schema import validate_events
from recsys_interest.stream_store import NEVER, StreamStore

__all__ = ["DurableStream", "Receipt", "StreamModel"]


class StreamModel(Protocol):
    """What `DurableStream` keeps alive: a model that learns from batches and tells its state.

    A batch has the columns `user_id, item_id, event, timestamp, value`.
    """

    def partial_fit(self, events: pd.DataFrame) -> Any:
        """Take in a batch, whole or, with an error, nothing of it."""

    def forget(self, user_ids: Iterable[Any]) -> Any:
        """Remove everything known of some users."""

    def get_state(self) -> dict[str, pd.DataFrame]:
        """Return everything learned, as tables."""

    def set_state(self, state: Mapping[str, pd.DataFrame]) -> Any:
        """Go on where `get_state` was called."""


@dataclass(frozen=True, eq=False)
class Receipt:
    """What became of a batch; every event of it was accepted or is in `rejected`.

    Attributes
    ----------
    accepted : int
        Number of events that were taken in.
    rejected : DataFrame
        The other ones, as they were given, and `reason`: ``"duplicate"`` (it was taken in before,
        or earlier in this batch), ``"too late"`` (so old that nobody remembers whether it was), or
        ``"forgotten"`` (of a user who was deleted, from before the deletion).
    """

    accepted: int
    rejected: pd.DataFrame


class DurableStream:
    r"""Feed a model event by event or in batches, and lose nothing when the process is killed.

    Each batch is one transaction: when `append` returns, the batch is on disk; before, nothing of
    it is. A sender that does not know whether a batch arrived sends it again, which is harmless,
    because events that were taken in are remembered by `event_keys`.

    Memory is bounded, so not all can be remembered: the `max_ids` events that happened latest are.
    An event from before the oldest of these may or may not have been counted; it is refused and
    comes back as ``"too late"``. So no event counts twice, every event before which no more than
    `max_ids` of its moment or of later ones came counts once, and the others are handed back, not
    lost. What is late is decided by the times of the events, not by a clock: a clock that goes
    backwards only makes events late, and one that runs ahead takes a place of its own and no other.

    Parameters
    ----------
    model : StreamModel
        Ready to learn: `InterestProfiler` after a `fit`, for example without events, or
        `LiveRecommender`. If the file holds a state, the model goes on from there, and what it knew
        is dropped.
    path : path
        The file, made if there is none. One process at a time can have it open.
    max_ids : int, default 1,000,000
        How many events to remember, some 35 bytes each on disk.
    save_every : int, default 100,000
        Number of events after which the state is written again. Until then batches are kept as they
        came; after a restart they are learned again.
    sync : bool, default True
        Wait for the disk at each batch. Without it a kill of the process still loses nothing, but a
        power cut may.

    Attributes
    ----------
    model : StreamModel
        The model; ask it for profiles or lists, but feed it through the stream only.

    Raises
    ------
    TypeError
        If the model lacks a method, or a number is none.
    ValueError
        If the file is no stream, or a parameter of the model is not the one the state was made
        with.
    RuntimeError
        If the file is open elsewhere.

    Notes
    -----
    Chapter 14, "Dynamic interests". The file is SQLite: its atomic commit is what makes a kill at
    any moment harmless (https://www.sqlite.org/atomiccommit.html). Tables in it are Arrow streams,
    nothing is pickled. After a restart the state is the same as without it, to the last bit, if
    the batches are the same.

    Rows: H04, Q06.

    Examples
    --------
    >>> import tempfile, pandas as pd
    >>> from recsys_interest import InterestProfiler
    >>> vectors = pd.DataFrame({"x": [1.0, 0.0], "y": [0.0, 1.0]}, index=["tent", "novel"])
    >>> log = pd.DataFrame({"user_id": ["ann"] * 2, "item_id": ["tent", "novel"],
    ...                     "event": ["like", "browse"],
    ...                     "timestamp": pd.to_datetime(["2026-01-01"] * 2)})
    >>> folder = tempfile.TemporaryDirectory()
    >>> start = InterestProfiler().fit(log.iloc[:0], vectors)
    >>> with DurableStream(start, f"{folder.name}/profiles.stream") as stream:
    ...     receipt = stream.append(log)
    >>> receipt.accepted
    2
    >>> again = InterestProfiler().fit(log.iloc[:0], vectors)
    >>> with DurableStream(again, f"{folder.name}/profiles.stream") as stream:
    ...     receipt = stream.append(log)
    ...     stream.model.profiles_.loc["ann"].tolist()
    [0.75, 0.25]
    >>> receipt.accepted, receipt.rejected["reason"].tolist()
    (0, ['duplicate', 'duplicate'])
    >>> folder.cleanup()
    """

    def __init__(
        self,
        model: StreamModel,
        path: str | os.PathLike[str],
        *,
        max_ids: int = 1_000_000,
        save_every: int = 100_000,
        sync: bool = True,
    ) -> None:
        lacking = [m for m in _METHODS if not callable(getattr(model, m, None))]
        if lacking or isinstance(model, type):
            raise TypeError(
                f"model must be an object with {', '.join(_METHODS)}, got {model!r}; for example "
                f"InterestProfiler().fit(events.iloc[:0], item_vectors)"
            )
        self.model = model
        self.max_ids = check_count(max_ids, "max_ids")
        self.save_every = check_count(save_every, "save_every")
        self._store = StreamStore(path, sync=sync)
        try:
            self._restore()
        except BaseException:
            self._store.close()
            raise

    def append(self, events: pd.DataFrame) -> Receipt:
        """Take in a batch of events, in any order; when this returns, it is on disk.

        Parameters
        ----------
        events : DataFrame
            Valid events, of any number. A column `event_id` says which is which, see `event_keys`.

        Returns
        -------
        Receipt
            How many events were taken in, and the others.

        Raises
        ------
        TypeError
            If `events` is not a DataFrame.
        SchemaError
            If they do not fit the schema or the model; then nothing of the batch was taken in.
        """
        log = validate_events(events)
        keys, time = keys_of_valid(log), microseconds(log["timestamp"])
        try:
            with self._store.transaction():
                reason = self._reasons(log, keys, time)
                fresh = reason == ""
                if fresh.any():
                    self._take_in(log.loc[fresh, _USED], keys[fresh], time[fresh])
        except BaseException:
            self._restore()  # the model may be ahead of the file
            raise
        rejected = events[~fresh].assign(reason=pd.Series(reason[~fresh], dtype="str").to_numpy())
        return Receipt(int(fresh.sum()), rejected)

    def forget(self, user_ids: Iterable[Any], until: str | pd.Timestamp | None = None) -> Self:
        """Remove a user from the model and the file, for good.

        Events of these users up to `until` are refused from now on, so that neither a replay nor a
        straggler brings them back. Events after it begin a new history.

        Parameters
        ----------
        user_ids : iterable
            Whom to forget; who never occurred is no error.
        until : str or Timestamp, optional
            The moment of the deletion; that of the newest event of the stream by default.

        Returns
        -------
        DurableStream
            This object. What remains of a user are hashes of the user's id and events.

        Raises
        ------
        TypeError, ValueError
            If `user_ids` is a single id, or `until` is no moment.
        SchemaError
            If the ids are of another kind than those of the events; then nobody was forgotten.
        """
        ids = given_ids(user_ids, "user_ids").tolist()
        if not ids:
            return self
        moment = self._store.about("newest", NEVER)
        if until is not None:
            moment = int(microseconds(pd.Series([as_moment(until, "until")]))[0])
        keys = keys_of(ids)
        try:
            with self._store.transaction():
                self._store.forget(keys, moment)
                self.model.forget(ids)
                self._store.write_state(self.model.get_state())
        except BaseException:
            self._restore()
            raise
        return self

    @property
    def floor(self) -> pd.Timestamp | None:
        """The moment up to which events are too late; None as long as all are remembered."""
        floor = self._store.about("floor", NEVER)
        return None if floor == NEVER else moments(np.array([floor]))[0]

    def close(self) -> None:
        """Let go of the file; the model stays as it is."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _restore(self) -> None:
        state = self._store.read_state()
        if not state:
            with self._store.transaction():
                self._store.write_state(self.model.get_state())
            return
        self.model.set_state(state)
        for batch in self._store.batches():
            self.model.partial_fit(batch)

    def _reasons(self, log: pd.DataFrame, keys: Any, time: Any) -> Any:
        codes, users = pd.factorize(log["user_id"])
        until = self._store.until(keys_of(users.tolist()))
        again = self._store.known(keys) | pd.Series(keys).duplicated().to_numpy()
        late = time <= self._store.about("floor", NEVER)
        return np.select([until[codes] >= time, again, late], _REASONS, default="")

    def _take_in(self, log: pd.DataFrame, keys: Any, time: Any) -> None:
        self.model.partial_fit(log)
        self._store.remember(keys, time, self.max_ids)
        self._store.set_about("newest", max(int(time.max()), self._store.about("newest", NEVER)))
        if self._store.add_batch(log) >= self.save_every:
            self._store.write_state(self.model.get_state())


_METHODS = ("partial_fit", "forget", "get_state", "set_state")
_USED = ["user_id", "item_id", "event", "timestamp", "value"]
_REASONS = ["forgotten", "duplicate", "too late"]
