"""Is one recommender better than another, or were the users kind? Paired tests on the same users.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.utils import check_random_state

from recsys_interest.checks import check_count, shown
from recsys_interest.ranking_metrics import per_user_metrics
from recsys_interest.resampling import Seed, interval, resampled_means

__all__ = ["compare_recommendations", "holm"]

Floats = NDArray[np.float64]

_SIGNS_AT_ONCE = 2**21


def compare_recommendations(
    recommendations: Mapping[str, pd.DataFrame],
    relevant: pd.DataFrame,
    *,
    reference: str,
    metric: str = "ndcg",
    k: int = 10,
    n_boot: int = 1000,
    n_permutations: int = 9999,
    random_state: Seed = 0,
) -> pd.DataFrame:
    r"""Compare the lists of several recommenders with those of one, on the same users.

    With :math:`d_u` the metric of user :math:`u` for a method less that for the reference, the
    difference is :math:`\bar d = \frac{1}{n} \sum_u d_u`. If the two methods were alike, the sign
    of each :math:`d_u` would be a coin. The p-value of the sign-flip permutation test is the share
    of coin throws :math:`\sigma \in \{-1, 1\}^n` with
    :math:`|\frac{1}{n} \sum_u \sigma_u d_u| \ge |\bar d|`: of all throws if there are no more than
    `n_permutations`, otherwise of so many random ones, the real one counted among them.

    Parameters
    ----------
    recommendations : mapping of str to DataFrame
        The lists of each method: `user_id`, `item_id` and `rank`.
    relevant : DataFrame
        `user_id` and `item_id` of what counts as a hit.
    reference : str
        The method that the others are compared with. Name it before you look at the values: the
        best of many was also the luckiest.
    metric : str, default "ndcg"
        One of those of `per_user_metrics`, without its k.
    k : int, default 10
        Only ranks up to k are looked at.
    n_boot : int, default 1000
        Number of bootstrap samples of the users, the same for all methods; 0 leaves the intervals
        NaN.
    n_permutations : int, default 9999
        Number of coin throws; the smallest p-value is one over one more.
    random_state : int, RandomState or None, default 0
        Seed of the bootstrap and the throws.

    Returns
    -------
    DataFrame
        Index `method`, in the order given; columns `mean`, `ci_low`, `ci_high`, `difference`,
        `difference_low`, `difference_high` (95 % percentile intervals), `p_value`, `p_holm` (the
        p-value after the correction of Holm for as many comparisons) and `n_users`: all users with
        a relevant item; who has no list counts as 0. The reference has the difference 0 and no
        p-value.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If `reference` or `metric` is unknown, a table does not fit (`SchemaError`), or `relevant`
        is empty.

    Notes
    -----
    Chapter 12, "Measuring recommendations". The test is `scipy.stats.permutation_test`; that it
    suits rankings: Smucker, Allan and Carterette (2007), doi:10.1145/1321440.1321528. Its users
    are those of one split; how far another split would have moved all methods alike it does not
    say.

    Rows: M05.

    Examples
    --------
    >>> import pandas as pd
    >>> liked = pd.DataFrame({"user_id": range(6), "item_id": "tent"})
    >>> good = liked.assign(rank=1)
    >>> lists = {"good": good, "bad": good.assign(item_id="oven")}
    >>> compare_recommendations(lists, liked, reference="bad")[["difference", "p_value", "p_holm"]]
            difference  p_value  p_holm
    method
    good           1.0  0.03125 0.03125
    bad            0.0      NaN     NaN
    """
    if not isinstance(recommendations, Mapping):
        kind = type(recommendations).__name__
        raise TypeError(f"recommendations must be a mapping of name to lists, got {kind}")
    if reference not in recommendations:
        raise ValueError(f"reference={reference!r} is not among {shown(recommendations)}")
    n_boot = check_count(n_boot, "n_boot", 0)
    n_permutations = check_count(n_permutations, "n_permutations")
    columns = {}
    for name, lists in recommendations.items():
        per_user = per_user_metrics(lists, relevant, k)
        if f"{metric}@{k}" not in per_user:
            known = shown(c.partition("@")[0] for c in per_user)
            raise ValueError(f"metric={metric!r} is unknown; choose one of {known[:200]}")
        columns[name] = per_user[f"{metric}@{k}"].to_numpy()
    values = np.column_stack(list(columns.values()))
    gains = values - columns[reference][:, None]
    return _table(list(columns), reference, values, gains, n_boot, n_permutations, random_state)


def holm(p_values: npt.ArrayLike) -> Floats:
    r"""Return p-values corrected for their number, so that one false alarm among all is rare.

    With :math:`p_{(1)} \le \dots \le p_{(m)}`, the corrected value of the :math:`i`-th is
    :math:`\max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})`. NaN stays NaN and does not count.

    Parameters
    ----------
    p_values : array-like of shape (n,)
        From 0 to 1, or NaN.

    Returns
    -------
    ndarray of float64, shape (n,)
        At least the p-values, at most 1.

    Raises
    ------
    ValueError
        If a value is outside 0 to 1, or there is more than one dimension.

    Notes
    -----
    Holm (1979), "A simple sequentially rejective multiple test procedure". Chapter 12, "Measuring
    recommendations".

    Rows: M05.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    array([0.03, 0.06, 0.06])
    """
    p = np.array(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise ValueError(f"p_values must have one dimension, got {p.ndim}; see numpy.ravel")
    there = np.flatnonzero(~np.isnan(p))
    if ((p[there] < 0) | (p[there] > 1)).any():
        raise ValueError(f"p_values must be between 0 and 1, got {shown(p[there].tolist())}")
    order = there[np.argsort(p[there], kind="stable")]
    p[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return p


def _table(
    names: list[str],
    reference: str,
    values: Floats,
    gains: Floats,
    n_boot: int,
    n_permutations: int,
    random_state: Seed,
) -> pd.DataFrame:
    rng = check_random_state(random_state)
    drawn = resampled_means(np.hstack([values, gains]), n_boot, rng)
    low, high = interval(drawn)
    m = len(names)
    p = np.full(m, np.nan)
    for column, name in enumerate(names):
        if name != reference:
            p[column] = _sign_flip(gains[:, column], n_permutations, rng)
    table = {
        "mean": values.mean(axis=0),
        "ci_low": low[:m],
        "ci_high": high[:m],
        "difference": gains.mean(axis=0),
        "difference_low": low[m:],
        "difference_high": high[m:],
        "p_value": p,
        "p_holm": holm(p),
        "n_users": len(values),
    }
    return pd.DataFrame(table, index=pd.Index(names, name="method"))


def _sign_flip(gain: Floats, n_permutations: int, rng: np.random.RandomState) -> float:
    gain = gain[gain != 0]  # a coin does not move a zero
    if not len(gain):
        return 1.0
    found = stats.permutation_test(
        (gain,),
        lambda x, axis: np.abs(x.mean(axis=axis)),
        permutation_type="samples",
        alternative="greater",
        n_resamples=n_permutations,
        batch=max(1, _SIGNS_AT_ONCE // len(gain)),
        vectorized=True,
        rng=np.random.default_rng(rng.randint(2**31)),
    )
    return float(found.pvalue)
