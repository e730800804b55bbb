"""How far to look for neighbours: DBSCAN's `eps` from the knee of the k-distance curve.

Chapter: 08 (hierarchical and density clustering).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.cluster import DBSCAN
from sklearn.neighbors import NearestNeighbors
from sklearn.utils.validation import check_array, validate_data

from recsys_interest.checks import check_count
from recsys_interest.reproducible import content_order

__all__ = ["KneeDBSCAN", "k_distances", "knee_eps"]

Floats = npt.NDArray[np.float64]

LEAST_SAMPLES = 5
#: Relative to the largest number in the rows: nearer than this, rows are equal but for rounding.
ROUNDING = 1e-7
#: A distance is a root, and its square may fall below the square it came from.
ABOVE = 1 + 1e-9


def k_distances(X: Any, min_samples: int | None = None) -> Floats:
    r"""Return the distance of every point to its k-th nearest, from the smallest to the largest.

    The point itself is the first of the `min_samples` nearest, as in scikit-learn's `DBSCAN`, so a
    point is a core point exactly if its k-distance is at most `eps`, and the curve at the share
    :math:`s` is the `eps` that makes the share :math:`s` of the points core points.

    Parameters
    ----------
    X : DataFrame or array of shape (n, n_dimensions)
        Finite; few dimensions, for example after a PCA. Distances are Euclidean.
    min_samples : int, optional
        How many points, itself included, make a core point. Default: twice the number of
        dimensions, but at least 5 and at most all points.

    Returns
    -------
    ndarray of float64, shape (n,)
        Ascending; the same for any order of the rows.

    Raises
    ------
    TypeError
        If `min_samples` is not a whole number.
    ValueError
        If a value is missing or infinite, there are fewer than two points, or `min_samples` is
        below 2 or above the number of points.

    Notes
    -----
    Chapter 08, "Hierarchical and density clustering". Ester, Kriegel, Sander and Xu (1996),
    https://cdn.aaai.org/KDD/1996/KDD96-037.pdf; twice the dimensions: Sander, Ester, Kriegel and Xu
    (1998), doi:10.1023/A:1009745219419.

    Examples
    --------
    >>> k_distances([[0.0], [1.0], [3.0], [10.0]], min_samples=2).tolist()
    [1.0, 1.0, 2.0, 7.0]
    """
    rows = _rows(X)
    return _sorted_distances(rows, _enough(min_samples, rows))


def knee_eps(X: Any, min_samples: int | None = None) -> float:
    r"""Return the `eps` at the knee of the k-distance curve, for ``DBSCAN(eps, min_samples=...)``.

    Members of clusters have small k-distances of one size, noise has large ones: the curve is flat,
    then steep. The knee is the point furthest below the chord from the first to the last point of
    the curve, with the :math:`n` distances :math:`d_1 \le \dots \le d_n`

    .. math:: \mathrm{eps} = d_j, \qquad
        j = \arg\max_i \; \frac{i - 1}{n - 1} - \frac{d_i - d_1}{d_n - d_1}.

    Parameters
    ----------
    X : DataFrame or array of shape (n, n_dimensions)
        As for `k_distances`. Reduce it first: in hundreds of dimensions all distances are nearly
        equal, and no `eps` separates clusters from noise.
    min_samples : int, optional
        As for `k_distances`, and to be given to `DBSCAN` too.

    Returns
    -------
    float
        Above zero. Where all distances are equal there is no knee, and `eps` takes in all points.

    Raises
    ------
    TypeError
        If `min_samples` is not a whole number.
    ValueError
        As for `k_distances`.

    Notes
    -----
    Chapter 08, "Hierarchical and density clustering". The knee is that of Satopää, Albrecht, Irwin
    and Raghavan (2011), doi:10.1109/ICDCSW.2011.20, without smoothing. It finds the radius beyond
    which there is only noise. Where clusters touch, as those of texts do, that radius joins them;
    chapter 08 measures it. A single far outlier lifts the knee, too: look at the curve with
    `plot_k_distances`.

    Rows: C04.

    Examples
    --------
    >>> points = [[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [40.0]]
    >>> round(knee_eps(points, min_samples=2), 3)
    0.1
    """
    rows = _rows(X)
    return _usable(_knee(_sorted_distances(rows, _enough(min_samples, rows))), rows)


class KneeDBSCAN(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """DBSCAN that reads `eps` off the k-distance curve of the data it is fitted to.

    Parameters
    ----------
    min_samples : int, optional
        How many points, itself included, make a core point. Default: twice the number of
        dimensions, but at least 5 and at most all points.
    rule : callable, optional
        Takes the ascending k-distances, returns a radius. Default: their knee, as in `knee_eps`,
        for clusters with empty space between. ``numpy.mean`` suits texts, whose clusters touch.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n,)
        Cluster of every point, −1 for noise; the same partition for any order of the rows.
    eps_ : float
        The radius of the rule, above zero.
    min_samples_ : int
        The number used.
    core_sample_indices_ : ndarray of int64
        Positions of the core points.
    n_features_in_ : int
        Number of dimensions.
    feature_names_in_ : ndarray of str
        Their names, if `fit` got a frame.

    Notes
    -----
    Chapter 08, "Hierarchical and density clustering". Made to be injected behind a reducer, as
    ``InterestClusterer(KneeDBSCAN(), reducer=PCA(10))``.

    Rows: C04.

    Examples
    --------
    >>> points = [[0.0], [0.1], [0.2], [5.0], [5.1], [5.2], [40.0]]
    >>> KneeDBSCAN(min_samples=2).fit_predict(points).tolist()
    [0, 0, 0, 1, 1, 1, -1]
    """

    def __init__(
        self, min_samples: int | None = None, rule: Callable[[Floats], float] | None = None
    ) -> None:
        self.min_samples = min_samples
        self.rule = rule

    def fit(self, X: Any, y: object = None) -> KneeDBSCAN:
        """Choose `eps`, then find the clusters.

        Parameters
        ----------
        X : DataFrame or array of shape (n, n_dimensions)
            Finite; few dimensions.
        y : None
            Ignored.

        Returns
        -------
        KneeDBSCAN
            Itself.

        Raises
        ------
        TypeError
            If `min_samples` is not a whole number, or `rule` is not callable.
        ValueError
            As for `k_distances`, or if the rule returns no finite number.
        """
        rule = _knee if self.rule is None else self.rule
        if not callable(rule):
            raise TypeError(f"rule must be callable, got {rule!r}; for example numpy.mean")
        rows = validate_data(self, X, dtype=np.float64, ensure_min_samples=2)
        order = content_order(rows)
        rows = rows[order]
        self.min_samples_ = _enough(self.min_samples, rows)
        radius = float(rule(_sorted_distances(rows, self.min_samples_)))
        if not np.isfinite(radius):
            raise ValueError(f"rule returned {radius}; it must return a finite radius")
        self.eps_ = _usable(radius, rows)
        # A border point in reach of two clusters goes to the first: content decides which that is.
        found = DBSCAN(eps=self.eps_, min_samples=self.min_samples_).fit(rows)
        self.labels_ = np.empty(len(rows), dtype=np.int64)
        self.labels_[order] = found.labels_
        self.core_sample_indices_ = np.sort(order[found.core_sample_indices_])
        return self


def _rows(X: Any) -> Floats:
    rows: Floats = check_array(X, dtype=np.float64, ensure_min_samples=2, input_name="X")
    return rows[content_order(rows)]


def _enough(min_samples: int | None, rows: Floats) -> int:
    if min_samples is None:
        return min(max(LEAST_SAMPLES, 2 * rows.shape[1]), len(rows))
    check_count(min_samples, "min_samples", least=2)
    if min_samples > len(rows):
        raise ValueError(
            f"min_samples = {min_samples}, but there are {len(rows)} points; use fewer, or None"
        )
    return int(min_samples)


def _sorted_distances(rows: Floats, min_samples: int) -> Floats:
    nearest = NearestNeighbors(n_neighbors=min_samples).fit(rows).kneighbors(rows)[0]
    return np.sort(nearest[:, -1])


def _knee(distances: Floats) -> float:
    low, high = distances[0], distances[-1]
    if high - low <= ROUNDING * high:
        return float(high)
    below = np.linspace(0, 1, len(distances)) - (distances - low) / (high - low)
    return float(distances[np.argmax(below)])


def _usable(radius: float, rows: Floats) -> float:
    least = ROUNDING * max(float(np.abs(rows).max()), np.finfo(np.float64).tiny)
    return max(radius, least) * ABOVE
