"""Labels per interest, the windows they tell of, the rule and the judge."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import cross_val_predict, train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

from recsys_interest.engagement import tier_features
from recsys_interest.engagement_rule import RFM_COLUMNS, RfmRule, engagement_tiers
from recsys_interest.judged_tiers import judge_tiers
from recsys_interest.label_sources import check_label_window, tier_labels
from recsys_interest.tiers import TierClassifier

from .test_tiers import START, log_of, planted_log, split

# --- a later window, per interest -------------------------------------------------------------


@pytest.mark.rows("T08")
def test_labels_per_interest_by_hand():
    log = log_of(
        [
            ("ann", "tent", "browse", "2026-01-01", None),
            ("ann", "novel", "browse", "2026-01-01", None),
            ("bob", "tent", "browse", "2026-01-02", None),
            ("ann", "tent", "browse", "2026-03-02", None),
            ("ann", "tent", "browse", "2026-03-03", None),
            ("bob", "tent", "browse", "2026-03-04", None),
            ("bob", "novel", "browse", "2026-03-05", None),  # new to bob, so not labelled
        ]
    )
    labels = tier_labels(log, start=START, interests={"tent": "outdoor", "novel": "books"})
    assert labels.to_dict() == {("ann", "books"): 0, ("ann", "outdoor"): 2, ("bob", "outdoor"): 1}
    with pytest.raises(ValueError, match="users and interests cannot be given together"):
        tier_labels(log, start=START, interests={"tent": 1, "novel": 2}, users=["ann"])


# --- windows ----------------------------------------------------------------------------------


def test_labels_of_the_same_window_are_refused_unless_asked_for():
    log = planted_log(n_users=60)
    X = tier_features(log, until=START)
    same = engagement_tiers(X, ["n_events"])
    with pytest.raises(ValueError, match=r"\(engagement quantiles\) tell of .* the same time"):
        TierClassifier().fit(X, same)
    with pytest.raises(ValueError, match="the same time"):
        TierClassifier().fit(X[["recency_days"]].iloc[::2], same.iloc[::2])
    model = TierClassifier(allow_same_window=True, random_state=0).fit(X[["n_events"]], same)
    assert (model.predict(X[["n_events"]]) == same).all()  # it found the cut, and nothing else
    past = tier_features(log[log["timestamp"].dt.tz_localize("UTC") < START], until=START)
    TierClassifier().fit(past, tier_labels(log, start=START).loc[past.index])


def test_windows_survive_what_people_do_with_frames():
    X, X_new, y, _ = split()
    assert X.attrs["window"][1] < y.attrs["window"][0]
    assert y.attrs["label_source"] == "later window"
    assert X_new.sample(5, random_state=0).sort_index().attrs == X.attrs
    check_label_window(X, y)
    late = X.copy()
    late.attrs["window"] = [X.attrs["window"][0], y.attrs["window"][0]]
    with pytest.raises(ValueError, match="the same time"):
        check_label_window(late, y)


def test_what_has_no_window_passes():
    X, _, y, _ = split()
    check_label_window(X.to_numpy(), y)
    check_label_window(X, y.tolist())
    check_label_window(X, pd.Series(y.to_numpy(), index=y.index))


def test_the_refusal_holds_inside_cross_validation():
    log = planted_log(n_users=60)
    X = tier_features(log)
    with pytest.raises(ValueError, match="the same time"):
        cross_val_predict(TierClassifier(), X, engagement_tiers(X, ["n_events"]), cv=2)


# --- quantiles and cuts -----------------------------------------------------------------------


def test_quantiles_of_one_column_are_the_quantiles():
    table = pd.DataFrame({"n_items": np.arange(12.0)}, index=list("abcdefghijkl"))
    assert engagement_tiers(table, ["n_items"]).tolist() == [0] * 4 + [1] * 4 + [2] * 4
    halves = engagement_tiers(table, "n_items", n_tiers=3, shares=[0.5, 0.25, 0.25])
    assert halves.tolist() == [0] * 6 + [1] * 3 + [2] * 3
    none_low = engagement_tiers(table, "n_items", n_tiers=2, shares=[0, 1])
    assert none_low.tolist() == [1] * 12


def test_recency_counts_backwards():
    table = pd.DataFrame({"recency_days": [90.0, 30, 5], "n_events": [1.0, 2, 3]})
    assert engagement_tiers(table, ["recency_days"]).tolist() == [0, 1, 2]
    assert engagement_tiers(table, ["recency_days", "n_events"]).tolist() == [0, 1, 2]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=25), st.integers(2, 4))
def test_more_is_never_a_lower_tier_and_equals_are_equal(values, n_tiers):
    table = pd.DataFrame({"n_events": np.array(values, dtype=float)})
    tiers = engagement_tiers(table, ["n_events"], n_tiers=n_tiers)
    by_value = tiers.groupby(values).agg(["min", "max"])
    assert by_value["min"].equals(by_value["max"])
    assert by_value["min"].is_monotonic_increasing
    assert tiers.between(0, n_tiers - 1).all()


def test_business_cuts():
    table = pd.DataFrame({"purchase_value": [0.0, 9.9, 10, 99, 100]})
    labels = engagement_tiers(table, ["purchase_value"], cuts=[10, 100])
    assert labels.tolist() == [0, 0, 1, 1, 2]
    assert labels.attrs == {"label_source": "business cuts"}  # the features knew no window
    recent = pd.DataFrame({"recency_days": [200.0, 90, 30, 1]})
    assert engagement_tiers(recent, ["recency_days"], cuts=[90, 30]).tolist() == [0, 1, 2, 2]


def test_bad_input_of_the_rule():
    table = pd.DataFrame({"n_events": [1.0, 2.0], "gap": [np.nan, 1.0], "name": ["a", "b"]})
    with pytest.raises(ValueError, match="cuts on 'n_events' must rise"):
        engagement_tiers(table, ["n_events"], cuts=[5, 2])
    with pytest.raises(ValueError, match="cuts on 'recency_days' must fall"):
        engagement_tiers(table.assign(recency_days=1.0), ["recency_days"], cuts=[2, 5])
    with pytest.raises(ValueError, match="cuts need one column"):
        engagement_tiers(table, ["n_events", "gap"][:1], cuts=[1, 2], shares=[1, 0, 0])
    with pytest.raises(ValueError, match=r"cuts must be 2 finite number\(s\)"):
        engagement_tiers(table, ["n_events"], cuts=[1])
    with pytest.raises(TypeError, match="shares must be numbers"):
        engagement_tiers(table, ["n_events"], shares="abc")
    with pytest.raises(ValueError, match="shares must not be negative and sum to 1"):
        engagement_tiers(table, ["n_events"], shares=[0.5, 0.4, 0.2])
    with pytest.raises(ValueError, match=r"NaN or inf in the column\(s\) 'gap'"):
        engagement_tiers(table, ["n_events", "gap"])
    with pytest.raises(TypeError, match="must hold numbers"):
        engagement_tiers(table, ["name"])
    with pytest.raises(ValueError, match=r"features lacks the column\(s\) 'n_items'"):
        engagement_tiers(table, ["n_items"])
    with pytest.raises(ValueError, match="by is empty"):
        engagement_tiers(table, [])
    assert engagement_tiers(table.iloc[:0], ["n_events"]).shape == (0,)


@parametrize_with_checks([RfmRule()])
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


def test_the_rule_keeps_the_shares_of_its_training_tiers():
    X, X_new, y, _ = split()
    found = pd.Series(RfmRule().fit(X, y).predict(X))
    shares = y.value_counts(normalize=True).sort_index()
    assert np.allclose(found.value_counts(normalize=True).sort_index(), shares, atol=0.03)
    assert RfmRule().fit(X, y).columns_ == list(RFM_COLUMNS)
    order = np.random.default_rng(0).permutation(len(X))
    again = RfmRule().fit(X.iloc[order], y.iloc[order])
    assert again.predict(X_new).tolist() == RfmRule().fit(X, y).predict(X_new).tolist()


def test_the_rule_follows_engagement():
    X = pd.DataFrame({"recency_days": [90.0, 60, 30, 1], "n_events": [1.0, 2, 3, 4]})
    rule = RfmRule().fit(X, [0, 0, 1, 2])
    assert rule.predict(X).tolist() == [0, 0, 1, 2]
    assert rule.predict(pd.DataFrame({"recency_days": [0.0], "n_events": [99.0]})).tolist() == [2]
    only = RfmRule(columns=["n_events"]).fit(X, [0, 1, 1, 1])
    assert only.predict(X.assign(recency_days=5.0)).tolist() == [0, 1, 1, 1]
    with pytest.raises(ValueError, match=r"X lacks the column\(s\) 'spent'"):
        RfmRule(columns=["spent"]).fit(X, [0, 0, 1, 2])
    assert RfmRule().fit(X, [1, 1, 1, 1]).predict(X).tolist() == [1, 1, 1, 1]


# --- a judge ----------------------------------------------------------------------------------

TEXTS = pd.Series(["looked", "bought a tent", "looked"], index=[7, 8, 9])


@pytest.mark.rows("T06")
def test_a_judge_is_asked_once_for_every_text_and_may_answer_in_json():
    asked = []

    def judge(text):
        asked.append(text)
        return json.dumps({"tier": 2 if "bought" in text else 0, "reason": f"it says {text}"})

    found = judge_tiers(TEXTS, judge, window=("2026-01-01", "2026-02-01"))
    assert found["tier"].tolist() == [0, 2, 0]
    assert found["reason"].loc[8] == "it says bought a tent"
    assert asked == ["looked", "bought a tent"]
    assert found["tier"].attrs["label_source"] == "judge"
    features = pd.DataFrame({"x": [1.0, 2, 3]}, index=TEXTS.index)
    features.attrs["window"] = ["2026-01-15", "2026-03-01"]
    with pytest.raises(ValueError, match=r"the labels \(judge\)"):
        TierClassifier().fit(features, found["tier"])


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ("deep", "it is not JSON"),
        ("[1]", "it needs `tier` and `reason`"),
        ({"tier": 1}, "it needs `tier` and `reason`"),
        ({"tier": "1", "reason": "x"}, "`tier` must be a whole number"),
        ({"tier": True, "reason": "x"}, "`tier` must be a whole number"),
        ({"tier": 3, "reason": "x"}, "`tier` must lie between 0 and 2"),
        ({"tier": 1, "reason": " "}, "`reason` must be some words"),
        (None, "it needs `tier` and `reason`"),
    ],
)
def test_an_answer_that_does_not_fit_is_named_with_its_user(answer, fault):
    with pytest.raises(ValueError, match=f"answer for 7 does not fit after 2 attempt.*{fault}"):
        judge_tiers(TEXTS, lambda text: answer)


def test_a_judge_gets_a_second_chance():
    answers = iter(["hm", {"tier": 1, "reason": "a tent"}])
    assert judge_tiers(TEXTS.iloc[:1], lambda text: next(answers))["tier"].tolist() == [1]
    with pytest.raises(TypeError, match="judge must be a function"):
        judge_tiers(TEXTS, "gpt")
    with pytest.raises(TypeError, match="texts must be a Series of text"):
        judge_tiers(pd.Series([1, 2]), lambda text: text)


def test_splitting_keeps_the_window():
    X = tier_features(planted_log(n_users=20))
    assert train_test_split(X, random_state=0)[1].attrs == X.attrs
