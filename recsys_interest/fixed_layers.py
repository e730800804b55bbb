"""Train only the last layers of a network, and compute what the others give once.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

import copy
from typing import Any

import torch

from recsys_interest.checks import check_count
from recsys_interest.word_pieces import padded

__all__ = ["UpperLayers", "hold_fixed"]

_MOST_BYTES = 2 * 1024**3
_ROWS_AT_ONCE = 64

Rows = list[list[int]]


def hold_fixed(network: torch.nn.Module, n_layers: int | None) -> None:
    """Let only the last layers require a gradient; None lets everything.

    Parameters
    ----------
    network : torch.nn.Module
        As the transformers library loads it.
    n_layers : int or None
        How many layers.

    Raises
    ------
    TypeError
        If `n_layers` is not a whole number.
    ValueError
        If it is below one or more than there are.
    """
    if n_layers is None:
        return
    layers = _layers(network)
    if check_count(n_layers, "n_layers") > len(layers):
        raise ValueError(f"n_layers must be at most {len(layers)}, the layers of the model")
    network.requires_grad_(False)
    for layer in layers[-n_layers:]:
        layer.requires_grad_(True)


class UpperLayers:
    """The last layers of a BERT-like network, fed with the kept states of the fixed ones.

    Fixed layers give the same states for a text at every step (dropout is off in them), so they run
    once for each text.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    n_layers : int
        How many last layers are trained.
    rows : list of list of int
        The tokens of all texts.
    """

    def __init__(self, network: Any, n_layers: int, rows: Rows) -> None:
        layers = _layers(network)
        lower = _with_layers(network, layers[:-n_layers])
        self.network = _with_layers(network, layers[-n_layers:])
        self.network.embeddings = _PassOn()
        self.device = next(network.parameters()).device
        self.kept: list[torch.Tensor] = [torch.empty(0)] * len(rows)
        network.eval()
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        with torch.no_grad():
            for start in range(0, len(order), _ROWS_AT_ONCE):
                part = order[start : start + _ROWS_AT_ONCE]
                ids, real = padded([rows[i] for i in part])
                mask = torch.from_numpy(real).long().to(self.device)
                states = lower(input_ids=torch.from_numpy(ids).to(self.device), attention_mask=mask)
                for i, kept in zip(part, states.last_hidden_state.cpu(), strict=True):
                    self.kept[i] = kept[: len(rows[i])].clone()

    @classmethod
    def of(cls, network: Any, n_layers: int | None, rows: Rows) -> UpperLayers | None:
        """Return them where that is possible: a network that is built like BERT, texts that fit.

        Parameters
        ----------
        network : torch.nn.Module
            The network.
        n_layers : int or None
            How many last layers are trained; None for all of it.
        rows : list of list of int
            The tokens of all texts.

        Returns
        -------
        UpperLayers or None
            None if the whole network has to run at every step.
        """
        size = 4 * int(network.config.hidden_size) * sum(map(len, rows))
        if n_layers is None or size > _MOST_BYTES or network.config.model_type != "bert":
            return None
        return cls(network, n_layers, rows)

    def __call__(self, numbers: list[int], mask: torch.Tensor) -> torch.Tensor:
        """Return the states of some texts, padded as the mask says."""
        width = mask.shape[1]
        states = torch.zeros(len(numbers), width, self.kept[0].shape[1])
        for row, number in enumerate(numbers):
            states[row, : len(self.kept[number])] = self.kept[number]
        found: torch.Tensor = self.network(
            inputs_embeds=states.to(self.device), attention_mask=mask
        ).last_hidden_state
        return found


class _PassOn(torch.nn.Module):
    """Stands where the embeddings were, and hands on what it is given."""

    def forward(self, inputs_embeds: torch.Tensor, **_: object) -> torch.Tensor:
        return inputs_embeds


def _layers(network: Any) -> torch.nn.ModuleList:
    total = int(network.config.num_hidden_layers)
    lists = (m for m in network.modules() if isinstance(m, torch.nn.ModuleList))
    return next(m for m in lists if len(m) == total)


def _with_layers(network: Any, layers: torch.nn.ModuleList) -> Any:
    """Return the network with other layers; the parameters are shared."""
    other = _shallow(network)
    other.encoder = _shallow(network.encoder)
    other.encoder.layer = layers
    return other


def _shallow(module: torch.nn.Module) -> Any:
    other = copy.copy(module)
    other._modules = dict(module._modules)
    return other
