"""The tables everything speaks, events, items and users, and the one place that validates them.

Chapter: 00 (quickstart), 01 (behaviour logs).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from recsys_interest.checks import (
    SchemaError,
    as_numbers,
    canonical_ids,
    check_frame,
    plain,
    shown,
    valid_text,
)

__all__ = [
    "EVENT_COLUMNS",
    "ITEM_COLUMNS",
    "SchemaError",
    "validate_events",
    "validate_items",
    "validate_users",
]

#: Columns of valid events.
EVENT_COLUMNS = ("user_id", "item_id", "event", "timestamp", "value", "text")
#: Columns of valid items.
ITEM_COLUMNS = ("item_id", "title", "description", "tags", "category", "language")

TIMESTAMP_DTYPE = "datetime64[us, UTC]"
_FIRST, _LAST = -62_135_596_800, 253_402_300_800  # seconds from 1970 to the years 1 and 10000


def validate_events(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events in canonical form, or say exactly what does not fit.

    It never drops or repairs a row; `clean_events` does that for a raw log.

    Parameters
    ----------
    events : DataFrame
        `user_id` and `item_id` (whole numbers or text), `timestamp` (datetime; without a zone it is
        read as UTC), optional `event` (default ``"browse"``), `value` (number: the rating, the
        quantity, the score; NaN where there is none) and `text`. Other columns are kept.

    Returns
    -------
    DataFrame
        Same rows in the same order and with the same index; columns `user_id, item_id, event,
        timestamp (UTC, microseconds), value (float64), text (never missing)`, then any others.

    Raises
    ------
    TypeError
        If `events` is not a DataFrame.
    SchemaError
        If a column is missing, given twice or of the wrong kind, or a required value is missing.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Rows: D01.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1], "item_id": ["a"], "timestamp": ["2026-01-05"]})
    >>> log["timestamp"] = pd.to_datetime(log["timestamp"])
    >>> validate_events(log).iloc[0].to_dict()["event"]
    'browse'
    >>> validate_events(log.drop(columns="item_id"))
    Traceback (most recent call last):
        ...
    recsys_interest.checks.SchemaError: events lacks the column(s) 'item_id'; ...
    """
    events = check_frame(events, "events", ("user_id", "item_id", "timestamp"))
    out = events.copy(deep=False)
    for column in ("user_id", "item_id"):
        out[column] = canonical_ids(events[column], f"events.{column}")
    out["event"] = _event_kinds(events)
    out["timestamp"] = _timestamps(events["timestamp"])
    out["value"] = _values(events)
    out["text"] = _texts(events, "text")
    extra = [c for c in events.columns if c not in EVENT_COLUMNS]
    return out[[*EVENT_COLUMNS, *extra]]


def validate_items(items: pd.DataFrame) -> pd.DataFrame:
    """Return the items in canonical form, or say exactly what does not fit.

    Parameters
    ----------
    items : DataFrame
        `item_id` (whole numbers or text, each once) and any of the text columns `title`,
        `description`, `tags`, `category`, `language`; the ones that are absent come back empty.

    Returns
    -------
    DataFrame
        Same rows, order and index; the six item columns first, text never missing.

    Raises
    ------
    TypeError
        If `items` is not a DataFrame.
    SchemaError
        If `item_id` is missing, doubtful or given twice.

    Notes
    -----
    Rows: D01.

    Examples
    --------
    >>> import pandas as pd
    >>> validate_items(pd.DataFrame({"item_id": [7], "title": ["Tent"]})).loc[0, "tags"]
    ''
    >>> validate_items(pd.DataFrame({"item_id": [7, 7]}))
    Traceback (most recent call last):
        ...
    recsys_interest.checks.SchemaError: items.item_id has duplicates: 7; ...
    """
    items = check_frame(items, "items", ("item_id",))
    out = items.copy(deep=False)
    out["item_id"] = canonical_ids(items["item_id"], "items.item_id")
    _check_once(out["item_id"], "items")
    for column in ITEM_COLUMNS[1:]:
        out[column] = _texts(items, column)
    extra = [c for c in items.columns if c not in ITEM_COLUMNS]
    return out[[*ITEM_COLUMNS, *extra]]


def validate_users(users: pd.DataFrame) -> pd.DataFrame:
    """Return the users in canonical form, or say exactly what does not fit.

    Parameters
    ----------
    users : DataFrame
        `user_id` (whole numbers or text, each once) and any profile attributes, such as `age` or
        `gender`; they are handed on as they are.

    Returns
    -------
    DataFrame
        Same rows, order and index; `user_id` first.

    Raises
    ------
    TypeError
        If `users` is not a DataFrame.
    SchemaError
        If `user_id` is missing, doubtful or given twice, or an attribute's name is not text.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> import pandas as pd
    >>> validate_users(pd.DataFrame({"age": [31, None], "user_id": ["ann", "bob"]}))
      user_id   age
    0     ann  31.0
    1     bob   NaN
    >>> validate_users(pd.DataFrame({"user_id": ["ann", "ann"]}))
    Traceback (most recent call last):
        ...
    recsys_interest.checks.SchemaError: users.user_id has duplicates: 'ann'; ...
    """
    users = check_frame(users, "users", ("user_id",))
    unnamed = [c for c in users.columns if not isinstance(c, str)]
    if unnamed:
        raise SchemaError(f"users has columns whose names are not text: {shown(unnamed)}")
    out = users.copy(deep=False)
    out["user_id"] = canonical_ids(users["user_id"], "users.user_id")
    _check_once(out["user_id"], "users")
    return out[["user_id", *(c for c in users.columns if c != "user_id")]]


def _check_once(ids: pd.Series, table: str) -> None:
    twice = ids.duplicated()
    if twice.any():
        raise SchemaError(
            f"{table}.{ids.name} has duplicates: {shown(ids[twice].tolist())}; "
            f"keep one row each: {table}.drop_duplicates({ids.name!r})"
        )


def _event_kinds(events: pd.DataFrame) -> pd.Series:
    if "event" not in events.columns:
        return pd.Series("browse", index=events.index, dtype="str")
    kinds = events["event"]
    if kinds.isna().any():
        raise SchemaError(
            f"events.event is missing in {int(kinds.isna().sum())} row(s); name the kind of event"
        )
    return _texts(events, "event")


def _timestamps(stamps: pd.Series) -> pd.Series:
    stamps = plain(stamps)
    if not pd.api.types.is_datetime64_any_dtype(stamps.dtype):
        raise SchemaError(
            f"events.timestamp has the type {stamps.dtype}; parse it first: "
            f"pd.to_datetime(..., utc=True), or use clean_events, which parses and reports"
        )
    times = in_utc(stamps)
    if times.isna().any():
        raise SchemaError(
            f"events.timestamp is missing or outside the years 1 to 9999 in "
            f"{int(times.isna().sum())} row(s); use clean_events"
        )
    return times


def in_utc(times: pd.Series) -> pd.Series:
    """Return datetimes in UTC with microseconds; times without a zone are read as UTC.

    Years outside 1 to 9999, which cannot be written down, become NaT.
    """
    if times.dt.unit != "ns":  # nanoseconds do not reach that far
        ticks = times.array.asi8
        per_second = {"s": 1, "ms": 1000, "us": 1_000_000}[times.dt.unit]
        far = (ticks < _FIRST * per_second) | (ticks >= _LAST * per_second)
        if far.any():  # NaT counts as far, too
            times = times.mask(far)
    zoned = times.dt.tz_localize("UTC") if times.dt.tz is None else times.dt.tz_convert("UTC")
    return zoned.astype(TIMESTAMP_DTYPE)


def _values(events: pd.DataFrame) -> pd.Series:
    if "value" not in events.columns:
        return pd.Series(np.nan, index=events.index, dtype="float64")
    column = events["value"]
    values = as_numbers(column)
    odd = (values.isna() & column.notna()) | np.isinf(values)
    if odd.any():
        raise SchemaError(
            f"events.value holds what is not a finite number: {shown(column[odd].tolist())}; "
            f"use clean_events, which sets those rows aside"
        )
    return values


def _texts(table: pd.DataFrame, column: str) -> pd.Series:
    if column not in table.columns:
        return pd.Series("", index=table.index, dtype="str")
    texts = plain(table[column])
    if texts.dtype == object:
        kinds = {type(v) for v in texts[texts.notna()]}
        if not all(issubclass(k, str) for k in kinds):
            raise SchemaError(
                f"{column} must be text, it holds {shown(sorted(k.__name__ for k in kinds))}; "
                f"join lists first, for example .str.join(', ')"
            )
        texts = texts.map(valid_text, na_action="ignore")
    elif not isinstance(texts.dtype, pd.StringDtype) and texts.notna().any():
        raise SchemaError(f"{column} must be text, it has the type {texts.dtype}; use .astype(str)")
    return texts.astype("str").fillna("")
