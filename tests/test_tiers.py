"""Features by hand, labels from a later window, a planted log, and rules that can be checked."""

import operator

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from recsys_interest.checks import SchemaError
from recsys_interest.engagement import TIER_FEATURES, tier_features
from recsys_interest.label_sources import tier_labels
from recsys_interest.tiers import TierClassifier

START = pd.Timestamp("2026-03-01", tz="UTC")


def log_of(rows):
    """Return events from (user, item, kind, time, value)."""
    log = pd.DataFrame(rows, columns=["user_id", "item_id", "event", "timestamp", "value"])
    return log.assign(timestamp=pd.to_datetime(log["timestamp"]), value=log["value"].astype(float))


def planted_log(seed=0, n_users=300):
    """Return 120 days of events; a third of the users leave, a third stay, a third are heavy.

    `START` is day 59. The rate of a user is hers all along, so the past tells of the future.
    """
    rng = np.random.default_rng(seed)
    depth = rng.integers(0, 3, n_users)
    rate = np.array([6, 12, 40])[depth]
    user = np.repeat(np.arange(n_users), rng.poisson(rate) + 1)
    last_day = np.where(depth == 0, 45, 120)[user]
    days = rng.uniform(0, last_day)
    first_of_all = np.unique(user, return_index=True)[1]
    days[first_of_all] = rng.uniform(0, 20, n_users)  # everybody is there before START
    return pd.DataFrame(
        {
            "user_id": user,
            "item_id": rng.integers(0, 50, len(user)),
            "event": rng.choice(["browse", "like", "purchase"], len(user)),
            "timestamp": pd.Timestamp("2026-01-01") + pd.to_timedelta(days, unit="D"),
        }
    )


def split(seed=0):
    log = planted_log(seed)
    X = tier_features(log[log["timestamp"].dt.tz_localize("UTC") < START], until=START)
    return train_test_split(X, tier_labels(log, start=START).loc[X.index], random_state=seed)


ARTICLE = pd.DataFrame(
    [[1, 1, 1, 0, 0, 0, 0, 0, 0], [0, 0, 0, 1, 1, 1, 0, 0, 0], [0, 0, 0, 0, 0, 0, 1, 1, 1]],
    index=pd.Index([1, 2, 3], name="user_id"),
    columns=["Python", "编程", "代码", "数学", "公式", "研究", "体育", "运动", "足球"],
)

# --- features ---------------------------------------------------------------------------------

BY_HAND = log_of(
    [
        ("ann", "a", "like", "2026-01-01 00:00", None),  # strength 3
        ("ann", "b", "browse", "2026-01-01 12:00", None),  # 1
        ("ann", "a", "rate", "2026-02-20 00:00", 5),  # 3
        ("ann", "c", "rate", "2026-02-21 00:00", 1),  # -3
        ("bob", "a", "exam_score", "2026-03-01 00:00", 80),  # 1
    ]
)


def test_features_by_hand():
    out = tier_features(BY_HAND)
    assert out.columns.tolist() == list(TIER_FEATURES)
    assert (out.dtypes == np.float64).all()
    assert out.index.name == "user_id"
    assert out.loc["ann"].to_dict() == {
        "recency_days": 8.0,
        "tenure_days": 59.0,
        "n_events": 4.0,
        "n_active_days": 3.0,
        "n_items": 3.0,
        "events_last_30d": 2.0,
        "strength_sum": 4.0,
        "strength_mean": 1.0,
        "mean_gap_days": 14.75,
        "share_deep": 0.5,
        "mean_rating": 3.0,
        "n_ratings": 2.0,
        "mean_score": 0.0,
        "n_scores": 0.0,
        "purchase_value": 0.0,
    }
    bob = out.loc["bob"]
    assert bob[["mean_score", "n_scores", "mean_rating", "n_ratings"]].tolist() == [80, 1, 3, 0]
    assert bob[["recency_days", "tenure_days", "mean_gap_days"]].tolist() == [0, 0, 0]


def test_weights_and_neutral_rating_are_used():
    out = tier_features(BY_HAND, event_weights={"browse": 10.0}, neutral_rating=1.0)
    assert out.loc["ann", "strength_sum"] == 3 + 10 + 6 + 0
    assert out.loc["bob", "mean_rating"] == 1.0
    with pytest.raises(SchemaError, match="without a weight: 'stare'"):
        tier_features(BY_HAND.assign(event="stare"))


def test_events_after_until_do_not_leak():
    log = planted_log(n_users=40)
    stamps = log["timestamp"].dt.tz_localize("UTC")
    future = stamps > START
    assert future.any()
    want = tier_features(log[~future], until=START)
    pd.testing.assert_frame_equal(tier_features(log, until=START), want)
    changed = log.assign(
        event=log["event"].mask(future, "purchase"), item_id=log["item_id"].mask(future, 999)
    )
    pd.testing.assert_frame_equal(tier_features(changed, until=START), want)
    assert not tier_features(log).equals(want)


def test_until_takes_text_and_other_zones_and_counts_the_moment_itself():
    here = tier_features(BY_HAND, until="2026-01-01 12:00")
    assert here.loc["ann", "n_events"] == 2
    assert here.index.tolist() == ["ann"]
    there = tier_features(BY_HAND, until=pd.Timestamp("2026-01-01 20:00", tz="Asia/Shanghai"))
    pd.testing.assert_frame_equal(here, there)


@pytest.mark.parametrize("seed", range(3))
def test_features_and_labels_do_not_depend_on_row_order(seed):
    rng = np.random.default_rng(seed)
    log = planted_log(seed, n_users=30)
    log["event"] = rng.choice(["browse", "rate", "exam_score", "return"], len(log))
    log["value"] = rng.uniform(1, 5, len(log))
    mixed = log.sample(frac=1, random_state=seed)
    weights = {"browse": 0.1, "return": -0.3}
    one, other = (tier_features(table, event_weights=weights) for table in (log, mixed))
    assert one.to_numpy().tobytes() == other.to_numpy().tobytes()
    pd.testing.assert_series_equal(tier_labels(log, start=START), tier_labels(mixed, start=START))


def test_bad_input_of_features():
    with pytest.raises(
        ValueError, match=r"until=2025.* lies before the first event, at 2026-01-01"
    ):
        tier_features(BY_HAND, until="2025-01-01")
    with pytest.raises(TypeError, match=r"until must be a datetime.*got 5"):
        tier_features(BY_HAND, until=5)
    with pytest.raises(ValueError, match="until is not a moment: 'soon'"):
        tier_features(BY_HAND, until="soon")
    with pytest.raises(ValueError, match="until is missing"):
        tier_features(BY_HAND, until=pd.NaT)
    with pytest.raises(SchemaError, match=r"lacks the column.*'user_id'"):
        tier_features(BY_HAND.drop(columns="user_id"))
    nobody = tier_features(BY_HAND.iloc[:0])
    assert nobody.shape == (0, len(TIER_FEATURES))


# --- labels -----------------------------------------------------------------------------------


def activity_log(counts):
    """Return one event per user before START and `counts[user]` after it."""
    before = [(user, "a", "browse", "2026-01-01", None) for user in counts]
    after = [(u, "a", "browse", "2026-03-02", None) for u, n in counts.items() for _ in range(n)]
    return log_of(before + after)


def test_labels_by_hand():
    log = activity_log({1: 0, 2: 1, 3: 2, 4: 3, 5: 4, 6: 9, 7: 9})
    two = tier_labels(log, start=START, n_tiers=2)
    assert two.tolist() == [0, 1, 1, 1, 1, 1, 1]
    three = tier_labels(log, start=START)
    assert three.tolist() == [0, 1, 1, 1, 2, 2, 2]
    four = tier_labels(log, start=START, n_tiers=4)
    assert four.tolist() == [0, 1, 1, 2, 2, 3, 3]
    assert (three.name, three.index.name, three.dtype) == ("tier", "user_id", np.int64)


def test_given_cuts_are_the_fewest_events_of_a_tier():
    log = activity_log({1: 0, 2: 1, 3: 4, 4: 5, 5: 9, 6: 10})
    labels = tier_labels(log, start=START, n_tiers=4, cuts=[5, 10])
    assert labels.tolist() == [0, 1, 1, 2, 2, 3]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.integers(2, 6))
def test_labels_follow_the_activity(counts, n_tiers):
    log = activity_log({**dict(enumerate(counts)), 999: 3})
    labels = tier_labels(log, start=START, n_tiers=n_tiers).loc[range(len(counts))]
    assert labels.between(0, n_tiers - 1).all()
    assert ((labels == 0) == (np.array(counts) == 0)).all()
    reached = labels.groupby(counts).agg(["min", "max"])
    assert reached["min"].equals(reached["max"])  # equal activity, equal tier
    assert reached["min"].is_monotonic_increasing


def test_users_are_those_from_before_unless_given():
    log = pd.concat([activity_log({1: 1, 2: 5}), log_of([(3, "a", "like", "2026-03-05", None)])])
    assert tier_labels(log, start=START).index.tolist() == [1, 2]
    given_users = tier_labels(log, start=START, users=[3, 77, 2])
    assert given_users.to_dict() == {3: 1, 77: 0, 2: 2}
    assert tier_labels(log, start=START, users=[]).shape == (0,)
    with pytest.raises(SchemaError, match=r"users is str, events\.user_id is int64"):
        tier_labels(log, start=START, users=["1"])
    with pytest.raises(ValueError, match="users has ids more than once: 2"):
        tier_labels(log, start=START, users=[2, 2])
    with pytest.raises(TypeError, match="users must be a list of user ids, got 'bob'"):
        tier_labels(log, start=START, users="bob")


def test_bad_input_of_labels():
    log = activity_log({1: 2})
    with pytest.raises(ValueError, match=r"no event before it; choose a moment after .*2026-01-01"):
        tier_labels(log, start="2026-01-01")
    with pytest.raises(ValueError, match=r"no event at or after it; .*not after the last, 2026-03"):
        tier_labels(log, start="2026-03-03")
    with pytest.raises(ValueError, match="events has no row"):
        tier_labels(log.iloc[:0], start=START)
    with pytest.raises(ValueError, match="n_tiers must be at least 2, got 1"):
        tier_labels(log, start=START, n_tiers=1)
    with pytest.raises(TypeError, match=r"n_tiers must be a whole number, got 2\.5"):
        tier_labels(log, start=START, n_tiers=2.5)
    with pytest.raises(ValueError, match=r"1 number\(s\) for n_tiers=3.*pass n_tiers=4"):
        tier_labels(log, start=START, cuts=[1, 2])
    with pytest.raises(ValueError, match="cuts must be positive and rise"):
        tier_labels(log, start=START, n_tiers=4, cuts=[5, 2])
    with pytest.raises(TypeError, match="cuts must be numbers"):
        tier_labels(log, start=START, cuts=["many"])


# --- classifier -------------------------------------------------------------------------------


@parametrize_with_checks([TierClassifier(), TierClassifier(SVC())])
def test_scikit_learn_conformance(estimator, check):
    check(estimator)


@pytest.mark.rows("T04")
def test_the_articles_tree_splits_user_1_from_2_and_3():
    label = ARTICLE["编程"]
    model = TierClassifier(DecisionTreeClassifier(max_depth=1)).fit(ARTICLE[["编程"]], label)
    assert dict(zip(ARTICLE.index, model.predict(ARTICLE[["编程"]]), strict=True)) == {
        1: 1,
        2: 0,
        3: 0,
    }
    assert model.explain(ARTICLE[["编程"]]).to_dict() == {
        1: "编程 > 0.5 → tier 1",
        2: "编程 <= 0.5 → tier 0",
        3: "编程 <= 0.5 → tier 0",
    }
    assert model.one_hot(ARTICLE[["编程"]]).to_numpy().tolist() == [[0, 1], [1, 0], [1, 0]]


def macro_f1(model, X, y, X_new, y_new):
    return f1_score(y_new, model.fit(X, y).predict(X_new), average="macro", zero_division=0)


@pytest.mark.rows("T01")
@pytest.mark.parametrize(
    "estimator", [None, make_pipeline(StandardScaler(), SVC())], ids=["tree", "svm"]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_past_predicts_the_later_tier_and_shuffled_labels_do_not(estimator, seed):
    X, X_new, y, y_new = split(seed)
    majority = np.full(len(y_new), y.mode()[0])
    bar = f1_score(y_new, majority, average="macro", zero_division=0) + 0.3
    model = TierClassifier(estimator, random_state=0)
    assert macro_f1(model, X, y, X_new, y_new) > bar
    shuffled = y.sample(frac=1, random_state=seed).set_axis(y.index)
    assert macro_f1(model, X, shuffled, X_new, y_new) < bar


@pytest.mark.rows("T02")
@settings(deadline=None, max_examples=40)
@given(st.data())
def test_one_hot_rows_sum_to_one(data):
    n = data.draw(st.integers(1, 20))
    tiers = np.array(data.draw(st.lists(st.integers(0, 4), min_size=n, max_size=n)))
    X = pd.DataFrame({"x": np.arange(n) % 7}, index=[f"u{i}" for i in range(n)])
    model = TierClassifier(random_state=0).fit(X, tiers)
    matrix = model.one_hot(X)
    assert matrix.columns.tolist() == [f"tier_{t}" for t in sorted(set(tiers.tolist()))]
    assert matrix.index.equals(X.index)
    assert matrix.isin([0, 1]).all(axis=None)
    assert (matrix.sum(axis=1) == 1).all()
    assert (matrix.to_numpy() @ model.classes_).tolist() == model.predict(X).tolist()


OPERATORS = {"<=": operator.le, ">": operator.gt, "<": operator.lt}


def read(rule, row):
    """Return whether every condition of a rule holds for the row, and the tier it names."""
    conditions, tier = rule.split(" → tier ")
    holds = True
    for condition in conditions.split(" and "):
        words = condition.split(" ")
        values = [row[w] if w in row.index else float(w) for w in words[::2]]
        signs = [OPERATORS[w] for w in words[1::2]]
        holds &= all(f(a, b) for a, f, b in zip(values, signs, values[1:], strict=False))
    return holds, int(tier)


@pytest.mark.parametrize(
    "estimator",
    [None, DecisionTreeClassifier(), ExtraTreeClassifier(), DecisionTreeClassifier(max_depth=1)],
    ids=str,
)
def test_rules_hold_for_their_rows_and_name_the_prediction(estimator):
    X, X_new, y, _ = split()
    model = TierClassifier(estimator, random_state=0).fit(X, y)
    single = X_new.astype(np.float32)  # a tree compares in single precision
    rules = model.explain(X_new)
    assert rules.index.equals(X_new.index)
    for user, tier in zip(X_new.index, model.predict(X_new), strict=True):
        assert read(rules[user], single.loc[user]) == (True, tier)
        held = [rule for rule in rules.unique() if read(rule, single.loc[user])[0]]
        assert held == [rules[user]], "one leaf, one rule"
    for rule in rules.unique():
        named = [word for word in rule.split(" ") if word in X.columns]
        assert len(named) == len(set(named)), "bounds on one feature are merged"


def test_two_bounds_on_one_feature_are_merged():
    X = pd.DataFrame({"n_events": [1, 2, 5, 6, 9, 10]})
    rules = TierClassifier(random_state=0).fit(X, [0, 0, 1, 1, 0, 0]).explain(X)
    assert rules.tolist()[2] == "3.5 < n_events <= 7.5 → tier 1"


def test_explain_needs_a_tree():
    X, _, y, _ = split()
    model = TierClassifier(SVC()).fit(X, y)
    with pytest.raises(TypeError, match=r"DecisionTreeClassifier or ExtraTree.*estimator is SVC"):
        model.explain(X)


def test_row_order_does_not_matter():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.integers(0, 3, size=(60, 3)).astype(float))  # many ties and repeats
    y = pd.Series(rng.integers(0, 3, size=60))
    # Stochastic gradient descent, without its own shuffling, sees one row after the other.
    descent = SGDClassifier(loss="log_loss", shuffle=False)
    tree, line = TierClassifier(random_state=3), TierClassifier(descent, random_state=3)
    rules = tree.fit(X, y).explain(X)
    chances = line.fit(X, y).predict_proba(X)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(60)
        assert tree.fit(X.iloc[order], y.iloc[order]).explain(X).tolist() == rules.tolist()
        again = line.fit(X.iloc[order], y.iloc[order]).predict_proba(X)
        assert again.tobytes() == chances.tobytes()


def test_probabilities_only_where_the_estimator_has_them():
    X, _, y, _ = split()
    assert not hasattr(TierClassifier(SVC()), "predict_proba")
    logistic = make_pipeline(StandardScaler(), LogisticRegression())
    for estimator in (None, logistic):
        chances = TierClassifier(estimator).fit(X, y).predict_proba(X)
        assert chances.shape == (len(X), 3)
        assert np.allclose(chances.sum(axis=1), 1)


@pytest.mark.parametrize("estimator", [None, SVC(), LogisticRegression()], ids=str)
def test_one_tier_only_is_a_constant(estimator):
    X = pd.DataFrame({"x": [1.0, 2.0, 3.0]})
    model = TierClassifier(estimator).fit(X, [2, 2, 2])
    assert model.predict(X).tolist() == [2, 2, 2]
    assert model.one_hot(X)["tier_2"].tolist() == [1, 1, 1]
    assert model.explain(X).tolist() == ["always → tier 2"] * 3


def test_a_tier_with_one_user_and_constant_features():
    X = pd.DataFrame({"x": [1.0, 2.0, 9.0], "same": 5.0})
    assert TierClassifier().fit(X, [0, 0, 1]).predict(X).tolist() == [0, 0, 1]
    assert TierClassifier().fit(X[["same"]], [0, 0, 1]).predict(X[["same"]]).tolist() == [0, 0, 0]


def test_the_injected_estimator_is_seeded_and_left_alone():
    X, _, y, _ = split()
    before = X.copy()
    tree = DecisionTreeClassifier(max_depth=2)
    model = TierClassifier(tree, random_state=4).fit(X, y)
    assert model.estimator_.random_state == 4
    assert tree.random_state is None
    assert not hasattr(tree, "tree_")
    pd.testing.assert_frame_equal(X, before)


def test_bad_input_of_the_classifier():
    X = pd.DataFrame({"n_events": [1.0, 2.0], "n_items": [1.0, 2.0]}, index=["a", "b"])
    with pytest.raises(ValueError, match=r"NaN or inf in the column\(s\) 'n_items'; fill"):
        TierClassifier().fit(X.assign(n_items=[1.0, np.nan]), [0, 1])
    model = TierClassifier().fit(X, [0, 1])
    with pytest.raises(ValueError, match=r"NaN or inf in the column\(s\) 'n_events'"):
        model.predict(X.assign(n_events=[np.inf, 1.0]))
    with pytest.raises(TypeError, match=r"hold no numbers: 'city'; turn them into numbers"):
        TierClassifier().fit(X.assign(city=["York", "Bath"]), [0, 1])
    with pytest.raises(ValueError, match=r"y is indexed differently from X.*y\.loc\[X\.index\]"):
        TierClassifier().fit(X, pd.Series([0, 1], index=["b", "a"]))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[["n_events"]].assign(other=1.0))


@pytest.mark.parametrize("part", ["tree", 5, SVC])
def test_what_is_no_classifier_is_named(part):
    with pytest.raises(TypeError, match="estimator must be a classifier with predict, got"):
        TierClassifier(part).fit([[1.0], [2.0]], [0, 1])


def test_values_beyond_single_precision_are_named():
    X = pd.DataFrame({"n_events": [1.0, 2.0], "spent": [1.0, 1e300]})
    with pytest.raises(ValueError, match=r"too large .* in the column\(s\) 'spent'; scale"):
        TierClassifier().fit(X, [0, 1])
    model = TierClassifier().fit(X.clip(upper=9), [0, 1])
    with pytest.raises(ValueError, match="too large"):
        model.predict(X)
