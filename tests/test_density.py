"""The k-distance curve against pairs of points, and eps where the planted clusters are found."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.cluster import DBSCAN
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from recsys_interest.clusters import InterestClusterer
from recsys_interest.density import KneeDBSCAN, k_distances, knee_eps
from recsys_interest.plots import plot_k_distances


@parametrize_with_checks([KneeDBSCAN()])
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


def planted(seed=0, sizes=(60, 50, 40), dim=4, noise=30):
    """Return dense balls at the corners of a simplex, points spread between them, and the truth."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    balls = 4 * np.eye(dim)[truth] + rng.normal(scale=0.2, size=(len(truth), dim))
    between = rng.uniform(-4, 8, size=(noise, dim))
    return np.vstack([balls, between]), np.append(truth, [-1] * noise)


def by_pairs(rows, min_samples):
    away = np.sqrt(((rows[:, None] - rows[None]) ** 2).sum(axis=2))
    return np.sort(np.sort(away, axis=1)[:, min_samples - 1])


@pytest.mark.parametrize(("dim", "min_samples"), [(1, 2), (3, 7), (40, 5)])
def test_the_curve_is_the_distance_to_the_kth_nearest(dim, min_samples):
    rows = np.random.default_rng(dim).normal(size=(50, dim))
    found = k_distances(rows, min_samples)
    np.testing.assert_allclose(found, by_pairs(rows, min_samples), rtol=1e-9)


def test_the_default_counts_twice_the_dimensions():
    rows = np.random.default_rng(0).normal(size=(40, 6))
    np.testing.assert_array_equal(k_distances(rows), k_distances(rows, 12))
    np.testing.assert_array_equal(k_distances(rows[:, :1]), k_distances(rows[:, :1], 5))
    np.testing.assert_array_equal(k_distances(rows[:9]), k_distances(rows[:9], 9))


def test_the_knee_by_hand():
    # The curve 1, 1, 1, 2, 11 is below its chord by 0, 1/4, 1/2, 3/4 - 1/10 and 0.
    points = np.array([[0.0], [1], [2], [4], [15]])
    assert k_distances(points, 2).tolist() == [1, 1, 1, 2, 11]
    assert knee_eps(points, 2) == pytest.approx(2)


@pytest.mark.parametrize("seed", range(5))
def test_a_point_is_core_exactly_if_its_distance_is_at_most_eps(seed):
    rows, _ = planted(seed)
    eps = knee_eps(rows, 6)
    core = DBSCAN(eps=eps, min_samples=6).fit(rows).core_sample_indices_
    assert len(core) == (k_distances(rows, 6) <= eps).sum()


@pytest.mark.rows("C04")
@pytest.mark.parametrize("seed", range(5))
def test_planted_clusters_and_noise_are_found(seed):
    rows, truth = planted(seed)
    model = KneeDBSCAN().fit(rows)
    assert adjusted_rand_score(truth, model.labels_) > 0.9
    assert model.labels_.max() == 2
    assert model.eps_ == knee_eps(rows)
    assert model.min_samples_ == 8
    again = DBSCAN(eps=model.eps_, min_samples=8).fit(rows)
    assert adjusted_rand_score(again.labels_, model.labels_) > 0.99
    assert set(model.core_sample_indices_) == set(again.core_sample_indices_)


def test_one_cloud_is_not_three_clusters():
    rows = np.random.default_rng(0).normal(size=(180, 4))
    truth = planted()[1]
    assert abs(adjusted_rand_score(truth, KneeDBSCAN().fit_predict(rows))) < 0.1


def test_another_rule_takes_the_place_of_the_knee():
    rows, truth = planted()
    model = KneeDBSCAN(rule=np.mean).fit(rows)
    assert model.eps_ == pytest.approx(k_distances(rows).mean())
    seen = []
    KneeDBSCAN(4, rule=lambda d: seen.append(d) or 1.0).fit(rows)
    np.testing.assert_array_equal(seen[0], k_distances(rows, 4))
    assert adjusted_rand_score(truth, model.labels_) > 0.8


@pytest.mark.parametrize(
    ("rule", "error", "message"),
    [("mean", TypeError, "rule must be callable"), (lambda d: np.nan, ValueError, "returned nan")],
)
def test_rules_that_give_no_radius_are_named(rule, error, message):
    with pytest.raises(error, match=message):
        KneeDBSCAN(rule=rule).fit(planted()[0])


def test_row_order_does_not_matter():
    rows, _ = planted(3)
    model = KneeDBSCAN().fit(rows)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(rows))
        again = KneeDBSCAN().fit(rows[order])
        assert again.eps_ == model.eps_
        assert again.labels_.tolist() == model.labels_[order].tolist()
        assert k_distances(rows[order]).tobytes() == k_distances(rows).tobytes()


def test_it_is_injected_behind_a_reducer():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 50)
    wide = np.eye(384)[truth] + rng.normal(scale=0.06, size=(200, 384))
    model = InterestClusterer(KneeDBSCAN(), reducer=PCA(5), random_state=0).fit(wide)
    assert adjusted_rand_score(truth, model.labels_) > 0.8
    assert model.n_clusters_ == 4


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=2, max_size=12))
def test_any_small_table_has_an_answer(rows):
    rows = np.array(rows, dtype=float)
    model = KneeDBSCAN().fit(rows)
    assert 0 < model.eps_ < 10
    # Whatever the curve, the point with the smallest distance is a core point.
    assert len(model.core_sample_indices_) > 0


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
def test_equal_points_are_one_cluster_and_equal_distances_leave_no_noise(scale):
    same = np.full((6, 3), scale)
    assert knee_eps(same) > 0
    assert KneeDBSCAN().fit_predict(same).tolist() == [0] * 6
    corners = scale * np.eye(6)
    assert KneeDBSCAN(2).fit_predict(corners).tolist() == [0] * 6
    assert KneeDBSCAN().fit_predict(np.zeros((4, 2))).tolist() == [0] * 4


def test_many_doubles_leave_an_eps_above_zero():
    rows = np.vstack([np.ones((30, 2)), [[5.0, 5], [9, 1]]])
    model = KneeDBSCAN().fit(rows)
    assert model.eps_ > 0
    assert model.labels_.tolist() == [0] * 30 + [-1, -1]


def test_frames_are_fine():
    rows, _ = planted()
    frame = pd.DataFrame(rows, columns=list("abcd"))
    assert knee_eps(frame) == knee_eps(rows)
    assert KneeDBSCAN().fit(frame).feature_names_in_.tolist() == list("abcd")


BAD = [
    ([[1.0], [np.nan]], None, ValueError, "X contains NaN"),
    ([[1.0], [np.inf]], None, ValueError, "X contains infinity"),
    ([[1.0]], None, ValueError, "minimum of 2 is required"),
    (np.eye(3), 4, ValueError, "min_samples = 4, but there are 3 points; use fewer, or None"),
    (np.eye(3), 1, ValueError, "min_samples must be at least 2, got 1"),
    (np.eye(3), 2.5, TypeError, "min_samples must be a whole number, got 2.5"),
]


@pytest.mark.parametrize(("rows", "min_samples", "error", "message"), BAD)
def test_bad_input_is_named(rows, min_samples, error, message):
    for call in (k_distances, knee_eps, lambda X, k: KneeDBSCAN(k).fit(X)):
        with pytest.raises(error, match=message):
            call(rows, min_samples)


def test_the_curve_is_drawn_with_its_knee():
    rows, _ = planted()
    distances, eps = k_distances(rows), knee_eps(rows)
    ax = plot_k_distances(distances, eps, ax=Figure().subplots())
    curve, line = ax.lines
    np.testing.assert_array_equal(curve.get_ydata(), distances)
    assert curve.get_xdata()[[0, -1]].tolist() == [1 / len(rows), 1]
    assert set(line.get_ydata()) == {eps}
    share = (distances <= eps).mean()
    assert ax.texts[0].get_text() == f"eps = {eps:.3g}: {share:.0%} core points"
    assert len(plot_k_distances(distances, ax=Figure().subplots()).lines) == 1


@pytest.mark.parametrize("distances", [[], [[1.0]], [2.0, 1.0], [1.0, np.nan]])
def test_what_is_no_curve_is_named(distances):
    with pytest.raises(ValueError, match="distances must be ascending, from k_distances"):
        plot_k_distances(distances, ax=Figure().subplots())
