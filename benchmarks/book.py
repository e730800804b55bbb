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


def run() -> dict[str, Any]:
    """Build the book twice, executed and as stored, and look at it; return the figures.

    Returns
    -------
    dict of str to object
        The figures of the last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        log = _build("--out", str(out / "executed"))
        seconds = {name: int(count) for name, count in DONE.findall(log)}
        started = time.monotonic()
        _build("--stored", "--out", str(out / "stored"))
        build_seconds = time.monotonic() - started
        figures = {
            **_looked_at(out / "stored" / "html"),
            "build_seconds": round(build_seconds, 1),
            "execute_seconds": dict(sorted(seconds.items(), key=lambda one: -one[1])),
            **_exercises(out / "executed" / "executed"),
        }
    for name, value in figures.items():
        print(f"{name:<20}{value}")
    return figures


def _build(*arguments: str) -> str:
    command = [sys.executable, "book/build.py", *arguments]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def _looked_at(html: Path) -> dict[str, int]:
    from headless import started

    from tests.browser import DESK, html_pages, visit

    names = html_pages(html)
    with started() as browser, browser.new_context(viewport=DESK) as context:
        found = [visit(context, html.as_uri(), name) for name in names]
    return {
        "pages": len(names),
        "external_requests": sum(len(page.elsewhere) for page in found),
        "axe_serious": sum(len(page.axe) for page in found),
    }


def _exercises(folder: Path) -> dict[str, int]:
    from cross_links import error_entries
    from row_coverage import WORKS, collect

    books = [nbformat.read(path, as_version=4) for path in sorted(folder.glob("*.ipynb"))]
    cells = [cell for book in books for cell in book.cells]
    solutions = [c for c in cells if "solution" in c.metadata.get("tags", [])]
    right = [c for c in solutions if any("Right." in str(output) for output in c.outputs)]
    return {
        "exercises": len(solutions),
        "solutions_passing": len(right),
        "errors_corrected": len(error_entries(books)),
        "rows_covered": sum(row.state == WORKS for row in collect()),
    }
