"""Checks for the exercises of chapter 11.

Chapter: 11 (cosine recommendation).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, also, called, equal, noticed, shape_of

__all__ = ["check_blend", "check_seats", "check_survivors"]


def check_blend(blend: Callable[[np.ndarray, np.ndarray, float], Any]) -> Verdict:
    """Check `blend(usual, session, alpha)`: the direction between two profiles.

    Parameters
    ----------
    blend : callable
        Takes two vectors of any length and a weight from 0 to 1; returns a vector of length one.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 11, "Cosine recommendation".

    Examples
    --------
    >>> check_blend(lambda usual, session, alpha: (1 - alpha) * usual + alpha * session)
    Not yet. The longer profile counts for more. Scale both to length one first.
    """
    usual, session = np.array([3.0, 0.0, 0.0]), np.array([0.0, 0.3, 0.4])
    found, problem = called(blend, usual, session, 0.25)
    if problem:
        return Verdict(False, problem)
    raw = 0.75 * usual + 0.25 * session
    mixed = 0.75 * usual / 3 + 0.25 * session / 0.5
    other = 0.25 * usual / 3 + 0.75 * session / 0.5

    def is_direction(of: np.ndarray) -> bool:
        return equal(found, of / np.linalg.norm(of))

    signs = {
        "The longer profile counts for more. Scale both to length one first.": (
            equal(found, raw) or is_direction(raw)
        ),
        "The result has no length one. Scale it at the end, too.": equal(found, mixed),
        "Alpha is the weight of the session, not of the log.": is_direction(other),
        "With alpha = 0 it is the direction of `usual`. Is it?": not is_direction(mixed),
    }
    only = "What of somebody who has only a session, and zeros before?"
    return noticed(signs) and also(blend, (np.zeros(3), session, 0.25), session / 0.5, only)


def check_seats(seats: Callable[[np.ndarray, int], Any]) -> Verdict:
    """Check `seats(importance, n)`: how many of n places each interest gets by D'Hondt's rule.

    Parameters
    ----------
    seats : callable
        Takes importances above 0 and a number of places; returns a whole number for each interest.
        Of equal quotients the first interest's comes first.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 11, "Cosine recommendation".

    Examples
    --------
    >>> check_seats(lambda importance, n: np.rint(n * importance / importance.sum()))
    Not yet. Rounding gives away more or fewer places than there are.
    """
    importance = np.array([0.5, 0.25, 0.19, 0.06])
    for n in (1, 2, 5, 10, 20):
        found, problem = called(seats, importance, n)
        if problem:
            return Verdict(False, problem)
        right = _seats(importance, n)
        if equal(found, right):
            continue
        if shape_of(found) == right.shape and not np.isclose(np.sum(found), n):
            return Verdict(False, "Rounding gives away more or fewer places than there are.")
        if equal(found, _largest_remainders(importance, n)):
            return Verdict(False, "Those are largest remainders: a longer list may take one back.")
        return Verdict(False, "The next place goes to the largest importance / (places held + 1).")
    return Verdict(True)


def check_survivors(survivors: Callable[[np.ndarray, int, float], Any]) -> Verdict:
    """Check `survivors(rough, k, error)`: what can be among the k best.

    Parameters
    ----------
    survivors : callable
        Takes rough scores, of which each is off by at most `error`; returns the sorted positions of
        all that can be among the k best of the true scores, ties included, and of no other.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 11, "Cosine recommendation".

    Examples
    --------
    >>> check_survivors(lambda rough, k, error: np.sort(np.argsort(-rough)[:k]))
    Not yet. A score that is a little lower may be a true score that is higher.
    """
    rough = np.array([0.125, 0.875, 0.5, 0.65625, 0.75, 0.25, 0.625])
    found, problem = called(survivors, rough, 2, 0.0625)
    if problem:
        return Verdict(False, problem)
    signs = {
        "A score that is a little lower may be a true score that is higher.": (
            equal(found, [1, 4]) or equal(found, [4, 1])
        ),
        "At the edge, too: the last that just reaches the bound may tie.": equal(found, [1, 3, 4]),
        "Both may be off: the k-th upwards and the other downwards. How far?": (
            not equal(found, [1, 3, 4, 6])
        ),
    }
    few = np.array([0.5, 0.4, 0.1]), 5, 0.01
    return noticed(signs) and also(
        survivors, few, [0, 1, 2], "What if k is larger than the catalogue?"
    )


def _seats(importance: np.ndarray, n: int) -> np.ndarray:
    held = np.zeros(len(importance), dtype=np.int64)
    for _ in range(n):
        held[np.argmax(importance / (held + 1))] += 1
    return held


def _largest_remainders(importance: np.ndarray, n: int) -> np.ndarray:
    share = n * importance / importance.sum()
    held = np.floor(share).astype(np.int64)
    held[np.argsort(-(share - held), kind="stable")[: n - held.sum()]] += 1
    return held
