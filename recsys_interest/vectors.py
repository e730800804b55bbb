"""Vectors of items and users: one float32 frame indexed by id, and rows of length one.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import SchemaError, canonical_ids, check_same_ids, shown

__all__ = [
    "check_encoder",
    "check_item_vectors",
    "check_vectors",
    "encoded",
    "numbers_of",
    "unit_rows",
]

_ROWS_AT_ONCE = 512  # they stay in the cache while they are worked on


def check_vectors(vectors: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return vectors as a float32 frame sorted by id, or say what is wrong with them.

    Parameters
    ----------
    vectors : DataFrame, shape (n, n_features)
        Numeric, indexed by id.
    name : str
        What to call them in a message.

    Returns
    -------
    DataFrame of float32
        Same rows, sorted by id.

    Raises
    ------
    TypeError
        If `vectors` is not a DataFrame.
    SchemaError
        If an id occurs twice.
    ValueError
        If a value is not a finite number.

    Examples
    --------
    >>> import pandas as pd
    >>> check_vectors(pd.DataFrame({"x": [2, 1]}, index=["b", "a"]), "vectors").index.tolist()
    ['a', 'b']
    """
    if not isinstance(vectors, pd.DataFrame):
        raise TypeError(
            f"{name} must be a DataFrame indexed by id, got {type(vectors).__name__}; "
            f"for an array: pd.DataFrame(array, index=ids)"
        )
    ids = canonical_ids(vectors.index.to_series(index=range(len(vectors))), f"{name}.index")
    if ids.duplicated().any():
        twice = ids[ids.duplicated()].tolist()
        raise SchemaError(f"{name}.index has duplicates: {shown(twice)}; keep one row each")
    values = numbers_of(vectors, name, np.float32)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise ValueError(f"{name} is not finite for {shown(ids[bad].tolist())}; drop or fill those")
    index = pd.Index(ids.to_numpy(), name=vectors.index.name, dtype=ids.dtype)
    return pd.DataFrame(values, index=index, columns=vectors.columns).sort_index()


def check_encoder(encoder: Any) -> Any:
    """Return the encoder if it is an object that has ``transform(texts)``.

    >>> check_encoder("bert")
    Traceback (most recent call last):
        ...
    TypeError: encoder must have transform(texts), got 'bert'
    """
    if not hasattr(encoder, "transform") or isinstance(encoder, type):
        raise TypeError(f"encoder must have transform(texts), got {encoder!r}")
    return encoder


def encoded(encoder: Any, texts: list[str]) -> pd.DataFrame:
    """Return one vector for each text, in their order, or say that the encoder did not.

    >>> class Letters:
    ...     def transform(self, texts):
    ...         return pd.DataFrame([[len(text)] for text in texts], index=texts.index)
    >>> encoded(Letters(), ["tent", "oar"])[0].tolist()
    [4.0, 3.0]
    """
    series = pd.Series(texts, dtype="str")
    vectors = check_vectors(check_encoder(encoder).transform(series), "encoder.transform(texts)")
    if not vectors.index.equals(series.index):
        raise ValueError(
            f"encoder.transform(texts) must return a frame with the index of the {len(series)} "
            f"texts, one vector for each; it returned {len(vectors)} under {shown(vectors.index)}"
        )
    return vectors


def check_item_vectors(item_vectors: pd.DataFrame | None, item_ids: pd.Index) -> pd.DataFrame:
    """Return the checked vectors of items, whose ids are of the same kind as the catalogue's.

    >>> check_item_vectors(None, pd.Index(["a"]))
    Traceback (most recent call last):
        ...
    TypeError: item_vectors is missing; TextEncoder makes it from item_text(items)
    """
    if item_vectors is None:
        raise TypeError("item_vectors is missing; TextEncoder makes it from item_text(items)")
    vectors = check_vectors(item_vectors, "item_vectors")
    ids = vectors.index.to_series()
    check_same_ids(item_ids.to_series(), ids, "the catalogue", "item_vectors.index")
    return vectors


def numbers_of(table: pd.DataFrame, name: str, kind: type[Any]) -> npt.NDArray[Any]:
    """Return the table as an array of a kind of floats, or say which columns are not numeric.

    >>> numbers_of(pd.DataFrame({"x": [True, False]}), "table", np.float64).tolist()
    [[1.0], [0.0]]
    """
    kinds = set(table.dtypes)
    try:
        # Moments and complex numbers would be cast without an error; objects are tried one by one.
        if not all(pd.api.types.is_any_real_numeric_dtype(k) or k in (object, bool) for k in kinds):
            raise TypeError
        with np.errstate(over="ignore"):  # what the kind cannot hold is reported by the caller
            return table.to_numpy(dtype=kind)
    except (TypeError, ValueError):
        found = shown(sorted(str(k) for k in kinds))
        raise ValueError(f"{name} must be numeric, its columns have the types {found}") from None


def unit_rows(rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
    r"""Return the rows scaled to length one, :math:`x / \lVert x \rVert`; zeros stay zeros.

    Parameters
    ----------
    rows : ndarray of float, shape (n, n_features)
        Finite.

    Returns
    -------
    ndarray, shape (n, n_features)
        Of the same type. A row depends on no other row, to the last bit.

    Examples
    --------
    >>> unit_rows(np.array([[3e200, 4e200], [0.0, 0.0]])).round(1).tolist()
    [[0.6, 0.8], [0.0, 0.0]]
    """
    unit = np.zeros(rows.shape, dtype=rows.dtype)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        here = slice(start, start + _ROWS_AT_ONCE)
        # First to a largest entry of one, so that no square overflows or vanishes.
        peak = np.abs(rows[here]).max(axis=1, keepdims=True, initial=0.0)
        scaled = np.divide(rows[here], peak, out=unit[here], where=peak > 0)
        length = np.sqrt(np.square(scaled).sum(axis=1, keepdims=True))
        np.divide(scaled, length, out=scaled, where=length > 0)
    return unit
