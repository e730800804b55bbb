"""Names that differ, in two languages, and an intruder test that can fail."""

import numpy as np
import pandas as pd
import pytest

from recsys_interest.cluster_names import intruder_test, name_clusters
from recsys_interest.keywords import distinctive_words
from tests.keyword_encoder import KeywordEncoder


class Planted:
    """An encoder that knows the answer: the first letter of a text is its direction."""

    def transform(self, texts):
        return np.array([np.eye(26)["abcdefghijklmnopqrstuvwxyz".index(t[0])] for t in texts])


class Blind:
    """An encoder for which all texts are alike."""

    def transform(self, texts):
        return np.ones((len(texts), 3))


def groups(letters="abc", n=8):
    return pd.Series({letter: [f"{letter}{i}" for i in range(n)] for letter in letters})


# Names


def test_a_name_is_made_of_words_that_say_something_new():
    words = pd.Series([["film", "films", "war", "wars", "warsaw", "sci-fi"]], index=[4])
    assert name_clusters(words).to_dict() == {4: "film · war · warsaw"}
    assert name_clusters(words, n_words=1).tolist() == ["film"]


def test_chinese_ngrams_of_one_word_are_taken_once():
    words = pd.Series([["机器", "器学", "机器学", "学习", "围棋", "棋手", "电影"]])
    assert name_clusters(words).tolist() == ["机器 · 学习 · 围棋"]


@pytest.mark.parametrize("n_words", [1, 2, 3])
def test_equal_words_in_any_order_are_no_two_names(n_words):
    words = pd.Series([["a1", "b1", "c1", "d1"], ["b1", "a1", "c1", "e1"], ["z1"], [], []])
    words.index = [3, 1, 2, 0, 7]
    names = name_clusters(words, n_words=n_words)
    assert names.index.tolist() == [3, 1, 2, 0, 7]
    sets = [frozenset(name.split(" · ")) for name in names]
    assert len(set(sets)) == 5
    assert names[2] == "z1"
    assert names.loc[[0, 7]].tolist() == ["cluster 0", "cluster 7"]


def test_where_the_words_run_out_a_number_tells_clusters_apart():
    words = pd.Series([["chess", "pawn"], ["pawn", "chess"], ["chess"]])
    assert name_clusters(words).tolist() == ["chess · pawn (0)", "pawn · chess (1)", "chess"]


def test_no_cluster_no_name():
    assert name_clusters(pd.Series([], dtype=object)).tolist() == []


@pytest.mark.parametrize(
    ("keywords", "error", "says"),
    [
        (["a"], TypeError, "keywords must be a Series of lists of text"),
        (pd.Series(["a, b"]), TypeError, "as distinctive_words"),
        (pd.Series([[1, 2]]), TypeError, "lists of text"),
        (pd.Series([["a"], ["b"]], index=[1, 1]), ValueError, "clusters twice: 1; keep one"),
    ],
)
def test_bad_keywords(keywords, error, says):
    with pytest.raises(error, match=says):
        name_clusters(keywords)


def test_bad_number_of_words():
    with pytest.raises(ValueError, match="n_words must be at least 1, got 0"):
        name_clusters(pd.Series([["a"]]), n_words=0)


# Intruders


def test_a_judge_who_knows_finds_every_intruder():
    table = intruder_test(groups(), Planted())
    assert table.index.tolist() == ["a", "b", "c"]
    assert table["found"].tolist() == [1.0, 1.0, 1.0]
    assert table["chance"].tolist() == [1 / 6] * 3


def test_a_blind_judge_is_at_chance_to_the_last_digit():
    table = intruder_test(groups(), Blind())
    assert np.allclose(table["found"], 1 / 6)


def test_mixed_clusters_are_near_chance_and_far_from_the_planted():
    rng = np.random.default_rng(0)
    texts = rng.permutation([t for group in groups(n=30) for t in group])
    mixed = pd.Series(list(texts.reshape(3, -1).tolist()))
    found = intruder_test(mixed, Planted(), n_rounds=300)["found"].mean()
    assert 0.1 < found < 0.3


@pytest.mark.rows("C11")
def test_a_wrong_name_is_worse_than_chance_and_the_right_one_perfect():
    right = pd.Series({"a": "apple", "b": "boat", "c": "cat"})
    swapped = pd.Series({"a": "boat", "b": "cat", "c": "apple"})
    good = intruder_test(groups(), Planted(), names=right)
    bad = intruder_test(groups(), Planted(), names=swapped, n_rounds=200)
    assert good["found"].tolist() == [1.0, 1.0, 1.0]
    assert (bad["found"] < 1 / 6).all()


def test_real_words_of_two_languages():
    texts = pd.Series(
        [f"red apple pie {i % 3 * 'sweet '}" for i in range(9)]
        + [f"围棋 比赛 {i % 3 * '棋手 '}" for i in range(9)]
    )
    labels = pd.Series([0] * 9 + [1] * 9)
    words = distinctive_words(texts, labels)
    members = texts.groupby(labels).agg(list)
    judged = intruder_test(members, KeywordEncoder(256), names=words.map(" ".join))
    assert judged["found"].tolist() == [1.0, 1.0]


def test_the_order_of_rows_and_texts_does_not_matter():
    one = pd.Series({0: ["abc", "cab", "bac"], 1: ["bcd", "cde", "aaa"], 2: ["cc", "bb", "ac"]})
    other = one.map(lambda texts: texts[::-1]).iloc[::-1]
    first, second = (intruder_test(m, Planted(), n_shown=2, random_state=3) for m in (one, other))
    assert second.index.tolist() == [2, 1, 0]
    pd.testing.assert_frame_equal(first, second.loc[first.index])
    again = intruder_test(one, Planted(), n_shown=2, random_state=4)
    assert not again.equals(first)


def test_clusters_that_cannot_be_judged_are_nan():
    few = pd.Series({0: ["a1"], 1: ["b1", "b2"], 2: []})
    table = intruder_test(few, Planted())
    assert table["found"].isna().tolist() == [True, False, True]
    assert table.loc[1, "chance"] == 1 / 3
    named = intruder_test(few, Planted(), names=pd.Series(["a", "b", "c"]))
    assert named["found"].isna().tolist() == [False, False, True]
    assert intruder_test(pd.Series({0: ["a1", "a2"]}), Planted())["found"].isna().all()
    same = pd.Series({0: ["a1", "a2"], 1: ["a2", "a1"]})
    assert intruder_test(same, Planted())["found"].isna().all()
    assert intruder_test(pd.Series([[], []]), Planted())["found"].isna().all()
    assert intruder_test(pd.Series([], dtype=object), Planted()).empty


@pytest.mark.parametrize(
    ("changes", "error", "says"),
    [
        ({"members": pd.Series(["text"])}, TypeError, "members must be a Series of lists"),
        ({"encoder": None}, TypeError, r"encoder must have transform\(texts\), got None"),
        ({"encoder": Planted}, TypeError, r"encoder must have transform\(texts\)"),
        ({"names": ["a", "b", "c"]}, TypeError, "names must be a Series of text"),
        ({"names": pd.Series({"a": "x"})}, ValueError, r"names lacks the cluster\(s\) 'b', 'c'"),
        ({"names": pd.Series(["x", "y"], index=["a", "a"])}, ValueError, "clusters twice: 'a'"),
        ({"n_shown": 0}, ValueError, "n_shown must be at least 1"),
        ({"n_rounds": 1.5}, TypeError, "n_rounds must be a whole number"),
    ],
)
def test_bad_input_of_the_intruder_test(changes, error, says):
    arguments = {"members": groups(), "encoder": Planted(), **changes}
    with pytest.raises(error, match=says):
        intruder_test(**arguments)


def test_an_encoder_that_returns_nan_is_named():
    class Broken:
        def transform(self, texts):
            return np.full((len(texts), 2), np.nan)

    with pytest.raises(ValueError, match=r"encoder.transform\(texts\) is not finite"):
        intruder_test(groups(), Broken())
