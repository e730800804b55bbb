"""Cut a behaviour log into what a model may learn from and what it is tested on.

Chapter: 01 (behaviour logs), 12 (measuring recommendations).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from recsys_interest.checks import as_moment, shown
from recsys_interest.schema import validate_events

__all__ = [
    "Split",
    "cold_item_split",
    "cold_user_split",
    "random_split",
    "time_split",
    "user_split",
]


@dataclass(frozen=True)
class Split:
    """The two sides of a split; together they hold every row of the log exactly once.

    Attributes
    ----------
    train, test : DataFrame
        Valid events, in the order and with the index of the log they come from.
    """

    train: pd.DataFrame
    test: pd.DataFrame


def time_split(
    events: pd.DataFrame,
    *,
    test_share: float = 0.2,
    cutoff: str | dt.date | np.datetime64 | None = None,
) -> Split:
    """Split the log at one moment for everybody: before it is train, from it on is test.

    This is the honest split: nothing learned comes from after anything tested.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`), of at least two different moments.
    test_share : float, default 0.2
        Wanted share of the events in test, between 0 and 1. Events of one moment stay together, so
        the cutoff is the moment of the log that comes nearest to this share (of two equally near,
        the earlier). Not used if `cutoff` is given.
    cutoff : str, date, datetime, Timestamp or datetime64, optional
        The first moment of the test side; without a zone it is read as UTC.

    Returns
    -------
    Split
        Every train timestamp lies before every test timestamp, and neither side is empty.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If there are no events, or one side would be empty.

    Notes
    -----
    Chapter 12, "Measuring recommendations".

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": 1, "item_id": range(5)})
    >>> log["timestamp"] = pd.date_range("2026-01-01", periods=5, tz="UTC")
    >>> time_split(log).test["item_id"].tolist()
    [4]
    >>> time_split(log, cutoff="2026-01-03").test["item_id"].tolist()
    [2, 3, 4]
    """
    log = _some_events(events)
    first, last = log["timestamp"].min(), log["timestamp"].max()
    if cutoff is None:
        start = _cutoff_for(log["timestamp"], _share(test_share))
    else:
        start = as_moment(cutoff, "cutoff")
        if not first < start <= last:
            raise ValueError(
                f"cutoff {start} leaves one side empty; choose it after the first event ({first}) "
                f"and not after the last ({last})"
            )
    return _split(log, (log["timestamp"] >= start).to_numpy())


def random_split(
    events: pd.DataFrame,
    *,
    test_share: float = 0.2,
    random_state: int | np.random.RandomState | None = 0,
) -> Split:
    """Split off a random share of all events as test.

    Known from many published tables, and kinder than life: the model may learn from a user's future
    what it is tested on in the past. Use `time_split` where time is known.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`), at least two different ones.
    test_share : float, default 0.2
        Wanted share of the events in test, between 0 and 1. All events of a user on an item stay on
        one side: whoever tagged a film in train would give away that a rating of it is in test. The
        test side has at most ``round(test_share * n)`` rows, and neither side is empty.
    random_state : int, RandomState or None, default 0
        Seed of the draw. Which side a row falls on depends on the rows of the log, not on their
        order.

    Returns
    -------
    Split
        The two sides.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If there are no events, or all are of one user on one item.

    Notes
    -----
    Chapter 12, "Measuring recommendations".

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": 1, "item_id": range(10)})
    >>> log["timestamp"] = pd.Timestamp("2026-01-01", tz="UTC")
    >>> split = random_split(log, test_share=0.3)
    >>> len(split.train), len(split.test)
    (7, 3)
    """
    log = _some_events(events)
    wanted = round(_share(test_share) * len(log))
    groups = log.groupby(["user_id", "item_id"], sort=True).ngroup().to_numpy()
    sizes = np.bincount(groups)
    if len(sizes) < 2:
        raise ValueError("events has one user on one item only; nothing can be split")
    drawn = check_random_state(random_state).permutation(len(sizes))
    n_drawn = np.searchsorted(np.cumsum(sizes[drawn]), wanted, side="right")
    in_test = np.zeros(len(sizes), dtype=bool)
    in_test[drawn[: np.clip(n_drawn, 1, len(sizes) - 1)]] = True
    return _split(log, in_test[groups])


def user_split(
    events: pd.DataFrame,
    *,
    test_share: float = 0.2,
    last: int | None = None,
) -> Split:
    r"""Split off the latest events of every user as test.

    Every user is tested on the own future, however early or late the user came. What others did
    after that is in train, so a trend leaks backwards; `time_split` lets nothing leak.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`), at least one user with two different moments.
    test_share : float, default 0.2
        Wanted share of each user's events in test, between 0 and 1. A user's events of one moment
        stay together, so the test side begins at the moment that comes nearest to this share (of
        two equally near, the earlier), but never at the first. Users of a single moment are in
        train only. Not used if `last` is given.
    last : int, optional
        Wanted number of events of each user in test, instead of a share: 1 is leave-one-out.

    Returns
    -------
    Split
        Of each user, every train timestamp lies before every test timestamp, and every user of the
        test side has events in train.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If there are no events, or no user has two different moments.

    Notes
    -----
    Chapter 01, "Behaviour logs". Of user :math:`u` with :math:`n_u` events, let :math:`n_u(t)` be
    those from the moment :math:`t` on. The test side of :math:`u` begins at

    .. math:: t_u = \arg\min_{t > \min_u} |n_u(t) - s\,n_u|

    for the share :math:`s`, with :math:`s\,n_u` replaced by `last` if that is given.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": list("aaabb"), "item_id": range(5)})
    >>> log["timestamp"] = pd.date_range("2026-01-01", periods=5, tz="UTC")
    >>> user_split(log).test["item_id"].tolist()
    [2, 4]
    """
    log = _some_events(events)
    cutoffs = _cutoffs_of_users(log, _share(test_share), _count(last))
    if cutoffs.empty:
        raise ValueError(
            "no user has events of two moments; a split by user needs them, random_split does not"
        )
    return _split(log, (log["timestamp"] >= log["user_id"].map(cutoffs)).to_numpy())


def cold_item_split(
    events: pd.DataFrame,
    *,
    test_share: float = 0.2,
    random_state: int | np.random.RandomState | None = 0,
) -> Split:
    """Split off some items with all their events as test: nobody has met them before.

    On these a method can only use what is known of the item itself, its text. A user whose events
    are all on such items has no events in train, and is cold as well.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`), on at least two different items.
    test_share : float, default 0.2
        Share of the items in test, between 0 and 1: ``round(test_share * n_items)`` of them, but at
        least one and not all.
    random_state : int, RandomState or None, default 0
        Seed of the draw, which depends on the ids of the items and not on the order of rows.

    Returns
    -------
    Split
        No item is on both sides, and neither side is empty.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If there are no events, or all are on one item.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": 1, "item_id": list("ababc")})
    >>> log["timestamp"] = pd.Timestamp("2026-01-01", tz="UTC")
    >>> cold_item_split(log, test_share=0.3).test["item_id"].unique().tolist()
    ['c']
    """
    return _cold_split(events, "item_id", test_share, random_state)


def cold_user_split(
    events: pd.DataFrame,
    *,
    test_share: float = 0.2,
    random_state: int | np.random.RandomState | None = 0,
) -> Split:
    """Split off some users with all their events as test: the method has never met them.

    What a method may know of them when it is tested is a question of its own: nothing, or their
    first few events, which then are no test any more.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`), of at least two different users.
    test_share : float, default 0.2
        Share of the users in test, between 0 and 1: ``round(test_share * n_users)`` of them, but at
        least one and not all.
    random_state : int, RandomState or None, default 0
        Seed of the draw, which depends on the ids of the users and not on the order of rows.

    Returns
    -------
    Split
        No user is on both sides, and neither side is empty.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If there are no events, or all are of one user.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": list("ababc"), "item_id": 1})
    >>> log["timestamp"] = pd.Timestamp("2026-01-01", tz="UTC")
    >>> cold_user_split(log, test_share=0.3).test["user_id"].unique().tolist()
    ['c']
    """
    return _cold_split(events, "user_id", test_share, random_state)


def _cold_split(
    events: pd.DataFrame,
    column: str,
    test_share: float,
    random_state: int | np.random.RandomState | None,
) -> Split:
    log = _some_events(events)
    share = _share(test_share)
    ids = pd.Index(log[column].unique()).sort_values()
    if len(ids) < 2:
        raise ValueError(f"events has one {column} only, {shown(ids.tolist())}; a split needs two")
    n_test = np.clip(round(share * len(ids)), 1, len(ids) - 1)
    drawn = check_random_state(random_state).permutation(len(ids))[:n_test]
    return _split(log, log[column].isin(ids[drawn]).to_numpy())


def _split(log: pd.DataFrame, in_test: np.ndarray) -> Split:
    return Split(train=log[~in_test], test=log[in_test])


def _some_events(events: pd.DataFrame) -> pd.DataFrame:
    log = validate_events(events)
    if log.empty:
        raise ValueError("events has no rows; a split needs at least two events")
    return log


def _share(test_share: float) -> float:
    if isinstance(test_share, bool) or not isinstance(test_share, Real):
        raise TypeError(f"test_share must be a number, got {type(test_share).__name__}")
    if not 0 < test_share < 1:
        raise ValueError(f"test_share must lie between 0 and 1 (both excluded), got {test_share}")
    return float(test_share)


def _count(last: int | None) -> int | None:
    if last is None:
        return None
    if isinstance(last, bool) or not isinstance(last, Integral):
        raise TypeError(f"last must be a whole number, got {type(last).__name__}")
    if last < 1:
        raise ValueError(f"last must be at least 1, got {last}")
    return int(last)


def _cutoffs_of_users(log: pd.DataFrame, share: float, last: int | None) -> pd.Series:
    """Return the first moment of the test side of each user with two moments."""
    moments = log.groupby(["user_id", "timestamp"], sort=True).size().rename("n").reset_index()
    by_user = moments.groupby("user_id")["n"]
    total = by_user.transform("sum")
    n_test = total - by_user.cumsum() + moments["n"]
    moments["distance"] = (n_test - (share * total if last is None else last)).abs()
    later = moments[moments.duplicated("user_id")]  # without the first moment of each user
    nearest = later.sort_values(["user_id", "distance", "timestamp"]).drop_duplicates("user_id")
    return nearest.set_index("user_id")["timestamp"]


def _cutoff_for(stamps: pd.Series, share: float) -> pd.Timestamp:
    counts = stamps.value_counts().sort_index()
    if len(counts) < 2:
        raise ValueError(
            f"all {len(stamps)} event(s) have the timestamp {counts.index[0]}; a split by time "
            f"needs two moments, random_split does not"
        )
    # The first moment cannot be the cutoff: nothing would be left to learn from.
    n_test = counts.iloc[::-1].cumsum().iloc[::-1].to_numpy()[1:]
    nearest = int(np.argmin(np.abs(n_test - share * len(stamps))))
    return counts.index[1 + nearest]
