from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage
from sklearn.cluster import DBSCAN
from sklearn.metrics import silhouette_samples

from recsys_interest.exercises import (
    check_core_points,
    check_reachability,
    check_silhouette,
    check_ward_cost,
)


def ward_cost(A, B):
    return len(A) * len(B) / (len(A) + len(B)) * ((A.mean(axis=0) - B.mean(axis=0)) ** 2).sum()


def by_scipy(A, B):
    # The last merge of points that lie on two places costs what merging the places costs.
    places = np.vstack([np.tile(A.mean(axis=0), (len(A), 1)), np.tile(B.mean(axis=0), (len(B), 1))])
    return linkage(places, "ward")[-1, 2] ** 2 / 2


def core_points(D, eps, min_samples):
    found = DBSCAN(eps=eps, min_samples=min_samples, metric="precomputed").fit(D)
    return np.isin(np.arange(len(D)), found.core_sample_indices_)


def reachability(D, min_samples):
    core = np.sort(D, axis=1)[:, min_samples - 1]
    return np.maximum(D, np.maximum.outer(core, core))


def silhouette(D, labels):
    return silhouette_samples(D, labels, metric="precomputed")


def test_right_answers_pass():
    assert check_ward_cost(ward_cost)
    assert check_ward_cost(by_scipy)
    assert check_core_points(core_points)
    assert check_reachability(reachability)
    assert check_silhouette(silhouette)


def squares(X):
    return ((X - X.mean(axis=0)) ** 2).sum()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda A, B: ((A.mean(0) - B.mean(0)) ** 2).sum(), "Where are the sizes"),
        (lambda A, B: np.sqrt(2 * ward_cost(A, B)), "SciPy's height"),
        (lambda A, B: squares(np.vstack([A, B])), "What was it before"),
        (lambda A, B: ward_cost(A, B) * 4 * 4 / 9, "not over their product"),
        (lambda A, B: 3.0, "before and after"),
        (lambda A, B: ward_cost(A, B) if len(B) == 1 else 1.0, "with one centre"),
        (lambda A, B: A.nothing, "It raised AttributeError"),
    ],
)
def test_wrong_costs_get_a_hint_that_fits(answer, hint):
    verdict = check_ward_cost(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda D, eps, m: (eps >= D).sum(axis=1) > m, "The point itself"),
        (lambda D, eps, m: (eps > D).sum(axis=1) >= m, "exactly eps"),
        (
            lambda D, eps, m: ((eps >= D) & core_points(D, eps, m)).any(axis=1),
            "Border points",
        ),
        (lambda D, eps, m: D[4] <= eps, "Count, for every row"),
        (lambda D, eps, m: (eps >= D).sum(axis=1) >= 3, "With min_samples = 2"),
        (lambda D, eps, m: D[99], "It raised IndexError"),
    ],
)
def test_wrong_core_points_get_a_hint_that_fits(answer, hint):
    verdict = check_core_points(answer)
    assert not verdict
    assert hint in verdict.hint


def core(D, m):
    return np.sort(D, axis=1)[:, m - 1]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda D, m: D, "sparse place"),
        (lambda D, m: reachability(D, m + 1), "counts the point itself"),
        (lambda D, m: np.maximum(D, core(D, m)[:, None]), "take the larger of the two"),
        (lambda D, m: D + np.maximum.outer(core(D, m), core(D, m)), "not the sum"),
        (lambda D, m: core(D, m), "for every pair"),
        (lambda D, m: D * 2, "The maximum of three"),
        (lambda D, m: D.nothing, "It raised AttributeError"),
    ],
)
def test_wrong_reachabilities_get_a_hint_that_fits(answer, hint):
    verdict = check_reachability(answer)
    assert not verdict
    assert hint in verdict.hint


def with_itself(D, labels):
    out = []
    for i, own in enumerate(labels):
        means = {k: D[i, labels == k].mean() for k in np.unique(labels)}
        a = means.pop(own)
        b = min(means.values())
        out.append((b - a) / max(a, b) if (labels == own).sum() > 1 else 0.0)
    return out


def to_all_others(D, labels):
    out = []
    for i, own in enumerate(labels):
        mine = labels == own
        if mine.sum() == 1:
            out.append(0.0)
            continue
        a, b = D[i, mine].sum() / (mine.sum() - 1), D[i, ~mine].mean()
        out.append((b - a) / max(a, b))
    return out


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (with_itself, "no neighbour of itself"),
        (to_all_others, "the nearest other cluster"),
        (lambda D, labels: -silhouette(D, labels), "Positive is good"),
        (lambda D, labels: silhouette(D, labels).mean(), "on paper"),
        (lambda D, labels: D.nothing, "It raised AttributeError"),
    ],
)
def test_wrong_silhouettes_get_a_hint_that_fits(answer, hint):
    verdict = check_silhouette(answer)
    assert not verdict
    assert hint in verdict.hint
