"""The two tables everything speaks, events and items, and the one place that validates them.

Chapter: 00 (quickstart), 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

import numpy as np
import pandas as pd

__all__ = [
    "EVENT_COLUMNS",
    "EVENT_WEIGHTS",
    "ITEM_COLUMNS",
    "SchemaError",
    "check_same_ids",
    "event_strength",
    "validate_events",
    "validate_items",
]

EVENT_COLUMNS = ("user_id", "item_id", "event", "timestamp", "value", "text")
ITEM_COLUMNS = ("item_id", "title", "description", "tags", "category", "language")

TIMESTAMP_DTYPE = "datetime64[us, UTC]"

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


class SchemaError(ValueError):
    """A table does not fit the schema; the message names the column, the values and the fix."""


def shown(values: Iterable[object], limit: int = 5) -> str:
    """Return up to `limit` distinct values as text for an error message.

    >>> shown(["a", "b", "a"])
    "'a', 'b'"
    """
    distinct = list(dict.fromkeys(repr(v) for v in values))
    # One value may be a megabyte long; an error message must stay readable.
    short = [v if len(v) <= 60 else v[:57] + "..." for v in distinct[:limit]]
    more = f" and {len(distinct) - limit} more" if len(distinct) > limit else ""
    return ", ".join(short) + more


def check_frame(table: object, name: str, required: Iterable[str]) -> pd.DataFrame:
    """Return `table` if it is a frame with the `required` columns, each once."""
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{name} must be a pandas DataFrame, got {type(table).__name__}")
    columns = list(table.columns)
    missing = [c for c in required if c not in columns]
    if missing:
        raise SchemaError(
            f"{name} lacks the column(s) {shown(missing)}; it has {shown(columns, 12)}. "
            f"Rename them: {name}.rename(columns={{'your name': {missing[0]!r}}})"
        )
    twice = [c for c in columns if columns.count(c) > 1]
    if twice:
        raise SchemaError(f"{name} has the column(s) {shown(twice)} more than once; keep one each")
    return table


def canonical_ids(ids: pd.Series, where: str) -> pd.Series:
    """Return ids as int64 or str, whichever they are, without changing a value.

    Raises
    ------
    SchemaError
        If an id is missing, is neither a whole number nor text, or the kinds are mixed.
    """
    if ids.isna().any():
        raise SchemaError(
            f"{where} is missing in {int(ids.isna().sum())} row(s), the first at index "
            f"{shown(ids.index[ids.isna()][:1])}; drop those rows, or use clean_events"
        )
    if isinstance(ids.dtype, pd.CategoricalDtype):
        ids = ids.astype(ids.cat.categories.dtype)
    if isinstance(ids.dtype, pd.StringDtype):
        return ids if ids.dtype == "str" else ids.astype("str")
    if pd.api.types.is_bool_dtype(ids.dtype):
        raise SchemaError(f"{where} holds True/False; ids are whole numbers or text")
    if pd.api.types.is_integer_dtype(ids.dtype):
        return _to_int64(ids, where)
    if pd.api.types.is_float_dtype(ids.dtype):
        return _whole_numbers(ids, where)
    if ids.dtype == object:
        return _object_ids(ids, where)
    raise SchemaError(f"{where} has the type {ids.dtype}; ids are whole numbers or text")


def _to_int64(ids: pd.Series, where: str) -> pd.Series:
    if ids.dtype == np.int64:
        return ids
    if len(ids) and int(ids.max()) > np.iinfo(np.int64).max:
        raise SchemaError(f"{where} exceeds 64 bits: {shown([ids.max()])}; use {where}.astype(str)")
    return ids.astype(np.int64)


def _whole_numbers(ids: pd.Series, where: str) -> pd.Series:
    # A column of whole numbers with a gap arrives from a file as floats: 3.0 is the id 3.
    values = ids.to_numpy(dtype=float)
    odd = ~np.isfinite(values) | (values != np.round(values)) | (np.abs(values) > 2**53)
    if odd.any():
        raise SchemaError(f"{where} holds fractions, not ids: {shown(values[odd].tolist())}")
    return ids.astype(np.int64)


def _object_ids(ids: pd.Series, where: str) -> pd.Series:
    kinds = {type(v) for v in ids}
    if all(issubclass(k, str) for k in kinds):
        return ids.astype("str")
    if all(issubclass(k, (int, np.integer)) and not issubclass(k, bool) for k in kinds):
        try:
            return ids.astype(np.int64)
        except OverflowError:
            raise SchemaError(f"{where} exceeds 64 bits; use {where}.astype(str)") from None
    names = shown(sorted(k.__name__ for k in kinds))
    raise SchemaError(f"{where} mixes the kinds {names}; make it one kind: {where}.astype(str)")


def check_same_ids(left: pd.Series, right: pd.Series, left_name: str, right_name: str) -> None:
    """Raise if one id column holds numbers and the other text, so that nothing could match.

    Parameters
    ----------
    left, right : Series
        Canonical id columns (int64 or str).
    left_name, right_name : str
        What to call them in the message.

    Raises
    ------
    SchemaError
        If both have rows and their kinds differ.
    """
    if len(left) and len(right) and left.dtype != right.dtype:
        raise SchemaError(
            f"{left_name} is {left.dtype}, {right_name} is {right.dtype}, so no id can match; "
            f"make both text: .astype(str)"
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
    recsys_interest.schema.SchemaError: events lacks the column(s) 'item_id'; ...
    """
    check_frame(events, "events", ("user_id", "item_id", "timestamp"))
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

    Examples
    --------
    >>> import pandas as pd
    >>> validate_items(pd.DataFrame({"item_id": [7], "title": ["Tent"]})).loc[0, "tags"]
    ''
    >>> validate_items(pd.DataFrame({"item_id": [7, 7]}))
    Traceback (most recent call last):
        ...
    recsys_interest.schema.SchemaError: items.item_id has duplicates: 7; ...
    """
    check_frame(items, "items", ("item_id",))
    out = items.copy(deep=False)
    out["item_id"] = canonical_ids(items["item_id"], "items.item_id")
    twice = out["item_id"].duplicated()
    if twice.any():
        raise SchemaError(
            f"items.item_id has duplicates: {shown(out.loc[twice, 'item_id'].tolist())}; "
            f"keep one row each: items.drop_duplicates('item_id')"
        )
    for column in ITEM_COLUMNS[1:]:
        out[column] = _texts(items, column)
    extra = [c for c in items.columns if c not in ITEM_COLUMNS]
    return out[[*ITEM_COLUMNS, *extra]]


def event_strength(
    events: pd.DataFrame,
    weights: Mapping[str, float] | None = None,
    neutral_rating: float = 3.0,
) -> pd.Series:
    r"""Return how much each event says for (+) or against (−) an interest.

    .. math:: s_e = w_{\mathrm{kind}(e)} \cdot
        \begin{cases} (v_e - v_0) / 2 & \text{for ratings} \\ 1 & \text{otherwise} \end{cases}

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`).
    weights : mapping of str to float, optional
        Weight of each event kind; the kinds given here override or extend `EVENT_WEIGHTS`.
    neutral_rating : float, default 3.0
        The rating :math:`v_0` that says nothing either way, in the unit of the ratings.

    Returns
    -------
    Series of float64
        One strength per event, same index, no unit.

    Raises
    ------
    SchemaError
        If an event kind has no weight.

    Notes
    -----
    Chapter 05, "User profiles".

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"event": ["rate", "rate", "like"], "value": [5.0, 1.0, None]})
    >>> event_strength(log).tolist()
    [3.0, -3.0, 3.0]
    """
    table = {**EVENT_WEIGHTS, **(weights or {})}
    weight = events["event"].map(table).astype(float)
    unknown = weight.isna()
    if unknown.any():
        kinds = events.loc[unknown, "event"].unique().tolist()
        raise SchemaError(
            f"events.event has kinds without a weight: {shown(kinds)}; "
            f"pass a weight for each, for example {{{shown(kinds[:1])}: 1.0}}"
        )
    rated = (events["event"] == "rate").to_numpy()
    scale = np.where(rated, (events["value"].to_numpy(dtype=float) - neutral_rating) / 2, 1.0)
    return weight * np.nan_to_num(scale)  # a rating without a value says nothing


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
    if not pd.api.types.is_datetime64_any_dtype(stamps.dtype):
        raise SchemaError(
            f"events.timestamp has the type {stamps.dtype}; parse it first: "
            f"pd.to_datetime(..., utc=True), or use clean_events, which parses and reports"
        )
    if stamps.isna().any():
        raise SchemaError(
            f"events.timestamp is missing in {int(stamps.isna().sum())} row(s); use clean_events"
        )
    return in_utc(stamps)


def in_utc(times: pd.Series) -> pd.Series:
    """Return datetimes in UTC with microseconds; times without a zone are read as UTC."""
    zoned = times.dt.tz_localize("UTC") if times.dt.tz is None else times.dt.tz_convert("UTC")
    return zoned.astype(TIMESTAMP_DTYPE)


def _values(events: pd.DataFrame) -> pd.Series:
    if "value" not in events.columns:
        return pd.Series(np.nan, index=events.index, dtype="float64")
    column = events["value"]
    values = pd.to_numeric(column, errors="coerce").astype("float64")
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
    texts = table[column]
    if isinstance(texts.dtype, pd.CategoricalDtype):
        texts = texts.astype(texts.cat.categories.dtype)
    if texts.dtype == object:
        kinds = {type(v) for v in texts[texts.notna()]}
        if not all(issubclass(k, str) for k in kinds):
            raise SchemaError(
                f"{column} must be text, it holds {shown(sorted(k.__name__ for k in kinds))}; "
                f"join lists first, for example .str.join(', ')"
            )
    elif not isinstance(texts.dtype, pd.StringDtype) and texts.notna().any():
        raise SchemaError(f"{column} must be text, it has the type {texts.dtype}; use .astype(str)")
    return texts.astype("str").fillna("")
