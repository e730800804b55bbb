from __future__ import annotations

import numpy as np
import pytest

from recsys_interest.exercises import check_decay, check_medoid, check_merge


def merge(first, second, half_life):
    (old, small), (new, large) = sorted([first, second])
    return new, large + small * 2.0 ** (-(new - old) / half_life)


def medoid(vectors):
    gaps = vectors[:, None] - vectors[None]
    return np.square(gaps).sum(axis=(1, 2)).argmin()


def test_right_answers_pass():
    assert check_decay(lambda ages, half_life: 0.5 ** (ages / half_life))
    assert check_merge(merge)
    assert check_medoid(medoid)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a, h: np.exp(-a / h), "decay to 1/e"),
        (lambda a, h: 2 ** (a / h), "an old event weigh more"),
        (lambda a, h: 1 - a / (2 * h), "A straight line"),
        (lambda a, h: a, "weigh 1, 1/2 and 1/4"),
        (lambda a, h: 1 / 0, "It raised ZeroDivisionError"),
    ],
)
def test_wrong_decays_get_a_hint_that_fits(answer, hint):
    verdict = check_decay(answer)
    assert not verdict
    assert hint in verdict.hint


def blind(first, second, half_life):
    return second[0], second[1] + first[1] * 2.0 ** (-(second[0] - first[0]) / half_life)


def from_the_start(first, second, half_life):
    total = sum(m * 2.0 ** (t / half_life) for t, m in (first, second))
    last = max(first[0], second[0])
    return last, total * 2.0 ** (-last / half_life)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a, b, h: (b[0], a[1] + b[1]), "different moments"),
        (lambda a, b, h: (a[0], a[1] + b[1] * 2 ** (b[0] / h)), "Anchored at the older moment"),
        (lambda a, b, h: a, "by hand"),
        (blind, "Swap the two"),
        (from_the_start, "27,000 years"),
        (lambda a, b: a, "It raised TypeError"),
    ],
)
def test_wrong_merges_get_a_hint_that_fits(answer, hint):
    verdict = check_merge(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda v: v.mean(axis=0), "a mean need not be"),
        (lambda v: 4, "least, not most"),
        (lambda v: 0, "on a line"),
        (lambda v: np.abs(v[:, None] - v[None]).sum(axis=(1, 2)).argmin(), "squared"),
        (lambda v: v[99], "It raised IndexError"),
    ],
)
def test_wrong_medoids_get_a_hint_that_fits(answer, hint):
    verdict = check_medoid(answer)
    assert not verdict
    assert hint in verdict.hint
