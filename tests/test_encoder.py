from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.encoder import TextEncoder
from recsys_interest.models import ModelNotFoundError
from tests.tiny_models import make_tiny_bert

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
    seen = []
    whole = encoder._encode_batch
    monkeypatch.setattr(encoder, "_encode_batch", lambda rows: seen.extend(rows) or whole(rows))
    encoder.transform(["tent", "novel"] * 50)
    assert len(seen) == 2


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
        ({"pooling": "sum"}, "pooling must be one of 'mean', 'cls', 'max', got 'sum'"),
        ({"dtype": "int8"}, "dtype must be one of 'float32', 'bfloat16', got 'int8'"),
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
