"""How active every user is, overall and in each interest, as numbers taken at one moment.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from recsys_interest.checks import as_moment, canonical_ids, check_frame, check_same_ids, shown
from recsys_interest.event_weights import event_strength
from recsys_interest.schema import validate_events, validate_users

__all__ = ["TIER_FEATURES", "tier_features"]

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
    "purchase_value",
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
    interests: Mapping[Any, Any] | pd.Series | None = None,
    users: pd.DataFrame | None = None,
    profile_fields: Sequence[str] = (),
) -> pd.DataFrame:
    """Return what every user did up to a moment, in all or in each interest, as rows of numbers.

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
    interests : mapping or Series of item id to interest, optional
        The interest of every item of the events, a topic or a cluster. Events on items whose
        interest is missing (None, NaN) are left out. Default: one row per user.
    users : DataFrame, optional
        Profile attributes (see `validate_users`). None of its columns is used unless named below.
    profile_fields : sequence of str, default ()
        Columns of `users` to add. Attributes such as age or gender are protected in many laws; that
        is why they come in by name only.

    Returns
    -------
    DataFrame of float64, shape (n_users, 15) or (n_pairs, 16), and the profile fields
        Indexed by `user_id`, ascending; one row per user with an event at or before `until`. With
        `interests` indexed by `user_id` and `interest`, one row per pair with an event; every
        number is then about the events of this user in this interest:

        - `recency_days`: days from the last event to `until`;
        - `tenure_days`: days from the first event to `until`;
        - `n_events`: events;
        - `n_active_days`: calendar days (UTC) with an event;
        - `n_items`: different items, the breadth;
        - `events_last_30d`: events in the 30 days that end at `until`;
        - `strength_sum`, `strength_mean`: sum and mean of `event_strength`, each event counted once
          however large its value, no unit;
        - `mean_gap_days`: `tenure_days` / `n_events`, days per event, also for a single event;
        - `share_deep`: share of the events with a strength of 3 or more, between 0 and 1;
        - `mean_rating`: in the unit of the ratings, `neutral_rating` where there is none;
        - `n_ratings`: ratings with a value, 0 means that `mean_rating` was filled in;
        - `mean_score`: mean value of the `exam_score` events, in their unit, 0 where there is none;
        - `n_scores`: exam scores with a value, 0 tells a filled-in `mean_score`;
        - `purchase_value`: sum of the values of purchases less those of returns, in their unit
          (pieces, money), 1 for one without a value;
        - `interest_share`, with `interests` only: share of the user's events, between 0 and 1;
        - a profile field that holds numbers keeps its name and unit, with the median of `users`
          where it is missing, next to ``<field>_known`` (0 or 1); any other becomes one column of
          0 and 1 for every value in `users`, ``<field>=<value>``, all 0 where it is missing.

        ``attrs["window"]`` holds the first and the last moment of the events used, as text.

    Raises
    ------
    TypeError
        If `events` is not a frame, `until` is not a moment or `interests` is not a mapping.
    ValueError
        If no event lies at or before `until`, an item of the events is not in `interests`, or
        `users` lacks a field. A log without any event gives a frame without rows.

    Notes
    -----
    Chapter 06, "Interest tiers". Features for the labels of `tier_labels(events, start=start)` end
    before `start`: ``tier_features(events[events["timestamp"] < start], until=start)``.

    Rows: D08, U02.

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
    >>> tier_features(log, interests={"a": "tents", "b": "novels"})["interest_share"]
    user_id  interest
    1        novels      0.5
             tents       0.5
    2        tents       1.0
    Name: interest_share, dtype: float64
    """
    log = validate_events(events)
    moment = log["timestamp"].max() if until is None else as_moment(until, "until")
    keys, columns = ["user_id"], list(TIER_FEATURES)
    if interests is not None:
        log = with_interest(log, interests)
        keys, columns = ["user_id", "interest"], [*columns, "interest_share"]
    if log.empty:
        out = pd.DataFrame(index=log.set_index(keys).index, columns=columns, dtype=np.float64)
        return _with_profile(out, users, profile_fields)
    past = log[log["timestamp"] <= moment]
    if past.empty:
        raise ValueError(
            f"until={moment.isoformat()} lies before the first event, at "
            f"{log['timestamp'].min().isoformat()}; choose a later moment"
        )
    # How many pieces or pounds it was stands in purchase_value, not in how deep the event is.
    strength = event_strength(past, event_weights, neutral_rating, counts="ignore")
    out = _per_key(_event_facts(past, moment, strength, keys), keys)
    out["mean_gap_days"] = out["tenure_days"] / out["n_events"]
    if interests is not None:
        of_user = out.groupby("user_id")["n_events"].transform("sum")
        out["interest_share"] = out["n_events"] / of_user
    out = out.fillna({"mean_rating": neutral_rating, "mean_score": 0.0})
    out = _with_profile(out[columns].astype(np.float64), users, profile_fields)
    out.attrs["window"] = [t.isoformat() for t in past["timestamp"].agg(["min", "max"])]
    return out


def with_interest(log: pd.DataFrame, interests: Mapping[Any, Any] | pd.Series) -> pd.DataFrame:
    """Return the valid events with their `interest`, without those on items that have none."""
    if not isinstance(interests, (Mapping, pd.Series)):
        raise TypeError(
            f"interests must map item ids to interests, got {type(interests).__name__}; for "
            f"example items.set_index('item_id')['category']"
        )
    of = interests if isinstance(interests, pd.Series) else pd.Series(dict(interests), dtype=object)
    ids = canonical_ids(pd.Series(of.index), "interests") if len(of) else pd.Series(of.index)
    check_same_ids(ids, log["item_id"], "interests", "events.item_id")
    twice = ids.duplicated()
    if twice.any():
        raise ValueError(f"interests has items more than once: {shown(ids[twice])}; keep one each")
    lost = log.loc[~log["item_id"].isin(ids), "item_id"]
    if len(lost):
        raise ValueError(
            f"interests lacks items of the events: {shown(lost)}; map them to an interest, or to "
            f"None to leave their events out"
        )
    found = log["item_id"].map(of.set_axis(ids))
    kept = found.notna()
    return log[kept].assign(interest=found[kept])


def _event_facts(
    past: pd.DataFrame, moment: pd.Timestamp, strength: pd.Series, keys: list[str]
) -> pd.DataFrame:
    age_days = (moment - past["timestamp"]) / pd.Timedelta(days=1)
    pieces = past["value"].fillna(1.0)
    bought, returned = past["event"] == "purchase", past["event"] == "return"
    facts = pd.DataFrame(
        {
            **{key: past[key] for key in keys},
            "item_id": past["item_id"],
            "age_days": age_days,
            "day": past["timestamp"].dt.floor("D"),
            "recent": age_days < 30,
            "strength": strength,
            "deep": strength >= DEEP_STRENGTH,
            "rating": past["value"].where(past["event"] == "rate"),
            "score": past["value"].where(past["event"] == "exam_score"),
            # A return may come with a negative quantity; it takes back either way.
            "bought": pieces.where(bought, 0.0) - pieces.abs().where(returned, 0.0),
        }
    )
    # Floating sums depend on the order of their terms; the rows of the log may come in any.
    return facts.sort_values(["strength", "rating", "score", "bought"], ignore_index=True)


def _per_key(facts: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    return facts.groupby(keys, sort=True).agg(
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
        purchase_value=("bought", "sum"),
    )


def _with_profile(
    out: pd.DataFrame, users: pd.DataFrame | None, fields: Sequence[str]
) -> pd.DataFrame:
    if isinstance(fields, str):
        raise TypeError(f"profile_fields must be a list of columns, got {fields!r}")
    if not len(fields):
        return out
    if users is None:
        raise ValueError(f"profile_fields={list(fields)!r} needs users=, the table they stand in")
    table = check_frame(validate_users(users), "users", fields)
    ids = table["user_id"]
    check_same_ids(ids, pd.Series(out.index.get_level_values(0)), "users.user_id", "events.user_id")
    table = table.set_axis(pd.Index(ids, name="user_id"))
    added = pd.concat([_numbers_of(table[field], field) for field in fields], axis=1)
    mine = added.reindex(out.index.get_level_values(0)).set_axis(out.index)
    medians = added.median()
    known = [c for c in added if c in fields]
    for column in added:
        mine[column] = mine[column].fillna(medians[column] if column in known else 0.0)
    return pd.concat([out, mine], axis=1)


def _numbers_of(field: pd.Series, name: str) -> pd.DataFrame:
    kind = field.dtype
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_bool_dtype(kind):
        numbers = pd.Series(field.to_numpy(dtype=float, na_value=np.nan), index=field.index)
        if numbers.isna().all() or np.isinf(numbers).any():
            raise ValueError(f"users.{name} holds no number, or an infinite one; leave it out")
        return pd.DataFrame({name: numbers, f"{name}_known": numbers.notna().astype(float)})
    there = field.dropna().astype(str)
    columns = {f"{name}={v}": (there == v).astype(float) for v in sorted(there.unique())}
    if not columns:
        raise ValueError(f"users.{name} holds no value; leave it out")
    return pd.DataFrame(columns).reindex(field.index, fill_value=0.0)
