"""The stops of the book's road, and where they stand in the drawing of it.

Each stop is a chapter and the function that does its work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Point = tuple[float, float]


@dataclass(frozen=True)
class Stop:
    """One chapter on the road: the function that does its work, and the area it lies in."""

    function: str
    area: str


STOPS = {
    "00": Stop("InterestPipeline", "road"),
    "01": Stop("clean_events", "log"),
    "02": Stop("item_text", "log"),
    "03": Stop("TextEncoder", "model"),
    "04": Stop("pretrain", "model"),
    "05": Stop("InterestProfiler", "users"),
    "06": Stop("TierClassifier", "tiers"),
    "07": Stop("InterestClusterer", "clusters"),
    "08": Stop("KneeDBSCAN", "clusters"),
    "09": Stop("choose_k", "clusters"),
    "10": Stop("name_clusters", "clusters"),
    "11": Stop("CosineRecommender", "lists"),
    "12": Stop("evaluate_recommendations", "lists"),
    "13": Stop("ColdStartRecommender", "lists"),
    "14": Stop("DynamicClusterer", "time"),
}

#: What the drawing says in each language of the book; the titles come translated.
WORDS = {
    "en": {
        "road": "the whole road",
        "log": "The log",
        "model": "Language model",
        "users": "Users",
        "tiers": "How deep?",
        "clusters": "Which topic?",
        "lists": "What next?",
        "time": "Over time",
        "map": "The road through the book",
        "here": "You are here",
        "all": "the whole road",
        "key": "Dashed: where it is needed",
        "colon": ": ",
        "says": (
            "A log is cleaned and becomes text; a language model, which may be trained further, "
            "turns the text into vectors; the vectors of what users did become profiles. Profiles "
            "lead to interest tiers and, beside them or inside them, to interest clusters. Both "
            "profiles and clusters lead to recommendations, which are measured. Window by window, "
            "the clusters lead back to the users."
        ),
    },
    "zh_CN": {
        "road": "全程",
        "log": "日志",
        "model": "语言模型",
        "users": "用户",
        "tiers": "兴趣多深？",
        "clusters": "什么主题？",
        "lists": "接下来推荐什么？",
        "time": "随时间变化",
        "map": "本书路线图",
        "here": "当前位置",
        "all": "全程路线图",
        "key": "虚线：按需要",
        "colon": "：",
        "says": (
            "日志经过清洗变成文本；语言模型（可以继续训练）把文本变成向量；用户行为对应的向量组成用户画像。"
            "画像得出兴趣层级，也得出兴趣聚类（与层级并列，或在层级之内进行）；画像和聚类都用于推荐，"
            "推荐结果再加以评估。聚类按时间窗口回到用户，反映兴趣的变化。"
        ),
    },
}


def words(language: str) -> Mapping[str, str]:
    """Return the words of a language; the book's own language stands in for all others."""
    return WORDS.get(language, WORDS["en"])


# Where everything stands


@dataclass(frozen=True)
class Box:
    """A rectangle of the drawing, from its upper left corner."""

    x: float
    y: float
    width: float
    height: float

    def around(self, other: Box) -> Box:
        """Return the smallest rectangle that holds both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.width, other.x + other.width)
        bottom = max(self.y + self.height, other.y + other.height)
        return Box(x, y, right - x, bottom - y)

    def grown(self, by: float, above: float) -> Box:
        """Return the rectangle with a margin, which is wider at the top."""
        return Box(self.x - by, self.y - above, self.width + 2 * by, self.height + by + above)

    def at(self, side: str, share: float = 0.5) -> Point:
        """Return the point on a side that lies at a share of its length."""
        across = {"left": 0.0, "right": 1.0}.get(side, share)
        down = {"top": 0.0, "bottom": 1.0}.get(side, share)
        return self.x + across * self.width, self.y + down * self.height


@dataclass(frozen=True)
class Way:
    """An arrow from a side of one stop over corners to a side of another; `07 top .8` is a point.

    What may be left out is dashed.
    """

    start: str
    end: str
    corners: tuple[Point, ...] = ()
    optional: bool = False

    def points(self, boxes: Mapping[str, Box]) -> list[Point]:
        """Return where the arrow begins, turns and ends."""
        first, last = (_point(end, boxes) for end in (self.start, self.end))
        return [first, *self.corners, last]


def _point(name: str, boxes: Mapping[str, Box]) -> Point:
    stop, side, *share = name.split()
    return boxes[stop].at(side, *map(float, share))


@dataclass(frozen=True)
class Layout:
    """A drawing for one width of the screen."""

    name: str
    width: float
    height: float
    boxes: Mapping[str, Box]
    ways: Sequence[Way]
    key: Point  # where it says what a dashed arrow is


def _wide() -> Layout:
    """Return the drawing for a desk: the road runs from left to right."""
    rows = (90.0, 192.0, 274.0, 356.0, 438.0)
    cells = {
        "01": (0, 0), "02": (0, 1), "03": (1, 1), "04": (1, 2), "05": (2, 1), "14": (2, 4),
        "06": (3, 0), "07": (3, 1), "08": (3, 2), "09": (3, 3), "10": (3, 4),
        "11": (4, 1), "12": (4, 2), "13": (4, 3),
    }  # fmt: skip
    boxes = {key: Box(8 + 162.0 * c, rows[r], 136, 68) for key, (c, r) in cells.items()}
    middle = [y + 34 for y in rows]
    one_of = [
        way
        for r, stop in enumerate(("07", "08", "09"), start=1)
        for way in (
            Way("05 right", f"{stop} left", ((481, middle[1]), (481, middle[r]))),
            Way(f"{stop} right", "10 top", ((634, middle[r]), (634, 431), (562, 431))),
        )
    ]
    ways = [
        Way("01 bottom", "02 top"),
        Way("02 right", "03 left"),
        Way("04 top", "03 bottom", optional=True),
        Way("03 right", "05 left"),
        Way("05 right", "06 left", ((481, middle[1]), (481, middle[0]))),
        Way("06 bottom .85", "07 top .85", optional=True),
        *one_of,
        Way("05 top .85", "11 top .85", ((447.6, 54), (771.6, 54))),
        Way("10 right", "13 bottom", ((724, middle[4]),)),
        Way("11 bottom", "12 top"),
        Way("13 top", "12 bottom"),
        Way("10 left", "14 right"),
        Way("14 top .85", "05 bottom .85", optional=True),
    ]
    return Layout("wide", 800, 516, {"00": Box(0, 0, 800, 38), **boxes}, ways, (8, 500))


def _narrow() -> Layout:
    """Return the drawing for a phone: the road runs downwards, in two columns."""
    rows = (72.0, 174.0, 276.0, 378.0, 480.0, 562.0, 644.0, 746.0)
    cells = {
        "01": (0, 0), "02": (1, 0), "03": (0, 1), "04": (1, 1), "05": (0, 2), "06": (0, 3),
        "07": (1, 3), "08": (1, 4), "09": (1, 5), "10": (1, 6),
        "11": (0, 4), "12": (0, 5), "13": (0, 6), "14": (1, 7),
    }  # fmt: skip
    boxes = {key: Box(18 + 172.0 * c, rows[r], 146, 68) for key, (c, r) in cells.items()}
    middle = [y + 34 for y in rows]
    one_of = [
        way
        for r, stop in enumerate(("07", "08", "09"), start=3)
        for way in (
            Way("05 right .8", f"{stop} left", ((177, 330.4), (177, middle[r]))),
            Way(f"{stop} right", "10 top", ((340, middle[r]), (340, 637), (263, 637))),
        )
    ]
    ways = [
        Way("01 right", "02 left"),
        Way("02 bottom", "03 top .85", ((263, 145), (142.1, 145))),
        Way("04 left", "03 right", optional=True),
        Way("03 bottom .85", "05 top .85"),
        Way("05 bottom .85", "06 top .85"),
        Way("06 right .2", "07 left .2", optional=True),
        *one_of,
        Way("05 left", "11 left", ((5, middle[2]), (5, middle[4]))),
        Way("10 left", "13 right"),
        Way("11 bottom", "12 top"),
        Way("13 top", "12 bottom"),
        Way("10 bottom .85", "14 top .85"),
        Way("14 right", "05 right .3", ((349, middle[7]), (349, 296.4)), optional=True),
    ]
    return Layout("narrow", 354, 824, {"00": Box(0, 0, 354, 38), **boxes}, ways, (18, 800))


LAYOUTS = (_wide(), _narrow())
