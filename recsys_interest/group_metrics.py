"""Whom the lists serve: the ranking metrics of each group of users, and its gap to the others.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from numbers import Integral

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import check_count
from recsys_interest.ranked_lists import members_by_group
from recsys_interest.ranking_metrics import per_user_metrics
from recsys_interest.resampling import Seed, interval, resampled_means

__all__ = ["evaluate_by_group"]

Floats = NDArray[np.float64]


def evaluate_by_group(
    recommendations: pd.DataFrame,
    relevant: pd.DataFrame,
    groups: pd.Series,
    *,
    k: int = 10,
    n_boot: int = 1000,
    random_state: Seed = 0,
) -> pd.DataFrame:
    r"""Measure the lists of each group of users, and how far it is from all the others.

    With :math:`m_u` the value of a metric for user :math:`u` (see `per_user_metrics`), and the
    users with at least one relevant item cut into the group :math:`A` and all the others,

    .. math:: \mathrm{mean} = \frac{1}{|A|} \sum_{u \in A} m_u \qquad
              \mathrm{gap} = \mathrm{mean} - \frac{1}{|\bar A|} \sum_{u \notin A} m_u

    Comparing with the others and not with the best group keeps the gap of a group free of the luck
    of another one: among many small groups there is always one that looks best.

    Parameters
    ----------
    recommendations : DataFrame
        `user_id`, `item_id` and `rank` (whole number, 1 is best).
    relevant : DataFrame
        `user_id` and `item_id` of what counts as a hit.
    groups : Series
        The group of each user of `relevant`, indexed by user id: an interest tier, a cluster, a
        protected attribute.
    k : int, default 10
        Only ranks up to k are looked at.
    n_boot : int, default 1000
        Number of bootstrap samples; the users of a group and all the others are drawn apart. 0
        leaves the intervals NaN.
    random_state : int, RandomState or None, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        Index `metric` and `group` (sorted), columns `mean`, `ci_low`, `ci_high`, `gap`, `gap_low`,
        `gap_high` (95 % percentile intervals) and `n_users`. With a single group the gap is NaN.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), `relevant` is empty, or one of its users has no
        group.

    Notes
    -----
    Chapter 12, "Measuring recommendations". An interval of the gap that holds 0 does not say that
    there is none: look at its ends.

    Rows: H07.

    Examples
    --------
    >>> import pandas as pd
    >>> lists = pd.DataFrame({"user_id": [1, 2], "item_id": ["tent", "tent"], "rank": 1})
    >>> liked = pd.DataFrame({"user_id": [1, 2], "item_id": ["tent", "oven"]})
    >>> found = evaluate_by_group(lists, liked, pd.Series({1: "A", 2: "B"}), k=1, n_boot=0)
    >>> found.loc["ndcg@1", ["mean", "gap", "n_users"]]
           mean  gap  n_users
    group
    A       1.0  1.0        1
    B       0.0 -1.0        1
    """
    n_boot = check_count(n_boot, "n_boot", 0)
    per_user = per_user_metrics(recommendations, relevant, k)
    members = members_by_group(groups, per_user.index)
    parts = {g: _group(per_user, inside, n_boot, random_state) for g, inside in members.items()}
    table = pd.concat(parts, names=["group", "metric"]).swaplevel()
    return table.loc[list(per_user.columns)]


def _group(
    per_user: pd.DataFrame, inside: NDArray[np.bool_], n_boot: int, random_state: Seed
) -> pd.DataFrame:
    values = per_user.to_numpy()
    own, others = values[inside], values[~inside]
    drawn = resampled_means(own, n_boot, random_state)
    low, high = interval(drawn)
    table = {"mean": own.mean(axis=0), "ci_low": low, "ci_high": high}
    nothing = np.full(values.shape[1], np.nan)
    table |= {"gap": nothing, "gap_low": nothing, "gap_high": nothing}
    if len(others):
        # Another seed than that of the group: two samples that are drawn apart.
        apart = _next(random_state)
        gap_low, gap_high = interval(drawn - resampled_means(others, n_boot, apart))
        gap = table["mean"] - others.mean(axis=0)
        table |= {"gap": gap, "gap_low": gap_low, "gap_high": gap_high}
    return pd.DataFrame({**table, "n_users": len(own)}, index=per_user.columns)


def _next(random_state: Seed) -> Seed:
    if isinstance(random_state, Integral):  # an int of NumPy, too
        return (int(random_state) + 1) % 2**32
    return random_state
