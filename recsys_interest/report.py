"""Write one self-contained HTML page about a run.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any

import pandas as pd

from recsys_interest.cleaning import CleanLog
from recsys_interest.figure_style import house_style
from recsys_interest.files import written_whole
from recsys_interest.plots import plot_interest_map
from recsys_interest.schema import validate_items

__all__ = ["write_report"]

_MAP_USERS = 3000  # t-SNE takes about ten seconds for so many
_ITEMS_PER_CARD = 4


def write_report(
    path: str | os.PathLike[str],
    *,
    log: CleanLog,
    items: pd.DataFrame,
    profiles: pd.DataFrame,
    tiers: pd.DataFrame,
    clusters: pd.DataFrame,
    cluster_names: pd.Series,
    recommendations: pd.DataFrame,
    title: str = "User interests",
    n_users_shown: int = 5,
) -> Path:
    """Write the report: cleaning, interest map, tiers, clusters and lists on one page.

    The page holds everything it needs, asks no other host for anything, and shows every text of the
    data as text, whatever mark-up it contains.

    Parameters
    ----------
    path : path
        The .html file to write. It appears whole or not at all.
    log : CleanLog
        From `clean_events`.
    items : DataFrame
        The items, for their titles.
    profiles : DataFrame, shape (n_users, n_features)
        User vectors; at most 3,000 of them, evenly picked, are drawn.
    tiers : DataFrame
        Indexed by user id; column `tier`.
    clusters : DataFrame
        Indexed by user id; column `cluster`, −1 for none.
    cluster_names : Series of str
        Indexed by cluster.
    recommendations : DataFrame
        From `recommend`.
    title : str, default "User interests"
        Heading of the page.
    n_users_shown : int, default 5
        How many users' lists to print.

    Returns
    -------
    Path
        The file.

    Notes
    -----
    Chapter 00, "Quickstart". Most often called through `InterestPipeline.write_report`.

    Examples
    --------
    >>> write_report("report.html", log=log, items=items, profiles=profiles, tiers=tiers,
    ...              clusters=clusters, cluster_names=names,
    ...              recommendations=lists)  # doctest: +SKIP
    """
    from jinja2 import Environment, PackageLoader

    from recsys_interest import __version__

    titles = _titles(items)
    environment = Environment(loader=PackageLoader("recsys_interest", "."), autoescape=True)
    page = environment.get_template("report.jinja").render(
        title=title,
        version=__version__,
        figures=_figures(log, items, cluster_names),
        cleaning=[{"step": step, **row} for step, row in log.report.to_dict("index").items()],
        map_png=_map(profiles, tiers, clusters, cluster_names),
        n_mapped=min(len(profiles), _MAP_USERS),
        tiers=tiers["tier"].value_counts().sort_index().items(),
        cards=_cards(log.events, clusters, cluster_names, titles),
        lists=_lists(recommendations, titles, n_users_shown),
        shown_users=min(n_users_shown, recommendations["user_id"].nunique()),
    )
    path = Path(path)
    with written_whole(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def _titles(items: pd.DataFrame) -> pd.Series:
    table = validate_items(items).set_index("item_id")
    named = table["title"].str.strip() != ""
    return table["title"].where(named, table.index.astype(str))


def _figures(log: CleanLog, items: pd.DataFrame, cluster_names: pd.Series) -> list[tuple[str, str]]:
    return [
        ("events", f"{len(log.events):,}"),
        ("users", f"{log.events['user_id'].nunique():,}"),
        ("items", f"{len(items):,}"),
        ("clusters", f"{len(cluster_names):,}"),
        ("rows rejected", f"{len(log.rejected):,}"),
    ]


def _map(
    profiles: pd.DataFrame, tiers: pd.DataFrame, clusters: pd.DataFrame, names: pd.Series
) -> str:
    if profiles.empty:
        return ""
    from matplotlib.figure import Figure

    step = -(-len(profiles) // _MAP_USERS)
    buffer = io.BytesIO()
    with house_style():
        figure = Figure(figsize=(9, 6.5), layout="constrained")
        plot_interest_map(
            profiles.iloc[::step],
            clusters["cluster"],
            tiers=tiers["tier"],
            names=names.to_dict(),
            ax=figure.subplots(),
        )
        figure.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _cards(
    events: pd.DataFrame, clusters: pd.DataFrame, names: pd.Series, titles: pd.Series
) -> list[dict[str, Any]]:
    size = clusters["cluster"].value_counts()
    counts = events.groupby([events["user_id"].map(clusters["cluster"]), "item_id"]).size()
    cards = []
    for cluster, name in names.items():
        mine = counts.xs(cluster, level=0) if cluster in counts.index.levels[0] else counts[:0]
        favourites = mine.sort_values(ascending=False, kind="stable").index[:_ITEMS_PER_CARD]
        named = [titles.get(item, str(item)) for item in favourites]
        cards.append({"name": name, "users": int(size.get(cluster, 0)), "items": named})
    return cards


def _lists(recommendations: pd.DataFrame, titles: pd.Series, n_users: int) -> list[dict[str, Any]]:
    first = recommendations["user_id"].drop_duplicates().head(n_users)
    rows = recommendations[recommendations["user_id"].isin(first)].copy()
    rows["title"] = rows["item_id"].map(titles).fillna(rows["item_id"].astype(str))
    return rows.to_dict("records")
