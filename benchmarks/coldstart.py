"""Measure which of the items that nobody has liked yet are shown to those who will like them.

The data of `python -m benchmarks recommend`; a fifth of the items, drawn at random, loses all its
ratings and is all that can be recommended. Measured on every user with ratings on both sides. The
text-informed model chooses its rule for new items inside `fit`, on the training ratings; ridge and
smoothing have the setting that does best there; text k-NN the one that the test likes best, which
flatters it. The cosine is that of the mean text vector of the language model; the others read the
wider vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from benchmarks.recommend import K, data, ndcg
from recsys_interest import (
    ColdRule,
    CosineRecommender,
    Recommender,
    TextInformedRecommender,
    TextKNNRecommender,
    cold_item_split,
)

DATA = ("movielens-1m", "goodbooks")
TEXT_KNN = (5, 20, 50)


def measure(name: str, seed: int = 0) -> dict[str, Any]:
    """Print the table of one data set and return NDCG@10 by method.

    Parameters
    ----------
    name : str
        A data set.
    seed : int, default 0
        Of the items that lose their ratings.

    Returns
    -------
    dict
        NDCG@10 by method, and the rule that was chosen.
    """
    events, items, bert, wide = data(name)
    split = cold_item_split(events, test_share=0.2, random_state=seed)
    test = split.test[split.test["user_id"].isin(split.train["user_id"])]
    users, new = test["user_id"].unique(), test["item_id"].unique()

    def value(key: str, model: Recommender, vectors: pd.DataFrame) -> float:
        fitted = model.fit(split.train, items, vectors)
        per_user = ndcg(fitted.recommend(users, K, candidates=new), test)
        error = per_user.std() / np.sqrt(len(per_user))
        print(f"{name:14} {key:22} {per_user.mean():.4f} +- {1.96 * error:.4f}", flush=True)
        return float(per_user.mean())

    chosen = TextInformedRecommender()
    out: dict[str, Any] = {"text_informed": value("text_informed", chosen, wide)}
    tried = chosen.validation_
    print(tried[tried["stage"] == "cold"].round(4).to_string())
    others = [value(f"text k-NN, k={k}", TextKNNRecommender(k), wide) for k in TEXT_KNN]
    for kind in ("ridge", "smoothing"):
        best = tried[tried["rule"] == kind].nlargest(1, "ndcg")["setting"].item()
        rule = ColdRule(kind, best)
        model = TextInformedRecommender(chosen.l2_, chosen.text_weight_, cold_rule=rule)
        others.append(value(f"{kind}, {best:g}", model, wide))
    out["best_text"] = max(others)
    out["cosine"] = value("cosine", CosineRecommender(), bert)
    out["random"] = value("random", _Chance(), bert)
    out = {key: round(number, 4) for key, number in out.items()}
    rule = chosen.cold_rule_
    return out | {"rule": f"{rule.kind} {rule.setting:g}"}


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
    with threadpool_limits(2):
        return {"cold_ndcg": {name: measure(name) for name in DATA}}
