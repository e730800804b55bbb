from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys_interest.keywords import class_tfidf, distinctive_words, keyword_matrix
from recsys_interest.tokens import WordAnalyzer


@pytest.mark.rows("F04")
def test_the_articles_three_users_have_the_keywords_they_have():
    texts = pd.Series(["Python 编程 代码", "数学 公式 研究", "体育 运动 足球"], index=[1, 2, 3])
    words = ["Python", "编程", "代码", "数学", "公式", "研究", "体育", "运动", "足球"]
    table = keyword_matrix(texts, vocabulary=words)
    expected = np.kron(np.eye(3, dtype=int), [1, 1, 1])
    assert table.columns.tolist() == words
    np.testing.assert_array_equal(table, expected)  # the article prints 0 for user 3 and 体育
    assert table.loc[3, "体育"] == 1


def test_chinese_keywords_are_found_inside_a_run_of_characters():
    texts = pd.Series(["我每天写Python代码", "代码审查人工智能", None])
    words = ["代码", "人工智能", "Python"]
    assert keyword_matrix(texts, vocabulary=words).to_numpy().tolist() == [
        [1, 0, 1],
        [1, 1, 0],
        [0, 0, 0],
    ]
    with pytest.raises(ValueError, match="never found: '人工智能'"):
        keyword_matrix(texts, vocabulary=words, analyzer=WordAnalyzer())


def test_both_languages_get_their_words_and_a_segmenter_its_own():
    texts = pd.Series(["红色的帐篷", "帐篷和睡袋", "red wine", "white wine"])
    groups = pd.Series(["tents", "tents", "wine", "wine"])
    for words in (class_tfidf, distinctive_words):
        assert words(texts, groups, top=1).to_dict() == {"tents": ["帐篷"], "wine": ["wine"]}

    def cut(text):
        return text.replace("和", " ").split()

    own = keyword_matrix(texts[1:2], analyzer=WordAnalyzer(tokenizer=cut))
    assert own.columns.tolist() == ["帐篷", "睡袋"]


def test_keyword_matrix_without_words_is_empty():
    assert keyword_matrix(pd.Series(["", "the 1995"])).shape == (2, 0)
    with pytest.raises(TypeError, match="texts must be a pandas Series, got list"):
        keyword_matrix(["x"])


def test_class_tfidf_equals_the_formula_by_hand():
    texts = pd.Series(["wine wine red", "car red"])
    labels = pd.Series([0, 1])
    # Group 0: 3 words, group 1: 2, A = 2.5; wine: 2/3·log(1+2.5/2), red: 1/3·log(1+2.5/2).
    assert class_tfidf(texts, labels, top=3).to_dict() == {0: ["wine", "red"], 1: ["car", "red"]}
    a, b = 1 / 2 * np.log1p(2.5 / 1), 1 / 2 * np.log1p(2.5 / 2)
    assert a > b  # so car comes before red in group 1, against the alphabet only in scores


def test_class_tfidf_leaves_noise_out_and_gives_empty_groups_an_empty_list():
    found = class_tfidf(pd.Series(["wine", "", "car"]), pd.Series([2, 0, -1]))
    assert found.to_dict() == {0: [], 2: ["wine"]}


def test_class_tfidf_weights_count_like_repeated_texts():
    texts = pd.Series(["wine glass", "beer", "car", "red wine"])
    labels = pd.Series([0, 0, 1, 1])
    times = pd.Series([1, 5, 2, 1])
    repeated = texts.repeat(times).reset_index(drop=True)
    expected = class_tfidf(repeated, labels.repeat(times).reset_index(drop=True))
    assert class_tfidf(texts, labels, weights=times).to_dict() == expected.to_dict()


def test_class_tfidf_needs_one_index():
    with pytest.raises(ValueError, match="labels and texts must have the same index"):
        class_tfidf(pd.Series(["a"]), pd.Series([0], index=[5]))


def test_words_that_are_everywhere_distinguish_nothing():
    texts = pd.Series(["film drama", "film drama", "film comedy", "film comedy war"])
    found = distinctive_words(texts, pd.Series([0, 0, 1, 1]))
    assert found.to_dict() == {0: ["drama", "film"], 1: ["comedy", "war"]}
    # In group 0 film is half of the words, in all 4 of 9: a little more. In group 1 it is less.
    share, overall = np.array([1 / 2, 1 / 2]), np.array([2 / 9, 4 / 9])
    drama, film = share * np.log(share / overall)
    assert drama > 5 * film > 0


def test_equal_groups_have_no_distinctive_words():
    found = distinctive_words(pd.Series(["red wine", "red wine", ""]), pd.Series([0, 1, 2]))
    assert found.to_dict() == {0: [], 1: [], 2: []}


def test_a_hyphen_holds_a_word_together_and_numbers_are_no_words():
    table = keyword_matrix(pd.Series(["Sci-Fi, film-noir (1995) 2nd a-b"]))
    assert table.columns.tolist() == ["film-noir", "sci-fi"]


@pytest.mark.parametrize("kind", ["str", "object", "category"])
def test_a_missing_text_is_an_empty_one(kind):
    texts = pd.Series(["red wine", None, "fast car"]).astype(kind)
    labels = pd.Series([0, 0, 1])
    for words in (class_tfidf, distinctive_words):
        assert (
            words(texts, labels).to_dict()
            == words(texts.astype("str").fillna(""), labels).to_dict()
        )
    assert keyword_matrix(texts).iloc[1].sum() == 0


PAIR = pd.Series(["wine", "car"])


@pytest.mark.parametrize(
    ("texts", "labels", "options", "error", "message"),
    [
        (PAIR, [0, 1], {}, TypeError, "labels must be a Series with the index of texts, got list"),
        (PAIR, pd.Series([0, np.nan]), {}, ValueError, "labels is missing at index 1"),
        (PAIR, pd.Series([0, "a"]), {}, TypeError, "labels mixes the kinds 'int', 'str'"),
        (PAIR, PAIR, {"weights": np.ones(2)}, TypeError, "weights must be a Series .* got ndarray"),
        (PAIR, PAIR, {"weights": PAIR}, TypeError, "weights must be numbers, .* type str"),
        (PAIR, PAIR, {"weights": pd.Series([1, np.nan])}, ValueError, "weights .* nan at index 1"),
        (PAIR, PAIR, {"weights": pd.Series([np.inf, 1])}, ValueError, "weights .* inf at index 0"),
        (PAIR, PAIR, {"weights": pd.Series([1, -2])}, ValueError, "weights .* -2.0 at index 1"),
        (PAIR, PAIR, {"top": 0}, ValueError, "top must be at least 1, got 0"),
        (PAIR, PAIR, {"top": 1.5}, TypeError, "top must be a whole number"),
        (pd.Series([1, "a"]), PAIR, {}, TypeError, "texts must be text, it holds 'int'"),
    ],
)
def test_bad_groups_are_named(texts, labels, options, error, message):
    for words in (class_tfidf, distinctive_words):
        with pytest.raises(error, match=message):
            words(texts, labels, **options)


def test_min_texts_above_the_number_of_texts_leaves_no_word():
    assert keyword_matrix(PAIR, min_texts=3).shape == (2, 0)
    assert keyword_matrix(PAIR, min_texts=2).shape == (2, 0)
    assert keyword_matrix(PAIR, vocabulary=[]).shape == (2, 0)
    assert keyword_matrix(PAIR[:0], vocabulary=["wine"]).shape == (0, 1)
    with pytest.raises(ValueError, match="min_texts must be at least 1, got 0"):
        keyword_matrix(PAIR, min_texts=0)
    with pytest.raises(TypeError, match="min_texts must be a whole number"):
        keyword_matrix(PAIR, min_texts=0.5)


@pytest.mark.parametrize(
    ("vocabulary", "error", "message"),
    [
        (["Wine", "car", "wine"], ValueError, "the same word twice: 'Wine', 'wine'"),
        (["wine", "red wine", "3d", "c++"], ValueError, r"never found: 'red wine', '3d', 'c\+\+'"),
        ("wine", TypeError, "vocabulary must be a list of words, got 'wine'"),
        (["wine", 3], TypeError, "vocabulary must be a list of words"),
    ],
)
def test_bad_vocabularies_are_named(vocabulary, error, message):
    with pytest.raises(error, match=message):
        keyword_matrix(PAIR, vocabulary=vocabulary)
