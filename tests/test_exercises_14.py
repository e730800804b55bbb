from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from recsys_interest.exercises import check_assign, check_overlap, check_step


def step(total, last, time, weight, half_life):
    newest = max(last, time)
    fade, fresh = (0.5 ** ((newest - t) / half_life) for t in (last, time))
    return fade * total + fresh * weight, newest


def counts(before, now):
    F = np.zeros((before.max() + 1, now.max() + 1))
    np.add.at(F, (before, now), 1)
    return F


def overlap(before, now):
    F = counts(before, now)
    return 2 * F / (F.sum(axis=1)[:, None] + F.sum(axis=0))


def assign(S):
    worth = np.where(S > 0.5, S, 0)
    i, j = linear_sum_assignment(worth, maximize=True)
    out = np.full(S.shape[1], -1)
    out[j[worth[i, j] > 0]] = i[worth[i, j] > 0]
    return out


def greedy(S):
    out, S = np.full(S.shape[1], -1), S.copy()
    while S.max() > 0.5:
        i, j = np.unravel_index(S.argmax(), S.shape)
        out[j], S[i], S[:, j] = i, 0, 0
    return out


def without_threshold(S):
    i, j = linear_sum_assignment(S, maximize=True)
    out = np.full(S.shape[1], -1)
    out[j] = i
    return out


def threshold_afterwards(S):
    i, j = linear_sum_assignment(S, maximize=True)
    out = np.full(S.shape[1], -1)
    out[j[S[i, j] > 0.5]] = i[S[i, j] > 0.5]
    return out


def square_only(S):
    return assign(S) if S.shape[0] == S.shape[1] else np.zeros(S.shape[1])


def test_right_answers_pass():
    assert check_step(step)
    assert check_overlap(overlap)
    assert check_assign(assign)


def plain(total, last, time, weight, half_life):
    return 0.5 ** ((time - last) / half_life) * total + weight, time


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda total, last, time, weight, h: (total + weight, time), "fades, too"),
        (lambda total, last, time, weight, h: (total * np.exp(-1) + weight, time), "ln 2"),
        (lambda total, last, time, weight, h: ((total + weight) / 2, time), "not faded yet"),
        (lambda total, last, time, weight, h: (0.0, time), "by hand"),
        (plain, "late event"),
        (lambda total: total, "It raised TypeError"),
    ],
)
def test_wrong_steps_get_a_hint_that_fits(answer, hint):
    verdict = check_step(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (counts, "counts"),
        (lambda b, n: counts(b, n) / counts(b, n).sum(axis=1)[:, None], "old cluster only"),
        (lambda b, n: counts(b, n) / counts(b, n).sum(axis=0), "new cluster only"),
        (lambda b, n: overlap(b, n) / (2 - overlap(b, n)), "Jaccard"),
        (lambda b, n: np.eye(2), "by hand"),
        (lambda b: b, "It raised TypeError"),
    ],
)
def test_wrong_overlaps_get_a_hint_that_fits(answer, hint):
    verdict = check_overlap(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda S: S.argmax(axis=0), "cannot both"),
        (greedy, "greedy"),
        (lambda S: np.array([5, 5]), "larger sum"),
        (without_threshold, "one half or less"),
        (threshold_afterwards, "must not count"),
        (square_only, "more new clusters"),
        (lambda: 0, "It raised TypeError"),
    ],
)
def test_wrong_assignments_get_a_hint_that_fits(answer, hint):
    verdict = check_assign(answer)
    assert not verdict
    assert hint in verdict.hint
