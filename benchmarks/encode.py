"""Measure the encoder against sentence-transformers: how fast, how equal, and how much is left.

The peer is `sentence_transformers.SentenceTransformer(...).encode` with its defaults (float32), on
the same texts in the same run, the two taking turns; times are medians, ratios above 1 mean that
the package is faster. Short texts: titles and genres of MovieLens. Long texts: consecutive
StackOverflow titles joined to about 50 tokens. `share_of_gemm_peak` divides the operations of the
model's matrix products a second by the best rate of a bare bfloat16 (or float32) product here. The
last figures: K-means on StackOverflow's labelled titles, for every arithmetic, so that speed at the
cost of quality would show. Without sentence-transformers (extra `bench`) there is nothing to
compare with.
"""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.metrics import confusion_matrix, normalized_mutual_info_score
from threadpoolctl import threadpool_limits

from recsys_interest import TextEncoder, TokenVectors, item_text, load_dataset, load_tables

ROUNDS = 5
N_SHORT, N_LONG, N_LABELLED, N_WARM = 1500, 400, 20_000, 100_000
THREADS = 2


def run() -> dict[str, float | str | bool]:
    """Print the tables and return the figures.

    Returns
    -------
    dict of str to float, str or bool
        The figures of the last line.
    """
    # More threads than cores would measure the scheduler.
    threads = min(THREADS, os.cpu_count() or 1)
    torch.set_num_threads(threads)
    titles = labelled_titles()
    texts = {"short": short_texts(), "long": long_texts(titles["text"])}
    encoders = {d: TextEncoder(dtype=d, progress=False).fit() for d in ("auto", "float32")}
    peer = peer_encode(encoders["float32"])
    results: dict[str, float | str | bool] = {
        "threads": threads,
        "dtype": encoders["auto"].dtype_,
        "gemm_gflops_float32": round(gemm_rate(torch.float32) / 1e9, 1),
        "gemm_gflops": round(gemm_rate(getattr(torch, encoders["auto"].dtype_)) / 1e9, 1),
    }
    print(f"{'texts':<7}{'arithmetic':<12}{'texts/s':>9}{'peer':>8}{'ratio':>7}{'min cosine':>12}")
    for length, some in texts.items():
        results |= compare(length, some, encoders, peer)
    results |= warm(texts["short"])
    results |= quality(titles, encoders)
    return results


def compare(
    length: str, texts: list[str], encoders: dict[str, TextEncoder], peer: Callable[..., Any]
) -> dict[str, float | str | bool]:
    """Time the encoders and the peer in turns, and compare their vectors."""
    ways: dict[str, Callable[[list[str]], Any]] = {"peer": peer}
    ways |= {dtype: encoder.transform for dtype, encoder in encoders.items()}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    vectors = {name: np.asarray(encode(texts)) for name, encode in ways.items()}  # warms up, too
    for _ in range(ROUNDS):
        for name, encode in ways.items():
            gc.collect()
            start = time.perf_counter()
            encode(texts)
            seconds[name].append(time.perf_counter() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    n_tokens = sum(map(len, encoders["auto"].tokenizer_(texts)["input_ids"]))
    operations = n_tokens * operations_per_token(encoders["auto"].model_)
    figures: dict[str, float | str | bool] = {}
    for dtype, suffix in (("auto", ""), ("float32", "_float32")):
        cosine = float((vectors[dtype] * vectors["peer"]).sum(axis=1).min())
        ratio = statistics.median(
            p / o for p, o in zip(seconds["peer"], seconds[dtype], strict=True)
        )
        rate, peer_rate = len(texts) / median[dtype], len(texts) / median["peer"]
        name = encoders[dtype].dtype_
        print(f"{length:<7}{name:<12}{rate:>9.0f}{peer_rate:>8.0f}{ratio:>7.2f}{cosine:>12.6f}")
        share = operations / median[dtype] / gemm_rate(getattr(torch, name))
        figures |= {
            f"{length}_ratio{suffix}": round(ratio, 2),
            f"{length}_min_cosine{suffix}": round(cosine, 7),
            f"{length}_share_of_gemm_peak{suffix}": round(share, 3),
        }
    figures[f"{length}_tokens"] = round(n_tokens / len(texts), 1)
    figures[f"{length}_texts_per_s"] = round(len(texts) / median["auto"], 1)
    figures[f"{length}_peer_share_of_gemm_peak_float32"] = round(
        operations / median["peer"] / gemm_rate(torch.float32), 3
    )
    return figures


def warm(texts: list[str]) -> dict[str, float]:
    """Time a call whose vectors are all in the cache."""
    many = [f"{texts[i % len(texts)]} {i}" for i in range(N_WARM)]
    with tempfile.TemporaryDirectory() as folder:
        encoder = TextEncoder(cache=Path(folder) / "vectors.sqlite", progress=False).fit()
        # The network is replaced: filling the cache with real vectors would take minutes.
        model = encoder._language_model
        whole, noise = model.vectors, np.random.default_rng(0)
        model.vectors = lambda rows, pooling: noise.random(  # type: ignore[method-assign]
            (len(rows), model.width), dtype=np.float32
        )
        encoder.transform(many)
        model.vectors = whole  # type: ignore[method-assign]
        seconds = []
        for _ in range(ROUNDS):
            start = time.perf_counter()
            encoder.transform(many)
            seconds.append(time.perf_counter() - start)
    median = statistics.median(seconds)
    print(f"\n{N_WARM:,} texts from the cache: {median:.2f} s")
    return {"warm_texts_per_s": round(N_WARM / median), "warm_seconds": round(median, 3)}


def quality(titles: pd.DataFrame, encoders: dict[str, TextEncoder]) -> dict[str, float]:
    """Cluster labelled titles by the vectors of each arithmetic; static token vectors beside it."""
    figures: dict[str, float] = {}
    print(f"\n{'vectors':<16}{'texts/s':>9}{'ACC':>7}{'NMI':>7}")
    ways: dict[str, Any] = {e.dtype_: e for e in encoders.values()}
    ways["static"] = TokenVectors()
    for name, encoder in ways.items():
        encoder.fit(titles["text"].head(100))
        start = time.perf_counter()
        vectors = np.asarray(encoder.transform(titles["text"]), dtype=np.float32)
        rate = len(titles) / (time.perf_counter() - start)
        acc, nmi = clustering(vectors, titles["label"].to_numpy())
        print(f"{name:<16}{rate:>9.0f}{acc:>7.3f}{nmi:>7.3f}")
        figures |= {f"stackoverflow_acc_{name}": acc, f"stackoverflow_nmi_{name}": nmi}
        figures[f"stackoverflow_texts_per_s_{name}"] = round(rate, 1)
    return figures


def clustering(vectors: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return accuracy under the best matching, and NMI, means of three seeds of K-means."""
    scores = []
    with threadpool_limits(THREADS):
        for seed in range(3):
            k_means = KMeans(len(np.unique(labels)), n_init=10, random_state=seed)
            found = k_means.fit_predict(vectors)
            table = confusion_matrix(labels, found)
            hits = table[linear_sum_assignment(-table)].sum()
            scores.append((hits / len(labels), normalized_mutual_info_score(labels, found)))
    acc, nmi = np.mean(scores, axis=0)
    return round(float(acc), 3), round(float(nmi), 3)


def short_texts() -> list[str]:
    """Return titles and genres of films, each once."""
    items = load_dataset("movielens-small").items
    return item_text(items).drop_duplicates().sample(N_SHORT, random_state=0).tolist()


def labelled_titles() -> pd.DataFrame:
    """Return StackOverflow's titles: `text` and `label`."""
    (table,) = load_tables("stackoverflow").values()
    return table.head(N_LABELLED)


def long_texts(titles: Iterable[str]) -> list[str]:
    """Return titles joined by fours, about 50 tokens each."""
    some = list(titles)[: 4 * N_LONG]
    return [" ".join(some[i : i + 4]) for i in range(0, len(some), 4)]


def peer_encode(encoder: TextEncoder) -> Callable[[list[str]], np.ndarray]:
    """Return the peer's own call, with its defaults and the same weights."""
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(encoder.files_.path), device="cpu")
    return lambda texts: np.asarray(model.encode(texts, show_progress_bar=False))


def operations_per_token(model: Any) -> int:
    """Return the operations of the matrix products with weights, a multiplication being two."""
    weights = model.encoder.named_parameters()
    return sum(2 * p.numel() for name, p in weights if name.endswith("dense.weight")) + sum(
        2 * p.numel()
        for name, p in model.encoder.named_parameters()
        if name.split(".")[-2] in {"query", "key", "value"} and name.endswith("weight")
    )


_RATES: dict[torch.dtype, float] = {}


def gemm_rate(kind: torch.dtype) -> float:
    """Return the best rate of a bare matrix product, operations a second."""
    if kind not in _RATES:
        best = 0.0
        for n, m, k in ((2048, 2048, 2048), (4096, 1536, 384), (4096, 384, 1536)):
            left, right = torch.randn(n, k).to(kind), torch.randn(m, k).to(kind)
            for _ in range(15):
                start = time.perf_counter()
                torch.nn.functional.linear(left, right)
                best = max(best, 2 * n * m * k / (time.perf_counter() - start))
        _RATES[kind] = best
    return _RATES[kind]
