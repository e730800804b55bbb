from __future__ import annotations

import numpy as np
import pytest

from recsys_interest.exercises import (
    check_closed_form,
    check_contributions,
    check_shrunk_share,
)


def inverse(gram, l2):
    return np.linalg.inv(gram + l2 * np.eye(len(gram)))


def closed_form(gram, l2):
    P = inverse(gram, l2)
    W = -P / np.diag(P)
    np.fill_diagonal(W, 0)
    return W


def test_right_answers_pass():
    assert check_closed_form(closed_form)
    assert check_contributions(lambda x, W, i: x * W[:, i])
    assert check_shrunk_share(lambda n, size, p, m: (n + m * p) / (size + m))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (inverse, "That is P"),
        (lambda g, l2: -inverse(g, l2) / np.diag(inverse(g, l2)), "predicts itself with -1"),
        (lambda g, l2: closed_form(g, l2).T, "not symmetric"),
        (lambda g, l2: inverse(g, l2) @ g, "ridge regression"),
        (lambda g, l2: g, "Try two items"),
        (lambda g, l2: closed_form(g, 1.0), "A larger penalty"),
        (lambda g, l2: 1 / 0, "It raised ZeroDivisionError"),
    ],
)
def test_wrong_weights_get_a_hint_that_fits(answer, hint):
    verdict = check_closed_form(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, W, i: W[:, i], "does not like"),
        (lambda x, W, i: x @ W[:, i], "Return the addends"),
        (lambda x, W, i: x * W[i], "A row says"),
        (lambda x, W, i: np.maximum(x * W[:, i], 0), "speaks against"),
        (lambda x, W, i: x, "must be the score"),
        (lambda x, W, i: W[99], "It raised IndexError"),
    ],
)
def test_wrong_contributions_get_a_hint_that_fits(answer, hint):
    verdict = check_contributions(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda n, size, p, m: n / size, "In a group of one user"),
        (lambda n, size, p, m: (n + m * p) / size, "above the line only"),
        (lambda n, size, p, m: (n / size + p) / 2, "a large group should be believed"),
        (lambda n, size, p, m: p, "then take the share"),
        (lambda n, size, p, m: np.array([0.16, 0.3, 0.42]), "A group without users"),
        (lambda n, size: n, "It raised TypeError"),
    ],
)
def test_wrong_shares_get_a_hint_that_fits(answer, hint):
    verdict = check_shrunk_share(answer)
    assert not verdict
    assert hint in verdict.hint
