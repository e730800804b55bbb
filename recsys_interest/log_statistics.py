"""What a log looks like before anything is learned: density and skew.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import check_frame
from recsys_interest.schema import validate_events, validate_items

__all__ = ["describe_log", "gini"]


def gini(counts: npt.ArrayLike) -> float:
    r"""Return how unevenly counts are spread: 0 if all are equal, nearly 1 if one has everything.

    Parameters
    ----------
    counts : array-like of shape (n,)
        How often each of n things occurred, those that never did included; not negative, in any
        order.

    Returns
    -------
    float
        The Gini coefficient, from 0 to :math:`1 - 1/n`.

    Raises
    ------
    ValueError
        If there are no counts, if one is negative or not finite, or if all are 0.

    Notes
    -----
    For the counts in ascending order :math:`x_1 \le \dots \le x_n`,

    .. math:: G = \frac{\sum_i (2 i - n - 1) \, x_i}{n \sum_i x_i} ,

    twice the area between the diagonal and the Lorenz curve. Derived in chapter 01, "Behaviour
    logs", after Gini (1912).

    Examples
    --------
    >>> gini([5, 5, 5, 5]), gini([0, 0, 0, 20])
    (0.0, 0.75)
    """
    x = np.sort(np.asarray(counts, dtype=np.float64), axis=None)
    if not len(x):
        raise ValueError("counts is empty; give one count for each thing")
    if not np.isfinite(x).all() or x[0] < 0:
        raise ValueError("counts must be finite and not negative")
    if not x[-1] > 0:
        raise ValueError("all counts are 0; nothing is spread, evenly or not")
    x = np.ldexp(x, -np.frexp(x[-1])[1])  # the sum of huge counts would overflow
    n = len(x)
    return max(0.0, float(np.arange(1 - n, n, 2) @ x / (n * x.sum())))


def describe_log(events: pd.DataFrame, items: pd.DataFrame | None = None) -> pd.Series:
    r"""Return the size, the density and the skew of a log.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`), at least one.
    items : DataFrame, optional
        Valid items (see `validate_items`). If given, those without events count as items, too.

    Returns
    -------
    Series of float64
        `events`, `users`, `items`; `pairs` of a user and an item; `density`, their share of all
        pairs; `events_per_user` and `events_per_item` (medians); `gini_users` and `gini_items`
        (see `gini`), how unevenly the events are spread; `days` between the first and the last
        event.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If there are no events.

    Notes
    -----
    For a set :math:`P` of pairs, :math:`U` users and :math:`I` items, the density is
    :math:`|P| / (|U| \, |I|)`. Chapter 01, "Behaviour logs".

    Rows: K04.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": list("aab"), "item_id": [1, 2, 1]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-01")
    >>> describe_log(log)[["events", "pairs", "density"]].to_dict()
    {'events': 3.0, 'pairs': 3.0, 'density': 0.75}
    """
    check_frame(events, "events", ("user_id", "item_id", "timestamp"))
    log = validate_events(events)
    if log.empty:
        raise ValueError("events has no rows; there is nothing to describe")
    by_user, by_item = log["user_id"].value_counts(), log["item_id"].value_counts()
    if items is not None:
        known = pd.Index(validate_items(items)["item_id"]).union(by_item.index)
        by_item = by_item.reindex(known, fill_value=0)
    pairs = int((~log.duplicated(["user_id", "item_id"])).sum())
    return pd.Series(
        {
            "events": len(log),
            "users": len(by_user),
            "items": len(by_item),
            "pairs": pairs,
            "density": pairs / (len(by_user) * len(by_item)),
            "events_per_user": by_user.median(),
            "events_per_item": by_item.median(),
            "gini_users": gini(by_user),
            "gini_items": gini(by_item),
            "days": (log["timestamp"].max() - log["timestamp"].min()) / pd.Timedelta("1D"),
        },
        dtype="float64",
    )
