"""Find the users that no person can be: too fast, or as regular as a clock.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import check_count
from recsys_interest.schema import in_utc

__all__ = ["RobotRule"]

_CLOCKS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1_000)  # in microseconds
_MINUTE = 60_000_000


@dataclass(frozen=True)
class RobotRule:
    r"""When a user counts as a robot: by the rate or by the regularity of what it does.

    Events at the same moment, such as the lines of one basket, count as one moment. A user is a
    robot by its rate if there are more than `max_per_minute` moments within some 60 seconds, and by
    its regularity if a share of at least `regular_share` of the gaps :math:`g` between its moments
    lies near the median gap :math:`m`,

    .. math:: |g - m| \le \tau \, m ,

    with the `tolerance` :math:`\tau`, at least `min_gaps` gaps, and a median gap of no more than
    `longest_gap` seconds, since a person's habits have the rhythm of days. A median gap of one tick
    of the log's clock (a second, a minute, an hour, a day) is not judged: on so coarse a clock
    everything is regular.

    Parameters
    ----------
    max_per_minute : int, default 50
        Most moments within a minute.
    regular_share : float, default 0.9
        Share of the gaps that must be alike.
    tolerance : float, default 0.1
        How far gaps that are alike may lie from the median, as a share of it.
    min_gaps : int, default 30
        Fewest gaps that are judged.
    longest_gap : float, default 3600.0
        Longest median gap that is judged, in seconds.

    Notes
    -----
    Chapter 01, "Behaviour logs". The defaults keep all 610 people of movielens-small, who reach up
    to 40 moments in a minute and half of the gaps alike.

    Rows: D05.

    Examples
    --------
    >>> import pandas as pd
    >>> rule = RobotRule()
    >>> beat = pd.date_range("2026-01-05", periods=100, freq="7s")
    >>> rule.find(pd.Series(["bot"] * 100 + ["ann"]), pd.Series([*beat, beat[0]]))
    ['bot']
    """

    max_per_minute: int = 50
    regular_share: float = 0.9
    tolerance: float = 0.1
    min_gaps: int = 30
    longest_gap: float = 3600.0

    def __post_init__(self) -> None:
        check_count(self.max_per_minute, "max_per_minute")
        check_count(self.min_gaps, "min_gaps")
        for name, most in (("regular_share", 1.0), ("tolerance", 1.0), ("longest_gap", 1e9)):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, Real):
                raise TypeError(f"{name} must be a number, got {number!r}")
            if not 0 < float(number) <= most:
                raise ValueError(f"{name} must lie above 0 and be at most {most:g}, got {number!r}")

    def find(self, users: pd.Series, moments: pd.Series) -> list[object]:
        """Return the users that are robots, in ascending order.

        Parameters
        ----------
        users : Series
            Who did something.
        moments : Series of datetime
            When.

        Returns
        -------
        list
            Ids of users.
        """
        codes, ids = pd.factorize(users, sort=True)
        micros = in_utc(moments).astype("int64").to_numpy()
        found = self.find_codes(codes.astype(np.int32), micros, len(ids))
        return ids[found].tolist()

    def find_codes(
        self, users: npt.NDArray[np.int32], micros: npt.NDArray[np.int64], n_users: int
    ) -> npt.NDArray[np.bool_]:
        """Return which of the users 0…n−1 are robots.

        Parameters
        ----------
        users : array of int
            Who did something.
        micros : array of int
            When, in microseconds.
        n_users : int
            Number of users.

        Returns
        -------
        array of bool
            One per user.
        """
        order = np.lexsort((micros, users))
        users, micros = users[order], micros[order]
        new = np.ones(len(users), dtype=bool)
        new[1:] = (users[1:] != users[:-1]) | (micros[1:] != micros[:-1])
        users, micros = users[new], micros[new]
        robots = np.zeros(n_users, dtype=bool)
        k = self.max_per_minute
        fast = (users[k:] == users[:-k]) & (micros[k:] - micros[:-k] < _MINUTE)
        robots[users[k:][fast]] = True
        robots[self._regular(users, micros)] = True
        return robots

    def _regular(
        self, users: npt.NDArray[np.int32], micros: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int32]:
        of_one = users[1:] == users[:-1]
        gaps, whose = np.diff(micros)[of_one], users[1:][of_one]
        enough = np.bincount(whose, minlength=1)[whose] >= self.min_gaps
        gaps, whose = gaps[enough], whose[enough]
        if not len(gaps):
            return whose
        tick = next((c for c in _CLOCKS if not (micros % c).any()), 1)
        table = pd.DataFrame({"user": whose, "gap": gaps})
        median = table.groupby("user")["gap"].transform("median")
        alike = (table["gap"] - median).abs() <= self.tolerance * median
        judged = (median > tick) & (median <= self.longest_gap * 1e6)
        share = (alike & judged).groupby(table["user"]).mean()
        return share.index[share >= self.regular_share].to_numpy(dtype=np.int32)
