"""The largest dot products of two sets of vectors: a rough pass, a bound, and exact scores.

Chapter: 11 (cosine recommendation).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from threadpoolctl import ThreadpoolController

from recsys_interest.top_k import Found, Positions, block_tops, cells_from, ranked, shortlist

__all__ = ["best_products", "exact_pairs", "has_bfloat16"]

Vectors = NDArray[Any]
Doubles = NDArray[np.float64]
Cells = tuple[Positions, Positions]

_ROWS_AT_ONCE = 512  # of a thread: its products stay in the cache of the processor
_PAIRS_AT_ONCE = 512  # whose vectors are held in float64 at one time
_WORTH_BFLOAT16 = 2**26  # multiplications from which on it is the faster way
_WORTH_TORCH = 2**36  # and from which on it is so even if torch must be loaded first
_NEVER = np.array([0xFF80], dtype=np.uint16).view(np.int16)[0]  # −inf in bfloat16
_U16, _U24 = 2.0**-9, 2.0**-24  # largest relative errors of a rounding: bfloat16, float32
_TINY = 1e-30  # covers products too small for float32, of rows no longer than one


def best_products(
    left: Vectors,
    right: Vectors,
    k: int,
    *,
    hidden: sparse.csr_array | None = None,
    score: Callable[[Positions, Positions], NDArray[np.floating]] | None = None,
    max_scores: int = 5_000_000,
) -> Found:
    r"""Return the k largest dot products of each left row with the right rows, exactly.

    All products are computed roughly, in bfloat16 where the processor multiplies that faster, else
    in float32. A rough product :math:`v` of :math:`q \cdot x`, from the rounded
    :math:`\hat q, \hat x`, is off by at most

    .. math:: \varepsilon = \lVert q - \hat q \rVert \, \lVert \hat x \rVert
        + \lVert q \rVert \, \lVert x - \hat x \rVert
        + \gamma \, \lVert \hat q \rVert \, \lVert \hat x \rVert

    (the inequality of Cauchy and Schwarz; :math:`\gamma` bounds the rounding of the sum). If k
    items have :math:`v \ge \beta`, no item with :math:`v < \beta - 2 \varepsilon` is among the k
    best. The few that are left are computed once more in float64, pair by pair.

    Parameters
    ----------
    left : ndarray of float32 or float64, shape (n_rows, n_features)
        Finite.
    right : ndarray of float32 or float64, shape (n_columns, n_features)
        Finite.
    k : int
        How many; all where there are fewer.
    hidden : csr_array of bool, shape (n_rows, n_columns), optional
        Pairs that are left out.
    score : callable, optional
        Left and right positions to scores that order the columns of a row as their products do;
        the products themselves if not given.
    max_scores : int, default 5,000,000
        How many rough products to hold at once; never less than one row for each thread.

    Returns
    -------
    tuple of four ndarrays
        Rows, columns, float64 scores and ranks from 1, row by row, the best first and of equal ones
        the smaller column. They depend neither on the other rows nor on the processor's threads.

    Notes
    -----
    Chapter 11, "Cosine recommendation", derives the bound. It works on as many threads as BLAS may
    use (``OMP_NUM_THREADS`` or `threadpoolctl`).

    Examples
    --------
    >>> found = best_products(np.array([[1.0, 0.0]]), np.array([[0.5, 1.0], [2.0, 0.0]]), 1)
    >>> [part.tolist() for part in found]
    [[0], [1], [2.0], [1]]
    """
    left, right = np.ascontiguousarray(left), np.ascontiguousarray(right)
    worth = _WORTH_BFLOAT16 if "torch" in sys.modules else _WORTH_TORCH
    is_large = left.shape[0] * right.size >= worth
    rough = _Bfloat16(right) if is_large and has_bfloat16() else _Float32(right)
    exact = score or exact_pairs(left, right)

    def part(start: int) -> Found:
        here = slice(start, start + size)
        mask = None if hidden is None else hidden[here]
        rows, columns = rough.shortlist(left[here], k, mask)
        return ranked(rows, columns, exact(rows + start, columns), k, first=start)

    pool = ThreadpoolController()
    n_threads = max([lib["num_threads"] for lib in pool.info() if lib["user_api"] == "blas"] or [1])
    size = max(1, min(_ROWS_AT_ONCE, max_scores // max(1, len(right) * n_threads)))
    starts = range(0, max(1, len(left)), size)
    if len(starts) == 1 or n_threads == 1:
        parts = [part(start) for start in starts]
    else:
        with pool.limit(limits=1), ThreadPoolExecutor(n_threads, "", rough.enter, (pool,)) as crew:
            parts = list(crew.map(part, starts))
    rows, columns, scores, rank = (np.concatenate(p) for p in zip(*parts, strict=True))
    return rows, columns, scores, rank


def exact_pairs(
    left: Vectors, right: Vectors, compare: Callable[[Any, Any], Any] = np.vecdot
) -> Callable[[Positions, Positions], Doubles]:
    """Return what compares rows in float64, each pair by itself; by default by dot products.

    >>> rows = np.array([[1.0, 2.0], [3.0, 4.0]], dtype=np.float32)
    >>> exact_pairs(rows, rows)(np.array([0, 1]), np.array([1, 1])).tolist()
    [11.0, 25.0]
    """

    def compared(rows: Positions, columns: Positions) -> Doubles:
        out = np.empty(len(rows))
        for start in range(0, len(rows), _PAIRS_AT_ONCE):
            here = slice(start, start + _PAIRS_AT_ONCE)
            one = left.take(rows[here], axis=0).astype(np.float64)
            out[here] = compare(one, right.take(columns[here], axis=0).astype(np.float64))
        return out

    return compared


class _Float32:
    """Products in float32 of rows scaled to a length of at most one, so that none overflows."""

    def __init__(self, right: Vectors) -> None:
        scaled = _scaled(right)
        self.table = scaled.astype(np.float32, copy=False)
        self._bound(scaled, self.table)

    def _bound(self, scaled: Vectors, rounded: Vectors) -> None:
        self.lost = _lost(scaled, rounded).max(initial=0.0)
        self.length = _lengths(rounded).max(initial=0.0)

    def enter(self, pool: ThreadpoolController) -> None:
        """Prepare a thread: the limit of BLAS holds for all of them."""

    def shortlist(self, left: Vectors, k: int, hidden: sparse.csr_array | None) -> Cells:
        """Return the cells that can be among the k largest of their row."""
        scaled = _scaled(left)
        rows = scaled.astype(np.float32, copy=False)
        scores = rows @ self.table.T
        if hidden is not None:
            scores[hidden.nonzero()] = -np.inf
        return shortlist(scores, k, 2 * self._error(scaled, rows))

    def _error(self, scaled: Vectors, rounded: Vectors) -> Doubles:
        lost, length = _lost(scaled, rounded), _lengths(rounded)
        summing = 2 * scaled.shape[1] * _U24 * length * self.length
        return lost * self.length + (length + lost) * self.lost + summing + _TINY


class _Bfloat16(_Float32):
    """The same in bfloat16, whose positive numbers have the order of their bits as integers."""

    def __init__(self, right: Vectors) -> None:
        import torch

        scaled = _scaled(right)
        self.bits = torch.from_numpy(scaled.astype(np.float32, copy=False)).bfloat16()
        self._bound(scaled, self.bits.float().numpy())
        self.better = _Float32(right)

    def enter(self, pool: ThreadpoolController) -> None:
        """Prepare a thread: torch asks each for its own limit, once it has set a first one."""
        import torch

        torch.get_num_threads()
        pool.limit(limits=1, user_api="openmp")

    def shortlist(self, left: Vectors, k: int, hidden: sparse.csr_array | None) -> Cells:
        """Return the cells that can be among the k largest of their row."""
        import torch

        if k >= len(self.bits):
            return self.better.shortlist(left, k, hidden)
        scaled = _scaled(left)
        rows = torch.from_numpy(scaled.astype(np.float32, copy=False)).bfloat16()
        scores = torch.mm(rows, self.bits.T).view(torch.int16).numpy()
        if hidden is not None:
            scores[hidden.nonzero()] = _NEVER
        tops = block_tops(scores, k)
        edge = _numbers(np.partition(tops, tops.shape[1] - k, axis=1)[:, -k])
        # The products are rounded, too, each by its own size.
        error = self._error(scaled, rows.float().numpy())
        floor = (edge * (1 - _U16) - 2 * error) * (1 - _U16)
        positive = floor > _TINY
        found = cells_from(scores, tops, _bits_below(np.where(positive, floor, np.inf)))
        if positive.all():
            return found
        # Below zero the order of the bits is another one.
        odd = np.flatnonzero(~positive)
        again = self.better.shortlist(left[odd], k, None if hidden is None else hidden[odd])
        return np.append(found[0], odd[again[0]]), np.append(found[1], again[1])


def has_bfloat16() -> bool:
    """Return whether the processor says that it multiplies bfloat16 by itself.

    A timing would answer differently on a busy machine.

    >>> has_bfloat16() in (True, False)
    True
    """
    import torch

    if not torch.backends.mkldnn.is_available():
        return False
    asked: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()  # newer torch only
    return any(asked.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def _numbers(bits: NDArray[np.int16]) -> Doubles:
    """Return the numbers that these bits are in bfloat16: the upper half of a float32."""
    wide = np.left_shift(bits.astype(np.int32), 16)
    return wide.view(np.float32).astype(np.float64)


def _bits_below(positive: Doubles) -> NDArray[np.int16]:
    """Return the bits of the next bfloat16 that is not above a positive number."""
    wide = (positive * (1 - 2 * _U24)).astype(np.float32).view(np.int32)
    return np.right_shift(wide, 16).astype(np.int16)


def _scaled(rows: Vectors) -> Vectors:
    """Return rows times a power of two, so that the longest is no longer than one."""
    peak = float(max(rows.max(initial=0.0), -rows.min(initial=0.0)))
    longest = peak * float(np.sqrt(rows.shape[1]))
    # Rows of the smallest numbers stay shorter: the power has to be a number of their kind, too.
    power = min(-int(np.frexp(longest)[1]), np.finfo(rows.dtype).maxexp - 1)
    return rows * rows.dtype.type(np.ldexp(1.0, power))


def _lost(rows: Vectors, rounded: Vectors) -> Doubles:
    """Return how long at most is what was lost by rounding."""
    return np.zeros(len(rows)) if rounded is rows else _lengths(rows - rounded)


def _lengths(rows: Vectors) -> Doubles:
    """Return what the lengths of the rows are at most."""
    squares = np.vecdot(rows, rows).astype(np.float64)
    return np.sqrt(squares) * (1 + rows.shape[1] * float(np.finfo(rows.dtype).eps)) + _TINY
