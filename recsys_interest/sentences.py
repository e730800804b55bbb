"""Say in a sentence why an item is on a list.

Chapter: 13 (cold start).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from recsys_interest.checks import check_frame

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
        What to call the items; their ids by default.

    Returns
    -------
    DataFrame
        `user_id`, `item_id`, `rank` and `because`, in the order of the lists.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    SchemaError
        If a table lacks a column.

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
    rows = check_frame(lists, "lists", (*_PAIR, "rank", "source"))
    given = check_frame(reasons, "reasons", (*_PAIR, "because", "share"))
    named = {} if titles is None else dict(titles.items())
    said = [f"{named.get(i, i)} ({s:.0%})".replace("%)", " %)") for i, s in _pairs_of(given)]
    parts = given[_PAIR].assign(said=said).groupby(_PAIR)["said"].agg(list).to_dict()
    texts = {}
    if words is not None:
        spoken = check_frame(words, "words", (*_PAIR, "word"))
        texts = spoken.groupby(_PAIR)["word"].agg(list).to_dict()
    pairs = list(zip(rows["user_id"], rows["item_id"], strict=True))
    because = [
        _sentence(parts.get(pair, []), texts.get(pair, []), source)
        for pair, source in zip(pairs, rows["source"], strict=True)
    ]
    out = rows[[*_PAIR, "rank"]].reset_index(drop=True)
    return out.assign(because=pd.Series(because, index=out.index, dtype="str"))


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


def _pairs_of(reasons: pd.DataFrame) -> Iterator[tuple[Any, float]]:
    return zip(reasons["because"], reasons["share"], strict=True)
