from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from recsys_interest.adapting import BehaviourAdapter, adapt
from recsys_interest.encoder import TextEncoder
from recsys_interest.new_items import compare_on_new_items
from recsys_interest.training_plan import TrainingPlan
from tests.tiny_models import make_tiny_bert

COLUMNS = [f"v{i}" for i in range(12)]


def made(seed=0, n_items=120, n_users=80):
    """Return text vectors of which two dimensions of twelve say what users like, and the log."""
    rng = np.random.default_rng(seed)
    angle = rng.random(n_items) * 2 * np.pi
    taste = np.column_stack([np.cos(angle), np.sin(angle)])
    noise = 2 * rng.normal(size=(n_items, 10))
    vectors = np.hstack([taste, noise])
    ids = [f"i{n:03d}" for n in range(n_items)]
    wish = rng.random(n_users) * 2 * np.pi
    nearness = np.cos(wish[:, None] - angle[None, :]) + 0.1 * rng.normal(size=(n_users, n_items))
    liked = np.argsort(-nearness, axis=1)[:, :24]
    log = pd.DataFrame(
        [(u, ids[i]) for u in range(n_users) for i in liked[u]], columns=["user_id", "item_id"]
    ).assign(event="like", timestamp=pd.Timestamp("2026-01-01", tz="UTC"))
    return pd.DataFrame(vectors, index=ids, columns=COLUMNS), log


def split(log, ids):
    new = ids[::5]
    held = log["item_id"].isin(new)
    return log[~held], log[held]


@pytest.fixture(scope="module")
def world():
    vectors, log = made()
    return vectors, *split(log, vectors.index)


@pytest.mark.rows("F13")
def test_ridge_finds_what_behaviour_depends_on(world):
    vectors, train, liked = world
    adapter = BehaviourAdapter(8).fit(vectors, train)
    random = np.random.default_rng(0).normal(size=vectors.shape)
    report = compare_on_new_items(
        {
            "frozen": vectors,
            "ridge": adapter.transform(vectors),
            "random": pd.DataFrame(random, index=vectors.index),
        },
        train,
        liked,
        k=5,
    )
    assert report.loc["ridge", "gain_low"] > 0.3
    assert abs(report.loc["random", "recall@5"] - 5 / 24) < 0.1  # 24 new items, 5 places
    assert report.loc["frozen", ["gain", "gain_low", "gain_high"]].tolist() == [0, 0, 0]
    assert report["n_users"].unique().tolist() == [liked["user_id"].nunique()]


@pytest.mark.rows("F13")
def test_text_that_says_nothing_gains_nothing(world):
    vectors, train, liked = world
    empty = vectors.assign(v0=0.0, v1=0.0)
    adapted = BehaviourAdapter(8).fit(empty, train).transform(empty)
    report = compare_on_new_items({"frozen": empty, "ridge": adapted}, train, liked, k=5)
    assert report.loc["ridge", "gain_low"] < 0.05
    assert abs(report.loc["ridge", "recall@5"] - 5 / 24) < 0.12


def test_known_items_keep_their_factors_and_new_ones_are_predicted(world):
    vectors, train, liked = world
    adapter = BehaviourAdapter(8).fit(vectors, train)
    mixed = vectors.sample(frac=1, random_state=1)
    found = adapter.transform(mixed)
    assert found.index.equals(mixed.index)
    assert found.dtypes.unique().tolist() == [np.dtype("float32")]
    known = adapter.factors_.index
    pd.testing.assert_frame_equal(found.loc[known], adapter.factors_)
    np.testing.assert_allclose(np.linalg.norm(adapter.factors_, axis=1), 1, atol=1e-6)
    new = liked["item_id"].unique()
    predicted = adapter.ridge_.predict(vectors.loc[new].to_numpy(dtype=np.float32).astype(float))
    np.testing.assert_allclose(found.loc[new], predicted, atol=1e-6)
    assert adapter.get_feature_names_out().tolist() == [f"f{i}" for i in range(8)]


def test_the_ridge_is_the_closed_form(world):
    vectors, train, _ = world
    adapter = BehaviourAdapter(4, alphas=[3.0]).fit(vectors, train)
    x = vectors.loc[adapter.factors_.index].to_numpy(dtype=np.float32).astype(float)
    f = adapter.factors_.to_numpy(dtype=float)
    x0, f0 = x - x.mean(0), f - f.mean(0)
    w = np.linalg.solve(x0.T @ x0 + 3.0 * np.eye(12), x0.T @ f0)
    np.testing.assert_allclose(adapter.ridge_.coef_.T, w, atol=1e-5)


def test_row_order_changes_no_bit(world):
    vectors, train, _ = world
    first = BehaviourAdapter(8).fit(vectors, train)
    second = clone(first).fit(
        vectors.sample(frac=1, random_state=1), train.sample(frac=1, random_state=2)
    )
    pd.testing.assert_frame_equal(
        first.transform(vectors), second.transform(vectors), check_exact=True
    )


def test_wrong_input_is_named(world):
    vectors, train, liked = world
    with pytest.raises(NotFittedError):
        BehaviourAdapter().transform(vectors)
    with pytest.raises(ValueError, match="vectors has 2 columns, in fit it had 12"):
        BehaviourAdapter(4).fit(vectors, train).transform(vectors[["v0", "v1"]])
    with pytest.raises(ValueError, match=r"2 item.s. have a vector and an event"):
        BehaviourAdapter(4).fit(vectors.loc[train["item_id"].unique()[:2]], train)
    with pytest.raises(ValueError, match="n_factors must be at least 1, got 0"):
        BehaviourAdapter(0).fit(vectors, train)
    with pytest.raises(ValueError, match="train has events of items that are in relevant"):
        compare_on_new_items({"a": vectors}, pd.concat([train, liked]), liked)
    with pytest.raises(ValueError, match="relevant has no user who has events in train"):
        compare_on_new_items({"a": vectors}, train, liked.assign(user_id=-1))


# Both ways in one call

WORDS = {"out": ["tent", "stove", "camping"], "in": ["novel", "poem", "reading"]}


@pytest.fixture(scope="module")
def shop():
    """Return items of two kinds that share no word within a kind, and users who like one kind."""
    letters = "abcdefghijklmnop"
    rows = [
        (f"{word} {letter}", kind) for kind in WORDS for word in WORDS[kind] for letter in letters
    ]
    items = pd.DataFrame(rows, columns=["title", "kind"])
    items["item_id"] = [f"i{n:03d}" for n in range(len(items))]
    rng = np.random.default_rng(0)
    events = [
        (user, item)
        for user in range(60)
        for item in rng.choice(items.loc[items["kind"] == ["out", "in"][user % 2], "item_id"], 14)
    ]
    events = pd.DataFrame(events, columns=["user_id", "item_id"]).drop_duplicates()
    events = events.assign(event="like", timestamp=pd.Timestamp("2026-01-01", tz="UTC"))
    return events, items.drop(columns="kind")


def test_adapt_reports_both_ways_against_frozen(tmp_path, shop):
    events, items = shop
    encoder = TextEncoder(make_tiny_bert(tmp_path / "bert"), progress=False)
    plan = TrainingPlan(steps=40, batch_size=16, learning_rate=5e-3, evaluate_every=20)
    done = adapt(
        encoder, events, items, tmp_path / "tuned", n_factors=2, k=5, plan=plan, progress=False
    )
    names = ["shuffled", "frozen", "ridge", "fine-tuned", "fine-tuned + ridge"]
    assert done.report.index.tolist() == names
    assert done.report.loc["frozen", "gain"] == 0
    # The tiny network has random weights: there is more to gain in it than in its vectors.
    assert done.report.loc["fine-tuned", "gain_low"] > 0
    assert done.report.loc["ridge", "gain"] > done.report.loc["shuffled", "gain_high"]
    assert done.report.loc["shuffled", "recall@5"] < done.report.loc["frozen", "recall@5"]
    assert not done.adapter.factors_.index.isin(done.new_items).any()
    assert TextEncoder(done.fine_tuned.folder, progress=False).transform(["tent"]).shape == (1, 16)
    again = adapt(
        encoder, events.sample(frac=1, random_state=1), items, tmp_path / "tuned", n_factors=2, k=5,
        plan=plan, progress=False,
    )  # fmt: skip
    pd.testing.assert_frame_equal(done.report, again.report)


def test_adapt_takes_an_encoder(tmp_path, shop):
    with pytest.raises(TypeError, match="encoder must be a TextEncoder, got str"):
        adapt("bert", *shop, tmp_path)
