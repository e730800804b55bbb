"""The EM of chapter 09, taken from its cell: short, never falling, equal to scikit-learn."""

import ast
import warnings
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

CHAPTER = Path(__file__).resolve().parent.parent / "notebooks" / "09_gaussian_mixtures.ipynb"


def source_of(name):
    cells = nbformat.read(CHAPTER, as_version=4).cells
    return next(c.source for c in cells if c.source.startswith(f"def {name}("))


def em(*arguments, change=("", ""), **options):
    scope = {"np": np}
    exec(compile(source_of("em").replace(*change), str(CHAPTER), "exec"), scope)
    return scope["em"](*arguments, **options)


def drawn(seed, n=60):
    rng = np.random.default_rng(seed)
    d, k = int(rng.integers(1, 5)), int(rng.integers(1, 4))
    X = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 3 * rng.integers(0, k + 1, size=(n, 1))
    weights = rng.dirichlet(np.full(k, 5.0))
    covariance = np.cov(X.T).reshape(d, d) + 0.1 * np.eye(d)
    return X, weights, X[:k], np.array([covariance] * k)


def test_it_is_short():
    function = ast.parse(source_of("em")).body[0]
    assert function.end_lineno <= 40


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_the_likelihood_never_falls_and_responsibilities_add_up(seed):
    weights, _, covariances, trace, r = em(*drawn(seed), n_steps=12)
    assert (np.diff(trace) >= -1e-9).all()
    assert np.allclose(r.sum(axis=1), 1)
    assert np.isclose(weights.sum(), 1)
    assert np.allclose(covariances, covariances.transpose(0, 2, 1))


@pytest.mark.parametrize("seed", range(6))
def test_it_equals_scikit_learn_from_the_same_start(seed):
    X, weights, means, covariances = drawn(seed)
    library = GaussianMixture(
        len(means), tol=0, reg_covar=0, max_iter=5, weights_init=weights, means_init=means,
        precisions_init=np.linalg.inv(covariances),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        library.fit(X)
    found = em(X, weights, means, covariances, n_steps=5)
    np.testing.assert_allclose(found[0], library.weights_, rtol=1e-7)
    np.testing.assert_allclose(found[1], library.means_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found[2], library.covariances_, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found[4], library.predict_proba(X), atol=1e-9)
    assert np.isclose(found[3][-1], library.score(X))


def test_a_wrong_step_would_be_seen():
    wrong = ("r.T @ X / total[:, None]", "r.T @ X / n")
    assert wrong[0] in source_of("em")
    traces = [em(*drawn(seed), n_steps=12, change=wrong)[3] for seed in range(20)]
    assert min(np.diff(trace).min() for trace in traces) < -0.01
