from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.checks import SchemaError
from recsys_interest.keyword_vectors import keyword_vectors, keyword_weights
from recsys_interest.profiles import InterestProfiler

TEXTS = pd.Series(["red tent tent", "红色帐篷", "the", None], index=[7, 8, 9, 10])


def log(*rows):
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "event", "day"])
    table["timestamp"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(table.pop("day"), unit="D")
    return table


def test_the_weights_are_those_of_the_formula():
    events = log(("u", 7, "like", 0), ("u", 7, "browse", 10), ("u", 8, "return", 10))
    found = keyword_weights(events, TEXTS, half_life=10).set_index("keyword")["weight"]
    idf = 1 + np.log((1 + 4) / (1 + 1))
    assert found.index.tolist() == ["tent", "red"]
    np.testing.assert_allclose(found, [idf * (3 / 2 + 1) * 2, idf * (3 / 2 + 1) * 1])


def test_users_without_keywords_have_no_rows_and_chinese_ones_have():
    events = log(
        ("u", 9, "like", 0), ("v", 99, "like", 0), ("w", 8, "like", 0), ("x", 10, "like", 0)
    )
    found = keyword_weights(events, TEXTS)
    assert set(found["user_id"]) == {"w"}
    assert {"红色", "帐篷"} <= set(found["keyword"])
    assert keyword_weights(events, TEXTS[2:]).empty
    assert keyword_weights(events[:0], TEXTS).empty


@pytest.mark.rows("F05")
@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(
        st.tuples(
            *(st.sampled_from("uvw"), st.sampled_from([7, 8]), st.sampled_from(["like", "browse"])),
            st.integers(0, 50),
        ),
        min_size=1,
        max_size=10,
    ),
    times=st.integers(2, 5),
    seed=st.integers(0, 9),
)
def test_repeating_a_history_leaves_the_mean_and_stretches_the_sum(rows, times, seed):
    events = log(*rows)
    words = sorted(set(keyword_weights(events, TEXTS)["keyword"]))
    draw = np.random.default_rng(seed).normal(size=(len(words), 3))
    vectors = pd.DataFrame(draw, index=words)
    once = keyword_weights(events, TEXTS, half_life=7)
    many = keyword_weights(pd.concat([events] * times), TEXTS, half_life=7)
    mean, sums = keyword_vectors(once, vectors), keyword_vectors(once, vectors, normalize=False)
    np.testing.assert_allclose(keyword_vectors(many, vectors), mean, atol=1e-5)
    np.testing.assert_allclose(
        keyword_vectors(many, vectors, normalize=False), sums * times, rtol=1e-4, atol=1e-4
    )
    mixed = keyword_weights(events.sample(frac=1, random_state=seed), TEXTS, half_life=7)
    pd.testing.assert_frame_equal(mixed, once, check_exact=True)


def test_one_word_an_item_is_the_profile_of_the_profiler():
    texts = pd.Series(["tent", "wine", "novel"], index=[1, 2, 3])
    events = log(("u", 1, "like", 0), ("u", 2, "browse", 3), ("v", 3, "purchase", 1))
    vectors = pd.DataFrame(np.eye(3), index=texts)
    found = keyword_vectors(keyword_weights(events, texts, half_life=5), vectors)
    profiler = InterestProfiler(half_life=5).fit(events, vectors.set_axis(texts.index))
    pd.testing.assert_frame_equal(found, profiler.profiles_)


def test_a_user_without_a_known_keyword_is_zero():
    weights = pd.DataFrame({"user_id": [1, 2], "keyword": ["tent", "?"], "weight": [2.0, 1.0]})
    found = keyword_vectors(weights, pd.DataFrame({"x": [5.0]}, index=["tent"]))
    assert found["x"].to_dict() == {1: 5.0, 2: 0.0}
    assert found.dtypes.tolist() == [np.float32]


ONE = pd.DataFrame({"user_id": [1], "keyword": ["tent"], "weight": [2.0]})
VECTOR = pd.DataFrame({"x": [5.0]}, index=["tent"])


@pytest.mark.parametrize(
    ("weights", "vectors", "error", "message"),
    [
        (ONE.drop(columns="weight"), VECTOR, SchemaError, "weights lacks the column"),
        (ONE, VECTOR["x"], TypeError, "word_vectors must be a DataFrame, got Series"),
        (ONE, pd.concat([VECTOR, VECTOR]), ValueError, "two vectors for one word"),
        (ONE.assign(weight=-1.0), VECTOR, ValueError, "weights.weight must be finite and not neg"),
        (
            ONE.assign(weight=np.nan),
            VECTOR,
            ValueError,
            "weights.weight must be finite and not neg",
        ),
    ],
)
def test_bad_weights_and_vectors_are_named(weights, vectors, error, message):
    with pytest.raises(error, match=message):
        keyword_vectors(weights, vectors)


@pytest.mark.parametrize(
    ("texts", "half_life", "error", "message"),
    [
        (["tent"], None, TypeError, "texts must be a Series indexed by item id, got list"),
        (TEXTS, 0, ValueError, "half_life must be a positive number of days, got 0"),
        (TEXTS, "week", TypeError, "half_life must be a number of days or None, got 'week'"),
        (TEXTS.set_axis(list("abcd")), None, SchemaError, "no id can match"),
    ],
)
def test_bad_texts_and_half_lives_are_named(texts, half_life, error, message):
    with pytest.raises(error, match=message):
        keyword_weights(log(("u", 7, "like", 0)), texts, half_life=half_life)
