"""Watch a stream for drift: how far each event is from what its user was known for.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import check_same_ids
from recsys_interest.drift import labels_by_id
from recsys_interest.event_weights import event_strength
from recsys_interest.profile_sums import used_columns
from recsys_interest.profiles import InterestProfiler
from recsys_interest.schema import validate_events
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["ChangeDetector", "DriftMonitor", "surprise"]

EVERYBODY = "population"


class ChangeDetector(Protocol):
    """What watches one sequence of numbers; the detectors of `river.drift` are of this kind."""

    @property
    def drift_detected(self) -> bool:
        """Whether the last number showed a change."""

    def update(self, x: float) -> Any:
        """Take in the next number."""


def surprise(events: pd.DataFrame, profiles: pd.DataFrame, item_vectors: pd.DataFrame) -> pd.Series:
    r"""Return how far each event is from what its user was known for, :math:`1 - \cos(E_i, F_u)`.

    Parameters
    ----------
    events : DataFrame
        Valid events; those of after the profiles were made.
    profiles : DataFrame, shape (n_users, n_features)
        Indexed by user id.
    item_vectors : DataFrame, shape (n_items, n_features)
        Indexed by item id.

    Returns
    -------
    Series of float64
        From 0 (as always) to 2, under the index of the events; missing for an event without a
        positive strength, of a user without a profile, or on an item without a vector.

    Raises
    ------
    TypeError, ValueError
        If a table is of the wrong kind or does not fit the others.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> import pandas as pd
    >>> vectors = pd.DataFrame({"x": [1.0, 0.0], "y": [0.0, 1.0]}, index=["tent", "novel"])
    >>> log = pd.DataFrame({"user_id": "ann", "item_id": ["tent", "novel"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> surprise(log, pd.DataFrame([[3.0, 0.0]], index=["ann"]), vectors).tolist()
    [0.0, 1.0]
    """
    users, items = check_vectors(profiles, "profiles"), check_vectors(item_vectors, "item_vectors")
    return _surprise(validate_events(used_columns(events)), users, items)


def _surprise(log: pd.DataFrame, users: pd.DataFrame, items: pd.DataFrame) -> pd.Series:
    check_same_ids(log["user_id"], users.index.to_series(), "events.user_id", "profiles.index")
    check_same_ids(log["item_id"], items.index.to_series(), "events.item_id", "item_vectors.index")
    left, right = (
        unit_rows(table.reindex(log[name]).to_numpy(dtype=np.float64, na_value=0.0))
        for table, name in ((users, "user_id"), (items, "item_id"))
    )
    counts = (event_strength(log).to_numpy() > 0) & left.any(axis=1) & right.any(axis=1)
    distance = np.where(counts, 1 - np.vecdot(left, right), np.nan)
    return pd.Series(np.maximum(distance, 0.0), index=log.index, name="surprise")


class DriftMonitor(BaseEstimator):
    """Say in a stream when interests have moved away from what a model learned.

    `fit` remembers the profiles of that moment. From then on each event is as surprising as it is
    far from its user's profile (`surprise`). As long as nothing changes, so does the mean surprise
    not; a detector watches it for everybody and, if they are given, for each cluster of users.

    Parameters
    ----------
    detector : callable, optional
        Makes a new detector (`ChangeDetector`). By default `river.drift.ADWIN`, which compares the
        means of the older and the newer part of a window, for every way to cut it, and shortens
        the window when they differ by more than chance. It needs no choice of a window; it needs
        the package `river` (extra ``drift``).
    clusters : Series, optional
        Cluster of each user, indexed by user id.
    half_life : float, optional
        Days after which an event counts half in the profiles of `fit`.

    Attributes
    ----------
    profiles_ : DataFrame
        The profiles that events are compared with.
    detectors_ : dict
        The detector of each cluster, and of everybody under ``"population"``.
    n_watched_ : int
        How many events were watched.

    Notes
    -----
    Chapter 14, "Dynamic interests". ADWIN is Bifet and Gavaldà (2007),
    doi:10.1137/1.9781611972771.42; its memory is logarithmic in the length of the stream. For each
    single user there are too few events for it: `detect_drift` compares those.

    Examples
    --------
    >>> import pandas as pd
    >>> from river.drift import ADWIN
    >>> vectors = pd.DataFrame({"x": [1.0, 0.0], "y": [0.0, 1.0]}, index=["tent", "novel"])
    >>> days = pd.date_range("2026-01-01", periods=600, freq="D", tz="UTC")
    >>> log = pd.DataFrame({"user_id": "ann", "item_id": ["tent", "novel"] * 300,
    ...                     "timestamp": days})
    >>> log.loc[400:, "item_id"] = "novel"
    >>> monitor = DriftMonitor(lambda: ADWIN(delta=0.01)).fit(log[:100], vectors)
    >>> monitor.update(log[100:400]).empty, len(monitor.update(log[400:])) > 0
    (True, False)
    """

    def __init__(
        self,
        detector: Callable[[], ChangeDetector] | None = None,
        clusters: pd.Series | None = None,
        half_life: float | None = None,
    ) -> None:
        self.detector = detector
        self.clusters = clusters
        self.half_life = half_life

    def fit(self, events: pd.DataFrame, item_vectors: pd.DataFrame) -> Self:
        """Remember what everybody is known for now, and begin to watch.

        Parameters
        ----------
        events : DataFrame
            Valid events.
        item_vectors : DataFrame, shape (n_items, n_features)
            Indexed by item id.

        Returns
        -------
        DriftMonitor
            This object.

        Raises
        ------
        TypeError, ValueError
            As `InterestProfiler.fit`, or if `detector` makes no detectors.
        ImportError
            If `river` is needed and not installed.
        """
        make = _adwin if self.detector is None else self.detector
        one = make() if callable(make) else make
        if not callable(getattr(one, "update", None)) or not hasattr(one, "drift_detected"):
            raise TypeError(
                f"detector must make objects with update and drift_detected, got {self.detector!r};"
                f" for example lambda: river.drift.ADWIN(delta=0.01)"
            )
        profiler = InterestProfiler(half_life=self.half_life).fit(events, item_vectors)
        users = profiler.profiles_.index
        self._labels: pd.Series | None = None
        if self.clusters is not None:
            self._labels = labels_by_id(self.clusters, "clusters", users, "events.user_id")
            if (self._labels == EVERYBODY).any():
                raise ValueError(f"clusters has the label {EVERYBODY!r}, which means everybody")
        self.profiles_, self.item_vectors_ = profiler.profiles_, profiler.item_vectors_
        self.detectors_ = {EVERYBODY: one}
        self._make, self.n_watched_ = make, 0
        return self

    def update(self, events: pd.DataFrame) -> pd.DataFrame:
        """Watch a batch of events that came after `fit`.

        Parameters
        ----------
        events : DataFrame
            Valid events, none of them given before. A detector sees them in the order of their
            times; what is later than a batch is seen when it comes.

        Returns
        -------
        DataFrame
            One row for each alarm: `watched` (whose mean changed), `timestamp` of the event at
            which it was noticed, and `n_watched`, the number of events up to then.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError, ValueError
            As `surprise`.
        """
        check_is_fitted(self, "profiles_")
        log = validate_events(used_columns(events))
        log = log.assign(surprise=_surprise(log, self.profiles_, self.item_vectors_))
        log = log.dropna(subset="surprise")
        log = log.sort_values(["timestamp", "user_id", "item_id", "surprise"])
        label = [None] * len(log)
        if self._labels is not None:
            found = self._labels.reindex(log["user_id"]).astype(object)
            label = found.where(found.notna(), None).tolist()
        alarms = []
        for mine, moment, value in zip(label, log["timestamp"], log["surprise"], strict=True):
            self.n_watched_ += 1
            for name in (EVERYBODY, mine) if mine is not None else (EVERYBODY,):
                if name not in self.detectors_:
                    self.detectors_[name] = self._make()
                detector = self.detectors_[name]
                detector.update(value)
                if detector.drift_detected:
                    alarms.append((name, moment, self.n_watched_))
        name = "str" if all(isinstance(alarm[0], str) for alarm in alarms) else "object"
        kinds = {"watched": name, "timestamp": log["timestamp"].dtype, "n_watched": "int64"}
        return pd.DataFrame(alarms, columns=["watched", "timestamp", "n_watched"]).astype(kinds)


def _adwin() -> ChangeDetector:
    try:
        from river.drift import ADWIN
    except ImportError:
        raise ImportError("DriftMonitor needs river: pip install river") from None
    return ADWIN()
