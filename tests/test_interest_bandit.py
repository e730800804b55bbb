"""Bandits over interests: Bayes' rule, regret that falls, drift, bounds and bad input."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from recsys_interest.bandit_rules import EpsilonGreedy, GreedyRule, RandomRule, ThompsonSampling
from recsys_interest.checks import SchemaError
from recsys_interest.interest_bandit import InterestBandit, simulate_regret

ARMS = ["a", "b", "c", "d", "e", "f"]
RULES = {
    "thompson": ThompsonSampling(),
    "epsilon": EpsilonGreedy(0.1),
    "greedy": GreedyRule(),
    "random": RandomRule(),
}


def answers(user, interest, rewards):
    return pd.DataFrame({"user_id": user, "interest": interest, "reward": rewards})


def world(seed, n_users=40):
    """Rates of 0.1 to 0.5; each user has one favourite."""
    rng = np.random.default_rng(seed)
    rates = 0.1 + 0.2 * rng.random((n_users, len(ARMS)))
    rates[np.arange(n_users), rng.integers(0, len(ARMS), n_users)] = 0.5
    return pd.DataFrame(rates, columns=ARMS)


def test_beliefs_are_bayes_rule():
    bandit = InterestBandit(["a", "b"], prior=(2.0, 3.0))
    bandit.fit(answers(1, list("aab"), [1, 0, 1]))
    assert bandit.beliefs_[["a", "b"]].to_numpy().tolist() == [[3.0, 4.0], [3.0, 3.0]]
    bandit.partial_fit(answers(1, ["a"], [True]))
    assert bandit.beliefs_.loc[0, ["a", "b"]].tolist() == [4.0, 4.0]
    assert bandit.fit(answers(2, ["b"], [0.0])).beliefs_["user_id"].tolist() == [2, 2]


def test_old_answers_fade_for_all_interests_alike():
    bandit = InterestBandit(["b", "a"], prior=(2.0, 4.0), discount=0.5)
    bandit.fit(answers(1, list("aab"), [1, 1, 0]))
    found = bandit.beliefs_
    assert found["interest"].tolist() == ["a", "b"]  # sorted
    # a: 2 → 3 → 3.5 → 2.75; b is what it was, 4, and one more for what was not answered.
    assert found[["a", "b"]].to_numpy().tolist() == [[2.75, 4.0], [2.0, 5.0]]
    assert found["mean"].tolist() == [2.75 / 6.75, 2 / 7]
    bandit.partial_fit(answers(2, ["b"], [1]))
    assert bandit.beliefs_.loc[2:, ["a", "b"]].to_numpy().tolist() == [[2.0, 4.0], [3.0, 4.0]]
    assert bandit.beliefs_.loc[:1, ["a", "b"]].equals(found[["a", "b"]])


class FirstArm:
    """A rule that always takes the first interest."""

    def values(self, a, b, rng):
        return np.tile(-np.arange(a.shape[1], dtype=float), (len(a), 1))


def test_regret_by_hand():
    bandit = InterestBandit(["b", "a"], FirstArm())
    truth = pd.DataFrame({"a": [0.0, 0.5], "b": [1.0, 0.25]}, index=["ann", "bob"])
    found = simulate_regret(bandit, truth, 3)
    assert found["regret"].tolist() == [0.125] * 3  # of nothing for ann, of a quarter for bob
    assert found["total_regret"].tolist() == [0.125, 0.25, 0.375]
    assert found.index.tolist() == [1, 2, 3]
    sure = pd.DataFrame({"a": [0.0, 0.0], "b": [1.0, 1.0]}, index=["ann", "bob"])
    found = simulate_regret(bandit, sure, 5, later=1 - sure)
    assert found["reward"].tolist() == [1.0, 1.0, 0.0, 0.0, 0.0]
    assert found["regret"].tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]


def test_of_equal_ones_a_greedy_rule_takes_any():
    for rule in (GreedyRule(), EpsilonGreedy(0.0)):
        taken = InterestBandit(["a", "b"], rule, random_state=0).choose(range(200))
        assert 0.35 < (taken == "a").mean() < 0.65
    better = answers(1, list("ab"), [1, 0])
    bandit = InterestBandit(["a", "b"], GreedyRule(), random_state=0).fit(better)
    assert (bandit.choose([1] * 50) == "a").all()


def test_a_part_of_the_users_explores():
    a, b = np.tile([9.0, 1.0, 1.0], (4000, 1)), np.ones((4000, 3))
    taken = EpsilonGreedy(0.3).values(a, b, np.random.RandomState(0)).argmax(axis=1)
    assert np.bincount(taken) / 4000 == pytest.approx([0.8, 0.1, 0.1], abs=0.02)


def test_thompson_takes_an_arm_as_often_as_it_is_best():
    bandit = InterestBandit(["a", "b"], prior=(1.0, 1.0), random_state=0)
    bandit.fit(answers(1, list("aaab"), [1, 1, 0, 1]))
    x = np.linspace(0, 1, 2001)
    best = np.trapezoid(beta(3, 2).pdf(x) * beta(2, 1).cdf(x), x)
    taken = bandit.choose([1] * 20_000)
    assert (taken == "a").mean() == pytest.approx(best, abs=0.015)


@pytest.mark.rows("R09", "U07", "U09")
def test_regret_falls_and_is_below_the_other_rules_for_five_seeds():
    totals = []
    for seed in range(5):
        row = {}
        for name, rule in RULES.items():
            bandit = InterestBandit(ARMS, rule, random_state=seed)
            run = simulate_regret(bandit, world(seed), 250, random_state=seed)
            row[name] = run["total_regret"].iloc[-1]
            if name == "thompson":
                assert run["regret"].tail(50).mean() < 0.3 * run["regret"].head(50).mean()
            if name == "random":
                assert run["regret"].tail(50).mean() > 0.9 * run["regret"].head(50).mean()
        totals.append(row)
    table = pd.DataFrame(totals)
    others = table.drop(columns="thompson").min(axis=1)
    assert (table["thompson"] < others).all(), table
    assert (table.drop(columns="random").max(axis=1) < table["random"]).all(), table


def test_where_interests_drift_old_answers_must_fade():
    before, after = world(0), world(1)
    runs = {}
    for discount in (1.0, 0.97):
        bandit = InterestBandit(ARMS, discount=discount, random_state=0)
        runs[discount] = simulate_regret(bandit, before, 600, later=after)["regret"]
    assert runs[0.97].tail(200).mean() < 0.8 * runs[1.0].tail(200).mean()
    assert runs[1.0].head(300).mean() < runs[0.97].head(300).mean()


def test_the_same_seed_gives_the_same_run():
    bandit = InterestBandit(ARMS, random_state=3)
    one, other = (simulate_regret(bandit, world(3), 30) for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    assert not hasattr(bandit, "_beliefs")  # a copy was used


def test_a_cluster_may_stand_for_its_users():
    rates = pd.DataFrame({"a": [0.9], "b": [0.1]}, index=["devoted"])
    shared = InterestBandit(["a", "b"], random_state=0)
    for _ in range(60):
        offer = shared.choose(["devoted"])
        reward = int(rates.loc["devoted", offer.iloc[0]] > 0.5)
        shared.partial_fit(offer.reset_index().assign(reward=reward))
    assert (shared.choose(["devoted"] * 200) == "a").mean() > 0.9


def test_memory_is_bounded_and_users_can_be_forgotten():
    bandit = InterestBandit(["a", "b"], max_users=2)
    for user in (1, 2, 1, 3):
        bandit.partial_fit(answers(user, ["a"], [1]))
    assert bandit.beliefs_["user_id"].unique().tolist() == [1, 3]
    assert bandit.forget([1, 99]).beliefs_["user_id"].unique().tolist() == [3]
    assert bandit.forget([3]).beliefs_.empty
    assert bandit.choose([]).empty
    assert set(bandit.choose(["new"])) <= {"a", "b"}


def test_bad_input_is_named():
    bandit = InterestBandit(["a", "b"])
    for table, message in [
        (answers(1, ["z"], [1]), "unknown ones: 'z'"),
        (answers(1, [7], [1]), "answers.interest is int64"),
        (answers(1, ["a"], [0.5]), "must be 0 or 1, it holds 0.5"),
        (answers(1, ["a"], [np.nan]), "must be 0 or 1"),
        (answers(None, ["a"], [1]), "user_id is missing"),
        (answers(1, ["a"], [1]).drop(columns="reward"), "lacks the column"),
    ]:
        with pytest.raises(SchemaError, match=message):
            bandit.partial_fit(table)
    assert bandit.partial_fit(answers(1, ["a"], [1]).iloc[:0]).beliefs_.empty
    bandit.partial_fit(answers(1, ["a"], [1]))
    with pytest.raises(SchemaError, match=r"answers\.user_id is str"):
        bandit.partial_fit(answers("ann", ["a"], [1]))
    with pytest.raises(TypeError, match="must be several ids"):
        bandit.choose("ann")
    for ids in ("1", ["1"], [1, "a"], [None], 5):
        for method in (bandit.choose, bandit.forget):
            with pytest.raises((TypeError, SchemaError), match="user_ids"):
                method(ids)
    assert bandit.beliefs_["user_id"].tolist() == [1, 1]
    with pytest.raises(NotFittedError):
        InterestBandit(["a", "b"]).forget([1])


def test_parameters_are_checked_when_used():
    for options, kind, message in [
        ({"interests": ["a"]}, ValueError, "at least two different"),
        ({"interests": ["a", "a"]}, ValueError, "at least two different"),
        ({"prior": (0, 1)}, ValueError, "prior must be a finite number above 0"),
        ({"prior": (1.0,)}, ValueError, "prior must be two numbers"),
        ({"prior": 3}, ValueError, "prior must be two numbers"),
        ({"interests": "ab"}, TypeError, "interests must be several ids"),
        ({"discount": 1.5}, ValueError, "at most 1"),
        ({"discount": 0}, ValueError, "discount must be a finite number above 0"),
        ({"max_users": 0}, ValueError, "max_users must be at least 1"),
        ({"rule": ThompsonSampling}, TypeError, "rule must be an object"),
    ]:
        with pytest.raises(kind, match=message):
            clone(InterestBandit(**{"interests": ["a", "b"], **options})).choose([1])
    with pytest.raises(ValueError, match="between 0 and 1"):
        EpsilonGreedy(1.5)
    with pytest.raises(TypeError, match="epsilon must be a number"):
        EpsilonGreedy("few")


def test_worlds_are_checked():
    bandit, good = InterestBandit(ARMS), world(0)
    for truth, options, message in [
        (good * 3, {}, "rates from 0 to 1"),
        (good.mask(good > 0.4), {}, "rates from 0 to 1, it holds nan"),
        (good.astype(object).assign(a="many"), {}, "rates from 0 to 1, it holds nan"),
        (good.drop(columns="a"), {}, "the bandit chooses from"),
        (good, {"later": good.iloc[:3]}, "rows and columns of truth"),
        (pd.concat([good, good]), {}, "a user or an interest twice"),
    ]:
        with pytest.raises(ValueError, match=message):
            simulate_regret(bandit, truth, 2, **options)
    with pytest.raises(TypeError, match="truth must be a DataFrame"):
        simulate_regret(bandit, [1], 2)
    with pytest.raises(ValueError, match="n_rounds must be at least 1"):
        simulate_regret(bandit, good, 0)
