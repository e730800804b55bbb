"""What lists are like, whether or not they hit: novelty, popularity, variety, calibration.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from recsys_interest.checks import check_same_ids
from recsys_interest.item_shares import checked_shares, divergence, target_rows
from recsys_interest.ranked_lists import (
    check_k,
    checked_lists,
    members_by_group,
    vectors_of_listed,
)
from recsys_interest.resampling import Seed, interval, times_drawn
from recsys_interest.schema import validate_events
from recsys_interest.vectors import unit_rows

__all__ = ["per_list_metrics", "popularity_bias"]

Floats = NDArray[np.float64]


def per_list_metrics(
    recommendations: pd.DataFrame,
    k: int = 10,
    *,
    events: pd.DataFrame | None = None,
    item_vectors: pd.DataFrame | None = None,
    categories: pd.DataFrame | None = None,
    targets: pd.DataFrame | None = None,
) -> pd.DataFrame:
    r"""Return novelty, popularity, intra-list distance and miscalibration of each user's list.

    Of :math:`n` users in the log, :math:`n_i` touched item :math:`i`. With :math:`L` the items up
    to rank :math:`k`, :math:`v_i` their vectors scaled to length one, :math:`c_{gi}` the share of
    category :math:`g` in an item and :math:`p_g` its share in the user's history:

    .. math::
        \mathrm{novelty@}k &= \frac{1}{|L|} \sum_{i \in L} -\log_2 \frac{n_i + 1}{n + 1} \qquad
        \mathrm{popularity@}k = \frac{1}{|L|} \sum_{i \in L} \frac{n_i}{n} \\
        \mathrm{intra\_list\_distance@}k &= \frac{2}{|L|\,(|L| - 1)}
            \sum_{\{i, j\} \subseteq L} (1 - v_i^\top v_j) \\
        \mathrm{miscalibration@}k &= \sum_g p_g \log \frac{p_g}{(1 - a)\, q_g + a\, p_g}, \qquad
            q_g = \frac{1}{|L|} \sum_{i \in L} c_{gi}, \quad a = 0.01

    The denominators are the items that are in the list, not :math:`k`: a short list is not less
    novel for being short. Novelty is in bits; the ones keep it finite for an item that nobody
    touched, and 0 for one that everybody did.

    Parameters
    ----------
    recommendations : DataFrame
        `user_id`, `item_id` and `rank` (whole number, 1 is best).
    k : int, default 10
        Only ranks up to k are looked at.
    events : DataFrame, optional
        Valid events that were learned from: novelty and popularity are measured with it.
    item_vectors : DataFrame of shape (n_vectors, n_dimensions), optional
        Indexed by item id: the distance is measured with it. An item whose vector is zero is at the
        distance 1 from any other.
    categories : DataFrame of shape (n_items, n_categories), optional
        Weights of the categories of each item, not negative, indexed by item id. Rows are scaled to
        the sum one; a row of zeros has no category.
    targets : DataFrame of shape (n_users, n_categories), optional
        Shares of the categories that each user's list should have, see `category_shares`. Given
        together with `categories`.

    Returns
    -------
    DataFrame of float64
        Index `user_id`, sorted: the users with an item up to rank k. ``novelty@10`` and
        ``popularity@10`` with `events`, ``intra_list_distance@10`` with `item_vectors` (NaN for a
        list of one item), ``miscalibration@10`` with `categories` (NaN without a target).

    Raises
    ------
    TypeError
        If an argument is of the wrong kind, or one of `categories` and `targets` is missing.
    ValueError
        If a table does not fit (`SchemaError`), nothing to measure with is given, or a recommended
        item has no vector or no categories.

    Notes
    -----
    Chapter 12, "Measuring recommendations". Novelty is the self-information of Zhou et al. (2010),
    doi:10.1073/pnas.1000488107; the distance is that of Ziegler et al. (2005),
    doi:10.1145/1060745.1060754; miscalibration is that of Steck (2018),
    doi:10.1145/3240323.3240372.

    Rows: K04, M04.

    Examples
    --------
    >>> import pandas as pd
    >>> lists = pd.DataFrame({"user_id": 1, "item_id": ["tent", "rope"], "rank": [1, 2]})
    >>> log = pd.DataFrame({"user_id": [1, 2, 3], "item_id": ["tent", "tent", "tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> vectors = pd.DataFrame([[1.0, 0.0], [3.0, 4.0]], index=["tent", "rope"])
    >>> per_list_metrics(lists, events=log, item_vectors=vectors).round(2).T
    user_id                   1
    novelty@10              1.0
    popularity@10           0.5
    intra_list_distance@10  0.4
    """
    k = check_k(k)
    if (categories is None) != (targets is None):
        raise TypeError("categories and targets go together; category_shares makes targets")
    if events is None and item_vectors is None and categories is None:
        raise ValueError("nothing to measure with; give events, item_vectors or categories")
    return metrics_of_lists(
        checked_lists(recommendations),
        k,
        log=None if events is None else validate_events(events),
        item_vectors=item_vectors,
        categories=categories,
        targets=targets,
    )


def metrics_of_lists(
    lists: pd.DataFrame,
    k: int,
    *,
    log: pd.DataFrame | None = None,
    item_vectors: pd.DataFrame | None = None,
    categories: pd.DataFrame | None = None,
    targets: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the same of lists, of a log and of a k that were checked before."""
    top = lists[lists["rank"] <= k].sort_values(["user_id", "rank"], ignore_index=True)
    users = pd.Index(top["user_id"].unique(), name="user_id")
    picked = _picked(users.get_indexer(top["user_id"]))
    size = np.asarray(picked.sum(axis=1))
    out = pd.DataFrame(index=users)
    if log is not None:
        share, bits = _known(log, top["item_id"])
        out[f"novelty@{k}"] = picked @ bits / size
        out[f"popularity@{k}"] = picked @ share / size
    if item_vectors is not None:
        out[f"intra_list_distance@{k}"] = _distance(picked, size, top["item_id"], item_vectors)
    if categories is not None and targets is not None:
        shares = checked_shares(categories, "categories", top["item_id"], "recommendations.item_id")
        wanted = target_rows(targets, users, shares.columns)
        found = picked @ shares.loc[top["item_id"]].to_numpy() / size[:, None]
        out[f"miscalibration@{k}"] = divergence(wanted, found)
    return out.astype("float64")


def popularity_bias(
    recommendations: pd.DataFrame,
    events: pd.DataFrame,
    *,
    k: int = 10,
    groups: pd.Series | None = None,
    n_boot: int = 1000,
    random_state: Seed = 0,
) -> pd.DataFrame:
    r"""Compare how popular the recommended items are with how popular the users' own items are.

    With :math:`\phi_i` the share of the users of the log who touched item :math:`i`, :math:`L_u`
    the list and :math:`P_u` the items of user :math:`u`, and means over the users of a group:

    .. math::
        \mathrm{recommended} = \overline{\frac{1}{|L_u|} \sum_{i \in L_u} \phi_i} \qquad
        \mathrm{own} = \overline{\frac{1}{|P_u|} \sum_{i \in P_u} \phi_i} \qquad
        \mathrm{lift} = \frac{\mathrm{recommended} - \mathrm{own}}{\mathrm{own}}

    A lift of 0 returns users what they came with; one of 1 shows them items twice as popular.

    Parameters
    ----------
    recommendations : DataFrame
        `user_id`, `item_id` and `rank` (whole number, 1 is best).
    events : DataFrame
        Valid events: the log that was learned from.
    k : int, default 10
        Only ranks up to k are looked at.
    groups : Series, optional
        The group of each user, indexed by user id.
    n_boot : int, default 1000
        Number of bootstrap samples of the users of a group; 0 leaves the intervals NaN.
    random_state : int, RandomState or None, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        Index `group` (``all`` first), columns `recommended`, `own`, `lift`, `ci_low`, `ci_high`
        (95 % percentile interval of the lift) and `n_users`: those with a list and a history.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), no user has both a list and a history, or a user
        has no group or one called ``all``.

    Notes
    -----
    Chapter 12, "Measuring recommendations". The group average popularity of Abdollahpouri et al.
    (2019), "The unfairness of popularity bias in recommendation", arXiv:1907.13286.

    Rows: K04.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 2, 3, 3], "item_id": ["a", "a", "a", "b"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> lists = pd.DataFrame({"user_id": [3], "item_id": ["a"], "rank": [1]})
    >>> popularity_bias(lists, log, n_boot=0)[["recommended", "own", "lift"]].round(2)
           recommended   own  lift
    group
    all            1.0  0.67   0.5
    """
    k = check_k(k)
    pairs = validate_events(events).drop_duplicates(["user_id", "item_id"])
    per_list = metrics_of_lists(checked_lists(recommendations), k, log=pairs)
    times = pairs["item_id"].map(pairs["item_id"].value_counts())
    # Whole numbers are added up: their sum is the same in any order.
    own = times.groupby(pairs["user_id"]).mean() / pairs["user_id"].nunique()
    users = per_list.index.intersection(own.index).sort_values()
    if users.empty:
        raise ValueError("no user has both a list and an event; are the ids those of the log?")
    both = np.column_stack([per_list.loc[users, f"popularity@{k}"], own.loc[users]])
    rows: dict[Hashable, dict[str, float]] = {"all": _lift(both, n_boot, random_state)}
    if groups is not None:
        members = members_by_group(groups, users)
        if "all" in members:
            raise ValueError('groups has a group "all", which is the row of all users; rename it')
        rows |= {g: _lift(both[inside], n_boot, random_state) for g, inside in members.items()}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")
    return table.astype({"n_users": "int64"})


def _lift(both: Floats, n_boot: int, random_state: Seed) -> dict[str, float]:
    recommended, own = both.mean(axis=0)
    sums = [times @ both for times in times_drawn(len(both), n_boot, random_state)]
    drawn = np.array(sums).reshape(-1, 2)
    low, high = interval(drawn[:, :1] / drawn[:, 1:] - 1)
    return {
        "recommended": recommended,
        "own": own,
        "lift": recommended / own - 1,
        "ci_low": low[0],
        "ci_high": high[0],
        "n_users": len(both),
    }


def _picked(rows: NDArray[np.intp]) -> sparse.csr_array:
    """Return the table of ones that sums over the places of each user's list."""
    shape = (int(rows.max(initial=-1)) + 1, len(rows))
    return sparse.csr_array((np.ones(len(rows)), (rows, np.arange(len(rows)))), shape=shape)


def _known(log: pd.DataFrame, items: pd.Series) -> tuple[Floats, Floats]:
    """Return the share of users who touched each of the items, and its self-information."""
    if log.empty:
        raise ValueError("events has no rows; popularity is counted in a log")
    check_same_ids(items, log["item_id"], "recommendations.item_id", "events.item_id")
    touched = log.drop_duplicates(["user_id", "item_id"])["item_id"].value_counts()
    count = items.map(touched).fillna(0.0).to_numpy(dtype=np.float64)
    n = log["user_id"].nunique()
    return count / n, np.log2((n + 1) / (count + 1))


def _distance(
    picked: sparse.csr_array, size: Floats, items: pd.Series, item_vectors: pd.DataFrame
) -> Floats:
    vectors = vectors_of_listed(item_vectors, items)
    used, at = np.unique(vectors.index.get_indexer(items), return_inverse=True)
    rows = unit_rows(vectors.to_numpy()[used].astype(np.float64))
    inside = picked @ _picked(at).T  # which of the items used are in which list
    # The cosines of all pairs, from the square of the sum: no table of pairs is needed.
    total, own = inside @ rows, inside @ np.square(rows).sum(axis=1)
    pairs = size * (size - 1) / 2
    cosines = (np.square(total).sum(axis=1) - own) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, np.maximum(0.0, 1 - cosines / pairs), np.nan)
