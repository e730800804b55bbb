"""Checks for the exercises of chapter 12.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from recsys_interest.exercises.verdict import Verdict, also, judged

__all__ = ["check_ips", "check_ndcg", "check_next_item", "check_sign_flip"]


def check_ndcg(ndcg: Callable[[np.ndarray, int], Any]) -> Verdict:
    """Check `ndcg(hits, n_relevant)`: the gain of one list over that of the best one.

    Parameters
    ----------
    ndcg : callable
        Takes hits of shape (k,), ones and zeros from rank 1 on, and the number of relevant items;
        returns a number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 12, "Measuring recommendations".

    Examples
    --------
    >>> check_ndcg(lambda hits, n_relevant: hits.mean())
    Not yet. That is the precision: every rank counts the same.
    """
    hits = np.array([0.0, 1.0, 0.0, 1.0])
    discount = 1 / np.log2(np.arange(2, 6))
    gain = hits @ discount
    hints = {
        "That is the precision: every rank counts the same.": 0.5,
        "That is the gain alone. What would the best list have got?": gain,
        "The best list has all relevant items in front, not only those that were found.": (
            gain / discount[:2].sum()
        ),
        "The best list has as many hits as there are relevant items, not one at every rank.": (
            gain / discount.sum()
        ),
        "The discount is the logarithm of the rank plus one.": (
            hits[1:] @ (1 / np.log2(np.arange(2, 5))) / discount[:3].sum()
        ),
    }
    return judged(
        ndcg,
        (hits, 3),
        gain / discount[:3].sum(),
        "Hits at the ranks 2 and 4, three relevant items: which ranks "
        "would the best list have filled?",
        hints,
    ) and also(
        ndcg,
        (np.ones(4), 9),
        1.0,
        "Nine relevant items and four places: a perfect list still gets 1.",
    )


def check_sign_flip(p_value: Callable[[np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `p_value(d, signs)`: how often throws of coins are as far from zero as the truth.

    Parameters
    ----------
    p_value : callable
        Takes the differences of shape (n,) and signs of shape (m, n), ones and minus ones; returns
        a number, with the real differences counted as one more throw.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 12, "Measuring recommendations".

    Examples
    --------
    >>> check_sign_flip(lambda d, signs: (abs(signs @ d) >= abs(d.sum())).mean())
    Not yet. Count the real differences as one of the throws: no p-value is 0.
    """
    d = np.array([0.5, -0.125, 0.25, 0.125, 0.0])
    signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(50, 5))
    sums = signs @ d
    far, above = (np.abs(sums) >= abs(d.sum())).sum(), (sums >= d.sum()).sum()
    hints = {
        "Count the real differences as one of the throws: no p-value is 0.": far / 50,
        "A difference the other way round would be as surprising.": (above + 1) / 51,
        "As far from zero, or farther: count equal sums, too.": (
            (np.abs(sums) > abs(d.sum())).sum() + 1
        )
        / 51,
        "That is the share of throws that are nearer to zero.": 1 - (far + 1) / 51,
    }
    return judged(
        p_value,
        (d, signs),
        (far + 1) / 51,
        "Each row of signs is a throw. How large is its sum of differences?",
        hints,
    ) and also(p_value, (-d, signs), (far + 1) / 51, "Swap the two methods: the p-value must stay.")


def check_next_item(
    next_item: Callable[[np.ndarray, np.ndarray, np.ndarray, float], Any],
) -> Verdict:
    """Check `next_item(relevance, cosines, chosen, trade_off)`: one step of MMR.

    Parameters
    ----------
    next_item : callable
        Takes relevances of shape (n,), cosines of shape (n, n), the positions that were chosen so
        far (at least one) and a number from 0 to 1; returns the position of the next item.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 12, "Measuring recommendations".

    Examples
    --------
    >>> check_next_item(lambda relevance, cosines, chosen, trade_off: relevance.argmax())
    Not yet. That one is in the list already.
    """
    angles = np.deg2rad([0.0, 5.0, 90.0, 40.0, 60.0])
    cosines = np.cos(angles[:, None] - angles[None, :])
    relevance = np.array([1.0, 0.9, 0.0, 0.65, 0.6])
    hints = {
        "That one is in the list already.": 0,
        "The second best is nearly the same as the best.": 1,
        "That one is the least like the list; its relevance counts, too.": 2,
        "Weigh both: λ r − (1 − λ) × cosine.": 3,
    }
    verdict = judged(
        next_item,
        (relevance, cosines, np.array([0]), 0.5),
        4,
        "Return a position: the largest λ r − (1 − λ) × cosine.",
        hints,
    )
    # Near one of two chosen items, far from the other: the mean would take it.
    angles = np.deg2rad([0.0, 180.0, 0.0, 75.0])
    cosines = np.cos(angles[:, None] - angles[None, :])
    relevance = np.array([1.0, 0.9, 0.6, 0.5])
    two = relevance, cosines, np.array([0, 1]), 0.5
    return verdict and also(
        next_item, two, 3, "The nearest of the chosen items counts, not their mean."
    )


def check_ips(ips: Callable[[np.ndarray, np.ndarray, np.ndarray], Any]) -> Verdict:
    """Check `ips(reward, propensity, target)`: the value of another policy from logged rewards.

    Parameters
    ----------
    ips : callable
        Takes rewards, probabilities of the logging and of the target policy, all of shape (n,);
        returns a number.

    Returns
    -------
    Verdict
        With a hint if it is not right yet.

    Notes
    -----
    Chapter 12, "Measuring recommendations".

    Examples
    --------
    >>> check_ips(lambda reward, propensity, target: reward.mean())
    Not yet. That is what the old policy earned.
    """
    reward = np.array([1.0, 0.0, 1.0, 1.0, 0.0])
    propensity = np.array([0.5, 0.25, 0.2, 0.8, 0.4])
    target = np.array([0.1, 0.5, 0.6, 0.2, 0.3])
    w = target / propensity
    hints = {
        "That is what the old policy earned.": reward.mean(),
        "That takes over what the old policy preferred: divide by its probability.": (
            (target * reward).sum() / target.sum()
        ),
        "The weight is the other way round: rare under the old policy counts more.": (
            (reward / w).mean()
        ),
        "That divides by the sum of the weights: SNIPS, not IPS.": (w * reward).sum() / w.sum(),
        "A mean over all rows, also those without a reward.": (w * reward)[reward > 0].mean(),
        "A mean, not a sum.": (w * reward).sum(),
    }
    return judged(
        ips,
        (reward, propensity, target),
        (w * reward).mean(),
        "Each reward counts π / b times. Then the mean.",
        hints,
    )
