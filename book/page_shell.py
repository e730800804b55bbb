"""What surrounds the text of a page, where the theme's own markup shuts readers out.

A screen reader is told that a bibliography is a list, but its entries are no list items; and every
solution of a chapter carries the same id.
"""

from __future__ import annotations

from typing import Any

from sphinx.application import Sphinx

REPLACED = {
    '<div role="list" class="citation-list">': '<div class="citation-list">',
    ' role="doc-biblioentry"': "",
    '<section id="exercise-content">': "<section>",
    '<section id="solution-content">': "<section>",
}


def mend(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: object) -> None:
    """Mend the markup of one page before it is written."""
    for bad, good in REPLACED.items() if "body" in context else ():
        context["body"] = context["body"].replace(bad, good)


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to the pages being written."""
    app.connect("html-page-context", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
