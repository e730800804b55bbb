"""Every metric against its definition, written out over points and pairs, and its edge cases."""

from itertools import combinations, permutations
from math import comb, log

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.cluster_metrics import evaluate_clusters

GEOMETRY = ["silhouette_cosine", "davies_bouldin", "calinski_harabasz"]
INTERNAL = [*GEOMETRY, "cohesion"]
B_CUBED = ["b_cubed_precision", "b_cubed_recall", "b_cubed"]
AGREEMENT = ["ari", "nmi", "v_measure", "accuracy", *B_CUBED]


def blobs(n=60, seed=0):
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % 3
    rows = np.eye(3, 8)[truth] + rng.normal(scale=0.2, size=(n, 8))
    ids = pd.Index([f"u{i:03d}" for i in range(n)])
    return pd.DataFrame(rows, index=ids), pd.Series(truth, index=ids)


# The definitions, from the papers, with nothing but sums: the code under test calls scikit-learn


def members(labels):
    return {k: [i for i, own in enumerate(labels) if own == k] for k in dict.fromkeys(labels)}


def silhouette(unit, labels):
    away = 1 - unit @ unit.T
    values = []
    for i, own in enumerate(labels):
        mean_to = {
            k: np.mean([away[i, j] for j in group if j != i])
            for k, group in members(labels).items()
            if group != [i]
        }
        if own not in mean_to:  # alone in its cluster
            values.append(0.0)
            continue
        inside = mean_to.pop(own)
        outside = min(mean_to.values())
        values.append((outside - inside) / max(inside, outside))
    return np.mean(values)


def davies_bouldin(unit, labels):
    groups = list(members(labels).values())
    means = [unit[g].mean(axis=0) for g in groups]
    spread = [
        np.mean([np.linalg.norm(unit[i] - m) for i in g])
        for g, m in zip(groups, means, strict=True)
    ]
    worst = [
        max(
            (spread[k] + spread[other]) / np.linalg.norm(means[k] - means[other])
            for other in range(len(groups))
            if other != k
        )
        for k in range(len(groups))
    ]
    return np.mean(worst)


def calinski_harabasz(unit, labels):
    groups, centre = list(members(labels).values()), unit.mean(axis=0)
    between = sum(len(g) * np.sum((unit[g].mean(axis=0) - centre) ** 2) for g in groups)
    within = sum(np.sum((unit[i] - unit[g].mean(axis=0)) ** 2) for g in groups for i in g)
    return (between / (len(groups) - 1)) / (within / (len(unit) - len(groups)))


def cohesion(unit, labels):
    cosines = []
    for group in members(labels).values():
        direction = unit[group].sum(axis=0)
        cosines += [unit[i] @ direction / np.linalg.norm(direction) for i in group]
    return np.mean(cosines)


def ari(truth, labels):
    pairs = list(combinations(range(len(truth)), 2))
    same_t, same_l = ([v[i] == v[j] for i, j in pairs] for v in (truth, labels))
    both = sum(t and c for t, c in zip(same_t, same_l, strict=True))
    expected = sum(same_t) * sum(same_l) / comb(len(truth), 2)
    highest = (sum(same_t) + sum(same_l)) / 2
    return 1.0 if highest == expected else (both - expected) / (highest - expected)


def entropy(*parts):
    groups = members(list(zip(*parts, strict=True))).values()
    n = len(parts[0])
    return -sum(len(g) / n * log(len(g) / n) for g in groups)


def nmi(truth, labels):
    shared = entropy(truth) + entropy(labels) - entropy(truth, labels)
    return 2 * shared / (entropy(truth) + entropy(labels))


def v_measure(truth, labels):
    h, c, joint = entropy(truth), entropy(labels), entropy(truth, labels)
    homogeneity = 1 - (joint - c) / h
    completeness = 1 - (joint - h) / c
    return 2 * homogeneity * completeness / (homogeneity + completeness)


def accuracy(truth, labels):
    classes, clusters = list(members(truth)), list(members(labels))
    classes += [None] * max(0, len(clusters) - len(classes))  # some clusters get no class
    best = max(
        sum(dict(zip(clusters, chosen, strict=False))[c] == t for t, c in zip(truth, labels))  # noqa: B905
        for chosen in permutations(classes, len(clusters))
    )
    return best / len(truth)


def b_cubed(truth, labels):
    clusters, classes = members(labels), members(truth)
    rows = zip(truth, labels, strict=True)
    shared = [(set(clusters[c]) & set(classes[t]), clusters[c], classes[t]) for t, c in rows]
    precision = np.mean([len(both) / len(c) for both, c, _ in shared])
    recall = np.mean([len(both) / len(t) for both, _, t in shared])
    return precision, recall, 2 / (1 / precision + 1 / recall)


@pytest.mark.rows("Q10")
@pytest.mark.parametrize("seed", range(5))
def test_every_metric_is_its_definition(seed):
    rng = np.random.default_rng(seed)
    vectors, truth = blobs(30, seed)
    scaled = vectors.mul(rng.uniform(0.1, 50, len(vectors)), axis=0)
    labels = truth.where(rng.random(30) > 0.4, rng.integers(0, 4, 30))
    labels.iloc[0] = 7  # a cluster of one
    found = evaluate_clusters(scaled, labels, truth)
    assert found.index.tolist() == ["n_clusters", "noise_share", *INTERNAL, *AGREEMENT]
    unit = vectors.div(np.linalg.norm(vectors, axis=1), axis=0).to_numpy()
    inside = [f(unit, labels.tolist()) for f in (silhouette, davies_bouldin)]
    inside += [f(unit, labels.tolist()) for f in (calinski_harabasz, cohesion)]
    # scikit-learn's distances come from squares, so a zero of them is one to half the digits.
    np.testing.assert_allclose(found[INTERNAL], inside, rtol=1e-7)
    both = truth.tolist(), labels.tolist()
    outside = [ari(*both), nmi(*both), v_measure(*both), accuracy(*both), *b_cubed(*both)]
    np.testing.assert_allclose(found[AGREEMENT], outside, rtol=1e-10)
    assert found["n_clusters"] == labels.nunique()
    assert found["noise_share"] == 0


@pytest.mark.rows("M02")
@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=9))
def test_external_metrics_of_any_small_table(pairs):
    truth, labels = map(list, zip(*pairs, strict=True))
    found = evaluate_clusters(np.eye(len(truth)), labels, truth)
    names = ["ari", "accuracy", *B_CUBED]
    expected = [ari(truth, labels), accuracy(truth, labels), *b_cubed(truth, labels)]
    np.testing.assert_allclose(found[names], expected, rtol=1e-10, atol=1e-12)
    # The two are symmetric but for precision and recall, which change places.
    turned = evaluate_clusters(np.eye(len(truth)), truth, labels)
    swap = {"b_cubed_precision": "b_cubed_recall", "b_cubed_recall": "b_cubed_precision"}
    symmetric = ["ari", "nmi", "v_measure", *B_CUBED]
    np.testing.assert_allclose(found[symmetric], turned.rename(swap)[symmetric], atol=1e-12)


@pytest.mark.rows("M01")
def test_internal_metrics_by_hand():
    # Two clusters at a right angle: points at 0 and 90 degrees, and at 180 and 270.
    found = evaluate_clusters([[2, 0], [0, 5], [-1, 0], [0, -3]], [0, 0, 1, 1])
    # Distance 1 within; to the other cluster 2 and 1, so 1.5 on average: (1.5 - 1) / 1.5.
    assert found["silhouette_cosine"] == pytest.approx(1 / 3)
    # Means at (0.5, 0.5) and (-0.5, -0.5): the spread is sqrt(0.5), the means sqrt(2) apart.
    assert found["davies_bouldin"] == pytest.approx(1.0)
    # Between 4 * 0.5, within 4 * 0.5, one and two degrees of freedom.
    assert found["calinski_harabasz"] == pytest.approx(2.0)
    assert found["cohesion"] == pytest.approx(np.sqrt(0.5))


@pytest.mark.rows("M02")
def test_b_cubed_by_hand():
    # Cluster of three a and one b, cluster of one b: precision (3 * 3/4 + 1/4 + 1) / 5.
    found = evaluate_clusters(np.eye(5), [0, 0, 0, 0, 1], list("aaabb"))
    assert found["b_cubed_precision"] == pytest.approx(3.5 / 5)
    assert found["b_cubed_recall"] == pytest.approx(4 / 5)


def test_one_cluster_and_only_clusters_of_one():
    truth = list("aabb")
    one = evaluate_clusters(np.eye(4), [5, 5, 5, 5], truth)
    assert one[["ari", "nmi", "v_measure", "accuracy"]].tolist() == [0, 0, 0, 0.5]
    assert one[B_CUBED[:2]].tolist() == [0.5, 1]
    apart = evaluate_clusters(np.eye(4), [0, 1, 2, 3], truth)
    assert apart[["ari", "accuracy"]].tolist() == [0, 0.5]
    assert apart[B_CUBED[:2]].tolist() == [1, 0.5]
    assert apart["cohesion"] == 1
    nothing_to_find = evaluate_clusters(np.eye(4), [0] * 4, ["a"] * 4)
    assert (nothing_to_find[AGREEMENT] == 1).all()


def test_random_labels_agree_by_chance_only():
    rng = np.random.default_rng(0)
    truth, labels = rng.integers(0, 4, 2000), rng.integers(0, 4, 2000)
    found = evaluate_clusters(np.eye(2000, 2), labels, truth)
    assert abs(found["ari"]) < 0.01
    assert 0.25 < found["accuracy"] < 0.3
    assert 0.24 < found["b_cubed"] < 0.26


def test_clusters_with_one_mean_are_not_called_good():
    crossed = [[1, 0], [-1, 0], [0, 1], [0, -1]]
    found = evaluate_clusters(crossed, [0, 0, 1, 1])
    assert found["davies_bouldin"] == np.inf
    assert found["silhouette_cosine"] == pytest.approx((1 - 2) / 2)
    assert found["cohesion"] == 0


def test_clusters_of_equal_points_are_not_called_bad():
    found = evaluate_clusters([[1, 0], [3, 0], [0, 2], [0, 5]], [0, 0, 1, 1])
    assert found[INTERNAL].tolist() == [1, 0, np.inf, 1]


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
    assert 0 < found["cohesion"] <= 1
    assert (found[AGREEMENT] == 1).all()


def test_nothing_but_noise():
    found = evaluate_clusters(np.eye(3), [-1, -1, -1], list("abc"))
    assert found[["n_clusters", "noise_share"]].tolist() == [0, 1]
    assert found[[*INTERNAL, *AGREEMENT]].isna().all()


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
    others = ["davies_bouldin", "calinski_harabasz", "cohesion"]
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
