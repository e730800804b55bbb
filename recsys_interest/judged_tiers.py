"""Tiers said by a judge, for example a language model that reads what a user did.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from recsys_interest.checks import as_moment, check_count, shown
from recsys_interest.engagement import Moment
from recsys_interest.label_sources import labelled

__all__ = ["judge_tiers"]


def judge_tiers(
    texts: pd.Series,
    judge: Callable[[str], str | Mapping[str, Any]],
    *,
    n_tiers: int = 3,
    attempts: int = 2,
    window: tuple[Moment, Moment] | None = None,
) -> pd.DataFrame:
    """Ask a judge, for example a language model, how deep the interest behind each text is.

    Parameters
    ----------
    texts : Series of str
        What each user wrote or did, indexed by user, for example from `user_text`.
    judge : callable
        Takes one text and returns ``{"tier": 0 … n_tiers - 1, "reason": "some words"}`` as a
        mapping or as JSON text. Which model and which prompt is the caller's business.
    n_tiers : int, default 3
        Number of tiers.
    attempts : int, default 2
        How often to ask before giving up on an answer that does not fit.
    window : pair of moments, optional
        The first and last moment that the texts tell of. Given, labels from the time of the
        features are refused by `TierClassifier`.

    Returns
    -------
    DataFrame
        Columns `tier` (int64, ``attrs`` as of the other sources, ``label_source`` "judge") and
        `reason` (str), with the index of the texts. Equal texts are judged once.

    Raises
    ------
    TypeError
        If `texts` is not a Series of text or `judge` cannot be called.
    ValueError
        If an answer does not fit after the last attempt; the message holds user and answer.

    Notes
    -----
    Chapter 06, "Interest tiers". A judge is a source like any other: measure how far it agrees with
    another one (`tier_agreement`) before believing it.

    Rows: T06.

    Examples
    --------
    >>> import pandas as pd
    >>> texts = pd.Series(["bought a tent, wrote a review", "looked"], index=["ann", "bob"])
    >>> def judge(text):
    ...     return {"tier": int("bought" in text) * 2, "reason": "bought or not"}
    >>> judge_tiers(texts, judge)["tier"].to_dict()
    {'ann': 2, 'bob': 0}
    """
    check_count(n_tiers, "n_tiers", least=2)
    check_count(attempts, "attempts")
    if not callable(judge):
        raise TypeError(f"judge must be a function of one text, got {judge!r}")
    if not isinstance(texts, pd.Series) or not all(isinstance(t, str) for t in texts):
        raise TypeError("texts must be a Series of text, for example from user_text")
    verdicts: dict[str, tuple[int, str]] = {}
    for who, text in texts.items():
        if text not in verdicts:
            verdicts[text] = _judged(text, who, judge, n_tiers, attempts)
    found = [verdicts[text] for text in texts]
    span = None if window is None else [as_moment(moment, "window") for moment in window]
    tiers = labelled([tier for tier, _ in found], texts.index, "judge", span)
    out = pd.DataFrame({"tier": tiers}, index=texts.index)
    out["reason"] = pd.Series([why for _, why in found], index=texts.index, dtype="str")
    out.attrs.update(tiers.attrs)
    return out


def _judged(
    text: str, who: object, judge: Callable[[str], Any], n_tiers: int, attempts: int
) -> tuple[int, str]:
    for _ in range(attempts):
        answer = judge(text)
        try:
            return _verdict(answer, n_tiers)
        except ValueError as error:
            fault = error
    raise ValueError(
        f"the judge's answer for {who!r} does not fit after {attempts} attempt(s): {fault}; it was "
        f"{shown([answer])}"
    )


def _verdict(answer: Any, n_tiers: int) -> tuple[int, str]:
    if isinstance(answer, str):
        try:
            answer = json.loads(answer)
        except json.JSONDecodeError:
            raise ValueError("it is not JSON") from None
    if not isinstance(answer, Mapping) or not {"tier", "reason"} <= set(answer):
        raise ValueError("it needs `tier` and `reason`")
    tier, reason = answer["tier"], answer["reason"]
    if isinstance(tier, bool) or not isinstance(tier, (int, np.integer)):
        raise ValueError("`tier` must be a whole number")
    if not 0 <= tier < n_tiers:
        raise ValueError(f"`tier` must lie between 0 and {n_tiers - 1}")
    if not isinstance(reason, str) or not reason.strip():
        raise ValueError("`reason` must be some words")
    return int(tier), reason
