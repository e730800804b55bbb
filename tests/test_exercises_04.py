from __future__ import annotations

import numpy as np
import pytest

from recsys_interest.exercises import check_contrastive_loss, check_masked_loss, check_ridge


def log_softmax(scores):
    high = scores - scores.max(axis=1, keepdims=True)
    return high - np.log(np.exp(high).sum(axis=1, keepdims=True))


def masked(scores, asked):
    places = np.flatnonzero(asked != -100)
    return -log_softmax(scores)[places, asked[places]].mean()


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def contrastive(left, right, temperature):
    return -np.diag(log_softmax(unit(left) @ unit(right).T / temperature)).mean()


def ridge(x, f, alpha):
    return np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T @ f)


def test_right_answers_pass():
    assert check_masked_loss(masked)
    assert check_contrastive_loss(contrastive)
    assert check_ridge(ridge)
    assert check_ridge(lambda x, f, a: x.T @ np.linalg.solve(x @ x.T + a * np.eye(len(x)), f))


def places(asked):
    return np.flatnonzero(asked != -100)


def unstable(scores, asked):
    p = places(asked)
    return -np.log(np.exp(scores[p, asked[p]]) / np.exp(scores[p]).sum(axis=1)).mean()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda s, a: s[0, a[0]], "the loss is log V"),
        (lambda s, a: -masked(s, a), "the loss is log V"),
        (lambda s, a: masked(s, a) * len(places(a)), "twice as many masks"),
        (lambda s, a: masked(s, a) * len(places(a)) / len(a), "not by all places"),
        (lambda s, a: -log_softmax(s)[np.arange(len(a)), a % 3].mean(), "Which places count?"),
        (unstable, "subtract the largest score"),
        (lambda s: 0, "It raised TypeError"),
    ],
)
def test_wrong_masked_losses_get_a_hint_that_fits(answer, hint):
    verdict = check_masked_loss(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda a, b, t: -contrastive(a, b, t), "look at the sign"),
        (lambda a, b, t: contrastive(a, b, t) * len(a), "guessing is all there is"),
        (lambda a, b, t: -np.diag(log_softmax(a @ b.T / t)).mean(), "Scale them to length one"),
        (lambda a, b, t: contrastive(a, b, 1 / t), "does one divide by it"),
        (lambda a, b, t: contrastive(b, a, t), "The sum below the line"),
        (lambda a, b, t: contrastive(a, a, t), "Write out the three terms"),
        (lambda a, b, t: 1 / 0, "It raised ZeroDivisionError"),
    ],
)
def test_wrong_contrastive_losses_get_a_hint_that_fits(answer, hint):
    verdict = check_contrastive_loss(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, f, a: ridge(x, f, 0), "Where is alpha"),
        (lambda x, f, a: ridge(x, f, a).T, "turn it over"),
        (lambda x, f, a: np.linalg.solve(x.T @ x + a, x.T @ f), "on the diagonal only"),
        (lambda x, f, a: ridge(x, f, a**2), "Set the derivative"),
        (lambda x, f, a: f @ x, "It raised ValueError"),
    ],
)
def test_wrong_ridges_get_a_hint_that_fits(answer, hint):
    verdict = check_ridge(answer)
    assert not verdict
    assert hint in verdict.hint
