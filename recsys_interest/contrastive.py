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

from recsys_interest.checks import check_count, check_same_ids, shown, valid_text
from recsys_interest.encoder import TextEncoder
from recsys_interest.pretraining import padded, save_encoder, usable_device
from recsys_interest.schema import event_strength, validate_events
from recsys_interest.training import (
    TrainingPlan,
    TrainingResult,
    check_share,
    finished,
    keep,
    settings_digest,
    train,
)

if TYPE_CHECKING:
    import torch

Codes = npt.NDArray[np.intp]

__all__ = ["behaviour_pairs", "info_nce", "train_contrastive"]

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
    left, right = _texts_of(pairs)
    plan = plan or CONTRASTIVE_PLAN
    check_count(random_state, "random_state", 0)
    if check_share(temperature, "temperature", 10.0) == 0:
        raise ValueError("temperature must be above 0, got 0")
    check_share(held_out_share, "held_out_share", 0.9)
    check_count(max_tokens, "max_tokens", 4)
    encoder = TextEncoder(model, device=usable_device(device), dtype="float32").fit()
    settings = {
        "task": "contrastive",
        "model": _fingerprint(encoder.files_.path),
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

    _hold_fixed(encoder.model_, n_layers)
    task = _ContrastiveTask(encoder, left, right, settings)
    run = train(
        encoder.model_,
        task.loss_at,
        task.held_out,
        plan,
        folder=folder,
        settings=settings,
        random_state=random_state,
        progress=progress,
        name="contrastive",
    )
    return keep(
        folder,
        settings,
        run,
        lambda path: save_encoder(path, encoder.model_, encoder.tokenizer_, task.max_tokens),
    )


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


def behaviour_pairs(
    events: pd.DataFrame,
    texts: pd.Series,
    *,
    n_pairs: int = 10_000,
    random_state: int = 0,
) -> pd.DataFrame:
    """Draw pairs of texts of items that the same user consumed.

    The first item is drawn from all (user, item) combinations with an event that speaks for the
    item (`event_strength` above 0), the second from the other items of that user. So active users
    and popular items are drawn more often.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`).
    texts : Series of str
        The text of each item, indexed by item id, as `item_text` returns it; items without one are
        left out.
    n_pairs : int, default 10,000
        Pairs to draw, with replacement.
    random_state : int, default 0
        Seed of the draw.

    Returns
    -------
    DataFrame
        Columns `left` and `right`, `n_pairs` rows.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If no user consumed two items with a text.

    Notes
    -----
    Chapter 04, "Training the language model".

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"], "event": "like",
    ...                     "timestamp": pd.Timestamp("2026-01-01", tz="UTC")})
    >>> texts = pd.Series({"a": "a tent", "b": "a stove"})
    >>> behaviour_pairs(log, texts, n_pairs=5)["left"].isin(["a tent", "a stove"]).all()
    np.True_
    """
    check_count(n_pairs, "n_pairs")
    check_count(random_state, "random_state", 0)
    if not isinstance(texts, pd.Series):
        raise TypeError(f"texts must be a Series indexed by item id, got {type(texts).__name__}")
    log = validate_events(events)
    check_same_ids(log["item_id"], texts.index.to_series(), "events.item_id", "texts.index")
    log = log[(event_strength(log) > 0) & log["item_id"].isin(texts.index[texts.notna()])]
    seen = log[["user_id", "item_id"]].drop_duplicates().sort_values(["user_id", "item_id"])
    size = seen.groupby("user_id")["item_id"].transform("size")
    seen, size = seen[size > 1], size[size > 1].to_numpy()
    if seen.empty:
        raise ValueError("events has no user who consumed two items that have a text")
    rng = np.random.default_rng(random_state)
    first = seen.groupby("user_id").ngroup().to_numpy()
    start = np.flatnonzero(np.diff(first, prepend=-1))[first]
    one = rng.integers(len(seen), size=n_pairs)
    # A step of 1 to size − 1 within the user's rows never lands on the same item.
    step = 1 + (rng.random(n_pairs) * (size[one] - 1)).astype(np.int64)
    other = start[one] + (one - start[one] + step) % size[one]
    ids = seen["item_id"].to_numpy()
    return pd.DataFrame(
        {"left": texts.loc[ids[one]].to_numpy(), "right": texts.loc[ids[other]].to_numpy()}
    )


def _texts_of(pairs: pd.DataFrame | Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Return both sides of the pairs, sorted, without those that lack a text."""
    if isinstance(pairs, pd.DataFrame):
        missing = [c for c in ("left", "right") if c not in pairs]
        if missing:
            raise ValueError(f"pairs lacks the column(s) {shown(missing)}; it has {shown(pairs)}")
        rows = list(zip(pairs["left"], pairs["right"], strict=True))
    else:
        rows = [tuple(pair) if not isinstance(pair, str) else (pair,) for pair in pairs]
    wrong = [row for row in rows if len(row) != 2]
    if wrong:
        raise TypeError(f"pairs must be pairs of texts, got {shown(wrong)}")
    there = [row for row in rows if not any(t is None or t != t for t in row)]
    bad = [t for row in there for t in row if not isinstance(t, str)]
    if bad:
        raise TypeError(f"pairs must be pairs of texts, got {shown(bad)}")
    kept = sorted((valid_text(a), valid_text(b)) for a, b in there if a.strip() and b.strip())
    if len({a for a, _ in kept}) < 4:
        raise ValueError(f"pairs has {len({a for a, _ in kept})} left texts; training needs 4")
    return [a for a, _ in kept], [b for _, b in kept]


def _fingerprint(folder: Path) -> str:
    mark = hashlib.sha256()
    for path in [folder / "config.json", *sorted(folder.glob("model*.safetensors"))]:
        mark.update(path.read_bytes())
    return mark.hexdigest()


def _hold_fixed(model: Any, n_layers: int | None) -> None:
    """Let only the last layers require a gradient."""
    if n_layers is None:
        return
    import torch

    total = int(model.config.num_hidden_layers)
    if check_count(n_layers, "n_layers") > total:
        raise ValueError(f"n_layers must be at most {total}, the layers of the model")
    lists = [m for m in model.modules() if isinstance(m, torch.nn.ModuleList) and len(m) == total]
    model.requires_grad_(False)
    for layer in lists[0][-n_layers:]:
        layer.requires_grad_(True)


class _ContrastiveTask:
    """An encoder with its pairs: the loss of a batch, and of the pairs held out."""

    def __init__(
        self, encoder: TextEncoder, left: list[str], right: list[str], settings: dict[str, Any]
    ) -> None:
        self.model = encoder.model_
        self.device = encoder.device_
        self.temperature = settings["temperature"]
        self.batch_size = settings["batch_size"]
        tokenizer = encoder.tokenizer_
        self.pad = tokenizer.pad_token_id or 0
        positions = getattr(self.model.config, "max_position_embeddings", settings["max_tokens"])
        self.max_tokens = min(settings["max_tokens"], positions, tokenizer.model_max_length)
        codes, distinct = pd.factorize(np.array([*left, *right], dtype=object))
        self.left, self.right = codes[: len(left)], codes[len(left) :]
        self.rows = tokenizer(list(distinct), truncation=True, max_length=self.max_tokens)[
            "input_ids"
        ]
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
        states = self.model(
            input_ids=torch.from_numpy(ids).to(self.device), attention_mask=mask.long()
        ).last_hidden_state
        weight = mask.unsqueeze(-1)
        return (states * weight).sum(dim=1) / weight.sum(dim=1)
