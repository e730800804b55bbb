import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from recsys_interest.checks import SchemaError
from recsys_interest.ranking_metrics import evaluate_recommendations, per_user_metrics

quick = settings(deadline=None, max_examples=50)


def lists_of(**items_by_user):
    rows = [(u, i, r) for u, items in items_by_user.items() for r, i in enumerate(items, 1)]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "rank"])


def relevant_of(**items_by_user):
    rows = [(u, i) for u, items in items_by_user.items() for i in items]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


# ann: hits at ranks 1 and 3, 3 relevant; bob: no list; cid: one hit at rank 2, 1 relevant;
# dan has a list and nothing relevant.
LISTS = lists_of(ann="axbyz", cid="xc", dan="ab")
RELEVANT = relevant_of(ann="abc", bob="a", cid="c")
D2, D3, D4 = 1 / np.log2(3), 1 / 2, 1 / np.log2(5)  # discounts of the ranks 2, 3 and 4


@pytest.mark.rows("M03", "Q10")
@pytest.mark.parametrize(
    ("metric", "ann", "cid"),
    [
        ("precision@4", 2 / 4, 1 / 4),
        ("recall@4", 2 / 3, 1),
        ("ndcg@4", (1 + D3) / (1 + D2 + D3), D2 / 1),
        ("mrr@4", 1, 1 / 2),
        ("map@4", (1 / 1 + 2 / 3) / 3, (1 / 2) / 1),
        ("hit_rate@4", 1, 1),
    ],
)
def test_each_metric_by_hand(metric, ann, cid):
    per_user = per_user_metrics(LISTS, RELEVANT, k=4)
    assert per_user.index.tolist() == ["ann", "bob", "cid"]
    np.testing.assert_allclose(per_user[metric], [ann, 0, cid], rtol=1e-15)
    mean = evaluate_recommendations(LISTS, RELEVANT, k=4, n_boot=10).loc[metric]
    np.testing.assert_allclose(mean["mean"], (ann + 0 + cid) / 3, rtol=1e-15)
    assert mean["n_users"] == 3


def test_k_cuts_lists_and_denominators():
    per_user = per_user_metrics(LISTS, RELEVANT, k=2).loc["ann"]
    expected = [1 / 2, 1 / 3, 1 / (1 + D2), 1, 1 / 2, 1]
    np.testing.assert_allclose(per_user, expected, rtol=1e-15)


def test_a_hole_in_the_ranks_is_a_miss():
    holes = pd.DataFrame({"user_id": ["u", "u"], "item_id": ["a", "b"], "rank": [2, 4]})
    per_user = per_user_metrics(holes, relevant_of(u="ab"), k=4).loc["u"]
    expected = [2 / 4, 1, (D2 + D4) / (1 + D2), 1 / 2, (1 / 2 + 2 / 4) / 2, 1]
    np.testing.assert_allclose(per_user, expected, rtol=1e-15)


def test_a_perfect_list_gets_exactly_one():
    ids = [f"i{i:02d}" for i in range(30)]
    for n_relevant in range(1, 31):
        per_user = per_user_metrics(lists_of(u=ids), relevant_of(u=ids[:n_relevant]), k=10)
        wanted = ["ndcg@10", "mrr@10", "map@10", "hit_rate@10"]
        assert (per_user[wanted] == 1).all(axis=None)
        assert per_user["precision@10"].item() == min(n_relevant, 10) / 10
        assert per_user["recall@10"].item() == min(10 / n_relevant, 1)


@st.composite
def cases(draw):
    seed = draw(st.integers(0, 10_000))
    n_items, k = draw(st.integers(2, 15)), draw(st.integers(1, 15))
    return np.random.default_rng(seed), n_items, k


@pytest.mark.rows("M03")
@quick
@given(case=cases())
def test_ndcg_and_average_precision_agree_with_scikit_learn(case):
    rng, n, k = case
    order = rng.permutation(n)
    gain = rng.integers(2, size=n)
    gain[rng.integers(n)] = 1
    lists = pd.DataFrame({"user_id": 1, "item_id": order, "rank": np.arange(1, n + 1)})
    relevant = pd.DataFrame({"user_id": 1, "item_id": np.flatnonzero(gain)})
    scores = np.empty(n)
    scores[order] = -np.arange(n)
    ours = per_user_metrics(lists, relevant, k=k).iloc[0]
    np.testing.assert_allclose(ours[f"ndcg@{k}"], sk.ndcg_score([gain], [scores], k=k), rtol=1e-12)
    whole = per_user_metrics(lists, relevant, k=n).iloc[0]
    average_precision = sk.average_precision_score(gain, scores)
    np.testing.assert_allclose(whole[f"map@{n}"], average_precision, rtol=1e-12)
    reciprocal = sk.label_ranking_average_precision_score(
        [(scores == scores[gain == 1].max()).astype(int)], [scores]
    )
    np.testing.assert_allclose(whole[f"mrr@{n}"], reciprocal, rtol=1e-12)


@settings(deadline=None, max_examples=20)
@given(case=cases())
def test_many_users_at_once_are_the_users_one_by_one(case):
    rng, n, k = case
    pairs = pd.MultiIndex.from_product([range(6), range(n)], names=["user_id", "item_id"])
    table = pairs.to_frame(index=False)
    ranked = table.sample(frac=0.6, random_state=int(rng.integers(1000)))
    ranked["rank"] = ranked.groupby("user_id").cumcount() + 1
    relevant = table[rng.random(len(table)) < 0.3]
    if relevant.empty:
        return
    together = per_user_metrics(ranked, relevant, k=k)
    alone = [
        per_user_metrics(ranked[ranked["user_id"] == u], relevant[relevant["user_id"] == u], k=k)
        for u in sorted(relevant["user_id"].unique())
    ]
    pd.testing.assert_frame_equal(together, pd.concat(alone), check_exact=True)
    assert together.min(axis=None) >= 0
    assert together.max(axis=None) <= 1


def test_row_order_index_and_duplicates_do_not_matter():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"user_id": np.repeat(np.arange(40), 8)})
    table["item_id"] = np.concatenate([rng.permutation(30)[:8] for _ in range(40)])
    lists = table.assign(rank=table.groupby("user_id").cumcount() + 1)
    relevant = table.sample(frac=0.4, random_state=1)
    expected = evaluate_recommendations(lists, relevant, k=5, catalogue=range(30))
    assert 0.3 < expected.loc["recall@5", "mean"] < 0.9
    for seed in range(3):
        shuffled = lists.sample(frac=1, random_state=seed)
        doubled = pd.concat([relevant, relevant]).sample(frac=1, random_state=seed)
        again = evaluate_recommendations(shuffled, doubled, k=5, catalogue=range(30))
        pd.testing.assert_frame_equal(again, expected, check_exact=True)


def test_table_shape():
    found = evaluate_recommendations(LISTS, RELEVANT, k=3)
    names = ["precision", "recall", "ndcg", "mrr", "map", "hit_rate", "coverage", "gini"]
    assert found.index.tolist() == [f"{name}@3" for name in names]
    assert found.index.name == "metric"
    kinds = {"mean": "float64", "ci_low": "float64", "ci_high": "float64", "n_users": "int64"}
    assert found.dtypes.astype(str).to_dict() == kinds
    assert found["n_users"].tolist() == [3] * 6 + [3] * 2
    assert found.loc[["coverage@3", "gini@3"], ["mean", "ci_low", "ci_high"]].isna().all(axis=None)


def test_no_lists_at_all_score_zero():
    for empty in (LISTS.iloc[:0], pd.DataFrame(columns=["user_id", "item_id", "rank"])):
        found = evaluate_recommendations(empty, RELEVANT, catalogue=5)
        assert (found["mean"].iloc[:6] == 0).all()
        assert found.loc["coverage@10", "mean"] == 0
        assert np.isnan(found.loc["gini@10", "mean"])
        numbers = RELEVANT.assign(user_id=[1, 1, 1, 2, 3])
        assert (per_user_metrics(empty, numbers) == 0).all(axis=None)


def test_ranks_below_k_only_is_no_hit():
    assert (per_user_metrics(lists_of(u="xa"), relevant_of(u="a"), k=1) == 0).all(axis=None)


@pytest.mark.rows("M04")
@pytest.mark.parametrize(
    "catalogue",
    [
        6,
        np.int64(6),
        list("abcxyz"),
        pd.Series(list("abcxyz")),
        pd.DataFrame({"item_id": [*"abcxyz"]}),
    ],
)
def test_coverage_and_gini_by_hand(catalogue):
    # In the top 2: a twice, x twice, b and c once; y and z never.
    found = evaluate_recommendations(LISTS, RELEVANT, k=2, catalogue=catalogue, n_boot=0)["mean"]
    assert found["coverage@2"] == 4 / 6
    x = np.array([0, 0, 1, 1, 2, 2])
    mean_difference = np.abs(x[:, None] - x[None, :]).mean()  # the other definition of Gini
    np.testing.assert_allclose(found["gini@2"], mean_difference / (2 * x.mean()), rtol=1e-15)


def test_gini_at_its_ends():
    equal = evaluate_recommendations(lists_of(u="ab", v="cd"), RELEVANT, catalogue=4)
    assert equal.loc["gini@10", "mean"] == 0
    one = evaluate_recommendations(lists_of(u="a", v="a"), RELEVANT, catalogue=100)
    assert one.loc["gini@10", "mean"] == 0.99


def random_case(n_users):
    rng = np.random.default_rng(5)
    table = pd.DataFrame({"user_id": np.repeat(np.arange(n_users), 10)})
    table["item_id"] = np.tile(np.arange(10), n_users)
    lists = table.assign(rank=np.tile(np.arange(1, 11), n_users))
    return lists, table[rng.random(len(table)) < 0.4]


def test_intervals_hold_the_mean_and_shrink_with_the_root_of_the_users():
    widths = []
    for n in (50, 800):
        found = evaluate_recommendations(*random_case(n), k=5).iloc[:5]
        assert (found["ci_low"] < found["mean"]).all()
        assert (found["mean"] < found["ci_high"]).all()
        widths.append((found["ci_high"] - found["ci_low"]).to_numpy())
    shrinkage = widths[0] / widths[1]
    assert ((shrinkage > 3) & (shrinkage < 5.3)).all()  # the root of 16 is 4


def test_the_interval_is_as_wide_as_the_normal_one():
    lists, relevant = random_case(400)
    precision = per_user_metrics(lists, relevant, k=5)["precision@5"]
    found = evaluate_recommendations(lists, relevant, k=5, n_boot=4000).loc["precision@5"]
    half = 1.96 * precision.std(ddof=0) / np.sqrt(len(precision))
    np.testing.assert_allclose(found["mean"] - found["ci_low"], half, rtol=0.1)
    np.testing.assert_allclose(found["ci_high"] - found["mean"], half, rtol=0.1)


def test_intervals_are_reproducible():
    lists, relevant = random_case(50)
    first, again, other = (
        evaluate_recommendations(lists, relevant, random_state=s, n_boot=50) for s in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert (first["ci_low"] != other["ci_low"]).any()
    assert evaluate_recommendations(lists, relevant, n_boot=0)["ci_low"].isna().all()


@pytest.mark.parametrize(
    ("lists", "relevant", "options", "error", "message"),
    [
        (LISTS.drop(columns="rank"), RELEVANT, {}, SchemaError, "recommendations lacks .* 'rank'"),
        (LISTS, RELEVANT.drop(columns="item_id"), {}, SchemaError, "relevant lacks .* 'item_id'"),
        (LISTS.to_numpy(), RELEVANT, {}, TypeError, "recommendations must be a pandas DataFrame"),
        (LISTS, [1], {}, TypeError, "relevant must be a pandas DataFrame"),
        (LISTS, RELEVANT.iloc[:0], {}, ValueError, "relevant has no rows"),
        (lists_of(u="aba"), RELEVANT, {}, SchemaError, r"same item_id twice.*\('u', 'a'\)"),
        (LISTS.assign(rank=1), RELEVANT, {}, SchemaError, r"same rank twice.*\('ann', 1\)"),
        (LISTS.assign(rank=LISTS["rank"] - 1), RELEVANT, {}, SchemaError, "from 1 on, .* 0"),
        (LISTS.assign(rank=LISTS["rank"] / 2), RELEVANT, {}, SchemaError, "rank must be .* 0.5"),
        (
            LISTS.assign(rank=None),
            RELEVANT,
            {},
            SchemaError,
            "rank is missing .* number",
        ),
        (LISTS.assign(rank=True), RELEVANT, {}, SchemaError, "rank must be whole .* holds True"),
        (
            LISTS.assign(rank=pd.Series([10**400] * len(LISTS), dtype=object)),
            RELEVANT,
            {},
            SchemaError,
            "rank must be whole .* 1000",
        ),
        (LISTS, RELEVANT, {"k": 10**30}, ValueError, "k must be at most"),
        (LISTS.assign(rank="first"), RELEVANT, {}, SchemaError, "rank must be whole .* 'first'"),
        (LISTS, RELEVANT.assign(user_id=1), {}, SchemaError, "no id can match"),
        (LISTS, RELEVANT.assign(item_id=1), {}, SchemaError, "no id can match"),
        (LISTS, RELEVANT, {"k": 0}, ValueError, "k must be at least 1"),
        (LISTS, RELEVANT, {"k": 1.5}, TypeError, "k must be a whole number"),
        (LISTS, RELEVANT, {"n_boot": -1}, ValueError, "n_boot must be at least 0"),
        (LISTS, RELEVANT, {"n_boot": None}, TypeError, "n_boot must be a whole number"),
        (LISTS, RELEVANT, {"catalogue": 5}, ValueError, "is 5, but 6 different items"),
        (LISTS, RELEVANT, {"catalogue": list("abxyz")}, ValueError, "lacks recommended items: 'c'"),
        (LISTS, RELEVANT, {"catalogue": [1, 2]}, SchemaError, "no id can match"),
        (LISTS, RELEVANT, {"catalogue": []}, ValueError, "catalogue has no items"),
        (LISTS, RELEVANT, {"catalogue": 2.5}, TypeError, "catalogue must be a whole number"),
        (LISTS, RELEVANT, {"catalogue": "abc"}, TypeError, "catalogue must be a frame or ids"),
        (LISTS, RELEVANT, {"catalogue": True}, TypeError, "catalogue must be a whole number"),
    ],
)
def test_bad_input_is_named(lists, relevant, options, error, message):
    with pytest.raises(error, match=message):
        evaluate_recommendations(lists, relevant, **options)


def test_evaluation_leaves_its_inputs_alone():
    lists, relevant = LISTS.copy(deep=True), RELEVANT.copy(deep=True)
    evaluate_recommendations(lists, relevant, catalogue=pd.DataFrame({"item_id": [*"abcxyz"]}))
    pd.testing.assert_frame_equal(lists, LISTS)
    pd.testing.assert_frame_equal(relevant, RELEVANT)


def test_an_index_with_the_name_of_a_column_does_no_harm():
    named = [t.set_index("user_id", drop=False) for t in (LISTS, RELEVANT)]
    expected = evaluate_recommendations(LISTS, RELEVANT)
    pd.testing.assert_frame_equal(evaluate_recommendations(*named), expected)


@pytest.mark.parametrize("kind", ["float64", "Int64", "object", "category"])
def test_whole_ranks_of_any_type_serve(kind):
    lists = LISTS.assign(rank=LISTS["rank"].astype(kind))
    expected = per_user_metrics(LISTS, RELEVANT)
    pd.testing.assert_frame_equal(per_user_metrics(lists, RELEVANT), expected)


def test_a_large_k_is_a_k():
    found = per_user_metrics(LISTS, RELEVANT, k=10**12)
    np.testing.assert_array_equal(
        found[f"recall@{10**12}"], per_user_metrics(LISTS, RELEVANT, k=100)["recall@100"]
    )
