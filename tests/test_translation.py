"""The book in Chinese: catalogues that are complete, and two languages that lead to each other."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from bs4 import BeautifulSoup, Tag
from bs4.element import PreformattedString

from .conftest import ROOT, build, tiny_chapter
from .test_docs import toc_files

sys.path.append(str(ROOT / "book"))
from catalogues import (
    CHINESE,
    ENGLISH,
    NAVIGATION,
    catalogue_faults,
    catalogue_path,
    page_catalogues,
    read_catalogue,
    translated_pages,
)

TRANSLATED = translated_pages(CHINESE)
HAN = re.compile(r"[\u4e00-\u9fff]")


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
    assert "User Interests from Text and Behaviour" in english[NAVIGATION]  # also in the settings
    assert "Adjusted Rand index (ARI)" in english["book/glossary"]
    quickstart = english["notebooks/00_quickstart"]
    text = "\n".join(quickstart)
    # A number of an error is a link on the page, so it is one in the message.
    assert "{ref}`E-S0-05 <e-s0-05>`" in text
    assert "{glue:text}`ari_BERT:.2f`" in text
    assert "You will be able to" in quickstart  # in a table in a box
    assert any(message.startswith("Three dots") for message in quickstart)  # text of a figure
    assert any(message.startswith("less than") for message in quickstart)  # pasted words
    assert "operatorname" not in text  # formulas are the same in every language
    assert {"K-means", "Start here", "Search the book", "Pages below"} <= set(english[NAVIGATION])


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
    assert b"POT-Creation-Date" not in files[path]  # or Sphinx would read every page every time


# The pages in both languages


@pytest.fixture(scope="module")
def pages(html) -> dict[str, str]:
    """Return the pages in English by their names, and the Chinese ones by `zh/` and the name."""
    # The theme lays two of its templates among the static files; the first page only leads on.
    found = [p.relative_to(html) for p in html.rglob("*.html") if "_static" not in p.parts]
    texts = {path.as_posix(): (html / path).read_text(encoding="utf-8") for path in sorted(found)}
    return {
        name: text for name, text in texts.items() if name not in {"index.html", "zh/index.html"}
    }


def is_chinese(name: str) -> bool:
    return name.startswith("zh/")


def test_every_page_is_there_in_both_languages(pages):
    english = {name for name in pages if not is_chinese(name)}
    assert {name.removeprefix("zh/") for name in pages if is_chinese(name)} == english
    assert {f"{name}.html" for name in toc_files()} | {"search.html", "genindex.html"} <= english


def tags(text: str, start: str) -> list[dict[str, str]]:
    """Return the attributes of the elements that begin so."""
    return [
        dict(re.findall(r'([a-z]+)="([^"]*)"', rest))
        for rest in re.findall(rf"<{re.escape(start)}([^>]*)>", text)
    ]


def test_every_page_leads_to_itself_in_the_other_language(html, pages):
    for name, text in pages.items():
        bare = name.removeprefix("zh/")
        here, there, other = (
            (CHINESE, ENGLISH, bare) if is_chinese(name) else (ENGLISH, CHINESE, f"zh/{name}")
        )

        def target(url: str, name: str = name) -> str:
            assert re.match(r"[\w.]", url), (
                url
            )  # relative, so that it holds on disk and on a server
            return os.path.relpath((html / name).parent / url, html)

        assert [tag["lang"] for tag in tags(text, "html ")] == [here.tag]
        [switch] = tags(text, 'a class="btn btn-sm language-switch"')
        assert target(switch["href"]) == other
        assert switch["lang"] == switch["hreflang"] == there.tag
        assert f">{there.name}</a>" in text
        named = {tag["hreflang"]: tag["href"] for tag in tags(text, 'link rel="alternate" ')}
        assert {tag: target(url) for tag, url in named.items()} == {
            ENGLISH.tag: bare,
            CHINESE.tag: f"zh/{bare}",
        }


def soup(pages: dict[str, str], name: str) -> BeautifulSoup:
    return BeautifulSoup(pages[name], "html.parser")


@pytest.mark.parametrize("name", ["book/glossary.html", "book/api/clusters.html", "search.html"])
def test_titles_and_parts_are_translated_on_every_page(pages, name):
    titles = read_catalogue(catalogue_path(CHINESE, NAVIGATION))
    for page in TRANSLATED:
        titles |= read_catalogue(catalogue_path(CHINESE, page))
    english, chinese = soup(pages, name), soup(pages, f"zh/{name}")
    for what, least in (
        (".bd-docs-nav a, .prev-next-title", 40),
        (".bd-docs-nav .caption-text", 4),
    ):
        there = [link.text.strip() for link in english.select(what)]
        assert len(there) >= least
        assert [link.text.strip() for link in chinese.select(what)] == [titles[t] for t in there]


# Names, signs, and what stands for itself.
SAME = {"English", "CC BY 4.0", "Ctrl", "K", "+", ".md", ".pdf", "html"}


def test_nothing_around_the_text_is_left_in_english(pages):
    page = soup(pages, "zh/book/glossary.html")
    for element in page.select("article, head, script, .onlyprint"):
        element.extract()
    said = [text for text in page.find_all(string=True) if not isinstance(text, PreformattedString)]
    for element in page.find_all(True):
        said += [element.get(key, "") for key in ("title", "aria-label", "placeholder", "alt")]
    letters = {text.strip() for text in said if re.search(r"[A-Za-z]", text)} - SAME
    assert not [text for text in letters if not HAN.search(text)]


def test_a_page_that_is_not_translated_says_so(pages):
    for name in toc_files():
        text = pages[f"zh/{name}.html"]
        notes = re.findall(r'</h1>\s*<p class="in-english" lang="zh-CN">(.*)</p>', text)
        assert len(notes) == (name not in TRANSLATED), name
        assert ('<section lang="en"' in text) == (name not in TRANSLATED)
        assert text.count('<h1 lang="zh-CN"') == (name not in TRANSLATED)
        assert all(map(HAN.search, notes))


def article(pages: dict[str, str], name: str) -> Tag:
    return soup(pages, name).select_one("article.bd-article")


@pytest.mark.parametrize("name", TRANSLATED)
@pytest.mark.parametrize("what", [".pasted-text", ".math", "div.highlight pre", "code", "img", "a"])
def test_a_translated_page_has_the_numbers_formulas_code_and_links_of_the_english_one(
    pages, name, what
):
    def found(name: str) -> Counter[str]:
        elements = article(pages, name).select(f"{what}:not(.headerlink)")
        values = [e.get("href") or Path(e.get("src", "")).name or e.text for e in elements]
        return Counter(values)

    words = read_catalogue(catalogue_path(CHINESE, name)) if what == ".pasted-text" else {}
    english = found(f"{name}.html")
    translated = Counter({words.get(value, value): count for value, count in english.items()})
    assert found(f"zh/{name}.html") == translated


@pytest.mark.parametrize("name", TRANSLATED)
def test_no_markup_is_left_in_a_translated_page(pages, name):
    page = article(pages, f"zh/{name}.html")
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


def test_a_faulty_translation_turns_the_build_red_and_a_mended_one_changes_the_page(mini_book):
    tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb")
    page = mini_book / "_build" / "html" / "zh" / "book" / "index.html"
    faulty = '\nmsgid "See {doc}`/notebooks/00_tiny`."\nmsgstr "见那里。"\n'
    path = small_catalogue(mini_book, "小书")
    path.write_text(path.read_text(encoding="utf-8") + faulty, encoding="utf-8")
    run = build(mini_book, "--stored")
    assert run.returncode == 1
    assert "inconsistent term references in translated message" in run.stderr
    for title in ("小书", "小册子"):
        small_catalogue(mini_book, title)
        run = build(mini_book, "--stored")
        assert run.returncode == 0, run.stderr
        assert f"<h1>{title}" in page.read_text(encoding="utf-8")
