"""The text-informed linear model against slow oracles, and what it does where text is no help."""

import logging
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge

from recsys_interest import (
    ColdRule,
    EaseRecommender,
    TextInformedRecommender,
    TextKNNRecommender,
    per_user_metrics,
)
from recsys_interest.cold_rules import with_cold
from recsys_interest.linear_forms import DenseForm
from recsys_interest.validation import Search, held_out_cells, ndcg_by_user
from tests.recommender_conformance import RecommenderConformance


class TestTextInformed(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return TextInformedRecommender()


class TestLowRank(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return TextInformedRecommender(max_dense_items=5, n_factors=8)


class TestNeighbours(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return TextInformedRecommender(3.0, 0.5, cold_rule=ColdRule("neighbours", 5))


TOPICS = 6
N_USERS, N_ITEMS = 240, 90


@pytest.fixture(scope="module")
def world():
    """Users who like items of two topics; texts that say the topic; the last 15 items are new."""
    rng = np.random.default_rng(0)
    topic = np.arange(N_ITEMS) % TOPICS
    vectors = np.eye(TOPICS)[topic] @ rng.normal(size=(TOPICS, 16))
    vectors += 0.8 * rng.normal(size=vectors.shape)
    tastes = [rng.choice(TOPICS, 2, replace=False) for _ in range(N_USERS)]
    chance = np.array([np.where(np.isin(topic, taste), 0.25, 0.02) for taste in tastes])
    likes = rng.random(chance.shape) < chance
    cold = np.arange(N_ITEMS) >= N_ITEMS - 15
    users, items = np.nonzero(likes & ~cold)
    log = pd.DataFrame({"user_id": users, "item_id": items, "event": "like"})
    log = log.assign(timestamp=pd.Timestamp("2026-01-05", tz="UTC"))
    users, items = np.nonzero(likes & cold)
    wanted = pd.DataFrame({"user_id": users, "item_id": items})
    items = pd.DataFrame({"item_id": range(N_ITEMS)})
    frame = pd.DataFrame(vectors, index=items["item_id"], dtype="float32")
    return log, items, frame, wanted, np.flatnonzero(cold)


@pytest.fixture(scope="module")
def fitted(world):
    log, items, vectors, _, _ = world
    return TextInformedRecommender().fit(log, items, vectors)


def directions(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = unit - unit.mean(axis=0)
    return unit / np.linalg.norm(unit, axis=1, keepdims=True)


def bent(text):
    return (np.exp(2 * text @ text.T) - 1) / (np.exp(2) - 1)


def inverse_weights(gram, l2):
    inverse = np.linalg.inv(gram + l2 * np.eye(len(gram)))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return weights


@pytest.mark.parametrize(
    ("text_weight", "dropout"), [(0.0, 0.0), (0.2, 0.0), (5.0, 0.0), (0.2, 0.25), (0.0, 0.8)]
)
def test_the_weights_are_those_of_the_completed_gram_matrix(world, text_weight, dropout):
    log, items, vectors, _, _ = world
    fitted = TextInformedRecommender(
        4.0, text_weight, dropout=dropout, cold_rule=ColdRule("gram")
    ).fit(log, items, vectors)
    text = directions(vectors.to_numpy(float))
    likes = fitted.likes_.toarray()
    gram = likes.T @ likes
    gram += dropout / (1 - dropout) * np.diag(np.diag(gram))
    expected = inverse_weights(gram + 4.0 * text_weight * bent(text), 4.0)
    np.testing.assert_allclose(fitted.model_.weights, expected, atol=1e-7)


def test_without_text_it_is_ease(world):
    log, items, vectors, _, _ = world
    ease = EaseRecommender(4.0).fit(log, items)
    for blank in (TextInformedRecommender(4.0), TextInformedRecommender(4.0, 1.0)):
        found = blank.set_params(dropout=0.0).fit(log, items, vectors * 0.0)
        np.testing.assert_array_equal(found.model_.weights, ease.weights_)


def test_each_column_is_a_regression_on_users_and_texts(world):
    log, items, vectors, _, _ = world
    fitted = TextInformedRecommender(4.0, 0.5, dropout=0.2, cold_rule=ColdRule("gram"))
    fitted.fit(log, items, vectors)
    likes = fitted.likes_.toarray()
    # Dropout is one more user for each item, who likes nothing else.
    dropped = np.diag(np.sqrt(0.25 * likes.sum(axis=0)))
    sizes, axes = np.linalg.eigh(bent(fitted.text_))
    assert sizes.min() > -1e-12
    texts = (axes * np.sqrt(np.maximum(sizes, 0.0))).T
    rows = np.vstack([likes, dropped, np.sqrt(2.0) * texts])
    for item in (0, 17, N_ITEMS - 1):
        others = np.delete(np.arange(N_ITEMS), item)
        ridge = Ridge(alpha=4.0, fit_intercept=False).fit(rows[:, others], rows[:, item])
        np.testing.assert_allclose(fitted.model_.weights[others, item], ridge.coef_, atol=1e-7)


@pytest.mark.parametrize("dropout", [0.0, 0.25])
def test_the_low_rank_form_with_all_directions_is_the_closed_form(world, dropout):
    log, items, vectors, _, _ = world
    low = TextInformedRecommender(
        40.0, 0.2, dropout=dropout, cold_rule=ColdRule("gram"), max_dense_items=90
    ).fit(log, items, vectors)
    assert low.form_ == "low-rank"
    likes, text = low.likes_.toarray(), low.text_
    gram = likes.T @ likes
    gram += dropout / (1 - dropout) * np.diag(np.diag(gram))
    expected = likes @ inverse_weights(gram + 8.0 * text @ text.T, 40.0)
    np.testing.assert_allclose(low.model_.scores(low.likes_), expected, atol=2e-5)
    assert np.abs(expected).max() > 0.1


def test_the_low_rank_form_makes_new_columns_of_whole_ones(world):
    log, items, vectors, _, cold = world
    gram = TextInformedRecommender(40.0, 0.2, cold_rule=ColdRule("gram"), max_dense_items=90)
    found = TextInformedRecommender(40.0, 0.2, cold_rule=ColdRule("ridge", 3), max_dense_items=90)
    gram, found = (m.fit(log, items, vectors) for m in (gram, found))
    whole = gram.model_.left @ gram.model_.right.T
    warm = np.setdiff1d(np.arange(N_ITEMS), cold)
    ridge = Ridge(alpha=3.0, fit_intercept=False).fit(gram.text_[warm], whole.T[warm])
    expected = found.likes_ @ ridge.predict(gram.text_[cold]).T
    scores = found.model_.scores(found.likes_)
    np.testing.assert_allclose(scores[:, cold], expected, atol=2e-5)
    same = gram.model_.scores(found.likes_)
    np.testing.assert_array_equal(scores[:, warm], same[:, warm])


def test_a_large_catalogue_says_that_it_is_solved_in_low_rank(world, caplog):
    log, items, vectors, _, _ = world
    model = TextInformedRecommender(40.0, 0.2, max_dense_items=50, n_factors=20)
    with caplog.at_level(logging.WARNING, logger="recsys_interest"):
        model.fit(log, items, vectors)
    assert "90 items are too many for the exact form (max_dense_items=50)" in caplog.text
    assert model.model_.left.shape == (90, 20)
    assert set(model.validation_["rule"].dropna()) == {"gram", "ridge", "kernel", "smoothing"}


def test_a_wide_catalogue_switches_to_the_low_rank_form_by_itself(caplog):
    """At 30,000 items a table of all pairs would take 7.2 GB; two topics, 300 users."""
    n_items, n_users = 30_000, 300
    rng = np.random.default_rng(0)
    users = np.repeat(np.arange(n_users), 60)
    items = rng.integers(1000, size=len(users)) * 2 + users % 2  # most are new
    log = pd.DataFrame({"user_id": users, "item_id": items}).drop_duplicates()
    log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    catalogue = pd.DataFrame({"item_id": range(n_items)})
    vectors = pd.DataFrame(np.eye(2, dtype="float32")[np.arange(n_items) % 2])
    # No search: what it solves is tested with fewer items.
    model = TextInformedRecommender(10.0, 0.1, cold_rule=ColdRule("ridge", 1.0), n_factors=8)
    with caplog.at_level(logging.WARNING, logger="recsys_interest"):
        model.fit(log, catalogue, vectors)
    assert model.form_ == "low-rank"
    assert "30000 items are too many for the exact form" in caplog.text
    lists = model.recommend(range(20))
    assert (lists["item_id"] % 2 == lists["user_id"] % 2).all()
    new = catalogue[~catalogue["item_id"].isin(log["item_id"])]["item_id"]
    lists = model.recommend(range(20), candidates=new)
    assert (lists["item_id"] % 2 == lists["user_id"] % 2).all()


def test_a_large_catalogue_is_searched_on_some_of_its_items(world, monkeypatch):
    log, items, vectors, _, _ = world
    monkeypatch.setattr("recsys_interest.validation._ITEMS", 40)
    solved = []
    solver = TextInformedRecommender._solver

    def noted(self, text, *args, **kwargs):
        solved.append(len(text))
        return solver(self, text, *args, **kwargs)

    monkeypatch.setattr(TextInformedRecommender, "_solver", noted)
    model = TextInformedRecommender().fit(log, items, vectors)
    assert solved == [40, N_ITEMS]
    assert len(model.validation_) > 5
    assert model.model_.weights.shape == (N_ITEMS, N_ITEMS)


def test_ridge_is_the_regression_of_columns_on_texts(world):
    log, items, vectors, _, cold = world
    found = TextInformedRecommender(4.0, 0.5, cold_rule=ColdRule("ridge", 2.0))
    gram = TextInformedRecommender(4.0, 0.5, cold_rule=ColdRule("gram"))
    found, gram = (m.fit(log, items, vectors) for m in (found, gram))
    columns, text = gram.model_.weights.T, found.text_
    warm = np.setdiff1d(np.arange(N_ITEMS), cold)
    ridge = Ridge(alpha=2.0, fit_intercept=False).fit(text[warm], columns[warm])
    expected = ridge.predict(text[cold])
    expected[np.arange(len(cold)), cold] = 0.0  # an item says nothing for itself
    np.testing.assert_allclose(found.model_.weights.T[cold], expected, atol=1e-7)
    np.testing.assert_array_equal(found.model_.weights.T[warm], columns[warm])


def test_kernel_is_the_kernel_regression_of_whole_columns(world):
    from sklearn.kernel_ridge import KernelRidge

    log, items, vectors, _, cold = world
    found = TextInformedRecommender(4.0, 0.5, cold_rule=ColdRule("kernel", 2.0, own=1.0))
    gram = TextInformedRecommender(4.0, 0.5, cold_rule=ColdRule("gram"))
    found, gram = (m.fit(log, items, vectors) for m in (found, gram))
    whole, text = gram.model_.weights.T + np.eye(N_ITEMS), found.text_
    warm = np.setdiff1d(np.arange(N_ITEMS), cold)
    # Between unit vectors the squared distance is twice 1 - cos.
    ridge = KernelRidge(alpha=0.3, kernel="rbf", gamma=1.0).fit(text[warm], whole[warm])
    expected = ridge.predict(text[cold])
    expected[np.arange(len(cold)), cold] = 0.0
    np.testing.assert_allclose(found.model_.weights.T[cold], expected, atol=1e-7)


def test_smoothing_and_neighbours_by_hand():
    text = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0], [0.8, 0.6], [0.0, 0.0]])
    form = DenseForm(np.arange(25.0).reshape(5, 5))
    cold = np.array([False, False, False, True, True])
    near = with_cold(form, ColdRule("neighbours", 2), text, 1.0 - cold).columns()
    np.testing.assert_allclose(near[3], [0.8, 0.96, 0, 0, 0], atol=1e-8)
    smooth = with_cold(form, ColdRule("smoothing", 2), text, 1.0 - cold).columns()
    expected = (0.8 * form.columns()[0] + 0.96 * form.columns()[1]) / 1.76
    expected[3] = 0.0
    np.testing.assert_allclose(smooth[3], expected, atol=1e-7)
    for columns in (near, smooth):  # without text nothing is known
        np.testing.assert_array_equal(columns[[0, 1, 2, 4]], form.columns()[[0, 1, 2, 4]])


@pytest.mark.rows("R06")
def test_new_items_find_those_who_like_them(world, fitted):
    log, _, _, wanted, cold = world
    lists = fitted.recommend(candidates=cold)
    found = per_user_metrics(lists, wanted[wanted["user_id"].isin(log["user_id"])])
    rng = np.random.default_rng(0)
    shuffled = lists.assign(item_id=rng.permutation(lists["item_id"]))
    shuffled = shuffled.drop_duplicates(["user_id", "item_id"])
    chance = per_user_metrics(shuffled, wanted)["ndcg@10"].mean()
    assert found["ndcg@10"].mean() > 1.5 * chance


@pytest.mark.parametrize("spoil", ["blank", "shuffle", "noise"])
def test_where_text_says_nothing_its_weight_is_zero(world, spoil):
    log, items, vectors, _, _ = world
    rng = np.random.default_rng(1)
    spoilt = {
        "blank": vectors * 0.0,
        "shuffle": vectors.set_axis(rng.permutation(vectors.index)),
        "noise": vectors * 0 + rng.normal(size=vectors.shape),
    }[spoil]
    assert TextInformedRecommender().fit(log, items, spoilt).text_weight_ == 0


def test_where_text_helps_it_has_a_weight(fitted):
    assert fitted.text_weight_ > 0
    warm = fitted.validation_[fitted.validation_["stage"] == "warm"]
    best = warm.loc[warm["ndcg"].idxmax()]
    assert (best["l2"], best["text_weight"]) == (fitted.l2_, fitted.text_weight_)
    cold = fitted.validation_[fitted.validation_["stage"] == "cold"]
    best = cold.loc[cold["ndcg"].idxmax()]
    rule = ColdRule(best["rule"], best["setting"], best["own"], fitted.cold_rule_.scale)
    assert fitted.cold_rule_ == rule


@pytest.fixture(scope="module")
def thin(world):
    """A quarter of the likes. New items share the lists, and nobody likes one of them next."""
    log, items, vectors, _, _ = world
    kept = np.random.default_rng(3).random(len(log)) < 0.25
    return log[kept], log[~kept], items, vectors


def test_in_a_thin_log_new_items_do_not_crowd_out_the_others(thin):
    log, later, items, vectors = thin
    model = TextInformedRecommender(2.0, 0.0).fit(log, items, vectors)
    warm = log["item_id"].unique()
    mixed = model.validation_[model.validation_["stage"] == "mixed"]
    assert model.cold_rule_.scale == mixed.loc[mixed["ndcg"].idxmax(), "scale"] < 1
    wanted = later[later["user_id"].isin(log["user_id"])]

    def ndcg(model, **how):
        return per_user_metrics(model.recommend(**how), wanted)["ndcg@10"].mean()

    whole = replace(model.cold_rule_, scale=1.0)
    unscaled = TextInformedRecommender(2.0, 0.0, cold_rule=whole).fit(log, items, vectors)
    assert ndcg(model) > 0.95 * ndcg(model, candidates=warm)
    assert ndcg(unscaled) < 0.8 * ndcg(model)


def test_the_scale_leaves_the_order_of_new_items(world):
    log, items, vectors, _, cold = world
    lists = [
        TextInformedRecommender(4.0, 0.5, cold_rule=rule)
        .fit(log, items, vectors)
        .recommend(candidates=cold)
        for rule in (ColdRule("ridge", 2.0), ColdRule("ridge", 2.0, scale=0.25))
    ]
    columns = ["user_id", "item_id", "rank"]
    pd.testing.assert_frame_equal(lists[0][columns], lists[1][columns])
    np.testing.assert_allclose(0.25 * lists[0]["score"], lists[1]["score"], atol=1e-8)


@pytest.fixture(scope="module")
def begun(world):
    """The log with one like of each new item: its first one."""
    log, items, vectors, wanted, cold = world
    known = wanted[wanted["user_id"].isin(log["user_id"]) & wanted["item_id"].isin(cold)]
    first = known.drop_duplicates("item_id").assign(
        event="like", timestamp=log["timestamp"].iloc[0]
    )
    later = known.drop(first.index)
    return pd.concat([log, first], ignore_index=True), items, vectors, later, first["item_id"]


@pytest.mark.parametrize("form", [{}, {"max_dense_items": 5, "n_factors": N_ITEMS}])
def test_a_new_item_is_between_its_text_and_its_likes(begun, form):
    log, items, vectors, _, new = begun
    rule, n_old = ColdRule("ridge", 2.0, scale=0.25, worth=3.0), len(log) - len(new)

    def fitted(log, new_items, rule):
        model = TextInformedRecommender(4.0, 0.5, cold_rule=rule, new_items=new_items, **form)
        return model.fit(log, items, vectors)

    def columns(*how):
        shown = fitted(*how).model_.columns()
        return shown[new], np.delete(shown, new, axis=0)

    blended, others = columns(log, new, rule)
    of_likes, same = columns(log, None, rule)
    np.testing.assert_array_equal(others, same)
    np.testing.assert_array_equal(columns(log, new, replace(rule, worth=0.0))[0], of_likes)
    # What a text says, unscaled: a regression on the items that are not new.
    text = fitted(log, new, rule).text_
    ridge = Ridge(alpha=2.0, fit_intercept=False).fit(np.delete(text, new, axis=0), same)
    of_text = ridge.predict(text[new])
    if not form:
        of_text[np.arange(len(new)), new] = 0.0
    np.testing.assert_allclose(blended, (of_likes + 3.0 * of_text) / 4.0, atol=1e-7)
    # Without a like the text is all there is, for a new item at its whole weight.
    unliked, _ = columns(log[:n_old], new, rule)
    scaled, _ = columns(log[:n_old], None, rule)
    np.testing.assert_allclose(scaled, 0.25 * unliked, atol=1e-7)


def test_the_worth_of_a_text_is_chosen_and_helps_new_items(begun):
    log, items, vectors, later, new = begun
    model = TextInformedRecommender(4.0, 0.0, new_items=new).fit(log, items, vectors)
    few = model.validation_[model.validation_["stage"] == "few"]
    assert model.cold_rule_.worth == few.loc[few["ndcg"].idxmax(), "worth"] > 0
    rule = replace(model.cold_rule_, worth=0.0)
    without = TextInformedRecommender(4.0, 0.0, cold_rule=rule).fit(log, items, vectors)

    def ndcg(model):
        return per_user_metrics(model.recommend(candidates=new), later)["ndcg@10"].mean()

    assert ndcg(model) > ndcg(without) + 0.05


def test_items_that_are_new_say_nothing_of_those_that_nobody_likes(thin):
    log, _, items, vectors = thin
    unliked = np.setdiff1d(items["item_id"], log["item_id"])
    at_full_scale = []
    for new in (None, unliked):
        model = TextInformedRecommender(2.0, 0.0, new_items=new).fit(log, items, vectors)
        mixed = model.validation_[model.validation_["stage"] == "mixed"]
        at_full_scale.append(mixed["ndcg"].iloc[0])
    assert at_full_scale[1] > 2 * at_full_scale[0]  # they are not in those lists


def test_who_is_new_must_be_in_the_catalogue(begun):
    log, items, vectors, _, _ = begun
    for wrong, message in (
        ([7000], "new_items are not in the catalogue: 7000"),
        ("x", "several"),
        (iter([3]), "got an iterator"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            TextInformedRecommender(4.0, 0.0, new_items=wrong).fit(log, items, vectors)


def test_the_held_out_likes_are_part_of_the_likes():
    likes = sparse.csr_array((np.random.default_rng(0).random((40, 30)) < 0.3).astype(float))
    seen, hidden = held_out_cells(likes, 0.2, np.random.default_rng(0))
    np.testing.assert_array_equal((seen + hidden).toarray(), likes.toarray())
    assert hidden.nnz == round(0.2 * likes.nnz)


def test_the_ndcg_of_the_search_is_the_public_one(world):
    log, items, vectors, _, _ = world
    fitted = TextInformedRecommender(4.0, 0.1).fit(log, items, vectors)
    seen, hidden = held_out_cells(fitted.likes_, 0.3, np.random.default_rng(0))
    users, columns = seen.nonzero()
    part = log.iloc[: len(users)].assign(user_id=users, item_id=columns)
    other = TextInformedRecommender(4.0, 0.1).fit(part, items, vectors)
    users, columns = hidden.nonzero()
    wanted = pd.DataFrame({"user_id": users, "item_id": columns})
    wanted = wanted[wanted["user_id"].isin(part["user_id"])]
    expected = per_user_metrics(other.recommend(), wanted)["ndcg@10"]
    found = ndcg_by_user(other.model_, seen[np.unique(part["user_id"])], hidden[other.user_ids_])
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_search_without_anything_held_out_keeps_the_start():
    likes = sparse.csr_array(np.eye(2))
    nobody = np.zeros(2, dtype=bool)
    search = Search(likes, np.eye(2), lambda text: None, 0, nobody)  # there is nothing to solve
    assert search.start() == 8.0
    assert search.penalty(200.0, 0.0) == 200.0
    assert search.text_weight(200.0) == 0.0
    assert search.scaled(200.0, 0.0, ColdRule("gram")) == ColdRule("gram")


def test_a_sentence_finds_its_topic(world, fitted):
    _, _, vectors, _, cold = world
    queries = vectors.loc[[0, 1]].set_axis(["like item 0", "like item 1"])
    lists = fitted.recommend_texts(queries, k=8)
    topics = lists["item_id"] % TOPICS
    for query, topic in (("like item 0", 0), ("like item 1", 1)):
        assert (topics[lists["query"] == query] == topic).mean() > 0.6
    assert lists.groupby("query")["rank"].apply(list).tolist() == [list(range(1, 9))] * 2
    backwards = fitted.recommend_texts(queries[::-1], k=8)
    assert backwards["query"].unique().tolist() == ["like item 1", "like item 0"]
    assert fitted.recommend_texts(queries * 0.0).empty
    assert fitted.recommend_texts(vectors)["item_id"].isin(cold).any()


def test_texts_of_another_encoder_are_named(fitted):
    with pytest.raises(ValueError, match="query_vectors has 2 features, the items 16"):
        fitted.recommend_texts(pd.DataFrame(np.eye(2)))


@pytest.mark.parametrize(
    ("recommender", "error", "message"),
    [
        (TextInformedRecommender(0), ValueError, "l2 must be a finite number above 0"),
        (TextInformedRecommender(1, -1), ValueError, "text_weight must be a finite number of at"),
        (TextInformedRecommender(dropout=1), ValueError, "dropout must be below 1, got 1"),
        (TextInformedRecommender(dropout=-0.1), ValueError, "dropout must be a finite number"),
        (TextInformedRecommender(cold_rule="gram"), TypeError, "cold_rule must be a ColdRule"),
        (TextInformedRecommender(max_dense_items=0), ValueError, "max_dense_items must be at"),
        (TextInformedRecommender(n_factors=1.5), TypeError, "n_factors must be a whole number"),
    ],
)
def test_bad_parameters_are_named(recommender, error, message, world):
    with pytest.raises(error, match=message):
        recommender.fit(*world[:3])


def test_a_cold_rule_of_another_kind_is_named():
    with pytest.raises(ValueError, match="kind must be one of 'gram', 'ridge'"):
        ColdRule("magic")
    with pytest.raises(ValueError, match="setting must be"):
        ColdRule("smoothing", 0.5)
    with pytest.raises(ValueError, match="setting must be a finite number above 0"):
        ColdRule("kernel")
    with pytest.raises(ValueError, match="own is of the kind 'kernel' only, got it with 'ridge'"):
        ColdRule("ridge", 1.0, own=0.5)
    with pytest.raises(ValueError, match="worth must be a finite number of at least 0"):
        ColdRule("ridge", 1.0, worth=-1)
    with pytest.raises(ValueError, match="worth is not of the kind 'gram'"):
        ColdRule("gram", worth=1)


@pytest.mark.parametrize("rule", [ColdRule("kernel", 1, 0.5), ColdRule("neighbours", 1)])
def test_rules_that_need_the_dense_form_say_so(world, rule):
    with pytest.raises(ValueError, match=f"cold_rule '{rule.kind}' needs the dense form"):
        TextInformedRecommender(4.0, 0.5, cold_rule=rule, max_dense_items=5).fit(*world[:3])


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("recommender", [TextInformedRecommender(), TextKNNRecommender()])
def test_vectors_that_are_not_numbers_are_named(world, wrong, recommender):
    log, items, vectors, _, _ = world
    spoilt = vectors.copy()
    spoilt.iloc[3, 2] = wrong
    with pytest.raises(ValueError, match="item_vectors"):
        recommender.fit(log, items, spoilt)


def test_equal_texts_and_equal_likes_are_ranked_by_the_id(world):
    _, items, vectors, _, _ = world
    everybody = pd.MultiIndex.from_product([range(6), range(40)], names=["user_id", "item_id"])
    log = everybody.to_frame(index=False).assign(timestamp=pd.Timestamp("2026-01-05", tz="UTC"))
    alike = pd.DataFrame(1.0, index=vectors.index, columns=range(3), dtype="float32")
    lists = TextInformedRecommender().fit(log, items, alike).recommend([0], k=10_000)
    assert lists["item_id"].tolist() == list(range(40, N_ITEMS))


def test_vectors_are_needed(world):
    with pytest.raises(TypeError, match="item_vectors is missing"):
        TextInformedRecommender().fit(*world[:2])
