"""A small BERT from nothing: a WordPiece vocabulary and a masked language model on the same texts.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys_interest.checks import check_count, check_share
from recsys_interest.training import finished, keep, settings_digest, train
from recsys_interest.training_plan import TrainingPlan, TrainingResult
from recsys_interest.word_pieces import SPECIAL, Ids, distinct_texts, padded, train_tokenizer

if TYPE_CHECKING:
    import torch

__all__ = ["mask_tokens", "pretrain", "save_encoder"]

_MASK = SPECIAL.index("[MASK]")
_MOST_HELD_OUT = 512
_NOT_ASKED = -100


def pretrain(
    texts: Iterable[str | None],
    folder: str | os.PathLike[str],
    *,
    vocab_size: int = 4000,
    hidden_size: int = 128,
    n_layers: int = 2,
    n_heads: int = 4,
    max_tokens: int = 48,
    mask_share: float = 0.15,
    held_out_share: float = 0.1,
    plan: TrainingPlan | None = None,
    random_state: int = 0,
    device: str | None = None,
    progress: bool = True,
) -> TrainingResult:
    r"""Train a BERT from random weights on a corpus, as a masked language model.

    Some tokens of a text are hidden, and the model says what they were. With :math:`M` the hidden
    places, :math:`x` the text and :math:`\tilde{x}` what is left of it, the loss is the mean of

    .. math:: L = - \frac{1}{|M|} \sum_{t \in M} \log p_\theta(x_t \mid \tilde{x}) .

    Languages share one vocabulary and one network; texts of several may be mixed. What comes out
    knows which words go together. It is no sentence encoder yet: `train_contrastive` is next.

    Parameters
    ----------
    texts : iterable of str
        The corpus, at least two different texts; missing and blank ones are left out. Their order
        does not matter.
    folder : path
        Where the model goes. A training that was killed is taken up there; one that ended is
        returned at once.
    vocab_size : int, default 4000
        Most word pieces; fewer if the texts have no more.
    hidden_size : int, default 128
        Length of a vector.
    n_layers, n_heads : int, default 2 and 4
        Layers, and attention heads in each; `hidden_size` is a multiple of `n_heads`.
    max_tokens : int, default 48
        Texts are cut after so many tokens.
    mask_share : float, default 0.15
        Share of the tokens that are asked for. Of these 80 % are replaced by ``[MASK]``, 10 % by a
        random token, and 10 % stay.
    held_out_share : float, default 0.1
        Share of the texts that are never trained on (512 at most are looked at).
    plan : TrainingPlan, optional
        How long and how fast; by default ``TrainingPlan()``.
    random_state : int, default 0
        Seed of weights, split, batches, masks and dropout.
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
        If the texts are one text, or not texts.
    ValueError
        If there are fewer than two texts, or a parameter is out of range.
    FileExistsError
        If the folder holds another training, or something else.

    Notes
    -----
    Devlin et al. (2019), "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding". Chapter 04, "Training the language model".

    Rows: Q08.

    Examples
    --------
    >>> import tempfile
    >>> corpus = [f"{a} {b}" for a in ("red", "blue", "old") for b in ("tent", "stove", "帐篷")]
    >>> with tempfile.TemporaryDirectory() as place:
    ...     result = pretrain(corpus, f"{place}/tiny", hidden_size=8, n_layers=1, n_heads=2,
    ...                       plan=TrainingPlan(steps=2, batch_size=4), progress=False)
    >>> result.losses["step"].tolist()
    [0, 2]
    """
    corpus = distinct_texts(texts)
    if len(corpus) < 2:
        raise ValueError(f"texts has {len(corpus)} different text(s); training needs at least 2")
    plan = plan or TrainingPlan()
    settings = _checked(vocab_size, hidden_size, n_layers, n_heads, max_tokens, random_state)
    settings["mask_share"] = check_share(mask_share, "mask_share")
    settings["held_out_share"] = check_share(held_out_share, "held_out_share", 0.9)
    settings = settings_digest({"task": "masked", **settings, **asdict(plan)}, corpus)
    folder = Path(folder).expanduser()
    if (done := finished(folder, settings)) is not None:
        return done

    from recsys_interest.language_model import usable_device

    tokenizer = train_tokenizer(corpus, vocab_size, max_tokens)
    task = _MaskedTask(tokenizer, corpus, settings, random_state, usable_device(device))
    run = train(
        task.model,
        task.loss_at,
        task.held_out,
        plan,
        folder=folder,
        settings=settings,
        random_state=random_state,
        progress=progress,
        name="masked language model",
    )

    def save(path: Path) -> None:
        save_encoder(path, task.encoder(), tokenizer, max_tokens)

    return keep(folder, settings, run, save)


def mask_tokens(
    ids: Ids, share: float, vocab_size: int, rng: np.random.Generator
) -> tuple[Ids, Ids]:
    """Hide some tokens of a batch, as BERT does.

    Parameters
    ----------
    ids : ndarray of int, shape (n_texts, n_tokens)
        Tokens; special ones, padding included, have the numbers 0 to 4.
    share : float
        Share of the other tokens that are asked for; at least one token in the batch is.
    vocab_size : int
        Numbers from 5 to below this are words.
    rng : Generator
        Draws places and replacements.

    Returns
    -------
    tuple of ndarray
        What the model sees, and what it is asked: the token, or −100 where nothing is asked.

    Examples
    --------
    >>> ids = np.array([[2, 7, 8, 9, 3, 0]])
    >>> seen, asked = mask_tokens(ids, 1.0, 10, np.random.default_rng(0))
    >>> asked.tolist()
    [[-100, 7, 8, 9, -100, -100]]
    """
    words = ids >= len(SPECIAL)
    draws = np.where(words, rng.random(ids.shape), 2.0)
    chosen = draws < share
    if not chosen.any():
        chosen.flat[draws.argmin()] = bool(words.any())
    what = rng.random(ids.shape)
    random_words = rng.integers(len(SPECIAL), max(vocab_size, len(SPECIAL) + 1), ids.shape)
    seen = np.where(chosen & (what < 0.8), _MASK, ids)
    seen = np.where(chosen & (what >= 0.8) & (what < 0.9), random_words, seen)
    return seen, np.where(chosen, ids, _NOT_ASKED)


def save_encoder(folder: Path, model: Any, tokenizer: Any, max_tokens: int) -> None:
    """Write a model and its tokeniser as `TextEncoder` reads them, cut at `max_tokens`.

    Parameters
    ----------
    folder : Path
        Where.
    model, tokenizer
        Of the library transformers.
    max_tokens : int
        Longest text in training, which is the longest to encode.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)
    model.config.save_pretrained(folder)
    weights = {name: tensor.cpu().contiguous() for name, tensor in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    limit = json.dumps({"max_seq_length": max_tokens})
    (folder / "sentence_bert_config.json").write_text(limit + "\n", encoding="utf-8")


def _checked(
    vocab_size: int,
    hidden_size: int,
    n_layers: int,
    n_heads: int,
    max_tokens: int,
    random_state: int,
) -> dict[str, Any]:
    check_count(vocab_size, "vocab_size", 64)
    check_count(hidden_size, "hidden_size", 2)
    check_count(n_layers, "n_layers")
    check_count(n_heads, "n_heads")
    check_count(max_tokens, "max_tokens", 4)
    check_count(random_state, "random_state", 0)
    if hidden_size % n_heads:
        raise ValueError(
            f"hidden_size must be a multiple of n_heads, got {hidden_size} and {n_heads}"
        )
    return {
        "vocab_size": vocab_size,
        "hidden_size": hidden_size,
        "n_layers": n_layers,
        "n_heads": n_heads,
        "max_tokens": max_tokens,
        "random_state": random_state,
    }


class _MaskedTask:
    """A small BERT with its corpus: the loss of a batch, and of the texts held out."""

    def __init__(
        self,
        tokenizer: Any,
        corpus: list[str],
        settings: dict[str, Any],
        random_state: int,
        device: str,
    ) -> None:
        self.share = settings["mask_share"]
        self.batch_size = settings["batch_size"]
        self.device = device
        self.random_state = random_state
        rng = np.random.default_rng(random_state)
        rows = tokenizer(corpus, truncation=True, max_length=settings["max_tokens"])["input_ids"]
        order = rng.permutation(len(corpus))
        n_held_out = min(max(1, round(settings["held_out_share"] * len(corpus))), len(corpus) - 1)
        self.held = [rows[i] for i in order[:n_held_out][:_MOST_HELD_OUT]]
        # Sorted again: which batch a text falls into depends on the seed alone.
        self.rows = [rows[i] for i in np.sort(order[n_held_out:])]
        self.vocab_size = len(tokenizer)
        self.model = _small_bert(self.vocab_size, settings, random_state).to(device)
        # The same masks at every look, or the held-out loss would move by itself.
        self.held_seed = int(rng.integers(2**31))

    def loss_at(self, rng: np.random.Generator) -> torch.Tensor:
        size = min(self.batch_size, len(self.rows))
        chosen = rng.choice(len(self.rows), size, replace=False)
        total, count = self._loss([self.rows[i] for i in chosen], rng)
        return total / count

    def held_out(self) -> float:
        rng = np.random.default_rng(self.held_seed)
        total, count = 0.0, 0
        for start in range(0, len(self.held), 128):
            part, asked = self._loss(self.held[start : start + 128], rng)
            total, count = total + float(part), count + asked
        return total / count

    def encoder(self) -> Any:
        """Return the network without the part that guesses words."""
        # With a pooler, which is never used: AutoModel builds one, and warns of a file without.
        encoder = _seeded("BertModel", self.model.config, self.random_state)
        encoder.load_state_dict(self.model.bert.state_dict(), strict=False)
        return encoder

    def _loss(self, rows: list[list[int]], rng: np.random.Generator) -> tuple[torch.Tensor, int]:
        import torch

        ids, real = padded(rows)
        seen, asked = mask_tokens(ids, self.share, self.vocab_size, rng)
        states = self.model.bert(
            input_ids=torch.from_numpy(seen).to(self.device),
            attention_mask=torch.from_numpy(real).long().to(self.device),
        ).last_hidden_state
        # Scores of all words are dear: only the places that are asked for get them.
        places = torch.from_numpy(asked != _NOT_ASKED).to(self.device)
        answers = torch.from_numpy(asked[asked != _NOT_ASKED]).to(self.device)
        scores = self.model.cls(states[places])
        total = torch.nn.functional.cross_entropy(scores, answers, reduction="sum")
        return total, len(answers)


def _small_bert(vocab_size: int, settings: dict[str, Any], random_state: int) -> Any:
    from transformers import BertConfig

    config = BertConfig(
        vocab_size=vocab_size,
        hidden_size=settings["hidden_size"],
        num_hidden_layers=settings["n_layers"],
        num_attention_heads=settings["n_heads"],
        intermediate_size=4 * settings["hidden_size"],
        max_position_embeddings=settings["max_tokens"],
    )
    return _seeded("BertForMaskedLM", config, random_state)


def _seeded(kind: str, config: Any, random_state: int) -> Any:
    import torch
    import transformers

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(random_state)
        return getattr(transformers, kind)(config)
