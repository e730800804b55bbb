"""Which words occur in which texts, and which set a group of texts apart from the others.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from recsys_interest.checks import check_count, shown
from recsys_interest.text_checks import as_texts, check_beside, word_list
from recsys_interest.tokens import HAN_RUN, WordAnalyzer

__all__ = ["class_tfidf", "distinctive_words", "keyword_matrix"]

Analyzer = Callable[[str], Iterable[str]]


def keyword_matrix(
    texts: pd.Series,
    *,
    vocabulary: Sequence[str] | None = None,
    min_texts: int = 1,
    analyzer: Analyzer | None = None,
) -> pd.DataFrame:
    """Return which keyword occurs in which text, as a 0/1 table.

    Parameters
    ----------
    texts : Series of str
        One text per row, any index.
    vocabulary : sequence of str, optional
        The keywords to look for, in any case, as columns in this order; Chinese ones are found
        inside a run of Chinese characters. By default every word that `analyzer` finds.
    min_texts : int, default 1
        Keep words that occur in at least so many texts; ignored when a vocabulary is given.
    analyzer : callable, optional
        Text to words, `WordAnalyzer` by default: English and Chinese words without stop words.

    Returns
    -------
    DataFrame of int8, shape (n_texts, n_keywords)
        Index of `texts`, columns sorted (or in the order given); empty if no word is left.

    Raises
    ------
    TypeError
        If `texts` is not a Series of text, or `vocabulary` not a list of words.
    ValueError
        If `min_texts` is below 1, or `vocabulary` holds a word twice or one that `analyzer` would
        never find.

    Notes
    -----
    Chapter 02, "Text and keywords".

    Rows: F04.

    Examples
    --------
    >>> import pandas as pd
    >>> texts = pd.Series(["Python code", "the code"], index=["ann", "bob"])
    >>> keyword_matrix(texts).loc["bob"].to_dict()
    {'code': 1, 'python': 0}
    >>> keyword_matrix(pd.Series(["我写Python代码"]), vocabulary=["代码"]).iloc[0].to_dict()
    {'代码': 1}
    """
    min_texts = check_count(min_texts, "min_texts")
    wanted = None
    if vocabulary is not None:
        wanted = word_list(vocabulary)
        analyzer = _finder(wanted) if analyzer is None else analyzer
        _check_vocabulary(wanted, analyzer)
    counts, words = _count_words(_check_texts(texts), wanted, min_texts, analyzer)
    present = (counts > 0).astype(np.int8).toarray()
    return pd.DataFrame(present, index=texts.index, columns=words)


def class_tfidf(
    texts: pd.Series,
    labels: pd.Series,
    *,
    weights: pd.Series | None = None,
    top: int = 5,
    analyzer: Analyzer | None = None,
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
    analyzer : callable, optional
        Text to words, `WordAnalyzer` by default.

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
    groups, counts, words = _words_per_group(texts, labels, weights, analyzer)
    lists = [_top_words(row, words, top) for row in _class_weights(counts)]
    return pd.Series(lists, index=groups, dtype=object, name="keywords")


def distinctive_words(
    texts: pd.Series,
    labels: pd.Series,
    *,
    weights: pd.Series | None = None,
    top: int = 5,
    analyzer: Analyzer | None = None,
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
    analyzer : callable, optional
        Text to words, `WordAnalyzer` by default.

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
    groups, counts, words = _words_per_group(texts, labels, weights, analyzer)
    share = _shares(counts)
    overall = _shares(counts.sum(axis=0, keepdims=True))
    ratio = np.divide(share, overall, out=np.ones_like(share), where=share > 0)
    lists = [_top_words(row, words, top) for row in share * np.log(ratio)]
    return pd.Series(lists, index=groups, dtype=object, name="keywords")


def _words_per_group(
    texts: pd.Series, labels: pd.Series, weights: pd.Series | None, analyzer: Analyzer | None
) -> tuple[pd.Index, np.ndarray, np.ndarray]:
    """Return the groups, the table (n_groups, n_words) of counts, and the words, sorted."""
    texts = _check_texts(texts)
    groups, code = _groups(labels, texts.index)
    times = np.ones(len(texts)) if weights is None else _times(weights, texts.index)
    codes, distinct = pd.factorize(texts)
    counts, words = _count_words(pd.Series(distinct, dtype="str"), None, 1, analyzer)
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


def _finder(vocabulary: list[str]) -> WordAnalyzer:
    """Return an analyzer whose n-grams reach every Chinese word, stop words included."""
    lengths = [len(run) for word in vocabulary for run in HAN_RUN.findall(word)]
    ngrams = (min(lengths), max(lengths)) if lengths else (2, 3)
    return WordAnalyzer(ngrams=ngrams, stop_words=())


def _check_vocabulary(words: list[str], analyzer: Analyzer) -> None:
    never = [w for w in words if w.lower() not in analyzer(w)]
    if never:
        raise ValueError(
            f"vocabulary holds what is never found: {shown(never)}; a keyword is one word of two "
            f"letters or more, without spaces, digits or signs other than a hyphen inside"
        )
    lower = pd.Series([w.lower() for w in words], dtype="str")
    if lower.duplicated().any():
        twice = [w for w, t in zip(words, lower.duplicated(keep=False), strict=True) if t]
        raise ValueError(f"vocabulary holds the same word twice: {shown(twice)}; case is ignored")


def _count_words(
    texts: pd.Series, vocabulary: list[str] | None, min_texts: int, analyzer: Analyzer | None
) -> tuple[sparse.csr_matrix, np.ndarray]:
    nothing = sparse.csr_matrix((len(texts), 0)), np.array([], dtype=object)
    if vocabulary == [] or (vocabulary is None and min_texts > len(texts)):
        return nothing
    analyzer = WordAnalyzer() if analyzer is None else analyzer
    if vocabulary is not None:
        lower = [v.lower() for v in vocabulary]
        counter = CountVectorizer(analyzer=analyzer, vocabulary=lower)
        return counter.transform(texts), np.array(vocabulary, dtype=object)
    counter = CountVectorizer(analyzer=analyzer, min_df=min_texts)
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
