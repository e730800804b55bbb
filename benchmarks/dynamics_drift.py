"""Measure whether drift is found, what learning again gains and costs, and how regret falls.

Generated logs with planted drift, five seeds; item vectors are those of the language model. Drift
of users: the AUC of `strength` against the truth, and the share of alarms where nobody drifts.
Refits: NDCG@10 of four policies after the last planted drift, the interval over the users of all
seeds. Refits on movielens-small, by time, with item neighbours. Bandits: the total regret.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import roc_auc_score

from recsys_interest import (
    Dataset,
    DriftMonitor,
    DriftPolicy,
    EpsilonGreedy,
    FrozenPolicy,
    GreedyRule,
    InterestBandit,
    ItemKNNRecommender,
    LiveRecommender,
    OnlinePolicy,
    RandomRule,
    ScheduledPolicy,
    TextEncoder,
    ThompsonSampling,
    compare_refits,
    detect_drift,
    item_text,
    load_dataset,
    make_interest_log,
    simulate_regret,
)
from recsys_interest.bandit_rules import SelectionRule
from recsys_interest.resampling import mean_intervals

SEEDS = range(5)
USERS, EVENTS_EACH = 400, 40
DRIFT_SHARE = 0.3  # of the users, where drift is to be found
MOVING_SHARE = 0.5  # of the users, where it is to be followed
ALPHA = 0.05
HALF_LIFE = 20.0
RULES: dict[str, SelectionRule] = {
    "thompson": ThompsonSampling(),
    "epsilon_greedy": EpsilonGreedy(0.1),
    "greedy": GreedyRule(),
    "random": RandomRule(),
}


def run() -> dict[str, float]:
    """Print the tables and return the figures.

    Returns
    -------
    dict of str to float
        Those of `run_drift`, `run_refits`, `run_movielens` and `run_bandit`.
    """
    return {**run_drift(), **run_refits(), **run_movielens(), **run_bandit()}


def generated(seed: int, drift_share: float) -> tuple[Dataset, pd.DataFrame]:
    """Return a log and the vectors of its items, without what all items have in common.

    Parameters
    ----------
    seed : int
        Of the log.
    drift_share : float
        Share of the users who drift.

    Returns
    -------
    tuple of Dataset and DataFrame
        The log and the vectors.
    """
    data = make_interest_log(USERS, EVENTS_EACH, drift_share=drift_share, seed=seed)
    encoder = TextEncoder(cache="default", progress=False)
    vectors = encoder.fit_transform(item_text(data.items))
    return data, vectors - vectors.mean()


def run_drift() -> dict[str, float]:
    """Print how well drifting users are told from others, and how often an alarm is false.

    Returns
    -------
    dict of str to float
        `drift_auc` and `false_alarm_rate`, means over the seeds; the worst seed of both; `found`,
        the share of drifting users with an alarm; and `monitor_false_alarms` and `monitor_found`,
        the shares of logs in which the monitor gave an alarm for everybody.
    """
    rows = []
    for seed in SEEDS:
        moving, vectors = generated(seed, DRIFT_SHARE)
        calm, _ = generated(seed, 0.0)
        found, quiet = (
            detect_drift(data.events, vectors, alpha=ALPHA, n_permutations=199)
            for data in (moving, calm)
        )
        drifts = moving.truth["users"].set_index("user_id")["drift_date"].notna()
        rated = found["strength"].notna()
        rows.append(
            {
                "drift_auc": roc_auc_score(
                    drifts[found.index][rated], found.loc[rated, "strength"]
                ),
                "found": found.loc[drifts[found.index], "drifted"].mean(),
                "false_alarm_rate": quiet["drifted"].mean(),
                "monitor_found": _alarmed(moving, vectors),
                "monitor_false_alarms": _alarmed(calm, vectors),
            }
        )
    table = pd.DataFrame(rows, index=pd.Index(SEEDS, name="seed"))
    print(table.round(3).to_string())
    worst = {
        "drift_auc_worst": table["drift_auc"].min(),
        "false_alarm_rate_worst": table["false_alarm_rate"].max(),
    }
    return {k: round(float(v), 4) for k, v in {**table.mean(), **worst}.items()}


def _alarmed(data: Dataset, vectors: pd.DataFrame) -> bool:
    early = data.events["timestamp"] < _day(data, 0.3)
    monitor = DriftMonitor().fit(data.events[early], vectors)
    return not monitor.update(data.events[~early]).empty


def _day(data: Dataset, share: float) -> pd.Timestamp:
    first, last = (data.events["timestamp"].agg(side) for side in ("min", "max"))
    return first + share * (last - first)


def run_refits() -> dict[str, float]:
    """Print what four policies are worth after the planted drift, and what they cost.

    Returns
    -------
    dict of str to float
        `ndcg_frozen`, `ndcg_dynamic` (the online policy), the gain with its interval, and the
        NDCG of the other policies.
    """
    tables, quality = [], []
    for seed in SEEDS:
        data, vectors = generated(seed, MOVING_SHARE)

        def learn(log: pd.DataFrame, vectors: pd.DataFrame = vectors) -> LiveRecommender:
            return LiveRecommender(HALF_LIFE).fit(log, vectors)

        found = compare_refits(
            data.events,
            learn,
            _policies(vectors, 30.0),
            start=_day(data, 0.3),
            measure_from=_day(data, 0.7),
            step_days=6.0,
        )
        tables.append(found.table)
        steps = found.steps[found.steps["measured"]].assign(seed=seed)
        quality.append(
            steps.pivot_table(index=["seed", "user_id"], columns="policy", values="ndcg")
        )
    whole, cost = pd.concat(quality), sum(tables) / len(tables)
    gains = whole.sub(whole["frozen"], axis=0)
    low, high = mean_intervals(gains.to_numpy(), 1000, 0)
    table = pd.DataFrame({"ndcg": whole.mean(), "gain": gains.mean(), "ci_low": low})
    table = table.assign(ci_high=high).join(cost[["refits", "seconds"]]).loc[cost.index]
    print(table.round(4).to_string())
    wins = sum((t.loc["online", "ci_low"] > 0) for t in tables)
    print(f"online beats frozen with an interval without 0 in {wins} of {len(tables)} seeds")
    figures = {
        "ndcg_dynamic": table.loc["online", "ndcg"],
        "ndcg_frozen": table.loc["frozen", "ndcg"],
        "ndcg_scheduled": table.loc["scheduled", "ndcg"],
        "ndcg_at_drift": table.loc["at drift", "ndcg"],
        "dynamic_gain_ci_low": table.loc["online", "ci_low"],
        "dynamic_gain_ci_high": table.loc["online", "ci_high"],
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def _policies(vectors: pd.DataFrame, days: float) -> dict[str, FrozenPolicy]:
    return {
        "frozen": FrozenPolicy(),
        "scheduled": ScheduledPolicy(days),
        "at drift": DriftPolicy(vectors),
        "online": OnlinePolicy(),
    }


def run_movielens() -> dict[str, float]:
    """Print the same for movielens-small, item neighbours, from the middle of the ratings on.

    Returns
    -------
    dict of str to float
        NDCG@10 of each policy; the interval of the gain of the one that follows and learns again.
    """
    data = load_dataset("movielens-small")
    events = data.events[data.events["event"] == "rate"]
    events = events[events.groupby("item_id")["item_id"].transform("size") >= 5]
    items = data.items[data.items["item_id"].isin(events["item_id"])]
    words = TfidfVectorizer(min_df=2).fit_transform(item_text(items))
    topics = TruncatedSVD(32, random_state=0).fit_transform(words)
    vectors = pd.DataFrame(topics, index=pd.Index(items["item_id"]))

    def learn(log: pd.DataFrame) -> ItemKNNRecommender:
        return ItemKNNRecommender(100, shrinkage=10.0).fit(log, items)

    policies = {**_policies(vectors, 365.0), "online, yearly": OnlinePolicy(ScheduledPolicy(365.0))}
    middle = events["timestamp"].quantile(0.5)
    found = compare_refits(events, learn, policies, start=middle, step_days=60.0)
    print(found.table.round(4).to_string())
    best = found.table.loc["online, yearly"]
    figures = {f"movielens_ndcg_{n.replace(', ', '_')}": v for n, v in found.table["ndcg"].items()}
    figures |= {"movielens_gain_ci_low": best["ci_low"], "movielens_gain_ci_high": best["ci_high"]}
    return {name.replace(" ", "_"): round(float(v), 4) for name, v in figures.items()}


def run_bandit(n_users: int = 100, n_rounds: int = 300) -> dict[str, float]:
    """Print the regret of the rules for choosing interests, in two worlds and with two priors.

    In the clear world the rates are the mixtures of the generated log: the first interest is
    answered many times as often as most others. In the close world a user's favourite is answered
    half the time and the other interests between a tenth and three tenths of it.

    Parameters
    ----------
    n_users : int, default 100
        Users.
    n_rounds : int, default 300
        Offers to each user.

    Returns
    -------
    dict of str to float
        The total regret of each rule by world, with the default prior, the mean over the seeds;
        how many seeds Thompson sampling won; and what is left of its regret, the last fifth of the
        rounds over the first.
    """
    figures: dict[str, float] = {}
    for world in (clear, close):
        for prior in ((1.0, 9.0), (1.0, 1.0)):
            table = pd.DataFrame([_regrets(world(s, n_users), prior, n_rounds, s) for s in SEEDS])
            print(f"total regret after {n_rounds} rounds, {world.__name__} world, Beta{prior}")
            print(table.drop(columns="left").round(2).to_string())
            if prior == (1.0, 9.0):
                rules = table[list(RULES)]
                wins = (rules["thompson"] < rules.drop(columns="thompson").min(axis=1)).sum()
                figures |= {f"regret_{world.__name__}_{n}": v for n, v in rules.mean().items()}
                figures |= {f"thompson_wins_{world.__name__}": wins}
                figures |= {f"regret_left_{world.__name__}": table["left"].mean()}
    return {name: round(float(value), 4) for name, value in figures.items()}


def clear(seed: int, n_users: int) -> pd.DataFrame:
    """Return rates of answers that follow the mixtures of the generated log.

    Parameters
    ----------
    seed, n_users : int
        Of the log.

    Returns
    -------
    DataFrame
        Users and topics.
    """
    return 0.02 + 0.4 * make_interest_log(n_users, 2, seed=seed).truth["mixture"]


def close(seed: int, n_users: int) -> pd.DataFrame:
    """Return rates of answers among which the favourite is hard to tell.

    Parameters
    ----------
    seed, n_users : int
        Of the draws.

    Returns
    -------
    DataFrame
        Users and six interests.
    """
    rng = np.random.default_rng(seed)
    rates = 0.1 + 0.2 * rng.random((n_users, 6))
    rates[np.arange(n_users), rng.integers(0, 6, n_users)] = 0.5
    return pd.DataFrame(rates, columns=list("abcdef"))


def _regrets(
    truth: pd.DataFrame, prior: tuple[float, float], n_rounds: int, seed: int
) -> dict[str, float]:
    row = {}
    for name, rule in RULES.items():
        bandit = InterestBandit(list(truth.columns), rule, prior, random_state=seed)
        path = simulate_regret(bandit, truth, n_rounds, random_state=seed)["regret"]
        row[name] = path.sum()
        if name == "thompson":
            row["left"] = path.tail(n_rounds // 5).mean() / path.head(n_rounds // 5).mean()
    return row
