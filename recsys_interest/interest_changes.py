"""What happens to whole interests of the generated log: births, deaths, splits and merges.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys_interest.schema import TIMESTAMP_DTYPE
from recsys_interest.seeded import Floats, Ints, below, shuffled, stream

__all__ = ["CHANGES", "STABLE_TOPICS", "Changes", "draw_changes", "topics_needed"]

#: How many topics one change of each kind takes.
CHANGES: dict[str, int] = {"birth": 1, "death": 1, "split": 2, "merge": 2}
STABLE_TOPICS = 2  # at least: where people are before a birth and after a death
BLEND = " + "


@dataclass(frozen=True)
class Changes:
    """One entry per change in `kind`, `day`, `first` and `second`; topics are positions.

    `second` is −1 for a birth or death. `elsewhere` holds a stable topic for every user: where the
    user is while the interest does not exist.
    """

    kind: list[str]
    day: Ints
    first: Ints
    second: Ints
    elsewhere: Ints

    def topic_on(self, user: Ints, topic: Ints, day: Ints, coin: Floats) -> Ints:
        """Return the topic of each event that its user's interest in `topic` leads to that day."""
        out = topic.copy()
        for kind, since, first, second in self._rows():
            early = kind in ("birth", "split")  # these are felt before their day
            here = ((topic == first) | (topic == second)) & ((day < since) == early)
            if second < 0:
                out = np.where(here, self.elsewhere[user], out)
            else:
                out = np.where(here, np.where(coin < 0.5, first, second), out)
        return out

    def interest_on(self, topic: Ints, day: int) -> Ints:
        """Return what every user is interested in on a day, as a position in `interest_names`."""
        user, at = np.arange(len(topic)), np.full(len(topic), day)
        found = self.topic_on(user, topic, at, np.zeros(len(topic)))
        out = found.copy()
        for n, (kind, since, first, second) in enumerate(self._rows()):
            if second >= 0 and (day < since) == (kind == "split"):
                out[(found == first) | (found == second)] = -1 - n
        return out

    def interest_names(self, names: list[str]) -> list[str]:
        """Return the names of the topics, then, from the last backwards, of what is two in one."""
        blends = [names[a] + BLEND + names[b] for _, _, a, b in self._rows()]
        return [*names, *reversed(blends)]

    def table(self, first_day: pd.Timestamp, names: list[str]) -> pd.DataFrame:
        """Return date, change, interest and other, by date."""
        named = np.array([*names, None], dtype=object)  # −1 is the last
        table = pd.DataFrame(
            {
                "date": pd.Series(first_day + pd.to_timedelta(self.day, unit="D")),
                "change": pd.Series(self.kind, dtype="str"),
                "interest": pd.Series(named[self.first], dtype="str"),
                "other": pd.Series(named[self.second], dtype="str"),
            }
        ).astype({"date": TIMESTAMP_DTYPE})
        return table.sort_values("date", kind="stable", ignore_index=True)

    def _rows(self) -> zip[tuple[str, int, int, int]]:
        columns = (self.day.tolist(), self.first.tolist(), self.second.tolist())
        return zip(self.kind, *columns, strict=True)


def topics_needed(counts: Mapping[str, int]) -> int:
    """Return how many topics a log needs for so many changes of each kind.

    >>> topics_needed({"birth": 1, "split": 1})
    5
    """
    if not any(counts.values()):
        return 0
    return STABLE_TOPICS + sum(CHANGES[kind] * number for kind, number in counts.items())


def draw_changes(
    counts: Mapping[str, int], second: Ints, n_topics: int, days: int, seed: int
) -> Changes:
    """Choose what happens to which topics, spread over the days between 20 and 80 percent.

    Parameters
    ----------
    counts : mapping of str to int
        How many of each kind of `CHANGES`.
    second : ndarray of int64, shape (n_users,)
        Second interests: nobody is sent where this one is already, if it can be helped.
    n_topics, days, seed : int
        Of the log.

    Returns
    -------
    Changes
        Without rows, and without effect, if nothing is to happen.
    """
    rng = stream(seed, 8)
    kinds = [kind for kind in CHANGES for _ in range(counts.get(kind, 0))]
    kinds = [kinds[n] for n in shuffled(np.arange(len(kinds), dtype=np.int64), rng).tolist()]
    free = shuffled(np.arange(n_topics, dtype=np.int64), rng).tolist()
    first = [free.pop() for _ in kinds]
    other = [free.pop() if CHANGES[kind] == 2 else -1 for kind in kinds]
    spread = 0.2 + 0.6 * (np.arange(len(kinds)) + rng.random(len(kinds))) / max(1, len(kinds))
    stable = np.sort(np.array(free, dtype=np.int64))
    pick = below(rng.random(len(second)), len(stable))
    elsewhere = np.where(stable[pick] == second, stable[(pick + 1) % len(stable)], stable[pick])
    return Changes(
        kind=kinds,
        day=below(spread, days),
        first=np.array(first, dtype=np.int64),
        second=np.array(other, dtype=np.int64),
        elsewhere=elsewhere,
    )
