"""Four ways to score a number of clusters, none of which sees a label.

Chapter: 09 (Gaussian mixtures), 10 (choosing and naming clusters).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score, silhouette_score

__all__ = ["Comparison", "first_large_gap", "gap_statistic", "resampled_agreement"]

Array = npt.NDArray[Any]
#: Labels of some rows: the clusterer with its number of clusters already set.
Labeller = Callable[[Array], Array]

SUBSAMPLE = 0.8


def silhouette(rows: Array, labels: Array) -> float:
    """Return the mean silhouette, NaN where it is not defined: one cluster, or one row each."""
    if not 2 <= len(np.unique(labels)) < len(rows):
        return np.nan
    return float(silhouette_score(rows, labels))


def dispersion(rows: Array, labels: Array) -> float:
    r"""Return the sum of squared distances to the cluster means, :math:`W_k`.

    >>> dispersion(np.array([[0.0], [2.0], [9.0]]), np.array([0, 0, 1]))
    2.0
    """
    clusters = (rows[labels == label] for label in np.unique(labels))
    return float(sum(np.square(mine - mine.mean(axis=0)).sum() for mine in clusters))


def reference_rows(rows: Array, n_references: int, rng: np.random.Generator) -> list[Array]:
    """Return data sets without clusters: uniform in the box of the rows' principal axes."""
    centred = rows - rows.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2]
    turned = centred @ axes.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return [rng.uniform(low, high, turned.shape) @ axes for _ in range(n_references)]


def gap_statistic(
    rows: Array, references: list[Array], label: Labeller, labels: Array
) -> tuple[float, float]:
    r"""Return the gap of one number of clusters and its standard error.

    .. math:: \mathrm{Gap}(k) = \frac{1}{B} \sum_{b=1}^{B} \log W_k^{(b)} - \log W_k, \qquad
              s_k = \sqrt{1 + 1/B} \; \mathrm{sd}_b \log W_k^{(b)}

    Parameters
    ----------
    rows : ndarray of shape (n, n_features)
        What was clustered.
    references : list of B ndarrays of shape (n, n_features)
        Data without clusters, see `reference_rows`.
    label : callable
        Clusters rows as `rows` were clustered.
    labels : ndarray of shape (n,)
        Clusters of `rows`.

    Returns
    -------
    tuple of float
        Gap and standard error; (NaN, NaN) if every row is its own cluster mean, where the
        logarithm has no value.

    Notes
    -----
    Tibshirani, Walther and Hastie (2001), section 3. Chapter 10.
    """
    within = dispersion(rows, labels)
    expected = np.array([dispersion(reference, label(reference)) for reference in references])
    if within <= 0 or (expected <= 0).any():
        return np.nan, np.nan
    logs = np.log(expected)
    error = logs.std() * np.sqrt(1 + 1 / len(references))
    return float(logs.mean() - np.log(within)), float(error)


def first_large_gap(ks: Array, gap: Array, error: Array) -> int | None:
    r"""Return the smallest k with :math:`\mathrm{Gap}(k) \ge \mathrm{Gap}(k') - s_{k'}`.

    :math:`k'` is the next number that was tried. None if no k passes, that is, if the gap still
    grows at the end of the range.

    >>> first_large_gap(np.array([1, 2, 3]), np.array([0.1, 0.9, 0.95]), np.full(3, 0.1))
    2
    """
    passes = gap[:-1] >= gap[1:] - error[1:]
    return int(ks[:-1][passes][0]) if passes.any() else None


def subsamples(n_rows: int, n_resamples: int, rng: np.random.Generator) -> list[Array]:
    """Return sorted positions of random samples of 80 % of the rows, without replacement."""
    size = max(1, int(SUBSAMPLE * n_rows))
    return [np.sort(rng.permutation(n_rows)[:size]) for _ in range(n_resamples)]


def resampled_agreement(rows: Array, samples: list[Array], label: Labeller) -> tuple[float, float]:
    r"""Return the mean agreement of clusterings of samples, and its standard error.

    .. math:: \mathrm{stab}(k) = \frac{2}{m (m - 1)} \sum_{a < b}
              \mathrm{ARI}\bigl(C_k(S_a)|_{S_a \cap S_b},\; C_k(S_b)|_{S_a \cap S_b}\bigr)

    with :math:`m` random samples :math:`S_a` of 80 % of the rows, each clustered by itself, and
    two clusterings compared on the rows that both samples hold.

    Parameters
    ----------
    rows : ndarray of shape (n, n_features)
        What is clustered.
    samples : list of ndarrays of int
        Positions, see `subsamples`.
    label : callable
        Clusters rows into k.

    Returns
    -------
    tuple of float
        Mean, and the standard error over the samples (the jackknife's, since pairs share samples).

    Notes
    -----
    Ben-Hur, Elisseeff and Guyon (2002), with the adjusted Rand index, which corrects for chance;
    over all pairs as in von Luxburg (2010), who shows what it cannot do: where the best clustering
    into a wrong k is unique, it is stable too. Chapter 10.
    """
    m = len(samples)
    found = np.full((m, len(rows)), -1, dtype=np.int64)
    for mine, sample in zip(found, samples, strict=True):
        mine[sample] = label(rows[sample])
    scores = np.full((m, m), np.nan)
    for a in range(m):
        for b in range(a):
            both = (found[a] >= 0) & (found[b] >= 0)
            scores[a, b] = scores[b, a] = adjusted_rand_score(found[a][both], found[b][both])
    mean = float(np.nanmean(scores))
    if m < 3:
        return mean, np.nan
    total, per_sample = np.nansum(scores), np.nansum(scores, axis=1)
    without = (total - 2 * per_sample) / ((m - 1) * (m - 2))
    return mean, float(np.sqrt((m - 1) * np.mean(np.square(without - without.mean()))))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What every number of clusters is scored on, the same rows, references and samples for all.

    Parameters
    ----------
    rows : ndarray of shape (n, n_features)
        What is clustered.
    mixture : GaussianMixture
        Whose BIC is computed.
    references : list of ndarrays
        See `reference_rows`.
    samples : list of ndarrays
        See `subsamples`.
    most_stable : int
        The largest number of clusters that a sample can hold.
    wanted : list of str
        Which criteria.
    """

    rows: Array = field(kw_only=False)
    mixture: Any
    references: list[Array]
    samples: list[Array]
    most_stable: int
    wanted: list[str]

    def scores(self, k: int, label: Labeller) -> dict[str, float]:
        """Return the scores of one number of clusters by name; what has no value is missing."""
        found: dict[str, float] = {}
        labels = label(self.rows) if {"silhouette", "gap"} & {*self.wanted} else np.empty(0)
        if "silhouette" in self.wanted:
            found["silhouette"] = silhouette(self.rows, labels)
        if "gap" in self.wanted:
            gap = gap_statistic(self.rows, self.references, label, labels)
            found["gap"], found["gap_error"] = gap
        if "bic" in self.wanted:
            mixture = clone(self.mixture).set_params(n_components=k)
            found["bic"] = float(mixture.fit(self.rows).bic(self.rows))
        # One cluster is the same in every sample, whatever the users.
        if "stability" in self.wanted and 1 < k <= self.most_stable:
            stability = resampled_agreement(self.rows, self.samples, label)
            found["stability"], found["stability_error"] = stability
        return found
