"""Look-alikes of planted groups, the lift against counting and chance, and bad input."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier

from recsys_interest.look_alike import look_alike_lift, look_alikes
from recsys_interest.profiles import InterestProfiler
from recsys_interest.splitting import random_split
from recsys_interest.text import item_text
from tests.keyword_encoder import KeywordEncoder


def groups(seed=0, n=40, dim=12):
    """Return three groups of users around an axis each, far from the origin, and their group."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1, 2], n)
    rows = 2 + np.eye(3, dim)[truth] + rng.normal(scale=0.3, size=(3 * n, dim))
    users = pd.Index([f"u{i:03d}" for i in range(3 * n)], name="user_id")
    return pd.DataFrame(rows, index=users), pd.Series(truth, index=users)


@pytest.mark.parametrize(
    "estimator", [None, LinearDiscriminantAnalysis(), RandomForestClassifier(50)]
)
@pytest.mark.parametrize("group", [0, 1, 2])
def test_the_rest_of_the_group_comes_first(estimator, group):
    vectors, truth = groups()
    mine = truth.index[truth == group]
    found = look_alikes(vectors, mine[:15], estimator=estimator, random_state=0)
    assert len(found) == len(vectors) - 15
    assert not found.index.isin(mine[:15]).any()
    assert found["rank"].tolist() == list(range(1, len(found) + 1))
    assert found["score"].is_monotonic_decreasing
    assert found.index[:25].isin(mine).mean() > 0.6  # a quarter by chance
    assert look_alikes(vectors, mine[:15], estimator=estimator, random_state=0, k=7).equals(
        found.head(7)
    )


def test_seeds_at_random_find_no_group():
    vectors, truth = groups()
    seeds = truth.sample(15, random_state=0).index
    share = truth[look_alikes(vectors, seeds).index[:25]].value_counts(normalize=True)
    assert share.max() < 0.8


def test_similarity_by_hand():
    vectors = pd.DataFrame([[3.0, 0], [0, 2], [0, 1], [5, 5]], index=list("abcd"))
    half = np.sqrt(0.5)
    unit = np.array([[1, 0], [0, 1], [0, 1], [half, half]])
    z = unit - unit.mean(axis=0)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    found = look_alikes(vectors, ["a"])
    np.testing.assert_allclose(found.loc[list("bcd"), "similarity"], z[1:] @ z[0])
    assert found.index.tolist() == ["d", "b", "c"]  # b and c are equal: by id


def test_order_and_length_of_the_rows_do_not_matter():
    vectors, truth = groups()
    seeds = truth.index[:9].tolist()
    found = look_alikes(vectors, seeds)
    for seed in range(3):
        mixed = vectors.sample(frac=1, random_state=seed)
        again = look_alikes(mixed, seeds[::-1] + seeds[:2])
        pd.testing.assert_frame_equal(again, found, check_exact=True)
    longer = vectors.mul(2.0 ** np.random.default_rng(0).integers(-20, 20, len(vectors)), axis=0)
    pd.testing.assert_frame_equal(look_alikes(longer, seeds), found)


def test_users_without_a_direction_are_left_out():
    vectors, _ = groups()
    vectors.iloc[50] = 0.0
    assert "u050" not in look_alikes(vectors, ["u000", "u001"]).index
    found = look_alike_lift(vectors, {0: ["u000", "u050"]}, {0: ["u050", "u001"]})
    assert found[["n_seeds", "n_candidates", "n_later"]].to_numpy().tolist() == [[1, 118, 1]]
    with pytest.raises(ValueError, match="seeds 'u050' have vectors of zeros"):
        look_alikes(vectors, ["u000", "u050"])


def test_one_seed_everybody_and_equal_users():
    vectors, _ = groups()
    assert len(look_alikes(vectors, ["u000"])) == 119
    assert look_alikes(vectors, vectors.index).shape == (0, 3)
    same = pd.DataFrame(1.0, index=list("cab"), columns=["x", "y"])
    found = look_alikes(same, ["c"])
    assert found.index.tolist() == ["a", "b"]
    assert found["similarity"].tolist() == [0, 0]


def test_lift_by_hand():
    vectors, _ = groups(n=4)
    order = vectors.index.tolist()
    found = look_alike_lift(
        vectors,
        pd.Series({"tent": order[:2], "novel": [*order[:3], "stranger"], "none": ["stranger"]}),
        {"tent": [order[1], order[2], order[11], "stranger"]},
        k=3,
        find=lambda vectors, seeds: [u for u in order if u not in seeds],
    )
    assert found.index.tolist() == ["tent", "novel"]
    tent = found.loc["tent"]
    # Ten candidates of whom two do it later; of the first three one does.
    assert tent[["n_seeds", "n_candidates", "n_later"]].tolist() == [2, 10, 2]
    assert tent[["base_rate", "hit_rate", "lift"]].tolist() == pytest.approx([0.2, 1 / 3, 5 / 3])
    assert tent["p_value"] == pytest.approx(1 - (8 * 7 * 6) / (10 * 9 * 8))
    novel = found.loc["novel"]
    assert novel[["n_seeds", "n_later", "hit_rate", "p_value"]].tolist() == [3, 0, 0, 1]
    assert np.isnan(novel["lift"])


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 12), st.integers(0, 11), st.integers(0, 2**31 - 1))
def test_the_p_value_is_the_share_of_random_choices_that_do_as_well(k, n_later, seed):
    rng = np.random.default_rng(seed)
    vectors, _ = groups(n=4)
    others = vectors.index[1:].to_numpy()
    later = rng.choice(others, n_later, replace=False)
    picked = rng.permutation(others)
    found = look_alike_lift(vectors, {0: ["u000"]}, {0: later}, k=k, find=lambda v, s: picked)
    draws = np.array([np.isin(rng.permutation(others)[:k], later).sum() for _ in range(2000)])
    as_good = (draws >= np.isin(picked[:k], later).sum()).mean()
    assert found["p_value"].iloc[0] == pytest.approx(as_good, abs=0.06)


def test_random_choices_have_a_lift_of_one_and_planted_groups_more():
    vectors, truth = groups(n=60)
    rng = np.random.default_rng(0)
    by_group = truth.index.groupby(truth)
    mixed = {g: rng.permutation(by_group[g]) for g in range(3)}
    seeds = {(g, b): mixed[g][10 * b : 10 * b + 10] for g in range(3) for b in range(6)}
    later = {(g, b): np.setdiff1d(mixed[g], seeds[g, b]) for g, b in seeds}
    ours = look_alike_lift(vectors, seeds, later, k=20)
    chance = look_alike_lift(
        vectors, seeds, later, k=20,
        find=lambda v, s: rng.permutation(v.index.difference(s)),
    )  # fmt: skip
    assert 0.8 < chance["lift"].mean() < 1.2
    assert ours["lift"].mean() > 2.5  # 170 / 50 is the most there can be
    assert ours["p_value"].max() < 0.001


@pytest.mark.rows("C10", "Q01")
def test_on_films_look_alikes_beat_chance_and_the_busiest_users(require_data):
    data = require_data("movielens-small")
    rated = data.events[data.events["event"] == "rate"]
    split = random_split(rated, test_share=0.2, random_state=0)
    vectors = KeywordEncoder(256).transform(item_text(data.items))
    vectors.index = data.items["item_id"]
    users = InterestProfiler().fit(split.train, vectors).profiles_
    liked = split.test[split.test["value"] >= 4]
    audiences = split.train.groupby("item_id")["user_id"].unique()
    later = liked.groupby("item_id")["user_id"].unique()
    common = audiences.index[audiences.map(len) >= 60].intersection(
        later.index[later.map(len) >= 15]
    )[:40]
    assert len(common) == 40
    busy = split.train["user_id"].value_counts(sort=True).index
    lifts = {
        name: look_alike_lift(users, audiences[common], later[common], k=50, find=find)
        for name, find in {
            "ours": None,
            "busiest": lambda v, s: [u for u in busy if u in v.index and u not in set(s)],
        }.items()
    }
    ours, busiest = lifts["ours"]["lift"], lifts["busiest"]["lift"]
    assert ours.mean() > 3
    assert (ours - busiest).mean() > 0.3


VECTORS, _ = groups(n=3)


@pytest.mark.parametrize(
    ("vectors", "seeds", "options", "error", "message"),
    [
        (VECTORS.to_numpy(), ["u000"], {}, TypeError, "vectors must be a DataFrame"),
        (VECTORS * np.nan, ["u000"], {}, ValueError, "vectors is not finite for 'u000'"),
        (VECTORS, [], {}, ValueError, "seeds is empty"),
        (VECTORS, "u000", {}, TypeError, "seeds must be a list of user ids, got 'u000'"),
        (VECTORS, 5, {}, TypeError, "seeds must be a list of user ids, got 5"),
        (VECTORS, ["u000", "x"], {}, ValueError, "users without a vector: 'x'; leave them out"),
        (VECTORS, ["u000"], {"k": 0}, ValueError, "k must be at least 1"),
        (VECTORS, ["u000"], {"estimator": 3}, TypeError, "estimator must be a classifier"),
        (
            VECTORS,
            ["u000"],
            {"estimator": KMeans()},
            TypeError,
            "must have decision_function or predict_proba",
        ),
    ],
)
def test_bad_input_is_named(vectors, seeds, options, error, message):
    with pytest.raises(error, match=message):
        look_alikes(vectors, seeds, **options)


@pytest.mark.parametrize(
    ("audiences", "options", "error", "message"),
    [
        ([["u000"]], {}, TypeError, "audiences must be a mapping or Series"),
        ({0: ["u000"]}, {"k": 0}, ValueError, "k must be at least 1"),
        ({0: ["u000"]}, {"find": lambda v, s: s}, ValueError, "find returned 'u000': seeds"),
        ({0: ["u000"]}, {"find": lambda v, s: ["u001"] * 2}, ValueError, "returned 'u001'.*twice"),
        ({0: ["u000"]}, {"find": lambda v, s: ["x"]}, ValueError, "returned 'x'.*without a vector"),
    ],
)
def test_bad_audiences_are_named(audiences, options, error, message):
    with pytest.raises(error, match=message):
        look_alike_lift(VECTORS, audiences, {}, **options)
    with pytest.raises(TypeError, match="held_out must be a mapping or Series"):
        look_alike_lift(VECTORS, {}, [], k=1)
