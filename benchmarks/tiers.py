"""Measure whether the next period's tier can be predicted, and planted tiers found again.

online-retail: learned from the tiers of June to September 2011 and the purchases before, asked for
the tiers of September to December 2011 given the purchases before. Tier 0 buys nothing in the three
months, tier 2 more lines than the median buyer of the first three months did. The tree and the SVM
choose their settings by cross-validation on the first period; the default tree is the classifier
as it comes. The RFM rule sees three of their features. The same is asked at three earlier moments.

interest-log with 50 events a user: features from the first half. Labels from the second half, by
the strength of what was done, half of the users in the lowest tier and a quarter in each other: the
shares are the one thing told. A user's tier is predicted by a tree that was fitted on other users,
and compared with the planted one, which nothing was fitted on.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from recsys_interest import (
    RfmRule,
    TierClassifier,
    engagement_tiers,
    evaluate_tiers,
    load_dataset,
    make_interest_log,
    tier_agreement,
    tier_features,
    tier_labels,
)

FIRST = pd.Timestamp("2011-06-09", tz="UTC")
EARLIER = [pd.Timestamp(f"2011-0{month}-09", tz="UTC") for month in (3, 4, 5)]
HALF = pd.Timestamp("2026-04-01", tz="UTC")
TREE_GRID = {
    "max_depth": [3, 4, 6, 8],
    "min_samples_leaf": [0.005, 0.01, 0.02, 0.05],
    "class_weight": [None, "balanced"],
}
SVM_GRID = {"svc__C": [0.3, 3.0], "svc__class_weight": [None, "balanced"]}


def tree() -> TierClassifier:
    """Return a decision tree, tuned inside `fit`.

    Returns
    -------
    TierClassifier
        Unfitted.
    """
    search = GridSearchCV(
        DecisionTreeClassifier(random_state=0), TREE_GRID, scoring="f1_macro", cv=5
    )
    return TierClassifier(search, random_state=0)


def svm() -> TierClassifier:
    """Return a support vector machine on normal scores, tuned inside `fit`.

    Returns
    -------
    TierClassifier
        Unfitted.
    """
    scale = QuantileTransformer(n_quantiles=100, output_distribution="normal")
    return TierClassifier(
        GridSearchCV(make_pipeline(scale, SVC()), SVM_GRID, scoring="f1_macro", cv=5),
        random_state=0,
    )


def periods(first: pd.Timestamp = FIRST) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame, pd.Series]:
    """Return features and later tiers of online-retail at a moment and three months later.

    Parameters
    ----------
    first : Timestamp
        The first moment.

    Returns
    -------
    tuple of DataFrame, Series, DataFrame and Series
        Features and tiers to learn from, features and tiers to be measured on.
    """
    events = load_dataset("online-retail").events
    events = events.assign(value=events["value"] * events["price"])
    bought = events[events["event"] == "purchase"]
    second, last = (first + pd.DateOffset(months=months) for months in (3, 6))
    in_first = bought[bought["timestamp"].between(first, second, inclusive="left")]
    median = in_first.groupby("user_id").size().median()
    cuts = [np.floor(median) + 1]
    out = []
    for start, end in ((first, second), (second, last + pd.Timedelta(days=1))):
        X = tier_features(events[events["timestamp"] < start], until=start)
        known = bought[bought["timestamp"] < end]
        out += [X, tier_labels(known, start=start, cuts=cuts, users=X.index)]
    return out[0], out[1], out[2], out[3]


def kappa_of_planted(weights: str, events_per_user: int = 50) -> pd.Series:
    """Return how well tiers learned from a later window agree with the planted ones.

    Parameters
    ----------
    weights : str
        Of the kappa.
    events_per_user : int, default 50
        Length of the log.

    Returns
    -------
    Series
        As `tier_agreement`.
    """
    data = make_interest_log(n_users=1000, events_per_user=events_per_user, seed=0)
    before = data.events["timestamp"] < HALF
    X = tier_features(data.events[before], until=HALF)
    later = tier_features(data.events[~before])
    y = engagement_tiers(later, ["strength_sum"], shares=[0.5, 0.25, 0.25])
    both = X.index.intersection(y.index)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    model = TierClassifier(random_state=0)
    found = pd.Series(cross_val_predict(model, X.loc[both], y.loc[both], cv=folds), index=both)
    return tier_agreement(found, data.truth["users"].set_index("user_id")["tier"], weights=weights)


def run() -> dict[str, float]:
    """Print the tables and return the figures.

    Returns
    -------
    dict of str to float
        The figures of the last line.
    """
    X, y, X_new, y_new = periods()
    methods = {"tree": tree(), "tree_default": TierClassifier(random_state=0), "svm": svm()}
    methods |= {"rfm": RfmRule(), "majority": DummyClassifier()}
    found = {
        name: pd.Series(model.fit(X, y).predict(X_new), index=X_new.index)
        for name, model in methods.items()
    }
    out: dict[str, float] = {"n_users": len(y_new)}
    for metric in ("macro_f1", "kappa"):
        for other in ("rfm", "majority"):
            table = evaluate_tiers(y_new, found, reference=other).xs(metric, level="metric")
            print(f"{metric}, difference to {other}\n{table.round(3).to_string()}")
            row = table.loc["tree"]
            for end in ("low", "high"):
                out[f"{metric}_tree_minus_{other}_{end}"] = round(
                    float(row[f"difference_{end}"]), 4
                )
        for name, value in table["value"].items():
            out[f"{metric}_{name}"] = round(float(value), 4)
    wins: dict[str, list[int]] = {"tree": [], "svm": []}
    for moment in (*EARLIER, FIRST):
        X, y, X_new, y_new = periods(moment)
        models: dict[str, Any] = {"tree": tree(), "svm": svm(), "rfm": RfmRule()}
        found = {
            name: pd.Series(model.fit(X, y).predict(X_new), index=X_new.index)
            for name, model in models.items()
        }
        table = evaluate_tiers(y_new, found, reference="rfm").xs("macro_f1", level="metric")
        print(f"macro_f1, learned at {moment.date()}\n{table.round(3).to_string()}")
        for name, signs in wins.items():
            low, high = table.loc[name, ["difference_low", "difference_high"]]
            signs.append(int(low > 0) - int(high < 0))
    for name, signs in wins.items():
        out[f"{name}_beats_rfm_of_4"] = signs.count(1)
        out[f"{name}_loses_to_rfm_of_4"] = signs.count(-1)
    for name, weights in (("kappa_planted", "quadratic"), ("kappa_planted_linear", "linear")):
        row = kappa_of_planted(weights)
        print(f"{name}: {row['kappa']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]")
        out[name] = round(float(row["kappa"]), 4)
    out["kappa_planted_10_events"] = round(float(kappa_of_planted("quadratic", 10)["kappa"]), 4)
    return out
