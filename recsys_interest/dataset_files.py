"""The published tables of a real data set, from a folder, the cache or the web, verified.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import logging
import os
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd
import platformdirs

from recsys_interest.checks import shown
from recsys_interest.dataset_catalogue import Archive, RealData, Table
from recsys_interest.download import DownloadError, fetch

__all__: list[str] = []

_log = logging.getLogger(__name__)


def cache_folder(given: str | Path | None = None) -> Path:
    """Return where downloads are kept; RECSYS_INTEREST_CACHE overrides the user's cache."""
    named = given or os.environ.get("RECSYS_INTEREST_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("recsys_interest"))


def available(spec: RealData) -> str:
    """Return where the tables would be taken from, or "nowhere"."""
    shared = _shared_dir(spec)
    if shared is not None and shared.is_dir():
        return "shared folder"
    if spec.urls:
        return "cache" if _cached(spec, cache_folder()).is_file() else "download"
    return "nowhere"


def find_tables(
    spec: RealData, cache_dir: Path, *, download: bool, progress: bool
) -> dict[str, pd.DataFrame]:
    """Return the tables of a set by file name from the first place that has them.

    Raises
    ------
    ValueError
        If the files in ``RECSYS_INTEREST_DATA`` have another content.
    FileNotFoundError
        If no place has them, and they cannot or shall not be downloaded.
    DownloadError
        If the download failed.
    """
    looked = []
    shared = _shared_dir(spec)
    if shared is None:
        looked.append("RECSYS_INTEREST_DATA: not set")
    elif shared.is_dir():
        return verified(spec, shared)
    else:
        looked.append(f"RECSYS_INTEREST_DATA: there is no folder {shared}")
    if not spec.urls:
        looked.append(f"web: {spec.by_hand}")
        raise FileNotFoundError(_not_found(spec, looked))
    cached = _cached(spec, cache_dir)
    if cached.is_file():
        try:
            return verified(spec, cached)
        except ValueError as error:
            _log.warning("the cached file cannot be used: %s", error)
            looked.append(f"cache: {error}")
    else:
        looked.append(f"cache: there is no file {cached}")
    if not download:
        looked.append("web: not asked, because download=False")
        raise FileNotFoundError(_not_found(spec, looked))
    return _downloaded(spec, cached, looked, progress=progress)


def _shared_dir(spec: RealData) -> Path | None:
    named = os.environ.get("RECSYS_INTEREST_DATA")
    return Path(named) / spec.folder if named else None


def _cached(spec: RealData, cache_dir: Path) -> Path:
    return cache_dir / f"{spec.folder}.zip"


def _downloaded(
    spec: RealData, cached: Path, looked: list[str], *, progress: bool
) -> dict[str, pd.DataFrame]:
    # A warning, because nobody sees less, and using the data means accepting the licence.
    _log.warning("downloading %s; its licence: %s", spec.name, spec.licence)

    tables: dict[str, pd.DataFrame] = {}

    def check(path: Path) -> None:
        tables.update(verified(spec, path))

    try:
        fetch(spec.urls, cached, check=check, progress=progress)
    except DownloadError as error:
        raise DownloadError(_not_found(spec, [*looked, f"web: {error}"])) from error
    return tables


def _not_found(spec: RealData, looked: list[str]) -> str:
    files = ", ".join(f"{t.file}.gz" for t in spec.tables)
    places = "".join("\n- " + place.replace("\n", "\n  ") for place in looked)
    online = ""
    if spec.urls:
        online = f"call load_dataset({spec.name!r}) where {spec.urls[0]} can be reached, or "
    return (
        f"{spec.name} was found nowhere:{places}\n"
        f"The fix: {online}set RECSYS_INTEREST_DATA to a folder that has {spec.folder}/ with "
        f"{files} (from {spec.source}; its licence: {spec.licence})"
    )


def verified(spec: RealData, place: Path) -> dict[str, pd.DataFrame]:
    """Read all tables from a folder or a zip file, or raise ValueError saying what is wrong."""
    tables = {}
    for table in spec.tables:
        frame = _read_table(table, place)
        found = fingerprint(frame)
        if len(frame) != table.rows or found != table.fingerprint:
            raise ValueError(
                f"{place}: {table.file} of {spec.name} has another content: {len(frame):,} rows "
                f"with fingerprint {found}, expected {table.rows:,} with {table.fingerprint}; "
                f"replace it by the official one"
            )
        tables[table.file] = frame
    return tables


def _read_table(table: Table, place: Path) -> pd.DataFrame:
    try:
        if place.is_dir():
            return read_csv(table, _from_folder(place, table.file))
        if table.archive is None:
            return read_csv(table, _from_zip(place, table.file))
        return _read_archived(table, _from_zip(place, table.archive.member), table.archive)
    except _UNREADABLE as error:
        raise ValueError(f"{place}: {table.file} cannot be read ({error})") from error


# What gzip, zipfile, zlib and pandas raise on a file that is not what it should be.
_UNREADABLE = (
    OSError,
    EOFError,
    KeyError,  # a column that is not there
    ValueError,
    RuntimeError,  # a zip member with a password
    NotImplementedError,  # a zip member with an unknown compression
    zipfile.BadZipFile,
    zlib.error,
)


def read_csv(table: Table, content: bytes) -> pd.DataFrame:
    """Read the columns of a table from the bytes of its file; nothing is taken for missing."""
    frame = pd.read_csv(
        io.BytesIO(content),
        usecols=list(table.columns),
        dtype=dict(table.columns),
        keep_default_na=False,  # a film may be called "NA"
    )
    return frame[list(table.columns)]


def _read_archived(table: Table, content: bytes, form: Archive) -> pd.DataFrame:
    cells = pd.read_csv(
        io.BytesIO(content),
        sep=form.separator,
        names=form.names or None,
        header=None if form.names else 0,
        encoding=form.encoding,
        quoting=csv.QUOTE_NONE,
        dtype="str",
        keep_default_na=False,
    )
    for column, flags in form.flags.items():
        marked = [np.where(cells[flag] == "1", f"|{flag}", "") for flag in flags]
        cells[column] = ["".join(row).removeprefix("|") for row in zip(*marked, strict=True)]
    return cells[list(table.columns)].astype(dict(table.columns))


def _from_folder(folder: Path, file: str) -> bytes:
    packed = folder / f"{file}.gz"
    if packed.exists():
        return gzip.decompress(packed.read_bytes())
    return (folder / file).read_bytes()


def _from_zip(path: Path, file: str) -> bytes:
    with zipfile.ZipFile(path) as archive:
        # By its last name, in whatever folder it is; nothing is ever unpacked to disk.
        found = [n for n in archive.namelist() if PurePosixPath(n).name == file]
        if len(found) != 1:
            raise ValueError(
                f"the zip file must hold it once, it holds {shown(archive.namelist(), 10)}"
            )
        return archive.read(found[0])


def fingerprint(table: pd.DataFrame) -> str:
    """Return 32 hex digits that depend on the rows of a table but not on their order.

    The sum of the hashes of the rows notices any accidental change; it is no signature. A hash of
    pandas would be ten times as fast, but nobody promises that its values stay the same.
    """
    columns = [map(str, table[name].tolist()) for name in table.columns]
    total = 0
    for row in zip(*columns, strict=True):
        digest = hashlib.blake2b("\x1f".join(row).encode(), digest_size=16).digest()
        total += int.from_bytes(digest, "big")
    return f"{total % 2**128:032x}"
