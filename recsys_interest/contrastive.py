"""From a language model to a sentence encoder: texts of a pair come near, all others go away.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import check_count, check_share
from recsys_interest.models import find_model
from recsys_interest.pretraining import save_encoder
from recsys_interest.text_pairs import texts_of_pairs
from recsys_interest.training import finished, keep, settings_digest, train
from recsys_interest.training_plan import TrainingPlan, TrainingResult
from recsys_interest.word_pieces import padded

if TYPE_CHECKING:
    import torch

    from recsys_interest.language_model import LanguageModel

Codes = npt.NDArray[np.intp]

__all__ = ["info_nce", "train_contrastive"]

_MOST_HELD_OUT = 512
_EVALUATION_BATCH = 128

#: How long and how fast, if nothing is said: slower than from random weights.
CONTRASTIVE_PLAN = TrainingPlan(steps=200, learning_rate=3e-4)


def train_contrastive(
    model: str | os.PathLike[str],
    pairs: pd.DataFrame | Iterable[tuple[str, str]],
    folder: str | os.PathLike[str],
    *,
    n_layers: int | None = None,
    temperature: float = 0.05,
    max_tokens: int = 64,
    held_out_share: float = 0.1,
    plan: TrainingPlan | None = None,
    random_state: int = 0,
    device: str | None = None,
    progress: bool = True,
) -> TrainingResult:
    r"""Train an encoder on pairs of texts that belong together.

    What a pair is decides what is learned: a text with itself (dropout makes two views of it, as
    in SimCSE), a title with its translation, items that one user consumed (`behaviour_pairs`). The
    vector of a text is the mean of its token states; with :math:`s_{ij}` the cosine of the left
    text of pair i and the right text of pair j, and temperature :math:`\tau`, the loss of a batch
    of B pairs is the mean of

    .. math:: L = - \frac{1}{B} \sum_{i=1}^{B}
       \log \frac{e^{s_{ii} / \tau}}{\sum_{j} e^{s_{ij} / \tau}}

    and the same from right to left (`info_nce`).

    Parameters
    ----------
    model : str or path
        A folder, for example of `pretrain`, or a model id: what `TextEncoder` loads.
    pairs : DataFrame with the columns `left` and `right`, or iterable of pairs
        Texts. Their order does not matter.
    folder : path
        Where the new model goes. A training that was killed is taken up there; one that ended is
        returned at once.
    n_layers : int, optional
        Train only so many last layers and hold the rest fixed; by default train everything.
    temperature : float, default 0.05
        :math:`\tau`: the lower, the more the nearest wrong text counts.
    max_tokens : int, default 64
        Texts are cut after so many tokens, or what the model takes if that is less; so will be
        those that the new model encodes.
    held_out_share : float, default 0.1
        This share of the left texts is held out: pairs that begin with one measure the loss, and no
        pair with one, on either side, is trained on (512 pairs at most are looked at).
    plan : TrainingPlan, optional
        By default ``TrainingPlan(steps=200, learning_rate=3e-4)``.
    random_state : int, default 0
        Seed of split, batches and dropout.
    device : str, optional
        By default a GPU if there is one.
    progress : bool, default True
        Show a bar when it takes longer than two seconds.

    Returns
    -------
    TrainingResult
        The folder, which `TextEncoder` loads, and the losses.

    Raises
    ------
    TypeError
        If the pairs are not pairs of texts.
    ValueError
        If there are too few pairs, or a parameter is out of range.
    FileExistsError
        If the folder holds another training, or something else.

    Notes
    -----
    Gao, Yao and Chen (2021), "SimCSE"; van den Oord, Li and Vinyals (2018) for the loss. Chapter
    04, "Training the language model".

    Rows: F13, H06, K02, U12.

    Examples
    --------
    >>> import tempfile
    >>> from recsys_interest import TrainingPlan, pretrain
    >>> corpus = [f"{a} {b}" for a in ("red", "blue", "old") for b in ("tent", "stove", "lamp")]
    >>> plan = TrainingPlan(steps=2, batch_size=4)
    >>> with tempfile.TemporaryDirectory() as place:
    ...     first = pretrain(corpus, f"{place}/a", hidden_size=8, n_layers=1, n_heads=2, plan=plan)
    ...     twice = [(text, text) for text in corpus]
    ...     result = train_contrastive(first.folder, twice, f"{place}/b", plan=plan)
    >>> result.losses["step"].tolist()
    [0, 2]
    """
    left, right = texts_of_pairs(pairs)
    plan = plan or CONTRASTIVE_PLAN
    check_count(random_state, "random_state", 0)
    if check_share(temperature, "temperature", 10.0) == 0:
        raise ValueError("temperature must be above 0, got 0")
    check_share(held_out_share, "held_out_share", 0.9)
    check_count(max_tokens, "max_tokens", 4)
    files = find_model(os.fspath(model))
    settings = {
        "task": "contrastive",
        "model": _fingerprint(files.path),
        "n_layers": n_layers,
        "temperature": temperature,
        "max_tokens": max_tokens,
        "held_out_share": held_out_share,
        "random_state": random_state,
        **asdict(plan),
    }
    settings = settings_digest(settings, left, right)
    folder = Path(folder).expanduser()
    if (done := finished(folder, settings)) is not None:
        return done

    from recsys_interest.fixed_layers import hold_fixed
    from recsys_interest.language_model import load_model, usable_device

    loaded = load_model(files, "float32", usable_device(device))
    hold_fixed(loaded.network, n_layers)
    task = _ContrastiveTask(loaded, left, right, settings)
    run = train(
        loaded.network,
        task.loss_at,
        task.held_out,
        plan,
        folder=folder,
        settings=settings,
        random_state=random_state,
        progress=progress,
        name="contrastive",
    )

    def save(path: Path) -> None:
        save_encoder(path, loaded.network, loaded.tokenizer, task.max_tokens)

    return keep(folder, settings, run, save)


def info_nce(
    left: torch.Tensor,
    right: torch.Tensor,
    temperature: float = 0.05,
    same: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Return the contrastive loss of a batch of pairs of vectors, in both directions.

    .. math:: L = - \frac{1}{2B} \sum_{i=1}^{B} \Bigl(
       \log \frac{e^{s_{ii} / \tau}}{\sum_{j} e^{s_{ij} / \tau}} +
       \log \frac{e^{s_{ii} / \tau}}{\sum_{j} e^{s_{ji} / \tau}} \Bigr)

    with the cosine :math:`s_{ij}` of left vector i and right vector j.

    Parameters
    ----------
    left, right : Tensor of shape (n_pairs, n_dimensions)
        Of any length.
    temperature : float, default 0.05
        :math:`\tau`.
    same : Tensor of bool, shape (n_pairs, n_pairs), optional
        Where left and right are one text, or right and right: not a wrong answer, so left out of
        the sums. The diagonal always stays.

    Returns
    -------
    Tensor
        A number; :math:`\log B` if all vectors are alike.

    Notes
    -----
    van den Oord, Li and Vinyals (2018), "Representation Learning with Contrastive Predictive
    Coding". Chapter 04, "Training the language model".

    Examples
    --------
    >>> import torch
    >>> vectors = torch.eye(2)
    >>> round(float(info_nce(vectors, vectors, temperature=1.0)), 4)  # log(1 + exp(-1))
    0.3133
    """
    import torch

    cosine = torch.nn.functional.normalize(left) @ torch.nn.functional.normalize(right).T
    scores = cosine / temperature
    if same is not None:
        others = ~torch.eye(len(scores), dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(same & others, float("-inf"))
    target = torch.arange(len(scores), device=scores.device)
    cross_entropy = torch.nn.functional.cross_entropy
    return (cross_entropy(scores, target) + cross_entropy(scores.T, target)) / 2


def _fingerprint(folder: Path) -> str:
    mark = hashlib.sha256()
    for path in [folder / "config.json", *sorted(folder.glob("model*.safetensors"))]:
        mark.update(path.read_bytes())
    return mark.hexdigest()


class _ContrastiveTask:
    """An encoder with its pairs: the loss of a batch, and of the pairs held out."""

    def __init__(
        self, loaded: LanguageModel, left: list[str], right: list[str], settings: dict[str, Any]
    ) -> None:
        from recsys_interest.fixed_layers import UpperLayers

        self.network = loaded.network
        self.device = loaded.network.device
        self.temperature = settings["temperature"]
        self.batch_size = settings["batch_size"]
        self.pad = loaded.tokenizer.pad_token_id or 0
        self.max_tokens = min(settings["max_tokens"], loaded.limit)
        codes, distinct = pd.factorize(np.array([*left, *right], dtype=object))
        self.left, self.right = codes[: len(left)], codes[len(left) :]
        cut = {"truncation": True, "max_length": self.max_tokens}
        self.rows = loaded.tokenizer(list(distinct), **cut)["input_ids"]
        self.upper = UpperLayers.of(self.network, settings["n_layers"], self.rows)
        self.held, self.trained = self._split(settings)

    def _split(self, settings: dict[str, Any]) -> tuple[Codes, Codes]:
        """Return the numbers of the pairs held out, and of those with no held-out text."""
        rng = np.random.default_rng(settings["random_state"])
        texts = np.unique(self.left)
        n_held_out = min(max(2, round(settings["held_out_share"] * len(texts))), len(texts) - 2)
        held_texts = rng.permutation(texts)[:n_held_out]
        begins = np.isin(self.left, held_texts)
        trained = np.flatnonzero(~begins & ~np.isin(self.right, held_texts))
        if len(trained) < 2:
            raise ValueError("pairs leaves fewer than 2 without a held-out text; give more pairs")
        held = rng.permutation(np.flatnonzero(begins))[:_MOST_HELD_OUT]
        return held, trained

    def loss_at(self, rng: np.random.Generator) -> torch.Tensor:
        size = min(self.batch_size, len(self.trained))
        return self._loss(rng.choice(self.trained, size, replace=False))

    def held_out(self) -> float:
        parts = np.array_split(self.held, max(1, len(self.held) // _EVALUATION_BATCH))
        total = sum(float(self._loss(part)) * len(part) for part in parts)
        return total / len(self.held)

    def _loss(self, chosen: Codes) -> torch.Tensor:
        import torch

        left, right = self.left[chosen], self.right[chosen]
        # One call for both sides; dropout draws anew for each row, so equal texts make two views.
        vectors = self._vectors(np.concatenate([left, right]))
        same = (left[:, None] == right[None, :]) | (right[:, None] == right[None, :])
        known = torch.from_numpy(same).to(self.device)
        return info_nce(vectors[: len(left)], vectors[len(left) :], self.temperature, known)

    def _vectors(self, codes: Codes) -> torch.Tensor:
        import torch

        ids, real = padded([self.rows[code] for code in codes], self.pad)
        mask = torch.from_numpy(real).to(self.device)
        if self.upper is not None:
            states = self.upper(codes.tolist(), mask.long())
        else:
            states = self.network(
                input_ids=torch.from_numpy(ids).to(self.device), attention_mask=mask.long()
            ).last_hidden_state
        weight = mask.unsqueeze(-1)
        return (states * weight).sum(dim=1) / weight.sum(dim=1)
