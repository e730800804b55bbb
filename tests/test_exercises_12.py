from __future__ import annotations

import numpy as np
import pytest

from recsys_interest.exercises import check_ips, check_ndcg, check_next_item, check_sign_flip


def discount(n):
    return 1 / np.log2(np.arange(n) + 2)


def ndcg(hits, n_relevant):
    return hits @ discount(len(hits)) / discount(min(len(hits), n_relevant)).sum()


def p_value(d, signs):
    return (1 + (np.abs(signs @ d) >= abs(d.sum())).sum()) / (len(signs) + 1)


def next_item(relevance, cosines, chosen, trade_off):
    value = trade_off * relevance - (1 - trade_off) * cosines[:, chosen].max(axis=1)
    value[chosen] = -np.inf
    return value.argmax()


def ips(reward, propensity, target):
    return (target / propensity * reward).mean()


def test_right_answers_pass():
    assert check_ndcg(ndcg)
    assert check_sign_flip(p_value)
    assert check_next_item(next_item)
    assert check_ips(ips)


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda h, n: h.mean(), "precision"),
        (lambda h, n: h @ discount(4), "gain alone"),
        (lambda h, n: h @ discount(4) / discount(int(h.sum())).sum(), "only those that were found"),
        (lambda h, n: h @ discount(4) / discount(4).sum(), "as many hits as there are relevant"),
        (lambda h, n: h[1:] @ discount(3) / discount(3).sum(), "rank plus one"),
        (lambda h, n: 7, "which ranks"),
        (lambda h, n: h @ discount(4) / discount(n).sum(), "four places"),
        (lambda h: h, "It raised TypeError"),
    ],
)
def test_hints_of_ndcg(answer, hint):
    assert hint in repr(check_ndcg(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda d, s: (np.abs(s @ d) >= abs(d.sum())).mean(), "no p-value is 0"),
        (lambda d, s: (1 + (s @ d >= d.sum()).sum()) / (len(s) + 1), "other way round"),
        (lambda d, s: (1 + (np.abs(s @ d) > abs(d.sum())).sum()) / (len(s) + 1), "equal sums"),
        (lambda d, s: 1 - p_value(d, s), "nearer to zero"),
        (lambda d, s: 0.5, "Each row of signs"),
        (lambda d, s: p_value(d, s) if d.sum() > 0 else 1, "Swap the two"),
    ],
)
def test_hints_of_the_sign_flip(answer, hint):
    assert hint in repr(check_sign_flip(answer))


def with_mean(relevance, cosines, chosen, trade_off):
    value = trade_off * relevance - (1 - trade_off) * cosines[:, chosen].mean(axis=1)
    value[chosen] = -np.inf
    return value.argmax()


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda r, c, s, t: r.argmax(), "in the list already"),
        (lambda r, c, s, t: np.argsort(-r)[1], "nearly the same"),
        (lambda r, c, s, t: c[:, s].max(axis=1).argmin(), "relevance counts, too"),
        (lambda r, c, s, t: 3, "Weigh both"),
        (lambda r, c, s, t: r, "Return a position"),
        (with_mean, "not their mean"),
    ],
)
def test_hints_of_the_next_item(answer, hint):
    assert hint in repr(check_next_item(answer))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (lambda r, b, t: r.mean(), "old policy earned"),
        (lambda r, b, t: (t * r).sum() / t.sum(), "divide by its probability"),
        (lambda r, b, t: (b / t * r).mean(), "other way round"),
        (lambda r, b, t: (t / b * r).sum() / (t / b).sum(), "SNIPS"),
        (lambda r, b, t: (t / b * r)[r > 0].mean(), "without a reward"),
        (lambda r, b, t: (t / b * r).sum(), "not a sum"),
        (lambda r, b, t: 0, "Then the mean"),
    ],
)
def test_hints_of_ips(answer, hint):
    assert hint in repr(check_ips(answer))
