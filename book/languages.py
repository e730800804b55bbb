"""One book in several languages: the switch on each page, and what Sphinx leaves untranslated.

A page that is not translated keeps its English text, below a title and beside a navigation in the
language, and says so.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

from catalogues import (
    ENGLISH,
    Language,
    catalogue_path,
    read_catalogue,
    translated_pages,
    translations,
)
from docutils import nodes
from myst_nb.ext.glue.crossref import ReplacePendingGlueReferences
from myst_nb.sphinx_ import Parser
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.builders.dummy import DummyBuilder
from sphinx.config import Config
from sphinx.locale import get_translation
from sphinx.transforms import SphinxTransform
from sphinx.transforms.i18n import Locale
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.nodes import LITERAL_TYPE_NODES, extract_messages

_ = get_translation("sphinx")

UNTRANSLATED = "This page has not been translated yet; what follows is the English text."
# Settings with words that readers see.
WORDS = ("html_title", "togglebutton_hint", "togglebutton_hint_hide")
THEME_WORDS = ("search_bar_text", "extra_footer")

_GLUE = re.compile(r"\{glue:text\}`([^`:]+)(:[^`:]+)?`")


class TranslatingParser(Parser):
    """Parser of pages and of their translated messages, which may paste the page's own numbers.

    A message is parsed as a document of its own, which has no cells; another document's numbers
    can be pasted, so the chapter is named as one.
    """

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Parse a page, or a message of one."""
        if (document.current_source or "").endswith("<translated>"):
            page = Path(self.env.doc2path(self.env.docname)).name
            # Another document's numbers need a format; `s` is that of words.
            inputstring = _GLUE.sub(
                lambda key: f"{{glue:text}}`{page}::{key[1]}{key[2] or ':s'}`", inputstring
            )
        super().parse(inputstring, document)


class CellsHaveSources(SphinxTransform):
    """Let the cells of tables be translated: MyST forgets to say from where those in boxes come."""

    default_priority = 5

    def apply(self, **kwargs: Any) -> None:
        """Name the page in every cell that names none."""
        for cell in self.document.findall(nodes.entry):
            for paragraph in cell.findall(nodes.paragraph):
                paragraph.source = paragraph.source or self.document["source"]


class MessagesBuilder(DummyBuilder):
    """Write down the messages of the pages, as Sphinx is about to look for their translations.

    Sphinx's own builder asks too late: the texts of the figures that cells draw are gone then, and
    it takes formulas for messages.
    """

    name = "messages"

    def init(self) -> None:
        """Begin without messages."""
        self.found: dict[str, list[str]] = {}

    def finish(self) -> None:
        """Write all of them."""
        path = Path(self.outdir) / "messages.json"
        path.write_text(json.dumps(self.found), encoding="utf-8")


class CollectMessages(SphinxTransform):
    """Hand the messages of a page to the builder that writes them down."""

    default_priority = Locale.default_priority - 1

    def apply(self, **kwargs: Any) -> None:
        """Take the messages of one page, each once."""
        if isinstance(builder := self.app.builder, MessagesBuilder):
            texts = [m for node, m in extract_messages(self.document) if _is_prose(node)]
            pasted = (node.astext() for node in self.document.findall(_is_pasted))
            texts += filter(re.compile("[A-Za-z]{3}").search, pasted)
            builder.found[self.env.docname] = list(dict.fromkeys(texts))


def _is_prose(node: nodes.Node) -> bool:
    """Return whether a node is neither a formula nor among the metadata of a notebook."""
    if isinstance(node, LITERAL_TYPE_NODES):
        return False
    while node.parent is not None and not isinstance(node.parent, nodes.document):
        node = node.parent
    return not isinstance(node, nodes.docinfo | nodes.field_list)


def _is_pasted(node: nodes.Node) -> bool:
    return isinstance(node, nodes.inline) and "pasted-text" in node["classes"]


class TranslatePasted(SphinxPostTransform):
    """Translate the words among the pasted values, such as how long a chapter runs."""

    default_priority = ReplacePendingGlueReferences.default_priority + 1

    def run(self, **kwargs: Any) -> None:
        """Replace the words that the page's catalogue has."""
        own = read_catalogue(catalogue_path(language_of(self.config), self.env.docname))
        for pasted in self.document.findall(_is_pasted):
            if pasted.astext() in own:
                pasted.children = [nodes.Text(own[pasted.astext()])]


def language_of(config: Config) -> Language:
    """Return the language that is being rendered."""
    codes = {language.code: language for language in (ENGLISH, *translations())}
    return codes[config.language]


def translate_settings(app: Sphinx, config: Config) -> None:
    """Translate the words in the settings."""
    if language_of(config) == ENGLISH:
        return
    for name in WORDS:
        config[name] = _(config[name])
    for name in THEME_WORDS:
        config.html_theme_options[name] = _(config.html_theme_options[name])


def keep_glue_apart(app: Sphinx) -> None:
    """Keep the numbers of chapters out of the folder with the pages.

    myst-nb lays them beside the pages of a language, which is among those in English.
    """
    config = app.env.mystnb_config  # type: ignore[attr-defined]
    folder = Path(app.doctreedir) / "jupyter_execute"
    app.env.mystnb_config = config.copy(output_folder=str(folder))  # type: ignore[attr-defined]


def translate_parts(app: Sphinx, doctree: nodes.document) -> None:
    """Translate the names of the book's parts, which appear too late for Sphinx to do it."""
    for toctree in doctree.findall(addnodes.toctree):
        if toctree.get("caption"):
            toctree["caption"] = _(toctree["caption"])


def link_languages(
    app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object
) -> None:
    """Give a page its links to the same page in each language."""
    here, spoken = language_of(app.config), (ENGLISH, *translations())
    context["languages"] = [
        {"name": other.name, "tag": other.tag, "url": _way(page, here, other)}
        for other in spoken
        if other != here
    ]
    if len(spoken) > 1:
        context["metatags"] = context.get("metatags", "") + "".join(
            f'\n<link rel="alternate" hreflang="{other.tag}" href="{_way(page, here, other)}" />'
            for other in spoken
        )
    if here != ENGLISH and "body" in context and page not in translated_pages(here):
        context["body"] = mark_untranslated(context["body"], here)


def _way(page: str, here: Language, other: Language) -> str:
    """Return the relative address of a page in another language."""
    up = "../" * (page.count("/") + (here.folder != ""))
    return f"{up}{other.folder}{'/' if other.folder else ''}{page}.html"


def mark_untranslated(body: str, language: Language) -> str:
    """Say below the title that the page is in English, to readers and to what reads aloud."""
    note = f'<p class="in-english" lang="{language.tag}">{html.escape(_(UNTRANSLATED))}</p>'
    body = re.sub("<section", f'<section lang="{ENGLISH.tag}"', body, count=1)
    body = re.sub("<h1", f'<h1 lang="{language.tag}"', body, count=1)
    return body.replace("</h1>", f"</h1>\n{note}", 1)


def setup(app: Sphinx) -> dict[str, Any]:
    """Take the place of myst-nb's parser, and look after settings, contents and pages."""
    app.add_source_parser(TranslatingParser, override=True)
    app.add_builder(MessagesBuilder)
    app.add_transform(CellsHaveSources)
    app.add_transform(CollectMessages)
    app.add_post_transform(TranslatePasted)
    app.connect("config-inited", translate_settings, priority=100)  # the theme reads them at 500
    app.connect("builder-inited", keep_glue_apart, priority=900)
    app.connect("doctree-read", translate_parts, priority=400)  # Sphinx collects them at 500
    app.connect("html-page-context", link_languages)
    sources = (Path(__file__), Path(__file__).with_name("catalogues.py"))
    # Sphinx reads all pages again when this number changes.
    version = int(hashlib.sha256(b"".join(s.read_bytes() for s in sources)).hexdigest()[:8], 16)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": version}
