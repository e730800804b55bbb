"""Read the times of a raw log, however they are written, as moments in UTC.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import as_numbers, plain
from recsys_interest.schema import TIMESTAMP_DTYPE, in_utc

__all__ = ["parse_times"]

UNITS = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}
_LAST = 253402300799 * 1e6  # the end of the year 9999: beyond it dates cannot be written
_BLOCK = 1_000_000  # pandas makes a Python string of every time it reads, so not all at once


class Times(NamedTuple):
    """Moments in UTC, and the rows whose local time the clocks skipped or showed twice."""

    moments: pd.Series
    gaps: npt.NDArray[np.bool_]
    overlaps: npt.NDArray[np.bool_]


def parse_times(stamps: pd.Series, unit: str = "s", timezone: str = "UTC") -> pd.Series:
    """Return times in UTC with microseconds; what is not a time becomes NaT.

    Parameters
    ----------
    stamps : Series
        Times, ISO 8601 text, or numbers since 1970.
    unit : {"s", "ms", "us", "ns"}, default "s"
        Unit of numbers, which always count from 1970 in UTC. Eight digits as text are a date.
    timezone : str, default "UTC"
        Where the clock hung that wrote the times without an offset, such as ``"Europe/Berlin"``.
        A time that the clocks skipped in spring is moved forward to the end of the gap; of a time
        that they showed twice in autumn the first, still in summer time, is taken.

    Returns
    -------
    Series of datetime64[us, UTC]
        Same index.

    Raises
    ------
    ValueError
        If the unit or the time zone is unknown.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> import pandas as pd
    >>> parse_times(pd.Series(["2026-01-05", "0", "03/04/2026"])).isna().tolist()
    [False, False, True]
    >>> parse_times(pd.Series(["2026-07-01T12:00"]), timezone="Europe/Berlin")[0].hour
    10
    """
    return read_times(stamps, unit, timezone).moments


def read_times(stamps: pd.Series, unit: str = "s", timezone: str = "UTC") -> Times:
    """Return what `parse_times` does, and where the clocks jumped."""
    if unit not in UNITS:
        raise ValueError(f"timestamp_unit must be 's', 'ms', 'us' or 'ns', got {unit!r}")
    zone = check_zone(timezone)
    stamps = plain(stamps)
    if pd.api.types.is_datetime64_any_dtype(stamps.dtype):
        return _from_datetimes(stamps, zone)
    if pd.api.types.is_numeric_dtype(stamps.dtype):
        return _sure(_from_numbers(as_numbers(stamps), unit))
    blocks = [
        _from_written(stamps.iloc[at : at + _BLOCK], unit, zone)
        for at in range(0, max(len(stamps), 1), _BLOCK)
    ]
    if len(blocks) == 1:
        return blocks[0]
    gaps, overlaps = ([getattr(b, f) for b in blocks] for f in ("gaps", "overlaps"))
    moments = pd.concat([b.moments for b in blocks])
    return Times(moments, np.concatenate(gaps), np.concatenate(overlaps))


def check_zone(timezone: str) -> str:
    """Return the name of a time zone if there is one of that name.

    >>> check_zone("Mars/Olympus")
    Traceback (most recent call last):
        ...
    ValueError: there is no time zone 'Mars/Olympus'; use a name like 'Europe/Berlin' or 'UTC'
    """
    if not isinstance(timezone, str):
        raise TypeError(f"timezone must be the name of a time zone, got {timezone!r}")
    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, LookupError):  # a name that is a folder, or a path, or unknown
        raise ValueError(
            f"there is no time zone {timezone!r}; use a name like 'Europe/Berlin' or 'UTC'"
        ) from None
    return timezone


def _sure(moments: pd.Series) -> Times:
    nowhere = np.zeros(len(moments), dtype=bool)
    return Times(moments, nowhere, nowhere)


def _from_datetimes(stamps: pd.Series, zone: str) -> Times:
    if stamps.dt.tz is not None or zone == "UTC":
        return _sure(in_utc(stamps))
    local = in_utc(stamps).dt.tz_localize(None)
    # A jump is at most a day long, so that these years have their place on the calendar of UTC.
    local = local.where(local.dt.year.between(2, 9998))
    once = local.dt.tz_localize(zone, ambiguous="NaT", nonexistent="shift_forward")
    overlaps = (once.isna() & local.notna()).to_numpy()
    first = np.ones(len(local), dtype=bool)
    zoned = local.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    gaps = (zoned.notna() & (zoned.dt.tz_localize(None) != local)).to_numpy()
    return Times(in_utc(zoned), gaps, overlaps)


def _from_numbers(stamps: pd.Series, unit: str) -> pd.Series:
    # In whole microseconds, so that no fraction is lost to floats and nothing overflows.
    with np.errstate(over="ignore"):
        micros = stamps.to_numpy(dtype=float, na_value=np.nan) * UNITS[unit]
    good = np.isfinite(micros) & (np.abs(micros) <= _LAST)
    whole = np.where(good, micros, 0).round().astype("int64")
    times = pd.Series(whole, index=stamps.index).astype("datetime64[us]").dt.tz_localize("UTC")
    return in_utc(times.where(good))


def _from_written(stamps: pd.Series, unit: str, zone: str) -> Times:
    """Read text, or a mixture of text, numbers and times."""
    if isinstance(stamps.dtype, pd.StringDtype):
        # No number begins like this, and almost every date does.
        usual = stamps.str.match(r"\d{4}-", na=False).to_numpy(dtype=bool)
        if usual.all():
            return _from_iso(stamps, zone)
        return _joined(usual, _from_iso(stamps[usual], zone), _mixed(stamps[~usual], unit, zone))
    return _mixed(stamps, unit, zone)


def _joined(first: npt.NDArray[np.bool_], these: Times, those: Times) -> Times:
    """Put two sorts of rows together, in the order in which a mask tells them apart."""
    order = np.argsort(np.argsort(~first, kind="stable"), kind="stable")
    moments = pd.concat([these.moments, those.moments]).iloc[order]
    gaps, overlaps = (
        np.concatenate(pair)[order] for pair in zip(these[1:], those[1:], strict=True)
    )
    return Times(moments, gaps, overlaps)


def _mixed(stamps: pd.Series, unit: str, zone: str) -> Times:
    stamps = stamps.astype(object)
    numbers = as_numbers(stamps.where(stamps.map(_counts_time).astype(bool)))
    written = (stamps.map(_writes_time).astype(bool) & numbers.isna()).to_numpy()
    numbered = _from_numbers(numbers[~written], unit)
    return _joined(written, _from_iso(stamps[written], zone), _sure(numbered))


def _from_iso(stamps: pd.Series, zone: str) -> Times:
    if zone == "UTC":
        return _sure(in_utc(_parsed(stamps)))
    offset = stamps.map(_has_offset).astype(bool).to_numpy()
    local = _from_datetimes(_parsed(stamps).dt.tz_localize(None), zone)
    zoned = in_utc(_parsed(stamps))
    moments = local.moments.where(~offset, zoned)
    return Times(moments.astype(TIMESTAMP_DTYPE), local.gaps & ~offset, local.overlaps & ~offset)


def _parsed(stamps: pd.Series) -> pd.Series:
    return pd.to_datetime(stamps, utc=True, errors="coerce", format="ISO8601")


def _has_offset(value: object) -> bool:
    if isinstance(value, str):
        clock = value.strip()[10:]  # after the date, or after the compact date and its T
        return clock[-1:] in {"Z", "z"} or "+" in clock or "-" in clock
    return getattr(value, "tzinfo", None) is not None


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
