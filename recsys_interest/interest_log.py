"""The generated behaviour log: seeded, with interests, tiers, drift and faults known beforehand.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import numpy as np
import pandas as pd

from recsys_interest.checks import as_moment, check_share, shown
from recsys_interest.interest_changes import CHANGES, topics_needed
from recsys_interest.interest_dirt import FAULTS, dirt_counts, plant_faults
from recsys_interest.interest_events import draw_events
from recsys_interest.interest_texts import N_DRAWS, item_table
from recsys_interest.interest_users import draw_users
from recsys_interest.interest_words import DOMAINS, LANGUAGES, Topic, read_topics
from recsys_interest.schema import ITEM_COLUMNS, validate_events, validate_items
from recsys_interest.seeded import Ints, below, shuffled, stream

__all__ = ["Dataset", "make_interest_log"]

MOST_ROWS = 100_000_000
MOST_DIRT = 0.5
LEAST_TOPICS = 3  # an interest, a second one, and one to drift to


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
        Valid events (see `validate_events`), sorted by time; or a raw log, if so asked for.
    items : DataFrame
        Valid items (see `validate_items`).
    users : DataFrame
        `user_id` and what is known of a user (age, gender, ...); without rows where nothing is.
    truth : dict of str to DataFrame
        What is known beforehand, see `make_interest_log`; empty for real data.
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
    n_topics: int | None = 8,
    domains: Sequence[str] | None = None,
    language: Literal["en", "zh", "both"] = "en",
    drift_share: float = 0.0,
    changes: Mapping[str, int] | None = None,
    protected_correlation: float = 0.0,
    dirt: float | Mapping[str, int] = 0.0,
    seed: int = 0,
    start: str | datetime = "2026-01-01",
    days: int = 180,
) -> Dataset:
    """Generate a behaviour log in which every user's interests and tier are known.

    The topics come from seven domains (commerce, social, news, education, music, video, health),
    at least six in each. They share many words ("root", "pitch", "scale", "star") with different
    meanings, so that single words are ambiguous. A user spends about 70 % of the events on one
    topic, about 20 % on a second and 10 % anywhere. Half the users are casual (tier 0), a quarter
    regular (1) and a quarter devoted (2), who are 1 : 2 : 4 times as active on average, and the
    devoted go deeper: they buy, enrol, comment and rate more. What people can do depends on the
    domain: exams are taken in education, purchases made and sent back in commerce.

    Parameters
    ----------
    n_users : int, default 1000
        Number of users, each with at least one event.
    events_per_user : int, default 10
        Mean number of events per user; the log has exactly ``n_users * events_per_user``.
    n_items : int, default 480
        Number of items, at least one per topic; within a topic a few are much more popular.
    n_topics : int or None, default 8
        Number of topics, at least 3; None takes all 42 of the `domains`. They are drawn by the
        seed from all domains in turn, so from seven on each domain occurs.
    domains : sequence of str, optional
        The domains to draw topics from; all seven by default.
    language : {"en", "zh", "both"}, default "en"
        Language of items, searches and comments: English, Chinese, or a catalogue in which each
        item is in one of the two. With the same seed, ids, users, events and structure are the
        same in every language, and the texts are translations of each other.
    drift_share : float, default 0.0
        Share of the users whose first interest changes once, on a day between 30 % and 70 % of
        the log, to a third topic.
    changes : mapping of str to int, optional
        How often whole interests change, spread over the days between 20 % and 80 % of the log:
        ``{"birth": 1, "death": 1, "split": 1, "merge": 1}``. Before a birth and after a death,
        those who have the interest are spread over topics that never change, of which at least two
        are kept. Before a split and after a merge, those interested in either of two topics take
        both alike. Needs one topic for a birth or death, two for a split or merge.
    protected_correlation : float, default 0.0
        Share of the users whose `group` is decided by their first interest; the group of the
        others is a fair coin. Age and gender are always independent of taste.
    dirt : float or mapping of str to int, default 0.0
        Faults to plant, so that cleaning can be scored: a share of the events, up to 0.5, spread
        over all faults, or how many of each: missing_user, missing_item, missing_event,
        unknown_event, unparsable_time, future_time, bad_value, missing_value, unknown_item,
        duplicate, near_duplicate (the same again within a minute), return_without_purchase,
        robot (each leaves 120 rows) and negative_quantity. Each is a further row, so that cleaning
        has the log without dirt to give back; only negative_quantity changes a return of the log.
    seed : int, default 0
        Same seed, same log, on any machine. The items depend on `seed`, `n_items`, `n_topics`,
        `domains` and `language` only.
    start : str or datetime, default "2026-01-01"
        First day (UTC).
    days : int, default 180
        Length of the log in days, at most 36500.

    Returns
    -------
    Dataset
        ``events`` sorted by time, or with `dirt` a raw log for `clean_events`, all text, in about
        that order; ``items``; ``users`` (user_id, age in years, gender, group); and
        in ``truth``

        - ``"users"``: user_id, interest, second_interest, tier, drift_date, drifted_to (the last
          two missing for a user without drift);
        - ``"interests"``: user_id, since, interest: what each user is interested in from when on,
          by drift and by `changes`; ``a + b`` while two topics are one interest;
        - ``"changes"``: date, change, interest, and of a split or merge the other topic;
        - ``"mixture"``: share of each topic (column) in the events of each user (index), before any
          drift or change; the rows sum to 1;
        - ``"items"``: item_id, topic, named ``domain/topic``;
        - ``"titles"``: item_id, title_en, title_zh;
        - ``"dirt"``: row, a position in ``events``, and its fault; without rows by default.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a number is out of range, a name is unknown or `start` is not a date.

    Notes
    -----
    Chapter 01, "Behaviour logs". Only uniform random numbers are drawn, and only compared, added
    and multiplied: no rounding of a mathematical library can make two machines differ. The health
    topics are generated like the others; no real person's data is in them.

    Rows: D09, D13.

    Examples
    --------
    >>> log = make_interest_log(n_users=40, events_per_user=5)
    >>> log
    Dataset('interest-log': 200 events, 40 users, 480 items)
    >>> log.truth["users"]["tier"].value_counts().tolist()
    [20, 10, 10]
    >>> chinese = make_interest_log(n_users=40, events_per_user=5, language="zh")
    >>> chinese.events["item_id"].equals(log.events["item_id"])
    True
    >>> dirty = make_interest_log(dirt={"duplicate": 3, "missing_user": 2})
    >>> dirty.truth["dirt"]["fault"].value_counts().to_dict()
    {'duplicate': 3, 'missing_user': 2}
    """
    n_users = _whole("n_users", n_users, 1)
    events_per_user = _whole("events_per_user", events_per_user, 1)
    seed = _whole("seed", seed, 0, 2**64)
    days = _whole("days", days, 1, 36_500)
    first_day = as_moment(start, "start").normalize()
    total = n_users * events_per_user
    faults = dirt_counts(_dirt(dirt), total)
    topics = _choose_topics(n_topics, domains, seed)
    planned = _changes(changes, len(topics))
    n_items = _whole("n_items", n_items, len(topics))
    if max(total, n_items) > MOST_ROWS:
        raise ValueError(
            f"n_users * events_per_user and n_items may be {MOST_ROWS:,} at most, got "
            f"{total:,} and {n_items:,}; the log is made in memory"
        )
    if language not in (*LANGUAGES, "both"):
        raise ValueError(f"language must be 'en', 'zh' or 'both', got {language!r}")
    names = [topic.name for topic in topics]
    users = draw_users(
        _ids("u", n_users),
        names,
        seed=seed,
        days=days,
        drift_share=check_share(drift_share, "drift_share"),
        protected_correlation=check_share(protected_correlation, "protected_correlation"),
        changes=planned,
    )
    items, titles, item_topic = _make_items(topics, n_items, language, seed)
    events = validate_events(
        draw_events(
            users, topics, items, item_topic, total=total, first_day=first_day, days=days, seed=seed
        )
    )
    planted = pd.DataFrame({"row": pd.Series(dtype="int64"), "fault": pd.Series(dtype="str")})
    if any(faults.values()):
        may_lack = not isinstance(dirt, Mapping)
        events, planted = plant_faults(
            events, items["item_id"].tolist(), faults, at_most=may_lack, seed=seed
        )
    topic_names = pd.Series(np.array(names, dtype=object)[item_topic], dtype="str")
    return Dataset(
        name="interest-log",
        events=events,
        items=validate_items(items),
        users=users.profile,
        truth={
            "users": users.truth(first_day),
            "interests": users.interests(first_day),
            "changes": users.changes.table(first_day, names),
            "mixture": users.mixture(),
            "items": pd.DataFrame({"item_id": items["item_id"], "topic": topic_names}),
            "titles": titles,
            "dirt": planted,
        },
        about="Generated log of topics that share words; interests and tiers are known.",
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


def _dirt(dirt: float | Mapping[str, int]) -> float | Mapping[str, int]:
    if not isinstance(dirt, Mapping):
        share = check_share(dirt, "dirt")
        if share > MOST_DIRT:
            raise ValueError(f"dirt must be a share of at most {MOST_DIRT}, got {dirt!r}")
        return share
    unknown = [fault for fault in dirt if fault not in FAULTS]
    if unknown:
        raise ValueError(
            f"dirt has unknown faults: {shown(unknown)}; there are {shown(FAULTS, 20)}"
        )
    return {fault: _whole(f"dirt[{fault!r}]", count, 0) for fault, count in dirt.items()}


def _changes(changes: object, n_topics: int) -> dict[str, int]:
    if changes is None:
        return {}
    if not isinstance(changes, Mapping):
        raise TypeError(f"changes must be a mapping like {{'birth': 1}}, got {changes!r}")
    unknown = [kind for kind in changes if kind not in CHANGES]
    if unknown:
        raise ValueError(f"changes has unknown kinds: {shown(unknown)}; there are {shown(CHANGES)}")
    counts = {k: _whole(f"changes[{k!r}]", number, 0) for k, number in changes.items()}
    needed = topics_needed(counts)
    if needed > n_topics:
        raise ValueError(
            f"changes = {counts} needs n_topics of at least {needed}, got {n_topics}: two for a "
            f"split or merge, one for a birth or death, and two that stay"
        )
    return counts


def _ids(letter: str, count: int) -> list[str]:
    width = max(4, len(str(count)))
    return [f"{letter}{number:0{width}d}" for number in range(1, count + 1)]


def _choose_topics(n_topics: int | None, domains: Sequence[str] | None, seed: int) -> list[Topic]:
    """Take one topic of every domain in turn, both in an order drawn by the seed."""
    chosen = _domains(domains)
    topics = [topic for topic in read_topics().values() if topic.domain in chosen]
    if n_topics is None:
        return topics
    if isinstance(n_topics, int) and n_topics > len(topics):
        raise ValueError(
            f"n_topics must be from {LEAST_TOPICS} to {len(topics)}, as many as {shown(chosen)} "
            f"have, got {n_topics}; n_topics=None takes them all"
        )
    n_topics = _whole("n_topics", n_topics, LEAST_TOPICS, len(topics))
    draws = stream(seed, 6).random((len(DOMAINS), 64))
    turns = []
    for draw, domain in zip(draws, DOMAINS, strict=True):
        mine = [n for n, topic in enumerate(topics) if topic.domain == domain]
        order = np.argsort(draw[1 : 1 + len(mine)], kind="stable").tolist()
        turns += [(turn, float(draw[0]), mine[n]) for turn, n in enumerate(order)]
    return [topics[n] for n in sorted(n for _, _, n in sorted(turns)[:n_topics])]


def _domains(domains: Sequence[str] | None) -> list[str]:
    if domains is None:
        return list(DOMAINS)
    if isinstance(domains, str) or not all(isinstance(d, str) for d in domains):
        raise TypeError(f"domains must be a list of names like ['music'], got {domains!r}")
    unknown = [d for d in domains if d not in DOMAINS]
    if unknown or not domains:
        raise ValueError(f"domains must be some of {shown(DOMAINS, 10)}, got {domains!r}")
    return [d for d in DOMAINS if d in domains]


def _make_items(
    topics: Sequence[Topic], n_items: int, language: str, seed: int
) -> tuple[pd.DataFrame, pd.DataFrame, Ints]:
    rng = stream(seed, 0)
    topic = shuffled(np.arange(n_items, dtype=np.int64) % len(topics), rng)
    draws = rng.random((n_items, N_DRAWS))
    coin = below(rng.random(n_items), 2)
    chinese = {"en": 0 * coin, "zh": 0 * coin + 1, "both": coin}[language]
    items = item_table(topics, topic, chinese, draws)
    items.insert(0, "item_id", pd.Series(_ids("i", n_items), dtype="str"))
    titles = items[["item_id", "title_en", "title_zh"]]
    items["title"] = items["title_en"].where(chinese == 0, items["title_zh"])
    return items[list(ITEM_COLUMNS)], titles, topic
