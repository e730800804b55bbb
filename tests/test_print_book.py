"""The printed book: its text, outline, links, fonts and numbers of sheets, and nothing cut off."""

from __future__ import annotations

import re

import paper_pages
import pikepdf
import print_book
import pypdf
import pytest
from headless import chromium, started
from paper_pages import Entry, Page, PrintError

from .test_docs import toc_files

PAGES = ("notebooks/00_quickstart", "book/references")
ENTRIES = [Entry(False, "A part & more"), *(Entry(True, name) for name in PAGES)]


@pytest.fixture(scope="module")
def out(html, tmp_path_factory):
    """Return a folder with the pages of the real book and these two of them printed."""
    if chromium() is None:
        pytest.skip("needs a browser: chromium is not installed")
    folder = tmp_path_factory.mktemp("printed")
    (folder / "html").symlink_to(html)
    assert print_book.print_book(folder, ENTRIES) == folder / "book.pdf"
    return folder


@pytest.fixture(scope="module")
def pdf(out) -> pypdf.PdfReader:
    return pypdf.PdfReader(out / "book.pdf")


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("ﬁ", "fi").replace("ﬂ", "fl"))


@pytest.fixture(scope="module")
def texts(pdf) -> list[str]:
    return [plain(page.extract_text()) for page in pdf.pages]


def outline(pdf: pypdf.PdfReader) -> list[tuple[int, str, int]]:
    """Return level, title and sheet of every entry."""

    def flat(entries, level):
        for entry in entries:
            if isinstance(entry, list):
                yield from flat(entry, level + 1)
            else:
                yield level, entry.title, pdf.get_destination_page_number(entry)

    return list(flat(pdf.outline, 0))


def test_title_and_contents_come_first(pdf, texts):
    assert texts[0].startswith("User Interests from Text and Behaviour")
    assert pdf.page_labels[:3] == ["i", "ii", "1"]
    starts = [sheet for level, _, sheet in outline(pdf) if level == 0][1:]
    listed = re.fullmatch(
        r"ii Contents A part & more Quickstart: from a log to a list (\d+) References (\d+) ?",
        texts[1],
    )
    assert [pdf.page_labels[sheet] for sheet in starts] == list(listed.groups())
    led = [link.get_object()["/Dest"][0] for link in pdf.pages[1]["/Annots"]]
    assert [pdf.get_page_number(page.get_object()) for page in led] == starts


def test_the_outline_leads_to_the_headings(pdf, texts):
    found = outline(pdf)
    assert [title for level, title, _ in found if level == 0] == [
        "Contents",
        "Quickstart: from a log to a list",
        "References",
    ]
    assert (1, "Real data, and an honest table") in [entry[:2] for entry in found]
    assert not [entry for entry in found if entry[1] not in texts[entry[2]]]


def test_text_code_and_solutions_are_there(texts):
    text = " ".join(texts)
    assert "The articles’ method loses." in text or "The articles' method loses." in text
    assert "road = ri.InterestPipeline(encoder=encoder, now=NOW, random_state=seed)" in text
    assert "def lists(weights, seen, vectors, k):" in text
    assert text.count("Right.") == 3
    assert text.count("Quickstart: from a log to a list") > 10  # over every sheet
    assert not re.search(r"\\(?:frac|sum|lVert|operatorname)|\$\$", text)


def test_all_fonts_are_embedded(pdf):
    fonts = [
        font.get_object()
        for page in pdf.pages
        for font in page["/Resources"].get("/Font", {}).values()
    ]
    inner = [font.get("/DescendantFonts", [font])[0].get_object() for font in fonts]
    missing = [
        font["/BaseFont"]
        for font in inner
        if font["/Subtype"] != "/Type3"
        and not {"/FontFile2", "/FontFile3"} & set(font["/FontDescriptor"].get_object())
    ]
    assert len(inner) > 20
    assert not missing


def test_links_stay_inside_or_lead_to_the_web(pdf):
    annotations = [a.get_object() for page in pdf.pages for a in page.get("/Annots", [])]
    urls = [a["/A"]["/URI"] for a in annotations if "/URI" in a.get("/A", {})]
    assert urls
    assert not [url for url in urls if not re.match("https?://", url)]
    _, quickstart, references = (sheet for level, _, sheet in outline(pdf) if level == 0)
    led = [
        pdf.get_destination_page_number(pdf.named_destinations[annotation.get_object()["/Dest"]])
        for page in pdf.pages[quickstart:references]
        for annotation in page.get("/Annots", [])
        if "/Dest" in annotation.get_object()
    ]
    assert len(led) > 20
    assert {quickstart <= sheet < references for sheet in led} == {True, False}


def test_pages_are_tagged_for_screen_readers(pdf):
    assert pdf.trailer["/Root"]["/MarkInfo"]["/Marked"]


# Nothing is cut

WIDE = """() => {
  const edge = document.body.getBoundingClientRect().right + 1;
  const wide = (e) => e.getBoundingClientRect().right > edge
    || (e.matches("pre") && e.scrollWidth > e.clientWidth + 1);
  return [...document.querySelectorAll("article *")].filter(
    (e) => wide(e) && !e.closest("mjx-assistive-mml"),
  ).map((e) => e.outerHTML.slice(0, 80));
}"""
CELLS = "".join(f"<td>column{number}</td>" for number in range(40))
LONG = f"<div class='highlight'><pre>{'word ' * 60}{'x' * 300}</pre></div>"
TABLE = f"<div class='output text_html'><table class='dataframe'><tr>{CELLS}</tr></table></div>"


@pytest.fixture(scope="module")
def paper(out):
    with started() as browser:
        page = browser.new_page(viewport={"width": 800, "height": 1000})
        page.emulate_media(media="print", color_scheme="light")
        yield page


def test_nothing_reaches_beyond_the_paper(paper, out):
    paper.goto((out / "print" / "pages.html").as_uri())
    paper.evaluate(print_book.MATH_IS_SET)
    paper.evaluate("() => readyForPaper()")
    assert not paper.evaluate(WIDE)


def test_wide_tables_shrink_and_long_lines_break(paper, out):
    page = Page("book/wide", f"<article><h1>Wide</h1>{LONG}{TABLE}</article>", frozenset())
    styles = paper_pages.read_pages(out / "html", ENTRIES)
    text = paper_pages.all_pages([styles[0], page])
    place = out / "print" / "wide.html"
    place.write_text(re.sub(r'<main id="notebooks.*?</main>', "", text, flags=re.DOTALL))
    paper.goto(place.as_uri())
    before = paper.evaluate(WIDE)
    assert before
    assert not [element for element in before if "pre" in element[:5]]
    assert paper.evaluate("() => readyForPaper()") == ["Wide"]
    assert not paper.evaluate(WIDE)


# Many pages as one


def moved(body: str, name: str = "notebooks/one") -> str:
    known = frozenset({"notebooks/one", "book/two"})
    return Page(name, f"<article class='x'>{body}</article>", known).body


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<p id="a">', '<p id="notebooks-one--a">'),
        ('<a href="#a">', '<a href="#notebooks-one--a">'),
        ('<a class="c" href="../book/two.html">', '<a class="c" href="#book-two">'),
        ('<a href="../book/two.html#b">', '<a href="#book-two--b">'),
        ('<a href="../genindex.html#b">', "<a>"),
        ('<a href="https://x.example/#b">', '<a href="https://x.example/#b">'),
        ('<img src="../_images/a.png">', '<img src="../html/_images/a.png">'),
        ('<img src="data:image/png;base64,AA">', '<img src="data:image/png;base64,AA">'),
        ('<use xlink:href="#g">', '<use xlink:href="#notebooks-one--g">'),
        ('<g clip-path="url(#c)">', '<g clip-path="url(#notebooks-one--c)">'),
        ("<details>", "<details open>"),
        ('<span> id="a" &lt;a href="#a"&gt;</span>', '<span> id="a" &lt;a href="#a"&gt;</span>'),
        ('T<a class="headerlink" href="#t" title="x">#</a>', "T"),
    ],
)
def test_anchors_and_links_mean_the_same_in_one_document(before, after):
    assert moved(before) == after


def test_the_contents_are_those_of_the_book():
    entries = paper_pages.contents((paper_pages.ROOT / "_toc.yml").read_text())
    pages = [entry.value for entry in entries if entry.is_page]
    assert sorted(pages) == sorted(toc_files())
    assert pages.index("book/api/schema") == pages.index("book/api/index") + 1
    assert Entry(False, "Chapters") in entries


def test_a_book_that_is_not_built_is_named(tmp_path, capsys):
    with pytest.raises(PrintError, match=r"no page 'notebooks/00_quickstart' .* build the book"):
        paper_pages.read_pages(tmp_path, ENTRIES)
    if chromium():
        assert print_book.main(["--out", str(tmp_path)]) == 1
        assert "The book was not printed. There is no page" in capsys.readouterr().err


def test_without_a_browser_it_says_what_is_missing(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(print_book, "chromium", lambda: None)
    assert print_book.main(["--out", str(tmp_path)]) == 1
    assert "Printing needs a Chromium" in capsys.readouterr().err


def test_the_outline_gets_the_titles_of_the_headings(pdf, out):
    with pikepdf.open(out / "print" / "pages.pdf") as made:
        with made.open_outline() as found:
            count = sum(1 for _ in print_book._flat(found.root))
        titles = [f"heading {number}" for number in range(count)]
        assert len(print_book.with_titles(made, titles)) == len(PAGES)
        with made.open_outline() as found:
            assert [entry.title for entry in print_book._flat(found.root)] == titles
        with pytest.raises(PrintError, match="entries for 1 headings"):
            print_book.with_titles(made, ["one"])
