from __future__ import annotations

import numpy as np
import pytest

from recsys_interest.exercises import check_blend, check_seats, check_survivors


def unit(row):
    return row / max(np.linalg.norm(row), 1e-12)


def blend(usual, session, alpha):
    if not usual.any() or not session.any():
        return unit(usual + session)
    return unit((1 - alpha) * unit(usual) + alpha * unit(session))


def seats(importance, n):
    held = np.zeros(len(importance), dtype=int)
    for _ in range(n):
        held[np.argmax(importance / (held + 1))] += 1
    return held


def remainders(importance, n):
    share = n * importance
    held = np.floor(share).astype(int)
    held[np.argsort(held - share, kind="stable")[: n - held.sum()]] += 1
    return held


def survivors(rough, k, error):
    edge = np.sort(rough)[-min(k, len(rough))]
    return np.flatnonzero(rough >= edge - 2 * error)


def test_right_answers_pass():
    assert check_blend(blend)
    assert check_seats(seats)
    assert check_survivors(survivors)


@pytest.mark.parametrize(
    ("check", "answer", "hint"),
    [
        (check_blend, lambda u, s, a: unit((1 - a) * u + a * s), "counts for more"),
        (check_blend, lambda u, s, a: (1 - a) * unit(u) + a * unit(s), "no length one"),
        (check_blend, lambda u, s, a: blend(s, u, a), "weight of the session"),
        (check_blend, lambda u, s, a: unit(s), "direction of `usual`"),
        (check_blend, lambda u, s, a: unit((1 - a) * u / np.linalg.norm(u) + a * unit(s)), "only"),
        (check_blend, lambda u, s, a: u.nothing, "It raised AttributeError"),
        (check_seats, lambda w, n: np.rint(n * w), "more or fewer"),
        (check_seats, remainders, "largest remainders"),
        (check_seats, lambda w, n: np.eye(4, dtype=int)[0] * n, "places held"),
        (check_seats, lambda w, n: 1 / 0, "It raised ZeroDivisionError"),
        (check_survivors, lambda v, k, e: np.sort(np.argsort(-v)[:k]), "a little lower"),
        (check_survivors, lambda v, k, e: np.argsort(-v)[:k], "a little lower"),
        (check_survivors, lambda v, k, e: np.flatnonzero(v > np.sort(v)[-k] - 2 * e), "may tie"),
        (check_survivors, lambda v, k, e: np.arange(7), "Both may be off"),
        (check_survivors, lambda v, k, e: np.flatnonzero(v >= np.sort(v)[-k] - 2 * e), "larger"),
        (check_survivors, lambda v, k, e: v.nothing, "It raised AttributeError"),
    ],
)
def test_wrong_answers_get_a_hint(check, answer, hint):
    verdict = check(answer)
    assert not verdict
    assert hint in verdict.hint
