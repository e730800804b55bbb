"""Shared by all tests: data that may be out of reach, and what CI makes of that."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

ROOT = Path(__file__).resolve().parent.parent
# Files whose tests run in one process because they look at the same built book.
SHARES_WITH = {
    f"tests/test_{name}.py": "tests/test_book.py"
    for name in ("browser", "launch", "page_checks", "print_book", "translation")
}
CHAPTER_NAMES = frozenset(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))

# Before anything imports it: collecting doctests would.
pytest.register_assert_rewrite("tests.recommender_conformance")


def _in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """In CI, where all data is in reach, turn a skip that says `needs ...` into a failure."""
    report = yield
    if _in_ci() and report.skipped and isinstance(report.longrepr, tuple):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if reason.startswith("needs "):
            report.outcome = "failed"
            report.longrepr = (
                f"{item.nodeid}: skipped in CI, where nothing may be missing: {reason}"
            )
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the chapters, which take longest."""
    items.sort(key=lambda item: _chapter(item) is None)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep the tests of a file in one process, those of each chapter for themselves.

    The marks of `--dist loadgroup` do this too, but not with pytest 9.2 and pytest-xdist 3.8: the
    one no longer reads the attribute that the other sets.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFileAndChapter(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return group_of(nodeid)

    return ByFileAndChapter(config, log)


def group_of(nodeid: str) -> str:
    """Return the name of the group of tests that one process runs."""
    file, _, test = nodeid.partition("::")
    chapter = test.partition("[")[2].removesuffix("]")
    if chapter in CHAPTER_NAMES:
        return f"{file}[{chapter}]"
    return SHARES_WITH.get(file, file)


def _chapter(item: pytest.Item) -> Path | None:
    given = getattr(item, "callspec", None)
    return None if given is None else given.params.get("chapter")


@pytest.fixture(scope="session")
def require_data() -> Callable[[str], Any]:
    """Return a function that loads a data set by name, or skips the test with `needs data`."""
    from recsys_interest import load_dataset

    def load(name: str) -> Any:
        try:
            return load_dataset(name)
        except OSError as error:
            return pytest.skip(f"needs data: {name} is out of reach: {error}")

    return load


def build(root: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `book/build.py` of a folder."""
    return subprocess.run(
        [sys.executable, "book/build.py", *arguments],
        cwd=root,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )


@pytest.fixture(scope="session")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the pages of the real book, with the stored outputs."""
    out = tmp_path_factory.mktemp("book")
    run = build(ROOT, "--stored", "--out", str(out))
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-5000:]
    return out / "html"


MINI_TOC = "format: jb-book\nroot: book/index\nchapters:\n  - file: notebooks/00_tiny\n"
# Stands for the package in the probe: what is in reach does not depend on this machine.
MINI_PACKAGE = """
def load_dataset(name):
    if name == "far-away":
        raise ConnectionError("there is no network")
"""


@pytest.fixture
def mini_book(tmp_path: Path) -> Path:
    """Return a folder with the book's engine and settings, one page and no chapter yet."""
    root = tmp_path / "a small book"  # the space is meant
    engine = [f"book/{path.name}" for path in (ROOT / "book").glob("*.py")]
    for name in ("_config.yml", "constraints.txt", "book/references.bib", *engine):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    for folder in ("_static", "_templates"):
        shutil.copytree(ROOT / "book" / folder, root / "book" / folder)
    (root / "notebooks").mkdir()
    (root / "recsys_interest").mkdir()
    (root / "recsys_interest" / "__init__.py").write_text(MINI_PACKAGE)
    (root / "_toc.yml").write_text(MINI_TOC)
    (root / "book" / "index.md").write_text("# Small\n\nSee {doc}`/notebooks/00_tiny`.\n")
    return root


def load_build(root: Path) -> ModuleType:
    """Return `book/build.py` of a folder as a module."""
    spec = importlib.util.spec_from_file_location("book_build", root / "book" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def tiny_chapter(path: Path, *code: str, datasets: Sequence[str] = ()) -> Path:
    """Write a chapter that was not executed: a title, the parameters cell and `code`."""
    cells = [
        new_markdown_cell("# Tiny"),
        new_code_cell(
            "seed = 0\nscale = 1.0\ndataset = 'interest-log'", metadata={"tags": ["parameters"]}
        ),
        *map(new_code_cell, code),
    ]
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    notebook = new_notebook(
        cells=cells,
        metadata={
            "kernelspec": kernel,
            "language_info": {"name": "python"},
            "recsys_interest": {"datasets": list(datasets)},
        },
    )
    nbformat.write(notebook, path)
    return path
