"""What happened to clusters from window to window, as tables that can be kept and read again.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import SchemaError, canonical_ids, check_frame, shown
from recsys_interest.cluster_matching import ClusterMatch

__all__ = ["LEDGER", "History", "Snapshot", "ledger_rows", "read_state", "state_tables"]

Ints = npt.NDArray[np.int64]
Row = dict[str, Any]

#: Columns of the ledger.
LEDGER = ("window", "event", "cluster", "related", "n_users", "score")
_STATE = {
    "windows": ("window", "n_users", "n_clusters", "n_noise"),
    "ledger": LEDGER,
    "paths": ("user_id", "cluster", "window"),
    "snapshots": ("when", "seen", "next_id"),
    "clusters": ("when", "cluster", "n_users"),
    "features": ("feature",),
}


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The living clusters after a window.

    Parameters
    ----------
    ids : ndarray of int64, shape (n_clusters,)
        Their stable ids.
    centroids : ndarray of shape (n_clusters, n_features)
        Unit vectors.
    sizes : ndarray of int64, shape (n_clusters,)
        Users of every cluster in the last window with rows.
    seen : object
        The last window with rows, whose paths are the members.
    next_id : int
        The first id that was never given.
    """

    ids: Ints
    centroids: npt.NDArray[Any]
    sizes: Ints
    seen: Any = None
    next_id: int = 0

    def positions(self, path: pd.Series | None) -> pd.Series | None:
        """Return the members as positions in `ids`, from their ids; −1 for noise."""
        if path is None:
            return None
        places = pd.Series(np.arange(len(self.ids)), index=self.ids)
        return path.map(places).fillna(-1).astype(np.int64)

    def followed(
        self, window: Any, centroids: npt.NDArray[Any], labels: Ints, match: ClusterMatch
    ) -> Snapshot:
        """Return the clusters of the next window: those that go on keep the id, others get new."""
        continued = match.continued.to_numpy()
        ids = np.append(self.ids, -1)[continued]
        n_new = int((continued < 0).sum())
        ids[continued < 0] = self.next_id + np.arange(n_new)
        sizes = np.bincount(labels[labels >= 0], minlength=len(centroids))
        return Snapshot(ids, centroids, sizes, window, self.next_id + n_new)


def ledger_rows(window: Any, before: Snapshot, after: Snapshot, match: ClusterMatch) -> list[Row]:
    """Return what began and what ended with a window: births, splits, deaths and merges.

    Parameters
    ----------
    window : object
        The window of `after`.
    before, after : Snapshot
        Clusters, with their ids.
    match : ClusterMatch
        Of their positions.

    Returns
    -------
    list of dict
        Rows with the columns of `LEDGER`, beginnings first.
    """
    best = match.scores.groupby("after")["same"].max(), match.scores.groupby("before")["same"].max()
    rows = []

    def add(event: str, cluster: int, related: int | None, n_users: int, score: float) -> None:
        values = (window, event, cluster, related, n_users, float(score))
        rows.append(dict(zip(LEDGER, values, strict=True)))

    def score_of(old: int, new: int, column: str) -> float:
        return float(match.scores[column].to_numpy()[old * len(after.ids) + new])

    for new in np.flatnonzero(match.continued < 0).tolist():
        parent, mine, size = int(match.parent[new]), int(after.ids[new]), int(after.sizes[new])
        if parent < 0:
            add("birth", mine, None, size, best[0].get(new, 0.0))
        else:
            add("split", mine, int(before.ids[parent]), size, score_of(parent, new, "part"))
    for old in np.setdiff1d(np.arange(len(before.ids)), match.continued).tolist():
        heir, mine, size = int(match.heir[old]), int(before.ids[old]), int(before.sizes[old])
        if heir < 0:
            add("death", mine, None, size, best[1].get(old, 0.0))
        else:
            add("merge", mine, int(after.ids[heir]), size, score_of(old, heir, "joined"))
    return rows


@dataclass(frozen=True, eq=False)
class History:
    """Rows about windows and clusters, and the path of every user; never changed in place."""

    windows: tuple[Row, ...] = ()
    ledger: tuple[Row, ...] = ()
    paths: Mapping[Any, pd.Series] | None = None

    def with_window(
        self, about: Row, rows: Iterable[Row], path: pd.Series | None, keep: int | None
    ) -> History:
        """Return the history with one more window; of the paths only the last `keep` stay."""
        paths = dict(self.paths or {})
        if path is not None:
            paths[about["window"]] = path
        if keep is not None:
            paths = dict(list(paths.items())[-keep:])
        return History((*self.windows, about), (*self.ledger, *rows), paths)

    def before_last(self) -> History:
        """Return the history without its last window."""
        last = self.windows[-1]["window"]
        ledger = tuple(row for row in self.ledger if row["window"] != last)
        paths = {w: path for w, path in (self.paths or {}).items() if w != last}
        return History(self.windows[:-1], ledger, paths)

    def without(self, user_ids: pd.Index) -> History:
        """Return the history without the paths of some users."""
        left = {w: path[~path.index.isin(user_ids)] for w, path in (self.paths or {}).items()}
        return replace(self, paths=left)

    def path(self, window: Any) -> pd.Series | None:
        """Return the cluster of every user in a window, None where users are not known."""
        return (self.paths or {}).get(window)

    def window_table(self) -> pd.DataFrame:
        """Return one row per window: how many users, clusters and users without one."""
        table = pd.DataFrame([*self.windows], columns=[*_STATE["windows"]])
        return table.set_index("window")

    def ledger_table(self) -> pd.DataFrame:
        """Return the ledger, one row per event."""
        table = pd.DataFrame([*self.ledger], columns=[*LEDGER])
        kinds = {"event": "str", "cluster": "int64", "related": "Int64", "n_users": "int64"}
        return table.astype({**kinds, "score": "float64"})

    def path_table(self) -> pd.DataFrame:
        """Return the cluster of every user (row) in every window (column); missing if absent."""
        known = [row["window"] for row in self.windows if row["window"] in (self.paths or {})]
        columns = [self.path(w).rename(w).astype("Int64") for w in known]  # type: ignore[union-attr]
        if not columns:
            return pd.DataFrame(index=pd.Index([], name="user_id"), dtype="Int64")
        table = pd.concat(columns, axis=1).sort_index().rename_axis("user_id")
        table.columns = pd.Index(known, name="window")
        return table


def state_tables(
    history: History, snapshots: Mapping[str, Snapshot], features: Iterable[str | None]
) -> dict[str, pd.DataFrame]:
    """Return everything as tables, for `read_state`."""
    paths = [
        p.rename("cluster").rename_axis("user_id").reset_index().assign(window=w)
        for w, p in (history.paths or {}).items()
    ]
    rows, clusters = [], []
    for when, one in snapshots.items():
        rows.append({"when": when, "seen": one.seen, "next_id": one.next_id})
        frame = pd.DataFrame(one.centroids.astype(np.float64)).rename(columns=str)
        clusters.append(frame.assign(when=when, cluster=one.ids, n_users=one.sizes))
    return {
        "windows": history.window_table().reset_index(),
        "ledger": history.ledger_table(),
        "paths": pd.concat([pd.DataFrame(columns=[*_STATE["paths"]]), *paths][bool(paths) :]),
        "snapshots": pd.DataFrame(rows),
        "clusters": pd.concat([c for c in clusters if len(c)] or clusters, ignore_index=True),
        "features": pd.DataFrame({"feature": pd.Series([*features], dtype="str")}),
    }


def read_state(
    state: Mapping[str, pd.DataFrame],
) -> tuple[History, dict[str, Snapshot], list[str | None]]:
    """Return history, snapshots and feature names of what `state_tables` returned."""
    missing = sorted(set(_STATE) - set(state))
    if missing:
        raise SchemaError(f"state lacks {shown(missing)}; pass all that get_state returned")
    tables = {name: check_frame(state[name], name, columns) for name, columns in _STATE.items()}
    if tables["windows"].empty or {*tables["snapshots"]["when"]} != {"now", "before"}:
        raise SchemaError(
            "state must have a window and the snapshots 'now' and 'before'; pass all that "
            "get_state returned"
        )
    ledger = tables["ledger"].astype({"related": "Int64"})
    rows = [
        {**row, "related": None if pd.isna(row["related"]) else int(row["related"])}
        for row in ledger[[*LEDGER]].to_dict("records")
    ]
    windows = tables["windows"][[*_STATE["windows"]]].to_dict("records")
    of = tables["paths"].reset_index(drop=True)
    of["user_id"] = canonical_ids(of["user_id"], "paths.user_id")
    paths = {
        window: pd.Series(mine["cluster"].to_numpy(np.int64), index=pd.Index(mine["user_id"]))
        for window, mine in of.groupby("window", sort=False)
    }
    names = tables["features"]["feature"]
    features = [None if pd.isna(name) else str(name) for name in names]
    snapshots = {
        row["when"]: _snapshot(row, tables["clusters"], len(features))
        for row in tables["snapshots"].to_dict("records")
    }
    return History(tuple(windows), tuple(rows), paths), snapshots, features


def _snapshot(row: Row, clusters: pd.DataFrame, n_features: int) -> Snapshot:
    features = [str(n) for n in range(n_features)]
    clusters = check_frame(clusters, "clusters", features)
    mine = clusters[clusters["when"] == row["when"]]
    centroids = mine[features].to_numpy(np.float64)
    ids, sizes = (mine[name].to_numpy(np.int64) for name in ("cluster", "n_users"))
    seen = None if pd.isna(row["seen"]) else row["seen"]
    return Snapshot(ids, centroids, sizes, seen, int(row["next_id"]))
