"""One partition from several: users who are together for most algorithms stay together.

Chapter: 08 (hierarchical and density clustering).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import canonical_ids, check_count, shown
from recsys_interest.partitions import by_size

__all__ = ["consensus_clusters"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NOISE = -1
#: Users with the same labels everywhere are one pattern; of more patterns than this, the most
#: frequent are merged and the others join them: memory grows with the square of the number.
MOST_PATTERNS = 4000


def consensus_clusters(labelings: pd.DataFrame, n_clusters: int | None = None) -> pd.DataFrame:
    r"""Merge the partitions of several algorithms into one, with the agreement on each user.

    The co-association of two users is the share of the :math:`B` labelings that put them into one
    cluster,

    .. math:: C_{ij} = \frac{1}{B} \sum_{b=1}^{B} [\, \ell_i^b = \ell_j^b \neq -1 \,],

    and the consensus is average linkage on it: the two groups with the largest mean
    :math:`C_{ij}` are merged, as long as it is above one half or until `n_clusters` are left.

    Parameters
    ----------
    labelings : DataFrame of shape (n_users, n_labelings)
        One column per algorithm, or per run of one; indexed by user. What the clusters are called
        does not matter; −1 is noise, which is together with nobody.
    n_clusters : int, optional
        How many clusters to end with. Default: as many as the majority leaves.

    Returns
    -------
    DataFrame
        With the index of `labelings`. `cluster`: 0 is the largest, equal sizes are in the order of
        the smallest user id; −1 for users whom more than half of the labelings call noise.
        `agreement`, in [0, 1]: the mean :math:`C_{ij}` with the other members of the cluster; for
        noise the share of labelings that say so; NaN for a cluster of one.

    Raises
    ------
    TypeError
        If `labelings` is no DataFrame, or `n_clusters` no whole number.
    ValueError
        If there is no row or column, a user is there twice, a label is missing, or `n_clusters` is
        below 1 or above the number of different rows.

    Notes
    -----
    Chapter 08, "Hierarchical and density clustering". Evidence accumulation, Fred and Jain (2005),
    doi:10.1109/TPAMI.2005.113, cut at one half, where the majority ends, instead of at the longest
    lifetime. Users with equal rows are merged first, so time and memory depend on the number of
    different rows; of more than 4,000, the others join the cluster with which they have the largest
    mean :math:`C_{ij}`. Several labelings that share a mistake agree on it: agreement is not truth.

    Rows: Q05.

    Examples
    --------
    >>> labelings = pd.DataFrame({"a": [0, 0, 1, 1], "b": [5, 5, 7, 7], "c": [0, 1, 1, 1]},
    ...                          index=["ann", "bob", "cem", "dee"])
    >>> consensus_clusters(labelings).round(2)
         cluster  agreement
    ann        0       0.67
    bob        0       0.67
    cem        1       1.00
    dee        1       1.00
    """
    if n_clusters is not None:
        check_count(n_clusters, "n_clusters")
    codes, order = _codes(labelings)
    noise = (codes == NOISE).mean(axis=1)
    inside = noise <= 0.5
    found = np.full(len(codes), NOISE, dtype=np.int64)
    if inside.any():
        found[inside] = _merged(codes[inside], n_clusters)
    agreement = np.where(inside, _agreement(codes, found), noise)
    out = pd.DataFrame({"cluster": found, "agreement": agreement}, index=labelings.index[order])
    return out.iloc[np.argsort(order)]


def _codes(labelings: pd.DataFrame) -> tuple[Ints, npt.NDArray[np.intp]]:
    """Return the labels as numbers from 0, −1 for noise, by ascending id, and that order."""
    if not isinstance(labelings, pd.DataFrame):
        kind = type(labelings).__name__
        raise TypeError(
            f"labelings must be a DataFrame, one column per algorithm, indexed by user, got {kind}"
        )
    if labelings.empty:
        raise ValueError(f"labelings needs users and columns, it has the shape {labelings.shape}")
    users = canonical_ids(
        labelings.index.to_series(index=range(len(labelings))), "the index of labelings"
    )
    if users.duplicated().any():
        twice = shown(users[users.duplicated()])
        raise ValueError(f"labelings has the users {twice} more than once; keep one row each")
    order = users.argsort(kind="stable").to_numpy()
    columns = []
    for position, name in enumerate(labelings.columns):
        column = labelings.iloc[order, position]
        if column.isna().any():
            raise ValueError(
                f"labelings[{name!r}] is missing for {shown(column.index[column.isna()])}; "
                f"use -1 for no cluster"
            )
        codes, names = pd.factorize(column)
        kept = np.array([value != NOISE for value in names])
        columns.append(np.where(kept[codes], codes, NOISE))
    return np.column_stack(columns).astype(np.int64), order


def _merged(codes: Ints, n_clusters: int | None) -> Ints:
    """Return the consensus cluster of each row, the largest first."""
    _, first, inverse, sizes = np.unique(
        codes, axis=0, return_index=True, return_inverse=True, return_counts=True
    )
    if n_clusters is not None and n_clusters > len(sizes):
        raise ValueError(
            f"n_clusters = {n_clusters}, but the labelings tell only {len(sizes)} groups of users "
            f"apart; use {len(sizes)} or fewer"
        )
    # By falling size, then by the first user: neither names nor the order of columns count.
    ranked = np.lexsort((first, -sizes))
    head = ranked[: max(MOST_PATTERNS, n_clusters or 0)]
    patterns = codes[first]
    merges = _average_linkage(_together(patterns[head], patterns[head]), sizes[head])
    group = np.full(len(sizes), NOISE, dtype=np.int64)
    group[head] = _cut(merges, len(head), n_clusters)
    rest = ranked[len(head) :]
    if len(rest):
        group[rest] = _nearest(patterns[rest], patterns[head], group[head], sizes[head])
    return by_size(group[inverse.ravel()])[0]


def _together(left: Ints, right: Ints) -> Floats:
    """Return the co-association of every row of `left` with every row of `right`."""
    shared = np.zeros((len(left), len(right)))
    for a, b in zip(left.T, right.T, strict=True):
        shared += (a[:, None] == b[None, :]) & (a != NOISE)[:, None]
    shared /= left.shape[1]
    return shared


def _average_linkage(together: Floats, sizes: Ints) -> list[tuple[float, int, int]]:
    """Return the merges (mean co-association, kept, gone) by a chain of nearest neighbours."""
    together, weight = together.copy(), sizes.astype(np.float64)
    np.fill_diagonal(together, -1.0)
    active = np.ones(len(sizes), dtype=bool)
    merges: list[tuple[float, int, int]] = []
    chain: list[int] = []
    while len(merges) < len(sizes) - 1:
        if not chain:
            chain.append(int(active.argmax()))
        row = together[chain[-1]]
        best = row.max()
        if len(chain) == 1 or row[chain[-2]] < best:  # of equally near ones the one before
            chain.append(int(row.argmax()))
            continue
        gone, kept = chain.pop(), chain.pop()
        merges.append((float(best), kept, gone))
        both = np.stack([together[kept], together[gone]])
        mean = np.average(both, axis=0, weights=[weight[kept], weight[gone]])
        # Rounding must not lift a mean above both, or the chain could turn in a circle.
        mean = np.minimum(mean, both.max(axis=0))
        weight[kept] += weight[gone]
        active[gone] = False
        mean[~active] = mean[kept] = -1.0
        together[kept] = together[:, kept] = mean
        together[gone] = together[:, gone] = -1.0
    return merges


def _cut(merges: list[tuple[float, int, int]], n: int, n_clusters: int | None) -> Ints:
    """Return the group of each of n patterns after the first merges."""
    ranked = sorted(merges, key=lambda merge: -merge[0])  # stable: a merge never precedes its parts
    made = [m for m in ranked if m[0] > 0.5] if n_clusters is None else ranked[: n - n_clusters]
    parent = np.arange(n)
    for _, kept, gone in made:
        parent[gone] = kept
    while (parent[parent] != parent).any():
        parent = parent[parent]
    return np.unique(parent, return_inverse=True)[1].astype(np.int64)


def _nearest(patterns: Ints, head: Ints, group: Ints, sizes: Ints) -> Ints:
    """Return, for each further pattern, the group with the largest mean co-association."""
    member = np.zeros((len(head), group.max() + 1))
    member[np.arange(len(head)), group] = sizes
    member /= member.sum(axis=0)
    starts = range(0, len(patterns), MOST_PATTERNS)
    parts = [_together(patterns[at : at + MOST_PATTERNS], head) @ member for at in starts]
    return np.concatenate(parts).argmax(axis=1).astype(np.int64)


def _agreement(codes: Ints, found: Ints) -> Floats:
    """Return the mean co-association of each row with the others of its cluster."""
    others = np.bincount(found[found >= 0], minlength=1)[found] - 1.0
    total = np.zeros(len(codes))
    for column in codes.T:
        in_cluster = column != NOISE
        pair = found * (column.max() + 2) + column
        counts = np.unique(pair, return_inverse=True, return_counts=True)
        total += np.where(in_cluster, counts[2][counts[1]] - 1, 0)
    mean = np.full(len(codes), np.nan)
    np.divide(total / codes.shape[1], others, out=mean, where=(others > 0) & (found >= 0))
    return mean
