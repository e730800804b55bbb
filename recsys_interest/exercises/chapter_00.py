"""Checks for the exercises of chapter 00.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, called, equal, noticed

__all__ = ["check_lists", "check_profile", "check_top_k"]


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


def check_lists(lists: Callable[[np.ndarray, np.ndarray, np.ndarray, int], Any]) -> Verdict:
    """Check `lists(weights, seen, vectors, k)`: the nearest unseen rows, for every user.

    Parameters
    ----------
    lists : callable
        Takes weights of shape (m, n), booleans of the same shape, vectors of shape (n, d) and k;
        returns m lists of at most k row numbers. Who has no weights gets what most have seen.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 00, "Quickstart".

    Examples
    --------
    >>> check_lists(lambda weights, seen, vectors, k: [(-row).argsort()[:k] for row in weights])
    Not yet. Somebody gets an item that this user has seen.
    """
    vectors = np.array([[1.0, 0.0], [3.0, 3.0], [0.0, 2.0], [1.0, 0.2], [-1.0, 1.0]])
    weights, seen = np.zeros((6, 5)), np.zeros((6, 5), dtype=bool)
    weights[[0, 2, 2, 3, 4, 5], [0, 1, 3, 3, 4, 4]] = 2, 3, 1, 9, 1, 1
    seen[weights > 0] = seen[1, [0, 2]] = seen[2, [0, 2]] = seen[3, 4] = True
    found, problem = called(lists, weights, seen, vectors, 2)
    if problem:
        return Verdict(False, problem)
    try:
        answer = [[int(row) for row in one] for one in found]
        first, nobody, last, mixed, twin, other = answer
    except (TypeError, ValueError, OverflowError):
        return Verdict(False, "Return one list of row numbers for each of the six users.")
    known = any(row in np.flatnonzero(seen[user]) for user, one in enumerate(answer) for row in one)
    signs = {
        "One user has seen all items but one: what fills the list up?": last[:1] == [4] != last,
        "Somebody gets an item that this user has seen.": known,
        "A user without any weight wants a list too.": not nobody,
        "A long vector is not a better one: divide by the lengths.": (
            first == [1, 3] and twin == [2, 1]
        ),
        "Do the weights matter? One event can be worth more than another.": mixed == [2, 1],
        "Take one user alone: is it the list of the exercise before, among the unseen rows?": (
            [first, last, mixed, twin, other] != [[3, 1], [4], [0, 1], [2, 1], [2, 1]]
        ),
        "One who does much is still one user.": nobody == [3, 1],
        "What do most users know that this one does not?": nobody != [4, 3],
    }
    return noticed(signs)
