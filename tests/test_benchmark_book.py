"""The benchmark of the book, run on a book of two pages that has one of each thing it counts."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from headless import chromium
from nbformat.v4 import new_code_cell, new_markdown_cell

from benchmarks import book

from .conftest import tiny_chapter

ROOT = Path(__file__).resolve().parent.parent
SLOW = "import time\ntime.sleep(2.5)"
VERDICT = "class Verdict:\n    def __repr__(self):\n        return {!r}\n\nVerdict()"


def exercise(label: str) -> str:
    return f"```{{exercise}}\n:label: {label}\n\nDo it.\n```"


def test_the_figures_are_those_of_the_book(mini_book, capsys):
    if chromium() is None:
        pytest.skip("needs a browser: chromium is not installed")
    shutil.copy(ROOT / "book" / "capabilities.csv", mini_book / "book")
    quick = tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb", "1")
    tiny_chapter(mini_book / "notebooks" / "01_slow.ipynb", SLOW)
    notebook = nbformat.read(quick, as_version=4)
    notebook.cells += [
        new_markdown_cell("(e-s0-05)=\n## An error\n\n" + exercise("ex-one")),
        new_markdown_cell(exercise("ex-two") + "\n\n" + exercise("ex-three")),
        new_code_cell(VERDICT.format("Right."), metadata={"tags": ["solution"]}),
        new_code_cell(VERDICT.format("Not yet. Right."), metadata={"tags": ["solution"]}),
        new_code_cell(VERDICT.format("Right.")),
    ]
    nbformat.write(notebook, quick)
    toc = mini_book / "_toc.yml"
    toc.write_text(toc.read_text() + "  - file: notebooks/01_slow\n")
    (mini_book / "tests").mkdir()
    (mini_book / "tests" / "test_it.py").write_text(
        "import pytest\n\n@pytest.mark.rows('K06')\ndef test_it():\n    assert True\n"
    )
    elsewhere = '<img src="https://elsewhere.example/x.png" alt="far away">'
    page = mini_book / "book" / "index.md"
    page.write_text(
        f"# Small\n\n% Rows: K06\n\n```{{raw}} html\n{elsewhere}<button></button>\n```\n"
    )
    figures = book.run(mini_book)
    assert list(figures.pop("execute_seconds")) == ["01_slow", "00_tiny"]
    assert figures.pop("build_seconds") > 0
    assert figures == {
        "pages": 5,  # two chapters, the front page, the index and the search
        "external_requests": 1,
        "axe_serious": 1,
        "exercises": 3,
        "solutions_passing": 1,
        "errors_corrected": 1,
        "rows_covered": 1,
    }
    assert "solutions_passing   1" in capsys.readouterr().out
