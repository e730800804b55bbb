from __future__ import annotations

import numpy as np
import pytest

from recsys_interest.exercises import check_start_weights, check_update, check_within


def update(V, labels, centres):
    means = [
        V[labels == j].mean(axis=0) if (labels == j).any() else c for j, c in enumerate(centres)
    ]
    return np.array(means)


def start_weights(V, centres):
    squares = np.square(V[:, None] - centres).sum(axis=2).min(axis=1)
    return squares / squares.sum()


def within(squares, labels):
    same = labels[:, None] == labels
    return (squares * same / same.sum(axis=1)).sum() / 2


def test_right_answers_pass():
    assert check_update(update)
    assert check_start_weights(start_weights)
    assert check_within(within)


def sums(V, labels, centres):
    return np.array([V[labels == j].sum(axis=0) for j in range(3)])


def sums_or_old(V, labels, centres):
    return np.where((sums(V, labels, centres) == 0)[:, :1], centres, sums(V, labels, centres))


def with_the_old_one(V, labels, centres):
    new = update(V, labels, centres)
    new[2] = (new[2] + centres[2]) / 2
    return new


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda V, labels, centres: centres[:2], "one centre for each"),
        (lambda V, labels, centres: np.full((3, 2), np.nan), "the mean of nothing"),
        (lambda V, labels, centres: centres, "did not move"),
        (sums, "should stay at"),
        (sums_or_old, "divide by its size"),
        (with_the_old_one, "not a member"),
        (lambda V, labels, centres: np.array([V[0], centres[1], V[2]]), "is their mean"),
        (lambda V, labels, centres: V[99], "It raised IndexError"),
    ],
)
def test_wrong_updates_get_a_hint_that_fits(answer, hint):
    verdict = check_update(answer)
    assert not verdict
    assert hint in verdict.hint


def share(values):
    return values / values.sum()


def mean_over_centres(V, centres):
    weights = np.square(V[:, None] - centres).sum(axis=2).mean(axis=1)
    return share(weights)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda V, centres: np.ones((4, 2)), "for each user"),
        (lambda V, centres: np.full(4, 0.25), "should not be drawn again"),
        (lambda V, centres: np.square(V - centres[0]).sum(axis=1), "sum to one"),
        (lambda V, centres: share(np.linalg.norm(V - centres[0], axis=1)), "with its square"),
        (lambda V, centres: np.array([0.0, 1.0, 0.0, 0.0]), "has the squared distance 25"),
        (lambda V, centres: share(np.square(V - centres[0]).sum(axis=1)), "only the nearest"),
        (mean_over_centres, "only the nearest"),
        (lambda V, centres: 1 / 0, "It raised ZeroDivisionError"),
    ],
)
def test_wrong_start_weights_get_a_hint_that_fits(answer, hint):
    verdict = check_start_weights(answer)
    assert not verdict
    assert hint in verdict.hint


def same(labels):
    return labels[:, None] == labels


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda squares, labels: squares.sum(), "the same for every partition"),
        (lambda squares, labels: (squares * same(labels)).sum(), "twice its size"),
        (lambda squares, labels: (squares * same(labels)).sum() / 2, "not only by two"),
        (lambda squares, labels: 2 * within(squares, labels), "counts each pair twice"),
        (lambda squares, labels: 0, "9 + 0 + 9"),
        (lambda squares: 0, "It raised TypeError"),
    ],
)
def test_wrong_objectives_get_a_hint_that_fits(answer, hint):
    verdict = check_within(answer)
    assert not verdict
    assert hint in verdict.hint
