"""Planted numbers, definitions by hand, any row order, and input that is bad in every known way."""

import io

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from sklearn.cluster import (
    DBSCAN,
    HDBSCAN,
    AgglomerativeClustering,
    BisectingKMeans,
    KMeans,
    MiniBatchKMeans,
)
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, silhouette_score
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from recsys_interest import InterestProfiler, item_text, make_interest_log
from recsys_interest.cluster_count import CRITERIA, choose_k
from recsys_interest.cluster_plots import plot_cluster_count
from recsys_interest.count_criteria import (
    dispersion,
    first_large_gap,
    gap_statistic,
    reference_rows,
    resampled_agreement,
    silhouette,
    subsamples,
)

from .keyword_encoder import KeywordEncoder

FEW = {"n_references": 3, "n_resamples": 3}


def planted(k=4, each=25, dim=12, spread=0.08, seed=0):
    rng = np.random.default_rng(seed)
    rows = np.repeat(np.eye(dim)[:k], each, axis=0)
    return (rows + rng.normal(0, spread, rows.shape)) * rng.uniform(0.1, 9, (len(rows), 1))


def named(estimator):
    return type(estimator).__name__


@pytest.mark.parametrize("k", [2, 3])
def test_every_criterion_finds_clusters_that_are_far_apart(k):
    choice = choose_k(planted(k), range(1, 9), **FEW)
    assert choice.chosen["k"].to_dict() == dict.fromkeys(CRITERIA, k)
    assert choice.k == k
    assert not choice.chosen["at_edge"].any()


def test_the_gap_rule_stops_early_where_halving_gains_no_more_than_in_a_box():
    # Ten clusters at equal distances: cutting them in two is worth no more than cutting a box.
    reducer = make_pipeline(PCA(9), Normalizer())
    choice = choose_k(planted(10), range(1, 13), reducer=reducer, **FEW)
    assert choice.chosen.loc["gap", "k"] == 1
    assert choice.chosen.loc[["silhouette", "stability"], "k"].tolist() == [10, 10]
    assert choice.table["gap"].idxmax() == 10


@pytest.mark.parametrize(
    "estimator",
    [
        KMeans(),
        MiniBatchKMeans(n_init=3),
        BisectingKMeans(),
        AgglomerativeClustering(),
        GaussianMixture(covariance_type="spherical"),
        make_pipeline(PCA(6), KMeans()),
        make_pipeline(Normalizer(), GaussianMixture(covariance_type="diag", reg_covar=1e-3)),
    ],
    ids=named,
)
def test_any_clusterer_that_takes_a_number(estimator):
    choice = choose_k(planted(4), range(2, 8), estimator=estimator, **FEW)
    assert choice.k == 4
    rows = planted(4)
    assert choice.clusterer.fit(rows).n_clusters_ == 4
    assert adjusted_rand_score(choice.clusterer.labels_, np.repeat(range(4), 25)) == 1


def test_no_clusters_at_all():
    # The silhouette cannot say so; the gap can, and the stability is low.
    rows = np.random.default_rng(0).normal(size=(150, 8))
    choice = choose_k(rows, range(1, 8), reducer=PCA(8), **FEW)
    assert choice.chosen.loc["gap", "k"] == 1
    assert choice.chosen.loc["bic", "k"] <= 2
    assert choice.table["stability"].max() < 0.7
    assert choice.k >= 2


@pytest.mark.rows("C08")
def test_the_rule_decides_and_falls_back():
    rows = np.random.default_rng(0).normal(size=(100, 8))
    assert choose_k(rows, range(1, 6), rule="gap", reducer=PCA(8), **FEW).k == 1
    nothing = choose_k(rows, range(1, 6), rule="density", density=DBSCAN(eps=1e-9), **FEW)
    assert pd.isna(nothing.chosen.loc["density", "k"])
    assert nothing.noise_share == 1
    assert nothing.k == nothing.chosen.loc["silhouette", "k"]


def test_criteria_that_are_not_wanted_are_not_computed():
    rows = planted(3)
    whole = choose_k(rows, range(1, 6), **FEW)
    one = choose_k(rows, range(1, 6), criteria=["silhouette"], mixture=Refuses(), **FEW)
    assert one.table.columns.tolist() == one.chosen.index.tolist() == ["silhouette"]
    pd.testing.assert_series_equal(one.table["silhouette"], whole.table["silhouette"])
    assert one.k == whole.k
    assert np.isnan(one.noise_share)
    two = choose_k(rows, range(1, 6), criteria=["density", "bic"], rule="density", **FEW)
    assert two.chosen.index.tolist() == ["bic", "density"]
    axes = plot_cluster_count(one, axes=Figure().subplots())
    assert axes[0].get_title() == "Silhouette: the largest (3)"


class Refuses(GaussianMixture):
    def fit(self, X, y=None):
        raise AssertionError("not wanted")


def test_no_choice_at_all_is_named():
    message = r"no criterion \('gap'\) chose a number from k_values 2 to 4; try more of both"
    with pytest.raises(ValueError, match=message):
        choose_k(planted(6), range(2, 5), criteria=["gap"], rule="gap", **FEW)
    assert choose_k(planted(6), [1], **FEW).k == 1  # the BIC has a value for one cluster


# Twenty topics and the language model are measured by `python -m benchmarks cluster_count`: with
# counted words and 20 users per topic the silhouette says 22.
@pytest.mark.rows("C07")
@pytest.mark.parametrize("n_topics", [3, 6, 10])
def test_planted_interests_of_the_generated_log(n_topics):
    log = make_interest_log(n_users=400, events_per_user=20, n_topics=n_topics, seed=5)
    items = KeywordEncoder(256).transform(item_text(log.items))
    users = InterestProfiler().fit(log.events, items).profiles_
    choice = choose_k(users, range(1, 26), criteria=["silhouette"])
    assert abs(choice.k - n_topics) <= 1
    topics = log.truth["users"].set_index("user_id")["interest"]
    found = choice.clusterer.fit(users).labels_
    assert adjusted_rand_score(topics.loc[users.index], found) > 0.6


def test_a_choice_at_the_edge_says_so():
    choice = choose_k(planted(6), range(2, 5), **FEW)
    assert choice.chosen.loc[["silhouette", "bic", "stability"], "at_edge"].all()
    assert pd.isna(choice.chosen.loc["gap", "k"])
    assert choice.chosen.loc["gap", "at_edge"]
    assert choice.chosen.loc["density", "k"] == 6


# The definitions


@pytest.mark.rows("C05")
def test_silhouette_bic_and_gap_are_those_of_the_definitions():
    rows = planted(3, spread=0.3)
    reducer, estimator = PCA(4), KMeans(n_init=2, random_state=5)
    mixture = GaussianMixture(covariance_type="diag", random_state=5)
    choice = choose_k(rows, [1, 2, 3], estimator=estimator, reducer=reducer, mixture=mixture, **FEW)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    seen = PCA(4).fit_transform(unit)
    for k in (2, 3):
        labels = KMeans(k, n_init=2, random_state=5).fit_predict(seen)
        expected = silhouette_score(seen, labels)
        assert choice.table.loc[k, "silhouette"] == pytest.approx(expected, abs=0.02)
    # p = k means + k variances of 4 directions + k - 1 shares.
    fitted = GaussianMixture(3, covariance_type="diag", random_state=5).fit(seen)
    bic = -2 * fitted.score(seen) * len(seen) + (3 * 4 + 3 * 4 + 2) * np.log(len(seen))
    assert fitted.bic(seen) == pytest.approx(bic)
    one = GaussianMixture(1, covariance_type="diag").fit(seen).bic(seen)
    assert choice.table.loc[1, "bic"] == pytest.approx(one)
    assert np.isnan(choice.table.loc[1, ["silhouette", "stability"]].astype(float)).all()


def test_dispersion_is_inertia():
    rows = np.random.default_rng(1).normal(size=(60, 3))
    model = KMeans(5, n_init=1, random_state=0).fit(rows)
    assert dispersion(rows, model.labels_) == pytest.approx(model.inertia_)


def test_gap_by_hand():
    rows = np.array([[0.0], [1.0], [10.0], [11.0]])
    halves = [np.array([[0.0], [2.0], [4.0], [6.0]]), np.array([[0.0], [4.0], [8.0], [12.0]])]
    gap, error = gap_statistic(rows, halves, lambda r: np.array([0, 0, 1, 1]), [0, 0, 1, 1])
    assert gap == pytest.approx((np.log(4) + np.log(16)) / 2 - np.log(1))
    assert error == pytest.approx(np.sqrt(1.5) * np.log(2))
    alone = np.arange(4)
    assert np.isnan(gap_statistic(rows, halves, lambda r: alone, alone)).all()


def test_references_fill_the_box_of_the_principal_axes():
    rng = np.random.default_rng(3)
    long, turn = rng.normal(size=(400, 2)) * [10, 1], np.array([[0.8, 0.6], [-0.6, 0.8]])
    (reference,) = reference_rows(long @ turn, 1, np.random.RandomState(0))
    back = reference @ turn.T
    # In a box of the coordinate axes both would be about 8.
    assert back.std(axis=0)[0] > 8 * back.std(axis=0)[1]
    axes = np.linalg.svd((long @ turn) - (long @ turn).mean(0), full_matrices=False)[2]
    box = ((long @ turn) - (long @ turn).mean(0)) @ axes.T
    assert (np.ptp(reference @ axes.T, axis=0) <= np.ptp(box, axis=0)).all()


def test_first_large_gap():
    ks = np.array([1, 2, 4])
    assert first_large_gap(ks, np.array([0.5, 0.4, 0.9]), np.zeros(3)) == 1
    assert first_large_gap(ks, np.array([0.1, 0.5, 0.6]), np.full(3, 0.2)) == 2
    assert first_large_gap(ks, np.array([0.1, 0.5, 0.6]), np.zeros(3)) is None
    assert first_large_gap(ks, np.array([0.1, 0.5, np.nan]), np.zeros(3)) is None
    assert first_large_gap(ks[:1], np.array([0.5]), np.zeros(1)) is None


def test_stability_is_the_mean_ari_of_all_pairs_on_what_they_share():
    rows = np.arange(6.0)[:, None]
    samples = [np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4]), np.array([2, 3, 4, 5])]
    given = iter([[0, 0, 1, 1], [0, 1, 1, 0], [0, 1, 0, 1]])
    mean, error = resampled_agreement(rows, samples, lambda r: np.array(next(given)))
    pairs = [
        adjusted_rand_score([0, 1, 1], [0, 1, 1]),
        adjusted_rand_score([1, 1], [0, 1]),
        adjusted_rand_score([1, 1, 0], [0, 1, 0]),
    ]
    assert mean == pytest.approx(np.mean(pairs))
    without = np.array([pairs[2], pairs[1], pairs[0]])  # each leaves one sample out
    jackknife = np.sqrt(2 / 3 * np.square(without - without.mean()).sum())
    assert error == pytest.approx(jackknife)


def test_chance_labels_are_not_stable_and_equal_ones_are():
    rows = np.random.default_rng(0).normal(size=(300, 2))
    samples = subsamples(300, 5, np.random.RandomState(0))
    assert all(len(np.unique(sample)) == 240 for sample in samples)
    rng = np.random.default_rng(1)
    chance, _ = resampled_agreement(rows, samples, lambda r: rng.integers(4, size=len(r)))
    assert abs(chance) < 0.02
    same, error = resampled_agreement(rows, samples, lambda r: (r[:, 0] > 0).astype(int))
    assert (same, error) == (1.0, 0.0)
    assert np.isnan(resampled_agreement(rows, samples[:2], lambda r: r[:, 0] > 0)[1])


def test_silhouette_without_a_value():
    rows = np.eye(3)
    assert np.isnan(silhouette(rows, np.zeros(3)))
    assert np.isnan(silhouette(rows, np.arange(3)))


# The same answer


@pytest.mark.parametrize("max_users", [2000, 40])
def test_row_order_index_and_length_do_not_matter(max_users):
    rows = planted(3, spread=0.3)
    order = np.random.default_rng(1).permutation(len(rows))
    options = {"k_values": range(1, 6), "max_users": max_users, **FEW}
    first = choose_k(rows, **options)
    frame = pd.DataFrame(rows[order] * 4, index=[f"u{i}" for i in order])  # 4 scales exactly
    again = choose_k(frame, **options)
    pd.testing.assert_frame_equal(first.table, again.table, check_exact=True)
    pd.testing.assert_frame_equal(first.chosen, again.chosen)
    assert first.n_users == min(max_users, len(rows))


def test_random_state_in_all_its_kinds():
    rows = planted(3, spread=0.4)
    tables = [
        choose_k(rows, range(2, 6), random_state=state, **FEW).table
        for state in (7, np.random.RandomState(7), 8)
    ]
    pd.testing.assert_frame_equal(tables[0], tables[1], check_exact=True)
    assert not tables[0]["stability"].equals(tables[2]["stability"])
    choose_k(rows, range(2, 4), random_state=None, **FEW)


def test_input_and_parts_are_left_alone():
    rows = planted(3)
    before, estimator, reducer = rows.copy(), KMeans(), PCA(5)
    choose_k(rows, [2, 3], estimator=estimator, reducer=reducer, **FEW)
    assert rows.tobytes() == before.tobytes()
    assert estimator.n_clusters == 8
    assert not hasattr(reducer, "components_")


# Bad input


@pytest.mark.parametrize(
    "rows", [[[3.0, 4.0]], [[1.0, 2.0]] * 5, [[1.0, 2.0], [10.0, 20.0], [0.0, 0.0]]]
)
def test_one_user_or_one_direction_is_one_cluster(rows):
    choice = choose_k(rows)
    assert choice.k == 1
    assert choice.chosen["k"].tolist() == [1] * len(CRITERIA)
    assert choice.table.index.tolist() == [1]
    assert choice.clusterer.fit(rows).n_clusters_ == 1
    with pytest.raises(ValueError, match="k_values holds 2, more than the 1 different direction"):
        choose_k(rows, [1, 2])


@settings(deadline=None, max_examples=25)
@given(st.data())
def test_any_small_table_has_a_defined_answer(data):
    few = st.integers(-2, 2)
    rows = np.array(data.draw(st.lists(st.tuples(few, few, few), min_size=1, max_size=9)), float)
    if not rows.any():
        with pytest.raises(ValueError, match="nothing but zeros"):
            choose_k(rows)
        return
    choice = choose_k(rows, n_references=2, n_resamples=2)
    assert choice.n_users == rows.any(axis=1).sum()
    assert 1 <= choice.k <= choice.n_users
    order = data.draw(st.permutations(range(len(rows))))
    again = choose_k(rows[order], n_references=2, n_resamples=2)
    pd.testing.assert_frame_equal(choice.table, again.table, check_exact=True)


@pytest.mark.parametrize("each", [1, 3])
def test_every_k_up_to_the_different_directions(each):
    rows = np.repeat(np.random.default_rng(0).normal(size=(5, 4)), each, axis=0)
    choice = choose_k(rows, range(1, 6), **FEW)
    assert choice.table.index.tolist() == [1, 2, 3, 4, 5]
    with pytest.raises(ValueError, match=r"holds 6, more than the 5 different.*use 5 at most"):
        choose_k(rows, [2, 6])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_and_infinite_values_name_the_user(bad):
    frame = pd.DataFrame(planted(2), index=[f"u{i}" for i in range(50)])
    frame.iloc[7, 2] = bad
    with pytest.raises(ValueError, match=r"NaN or inf in the row\(s\) 'u7'; drop"):
        choose_k(frame)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"rule": "elbow"}, ValueError, "rule must be one of the criteria 'silh.*got 'elbow'"),
        ({"criteria": ["gap"]}, ValueError, "rule must be one of the criteria 'gap', got 'silh"),
        ({"criteria": "elbow"}, ValueError, "criteria must be some of 'silhouette'.*got 'elbow'"),
        ({"criteria": []}, ValueError, "criteria must be some of"),
        ({"k_values": []}, ValueError, "k_values is empty"),
        ({"k_values": [0, 2]}, ValueError, "k_values must be at least 1, got 0"),
        ({"k_values": [2.5]}, TypeError, "k_values must be a whole number, got 2.5"),
        ({"k_values": 5}, TypeError, "k_values must be several whole numbers.*got 5"),
        ({"estimator": KMeans}, TypeError, "estimator must be a clusterer with fit_predict"),
        ({"estimator": DBSCAN()}, TypeError, "DBSCAN takes no number of clusters.*as density"),
        ({"estimator": HDBSCAN(copy=True)}, TypeError, "HDBSCAN takes no number of clusters"),
        ({"reducer": 5}, TypeError, "reducer must be a transformer with fit_transform"),
        ({"mixture": KMeans()}, TypeError, "mixture must be a mixture with bic"),
        ({"density": PCA()}, TypeError, "density must be a clusterer with fit_predict"),
        ({"n_references": 1}, ValueError, "n_references must be at least 2"),
        ({"n_resamples": 1}, ValueError, "n_resamples must be at least 2"),
        ({"max_users": 1}, ValueError, "max_users must be at least 2"),
    ],
)
def test_bad_parameters(options, error, message):
    with pytest.raises(error, match=message):
        choose_k(planted(2), **options)


def test_bad_vectors():
    with pytest.raises(ValueError, match="vectors must have rows and columns"):
        choose_k(np.empty((0, 3)))
    with pytest.raises(ValueError, match="vectors must have rows and columns"):
        choose_k([1.0, 2.0])
    with pytest.raises(TypeError, match="vectors must be a table of numbers"):
        choose_k([["a", "b"]])


# The figure


def test_the_figure_shows_every_criterion_and_its_choice():
    choice = choose_k(planted(3), range(1, 7), **FEW)
    figure = Figure()
    axes = plot_cluster_count(choice, planted=3, axes=figure.subplots(2, 2))
    figure.savefig(io.BytesIO())
    assert [ax.get_title().split(":")[0] for ax in axes] == [
        "Silhouette", "Gap", "BIC", "Stability over samples",
    ]  # fmt: skip
    assert axes[0].get_title(loc="center").endswith("(3)")
    assert [ax.title.get_fontweight() for ax in axes] == ["bold", "normal", "normal", "normal"]
    for ax, column in zip(axes, ["silhouette", "gap", "bic", "stability"], strict=True):
        marks = [line for line in ax.lines if line.get_marker() == "D"]
        assert [line.get_xdata().tolist() for line in marks] == [[3]]
        curve = next(line for line in ax.lines if line.get_marker() == "o")
        expected = choice.table[column].dropna()
        assert curve.get_xdata().tolist() == expected.index.tolist()
        np.testing.assert_array_equal(curve.get_ydata(), expected)


def test_a_criterion_without_a_choice_has_no_mark():
    axes = plot_cluster_count(choose_k(planted(6), [2, 3], **FEW), axes=Figure().subplots(1, 4))
    assert axes[1].get_title().endswith("(none)")
    assert not [line for line in axes[1].lines if line.get_marker() == "D"]
    one = plot_cluster_count(choose_k([[1.0, 2.0]]), axes=Figure().subplots(4))
    assert one[0].get_title().endswith("(1)")


def test_what_cannot_be_drawn_is_named():
    choice = choose_k(planted(2), [1, 2], **FEW)
    with pytest.raises(TypeError, match="what choose_k returned"):
        plot_cluster_count(choice.table)
    with pytest.raises(ValueError, match="axes must be 4"):
        plot_cluster_count(choice, axes=Figure().subplots(2))
    only = choose_k(planted(2), [1, 2], criteria="density", rule="density")
    with pytest.raises(ValueError, match="axes must be 0"):
        plot_cluster_count(only)
    with pytest.raises(TypeError, match="planted must be a whole number"):
        plot_cluster_count(choice, planted=2.5)
