from __future__ import annotations

import numpy as np
import pytest

from recsys_interest import exercises
from recsys_interest.exercises import check_lists, check_profile, check_top_k

CHECKS = [name for name in exercises.__all__ if name.startswith("check_")]


def mean(weights, vectors):
    return None if weights.sum() == 0 else weights @ vectors / weights.sum()


def top(profile, vectors, k):
    length = np.linalg.norm(vectors, axis=1)
    cosine = vectors @ profile / np.where(length > 0, length, np.nan)
    order = np.argsort(-cosine, kind="stable")
    return [row for row in order if length[row] > 0][:k]


def lists(weights, seen, vectors, k, fallback=None):
    popular = seen.sum(axis=0) if fallback is None else fallback
    answer = []
    for w, known in zip(weights, seen, strict=True):
        rows = np.flatnonzero(~known)
        centre = mean(w, vectors)
        near = np.argsort(-popular[rows], kind="stable") if centre is None else None
        best = near[:k] if centre is None else top(centre, vectors[rows], k)
        answer.append(rows[best].tolist())
    return answer


def filled(weights, seen, vectors, k):
    """Sort the seen ones to the end instead of leaving them out."""
    profiles = weights @ vectors
    cosine = profiles @ (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).T
    return np.argsort(np.where(seen, np.inf, -cosine), axis=1, kind="stable")[:, :k]


def without_lengths(weights, seen, vectors, k):
    score = np.where(seen, -np.inf, weights @ vectors @ vectors.T)
    return [[r for r in np.argsort(-row) if row[r] > -np.inf][:k] for row in score]


def test_right_answers_pass():
    assert check_profile(mean)
    assert repr(check_profile(mean)) == "Right."
    assert check_top_k(top)
    assert check_lists(lists)


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


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda w, s, v, k: filled(w, s, v, k), "what fills the list up"),
        (lambda w, s, v, k: lists(w, np.zeros_like(s), v, k), "has seen"),
        (
            lambda w, s, v, k: [a if w[u].any() else [] for u, a in enumerate(lists(w, s, v, k))],
            "wants a list",
        ),
        (lambda w, s, v, k: without_lengths(w, s, v, k), "divide by the lengths"),
        (
            lambda w, s, v, k: lists(np.where(w.any(1, keepdims=True), s, 0.0), s, v, k),
            "the weights",
        ),
        (lambda w, s, v, k: [one[::-1] for one in lists(w, s, v, k)], "Take one user alone"),
        (lambda w, s, v, k: [one[:1] for one in lists(w, s, v, k)], "Take one user alone"),
        (lambda w, s, v, k: lists(w, s, v, k, fallback=w.sum(axis=0)), "still one user"),
        (lambda w, s, v, k: lists(w, s, v, k, fallback=-np.arange(5)), "What do most users know"),
        (lambda w, s, v, k: lists(w, s, v, k)[:5], "each of the six users"),
        (lambda w, s, v, k: [0, 1], "each of the six users"),
        (lambda w, s, v, k: [[np.inf]] * 6, "each of the six users"),
        (lambda w, s, v, k: None, "each of the six users"),
        (lambda w, s, v, k: v[99], "It raised IndexError"),
    ],
)
def test_wrong_lists_of_all_users_get_a_hint_that_fits(answer, hint):
    verdict = check_lists(answer)
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
