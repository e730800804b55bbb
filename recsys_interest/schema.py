"""The tables everything speaks, events, items and users, and the one place that validates them.

Chapter: 00 (quickstart), 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
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
    "COUNTED_KINDS",
    "EVENT_COLUMNS",
    "EVENT_WEIGHTS",
    "ITEM_COLUMNS",
    "SchemaError",
    "event_strength",
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
LARGEST_WEIGHT = 1e6  # sums of larger ones lose the small ones

#: Default worth of one event of each kind. The order of the kinds is common sense (a purchase says
#: more than a glance), the sizes are a convention: override them where you have evidence.
EVENT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "impression": 0.0,  # shown, not chosen: no evidence of interest by itself
        "browse": 1.0,
        "search": 1.0,
        "exam_score": 1.0,
        "play": 2.0,
        "follow": 3.0,
        "like": 3.0,
        "comment": 3.0,
        "rate": 3.0,  # multiplied by the rating's distance from neutral, so it can be negative
        "share": 4.0,
        "favourite": 4.0,
        "enrol": 5.0,
        "purchase": 5.0,
        "return": -5.0,  # takes back a purchase
    }
)

#: Kinds of event whose `value` counts: how many times, or how many pieces. Without a value it is
#: one. The other kinds happen once, or have a rating or a score.
COUNTED_KINDS = frozenset(
    ("impression", "browse", "search", "play", "comment", "share", "purchase", "return")
)


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


def event_strength(
    events: pd.DataFrame,
    weights: Mapping[str, float] | None = None,
    neutral_rating: float = 3.0,
    *,
    counts: str = "log2",
) -> pd.Series:
    r"""Return how much each event says for (+) or against (−) an interest.

    .. math:: s_e = w_{\mathrm{kind}(e)} \cdot
        \begin{cases} (v_e - v_0) / 2 & \text{for ratings} \\
        \log_2(1 + v_e) & \text{for counts, where } v_e = 1 \text{ if there is no value} \\
        1 & \text{otherwise} \end{cases}

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`).
    weights : mapping of str to float, optional
        Weight of each event kind; the kinds given here override or extend `EVENT_WEIGHTS`.
    neutral_rating : float, default 3.0
        The rating :math:`v_0` that says nothing either way, in the unit of the ratings. Ratings
        above it speak for an interest, ratings below it against one.
    counts : {"log2", "linear", "ignore"}, default "log2"
        What the value of the `COUNTED_KINDS` does. ``"log2"`` lets it saturate: one play counts 1,
        three count 2, seven count 3, and a song that ran a thousand times does not drown a user's
        other interests. ``"linear"`` multiplies by it, ``"ignore"`` leaves it out.

    Returns
    -------
    Series of float64
        One strength per event, same index, no unit.

    Raises
    ------
    SchemaError
        If an event kind has no weight.
    ValueError
        If `counts` is none of the three, or `neutral_rating` is not finite.

    Notes
    -----
    Chapter 05, "User profiles". A logarithm of implicit counts is the second confidence of Hu,
    Koren and Volinsky (2008), "Collaborative filtering for implicit feedback datasets", eq. (6).

    Rows: D06, D07.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"event": ["rate", "rate", "like"], "value": [5.0, 1.0, None]})
    >>> event_strength(log).tolist()
    [3.0, -3.0, 3.0]
    >>> plays = pd.DataFrame({"event": ["play"] * 3, "value": [None, 1, 3]})
    >>> event_strength(plays).tolist()
    [2.0, 2.0, 4.0]
    """
    check_frame(events, "events", ("event", "value"))
    if isinstance(neutral_rating, bool) or not isinstance(neutral_rating, Real):
        raise TypeError(f"neutral_rating must be a number, got {neutral_rating!r}")
    if not np.isfinite(float(neutral_rating)):
        raise ValueError(f"neutral_rating must be finite, got {neutral_rating!r}")
    if counts not in _SATURATION:
        raise ValueError(f"counts must be {shown(_SATURATION)}, got {counts!r}")
    table = weights_of(weights)
    # Each kind is looked up once: mapping millions of rows takes seconds.
    places, distinct = pd.factorize(events["event"])
    known = np.append(np.array([table.get(kind, np.nan) for kind in distinct], dtype=float), np.nan)
    weight = pd.Series(known[places], index=events.index, name="event")
    unknown = weight.isna()
    if unknown.any():
        kinds = events.loc[unknown, "event"].unique().tolist()
        raise SchemaError(
            f"events.event has kinds without a weight: {shown(kinds)}; "
            f"pass a weight for each, for example {{{shown(kinds[:1])}: 1.0}}"
        )
    value = events["value"].to_numpy(dtype=float)
    # A rating without a value says nothing; a count without one is one, a count below zero none.
    rated = np.nan_to_num((value - neutral_rating) / 2)
    counted = _SATURATION[counts](np.where(np.isnan(value), 1.0, np.maximum(value, 0.0)))
    is_rating, is_count = events["event"] == "rate", events["event"].isin(COUNTED_KINDS)
    return weight * np.where(is_rating, rated, np.where(is_count, counted, 1.0))


_SATURATION: Mapping[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    "log2": lambda count: np.log2(1.0 + count),
    "linear": lambda count: count,
    "ignore": np.ones_like,
}


def weights_of(weights: Mapping[str, float] | None) -> dict[str, float]:
    """Return the weight of every kind of event: `EVENT_WEIGHTS`, overridden by the ones given.

    >>> weights_of({"wave": 0.5})["wave"]
    0.5
    """
    if weights is not None and not isinstance(weights, Mapping):
        raise TypeError(f"event_weights must be a mapping, got {type(weights).__name__}")
    for kind, weight in (weights or {}).items():
        if isinstance(weight, bool) or not isinstance(weight, Real):
            raise TypeError(f"the weight of {kind!r} must be a number, got {weight!r}")
        if not abs(weight) <= LARGEST_WEIGHT:  # also catches NaN
            raise ValueError(
                f"the weight of {kind!r} must lie within ±{LARGEST_WEIGHT:g}, got {weight!r}"
            )
    return {**EVENT_WEIGHTS, **(weights or {})}


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
