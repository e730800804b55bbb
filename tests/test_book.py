"""The rendered book: complete, self-contained, readable, and red when it is broken."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from nbformat.v4 import new_output

import recsys_interest

from .conftest import build, load_build, tiny_chapter
from .test_docs import PUBLIC, toc_files

ROOT = Path(__file__).resolve().parent.parent

# What a browser fetches by itself: (element, attribute). A link in <a> is fetched by the reader.
LOADED = {
    *(("script", "src"), ("img", "src"), ("img", "srcset"), ("iframe", "src"), ("source", "src")),
    *(("source", "srcset"), ("video", "src"), ("video", "poster"), ("audio", "src")),
    *(("embed", "src"), ("object", "data"), ("image", "href"), ("use", "href"), ("input", "src")),
    ("link", "href"),
}


@dataclass
class Page(HTMLParser):
    """One rendered page: what it loads, where it points, what can be pointed at."""

    path: Path
    loads: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    ids: set[str] = field(default_factory=set)
    images: list[dict[str, str]] = field(default_factory=list)
    styles: str = ""

    def __post_init__(self) -> None:
        super().__init__()
        self._in_style = False
        self.text = self.path.read_text(encoding="utf-8")
        self.feed(self.text)

    def handle_starttag(self, tag, attrs):
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[k] for k in ("id", "name") if k in values}
        self.styles += values.get("style", "")
        self._in_style = tag == "style"
        self.loads += [v for name, v in values.items() if (tag, name) in LOADED]
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if tag == "img":
            self.images.append(values)

    def handle_data(self, data):
        if self._in_style:
            self.styles += data

    def handle_endtag(self, tag):
        self._in_style = False


@pytest.fixture(scope="module")
def pages(html) -> dict[str, Page]:
    # The theme lays two of its templates among the static files.
    found = [p for p in sorted(html.rglob("*.html")) if "_static" not in p.parts]
    return {path.relative_to(html).as_posix(): Page(path) for path in found}


# The real book, with its stored outputs


def test_every_page_of_the_contents_is_there(pages):
    assert {f"{name}.html" for name in toc_files()} | {"index.html", "search.html"} <= set(pages)


def test_the_first_page_leads_to_the_book(pages):
    assert "book/index.html" in pages["index.html"].links


def test_no_page_asks_another_host(html, pages):
    outside = {
        name: [url for url in page.loads if urlsplit(url).netloc] for name, page in pages.items()
    }
    assert not {name: urls for name, urls in outside.items() if urls}
    sheets = {p.name: p.read_text(encoding="utf-8") for p in html.rglob("*.css")}
    sheets |= {name: page.styles for name, page in pages.items()}
    assert not {name: foreign(text) for name, text in sheets.items() if foreign(text)}


def foreign(css: str) -> list[str]:
    """Return what a style sheet loads from other hosts."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    loads = re.findall(r"url\(\s*['\"]?([^'\")]*)", css)
    loads += re.findall(r"@import\s+['\"]([^'\"]*)", css)
    return [url for url in loads if re.match(r"(?:https?:)?//", url)]


def test_foreign_loads_would_be_found(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<script src='//cdn.example/x.js'></script><link href='https://x.example/y'>")
    assert [urlsplit(url).netloc for url in Page(page).loads] == ["cdn.example", "x.example"]
    assert foreign("@import 'https://x.example/a.css'; b { background: url(//y.example/c) }")
    assert not foreign("@import '../basic.css'; b { background: url(data:image/png;base64,AA) }")


# Names in scripts of sites that Jupyter Book's defaults load from.
CDN = re.compile(r"cdnjs\.cloudflare|unpkg\.com|fonts\.g|hypothes\.is|utteranc|googletagmanager")


def test_no_script_names_the_usual_suppliers(html, pages):
    own = {
        (page.path.parent / u.split("?")[0]).resolve()
        for page in pages.values()
        for u in page.loads
    }
    scripts = [path for path in own if path.suffix == ".js"]
    assert scripts
    assert not [p.name for p in scripts if CDN.search(p.read_text(encoding="utf-8"))]
    assert not [name for name, page in pages.items() if CDN.search(page.text)]


def test_every_local_link_resolves(html, pages):
    broken = []
    for name, page in pages.items():
        for url in page.links + page.loads:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc or url in ("", "#"):
                continue
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            if not target.is_file():
                broken.append(f"{name}: {url}")
            elif parts.fragment and target.suffix == ".html":
                there = pages[target.relative_to(html.resolve()).as_posix()].ids
                if unquote(parts.fragment) not in there:
                    broken.append(f"{name}: {url}")
    assert not broken


def test_every_image_says_what_it_shows(pages):
    # Without a text of its own, an image gets its file's name.
    silent = [
        f"{name}: {image['src']}"
        for name, page in pages.items()
        for image in page.images
        if not image.get("alt") or re.search(r"\.(png|svg|jpe?g)$", image["alt"])
    ]
    assert not silent


def test_formulas_are_rendered_by_our_own_mathjax(html, pages):
    schema = pages["book/api/schema.html"]
    assert 'class="math' in schema.text
    [script] = [url for url in schema.loads if "mathjax" in url]
    assert (schema.path.parent / script.split("?")[0]).is_file()
    # SVG output needs no fonts, which a browser would refuse to a page opened as a file.
    assert '"output": "svg"' in schema.text
    assert (html / "_static" / "mathjax" / "output" / "svg.js").is_file()


def test_every_public_name_has_its_entry(pages):
    ids = set().union(*(page.ids for page in pages.values()))
    for name in PUBLIC:
        assert f"{getattr(recsys_interest, name).__module__}.{name}" in ids


def test_the_licences_stand_on_every_page(pages):
    for name in toc_files():
        assert "creativecommons.org/licenses/by/4.0" in pages[f"{name}.html"].text


# The engine, on a book of two pages


def test_executes_stores_and_renders_once(mini_book):
    chapter = tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb", "print('two', 1 + 1)")
    first = build(mini_book, "--refresh")
    assert first.returncode == 0, first.stderr
    assert "00_tiny.ipynb: executed in" in first.stdout
    stored = nbformat.read(chapter, as_version=4)
    assert [cell.execution_count for cell in stored.cells[1:]] == [1, 2]
    assert stored.cells[2].outputs[0].text == "two 2\n"

    second = build(mini_book)
    assert second.returncode == 0, second.stderr
    assert "executed" not in second.stdout
    assert second.stdout.splitlines()[-1] == "_build/html/index.html"
    page = (mini_book / "_build/html/notebooks/00_tiny.html").read_text()
    assert "two 2" in page
    # Without catalogues there is one language.
    assert not (mini_book / "_build/html/zh").exists()
    assert "hreflang" not in page


def test_a_broken_chapter_turns_the_build_red_every_time(mini_book):
    tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb", "print('fine')")
    tiny_chapter(mini_book / "notebooks" / "01_broken.ipynb", "print('fine')", "1 / 0")
    for _ in range(2):
        run = build(mini_book)
        assert run.returncode == 1
        assert "01_broken.ipynb, cell 4 failed" in run.stderr
        assert "ZeroDivisionError: division by zero" in run.stderr
    assert "00_tiny.ipynb: executed" not in run.stdout  # the good one is kept
    assert not (mini_book / "_build" / "html").exists()


def test_broken_pages_turn_the_build_red_every_time(mini_book):
    noisy = tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb", "1")
    notebook = nbformat.read(noisy, as_version=4)
    notebook.cells[2].outputs = [new_output("stream", name="stderr", text="careful")]
    nbformat.write(notebook, noisy)
    index = mini_book / "book" / "index.md"
    index.write_text("# Small\n\n{py:func}`no_function` and [a link](no_page.md) {cite}`nobody`\n")
    toc = mini_book / "_toc.yml"
    toc.write_text(toc.read_text() + "  - file: notebooks/no_chapter\n")
    for _ in range(2):
        run = build(mini_book, "--stored")
        assert run.returncode == 1
        assert "py:func reference target not found: no_function" in run.stderr
        assert "no_page.md" in run.stderr
        assert "nobody" in run.stderr
        assert "notebooks/no_chapter" in run.stderr
        assert "stderr was found in the cell outputs" in run.stderr


def test_a_chapter_without_parameters_is_refused(mini_book):
    chapter = tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb")
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells[1].metadata = {}
    nbformat.write(notebook, chapter)
    run = build(mini_book, "--stored")
    assert run.returncode == 1
    assert "00_tiny.ipynb has no cell tagged `parameters`" in run.stderr


def test_out_of_reach_data_shows_stored_outputs_and_says_so(mini_book):
    chapter = mini_book / "notebooks" / "00_tiny.ipynb"
    tiny_chapter(chapter, "1 / 0  # would fail if it were executed", datasets=["far-away"])
    stored = nbformat.read(chapter, as_version=4)
    stored.cells[2].outputs = [new_output("stream", name="stdout", text="forty-two")]
    nbformat.write(stored, chapter)
    run = build(mini_book)
    assert run.returncode == 0, run.stderr
    assert "the data set far-away is out of reach (there is no network)" in run.stdout
    page = (mini_book / "_build/html/notebooks/00_tiny.html").read_text()
    assert "forty-two" in page
    assert re.search(r"outputs on this page are stored ones.*far-away", page, flags=re.DOTALL)

    refused = build(mini_book, "--refresh")
    assert refused.returncode == 1
    assert "Storing outputs needs all data" in refused.stderr
    assert nbformat.read(chapter, as_version=4) == stored


def test_a_faulty_loader_is_not_taken_for_missing_data(mini_book):
    tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb", datasets=["x"])
    package = mini_book / "recsys_interest" / "__init__.py"
    package.write_text("def load_dataset(name):\n    raise ValueError('no such name')\n")
    run = build(mini_book)
    assert run.returncode == 1
    assert "load_dataset('x') failed" in run.stderr
    assert "no such name" in run.stderr


def test_staging_touches_what_changed_and_forgets_what_went(mini_book):
    engine, out = load_build(mini_book), mini_book / "_build"
    extra = mini_book / "book" / "extra.md"
    extra.write_text("# Extra\n")
    engine.stage({}, out)
    index = out / "src" / "book" / "index.md"
    os.utime(index, (0, 0))
    (out / "html").mkdir()
    engine.stage({}, out)
    assert index.stat().st_mtime == 0
    assert (out / "html").exists()

    (out / "doctrees").mkdir()
    (mini_book / "book" / "_static" / "book.css").write_text("p {}\n")
    engine.stage({}, out)
    assert not (out / "doctrees").exists()  # else the pages would keep the old style

    extra.unlink()
    (mini_book / "book" / "index.md").write_text("# Changed\n")
    engine.stage({}, out)
    assert index.stat().st_mtime > 0
    assert not (out / "src" / "book" / "extra.md").exists()
    assert not (out / "html").exists()


def test_pages_see_the_figures_and_numbers_of_chapters(mini_book):
    chapter = tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb", "1")
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells[2].metadata["mystnb"] = {"figure": {"name": "fig-tiny"}}
    notebook.cells[2].outputs = [new_output("display_data", data={"image/png": "AAEC"})]
    page = mini_book / "book" / "index.md"
    page.write_text("# Small\n\n{glue:text}`../notebooks/00_tiny.ipynb::number`\n")
    engine, out = load_build(mini_book), mini_book / "_build"
    engine.stage({chapter.name: notebook}, out)
    assert (out / "src/book/_figures/fig-tiny.png").read_bytes() == b"\x00\x01\x02"

    # Sphinx does not know that the page depends on the chapter, so the page must look new too.
    staged = out / "src" / "book" / "index.md"
    os.utime(staged, (0, 0))
    engine.stage({chapter.name: notebook}, out)
    assert staged.stat().st_mtime == 0
    notebook.cells[2].source = "2"
    engine.stage({chapter.name: notebook}, out)
    assert staged.stat().st_mtime > 0


def test_the_digest_sees_every_file_of_the_package(mini_book):
    chapter = tiny_chapter(mini_book / "notebooks" / "00_tiny.ipynb")
    engine = load_build(mini_book)
    before = engine.digest(chapter, [])
    for name in ("new.py", "new.jinja", "../constraints.txt"):
        (mini_book / "recsys_interest" / name).write_text("changed\n")
        after = engine.digest(chapter, [])
        assert after != before, name
        before = after


def test_single_chapters_are_refreshed_by_the_beginning_of_their_names(mini_book):
    for number in ("00", "01"):
        tiny_chapter(mini_book / "notebooks" / f"{number}_tiny.ipynb", "print(1 + 1)")
    done = build(mini_book, "--refresh", "01")
    assert done.returncode == 0, done.stderr
    counts = [
        nbformat.read(mini_book / "notebooks" / f"{number}_tiny.ipynb", as_version=4)
        .cells[-1]
        .execution_count
        for number in ("00", "01")
    ]
    assert counts == [None, 2]
    refused = build(mini_book, "--refresh", "9")
    assert refused.returncode == 1
    assert "No chapter begins with ['9']" in refused.stderr
