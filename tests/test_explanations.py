"""Reasons add up to the score, and the score falls when a reason is taken away."""

import numpy as np
import pandas as pd
import pytest

from recsys_interest import (
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
    TextKNNRecommender,
    explain,
    explain_words,
    explanation_sentences,
    extend_catalogue,
    text_without,
)
from recsys_interest.schema import SchemaError

WORDS = ["space", "war", "love", "crime", "horse", "sea"]
N_USERS, N_ITEMS = 60, 40


class Words:
    """An encoder that counts six words."""

    def transform(self, texts):
        counts = [[float(text.lower().split().count(w)) for w in WORDS] for text in texts]
        return pd.DataFrame(counts, index=texts.index, dtype="float32")


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    texts = [" ".join(["The", *rng.choice(WORDS, 4), "film"]) for _ in range(N_ITEMS)]
    items = pd.DataFrame({"item_id": range(N_ITEMS), "title": texts})
    texts = items.set_index("item_id")["title"]
    vectors = Words().transform(texts)
    taste = rng.normal(size=(N_USERS, 6)) @ vectors.to_numpy().T
    taste += rng.normal(size=taste.shape)
    taste[:, 35:] = -np.inf  # items that nobody likes yet
    likes = taste >= np.quantile(taste[:, :35], 0.8, axis=1, keepdims=True)
    users, ids = np.nonzero(likes)
    log = pd.DataFrame({"user_id": users, "item_id": ids, "event": "like"})
    log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC") + pd.to_timedelta(
        rng.integers(500, size=len(log)), unit="h"
    )
    return log, items, vectors, texts


LINEAR = [
    EaseRecommender(5.0),
    ItemKNNRecommender(8),
    TextKNNRecommender(8),
    TextInformedRecommender(5.0, 0.3, cold_rule=ColdRule("kernel", 2.0)),
    TextInformedRecommender(5.0, 0.3, cold_rule=ColdRule("ridge", 3.0)),
]
names = pytest.mark.parametrize("recommender", LINEAR, ids=lambda r: type(r).__name__)


def totals(found):
    return found.groupby(["user_id", "item_id"])["contribution"].sum()


def scores(lists):
    return lists.set_index(["user_id", "item_id"])["score"].sort_index()


@names
def test_the_contributions_of_linear_models_are_the_score(recommender, world):
    fitted = recommender.fit(*world[:3])
    lists = fitted.recommend(k=12)
    lists = lists[lists["source"] == fitted.source]
    found = explain(fitted, lists, top=None)
    summed = totals(found).reindex(scores(lists).index, fill_value=0.0)
    np.testing.assert_allclose(summed, scores(lists), rtol=0, atol=1e-9)
    liked = set(zip(world[0]["user_id"], world[0]["item_id"], strict=True))
    assert set(zip(found["user_id"], found["because"], strict=True)) <= liked


def test_low_rank_and_cosine_add_up_to_rounding(world):
    for recommender in (
        TextInformedRecommender(5.0, 0.3, max_dense_items=5, n_factors=20),
        CosineRecommender(),
        CosineRecommender(InterestProfiler(half_life=5.0, idf=True)),
    ):
        fitted = recommender.fit(*world[:3])
        lists = fitted.recommend(k=12, exclude_seen=False)
        lists = lists[lists["source"] == fitted.source]
        summed = totals(explain(fitted, lists, top=None)).reindex(scores(lists).index, fill_value=0)
        np.testing.assert_allclose(summed, scores(lists), rtol=0, atol=1e-5)
        assert scores(lists).abs().max() > 0.1


def later(log):
    return log.assign(timestamp=pd.Timestamp("2026-03-01", tz="UTC"))


@pytest.mark.parametrize(
    "recommender",
    [
        *LINEAR,
        CosineRecommender(),
        CosineRecommender(InterestProfiler(idf=True), session_weight=0.2),
    ],
    ids=lambda r: type(r).__name__,
)
def test_with_a_session_they_add_up_too(recommender, world):
    fitted = recommender.fit(*world[:3])
    session = pd.DataFrame({"user_id": [0, 0, 99, 99, 99], "item_id": [1, 5, 7, 8, 9]})
    session = later(session.assign(event="like"))
    lists = fitted.recommend([0, 1, 99], k=9, session=session)
    found = explain(fitted, lists, top=None, session=session)
    np.testing.assert_allclose(
        totals(found).reindex(scores(lists).index, fill_value=0.0), scores(lists), rtol=0, atol=1e-6
    )
    assert set(found.loc[found["user_id"] == 99, "because"]) <= {7, 8, 9}


# Faithfulness: what is said to be the reason is the reason


def without_reason(fitted, log, reasons):
    """Return the score of each pair when one event of the user is gone.

    The rest of the user's events is handed in as the session of a stranger.
    """
    found = []
    for row in reasons.itertuples():
        mine = log[(log["user_id"] == row.user_id) & (log["item_id"] != row.because)]
        session = mine.assign(user_id=9000)
        lists = fitted.recommend([9000], k=N_ITEMS, session=session, exclude_seen=False)
        found.append(lists.set_index("item_id")["score"].get(row.item_id, 0.0))
    return np.array(found)


@pytest.mark.rows("H03")
@names
def test_without_a_reason_the_score_falls_by_its_contribution(recommender, world):
    fitted = recommender.fit(*world[:3])
    lists = fitted.recommend(range(0, 60, 6), k=2)
    found = explain(fitted, lists[lists["source"] == fitted.source], top=1)
    found = found[found["contribution"] > 0]
    left = without_reason(fitted, world[0], found)
    np.testing.assert_allclose(found["score"] - left, found["contribution"], rtol=0, atol=1e-9)
    assert len(found) > 5


def test_the_first_reason_of_the_cosine_matters_more_than_a_random_one(world):
    fitted = CosineRecommender().fit(*world[:3])
    lists = fitted.recommend(k=2)
    every = explain(fitted, lists, top=None)
    counts = every.groupby(["user_id", "item_id"])["because"].transform("size")
    every = every[counts > 2]
    first = every.groupby(["user_id", "item_id"]).head(1)
    chosen = every.groupby(["user_id", "item_id"]).sample(1, random_state=0)
    falls = [part["score"] - without_reason(fitted, world[0], part) for part in (first, chosen)]
    assert falls[0].mean() > 0
    gap = falls[0].to_numpy() - falls[1].to_numpy()
    assert gap.mean() - 2 * gap.std() / np.sqrt(len(gap)) > 0


def test_reasons_are_ranked_and_cut(world):
    fitted = EaseRecommender(5.0).fit(*world[:3])
    lists = fitted.recommend([3, 4], k=5)
    every = explain(fitted, lists, top=None)
    top = explain(fitted, lists, top=2)
    assert top.columns.tolist() == [
        "user_id", "item_id", "rank", "score", "because", "contribution", "share",
    ]  # fmt: skip
    expected = every.groupby(["user_id", "item_id"], sort=False).head(2)
    pd.testing.assert_frame_equal(top, expected.reset_index(drop=True))
    falling = every.groupby(["user_id", "item_id"])["contribution"].diff().dropna()
    assert (falling <= 0).all()
    np.testing.assert_allclose(every.groupby(["user_id", "item_id"])["share"].sum(), 1.0)
    assert (every.loc[every["contribution"] < 0, "share"] == 0).all()
    pairs = top.drop_duplicates(["user_id", "item_id"])[["user_id", "item_id"]]
    pd.testing.assert_frame_equal(pairs.reset_index(drop=True), lists[["user_id", "item_id"]])
    shuffled = explain(fitted, lists.sample(frac=1, random_state=1), top=2)
    key = ["user_id", "rank", "because"]
    pd.testing.assert_frame_equal(
        shuffled.sort_values(key, ignore_index=True), top.sort_values(key, ignore_index=True)
    )


def test_what_is_popular_has_no_reason(world):
    fitted = EaseRecommender(5.0).fit(*world[:3])
    lists = fitted.recommend([99, 3], k=2)
    found = explain(fitted, lists)
    assert set(found["user_id"]) == {3}
    sentences = explanation_sentences(lists, found)
    assert sentences["because"].tolist()[:2] == ["Because it is popular."] * 2
    for other in (PopularityRecommender(), SVDRecommender(2)):
        fitted = other.fit(*world[:3])
        empty = explain(fitted, fitted.recommend([3], k=2))
        assert empty.empty
        assert empty.dtypes.astype(str).to_dict() == found.dtypes.astype(str).to_dict()
        assert explain_words(fitted, fitted.recommend([3], k=2), world[3], Words()).empty


def test_cold_start_explains_each_answer_by_the_part_that_gave_it(world):
    said = pd.DataFrame({"user_id": [99], "profile": [[3.0, 0, 0, 0, 0, 0]]})
    for model in (TextInformedRecommender(5.0, 0.3), EaseRecommender(5.0), CosineRecommender()):
        fitted = ColdStartRecommender(model, [ProfilePrior()], said).fit(*world[:3])
        lists = fitted.recommend([3, 99, 100], k=4)
        found = explain(fitted, lists, top=None)
        assert found["user_id"].unique().tolist() == [3, 99]
        expected = scores(lists[lists["user_id"] != 100])
        np.testing.assert_allclose(totals(found), expected, rtol=0, atol=1e-6)
    sentences = explanation_sentences(lists, explain(fitted, lists, top=1), titles=world[3])
    assert sentences.loc[4, "because"].startswith("Because your profile is close to The ")


# Words


@pytest.mark.parametrize(
    "recommender",
    [
        CosineRecommender(),
        TextInformedRecommender(5.0, 0.3, cold_rule=ColdRule("kernel", 2.0)),
        TextInformedRecommender(5.0, 0.3, cold_rule=ColdRule("ridge", 1.0)),
        TextInformedRecommender(5.0, 0.3, cold_rule=ColdRule("gram")),
        TextInformedRecommender(
            5.0, 0.3, cold_rule=ColdRule("ridge", 1.0), max_dense_items=5, n_factors=20
        ),
        ColdStartRecommender(CosineRecommender()),
    ],
    ids=lambda r: type(r).__name__,
)
def test_without_a_word_the_score_of_a_new_item_falls_by_its_drop(recommender, world):
    log, items, vectors, texts = world
    base = recommender.fit(log, items[items["item_id"] < 35], vectors.loc[:34])
    fitted = extend_catalogue(base, items, vectors)
    new = range(35, 40)
    lists = fitted.recommend([0, 3, 7, 9], k=3, candidates=new)
    words = explain_words(fitted, lists, texts, Words(), top=1)
    assert len(words) > 3
    for row in words.itertuples():
        changed = vectors.copy()
        text = pd.Series([text_without(texts[row.item_id], row.word)])
        changed.loc[row.item_id] = Words().transform(text).to_numpy()[0]
        after = extend_catalogue(base, items, changed).recommend([row.user_id], candidates=new)
        # An item without a vector is not in the lists of the cosine.
        left = after.set_index("item_id")["score"].get(row.item_id, 0.0)
        before = lists.set_index(["user_id", "item_id"])["score"][row.user_id, row.item_id]
        assert row.drop == pytest.approx(before - left, abs=1e-6)


def test_words_are_ranked_and_stop_words_are_none(world):
    fitted = CosineRecommender().fit(*world[:3])
    lists = fitted.recommend([3, 5], k=4)
    words = explain_words(fitted, lists, world[3], Words(), top=9)
    assert words.columns.tolist() == ["user_id", "item_id", "rank", "word", "drop"]
    assert (words["drop"] > 0).all()
    assert (words.groupby(["user_id", "item_id"])["drop"].diff().dropna() <= 0).all()
    assert not words["word"].isin(["the", "film"]).any()  # a stop word; a word without effect
    few = explain_words(fitted, lists, world[3], Words(), top=1)
    pd.testing.assert_frame_equal(
        few, words.groupby(["user_id", "item_id"], sort=False).head(1).reset_index(drop=True)
    )


def test_words_in_small_batches_are_the_same(world, monkeypatch):
    fitted = CosineRecommender().fit(*world[:3])
    lists = fitted.recommend([3, 5], k=4)
    expected = explain_words(fitted, lists, world[3], Words())
    monkeypatch.setattr("recsys_interest.word_explanations._TEXTS_AT_ONCE", 3)
    pd.testing.assert_frame_equal(explain_words(fitted, lists, world[3], Words()), expected)


def test_words_with_a_session(world):
    fitted = CosineRecommender().fit(*world[:3])
    session = later(pd.DataFrame({"user_id": [99], "item_id": [4], "event": "like"}))
    lists = fitted.recommend([99], k=2, session=session)
    words = explain_words(fitted, lists, world[3], Words(), session=session)
    liked = set(world[3][4].split())
    assert set(words["word"]) <= liked


@pytest.mark.parametrize(
    ("text", "word", "left"),
    [
        ("A tent, tents, TENT", "tent", "A , tents, "),
        ("sci-fi science", "sci-fi", " science"),
        ("我喜欢编程", "喜欢", "我编程"),
        ("as it was", "", "as it was"),
    ],
)
def test_words_leave_a_text_whole(text, word, left):
    assert text_without(text, word) == left


# Sentences and bad input


def test_sentences():
    lists = pd.DataFrame({"user_id": [1, 1, 2], "item_id": [7, 8, 7], "rank": [1, 2, 1]})
    lists["source"] = ["ease", "ease", "svd"]
    reasons = pd.DataFrame(
        {"user_id": 1, "item_id": [7, 7, 8], "because": [3, 4, 3], "share": [0.5, 0.254, 1.0]}
    )
    words = pd.DataFrame({"user_id": 1, "item_id": 8, "word": ["space", "war"]})
    found = explanation_sentences(lists, reasons, words, titles={3: "Alien (1979)"})
    assert found["because"].tolist() == [
        "Because of Alien (1979) (50 %) and 4 (25 %).",
        "Because of Alien (1979) (100 %); its text says space, war.",
        "No reason is known.",
    ]
    assert found.columns.tolist() == ["user_id", "item_id", "rank", "because"]


def test_bad_input_is_named(world):
    fitted = EaseRecommender(5.0).fit(*world[:3])
    lists = fitted.recommend([3], k=2)
    with pytest.raises(TypeError, match="recommender must be a Recommender, got str"):
        explain("ease", lists)
    with pytest.raises(SchemaError, match=r"lists lacks the column\(s\) 'source'"):
        explain(fitted, lists.drop(columns="source"))
    with pytest.raises(SchemaError, match=r"lists.user_id is str, events.user_id is int64"):
        explain(fitted, lists.astype({"user_id": str}))
    with pytest.raises(ValueError, match="lists has items that are not in the catalogue: 777"):
        explain(fitted, lists.assign(item_id=777))
    with pytest.raises(ValueError, match="top must be at least 1"):
        explain(fitted, lists, top=0)
    with pytest.raises(ValueError, match=r"texts lacks the item\(s\)"):
        explain_words(fitted, lists, world[3].iloc[:0], Words())
    with pytest.raises(TypeError, match="texts must be a Series"):
        explain_words(fitted, lists, ["x"], Words())
    reasons = explain(fitted, lists)
    with pytest.raises(SchemaError, match=r"reasons lacks the column\(s\) 'because'"):
        explanation_sentences(lists, lists)
    with pytest.raises(TypeError, match="titles must be a mapping or a Series, got list"):
        explanation_sentences(lists, reasons, titles=["x"])
    with pytest.raises(SchemaError, match=r"reasons.share must be numbers, it holds 'x'"):
        explanation_sentences(lists, reasons.assign(share="x"))
    with pytest.raises(SchemaError, match=r"reasons.user_id is int64, lists.user_id is str"):
        explanation_sentences(lists.astype({"user_id": str}), reasons)


class Few(Words):
    def transform(self, texts):
        return super().transform(texts).iloc[:1]


class Wide(Words):
    def transform(self, texts):
        vectors = super().transform(texts)
        return pd.concat([vectors, vectors], axis=1)


@pytest.mark.parametrize(
    "recommender", [CosineRecommender(), TextInformedRecommender(5.0, 0.3)], ids=lambda r: r.source
)
@pytest.mark.parametrize(
    ("change", "encoder", "error", "message"),
    [
        (lambda t: t, None, TypeError, r"encoder must have transform\(texts\), got None"),
        (
            lambda t: t,
            Few(),
            ValueError,
            "index of the . texts, one vector for each; it returned 1",
        ),
        (lambda t: t, Wide(), ValueError, "has 12 features, those of fit had 6"),
        (lambda t: pd.concat([t, t]), Words(), SchemaError, "texts.index has duplicates: 0"),
        (lambda t: t.map(len), Words(), ValueError, r"texts lacks the item\(s\) \d+; use ''"),
        (lambda t: t.map(lambda s: None), Words(), ValueError, r"texts lacks the item\(s\) \d+;"),
    ],
)
def test_bad_texts_and_encoders_are_named(world, recommender, change, encoder, error, message):
    fitted = recommender.fit(*world[:3])
    lists = fitted.recommend([3], k=1)
    with pytest.raises(error, match=message):
        explain_words(fitted, lists, change(world[3]), encoder)


class Refusing:
    def transform(self, texts):
        raise AssertionError("nobody asked for vectors")


def test_no_text_is_encoded_for_who_does_not_read(world):
    fitted = EaseRecommender(5.0).fit(*world[:3])
    lists = fitted.recommend([3, 99], k=2)
    assert set(lists["source"]) == {"ease", "popularity"}
    assert explain_words(fitted, lists, world[3], Refusing()).empty


def test_a_title_is_printed_as_it_is():
    lists = pd.DataFrame({"user_id": [1], "item_id": [7], "rank": [1], "source": ["ease"]})
    reasons = pd.DataFrame({"user_id": 1, "item_id": 7, "because": [3, 4], "share": [0.5, 0.25]})
    words = pd.DataFrame({"user_id": [1], "item_id": [7], "word": [None]})
    titles = pd.Series(["Juice (100%)", None], index=[3, 4], dtype=object)
    found = explanation_sentences(lists, reasons, words, titles=titles)
    assert found["because"].tolist() == ["Because of Juice (100%) (50 %) and 4 (25 %)."]
