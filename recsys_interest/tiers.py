"""Learn ordinal interest tiers, how deep a user is in, and say the rule behind each in words.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.inspection import permutation_importance
from sklearn.metrics import f1_score
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from recsys_interest.checks import check_count, shown
from recsys_interest.label_sources import check_label_window
from recsys_interest.reproducible import check_part, content_order, seeded_clone

__all__ = ["TierClassifier"]


def _inner_has(method: str) -> Any:
    def check(self: TierClassifier) -> bool:
        return self.estimator is None or hasattr(self.estimator, method)

    return check


class TierClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Predict a user's tier with any scikit-learn classifier, and say why if it is a tree.

    Parameters
    ----------
    estimator : scikit-learn classifier, optional
        Default: a decision tree of depth 4 with at least 1 % of the users in every leaf.
    random_state : int, RandomState or None, default None
        Given to the default, and to every part of `estimator` whose own `random_state` is None.
        Two equally good splits of a tree are chosen between at random.
    selector : scikit-learn feature selector, optional
        Anything with `fit_transform` and `get_support`, for example
        ``SelectKBest(mutual_info_classif, k=5)``. It is fitted in `fit`, on the rows of `fit`: in a
        cross-validation it never sees the rows that are held out.
    allow_same_window : bool, default False
        Whether `fit` takes labels from the time of the features, see `check_label_window`.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The tiers seen in `fit`, ascending.
    estimator_ : classifier
        The fitted one. If `y` held one tier only, a tree of one leaf, whatever was injected.
    selector_ : selector or None
        The fitted one; None if there was none, or `y` held one tier only.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if `fit` got a frame.

    Notes
    -----
    Chapter 06, "Interest tiers". The rows are brought into an order that depends on their content
    only, and shuffled with a fixed seed, so their own order does not matter. For calibrated
    probabilities inject ``CalibratedClassifierCV(...)``.

    Rows: F12, T01, T02, T04, T05.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"n_events": [1, 2, 9, 8], "n_items": [1, 1, 2, 1]}, index=list("abcd"))
    >>> model = TierClassifier(random_state=0).fit(X, [0, 0, 2, 2])
    >>> model.predict(X).tolist()
    [0, 0, 2, 2]
    >>> model.explain(X)["c"]
    'n_events > 5 → tier 2'
    """

    def __init__(
        self,
        estimator: Any = None,
        random_state: Any = None,
        selector: Any = None,
        allow_same_window: bool = False,
    ) -> None:
        self.estimator = estimator
        self.random_state = random_state
        self.selector = selector
        self.allow_same_window = allow_same_window

    def fit(self, X: Any, y: Any) -> TierClassifier:
        """Learn the tiers.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            Finite numbers, for example from `tier_features`.
        y : Series or array of shape (n_users,)
            The tiers, for example from `tier_labels`; a Series next to a frame has its index.

        Returns
        -------
        TierClassifier
            Itself.

        Raises
        ------
        TypeError
            If a column of X holds no numbers, or the estimator is no classifier.
        ValueError
            If X holds NaN, infinity or more than single precision can hold, `y` is not a set of
            classes, the indices differ, or the labels come from the time of the features.
        """
        if self.estimator is not None:
            example = "sklearn.tree.DecisionTreeClassifier()"
            check_part(self.estimator, "estimator", "a classifier", "predict", example)
        if self.selector is not None:
            example = "SelectKBest(mutual_info_classif, k=5)"
            check_part(self.selector, "selector", "a selector", "get_support", example)
        if not self.allow_same_window:
            check_label_window(X, y)
        _check_same_index(X, y)
        _check_numeric(X)
        rows, tiers = validate_data(self, X, y, dtype=np.float64, ensure_all_finite=False)
        self._check_finite(rows)
        check_classification_targets(tiers)
        self.classes_, codes = np.unique(tiers, return_inverse=True)
        order = content_order(np.column_stack([rows, codes]))
        # Folds that a part cuts from sorted rows would each hold one kind of user.
        order = order[np.random.RandomState(0).permutation(len(order))]
        rows, tiers = rows[order], tiers[order]
        one_tier = len(self.classes_) == 1
        self.selector_ = None
        if self.selector is not None and not one_tier:
            self.selector_ = seeded_clone(self.selector, self.random_state)
            rows = self.selector_.fit(rows, tiers).transform(rows)
            if not rows.shape[1]:
                raise ValueError("selector keeps no feature at all; loosen it")
        inner = _default_tree() if self.estimator is None or one_tier else self.estimator
        self.estimator_ = seeded_clone(inner, self.random_state)
        self.estimator_.fit(rows, tiers)
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the tier of every row, shape (n_users,)."""
        rows = self._rows(X)
        out: npt.NDArray[Any] = self.estimator_.predict(rows)
        return out

    @available_if(_inner_has("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Return the probability of every tier, shape (n_users, n_classes), as in `classes_`."""
        rows = self._rows(X)
        out: npt.NDArray[np.float64] = self.estimator_.predict_proba(rows)
        return out

    def one_hot(self, X: Any) -> pd.DataFrame:
        r"""Return the membership matrix :math:`M` with :math:`m_{ik} = 1` where i is in tier k.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            The features.

        Returns
        -------
        DataFrame of int64, shape (n_users, n_classes)
            Columns ``tier_<class>`` in the order of `classes_`, index of X; every row sums to 1.

        Examples
        --------
        >>> TierClassifier().fit([[0], [1]], [0, 1]).one_hot([[1], [0], [1]])
           tier_0  tier_1
        0       0       1
        1       1       0
        2       0       1
        """
        matrix = (self.predict(X)[:, None] == self.classes_[None, :]).astype(np.int64)
        columns = [f"tier_{c}" for c in self.classes_]
        return pd.DataFrame(matrix, index=_index_of(X), columns=columns)

    def explain(self, X: Any) -> pd.Series:
        """Return, for every row, the rule that put it in its tier, in words.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            The features; without names they are called x0, x1, ….

        Returns
        -------
        Series of str
            Named ``"rule"``, with the index of X. All bounds on one feature are merged into one:
            ``2.5 < n_events <= 12.5 and recency_days <= 3.1 → tier 2``. A bound is written with the
            fewest digits that decide as the tree does; trees compare in single precision.

        Raises
        ------
        TypeError
            If the fitted classifier is not a single tree.
        """
        rows = self._rows(X)
        if not hasattr(self.estimator_, "tree_"):
            raise TypeError(
                f"explain needs a single tree (DecisionTreeClassifier or ExtraTreeClassifier), "
                f"the estimator is {type(self.estimator_).__name__}; use estimator=None for a tree"
            )
        rules = _leaf_rules(self.estimator_, self._names()[self._support()])
        words = [rules[leaf] for leaf in self.estimator_.apply(rows)]
        return pd.Series(words, index=_index_of(X), name="rule", dtype="str")

    def importance(self, X: Any, y: Any, *, n_repeats: int = 10) -> pd.DataFrame:
        r"""Measure what is lost when one feature is shuffled, for any classifier.

        The importance of feature :math:`j` is the macro-F1 on X minus the macro-F1 after the column
        was shuffled, :math:`I_j = s(X) - \frac{1}{R} \sum_r s(X^{(j, r)})`. Measure it on users the
        model was not fitted on; on its own it also counts what was learned by heart.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            The features.
        y : Series or array of shape (n_users,)
            The true tiers.
        n_repeats : int, default 10
            Number of shuffles.

        Returns
        -------
        DataFrame of float64
            Indexed by `feature`, most important first: `importance` and `std` over the shuffles.
            Of two features that say the same, each can cover for the other and look useless.

        Examples
        --------
        >>> import pandas as pd
        >>> X = pd.DataFrame({"n_events": [1, 2, 8, 9], "noise": [3, 1, 3, 1]})
        >>> model = TierClassifier(random_state=0).fit(X, [0, 0, 1, 1])
        >>> model.importance(X, [0, 0, 1, 1])["importance"].idxmax()
        'n_events'
        """
        check_count(n_repeats, "n_repeats")
        _check_same_index(X, y)
        rows, tiers = self._all_rows(X), np.asarray(y)
        if len(rows) != len(tiers):
            raise ValueError(f"y has {len(tiers)} tiers for the {len(rows)} rows of X")
        codes = np.unique(tiers, return_inverse=True)[1]
        order = content_order(np.column_stack([rows, codes]))
        found = permutation_importance(
            _Inner(self), rows[order], tiers[order], scoring=_macro_f1, n_repeats=n_repeats,
            random_state=check_random_state(self.random_state),
        )  # fmt: skip
        values = {"importance": found.importances_mean, "std": found.importances_std}
        out = pd.DataFrame(values, index=pd.Index(self._names(), name="feature"))
        return out.sort_values("importance", ascending=False, kind="stable")

    def _names(self) -> npt.NDArray[Any]:
        unnamed = [f"x{j}" for j in range(self.n_features_in_)]
        return np.asarray(getattr(self, "feature_names_in_", unnamed), dtype=object)

    def _support(self) -> npt.NDArray[np.bool_]:
        if self.selector_ is None:
            return np.ones(self.n_features_in_, dtype=bool)
        return np.asarray(self.selector_.get_support(), dtype=bool)

    def _rows(self, X: Any) -> npt.NDArray[np.float64]:
        rows = self._all_rows(X)
        return rows if self.selector_ is None else np.asarray(self.selector_.transform(rows))

    def _all_rows(self, X: Any) -> npt.NDArray[np.float64]:
        check_is_fitted(self)
        _check_numeric(X)
        rows = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite=False)
        self._check_finite(rows)
        return np.asarray(rows)

    def _check_finite(self, rows: npt.NDArray[np.float64]) -> None:
        names = getattr(self, "feature_names_in_", np.arange(rows.shape[1]))
        bad = ~np.isfinite(rows).all(axis=0)
        if bad.any():
            raise ValueError(
                f"X holds NaN or inf in the column(s) {shown(names[bad].tolist())}; "
                f"fill them or drop those rows"
            )
        large = (np.abs(rows) > np.finfo(np.float32).max).any(axis=0)
        if large.any():
            raise ValueError(
                f"X holds values beyond 3.4e38, too large for the single precision of a tree, in "
                f"the column(s) {shown(names[large].tolist())}; scale them, for example np.log1p"
            )


class _Inner(BaseEstimator):  # type: ignore[misc]
    """A fitted `TierClassifier` that takes bare rows, for scikit-learn's inspection."""

    def __init__(self, model: TierClassifier) -> None:
        self.model = model

    def fit(self, X: Any, y: Any) -> _Inner:
        return self

    def predict(self, X: npt.NDArray[np.float64]) -> npt.NDArray[Any]:
        model = self.model
        rows = X if model.selector_ is None else model.selector_.transform(X)
        out: npt.NDArray[Any] = model.estimator_.predict(rows)
        return out


def _macro_f1(model: _Inner, X: Any, y: Any) -> float:
    return float(f1_score(y, model.predict(X), average="macro", zero_division=0))


def _default_tree() -> DecisionTreeClassifier:
    return DecisionTreeClassifier(max_depth=4, min_samples_leaf=0.01)


def _check_same_index(X: object, y: object) -> None:
    if not (isinstance(X, pd.DataFrame) and isinstance(y, pd.Series)):
        return
    if len(X) == len(y) and not X.index.equals(y.index):
        raise ValueError(
            "y is indexed differently from X, so tiers would go to the wrong users; use "
            "y.loc[X.index], or y.set_axis(X.index) if the rows already correspond"
        )


def _check_numeric(X: object) -> None:
    if not isinstance(X, pd.DataFrame):
        return
    odd = [c for c, kind in X.dtypes.items() if not _may_be_numbers(kind)]
    if odd:
        raise TypeError(
            f"X has column(s) that hold no numbers: {shown(odd)}; turn them into numbers, for "
            f"example pd.get_dummies(X, columns=[{odd[0]!r}])"
        )


def _may_be_numbers(kind: Any) -> bool:
    # The values of an object column are looked at by scikit-learn's own check.
    return pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_object_dtype(kind)


def _index_of(X: object) -> pd.Index | None:
    return X.index if isinstance(X, pd.DataFrame) else None


def _leaf_rules(model: Any, names: npt.NDArray[Any]) -> dict[int, str]:
    """Return the rule of every leaf: the bounds on the way to it, and its tier."""
    tree = model.tree_
    rules: dict[int, str] = {}
    stack: list[tuple[int, dict[str, tuple[float, float]]]] = [(0, {})]
    while stack:
        node, bounds = stack.pop()
        left, right = tree.children_left[node], tree.children_right[node]
        if left == right:
            tier = model.classes_[np.argmax(tree.value[node, 0])]
            rules[node] = f"{_words(bounds)} → tier {tier}"
            continue
        name, cut = str(names[tree.feature[node]]), float(tree.threshold[node])
        low, high = bounds.get(name, (-np.inf, np.inf))
        stack.append((left, {**bounds, name: (low, cut)}))
        stack.append((right, {**bounds, name: (cut, high)}))
    return rules


def _words(bounds: Mapping[str, tuple[float, float]]) -> str:
    parts = []
    for name, (low, high) in bounds.items():
        if np.isinf(high):
            parts.append(f"{name} > {_short(low)}")
        elif np.isinf(low):
            parts.append(f"{name} <= {_short(high)}")
        else:
            parts.append(f"{_short(low)} < {name} <= {_short(high)}")
    return " and ".join(parts) or "always"


def _short(cut: float) -> str:
    """Return the fewest digits that split the single-precision numbers where `cut` does."""
    below = np.float32(cut)
    if float(below) > cut:
        below = np.nextafter(below, np.float32(-np.inf))
    above = float(np.nextafter(below, np.float32(np.inf)))
    texts = (f"{cut:.{digits}g}" for digits in range(1, 18))
    return next(text for text in texts if float(below) <= float(text) < above)
