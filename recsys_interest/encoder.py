"""Turn texts into vectors with a language model: each distinct text once, in batches without waste.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from tqdm.auto import tqdm

from recsys_interest.batches import WindowMerge, batches, distinct_texts, halving
from recsys_interest.checks import shown
from recsys_interest.dataset_files import cache_folder
from recsys_interest.models import DEFAULT_MODEL, find_model, fingerprint
from recsys_interest.vector_cache import VectorCache
from recsys_interest.vectors import unit_rows

__all__ = ["TextEncoder"]

logger = logging.getLogger(__name__)

_CHOICES = {
    "pooling": ("mean", "cls", "last", "max"),
    "long_text": ("truncate", "windows"),
    "dtype": ("float32", "bfloat16", "auto"),
}
# Texts that are tokenised at one time: their tokens are all that grows with it.
_CHUNK = 8192

_WRITE_EVERY = 1.0  # seconds between two writes to the cache

Floats = NDArray[np.float32]


class TextEncoder(TransformerMixin, BaseEstimator):
    r"""Texts to vectors with a language model such as BERT.

    The model turns the tokens of a text into one state each,
    :math:`h_1, \dots, h_T \in \mathbb{R}^d`; `pooling` makes one vector of them. Mean pooling is

    .. math:: v = \frac{1}{T} \sum_{t=1}^{T} h_t .

    Texts are never padded, so a vector does not depend on the texts encoded beside it. Equal texts
    are encoded once. A text that is missing or blank has no meaning to encode and becomes the zero
    vector.

    Parameters
    ----------
    model : str or Path, default "sentence-transformers/all-MiniLM-L6-v2"
        A folder or a Hugging Face id; `recsys_interest.models.find_model` says where it is sought.
        Of an encoder–decoder such as T5, the encoder is used.
    revision : str, optional
        Revision on the hub; pinned for the default model.
    pooling : {"mean", "cls", "last", "max"}, default "mean"
        How the token states become one vector: their mean, the first, the last, the largest value
        of each dimension. The first token of a decoder such as GPT has seen no other token.
    normalize : bool, default True
        Scale every vector to length 1, so that the dot product is the cosine.
    prompt : str, default ""
        Put before every text, for models that were trained with one: ``"passage: "`` for E5.
    max_tokens : int, optional
        The most tokens of a text; by default, and at most, what the model was built for.
    long_text : {"truncate", "windows"}, default "truncate"
        Of a longer text, encode the beginning; or encode it window by window and take the mean of
        the windows, each with the weight of its tokens (for ``pooling="max"``, the largest).
    dtype : {"float32", "bfloat16", "auto"}, default "float32"
        Arithmetic of the model; the vectors returned are float32 either way. ``"auto"`` is bfloat16
        where the processor or GPU is faster with it: several times the speed, and vectors that
        differ in the third or fourth digit between machines. float32 is the default because the
        same call should mean the same everywhere.
    batch_tokens : int, default 4096
        Tokens per batch: bounds the memory, whatever the lengths.
    device : str, optional
        For example ``"cpu"`` or ``"cuda"``; by default a GPU if there is one.
    cache : str, Path or VectorCache, optional
        Keep vectors on disk and do not compute them again: a file, or ``"default"`` for one in the
        user's cache folder (or in ``RECSYS_INTEREST_CACHE``). By default nothing is kept. A vector
        is found by the content of the model's files, the settings, and the text.
    local_files_only : bool, default False
        Never ask the hub for the model.
    progress : bool, default True
        Show a progress bar when it takes longer than two seconds.

    Attributes
    ----------
    model_, tokenizer_
        The network and tokeniser, as the transformers library loads them.
    files_ : ModelFiles
        The folder the model was read from, and where it was found.
    dtype_, device_ : str
        What is computed with, and where.
    n_features_out_ : int
        Length of a vector.
    n_truncated_ : int
        Distinct texts that were cut in the last call of `transform`.

    Notes
    -----
    Mean pooling of a model trained on sentence pairs: Reimers and Gurevych (2019), "Sentence-BERT".
    BERT and its relatives run through `recsys_interest.packed_bert`, after a comparison with the
    library's own forward pass; every other architecture runs through the library's.
    Chapter 03, "BERT features".

    Rows: F08, H01, K01, K05.

    Examples
    --------
    >>> encoder = TextEncoder(pooling="mean")
    >>> encoder.get_params()["pooling"]
    'mean'
    >>> vectors = encoder.transform(["a tent", "a stove"])  # doctest: +SKIP
    >>> vectors.shape  # doctest: +SKIP
    (2, 384)
    """

    def __init__(
        self,
        model: str | os.PathLike[str] = DEFAULT_MODEL,
        *,
        revision: str | None = None,
        pooling: str = "mean",
        normalize: bool = True,
        prompt: str = "",
        max_tokens: int | None = None,
        long_text: str = "truncate",
        dtype: str = "float32",
        batch_tokens: int = 4096,
        device: str | None = None,
        cache: str | os.PathLike[str] | VectorCache | None = None,
        local_files_only: bool = False,
        progress: bool = True,
    ) -> None:
        self.model = model
        self.revision = revision
        self.pooling = pooling
        self.normalize = normalize
        self.prompt = prompt
        self.max_tokens = max_tokens
        self.long_text = long_text
        self.dtype = dtype
        self.batch_tokens = batch_tokens
        self.device = device
        self.cache = cache
        self.local_files_only = local_files_only
        self.progress = progress

    def fit(self, X: object = None, y: object = None) -> Self:
        """Load the model; nothing is learned from `X`.

        Parameters
        ----------
        X, y : ignored
            There for scikit-learn's pipelines.

        Returns
        -------
        TextEncoder
            This object.

        Raises
        ------
        ModelNotFoundError
            If the model is nowhere to be found.
        TypeError
            If `model` is neither text nor a path.
        ValueError
            If a parameter has a value that does not exist or does not suit the model, or the device
            is not there.
        """
        self._check_parameters()
        from recsys_interest.language_model import best_dtype, load_model, usable_device

        self.device_ = usable_device(self.device)
        self.dtype_ = best_dtype(self.device_) if self.dtype == "auto" else self.dtype
        self.files_ = find_model(
            os.fspath(self.model), revision=self.revision, local_files_only=self.local_files_only
        )
        self._language_model = load_model(self.files_, self.dtype_, self.device_)
        self.model_ = self._language_model.network
        self.tokenizer_ = self._language_model.tokenizer
        self.n_features_out_ = self._language_model.width
        if self.pooling == "cls" and self._language_model.is_causal():
            raise ValueError(
                f"pooling='cls' takes the first token, which in a {self.model_.config.model_type} "
                f"model has seen no other token; use pooling='last' or 'mean'"
            )
        return self

    def transform(self, X: Iterable[str | None], *, prompt: str | None = None) -> pd.DataFrame:
        """Return one vector per text.

        Parameters
        ----------
        X : Series, Index, list or array of str
            The texts. The index of a Series is kept.
        prompt : str, optional
            Instead of the encoder's own `prompt`, for example ``"query: "``.

        Returns
        -------
        DataFrame of float32, shape (n_texts, n_features_out_)
            The vectors, columns `v0`, `v1`, …

        Raises
        ------
        TypeError
            If `X` is one text, or holds things that are neither text nor missing.
        MemoryError
            If not even a single text fits into memory.
        """
        self._check_parameters()
        if not hasattr(self, "_language_model"):
            self.fit()
        codes, texts, index = distinct_texts(X)
        prompt = self.prompt if prompt is None else prompt
        # One row of zeros at the end serves the blank texts, whose code is −1.
        table = np.zeros((len(texts) + 1, self.n_features_out_), dtype=np.float32)
        self._encode_into(table, [prompt + text for text in texts])
        if self.normalize:
            for start in range(0, len(table), _CHUNK):
                table[start : start + _CHUNK] = unit_rows(table[start : start + _CHUNK])
        each_once = len(codes) == len(texts) and (codes == np.arange(len(codes))).all()
        values = table[:-1] if each_once else table[codes]
        return pd.DataFrame(values, index=index, columns=self.get_feature_names_out(), copy=False)

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

    def __sklearn_is_fitted__(self) -> bool:
        return True  # `transform` loads the model by itself when it has to

    def _check_parameters(self) -> None:
        if not isinstance(self.model, (str, os.PathLike)):
            raise TypeError(f"model must be the name of a model or a folder, got {self.model!r}")
        if not isinstance(self.prompt, str):
            raise TypeError(f"prompt must be text, got {self.prompt!r}")
        if not isinstance(self.cache, (str, os.PathLike, VectorCache, type(None))):
            raise TypeError(f"cache must be a file, 'default' or a VectorCache, got {self.cache!r}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be one of {shown(allowed)}, got {getattr(self, name)!r}"
                )
        for name in ("batch_tokens", "max_tokens"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} must be a positive whole number, got {value!r}")

    def _encode_into(self, table: Floats, texts: list[str]) -> None:
        """Fill the rows of `table` with the vectors of the texts."""
        self.n_truncated_ = 0
        store = self._store()
        missing = np.flatnonzero(~store.read(table[: len(texts)], texts))
        # By length and then by the text itself: the same batches for any order of the rows, with
        # little waste, and the batch that needs most memory first.
        order = sorted(missing.tolist(), key=lambda i: (-len(texts[i]), texts[i]))
        try:
            with tqdm(total=len(texts), desc="encoding", delay=2, disable=not self.progress) as bar:
                bar.update(len(texts) - len(order))
                for start in range(0, len(order), _CHUNK):
                    where = np.array(order[start : start + _CHUNK])
                    self._encode_chunk(table, where, [texts[i] for i in where], store, bar)
        finally:
            store.flush()  # what is computed stays computed, whatever ended the call
        self.n_truncated_ += store.n_cut
        if self.n_truncated_:
            logger.info("%d text(s) were cut", self.n_truncated_)

    def _encode_chunk(
        self, table: Floats, where: np.ndarray, texts: list[str], store: _Store, bar: Any
    ) -> None:
        model, windows = self._language_model, self.long_text == "windows"
        tokens = model.tokenize(texts, self._limit(), windows=windows)
        self.n_truncated_ += int(tokens.cut.sum())
        lengths = [len(row) for row in tokens.rows]
        order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
        merge = WindowMerge(tokens, self.pooling) if windows else None
        for batch in batches(order, lengths, self.batch_tokens):
            vectors = halving(model, [tokens.rows[i] for i in batch], self.pooling)
            if merge is not None:
                merge.add(table, where, batch, vectors)
            else:
                done = tokens.owner[batch]
                table[where[done]] = vectors
                store.write([texts[i] for i in done], vectors, tokens.cut[done])
            bar.update(len(batch) * len(texts) / len(lengths))
        if windows:
            store.write(texts, table[where], tokens.cut)

    def _limit(self) -> int:
        return min(self.max_tokens or self._language_model.limit, self._language_model.limit)

    def _store(self) -> _Store:
        if self.cache is None:
            return _Store(None, "")
        if not self._language_model.as_loaded():
            logger.warning("the model was trained since it was loaded: the cache is not used")
            return _Store(None, "")
        settings = (self.pooling, self._limit(), self.long_text, self.dtype_, self.device_)
        told = json.dumps([1, fingerprint(self.files_.path), *settings])
        if isinstance(self.cache, VectorCache):
            return _Store(self.cache, told)
        named = cache_folder() / "vectors.sqlite" if self.cache == "default" else self.cache
        # Kept between calls, because it knows what it has read.
        opened: VectorCache | None = getattr(self, "_opened", None)
        if opened is None or opened.path != Path(named):
            opened = self._opened = VectorCache(named)
        return _Store(opened, told)


class _Store:
    """A cache seen from one encoder: texts instead of keys, and nothing at all for no cache."""

    def __init__(self, cache: VectorCache | None, settings: str) -> None:
        self._cache = cache
        digest = hashlib.sha256(settings.encode()).digest()
        self._hash = hashlib.blake2b(digest_size=16, key=digest)
        self._waiting: list[tuple[list[bytes], Floats, np.ndarray]] = []
        self._written = time.monotonic()
        self.n_cut = 0

    def _keys(self, texts: list[str]) -> list[bytes]:
        keys = []
        for text in texts:
            hashed = self._hash.copy()
            hashed.update(text.encode())
            keys.append(hashed.digest())
        return keys

    def read(self, table: Floats, texts: list[str]) -> np.ndarray:
        """Fill in the rows that are known, and return which ones these are."""
        if self._cache is None:
            return np.zeros(len(texts), dtype=bool)
        found, _, cut = self._cache.get(self._keys(texts), table.shape[1], out=table)
        self.n_cut += int(cut.sum())
        return found

    def write(self, texts: list[str], vectors: Floats, cut: np.ndarray) -> None:
        """Hand vectors over; they are on disk within seconds, or after `flush`."""
        if self._cache is not None:
            self._waiting.append((self._keys(texts), vectors, cut))
            if time.monotonic() - self._written > _WRITE_EVERY:
                self.flush()

    def flush(self) -> None:
        """Write what waits, in one transaction: each waits for the disk."""
        if self._cache is not None and self._waiting:
            keys, vectors, cut = zip(*self._waiting, strict=True)
            self._waiting = []
            self._cache.put(
                [k for some in keys for k in some], np.concatenate(vectors), np.concatenate(cut)
            )
            self._written = time.monotonic()
