"""What a clusterer of windows is handed: whose the rows are, and which window comes next.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from recsys_interest.checks import canonical_ids, check_same_ids, shown

__all__ = ["checked_windows", "in_order", "next_window", "split_index", "window_users"]


def split_index(X: Any, windows: Any) -> tuple[Any, Any]:
    """Return rows indexed by user, and their windows if the index holds them.

    >>> X = pd.DataFrame({"x": [1.0]}, index=pd.MultiIndex.from_tuples([(2026, "ann")]))
    >>> rows, windows = split_index(X, None)
    >>> rows.index.tolist(), windows.tolist()
    (['ann'], [2026])
    """
    if not isinstance(X, pd.DataFrame) or not isinstance(X.index, pd.MultiIndex):
        return X, windows
    if X.index.nlevels != 2:
        raise ValueError(f"X has an index of {X.index.nlevels} levels; use (window, user_id)")
    own = X.index.get_level_values(0)
    return X.set_axis(X.index.get_level_values(1), axis=0), own if windows is None else windows


def checked_windows(windows: Any, n_rows: int) -> pd.Series:
    """Return one window for every row, or say where one is missing.

    >>> checked_windows([5, 6], 2).tolist()
    [5, 6]
    """
    column = pd.Series(windows).reset_index(drop=True)
    if len(column) != n_rows:
        raise ValueError(f"windows has {len(column)} values, X has {n_rows} rows; give one a row")
    if not n_rows:
        raise ValueError("X has no rows, so there are no windows")
    if column.isna().any():
        where = shown(np.flatnonzero(column.isna()).tolist())
        raise ValueError(f"windows is missing in the row(s) {where}; drop those rows")
    return column


def in_order(windows: Iterable[Any], name: str = "windows") -> list[Any]:
    """Return windows in ascending order, or say that they have none.

    >>> in_order({6, 5})
    [5, 6]
    """
    try:
        return sorted(windows)
    except TypeError:
        kinds = shown(sorted({type(w).__name__ for w in windows}))
        raise TypeError(f"{name} mixes {kinds}, which have no order; use one kind") from None


def next_window(window: Any, windows: Sequence[Any]) -> tuple[Any, bool]:
    """Return the name of the window after those so far, and whether it is the last one again.

    >>> next_window(None, [3]), next_window(3, [3])
    ((4, False), (3, True))
    """
    last = windows[-1] if windows else None
    if window is None:
        if last is not None and not isinstance(last, (int, np.integer)):
            raise TypeError(f"window is missing; the last one was {last!r}, name the next one")
        return (0 if last is None else int(last) + 1), False
    if not pd.api.types.is_hashable(window):
        raise TypeError(f"window must be one number, text or moment, got {window!r}")
    if pd.isna(window):
        raise ValueError("window is missing (NaN or NaT); name it")
    if last is None:
        return window, False
    try:
        earlier, again = bool(window < last), bool(window == last)
    except TypeError:
        raise TypeError(
            f"window {window!r} cannot be compared with the last one, {last!r}; name all "
            f"windows in one way"
        ) from None
    if earlier:
        raise ValueError(
            f"window {window!r} is earlier than the last one, {last!r}; the ids after it hang "
            f"on it, so fit all windows again, with this one in its place"
        )
    return window, again


def window_users(X: Any, before: pd.Series | None) -> pd.Index | None:
    """Return who the rows of one window are, None for an array.

    `before` is the path of the window before: its users are known again by ids of the same kind.

    >>> window_users(pd.DataFrame({"x": [1.0]}, index=["ann"]), None).tolist()
    ['ann']
    """
    if not isinstance(X, pd.DataFrame):
        return None
    ids = canonical_ids(X.index.to_series(index=range(len(X))), "X.index")
    if ids.duplicated().any():
        twice = shown(ids[ids.duplicated()].tolist())
        raise ValueError(f"X has the user(s) {twice} more than once in one window; keep one row")
    if before is not None:
        known = before.index.to_series(index=range(len(before)))
        check_same_ids(known, ids, "the index of the window before", "X.index")
    return pd.Index(ids, name=X.index.name)
