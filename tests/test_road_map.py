"""The road map: every chapter is on it, it says what is true, and nothing is drawn over."""

from __future__ import annotations

import importlib
import re
import shutil
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import nbformat
import pytest
from sphinx.errors import ExtensionError

import recsys_interest
from book.road_drawing import (
    LINE_LETTERS,
    STRIP,
    Place,
    broken_name,
    letters,
    road_map,
    short_title,
    strip,
    wrapped,
)
from book.road_map import check_stops
from book.road_stops import LAYOUTS, STOPS, WORDS, Box

from .conftest import build, tiny_chapter
from .test_docs import toc_files

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = {name[10:12]: name for name in toc_files() if re.match(r"notebooks/\d\d_", name)}

each_layout = pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.name)


def title_of(page: str) -> str:
    cells = nbformat.read(ROOT / f"{page}.ipynb", as_version=4).cells
    first = next(cell.source for cell in cells if cell.cell_type == "markdown")
    return first.partition("\n")[0].removeprefix("# ")


PLACES = {key: Place(title_of(page), f"../{page}.html") for key, page in CHAPTERS.items()}


def drawn(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(html)


def in_svg(tag: str) -> str:
    return f".//{tag}"


# What is on it


@pytest.mark.rows("K07")
def test_every_chapter_has_a_stop_in_each_drawing_and_every_stop_a_chapter():
    assert len(CHAPTERS) >= 15
    assert set(STOPS) == set(CHAPTERS) == set(STRIP)
    for layout in LAYOUTS:
        assert set(layout.boxes) == set(CHAPTERS)


@pytest.mark.rows("K07")
@pytest.mark.parametrize("chapter", STOPS)
def test_the_function_of_a_stop_is_public_and_belongs_to_its_chapter(chapter):
    function = getattr(recsys_interest, STOPS[chapter].function)
    module = importlib.import_module(function.__module__)
    said = re.search(r"^Chapter: (.*?)\.$", module.__doc__, flags=re.MULTILINE | re.DOTALL)
    assert chapter in re.findall(r"\b\d\d\b", said[1])


@pytest.mark.rows("K07")
@each_layout
def test_tiers_and_clusters_do_not_exclude_each_other(layout):
    # What is wrong in the first article's chart (E-S0-03): a user is on one branch only.
    ways = {(way.start[:2], way.end[:2]) for way in layout.ways}
    assert {("05", "06"), ("05", "07"), ("06", "07")} <= ways


@each_layout
def test_every_stop_but_the_whole_road_is_on_a_way(layout):
    on_a_way = {end[:2] for way in layout.ways for end in (way.start, way.end)}
    assert on_a_way == set(CHAPTERS) - {"00"}


def test_both_drawings_hand_on_the_same():
    first, second = ({(w.start[:2], w.end[:2]) for w in layout.ways} for layout in LAYOUTS)
    assert first == second


def test_a_chapter_without_a_stop_is_an_error():
    with pytest.raises(ExtensionError, match=r"\['15'\] have no stop on the road"):
        check_stops([*CHAPTERS, "15"])


def test_a_stop_without_a_chapter_is_not_drawn():
    some = {key: PLACES[key] for key in ("00", "05", "07")}
    map_ = drawn(road_map(some))
    for svg in map_:
        assert [a.get("href") for a in svg.iter("a")] == [place.href for place in some.values()]
        assert len([p for p in svg.iter("path") if p.get("class") == "way"]) == 1
    assert len(list(drawn(strip(some, "05", "#")).find("svg").iter("a"))) == 3


def test_every_language_has_all_words():
    assert set(WORDS["zh_CN"]) == set(WORDS["en"])
    assert not set(WORDS["zh_CN"].values()) & set(WORDS["en"].values())
    assert {stop.area for stop in STOPS.values()} <= set(WORDS["en"])


# How it is drawn


@each_layout
def test_boxes_lie_apart_and_inside(layout):
    for (a, one), (b, other) in combinations(layout.boxes.items(), 2):
        assert not overlap(one, other), (a, b)
    for box in layout.boxes.values():
        assert 0 <= box.x <= box.x + box.width <= layout.width
        assert 0 <= box.y <= box.y + box.height <= layout.height


def overlap(one: Box, other: Box) -> bool:
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return across > 0 and down > 0


@each_layout
def test_no_way_runs_through_a_box_or_out_of_the_drawing(layout):
    for way in layout.ways:
        points = way.points(layout.boxes)
        for (x, y), (u, v) in pairwise(points):
            assert x == u or y == v, f"{way} is not straight"
            line = Box(min(x, u), min(y, v), abs(u - x) or 0.1, abs(v - y) or 0.1)
            crossed = [key for key, box in layout.boxes.items() if overlap(line, shrunk(box))]
            assert not crossed, way
            assert 0 <= line.x <= line.x + line.width <= layout.width
            assert 0 <= line.y <= line.y + line.height <= layout.height


def shrunk(box: Box) -> Box:
    """Leave the edge out: arrows begin and end on it."""
    return Box(box.x + 0.5, box.y + 0.5, box.width - 1, box.height - 1)


@pytest.mark.parametrize("chapter", sorted(set(CHAPTERS) - {"00"}))
def test_titles_and_functions_fit_into_their_boxes(chapter):
    titles = wrapped(f"{chapter} {short_title(PLACES[chapter].title)}")
    functions = broken_name(STOPS[chapter].function)
    assert len(titles) + len(functions) <= 4
    assert max(map(letters, titles)) <= LINE_LETTERS
    assert max(map(len, functions)) <= LINE_LETTERS + 1
    assert "".join(functions) == STOPS[chapter].function


def test_chinese_titles_break_between_characters():
    lines = wrapped("08 层次聚类与密度聚类算法")
    assert "".join(lines) == "08 层次聚类与密度聚类算法"
    assert len(lines) == 2
    assert max(map(letters, lines)) <= LINE_LETTERS
    assert short_title("冷启动：没人见过的用户") == "冷启动"


# What a reader without eyes, or without a mouse, gets


def test_drawings_have_a_title_a_description_and_links_in_the_order_of_reading():
    for svg in drawn(road_map(PLACES)):
        ids = {e.get("id"): e for e in svg.iter() if e.get("id")}
        assert ids[svg.get("aria-labelledby")].tag == "title"
        assert len(ids[svg.get("aria-describedby")].text) > 200
        links = [(a.get("href"), "".join(a.itertext())) for a in svg.iter("a")]
        assert [href for href, _ in links] == [PLACES[key].href for key in sorted(PLACES)]
        for key, (_, text) in zip(sorted(PLACES), links, strict=True):
            assert text.split()[0] == key


def test_ids_differ_between_the_drawings():
    ids = re.findall(r' id="([^"]+)"', road_map(PLACES) + strip(PLACES, "00", "#"))
    assert len(ids) == len(set(ids)) > 4


@pytest.mark.parametrize("here", CHAPTERS)
def test_the_strip_marks_one_stop(here):
    nav = drawn(strip(PLACES, here, "../book/index.html#the-road"))
    now = [a for a in nav.iter("a") if a.get("aria-current")]
    assert [a.get("aria-label") for a in now] == [f"{here} {PLACES[here].title}"]
    says = "".join(nav.find("p").itertext())
    assert says.startswith(f"You are here: {here} · {WORDS['en'][STOPS[here].area]}")
    assert nav.find("p/a").get("href") == "../book/index.html#the-road"


def test_what_a_title_holds_is_escaped():
    odd = {"07": Place('K < "means" & co', "x.html?a&b")}
    for svg in drawn(road_map(odd)):
        assert [(a.get("href"), "".join(a.itertext())) for a in svg.iter("a")] == [
            ("x.html?a&b", '07 K < "means" & co InterestClusterer')
        ]
    [link] = drawn(strip(odd, "07", "#")).find("svg").iter("a")
    assert link.get("aria-label") == '07 K < "means" & co'


# In the book


def test_chapters_hold_nothing_of_the_map():
    for page in CHAPTERS.values():
        text = (ROOT / f"{page}.ipynb").read_text(encoding="utf-8")
        assert "road-strip" not in text
        assert "road-map" not in text


def navigation(page: Path, name: str) -> ElementTree.Element | None:
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf'<nav class="{name}".*?</nav>', text, flags=re.DOTALL)
    assert len(found) <= 1
    return drawn(found[0]) if found else None


def test_the_first_page_shows_the_road_under_its_heading(html):
    page = html / "book" / "index.html"
    for svg in navigation(page, "road-map"):
        hrefs = [a.get("href") for a in svg.iter("a")]
        assert hrefs == [f"../{CHAPTERS[key]}.html" for key in sorted(CHAPTERS)]
    text = page.read_text(encoding="utf-8")
    assert text.index('id="the-road"') < text.index('class="road-map"')


@pytest.mark.parametrize("here", CHAPTERS)
def test_each_chapter_shows_where_the_reader_is(html, here):
    nav = navigation(html / f"{CHAPTERS[here]}.html", "road-strip")
    [now] = [a for a in nav.iter("a") if a.get("aria-current") == "page"]
    assert now.get("href") == "#"
    assert now.get("aria-label") == f"{here} {PLACES[here].title}"
    links = [a.get("href") for a in nav.find("svg").iter("a")]
    names = [Path(CHAPTERS[key]).name for key in sorted(CHAPTERS)]
    assert links == [
        "#" if key == here else f"{n}.html" for key, n in zip(STOPS, names, strict=True)
    ]


def test_other_pages_have_no_strip(html):
    for name in set(toc_files()) - set(CHAPTERS.values()):
        assert navigation(html / f"{name}.html", "road-strip") is None, name


def test_a_book_with_a_chapter_off_the_road_is_not_built(mini_book):
    tiny_chapter(mini_book / "notebooks" / "15_off.ipynb")
    toc = mini_book / "_toc.yml"
    toc.write_text(toc.read_text().replace("00_tiny", "15_off"))
    run = build(mini_book, "--stored")
    assert run.returncode == 1
    assert "the chapters ['15'] have no stop on the road" in run.stderr
    assert not (mini_book / "_build" / "html" / "notebooks" / "15_off.html").exists()


def test_a_new_title_reaches_the_pages_that_were_built_before(mini_book):
    pages = mini_book / "_build" / "html" / "notebooks"
    chapter = tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb")
    shutil.copy(chapter, mini_book / "notebooks" / "01_other.ipynb")
    toc = mini_book / "_toc.yml"
    toc.write_text(toc.read_text() + "  - file: notebooks/01_other\n")
    assert build(mini_book, "--stored").returncode == 0
    assert 'aria-label="00 Tiny"' in (pages / "01_other.html").read_text()
    chapter.write_text(chapter.read_text().replace("# Tiny", "# Renamed"))
    assert build(mini_book, "--stored").returncode == 0
    assert 'aria-label="00 Renamed"' in (pages / "01_other.html").read_text()
