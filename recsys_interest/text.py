"""Behaviour and items as text, and the words that tell groups of texts apart.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from recsys_interest.checks import SchemaError, check_same_ids, shown
from recsys_interest.schema import validate_events, validate_items

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
        The columns to use, in this order. Empty ones leave no trace.

    Returns
    -------
    Series of str
        Indexed by `item_id`; the empty text where every field is empty.

    Raises
    ------
    SchemaError
        If a field is not a column of `items`.

    Notes
    -----
    Chapter 02, "Text and keywords".

    Examples
    --------
    >>> import pandas as pd
    >>> item_text(pd.DataFrame({"item_id": [7], "title": ["Tent"], "tags": ["camping"]}))[7]
    'Tent. camping'
    """
    table = validate_items(items)
    unknown = [f for f in fields if f not in table.columns]
    if unknown:
        raise SchemaError(f"items lacks the column(s) {shown(unknown)}; choose other `fields`")
    parts = zip(*(table[f].str.strip().str.rstrip(".") for f in fields), strict=True)
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
    if max_events < 1:
        raise ValueError(f"max_events must be at least 1, got {max_events}")
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
        The keywords to look for, as columns in this order. By default every word of two letters or
        more that is not an English stop word.
    min_texts : int, default 1
        Keep words that occur in at least so many texts; ignored when a vocabulary is given.

    Returns
    -------
    DataFrame of int8, shape (n_texts, n_keywords)
        Index of `texts`, columns sorted (or in the order given); empty if no word is left.

    Raises
    ------
    TypeError
        If `texts` is not a Series.

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
    counts, words = _count_words(_check_texts(texts), vocabulary, min_texts)
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
    ValueError
        If the indices differ.

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
    ValueError
        If the indices differ.

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
    _check_texts(texts)
    for name, other in (("labels", labels), ("weights", weights)):
        if other is not None and not other.index.equals(texts.index):
            raise ValueError(f"{name} and texts must have the same index; use {name}.reindex(...)")
    times = np.ones(len(texts)) if weights is None else weights.to_numpy(dtype=float)
    groups, code = np.unique(labels.to_numpy(), return_inverse=True)
    codes, distinct = pd.factorize(texts)
    counts, words = _count_words(pd.Series(distinct, dtype="str"), None, 1)
    shape = (len(groups), len(distinct))
    per_group = sparse.csr_matrix((times, (code, codes)), shape=shape) @ counts
    keep = groups != -1
    table = np.asarray(per_group[keep].todense(), dtype=float)
    return pd.Index(groups[keep], name=labels.name), table, words


def _check_texts(texts: pd.Series) -> pd.Series:
    if not isinstance(texts, pd.Series):
        raise TypeError(f"texts must be a pandas Series, got {type(texts).__name__}")
    return texts.fillna("")


def _count_words(
    texts: pd.Series, vocabulary: Sequence[str] | None, min_texts: int
) -> tuple[sparse.csr_matrix, np.ndarray]:
    counter = CountVectorizer(
        # Words, also with a hyphen (sci-fi), but neither years nor other numbers.
        token_pattern=r"(?u)\b[^\W\d_]{2,}(?:-[^\W\d_]+)*\b",
        stop_words=None if vocabulary is not None else sorted(ENGLISH_STOP_WORDS),
        vocabulary=None if vocabulary is None else [v.lower() for v in vocabulary],
        min_df=min_texts,
    )
    try:
        counts = counter.fit_transform(texts)
    except ValueError as error:
        if "vocabulary" not in str(error) and "terms remain" not in str(error):
            raise
        return sparse.csr_matrix((len(texts), 0)), np.array([], dtype=object)
    names = counter.get_feature_names_out() if vocabulary is None else np.array(vocabulary, object)
    return counts, names


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
