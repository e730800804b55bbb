"""The exercises of the chapters: enough of them, each with its check and a solution that passes."""

from __future__ import annotations

import importlib
import re
from doctest import DocTestParser
from pathlib import Path

import nbformat
import pytest

from recsys_interest import exercises

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))
POSED = re.compile(r"^```\{exercise\}\n:label: (\S+)$", flags=re.MULTILINE)
SOLVED = re.compile(r"^```\{solution-start\} (\S+)$", flags=re.MULTILINE)
CHECKED = re.compile(r"^(check_\w+)\(", flags=re.MULTILINE)

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def prose(notebook: nbformat.NotebookNode) -> str:
    return "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def solutions(notebook: nbformat.NotebookNode) -> dict[str, list[nbformat.NotebookNode]]:
    """Return the code cells between the marks of each solution."""
    found: dict[str, list[nbformat.NotebookNode]] = {}
    label = None
    for cell in notebook.cells:
        if cell.cell_type == "code" and label:
            found[label].append(cell)
        elif start := SOLVED.search(cell.source):
            label = start[1]
            found[label] = []
        elif "{solution-end}" in cell.source:
            label = None
    return found


def check_exercises(notebook: nbformat.NotebookNode, checks: set[str]) -> None:
    """Fail unless there are three exercises, each with its own check and a solution that passes."""
    posed = POSED.findall(prose(notebook))
    assert len(posed) >= 3
    solved = solutions(notebook)
    assert list(solved) == posed
    used = []
    for cells in solved.values():
        assert all("solution" in cell.metadata.get("tags", []) for cell in cells)
        used += (names := CHECKED.findall(cells[-1].source))
        assert len(names) == 1
        assert [output.data["text/plain"] for output in cells[-1].outputs] == ["Right."]
    assert sorted(used) == sorted(checks)


def checks_of(chapter: Path) -> set[str]:
    return set(importlib.import_module(f"{exercises.__name__}.chapter_{chapter.name[:2]}").__all__)


def test_every_chapter_is_looked_at():
    assert [path.name[:2] for path in CHAPTERS] == [f"{number:02}" for number in range(15)]


# The stored outputs are what the cells print: tests/test_notebooks.py runs them.
@each_chapter
def test_every_chapter_has_exercises_whose_solutions_pass(chapter):
    check_exercises(nbformat.read(chapter, as_version=4), checks_of(chapter))


@pytest.mark.parametrize("name", [name for name in exercises.__all__ if name != "Verdict"])
def test_every_check_shows_what_it_says_of_a_wrong_answer(name):
    # pytest runs them.
    examples = DocTestParser().get_examples(getattr(exercises, name).__doc__)
    assert [e for e in examples if name in e.source and e.want.startswith("Not yet. ")]


def without(notebook: nbformat.NotebookNode, text: str, instead: str = "") -> None:
    for cell in notebook.cells:
        cell.source = cell.source.replace(text, instead)


def fails_the_solution(notebook: nbformat.NotebookNode) -> None:
    cell = next(c for c in notebook.cells if "solution" in c.metadata.get("tags", []))
    cell.outputs[-1].data["text/plain"] = "Not yet. Think again."


@pytest.mark.parametrize(
    "spoil",
    [
        fails_the_solution,
        lambda notebook: without(notebook, "```{exercise}"),
        lambda notebook: without(notebook, "```{solution-start} ex-quick-top", "```{note}"),
        lambda notebook: without(notebook, "check_top_k(top_k)", "check_profile(profile)"),
    ],
)
def test_a_missing_exercise_or_solution_would_be_found(spoil):
    notebook = nbformat.read(CHAPTERS[0], as_version=4)
    spoil(notebook)
    with pytest.raises(AssertionError):
        check_exercises(notebook, checks_of(CHAPTERS[0]))
