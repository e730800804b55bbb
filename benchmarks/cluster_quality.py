"""Measure how well clusters of short texts agree with classes that nobody told them.

stackoverflow (20 classes), searchsnippets (8) and agnews (4), three seeds. Everybody gets the same
vectors of the language model and the number of classes, nobody a label. ACC is the share of texts
in the right class under the best one-to-one match of clusters and classes; a text left as noise is
in no class. The settings of the recipe are the same for all sets. They were compared by their ACC
on these three sets, with the classes in view, so the three figures flatter the recipe; `mind`
(titles and abstracts of news) and `thucnews` (Chinese headlines, 5,000 of them), which had no part
in that, are measured beside them.

BERTopic runs with its defaults, so it finds its own number of topics; once more with `nr_topics`,
which merges them to the number of classes. It needs the extra `topics`; without it, the table says
so.

The grid behind the guide: algorithms by reducers on 3,000 texts of each set, one seed.
"""

from __future__ import annotations

import importlib.util
import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import HDBSCAN, AgglomerativeClustering, KMeans, SpectralClustering
from sklearn.decomposition import PCA
from sklearn.metrics import normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.mixture import GaussianMixture

from recsys_interest import (
    InterestClusterer,
    IterativeClassification,
    NeighbourSmoothing,
    TextEncoder,
    evaluate_clusters,
    item_text,
    join_words,
    load_dataset,
    short_text_clusterer,
)

LOOKED_AT = ("stackoverflow", "searchsnippets", "agnews")
UNSEEN = ("mind", "thucnews")
SEEDS = (0, 1, 2)
GRID_TEXTS = 3000

Found = tuple[float, float]


def agreement(truth: np.ndarray, labels: np.ndarray) -> Found:
    """Return ACC and NMI over all texts; noise is a cluster that no class can be matched to.

    Parameters
    ----------
    truth, labels : ndarray of int, shape (n_texts,)
        Classes and clusters.

    Returns
    -------
    tuple of float
        ACC and NMI.
    """
    nmi = float(normalized_mutual_info_score(truth, labels))
    kept = labels >= 0
    if not kept.any():
        return 0.0, nmi
    table = contingency_matrix(truth[kept], labels[kept])
    matched = table[linear_sum_assignment(table, maximize=True)].sum()
    return float(matched / len(labels)), nmi


def labelled(name: str, n: int | None = None) -> tuple[pd.Series, np.ndarray]:
    """Return the texts of a labelled set, indexed by id, and their classes.

    Parameters
    ----------
    name : str
        Name of the data set.
    n : int, optional
        Only so many texts, drawn with seed 0.

    Returns
    -------
    tuple of Series and ndarray
        Texts and classes.
    """
    items = load_dataset(name).items.set_index("item_id")
    items = items if n is None or n >= len(items) else items.sample(n, random_state=0)
    # The category is the answer.
    texts = item_text(items.reset_index(), fields=["title", "description"]).sort_index()
    return texts, pd.factorize(items["category"].loc[texts.index], sort=True)[0]


def labels_of(model: InterestClusterer, rows: pd.DataFrame, seed: int) -> np.ndarray:
    """Return the clusters that a model finds with a seed."""
    return model.set_params(random_state=seed).fit(rows).labels_


def steps(vectors: pd.DataFrame, joined: pd.DataFrame, k: int) -> dict[str, tuple[Any, Any]]:
    """Return K-means, the recipe, and what lies between, each with its vectors."""
    means = KMeans(k, n_init=10)
    return {
        "kmeans": (InterestClusterer(means), vectors),
        "with words": (InterestClusterer(means), joined),
        "and smoothing": (InterestClusterer(means, NeighbourSmoothing()), joined),
        "ours": (short_text_clusterer(k), joined),
        "ours without words": (short_text_clusterer(k), vectors),
        "ours without smoothing": (InterestClusterer(IterativeClassification(k)), joined),
    }


def topics(texts: pd.Series, vectors: pd.DataFrame, nr_topics: int | None = None) -> np.ndarray:
    """Return the topics of BERTopic with its defaults, −1 for noise."""
    from bertopic import BERTopic

    rows = vectors.loc[texts.index].to_numpy(dtype=np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, and those of its dependencies
        found, _ = BERTopic(nr_topics=nr_topics).fit_transform(texts.tolist(), rows)
    return np.asarray(found)


def measured(
    name: str, texts: pd.Series, truth: np.ndarray, vectors: pd.DataFrame
) -> dict[str, float]:
    """Print one set's table and return its figures."""
    k = len(np.unique(truth))
    print(f"\n{name}: {len(texts):,} texts, {k} classes{'ACC':>12}{'NMI':>7}{'seconds':>9}")
    start = time.perf_counter()
    joined = join_words(vectors, texts)
    print(f"{'(words)':<40}{time.perf_counter() - start:>23.0f}")
    runs: dict[str, Callable[[int], np.ndarray]] = {
        step: partial(labels_of, model, rows)
        for step, (model, rows) in steps(vectors, joined, k).items()
    }
    if importlib.util.find_spec("bertopic") is None:
        print("bertopic is missing: pip install -c constraints.txt -e '.[topics]'")
    elif name in LOOKED_AT:
        # It takes no seed; its defaults differ from run to run.
        runs["bertopic"] = lambda _: topics(texts, vectors)
        runs["bertopic told k"] = lambda _: topics(texts, vectors, nr_topics=k + 1)
    figures: dict[str, float] = {}
    for step, run_once in runs.items():
        start = time.perf_counter()
        found = np.array([agreement(truth, run_once(seed)) for seed in SEEDS])
        seconds = (time.perf_counter() - start) / len(SEEDS)
        spread = " ".join(f"{acc:.3f}" for acc in found[:, 0])
        acc, nmi = found.mean(axis=0)
        print(f"{step:<24}{spread:<22}{acc:>6.3f}{nmi:>7.3f}{seconds:>9.0f}", flush=True)
        key = step.replace(" ", "_")
        figures |= {f"acc_{key}_{name}": round(acc, 4), f"nmi_{key}_{name}": round(nmi, 4)}
    return figures


def grid(name: str, texts: pd.Series, truth: np.ndarray, vectors: pd.DataFrame) -> pd.DataFrame:
    """Return ACC and the silhouette for every algorithm and reducer on a part of a set."""
    k = len(np.unique(truth))
    drawn = np.sort(np.random.default_rng(0).permutation(len(texts))[:GRID_TEXTS])
    texts, truth = texts.iloc[drawn], truth[drawn]
    rows = vectors.loc[texts.index]
    spaces = {"vectors": rows, "with words": join_words(rows, texts)}
    reducers = {"none": None, "PCA 50": PCA(50), "smoothing": NeighbourSmoothing()}
    algorithms = {
        "K-means": KMeans(k, n_init=10),
        "Ward": AgglomerativeClustering(k),
        "spectral": SpectralClustering(k, affinity="nearest_neighbors", n_neighbors=15),
        "mixture, tied": GaussianMixture(k, covariance_type="tied", reg_covar=1e-4),
        "HDBSCAN": HDBSCAN(min_cluster_size=15, copy=True),
        "classification": IterativeClassification(k),
    }
    found = []
    for algorithm, model in algorithms.items():
        for space, part in spaces.items():
            for reducer, step in reducers.items():
                clusterer = InterestClusterer(model, step, random_state=0)
                with warnings.catch_warnings():
                    warnings.filterwarnings("ignore", "Graph is not fully connected")
                    labels = clusterer.fit(part).labels_
                acc = agreement(truth, labels)[0]
                inner = evaluate_clusters(rows, pd.Series(labels, index=rows.index))
                found.append((algorithm, space, reducer, acc, inner["silhouette_cosine"]))
    columns = ["algorithm", "vectors", "reducer", name, f"{name} silhouette"]
    return pd.DataFrame(found, columns=columns).set_index(["algorithm", "vectors", "reducer"])


def run() -> dict[str, float]:
    """Print the tables and return the figures.

    Returns
    -------
    dict of str to float
        The figures of the last line.
    """
    figures: dict[str, float] = {}
    tables = []
    for name in (*LOOKED_AT, *UNSEEN):
        texts, truth = labelled(name, 5000 if name == "thucnews" else None)
        start = time.perf_counter()
        vectors = pd.DataFrame(
            np.asarray(TextEncoder(dtype="auto", progress=False).transform(texts)),
            index=texts.index,
        )
        print(f"\n{name}: encoded in {time.perf_counter() - start:.0f} s")
        figures |= measured(name, texts, truth, vectors)
        tables.append(grid(name, texts, truth, vectors))
        print(tables[-1].round(3).to_string())
    whole = pd.concat(tables, axis=1)
    scores = whole[[*LOOKED_AT, *UNSEEN]]
    print(scores.assign(mean=scores.mean(axis=1)).round(3).to_string())
    for name in (*LOOKED_AT, *UNSEEN):
        chosen = whole[f"{name} silhouette"].idxmax()
        figures[f"acc_by_silhouette_{name}"] = round(float(whole.loc[chosen, name]), 4)
        figures[f"acc_best_of_grid_{name}"] = round(float(whole[name].max()), 4)
    gains = [figures[f"acc_ours_{n}"] - figures[f"acc_kmeans_{n}"] for n in LOOKED_AT]
    figures["gain_mean"] = round(float(np.mean(gains)), 4)
    figures["gain_min"] = round(float(np.min(gains)), 4)
    unseen = [figures[f"acc_ours_{n}"] - figures[f"acc_kmeans_{n}"] for n in UNSEEN]
    figures["gain_mean_unseen"] = round(float(np.mean(unseen)), 4)
    return figures
