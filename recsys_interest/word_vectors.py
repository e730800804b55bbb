"""One fixed vector per word, and a text as the weighted mean of its words' vectors.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import check_count, shown
from recsys_interest.models import DEFAULT_MODEL, ModelNotFoundError, find_model
from recsys_interest.text_checks import text_series
from recsys_interest.tokens import WordAnalyzer

__all__ = ["TokenVectors", "WordVectors"]

_WEIGHTINGS = ("idf", "sif", "uniform")
_SIF = 1e-3  # Arora et al. find 1e-4 to 1e-3 to make little difference
_TABLE = "embeddings.word_embeddings.weight"


class _WordMeans(TransformerMixin, BaseEstimator):
    """What the two encoders share: counts of words in, weighted means of vectors out."""

    weighting: str
    n_common: int
    normalize: bool
    word_vectors_: pd.DataFrame
    word_weights_: pd.Series
    common_: np.ndarray

    def transform(self, X: Iterable[str | None]) -> pd.DataFrame:
        """Return one vector per text.

        Parameters
        ----------
        X : Series, Index, list or array of str
            The texts. The index of a Series is kept.

        Returns
        -------
        DataFrame of float32, shape (n_texts, n_features_out_)
            The vectors, columns `v0`, `v1`, …; zeros for a text without a known word.

        Raises
        ------
        TypeError
            If `X` is one text, or holds things that are neither text nor missing.
        """
        check_is_fitted(self)
        texts = text_series(X)
        codes, distinct = pd.factorize(texts)
        means = self._without_common(self._means(self._count(list(distinct))))
        if self.normalize:
            length = np.linalg.norm(means, axis=1, keepdims=True)
            means = np.divide(means, length, out=np.zeros_like(means), where=length > 1e-9)
        table = means.astype(np.float32)[codes]
        return pd.DataFrame(table, index=texts.index, columns=self.get_feature_names_out())

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Return the column names, `v0`, `v1` and so on.

        Parameters
        ----------
        input_features : ignored
            There for scikit-learn's pipelines.

        Returns
        -------
        ndarray of str
            One name per dimension.
        """
        return np.array([f"v{i}" for i in range(self.n_features_out_)], dtype=object)

    @property
    def n_features_out_(self) -> int:
        """Length of a vector."""
        return int(self.word_vectors_.shape[1])

    def _count(self, texts: list[str]) -> sparse.csr_matrix:
        """Return how often each word of `word_vectors_` occurs in each text."""
        raise NotImplementedError

    def _check_parameters(self) -> None:
        if self.weighting not in _WEIGHTINGS:
            raise ValueError(
                f"weighting must be one of {shown(_WEIGHTINGS)}, got {self.weighting!r}"
            )
        check_count(self.n_common, "n_common", least=0)

    def _fit_means(self, counts: sparse.csr_matrix, times: np.ndarray) -> None:
        """Learn the weights of the words, and the directions that all texts share."""
        weights = _word_weights(counts, times, self.weighting)
        self.word_weights_ = pd.Series(weights, index=self.word_vectors_.index, name="weight")
        self.common_ = np.zeros((0, self.n_features_out_))
        means = self._means(counts)
        n_common = min(self.n_common, *means.shape)
        if n_common and means.any():
            # The 2nd moment is small and symmetric, so its eigenvectors are exact and unseeded.
            moment = (means * times[:, None]).T @ means
            self.common_ = np.linalg.eigh(moment).eigenvectors[:, ::-1][:, :n_common].T

    def _means(self, counts: sparse.csr_matrix) -> np.ndarray:
        weighted = counts.multiply(self.word_weights_.to_numpy()).tocsr()
        total = np.asarray(weighted.sum(axis=1)).reshape(-1, 1)
        sums = weighted @ self.word_vectors_.to_numpy(dtype=np.float64)
        return np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)

    def _without_common(self, means: np.ndarray) -> np.ndarray:
        for direction in self.common_:
            # Row by row: a matrix product would round differently for other numbers of rows.
            means = means - np.einsum("ij,j->i", means, direction)[:, None] * direction
        return means


class WordVectors(_WordMeans):
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
        texts, times = _distinct(X)
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


class TokenVectors(_WordMeans):
    r"""Texts to vectors by the table a BERT model starts from, without running the model.

    The first layer of a BERT model looks up one vector :math:`E_j` for each token :math:`j`, the
    same in every sentence; only the layers after it read the context. This encoder stops there: a
    text is the weighted mean :math:`\sum_j w_j E_j / \sum_j w_j` over its tokens. That is what a
    pretrained word embedding gives, and what the rest of the model has to beat.

    Parameters
    ----------
    model : str or Path, default "sentence-transformers/all-MiniLM-L6-v2"
        A folder or a Hugging Face id; `recsys_interest.models.find_model` says where it is sought.
    weighting : {"idf", "sif", "uniform"}, default "idf"
        Weight of a token, learned from the texts in `fit`, as in `WordVectors`.
    n_common : int, default 1
        So many directions that all texts share are taken out of the vectors of texts.
    normalize : bool, default True
        Scale every vector to length 1, so that the dot product is the cosine.
    revision : str, optional
        Revision on the hub; pinned for the default model.
    local_files_only : bool, default False
        Never ask the hub for the model.

    Attributes
    ----------
    word_vectors_ : DataFrame of float32, shape (n_tokens, n_features_out_)
        The table of the model, indexed by token.
    word_weights_ : Series of float64
        The weight of each token.
    common_ : ndarray, shape (n_common, n_features_out_)
        The directions that are taken out.
    n_features_out_ : int
        Length of a vector.

    Notes
    -----
    ``"sif"`` and the common directions are from Arora, Liang and Ma (2017), "A simple but
    tough-to-beat baseline for sentence embeddings". The table is read from the file, torch is not
    needed. Chapter 02, "Text and keywords".

    Examples
    --------
    >>> encoder = TokenVectors(weighting="sif")
    >>> vectors = encoder.fit_transform(["a tent", "a stove"])  # doctest: +SKIP
    >>> vectors.shape  # doctest: +SKIP
    (2, 384)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        weighting: str = "idf",
        n_common: int = 1,
        normalize: bool = True,
        revision: str | None = None,
        local_files_only: bool = False,
    ) -> None:
        self.model = model
        self.weighting = weighting
        self.n_common = n_common
        self.normalize = normalize
        self.revision = revision
        self.local_files_only = local_files_only

    def fit(self, X: Iterable[str | None], y: object = None) -> Self:
        """Read the table, and learn the weights of the tokens from the texts.

        Parameters
        ----------
        X : Series, Index, list or array of str
            The texts. Equal ones count as often as they occur.
        y : ignored
            There for scikit-learn's pipelines.

        Returns
        -------
        TokenVectors
            This object.

        Raises
        ------
        ModelNotFoundError
            If the model is nowhere to be found, or has no such table.
        TypeError
            If `X` is one text, or holds things that are neither text nor missing.
        ValueError
            If a parameter has a value that does not exist.
        """
        from tokenizers import Tokenizer

        self._check_parameters()
        texts, times = _distinct(X)
        folder = find_model(
            os.fspath(self.model), revision=self.revision, local_files_only=self.local_files_only
        ).path
        if not (folder / "tokenizer.json").is_file():
            raise ModelNotFoundError(f"no tokenizer.json in {folder}; TokenVectors reads no other")
        self.tokenizer_ = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer_.no_truncation()
        self.tokenizer_.no_padding()
        table = _token_table(folder)
        tokens = [self.tokenizer_.id_to_token(i) or f"[{i}]" for i in range(len(table))]
        columns = [f"v{i}" for i in range(table.shape[1])]
        index = pd.Index(tokens, name="token", dtype="str")
        self.word_vectors_ = pd.DataFrame(table, index=index, columns=columns)
        self._fit_means(self._count(texts), times)
        return self

    def _count(self, texts: list[str]) -> sparse.csr_matrix:
        encoded = self.tokenizer_.encode_batch(texts, add_special_tokens=False)
        ids = [np.asarray(e.ids, dtype=np.int64) for e in encoded]
        ends = np.cumsum([0, *map(len, ids)])
        places = np.concatenate([*ids, np.array([], dtype=np.int64)])
        shape = (len(texts), len(self.word_vectors_))
        counts = sparse.csr_matrix((np.ones(len(places)), places, ends), shape=shape)
        counts.sum_duplicates()
        return counts


def _distinct(X: Iterable[str | None]) -> tuple[list[str], np.ndarray]:
    """Return the distinct texts, sorted, and how often each occurs: the same for any row order."""
    times = text_series(X).value_counts(sort=False).sort_index()
    return times.index.tolist(), times.to_numpy(dtype=float)


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


def _word_weights(counts: sparse.csr_matrix, times: np.ndarray, weighting: str) -> np.ndarray:
    if weighting == "uniform":
        return np.ones(counts.shape[1])
    if weighting == "idf":
        return 1 + np.log((1 + times.sum()) / (1 + (counts > 0).T @ times))
    often = counts.T @ times
    return _SIF / (_SIF + often / max(often.sum(), 1.0))


def _token_table(folder: Path) -> np.ndarray:
    """Return the table of token vectors from the weights of a model."""
    from safetensors import safe_open

    for file in sorted(folder.glob("model*.safetensors")):
        with safe_open(file, framework="np") as weights:
            found = [name for name in weights.keys() if name.endswith(_TABLE)]  # noqa: SIM118
            if found:
                table: Any = weights.get_tensor(found[0])
                return np.ascontiguousarray(table, dtype=np.float32)
    raise ModelNotFoundError(f"no table {_TABLE} in {folder}; TokenVectors needs a BERT-like model")
