"""Named data sets: the generated log and real ones, from a folder, the cache or the web, verified.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import difflib
import gzip
import hashlib
import io
import logging
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType

import pandas as pd
import platformdirs

from recsys_interest.checks import shown
from recsys_interest.download import DownloadError, fetch
from recsys_interest.interest_log import Dataset, make_interest_log
from recsys_interest.schema import EVENT_COLUMNS, TIMESTAMP_DTYPE, validate_events, validate_items

__all__ = ["Dataset", "list_datasets", "load_dataset"]

_log = logging.getLogger(__name__)

Tables = Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Table:
    """One CSV file of a real data set, and what its content must be."""

    file: str
    columns: Mapping[str, str]  # name -> dtype, in the order the fingerprint was taken
    rows: int
    fingerprint: str


@dataclass(frozen=True)
class RealData:
    """A real data set: where to get it, what it must contain, how it becomes events and items."""

    name: str
    domain: str
    folder: str  # below RECSYS_INTEREST_DATA; with ".zip" also the name in the cache
    urls: tuple[str, ...]
    licence: str
    citation: str
    about: str
    source: str
    tables: tuple[Table, ...]
    parse: Callable[[Tables], tuple[pd.DataFrame, pd.DataFrame]]
    n_events: int
    n_users: int
    n_items: int


def load_dataset(
    name: str,
    *,
    cache_dir: str | Path | None = None,
    download: bool = True,
    progress: bool = True,
) -> Dataset:
    """Return a data set by name: the generated log, or a real one, verified.

    A real set is looked for in the folder that the environment variable ``RECSYS_INTEREST_DATA``
    names, then in the cache, and is then downloaded into the cache from its official address or a
    mirror. Wherever it comes from, row counts and a fingerprint of every table are compared with
    the published content, so one changed rating is noticed and other line ends are not.

    Parameters
    ----------
    name : str
        A name from `list_datasets`.
    cache_dir : str or Path, optional
        The cache; by default ``RECSYS_INTEREST_CACHE``, or else the user's cache folder.
    download : bool, default True
        False never uses the network.
    progress : bool, default True
        Show a progress bar when a download takes more than two seconds.

    Returns
    -------
    Dataset
        Valid events and items, in an order that does not depend on the files' order.

    Raises
    ------
    TypeError
        If `name` is not text.
    ValueError
        If `name` is unknown, or the files in ``RECSYS_INTEREST_DATA`` have another content.
    FileNotFoundError
        If the data are in none of the places and `download` is False.
    DownloadError
        If they are in none of the places and cannot be downloaded.

    Notes
    -----
    Chapter 01, "Behaviour logs". Using a real set means accepting its licence: see
    ``Dataset.licence`` and ``Dataset.about``.

    Examples
    --------
    >>> load_dataset("interest-log")
    Dataset('interest-log': 10,000 events, 1,000 users, 480 items)
    >>> load_dataset("movielens")
    Traceback (most recent call last):
        ...
    ValueError: no data set is called 'movielens'; did you mean 'movielens-small'? ...
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be text, got {type(name).__name__}")
    if name == "interest-log":
        return make_interest_log()
    if name not in REAL_DATA:
        known = ["interest-log", *REAL_DATA]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"no data set is called {name!r}{hint} There are {shown(known, 50)}")
    return _load(REAL_DATA[name], cache_folder(cache_dir), download=download, progress=progress)


def list_datasets() -> pd.DataFrame:
    """Return what `load_dataset` knows, without loading anything or using the network.

    Returns
    -------
    DataFrame
        One row per data set: `name`, `domain`, `events`, `users`, `items` (counts), `licence` and
        `available`: ``"generated"``, ``"shared folder"``, ``"cache"`` or ``"download"``, where
        `load_dataset` would take it from.

    Examples
    --------
    >>> list_datasets()[["name", "events", "users", "items"]]
                  name  events  users  items
    0     interest-log   10000   1000    480
    1  movielens-small  104519    610   9742
    """
    generated = ("interest-log", "mixed", 10_000, 1000, 480, "MIT, as this package", "generated")
    rows = [generated] + [
        (d.name, d.domain, d.n_events, d.n_users, d.n_items, d.licence, _available(d))
        for d in REAL_DATA.values()
    ]
    names = ["name", "domain", "events", "users", "items", "licence", "available"]
    return pd.DataFrame(rows, columns=names)


def cache_folder(given: str | Path | None = None) -> Path:
    """Return where downloads are kept; RECSYS_INTEREST_CACHE overrides the user's cache."""
    named = given or os.environ.get("RECSYS_INTEREST_CACHE")
    return Path(named) if named else Path(platformdirs.user_cache_dir("recsys_interest"))


def _shared_dir(spec: RealData) -> Path | None:
    named = os.environ.get("RECSYS_INTEREST_DATA")
    return Path(named) / spec.folder if named else None


def _available(spec: RealData) -> str:
    shared = _shared_dir(spec)
    if shared is not None and shared.is_dir():
        return "shared folder"
    return "cache" if _cached(spec, cache_folder()).is_file() else "download"


def _cached(spec: RealData, cache_dir: Path) -> Path:
    return cache_dir / f"{spec.folder}.zip"


def _load(spec: RealData, cache_dir: Path, *, download: bool, progress: bool) -> Dataset:
    tables = _find_tables(spec, cache_dir, download=download, progress=progress)
    events, items = spec.parse(tables)
    order = ["timestamp", "user_id", "item_id", "event", "text", "value"]
    return Dataset(
        name=spec.name,
        events=validate_events(events.sort_values(order, kind="stable", ignore_index=True)),
        items=validate_items(items.sort_values("item_id", ignore_index=True)),
        about=f"{spec.about} Cite: {spec.citation}",
        licence=spec.licence,
        source=spec.source,
    )


def _find_tables(spec: RealData, cache_dir: Path, *, download: bool, progress: bool) -> Tables:
    looked = []
    shared = _shared_dir(spec)
    if shared is None:
        looked.append("RECSYS_INTEREST_DATA: not set")
    elif shared.is_dir():
        return _verified(spec, shared)
    else:
        looked.append(f"RECSYS_INTEREST_DATA: there is no folder {shared}")
    cached = _cached(spec, cache_dir)
    if cached.is_file():
        try:
            return _verified(spec, cached)
        except ValueError as error:
            _log.warning("the cached file cannot be used: %s", error)
            looked.append(f"cache: {error}")
    else:
        looked.append(f"cache: there is no file {cached}")
    if not download:
        looked.append("web: not asked, because download=False")
        raise FileNotFoundError(_not_found(spec, looked))
    return _downloaded(spec, cached, looked, progress=progress)


def _downloaded(spec: RealData, cached: Path, looked: list[str], *, progress: bool) -> Tables:
    _log.info("downloading %s; its licence: %s", spec.name, spec.licence)

    tables: dict[str, pd.DataFrame] = {}

    def check(path: Path) -> None:
        tables.update(_verified(spec, path))

    try:
        fetch(spec.urls, cached, check=check, progress=progress)
    except DownloadError as error:
        raise DownloadError(_not_found(spec, [*looked, f"web: {error}"])) from error
    return tables


def _not_found(spec: RealData, looked: list[str]) -> str:
    files = ", ".join(f"{t.file}.gz" for t in spec.tables)
    places = "".join("\n- " + place.replace("\n", "\n  ") for place in looked)
    return (
        f"{spec.name} was found nowhere:{places}\n"
        f"The fix: call load_dataset({spec.name!r}) where {spec.urls[0]} can be reached, or set "
        f"RECSYS_INTEREST_DATA to a folder that has {spec.folder}/ with {files}"
    )


def _verified(spec: RealData, place: Path) -> dict[str, pd.DataFrame]:
    """Read all tables from a folder or a zip file, or raise ValueError saying what is wrong."""
    tables = {}
    for table in spec.tables:
        frame = _read_table(table, place)
        found = _fingerprint(frame)
        if len(frame) != table.rows or found != table.fingerprint:
            raise ValueError(
                f"{place}: {table.file} of {spec.name} has another content: {len(frame):,} rows "
                f"with fingerprint {found}, expected {table.rows:,} with {table.fingerprint}; "
                f"replace it by the official one"
            )
        tables[table.file] = frame
    return tables


def _read_table(table: Table, place: Path) -> pd.DataFrame:
    read = _from_folder if place.is_dir() else _from_zip
    try:
        return _read_csv(table, read(place, table.file))
    except _UNREADABLE as error:
        raise ValueError(f"{place}: {table.file} cannot be read ({error})") from error


# What gzip, zipfile, zlib and pandas raise on a file that is not what it should be.
_UNREADABLE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # a zip member with a password
    NotImplementedError,  # a zip member with an unknown compression
    zipfile.BadZipFile,
    zlib.error,
)


def _read_csv(table: Table, content: bytes) -> pd.DataFrame:
    frame = pd.read_csv(
        io.BytesIO(content),
        usecols=list(table.columns),
        dtype=dict(table.columns),
        keep_default_na=False,  # a film may be called "NA"
    )
    return frame[list(table.columns)]


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


def _fingerprint(table: pd.DataFrame) -> str:
    """Return 32 hex digits that depend on the rows of a table but not on their order.

    The sum of the hashes of the rows notices any accidental change; it is no signature.
    """
    columns = [map(str, table[name].tolist()) for name in table.columns]
    total = 0
    for row in zip(*columns, strict=True):
        digest = hashlib.blake2b("\x1f".join(row).encode(), digest_size=16).digest()
        total += int.from_bytes(digest, "big")
    return f"{total % 2**128:032x}"


def _movielens(tables: Tables) -> tuple[pd.DataFrame, pd.DataFrame]:
    stars = tables["ratings.csv"].rename(columns={"rating": "value"})
    tags = tables["tags.csv"].rename(columns={"tag": "text"})
    both = pd.concat([stars.assign(event="rate", text=""), tags.assign(event="comment")])
    both = both.rename(columns={"userId": "user_id", "movieId": "item_id"})
    both["timestamp"] = pd.to_datetime(both["timestamp"], unit="s", utc=True).astype(
        TIMESTAMP_DTYPE
    )
    films = tables["movies.csv"]
    genres = films["genres"].where(films["genres"] != "(no genres listed)", "")
    items = pd.DataFrame(
        {
            "item_id": films["movieId"],
            "title": films["title"].map(_film_title),
            "description": "",
            "tags": genres.str.lower().str.replace("|", ", ", regex=False),
            "category": "film",
            "language": "en",
        }
    )
    return both[list(EVENT_COLUMNS)], items


_ARTICLE_LAST = re.compile(r"^(?P<title>[^(]+), (?P<article>The|An|A)(?P<rest>| \(.*)$")


def _film_title(title: str) -> str:
    """Return the title as it is spoken, with the year.

    >>> _film_title("Matrix, The (1999)"), _film_title("Postman, The (Postino, Il) (1994)")
    ('The Matrix (1999)', 'The Postman (Postino, Il) (1994)')
    """
    plain = " ".join(title.split())
    return _ARTICLE_LAST.sub(r"\g<article> \g<title>\g<rest>", plain)


_MOVIELENS_SMALL = RealData(
    name="movielens-small",
    domain="video",
    folder="ml_latest_small",
    urls=(
        "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip",
        "https://raw.githubusercontent.com/alura-es-cursos/"
        "1807-ML-introduccion-sistemas-recomendacion-python/"
        "15fccb04b2ef2c18cad8d8ea564f99d6b3dcf218/ml-latest-small.zip",
    ),
    licence="GroupLens: research use; no commercial use without permission; redistribution only "
    "under the same conditions",
    citation="F. M. Harper and J. A. Konstan (2015), The MovieLens Datasets: History and Context, "
    "ACM TiiS 5(4), 19, https://doi.org/10.1145/2827872",
    about="Ratings and free-text tags of films by 610 MovieLens users, 1996 to 2018.",
    source="https://grouplens.org/datasets/movielens/latest/",
    tables=(
        Table(
            "ratings.csv",
            {"userId": "int64", "movieId": "int64", "rating": "float64", "timestamp": "int64"},
            100_836,
            "f27782ba40ae3e649321f1b5bb02ad75",
        ),
        Table(
            "tags.csv",
            {"userId": "int64", "movieId": "int64", "tag": "str", "timestamp": "int64"},
            3_683,
            "f42470bbf485bdc90070fe688fa4668d",
        ),
        Table(
            "movies.csv",
            {"movieId": "int64", "title": "str", "genres": "str"},
            9_742,
            "231b2776a5fc5ff85d9c3dd08d25b4d4",
        ),
    ),
    parse=_movielens,
    n_events=104_519,
    n_users=610,
    n_items=9_742,
)

#: Every real data set by name; a further one is a further row.
REAL_DATA: Mapping[str, RealData] = MappingProxyType({d.name: d for d in (_MOVIELENS_SMALL,)})
