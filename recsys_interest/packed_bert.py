"""A BERT without padding: the tokens of many texts in one block, attention text by text.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch.nn.functional import layer_norm, linear, scaled_dot_product_attention

__all__ = ["PackedBert", "pack"]

logger = logging.getLogger(__name__)

# Architectures whose layers are BERT's, with learned absolute positions.
_KINDS = frozenset({"bert", "roberta", "xlm-roberta", "camembert"})
# Up to this length, in bfloat16 on a CPU, two batched products beat the fused attention kernel.
_SHORT = 128
_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.3, torch.float16: 0.05}

Tensor = torch.Tensor


class PackedBert:
    r"""The forward pass of a BERT over texts laid end to end, with no padding anywhere.

    Everything in a BERT layer but attention treats each token by itself, so the tokens of all texts
    of a batch form one matrix of shape :math:`(T_1 + T_2 + \dots, d)` and the six matrix products
    of a layer become four large ones (query, key and value share one). Attention runs over runs of
    texts of equal length. The residual stream and its layer norms stay in float32.

    Parameters
    ----------
    model : transformers.BertModel or a relative
        The model whose weights are taken; they are copied.

    Notes
    -----
    The sums are those of the library, in another order. Packing instead of padding: Krell et al.
    (2021), "Efficient sequence packing". Chapter 03, "BERT features".

    Examples
    --------
    >>> from transformers import BertConfig, BertModel
    >>> small = BertConfig(vocab_size=9, hidden_size=4, num_hidden_layers=1, num_attention_heads=2,
    ...                    intermediate_size=8, max_position_embeddings=6)
    >>> PackedBert(BertModel(small).eval())([[2, 5, 3], [2, 3]]).shape
    torch.Size([5, 4])
    """

    def __init__(self, model: Any) -> None:
        config = model.config
        self._embeddings = model.embeddings
        self._heads = int(config.num_attention_heads)
        self._width = int(config.hidden_size)
        self._type = _parameter(model).dtype
        self._device = _parameter(model).device
        # RoBERTa counts positions from behind the number of its padding token.
        self._first = 0 if config.model_type == "bert" else int(config.pad_token_id) + 1
        self._layers = [_Layer(layer) for layer in model.encoder.layer]

    def __call__(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """Return the last hidden states of all tokens, float32, one row after the other.

        Parameters
        ----------
        rows : sequence of sequences of int
            Token ids, special tokens included; fastest when rows of equal length stand together.

        Returns
        -------
        Tensor of float32, shape (n_tokens, hidden_size)
            The states in the order of the tokens.
        """
        runs = list(_runs(rows))
        tokens = torch.tensor([token for row in rows for token in row], device=self._device)
        places = torch.cat([torch.arange(length).repeat(count) for count, length in runs])
        places = (places + self._first).to(self._device)
        states = self._embeddings(input_ids=tokens[None], position_ids=places[None])[0].float()
        for layer in self._layers:
            states = layer(states, lambda qkv: self._attention(qkv, runs), self._type)
        return states

    def _attention(self, qkv: Tensor, runs: list[tuple[int, int]]) -> Tensor:
        out = qkv.new_empty(len(qkv), self._width)
        start = 0
        for count, length in runs:
            stop = start + count * length
            block = qkv[start:stop].view(count, length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
            if self._type is torch.bfloat16 and length <= _SHORT and self._device.type == "cpu":
                mixed = _short_attention(block.contiguous())
            else:
                mixed = scaled_dot_product_attention(*block)
            out[start:stop] = mixed.transpose(1, 2).reshape(stop - start, self._width)
            start = stop
        return out


class _Layer:
    def __init__(self, layer: Any) -> None:
        attention, first, last = layer.attention, layer.intermediate, layer.output
        parts = [getattr(attention.self, name) for name in ("query", "key", "value")]
        self._qkv = _product(
            torch.cat([part.weight for part in parts]), torch.cat([part.bias for part in parts])
        )
        self._mix = _product(attention.output.dense.weight, attention.output.dense.bias)
        self._up = _product(first.dense.weight, first.dense.bias)
        self._down = _product(last.dense.weight, last.dense.bias)
        self._activation = first.intermediate_act_fn
        self._norms = [_Norm(attention.output.LayerNorm), _Norm(last.LayerNorm)]

    def __call__(
        self, states: Tensor, attention: Callable[[Tensor], Tensor], kind: torch.dtype
    ) -> Tensor:
        mixed = self._mix(attention(self._qkv(states.to(kind))))
        states = self._norms[0](states + mixed)
        wide = self._activation(self._up(states.to(kind)))
        return self._norms[1](states + self._down(wide))


class _Norm:
    def __init__(self, norm: Any) -> None:
        self._weight = norm.weight.detach().float()
        self._bias = norm.bias.detach().float()
        self._eps = norm.eps

    def __call__(self, states: Tensor) -> Tensor:
        return layer_norm(states, self._weight.shape, self._weight, self._bias, self._eps)


def _product(weight: Tensor, bias: Tensor) -> Callable[[Tensor], Tensor]:
    """Return x ↦ x Wᵀ + b, with the weight in oneDNN's own layout where that can be had."""
    weight, bias = weight.detach().contiguous(), bias.detach()
    usual = lambda x: linear(x, weight, bias)  # noqa: E731
    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return usual
    # What torch.compile emits for a frozen Linear. Not a public name: without it, the usual way.
    try:
        product = torch.ops.mkldnn._linear_pointwise
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, None)
        probe = torch.ones(2, weight.shape[1], dtype=weight.dtype)
        good = torch.allclose(
            product(probe, packed, bias, "none", [], ""), usual(probe), rtol=0.05, atol=0.05
        )
    except (AttributeError, RuntimeError, TypeError):
        return usual
    return (lambda x: product(x, packed, bias, "none", [], "")) if good else usual


def _short_attention(block: Tensor) -> Tensor:
    _, count, heads, length, width = block.shape
    query, key, value = block.view(3, count * heads, length, width).unbind(0)
    scores = torch.bmm(query, key.transpose(1, 2)).mul_(width**-0.5)
    return torch.bmm(scores.softmax(dim=-1), value).view(count, heads, length, width)


def _runs(rows: Sequence[Sequence[int]]) -> Iterator[tuple[int, int]]:
    for length, same in groupby(map(len, rows)):
        yield sum(1 for _ in same), length


def _parameter(model: Any) -> Tensor:
    parameter: Tensor = next(model.parameters())
    return parameter


def pack(model: Any) -> PackedBert | None:
    """Return a packed copy of a model, or None if it is no BERT or the copy disagrees with it.

    Parameters
    ----------
    model : transformers.PreTrainedModel
        In evaluation mode.

    Returns
    -------
    PackedBert or None
        Compared with the model on three rows of tokens before it is handed out.

    Examples
    --------
    >>> from transformers import GPT2Config, GPT2Model
    >>> pack(GPT2Model(GPT2Config(vocab_size=9, n_embd=4, n_layer=1, n_head=2))) is None
    True
    """
    config = model.config
    absolute = getattr(config, "position_embedding_type", None) in (None, "absolute")
    decoder = getattr(config, "is_decoder", False) or getattr(config, "add_cross_attention", False)
    if config.model_type not in _KINDS or not absolute or decoder:
        return None
    try:
        packed = PackedBert(model)
        problem = _disagreement(model, packed)
    except (AttributeError, RuntimeError, TypeError) as error:
        problem = str(error)
    if problem:
        logger.warning("the model's own forward pass is used, the packed one failed: %s", problem)
        return None
    return packed


def _disagreement(model: Any, packed: PackedBert) -> str:
    """Say how a packed model differs from the library's own forward pass; "" if it does not."""
    vocabulary = model.config.vocab_size
    rows = [[(7 * i + 3 * n) % vocabulary for i in range(n)] for n in (2, 5, 5)]
    with torch.inference_mode():
        found = packed(rows).split([len(row) for row in rows])
        for row, states in zip(rows, found, strict=True):
            expected = model(input_ids=torch.tensor([row], device=states.device))
            gap = float((expected.last_hidden_state[0].float() - states).abs().max())
            if not gap <= _TOLERANCE[states.new_empty(0, dtype=_parameter(model).dtype).dtype]:
                return f"states differ by {gap:.2g}"
    return ""
