"""Named data sets: the generated log and real ones, as events and items or as published.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import difflib
from pathlib import Path

import pandas as pd

from recsys_interest.checks import shown
from recsys_interest.dataset_catalogue import RealData, real_data
from recsys_interest.dataset_files import available, cache_folder, find_tables
from recsys_interest.dataset_parsers import UNKNOWN_TIME
from recsys_interest.interest_log import Dataset, make_interest_log
from recsys_interest.schema import validate_events, validate_items, validate_users

__all__ = ["UNKNOWN_TIME", "Dataset", "list_datasets", "load_dataset", "load_tables"]


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
    the published content, so one changed rating is noticed and other line ends are not. Some sets
    may not be downloaded by a program, and are read from ``RECSYS_INTEREST_DATA`` only.

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
        Valid events, items and users, in an order that does not depend on the files' order.

    Raises
    ------
    TypeError
        If `name` is not text.
    ValueError
        If `name` is unknown, or the files in ``RECSYS_INTEREST_DATA`` have another content.
    FileNotFoundError
        If the data are in none of the places, and `download` is False or there is no address.
    DownloadError
        If they are in none of the places and cannot be downloaded.

    See Also
    --------
    load_tables : The same set as it was published, with all its faults.

    Notes
    -----
    Chapter 01, "Behaviour logs". Using a real set means accepting its licence: see
    ``Dataset.licence`` and ``Dataset.about``.

    Some sets were published without times, or with times for a part of the events. The other events
    have the timestamp ``recsys_interest.datasets.UNKNOWN_TIME`` (1970-01-01), which is before any
    real one: ``events[events["timestamp"] > UNKNOWN_TIME]`` are those to use where time matters.
    The column `timed` of `list_datasets` tells their share.

    Examples
    --------
    >>> load_dataset("interest-log")
    Dataset('interest-log': 10,000 events, 1,000 users, 480 items)
    >>> load_dataset("movielens")
    Traceback (most recent call last):
        ...
    ValueError: no data set is called 'movielens'; did you mean 'movielens-1m'? ...
    """
    if name == "interest-log":
        return make_interest_log()
    return load(_named(name), cache_folder(cache_dir), download=download, progress=progress)


def load_tables(
    name: str,
    *,
    cache_dir: str | Path | None = None,
    download: bool = True,
    progress: bool = True,
) -> dict[str, pd.DataFrame]:
    """Return the tables of a real data set as they were published.

    Nothing is renamed, dropped or repaired, and texts are texts: an empty cell is ``""``, a date
    is what the file says. This is what a log looks like before `clean_events`; `load_dataset` makes
    events, items and users of it. The tables are found and verified as `load_dataset` does.

    Parameters
    ----------
    name : str
        The name of a real set, from `list_datasets`.
    cache_dir : str or Path, optional
        As for `load_dataset`.
    download : bool, default True
        As for `load_dataset`.
    progress : bool, default True
        As for `load_dataset`.

    Returns
    -------
    dict of str to DataFrame
        By file name, for example ``"transactions.csv"``; rows in the order of the file.

    Raises
    ------
    TypeError
        If `name` is not text.
    ValueError
        If `name` is unknown or the generated log, or the files have another content.
    FileNotFoundError
        If the data are in none of the places, and `download` is False or there is no address.
    DownloadError
        If they are in none of the places and cannot be downloaded.

    Notes
    -----
    Chapter 01, "Behaviour logs".

    Examples
    --------
    >>> load_tables("interest-log")
    Traceback (most recent call last):
        ...
    ValueError: 'interest-log' is generated and was never published; use make_interest_log
    """
    if name == "interest-log":
        raise ValueError(f"{name!r} is generated and was never published; use make_interest_log")
    spec, folder = _named(name), cache_folder(cache_dir)
    return find_tables(spec, folder, download=download, progress=progress)


def list_datasets() -> pd.DataFrame:
    """Return what `load_dataset` knows, without loading anything or using the network.

    Returns
    -------
    DataFrame
        One row per data set: `name`, `domain`, `events`, `users`, `items` (counts; sets of labelled
        texts have no events), `timed` (the share of events with a known time), `licence` and
        `available`: ``"generated"``, ``"shared folder"``, ``"cache"`` or ``"download"``, where
        `load_dataset` would take it from, or ``"nowhere"`` if it would have to be in
        ``RECSYS_INTEREST_DATA`` and is not.

    Examples
    --------
    >>> list_datasets().loc[:2, ["name", "events", "users", "items"]]
                  name  events  users  items
    0     interest-log   10000   1000    480
    1  movielens-small  104519    610   9742
    2   movielens-100k  100000    943   1682
    """
    generated = ("interest-log", "mixed", 10_000, 1000, 480, 1.0, "MIT, as this package")
    rows = [(*generated, "generated")] + [
        (d.name, d.domain, d.events, d.users, d.items, d.timed, d.licence, available(d))
        for d in real_data().values()
    ]
    names = ["name", "domain", "events", "users", "items", "timed", "licence", "available"]
    return pd.DataFrame(rows, columns=names)


def load(spec: RealData, cache_dir: Path, *, download: bool, progress: bool) -> Dataset:
    """Return the data set of one row of the catalogue."""
    tables = find_tables(spec, cache_dir, download=download, progress=progress)
    events, items, users = spec.parse(tables)
    order = ["timestamp", "user_id", "item_id", "event", "text", "value"]
    order += [column for column in events.columns if column not in order]
    return Dataset(
        name=spec.name,
        events=validate_events(events.sort_values(order, ignore_index=True)),
        items=validate_items(items.sort_values("item_id", ignore_index=True)),
        users=validate_users(users.sort_values("user_id", ignore_index=True)),
        about=f"{spec.about} Cite: {spec.citation}",
        licence=spec.licence,
        source=spec.source,
    )


def _named(name: str) -> RealData:
    if not isinstance(name, str):
        raise TypeError(f"name must be text, got {type(name).__name__}")
    known = ["interest-log", *real_data()]
    if name not in real_data():
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"no data set is called {name!r}{hint} There are {shown(known, 50)}")
    return real_data()[name]
