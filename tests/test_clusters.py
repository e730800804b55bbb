"""Planted directions, any row order, any clusterer, and input that is bad in every known way."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClusterMixin, clone
from sklearn.cluster import (
    DBSCAN,
    HDBSCAN,
    OPTICS,
    AffinityPropagation,
    AgglomerativeClustering,
    Birch,
    BisectingKMeans,
    KMeans,
    MiniBatchKMeans,
    SpectralClustering,
)
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from recsys_interest.clusters import InterestClusterer
from recsys_interest.reproducible import content_order, sort_in_place
from recsys_interest.whitening import Whitening

SIZES = (40, 30, 20, 10)  # the planted labels are known: 0 is the largest
COUNTED = [
    KMeans(4, n_init=3),
    MiniBatchKMeans(4, n_init=3),
    BisectingKMeans(4, n_init=3),
    GaussianMixture(4, covariance_type="diag", n_init=3),
    AgglomerativeClustering(4),
    make_pipeline(PCA(3), KMeans(4, n_init=3)),
]
DENSITY = [DBSCAN(eps=0.5), HDBSCAN(copy=True)]
ALL = [*COUNTED, *DENSITY]
# Not named in the book; nothing in the package knows them.
OTHERS = [
    AffinityPropagation(damping=0.9, max_iter=500),
    BayesianGaussianMixture(n_components=4, covariance_type="diag", n_init=3),
    Birch(threshold=0.2, n_clusters=4),
    OPTICS(eps=0.5, cluster_method="dbscan"),
    SpectralClustering(4),
]
REDUCERS = [
    StandardScaler(),
    Normalizer(),
    PCA(3),
    Whitening(3),
    make_pipeline(StandardScaler(), PCA(3), Normalizer()),
]


def named(part):
    steps = getattr(part, "steps", [("", part)])
    return "+".join(type(step).__name__ for _, step in steps)


def planted(seed=0, sizes=SIZES, dim=16, spread=0.05):
    """Return shuffled rows around one axis per cluster, of any length, and their clusters."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.eye(dim)[truth] + rng.normal(scale=spread, size=(len(truth), dim))
    rows *= rng.uniform(0.1, 10, size=(len(truth), 1))
    shuffled = rng.permutation(len(truth))
    return rows[shuffled], truth[shuffled]


def cloud(seed=0, n=60, dim=6):
    return np.random.default_rng(seed).normal(size=(n, dim))


@parametrize_with_checks(
    [
        InterestClusterer(),
        InterestClusterer(KMeans(3)),
        InterestClusterer(GaussianMixture(3)),
        InterestClusterer(AgglomerativeClustering(3)),
        InterestClusterer(DBSCAN()),
        InterestClusterer(HDBSCAN(copy=True)),
        InterestClusterer(make_pipeline(StandardScaler(), KMeans(3)), reducer=PCA()),
    ]
)
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


@pytest.mark.rows("C06", "Q09")
@pytest.mark.parametrize("estimator", [*ALL, *OTHERS], ids=named)
def test_every_clusterer_finds_the_planted_directions(estimator):
    rows, truth = planted()
    model = InterestClusterer(estimator, random_state=0).fit(rows)
    assert model.labels_.tolist() == truth.tolist()
    assert model.predict(rows).tolist() == truth.tolist()
    assert model.n_clusters_ == 4
    assert np.abs(model.centroids_ - np.eye(16)[:4]).max() < 0.1
    assert np.allclose(np.linalg.norm(model.centroids_, axis=1), 1)


def test_rows_without_structure_do_not_look_planted():
    _, truth = planted()
    labels = InterestClusterer(KMeans(4, n_init=3), random_state=0).fit_predict(cloud(n=100))
    assert abs(adjusted_rand_score(truth, labels)) < 0.1


def assert_row_order_does_not_matter(model, rows):
    model.fit(rows)
    order = np.random.default_rng(1).permutation(len(rows))
    again = clone(model).fit(rows[order])
    assert again.labels_.tolist() == model.labels_[order].tolist()
    assert again.centroids_.tobytes() == model.centroids_.tobytes()
    assert order[again.medoids_].tolist() == model.medoids_.tolist()
    assert (again.membership_ is None) == (model.membership_ is None)
    if model.membership_ is not None:
        assert again.membership_.tobytes() == model.membership_[order].tobytes()


@pytest.mark.parametrize("estimator", [None, *ALL, DBSCAN(eps=0.6), *OTHERS], ids=named)
@pytest.mark.parametrize("rows", [cloud(), planted(spread=0.2)[0]], ids=["cloud", "blurred"])
def test_row_order_does_not_matter(estimator, rows):
    assert_row_order_does_not_matter(InterestClusterer(estimator, random_state=0), rows)


@pytest.mark.parametrize("reducer", REDUCERS, ids=named)
@pytest.mark.parametrize("estimator", [*COUNTED[:5], *DENSITY], ids=named)
def test_row_order_does_not_matter_behind_a_reducer(estimator, reducer):
    rows, _ = planted(spread=0.2, dim=6)
    assert_row_order_does_not_matter(InterestClusterer(estimator, reducer, random_state=0), rows)


@pytest.mark.parametrize("reducer", REDUCERS, ids=named)
def test_every_reducer_is_used_and_prediction_stays_in_the_space_of_the_input(reducer):
    rows, truth = planted(dim=4)
    model = InterestClusterer(KMeans(4, n_init=10), reducer, random_state=0).fit(rows)
    assert model.estimator_.n_features_in_ == model.reducer_.transform(rows[:1]).shape[1]
    assert model.labels_.tolist() == model.predict(rows).tolist() == truth.tolist()
    assert model.centroids_.shape == (4, 4)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("n_columns", [1, 2, 3, 70])
def test_content_order_is_that_of_the_bytes(kind, n_columns):
    rng = np.random.default_rng(0)
    rows = rng.integers(-1, 2, size=(300, n_columns)).astype(kind) * rng.choice([0.5, 1.0], 300)[
        :, None
    ].astype(kind)
    rows[:100, :-1] = 0
    rows = -rows  # with negative zeros
    whole = [row.tobytes() for row in rows + 0.0]
    expected = sorted(range(300), key=whole.__getitem__)
    assert content_order(rows).tolist() == expected
    moved = rows.copy()
    assert sort_in_place(moved).tolist() == expected
    assert moved.tobytes() == rows[expected].tobytes()


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_properties_of_any_small_table(data):
    few = st.integers(-2, 2)
    rows = np.array(data.draw(st.lists(st.tuples(few, few, few), min_size=1, max_size=12)), float)
    order = data.draw(st.permutations(range(len(rows))))
    frame = pd.DataFrame(rows, index=[f"u{i}" for i in range(len(rows))])
    model = InterestClusterer(random_state=0).fit(frame)
    again = InterestClusterer(random_state=0).fit(frame.iloc[order])
    assert again.labels_.tolist() == model.labels_[order].tolist()
    assert again.medoids_.tolist() == model.medoids_.tolist()
    assert again.centroids_.tobytes() == model.centroids_.tobytes()

    assert ((model.labels_ == -1) == ~rows.any(axis=1)).all()
    sizes = np.bincount(model.labels_[model.labels_ >= 0], minlength=model.n_clusters_)
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()
    medoids = frame.index.get_indexer(model.medoids_)
    assert model.labels_[medoids].tolist() == list(range(model.n_clusters_))


class ByPosition(ClusterMixin, BaseEstimator):
    """Label the rows 0, 1, 0, 1, …, so that it tears equal rows apart."""

    def fit(self, X, y=None):
        self.labels_ = np.arange(len(X)) % 2
        return self


def test_equal_rows_are_never_torn_apart():
    rows = np.repeat(cloud(n=5), 3, axis=0)
    model = InterestClusterer(ByPosition()).fit(rows)
    assert (np.ptp(model.labels_.reshape(5, 3), axis=1) == 0).all()
    order = np.random.default_rng(0).permutation(15)
    again = InterestClusterer(ByPosition()).fit(rows[order])
    assert again.labels_.tolist() == model.labels_[order].tolist()


def test_fit_holds_one_copy_of_the_vectors():
    rows = np.random.default_rng(0).normal(size=(20_000, 384)).astype(np.float32)
    tracemalloc.start()
    try:
        InterestClusterer(ByPosition()).fit(rows)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert rows.nbytes < peak < 1.8 * rows.nbytes


def test_length_does_not_matter_and_input_is_left_alone():
    rows, _ = planted(spread=0.3)
    before = rows.copy()
    model = InterestClusterer(random_state=0).fit(rows)
    assert rows.tobytes() == before.tobytes()
    # Powers of two scale without rounding.
    lengths = 2.0 ** np.random.default_rng(2).integers(-40, 40, size=(len(rows), 1))
    longer = InterestClusterer(random_state=0).fit(rows * lengths)
    assert longer.labels_.tolist() == model.labels_.tolist()
    assert longer.centroids_.tobytes() == model.centroids_.tobytes()


def test_centroids_medoids_and_similarity_by_hand():
    frame = pd.DataFrame(
        [[4.0, 0.0], [3.0, 3.0], [0.0, 7.0], [-2.0, 0.0]], index=pd.Index([10, 20, 30, 40])
    )
    model = InterestClusterer(AgglomerativeClustering(2), random_state=0).fit(frame)
    assert model.labels_.tolist() == [0, 0, 0, 1]
    half = np.sqrt(0.5)
    assert np.allclose(model.centroids_, [[half, half], [-1, 0]])
    assert model.medoids_.tolist() == [20, 40]
    assert np.allclose(model.similarity([[0, 2], [0, 0]]), [[half, 0], [0, 0]])
    assert model.predict([[0, 2], [-1, 0.1], [0, 0]]).tolist() == [0, 1, -1]


def test_equal_members_give_the_smallest_label_as_medoid():
    rows = [[1.0, 0.0], [2.0, 0.0], [0.5, 0.0], [0.0, 1.0]]
    one = InterestClusterer(KMeans(2), random_state=0).fit(pd.DataFrame(rows, index=[7, 3, 5, 1]))
    assert one.medoids_.tolist() == [3, 1]
    words = pd.DataFrame(rows, index=["c", "a", "b", "z"])
    assert InterestClusterer(KMeans(2), random_state=0).fit(words).medoids_.tolist() == ["a", "z"]
    assert InterestClusterer(KMeans(2), random_state=0).fit(rows).medoids_.tolist() == [0, 3]


def test_members_that_cancel_out_have_no_direction():
    opposite = np.array([[0.3, 0.4], [-0.3, -0.4]])
    model = InterestClusterer(KMeans(1)).fit(opposite)
    assert model.centroids_.tolist() == [[0.0, 0.0]]
    assert model.similarity(opposite).tolist() == [[0.0], [0.0]]


def test_min_similarity_sends_far_rows_to_noise():
    rows, _ = planted()
    model = InterestClusterer(KMeans(4), min_similarity=0.8, random_state=0).fit(rows)
    near, between, away = np.eye(16)[0], np.eye(16)[0] + np.eye(16)[1], np.eye(16)[9]
    assert model.predict([near, between, away]).tolist() == [0, -1, -1]
    # The labels are the clusterer's own.
    assert (model.labels_ >= 0).all()


def test_density_noise_stays_noise_but_predict_has_an_answer():
    rows, truth = planted()
    odd = np.eye(16)[:1] + np.eye(16)[9:10]
    model = InterestClusterer(DBSCAN(eps=0.5)).fit(np.vstack([rows, odd]))
    assert model.labels_.tolist() == [*truth.tolist(), -1]
    assert model.predict(odd).tolist() == [0]


def test_reducer_and_pipeline_are_cloned_and_seeded():
    rows, truth = planted()
    reducer, estimator = PCA(3), make_pipeline(StandardScaler(), KMeans(4, n_init=3))
    model = InterestClusterer(estimator, reducer, random_state=5).fit(rows)
    assert model.labels_.tolist() == truth.tolist()
    assert model.centroids_.shape == (4, 16)
    assert not hasattr(reducer, "components_")
    assert model.estimator_[-1].random_state == 5
    assert model.reducer_.random_state == 5
    assert estimator[-1].random_state is None
    kept = InterestClusterer(KMeans(4, random_state=1), random_state=5).fit(rows)
    assert kept.estimator_.random_state == 1


def test_float32_frame_keeps_kind_and_names():
    rows, truth = planted()
    frame = pd.DataFrame(rows.astype(np.float32)).add_prefix("v")
    model = InterestClusterer(KMeans(4), random_state=0).fit(frame)
    assert model.labels_.tolist() == truth.tolist()
    assert model.centroids_.dtype == model.similarity(frame).dtype == np.float32
    assert model.feature_names_in_.tolist() == frame.columns.tolist()
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame.add_prefix("w"))


@pytest.mark.parametrize("rows", [cloud(n=3), np.tile(cloud(n=3), (5, 1))], ids=["users", "kinds"])
@pytest.mark.parametrize("estimator", COUNTED, ids=named)
def test_more_clusters_than_users_or_different_vectors(estimator, rows):
    with pytest.raises(ValueError, match=r"=4 is more than the 3 different vector.*3 or fewer"):
        InterestClusterer(estimator, random_state=0).fit(rows)


@pytest.mark.parametrize("estimator", ALL, ids=named)
def test_duplicates_of_as_many_vectors_as_clusters(estimator):
    sizes = (9, 7, 6, 5)
    rows = np.repeat(np.eye(6)[:4], sizes, axis=0)
    model = InterestClusterer(estimator, random_state=0).fit(rows)
    assert model.labels_.tolist() == np.repeat(range(4), sizes).tolist()
    assert np.allclose(model.centroids_, np.eye(6)[:4])


@pytest.mark.parametrize("reducer", [None, *REDUCERS], ids=named)
@pytest.mark.parametrize("estimator", ALL, ids=named)
def test_duplicates_only(estimator, reducer):
    rows = np.outer(np.random.default_rng(5).uniform(1, 3, size=20), cloud(n=1))
    model = InterestClusterer(estimator, reducer, random_state=0)
    if estimator in COUNTED or isinstance(reducer, Whitening):
        with pytest.raises(ValueError, match=r"the 1 different vector|all vectors are the same"):
            model.fit(rows)
    else:  # HDBSCAN never takes everybody for one cluster
        assert set(model.fit(rows).labels_) == {-1 if isinstance(estimator, HDBSCAN) else 0}


@pytest.mark.parametrize("estimator", ALL, ids=named)
def test_one_user_of_every_algorithm(estimator):
    model = InterestClusterer(estimator, random_state=0)
    if estimator in COUNTED:
        with pytest.raises(ValueError, match=r"is more than the 1 different|cannot be fitted"):
            model.fit(cloud(n=1))
    elif isinstance(estimator, HDBSCAN):
        with pytest.raises(ValueError, match=r"HDBSCAN cannot be fitted.*n_samples = 1"):
            model.fit(cloud(n=1))
    else:  # one user is no crowd
        assert model.fit(cloud(n=1)).labels_.tolist() == [-1]


@pytest.mark.rows("C05")
def test_memberships_of_a_mixture():
    rows, _ = planted(spread=0.25)
    rows = np.vstack([rows, np.zeros((1, 16))])
    mixture = GaussianMixture(4, covariance_type="spherical", n_init=5)
    for reducer in (None, PCA(5)):
        model = InterestClusterer(mixture, reducer, random_state=0).fit(rows)
        soft = model.membership_
        assert soft.shape == (101, 4)
        assert np.allclose(soft[:-1].sum(axis=1), 1)
        assert soft[-1].tolist() == [0] * 4
        # Numbered as the labels are: the largest is the model's own choice.
        assert soft[:-1].argmax(axis=1).tolist() == model.labels_[:-1].tolist()
        assert ((soft > 0.01) & (soft < 0.99)).any()
        assert np.allclose(model.membership(rows), soft)
        assert np.allclose(model.membership(pd.DataFrame(rows)[:3]), soft[:3])


def test_memberships_of_hdbscan_are_its_own_strengths():
    rows, _ = planted(spread=0.25, dim=8)
    model = InterestClusterer(HDBSCAN(copy=True)).fit(rows)
    again = np.argsort(content_order(unit := rows / np.linalg.norm(rows, axis=1)[:, None]))
    strength = HDBSCAN(copy=True).fit(unit[content_order(unit)]).probabilities_[again]
    assert np.allclose(model.membership_.sum(axis=1), strength)
    inside = model.labels_ >= 0
    assert 0 < inside.sum() < len(rows)
    assert (model.membership_.argmax(axis=1) == model.labels_)[inside].all()
    with pytest.raises(TypeError, match="HDBSCAN has no soft memberships for other rows than"):
        model.membership(rows)


class FirstTwo(BaseEstimator):
    """Place the rows of fit alone, as t-SNE does."""

    def fit_transform(self, X, y=None):
        return X[:, :2]


def test_hard_clusterers_have_no_memberships():
    rows, _ = planted()
    model = InterestClusterer(KMeans(4), random_state=0).fit(rows)
    assert model.membership_ is None
    with pytest.raises(TypeError, match=r"KMeans has no soft memberships; use a .*GaussianMixture"):
        model.membership(rows)
    flat = InterestClusterer(GaussianMixture(2), FirstTwo(), random_state=0).fit(rows)
    with pytest.raises(TypeError, match="FirstTwo has no transform for new rows"):
        flat.membership(rows)


def test_a_component_without_members_has_no_column():
    rows = np.repeat(np.eye(3), (8, 6, 4), axis=0) + cloud(n=18, dim=3) * 0.05
    mixture = BayesianGaussianMixture(
        n_components=8, weight_concentration_prior=1e-9, covariance_type="spherical", reg_covar=1e-2
    )
    model = InterestClusterer(mixture, random_state=0).fit(rows)
    assert model.n_clusters_ < 8
    assert model.membership_.shape == model.membership(rows).shape == (18, model.n_clusters_)
    assert model.membership_.argmax(axis=1).tolist() == model.labels_.tolist()


@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_default_clips_to_the_different_vectors(kind):
    rows = np.repeat(cloud(n=3), (5, 3, 1), axis=0)
    rows *= np.random.default_rng(3).uniform(1, 3, size=(9, 1))  # the same direction, but rounded
    model = InterestClusterer(random_state=0).fit(rows.astype(kind))
    assert model.labels_.tolist() == [0] * 5 + [1] * 3 + [2]


def test_almost_equal_vectors_give_fewer_clusters_and_no_warning():
    rng = np.random.default_rng(2)
    rows = np.repeat(rng.normal(size=(2, 17)), 6, axis=0)
    rows += rng.normal(scale=3e-6, size=rows.shape)
    model = InterestClusterer(random_state=0).fit(rows.astype(np.float32))
    assert 2 <= model.n_clusters_ < 8
    assert model.centroids_.shape == (model.n_clusters_, 17)


@pytest.mark.parametrize(
    ("estimator", "n_clusters"),
    [
        (None, 1),
        (KMeans(1), 1),
        (GaussianMixture(1), 1),
        (AgglomerativeClustering(1), 1),
        (DBSCAN(), 1),
        (HDBSCAN(copy=True), 0),  # it never takes everybody for one cluster
        (HDBSCAN(copy=True, allow_single_cluster=True), 1),
    ],
    ids=str,
)
def test_one_direction_only(estimator, n_clusters):
    lengths = np.random.default_rng(4).uniform(1, 3, size=(20, 1))
    model = InterestClusterer(estimator, random_state=0).fit(lengths * cloud(n=1))
    assert model.n_clusters_ == n_clusters
    assert model.labels_.tolist() == [n_clusters - 1] * 20


def test_one_user():
    frame = pd.DataFrame([[3.0, 4.0]], index=["only"])
    model = InterestClusterer().fit(frame)
    assert model.labels_.tolist() == [0]
    assert model.medoids_.tolist() == ["only"]
    assert np.allclose(model.centroids_, [[0.6, 0.8]])
    with pytest.raises(ValueError, match=r"HDBSCAN cannot be fitted.*n_samples = 1"):
        InterestClusterer(HDBSCAN(copy=True)).fit(frame)


@pytest.mark.parametrize("estimator", [None, *ALL], ids=named)
def test_only_zeros_and_a_zero_among_others(estimator):
    nobody = InterestClusterer(estimator, random_state=0).fit(np.zeros((5, 3)))
    assert nobody.labels_.tolist() == [-1] * 5
    assert nobody.n_clusters_ == 0
    assert nobody.membership_ is None
    if isinstance(estimator, GaussianMixture):
        assert nobody.membership(np.eye(3)).shape == (3, 0)
    rows, truth = planted()
    if estimator is not None:
        model = InterestClusterer(estimator, random_state=0).fit(np.vstack([0 * rows[:1], rows]))
        assert model.labels_.tolist() == [-1, *truth.tolist()]


@pytest.mark.parametrize("estimator", DENSITY, ids=named)
def test_all_noise(estimator):
    model = InterestClusterer(estimator).fit(cloud(n=12, dim=50))
    assert model.n_clusters_ == 0
    assert model.labels_.tolist() == [-1] * 12
    assert model.predict(cloud(n=3, dim=50)).tolist() == [-1] * 3
    assert model.centroids_.shape == (0, 50)
    assert model.medoids_.shape == (0,)
    assert model.similarity(cloud(n=3, dim=50)).shape == (3, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("estimator", [None, *ALL], ids=named)
def test_missing_and_infinite_values_name_the_user(estimator, bad):
    frame = pd.DataFrame(planted()[0]).set_index(pd.Index([f"u{i}" for i in range(100)]))
    frame.iloc[7, 2] = bad
    with pytest.raises(ValueError, match=r"NaN or inf in the row\(s\) 'u7'; drop"):
        InterestClusterer(estimator).fit(frame)


def test_bad_parameters():
    rows = cloud()
    with pytest.raises(ValueError, match=r"min_similarity is a cosine.*got 2"):
        InterestClusterer(min_similarity=2).fit(rows)
    with pytest.raises(TypeError, match=r"min_similarity must be a number.*'high'"):
        InterestClusterer(min_similarity="high").fit(rows)
    with pytest.raises(TypeError, match="clusterer with fit_predict, got LogisticRegression"):
        InterestClusterer(LogisticRegression()).fit(rows)
    with pytest.raises(ValueError, match=r"PCA cannot be fitted.*n_components=9"):
        InterestClusterer(reducer=PCA(9)).fit(rows)
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        InterestClusterer().fit(np.empty((0, 3)))


@pytest.mark.parametrize("part", [5, "kmeans", KMeans])
def test_what_is_no_clusterer_is_named(part):
    with pytest.raises(TypeError, match="estimator must be a clusterer with fit_predict, got"):
        InterestClusterer(part).fit(cloud())
    with pytest.raises(TypeError, match="reducer must be a transformer with fit_transform, got"):
        InterestClusterer(reducer=part).fit(cloud())
