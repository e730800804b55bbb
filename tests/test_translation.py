"""The book in Chinese: catalogues that are complete, and two languages that lead to each other."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup, Tag

from .conftest import ROOT, build, tiny_chapter
from .test_docs import toc_files

sys.path.append(str(ROOT / "book"))
from catalogues import (  # noqa: E402  (the modules that build the book stand beside each other)
    CHINESE,
    ENGLISH,
    NAVIGATION,
    catalogue_faults,
    catalogue_path,
    page_catalogues,
    read_catalogue,
    title_of,
    translated_pages,
)

TRANSLATED = translated_pages(CHINESE)
HAN = re.compile(r"[\u4e00-\u9fff]")
FOLDERS = {ENGLISH: "", CHINESE: "zh/"}


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    # Imported late: it brings Sphinx.
    import messages

    return messages


@pytest.fixture(scope="module")
def english(messages, tmp_path_factory) -> dict[str, list[str]]:
    """Return the messages that the English pages have now."""
    return messages.extract(TRANSLATED, tmp_path_factory.mktemp("messages"))


# The catalogues


def test_the_pages_that_a_reader_meets_first_are_translated():
    assert {"book/index", "book/glossary", "notebooks/00_quickstart"} <= set(TRANSLATED)


@pytest.mark.parametrize("name", [*TRANSLATED, NAVIGATION])
def test_every_message_is_translated(english, name):
    faults = catalogue_faults(catalogue_path(CHINESE, name), english[name])
    assert not faults, f"`make messages`, then translate in {name}.po:\n" + "\n".join(faults)


@pytest.mark.parametrize("name", [*TRANSLATED, NAVIGATION])
def test_translations_are_chinese(name):
    # Numbers and names of methods are the same in both.
    own = read_catalogue(catalogue_path(CHINESE, name))
    same = [m for m, translated in own.items() if not HAN.search(translated)]
    assert len(same) < len(own) / 4
    assert all(len(m) <= 25 for m in same), same
    assert len(HAN.findall("".join(own.values()))) > len("".join(own.values())) / 4


CATALOGUE = """
msgid "kept"
msgstr "留下"

msgid "new"
msgstr ""

#, fuzzy
msgid "changed"
msgstr "改了"

msgid "gone"
msgstr "没了"
"""


def test_every_fault_of_a_catalogue_is_named(tmp_path):
    (path := tmp_path / "page.po").write_text(CATALOGUE)
    assert catalogue_faults(path, ["kept", "new", "changed", "lost"]) == [
        "no translation: new",
        "fuzzy: changed",
        "no longer in the English page: gone",
        "not in the catalogue: lost",
    ]
    assert read_catalogue(path) == {"kept": "留下", "gone": "没了"}


def test_messages_are_those_of_the_pages_as_they_are_rendered(english):
    assert "User Interests from Text and Behaviour" in english["book/index"]
    assert "Adjusted Rand index (ARI)" in english["book/glossary"]
    # A number of an error is a link on the page, so it is one in the message.
    quickstart = "\n".join(english["notebooks/00_quickstart"])
    assert "{ref}`E-S0-05 <e-s0-05>`" in quickstart
    assert "{glue:text}`ari_BERT:.2f`" in quickstart
    assert {"K-means", "Start here", "Search the book", "Pages below"} <= set(english[NAVIGATION])
    assert "User Interests from Text and Behaviour" in english[NAVIGATION]  # also in the settings


def test_a_page_without_a_catalogue_gets_its_title_and_its_line_of_terms(tmp_path):
    folder = tmp_path / CHINESE.code / "LC_MESSAGES"
    (folder / "book").mkdir(parents=True)
    (folder / "navigation.po").write_text(
        'msgid "Streams"\nmsgstr "流"\n\n'
        'msgid "**In the {doc}`glossary </book/glossary>`:** {terms}."\n'
        'msgstr "**见{doc}`术语表 </book/glossary>`：** {terms}。"\n'
    )
    (folder / "book" / "glossary.po").write_text('msgid "Drift"\nmsgstr "漂移（drift）"\n')
    line = "**In the {doc}`glossary </book/glossary>`:** {term}`Drift`, {term}`EASE`."
    text = f"(label)=\n# Streams\n\nText.\n\n{line}\n"
    files = page_catalogues(CHINESE, {"book/api/streams": text}, tmp_path)
    path = Path(CHINESE.code, "LC_MESSAGES", "book", "api", "streams.po")
    (tmp_path / "made.po").write_bytes(files[path])
    assert read_catalogue(tmp_path / "made.po") == {
        "Streams": "流",
        line: "**见{doc}`术语表 </book/glossary>`：** {term}`漂移 <Drift>`、{term}`EASE`。",
    }
    assert files == page_catalogues(CHINESE, {"book/api/streams": text}, tmp_path)  # no time in it


# The pages in both languages


@pytest.fixture(scope="module")
def soups(html) -> dict[str, BeautifulSoup]:
    # The theme lays two of its templates among the static files; the first page only leads on.
    names = [p.relative_to(html) for p in sorted(html.rglob("*.html")) if "_static" not in p.parts]
    return {
        name.as_posix(): BeautifulSoup((html / name).read_bytes(), "html.parser")
        for name in names
        if name.as_posix() not in {"index.html", "zh/index.html"}
    }


def pairs(soups: dict[str, BeautifulSoup]) -> dict[str, tuple[BeautifulSoup, BeautifulSoup]]:
    names = [name for name in soups if not name.startswith("zh/")]
    return {name: (soups[name], soups[f"zh/{name}"]) for name in names}


def test_every_page_is_there_in_both_languages(soups):
    chinese = {name.removeprefix("zh/") for name in soups if name.startswith("zh/")}
    assert chinese == {name for name in soups if not name.startswith("zh/")}
    assert {f"{name}.html" for name in toc_files()} | {"search.html", "genindex.html"} <= chinese


def test_every_page_says_its_language(soups):
    assert all(english.html["lang"] == "en" for english, _ in pairs(soups).values())
    assert all(chinese.html["lang"] == "zh-CN" for _, chinese in pairs(soups).values())


def leads_to(html: Path, name: str, link: Tag) -> str:
    parts = urlsplit(link["href"])
    assert not (parts.scheme or parts.netloc or parts.path.startswith("/")), link
    return os.path.relpath((html / name).parent / parts.path, html)


def test_the_switch_leads_to_the_same_page_in_the_other_language(html, soups):
    for name, soup in soups.items():
        other = name.removeprefix("zh/") if name.startswith("zh/") else f"zh/{name}"
        [link] = soup.select("a.language-switch")
        assert leads_to(html, name, link) == other
        expected = ENGLISH if name.startswith("zh/") else CHINESE
        assert (link.text, link["lang"], link["hreflang"]) == (
            *(expected.name, expected.tag, expected.tag),
        )
        named = {
            link["hreflang"]: leads_to(html, name, link)
            for link in soup.select("link[rel=alternate][hreflang]")
        }
        bare = name.removeprefix("zh/")
        assert named == {"en": bare, "zh-CN": f"zh/{bare}"}


def test_titles_and_parts_are_translated_on_every_page(soups):
    titles = read_catalogue(catalogue_path(CHINESE, NAVIGATION))
    for page in TRANSLATED:
        titles |= read_catalogue(catalogue_path(CHINESE, page))
    for name, (english, chinese) in pairs(soups).items():
        there = [link.text.strip() for link in english.select(".bd-docs-nav a, .prev-next-title")]
        here = [link.text.strip() for link in chinese.select(".bd-docs-nav a, .prev-next-title")]
        assert len(there) > 40
        assert here == [titles[title] for title in there], name
        parts = [part.text for part in english.select(".bd-docs-nav .caption-text")]
        assert len(parts) == 4
        translated = [part.text for part in chinese.select(".bd-docs-nav .caption-text")]
        assert translated == [titles[part] for part in parts], name


def test_a_page_that_is_not_translated_says_so(soups):
    for name in toc_files():
        page = soups[f"zh/{name}.html"].select_one("article.bd-article")
        assert page.h1.get("lang", "zh-CN") == "zh-CN"
        notes = page.select("p.in-english")
        if name in TRANSLATED:
            assert not notes
            assert not page.select("section[lang]")
        else:
            assert [note["lang"] for note in notes] == ["zh-CN"]
            assert page.section["lang"] == "en"
            assert HAN.search(notes[0].text)


def shown(soup: BeautifulSoup) -> Tag:
    return soup.select_one("article.bd-article")


@pytest.mark.parametrize("name", TRANSLATED)
def test_a_translated_page_has_the_numbers_formulas_code_and_links_of_the_english_one(soups, name):
    english, chinese = (shown(soup) for soup in pairs(soups)[f"{name}.html"])
    for what in (".pasted-text", ".math", "div.highlight pre", "code.literal", "img[src]"):
        there, here = (
            Counter(found["src"] if found.name == "img" else found.text for found in page.select(what))
            for page in (english, chinese)
        )
        if what == "img[src]":
            there = Counter({Path(src).name: count for src, count in there.items()})
            here = Counter({Path(src).name: count for src, count in here.items()})
        assert here == there, what
    assert links(chinese) == links(english)


def links(page: Tag) -> Counter[str]:
    """Return where the links of a page lead; an anchor's name may hold translated words."""
    found = [a["href"] for a in page.select("a[href]:not(.headerlink)")]
    return Counter(url.partition("#")[0] if "#term-" in url else url for url in found)


@pytest.mark.parametrize("name", TRANSLATED)
def test_no_markup_is_left_in_a_translated_page(soups, name):
    page = shown(soups[f"zh/{name}.html"])
    for code in page.select("pre, code, .math, script, style"):
        code.extract()
    left = re.findall(r".{0,20}(?:\*\*|\{\w+\}|`|\]\().{0,20}", page.get_text())
    assert not left


# The engine


def small_catalogue(root: Path, title: str) -> Path:
    path = root / "book" / "locale" / CHINESE.code / "LC_MESSAGES" / "book" / "index.po"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'msgid "Small"\nmsgstr "{title}"\n', encoding="utf-8")
    return path


def test_a_changed_catalogue_changes_its_page_only(mini_book):
    tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb")
    small_catalogue(mini_book, "小书")
    page = mini_book / "_build" / "html" / "zh" / "book" / "index.html"
    for title in ("小书", "小册子"):
        small_catalogue(mini_book, title)
        run = build(mini_book, "--stored")
        assert run.returncode == 0, run.stderr
        assert f"<h1>{title}" in page.read_text(encoding="utf-8")


def test_a_faulty_translation_turns_the_build_red_every_time(mini_book):
    tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb")
    path = small_catalogue(mini_book, "小书")
    path.write_text(path.read_text() + '\nmsgid "See {doc}`/notebooks/00_tiny`."\nmsgstr "见。"\n')
    for _ in range(2):
        run = build(mini_book, "--stored")
        assert run.returncode == 1
        assert "inconsistent term references in translated message" in run.stderr
