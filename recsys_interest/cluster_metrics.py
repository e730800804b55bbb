"""How good clusters are, alone and against known classes, by metrics with pinned definitions.

Chapter: 10 (choosing and naming clusters).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import linear_sum_assignment
from scipy.sparse import csr_array
from scipy.spatial.distance import pdist
from sklearn import metrics as sk

from recsys_interest.checks import canonical_ids, shown
from recsys_interest.vectors import unit_rows

__all__ = ["evaluate_clusters"]

Floats = NDArray[np.float64]

NOISE = -1
SILHOUETTE_ROWS = 5_000  # the silhouette needs all pairs; above this a fixed random sample serves
COINCIDE = 1e-12  # means of unit vectors nearer than this are the same but for rounding


def evaluate_clusters(
    vectors: pd.DataFrame | ArrayLike,
    labels: pd.Series | ArrayLike,
    truth: pd.Series | ArrayLike | None = None,
) -> pd.Series:
    r"""Measure clusters by their geometry and, where the truth is known, against it.

    The first kind is *internal*: it needs nothing but the vectors and the clusters, and the
    silhouette is one of them. The second kind is *external*: it compares with known classes.
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
        `n_clusters`, `noise_share`, then the numbers under Notes, all over the :math:`n` points
        that are not noise. NaN stands for what has no meaning: everything if all is noise; all
        internal ones but `cohesion` with fewer than two clusters, none of two points, or all points
        alike.

    Raises
    ------
    TypeError
        If the vectors are not numbers.
    ValueError
        If the lengths or the indexes differ, or a value is missing.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters". A Series belongs to the rows by its index where the
    vectors (or the labels) have one, an array by position. With unit vectors :math:`x_i`, clusters
    :math:`C_k` of :math:`n_k` points and mean :math:`m_k`, and classes :math:`T_c`:

    `silhouette_cosine`, in [−1, 1]
        Mean of :math:`(b_i - a_i) / \max(a_i, b_i)`, where :math:`a_i` is the mean cosine distance
        to the other points of the own cluster and :math:`b_i` the smallest mean distance to another
        cluster; 0 for a cluster of one. Above 5,000 points, of 5,000 drawn with a fixed seed.
        Rousseeuw (1987), doi:10.1016/0377-0427(87)90125-7.
    `davies_bouldin`, lower is better
        :math:`\frac{1}{K} \sum_k \max_{l \neq k} (s_k + s_l) / \lVert m_k - m_l \rVert`, where
        :math:`s_k` is the mean distance of the members to :math:`m_k`. Infinite if two means
        coincide. Davies and Bouldin (1979), doi:10.1109/TPAMI.1979.4766909.
    `calinski_harabasz`, higher is better
        :math:`\frac{B / (K - 1)}{W / (n - K)}` with the squared distances :math:`B` of the means to
        the overall mean, each times :math:`n_k`, and :math:`W` of the points to their mean.
        Infinite if :math:`W = 0`. Caliński and Harabasz (1974), doi:10.1080/03610927408827101.
    `cohesion`, in [0, 1]
        :math:`\frac{1}{n} \sum_k \lVert \sum_{i \in C_k} x_i \rVert`: the mean cosine of the
        points with the direction of their cluster, which spherical K-means maximises. It rises with
        the number of clusters, so it compares partitions of equally many. Dhillon and Modha (2001),
        doi:10.1023/A:1007612920971.
    `ari`, at most 1, 0 expected by chance
        Rand index over pairs of points, adjusted for chance. Hubert and Arabie (1985),
        doi:10.1007/BF01908075.
    `nmi`, `v_measure`, in [0, 1]
        Mutual information over the arithmetic mean of the two entropies, Vinh, Epps and Bailey
        (2010), https://jmlr.org/papers/v11/vinh10a.html, which is the V-measure, Rosenberg and
        Hirschberg (2007), https://aclanthology.org/D07-1043, so the two are equal; 1 if both have
        one group only. Not adjusted for chance: it rises with the number of clusters.
    `accuracy`, in [0, 1]
        :math:`\max_\pi \frac{1}{n} \sum_i [\, t_i = \pi(\ell_i) \,]` over one-to-one assignments
        :math:`\pi` of clusters to classes (Hungarian method). Clusters beyond the number of classes
        count as wrong. Times ``1 - noise_share``, it is the share of all points, noise wrong.
    `b_cubed_precision`, `b_cubed_recall`, `b_cubed`, in [0, 1]
        Mean over the points of :math:`|C \cap T| / |C|` and of :math:`|C \cap T| / |T|` for the
        cluster :math:`C` and the class :math:`T` of the point, and their harmonic mean. Amigó,
        Gonzalo, Artiles and Verdejo (2009), doi:10.1007/s10791-008-9066-8.

    Rows: M01, M02, Q10.

    Examples
    --------
    >>> vectors = [[2, 0], [3, 0], [0, 1], [0, 5]]
    >>> found = evaluate_clusters(vectors, [7, 7, 3, -1], truth=["a", "a", "b", "b"])
    >>> found[["n_clusters", "noise_share", "cohesion", "ari", "b_cubed"]].tolist()
    [2.0, 0.25, 1.0, 1.0, 1.0]
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
    names = ("silhouette_cosine", "davies_bouldin", "calinski_harabasz", "cohesion")
    found = dict.fromkeys(names, np.nan)
    if len(unit) == 0:
        return found
    codes = np.unique(codes, return_inverse=True)[1]  # without gaps where noise was
    sums = _sums(unit, codes)
    # Rounding may lift the sum of equal vectors above their number.
    found["cohesion"] = min(float(np.linalg.norm(sums, axis=1).sum() / len(unit)), 1.0)
    if not _comparable(codes) or not np.ptp(unit, axis=0).any():
        return found
    found["davies_bouldin"] = _davies_bouldin(unit, codes, sums)
    found["calinski_harabasz"] = _calinski_harabasz(unit, codes)
    if len(unit) > SILHOUETTE_ROWS:
        drawn = np.random.RandomState(0).choice(len(unit), SILHOUETTE_ROWS, replace=False)
        unit, codes = unit[drawn], codes[drawn]
    if _comparable(codes):  # a small cluster may be missing from the sample
        found["silhouette_cosine"] = float(sk.silhouette_score(unit, codes, metric="cosine"))
    return found


def _sums(unit: Floats, codes: NDArray[np.intp]) -> Floats:
    member = csr_array((np.ones(len(codes)), (codes, np.arange(len(codes)))))
    total: Floats = member @ unit
    return total


def _davies_bouldin(unit: Floats, codes: NDArray[np.intp], sums: Floats) -> float:
    # scikit-learn leaves a pair with one mean out, and so calls the worst clusters perfect.
    if pdist(sums / np.bincount(codes)[:, None]).min() < COINCIDE:
        return np.inf
    return float(sk.davies_bouldin_score(unit, codes))


def _calinski_harabasz(unit: Floats, codes: NDArray[np.intp]) -> float:
    first = np.unique(codes, return_index=True)[1]
    # scikit-learn answers 1, a poor score, where nothing varies within the clusters.
    if (unit == unit[first[codes]]).all():
        return np.inf
    return float(sk.calinski_harabasz_score(unit, codes))


def _comparable(codes: NDArray[np.intp]) -> bool:
    return 2 <= len(np.unique(codes)) < len(codes)


def _agreement(classes: NDArray[np.intp], codes: NDArray[np.intp]) -> dict[str, float]:
    names = ("ari", "nmi", "v_measure", "accuracy")
    b_cubed = ("b_cubed_precision", "b_cubed_recall", "b_cubed")
    if len(codes) == 0:
        return dict.fromkeys((*names, *b_cubed), np.nan)
    table = sk.cluster.contingency_matrix(classes, codes).astype(np.float64)
    matched = table[linear_sum_assignment(table, maximize=True)].sum()
    precision = (table**2 / table.sum(axis=0)).sum() / len(codes)
    recall = (table**2 / table.sum(axis=1, keepdims=True)).sum() / len(codes)
    scores = (
        sk.adjusted_rand_score(classes, codes),
        sk.normalized_mutual_info_score(classes, codes),
        sk.v_measure_score(classes, codes),
        matched / len(codes),
        precision,
        recall,
        2 * precision * recall / (precision + recall),
    )
    return dict(zip((*names, *b_cubed), map(float, scores), strict=True))
