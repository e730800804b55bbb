"""The book's figures, for anyone's data: frames in, matplotlib axes out.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from recsys_interest.checks import shown, valid_text
from recsys_interest.figure_style import (
    BLUE,
    CLUSTER_COLOURS,
    GREY,
    GRID,
    INK,
    ORANGE,
    PALE,
    PAPER,
    current_axes,
)
from recsys_interest.vectors import check_vectors, unit_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.ft2font import FT2Font
    from matplotlib.text import Text

__all__ = [
    "available_fonts",
    "drawable",
    "map_positions",
    "plot_interest_map",
    "plot_intervals",
    "plot_k_distances",
]

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
#: Fonts with Chinese, Japanese and Korean, of which most systems have one.
_WIDE_FONTS = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei",
    "Microsoft YaHei", "PingFang SC", "Hiragino Sans GB", "Arial Unicode MS",
)  # fmt: skip


def map_positions(vectors: pd.DataFrame, *, random_state: int = 0) -> pd.DataFrame:
    """Return a place on a plane for every vector, neighbours near each other.

    t-SNE on the distances of the unit vectors, reduced to at most 50 principal components. Below
    eight rows, where t-SNE means nothing, the first two principal components.

    Parameters
    ----------
    vectors : DataFrame, shape (n, n_features)
        One row per user or item, finite, indexed by id.
    random_state : int, default 0
        Seed.

    Returns
    -------
    DataFrame, shape (n, 2)
        Columns `x` and `y`, same index. Only neighbourhoods mean something, not the axes.

    Raises
    ------
    TypeError
        If `vectors` is not a DataFrame.
    ValueError
        If a value is not a finite number, or an id is there twice.

    Notes
    -----
    van der Maaten and Hinton (2008). Chapter 00, "Quickstart".

    Examples
    --------
    >>> import pandas as pd
    >>> map_positions(pd.DataFrame({"a": [1.0, 0.0], "b": [0.0, 1.0]})).shape
    (2, 2)
    """
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    check_vectors(vectors, "vectors")
    unit = unit_rows(vectors.to_numpy(dtype=np.float64))
    places = np.zeros((len(unit), 2))
    n_components = min(50, *unit.shape)
    if len(unit) >= 2 and np.ptp(unit, axis=0).any():
        reduced = PCA(n_components, random_state=random_state).fit_transform(unit)
        places[:, : min(2, n_components)] = reduced[:, :2]
        if len(unit) >= 8 and n_components >= 2:
            perplexity = min(30.0, (len(unit) - 1) / 3)
            # Half the usual number of steps: the islands stand by then, the rest is polish.
            tsne = TSNE(perplexity=perplexity, init="pca", max_iter=500, random_state=random_state)
            # Its thousand small steps wait for the slowest thread each: on a busy machine one
            # thread is several times faster than two, and the map never depends on the number.
            with threadpool_limits(1, user_api="openmp"):
                places = tsne.fit_transform(reduced)
    return pd.DataFrame(places, index=vectors.index, columns=["x", "y"])


def plot_interest_map(
    vectors: pd.DataFrame,
    labels: pd.Series,
    *,
    tiers: pd.Series | None = None,
    names: Mapping[int, str] | pd.Series | None = None,
    ax: Axes | None = None,
    random_state: int = 0,
) -> Axes:
    """Draw the users as a map: colour is the interest cluster, size the interest tier.

    Parameters
    ----------
    vectors : DataFrame, shape (n_users, n_features)
        Profiles, indexed by user id.
    labels : Series of int
        Cluster of each user, same ids; −1 is drawn as small light dots. Neighbouring numbers differ
        in colour and in shape, so the map can be read without colour.
    tiers : Series of int, optional
        Tier of each user; the deeper, the larger the mark.
    names : mapping of int to str, or Series, optional
        What to write on each cluster; its number by default. A character that no installed font has
        is drawn as an empty box.
    ax : Axes, optional
        Where to draw; the current axes by default.
    random_state : int, default 0
        Seed of the layout.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If `vectors` is not finite, a user of `vectors` has no label, or a label or tier is not a
        whole number.

    Notes
    -----
    Chapter 00, "Quickstart".

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> users = pd.DataFrame({"a": [1.0, 0.0], "b": [0.0, 1.0]}, index=["ann", "bob"])
    >>> ax = plot_interest_map(users, pd.Series([0, 1], index=["ann", "bob"]),
    ...                        names={0: "tents", 1: "novels"}, ax=Figure().subplots())
    >>> [text.get_text() for text in ax.texts]
    ['tents', 'novels']
    """
    places = map_positions(vectors, random_state=random_state)
    labels = _labels_of(labels, vectors.index)
    tiers = None if tiers is None else _tiers_of(tiers, vectors.index)
    written_names = _as_names(names)
    ax = ax or current_axes()
    size = _sizes(tiers, vectors.index)
    for label in sorted(labels.unique(), reverse=True):  # noise last, so that it gets no colour
        mine = (labels == label).to_numpy()
        ax.scatter(
            places.loc[mine, "x"],
            places.loc[mine, "y"],
            s=size[mine],
            c=PALE if label < 0 else CLUSTER_COLOURS[label % len(CLUSTER_COLOURS)],
            marker="." if label < 0 else _MARKERS[label % len(_MARKERS)],
            alpha=0.75,
            linewidths=0.3,
            edgecolors=PAPER,
        )
    ax.set(xticks=[], yticks=[])
    ax.spines[:].set_visible(False)
    written = [
        _write_name(ax, places[(labels == label).to_numpy()], written_names.get(label, str(label)))
        for label in sorted(v for v in labels.unique() if v >= 0)
    ]
    _move_apart(ax, written)
    if tiers is not None:
        _write_legend(ax, tiers)
    return ax


def plot_intervals(table: pd.DataFrame, *, label: str = "", ax: Axes | None = None) -> Axes:
    """Draw one measured value per row with its interval, the largest on top.

    Parameters
    ----------
    table : DataFrame
        Indexed by the name of a method; columns `mean`, `ci_low`, `ci_high`.
    label : str, default ""
        Name and unit of the value, for the axis.
    ax : Axes, optional
        Where to draw; the current axes by default.

    Returns
    -------
    Axes
        The axes drawn on.

    Examples
    --------
    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> table = pd.DataFrame({"mean": [0.2, 0.1], "ci_low": [0.1, 0.05], "ci_high": [0.3, 0.2]},
    ...                      index=["popular", "cosine"])
    >>> ax = plot_intervals(table, label="NDCG@10", ax=Figure().subplots())
    >>> [tick.get_text() for tick in ax.get_yticklabels()]
    ['cosine', 'popular']
    """
    ax = ax or current_axes()
    rows = table.sort_values("mean", kind="stable")
    spread = np.abs(rows[["ci_low", "ci_high"]].to_numpy().T - rows["mean"].to_numpy())
    ax.errorbar(
        rows["mean"], range(len(rows)), xerr=spread, fmt="o", color=BLUE,
        ecolor=INK, capsize=4, markersize=8, elinewidth=1.2,
    )  # fmt: skip
    fonts = available_fonts()
    ticks = [drawable(str(name), fonts) for name in rows.index]
    ax.set_yticks(range(len(rows)), ticks, family=list(fonts), parse_math=False)
    ax.set_xlim(left=0)
    ax.set_ylim(-0.6, len(rows) - 0.4)
    ax.set_xlabel(label)
    ax.grid(axis="x", color=GRID)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    return ax


def plot_k_distances(
    distances: ArrayLike, eps: float | None = None, *, ax: Axes | None = None
) -> Axes:
    """Draw the k-distance curve and, at a radius `eps`, the share of core points it makes.

    Parameters
    ----------
    distances : array of shape (n,)
        Ascending, from `k_distances`.
    eps : float, optional
        The radius to mark, for example `knee_eps`.
    ax : Axes, optional
        Where to draw; the current axes by default.

    Returns
    -------
    Axes
        The axes drawn on.

    Raises
    ------
    ValueError
        If the distances do not ascend.

    Notes
    -----
    Chapter 08, "Hierarchical and density clustering".

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = plot_k_distances([1.0, 1.0, 2.0, 9.0], 2.0, ax=Figure().subplots())
    >>> ax.texts[0].get_text()
    'eps = 2: 75% core points'
    """
    curve = np.asarray(distances, dtype=np.float64)
    if curve.ndim != 1 or not len(curve) or np.isnan(curve).any() or (np.diff(curve) < 0).any():
        raise ValueError("distances must be ascending, from k_distances")
    ax = ax or current_axes()
    ax.plot(np.arange(1, len(curve) + 1) / len(curve), curve, color=BLUE)
    if eps is not None:
        ax.axhline(eps, color=ORANGE, linestyle="--", linewidth=1.2)
        says = f"eps = {eps:.3g}: {(curve <= eps).mean():.0%} core points"
        ax.annotate(says, (0, eps), (4, 4), textcoords="offset points", color=INK)
    ax.set(xlabel="share of the points", ylabel="distance to the k-th nearest", xlim=(0, 1))
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _sizes(tiers: pd.Series | None, users: pd.Index) -> np.ndarray:
    if tiers is None:
        return np.full(len(users), 26.0)
    return _size_of(tiers.fillna(0).to_numpy(dtype=float))


def _labels_of(labels: pd.Series, users: pd.Index) -> pd.Series:
    whole = _whole(labels, "labels", users)
    lost = users.difference(labels.index, sort=False)
    if len(lost):
        raise ValueError(f"labels lacks the users {shown(lost)}; give each user of vectors one")
    empty = users[whole.isna()]
    if len(empty):
        raise ValueError(f"labels is missing for the users {shown(empty)}; use -1 for no cluster")
    return whole.astype(np.int64)


def _tiers_of(tiers: pd.Series, users: pd.Index) -> pd.Series:
    whole = _whole(tiers, "tiers", users)
    if (whole < 0).any():
        below = whole[whole < 0].tolist()
        raise ValueError(f"tiers must not be negative, it holds {shown(below)}; count from 0 on")
    return whole


def _as_names(names: object) -> dict[int, str]:
    if names is None:
        return {}
    if not isinstance(names, (Mapping, pd.Series)):
        kind = type(names).__name__
        raise TypeError(f"names must be a mapping or Series of cluster to name, got {kind}")
    return {label: str(name) for label, name in names.items() if not pd.isna(name)}


def _whole(numbers: pd.Series, name: str, users: pd.Index) -> pd.Series:
    """Return the whole number of each user as float64, NaN for those without one."""
    if not isinstance(numbers, pd.Series):
        kind = type(numbers).__name__
        raise TypeError(f"{name} must be a Series indexed by user id, got {kind}")
    if numbers.index.has_duplicates:
        twice = shown(numbers.index[numbers.index.duplicated()])
        raise ValueError(f"{name} has the users {twice} more than once; keep one each")
    mine = numbers.reindex(users).astype(object)
    there = mine[mine.notna()]
    odd = [v for v in there if isinstance(v, bool) or not isinstance(v, Real)]
    if odd:
        raise TypeError(f"{name} must be whole numbers, it holds {shown(odd)}")
    values = there.astype(float)
    fractions = values[~np.isfinite(values) | (values != np.round(values))]
    if len(fractions):
        raise ValueError(f"{name} must be whole numbers, it holds {shown(fractions.tolist())}")
    return values.reindex(users)


def _size_of(tier: np.ndarray) -> np.ndarray:
    return 14.0 * (1.0 + tier) ** 1.6


def _write_legend(ax: Axes, tiers: pd.Series) -> None:
    levels = np.sort(tiers.dropna().unique())
    marks = [ax.scatter([], [], s=float(_size_of(level)), c=GREY, linewidths=0) for level in levels]
    ax.legend(
        marks, [f"tier {level:g}" for level in levels], loc="lower left", frameon=False,
        fontsize="small", handletextpad=0.3,
    )  # fmt: skip


def available_fonts() -> dict[str, FT2Font]:
    """Return the fonts to write with, by name: the user's own, then those with more characters."""
    from matplotlib import font_manager, rcParams

    installed = {font.name for font in font_manager.fontManager.ttflist}
    families = [*rcParams["font.family"], *(f for f in _WIDE_FONTS if f in installed)]
    paths = {f: font_manager.findfont(font_manager.FontProperties(family=[f])) for f in families}
    return {family: font_manager.get_font(path) for family, path in paths.items()}


def drawable(name: str, fonts: Mapping[str, FT2Font]) -> str:
    """Return the name on one line, with a box for what no font has: matplotlib would warn."""
    line = " ".join(valid_text(name).split())
    has = {c: any(font.get_char_index(ord(c)) for font in fonts.values()) for c in set(line)}
    return "".join(c if has[c] else "□" for c in line)


def _write_name(ax: Axes, places: pd.DataFrame, name: str) -> Text:
    from matplotlib.patheffects import withStroke

    x, y = _middle(places)
    fonts = available_fonts()
    halo = [withStroke(linewidth=3, foreground=PAPER)]
    return ax.text(x, y, drawable(name, fonts), ha="center", va="center", fontsize="medium",
                   fontweight="bold", color=INK, path_effects=halo, family=list(fonts),
                   parse_math=False)  # fmt: skip


def _move_apart(ax: Axes, texts: list[Text]) -> None:
    """Shift names that overlap up and down until they do not, or for fifty rounds."""
    for _ in range(50):
        boxes = [text.get_window_extent() for text in texts]
        pairs = [(a, b) for a in range(len(texts)) for b in range(a) if boxes[a].overlaps(boxes[b])]
        if not pairs:
            return
        for a, b in pairs:
            lower, upper = sorted((a, b), key=lambda i: (boxes[i].y0, i))
            overlap = (boxes[lower].y1 - boxes[upper].y0) / 2 + 1
            for i, step in ((lower, -overlap), (upper, overlap)):
                x, y = ax.transData.transform(texts[i].get_position())
                moved = ax.transData.inverted().transform((x, y + step))
                texts[i].set_position((float(moved[0]), float(moved[1])))


def _middle(places: pd.DataFrame) -> tuple[float, float]:
    # The member nearest to the median: a point between two islands would name neither.
    away = (places - places.median()).pow(2).sum(axis=1).to_numpy()
    nearest = places.iloc[int(away.argmin())]
    return float(nearest["x"]), float(nearest["y"])
