"""How good clusters are, alone and against known classes, by metrics with pinned definitions.

Chapter: 10 (choosing and naming clusters).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from sklearn import metrics as sk

from recsys_interest.checks import canonical_ids, shown
from recsys_interest.vectors import unit_rows

__all__ = ["evaluate_clusters"]

Floats = NDArray[np.float64]

NOISE = -1
SILHOUETTE_ROWS = 5_000  # the silhouette needs all pairs; above this a fixed random sample serves


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

        .. math:: \mathrm{accuracy} = \max_\pi \frac{1}{n} \sum_{i=1}^{n} [\, t_i = \pi(\ell_i) \,]

        over the :math:`n` rows that are not noise and one-to-one assignments :math:`\pi` of
        clusters to classes (Hungarian method).

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
        **_geometry(unit_rows(rows[order][kept]), codes[kept]),
    }
    if truth is not None:
        classes = pd.factorize(_aligned(truth, index, len(rows), "truth")[order])[0]
        found.update(_agreement(classes[kept], codes[kept]))
    return pd.Series(found, dtype="float64")


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
