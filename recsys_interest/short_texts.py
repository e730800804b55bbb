"""The recipe for clusters of short texts: meaning and words, smoothed, classified again and again.

Chapter: 10 (choosing and naming clusters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from recsys_interest.checks import check_count, check_positive, check_share, shown
from recsys_interest.clusters import InterestClusterer
from recsys_interest.iterative_classification import IterativeClassification
from recsys_interest.neighbour_smoothing import NeighbourSmoothing
from recsys_interest.text_checks import as_texts
from recsys_interest.tokens import WordAnalyzer
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["join_words", "short_text_clusterer"]


def join_words(
    vectors: pd.DataFrame,
    texts: pd.Series,
    *,
    weight: float = 0.5,
    n_components: int = 100,
    min_texts: int = 5,
    max_share: float = 0.1,
    analyzer: Callable[[str], Iterable[str]] | None = None,
    random_state: int = 0,
) -> pd.DataFrame:
    r"""Put what the words say beside what the language model says.

    The words are counted, weighed by :math:`(1 + \log \mathrm{tf}) \cdot \mathrm{idf}` and reduced
    by a singular value decomposition to `n_components` numbers a text, :math:`\ell` (latent
    semantic analysis). With the vector :math:`v` of the language model the result is

    .. math:: z = \Bigl( \frac{v}{\lVert v \rVert} ,\; w \frac{\ell}{\lVert \ell \rVert} \Bigr),
        \qquad
        \cos(z, z') = \frac{\cos(v, v') + w^2 \cos(\ell, \ell')}{1 + w^2} .

    A name that the language model has hardly seen, such as that of a program, is a word like any
    other to the second part.

    Parameters
    ----------
    vectors : DataFrame, shape (n_texts, n_features)
        From an encoder, indexed by id.
    texts : Series of str
        The texts, with an entry for every id of `vectors`.
    weight : float, default 0.5
        :math:`w`, the length of the words' part; 0 leaves the words out.
    n_components : int, default 100
        Numbers a text for its words. Fewer words than that are taken as they are.
    min_texts : int, default 5
        Only words that occur in at least so many texts.
    max_share : float, default 0.1
        Only words that occur in at most this share of the texts.
    analyzer : callable, optional
        Text to words, `WordAnalyzer` by default.
    random_state : int, default 0
        Seed of the start of the decomposition.

    Returns
    -------
    DataFrame of float32
        Indexed by id, sorted; the columns of `vectors`, as text, then ``word_0``, ``word_1`` and so
        on. The part of the words is zero for a text without any.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If an id has no text or two, or a number is out of range.

    Notes
    -----
    Deerwester et al. (1990), "Indexing by latent semantic analysis". Chapter 10, "Choosing and
    naming clusters".

    Examples
    --------
    >>> vectors = pd.DataFrame({"x": [3.0, 0.0, 1.0], "y": [4.0, 2.0, 0.0]}, index=["a", "b", "c"])
    >>> texts = pd.Series(["red apple", "red car", "green apple"], index=["a", "b", "c"])
    >>> joined = join_words(vectors, texts, n_components=2, min_texts=2, max_share=0.9)
    >>> joined.loc["a"].astype(float).round(1).tolist()
    [0.6, 0.8, 0.4, 0.4]
    """
    given = check_vectors(vectors, "vectors")
    words = _texts_of(texts, given.index)
    for name, number in (("n_components", n_components), ("min_texts", min_texts)):
        check_count(number, name)
    check_positive(weight, "weight", zero=True)
    check_share(max_share, "max_share")
    find = WordAnalyzer() if analyzer is None else analyzer
    latent = _latent(words, n_components, min_texts, max_share, find, random_state)
    part = (weight * unit_rows(latent)).astype(np.float32)
    rows = np.hstack([unit_rows(given.to_numpy()), part])
    # Text, for scikit-learn takes no names of two kinds.
    names = [*map(str, given.columns), *(f"word_{i}" for i in range(latent.shape[1]))]
    return pd.DataFrame(rows, index=given.index, columns=names)


def short_text_clusterer(
    n_clusters: int,
    *,
    n_neighbors: int = 10,
    n_components: int = 50,
    random_state: Any = None,
) -> InterestClusterer:
    """Return the clusterer that was best on labelled short texts.

    Every vector is averaged twice over its neighbours, reduced by principal components and scaled
    to length one again. K-means makes a start, and a classifier trained on the typical rows of each
    cluster places all rows anew until they stay.

    Parameters
    ----------
    n_clusters : int
        Number of clusters.
    n_neighbors : int, default 10
        Neighbours to average over.
    n_components : int, default 50
        Principal components to keep; no more than there are rows or features.
    random_state : int, RandomState or None, default None
        Seed of all parts.

    Returns
    -------
    InterestClusterer
        Unfitted. Give it the vectors of an encoder, or better those of `join_words`.

    Notes
    -----
    The steps and their settings are the same for all data. They were compared by their accuracy on
    the three labelled sets of ``python -m benchmarks cluster_quality``, so the figures there
    flatter them; two sets that had no part in it are measured beside them. Chapter 10, "Choosing
    and naming clusters".

    Rows: C06, Q09.

    Examples
    --------
    >>> rows = np.repeat([[1.0, 0.0], [0.0, 1.0]], 20, axis=0) + np.arange(40)[:, None] / 400
    >>> model = short_text_clusterer(2, n_components=2, random_state=0).fit(rows)
    >>> bool(model.labels_[0] == model.labels_[39]), model.n_clusters_
    (False, 2)
    """
    return InterestClusterer(
        IterativeClassification(n_clusters),
        make_pipeline(NeighbourSmoothing(n_neighbors), PCA(n_components), Normalizer()),
        random_state=random_state,
    )


def _texts_of(texts: object, ids: pd.Index) -> pd.Series:
    if not isinstance(texts, pd.Series):
        raise TypeError(f"texts must be a Series indexed by id, got {type(texts).__name__}")
    if texts.index.has_duplicates:
        twice = shown(texts.index[texts.index.duplicated()])
        raise ValueError(f"texts has the id(s) {twice} twice; keep one text each")
    lost = ids.difference(texts.index)
    if len(lost):
        raise ValueError(f"texts lacks the id(s) {shown(lost)} of vectors; use '' for no text")
    return as_texts(texts.reindex(ids), "texts", TypeError)


def _latent(
    texts: pd.Series,
    n_components: int,
    min_texts: int,
    max_share: float,
    analyzer: Callable[[str], Iterable[str]],
    random_state: int,
) -> np.ndarray:
    """Return the latent semantic vectors, without columns if no word is left."""
    counter = TfidfVectorizer(
        analyzer=analyzer, min_df=min_texts, max_df=max_share, sublinear_tf=True
    )
    try:
        weights = counter.fit_transform(texts)
    except ValueError as error:
        if not any(w in str(error) for w in ("empty vocabulary", "no terms", "max_df")):
            raise
        return np.zeros((len(texts), 0))
    if weights.shape[1] <= n_components:
        return np.asarray(weights.todense())
    width = min(n_components, min(weights.shape) - 1)
    # ARPACK starts from a seeded vector and is exact; the faster randomized one is neither.
    reducer = TruncatedSVD(width, algorithm="arpack", random_state=random_state)
    return np.asarray(reducer.fit_transform(weights))
