"""Checks for the exercises of chapter 02.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, called, equal, judged, noticed

__all__ = ["check_newest_first", "check_ppmi", "check_tfidf"]


def check_tfidf(tfidf: Callable[[np.ndarray], Any]) -> Verdict:
    """Check `tfidf(counts)`: the smoothed weights, without scaling the rows.

    Parameters
    ----------
    tfidf : callable
        Takes counts of shape (n_texts, n_words); returns weights of the same shape.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 02, "Text and keywords".

    Examples
    --------
    >>> check_tfidf(lambda counts: counts)
    Not yet. Does a word that every text holds weigh as much as a rare one?
    """
    # More words than texts, so that mixing up the two shows.
    counts = np.array([[2.0, 1.0, 0.0, 0.0], [1.0, 0.0, 3.0, 2.0], [1.0, 0.0, 0.0, 1.0]])
    n, texts = len(counts), (counts > 0).sum(axis=0)
    idf = 1 + np.log((1 + n) / (1 + texts))
    right = counts * idf
    wrong = {
        "Does a word that every text holds weigh as much as a rare one?": counts,
        "Where are the counts? A word that occurs twice weighs twice.": (counts > 0) * idf,
        "In how many texts is a word? That is not how often it occurs.": counts
        * (1 + np.log((1 + n) / (1 + counts.sum(axis=0)))),
        "Add one text that holds every word, and 1 to the logarithm.": counts * np.log(n / texts),
        "Add 1 to the logarithm, or a word in every text is lost.": counts
        * np.log((1 + n) / (1 + texts)),
        "How many texts are there? That is not the number of words.": counts
        * (1 + np.log((1 + counts.shape[1]) / (1 + texts))),
        "Leave the length of the rows alone: this task does not scale them.": right
        / np.linalg.norm(right, axis=1, keepdims=True),
    }
    return judged(
        tfidf,
        (counts,),
        right,
        "Work out by hand the weight of the second word in the first text.",
        wrong,
    )


def check_newest_first(newest_first: Callable[[list[int], int], Any]) -> Verdict:
    """Check `newest_first(tokens, budget)`: which events a text may hold, the newest first.

    Parameters
    ----------
    newest_first : callable
        Takes the tokens of each event in the order of time, and a budget; returns the places of
        the events that are kept.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 02, "Text and keywords".

    Examples
    --------
    >>> check_newest_first(lambda tokens, budget: [0, 1])
    Not yet. This keeps the oldest events, as a model does that cuts at the end.
    """
    tokens, budget = [4, 3, 5, 2, 3], 10
    kept, problem = _places(newest_first, tokens, budget)
    if problem:
        return Verdict(False, problem)
    signs = {
        "This keeps the oldest events, as a model does that cuts at the end.": 0 in kept,
        "Which event does the text begin with? The newest one is the most telling.": kept
        == [2, 3, 4],
        "A text of exactly the budget fits.": kept == [4, 3],
        "The budget is 10 tokens; count yours.": sum(tokens[p] for p in kept) > budget,
        "Add up the tokens from the last event backwards.": kept != [4, 3, 2],
    }
    verdict = noticed(signs)
    if not verdict:
        return verdict
    cases = [
        ([1, 9, 2], 4, [2], "Stop at the first event that does not fit: no gaps in the story."),
        ([2, 1], 10, [1, 0], "What if the whole history fits?"),
        ([1, 9], 4, [], "What if not even the newest event fits?"),
        ([], 4, [], "What does it return for a user without events?"),
    ]
    for tokens, budget, expected, hint in cases:
        kept, problem = _places(newest_first, tokens, budget)
        if problem or kept != expected:
            return Verdict(False, hint)
    return Verdict(True)


def _places(
    newest_first: Callable[[list[int], int], Any], tokens: list[int], budget: int
) -> tuple[list[int], str]:
    """Return the places that the reader's function returns, or a hint if they are none."""
    found, problem = called(newest_first, list(tokens), budget)
    if problem:
        return [], problem
    try:
        kept = [int(place) for place in found]
    except (TypeError, ValueError):
        return [], f"Return places of events; this returned {type(found).__name__}."
    if any(not 0 <= place < len(tokens) for place in kept):
        return [], f"The places of {len(tokens)} events are 0 to {len(tokens) - 1}; look at yours."
    return kept, ""


def check_ppmi(ppmi: Callable[[np.ndarray], Any]) -> Verdict:
    """Check `ppmi(together)`: positive pointwise mutual information, without smoothing.

    Parameters
    ----------
    ppmi : callable
        Takes a symmetric table of shape (n_words, n_words) of how often two words occur together;
        returns a table of the same shape.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 02, "Text and keywords".

    Examples
    --------
    >>> check_ppmi(lambda together: together / together.sum())
    Not yet. Two frequent words meet often by chance: divide by what chance would give.
    """
    # Words 0 and 2 meet less often than by chance, words 0 and 1 more often, word 3 never occurs.
    together = np.array([[0, 8, 1, 0], [8, 0, 4, 0], [1, 4, 0, 0], [0, 0, 0, 0]], dtype=float)
    found, problem = called(ppmi, together)
    if problem:
        return Verdict(False, problem)
    with np.errstate(all="ignore"):
        joint = together / together.sum()
        alone = joint.sum(axis=1)
        raw = np.log(joint / np.outer(alone, alone))
    right = np.where(together > 0, np.maximum(raw, 0), 0)
    if equal(found, joint):
        return Verdict(
            False, "Two frequent words meet often by chance: divide by what chance would give."
        )
    try:
        table = np.asarray(found, dtype=float)
    except (TypeError, ValueError):
        return Verdict(False, f"Return a table of numbers; this returned {type(found).__name__}.")
    if table.shape != together.shape:
        return Verdict(False, f"The table has the shape {together.shape}, yours {table.shape}.")
    signs = {
        "A word that never occurs has no information: what is 0 / 0?": np.isnan(table).any(),
        "Two words that never meet: what is the logarithm of 0?": np.isinf(table).any(),
        "Positive means that nothing is below 0.": (table < 0).any(),
        "Divide by the base of the logarithm you want: this book uses the natural one.": equal(
            table * np.log(2), right
        ),
        "Work out by hand the words 0 and 1: they meet 16 times of 26.": not equal(table, right),
    }
    return noticed(signs)
