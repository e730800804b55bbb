"""How good lists and clusters are, by metrics with pinned definitions and intervals.

Chapter: 12 (measuring recommendations), 10 (choosing and naming clusters).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn import metrics as sk
from sklearn.utils import check_random_state

from recsys_interest.recommend import check_count
from recsys_interest.schema import SchemaError, canonical_ids, check_frame, check_same_ids, shown

__all__ = ["evaluate_clusters", "evaluate_recommendations", "per_user_metrics"]

Floats = NDArray[np.float64]

NOISE = -1
SILHOUETTE_ROWS = 5_000  # the silhouette needs all pairs; above this a fixed random sample serves


def evaluate_recommendations(
    recommendations: pd.DataFrame,
    relevant: pd.DataFrame,
    *,
    k: int = 10,
    catalogue: pd.DataFrame | Iterable[object] | int | None = None,
    n_boot: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> pd.DataFrame:
    r"""Measure lists against what the users turned out to like.

    The first six metrics are means over the users with at least one relevant item of the values of
    `per_user_metrics`, which states their formulae; a user without a list counts as 0. Their
    interval is the 95 % percentile bootstrap over those users. The last two are about the lists as
    a whole, over every list given, and have no interval. With :math:`x_1 \le \dots \le x_m` the
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
    n_boot : int, default 1000
        Number of bootstrap samples; 0 leaves the intervals NaN.
    random_state : int, RandomState or None, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        Index `metric` (``precision@10`` …), columns `mean`, `ci_low`, `ci_high` and `n_users`.

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
    per_user = per_user_metrics(recommendations, relevant, k)
    values = per_user.to_numpy()
    low, high = _bootstrap(values, check_count(n_boot, "n_boot", 0), random_state)
    table = {"mean": values.mean(axis=0), "ci_low": low, "ci_high": high, "n_users": len(values)}
    over_users = pd.DataFrame(table, index=per_user.columns)
    top = _checked_lists(recommendations)
    top = top[top["rank"] <= k]
    coverage, gini = _exposure(top["item_id"], catalogue)
    whole = {"mean": [coverage, gini], "ci_low": np.nan, "ci_high": np.nan}
    over_items = pd.DataFrame(
        {**whole, "n_users": top["user_id"].nunique()}, index=[f"coverage@{k}", f"gini@{k}"]
    )
    return pd.concat([over_users, over_items]).rename_axis("metric")


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
    recommendations, relevant, k
        As in `evaluate_recommendations`.

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
    k = check_count(k, "k")
    lists, liked = _checked_lists(recommendations), _checked_relevant(relevant)
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


def evaluate_clusters(
    vectors: pd.DataFrame | ArrayLike,
    labels: pd.Series | ArrayLike,
    truth: pd.Series | ArrayLike | None = None,
) -> pd.Series:
    r"""Measure clusters by their geometry and, where the truth is known, against it.

    Points labelled −1 are noise: their share is reported and they are left out of everything else,
    so read the other numbers together with `noise_share`.

    Parameters
    ----------
    vectors : DataFrame or array of shape (n, n_dimensions)
        Finite; scaled to length one here, for the clusters are about direction.
    labels : Series or array of shape (n,)
        The cluster of each point.
    truth : Series or array of shape (n,), optional
        The class of each point.

    Returns
    -------
    Series of float64
        `n_clusters`, `noise_share`; `silhouette_cosine` (mean silhouette by cosine distance; above
        5,000 points, of 5,000 drawn with a fixed seed), `davies_bouldin` (lower is better) and
        `calinski_harabasz`, NaN with fewer than two clusters, none of two points, or all points
        alike; with `truth` also `ari`, `nmi` (arithmetic mean, so equal to `v_measure`),
        `v_measure` and `accuracy`, NaN if all is noise:

        .. math:: \mathrm{accuracy} = \max_\pi \frac{1}{n} \sum_j |\{t = \pi(\ell)\}|

        over one-to-one assignments :math:`\pi` of clusters to classes (Hungarian method).

    Raises
    ------
    TypeError
        If the vectors are not numbers.
    ValueError
        If the lengths or the indexes differ, or a value is missing.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters". A Series belongs to the rows by its index where the
    vectors (or the labels) have one, an array by position.

    Examples
    --------
    >>> vectors = [[2, 0], [3, 0], [0, 1], [0, 5]]
    >>> evaluate_clusters(vectors, [7, 7, 3, 3], truth=["a", "a", "b", "b"])[["n_clusters", "ari"]]
    n_clusters    2.0
    ari           1.0
    dtype: float64
    """
    rows = _finite_rows(vectors)
    indexed = next((t for t in (vectors, labels) if isinstance(t, (pd.DataFrame, pd.Series))), None)
    index = None if indexed is None else _unique(indexed.index, "vectors or labels")
    # Sums of floats depend on their order, the result must not: with ids, in the order of the ids.
    order = np.arange(len(rows)) if index is None else index.argsort()
    codes, names = pd.factorize(_aligned(labels, index, len(rows), "labels")[order])
    real = np.array([name != NOISE for name in names])
    kept = real[codes]
    found = {
        "n_clusters": float(real.sum()),
        "noise_share": float(np.mean(~kept)),
        **_geometry(_unit(rows[order][kept]), codes[kept]),
    }
    if truth is not None:
        classes = pd.factorize(_aligned(truth, index, len(rows), "truth")[order])[0]
        found.update(_agreement(classes[kept], codes[kept]))
    return pd.Series(found, dtype="float64")


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


def _checked_lists(recommendations: pd.DataFrame) -> pd.DataFrame:
    name = "recommendations"
    lists = check_frame(recommendations, name, ("user_id", "item_id", "rank"))
    out = pd.DataFrame({c: canonical_ids(lists[c], f"{name}.{c}") for c in ("user_id", "item_id")})
    out["rank"] = canonical_ids(lists["rank"], f"{name}.rank")
    if len(out) and (out["rank"].dtype != np.int64 or out["rank"].min() < 1):
        odd = out["rank"] if out["rank"].dtype != np.int64 else out["rank"][out["rank"] < 1]
        raise SchemaError(f"{name}.rank must be whole numbers from 1 on, it holds {shown(odd)}")
    for column in ("item_id", "rank"):
        twice = out.duplicated(["user_id", column])
        if twice.any():
            pairs = out.loc[twice, ["user_id", column]].itertuples(index=False, name=None)
            raise SchemaError(
                f"{name} has a user with the same {column} twice, (user_id, {column}): "
                f"{shown(pairs)}; a list has each item and each rank once"
            )
    return out if len(out) else out.astype({"rank": np.int64})


def _checked_relevant(relevant: pd.DataFrame) -> pd.DataFrame:
    table = check_frame(relevant, "relevant", ("user_id", "item_id"))
    if table.empty:
        raise ValueError("relevant has no rows; without a relevant item nothing can be measured")
    ids = {c: canonical_ids(table[c], f"relevant.{c}") for c in ("user_id", "item_id")}
    return pd.DataFrame(ids).drop_duplicates()


def _bootstrap(
    values: Floats, n_boot: int, random_state: int | np.random.RandomState | None
) -> tuple[Floats, Floats]:
    n, width = values.shape
    if n_boot == 0:
        return np.full(width, np.nan), np.full(width, np.nan)
    rng = check_random_state(random_state)
    means = np.empty((n_boot, width))
    for b in range(n_boot):
        times_drawn = np.bincount(rng.randint(n, size=n), minlength=n)
        means[b] = times_drawn @ values / n
    low, high = np.percentile(means, [2.5, 97.5], axis=0)
    return low, high


def _exposure(
    shown_items: pd.Series, catalogue: pd.DataFrame | Iterable[object] | int | None
) -> tuple[float, float]:
    """Return coverage and Gini of the times each item of the catalogue was recommended."""
    times = np.sort(shown_items.value_counts().to_numpy())
    if catalogue is None:
        return np.nan, np.nan
    m = _catalogue_size(catalogue, shown_items)
    if len(times) == 0:
        return 0.0, np.nan
    place = np.arange(m - len(times) + 1, m + 1)  # those never shown stand before them with x = 0
    return len(times) / m, float(np.sum((2 * place - m - 1) * times) / (m * times.sum()))


def _catalogue_size(
    catalogue: pd.DataFrame | Iterable[object] | int, shown_items: pd.Series
) -> int:
    if isinstance(catalogue, (int, np.integer)):
        size, n_shown = check_count(catalogue, "catalogue"), shown_items.nunique()
        if size < n_shown:
            raise ValueError(f"catalogue is {size}, but {n_shown} different items are recommended")
        return size
    if isinstance(catalogue, (str, bytes)) or not isinstance(catalogue, Iterable):
        kind = type(catalogue).__name__
        raise TypeError(f"catalogue must be a frame, ids or a whole number, got {kind}")
    if isinstance(catalogue, pd.DataFrame):
        catalogue = check_frame(catalogue, "catalogue", ("item_id",))["item_id"]
    ids = canonical_ids(pd.Series(list(catalogue)), "catalogue").drop_duplicates()
    if ids.empty:
        raise ValueError("catalogue has no items")
    check_same_ids(shown_items, ids, "recommendations.item_id", "catalogue")
    strange = shown_items[~shown_items.isin(ids)]
    if len(strange):
        raise ValueError(f"catalogue lacks recommended items: {shown(strange)}; add them to it")
    return len(ids)


def _finite_rows(vectors: pd.DataFrame | ArrayLike) -> Floats:
    try:
        rows = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError("vectors must be a table of numbers, one row per point") from None
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"vectors must have rows and columns, they have the shape {rows.shape}")
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        ids = vectors.index[bad] if isinstance(vectors, pd.DataFrame) else bad
        raise ValueError(f"vectors holds NaN or infinite numbers in row(s) {shown(ids.tolist())}")
    return rows


def _unique(index: pd.Index, name: str) -> pd.Index:
    ids = canonical_ids(index.to_series(index=range(len(index))), f"the index of {name}")
    if ids.duplicated().any():
        twice = shown(ids[ids.duplicated()])
        raise ValueError(f"the index of {name} has duplicates: {twice}; keep one row each")
    return pd.Index(ids)


def _aligned(
    values: pd.Series | ArrayLike, index: pd.Index | None, n: int, name: str
) -> NDArray[np.generic]:
    """Return one value per row: a Series by its index, anything else by position."""
    if isinstance(values, pd.Series) and index is not None:
        own = values.set_axis(_unique(values.index, name))
        differing = index.symmetric_difference(own.index, sort=False)
        if len(differing):
            raise ValueError(
                f"{name} and vectors do not have the same index; only one of them has "
                f"{shown(differing)}"
            )
        values = own.reindex(index)
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(f"{name} must be one value per row of vectors ({n}), got {array.shape}")
    if pd.isna(array).any():
        raise ValueError(
            f"{name} is missing in {int(pd.isna(array).sum())} row(s); drop those rows"
        )
    return array


def _unit(rows: Floats) -> Floats:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)


def _geometry(unit: Floats, codes: NDArray[np.intp]) -> dict[str, float]:
    found = dict.fromkeys(("silhouette_cosine", "davies_bouldin", "calinski_harabasz"), np.nan)
    if not _comparable(codes) or not np.ptp(unit, axis=0).any():
        return found
    found["davies_bouldin"] = float(sk.davies_bouldin_score(unit, codes))
    found["calinski_harabasz"] = float(sk.calinski_harabasz_score(unit, codes))
    if len(unit) > SILHOUETTE_ROWS:
        drawn = np.random.RandomState(0).choice(len(unit), SILHOUETTE_ROWS, replace=False)
        unit, codes = unit[drawn], codes[drawn]
    if _comparable(codes):  # a small cluster may be missing from the sample
        found["silhouette_cosine"] = float(sk.silhouette_score(unit, codes, metric="cosine"))
    return found


def _comparable(codes: NDArray[np.intp]) -> bool:
    return 2 <= len(np.unique(codes)) < len(codes)


def _agreement(classes: NDArray[np.intp], codes: NDArray[np.intp]) -> dict[str, float]:
    names = ("ari", "nmi", "v_measure", "accuracy")
    if len(codes) == 0:
        return dict.fromkeys(names, np.nan)
    table = sk.cluster.contingency_matrix(classes, codes)
    matched = table[linear_sum_assignment(table, maximize=True)].sum()
    scores = (
        sk.adjusted_rand_score(classes, codes),
        sk.normalized_mutual_info_score(classes, codes),
        sk.v_measure_score(classes, codes),
        matched / len(codes),
    )
    return dict(zip(names, map(float, scores), strict=True))
