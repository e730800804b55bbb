"""What a partition of unit vectors looks like: numbers by size, centroids, medoids.

Chapter: 07 (K-means).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.vectors import unit_rows

__all__ = ["blocks", "by_size", "count_different", "mean_directions", "medoids", "runs"]

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]

#: Unit vectors closer than this in every coordinate are the same interest: single precision
#: cannot tell a vector from its double after both are scaled to length one.
SAME = 1e-6
ROWS_AT_ONCE = 4096


def blocks(n_rows: int) -> Iterator[slice]:
    """Cut a table into blocks of rows, so that a temporary result stays small.

    >>> [s.stop for s in blocks(5000)]
    [4096, 8192]
    """
    return (slice(start, start + ROWS_AT_ONCE) for start in range(0, n_rows, ROWS_AT_ONCE))


def runs(rows: Array) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.intp]]:
    """Return which row of a sorted table begins a run of equal rows, and the run of every row.

    >>> runs(np.array([[1.0], [1.0], [2.0]]))[1].tolist()
    [0, 0, 1]
    """
    first = np.ones(len(rows), dtype=bool)
    for here in blocks(len(rows) - 1):
        before = rows[:-1][here]
        first[1:][here] = (rows[1:][here] != before).any(axis=1)
    return first, np.cumsum(first) - 1


def count_different(rows: Array, limit: int) -> int:
    """Return how many rows differ by more than `SAME` from one another, counting up to `limit`.

    >>> count_different(np.array([[1.0], [1.0 + 1e-9], [2.0], [3.0]]), limit=9)
    3
    """
    largest = max(float(rows.max()), -float(rows.min()))
    tolerance = SAME * max(largest, np.finfo(rows.dtype).tiny)
    kept: list[Array] = []
    # Mostly the first few rows are enough.
    few = slice(0, min(len(rows), 4 * limit))
    for here in (few, *blocks(len(rows))):
        rest = rows[here]
        for row in kept:
            rest = rest[np.abs(rest - row).max(axis=1) > tolerance]
        while len(rest) and len(kept) < limit:
            kept.append(rest[0])
            rest = rest[np.abs(rest - rest[0]).max(axis=1) > tolerance]
        if len(kept) >= limit:
            break
    return len(kept)


def by_size(labels: Labels) -> tuple[Labels, Labels]:
    """Renumber by falling size, equal sizes by the first member; −1 stays.

    >>> by_size(np.array([7, 3, 3, -1]))[0].tolist()
    [1, 0, 0, -1]

    Returns
    -------
    tuple of two ndarrays of int64
        The new labels, and the old name of every new number.
    """
    names, first, inverse, sizes = np.unique(
        labels, return_index=True, return_inverse=True, return_counts=True
    )
    clusters = np.flatnonzero(names >= 0)
    ranked = clusters[np.lexsort((first[clusters], -sizes[clusters]))]
    rank = np.full(len(names), -1, dtype=np.int64)
    rank[ranked] = np.arange(len(ranked))
    return rank[inverse], names[ranked].astype(np.int64)


def mean_directions(unit: Array, labels: Labels, n_clusters: int) -> Array:
    """Return the mean of the unit rows of every cluster, scaled to length one.

    >>> mean_directions(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0]), 1).round(2).tolist()
    [[0.71, 0.71]]
    """
    sums = [unit[labels == k].sum(axis=0, dtype=np.float64) for k in range(n_clusters)]
    means = np.array(sums).reshape(n_clusters, unit.shape[1])
    counts = np.bincount(labels[labels >= 0], minlength=n_clusters)[:, None]
    means = means / np.maximum(counts, 1)
    # What is left of members that cancel out is rounding, not a direction.
    means[np.abs(means).max(axis=1, initial=0.0) < np.finfo(unit.dtype).eps] = 0.0
    return unit_rows(means).astype(unit.dtype)


def medoids(
    unit: Array, labels: Labels, run: npt.NDArray[np.intp], centroids: Array, index: pd.Index
) -> Array:
    """Return the index label of the member nearest to each centroid; of equal ones the smallest.

    >>> unit = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> medoids(unit, np.array([0, 1]), np.array([0, 1]), unit, pd.Index(["a", "b"])).tolist()
    ['a', 'b']
    """
    chosen = []
    for k, centroid in enumerate(centroids):
        members = np.flatnonzero(labels == k)
        nearest = members[np.argmax(unit[members] @ centroid)]
        equal = index[run == run[nearest]]
        # Ids of one kind compare; an index of mixed kinds still gives one answer.
        chosen.append(min(equal, key=lambda label: (type(label).__name__, label)))
    return pd.Index(chosen, dtype=index.dtype).to_numpy()
