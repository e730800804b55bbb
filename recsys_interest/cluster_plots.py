"""Figures about clusters: what every criterion says about their number.

Chapter: 09 (Gaussian mixtures), 10 (choosing and naming clusters).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recsys_interest.checks import check_count
from recsys_interest.cluster_count import ClusterCount
from recsys_interest.figure_style import BLUE, GRID, INK, ORANGE, house_style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_cluster_count"]

_PANELS = {
    "silhouette": ("silhouette", None, "Silhouette: the largest"),
    "gap": ("gap", "gap_error", "Gap: the first that the next does not beat"),
    "bic": ("bic", None, "BIC: the lowest"),
    "stability": ("stability", "stability_error", "Stability over samples: the largest"),
}


def plot_cluster_count(
    choice: ClusterCount, *, planted: int | None = None, axes: Any = None
) -> Any:
    """Draw every criterion over the number of clusters, with its choice.

    Parameters
    ----------
    choice : ClusterCount
        What `choose_k` returned.
    planted : int, optional
        The true number, where it is known; drawn as a dotted line.
    axes : array of Axes, optional
        Where to draw, one for each criterion that was computed (not the density method); a new
        figure of two columns by default.

    Returns
    -------
    ndarray of Axes
        The axes drawn on: silhouette, gap, BIC, stability. A bar is one standard error; the diamond
        is what the criterion chose, and the panel of the recommended one has its title in bold.

    Raises
    ------
    TypeError
        If `choice` is not a ClusterCount or `planted` not a whole number.
    ValueError
        If the number of axes is another one, or nothing but the density method was computed.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters".

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from recsys_interest.cluster_count import choose_k
    >>> rng = np.random.default_rng(0)
    >>> rows = np.repeat(np.eye(4)[:3], 20, axis=0) + rng.normal(0, 0.1, (60, 4))
    >>> choice = choose_k(rows, range(1, 6))
    >>> axes = plot_cluster_count(choice, axes=Figure().subplots(2, 2))
    >>> axes[0].get_title()
    'Silhouette: the largest (3)'
    """
    if not isinstance(choice, ClusterCount):
        kind = type(choice).__name__
        raise TypeError(f"choice must be what choose_k returned, a ClusterCount, got {kind}")
    if planted is not None:
        check_count(planted, "planted")
    drawn = {name: how for name, how in _PANELS.items() if name in choice.table}
    panels = np.ravel(_new_axes(len(drawn)) if axes is None else axes)
    if not drawn or len(panels) != len(drawn):
        raise ValueError(f"axes must be {len(drawn)}, one for each criterion, got {len(panels)}")
    for ax, (criterion, (column, error, title)) in zip(panels, drawn.items(), strict=True):
        k = choice.chosen.loc[criterion, "k"]
        _draw(ax, choice.table, column, error, None if pd.isna(k) else int(k))
        if planted is not None:
            ax.axvline(planted, color=INK, linestyle=":", linewidth=1.2, zorder=1)
        weight = "bold" if criterion == choice.rule else "normal"
        ax.set_title(
            f"{title} ({'none' if pd.isna(k) else k})", fontsize="medium", fontweight=weight
        )
    for ax in panels[-2:]:
        ax.set_xlabel("number of clusters k")
    return panels


def _new_axes(number: int) -> Any:
    import matplotlib.pyplot as plt

    with house_style():
        if number < 2:
            return plt.subplots(number or 1, figsize=(6, 3.4), layout="constrained")[1]
        rows = (number + 1) // 2
        size = (9, 2.8 * rows)
        figure, axes = plt.subplots(rows, 2, figsize=size, sharex=True, layout="constrained")
    for ax in np.ravel(axes)[number:]:
        figure.delaxes(ax)
    return np.ravel(axes)[:number]


def _draw(ax: Axes, table: pd.DataFrame, column: str, error: str | None, k: int | None) -> None:
    there = table[table[column].notna()]
    spread = None if error is None else there[error].fillna(0.0)
    ax.errorbar(
        there.index, there[column], yerr=spread, color=BLUE, marker="o", markersize=3,
        linewidth=1.2, elinewidth=0.8,
    )  # fmt: skip
    if k is not None:
        value = table.loc[k, column]
        if not pd.isna(value):
            ax.plot([k], [value], "D", color=ORANGE, markersize=8, zorder=3)
    ax.locator_params(axis="x", integer=True)
    ax.grid(color=GRID, linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
