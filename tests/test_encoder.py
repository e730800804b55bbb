from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.encoder import TextEncoder
from recsys_interest.models import ModelNotFoundError
from tests.tiny_models import FAMILIES, make_tiny_bert, make_tiny_model

TEXTS = ["the tent", "stove and tent", "a novel", "red guitar song and poem, reading the novel"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return str(make_tiny_bert(tmp_path_factory.mktemp("tiny") / "bert"))


@pytest.fixture(scope="module")
def encoder(model):
    return TextEncoder(model, progress=False).fit()


def states_of(encoder, text):
    import torch

    with torch.inference_mode():
        ids = encoder.tokenizer_(text, return_tensors="pt")
        return encoder.model_(**ids).last_hidden_state[0].numpy()


@pytest.mark.rows("F08")
@pytest.mark.parametrize(
    ("pooling", "by_hand"),
    [
        ("mean", lambda h: h.mean(axis=0)),
        ("cls", lambda h: h[0]),
        ("max", lambda h: h.max(axis=0)),
    ],
)
def test_pooling_is_what_it_says(model, pooling, by_hand):
    encoder = TextEncoder(model, pooling=pooling, normalize=False, progress=False).fit()
    found = encoder.transform(TEXTS).to_numpy()
    expected = np.stack([by_hand(states_of(encoder, text)) for text in TEXTS])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_normalize_gives_unit_vectors_in_the_same_direction(model, encoder):
    raw = TextEncoder(model, normalize=False, progress=False).transform(TEXTS).to_numpy()
    unit = encoder.transform(TEXTS).to_numpy()
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(unit, raw / np.linalg.norm(raw, axis=1, keepdims=True), atol=1e-5)


@pytest.mark.rows("F08")
@settings(deadline=None, max_examples=40)
@given(
    texts=st.lists(st.text("abcdefgh tent", max_size=30), min_size=1, max_size=12),
    batch_tokens=st.integers(1, 200),
)
def test_a_vector_does_not_depend_on_its_batch(encoder, texts, batch_tokens):
    usual = encoder.batch_tokens
    try:
        encoder.set_params(batch_tokens=batch_tokens)
        together = encoder.transform(texts).to_numpy()
    finally:
        encoder.set_params(batch_tokens=usual)
    for position, text in enumerate(texts):
        alone = encoder.transform([text]).to_numpy()[0]
        np.testing.assert_allclose(together[position], alone, atol=1e-5)


def test_row_order_changes_no_bit(encoder):
    texts = pd.Series([f"{a} {b}" for a in ("tent", "novel") for b in ("red", "song", "and the")])
    shuffled = texts.sample(frac=1, random_state=3)
    expected = encoder.transform(texts).loc[shuffled.index]
    pd.testing.assert_frame_equal(encoder.transform(shuffled), expected, check_exact=True)


def test_the_index_is_kept_and_equal_texts_share_a_vector(encoder):
    texts = pd.Series(["tent", "novel", "tent"], index=["x", "y", "x"])
    vectors = encoder.transform(texts)
    assert vectors.index.tolist() == ["x", "y", "x"]
    assert vectors.dtypes.unique().tolist() == [np.dtype("float32")]
    np.testing.assert_array_equal(vectors.iloc[0], vectors.iloc[2])


def test_each_distinct_text_is_encoded_once(encoder, monkeypatch):
    seen = rows_seen(encoder, monkeypatch)
    encoder.transform(["tent", "novel"] * 50)
    assert len(seen) == 2


def rows_seen(encoder, monkeypatch):
    """Return a list that every row of tokens is put into that reaches the network."""
    seen = []
    model = encoder._language_model
    whole = model.vectors
    watched = lambda rows, pooling: seen.extend(rows) or whole(rows, pooling)  # noqa: E731
    monkeypatch.setattr(model, "vectors", watched)
    return seen


def test_blank_and_missing_texts_are_zero_vectors(encoder):
    vectors = encoder.transform(["tent", "", "  \n", None, float("nan")]).to_numpy()
    assert vectors[0].any()
    assert not vectors[1:].any()


def test_no_texts_give_an_empty_frame(encoder):
    assert encoder.transform([]).shape == (0, 16)


def test_long_texts_are_cut_and_counted(encoder):
    exactly = " ".join(["tent"] * 30)  # with [CLS] and [SEP] it fills the model
    longer = " ".join(["tent"] * 100)
    vectors = encoder.transform([exactly, longer, "tent"]).to_numpy()
    assert encoder.n_truncated_ == 1
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


def test_bfloat16_is_near_and_returned_as_float32(model, encoder):
    vectors = TextEncoder(model, dtype="bfloat16", progress=False).transform(TEXTS)
    assert vectors.dtypes.unique().tolist() == [np.dtype("float32")]
    cosine = (vectors.to_numpy() * encoder.transform(TEXTS).to_numpy()).sum(axis=1)
    assert cosine.min() > 0.999
    assert not np.array_equal(vectors, encoder.transform(TEXTS))


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"pooling": "sum"}, "pooling must be one of 'mean', 'cls', 'last', 'max', got 'sum'"),
        ({"dtype": "int8"}, "dtype must be one of 'float32', 'bfloat16', 'auto', got 'int8'"),
        ({"long_text": "cut"}, "long_text must be one of 'truncate', 'windows', got 'cut'"),
        ({"batch_tokens": 0}, "batch_tokens must be a positive whole number, got 0"),
        ({"max_tokens": -1}, "max_tokens must be a positive whole number, got -1"),
    ],
)
def test_wrong_parameters_are_named(model, settings_, message):
    with pytest.raises(ValueError, match=message):
        TextEncoder(model, **settings_).fit()


def test_texts_of_other_kinds_are_refused(encoder):
    with pytest.raises(TypeError, match="not one text"):
        encoder.transform("tent")
    with pytest.raises(TypeError, match="texts must be str, got 'int' at index 1"):
        encoder.transform(["tent", 3])


def test_a_folder_without_a_tokeniser_is_a_named_error(tmp_path, model):
    folder = make_tiny_bert(tmp_path / "bert")
    (folder / "config.json").write_text("{}")
    with pytest.raises(ModelNotFoundError, match="cannot load the model in"):
        TextEncoder(str(folder)).fit()


def test_transformers_own_bar_is_left_as_it_was(model, capfd):
    from transformers.utils import logging as transformers_logging

    before = transformers_logging.is_progress_bar_enabled()
    TextEncoder(model, progress=False).fit()
    assert transformers_logging.is_progress_bar_enabled() == before
    assert capfd.readouterr().err == ""


def test_the_real_model_knows_what_is_near():
    encoder = TextEncoder(progress=False, local_files_only=True)
    try:
        encoder.fit()
    except ModelNotFoundError as error:
        pytest.skip(f"needs data: the bundled weights: {error}")
    dog, puppy, loan = encoder.transform(["a dog", "a small puppy", "a bank loan"]).to_numpy()
    assert dog @ puppy > 0.6 > 0.4 > dog @ loan


def test_the_real_model_equals_sentence_transformers():
    sentence_transformers = pytest.importorskip("sentence_transformers")
    encoder = TextEncoder(progress=False, local_files_only=True)
    try:
        encoder.fit()
    except ModelNotFoundError as error:
        pytest.skip(f"needs data: the bundled weights: {error}")
    texts = [
        "Toy Story (1995). adventure, animation",
        "Heat",
        "a longer text " * 20,
        "one two " * 400,
    ]
    oracle = sentence_transformers.SentenceTransformer(str(encoder.files_.path), device="cpu")
    expected = oracle.encode(texts, show_progress_bar=False)
    np.testing.assert_allclose(encoder.transform(texts).to_numpy(), expected, atol=1e-5)


@pytest.mark.parametrize("device", ["tpu", "cuda:99", ""])
def test_a_device_that_is_not_there_is_named(model, device):
    with pytest.raises(ValueError, match=f"device '{device}' is not there; there is 'cpu'"):
        TextEncoder(model, device=device).fit()


def test_a_model_is_a_name_or_a_path(model, encoder):
    vectors = TextEncoder(Path(model), progress=False).transform(TEXTS)
    pd.testing.assert_frame_equal(vectors, encoder.transform(TEXTS))
    with pytest.raises(TypeError, match="model must be the name of a model or a folder, got 5"):
        TextEncoder(5).fit()


def test_halves_of_characters_are_replaced(encoder):
    broken = encoder.transform(["\ud800x", "tent \udfff"])
    pd.testing.assert_frame_equal(broken, encoder.transform(["\ufffdx", "tent \ufffd"]))


# Long texts, prompts, and what cannot be held at once


def words(n):
    return " ".join(["tent", "novel", "red", "song"] * n)


def test_windows_average_a_long_text(model):
    encoder = TextEncoder(model, long_text="windows", normalize=False, progress=False).fit()
    whole = words(20)  # 80 words: windows of 30, 30 and 20, with [CLS] and [SEP] each
    parts = [" ".join(whole.split()[i : i + 30]) for i in (0, 30, 60)]
    weights = np.array([32, 32, 22]) / 86
    expected = weights @ encoder.transform(parts).to_numpy()
    found = encoder.transform(["tent", whole]).to_numpy()
    np.testing.assert_allclose(found[1], expected, atol=1e-5)
    assert encoder.n_truncated_ == 0


def test_windows_take_the_largest_value_for_max_pooling(model):
    settings_ = {"pooling": "max", "normalize": False, "progress": False}
    encoder = TextEncoder(model, long_text="windows", **settings_).fit()
    parts = [" ".join(words(20).split()[i : i + 30]) for i in (0, 30, 60)]
    expected = encoder.transform(parts).max(axis=0)
    np.testing.assert_allclose(encoder.transform([words(20)]).iloc[0], expected, atol=1e-6)


def test_short_texts_are_the_same_with_windows(model, encoder):
    windows = TextEncoder(model, long_text="windows", progress=False).transform(TEXTS)
    pd.testing.assert_frame_equal(windows, encoder.transform(TEXTS), atol=1e-6)


def test_a_prompt_stands_before_every_text(model, encoder):
    asking = TextEncoder(model, prompt="red song: ", progress=False).fit()
    expected = encoder.transform([f"red song: {text}" for text in TEXTS])
    pd.testing.assert_frame_equal(asking.transform(TEXTS), expected)
    pd.testing.assert_frame_equal(asking.transform(TEXTS, prompt=""), encoder.transform(TEXTS))
    assert not asking.transform(["", None], prompt="novel ").to_numpy().any()
    with pytest.raises(TypeError, match="prompt must be text, got 5"):
        TextEncoder(model, prompt=5).fit()


def test_max_tokens_cannot_exceed_the_model(model, encoder):
    more = TextEncoder(model, max_tokens=10_000, progress=False)
    pd.testing.assert_frame_equal(more.transform([words(20)]), encoder.transform([words(20)]))


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"),
        MemoryError(),
        pytest.param("cuda", id="torch.OutOfMemoryError"),
    ],
    ids=["cpu", "python", "cuda"],
)
def test_out_of_memory_halves_the_batch(encoder, monkeypatch, error, caplog):
    import torch

    if error == "cuda":
        error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
    texts = [f"{a} {b}" for a in "abcdefg" for b in "hijk"]
    expected = encoder.transform(texts)
    sizes = []
    whole = encoder._language_model.vectors

    def small(rows, pooling):
        sizes.append(len(rows))
        if len(rows) > 8:
            raise error
        return whole(rows, pooling)

    monkeypatch.setattr(encoder._language_model, "vectors", small)
    pd.testing.assert_frame_equal(encoder.transform(texts), expected, atol=1e-6)
    assert sizes[:3] == [28, 14, 7]
    assert "out of memory with 28 texts at a time; going on with half" in caplog.text


def test_a_single_text_too_large_for_memory_is_named(encoder, monkeypatch):
    def never(rows, pooling):
        raise MemoryError

    monkeypatch.setattr(encoder._language_model, "vectors", never)
    with pytest.raises(MemoryError, match="a single text of 3 tokens does not fit into memory"):
        encoder.transform(["tent"])


def test_other_errors_are_not_taken_for_want_of_memory(encoder, monkeypatch):
    def broken(rows, pooling):
        raise RuntimeError("the shapes do not fit")

    monkeypatch.setattr(encoder._language_model, "vectors", broken)
    with pytest.raises(RuntimeError, match="the shapes do not fit"):
        encoder.transform(["tent", "novel"])


def counting(monkeypatch, encoder):
    """Put a network of no cost in place, and return how many rows it was given."""
    rows_given, largest = [0], [0]

    def vectors(rows, pooling):
        rows_given[0] += len(rows)
        largest[0] = max(largest[0], sum(map(len, rows)))
        return np.ones((len(rows), encoder.n_features_out_), dtype=np.float32)

    monkeypatch.setattr(encoder._language_model, "vectors", vectors)
    return rows_given, largest


@pytest.mark.rows("H01")
def test_a_million_events_over_ten_thousand_items_encode_ten_thousand_texts(encoder, monkeypatch):
    rows_given, _ = counting(monkeypatch, encoder)
    texts = np.array([f"tent {i}" for i in range(10_000)], dtype=object)
    events = texts[np.random.default_rng(0).integers(0, 10_000, 1_000_000)]
    assert encoder.transform(pd.Series(events)).shape == (1_000_000, 16)
    assert rows_given == [len(set(events))] == [10_000]


def test_memory_does_not_grow_with_the_number_of_texts(encoder, monkeypatch):
    import tracemalloc

    _, largest = counting(monkeypatch, encoder)
    monkeypatch.setattr("recsys_interest.encoder._CHUNK", 100)
    beyond = []
    for n in (400, 4000):
        texts = [f"novel {i}" for i in range(n)]
        tracemalloc.start()
        table = encoder.transform(texts)
        # Numbers of the texts and pointers to them are needed; tokens and states are not kept.
        beyond.append((tracemalloc.get_traced_memory()[1] - table.to_numpy().nbytes) / n)
        tracemalloc.stop()
    assert largest[0] <= encoder.batch_tokens
    assert beyond[1] < beyond[0]
    assert beyond[1] < 400  # bytes a text; its list of tokens alone would be more


def test_auto_is_what_the_hardware_is_good_at(model, monkeypatch):
    import torch

    from recsys_interest.language_model import best_dtype

    for said, expected in (
        ({"avx512_bf16": True}, "bfloat16"),
        ({"amx_bf16": True}, "bfloat16"),
        ({"avx512_f": True, "avx512_bf16": False}, "float32"),
        ({}, "float32"),
    ):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda said=said: said, raising=False)
        assert best_dtype("cpu") == expected
        assert TextEncoder(model, dtype="auto", progress=False).fit().dtype_ == expected
    assert best_dtype("mps") == "float32"


# Families of models


@pytest.fixture(scope="module")
def family_folder(tmp_path_factory):
    made = {}

    def folder(family):
        if family not in made:
            path = tmp_path_factory.mktemp("families") / family
            made[family] = str(make_tiny_model(path, family))
        return made[family]

    return folder


@pytest.mark.rows("K05")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("pooling", ["mean", "last", "max"])
def test_any_family_gives_the_librarys_states(family_folder, family, pooling):
    encoder = TextEncoder(family_folder(family), pooling=pooling, normalize=False, progress=False)
    found = encoder.fit().transform(TEXTS).to_numpy()
    pool = {
        "mean": lambda h: h.mean(axis=0),
        "last": lambda h: h[-1],
        "max": lambda h: h.max(axis=0),
    }[pooling]
    expected = np.stack([pool(states_of(encoder, text)) for text in TEXTS])
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_in_any_family_a_vector_does_not_depend_on_its_batch(family_folder, family):
    encoder = TextEncoder(family_folder(family), progress=False).fit()
    texts = [words(n)[: 7 * n] for n in range(1, 8)] + TEXTS
    together = encoder.transform(texts).to_numpy()
    alone = np.concatenate([encoder.transform([text]).to_numpy() for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    backwards = encoder.transform(texts[::-1]).to_numpy()[::-1]
    np.testing.assert_array_equal(together, backwards)


@pytest.mark.rows("K01")
def test_a_decoder_is_told_from_an_encoder_by_its_first_token(family_folder):
    for family in FAMILIES:
        encoder = TextEncoder(family_folder(family), progress=False).fit()
        assert encoder._language_model.is_causal() == (family == "gpt2")
    with pytest.raises(ValueError, match="has seen no other token; use pooling='last' or 'mean'"):
        TextEncoder(family_folder("gpt2"), pooling="cls").fit()


def test_a_text_without_any_token_is_a_zero_vector(family_folder):
    encoder = TextEncoder(family_folder("gpt2"), progress=False).fit()
    vectors = encoder.transform(["\x00", "tent"]).to_numpy()  # gpt2 adds no special tokens
    assert not vectors[0].any()
    assert vectors[1].any()
