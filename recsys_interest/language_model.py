"""One loaded language model: texts to tokens, tokens to states, states to one vector a text.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModel, AutoTokenizer

from recsys_interest.checks import shown
from recsys_interest.models import ModelFiles, ModelNotFoundError
from recsys_interest.packed_bert import PackedBert, pack
from recsys_interest.products import has_bfloat16

__all__ = ["LanguageModel", "Tokens", "best_dtype", "load_model", "usable_device"]

logger = logging.getLogger(__name__)

Tensor = torch.Tensor


@dataclass(frozen=True)
class Tokens:
    """Tokenised texts: one row per window, and to which text each row belongs.

    Attributes
    ----------
    rows : list of list of int
        Token ids, special tokens included.
    owner : ndarray of int, shape (n_rows,)
        The number of the text; not falling.
    cut : ndarray of bool, shape (n_texts,)
        Whether the end of a text is missing.
    """

    rows: list[list[int]]
    owner: NDArray[np.intp]
    cut: NDArray[np.bool_]


@dataclass
class LanguageModel:
    """A tokeniser and a network that belong together.

    Attributes
    ----------
    tokenizer, network
        As the transformers library loads them; of an encoder–decoder, the encoder.
    limit : int
        The most tokens a text may have.
    """

    tokenizer: Any
    network: Any
    limit: int
    _packed: PackedBert | None = field(default=None, repr=False)
    _packed_from: object = field(default=None, repr=False)
    _loaded: object = field(default=None, repr=False)

    def __post_init__(self) -> None:
        self._loaded = self._versions()

    @property
    def width(self) -> int:
        """Length of a state."""
        return int(self.network.config.hidden_size)

    def tokenize(self, texts: list[str], limit: int, *, windows: bool) -> Tokens:
        """Return the tokens of all texts, in one call of the tokeniser.

        Parameters
        ----------
        texts : list of str
            The texts.
        limit : int
            The most tokens of a row, special tokens included.
        windows : bool
            Go on with the rest of a long text in further rows, instead of cutting it off.

        Returns
        -------
        Tokens
            At least one row per text.
        """
        told = self.tokenizer(
            texts,
            truncation=True,
            max_length=limit,
            return_attention_mask=False,
            return_token_type_ids=False,
            return_overflowing_tokens=True,
        )
        rows: list[list[int]] = told["input_ids"]
        owner = np.asarray(told["overflow_to_sample_mapping"], dtype=np.intp)
        n_rows = np.bincount(owner, minlength=len(texts))
        if windows:
            return Tokens(rows, owner, np.zeros(len(texts), dtype=bool))
        first = np.flatnonzero(np.diff(owner, prepend=-1))
        return Tokens([rows[i] for i in first], owner[first], n_rows > 1)

    def vectors(self, rows: Sequence[Sequence[int]], pooling: str) -> NDArray[np.float32]:
        """Return one vector per row of tokens; a row without tokens gets zeros.

        Parameters
        ----------
        rows : sequence of sequences of int
            Fastest when rows of equal length stand together.
        pooling : {"mean", "cls", "last", "max"}
            How the states become one vector.

        Returns
        -------
        ndarray of float32, shape (n_rows, width)
            The vectors. A row's vector does not depend on the other rows.
        """
        out = np.zeros((len(rows), self.width), dtype=np.float32)
        full = [i for i, row in enumerate(rows) if len(row)]
        with torch.inference_mode():
            start = 0
            for states in self._states([rows[i] for i in full]):
                stop = start + len(states)
                out[full[start:stop]] = _pool(states, pooling).cpu().numpy()
                start = stop
        return out

    def _states(self, rows: list[Sequence[int]]) -> Iterator[Tensor]:
        """Yield the states of runs of rows of equal length: nothing is padded, so no pad leaks."""
        packed = self._current_pack()
        states = packed(rows) if packed and rows else None
        start = 0
        for length, same in groupby(rows, key=len):
            run = list(same)
            if states is not None:
                block = states[start : start + len(run) * length].view(len(run), length, -1)
            else:
                ids = torch.tensor(run, device=self.network.device)
                block = self.network(input_ids=ids).last_hidden_state.float()
            yield block
            start += len(run) * length

    def _current_pack(self) -> PackedBert | None:
        # A copy of weights that were trained since it was made would be the old model.
        now = self._versions()
        if now != self._packed_from:
            self._packed, self._packed_from = pack(self.network), now
        return self._packed

    def _versions(self) -> list[tuple[int, int]]:
        """Return what changes with every change of a weight."""
        return [(id(p), p._version) for p in self.network.parameters()]

    def as_loaded(self) -> bool:
        """Return whether the weights are those of the files.

        Returns
        -------
        bool
            False after training.
        """
        return self._loaded == self._versions()

    def is_causal(self) -> bool:
        """Return whether a state sees only the tokens before it, found by trying.

        Returns
        -------
        bool
            True for a decoder such as GPT, False for an encoder such as BERT.
        """
        first, second = (self.tokenizer(t, add_special_tokens=False)["input_ids"] for t in "ab")
        pair = [[*first, *first], [*first, *second]]
        one, other = (self.vectors([row], "cls") for row in pair)
        return pair[0] != pair[1] and bool(np.allclose(one, other, atol=1e-6))


def load_model(files: ModelFiles, dtype: str, device: str) -> LanguageModel:
    """Load a tokeniser and a network from a folder: safetensors only, no code from the folder.

    Parameters
    ----------
    files : ModelFiles
        Where they are.
    dtype : str
        Name of a torch type.
    device : str
        For example ``"cpu"``.

    Returns
    -------
    LanguageModel
        In evaluation mode.

    Raises
    ------
    ModelNotFoundError
        If the folder does not hold a model that can be read.
    """
    path = str(files.path)
    try:
        tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        with _without_loading_bar():
            network = AutoModel.from_pretrained(
                path,
                dtype=getattr(torch, dtype),
                use_safetensors=True,
                trust_remote_code=False,
            )
    except (OSError, ValueError) as error:
        raise ModelNotFoundError(f"cannot load the model in {path}: {error}") from error
    if network.config.is_encoder_decoder:
        network = network.get_encoder()
    if not getattr(tokenizer, "is_fast", False):
        raise ModelNotFoundError(f"the model in {path} has no fast tokeniser (tokenizer.json)")
    limit = _token_limit(tokenizer, network, files.path)
    return LanguageModel(tokenizer, network.eval().to(device), limit)


def best_dtype(device: str) -> str:
    """Return "bfloat16" where the device multiplies it faster than float32, else "float32".

    Parameters
    ----------
    device : str
        For example ``"cpu"`` or ``"cuda"``.

    Returns
    -------
    str
        What the hardware says about itself: a timing would answer differently on a busy machine,
        and the vectors with it.

    Examples
    --------
    >>> best_dtype("cpu") in {"float32", "bfloat16"}
    True
    """
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.get_device_capability(device) >= (8, 0) else "float32"
    return "bfloat16" if device == "cpu" and has_bfloat16() else "float32"


def usable_device(device: str | None) -> str:
    """Return the device, the best one for None, or say which ones there are.

    Parameters
    ----------
    device : str or None
        A name that torch knows.

    Returns
    -------
    str
        The name.

    Raises
    ------
    ValueError
        If it is not there.

    Examples
    --------
    >>> usable_device("cpu")
    'cpu'
    """
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


def _token_limit(tokenizer: Any, network: Any, folder: Path) -> int:
    positions = getattr(network.config, "max_position_embeddings", None)
    if positions and network.config.model_type in {"roberta", "xlm-roberta", "camembert"}:
        positions -= network.config.pad_token_id + 1  # the first ones are never used
    # A sentence encoder may have been trained on shorter texts than its network could take.
    about = folder / "sentence_bert_config.json"
    trained = json.loads(about.read_text()).get("max_seq_length") if about.is_file() else None
    limits = [n for n in (tokenizer.model_max_length, positions, trained) if n and 0 < n < 10**6]
    return min(limits, default=512)


def _pool(states: Tensor, pooling: str) -> Tensor:
    """Pool states of shape (n_texts, n_tokens, width), all of them real tokens."""
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last":
        return states[:, -1]
    return states.amax(dim=1) if pooling == "max" else states.mean(dim=1)
