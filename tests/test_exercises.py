from __future__ import annotations

import numpy as np
import pytest

from recsys_interest import exercises
from recsys_interest.exercises import check_profile, check_top_k

CHECKS = [name for name in exercises.__all__ if name.startswith("check_")]


def mean(weights, vectors):
    return None if weights.sum() == 0 else weights @ vectors / weights.sum()


def top(profile, vectors, k):
    length = np.linalg.norm(vectors, axis=1)
    cosine = vectors @ profile / np.where(length > 0, length, np.nan)
    order = np.argsort(-cosine, kind="stable")
    return [row for row in order if length[row] > 0][:k]


def test_right_answers_pass():
    assert check_profile(mean)
    assert repr(check_profile(mean)) == "Right."
    assert check_top_k(top)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda w, v: v.mean(axis=0), "Do the weights matter"),
        (lambda w, v: w @ v, "Repeat every event ten times"),
        (lambda w, v: w @ v / w.sum(), "every weight is zero"),
        (lambda w, v: v[0], "Try two events by hand"),
        (lambda w, v: None, "Try two events by hand"),
        (lambda w, v: 1 / 0, "It raised ZeroDivisionError"),
        (lambda w: w, "It raised TypeError"),
    ],
)
def test_wrong_profiles_get_a_hint_that_fits(answer, hint):
    verdict = check_profile(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda p, v, k: top(p, v, k)[::-1], "divide by the lengths"),
        (lambda p, v, k: np.argsort(v @ p)[:k], "Is the best row the first"),
        (lambda p, v, k: np.argsort(-(v @ p), kind="stable")[:k], "divide by the lengths"),
        (lambda p, v, k: [4, 2, 0, 1][:k], "Of equal rows"),
        (lambda p, v, k: top(p, v, k)[:3], "Four rows"),
        (lambda p, v, k: [2, 4, 1, 0][:k], "Draw the six rows"),
        (lambda p, v, k: [*top(p, v, k), 5][:k], "row of zeros"),
        (lambda p, v, k: None, "Return row numbers"),
        (lambda p, v, k: v[99], "It raised IndexError"),
    ],
)
def test_wrong_lists_get_a_hint_that_fits(answer, hint):
    verdict = check_top_k(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize("name", CHECKS)
def test_whatever_is_returned_there_is_a_verdict(name):
    check = getattr(exercises, name)
    for answer in (None, "x", [[1], [1, 2]], {1: 2}, object(), 1j, np.zeros((0, 3)), np.inf):
        verdict = check(lambda *_, answer=answer: answer)
        assert not verdict
        assert verdict.hint


@pytest.mark.parametrize("name", CHECKS)
def test_what_the_answer_raises_is_shown(name):
    def broken(*_):
        raise KeyError("mistyped")

    assert "It raised KeyError: 'mistyped'" in repr(getattr(exercises, name)(broken))
