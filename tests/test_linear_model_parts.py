"""The pieces of the text-informed model one by one: forms, columns of new items, the search."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recsys_interest import TextInformedRecommender
from recsys_interest.cold_rules import ColdRule, with_cold
from recsys_interest.linear_forms import DenseForm, DenseSolver, LowRankForm, centred
from recsys_interest.validation import (
    COLD_RULES,
    Search,
    _ndcg,
    _ndcg_by_scale,
    all_but,
    ndcg_by_user,
)

TEXT = np.array([[1.0, 0.0], [0.6, 0.8], [0.8, 0.6], [0.0, 1.0], [0.0, 0.0]])


def flags(*places, n=5):
    return np.isin(np.arange(n), places)


def solver(text):
    return DenseSolver(text, 0.25, "float64")


def random_likes(seed=0, n_users=80, n_items=30, share=0.3):
    rng = np.random.default_rng(seed)
    return sparse.csr_array((rng.random((n_users, n_items)) < share).astype(float))


def random_text(seed=1, n_items=30):
    rows = np.random.default_rng(seed).normal(size=(n_items, 6))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


# Forms


def test_what_differs_from_the_mean_by_rounding_says_nothing():
    found = centred(np.array([[1.0, 1e-8], [1.0, 0.5], [0.0, 0.0]]), np.array([1.0, 0.0]))
    assert found.tolist() == [[0.0, 0.0], [0.0, 1.0], [0.0, 0.0]]


def test_an_item_says_nothing_for_itself_in_a_new_column_either():
    rng = np.random.default_rng(0)
    left, right = rng.normal(size=(2, 4, 3))
    form = LowRankForm(left, right, np.vecdot(left, right))
    columns = rng.normal(size=(1, 3))
    found = form.replaced(flags(2, n=4), columns).scores(sparse.csr_array(np.eye(4)))
    right[2] = columns
    expected = left @ right.T
    np.fill_diagonal(expected, 0.0)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    dense = DenseForm(np.ones((4, 4))).replaced(flags(2, n=4), np.full((1, 4), 7.0))
    assert dense.weights[:, 2].tolist() == [7.0, 7.0, 0.0, 7.0]


# Columns of new items


def test_scale_and_worth_by_hand():
    form = DenseForm(np.arange(25.0).reshape(5, 5))
    old = form.columns()
    rule = ColdRule("neighbours", 1, scale=0.25, worth=2.0)
    n_likes = np.array([9.0, 9.0, 0.0, 1.0, 9.0])
    found = with_cold(form, rule, TEXT, n_likes, flags(3)).columns()
    # Item 2, unliked, is as 1 by .96, scaled; of item 3 one like counts a third, its text, which
    # is as 1 by .8, the rest.
    np.testing.assert_allclose(found[2], [0.0, 0.24, 0.0, 0.0, 0.0])
    expected = old[3] / 3 + np.array([0.0, 0.8, 0.0, 0.0, 0.0]) * 2 / 3
    expected[3] = 0.0
    np.testing.assert_allclose(found[3], expected)
    np.testing.assert_array_equal(found[[0, 1, 4]], old[[0, 1, 4]])
    alone = with_cold(form, rule, TEXT, n_likes).columns()  # nobody is new
    np.testing.assert_array_equal(alone[3], old[3])


@pytest.mark.parametrize("rule", [ColdRule("kernel", 2.0, own=1.0), ColdRule("ridge", 1.0)])
def test_liked_items_without_a_text_make_no_columns(rule):
    form = DenseForm(np.random.default_rng(0).normal(size=(5, 5)))
    n_likes = np.array([9.0, 9.0, 0.0, 9.0, 9.0])
    whole = with_cold(form, rule, TEXT, n_likes).weights
    some = [0, 1, 2, 3]
    part = with_cold(DenseForm(form.weights[np.ix_(some, some)]), rule, TEXT[:4], n_likes[:4])
    np.testing.assert_allclose(whole[np.ix_(some, some)], part.weights, rtol=1e-12)


# What is held out


def test_of_an_item_no_more_than_so_many_likes_are_kept_drawn_at_random():
    likes = sparse.csr_array(np.ones((50, 4)))
    most = np.array([0.0, 3.0, 50.0, np.inf])
    drawn = [all_but(likes, most, np.random.default_rng(seed)) for seed in range(3)]
    for kept, lost in drawn:
        assert kept.sum(axis=0).tolist() == [0, 3, 50, 50]
        np.testing.assert_array_equal((kept + lost).toarray(), likes.toarray())
    who = [set(np.flatnonzero(kept[:, [1]].toarray())) for kept, _ in drawn]
    assert who[0] != who[1] != who[2]
    assert {0, 1, 2} not in who


def test_users_with_nothing_seen_do_not_count():
    form = DenseForm(np.eye(3)[::-1])
    seen = sparse.csr_array([[1.0, 0, 0], [0, 0, 0], [1, 0, 0]])
    hidden = sparse.csr_array([[0, 0, 1.0], [0, 1, 0], [0, 0, 0]])
    assert ndcg_by_user(form, seen, hidden).tolist() == [1.0]


def test_new_items_take_no_part_in_the_choice_of_a_scale():
    form = DenseForm(np.array([[0.0, 0.5, 0.9, 0.4]] + [[0.0] * 4] * 3))
    seen, hidden = sparse.csr_array([[1.0, 0, 0, 0]]), sparse.csr_array([[0.0, 0, 0, 1]])
    cold = flags(1, n=4)
    values = _ndcg_by_scale(form, cold, flags(2, n=4), seen, hidden)
    assert values[:2, 0].tolist() == [1 / np.log2(3), 1.0]  # behind the cold one; before it
    with_new = _ndcg_by_scale(form, cold, flags(n=4), seen, hidden)
    assert with_new[:2, 0].tolist() == [0.5, 1 / np.log2(3)]


# The search


def test_the_first_penalty_is_a_power_of_two():
    for n_users, expected in ((100, 64.0), (10, 8.0)):
        likes = sparse.csr_array(np.ones((n_users, 6)))  # about four in five are seen
        assert Search(likes, np.eye(6), solver, 0, flags(n=6)).start() == expected


def test_each_rule_is_judged_by_the_lists_of_its_columns(monkeypatch):
    likes, text = random_likes(), random_text()
    cold = flags(*range(0, 30, 5), n=30)
    monkeypatch.setattr(Search, "_some_liked", lambda self: cold)
    search = Search(likes, text, solver, 0, flags(n=30))
    best = search.cold_rule(8.0, 0.5, COLD_RULES)
    kept, lost = all_but(likes, np.where(cold, 0, np.inf), np.random.default_rng(0))
    users = (np.diff(kept.indptr) > 0) & (np.diff(lost.indptr) > 0)
    form = solver(text)(kept, 8.0, 0.5)
    values = []
    for rule in COLD_RULES:
        made = with_cold(form, rule, text, kept.sum(axis=0))
        scores = made.scores(kept[np.flatnonzero(users)])[:, cold]
        values.append(_ndcg(scores, lost[np.flatnonzero(users)].toarray()[:, cold] > 0).mean())
    tried = pd.DataFrame(search.tried)
    np.testing.assert_allclose(tried["ndcg"], values, rtol=1e-9)
    assert len(set(np.round(values, 9))) > 10
    assert best == COLD_RULES[int(np.argmax(values))]
    without_text = Search(likes, text, solver, 0, flags(n=30))
    without_text.cold_rule(8.0, 0.0, COLD_RULES)
    assert "gram" not in {row["rule"] for row in without_text.tried}


def test_nothing_is_learned_from_how_few_like_a_new_item():
    likes, text = random_likes(), random_text()
    likes = sparse.csr_array(likes @ np.diag(~flags(3, n=30)).astype(float))
    likes.eliminate_zeros()
    new = flags(3, 4, 5, 6, n=30)
    search = Search(likes, text, solver, 0, new)
    for _ in range(5):
        assert not (search._some_liked() & new).any()
    # The only item that nobody likes is new: there is nothing to choose a scale by.
    rule = ColdRule("smoothing", 5)
    assert search.scaled(8.0, 0.0, rule) == rule
    assert not search.tried
    search = Search(likes, text, solver, 0, flags(n=30))
    search.scaled(8.0, 0.0, rule)
    assert {row["stage"] for row in search.tried} == {"mixed"}


def test_an_item_without_a_text_does_not_move_the_mean():
    log = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": ["a", "b", "b", "c"]})
    log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    items = pd.DataFrame({"item_id": list("abcd")})
    vectors = pd.DataFrame(
        [[1.0, 0.0], [0.0, 1.0], [3.0, 4.0], [0.0, 0.0]], index=list("abcd"), dtype="float32"
    )
    model = TextInformedRecommender(4.0, 0.5, cold_rule=ColdRule("gram")).fit(log, items, vectors)
    np.testing.assert_allclose(model.mean_, [1.6 / 3, 1.8 / 3], rtol=1e-6)
    assert model.text_[3].tolist() == [0.0, 0.0]
