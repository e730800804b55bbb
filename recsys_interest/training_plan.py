"""How long and how fast to train, and what a training returns.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recsys_interest.checks import check_count, check_share

__all__ = ["TrainingPlan", "TrainingResult", "losses_frame"]


@dataclass(frozen=True)
class TrainingPlan:
    r"""How long, how fast and how often looked at.

    The rate rises linearly for the first steps and falls linearly to zero at the last one:

    .. math:: \eta_t = \eta \, \min\Bigl(\frac{t + 1}{w},\; \frac{T - t}{T - w}\Bigr), \quad
       w = \max(1, \lfloor \text{warmup\_share} \cdot T \rfloor)

    Parameters
    ----------
    steps : int, default 300
        :math:`T`, the most steps.
    batch_size : int, default 64
        Texts, or pairs of texts, in a step.
    learning_rate : float, default 0.001
        :math:`\eta`, the highest rate of AdamW.
    warmup_share : float, default 0.1
        Share of the steps in which the rate rises, from 0 to below 1.
    weight_decay : float, default 0.01
        AdamW's.
    evaluate_every : int, default 50
        Steps between two looks at the held-out loss; each look is also a checkpoint.
    patience : int, default 3
        Stop after so many looks without a new lowest held-out loss.

    Raises
    ------
    TypeError
        If a number is of the wrong kind.
    ValueError
        If a number is out of range.

    Notes
    -----
    AdamW: Loshchilov and Hutter (2019). Chapter 04, "Training the language model".

    Examples
    --------
    >>> plan = TrainingPlan(steps=10, learning_rate=0.1, warmup_share=0.2)
    >>> [round(plan.rate(step), 3) for step in (0, 1, 2, 9)]
    [0.05, 0.1, 0.1, 0.013]
    """

    steps: int = 300
    batch_size: int = 64
    learning_rate: float = 1e-3
    warmup_share: float = 0.1
    weight_decay: float = 0.01
    evaluate_every: int = 50
    patience: int = 3

    def __post_init__(self) -> None:
        for name in ("steps", "evaluate_every", "patience"):
            check_count(getattr(self, name), name)
        check_count(self.batch_size, "batch_size", 2)
        for name, highest in (
            ("learning_rate", 1.0),
            ("warmup_share", 0.99),
            ("weight_decay", 1.0),
        ):
            check_share(getattr(self, name), name, highest)
        if self.learning_rate == 0:
            raise ValueError("learning_rate must be above 0, got 0")

    def rate(self, step: int) -> float:
        """Return the learning rate of a step; the first step is 0.

        Parameters
        ----------
        step : int
            The step.

        Returns
        -------
        float
            The rate.
        """
        warmup = max(1, int(self.warmup_share * self.steps))
        falling = (self.steps - step) / max(1, self.steps - warmup)
        return self.learning_rate * min((step + 1) / warmup, falling)


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """A trained model, and how its training went.

    Attributes
    ----------
    folder : Path
        The model: `TextEncoder` loads it.
    losses : DataFrame
        One row for each look: `step`, `train_loss` (mean over the steps since the last look; NaN at
        step 0) and `held_out_loss`.
    best_step : int
        The step with the lowest held-out loss, whose weights were kept.
    stopped_early : bool
        Whether the held-out loss stopped falling before the last step.
    n_parameters : int
        Numbers in the model, those held fixed included.
    """

    folder: Path
    losses: pd.DataFrame
    best_step: int
    stopped_early: bool
    n_parameters: int

    def __repr__(self) -> str:
        first, best = self.losses["held_out_loss"].iloc[0], self.losses["held_out_loss"].min()
        end = "stopped early" if self.stopped_early else "ran to the end"
        return (
            f"TrainingResult({self.n_parameters:,} parameters; held-out loss {first:.3f} → "
            f"{best:.3f} at step {self.best_step}; {end})"
        )


def losses_frame(rows: list[dict[str, float | None]]) -> pd.DataFrame:
    """Return the looks at the losses as a table.

    >>> losses_frame([{"step": 0, "train_loss": None, "held_out_loss": 2.0}])["step"].tolist()
    [0]
    """
    frame = pd.DataFrame(rows, columns=["step", "train_loss", "held_out_loss"])
    return frame.astype({"step": "int64", "train_loss": "float64", "held_out_loss": "float64"})
