"""Short distinct names for clusters, and a test of whether the names and the clusters fit.

Chapter: 10 (choosing and naming clusters).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import check_count, shown
from recsys_interest.tokens import HAN_RUN
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["intruder_test", "name_clusters"]

SEPARATOR = " · "


def name_clusters(keywords: pd.Series, *, n_words: int = 3) -> pd.Series:
    """Return a short name for each cluster, no two alike.

    A name is the first words of the list that say something new: a form of a word that is there
    already (recipe, recipes) and a Chinese n-gram that overlaps one (机器, 器学) are passed over.
    Clusters whose names would hold the same words get further words until they differ, and a number
    where the words run out.

    Parameters
    ----------
    keywords : Series of list of str
        The words of each cluster, the most telling first, indexed by cluster: from
        `distinctive_words` or `class_tfidf`. The lists should be longer than `n_words`.
    n_words : int, default 3
        How many words a name has where that is enough.

    Returns
    -------
    Series of str
        Same index. A cluster without words is called by its number.

    Raises
    ------
    TypeError
        If `keywords` is not a Series of lists of text.
    ValueError
        If `n_words` is below 1 or the index has duplicates.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters".

    Rows: C11.

    Examples
    --------
    >>> words = pd.Series([["recipe", "recipes", "salt"], ["chess", "pawn"], ["pawn", "chess"]])
    >>> name_clusters(words, n_words=2).tolist()
    ['recipe · salt', 'chess · pawn (1)', 'pawn · chess (2)']
    """
    n_words = check_count(n_words, "n_words")
    lists = _word_lists(keywords, "keywords").map(_without_repeats)
    length = pd.Series(n_words, index=lists.index)
    longest = max((len(words) for words in lists), default=0)
    for _ in range(longest):
        again = _alike(lists, length)
        if not again.any():
            break
        length[again] += 1
    names = [
        SEPARATOR.join(words[:n]) or f"cluster {label}"
        for (label, words), n in zip(lists.items(), length, strict=True)
    ]
    numbered = _alike(lists, length)
    out = pd.Series(names, index=keywords.index, dtype="str", name="name")
    out[numbered] = [f"{name} ({label})" for label, name in out[numbered].items()]
    return out


def intruder_test(
    members: pd.Series,
    encoder: Any,
    *,
    names: pd.Series | None = None,
    n_shown: int = 5,
    n_rounds: int = 50,
    random_state: int = 0,
) -> pd.DataFrame:
    r"""Measure how often a judge finds the one text that was smuggled into a cluster.

    Every round shows `n_shown` texts of one cluster and one of another cluster, the intruder. The
    judge is the encoder: it picks the text whose mean cosine to the other texts shown is lowest,

    .. math:: \hat\imath = \arg\min_i \frac{1}{n} \sum_{j \ne i} \cos(v_i, v_j) ,

    or, with `names`, the text whose cosine to the cluster's name is lowest. The first says whether
    the members belong together, the second whether the name fits them. Guessing finds the intruder
    once in ``n_shown + 1`` rounds.

    Parameters
    ----------
    members : Series of list of str
        What to show of each cluster, indexed by cluster: its keywords, or the texts of its items.
    encoder : object
        Has ``transform(texts)``, which returns one vector per text, such as `TextEncoder`. One that
        has to learn first, such as `WordVectors`, and has not yet, learns from the texts shown.
    names : Series of str, optional
        Names of the clusters of `members`, indexed by cluster.
    n_shown : int, default 5
        How many members to show; all of them if a cluster has fewer.
    n_rounds : int, default 50
        Rounds per cluster.
    random_state : int, default 0
        Seed of the draws.

    Returns
    -------
    DataFrame
        Indexed by cluster: `found`, the share of the rounds in which the intruder was picked (of
        several that are equally far, each gets its share), and `chance`, what guessing would find.
        Both are NaN for a cluster with fewer than two members (one, with `names`), or if no other
        cluster has a text that is not among its own.

    Raises
    ------
    TypeError
        If `members` is not a Series of lists of text, `names` not a Series of text, or the encoder
        has no `transform`.
    ValueError
        If a number is too small, an index has duplicates, or a cluster has no name.

    Notes
    -----
    Chang et al. (2009), "Reading tea leaves: how humans interpret topic models", let people judge;
    Lau, Newman and Baldwin (2014), "Machine reading tea leaves", a program. An encoder is a proxy
    for a reader: it may be blind where it was blind when it made the clusters, so judge with
    another one where you can. Chapter 10, "Choosing and naming clusters".

    Rows: C11.

    Examples
    --------
    >>> from sklearn.decomposition import TruncatedSVD
    >>> from sklearn.feature_extraction.text import CountVectorizer
    >>> from sklearn.pipeline import make_pipeline
    >>> counts = make_pipeline(CountVectorizer(), TruncatedSVD(3, random_state=0))
    >>> members = pd.Series([["red apple", "apple pie", "ripe apple"], ["pawn move", "pawn end"]])
    >>> intruder_test(members, counts)["found"].tolist()
    [1.0, 1.0]
    """
    n_shown, n_rounds = check_count(n_shown, "n_shown"), check_count(n_rounds, "n_rounds")
    lists = _word_lists(members, "members").map(lambda texts: sorted(set(texts)))
    labels = None if names is None else _names(names, lists.index)
    unit = _unit_vectors(lists, labels, encoder)
    rng = np.random.default_rng(random_state)
    rows = {}
    for label in sorted(lists.index):
        mine, others = lists[label], _others(lists, label)
        if len(mine) < (2 if labels is None else 1) or not others:
            rows[label] = (np.nan, np.nan)
            continue
        found = [
            _picked(unit.loc[_drawn(mine, others, n_shown, rng)], unit, labels, label)
            for _ in range(n_rounds)
        ]
        rows[label] = (float(np.mean(found)), 1 / (min(n_shown, len(mine)) + 1))
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["found", "chance"], dtype=float)
    return table.reindex(members.index).rename_axis(index=members.index.name)


def _others(lists: pd.Series, label: Any) -> list[list[str]]:
    """Return the texts of the other clusters that are not in this one, cluster by cluster."""
    mine = set(lists[label])
    rest = [[t for t in lists[other] if t not in mine] for other in sorted(lists.index.drop(label))]
    return [texts for texts in rest if texts]


def _drawn(
    mine: list[str], others: list[list[str]], n_shown: int, rng: np.random.Generator
) -> list[str]:
    """Return the texts of one round, the intruder last."""
    texts = others[rng.integers(len(others))]
    picked = rng.choice(len(mine), min(n_shown, len(mine)), replace=False)
    return [*(mine[i] for i in picked), texts[rng.integers(len(texts))]]


def _picked(
    shown_rows: pd.DataFrame, unit: pd.DataFrame, names: pd.Series | None, label: Any
) -> float:
    """Return 1 if the last row is the farthest, its share if others are as far, and else 0."""
    rows = shown_rows.to_numpy()
    if names is None:
        cosine = rows @ rows.T
        score = (cosine.sum(axis=1) - np.diag(cosine)) / (len(rows) - 1)
    else:
        score = rows @ unit.loc[names[label]].to_numpy()
    farthest = np.isclose(score, score.min(), rtol=0, atol=1e-6)
    return float(farthest[-1]) / farthest.sum()


def _unit_vectors(lists: pd.Series, names: pd.Series | None, encoder: Any) -> pd.DataFrame:
    """Return one unit vector for every distinct text, indexed by text."""
    if not hasattr(encoder, "transform") or isinstance(encoder, type):
        raise TypeError(f"encoder must have transform(texts), got {encoder!r}")
    texts = {t for words in lists for t in words} | (set() if names is None else set(names))
    distinct = pd.Series(sorted(texts), dtype="str")
    if distinct.empty:
        return pd.DataFrame()
    vectors = check_vectors(
        pd.DataFrame(np.asarray(_ready(encoder, distinct).transform(distinct))),
        "encoder.transform(texts)",
    )
    return pd.DataFrame(unit_rows(vectors.to_numpy(dtype=np.float64)), index=distinct)


def _ready(encoder: Any, texts: pd.Series) -> Any:
    if not hasattr(encoder, "fit"):
        return encoder
    try:
        check_is_fitted(encoder)
    except NotFittedError:
        return clone(encoder).fit(texts)
    return encoder


def _names(names: object, index: pd.Index) -> pd.Series:
    if not isinstance(names, pd.Series) or not all(isinstance(v, str) for v in names):
        raise TypeError("names must be a Series of text, indexed by cluster")
    if names.index.has_duplicates:
        raise ValueError(
            f"names has clusters twice: {shown(names.index[names.index.duplicated()])}"
        )
    unnamed = index.difference(names.index)
    if len(unnamed):
        raise ValueError(f"names lacks the cluster(s) {shown(unnamed)}; give each of members one")
    return names


def _word_lists(lists: object, name: str) -> pd.Series:
    fits = isinstance(lists, pd.Series) and all(
        isinstance(words, (list, tuple)) and all(isinstance(w, str) for w in words)
        for words in lists
    )
    if not isinstance(lists, pd.Series) or not fits:
        raise TypeError(
            f"{name} must be a Series of lists of text, indexed by cluster, as distinctive_words "
            f"returns it"
        )
    if lists.index.has_duplicates:
        twice = shown(lists.index[lists.index.duplicated()])
        raise ValueError(f"{name} has clusters twice: {twice}; keep one list each")
    return lists


def _alike(lists: pd.Series, length: pd.Series) -> pd.Series:
    """Return which clusters would have a name of the same words as another's."""
    sets = [frozenset(words[:n]) for words, n in zip(lists, length, strict=True)]
    named = pd.Series(sets, index=lists.index, dtype=object)
    return named.duplicated(keep=False) & named.map(bool).astype(bool)


def _without_repeats(words: list[str]) -> list[str]:
    kept: list[str] = []
    for word in words:
        if not any(_repeats(word, other) for other in kept):
            kept.append(word)
    return kept


def _repeats(word: str, other: str) -> bool:
    if HAN_RUN.fullmatch(word) and HAN_RUN.fullmatch(other):
        return _overlap(word, other) or _overlap(other, word) or word in other or other in word
    short, long = sorted((word, other), key=len)
    return long.startswith(short) and len(long) - len(short) <= 2


def _overlap(left: str, right: str) -> bool:
    return any(left.endswith(right[:n]) for n in range(1, len(right)))
