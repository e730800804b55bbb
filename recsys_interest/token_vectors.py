"""Word vectors from the table a BERT model starts from, without running the model.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import sparse

from recsys_interest.models import DEFAULT_MODEL, ModelNotFoundError, find_model
from recsys_interest.word_means import WordMeans, distinct_texts

__all__ = ["TokenVectors"]

_TABLE = "embeddings.word_embeddings.weight"


class TokenVectors(WordMeans):
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
        texts, times = distinct_texts(X)
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
