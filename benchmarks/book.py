"""Measure the book: how long it takes to build, and what a browser finds on its pages.

Needs the data of all chapters and a Chromium; takes as long as all chapters together.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

ROOT = Path(__file__).resolve().parent.parent
DONE = re.compile(r"^(\S+)\.ipynb: executed in (\d+) s$", flags=re.MULTILINE)
sys.path.append(str(ROOT / "book"))  # the modules that build the book stand beside each other


def run(root: Path = ROOT) -> dict[str, Any]:
    """Build the book twice, executed and as stored, and look at it; return the figures.

    Parameters
    ----------
    root : pathlib.Path
        The folder of the book.

    Returns
    -------
    dict of str to object
        `pages`; `build_seconds`, to lay out and render all pages from nothing; `execute_seconds` of
        every chapter, slowest first; `external_requests` and `axe_serious`, what a browser finds;
        `exercises` and `solutions_passing`; `errors_corrected`, the entries about the articles;
        `rows_covered`, the rows of the coverage page that work.
    """
    with tempfile.TemporaryDirectory() as folder:
        executed, stored = Path(folder, "executed"), Path(folder, "stored")
        log = _build(root, "--out", str(executed))
        seconds = {name: int(count) for name, count in DONE.findall(log)}
        started = time.monotonic()
        _build(root, "--stored", "--out", str(stored))
        build_seconds = time.monotonic() - started
        pages, external, serious = _looked_at(executed / "html")
        figures = {
            "pages": pages,
            "build_seconds": round(build_seconds, 1),
            "execute_seconds": dict(sorted(seconds.items(), key=lambda one: -one[1])),
            "external_requests": external,
            "axe_serious": serious,
            **_written(executed / "executed", root),
        }
    for name, value in figures.items():
        print(f"{name:<20}{value}")
    return figures


def _build(root: Path, *arguments: str) -> str:
    """Build the book and return what the build printed; a failing build says why on stderr."""
    command = [sys.executable, "book/build.py", *arguments]
    done = subprocess.run(command, cwd=root, check=True, stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    return done.stdout


def _looked_at(html: Path) -> tuple[int, int, int]:
    """Return the number of pages, of their requests elsewhere, and of axe's serious findings."""
    from headless import started

    from tests.browser import DESK, html_pages, visit

    names = html_pages(html)
    with started() as browser, browser.new_context(viewport=DESK) as context:
        found = [visit(context, html.as_uri(), name) for name in names]
    return len(names), sum(len(p.elsewhere) for p in found), sum(len(p.axe) for p in found)


def _written(folder: Path, root: Path) -> dict[str, int]:
    """Return what the executed chapters hold: exercises, solutions that pass, corrected errors."""
    from cross_links import error_entries
    from row_coverage import WORKS, collect

    books = [nbformat.read(path, as_version=4) for path in sorted(folder.glob("*.ipynb"))]
    cells = [cell for book in books for cell in book.cells]
    solutions = [c for c in cells if "solution" in c.metadata.get("tags", [])]
    results = [o.get("data", {}).get("text/plain") for c in solutions for o in c.outputs]
    return {
        "exercises": sum(c.source.count("```{exercise}") for c in cells),
        "solutions_passing": results.count("Right."),
        "errors_corrected": len(error_entries(books)),
        "rows_covered": sum(row.state == WORKS for row in collect(root)),
    }
