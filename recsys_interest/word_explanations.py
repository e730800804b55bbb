"""Which words of an item's text brought it onto a list: take a word away and score again.

Chapter: 13 (cold start).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import singledispatch
from typing import Any

import numpy as np
import pandas as pd

from recsys_interest.blending import PopularityBlend
from recsys_interest.catalogue import check_width, columns_of_texts
from recsys_interest.checks import SchemaError, check_count, shown
from recsys_interest.explanations import by_source, checked_lists, recommender_with
from recsys_interest.linear_forms import DenseForm
from recsys_interest.recommend import CosineRecommender
from recsys_interest.recommender import Floats, Recommender
from recsys_interest.text_informed import TextInformedRecommender
from recsys_interest.tokens import HAN_RUN, WordAnalyzer
from recsys_interest.vectors import encoded, unit_rows

__all__ = ["explain_words", "text_scores", "text_without"]

_PAIR = ["user_id", "item_id"]
_TEXTS_AT_ONCE = 4096  # changed texts whose vectors are held at one time


def explain_words(
    recommender: Recommender,
    lists: pd.DataFrame,
    texts: pd.Series,
    encoder: Any,
    *,
    top: int = 3,
    session: pd.DataFrame | None = None,
) -> pd.DataFrame:
    r"""Return by how much the score of each item on a list falls when a word leaves its text.

    .. math:: \mathrm{drop}(w) = \mathrm{score}(u, t_i) - \mathrm{score}(u, t_i \setminus w)

    with the text :math:`t_i` of the item and :math:`\mathrm{score}(u, t)` what the recommender says
    of a text: the cosine of `CosineRecommender`; or, of `TextInformedRecommender`, the score that
    an item nobody likes yet would have with it (its `ColdRule`), which for a known item is the text
    part of what is known.

    Parameters
    ----------
    recommender : Recommender
        Fitted: a `CosineRecommender` or `TextInformedRecommender`, or a `ColdStartRecommender` of
        one. Further kinds are added with ``text_scores.register``.
    lists : DataFrame
        What it recommended: `user_id`, `item_id`, `rank`, `score` and `source`.
    texts : Series of str
        The text of each item, indexed by item id, as it was encoded (`item_text`).
    encoder : object
        Has ``transform(texts)``: the encoder of the item vectors. It reads each text once for each
        of its different words, so explain short lists.
    top : int, default 3
        How many words for each item, the largest drops first; only those with a drop above 0.
    session : DataFrame, optional
        The session that the lists were made with.

    Returns
    -------
    DataFrame
        `user_id`, `item_id`, `rank`, `word`, `drop` (in the unit of the score), in the order of the
        lists. Stop words are no reasons.

    Raises
    ------
    NotFittedError
        If `fit` was not called.
    TypeError
        If an argument is of the wrong kind.
    SchemaError
        If `lists` lacks a column, its ids are of another kind than those of the log, or `texts` has
        an item twice.
    ValueError
        If an item has no text in `texts`, or the encoder returns other vectors than those of fit.

    Notes
    -----
    Words interact: what several words do together is not the sum of their drops. It is found by
    `text_without` and `text_scores`. Chapter 13, "Cold start".

    Rows: H03.

    Examples
    --------
    >>> class Letters:  # an encoder for this example: how many of each letter
    ...     def transform(self, texts):
    ...         counts = [[text.count(c) for c in "tov"] for text in texts]
    ...         return pd.DataFrame(counts, index=texts.index)
    >>> texts = pd.Series(["tent", "attic oven"], index=["a", "b"])
    >>> log = pd.DataFrame({"user_id": [1, 2], "item_id": ["a", "b"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> model = CosineRecommender().fit(log, item_vectors=Letters().transform(texts))
    >>> explain_words(model, model.recommend([1]), texts, Letters()).round(3)
       user_id item_id  rank   word   drop
    0        1       b     1  attic  0.816
    """
    check_count(top, "top")
    rows = checked_lists(recommender, lists)
    texts = _texts_of(rows["item_id"].unique().tolist(), texts)
    parts = [
        drops for link, mine in by_source(recommender, rows)
        if (drops := _drops(link, mine, texts, encoder, session)) is not None
    ]  # fmt: skip
    nothing = pd.DataFrame({"row": np.empty(0, dtype=np.intp), "word": [], "drop": np.empty(0)})
    out = pd.concat(parts) if parts else nothing
    out = out[out["drop"] > 0].sort_values(["row", "drop", "word"], ascending=[True, False, True])
    out = out[out.groupby("row").cumcount() < top]
    found = rows.loc[out["row"], [*_PAIR, "rank"]].reset_index(drop=True)
    found["word"] = pd.Series(out["word"].to_numpy(), dtype="str")
    return found.assign(drop=out["drop"].to_numpy())


@singledispatch
def text_scores(
    recommender: Recommender, users: pd.Index, vectors: pd.DataFrame, session: pd.DataFrame | None
) -> Floats | None:
    """Return what a recommender says of texts, one for each user.

    Parameters
    ----------
    recommender : Recommender
        Fitted.
    users : Index, shape (n_pairs,)
        Their ids; only users the recommender can score.
    vectors : DataFrame of float32, shape (n_pairs, n_features)
        The texts, by the encoder of the item vectors.
    session : DataFrame or None
        That of `recommend`.

    Returns
    -------
    ndarray of float64, shape (n_pairs,), or None
        The scores. None: texts mean nothing to this kind of recommender.

    Notes
    -----
    Chapter 13, "Cold start".

    Examples
    --------
    >>> vectors = pd.DataFrame([[1.0, 0.0], [0.0, 1.0]], index=["tent", "oven"])
    >>> log = pd.DataFrame({"user_id": [1, 2], "item_id": ["tent", "oven"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> model = CosineRecommender().fit(log, item_vectors=vectors)
    >>> told = pd.DataFrame([[0.6, 0.8], [0.6, 0.8]])
    >>> text_scores(model, pd.Index([1, 2]), told, None).round(3).tolist()
    [0.6, 0.8]
    """
    return None


@text_scores.register
def _(
    recommender: CosineRecommender,
    users: pd.Index,
    vectors: pd.DataFrame,
    session: pd.DataFrame | None,
) -> Floats:
    check_width(vectors, recommender.item_vectors_.shape[1])
    model, place = recommender_with(recommender, users, session)
    left = model.user_vectors_[place].astype(np.float64)
    return np.vecdot(left, unit_rows(vectors.to_numpy(dtype=np.float64)))


@text_scores.register
def _(
    recommender: PopularityBlend,
    users: pd.Index,
    vectors: pd.DataFrame,
    session: pd.DataFrame | None,
) -> Floats | None:
    return text_scores(recommender.recommender_, users, vectors, session)


@text_scores.register
def _(
    recommender: TextInformedRecommender,
    users: pd.Index,
    vectors: pd.DataFrame,
    session: pd.DataFrame | None,
) -> Floats:
    model, place = recommender_with(recommender, users, session)
    columns, likes = columns_of_texts(recommender, vectors), model.likes_[place]
    if isinstance(recommender.model_, DenseForm):
        return np.asarray(likes.multiply(columns).sum(axis=1)).ravel()
    return np.vecdot(likes @ recommender.model_.left, columns)


def _drops(
    link: Recommender,
    rows: pd.DataFrame,
    texts: pd.Series,
    encoder: Any,
    session: pd.DataFrame | None,
) -> pd.DataFrame | None:
    """Return a table of row, word and drop; None if texts mean nothing to the recommender."""
    if text_scores.dispatch(type(link)) is text_scores.dispatch(object):
        return None  # before an encoder reads a hundred texts in vain
    analyze = WordAnalyzer()
    cells = [
        (row, user, word, text_without(texts[item], word))
        for row, user, item in zip(rows.index, rows["user_id"], rows["item_id"], strict=True)
        for word in ["", *sorted(set(analyze(texts[item])))]
    ]
    table = pd.DataFrame(cells, columns=["row", "user_id", "word", "text"])
    parts = []
    for start in range(0, len(table), _TEXTS_AT_ONCE):
        part = table.iloc[start : start + _TEXTS_AT_ONCE]
        place, distinct = pd.factorize(part["text"])
        vectors = encoded(encoder, list(distinct)).iloc[place]
        scores = text_scores(link, pd.Index(part["user_id"]), vectors, session)
        if scores is None:
            return None
        parts.append(part[["row", "word"]].assign(score=scores))
    scored = pd.concat(parts)
    full = scored[scored["word"] == ""].set_index("row")["score"]
    changed = scored[scored["word"] != ""]
    drop = changed["row"].map(full) - changed["score"]
    return changed[["row", "word"]].assign(drop=drop)


def _texts_of(items: Iterable[object], texts: pd.Series) -> dict[object, str]:
    if not isinstance(texts, pd.Series):
        raise TypeError(f"texts must be a Series indexed by item id, got {type(texts).__name__}")
    if not texts.index.is_unique:
        twice = texts.index[texts.index.duplicated()]
        raise SchemaError(f"texts.index has duplicates: {shown(twice)}; keep one text each")
    found = {item: texts.get(item) for item in items}
    lost = [item for item, text in found.items() if not isinstance(text, str)]
    if lost:
        raise ValueError(f"texts lacks the item(s) {shown(lost)}; use '' for no text")
    return found


def text_without(text: str, word: str) -> str:
    """Return a text without a word, wherever it stands.

    Parameters
    ----------
    text : str
        Of an item.
    word : str
        A word as `WordAnalyzer` finds it: capital letters do not matter, and parts of longer words
        stay, but for Chinese characters, which stand without blanks.

    Returns
    -------
    str
        The rest, unchanged.

    Notes
    -----
    Chapter 13, "Cold start".

    Examples
    --------
    >>> text_without("A tent, tents and a TENT", "tent")
    'A , tents and a '
    """
    if not word:
        return text
    if HAN_RUN.search(word):
        return text.replace(word, "")
    return re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", "", text, flags=re.IGNORECASE)
