from __future__ import annotations

import numpy as np
import pytest

from recsys_interest.exercises import (
    check_m_step,
    check_n_parameters,
    check_responsibilities,
)


def responsibilities(log_density, weights):
    joint = log_density + np.log(weights)
    joint = np.exp(joint - joint.max(axis=1, keepdims=True))
    return joint / joint.sum(axis=1, keepdims=True)


def m_step(x, r):
    total = r.sum(axis=0)
    means = r.T @ x / total
    return total / len(x), means, (r * (x[:, None] - means) ** 2).sum(axis=0) / total


def n_parameters(kind, k, d):
    pairs = d * (d + 1) // 2
    covariances = {"spherical": k, "diag": k * d, "tied": pairs, "full": k * pairs}
    return k - 1 + k * d + covariances[kind]


def test_right_answers_pass():
    assert check_responsibilities(responsibilities)
    assert check_m_step(m_step)
    assert check_n_parameters(n_parameters)


def plain_exponential(log_density, weights):
    joint = np.exp(log_density) * weights
    return joint / joint.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda p, w: np.exp(p), "add up to one"),
        (lambda p, w: responsibilities(p, np.ones(2)), "Where is the weight"),
        (lambda p, w: responsibilities(p, w**2), "Bayes"),
        (lambda p, w: w, "one row per row"),
        (plain_exponential, "Take 5000 off"),
        (lambda p: p, "It raised TypeError"),
    ],
)
def test_wrong_responsibilities_get_a_hint_that_fits(answer, hint):
    verdict = check_responsibilities(answer)
    assert not verdict
    assert hint in verdict.hint


def changed(place, value):
    def answer(x, r):
        found = list(m_step(x, r))
        found[place] = value(x, r, found)
        return found

    return answer


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, r: 0, "three arrays"),
        (changed(0, lambda x, r, f: r.sum(axis=0)), "mean responsibility"),
        (changed(1, lambda x, r, f: r.T @ x / len(x)), "not by the number of rows"),
        (changed(1, lambda x, r, f: x[:2]), "weighted by the resp"),
        (changed(2, lambda x, r, f: f[2] * r.sum(axis=0) / (r.sum(axis=0) - 1)), "less one"),
        (changed(2, lambda x, r, f: np.sqrt(f[2])), "standard deviation"),
        (changed(2, lambda x, r, f: np.full(2, x.var())), "its own component"),
        (lambda x, r: 1 / 0, "It raised ZeroDivisionError"),
    ],
)
def test_wrong_m_steps_get_a_hint_that_fits(answer, hint):
    verdict = check_m_step(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda kind, k, d: k * d, "What else is fitted"),
        (lambda kind, k, d: n_parameters(kind, k, d) + 1, "the last one is not free"),
        (
            lambda kind, k, d: (
                k - 1 + k * d
                + {"spherical": k, "diag": k * d, "tied": d * d, "full": k * d * d}[kind]
            ),
            "symmetric",
        ),
        (lambda kind, k, d: n_parameters("full", k, d), "Count for 'spherical'"),
        (lambda kind, k, d: n_parameters(kind, k, d) if d > 1 else 3, "a mean and a variance"),
        (lambda kind: 1, "It raised TypeError"),
    ],
)  # fmt: skip
def test_wrong_counts_get_a_hint_that_fits(answer, hint):
    verdict = check_n_parameters(answer)
    assert not verdict
    assert hint in verdict.hint
