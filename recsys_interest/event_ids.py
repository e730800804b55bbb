"""Which event is which: a short key of its id, or of its content where it has none.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from hashlib import blake2b

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import SchemaError, canonical_ids, shown
from recsys_interest.decayed_sums import microseconds
from recsys_interest.schema import validate_events

__all__ = ["drop_replays", "event_keys", "keys_of"]

Ints = NDArray[np.int64]


def drop_replays(events: pd.DataFrame) -> pd.DataFrame:
    """Keep each event once where a column `event_id` says which is which.

    Parameters
    ----------
    events : DataFrame
        Events; without a column `event_id` they are returned as they are.

    Returns
    -------
    DataFrame
        The first row of every id.

    Raises
    ------
    SchemaError
        If an id is missing, or one id stands for different events.

    Notes
    -----
    Chapter 14, "Dynamic interests". Events that come batch by batch are told apart by their
    `event_keys`, see `DurableStream`.

    Examples
    --------
    >>> log = pd.DataFrame({"event_id": [7, 8, 7], "user_id": ["ann", "bob", "ann"]})
    >>> drop_replays(log)["user_id"].tolist()
    ['ann', 'bob']
    """
    if not isinstance(events, pd.DataFrame) or "event_id" not in events:
        return events
    ids = canonical_ids(events["event_id"], "events.event_id")
    again = ids.duplicated().to_numpy()
    if not again.any():
        return events
    whole = events.assign(event_id=ids)
    different = ids[~whole.duplicated().to_numpy() & again]
    if len(different):
        raise SchemaError(
            f"events.event_id {shown(different.tolist())} stands for different events; give each "
            f"event an id of its own"
        )
    return events[~again]


def event_keys(events: pd.DataFrame) -> Ints:
    """Return one number per event by which it is known again, on any machine and in any process.

    Parameters
    ----------
    events : DataFrame
        Valid events. With a column `event_id` (whole numbers or text) two events are the same if
        their ids are. Without it they are the same if user, item, kind, moment and value are: so
        two equal events of one microsecond count once.

    Returns
    -------
    ndarray of int64, shape (n_events,)
        The first eight bytes of a hash. Among a million remembered events, one new event in
        18 trillion is taken for one of them.

    Raises
    ------
    TypeError
        If `events` is not a DataFrame.
    SchemaError
        If the events do not fit the schema, or an `event_id` is missing.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"event_id": ["e1", "e2", "e1"], "user_id": 1, "item_id": "tent"})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> first, second, again = event_keys(log).tolist()
    >>> first == again, first == second
    (True, False)
    """
    return keys_of_valid(validate_events(events))


def keys_of_valid(log: pd.DataFrame) -> Ints:
    """Return the keys of events that were validated before.

    >>> log = pd.DataFrame({"event_id": [7, 7], "user_id": 1, "item_id": "tent"})
    >>> len(set(keys_of_valid(log).tolist()))
    1
    """
    if "event_id" in log.columns:
        return keys_of(canonical_ids(log["event_id"], "events.event_id"))
    table = log[["user_id", "item_id", "event"]].assign(
        value=log["value"].astype(object).where(log["value"].notna(), None),
        time=microseconds(log["timestamp"]),
    )
    return keys_of(zip(*(table[name].tolist() for name in table), strict=True))


def keys_of(things: Iterable[object]) -> Ints:
    """Return a hash of everything that JSON can write down.

    >>> keys_of(["ann", 7]).tolist() == keys_of(["ann", 7]).tolist()
    True
    """
    hashed = (blake2b(json.dumps(t).encode(), digest_size=8).digest() for t in things)
    return np.frombuffer(b"".join(hashed), dtype="<i8").astype(np.int64)
