from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score
from sklearn.tree import DecisionTreeClassifier

from recsys_interest.exercises import (
    check_best_split,
    check_cross_entropy,
    check_entropy,
    check_weighted_kappa,
)


def entropy(p):
    p = p[p > 0]
    return -(p * np.log2(p)).sum()


def cross_entropy(M, P):
    return -np.log(P[M == 1]).mean()


def best_split(x, y):
    tree = DecisionTreeClassifier(criterion="entropy", max_depth=1).fit(x[:, None], y)
    return tree.tree_.threshold[0]


def kappa(truth, guess):
    return cohen_kappa_score(truth, guess, weights="quadratic")


def test_right_answers_pass():
    assert check_entropy(entropy)
    assert check_cross_entropy(cross_entropy)
    assert check_best_split(best_split)
    assert check_weighted_kappa(kappa)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda p: 1 - (p**2).sum(), "Gini"),
        (lambda p: -(p * np.log(p)).sum(), "base 2"),
        (lambda p: (p * np.log2(p)).sum(), "Look at the sign"),
        (lambda p: -(p * np.log2(p)).sum(), "0 log 0"),
        (lambda p: 1.0, "A fair coin"),
        (lambda p: p.nothing, "It raised AttributeError"),
    ],
)
def test_wrong_entropies_get_a_hint_that_fits(answer, hint):
    verdict = check_entropy(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda M, P: -(M * np.log(P)).sum(), "Repeat every user"),
        (lambda M, P: (M * -(M * np.log(P)).sum(axis=0)).sum(), "as the article does"),
        (lambda M, P: -(M * np.log(P)).mean(), "over users and tiers"),
        (lambda M, P: -np.log(P).sum(axis=1).mean(), "where is M"),
        (lambda M, P: (M * np.log(P)).sum() / len(M), "Look at the sign"),
        (lambda M, P: -(M * np.log(P)).sum() / len(M), "no NaN"),
        (lambda M, P: ((M - P) ** 2).sum(), "on paper"),
        (lambda M: M, "It raised TypeError"),
    ],
)
def test_wrong_losses_get_a_hint_that_fits(answer, hint):
    verdict = check_cross_entropy(answer)
    assert not verdict
    assert hint in verdict.hint


def between_equals(x, y):
    return 5.0 if len(x) == 8 else 1.0


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x, y: np.median(x), "The median halves"),
        (lambda x, y: 3.0, "midway"),
        (lambda x, y: 8.5, "Try every threshold"),
        (between_equals, "Equal values"),
        (lambda x, y: x[99], "It raised IndexError"),
    ],
)
def test_wrong_splits_get_a_hint_that_fits(answer, hint):
    verdict = check_best_split(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda t, g: (t == g).mean(), "That is the accuracy"),
        (cohen_kappa_score, "as bad as"),
        (lambda t, g: cohen_kappa_score(t, g, weights="linear"), "counts four times"),
        (lambda t, g: 1 - np.mean((t - g) ** 2), "check the expected"),
        (lambda t: t, "It raised TypeError"),
    ],
)
def test_wrong_kappas_get_a_hint_that_fits(answer, hint):
    verdict = check_weighted_kappa(answer)
    assert not verdict
    assert hint in verdict.hint
