"""Weighted means of vectors, for very many users at once.

Chapter: 05 (user profiles).
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsys_interest.checks import check_count

__all__ = ["weighted_means"]

ROWS_AT_ONCE = 4096  # rows of the result that one thread works on
# Sums of more terms are made in float64: the rounding of float32 grows with their number.
FEW_TERMS = 256


def weighted_means(
    shares: sparse.csr_array, vectors: NDArray[np.float32], n_jobs: int | None = None
) -> NDArray[np.float32]:
    """Return the means of the vectors, weighted by the rows of a sparse table.

    Parameters
    ----------
    shares : csr_array of float64, shape (n, n_vectors)
        Not negative; each row sums to one, or is empty.
    vectors : ndarray of float32, shape (n_vectors, n_features)
        Finite.
    n_jobs : int, optional
        Threads; 1 by default, −1 for one a core. A row of the result depends neither on them nor
        on other rows.

    Returns
    -------
    ndarray of float32, shape (n, n_features)
        Zeros for an empty row.

    Examples
    --------
    >>> shares = sparse.csr_array([[0.75, 0.25], [0.0, 0.0]])
    >>> weighted_means(shares, np.eye(2, dtype=np.float32)).tolist()
    [[0.75, 0.25], [0.0, 0.0]]
    """
    vectors = np.ascontiguousarray(vectors)  # else scipy would copy them for every part
    means = np.zeros((shares.shape[0], vectors.shape[1]), dtype=np.float32)
    starts = range(0, len(means), ROWS_AT_ONCE)
    with ThreadPoolExecutor(threads(n_jobs)) as pool:  # scipy's products let other threads run
        for _ in pool.map(lambda start: _fill(means, shares, vectors, start), starts):
            pass
    return means


def threads(n_jobs: int | None) -> int:
    """Return a number of threads, read as scikit-learn reads `n_jobs`.

    >>> threads(None)
    1
    """
    if n_jobs is None:
        return 1
    return os.cpu_count() or 1 if n_jobs == -1 else check_count(n_jobs, "n_jobs")


def _fill(
    means: NDArray[np.float32], shares: sparse.csr_array, vectors: NDArray[np.float32], start: int
) -> None:
    ends = shares.indptr[start : start + ROWS_AT_ONCE + 1]
    terms = slice(ends[0], ends[-1])
    data, columns = shares.data[terms], shares.indices[terms]
    shape = (len(ends) - 1, len(vectors))
    part = sparse.csr_array((data.astype(np.float32), columns, ends - ends[0]), shape=shape)
    rows = means[start : start + ROWS_AT_ONCE]
    rows[:] = part @ vectors
    for row in np.flatnonzero(np.diff(ends) > FEW_TERMS):
        mine = slice(ends[row] - ends[0], ends[row + 1] - ends[0])
        rows[row] = data[mine] @ vectors[columns[mine]].astype(np.float64)
