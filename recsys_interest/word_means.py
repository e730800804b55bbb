"""A text as the weighted mean of the vectors of its words, whatever the vectors.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import check_count, shown
from recsys_interest.text_checks import text_series

__all__ = ["WordMeans", "distinct_texts"]

_WEIGHTINGS = ("idf", "sif", "uniform")
_SIF = 1e-3  # Arora et al. find 1e-4 to 1e-3 to make little difference


class WordMeans(TransformerMixin, BaseEstimator):
    """What encoders by word vectors share: counts of words in, weighted means of vectors out."""

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


def distinct_texts(X: Iterable[str | None]) -> tuple[list[str], np.ndarray]:
    """Return the distinct texts, sorted, and how often each occurs: the same for any row order."""
    times = text_series(X).value_counts(sort=False).sort_index()
    return times.index.tolist(), times.to_numpy(dtype=float)


def _word_weights(counts: sparse.csr_matrix, times: np.ndarray, weighting: str) -> np.ndarray:
    if weighting == "uniform":
        return np.ones(counts.shape[1])
    if weighting == "idf":
        return 1 + np.log((1 + times.sum()) / (1 + (counts > 0).T @ times))
    often = counts.T @ times
    return _SIF / (_SIF + often / max(often.sum(), 1.0))
