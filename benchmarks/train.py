"""Measure what training changes: static, masked, contrastive and adapted vectors in one table.

A small BERT is trained from nothing on titles, English and Chinese together, first as a masked
language model, then on pairs. Three questions: do its vectors group labelled texts, in its domain
and outside of it; do held-out titles find their translation; and what is adaptation to behaviour
worth on new films? The masked model alone is the negative control: it must be worse than MiniLM.
Seconds are processor seconds of this process.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import v_measure_score

from recsys_interest import (
    CosineRecommender,
    GRURecommender,
    InterestProfiler,
    PopularityRecommender,
    TextEncoder,
    TrainingPlan,
    WordVectors,
    adapt,
    behaviour_pairs,
    evaluate_recommendations,
    item_text,
    load_dataset,
    make_interest_log,
    pretrain,
    train_contrastive,
)

SEED = 0
N_HELD = 300
#: Texts of each labelled set: enough for a stable V-measure, few enough for two cores.
N_LABELLED = 1500


def run() -> dict[str, float]:
    """Print the tables and return the figures.

    Returns
    -------
    dict of str to float
        The figures of the last line.
    """
    with tempfile.TemporaryDirectory() as folder:
        result = _encoders(Path(folder))
        result.update(_films(Path(folder)))
    return result


def _encoders(folder: Path) -> dict[str, float]:
    log = make_interest_log(n_users=300, n_items=2000, seed=SEED)
    titles = log.truth["titles"].merge(log.truth["items"], on="item_id")
    titles = titles.drop_duplicates("title_en").drop_duplicates("title_zh")
    order = np.random.default_rng(SEED).permutation(len(titles))
    held, known = titles.iloc[order[:N_HELD]], titles.iloc[order[N_HELD:]]
    corpus = pd.concat([known["title_en"], known["title_zh"]])
    news = _labelled()

    seconds: dict[str, float] = {}

    def timed(name: str, make: Callable[[], Any]) -> Any:
        start = time.process_time()
        made = make()
        seconds[name] = time.process_time() - start
        return made

    plan = TrainingPlan(steps=150, learning_rate=3e-3)
    small: dict[str, Any] = {
        "vocab_size": 2000,
        "hidden_size": 64,
        "max_tokens": 40,
        "progress": False,
    }
    masked = timed("masked", lambda: pretrain(corpus, folder / "m", plan=plan, **small))
    outside = timed(
        "masked on news", lambda: pretrain(news["corpus"], folder / "n", plan=plan, **small)
    )
    given = known[["title_en", "title_zh"]].set_axis(["left", "right"], axis=1)
    shared = behaviour_pairs(log.events, known.set_index("item_id")["title_en"])
    itself = pd.DataFrame({"left": corpus, "right": corpus})
    trained = {}
    for name, pairs in (("translations", given), ("one user", shared), ("itself", itself)):
        fit = partial(train_contrastive, masked.folder, pairs, folder / name, plan=plan)
        trained[name] = timed(name, partial(fit, progress=False)).folder
    methods: dict[str, Any] = {
        "masked, cls": TextEncoder(masked.folder, pooling="cls", progress=False),
        "masked, mean": TextEncoder(masked.folder, progress=False),
        **{f"pairs: {n}": TextEncoder(path, progress=False) for n, path in trained.items()},
        "masked on news, mean": TextEncoder(outside.folder, progress=False),
        "MiniLM": TextEncoder(progress=False),
    }
    tasks = {
        "log en": (held["title_en"], held["topic"]),
        "log zh": (held["title_zh"], held["topic"]),
        **news["tasks"],
    }
    rows = {name: {t: _v(m.transform(x), y) for t, (x, y) in tasks.items()}
            for name, m in methods.items()}  # fmt: skip
    raw = methods["masked, mean"]
    rows["masked, mean, whitened"] = {t: _v(_white(raw.transform(x)), y)
                                      for t, (x, y) in tasks.items()}  # fmt: skip
    rows["static, of each set"] = {
        t: _v(WordVectors(64, random_state=SEED).fit(x).transform(x), y)
        for t, (x, y) in tasks.items()
    }
    rows["random"] = {
        t: _v(np.random.default_rng(SEED).normal(size=(len(x), 32)), y)
        for t, (x, y) in tasks.items()
    }
    table = pd.DataFrame(rows).T
    table["recall@1"] = pd.Series(
        {name: _recall(m.transform(held["title_en"]), m.transform(held["title_zh"]))
         for name, m in methods.items()}
    )  # fmt: skip
    print("V-measure of K-means, and recall@1 of translations (chance", f"{1 / N_HELD:.3f})")
    print(table.round(3).to_string(), "\n")
    print(pd.Series(seconds, name="processor seconds").round(1).to_string(), "\n")
    for pooling in ("cls", "mean"):  # the negative control
        assert table.loc[f"masked, {pooling}", "log en"] < table.loc["MiniLM", "log en"] - 0.1
        assert table.loc[f"masked, {pooling}", "AgNews"] < table.loc["MiniLM", "AgNews"] - 0.1
    assert table.loc["pairs: translations", "recall@1"] >= 0.8 > 0.1
    assert table.loc["masked, mean", "recall@1"] < 0.1
    return {
        "v_masked_mean": round(table.loc["masked, mean", "log en"], 3),
        "v_minilm": round(table.loc["MiniLM", "log en"], 3),
        "v_one_user": round(table.loc["pairs: one user", "log en"], 3),
        "v_zh_masked_mean": round(table.loc["masked, mean", "log zh"], 3),
        "recall_at_1_translations": round(table.loc["pairs: translations", "recall@1"], 3),
        "masked_seconds": round(seconds["masked"], 1),
    }


def _labelled() -> dict[str, Any]:
    """Return two labelled sets of news, English and Chinese, and other news to train on."""
    rng = np.random.default_rng(SEED)
    tasks, corpus = {}, []
    for name, short in (("agnews", "AgNews"), ("thucnews", "THUCNews")):
        items = load_dataset(name).items
        chosen = items.iloc[rng.permutation(len(items))[: 2 * N_LABELLED]]
        texts = item_text(chosen, fields=["title"]).reset_index(drop=True)
        labels = chosen["category"].reset_index(drop=True)
        tasks[short] = (texts.head(N_LABELLED), labels.head(N_LABELLED))
        corpus.append(texts.tail(N_LABELLED))
    return {"tasks": tasks, "corpus": pd.concat(corpus)}


def _films(folder: Path) -> dict[str, float]:
    data = load_dataset("movielens-small")
    likes = data.events[(data.events["event"] == "rate") & (data.events["value"] >= 4)]
    often = likes["item_id"].value_counts().loc[lambda n: n >= 5].index
    likes = likes[likes["item_id"].isin(often)]
    films = data.items[data.items["item_id"].isin(often)]
    encoder = TextEncoder(progress=False)
    start = time.process_time()
    done = adapt(encoder, likes, films, folder / "films", random_state=SEED, progress=False)
    seconds = time.process_time() - start
    print("New films (20 % of the films lost all events), users' mean recall and gain over frozen")
    print(done.report.round(3).to_string())
    print(f"fine-tuned: {done.fine_tuned!r}; all in {seconds:.0f} processor seconds\n")
    hits = _next_film(likes, films, encoder.transform(item_text(films)))
    print("Next film: the last liked film of each user among ten")
    print(hits.round(3).to_string())
    return {
        "recall_frozen": round(done.report.loc["frozen", "recall@10"], 3),
        "gain_ridge": round(done.report.loc["ridge", "gain"], 3),
        "gain_fine_tuned": round(done.report.loc["fine-tuned", "gain"], 3),
        **{f"hit_{name.replace(' ', '_')}": round(hit, 3) for name, hit in hits["mean"].items()},
    }


def _next_film(likes: pd.DataFrame, films: pd.DataFrame, vectors: pd.DataFrame) -> pd.DataFrame:
    ordered = likes.sort_values(["user_id", "timestamp", "item_id"])
    last = ordered.groupby("user_id").tail(1)
    past = ordered.drop(last.index)
    last = last[last["user_id"].isin(past["user_id"])]
    rows = {}
    for name, method in (
        ("popularity", PopularityRecommender()),
        ("profile cosine", CosineRecommender()),
        ("last cosine", CosineRecommender(InterestProfiler(half_life=1e-4))),
        ("gru", GRURecommender(random_state=SEED, progress=False)),
    ):
        start = time.process_time()
        lists = method.fit(past, films, vectors).recommend(last["user_id"], k=10)
        seconds = time.process_time() - start
        hit = evaluate_recommendations(lists, last, k=10).loc["hit_rate@10"]
        rows[name] = {**hit[["mean", "ci_low", "ci_high"]], "seconds": seconds}
    return pd.DataFrame(rows).T


def _v(vectors: Any, labels: pd.Series) -> float:
    rows = np.asarray(vectors, dtype=float)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(length > 0, length, 1)
    k = labels.nunique()
    runs = [KMeans(k, n_init=3, random_state=s).fit_predict(rows) for s in range(3)]
    return float(np.mean([v_measure_score(labels, found) for found in runs]))


def _white(vectors: pd.DataFrame) -> Any:
    return PCA(16, whiten=True, random_state=SEED).fit_transform(vectors)


def _recall(english: pd.DataFrame, chinese: pd.DataFrame) -> float:
    """Return the share that finds its translation, the worse of the two directions."""
    cosine = english.to_numpy() @ chinese.to_numpy().T
    right = np.arange(len(cosine))
    return float(min((cosine.argmax(1) == right).mean(), (cosine.argmax(0) == right).mean()))
