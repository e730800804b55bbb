"""Selection inside the fold, importance, calibration, and what single classes and users do."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_selection import SelectKBest, VarianceThreshold, f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from recsys_interest.tier_metrics import evaluate_tiers
from recsys_interest.tiers import TierClassifier

from .test_tiers import split


def varying_split():
    """Return the planted users without the columns that are the same for all."""
    X, X_new, y, y_new = split()
    varies = X.columns[X.max() > X.min()]
    return X[varies], X_new[varies], y, y_new


@parametrize_with_checks([TierClassifier(LogisticRegression(), selector=SelectKBest(k="all"))])
def test_scikit_learn_conformance_with_a_selector(estimator, check):
    check(estimator)


@pytest.mark.rows("F12")
def test_selection_inside_the_fold_does_not_leak():
    """Features without any information: an honest score is chance, one selected outside is not."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 2000)), np.tile([0, 1], 30)
    pick = SelectKBest(f_classif, k=10)
    inside = cross_val_score(TierClassifier(SVC(), selector=pick), X, y, cv=5).mean()
    chosen_before = pick.fit_transform(X, y)
    outside = cross_val_score(TierClassifier(SVC()), chosen_before, y, cv=5).mean()
    assert outside > 0.8
    assert inside < 0.65


def test_rules_name_the_selected_features():
    X, X_new, y, _ = varying_split()
    X = X.assign(noise=np.random.default_rng(0).normal(size=len(X)))
    X_new = X_new.assign(noise=0.0)
    model = TierClassifier(selector=SelectKBest(f_classif, k=2), random_state=0).fit(X, y)
    kept = X.columns[model.selector_.get_support()]
    assert len(kept) == 2
    assert "noise" not in kept
    used = {w for rule in model.explain(X_new) for w in rule.split(" ") if w in X.columns}
    assert used
    assert used <= set(kept)
    assert model.predict(X_new).shape == (len(X_new),)


def test_a_selector_that_keeps_nothing_or_is_none_is_named():
    X = pd.DataFrame({"a": [1.0, 1.0], "b": [2.0, 2.0]})
    with pytest.raises(ValueError, match="No feature in X meets the variance threshold"):
        TierClassifier(selector=VarianceThreshold()).fit(X, [0, 1])
    with pytest.raises(TypeError, match="selector must be a selector with get_support, got"):
        TierClassifier(selector=StandardScaler()).fit(X, [0, 1])


# --- importance -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "estimator", [None, make_pipeline(StandardScaler(), SVC())], ids=["tree", "svm"]
)
def test_importance_finds_the_feature_that_matters(estimator):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 3)), columns=["a", "b", "c"])
    y = (X["b"] > 0).astype(int)
    model = TierClassifier(estimator, random_state=0).fit(X, y)
    found = model.importance(X, y)
    assert found.index[0] == "b"
    assert found["importance"]["b"] > 0.4
    assert found["importance"].drop("b").abs().max() < 0.1
    assert found.index.name == "feature"
    mixed = X.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(model.importance(mixed, y.loc[mixed.index]), found)


def test_importance_with_a_selector_is_of_all_features():
    X, X_new, y, y_new = varying_split()
    model = TierClassifier(selector=SelectKBest(f_classif, k=2), random_state=0).fit(X, y)
    found = model.importance(X_new, y_new, n_repeats=3)
    assert set(found.index) == set(X.columns)
    dropped = X.columns[~model.selector_.get_support()]
    assert (found.loc[dropped, "importance"] == 0).all()
    with pytest.raises(ValueError, match="y has 2 tiers for the"):
        model.importance(X_new, [0, 1])


# --- calibration ------------------------------------------------------------------------------


def test_calibration_makes_stated_probabilities_truer():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(1200, 2)), columns=["a", "b"])
    tiers = pd.Series(np.clip(np.round(rows["a"] + rng.normal(size=1200)), -1, 1) + 1).astype(int)
    X, X_new, y, y_new = rows[:600], rows[600:], tiers[:600], tiers[600:]
    deep = DecisionTreeClassifier()  # leaves of one user: sure of everything
    models = {
        "raw": TierClassifier(deep, random_state=0),
        "calibrated": TierClassifier(CalibratedClassifierCV(deep, cv=5), random_state=0),
    }
    p, guess = {}, {}
    for name, model in models.items():
        model.fit(X, y)
        p[name] = pd.DataFrame(model.predict_proba(X_new), X_new.index, model.classes_)
        guess[name] = model.predict(X_new)
    found = evaluate_tiers(y_new, {k: pd.Series(v, X_new.index) for k, v in guess.items()},
                           probabilities=p, n_boot=0)["value"]  # fmt: skip
    for metric in ("log_loss", "calibration_error"):
        assert found["calibrated", metric] < 0.6 * found["raw", metric]


def test_folds_inside_a_part_see_every_kind_of_user():
    # Sorted rows, cut into blocks: without the shuffle a fold would hold one end of the line only.
    X = pd.DataFrame({"x": np.arange(200.0)})
    y = (np.arange(200) >= 100).astype(int)
    model = TierClassifier(CalibratedClassifierCV(DecisionTreeClassifier(max_depth=1), cv=5))
    chances = model.fit(X, y).predict_proba(X)[:, 1]
    assert chances[:95].max() < 0.1
    assert chances[105:].min() > 0.9


# --- edges ------------------------------------------------------------------------------------


def test_unseen_columns_and_categories_are_named():
    X, X_new, y, _ = split()
    model = TierClassifier(random_state=0).fit(X.assign(**{"gender=f": 0.0}), y)
    with pytest.raises(ValueError, match=r"Feature names unseen at fit time:\n- gender=d"):
        model.predict(X_new.assign(**{"gender=f": 0.0, "gender=d": 1.0}))


def test_a_calibrated_tier_with_one_user_is_refused_by_scikit_learn():
    X = pd.DataFrame({"x": np.arange(10.0)})
    y = [0] * 9 + [1]
    with pytest.raises(ValueError, match="less than 3 examples for at least one class"):
        TierClassifier(CalibratedClassifierCV(SVC(), cv=3)).fit(X, y)
    assert TierClassifier(random_state=0).fit(X, y).predict(X).tolist() == y
