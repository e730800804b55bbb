import numpy as np
import pandas as pd
import pytest

from recsys_interest.checks import SchemaError
from recsys_interest.list_metrics import per_list_metrics, popularity_bias
from recsys_interest.ranking_metrics import evaluate_recommendations

WHEN = pd.Timestamp("2026-01-05", tz="UTC")


def log_of(**items_by_user):
    rows = [(u, i) for u, items in items_by_user.items() for i in items]
    return pd.DataFrame(rows, columns=["user_id", "item_id"]).assign(timestamp=WHEN)


def lists_of(**items_by_user):
    rows = [(u, i, r) for u, items in items_by_user.items() for r, i in enumerate(items, 1)]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "rank"])


# Of four users, a was touched by all (by p twice), b by two, c by one, z by nobody.
LOG = log_of(p="aab", q="ab", r="ac", s="a")
LISTS = lists_of(p="cz", q="c", t="ab")
VECTORS = pd.DataFrame([[1.0, 0], [0, 3.0], [2.0, 0], [0, 0]], index=list("abcz"))


@pytest.mark.rows("M04")
def test_novelty_and_popularity_by_hand():
    found = per_list_metrics(LISTS, 2, events=LOG)
    assert found.index.tolist() == ["p", "q", "t"]
    c, z, b = np.log2(5 / 2), np.log2(5 / 1), np.log2(5 / 3)
    np.testing.assert_allclose(found["novelty@2"], [(c + z) / 2, c, (0 + b) / 2], rtol=1e-15)
    np.testing.assert_allclose(found["popularity@2"], [1 / 8, 1 / 4, (1 + 1 / 2) / 2], rtol=1e-15)


def test_distance_by_hand():
    lists = lists_of(p="abc", q="c", r="az", s="ac")
    found = per_list_metrics(lists, 3, item_vectors=VECTORS)["intra_list_distance@3"]
    # a and b 1, a and c 0, b and c 1; one item has no pair; a zero vector is 1 away.
    np.testing.assert_allclose(found, [2 / 3, np.nan, 1, 0], rtol=1e-15)


def test_the_table_has_them_when_it_can():
    relevant = pd.DataFrame({"user_id": ["p", "x"], "item_id": ["c", "a"]})
    found = evaluate_recommendations(LISTS, relevant, k=2, events=LOG, item_vectors=VECTORS)
    plain = evaluate_recommendations(LISTS, relevant, k=2)
    assert found.index.tolist()[6:9] == ["novelty@2", "popularity@2", "intra_list_distance@2"]
    pd.testing.assert_frame_equal(found.drop(index=found.index[6:9]), plain)
    # Means over those who have a list, and not over those with something relevant.
    assert found.loc[["novelty@2", "intra_list_distance@2"], "n_users"].tolist() == [3, 2]
    by_user = per_list_metrics(LISTS, 2, events=LOG, item_vectors=VECTORS)
    np.testing.assert_allclose(found["mean"].iloc[6:9], by_user.mean(), rtol=1e-15)
    row = found.loc["novelty@2"]
    assert row["ci_low"] < row["mean"] < row["ci_high"]


@pytest.mark.rows("K04")
def test_popularity_bias_by_hand():
    found = popularity_bias(LISTS, LOG, k=2, groups=pd.Series({"p": 0, "q": 1}), n_boot=200)
    # p and q have a list and a history, both of them a (1) and b (1/2); t has no history.
    own = 3 / 4
    np.testing.assert_allclose(found["own"], own, rtol=1e-15)
    np.testing.assert_allclose(found["recommended"], [3 / 16, 1 / 8, 1 / 4], rtol=1e-15)
    np.testing.assert_allclose(found["lift"], found["recommended"] / own - 1, rtol=1e-15)
    assert found.index.tolist() == ["all", 0, 1]
    assert found["n_users"].tolist() == [2, 1, 1]
    assert (found["ci_low"] <= found["lift"]).all()
    assert found.loc["all", "ci_low"] < found.loc["all", "ci_high"]


def test_the_most_popular_list_has_the_largest_bias_and_ones_own_items_none():
    rng = np.random.default_rng(0)
    p = 1 / np.arange(1, 51)
    rows = [(u, i) for u in range(80) for i in rng.choice(50, 12, replace=False, p=p / p.sum())]
    log = pd.DataFrame(rows, columns=["user_id", "item_id"]).assign(timestamp=WHEN)
    own = log.assign(rank=log.groupby("user_id").cumcount() + 1)
    bias = popularity_bias(own, log, k=12).loc["all"]
    np.testing.assert_allclose(bias[["lift", "ci_low", "ci_high"]], 0, atol=1e-12)
    best = log["item_id"].value_counts().index[:12]
    top = pd.DataFrame({"item_id": np.tile(best, 80), "rank": np.tile(np.arange(1, 13), 80)})
    top = top.assign(user_id=np.repeat(np.arange(80), 12))
    most = popularity_bias(top, log, k=12).loc["all"]
    assert most["ci_low"] > 0.1


def test_row_order_does_not_matter():
    expected = per_list_metrics(LISTS, events=LOG, item_vectors=VECTORS)
    for seed in range(3):
        parts = [t.sample(frac=1, random_state=seed) for t in (LISTS, LOG, VECTORS)]
        again = per_list_metrics(parts[0], events=parts[1], item_vectors=parts[2])
        pd.testing.assert_frame_equal(again, expected, check_exact=True)
        bias = popularity_bias(parts[0], parts[1])
        pd.testing.assert_frame_equal(bias, popularity_bias(LISTS, LOG), check_exact=True)


def test_popularity_bias_is_the_same_to_the_last_bit_in_any_row_order():
    rng = np.random.default_rng(1)
    log = pd.DataFrame({"user_id": rng.integers(0, 37, 4000), "item_id": rng.zipf(1.3, 4000) % 400})
    log = log.assign(timestamp=WHEN)
    top = log["item_id"].drop_duplicates().iloc[:10].to_numpy()
    lists = pd.DataFrame({"user_id": np.repeat(np.arange(37), 10), "item_id": np.tile(top, 37)})
    lists["rank"] = lists.groupby("user_id").cumcount() + 1
    groups = pd.Series(range(37))  # each user alone: a mean over users would hide the last bit
    expected = popularity_bias(lists, log, groups=groups, n_boot=2)
    for seed in range(5):
        shuffled = log.sample(frac=1, random_state=seed)
        again = popularity_bias(lists, shuffled, groups=groups, n_boot=2)
        pd.testing.assert_frame_equal(again, expected, check_exact=True)


def test_no_lists():
    empty = LISTS.iloc[:0]
    found = per_list_metrics(empty, events=LOG, item_vectors=VECTORS)
    assert found.shape == (0, 3)
    relevant = pd.DataFrame({"user_id": ["p"], "item_id": ["c"]})
    table = evaluate_recommendations(empty, relevant, events=LOG)
    assert np.isnan(table.loc["novelty@10", "mean"])
    assert table.loc["novelty@10", "n_users"] == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: per_list_metrics(LISTS), ValueError, "nothing to measure with"),
        (lambda: per_list_metrics(LISTS, categories=VECTORS), TypeError, "go together"),
        (lambda: per_list_metrics(LISTS, events=LOG.iloc[:0]), ValueError, "events has no rows"),
        (
            lambda: per_list_metrics(LISTS, events=LOG.assign(item_id=1)),
            SchemaError,
            "no id can match",
        ),
        (lambda: per_list_metrics(LISTS, item_vectors=VECTORS.iloc[:2]), ValueError, "lacks .* 'c"),
        (lambda: per_list_metrics(LISTS, 0, events=LOG), ValueError, "k must be at least 1"),
        (lambda: popularity_bias(lists_of(x="a"), LOG), ValueError, "no user has both"),
        (
            lambda: popularity_bias(LISTS, LOG, groups=pd.Series({"p": "all", "q": "x"})),
            ValueError,
            'groups has a group "all"',
        ),
        (lambda: popularity_bias(LISTS, LOG, groups={"p": 1}), TypeError, "groups must be a Ser"),
        (
            lambda: popularity_bias(LISTS, LOG, groups=pd.Series({"p": 1})),
            ValueError,
            r"no group for 1 user\(s\): 'q'",
        ),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()
