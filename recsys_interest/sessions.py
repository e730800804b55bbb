"""Sessions, and the mix of what a user wants now with what the user has wanted all along.

Chapter: 05 (user profiles), 14 (dynamic interests).
"""

from __future__ import annotations

from numbers import Real

import numpy as np
import pandas as pd

from recsys_interest.checks import check_same_ids, shown
from recsys_interest.decayed_sums import microseconds
from recsys_interest.schema import validate_events
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["blend_profiles", "last_session", "session_numbers"]

MICROSECONDS_A_MINUTE = 60_000_000


def session_numbers(events: pd.DataFrame, gap: float = 30.0) -> pd.Series:
    """Return which session of its user each event belongs to, numbered from 0.

    A new session begins after more than `gap` minutes of silence.

    Parameters
    ----------
    events : DataFrame
        Valid events, in any order.
    gap : float, default 30.0
        Minutes. Thirty is the convention of web analytics, not a law; look at the pauses in your
        log.

    Returns
    -------
    Series of int64, shape (n_events,)
        Under the index of the events: 0 for the first session of a user, 1 for the next, ...

    Raises
    ------
    TypeError
        If `gap` is not a number.
    ValueError
        If `gap` is negative or not finite.
    SchemaError
        If the events do not fit the schema.

    Notes
    -----
    Chapter 05, "User profiles".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 1], "item_id": ["a", "b", "c"]})
    >>> times = ["2026-01-05 10:00", "2026-01-05 10:20", "2026-01-06 08:00"]
    >>> log["timestamp"] = pd.to_datetime(times)
    >>> session_numbers(log).tolist()
    [0, 0, 1]
    """
    log = validate_events(events)
    user, users = pd.factorize(log["user_id"])
    time = microseconds(log["timestamp"])
    order = np.lexsort((time, user))
    pause = np.diff(time[order], prepend=0)
    begins = np.diff(user[order], prepend=-1) != 0
    later = np.cumsum((pause > _microseconds(gap)) & ~begins)
    numbers = np.empty(len(log), dtype=np.int64)
    sizes = np.bincount(user, minlength=len(users))
    numbers[order] = later - np.repeat(later[begins], sizes)
    return pd.Series(numbers, index=log.index, name="session")


def last_session(events: pd.DataFrame, gap: float = 30.0) -> pd.DataFrame:
    """Return the events of every user's last session.

    Parameters
    ----------
    events : DataFrame
        Valid events, in any order.
    gap : float, default 30.0
        Minutes of silence after which a new session begins, see `session_numbers`.

    Returns
    -------
    DataFrame
        The rows of `events` that belong to it, as they were given.

    Raises
    ------
    TypeError, ValueError, SchemaError
        As `session_numbers`.

    Notes
    -----
    Chapter 05, "User profiles". `InterestProfiler.transform` makes the session's profile of it.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 1], "item_id": ["a", "b", "c"]})
    >>> times = ["2026-01-05 10:00", "2026-01-06 09:00", "2026-01-06 09:10"]
    >>> log["timestamp"] = pd.to_datetime(times)
    >>> last_session(log)["item_id"].tolist()
    ['b', 'c']
    """
    numbers = session_numbers(events, gap)
    users = events["user_id"].to_numpy()
    last = pd.Series(numbers.to_numpy()).groupby(users).transform("max")
    return events[numbers.to_numpy() == last.to_numpy()]


def blend_profiles(
    long_term: pd.DataFrame, session: pd.DataFrame, alpha: float = 0.5
) -> pd.DataFrame:
    r"""Mix the directions of two profiles of each user.

    .. math:: B_u = \alpha \, \frac{S_u}{\lVert S_u \rVert}
              + (1 - \alpha) \, \frac{F_u}{\lVert F_u \rVert}

    Both are scaled to length one before: the mean of a long and varied history is shorter than that
    of a session on one subject, and would count less than :math:`1 - \alpha` says.

    Parameters
    ----------
    long_term : DataFrame, shape (n_users, n_features)
        The profiles :math:`F_u`, indexed by user id.
    session : DataFrame, shape (n_users_now, n_features)
        The profiles :math:`S_u` of the sessions, with the same columns.
    alpha : float, default 0.5
        The weight of the session: 0 ignores it, 1 ignores everything else.

    Returns
    -------
    DataFrame of float32
        One row for every user of either table, sorted. Who has one profile only, or zeros in place
        of the other, keeps the direction of the one.

    Raises
    ------
    TypeError
        If `alpha` is not a number, or a table is not a DataFrame.
    ValueError
        If `alpha` is not between 0 and 1, or the columns differ.
    SchemaError
        If an id occurs twice, or the ids are of different kinds.

    Notes
    -----
    Chapter 05, "User profiles".

    Rows: R03.

    Examples
    --------
    >>> usual = pd.DataFrame([[2.0, 0.0]], index=["ann"])
    >>> now = pd.DataFrame([[0.0, 5.0]], index=["ann"])
    >>> blend_profiles(usual, now, alpha=0.25).loc["ann"].tolist()
    [0.75, 0.25]
    """
    if isinstance(alpha, bool) or not isinstance(alpha, Real):
        raise TypeError(f"alpha must be a number, got {alpha!r}")
    if not 0 <= float(alpha) <= 1:
        raise ValueError(f"alpha must lie between 0 (no session) and 1, got {alpha}")
    usual = check_vectors(long_term, "long_term")
    now = check_vectors(session, "session")
    if usual.columns.tolist() != now.columns.tolist():
        raise ValueError(
            f"long_term and session have different columns: {shown(usual.columns)}; "
            f"{shown(now.columns)}; make both with one profiler"
        )
    check_same_ids(usual.index.to_series(), now.index.to_series(), "long_term", "session")
    ids = usual.index.union(now.index).rename("user_id")
    far, near = (_directions(table, ids) for table in (usual, now))
    weight = np.where(far.any(axis=1), np.where(near.any(axis=1), float(alpha), 0.0), 1.0)
    mixed = weight[:, None] * near + (1 - weight)[:, None] * far
    return pd.DataFrame(mixed.astype(np.float32), index=ids, columns=usual.columns)


def _directions(table: pd.DataFrame, ids: pd.Index) -> np.ndarray:
    return unit_rows(table.reindex(ids, fill_value=0.0).to_numpy(dtype=np.float64))


def _microseconds(gap: object) -> float:
    if isinstance(gap, bool) or not isinstance(gap, Real):
        raise TypeError(f"gap must be a number of minutes, got {gap!r}")
    if not 0 <= float(gap) < np.inf:
        raise ValueError(f"gap must be a finite number of minutes from 0 on, got {gap}")
    return float(gap) * MICROSECONDS_A_MINUTE
