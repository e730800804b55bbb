"""Turn texts into vectors with a language model: each distinct text once, in batches without waste.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from tqdm.auto import tqdm

from recsys_interest.checks import shown, valid_text
from recsys_interest.models import DEFAULT_MODEL, find_model
from recsys_interest.vectors import unit_rows

if TYPE_CHECKING:
    from recsys_interest.language_model import LanguageModel, Tokens

__all__ = ["TextEncoder"]

logger = logging.getLogger(__name__)

_CHOICES = {
    "pooling": ("mean", "cls", "last", "max"),
    "long_text": ("truncate", "windows"),
    "dtype": ("float32", "bfloat16", "auto"),
}
# Texts that are tokenised at one time: their tokens are all that grows with it.
_CHUNK = 8192

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
        codes, texts, index = _distinct(X)
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
        # By length and then by the text itself: the same batches for any order of the rows, with
        # little waste, and the batch that needs most memory first.
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), texts[i]))
        with tqdm(total=len(texts), desc="encoding", delay=2, disable=not self.progress) as bar:
            for start in range(0, len(order), _CHUNK):
                chunk = np.array(order[start : start + _CHUNK])
                self._encode_chunk(table, chunk, [texts[i] for i in chunk], bar)
        if self.n_truncated_:
            logger.info("%d text(s) were cut", self.n_truncated_)

    def _encode_chunk(self, table: Floats, where: np.ndarray, texts: list[str], bar: Any) -> None:
        model = self._language_model
        limit = min(self.max_tokens or model.limit, model.limit)
        windows = self.long_text == "windows"
        tokens = model.tokenize(texts, limit, windows=windows)
        self.n_truncated_ += int(tokens.cut.sum())
        lengths = [len(row) for row in tokens.rows]
        order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
        merge = _Merge(tokens, self.pooling) if windows else None
        for batch in _batches(order, lengths, self.batch_tokens):
            vectors = _halving(model, [tokens.rows[i] for i in batch], self.pooling)
            owner = tokens.owner[batch]
            if merge is not None:
                merge.add(table, where, batch, vectors)
            else:
                table[where[owner]] = vectors
            bar.update(len(batch) * len(texts) / len(lengths))


class _Merge:
    """Several windows of one text become one vector: their weighted mean, or their maximum."""

    def __init__(self, tokens: Tokens, pooling: str) -> None:
        lengths = np.array([len(row) for row in tokens.rows], dtype=np.float32)
        total = np.bincount(tokens.owner, weights=lengths)[tokens.owner]
        self._weight = np.divide(lengths, total, out=np.zeros_like(total), where=total > 0)
        self._owner = tokens.owner
        self._seen = np.zeros(len(tokens.cut), dtype=bool)
        self._largest = pooling == "max"

    def add(self, table: Floats, where: np.ndarray, batch: list[int], vectors: Floats) -> None:
        for row, vector in zip(batch, vectors, strict=True):
            text = self._owner[row]
            place = where[text]
            if not self._largest:
                table[place] += np.float32(self._weight[row]) * vector
            elif self._seen[text]:
                np.maximum(table[place], vector, out=table[place])
            else:
                table[place] = vector
            self._seen[text] = True


def _distinct(texts: Any) -> tuple[np.ndarray, list[str], pd.Index]:
    """Return the number of each row's text (−1: blank), the distinct texts, and the index."""
    if isinstance(texts, str):
        raise TypeError("give a list of texts, not one text: [text]")
    series = texts if isinstance(texts, pd.Series) else pd.Series(list(texts), dtype=object)
    try:
        codes, distinct = pd.factorize(series.astype(object), use_na_sentinel=True)
    except TypeError:  # what cannot be hashed is no text either
        codes, distinct = np.arange(len(series)), series.to_list()
    odd = [i for i, value in enumerate(distinct) if not isinstance(value, str)]
    if odd:
        kinds = sorted({type(distinct[i]).__name__ for i in odd})
        where = series.index[np.isin(codes, odd)]
        raise TypeError(f"texts must be str, got {shown(kinds)} at index {shown(where)}")
    # Different halves of characters may become the same text.
    kept, names = pd.factorize(np.array([valid_text(t) for t in distinct], dtype=object))
    filled = np.array([bool(t.strip()) for t in names], dtype=bool)
    number = np.append(np.where(filled, np.cumsum(filled) - 1, -1)[kept], -1)
    return number[codes], [t for t, full in zip(names, filled, strict=True) if full], series.index


def _batches(order: list[int], lengths: list[int], budget: int) -> Iterator[list[int]]:
    """Yield runs of `order`, each of at most `budget` tokens or of one row."""
    batch: list[int] = []
    tokens = 0
    for row in order:
        if batch and tokens + lengths[row] > budget:
            yield batch
            batch, tokens = [], 0
        batch.append(row)
        tokens += lengths[row]
    if batch:
        yield batch


def _halving(model: LanguageModel, rows: list[list[int]], pooling: str) -> Floats:
    """Return the vectors of a batch; where memory runs out, of its halves one after the other."""
    try:
        return model.vectors(rows, pooling)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if len(rows) == 1:
            raise MemoryError(
                f"a single text of {len(rows[0])} tokens does not fit into memory; "
                f"set max_tokens below that"
            ) from error
    # Outside the handler, so that what the failed try held is freed.
    logger.warning("out of memory with %d texts at a time; going on with half", len(rows))
    middle = len(rows) // 2
    parts = [_halving(model, half, pooling) for half in (rows[:middle], rows[middle:])]
    return np.concatenate(parts)


def _is_out_of_memory(error: Exception) -> bool:
    # On a CPU torch raises a plain RuntimeError that says so.
    said = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(s in str(error).lower() for s in said)
