"""The k best cells of each row of a table of scores: exact, of equal ones the first.

Chapter: 11 (cosine recommendation).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Found", "Positions", "best_cells", "block_tops", "cells_from", "ranked", "shortlist"]

Positions = NDArray[np.intp]
Scores = NDArray[Any]

# Rows, columns, scores and ranks (from 1) of cells, row by row, the best first.
Found = tuple[Positions, Positions, NDArray[np.floating], NDArray[np.int64]]

_LARGEST_BLOCK = 32  # columns: with more there are more cells to look at, with fewer more blocks
_BLOCKS_PER_K = 8  # so that few of the k best share a block, and the bound is near
_LARGEST_WASTE = 4  # cells of a table with a row for each row, over the cells that are in it
_MANY = 0.2  # from this share of blocks on, it is faster to look at all cells


def best_cells(scores: Scores, k: int) -> Found:
    """Return row, column, score and rank of the k best of each row; of equal ones the first.

    Parameters
    ----------
    scores : ndarray of float, shape (n_rows, n_columns)
        −inf is "never"; NaN is not allowed.
    k : int
        How many; fewer where there are fewer.

    Returns
    -------
    tuple of four ndarrays
        One entry for each cell, row by row, the best first.

    Examples
    --------
    >>> rows, columns, _, rank = best_cells(np.array([[1.0, 3.0, 3.0], [2.0, -np.inf, 0.0]]), 2)
    >>> rows.tolist(), columns.tolist(), rank.tolist()
    ([0, 0, 1, 1], [1, 2, 0, 2], [1, 2, 1, 2])
    """
    rows, columns = shortlist(scores, k, 0.0)
    return ranked(rows, columns, scores[rows, columns], k)


def shortlist(
    scores: Scores, k: int, margin: float | NDArray[np.floating]
) -> tuple[Positions, Positions]:
    r"""Return the cells that can be among the k best of their row if scores are off by margin / 2.

    The columns are dealt to blocks. The k-th largest block maximum :math:`\beta` of a row is a
    bound: k cells reach it, so a cell below :math:`\beta - \mathrm{margin}` is not among the k
    best, and only blocks whose maximum reaches that are looked at, cell by cell. All ties at the
    edge are in: which of them stay is decided by the column, not by the sort.
    """
    if k >= scores.shape[1]:
        rows, columns = np.nonzero(np.greater(scores, -np.inf))
        return rows, columns
    tops = block_tops(scores, k)
    edge = np.partition(tops, tops.shape[1] - k, axis=1)[:, -k]
    bound = np.subtract(edge, margin, dtype=np.float64)
    floor = bound.astype(scores.dtype)
    floor = np.where(floor > bound, np.nextafter(floor, -np.inf), floor)  # rounded down
    return cells_from(scores, tops, np.maximum(floor, np.finfo(scores.dtype).min))


def block_tops(scores: Scores, k: int) -> Scores:
    """Return the maxima of blocks of columns, at least k of them.

    Block b of B has the columns b, b + B, b + 2B, ...: the maximum is then taken over whole rows of
    numbers that lie side by side.

    >>> block_tops(np.arange(6.0)[None], 3).tolist()
    [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]
    """
    n_rows, n = scores.shape
    n_blocks = n // max(1, min(_LARGEST_BLOCK, n // (_BLOCKS_PER_K * k)))
    depth = n // n_blocks
    tops: Scores = scores[:, : depth * n_blocks].reshape(n_rows, depth, n_blocks).max(axis=1)
    rest = scores[:, depth * n_blocks :]  # fewer than there are blocks
    np.maximum(tops[:, : rest.shape[1]], rest, out=tops[:, : rest.shape[1]])
    return tops


def cells_from(scores: Scores, tops: Scores, floor: Scores) -> tuple[Positions, Positions]:
    """Return the cells that are at least the floor of their row, given its block maxima.

    >>> table = np.array([[1.0, 5.0, 3.0, 2.0]])
    >>> cells_from(table, table, np.array([3.0]))[1].tolist()
    [1, 2]
    """
    n_rows, n = scores.shape
    n_blocks = tops.shape[1]
    hit = tops >= floor[:, None]
    if np.count_nonzero(hit) > _MANY * hit.size:
        rows, columns = np.nonzero(scores >= floor[:, None])
        return rows, columns
    row, block = np.divmod(np.flatnonzero(hit), n_blocks)
    whole = n - n % n_blocks
    values = scores[:, :whole].reshape(n_rows, n // n_blocks, n_blocks)[row, :, block]
    which, layer = np.divmod(np.flatnonzero(values >= floor[row, None]), values.shape[1])
    rest_row, rest_column = np.nonzero(scores[:, whole:] >= floor[:, None])
    rows = np.concatenate([row[which], rest_row])
    columns = np.concatenate([block[which] + n_blocks * layer, rest_column + whole])
    return rows, columns


def ranked(rows: Positions, columns: Positions, scores: Scores, k: int, *, first: int = 0) -> Found:
    """Return the k best of the given cells of each row, in order, and their ranks.

    The rows are those of a part of a table, counted from 0; `first` is the place of the part in it.

    >>> ranked(np.array([0, 1, 0]), np.array([5, 2, 3]), np.array([1.0, 2.0, 1.0]), 1)[1].tolist()
    [3, 2]
    """
    by_row = np.argsort(rows, kind="stable")
    rows, columns, scores = rows[by_row], columns[by_row], scores[by_row]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows, side="left")
    order = _order(rows, place, columns, scores)
    best = order[place < k]
    return rows[best] + first, columns[best], scores[best], 1 + place[place < k].astype(np.int64)


def _order(rows: Positions, place: Positions, columns: Positions, scores: Scores) -> Positions:
    """Return the order by row, score and column, given the place of each cell in its row."""
    if not len(rows):
        return rows
    shape = (int(rows[-1]) + 1, int(place.max()) + 1)
    if shape[0] * shape[1] > _LARGEST_WASTE * len(rows):
        return np.lexsort((columns, -scores, rows))
    # Many short sorts, side by side, are several times faster than one long one.
    table = np.full(shape, np.inf)
    table[rows, place] = -scores
    order = table.argsort(axis=1)
    table = np.take_along_axis(table, order, axis=1)
    if np.any((table[:, 1:] == table[:, :-1]) & (table[:, 1:] < np.inf)):
        return np.lexsort((columns, -scores, rows))
    first = np.searchsorted(rows, np.arange(shape[0]))
    found: Positions = (first[:, None] + order)[rows, place]
    return found
