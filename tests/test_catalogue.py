"""New items by their texts: what a fitted recommender says of them without a new fit."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from recsys_interest import (
    ClusterPrior,
    ColdRule,
    ColdStartRecommender,
    CosineRecommender,
    EaseRecommender,
    InterestProfiler,
    ItemKNNRecommender,
    PopularityRecommender,
    ProfilePrior,
    SVDRecommender,
    TextInformedRecommender,
    extend_catalogue,
)
from recsys_interest.catalogue import columns_of_texts
from recsys_interest.cold_rules import with_cold
from recsys_interest.linear_forms import DenseSolver, centred
from recsys_interest.schema import SchemaError

TOPICS, N = 4, 40
OLD = [f"i{n:02d}" for n in range(0, 2 * N, 2)]
NEW = [f"i{n:02d}" for n in range(1, 20, 4)]  # between the old ones, so that positions move


@pytest.fixture(scope="module")
def world():
    """Users who like one topic, texts that say the topic, and five items that come later."""
    rng = np.random.default_rng(0)
    topics = rng.normal(size=(TOPICS, 9))
    ids = [*OLD, *NEW]
    topic = np.array([*(np.arange(N) % TOPICS), *(np.arange(len(NEW)) % TOPICS)])
    rows = topics[topic] + 0.5 * rng.normal(size=(len(ids), 9))
    vectors = pd.DataFrame(rows, index=ids, dtype="float32")
    chance = np.where(np.arange(60)[:, None] % TOPICS == topic[:N], 0.4, 0.03)
    users, items = np.nonzero(rng.random(chance.shape) < chance)
    log = pd.DataFrame({"user_id": users, "item_id": np.array(OLD)[items], "event": "like"})
    log = log.assign(timestamp=pd.Timestamp("2026-01-05", tz="UTC"))
    return log, pd.DataFrame({"item_id": ids}), vectors, pd.Series(topic, ids)


def old_only(world):
    log, items, vectors, _ = world
    return log, items[items["item_id"].isin(OLD)], vectors.loc[OLD]


@pytest.mark.parametrize(
    "recommender",
    [
        PopularityRecommender(),
        CosineRecommender(),
        CosineRecommender(InterestProfiler(idf=True), fallback=EaseRecommender(3.0)),
        EaseRecommender(3.0),
        ItemKNNRecommender(5),
        TextInformedRecommender(3.0, 0.0, cold_rule=ColdRule("neighbours", 100)),
        ColdStartRecommender(EaseRecommender(3.0)),
        ColdStartRecommender(EaseRecommender(3.0), [ClusterPrior(pd.Series(range(60)) % 4)]),
    ],
    ids=lambda r: type(r).__name__,
)
def test_without_text_in_the_weights_it_is_as_if_they_had_been_there(recommender, world):
    log, items, vectors, _ = world
    if isinstance(recommender, TextInformedRecommender):
        # Pairs of opposite vectors: their mean is zero whatever joins.
        vectors = vectors.copy()
        vectors.loc[OLD[1::2]] = -vectors.loc[OLD[::2]].to_numpy()
        vectors.loc[NEW[1:4:2]] = -vectors.loc[NEW[:3:2]].to_numpy()
        vectors.loc[NEW[4]] = 0.0
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    whole = recommender.fit(log, items, vectors).recommend([*range(60), 99], k=100)
    fitted = recommender.fit(log, items[items["item_id"].isin(OLD)], vectors.loc[OLD])
    before = fitted.recommend([*range(60), 99], k=100)
    longer = extend_catalogue(fitted, items, vectors)
    found = longer.recommend([*range(60), 99], k=100)
    pd.testing.assert_frame_equal(
        found.sort_values(["user_id", "item_id"], ignore_index=True).drop(columns="rank"),
        whole.sort_values(["user_id", "item_id"], ignore_index=True).drop(columns="rank"),
        atol=1e-6,
    )
    pd.testing.assert_frame_equal(fitted.recommend([*range(60), 99], k=100), before)
    assert not before["item_id"].isin(NEW).any()
    click = log.iloc[[-1, -1]].assign(user_id=[3, 99])
    at_once = longer.recommend([3, 99], k=100, session=click)
    learned = clone(recommender).fit(log, items, vectors)
    expected = learned.recommend([3, 99], k=100, session=click)
    key = ["user_id", "item_id"]
    pd.testing.assert_frame_equal(
        at_once.sort_values(key, ignore_index=True).drop(columns="rank"),
        expected.sort_values(key, ignore_index=True).drop(columns="rank"),
        atol=1e-6,
    )


RULES = [ColdRule("gram"), ColdRule("ridge", 3.0), ColdRule("smoothing", 5), ColdRule("kernel", 2)]


@pytest.mark.rows("R06")
@pytest.mark.parametrize(
    ("rule", "max_dense_items"), [*((rule, 1000) for rule in RULES), *((r, 5) for r in RULES[:3])]
)
def test_new_items_reach_those_who_like_their_topic(world, rule, max_dense_items):
    _, items, vectors, topic = world
    model = TextInformedRecommender(
        3.0, 0.5, cold_rule=rule, max_dense_items=max_dense_items, n_factors=40
    )
    model.fit(*old_only(world))
    longer = extend_catalogue(model, items, vectors)
    lists = longer.recommend(k=1, candidates=NEW)
    hits = (topic[lists["item_id"]].to_numpy() == lists["user_id"] % TOPICS).mean()
    assert hits > 0.5  # chance is 0.25
    known = model.recommend(k=5)
    same = longer.recommend(k=5, candidates=OLD)
    pd.testing.assert_frame_equal(same, known, atol=1e-6)


@pytest.mark.parametrize("rule", RULES[1:])
def test_the_new_columns_are_those_of_the_rule(world, rule):
    _, _, vectors, _ = world
    model = TextInformedRecommender(3.0, 0.5, cold_rule=rule).fit(*old_only(world))
    unit = vectors.loc[NEW].to_numpy(float, copy=True)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    text = np.vstack([model.text_, centred(unit, model.mean_)])
    cold = np.arange(len(text)) >= N
    wide = np.zeros((len(text), len(text)))
    wide[:N, :N] = model.model_.weights
    made = with_cold(type(model.model_)(wide), rule, text, 1.0 - cold).columns()[cold, :N]
    np.testing.assert_allclose(columns_of_texts(model, vectors.loc[NEW]), made, atol=1e-9)


def test_by_the_closed_form_a_new_column_is_that_of_a_catalogue_with_the_item(world):
    _, _, vectors, _ = world
    model = TextInformedRecommender(3.0, 0.5, cold_rule=ColdRule("gram")).fit(*old_only(world))
    low = TextInformedRecommender(
        3.0, 0.5, cold_rule=ColdRule("gram"), max_dense_items=5, n_factors=1000
    ).fit(*old_only(world))
    dense = columns_of_texts(model, vectors.loc[NEW])
    for one, column in zip(NEW, dense, strict=True):
        unit = vectors.loc[[one]].to_numpy(float, copy=True)
        unit /= np.linalg.norm(unit)
        text = np.vstack([model.text_, centred(unit, model.mean_)])
        likes = model.likes_.copy()
        likes.resize((likes.shape[0], N + 1))
        whole = DenseSolver(text, model.dropout, "float64")(likes, 3.0, 0.5).weights
        np.testing.assert_allclose(column, whole[:N, N], atol=1e-9)
    # The low-rank form takes the cosine itself for the closeness.
    gram = (low.likes_.T @ low.likes_).toarray()
    gram += np.diag(np.diag(gram) * low.dropout / (1 - low.dropout))
    unit = vectors.loc[NEW].to_numpy(float, copy=True)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    right = 1.5 * low.text_ @ centred(unit, low.mean_).T
    expected = np.linalg.solve(gram + 1.5 * low.text_ @ low.text_.T + 3.0 * np.eye(N), right)
    by_factors = low.model_.left @ columns_of_texts(low, vectors.loc[NEW]).T
    np.testing.assert_allclose(by_factors, expected, atol=1e-6)


def test_an_item_without_text_comes_last(world):
    _, items, vectors, _ = world
    model = TextInformedRecommender(3.0, 0.5, cold_rule=ColdRule("kernel", 2.0))
    model.fit(*old_only(world))
    longer = extend_catalogue(model, items, vectors.drop(NEW[0]))
    scores = longer.recommend([0], k=100).set_index("item_id")["score"]
    assert scores[NEW[0]] == 0.0


def test_a_session_on_a_new_item_is_understood(world):
    _, items, vectors, topic = world
    click = pd.DataFrame({"user_id": [99], "item_id": [NEW[0]], "event": "like"})
    click = click.assign(timestamp=pd.Timestamp("2026-02-01", tz="UTC"))
    longer = extend_catalogue(CosineRecommender().fit(*old_only(world)), items, vectors)
    lists = longer.recommend([99], k=5, session=click)
    assert lists["source"].unique().tolist() == ["cosine"]
    assert (topic[lists["item_id"]] == topic[NEW[0]]).all()


def test_cold_start_takes_users_and_items_in_any_order(world):
    _, items, vectors, topic = world
    said = pd.DataFrame({"user_id": [99], "profile": [vectors.loc[NEW[0]].to_numpy()]})
    model = ColdStartRecommender(EaseRecommender(3.0), [ProfilePrior()]).fit(*old_only(world))
    one = model.with_users(said).with_items(items, vectors)
    two = model.with_items(items, vectors).with_users(said)
    lists = one.recommend([99, 0], k=6)
    pd.testing.assert_frame_equal(lists, two.recommend([99, 0], k=6))
    assert one.recommend([99], k=1, candidates=NEW)["item_id"].tolist() == [NEW[0]]
    assert (topic[lists["item_id"][:6]] == topic[NEW[0]]).all()


def test_known_items_are_passed_over(world):
    fitted = EaseRecommender(3.0).fit(*old_only(world))
    same = extend_catalogue(fitted, *old_only(world)[1:])
    pd.testing.assert_frame_equal(same.recommend(), fitted.recommend())


def test_what_learns_its_items_in_fit_says_so(world):
    _, items, vectors, _ = world
    with pytest.raises(TypeError, match="SVDRecommender learns its items in fit only"):
        extend_catalogue(SVDRecommender(2).fit(*old_only(world)), items, vectors)


@pytest.mark.parametrize(
    "recommender",
    [
        CosineRecommender(),
        TextInformedRecommender(3.0, 0.5),
        ColdStartRecommender(EaseRecommender(), [ProfilePrior()]),
    ],
    ids=lambda r: type(r).__name__,
)
def test_bad_input_is_named(world, recommender):
    _, items, vectors, _ = world
    with pytest.raises(NotFittedError):
        extend_catalogue(recommender, items, vectors)
    fitted = recommender.fit(*old_only(world))
    with pytest.raises(ValueError, match=r"item_vectors has 3 features, those of fit had 9"):
        extend_catalogue(fitted, items, vectors.iloc[:, :3])
    with pytest.raises(SchemaError, match=r"items.item_id is int64, the catalogue is str"):
        extend_catalogue(fitted, pd.DataFrame({"item_id": [1]}), vectors)
    with pytest.raises(SchemaError, match=r"item_vectors.index is int64"):
        extend_catalogue(fitted, items, vectors.reset_index(drop=True))
    with pytest.raises(ValueError, match="item_vectors is not finite for 'i01'"):
        extend_catalogue(fitted, items, vectors.mask(vectors == vectors.loc[NEW[0]]))
    with pytest.raises(TypeError, match="recommender must be a Recommender, got str"):
        extend_catalogue("x", items, vectors)
