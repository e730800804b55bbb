"""Drift that was planted is found, drift that was not is not; bad input is named."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f_oneway, false_discovery_control, permutation_test
from sklearn.metrics import roc_auc_score

from recsys_interest.change_points import against_chance, change_point, split_statistics
from recsys_interest.checks import SchemaError
from recsys_interest.drift import detect_drift
from recsys_interest.drift_monitor import DriftMonitor, surprise
from recsys_interest.interest_log import make_interest_log
from recsys_interest.profiles import InterestProfiler

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


def test_the_statistic_is_one_of_the_permutations_and_equal_ones_count():
    assert against_chance(3.0, np.array([1.0, 2.0, 3.0])) == (1.5, 0.5)
    assert against_chance(0.1 + 0.2, np.array([0.3]))[1] == 1.0  # the same but for rounding
    assert against_chance(0.0, np.zeros(3)) == (1.0, 1.0)
    assert against_chance(9.0, np.ones(99))[1] == 0.01


def test_permutations_in_parts_are_the_same(monkeypatch):
    x = np.random.default_rng(2).normal(size=(12, 2)) + np.repeat([0.0, 0.7], [6, 6])[:, None]
    whole = change_point(x, np.arange(3, 10), 30, np.random.RandomState(0))
    monkeypatch.setattr("recsys_interest.change_points.CELLS_AT_ONCE", 7 * x.size)
    assert change_point(x, np.arange(3, 10), 30, np.random.RandomState(0)) == whole


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


# What counts, and on which side


def test_the_moment_of_a_change_by_hand():
    row = detect_drift(log("aaaaaabbbb"), VECTORS, **FAST).loc[1]
    assert (row["n_before"], row["n_after"]) == (6, 4)
    assert row["changed_at"] == pd.Timestamp("2026-01-07", tz="UTC")
    assert row["distance"] == pytest.approx(1.0)
    # Three are left on either side, wherever the change was.
    early = detect_drift(log("aabbbbbb"), VECTORS, **FAST).loc[1]
    assert (early["n_before"], early["n_after"]) == (3, 5)


@pytest.mark.parametrize("by", ["user", "population"])
def test_what_happens_at_the_cutoff_is_after_it(by):
    events, day = log("aaaaaabbbb"), pd.Timestamp("2026-01-01", tz="UTC")
    rows = [
        detect_drift(events, VECTORS, by=by, cutoff=day + pd.Timedelta(days=d), **FAST).iloc[0]
        for d in (0, 1, 6, 6.5, 9, 9.5)
    ]
    sides = [(row["n_before"], row["n_after"]) for row in rows]
    assert sides == [(0, 0), (1, 9), (6, 4), (7, 3), (9, 1), (0, 0)]
    assert [row["p_value"] > 0 for row in rows] == [False, True, True, True, True, False]
    assert rows[3]["changed_at"] == day + pd.Timedelta(days=6.5)
    assert rows[2]["distance"] == pytest.approx(1.0)
    assert rows[3]["distance"] == pytest.approx(1 - 1 / np.sqrt(37))


def test_events_without_a_liking_or_a_vector_say_nothing():
    events, named = log("aaaabbbb"), {**FAST, "cutoff": "2026-01-05"}
    silent = detect_drift(events.assign(event="impression"), VECTORS, **named).loc[1]
    assert (silent["n_before"], silent["n_after"]) == (0, 0)
    unknown = detect_drift(log("aaaabbzb"), VECTORS, **named).loc[1]
    assert (unknown["n_before"], unknown["n_after"]) == (4, 3)
    assert unknown["distance"] == pytest.approx(1.0)
    blank = detect_drift(events, VECTORS.assign(y=0.0), **named).loc[1]
    assert (blank["n_before"], blank["n_after"]) == (0, 0)


def test_a_session_counts_by_its_mean():
    # a | a, b, b, b before, b | b after.
    events = log("aabbbbb", days=[0, 1, 1.001, 1.002, 1.003, 2, 3])
    named = {**FAST, "cutoff": "2026-01-02T12:00"}
    row = detect_drift(events, VECTORS, session_gap=30, **named).loc[1]
    assert (row["n_before"], row["n_after"]) == (2, 2)
    assert row["distance"] == pytest.approx(1 - 0.75 / np.hypot(1.25, 0.75))
    single = detect_drift(events, VECTORS, **named).loc[1]
    assert single["distance"] == pytest.approx(1 - 3 / np.hypot(2, 3))


def test_features_that_are_nought_change_nothing():
    data = pd.concat(log("aaabababbcbb", user) for user in range(3))
    wide = VECTORS.reindex(columns=[*"xyz", *range(40)], fill_value=0.0)
    one, other = (detect_drift(data, vectors, **FAST) for vectors in (VECTORS, wide))
    pd.testing.assert_frame_equal(one, other)


def test_users_without_a_label_are_in_no_cluster():
    both = pd.concat([log("aaaabbbb", 1), log("cccc", 2)])
    found = detect_drift(both, VECTORS, by=pd.Series({1: "x"}), cutoff="2026-01-05", **FAST)
    assert found.loc["x", ["n_before", "n_after"]].tolist() == [4, 4]


def test_a_drift_is_called_by_its_p_value_and_the_q_values_are_scipys():
    items = ["aaaaaabbbbbb", "abababababab", "aabbaabbaabb", "abcabcabcabc", "abbcabbcabbc"]
    data = pd.concat(log(items[user], user) for user in range(5))
    found = detect_drift(data, VECTORS, alpha=0.02, **FAST)
    np.testing.assert_allclose(found["q_value"], false_discovery_control(found["p_value"]))
    assert found["drifted"].tolist() == [True, False, False, False, False]
    assert found.loc[0, "q_value"] > 0.02 >= found.loc[0, "p_value"]


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


def test_rows_of_one_moment_in_any_order_give_the_same_table():
    events = log("abcabcbbcbab", days=[d // 2 for d in range(12)])
    expected = detect_drift(events, VECTORS, **FAST)
    for seed in range(3):
        again = detect_drift(events.sample(frac=1, random_state=seed), VECTORS, **FAST)
        pd.testing.assert_frame_equal(again, expected, check_exact=True)


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


def test_what_the_index_is_by_chance():
    # Of two groups that are known to this user; "c" is in a third one, "d" in none.
    groups = pd.Series({"a": "one", "b": "two", "c": "three"})
    vectors = pd.DataFrame(np.eye(4), index=list("abcd"))
    row = detect_drift(log("aaaaaaddbbbb"), vectors, item_groups=groups, cutoff="2026-01-09",
                       **FAST).loc[1]  # fmt: skip
    assert (row["n_before"], row["n_after"]) == (8, 4)
    assert row["psi_by_chance"] == pytest.approx((2 - 1) * (1 / 8 + 1 / 4))
    mixed = detect_drift(log("abababdabab"), vectors, item_groups=groups, cutoff="2026-01-07",
                         **FAST).loc[1]  # fmt: skip
    assert mixed["psi"] == pytest.approx(0.0, abs=1e-12)


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


def test_surprise_by_hand():
    vectors = pd.DataFrame([[2.0, 0.0], [-1.0, 0.0], [0.0, 3.0], [0.0, 0.0]], index=list("abcd"))
    profiles = pd.DataFrame([[5.0, 0.0]], index=[1])
    found = surprise(log("abcd"), profiles, vectors)
    assert found[:3].tolist() == [0.0, 2.0, 1.0]
    assert np.isnan(found[3])
    assert surprise(log("c").assign(event="impression"), profiles, vectors).isna().all()
    assert surprise(log("c"), profiles * 0.0, vectors).isna().all()


class Rising:
    """A detector that speaks whenever a number is larger than the one before."""

    def __init__(self):
        self.last, self.drift_detected = np.inf, False

    def update(self, x):
        self.drift_detected, self.last = x > self.last, x


def test_a_monitor_goes_by_the_times_of_a_batch():
    known, later = log("aa"), log("abab", days=range(5, 9))
    alarms = [
        DriftMonitor(Rising).fit(known, VECTORS).update(part) for part in (later, later[::-1])
    ]
    pd.testing.assert_frame_equal(alarms[0], alarms[1])
    assert alarms[0]["n_watched"].tolist() == [2, 4]
    days = later["timestamp"].iloc[[1, 3]].dt.tz_localize("UTC")
    assert alarms[0]["timestamp"].tolist() == days.tolist()


def test_each_cluster_has_a_detector_of_its_own():
    known = pd.concat([log("aa", 1), log("aa", 2)])
    monitor = DriftMonitor(Rising, clusters=pd.Series({1: "x", 2: "y"})).fit(known, VECTORS)
    # Of everybody 0, 1, 0, 1; of x 0, 0, of y 1, 1.
    mixed = pd.concat([log("aa", 1, [5, 7]), log("bb", 2, [6, 8])])
    assert monitor.update(mixed)["watched"].tolist() == ["population"] * 2
    assert len({id(d) for d in monitor.detectors_.values()}) == 3


def test_to_fit_again_begins_anew_with_profiles_that_fade():
    events = log("abbc")
    monitor = DriftMonitor(Rising, half_life=1.0).fit(events, VECTORS)
    expected = InterestProfiler(half_life=1.0).fit(events, VECTORS).profiles_
    pd.testing.assert_frame_equal(monitor.profiles_, expected)
    monitor.update(log("abca", days=range(5, 9)))
    assert monitor.n_watched_ == 4
    before = monitor.detectors_["population"]
    monitor.fit(events, VECTORS)
    assert monitor.n_watched_ == 0
    assert monitor.detectors_.keys() == {"population"}
    assert monitor.detectors_["population"] is not before


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
