"""The alluvial figure: how users flow from cluster to cluster, window by window.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from recsys_interest.checks import check_count, check_frame, shown
from recsys_interest.cluster_history import LEDGER
from recsys_interest.figure_style import CLUSTER_COLOURS, INK, PALE, PAPER, current_axes
from recsys_interest.plots import available_fonts, drawable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["plot_alluvial"]

NOISE = -1
#: Where eight colours are used up, the next round is told apart by a pattern.
_HATCHES = ("", "////", "....", "xxxx", "\\\\\\\\", "oo")
_MARKERS = {"birth": "o", "split": "<", "merge": ">", "death": "X"}
_BAR = 0.09  # half the width of a bar, in windows
_GAP = 0.012  # between two bars of a window, of all users


def plot_alluvial(
    paths: pd.DataFrame,
    *,
    names: Mapping[int, str] | pd.Series | None = None,
    ledger: pd.DataFrame | None = None,
    least_flow: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Draw the clusters of every window as bars, and the users who are in two of them as bands.

    Parameters
    ----------
    paths : DataFrame, shape (n_users, n_windows)
        The cluster of every user in every window, as `DynamicClusterer.paths_`: missing where the
        user was not there, negative for noise, which is grey.
    names : mapping of int to str, optional
        What to write beside the first bar of a cluster; its id by default.
    ledger : DataFrame, optional
        `DynamicClusterer.ledger_`: marks births, splits, merges and deaths, and lets a cluster
        stand next to the one it was split from.
    least_flow : int, default 1
        Bands of fewer users are left out.
    ax : Axes, optional
        Where to draw; the current axes by default.

    Returns
    -------
    Axes
        With one bar for each cluster and window. A bar is as high as the cluster has users; a
        cluster has one colour and pattern in all windows.

    Raises
    ------
    TypeError
        If `paths` is no DataFrame.
    ValueError
        If there is no window, or nobody is in one.

    Notes
    -----
    Chapter 14, "Dynamic interests". Alluvial diagrams: Rosvall and Bergstrom (2010),
    doi:10.1371/journal.pone.0008694.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> paths = pd.DataFrame({2025: [0, 0, 1], 2026: [0, 1, 1]}, index=["ann", "bob", "cem"])
    >>> ax = plot_alluvial(paths, ax=Figure().subplots())
    >>> len(ax.patches), len(ax.collections)
    (4, 3)
    """
    table = _checked(paths)
    check_count(least_flow, "least_flow")
    if ledger is not None:
        ledger = check_frame(ledger, "ledger", LEDGER[:4])
    names = {} if names is None else pd.Series(names).to_dict()
    ax = ax or current_axes()
    order = _order(table, ledger)
    bars = [_stack(table[window], order, len(table)) for window in table]
    for n in range(len(bars) - 1):
        _draw_flows(
            ax, n, table.iloc[:, n], table.iloc[:, n + 1], bars[n : n + 2], order, least_flow
        )
    for n, heights in enumerate(bars):
        for cluster, (low, high) in heights.items():
            ax.add_patch(_bar(n, low, high, cluster, order))
    if ledger is not None:
        _mark(ax, ledger, [*table.columns], bars)
    _write_names(ax, bars, names)
    _frame(ax, [*table.columns], bars)
    return ax


def _checked(paths: object) -> pd.DataFrame:
    if not isinstance(paths, pd.DataFrame):
        raise TypeError(
            f"paths must be a DataFrame of users and windows, got {type(paths).__name__}"
        )
    if not paths.columns.is_unique:
        twice = shown(paths.columns[paths.columns.duplicated()].tolist())
        raise ValueError(f"paths has the window(s) {twice} more than once; keep one column each")
    try:
        table = paths.astype("Int64")
    except (TypeError, ValueError) as error:
        raise TypeError(f"paths must hold cluster numbers: {error}") from None
    if table.shape[1] == 0 or table.isna().all(axis=None):
        raise ValueError("paths has nobody in any window; there is nothing to draw")
    return table.mask((table < 0).fillna(False), NOISE)  # missing stays missing


def _order(table: pd.DataFrame, ledger: pd.DataFrame | None) -> list[int]:
    """Return the clusters from bottom to top: by id, those split off on top of their parent."""
    ids = sorted({int(c) for c in pd.unique(table.to_numpy().ravel()) if not pd.isna(c)} - {NOISE})
    order = [NOISE]
    parents = {}
    if ledger is not None:
        split = ledger[ledger["event"] == "split"].dropna(subset="related")
        parents = dict(zip(split["cluster"], split["related"], strict=True))
    for cluster in ids:
        parent = parents.get(cluster)
        place = order.index(parent) + 1 if parent in order else len(order)
        order.insert(place, cluster)
    return order


def _stack(path: pd.Series, order: list[int], n_users: int) -> dict[int, tuple[float, float]]:
    """Return where the bar of each cluster begins and ends."""
    sizes = path.dropna().astype(int).value_counts()
    low, out = 0.0, {}
    for cluster in order:
        if size := int(sizes.get(cluster, 0)):
            out[cluster] = (low, low + size)
            low += size + _GAP * n_users
    return out


def _draw_flows(
    ax: Axes,
    n: int,
    left: pd.Series,
    right: pd.Series,
    bars: list[dict[int, tuple[float, float]]],
    order: list[int],
    least: int,
) -> None:
    there = left.notna() & right.notna()
    counts = pd.crosstab(left[there].astype(int), right[there].astype(int))
    leaving = {c: bar[0] for c, bar in bars[0].items()}
    coming = {c: bar[0] for c, bar in bars[1].items()}
    x = np.linspace(0.0, 1.0, 40)
    bend = x * x * (3 - 2 * x)
    for a in [c for c in order if c in counts.index]:
        for b in [c for c in order if c in counts.columns]:
            size = int(counts.loc[a, b])
            if size:
                low = leaving[a] + (coming[b] - leaving[a]) * bend
                if size >= least:
                    at = n + _BAR + x * (1 - 2 * _BAR)
                    colour, _ = _look(a, order)
                    ax.fill_between(at, low, low + size, color=colour, alpha=0.45, linewidth=0)
                leaving[a] += size
                coming[b] += size


def _look(cluster: int, order: list[int]) -> tuple[str, str]:
    if cluster == NOISE:
        return PALE, ""
    place = sorted(order).index(cluster) - 1  # noise is the first
    size = len(CLUSTER_COLOURS)
    return CLUSTER_COLOURS[place % size], _HATCHES[place // size % len(_HATCHES)]


def _bar(n: int, low: float, high: float, cluster: int, order: list[int]) -> Any:
    from matplotlib.patches import Rectangle

    colour, hatch = _look(cluster, order)
    return Rectangle(
        (n - _BAR, low), 2 * _BAR, high - low, facecolor=colour, hatch=hatch, edgecolor=PAPER,
        linewidth=0.4, zorder=3,
    )  # fmt: skip


def _mark(
    ax: Axes, ledger: pd.DataFrame, windows: list[Any], bars: list[dict[int, tuple[float, float]]]
) -> None:
    """Mark a beginning at the left edge of its first bar, an end at the right edge of its last."""
    drawn = set()
    for window, event, cluster in zip(
        ledger["window"], ledger["event"], ledger["cluster"], strict=True
    ):
        if event not in _MARKERS or window not in windows or window == windows[0]:
            continue
        ends = event in ("merge", "death")
        at = windows.index(window) - ends
        if cluster not in bars[at]:
            continue
        label = "_" if event in drawn else event
        drawn.add(event)
        y = sum(bars[at][cluster]) / 2
        x = at + (_BAR if ends else -_BAR)
        ax.plot(
            [x], [y], _MARKERS[event], color=PAPER, markeredgecolor=INK, markersize=6, zorder=5,
            linestyle="", label=label,
        )  # fmt: skip
    if drawn:
        ax.legend(
            loc="upper center",
            bbox_to_anchor=(0.5, -0.08),
            ncols=4,
            frameon=False,
            fontsize="small",
        )


def _write_names(
    ax: Axes, bars: list[dict[int, tuple[float, float]]], names: dict[Any, str]
) -> None:
    fonts = available_fonts()
    seen = {NOISE}
    for n, heights in enumerate(bars):
        for cluster, (low, high) in heights.items():
            if cluster in seen:
                continue
            seen.add(cluster)
            text = drawable(str(names.get(cluster, cluster)), fonts)
            ax.text(
                n - _BAR - 0.04, (low + high) / 2, text, ha="right", va="center",
                fontsize="x-small", color=INK, zorder=6, family=list(fonts), parse_math=False,
            )  # fmt: skip


def _frame(ax: Axes, windows: list[Any], bars: list[dict[int, tuple[float, float]]]) -> None:
    labels = [str(w.date()) if isinstance(w, pd.Timestamp) else str(w) for w in windows]
    ax.set_xticks(range(len(windows)), labels)
    ax.set_xlim(-0.9, len(windows) - 1 + 3 * _BAR)
    ax.set_ylim(0, max(high for heights in bars for _, high in heights.values()) * 1.01)
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    ax.tick_params(axis="x", length=0)
