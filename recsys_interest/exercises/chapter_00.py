"""Checks for the exercises of chapter 00.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, called, equal, noticed

__all__ = ["check_profile", "check_top_k"]


def check_profile(profile: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `profile(weights, vectors)`: the weighted mean of one user's item vectors.

    Parameters
    ----------
    profile : callable
        Takes weights of shape (n,) and vectors of shape (n, d); returns a vector of shape (d,), or
        None if all weights are zero.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 00, "Quickstart".

    Examples
    --------
    >>> check_profile(lambda weights, vectors: vectors.mean(axis=0))
    Not yet. Do the weights matter? A purchase should pull harder than a glance.
    """
    weights, vectors = np.array([3.0, 1.0]), np.array([[1.0, 0.0], [0.0, 1.0]])
    found, problem = called(profile, weights, vectors)
    if problem:
        return Verdict(False, problem)
    if equal(found, vectors.mean(axis=0)):
        return Verdict(False, "Do the weights matter? A purchase should pull harder than a glance.")
    if equal(found, weights @ vectors):
        return Verdict(False, "Repeat every event ten times: should the profile grow tenfold?")
    if not equal(found, np.array([0.75, 0.25])):
        return Verdict(False, "Try two events by hand, with weights 3 and 1 on two unit vectors.")
    nothing, problem = called(profile, np.zeros(2), vectors)
    if problem or nothing is not None:
        return Verdict(False, "What does it return when every weight is zero?")
    return Verdict(True)


def check_top_k(top_k: Callable[[np.ndarray, np.ndarray, int], Any]) -> Verdict:
    """Check `top_k(profile, vectors, k)`: the rows with the highest cosine, best first.

    Parameters
    ----------
    top_k : callable
        Takes a vector of shape (d,), vectors of shape (n, d) and k; returns at most k row numbers.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 00, "Quickstart".

    Examples
    --------
    >>> check_top_k(lambda profile, vectors, k: (vectors @ profile).argsort()[:k])
    Not yet. Is the best row the first of the list?
    """
    profile = np.array([1.0, 0.0])
    vectors = np.array([[1.0, 1.0], [9.0, 9.1], [0.5, 0.0], [-1.0, 0.0], [0.2, 0.0], [0.0, 0.0]])
    found, problem = called(top_k, profile, vectors, 4)
    if problem:
        return Verdict(False, problem)
    try:
        rows = [int(row) for row in found]
    except (TypeError, ValueError):
        return Verdict(False, f"Return row numbers; this returned {type(found).__name__}.")
    signs = {
        "Is the best row the first of the list?": rows[:1] not in ([2], [4], [1]),
        "A long vector is not a better one: divide by the lengths.": rows[:1] == [1],
        "Of equal rows, does the first one come first?": rows[:2] == [4, 2],
        "Four rows were asked for.": len(rows) != 4,
        "Draw the six rows on paper and measure their angles.": rows != [2, 4, 0, 1],
    }
    verdict = noticed(signs)
    if not verdict:
        return verdict
    everything, problem = called(top_k, profile, vectors, 6)
    return noticed({"Which direction has a row of zeros?": problem or 5 in list(everything)})
