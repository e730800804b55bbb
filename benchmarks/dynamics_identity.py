"""Measure whether cluster ids stay, and whether births, deaths, splits and merges are found.

Generated logs of 600 users over 180 days with 20 events a user and month on average, 16 topics,
one user in ten who drifts, and planted changes of whole interests: two births, two deaths, a split
and a merge. MiniLM encodes the items, `window_profiles` cuts months, `DynamicClusterer` sees the
profiles and nothing else. The seeds are not those with which its defaults were found.

What is scored. A cluster stands for the interest that most of its members have in the middle of
the window. A *link* is a pair of clusters of neighbouring windows with one id; it is right if both
stand for the same interest, and missing if an interest that goes on got another id (its largest
cluster counts). Where interests are split or merged no link is scored: there the ledger is. An
entry of the ledger is right if a change of the same kind was planted for the interests that its
clusters stand for, at most one window away; each change counts once. `pair_f1` is stricter: all
pairs of rows, of any windows, which should have one id exactly if the interest is the same; so it
also counts every user who is in a wrong cluster.

Beside it stand the numbers as the clusterer gives them, without matching; matching without members
and without centroids; other thresholds; a cold start; and K-means with the true number of clusters
of the first window.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import pair_confusion_matrix

from recsys_interest import (
    AdaptiveKMeans,
    Dataset,
    DynamicClusterer,
    InterestClusterer,
    TextEncoder,
    item_text,
    make_interest_log,
    window_profiles,
)

SEEDS = (10, 11, 12, 13, 14)
USERS, EVENTS_EACH, TOPICS, EVERY = 600, 120, 16, "30D"
DRIFT = 0.1
CHANGES = {"birth": 2, "death": 2, "split": 1, "merge": 1}
KINDS = [*CHANGES]
BLEND = " + "


def run() -> dict[str, float]:
    """Print the tables and return the figures.

    Returns
    -------
    dict of str to float
        The figures of the last line.
    """
    return identity(SEEDS)


def identity(seeds: Iterable[int], encoder: Any = None) -> dict[str, float]:
    """Print how well ids and changes are found, ours beside other ways, and return ours.

    Parameters
    ----------
    seeds : iterable of int
        Of the logs.
    encoder : transformer, optional
        Encodes the items; the default model if not given.

    Returns
    -------
    dict of str to float
        `id_f1` and `ledger_f1` over all logs.
    """
    encoder = TextEncoder(progress=False) if encoder is None else encoder
    rows = []
    for seed in seeds:
        log, X = planted(seed, encoder)
        truth = interests_of(log, X)
        _FITTED.clear()
        for way, model in _ways(truth).items():
            model.fit(X)
            found = pd.Series(model.labels_, X.index)
            rows.append({"way": way, "seed": seed} | scores(found, model.ledger_, log, truth))
        rows.append({"way": "as numbered", "seed": seed} | scores(_numbered(X), None, log, truth))
    table = pd.DataFrame(rows)
    together = pd.DataFrame({way: _total(mine) for way, mine in table.groupby("way", sort=False)}).T
    print(together.round(3).to_string())
    print("\nours by seed")
    ours = table[table["way"] == "ours"]
    per_seed = pd.DataFrame({seed: _total(mine) for seed, mine in ours.groupby("seed")})
    print(per_seed.T.round(3).to_string())
    print("\nours by kind")
    columns = [f"{what}_{kind}" for kind in KINDS for what in ("planted", "entered", "right")]
    counts = ours[columns].sum().to_numpy().reshape(len(KINDS), 3)
    print(pd.DataFrame(counts, KINDS, ["planted", "entered", "right"]).to_string())
    return {name: round(float(together.loc["ours", name]), 4) for name in ("id_f1", "ledger_f1")}


def planted(seed: int, encoder: Any) -> tuple[Dataset, pd.DataFrame]:
    """Return a log with planted changes and the profiles of its users by window."""
    log = make_interest_log(
        USERS, EVENTS_EACH, n_topics=TOPICS, changes=CHANGES, drift_share=DRIFT, seed=seed
    )
    vectors = encoder.transform(item_text(log.items))
    return log, window_profiles(log.events, vectors, EVERY)


def interests_of(log: Dataset, X: pd.DataFrame) -> pd.Series:
    """Return the planted interest of every row in the middle of its window."""
    half = pd.Timedelta(EVERY) / 2
    rows = X.index.to_frame(index=False)
    rows["when"] = (rows["window"] + half).astype("datetime64[us, UTC]")
    table = log.truth["interests"].astype({"since": "datetime64[us, UTC]"}).sort_values("since")
    rows["place"] = np.arange(len(rows))
    known = pd.merge_asof(
        rows.sort_values("when"), table, left_on="when", right_on="since", by="user_id"
    )
    return pd.Series(known.sort_values("place")["interest"].to_numpy(), index=X.index)


_FITTED: dict[bytes, dict[str, Any]] = {}


class Remembered(InterestClusterer):
    """Clusters the same window from the same start once, however it is matched afterwards."""

    def fit(self, X: Any, y: object = None) -> InterestClusterer:
        """Find the clusters, or take those found before."""
        start = self.estimator.get_params(deep=False).get("init")
        start = start.tobytes() if isinstance(start, np.ndarray) else b""
        name = type(self.estimator).__name__.encode()
        key = hashlib.sha256(np.ascontiguousarray(X).tobytes() + start + name).digest()
        if key not in _FITTED:
            super().fit(X)
            _FITTED[key] = dict(vars(self))
        self.__dict__.update(_FITTED[key])
        return self


def _ways(truth: pd.Series) -> dict[str, DynamicClusterer]:
    k = truth.loc[truth.index[0][0]].nunique()
    free, fixed = Remembered(AdaptiveKMeans()), Remembered(KMeans(k, n_init=10))

    def way(clusterer: InterestClusterer = free, **options: Any) -> DynamicClusterer:
        return DynamicClusterer(clusterer, random_state=0, **options)

    return {
        "ours": way(),
        "members alone": way(member_weight=1.0),
        "member weight 0.75": way(member_weight=0.75),
        "member weight 0.25": way(member_weight=0.25),
        "centroids alone": way(member_weight=0.0),
        "threshold 0.3": way(threshold=0.3),
        "threshold 0.4": way(threshold=0.4),
        "threshold 0.6": way(threshold=0.6),
        "threshold 0.7": way(threshold=0.7),
        "cold start": way(warm_start=False),
        "true number, warm": way(fixed),
        "true number, cold": way(fixed, warm_start=False),
    }


def _numbered(X: pd.DataFrame) -> pd.Series:
    """Return the numbers that a clusterer gives in each window, the largest first."""
    found = [
        pd.Series(Remembered(AdaptiveKMeans(random_state=0)).fit(mine).labels_, mine.index)
        for _, mine in X.groupby(level="window")
    ]
    return pd.concat(found)


def scores(
    found: pd.Series, ledger: pd.DataFrame | None, log: Dataset, truth: pd.Series
) -> dict[str, float]:
    """Return what is right, found and planted of links and entries, and the scores of the rows."""
    stands = stands_for(found, truth)
    out = _links(stands) | {"pair_f1": _pair_f1(found, truth)}
    each = [
        adjusted_rand_score(truth.loc[window], mine.to_numpy())
        for window, mine in found.groupby(level="window")
    ]
    out["ari"] = float(np.mean(each))
    entries = [] if ledger is None else _entries(ledger, stands)
    return out | _changes(entries, log, [*found.index.unique("window")])


def stands_for(found: pd.Series, truth: pd.Series) -> pd.DataFrame:
    """Return window, cluster, the interest of most of its members, and how many those are."""
    table = pd.DataFrame({"cluster": found, "interest": truth})[found >= 0]
    counts = table.groupby(["window", "cluster"])["interest"].value_counts()
    counts = (
        counts.rename("n").reset_index().sort_values(["n", "interest"], ascending=[False, True])
    )
    return counts.drop_duplicates(["window", "cluster"]).sort_values(["window", "cluster"])


def _links(stands: pd.DataFrame) -> dict[str, float]:
    windows = sorted(stands["window"].unique())
    right = made = wanted = 0
    for a, b in itertools.pairwise(windows):
        old, new = (stands[stands["window"] == w] for w in (a, b))
        both = {*old["interest"]} & {*new["interest"]}
        pairs = old.merge(new, on="cluster")
        split = [
            _related(x, y)
            for x, y in zip(pairs["interest_x"], pairs["interest_y"], strict=True)
        ]  # fmt: skip
        pairs = pairs[~np.array(split, dtype=bool)]
        same = pairs["interest_x"] == pairs["interest_y"]
        right += pairs[same].drop_duplicates("interest_x").shape[0]
        made += len(pairs)
        wanted += len(both)
    return {"links_right": right, "links_made": made, "links_wanted": wanted}


def _related(before: str, after: str) -> bool:
    """Say whether one interest is a part of the other."""
    return before != after and bool({*before.split(BLEND)} & {*after.split(BLEND)})


def _pair_f1(found: pd.Series, truth: pd.Series) -> float:
    (_, false), (missed, true) = pair_confusion_matrix(truth.to_numpy(), found.to_numpy())
    return float(2 * true / (2 * true + false + missed))


def _entries(ledger: pd.DataFrame, stands: pd.DataFrame) -> list[tuple[str, int, set[str]]]:
    """Return kind, number of the window and interests of every entry after the first window."""
    windows = sorted(stands["window"].unique())
    meaning = stands.set_index(["window", "cluster"])["interest"]
    entries = []
    for row in ledger[ledger["window"] > windows[0]].itertuples():
        now = windows.index(row.window)
        if row.event in ("birth", "split"):
            mine, others = meaning[row.window, row.cluster], windows[now - 1]
        else:
            mine, others = meaning[windows[now - 1], row.cluster], row.window
        interests = {mine}
        if not pd.isna(row.related):
            interests.add(meaning[others, row.related])
        entries.append((row.event, now, interests))
    return entries


def _changes(
    entries: list[tuple[str, int, set[str]]], log: Dataset, windows: list[pd.Timestamp]
) -> dict[str, float]:
    half = pd.Timedelta(EVERY) / 2
    out = {f"{what}_{kind}": 0.0 for kind in KINDS for what in ("planted", "entered", "right")}
    for kind, _, _ in entries:
        out[f"entered_{kind}"] += 1
    left = list(entries)
    for change in log.truth["changes"].itertuples():
        due = sum(window + half < change.date for window in windows)
        parts = {change.interest} | ({change.other} if isinstance(change.other, str) else set())
        blend = f"{change.interest}{BLEND}{change.other}"
        out[f"planted_{change.change}"] += 1
        for entry in left:
            kind, now, interests = entry
            if len(parts) == 2:
                fits = blend in interests and len(interests & parts) == 1
            else:
                fits = interests == parts
            if kind == change.change and abs(now - due) <= 1 and fits:
                out[f"right_{kind}"] += 1
                left.remove(entry)
                break
    return out


def _total(rows: pd.DataFrame) -> dict[str, float]:
    def f1(right: float, made: float, wanted: float) -> float:
        return 2 * right / (made + wanted) if made + wanted else 0.0

    links = rows[["links_right", "links_made", "links_wanted"]].sum()
    sums = {
        w: sum(rows[f"{w}_{kind}"].sum() for kind in KINDS) for w in ("right", "entered", "planted")
    }
    return {
        "id_f1": f1(*links),
        "ledger_f1": f1(sums["right"], sums["entered"], sums["planted"]),
        "precision": sums["right"] / sums["entered"] if sums["entered"] else 0.0,
        "recall": sums["right"] / sums["planted"],
        "pair_f1": rows["pair_f1"].mean(),
        "ari": rows["ari"].mean(),
    }
