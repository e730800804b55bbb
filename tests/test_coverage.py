"""Coverage: the page is made of marks, is up to date, and cannot claim what is not there."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import nbformat
import pytest

from .conftest import load_build, tiny_chapter

ROOT = Path(__file__).resolve().parent.parent
load_build(ROOT)

import row_coverage as coverage  # noqa: E402 - beside build.py, which is found only now

ROWS = coverage.collect(ROOT)
# Rows of each letter; the project's own numbering ends here.
LETTERS = {"K": 7, "D": 15, "F": 14, "T": 8, "C": 11, "R": 10, "M": 7, "A": 7, "U": 12, "H": 7}
LETTERS |= {"Q": 10, "L": 6}


def test_every_row_is_there_once():
    expected = [f"{letter}{n:02d}" for letter, last in LETTERS.items() for n in range(1, last + 1)]
    assert [row.id for row in ROWS] == expected
    assert len(expected) == 114
    assert len({row.title for row in ROWS}) == 114


def test_the_page_is_what_the_marks_say():
    written = (ROOT / "book" / "coverage.md").read_text(encoding="utf-8")
    assert written == coverage.coverage_page(ROWS), "run `python book/row_coverage.py`"
    counts = Counter(
        re.findall(r"^\| [A-Z]\d\d \| [^|]+ \| \*\*([\w ]+)\*\*", written, flags=re.MULTILINE)
    )
    assert counts == Counter(row.state for row in ROWS)
    assert sum(counts.values()) == 114


def test_what_is_said_of_a_row_stands_under_its_heading():
    row = coverage.Row(
        "X01", "One", "The first", "", ["a chapter"], ["a function"], ["`t.py::test_it`"]
    )
    [header, _, line] = coverage.coverage_page([row]).splitlines()[-3:]
    cells = ([cell.strip() for cell in text.strip("|").split("|")] for text in (header, line))
    assert dict(zip(*cells, strict=True)) == {
        **{"row": "X01", "what": "The first", "state": "**works**"},
        **{"chapter": "a chapter", "function": "a function", "test": "`t`: it"},
    }


def test_the_tests_that_are_named_are_run():
    # A test that is always skipped decides nothing.
    for row in ROWS:
        for place in row.tests:
            name, _, function = place.strip("`").partition("::")
            source = (ROOT / "tests" / name).read_text(encoding="utf-8")
            marks = re.search(
                rf"((?:^ *@.*\n(?:^ *[^@\s].*\n)*)+) *def {function}\(", source, re.MULTILINE
            )
            assert marks, place
            assert not re.search(r"mark\.(skip\b|xfail)", marks[1]), place


# A small project, in which marks can be put in and taken out

TABLE = (
    "id,group,title,missing\nX01,One,The first,\nX02,One,The second,a wheel\nX03,Two,The third,\n"
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for folder in ("book", "notebooks", "pack", "tests", "recsys_interest"):
        (tmp_path / folder).mkdir()
    (tmp_path / "book" / "capabilities.csv").write_text(TABLE)
    chapter = tiny_chapter(tmp_path / "notebooks" / "00_tiny.ipynb", "1")
    notebook = nbformat.read(chapter, as_version=4)
    notebook.cells[0].metadata["rows"] = ["X01", "X02"]
    nbformat.write(notebook, chapter)
    (tmp_path / "recsys_interest" / "station.py").write_text(
        'def go():\n    """Go.\n\n    Notes\n    -----\n    Rows: X01, X02.\n    """\n'
    )
    (tmp_path / "tests" / "test_station.py").write_text(
        'import pytest\n\n\n@pytest.mark.rows("X01", "X02")\ndef test_go():\n    assert True\n'
    )
    return tmp_path


def states(root: Path) -> dict[str, str]:
    return {row.id: row.state for row in coverage.collect(root)}


def test_three_marks_make_a_row_work(project):
    assert states(project) == {"X01": "works", "X02": "partly", "X03": "not built"}
    [first, *_] = coverage.collect(project)
    assert first.chapters == ["{doc}`00 </notebooks/00_tiny>`"]
    assert first.functions == ["{py:obj}`~recsys_interest.station.go`"]
    assert first.tests == ["`test_station.py::test_go`"]


@pytest.mark.parametrize(
    "name", ["notebooks/00_tiny.ipynb", "recsys_interest/station.py", "tests/test_station.py"]
)
def test_two_marks_do_not(project, name):
    (project / name).unlink()
    assert states(project)["X01"] == "partly"


def test_a_comment_or_a_sentence_is_no_mark(project):
    (project / "recsys_interest" / "station.py").write_text('# Rows: X03.\nX = "Rows: X03."\n')
    (project / "tests" / "test_station.py").write_text('# @pytest.mark.rows("X03")\n')
    chapter = project / "notebooks" / "00_tiny.ipynb"
    chapter.write_text(json.dumps(json.loads(chapter.read_text())).replace('"X01"', '"X02"'))
    assert states(project)["X03"] == "not built"


def test_a_mark_of_no_row_is_an_error(project):
    source = project / "recsys_interest" / "station.py"
    source.write_text(source.read_text().replace("X01, X02", "X01, X99"))
    with pytest.raises(ValueError, match=r"X99.*station\.go"):
        coverage.collect(project)


def test_a_row_that_stands_twice_is_an_error(project):
    (project / "book" / "capabilities.csv").write_text(TABLE + "X01,Two,Again,\n")
    with pytest.raises(ValueError, match=r"\['X01'\] more than once"):
        coverage.collect(project)
