"""Turn texts into vectors with a BERT model: each distinct text once, in batches without waste.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from recsys_interest.checks import shown, valid_text
from recsys_interest.models import DEFAULT_MODEL, ModelNotFoundError, find_model

if TYPE_CHECKING:
    import torch

__all__ = ["TextEncoder"]

logger = logging.getLogger(__name__)

_POOLINGS = ("mean", "cls", "max")
_DTYPES = ("float32", "bfloat16")


class TextEncoder(TransformerMixin, BaseEstimator):
    r"""Texts to vectors with a BERT-like encoder.

    The model turns the tokens of a text into one state each,
    :math:`h_1, \dots, h_T \in \mathbb{R}^d`; `pooling` makes one vector of them. Mean pooling is

    .. math:: v = \frac{1}{T} \sum_{t=1}^{T} h_t

    over the real tokens only, so that padding never enters. Equal texts are encoded once. A text
    that is missing or blank has no meaning to encode and becomes the zero vector.

    Parameters
    ----------
    model : str or Path, default "sentence-transformers/all-MiniLM-L6-v2"
        A folder or a Hugging Face id; `recsys_interest.models.find_model` says where it is sought.
    revision : str, optional
        Revision on the hub; pinned for the default model.
    pooling : {"mean", "cls", "max"}, default "mean"
        How the token states become one vector.
    normalize : bool, default True
        Scale every vector to length 1, so that the dot product is the cosine.
    max_tokens : int, optional
        Longer texts are cut after so many tokens; by default what the model was built for.
    dtype : {"float32", "bfloat16"}, default "float32"
        Arithmetic of the model. The vectors returned are float32 either way.
    batch_tokens : int, default 4096
        Tokens per batch, padding included: bounds the memory, whatever the lengths.
    device : str, optional
        For example ``"cpu"`` or ``"cuda"``; by default a GPU if there is one.
    local_files_only : bool, default False
        Never ask the hub for the model.
    progress : bool, default True
        Show a progress bar when it takes longer than two seconds.

    Attributes
    ----------
    model_, tokenizer_
        The loaded model and tokeniser.
    files_ : ModelFiles
        The folder the model was read from, and where it was found.
    n_features_out_ : int
        Length of a vector.
    n_truncated_ : int
        Distinct texts that were cut in the last call of `transform`.

    Notes
    -----
    Mean pooling of a model trained on sentence pairs: Reimers and Gurevych (2019), "Sentence-BERT".
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
        max_tokens: int | None = None,
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
        self.max_tokens = max_tokens
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
            If a parameter has a value that does not exist, or the device is not there.
        """
        import torch
        from transformers import AutoModel, AutoTokenizer

        self._check_parameters()
        self.device_ = _usable_device(self.device)
        self.files_ = find_model(
            os.fspath(self.model), revision=self.revision, local_files_only=self.local_files_only
        )
        path = str(self.files_.path)
        try:
            self.tokenizer_ = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
            with _without_loading_bar():
                model = AutoModel.from_pretrained(
                    path,
                    dtype=getattr(torch, self.dtype),
                    use_safetensors=True,
                    trust_remote_code=False,
                )
        except (OSError, ValueError) as error:
            raise ModelNotFoundError(f"cannot load the model in {path}: {error}") from error
        self.model_ = model.eval().to(self.device_)
        self.n_features_out_ = int(model.config.hidden_size)
        return self

    def transform(self, X: Iterable[str | None]) -> pd.DataFrame:
        """Return one vector per text.

        Parameters
        ----------
        X : Series, Index, list or array of str
            The texts. The index of a Series is kept.

        Returns
        -------
        DataFrame of float32, shape (n_texts, n_features_out_)
            The vectors, columns `v0`, `v1`, …

        Raises
        ------
        TypeError
            If `X` is one text, or holds things that are neither text nor missing.
        """
        if not hasattr(self, "model_"):
            self.fit()
        texts = _as_series(X)
        codes, distinct = pd.factorize(texts.where(texts.str.strip() != ""), use_na_sentinel=True)
        # One sentinel row of zeros at the end serves the blank texts, whose code is −1.
        table = np.zeros((len(distinct) + 1, self.n_features_out_), dtype=np.float32)
        self._encode_into(table, [str(t) for t in distinct])
        return pd.DataFrame(table[codes], index=texts.index, columns=self.get_feature_names_out())

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
        for name, value, allowed in (
            ("pooling", self.pooling, _POOLINGS),
            ("dtype", self.dtype, _DTYPES),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {shown(allowed)}, got {value!r}")
        for name in ("batch_tokens", "max_tokens"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, int) or value < 1):
                raise ValueError(f"{name} must be a positive whole number, got {value!r}")

    def _encode_into(self, table: np.ndarray, texts: list[str]) -> None:
        import torch
        from tqdm.auto import tqdm

        ids = self._tokenize(texts)
        # The texts themselves break ties of length: the same batches for any order of the rows.
        order = sorted(range(len(texts)), key=lambda i: (-len(ids[i]), texts[i]))
        with (
            torch.inference_mode(),
            tqdm(total=len(texts), desc="encoding", delay=2, disable=not self.progress) as bar,
        ):
            for batch in _batches(order, [len(row) for row in ids], self.batch_tokens):
                table[batch] = self._encode_batch([ids[i] for i in batch])
                bar.update(len(batch))

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        limit = self.max_tokens or _token_limit(self.tokenizer_, self.model_, self.files_.path)
        self.n_truncated_ = 0
        if not texts:
            return []
        rows: list[list[int]] = self.tokenizer_(
            texts, truncation=True, max_length=limit, return_attention_mask=False
        )["input_ids"]
        full = [texts[i] for i, row in enumerate(rows) if len(row) == limit]
        if full:
            whole = self.tokenizer_(full, truncation=False, verbose=False)["input_ids"]
            self.n_truncated_ = sum(len(row) > limit for row in whole)
            logger.info("%d text(s) cut after %d tokens", self.n_truncated_, limit)
        return rows

    def _encode_batch(self, rows: Sequence[list[int]]) -> np.ndarray:
        import torch

        lengths = torch.tensor([len(row) for row in rows])
        width = int(lengths.max())
        pad = self.tokenizer_.pad_token_id or 0
        ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows])
        mask = torch.arange(width) < lengths[:, None]
        # Without padding no mask is needed, and attention takes its fastest path.
        needed = None if bool(mask.all()) else mask.long().to(self.device_)
        states = self.model_(input_ids=ids.to(self.device_), attention_mask=needed)
        pooled = _pool(states.last_hidden_state.float(), mask.to(self.device_), self.pooling)
        if self.normalize:
            pooled = torch.nn.functional.normalize(pooled, dim=1)
        vectors: np.ndarray = pooled.cpu().numpy()
        return vectors


@contextmanager
def _without_loading_bar() -> Iterator[None]:
    """Keep transformers' own bar, which cannot be passed a switch, out of notebooks and logs."""
    from transformers.utils import logging as transformers_logging

    shown_before = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown_before:
            transformers_logging.enable_progress_bar()


def _usable_device(device: str | None) -> str:
    """Return the device, the best one for None, or say which ones there are."""
    import torch

    if device is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # Only a number put there tells: torch knows the names of devices that are not there.
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, TypeError, ImportError):
        there = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
        there += ["mps"] if torch.backends.mps.is_available() else []
        raise ValueError(f"device {device!r} is not there; there is {shown(there)}") from None
    return str(device)


def _as_series(texts: Any) -> pd.Series:
    if isinstance(texts, str):
        raise TypeError("give a list of texts, not one text: [text]")
    series = texts if isinstance(texts, pd.Series) else pd.Series(list(texts), dtype=object)
    bad = series[series.notna() & ~series.map(lambda t: isinstance(t, str)).astype(bool)]
    if len(bad):
        kinds = sorted({type(v).__name__ for v in bad})
        raise TypeError(f"texts must be str, got {shown(kinds)} at index {shown(bad.index)}")
    series = series.map(valid_text, na_action="ignore")
    return series.astype("str")


def _token_limit(tokenizer: Any, model: Any, folder: Path) -> int:
    positions = getattr(model.config, "max_position_embeddings", None)
    # A sentence encoder may have been trained on shorter texts than its network could take.
    about = folder / "sentence_bert_config.json"
    trained = json.loads(about.read_text()).get("max_seq_length") if about.is_file() else None
    limits = [n for n in (tokenizer.model_max_length, positions, trained) if n and n < 1_000_000]
    return min(limits, default=512)


def _batches(order: list[int], lengths: list[int], budget: int) -> Iterator[list[int]]:
    """Yield runs of `order`, longest text first, each of at most `budget` tokens with padding."""
    start = 0
    while start < len(order):
        size = max(1, budget // lengths[order[start]])
        yield order[start : start + size]
        start += size


def _pool(states: torch.Tensor, mask: torch.Tensor, pooling: str) -> torch.Tensor:
    if pooling == "cls":
        return states[:, 0]
    weight = mask.unsqueeze(-1)
    if pooling == "max":
        return states.masked_fill(~weight, float("-inf")).amax(dim=1)
    # Count in float32: a mean taken in bfloat16 would lose the third digit.
    return (states * weight).sum(dim=1) / weight.sum(dim=1)
