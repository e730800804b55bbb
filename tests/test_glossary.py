"""Glossary, notation, troubleshooting: names import, chapters are there, links go back."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import nbformat
import pytest

import recsys_interest
from recsys_interest import doctor

from .conftest import load_build

ROOT = Path(__file__).resolve().parent.parent
BOOK = ROOT / "book"
CHAPTERS = {path.stem: path for path in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))}

build = load_build(ROOT)

from cross_links import Term, homes, read_glossary  # noqa: E402 - beside build.py

TERMS = read_glossary((BOOK / "glossary.md").read_text(encoding="utf-8"))
HOMES = homes((ROOT / "recsys_interest" / "__init__.pyi").read_text(encoding="utf-8"))

each_term = pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)


def gaps(term: Term) -> list[str]:
    """Return what an entry of the glossary lacks."""
    lacking = [f"the chapter {c}" for c in term.chapters if c not in CHAPTERS]
    lacking += [f"the name {f}" for f in term.functions if f not in HOMES]
    lacking += [] if term.chapters else ["a chapter"]
    lacking += [] if term.functions else ["a function"]
    return lacking + ([] if len(term.definition.split()) >= 5 else ["a definition"])


@each_term
def test_every_term_has_a_definition_a_function_and_a_chapter(term):
    assert not gaps(term)


@each_term
def test_the_functions_of_the_glossary_import(term):
    for name in term.functions:
        assert callable(getattr(recsys_interest, name))


def test_a_poor_entry_is_found():
    good = TERMS[0]
    assert not gaps(good)
    poor = Term("x", "Too short.", ("no_function",), ("77_no_chapter",))
    assert gaps(poor) == ["the chapter 77_no_chapter", "the name no_function", "a definition"]
    assert gaps(Term("x", good.definition, (), ())) == ["a chapter", "a function"]


def test_terms_are_sorted_and_differ():
    names = [term.name.lower() for term in TERMS]
    assert names == sorted(set(names))


def test_every_entry_of_the_page_is_read():
    page = (BOOK / "glossary.md").read_text(encoding="utf-8")
    block = page.partition("```{glossary}\n")[2].partition("\n```")[0]
    assert len(re.findall(r"^\S", block, flags=re.MULTILINE)) == len(TERMS) > 40


# The terms that the second article defines, and a chapter that is about each.
DEFINED = {
    "User-interest clustering": "07",
    "Cold-start recommendation": "13",
    "Dynamic clustering": "14",
    "LLM-based recommendation": "00",
}


@pytest.mark.rows("K06")
@pytest.mark.parametrize(("name", "number"), DEFINED.items())
def test_the_terms_that_the_articles_define_are_there(name, number):
    [term] = [term for term in TERMS if term.name == name]
    assert any(chapter.startswith(number) for chapter in term.chapters)


# The way back


def staged(tmp_path: Path, stem: str) -> str:
    chapter = nbformat.read(CHAPTERS[stem], as_version=4)
    build.stage({f"{stem}.ipynb": chapter}, tmp_path)
    return (tmp_path / "src" / "notebooks" / f"{stem}.ipynb").read_text(encoding="utf-8")


def test_chapters_and_api_pages_link_to_their_terms(tmp_path):
    stem = next(stem for stem in CHAPTERS if stem.startswith("05"))
    text = staged(tmp_path, stem)
    for term in TERMS:
        assert (f"{{term}}`{term.name}`" in text) == (stem in term.chapters), term.name
    page = (tmp_path / "src" / "book" / "api" / "profiles.md").read_text(encoding="utf-8")
    assert "{term}`Profile`" in page
    assert "{term}`DBSCAN`" not in page


def test_every_function_of_the_glossary_is_on_a_page_that_links_back(tmp_path):
    build.stage({}, tmp_path)
    pages = (tmp_path / "src" / "book" / "api").glob("*.md")
    linked = {name for page in pages for name in re.findall(r"\{term\}`([^`]+)`", page.read_text())}
    assert linked == {term.name for term in TERMS}


def test_staging_twice_touches_nothing(tmp_path):
    stem = next(iter(CHAPTERS))
    staged(tmp_path, stem)
    path = tmp_path / "src" / "notebooks" / f"{stem}.ipynb"
    before = path.stat().st_mtime_ns
    staged(tmp_path, stem)
    assert path.stat().st_mtime_ns == before


# Notation

ROW = re.compile(
    r"^\| (.+?) \| (.+?) \| \{doc\}`\d\d </notebooks/(\w+)>`(, only)? \|$", re.MULTILINE
)
SYMBOLS = ROW.findall((BOOK / "notation.md").read_text(encoding="utf-8"))


def mathematics(stem: str) -> str:
    """Return the formulas of a chapter, without the braces and spaces that mean nothing."""
    cells = nbformat.read(CHAPTERS[stem], as_version=4).cells
    text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return plain(" ".join(re.findall(r"\$\$?[^$]+\$?\$", text)))


def plain(formula: str) -> str:
    return re.sub(r"[\s${}]|\\,|\\;|\\!|\\bigl|\\bigr", "", formula)


def test_the_table_is_read():
    page = (BOOK / "notation.md").read_text(encoding="utf-8")
    assert len(SYMBOLS) == page.count("\n| $") > 40
    assert len({symbol for symbol, *_ in SYMBOLS}) == len(SYMBOLS)


@pytest.mark.parametrize(
    ("symbol", "meaning", "stem", "only"), SYMBOLS, ids=[s[0] for s in SYMBOLS]
)
def test_symbols_are_used_where_the_table_says(symbol, meaning, stem, only):
    for formula in re.findall(r"\$([^$]+)\$", symbol):
        assert plain(formula) in mathematics(stem), f"{formula} is not in {stem}"


def test_compound_symbols_are_not_used_earlier():
    early = []
    for symbol, meaning, stem, only in SYMBOLS:
        formula = plain(symbol)
        if only or not re.search(r"_|\\mathrm|\(", formula):
            continue  # one letter may stand for anything before
        said = re.findall(r"in chapter (\d\d)", meaning)  # an exception that the table names
        before = [s for s in CHAPTERS if s < stem and s[:2] not in said]
        found = [s for s in before if formula in mathematics(s)]
        early += [f"{symbol}: {found}"] if found else []
    assert not early


# How to read, and troubleshooting


def test_troubleshooting_has_a_line_for_every_check_of_the_doctor():
    page = (BOOK / "how_to_read.md").read_text(encoding="utf-8")
    named = re.findall(r"\| `\[FAIL\] ([\w ]+)` \|", page)
    assert named == [finding.name for finding in doctor.check_installation()]


def test_the_variables_and_extras_that_are_named_exist():
    page = (BOOK / "how_to_read.md").read_text(encoding="utf-8")
    sources = "".join(p.read_text() for p in (ROOT / "recsys_interest").glob("*.py"))
    for variable in set(re.findall(r"RECSYS_INTEREST_\w+", page)):
        assert variable in sources
    for role in set(re.findall(r"\{py:\w+\}`\.(\w+)`", page)):
        home = importlib.import_module(f"recsys_interest.{HOMES[role]}")
        assert hasattr(home, role)
    targets = set(re.findall(r"\bmake (\w+)", page)) - {"other"}
    makefile = (ROOT / "Makefile").read_text()
    assert targets <= set(re.findall(r"^(\w+):", makefile, flags=re.MULTILINE))
