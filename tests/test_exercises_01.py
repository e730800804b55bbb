from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys_interest.exercises import check_future_share, check_gini, check_near_duplicates
from recsys_interest.log_statistics import gini


def future_share(users, times, test_users, test_times):
    last = pd.Series(times).groupby(users).max()
    return (last.reindex(test_users).to_numpy() > test_times).mean()


def near_duplicates(times, window):
    again, last = np.zeros(len(times), dtype=bool), -np.inf
    for row in np.argsort(times, kind="stable"):
        again[row] = times[row] - last <= window
        last = last if again[row] else times[row]
    return again


def test_right_answers_pass():
    assert check_gini(gini)
    assert check_future_share(future_share)
    assert check_near_duplicates(near_duplicates)
    assert check_near_duplicates(lambda times, window: near_duplicates(times, window).tolist())


def unsorted_gini(x):
    return np.arange(1 - len(x), len(x), 2) @ x / (len(x) * x.sum())


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda x: x.max() / x.sum(), "equal counts are spread evenly"),
        (lambda x: gini(x) * len(x) / (len(x) - 1), "1 - 1/4, not 1"),
        (lambda x: x.std() / x.mean(), "1 - 1/4, not 1"),
        (unsorted_gini, "in another order"),
        (lambda x: gini(np.sqrt(x)), "1, 2, 3 with a pencil"),
        (lambda x: 0.0, "1 - 1/4, not 1"),
        (lambda x: None, "equal counts"),
        (lambda x: 1 / 0, "It raised ZeroDivisionError"),
    ],
)
def test_wrong_coefficients_get_a_hint_that_fits(answer, hint):
    verdict = check_gini(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda u, t, v, s: (t.max() > s).mean(), "What Bob does later"),
        (lambda u, t, v, s: 0.0, "Ann's test event at 2"),
        (lambda u, t, v, s: future_share(u, t + 0.5, v, s), "at the same moment"),
        (lambda u, t, v, s: future_share(u, t, v, s) * len(v), "is it a share"),
        (lambda u, t, v, s: (pd.Series(t).groupby(u).max()[v] > s).mean(), "It raised KeyError"),
        (
            lambda u, t, v, s: np.mean(
                [(t[u == a] > b).any() for a, b in zip(v, s, strict=True) if a in u]
            ),
            "nothing of Eve",
        ),
        (lambda u: u, "It raised TypeError"),
    ],
)
def test_wrong_shares_get_a_hint_that_fits(answer, hint):
    verdict = check_future_share(answer)
    assert not verdict
    assert hint in verdict.hint


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda t, w: np.diff(t, prepend=-np.inf) <= w, "4 repeats nothing kept"),
        (lambda t, w: np.zeros(len(t)), "1 repeats 0"),
        (lambda t, w: np.ones(len(t)), "5 is not within 2"),
        (lambda t, w: near_duplicates(t, w - 1e-6), "Exactly a window later"),
        (lambda t, w: np.diff(t, append=np.inf) <= w, "1 repeats 0"),
        (lambda t, w: (t - t[0] <= w) & (t > t[0]), "6 repeats 5"),
        (lambda t, w: near_duplicates(np.sort(t), w), "need not be in order"),
        (lambda t, w: t[near_duplicates(t, w)], "2 times need 2 answers"),
        (lambda t, w: None, "2 times need 2 answers"),
        (lambda t, w: t[9], "It raised IndexError"),
    ],
)
def test_wrong_repetitions_get_a_hint_that_fits(answer, hint):
    verdict = check_near_duplicates(answer)
    assert not verdict
    assert hint in verdict.hint


def test_the_last_hint_of_the_repetitions():
    # Everything right but equal moments.
    def strict(times, window):
        order = np.argsort(times, kind="stable")[::-1] if window == 0 else np.argsort(times)
        again, last = np.zeros(len(times), dtype=bool), -np.inf
        for row in order:
            again[row] = times[row] - last <= window
            last = last if again[row] else times[row]
        return again

    assert "the first given" in check_near_duplicates(strict).hint
