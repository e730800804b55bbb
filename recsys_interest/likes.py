"""Who likes what, as a sparse table of ones, and sums that are exact in any order.

Chapter: 11 (cosine recommendation).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from recsys_interest.event_weights import event_strength

__all__ = [
    "cooccurrence",
    "liked",
    "likes_matrix",
    "on_grid",
    "put_on_grid",
    "strength_matrix",
    "whole_numbers",
]

Doubles = NDArray[np.float64]

_FACTOR_BITS = 26  # the product of two such numbers still has a bit to spare in float64
_ROWS_AT_ONCE = 1024
_CELLS_AT_ONCE = 2**23  # co-occurrences that are held sparse and dense at one time


def likes_matrix(
    log: pd.DataFrame,
    user_ids: pd.Index,
    item_ids: pd.Index,
    event_weights: Mapping[str, float] | None = None,
    neutral_rating: float = 3.0,
) -> sparse.csr_array:
    r"""Return the table of likes, :math:`x_{ui} = [\sum_{e \in (u, i)} s_e > 0]`.

    Parameters
    ----------
    log : DataFrame
        Valid events (see `validate_events`).
    user_ids, item_ids : Index
        What the rows and columns stand for: at least those of the log.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.

    Returns
    -------
    csr_array of float64, shape (n_users, n_items)
        Ones, in the order of the columns.

    Notes
    -----
    A purchase that was returned is no like, a hundred visits are one. Chapter 11, "Cosine
    recommendation".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"], "event": "rate",
    ...                     "value": [5.0, 1.0]})
    >>> likes_matrix(log, pd.Index([1, 2]), pd.Index(["a", "b"])).toarray().tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """
    return liked(strength_matrix(log, user_ids, item_ids, event_weights, neutral_rating))


def strength_matrix(
    log: pd.DataFrame,
    user_ids: pd.Index,
    item_ids: pd.Index,
    event_weights: Mapping[str, float] | None = None,
    neutral_rating: float = 3.0,
) -> sparse.csr_array:
    r"""Return what the events of a user on an item add up to, :math:`\sum_{e \in (u, i)} s_e`.

    The parameters are those of `likes_matrix`.

    >>> log = pd.DataFrame({"user_id": [1], "item_id": ["a"], "event": "rate", "value": [2.0]})
    >>> strength_matrix(log, pd.Index([1, 2]), pd.Index(["a"])).toarray().tolist()
    [[-1.5], [0.0]]
    """
    strength = event_strength(log, event_weights, neutral_rating)
    table = log[["user_id", "item_id"]].assign(strength=strength)
    # The sum of floats depends on their order, the table must not.
    table = table.sort_values("strength", kind="stable")
    total = table.groupby(["user_id", "item_id"], sort=True)["strength"].sum()
    rows = user_ids.get_indexer(total.index.get_level_values("user_id"))
    columns = item_ids.get_indexer(total.index.get_level_values("item_id"))
    shape = (len(user_ids), len(item_ids))
    return sparse.csr_array((total.to_numpy(), (rows, columns)), shape=shape)


def liked(strength: sparse.csr_array) -> sparse.csr_array:
    """Return ones where the strength is above nothing, in the order of the columns.

    >>> liked(sparse.csr_array([[-1.5, 0.0, 2.0]])).toarray().tolist()
    [[0.0, 0.0, 1.0]]
    """
    likes = sparse.csr_array((strength > 0).astype(np.float64))
    likes.sort_indices()
    return likes


def cooccurrence(likes: sparse.csr_array) -> Doubles:
    r"""Return how many users like both of two items, :math:`G = X^\top X`, as a dense table.

    >>> cooccurrence(sparse.csr_array([[1.0, 1.0], [0.0, 1.0]])).tolist()
    [[1.0, 1.0], [1.0, 2.0]]
    """
    n = likes.shape[1]
    by_item = likes.T.tocsr()
    gram = np.empty((n, n))
    size = max(1, _CELLS_AT_ONCE // n)
    for start in range(0, n, size):
        here = slice(start, start + size)
        gram[here] = (by_item[here] @ likes).toarray()
    return gram


def on_grid(values: NDArray[Any], bits: int = 30) -> NDArray[Any]:
    """Return the values rounded to multiples of 2**-bits.

    Sums of such numbers are exact in float64, in any order, as long as they stay below
    2**(53 - bits): a list then depends neither on who else is asked for nor on the processor, and
    items that are alike get the same score to the last bit.

    >>> on_grid(np.array([0.1, 0.26]), bits=2).tolist()
    [0.0, 0.25]
    """
    return np.ldexp(np.rint(np.ldexp(values, bits)), -bits)


def put_on_grid(table: NDArray[Any]) -> NDArray[Any]:
    """Round a large table to the grid of `on_grid` where it lies, and return it.

    >>> table = np.array([[0.1, 2.0**-40]])
    >>> put_on_grid(table) is table, table[0, 1]
    (True, np.float64(0.0))
    """
    for start in range(0, len(table), _ROWS_AT_ONCE):
        here = slice(start, start + _ROWS_AT_ONCE)
        table[here] = on_grid(table[here])
    return table


def whole_numbers(factors: NDArray[Any]) -> tuple[Doubles, int]:
    """Return factors as whole numbers and the power of two that they were multiplied by.

    No row is longer than 2**26, so that every dot product of two rows is exact in float64, in any
    order of its sums.

    >>> rows, power = whole_numbers(np.array([[0.75, 0.0]]))
    >>> np.ldexp(rows, -power).tolist()
    [[0.75, 0.0]]
    """
    values = np.asarray(factors, dtype=np.float64)
    longest = np.sqrt(np.square(values).sum(axis=1)).max(initial=0.0)
    power = _FACTOR_BITS - 1 - int(np.frexp(longest)[1])
    return np.rint(np.ldexp(values, power)), power
