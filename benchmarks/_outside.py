"""EASE and item k-NN by other packages, on the same split and measured in the same way."""

from __future__ import annotations

import importlib.util
import warnings
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from benchmarks._ratings import K, ndcg
from recsys_interest import EaseRecommender, ItemKNNRecommender
from recsys_interest.behaviour import LinearRecommender


def ease_vs_outside(
    train: pd.DataFrame, test: pd.DataFrame, items: pd.DataFrame, l2: float
) -> float | None:
    """Return the relative difference of NDCG@10 to EASE of the package `cornac`.

    Parameters
    ----------
    train, test : DataFrame
        Events.
    items : DataFrame
        The catalogue.
    l2 : float
        The penalty, of both.

    Returns
    -------
    float or None
        None where the package is missing.
    """
    if importlib.util.find_spec("cornac") is None:
        print("cornac is missing: pip install -c constraints.txt -e '.[outside]'")
        return None
    from cornac.data import Dataset
    from cornac.models import EASE

    own = EaseRecommender(l2).fit(train, items)
    rows, columns = own.likes_.nonzero()
    table = Dataset.from_uir(list(zip(rows, columns, np.ones(len(rows)), strict=True)))
    # By default it drops the negative weights, which is not EASE as published.
    other = EASE(lamb=l2, posB=False, verbose=False).fit(table)
    user, item = (np.array(list(m)) for m in (table.user_ids, table.item_ids))

    def scores(users: NDArray[np.intp]) -> NDArray[Any]:
        place = pd.Index(user).get_indexer(users)
        out = np.full((len(users), own.likes_.shape[1]), -np.inf)
        out[:, item] = [np.asarray(other.score(p)).ravel() for p in place]
        return out

    return _difference(own, scores, test)


def item_knn_vs_outside(
    train: pd.DataFrame, test: pd.DataFrame, items: pd.DataFrame, n_neighbors: int
) -> float:
    """Return the relative difference of NDCG@10 to item k-NN of the package `implicit`.

    Both keep the neighbours of the liked item, as Deshpande and Karypis (2004) do.

    Parameters
    ----------
    train, test : DataFrame
        Events.
    items : DataFrame
        The catalogue.
    n_neighbors : int
        How many neighbours to keep, beside the item itself.

    Returns
    -------
    float
        Zero where the two agree.
    """
    from implicit.nearest_neighbours import CosineRecommender as Outside

    own = ItemKNNRecommender(n_neighbors, shrinkage=0.0, neighbors_of="liked").fit(train, items)
    other = Outside(K=n_neighbors + 1, num_threads=1)  # it counts the item itself
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of its own conversion
        other.fit(sparse.csr_matrix(own.likes_), show_progress=False)
    similarity = sparse.csr_array(other.similarity)

    def scores(users: NDArray[np.intp]) -> NDArray[Any]:
        return np.asarray((own.likes_[users] @ similarity).toarray())

    return _difference(own, scores, test)


def _difference(own: LinearRecommender, scores: Any, test: pd.DataFrame) -> float:
    """Return how much better the package's NDCG is than that of lists cut from the scores."""
    users = own.user_ids_.get_indexer(test["user_id"].unique())
    users = users[users >= 0]
    parts = []
    for chunk in np.array_split(users, max(1, len(users) // 500)):
        found = scores(chunk)
        known = own.likes_[chunk]
        found[np.repeat(np.arange(len(chunk)), np.diff(known.indptr)), known.indices] = -np.inf
        parts.append(np.argsort(-found, axis=1, kind="stable")[:, :K])
    best = np.vstack(parts)
    lists = pd.DataFrame(
        {
            "user_id": own.user_ids_[np.repeat(users, K)],
            "item_id": own.item_ids_[best.ravel()],
            "rank": np.tile(np.arange(1, K + 1), len(users)),
        }
    )
    theirs = ndcg(lists, test).mean()
    ours = ndcg(own.recommend(own.user_ids_[users], K), test).mean()
    return round(float(ours / theirs - 1), 4)
