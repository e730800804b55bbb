"""Checks for the exercises of chapter 10.

Chapter: 10 (choosing and naming clusters).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, also, called, equal, judged

__all__ = ["check_distinctive", "check_intruder", "check_lift", "check_smooth"]


def check_distinctive(distinctive: Callable[[np.ndarray], Any]) -> Verdict:
    """Check `distinctive(counts)`: what each word adds to the divergence of a cluster.

    Parameters
    ----------
    distinctive : callable
        Takes counts of shape (n_clusters, n_words), of which some may be 0; returns scores of the
        same shape.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters".

    Examples
    --------
    >>> check_distinctive(lambda counts: counts / counts.sum(axis=1, keepdims=True))
    Not yet. That ranks by frequency alone: a word that all clusters share would lead.
    """
    counts = np.array([[6.0, 3.0, 1.0, 2.0], [6.0, 1.0, 3.0, 6.0]])
    share = counts / counts.sum(axis=1, keepdims=True)
    overall = counts.sum(axis=0) / counts.sum()
    mean_share = share.mean(axis=0)
    hints = {
        "That ranks by frequency alone: a word that all clusters share would lead.": share,
        "That is the logarithm alone: a word seen once would lead. Weigh it.": (
            np.log(share / overall)
        ),
        "Which way round is the ratio? A word more frequent here should score above 0.": (
            share * np.log(overall / share)
        ),
        "p(t) is over all words together; a large cluster weighs more.": (
            share * np.log(share / mean_share)
        ),
    }
    verdict = judged(
        distinctive,
        (counts,),
        share * np.log(share / overall),
        "Each row of p(t | c) sums to 1, and so does p(t). Check both.",
        hints,
    )
    counts[0, 1] = 0.0
    share = counts / counts.sum(axis=1, keepdims=True)
    overall = counts.sum(axis=0) / counts.sum()
    right = share * np.log(np.where(share > 0, share / overall, 1))
    never = "What does it return for a word that a cluster never uses? 0, no NaN."
    return verdict and also(distinctive, (counts,), right, never)


def check_intruder(intruder: Callable[[np.ndarray], Any]) -> Verdict:
    """Check `intruder(vectors)`: the position of the row that fits the others least.

    Parameters
    ----------
    intruder : callable
        Takes vectors of any length, of shape (n, d); returns the position of the row whose mean
        cosine to the other rows is lowest.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters".

    Examples
    --------
    >>> check_intruder(lambda vectors: np.linalg.norm(vectors, axis=1).argmax())
    Not yet. Length says nothing about meaning. Scale the rows first?
    """
    angles = np.deg2rad([0.0, 10.0, 80.0, 20.0, 5.0])
    lengths = np.array([1.0, 9.0, 0.2, 1.0, 1.0])
    rows = lengths[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    found, problem = called(intruder, rows)
    if problem:
        return Verdict(False, problem)
    if equal(found, np.array(1)):
        return Verdict(False, "Length says nothing about meaning. Scale the rows first?")
    if equal(found, np.array(3)):
        return Verdict(False, "That one fits the others best: lowest, not highest.")
    if not equal(found, np.array(2)):
        return Verdict(False, "Draw the five arrows. Which one points elsewhere?")
    # A long row that is no intruder must not pull the mean of the others towards it.
    angles = np.deg2rad([0.0, 0.0, 0.0, 50.0, 100.0])
    lengths = np.array([1.0, 1.0, 1.0, 1.0, 90.0])
    rows = lengths[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    found, problem = called(intruder, rows)
    if problem or not equal(found, np.array(4)):
        return Verdict(False, "A mean of unscaled rows is dominated by the longest.")
    return Verdict(True)


def check_lift(lift: Callable[[np.ndarray, np.ndarray, int], Any]) -> Verdict:
    """Check `lift(score, wanted, k)`: how much better than chance the k best scores are.

    Parameters
    ----------
    lift : callable
        Takes scores of shape (n,), truth values of shape (n,) and a whole number; returns the share
        of the wanted among the `k` highest scores, over their share among all.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters".

    Examples
    --------
    >>> check_lift(lambda score, wanted, k: wanted[np.argsort(-score)[:k]].mean())
    Not yet. That is the precision. What would a random draw of k users get?
    """
    score = np.array([0.1, 0.9, 0.4, 0.8, 0.3, 0.7, 0.2, 0.0, 0.6, 0.5])
    wanted = np.array([False, True, False, True, False, False, False, True, False, True])
    top = np.argsort(-score)[:5]
    precision, base = wanted[top].mean(), wanted.mean()
    hints = {
        "That is the precision. What would a random draw of k users get?": precision,
        "That is the recall: it grows with k, lift does not.": wanted[top].sum() / wanted.sum(),
        "The highest scores, not the lowest.": wanted[np.argsort(score)[:5]].mean() / base,
        "A ratio, not a difference.": precision - base,
    }
    return judged(
        lift,
        (score, wanted, 5),
        precision / base,
        "Among the five highest scores, three are wanted; of all ten, four.",
        hints,
    ) and also(
        lift,
        (score, wanted, 10),
        1.0,
        "Whoever picks everybody does no better than chance: the lift is 1.",
    )


def check_smooth(smooth: Callable[[np.ndarray, int], Any]) -> Verdict:
    """Check `smooth(vectors, k)`: each unit row averaged with its k − 1 nearest others.

    Parameters
    ----------
    smooth : callable
        Takes vectors of length one, of shape (n, d), and a whole number; returns the mean of the
        `k` rows of highest cosine to each, itself included, scaled to length one.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters".

    Examples
    --------
    >>> check_smooth(lambda vectors, k: vectors)
    Not yet. Nothing has moved. Whose mean takes the place of a row?
    """
    angles = np.deg2rad([0.0, 10.0, 25.0, 90.0, 102.0, 150.0])
    rows = np.column_stack([np.cos(angles), np.sin(angles)])
    near = np.argsort(-(rows @ rows.T), axis=1)
    means = rows[near[:, :2]].mean(axis=1)
    right = means / np.linalg.norm(means, axis=1, keepdims=True)
    others = rows[near[:, 1:3]].mean(axis=1)
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    hints = {
        "Nothing has moved. Whose mean takes the place of a row?": rows,
        "A mean of unit rows is shorter than one. Scale it.": means,
        "Each row is its own nearest neighbour, and counts.": others,
    }
    return judged(
        smooth,
        (rows, 2),
        right,
        "Sort by falling cosine. Which two rows are averaged for the first?",
        hints,
    )
