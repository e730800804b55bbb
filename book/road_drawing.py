"""The book's road as HTML: the whole drawing, and the strip that says where the reader is.

Chapters come in with their titles and the addresses of their pages; stops without one are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # mypy knows the modules of this folder by their own names
    from road_stops import LAYOUTS, STOPS, Box, Layout, Point, Way, words
else:
    from book.road_stops import LAYOUTS, STOPS, Box, Layout, Point, Way, words

LINE_LETTERS = 17  # that fit into a box, in letters of the Latin alphabet


@dataclass(frozen=True)
class Place:
    """A chapter as the drawing needs it: its title, and the address of its page from this one."""

    title: str
    href: str


# The whole drawing


def road_map(places: Mapping[str, Place], language: str = "en") -> str:
    """Return the whole road as HTML: one drawing for a desk and one for a phone.

    Parameters
    ----------
    places : mapping of str to Place
        The chapters of the book by number, ``"07"``. Stops without a chapter are not drawn.
    language : str, default "en"
        Language of the words that are not titles.

    Notes
    -----
    Rows: K07.
    """
    drawings = "".join(_drawing(layout, places, words(language)) for layout in LAYOUTS)
    return f'<nav class="road-map" aria-label="{escape(words(language)["map"])}">{drawings}</nav>\n'


def _drawing(layout: Layout, places: Mapping[str, Place], says: Mapping[str, str]) -> str:
    name = f"road-map-{layout.name}"
    ways = [w for w in layout.ways if {w.start[:2], w.end[:2]} <= set(places)]
    parts = [
        f'<svg class="{name}" viewBox="0 0 {layout.width:g} {layout.height:g}" role="group" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-says">',
        f'<title id="{name}-title">{escape(says["map"])}</title>',
        f'<desc id="{name}-says">{escape(says["says"])}</desc>',
        f'<defs><marker id="{name}-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" class="tip"/></marker></defs>',
        *(_area(area, layout, places, says) for area in ("log", "model", "users", "tiers")),
        *(_area(area, layout, places, says) for area in ("clusters", "lists", "time")),
        *(_arrow(way, layout.boxes, f"{name}-tip") for way in ways),
        *(_stop(key, places[key], layout.boxes[key], says) for key in sorted(places)),
        _key(layout, says),
    ]
    return "".join(parts) + "</svg>"


def _key(layout: Layout, says: Mapping[str, str]) -> str:
    x, y = layout.key
    return f'<text class="key" x="{x:g}" y="{y:g}">{escape(says["key"])}</text>'


def _area(area: str, layout: Layout, places: Mapping[str, Place], says: Mapping[str, str]) -> str:
    mine = [layout.boxes[key] for key in places if STOPS[key].area == area]
    if not mine:
        return ""
    box = mine[0]
    for other in mine[1:]:
        box = box.around(other)
    box = box.grown(8, above=24)
    return (
        f'<g class="area {area}" aria-hidden="true">{_rect(box, 8)}'
        f'<text x="{box.x + 8:g}" y="{box.y + 16:g}">{escape(says[area])}</text></g>'
    )


def _rect(box: Box, radius: float) -> str:
    size = f'width="{box.width:g}" height="{box.height:g}"'
    return f'<rect x="{box.x:g}" y="{box.y:g}" {size} rx="{radius:g}"/>'


def _arrow(way: Way, boxes: Mapping[str, Box], tip: str) -> str:
    kind = "way optional" if way.optional else "way"
    path = "M" + "L".join(f"{x:g} {y:g}" for x, y in way.points(boxes))
    return f'<path class="{kind}" d="{path}" marker-end="url(#{tip})"/>'


def _stop(key: str, place: Place, box: Box, says: Mapping[str, str]) -> str:
    stop = STOPS[key]
    title = short_title(place.title)
    if key == "00":
        middle = box.y + box.height / 2 + 4
        written = (
            f'<text x="{box.x + 12:g}" y="{middle:g}"><tspan class="number">{key}</tspan> '
            f"{escape(title + says['colon'] + says['road'])}</text> "
            f'<text class="function" x="{box.x + box.width - 10:g}" y="{middle:g}" '
            f'text-anchor="end">{escape(stop.function)}</text>'
        )
    else:
        written = _written(key, title, stop.function, box)
    edge = f'<path class="edge" d="M{box.x + 1.5:g} {box.y + 5:g}v{box.height - 10:g}"/>'
    inner = f"{_rect(box, 5)}{edge}{written}"
    return f'<a class="stop {stop.area}" href="{escape(place.href)}">{inner}</a>'


def _written(key: str, title: str, function: str, box: Box) -> str:
    titles, functions = wrapped(f"{key} {title}"), broken_name(function)
    titles[0] = titles[0].removeprefix(key).lstrip()
    x, y = box.x + 10, box.y + 17.0
    out = []
    for n, line in enumerate(titles):
        number = f'<tspan class="number">{key}</tspan> ' if n == 0 else ""
        out.append(f'<text x="{x:g}" y="{y:g}">{number}{escape(line)}</text>')
        y += 14
    y = box.y + box.height - 8 - 12 * (len(functions) - 1)
    for line in functions:
        out.append(f'<text class="function" x="{x:g}" y="{y:g}">{escape(line)}</text>')
        y += 12
    return " ".join(out)


def short_title(title: str) -> str:
    """Return the title of a chapter up to its colon."""
    return re.split(r"[:：]", title, maxsplit=1)[0].strip()


def letters(text: str) -> float:
    """Return the width of a text in Latin letters; a Chinese character is almost two wide."""
    return sum(1.8 if ord(c) > 0x2E7F else 1.0 for c in text)


def wrapped(text: str) -> list[str]:
    """Break a text into lines that fit into a box: between words, or between Chinese characters."""
    lines = [""]
    for piece in re.findall(r"[\u2e80-\uffff]|[^\s\u2e80-\uffff]+\s*", text):
        if lines[-1] and letters((lines[-1] + piece).rstrip()) > LINE_LETTERS:
            lines.append("")
        lines[-1] += piece
    return [line.rstrip() for line in lines]


def broken_name(function: str) -> list[str]:
    """Break the name of a function or class before its last word if it would not fit into a box."""
    if len(function) <= LINE_LETTERS + 1:  # the smaller letters of code
        return [function]
    words = re.findall(r"[A-Z]?[a-z0-9]+_?", function)
    return ["".join(words[:-1]), words[-1]]


# The strip on each chapter


def _strip_places() -> dict[str, Point]:
    """Return where the dots stand: the tiers run beside the clusters, the rest is one line."""
    row = ["00", "01", "02", "03", "04", "05", "07", "08", "09", "10", "11", "12", "13", "14"]
    found = {key: (14 + 25.0 * n, 32.0) for n, key in enumerate(row)}
    for key in ("07", "08", "09", "10"):
        found[key] = (found[key][0], 46.0)
    return found | {"06": ((found["07"][0] + found["10"][0]) / 2, 18.0)}


STRIP = _strip_places()
_STRIP_LINES = (
    ("00", "01", "02", "03", "04", "05"),
    ("05", "06", "11"),
    ("05", "07", "08", "09", "10", "11"),
    ("11", "12", "13", "14"),
)


def strip(places: Mapping[str, Place], here: str, road: str, language: str = "en") -> str:
    """Return the road as a strip of dots, with the chapter `here` marked.

    Parameters
    ----------
    places : mapping of str to Place
        The chapters of the book by number.
    here : str
        The chapter that the strip stands on.
    road : str
        Address of the whole drawing.
    language : str, default "en"
        Language of the words that are not titles.

    Notes
    -----
    Rows: K07.
    """
    says = words(language)
    lines = [[key for key in line if key in places] for line in _STRIP_LINES]
    ways = "".join(f'<path class="way" d="{_through(line)}"/>' for line in lines if len(line) > 1)
    dots = "".join(_dot(key, places[key], key == here) for key in sorted(places))
    name = f"{here} · {says[STOPS[here].area]}"
    return (
        f'<nav class="road-strip" aria-label="{escape(says["map"])}">'
        f'<svg viewBox="0 0 353 64" role="group" aria-labelledby="road-strip-title">'
        f'<title id="road-strip-title">{escape(says["map"])}</title>{ways}{dots}</svg>'
        f"<p>{escape(says['here'] + says['colon'])}<strong>{escape(name)}</strong> "
        f'<a href="{escape(road)}">{escape(says["all"])}</a></p></nav>\n'
    )


def _through(line: Sequence[str]) -> str:
    return "M" + "L".join(f"{STRIP[key][0]:g} {STRIP[key][1]:g}" for key in line)


def _dot(key: str, place: Place, current: bool) -> str:
    x, y = STRIP[key]
    now = ' aria-current="page"' if current else ""
    name = escape(f"{key} {place.title}")
    return (
        f'<a class="stop {STOPS[key].area}" href="{escape(place.href)}" aria-label="{name}"{now}>'
        f'<title>{name}</title><circle cx="{x:g}" cy="{y:g}" r="10"/>'
        f'<text x="{x:g}" y="{y + 3.8:g}">{key}</text></a>'
    )
