from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from recsys_interest.vectors import unit_rows
from recsys_interest.whitening import AllButTheTop, Whitening


def crowded(seed, n=400, d=12):
    """Return vectors that share a large mean and differ little, as a language model's do."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(d, d)) * np.geomspace(3, 0.05, d)
    return 4 + rng.normal(size=(n, d)) @ mixing


@parametrize_with_checks([Whitening(), Whitening(normalize=False), AllButTheTop()])
def test_scikit_learn_accepts_them(estimator, check):
    check(estimator)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6))
def test_whitened_vectors_have_the_identity_as_covariance(seed):
    rows = crowded(seed)
    white = Whitening(normalize=False).fit_transform(rows)
    np.testing.assert_allclose(white.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(np.cov(white.T, bias=True), np.eye(rows.shape[1]), atol=1e-6)


def test_whitening_is_scikit_learns_up_to_the_sign():
    rows = crowded(1)
    ours = Whitening(5, normalize=False).fit_transform(rows)
    theirs = PCA(5, whiten=True, svd_solver="full").fit_transform(rows)
    theirs *= np.sqrt(len(rows) / (len(rows) - 1))  # it divides by n - 1
    np.testing.assert_allclose(np.abs(ours), np.abs(theirs), atol=1e-6)


def test_full_shrinkage_only_turns_and_scales():
    rows = crowded(2)
    turned = Whitening(shrinkage=1, normalize=False).fit_transform(rows)
    centred = rows - rows.mean(axis=0)
    ratio = np.linalg.norm(turned, axis=1) / np.linalg.norm(centred, axis=1)
    np.testing.assert_allclose(ratio, ratio[0])


def test_all_but_the_top_leaves_nothing_along_the_top():
    rows = crowded(3)
    reducer = AllButTheTop(3, normalize=False).fit(rows)
    rest = reducer.transform(rows)
    top = PCA(3).fit(rows).components_
    np.testing.assert_allclose(rest @ top.T, 0, atol=1e-9)
    np.testing.assert_allclose(reducer.directions_ @ reducer.directions_.T, np.eye(3), atol=1e-9)
    expected = PCA().fit(rows).explained_variance_[3:].sum() * (len(rows) - 1)
    np.testing.assert_allclose(np.square(rest).sum(), expected)


@pytest.mark.parametrize("make", [Whitening, AllButTheTop])
def test_both_spread_what_was_crowded(make):
    rows = crowded(4)
    unit = unit_rows(rows)
    before = mean_cosine(unit)
    assert before > 0.3
    assert abs(mean_cosine(make().fit_transform(rows))) < before / 10


def mean_cosine(unit):
    n = len(unit)
    return (np.square(unit.sum(axis=0)).sum() - n) / (n * (n - 1))


@pytest.mark.parametrize("make", [Whitening, AllButTheTop])
def test_the_order_of_the_rows_changes_no_bit(make):
    rows = crowded(5).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(rows))
    expected = make().fit(rows).transform(rows[:5])
    np.testing.assert_array_equal(make().fit(rows[order]).transform(rows[:5]), expected)
    assert expected.dtype == np.float32


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (Whitening(0), ValueError, "n_components must be between 1 and 12"),
        (Whitening(13), ValueError, "n_components must be between 1 and 12"),
        (Whitening(True), TypeError, "n_components must be a whole number, got True"),
        (Whitening(shrinkage=1.5), ValueError, "shrinkage must be between 0 and 1, got 1.5"),
        (Whitening(shrinkage="a"), TypeError, "shrinkage must be a number, got 'a'"),
        (AllButTheTop(99), ValueError, "n_directions must be between 1 and 12"),
    ],
)
def test_wrong_parameters_are_named(estimator, error, message):
    with pytest.raises(error, match=message):
        estimator.fit(crowded(0))


def test_equal_vectors_cannot_be_whitened():
    with pytest.raises(ValueError, match="all vectors are the same"):
        Whitening().fit(np.ones((5, 3)))
    # Seven times a tenth is no sum that rounds to seven tenths.
    with pytest.raises(ValueError, match="all vectors are the same"):
        Whitening().fit(np.full((7, 3), [0.1, -0.7, 1e5]))


def test_fewer_vectors_than_dimensions_give_as_many_directions_as_there_are():
    rows = crowded(6, n=7)
    assert Whitening().fit_transform(rows).shape == (7, 6)


# Standardising before clustering: what each way does to distances


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_after_l2_the_euclidean_order_is_the_cosine_order(seed):
    unit = unit_rows(crowded(seed, n=30))
    cosine = unit @ unit[0]
    squared = np.square(unit - unit[0]).sum(axis=1)
    np.testing.assert_allclose(squared, 2 - 2 * cosine, atol=1e-12)
    gaps = np.diff(cosine[np.argsort(squared)])
    assert gaps.max() < 1e-12  # nearer is never less similar


@pytest.mark.rows("F11")
def test_after_l2_k_means_assigns_by_cosine():
    unit = unit_rows(crowded(7, n=600) - 3)
    k_means = KMeans(5, n_init=1, random_state=0, tol=0).fit(unit)
    centres = k_means.cluster_centers_
    nearest = np.square(unit[:, None] - centres).sum(axis=2).argmin(axis=1)
    np.testing.assert_array_equal(k_means.labels_, nearest)
    # |x - c|² = 1 + |c|² - 2|c| cos: by cosine as soon as the centres have one length.
    centres = unit_rows(centres)
    by_cosine = (unit @ centres.T).argmax(axis=1)
    np.testing.assert_array_equal(
        by_cosine, np.square(unit[:, None] - centres).sum(axis=2).argmin(axis=1)
    )


@pytest.mark.rows("F11")
def test_z_scores_change_the_order():
    rows = crowded(8, n=50)
    both = (rows, StandardScaler().fit_transform(rows))
    plain, scaled = (np.square(r - r[0]).sum(axis=1) for r in both)
    assert not np.array_equal(np.argsort(plain), np.argsort(scaled))
