"""One house style: readable by people with any colour vision, and no figure goes past it."""

from __future__ import annotations

import ast
import base64
import io
import re
from itertools import combinations
from pathlib import Path

import matplotlib
import matplotlib.colors
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
from IPython.core.inputtransformer2 import TransformerManager
from PIL import Image

import recsys_interest as ri
from recsys_interest import figure_style
from recsys_interest.figure_style import (
    CLUSTER_COLOURS,
    GREY,
    GRID,
    INK,
    PAPER,
    current_axes,
    house_style,
    use_house_style,
)

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "notebooks").glob("[01]*.ipynb"))
PACKAGE = ROOT / "recsys_interest"
DRAWING = [*sorted(PACKAGE.glob("*plots.py")), PACKAGE / "report.py"]
WIDEST = 9.0  # inches: wider figures are made smaller on the page, and their letters with them


@pytest.fixture(autouse=True)
def settings():
    """Leave matplotlib as it was."""
    with matplotlib.rc_context():
        yield
    plt.close("all")


# Colours


def linear(colour: str) -> np.ndarray:
    v = np.array(matplotlib.colors.to_rgb(colour))
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    low, high = sorted(linear(c) @ (0.2126, 0.7152, 0.0722) for c in (one, other))
    return (high + 0.05) / (low + 0.05)


# Linear RGB as seen without the cones for long, middle or short waves, whole deficiency.
# Machado, Oliveira and Fernandes (2009), doi:10.1109/TVCG.2009.113.
_SEEN = {
    "all cones": "1 0 0  0 1 0  0 0 1",
    "no long": ".152286 1.052583 -.204868  .114503 .786281 .099216  -.003882 -.048116 1.051998",
    "no middle": ".367322 .860646 -.227968  .280085 .672501 .047413  -.011820 .042940 .968881",
    "no short": "1.255528 -.076749 -.178779  -.078411 .930809 .147602  .004733 .691367 .303900",
}
SEEN = {kind: np.array(row.split(), dtype=float).reshape(3, 3) for kind, row in _SEEN.items()}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def lab(rgb: np.ndarray) -> np.ndarray:
    """Return CIE L*a*b*, in which a distance of 2.3 can just be seen."""
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / (TO_XYZ @ np.ones(3))
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def nearest(colours: tuple[str, ...], kind: str) -> float:
    seen = [lab(SEEN[kind] @ linear(colour)) for colour in colours]
    return min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2))


@pytest.mark.parametrize("kind", SEEN)
def test_the_colours_differ_for_people_with_any_colour_vision(kind):
    assert nearest(CLUSTER_COLOURS[:6], kind) > 10
    assert nearest(CLUSTER_COLOURS, kind) > 5


def test_the_usual_ten_colours_of_matplotlib_would_not_pass():
    usual = tuple(matplotlib.rcParamsDefault["axes.prop_cycle"].by_key()["color"])
    assert min(nearest(usual[:6], kind) for kind in SEEN) < 10


def test_what_is_written_stands_out_and_lines_can_be_seen():
    assert contrast(INK, PAPER) >= 7
    assert contrast(GREY, PAPER) >= 4.5
    assert contrast(GRID, PAPER) < 1.5, "lines to read by must not compete with the data"
    # The amber and the sky blue are below the 3 of the others; they always have a shape as well.
    assert sum(contrast(colour, PAPER) >= 3 for colour in CLUSTER_COLOURS) == 6


# The settings


def test_the_style_is_in_force_after_the_call_and_not_before():
    assert matplotlib.rcParams["axes.spines.top"]
    use_house_style()
    ours = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    assert tuple(ours) == CLUSTER_COLOURS
    assert not matplotlib.rcParams["axes.spines.top"]
    assert matplotlib.rcParams["figure.dpi"] == 100
    assert matplotlib.rcParams["savefig.facecolor"] == PAPER


def test_the_context_leaves_no_trace():
    before = dict(matplotlib.rcParams)
    with house_style():
        assert matplotlib.rcParams["legend.frameon"] is False
    assert dict(matplotlib.rcParams) == before


def test_functions_that_open_a_figure_open_it_in_the_style():
    table = pd.DataFrame({"mean": [1.0], "ci_low": [0.5], "ci_high": [1.5]}, index=["one"])
    ax = ri.plot_intervals(table)
    assert ax.figure.get_dpi() == 100
    assert not ax.spines["top"].get_visible()
    assert matplotlib.colors.to_hex(ax.xaxis.label.get_color()) == INK
    assert matplotlib.rcParams["axes.spines.top"], "the reader's own settings are left alone"


def test_a_figure_that_is_open_is_drawn_on():
    _, mine = plt.subplots()
    assert current_axes() is mine


def test_every_function_that_draws_takes_its_colours_from_the_style():
    use_house_style()
    rng = np.random.default_rng(0)
    users = pd.DataFrame(rng.normal(size=(12, 3)))
    labels = pd.Series(np.arange(12) % 3)
    ax = ri.plot_interest_map(users, labels, ax=plt.figure().subplots())
    ours = {*CLUSTER_COLOURS, INK.upper(), PAPER}
    drawn = {matplotlib.colors.to_hex(c).upper() for s in ax.collections for c in s.get_facecolor()}
    assert drawn == {colour.upper() for colour in CLUSTER_COLOURS[:3]}
    paths = pd.DataFrame({1: [0, 0, 1], 2: [0, 1, 1]})
    ax = ri.plot_alluvial(paths, ax=plt.figure().subplots())
    assert {matplotlib.colors.to_hex(p.get_facecolor()).upper() for p in ax.patches} <= ours


# Nobody goes past it

_HEX = re.compile(r"#(?:[0-9A-Fa-f]{3}){1,2}")
#: Where a colour is given, and what may be given there besides a name from the style.
_COLOURS = {"color", "c", "facecolor", "edgecolor", "ecolor", "edgecolors", "colors", "foreground"}
_PLAIN = {"white", "none"}
_MAPS = {"Blues", "Greys", "cividis"}  # one hue, or made for any colour vision
_SIZES = {"fontsize", "title_fontsize", "labelsize", "leaf_font_size"}
_FIXED = {"dpi", "frameon", "fontfamily", "fontname"}


def past_the_style(code: str) -> list[str]:
    """Return what a piece of code sets that the style sets."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += [f"colour {node.value}"] if _HEX.fullmatch(node.value) else []
        if isinstance(node, ast.Attribute) and node.attr in {"rcParams", "rc_context", "rc"}:
            found.append(node.attr)
        if not isinstance(node, ast.Call):
            continue
        for word in node.keywords:
            value = word.value
            plain = value.value if isinstance(value, ast.Constant) else None
            if word.arg in _COLOURS and isinstance(plain, str) and plain not in _PLAIN:
                found.append(f"{word.arg}={plain}")
            if word.arg in _SIZES and isinstance(plain, (int, float)):
                found.append(f"{word.arg}={plain}")
            if word.arg in _FIXED:
                found.append(word.arg)
            if word.arg == "cmap" and plain not in _MAPS:
                found.append(f"cmap={plain}")
            if word.arg == "figsize" and isinstance(value, ast.Tuple):
                width = ast.literal_eval(value.elts[0])
                found += [f"figsize of {width}"] if width > WIDEST else []
    return found


@pytest.mark.parametrize(
    "code",
    [
        *("ax.plot(x, color='#FF0000')", "ax.plot(x, color='tab:orange')", "ax.plot(x, c='k')"),
        *("ax.text(0, 0, 'a', fontsize=9)", "ax.legend(frameon=True)", "COLOURS = ['#0072B2']"),
        *("plt.rcParams['font.size'] = 9", "plt.subplots(dpi=90)", "ax.imshow(x, cmap='jet')"),
        *("plt.subplots(figsize=(12, 3))", "ax.plot(x, color='0.6')"),
    ],
)
def test_what_goes_past_the_style_would_be_found(code):
    assert past_the_style(code)


def test_what_keeps_to_the_style_passes():
    code = "ax.plot(x, color=BLUE, lw=2); ax.text(0, 0, '#1', fontsize='small', color='white')"
    assert not past_the_style(code)


def code_of(chapter: Path) -> list[str]:
    cells = nbformat.read(chapter, as_version=4).cells
    plain = TransformerManager().transform_cell
    return [plain(cell.source) for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_chapters_draw_in_the_house_style(chapter):
    cells = code_of(chapter)
    first = next(n for n, code in enumerate(cells) if "matplotlib" in code)
    assert "ri.use_house_style()" in cells[first].splitlines(), "before the first figure"
    assert not [found for code in cells if (found := past_the_style(code))]


@pytest.mark.parametrize("module", DRAWING, ids=lambda path: path.stem)
def test_the_package_draws_in_the_house_style(module):
    # Axes may come from elsewhere, so a legend says itself that it has no frame; fonts are read.
    said = {"frameon", "rcParams"}
    assert not {*past_the_style(module.read_text(encoding="utf-8"))} - said


def test_there_are_figures_to_look_at():
    assert len(CHAPTERS) >= 15
    assert len(DRAWING) == 4
    assert set(figure_style.__all__) > {"CLUSTER_COLOURS", "use_house_style"}


# On a dark page


def stored_figures(chapter: Path) -> list[Image.Image]:
    cells = nbformat.read(chapter, as_version=4).cells
    data = [o.data for c in cells if c.cell_type == "code" for o in c.outputs if "data" in o]
    # What a chapter keeps for its text has a longer name.
    pictures = [d[kind] for d in data for kind in d if kind.endswith("image/png")]
    return [Image.open(io.BytesIO(base64.b64decode(picture))) for picture in pictures]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_stored_figures_bring_their_own_paper(chapter):
    # A figure without a ground would have dark letters on the dark page.
    figures = stored_figures(chapter)
    for figure in figures:
        assert "transparency" not in figure.info
        width, height = figure.size
        corners = [(0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1)]
        plain = figure.convert("RGBA")
        assert {plain.getpixel(corner) for corner in corners} == {(255, 255, 255, 255)}
    assert figures
