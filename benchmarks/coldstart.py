"""Measure which of the items that nobody has liked yet are shown to those who will like them.

The data of `python -m benchmarks recommend`; a fifth of the items, drawn at random, loses all its
ratings and is all that can be recommended, five times anew. Measured on every user with ratings on
both sides. The text-informed model chooses its rule for new items inside each `fit`, on the
training ratings; ridge and smoothing have the setting that does best there; text k-NN the one that
the test likes best, which flatters it. The cosine is that of the mean text vector of the language
model; the others read the wider vectors. Intervals are Student's t over the draws.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks._ratings import SEEDS, K, Tables, data, ndcg, over_seeds
from recsys_interest import (
    ColdRule,
    CosineRecommender,
    Recommender,
    TextInformedRecommender,
    TextKNNRecommender,
    cold_item_split,
)
from recsys_interest.cold_rules import with_cold

DATA = ("movielens-1m", "goodbooks")
TEXT_KNN = (5, 20, 50)


def measure(name: str, tables: Tables, seed: int) -> dict[str, float]:
    """Print the table of one draw and return NDCG@10 by method.

    Parameters
    ----------
    name : str
        A data set.
    tables : tuple of DataFrames
        Of `data`.
    seed : int
        Of the items that lose their ratings.

    Returns
    -------
    dict
        NDCG@10 by method.
    """
    events, items, bert, wide = tables
    split = cold_item_split(events, test_share=0.2, random_state=seed)
    test = split.test[split.test["user_id"].isin(split.train["user_id"])]
    users, new = test["user_id"].unique(), test["item_id"].unique()

    def value(key: str, fitted: Recommender) -> float:
        per_user = ndcg(fitted.recommend(users, K, candidates=new), test)
        error = per_user.std() / np.sqrt(len(per_user))
        print(f"{name} {seed} {key:32} {per_user.mean():.4f} +- {1.96 * error:.4f}", flush=True)
        return float(per_user.mean())

    model = TextInformedRecommender().fit(split.train, items, wide)
    rule = model.cold_rule_
    said = f"text_informed: {rule.kind}, {rule.setting:g}, own {rule.own:g}"
    out = {"text_informed": value(said, model)}
    tried = model.validation_[model.validation_["stage"] == "cold"]
    if seed == SEEDS[0]:
        print(model.validation_.round(4).to_string())
    out["text_knn"] = max(
        value(f"text k-NN, k={k}", TextKNNRecommender(k).fit(split.train, items, wide))
        for k in TEXT_KNN
    )
    for kind in ("ridge", "smoothing"):
        setting = tried[tried["rule"] == kind].nlargest(1, "ndcg")["setting"].item()
        other = _with_rule(model, ColdRule(kind, setting))
        out[kind] = value(f"{kind}, {setting:g}", other)
    out["cosine"] = value("cosine", CosineRecommender().fit(split.train, items, bert))
    out["random"] = value("random", _Chance().fit(split.train, items, bert))
    return out


def _with_rule(model: TextInformedRecommender, rule: ColdRule) -> TextInformedRecommender:
    """Return the fitted model with another rule for new items: the rest would be the same."""
    other = copy.copy(model)
    other.model_ = with_cold(model.model_, rule, model.text_, model.likes_.sum(axis=0))
    return other


class _Chance(Recommender):
    """Scores drawn at random, the same for the same user."""

    source = "random"

    def _learn(self, log: Any, items: Any, item_vectors: Any) -> None:
        pass

    def _scores(self, users: Any) -> Any:
        return np.stack([np.random.default_rng(u + 1).random(len(self.item_ids_)) for u in users])


def run() -> dict[str, Any]:
    """Print the tables and return the figures.

    Returns
    -------
    dict
        The figures of the last line.
    """
    out: dict[str, Any] = {
        "cold_ndcg": {},
        "intervals": {},
        "over_cosine": {},
        "over_best_text": {},
    }
    with threadpool_limits(2):
        for name in DATA:
            tables = data(name)
            every = pd.DataFrame([measure(name, tables, seed) for seed in SEEDS])
            rivals = every[["text_knn", "ridge", "smoothing"]]
            every["best_text"] = every[rivals.mean().idxmax()]
            out["cold_ndcg"][name] = every.mean().round(4).to_dict()
            out["intervals"][name] = {key: over_seeds(every[key]) for key in every}
            for key in ("cosine", "best_text"):
                ratio = over_seeds(every["text_informed"] / every[key])
                out[f"over_{key}"][name] = ratio
                print(f"{name}: text_informed over {key}: {ratio}", flush=True)
    return out
