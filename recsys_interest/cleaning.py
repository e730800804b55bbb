"""Turn a raw log into a clean one, and hand back every rejected row with its reason.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from recsys_interest.checks import (
    SchemaError,
    as_moment,
    as_numbers,
    canonical_ids,
    check_frame,
    check_same_ids,
    plain,
    valid_text,
)
from recsys_interest.schema import (
    TIMESTAMP_DTYPE,
    in_utc,
    validate_events,
    validate_items,
    weights_of,
)

__all__ = ["REASONS", "CleanLog", "clean_events"]

#: The reasons for rejecting a row, each with its meaning. They are tried in this order, and a row
#: carries the first that applies: missing_user, missing_item, missing_event, unknown_event,
#: unparsable_time, future_time, bad_value, missing_value, unknown_item, duplicate.
REASONS: Mapping[str, str] = {
    "missing_user": "user_id is missing or blank",
    "missing_item": "item_id is missing or blank",
    "missing_event": "the kind of event is missing or blank",
    "unknown_event": "the kind of event has no weight",
    "unparsable_time": "timestamp is missing or is not a time",
    "future_time": "timestamp lies after `now`",
    "bad_value": "value is not a finite number",
    "missing_value": "a rating or an exam score without a value",
    "unknown_item": "item_id is not in the items table",
    "duplicate": "the same row was read before",
}
_NEEDS_VALUE = ("rate", "exam_score")
_SORT = ["timestamp", "user_id", "item_id", "event", "value", "text"]


@dataclass(frozen=True)
class CleanLog:
    """A cleaned log: what was kept, what was not, and why.

    Attributes
    ----------
    events : DataFrame
        Canonical events, sorted by time, index 0…n−1.
    rejected : DataFrame
        The rejected rows as they were read, under their old index, and the column `reason`.
    report : DataFrame
        Rows read, kept and rejected for each reason that occurred, with the share of the rows read.
    """

    events: pd.DataFrame
    rejected: pd.DataFrame

    @cached_property
    def report(self) -> pd.DataFrame:
        """Rows read, kept and rejected, one line a reason."""
        counts = self.rejected["reason"].value_counts()
        lines = {"read": len(self.events) + len(self.rejected), "kept": len(self.events)}
        lines |= {f"rejected: {r}": int(counts[r]) for r in REASONS if r in counts.index}
        rows = pd.Series(lines, name="rows", dtype="int64")
        meaning = ["", "", *(REASONS[r] for r in REASONS if r in counts.index)]
        share = rows / max(int(rows["read"]), 1)
        return pd.DataFrame({"rows": rows, "share": share, "meaning": meaning})

    def __repr__(self) -> str:
        return f"CleanLog\n{self.report.to_string(formatters={'share': '{:.2%}'.format})}"

    def _repr_html_(self) -> str:
        return self.report.to_html(formatters={"share": "{:.2%}".format})


def clean_events(
    events: pd.DataFrame,
    items: pd.DataFrame | None = None,
    *,
    now: str | pd.Timestamp | None = None,
    event_weights: Mapping[str, float] | None = None,
    timestamp_unit: str = "s",
) -> CleanLog:
    """Sort a raw log into clean events and rejected rows; no row is lost.

    The result does not depend on the order of the rows, and cleaning a clean log changes nothing.

    Parameters
    ----------
    events : DataFrame
        `user_id`, `item_id`, `timestamp` (times, ISO 8601 text, or seconds since 1970), and
        optional `event` (default ``"browse"``), `value`, `text`. Other columns are kept.
    items : DataFrame, optional
        If given, events on items that it does not list are rejected.
    now : str or Timestamp, optional
        Events after this moment are rejected; the current time by default. A time without a zone is
        UTC, here and in `events`.
    event_weights : mapping of str to float, optional
        Kinds of event to accept beside those of `EVENT_WEIGHTS`.
    timestamp_unit : {"s", "ms", "us", "ns"}, default "s"
        Unit of numeric timestamps.

    Returns
    -------
    CleanLog
        `events`, `rejected` and `report`; rows read = rows kept + rows rejected.

    Raises
    ------
    TypeError
        If `events` or `items` is not a DataFrame.
    SchemaError
        If a column is missing or given twice, if ids are of mixed kinds, or if the ids of events
        and items are of different kinds.

    Notes
    -----
    Times written like 03/04/2026 are ambiguous and are rejected as `unparsable_time`; parse them
    first with the format you know. Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame({
    ...     "user_id": ["ann", "ann", None],
    ...     "item_id": ["tent", "tent", "tent"],
    ...     "timestamp": ["2026-01-05 10:00"] * 3,
    ... })
    >>> log = clean_events(raw, now="2026-02-01")
    >>> len(log.events), log.rejected["reason"].tolist()
    (1, ['duplicate', 'missing_user'])
    """
    events = check_frame(events, "events", ("user_id", "item_id", "timestamp"))
    if "reason" in events.columns:
        raise SchemaError("events has a column 'reason', which is ours to write; rename it first")
    if timestamp_unit not in ("s", "ms", "us", "ns"):
        raise ValueError(f"timestamp_unit must be 's', 'ms', 'us' or 'ns', got {timestamp_unit!r}")
    raw = events.reset_index(drop=True)
    faults = _Faults(len(raw))
    parsed = _parse(raw, faults, weights_of(event_weights), timestamp_unit)
    faults.add("future_time", parsed["timestamp"].gt(_moment(now)))
    if items is not None:
        _reject_unknown_items(parsed["item_id"], validate_items(items), faults)
    return _assemble(events, raw, parsed, faults)


class _Faults:
    """The first fault of every row; 0 while there is none."""

    def __init__(self, n_rows: int) -> None:
        self.code = np.zeros(n_rows, dtype=np.int8)

    def add(self, reason: str, rows: pd.Series | np.ndarray) -> None:
        order = list(REASONS).index(reason) + 1
        mask = np.asarray(rows, dtype=bool) & ((self.code == 0) | (self.code > order))
        self.code[mask] = order

    def reasons(self) -> np.ndarray:
        return np.array(["", *REASONS], dtype=object)[self.code]


def _moment(now: str | pd.Timestamp | None) -> pd.Timestamp:
    return pd.Timestamp.now("UTC") if now is None else as_moment(now, "now")


def _parse(
    raw: pd.DataFrame, faults: _Faults, weights: Mapping[str, float], unit: str
) -> dict[str, pd.Series]:
    parsed = {}
    for column, reason in (("user_id", "missing_user"), ("item_id", "missing_item")):
        missing = _missing(raw[column])
        faults.add(reason, missing)
        parsed[column] = canonical_ids(raw.loc[~missing, column], f"events.{column}")
    parsed["event"] = _parse_kinds(raw, faults, weights)
    parsed["timestamp"] = parse_times(raw["timestamp"], unit)
    faults.add("unparsable_time", parsed["timestamp"].isna())
    parsed["value"] = _parse_values(raw, faults)
    needs = parsed["event"].isin(_NEEDS_VALUE) & parsed["value"].isna()
    faults.add("missing_value", needs)
    parsed["text"] = _parse_texts(raw)
    return parsed


def _missing(column: pd.Series) -> pd.Series:
    column = plain(column)
    missing = column.isna()
    if column.dtype == object or isinstance(column.dtype, pd.StringDtype):
        missing |= column.map(lambda v: isinstance(v, str) and not v.strip()).astype(bool)
    return missing


def _parse_kinds(raw: pd.DataFrame, faults: _Faults, weights: Mapping[str, float]) -> pd.Series:
    if "event" not in raw.columns:
        return pd.Series("browse", index=raw.index, dtype="str")
    kinds = raw["event"].astype(object)
    faults.add("missing_event", _missing(kinds))
    known = kinds.map(lambda v: isinstance(v, str) and v in weights).astype(bool)
    faults.add("unknown_event", ~known)
    return kinds.where(known, "").astype("str")


def parse_times(stamps: pd.Series, unit: str = "s") -> pd.Series:
    """Return times in UTC with microseconds; what is not a time becomes NaT.

    Parameters
    ----------
    stamps : Series
        Times, ISO 8601 text, or numbers since 1970.
    unit : str, default "s"
        Unit of numbers.

    Returns
    -------
    Series of datetime64[us, UTC]
        Same index.

    Examples
    --------
    >>> import pandas as pd
    >>> parse_times(pd.Series(["2026-01-05", "0", "03/04/2026"])).isna().tolist()
    [False, False, True]
    """
    stamps = plain(stamps)
    if pd.api.types.is_datetime64_any_dtype(stamps.dtype):
        return in_utc(stamps)
    if pd.api.types.is_numeric_dtype(stamps.dtype):
        return _from_numbers(as_numbers(stamps), unit)
    return _from_objects(stamps.astype(object), unit)


def _from_numbers(stamps: pd.Series, unit: str) -> pd.Series:
    # In whole microseconds, so that no fraction is lost to floats and nothing overflows.
    micros = stamps.to_numpy(dtype=float, na_value=np.nan) * {
        "s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3,
    }[unit]  # fmt: skip
    limit = 253402300799 * 1e6  # the end of the year 9999: beyond it dates cannot be written
    good = np.isfinite(micros) & (np.abs(micros) <= limit)
    whole = np.where(good, micros, 0).round().astype("int64")
    times = pd.Series(whole, index=stamps.index).astype("datetime64[us]").dt.tz_localize("UTC")
    return times.where(good).astype(TIMESTAMP_DTYPE)


def _from_objects(stamps: pd.Series, unit: str) -> pd.Series:
    numbers = as_numbers(stamps.where(stamps.map(_counts_time)))
    times = _from_numbers(numbers, unit)
    written = stamps.map(_writes_time) & numbers.isna()
    if written.any():
        parsed = pd.to_datetime(stamps[written], utc=True, errors="coerce", format="ISO8601")
        times[written] = in_utc(parsed)
    return times


def _counts_time(value: object) -> bool:
    if isinstance(value, str):
        # Eight digits are a compact ISO date (20260105); any other number counts seconds.
        return not (len(value) == 8 and value.isdigit())
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)


def _writes_time(value: object) -> bool:
    if isinstance(value, str):
        # pandas also reads words such as "now", which mean something else at every call.
        return value.strip()[:1].isdigit()
    return isinstance(value, (date, np.datetime64))  # a datetime is a date


def _parse_values(raw: pd.DataFrame, faults: _Faults) -> pd.Series:
    if "value" not in raw.columns:
        return pd.Series(np.nan, index=raw.index, dtype="float64")
    column = raw["value"]
    values = as_numbers(column)
    blank = _missing(column)
    faults.add("bad_value", (values.isna() & ~blank) | np.isinf(values))
    return values


def _parse_texts(raw: pd.DataFrame) -> pd.Series:
    if "text" not in raw.columns:
        return pd.Series("", index=raw.index, dtype="str")
    texts = raw["text"].astype(object)
    return texts.where(texts.notna(), "").map(lambda v: valid_text(str(v))).astype("str")


def _reject_unknown_items(ids: pd.Series, items: pd.DataFrame, faults: _Faults) -> None:
    check_same_ids(ids, items["item_id"], "events.item_id", "items.item_id")
    unknown = np.zeros(len(faults.code), dtype=bool)
    unknown[ids.index.to_numpy()] = ~ids.isin(items["item_id"]).to_numpy()
    faults.add("unknown_item", unknown)


def _assemble(
    events: pd.DataFrame, raw: pd.DataFrame, parsed: dict[str, pd.Series], faults: _Faults
) -> CleanLog:
    good = faults.code == 0
    table = raw[good].copy(deep=False)
    for name, column in parsed.items():
        table[name] = column[good[column.index.to_numpy()]]
    table = validate_events(table)
    again = _repeats(table[_SORT], raw)
    faults.add("duplicate", np.isin(np.arange(len(raw)), again))
    kept = table.drop(index=again).sort_values(_SORT, ignore_index=True)
    rejected = events[faults.code > 0].copy()
    rejected["reason"] = faults.reasons()[faults.code > 0].astype(str)
    return CleanLog(kept, _ordered(rejected))


def _repeats(table: pd.DataFrame, raw: pd.DataFrame) -> np.ndarray:
    """Return the positions of all but one row of every group of equal rows."""
    twins = table[table.duplicated(keep=False).to_numpy()]
    # Rows that mean the same may be written differently; the order must not decide which stays.
    spelling = _spelled(raw.loc[twins.index])
    ordered = twins.assign(spelling=spelling).sort_values([*_SORT, "spelling"], kind="stable")
    return ordered.index[ordered.duplicated(_SORT)].to_numpy()


def _spelled(rows: pd.DataFrame) -> pd.Series:
    columns = sorted(rows.columns, key=str)
    spelled = ["\x1f".join(map(repr, row)) for row in rows[columns].itertuples(index=False)]
    return pd.Series(spelled, index=rows.index, dtype=object)


def _ordered(rejected: pd.DataFrame) -> pd.DataFrame:
    keys = list(zip(rejected["reason"], _spelled(rejected), strict=True))
    return rejected.iloc[sorted(range(len(keys)), key=keys.__getitem__)]
