"""The generated behaviour log: seeded, in English, with the interests and tiers known beforehand.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import as_moment
from recsys_interest.interest_words import (
    COMMENTS,
    DESCRIPTIONS,
    FORMATS,
    LEADS,
    LEVELS,
    TITLES,
    TOPICS,
    Topic,
)
from recsys_interest.schema import EVENT_COLUMNS, TIMESTAMP_DTYPE, validate_events, validate_items

__all__ = ["Dataset", "make_interest_log"]

MOST_ROWS = 100_000_000

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_NAMES = tuple(TOPICS)
_MAIN, _SECOND = 0.7, 0.2  # shares of a user's events in the first and second interest
_ACTIVITY = np.array([1, 2, 4])  # of a casual, a regular and a devoted user

#: Percent of a user's events that are of each kind: the more devoted, the deeper the kinds.
_KINDS = {
    "browse": (64, 45, 22),
    "search": (15, 14, 10),
    "play": (9, 11, 12),
    "like": (4, 7, 11),
    "comment": (2, 5, 8),
    "rate": (3, 8, 14),
    "share": (1, 3, 5),
    "favourite": (1, 4, 9),
    "purchase": (1, 3, 9),
}
#: Percent of ratings that are 1, 2, 3, 4 and 5: off topic, then in topic by tier.
_RATINGS = (
    (30, 35, 25, 8, 2),
    (2, 6, 22, 40, 30),
    (0, 4, 16, 42, 38),
    (0, 0, 0, 40, 60),
)
_QUANTITIES = (85, 12, 3)  # percent of purchases of 1, 2 and 3 pieces
#: Percent of events in each hour of the day: quiet at night, a peak after work.
_HOURS = (1, 1, 0, 0, 0, 1, 2, 4, 5, 5, 5, 5, 6, 5, 4, 4, 5, 6, 8, 9, 10, 8, 4, 2)


def _no_users() -> pd.DataFrame:
    return pd.DataFrame({"user_id": pd.Series(dtype="str")})


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Dataset:
    """A behaviour log with its items and users, and what is known about where they come from.

    Parameters
    ----------
    name : str
        What `load_dataset` calls it.
    events : DataFrame
        Valid events (see `validate_events`), sorted by time.
    items : DataFrame
        Valid items (see `validate_items`).
    users : DataFrame
        `user_id` and what is known of a user (age, gender, ...); without rows where nothing is.
    truth : dict of str to DataFrame
        What is known beforehand: for a generated log ``users`` (user_id, interest,
        second_interest, tier) and ``items`` (item_id, topic); empty for real data.
    about : str
        One or two sentences, with the publication to cite if there is one.
    licence : str
        Under which terms the data may be used.
    source : str
        Where the data come from, the same on every machine.
    """

    name: str
    events: pd.DataFrame
    items: pd.DataFrame
    users: pd.DataFrame = field(default_factory=_no_users)
    truth: dict[str, pd.DataFrame] = field(default_factory=dict)
    about: str = ""
    licence: str = ""
    source: str = ""

    def __repr__(self) -> str:
        users = self.events["user_id"].nunique()
        return (
            f"Dataset({self.name!r}: {len(self.events):,} events, {users:,} users, "
            f"{len(self.items):,} items)"
        )


def make_interest_log(
    n_users: int = 1000,
    events_per_user: int = 10,
    *,
    n_items: int = 480,
    seed: int = 0,
    start: str | datetime = "2026-01-01",
    days: int = 180,
) -> Dataset:
    """Generate a behaviour log in which every user's interests and tier are known.

    Eight topics share many words ("python", "pitch", "root", "star") with different meanings, so
    that single words are ambiguous. A user spends about 70 % of
    the events on one topic, 20 % on a second and the rest anywhere. Half the users are casual
    (tier 0), a quarter regular (1) and a quarter devoted (2), who are 1 : 2 : 4 times as active
    on average, and the devoted buy, keep and rate more.

    Parameters
    ----------
    n_users : int, default 1000
        Number of users, each with at least one event.
    events_per_user : int, default 10
        Mean number of events per user; the log has exactly ``n_users * events_per_user``.
    n_items : int, default 480
        Number of items, at least one per topic; within a topic a few are much more popular.
    seed : int, default 0
        Same seed, same log, on any machine. The items depend on `seed` and `n_items` only.
    start : str or datetime, default "2026-01-01"
        First day (UTC).
    days : int, default 180
        Length of the log in days, at most 36500.

    Returns
    -------
    Dataset
        ``events`` sorted by time; ``items``; ``truth["users"]`` (user_id, interest,
        second_interest, tier) and ``truth["items"]`` (item_id, topic).

    Raises
    ------
    TypeError
        If a number is not a whole number, or `start` is neither text nor a date.
    ValueError
        If a number is out of range or `start` is not a date.

    Notes
    -----
    Chapter 01, "Behaviour logs". Only uniform random numbers are drawn, and only compared, added
    and multiplied: no rounding of a mathematical library can make two machines differ.

    Examples
    --------
    >>> log = make_interest_log(n_users=40, events_per_user=5)
    >>> log
    Dataset('interest-log': 200 events, 40 users, 480 items)
    >>> log.truth["users"]["tier"].value_counts().tolist()
    [20, 10, 10]
    """
    n_users = _whole("n_users", n_users, 1)
    events_per_user = _whole("events_per_user", events_per_user, 1)
    n_items = _whole("n_items", n_items, len(TOPICS))
    seed = _whole("seed", seed, 0, 2**64)
    days = _whole("days", days, 1, 36_500)
    first_day = as_moment(start, "start").normalize()
    if max(n_users * events_per_user, n_items) > MOST_ROWS:
        raise ValueError(
            f"n_users * events_per_user and n_items may be {MOST_ROWS:,} at most, got "
            f"{n_users * events_per_user:,} and {n_items:,}; the log is made in memory"
        )
    items, topics = _make_items(n_items, _stream(seed, 0))
    users = _make_users(n_users, _stream(seed, 1))
    drawn = _Draw(users, topics, n_users * events_per_user, _stream(seed, 2))
    events = drawn.events(items["item_id"], first_day, days)
    return Dataset(
        name="interest-log",
        events=validate_events(events),
        items=validate_items(items),
        truth={
            "users": _named(users),
            "items": pd.DataFrame({"item_id": items["item_id"], "topic": _topic_names(topics)}),
        },
        about="Generated log of eight topics that share words; interests and tiers are known.",
        licence="MIT, as this package",
        source=f"make_interest_log, seed {seed}",
    )


def _whole(name: str, value: int, least: int, most: int = 10**9) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be a whole number, got {value!r}") from None
    if isinstance(value, bool):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if not least <= number <= most:
        raise ValueError(f"{name} must be from {least} to {most}, got {number}")
    return number


def _stream(seed: int, part: int) -> np.random.Generator:
    # PCG64 by name: default_rng() may point to another generator one day.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, part])))


def _below(draws: Floats, size: int | Ints) -> Ints:
    """Turn uniform draws in [0, 1) into whole numbers 0 … size − 1."""
    return (draws * size).astype(np.int64)


def _weighted(draws: Floats, percent: Ints) -> Ints:
    """Turn uniform draws into choices; `percent` holds one row for all or one for each draw."""
    return np.asarray((draws[:, None] * 100 >= percent.cumsum(axis=-1)).sum(axis=1), dtype=np.int64)


def _shuffled(values: Ints, rng: np.random.Generator) -> Ints:
    return values[np.argsort(rng.random(len(values)), kind="stable")]


def _ids(letter: str, count: int) -> list[str]:
    width = max(4, len(str(count)))
    return [f"{letter}{number:0{width}d}" for number in range(1, count + 1)]


def _topic_names(topics: Ints) -> pd.Series:
    return pd.Series(np.array(_NAMES, dtype=object)[topics], dtype="str")


def _make_items(n_items: int, rng: np.random.Generator) -> tuple[pd.DataFrame, Ints]:
    topics = _shuffled(np.arange(n_items, dtype=np.int64) % len(TOPICS), rng)
    rows = [
        _item_row(TOPICS[_NAMES[topic]], draws)
        for topic, draws in zip(topics.tolist(), rng.random((n_items, 16)), strict=True)
    ]
    items = pd.DataFrame(rows, columns=["title", "description", "tags", "category"])
    items.insert(0, "item_id", _ids("i", n_items))
    items["language"] = "en"
    return items, topics


def _item_row(topic: Topic, draws: Floats) -> tuple[str, str, str, str]:
    def several(words: tuple[str, ...], keys: Floats) -> list[str]:
        left = list(words)
        return [left.pop(int(key * len(left))) for key in keys.tolist()]

    subjects = several(topic.subjects, draws[0:2])
    tasks = several(topic.tasks, draws[3:5])
    tags = several(topic.tags, draws[6:9])
    (title,) = several(TITLES, draws[9:10])
    (description,) = several(DESCRIPTIONS, draws[10:11])
    (category,) = several(FORMATS, draws[11:12])
    words = {
        **{f"s{n}": subject for n, subject in enumerate(subjects)},
        **{f"t{n}": task for n, task in enumerate(tasks)},
        "p": several(topic.settings, draws[12:13])[0],
        "lead": several(LEADS, draws[13:14])[0],
        "level": several(LEVELS, draws[14:15])[0],
        "format": category,
    }
    return (
        _sentence(title.format(**words)),
        _sentence(description.format(**words)),
        ", ".join(tags),
        category,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _make_users(n_users: int, rng: np.random.Generator) -> pd.DataFrame:
    quarter = n_users // 4
    tiers = np.repeat(np.arange(3, dtype=np.int64), [n_users - 2 * quarter, quarter, quarter])
    interest = _below(rng.random(n_users), len(TOPICS))
    step = 1 + _below(rng.random(n_users), len(TOPICS) - 1)
    return pd.DataFrame(
        {
            "user_id": _ids("u", n_users),
            "interest": interest,
            "second_interest": (interest + step) % len(TOPICS),
            "tier": _shuffled(tiers, rng),
        }
    )


def _named(users: pd.DataFrame) -> pd.DataFrame:
    return users.assign(
        user_id=users["user_id"].astype("str"),
        interest=_topic_names(users["interest"].to_numpy()),
        second_interest=_topic_names(users["second_interest"].to_numpy()),
    )


def _event_counts(tiers: Ints, total: int, rng: np.random.Generator) -> Ints:
    """Share `total` events out: 1 : 2 : 4 on average, ± half for each user, at least one."""
    shares = _ACTIVITY[tiers] * (50 + _below(rng.random(len(tiers)), 101))
    bounds = total * shares.cumsum() // shares.sum()
    counts = np.maximum(np.diff(bounds, prepend=0), 1)
    while excess := int(counts.sum()) - total:  # from raising zeros to one: the busiest pay it back
        most = min(excess, int((counts > 1).sum()))
        counts[np.argsort(-counts, kind="stable")[:most]] -= 1
    return counts


class _Draw:
    """The random choices of all events, as arrays with one entry per event."""

    def __init__(
        self, users: pd.DataFrame, item_topics: Ints, total: int, rng: np.random.Generator
    ) -> None:
        tiers = users["tier"].to_numpy()
        self.rng = rng
        self.total = total
        row = np.repeat(np.arange(len(users)), _event_counts(tiers, total, rng))
        self.user_ids = users["user_id"].take(row)
        self.tier = tiers[row]
        interest = users["interest"].to_numpy()[row]
        second = users["second_interest"].to_numpy()[row]
        where = rng.random(total)
        anywhere = _below(rng.random(total), len(TOPICS))
        self.topic = np.where(
            where < _MAIN, interest, np.where(where < _MAIN + _SECOND, second, anywhere)
        )
        self.own = (self.topic == interest) | (self.topic == second)
        self.item = self._items(item_topics)

    def events(self, item_ids: pd.Series, first_day: pd.Timestamp, days: int) -> pd.DataFrame:
        kinds = np.array(list(_KINDS.values()), dtype=np.int64).T[self.tier]
        kind = np.array(list(_KINDS), dtype=object)[_weighted(self.rng.random(self.total), kinds)]
        events = pd.DataFrame(
            {
                "user_id": self.user_ids.to_numpy(),
                "item_id": item_ids.to_numpy()[self.item],
                "event": kind,
                "timestamp": self._times(first_day, days),
                "value": self._values(kind),
                "text": self._texts(kind),
            },
            columns=list(EVENT_COLUMNS),
        )
        order = ["timestamp", "user_id", "item_id", "event", "text", "value"]
        return events.sort_values(order, kind="stable", ignore_index=True)

    def _items(self, item_topics: Ints) -> Ints:
        by_topic = np.argsort(item_topics, kind="stable")
        sizes = np.bincount(item_topics, minlength=len(TOPICS))
        first = sizes.cumsum() - sizes
        draws = self.rng.random(self.total)
        # Squaring crowds the draws near zero: the first items of a topic are the popular ones.
        return by_topic[first[self.topic] + _below(draws * draws, sizes[self.topic])]

    def _times(self, first_day: pd.Timestamp, days: int) -> pd.DatetimeIndex:
        day = _below(self.rng.random(self.total), days)
        hour = _weighted(self.rng.random(self.total), np.array(_HOURS))
        second = _below(self.rng.random(self.total), 3600)
        elapsed = pd.to_timedelta((day * 24 + hour) * 3600 + second, unit="s")
        return pd.DatetimeIndex(first_day + elapsed).astype(TIMESTAMP_DTYPE)

    def _values(self, kind: npt.NDArray[np.object_]) -> Floats:
        table = np.array(_RATINGS, dtype=np.int64)[np.where(self.own, self.tier + 1, 0)]
        stars = 1 + _weighted(self.rng.random(self.total), table)
        pieces = 1 + _weighted(self.rng.random(self.total), np.array(_QUANTITIES))
        value = np.where(kind == "rate", stars, np.where(kind == "purchase", pieces, 0))
        return np.where(value > 0, value, np.nan)

    def _texts(self, kind: npt.NDArray[np.object_]) -> list[str]:
        draws = self.rng.random((self.total, 2))
        texts = [""] * self.total
        for n in np.flatnonzero((kind == "search") | (kind == "comment")).tolist():
            topic = TOPICS[_NAMES[self.topic[n]]]
            first, second = draws[n].tolist()
            if kind[n] == "comment":
                texts[n] = _comment(topic, bool(self.own[n]), first, second)
            else:
                texts[n] = _query(topic, first, second)
        return texts


def _query(topic: Topic, first: float, second: float) -> str:
    table = (topic.subjects, topic.tasks, topic.tags)[int(first * 3)]
    words = table[int(second * len(table))]
    return f"how to {words}" if table is topic.tasks else words


def _comment(topic: Topic, own: bool, first: float, second: float) -> str:
    template = COMMENTS[own][int(first * len(COMMENTS[own]))]
    subject = topic.subjects[int(second * len(topic.subjects))]
    return template.format(s=subject, t=topic.tasks[int(second * len(topic.tasks))])
