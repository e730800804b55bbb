"""Re-ranked lists: exact by construction, bounded by brute force, the same in any row order."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from recsys_interest.checks import SchemaError
from recsys_interest.item_shares import BLEND, category_shares
from recsys_interest.list_metrics import per_list_metrics
from recsys_interest.reranking import calibrate, diversify, fill_quotas

LISTS = pd.DataFrame(
    {
        "user_id": ["u"] * 5,
        "item_id": list("abcde"),
        "rank": range(1, 6),
        "score": [1.0, 0.9, 0.8, 0.7, 0.0],
        "source": "made",
    }
)
# a and b are alike, c and d are alike, e is like no other.
VECTORS = pd.DataFrame(
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 1.0]],
    index=list("abcde"),
)
ABOUT = pd.DataFrame({"x": [1, 1, 0, 0, 0], "y": [0, 0, 1, 1, 1]}, index=list("abcde"))
HALF = pd.DataFrame({"x": [0.5], "y": [0.5]}, index=["u"])


def random_lists(n_users=30, n_items=40, length=15, seed=0):
    rng = np.random.default_rng(seed)
    items = [f"i{i:02d}" for i in range(n_items)]
    rows = []
    for u in range(n_users):
        n = int(rng.integers(1, length + 1))
        scores = np.sort(np.round(rng.random(n), 1))[::-1]  # rounded: with ties
        chosen = rng.permutation(items)[:n]
        rows += [(u, i, r, s) for r, (i, s) in enumerate(zip(chosen, scores, strict=True), 1)]
    lists = pd.DataFrame(rows, columns=["user_id", "item_id", "rank", "score"])
    vectors = pd.DataFrame(rng.normal(size=(n_items, 5)), index=items)
    about = pd.DataFrame(rng.integers(0, 3, size=(n_items, 4)), index=items).add_prefix("g")
    targets = pd.DataFrame(rng.dirichlet(np.ones(4), n_users), columns=about.columns)
    return lists, vectors, about, targets


def relevance(scores):
    spread = scores.max() - scores.min()
    return (scores - scores.min()) / spread if spread else np.ones(len(scores))


def mmr_by_definition(scores, vectors, k, trade_off):
    r = relevance(scores)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    chosen = []
    while len(chosen) < min(k, len(r)):
        rest = [i for i in range(len(r)) if i not in chosen]
        value = [
            trade_off * r[i] - (1 - trade_off) * max((unit[i] @ unit[j] for j in chosen), default=0)
            for i in rest
        ]
        chosen.append(rest[int(np.argmax(np.round(value, 9)))])
    return chosen


@pytest.mark.rows("R07")
def test_mmr_is_the_definition():
    lists, vectors, _, _ = random_lists()
    for trade_off in (0.0, 0.3, 0.7, 1.0):
        made = diversify(lists, vectors, k=6, trade_off=trade_off)
        for user, own in lists.groupby("user_id"):
            places = mmr_by_definition(
                own["score"].to_numpy(), vectors.loc[own["item_id"]].to_numpy(), 6, trade_off
            )
            found = made.loc[made["user_id"] == user, "item_id"].tolist()
            assert found == own["item_id"].to_numpy()[places].tolist()


def test_mmr_by_hand():
    # After a: b is its double (0.5 × 0.9 − 0.5 < 0), c is at a right angle (0.5 × 0.8).
    made = diversify(LISTS, VECTORS, k=3, trade_off=0.5)
    assert made["item_id"].tolist() == ["a", "c", "e"]  # e: 0; b and d: below 0
    assert made["rank"].tolist() == [1, 2, 3]
    assert made["score"].tolist() == [1.0, 0.8, 0.0]
    assert made["source"].eq("made").all()


def greedy_value(places, r, about, target, k, trade_off):
    inside = (1 - BLEND) * about[list(places)].sum(axis=0) / k + BLEND * target
    some = target > 0
    gain = (target[some] * np.log(inside[some] / (BLEND * target[some]))).sum()
    return trade_off * r[list(places)].sum() / k + (1 - trade_off) * gain


@pytest.mark.parametrize("trade_off", [0.0, 0.3, 0.8, 0.95])
def test_calibration_takes_greedily_what_adds_most(trade_off):
    lists, _, about, targets = random_lists(n_users=60, seed=4)
    shares = about.div(about.sum(axis=1).where(lambda s: s > 0, 1), axis=0)
    made = calibrate(lists, about, targets, k=6, trade_off=trade_off)
    for user, own in lists.groupby("user_id"):
        r, k = relevance(own["score"].to_numpy()), min(6, len(own))
        rows, target = shares.loc[own["item_id"]].to_numpy(), targets.loc[user].to_numpy()
        chosen = []
        for _ in range(k):
            rest = [i for i in range(len(own)) if i not in chosen]
            value = [greedy_value([*chosen, i], r, rows, target, k, trade_off) for i in rest]
            chosen.append(rest[int(np.argmax(np.round(value, 9)))])
        found = made.loc[made["user_id"] == user, "item_id"].tolist()
        assert found == own["item_id"].to_numpy()[chosen].tolist()


@pytest.mark.parametrize("trade_off", [0.0, 0.2, 0.6])
def test_calibration_keeps_its_bound_and_is_mostly_the_best(trade_off):
    lists, _, about, targets = random_lists(n_users=40, length=9, seed=3)
    shares = about.div(about.sum(axis=1).where(lambda s: s > 0, 1), axis=0)
    made = calibrate(lists, about, targets, k=4, trade_off=trade_off)
    ratios = []
    for user, own in lists.groupby("user_id"):
        r, k = relevance(own["score"].to_numpy()), min(4, len(own))
        rows = shares.loc[own["item_id"]].to_numpy()
        target = targets.loc[user].to_numpy()
        found = made.loc[made["user_id"] == user, "item_id"]
        places = own["item_id"].reset_index(drop=True)
        places = [places[places == i].index[0] for i in found]
        best = max(
            greedy_value(c, r, rows, target, k, trade_off) for c in combinations(range(len(r)), k)
        )
        ratios.append(greedy_value(places, r, rows, target, k, trade_off) / best)
    assert min(ratios) >= 1 - 1 / np.e
    assert max(ratios) <= 1 + 1e-12
    assert np.mean(np.array(ratios) > 0.999) > 0.5


def test_the_objective_is_relevance_less_miscalibration():
    lists, _, about, targets = random_lists(n_users=5, length=10, seed=5)
    lists = lists[lists["rank"] <= 4]
    error = per_list_metrics(lists, 4, categories=about, targets=targets)["miscalibration@4"]
    shares = about.div(about.sum(axis=1).where(lambda s: s > 0, 1), axis=0)
    for user, own in lists.groupby("user_id"):
        rows, target = shares.loc[own["item_id"]].to_numpy(), targets.loc[user].to_numpy()
        value = greedy_value(range(len(own)), np.zeros(len(own)), rows, target, len(own), 0.0)
        np.testing.assert_allclose(value, -np.log(BLEND) - error[user], rtol=1e-9)


def test_calibration_by_hand():
    made = calibrate(LISTS, ABOUT, HALF, k=4, trade_off=0.0)
    assert made["item_id"].tolist() == ["a", "c", "b", "d"]
    error = per_list_metrics(made, 4, categories=ABOUT, targets=HALF)["miscalibration@4"]
    assert error.item() == pytest.approx(0, abs=1e-12)
    before = per_list_metrics(LISTS, 2, categories=ABOUT, targets=HALF)["miscalibration@2"]
    assert before.item() > 1  # a and b alone: y is missing


def test_quotas_by_hand():
    assert fill_quotas(LISTS, ABOUT, HALF, k=2)["item_id"].tolist() == ["a", "c"]
    assert fill_quotas(LISTS, ABOUT, HALF, k=4)["item_id"].tolist() == ["a", "b", "c", "d"]
    # Of three places two go to x: equal remainders, the first column.
    assert fill_quotas(LISTS, ABOUT, HALF, k=3)["item_id"].tolist() == ["a", "b", "c"]
    # x wants all of four places and has two items: the others go to the best of the rest.
    all_x = HALF.assign(x=1.0, y=0.0)
    assert fill_quotas(LISTS, ABOUT, all_x, k=4)["item_id"].tolist() == ["a", "b", "c", "d"]
    all_y = HALF.assign(x=0.0, y=1.0)
    made = fill_quotas(LISTS, ABOUT, all_y, k=4)
    assert made["item_id"].tolist() == ["a", "c", "d", "e"]
    assert made["rank"].tolist() == [1, 2, 3, 4]


def test_an_item_without_a_category_takes_no_place_of_one():
    about = ABOUT.mul([0, 1, 1, 1, 1], axis=0)  # a has none
    all_y = HALF.assign(x=0.0, y=1.0)
    assert fill_quotas(LISTS, about, all_y, k=2)["item_id"].tolist() == ["c", "d"]
    assert fill_quotas(LISTS, about, all_y, k=4)["item_id"].tolist() == ["a", "c", "d", "e"]


def test_quotas_are_filled_as_far_as_they_can_be_and_the_sum_of_scores_is_largest():
    lists, _, about, targets = random_lists(n_users=40, length=9, seed=8)
    kind = about.to_numpy().argmax(axis=1)
    about = pd.DataFrame(np.eye(4)[kind], index=about.index, columns=about.columns)
    of = pd.Series(kind, index=about.index)
    made = fill_quotas(lists, about, targets, k=5)
    for user, own in lists.groupby("user_id"):
        k = min(5, len(own))
        exact = targets.loc[user].to_numpy() * k
        places = np.floor(exact).astype(int)
        for g in np.argsort(places - exact, kind="stable")[: k - places.sum()]:
            places[g] += 1
        kinds, scores = of[own["item_id"]].to_numpy(), own["score"].to_numpy()
        reachable = np.minimum(places, np.bincount(kinds, minlength=4))

        def filled(chosen, kinds=kinds, reachable=reachable):
            return (np.bincount(kinds[list(chosen)], minlength=4) >= reachable).all()

        best = max(scores[list(c)].sum() for c in combinations(range(len(own)), k) if filled(c))
        found = made[made["user_id"] == user]
        chosen = np.flatnonzero(own["item_id"].isin(found["item_id"]))
        assert len(found) == k
        assert filled(chosen)
        assert found["score"].sum() == pytest.approx(best)


@pytest.mark.parametrize("rerank", ["diversify", "calibrate", "fill_quotas"])
def test_neither_row_order_nor_company_changes_a_list(rerank, monkeypatch):
    lists, vectors, about, targets = random_lists(seed=11)
    ways = {
        "diversify": lambda x: diversify(x, vectors, k=7, trade_off=0.4),
        "calibrate": lambda x: calibrate(x, about, targets, k=7, trade_off=0.4),
        "fill_quotas": lambda x: fill_quotas(x, about, targets, k=7),
    }
    expected = ways[rerank](lists)
    shuffled = lists.sample(frac=1, random_state=1).set_index("rank", drop=False)
    pd.testing.assert_frame_equal(ways[rerank](shuffled), expected, check_exact=True)
    alone = [ways[rerank](own) for _, own in lists.groupby("user_id")]
    pd.testing.assert_frame_equal(pd.concat(alone, ignore_index=True), expected, check_exact=True)
    monkeypatch.setattr("recsys_interest.reranking._CELLS_AT_ONCE", 300)
    pd.testing.assert_frame_equal(ways[rerank](lists), expected, check_exact=True)


def test_at_one_only_the_score_counts_and_k_cuts():
    lists, vectors, about, targets = random_lists(seed=2)
    head = lists[lists["rank"] <= 4].reset_index(drop=True)
    for made in (
        diversify(lists, vectors, k=4, trade_off=1.0),
        calibrate(lists, about, targets, k=4, trade_off=1),
        calibrate(lists, about, targets.iloc[:0], k=4, trade_off=0.0),  # nobody has a target
        fill_quotas(lists, about, targets.iloc[:0], k=4),
    ):
        pd.testing.assert_frame_equal(made, head)
    whole = fill_quotas(lists, about, targets, k=10**9)
    pd.testing.assert_frame_equal(whole, lists)


@pytest.mark.rows("R07")
def test_re_ranking_does_what_it_is_for():
    rng = np.random.default_rng(0)
    items = [f"i{i:03d}" for i in range(200)]
    kind = np.arange(200) // 50
    vectors = pd.DataFrame(np.eye(4)[kind] + 0.1 * rng.normal(size=(200, 4)), index=items)
    about = pd.DataFrame(np.eye(4)[kind], index=items, columns=list("wxyz"))
    score = 1 + (kind == 0) + 0.01 * rng.random((60, 200))  # one kind is liked most by everybody
    order = np.argsort(-score, axis=1)[:, :80]
    lists = pd.DataFrame(
        {
            "user_id": np.repeat(np.arange(60), 80),
            "item_id": np.array(items)[order].ravel(),
            "rank": np.tile(np.arange(1, 81), 60),
            "score": np.take_along_axis(score, order, axis=1).ravel(),
        }
    )
    targets = pd.DataFrame(np.full((60, 4), 0.25), columns=about.columns)
    how = {"item_vectors": vectors, "categories": about, "targets": targets}
    before = per_list_metrics(lists, 8, **how).mean()
    apart = per_list_metrics(diversify(lists, vectors, k=8), 8, **how).mean()
    fair = per_list_metrics(calibrate(lists, about, targets, k=8, trade_off=0.1), 8, **how).mean()
    quota = per_list_metrics(fill_quotas(lists, about, targets, k=8), 8, **how).mean()
    distance, error = before.index
    assert before[distance] < 0.1 < 0.4 < apart[distance]
    assert before[error] > 1
    assert fair[error] < 0.05
    assert quota[error] < 0.05


def test_category_shares_by_hand():
    log = pd.DataFrame(
        {
            "user_id": [1, 1, 1, 2, 3],
            "item_id": ["a", "b", "c", "a", "d"],
            "event": "rate",
            "value": [5.0, 5.0, 1.0, 1.0, 5.0],
            "timestamp": pd.Timestamp("2026-01-05", tz="UTC"),
        }
    )
    about = pd.DataFrame({"x": [2, 1, 5, 0], "y": [0, 3, 5, 0]}, index=list("abcd"))
    # 1 likes a and b; 2 likes nothing; the only item that 3 likes has no category.
    found = category_shares(log, about)
    assert found.index.tolist() == [1]
    np.testing.assert_allclose(found.loc[1], [(1 + 0.25) / 2, (0 + 0.75) / 2], rtol=1e-15)
    shuffled = category_shares(log.sample(frac=1, random_state=0), about.iloc[::-1])
    pd.testing.assert_frame_equal(shuffled, found)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: diversify(LISTS, VECTORS, trade_off=1.1), ValueError, "from 0 to 1.0, got 1.1"),
        (lambda: diversify(LISTS, VECTORS, trade_off=True), TypeError, "trade_off must be a numb"),
        (lambda: diversify(LISTS, VECTORS, trade_off=np.nan), ValueError, "got nan"),
        (lambda: diversify(LISTS, VECTORS, k=0), ValueError, "k must be at least 1"),
        (lambda: diversify(LISTS, VECTORS.iloc[1:]), ValueError, "lacks recommended items: 'a'"),
        (lambda: diversify(LISTS, VECTORS * np.nan), ValueError, "item_vectors is not finite"),
        (lambda: diversify(LISTS.drop(columns="score"), VECTORS), SchemaError, "lacks .* 'score'"),
        (lambda: diversify(LISTS.assign(score=np.inf), VECTORS), ValueError, "score is not a fini"),
        (lambda: diversify(LISTS.assign(rank=1), VECTORS), SchemaError, "same rank twice"),
        (lambda: diversify(LISTS.assign(item_id=range(5)), VECTORS), SchemaError, "no id can"),
        (lambda: calibrate(LISTS, ABOUT.iloc[1:], HALF), ValueError, "categories lacks 'a' of"),
        (lambda: calibrate(LISTS, -ABOUT, HALF), ValueError, "categories must be finite and not"),
        (lambda: calibrate(LISTS, ABOUT.astype(str) + "z", HALF), ValueError, "must be numeric"),
        (lambda: calibrate(LISTS, ABOUT, HALF[["x"]]), ValueError, "differ in the columns 'y'"),
        (lambda: calibrate(LISTS, ABOUT, HALF.set_axis([7])), SchemaError, "no id can match"),
        (
            lambda: fill_quotas(LISTS, ABOUT[[]], HALF[[]]),
            SchemaError,
            "a column for each category",
        ),
        (
            lambda: calibrate(LISTS, ABOUT.set_axis(["x", "x"], axis=1), HALF),
            SchemaError,
            "categories must have a column for each category, it has 'x'",
        ),
        (
            lambda: calibrate(LISTS, ABOUT.set_axis([1, 2], axis=1), HALF),
            ValueError,
            "differ in the columns 1, 2, 'x', 'y'",
        ),
        (
            lambda: calibrate(LISTS, ABOUT.assign(x=pd.Timestamp("2026-01-05")), HALF),
            ValueError,
            "categories must be numeric",
        ),
        (lambda: calibrate(LISTS, ABOUT * 0 + 1.7e308, HALF), ValueError, "must be finite"),
        (lambda: diversify(LISTS.assign(score=1j), VECTORS), ValueError, "not a finite number"),
        (lambda: calibrate(LISTS, ABOUT.to_numpy(), HALF), TypeError, "categories must be a Data"),
        (lambda: fill_quotas(LISTS, pd.concat([ABOUT, ABOUT]), HALF), SchemaError, "ids twice"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_scores_whose_difference_overflows_are_still_scores():
    far = LISTS.assign(score=[1.7e308, 0.9e308, 0.6e308, 0.0, -1.7e308])
    near = LISTS.assign(score=far["score"] / 2**1000)
    for made, expected in (
        (diversify(far, VECTORS, k=4), diversify(near, VECTORS, k=4)),
        (calibrate(far, ABOUT, HALF, k=4), calibrate(near, ABOUT, HALF, k=4)),
    ):
        assert made["item_id"].tolist() == expected["item_id"].tolist()


def test_no_lists_give_no_lists():
    nothing = LISTS.iloc[:0]
    for made in (
        diversify(nothing, VECTORS),
        calibrate(nothing, ABOUT, HALF),
        fill_quotas(nothing, ABOUT, HALF),
    ):
        assert made.empty
        assert made.columns.tolist() == LISTS.columns.tolist()
