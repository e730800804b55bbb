"""Ordinal metrics equal scikit-learn's, intervals that cover, agreement, calibration, drift."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from recsys_interest.nested_clusters import cluster_within_tiers
from recsys_interest.stability import population_stability
from recsys_interest.tier_metrics import evaluate_tiers, tier_agreement, tier_calibration


def some_tiers(seed=0, n=200):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    guess = np.clip(truth + rng.integers(-1, 2, n), 0, 2)
    return pd.Series(truth), pd.Series(guess)


def chances(seed, n, k=3):
    return pd.DataFrame(np.random.default_rng(seed).dirichlet(np.ones(k), n))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=30))
def test_values_are_scikit_learns(pairs):
    truth, guess = np.array(pairs).T
    found = evaluate_tiers(truth, {"m": guess}, n_boot=0)["value"]["m"]
    assert np.isclose(
        found["macro_f1"], sk.f1_score(truth, guess, average="macro", zero_division=0)
    )
    assert np.isclose(found["mae"], sk.mean_absolute_error(truth, guess))
    assert np.isclose(found["accuracy"], sk.accuracy_score(truth, guess))
    if len(set(truth) | set(guess)) > 1:
        levels = np.arange(5)  # distances count, not ranks among the tiers that occur
        kappa = sk.cohen_kappa_score(truth, guess, labels=levels, weights="quadratic")
        assert np.isclose(found["kappa"], kappa)
    else:
        assert np.isnan(found["kappa"])


@pytest.mark.rows("T03")
def test_cross_entropy_is_log_loss_and_brier_scikit_learns():
    truth, _ = some_tiers()
    p = chances(1, len(truth))
    guess = p.idxmax(axis=1)
    found = evaluate_tiers(truth, {"m": guess}, probabilities={"m": p}, n_boot=0)["value"]["m"]
    assert np.isclose(found["log_loss"], sk.log_loss(truth, p))
    one_hot = np.eye(3)[truth]
    assert np.isclose(found["log_loss"], -(one_hot * np.log(p.to_numpy())).sum() / len(truth))
    assert np.isclose(found["brier"], ((one_hot - p) ** 2).sum(axis=1).mean())


def test_calibration_error_by_hand():
    p = pd.DataFrame({"tier_0": [0.95, 0.95, 0.65], "tier_1": [0.05, 0.05, 0.35]})
    found = evaluate_tiers([0, 1, 0], {"m": [0, 0, 0]}, probabilities={"m": p}, n_boot=0)
    # Bin 9 states .95 and hits .5 (two users), bin 6 states .65 and hits 1 (one user).
    want = (2 * 0.45 + 1 * 0.35) / 3
    assert np.isclose(found["value"]["m", "calibration_error"], want)


def test_a_tier_that_training_never_saw_has_probability_zero():
    p = pd.DataFrame({0: [0.5, 1.0], 1: [0.5, 0.0]})
    found = evaluate_tiers([0, 2], {"m": [0, 0]}, probabilities={"m": p}, n_boot=0)["value"]["m"]
    assert np.isclose(found["log_loss"], (-np.log(0.5) - np.log(np.finfo(float).eps)) / 2)
    assert np.isclose(found["brier"], ((0.25 + 0.25) + (1 + 1)) / 2)


def test_intervals_cover_and_shrink():
    wide, narrow = (
        evaluate_tiers(*some_tiers(n=n), n_boot=200).loc[("predicted", "macro_f1")]
        for n in (50, 2000)
    )
    for row in (wide, narrow):
        assert row["ci_low"] < row["value"] < row["ci_high"]
    assert narrow["ci_high"] - narrow["ci_low"] < 0.4 * (wide["ci_high"] - wide["ci_low"])


def test_the_coverage_of_the_interval_is_near_95_percent():
    """A share p of hits with a known truth: how often is it inside?"""
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        truth = rng.integers(0, 2, 200)
        guess = np.where(rng.random(200) < 0.7, truth, 1 - truth)
        row = evaluate_tiers(truth, guess, n_boot=200).loc[("predicted", "accuracy")]
        inside += row["ci_low"] <= 0.7 <= row["ci_high"]
    assert 0.88 * 200 <= inside <= 0.99 * 200


def test_paired_differences_are_narrower_than_the_intervals():
    truth, guess = some_tiers()
    almost = guess.mask(guess.index < 5, truth)
    found = evaluate_tiers(truth, {"a": guess, "b": almost}, reference="a", n_boot=300)
    row = found.loc[("b", "accuracy")]
    assert 0 <= row["difference"] <= 5 / 200
    assert row["difference_high"] - row["difference_low"] < row["ci_high"] - row["ci_low"]
    assert (found.loc["a"]["difference"] == 0).all()
    assert (found.loc["a"][["difference_low", "difference_high"]] == 0).all(axis=None)


def test_groups_are_resampled_whole():
    truth, guess = some_tiers(n=40)
    ten = pd.concat([truth] * 10, ignore_index=True), pd.concat([guess] * 10, ignore_index=True)
    groups = np.tile(np.arange(40), 10)
    loose, tight = (
        evaluate_tiers(*ten, groups=g, n_boot=200).loc[("predicted", "accuracy")]
        for g in (groups, None)
    )
    assert loose["ci_high"] - loose["ci_low"] > 2 * (tight["ci_high"] - tight["ci_low"])


def test_series_are_matched_by_index_and_order_does_not_matter():
    truth, guess = some_tiers()
    p = chances(2, len(truth))
    one = evaluate_tiers(truth, {"m": guess}, probabilities={"m": p}, n_boot=50)
    mixed = truth.sample(frac=1, random_state=1)
    other = evaluate_tiers(mixed, {"m": guess}, probabilities={"m": p}, n_boot=50)
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_bad_input_of_the_metrics():
    truth = pd.Series([0, 1], index=["a", "b"])
    with pytest.raises(ValueError, match=r"predicted\['m'\] lacks 'b', which truth has"):
        evaluate_tiers(truth, {"m": truth.iloc[:1]})
    with pytest.raises(TypeError, match="must be whole numbers, tiers have an order"):
        evaluate_tiers(["low", "high"], {"m": [0, 1]})
    with pytest.raises(ValueError, match="without gaps"):
        evaluate_tiers([0, np.nan], {"m": [0, 1]})
    with pytest.raises(ValueError, match="one tier for each of 2 users"):
        evaluate_tiers([0, 1], {"m": [0, 1, 2]})
    with pytest.raises(ValueError, match="nothing to measure"):
        evaluate_tiers([], {"m": []})
    with pytest.raises(ValueError, match="reference='x' is not among the methods: 'm'"):
        evaluate_tiers([0], {"m": [0]}, reference="x")
    with pytest.raises(ValueError, match="probabilities of methods without predictions: 'x'"):
        evaluate_tiers([0], {"m": [0]}, probabilities={"x": pd.DataFrame({0: [1.0]})})
    with pytest.raises(ValueError, match="rows that sum to 1"):
        evaluate_tiers([0], {"m": [0]}, probabilities={"m": pd.DataFrame({0: [0.4]})})
    with pytest.raises(ValueError, match="columns that are no tiers: 'low'"):
        evaluate_tiers([0], {"m": [0]}, probabilities={"m": pd.DataFrame({"low": [1.0]})})
    with pytest.raises(ValueError, match=r"groups must be one for each of 2 rows"):
        evaluate_tiers([0, 1], {"m": [0, 1]}, groups=[1])
    with pytest.raises(ValueError, match="truth has index labels more than once"):
        evaluate_tiers(pd.Series([0, 1], index=["a", "a"]), {"m": [0, 1]})


# --- agreement --------------------------------------------------------------------------------


@pytest.mark.rows("T06")
@pytest.mark.parametrize("weights", ["quadratic", "linear"])
def test_agreement_is_cohens_kappa_on_the_shared_users(weights):
    truth, guess = some_tiers()
    found = tier_agreement(truth, guess.iloc[10:].sample(frac=1, random_state=0), weights=weights)
    want = sk.cohen_kappa_score(truth.iloc[10:], guess.iloc[10:], weights=weights)
    assert np.isclose(found["kappa"], want)
    assert found["ci_low"] < found["kappa"] < found["ci_high"]
    assert found["n_users"] == 190


def test_unrelated_sources_agree_by_chance_only():
    truth, _ = some_tiers(n=2000)
    other = truth.sample(frac=1, random_state=0).set_axis(truth.index)
    assert abs(tier_agreement(truth, other, n_boot=0)["kappa"]) < 0.07
    assert tier_agreement(truth, truth, n_boot=0)["kappa"] == 1


def test_bad_input_of_agreement():
    with pytest.raises(ValueError, match="no user in common"):
        tier_agreement(pd.Series([1], index=["a"]), pd.Series([1], index=["b"]))
    with pytest.raises(ValueError, match="must be 'quadratic' or 'linear'"):
        tier_agreement(pd.Series([1]), pd.Series([1]), weights="cubic")
    with pytest.raises(TypeError, match="must be Series"):
        tier_agreement([1], [1])


# --- calibration ------------------------------------------------------------------------------


def test_calibration_of_probabilities_that_are_true():
    rng = np.random.default_rng(0)
    p = pd.DataFrame(rng.dirichlet([1, 1, 1], 20_000))
    truth = pd.Series((rng.random(len(p))[:, None] > p.cumsum(axis=1)).sum(axis=1))
    table = tier_calibration(truth, p)
    full = table[table["n_users"] > 500]
    assert (full["stated"] - full["happened"]).abs().max() < 0.03
    assert table.groupby("tier")["n_users"].sum().tolist() == [20_000] * 3
    shifted = tier_calibration((truth + 1) % 3, p)
    assert (shifted["stated"] - shifted["happened"]).abs().max() > 0.3


# --- drift ------------------------------------------------------------------------------------


def test_stability_by_hand():
    before, after = pd.Series([0, 0, 0, 1]), pd.Series([0, 1, 1, 1])
    p, q = np.array([3.5, 1.5]) / 5, np.array([1.5, 3.5]) / 5
    found = population_stability(before, after).iloc[0]
    assert np.isclose(found["psi"], ((q - p) * np.log(q / p)).sum())
    assert found["n_bins"] == 2
    assert np.isclose(found["by_chance"], 1 * (1 / 4 + 1 / 4))


def test_stability_of_one_population_is_what_chance_gives():
    rng = np.random.default_rng(0)
    draws = [population_stability(*(pd.Series(rng.normal(size=500)) for _ in "ab")).iloc[0]
             for _ in range(60)]  # fmt: skip
    mean = np.mean([d["psi"] for d in draws])
    assert 0.8 < mean / draws[0]["by_chance"] < 1.2
    moved = population_stability(pd.Series(rng.normal(size=500)), pd.Series(rng.normal(1, 1, 500)))
    assert moved["psi"].iloc[0] > 10 * draws[0]["by_chance"]


def test_values_never_seen_before_have_their_own_bin():
    before, after = pd.Series([1, 2, 3] * 20), pd.Series([1, 2, 9] * 20)
    found = population_stability(before, after).iloc[0]
    assert found["n_bins"] == 4
    assert found["psi"] > 1
    between = population_stability(before, pd.Series([1, 2, 2.5] * 20)).iloc[0]
    assert between["psi"] == found["psi"]


def test_stability_is_symmetric_in_discrete_bins_and_zero_for_the_same():
    table = pd.DataFrame({"x": [1, 1, 2, 3], "same": 7.0})
    assert (population_stability(table, table)["psi"] == 0).all()


def test_bad_input_of_stability():
    table = pd.DataFrame({"x": [1.0, 2.0]})
    with pytest.raises(ValueError, match="different columns: 'y'"):
        population_stability(table, table.assign(y=1.0))
    with pytest.raises(ValueError, match="x holds NaN"):
        population_stability(table, pd.DataFrame({"x": [np.nan, 1]}))
    with pytest.raises(TypeError, match="x holds no numbers"):
        population_stability(pd.DataFrame({"x": ["a"]}), pd.DataFrame({"x": ["a"]}))
    with pytest.raises(ValueError, match="at least one row"):
        population_stability(table, table.iloc[:0])
    with pytest.raises(TypeError, match="must be DataFrames or Series"):
        population_stability([1], [2])


# --- clusters inside tiers --------------------------------------------------------------------


@pytest.mark.rows("T07")
def test_clusters_inside_tiers():
    angles = np.concatenate([np.random.default_rng(0).normal(c, 0.05, 10) for c in (0, 1, 2, 3)])
    vectors = pd.DataFrame({"x": np.cos(angles), "y": np.sin(angles)}, index=np.arange(100, 140))
    tiers = pd.Series(np.repeat([0, 2], 20), index=vectors.index).sample(frac=1, random_state=0)
    from sklearn.cluster import KMeans

    from recsys_interest.clusters import InterestClusterer

    model = InterestClusterer(KMeans(2, n_init=3), random_state=0)
    found = cluster_within_tiers(vectors, tiers, model)
    assert found.index.equals(vectors.index)
    assert found["tier"].tolist() == [0] * 20 + [2] * 20
    groups = found.groupby(np.repeat([0, 1, 2, 3], 10))["segment"].unique()
    assert [len(g) for g in groups] == [1, 1, 1, 1]
    assert found["segment"].nunique() == 4
    assert not hasattr(model, "labels_")
    again = cluster_within_tiers(vectors.sample(frac=1, random_state=3), tiers, model)
    pd.testing.assert_frame_equal(again.loc[found.index], found)


def test_bad_input_of_nested_clusters():
    vectors = pd.DataFrame({"x": [1.0, 2.0]}, index=["a", "b"])
    with pytest.raises(ValueError, match="tiers lacks the users 'b'"):
        cluster_within_tiers(vectors, pd.Series([1], index=["a"]))
    with pytest.raises(ValueError, match="tiers has users more than once: 'a'"):
        cluster_within_tiers(vectors, pd.Series([1, 1, 2], index=["a", "a", "b"]))
    with pytest.raises(TypeError, match="both indexed by user"):
        cluster_within_tiers(vectors.to_numpy(), pd.Series([1, 1]))
    with pytest.raises(TypeError, match="clusterer must be a clusterer with fit_predict, got 3"):
        cluster_within_tiers(vectors, pd.Series([1, 1], index=["a", "b"]), 3)
