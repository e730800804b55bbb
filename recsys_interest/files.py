"""Read and write tables on disk: CSV, JSON Lines and Parquet, compressed or not.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import codecs
import csv
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path

import pandas as pd
from pandas.errors import ParserWarning

from recsys_interest.checks import SchemaError, shown, valid_text

__all__ = ["read_table", "write_table", "written_whole"]

_FORMATS = {".csv": "csv", ".jsonl": "json lines", ".ndjson": "json lines", ".parquet": "parquet"}
_COMPRESSED = (".gz", ".bz2", ".xz")
# Ids from CSV stay text: read as numbers, "007" would become 7.
# So do times: "20260105" is a date, whatever the other rows hold.
_AS_TEXT = dict.fromkeys(("user_id", "item_id", "event", "timestamp", "text"), "str")
# "NA" may be a user's name or a title, so only numbers and times have words for a missing value.
_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "None"]
_NO_NUMBER = {"value": _MISSING, "timestamp": _MISSING}
_ITEM_TEXT = dict.fromkeys(("title", "description", "tags", "category", "language"), "str")


def read_table(path: str | os.PathLike[str], *, encoding: str = "utf-8") -> pd.DataFrame:
    """Read a table of events or items; the format follows from the file's name.

    Parameters
    ----------
    path : path
        A file ending in .csv, .jsonl, .ndjson or .parquet; text files may also end in .gz, .bz2
        or .xz.
    encoding : str, default "utf-8"
        Of a text file.

    Returns
    -------
    DataFrame
        Ids and texts from CSV are text, so that an id like 007 keeps its zeros.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    SchemaError
        If the name ends in nothing known, or the content is not what the name says; the message
        names the file and the fix.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> read_table("events.xlsx")
    Traceback (most recent call last):
        ...
    recsys_interest.checks.SchemaError: events.xlsx: unknown ending; use .csv, .jsonl, ...
    """
    path = Path(path)
    kind = _format(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        codecs.lookup(encoding)
    except LookupError:
        raise SchemaError(f"there is no encoding {encoding!r}; try utf-8 or latin-1") from None
    try:
        if kind == "parquet":
            return pd.read_parquet(path)
        if kind == "csv":
            return _read_csv(path, encoding)
        # JSON knows numbers from text, so the kinds are taken as they are written.
        return pd.read_json(path, lines=True, encoding=encoding, dtype=False)
    except UnicodeDecodeError as error:
        raise SchemaError(
            f"{path.name} is not {encoding}: byte {error.object[error.start]:#04x} at position "
            f"{error.start}; say which encoding it has, for example latin-1 or gb18030"
        ) from None
    except (ValueError, OSError, EOFError, LZMAError, ParserWarning) as error:
        # Parser errors of pandas and pyarrow are ValueErrors; broken compression is an OSError.
        hint = " (one object per line is expected)" if kind == "json lines" else ""
        raise SchemaError(f"{path.name} cannot be read as {kind}{hint}: {error}") from None


def _read_csv(path: Path, encoding: str) -> pd.DataFrame:
    header = pd.read_csv(path, encoding=encoding, header=None, nrows=1, dtype=str).iloc[0]
    if header.duplicated().any():
        twice = shown(header[header.duplicated()])
        raise ValueError(f"the header has {twice} more than once; keep one column each")
    with warnings.catch_warnings():
        # A row longer than the header would be cut, or shift every column, with a warning only.
        warnings.simplefilter("error", ParserWarning)
        return pd.read_csv(
            path,
            encoding=encoding,
            dtype={**_AS_TEXT, **_ITEM_TEXT},
            na_values=_NO_NUMBER,
            keep_default_na=False,
            index_col=False,
            low_memory=False,
        )


def of_one_kind(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its columns of mixed kinds as text, as Parquet needs them.

    Rejected rows hold whatever was read, several kinds in one column.

    >>> of_one_kind(pd.DataFrame({"value": [1, "many", None]}))["value"].tolist()
    ['1', 'many', nan]
    """
    mixed = [c for c in table.columns if table[c].dtype == object]
    as_text = {c: table[c].map(_as_text).astype("str") for c in mixed}
    return table.assign(**as_text) if mixed else table


def _as_text(value: object) -> str | None:
    missing = pd.api.types.is_scalar(value) and pd.isna(value)
    return None if missing else valid_text(str(value))


def write_table(table: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write a table; the format follows from the file's name. The file appears whole or not at all.

    Parameters
    ----------
    table : DataFrame
        Its index is not written.
    path : path
        As in `read_table`. The folder must exist.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SchemaError
        If the name ends in nothing known.

    Examples
    --------
    >>> import pandas as pd, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "items.csv.gz"
    ...     read_table(write_table(pd.DataFrame({"item_id": ["007"]}), path)).loc[0, "item_id"]
    '007'
    """
    path = Path(path)
    kind = _format(path)
    with written_whole(path) as temporary:
        if kind == "parquet":
            of_one_kind(table).to_parquet(temporary, index=False)
        elif kind == "csv":
            # Unquoted, a lone carriage return would end the row when it is read.
            returns = any(
                "\r" in str(v) for c in table.select_dtypes(["str", object]) for v in table[c]
            )
            quoting = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
            table.to_csv(temporary, index=False, lineterminator="\n", quoting=quoting)
        else:
            table.to_json(temporary, orient="records", lines=True, date_format="iso",
                          date_unit="us", force_ascii=False)  # fmt: skip
    return path


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary file to write to, and rename it to `path` when all went well.

    Parameters
    ----------
    path : Path
        The file to make or replace.

    Yields
    ------
    Path
        A file in the same folder and with the same ending.
    """
    folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    temporary = folder / path.name
    try:
        yield temporary
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        folder.rmdir()


def _format(path: Path) -> str:
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    if not suffixes or suffixes[-1] not in _FORMATS:
        raise SchemaError(f"{path.name}: unknown ending; use {', '.join(_FORMATS)} (or .csv.gz)")
    return _FORMATS[suffixes[-1]]
