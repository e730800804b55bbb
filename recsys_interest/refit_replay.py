"""Live through a log step by step with several refit policies, and count what each gains and costs.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from recsys_interest.checks import as_moment, check_count, check_positive
from recsys_interest.event_weights import event_strength
from recsys_interest.ranking_metrics import per_user_metrics
from recsys_interest.refit_policies import RefitPolicy
from recsys_interest.resampling import Seed, mean_intervals
from recsys_interest.schema import validate_events

__all__ = ["RefitComparison", "compare_refits"]


@dataclass(frozen=True, eq=False)
class RefitComparison:
    """What `compare_refits` found.

    Attributes
    ----------
    table : DataFrame
        Indexed by policy: `ndcg` (mean over users, each the mean of the steps with something to
        recommend), `gain` over the first policy with `ci_low` and `ci_high` (95 %, bootstrap over
        users, paired), `n_users`, `refits` (the first fit is not counted), and `seconds` of
        processor time spent on fitting and taking in events.
    steps : DataFrame
        `policy, step` (its first moment), `user_id, ndcg`, and whether the step is `measured`.
    """

    table: pd.DataFrame
    steps: pd.DataFrame


def compare_refits(
    events: pd.DataFrame,
    learn: Callable[[pd.DataFrame], Any],
    policies: Mapping[str, RefitPolicy],
    *,
    start: Any,
    step_days: float = 7.0,
    measure_from: Any = None,
    k: int = 10,
    n_boot: int = 1000,
    random_state: Seed = 0,
) -> RefitComparison:
    """Replay a log, and recommend before each step what the users then turn to for the first time.

    All policies see the same log and answer the same users. In each step, a policy first says
    whether to fit again; then the model recommends to everybody who is active in the step; then the
    step happens. A hit is an item with a positive event in the step and none by the same user
    before. What a user did between a fit and the step is never in the list, whether the model has
    learned of it or not: every shop can filter that, and it is not what is compared.

    Parameters
    ----------
    events : DataFrame
        Valid events.
    learn : callable
        Takes a log and returns a fitted model with `recommend(user_ids, k)`: a `Recommender`, or a
        `LiveRecommender`.
    policies : mapping of str to RefitPolicy
        By name; the first is what the others are compared with.
    start : str or datetime
        What came before is the first log that is learned from.
    step_days : float, default 7.0
        Length of a step.
    measure_from : str or datetime, optional
        The quality of earlier steps does not count; by default all count.
    k : int, default 10
        Length of the lists.
    n_boot : int, default 1000
        Bootstrap samples; 0 leaves the intervals missing.
    random_state : int, RandomState or None, default 0
        Seed of the bootstrap.

    Returns
    -------
    RefitComparison
        The table of the policies, and what it is made of.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit the schema, there is nothing before `start` or nothing to
        recommend after it, or there is no policy.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Rows: Q05, U07.

    Examples
    --------
    >>> import pandas as pd
    >>> vectors = pd.DataFrame({"x": [1.0, 1.0, 0.0, 0.0], "y": [0.0, 0.0, 1.0, 1.0]},
    ...                        index=["tent", "rope", "novel", "poem"])
    >>> log = pd.DataFrame({"user_id": "ann", "item_id": ["tent", "novel", "poem"]})
    >>> log["timestamp"] = pd.to_datetime(["2026-01-01", "2026-01-09", "2026-01-16"], utc=True)
    >>> def learn(log):
    ...     return LiveRecommender(half_life=1.0).fit(log, vectors)
    >>> from recsys_interest import FrozenPolicy, LiveRecommender, OnlinePolicy
    >>> policies = {"frozen": FrozenPolicy(), "online": OnlinePolicy()}
    >>> found = compare_refits(log, learn, policies, start="2026-01-08", k=1)
    >>> found.steps.pivot(index="step", columns="policy", values="ndcg")["online"].tolist()
    [0.0, 1.0]
    """
    log = validate_events(events)
    order = ["timestamp", "user_id", "item_id", "event", "value"]
    log = log.sort_values(order, ignore_index=True)
    first, length = (
        as_moment(start, "start"),
        pd.Timedelta(days=check_positive(step_days, "step_days")).floor("us"),
    )
    if not length:
        raise ValueError(f"step_days is too short to be a step: {step_days}")
    since = first if measure_from is None else as_moment(measure_from, "measure_from")
    check_count(k, "k")
    if not isinstance(policies, Mapping) or not policies:
        raise ValueError("policies must be a mapping of names to policies, with at least one")
    if not (log["timestamp"] < first).any():
        raise ValueError(f"there are no events before start ({first}) to learn from")
    wanted = _first_likes(log)
    moments = pd.date_range(first, max(first, log["timestamp"].max()), freq=length)
    ends = log["timestamp"].searchsorted([*moments, moments[-1] + length])
    rows, costs = [], {}
    for name, policy in policies.items():
        # A policy has a memory of its own: each replay begins without that of the one before.
        run = _Run(learn, copy.deepcopy(policy), log, first, int(ends[0]))
        for moment, end in zip(moments, ends[1:].tolist(), strict=True):
            run.prepare(moment)
            likes = wanted[(wanted.index >= run.now_at) & (wanted.index < end)]
            if len(likes):
                quality = run.quality(likes, k)
                rows.append(quality.assign(policy=name, step=moment, measured=moment >= since))
            run.happen(end)
        costs[name] = {"refits": run.refits, "seconds": run.seconds}
    if not any(row["measured"].any() for row in rows):
        raise ValueError(f"nobody turns to anything new from {since} on; choose an earlier moment")
    steps = pd.concat(rows, ignore_index=True)[["policy", "step", "user_id", "ndcg", "measured"]]
    return RefitComparison(_table(steps, costs, n_boot, random_state), steps)


@dataclass
class _Run:
    """One policy on its way through the log."""

    learn: Callable[[pd.DataFrame], Any]
    policy: RefitPolicy
    log: pd.DataFrame  # by time, also what is yet to come
    now: pd.Timestamp
    now_at: int  # how many events have happened
    refits: int = -1
    seconds: float = 0.0

    def __post_init__(self) -> None:
        self._asked_at = self.now_at
        self._fit()

    def _fit(self) -> None:
        begin = time.process_time()
        so_far = self.log[: self.now_at]
        self.model = self.learn(so_far)
        self.policy.fitted(so_far, self.now)
        self.seconds += time.process_time() - begin
        self.refits += 1
        self._fitted_at = self.now_at

    def prepare(self, now: pd.Timestamp) -> None:
        self.now = now
        begin = time.process_time()
        due = self.policy.due(self.log[self._asked_at : self.now_at], now)
        self.seconds += time.process_time() - begin
        self._asked_at = self.now_at
        if due:
            self._fit()

    def quality(self, likes: pd.DataFrame, k: int) -> pd.DataFrame:
        users = likes["user_id"].unique()
        later = self.log[self._fitted_at : self.now_at]
        done = later.loc[later["user_id"].isin(users), ["user_id", "item_id"]].drop_duplicates()
        most = done.groupby("user_id").size().max() if len(done) else 0
        options = {"session": later} if self._by_session and len(later) else {}
        lists = self.model.recommend(users, k=k + int(most), **options)
        if len(done):
            marked = lists.merge(done, on=["user_id", "item_id"], how="left", indicator=True)
            lists = lists[(marked["_merge"] == "left_only").to_numpy()]
        rank = lists.groupby("user_id").cumcount() + 1
        values = per_user_metrics(lists.assign(rank=rank)[rank <= k], likes, k)
        return values[f"ndcg@{k}"].rename("ndcg").reset_index()

    @property
    def _by_session(self) -> bool:
        return self.policy.follows and not hasattr(self.model, "partial_fit")

    def happen(self, end: int) -> None:
        new, self.now_at = self.log[self.now_at : end], end
        if self.policy.follows and hasattr(self.model, "partial_fit"):
            begin = time.process_time()
            self.model.partial_fit(new)
            self.seconds += time.process_time() - begin


def _first_likes(log: pd.DataFrame) -> pd.DataFrame:
    """Return the positive events of users on items they had nothing to do with before."""
    first = ~log.duplicated(["user_id", "item_id"])
    return log.loc[first & (event_strength(log) > 0), ["user_id", "item_id"]]


def _table(
    steps: pd.DataFrame,
    costs: Mapping[str, Mapping[str, float]],
    n_boot: int,
    random_state: Seed,
) -> pd.DataFrame:
    measured = steps[steps["measured"]]
    quality = measured.pivot_table(index="user_id", columns="policy", values="ndcg")
    gains = quality[list(costs)].sub(quality[next(iter(costs))], axis=0)
    low, high = mean_intervals(gains.to_numpy(), n_boot, random_state)
    table = pd.DataFrame({"ndcg": quality.mean(), "gain": gains.mean()}).loc[list(costs)]
    table = table.assign(ci_low=low, ci_high=high, n_users=len(gains))
    cost = pd.DataFrame.from_dict(costs, orient="index").astype({"refits": np.int64})
    return table.join(cost).rename_axis("policy")
