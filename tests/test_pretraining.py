from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recsys_interest.encoder import TextEncoder
from recsys_interest.pretraining import mask_tokens, pretrain
from recsys_interest.training_plan import TrainingPlan
from recsys_interest.word_pieces import distinct_texts, padded, train_tokenizer

# "red" goes with "tent" and "old" with "stove", in two languages: something to learn.
CORPUS = [
    f"{a} {b} {n}"
    for a, b in (("red", "tent"), ("old", "stove"), ("红色", "帐篷"), ("旧", "炉子"))
    for n in "abcdefghij"
]
TINY = {"hidden_size": 16, "n_layers": 1, "n_heads": 2, "progress": False}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    plan = TrainingPlan(steps=120, batch_size=16, learning_rate=0.01, evaluate_every=40)
    return pretrain(CORPUS, tmp_path_factory.mktemp("trained") / "model", **TINY, plan=plan)


def test_the_held_out_loss_falls_below_guessing_by_frequency(trained):
    losses = trained.losses["held_out_loss"]
    tokenizer = TextEncoder(trained.folder).fit().tokenizer_
    tokens = [t for row in tokenizer(CORPUS, add_special_tokens=False)["input_ids"] for t in row]
    shares = pd.Series(tokens).value_counts(normalize=True)
    by_frequency = -(shares * np.log(shares)).sum()
    assert losses.iloc[0] > by_frequency
    assert losses.min() < by_frequency - 0.5
    assert trained.losses["step"].tolist()[0] == 0
    assert np.isnan(trained.losses["train_loss"].iloc[0])


def test_the_encoder_loads_it_in_silence(trained, capfd):
    encoder = TextEncoder(trained.folder, progress=False).fit()
    vectors = encoder.transform(["red tent a", "旧 炉子 b"])
    assert vectors.shape == (2, 16)
    assert np.isfinite(vectors.to_numpy()).all()
    assert capfd.readouterr().err == ""
    assert encoder.tokenizer_.tokenize("red 帐篷") == ["red", "帐", "篷"]
    long = encoder.transform(["red " * 100, "red " * 46]).to_numpy()
    np.testing.assert_allclose(long[0], long[1], atol=1e-6)  # cut at the 48 tokens of training
    assert encoder.n_truncated_ == 1


def test_the_count_of_parameters_is_the_models(trained):
    assert trained.n_parameters < 5_000_000
    model = TextEncoder(trained.folder, progress=False).fit().model_
    head = 16 * 16 + 16 + 32 + len(TextEncoder(trained.folder).fit().tokenizer_)
    pooler = 16 * 16 + 16
    assert trained.n_parameters == sum(p.numel() for p in model.parameters()) - pooler + head


def test_order_doubles_and_blanks_change_no_bit(tmp_path):
    plan = TrainingPlan(steps=3, batch_size=8)
    one = pretrain(CORPUS, tmp_path / "a", **TINY, plan=plan)
    shuffled = [*CORPUS[::-1], "  ", None, CORPUS[3]]
    two = pretrain(pd.Series(shuffled), tmp_path / "b", **TINY, plan=plan)
    pd.testing.assert_frame_equal(one.losses, two.losses, check_exact=True)
    bytes_of = [(r.folder / "model.safetensors").read_bytes() for r in (one, two)]
    assert bytes_of[0] == bytes_of[1]
    other = pretrain(CORPUS, tmp_path / "c", **TINY, plan=plan, random_state=1)
    assert not np.allclose(other.losses["held_out_loss"], one.losses["held_out_loss"])


def test_the_vocabulary_is_the_same_every_time():
    words = [f"{a}{b}{c}" for a in "abcdef" for b in "ghijkl" for c in ("ing", "ed", "炉子")]
    corpus = [" ".join(pair) for pair in pairwise(words)]
    found = [train_tokenizer(corpus, 100, 16).get_vocab() for _ in range(8)]
    assert all(vocabulary == found[0] for vocabulary in found)
    assert {"炉", "子", "##ing"} <= set(found[0])
    assert [found[0][t] for t in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")] == [0, 1, 2, 3, 4]
    assert len(found[0]) <= 100


@given(st.integers(1, 6), st.integers(1, 20), st.floats(0, 1), st.integers(0, 99))
def test_masks_hide_words_only_and_ask_for_what_was_there(n, width, share, seed):
    rng = np.random.default_rng(seed)
    ids = rng.integers(0, 30, (n, width))
    seen, asked = mask_tokens(ids, share, 30, rng)
    chosen = asked != -100
    assert (asked[chosen] == ids[chosen]).all()
    assert (ids[chosen] >= 5).all()
    assert (seen[~chosen] == ids[~chosen]).all()
    assert ((seen == 4) | (seen >= 5))[chosen].all()
    assert chosen.any() == (ids >= 5).any()


def test_masks_have_the_shares_of_bert():
    ids = np.full((400, 100), 7)
    seen, asked = mask_tokens(ids, 0.15, 1000, np.random.default_rng(0))
    chosen = asked != -100
    assert chosen.mean() == pytest.approx(0.15, abs=0.006)
    assert (seen[chosen] == 4).mean() == pytest.approx(0.8, abs=0.015)
    assert (seen[chosen] == 7).mean() == pytest.approx(0.1, abs=0.012)


def test_padding_is_marked():
    ids, real = padded([[2, 3], [2, 9, 3]])
    assert ids.tolist() == [[2, 3, 0], [2, 9, 3]]
    assert real.tolist() == [[True, True, False], [True, True, True]]


@pytest.mark.rows("Q08")
def test_the_loss_is_the_librarys(tmp_path):
    from transformers import BertConfig, BertForMaskedLM

    from recsys_interest.pretraining import _MaskedTask

    tokenizer = train_tokenizer(sorted(CORPUS), 200, 16)
    settings = {"mask_share": 0.3, "batch_size": 8, "held_out_share": 0.1, "max_tokens": 16,
                "hidden_size": 16, "n_layers": 1, "n_heads": 2}  # fmt: skip
    task = _MaskedTask(tokenizer, sorted(CORPUS), settings, 0, "cpu")
    task.model.eval()
    rows = task.rows[:8]
    total, count = task._loss(rows, np.random.default_rng(5))
    ids, real = padded(rows)
    seen, asked = mask_tokens(ids, 0.3, len(tokenizer), np.random.default_rng(5))
    model = BertForMaskedLM(BertConfig(**task.model.config.to_dict())).eval()
    model.load_state_dict(task.model.state_dict())
    expected = model(
        input_ids=torch.tensor(seen), attention_mask=torch.tensor(real).long(),
        labels=torch.tensor(asked),
    ).loss  # fmt: skip
    assert (total / count).item() == pytest.approx(expected.item(), abs=1e-5)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        ({"texts": "a text"}, TypeError, "not one text"),
        ({"texts": ["a", 3]}, TypeError, "texts must be str, got 'int': 3"),
        ({"texts": ["a", "a", None]}, ValueError, r"texts has 1 different text\(s\)"),
        ({"hidden_size": 9}, ValueError, "hidden_size must be a multiple of n_heads, got 9 and 2"),
        ({"vocab_size": 10}, ValueError, "vocab_size must be at least 64, got 10"),
        ({"mask_share": 2}, ValueError, "mask_share must be from 0 to 1.0, got 2"),
        ({"held_out_share": 1}, ValueError, "held_out_share must be from 0 to 0.9, got 1"),
        ({"random_state": -1}, ValueError, "random_state must be at least 0, got -1"),
        ({"n_layers": None}, TypeError, "n_layers must be a whole number, got None"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, wrong, error, message):
    arguments = {"texts": CORPUS, "folder": tmp_path / "m", **TINY, **wrong}
    with pytest.raises(error, match=message):
        pretrain(**arguments)
    assert not (tmp_path / "m").exists()


def test_halves_of_characters_do_not_stop_it():
    assert distinct_texts(["\ud800a", float("nan"), "b"]) == ["b", "\ufffda"]
