"""When a model should learn again: never, by the calendar, when interests drift, or all the time.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import pandas as pd

from recsys_interest.checks import check_positive
from recsys_interest.drift_monitor import ChangeDetector, DriftMonitor

__all__ = ["DriftPolicy", "FrozenPolicy", "OnlinePolicy", "RefitPolicy", "ScheduledPolicy"]


class RefitPolicy(Protocol):
    """What `compare_refits` asks before each step.

    Attributes
    ----------
    follows : bool
        Whether the model takes in events between two fits.
    """

    follows: bool

    def fitted(self, log: pd.DataFrame, now: pd.Timestamp) -> None:
        """Take note that the model was just fitted on a log.

        Parameters
        ----------
        log : DataFrame
            What it was fitted on.
        now : Timestamp
            The moment.
        """

    def due(self, new: pd.DataFrame, now: pd.Timestamp) -> bool:
        """Say whether to fit again.

        Parameters
        ----------
        new : DataFrame
            Events since this was last asked.
        now : Timestamp
            The moment.

        Returns
        -------
        bool
            Whether to fit.
        """


class FrozenPolicy:
    """Never learn again: what static clusters and profiles do.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> FrozenPolicy().due(None, None)
    False
    """

    follows = False

    def fitted(self, log: pd.DataFrame, now: pd.Timestamp) -> None:
        """Do nothing."""

    def due(self, new: pd.DataFrame, now: pd.Timestamp) -> bool:
        """Say no."""
        return False


class ScheduledPolicy(FrozenPolicy):
    """Learn again by the calendar.

    Parameters
    ----------
    days : float
        Between two fits.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> import pandas as pd
    >>> policy = ScheduledPolicy(days=7)
    >>> policy.fitted(None, pd.Timestamp("2026-01-01"))
    >>> policy.due(None, pd.Timestamp("2026-01-05")), policy.due(None, pd.Timestamp("2026-01-08"))
    (False, True)
    """

    def __init__(self, days: float) -> None:
        self.days = check_positive(days, "days")

    def fitted(self, log: pd.DataFrame, now: pd.Timestamp) -> None:
        """Begin to count."""
        self._last = now

    def due(self, new: pd.DataFrame, now: pd.Timestamp) -> bool:
        """Say whether the days are over."""
        return now - self._last >= pd.Timedelta(days=self.days)


class DriftPolicy(FrozenPolicy):
    """Learn again when a `DriftMonitor` says that interests have moved, and once more when settled.

    An alarm comes when a change has just begun, and the log is still mostly of before. A fit at
    that moment learns little of what is new, and the monitor, which compares with the profiles of
    the last fit, may find nothing more to complain about. Hence the second fit.

    Parameters
    ----------
    item_vectors : DataFrame, shape (n_items, n_features)
        Indexed by item id.
    detector : callable, optional
        Makes a detector, see `DriftMonitor`.
    again_days : float, default 14.0
        Days after an alarm at which to fit once more; 0 for no second fit.
    half_life : float, optional
        Of the profiles that the monitor compares with, in days.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> import pandas as pd
    >>> vectors = pd.DataFrame({"x": [1.0, 0.0], "y": [0.0, 1.0]}, index=["tent", "novel"])
    >>> log = pd.DataFrame({"user_id": "ann", "item_id": ["tent"] * 100 + ["novel"] * 100})
    >>> log["timestamp"] = pd.date_range("2026-01-01", periods=200, freq="D", tz="UTC")
    >>> policy = DriftPolicy(vectors)
    >>> policy.fitted(log[:50], log.loc[50, "timestamp"])
    >>> now = log.loc[150, "timestamp"]
    >>> policy.due(log[50:100], now), policy.due(log[100:150], now)
    (False, True)
    >>> policy.fitted(log[:150], now)
    >>> policy.due(log[150:152], now), policy.due(log[152:], now + pd.Timedelta(days=14))
    (False, True)
    """

    def __init__(
        self,
        item_vectors: pd.DataFrame,
        detector: Callable[[], ChangeDetector] | None = None,
        *,
        again_days: float = 14.0,
        half_life: float | None = None,
    ) -> None:
        self.item_vectors = item_vectors
        self.detector = detector
        self.again_days = check_positive(again_days, "again_days", zero=True)
        self.half_life = half_life
        self._again: pd.Timestamp | None = None

    def fitted(self, log: pd.DataFrame, now: pd.Timestamp) -> None:
        """Compare with the profiles of this moment from now on."""
        self._monitor = DriftMonitor(self.detector, half_life=self.half_life)
        self._monitor.fit(log, self.item_vectors)

    def due(self, new: pd.DataFrame, now: pd.Timestamp) -> bool:
        """Say whether there was an alarm, or the time after one is over."""
        alarmed = not self._monitor.update(new).empty
        settled = self._again is not None and now >= self._again
        if alarmed and self.again_days:
            self._again = now + pd.Timedelta(days=self.again_days)
        elif settled:
            self._again = None
        return alarmed or settled


class OnlinePolicy(FrozenPolicy):
    """Take in every event; and, if so wished, learn everything again by the calendar.

    A model with `partial_fit` takes the events in by that; any other `Recommender` gets what came
    since its fit as `session`.

    Parameters
    ----------
    refit : RefitPolicy, optional
        When to fit again besides; never by default.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> OnlinePolicy().follows, OnlinePolicy(ScheduledPolicy(30)).refit.days
    (True, 30.0)
    """

    follows = True

    def __init__(self, refit: Any = None) -> None:
        self.refit = FrozenPolicy() if refit is None else refit

    def fitted(self, log: pd.DataFrame, now: pd.Timestamp) -> None:
        """Hand this on."""
        self.refit.fitted(log, now)

    def due(self, new: pd.DataFrame, now: pd.Timestamp) -> bool:
        """Say what the other policy says."""
        return bool(self.refit.due(new, now))
