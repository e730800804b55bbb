"""Measure the lists of the text-informed linear model against the classics, on three data sets.

Ratings of at least 4 count, of items with at least five of them; a fifth, drawn at random, is the
test, five times anew. The settings of every classic are chosen by NDCG@10 on a fifth of the
training ratings of the first draw and kept for the others, whose test ratings are partly among
them, which may favour the classics; the text-informed model chooses its own inside each `fit`,
on the training ratings. Then each learns from all training ratings. The cosine is that of the mean
text vector. The text vectors of the text-informed model are those of the language model beside
hashed words of the text and of the tags, and the year in the title. Intervals are Student's t over
the draws, or over the users of one draw where it is said.

What follows: the same with texts that are blank, of other items, or titles alone; splits by time,
where times are known; EASE and item k-NN by other packages on the same split (`cornac`, of the
extra `outside`, and `implicit`); and the speed of the exact top k against faiss.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks._outside import ease_vs_outside, item_knn_vs_outside
from benchmarks._ratings import (
    CLASSICS,
    SEEDS,
    K,
    Tables,
    data,
    ndcg,
    over_seeds,
    tuned,
    vectors_of,
)
from recsys_interest import (
    CosineRecommender,
    ItemIndex,
    Recommender,
    TextInformedRecommender,
    compare_recommendations,
    random_split,
    time_split,
    user_split,
)
from recsys_interest.splitting import Split

DATA = ("movielens-small", "movielens-1m", "goodbooks")
TIMED = ("movielens-small", "movielens-1m")
OUTSIDE = ("movielens-small", "movielens-1m")
Models = dict[str, tuple[Recommender, pd.DataFrame]]


def lists_of(models: Models, split: Split, items: pd.DataFrame, title: str) -> pd.DataFrame:
    """Fit the models, print one line for each, and return their lists and figures.

    Parameters
    ----------
    models : dict
        A recommender and its item vectors, by name.
    split : Split
        Only users with events on both sides are asked.
    items : DataFrame
        The catalogue.
    title : str
        What the lines begin with.

    Returns
    -------
    DataFrame
        By name: `ndcg`, `coverage`, `fit_seconds` and `lists`.
    """
    test = split.test[split.test["user_id"].isin(split.train["user_id"])]
    users = test["user_id"].unique()
    rows = {}
    for key, (model, vectors) in models.items():
        start = time.perf_counter()
        model.fit(split.train, items, vectors)
        seconds = time.perf_counter() - start
        lists = model.recommend(users, K)
        value, coverage = ndcg(lists, test).mean(), lists["item_id"].nunique() / len(items)
        said = f" l2 {model.l2_:g} text {model.text_weight_:g}" if hasattr(model, "l2_") else ""
        print(
            f"{title:24} {key:14} ndcg {value:.4f}  coverage {coverage:.3f}  "
            f"fit {seconds:6.1f} s  {len(users)} users{said}",
            flush=True,
        )
        rows[key] = {"ndcg": value, "coverage": coverage, "fit_seconds": seconds, "lists": lists}
    return pd.DataFrame(rows).T


def compared(found: pd.DataFrame, test: pd.DataFrame, reference: str) -> pd.DataFrame:
    """Print and return the paired differences of NDCG to one method, with intervals over users.

    Parameters
    ----------
    found : DataFrame
        Of `lists_of`.
    test : DataFrame
        Events.
    reference : str
        One of its names.

    Returns
    -------
    DataFrame
        Of `compare_recommendations`.
    """
    users = found["lists"].iloc[0]["user_id"]
    table = compare_recommendations(
        found["lists"].to_dict(), test[test["user_id"].isin(users)], reference=reference, k=K
    )
    print(table.round(4).to_string(), flush=True)
    return table


def measure(name: str, tables: Tables) -> tuple[dict[str, Any], dict[str, Recommender]]:
    """Print the tables of one data set over all seeds.

    Parameters
    ----------
    name : str
        A data set.
    tables : tuple of DataFrames
        Of `data`.

    Returns
    -------
    dict
        `ndcg` and `coverage` by method, and further figures.
    dict
        The classics with their settings.
    """
    events, items, bert, wide = tables
    first = random_split(events, test_share=0.2, random_state=SEEDS[0])
    chosen = {key: tuned(grid, first.train, items, bert) for key, grid in CLASSICS.items()}
    print("\n".join(f"{name}: {key} is {model}" for key, model in chosen.items()), flush=True)
    parts = []
    for seed in SEEDS:
        split = random_split(events, test_share=0.2, random_state=seed)
        models: Models = {key: (model, bert) for key, model in chosen.items()}
        models["cosine"] = (CosineRecommender(), bert)
        models["text_informed"] = (TextInformedRecommender(), wide)
        found = lists_of(models, split, items, f"{name} {seed}")
        if seed == SEEDS[0]:
            best = found.loc[list(chosen), "ndcg"].astype(float).idxmax()
            compared(found, split.test, best)
        parts.append(found.drop(columns="lists").astype(float))
    by_figure = {f: pd.DataFrame([part[f] for part in parts]) for f in parts[0]}
    best = by_figure["ndcg"][list(chosen)].mean().idxmax()
    out: dict[str, Any] = {"best_classic_is": best}
    for figure in ("ndcg", "coverage"):
        by_seed = by_figure[figure]
        by_seed["best_classic"] = by_seed[best]
        out[figure] = by_seed.mean().round(4).to_dict()
        out[f"{figure}_intervals"] = {key: over_seeds(by_seed[key]) for key in by_seed}
        ratio = by_seed["text_informed"] / by_seed["best_classic"]
        out[f"{figure}_ratio"] = over_seeds(ratio)
        print(f"{name}: {figure} over {best}: {out[f'{figure}_ratio']}", flush=True)
    out["fit_seconds"] = round(float(by_figure["fit_seconds"]["text_informed"].mean()), 1)
    return out, chosen


def spoilt(name: str, tables: Tables, ease: Recommender) -> dict[str, Any]:
    """Print what the text-informed model does with texts that say little or nothing.

    Parameters
    ----------
    name : str
        A data set.
    tables : tuple of DataFrames
        Of `data`.
    ease : EaseRecommender
        With its setting.

    Returns
    -------
    dict
        By kind of text, the difference of NDCG to EASE on the first split and its interval.
    """
    events, items, _, wide = tables
    split = random_split(events, test_share=0.2, random_state=SEEDS[0])
    order = np.random.default_rng(0).permutation(len(wide))
    texts = {
        "blank": wide * 0.0,
        "shuffled": wide.set_axis(wide.index[order]),
        "titles": vectors_of(items[["item_id", "title"]])[1],
    }
    models: Models = {"ease": (ease, wide)}
    models |= {key: (TextInformedRecommender(), vectors) for key, vectors in texts.items()}
    found = lists_of(models, split, items, f"{name} spoilt")
    table = compared(found, split.test, "ease").loc[list(texts)]
    return table[["difference", "difference_low", "difference_high"]].round(4).to_dict("index")


def by_time(name: str, tables: Tables, chosen: dict[str, Recommender]) -> dict[str, Any]:
    """Print the table where the test lies after the training ratings.

    Parameters
    ----------
    name : str
        A data set; of its ratings, those whose time is known.
    tables : tuple of DataFrames
        Of `data`.
    chosen : dict
        The classics with their settings.

    Returns
    -------
    dict
        NDCG by method, for each user's last fifth and for everybody's last fifth.
    """
    events, items, bert, wide = tables
    timed = events[events["timestamp"] > pd.Timestamp("1990-01-01", tz="UTC")]
    out: dict[str, Any] = {}
    for kind, split in (("each user", user_split(timed)), ("everybody", time_split(timed))):
        models: Models = {key: (model, bert) for key, model in chosen.items()}
        models["cosine"] = (CosineRecommender(), bert)
        models["text_informed"] = (TextInformedRecommender(), wide)
        found = lists_of(models, split, items, f"{name} last, {kind}")
        best = found.loc[list(chosen), "ndcg"].astype(float).idxmax()
        table = compared(found, split.test, best)
        columns = ["mean", "ci_low", "ci_high"]
        out[kind] = {"best_classic_is": best, **table[columns].round(4).to_dict("index")}
    return out


def topk_ratio(n_queries: int = 20_000, n_items: int = 10_000) -> float:
    """Return the speed of `ItemIndex` over that of faiss `IndexFlatIP` at the same lists.

    Parameters
    ----------
    n_queries, n_items : int
        How many vectors of 384 dimensions.

    Returns
    -------
    float
        Above 1 the package is faster.
    """
    import faiss

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(n_queries + n_items, 384)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    queries, items = pd.DataFrame(rows[:n_queries]), pd.DataFrame(rows[n_queries:])
    index, peer = ItemIndex().fit(items), faiss.IndexFlatIP(384)
    peer.add(items.to_numpy())
    seconds: dict[str, list[float]] = {"own": [], "peer": []}
    for _ in range(8):
        start = time.perf_counter()
        own = index.nearest(queries, K)
        seconds["own"].append(time.perf_counter() - start)
        start = time.perf_counter()
        _, places = peer.search(queries.to_numpy(), K)
        seconds["peer"].append(time.perf_counter() - start)
    median = {key: float(np.median(times[1:])) for key, times in seconds.items()}  # one to warm up
    same = (own["item_id"].to_numpy().reshape(-1, K) == places).mean()
    print(f"top-{K}: {seconds}, {same:.4%} of the places are equal")
    return round(median["peer"] / median["own"], 3)


def run() -> dict[str, Any]:
    """Print the tables and return the figures.

    Returns
    -------
    dict
        The figures of the last line.
    """
    out: dict[str, Any] = {"ndcg": {}, "coverage": {}, "details": {}, "by_time": {}, "spoilt": {}}
    apart: dict[str, dict[str, float | None]] = {"ease": {}, "item_knn": {}}
    with threadpool_limits(2):
        for name in DATA:
            tables = data(name)
            figures, chosen = measure(name, tables)
            out["ndcg"][name], out["coverage"][name] = figures.pop("ndcg"), figures.pop("coverage")
            out["details"][name] = figures
            out["spoilt"][name] = spoilt(name, tables, chosen["ease"])
            if name in TIMED:
                out["by_time"][name] = by_time(name, tables, chosen)
            if name in OUTSIDE:
                split = random_split(tables[0], test_share=0.2, random_state=SEEDS[0])
                pair = split.train, split.test, tables[1]
                apart["ease"][name] = ease_vs_outside(*pair, chosen["ease"].l2)
                apart["item_knn"][name] = item_knn_vs_outside(*pair, 100)
                print(f"{name}: against other packages {apart}", flush=True)
    out["fit_seconds"] = out["details"]["movielens-1m"]["fit_seconds"]
    out["topk_ratio_to_faiss"] = topk_ratio()
    for key, values in apart.items():
        known = [v for v in values.values() if v is not None]
        out[f"{key}_vs_outside"] = max(known, key=abs) if known else None
    return out
