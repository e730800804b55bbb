from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from recsys_interest.exercises import (
    check_distinctive,
    check_intruder,
    check_lift,
    check_smooth,
)
from recsys_interest.neighbour_smoothing import NeighbourSmoothing


def shares(counts):
    return counts / counts.sum(axis=1, keepdims=True), counts.sum(axis=0) / counts.sum()


def distinctive(counts):
    share, overall = shares(counts)
    return share * np.log(np.where(share > 0, share, overall) / overall)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def intruder(vectors):
    cosine = unit(vectors) @ unit(vectors).T
    return (cosine.sum(axis=1) - 1).argmin()


def lift(score, wanted, k):
    return wanted[np.argsort(-score)[:k]].mean() / wanted.mean()


def smooth(vectors, k):
    near = NearestNeighbors(n_neighbors=k).fit(vectors).kneighbors(vectors)[1]
    return unit(vectors[near].mean(axis=1))


def test_right_answers_pass():
    assert check_distinctive(distinctive)
    assert check_intruder(intruder)
    assert check_lift(lift)
    assert check_smooth(smooth)
    assert check_smooth(lambda rows, k: NeighbourSmoothing(k, 1).fit_transform(rows))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda c: shares(c)[0], "frequency alone"),
        (lambda c: np.log(shares(c)[0] / shares(c)[1]), "Weigh it"),
        (lambda c: -distinctive(c), "Which way round"),
        (lambda c: shares(c)[0] * np.log(shares(c)[0] / shares(c)[0].mean(axis=0)), "weighs more"),
        (lambda c: c * np.log(shares(c)[0] / shares(c)[1]), "sums to 1"),
        (lambda c: shares(c)[0] * np.log(shares(c)[0] / shares(c)[1]), "no NaN"),
        (lambda c: c.nothing, "It raised AttributeError"),
    ],
)
def test_wrong_scores_get_a_hint_that_fits(answer, hint):
    verdict = check_distinctive(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda v: np.linalg.norm(v, axis=1).argmax(), "Length says nothing"),
        (lambda v: (unit(v) @ unit(v).T).sum(axis=1).argmax(), "lowest, not highest"),
        (lambda v: 0, "Draw the five arrows"),
        (lambda v: (unit(v) @ v.mean(axis=0)).argmin(), "dominated by the longest"),
        (lambda v: v[99], "It raised IndexError"),
    ],
)
def test_wrong_intruders_get_a_hint_that_fits(answer, hint):
    verdict = check_intruder(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda s, w, k: w[np.argsort(-s)[:k]].mean(), "the precision"),
        (lambda s, w, k: w[np.argsort(-s)[:k]].sum() / w.sum(), "the recall"),
        (lambda s, w, k: lift(-s, w, k), "not the lowest"),
        (lambda s, w, k: w[np.argsort(-s)[:k]].mean() - w.mean(), "not a difference"),
        (lambda s, w, k: 7.0, "three are wanted"),
        (lambda s, w, k: 1.5, "the lift is 1"),
        (lambda s, w, k: s + "x", "It raised"),
    ],
)
def test_wrong_lifts_get_a_hint_that_fits(answer, hint):
    verdict = check_lift(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda v, k: v, "Nothing has moved"),
        (
            lambda v, k: v[np.argsort(-(v @ v.T), axis=1)[:, :k]].mean(axis=1),
            "shorter than one",
        ),
        (
            lambda v, k: unit(v[np.argsort(-(v @ v.T), axis=1)[:, 1 : k + 1]].mean(axis=1)),
            "its own nearest",
        ),
        (lambda v, k: unit(v + v.mean(axis=0)), "falling cosine"),
        (lambda v, k: v @ v, "It raised ValueError"),
    ],
)
def test_wrong_means_get_a_hint_that_fits(answer, hint):
    verdict = check_smooth(answer)
    assert not verdict
    assert hint in verdict.hint
