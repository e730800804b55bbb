"""The K-means that chapter 07 prints: short, monotone, and equal to scikit-learn's."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

CHAPTER = Path(__file__).resolve().parent.parent / "notebooks" / "07_kmeans.ipynb"


def printed_cell() -> str:
    notebook = nbformat.read(CHAPTER, as_version=4)
    (cell,) = [c.source for c in notebook.cells if "def lloyd(" in c.source]
    return cell


@pytest.fixture(scope="module")
def chapter():
    names = {"np": np}
    exec(compile(printed_cell(), str(CHAPTER), "exec"), names)
    return names


def tables():
    # Few different values: ties, duplicates and empty clusters are common.
    cell = st.integers(-3, 3).map(float)
    row = st.lists(cell, min_size=2, max_size=2)
    return st.lists(row, min_size=1, max_size=14).map(np.array)


def test_it_has_at_most_thirty_lines():
    functions = {f.name: f for f in ast.parse(printed_cell()).body}
    assert set(functions) == {"plus_plus", "lloyd"}
    assert functions["lloyd"].end_lineno - functions["lloyd"].lineno + 1 <= 30
    assert len([line for line in printed_cell().splitlines() if line.strip()]) <= 40


@pytest.mark.rows("C01")
@settings(deadline=None, max_examples=300)
@given(V=tables(), start=tables())
def test_no_half_step_raises_the_objective(chapter, V, start):
    assume(len(start) <= len(V))
    labels, centres, history = chapter["lloyd"](V, start)
    assert (np.diff(history) <= 1e-9).all()
    assert np.isfinite(centres).all()
    # It ends where neither step alone can improve, and with every cluster in use.
    assert sorted(set(labels)) == list(range(len(start)))
    for j in range(len(start)):
        np.testing.assert_allclose(centres[j], V[labels == j].mean(axis=0))
    np.testing.assert_allclose(history[-1], np.square(V - centres[labels]).sum(), atol=1e-9)


@pytest.mark.rows("C01")
@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 10**6), k=st.integers(1, 6))
def test_the_same_start_gives_what_scikit_learn_gives(chapter, seed, k):
    rng = np.random.default_rng(seed)
    V = rng.normal(size=(40, 3)) + 3 * rng.integers(0, 3, size=(40, 1))
    start = chapter["plus_plus"](V, k, rng)
    labels, centres, history = chapter["lloyd"](V, start)
    library = KMeans(k, init=start, n_init=1, tol=0).fit(V)
    assert labels.tolist() == library.labels_.tolist()
    np.testing.assert_allclose(centres, library.cluster_centers_)
    np.testing.assert_allclose(history[-1], library.inertia_)


@pytest.mark.rows("C02")
def test_empty_clusters_are_filled_as_scikit_learn_fills_them(chapter):
    V = np.array([[0.0], [1.0], [4.0], [5.0], [9.0], [11.0]])
    for start in ([[0.0], [5.0], [1000.0]], [[5.0], [-500.0], [1000.0]]):
        labels, centres, _ = chapter["lloyd"](V, start)
        library = KMeans(3, init=np.array(start), n_init=1, tol=0).fit(V)
        assert labels.tolist() == library.labels_.tolist()
        np.testing.assert_allclose(centres, library.cluster_centers_)


@pytest.mark.rows("C02")
def test_ties_go_to_the_first_centre(chapter):
    labels, _, _ = chapter["lloyd"](np.array([[0.0], [1.0], [2.0]]), [[0.0], [2.0]])
    assert labels.tolist() == [0, 0, 1]


def test_a_start_draws_no_point_twice_and_prefers_far_ones(chapter):
    V = np.array([[0.0]] * 8 + [[1.0]] + [[10.0]])
    draws = [chapter["plus_plus"](V, 2, np.random.default_rng(seed)) for seed in range(300)]
    assert all(len(np.unique(centres)) == 2 for centres in draws)
    from_zero = [centres[1, 0] for centres in draws if centres[0, 0] == 0]
    # Of the squared distances 1 and 100: the far one in 99 % of the draws, not in half of them.
    assert np.mean(np.equal(from_zero, 10)) > 0.9
