"""Turn a raw log into a clean one, and hand back every rejected row with its reason.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.characters import misread_anywhere, restore_text
from recsys_interest.checks import SchemaError, as_moment, check_frame, check_same_ids
from recsys_interest.clean_log import REASONS, CleanLog, Findings
from recsys_interest.duplicates import Keys, in_order, near_duplicates, pair_codes, spelled
from recsys_interest.event_weights import weights_of
from recsys_interest.filling import check_fill, fill_items, fill_values
from recsys_interest.parsing import Codes, code_ids, code_kinds, read_texts, read_values
from recsys_interest.returns import match_returns
from recsys_interest.robots import RobotRule
from recsys_interest.schema import EVENT_COLUMNS, validate_items
from recsys_interest.times import read_times

__all__ = ["REASONS", "CleanLog", "clean_events"]

Rows = npt.NDArray[np.intp]


def clean_events(
    events: pd.DataFrame,
    items: pd.DataFrame | None = None,
    *,
    now: str | pd.Timestamp | None = None,
    event_weights: Mapping[str, float] | None = None,
    timestamp_unit: str = "s",
    timezone: str = "UTC",
    fill: Mapping[str, Any] | None = None,
    near_duplicates: str | timedelta | None = None,
    robots: RobotRule | None = None,
    repair_text: bool = False,
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
        Events after this moment are rejected; the current time by default. Without a zone it is
        read as UTC.
    event_weights : mapping of str to float, optional
        Kinds of event to accept beside those of `EVENT_WEIGHTS`.
    timestamp_unit : {"s", "ms", "us", "ns"}, default "s"
        Unit of numeric timestamps, which count from 1970 in UTC.
    timezone : str, default "UTC"
        Where times without an offset were written, such as ``"Asia/Shanghai"``. A time that the
        clocks skipped is moved forward to the end of the gap, of a time that they showed twice the
        first is taken; both are counted as repairs.
    fill : mapping, optional
        What to fill in where something is missing; rows are rejected by default. ``"event"``: a
        kind of event. ``"item_id"``: an id, which `items` must list, too. ``"value"``: a number, or
        ``"median"`` for the median of the kind's values, both for ratings and exam scores without
        a value; or a mapping from any kinds of event to such a number or ``"median"``.
    near_duplicates : str or timedelta, optional
        A length of time such as ``"2s"``: events of the same user, item and kind within it after
        one that is kept are rejected, whatever their value and text. By default only equal rows
        are.
    robots : RobotRule, optional
        Reject all events of users that no person can be. By default nobody is judged: the regular
        times of a log made by hand or by a program for teaching would look like a robot's.
    repair_text : bool, default False
        Restore `text` that is UTF-8 read as Windows-1252, where `restore_text` is sure of it.

    Returns
    -------
    CleanLog
        `events`, `rejected`, `repairs` and `report`; rows read = rows kept + rows rejected.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    SchemaError
        If a column is missing or given twice, or ids are of doubtful or mixed kinds: such a table
        was read wrongly as a whole, and rejecting row after row would hide it.
    ValueError
        If an argument has a value that it cannot have.

    Notes
    -----
    A negative `value` of a purchase makes it a return, if the user bought the item before. Every
    repair is counted; the rows that are rejected come back as they were read.

    Chapter 01, "Behaviour logs".

    Rows: D02, D03, D05.

    Examples
    --------
    >>> import pandas as pd
    >>> raw = pd.DataFrame(
    ...     {"user_id": ["u", "u", None], "item_id": "a", "timestamp": "2026-01-05T10:00"}
    ... )
    >>> log = clean_events(raw, now="2026-02-01")
    >>> len(log.events), log.rejected["reason"].tolist()
    (1, ['duplicate', 'missing_user'])
    """
    events = check_frame(events, "events", ("user_id", "item_id", "timestamp"))
    if "reason" in events.columns:
        raise SchemaError("events has a column 'reason', which is ours to write; rename it first")
    weights = weights_of(event_weights)
    filled = check_fill(fill, weights)
    window = _check_window(near_duplicates)
    if robots is not None and not isinstance(robots, RobotRule):
        raise TypeError(f"robots must be a RobotRule, got {type(robots).__name__}")
    moment = pd.Timestamp.now("UTC") if now is None else as_moment(now, "now")
    raw, findings = events.reset_index(drop=True), Findings(len(events))

    users, things = _read_ids(raw, filled, findings)
    kinds = code_kinds(raw.get("event"), len(raw), weights, findings, filled.get("event"))
    moments = _read_moments(raw["timestamp"], timestamp_unit, timezone, moment, findings)
    value = read_values(raw.get("value"), kinds, findings)
    if items is not None:
        _reject_unknown(things, validate_items(items), findings)
    value = fill_values(value, kinds, filled.get("value", {}), findings)

    micros = moments.array.asi8
    pair = pair_codes((users.codes, len(users.values)), (things.codes, len(things.values)))
    kinds, value = match_returns(kinds, value, pair, micros, findings)
    pair = pair_codes(
        (users.codes, len(users.values)),
        (things.codes, len(things.values)),
        (kinds.codes, len(kinds.values)),
    )
    keys = Keys(micros, pair, value)
    texts = _Texts(raw.get("text"), repair_text)
    kept = _without_repetitions(raw, texts, keys, window, findings)
    if robots is not None:
        kept = _without_robots(kept, users, micros, robots, findings)
    del pair, keys
    columns = {
        "user_id": users.decoded(kept),
        "item_id": things.decoded(kept),
        "event": kinds.decoded(kept),
        "timestamp": moments.take(kept).reset_index(drop=True),
        "value": value[kept],
        "text": texts.final(kept, findings),
    }
    return CleanLog(_table(columns, raw, kept), _rejected(events, findings), findings.repairs())


def _check_window(window: str | timedelta | None) -> int | None:
    """Return a length of time in microseconds."""
    if window is None:
        return None
    if not isinstance(window, (str, timedelta, np.timedelta64)):
        raise TypeError(f"near_duplicates must be a length of time like '2s', got {window!r}")
    try:
        length = pd.Timedelta(window)
    except ValueError:
        raise ValueError(f"near_duplicates is no length of time: {window!r}; write '2s'") from None
    if pd.isna(length) or length < pd.Timedelta(0):
        raise ValueError(f"near_duplicates must not be negative or missing, got {window!r}")
    return int(length // pd.Timedelta("1us"))


def _read_ids(
    raw: pd.DataFrame, filled: Mapping[str, Any], findings: Findings
) -> tuple[Codes, Codes]:
    users = code_ids(raw["user_id"], "events.user_id")
    findings.reject("missing_user", users.codes < 0)
    things = code_ids(raw["item_id"], "events.item_id")
    if "item_id" in filled:
        things = fill_items(things, filled["item_id"], findings)
    findings.reject("missing_item", things.codes < 0)
    return users, things


def _read_moments(
    stamps: pd.Series, unit: str, timezone: str, now: pd.Timestamp, findings: Findings
) -> pd.Series:
    times = read_times(stamps, unit, timezone)
    findings.reject("unparsable_time", times.moments.isna().to_numpy())
    findings.reject("future_time", (times.moments > now).to_numpy())
    findings.repair("clock_gap", times.gaps)
    findings.repair("clock_overlap", times.overlaps)
    return times.moments


def _reject_unknown(things: Codes, items: pd.DataFrame, findings: Findings) -> None:
    check_same_ids(things.values, items["item_id"], "events.item_id", "items.item_id")
    known = np.append(things.values.isin(items["item_id"]).to_numpy(), True)
    findings.reject("unknown_item", ~known[things.codes])


class _Texts:
    """The texts of some rows, restored if that is asked for."""

    def __init__(self, column: pd.Series | None, restore: bool) -> None:
        self.column, self.restore = column, restore

    def of(self, rows: Rows) -> pd.Series:
        return self._both(rows)[0]

    def final(self, rows: Rows, findings: Findings) -> pd.Series:
        texts, changed = self._both(rows)
        findings.repair("repaired_text", rows[changed])
        return texts

    def _both(self, rows: Rows) -> tuple[pd.Series, npt.NDArray[np.bool_]]:
        texts = read_texts(self.column, rows)
        changed = np.zeros(len(texts), dtype=bool)
        if self.restore:
            suspect = np.flatnonzero(misread_anywhere(texts))
            restored = texts.iloc[suspect].map(restore_text)
            changed[suspect] = (restored != texts.iloc[suspect]).to_numpy()
            texts = texts.copy()
            texts.iloc[suspect] = restored
        return texts, changed


def _without_repetitions(
    raw: pd.DataFrame, texts: _Texts, keys: Keys, window: int | None, findings: Findings
) -> Rows:
    good = np.flatnonzero(findings.good)
    kept, again = in_order(good, keys, texts.of, raw)
    findings.reject("duplicate", again)
    if window is not None:
        near = near_duplicates(kept, keys, window)
        findings.reject("near_duplicate", kept[near])
        kept = kept[~near]
    return kept


def _without_robots(
    kept: Rows, users: Codes, micros: npt.NDArray[np.int64], rule: RobotRule, findings: Findings
) -> Rows:
    robots = rule.find_codes(users.codes[kept], micros[kept], len(users.values))
    theirs = robots[users.codes[kept]]
    findings.reject("robot", kept[theirs])
    return kept[~theirs]


def _table(columns: dict[str, Any], raw: pd.DataFrame, kept: Rows) -> pd.DataFrame:
    extra = [c for c in raw.columns if c not in EVENT_COLUMNS]
    more = {c: raw[c].take(kept).reset_index(drop=True) for c in extra}
    return pd.DataFrame({**columns, **more}, index=pd.RangeIndex(len(kept)), copy=False)


def _rejected(events: pd.DataFrame, findings: Findings) -> pd.DataFrame:
    rejected = events[~findings.good].copy()
    reasons = findings.reasons()
    rejected["reason"] = reasons.astype(str)
    order = sorted(zip(reasons, spelled(rejected), range(len(rejected)), strict=True))
    return rejected.iloc[[position for _, _, position in order]]
