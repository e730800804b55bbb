"""A simulator whose truth is known: the estimates have to find it, or to miss it as they should."""

import numpy as np
import pandas as pd
import pytest

from recsys_interest.checks import SchemaError
from recsys_interest.off_policy import off_policy_value


def simulated(n_rows, seed, *, uniform=False, n_items=8, n_users=60):
    """What a policy with a taste of its own showed and earned; and what the new one would earn."""
    rng = np.random.default_rng(seed)
    truth = np.random.default_rng(0).beta(1, 4, size=(n_users, n_items))  # chances of a click
    popular = truth.mean(axis=0) * 20
    chance = np.exp(popular - 6 * truth)  # shows what is popular, not what this user likes
    logging = np.full_like(truth, 1 / n_items) if uniform else chance / chance.sum(1, keepdims=True)
    target = np.exp(6 * truth)
    target /= target.sum(axis=1, keepdims=True)
    user = rng.integers(n_users, size=n_rows)
    shown = np.array([rng.choice(n_items, p=logging[u]) for u in user])
    log = pd.DataFrame(
        {
            "user_id": user,
            "reward": (rng.random(n_rows) < truth[user, shown]).astype(float),
            "propensity": logging[user, shown],
            "target": target[user, shown],
        }
    )
    return log, (target * truth).sum(axis=1).mean(), (logging * truth).sum(axis=1).mean()


def test_by_hand():
    log = pd.DataFrame(
        {"reward": [1.0, 0.0, 1.0], "propensity": [0.5, 0.5, 0.25], "target": [0.2, 0.8, 0.5]}
    )
    found = off_policy_value(log, n_boot=0)
    w = np.array([0.4, 1.6, 2.0])
    expected = [2 / 3, 0.7 / 1.5, 2.4 / 3, 2.4 / 4]
    np.testing.assert_allclose(found["value"], expected, rtol=1e-12)
    effective = [3, 1.5**2 / (0.04 + 0.64 + 0.25), 16 / (w**2).sum(), 16 / (w**2).sum()]
    np.testing.assert_allclose(found["n_effective"], effective, rtol=1e-12)
    cut = off_policy_value(log, n_boot=0, max_weight=1.0)["value"]
    np.testing.assert_allclose(cut[["ips", "snips"]], [1.4 / 3, 1.4 / 2.4], rtol=1e-12)


@pytest.mark.rows("M06", "U08")
def test_inverse_propensities_find_the_planted_value_and_the_naive_ways_do_not():
    log, new, old = simulated(20_000, seed=1)
    found = off_policy_value(log, n_boot=500)
    assert new > 1.5 * old
    for name in ("ips", "snips"):
        assert found.loc[name, "ci_low"] < new < found.loc[name, "ci_high"]
        # An interval so wide that it holds the old value, too, would prove nothing.
        assert found.loc[name, "ci_low"] > old
        assert found.loc[name, "ci_low"] > found.loc["replay", "ci_high"]
    for name in ("logged", "replay"):
        assert found.loc[name, "ci_high"] < new
    assert found.loc["logged", "ci_low"] < old < found.loc["logged", "ci_high"]


def test_ips_has_no_bias_and_snips_varies_less():
    values = []
    for seed in range(200):
        log, new, _ = simulated(500, seed=seed)
        values.append(off_policy_value(log, n_boot=0)["value"])
    table = pd.DataFrame(values)
    error = table["ips"].std() / np.sqrt(len(table))
    assert abs(table["ips"].mean() - new) < 3 * error
    assert new - table["replay"].mean() > 5 * error
    assert table["snips"].std() < table["ips"].std()


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    inside = []
    for seed in range(60):
        log, new, _ = simulated(2000, seed=1000 + seed)
        row = off_policy_value(log, n_boot=200).loc["snips"]
        inside.append(row["ci_low"] < new < row["ci_high"])
    assert 0.82 < np.mean(inside) <= 1.0


def test_replay_is_right_if_the_old_policy_chose_with_equal_chances():
    log, new, _ = simulated(20_000, seed=3, uniform=True)
    found = off_policy_value(log, n_boot=300)
    assert found.loc["replay", "ci_low"] < new < found.loc["replay", "ci_high"]
    assert found.loc["replay", "value"] == pytest.approx(found.loc["snips", "value"], rel=1e-12)


def test_cutting_the_weights_biases_downwards():
    log, _, _ = simulated(5000, seed=4)
    whole, cut = (off_policy_value(log, n_boot=0, max_weight=m) for m in (None, 2.0))
    assert cut.loc["ips", "value"] < whole.loc["ips", "value"]
    assert cut.loc["ips", "n_effective"] > whole.loc["ips", "n_effective"]


def test_a_target_that_was_never_shown_has_no_value():
    log, _, _ = simulated(50, seed=5)
    found = off_policy_value(log.assign(target=0.0), n_boot=20)
    assert found.loc[["replay", "ips", "snips"], "value"].isna().all()
    assert found.loc["logged", "value"] == log["reward"].mean()


def test_users_are_resampled_and_the_order_of_rows_does_not_matter():
    log, _, _ = simulated(400, seed=6)
    expected = off_policy_value(log, n_boot=50)
    shuffled = off_policy_value(log.sample(frac=1, random_state=0), n_boot=50)
    pd.testing.assert_frame_equal(shuffled, expected, check_exact=True)
    twenty = pd.concat([log.assign(user_id=0)] * 20)  # one user is all there is to draw
    alone = off_policy_value(twenty, n_boot=20)
    assert np.allclose(alone["ci_low"], alone["ci_high"])


def test_a_weight_that_cannot_be_held_is_named_unless_it_is_cut():
    log, _, _ = simulated(10, seed=9)
    tiny = log.assign(propensity=5e-324)
    with pytest.raises(ValueError, match=r"weights .* inf; .* give max_weight"):
        off_policy_value(tiny)
    assert off_policy_value(tiny, max_weight=10.0, n_boot=0)["value"].notna().all()
    with pytest.raises(ValueError, match=r"rewards reach 1.7e\+308"):
        off_policy_value(log.assign(reward=1.7e308))


def test_clicks_may_be_true_and_false():
    log, _, _ = simulated(100, seed=10)
    clicked = log.assign(reward=log["reward"] > 0)
    pd.testing.assert_frame_equal(off_policy_value(clicked), off_policy_value(log))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"propensity": 0.0}, ValueError, "logged.propensity must be above 0, at most 1, .* 0.0"),
        ({"propensity": 1.5}, ValueError, "it holds 1.5"),
        ({"target": -0.1}, ValueError, "logged.target must be from 0 to 1, it holds -0.1"),
        ({"reward": np.inf}, ValueError, "logged.reward must be finite, it holds inf"),
        ({"reward": "much"}, ValueError, "it holds 'much'"),
        ({"reward": pd.Timestamp("2026-01-05")}, ValueError, "logged.reward must be finite"),
        ({"user_id": None}, SchemaError, "logged.user_id is missing"),
    ],
)
def test_bad_input_is_named(change, error, message):
    log, _, _ = simulated(10, seed=7)
    with pytest.raises(error, match=message):
        off_policy_value(log.assign(**change))


def test_bad_tables_and_weights_are_named():
    log, _, _ = simulated(10, seed=8)
    with pytest.raises(SchemaError, match=r"lacks .* 'reward'"):
        off_policy_value(log.drop(columns="reward"))
    with pytest.raises(ValueError, match="logged has no rows"):
        off_policy_value(log.iloc[:0])
    with pytest.raises(ValueError, match="max_weight must be a finite number above 0"):
        off_policy_value(log, max_weight=0)
    with pytest.raises(TypeError, match="max_weight must be a number"):
        off_policy_value(log, max_weight="2")
