"""Words beside vectors by the formula, and a recipe that finds what either alone misses."""

import numpy as np
import pandas as pd
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.pairwise import cosine_similarity

from recsys_interest.clusters import InterestClusterer
from recsys_interest.iterative_classification import IterativeClassification
from recsys_interest.short_texts import join_words, short_text_clusterer

WORDS = {0: "pawn rook knight castle", 1: "apple pie crust oven", 2: "tent trail boots rain"}
MORE = ["today", "again", "really", "maybe", "often", "never", "still", "perhaps"]


def planted(n=60, seed=0):
    """Return texts of three topics, of which the vectors tell only the first from the others."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1, 2], n)
    texts = [
        " ".join([*rng.choice(WORDS[t].split(), 2, replace=False), *rng.choice(MORE, 2)])
        for t in truth
    ]
    vectors = np.eye(8)[np.minimum(truth, 1)] + rng.normal(scale=0.15, size=(3 * n, 8))
    ids = [f"t{i:03d}" for i in range(3 * n)]
    return pd.DataFrame(vectors, index=ids), pd.Series(texts, index=ids), truth


SETTINGS = {"n_components": 6, "max_share": 0.4}


def test_the_cosine_is_the_weighted_mean_of_both_parts():
    vectors, texts, _ = planted()
    joined = join_words(vectors, texts, weight=0.7, **SETTINGS)
    assert joined.index.equals(vectors.index)
    assert joined.shape == (180, 14)
    assert set(joined.dtypes) == {np.dtype("float32")}
    both = joined.to_numpy()
    assert np.allclose(np.linalg.norm(both[:, :8], axis=1), 1, atol=1e-6)
    assert np.allclose(np.linalg.norm(both[:, 8:], axis=1), 0.7, atol=1e-6)
    parts = cosine_similarity(vectors), cosine_similarity(both[:, 8:])
    expected = (parts[0] + 0.49 * parts[1]) / 1.49
    assert np.allclose(cosine_similarity(both), expected, atol=1e-5)


def test_no_weight_is_the_vectors_alone():
    vectors, texts, _ = planted()
    joined = join_words(vectors, texts, weight=0, **SETTINGS)
    assert np.allclose(cosine_similarity(joined), cosine_similarity(vectors), atol=1e-5)


def test_words_find_what_the_vectors_do_not_tell():
    vectors, texts, truth = planted()

    def found(rows):
        model = InterestClusterer(KMeans(3, n_init=5), random_state=0).fit(rows)
        return adjusted_rand_score(truth, model.labels_)

    assert found(vectors) < 0.8
    assert found(join_words(vectors, texts, **SETTINGS)) > 0.9


def test_the_recipe_is_what_it_says():
    vectors, texts, truth = planted()
    model = short_text_clusterer(3, n_neighbors=7, n_components=5, random_state=4)
    assert isinstance(model.estimator, IterativeClassification)
    assert model.estimator.n_clusters == 3
    assert model.reducer[0].n_neighbors == 7
    assert model.reducer[1].n_components == 5
    assert model.random_state == 4
    labels = model.fit(join_words(vectors, texts, **SETTINGS)).labels_
    assert adjusted_rand_score(truth, labels) > 0.9


def test_rows_in_any_order_and_columns_of_any_name():
    vectors, texts, _ = planted()
    joined = join_words(vectors, texts, **SETTINGS)
    mixed = join_words(vectors.sample(frac=1, random_state=0), texts[::-1], **SETTINGS)
    pd.testing.assert_frame_equal(joined, mixed)
    assert joined.columns[[0, 7, 8]].tolist() == ["0", "7", "word_0"]
    InterestClusterer(KMeans(2, n_init=1)).fit(joined)


def test_chinese_words():
    ids = [f"t{i:02d}" for i in range(12)]
    texts = pd.Series(["我爱围棋"] * 6 + ["我吃苹果"] * 6, index=ids)
    vectors = pd.DataFrame(np.ones((12, 2)), index=ids)
    joined = join_words(vectors, texts, n_components=9, min_texts=3, max_share=0.5)
    labels = InterestClusterer(KMeans(2, n_init=3), random_state=0).fit(joined).labels_
    assert adjusted_rand_score([0] * 6 + [1] * 6, labels) == 1.0


@pytest.mark.parametrize("texts", [["", None, ""], ["a b", "c", "1 2"], ["one word", "x", "y"]])
def test_no_words_left_is_the_vectors_alone(texts):
    vectors = pd.DataFrame(np.eye(3))
    joined = join_words(vectors, pd.Series(texts, dtype=object))
    assert joined.shape == (3, 3)
    assert np.array_equal(joined, np.eye(3))


def test_one_word_and_more_components_than_words():
    vectors = pd.DataFrame(np.eye(4))
    texts = pd.Series(["apple", "apple", "", ""])
    joined = join_words(vectors, texts, min_texts=2, max_share=1.0)
    assert joined["word_0"].tolist() == [0.5, 0.5, 0.0, 0.0]
    texts = pd.Series(["apple pie", "apple cake", "pie", "cake"])
    wide = join_words(vectors, texts, n_components=50, min_texts=1, max_share=1.0)
    assert wide.shape[1] == 4 + 3
    few = join_words(vectors, texts, n_components=2, min_texts=1, max_share=1.0)
    assert few.shape[1] == 4 + 2


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        ({"vectors": np.eye(3)}, TypeError, "vectors must be a DataFrame"),
        ({"texts": ["a"]}, TypeError, "texts must be a Series indexed by id, got list"),
        ({"texts": pd.Series(["a"], index=["t000"])}, ValueError, r"lacks the id\(s\) 't001'"),
        ({"texts": pd.Series(["a", "b"], index=["x", "x"])}, ValueError, r"id\(s\) 'x' twice"),
        ({"weight": -1}, ValueError, "weight must be a finite number of at least 0, got -1"),
        ({"weight": float("nan")}, ValueError, "weight must be a finite"),
        ({"weight": "1"}, TypeError, "weight must be a number"),
        ({"max_share": 1.5}, ValueError, "max_share must be from 0 to 1.0, got 1.5"),
        ({"n_components": 0}, ValueError, "n_components must be at least 1"),
        ({"min_texts": 0.5}, TypeError, "min_texts must be a whole number"),
    ],
)
def test_bad_input(change, error, says):
    vectors, texts, _ = planted()
    with pytest.raises(error, match=says):
        join_words(**{"vectors": vectors, "texts": texts, **change})


def test_numbers_among_the_texts_are_named():
    vectors, texts, _ = planted()
    mixed = texts.astype(object)
    mixed.iloc[3] = 7
    with pytest.raises(TypeError, match="texts must be text, it holds 'int'"):
        join_words(vectors, mixed)


def test_vectors_that_are_not_finite_name_the_text():
    vectors, texts, _ = planted()
    vectors.loc["t005", 1] = np.nan
    with pytest.raises(ValueError, match="not finite for 't005'"):
        join_words(vectors, texts)
