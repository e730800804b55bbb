"""The classics that learn from likes, against oracles that compute the same thing slowly."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from recsys_interest import (
    ALSRecommender,
    EaseRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
    SVDRecommender,
    TextKNNRecommender,
    UserKNNRecommender,
)
from recsys_interest import likes as likes_module
from recsys_interest import nearest_neighbours as neighbours_module
from recsys_interest.ease import closed_form
from recsys_interest.likes import cooccurrence, likes_matrix, on_grid, whole_numbers
from tests.recommender_conformance import ITEMS_WITHOUT_VECTOR, RecommenderConformance


class TestEase(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return EaseRecommender(l2=2.0)


class TestItemKNN(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return ItemKNNRecommender(5)


class TestUserKNN(RecommenderConformance):
    session_is_log = False  # the user himself is the stranger's nearest neighbour

    @pytest.fixture
    def recommender(self):
        return UserKNNRecommender(5)


class TestTextKNN(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return TextKNNRecommender(5)

    def test_items_without_vector_never_come_from_the_text(self, fitted):
        lists = fitted.recommend(k=1000, exclude_seen=False)
        by_text = lists[lists["source"] == "text_knn"]["item_id"]
        assert by_text.nunique() == 28
        assert not by_text.isin(ITEMS_WITHOUT_VECTOR).any()


class TestSVD(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return SVDRecommender(n_factors=6)


class TestALS(RecommenderConformance):
    session_is_log = False  # it stops before the factors of users and items agree

    @pytest.fixture
    def recommender(self):
        return ALSRecommender(n_factors=6, l2=0.5)


class TestRecentPopularity(RecommenderConformance):
    learns_from_sessions = False

    @pytest.fixture
    def recommender(self):
        return PopularityRecommender(last_days=10.0)


ALL = [
    EaseRecommender(2.0),
    ItemKNNRecommender(),
    UserKNNRecommender(),
    TextKNNRecommender(),
    SVDRecommender(2),
    ALSRecommender(),
]


def log_of(table):
    """Events from a table of likes."""
    users, items = np.nonzero(table)
    log = pd.DataFrame({"user_id": users, "item_id": items, "event": "like"})
    return log.assign(timestamp=pd.Timestamp("2026-01-05", tz="UTC"))


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    taste = rng.normal(size=(60, 3)) @ rng.normal(size=(3, 25))
    likes = (taste + rng.normal(size=taste.shape) > 1.2).astype(float)
    return likes[likes.any(axis=1)][:, likes.any(axis=0)]


@pytest.fixture(scope="module")
def log(table):
    return log_of(table)


def dense_scores(fitted):
    lists = fitted.recommend(k=10_000, exclude_seen=False)
    return lists.pivot_table(index="user_id", columns="item_id", values="score").to_numpy()


def test_a_like_is_what_adds_up_to_more_than_nothing():
    rows = [(1, "a", "purchase"), (1, "a", "return"), (1, "b", "browse"), (1, "b", "browse")]
    log = pd.DataFrame(rows, columns=["user_id", "item_id", "event"]).assign(value=np.nan)
    found = likes_matrix(log, pd.Index([1, 2]), pd.Index(["a", "b", "c"]))
    assert found.toarray().tolist() == [[0, 1, 0], [0, 0, 0]]


def test_cooccurrence_is_the_product(table, monkeypatch):
    monkeypatch.setattr(likes_module, "_CELLS_AT_ONCE", 60)
    np.testing.assert_array_equal(cooccurrence(sparse.csr_array(table)), table.T @ table)


def test_sums_on_the_grid_are_exact_in_any_order():
    rng = np.random.default_rng(0)
    values = on_grid(rng.normal(size=10_000))
    assert len({values[rng.permutation(10_000)].sum() for _ in range(20)}) == 1
    assert len({rng.normal(size=10_000)[rng.permutation(10_000)].sum() for _ in range(20)}) > 1
    np.testing.assert_allclose(on_grid(values), values, rtol=0, atol=2.0**-31)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e7])
def test_products_of_whole_numbers_are_exact(scale):
    rng = np.random.default_rng(0)
    left, right = scale * rng.normal(size=(2, 40, 70))
    rows, power = whole_numbers(left)
    columns, other = whole_numbers(right)
    exact = [
        [sum(int(x) * int(y) for x, y in zip(a, b, strict=True)) for b in columns] for a in rows
    ]
    assert (rows @ columns.T).tolist() == exact
    atol = 2e-5 * scale**2
    np.testing.assert_allclose(
        np.ldexp(rows @ columns.T, -power - other), left @ right.T, atol=atol
    )


@pytest.mark.parametrize("recommender", ALL, ids=lambda r: r.source)
def test_nothing_liked_is_answered_by_the_fallback(recommender):
    log = log_of(np.ones((3, 4))).assign(event="return")
    vectors = pd.DataFrame(np.eye(4))
    lists = recommender.fit(log, item_vectors=vectors).recommend(exclude_seen=False)
    assert lists["source"].unique().tolist() == ["popularity"]
    assert len(lists) == 12


@pytest.mark.parametrize("recommender", ALL, ids=lambda r: r.source)
def test_checkerboard(recommender):
    """Even users like even items, odd users odd ones, and nobody has seen the own diagonal."""
    n = 20
    board = np.add.outer(np.arange(n), np.arange(n)) % 2 == 0
    np.fill_diagonal(board, False)
    vectors = pd.DataFrame(np.eye(2)[np.arange(n) % 2])
    lists = recommender.fit(log_of(board), item_vectors=vectors).recommend(k=1)
    assert lists["item_id"].tolist() == list(range(n))
    assert lists["source"].unique().tolist() == [recommender.source]


def test_ease_solves_its_problem(table, log):
    """Each column is the ridge regression of an item on all others."""
    from sklearn.linear_model import Ridge

    fitted = EaseRecommender(l2=3.0).fit(log)
    for item in range(table.shape[1]):
        others = np.delete(np.arange(table.shape[1]), item)
        ridge = Ridge(alpha=3.0, fit_intercept=False).fit(table[:, others], table[:, item])
        np.testing.assert_allclose(fitted.weights_[others, item], ridge.coef_, atol=1e-8)
        assert fitted.weights_[item, item] == 0
    np.testing.assert_allclose(dense_scores(fitted), table @ fitted.weights_, rtol=0, atol=0)


def test_ease_is_that_of_another_library(table, log):
    pytest.importorskip("cornac", reason="the extra outside is not installed", exc_type=ImportError)
    from cornac.data import Dataset
    from cornac.models import EASE

    users, items = np.nonzero(table)
    known = Dataset.from_uir(list(zip(users, items, np.ones(len(users)), strict=True)))
    theirs = EASE(lamb=3.0, posB=False, verbose=False).fit(known).B
    place = [known.iid_map[item] for item in range(table.shape[1])]
    ours = EaseRecommender(l2=3.0).fit(log).weights_
    np.testing.assert_allclose(ours, np.asarray(theirs)[np.ix_(place, place)], atol=1e-6)


@pytest.mark.parametrize("n", [1, 5, 40])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_closed_form_in_blocks(n, dtype, monkeypatch):
    monkeypatch.setattr("recsys_interest.ease._ROWS_AT_ONCE", 7)
    rows = np.random.default_rng(n).normal(size=(60, n))
    gram = (rows.T @ rows).astype(dtype)
    inverse = np.linalg.inv(rows.T @ rows + 5 * np.eye(n))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    found = closed_form(gram, 5.0)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, expected, atol=1e-5 if dtype == "float32" else 1e-12)


def test_a_table_that_cannot_be_inverted_is_named():
    with pytest.raises(ValueError, match=r"not positive definite .* raise l2"):
        closed_form(np.array([[1.0, 3.0], [3.0, 1.0]]), 1.0)


def brute_neighbours(similarity, n_neighbors):
    kept = np.zeros_like(similarity)
    for i, row in enumerate(similarity):
        near = sorted((j for j in range(len(row)) if j != i and row[j] > 0), key=lambda j: -row[j])
        kept[i, near[:n_neighbors]] = row[near[:n_neighbors]]
    return kept


def shrunk_cosine(table, shrinkage):
    n = np.sqrt(np.diag(table @ table.T))
    return np.round(table @ table.T / (np.multiply.outer(n, n) + shrinkage), 9)


@pytest.mark.parametrize(("n_neighbors", "shrinkage"), [(1, 0.0), (4, 2.0), (100, 10.0)])
def test_neighbours_of_items_and_users(table, log, n_neighbors, shrinkage, monkeypatch):
    monkeypatch.setattr(neighbours_module, "_CELLS_AT_ONCE", 100)
    near = brute_neighbours(shrunk_cosine(table.T, shrinkage), n_neighbors)
    fitted = ItemKNNRecommender(n_neighbors, shrinkage=shrinkage).fit(log)
    np.testing.assert_allclose(dense_scores(fitted), table @ near.T, atol=1e-7)
    fitted.set_params(neighbors_of="liked").fit(log)
    np.testing.assert_allclose(dense_scores(fitted), table @ near, atol=1e-7)
    near = brute_neighbours(shrunk_cosine(table, shrinkage), n_neighbors)
    fitted = UserKNNRecommender(n_neighbors, shrinkage=shrinkage).fit(log)
    np.testing.assert_allclose(dense_scores(fitted), near @ table, atol=1e-7)


@pytest.mark.filterwarnings("ignore:Method expects CSR input")  # of its own making
def test_item_neighbours_are_those_of_another_library(table, log):
    from implicit.nearest_neighbours import CosineRecommender

    other = CosineRecommender(K=8, num_threads=1)  # K counts the item itself
    other.fit(sparse.csr_matrix(table), show_progress=False)
    theirs = other.similarity.toarray()
    np.fill_diagonal(theirs, 0)
    ours = ItemKNNRecommender(7, shrinkage=0.0, neighbors_of="liked").fit(log).weights_.toarray()
    # Where similarities tie at the edge, the two may keep different items.
    np.testing.assert_allclose(np.sort(ours, axis=1), np.sort(theirs, axis=1), atol=1e-7)


def test_text_neighbours_are_liked_items(table, log):
    rng = np.random.default_rng(4)
    n = table.shape[1]
    vectors = pd.DataFrame(rng.normal(size=(n + 6, 5)), index=range(n + 6))
    catalogue = pd.DataFrame({"item_id": range(n + 6)})
    fitted = TextKNNRecommender(3).fit(log, catalogue, vectors)
    unit = vectors.to_numpy(dtype="float32").astype(float)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosine = np.round(unit @ unit.T, 9)
    cosine[:, n:] = 0
    expected = table @ brute_neighbours(cosine, 3).T[:n]
    np.testing.assert_allclose(dense_scores(fitted), expected, atol=1e-7)
    assert expected[:, n:].any()


def test_text_neighbours_need_vectors(log):
    with pytest.raises(TypeError, match="item_vectors is missing"):
        TextKNNRecommender().fit(log)


@pytest.mark.parametrize("n_factors", [3, 1000])
def test_svd_is_the_projection(table, log, n_factors):
    _, _, axes = np.linalg.svd(table, full_matrices=False)
    axes = axes[:n_factors]
    found = dense_scores(SVDRecommender(n_factors, n_iter=30).fit(log))
    np.testing.assert_allclose(found, table @ axes.T @ axes, atol=1e-5)


def test_als_solves_its_problem(table, log):
    """At the end no side can do better given the other."""
    fitted = ALSRecommender(4, l2=2.0, confidence=3.0, n_iter=300).fit(log)
    users, items = fitted.user_factors_, fitted.item_factors_
    weight = np.where(table > 0, 3.0, 1.0)
    for of_one, of_other, w, x in (
        (users, items, weight, table),
        (items, users, weight.T, table.T),
    ):
        for row in range(len(of_one)):
            left = (of_other * w[row][:, None]).T @ of_other + 2.0 * np.eye(4)
            best = np.linalg.solve(left, of_other.T @ (w[row] * x[row]))
            np.testing.assert_allclose(of_one[row], best, atol=2e-3)
    assert np.corrcoef((users @ items.T).ravel(), table.ravel())[0, 1] > 0.5


@pytest.mark.parametrize(
    ("recommender", "error", "message"),
    [
        (EaseRecommender(0), ValueError, "l2 must be a finite number above 0, got 0"),
        (EaseRecommender("1"), TypeError, "l2 must be a number, got '1'"),
        (EaseRecommender(np.nan), ValueError, "l2 must be a finite number"),
        (ItemKNNRecommender(0), ValueError, "n_neighbors must be at least 1"),
        (ItemKNNRecommender(neighbors_of="x"), ValueError, "must be 'scored' or 'liked', got 'x'"),
        (UserKNNRecommender(2.5), TypeError, "n_neighbors must be a whole number"),
        (ItemKNNRecommender(shrinkage=-1), ValueError, "shrinkage must be a finite number of at"),
        (UserKNNRecommender(shrinkage=True), TypeError, "shrinkage must be a number, got True"),
        (TextKNNRecommender(0), ValueError, "n_neighbors must be at least 1"),
        (SVDRecommender(0), ValueError, "n_factors must be at least 1"),
        (ALSRecommender(confidence=0.5), ValueError, "confidence must be at least 1"),
        (EaseRecommender(fallback="x"), TypeError, "fallback must be a Recommender, got str"),
        (PopularityRecommender(last_days=0), ValueError, "last_days must be a finite number above"),
    ],
)
def test_bad_parameters_are_named(recommender, error, message, log):
    with pytest.raises(error, match=message):
        recommender.fit(log, item_vectors=pd.DataFrame(np.eye(100)))


def test_recent_popularity_forgets():
    log = pd.DataFrame(
        {
            "user_id": [1, 2, 3],
            "item_id": ["old", "old", "new"],
            "event": "like",
            "timestamp": pd.to_datetime(["2026-01-01", "2026-01-01", "2026-02-01"], utc=True),
        }
    )
    lists = PopularityRecommender(last_days=7).fit(log).recommend([9])
    assert lists[["item_id", "score"]].to_numpy().tolist() == [["new", 1.0], ["old", 0.0]]
    for days, old in ((31.1, 2.0), (31.0, 0.0), (1e12, 2.0), (1e-12, 0.0)):
        popular = PopularityRecommender(last_days=days).fit(log).popularity_
        assert popular.to_dict() == {"new": 1.0, "old": old}


def scores_with(fitted, session, user):
    lists = fitted.recommend([user], 10_000, exclude_seen=False, session=session)
    assert set(lists["source"]) == {fitted.source}
    return lists.sort_values("item_id")["score"].to_numpy()


@pytest.fixture(scope="module")
def visit(table):
    """Return a session of user 0 and of a stranger, with the rows of likes that result."""
    rows = np.array([table[0], np.zeros(table.shape[1])])
    more = np.random.default_rng(3).random(rows.shape) < 0.2
    users, items = np.nonzero(more)
    session = pd.DataFrame({"user_id": np.array([0, 999])[users], "item_id": items})
    session = session.assign(event="like", timestamp=pd.Timestamp("2026-02-05", tz="UTC"))
    return session, np.maximum(rows, more)


def test_sessions_find_the_neighbours_anew(table, log, visit):
    session, rows = visit
    fitted = UserKNNRecommender(4, shrinkage=2.0).fit(log)
    for user, row in zip((0, 999), rows, strict=True):
        size = np.sqrt(row.sum() * table.sum(axis=1)) + 2.0
        similarity = np.round(table @ row / size, 9)
        if user == 0:
            similarity[0] = 0.0
        near = np.argsort(-similarity, kind="stable")[:4]
        expected = similarity[near] @ table[near]
        np.testing.assert_allclose(scores_with(fitted, session, user), expected, atol=1e-7)


def test_sessions_are_folded_in_by_least_squares(log, visit):
    session, rows = visit
    fitted = ALSRecommender(4, l2=2.0, confidence=3.0).fit(log)
    items = fitted.item_factors_
    for user, row in zip((0, 999), rows, strict=True):
        weight = np.where(row > 0, 3.0, 1.0)
        left = (items * weight[:, None]).T @ items + 2.0 * np.eye(4)
        expected = items @ np.linalg.solve(left, items.T @ (weight * row))
        np.testing.assert_allclose(scores_with(fitted, session, user), expected, atol=1e-6)


@pytest.mark.parametrize("recommender", ALL, ids=lambda r: r.source)
def test_a_return_in_the_session_takes_back_a_purchase_in_the_log(recommender, log):
    bought = pd.DataFrame({"user_id": [500], "item_id": [3], "event": "purchase"})
    bought = bought.assign(timestamp=log["timestamp"].iloc[0])
    vectors = pd.DataFrame(np.eye(25) + 0.1)
    fitted = recommender.fit(pd.concat([log, bought]), item_vectors=vectors)
    assert fitted.recommend([500])["source"].unique().tolist() == [recommender.source]
    back = bought.assign(event="return")
    assert fitted.recommend([500], session=back)["source"].unique().tolist() == ["popularity"]
    assert 3 not in fitted.recommend([500], 99, session=back)["item_id"].tolist()


@pytest.mark.parametrize("recommender", ALL, ids=lambda r: r.source)
def test_only_the_asked_users_are_looked_at(recommender, log, visit, monkeypatch):
    """The view of a call holds as many rows as users are asked for."""
    fitted = recommender.fit(log, item_vectors=pd.DataFrame(np.eye(25) + 0.1))
    views = []
    monkeypatch.setattr(
        type(recommender),
        "_scores",
        lambda self, users: views.append(self) or np.zeros((len(users), len(self.item_ids_))),
    )
    fitted.recommend([0, 7], session=visit[0])
    (view,) = views
    assert view is not fitted
    for name in ("likes_", "similarity_", "user_factors_"):
        assert not hasattr(view, name) or getattr(view, name).shape[0] == 2
        assert not hasattr(view, name) or getattr(fitted, name).shape[0] == 60
