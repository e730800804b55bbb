"""Users and items that nobody has met: each part of the chain answers whom it should."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from recsys_interest import (
    AttributePrior,
    ClusterPrior,
    ColdStartRecommender,
    CosineRecommender,
    EaseRecommender,
    InterestPrior,
    InterestProfiler,
    PopularityBlend,
    PopularityRecommender,
    ProfilePrior,
    TextPrior,
    explain,
)
from recsys_interest.schema import SchemaError
from tests.recommender_conformance import UNKNOWN_USER, RecommenderConformance

WORDS = ["space", "war", "love", "crime"]


class Words:
    """An encoder that counts four words."""

    def transform(self, texts):
        counts = [[float(text.lower().split().count(w)) for w in WORDS] for text in texts]
        return pd.DataFrame(counts, index=texts.index, dtype="float32")


class Twelve:
    """An encoder of the width of the conformance tests."""

    def transform(self, texts):
        rows = [np.random.default_rng(len(t)).normal(size=12) for t in texts]
        return pd.DataFrame(np.reshape(rows, (-1, 12)), index=texts.index)


class _PriorConformance(RecommenderConformance):
    learns_from_sessions = False
    source_of_strangers = "popularity"


class TestTextPrior(_PriorConformance):
    @pytest.fixture
    def recommender(self):
        return TextPrior(Twelve())


class TestInterestPrior(_PriorConformance):
    @pytest.fixture
    def recommender(self):
        return InterestPrior(pd.DataFrame(np.eye(12)[:2], index=["a", "b"]))


class TestProfilePrior(_PriorConformance):
    @pytest.fixture
    def recommender(self):
        return ProfilePrior()


class TestClusterPrior(_PriorConformance):
    @pytest.fixture
    def recommender(self):
        return ClusterPrior(pd.Series(np.arange(20) % 3))


class TestAttributePrior(_PriorConformance):
    @pytest.fixture
    def recommender(self):
        return AttributePrior(pd.DataFrame({"user_id": range(20), "town": list("ABCD") * 5}))


class TestColdStart(RecommenderConformance):
    source_of_strangers = "ease"

    @pytest.fixture
    def recommender(self):
        return ColdStartRecommender(EaseRecommender(2.0), [TextPrior(Twelve())])


class TestBlend(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return PopularityBlend(EaseRecommender(2.0))


class TestBlendOfCosine(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return PopularityBlend(CosineRecommender(), 0.2)


class TestColdStartOfCosine(RecommenderConformance):
    source_of_strangers = "cosine"

    @pytest.fixture
    def recommender(self):
        clusters = ClusterPrior(pd.Series(np.arange(20) % 3))
        return ColdStartRecommender(CosineRecommender(), [ProfilePrior(), clusters])


class TestStrangersWhoSpoke(RecommenderConformance):
    """All strangers of the tests have said something before the fit."""

    source_of_strangers = "ease"

    @pytest.fixture
    def recommender(self):
        said = pd.DataFrame({"user_id": [UNKNOWN_USER, -1, 1234], "cluster": [2, None, 7]})
        said["town"] = [None, "A", "A"]
        towns = pd.DataFrame({"user_id": range(20), "town": list("AB") * 10})
        priors = [ClusterPrior(pd.Series(np.arange(20) % 3)), AttributePrior(towns)]
        return ColdStartRecommender(EaseRecommender(2.0), priors, users=said)

    def test_they_are_answered_by_the_priors(self, fitted):
        lists = fitted.recommend([UNKNOWN_USER, -1, 77, 0], k=1)
        assert lists["source"].tolist() == ["cluster", "attributes", "popularity", "ease"]


# A world whose right answers are known by construction


@pytest.fixture(scope="module")
def world():
    """Forty items, ten of each word; forty users who like one word each; the last word is war's."""
    items = pd.DataFrame({"item_id": range(40), "title": [WORDS[i % 4] for i in range(40)]})
    vectors = Words().transform(items.set_index("item_id")["title"])
    rng = np.random.default_rng(0)
    pairs = [(u, i) for u in range(40) for i in range(40) if i % 4 == u % 4 and rng.random() < 0.6]
    log = pd.DataFrame(pairs, columns=["user_id", "item_id"]).assign(event="like")
    return log.assign(timestamp=pd.Timestamp("2026-01-05", tz="UTC")), items, vectors


@pytest.fixture(scope="module")
def fitted(world):
    log, items, vectors = world
    themes = pd.DataFrame(np.eye(4), index=["Space", "War", "Love", "Crime"])
    users = pd.DataFrame({"user_id": range(40)})
    users["town"] = [WORDS[u % 4].title() for u in range(40)]
    priors = [
        ProfilePrior(),
        TextPrior(Words()),
        InterestPrior(themes, Words()),
        ClusterPrior(pd.Series([WORDS[u % 4] for u in range(40)])),
        AttributePrior(users),
    ]
    return ColdStartRecommender(EaseRecommender(1.0), priors).fit(log, items, vectors)


def themes_of(lists):
    return [WORDS[i % 4] for i in lists["item_id"]]


@pytest.mark.parametrize(
    ("statement", "source", "theme"),
    [
        ({"profile": [[0.0, 0.0, 1.0, 0.2]]}, "profile", "love"),
        ({"profile": [np.array([0, 9, 0, 0])]}, "profile", "war"),
        ({"text": ["a film about war , please"]}, "sentence", "war"),
        ({"interests": [["Crime"]]}, "interests", "crime"),
        ({"interests": ["  sPaCe "]}, "interests", "space"),
        ({"interests": [["a love story"]]}, "interests", "love"),
        ({"cluster": ["space"]}, "cluster", "space"),
        ({"town": ["War"]}, "attributes", "war"),
    ],
)
def test_what_a_stranger_says_decides_the_list(fitted, statement, source, theme):
    told = fitted.with_users(pd.DataFrame({"user_id": [500], **statement}))
    lists = told.recommend([500], k=6)
    assert lists["source"].unique().tolist() == [source]
    assert themes_of(lists) == [theme] * 6


@pytest.mark.rows("R05")
def test_the_first_prior_that_understands_answers(fitted):
    said = pd.DataFrame(
        {
            "user_id": [500, 501, 502, 503, 504],
            "text": ["love", "nothing known", "", None, "war"],
            "interests": [["war"], ["war"], "", "gardening", None],
            "cluster": ["crime", "crime", "crime", "poetry", None],
            "town": ["Space", "Space", "Space", "Nowhere", "Space"],
        }
    )
    told = fitted.with_users(said)
    first = told.recommend(said["user_id"], k=1)
    expected = ["sentence", "interests", "cluster", "popularity", "sentence"]
    assert first["source"].tolist() == expected
    assert themes_of(first)[:3] == ["love", "war", "crime"]


def test_two_interests_share_the_list(fitted):
    told = fitted.with_users(pd.DataFrame({"user_id": [1000], "interests": [["war", "love"]]}))
    found = pd.Series(themes_of(told.recommend([1000], k=20))).value_counts()
    assert found.to_dict() == {"war": 10, "love": 10}


def test_the_history_of_interests_is_their_mean(world):
    prior = InterestPrior(encoder=Words(), n_neighbors=3).fit(*world)
    chosen = ["war", "love", "crime", ["war", "love", "crime", "War"]]
    said = pd.DataFrame({"user_id": range(500, 504), "interests": chosen})
    history = prior.told(said).said_.toarray()
    np.testing.assert_allclose(history[3], history[:3].mean(axis=0), atol=1e-8)
    assert (np.count_nonzero(history, axis=1) == [3, 3, 3, 9]).all()


def test_behaviour_goes_before_words(fitted):
    told = fitted.with_users(pd.DataFrame({"user_id": [3, 500], "text": ["space", "space"]}))
    lists = told.recommend([3, 500], k=2)
    assert lists["source"].tolist() == ["ease", "ease", "sentence", "sentence"]
    assert themes_of(lists) == ["crime", "crime", "space", "space"]
    click = pd.DataFrame({"user_id": [500], "item_id": [5], "event": "like"})
    click = click.assign(timestamp=pd.Timestamp("2026-02-01", tz="UTC"))
    lists = told.recommend([500], k=5, session=click)
    assert lists["source"].unique().tolist() == ["ease"]
    assert themes_of(lists) == ["war"] * 5
    assert 5 not in lists["item_id"].tolist()
    looked = told.recommend([500], k=5, session=click.assign(event="impression"))
    assert looked["source"].unique().tolist() == ["sentence"]  # seeing says nothing of a taste


def test_users_can_speak_again_and_nobody_else_is_changed(fitted):
    one = fitted.with_users(pd.DataFrame({"user_id": [500, 501], "text": ["space", "war"]}))
    two = one.with_users(pd.DataFrame({"user_id": [501, 502], "text": ["love", "crime"]}))
    assert themes_of(two.recommend([500, 501, 502], k=1)) == ["space", "love", "crime"]
    assert themes_of(one.recommend([500, 501], k=1)) == ["space", "war"]
    assert one.recommend([502], k=1)["source"].tolist() == ["popularity"]
    assert fitted.recommend([500], k=1)["source"].tolist() == ["popularity"]
    assert two.users_["user_id"].tolist() == [500, 501, 502]
    assert two.recommend(k=1)["user_id"].tolist() == list(range(40))


def test_without_behaviour_in_the_log_a_user_can_speak_and_has_seen(world):
    log, items, vectors = world
    looked = log.iloc[:1].assign(user_id=77, item_id=0, event="impression")
    model = ColdStartRecommender(EaseRecommender(1.0), [TextPrior(Words())])
    model = model.fit(pd.concat([log, looked]), items, vectors)
    told = model.with_users(pd.DataFrame({"user_id": [77], "text": ["space"]}))
    lists = told.recommend([77], k=9)
    assert lists["source"].unique().tolist() == ["sentence"]
    assert themes_of(lists) == ["space"] * 9
    assert 0 not in lists["item_id"].tolist()


def test_a_linear_model_carries_a_sentence_further(world):
    log, items, vectors = world
    mute = vectors.copy()
    mute.loc[4:] = 0.0  # only items 0 to 3 have a text
    users = pd.DataFrame({"user_id": [500], "text": ["love"]})
    model = ColdStartRecommender(EaseRecommender(1.0), [TextPrior(Words())], users)
    lists = model.fit(log, items, mute).recommend([500], k=5)
    assert themes_of(lists) == ["love"] * 5
    alone = TextPrior(Words()).fit(log, items, mute).told(users).recommend([500], k=5)
    assert (alone["score"] > 0).sum() == 1


def test_the_group_prior_is_the_formula(world):
    log, items, _ = world
    clusters = pd.Series(np.arange(40) % 4 // 2, index=range(40), dtype=float)
    clusters.loc[[38, 39]] = [-1, np.nan]
    prior = ClusterPrior(clusters, shrinkage=3.0).fit(log, items)
    likes = prior.likes_.toarray()
    for g in (0, 1):
        mine = (clusters == g).to_numpy()
        expected = (likes[mine].sum(axis=0) + 3 * likes.mean(axis=0)) / (mine.sum() + 3)
        np.testing.assert_allclose(prior.groups_.loc[("cluster", g)], expected, atol=1e-9)
    assert len(prior.groups_) == 2


def test_attributes_are_averaged_and_gaps_left_out(world):
    log, items, _ = world
    users = pd.DataFrame({"user_id": range(40), "a": list("xy") * 20, "b": [1.0, 2, 3, 4] * 10})
    prior = AttributePrior(users).fit(log, items)
    said = pd.DataFrame(
        {"user_id": range(900, 904), "a": ["x", None, "x", "?"], "b": [2, 3, None, 9]}
    )
    told = prior.told(said)
    table = prior.groups_
    x, two, three = table.loc[("a", "x")], table.loc[("b", 2)], table.loc[("b", 3)]
    expected = [(x + two) / 2, three, x]
    lists = told.recommend(k=100)
    assert lists["source"].unique().tolist() == ["attributes", "popularity"]
    for user, scores in zip(range(900, 903), expected, strict=True):
        mine = lists[lists["user_id"] == user].set_index("item_id")["score"]
        np.testing.assert_allclose(mine.sort_index(), scores, atol=1e-12)


def test_chosen_columns_only(world):
    log, items, _ = world
    users = pd.DataFrame({"user_id": range(40), "a": list("xy") * 20, "b": 1})
    fitted = AttributePrior(users, ["a"]).fit(log, items)
    assert fitted.groups_.index.tolist() == [("a", "x"), ("a", "y")]
    for columns in (["c"], "a", ["user_id"], ["a", "a"]):
        with pytest.raises(ValueError, match=r"columns must be a list of columns of users.*'b'"):
            AttributePrior(users, columns).fit(log, items)
    with pytest.raises(SchemaError, match=r"users.b holds \['x'\]; a group is a number or a text"):
        AttributePrior(users.assign(b=[["x"]] * 40)).fit(log, items)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ({"text": [3]}, "users.text must be text, it holds 3"),
        ({"interests": [3]}, "users.interests must be lists of names, or text with commas"),
        ({"interests": [[1, 2]]}, "users.interests must be lists of names"),
        (
            {"profile": [[1.0, 2.0]]},
            "users.profile must hold vectors of 4 numbers, it has 2 for 500",
        ),
        ({"profile": [[[1, 2], [3]]]}, "users.profile must hold vectors of 4 numbers, it has 2"),
        ({"profile": [{1, 2, 3, 4}]}, "users.profile must hold vectors of 4 numbers, it has 1"),
        ({"interests": [["war", None]]}, "users.interests must be lists of names"),
        ({"cluster": [["war"]]}, r"users.cluster holds \['war'\]; a group is a number or a text"),
        ({"user_id": ["500"]}, "users.user_id is str, events.user_id is int64"),
        ({"user_id": [None]}, "users.user_id is missing"),
    ],
)
def test_statements_of_the_wrong_kind_are_named(fitted, statement, message):
    with pytest.raises(SchemaError, match=message):
        fitted.with_users(pd.DataFrame({"user_id": [500], **statement}))


def test_nobody_says_nothing(fitted):
    for nobody in (pd.DataFrame({"user_id": []}), pd.DataFrame({"user_id": [500], "text": [" "]})):
        lists = fitted.with_users(nobody).recommend([3, 500], k=2)
        pd.testing.assert_frame_equal(lists, fitted.recommend([3, 500], k=2))


@pytest.mark.parametrize("kind", ["category", "str", object])
def test_gaps_of_any_kind_are_nothing_said(fitted, kind):
    said = pd.DataFrame({"user_id": [500, 501, 502]})
    for column in ("text", "interests", "cluster", "town"):
        told = said.assign(**{column: pd.Series([None, "Love", " "], dtype=kind)})
        if column == "cluster":
            told[column] = told[column].astype(object).str.lower().astype(kind)
        lists = fitted.with_users(told).recommend([500, 501, 502], k=1)
        assert lists["source"].iloc[[0, 2]].tolist() == ["popularity"] * 2
        assert lists["source"].iloc[1] != "popularity"
        assert themes_of(lists)[1] == "love"


def test_half_of_a_character_is_read(fitted):
    for said in (
        {"text": pd.Series(["love \ud83d"], dtype=object)},
        {"interests": [["love \ud83d"]]},
    ):
        told = fitted.with_users(pd.DataFrame({"user_id": [500], **said}))
        assert themes_of(told.recommend([500], k=1)) == ["love"]


def test_interests_of_many_users_take_no_table_of_users_and_words(world):
    log, items, vectors = world
    prior = InterestPrior(encoder=Words()).fit(log, items, vectors)
    n = 6000  # a dense table of so many users and words has 288 MB
    words = [[WORDS[u % 4], f"word{u}"] for u in range(n)]
    said = pd.DataFrame({"user_id": range(1000, 1000 + n), "interests": words})
    tracemalloc.start()
    told = prior.told(said)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100e6
    assert themes_of(told.recommend([1001, 1002], k=1)) == ["war", "love"]
    # There are more of them than users in the log; what they were shown counts as seen.
    first = told.recommend([6998], k=1)
    shown = first[["user_id", "item_id"]].assign(event="impression", timestamp=log["timestamp"][0])
    second = told.recommend([6998], k=1, session=shown)
    assert second["source"].tolist() == ["interests"]
    assert themes_of(second) == themes_of(first) == ["love"]
    assert second["item_id"][0] != first["item_id"][0]


def test_profiles_must_be_finite(fitted):
    with pytest.raises(ValueError, match=r"users.profile is not finite for 500"):
        fitted.with_users(pd.DataFrame({"user_id": [500], "profile": [[np.nan, 0, 0, 0]]}))


def test_a_user_speaks_once_a_table(fitted):
    with pytest.raises(SchemaError, match=r"users.user_id has duplicates"):
        fitted.with_users(pd.DataFrame({"user_id": [500, 500], "text": ["war", "love"]}))
    with pytest.raises(TypeError, match="users must be a pandas DataFrame"):
        fitted.with_users([500])


def test_an_encoder_of_another_width_is_named(world):
    model = ColdStartRecommender(EaseRecommender(1.0), [TextPrior(Twelve())]).fit(*world)
    with pytest.raises(ValueError, match="has 12 features, the items 4"):
        model.with_users(pd.DataFrame({"user_id": [500], "text": ["war"]}))


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (ColdStartRecommender("x"), TypeError, "recommender must be a Recommender, got str"),
        (ColdStartRecommender(PopularityRecommender()), ValueError, "answers everybody"),
        (
            ColdStartRecommender(EaseRecommender(), ProfilePrior()),
            TypeError,
            r"priors must be a list of Prior objects, got ProfilePrior\(\)",
        ),
        (
            ColdStartRecommender(EaseRecommender(), [EaseRecommender()]),
            TypeError,
            "priors must be Prior objects, got EaseRecommender",
        ),
        (
            ColdStartRecommender(EaseRecommender(), [ProfilePrior(fallback=EaseRecommender())]),
            ValueError,
            "a prior has a fallback of its own",
        ),
        (TextPrior("x"), TypeError, r"encoder must have transform\(texts\)"),
        (TextPrior(Words(), 3), TypeError, "column must be the name of a column, got 3"),
        (TextPrior(Words(), n_neighbors=0), ValueError, "n_neighbors must be at least 1"),
        (InterestPrior(), TypeError, "vectors and encoder are both missing"),
        (
            InterestPrior(pd.DataFrame(np.eye(4)[:2], index=["A", "a"])),
            SchemaError,
            "differ in capitals only",
        ),
        (ClusterPrior({}), TypeError, "clusters must be a Series indexed by user id, got dict"),
        (
            ClusterPrior(pd.Series([1], index=["a"])),
            SchemaError,
            "users.user_id is str, events.user_id is int64",
        ),
        (ClusterPrior(pd.Series([1]), shrinkage=-1), ValueError, "shrinkage must be a finite"),
    ],
)
def test_bad_parts_are_named(model, error, message, world):
    with pytest.raises(error, match=message):
        model.fit(*world)


def test_a_fallback_of_the_recommender_comes_last(world):
    model = ColdStartRecommender(
        EaseRecommender(1.0, fallback=PopularityRecommender(last_days=1.0)),
        [TextPrior(Words()), ProfilePrior()],
    ).fit(*world)
    assert model.recommender_.fallback_.fallback_.fallback_.last_days == 1.0


def test_the_blend_adds_the_share_of_users(world):
    log, items, _ = world
    plain = EaseRecommender(1.0).fit(log, items)
    blend = PopularityBlend(EaseRecommender(1.0), 0.7).fit(log, items)
    one, two = (
        m.recommend(k=100, exclude_seen=False).set_index(["user_id", "item_id"])["score"]
        for m in (plain, blend)
    )
    share = plain.likes_.mean(axis=0)[one.index.get_level_values("item_id")]
    np.testing.assert_allclose(two[one.index], one + 0.7 * share, atol=1e-8)
    assert (
        PopularityBlend(plain, 0.0)
        .fit(log, items)
        .recommend()
        .equals(plain.recommend().assign(source="blend"))
    )


def test_a_blend_weighs_events_as_the_profiler_of_its_recommender(world):
    log, items, vectors = world
    cosine = CosineRecommender(InterestProfiler(event_weights={"dance": 1.0}))
    blend = PopularityBlend(cosine).fit(log.assign(event="dance"), items, vectors)
    np.testing.assert_array_equal(blend.share_, PopularityBlend().fit(log, items).share_)


def test_a_blend_carries_statements_grows_and_is_explained(world):
    log, items, vectors = world
    said = pd.DataFrame({"user_id": [500], "text": ["love"]})
    early = log[log["item_id"] < 36]
    scores = []
    for model in (EaseRecommender(1.0), PopularityBlend(EaseRecommender(1.0))):
        cold = ColdStartRecommender(model, [TextPrior(Words())], said)
        cold = cold.fit(early, items.iloc[:36], vectors.iloc[:36]).with_items(items, vectors)
        lists = cold.recommend([500, 1], k=40)
        assert set(range(36, 40)) <= set(lists["item_id"])
        scores.append(lists[lists["user_id"] == 500]["score"].to_numpy())
        found = explain(cold, lists, top=None)
        summed = found.groupby(["user_id", "item_id"])["contribution"].sum()
        whole = lists.set_index(["user_id", "item_id"])["score"]
        rest = whole - summed.reindex(whole.index, fill_value=0.0)
        if isinstance(model, PopularityBlend):
            share = model.fit(early, items).share_[whole.index.get_level_values("item_id")]
            rest = rest - 0.3 * share
        np.testing.assert_allclose(rest, 0.0, atol=1e-8)
    assert (scores[1] > 0).sum() > (scores[0] > 0).sum()


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (PopularityBlend("x"), TypeError, "recommender must be a Recommender, got str"),
        (PopularityBlend(weight=-1), ValueError, "weight must be a finite number of at least 0"),
        (PopularityBlend(weight=1e7), ValueError, r"weight must be at most 1e\+06, got 1e\+07"),
        (PopularityBlend(fallback="x"), TypeError, "fallback must be a Recommender, got str"),
    ],
)
def test_bad_blends_are_named(model, error, message, world):
    with pytest.raises(error, match=message):
        model.fit(*world)
