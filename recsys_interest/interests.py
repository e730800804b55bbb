"""Several interests per user: groups of a user's items, each with an item that stands for it.

Chapter: 05 (user profiles).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from recsys_interest.checks import check_count
from recsys_interest.profiles import InterestProfiler
from recsys_interest.vectors import unit_rows

__all__ = ["multi_interest"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def multi_interest(
    profiler: InterestProfiler,
    user_ids: Iterable[Any] | None = None,
    *,
    distance: float = 1.2,
    max_items: int = 1000,
) -> pd.DataFrame:
    r"""Group each user's items into as many interests as there are, each with a medoid.

    The distinct items of a user are merged by Ward's rule as long as a merge costs at most
    `distance`. Between groups :math:`A` and :math:`B` of unit vectors with centres :math:`c` it is

    .. math:: d(A, B) = \sqrt{\frac{2 |A| |B|}{|A| + |B|}} \; \lVert c_A - c_B \rVert ,

    for two single items :math:`\sqrt{2 - 2 \cos}`: 0 for the same direction, 1.41 for none in
    common. An interest stands for itself by its medoid, the item with the least sum of squared
    distances to the others, so it is always something real. Its importance is its share of the
    weight that the profiler gives to the user's events, strength, rarity and age included.

    Parameters
    ----------
    profiler : InterestProfiler
        Fitted. Its weights and item vectors are used.
    user_ids : iterable, optional
        Whose interests to return; all by default.
    distance : float, default 1.2
        The dearest merge that is still made: the larger, the fewer interests.
    max_items : int, default 1000
        Of users with more items, those with the largest shares are clustered, and each other item
        joins the nearest centre: time and memory grow with the square of the number.

    Returns
    -------
    DataFrame
        `user_id, interest, item_id, importance, n_items`: by user, the most important interest
        first (`interest` 0), `item_id` its medoid. The importances of a user sum to one. Users
        without a profile have no rows.

    Raises
    ------
    TypeError
        If `profiler` is not an `InterestProfiler`, or a number is not one.
    ValueError
        If `distance` is negative, or `max_items` is below 2.

    Notes
    -----
    Chapter 05, "User profiles". The design is PinnerSage's (Pal, Eksombatchai, Zhou, Zhao,
    Rosenberg and Leskovec, KDD 2020, doi:10.1145/3394486.3403280). Ties are settled by the larger
    share, then by the smaller id, so the result does not depend on the order of the events.

    Rows: C03.

    Examples
    --------
    >>> vectors = pd.DataFrame([[1, 0], [9, 1], [0, 1]], index=["tent", "rope", "novel"])
    >>> log = pd.DataFrame({"user_id": 1, "item_id": ["tent", "tent", "rope", "novel"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> multi_interest(InterestProfiler().fit(log, vectors), distance=0.5)
       user_id  interest item_id  importance  n_items
    0        1         0    tent        0.75        2
    1        1         1   novel        0.25        1
    """
    if not isinstance(profiler, InterestProfiler):
        raise TypeError(f"profiler must be an InterestProfiler, got {type(profiler).__name__}")
    if isinstance(distance, bool) or not isinstance(distance, Real):
        raise TypeError(f"distance must be a number, got {distance!r}")
    if not float(distance) >= 0:
        raise ValueError(f"distance must not be negative, got {distance}")
    check_count(max_items, "max_items", least=2)
    parts = profiler.contributions(user_ids)
    user, users = pd.factorize(parts["user_id"])
    vectors = profiler.item_vectors_
    unit = unit_rows(vectors.to_numpy(dtype=np.float64))
    place = vectors.index.get_indexer(parts["item_id"])
    share = parts["share"].to_numpy()
    group = np.zeros(len(parts), dtype=np.int64)
    best = np.zeros(len(parts), dtype=bool)
    ends = np.append(0, np.cumsum(np.bincount(user, minlength=len(users))))
    for first, last in pairwise(ends):
        rows = slice(first, last)
        mine = unit[place[rows]]
        group[rows] = _grouped(mine, float(distance), max_items)
        best[rows] = _medoids(mine, group[rows])
    return _table(parts, user, group, best, share)


def _grouped(unit: Floats, distance: float, max_items: int) -> Ints:
    """Return the group of each row; rows come with the largest share first."""
    head = unit[:max_items]
    if len(head) == 1:
        return np.zeros(1, dtype=np.int64)
    if len(head) == 2:
        return np.array([0, int(np.linalg.norm(head[0] - head[1]) > distance)])
    labels = fcluster(linkage(head, "ward"), distance, criterion="distance") - 1
    if len(unit) > max_items:
        centres = _sums(head, labels) / np.bincount(labels)[:, None]
        # The nearest centre by squared distance; |x|² is the same for all.
        cost = np.square(centres).sum(axis=1) - 2 * unit[max_items:] @ centres.T
        labels = np.append(labels, cost.argmin(axis=1))
    return labels.astype(np.int64)


def _medoids(unit: Floats, group: Ints) -> NDArray[np.bool_]:
    """Mark one row of each group, the first of those with the least sum of squared distances."""
    # For unit vectors that sum is 2n minus twice the product with the sum of the group.
    closeness = np.vecdot(unit, _sums(unit, group)[group])
    top = np.full(group.max() + 1, -np.inf)
    np.maximum.at(top, group, closeness)
    tied = np.flatnonzero(closeness >= top[group] - 1e-9 * len(unit))
    found = np.zeros(len(unit), dtype=bool)
    found[tied[np.unique(group[tied], return_index=True)[1]]] = True
    return found


def _sums(unit: Floats, group: Ints) -> Floats:
    member = np.zeros((group.max() + 1, len(unit)))
    member[group, np.arange(len(unit))] = 1.0
    sums: Floats = member @ unit
    return sums


def _table(
    parts: pd.DataFrame, user: Ints, group: Ints, best: NDArray[np.bool_], share: Floats
) -> pd.DataFrame:
    """Return one row per interest, from the items with their groups and medoids."""
    key = user * (group.max(initial=0) + 1) + group
    place, keys = pd.factorize(key)
    importance = np.bincount(place, share, minlength=len(keys))
    n_items = np.bincount(place, minlength=len(keys))
    medoids = parts[best].iloc[np.argsort(place[best])]
    table = medoids[["user_id", "item_id"]].assign(importance=importance, n_items=n_items)
    table = table.assign(user=user[best][np.argsort(place[best])])
    upwards = [True, False, True]
    table = table.sort_values(["user", "importance", "item_id"], ascending=upwards)
    table["interest"] = table.groupby("user").cumcount()
    names = ["user_id", "interest", "item_id", "importance", "n_items"]
    return table[names].reset_index(drop=True)
