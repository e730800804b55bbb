"""What makes a fit the same for any order of the rows: one order, and one seed for every part.

Chapter: 07 (K-means).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

__all__ = ["check_part", "content_order", "seeded_clone", "sort_in_place"]

COLUMNS_AT_ONCE = 32


def check_part(part: object, name: str, what: str, method: str, example: str) -> None:
    """Raise if a part that a caller put in is no scikit-learn object with such a method.

    >>> check_part(5, "estimator", "a clusterer", "fit_predict", "KMeans(8)")
    Traceback (most recent call last):
        ...
    TypeError: estimator must be a clusterer with fit_predict, got 5; for example KMeans(8)
    """
    needed = ("get_params", method)
    if isinstance(part, type) or not all(hasattr(part, m) for m in needed):
        raise TypeError(f"{name} must be {what} with {method}, got {part!r}; for example {example}")


def content_order(rows: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return an order of the rows that depends on their content alone, equal rows side by side.

    >>> content_order(np.array([[2.0, 1.0], [0.0, 3.0], [2.0, 1.0]])).tolist()
    [1, 0, 2]
    """
    # The first bytes decide nearly always, and need no copy of the table.
    first = rows[:, : max(1, 8 // rows.dtype.itemsize)]
    order = np.argsort(_as_bytes(first), kind="stable")
    tied = np.append(False, (first[order[1:]] == first[order[:-1]]).all(axis=1))
    tied[:-1] |= tied[1:]
    rest = order[tied]
    # The whole row begins with the first bytes, so that the tied runs stay where they are.
    order[tied] = rest[np.argsort(_as_bytes(rows[rest]), kind="stable")]
    return order


def sort_in_place(rows: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Put the rows in the order of their content, with little extra memory; return that order.

    >>> rows = np.array([[2.0, 1.0], [0.0, 3.0]])
    >>> sort_in_place(rows).tolist(), rows.tolist()
    ([1, 0], [[0.0, 3.0], [2.0, 1.0]])
    """
    order = content_order(rows)
    for start in range(0, rows.shape[1], COLUMNS_AT_ONCE):
        columns = slice(start, start + COLUMNS_AT_ONCE)
        rows[:, columns] = rows[order, columns]
    return order


def _as_bytes(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    # Bytes compare faster than 384 columns one by one; 0.0 and -0.0 differ in their bytes only.
    same_zero = np.ascontiguousarray(rows + 0.0)
    width = same_zero.dtype.itemsize * same_zero.shape[1]
    if width == 8:  # big-endian numbers compare as their bytes do, and sort faster
        return same_zero.view(">u8").ravel().astype(np.uint64)
    return same_zero.view(np.dtype((np.void, width))).ravel()


def seeded_clone(estimator: Any, random_state: object) -> Any:
    """Return an unfitted copy in which every `random_state` left at None is `random_state`."""
    copy = clone(estimator)
    if random_state is None:
        return copy
    params = copy.get_params(deep=True)
    free = [k for k, v in params.items() if v is None and k.split("__")[-1] == "random_state"]
    return copy.set_params(**dict.fromkeys(free, random_state))
