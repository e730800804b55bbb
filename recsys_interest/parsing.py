"""Read the columns of a raw log as codes and numbers, and note the first fault of every row.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import (
    as_numbers,
    canonical_ids,
    is_missing,
    plain,
    valid_text,
)
from recsys_interest.clean_log import Findings
from recsys_interest.event_weights import COUNTED_KINDS

__all__ = ["NEEDS_VALUE", "Codes", "code_ids", "code_kinds", "read_texts", "read_values"]

#: Kinds of event that say nothing without a value.
NEEDS_VALUE = ("rate", "exam_score")


class Codes(NamedTuple):
    """A column as whole numbers: row i holds ``values[codes[i]]``, and −1 where it is missing.

    The values are sorted, so that codes compare like what they stand for.
    """

    codes: npt.NDArray[np.int32]
    values: pd.Series

    def decoded(self, rows: npt.NDArray[np.intp]) -> pd.Series:
        """Return the values of the rows, none of which may be missing."""
        return self.values.take(self.codes[rows]).reset_index(drop=True)


def code_ids(column: pd.Series, where: str) -> Codes:
    """Return a column of ids as codes; blank and missing ids are −1.

    Parameters
    ----------
    column : Series
        Ids as they were read.
    where : str
        What to call the column in a message.

    Returns
    -------
    Codes
        Their values are int64 or str.

    Raises
    ------
    SchemaError
        If an id is neither a whole number nor text, or the kinds are mixed.
    """
    column = plain(column)
    if column.dtype == object:
        return _code_objects(column, where)
    codes, distinct = pd.factorize(column)
    values = pd.Series(distinct)
    present = ~is_missing(values).to_numpy()
    canonical = canonical_ids(values[present], where)
    return _sorted(codes, canonical, present)


def _code_objects(column: pd.Series, where: str) -> Codes:
    present = ~is_missing(column).to_numpy()
    canonical = canonical_ids(column[present], where)
    codes = np.full(len(column), -1)
    codes[present], distinct = pd.factorize(canonical)
    return _sorted(codes, pd.Series(distinct), np.ones(len(distinct), dtype=bool))


def _sorted(
    codes: npt.NDArray[np.intp], values: pd.Series, present: npt.NDArray[np.bool_]
) -> Codes:
    # Distinct as they were read may still be the same id: 3 and 3.0.
    ranks, distinct = pd.factorize(values, sort=True)
    rank = np.full(len(present) + 1, -1, dtype=np.int32)  # the last for what is missing, code −1
    rank[:-1][present] = ranks
    return Codes(rank[codes], pd.Series(distinct))


def code_kinds(
    column: pd.Series | None, n_rows: int, weights: Mapping[str, float], faults: Findings,
    fill: str | None = None,
) -> Codes:  # fmt: skip
    """Return the kinds of event as codes; unknown and missing kinds are −1 and noted as faults.

    Parameters
    ----------
    column : Series or None
        Kinds as they were read; without a column every event is a ``"browse"``.
    n_rows : int
        Number of rows of the log.
    weights : mapping of str to float
        The known kinds.
    faults : Findings
        Where faults and repairs are noted.
    fill : str, optional
        The kind to read where it is missing.

    Returns
    -------
    Codes
        Their values are all the known kinds.
    """
    kinds = pd.Series(sorted(weights), dtype="str")
    place = {kind: code for code, kind in enumerate(kinds)}
    if column is None:
        return Codes(np.full(n_rows, place["browse"], dtype=np.int32), kinds)
    codes, missing = _places(plain(column), place)
    if fill is None:
        faults.reject("missing_event", missing)
    else:
        codes[missing] = place[fill]
        faults.repair("filled_event", missing)
    faults.reject("unknown_event", codes < 0)
    return Codes(codes, kinds)


def _places(
    column: pd.Series, place: Mapping[str, int]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.bool_]]:
    """Return the code of every kind, −1 where it is unknown, and which are missing."""
    if column.dtype == object:  # whose values may not be comparable
        rows, distinct = np.arange(len(column)), column
    else:
        rows, distinct = pd.factorize(column)
        distinct = pd.Series(distinct)
    found = [place.get(v, -1) if isinstance(v, str) else -1 for v in distinct]
    codes = np.array([*found, -1], dtype=np.int32)
    return codes[rows], np.append(is_missing(distinct).to_numpy(), True)[rows]


def read_values(
    column: pd.Series | None, kinds: Codes, faults: Findings
) -> npt.NDArray[np.float64]:
    """Return the values as numbers, NaN where there is none.

    Parameters
    ----------
    column : Series or None
        Values as they were read.
    kinds : Codes
        The kinds of the events.
    faults : Findings
        Where faults are noted.

    Returns
    -------
    array of float64
        One value per row.
    """
    if column is None:
        return np.full(len(faults.code), np.nan)
    values = as_numbers(column).to_numpy()
    nothing = np.flatnonzero(np.isnan(values))
    worded = nothing[~is_missing(plain(column.iloc[nothing])).to_numpy()]
    faults.reject("bad_value", worded)
    faults.reject("bad_value", np.isinf(values))
    # A negative quantity of a purchase takes it back; other things cannot be done −3 times.
    counted = [kinds.values.searchsorted(k) for k in COUNTED_KINDS - {"purchase", "return"}]
    faults.reject("bad_value", (values < 0) & np.isin(kinds.codes, counted))
    return values


def read_texts(column: pd.Series | None, rows: npt.NDArray[np.intp]) -> pd.Series:
    """Return the texts of some rows, empty where there is none.

    Parameters
    ----------
    column : Series or None
        Texts as they were read; anything else is written out as text.
    rows : array of int
        Positions in the column.

    Returns
    -------
    Series of str
        With a new index.
    """
    if column is None:
        return pd.Series("", index=range(len(rows)), dtype="str")
    texts = plain(column.take(rows)).reset_index(drop=True)
    if isinstance(texts.dtype, pd.StringDtype):
        return texts.astype("str").fillna("")
    missing = is_missing(texts, blank=False)
    texts = texts.astype(object).where(~missing, "")
    return texts.map(lambda v: valid_text(str(v))).astype("str")
