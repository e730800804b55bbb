"""Measure clusters of a million users: speed against K-means, and planted interests found again.

Speed: one million unit vectors of 384 numbers, 100 clusters, two threads; `ours` is the whole of
`InterestClusterer` around MiniBatchKMeans, the peer KMeans(n_init=1) on the same rows. Two tables:
`users` are means of five StackOverflow titles, four of one topic, and `planted` are 100 directions
with noise, where a bad start is punished. The ratios are the worse of the two. Each fit has a
process of its own; its memory is what the process grew by at the peak, divided by the size of the
table, which counts too: `memory_ratio` for ours, `memory_ratio_estimator` for MiniBatchKMeans
alone. The other candidates stand beside them, losing or not.

Planted interests: the profiles of `make_interest_log` clustered into as many clusters as there are
topics, means of three logs. `ceiling` knows the topic of every item and takes each user's most
frequent one: what the log itself does not say, nobody can find. `k_error` is that
of `cluster_count`.
"""

from __future__ import annotations

import functools
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from benchmarks.cluster_count import k_error
from recsys_interest import (
    InterestClusterer,
    InterestProfiler,
    TextEncoder,
    item_text,
    load_tables,
    make_interest_log,
)
from recsys_interest.partitions import blocks
from recsys_interest.vectors import unit_rows

Floats = np.ndarray[Any, np.dtype[np.float32]]

USERS, FEATURES, CLUSTERS = 1_000_000, 384, 100
TITLES, TITLES_EACH = 8_000, 5
THREADS = 2
NOISE = 1.0  # length of the noise around a planted direction of length one
SEEDS = range(3)


def run() -> dict[str, float]:
    """Print the tables and return the figures.

    Returns
    -------
    dict of str to float
        The figures of the last line.
    """
    return speed() | planted_interests() | {"k_error": k_error()}


# Speed


def speed() -> dict[str, float]:
    """Return how much faster the recipe is than K-means, at which inertia and memory."""
    ways = [name for name in WAYS if name != "faiss" or importlib.util.find_spec("faiss")]
    worst: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "titles.npz"
        vectors, topics = _titles()
        np.savez(path, vectors=vectors, topics=topics)
        for table in TABLES:
            print(f"\n{table:<13}{'seconds':>9}{'faster':>8}{'inertia':>9}{'memory':>8}")
            found = {way: _in_own_process(path, table, way) for way in ways}
            peer = dict(found["KMeans"])  # its own row is divided too
            for row in found.values():
                row["speed"] = peer["seconds"] / row["seconds"]
                row["inertia"] /= peer["inertia"]
            for way, row in found.items():
                print(
                    f"{way:<13}{row['seconds']:>9.1f}{row['speed']:>8.1f}"
                    f"{row['inertia']:>9.4f}{row['memory']:>8.2f}"
                )
            ours = found["ours"]
            worst["speed_ratio"] = min(worst.get("speed_ratio", np.inf), ours["speed"])
            for name in ("inertia", "memory"):
                worst[f"{name}_ratio"] = max(worst.get(f"{name}_ratio", 0.0), ours[name])
            bare = found["MiniBatch"]["memory"]
            worst["memory_ratio_estimator"] = max(worst.get("memory_ratio_estimator", 0.0), bare)
    return {name: round(float(value), 4) for name, value in worst.items()}


def measure(path: str, table: str, way: str) -> dict[str, float]:
    """Return seconds, inertia and peak memory of one way on one table, in this process."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with np.load(path) as titles:
        X = TABLES[table](titles["vectors"], titles["topics"])
    with threadpool_limits(THREADS):
        start = time.perf_counter()
        centres = WAYS[way](X)
        seconds = time.perf_counter() - start
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024  # KiB on Linux
    return {
        "seconds": seconds,
        "inertia": inertia(X, centres),
        "memory": grown / X.nbytes,
    }


def inertia(X: Floats, centres: Floats) -> float:
    """Return the sum of squared distances to the nearest centre, computed alike for all ways."""
    total, length = 0.0, np.square(centres, dtype=np.float64).sum(axis=1)
    for here in blocks(len(X)):
        nearest = (length - 2.0 * (X[here] @ centres.T)).min(axis=1)
        total += float((nearest + np.square(X[here]).sum(axis=1)).sum())
    return total


def fast(n_clusters: int = CLUSTERS) -> MiniBatchKMeans:
    """Return the clusterer of the recipe, unfitted."""
    return MiniBatchKMeans(n_clusters, batch_size=8192, init_size=5000, n_init=3, random_state=0)


def _ours(X: Floats) -> Floats:
    model = InterestClusterer(fast()).fit(X)
    return _means(X, model.labels_)


def _faiss(X: Floats) -> Floats:
    import faiss

    faiss.omp_set_num_threads(THREADS)
    start = faiss.ClusteringInitMethod_KMEANS_PLUS_PLUS
    model = faiss.Kmeans(X.shape[1], CLUSTERS, niter=25, seed=0, init_method=start)
    model.train(X)
    return np.asarray(model.centroids)


WAYS: dict[str, Callable[[Floats], Floats]] = {
    "KMeans": lambda X: KMeans(CLUSTERS, n_init=1, random_state=0).fit(X).cluster_centers_,
    "ours": _ours,
    "MiniBatch": lambda X: fast().fit(X).cluster_centers_,
    "faiss": _faiss,
}


def _means(X: Floats, labels: np.ndarray[Any, Any]) -> Floats:
    # The centroids of the package have length one; inertia asks for means.
    sums = np.array([X[labels == k].sum(axis=0) for k in range(labels.max() + 1)])
    return np.asarray(sums / np.bincount(labels)[:, None], dtype=np.float32)


def users_of_titles(vectors: Floats, topics: np.ndarray[Any, Any]) -> Floats:
    """Return users that are the mean of five titles, the last of any topic."""
    rng = np.random.default_rng(0)
    order = np.argsort(topics, kind="stable")
    size = np.bincount(topics)
    first = np.cumsum(size) - size
    mine = rng.integers(0, len(size), USERS)
    X = np.zeros((USERS, vectors.shape[1]), dtype=np.float32)
    for turn in range(TITLES_EACH):
        topic = mine if turn + 1 < TITLES_EACH else rng.integers(0, len(size), USERS)
        picked = order[first[topic] + (rng.random(USERS) * size[topic]).astype(np.int64)]
        for here in blocks(USERS):
            X[here] += vectors[picked[here]]
    return _unit(X)


def users_of_directions(vectors: Floats, topics: np.ndarray[Any, Any]) -> Floats:
    """Return users around 100 random directions of different sizes."""
    rng = np.random.default_rng(0)
    centres = unit_rows(rng.normal(size=(CLUSTERS, FEATURES))).astype(np.float32)
    mine = rng.choice(CLUSTERS, USERS, p=rng.dirichlet(np.full(CLUSTERS, 2.0)))
    X = np.empty((USERS, FEATURES), dtype=np.float32)
    for here in blocks(USERS):
        X[here] = rng.standard_normal(X[here].shape, dtype=np.float32)
        X[here] = centres[mine[here]] + X[here] * np.float32(NOISE / np.sqrt(FEATURES))
    return _unit(X)


TABLES: dict[str, Callable[[Floats, np.ndarray[Any, Any]], Floats]] = {
    "users": users_of_titles,
    "planted": users_of_directions,
}


def _unit(X: Floats) -> Floats:
    for here in blocks(len(X)):
        X[here] = unit_rows(X[here])
    return X


def _titles() -> tuple[Floats, np.ndarray[Any, Any]]:
    (table,) = load_tables("stackoverflow").values()
    some = table.head(TITLES)
    encoder = TextEncoder(progress=False)
    vectors = np.asarray(encoder.fit_transform(some["text"]), dtype=np.float32)
    return vectors, pd.factorize(some["label"], sort=True)[0]


def _in_own_process(path: Path, table: str, way: str) -> dict[str, float]:
    call = f"measure({str(path)!r}, {table!r}, {way!r})"
    code = f"import json; from benchmarks.clusters import measure; print(json.dumps({call}))"
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures


# Planted interests


def planted_interests() -> dict[str, float]:
    """Return the ARI of the clusters with the planted interests, by the length of the log."""
    out: dict[str, float] = {}
    print(f"\n{'events/user':<13}{'ARI':>7}{'ceiling':>9}{'shuffled':>10}")
    for events, suffix in ((30, ""), (10, "_10_events")):
        ours, ceiling, chance = np.mean([_agreement(events, seed) for seed in SEEDS], axis=0)
        print(f"{events:<13}{ours:>7.3f}{ceiling:>9.3f}{chance:>10.3f}")
        out[f"ari_planted{suffix}"] = round(float(ours), 4)
        out[f"ari_ceiling{suffix}"] = round(float(ceiling), 4)
    return out


def user_vectors(events_per_user: int, seed: int) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    """Return the profiles of a generated log, the planted interest and the most frequent topic."""
    data = make_interest_log(events_per_user=events_per_user, seed=seed)
    vectors = _item_vectors(seed)
    # What is done with an item says how deep an interest is, not which one it is.
    users = InterestProfiler(weigh_events=False).fit(data.events, vectors).profiles_
    interest = data.truth["users"].set_index("user_id")["interest"].loc[users.index]
    topics = data.events["item_id"].map(data.truth["items"].set_index("item_id")["topic"])
    counts = pd.crosstab(data.events["user_id"], topics)
    return users, interest, counts.idxmax(axis=1).loc[users.index]


@functools.cache
def _item_vectors(seed: int) -> pd.DataFrame:
    # The items do not depend on how many events there are.
    return TextEncoder(progress=False).fit_transform(item_text(make_interest_log(seed=seed).items))


def _agreement(events_per_user: int, seed: int) -> tuple[float, float, float]:
    users, interest, favourite = user_vectors(events_per_user, seed)
    model = KMeans(interest.nunique(), n_init=10)
    labels = InterestClusterer(model, random_state=seed).fit(users).labels_
    shuffled = np.random.default_rng(seed).permutation(labels)
    return (
        adjusted_rand_score(interest, labels),
        adjusted_rand_score(interest, favourite),
        adjusted_rand_score(interest, shuffled),
    )
