"""Print the book: every page, in the order of the contents, as one PDF.

    python book/print_book.py              `_build/html` becomes `_build/book.pdf`
    python book/print_book.py --out DIR    the same for the pages of another build

A Chromium prints, so that the formulas are set as on the pages.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pikepdf
from headless import MATH_IS_SET, chromium, started
from paper_pages import (
    LINK,
    ROOT,
    Entry,
    PrintError,
    all_pages,
    contents,
    front_matter,
    read_pages,
)
from playwright.sync_api import Browser

PRINT_SECONDS = 600


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the book and return the exit code."""
    parser = argparse.ArgumentParser(description="Print the book as one PDF.")
    parser.add_argument("--out", type=Path, default=ROOT / "_build", help="folder of the build")
    out = parser.parse_args(arguments).out.resolve()
    try:
        made = print_book(out, contents((ROOT / "_toc.yml").read_text("utf-8")))
    except PrintError as error:
        print(f"\nThe book was not printed. {error}", file=sys.stderr)
        return 1
    print(os.path.relpath(made, Path.cwd()))
    return 0


def print_book(out: Path, entries: Sequence[Entry]) -> Path:
    """Print the pages under `out/html` and return the PDF.

    The pages are printed first: the contents before them say on which sheet each begins.
    """
    if chromium() is None:
        raise PrintError("Printing needs a Chromium; Debian has it in the package `chromium`.")
    pages = read_pages(out / "html", entries)
    folder, target = out / "print", out / "book.pdf"
    folder.mkdir(parents=True, exist_ok=True)
    with started() as browser:
        titles = _printed(browser, folder / "pages", all_pages(pages), tagged=True)
        with pikepdf.open(folder / "pages.pdf") as pdf:
            places = with_titles(pdf, titles)
            sheets = [pikepdf.Page(place[0]).index + 1 for place in places]
            front = front_matter(entries, pages, sheets)
            _printed(browser, folder / "front", front, tagged=False)
            with pikepdf.open(folder / "front.pdf") as first:
                put_before(pdf, first, places)
                partial = target.with_suffix(".partial")
                # Every word of code has its tag: uncompressed, they make up half of the file.
                pdf.save(partial, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    partial.replace(target)
    return target


def _printed(browser: Browser, path: Path, text: str, tagged: bool) -> list[str]:
    """Write a document, print it, and return its headings."""
    source = path.with_suffix(".html")
    source.write_text(text, encoding="utf-8")
    page = browser.new_page(viewport={"width": 800, "height": 1000})
    page.set_default_timeout(1000 * PRINT_SECONDS)
    page.emulate_media(media="print", color_scheme="light")
    page.goto(source.as_uri(), wait_until="load")
    page.evaluate(MATH_IS_SET)
    titles: list[str] = page.evaluate("() => readyForPaper()")
    page.pdf(
        path=path.with_suffix(".pdf"),
        prefer_css_page_size=True,
        print_background=True,
        outline=tagged,
        tagged=tagged,
    )
    page.close()
    return titles


def with_titles(pdf: pikepdf.Pdf, titles: Sequence[str]) -> list[Any]:
    """Write the titles into the outline and return the places where its first level leads.

    Chromium finds the headings, but writes one twice if it had to move to the next sheet, and loses
    the space where a line of it broke.
    """
    with pdf.open_outline() as outline:
        entries = list(_flat(outline.root))
        if len(entries) != len(titles):
            raise PrintError(f"The outline has {len(entries)} entries for {len(titles)} headings.")
        for entry, title in zip(entries, titles, strict=True):
            entry.title = title
        return [entry.destination for entry in outline.root]


def _flat(entries: Iterable[pikepdf.OutlineItem]) -> Iterator[pikepdf.OutlineItem]:
    for entry in entries:
        yield entry
        yield from _flat(entry.children)


def put_before(pdf: pikepdf.Pdf, first: pikepdf.Pdf, places: Sequence[Any]) -> None:
    """Insert the title and the contents, whose links lead to these places."""
    count = len(first.pages)
    for number, sheet in enumerate(first.pages):
        pdf.pages.insert(number, sheet)
    for number in range(count):
        for link in pdf.pages[number].obj.get("/Annots", []):
            link.Dest = places[int(str(link.A.URI).removeprefix(LINK))]
            del link.A
    roman, decimal = (pikepdf.Dictionary(S=pikepdf.Name(style)) for style in ("/r", "/D"))
    pdf.Root.PageLabels = pikepdf.Dictionary(Nums=pikepdf.Array([0, roman, count, decimal]))
    with pdf.open_outline() as outline:
        outline.root.insert(0, pikepdf.OutlineItem("Contents", 1))


if __name__ == "__main__":
    sys.exit(main())
