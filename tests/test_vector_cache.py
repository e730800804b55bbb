from __future__ import annotations

import copy
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.encoder import TextEncoder
from recsys_interest.vector_cache import VectorCache
from tests.cache_writer import WIDTH, fill, key, vector
from tests.tiny_models import make_tiny_bert


def check(cache, numbers):
    """Return how many of the numbers are there; what is there must be right."""
    found, vectors, flags = cache.get([key(n) for n in numbers], WIDTH)
    for number, there, row, flag in zip(numbers, found, vectors, flags, strict=True):
        np.testing.assert_array_equal(row, vector(number) if there else 0)
        assert flag == (there and number % 3 == 0)
    return int(found.sum())


@pytest.fixture
def cache(tmp_path):
    return VectorCache(tmp_path / "deep" / "vectors.sqlite")


def test_what_was_put_is_found_and_nothing_else(cache):
    assert check(cache, range(5)) == 0
    fill(cache, range(300))
    assert check(cache, range(400)) == 300
    assert check(VectorCache(cache.path), [399, 7, 7, 0, 350]) == 3
    assert len(cache) == 300


@settings(deadline=None, max_examples=25)
@given(
    steps=st.lists(
        st.tuples(st.booleans(), st.lists(st.integers(0, 60), min_size=1, max_size=20)), max_size=8
    )
)
def test_any_sequence_of_calls_finds_what_was_put(tmp_path_factory, steps):
    cache = VectorCache(tmp_path_factory.mktemp("cache") / "vectors.sqlite")
    stored = set()
    for put, numbers in steps:
        if put:
            fill(cache, numbers)
            stored |= set(numbers)
        assert check(cache, numbers) == sum(n in stored for n in numbers)
    assert check(VectorCache(cache.path), range(61)) == len(stored)


def test_vectors_of_another_length_are_not_found(cache):
    fill(cache, [1])
    found, vectors, _ = cache.get([key(1)], WIDTH + 1)
    assert not found.any()
    assert vectors.shape == (1, WIDTH + 1)


def test_small_writes_are_joined(cache):
    fill(cache, range(100), size=1)
    with sqlite3.connect(cache.path) as database:
        assert database.execute("select count(*) from chunk_1").fetchone()[0] <= 3
    database.close()
    assert check(cache, range(100)) == 100


def test_clear_gives_the_space_back(cache):
    fill(cache, range(2000))
    full = cache.nbytes
    cache.clear()
    assert len(cache) == 0
    assert cache.nbytes < full / 5
    assert check(cache, range(2000)) == 0
    fill(cache, range(10))
    assert check(cache, range(2000)) == 10


def test_the_oldest_are_dropped_when_it_is_full(tmp_path):
    limit = 200_000
    cache = VectorCache(tmp_path / "vectors.sqlite", max_bytes=limit)
    for start in range(0, 15_000, 500):
        fill(cache, range(start, start + 500))
        assert cache.nbytes <= 1.1 * limit
    assert check(cache, range(14_500, 15_000)) == 500
    assert check(cache, range(500)) == 0
    assert sum(f.stat().st_size for f in tmp_path.iterdir()) < 30 * limit


def test_what_another_object_changed_is_seen(cache):
    other = VectorCache(cache.path)
    fill(cache, range(50))
    assert check(other, range(50)) == 50
    other.clear()
    assert check(cache, range(50)) == 0
    fill(other, range(10), size=1)
    assert check(cache, range(50)) == 10


def test_a_damaged_file_is_put_aside(cache, caplog):
    fill(cache, range(300))
    cache.path.write_bytes(b"not a database" * 1000)
    fresh = VectorCache(cache.path)
    assert check(fresh, range(300)) == 0
    assert "is damaged" in caplog.text
    assert cache.path.with_name("vectors.sqlite.damaged").exists()
    fill(fresh, range(300))
    assert check(fresh, range(300)) == 300


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("recsys_interest.vector_cache._PATIENCE", 0.01)
    cache = VectorCache(tmp_path / "vectors.sqlite")
    fill(cache, range(5))
    with sqlite3.connect(cache.path, isolation_level=None) as other:
        other.execute("begin immediate")
        fill(cache, range(5, 10))
    other.close()
    assert "cannot write the cache" in caplog.text
    assert check(cache, range(10)) == 5


def test_copies_are_complete(cache):
    fill(cache, range(20))
    for again in (copy.deepcopy(cache), pickle.loads(pickle.dumps(cache))):
        assert check(again, range(20)) == 20


@pytest.mark.parametrize(
    ("keys", "rows"), [([b"short"], 1), ([b"0" * 16], 2), ([b"0" * 16] * 2, 1)]
)
def test_keys_must_fit(cache, keys, rows):
    with pytest.raises(ValueError, match="one key of 16 bytes is needed for each row"):
        cache.put(keys, np.zeros((rows, WIDTH), dtype=np.float32))


# Several processes, and the end of one


def writer(path, first, stop):
    command = [sys.executable, "-m", "tests.cache_writer", str(path), str(first), str(stop)]
    root = Path(__file__).resolve().parent.parent
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root)


def test_two_processes_write_at_the_same_time(cache):
    both = [writer(cache.path, 0, 400), writer(cache.path, 200, 600)]
    for process in both:
        process.communicate()
        assert process.returncode == 0
    assert check(cache, range(700)) == 600


def test_a_kill_at_any_moment_loses_nothing_that_was_written(cache):
    reached = 0
    for lines in (1, 4, 9, 2):
        process = writer(cache.path, reached, 10**6)
        said = [int(process.stdout.readline()) for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        said += [int(line) for line in rest.split("\n")[:-1]]
        assert process.returncode == -signal.SIGKILL
        reached = said[-1] + 20
        # All batches that were reported are there, whole; what was being written may be.
        again = VectorCache(cache.path)
        assert check(again, range(reached)) == reached
        assert len(again) % 20 == 0
        with sqlite3.connect(cache.path) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
        database.close()


def test_threads_share_one_cache(cache):
    def work(first):
        fill(cache, range(first, first + 100), size=10)

    threads = [threading.Thread(target=work, args=[n]) for n in (0, 100, 200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert check(cache, range(300)) == 300


# The encoder's use of it


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(make_tiny_bert(tmp_path_factory.mktemp("tiny") / "bert"))


TEXTS = pd.Series(["a tent", "red song", "", None, "tent " * 60, "a tent"])


def never(rows, pooling):
    raise AssertionError("the network was asked")


@pytest.mark.parametrize("long_text", ["truncate", "windows"])
def test_a_second_call_asks_no_network(model, tmp_path, monkeypatch, long_text):
    settings_ = {"long_text": long_text, "progress": False}
    plain = TextEncoder(model, **settings_).fit()
    expected = plain.transform(TEXTS)
    first = TextEncoder(model, cache=tmp_path / "vectors", **settings_).fit()
    pd.testing.assert_frame_equal(first.transform(TEXTS), expected)
    second = TextEncoder(model, cache=str(tmp_path / "vectors"), **settings_).fit()
    monkeypatch.setattr(second._language_model, "vectors", never)
    pd.testing.assert_frame_equal(second.transform(TEXTS), expected, check_exact=True)
    assert first.n_truncated_ == second.n_truncated_ == plain.n_truncated_
    assert plain.n_truncated_ == (long_text == "truncate")
    with pytest.raises(AssertionError, match="the network was asked"):
        second.transform(["another text"])


def test_what_a_vector_depends_on_is_in_its_key(model, tmp_path):
    cache = VectorCache(tmp_path / "vectors")
    other = str(make_tiny_bert(tmp_path / "other", seed=1))
    variants = [
        {},
        {"model": other},
        {"pooling": "max"},
        {"max_tokens": 4},
        {"long_text": "windows"},
        {"dtype": "bfloat16"},
        {"prompt": "red "},
    ]
    for variant in variants:
        given_ = {"model": model, "progress": False, **variant}
        expected = TextEncoder(**given_).transform(["tent and novel " * 3, "tent " * 50])
        found = TextEncoder(cache=cache, **given_).transform(["tent and novel " * 3, "tent " * 50])
        pd.testing.assert_frame_equal(found, expected)
    assert len(cache) == 2 * len(variants)
    unnormalised = TextEncoder(model, normalize=False, cache=cache, progress=False)
    raw = unnormalised.transform(["tent and novel " * 3])
    assert len(cache) == 2 * len(variants)  # the same entry serves both
    assert abs(np.linalg.norm(raw.to_numpy()) - 1) > 0.1


def test_a_copy_of_the_model_has_the_same_fingerprint(model, tmp_path):
    from shutil import copytree

    from recsys_interest.models import fingerprint

    there = Path(copytree(model, tmp_path / "copy"))
    assert fingerprint(there) == fingerprint(Path(model))
    (there / "config.json").write_text((there / "config.json").read_text() + " ")
    assert fingerprint(there) != fingerprint(Path(model))


def test_a_trained_model_does_not_use_the_cache(model, tmp_path, caplog):
    import torch

    encoder = TextEncoder(model, cache=tmp_path / "vectors", progress=False).fit()
    before = encoder.transform(["tent"])
    with torch.no_grad():
        encoder.model_.encoder.layer[1].output.dense.weight.mul_(-1)
    assert not np.allclose(encoder.transform(["tent"]), before)
    assert "the model was trained since it was loaded" in caplog.text
    assert len(VectorCache(tmp_path / "vectors")) == 1


def test_default_is_in_the_cache_folder(model, tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_INTEREST_CACHE", str(tmp_path))
    TextEncoder(model, cache="default", progress=False).transform(["tent"])
    assert len(VectorCache(tmp_path / "vectors.sqlite")) == 1


def test_the_kind_of_cache_is_checked(model):
    with pytest.raises(TypeError, match="cache must be a file, 'default' or a VectorCache, got 5"):
        TextEncoder(model, cache=5).fit()
