"""Word vectors that are learned from the texts themselves, by counting which words meet.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Self

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer

from recsys_interest.checks import check_count
from recsys_interest.tokens import WordAnalyzer
from recsys_interest.word_means import WordMeans, distinct_texts

__all__ = ["WordVectors"]


class WordVectors(WordMeans):
    r"""Texts to vectors by word vectors that are learned from the texts themselves.

    Words that occur in the same texts get similar vectors. With :math:`C_{ij}` the number of texts
    that hold both words :math:`i` and :math:`j`, the table of positive pointwise mutual information

    .. math:: M_{ij} = \max\left(0, \log \frac{P(i, j)}{P(i)\,P_\alpha(j)}\right), \qquad
        P(i, j) = \frac{C_{ij}}{\sum_{kl} C_{kl}}, \quad
        P_\alpha(j) = \frac{(\sum_k C_{kj})^\alpha}{\sum_l (\sum_k C_{kl})^\alpha}

    is cut to its largest singular values, :math:`M \approx U_d \Sigma_d V_d^\top`, and the rows of
    :math:`U_d \Sigma_d^{1/2}` are the word vectors :math:`E_j`. A text is their weighted mean
    :math:`\sum_j w_j E_j / \sum_j w_j` over its words.

    Parameters
    ----------
    n_components : int, default 128
        Length of a vector; less where there are fewer words.
    weighting : {"idf", "sif", "uniform"}, default "idf"
        Weight of a word: ``"idf"`` :math:`1 + \log\frac{1 + n}{1 + n_j}` with :math:`n_j` of the
        :math:`n` texts holding it; ``"sif"`` :math:`a / (a + p_j)` with its share :math:`p_j` of
        all words and :math:`a = 0.001`.
    n_common : int, default 1
        So many directions that all texts share are taken out of the vectors of texts.
    normalize : bool, default True
        Scale every vector to length 1, so that the dot product is the cosine.
    min_texts : int, default 2
        Words in fewer texts get no vector.
    max_words : int, default 20000
        Of the others, so many of the most frequent ones get one; bounds the memory.
    smoothing : float, default 0.75
        The :math:`\alpha` above; below 1 it makes rare words less extreme.
    analyzer : callable, optional
        Text to words, `WordAnalyzer` by default.
    random_state : int, default 0
        Seed of the truncated singular value decomposition.

    Attributes
    ----------
    word_vectors_ : DataFrame of float32, shape (n_words, n_features_out_)
        One vector per word, indexed by word, sorted.
    word_weights_ : Series of float64
        The weight of each word.
    common_ : ndarray, shape (n_common, n_features_out_)
        The directions that are taken out.
    n_features_out_ : int
        Length of a vector.

    Notes
    -----
    The factorised table is that of Levy and Goldberg (2014), "Neural word embedding as implicit
    matrix factorization", who show that word2vec factorises nearly the same one; smoothing and
    square root are from Levy, Goldberg and Dagan (2015); ``"sif"`` and the common directions are
    from Arora, Liang and Ma (2017). The window is the whole text: fit it on item
    texts, not on books. Chapter 02, "Text and keywords".

    Rows: F06.

    Examples
    --------
    >>> texts = ["red wine", "white wine", "red car", "fast car"] * 2
    >>> model = WordVectors(n_components=2, n_common=0).fit(texts)
    >>> vectors = model.transform(["white", "wine", "car", ""])
    >>> vectors.shape, bool(vectors.iloc[0] @ vectors.iloc[1] > vectors.iloc[0] @ vectors.iloc[2])
    ((4, 2), True)
    """

    def __init__(
        self,
        n_components: int = 128,
        *,
        weighting: str = "idf",
        n_common: int = 1,
        normalize: bool = True,
        min_texts: int = 2,
        max_words: int = 20_000,
        smoothing: float = 0.75,
        analyzer: Callable[[str], Iterable[str]] | None = None,
        random_state: int = 0,
    ) -> None:
        self.n_components = n_components
        self.weighting = weighting
        self.n_common = n_common
        self.normalize = normalize
        self.min_texts = min_texts
        self.max_words = max_words
        self.smoothing = smoothing
        self.analyzer = analyzer
        self.random_state = random_state

    def fit(self, X: Iterable[str | None], y: object = None) -> Self:
        """Learn the vectors of the words that occur in the texts.

        Parameters
        ----------
        X : Series, Index, list or array of str
            The texts. Equal ones count as often as they occur.
        y : ignored
            There for scikit-learn's pipelines.

        Returns
        -------
        WordVectors
            This object.

        Raises
        ------
        TypeError
            If `X` is one text, or holds things that are neither text nor missing.
        ValueError
            If a parameter has a value that does not exist, or no word is frequent enough.
        """
        self._check_parameters()
        texts, times = distinct_texts(X)
        counter = CountVectorizer(analyzer=self._analyzer())
        counts, words = _frequent(counter, texts, times, self.min_texts, self.max_words)
        self._vocabulary = {word: place for place, word in enumerate(words)}
        together = _together(counts, times)
        vectors = _factors(_ppmi(together, self.smoothing), self.n_components, self.random_state)
        self.word_vectors_ = pd.DataFrame(
            vectors.astype(np.float32), index=pd.Index(words, name="word", dtype="str")
        ).rename(columns=lambda i: f"v{i}")
        self._fit_means(counts, times)
        return self

    def _check_parameters(self) -> None:
        super()._check_parameters()
        for name in ("n_components", "min_texts", "max_words"):
            check_count(getattr(self, name), name)
        if not 0 < self.smoothing <= 1:
            raise ValueError(f"smoothing must lie in (0, 1], got {self.smoothing!r}")

    def _analyzer(self) -> Callable[[str], Iterable[str]]:
        return WordAnalyzer() if self.analyzer is None else self.analyzer

    def _count(self, texts: list[str]) -> sparse.csr_matrix:
        counter = CountVectorizer(analyzer=self._analyzer(), vocabulary=self._vocabulary)
        return counter.transform(texts)


def _frequent(
    counter: CountVectorizer, texts: list[str], times: np.ndarray, min_texts: int, max_words: int
) -> tuple[sparse.csr_matrix, list[str]]:
    """Return the counts and the words, sorted, of the words that get a vector."""
    try:
        counts = counter.fit_transform(texts).astype(float)
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        raise ValueError("the texts hold no words; give other texts or another analyzer") from None
    words = counter.get_feature_names_out()
    in_texts = (counts > 0).T @ times
    enough = np.flatnonzero(in_texts >= min_texts)
    if not len(enough):
        raise ValueError(
            f"no word occurs in {min_texts} texts; give more texts or a lower min_texts"
        )
    # A stable sort keeps the alphabetical order among equally frequent words.
    kept = np.sort(enough[np.argsort(-in_texts[enough], kind="stable")[:max_words]])
    return counts[:, kept], [str(w) for w in words[kept]]


def _together(counts: sparse.csr_matrix, times: np.ndarray) -> sparse.csr_matrix:
    present = (counts > 0).astype(float)
    together = (present.T @ present.multiply(times[:, None]).tocsr()).tolil()
    together.setdiag(0)  # a word always occurs with itself
    return together.tocsr()


def _ppmi(together: sparse.csr_matrix, smoothing: float) -> sparse.csr_matrix:
    pairs = together.tocoo()
    keep = pairs.data > 0
    i, j, n = pairs.row[keep], pairs.col[keep], pairs.data[keep]
    total = np.asarray(together.sum(axis=1)).ravel()
    context = total**smoothing
    information = np.log(n * context.sum() / (total[i] * context[j]))
    shape = together.shape
    return sparse.csr_matrix((np.maximum(information, 0), (i, j)), shape=shape)


def _factors(table: sparse.csr_matrix, n_components: int, random_state: int) -> np.ndarray:
    if not table.nnz:
        return np.zeros((table.shape[0], 1))  # no two words ever occur together
    n_components = min(n_components, *table.shape)
    svd = TruncatedSVD(n_components, random_state=random_state)
    scaled = svd.fit_transform(table)
    root = np.sqrt(svd.singular_values_)
    return np.divide(scaled, root, out=np.zeros_like(scaled), where=root > 1e-9)
