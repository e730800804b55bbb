"""Tiers cut out of engagement itself: quantiles, a business's own cuts, the RFM rule as a baseline.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from recsys_interest.checks import check_count, check_frame, shown
from recsys_interest.label_sources import labelled

__all__ = ["LOWER_IS_DEEPER", "RFM_COLUMNS", "RfmRule", "engagement_tiers"]

#: Recency, frequency and monetary value, as columns of `tier_features`.
RFM_COLUMNS = ("recency_days", "n_events", "purchase_value")
#: Columns of `tier_features` of which less means deeper.
LOWER_IS_DEEPER = frozenset({"recency_days", "mean_gap_days"})

Floats = npt.NDArray[np.float64]


def engagement_tiers(
    features: pd.DataFrame,
    by: Sequence[str] = RFM_COLUMNS,
    *,
    n_tiers: int = 3,
    shares: Sequence[float] | None = None,
    cuts: Sequence[float] | None = None,
) -> pd.Series:
    r"""Return tiers cut out of the features themselves: by quantiles, or where a business says.

    The score of a user is the mean percentile in the columns, :math:`s_u = \frac{1}{|B|}
    \sum_{b \in B} F_b(x_{ub})`, where :math:`F_b(x)` is the share of users below :math:`x` in
    column :math:`b` plus half the share of those equal to it. Of `LOWER_IS_DEEPER` columns
    such as `recency_days`, the fewer the deeper. This is the marketing rule called RFM (recency,
    frequency, monetary value) without its boxes; breadth is `n_items`, depth `share_deep`.

    Parameters
    ----------
    features : DataFrame
        For example from `tier_features`.
    by : sequence of str, default ("recency_days", "n_events", "purchase_value")
        Columns to score by.
    n_tiers : int, default 3
        Number of tiers.
    shares : sequence of float, optional
        Share of the users in each tier, the lowest first. Default: equal shares. Users of equal
        score are in the same tier, so with ties the sizes differ.
    cuts : sequence of float, optional
        Business cuts, for one column only and instead of quantiles: the least value for each of the
        tiers 1, …, `n_tiers` − 1, in the unit of the column. They rise; where lower is deeper they
        are the most allowed, and fall.

    Returns
    -------
    Series of int64
        Named ``"tier"``, with the index of the features; ``attrs`` holds ``label_source``
        ("engagement quantiles" or "business cuts") and the ``window`` of the features.

    Raises
    ------
    TypeError
        If `features` is not a frame, or cuts or shares are not numbers.
    ValueError
        If a column is missing or not finite, or shares or cuts do not fit.

    Notes
    -----
    Chapter 06, "Interest tiers". A classifier that learns these labels from the same features finds
    the cut again and nothing else, so `TierClassifier` refuses the pair.

    Rows: T06.

    Examples
    --------
    >>> import pandas as pd
    >>> features = pd.DataFrame({"n_events": [1, 5, 9], "recency_days": [90, 20, 5]})
    >>> engagement_tiers(features, ["n_events", "recency_days"]).tolist()
    [0, 1, 2]
    >>> engagement_tiers(features, ["recency_days"], cuts=[30, 10]).tolist()
    [0, 1, 2]
    """
    check_count(n_tiers, "n_tiers", least=2)
    columns = [by] if isinstance(by, str) else list(by)
    values = _columns(features, columns)
    window = features.attrs.get("window")
    if cuts is not None:
        if len(columns) != 1 or shares is not None:
            raise ValueError("cuts need one column in `by` and no shares; cut the columns apart")
        bounds = deeper_is_larger(np.atleast_2d(_numbers(cuts, "cuts", n_tiers - 1)).T, columns)
        if (np.diff(bounds[:, 0]) <= 0).any():
            way = "fall" if columns[0] in LOWER_IS_DEEPER else "rise"
            raise ValueError(f"cuts on {columns[0]!r} must {way}, got {cuts!r}")
        tiers = np.searchsorted(bounds[:, 0], values[:, 0], side="right")
        return labelled(tiers, features.index, "business cuts", window)
    if shares is None:
        portions = np.full(n_tiers, 1 / n_tiers)
    else:
        portions = _numbers(shares, "shares", n_tiers)
        if (portions < 0).any() or not np.isclose(portions.sum(), 1):
            raise ValueError(f"shares must not be negative and sum to 1, got {shares!r}")
    score = mean_percentile(values, values)
    tiers = tier_of_score(score, share_cuts(score, portions))
    return labelled(tiers, features.index, "engagement quantiles", window)


def deeper_is_larger(rows: Floats, columns: Sequence[object]) -> Floats:
    """Return the rows with the columns turned round of which less means deeper."""
    return rows * np.array([-1.0 if c in LOWER_IS_DEEPER else 1.0 for c in columns])


def mean_percentile(rows: Floats, reference: Floats) -> Floats:
    """Return for every row the mean over the columns of its mid-rank share in the reference."""
    total = np.zeros(len(rows))
    for column, known in zip(rows.T, np.sort(reference, axis=0).T, strict=True):
        below = np.searchsorted(known, column, side="left")
        total += (below + np.searchsorted(known, column, side="right")) / (2 * len(known))
    return np.round(total / rows.shape[1], 12)  # equal up to rounding is equal


def share_cuts(score: Floats, shares: Floats) -> Floats:
    """Return the highest score of every tier but the last, so that the tiers have these shares."""
    at = np.clip(np.cumsum(shares)[:-1], 0, 1)
    cuts: Floats = np.quantile(score, at, method="inverted_cdf") if len(score) else at
    return np.where(at > 0, cuts, -np.inf)


def tier_of_score(score: Floats, cuts: Floats) -> npt.NDArray[np.int64]:
    """Return how many of the cuts each score exceeds."""
    return np.searchsorted(cuts, score, side="left").astype(np.int64)


def _columns(features: pd.DataFrame, columns: list[str]) -> Floats:
    table = check_frame(features, "features", columns)
    if not columns:
        raise ValueError("by is empty; name at least one column of the features")
    try:
        rows = table[columns].to_numpy(dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"features must hold numbers in the columns {shown(columns)}") from None
    bad = ~np.isfinite(rows).all(axis=0)
    if bad.any():
        names = shown(np.array(columns)[bad].tolist())
        raise ValueError(f"features holds NaN or inf in the column(s) {names}; fill them first")
    return deeper_is_larger(rows, columns)


def _numbers(values: Sequence[float], name: str, count: int) -> Floats:
    try:
        out = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be numbers, got {values!r}") from None
    if out.shape != (count,) or not np.isfinite(out).all():
        raise ValueError(f"{name} must be {count} finite number(s), got {values!r}")
    return out


class RfmRule(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The marketing rule as a classifier: rank users by engagement, cut where the shares say.

    It learns two things from the training users: the order statistics of every column, and how
    large each tier is. It is the baseline to beat; see `engagement_tiers` for the score.

    Parameters
    ----------
    columns : sequence of str, optional
        Columns of the features to score by. Default: `RFM_COLUMNS` if X is a frame that has them
        all, otherwise every column.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The tiers seen in `fit`, ascending.
    cuts_ : ndarray of shape (n_classes - 1,)
        Highest score, a mean percentile between 0 and 1, of every tier but the deepest.
    columns_ : list
        Columns (positions for an array) that are scored.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if `fit` got a frame.

    Notes
    -----
    Chapter 06, "Interest tiers".

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"recency_days": [90, 9, 2, 40], "n_events": [1, 7, 9, 2]})
    >>> RfmRule().fit(X, [0, 1, 1, 0]).predict(X).tolist()
    [0, 1, 1, 0]
    """

    def __init__(self, columns: Sequence[str] | None = None) -> None:
        self.columns = columns

    def fit(self, X: Any, y: Any) -> RfmRule:
        """Learn percentiles and shares.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            Finite numbers.
        y : Series or array of shape (n_users,)
            The tiers, of which the sizes are used.

        Returns
        -------
        RfmRule
            Itself.

        Raises
        ------
        ValueError
            If X is not finite, a column is missing or `y` is not a set of classes.
        """
        rows, tiers = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(tiers)
        self.classes_, sizes = np.unique(tiers, return_counts=True)
        names = list(getattr(self, "feature_names_in_", range(rows.shape[1])))
        wanted = self.columns
        if wanted is None:
            wanted = RFM_COLUMNS if set(RFM_COLUMNS) <= set(names) else names
        lost = [c for c in wanted if c not in names]
        if lost or not len(wanted):
            raise ValueError(f"X lacks the column(s) {shown(lost)}; it has {shown(names, 12)}")
        self.columns_ = list(wanted)
        self._places = [names.index(c) for c in self.columns_]
        self._known = deeper_is_larger(rows[:, self._places], self.columns_)
        score = mean_percentile(self._known, self._known)
        self.cuts_ = share_cuts(score, sizes / sizes.sum())
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """Return the tier of every row, shape (n_users,)."""
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=np.float64)
        mine = deeper_is_larger(rows[:, self._places], self.columns_)
        out: npt.NDArray[Any] = self.classes_[
            tier_of_score(mean_percentile(mine, self._known), self.cuts_)
        ]
        return out

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.poor_score = True  # a rule for ordered tiers knows no other classes
        return tags
