"""The book's map: the road on its first page, and on each chapter a strip of it.

Both are drawn while the pages are written, from the titles in the table of contents, so that the
chapters hold nothing of it and it cannot lag behind them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

if TYPE_CHECKING:  # mypy knows the modules of this folder by their own names
    from road_drawing import Place, road_map, strip
    from road_stops import STOPS
else:
    from book.road_drawing import Place, road_map, strip
    from book.road_stops import STOPS

_CHAPTER = re.compile(r"notebooks/(\d\d)_\w+")


class Map(nodes.General, nodes.Element):
    """The place of the drawing on a page; `here` is the chapter for a strip, or nothing."""


class RoadMap(SphinxDirective):
    """The directive `road-map`: the whole drawing."""

    def run(self) -> list[nodes.Node]:
        """Return the place of the drawing."""
        return [Map(here="")]


def check_stops(chapters: Iterable[str]) -> None:
    """Raise an error that names the chapters without a stop on the road."""
    missing = sorted(set(chapters) - set(STOPS))
    if missing:
        raise ExtensionError(
            f"the chapters {missing} have no stop on the road; add them to STOPS and to the "
            "layouts in book/road_stops.py"
        )


def chapters_of(env: BuildEnvironment) -> dict[str, str]:
    """Return the chapters of the book: number and name of the page."""
    found = ((match[1], name) for name in env.found_docs if (match := _CHAPTER.fullmatch(name)))
    return dict(sorted(found))


def _add_strip(app: Sphinx, document: nodes.document, page: str) -> None:
    match = _CHAPTER.fullmatch(page)
    title = next(iter(document.findall(nodes.title)), None)
    if match and title is not None:
        section = title.parent
        section.insert(section.index(title) + 1, Map(here=match[1]))


def _draw(writer: Any, node: Map) -> None:
    """Write the drawing where its place is, with addresses seen from this page."""
    builder = writer.builder
    env, page = builder.env, builder.current_docname

    def place(name: str) -> Place:
        return Place(env.titles[name].astext(), builder.get_relative_uri(page, name) or "#")

    places = {key: place(name) for key, name in chapters_of(env).items()}
    language = builder.config.language
    if node["here"]:
        road = f"{builder.get_relative_uri(page, builder.config.root_doc)}#the-road"
        writer.body.append(strip(places, node["here"], road, language))
    else:
        writer.body.append(road_map(places, language))
    raise nodes.SkipNode


def _leave_out(writer: Any, node: Map) -> None:
    raise nodes.SkipNode


def _write_again(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Return the pages with a drawing if a title is new since they were written."""
    chapters = chapters_of(env)
    check_stops(chapters)
    titles = {key: env.titles[name].astext() for key, name in chapters.items()}
    if getattr(env, "road_titles", None) == titles:
        return []
    env.road_titles = titles  # type: ignore[attr-defined]
    return [*chapters.values(), env.config.root_doc]


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive, the strips and their style."""
    nowhere = (_leave_out, None)
    app.add_node(Map, html=(_draw, None), latex=nowhere, text=nowhere)
    app.add_directive("road-map", RoadMap)
    app.add_css_file("road_map.css")
    app.connect("doctree-resolved", _add_strip)
    app.connect("env-updated", _write_again)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
