"""The pages of the book as one page, to be printed.

Anchors and links change so that they mean in one document what they meant on many pages.
"""

from __future__ import annotations

import html
import posixpath
import re
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).resolve().parent.parent
# The contents are printed for themselves; what prints them knows the links to the pages by this.
LINK = "page:"

_ENTRY = re.compile(r"^ *(?:- )?(root|file|caption): *(.+?) *$", flags=re.MULTILINE)
_TAG = re.compile(r"<[a-zA-Z][^<>]*>")
_ATTRIBUTE = re.compile(r' (id|href|xlink:href|src|for|aria-labelledby)="([^"]*)"')
_ARTICLE = re.compile(r"<article[^>]*>(.*)</article>", flags=re.DOTALL)
_TITLE = re.compile(r"<h1[^>]*>(.*?)</h1>", flags=re.DOTALL)
_HEADERLINK = re.compile(r'<a class="headerlink".*?</a>', flags=re.DOTALL)
# Style sheets, and what sets the formulas; the other scripts are for readers on a screen.
_LOADED = re.compile(
    r'<link[^>]*rel="stylesheet"[^>]*>|<script[^>]*>[^<]*MathJax[^<]*</script>'
    r'|<script[^>]*src="[^"]*mathjax[^"]*"[^>]*></script>'
)


class PrintError(Exception):
    """The book cannot be printed; the message says why."""


@dataclass(frozen=True)
class Entry:
    """One line of the contents: a page, or the heading of a part.

    Attributes
    ----------
    is_page : bool
        Whether it is a page.
    value : str
        The name of the page or the words of the heading.
    """

    is_page: bool
    value: str


@dataclass(frozen=True)
class Page:
    """One page of the book.

    Attributes
    ----------
    name : str
        Its place among the pages, without `.html`.
    text : str
        The whole page.
    known : frozenset of str
        The names of all pages that are printed.
    """

    name: str
    text: str
    known: frozenset[str]

    @property
    def slug(self) -> str:
        """Return what the names of this page's anchors begin with."""
        return self.name.replace("/", "-")

    @property
    def title(self) -> str:
        """Return the title, as HTML without tags."""
        found = _TITLE.search(self.body)
        if found is None:
            raise PrintError(f"{self.name} has no title")
        return re.sub(r"<[^>]*>", "", found[1]).strip()

    @cached_property
    def body(self) -> str:
        """Return the text between header and footer, its anchors and links made unique."""
        found = _ARTICLE.search(self.text)
        if found is None:
            raise PrintError(f"{self.name} has no article")
        plain = _HEADERLINK.sub("", found[1]).replace("<details", "<details open")
        return _TAG.sub(self._moved, plain)

    @property
    def loaded(self) -> list[str]:
        """Return the elements that load style sheets and MathJax."""
        return [_TAG.sub(self._moved, element) for element in _LOADED.findall(self.text)]

    def _moved(self, tag: re.Match[str]) -> str:
        loads = tag[0].startswith(("<link", "<script"))
        moved = _ATTRIBUTE.sub(lambda found: self._attribute(found[1], found[2], loads), tag[0])
        return moved.replace("url(#", f"url(#{self.slug}--")

    def _attribute(self, name: str, value: str, loads: bool) -> str:
        """Return an attribute that means in the one document what it meant on this page."""
        if name in ("id", "for", "aria-labelledby"):
            return f' {name}="{self.slug}--{value}"'
        parts = urlsplit(value)
        if parts.scheme or parts.netloc:
            return f' {name}="{value}"'
        target = posixpath.normpath(posixpath.join(posixpath.dirname(self.name), parts.path))
        if name == "src" or loads:
            return f' {name}="../html/{target}"'
        page = target.removesuffix(".html") if parts.path else self.name
        if page not in self.known:  # the index, the search: for the screen only
            return ""
        anchor = f"--{parts.fragment}" if parts.fragment else ""
        return f' {name}="#{page.replace("/", "-")}{anchor}"'


def contents(toc: str) -> list[Entry]:
    """Return what the table of contents names, in order."""
    return [Entry(kind != "caption", value) for kind, value in _ENTRY.findall(toc)]


def read_pages(folder: Path, entries: Iterable[Entry]) -> list[Page]:
    """Return the pages that the contents name."""
    names = [entry.value for entry in entries if entry.is_page]
    missing = [name for name in names if not (folder / f"{name}.html").is_file()]
    if missing:
        raise PrintError(f"There is no page {missing[0]!r} under {folder}; build the book first.")
    known = frozenset(names)
    return [Page(name, (folder / f"{name}.html").read_text("utf-8"), known) for name in names]


def all_pages(pages: Sequence[Page]) -> str:
    """Return all pages as one, each with its title over its sheets."""
    heads = [f"@page {p.slug} {{ @top-left {{ content: {_css_string(p.title)} }} }}" for p in pages]
    articles = [
        f'<main id="{page.slug}" style="page: {page.slug}"><article class="bd-article">{page.body}'
        "</article></main>"
        for page in pages
    ]
    return _framed(_loaded(pages), f"<style>{' '.join(heads)}</style>{''.join(articles)}")


def front_matter(entries: Iterable[Entry], pages: Sequence[Page], sheets: Sequence[int]) -> str:
    """Return the title and the contents, with the number of the sheet where each page begins."""
    about = _about()
    lines = [
        f'<li><a href="{LINK}{place}">{page.title}</a><span>{sheet}</span></li>'
        for place, (page, sheet) in enumerate(zip(pages, sheets, strict=True))
    ]
    rest = iter(lines)
    listed = [
        next(rest) if entry.is_page else f'<li class="part">{html.escape(entry.value)}</li>'
        for entry in entries
    ]
    return _framed(
        _loaded(pages[:1]),
        f'<header class="title-page"><p class="title">{html.escape(about["title"])}</p>'
        f"<p>{html.escape(about['description'])}</p>"
        f"<p>{html.escape(about['author'])}<br>Version {about['version']}</p>"
        "<p>Text and figures: CC BY 4.0. Code: MIT licence.</p></header>"
        f'<main class="book-contents"><h1>Contents</h1><ul>{"".join(listed)}</ul></main>',
    )


def _loaded(pages: Iterable[Page]) -> str:
    return "".join(dict.fromkeys(element for page in pages for element in page.loaded))


def _framed(head: str, body: str) -> str:
    return (
        '<!doctype html><html lang="en" data-theme="light" data-mode="light"><head>'
        f'<meta charset="utf-8"><title>{html.escape(_about()["title"])}</title>{head}'
        '<link rel="stylesheet" href="../html/_static/print.css">'
        '<script src="../html/_static/print.js"></script></head>'
        f'<body class="tex2jax_ignore mathjax_ignore">{body}</body></html>'
    )


def _css_string(text: str) -> str:
    plain = html.unescape(text).replace("\\", r"\\").replace('"', r"\"").replace("<", r"\3c ")
    return f'"{plain}"'


def _about() -> dict[str, str]:
    settings = yaml.safe_load((ROOT / "_config.yml").read_text("utf-8"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    kept = {name: settings[name] for name in ("title", "author")}
    return kept | {name: project[name] for name in ("version", "description")}
