"""Cut a behaviour log into what a model may learn from and what it is tested on.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from recsys_interest.checks import as_moment
from recsys_interest.schema import validate_events

__all__ = ["Split", "random_split", "time_split"]


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
