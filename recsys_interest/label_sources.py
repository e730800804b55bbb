"""Tiers as labels: what a user reached in a later window, and from which time a label tells.

Every source of labels says, in the ``attrs`` of what it returns, what it is and which time it
tells of.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import (
    as_moment,
    canonical_ids,
    check_count,
    check_same_ids,
    shown,
)
from recsys_interest.engagement import Moment, with_interest
from recsys_interest.schema import validate_events

__all__ = ["check_label_window", "tier_labels"]


def tier_labels(
    events: pd.DataFrame,
    *,
    start: Moment,
    n_tiers: int = 3,
    users: Iterable[Any] | None = None,
    cuts: Sequence[float] | None = None,
    interests: Mapping[Any, Any] | pd.Series | None = None,
) -> pd.Series:
    r"""Return the tier each user reached in the window that begins at `start`.

    This is the honest source: what is to be known later, and can be predicted from before. With
    :math:`a_u` events of user :math:`u` at or after `start`, and cuts
    :math:`c_2 < \dots < c_{K-1}`,

    .. math:: t_u = 0 \text{ if } a_u = 0, \quad
              t_u = 1 + \lvert \{ j : a_u \ge c_j \} \rvert \text{ otherwise.}

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`).
    start : datetime or str
        Start of the window; without a zone it is read as UTC. The features that predict these
        labels must come from before it.
    n_tiers : int, default 3
        Number of tiers :math:`K`, at least 2, the tier 0 included.
    users : iterable of ids, optional
        Whom to label, in this order. Default: everybody with an event before `start`, ascending.
    cuts : sequence of float, optional
        The fewest events for each of the tiers 2, …, `n_tiers` − 1. Default: the quantiles at
        1/(K−1), 2/(K−1), … of the users who have an event in the window; a user above the quantile
        is in the higher tier. Equal activity is always the same tier, so with many ties the tiers
        differ in size and some may have nobody.
    interests : mapping or Series of item id to interest, optional
        As in `tier_features`: label every user in every interest she had an event in before
        `start`, by the events in that interest. Then `users` must be left out.

    Returns
    -------
    Series of int64
        Named ``"tier"``, indexed by `user_id`, and `interest` if given; 0, …, `n_tiers` − 1, deeper
        is larger. ``attrs`` holds ``label_source`` ("later window") and ``window``, its first
        moment and the last of the events, as text.

    Raises
    ------
    TypeError
        If `events` is not a frame, `start` is not a moment or `n_tiers` is not a whole number.
    ValueError
        If `start` leaves no event before or no event after it, a user is given twice, `cuts` do not
        rise or are not `n_tiers` − 2 in number, or an item of the events is not in `interests`.

    Notes
    -----
    Chapter 06, "Interest tiers". Labels cut from the window of the features would only teach a
    tree the cut itself; activity in a later window is something to predict.

    Rows: T06, T08, U02.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 2, 3, 1, 2, 2], "item_id": list("abcabc")})
    >>> log["timestamp"] = pd.to_datetime(["2026-01-01"] * 3 + ["2026-02-01"] * 3)
    >>> tier_labels(log, start="2026-01-15").to_dict()
    {1: 1, 2: 2, 3: 0}
    >>> tier_labels(log, start="2026-01-15", cuts=[5]).to_dict()
    {1: 1, 2: 1, 3: 0}
    """
    check_count(n_tiers, "n_tiers", least=2)
    bounds = None if cuts is None else _checked_cuts(cuts, n_tiers)
    log = validate_events(events)
    keys = ["user_id"] if interests is None else ["user_id", "interest"]
    if interests is not None:
        if users is not None:
            raise ValueError("users and interests cannot be given together; select rows afterwards")
        log = with_interest(log, interests)
    begin = _checked_start(start, log["timestamp"])
    later = log["timestamp"] >= begin
    if interests is None:
        ids = _users(users, log["user_id"], log.loc[~later, "user_id"])
    else:
        ids = log[~later].groupby(keys).size().index
    counts = log[later].groupby(keys).size()
    activity = counts.reindex(ids, fill_value=0).to_numpy(dtype=np.int64)
    if bounds is None:
        bounds = _quantile_cuts(activity[activity > 0], n_tiers)
    tiers = np.where(activity == 0, 0, 1 + np.searchsorted(bounds, activity, side="right"))
    return labelled(tiers, ids, "later window", [begin, log["timestamp"].max()])


def labelled(
    tiers: Any, index: pd.Index, source: str, window: Sequence[object] | None
) -> pd.Series:
    out = pd.Series(tiers, index=index, name="tier", dtype=np.int64)
    out.attrs["label_source"] = source
    if window is not None:
        out.attrs["window"] = [pd.Timestamp(str(moment)).isoformat() for moment in window]
    return out


def _quantile_cuts(active: npt.NDArray[np.int64], n_tiers: int) -> npt.NDArray[np.float64]:
    if not len(active):
        return np.full(n_tiers - 2, np.inf)
    at = np.arange(1, n_tiers - 1) / (n_tiers - 1)
    # Counts are whole, so "more than the quantile" is "at least the next count".
    return np.quantile(active, at, method="inverted_cdf").astype(np.float64) + 1


def _checked_cuts(cuts: Sequence[float], n_tiers: int) -> npt.NDArray[np.float64]:
    try:
        bounds = np.asarray(cuts, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"cuts must be numbers of events, got {cuts!r}") from None
    if bounds.shape != (n_tiers - 2,):
        raise ValueError(
            f"cuts must be {n_tiers - 2} number(s) for n_tiers={n_tiers}, one for each tier from 2 "
            f"up, got {cuts!r}; pass n_tiers={bounds.size + 2} to use them"
        )
    if not np.isfinite(bounds).all() or (bounds <= 0).any() or (np.diff(bounds) <= 0).any():
        raise ValueError(f"cuts must be positive and rise, got {cuts!r}; sort them, drop repeats")
    return bounds


def _checked_start(start: Moment, stamps: pd.Series) -> pd.Timestamp:
    moment = as_moment(start, "start")
    if stamps.empty:
        raise ValueError("events has no row, so there is no window to label; pass a longer log")
    first, last = stamps.min(), stamps.max()
    if not first < moment <= last:
        side = "no event before" if moment <= first else "no event at or after"
        raise ValueError(
            f"start={moment.isoformat()} leaves {side} it; choose a moment after the first event, "
            f"{first.isoformat()}, and not after the last, {last.isoformat()}"
        )
    return moment


def _users(users: Iterable[Any] | None, known: pd.Series, earlier: pd.Series) -> pd.Index:
    if users is None:
        return pd.Index(np.sort(earlier.unique()), name="user_id", dtype=earlier.dtype)
    if isinstance(users, (str, bytes)) or not isinstance(users, Iterable):
        raise TypeError(f"users must be a list of user ids, got {users!r}")
    ids = canonical_ids(pd.Series(list(users)), "users")
    check_same_ids(ids, known, "users", "events.user_id")
    twice = ids.duplicated()
    if twice.any():
        raise ValueError(f"users has ids more than once: {shown(ids[twice])}; keep one of each")
    return pd.Index(ids, name="user_id")


def check_label_window(features: Any, labels: Any) -> None:
    """Raise if the labels tell of the time that the features tell of.

    Such labels can be computed from the features; a model that learns them finds the rule they were
    cut by and cannot be wrong about anything. What carries no ``attrs["window"]``, such as an array
    or a column of a file, passes: nothing is known about it.

    Parameters
    ----------
    features : DataFrame
        From `tier_features`, or anything else.
    labels : Series
        From `tier_labels`, `engagement_tiers`, `judge_tiers`, or anything else.

    Raises
    ------
    ValueError
        If both carry a window and the windows overlap.

    Notes
    -----
    Chapter 06, "Interest tiers".

    Examples
    --------
    >>> import pandas as pd
    >>> from recsys_interest.engagement import tier_features
    >>> log = pd.DataFrame({"user_id": [1, 2, 1], "item_id": ["a", "b", "a"]})
    >>> log["timestamp"] = pd.to_datetime(["2026-01-01", "2026-01-02", "2026-02-01"])
    >>> past = tier_features(log, until="2026-01-15")
    >>> check_label_window(past, tier_labels(log, start="2026-01-16"))
    >>> check_label_window(past, tier_labels(log, start="2026-01-02"))
    Traceback (most recent call last):
        ...
    ValueError: the labels (later window) tell of 2026-01-02 to 2026-02-01, the features of ...
    """
    told = getattr(features, "attrs", {}).get("window")
    marked = getattr(labels, "attrs", {}).get("window")
    if told is None or marked is None:
        return
    (first, last), (begin, end) = ([as_moment(t, "window") for t in w] for w in (told, marked))
    if begin <= last and first <= end:
        source = labels.attrs.get("label_source", "of unknown source")
        raise ValueError(
            f"the labels ({source}) tell of {begin.date()} to {end.date()}, the features of "
            f"{first.date()} to {last.date()}, the same time: a model would only find the rule "
            f"behind the labels. Take features from before the window of the labels, as for "
            f"tier_labels(events, start=...), or say TierClassifier(allow_same_window=True)"
        )
