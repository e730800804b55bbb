"""The source articles, corrected: one entry for each error, complete, demonstrated and linked."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import pytest

from .conftest import load_build

ROOT = Path(__file__).resolve().parent.parent
APPENDICES = sorted((ROOT / "notebooks").glob("A*.ipynb"))
CHAPTERS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))

# How many errors each article has; an id is never used again for another error.
COUNTS = {"S0": 28, "S1": 19, "S2": 18}
ERRORS = [f"E-{article}-{n:02d}" for article, last in COUNTS.items() for n in range(1, last + 1)]

HEADING = re.compile(r"^\((e-s\d-\d\d)\)=\n## (E-S\d-\d\d) · (\S.*)$", flags=re.MULTILINE)
PARTS = (
    r"\*\*The article, (sections? \d|title)[^*]*\.\*\* ",
    r"\*\*Why it is wrong\.\*\* ",
    r"\*\*Done right:\*\* ",
)

build = load_build(ROOT)

from cross_links import link_errors  # noqa: E402 - beside build.py, which is found only now


@dataclass
class Entry:
    """One error: its text and the code that shows it."""

    error: str
    title: str
    label: str
    text: str
    code: list[str] = field(default_factory=list)


def entries(notebook: nbformat.NotebookNode) -> list[Entry]:
    found: list[Entry] = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if found:
                found[-1].code.append(cell.source)
        elif match := HEADING.search(cell.source):
            found.append(Entry(match[2], match[3], match[1], cell.source))
    return found


def faults(found: list[Entry]) -> list[str]:
    """Return what is wrong with the list of entries: missing, twice, unknown or out of order."""
    names = [entry.error for entry in found]
    wrong = [f"{error} is missing" for error in ERRORS if error not in names]
    wrong += [f"{error} is there {n} times" for error, n in Counter(names).items() if n > 1]
    wrong += [f"{error} is not known" for error in sorted(set(names) - set(ERRORS))]
    return wrong or ([] if names == ERRORS else ["the entries are not in order"])


def gaps(entry: Entry) -> list[str]:
    """Return what an entry lacks: a part, its label, a demonstration, a link to what is right."""
    lacking = [part for part in PARTS if not re.search(part, entry.text)]
    if entry.label != entry.error.lower():
        lacking.append(f"the label {entry.error.lower()}")
    shown = any(re.search(r"^ *assert ", code, flags=re.MULTILINE) for code in entry.code)
    if shown == ("**Nothing to compute:**" in entry.text):
        lacking.append("either code with an assert or the reason why there is none")
    right = entry.text.partition("**Done right:**")[2]
    if not re.search(r"\{(doc|ref|py:\w+)\}`|numbers by hand|constraints\.txt", right):
        lacking.append("a link to what does it right")
    return lacking


def all_entries() -> list[Entry]:
    notebooks = [nbformat.read(path, as_version=4) for path in APPENDICES]
    return [entry for notebook in notebooks for entry in entries(notebook)]


def test_there_are_65_errors():
    assert len(ERRORS) == len(set(ERRORS)) == 65


@pytest.mark.rows("L05")
def test_every_error_has_exactly_one_entry():
    assert not faults(all_entries())


@pytest.mark.parametrize("entry", all_entries(), ids=lambda entry: entry.error)
def test_every_entry_is_complete(entry):
    assert not gaps(entry)


def test_titles_differ():
    titles = [entry.title for entry in all_entries()]
    assert len(titles) == len(set(titles))


def test_the_code_of_every_entry_is_short():
    # A demonstration, not a chapter.
    long = {e.error: n for e in all_entries() if (n := sum(c.count("\n") for c in e.code)) > 45}
    assert not long


def test_most_entries_are_demonstrated():
    silent = [entry.error for entry in all_entries() if not entry.code]
    assert silent == ["E-S0-25", "E-S0-26", "E-S1-12", "E-S2-09"]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_name_only_known_errors(chapter):
    named = set(re.findall(r"\bE-S\d-\d+\b", chapter.read_text(encoding="utf-8")))
    assert named <= set(ERRORS)


# The gates can fail


def test_a_missing_and_a_doubled_entry_are_found():
    found = all_entries()
    assert faults(found[:3] + found[4:]) == [f"{found[3].error} is missing"]
    assert faults([*found, found[5]]) == [f"{found[5].error} is there 2 times"]
    assert faults([found[1], found[0], *found[2:]]) == ["the entries are not in order"]
    stray = Entry("E-S3-01", "x", "e-s3-01", "")
    assert faults([*found, stray]) == ["E-S3-01 is not known"]


def test_an_incomplete_entry_is_found():
    entry = all_entries()[0]
    assert not gaps(entry)
    text, _, right = entry.text.partition("**Done right:**")
    assert gaps(Entry(entry.error, "x", entry.label, text, entry.code))
    assert gaps(Entry(entry.error, "x", entry.label, entry.text, ["print(1)"]))
    assert gaps(Entry(entry.error, "x", "e-s0-99", entry.text, entry.code))
    assert gaps(
        Entry(entry.error, "x", entry.label, text + "**Done right:** somewhere", entry.code)
    )
    assert right.strip()


# The numbers become links when the book is built


def test_numbers_of_errors_become_links():
    known = {"e-s0-05"}
    assert link_errors("(E-S0-05).", known) == "({ref}`E-S0-05 <e-s0-05>`)."
    assert link_errors("**E-S0-05** and E-S0-06", known) == (
        "**{ref}`E-S0-05 <e-s0-05>`** and E-S0-06"
    )
    for text in ("## E-S0-05 · x", "`E-S0-05`", "```\nE-S0-05\n```", "(e-s0-05)=", "XE-S0-05"):
        assert link_errors(text, known) == text


def test_chapters_link_to_the_entries(tmp_path):
    paths = [CHAPTERS[5], *APPENDICES]
    build.stage({p.name: nbformat.read(p, as_version=4) for p in paths}, tmp_path)
    staged = (tmp_path / "src" / "notebooks" / CHAPTERS[5].name).read_text(encoding="utf-8")
    assert "{ref}`E-S0-05 <e-s0-05>`" in staged
    assert "{ref}" not in "".join(
        line for line in staged.splitlines() if line.lstrip().startswith('"#')
    )
