from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel

from recsys_interest import packed_bert
from recsys_interest.encoder import TextEncoder
from recsys_interest.packed_bert import PackedBert, pack
from tests.tiny_models import WORDS, make_tiny_bert, make_tiny_model


@pytest.fixture(scope="module", params=["bert", "roberta"])
def network(request, tmp_path_factory):
    folder = make_tiny_model(tmp_path_factory.mktemp("tiny") / request.param, request.param)
    return AutoModel.from_pretrained(folder).eval()


def by_library(network, row):
    with torch.inference_mode():
        return network(input_ids=torch.tensor([row])).last_hidden_state[0]


rows_of_tokens = st.lists(
    st.lists(st.integers(1, len(WORDS) - 1), min_size=1, max_size=30), min_size=1, max_size=9
)


@settings(deadline=None, max_examples=40)
@given(rows=rows_of_tokens)
def test_states_are_the_librarys(network, rows):
    with torch.inference_mode():
        found = PackedBert(network)(rows).split([len(row) for row in rows])
    for row, states in zip(rows, found, strict=True):
        torch.testing.assert_close(states, by_library(network, row), atol=1e-5, rtol=0)


@pytest.mark.parametrize("length", [3, 20])
def test_bfloat16_is_near(network, length, monkeypatch):
    monkeypatch.setattr(packed_bert, "_SHORT", 10)  # both ways of attention
    rows = [list(range(5, 5 + length))] * 3
    half = AutoModel.from_config(network.config).eval()
    half.load_state_dict(network.state_dict())
    with torch.inference_mode():
        found = PackedBert(half.bfloat16())(rows)[:length]
    expected = by_library(network, rows[0])
    cosine = torch.nn.functional.cosine_similarity(found, expected)
    assert cosine.min() > 0.995


def test_without_onednn_the_states_are_the_same(network, monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    row = [4, 9, 7]
    with torch.inference_mode():
        torch.testing.assert_close(
            PackedBert(network)([row]), by_library(network, row), atol=1e-5, rtol=0
        )


@pytest.mark.parametrize("family", ["distilbert", "gpt2", "xlnet", "t5"])
def test_other_architectures_are_not_packed(tmp_path, family):
    assert pack(AutoModel.from_pretrained(make_tiny_model(tmp_path / family, family))) is None


def test_a_packed_model_that_disagrees_is_not_used(network, monkeypatch, caplog):
    right = packed_bert.scaled_dot_product_attention
    wrong = lambda query, key, value: right(key, query, value)  # noqa: E731
    monkeypatch.setattr(packed_bert, "scaled_dot_product_attention", wrong)
    assert pack(network) is None
    assert "states differ by" in caplog.text


def test_trained_weights_are_seen(tmp_path):
    encoder = TextEncoder(make_tiny_bert(tmp_path / "bert"), progress=False).fit()
    before = encoder.transform(["tent"]).to_numpy()
    with torch.no_grad():
        encoder.model_.encoder.layer[1].output.dense.weight.mul_(-1)
    after = encoder.transform(["tent"]).to_numpy()
    assert np.abs(after - before).max() > 0.01
