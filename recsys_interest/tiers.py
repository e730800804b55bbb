"""Ordinal interest tiers: how deep a user is in, labelled by a later window and then predicted.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from recsys_interest.schema import (
    canonical_ids,
    check_same_ids,
    event_strength,
    shown,
    validate_events,
)

__all__ = ["TIER_FEATURES", "TierClassifier", "tier_features", "tier_labels"]

#: Columns of `tier_features`, in order.
TIER_FEATURES = (
    "recency_days",
    "tenure_days",
    "n_events",
    "n_active_days",
    "n_items",
    "events_last_30d",
    "strength_sum",
    "strength_mean",
    "mean_gap_days",
    "share_deep",
    "mean_rating",
    "n_ratings",
    "mean_score",
    "n_scores",
)

#: Strength from which an event counts as deep: a like, a comment, a follow, a five-star rating.
DEEP_STRENGTH = 3.0

Moment: TypeAlias = str | date | np.datetime64 | pd.Timestamp  # a datetime is a date


def tier_features(
    events: pd.DataFrame,
    *,
    until: Moment | None = None,
    event_weights: Mapping[str, float] | None = None,
    neutral_rating: float = 3.0,
) -> pd.DataFrame:
    """Return what a user did up to a moment, as one row of numbers per user.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`).
    until : datetime or str, optional
        The moment the features are taken; without a zone it is read as UTC. Events after it are
        ignored, events at it count. Default: the last timestamp of the events.
    event_weights : mapping of str to float, optional
        Weights that override or extend `EVENT_WEIGHTS`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way, in the unit of the ratings.

    Returns
    -------
    DataFrame of float64, shape (n_users, 14)
        Indexed by `user_id`, ascending; one row per user with an event at or before `until`:

        - `recency_days`: days from the last event to `until`;
        - `tenure_days`: days from the first event to `until`;
        - `n_events`: events;
        - `n_active_days`: calendar days (UTC) with an event;
        - `n_items`: different items, the breadth;
        - `events_last_30d`: events in the 30 days that end at `until`;
        - `strength_sum`, `strength_mean`: sum and mean of `event_strength`, no unit;
        - `mean_gap_days`: `tenure_days` / `n_events`, days per event, also for a single event;
        - `share_deep`: share of the events with a strength of 3 or more, between 0 and 1;
        - `mean_rating`: in the unit of the ratings, `neutral_rating` where there is none;
        - `n_ratings`: ratings with a value, 0 tells a filled-in `mean_rating`;
        - `mean_score`: mean value of the `exam_score` events, in their unit, 0 where there is none;
        - `n_scores`: exam scores with a value, 0 tells a filled-in `mean_score`.

    Raises
    ------
    TypeError
        If `events` is not a frame or `until` is not a moment.
    ValueError
        If no event lies at or before `until`. A log without any event gives a frame without rows.

    Notes
    -----
    Chapter 06, "Interest tiers". Features for the labels of `tier_labels(events, start=start)` end
    before `start`: ``tier_features(events[events["timestamp"] < start], until=start)``.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"]})
    >>> log["timestamp"] = pd.to_datetime(["2026-01-01", "2026-01-03", "2026-01-09"])
    >>> tier_features(log)[["recency_days", "tenure_days", "n_events"]]
             recency_days  tenure_days  n_events
    user_id
    1                 6.0          8.0       2.0
    2                 0.0          0.0       1.0
    """
    log = validate_events(events)
    if log.empty:
        index = pd.Index(log["user_id"], name="user_id")
        return pd.DataFrame(index=index, columns=list(TIER_FEATURES), dtype=np.float64)
    moment = log["timestamp"].max() if until is None else _moment(until, "until")
    past = log[log["timestamp"] <= moment]
    if past.empty:
        raise ValueError(
            f"until={moment.isoformat()} lies before the first event, at "
            f"{log['timestamp'].min().isoformat()}; choose a later moment"
        )
    facts = _event_facts(past, moment, event_strength(past, event_weights, neutral_rating))
    out = _per_user(facts)
    out["mean_gap_days"] = out["tenure_days"] / out["n_events"]
    out = out.fillna({"mean_rating": neutral_rating, "mean_score": 0.0})
    return out[list(TIER_FEATURES)].astype(np.float64)


def _event_facts(past: pd.DataFrame, moment: pd.Timestamp, strength: pd.Series) -> pd.DataFrame:
    age_days = (moment - past["timestamp"]) / pd.Timedelta(days=1)
    facts = pd.DataFrame(
        {
            "user_id": past["user_id"],
            "item_id": past["item_id"],
            "age_days": age_days,
            "day": past["timestamp"].dt.floor("D"),
            "recent": age_days < 30,
            "strength": strength,
            "deep": strength >= DEEP_STRENGTH,
            "rating": past["value"].where(past["event"] == "rate"),
            "score": past["value"].where(past["event"] == "exam_score"),
        }
    )
    # Floating sums depend on the order of their terms; the rows of the log may come in any.
    return facts.sort_values(["user_id", "strength", "rating", "score"], ignore_index=True)


def _per_user(facts: pd.DataFrame) -> pd.DataFrame:
    return facts.groupby("user_id", sort=True).agg(
        recency_days=("age_days", "min"),
        tenure_days=("age_days", "max"),
        n_events=("age_days", "size"),
        n_active_days=("day", "nunique"),
        n_items=("item_id", "nunique"),
        events_last_30d=("recent", "sum"),
        strength_sum=("strength", "sum"),
        strength_mean=("strength", "mean"),
        share_deep=("deep", "mean"),
        mean_rating=("rating", "mean"),
        n_ratings=("rating", "count"),
        mean_score=("score", "mean"),
        n_scores=("score", "count"),
    )


def tier_labels(
    events: pd.DataFrame,
    *,
    start: Moment,
    n_tiers: int = 3,
    users: Iterable[Any] | None = None,
    cuts: Sequence[float] | None = None,
) -> pd.Series:
    r"""Return the tier each user reached in the window that begins at `start`.

    With :math:`a_u` events of user :math:`u` at or after `start`, and cuts
    :math:`c_2 < \dots < c_{K-1}`,

    .. math:: t_u = 0 \text{ if } a_u = 0, \quad
              t_u = 1 + \lvert \{ j : a_u \ge c_j \} \rvert \text{ otherwise.}

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`).
    start : datetime or str
        Begin of the window; without a zone it is read as UTC. The features that predict these
        labels must come from before it.
    n_tiers : int, default 3
        Number of tiers :math:`K`, at least 2, the tier 0 included.
    users : iterable of ids, optional
        Whom to label, in this order. Default: everybody with an event before `start`, ascending.
    cuts : sequence of float, optional
        The fewest events for each of the tiers 2, …, `n_tiers` − 1. Default: the quantiles at
        1/(K−1), 2/(K−1), … of the users who have an event in the window; a user above the quantile
        is in the higher tier. Equal activity is always the same tier, so with many ties the tiers
        differ in size and some may have nobody.

    Returns
    -------
    Series of int64
        Named ``"tier"``, indexed by `user_id`; 0, …, `n_tiers` − 1, deeper is larger.

    Raises
    ------
    TypeError
        If `events` is not a frame, `start` is not a moment or `n_tiers` is not a whole number.
    ValueError
        If `start` leaves no event before or no event after it, a user is given twice, or `cuts`
        do not rise or are not `n_tiers` − 2 in number.

    Notes
    -----
    Chapter 06, "Interest tiers". Labels cut from the window of the features would only teach a
    tree the cut itself; activity in a later window is something to predict.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 2, 3, 1, 2, 2], "item_id": list("abcabc")})
    >>> log["timestamp"] = pd.to_datetime(["2026-01-01"] * 3 + ["2026-02-01"] * 3)
    >>> tier_labels(log, start="2026-01-15").to_dict()
    {1: 1, 2: 2, 3: 0}
    >>> tier_labels(log, start="2026-01-15", cuts=[5]).to_dict()
    {1: 1, 2: 1, 3: 0}
    """
    _check_n_tiers(n_tiers)
    bounds = None if cuts is None else _checked_cuts(cuts, n_tiers)
    log = validate_events(events)
    later = log["timestamp"] >= _checked_start(start, log["timestamp"])
    ids = _users(users, log["user_id"], log.loc[~later, "user_id"])
    counts = log.loc[later, "user_id"].value_counts()
    activity = counts.reindex(ids, fill_value=0).to_numpy(dtype=np.int64)
    if bounds is None:
        bounds = _quantile_cuts(activity[activity > 0], n_tiers)
    tiers = np.where(activity == 0, 0, 1 + np.searchsorted(bounds, activity, side="right"))
    return pd.Series(tiers, index=ids, name="tier", dtype=np.int64)


def _quantile_cuts(active: npt.NDArray[np.int64], n_tiers: int) -> npt.NDArray[np.float64]:
    if not len(active):
        return np.full(n_tiers - 2, np.inf)
    at = np.arange(1, n_tiers - 1) / (n_tiers - 1)
    # Counts are whole, so "more than the quantile" is "at least the next count".
    return np.quantile(active, at, method="inverted_cdf").astype(np.float64) + 1


def _check_n_tiers(n_tiers: object) -> None:
    if isinstance(n_tiers, bool) or not isinstance(n_tiers, (int, np.integer)):
        raise TypeError(f"n_tiers must be a whole number, got {n_tiers!r}")
    if n_tiers < 2:
        raise ValueError(f"n_tiers must be at least 2, got {n_tiers}; the tier 0 is one of them")


def _checked_cuts(cuts: Sequence[float], n_tiers: int) -> npt.NDArray[np.float64]:
    try:
        bounds = np.asarray(cuts, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"cuts must be numbers of events, got {cuts!r}") from None
    if bounds.shape != (n_tiers - 2,):
        raise ValueError(
            f"cuts must be {n_tiers - 2} number(s) for n_tiers={n_tiers}, one for each tier from 2 "
            f"up, got {cuts!r}; pass n_tiers={bounds.size + 2} to use them"
        )
    if not np.isfinite(bounds).all() or (bounds <= 0).any() or (np.diff(bounds) <= 0).any():
        raise ValueError(f"cuts must be positive and rise, got {cuts!r}; sort them, drop repeats")
    return bounds


def _checked_start(start: Moment, stamps: pd.Series) -> pd.Timestamp:
    moment = _moment(start, "start")
    if stamps.empty:
        raise ValueError("events has no row, so there is no window to label; pass a longer log")
    first, last = stamps.min(), stamps.max()
    if not first < moment <= last:
        side = "no event before" if moment <= first else "no event at or after"
        raise ValueError(
            f"start={moment.isoformat()} leaves {side} it; choose a moment after the first event, "
            f"{first.isoformat()}, and not after the last, {last.isoformat()}"
        )
    return moment


def _users(users: Iterable[Any] | None, known: pd.Series, earlier: pd.Series) -> pd.Index:
    if users is None:
        return pd.Index(np.sort(earlier.unique()), name="user_id", dtype=earlier.dtype)
    if isinstance(users, (str, bytes)) or not isinstance(users, Iterable):
        raise TypeError(f"users must be a list of user ids, got {users!r}")
    ids = canonical_ids(pd.Series(list(users)), "users")
    check_same_ids(ids, known, "users", "events.user_id")
    twice = ids.duplicated()
    if twice.any():
        raise ValueError(f"users has ids more than once: {shown(ids[twice])}; keep one of each")
    return pd.Index(ids, name="user_id")


def _moment(value: object, name: str) -> pd.Timestamp:
    if not isinstance(value, (str, date, np.datetime64)):
        raise TypeError(f"{name} must be a datetime or text like '2026-01-31', got {value!r}")
    try:
        moment = pd.Timestamp(value)
    except ValueError:
        raise ValueError(f"{name} is not a moment: {value!r}; write it like '2026-01-31'") from None
    if pd.isna(moment):
        raise ValueError(f"{name} is missing (NaT); write it like '2026-01-31'")
    return moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")


def content_order(rows: npt.NDArray[Any]) -> npt.NDArray[np.intp]:
    """Return an order of the rows that depends on their content alone, equal rows side by side.

    >>> content_order(np.array([[2.0, 1.0], [0.0, 3.0], [2.0, 1.0]])).tolist()
    [1, 0, 2]
    """
    # Bytes compare faster than 384 columns one by one; 0.0 and -0.0 differ in their bytes only.
    same_zero = np.ascontiguousarray(rows + 0.0)
    width = same_zero.dtype.itemsize * same_zero.shape[1]
    return np.argsort(same_zero.view(np.dtype((np.void, width))).ravel(), kind="stable")


def seeded_clone(estimator: Any, random_state: object) -> Any:
    """Return an unfitted copy in which every `random_state` left at None is `random_state`."""
    copy = clone(estimator)
    if random_state is None:
        return copy
    params = copy.get_params(deep=True)
    free = [k for k, v in params.items() if v is None and k.split("__")[-1] == "random_state"]
    return copy.set_params(**dict.fromkeys(free, random_state))


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

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The tiers seen in `fit`, ascending.
    estimator_ : classifier
        The fitted one. If `y` held one tier only, a tree of one leaf, whatever was injected.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if `fit` got a frame.

    Notes
    -----
    Chapter 06, "Interest tiers". The rows are sorted by content before they are learned from, so
    their order does not matter.

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

    def __init__(self, estimator: Any = None, random_state: Any = None) -> None:
        self.estimator = estimator
        self.random_state = random_state

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
            If a column of X holds no numbers.
        ValueError
            If X holds NaN or infinity, `y` is not a set of classes, or the indices differ.
        """
        _check_same_index(X, y)
        _check_numeric(X)
        rows, tiers = validate_data(self, X, y, dtype=np.float64, ensure_all_finite=False)
        self._check_finite(rows)
        check_classification_targets(tiers)
        self.classes_, codes = np.unique(tiers, return_inverse=True)
        order = content_order(np.column_stack([rows, codes]))
        one_tier = len(self.classes_) == 1
        inner = _default_tree() if self.estimator is None or one_tier else self.estimator
        self.estimator_ = seeded_clone(inner, self.random_state)
        self.estimator_.fit(rows[order], tiers[order])
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
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        rules = _leaf_rules(self.estimator_, names)
        words = [rules[leaf] for leaf in self.estimator_.apply(rows)]
        return pd.Series(words, index=_index_of(X), name="rule", dtype="str")

    def _rows(self, X: Any) -> npt.NDArray[np.float64]:
        check_is_fitted(self)
        _check_numeric(X)
        rows = validate_data(self, X, reset=False, dtype=np.float64, ensure_all_finite=False)
        self._check_finite(rows)
        return np.asarray(rows)

    def _check_finite(self, rows: npt.NDArray[np.float64]) -> None:
        bad = ~np.isfinite(rows).all(axis=0)
        if bad.any():
            names = getattr(self, "feature_names_in_", np.arange(rows.shape[1]))
            raise ValueError(
                f"X holds NaN or inf in the column(s) {shown(names[bad].tolist())}; "
                f"fill them or drop those rows"
            )


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


def _leaf_rules(model: Any, names: Sequence[str]) -> dict[int, str]:
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
        stack.append((left, {**bounds, name: (low, min(high, cut))}))
        stack.append((right, {**bounds, name: (max(low, cut), high)}))
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
