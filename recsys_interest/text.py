"""Behaviour and items as text, and the words that tell groups of texts apart.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from recsys_interest.checks import SchemaError, check_count, check_same_ids, shown
from recsys_interest.schema import validate_events, validate_items
from recsys_interest.text_checks import (
    as_texts,
    check_beside,
    check_vocabulary,
    field_names,
)
from recsys_interest.tokens import WORD

__all__ = ["class_tfidf", "distinctive_words", "item_text", "keyword_matrix", "user_text"]

ITEM_FIELDS = ("title", "description", "tags", "category")


def item_text(items: pd.DataFrame, *, fields: Sequence[str] = ITEM_FIELDS) -> pd.Series:
    """Return one text per item, as a language model reads it: its fields, one sentence each.

    Nothing is lower-cased and no stop word is removed; a transformer needs them.

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
    columns = [as_texts(table[f], f"items.{f}", SchemaError) for f in fields]
    parts = zip(*(c.str.strip().str.rstrip(".") for c in columns), strict=True)
    texts = [". ".join(p for p in part if p) for part in parts]
    index = pd.Index(table["item_id"], name="item_id")
    return pd.Series(texts, index=index, dtype="str", name="text")


def user_text(
    events: pd.DataFrame, items: pd.DataFrame, *, max_events: int = 20, separator: str = "; "
) -> pd.DataFrame:
    """Return one text per user: what they did, the most recent first.

    Parameters
    ----------
    events : DataFrame
        Valid events.
    items : DataFrame
        The items, for their titles; events on other items count as dropped.
    max_events : int, default 20
        How many events the text may hold. The oldest are dropped.
    separator : str, default "; "
        Between two events.

    Returns
    -------
    DataFrame
        Indexed by `user_id`: `text`, `n_used` and `n_dropped` events.

    Raises
    ------
    TypeError
        If `separator` is not text, or `max_events` not a whole number.
    ValueError
        If `max_events` is not positive.

    Notes
    -----
    Chapter 02, "Text and keywords".

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 1], "item_id": [7, 8], "event": ["browse", "like"],
    ...                     "timestamp": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    >>> goods = pd.DataFrame({"item_id": [7, 8], "title": ["Tent", "Stove"]})
    >>> user_text(log, goods).loc[1, "text"]
    'like Stove; browse Tent'
    """
    max_events = check_count(max_events, "max_events")
    if not isinstance(separator, str):
        raise TypeError(f"separator must be text like '; ', got {separator!r}")
    log = validate_events(events)
    titles = item_text(items, fields=("title",))
    check_same_ids(log["item_id"], titles.index.to_series(), "events.item_id", "items.item_id")
    log["title"] = log["item_id"].map(titles).fillna("")
    order = ["timestamp", "item_id", "event", "value", "text"]
    recent = log[log["title"] != ""].sort_values(order, ascending=False)
    used = recent.groupby("user_id", sort=False).head(max_events)
    phrases = (used["event"] + " " + used["title"]).groupby(used["user_id"], sort=False)
    n_events = log.groupby("user_id").size()
    out = pd.DataFrame({"text": phrases.agg(separator.join)}).reindex(n_events.index)
    out["text"] = out["text"].astype("str").fillna("")
    out["n_used"] = phrases.size().reindex(n_events.index, fill_value=0)
    out["n_dropped"] = n_events - out["n_used"]
    return out


def keyword_matrix(
    texts: pd.Series, *, vocabulary: Sequence[str] | None = None, min_texts: int = 1
) -> pd.DataFrame:
    """Return which keyword occurs in which text, as a 0/1 table.

    Parameters
    ----------
    texts : Series of str
        One text per row, any index.
    vocabulary : sequence of str, optional
        The keywords to look for, in any case, as columns in this order. By default every word of
        two letters or more that is not an English stop word.
    min_texts : int, default 1
        Keep words that occur in at least so many texts; ignored when a vocabulary is given.

    Returns
    -------
    DataFrame of int8, shape (n_texts, n_keywords)
        Index of `texts`, columns sorted (or in the order given); empty if no word is left.

    Raises
    ------
    TypeError
        If `texts` is not a Series of text, or `vocabulary` not a list of words.
    ValueError
        If `min_texts` is below 1, or `vocabulary` holds a word twice or one that is no single word
        of letters, and so would never be found.

    Notes
    -----
    Chapter 02, "Text and keywords".

    Examples
    --------
    >>> import pandas as pd
    >>> texts = pd.Series(["Python code", "the code"], index=["ann", "bob"])
    >>> keyword_matrix(texts).loc["bob"].to_dict()
    {'code': 1, 'python': 0}
    """
    min_texts = check_count(min_texts, "min_texts")
    wanted = None if vocabulary is None else check_vocabulary(vocabulary)
    counts, words = _count_words(_check_texts(texts), wanted, min_texts)
    present = (counts > 0).astype(np.int8).toarray()
    return pd.DataFrame(present, index=texts.index, columns=words)


def class_tfidf(
    texts: pd.Series,
    labels: pd.Series,
    *,
    weights: pd.Series | None = None,
    top: int = 5,
) -> pd.Series:
    r"""Return the words that set each group of texts apart from the others.

    .. math:: w_{t,c} = \mathrm{tf}_{t,c} \cdot \log\left(1 + \frac{A}{f_t}\right)

    with :math:`\mathrm{tf}_{t,c}` the share of word :math:`t` among the words of group :math:`c`,
    :math:`f_t` its count in all groups and :math:`A` the mean number of words in a group.

    Parameters
    ----------
    texts : Series of str
        One text per row.
    labels : Series
        The group of each text, same index. Texts labelled −1 (noise) are left out.
    weights : Series, optional
        How many times each text counts, same index.
    top : int, default 5
        How many words to return for each group.

    Returns
    -------
    Series of list of str
        Indexed by label, sorted; the most telling word first, ties in alphabetical order. A group
        without words has an empty list.

    Raises
    ------
    TypeError
        If `texts`, `labels` or `weights` is not a Series of the right kind.
    ValueError
        If the indices differ, a label is missing, a weight is not a finite number from 0 on, or
        `top` is below 1.

    Notes
    -----
    The formula is that of Grootendorst (2022), "BERTopic". Chapter 02, "Text and keywords".

    Examples
    --------
    >>> import pandas as pd
    >>> texts = pd.Series(["red wine", "white wine", "red car", "fast car"])
    >>> class_tfidf(texts, pd.Series([0, 0, 1, 1]), top=1).to_dict()
    {0: ['wine'], 1: ['car']}
    """
    top = check_count(top, "top")
    groups, counts, words = _words_per_group(texts, labels, weights)
    lists = [_top_words(row, words, top) for row in _class_weights(counts)]
    return pd.Series(lists, index=groups, dtype=object, name="keywords")


def distinctive_words(
    texts: pd.Series,
    labels: pd.Series,
    *,
    weights: pd.Series | None = None,
    top: int = 5,
) -> pd.Series:
    r"""Return the words that are more frequent in a group than in all texts together.

    .. math:: w_{t,c} = p(t \mid c) \, \log \frac{p(t \mid c)}{p(t)}

    the share of word :math:`t` in the divergence of group :math:`c` from the whole. A word that is
    equally frequent everywhere gets 0, where `class_tfidf` still ranks it by its frequency; so this
    is the one to name groups that share most of their words.

    Parameters
    ----------
    texts : Series of str
        One text per row.
    labels : Series
        The group of each text, same index. Texts labelled −1 (noise) are left out.
    weights : Series, optional
        How many times each text counts, same index.
    top : int, default 5
        How many words to return for each group.

    Returns
    -------
    Series of list of str
        As `class_tfidf`. A group whose words are no more frequent than elsewhere has an empty list.

    Raises
    ------
    TypeError
        If `texts`, `labels` or `weights` is not a Series of the right kind.
    ValueError
        If the indices differ, a label is missing, a weight is not a finite number from 0 on, or
        `top` is below 1.

    Notes
    -----
    The summands of the divergence of Kullback and Leibler (1951). Chapter 10, "Choosing and naming
    clusters".

    Examples
    --------
    >>> import pandas as pd
    >>> texts = pd.Series(["red wine", "white wine", "red car", "fast car"])
    >>> distinctive_words(texts, pd.Series([0, 0, 1, 1]), top=2).to_dict()
    {0: ['wine', 'white'], 1: ['car', 'fast']}
    """
    top = check_count(top, "top")
    groups, counts, words = _words_per_group(texts, labels, weights)
    share = _shares(counts)
    overall = _shares(counts.sum(axis=0, keepdims=True))
    ratio = np.divide(share, overall, out=np.ones_like(share), where=share > 0)
    lists = [_top_words(row, words, top) for row in share * np.log(ratio)]
    return pd.Series(lists, index=groups, dtype=object, name="keywords")


def _words_per_group(
    texts: pd.Series, labels: pd.Series, weights: pd.Series | None
) -> tuple[pd.Index, np.ndarray, np.ndarray]:
    """Return the groups, the table (n_groups, n_words) of counts, and the words, sorted."""
    texts = _check_texts(texts)
    groups, code = _groups(labels, texts.index)
    times = np.ones(len(texts)) if weights is None else _times(weights, texts.index)
    codes, distinct = pd.factorize(texts)
    counts, words = _count_words(pd.Series(distinct, dtype="str"), None, 1)
    shape = (len(groups), len(distinct))
    per_group = sparse.csr_matrix((times, (code, codes)), shape=shape) @ counts
    keep = groups != -1
    table = np.asarray(per_group[keep].todense(), dtype=float)
    return pd.Index(groups[keep], name=labels.name), table, words


def _groups(labels: pd.Series, index: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct labels, sorted, and the place of each label among them."""
    check_beside(labels, "labels", index)
    gaps = labels.index[labels.isna()]
    if len(gaps):
        raise ValueError(f"labels is missing at index {shown(gaps)}; use -1 for texts to leave out")
    try:
        groups, code = np.unique(labels.to_numpy(), return_inverse=True)
    except TypeError:
        kinds = shown(sorted({type(v).__name__ for v in labels}))
        raise TypeError(f"labels mixes the kinds {kinds}; make it one kind") from None
    return groups, code


def _times(weights: pd.Series, index: pd.Index) -> np.ndarray:
    check_beside(weights, "weights", index)
    if not pd.api.types.is_any_real_numeric_dtype(weights.dtype):
        raise TypeError(f"weights must be numbers, it has the type {weights.dtype}")
    times = weights.to_numpy(dtype=float, na_value=np.nan)
    odd = ~np.isfinite(times) | (times < 0)
    if odd.any():
        raise ValueError(
            f"weights must be finite and not negative, it holds {shown(times[odd].tolist())} "
            f"at index {shown(index[odd])}; use 0 for texts that do not count"
        )
    return times


def _check_texts(texts: object) -> pd.Series:
    if not isinstance(texts, pd.Series):
        raise TypeError(f"texts must be a pandas Series, got {type(texts).__name__}")
    return as_texts(texts, "texts", TypeError)


def _count_words(
    texts: pd.Series, vocabulary: list[str] | None, min_texts: int
) -> tuple[sparse.csr_matrix, np.ndarray]:
    nothing = sparse.csr_matrix((len(texts), 0)), np.array([], dtype=object)
    if vocabulary == [] or (vocabulary is None and min_texts > len(texts)):
        return nothing
    if vocabulary is not None:
        lower = [v.lower() for v in vocabulary]
        counter = CountVectorizer(token_pattern=WORD, vocabulary=lower)
        return counter.transform(texts), np.array(vocabulary, dtype=object)
    stop_words = sorted(ENGLISH_STOP_WORDS)
    counter = CountVectorizer(token_pattern=WORD, stop_words=stop_words, min_df=min_texts)
    try:
        return counter.fit_transform(texts), counter.get_feature_names_out()
    except ValueError as error:
        if "empty vocabulary" not in str(error) and "no terms remain" not in str(error):
            raise
        return nothing


def _shares(counts: np.ndarray) -> np.ndarray:
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


def _class_weights(counts: np.ndarray) -> np.ndarray:
    in_all = counts.sum(axis=0)
    mean_words = counts.sum(axis=1).mean() if len(counts) else 0.0
    rarity = np.log1p(np.divide(mean_words, in_all, out=np.zeros_like(in_all), where=in_all > 0))
    return _shares(counts) * rarity


def _top_words(scores: np.ndarray, words: np.ndarray, top: int) -> list[str]:
    # Words come sorted, and a stable sort keeps them so among equals.
    order = np.argsort(-scores, kind="stable")[:top]
    return [str(words[i]) for i in order if scores[i] > 0]
