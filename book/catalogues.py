"""The languages of the book, and the catalogues from which Sphinx takes the translated messages.

`book/locale/` holds a catalogue for each page that is translated, and `navigation.po` for what
surrounds all pages: the titles in the contents, the parts, the words of the theme. A page without
a catalogue keeps its English text below a translated title.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po
from cross_links import SENTENCE

LOCALE = Path(__file__).resolve().parent / "locale"
NAVIGATION = "navigation"
GLOSSARY = "book/glossary"
_TITLE = re.compile(r"^# (.+)$", flags=re.MULTILINE)
_TERM = re.compile(r"\{term\}`([^`]*)`")
_SENTENCE = re.compile(
    rf"^{re.escape(SENTENCE).replace(re.escape('{terms}'), '(.*)')}$", flags=re.MULTILINE
)


@dataclass(frozen=True)
class Language:
    """A language of the book.

    `code` is its name for Sphinx and gettext, `name` its name in the language itself, `folder`
    where its pages are, below the English ones.
    """

    code: str
    name: str
    folder: str
    comma: str

    @property
    def tag(self) -> str:
        """Return the language as HTML names it."""
        return self.code.replace("_", "-")


ENGLISH = Language("en", "English", "", ", ")
CHINESE = Language("zh_CN", "中文", "zh", "、")


def translations(locale: Path = LOCALE) -> tuple[Language, ...]:
    """Return the languages for which there are catalogues."""
    return tuple(language for language in (CHINESE,) if (locale / language.code).is_dir())


def catalogue_path(language: Language, page: str, locale: Path = LOCALE) -> Path:
    """Return where the catalogue of a page is kept."""
    return locale / language.code / "LC_MESSAGES" / f"{page}.po"


def translated_pages(language: Language, locale: Path = LOCALE) -> tuple[str, ...]:
    """Return the pages with a catalogue; they are the ones that must be translated completely."""
    folder = locale / language.code / "LC_MESSAGES"
    names = (path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.po"))
    return tuple(sorted(set(names) - {NAVIGATION}))


def read_catalogue(path: Path) -> dict[str, str]:
    """Return the translated messages of a catalogue; it is empty if there is no such file."""
    if not path.exists():
        return {}
    with path.open("rb") as file:
        entries = list(read_po(file))
    return {str(m.id): str(m.string) for m in entries if m.id and m.string and not m.fuzzy}


def catalogue_faults(path: Path, messages: Iterable[str]) -> list[str]:
    """Return what is wrong with a catalogue, given the messages that the English page has now."""
    with path.open("rb") as file:
        entries = {str(message.id): message for message in read_po(file) if message.id}
    wanted = list(messages)
    gone = [message for message in entries if message not in set(wanted)]
    there = {message: entry for message, entry in entries.items() if message not in gone}
    return [
        *(f"no translation: {message}" for message, entry in there.items() if not entry.string),
        *(f"fuzzy: {message}" for message, entry in there.items() if entry.fuzzy),
        *(f"no longer in the English page: {message}" for message in gone),
        *(f"not in the catalogue: {message}" for message in wanted if message not in entries),
    ]


def title_of(text: str) -> str | None:
    """Return the title of a page, None if it has none."""
    found = _TITLE.search(text)
    return None if found is None else found[1].strip()


def page_catalogues(
    language: Language, pages: Mapping[str, str], locale: Path = LOCALE
) -> dict[Path, bytes]:
    """Return the catalogues from which Sphinx reads, by their paths, as files.

    Parameters
    ----------
    language
        The language.
    pages
        The text of each page as it is staged, by the name of the page.
    locale
        The folder with the catalogues that are kept.

    Returns
    -------
    dict of Path to bytes
        One catalogue for each page: its own messages, its title, and the line with its terms in
        the glossary. The one that is called `sphinx` has what surrounds the pages.
    """
    navigation = read_catalogue(catalogue_path(language, NAVIGATION, locale))
    terms = read_catalogue(catalogue_path(language, GLOSSARY, locale))
    found = {"sphinx": navigation}
    for page, text in pages.items():
        own = read_catalogue(catalogue_path(language, page, locale))
        title = title_of(text)
        if title is not None and title in navigation:
            own = {title: navigation[title], **own}
        found[page] = {**own, **_sentences(text, language, navigation.get(SENTENCE), terms)}
    folder = PurePosixPath(language.code) / "LC_MESSAGES"
    return {Path(folder / f"{page}.po"): _as_file(own) for page, own in found.items()}


def _sentences(
    text: str, language: Language, pattern: str | None, terms: Mapping[str, str]
) -> dict[str, str]:
    """Return the translation of the line with which the build ends a page."""
    if pattern is None:
        return {}
    found = {}
    for sentence in _SENTENCE.finditer(text):
        links = (_link(term, terms.get(term)) for term in _TERM.findall(sentence[1]))
        found[sentence[0]] = pattern.replace("{terms}", language.comma.join(links))
    return found


def _link(term: str, translated: str | None) -> str:
    """Return a link to a term, without the English one that stands behind it in brackets."""
    if translated is None:
        return f"{{term}}`{term}`"
    return f"{{term}}`{translated.partition('（')[0]} <{term}>`"


def _as_file(messages: Mapping[str, str]) -> bytes:
    catalogue = Catalog()
    for message, translated in sorted(messages.items()):
        catalogue.add(message, translated)
    file = io.BytesIO()
    # The header would hold the time, and Sphinx would read every page again.
    write_po(file, catalogue, omit_header=True)
    return file.getvalue()


def template(messages: Iterable[str]) -> bytes:
    """Return a catalogue without translations, as sphinx-intl reads it."""
    catalogue = Catalog(project="recsys-interest", copyright_holder="its contributors")
    for message in messages:
        catalogue.add(message)
    file = io.BytesIO()
    write_po(file, catalogue)
    return file.getvalue()
