"""Ids that stay: planted births, deaths, splits and merges, any row order, bad windows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.cluster import DBSCAN, HDBSCAN, AgglomerativeClustering, KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from sklearn.utils.estimator_checks import parametrize_with_checks

from recsys_interest.adaptive_kmeans import AdaptiveKMeans
from recsys_interest.checks import SchemaError
from recsys_interest.clusters import InterestClusterer
from recsys_interest.dynamics import DynamicClusterer

SIZE, FEATURES = 20, 8
DEFAULT = InterestClusterer(AdaptiveKMeans(9))  # fewer numbers to try than by default: quicker
BIRTH_OR_DEATH = ["birth", "death"]


def window(places, seed=0, turn=False):
    """Users of whom each group of twenty looks into one direction, or between two."""
    rng = np.random.default_rng(seed)
    centres = np.array([np.eye(FEATURES)[np.atleast_1d(p)].mean(axis=0) for p in places])
    rows = np.repeat(centres, SIZE, axis=0)
    rows = rows + rng.normal(0, 0.03, rows.shape)
    X = pd.DataFrame(rows, index=[f"u{n:03d}" for n in range(len(rows))])
    return X.sample(frac=1, random_state=seed) if turn else X


def followed(*windows, **options):
    model = DynamicClusterer(DEFAULT, random_state=0, **options)
    for n, X in enumerate(windows):
        model.partial_fit(X, window=n)
    return model


def all_ids_stay(model):
    paths = model.paths_.to_numpy()
    return bool((paths == paths[:, :1]).all())


def events_after_the_first(model):
    ledger = model.ledger_
    later = ledger[ledger["window"] > ledger["window"].min()]
    return sorted(later["event"])


def id_of(model, group, at):
    """The one id of the users of a group in a window."""
    users = [f"u{n:03d}" for n in range(group * SIZE, (group + 1) * SIZE)]
    ids = model.paths_.loc[users, at].unique()
    assert len(ids) == 1, ids
    return int(ids[0])


@parametrize_with_checks([DynamicClusterer(InterestClusterer(KMeans(3, n_init=2)))])
def test_scikit_learn_conventions(estimator, check):
    check(estimator)


@pytest.mark.rows("C09")
def test_ids_stay_where_nothing_happens():
    model = followed(*(window([0, 1, 2, 3], seed=s, turn=True) for s in range(5)))
    assert events_after_the_first(model) == []
    assert all_ids_stay(model)
    assert model.windows_["n_clusters"].tolist() == [4] * 5


def test_an_interest_may_wander():
    # From one direction to another, a fifth of the way each time: always the same members.
    steps = [window([0, 1, 2]) for _ in range(6)]
    for n, X in enumerate(steps):
        X.iloc[:SIZE] += n / 5 * (np.eye(FEATURES)[5] - np.eye(FEATURES)[0])
    model = followed(*steps)
    assert events_after_the_first(model) == []


def test_a_birth_and_a_death():
    before, after = window([0, 1, 2, 3]), window([0, 1, 2, 3], seed=1)
    # A fifth of everybody goes to a new place; in another window all of the last group leave.
    movers = after.index[::5]
    after.loc[movers] = np.eye(FEATURES)[6] + 0.01 * after.loc[movers].to_numpy()
    model = followed(before, after)
    assert events_after_the_first(model) == ["birth"]
    assert model.ledger_["cluster"].tolist() == [0, 1, 2, 3, 4]
    assert model.ledger_.iloc[-1]["n_users"] == len(movers)

    spread = window([0, 1, 2, 3], seed=2)
    last = spread.index[3 * SIZE :]
    spread.loc[last] = np.eye(FEATURES)[np.arange(SIZE) % 3]
    model = followed(before, spread)
    assert events_after_the_first(model) == ["death"]
    assert model.ledger_.iloc[-1]["cluster"] == id_of(model, 3, 0)


@pytest.mark.rows("C09")
def test_a_split_and_a_merge():
    apart, together = window([0, 1, 2, 3]), window([0, 1, [2, 3], [2, 3]], seed=1)
    model = followed(together, apart)
    assert events_after_the_first(model) == ["split"]
    row = model.ledger_.iloc[-1]
    assert row["related"] == id_of(model, 2, 0) == id_of(model, 3, 0)
    assert {row["cluster"], row["related"]} == {id_of(model, 2, 1), id_of(model, 3, 1)}
    assert row["n_users"] == SIZE

    model = followed(apart, together)
    assert events_after_the_first(model) == ["merge"]
    row = model.ledger_.iloc[-1]
    assert row["related"] == id_of(model, 2, 1) == id_of(model, 3, 1)
    assert {row["cluster"], row["related"]} == {id_of(model, 2, 0), id_of(model, 3, 0)}


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 10_000))
def test_every_id_begins_once_and_ends_at_most_once(seed):
    rng = np.random.default_rng(seed)
    pool = [0, 1, 2, 3, 4, [0, 1], [2, 3]]
    windows = []
    for n in range(4):
        X = window([pool[p] for p in rng.integers(0, len(pool), rng.integers(1, 6))], seed=n)
        windows.append(X.sample(frac=0.8, random_state=n))
    model = followed(*windows)
    ledger, paths = model.ledger_, model.paths_
    begins = ledger[ledger["event"].isin(["birth", "split"])].set_index("cluster")["window"]
    ends = ledger[ledger["event"].isin(["death", "merge"])].set_index("cluster")["window"]
    assert begins.index.tolist() == list(range(len(begins)))
    assert ends.index.is_unique
    alive = set(begins.index) - set(ends.index)
    assert alive == set(model.cluster_ids_)
    assert ((ledger["related"].isna()) == ledger["event"].isin(BIRTH_OR_DEATH)).all()
    for cluster, begin in begins.items():
        seen = [w for w in paths if (paths[w] == cluster).any()]
        assert seen == list(range(begin, int(ends.get(cluster, len(windows)))))


@pytest.mark.parametrize(
    "estimator",
    [
        KMeans(4, n_init=3),
        MiniBatchKMeans(4, n_init=3),
        GaussianMixture(4, covariance_type="diag", reg_covar=1e-4),
        AgglomerativeClustering(4),
        DBSCAN(eps=0.4),
        HDBSCAN(copy=True),
        AdaptiveKMeans(9),
    ],
    ids=lambda e: type(e).__name__,
)
@pytest.mark.parametrize("reducer", [None, PCA(4)])
def test_any_clusterer_any_row_order(estimator, reducer):
    model = DynamicClusterer(InterestClusterer(estimator, reducer), random_state=0)
    windows = [window([0, 1, 2, 3], seed=s) for s in range(3)]
    for n, X in enumerate(windows):
        model.partial_fit(X, window=n)
    assert all_ids_stay(model)
    other = clone(model)
    for n, X in enumerate(windows):
        other.partial_fit(X.iloc[np.random.default_rng(n).permutation(len(X))], window=n)
    pd.testing.assert_frame_equal(other.paths_, model.paths_)
    pd.testing.assert_frame_equal(other.ledger_, model.ledger_)
    np.testing.assert_array_equal(other.centroids_, model.centroids_)


def test_fit_is_partial_fit_window_by_window():
    windows = {n: window([0, 1, 2 + n % 2, [4, 5]], seed=n) for n in range(3)}
    table = pd.concat(windows, names=["window", "user_id"])
    mixed = table.sample(frac=1, random_state=0)
    stream = followed(*windows.values())
    for fitted in (
        DynamicClusterer(DEFAULT, random_state=0).fit(mixed),
        DynamicClusterer(DEFAULT, random_state=0).fit(
            mixed.droplevel(0), windows=mixed.index.get_level_values(0)
        ),
    ):
        pd.testing.assert_frame_equal(fitted.paths_, stream.paths_)
        pd.testing.assert_frame_equal(fitted.ledger_, stream.ledger_)
        for (at, user), label in zip(mixed.index, fitted.labels_, strict=True):
            assert stream.paths_.loc[user, at] == label


def test_predict_names_the_living_cluster_that_is_nearest():
    model = followed(window([0, 1, 2]), window([1, 2, 3], seed=1).iloc[::-1])
    X = pd.DataFrame(np.eye(FEATURES)[[1, 2, 3]])
    ids = model.predict(X)
    assert len(set(ids)) == 3
    assert set(ids) == set(model.cluster_ids_)
    assert model.predict(X * 0).tolist() == [-1] * 3
    last = model.paths_[1]
    np.testing.assert_array_equal(model.predict(window([1, 2, 3], seed=1)), last)


def test_the_path_of_one_user():
    model = followed(window([0, 1, 2]), window([0, 1, 2]).iloc[SIZE:], window([0, 1, 2]))
    assert model.path("u000").index.tolist() == [0, 2]
    assert model.path("u000").tolist() == model.paths_.loc["u000"].dropna().tolist()
    assert model.path("nobody").empty
    assert model.paths_.loc["u000"].isna().tolist() == [False, True, False]


# Windows that are bad


def test_an_earlier_window_is_refused():
    model = followed(window([0, 1]), window([0, 1]))
    with pytest.raises(ValueError, match="window 0 is earlier than the last one, 1"):
        model.partial_fit(window([0, 1]), window=0)
    with pytest.raises(TypeError, match="cannot be compared"):
        model.partial_fit(window([0, 1]), window="May")
    with pytest.raises(ValueError, match="window is missing"):
        model.partial_fit(window([0, 1]), window=pd.NaT)
    assert len(model.windows_) == 2


def test_the_last_window_again_changes_nothing_or_brings_what_was_late():
    first, second, third = window([0, 1, 2]), window([0, 1, 3], seed=1), window([0, 1, 3], seed=2)
    plain = followed(first, second, third)
    replayed = DynamicClusterer(DEFAULT, random_state=0)
    for n, X in enumerate([first, second, third]):
        replayed.partial_fit(X.iloc[: 2 * SIZE], window=n)  # some of it is late
        replayed.partial_fit(X, window=n).partial_fit(X, window=n)
    pd.testing.assert_frame_equal(replayed.paths_, plain.paths_)
    pd.testing.assert_frame_equal(replayed.ledger_, plain.ledger_)
    pd.testing.assert_frame_equal(replayed.windows_, plain.windows_)


def test_a_window_without_rows_ends_nothing():
    X, later = window([0, 1, 2]), window([0, 1, 2], seed=1)
    model = followed(X, X.iloc[:0], later)
    assert model.windows_["n_users"].tolist() == [60, 0, 60]
    assert events_after_the_first(model) == []
    assert model.paths_.columns.tolist() == [0, 2]
    pd.testing.assert_series_equal(model.paths_[2], followed(X, later).paths_[1], check_names=False)


def test_a_window_in_which_every_cluster_dies():
    X = window([0, 1, 2])
    model = followed(X, X * 0, X)
    assert events_after_the_first(model) == ["birth"] * 3 + ["death"] * 3
    assert model.ledger_.loc[model.ledger_["event"] == "death", "window"].tolist() == [1] * 3
    assert model.windows_["n_clusters"].tolist() == [3, 0, 3]
    assert (model.paths_[1] == -1).all()
    assert set(model.paths_[2]) == {3, 4, 5}
    dead = followed(X, X * 0)
    assert dead.n_clusters_ == 0
    assert dead.predict(X).tolist() == [-1] * len(X)


@pytest.mark.rows("H04")
def test_a_deleted_user_leaves_no_trace():
    X, later = window([0, 1, 2]), window([0, 1, 2], seed=1)
    model = followed(X, later).forget(["u000", "unknown"])
    assert "u000" not in model.paths_.index
    assert model.path("u000").empty
    assert not model.get_state()["paths"]["user_id"].isin(["u000"]).any()
    model.partial_fit(window([0, 1, 2], seed=2).drop(index="u000"), window=2)
    assert events_after_the_first(model) == []
    with pytest.raises(TypeError, match="several ids"):
        model.forget("u000")


def test_arrays_are_matched_by_their_centroids():
    frames = [window([0, 1, 2], seed=s) for s in range(2)]
    model = followed(*(X.to_numpy() for X in frames))
    assert model.paths_.empty
    assert events_after_the_first(model) == []
    assert model.labels_.tolist() == followed(*frames).labels_.tolist()


def test_only_so_many_windows_are_kept():
    model = followed(*(window([0, 1, 2], seed=s) for s in range(6)), keep_windows=2)
    assert model.paths_.columns.tolist() == [4, 5]
    assert len(model.windows_) == 6
    assert events_after_the_first(model) == []


@pytest.mark.parametrize("names", [[0, 1, 2], ["2024", "2025", "2026"], "moments"])
def test_a_restored_state_goes_on_as_if_nothing_had_happened(names, tmp_path):
    if names == "moments":
        names = [*pd.date_range("2024", periods=3, freq="YS", tz="UTC")]
    windows = [window([0, 1, [2, 3]]), window([0, 1, 2, 3], seed=1), window([0, 2, 3], seed=2)]
    whole = DynamicClusterer(DEFAULT, random_state=0)
    for name, X in zip(names, windows, strict=True):
        whole.partial_fit(X, window=name)
    first = DynamicClusterer(DEFAULT, random_state=0)
    first.partial_fit(windows[0], window=names[0]).partial_fit(windows[1], window=names[1])
    for name, table in first.get_state().items():
        table.to_parquet(tmp_path / f"{name}.parquet")
    state = {path.stem: pd.read_parquet(path) for path in tmp_path.iterdir()}
    again = DynamicClusterer(DEFAULT, random_state=0).set_state(state)
    pd.testing.assert_frame_equal(again.paths_, first.paths_)
    np.testing.assert_array_equal(again.predict(windows[1]), first.predict(windows[1]))
    again.partial_fit(windows[1], window=names[1])  # also the last window again
    again.partial_fit(windows[2], window=names[2])
    pd.testing.assert_frame_equal(again.paths_, whole.paths_)
    pd.testing.assert_frame_equal(again.ledger_, whole.ledger_)
    pd.testing.assert_frame_equal(again.windows_, whole.windows_)
    with pytest.raises(SchemaError, match="state lacks 'paths'"):
        DynamicClusterer().set_state({k: v for k, v in state.items() if k != "paths"})
    with pytest.raises(SchemaError, match="the snapshots 'now' and 'before'"):
        DynamicClusterer().set_state({**state, "snapshots": state["snapshots"].iloc[:1]})
    with pytest.raises(SchemaError, match="clusters lacks the column"):
        DynamicClusterer().set_state({**state, "clusters": state["clusters"].drop(columns="0")})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"clusterer": KMeans(3)}, TypeError, r"InterestClusterer\(KMeans\(8\)\)"),
        ({"keep_windows": 1}, ValueError, "keep_windows must be at least 2"),
        ({"member_weight": 2.0}, ValueError, "member_weight must be from 0 to 1"),
    ],
)
def test_bad_parameters_are_named(options, error, message):
    with pytest.raises(error, match=message):
        DynamicClusterer(**options).fit(window([0, 1]))


def test_bad_rows_are_named():
    X = window([0, 1])
    with pytest.raises(ValueError, match=r"the user\(s\) 'u001' more than once"):
        DynamicClusterer().fit(pd.concat([X, X.loc[["u001"]]]))
    with pytest.raises(ValueError, match="2 values, X has 40 rows"):
        DynamicClusterer().fit(X, windows=[1, 2])
    with pytest.raises(ValueError, match="windows is missing in the row"):
        DynamicClusterer().fit(X, windows=[None] * len(X))
    with pytest.raises(TypeError, match="windows mixes 'int', 'str'"):
        DynamicClusterer().fit(X, windows=[1, "a"] * SIZE)
    with pytest.raises(ValueError, match="NaN"):
        DynamicClusterer().fit(X.mask(X > 0.9))
    with pytest.raises(ValueError, match="no rows, so there are no windows"):
        DynamicClusterer().fit(pd.concat({0: X}).iloc[:0])
    with pytest.raises(SchemaError, match=r"X\.index mixes the kinds"):
        DynamicClusterer().fit(X.rename(index={"u000": 0}))
    with pytest.raises(SchemaError, match=r"X\.index is missing"):
        DynamicClusterer().fit(X.rename(index={"u000": None}))
    model = followed(X)
    with pytest.raises(SchemaError, match="no id can match"):
        model.partial_fit(X.reset_index(drop=True), window=1)
    with pytest.raises(TypeError, match="window must be one number"):
        model.partial_fit(X, window=[1])
    assert len(model.windows_) == 1
    with pytest.raises(ValueError, match="feature"):
        model.partial_fit(X.iloc[:, :3], window=1)
    with pytest.raises(TypeError, match="name the next one"):
        DynamicClusterer().partial_fit(X, window="May").partial_fit(X)


def test_a_warm_start_begins_at_the_centroids_of_before():
    class Noted(KMeans):
        given = []

        def fit(self, X, y=None, sample_weight=None):
            self.given.append(self.init)
            return super().fit(X, y)

        def fit_predict(self, X, y=None):
            return self.fit(X).labels_

    first, second = window([0, 1, 2]), window([0, 1, 3], seed=1)
    model = DynamicClusterer(InterestClusterer(Noted(3)), random_state=0)
    model.partial_fit(first)
    before = model.centroids_.copy()
    model.partial_fit(second)
    assert isinstance(Noted.given[0], str)
    np.testing.assert_array_equal(Noted.given[1], before)
    model.set_params(warm_start=False).partial_fit(first)
    assert isinstance(Noted.given[2], str)
