import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

pytest.register_assert_rewrite("tests.recommender_conformance")

from recsys_interest.clusters import InterestClusterer  # noqa: E402
from recsys_interest.profiles import InterestProfiler  # noqa: E402
from recsys_interest.recommend import CosineRecommender, PopularityRecommender  # noqa: E402
from recsys_interest.schema import SchemaError  # noqa: E402
from tests.recommender_conformance import (  # noqa: E402
    ITEMS_WITHOUT_VECTOR,
    UNKNOWN_USER,
    RecommenderConformance,
)


class TestPopularity(RecommenderConformance):
    learns_from_sessions = False

    @pytest.fixture
    def recommender(self):
        return PopularityRecommender()


class TestCosine(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return CosineRecommender()

    def test_items_without_vector_never_come_from_the_cosine(self, fitted):
        lists = fitted.recommend([0, UNKNOWN_USER], k=1000, exclude_seen=False)
        by_cosine = lists[lists["source"] == "cosine"]["item_id"]
        assert not by_cosine.isin(ITEMS_WITHOUT_VECTOR).any()
        assert len(by_cosine) == 28
        assert (lists["source"] == "popularity").sum() == 30


class TestCosineOfCosine(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        inner = CosineRecommender(fallback=PopularityRecommender(neutral_rating=2.5))
        return CosineRecommender(InterestProfiler(half_life=30.0), fallback=inner)


class TestDot(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return CosineRecommender(metric="dot")


class TestEuclidean(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return CosineRecommender(metric="euclidean")


class TestCosineOfCentroids(RecommenderConformance):
    @pytest.fixture
    def recommender(self):
        return CosineRecommender(clusterer=InterestClusterer(random_state=0), session_weight=0.9)


def log_of(*rows):
    """Events from (user, item) or (user, item, kind) or (user, item, kind, value)."""
    padded = [(*row, "browse", np.nan)[:4] if len(row) == 2 else (*row, np.nan)[:4] for row in rows]
    log = pd.DataFrame(padded, columns=["user_id", "item_id", "event", "value"])
    return log.assign(timestamp=pd.Timestamp("2026-01-05", tz="UTC"))


def vectors_of(**rows):
    return pd.DataFrame(list(rows.values()), index=list(rows), dtype="float32")


def items_of(lists, user):
    return lists.loc[lists["user_id"] == user, "item_id"].tolist()


def test_checkerboard():
    """Even users like even items, odd users odd ones, and nobody has seen the own diagonal."""
    n = 20
    pairs = [(u, i) for u in range(n) for i in range(n) if (u - i) % 2 == 0 and u != i]
    vectors = pd.DataFrame(np.eye(2)[np.arange(n) % 2], index=range(n), dtype="float32")
    lists = CosineRecommender().fit(log_of(*pairs), item_vectors=vectors).recommend(k=n)
    for u in range(n):
        other_colour = [i for i in range(n) if (u - i) % 2]
        assert items_of(lists, u) == [u, *other_colour]
    scores = lists.pivot_table(index="user_id", columns="rank", values="score").to_numpy()
    assert (scores == [1.0] + [0.0] * (n // 2)).all()


def test_popularity_counts_users_not_events():
    log = log_of(
        *[(1, "loud")] * 9,
        (1, "liked"),
        (2, "liked"),
        (1, "returned", "purchase"),
        (1, "returned", "return"),
        (2, "hated", "rate", 1.0),
        (3, "loved", "rate", 5.0),
        (3, "shown", "impression"),
    )
    catalogue = pd.DataFrame({"item_id": ["new"]})
    lists = PopularityRecommender().fit(log, catalogue).recommend([99], k=99)
    assert dict(zip(lists["item_id"], lists["score"], strict=True)) == {
        "liked": 2,
        "loud": 1,
        "loved": 1,
        "hated": 0,
        "new": 0,
        "returned": 0,
        "shown": 0,
    }
    assert lists["item_id"].tolist() == [
        "liked", "loud", "loved", "hated", "new", "returned", "shown",
    ]  # fmt: skip


def test_popularity_reads_its_parameters():
    log = log_of((1, "a", "watch"), (1, "b", "rate", 3.0))
    with pytest.raises(SchemaError, match="without a weight: 'watch'"):
        PopularityRecommender().fit(log)
    fitted = PopularityRecommender({"watch": 2.0}, neutral_rating=2.0).fit(log)
    assert fitted.popularity_.to_dict() == {"a": 1.0, "b": 1.0}


@pytest.mark.rows("R01")
def test_cosine_does_not_reward_length_and_sees_sign():
    vectors = vectors_of(seen=[2, 0], near=[3, 4], long=[80, 60], across=[0, 1], against=[-1, 0])
    catalogue = pd.DataFrame({"item_id": vectors.index})
    fitted = CosineRecommender().fit(log_of((1, "seen")), catalogue, vectors)
    lists = fitted.recommend()
    assert items_of(lists, 1) == ["long", "near", "across", "against"]
    np.testing.assert_allclose(lists["score"], [0.8, 0.6, 0.0, -1.0], atol=1e-7)


def test_any_touch_counts_as_seen():
    vectors = vectors_of(a=[1, 0], b=[1, 0], c=[1, 1])
    log = log_of((1, "a"), (1, "b", "impression"), (2, "c"))
    assert items_of(CosineRecommender().fit(log, item_vectors=vectors).recommend(), 1) == ["c"]


def test_users_without_profile_are_answered_by_the_fallback():
    vectors = vectors_of(a=[1, 0], b=[0, 1], north=[0, 2], south=[0, -2])
    log = log_of(
        (1, "a"),
        (2, "b", "rate", 1.0),  # nothing positive
        (3, "bare"),  # no vector
        (4, "north"), (4, "south"),  # cancel out
    )  # fmt: skip
    lists = CosineRecommender().fit(log, item_vectors=vectors).recommend([3, 1, 4, 99, 2], k=2)
    assert lists.drop_duplicates("user_id").set_index("user_id")["source"].to_dict() == {
        3: "popularity",
        1: "cosine",
        4: "popularity",
        99: "popularity",
        2: "popularity",
    }
    assert items_of(lists, 99) == ["a", "bare"]
    assert items_of(lists, 3) == ["a", "north"]


def test_an_item_vector_of_zeros_has_no_cosine():
    vectors = vectors_of(a=[1, 0], zero=[0, 0], b=[0, 1])
    fitted = CosineRecommender().fit(log_of((1, "a"), (2, "zero"), (3, "b")), None, vectors)
    lists = fitted.recommend(exclude_seen=False)
    assert items_of(lists, 1) == ["a", "b"]
    assert lists[lists["user_id"] == 2]["source"].unique().tolist() == ["popularity"]


def test_a_given_fallback_answers_and_stays_unfitted():
    given_fallback = PopularityRecommender({"browse": -1.0})
    vectors = vectors_of(a=[1, 0], b=[0, 1])
    fitted = CosineRecommender(fallback=given_fallback).fit(log_of((1, "a")), None, vectors)
    assert fitted.recommend([2])["score"].tolist() == [0.0]
    assert not hasattr(given_fallback, "item_ids_")
    with pytest.raises(TypeError, match="fallback must be a Recommender, got str"):
        CosineRecommender(fallback="popularity").fit(log_of((1, "a")), None, vectors)


def test_the_default_fallback_weighs_as_the_profiler():
    log = log_of((1, "a", "watch"))
    profiler = InterestProfiler(event_weights={"watch": 2.0})
    fitted = CosineRecommender(profiler).fit(log, item_vectors=vectors_of(a=[1, 0]))
    assert fitted.recommend([2])["score"].tolist() == [1.0]


def test_vectors_outside_the_catalogue_are_not_recommended():
    vectors = vectors_of(a=[1, 0], b=[1, 0])
    fitted = CosineRecommender().fit(log_of((1, "a")), None, vectors)
    assert fitted.recommend(exclude_seen=False)["item_id"].unique().tolist() == ["a"]


@pytest.mark.parametrize("vectors", [vectors_of(x=[1, 0]), vectors_of(a=[0, 0])])
def test_without_any_vector_the_fallback_answers_for_everybody(vectors):
    fitted = CosineRecommender().fit(log_of((1, "a"), (2, "b")), None, vectors)
    lists = fitted.recommend([1, 2, 3], k=1)
    assert lists["source"].tolist() == ["popularity"] * 3
    assert lists["item_id"].tolist() == ["b", "a", "a"]


@pytest.mark.parametrize(
    ("vectors", "error", "message"),
    [
        (None, TypeError, "item_vectors is missing"),
        (np.eye(2), TypeError, "item_vectors must be a DataFrame"),
        (vectors_of(a=[1, np.nan], b=[0, 1]), ValueError, "item_vectors is not finite for 'a'"),
        (vectors_of(a=[1, 0], b=[0, np.inf]), ValueError, "item_vectors is not finite for 'b'"),
        (vectors_of(a=[1, 0]).loc[["a", "a"]], ValueError, "duplicates: 'a'"),
        (vectors_of(a=[1, 0]).assign(name="a"), ValueError, "item_vectors must be numeric"),
        (vectors_of(a=[1, 0]).set_axis([7]), SchemaError, "no id can match"),
    ],
)
def test_bad_vectors_are_named_errors(vectors, error, message):
    with pytest.raises(error, match=message):
        CosineRecommender().fit(log_of((1, "a")), None, vectors)


@pytest.mark.rows("R02")
@settings(deadline=None, max_examples=50)
@given(
    seed=st.integers(0, 10_000),
    n_items=st.integers(1, 60),
    n_distinct=st.integers(1, 60),
    k=st.integers(1, 12),
    max_scores=st.integers(1, 400),
)
def test_the_list_is_the_exact_top_k(seed, n_items, n_distinct, k, max_scores):
    """Against a full sort of float64 cosines, with repeated vectors so that ties are common."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_distinct, 9))[rng.integers(n_distinct, size=n_items)]
    vectors = pd.DataFrame(rows, index=np.arange(n_items) * 3, dtype="float32")
    log = pd.DataFrame(
        {"user_id": rng.integers(8, size=30), "item_id": rng.choice(vectors.index, size=30)}
    ).assign(timestamp=pd.Timestamp("2026-01-05", tz="UTC"))
    catalogue = pd.DataFrame({"item_id": vectors.index})
    fitted = CosineRecommender().fit(log, catalogue, vectors)
    lists = fitted.recommend(k=k, max_scores=max_scores)
    seen = log.groupby("user_id")["item_id"].agg(set)
    for user in fitted.user_ids_:
        profile = fitted.user_vectors_[fitted.user_ids_.get_loc(user)].astype(float)
        cosine = [float(profile @ v) for v in fitted.item_vectors_.astype(float)]
        free = [i for i in fitted.item_ids_ if i not in seen[user]]
        best = sorted(free, key=lambda i, s=cosine: (-round(s[i // 3], 13), i))[:k]
        assert items_of(lists, user) == best


def test_near_ties_below_float32_are_told_apart():
    """Two items whose cosines differ by less than the noise of a float32 product."""
    rng = np.random.default_rng(3)
    d = 384
    base = rng.normal(size=d).astype("float32")
    rows = np.tile(base, (50, 1))
    rows[:, 0] += np.linspace(0, 1e-4, 50, dtype="float32")
    catalogue = pd.DataFrame({"item_id": np.arange(51)})
    vectors = pd.DataFrame(np.vstack([rows, base]), index=catalogue["item_id"])
    fitted = CosineRecommender().fit(log_of((1, 50)), catalogue, vectors)
    unit = fitted.item_vectors_.astype(float)
    exact = unit[:50] @ unit[50]
    expected = sorted(range(50), key=lambda i: (-exact[i], i))[:5]
    np.testing.assert_allclose(fitted.recommend(k=5)["score"], exact[expected], rtol=0, atol=1e-15)


def test_numbers_and_text_both_serve_as_ids():
    log = log_of(("ann", 5), ("bob", 6))
    lists = PopularityRecommender().fit(log).recommend()
    assert lists.dtypes.astype(str)[["user_id", "item_id"]].tolist() == ["str", "int64"]
    assert lists[["user_id", "item_id"]].to_numpy().tolist() == [["ann", 6], ["bob", 5]]


def test_max_scores_must_be_a_positive_whole_number():
    fitted = PopularityRecommender().fit(log_of((1, "a")))
    with pytest.raises(ValueError, match="max_scores must be at least 1"):
        fitted.recommend(max_scores=0)
    with pytest.raises(TypeError, match="max_scores must be a whole number"):
        fitted.recommend(max_scores=1e6)


def test_missing_user_ids_are_errors():
    fitted = PopularityRecommender().fit(log_of((1, "a")))
    with pytest.raises(SchemaError, match="user_ids is missing"):
        fitted.recommend([1, None])


def test_switches_and_ids_of_the_wrong_kind_are_named():
    fitted = PopularityRecommender().fit(log_of((1, "a")))
    with pytest.raises(TypeError, match="exclude_seen must be True or False, got 'no'"):
        fitted.recommend(exclude_seen="no")
    with pytest.raises(TypeError, match=r"user_ids must be a list, .* got MultiIndex"):
        fitted.recommend(pd.MultiIndex.from_tuples([(1, 2)]))


SQUARE = vectors_of(north=[0, 1], east=[1, 0], south=[0, -1], west=[-1, 0])


@pytest.mark.rows("R03")
@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (0.25, 0.3162), (1.0, 1.0)])
def test_the_session_weight_turns_the_profile(share, expected):
    """The log points north, the session east: the score of east is the sine of the turn."""
    fitted = CosineRecommender(session_weight=share).fit(log_of((1, "north")), None, SQUARE)
    session = log_of((1, "east"))
    lists = fitted.recommend([1], exclude_seen=False, session=session)
    assert lists["source"].tolist() == ["cosine"]  # the catalogue is the log: north alone
    fitted.fit(log_of((1, "north"), (2, "east")), None, SQUARE)
    lists = fitted.recommend([1], exclude_seen=False, session=session).set_index("item_id")
    assert lists.loc["east", "score"] == pytest.approx(expected, abs=1e-4)
    assert lists.loc["north", "score"] == pytest.approx(np.sqrt(1 - expected**2), abs=1e-4)


def test_a_session_that_undoes_the_log_leaves_no_profile():
    log = log_of((1, "north"), (2, "south"))
    fitted = CosineRecommender().fit(log, None, SQUARE)
    lists = fitted.recommend([1], exclude_seen=False, session=log_of((1, "south")))
    assert lists["source"].unique().tolist() == ["popularity"]


@pytest.mark.parametrize(
    ("weight", "error", "message"),
    [
        (1.5, ValueError, "session_weight must be from 0 to 1.0, got 1.5"),
        (-0.1, ValueError, "session_weight must be from 0 to 1.0, got -0.1"),
        ("0.5", TypeError, "session_weight must be a number from 0 to 1.0, got '0.5'"),
    ],
)
def test_a_bad_session_weight_is_named(weight, error, message):
    with pytest.raises(error, match=message):
        CosineRecommender(session_weight=weight).fit(log_of((1, "north")), None, SQUARE)


@pytest.mark.parametrize("clusterer", [None, InterestClusterer(KMeans(5), random_state=0)])
def test_all_metrics_rank_unit_vectors_alike(clusterer):
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 16))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    vectors = pd.DataFrame(rows, dtype="float32")
    pairs = zip(rng.integers(60, size=400), rng.integers(300, size=400), strict=True)
    log = log_of(*pairs)
    lists = {
        metric: CosineRecommender(metric=metric, clusterer=clusterer)
        .fit(log, pd.DataFrame({"item_id": range(300)}), vectors)
        .recommend(k=20)
        for metric in ("cosine", "dot", "euclidean")
    }
    for metric in ("dot", "euclidean"):
        same = lists[metric].drop(columns="score")
        pd.testing.assert_frame_equal(same, lists["cosine"].drop(columns="score"))
    apart = np.sqrt(2 - 2 * lists["cosine"]["score"])
    np.testing.assert_allclose(lists["euclidean"]["score"], -apart, atol=1e-6)


def test_metrics_part_where_items_have_lengths():
    """Along the profile lie a short, a fitting and a long vector."""
    vectors = vectors_of(seen=[1, 0], short=[0.1, 0], fitting=[1, 0.1], long=[9, 2])
    catalogue = pd.DataFrame({"item_id": vectors.index})
    first = {
        metric: CosineRecommender(metric=metric)
        .fit(log_of((1, "seen")), catalogue, vectors)
        .recommend([1], k=1)["item_id"]
        .item()
        for metric in ("cosine", "dot", "euclidean")
    }
    assert first == {"cosine": "short", "dot": "long", "euclidean": "fitting"}


def test_the_centroid_stands_for_the_user_whatever_the_clusters_are_called():
    """Two groups of users; each gets the item nearest to the group's centroid."""
    rng = np.random.default_rng(1)
    east = np.array([[1.0, 0.0, 0.0]]) + 0.2 * rng.normal(size=(20, 3))
    north = np.array([[0.0, 1.0, 0.0]]) + 0.2 * rng.normal(size=(20, 3))
    vectors = pd.DataFrame(np.vstack([east, north]), dtype="float32")
    log = log_of(*[(u, u) for u in range(40)])
    clusterer = InterestClusterer(KMeans(2, n_init=3), random_state=0)
    fitted = CosineRecommender(clusterer=clusterer).fit(log, None, vectors)
    centroid = fitted.clusterer_.centroids_[fitted.clusterer_.predict(fitted.profile_vectors_)]
    np.testing.assert_allclose(fitted.user_vectors_, centroid, atol=1e-6)
    lists = fitted.recommend(k=1, exclude_seen=False).set_index("user_id")["item_id"]
    assert lists.groupby(lists.index < 20).nunique().tolist() == [1, 1]
    cosines = fitted.item_vectors_ @ centroid[[0, 30]].T
    assert lists[[0, 30]].tolist() == cosines.argmax(axis=0).tolist()


def test_users_without_a_cluster_go_to_the_fallback():
    clusterer = InterestClusterer(KMeans(1), min_similarity=0.9, random_state=0)
    log = log_of((1, "north"), (2, "north"), (3, "north"), (4, "east"))
    lists = CosineRecommender(clusterer=clusterer).fit(log, None, SQUARE).recommend([1, 4])
    assert lists["source"].tolist() == ["cosine", "popularity"]


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"metric": "manhattan"}, ValueError, "metric must be one of 'cosine', 'dot', 'eucl"),
        ({"clusterer": KMeans(2)}, TypeError, "clusterer must be an InterestClusterer, got KM"),
        ({"profiler": PopularityRecommender()}, TypeError, "profiler must be an InterestProfiler"),
    ],
)
def test_bad_parameters_of_the_cosine_are_named(wrong, error, message):
    with pytest.raises(error, match=message):
        CosineRecommender(**wrong).fit(log_of((1, "north")), None, SQUARE)


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
@pytest.mark.parametrize("size", [1e-44, 1e-30, 1e30, 3e38])
def test_vectors_as_small_or_large_as_float32_can_hold(metric, size):
    vectors = SQUARE * np.float32(size)
    catalogue = pd.DataFrame({"item_id": vectors.index})
    fitted = CosineRecommender(metric=metric).fit(log_of((1, "north")), catalogue, vectors)
    lists = fitted.recommend([1], exclude_seen=False)
    assert lists["source"].unique().tolist() == ["cosine"]
    if metric != "euclidean":  # for which all are nearly as far
        assert lists["item_id"].tolist() == ["north", "east", "west", "south"]


def test_one_request_does_not_look_up_the_whole_catalogue(monkeypatch):
    fitted = CosineRecommender().fit(log_of((1, "north"), (2, "east")), None, SQUARE)
    looked_up = []
    monkeypatch.setattr(pd.Index, "isin", lambda self, values: looked_up.append(self))
    fitted.recommend([1, 99])
    assert not looked_up
