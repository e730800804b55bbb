"""The ratings, the item vectors and the classics that `recommend` and `coldstart` measure with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

from recsys_interest import (
    ALSRecommender,
    EaseRecommender,
    ItemKNNRecommender,
    PopularityRecommender,
    Recommender,
    SVDRecommender,
    TextEncoder,
    UserKNNRecommender,
    item_text,
    load_dataset,
    per_user_metrics,
    random_split,
)

Tables = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame, pd.DataFrame]
K = 10
SEEDS = (0, 1, 2, 3, 4)
N_HASHED, N_HASHED_TAGS = 4096, 512
N_TUNING_USERS = 2000
CLASSICS: dict[str, Sequence[Recommender]] = {
    "popularity": (PopularityRecommender(),),
    "item_knn": [
        ItemKNNRecommender(n, shrinkage=h, neighbors_of=side)
        for n in (20, 100, 300)
        for h in (0.0, 20.0)
        for side in ("scored", "liked")
    ],
    "user_knn": [UserKNNRecommender(n, shrinkage=10.0) for n in (50, 100)],
    "svd": [SVDRecommender(n) for n in (16, 32, 64)],
    "als": [ALSRecommender(n, l2=l2) for n, l2 in ((32, 5.0), (64, 5.0), (64, 30.0))],
    "ease": [EaseRecommender(l2) for l2 in (50.0, 100.0, 200.0, 400.0, 800.0)],
}


def data(name: str) -> Tables:
    """Return the ratings that count, the items, their language model's and their wider vectors.

    Parameters
    ----------
    name : str
        A data set.

    Returns
    -------
    tuple of four DataFrames
        Events, items, and the two of `vectors_of`.
    """
    found = load_dataset(name)
    events = found.events[(found.events["event"] == "rate") & (found.events["value"] >= 4)]
    events = events.drop_duplicates(["user_id", "item_id"])
    times = events.groupby("item_id")["item_id"].transform("size")
    events = events[times >= 5]
    items = found.items[found.items["item_id"].isin(events["item_id"])]
    return events, items, *vectors_of(items)


def vectors_of(items: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the vectors of the language model, and wider ones.

    The wider ones hold beside them the hashed, weighted words of the text, those of the tags alone,
    and the year that the title names, if it does, so that years near each other are alike. What
    they are made of and their weights were chosen on other draws of the same ratings, which makes
    the figures somewhat optimistic.

    Parameters
    ----------
    items : DataFrame
        Valid items.

    Returns
    -------
    tuple of two DataFrames of float32
        Indexed by item.
    """
    texts = item_text(items)
    bert = TextEncoder(dtype="auto", cache="default", progress=False).fit_transform(texts)
    parts = [bert.to_numpy(), _words(texts, N_HASHED)]
    ids = items["item_id"]
    for column, make in (("tags", _tags), ("title", _years)):
        if column in items:
            parts.append(0.7 * make(items[column].set_axis(ids).reindex(bert.index).fillna("")))
    return bert, pd.DataFrame(np.hstack(parts).astype(np.float32), index=bert.index)


def _words(texts: pd.Series, n_features: int) -> NDArray[np.float64]:
    hashing = HashingVectorizer(n_features=n_features, norm=None, alternate_sign=False)
    weighing = TfidfTransformer(sublinear_tf=True)
    return np.asarray(weighing.fit_transform(hashing.transform(texts)).toarray())


def _tags(tags: pd.Series) -> NDArray[np.float64]:
    return _words(tags, N_HASHED_TAGS)


def _years(titles: pd.Series) -> NDArray[np.float64]:
    year = titles.str.extract(r"\((\d{4})\)$")[0].astype(float).to_numpy()
    near = np.exp(-0.5 * np.square((year[:, None] - np.arange(1900, 2030, 5)) / 5))
    return np.asarray(normalize(np.nan_to_num(near)))


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
    users = split.test["user_id"].drop_duplicates()
    users = users.sample(min(len(users), N_TUNING_USERS), random_state=0)
    test = split.test[split.test["user_id"].isin(users)]
    values = [ndcg(c.fit(split.train, *tables).recommend(users, K), test).mean() for c in choices]
    return choices[int(np.argmax(values))]


def over_seeds(values: Sequence[float]) -> dict[str, float | None]:
    """Return the mean of one number per seed and its 95 % interval (Student's t).

    Parameters
    ----------
    values : sequence of float
        One for each seed.

    Returns
    -------
    dict
        `mean`, `low` and `high`; None, which JSON knows, where one seed has no interval.
    """
    mean = float(np.mean(values))
    if len(values) == 1:
        return {"mean": round(mean, 4), "low": None, "high": None}
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    found = {"mean": mean, "low": mean - half, "high": mean + half}
    return {key: round(float(value), 4) for key, value in found.items()}
