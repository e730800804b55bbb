"""Clusters inside tiers: first how deep, then which topic among those equally deep.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from recsys_interest.checks import shown
from recsys_interest.clusters import InterestClusterer
from recsys_interest.reproducible import check_part

__all__ = ["cluster_within_tiers"]


def cluster_within_tiers(
    vectors: pd.DataFrame, tiers: pd.Series, clusterer: Any = None, *, random_state: Any = None
) -> pd.DataFrame:
    """Cluster the users of every tier by themselves.

    Parameters
    ----------
    vectors : DataFrame of shape (n_users, n_dimensions)
        Interest vectors, indexed by user.
    tiers : Series
        Tier of every user of `vectors`, indexed by user; others are left out.
    clusterer : InterestClusterer, optional
        Cloned for every tier. Default: ``InterestClusterer()``.
    random_state : int, RandomState or None, default None
        Given to the default clusterer.

    Returns
    -------
    DataFrame
        With the index of `vectors`: `tier`, `cluster` (numbered within the tier, 0 is the largest,
        −1 is noise) and `segment`, the two as text, ``2/0``.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a user of `vectors` has no tier, or more than one.

    Notes
    -----
    Chapter 06, "Interest tiers". It is worth it where topics differ between the tiers; where they
    do not, every tier has to find the same topics from fewer users.

    Rows: T07.

    Examples
    --------
    >>> import pandas as pd
    >>> vectors = pd.DataFrame({"x": [1.0, 1.0, 0.0, 0.0], "y": [0.0, 0.1, 1.0, 1.0]},
    ...                        index=["ann", "bob", "cem", "dee"])
    >>> found = cluster_within_tiers(vectors, pd.Series([0, 1, 0, 1], index=vectors.index))
    >>> found["segment"].nunique()
    4
    """
    if not isinstance(vectors, pd.DataFrame) or not isinstance(tiers, pd.Series):
        raise TypeError("vectors must be a DataFrame and tiers a Series, both indexed by user")
    model = InterestClusterer(random_state=random_state) if clusterer is None else clusterer
    check_part(model, "clusterer", "a clusterer", "fit_predict", "InterestClusterer(KMeans(8))")
    for name, index in (("vectors", vectors.index), ("tiers", tiers.index)):
        if index.has_duplicates:
            raise ValueError(f"{name} has users more than once: {shown(index[index.duplicated()])}")
    mine = tiers.reindex(vectors.index)
    if mine.isna().any():
        lost = shown(vectors.index[mine.isna()])
        raise ValueError(f"tiers lacks the users {lost}; give each user of vectors a tier")
    out = pd.DataFrame({"tier": mine.astype(tiers.dtype), "cluster": -1}, index=vectors.index)
    for tier in np.sort(mine.unique()):
        here = (mine == tier).to_numpy()
        out.loc[here, "cluster"] = clone(model).fit_predict(vectors[here])
    out["segment"] = out["tier"].astype(str) + "/" + out["cluster"].astype(str)
    return out
