"""Checks of texts, labels and keywords that a caller hands in.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from recsys_interest.checks import shown, valid_text

__all__ = [
    "as_texts",
    "check_beside",
    "field_names",
    "text_series",
    "word_list",
]


def check_beside(series: object, name: str, index: pd.Index) -> None:
    """Raise if a series does not stand beside the texts, row by row."""
    if not isinstance(series, pd.Series):
        kind = type(series).__name__
        raise TypeError(f"{name} must be a Series with the index of texts, got {kind}")
    if not series.index.equals(index):
        raise ValueError(f"{name} and texts must have the same index; use {name}.reindex(...)")


def as_texts(column: pd.Series, name: str, error: type[Exception]) -> pd.Series:
    """Return a column as str, the empty text where one is missing."""
    column = column.astype(object)  # of a categorical, too
    column = column.where(column.notna(), "")
    kinds = sorted({type(v).__name__ for v in column if not isinstance(v, str)})
    if kinds:
        raise error(f"{name} must be text, it holds {shown(kinds)}; use .astype(str)")
    return column.map(valid_text).astype("str")


def text_series(texts: object) -> pd.Series:
    """Return texts as a Series of str, the empty text where one is missing; an index is kept."""
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise TypeError(f"give a list of texts, not {shown([texts])}")
    series = texts if isinstance(texts, pd.Series) else pd.Series(list(texts), dtype=object)
    return as_texts(series, "texts", TypeError)


def field_names(fields: object) -> list[str]:
    """Return the names of columns as a list, or say why they are none."""
    names = None if isinstance(fields, str) or not isinstance(fields, Iterable) else list(fields)
    if names is None or not all(isinstance(f, str) for f in names):
        raise TypeError(f"fields must be a list of column names like ['title'], got {fields!r}")
    if not names:
        raise ValueError("fields is empty; name at least one column, for example ['title']")
    return names


def word_list(vocabulary: object) -> list[str]:
    """Return keywords as a list, or say why they are none."""
    single = isinstance(vocabulary, str) or not isinstance(vocabulary, Iterable)
    words = [] if single else list(vocabulary)  # type: ignore[call-overload]
    if single or not all(isinstance(w, str) for w in words):
        raise TypeError(f"vocabulary must be a list of words, got {shown([vocabulary])}")
    return words
