"""User vectors window by window: a log cut along the calendar.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.base import clone

from recsys_interest.checks import as_moment
from recsys_interest.event_ids import drop_replays
from recsys_interest.profiles import InterestProfiler
from recsys_interest.schema import validate_events

__all__ = ["window_profiles"]


def window_profiles(
    events: pd.DataFrame,
    item_vectors: pd.DataFrame,
    every: str,
    *,
    profiler: InterestProfiler | None = None,
    memory: bool = False,
    origin: str | pd.Timestamp = "start_day",
) -> pd.DataFrame:
    """Return one interest vector for every user and window.

    Parameters
    ----------
    events : DataFrame
        Valid events, in any order: a window is decided by the time stamp, and not by when the row
        came. With a column `event_id`, a repeated event counts once, see `drop_replays`.
    item_vectors : DataFrame, shape (n_items, n_features)
        Numeric, indexed by item id.
    every : str
        How long a window is, a frequency of pandas: "YS" (calendar years), "QS", "MS", "7D".
    profiler : InterestProfiler, optional
        Weighs the events; the default one if not given.
    memory : bool, default False
        Whether a vector is made of all events up to the end of the window, which is meant for a
        profiler with a half-life, instead of the events in the window alone.
    origin : Timestamp or {"start_day", "epoch"}, default "start_day"
        From where windows of a number of days are counted: the day of the first event, or a fixed
        moment, which cuts a longer log at the same places.

    Returns
    -------
    DataFrame of float32
        Indexed by `window` and `user_id`, both ascending. A window is called by its first moment in
        UTC; one of "W", "ME", "QE" or "YE", as in pandas, by its last day. A user has a row in a
        window with an event; a window without events has no rows.

    Raises
    ------
    TypeError
        If something is of the wrong kind.
    SchemaError
        If the tables do not fit the schema, or one `event_id` stands for different events.
    ValueError
        If `every` is no frequency, or there are no events.

    Notes
    -----
    Chapter 14, "Dynamic interests". All vectors lie in one space, that of the items, so that those
    of different windows can be compared.

    Examples
    --------
    >>> vectors = pd.DataFrame({"x": [1.0, 0.0], "y": [0.0, 1.0]}, index=["tent", "novel"])
    >>> log = pd.DataFrame({"user_id": ["ann"] * 2, "item_id": ["tent", "novel"],
    ...                     "event": ["like"] * 2,
    ...                     "timestamp": pd.to_datetime(["2025-06-01", "2026-06-01"])})
    >>> window_profiles(log, vectors, "YS").droplevel("user_id")
                                 x    y
    window
    2025-01-01 00:00:00+00:00  1.0  0.0
    2026-01-01 00:00:00+00:00  0.0  1.0
    """
    log = validate_events(drop_replays(events))
    if log.empty:
        raise ValueError("events holds no events, so there are no windows")
    if profiler is not None and not isinstance(profiler, InterestProfiler):
        raise TypeError(f"profiler must be an InterestProfiler, got {profiler!r}")
    own = InterestProfiler() if profiler is None else clone(profiler)
    found = {}
    for window, mine in _cut(log, every, origin):
        if memory:
            own.partial_fit(mine, item_vectors)
            found[window] = own.lookup(sorted(mine["user_id"].unique()))
        else:
            found[window] = own.fit(mine, item_vectors).profiles_
    return pd.concat(found, names=["window", "user_id"])


def _cut(log: pd.DataFrame, every: str, origin: Any) -> list[tuple[pd.Timestamp, pd.DataFrame]]:
    # Of stamps with a time zone, pandas ignores the origin of windows of days.
    naive = log["timestamp"].dt.tz_localize(None)
    if not isinstance(origin, str) or origin not in ("start_day", "epoch"):
        origin = as_moment(origin, "origin").tz_localize(None)
    try:
        if pd.tseries.frequencies.to_offset(every).n < 1:
            raise ValueError(f"{every!r} does not go on")
        by_time = pd.Grouper(freq=every, origin=origin)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"every is no frequency of pandas: {error}; use for example 'YS', 'MS' or '30D'"
        ) from None
    groups = log.set_axis(naive, axis=0).groupby(by_time)
    return [(w.tz_localize("UTC"), mine.reset_index(drop=True)) for w, mine in groups if len(mine)]
