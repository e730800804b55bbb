"""Whether and where the mean of a short sequence of vectors changed, by permutations.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["against_chance", "change_point", "split_statistics"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

CELLS_AT_ONCE = 4_000_000  # numbers of permuted sequences that are held at one time


def split_statistics(rows: Floats) -> Floats:
    r"""Return how far apart the means of both sides are, for every place to cut the sequences.

    .. math:: T_k = \frac{k (n - k)}{n} \left\lVert \bar x_{1 \dots k} - \bar x_{k + 1 \dots n}
              \right\rVert^2

    the sum of squares between both sides, as in an analysis of variance.

    Parameters
    ----------
    rows : ndarray of float64, shape (..., n, n_features)
        Sequences of vectors.

    Returns
    -------
    ndarray of float64, shape (..., n − 1)
        For :math:`k = 1, \dots, n - 1`.

    Examples
    --------
    >>> split_statistics(np.array([[0.0], [0.0], [3.0]])).tolist()
    [1.5, 6.0]
    """
    n = rows.shape[-2]
    sums = np.cumsum(rows - rows.mean(axis=-2, keepdims=True), axis=-2)[..., :-1, :]
    k = np.arange(1, n)
    statistics: Floats = np.square(sums).sum(axis=-1) * n / (k * (n - k))
    return statistics


def change_point(
    rows: Floats, places: Ints, n_permutations: int, rng: np.random.RandomState
) -> tuple[int, float, float]:
    """Find the cut with the largest statistic, and compare it with that of shuffled sequences.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, n_features)
        A sequence of vectors.
    places : ndarray of int, shape (n_places,)
        Where to cut: how many vectors come before, from 1 to n − 1.
    n_permutations : int
        How often to shuffle.
    rng : RandomState
        To shuffle by.

    Returns
    -------
    tuple of int, float, float
        How many vectors are before the cut; the statistic divided by its mean over the shuffled
        sequences; and the share of sequences, this one among them, whose largest statistic is at
        least as large: the p-value, exact if under no change every order is equally likely.

    Examples
    --------
    >>> rows = np.repeat([[0.0], [1.0]], [12, 8], axis=0)
    >>> change_point(rows, np.arange(1, 20), 99, np.random.RandomState(0))[0]
    12
    """
    n = len(rows)
    found = split_statistics(rows)[places - 1]
    chance = np.empty(n_permutations)
    size = max(1, CELLS_AT_ONCE // max(1, rows.size))
    for start in range(0, n_permutations, size):
        count = min(size, n_permutations - start)
        orders = np.argsort(rng.random_sample((count, n)), axis=1)
        shuffled = split_statistics(rows[orders])[:, places - 1]
        chance[start : start + count] = shuffled.max(axis=1)
    return int(places[found.argmax()]), *against_chance(float(found.max()), chance)


def against_chance(found: float, chance: Floats) -> tuple[float, float]:
    """Return the ratio to the mean of the statistics of permutations, and the p-value.

    >>> against_chance(3.0, np.array([1.0, 2.0, 3.0]))
    (1.5, 0.5)
    """
    # Rounding must not decide between equal sequences.
    larger = int(np.count_nonzero(chance >= found * (1 - 1e-9) - 1e-12))
    mean = float(chance.mean())
    return found / mean if mean > 1e-12 else 1.0, (1 + larger) / (1 + len(chance))
