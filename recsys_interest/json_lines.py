"""Tables as JSON Lines: one object a line, numbers and times exact to the last digit.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO, Any

import numpy as np
import pandas as pd

from recsys_interest.checks import is_missing, valid_text

__all__ = ["read_json_lines", "write_json_lines"]

_EXACT = 2**53  # floats hold every whole number up to this one


def read_json_lines(lines: Iterable[str], chunk_rows: int | None = None) -> Iterator[pd.DataFrame]:
    """Read tables of at most `chunk_rows` rows; columns are those that occur in the piece.

    Parameters
    ----------
    lines : iterable of str
        One JSON object each; blank lines are skipped.
    chunk_rows : int, optional
        Everything at once by default.

    Yields
    ------
    DataFrame
        At least one, without rows if there are none. Text and numbers stay what they are: a time
        is text, an id 7 is a number, and "7" is text.

    Raises
    ------
    ValueError
        If a line is not a JSON object; the message has its number.

    Examples
    --------
    >>> next(read_json_lines(['{"user_id": 7, "value": 0.5}', '{"user_id": 8}']))
       user_id  value
    0        7    0.5
    1        8    NaN
    """
    rows = _objects(lines)
    start = 0
    while True:
        piece = list(islice(rows, chunk_rows))
        if start and not piece:
            return
        names = list(dict.fromkeys(name for row in piece for name in row))
        columns = {name: _column(name, [row.get(name) for row in piece]) for name in names}
        table = pd.DataFrame(columns, index=None if names else pd.RangeIndex(len(piece)))
        yield table.set_axis(pd.RangeIndex(start, start + len(piece)))
        start += len(piece)
        if chunk_rows is None or len(piece) < chunk_rows:
            return


def _objects(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
        if not isinstance(row, dict):
            raise ValueError(f"line {number} holds {type(row).__name__}, not an object")
        yield row


def _column(name: str, values: list[Any]) -> pd.Series:
    kinds = {type(v) for v in values} - {type(None)}
    gaps = any(v is None for v in values)
    if not kinds:
        return pd.Series(values, dtype="float64")
    try:
        if kinds == {str}:
            return pd.Series(values, dtype="str")
        if kinds == {bool} and not gaps:
            return pd.Series(values, dtype=bool)
        if kinds == {int} and not gaps:
            return pd.Series(values, dtype="int64")
        # An id with a gap must not become a float, which would round large ones.
        if kinds <= {int, float} and not name.endswith("_id"):
            exact = all(type(v) is not int or abs(v) <= _EXACT for v in values)
            if exact:
                return pd.Series(values, dtype="float64")
    except (OverflowError, UnicodeEncodeError):
        pass  # numbers beyond 64 bits, halves of characters: for whoever cleans the table
    return pd.Series(values, dtype=object)


def write_json_lines(table: pd.DataFrame, file: IO[str]) -> None:
    r"""Write one JSON object a row; what is missing becomes null, and a time ISO 8601 text.

    Parameters
    ----------
    table : DataFrame
        Its index is not written.
    file : text file
        Where to write.

    Examples
    --------
    >>> import io
    >>> file = io.StringIO()
    >>> write_json_lines(pd.DataFrame({"user_id": ["ann"], "value": [None]}), file)
    >>> file.getvalue()
    '{"user_id": "ann", "value": null}\n'
    """
    names = [str(c) for c in table.columns]
    columns = [_plain_values(table.iloc[:, at]) for at in range(len(names))]
    for row in zip(*columns, strict=True):
        line = json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False, default=str)
        file.write(valid_text(line) + "\n")


def _plain_values(column: pd.Series) -> list[Any]:
    missing = is_missing(column, blank=False).to_numpy()
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        column = column.map(lambda v: v.isoformat(), na_action="ignore")
    values = column.astype(object).tolist()
    return [None if gone else _writable(v) for v, gone in zip(values, missing, strict=True)]


def _writable(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    # JSON has no word for an infinite number.
    return str(value) if isinstance(value, float) and not np.isfinite(value) else value
