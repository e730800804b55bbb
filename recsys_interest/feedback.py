"""Clicks on lists go back into the log as events, so that the next lists know of them.

Chapter: 13 (cold start).
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from recsys_interest.checks import (
    SchemaError,
    as_moment,
    as_numbers,
    canonical_ids,
    check_frame,
    check_same_ids,
    shown,
)
from recsys_interest.schema import validate_events

__all__ = ["feedback_events"]

_PAIR = ["user_id", "item_id"]
_UTC = pd.DatetimeTZDtype("us", "UTC")


def feedback_events(
    lists: pd.DataFrame,
    clicks: pd.DataFrame,
    *,
    timestamp: str | date | None = None,
    event: str = "browse",
    impressions: bool = False,
) -> pd.DataFrame:
    """Return the clicks on lists as valid events, each with the rank and source it was shown at.

    Parameters
    ----------
    lists : DataFrame
        What was shown, as `Recommender.recommend` returns it: `user_id`, `item_id`, `rank` and
        `source`.
    clicks : DataFrame
        `user_id` and `item_id` of what was clicked, each pair once; its own `timestamp`, `event`,
        `value` and `text`, if it has them, are kept, and so are other columns.
    timestamp : str or datetime, optional
        When the clicks happened, if `clicks` has no `timestamp`; without a zone it is read as UTC.
    event : str, default "browse"
        The kind of event a click is, if `clicks` has no `event`.
    impressions : bool, default False
        Add an ``"impression"`` for everything that was shown and not clicked, at the time of the
        user's last click. It counts as seen, so that the next list holds something else. Users
        without a click get none: nobody knows whether they looked.

    Returns
    -------
    DataFrame
        Valid events (`validate_events`) with `rank` (int64) and `source`, in the order of the
        clicks, impressions last. Append them to the log and fit again, or hand them to `recommend`
        as `session`.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, or there is no time.
    SchemaError
        If a table lacks a column, an item was clicked that was not on the user's list, a pair is
        given twice, or a rank or source is missing.

    Notes
    -----
    An item can only be clicked where it was shown, so such events repeat the opinion of the
    recommender: `rank` and `source` are kept for whoever wants to correct for it. Chapter 13, "Cold
    start".

    Rows: K03, R10.

    Examples
    --------
    >>> lists = pd.DataFrame({"user_id": [1, 1], "item_id": ["tent", "rope"], "rank": [1, 2],
    ...                       "source": "popularity"})
    >>> clicks = pd.DataFrame({"user_id": [1], "item_id": ["rope"]})
    >>> found = feedback_events(lists, clicks, timestamp="2026-01-06", event="like")
    >>> found[["user_id", "item_id", "event", "rank", "source"]]
       user_id item_id event  rank      source
    0        1    rope  like     2  popularity
    """
    if not isinstance(event, str):
        raise TypeError(f"event must be the name of a kind of event, got {event!r}")
    shown_lists = _placed(_pairs(lists, "lists", (*_PAIR, "rank", "source")))
    clicked = _pairs(clicks, "clicks", _PAIR)
    for column in _PAIR:
        check_same_ids(clicked[column], shown_lists[column], f"clicks.{column}", f"lists.{column}")
    clicked = _timed(clicked, timestamp)
    if "event" not in clicked:
        clicked["event"] = pd.Series(event, index=clicked.index, dtype="str")
    own = clicked.drop(columns=["rank", "source"], errors="ignore")
    place = pd.MultiIndex.from_frame(shown_lists[_PAIR]).get_indexer(
        pd.MultiIndex.from_frame(own[_PAIR])
    )
    if (place < 0).any():
        strange = own.loc[place < 0, _PAIR].itertuples(index=False, name=None)
        raise SchemaError(
            f"clicks has {int((place < 0).sum())} pair(s) (user_id, item_id) that are not in "
            f"lists: {shown(strange)}; pass the lists that were shown, or drop those clicks"
        )
    events = own.assign(
        rank=shown_lists["rank"].to_numpy()[place], source=shown_lists["source"].to_numpy()[place]
    )
    if impressions and len(events):
        events = pd.concat([events, _impressions(shown_lists, events)], ignore_index=True)
    return validate_events(events).astype({"rank": "int64", "source": "str"})


def _pairs(table: pd.DataFrame, name: str, required: tuple[str, ...] | list[str]) -> pd.DataFrame:
    out = check_frame(table, name, required).reset_index(drop=True)
    for column in _PAIR:
        out[column] = canonical_ids(out[column], f"{name}.{column}")
    twice = out.duplicated(_PAIR)
    if twice.any():
        pairs = out.loc[twice, _PAIR].itertuples(index=False, name=None)
        raise SchemaError(
            f"{name} has the pair(s) (user_id, item_id) {shown(pairs)} more than once; keep one "
            f"each: {name}.drop_duplicates(['user_id', 'item_id'])"
        )
    return out


def _placed(lists: pd.DataFrame) -> pd.DataFrame:
    """Return the lists with whole ranks and known sources, or say where they are not."""
    rank = as_numbers(lists["rank"])
    odd = lists.loc[~((rank >= 1) & (rank == np.round(rank))), "rank"]
    if len(odd):
        raise SchemaError(f"lists.rank holds {shown(odd)}; ranks are whole numbers from 1 on")
    if lists["source"].isna().any():
        raise SchemaError("lists.source is missing in some rows; say whose lists they are")
    return lists.assign(rank=rank.astype("int64"), source=lists["source"].astype("str"))


def _timed(clicked: pd.DataFrame, timestamp: str | date | None) -> pd.DataFrame:
    if "timestamp" in clicked:
        return clicked
    if timestamp is None:
        raise TypeError(
            "timestamp is missing; say when the clicks happened, or give clicks such a column"
        )
    moment = as_moment(timestamp, "timestamp")
    return clicked.assign(timestamp=pd.Series(moment, index=clicked.index, dtype=_UTC))


def _impressions(lists: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    last = events.groupby("user_id")["timestamp"].max()
    looked = lists[lists["user_id"].isin(last.index)]
    was_clicked = pd.MultiIndex.from_frame(looked[_PAIR]).isin(
        pd.MultiIndex.from_frame(events[_PAIR])
    )
    ignored = looked.loc[~was_clicked, [*_PAIR, "rank", "source"]]
    return ignored.assign(event="impression", timestamp=ignored["user_id"].map(last))
