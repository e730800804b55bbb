"""Measure the lists of the text-informed linear model against the classics, on three data sets.

Ratings of at least 4 count, of items with at least five of them; a fifth, drawn at random, is the
test. The settings of every classic are chosen by NDCG@10 on a fifth of the training ratings, those
of the text-informed model inside its own `fit`; then each learns from all training ratings. The
cosine is that of the mean text vector. The text vectors of the text-informed model are those of the
language model beside hashed word counts, which know names of authors that the language model does
not tell apart. Item k-NN is also computed by the package `implicit` on the same split. EASE has no
outside implementation that can be installed beside pandas 3, so `ease_vs_outside` is null; the
tests compare its weights with regressions by scikit-learn.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from threadpoolctl import threadpool_limits

from recsys_interest import (
    ALSRecommender,
    CosineRecommender,
    EaseRecommender,
    ItemIndex,
    ItemKNNRecommender,
    PopularityRecommender,
    Recommender,
    SVDRecommender,
    TextEncoder,
    TextInformedRecommender,
    UserKNNRecommender,
    evaluate_recommendations,
    item_text,
    load_dataset,
    per_user_metrics,
    random_split,
)

DATA = ("movielens-small", "movielens-1m", "goodbooks")
K = 10
N_HASHED = 1024
CLASSICS: dict[str, Sequence[Recommender]] = {
    "popularity": (PopularityRecommender(),),
    "item_knn": [
        ItemKNNRecommender(n, shrinkage=h) for n in (20, 100, 300) for h in (0.0, 10.0, 50.0)
    ],
    "user_knn": [UserKNNRecommender(n, shrinkage=10.0) for n in (50, 100, 200)],
    "svd": [SVDRecommender(n) for n in (16, 32, 64, 128)],
    "als": [ALSRecommender(n, l2=l2) for n, l2 in ((32, 5.0), (64, 5.0), (64, 30.0), (128, 30.0))],
    "ease": [EaseRecommender(l2) for l2 in (50.0, 100.0, 200.0, 400.0, 800.0)],
}


def data(name: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return the ratings that count, the items, their language model's and their wider vectors.

    Parameters
    ----------
    name : str
        A data set.

    Returns
    -------
    tuple of four DataFrames
        Events, items, vectors of the language model, and these beside hashed word counts.
    """
    found = load_dataset(name)
    events = found.events[(found.events["event"] == "rate") & (found.events["value"] >= 4)]
    events = events.drop_duplicates(["user_id", "item_id"])
    times = events.groupby("item_id")["item_id"].transform("size")
    events = events[times >= 5]
    items = found.items[found.items["item_id"].isin(events["item_id"])]
    texts = item_text(items)
    bert = TextEncoder(dtype="auto", cache="default", progress=False).fit_transform(texts)
    return events, items, bert, beside_words(bert, texts)


def beside_words(bert: pd.DataFrame, texts: pd.Series) -> pd.DataFrame:
    """Return unit vectors of the language model beside unit vectors of hashed, weighted words.

    Parameters
    ----------
    bert : DataFrame
        Unit vectors.
    texts : Series of str
        The texts they are of.

    Returns
    -------
    DataFrame of float32
        Both, side by side.
    """
    counts = HashingVectorizer(n_features=N_HASHED, norm=None).transform(texts)
    words = TfidfTransformer(sublinear_tf=False).fit_transform(abs(counts)).toarray()
    both = np.hstack([bert.to_numpy(), words]).astype(np.float32)
    return pd.DataFrame(both, index=bert.index)


def ndcg(lists: pd.DataFrame, relevant: pd.DataFrame) -> pd.Series:
    """Return NDCG@10 of each user.

    Parameters
    ----------
    lists, relevant : DataFrame
        As for `per_user_metrics`.

    Returns
    -------
    Series of float64
        Indexed by user.
    """
    return per_user_metrics(lists, relevant, K)[f"ndcg@{K}"]


def tuned(candidates: Iterable[Recommender], train: pd.DataFrame, *tables: Any) -> Recommender:
    """Return the recommender that is best on a fifth of the training events, unfitted.

    Parameters
    ----------
    candidates : iterable of Recommender
        What to choose from.
    train : DataFrame
        Events.
    *tables
        Items and vectors.

    Returns
    -------
    Recommender
        One of them.
    """
    choices = list(candidates)
    if len(choices) == 1:
        return choices[0]
    split = random_split(train, test_share=0.2, random_state=1)
    users = split.test["user_id"].unique()
    values = [
        ndcg(c.fit(split.train, *tables).recommend(users, K), split.test).mean() for c in choices
    ]
    return choices[int(np.argmax(values))]


def outside_item_knn(train: pd.DataFrame, test: pd.DataFrame, items: pd.DataFrame) -> float:
    """Return how far item k-NN is from that of the package `implicit`, with all neighbours.

    Of fewer, `implicit` takes the neighbours of the liked item and `ItemKNNRecommender` those of
    the item that is scored, which are two different methods.

    Parameters
    ----------
    train, test : DataFrame
        Events.
    items : DataFrame
        The catalogue.

    Returns
    -------
    float
        The relative difference of NDCG@10.
    """
    from implicit.nearest_neighbours import CosineRecommender as Outside

    model = ItemKNNRecommender(len(items), shrinkage=0.0).fit(train, items)
    other = Outside(K=len(items), num_threads=1)
    table = sparse.csr_matrix(model.likes_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own conversion
        other.fit(table, show_progress=False)
    users = np.unique(model.user_ids_.get_indexer(test["user_id"].unique()))
    users = users[users >= 0]
    ids, scores = other.recommend(users, table[users], N=K, filter_already_liked_items=True)
    found = np.isfinite(scores) & (ids >= 0)
    lists = pd.DataFrame(
        {
            "user_id": model.user_ids_[np.repeat(users, found.sum(axis=1))],
            "item_id": model.item_ids_[ids[found]],
            "rank": np.broadcast_to(np.arange(1, K + 1), ids.shape)[found],
        }
    )
    theirs = ndcg(lists, test).mean()
    own = ndcg(model.recommend(model.user_ids_[users], K), test).mean()
    return round(float(own / theirs - 1), 4)


def measure(name: str, seed: int = 0) -> tuple[dict[str, float], dict[str, float], dict[str, Any]]:
    """Print the table of one data set and return NDCG, coverage and the rest.

    Parameters
    ----------
    name : str
        A data set.
    seed : int, default 0
        Of the split.

    Returns
    -------
    tuple of three dicts
        By method; and further figures.
    """
    events, items, bert, wide = data(name)
    split = random_split(events, test_share=0.2, random_state=seed)
    users = split.test["user_id"].unique()
    models: dict[str, tuple[Recommender, pd.DataFrame]] = {
        key: (tuned(grid, split.train, items, bert), bert) for key, grid in CLASSICS.items()
    }
    models["cosine"] = (CosineRecommender(), bert)
    models["text_informed"] = (TextInformedRecommender(), wide)
    values: dict[str, pd.Series] = {}
    coverage: dict[str, float] = {}
    more: dict[str, Any] = {}
    for key, (model, vectors) in models.items():
        start = time.perf_counter()
        model.fit(split.train, items, vectors)
        seconds = time.perf_counter() - start
        lists = model.recommend(users, K)
        values[key] = ndcg(lists, split.test)
        table = evaluate_recommendations(lists, split.test, k=K, catalogue=items, n_boot=500)
        coverage[key] = float(table.loc[f"coverage@{K}", "mean"])
        row = table.loc[f"ndcg@{K}"]
        print(
            f"{name:16} {key:14} ndcg {row['mean']:.4f} [{row['ci_low']:.4f}, "
            f"{row['ci_high']:.4f}]  coverage {coverage[key]:.3f}  fit {seconds:6.1f} s  {model}",
            flush=True,
        )
        if key == "text_informed":
            more["fit_seconds"] = round(seconds, 1)
            print(model.validation_.round(4).to_string())
        if key == "item_knn":
            more["item_knn_vs_outside"] = outside_item_knn(split.train, split.test, items)
    means = {key: round(float(v.mean()), 4) for key, v in values.items()}
    best = max(CLASSICS, key=lambda key: means[key])
    gain = (values["text_informed"] - values[best]).to_numpy()
    drawn = np.random.default_rng(0).integers(len(gain), size=(500, len(gain)))
    low, high = np.percentile(gain[drawn].mean(axis=1), [2.5, 97.5])
    print(f"{name}: text_informed - {best} = {gain.mean():.4f} [{low:.4f}, {high:.4f}]", flush=True)
    means["best_classic"] = means[best]
    coverage["best_classic"] = coverage[best]
    more["best_classic_is"] = best
    more["gain_low"], more["gain_high"] = round(float(low), 4), round(float(high), 4)
    return means, {key: round(v, 4) for key, v in coverage.items()}, more


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
    for _ in range(3):
        start = time.perf_counter()
        own = index.nearest(queries, K)
        seconds["own"].append(time.perf_counter() - start)
        start = time.perf_counter()
        _, places = peer.search(queries.to_numpy(), K)
        seconds["peer"].append(time.perf_counter() - start)
    same = (own["item_id"].to_numpy().reshape(-1, K) == places).mean()
    print(f"top-{K}: {seconds}, {same:.4%} of the places are equal")
    return round(float(np.median(seconds["peer"]) / np.median(seconds["own"])), 3)


def run() -> dict[str, Any]:
    """Print the tables and return the figures.

    Returns
    -------
    dict
        The figures of the last line.
    """
    out: dict[str, Any] = {"ndcg": {}, "coverage": {}, "details": {}}
    for name in DATA:
        with threadpool_limits(2):
            values, coverage, more = measure(name)
        out["ndcg"][name], out["coverage"][name], out["details"][name] = values, coverage, more
    out["fit_seconds"] = out["details"]["movielens-1m"]["fit_seconds"]
    out["topk_ratio_to_faiss"] = topk_ratio()
    out["ease_vs_outside"] = None
    return out
