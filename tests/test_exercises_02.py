from __future__ import annotations

import numpy as np
import pytest

from recsys_interest.exercises import check_newest_first, check_ppmi, check_tfidf


def idf(counts, one=1):
    return one + np.log((1 + len(counts)) / (1 + (counts > 0).sum(axis=0)))


def newest(tokens, budget):
    kept = []
    for place in reversed(range(len(tokens))):
        budget -= tokens[place]
        if budget < 0:
            break
        kept.append(place)
    return kept


def pmi(together):
    joint = together / together.sum()
    alone = joint.sum(axis=1)
    return np.log(joint / np.outer(alone, alone))


def positive(together):
    return np.nan_to_num(np.maximum(pmi(together), 0), nan=0.0)


def test_right_answers_pass():
    assert repr(check_tfidf(lambda counts: counts * idf(counts))) == "Right."
    assert check_newest_first(newest)
    assert check_ppmi(positive)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c: c, "weigh as much as a rare one"),
        (lambda c: (c > 0) * idf(c), "Where are the counts"),
        (lambda c: c * (1 + np.log(4 / (1 + c.sum(axis=0)))), "In how many texts"),
        (lambda c: c * np.log(len(c) / (c > 0).sum(axis=0)), "Add one text"),
        (lambda c: c * idf(c, 0), "Add 1 to the logarithm"),
        (lambda c: c * (1 + np.log(5 / (1 + (c > 0).sum(axis=0)))), "not the number of words"),
        (
            lambda c: c * idf(c) / np.linalg.norm(c * idf(c), axis=1, keepdims=True),
            "length of the rows",
        ),
        (lambda c: c * 2, "by hand"),
        (lambda c: None, "by hand"),
        (lambda: 1, "It raised TypeError"),
    ],
)
def test_wrong_weights_get_a_hint_that_fits(answer, hint):
    verdict = check_tfidf(answer)
    assert not verdict
    assert hint in verdict.hint


def skipping(tokens, budget):
    kept = []
    for place in reversed(range(len(tokens))):
        if tokens[place] <= budget:
            budget -= tokens[place]
            kept.append(place)
    return kept


def from_the_start(tokens, budget):
    return [p for p, total in enumerate(np.cumsum(tokens)) if total <= budget]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (from_the_start, "keeps the oldest"),
        (lambda t, b: newest(t, b)[::-1], "Which event does the text begin with"),
        (lambda t, b: newest(t, b - 1), "exactly the budget fits"),
        (lambda t, b: [4, 3, 2, 1], "The budget is 10"),
        (lambda t, b: [4], "from the last event backwards"),
        (skipping, "no gaps in the story"),
        (lambda t, b: newest(t, b) if t[0] else 0, "without events"),
        (lambda t, b: [p + 1 for p in newest(t, b)], "are 0 to 4"),
        (lambda t, b: newest(t, b) if t else None, "without events"),
        (lambda t, b: newest(t, b) if sum(t) > b else [], "the whole history"),
        (lambda t, b: newest(t, b) or [len(t) - 1], "not even the newest"),
        (lambda t, b: 3, "Return places of events"),
        (lambda t, b: 1 / 0, "It raised ZeroDivisionError"),
    ],
)
def test_wrong_texts_get_a_hint_that_fits(answer, hint):
    verdict = check_newest_first(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c: c / c.sum(), "by chance"),
        (pmi, "0 / 0"),
        (lambda c: np.nan_to_num(pmi(c), nan=0, neginf=-np.inf), "the logarithm of 0"),
        (lambda c: np.where(c > 0, pmi(c), -1), "nothing is below 0"),
        (
            lambda c: np.nan_to_num(pmi(c), nan=0, neginf=0),
            "nothing is below 0",
        ),
        (lambda c: positive(c) / np.log(2), "the natural one"),
        (lambda c: positive(c) * 3, "by hand"),
        (lambda c: c[:2], "The table has the shape"),
        (lambda c: "no", "Return a table"),
        (lambda c: 1 / 0, "It raised ZeroDivisionError"),
    ],
)
def test_wrong_tables_get_a_hint_that_fits(answer, hint):
    verdict = check_ppmi(answer)
    assert not verdict
    assert hint in verdict.hint
