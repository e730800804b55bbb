"""Names of clusters that stay from window to window as long as they fit.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from recsys_interest.checks import check_count, check_frame
from recsys_interest.cluster_names import SEPARATOR, name_clusters
from recsys_interest.window_rows import in_order

__all__ = ["lasting_names", "named_ledger"]

_NAMED = ("window", "cluster", "name", "before")
_LEDGER = ("window", "event", "cluster", "related")


def lasting_names(keywords: pd.Series, *, n_words: int = 2) -> pd.DataFrame:
    """Name the clusters of every window; a name stays as long as half of its words still fit.

    Parameters
    ----------
    keywords : Series of list of str
        The words of each cluster in each window, the most telling first, indexed by window and
        cluster, from `distinctive_words`. The longer the lists, the longer a name lasts.
    n_words : int, default 2
        How many words a new name has where that is enough, see `name_clusters`.

    Returns
    -------
    DataFrame
        One row per window and cluster, sorted: `window`, `cluster`, `name`, and `before`, the old
        name where it is a new one for an old cluster; missing otherwise.

    Raises
    ------
    TypeError
        If `keywords` is not a Series of lists of text with an index of two levels.
    ValueError
        If a cluster is there twice in a window, or `n_words` is below 1.

    Notes
    -----
    Chapter 14, "Dynamic interests". A cluster without words in a window keeps the name it has.

    Examples
    --------
    >>> index = pd.MultiIndex.from_tuples([(2025, 4), (2026, 4), (2027, 4)])
    >>> words = pd.Series([["tent", "hike"], ["hike", "ski"], ["ski", "snow"]], index=index)
    >>> lasting_names(words)["name"].tolist()
    ['tent · hike', 'tent · hike', 'ski · snow']
    """
    n_words = check_count(n_words, "n_words")
    if not isinstance(keywords, pd.Series) or keywords.index.nlevels != 2:
        raise TypeError("keywords must be a Series of lists, indexed by window and cluster")
    if keywords.index.has_duplicates:
        raise ValueError("keywords has a cluster twice in one window; give one list each")
    if keywords.index.to_frame().isna().any(axis=None):
        raise ValueError("keywords has a row without a window or a cluster; drop it")
    rows: list[tuple[Any, ...]] = []
    known: dict[Any, str] = {}
    for window, lists in keywords.sort_index().groupby(level=0, sort=True):
        mine = lists.droplevel(0)
        fresh = name_clusters(mine, n_words=n_words)
        now: dict[Any, str] = {}
        for cluster, words in mine.items():
            if cluster in known and (not words or _fits(known[cluster], words)):
                now[cluster] = known[cluster]
        for cluster in mine.index.difference([*now]):
            name = fresh[cluster]
            now[cluster] = f"{name} ({cluster})" if name in now.values() else name
        for cluster in mine.index:
            old = known.get(cluster)
            rows.append((window, cluster, now[cluster], None if old == now[cluster] else old))
        known |= now
    table = pd.DataFrame(rows, columns=[*_NAMED])
    return table.astype({"name": "str", "before": "str"})


def _fits(name: str, words: list[str]) -> bool:
    parts = name.split(SEPARATOR)
    fits = [part in words or part.rpartition(" (")[0] in words for part in parts]
    return 2 * sum(fits) >= len(parts)


def named_ledger(ledger: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    """Write the names into a ledger, and a row for every cluster that got another name.

    Parameters
    ----------
    ledger : DataFrame
        `DynamicClusterer.ledger_`.
    names : DataFrame
        What `lasting_names` returned.

    Returns
    -------
    DataFrame
        The ledger with `name`, and `related_name`: of the cluster it was split from or merged
        into, or in a row with the event ``rename`` the name before. By window; a cluster that
        ended is called by its last name.

    Raises
    ------
    TypeError, SchemaError
        If a table is none, or lacks a column.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> ledger = pd.DataFrame({"window": [2025], "event": ["birth"], "cluster": [4],
    ...                        "related": [None], "n_users": [9], "score": [0.0]})
    >>> names = pd.DataFrame({"window": [2025, 2026], "cluster": [4, 4],
    ...                       "name": ["tent", "ski"], "before": [None, "tent"]})
    >>> named_ledger(ledger, names)[["window", "event", "name", "related_name"]].fillna("")
       window   event  name related_name
    0    2025   birth  tent
    1    2026  rename   ski         tent
    """
    events = check_frame(ledger, "ledger", _LEDGER).reset_index(drop=True)
    names = check_frame(names, "names", _NAMED)
    every = in_order({*events["window"], *names["window"]}, "window of ledger and names")
    order = {window: n for n, window in enumerate(every)}
    by_cluster = {
        cluster: [(order[w], name) for w, name in zip(mine["window"], mine["name"], strict=True)]
        for cluster, mine in names.groupby("cluster")
    }

    def at(cluster: Any, window: Any) -> str | None:
        if pd.isna(cluster) or cluster not in by_cluster:
            return None
        past = [name for when, name in by_cluster[cluster] if when <= order[window]]
        return (past or [by_cluster[cluster][0][1]])[-1]

    for column, of in (("name", "cluster"), ("related_name", "related")):
        found = [at(c, w) for c, w in zip(events[of], events["window"], strict=True)]
        events[column] = pd.Series(found, index=events.index, dtype="str")
    renamed = names[names["before"].notna()].rename(columns={"before": "related_name"})
    both = pd.concat([events, renamed.assign(event="rename")], ignore_index=True)
    both = both.astype({"cluster": "int64", "related": "Int64"})
    return both.iloc[both["window"].map(order).argsort(kind="stable")].reset_index(drop=True)
