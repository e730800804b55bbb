"""The texts of the generated log: items, queries and comments, written from pairs of phrases.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.interest_words import (
    COMMENTS,
    DESCRIPTIONS,
    FORMATS,
    LABELS,
    LANGUAGES,
    LEADS,
    LEVELS,
    QUERIES,
    TITLES,
    Pair,
    Topic,
)
from recsys_interest.seeded import Floats, Ints, below

__all__ = ["N_DRAWS", "event_texts", "item_table"]

N_DRAWS = 12  # uniform numbers that the texts of one item take


def item_table(topics: Sequence[Topic], topic: Ints, chinese: Ints, draws: Floats) -> pd.DataFrame:
    """Write one item per row of `draws`; `chinese` is 1 where it is in Chinese, and else 0.

    Returns the columns title_en, title_zh, description, tags, category and language.
    """
    rows = [
        _item(topics[t], zh, row)
        for t, zh, row in zip(topic.tolist(), chinese.tolist(), draws.tolist(), strict=True)
    ]
    names = [*(f"title_{name}" for name in LANGUAGES), "description", "tags", "category"]
    items = pd.DataFrame(rows, columns=names, dtype="str")
    items["language"] = np.array(LANGUAGES, dtype=object)[chinese]
    return items.astype({"language": "str"})


def _item(topic: Topic, language: int, draws: list[float]) -> tuple[str, ...]:
    subjects = _several(topic.subjects, draws[0:2])
    tasks = _several(topic.tasks, draws[2:4])
    tags = [_one(topic.tags, draws[4]), _one(LABELS, draws[5])]
    words: dict[str, Pair] = {
        "s0": subjects[0],
        "s1": subjects[1],
        "t0": tasks[0],
        "t1": tasks[1],
        "p": _one(topic.settings, draws[6]),
        "lead": _one(LEADS, draws[7]),
        "level": _one(LEVELS, draws[8]),
        "format": _one(FORMATS, draws[9]),
    }
    each = [{name: pair[n] for name, pair in words.items()} for n in range(len(LANGUAGES))]
    title, description = _one(TITLES, draws[10]), _one(DESCRIPTIONS, draws[11])
    return (
        _sentence(title[0].format_map(each[0])),
        _sentence(title[1].format_map(each[1])),
        _sentence(description[language].format_map(each[language])),
        ", ".join(tag[language] for tag in tags),
        words["format"][language],
    )


def _one(pairs: Sequence[Pair], key: float) -> Pair:
    return pairs[int(key * len(pairs))]


def _several(pairs: Sequence[Pair], keys: Sequence[float]) -> list[Pair]:
    left = list(pairs)
    return [left.pop(int(key * len(left))) for key in keys]


_BORDER = re.compile(r"(?<=[\u4e00-\u9fff])(?=[A-Za-z])|(?<=[A-Za-z])(?=[\u4e00-\u9fff])")


def _sentence(text: str) -> str:
    # Between a Latin and a Chinese letter stands a space.
    return _BORDER.sub(" ", text[:1].upper() + text[1:])


def event_texts(
    topics: Sequence[Topic], topic: Ints, chinese: Ints, own: Ints, is_comment: Ints, draws: Floats
) -> npt.NDArray[np.object_]:
    """Return one text per event, a comment or a query, by looking it up in a table of them all.

    `own` is 1 where the topic is an interest of the user; `draws` has three columns.
    """
    first, second, third = draws.T
    sizes = np.array([len(part) for part in _queried(topics[0])])
    kind = below(first, len(sizes))
    query = (sizes.cumsum() - sizes)[kind] + below(second, sizes[kind])
    n_subjects, n_tasks = len(topics[0].subjects), len(topics[0].tasks)
    template = own * len(COMMENTS[0]) + below(first, len(COMMENTS[0]))
    subject, task = below(second, n_subjects), below(third, n_tasks)
    comment = sizes.sum() + (template * n_subjects + subject) * n_tasks + task
    table = np.array([[_all_texts(t, n) for n in range(len(LANGUAGES))] for t in topics], object)
    return table[topic, chinese, np.where(is_comment, comment, query)]


def _queried(topic: Topic) -> tuple[tuple[Pair, ...], ...]:
    return topic.subjects, topic.tasks, topic.tags


def _all_texts(topic: Topic, n: int) -> list[str]:
    queries = [
        _BORDER.sub(" ", template[n].format(**{field: phrase[n]}))
        for template, field, phrases in zip(QUERIES, "stg", _queried(topic), strict=True)
        for phrase in phrases
    ]
    comments = [
        _BORDER.sub(" ", template[n].format(s=subject[n], t=task[n]))
        for templates in COMMENTS
        for template in templates
        for subject in topic.subjects
        for task in topic.tasks
    ]
    return queries + comments
