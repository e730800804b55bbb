"""Item vectors compared by how they bring new items to the users who like them.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from recsys_interest.checks import check_count
from recsys_interest.ranking_metrics import per_user_metrics
from recsys_interest.recommend import CosineRecommender
from recsys_interest.schema import validate_events

__all__ = ["compare_on_new_items"]


def compare_on_new_items(
    vectors: Mapping[str, pd.DataFrame],
    train: pd.DataFrame,
    relevant: pd.DataFrame,
    *,
    k: int = 10,
    n_boot: int = 1000,
    random_state: int = 0,
) -> pd.DataFrame:
    """Compare item vectors by the lists of new items that the cosine makes of them.

    For each user with a past and a liked new item, `CosineRecommender` ranks the new items.

    Parameters
    ----------
    vectors : mapping of str to DataFrame
        One table of item vectors for each method, indexed by item id; the first is the baseline.
    train : DataFrame
        Valid events without any of the new items.
    relevant : DataFrame
        `user_id` and `item_id`: who liked which new item. All the items in it are the candidates.
    k : int, default 10
        Length of the lists.
    n_boot : int, default 1000
        Bootstrap samples of the users, the same ones for all methods.
    random_state : int, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        One row per method: ``recall@k``, ``ndcg@k``, and ``gain``, ``gain_low``, ``gain_high``: the
        mean difference in recall to the baseline, user by user, with its 95 % interval; `n_users`.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a new item has events in `train`, or no user has both a past and a liked new item.

    Notes
    -----
    Chapter 04, "Training the language model".

    Examples
    --------
    >>> import pandas as pd
    >>> past = pd.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"], "event": "like",
    ...                      "timestamp": pd.Timestamp("2026-01-01", tz="UTC")})
    >>> liked = pd.DataFrame({"user_id": [1, 2], "item_id": ["c", "d"]})
    >>> good = pd.DataFrame([[1, 0], [0, 1], [1, 0.1], [0.1, 1]], index=list("abcd"))
    >>> bad = good.set_axis(list("abdc"))
    >>> compare_on_new_items({"bad": bad, "good": good}, past, liked, k=1)["gain"].tolist()
    [0.0, 1.0]
    """
    check_count(k, "k")
    check_count(n_boot, "n_boot")
    log = validate_events(train)
    new = pd.Index(relevant["item_id"].unique())
    if log["item_id"].isin(new).any():
        raise ValueError("train has events of items that are in relevant; drop them from train")
    relevant = relevant[relevant["user_id"].isin(log["user_id"])]
    if relevant.empty:
        raise ValueError("relevant has no user who has events in train")
    users = np.sort(relevant["user_id"].unique())
    catalogue = pd.DataFrame({"item_id": pd.concat([log["item_id"], pd.Series(new)]).unique()})
    per_user = {}
    for name, table in vectors.items():
        recommender = CosineRecommender().fit(log, catalogue, table)
        lists = recommender.recommend(users, k=k, candidates=new)
        per_user[name] = per_user_metrics(lists, relevant, k)[[f"recall@{k}", f"ndcg@{k}"]]
    return _report(per_user, k, n_boot, random_state)


def _report(
    per_user: dict[str, pd.DataFrame], k: int, n_boot: int, random_state: int
) -> pd.DataFrame:
    baseline = next(iter(per_user.values()))[f"recall@{k}"].to_numpy()
    rng = np.random.default_rng(random_state)
    drawn = rng.multinomial(len(baseline), np.full(len(baseline), 1 / len(baseline)), n_boot)
    rows = {}
    for name, metrics in per_user.items():
        gain = metrics[f"recall@{k}"].to_numpy() - baseline
        low, high = np.percentile(drawn @ gain / len(gain), [2.5, 97.5])
        rows[name] = {**metrics.mean(), "gain": gain.mean(), "gain_low": low, "gain_high": high}
    return pd.DataFrame(rows).T.assign(n_users=len(baseline)).rename_axis("vectors")
