"""Checks for the exercises of chapter 06.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, also, called, equal, judged

__all__ = ["check_best_split", "check_cross_entropy", "check_entropy", "check_weighted_kappa"]


def check_entropy(entropy: Callable[[np.ndarray], Any]) -> Verdict:
    """Check `entropy(p)`: the entropy in bits of a distribution.

    Parameters
    ----------
    entropy : callable
        Takes probabilities of shape (k,) that sum to 1; returns a number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 06, "Interest tiers".

    Examples
    --------
    >>> check_entropy(lambda p: 1 - (p**2).sum())
    Not yet. That is the Gini impurity. Which function of p makes two coins twice one coin?
    """
    p = np.array([0.5, 0.25, 0.25])
    hints = {
        "That is the Gini impurity. Which function of p makes two coins twice one coin?": 0.625,
        "Bits are logarithms to the base 2.": 1.5 * np.log(2),
        "A surprise is not negative, and neither is its mean. Look at the sign.": -1.5,
    }
    return judged(
        entropy,
        (p,),
        1.5,
        "A fair coin has one bit. What does yours say of [1/2, 1/4, 1/4]?",
        hints,
    ) and also(
        entropy,
        (np.array([1.0, 0.0]),),
        0.0,
        "What does it return where one probability is 0? 0 log 0 counts as 0.",
    )


def check_cross_entropy(cross_entropy: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `cross_entropy(M, P)`: the mean negative log-likelihood of the true tiers, in nats.

    Parameters
    ----------
    cross_entropy : callable
        Takes the one-hot matrix and the probabilities, both of shape (n, k); returns a number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 06, "Interest tiers".

    Examples
    --------
    >>> check_cross_entropy(lambda M, P: -(M * np.log(P)).sum())
    Not yet. Repeat every user ten times: should the loss grow tenfold?
    """
    M = np.array([[1, 0], [1, 0], [0, 1]])
    P = np.array([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7]])
    log = np.log(P)
    per_tier = -(M * log).sum(axis=0)
    hints = {
        "Repeat every user ten times: should the loss grow tenfold?": per_tier.sum(),
        "That counts every user once for each user of the tier, as the article does.": (
            M.sum(axis=0) @ per_tier
        ),
        "That mean is over users and tiers; the loss is per user.": -(M * log).mean(),
        "Only the probability of the true tier counts: where is M?": -log.sum(axis=1).mean(),
        "A loss falls when the true tier gets more probable. Look at the sign.": (M * log).sum()
        / 3,
    }
    impossible = np.array([[1.0, 0.0], [0.4, 0.6], [0.3, 0.7]])
    return judged(
        cross_entropy,
        (M, P),
        per_tier.sum() / 3,
        "Write the likelihood of three users on paper and take the logarithm.",
        hints,
    ) and also(
        cross_entropy,
        (M, impossible),
        -(np.log(0.4) + np.log(0.7)) / 3,
        "A tier may have probability 0 for those who are not in it: no NaN.",
    )


def check_best_split(best_split: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `best_split(x, y)`: the threshold on x with the most information gain about y.

    Parameters
    ----------
    best_split : callable
        Takes numbers and tiers, both of shape (n,); returns a threshold midway between two values.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 06, "Interest tiers".

    Examples
    --------
    >>> check_best_split(lambda x, y: np.median(x))
    Not yet. The median halves the users, whatever their tiers. Where does the impurity fall most?
    """
    x = np.array([7.0, 1.0, 3.0, 2.0, 10.0, 9.0, 8.0, 12.0])
    y = np.array([1, 0, 0, 0, 1, 2, 1, 2])
    found, problem = called(best_split, x, y)
    if problem:
        return Verdict(False, problem)
    if equal(found, np.array(np.median(x))):
        return Verdict(
            False,
            "The median halves the users, whatever their tiers. Where does the impurity fall most?",
        )
    if equal(found, np.array(3.0)) or equal(found, np.array(7.0)):
        return Verdict(False, "Nearly: put the threshold midway between the two neighbours.")
    if not equal(found, np.array(5.0)):
        return Verdict(False, "Try every threshold by hand. Did you sort, and weigh both sides?")
    small, problem = called(best_split, np.array([1.0, 1.0, 2.0, 2.0]), np.array([0, 1, 1, 1]))
    if problem or not equal(small, np.array(1.5)):
        return Verdict(False, "Equal values cannot be told apart: no threshold lies between them.")
    return Verdict(True)


def check_weighted_kappa(kappa: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `kappa(truth, guess)`: the agreement beyond chance with quadratic weights.

    Parameters
    ----------
    kappa : callable
        Takes two arrays of tiers 0, 1, 2 of shape (n,); returns a number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 06, "Interest tiers".

    Examples
    --------
    >>> check_weighted_kappa(lambda truth, guess: (truth == guess).mean())
    Not yet. That is the accuracy; a constant guess would get credit for luck.
    """
    truth = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    guess = np.array([0, 0, 0, 1, 1, 2, 2, 0])
    found, problem = called(kappa, truth, guess)
    if problem:
        return Verdict(False, problem)
    if equal(found, np.array((truth == guess).mean())):
        return Verdict(False, "That is the accuracy; a constant guess would get credit for luck.")
    for power, hint in (
        (0, "Is calling a 2 a 0 as bad as calling it a 1?"),
        (1, "Quadratic weights: an error of two tiers counts four times."),
    ):
        if equal(found, np.array(_kappa(truth, guess, power))):
            return Verdict(False, hint)
    if not equal(found, np.array(_kappa(truth, guess, 2))):
        return Verdict(False, "One minus observed over expected disagreement: check the expected.")
    return Verdict(True)


def _kappa(truth: np.ndarray, guess: np.ndarray, power: int) -> float:
    apart = (np.arange(3)[:, None] != np.arange(3)[None, :]).astype(float)
    if power:
        apart = np.abs(np.arange(3)[:, None] - np.arange(3)[None, :]).astype(float) ** power
    both = np.zeros((3, 3))
    np.add.at(both, (truth, guess), 1 / len(truth))
    expected = both.sum(axis=1)[:, None] * both.sum(axis=0)[None, :]
    return float(1 - (apart * both).sum() / (apart * expected).sum())
