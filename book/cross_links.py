"""Links that the build adds, so that chapters can be written plainly and read well in Jupyter.

A number of an error becomes a link to its entry, and each page ends with its terms in the glossary.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import nbformat
from nbformat.v4 import new_markdown_cell

# What stands in backticks is left alone.
_ERROR = re.compile(r"`[^`]*`|(?<![\w-])E-S\d-\d\d\b")
_ERROR_LABEL = re.compile(r"^\((e-s\d-\d\d)\)=$", flags=re.MULTILINE)
_GLOSSARY = re.compile(r"^```\{glossary\}\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
_FUNCTION = re.compile(r"\{py:\w+\}`\.(\w+)`")
_CHAPTER = re.compile(r"\{doc\}`[^`<]*</notebooks/(\w+)>`")
SENTENCE = "**In the {doc}`glossary </book/glossary>`:** {terms}."


def error_entries(notebooks: Iterable[nbformat.NotebookNode]) -> set[str]:
    """Return the labels of the entries about errors in the source articles.

    Notes
    -----
    Rows: L05.
    """
    cells = [cell for notebook in notebooks for cell in notebook.cells]
    texts = [cell.source for cell in cells if cell.cell_type == "markdown"]
    return {label for text in texts for label in _ERROR_LABEL.findall(text)}


def link_errors(text: str, entries: set[str]) -> str:
    """Turn every number of an error, such as E-S0-05, into a link to the entry about it."""

    def link(match: re.Match[str]) -> str:
        label = match[0].lower()
        return f"{{ref}}`{match[0]} <{label}>`" if label in entries else match[0]

    lines = text.split("\n")
    # A title that is a link cannot be linked to.
    titles = {i: line for i, line in enumerate(lines) if line.startswith("#")}
    body = "\n".join("" if i in titles else line for i, line in enumerate(lines))
    return "\n".join(
        titles.get(i, line) for i, line in enumerate(_ERROR.sub(link, body).split("\n"))
    )


@dataclass(frozen=True)
class Term:
    """A term of the glossary, the functions that do it and the chapters about it."""

    name: str
    definition: str
    functions: tuple[str, ...]
    chapters: tuple[str, ...]


def read_glossary(page: str) -> list[Term]:
    """Return the terms of the page with the glossary, in its order.

    Notes
    -----
    Rows: K06.
    """
    block = _GLOSSARY.search(page)
    entries = [] if block is None else re.split(r"\n\n(?=\S)", block[1].strip("\n"))
    terms = []
    for entry in entries:
        name, _, text = entry.partition("\n")
        functions, chapters = tuple(_FUNCTION.findall(text)), tuple(_CHAPTER.findall(text))
        definition = _FUNCTION.split(text)[0].strip()
        terms.append(Term(name, definition, functions, chapters))
    return terms


def homes(stub: str) -> dict[str, str]:
    """Return the module of every public name, from the text of the package's stub."""
    found: dict[str, str] = {}
    for module, names in re.findall(r"^from \.(\w+) import (.*)$", stub, flags=re.MULTILINE):
        found |= dict.fromkeys(re.findall(r"\bas (\w+)", names), module)
    return found


def _sentence(terms: Sequence[Term]) -> str:
    names = ", ".join(f"{{term}}`{term.name}`" for term in terms)
    return SENTENCE.replace("{terms}", names)


def chapter_with_links(
    notebook: nbformat.NotebookNode, stem: str, entries: set[str], terms: Sequence[Term]
) -> nbformat.NotebookNode:
    """Return the chapter with links to the errors that it names and to its terms."""
    page = copy.deepcopy(notebook)
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = link_errors(cell.source, entries)
    mine = [term for term in terms if stem in term.chapters]
    if mine:
        page.cells.append(new_markdown_cell(_sentence(mine), id="glossary-terms"))
    return page


def page_with_links(
    text: str, entries: set[str], terms: Sequence[Term], modules: dict[str, str]
) -> str:
    """Return a prose page with links to errors, and a page of the package with its terms."""
    text = link_errors(text, entries)
    shown = set(re.findall(r"automodule:: recsys_interest\.(\w+)\n", text))
    mine = [term for term in terms if any(modules.get(name) in shown for name in term.functions)]
    return f"{text.rstrip()}\n\n{_sentence(mine)}\n" if mine else text
