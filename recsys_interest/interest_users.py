"""The users of the generated log: what they are interested in, how deeply, and who they are.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_interest.interest_changes import Changes, draw_changes
from recsys_interest.schema import TIMESTAMP_DTYPE
from recsys_interest.seeded import Floats, Ints, below, shuffled, stream, weighted

__all__ = ["Users", "draw_users"]

ELSEWHERE = 0.1  # share of a user's events that go to any topic, alike
_GENDERS = ("female", "male", "other")
_GENDER_SHARES = np.array((49, 49, 2))  # percent


@dataclass(frozen=True)
class Users:
    """One entry per user in every array; topics are positions in `names`."""

    ids: list[str]
    names: list[str]
    interest: Ints
    second: Ints
    main_share: Floats
    tier: Ints
    drift_day: Ints  # the first day of the new interest; −1 where there is none
    drifted_to: Ints
    profile: pd.DataFrame
    changes: Changes

    def truth(self, first_day: pd.Timestamp) -> pd.DataFrame:
        """Return user_id, interest, second_interest, tier, drift_date and drifted_to."""
        drifts = self.drift_day >= 0
        date = first_day + pd.to_timedelta(self.drift_day, unit="D")
        return pd.DataFrame(
            {
                "user_id": pd.Series(self.ids, dtype="str"),
                "interest": _named(self.interest, self.names),
                "second_interest": _named(self.second, self.names),
                "tier": self.tier,
                "drift_date": pd.Series(date).astype(TIMESTAMP_DTYPE).where(drifts),
                "drifted_to": _named(self.drifted_to, self.names).where(drifts),
            }
        )

    def interests(self, first_day: pd.Timestamp) -> pd.DataFrame:
        """Return user_id, since and interest: one row for each time a user's interest is new."""
        starts = np.unique(np.concatenate([[0], self.drift_day, self.changes.day]))
        names = np.array(self.changes.interest_names(self.names), dtype=object)
        before = np.full(len(self.ids), len(names))
        rows = []
        for day in starts[starts >= 0].tolist():
            drifted = (self.drift_day >= 0) & (self.drift_day <= day)
            topic = np.where(drifted, self.drifted_to, self.interest)
            now = self.changes.interest_on(topic, day)
            new = np.flatnonzero(now != before)
            rows.append(np.stack([new, np.full(len(new), day), now[new]]))
            before = now
        user, since, interest = np.concatenate(rows, axis=1)
        order = np.lexsort([since, user])
        moment = pd.Series(first_day + pd.to_timedelta(since[order], unit="D"))
        return pd.DataFrame(
            {
                "user_id": pd.Series(np.array(self.ids, dtype=object)[user[order]], dtype="str"),
                "since": moment.astype(TIMESTAMP_DTYPE),
                "interest": pd.Series(names[interest[order]], dtype="str"),
            }
        )

    def mixture(self) -> pd.DataFrame:
        """Return the share of every topic in a user's events, before any drift or change."""
        rows = np.arange(len(self.ids))
        share = np.full((len(self.ids), len(self.names)), ELSEWHERE / len(self.names))
        share[rows, self.interest] += self.main_share
        share[rows, self.second] += 1 - ELSEWHERE - self.main_share
        index = pd.Index(self.ids, name="user_id", dtype="str")
        return pd.DataFrame(share, index=index, columns=self.names)


def _named(topics: Ints, names: list[str]) -> pd.Series:
    return pd.Series(np.array(names, dtype=object)[topics], dtype="str")


def draw_users(
    ids: list[str],
    names: list[str],
    *,
    seed: int,
    days: int,
    drift_share: float,
    protected_correlation: float,
    changes: Mapping[str, int],
) -> Users:
    """Draw the users; neither drift, changes nor the profile alter what else is drawn."""
    rng = stream(seed, 1)
    n_users, n_topics = len(ids), len(names)
    quarter = n_users // 4
    tiers = np.repeat(np.arange(3, dtype=np.int64), [n_users - 2 * quarter, quarter, quarter])
    interest = below(rng.random(n_users), n_topics)
    second = (interest + 1 + below(rng.random(n_users), n_topics - 1)) % n_topics
    tier = shuffled(tiers, rng)
    day, drifted_to = _drift(interest, second, n_topics, days, drift_share, stream(seed, 4))
    return Users(
        ids=ids,
        names=names,
        interest=interest,
        second=second,
        main_share=0.6 + 0.2 * rng.random(n_users),
        tier=tier,
        drift_day=day,
        drifted_to=drifted_to,
        profile=_profile(ids, interest, protected_correlation, stream(seed, 5)),
        changes=draw_changes(changes, second, n_topics, days, seed),
    )


def _drift(
    interest: Ints, second: Ints, n_topics: int, days: int, share: float, rng: np.random.Generator
) -> tuple[Ints, Ints]:
    """Choose who drifts, on a day between 30 % and 70 % of the log, and to which third topic."""
    n_users = len(interest)
    order = np.argsort(rng.random(n_users), kind="stable")
    drifts = np.zeros(n_users, dtype=bool)
    drifts[order[: int(share * n_users + 0.5)]] = True
    day = below(0.3 + 0.4 * rng.random(n_users), days)
    to = below(rng.random(n_users), n_topics - 2)
    for taken in (np.minimum(interest, second), np.maximum(interest, second)):
        to += to >= taken  # step over the topics that the user has
    return np.where(drifts, day, -1), to


def _profile(
    ids: list[str], interest: Ints, correlation: float, rng: np.random.Generator
) -> pd.DataFrame:
    n_users = len(ids)
    age = 18 + below(rng.random(n_users) + rng.random(n_users), 31)  # 18 … 79, most near 48
    gender = weighted(rng.random(n_users), _GENDER_SHARES)
    decided = rng.random(n_users) < correlation
    group = np.where(decided, interest % 2, below(rng.random(n_users), 2))
    return pd.DataFrame(
        {
            "user_id": pd.Series(ids, dtype="str"),
            "age": age,
            "gender": pd.Series(np.array(_GENDERS, dtype=object)[gender], dtype="str"),
            "group": pd.Series(np.array(["A", "B"], dtype=object)[group], dtype="str"),
        }
    )
