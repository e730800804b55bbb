from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from recsys_interest import InterestPipeline, item_text, load_dataset, make_interest_log
from recsys_interest.models import ModelNotFoundError
from recsys_interest.token_vectors import TokenVectors
from recsys_interest.tokens import WordAnalyzer
from recsys_interest.word_vectors import WordVectors
from tests.tiny_models import make_tiny_bert

TEXTS = ["red wine glass", "white wine glass", "red fast car", "fast car engine"] * 2


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return str(make_tiny_bert(tmp_path_factory.mktemp("tiny") / "bert"))


@pytest.fixture(params=["words", "tokens"])
def make(request, bert):
    def build(**options):
        if request.param == "words":
            return WordVectors(n_components=4, **options)
        return TokenVectors(bert, **options)

    return build


def test_the_factorised_table_is_the_one_of_the_formula():
    model = WordVectors(n_components=99, weighting="uniform", n_common=0).fit(TEXTS)
    words = model.word_vectors_.index
    assert words.tolist() == ["car", "engine", "fast", "glass", "red", "white", "wine"]
    present = np.array([[w in text.split() for w in words] for text in TEXTS], dtype=float)
    C = present.T @ present
    np.fill_diagonal(C, 0)
    context = C.sum(axis=0) ** 0.75
    with np.errstate(divide="ignore"):
        pmi = np.log(C / C.sum() / np.outer(C.sum(axis=1) / C.sum(), context / context.sum()))
    U, S, _ = np.linalg.svd(np.maximum(pmi, 0))
    expected = U * np.sqrt(S)
    found = model.word_vectors_.to_numpy()
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-5)


@pytest.mark.rows("F06")
def test_a_text_is_the_weighted_mean_of_its_words(make):
    texts = ["the tent", "stove and tent", "a novel", "red song red"]
    for weighting in ("idf", "sif", "uniform"):
        model = make(weighting=weighting, n_common=0, normalize=False).fit(TEXTS + texts * 2)
        if isinstance(model, WordVectors):
            words = WordAnalyzer()("stove and tent tent")
        else:
            words = model.tokenizer_.encode("stove and tent tent", add_special_tokens=False).tokens
        w = model.word_weights_.loc[words].to_numpy()
        expected = w @ model.word_vectors_.loc[words].to_numpy() / w.sum()
        found = model.transform(["stove and tent tent"]).to_numpy()[0]
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_rare_words_weigh_more_unless_all_weigh_the_same(make):
    for weighting in ("idf", "sif"):
        weights = make(weighting=weighting).fit(["red tent", "red novel"] * 2).word_weights_
        assert weights["tent"] > weights["red"] > 0
    assert set(make(weighting="uniform").fit(TEXTS).word_weights_) == {1.0}


@pytest.mark.parametrize("normalize", [True, False])
def test_repeating_a_text_does_not_change_its_vector(make, normalize):
    model = make(normalize=normalize).fit(TEXTS)
    once, thrice = model.transform(["red tent", " ".join(["red tent"] * 3)]).to_numpy()
    np.testing.assert_allclose(once, thrice, atol=1e-6)


def test_blank_and_unknown_texts_are_zero_and_others_have_length_one(make):
    model = make().fit(TEXTS)
    index = pd.Index(["a", "b", "c", "d"], name="item_id")
    found = model.transform(pd.Series(["red wine", "", None, " \n"], index=index))
    assert found.dtypes.unique().tolist() == [np.float32]
    assert found.index.equals(index)
    assert found.columns.tolist() == model.get_feature_names_out().tolist()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), [1, 0, 0, 0], atol=1e-6)


@settings(deadline=None, max_examples=30)
@given(texts=st.lists(st.text("abc 机器学", max_size=9), min_size=1, max_size=8))
def test_any_texts_give_finite_vectors_that_ignore_the_order_of_the_rows(texts):
    corpus = pd.Series([*texts, "aa bb", "aa bb 机器"])
    model = WordVectors(n_components=3, min_texts=1)
    first = model.fit(corpus).transform(corpus)
    assert np.isfinite(first.to_numpy()).all()
    turned = corpus.iloc[::-1]
    second = clone(model).fit(turned).transform(turned).loc[corpus.index]
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_row_order_and_repetition_change_no_bit(make):
    texts = pd.Series([f"{a} {b}" for a in ("tent", "novel") for b in ("red", "song", "stove")] * 2)
    first = make().fit(texts).transform(texts)
    mixed = texts.sample(frac=1, random_state=3)
    second = make().fit(mixed).transform(mixed).loc[texts.index]
    pd.testing.assert_frame_equal(first, second, check_exact=True)


def test_the_common_direction_is_gone(make):
    model = make(n_common=1, normalize=False).fit(TEXTS)
    assert model.common_.shape[0] == 1
    assert np.abs(model.transform(TEXTS).to_numpy() @ model.common_[0]).max() < 1e-5
    assert np.linalg.norm(make(n_common=0, normalize=False).fit_transform(TEXTS)) > 1e-3


def test_words_of_one_topic_are_nearer_than_words_of_two():
    data = make_interest_log(n_users=2)
    model = WordVectors(n_components=64).fit(item_text(data.items))
    vectors = model.transform(["tent", "peg", "server", "script"]).to_numpy()
    cosine = vectors @ vectors.T
    assert min(cosine[0, 1], cosine[2, 3]) > 0.3 > cosine[0, 2]


def test_chinese_texts_need_no_segmenter():
    texts = ["红色的帐篷", "露营帐篷", "红酒和酒杯", "白酒和酒杯"] * 2
    vectors = WordVectors(n_components=4).fit(texts).transform(["帐篷", "露营", "酒杯"]).to_numpy()
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_tokens_are_looked_up_in_the_table_of_the_model(bert):
    from transformers import AutoModel, AutoTokenizer

    table = AutoModel.from_pretrained(bert).get_input_embeddings().weight.detach().numpy()
    ids = AutoTokenizer.from_pretrained(bert)("red novel", add_special_tokens=False)["input_ids"]
    model = TokenVectors(bert, weighting="uniform", n_common=0, normalize=False).fit(["red novel"])
    np.testing.assert_allclose(
        model.transform(["red novel"]).to_numpy()[0], table[ids].mean(axis=0)
    )


def test_the_default_model_has_a_table_that_knows_words():
    try:
        model = TokenVectors(n_common=0, local_files_only=True).fit(["tent camping novel"])
    except ModelNotFoundError:
        pytest.skip("needs data: the default model is not here")
    vectors = model.transform(["guitar", "guitars", "volcano"]).to_numpy()
    assert vectors.shape == (3, 384)
    assert vectors[0] @ vectors[1] > 0.5 > vectors[0] @ vectors[2]


def test_a_folder_without_table_or_tokeniser_is_named(tmp_path, bert):
    import shutil

    from safetensors.numpy import save_file

    folder = shutil.copytree(bert, tmp_path / "other")
    save_file({"weight": np.zeros((2, 2), dtype=np.float32)}, folder / "model.safetensors")
    with pytest.raises(ModelNotFoundError, match=r"no table embeddings\.word_embeddings\.weight"):
        TokenVectors(folder).fit(TEXTS)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelNotFoundError, match=r"no tokenizer\.json"):
        TokenVectors(folder).fit(TEXTS)


@pytest.mark.parametrize(
    ("options", "texts", "error", "message"),
    [
        ({"weighting": "tfidf"}, TEXTS, ValueError, "weighting must be one of 'idf', 'sif'"),
        ({"n_common": -1}, TEXTS, ValueError, "n_common must be at least 0, got -1"),
        ({}, "one text", TypeError, "give a list of texts, not 'one text'"),
        ({}, [3], TypeError, "texts must be text, it holds 'int'"),
    ],
)
def test_bad_settings_are_named(make, options, texts, error, message):
    with pytest.raises(error, match=message):
        make(**options).fit(texts)


@pytest.mark.parametrize(
    ("options", "texts", "error", "message"),
    [
        ({"smoothing": 0}, TEXTS, ValueError, r"smoothing must lie in \(0, 1\], got 0"),
        ({"n_components": 0}, TEXTS, ValueError, "n_components must be at least 1, got 0"),
        ({"max_words": 1.5}, TEXTS, TypeError, r"max_words must be a whole number, got 1\.5"),
        ({}, ["", "1995"], ValueError, "the texts hold no words"),
        ({}, ["red", "wine"], ValueError, "no word occurs in 2 texts"),
    ],
)
def test_what_word_vectors_cannot_learn_from_is_named(options, texts, error, message):
    with pytest.raises(error, match=message):
        WordVectors(**options).fit(texts)


def test_words_that_never_meet_get_vectors_that_say_nothing():
    model = WordVectors().fit(["red", "red", "car", "car"])
    assert model.transform(["red"]).to_numpy().tolist() == [[0.0]]


def test_only_the_most_frequent_words_are_kept():
    texts = ["red wine", "red car", "red wine", "car wine", "zoo red", "zoo red"]
    assert WordVectors(max_words=2).fit(texts).word_vectors_.index.tolist() == ["red", "wine"]


def test_transform_before_fit_is_an_error():
    with pytest.raises(NotFittedError):
        WordVectors().transform(["red"])


def test_the_pipeline_takes_word_vectors_as_its_encoder(tmp_path):
    data = load_dataset("interest-log")
    events = data.events.iloc[:600]
    encoder = WordVectors(n_components=32)
    road = InterestPipeline(encoder, now="2026-12-31").fit(events, data.items)
    assert not hasattr(encoder, "word_vectors_")  # a parameter stays as it was given
    alone = encoder.fit(item_text(data.items)).transform(item_text(data.items))
    np.testing.assert_array_equal(road.item_vectors_, alone.sort_index())
    again = InterestPipeline.load(road.save(tmp_path / "road"))
    pd.testing.assert_frame_equal(again.recommend(k=3), road.recommend(k=3))
