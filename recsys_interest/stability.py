"""How far a population moved between two periods: the population stability index.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import check_count, shown

__all__ = ["population_stability", "stability_index"]

Floats = NDArray[np.float64]


def population_stability(
    before: pd.DataFrame | pd.Series, after: pd.DataFrame | pd.Series, *, n_bins: int = 10
) -> pd.DataFrame:
    r"""Measure how far each feature moved between two periods: the population stability index.

    With the shares :math:`p_b` before and :math:`q_b` after in bin :math:`b`,

    .. math:: \mathrm{PSI} = \sum_{b=1}^{B} (q_b - p_b) \log \frac{q_b}{p_b},

    the sum of the two Kullback-Leibler divergences. Half a user is added to every bin, so that an
    empty one is large and not infinite.

    Parameters
    ----------
    before, after : DataFrame or Series of numbers
        The same features of two populations, for example `tier_features` at two moments; or tiers.
    n_bins : int, default 10
        Most bins, cut at quantiles of `before`. A column with no more different values than this
        has a bin for each, and one for all values not seen before.

    Returns
    -------
    DataFrame of float64
        Indexed by feature, largest first: `psi`, `n_bins`, and `by_chance`, the PSI to expect
        between two samples of these sizes of one population,
        :math:`(B - 1)(1/n_{before} + 1/n_{after})`. The custom is to look closer above 0.1 and to
        fit again above 0.25; a PSI near `by_chance` says nothing.

    Raises
    ------
    TypeError
        If a feature holds no numbers.
    ValueError
        If the columns differ, a period is empty, or a value is not finite.

    Notes
    -----
    Chapter 06, "Interest tiers". The divergence is Kullback and Leibler (1951),
    doi:10.1214/aoms/1177729694; its expectation, Yurdakul and Naranjo (2020),
    doi:10.21314/JRMV.2020.227.

    Examples
    --------
    >>> import pandas as pd
    >>> before = pd.DataFrame({"n_events": range(100), "same": range(100)})
    >>> after = before.assign(n_events=before["n_events"] + 30)
    >>> population_stability(before, after)["psi"].round(2).to_dict()
    {'n_events': 1.26, 'same': 0.0}
    """
    check_count(n_bins, "n_bins", least=2)
    old, new = (v.to_frame() if isinstance(v, pd.Series) else v for v in (before, after))
    if not isinstance(old, pd.DataFrame) or not isinstance(new, pd.DataFrame):
        raise TypeError("before and after must be DataFrames or Series of numbers")
    if list(old.columns) != list(new.columns):
        odd = shown(old.columns.symmetric_difference(new.columns, sort=False))
        raise ValueError(f"before and after have different columns: {odd}; select the same ones")
    if old.empty or new.empty:
        raise ValueError("before and after need at least one row and one column each")
    rows = {}
    for column in old.columns:
        p, q = (_finite(table[column], str(column)) for table in (old, new))
        rows[column] = _stability(p, q, n_bins)
    out = pd.DataFrame.from_dict(rows, orient="index", columns=["psi", "n_bins", "by_chance"])
    return out.rename_axis("feature").sort_values("psi", ascending=False, kind="stable")


def _stability(before: Floats, after: Floats, n_bins: int) -> tuple[float, float, float]:
    values = np.unique(before)
    if len(values) <= n_bins:
        where = np.searchsorted(values, after)
        known = values[np.minimum(where, len(values) - 1)] == after
        codes = np.searchsorted(values, before), np.where(known, where, len(values))
        size = len(values) + 1 - int(known.all())
    else:
        at = np.arange(1, n_bins) / n_bins
        edges = np.unique(np.quantile(before, at, method="inverted_cdf"))
        codes = np.searchsorted(edges, before), np.searchsorted(edges, after)
        size = len(edges) + 1
    old, new = (np.bincount(c, minlength=size).astype(np.float64) for c in codes)
    by_chance = (size - 1) * (1 / len(before) + 1 / len(after))
    return float(stability_index(old, new)), float(size), by_chance


def stability_index(before: Floats, after: Floats) -> Floats:
    """Return the population stability index of counts by bin (the last axis), half a one added.

    >>> stability_index(np.array([5.0, 5.0]), np.array([[5.0, 5.0], [9.0, 1.0]])).round(2).tolist()
    [0.0, 0.67]
    """
    p, q = (counts + 0.5 for counts in (before, after))
    p, q = (share / share.sum(axis=-1, keepdims=True) for share in (p, q))
    index: Floats = ((q - p) * np.log(q / p)).sum(axis=-1)
    return index


def _finite(column: pd.Series, name: str) -> Floats:
    if not pd.api.types.is_numeric_dtype(column.dtype):
        raise TypeError(f"{name} holds no numbers; turn it into numbers, or leave it out")
    values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(values).all():
        raise ValueError(f"{name} holds NaN or inf; fill them or drop those rows")
    return values
