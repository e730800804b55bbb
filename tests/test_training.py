from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from recsys_interest.pretraining import pretrain
from recsys_interest.training import Run, finished, keep, settings_digest, train
from recsys_interest.training_plan import TrainingPlan

CORPUS = [f"{a} {b} {c}" for a in ("red", "old") for b in ("tent", "炉子") for c in "xyzuvw"]
TINY = {"hidden_size": 8, "n_layers": 1, "n_heads": 2, "progress": False}
PLAN = TrainingPlan(steps=8, batch_size=6, evaluate_every=2, patience=8)


class Line(torch.nn.Module):
    """y = w x, whose right w is 3: the loss is known at every step."""

    def __init__(self) -> None:
        super().__init__()
        self.w = torch.nn.Parameter(torch.zeros(()))

    def loss_at(self, rng: np.random.Generator) -> torch.Tensor:
        x = torch.tensor(rng.random(4) + 0.5)
        return ((self.w - 3) * x).square().mean()

    def held_out(self) -> float:
        return float((self.w - 3) ** 2)


def run_line(folder, plan, *, line=None, held_out=None, settings=None, random_state=0):
    line = line or Line()
    return train(
        line,
        line.loss_at,
        held_out or line.held_out,
        plan,
        folder=folder,
        settings=settings or {"task": "line"},
        random_state=random_state,
        progress=False,
    )


def test_the_rate_rises_and_falls():
    plan = TrainingPlan(steps=100, learning_rate=0.5, warmup_share=0.1)
    rates = [plan.rate(step) for step in range(100)]
    assert max(rates) == rates[9] == 0.5
    assert all(np.diff(rates[:10]) > 0)
    assert all(np.diff(rates[10:]) < 0)
    assert rates[99] == pytest.approx(0.5 / 90)


def test_training_learns_and_reports(tmp_path):
    run = run_line(tmp_path, TrainingPlan(steps=200, learning_rate=0.1, evaluate_every=50))
    assert [row["step"] for row in run.rows] == [0, 50, 100, 150, 200]
    assert run.rows[0] == {"step": 0, "train_loss": None, "held_out_loss": 9.0}
    assert run.rows[-1]["held_out_loss"] < 0.01
    assert run.module.w.item() == pytest.approx(3, abs=0.1)


def test_it_stops_when_the_held_out_loss_stops_falling_and_keeps_the_best(tmp_path):
    losses = iter([5.0, 4.0, 4.0, 4.5, 1.0, 0.0])
    line = Line()
    weights = []

    def held_out():
        weights.append(line.w.item())
        return next(losses)

    plan = TrainingPlan(steps=50, learning_rate=0.1, evaluate_every=1, patience=2)
    run = run_line(tmp_path, plan, line=line, held_out=held_out)
    assert (run.step, run.best_step, run.waited) == (3, 1, 2)
    assert line.w.item() == weights[1] != weights[3]


def test_a_training_that_raises_goes_on_and_ends_the_same(tmp_path):
    plan = TrainingPlan(steps=12, learning_rate=0.1, evaluate_every=3, patience=9)
    whole = run_line(tmp_path / "whole", plan)

    line, calls = Line(), []

    def fails_in_step_8(rng):
        calls.append(rng)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return Line.loss_at(line, rng)

    line.loss_at = fails_in_step_8
    with pytest.raises(KeyboardInterrupt):
        run_line(tmp_path / "parts", plan, line=line)
    (left,) = (tmp_path / "parts" / ".checkpoints").iterdir()
    assert left.name == "step-00000006"
    parts = run_line(tmp_path / "parts", plan)
    assert parts.rows == whole.rows
    assert torch.equal(parts.module.w, whole.module.w)


@pytest.mark.parametrize("change", [{"random_state": 1}, {"plan": TrainingPlan(steps=6)}])
def test_another_seed_or_plan_is_another_training(tmp_path, change):
    plan = TrainingPlan(steps=6, learning_rate=0.1, evaluate_every=3)
    first = run_line(tmp_path / "a", plan)
    second = run_line(tmp_path / "b", **{"plan": plan, **change})
    assert first.rows != second.rows


def test_checkpoints_of_another_training_are_not_taken_up(tmp_path):
    plan = TrainingPlan(steps=2, evaluate_every=1)
    run_line(tmp_path, plan, settings={"task": "line", "temperature": 1})
    with pytest.raises(FileExistsError, match="temperature=1 instead of 2"):
        run_line(tmp_path, plan, settings={"task": "line", "temperature": 2})


def test_torch_s_own_random_state_is_left_alone(tmp_path):
    before = torch.get_rng_state()
    run_line(tmp_path, TrainingPlan(steps=3))
    pretrain(CORPUS, tmp_path / "model", **TINY, plan=TrainingPlan(steps=1, batch_size=4))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loss_that_explodes_is_named(tmp_path):
    line = Line()
    line.loss_at = lambda rng: line.w * float("nan")
    with pytest.raises(FloatingPointError, match="the loss is nan at step 0; lower learning_rate"):
        run_line(tmp_path, TrainingPlan(steps=3), line=line)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": 2.5}, TypeError, "steps must be a whole number, got 2.5"),
        ({"batch_size": 1}, ValueError, "batch_size must be at least 2, got 1"),
        ({"learning_rate": 0}, ValueError, "learning_rate must be above 0, got 0"),
        ({"learning_rate": "fast"}, TypeError, "learning_rate must be a num.* got 'fast'"),
        ({"warmup_share": 1}, ValueError, "warmup_share must be from 0 to 0.99, got 1"),
        ({"weight_decay": math.nan}, ValueError, "weight_decay must be from 0 to 1.0, got nan"),
    ],
)
def test_wrong_plans_are_named(wrong, error, message):
    with pytest.raises(error, match=message):
        TrainingPlan(**wrong)


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(FileExistsError, match="holds something else; choose a new folder"):
        finished(tmp_path, {})
    assert finished(tmp_path / "new", {}) is None


def test_a_kill_while_the_model_is_written_costs_nothing(tmp_path):
    settings = settings_digest({"task": "line"}, ["a"])
    plan = TrainingPlan(steps=4, learning_rate=0.1, evaluate_every=2)
    run = run_line(tmp_path, plan, settings=settings)

    def half_written(folder: Path) -> None:
        (folder / "config.json").write_text("{")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keep(tmp_path, settings, run, half_written)
    assert finished(tmp_path, settings) is None
    again = run_line(tmp_path, plan, settings=settings)
    result = keep(tmp_path, settings, again, lambda folder: None)
    assert result.losses["held_out_loss"].tolist() == [r["held_out_loss"] for r in run.rows]
    assert not (tmp_path / ".checkpoints").exists()
    assert not list(tmp_path.rglob("*.pkl")) + list(tmp_path.rglob("*.pt"))


# A real training, really killed

KILLED = """
import os, signal, sys
from recsys_interest.training import Run
from tests.test_training import CORPUS, PLAN, TINY, pretrain

save = Run.save

def save_then_die(self, folder, settings):
    save(self, folder, settings)
    if self.step == 4:
        half = folder / ".checkpoints" / ".saving-half"
        half.mkdir()
        (half / "weights.safetensors").write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

Run.save = save_then_die
pretrain(CORPUS, sys.argv[1], **TINY, plan=PLAN)
"""


def test_a_killed_pretraining_goes_on_and_ends_bit_for_bit_the_same(tmp_path, monkeypatch):
    threads = torch.get_num_threads()
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "killed")],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert sorted(p.name for p in (tmp_path / "killed" / ".checkpoints").iterdir()) == [
        ".saving-half",
        "step-00000004",
    ]
    steps = []
    advance = Run.advance
    monkeypatch.setattr(
        Run, "advance", lambda self, *a: steps.append(self.step) or advance(self, *a)
    )
    resumed = pretrain(CORPUS, tmp_path / "killed", **TINY, plan=PLAN)
    assert steps == [4, 5, 6, 7]
    whole = pretrain(CORPUS, tmp_path / "whole", **TINY, plan=PLAN)
    assert len(steps) == 12
    pd.testing.assert_frame_equal(resumed.losses, whole.losses, check_exact=True)
    weights = [load_file(r.folder / "model.safetensors") for r in (resumed, whole)]
    assert weights[0].keys() == weights[1].keys()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_record_is_json_and_a_finished_training_is_not_repeated(tmp_path, monkeypatch):
    first = pretrain(CORPUS, tmp_path / "m", **TINY, plan=PLAN)
    record = json.loads((tmp_path / "m" / "training.json").read_text())
    assert record["settings"]["steps"] == 8
    monkeypatch.setattr(Run, "advance", lambda *a: pytest.fail("trained again"))
    again = pretrain(list(reversed(CORPUS)), tmp_path / "m", **TINY, plan=PLAN)
    pd.testing.assert_frame_equal(first.losses, again.losses)
    assert repr(first) == repr(again)
    with pytest.raises(FileExistsError, match="holds a training with other texts"):
        pretrain([*CORPUS, "more"], tmp_path / "m", **TINY, plan=PLAN)
    longer = dataclasses.replace(PLAN, steps=9)
    with pytest.raises(FileExistsError, match="steps=8 instead of 9"):
        pretrain(CORPUS, tmp_path / "m", **TINY, plan=longer)
