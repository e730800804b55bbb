"""How good recommendation lists are, by metrics with pinned definitions and intervals.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import check_count, check_same_ids, shown
from recsys_interest.list_metrics import metrics_of_lists
from recsys_interest.log_statistics import gini
from recsys_interest.ranked_lists import (
    catalogue_ids,
    check_k,
    checked_lists,
    checked_relevant,
)
from recsys_interest.resampling import Seed, mean_intervals
from recsys_interest.schema import validate_events

__all__ = ["evaluate_recommendations", "per_user_metrics"]

Floats = NDArray[np.float64]


def evaluate_recommendations(
    recommendations: pd.DataFrame,
    relevant: pd.DataFrame,
    *,
    k: int = 10,
    catalogue: pd.DataFrame | Iterable[object] | int | None = None,
    events: pd.DataFrame | None = None,
    item_vectors: pd.DataFrame | None = None,
    n_boot: int = 1000,
    random_state: Seed = 0,
) -> pd.DataFrame:
    r"""Measure lists against what the users turned out to like.

    The first six metrics are means over the users with at least one relevant item of the values of
    `per_user_metrics`, which states their formulae; a user without a list counts as 0. Their
    interval is the 95 % percentile bootstrap over those users. ``novelty``, ``popularity`` and
    ``intra_list_distance`` are means of the values of `per_list_metrics` over the users who have a
    list (of two items, for the distance), because an empty list is neither novel nor well known;
    they are there if `events` or `item_vectors` are given. The last two are about the lists as a
    whole, over every list given, and have no interval. With :math:`x_1 \le \dots \le x_m` the
    number of top-k lists each of the :math:`m` items of the catalogue is in,

    .. math:: \mathrm{coverage@}k = \frac{|\{i : x_i > 0\}|}{m}, \qquad
              \mathrm{gini@}k = \frac{\sum_i (2 i - m - 1)\, x_i}{m \sum_i x_i}

    so that gini@k is 0 where all items are shown equally often and nearly 1 where it is always the
    same few.

    Parameters
    ----------
    recommendations : DataFrame
        `user_id`, `item_id` and `rank` (whole number, 1 is best), as `recommend` returns them. A
        rank that is left out counts as a miss.
    relevant : DataFrame
        `user_id` and `item_id` of what counts as a hit, for example the positive test events;
        a pair given twice counts once.
    k : int, default 10
        Only ranks up to k are looked at.
    catalogue : DataFrame with `item_id`, iterable of ids or int, optional
        All items that could have been recommended, or how many there are. Without it coverage and
        Gini are NaN.
    events : DataFrame, optional
        The log that was learned from: it says how well known an item was.
    item_vectors : DataFrame of shape (n_vectors, n_dimensions), optional
        Indexed by item id: they say how far apart two items are.
    n_boot : int, default 1000
        Number of bootstrap samples; 0 leaves the intervals NaN.
    random_state : int, RandomState or None, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        Index `metric` (``precision@10`` …), columns `mean`, `ci_low`, `ci_high` and `n_users`, the
        number of users that the mean is over.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), `relevant` is empty, or the catalogue lacks an item
        that was recommended.

    Notes
    -----
    Chapter 12, "Measuring recommendations".

    Rows: M03, M04, Q10.

    Examples
    --------
    >>> import pandas as pd
    >>> lists = pd.DataFrame({"user_id": [1, 1], "item_id": ["tent", "rope"], "rank": [1, 2]})
    >>> liked = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["rope", "oven", "oven"]})
    >>> found = evaluate_recommendations(lists, liked, k=2, catalogue=4)
    >>> found["mean"].round(3).to_dict()
    {'precision@2': 0.25, 'recall@2': 0.25, 'ndcg@2': 0.193, 'mrr@2': 0.25, 'map@2': 0.125,
     'hit_rate@2': 0.5, 'coverage@2': 0.5, 'gini@2': 0.5}
    """
    k, n_boot = check_k(k), check_count(n_boot, "n_boot", 0)
    lists = checked_lists(recommendations)
    parts = [_over_users(_per_user(lists, relevant, k), n_boot, random_state)]
    if events is not None or item_vectors is not None:
        log = None if events is None else validate_events(events)
        per_list = metrics_of_lists(lists, k, log=log, item_vectors=item_vectors)
        parts += [_over_users(per_list[[c]].dropna(), n_boot, random_state) for c in per_list]
    top = lists[lists["rank"] <= k]
    coverage, gini = _exposure(top["item_id"], catalogue)
    whole = {"mean": [coverage, gini], "ci_low": np.nan, "ci_high": np.nan}
    over_items = pd.DataFrame(
        {**whole, "n_users": top["user_id"].nunique()}, index=[f"coverage@{k}", f"gini@{k}"]
    )
    return pd.concat([*parts, over_items]).rename_axis("metric")


def _over_users(per_user: pd.DataFrame, n_boot: int, random_state: Seed) -> pd.DataFrame:
    values = per_user.to_numpy()
    low, high = mean_intervals(values, n_boot, random_state)
    mean = values.mean(axis=0) if len(values) else np.nan
    table = {"mean": mean, "ci_low": low, "ci_high": high, "n_users": len(values)}
    return pd.DataFrame(table, index=per_user.columns)


def per_user_metrics(
    recommendations: pd.DataFrame, relevant: pd.DataFrame, k: int = 10
) -> pd.DataFrame:
    r"""Return the ranking metrics of each user with at least one relevant item.

    With :math:`n` relevant items, :math:`h_r = 1` if the item at rank :math:`r` is one of them (0
    if not, or if there is none at this rank), :math:`H = \sum_{r \le k} h_r` and
    :math:`m = \min(k, n)`:

    .. math::
        \mathrm{precision@}k &= \frac{H}{k} \qquad
        \mathrm{recall@}k = \frac{H}{n} \qquad
        \mathrm{hit\_rate@}k = [H > 0] \\
        \mathrm{ndcg@}k &= \frac{\sum_{r \le k} h_r / \log_2(r + 1)}
                                {\sum_{r \le m} 1 / \log_2(r + 1)} \qquad
        \mathrm{mrr@}k = \max_{r \le k} \frac{h_r}{r} \\
        \mathrm{map@}k &= \frac{1}{m} \sum_{r \le k} h_r \, \frac{\sum_{q \le r} h_q}{r}

    The denominators are where libraries differ: precision divides by k even if the list is shorter,
    recall by all relevant items even if there are more than k (so it may not reach 1), NDCG and MAP
    by what a perfect list of length k would reach (so they can always reach 1).

    Parameters
    ----------
    recommendations, relevant : DataFrame
        As in `evaluate_recommendations`.
    k : int, default 10
        Length of the lists that counts.

    Returns
    -------
    DataFrame of float64
        Index `user_id`, sorted: the users of `relevant`. One column for each metric. Users who have
        a list but nothing relevant are left out: no list could have been right for them.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), or `relevant` is empty.

    Notes
    -----
    Chapter 12, "Measuring recommendations". NDCG after Järvelin and Kekäläinen (2002),
    doi:10.1145/582415.582418, with the gain 1 for a hit.

    Examples
    --------
    >>> import pandas as pd
    >>> lists = pd.DataFrame({"user_id": [1, 1], "item_id": ["tent", "rope"], "rank": [1, 2]})
    >>> liked = pd.DataFrame({"user_id": [1, 2], "item_id": ["rope", "oven"]})
    >>> per_user_metrics(lists, liked, k=2)[["precision@2", "mrr@2"]]
             precision@2  mrr@2
    user_id
    1                0.5    0.5
    2                0.0    0.0
    """
    k = check_k(k)
    return _per_user(checked_lists(recommendations), relevant, k)


def _per_user(lists: pd.DataFrame, relevant: pd.DataFrame, k: int) -> pd.DataFrame:
    """Return the metrics of lists that were checked before."""
    liked = checked_relevant(relevant)
    for column in ("user_id", "item_id"):
        left, right = f"recommendations.{column}", f"relevant.{column}"
        check_same_ids(lists[column], liked[column], left, right)
    n_relevant = liked.groupby("user_id").size()
    hits = lists[lists["rank"] <= k]
    if len(hits):  # an empty table has no kind of id to match by
        hits = hits.merge(liked, on=["user_id", "item_id"]).sort_values(["user_id", "rank"])
    user = n_relevant.index.get_indexer(hits["user_id"])
    nth = hits.groupby("user_id").cumcount().to_numpy() + 1.0
    values = _from_hits(user, hits["rank"].to_numpy(dtype=float), nth, n_relevant.to_numpy(), k)
    return pd.DataFrame({f"{name}@{k}": v for name, v in values.items()}, index=n_relevant.index)


def _from_hits(
    user: NDArray[np.intp], rank: Floats, nth: Floats, n_relevant: NDArray[np.int64], k: int
) -> dict[str, Floats]:
    """Return the metrics by user from the hits, sorted by user and rank (nth: the hit's number)."""

    def total(weights: Floats) -> Floats:
        return np.bincount(user, weights=weights, minlength=len(n_relevant)).astype(np.float64)

    n_hits = total(np.ones_like(rank))
    reachable = np.minimum(k, n_relevant)
    # Summed in the order of the ranks like the hits, so that a perfect list gets exactly 1.
    ideal = np.cumsum(1 / np.log2(np.arange(1, reachable.max() + 1) + 1))
    return {
        "precision": n_hits / k,
        "recall": n_hits / n_relevant,
        "ndcg": total(1 / np.log2(rank + 1)) / ideal[reachable - 1],
        "mrr": total(np.where(nth == 1, 1 / rank, 0.0)),
        "map": total(nth / rank) / reachable,
        "hit_rate": (n_hits > 0).astype(np.float64),
    }


def _exposure(
    shown_items: pd.Series, catalogue: pd.DataFrame | Iterable[object] | int | None
) -> tuple[float, float]:
    """Return coverage and Gini of the times each item of the catalogue was recommended."""
    times = shown_items.value_counts().to_numpy()
    if catalogue is None:
        return np.nan, np.nan
    m = _catalogue_size(catalogue, shown_items)
    if len(times) == 0:
        return 0.0, np.nan
    return len(times) / m, gini(np.pad(times, (0, m - len(times))))  # those never shown count 0


def _catalogue_size(
    catalogue: pd.DataFrame | Iterable[object] | int, shown_items: pd.Series
) -> int:
    if isinstance(catalogue, Real):
        size, n_shown = check_count(catalogue, "catalogue"), shown_items.nunique()
        if size < n_shown:
            raise ValueError(f"catalogue is {size}, but {n_shown} different items are recommended")
        return size
    ids = catalogue_ids(catalogue)
    check_same_ids(shown_items, ids, "recommendations.item_id", "catalogue")
    strange = shown_items[~shown_items.isin(ids)]
    if len(strange):
        raise ValueError(f"catalogue lacks recommended items: {shown(strange)}; add them to it")
    return len(ids)
