import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk

from recsys_interest.cluster_metrics import evaluate_clusters

GEOMETRY = ["silhouette_cosine", "davies_bouldin", "calinski_harabasz"]
AGREEMENT = ["ari", "nmi", "v_measure", "accuracy"]


def blobs(n=60, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    rows = np.eye(3, 8)[truth] + rng.normal(scale=0.2, size=(n, 8))
    ids = pd.Index([f"u{i:03d}" for i in range(n)])
    return pd.DataFrame(rows, index=ids), pd.Series(truth, index=ids)


def test_geometry_is_scikit_learns_on_unit_vectors():
    vectors, labels = blobs()
    scaled = vectors.mul(np.linspace(1, 50, len(vectors)), axis=0)
    found = evaluate_clusters(scaled, labels)
    assert found.index.tolist() == ["n_clusters", "noise_share", *GEOMETRY]
    unit = vectors.div(np.linalg.norm(vectors, axis=1), axis=0).to_numpy()
    expected = [
        sk.silhouette_score(vectors, labels, metric="cosine"),
        sk.davies_bouldin_score(unit, labels),
        sk.calinski_harabasz_score(unit, labels),
    ]
    np.testing.assert_allclose(found[GEOMETRY], expected, rtol=1e-12)
    assert found["n_clusters"] == 3
    assert found["noise_share"] == 0


def test_right_labels_under_other_names_agree_fully():
    vectors, truth = blobs()
    found = evaluate_clusters(
        vectors, truth.map({0: 5, 1: 9, 2: 0}), truth.map(list("abc").__getitem__)
    )
    np.testing.assert_allclose(found[AGREEMENT], 1, rtol=1e-12)


def test_accuracy_by_hand():
    # Cluster 0 is mostly a (3 of 4), 1 is mostly a too (2 of 3) but a is taken, so it gets b (1).
    labels, truth = [0, 0, 0, 0, 1, 1, 1], list("aaabaab")
    found = evaluate_clusters(np.eye(7), labels, truth)
    assert found["accuracy"] == 4 / 7
    assert found["ari"] == pytest.approx(sk.adjusted_rand_score(truth, labels), rel=1e-12)
    more_clusters = evaluate_clusters(np.eye(4), [0, 1, 2, 2], list("aabb"))
    assert more_clusters["accuracy"] == 3 / 4


def test_noise_is_counted_and_left_out():
    vectors, truth = blobs()
    labels = truth.where(np.arange(len(truth)) >= 15, -1)
    found = evaluate_clusters(vectors, labels, truth)
    rest = evaluate_clusters(vectors.iloc[15:], truth.iloc[15:], truth.iloc[15:])
    assert found["noise_share"] == 0.25
    pd.testing.assert_series_equal(found.drop("noise_share"), rest.drop("noise_share"))


def test_series_follow_their_index_and_row_order_does_not_matter():
    vectors, truth = blobs()
    labels = truth.where(np.arange(len(truth)) % 7 > 0, (truth + 1) % 3)
    expected = evaluate_clusters(vectors, labels, truth)
    assert 0.5 < expected["accuracy"] < 1
    for seed in range(5):
        tables = [
            t.sample(frac=1, random_state=seed + i) for i, t in enumerate((vectors, labels, truth))
        ]
        pd.testing.assert_series_equal(evaluate_clusters(*tables), expected, check_exact=True)


def test_arrays_follow_position():
    vectors, truth = blobs()
    labels = truth.where(np.arange(len(truth)) % 7 > 0, (truth + 1) % 3)
    expected = evaluate_clusters(vectors, labels, truth)
    backwards = slice(None, None, -1)
    mixed = [
        (vectors.to_numpy(), labels.to_numpy(), truth.tolist()),
        (vectors[backwards], labels.to_numpy()[backwards], truth),
        (vectors.to_numpy()[backwards], labels[backwards], truth.to_numpy()[backwards]),
        (vectors.to_numpy()[backwards], labels[backwards], truth),
    ]
    for tables in mixed:
        pd.testing.assert_series_equal(evaluate_clusters(*tables), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("vectors", "labels", "n_clusters"),
    [
        (np.eye(4), [2, 2, 2, 2], 1),
        (np.eye(4), [0, 1, 2, 3], 4),
        (np.eye(4), [-1, -1, -1, 5], 1),
        (np.ones((4, 2)), [0, 0, 1, 1], 2),
        (np.ones((1, 2)), [0], 1),
    ],
)
def test_geometry_is_nan_where_it_has_no_meaning(vectors, labels, n_clusters):
    found = evaluate_clusters(vectors, labels, labels)
    assert found["n_clusters"] == n_clusters
    assert found[GEOMETRY].isna().all()
    assert found["accuracy"] == 1


def test_nothing_but_noise():
    found = evaluate_clusters(np.eye(3), [-1, -1, -1], list("abc"))
    assert found[["n_clusters", "noise_share"]].tolist() == [0, 1]
    assert found[[*GEOMETRY, *AGREEMENT]].isna().all()


def test_text_labels_and_zero_vectors_are_fine():
    vectors = np.array([[1.0, 0], [2, 0], [0, 0], [0, 1], [0, 3]])
    found = evaluate_clusters(vectors, np.array(["a", "a", "a", "b", "b"]))
    assert found["n_clusters"] == 2
    assert np.isfinite(found[GEOMETRY].to_numpy()).all()


def test_a_fixed_sample_comes_near_the_full_silhouette(monkeypatch):
    vectors, truth = blobs(900)
    full = evaluate_clusters(vectors, truth)
    monkeypatch.setattr("recsys_interest.cluster_metrics.SILHOUETTE_ROWS", 600)
    sampled = evaluate_clusters(vectors, truth)
    assert sampled["silhouette_cosine"] != full["silhouette_cosine"]
    assert abs(sampled["silhouette_cosine"] - full["silhouette_cosine"]) < 0.01
    pd.testing.assert_series_equal(evaluate_clusters(vectors, truth), sampled, check_exact=True)
    others = ["davies_bouldin", "calinski_harabasz"]
    pd.testing.assert_series_equal(sampled[others], full[others], check_exact=True)


VECTORS, TRUTH = blobs(6)


@pytest.mark.parametrize(
    ("vectors", "labels", "truth", "error", "message"),
    [
        (VECTORS, TRUTH[:5], None, ValueError, "labels and vectors .* same index.* 'u005'"),
        (VECTORS, TRUTH, TRUTH.rename({"u001": "x"}), ValueError, "truth and vectors .* 'x'"),
        (VECTORS, [0, 1], None, ValueError, r"labels must be one value per row .*\(6\).*\(2,\)"),
        (VECTORS, TRUTH, [0], ValueError, "truth must be one value per row"),
        (VECTORS, TRUTH.mask(TRUTH == 1), None, ValueError, r"labels is missing in 2 row\(s\)"),
        (VECTORS, TRUTH, [None] * 6, ValueError, r"truth is missing in 6 row\(s\)"),
        (VECTORS.drop("u002").reindex(VECTORS.index), TRUTH, None, ValueError, "NaN .* 'u002'"),
        (np.full((2, 2), np.inf), [0, 1], None, ValueError, r"infinite numbers in row\(s\) 0, 1"),
        (VECTORS.astype(str) + "x", TRUTH, None, TypeError, "vectors must be a table of numbers"),
        (np.ones(6), TRUTH, None, ValueError, r"rows and columns.*\(6,\)"),
        (VECTORS[:0], TRUTH[:0], None, ValueError, "rows and columns"),
        (VECTORS.set_axis(["a"] * 6), TRUTH, None, ValueError, "duplicates: 'a'"),
        (VECTORS, pd.concat([TRUTH, TRUTH]), None, ValueError, "index of labels has duplicates"),
    ],
)
def test_bad_clusterings_are_named(vectors, labels, truth, error, message):
    with pytest.raises(error, match=message):
        evaluate_clusters(vectors, labels, truth)
