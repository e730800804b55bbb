"""Bootstrap over users: how far a mean could have come out otherwise.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from recsys_interest.checks import check_count

__all__ = ["Seed", "interval", "mean_intervals", "resampled_means", "times_drawn"]

Floats = NDArray[np.float64]
Seed = int | np.random.RandomState | None


def times_drawn(n: int, n_boot: int, random_state: Seed) -> Iterator[NDArray[np.int64]]:
    """Yield, for each bootstrap sample, how often each of n users is in it.

    >>> [int(times.sum()) for times in times_drawn(5, 2, 0)]
    [5, 5]
    """
    rng = check_random_state(random_state)
    for _ in range(check_count(n_boot, "n_boot", 0)):
        yield np.bincount(rng.randint(n, size=n), minlength=n)


def resampled_means(values: Floats, n_boot: int, random_state: Seed) -> Floats:
    """Return the mean of each column over each of the bootstrap samples of the rows.

    Parameters
    ----------
    values : ndarray of float64, shape (n_users, n_columns)
        At least one row.
    n_boot : int
        Number of samples.
    random_state : int, RandomState or None
        Seed of the draws. One sample is drawn for all columns together, so that the difference of
        two columns is a paired one.

    Returns
    -------
    ndarray of float64, shape (n_boot, n_columns)
        The means.
    """
    means = np.empty((n_boot, values.shape[1]))
    for b, times in enumerate(times_drawn(len(values), n_boot, random_state)):
        means[b] = times @ values / len(values)
    return means


def mean_intervals(values: Floats, n_boot: int, random_state: Seed) -> tuple[Floats, Floats]:
    """Return the 95 % percentile interval of the mean of each column; NaN without samples.

    >>> low, high = mean_intervals(np.array([[0.0], [1.0], [1.0], [0.0]]), 200, 0)
    >>> bool(low[0] < 0.5 < high[0])
    True
    """
    if check_count(n_boot, "n_boot", 0) == 0 or not len(values):
        return np.full(values.shape[1], np.nan), np.full(values.shape[1], np.nan)
    return interval(resampled_means(values, n_boot, random_state))


def interval(samples: Floats) -> tuple[Floats, Floats]:
    """Return the 2.5 and the 97.5 percentile of each column; NaN if there are no rows.

    >>> interval(np.empty((0, 1)))
    (array([nan]), array([nan]))
    """
    if not len(samples):
        nothing = np.full(samples.shape[1:], np.nan)
        return nothing, nothing.copy()
    low, high = np.percentile(samples, [2.5, 97.5], axis=0)
    return low, high
