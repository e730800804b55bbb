"""Checks for the exercises of chapter 07.

Chapter: 07 (K-means).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, called, equal, judged, shape_of

__all__ = ["check_start_weights", "check_update", "check_within"]


def check_update(update: Callable[..., Any]) -> Verdict:
    """Check `update(V, labels, centres)`: the centres after one step of Lloyd's algorithm.

    Parameters
    ----------
    update : callable
        Takes vectors of shape (n, d), a cluster for each and centres of shape (k, d); returns
        centres.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 07, "K-means".

    Examples
    --------
    >>> check_update(lambda V, labels, centres: (centres[:-1] + centres[1:]) / 2)
    Not yet. Return one centre for each of the k clusters, shape (k, d).
    """
    V = np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 6.0], [0.0, 4.0]])
    labels, centres = np.array([0, 0, 2, 0]), np.array([[9.0, 1.0], [7.0, 8.0], [3.0, 3.0]])
    found, problem = called(update, V, labels, centres)
    if problem:
        return Verdict(False, problem)
    if shape_of(found) != (3, 2):
        return Verdict(False, "Return one centre for each of the k clusters, shape (k, d).")
    if not np.isfinite(np.asarray(found, dtype=float)).all():
        return Verdict(False, "Cluster 1 has no user: the mean of nothing is no number.")
    if equal(found, centres):
        return Verdict(False, "The centres did not move.")
    expected = np.array([[2 / 3, 4 / 3], [7.0, 8.0], [4.0, 6.0]])
    if equal(found, expected):
        return Verdict(True)
    if not equal(np.asarray(found)[1], centres[1]):
        return Verdict(False, "Cluster 1 has no user. Its centre should stay at (7, 8).")
    if equal(np.asarray(found)[0], np.array([2.0, 4.0])):
        return Verdict(False, "A sum grows with the cluster: divide by its size.")
    if equal(found, np.array([[2 / 3, 4 / 3], [7.0, 8.0], [7 / 2, 9 / 2]])):
        return Verdict(False, "The old centre is not a member of the cluster.")
    return Verdict(False, "The new centre of (0, 0), (2, 0) and (0, 4) is their mean.")


def check_start_weights(start_weights: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `start_weights(V, centres)`: who becomes the next centre of k-means++, how likely.

    Parameters
    ----------
    start_weights : callable
        Takes vectors of shape (n, d) and the centres so far; returns probabilities, shape (n,).

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 07, "K-means".

    Examples
    --------
    >>> check_start_weights(lambda V, centres: np.full(len(V), 1 / len(V)))
    Not yet. A user who is a centre already should not be drawn again.
    """
    V = np.array([[0.0, 0.0], [3.0, 0.0], [3.0, 4.0], [0.0, 2.0]])
    one, two = V[:1], V[[0, 2]]
    found, problem = called(start_weights, V, one)
    if problem:
        return Verdict(False, problem)
    if shape_of(found) != (4,):
        return Verdict(False, "Return one probability for each user, shape (n,).")
    if not equal(np.asarray(found)[0], np.array(0.0)):
        return Verdict(False, "A user who is a centre already should not be drawn again.")
    if not equal(np.sum(found), np.array(1.0)):
        return Verdict(False, "Probabilities sum to one.")
    if equal(found, np.array([0.0, 3.0, 5.0, 2.0]) / 10):
        return Verdict(False, "These weights grow with the distance; they should with its square.")
    if not equal(found, np.array([0.0, 9.0, 25.0, 4.0]) / 38):
        return Verdict(False, "With one centre at (0, 0), (3, 4) has the squared distance 25.")
    found, problem = called(start_weights, V, two)
    if problem:
        return Verdict(False, problem)
    if not equal(found, np.array([0.0, 9.0, 0.0, 4.0]) / 13):
        return Verdict(False, "With two centres, only the nearest one counts.")
    return Verdict(True)


def check_within(within_from_pairs: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `within_from_pairs(squares, labels)`: the objective of K-means without centres.

    Parameters
    ----------
    within_from_pairs : callable
        Takes squared distances between all users, shape (n, n), and a cluster for each; returns a
        number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 07, "K-means".

    Examples
    --------
    >>> check_within(lambda squares, labels: squares.sum())
    Not yet. This is the sum over all pairs: it is the same for every partition.
    """
    V = np.array([[0.0], [3.0], [6.0], [1.0], [5.0]])
    squares, labels = np.square(V - V.T), np.array([4, 4, 4, 7, 7])
    inside = squares[:3, :3].sum(), squares[3:, 3:].sum()
    hints = {
        "This is the sum over all pairs: it is the same for every partition.": squares.sum(),
        "Divide the sum over the pairs of a cluster by twice its size.": sum(inside),
        "Divide by the size of the cluster, too, not only by two.": sum(inside) / 2,
        "The sum over i and l counts each pair twice.": inside[0] / 3 + inside[1] / 2,
    }
    otherwise = "For 0, 3, 6 the answer is 9 + 0 + 9, and for 1, 5 it is 4 + 4."
    return judged(within_from_pairs, (squares, labels), 26.0, otherwise, hints)
