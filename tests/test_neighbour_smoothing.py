"""Means of neighbours, equal to a matrix power, the same for new rows, and better clusters."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import kneighbors_graph
from sklearn.utils.estimator_checks import parametrize_with_checks

from recsys_interest.clusters import InterestClusterer
from recsys_interest.neighbour_smoothing import NeighbourSmoothing
from recsys_interest.vectors import unit_rows


def cloud(n=50, dim=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, dim))


@parametrize_with_checks([NeighbourSmoothing(), NeighbourSmoothing(3, 0, normalize=False)])
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


@pytest.mark.parametrize("n_rounds", [0, 1, 2, 5])
def test_rounds_are_powers_of_the_neighbourhood_graph(n_rounds):
    rows = cloud()
    unit = unit_rows(rows)
    graph = kneighbors_graph(unit, 7, include_self=True).toarray() / 7
    expected = np.linalg.matrix_power(graph, n_rounds) @ unit
    raw = NeighbourSmoothing(7, n_rounds, normalize=False).fit_transform(rows)
    assert np.allclose(raw, expected)
    scaled = NeighbourSmoothing(7, n_rounds).fit_transform(rows)
    assert np.allclose(scaled, unit_rows(expected))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_row_gets_the_same_answer_alone_and_at_any_length(dtype):
    rows = cloud().astype(dtype)
    model = NeighbourSmoothing(5, 3).fit(rows)
    together = model.transform(rows)
    assert together.dtype == dtype
    for i in (0, 17):
        assert np.allclose(model.transform(4 * rows[i : i + 1]), together[i], atol=1e-5)


def test_new_rows_do_not_change_the_fit():
    model = NeighbourSmoothing(5).fit(cloud())
    before = model.smoothed_.copy()
    model.transform(cloud(seed=1))
    assert np.array_equal(model.smoothed_, before)


def test_blocks_of_rows_are_no_different(monkeypatch):
    whole = NeighbourSmoothing(4, 2).fit_transform(cloud())
    monkeypatch.setattr("recsys_interest.neighbour_smoothing._ROWS_AT_ONCE", 7)
    assert np.array_equal(NeighbourSmoothing(4, 2).fit_transform(cloud()), whole)


def test_any_row_order_gives_the_same_vectors():
    rows = cloud()
    order = np.random.default_rng(1).permutation(len(rows))
    one = NeighbourSmoothing(6).fit_transform(rows)
    other = NeighbourSmoothing(6).fit_transform(rows[order])
    assert np.allclose(one[order], other, atol=1e-12)


def arcs(seed):
    """Return two parallel arcs on a sphere, longer than they are apart."""
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1], 200)
    east = np.deg2rad(rng.uniform(0, 70, size=400))
    north = np.deg2rad(np.where(truth, 14, -14) + rng.normal(scale=3, size=400))
    flat = np.cos(north)
    return np.column_stack([flat * np.cos(east), flat * np.sin(east), np.sin(north)]), truth


def found(rows, truth, reducer):
    model = InterestClusterer(KMeans(truth.max() + 1, n_init=5), reducer, random_state=0)
    return adjusted_rand_score(truth, model.fit_predict(rows))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_long_groups_that_k_means_cuts_across_are_found(seed):
    rows, truth = arcs(seed)
    assert found(rows, truth, None) < 0.1
    assert found(rows, truth, NeighbourSmoothing(15, 100)) == 1.0


def test_round_groups_are_found_without_and_get_no_better():
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(4), 150)
    rows = np.eye(60)[truth] + rng.normal(scale=0.35, size=(600, 60))
    assert 0.6 < found(rows, truth, NeighbourSmoothing(15)) < found(rows, truth, None)


def test_frames_keep_their_index_and_names():
    frame = pd.DataFrame(cloud(dim=3), columns=list("xyz")).add_prefix("v_")
    frame.index = [f"u{i}" for i in range(50)]
    out = NeighbourSmoothing().set_output(transform="pandas").fit_transform(frame)
    assert out.index.equals(frame.index)
    assert out.columns.tolist() == frame.columns.tolist()


def test_one_row_few_rows_equal_rows_and_zeros():
    assert np.allclose(NeighbourSmoothing().fit_transform([[3.0, 4.0]]), [[0.6, 0.8]])
    three = NeighbourSmoothing(10, 1).fit_transform(np.eye(3))
    assert np.allclose(three, 1 / np.sqrt(3))
    same = NeighbourSmoothing(2).fit_transform(np.tile([[0.0, 2.0]], (9, 1)))
    assert np.allclose(same, [[0.0, 1.0]])
    rows = np.vstack([np.zeros((2, 3)), np.eye(3)])
    smoothed = NeighbourSmoothing(2, 3).fit_transform(rows)
    assert np.array_equal(smoothed[:2], np.zeros((2, 3)))
    assert np.allclose(smoothed[2:], NeighbourSmoothing(2, 3).fit_transform(np.eye(3)))
    assert not NeighbourSmoothing().fit(np.zeros((3, 2))).transform(np.eye(2) * 0).any()


@pytest.mark.parametrize(
    ("settings", "error", "says"),
    [
        ({"n_neighbors": 0}, ValueError, "n_neighbors must be at least 1, got 0"),
        ({"n_neighbors": 2.5}, TypeError, "n_neighbors must be a whole number, got 2.5"),
        ({"n_rounds": -1}, ValueError, "n_rounds must be at least 0, got -1"),
    ],
)
def test_bad_settings(settings, error, says):
    with pytest.raises(error, match=says):
        clone(NeighbourSmoothing(**settings)).fit(cloud())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_and_infinite_values(bad):
    rows = cloud()
    rows[3, 1] = bad
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        NeighbourSmoothing().fit(rows)
    with pytest.raises(ValueError, match=r"contains (NaN|infinity)"):
        NeighbourSmoothing().fit(cloud()).transform(rows)
