"""The phrases of the generated log, each in English and Chinese: 42 topics of seven domains.

The topics are data, one tab-separated file a domain in ``words/``; here is what any item may say,
whatever it is about. The topics of a language share many words and no meaning: "root" in a garden,
in a matrix and in a jaw.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

__all__ = [
    "COMMENTS",
    "DESCRIPTIONS",
    "DOMAINS",
    "FORMATS",
    "LABELS",
    "LANGUAGES",
    "LEADS",
    "LEVELS",
    "QUERIES",
    "TITLES",
    "Pair",
    "Topic",
    "read_topics",
]

Pair = tuple[str, str]  # the same in English and in Chinese

LANGUAGES = ("en", "zh")
DOMAINS = ("commerce", "social", "news", "education", "music", "video", "health")


@dataclass(frozen=True)
class Topic:
    """Phrases of one topic: 10 subjects, 8 tasks, 6 settings and 10 tags."""

    name: str  # domain/topic
    subjects: tuple[Pair, ...]
    tasks: tuple[Pair, ...]
    settings: tuple[Pair, ...]
    tags: tuple[Pair, ...]

    @property
    def domain(self) -> str:
        """Where the topic belongs, one of `DOMAINS`."""
        return self.name.split("/")[0]


@cache
def read_topics() -> Mapping[str, Topic]:
    """Read the word files, once: every topic by its name, in the order of `DOMAINS`.

    Examples
    --------
    >>> topics = read_topics()
    >>> len(topics), topics["music/jazz"].tags[0]
    (42, ('bass', '贝斯'))
    """
    found: dict[str, dict[str, list[Pair]]] = {}
    for domain in DOMAINS:
        table = files("recsys_interest").joinpath("words", f"{domain}.tsv")
        for row in csv.DictReader(table.read_text("utf-8").splitlines(), delimiter="\t"):
            parts = found.setdefault(row["topic"], {})
            parts.setdefault(row["part"], []).append((row["en"], row["zh"]))
    return MappingProxyType(
        {
            name: Topic(name, *(tuple(parts[p]) for p in ("subject", "task", "setting", "tag")))
            for name, parts in found.items()
        }
    )


#: What an item is, independent of what it is about.
FORMATS: tuple[Pair, ...] = (
    ("guide", "指南"),
    ("handbook", "手册"),
    ("collection", "合集"),
    ("starter set", "入门套装"),
    ("special", "特辑"),
    ("classic", "经典"),
    ("digest", "精选"),
    ("sampler", "体验装"),
)
#: Tags that any item may have, beside one of its topic.
LABELS: tuple[Pair, ...] = (
    ("new", "新上"),
    ("popular", "热门"),
    ("gift", "礼品"),
    ("short", "简短"),
    ("illustrated", "图文"),
    ("award", "获奖"),
    ("local", "本地"),
    ("weekend", "周末"),
)
LEADS: tuple[Pair, ...] = (
    ("step by step", "一步一步来"),
    ("from scratch", "从零开始"),
    ("made simple", "化繁为简"),
    ("the patient way", "慢慢来"),
    ("a weekend project", "周末小计划"),
    ("in ten minutes", "十分钟搞定"),
    ("common mistakes", "常见的错误"),
    ("old tricks", "老办法"),
    ("what nobody tells you", "没人告诉你的事"),
    ("a second look", "再看一眼"),
    ("the long version", "完整版"),
    ("lessons learnt", "经验教训"),
    ("an honest account", "实话实说"),
    ("ten years later", "十年之后"),
    ("small things first", "先从小处着手"),
    ("the quiet revolution", "静悄悄的变化"),
    ("what works and what does not", "哪些管用，哪些不管用"),
    ("a letter to a friend", "写给朋友的信"),
    ("before you begin", "动手之前"),
    ("the whole story", "来龙去脉"),
)
LEVELS: tuple[Pair, ...] = (
    ("for beginners", "写给初学者"),
    ("for the curious", "写给好奇的人"),
    ("for busy people", "写给忙碌的人"),
    ("beyond the basics", "不止于基础"),
    ("the hard parts", "难点详解"),
    ("a short introduction", "简短的入门"),
    ("with worked examples", "附实例"),
    ("in plain words", "大白话版"),
    ("questions and answers", "问与答"),
    ("seen by an expert", "专家的眼光"),
    ("with photographs", "配照片"),
    ("from start to finish", "从头到尾"),
    ("one more time", "再来一遍"),
    ("for two", "两个人一起"),
    ("without the fuss", "不折腾"),
    ("in half the time", "省一半时间"),
)

# {s0} {s1} subjects, {t0} {t1} tasks, {p} setting, {lead}, {level}, {format}. A Chinese setting is
# a place or a time that stands before what it qualifies.
TITLES: tuple[Pair, ...] = (
    ("{lead}: {t0} {p}, {level}", "{lead}：{p}{t0}，{level}"),
    ("{s0} {p}: {lead}, {level}", "{p}，{s0}：{lead}，{level}"),
    ("how to {t0} {p}, {level}: {lead}", "{p}怎样{t0}，{level}：{lead}"),
    ("{s0}, {level}: {lead}", "{s0}，{level}：{lead}"),
    ("{lead}: {s0} and how to {t0}, {level}", "{lead}：{s0}，以及怎样{t0}，{level}"),
)
#: Much that could be said of any item, and one phrase that could not.
DESCRIPTIONS: tuple[Pair, ...] = (
    (
        "A {format} in short parts, each with an exercise. The first part is about {s1}.",
        "这份{format}分成小节，每节配一个练习。第一节讲{s1}。",
    ),
    (
        "One hour and no jargon: this {format} shows how to {t1}.",
        "一小时，不讲行话：这份{format}教你怎样{t1}。",
    ),
    (
        "People asked for more on {s1}, so here it is, {level}.",
        "很多人想多了解{s1}，于是有了它，{level}。",
    ),
    (
        "You will {t1}, step after step, and keep notes for later.",
        "你会一步步学着{t1}，并留下笔记备用。",
    ),
    (
        "The new edition of a {format} that many people share. Now with {s1}.",
        "很多人分享过的{format}出了新版，新增{s1}。",
    ),
    (
        "Made by a small team of friends who love to {t1}.",
        "出自几个喜欢{t1}的朋友之手。",
    ),
    (
        "For everyone who wants to {t1} {p}, and for those who tried.",
        "{p}打算{t1}？为你而写，也为试过的人而写。",
    ),
    (
        "Two friends talk about {s1} {p} and agree on little.",
        "说到{p}的{s1}，两个朋友总谈不拢。",
    ),
)
#: What people write: about something that is not theirs, and about something that is.
COMMENTS: tuple[tuple[Pair, ...], tuple[Pair, ...]] = (
    (
        ("Too much on {s} for me.", "对我来说，{s}讲得太多了。"),
        ("I will never {t}.", "我这辈子都不会去{t}。"),
        ("Not my thing, {s}.", "{s}不是我的菜。"),
        ("Who wants to {t}?", "谁想{t}啊？"),
    ),
    (
        ("Finally I can {t}.", "终于会{t}了。"),
        ("The part on {s} is worth it.", "光是讲{s}的那部分就值了。"),
        ("Clear on {s}, thank you.", "{s}讲得很清楚，谢谢。"),
        ("I wanted to {t}, and now I do.", "一直想{t}，现在真的做到了。"),
    ),
)
#: What people search for: a subject, a task, a tag.
QUERIES: tuple[Pair, Pair, Pair] = (("{s}", "{s}"), ("how to {t}", "怎样{t}"), ("{g}", "{g}"))
