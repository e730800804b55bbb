"""One look for every figure: colours, fonts, sizes, grid and resolution stand here only.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "AMBER",
    "BLUE",
    "CLUSTER_COLOURS",
    "GREEN",
    "GREY",
    "GRID",
    "INK",
    "ORANGE",
    "PALE",
    "PAPER",
    "PINK",
    "PURPLE",
    "SKY",
    "house_style",
    "use_house_style",
]

#: Six colours that people with any colour vision can tell apart (Okabe and Ito, 2008; without their
#: yellow, which vanishes on white, and their black), and a purple and a grey. A figure gives each
#: line a shape or a pattern as well, so that it can be read without colour.
CLUSTER_COLOURS = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#7A5195", "#5B5B5B",
)  # fmt: skip
#: Their names; the amber is Okabe and Ito's orange, the orange their vermilion.
BLUE, AMBER, GREEN, PINK, ORANGE, SKY, PURPLE, GREY = CLUSTER_COLOURS
#: What is written, and the bars of intervals.
INK = "#222222"
#: What stands in the background, such as noise.
PALE = "#BBBBBB"
#: Lines to read values by.
GRID = "#DDDDDD"
#: Figures are drawn on white and keep it on a dark page, as their colours were chosen for it.
PAPER = "#FFFFFF"


def _settings() -> Any:  # matplotlib's stubs ask for a dict of its 300 names
    from cycler import cycler

    return {
        "font.family": ["DejaVu Sans"],  # comes with matplotlib, so it is the same everywhere
        "font.size": 10.0,
        "axes.titlesize": "medium",
        "axes.labelsize": "medium",
        "xtick.labelsize": "medium",
        "ytick.labelsize": "medium",
        "legend.fontsize": "small",
        "legend.title_fontsize": "small",
        "legend.frameon": False,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "axes.prop_cycle": cycler(color=CLUSTER_COLOURS),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": False,
        "axes.axisbelow": True,
        "grid.color": GRID,
        "grid.linewidth": 0.8,
        "lines.linewidth": 1.5,
        "hatch.linewidth": 1.0,
        "image.cmap": "cividis",
        "figure.figsize": (7.0, 3.6),
        "figure.dpi": 100.0,
        "savefig.dpi": "figure",
        "figure.facecolor": PAPER,
        "axes.facecolor": PAPER,
        "savefig.facecolor": PAPER,
    }


def use_house_style() -> None:
    """Draw every figure from here on as the book does, whoever draws it.

    Sets matplotlib's ``rcParams``; ``matplotlib.rcdefaults()`` takes it back. The package's own
    figures have these colours in any case, and where they open a figure themselves, this style.

    Notes
    -----
    The colours are those of Okabe and Ito (2008), *Color Universal Design*.
    Chapter 00, "Quickstart".

    Examples
    --------
    >>> import matplotlib
    >>> with matplotlib.rc_context():  # for this example only
    ...     use_house_style()
    ...     matplotlib.rcParams["axes.spines.top"], matplotlib.rcParams["figure.dpi"]
    (False, 100.0)
    """
    from matplotlib import rcParams

    rcParams.update(_settings())


def house_style() -> AbstractContextManager[None]:
    """Return a context in which figures are opened and drawn as the book does."""
    from matplotlib import rc_context

    return rc_context(_settings())


def current_axes() -> Axes:
    """Return the axes that are current; if there are none, new ones as the book draws them."""
    import matplotlib.pyplot as plt

    with house_style():
        return plt.gca()
