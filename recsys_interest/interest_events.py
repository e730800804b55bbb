"""The events of the generated log: who did what, with which item, when.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.event_weights import EVENT_WEIGHTS
from recsys_interest.interest_texts import event_texts
from recsys_interest.interest_users import ELSEWHERE, Users
from recsys_interest.interest_words import Topic
from recsys_interest.schema import EVENT_COLUMNS, TIMESTAMP_DTYPE
from recsys_interest.seeded import Ints, below, stream, weighted

__all__ = ["DOMAIN_EVENTS", "REPEAT_SECONDS", "draw_events"]

#: No two events of a user on one item are of the same kind and this close, in seconds.
REPEAT_SECONDS = 3600

#: Percent of the events of a casual, a regular and a devoted user that are of each kind, by
#: domain: the more devoted, the deeper the kinds. Off topic everybody is casual.
DOMAIN_EVENTS: dict[str, dict[str, tuple[int, int, int]]] = {
    "commerce": {
        "impression": (16, 12, 6),
        "browse": (52, 36, 22),
        "search": (16, 14, 10),
        "favourite": (4, 8, 12),
        "rate": (3, 8, 14),
        "comment": (2, 4, 6),
        "share": (1, 3, 4),
        "purchase": (5, 12, 22),
        "return": (1, 3, 4),
    },
    "social": {
        "impression": (20, 14, 8),
        "browse": (48, 34, 18),
        "search": (8, 8, 6),
        "follow": (6, 10, 14),
        "like": (10, 16, 22),
        "comment": (4, 10, 18),
        "share": (4, 8, 14),
    },
    "news": {
        "impression": (28, 20, 10),
        "browse": (52, 46, 34),
        "search": (10, 10, 10),
        "follow": (2, 4, 8),
        "like": (4, 8, 12),
        "comment": (2, 6, 12),
        "share": (2, 6, 14),
    },
    "education": {
        "browse": (50, 32, 16),
        "search": (16, 12, 8),
        "play": (14, 16, 16),
        "enrol": (8, 12, 14),
        "exam_score": (4, 12, 22),
        "rate": (3, 6, 9),
        "comment": (3, 6, 9),
        "favourite": (2, 4, 6),
    },
    "music": {
        "browse": (30, 20, 10),
        "search": (16, 12, 8),
        "play": (40, 40, 38),
        "like": (5, 9, 13),
        "favourite": (3, 8, 14),
        "follow": (2, 4, 6),
        "share": (2, 4, 6),
        "comment": (2, 3, 5),
    },
    "video": {
        "impression": (18, 12, 6),
        "browse": (28, 20, 10),
        "search": (10, 8, 6),
        "play": (34, 34, 30),
        "like": (4, 8, 14),
        "rate": (3, 8, 14),
        "comment": (2, 5, 9),
        "share": (1, 5, 11),
    },
    "health": {
        "browse": (50, 34, 18),
        "search": (22, 18, 12),
        "play": (8, 12, 14),
        "enrol": (4, 8, 14),
        "favourite": (6, 10, 14),
        "like": (4, 8, 12),
        "rate": (3, 5, 8),
        "comment": (3, 5, 8),
    },
}

_KINDS = tuple(sorted(EVENT_WEIGHTS))
_ACTIVITY = np.array([1, 2, 4])  # of a casual, a regular and a devoted user
#: Percent of ratings that are 1, 2, 3, 4 and 5: off topic, then in topic by tier.
_RATINGS = np.array([(30, 35, 25, 8, 2), (2, 6, 22, 40, 30), (0, 4, 16, 42, 38), (0, 0, 0, 40, 60)])
_SCORES = np.array([30, 45, 60, 75])  # least points of 100, off topic, then in topic by tier
_QUANTITIES = np.array((85, 12, 3))  # percent of purchases of 1, 2 and 3 pieces
#: Percent of events in each hour of the day: quiet at night, a peak after work.
_HOURS = np.array((1, 1, 0, 0, 0, 1, 2, 4, 5, 5, 5, 5, 6, 5, 4, 4, 5, 6, 8, 9, 10, 8, 4, 2))
_DAY = 86_400


def draw_events(
    users: Users,
    topics: Sequence[Topic],
    items: pd.DataFrame,
    item_topic: Ints,
    *,
    total: int,
    first_day: pd.Timestamp,
    days: int,
    seed: int,
) -> pd.DataFrame:
    """Draw `total` events, sorted by time; the language of the items changes their text only."""
    drawn = _Draw(users, topics, item_topic, total, days, seed)
    chinese = (items["language"] == "zh").to_numpy().astype(np.int64)
    text = drawn.texts(topics, chinese, stream(seed, 3))
    order = np.lexsort([np.nan_to_num(drawn.value), drawn.what(len(items)), drawn.time])
    elapsed = pd.to_timedelta(drawn.time[order], unit="s")
    events = {
        "user_id": np.array(users.ids, dtype=object)[drawn.user[order]],
        "item_id": items["item_id"].to_numpy(dtype=object)[drawn.item[order]],
        "event": np.array(_KINDS, dtype=object)[drawn.kind[order]],
        "timestamp": pd.DatetimeIndex(first_day + elapsed).astype(TIMESTAMP_DTYPE),
        "value": drawn.value[order],
        "text": text[order],
    }
    table = pd.DataFrame(events, columns=list(EVENT_COLUMNS))
    return table.astype(dict.fromkeys(["user_id", "item_id", "event", "text"], "str"))


def _event_counts(tiers: Ints, total: int, rng: np.random.Generator) -> Ints:
    """Share `total` events out: 1 : 2 : 4 on average, ± half for each user, at least one."""
    shares = _ACTIVITY[tiers] * (50 + below(rng.random(len(tiers)), 101))
    bounds = total * shares.cumsum() // shares.sum()
    counts = np.maximum(np.diff(bounds, prepend=0), 1)
    while excess := int(counts.sum()) - total:  # from raising zeros to one: the busiest pay it back
        most = min(excess, int((counts > 1).sum()))
        counts[np.argsort(-counts, kind="stable")[:most]] -= 1
    return counts


def _kind_table(topics: Sequence[Topic]) -> Ints:
    """Return percent by (topic and tier, kind)."""
    rows = [
        [DOMAIN_EVENTS[topic.domain].get(kind, (0, 0, 0))[tier] for kind in _KINDS]
        for topic in topics
        for tier in range(3)
    ]
    return np.array(rows, dtype=np.int64)


class _Draw:
    """The random choices of all events, as arrays with one entry per event."""

    def __init__(
        self,
        users: Users,
        topics: Sequence[Topic],
        item_topic: Ints,
        total: int,
        days: int,
        seed: int,
    ) -> None:
        self.rng = rng = stream(seed, 2)
        self.total = total
        self.user = np.repeat(np.arange(len(users.ids)), _event_counts(users.tier, total, rng))
        day = below(rng.random(total), days)
        self.time = day * _DAY + self._second_of_day(total)
        self._topics(users, day, seed)
        self.item = self._items(item_topic, len(topics))
        tier = np.where(self.own, users.tier[self.user], 0)
        kinds = _kind_table(topics)
        self.kind = weighted(rng.random(total), kinds, self.topic * 3 + tier)
        self.value = self._values(tier)
        self._spread_repeats(len(item_topic))
        self._returns(days)
        self._evidence(len(users.ids))

    def what(self, n_items: int) -> Ints:
        """Return one number per user, item and kind, ordered like them."""
        return (self.user * n_items + self.item) * len(_KINDS) + self.kind

    def _is(self, kind: str) -> npt.NDArray[np.bool_]:
        return self.kind == _KINDS.index(kind)

    def _second_of_day(self, count: int) -> Ints:
        hour = weighted(self.rng.random(count), _HOURS)
        return hour * 3600 + below(self.rng.random(count), 3600)

    def _topics(self, users: Users, day: Ints, seed: int) -> None:
        drift_day = users.drift_day[self.user]
        changed = (drift_day >= 0) & (day >= drift_day)
        interest = np.where(changed, users.drifted_to[self.user], users.interest[self.user])
        second = users.second[self.user]
        if users.changes.kind:
            coin = stream(seed, 9).random(self.total)
            interest = users.changes.topic_on(self.user, interest, day, coin)
            second = users.changes.topic_on(self.user, second, day, coin)
        where = self.rng.random(self.total)
        anywhere = below(self.rng.random(self.total), len(users.names))
        self.topic = np.where(where < users.main_share[self.user], interest, second)
        self.topic = np.where(where < 1 - ELSEWHERE, self.topic, anywhere)
        self.own = (self.topic == interest) | (self.topic == second)

    def _items(self, item_topic: Ints, n_topics: int) -> Ints:
        by_topic = np.argsort(item_topic, kind="stable")
        sizes = np.bincount(item_topic, minlength=n_topics)
        first = sizes.cumsum() - sizes
        draws = self.rng.random(self.total)
        # Squaring crowds the draws near zero: the first items of a topic are the popular ones.
        return by_topic[first[self.topic] + below(draws * draws, sizes[self.topic])]

    def _values(self, tier: Ints) -> npt.NDArray[np.float64]:
        level = np.where(self.own, tier + 1, 0)
        stars = 1 + weighted(self.rng.random(self.total), _RATINGS, level)
        pieces = 1 + weighted(self.rng.random(self.total), _QUANTITIES)
        points = _SCORES[level] + below(self.rng.random(self.total), 26)
        value = np.full(self.total, np.nan)
        for kind, column in (("rate", stars), ("purchase", pieces), ("exam_score", points)):
            value = np.where(self._is(kind), column, value)
        return value

    def _spread_repeats(self, n_items: int) -> None:
        """Give what comes twice within the hour another time of the same day, while it helps."""
        what = self.what(n_items)
        order = np.argsort(what, kind="stable")
        twin = np.diff(what[order]) == 0
        rows = np.sort(order[np.append(twin, False) | np.insert(twin, 0, False)])
        for _ in range(20):
            order = rows[np.lexsort([self.time[rows], what[rows]])]
            near = np.diff(self.time[order]) <= REPEAT_SECONDS
            again = np.sort(order[1:][near & (np.diff(what[order]) == 0)])
            if not again.size:
                return
            day = self.time[again] // _DAY
            self.time[again] = day * _DAY + self._second_of_day(len(again))

    def _returns(self, days: int) -> None:
        """Let the n-th return of a user take back the n-th purchase, one to fourteen days later."""
        returns = np.flatnonzero(self._is("return"))
        draws = self.rng.random(len(returns))
        second = self._second_of_day(len(returns))
        day = self.time // _DAY
        bought = np.flatnonzero(self._is("purchase") & (day < days - 1))
        purchase = _nth_of(self.user[bought], self.user[returns])
        matched = purchase >= 0
        self.kind[returns[~matched]] = _KINDS.index("browse")  # there is nothing to send back
        rows, source = returns[matched], bought[purchase[matched]]
        for column in (self.item, self.topic, self.own, self.value):
            column[rows] = column[source]
        later = 1 + below(draws[matched], np.minimum(14, days - 1 - day[source]))
        self.time[rows] = (day[source] + later) * _DAY + second[matched]

    def _evidence(self, n_users: int) -> None:
        """Let everybody have chosen something: a log of impressions only tells of no interest."""
        chosen = np.array([EVENT_WEIGHTS[kind] > 0 and kind != "rate" for kind in _KINDS])
        silent = np.bincount(self.user, weights=chosen[self.kind], minlength=n_users) == 0
        first = np.flatnonzero(np.diff(self.user, prepend=-1))[silent]
        self.kind[first], self.value[first] = _KINDS.index("browse"), np.nan

    def texts(
        self, topics: Sequence[Topic], chinese: Ints, rng: np.random.Generator
    ) -> npt.NDArray[np.object_]:
        draws = rng.random((self.total, 3))
        out = np.full(self.total, "", dtype=object)
        comment = self._is("comment")
        rows = np.flatnonzero(comment | self._is("search"))
        out[rows] = event_texts(
            topics,
            self.topic[rows],
            chinese[self.item[rows]],
            self.own[rows].astype(np.int64),
            comment[rows].astype(np.int64),
            draws[rows],
        )
        return out


def _nth_of(owners: Ints, takers: Ints) -> Ints:
    """Return for each taker the position of its owner's entry of the same rank, or −1."""
    owned = pd.DataFrame({"user": owners, "rank": pd.Series(owners).groupby(owners).cumcount()})
    wanted = pd.DataFrame({"user": takers, "rank": pd.Series(takers).groupby(takers).cumcount()})
    owned["position"] = np.arange(len(owners))
    found = wanted.merge(owned, on=["user", "rank"], how="left", sort=False)["position"]
    return found.fillna(-1).to_numpy(dtype=np.int64)
