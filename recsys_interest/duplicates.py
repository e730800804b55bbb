"""Order the events of a log, and find the ones that were written twice.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["Keys", "in_order", "near_duplicates", "pair_codes", "spelled"]

Rows = npt.NDArray[np.intp]


class Keys(NamedTuple):
    """What makes an event: its moment, the code of its user, item and kind, and its value."""

    micros: npt.NDArray[np.int64]
    pair: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]


def pair_codes(*parts: tuple[npt.NDArray[np.int32], int]) -> npt.NDArray[np.int64]:
    """Return one whole number per row that orders like several codes in turn.

    Parameters
    ----------
    *parts : tuple of array and int
        Codes, and how many there may be.

    Returns
    -------
    array of int64
        Rows with a missing code (−1) get some number, too.

    Examples
    --------
    >>> import numpy as np
    >>> pair_codes((np.array([1, 0, 1]), 2), (np.array([0, 2, 1]), 3)).tolist()
    [3, 2, 4]
    """
    codes, span = parts[0][0].astype(np.int64), parts[0][1]
    for more, n in parts[1:]:
        if span * n >= 2**62:  # so many users, items and kinds that only those that occur can count
            distinct, codes = np.unique(codes, return_inverse=True)
            span = len(distinct)
        codes *= n
        codes += more
        span *= n
    return codes


def in_order(
    rows: Rows, keys: Keys, texts: Callable[[Rows], pd.Series], raw: pd.DataFrame
) -> tuple[Rows, Rows]:
    """Return the rows by time, user, item, kind, value and text, and the ones that repeat another.

    Parameters
    ----------
    rows : array of int
        The rows to order.
    keys : Keys
        Of all rows of the log.
    texts : callable
        Returns the texts of rows.
    raw : DataFrame
        The log as it was read.

    Returns
    -------
    tuple of arrays of int
        The rows that are kept, in order, and the repetitions. Of rows that mean the same but are
        written differently, the spelling decides which is kept, and never the order.
    """
    ordered = rows[np.lexsort((keys.pair[rows], keys.micros[rows]))]
    micros, pair = keys.micros[ordered], keys.pair[ordered]
    same = (micros[1:] == micros[:-1]) & (pair[1:] == pair[:-1])
    if not same.any():
        return ordered, rows[:0]
    tied = np.append(same, False) | np.append(False, same)
    del micros, pair
    places = np.flatnonzero(tied)
    at = ordered[places]
    table = pd.DataFrame({"row": at, "moment": keys.micros[at], "pair": keys.pair[at]})
    table["value"], table["text"] = keys.value[at], texts(at).to_numpy(dtype=object)
    meaning = ["moment", "pair", "value", "text"]
    twins = table[table.duplicated(meaning, keep=False)]
    table["spelling"] = pd.Series(spelled(raw.iloc[twins["row"]]), index=twins.index, dtype=object)
    table = table.sort_values([*meaning, "spelling"], kind="stable")
    ordered[places] = table["row"].to_numpy()
    again = table.duplicated(meaning).to_numpy()
    kept = np.ones(len(ordered), dtype=bool)
    kept[places[again]] = False
    return ordered[kept], ordered[places[again]]


def near_duplicates(ordered: Rows, keys: Keys, window: int) -> npt.NDArray[np.bool_]:
    """Return which rows follow a kept one of the same user, item and kind within a window.

    Parameters
    ----------
    ordered : array of int
        Rows by time.
    keys : Keys
        Of all rows of the log.
    window : int
        In microseconds.

    Returns
    -------
    array of bool
        One per row of `ordered`. The first row of each pair is kept, and so is every row that lies
        more than the window after the row kept last.
    """
    pair = keys.pair[ordered]
    by_pair = np.argsort(pair, kind="stable")
    pair, micros = pair[by_pair], keys.micros[ordered][by_pair]
    close = (pair[1:] == pair[:-1]) & (micros[1:] - micros[:-1] <= window)
    near = np.zeros(len(ordered), dtype=bool)
    followers = np.flatnonzero(close) + 1
    last, kept = -2, 0
    rejected = []
    for at, moment, before in zip(
        followers.tolist(), micros[followers].tolist(), micros[followers - 1].tolist(), strict=True
    ):
        if at != last + 1:  # a new run, and the row before it is kept
            kept = before
        if moment - kept <= window:
            rejected.append(at)
        else:
            kept = moment
        last = at
    near[by_pair[rejected]] = True
    return near


def spelled(rows: pd.DataFrame) -> list[str]:
    """Return every row as it was written, as one text to compare.

    Parameters
    ----------
    rows : DataFrame
        Rows of any kind.

    Returns
    -------
    list of str
        One per row; the order of the columns does not matter.
    """
    columns = [rows[c].tolist() for c in sorted(rows.columns, key=str)]
    return ["\x1f".join(map(repr, row)) for row in zip(*columns, strict=True)]
