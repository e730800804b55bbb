from __future__ import annotations

import pickle
from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from recsys_interest.tokens import HAN, WordAnalyzer, count_tokens, stop_words

HAN_TEXT = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x4E40), max_size=12)


@settings(deadline=None)
@given(run=HAN_TEXT.filter(lambda t: len(t) >= 2))
def test_chinese_ngrams_are_those_of_scikit_learn(run):
    theirs = CountVectorizer(analyzer="char", ngram_range=(2, 3)).build_analyzer()
    assert WordAnalyzer(stop_words=())(run) == theirs(run)


@settings(deadline=None)
@given(text=st.text("Tent, tHe sci-fi 1995 x_y don't.\n", max_size=40))
def test_english_words_are_those_of_scikit_learn(text):
    from recsys_interest.tokens import WORD

    theirs = CountVectorizer(token_pattern=WORD, stop_words="english").build_analyzer()
    assert WordAnalyzer()(text) == theirs(text)


def test_a_mixed_text_gives_words_of_both_kinds():
    words = WordAnalyzer()
    assert words("用Python写代码, Sci-Fi 很好看2026年") == [
        *("python", "sci-fi", "用", "写代", "代码", "写代码", "好看", "年")
    ]
    assert words("Ｐｙｔｈｏｎ 教程") == ["python", "教程"]  # full-width letters


def test_no_ngram_crosses_a_stop_word_and_short_runs_stay_whole():
    assert WordAnalyzer()("我们的书和茶") == ["书", "茶"]
    assert WordAnalyzer(stop_words=())("书和茶") == ["书和", "和茶", "书和茶"]
    assert WordAnalyzer(stop_words=["书"])("书和茶") == ["和茶"]


def test_a_segmenter_is_used_as_it_is():
    cut = {"我喜欢机器学习, ok!": ["我", "喜欢", "机器学习", ",", " ", "OK", "!", "x", "茶", "7"]}
    words = WordAnalyzer(tokenizer=cut.__getitem__)
    assert words("我喜欢机器学习, ok!") == ["喜欢", "机器学习", "ok", "茶"]


def test_stop_words_are_lists_of_words():
    assert {"the", "not"} <= stop_words("en")
    chinese = stop_words("zh")
    assert {"的", "我们", "因为"} <= chinese
    assert all(len(w) == len(w.strip()) and WordAnalyzer()(w) == [] for w in chinese)
    with pytest.raises(ValueError, match="language must be one of 'en', 'zh', got 'de'"):
        stop_words("de")


def test_an_analyzer_goes_into_scikit_learn():
    texts = ["the red tent", "红色的帐篷 tent"]
    weights = TfidfVectorizer(analyzer=WordAnalyzer()).fit(texts)
    assert weights.get_feature_names_out().tolist() == ["red", "tent", "帐篷", "红色"]
    one = WordAnalyzer(stop_words=(w for w in ["tent"]))
    for copy in (deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert copy == one
        assert copy("the tent") == copy("the tent") == ["the"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"ngrams": 2}, TypeError, r"ngrams must be a pair like \(2, 3\), got 2"),
        ({"ngrams": (0, 2)}, ValueError, r"ngrams\[0\] must be at least 1, got 0"),
        ({"ngrams": (3, 2)}, ValueError, r"ngrams\[1\] must be at least 3, got 2"),
        ({"stop_words": "the"}, TypeError, "stop_words must be a list of words, got 'the'"),
        ({"stop_words": [3]}, TypeError, "stop_words must hold text, it holds 3"),
        ({"tokenizer": "jieba"}, TypeError, "tokenizer must be a function of a text, got 'jieba'"),
    ],
)
def test_bad_settings_are_named(options, error, message):
    with pytest.raises(error, match=message):
        WordAnalyzer(**options)


def test_the_estimate_of_tokens_follows_its_rule():
    assert count_tokens("") == count_tokens(" \n") == 0
    assert count_tokens("tents") == 2  # four letters, then one
    assert count_tokens("浏览帐篷") == 4
    assert count_tokens("a_b!") == 4


@pytest.mark.rows("M07")
def test_the_estimate_is_rarely_below_what_the_real_tokeniser_makes(encoder):
    from recsys_interest import item_text, make_interest_log

    texts = item_text(make_interest_log(n_users=2).items)
    tokens = encoder.tokenizer_(texts.tolist(), add_special_tokens=False)["input_ids"]
    real = np.array([len(ids) for ids in tokens])
    estimate = texts.map(count_tokens).to_numpy()
    assert (estimate >= real).mean() > 0.95
    assert 1 < np.median(estimate / real) < 1.6


@pytest.fixture(scope="module")
def encoder():
    from recsys_interest import TextEncoder
    from recsys_interest.models import ModelNotFoundError

    try:
        return TextEncoder(local_files_only=True, progress=False).fit()
    except ModelNotFoundError:
        return pytest.skip("needs data: the default model is not here")


PAIRS = [
    ("The soup was good.", "The soup was not good."),
    ("To be or not to be", "What should have been"),
    ("flights to London", "flights from London"),
    ("a film with her", "a film without her"),
]


@pytest.mark.rows("F01")
def test_without_stop_words_a_transformer_cannot_tell_opposites_apart(encoder):
    """Why stop words are removed for counting and never before an encoder."""
    texts = [text for pair in PAIRS for text in pair]
    whole = encoder.transform(texts).to_numpy()
    cut = encoder.transform([" ".join(WordAnalyzer()(text)) for text in texts]).to_numpy()
    for first in range(0, len(texts), 2):
        assert whole[first] @ whole[first + 1] < 0.99, texts[first]
        np.testing.assert_array_equal(cut[first], cut[first + 1])
    assert not cut[2].any()  # of Hamlet's question nothing is left


def test_stop_words_carry_meaning_that_the_encoder_uses(encoder):
    question, yes, no = encoder.transform(
        ["the soup was bad", "the soup was not good", "the soup was good"]
    ).to_numpy()
    assert question @ yes > question @ no + 0.02


def test_han_is_what_it_says():
    import re

    assert re.fullmatch(f"[{HAN}]+", "编程㐀𠀀")
    assert not re.search(f"[{HAN}]", "abcéがハ한，。")
