"""Behaviour and items as text that a language model can read.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from recsys_interest.checks import SchemaError, check_count, check_same_ids, shown
from recsys_interest.phrases import SEPARATORS, check_language, event_phrases
from recsys_interest.schema import validate_events, validate_items, validate_users
from recsys_interest.text_checks import as_texts, field_names
from recsys_interest.tokens import count_tokens

__all__ = ["item_text", "user_text"]

ITEM_FIELDS = ("title", "description", "tags", "category")

_ENDS = {"zh": "。"}  # the sign between two fields, by language; others have a full stop


def item_text(items: pd.DataFrame, *, fields: Sequence[str] = ITEM_FIELDS) -> pd.Series:
    """Return one text per item, as a language model reads it: its fields, one sentence each.

    Nothing is lower-cased and no stop word is removed; a transformer needs them. The fields of a
    Chinese item (`language` is ``"zh"``) end with a Chinese full stop.

    Parameters
    ----------
    items : DataFrame
        See `validate_items`.
    fields : sequence of str, default ("title", "description", "tags", "category")
        The columns to use, in this order. What is empty or missing leaves no trace.

    Returns
    -------
    Series of str
        Indexed by `item_id`; the empty text where every field is empty.

    Raises
    ------
    TypeError
        If `fields` is not a list of names.
    SchemaError
        If a field is not a column of `items`, or holds anything but text.
    ValueError
        If `fields` is empty.

    Notes
    -----
    Chapter 02, "Text and keywords".

    Rows: D12.

    Examples
    --------
    >>> import pandas as pd
    >>> item_text(pd.DataFrame({"item_id": [7], "title": ["Tent"], "tags": ["camping"]}))[7]
    'Tent. camping'
    """
    table, fields = validate_items(items), field_names(fields)
    unknown = [f for f in fields if f not in table.columns]
    if unknown:
        raise SchemaError(f"items lacks the column(s) {shown(unknown)}; choose other `fields`")
    columns = [_one_line(as_texts(table[f], f"items.{f}", SchemaError)) for f in fields]
    ends = table["language"].map(_ENDS).fillna(". ")
    parts = zip(ends, zip(*columns, strict=True), strict=True)
    texts = [end.join(p for p in part if p) for end, part in parts]
    index = pd.Index(table["item_id"], name="item_id")
    return pd.Series(texts, index=index, dtype="str", name="text")


def user_text(
    events: pd.DataFrame,
    items: pd.DataFrame,
    *,
    max_tokens: int | None = 250,
    max_events: int | None = None,
    count_tokens: Callable[[str], int] = count_tokens,
    language: str = "en",
    templates: Mapping[str, Iterable[str] | str] | None = None,
    item_fields: Sequence[str] = ("title",),
    own_words: bool = True,
    users: pd.DataFrame | None = None,
    profile_fields: Sequence[str] = (),
    separator: str | None = None,
) -> pd.DataFrame:
    """Return one text per user: what they did, the most recent first, within a token budget.

    A language model cuts what is too long for it, silently and at the end. So the newest event
    comes first, the text stops where the budget does, and what was left out is counted.

    Parameters
    ----------
    events : DataFrame
        Valid events.
    items : DataFrame
        The items, for their titles.
    max_tokens : int, optional
        Tokens of a text, 250 by default, which fits into the default model with its special tokens;
        None for no limit. An event that is longer by itself is left out.
    max_events : int, optional
        How many events a text may hold.
    count_tokens : callable, optional
        Takes a phrase and returns its number of tokens; by default the estimate of
        `recsys_interest.count_tokens`. It is called once for each distinct phrase.
    language : {"en", "zh"}, default "en"
        Language of the templates.
    templates : mapping of str to str or list of str, optional
        For a kind of event its template, or several of which the first that can be filled is used,
        with the fields ``{item}``, ``{text}``, ``{value}`` and ``{event}``; overrides or extends
        `recsys_interest.phrases.EVENT_PHRASES`. An empty list silences a kind.
    item_fields : sequence of str, default ("title",)
        What of an item is said; ``()`` for nothing.
    own_words : bool, default True
        Use what users wrote (`events.text`): searches, comments, reviews.
    users : DataFrame, optional
        What is known of the users (`validate_users`); users without events get a text, too.
    profile_fields : sequence of str, default ()
        The columns of `users` to put first. None is used unless it is named here: an attribute such
        as age or gender changes the vector, and so what the user is shown.
    separator : str, optional
        Between two phrases, by default ``"; "``, or ``"；"`` in Chinese.

    Returns
    -------
    DataFrame
        Indexed by `user_id`, sorted: `text`, `n_used` and `n_dropped` events, and `n_tokens`.
        Events that can fill no template, such as a view of an unknown item, count as dropped.

    Raises
    ------
    TypeError
        If a parameter is of the wrong kind.
    SchemaError
        If a table does not fit the schema, or lacks a field.
    ValueError
        If a limit is not positive, a template or language does not exist, or `users` and
        `profile_fields` are not given together.

    Notes
    -----
    Events at the same moment are put in the order of item, kind, value and text, so the order of
    the rows does not matter. Chapter 02, "Text and keywords".

    Rows: D10, D11, F02, F09.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 1], "item_id": [7, 8], "event": ["browse", "like"],
    ...                     "timestamp": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    >>> goods = pd.DataFrame({"item_id": [7, 8], "title": ["Tent", "Stove"]})
    >>> user_text(log, goods).loc[1, "text"]
    'liked Stove; viewed Tent'
    >>> user_text(log, goods, max_tokens=5).loc[1].to_dict()
    {'text': 'liked Stove', 'n_used': 1, 'n_dropped': 1, 'n_tokens': 4}
    """
    limits = _limits(max_tokens, max_events)
    separator = SEPARATORS[check_language(language)] if separator is None else separator
    if not isinstance(separator, str):
        raise TypeError(f"separator must be text like '; ', got {separator!r}")
    if not callable(count_tokens):
        raise TypeError(f"count_tokens must be a function of a text, got {count_tokens!r}")
    log = validate_events(events)
    said = _event_rows(log, items, language, templates, item_fields, own_words)
    known, profile = _profile_rows(users, profile_fields, log["user_id"], language)
    rows = pd.concat([profile, said], ignore_index=True)
    used = _within_budget(rows, limits, count_tokens, count_tokens(separator))
    n_events = log.groupby("user_id").size()
    index = pd.Index(np.union1d(n_events.index, known), name="user_id", dtype=log["user_id"].dtype)
    by_user = used.groupby("user_id", sort=False)
    out = pd.DataFrame({"text": by_user["phrase"].agg(separator.join)}).reindex(index)
    out["text"] = out["text"].astype("str").fillna("")
    out["n_used"] = by_user["is_event"].sum().reindex(index, fill_value=0).astype("int64")
    out["n_dropped"] = n_events.reindex(index, fill_value=0) - out["n_used"]
    out["n_tokens"] = by_user["n_tokens"].max().reindex(index, fill_value=0).astype("int64")
    return out


def _limits(max_tokens: int | None, max_events: int | None) -> tuple[float, float]:
    """Return both limits as numbers, infinite where there is none."""
    tokens = np.inf if max_tokens is None else check_count(max_tokens, "max_tokens")
    events = np.inf if max_events is None else check_count(max_events, "max_events")
    return tokens, events


def _event_rows(
    log: pd.DataFrame,
    items: pd.DataFrame,
    language: str,
    templates: Mapping[str, Iterable[str] | str] | None,
    item_fields: Sequence[str],
    own_words: bool,
) -> pd.DataFrame:
    """Return `user_id` and `phrase` of the events that have one, each user's newest first."""
    order = ["timestamp", "item_id", "event", "value", "text"]
    log = log.sort_values(order, ascending=False, ignore_index=True)
    titles = pd.Series("", index=log.index, dtype="str")
    if isinstance(item_fields, str) or len(item_fields):
        texts = item_text(items, fields=item_fields)
        check_same_ids(log["item_id"], texts.index.to_series(), "events.item_id", "items.item_id")
        titles = log["item_id"].map(texts).fillna("").astype("str")
    log["text"] = _one_line(log["text"]) if own_words else ""
    phrase = event_phrases(log, titles, language, templates)
    return pd.DataFrame({"user_id": log["user_id"], "phrase": phrase, "is_event": True})[
        phrase != ""
    ]


def _profile_rows(
    users: pd.DataFrame | None, fields: Sequence[str], user_ids: pd.Series, language: str
) -> tuple[pd.Series, pd.DataFrame]:
    """Return the ids of the users, and one row for each attribute of each that is not missing."""
    nothing = pd.DataFrame({"user_id": user_ids[:0], "phrase": "", "is_event": False})
    if users is None and not len(fields):
        return user_ids[:0], nothing
    if users is None or not len(fields):
        given, other = (
            ("users", "profile_fields") if users is not None else ("profile_fields", "users")
        )
        raise ValueError(f"{given} is given without {other}; name the attributes that may be used")
    table, names = validate_users(users), field_names(fields)
    unknown = [f for f in names if f not in table.columns or f == "user_id"]
    if unknown:
        raise SchemaError(f"users lacks the attribute(s) {shown(unknown)}; choose other ones")
    check_same_ids(user_ids, table["user_id"], "events.user_id", "users.user_id")
    colon = "：" if language == "zh" else ": "
    parts = [nothing]
    for name in names:
        text = _one_line(_as_written(table[name]))
        phrase = (name + colon + text)[text != ""]
        ids = table.loc[phrase.index, "user_id"]
        parts.append(pd.DataFrame({"user_id": ids, "phrase": phrase, "is_event": False}))
    return table["user_id"], pd.concat(parts, ignore_index=True)


def _as_written(column: pd.Series) -> pd.Series:
    """Return an attribute as text; whole numbers that a gap made floats lose their `.0`."""
    present = column[column.notna()]
    if pd.api.types.is_float_dtype(present.dtype) and (present == present.round()).all():
        present = present.astype("int64")
    return present.map(str).reindex(column.index).astype("str").fillna("")


def _within_budget(
    rows: pd.DataFrame,
    limits: tuple[float, float],
    count: Callable[[str], int],
    between: int,
) -> pd.DataFrame:
    """Return the rows that fit, and in `n_tokens` the tokens up to and including each."""
    max_tokens, max_events = limits
    codes, distinct = pd.factorize(rows["phrase"])
    each = np.array([count(phrase) for phrase in distinct], dtype=np.int64)
    own = each[codes] if len(each) else np.zeros(0, dtype=np.int64)
    rows = rows.assign(n_tokens=own)[own <= max_tokens]
    users = rows["user_id"]
    # Every phrase but the first comes with a separator.
    total = (rows["n_tokens"] + between).groupby(users, sort=False).cumsum() - between
    events = rows["is_event"].astype("int64").groupby(users, sort=False).cumsum()
    return rows.assign(n_tokens=total)[(total <= max_tokens) & (events <= max_events)]


def _one_line(texts: pd.Series) -> pd.Series:
    """Return texts without line breaks and without the sign that would end a sentence."""
    lines = texts.astype("str").str.replace(r"\s+", " ", regex=True)
    return lines.str.strip().str.rstrip(".。;； ")
