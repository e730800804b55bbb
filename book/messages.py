"""Bring the catalogues of the translation up to date with the English pages.

    python book/messages.py                    after an English page has changed
    python book/messages.py book/how_to_read   the same, and begin to translate this page

Sphinx takes the messages from the pages, sphinx-intl puts them into `book/locale/`: what is gone
leaves, what is new has an empty translation, what changed keeps the old one and is marked fuzzy.
Whoever has mended a fuzzy translation removes the mark; the tests name what is left.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import nbformat
import yaml
from build import NOTEBOOKS, ROOT, configure, page_texts, run_python, sources
from catalogues import (
    CHINESE,
    LOCALE,
    NAVIGATION,
    template,
    title_of,
    translated_pages,
)
from cross_links import SENTENCE
from languages import THEME_WORDS, UNTRANSLATED, WORDS

# Words of the theme that its own catalogue lacks.
THEME = ("Color mode", "System Settings", "© Copyright %(copyright)s.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Update the catalogues and return the exit code."""
    parser = argparse.ArgumentParser(description="Bring the catalogues up to date.")
    parser.add_argument("pages", nargs="*", metavar="PAGE", help="a page to begin with")
    pages = {*translated_pages(CHINESE), *parser.parse_args(arguments).pages}
    with tempfile.TemporaryDirectory() as folder:
        templates = Path(folder) / "templates"
        for name, messages in extract(pages, Path(folder)).items():
            path = templates / f"{name}.pot"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(template(messages))
        update = ["update", "-p", str(templates), "-d", str(LOCALE), "-l", CHINESE.code]
        command = [sys.executable, "-m", "sphinx_intl", *update, "--no-obsolete"]
        return subprocess.run(command, check=False).returncode


def extract(pages: Iterable[str], folder: Path) -> dict[str, list[str]]:
    """Return the messages of some pages, and of the navigation, as they are in English.

    Parameters
    ----------
    pages
        Names of pages, such as `book/index`.
    folder
        An empty folder for what Sphinx makes on the way.

    Returns
    -------
    dict of str to list of str
        The messages of each page in their order, and under `navigation` those around the pages.
    """
    wanted = sorted(set(pages))
    chapters = {p.name: nbformat.read(p, as_version=4) for p in sorted(NOTEBOOKS.glob("*.ipynb"))}
    files = sources(chapters, terms=())  # the line with a page's terms is translated by the build
    texts = page_texts(files)
    unknown = [page for page in wanted if page not in texts]
    if unknown:
        raise SystemExit(f"There is no page {unknown}; there is {sorted(texts)}")
    toc = yaml.safe_load(files[Path("_toc.yml")])
    only = [{"file": page} for page in wanted if page != toc["root"]]
    shorter = {"format": toc["format"], "root": toc["root"], "chapters": only}
    files[Path("_toc.yml")] = yaml.safe_dump(shorter).encode()
    for path, content in files.items():
        (folder / "src" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "src" / path).write_bytes(content)
    configure(folder / "src")
    # Quiet: links to the pages that are left out lead nowhere. `make book` finds real faults.
    run_python(["-m", "sphinx", "-Q", "-b", "messages", str(folder / "src"), str(folder / "found")])
    found = json.loads((folder / "found" / "messages.json").read_text("utf-8"))
    templates = "".join(p.read_text("utf-8") for p in sorted((ROOT / "book/_templates").iterdir()))
    titles = {page: title_of(text) for page, text in texts.items() if page not in wanted}
    around = [
        *filter(None, titles.values()),
        *(part["caption"] for part in toc["parts"]),
        *_settings(yaml.safe_load(files[Path("_config.yml")])["sphinx"]["config"]),
        *re.findall(r'\b_\("([^"]*)"\)', templates),
        *(UNTRANSLATED, SENTENCE, *THEME),
    ]
    return {page: found[page] for page in wanted} | {NAVIGATION: list(dict.fromkeys(around))}


def _settings(settings: Mapping[str, object]) -> list[str]:
    theme = settings["html_theme_options"]
    assert isinstance(theme, dict)
    return [str(settings[name]) for name in WORDS] + [str(theme[name]) for name in THEME_WORDS]


if __name__ == "__main__":
    sys.exit(main())
