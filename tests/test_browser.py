"""The book in a real browser: from disk and from a server, light and dark, on desk and phone."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlsplit

import pytest
from headless import chromium, started

from . import browser
from .browser import Findings, Watch, load_checks, served, visit, watch


@pytest.fixture(scope="module")
def chrome():
    # Not for the module as a whole: CI turns the skips of single tests into failures.
    if chromium() is None:
        pytest.skip("needs a browser: chromium is not installed")
    with started() as running:
        yield running


@pytest.fixture(scope="module")
def context(chrome):
    with chrome.new_context(viewport=browser.DESK, reduced_motion="reduce") as made:
        made.set_default_timeout(60_000)
        yield made


@pytest.fixture(scope="module")
def names(html) -> list[str]:
    return browser.html_pages(html)


@pytest.fixture(scope="module")
def disk(html) -> str:
    return html.as_uri()


@pytest.fixture(scope="module")
def server(html):
    with served(html) as address:
        yield address


@pytest.fixture(scope="module")
def found(context, disk, names) -> dict[str, Findings]:
    """Look at every page of the book once; the tests read what was found."""
    return {name: visit(context, disk, name) for name in names}


def listed(found: dict[str, Findings], what: str) -> dict[str, list[str]]:
    return {name: getattr(page, what) for name, page in found.items() if getattr(page, what)}


# Every page, from disk


def test_no_page_has_an_error_or_asks_another_host(found):
    assert len(found) > 30
    assert not listed(found, "errors")
    assert not listed(found, "elsewhere")


def test_formulas_are_set(found):
    assert not listed(found, "raw_math")
    assert not listed(found, "unrendered_math")


def test_figures_have_a_size_and_say_what_they_show(found):
    assert not listed(found, "bad_figures")


def test_no_page_scrolls_sideways_on_a_phone(found):
    assert not listed(found, "sideways")


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(found, theme):
    low = {name: page.low_contrast[theme] for name, page in found.items()}
    assert not {name: colours for name, colours in low.items() if colours}


def test_axe_finds_nothing_serious(found):
    assert not listed(found, "axe")


def test_every_link_and_anchor_inside_the_book_resolves(found, disk, html):
    broken = []
    for name, page in found.items():
        for url in page.links:
            if not url.startswith(disk):
                continue
            parts = urlsplit(url)
            target = unquote(parts.path)[len(unquote(urlsplit(disk).path)) + 1 :]
            if target.startswith("zh/") and target not in found:  # its anchors are English ones
                target = target.removeprefix("zh/")
            anchors = found[target].anchors if target in found else []
            if not (html / target).is_file() or (
                parts.fragment and unquote(parts.fragment) not in anchors
            ):
                broken.append(f"{name}: {url}")
    assert not broken


# What a reader does


def test_every_page_loads_from_a_server_too(context, server, names):
    seen = watch(context, server)
    for name in names:
        page = seen.go(name)
        load_checks(page)
        assert not page.evaluate("pageChecks.unrenderedMath()"), name
        assert not page.evaluate("pageChecks.badFigures()"), name
    page.close()
    assert not seen.errors
    assert not seen.elsewhere


@pytest.mark.parametrize("home", ["disk", "server"])
def test_the_first_page_leads_to_the_book(context, home, request):
    seen = watch(context, request.getfixturevalue(home))
    page = seen.page
    page.goto(f"{seen.home}/index.html")
    page.wait_for_url("**/book/index.html")
    page.close()
    assert not seen.errors


ENDED = "/finished|did not match|搜索完成|没有匹配/"


def results(seen: Watch, query: str, folder: str = "") -> list[str]:
    page = seen.go(f"{folder}search.html?q={quote(query)}")
    page.wait_for_function(
        f"() => {ENDED}.test(document.querySelector('.search-summary')?.innerText)"
    )
    return page.eval_on_selector_all(
        "#search-results ul.search a", "links => links.map(a => a.getAttribute('href'))"
    )


@pytest.mark.parametrize("home", ["disk", "server"])
@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("K-means", "notebooks/07_kmeans.html"),
        ("聚类", "book/index.html"),
        ("用户兴趣", "book/index.html"),
        ("silhouette", "notebooks/10_choosing_and_naming_clusters.html"),
        ("no such wörd anywhere", None),
    ],
)
def test_search_finds_words_in_both_languages(context, home, query, page, request):
    seen = watch(context, request.getfixturevalue(home))
    there = {url.split("#")[0] for url in results(seen, query)}
    assert page in there if page else not there
    seen.page.wait_for_load_state("networkidle")
    seen.page.close()
    assert not seen.errors


@pytest.mark.parametrize("home", ["disk", "server"])
@pytest.mark.parametrize(
    ("query", "page"),
    [
        ("聚类", "book/index.html"),
        ("轮廓系数", "book/glossary.html"),
        ("K-means", "notebooks/07_kmeans.html"),
        ("冷启动", "notebooks/13_cold_start.html"),  # its title
        ("silhouette", "notebooks/10_choosing_and_naming_clusters.html"),
        ("从未写过的词句", None),
    ],
)
def test_search_in_the_chinese_book(context, home, query, page, request):
    seen = watch(context, request.getfixturevalue(home))
    there = {url.split("#")[0] for url in results(seen, query, "zh/")}
    assert page in there if page else not there
    seen.page.wait_for_load_state("networkidle")
    seen.page.close()
    assert not seen.errors


@pytest.mark.parametrize("home", ["disk", "server"])
@pytest.mark.parametrize("name", ["book/index.html", "notebooks/07_kmeans.html", "search.html"])
def test_the_switch_leads_to_the_other_language_and_back(context, home, name, request):
    seen = watch(context, request.getfixturevalue(home))
    page = seen.go(name)
    titles = [page.inner_text("h1")]
    for folder, tag in (("zh/", "zh-CN"), ("", "en")):
        page.click("a.language-switch")
        page.wait_for_url(f"{seen.home}/{folder}{name}")
        page.wait_for_load_state("load")
        assert page.evaluate("document.documentElement.lang") == tag
        titles.append(page.inner_text("h1"))
    assert titles[0] == titles[2] != titles[1]
    page.close()
    assert not seen.errors


def test_the_search_field_leads_to_the_results(context, disk):
    seen = watch(context, disk)
    page = seen.go("notebooks/00_quickstart.html")
    page.click(".search-button-field:visible")
    page.fill("#pst-search-dialog input[name=q]", "K-means")
    page.press("#pst-search-dialog input[name=q]", "Enter")
    page.wait_for_url("**/search.html?q=K-means*")
    page.wait_for_selector("#search-results ul.search a")
    page.close()
    assert not seen.errors


PROMPT = re.compile(r"^(>>> |\.\.\. ?|\$ )")


def typed(shown: str) -> str:
    """Return what one would type of a block: where there are prompts, what follows them."""
    lines = shown.rstrip("\n").split("\n")
    commands = [PROMPT.sub("", line) for line in lines if PROMPT.match(line)]
    return "\n".join(commands or lines)


@pytest.mark.parametrize(
    "name", ["book/index.html", "notebooks/00_quickstart.html", "book/api/clusters.html"]
)
def test_copy_buttons_copy_the_code_and_no_prompt(context, server, name):
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=server)
    seen = watch(context, server)
    page = seen.go(name)
    buttons = page.locator("button.copybtn")
    assert buttons.count() == page.locator("div.highlight pre").count() > 0
    page.evaluate("() => navigator.clipboard.writeText('nothing yet')")
    for place in range(0, buttons.count(), max(1, buttons.count() // 4)):
        button = buttons.nth(place)
        shown = page.evaluate(
            "b => b.parentElement.querySelector('pre').textContent", button.element_handle()
        )
        button.evaluate("b => b.click()")
        page.wait_for_function(
            "async () => (await navigator.clipboard.readText()) !== 'nothing yet'"
        )
        copied = page.evaluate("() => navigator.clipboard.readText()")
        assert copied == typed(shown)
        page.evaluate("() => navigator.clipboard.writeText('nothing yet')")
    page.close()
    assert not seen.errors


def test_solutions_open(context, disk, names):
    seen = watch(context, disk)
    opened = 0
    for name in (n for n in names if re.match(r"notebooks/\d", n)):
        page = seen.go(name)
        solutions = page.locator(".solution.dropdown")
        assert solutions.count() >= 3, name
        for place in range(solutions.count()):
            solution = solutions.nth(place)
            body = solution.locator("> :not(.admonition-title)").first
            assert not body.is_visible()
            solution.locator("button.toggle-button").click()
            assert body.is_visible()
            opened += 1
    page.close()
    assert opened >= 45
    assert not seen.errors
