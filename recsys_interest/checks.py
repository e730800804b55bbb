"""Checks of what a caller hands in, whose messages name the thing, the values and the fix.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from itertools import islice
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

__all__ = [
    "SchemaError",
    "as_moment",
    "as_numbers",
    "canonical_ids",
    "check_as_earlier",
    "check_count",
    "check_frame",
    "check_kind",
    "check_positive",
    "check_same_ids",
    "check_share",
    "given_ids",
    "is_missing",
    "plain",
    "shown",
    "valid_text",
]


class SchemaError(ValueError):
    """A table does not fit the schema; the message names the column, the values and the fix."""


def shown(values: Iterable[object], limit: int = 5) -> str:
    """Return up to `limit` distinct values as text for an error message.

    >>> shown(["a", "b", "a"])
    "'a', 'b'"
    """
    distinct = list(dict.fromkeys(repr(v) for v in values))
    # One value may be a megabyte long; an error message must stay readable.
    short = [v if len(v) <= 60 else v[:57] + "..." for v in distinct[:limit]]
    more = f" and {len(distinct) - limit} more" if len(distinct) > limit else ""
    return ", ".join(short) + more


def check_frame(table: object, name: str, required: Iterable[str]) -> pd.DataFrame:
    """Return `table` if it is a frame with the `required` columns, each once."""
    if not isinstance(table, pd.DataFrame):
        raise TypeError(f"{name} must be a pandas DataFrame, got {type(table).__name__}")
    columns = list(table.columns)
    missing = [c for c in required if c not in columns]
    if missing:
        raise SchemaError(
            f"{name} lacks the column(s) {shown(missing)}; it has {shown(columns, 12)}. "
            f"Rename them: {name}.rename(columns={{'your name': {missing[0]!r}}})"
        )
    twice = [c for c in columns if columns.count(c) > 1]
    if twice:
        raise SchemaError(f"{name} has the column(s) {shown(twice)} more than once; keep one each")
    if set(table.index.names) & set(columns):
        # pandas cannot tell a level of the index from a column of the same name.
        return table.rename_axis(index=dict.fromkeys(table.index.names))
    return table


def plain(column: pd.Series) -> pd.Series:
    """Return a categorical or Arrow column as an ordinary one with the same values.

    >>> plain(pd.Series(["b", None], dtype="category")).dtype
    <StringDtype(na_value=nan)>
    """
    if isinstance(column.dtype, (pd.CategoricalDtype, pd.ArrowDtype, pd.SparseDtype)):
        values = [None if v is pd.NA else v for v in column.astype(object)]
        return pd.Series(values, index=column.index, dtype=object).infer_objects()
    return column


def is_missing(column: pd.Series, *, blank: bool = True) -> pd.Series:
    """Return which cells hold nothing; with `blank`, text of nothing but spaces counts, too.

    >>> is_missing(pd.Series(["a", " ", None], dtype=object)).tolist()
    [False, True, True]
    """
    if column.dtype == object:
        return column.map(lambda v: _is_nothing(v, blank)).astype(bool)
    missing = column.isna()
    if blank and isinstance(column.dtype, pd.StringDtype):
        missing |= (column.str.strip() == "").fillna(False).astype(bool)
    return missing


def _is_nothing(value: object, blank: bool) -> bool:
    if isinstance(value, str):
        return blank and not value.strip()
    # pandas compares a Decimal with itself, which a signalling NaN does not allow.
    if isinstance(value, Decimal):
        return value.is_nan()
    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def as_numbers(column: pd.Series) -> pd.Series:
    """Return numbers, or text that spells numbers, as float64; anything else becomes NaN.

    >>> as_numbers(pd.Series([1, "2.5", "many", True, 10**400], dtype=object)).tolist()
    [1.0, 2.5, nan, nan, nan]
    """
    column = plain(column)
    kind = column.dtype
    if pd.api.types.is_numeric_dtype(kind):
        if pd.api.types.is_complex_dtype(kind) or pd.api.types.is_bool_dtype(kind):
            return pd.Series(np.nan, index=column.index)
        return pd.Series(column.to_numpy(dtype=float, na_value=np.nan), index=column.index)
    if isinstance(kind, pd.StringDtype):
        return pd.to_numeric(column, errors="coerce").astype("float64")
    return column.astype(object).map(_number).astype("float64")


def _number(value: object) -> float:
    if isinstance(value, str):
        return float(pd.to_numeric(value, errors="coerce"))
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        return np.nan
    try:
        return float(value)
    except (OverflowError, ValueError):
        return np.nan


def valid_text(text: str) -> str:
    r"""Return the text with U+FFFD for halves of characters, which no file and no model can take.

    >>> valid_text("tent \ud83d") == "tent \ufffd"
    True
    """
    return text if text.isascii() else re.sub("[\ud800-\udfff]", "\ufffd", text)


def canonical_ids(ids: pd.Series, where: str) -> pd.Series:
    """Return ids as int64 or str, whichever they are, without changing a value.

    Raises
    ------
    SchemaError
        If an id is missing, is neither a whole number nor text, or the kinds are mixed.
    """
    ids = plain(ids)
    missing = is_missing(ids, blank=False)
    if missing.any():
        raise SchemaError(
            f"{where} is missing in {int(missing.sum())} row(s), the first at index "
            f"{shown(ids.index[missing][:1])}; drop those rows, or use clean_events"
        )
    if isinstance(ids.dtype, pd.StringDtype):
        return _not_blank(ids if ids.dtype == "str" else ids.astype("str"), where)
    if pd.api.types.is_bool_dtype(ids.dtype):
        raise SchemaError(f"{where} holds True/False; ids are whole numbers or text")
    if pd.api.types.is_integer_dtype(ids.dtype):
        return _to_int64(ids, where)
    if pd.api.types.is_float_dtype(ids.dtype):
        return _whole_numbers(ids, where)
    if ids.dtype == object:
        return _object_ids(ids, where)
    raise SchemaError(f"{where} has the type {ids.dtype}; ids are whole numbers or text")


def _not_blank(ids: pd.Series, where: str) -> pd.Series:
    blank = ids.str.strip() == ""
    if blank.any():
        raise SchemaError(
            f"{where} is blank in {int(blank.sum())} row(s), the first at index "
            f"{shown(ids.index[blank][:1])}; drop those rows, or use clean_events"
        )
    return ids


def _to_int64(ids: pd.Series, where: str) -> pd.Series:
    if ids.dtype == np.int64:
        return ids
    if len(ids) and int(ids.max()) > np.iinfo(np.int64).max:
        raise SchemaError(f"{where} exceeds 64 bits: {shown([ids.max()])}; use {where}.astype(str)")
    return ids.astype(np.int64)


def _whole_numbers(ids: pd.Series, where: str) -> pd.Series:
    # A column of whole numbers with a gap arrives from a file as floats: 3.0 is the id 3.
    values = ids.to_numpy(dtype=float)
    odd = ~np.isfinite(values) | (values != np.round(values))
    if odd.any():
        raise SchemaError(f"{where} holds fractions, not ids: {shown(values[odd].tolist())}")
    large = np.abs(values) >= 2**53
    if large.any():
        raise SchemaError(
            f"{where} was read as floats, which round ids of 2**53 and more: "
            f"{shown(values[large].tolist())}; read the column as text"
        )
    return ids.astype(np.int64)


def _object_ids(ids: pd.Series, where: str) -> pd.Series:
    kinds = {type(v) for v in ids}
    if all(issubclass(k, str) for k in kinds):
        broken = [v for v in ids if valid_text(v) != v]
        if broken:
            raise SchemaError(
                f"{where} holds text that is not valid Unicode: {shown(broken)}; "
                f"decode the source with its own encoding"
            )
        return _not_blank(ids.astype("str"), where)
    if all(issubclass(k, (int, np.integer)) and not issubclass(k, bool) for k in kinds):
        try:
            return ids.astype(np.int64)
        except OverflowError:
            raise SchemaError(f"{where} exceeds 64 bits; use {where}.astype(str)") from None
    names = shown(sorted(k.__name__ for k in kinds))
    if len(kinds) == 1:
        raise SchemaError(f"{where} holds {names}; ids are whole numbers or text")
    raise SchemaError(f"{where} mixes the kinds {names}; make it one kind: {where}.astype(str)")


def check_same_ids(left: pd.Series, right: pd.Series, left_name: str, right_name: str) -> None:
    """Raise if one id column holds numbers and the other text, so that nothing could match.

    Parameters
    ----------
    left, right : Series
        Canonical id columns (int64 or str).
    left_name, right_name : str
        What to call them in the message.

    Raises
    ------
    SchemaError
        If both have rows and their kinds differ.
    """
    if len(left) and len(right) and left.dtype != right.dtype:
        raise SchemaError(
            f"{left_name} is {left.dtype}, {right_name} is {right.dtype}, so no id can match; "
            f"make both text: .astype(str)"
        )


def check_as_earlier(ids: pd.Series, earlier: Iterable[Any], name: str) -> None:
    """Raise if ids are of another kind than the first of those that came earlier, if any did.

    >>> check_as_earlier(pd.Series(["ann"]), {7: 0}, "user_id")
    Traceback (most recent call last):
        ...
    recsys_interest.checks.SchemaError: user_id is str, the earlier one is int64, so no id can
    match; make both text: .astype(str)
    """
    check_same_ids(ids, pd.Series(list(islice(earlier, 1))), name, "the earlier one")


def given_ids(ids: object, name: str) -> pd.Series:
    """Return several ids in canonical form, in the order given.

    >>> given_ids("ann", "user_ids")
    Traceback (most recent call last):
        ...
    TypeError: user_ids must be several ids, got 'ann'; write ['ann']
    """
    if isinstance(ids, (str, bytes)):
        raise TypeError(f"{name} must be several ids, got {ids!r}; write [{ids!r}]")
    if isinstance(ids, (Mapping, pd.DataFrame, pd.MultiIndex)) or not isinstance(ids, Iterable):
        raise TypeError(f"{name} must be a list, array or Series of ids, got {type(ids).__name__}")
    given = pd.Series(ids if isinstance(ids, (pd.Series, pd.Index)) else list(ids))
    return canonical_ids(given, name) if len(given) else given.astype("str")


def check_kind(value: object, kind: type[Any], name: str) -> Any:
    """Return the value if it is of this kind, or say that `name` must be.

    >>> check_kind("ease", int, "ranker")
    Traceback (most recent call last):
        ...
    TypeError: ranker must be an int, got str
    """
    if not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOUaeiou" else "a"
        got = type(value).__name__
        raise TypeError(f"{name} must be {article} {kind.__name__}, got {got}")
    return value


def check_count(number: object, name: str, least: int = 1) -> int:
    """Return the number if it is a whole number of at least `least`, or say that `name` is not.

    >>> check_count(0, "k")
    Traceback (most recent call last):
        ...
    ValueError: k must be at least 1, got 0
    """
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise TypeError(f"{name} must be a whole number, got {number!r}")
    if number < least:
        raise ValueError(f"{name} must be at least {least}, got {number}")
    return int(number)


def check_positive(number: object, name: str, *, zero: bool = False) -> float:
    """Return the number as a float, or say that it must be above 0 (or, with `zero`, not below).

    >>> check_positive(-1, "l2")
    Traceback (most recent call last):
        ...
    ValueError: l2 must be a finite number above 0, got -1
    """
    if isinstance(number, (bool, np.bool_)) or not isinstance(number, Real):
        raise TypeError(f"{name} must be a number, got {number!r}")
    value = float(number)
    if not np.isfinite(value) or value < 0 or (value == 0 and not zero):
        bound = "of at least 0" if zero else "above 0"
        raise ValueError(f"{name} must be a finite number {bound}, got {number!r}")
    return value


def check_share(value: object, name: str, highest: float = 1.0) -> float:
    """Return a number from 0 to `highest` as a float, or say that `name` is not one.

    >>> check_share(2, "mask_share")
    Traceback (most recent call last):
        ...
    ValueError: mask_share must be from 0 to 1.0, got 2
    """
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number from 0 to {highest}, got {value!r}")
    number = float(value)
    if not 0 <= number <= highest:
        raise ValueError(f"{name} must be from 0 to {highest}, got {value}")
    return number


def as_moment(value: object, name: str) -> pd.Timestamp:
    """Return a moment in UTC; one without a zone is read as UTC.

    >>> as_moment("2026-01-31", "start")
    Timestamp('2026-01-31 00:00:00+0000', tz='UTC')
    """
    if not isinstance(value, (str, date, np.datetime64)):  # a datetime is a date
        raise TypeError(f"{name} must be a datetime or text like '2026-01-31', got {value!r}")
    try:
        # pandas also takes words such as "now", which mean something else at every call.
        if isinstance(value, str) and value.strip() and not value.strip()[0].isdigit():
            raise ValueError
        moment = pd.Timestamp(value)
    except ValueError:
        raise ValueError(f"{name} is not a moment: {value!r}; write it like '2026-01-31'") from None
    if pd.isna(moment):
        raise ValueError(f"{name} is missing (NaT); write it like '2026-01-31'")
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
