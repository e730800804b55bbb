"""Checks for the exercises of chapter 01.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, called, equal, judged, shape_of

__all__ = ["check_future_share", "check_gini", "check_near_duplicates"]


def check_gini(coefficient: Callable[[np.ndarray], Any]) -> Verdict:
    """Check `coefficient(counts)`: the Gini coefficient of counts in any order.

    Parameters
    ----------
    coefficient : callable
        Takes counts of shape (n,), not negative and not all 0; returns a number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> check_gini(lambda counts: counts.max() / counts.sum())
    Not yet. Four equal counts are spread evenly: the coefficient is 0.
    """
    cases = [
        ([2.0, 2.0, 2.0, 2.0], 0.0, "Four equal counts are spread evenly: the coefficient is 0."),
        ([0.0, 0.0, 0.0, 8.0], 0.75, "One of four has everything: 1 - 1/4, not 1."),
        ([1.0, 2.0, 3.0], 2 / 9, "Try the counts 1, 2, 3 with a pencil: 2/9."),
        ([3.0, 1.0, 2.0], 2 / 9, "The same counts in another order: should anything change?"),
        ([30.0, 10.0, 20.0], 2 / 9, "Ten times as many events: should anything change?"),
    ]
    for counts, expected, hint in cases:
        verdict = judged(coefficient, (np.array(counts),), expected, hint)
        if not verdict:
            return verdict
    return Verdict(True)


def check_future_share(
    future_share: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], Any],
) -> Verdict:
    """Check `future_share(train_users, train_times, test_users, test_times)`.

    It is the share of test events after which train knows something of the same user.

    Parameters
    ----------
    future_share : callable
        Takes users and times of the train side, shapes (m,), and of the test side, shapes (n,);
        returns a number between 0 and 1.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> check_future_share(lambda users, times, test_users, test_times: 0.0)
    Not yet. Ann's test event at 2 lies before her train event at 3.
    """
    users, times = np.array(["ann", "ann", "bob"]), np.array([1, 3, 9])
    cases = [
        (["ann"], [2], 1.0, "Ann's test event at 2 lies before her train event at 3."),
        (["ann"], [4], 0.0, "What Bob does later is not Ann's future."),
        (["ann"], [3], 0.0, "An event at the same moment is not after it."),
        (["ann", "ann", "bob", "bob"], [0, 5, 7, 8], 0.75, "Three of four: is it a share?"),
        (["eve", "ann"], [0, 0], 0.5, "Train knows nothing of Eve, so nothing of her future."),
    ]
    for test_users, test_times, expected, hint in cases:
        test = np.array(test_users), np.array(test_times)
        verdict = judged(future_share, (users, times, *test), expected, hint)
        if not verdict:
            return verdict
    return Verdict(True)


def check_near_duplicates(near_duplicates: Callable[[np.ndarray, float], Any]) -> Verdict:
    """Check `near_duplicates(times, window)`: which events repeat a kept one within the window.

    Parameters
    ----------
    near_duplicates : callable
        Takes the times of one user, item and kind, shape (n,), in any order, and a window; returns
        n booleans: True where the event lies at most `window` after the last one that was kept.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> check_near_duplicates(lambda times, window: np.diff(times, prepend=-np.inf) <= window)
    Not yet. 0, 2, 4, window 2: 2 is dropped, so 4 repeats nothing kept.
    """
    chain = "0, 2, 4, window 2: 2 is dropped, so 4 repeats nothing kept."
    cases = [
        ([0.0, 5.0], 2.0, [False, False], "5 is not within 2 of 0."),
        ([0.0, 1.0, 9.0], 2.0, [False, True, False], "1 repeats 0; 9 repeats nothing."),
        ([0.0, 2.0], 2.0, [False, True], "Exactly a window later counts as a repetition."),
        ([0.0, 2.0, 4.0], 2.0, [False, True, False], chain),
        ([0.0, 5.0, 6.0], 2.0, [False, False, True], "6 repeats 5, which was kept."),
        ([1.0, 9.0, 0.0], 2.0, [True, False, False], "The times need not be in order."),
        ([3.0, 3.0], 0.0, [False, True], "Of two at the same moment one is kept, the first given."),
    ]
    for times, window, expected, hint in cases:
        found, problem = called(near_duplicates, np.array(times), window)
        if problem:
            return Verdict(False, problem)
        if shape_of(found) != np.shape(times):
            return Verdict(False, f"{len(times)} times need {len(times)} answers, True or False.")
        if not equal(found, np.array(expected, dtype=float)):
            return Verdict(False, hint)
    return Verdict(True)
