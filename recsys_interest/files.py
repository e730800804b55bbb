"""Read and write tables on disk: CSV, JSON Lines and Parquet, compressed or not.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import lzma
import os
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pandas as pd
from pandas.errors import ParserWarning

from recsys_interest.characters import detect_encoding
from recsys_interest.checks import SchemaError, check_count, is_missing, shown, valid_text
from recsys_interest.json_lines import read_json_lines, write_json_lines

__all__ = ["read_chunks", "read_table", "write_table", "written_whole"]

_FORMATS = {".csv": "csv", ".jsonl": "json lines", ".ndjson": "json lines", ".parquet": "parquet"}
_COMPRESSED = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
# Ids from CSV stay text: read as numbers, "007" would become 7.
# So do times: "20260105" is a date, whatever the other rows hold.
_AS_TEXT = dict.fromkeys(("user_id", "item_id", "event", "timestamp", "text"), "str")
# "NA" may be a user's name or a title, so only numbers and times have words for a missing value.
_MISSING = ["", "NA", "N/A", "NaN", "nan", "null", "None"]
_NO_NUMBER = {"value": _MISSING, "timestamp": _MISSING}
_ITEM_TEXT = dict.fromkeys(("title", "description", "tags", "category", "language"), "str")


def read_table(path: str | os.PathLike[str], *, encoding: str = "utf-8") -> pd.DataFrame:
    """Read a table of events, items or users; the format follows from the file's name.

    Parameters
    ----------
    path : path
        A file ending in .csv, .jsonl, .ndjson or .parquet; text files may also end in .gz, .bz2
        or .xz.
    encoding : str, default "utf-8"
        Of a text file. ``"auto"`` tells UTF-8, UTF-16, GB 18030 and Windows-1252 apart by what the
        file holds; see `detect_encoding`.

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
    Chapter 01, "Behaviour logs". A file that is too large for the memory is read by `read_chunks`.

    Rows: D04.

    Examples
    --------
    >>> read_table("events.xlsx")
    Traceback (most recent call last):
        ...
    recsys_interest.checks.SchemaError: events.xlsx: unknown ending; use .csv, .jsonl, ...
    """
    path = Path(path)
    with _explained(path, encoding) as (kind, encoding):
        if kind == "parquet":
            return pd.read_parquet(path)
        with _open(path, "rt", encoding) as file:
            chunks = list(_chunks(kind, file, None))
    return chunks[0]


def read_chunks(
    path: str | os.PathLike[str], *, chunk_rows: int = 1_000_000, encoding: str = "utf-8"
) -> Iterator[pd.DataFrame]:
    """Read a table piece by piece, so that a file of any size needs the memory of one piece.

    Parameters
    ----------
    path : path
        As in `read_table`.
    chunk_rows : int, default 1,000,000
        Most rows of a piece.
    encoding : str, default "utf-8"
        As in `read_table`.

    Returns
    -------
    iterator of DataFrame
        The rows in their order, numbered on from piece to piece. Each piece is read by itself: a
        column of numbers is text in a piece where one of them is a word.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    SchemaError
        If the name ends in nothing known, or the content is not what the name says. What is wrong
        further on in the file comes up when that piece is read.

    Notes
    -----
    Chapter 01, "Behaviour logs". `write_table` takes the pieces, too, which turns a large CSV file
    into Parquet: ``write_table(read_chunks("events.csv.gz"), "events.parquet")``.

    Examples
    --------
    >>> import pandas as pd, tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "items.csv"
    ...     path = write_table(pd.DataFrame({"item_id": ["a", "b", "c"]}), path)
    ...     [len(piece) for piece in read_chunks(path, chunk_rows=2)]
    [2, 1]
    """
    check_count(chunk_rows, "chunk_rows")
    return _pieces(Path(path), chunk_rows, encoding)


def _pieces(path: Path, chunk_rows: int, encoding: str) -> Iterator[pd.DataFrame]:
    with _explained(path, encoding) as (kind, encoding):
        if kind == "parquet":
            yield from _parquet_chunks(path, chunk_rows)
            return
        with _open(path, "rt", encoding) as file:
            yield from _chunks(kind, file, chunk_rows)


@contextmanager
def _explained(path: Path, encoding: str) -> Iterator[tuple[str, str]]:
    """Give the format and the encoding, and say in plain words what is wrong with the file."""
    kind = _format(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        codecs.lookup("utf-8" if encoding == "auto" else encoding)
    except LookupError:
        raise SchemaError(
            f"there is no encoding {encoding!r}; try auto, utf-8 or latin-1"
        ) from None
    try:
        if encoding == "auto" and kind != "parquet":
            with _open(path, "rb") as file:
                encoding = detect_encoding(file)
        # What utf-8-sig reads beyond utf-8 is a mark at the beginning, which is never text.
        yield kind, "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding
    except UnicodeDecodeError as error:
        raise SchemaError(
            f"{path.name} is not {encoding}: byte {error.object[error.start]:#04x} at position "
            f"{error.start}; say which encoding it has, for example latin-1 or gb18030, or auto"
        ) from None
    except SchemaError:
        raise
    except (ValueError, OSError, EOFError, lzma.LZMAError, RecursionError, ParserWarning) as error:
        # Parser errors of pandas and pyarrow are ValueErrors; broken compression is an OSError.
        hint = " (one object per line is expected)" if kind == "json lines" else ""
        raise SchemaError(f"{path.name} cannot be read as {kind}{hint}: {error}") from None


def _open(path: Path, mode: str, encoding: str | None = None) -> IO[Any]:
    opener: Any = _COMPRESSED.get(path.suffix.lower(), open)
    # Line ends are left to the formats, which tell those inside a text from those after a row.
    return opener(path, mode, encoding=encoding, newline="" if "t" in mode else None)


def _chunks(kind: str, file: IO[str], chunk_rows: int | None) -> Iterator[pd.DataFrame]:
    return read_json_lines(file, chunk_rows) if kind == "json lines" else _csv(file, chunk_rows)


def _csv(file: IO[str], chunk_rows: int | None) -> Iterator[pd.DataFrame]:
    header = pd.read_csv(file, header=None, nrows=1, dtype=str).iloc[0]
    if header.duplicated().any():
        twice = shown(header[header.duplicated()])
        raise ValueError(f"the header has {twice} more than once; keep one column each")
    file.seek(0)
    reader = pd.read_csv(
        file,
        dtype={**_AS_TEXT, **_ITEM_TEXT},
        na_values=_NO_NUMBER,
        keep_default_na=False,
        index_col=False,
        low_memory=False,
        chunksize=chunk_rows,
        iterator=True,
    )
    with reader:
        first = True
        while True:
            with warnings.catch_warnings():
                # A row longer than the header would be cut, or shift every column, with a warning.
                warnings.simplefilter("error", ParserWarning)
                try:
                    table = reader.read(chunk_rows)
                except StopIteration:
                    return
            if not len(table) and not first:
                return
            yield table
            if chunk_rows is None:
                return
            first = False


def _parquet_chunks(path: Path, chunk_rows: int) -> Iterator[pd.DataFrame]:
    import pyarrow as pa
    from pyarrow import parquet

    start = 0
    with parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=chunk_rows):
            table = pa.Table.from_batches([batch]).to_pandas()
            yield table.set_axis(pd.RangeIndex(start, start + len(table)))
            start += len(table)
        if not start:
            yield file.schema_arrow.empty_table().to_pandas()


def of_one_kind(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with its columns of mixed kinds as text, as Parquet needs them.

    Rejected rows hold whatever was read, several kinds in one column.

    >>> of_one_kind(pd.DataFrame({"value": [1, "many", None]}))["value"].tolist()
    ['1', 'many', nan]
    """
    mixed = [c for c in table.columns if table[c].dtype == object]
    as_text = {c: _as_text(table[c]) for c in mixed}
    return table.assign(**as_text) if mixed else table


def _as_text(column: pd.Series) -> pd.Series:
    texts = column.map(lambda v: valid_text(str(v)))
    return texts.where(~is_missing(column, blank=False), None).astype("str")


def write_table(table: pd.DataFrame | Iterable[pd.DataFrame], path: str | os.PathLike[str]) -> Path:
    """Write a table; the format follows from the file's name. The file appears whole or not at all.

    Parameters
    ----------
    table : DataFrame or iterable of DataFrame
        Its index is not written. Pieces, as from `read_chunks`, are written one after the other;
        they have the same columns.
    path : path
        As in `read_table`. The folder must exist.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SchemaError
        If the name ends in nothing known, or the pieces do not fit together.

    Notes
    -----
    Rows: D04.

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
    pieces = iter([table] if isinstance(table, pd.DataFrame) else table)
    with written_whole(path) as temporary:
        if kind == "parquet":
            _write_parquet(_fitting(pieces), temporary)
        else:
            with _open(temporary, "wt", "utf-8") as file:
                for number, piece in enumerate(_fitting(pieces)):
                    if kind == "csv":
                        _write_csv(piece, file, header=not number)
                    else:
                        write_json_lines(piece, file)
    return path


def _fitting(pieces: Iterator[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Yield the pieces as long as they have the columns of the first; there must be one."""
    columns = None
    for piece in pieces:
        if not isinstance(piece, pd.DataFrame):
            raise TypeError(f"table must consist of pandas DataFrames, got {type(piece).__name__}")
        found = piece.columns.tolist()
        if columns is not None and found != columns:
            raise SchemaError(f"a piece has the columns {shown(found)}, the first {shown(columns)}")
        columns = found
        yield piece
    if columns is None:
        raise SchemaError("there is no table to write; an empty table still has its columns")


def _write_csv(table: pd.DataFrame, file: IO[str], *, header: bool) -> None:
    table = of_one_kind(table)
    texts = table.select_dtypes("str")
    # Unquoted, a lone carriage return would end the row when it is read.
    returns = any(texts[c].str.contains("\r", regex=False).any() for c in texts)
    quoting = csv.QUOTE_NONNUMERIC if returns else csv.QUOTE_MINIMAL
    table.to_csv(file, index=False, header=header, lineterminator="\n", quoting=quoting)


def _write_parquet(pieces: Iterator[pd.DataFrame], path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    first = pa.Table.from_pandas(of_one_kind(next(pieces)), preserve_index=False)
    with parquet.ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for piece in pieces:
            try:
                table = pa.Table.from_pandas(
                    of_one_kind(piece), schema=first.schema, preserve_index=False
                )
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise SchemaError(f"a piece has other kinds of values: {error}") from None
            writer.write_table(table)


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
