"""What makes a fit the same for any order of the rows: one order, and one seed for every part.

Chapter: 07 (K-means).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import clone

__all__ = ["check_part", "content_order", "seeded_clone"]


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
    # Bytes compare faster than 384 columns one by one; 0.0 and -0.0 differ in their bytes only.
    same_zero = np.ascontiguousarray(rows + 0.0)
    width = same_zero.dtype.itemsize * same_zero.shape[1]
    return np.argsort(same_zero.view(np.dtype((np.void, width))).ravel(), kind="stable")


def seeded_clone(estimator: Any, random_state: object) -> Any:
    """Return an unfitted copy in which every `random_state` left at None is `random_state`."""
    copy = clone(estimator)
    if random_state is None:
        return copy
    params = copy.get_params(deep=True)
    free = [k for k, v in params.items() if v is None and k.split("__")[-1] == "random_state"]
    return copy.set_params(**dict.fromkeys(free, random_state))
