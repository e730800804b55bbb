"""Checks for the exercises of chapter 03.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, called, judged

__all__ = ["check_attention", "check_mean_pool", "check_whiten"]

Array = np.ndarray


def _softmax(scores: Array, axis: int = -1) -> Array:
    powers = np.exp(scores - scores.max(axis=axis, keepdims=True))
    shares: Array = powers / powers.sum(axis=axis, keepdims=True)
    return shares


def check_attention(attention: Callable[[Array, Array, Array], Any]) -> Verdict:
    """Check `attention(Q, K, V)`: scaled dot-product attention of one head.

    Parameters
    ----------
    attention : callable
        Takes queries and keys of shape (n, d) and values of shape (n, e); returns shape (n, e).

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 03, "BERT features".

    Examples
    --------
    >>> check_attention(lambda Q, K, V: V)
    Not yet. Does a token look at the others? Each row of the result mixes all rows of V.
    """
    rng = np.random.default_rng(3)
    queries, keys = rng.normal(size=(2, 5, 4))
    values = rng.normal(size=(5, 3))
    scores = queries @ keys.T
    hints = {
        "Does a token look at the others? Each row of the result mixes all rows of V.": values,
        "The scores grow with the number of dimensions: what do they have to be divided by?": (
            _softmax(scores) @ values
        ),
        "The variance of the scores is d. What is their standard deviation?": (
            _softmax(scores / 4) @ values
        ),
        "Which axis has to sum to 1? The weights of one query are one row.": (
            _softmax(scores / 2, axis=0) @ values
        ),
        "The scores are not weights yet: are they positive, and is their sum 1?": (
            scores / 2 @ values
        ),
    }
    right = _softmax(scores / 2) @ values
    verdict = judged(
        attention, (queries, keys, values), right, "Try one query and two keys by hand.", hints
    )
    if not verdict:
        return verdict
    large, problem = called(attention, queries * 400, keys * 400, values)
    if problem or not np.isfinite(np.asarray(large, dtype=float)).all():
        return Verdict(False, "With scores of 1,000 exp overflows: what may be taken off first?")
    return Verdict(True)


def check_mean_pool(mean_pool: Callable[[Array, Array], Any]) -> Verdict:
    """Check `mean_pool(states, mask)`: the mean over the real tokens of each text of a batch.

    Parameters
    ----------
    mean_pool : callable
        Takes states of shape (n, T, d) and a mask of shape (n, T), 1 for a real token and 0 for a
        pad; returns shape (n, d).

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 03, "BERT features".

    Examples
    --------
    >>> check_mean_pool(lambda states, mask: states.mean(axis=1))
    Not yet. The pads are in the mean: lengthen a text by pads, and its vector must not move.
    """
    states = np.random.default_rng(5).normal(size=(3, 4, 2))
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]])
    right = np.stack([s[m > 0].mean(axis=0) for s, m in zip(states, mask, strict=True)])
    masked = states * mask[:, :, None]
    hints = {
        "The pads are in the mean: lengthen a text by pads, and its vector must not move.": (
            states.mean(axis=1)
        ),
        "The sum is right. By how many tokens is it divided?": masked.mean(axis=1),
        "That is the sum of the states; a long text would get a long vector.": masked.sum(axis=1),
        "That is the first token, which is CLS pooling.": states[:, 0],
    }
    return judged(
        mean_pool,
        (states, mask),
        right,
        "Try a batch of one text with two tokens and two pads by hand.",
        hints,
    )


def check_whiten(whiten: Callable[[Array], Any]) -> Verdict:
    """Check `whiten(X)`: the rows of `X`, moved and stretched to mean zero and covariance identity.

    Parameters
    ----------
    whiten : callable
        Takes an array of shape (n, d); returns one of the same shape. Any rotation of a right
        answer is right.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 03, "BERT features".

    Examples
    --------
    >>> check_whiten(lambda X: (X - X.mean(axis=0)) / X.std(axis=0))
    Not yet. Each dimension has variance 1 now, but the dimensions still move together.
    """
    rng = np.random.default_rng(7)
    rows = 3 + rng.normal(size=(400, 3)) @ np.array([[2.0, 1.0, 0.0], [0.0, 0.5, 0.4], [0, 0, 0.2]])
    found, problem = called(whiten, rows)
    if problem:
        return Verdict(False, problem)
    try:
        white = np.asarray(found, dtype=float)
    except (TypeError, ValueError):
        return Verdict(False, f"Return an array; this returned {type(found).__name__}.")
    if white.shape != rows.shape:
        return Verdict(False, f"The result has the shape {white.shape}, not {rows.shape}.")
    covariance = np.cov(white.T, bias=True)
    if not np.allclose(white.mean(axis=0), 0, atol=1e-6):
        return Verdict(False, "Is the mean of every dimension zero?")
    if not np.allclose(np.diag(covariance), 1, atol=0.02):
        return Verdict(False, "What is the variance of each dimension now? All should be 1.")
    if not np.allclose(covariance, np.eye(3), atol=0.02):
        return Verdict(
            False, "Each dimension has variance 1 now, but the dimensions still move together."
        )
    centred = rows - rows.mean(axis=0)
    if not np.allclose(centred @ np.linalg.lstsq(centred, white, rcond=None)[0], white, atol=1e-6):
        return Verdict(False, "The result is not a linear map of the rows.")
    return Verdict(True)
