import numpy as np
import pandas as pd
import pytest
from scipy import stats

from recsys_interest.checks import SchemaError
from recsys_interest.group_metrics import evaluate_by_group
from recsys_interest.paired_tests import compare_recommendations, holm
from recsys_interest.ranking_metrics import evaluate_recommendations, per_user_metrics


def lists_with_hits(hits, n_items=10):
    """Lists of ten items for each user; user u has so many hits, in the first places."""
    rows = []
    for u, h in enumerate(hits):
        items = [f"good{i}" for i in range(h)] + [f"bad{i}" for i in range(n_items - h)]
        rows += [(u, i, r) for r, i in enumerate(items, 1)]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "rank"])


def relevant_for(n_users):
    rows = [(u, f"good{i}") for u in range(n_users) for i in range(10)]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


def random_hits(n_users, seed):
    return np.random.default_rng(seed).integers(0, 8, n_users)


def test_differences_and_intervals():
    n = 200
    hits = random_hits(n, 0)
    lists = {
        "base": lists_with_hits(hits),
        "better": lists_with_hits(hits + 1),
        "other": lists_with_hits(random_hits(n, 1)),
    }
    found = compare_recommendations(
        lists, relevant_for(n), reference="base", metric="precision", n_permutations=999
    )
    assert found.index.tolist() == ["base", "better", "other"]
    alone = evaluate_recommendations(lists["other"], relevant_for(n)).loc["precision@10"]
    np.testing.assert_allclose(found.loc["other", "mean"], alone["mean"], rtol=1e-15)
    # Everybody has one more hit: no doubt about the difference, whatever the means do.
    better = found.loc["better"]
    np.testing.assert_allclose(
        better[["difference", "difference_low", "difference_high"]], 0.1, rtol=1e-9
    )
    assert better["ci_high"] - better["ci_low"] > 0.05
    assert better["p_value"] == 1 / 1000
    assert found.loc["base", "difference"] == 0
    assert np.isnan(found.loc["base", "p_value"])
    other = found.loc["other"]
    assert other["difference_low"] < other["difference"] < other["difference_high"]


def test_few_users_give_the_exact_p_value():
    # Three users, all better: two of the eight throws are as far from zero.
    lists = {"a": lists_with_hits([1, 2, 3]), "b": lists_with_hits([2, 4, 7])}
    found = compare_recommendations(lists, relevant_for(3), reference="a", metric="precision")
    assert found.loc["b", "p_value"] == 2 / 8
    assert found.loc["b", "p_holm"] == 2 / 8


def test_the_p_value_is_near_that_of_the_t_test():
    n = 300
    lists = {"a": lists_with_hits(random_hits(n, 2)), "b": lists_with_hits(random_hits(n, 3))}
    found = compare_recommendations(lists, relevant_for(n), reference="a", metric="recall")
    each = [per_user_metrics(x, relevant_for(n))["recall@10"] for x in lists.values()]
    assert found.loc["b", "p_value"] == pytest.approx(stats.ttest_rel(*each).pvalue, abs=0.02)


@pytest.mark.rows("M05")
def test_alike_methods_are_rarely_called_different_and_unlike_ones_are():
    def p_values(shift, n=40, runs=60):
        out = []
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            lists = {
                "a": lists_with_hits(rng.integers(0, 8, n)),
                "b": lists_with_hits(rng.integers(0, 8, n) + shift),
            }
            table = compare_recommendations(
                lists, relevant_for(n), reference="a", metric="recall", n_boot=0, n_permutations=199
            )
            out.append(table.loc["b", "p_value"])
        return np.array(out)

    alike = p_values(0)
    assert 0.35 < alike.mean() < 0.65  # uniform
    assert (alike < 0.05).mean() < 0.15
    assert (p_values(2) < 0.05).mean() > 0.7


def test_identical_lists_have_the_p_value_one():
    lists = {"a": lists_with_hits([1, 2]), "b": lists_with_hits([1, 2])}
    found = compare_recommendations(lists, relevant_for(2), reference="a")
    assert found.loc["b", ["difference", "p_value", "p_holm"]].tolist() == [0, 1, 1]


def test_seeds_and_row_order():
    hits = {"a": random_hits(50, 4), "b": random_hits(50, 5)}
    lists = {name: lists_with_hits(h) for name, h in hits.items()}
    options = {"reference": "a", "n_boot": 50, "n_permutations": 99}
    first = compare_recommendations(lists, relevant_for(50), **options)
    shuffled = {name: x.sample(frac=1, random_state=1) for name, x in lists.items()}
    again = compare_recommendations(shuffled, relevant_for(50), **options)
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    other = compare_recommendations(lists, relevant_for(50), **options, random_state=1)
    assert (first["ci_low"] != other["ci_low"]).all()


def test_holm_by_hand_and_at_its_ends():
    np.testing.assert_allclose(holm([0.01, 0.02, 0.03, 0.04]), [0.04, 0.06, 0.06, 0.06])
    np.testing.assert_allclose(holm([0.5, np.nan, 0.4]), [0.8, np.nan, 0.8])
    np.testing.assert_allclose(holm([0.9, 0.8]), [1, 1])
    assert holm([]).shape == (0,)
    p = np.random.default_rng(0).random(20)
    # No smaller than the p-values, no larger than Bonferroni's, and in the same order.
    corrected = holm(p)
    assert (corrected >= p).all()
    assert (corrected <= np.minimum(1, 20 * p)).all()
    assert (np.diff(corrected[np.argsort(p)]) >= 0).all()


def test_groups_by_hand():
    hits = [10, 8, 2, 0]
    found = evaluate_by_group(
        lists_with_hits(hits), relevant_for(4), pd.Series(list("AABB")), n_boot=300
    )
    precision = found.loc["precision@10"]
    np.testing.assert_allclose(precision["mean"], [0.9, 0.1], rtol=1e-15)
    np.testing.assert_allclose(precision["gap"], [0.8, -0.8], rtol=1e-15)
    assert precision["n_users"].tolist() == [2, 2]
    assert (precision["gap_low"] <= precision["gap"]).all()
    np.testing.assert_allclose(precision.loc["A", ["gap_low", "gap_high"]], [0.6, 1.0], rtol=1e-9)


def test_the_means_of_the_groups_are_those_of_the_whole():
    n = 90
    lists, relevant = lists_with_hits(random_hits(n, 6)), relevant_for(n)
    groups = pd.Series(np.arange(n) % 3, index=range(n))
    found = evaluate_by_group(lists, relevant, groups, n_boot=0)
    whole = evaluate_recommendations(lists, relevant, n_boot=0)["mean"]
    for metric, part in found.groupby(level="metric"):
        weighted = (part["mean"] * part["n_users"]).sum() / n
        np.testing.assert_allclose(weighted, whole[metric], rtol=1e-12)
    alone = evaluate_by_group(lists, relevant, groups * 0)
    assert alone[["gap", "gap_low", "gap_high"]].isna().all(axis=None)
    np.testing.assert_allclose(
        alone.loc["ndcg@10", "ci_low"], evaluate_recommendations(lists, relevant)["ci_low"].iloc[2]
    )


@pytest.mark.parametrize("kind", [int, np.int64])
def test_a_group_and_the_others_are_drawn_apart(kind):
    # Both halves have the same values: with the same draws the gap would not vary.
    lists, groups = lists_with_hits([2, 9, 2, 9]), pd.Series(list("AABB"))
    for seed in (3, 2**32 - 1):
        found = evaluate_by_group(lists, relevant_for(4), groups, random_state=kind(seed))
        row = found.loc[("precision@10", "A")]
        assert row["gap_low"] < row["gap"] == 0 < row["gap_high"]


@pytest.mark.rows("H07")
def test_a_planted_gap_is_found_and_no_gap_is_not():
    n = 400
    half = np.arange(n) % 2
    even = evaluate_by_group(
        lists_with_hits(random_hits(n, 7)), relevant_for(n), pd.Series(half), n_boot=400
    ).loc[("recall@10", 1)]
    assert even["gap_low"] < 0 < even["gap_high"]
    planted = evaluate_by_group(
        lists_with_hits(random_hits(n, 7) + half), relevant_for(n), pd.Series(half), n_boot=400
    ).loc[("recall@10", 1)]
    assert 0 < planted["gap_low"] < 0.1 < planted["gap_high"]


GOOD = {"a": lists_with_hits([1])}


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: compare_recommendations([], relevant_for(1), reference="a"), TypeError, "mapping"),
        (lambda: compare_recommendations(GOOD, relevant_for(1), reference="b"), ValueError, "'b' "),
        (
            lambda: compare_recommendations(GOOD, relevant_for(1), reference="a", metric="auc"),
            ValueError,
            "metric='auc' is unknown; choose one of 'precision'",
        ),
        (
            lambda: compare_recommendations(GOOD, relevant_for(1), reference="a", n_permutations=0),
            ValueError,
            "n_permutations must be at least 1",
        ),
        (lambda: holm([1.5]), ValueError, "between 0 and 1, got 1.5"),
        (lambda: holm(0.5), ValueError, "must have one dimension, got 0"),
        (lambda: holm([[0.5]]), ValueError, "must have one dimension, got 2"),
        (
            lambda: evaluate_by_group(GOOD["a"], relevant_for(2), pd.Series(["A", 1])),
            ValueError,
            "groups cannot be sorted: 'A', 1; make them one kind",
        ),
        (
            lambda: evaluate_by_group(GOOD["a"], relevant_for(1), pd.Series({"0": "A"})),
            SchemaError,
            "no id can match",
        ),
        (
            lambda: evaluate_by_group(GOOD["a"], relevant_for(2), pd.Series({0: "A"})),
            ValueError,
            r"no group for 1 user\(s\): 1",
        ),
        (
            lambda: evaluate_by_group(
                GOOD["a"], relevant_for(1), pd.Series(["A", "B"], index=[0, 0])
            ),
            SchemaError,
            "users twice: 0",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
