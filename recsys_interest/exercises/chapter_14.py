"""Checks for the exercises of chapter 14.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, also, called, equal, judged

__all__ = ["check_assign", "check_overlap", "check_step"]


def check_step(step: Callable[..., Any]) -> Verdict:
    """Check `step(total, last, time, weight, half_life)`: a decayed sum after one more event.

    Parameters
    ----------
    step : callable
        Takes the sum and its moment, the moment and the weight of the event, and the half-life;
        returns the new sum and its moment.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> check_step(lambda total, last, time, weight, half_life: (total + weight, time))
    Not yet. What was there fades, too: by half in one half-life.
    """
    hints = {
        "What was there fades, too: by half in one half-life.": (9.0, 12.0),
        "The half-life is where one half is left, not 1/e: mind the ln 2.": (
            8.0 * np.exp(-1.0) + 1.0,
            12.0,
        ),
        "An event of this moment has not faded yet.": (4.5, 12.0),
    }
    return judged(
        step,
        (8.0, 10.0, 12.0, 1.0, 2.0),
        [5.0, 12.0],
        "Take a sum of 8, one half-life, and an event of weight 1 by hand.",
        hints,
    ) and also(
        step,
        (8.0, 12.0, 8.0, 1.0, 2.0),
        [8.25, 12.0],
        "A late event has faded already; the moment of the sum stays.",
    )


def check_overlap(overlap: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `overlap(before, now)`: twice the common members over the sum of both sizes.

    Parameters
    ----------
    overlap : callable
        Takes two arrays of labels of the same users, of shape (n,); returns a matrix.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> check_overlap(lambda before, now: np.eye(2))
    Not yet. Count by hand who is in cluster 0 before and in cluster 1 now.
    """
    before, now = np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1, 1, 2, 2, 2])
    F = np.array([[1.0, 2.0, 1.0], [0.0, 0.0, 2.0]])
    r, s = F.sum(axis=1)[:, None], F.sum(axis=0)[None, :]
    hints = {
        "These are counts; a large cluster would win by its size.": F,
        "That is the share of the old cluster only: a small part of a large one is lost.": F / r,
        "That is the share of the new cluster only.": F / s,
        "That is the Jaccard index; here the sizes are added, common members and all.": F
        / (r + s - F),
    }
    return judged(
        overlap,
        (before, now),
        2 * F / (r + s),
        "Count by hand who is in cluster 0 before and in cluster 1 now.",
        hints,
    )


def check_assign(assign: Callable[[np.ndarray], Any]) -> Verdict:
    """Check `assign(S)`: the old number of every new cluster with the largest sum of scores.

    Parameters
    ----------
    assign : callable
        Takes the scores, shape (n_old, n_new); returns an array of shape (n_new,), −1 for none.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> check_assign(lambda S: S.argmax(axis=0))
    Not yet. Two new clusters cannot both be the same old one.
    """
    S = np.array([[0.9, 0.8], [0.8, 0.1]])
    found, problem = called(assign, S)
    if problem:
        return Verdict(False, problem)
    if equal(found, np.array([0, 0])):
        return Verdict(False, "Two new clusters cannot both be the same old one.")
    if equal(found, np.array([0, 1])) or equal(found, np.array([0, -1])):
        return Verdict(False, "The largest score first is greedy: what is left for the others?")
    if not equal(found, np.array([1, 0])):
        return Verdict(False, "Two matchings are possible here. Which has the larger sum?")
    low, problem = called(assign, np.array([[0.9, 0.2], [0.1, 0.4]]))
    if problem or not equal(low, np.array([0, -1])):
        return Verdict(False, "A score of one half or less is no match: that cluster is new.")
    steered, problem = called(assign, np.array([[0.6, 0.5], [0.5, 0.1]]))
    if problem or not equal(steered, np.array([0, -1])):
        return Verdict(False, "A score that is no match must not count in the sum either.")
    wide, problem = called(assign, np.array([[0.2, 0.9, 0.6]]))
    if problem or not equal(wide, np.array([-1, 0, -1])):
        return Verdict(False, "There may be more new clusters than old ones.")
    return Verdict(True)
