"""Checks for the exercises of chapter 04.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, called, equal, judged, shape_of

__all__ = ["check_contrastive_loss", "check_masked_loss", "check_ridge"]


def check_masked_loss(loss: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `loss(scores, asked)`: the mean negative log-probability of the tokens asked for.

    Parameters
    ----------
    loss : callable
        Takes scores of shape (n_places, n_words) and the right word of each place, −100 where
        nothing is asked; returns a number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 04, "Training the language model".

    Examples
    --------
    >>> check_masked_loss(lambda scores, asked: 0.0)
    Not yet. With equal scores for V words the loss is log V: try V = 2.
    """
    even, problem = called(loss, np.zeros((1, 2)), np.array([1]))
    if problem:
        return Verdict(False, problem)
    if not equal(even, np.array(np.log(2))):
        return Verdict(False, "With equal scores for V words the loss is log V: try V = 2.")
    scores = np.array([[2.0, 0.0, 1.0], [5.0, 1.0, 0.0], [0.0, 3.0, 1.0]])
    asked = np.array([0, -100, 1])
    each = np.log(np.exp(scores).sum(axis=1)) - scores.max(axis=1)
    found, problem = called(loss, scores, asked)
    if problem:
        return Verdict(False, problem)
    total = each[0] + each[2]
    if equal(found, np.array(total)):
        return Verdict(False, "A batch with twice as many masks: should the loss be twice as high?")
    if equal(found, np.array(total / 3)):
        return Verdict(False, "Divide by the places that are asked for, not by all places.")
    if not equal(found, np.array(total / 2)):
        return Verdict(False, "Which places count? −100 is not the last word of the vocabulary.")
    large, problem = called(loss, np.array([[1000.0, 0.0]]), np.array([0]))
    if problem or not equal(large, np.array(0.0)):
        return Verdict(False, "exp(1000) is too large for a float: subtract the largest score.")
    return Verdict(True)


def check_contrastive_loss(loss: Callable[[np.ndarray, np.ndarray, float], Any]) -> Verdict:
    """Check `loss(left, right, temperature)`: the contrastive loss from left to right.

    Parameters
    ----------
    loss : callable
        Takes two arrays of shape (n_pairs, d), of vectors of any length, and a temperature;
        returns a number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 04, "Training the language model".

    Examples
    --------
    >>> check_contrastive_loss(lambda left, right, temperature: 0.0)
    Not yet. If all vectors are alike, guessing is all there is: the loss is log B.
    """
    alike = np.ones((4, 2))
    found, problem = called(loss, alike, alike, 0.5)
    if problem:
        return Verdict(False, problem)
    if equal(found, np.array(-np.log(4))):
        return Verdict(False, "A loss falls as the model gets better: look at the sign.")
    if not equal(found, np.array(np.log(4))):
        return Verdict(
            False, "If all vectors are alike, guessing is all there is: the loss is log B."
        )
    rng = np.random.default_rng(4)
    left, right = rng.normal(size=(2, 3, 4))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (left, right)]
    wrong = {
        "Do longer vectors fit better? Scale them to length one first.": 2.0 * left @ right.T,
        "Is the temperature a factor, or does one divide by it?": 0.5 * unit[0] @ unit[1].T,
        "The sum below the line runs over the right texts, for one left text.": (
            2.0 * unit[1] @ unit[0].T
        ),
    }
    return judged(
        loss,
        (left, right, 0.5),
        _left_to_right(2.0 * unit[0] @ unit[1].T),
        "Write out the three terms of one row, the right answer among them.",
        {hint: _left_to_right(scores) for hint, scores in wrong.items()},
    )


def _left_to_right(scores: np.ndarray) -> float:
    return float(np.mean(np.log(np.exp(scores).sum(axis=1)) - np.diag(scores)))


def check_ridge(ridge: Callable[[np.ndarray, np.ndarray, float], Any]) -> Verdict:
    """Check `ridge(x, f, alpha)`: the closed form of the ridge regression, without a constant.

    Parameters
    ----------
    ridge : callable
        Takes text vectors of shape (n, d), factors of shape (n, k) and alpha; returns W of shape
        (d, k), so that ``x @ W`` predicts f.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 04, "Training the language model".

    Examples
    --------
    >>> check_ridge(lambda x, f, alpha: np.linalg.lstsq(x, f)[0])
    Not yet. Where is alpha? With a huge one, W must go to zero.
    """
    rng = np.random.default_rng(5)
    x, f = rng.normal(size=(9, 3)), rng.normal(size=(9, 2))
    found, problem = called(ridge, x, f, 2.0)
    if problem:
        return Verdict(False, problem)
    gram, cross = x.T @ x, x.T @ f
    right = np.linalg.solve(gram + 2.0 * np.eye(3), cross)
    if equal(found, np.linalg.solve(gram, cross)):
        return Verdict(False, "Where is alpha? With a huge one, W must go to zero.")
    if shape_of(found) == (2, 3):
        return Verdict(False, "W has one row for each dimension of the text: turn it over.")
    if equal(found, np.linalg.solve(gram + 2.0, cross)):
        return Verdict(False, "alpha goes on the diagonal only: add alpha times the identity.")
    if not equal(found, right):
        return Verdict(False, "Set the derivative of the objective to zero and solve for W.")
    _, problem = called(ridge, x.T, f[:3], 2.0)
    if problem:
        return Verdict(False, f"With fewer texts than dimensions: {problem}")
    return Verdict(True)
