"""Chapters on other machines: links to Binder and Colab, Colab's first cell, notebooks to keep."""

from __future__ import annotations

import ast
import importlib.util
import re
import sys
import types
from importlib import metadata
from pathlib import Path

import launch
import nbformat
import pytest
from headless import chromium, started
from IPython.core.inputtransformer2 import TransformerManager
from IPython.core.interactiveshell import InteractiveShell
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sphinx.errors import ConfigError

from .browser import served
from .conftest import build, load_build, tiny_chapter
from .test_docs import PROJECT, requirements

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
REPOSITORY = "https://github.com/somebody/a-book"
HOSTS = re.compile(r'href="(https://(?:mybinder\.org|colab\.research\.google\.com)[^"]*)"')

each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def links(repository: str, branch: str, chapter: str) -> set[str]:
    """Return where the buttons of a page lead."""
    if not repository:
        return set()
    path, name = f"notebooks/{chapter}.ipynb", repository.removeprefix("https://github.com/")
    return {
        f"https://mybinder.org/v2/gh/{name}/{branch}?urlpath=lab/tree/{path}",
        f"https://colab.research.google.com/github/{name}/blob/{branch}/{path}",
    }


# The cell


@each_chapter
def test_every_chapter_begins_with_the_same_cell_for_colab(chapter):
    notebook = read(chapter)
    source = launch.install_cell(*launch.settings())
    tagged = [c for c in notebook.cells if launch.TAG in c.metadata.get("tags", [])]
    assert [cell.source for cell in tagged] == [source], "write it with book/launch.py"
    assert notebook.cells[1] == tagged[0]
    assert "remove-cell" in tagged[0].metadata.tags
    assert launch.with_install_cell(notebook, source) == notebook


@pytest.fixture
def shell(monkeypatch) -> InteractiveShell:
    """Return an IPython whose `%pip` only keeps what it was asked for, in `asked`."""
    made = InteractiveShell()
    made.history_manager.enabled = False
    asked: list[str] = []
    made.register_magic_function(asked.append, magic_name="pip")
    made.asked = asked
    yield made
    made.history_manager.end_session()


def on_colab(monkeypatch, *, installed: bool) -> None:
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    found = importlib.util.find_spec("recsys_interest") if installed else None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)


def test_the_cell_installs_from_the_repository_on_colab(shell, monkeypatch):
    on_colab(monkeypatch, installed=False)
    shell.run_cell(launch.install_cell(REPOSITORY, "main")).raise_error()
    [asked] = shell.asked
    wanted = Requirement(re.fullmatch(r'install --quiet "(.*)"', asked)[1])
    assert wanted.name == PROJECT["project"]["name"]
    assert wanted.extras <= set(PROJECT["project"]["optional-dependencies"])
    assert wanted.url == f"git+{REPOSITORY}@main"


@pytest.mark.parametrize("repository", [REPOSITORY, ""])
def test_the_cell_does_nothing_elsewhere_or_the_second_time(shell, monkeypatch, repository):
    cell = launch.install_cell(repository, "main")
    shell.run_cell(cell).raise_error()
    on_colab(monkeypatch, installed=True)
    shell.run_cell(cell).raise_error()
    assert not shell.asked


def test_a_copy_without_a_repository_says_so_on_colab(shell, monkeypatch):
    on_colab(monkeypatch, installed=False)
    with pytest.raises(OSError, match=r"launch_repository in _config\.yml names no repository"):
        shell.run_cell(launch.install_cell("", "main")).raise_error()
    assert not shell.asked


def test_the_cell_is_written_once_and_the_others_are_counted_on():
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Title"),
            nbformat.v4.new_code_cell(
                "1 + 1",
                execution_count=1,
                outputs=[nbformat.v4.new_output("execute_result", execution_count=1)],
            ),
        ]
    )
    once = launch.with_install_cell(notebook, "first")
    again = launch.with_install_cell(once, "second")
    assert [cell.source for cell in once.cells] == ["# Title", "first", "1 + 1"]
    assert [cell.source for cell in again.cells] == ["# Title", "second", "1 + 1"]
    assert [cell.execution_count for cell in again.cells[1:]] == [1, 2]
    assert again.cells[2].outputs[0].execution_count == 2
    assert [cell.source for cell in notebook.cells] == ["# Title", "1 + 1"]


@pytest.mark.parametrize(
    "repository",
    [
        "https://gitlab.com/somebody/a-book",
        "https://github.com/somebody",
        "https://github.com/somebody/a-book.git",
        "https://github.com/somebody/a-book/tree/main",
        "somebody/a-book",
    ],
)
def test_an_address_that_colab_cannot_open_is_refused(repository):
    assert launch.checked(REPOSITORY) == REPOSITORY
    assert launch.checked("") == ""
    with pytest.raises(ConfigError, match="must be https"):
        launch.checked(repository)


def imported(notebook: nbformat.NotebookNode) -> set[str]:
    plain = TransformerManager().transform_cell
    cells = [plain(cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    nodes = [node for cell in cells for node in ast.walk(ast.parse(cell))]
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}


def installed_by(needed: list[Requirement]) -> set[str]:
    """Return the packages that come with these, by name."""
    seen: set[str] = set()
    while needed:
        name = canonicalize_name(needed.pop().name)
        if name not in seen:
            seen.add(name)
            inner = [Requirement(line) for line in metadata.requires(name) or []]
            needed += [r for r in inner if not r.marker or r.marker.evaluate({"extra": ""})]
    return seen


def test_colab_gets_all_that_the_chapters_import():
    there = installed_by(requirements(["colab"]))
    homes = metadata.packages_distributions()
    names = set().union(*(imported(read(path)) for path in CHAPTERS))
    foreign = names - sys.stdlib_module_names - {"recsys_interest"}
    assert {"myst_nb", "torch"} <= foreign
    missing = {n for n in foreign if not there & set(map(canonicalize_name, homes[n]))}
    assert not missing
    assert not there & {"jupyterlab", "jupyter-book", "notebook"}


# The pages


def given(root: Path, repository: str) -> None:
    path = root / "_config.yml"
    text, count = re.subn(
        r"launch_repository: .*", f'launch_repository: "{repository}"', path.read_text("utf-8")
    )
    assert count == 1
    path.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("repository", [REPOSITORY, ""])
def test_pages_lead_to_binder_and_colab_where_there_is_a_repository(mini_book, repository):
    given(mini_book, repository)
    tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb", "1")
    run = build(mini_book, "--stored")
    assert run.returncode == 0, run.stderr
    pages = mini_book / "_build" / "html"
    chapter = (pages / "notebooks" / "00_tiny.html").read_text()
    assert set(HOSTS.findall(chapter)) == links(repository, "main", "00_tiny")
    assert not HOSTS.findall((pages / "book" / "index.html").read_text())
    icons = re.findall(r'<img[^>]* src="([^"]*)"', chapter)
    assert not [src for src in icons if "//" in src]


def test_a_wrong_address_stops_the_build(mini_book):
    given(mini_book, "here")
    tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb", "1")
    run = build(mini_book, "--stored")
    assert run.returncode == 1
    assert "launch_repository is 'here'" in run.stderr


@each_chapter
def test_every_chapter_leads_where_it_should(html, chapter):
    page = (html / "notebooks" / f"{chapter.stem}.html").read_text(encoding="utf-8")
    assert set(HOSTS.findall(page)) == links(*launch.settings(), chapter.stem)


@each_chapter
def test_every_chapter_can_be_downloaded_as_a_notebook(html, chapter):
    folder = html / "notebooks"
    page = (folder / f"{chapter.stem}.html").read_text(encoding="utf-8")
    [link] = set(re.findall(r'href="([^"]+\.ipynb)"', page))
    downloaded = read((folder / link).resolve())
    code = [cell for cell in downloaded.cells if cell.cell_type == "code"]
    assert code == [cell for cell in read(chapter).cells if cell.cell_type == "code"]


BUTTON = "() => document.querySelector('.btn-download-source-button').click()"


def test_the_button_saves_the_notebook_or_opens_it_from_disk(html, tmp_path):
    if chromium() is None:
        pytest.skip("needs a browser: chromium is not installed")
    with started() as browser, served(html) as address:
        page = browser.new_page()
        page.goto(f"{address}/notebooks/00_quickstart.html")
        with page.expect_download() as saved:
            page.evaluate(BUTTON)
        saved.value.save_as(tmp_path / "saved.ipynb")
        assert saved.value.suggested_filename == "00_quickstart.ipynb"
        page.goto(f"{html.as_uri()}/notebooks/00_quickstart.html")
        with page.expect_popup() as opened:
            page.evaluate(BUTTON)
        shown = nbformat.reads(opened.value.inner_text("body"), as_version=4)
    assert shown.cells == read(tmp_path / "saved.ipynb").cells
    assert shown.cells[0].source.startswith("# Quickstart")


def test_a_downloaded_notebook_runs(mini_book, tmp_path):
    tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb", "print(6 * 7)")
    assert build(mini_book, "--stored").returncode == 0
    [there] = (mini_book / "_build" / "html").rglob("*.ipynb")
    (tmp_path / "out").mkdir()
    done = load_build(mini_book).execute(there, tmp_path / "out")
    assert done.failure is None, done.failure
    assert read(tmp_path / "out" / there.name).cells[-1].outputs[0].text == "42\n"
