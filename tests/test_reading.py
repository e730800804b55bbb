"""What a reader does in a real browser: find the way, see the figures, link to a section."""

from __future__ import annotations

import pytest
from headless import chromium, started

from . import browser
from .browser import SETTLED, load_checks, watch

FRONT = "book/index.html"
CHAPTER = "notebooks/07_kmeans.html"


@pytest.fixture(scope="module")
def chrome():
    # Not for the module as a whole: CI turns the skips of single tests into failures.
    if chromium() is None:
        pytest.skip("needs a browser: chromium is not installed")
    with started() as running:
        yield running


@pytest.fixture
def opened(chrome, html):
    """Return a function that opens a page of the book from disk."""
    with chrome.new_context(reduced_motion="reduce") as context:
        context.set_default_timeout(60_000)

        def open_page(name, size=browser.DESK, theme="light"):
            seen = watch(context, html.as_uri())
            seen.page.set_viewport_size(size)
            seen.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            page = seen.go(name)
            page.evaluate(SETTLED)
            return page

        yield open_page


# The first page


def boxes(page, selector):
    found = page.locator(selector)
    return [found.nth(n).bounding_box() for n in range(found.count())]


def test_the_two_figures_stand_side_by_side_on_a_desk(opened):
    one, other = boxes(opened(FRONT), ".front-figures img")
    assert one["x"] + one["width"] <= other["x"]
    assert abs(one["y"] - other["y"]) < 40
    assert one["y"] + one["height"] < browser.DESK["height"], "seen without scrolling"


def test_the_two_figures_stand_below_each_other_on_a_phone(opened):
    one, other = boxes(opened(FRONT, browser.PHONE), ".front-figures img")
    assert one["y"] + one["height"] <= other["y"]
    for box in (one, other):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= browser.PHONE["width"]


# The road


@pytest.mark.rows("K07")
@pytest.mark.parametrize(
    ("size", "seen", "hidden"),
    [(browser.DESK, "wide", "narrow"), (browser.PHONE, "narrow", "wide")],
    ids=["desk", "phone"],
)
def test_the_road_is_drawn_for_the_screen_it_is_on(opened, size, seen, hidden):
    page = opened(FRONT, size)
    assert page.locator(f".road-map-{seen}").is_visible()
    assert not page.locator(f".road-map-{hidden}").is_visible()
    box = page.locator(f".road-map-{seen}").bounding_box()
    assert box["x"] + box["width"] <= size["width"]
    scale = box["width"] / float(
        page.locator(f".road-map-{seen}").get_attribute("viewBox").split()[2]
    )
    assert scale > 0.9, "letters of twelve pixels must not become unreadable"


OUTSIDE = """selector => [...document.querySelectorAll(`${selector} a.stop`)].flatMap(stop => {
  const shape = stop.querySelector("rect, circle").getBoundingClientRect();
  const out = ({ left, right, bottom }) =>
    left < shape.left || right > shape.right + 0.5 || bottom > shape.bottom + 0.5;
  const texts = [...stop.querySelectorAll("text")].filter(t => out(t.getBoundingClientRect()));
  return texts.map(text => text.textContent);
})"""


@pytest.mark.parametrize("size", [browser.DESK, browser.PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize(("name", "drawing"), [(FRONT, ".road-map"), (CHAPTER, ".road-strip")])
def test_no_text_sticks_out_of_its_box(opened, size, name, drawing):
    assert opened(name, size).evaluate(OUTSIDE, drawing) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [FRONT, CHAPTER])
def test_words_of_the_drawings_stand_out(opened, name, theme):
    page = opened(name, theme=theme)
    load_checks(page)
    found = page.evaluate("pageChecks.drawnContrast('.road-map, .road-strip')")
    assert len(found) >= 15
    assert {f["text"]: f["ratio"] for f in found if f["ratio"] < 4.5} == {}


def test_the_strip_can_be_walked_with_the_keyboard(opened):
    page = opened(CHAPTER)
    links = page.locator(".road-strip a.stop")
    links.nth(0).focus()
    for key in ("00", "01"):
        assert page.evaluate("document.activeElement.querySelector('text').textContent") == key
        page.keyboard.press("Tab")
    ring = "document.activeElement.querySelector('circle')"
    width = f"getComputedStyle({ring}).strokeWidth"
    assert page.evaluate(width) == "3px", "the reader sees where the keyboard is"
    page.keyboard.press("Enter")
    page.wait_for_url("**/02_text_and_keywords.html")
    marked = page.locator(".road-strip [aria-current=page]")
    assert marked.get_attribute("aria-label").startswith("02 ")


# Sections


HEADINGS = """() => [...document.querySelectorAll("article.bd-article :is(h1, h2, h3, h4)")]
  .filter(h => !h.closest("dl, .output, .admonition"))
  .map(h => ({ text: h.textContent, id: h.parentElement.id, link: h.querySelector("a.headerlink")?.getAttribute("href") }))
"""  # noqa: E501


@pytest.mark.parametrize(
    "name", [FRONT, CHAPTER, "notebooks/A1_first_article.html", "book/api/plots.html"]
)
def test_every_heading_has_a_link_to_itself(opened, name):
    page = opened(name)
    headings = page.evaluate(HEADINGS)
    assert headings
    for heading in headings:
        assert heading["link"], heading
        target = heading["link"].removeprefix("#")
        assert page.evaluate(
            "([id, text]) => document.getElementById(id).textContent.includes(text)",
            [target, heading["text"]],
        ), heading


SHOWN = "a => a.checkVisibility({ opacityProperty: true, visibilityProperty: true })"


def test_the_link_of_a_heading_shows_when_it_is_pointed_at_and_works(opened):
    page = opened(CHAPTER)
    heading = page.locator("article.bd-article h2").nth(1)
    link = heading.locator("a.headerlink")
    page.mouse.move(1, 1)
    assert not link.evaluate(SHOWN)
    heading.hover()
    assert link.evaluate(SHOWN)
    link.click()
    assert page.url.endswith(link.get_attribute("href"))
    assert 0 <= heading.bounding_box()["y"] < browser.DESK["height"] / 2


def test_the_link_of_a_heading_shows_when_the_keyboard_is_on_it(opened):
    page = opened(CHAPTER)
    page.mouse.move(1, 1)
    link = page.locator("article.bd-article h2 a.headerlink").nth(1)
    assert not link.evaluate(SHOWN)
    page.keyboard.press("Tab")  # from now on it is the keyboard that leads
    link.focus()
    assert link.evaluate("a => document.activeElement === a")
    assert link.evaluate(SHOWN)


# Figures on a dark page


def test_figures_keep_their_paper_in_the_dark(opened):
    page = opened(CHAPTER, theme="dark")
    styles = page.evaluate(
        "() => [...document.querySelectorAll('article.bd-article img')]"
        ".map(i => getComputedStyle(i)).map(s => [s.backgroundColor, s.filter, s.opacity])"
    )
    assert styles
    assert {tuple(style) for style in styles} == {("rgb(255, 255, 255)", "none", "1")}
