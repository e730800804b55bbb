"""What the source articles ask for, and which chapter, function and test does it.

    python book/row_coverage.py    write book/coverage.md

The rows stand in `capabilities.csv`. What does a row says so itself: a cell of a chapter in its
metadata (`rows`), a page of the book in a comment (`% Rows: K06`), a function in its docstring
(`Rows: C01, C02.`), a test in a mark (`@pytest.mark.rows("C01")`). The page is made of these
marks, so it claims nothing else.
"""

from __future__ import annotations

import ast
import csv
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
_IDS = r"([A-Z]\d\d(?:, [A-Z]\d\d)*)"
_IN_DOCSTRING = re.compile(rf"^\s*Rows: {_IDS}\.$", flags=re.MULTILINE)
_IN_PAGE = re.compile(rf"^% Rows: {_IDS}$", flags=re.MULTILINE)
INTRODUCTION = """\
# Coverage

<!-- Made by book/row_coverage.py from the marks in chapters, docstrings and tests. -->

What the three source articles ask for, row by row, and what this book does about it. A row *works*
if a chapter, a function and a test carry its mark, and nothing of it is known to be missing. A mark
is a claim that can be looked up: the chapter shows it, the function does it, the test decides it.
"""
WORKS, PARTLY, NOT_BUILT = "works", "partly", "not built"


@dataclass
class Row:
    """One thing that the articles ask for, and the marks that name it."""

    id: str
    group: str
    title: str
    missing: str
    chapters: list[str] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    tests: list[str] = field(default_factory=list)

    @property
    def state(self) -> str:
        """Works only if chapter, function and test say so, and nothing is known to be missing."""
        marks = (self.chapters, self.functions, self.tests)
        if not any(marks):
            return NOT_BUILT
        return WORKS if all(marks) and not self.missing else PARTLY


def read_rows(root: Path) -> dict[str, Row]:
    """Return the rows of the table, by id, without marks."""
    with (root / "book" / "capabilities.csv").open(encoding="utf-8", newline="") as file:
        lines = list(csv.DictReader(file))
    rows = [Row(n["id"], n["group"], n["title"], n["missing"]) for n in lines]
    twice = [row_id for row_id, n in Counter(row.id for row in rows).items() if n > 1]
    if twice:
        raise ValueError(f"capabilities.csv has {twice} more than once")
    return {row.id: row for row in rows}


def _chapter_marks(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        for cell in nbformat.read(path, as_version=4).cells:
            for row_id in cell.metadata.get("rows", []):
                yield row_id, f"{{doc}}`{path.stem.partition('_')[0]} </notebooks/{path.stem}>`"
    for path in sorted((root / "book").glob("*.md")):
        for ids in _IN_PAGE.findall(path.read_text(encoding="utf-8")):
            for row_id in ids.split(", "):
                yield row_id, f"{{doc}}`{path.stem}`"


def _documented(path: Path) -> Iterator[tuple[str, str]]:
    # The members of a class speak for the class.
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            members = [n for n in ast.walk(node) if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
            for text in filter(None, map(ast.get_docstring, members)):
                for ids in _IN_DOCSTRING.findall(text):
                    yield from ((row_id, node.name) for row_id in ids.split(", "))


def _function_marks(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / "recsys_interest").rglob("*.py")):
        module = ".".join(path.relative_to(root).with_suffix("").parts)
        for row_id, name in _documented(path):
            yield row_id, f"{{py:obj}}`~{module}.{name}`"
    for path in sorted((root / "book").glob("*.py")):
        for row_id, name in _documented(path):
            yield row_id, f"`{path.relative_to(root).as_posix()}: {name}`"


def _test_marks(root: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((root / "tests").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for mark in node.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.rows":
                        for row_id in map(ast.literal_eval, mark.args):
                            yield row_id, f"`{path.name}::{node.name}`"


def collect(root: Path = ROOT) -> list[Row]:
    """Return the rows with the marks found in chapters, pages, docstrings and tests."""
    rows = read_rows(root)
    sources = {"chapters": _chapter_marks, "functions": _function_marks, "tests": _test_marks}
    unknown: defaultdict[str, list[str]] = defaultdict(list)
    for kind, marks in sources.items():
        for row_id, place in marks(root):
            if row_id not in rows:
                unknown[row_id].append(place)
            elif place not in (found := getattr(rows[row_id], kind)):
                found.append(place)
    if unknown:
        raise ValueError(f"marks of rows that capabilities.csv does not have: {dict(unknown)}")
    return list(rows.values())


def coverage_page(rows: list[Row]) -> str:
    """Return the page with one line for each row."""
    count = Counter(row.state for row in rows)
    states = f"{count[WORKS]} work, {count[PARTLY]} work partly, {count[NOT_BUILT]} are not built"
    parts = [
        INTRODUCTION,
        f"**{len(rows)} rows: {states}.**\n",
    ]
    for group in dict.fromkeys(row.group for row in rows):
        parts.append(f"## {group}\n")
        parts.append(
            "| row | what | state | chapter | function | test |\n|---|---|---|---|---|---|"
        )
        parts += [_line(row) for row in rows if row.group == group]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _line(row: Row) -> str:
    state = f"**{row.state}**" + (f": {row.missing}" if row.missing else "")
    marks = (row.chapters, row.functions, [_in_words(test) for test in row.tests])
    cells = (", ".join(places) or "–" for places in marks)
    return f"| {row.id} | {row.title} | {state} | {' | '.join(cells)} |"


def _in_words(test: str) -> str:
    # The name of a test is a sentence, and as one it breaks into lines.
    file, _, name = test.strip("`").partition(".py::test_")
    return f"`{file}`: {name.replace('_', ' ')}"


def main() -> int:
    """Write the page and say how many rows have which state."""
    rows = collect()
    (ROOT / "book" / "coverage.md").write_text(coverage_page(rows), encoding="utf-8")
    print(dict(Counter(row.state for row in rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
