"""Which cluster of now is which of before: one assignment over centroids and members.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.optimize import linear_sum_assignment

from recsys_interest.checks import check_share, shown
from recsys_interest.vectors import unit_rows

__all__ = ["ClusterMatch", "match_clusters"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClusterMatch:
    """What `match_clusters` found.

    Attributes
    ----------
    scores : DataFrame
        One row for each pair of an old and a new cluster: `before`, `after`, `centroids` (how
        near), `shared` (members in both), `same`, `part` (of the new one's members, the share from
        the old one) and `joined` (of the old one's members, the share in the new one).
    continued : Series
        The old number of every new cluster (index) that goes on; −1 where there is none.
    parent : Series
        The old cluster a new one that does not continue any was split from; −1 where there is none.
    heir : Series
        The new cluster an old one (index) that does not go on was merged into; −1 where there is
        none.
    """

    scores: pd.DataFrame
    continued: pd.Series
    parent: pd.Series
    heir: pd.Series


def match_clusters(
    centroids: npt.ArrayLike,
    members: pd.Series | None,
    new_centroids: npt.ArrayLike,
    new_members: pd.Series | None,
    *,
    member_weight: float = 0.5,
    threshold: float = 0.5,
) -> ClusterMatch:
    r"""Match the clusters of two windows.

    Two things speak for old cluster i and new cluster j being the same. Their centroids,

    .. math:: g_{ij} = \max\Bigl(0,\; 1 - \frac{\lVert c_i - c'_j \rVert}{d_{ij}}\Bigr),

    with :math:`d_{ij}` the smaller of the distances of :math:`c_i` to the nearest other old
    centroid and of :math:`c'_j` to the nearest other new one: one half means on the border to a
    different cluster. And their members, counted among the users who are in a cluster in both
    windows,

    .. math:: o_{ij} = \frac{2 F_{ij}}{r_i + s_j}, \qquad
              r_i = \sum_j F_{ij}, \quad s_j = \sum_i F_{ij},

    with :math:`F_{ij}` users in i before and in j now. The score is
    :math:`S_{ij} = w\, o_{ij} + (1 - w)\, g_{ij}`, and ids go on by the assignment

    .. math:: \max_{\pi} \sum_i S_{i \pi(i)} \, [\, S_{i \pi(i)} > \tfrac12 \,],

    each old cluster to one new one at most and the other way round. A new cluster that is left over
    was split off from i where most of its members come from there, :math:`F_{ij} / s_j > \frac12`,
    and is a birth otherwise. An old one that is left over has been merged into j where most of its
    members are there, :math:`F_{ij} / r_i > \frac12`, and has died otherwise. If no part of a split
    has a score above one half, the largest goes on as the old cluster; of those merged likewise.

    Parameters
    ----------
    centroids : array of shape (n_clusters, n_features)
        Of the old clusters; only their directions count.
    members : Series of int, or None
        The number of the old cluster (position in the centroids) of every user (index); negative
        is noise. None where users cannot be recognised.
    new_centroids : array of shape (n_new_clusters, n_features)
        Of the new clusters.
    new_members : Series of int, or None
        As `members`, of the new clusters.
    member_weight : float, default 0.5
        The weight w of the members, from 0 to 1. A pair of which one side has no user in common
        with the other window is compared by centroids only: g is then all three scores.
    threshold : float, default 0.5
        What stands for one half in all the conditions above, from 0 to 1.

    Returns
    -------
    ClusterMatch
        Scores of all pairs and what became of each cluster.

    Raises
    ------
    TypeError
        If something is of the wrong kind.
    ValueError
        If the weight is not between 0 and 1, the centroids have different numbers of features, or
        a user is there twice.

    Notes
    -----
    Chapter 14, "Dynamic interests". The assignment problem is Kuhn (1955), solved by
    `scipy.optimize.linear_sum_assignment`; transitions after Spiliopoulou et al. (2006),
    doi:10.1145/1150402.1150491. The threshold is a majority on the side of the members; on the side
    of the centroids, a new centroid that lies nearer than half-way to every other old one cannot
    have one of those as its nearest. ``python -m benchmarks dynamics`` prints other thresholds and
    weights beside it.

    Examples
    --------
    >>> before = pd.Series([0, 0, 1, 1], index=["ann", "bob", "cem", "dee"])
    >>> after = pd.Series([1, 1, 0, 0], index=["ann", "bob", "cem", "dee"])
    >>> match_clusters([[1, 0], [0, 1]], before, [[0, 1], [1, 0.1]], after).continued.tolist()
    [1, 0]
    """
    old, new = _directions(centroids, "centroids"), _directions(new_centroids, "new_centroids")
    if len(old) and len(new) and old.shape[1] != new.shape[1]:
        raise ValueError(
            f"centroids have {old.shape[1]} features, new_centroids {new.shape[1]}; use the same "
            f"vectors in both windows"
        )
    weight = check_share(member_weight, "member_weight")
    threshold = check_share(threshold, "threshold")
    near = _nearness(old, new)
    shared = _shared(members, new_members, len(old), len(new))
    came, went = shared.sum(axis=0)[None, :], shared.sum(axis=1)[:, None]
    known = (came > 0) & (went > 0)

    def share(count: Floats, whole: Floats) -> Floats:
        return np.divide(count, whole + np.zeros_like(near), out=near.copy(), where=known)

    same = weight * share(2 * shared, went + came) + (1 - weight) * near
    part, joined = share(shared, came), share(shared, went)
    before, after = _assigned(same, threshold)
    parent, heir = _best(part, threshold, axis=0), _best(joined, threshold, axis=1)
    continued = np.full(len(new), -1, dtype=np.int64)
    continued[after] = before
    _keep_largest(continued, parent, shared.T, part.T)
    going = np.full(len(old), -1, dtype=np.int64)
    going[continued[continued >= 0]] = np.flatnonzero(continued >= 0)
    _keep_largest(going, heir, shared, joined)
    continued[going[going >= 0]] = np.flatnonzero(going >= 0)
    parent[continued >= 0], heir[going >= 0] = -1, -1
    return ClusterMatch(
        _table(near, shared, same, part, joined),
        pd.Series(continued, name="continued"),
        pd.Series(parent, name="parent"),
        pd.Series(heir, name="heir"),
    )


def _directions(centroids: npt.ArrayLike, name: str) -> Floats:
    try:
        rows = np.asarray(centroids, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a table of numbers, got {centroids!r}") from None
    if rows.ndim != 2:
        if rows.size:
            raise ValueError(f"{name} must have rows and columns, got the shape {rows.shape}")
        rows = rows.reshape(0, 0)
    if not np.isfinite(rows).all():
        raise ValueError(f"{name} holds NaN or inf; centroids are finite")
    return unit_rows(rows)


def _distances(left: Floats, right: Floats) -> Floats:
    if not len(left) or not len(right):
        return np.zeros((len(left), len(right)))
    return np.sqrt(np.maximum(0.0, 2.0 - 2.0 * left @ right.T))


def _nearness(old: Floats, new: Floats) -> Floats:
    """Return 1 for the same place, 0 for as far as the nearest different cluster."""
    apart = np.minimum(_to_the_next(old)[:, None], _to_the_next(new)[None, :])
    distance = _distances(old, new)
    # Centroids in one place are no measure of what is different.
    ratio = np.divide(distance, apart, out=np.full_like(distance, np.inf), where=apart > 0)
    return np.clip(1.0 - ratio, 0.0, 1.0)


def _to_the_next(unit: Floats) -> Floats:
    distance = _distances(unit, unit)
    np.fill_diagonal(distance, np.inf)
    return distance.min(axis=1, initial=np.sqrt(2.0))  # nothing in common is different enough


def _shared(old: pd.Series | None, new: pd.Series | None, n_old: int, n_new: int) -> Floats:
    if old is None or new is None:
        return np.zeros((n_old, n_new))
    there = {}
    for name, members, size in (("members", old, n_old), ("new_members", new, n_new)):
        if not isinstance(members, pd.Series):
            kind = type(members).__name__
            raise TypeError(f"{name} must be a Series of cluster numbers by user, got {kind}")
        if members.index.has_duplicates:
            twice = shown(members.index[members.index.duplicated()].tolist())
            raise ValueError(f"{name} has the user(s) {twice} more than once; keep one row each")
        members = members.dropna()
        if len(members) and not pd.api.types.is_numeric_dtype(members):
            raise TypeError(f"{name} must be cluster numbers, its type is {members.dtype}")
        odd = members[(members % 1 != 0) | (members >= size)]
        if len(odd):
            raise ValueError(f"{name} names cluster {shown(odd)}, there are {size} centroids")
        there[name] = members[members >= 0]
    both = pd.concat(there.values(), axis=1, join="inner", keys=["old", "new"])
    code = both["old"].to_numpy(np.int64) * n_new + both["new"].to_numpy(np.int64)
    return np.bincount(code, minlength=n_old * n_new).reshape(n_old, n_new).astype(np.float64)


def _assigned(same: Floats, threshold: float) -> tuple[Any, Any]:
    worth = np.where(same > threshold, same, 0.0)
    before, after = linear_sum_assignment(worth, maximize=True)
    kept = worth[before, after] > 0
    return before[kept], after[kept]


def _keep_largest(taken: Ints, wish: Ints, shared: Floats, score: Floats) -> None:
    """Give everything that is nobody's to the one that wants it with the most common members.

    `taken` and `wish` hold, for every cluster of one window, a cluster of the other, or −1.
    """
    for other in np.setdiff1d(wish, [-1, *taken]):
        asking = np.flatnonzero((wish == other) & (taken < 0))
        if len(asking):
            taken[max(asking, key=lambda n: (shared[n, other], score[n, other]))] = other


def _best(score: Floats, threshold: float, axis: int) -> Ints:
    if not score.size:
        return np.full(score.shape[1 - axis], -1, dtype=np.int64)
    return np.where(score.max(axis=axis) > threshold, score.argmax(axis=axis), -1).astype(np.int64)


def _table(
    near: Floats, shared: Floats, same: Floats, part: Floats, joined: Floats
) -> pd.DataFrame:
    before, after = np.indices(near.shape)
    columns: dict[str, Any] = {"before": before, "after": after, "centroids": near}
    columns |= {"shared": shared, "same": same, "part": part, "joined": joined}
    table = pd.DataFrame({name: np.ravel(values) for name, values in columns.items()})
    return table.astype({"shared": np.int64})
