"""Drift that was planted is found, drift that was not is not; bad input is named."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway, permutation_test
from sklearn.metrics import roc_auc_score

from recsys_interest.change_points import change_point, split_statistics
from recsys_interest.checks import SchemaError
from recsys_interest.drift import detect_drift
from recsys_interest.drift_monitor import DriftMonitor, surprise
from recsys_interest.interest_log import make_interest_log

VECTORS = pd.DataFrame(np.eye(3), index=["a", "b", "c"], columns=["x", "y", "z"])
FAST = {"n_permutations": 99}


def log(items, user=1, days=None):
    moments = pd.Timestamp("2026-01-01") + pd.to_timedelta(
        range(len(items)) if days is None else days, unit="D"
    )
    rows = {"user_id": user, "item_id": list(items), "event": "like", "timestamp": moments}
    return pd.DataFrame(rows)


# The statistic and its p-value, against scipy


def test_the_statistic_is_the_sum_of_squares_of_an_analysis_of_variance():
    x = np.random.default_rng(0).normal(size=12)
    for k, found in enumerate(split_statistics(x[:, None]), start=1):
        within = x[:k].var() * k + x[k:].var() * (12 - k)
        f = found / (within / 10)
        if 1 < k < 11:
            np.testing.assert_allclose(f, f_oneway(x[:k], x[k:]).statistic)


def test_the_p_value_at_a_given_moment_is_scipys():
    x = np.random.default_rng(1).normal(size=9) + np.repeat([0.0, 1.2], [5, 4])

    def statistic(old, new, axis):
        return np.abs(old.mean(axis=axis) - new.mean(axis=axis))

    exact = permutation_test((x[:5], x[5:]), statistic, n_resamples=np.inf, alternative="greater")
    rng = np.random.RandomState(0)
    cut, _, p = change_point(x[:, None], np.array([5]), 20_000, rng)
    assert cut == 5
    assert p == pytest.approx(exact.pvalue, abs=0.01)


# Planted and not planted


@pytest.fixture(scope="module")
def planted():
    data = make_interest_log(150, 40, drift_share=0.4, seed=3)
    return data, topics(data)


def topics(data):
    topic = data.truth["items"].set_index("item_id")["topic"]
    return pd.get_dummies(topic).astype(float)


@pytest.fixture(scope="module")
def found(planted):
    data, vectors = planted
    return detect_drift(data.events, vectors, **FAST, alpha=0.05)


@pytest.mark.rows("K04")
def test_planted_drift_is_found_when_it_happened(planted, found):
    truth = planted[0].truth["users"].set_index("user_id").loc[found.index]
    drifts = truth["drift_date"].notna()
    rated = found["strength"].notna()
    assert roc_auc_score(drifts[rated], found.loc[rated, "strength"]) > 0.9
    assert found.loc[drifts, "drifted"].mean() > 0.7
    assert found.loc[~drifts, "drifted"].mean() < 0.12
    right = found[found["drifted"] & drifts]
    off = (right["changed_at"] - truth.loc[right.index, "drift_date"]).dt.days.abs()
    assert off.median() < 15  # of 180
    assert right["distance"].median() > 2 * found.loc[~drifts, "distance"].median()


def test_a_stationary_log_raises_as_many_alarms_as_it_may():
    data = make_interest_log(400, 30, seed=5)
    found = detect_drift(data.events, topics(data), **FAST, alpha=0.1)
    # 400 users at 10 %: the 99.9 % limit of the binomial distribution is 59.
    assert 0 < found["drifted"].sum() <= 59
    p = found["p_value"].dropna()
    assert abs((p <= 0.5).mean() - 0.5) < 0.1  # neither cautious nor rash


def test_clusters_with_drifting_users_are_told_from_others(planted):
    data, vectors = planted
    drifts = data.truth["users"].set_index("user_id")["drift_date"].notna()
    clusters = drifts.map({True: "moving", False: "settled"})
    found = detect_drift(data.events, vectors, by=clusters, **FAST)
    assert found.index.tolist() == ["moving", "settled"]
    assert found["drifted"].tolist() == [True, False]
    assert found.loc["moving", "strength"] > 1.5 * found.loc["settled", "strength"]
    share = found.loc["moving", "n_before"] / found.loc["moving", ["n_before", "n_after"]].sum()
    assert 0.2 < share < 0.8


def test_other_people_are_no_drift_but_move_the_index():
    early = [log("aaaaaaaa", user) for user in range(20)]
    late = [log("bbbbbbbb", 100 + user, range(50, 58)) for user in range(20)]
    found = detect_drift(pd.concat(early + late), VECTORS, by="population", cutoff="2026-02-01",
                         **FAST)  # fmt: skip
    row = found.loc["population"]
    assert not row["drifted"]
    assert row["p_value"] == 1.0
    assert row["psi"] > 2 > 10 * row["psi_by_chance"]
    moved = pd.concat(log("aaaabbbb", user) for user in range(20))
    found = detect_drift(moved, VECTORS, by="population", **FAST)
    assert found.loc["population", "drifted"]
    assert found.loc["population", "changed_at"] == pd.Timestamp("2026-01-05", tz="UTC")


def test_what_is_done_in_one_go_counts_once():
    # Ten evenings, each on one subject: a run of five events on it is no change of interest.
    subjects = [1, 0, 1, 2, 0, 1, 2, 0, 1, 1]
    items = "".join("abc"[s] * 5 for s in subjects)
    days = [d + n / 1000 for d in range(10) for n in range(5)]
    runs = pd.concat(log(items, user, days) for user in range(3))
    single = detect_drift(runs, VECTORS, **FAST)
    sessions = detect_drift(runs, VECTORS, session_gap=60, **FAST)
    assert (single["p_value"] < sessions["p_value"]).all()
    assert (sessions["n_before"] + sessions["n_after"] == 10).all()
    assert not sessions["drifted"].any()


# Order, ties, gaps


def test_rows_in_any_order_give_the_same_table(planted, found):
    data, vectors = planted
    again = detect_drift(
        data.events.sample(frac=1, random_state=1), vectors.iloc[::-1], **FAST, alpha=0.05
    )
    pd.testing.assert_frame_equal(again, found)


def test_events_of_one_moment_have_no_order():
    found = detect_drift(log("aaaabbbb", days=[0] * 8), VECTORS, **FAST)
    assert found["p_value"].isna().all()
    assert not found["drifted"].any()
    halves = detect_drift(log("abababab" + "cccccccc", days=[0] * 8 + [1] * 8), VECTORS, **FAST)
    assert halves["n_before"].tolist() == [8]
    assert halves["drifted"].tolist() == [True]


def test_too_few_events_and_empty_windows_are_rows_without_numbers():
    some = pd.concat([log("aab", 1), log("aaabbb", 2), log("aaaa", 3).assign(event="impression")])
    found = detect_drift(some, VECTORS, **FAST)
    assert found.index.tolist() == [1, 2, 3]
    assert found["p_value"].notna().tolist() == [False, True, False]
    late = detect_drift(some, VECTORS, cutoff="2030-01-01", **FAST)
    assert late["p_value"].isna().all()
    assert late["changed_at"].isna().all()
    assert not late["drifted"].any()
    groups = detect_drift(some, VECTORS, by=pd.Series({1: "x", 9: "y"}), **FAST)
    assert groups.index.tolist() == ["x", "y"]
    assert groups.loc["y", ["n_before", "n_after"]].tolist() == [0, 0]
    assert detect_drift(some.iloc[:0], VECTORS, **FAST).empty
    nobody = detect_drift(some.iloc[:0], VECTORS, by="population", **FAST)
    assert nobody["drifted"].sum() == 0


def test_the_index_counts_given_groups():
    groups = pd.Series({"a": "one", "b": "one", "c": "two"})
    events = log("aaaabbbb")
    found = detect_drift(events, VECTORS, item_groups=groups, **FAST)
    assert found.loc[1, "p_value"] < 0.07  # 2 of the 70 orders of four and four
    assert found.loc[1, "psi"] == 0.0
    assert detect_drift(events, VECTORS, **FAST).loc[1, "psi"] > 1


# A stream that is watched


def watched(data, vectors, **options):
    first = data.events["timestamp"].min() + pd.Timedelta(days=50)
    early = data.events["timestamp"] < first
    monitor = DriftMonitor(**options).fit(data.events[early], vectors)
    rest = data.events[~early]
    parts = [rest.iloc[a : a + 700] for a in range(0, len(rest), 700)]
    return monitor, pd.concat(monitor.update(part) for part in parts)


def test_a_monitor_is_quiet_until_interests_move(planted):
    data, vectors = planted
    drifts = data.truth["users"].set_index("user_id")["drift_date"].notna()
    clusters = drifts.map({True: "moving", False: "settled"})
    monitor, alarms = watched(data, vectors, clusters=clusters)
    assert {"population", "moving"} <= set(alarms["watched"])
    assert "settled" not in set(alarms["watched"])
    first = data.truth["users"]["drift_date"].min()
    assert alarms["timestamp"].min() > first
    assert set(monitor.detectors_) == {"population", "moving", "settled"}
    calm = make_interest_log(150, 40, seed=3)
    assert watched(calm, topics(calm))[1].empty


def test_any_detector_may_watch():
    class Jump:
        drift_detected = False

        def update(self, x):
            self.drift_detected = x > 0.5

    events = log("aaaaab")
    monitor = DriftMonitor(Jump).fit(events[:4], VECTORS)
    assert monitor.update(events[4:5]).empty
    found = monitor.update(events[5:])
    assert found["watched"].tolist() == ["population"]
    assert found["n_watched"].tolist() == [2]
    assert monitor.update(events[:0]).dtypes.equals(found.dtypes)
    strangers = log("b", user=9)
    assert monitor.update(strangers).empty
    assert surprise(strangers, monitor.profiles_, VECTORS).isna().all()


def test_a_monitor_without_river_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "river.drift", None)
    with pytest.raises(ImportError, match="pip install river"):
        DriftMonitor().fit(log("ab"), VECTORS)


def test_what_is_no_detector_is_named():
    for detector in (7, lambda: 7, dict):
        with pytest.raises(TypeError, match="detector must make objects"):
            DriftMonitor(detector).fit(log("ab"), VECTORS)
    for clusters, kind, message in [
        ({1: 2}, TypeError, "clusters must be a Series"),
        (pd.Series([1, 2], index=[1, 1]), ValueError, "clusters has ids more than once: 1"),
        (pd.Series({"1": 1}), SchemaError, r"clusters\.index is str"),
        (pd.Series({1: "population"}), ValueError, "which means everybody"),
    ]:
        with pytest.raises(kind, match=message):
            DriftMonitor(clusters=clusters).fit(log("ab"), VECTORS)


# Bad input


def test_bad_input_is_named():
    events = log("aaabbb")
    for options, kind, message in [
        ({"by": "cluster"}, TypeError, "by must be 'user', 'population' or a Series"),
        ({"by": pd.Series([1, 2], index=[1, 1])}, ValueError, "ids more than once: 1"),
        ({"by": pd.Series({"u": 1})}, SchemaError, "by.index is str"),
        ({"alpha": 0.001}, ValueError, "use at least 999"),
        ({"alpha": 1.0}, ValueError, "between 0 and 1"),
        ({"alpha": "small"}, TypeError, "alpha must be a number"),
        ({"cutoff": "soon"}, ValueError, "cutoff is not a moment"),
        ({"n_permutations": 0}, ValueError, "n_permutations must be at least 1"),
        ({"item_groups": pd.Series([1, 2], index=["a", "a"])}, ValueError, "ids more than once"),
        ({"item_groups": {"a": 1}}, TypeError, "item_groups must be a Series"),
        ({"session_gap": -1}, ValueError, "gap must be a finite number"),
    ]:
        with pytest.raises(kind, match=message):
            detect_drift(events, VECTORS, **options)
    with pytest.raises(ValueError, match="item_vectors is not finite for 'a'"):
        detect_drift(events, VECTORS.where(VECTORS != 1, np.nan).rename(index={"b": "d"}).iloc[:1])
    with pytest.raises(SchemaError, match=r"events lacks the column\(s\) 'timestamp'"):
        detect_drift(events.drop(columns="timestamp"), VECTORS)
