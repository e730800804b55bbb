"""The loop of every training: seeded steps, held-out loss, early stop, checkpoints to resume from.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys_interest.training_plan import TrainingPlan, TrainingResult, losses_frame

if TYPE_CHECKING:
    import torch

__all__ = ["Run", "finished", "keep", "settings_digest", "train"]

logger = logging.getLogger(__name__)

#: Version of the checkpoints and of the record of a finished training.
FORMAT_VERSION = 1
RECORD = "training.json"
CHECKPOINTS = ".checkpoints"
_LARGEST_GRADIENT = 1.0


def settings_digest(settings: dict[str, Any], *contents: list[str]) -> dict[str, Any]:
    """Return the settings with a fingerprint of the texts: what makes one training that training.

    >>> sorted(settings_digest({"steps": 3}, ["a", "b"]))
    ['content', 'steps']
    """
    mark = hashlib.sha256()
    for texts in contents:
        for text in [*texts, "\x00"]:
            mark.update(text.encode("utf-8", "surrogatepass") + b"\x1f")
    return json.loads(json.dumps({**settings, "content": mark.hexdigest()}))


def finished(folder: Path, settings: dict[str, Any]) -> TrainingResult | None:
    """Return the result of a training that ended in this folder; None if there was none.

    Parameters
    ----------
    folder : Path
        Where the model is, or is to be.
    settings : dict
        What `settings_digest` returns.

    Returns
    -------
    TrainingResult or None
        The recorded one.

    Raises
    ------
    FileExistsError
        If the folder holds another training, or something else.
    """
    if not (folder / RECORD).is_file():
        strangers = [p.name for p in folder.iterdir()] if folder.is_dir() else []
        if strangers and not (folder / CHECKPOINTS).is_dir():
            raise FileExistsError(f"{folder} holds something else; choose a new folder")
        return None
    record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    _check_same(record.get("settings", {}), settings, folder)
    return TrainingResult(
        folder=folder,
        losses=losses_frame(record["losses"]),
        best_step=record["best_step"],
        stopped_early=record["stopped_early"],
        n_parameters=record["n_parameters"],
    )


def keep(
    folder: Path, settings: dict[str, Any], run: Run, save: Callable[[Path], None]
) -> TrainingResult:
    """Write the model with `save`, then the record, and only then drop the checkpoints.

    Parameters
    ----------
    folder : Path
        Where.
    settings : dict
        What `settings_digest` returns.
    run : Run
        What `train` returns.
    save : callable
        Writes the model's files into the folder it is given.

    Returns
    -------
    TrainingResult
        What was kept.
    """
    save(folder)
    record = {
        "format_version": FORMAT_VERSION,
        "settings": settings,
        "losses": run.rows,
        "best_step": run.best_step,
        "stopped_early": run.step < run.plan.steps,
        "n_parameters": sum(p.numel() for p in run.module.parameters()),
    }
    partial = folder / f".{RECORD}-{token_hex(4)}"
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, folder / RECORD)
    shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
    result = finished(folder, settings)
    assert result is not None
    logger.info("%r in %s", result, folder)
    return result


def train(
    module: torch.nn.Module,
    loss_at: Callable[[np.random.Generator], torch.Tensor],
    held_out: Callable[[], float],
    plan: TrainingPlan,
    *,
    folder: Path | None,
    settings: dict[str, Any],
    random_state: int,
    progress: bool = True,
    name: str = "training",
) -> Run:
    """Train until the plan ends or the held-out loss stops falling; go on where a kill left off.

    Parameters
    ----------
    module : torch.nn.Module
        What is trained: those of its parameters that require a gradient. It ends with the weights
        of the lowest held-out loss, in evaluation mode.
    loss_at : callable
        The loss of one batch, drawn with the generator it is given.
    held_out : callable
        The loss on what is never trained on; the same at every call with the same weights.
    plan : TrainingPlan
        How long and how fast.
    folder : Path or None
        Below it the checkpoints are kept; None keeps none.
    settings : dict
        What `settings_digest` returns; checkpoints of other settings are an error.
    random_state : int
        Seed of every step.
    progress : bool, default True
        Show a bar when it takes longer than two seconds.
    name : str, default "training"
        What the bar says.

    Returns
    -------
    Run
        The state at the end.

    Raises
    ------
    FileExistsError
        If there are checkpoints of another training.
    FloatingPointError
        If the loss is not finite.

    Notes
    -----
    Batch, masks and dropout of a step depend on `random_state` and the number of the step alone.
    So a checkpoint has no state of a random generator to keep, and resuming changes no bit.
    """
    from tqdm.auto import tqdm

    run = Run(module, plan)
    if folder is not None:
        run.load(folder, settings)
    with (
        _own_randomness(),
        tqdm(total=plan.steps, initial=run.step, desc=name, delay=2, disable=not progress) as bar,
    ):
        if not run.rows:
            run.look(held_out)
            run.save(folder, settings)
        while run.step < plan.steps and run.waited < plan.patience:
            run.advance(loss_at, random_state)
            bar.update()
            if run.step % plan.evaluate_every == 0 or run.step == plan.steps:
                run.look(held_out)
                run.save(folder, settings)
    run.restore_best()
    return run


class Run:
    """The state of a training between two steps."""

    def __init__(self, module: torch.nn.Module, plan: TrainingPlan) -> None:
        import torch

        self.module = module
        self.plan = plan
        self.trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
        self.optimizer = torch.optim.AdamW(
            self.trained.values(), lr=plan.learning_rate, weight_decay=plan.weight_decay
        )
        self.best = self._weights()
        self.step = 0
        self.best_step = 0
        self.waited = 0
        self.rows: list[dict[str, float | None]] = []
        self.since_look: list[float] = []

    def advance(
        self, loss_at: Callable[[np.random.Generator], torch.Tensor], random_state: int
    ) -> None:
        """Take one step."""
        import torch

        seeds = np.random.SeedSequence([random_state, self.step])
        torch.manual_seed(int(seeds.generate_state(1)[0]))
        self.module.train()
        for group in self.optimizer.param_groups:
            group["lr"] = self.plan.rate(self.step)
        loss = loss_at(np.random.default_rng(seeds))
        if not torch.isfinite(loss):
            raise FloatingPointError(
                f"the loss is {loss.item()} at step {self.step}; "
                f"lower learning_rate, {self.plan.learning_rate}"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained.values(), _LARGEST_GRADIENT)
        self.optimizer.step()
        self.since_look.append(loss.item())
        self.step += 1

    def look(self, held_out: Callable[[], float]) -> None:
        """Measure the held-out loss, and keep the weights if it is the lowest so far."""
        import torch

        self.module.eval()
        with torch.inference_mode():
            loss = held_out()
        if not math.isfinite(loss):
            raise FloatingPointError(f"the held-out loss is {loss} at step {self.step}")
        lowest = min((row["held_out_loss"] or 0.0 for row in self.rows), default=math.inf)
        self.waited = 0 if loss < lowest else self.waited + 1
        if loss < lowest:
            self.best, self.best_step = self._weights(), self.step
        mean = float(np.mean(self.since_look)) if self.since_look else None
        self.rows.append({"step": self.step, "train_loss": mean, "held_out_loss": loss})
        self.since_look = []
        logger.info("step %d: held-out loss %.4f", self.step, loss)

    def restore_best(self) -> None:
        """Put the weights of the lowest held-out loss back."""
        self._put(self.best)
        self.module.eval()

    def save(self, folder: Path | None, settings: dict[str, Any]) -> None:
        """Write a checkpoint beside the last one, then drop the last one."""
        from safetensors.torch import save_file

        if folder is None:
            return
        place = folder / CHECKPOINTS
        place.mkdir(parents=True, exist_ok=True)
        new = place / f".saving-{token_hex(4)}"
        new.mkdir()
        save_file(self._weights(), new / "weights.safetensors")
        save_file(self.best, new / "best.safetensors")
        moments = self.optimizer.state_dict()["state"]
        flat = {f"{i}.{k}": v.cpu().clone() for i, m in moments.items() for k, v in m.items()}
        save_file(flat, new / "optimizer.safetensors")
        state = {k: getattr(self, k) for k in ("step", "best_step", "waited", "rows")}
        state |= {"format_version": FORMAT_VERSION, "settings": settings}
        (new / "state.json").write_text(json.dumps(state), encoding="utf-8")
        done = place / f"step-{self.step:08d}"
        shutil.rmtree(done, ignore_errors=True)
        os.replace(new, done)
        for other in place.iterdir():
            if other != done:
                shutil.rmtree(other, ignore_errors=True)

    def load(self, folder: Path, settings: dict[str, Any]) -> None:
        """Take up the newest checkpoint, if there is one."""
        from safetensors.torch import load_file

        there = sorted((folder / CHECKPOINTS).glob("step-*"))
        if not there:
            return
        state = json.loads((there[-1] / "state.json").read_text(encoding="utf-8"))
        _check_same(state.pop("settings"), settings, folder)
        for key in ("step", "best_step", "waited", "rows"):
            setattr(self, key, state[key])
        self._put(load_file(there[-1] / "weights.safetensors"))
        self.best = load_file(there[-1] / "best.safetensors")
        states: dict[int, dict[str, torch.Tensor]] = {}
        for key, value in load_file(there[-1] / "optimizer.safetensors").items():
            number, _, what = key.partition(".")
            states.setdefault(int(number), {})[what] = value
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": states})
        logger.info("going on after step %d, found in %s", self.step, there[-1])

    def _weights(self) -> dict[str, torch.Tensor]:
        return {
            n: p.detach().cpu().clone(memory_format=_contiguous()) for n, p in self.trained.items()
        }

    def _put(self, weights: dict[str, torch.Tensor]) -> None:
        import torch

        with torch.no_grad():
            for name, parameter in self.trained.items():
                parameter.copy_(weights[name])


def _contiguous() -> torch.memory_format:
    import torch

    return torch.contiguous_format


@contextmanager
def _own_randomness() -> Iterator[None]:
    """Leave torch's global random state as it was."""
    import torch

    gpus = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=gpus):
        yield


def _check_same(found: dict[str, Any], asked: dict[str, Any], folder: Path) -> None:
    other = sorted(k for k in {*found, *asked} if found.get(k) != asked.get(k))
    if other:
        name = other[0]
        said = (
            "other texts"
            if name == "content"
            else f"{name}={found.get(name)!r} instead of {asked.get(name)!r}"
        )
        raise FileExistsError(
            f"{folder} holds a training with {said}; choose a new folder or delete that one"
        )
