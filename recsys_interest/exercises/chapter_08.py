"""Checks for the exercises of chapter 08.

Chapter: 08 (hierarchical and density clustering).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import (
    Verdict,
    also,
    called,
    equal,
    judged,
    noticed,
    shape_of,
)

__all__ = ["check_core_points", "check_reachability", "check_silhouette", "check_ward_cost"]


def check_ward_cost(ward_cost: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `ward_cost(A, B)`: by how much merging two groups raises the sum of squares.

    Parameters
    ----------
    ward_cost : callable
        Takes two arrays of points, of shapes (a, d) and (b, d); returns a number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 08, "Hierarchical and density clustering".

    Examples
    --------
    >>> check_ward_cost(lambda A, B: ((A.mean(axis=0) - B.mean(axis=0)) ** 2).sum())
    Not yet. That is the same for two points and for two thousand. Where are the sizes?
    """
    A = np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]])
    B = np.array([[7.0, 1.0]])
    apart = ((A.mean(axis=0) - B.mean(axis=0)) ** 2).sum()
    both = np.vstack([A, B])
    hints = {
        "That is the same for two points and for two thousand. Where are the sizes?": apart,
        "That is SciPy's height. The cost is half of its square.": np.sqrt(2 * 0.75 * apart),
        "That is the sum of squares after the merge. What was it before?": (
            (both - both.mean(axis=0)) ** 2
        ).sum(),
        "The product of the sizes goes over their sum, not over their product.": apart * 4 / 3,
    }
    return judged(
        ward_cost,
        (A, B),
        0.75 * apart,
        "Compute the sum of squares before and after on three points.",
        hints,
    ) and also(ward_cost, (A, A), 0.0, "Two groups with one centre: what does merging them cost?")


def check_core_points(core_points: Callable[[np.ndarray, float, int], Any]) -> Verdict:
    """Check `core_points(D, eps, min_samples)`: which points are core points of DBSCAN.

    Parameters
    ----------
    core_points : callable
        Takes the distances of shape (n, n), a radius and a number; returns booleans of shape (n,).

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 08, "Hierarchical and density clustering".

    Examples
    --------
    >>> check_core_points(lambda D, eps, m: (D <= eps).sum(axis=1) > m)
    Not yet. The point itself is one of its neighbours, and exactly min_samples are enough.
    """
    x = np.array([0.0, 2.0, 4.0, 7.0, 12.0, 60.0])
    D = np.abs(x[:, None] - x[None, :])
    hints = {
        "The point itself is one of its neighbours, and exactly min_samples are enough.": (
            np.array([0, 1, 1, 1, 0, 0])
        ),
        "A neighbour at exactly eps counts.": np.array([1, 1, 1, 0, 0, 0]),
        "Border points are in reach of a core point; they are not core.": (
            np.array([1, 1, 1, 1, 1, 0])
        ),
    }
    return judged(
        core_points,
        (D, 5.0, 3),
        [1, 1, 1, 1, 0, 0],
        "Count, for every row of D, the entries up to eps.",
        hints,
    ) and also(
        core_points,
        (D, 5.0, 2),
        [1, 1, 1, 1, 1, 0],
        "With min_samples = 2, every point with one other in reach is core.",
    )


def check_reachability(reachability: Callable[[np.ndarray, int], Any]) -> Verdict:
    """Check `reachability(D, min_samples)`: the mutual reachability distances of HDBSCAN.

    Parameters
    ----------
    reachability : callable
        Takes the distances of shape (n, n) and a number that counts the point itself; returns
        distances of shape (n, n). What stands on the diagonal does not matter.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 08, "Hierarchical and density clustering".

    Examples
    --------
    >>> check_reachability(lambda D, m: D)
    Not yet. The distance of two points in a sparse place must grow to their core distances.
    """
    x = np.array([0.0, 1.0, 3.0, 10.0])
    D = np.abs(x[:, None] - x[None, :])
    off = ~np.eye(4, dtype=bool)

    def right(min_samples: int) -> np.ndarray:
        core = np.sort(D, axis=1)[:, min_samples - 1]
        return np.maximum(D, np.maximum(core[:, None], core[None, :]))

    found, problem = called(reachability, D, 3)
    if problem:
        return Verdict(False, problem)
    if shape_of(found) != D.shape:
        return Verdict(False, "It must return one distance for every pair of points.")
    values = np.asarray(found, dtype=float)
    core = np.sort(D, axis=1)[:, 2]
    hints = {
        "The distance of two points in a sparse place must grow to their core distances.": D,
        "min_samples counts the point itself, which is its own nearest neighbour.": right(4),
        "Both points have a core distance; take the larger of the two, too.": np.maximum(
            D, core[:, None]
        ),
        "The core distance is a floor: take the maximum, not the sum.": (
            D + np.maximum(core[:, None], core[None, :])
        ),
    }
    signs = {hint: equal(values[off], wrong[off]) for hint, wrong in hints.items()}
    otherwise = "The maximum of three numbers: two core distances and the distance."
    return noticed(signs | {otherwise: not equal(values[off], right(3)[off])})


def check_silhouette(silhouette: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `silhouette(D, labels)`: the silhouette of every point.

    Parameters
    ----------
    silhouette : callable
        Takes the distances of shape (n, n) and labels of shape (n,); returns n numbers, 0 for a
        cluster of one.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 08, "Hierarchical and density clustering".

    Examples
    --------
    >>> check_silhouette(lambda D, labels: np.zeros(len(D)))
    Not yet. Write a and b of one point on paper: the mean distances to its own and the next group.
    """
    x = np.array([0.0, 1.0, 3.0, 4.0, 6.0, 30.0])
    labels = np.array([0, 0, 1, 1, 1, 2])
    D = np.abs(x[:, None] - x[None, :])
    hints = {
        "A point is no neighbour of itself: leave it out of the mean of its own cluster.": (
            _silhouette(D, labels, itself=True)
        ),
        "b is the mean distance to the nearest other cluster, not to all others together.": (
            _silhouette(D, labels, nearest=False)
        ),
        "Positive is good: b minus a, not a minus b.": -_silhouette(D, labels),
    }
    return judged(
        silhouette,
        (D, labels),
        _silhouette(D, labels),
        "Write a and b of one point on paper: the mean distances to its own and the next group.",
        hints,
    )


def _silhouette(
    D: np.ndarray, labels: np.ndarray, itself: bool = False, nearest: bool = True
) -> np.ndarray:
    values = np.zeros(len(D))
    for i, own in enumerate(labels):
        mine = labels == own
        if mine.sum() == 1:
            continue
        a = D[i, mine].sum() / (mine.sum() - (not itself))
        means = [D[i, labels == k].mean() for k in np.unique(labels) if k != own]
        b = min(means) if nearest else D[i, ~mine].mean()
        values[i] = (b - a) / max(a, b)
    return values
