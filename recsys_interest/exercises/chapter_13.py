"""Checks for the exercises of chapter 13.

Chapter: 13 (cold start).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, called, equal

__all__ = ["check_closed_form", "check_contributions", "check_shrunk_share"]


def check_closed_form(closed_form: Callable[[np.ndarray, float], Any]) -> Verdict:
    """Check `closed_form(gram, l2)`: the weights of EASE from a Gram matrix.

    Parameters
    ----------
    closed_form : callable
        Takes a Gram matrix, shape (n, n), and a penalty; returns weights, shape (n, n).

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 13, "Cold start".

    Examples
    --------
    >>> check_closed_form(lambda gram, l2: np.linalg.inv(gram + l2 * np.eye(len(gram))))
    Not yet. That is P. What becomes of it, so that no item predicts itself?
    """
    gram, l2 = np.array([[4.0, 2.0, 0.0], [2.0, 5.0, 1.0], [0.0, 1.0, 2.0]]), 1.0
    inverse = np.linalg.inv(gram + l2 * np.eye(3))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0.0)
    found, problem = called(closed_form, gram, l2)
    if problem:
        return Verdict(False, problem)
    if equal(found, inverse):
        hint = "That is P. What becomes of it, so that no item predicts itself?"
        return Verdict(False, hint)
    if equal(found, -inverse / np.diag(inverse)):
        return Verdict(False, "Now every item predicts itself with -1. What must the diagonal be?")
    if equal(found, expected.T):
        return Verdict(False, "Divide each column by its own diagonal entry: W is not symmetric.")
    if equal(found, inverse @ gram):
        return Verdict(False, "That is ridge regression, in which an item may predict itself.")
    if not equal(found, expected):
        return Verdict(False, "Try two items of which one user likes both, with l2 = 1.")
    other, problem = called(closed_form, gram, 5.0)
    if problem or equal(other, expected):
        return Verdict(False, "A larger penalty must give other weights.")
    return Verdict(True)


def check_contributions(contributions: Callable[..., Any]) -> Verdict:
    """Check `contributions(likes, weights, item)`: what each like adds to the score of an item.

    Parameters
    ----------
    contributions : callable
        Takes the likes of one user, shape (n,), weights, shape (n, n), and a position; returns an
        array of shape (n,).

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 13, "Cold start".

    Examples
    --------
    >>> check_contributions(lambda likes, weights, item: weights[:, item])
    Not yet. What has an item to say that the user does not like?
    """
    likes = np.array([1.0, 0.0, 1.0, 0.0])
    weights = np.array([[0, 3, 1, 2], [5, 0, 1, 7], [2, 4, 0, -1], [1, 1, 6, 0]], dtype=float)
    found, problem = called(contributions, likes, weights, 3)
    if problem:
        return Verdict(False, problem)
    if equal(found, weights[:, 3]):
        return Verdict(False, "What has an item to say that the user does not like?")
    if equal(found, likes @ weights[:, 3]) and np.size(found) == 1:
        return Verdict(False, "That is their sum, the score. Return the addends.")
    if equal(found, likes * weights[3]):
        return Verdict(False, "A row says what an item does for others, a column what it gets.")
    if equal(found, np.maximum(likes * weights[:, 3], 0.0)):
        return Verdict(False, "What speaks against the item counts, too, or the sum is wrong.")
    if not equal(found, likes * weights[:, 3]):
        return Verdict(False, "Their sum must be the score: likes @ weights[:, item].")
    return Verdict(True)


def check_shrunk_share(shrunk_share: Callable[..., Any]) -> Verdict:
    """Check `shrunk_share(n_likes, n_users, overall, m)`: what a group likes, without luck.

    Parameters
    ----------
    shrunk_share : callable
        Takes for each item how many users of a group like it, shape (n,); the size of the group;
        the share of all users who like it, shape (n,); and the weight of that in users. Returns an
        array of shape (n,).

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 13, "Cold start".

    Examples
    --------
    >>> check_shrunk_share(lambda n_likes, n_users, overall, m: n_likes / n_users)
    Not yet. In a group of one user this says 0 or 1. What should it say there?
    """
    likes, overall = np.array([1.0, 0.0, 3.0]), np.array([0.1, 0.5, 0.2])
    found, problem = called(shrunk_share, likes, 4, overall, 6.0)
    if problem:
        return Verdict(False, problem)
    if equal(found, likes / 4):
        return Verdict(False, "In a group of one user this says 0 or 1. What should it say there?")
    if equal(found, (likes + 6.0 * overall) / 4):
        return Verdict(False, "m users were added above the line only.")
    if equal(found, (likes / 4 + overall) / 2):
        return Verdict(False, "A mean with fixed weights: a large group should be believed more.")
    if not equal(found, (likes + 6.0 * overall) / 10):
        return Verdict(False, "Add m users who like what everybody likes, then take the share.")
    empty, problem = called(shrunk_share, np.zeros(3), 0, overall, 6.0)
    if problem or not equal(empty, overall):
        return Verdict(False, "A group without users likes what everybody likes.")
    return Verdict(True)
