"""Checks for the exercises of chapter 05.

Chapter: 05 (user profiles).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, called, equal, shape_of

__all__ = ["check_decay", "check_medoid", "check_merge"]


def check_decay(decay: Callable[[np.ndarray, float], Any]) -> Verdict:
    """Check `decay(ages, half_life)`: the weight of events by their age.

    Parameters
    ----------
    decay : callable
        Takes ages in days, shape (n,), and a half-life in days; returns weights, shape (n,).

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 05, "User profiles".

    Examples
    --------
    >>> check_decay(lambda ages, half_life: np.exp(-ages / half_life))
    Not yet. What is left after one half-life? This is the decay to 1/e.
    """
    ages, half_life = np.array([0.0, 10.0, 20.0, 5.0]), 10.0
    found, problem = called(decay, ages, half_life)
    if problem:
        return Verdict(False, problem)
    if equal(found, np.exp(-ages / half_life)):
        return Verdict(False, "What is left after one half-life? This is the decay to 1/e.")
    if equal(found, 2 ** (ages / half_life)):
        return Verdict(False, "Should an old event weigh more than a new one?")
    if equal(found, 1 - ages / (2 * half_life)):
        return Verdict(False, "A straight line halves once. What is left after two half-lives?")
    if not equal(found, np.array([1.0, 0.5, 0.25, 0.5**0.5])):
        return Verdict(False, "Ages 0, 10 and 20 with a half-life of 10 weigh 1, 1/2 and 1/4.")
    return Verdict(True)


def check_merge(merge: Callable[..., Any]) -> Verdict:
    """Check `merge(first, second, half_life)`: two decayed sums become one.

    Parameters
    ----------
    merge : callable
        Takes two pairs (time in days, sum at that time) and a half-life in days; returns a pair.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 05, "User profiles".

    Examples
    --------
    >>> check_merge(lambda first, second, half_life: (second[0], first[1] + second[1]))
    Not yet. The two sums belong to different moments: bring them to one before you add.
    """
    early, late = (0.0, 4.0), (10.0, 1.0)
    found, problem = called(merge, early, late, 10.0)
    if problem:
        return Verdict(False, problem)
    if equal(found, np.array([10.0, 5.0])) or equal(found, np.array([0.0, 5.0])):
        hint = "The two sums belong to different moments: bring them to one before you add."
        return Verdict(False, hint)
    if equal(found, np.array([0.0, 6.0])):
        return Verdict(False, "Anchored at the older moment the sum grows with every new event.")
    if not equal(found, np.array([10.0, 3.0])):
        return Verdict(False, "Merge (day 0, 4) and (day 10, 1) by hand, with a half-life of 10.")
    swapped, problem = called(merge, late, early, 10.0)
    if problem or not equal(swapped, np.array([10.0, 3.0])):
        return Verdict(False, "Swap the two. Late events come second: does the answer change?")
    far, problem = called(merge, (0.0, 1.0), (1e7, 1.0), 1.0)
    if problem or not equal(far, np.array([1e7, 1.0])):
        return Verdict(False, "Try two events 27,000 years apart: does a power of two overflow?")
    return Verdict(True)


def check_medoid(medoid: Callable[[np.ndarray], Any]) -> Verdict:
    """Check `medoid(vectors)`: the row with the least sum of squared distances to the others.

    Parameters
    ----------
    medoid : callable
        Takes vectors of shape (n, d); returns a row number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 05, "User profiles".

    Examples
    --------
    >>> check_medoid(lambda vectors: vectors.mean(axis=0))
    Not yet. Return a row number: a mean need not be any of the items.
    """
    vectors = np.array([[0.0, 0.0], [3.0, 0.0], [4.0, 0.0], [5.0, 0.0], [9.0, 0.5]])
    found, problem = called(medoid, vectors)
    if problem:
        return Verdict(False, problem)
    if shape_of(found) != () or not np.issubdtype(np.asarray(found).dtype, np.integer):
        return Verdict(False, "Return a row number: a mean need not be any of the items.")
    if int(found) == 4:
        return Verdict(False, "That row is the farthest from the others: least, not most.")
    if int(found) != 2:
        return Verdict(False, "Which of 0, 3, 4, 5 and 9 on a line is nearest to all others?")
    # The sum of distances would choose row 1 here, the sum of squares chooses row 2.
    skewed = np.array([[0.0], [0.0], [0.1], [4.0], [10.0]])[[0, 2, 3, 4, 1]]
    found, problem = called(medoid, skewed)
    if problem or int(found) != 2:
        return Verdict(False, "Are the distances squared? Far rows pull harder then.")
    return Verdict(True)
