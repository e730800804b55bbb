"""Checked tiers, their probabilities and the groups of users, brought into one order.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import shown

__all__ = ["aligned", "checked_probabilities", "checked_tiers", "group_codes"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def aligned(values: Any, index: pd.Index | None, name: str) -> Any:
    """Return a Series or table in the order of the truth; anything else as it is.

    >>> aligned(pd.Series([1, 2], index=["b", "a"]), pd.Index(["a", "b"]), "it").tolist()
    [2, 1]
    """
    if index is None or not isinstance(values, (pd.Series, pd.DataFrame)):
        return values
    if values.index.has_duplicates:
        raise ValueError(f"{name} has index labels more than once; keep one each")
    lost = index.difference(values.index, sort=False)
    if len(lost):
        raise ValueError(f"{name} lacks {shown(lost)}, which truth has; predict those too")
    return values.reindex(index)


def checked_tiers(
    values: Any, index: pd.Index | None, name: str, length: int | None = None
) -> tuple[Ints, pd.Index | None]:
    """Return tiers as whole numbers, and the index that says whose they are.

    >>> checked_tiers(pd.Series([0.0, 2.0]), None, "truth")[0].tolist()
    [0, 2]
    """
    if index is None and isinstance(values, pd.Series) and length is None:
        index = values.index
        if index.has_duplicates:
            raise ValueError(f"{name} has index labels more than once; keep one each")
    raw = np.asarray(aligned(values, index, name))
    if raw.ndim != 1 or (length is not None and len(raw) != length):
        raise ValueError(f"{name} must be one tier for each of {length} users, got {raw.shape}")
    if not len(raw):
        return raw.astype(np.int64), index
    if raw.dtype.kind not in "iuf":
        raise TypeError(f"{name} must be whole numbers, tiers have an order; got {raw.dtype}")
    if not np.isfinite(raw).all() or (raw != np.round(raw)).any():
        raise ValueError(f"{name} must be whole numbers without gaps, drop or fill missing tiers")
    return raw.astype(np.int64), index


def checked_probabilities(
    table: Any, index: pd.Index | None, true: Ints, name: str
) -> tuple[Floats, Ints]:
    """Return probabilities and the tier of each column, one for every tier of the truth.

    >>> table = pd.DataFrame({"tier_1": [1.0]})
    >>> chances, tiers = checked_probabilities(table, None, np.array([0]), "a")
    >>> chances.tolist(), tiers.tolist()
    ([[1.0, 0.0]], [1, 0])
    """
    where = f"probabilities[{name!r}]"
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{where} must be a DataFrame whose columns are the tiers")
    try:
        levels = np.array([int(str(c).removeprefix("tier_")) for c in table.columns])
    except ValueError:
        raise ValueError(f"{where} has columns that are no tiers: {shown(table.columns)}") from None
    chances = aligned(table, index, where).to_numpy(dtype=np.float64)
    if chances.shape[0] != len(true):
        raise ValueError(f"{where} has {len(chances)} rows for {len(true)} users")
    sums = chances.sum(axis=1)
    if not ((chances >= 0).all() and np.allclose(sums, 1, atol=1e-4)):
        raise ValueError(f"{where} must be probabilities: not negative, rows that sum to 1")
    unseen = np.setdiff1d(true, levels)
    chances = np.column_stack([chances, np.zeros((len(true), len(unseen)))])
    return chances, np.concatenate([levels, unseen])


def group_codes(groups: Any, index: pd.Index | None, n: int) -> Ints:
    """Return the number of each row's group; without groups, every row is one.

    >>> group_codes(["b", "a", "b"], None, 3).tolist()
    [1, 0, 1]
    """
    if groups is None:
        return np.arange(n)
    values = np.asarray(aligned(groups, index, "groups"))
    if values.shape != (n,):
        raise ValueError(f"groups must be one for each of {n} rows, got {values.shape}")
    return pd.factorize(values, sort=True)[0].astype(np.int64)
