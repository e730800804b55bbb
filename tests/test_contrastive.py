from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from recsys_interest.contrastive import info_nce, train_contrastive
from recsys_interest.encoder import TextEncoder
from recsys_interest.fixed_layers import UpperLayers
from recsys_interest.language_model import load_model
from recsys_interest.models import find_model
from recsys_interest.pretraining import pretrain
from recsys_interest.text_pairs import behaviour_pairs
from recsys_interest.training_plan import TrainingPlan
from recsys_interest.word_pieces import padded
from tests.tiny_models import make_tiny_bert

COLOURS = {"red": "红色", "blue": "蓝色", "old": "旧", "new": "新", "small": "小", "warm": "温暖"}
THINGS = {"tent": "帐篷", "stove": "炉子", "guitar": "吉他", "novel": "小说", "lamp": "灯",
          "camera": "相机", "piano": "钢琴", "garden": "花园"}  # fmt: skip
PLACES = {"at home": "在家", "in winter": "在冬天", "by the sea": "在海边", "at night": "在夜里"}
TITLES = [
    (f"the {a} {b} {c}", f"{cz}的{az}{bz}")
    for a, az in COLOURS.items()
    for b, bz in THINGS.items()
    for c, cz in PLACES.items()
]


def mean_loss_by_hand(left, right, temperature):
    left = left / np.linalg.norm(left, axis=1, keepdims=True)
    right = right / np.linalg.norm(right, axis=1, keepdims=True)
    e = np.exp(left @ right.T / temperature)
    there = -np.log(np.diag(e) / e.sum(axis=1)).mean()
    back = -np.log(np.diag(e) / e.sum(axis=0)).mean()
    return (there + back) / 2


@given(st.integers(2, 8), st.floats(0.1, 2), st.integers(0, 99))
def test_the_loss_is_its_formula(n, temperature, seed):
    left, right = np.random.default_rng(seed).normal(size=(2, n, 5))
    found = info_nce(torch.tensor(left), torch.tensor(right), temperature)
    assert found.item() == pytest.approx(mean_loss_by_hand(left, right, temperature))


def test_the_loss_of_vectors_that_are_all_alike_is_that_of_guessing():
    alike = torch.ones(16, 3)
    assert info_nce(alike, alike).item() == pytest.approx(math.log(16))


def test_what_is_no_wrong_answer_is_left_out():
    vectors = torch.eye(3)[[0, 0, 1]]
    same = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    # The first two are one text: each has one wrong answer, the third has two.
    expected = (2 * math.log(1 + math.exp(-1)) + math.log(1 + 2 * math.exp(-1))) / 3
    assert info_nce(vectors, vectors, 1.0, same).item() == pytest.approx(expected)
    assert info_nce(vectors, vectors, 1.0).item() > expected + 0.3


# The small bilingual model


@pytest.fixture(scope="module")
def bilingual(tmp_path_factory):
    """Return titles that were never seen as pairs, and the models before and after."""
    folder = tmp_path_factory.mktemp("bilingual")
    order = np.random.default_rng(0).permutation(len(TITLES))
    held, trained = [TITLES[i] for i in order[:48]], [TITLES[i] for i in order[48:]]
    first = pretrain(
        [text for pair in trained for text in pair],
        folder / "masked", hidden_size=32, n_layers=1, n_heads=2, max_tokens=24, progress=False,
        plan=TrainingPlan(steps=60, batch_size=32, learning_rate=5e-3),
    )  # fmt: skip
    second = train_contrastive(
        first.folder, trained, folder / "pairs", progress=False,
        plan=TrainingPlan(steps=120, batch_size=48, learning_rate=5e-3),
    )  # fmt: skip
    return held, first, second


def recall_at_1(encoder, titles):
    english, chinese = (encoder.transform([t[side] for t in titles]).to_numpy() for side in (0, 1))
    cosine = english @ chinese.T
    right = np.arange(len(titles))
    return min((cosine.argmax(1) == right).mean(), (cosine.argmax(0) == right).mean())


@pytest.mark.rows("H06", "K02", "U12")
def test_held_out_titles_find_their_translation(bilingual):
    held, masked, pairs = bilingual
    assert recall_at_1(TextEncoder(pairs.folder, progress=False), held) >= 0.8
    # Guessing finds 1 in 48; the masked model has met both languages and no translation.
    assert recall_at_1(TextEncoder(masked.folder, progress=False), held) < 0.2
    losses = pairs.losses["held_out_loss"]
    assert losses.iloc[0] > 2
    assert losses.min() < 0.5


def test_two_dropout_views_spread_the_vectors(bilingual, tmp_path):
    held, masked, _ = bilingual
    texts = [text for pair in held for text in pair]
    result = train_contrastive(
        masked.folder, [(text, text) for text in texts], tmp_path / "m", progress=False,
        plan=TrainingPlan(steps=30, batch_size=24, learning_rate=3e-3, evaluate_every=10),
    )  # fmt: skip

    def crowding(folder):
        vectors = TextEncoder(folder, progress=False).transform(texts).to_numpy()
        return (vectors @ vectors.T)[np.triu_indices(len(texts), 1)].mean()

    assert crowding(result.folder) < crowding(masked.folder) - 0.2


def test_only_the_last_layers_move(tmp_path):
    model = make_tiny_bert(tmp_path / "bert")
    pairs = [(f"tent {c}", f"stove {c}") for c in "abcdefgh"]
    plan = TrainingPlan(steps=2, batch_size=4)
    result = train_contrastive(model, pairs, tmp_path / "m", n_layers=1, plan=plan, progress=False)
    before, after = (load_file(f / "model.safetensors") for f in (model, result.folder))
    moved = {n.split(".")[2] for n in before if not torch.equal(before[n], after[n])}
    assert moved == {"1"}
    with pytest.raises(ValueError, match="n_layers must be at most 2, the layers of the model"):
        train_contrastive(model, pairs, tmp_path / "n", n_layers=3, progress=False)


def test_kept_states_give_what_the_whole_network_gives(tmp_path):
    loaded = load_model(find_model(str(make_tiny_bert(tmp_path / "bert"))), "float32", "cpu")
    rows = loaded.tokenizer(["tent", "the red guitar and stove", "novel song", "a"])["input_ids"]
    for n_layers in (1, 2):
        upper = UpperLayers.of(loaded.network, n_layers, rows)
        ids, real = padded([rows[i] for i in (1, 3, 1)])
        mask = torch.from_numpy(real).long()
        with torch.no_grad():
            whole = loaded.network(input_ids=torch.from_numpy(ids), attention_mask=mask)
            found = upper([1, 3, 1], mask)
        torch.testing.assert_close(
            found[mask.bool()], whole.last_hidden_state[mask.bool()], atol=1e-5, rtol=0
        )
    assert UpperLayers.of(loaded.network, None, rows) is None


def test_the_order_of_the_pairs_changes_no_bit_and_the_end_is_kept(tmp_path):
    model = make_tiny_bert(tmp_path / "bert")
    pairs = pd.DataFrame({"left": list("abcdefgh"), "right": list("ijklmnop")})
    plan = TrainingPlan(steps=3, batch_size=4)
    first = train_contrastive(model, pairs, tmp_path / "m", plan=plan, progress=False)
    mixed = pairs.sample(frac=1, random_state=1)
    second = train_contrastive(model, mixed, tmp_path / "n", plan=plan, progress=False)
    pd.testing.assert_frame_equal(first.losses, second.losses, check_exact=True)
    again = train_contrastive(model, mixed, tmp_path / "m", plan=plan, progress=False)
    pd.testing.assert_frame_equal(first.losses, again.losses)
    other = make_tiny_bert(tmp_path / "other", seed=1)
    with pytest.raises(FileExistsError, match="holds a training with model="):
        train_contrastive(other, pairs, tmp_path / "m", plan=plan, progress=False)


def test_no_held_out_text_is_trained_on(tmp_path):
    from recsys_interest.contrastive import _ContrastiveTask

    loaded = load_model(find_model(str(make_tiny_bert(tmp_path / "bert"))), "float32", "cpu")
    texts = list("abcdefghijklmnop")
    left, right = zip(*[(a, b) for a in texts for b in texts if a != b], strict=True)
    settings = {"n_layers": None, "temperature": 0.1, "batch_size": 4, "max_tokens": 8,
                "held_out_share": 0.25, "random_state": 0}  # fmt: skip
    task = _ContrastiveTask(loaded, list(left), list(right), settings)
    held = set(task.left[task.held])
    assert len(held) == 4
    assert not held & {*task.left[task.trained], *task.right[task.trained]}
    assert len(task.trained) == 12 * 11


# Pairs from behaviour


def log(rows):
    events = pd.DataFrame(rows, columns=["user_id", "item_id", "event"])
    return events.assign(timestamp=pd.Timestamp("2026-01-01", tz="UTC"), value=np.nan, text="")


def test_pairs_are_two_items_of_one_user():
    events = log(
        [(1, "a", "like"), (1, "b", "purchase"), (2, "c", "like"), (2, "d", "like"),
         (2, "d", "browse"), (2, "e", "favourite"), (3, "a", "like"), (4, "x", "like"),
         (4, "a", "like")]
    )  # fmt: skip
    texts = pd.Series({item: f"text {item}" for item in "abcde"})
    pairs = behaviour_pairs(events, texts, n_pairs=500)
    found = {frozenset((a[-1], b[-1])) for a, b in zip(pairs["left"], pairs["right"], strict=True)}
    assert found == {frozenset(p) for p in ("ab", "cd", "ce", "de")}
    assert len(pairs) == 500
    mixed = behaviour_pairs(events.sample(frac=1, random_state=0), texts, n_pairs=500)
    pd.testing.assert_frame_equal(pairs, mixed)


def test_events_against_an_item_make_no_pair():
    events = log([(1, "a", "like"), (1, "b", "return"), (2, "a", "like")])
    texts = pd.Series({"a": "a", "b": "b"})
    with pytest.raises(ValueError, match="no user who consumed two items that have a text"):
        behaviour_pairs(events, texts)


@pytest.mark.parametrize(
    ("pairs", "error", "message"),
    [
        (["ab", "cd"], TypeError, "pairs must be pairs of texts"),
        ([("a", 1)], TypeError, "pairs must be pairs of texts, got 1"),
        ([("a", "b", "c")], TypeError, "pairs must be pairs of texts"),
        ([("a", "b"), ("a", None)], ValueError, "pairs has 1 left texts; training needs 4"),
        (pd.DataFrame({"left": ["a"], "write": ["b"]}), ValueError, "lacks the column.s. 'right'"),
    ],
)
def test_wrong_pairs_are_named(tmp_path, pairs, error, message):
    with pytest.raises(error, match=message):
        train_contrastive(tmp_path, pairs, tmp_path / "m")
