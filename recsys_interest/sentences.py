"""Say in a sentence why an item is on a list.

Chapter: 13 (cold start).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from recsys_interest.checks import (
    SchemaError,
    as_numbers,
    canonical_ids,
    check_frame,
    check_same_ids,
    shown,
)

__all__ = ["explanation_sentences"]

_PAIR = ["user_id", "item_id"]


def explanation_sentences(
    lists: pd.DataFrame,
    reasons: pd.DataFrame,
    words: pd.DataFrame | None = None,
    *,
    titles: Mapping[Any, str] | pd.Series | None = None,
) -> pd.DataFrame:
    """Say in a sentence why each item is on its list.

    Parameters
    ----------
    lists : DataFrame
        `user_id`, `item_id`, `rank` and `source`.
    reasons : DataFrame
        From `explain`.
    words : DataFrame, optional
        From `explain_words`.
    titles : mapping or Series of str, optional
        What to call the items; one without a title is called by its id.

    Returns
    -------
    DataFrame
        `user_id`, `item_id`, `rank` and `because`, in the order of the lists.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    SchemaError
        If a table lacks a column, or the ids are of another kind than those of the lists.

    Notes
    -----
    The percentages are shares of all that speaks for the item. Chapter 13, "Cold start".

    Examples
    --------
    >>> lists = pd.DataFrame({"user_id": 1, "item_id": ["rope", "oven"], "rank": [1, 2],
    ...                       "source": ["ease", "popularity"]})
    >>> reasons = pd.DataFrame({"user_id": [1], "item_id": ["rope"], "because": ["tent"],
    ...                         "share": [0.8]})
    >>> explanation_sentences(lists, reasons, titles={"tent": "Tent for two"})["because"].tolist()
    ['Because of Tent for two (80 %).', 'Because it is popular.']
    """
    rows = _pairs(lists, "lists", ("rank", "source"))
    given = _pairs(reasons, "reasons", ("because", "share"), rows)
    if titles is not None and not isinstance(titles, (Mapping, pd.Series)):
        raise TypeError(f"titles must be a mapping or a Series, got {type(titles).__name__}")
    named = {} if titles is None else {i: t for i, t in titles.items() if isinstance(t, str)}
    share = as_numbers(given["share"])
    if share.isna().any():
        raise SchemaError(f"reasons.share must be numbers, it holds {shown(given['share'])}")
    because = zip(given["because"], share, strict=True)
    said = [f"{named.get(item, item)} ({100 * s:.0f} %)" for item, s in because]
    parts = given[_PAIR].assign(said=said).groupby(_PAIR)["said"].agg(list).to_dict()
    texts = {}
    if words is not None:
        spoken = _pairs(words, "words", ("word",), rows)
        texts = spoken.dropna(subset="word").groupby(_PAIR)["word"].agg(list).to_dict()
    pairs = list(zip(rows["user_id"], rows["item_id"], strict=True))
    sentences = [
        _sentence(parts.get(pair, []), texts.get(pair, []), source)
        for pair, source in zip(pairs, rows["source"], strict=True)
    ]
    out = rows[[*_PAIR, "rank"]]
    return out.assign(because=pd.Series(sentences, index=out.index, dtype="str"))


def _pairs(
    table: pd.DataFrame, name: str, columns: tuple[str, ...], lists: pd.DataFrame | None = None
) -> pd.DataFrame:
    out = check_frame(table, name, (*_PAIR, *columns)).reset_index(drop=True)
    for column in _PAIR:
        out[column] = canonical_ids(out[column], f"{name}.{column}")
        if lists is not None:
            check_same_ids(out[column], lists[column], f"{name}.{column}", f"lists.{column}")
    return out


_SOURCES = {
    "popularity": "Because it is popular.",
    "cluster": "Because it is popular among users of the same interest.",
    "attributes": "Because it is popular among users of the same kind.",
}
_SAID = {"sentence": "what you wrote", "interests": "your interests", "profile": "your profile"}


def _sentence(reasons: list[str], words: list[str], source: str) -> str:
    if not reasons:
        return _SOURCES.get(source, "No reason is known.")
    listed = ", ".join(reasons[:-1]) + (" and " if len(reasons) > 1 else "") + reasons[-1]
    first = f"Because {_SAID[source]} is close to" if source in _SAID else "Because of"
    text = f"; its text says {', '.join(words)}" if words else ""
    return f"{first} {listed}{text}."
