"""How active every user is: features of the past, and the tier reached in a later window.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import as_moment, canonical_ids, check_count, check_same_ids, shown
from recsys_interest.schema import event_strength, validate_events

__all__ = ["TIER_FEATURES", "tier_features", "tier_labels"]

#: Columns of `tier_features`, in order.
TIER_FEATURES = (
    "recency_days",
    "tenure_days",
    "n_events",
    "n_active_days",
    "n_items",
    "events_last_30d",
    "strength_sum",
    "strength_mean",
    "mean_gap_days",
    "share_deep",
    "mean_rating",
    "n_ratings",
    "mean_score",
    "n_scores",
)

#: Strength from which an event counts as deep: a like, a comment, a follow, a five-star rating.
DEEP_STRENGTH = 3.0

Moment: TypeAlias = str | date | np.datetime64 | pd.Timestamp  # a datetime is a date


def tier_features(
    events: pd.DataFrame,
    *,
    until: Moment | None = None,
    event_weights: Mapping[str, float] | None = None,
    neutral_rating: float = 3.0,
) -> pd.DataFrame:
    """Return what a user did up to a moment, as one row of numbers per user.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`).
    until : datetime or str, optional
        The moment the features are taken; without a zone it is read as UTC. Events after it are
        ignored, events at it count. Default: the last timestamp of the events.
    event_weights : mapping of str to float, optional
        Weights that override or extend `EVENT_WEIGHTS`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way, in the unit of the ratings.

    Returns
    -------
    DataFrame of float64, shape (n_users, 14)
        Indexed by `user_id`, ascending; one row per user with an event at or before `until`:

        - `recency_days`: days from the last event to `until`;
        - `tenure_days`: days from the first event to `until`;
        - `n_events`: events;
        - `n_active_days`: calendar days (UTC) with an event;
        - `n_items`: different items, the breadth;
        - `events_last_30d`: events in the 30 days that end at `until`;
        - `strength_sum`, `strength_mean`: sum and mean of `event_strength`, no unit;
        - `mean_gap_days`: `tenure_days` / `n_events`, days per event, also for a single event;
        - `share_deep`: share of the events with a strength of 3 or more, between 0 and 1;
        - `mean_rating`: in the unit of the ratings, `neutral_rating` where there is none;
        - `n_ratings`: ratings with a value, 0 means that `mean_rating` was filled in;
        - `mean_score`: mean value of the `exam_score` events, in their unit, 0 where there is none;
        - `n_scores`: exam scores with a value, 0 tells a filled-in `mean_score`.

    Raises
    ------
    TypeError
        If `events` is not a frame or `until` is not a moment.
    ValueError
        If no event lies at or before `until`. A log without any event gives a frame without rows.

    Notes
    -----
    Chapter 06, "Interest tiers". Features for the labels of `tier_labels(events, start=start)` end
    before `start`: ``tier_features(events[events["timestamp"] < start], until=start)``.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"]})
    >>> log["timestamp"] = pd.to_datetime(["2026-01-01", "2026-01-03", "2026-01-09"])
    >>> tier_features(log)[["recency_days", "tenure_days", "n_events"]]
             recency_days  tenure_days  n_events
    user_id
    1                 6.0          8.0       2.0
    2                 0.0          0.0       1.0
    """
    log = validate_events(events)
    if log.empty:
        index = pd.Index(log["user_id"], name="user_id")
        return pd.DataFrame(index=index, columns=list(TIER_FEATURES), dtype=np.float64)
    moment = log["timestamp"].max() if until is None else as_moment(until, "until")
    past = log[log["timestamp"] <= moment]
    if past.empty:
        raise ValueError(
            f"until={moment.isoformat()} lies before the first event, at "
            f"{log['timestamp'].min().isoformat()}; choose a later moment"
        )
    facts = _event_facts(past, moment, event_strength(past, event_weights, neutral_rating))
    out = _per_user(facts)
    out["mean_gap_days"] = out["tenure_days"] / out["n_events"]
    out = out.fillna({"mean_rating": neutral_rating, "mean_score": 0.0})
    return out[list(TIER_FEATURES)].astype(np.float64)


def _event_facts(past: pd.DataFrame, moment: pd.Timestamp, strength: pd.Series) -> pd.DataFrame:
    age_days = (moment - past["timestamp"]) / pd.Timedelta(days=1)
    facts = pd.DataFrame(
        {
            "user_id": past["user_id"],
            "item_id": past["item_id"],
            "age_days": age_days,
            "day": past["timestamp"].dt.floor("D"),
            "recent": age_days < 30,
            "strength": strength,
            "deep": strength >= DEEP_STRENGTH,
            "rating": past["value"].where(past["event"] == "rate"),
            "score": past["value"].where(past["event"] == "exam_score"),
        }
    )
    # Floating sums depend on the order of their terms; the rows of the log may come in any.
    return facts.sort_values(["user_id", "strength", "rating", "score"], ignore_index=True)


def _per_user(facts: pd.DataFrame) -> pd.DataFrame:
    return facts.groupby("user_id", sort=True).agg(
        recency_days=("age_days", "min"),
        tenure_days=("age_days", "max"),
        n_events=("age_days", "size"),
        n_active_days=("day", "nunique"),
        n_items=("item_id", "nunique"),
        events_last_30d=("recent", "sum"),
        strength_sum=("strength", "sum"),
        strength_mean=("strength", "mean"),
        share_deep=("deep", "mean"),
        mean_rating=("rating", "mean"),
        n_ratings=("rating", "count"),
        mean_score=("score", "mean"),
        n_scores=("score", "count"),
    )


def tier_labels(
    events: pd.DataFrame,
    *,
    start: Moment,
    n_tiers: int = 3,
    users: Iterable[Any] | None = None,
    cuts: Sequence[float] | None = None,
) -> pd.Series:
    r"""Return the tier each user reached in the window that begins at `start`.

    With :math:`a_u` events of user :math:`u` at or after `start`, and cuts
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

    Returns
    -------
    Series of int64
        Named ``"tier"``, indexed by `user_id`; 0, …, `n_tiers` − 1, deeper is larger.

    Raises
    ------
    TypeError
        If `events` is not a frame, `start` is not a moment or `n_tiers` is not a whole number.
    ValueError
        If `start` leaves no event before or no event after it, a user is given twice, or `cuts`
        do not rise or are not `n_tiers` − 2 in number.

    Notes
    -----
    Chapter 06, "Interest tiers". Labels cut from the window of the features would only teach a
    tree the cut itself; activity in a later window is something to predict.

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
    later = log["timestamp"] >= _checked_start(start, log["timestamp"])
    ids = _users(users, log["user_id"], log.loc[~later, "user_id"])
    counts = log.loc[later, "user_id"].value_counts()
    activity = counts.reindex(ids, fill_value=0).to_numpy(dtype=np.int64)
    if bounds is None:
        bounds = _quantile_cuts(activity[activity > 0], n_tiers)
    tiers = np.where(activity == 0, 0, 1 + np.searchsorted(bounds, activity, side="right"))
    return pd.Series(tiers, index=ids, name="tier", dtype=np.int64)


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
