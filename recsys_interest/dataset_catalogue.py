"""The real data sets by name: where to get each, its licence, and what it must contain.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from types import MappingProxyType
from typing import Any

from recsys_interest import dataset_parsers
from recsys_interest.dataset_parsers import Parser

__all__ = ["Archive", "RealData", "Table", "real_data"]

_TYPES = {"int": "int64", "float": "float64", "text": "str"}


@dataclass(frozen=True, kw_only=True)
class Archive:
    """How the official zip file holds a table, if not as the CSV file of its name.

    Attributes
    ----------
    member, separator, encoding : str
        The file in the archive, what stands between its cells (which are never quoted), and how
        its bytes become text.
    names : tuple of str
        The columns, if the file has no header.
    flags : mapping of str to tuple of str
        Columns to make of columns of 0 and 1: the names of those with a 1, joined by ``|``.
    """

    member: str
    separator: str
    encoding: str = "utf-8"
    names: tuple[str, ...] = ()
    flags: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Table:
    """One CSV file of a real data set, and what its content must be.

    Attributes
    ----------
    file : str
        Its name, without the ``.gz`` it may have on disk.
    columns : mapping of str to str
        The columns that are read and their types, in the order of the fingerprint.
    rows : int
        How many rows it has.
    fingerprint : str
        32 hex digits that depend on the rows but not on their order.
    archive : Archive, optional
        Where the official zip file has it under another name and in another form.
    """

    file: str
    columns: Mapping[str, str]
    rows: int
    fingerprint: str
    archive: Archive | None = None


@dataclass(frozen=True, kw_only=True)
class RealData:
    """A real data set: where to get it, what it must contain, how it becomes events and items.

    Attributes
    ----------
    name, domain, about, licence, citation, source : str
        What a reader is told.
    folder : str
        Its folder below ``RECSYS_INTEREST_DATA``; with ``.zip`` its name in the cache.
    urls : tuple of str
        Where it may be downloaded, best first; none if it is read from a folder only.
    by_hand : str
        Without `urls`: why there are none.
    tables : tuple of Table
        Its files.
    parse : callable
        From the tables to events, items and users.
    events, users, items : int
        How many of each `parse` gives.
    timed : float
        The share of events with a known time; the others have the time `UNKNOWN_TIME`.
    """

    name: str
    domain: str
    folder: str
    licence: str
    citation: str
    about: str
    source: str
    tables: tuple[Table, ...]
    parse: Parser
    events: int
    users: int
    items: int
    timed: float
    urls: tuple[str, ...] = ()
    by_hand: str = ""


@functools.cache
def real_data() -> Mapping[str, RealData]:
    """Return every real data set by name, in the order of ``data_sets.toml``.

    Returns
    -------
    mapping of str to RealData
        A further set is a further table in that file and a parser of the same name.

    Examples
    --------
    >>> real_data()["movielens-small"].events
    104519
    """
    written = resources.files("recsys_interest").joinpath("data_sets.toml")
    rows = tomllib.loads(written.read_text(encoding="utf-8"))
    return MappingProxyType({name: _real_data(name, row) for name, row in rows.items()})


def _real_data(name: str, row: dict[str, Any]) -> RealData:
    # Long texts are broken into lines in the file.
    plain: dict[str, Any] = {
        k: " ".join(v.split()) if isinstance(v, str) else v for k, v in row.items()
    }
    tables = tuple(_table(table) for table in plain.pop("tables"))
    urls = tuple(plain.pop("urls", ()))
    parse = getattr(dataset_parsers, name.replace("-", "_"))
    return RealData(name=name, tables=tables, urls=urls, parse=parse, **plain)


def _table(row: dict[str, Any]) -> Table:
    form = row.pop("archive", None)
    pairs = (column.split(":") for column in row.pop("columns").split())
    columns = MappingProxyType({name: _TYPES[kind] for name, kind in pairs})
    return Table(columns=columns, archive=_archive(form) if form else None, **row)


def _archive(row: dict[str, Any]) -> Archive:
    names = tuple(row.pop("names", "").split())
    flags = {name: tuple(columns.split()) for name, columns in row.pop("flags", {}).items()}
    return Archive(names=names, flags=flags, **row)
