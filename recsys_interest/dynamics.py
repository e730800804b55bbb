"""Interests over time: clusters of one window after another, whose ids stay.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator, ClusterMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from recsys_interest.adaptive_kmeans import AdaptiveKMeans
from recsys_interest.checks import check_count, given_ids
from recsys_interest.cluster_history import (
    History,
    Snapshot,
    ledger_rows,
    read_state,
    state_tables,
)
from recsys_interest.cluster_matching import match_clusters
from recsys_interest.clusters import InterestClusterer
from recsys_interest.reproducible import seeded_clone
from recsys_interest.vectors import unit_rows
from recsys_interest.window_rows import (
    checked_windows,
    in_order,
    next_window,
    split_index,
    window_users,
)

__all__ = ["DynamicClusterer"]

Array = npt.NDArray[Any]
Labels = npt.NDArray[np.int64]
NOISE = -1


class DynamicClusterer(ClusterMixin, BaseEstimator):  # type: ignore[misc]
    """Cluster the users of one window after another, and keep the ids of the clusters.

    Every window is clustered by itself, from the centroids of the window before where the clusterer
    can start from centroids. `match_clusters` then says which cluster is which of before: it keeps
    its id, and what begins or ends is written to a ledger. An id is never given twice. It begins
    with a birth or a split and ends with a death or a merge.

    Parameters
    ----------
    clusterer : InterestClusterer, optional
        What clusters one window. Default: ``InterestClusterer(AdaptiveKMeans())``, which finds the
        number of clusters anew in each window.
    member_weight : float, default 0.5
        How much common members count in the matching against near centroids, from 0 to 1.
    threshold : float, default 0.5
        The score above which an old and a new cluster are the same, from 0 to 1.
    warm_start : bool, default True
        Whether a clusterer with a parameter `init`, without a reducer, starts from the centroids of
        the window before. One with a fixed number of clusters does so if it was that number.
    keep_windows : int, optional
        Of how many windows `paths_` is kept, at least 2; of all by default. The ledger has one row
        per event and stays.
    random_state : int, RandomState or None, default None
        Given to every part whose own `random_state` is None.

    Attributes
    ----------
    labels_ : ndarray of int64, shape (n_rows,)
        Id of the cluster of every row of the last call of `fit` or `partial_fit`; −1 is noise.
    cluster_ids_ : ndarray of int64, shape (n_clusters_,)
        Ids of the clusters that live after the last window, the largest first.
    centroids_ : ndarray of shape (n_clusters_, n_features)
        Their centroids, of length one.
    n_clusters_ : int
        How many live.
    windows_ : DataFrame
        One row per window (index): `n_users`, `n_clusters`, `n_noise`.
    ledger_ : DataFrame
        One row per event: `window`; `event`, one of birth, split, death, merge; `cluster`, the id
        that begins or ends; `related`, the id it was split from or merged into; `n_users`, when it
        began or before it ended; `score`, by which `match_clusters` decided: for a birth or death
        that of the most similar cluster, which was not enough. All clusters of the first window are
        births.
    paths_ : DataFrame of Int64
        The cluster of every user (index) in every window (columns); missing where the user has no
        row, −1 for noise. Without users if arrays were given.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of str
        Names of the features, if a frame was given first.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    - Users are known by the index of the frame. Rows of an array have no name: then only centroids
      are compared.
    - A window must be later than the one before it; only the last may be given again, with events
      that came late, and then replaces what it was. So a replay changes nothing.
    - A window without rows says nothing: no cluster dies. A window in which nobody has an interest
      (all rows zero, or all noise) ends every cluster; what comes after is new.

    Rows: C09, H04.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.cluster import KMeans
    >>> users = ["ann", "bob", "cem", "dee"]
    >>> may = pd.DataFrame([[1, 0], [2, 0.1], [0, 1], [0.1, 1]], index=users)
    >>> june = pd.DataFrame([[1, 0.1], [0, 1], [0.1, 2], [0, 1]], index=users)
    >>> model = DynamicClusterer(InterestClusterer(KMeans(2)), random_state=0)
    >>> model.partial_fit(may, window=5).partial_fit(june, window=6).paths_
    window   5  6
    user_id
    ann      1  1
    bob      1  0
    cem      0  0
    dee      0  0
    """

    labels_: Labels
    _before: Snapshot
    _now: Snapshot
    _history: History

    def __init__(
        self,
        clusterer: InterestClusterer | None = None,
        *,
        member_weight: float = 0.5,
        threshold: float = 0.5,
        warm_start: bool = True,
        keep_windows: int | None = None,
        random_state: Any = None,
    ) -> None:
        self.clusterer = clusterer
        self.member_weight = member_weight
        self.threshold = threshold
        self.warm_start = warm_start
        self.keep_windows = keep_windows
        self.random_state = random_state

    def fit(self, X: Any, y: object = None, windows: Any = None) -> DynamicClusterer:
        """Cluster all windows, one after another.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_features)
            One row per user and window, finite, any length; zeros are noise. A frame is indexed by
            user, or by window and user, as from `window_profiles`.
        y : None
            Ignored.
        windows : array-like of shape (n_rows,), optional
            The window of every row, numbers, text or moments, which are worked off in ascending
            order. Default: the first level of an index of two; otherwise all rows are one window.

        Returns
        -------
        DynamicClusterer
            Itself.

        Raises
        ------
        TypeError
            If `clusterer` is no InterestClusterer, or windows cannot be compared.
        ValueError
            If X is not finite, a user has two rows in a window, or a window is missing.
        """
        self._forget_all()
        X, windows = split_index(X, windows)
        if windows is None:
            return self.partial_fit(X)
        windows = checked_windows(windows, len(X))
        found = np.full(len(X), NOISE, dtype=np.int64)
        for window in in_order(windows.unique()):
            here = np.flatnonzero((windows == window).to_numpy())
            rows = X.iloc[here] if isinstance(X, pd.DataFrame) else np.asarray(X)[here]
            found[here] = self.partial_fit(rows, window=window).labels_
        self.labels_ = found
        return self

    def partial_fit(self, X: Any, y: object = None, window: Any = None) -> DynamicClusterer:
        """Take in one more window, or the last one again.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            One row per user; a frame is indexed by user. It may have no rows.
        y : None
            Ignored.
        window : int, str, Timestamp or Period, optional
            Later than the last window, or equal to it. Default: the number after the last one, from
            0.

        Returns
        -------
        DynamicClusterer
            Itself.

        Raises
        ------
        TypeError
            If `clusterer` is no InterestClusterer, or `window` cannot be compared with the last.
        ValueError
            If the window is earlier than the last one, X is not finite or has other features than
            before, or a user has two rows.
        """
        self._check_parameters()
        if not self.__sklearn_is_fitted__():
            self._forget_all()
        window, again = next_window(window, [row["window"] for row in self._history.windows])
        start = self._before if again else self._now
        history = self._history.before_last() if again else self._history
        users = window_users(X, history.path(start.seen))
        rows = self._rows(X)
        about = {"window": window, "n_users": len(rows), "n_clusters": len(start.ids), "n_noise": 0}
        now, path = start, None
        ledger: list[dict[str, Any]] = []
        labels: Labels = np.empty(0, dtype=np.int64)
        if len(rows):
            model = self._clusterer(start).fit(rows)
            labels = model.labels_
            members = None if users is None else pd.Series(labels, index=users)
            match = match_clusters(
                start.centroids, start.positions(history.path(start.seen)), model.centroids_,
                members, member_weight=self.member_weight, threshold=self.threshold,
            )  # fmt: skip
            now = start.followed(window, model.centroids_, labels, match)
            ledger = ledger_rows(window, start, now, match)
            labels = np.append(now.ids, NOISE)[labels]
            noise = int((labels == NOISE).sum())
            about |= {"n_clusters": len(now.ids), "n_noise": noise}
            path = None if users is None else pd.Series(labels, index=users)
        self._history = history.with_window(about, ledger, path, self.keep_windows)
        self._before, self._now, self.labels_ = start, now, labels
        return self

    def predict(self, X: Any) -> Labels:
        """Return the id of the nearest living cluster by cosine of every row.

        Parameters
        ----------
        X : DataFrame or array of shape (n_users, n_features)
            User vectors.

        Returns
        -------
        ndarray of int64, shape (n_users,)
            −1 for a row of zeros, and for every row if no cluster lives.
        """
        check_is_fitted(self)
        rows = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        directed = rows.any(axis=1)
        if not self.n_clusters_:
            return np.full(len(rows), NOISE, dtype=np.int64)
        nearest = (unit_rows(rows) @ self.centroids_.T).argmax(axis=1)
        return np.where(directed, self.cluster_ids_[nearest], NOISE).astype(np.int64)

    def path(self, user_id: Any) -> pd.Series:
        """Return the way of one user through the clusters.

        Parameters
        ----------
        user_id : int or str
            Whose.

        Returns
        -------
        Series of int64
            The cluster by window, in order, for the windows in which the user had a row; empty for
            an unknown user.
        """
        check_is_fitted(self)
        there = {
            w: p[user_id] for w, p in (self._history.paths or {}).items() if user_id in p.index
        }
        index = pd.Index([*there], name="window")
        return pd.Series([*there.values()], index=index, dtype=np.int64, name=user_id)

    def forget(self, user_ids: Iterable[Any]) -> DynamicClusterer:
        """Delete users: from `paths_`, and from the members that the next window is matched by.

        Parameters
        ----------
        user_ids : iterable
            Whom to delete; unknown ones are no error.

        Returns
        -------
        DynamicClusterer
            Itself. Counts in `windows_` and `ledger_`, and centroids, are of many users and stay.
        """
        check_is_fitted(self)
        self._history = self._history.without(pd.Index(given_ids(user_ids, "user_ids")))
        return self

    def get_state(self) -> dict[str, pd.DataFrame]:
        """Return everything that was learned as tables, to be written to files.

        Returns
        -------
        dict of str to DataFrame
            ``windows``, ``ledger``, ``paths`` (one row per window and user), ``clusters`` (the
            living ones and those of the window before, with their centroids), ``snapshots`` and
            ``features``.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", [None] * self.n_features_in_)
        return state_tables(self._history, {"now": self._now, "before": self._before}, names)

    def set_state(self, state: Mapping[str, pd.DataFrame]) -> DynamicClusterer:
        """Go on where `get_state` was called.

        Parameters
        ----------
        state : mapping of str to DataFrame
            What `get_state` returned.

        Returns
        -------
        DynamicClusterer
            This object, fitted.

        Raises
        ------
        SchemaError
            If a table or a column is missing.
        """
        history, snapshots, features = read_state(state)
        self._history, self._now, self._before = history, snapshots["now"], snapshots["before"]
        self.n_features_in_ = len(features)
        if features and features[0] is not None:
            self.feature_names_in_ = np.array(features, dtype=object)
        last = history.path(history.windows[-1]["window"])
        self.labels_ = np.empty(0, dtype=np.int64) if last is None else last.to_numpy()
        return self

    @property
    def cluster_ids_(self) -> Labels:
        """Ids of the living clusters."""
        check_is_fitted(self)
        return self._now.ids

    @property
    def centroids_(self) -> Array:
        """Centroids of the living clusters."""
        check_is_fitted(self)
        return self._now.centroids

    @property
    def n_clusters_(self) -> int:
        """How many clusters live."""
        return len(self.cluster_ids_)

    @property
    def windows_(self) -> pd.DataFrame:
        """One row per window."""
        check_is_fitted(self)
        return self._history.window_table()

    @property
    def ledger_(self) -> pd.DataFrame:
        """One row per birth, split, death and merge."""
        check_is_fitted(self)
        return self._history.ledger_table()

    @property
    def paths_(self) -> pd.DataFrame:
        """The cluster of every user in every window."""
        check_is_fitted(self)
        return self._history.path_table()

    def __sklearn_is_fitted__(self) -> bool:
        return bool(getattr(self, "_history", History()).windows)

    def _forget_all(self) -> None:
        none = np.empty(0, dtype=np.int64)
        self._before = self._now = Snapshot(none, np.empty((0, 0)), none)
        self._history = History()

    def _check_parameters(self) -> None:
        if self.clusterer is not None and not isinstance(self.clusterer, InterestClusterer):
            raise TypeError(
                f"clusterer must be an InterestClusterer, got {self.clusterer!r}; for example "
                f"InterestClusterer(KMeans(8))"
            )
        if self.keep_windows is not None:
            check_count(self.keep_windows, "keep_windows", least=2)

    def _rows(self, X: Any) -> Array:
        first = not self.__sklearn_is_fitted__()
        if not first and hasattr(X, "__len__") and len(X) == 0:
            return np.empty((0, self.n_features_in_))
        least = 0 if isinstance(X, pd.DataFrame) else 1
        rows: Array = validate_data(
            self, X, reset=first, dtype=[np.float64, np.float32], ensure_min_samples=least,
            ensure_all_finite=True,
        )  # fmt: skip
        return rows

    def _clusterer(self, start: Snapshot) -> InterestClusterer:
        default = InterestClusterer(AdaptiveKMeans())
        model = default if self.clusterer is None else self.clusterer
        ready: InterestClusterer = seeded_clone(model, self.random_state)
        if self.warm_start and len(start.ids) and ready.reducer is None:
            _warm(ready.estimator, start.centroids)
        return ready


def _warm(estimator: Any, centroids: Array) -> None:
    """Let a clusterer that can start from centroids do so."""
    params = {} if estimator is None else estimator.get_params(deep=False)
    if "init" not in params or params.get("n_clusters", len(centroids)) != len(centroids):
        return
    estimator.set_params(init=centroids.copy())
    if "n_init" in params:
        estimator.set_params(n_init=1)
