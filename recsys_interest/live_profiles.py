"""Profiles in bounded memory: one decayed sum of vectors per user, for the users of late.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from recsys_interest.decayed_sums import decay, microseconds, moments
from recsys_interest.vectors import unit_rows

__all__ = ["LiveProfiles"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NEVER = np.iinfo(np.int64).min
EVENTS_AT_ONCE = 4096  # whose vectors are held in float64 at one time
_COLUMNS = ("n_events", "last", "anchor", "mass")


class LiveProfiles:
    r"""The sums that profiles are made of, by user, in arrays that do not grow beyond a size.

    For user :math:`u` with counted events :math:`e` of weight :math:`s_e` at :math:`t_e`,

    .. math:: t_u = \max_e t_e, \qquad m_u = \sum_e s_e \, 2^{-(t_u - t_e) / h}, \qquad
              S_u = \sum_e s_e \, 2^{-(t_u - t_e) / h} E_{i(e)}

    and the profile is :math:`S_u / m_u`. An event later than :math:`t_u` scales both sums down, an
    earlier one comes in scaled down, so events may come in any order.

    Parameters
    ----------
    n_features : int
        Length of a vector.
    half_life : float or None
        Days after which an event counts half.
    max_users : int
        Most users to know; the one whose events came longest ago makes room for a new one.
    max_seen : int
        Most items to remember of a user, those of the latest events.
    """

    def __init__(
        self, n_features: int, half_life: float | None, max_users: int, max_seen: int
    ) -> None:
        self.half_life, self.max_users, self.max_seen = half_life, max_users, max_seen
        self.row: dict[Any, int] = {}  # in the order of the last arrival
        self.free: list[int] = []
        self.n_evicted = 0
        self.seen: list[dict[int, int]] = []  # of each row: item → last moment
        self.sums = np.zeros((0, n_features))
        self.n_events = np.zeros(0, dtype=np.int64)
        self.last, self.anchor = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self.mass = np.zeros(0)

    def add(
        self,
        users: Sequence[Any],
        user: Ints,
        item: Ints,
        time: Ints,
        weight: Floats,
        vectors: NDArray[Any],
    ) -> None:
        """Take in events, sorted by time and then by user, item and weight.

        Parameters
        ----------
        users : sequence of ids
            Different users, sorted.
        user, item, time : ndarray of int64, shape (n_events,)
            Places in `users` and in `vectors` (−1 is an unknown item, whose weight is 0), and
            microseconds.
        weight : ndarray of float64, shape (n_events,)
            Not negative.
        vectors : ndarray of float32, shape (n_items, n_features)
            Of the items.
        """
        size = min(EVENTS_AT_ONCE, self.max_users)
        for start in range(0, len(user), size):
            part = slice(start, start + size)
            here, code = np.unique(user[part], return_inverse=True)
            newest = np.full(len(here), NEVER)
            np.maximum.at(newest, code, time[part])
            rows = self._rows([users[n] for n in here.tolist()], np.argsort(newest, kind="stable"))
            self._count(rows, code, newest)
            self._remember(rows[code], item[part], time[part])
            used = weight[part] > 0
            some = item[part][used]
            self._sum(rows, code[used], time[part][used], weight[part][used], vectors[some])

    def _rows(self, users: Sequence[Any], order: NDArray[np.intp]) -> Ints:
        """Return the rows of different users, new ones if need be; `order` is that of time."""
        rows = np.array([self.row.get(user, -1) for user in users], dtype=np.int64)
        for place in order.tolist():
            if rows[place] >= 0:
                self.row[users[place]] = self.row.pop(users[place])  # now the last to make room
        for place in order.tolist():
            if rows[place] < 0:
                rows[place] = self.row[users[place]] = self._new_row()
        return rows

    def _new_row(self) -> int:
        if len(self.row) >= self.max_users:
            self.drop(next(iter(self.row)))
            self.n_evicted += 1
        if not self.free:
            size = len(self.mass)
            self._grow(min(max(16, 2 * size), self.max_users) - size)
        return self.free.pop()

    def _grow(self, more: int) -> None:
        size = len(self.mass)
        self.sums = np.concatenate([self.sums, np.zeros((more, self.sums.shape[1]))])
        for name in _COLUMNS:
            old = getattr(self, name)
            setattr(self, name, np.concatenate([old, np.zeros(more, dtype=old.dtype)]))
        self.anchor[size:] = self.last[size:] = NEVER
        self.seen += [{} for _ in range(more)]
        self.free += range(size + more - 1, size - 1, -1)

    def drop(self, user: Any) -> None:
        """Remove a user, if known."""
        row = self.row.pop(user, None)
        if row is None:
            return
        self.sums[row], self.mass[row], self.n_events[row] = 0.0, 0.0, 0
        self.anchor[row] = self.last[row] = NEVER
        self.seen[row] = {}
        self.free.append(row)

    def _count(self, rows: Ints, user: Ints, newest: Ints) -> None:
        self.n_events[rows] += np.bincount(user, minlength=len(rows))
        self.last[rows] = np.maximum(self.last[rows], newest)

    def _remember(self, rows: Ints, item: Ints, time: Ints) -> None:
        for row, i, t in zip(rows.tolist(), item.tolist(), time.tolist(), strict=True):
            seen = self.seen[row]
            if i >= 0 and t >= seen.get(i, NEVER):
                seen[i] = t
                if len(seen) > self.max_seen:
                    del seen[min(seen, key=lambda k: (seen[k], k))]

    def _sum(
        self, rows: Ints, user: Ints, time: Ints, weight: Floats, vectors: NDArray[Any]
    ) -> None:
        if not len(user):
            return
        anchor = self.anchor[rows]
        np.maximum.at(anchor, user, time)
        old = np.where(self.mass[rows] > 0, self.anchor[rows], anchor)
        faded = decay(anchor - old, self.half_life)
        weight = weight * decay(anchor[user] - time, self.half_life)
        ends = (weight, (user, np.arange(len(user))))
        shares = sparse.csr_array(ends, shape=(len(rows), len(user)))
        self.sums[rows] = self.sums[rows] * faded[:, None] + shares @ vectors.astype(np.float64)
        self.mass[rows] = self.mass[rows] * faded + np.bincount(user, weight, len(rows))
        self.anchor[rows] = anchor

    def find(self, users: Iterable[Any]) -> Ints:
        """Return the row of each user, −1 where there is none."""
        return np.array([self.row.get(user, -1) for user in users], dtype=np.int64)

    def directions(self, rows: Ints) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Return which rows have a profile, and the directions of those."""
        own = rows >= 0
        own[own] = self.mass[rows[own]] > 0
        return own, unit_rows(self.sums[rows[own]]).astype(np.float32)

    def users(self) -> pd.DataFrame:
        """Return what is known about every user, sorted."""
        index, rows = self._sorted()
        about = {"n_events": self.n_events[rows], "last_event": moments(self.last[rows])}
        return pd.DataFrame({**about, "has_profile": self.mass[rows] > 0}, index=index)

    def profiles(self, columns: pd.Index) -> pd.DataFrame:
        """Return the profile of every user, sorted, zeros for none."""
        index, rows = self._sorted()
        sums, mass = self.sums[rows], self.mass[rows][:, None]
        means = np.divide(sums, mass, out=np.zeros_like(sums), where=mass > 0)
        return pd.DataFrame(means.astype(np.float32), index=index, columns=columns)

    def _sorted(self) -> tuple[pd.Index, Ints]:
        kind = None if self.row else "str"
        index = pd.Index(list(self.row), dtype=kind, name="user_id").sort_values()
        return index, self.find(index.tolist())

    def renumber(self, item: Ints) -> None:
        """Give the remembered items new numbers: the old number n becomes ``item[n]``."""
        self.seen = [{int(item[i]): t for i, t in seen.items()} for seen in self.seen]

    def to_frames(self, items: pd.Index) -> dict[str, pd.DataFrame]:
        """Return everything as tables, the users in the order in which they will make room."""
        users, rows = list(self.row), np.array(list(self.row.values()), dtype=np.int64)
        kind = pd.Index(users).dtype if users else "str"
        ids = pd.Series(users, dtype=kind)
        about = {name: getattr(self, name)[rows] for name in _COLUMNS}
        about |= {name: moments(about[name]) for name in ("last", "anchor")}
        seen = [(n, i, t) for n, row in enumerate(rows) for i, t in self.seen[row].items()]
        owner, item, time = np.array(seen, dtype=np.int64).reshape(-1, 3).T
        table = {"user_id": ids.iloc[owner].reset_index(drop=True), "item_id": items[item]}
        return {
            "users": pd.DataFrame({"user_id": ids, **about}),
            "sums": pd.DataFrame(self.sums[rows]),
            "seen": pd.DataFrame(table).assign(last=moments(time.copy())),
        }

    def from_frames(self, state: Mapping[str, pd.DataFrame], items: pd.Index) -> None:
        """Take over what `to_frames` returned, into an object without users."""
        users = state["users"].tail(self.max_users)  # the others would be the first to make room
        ids = users["user_id"].tolist()
        seen = state["seen"][state["seen"]["user_id"].isin(ids)]
        self._grow(min(max(len(ids), 16), self.max_users))
        rows = self._rows(ids, np.arange(len(ids)))
        self.sums[rows] = state["sums"].tail(len(ids)).to_numpy(dtype=np.float64)
        self.n_evicted += len(state["users"]) - len(ids)
        for name in _COLUMNS:
            column = users[name]
            moment = name in ("last", "anchor")
            getattr(self, name)[rows] = microseconds(column) if moment else column
        self._remember(
            self.find(seen["user_id"].tolist()),
            items.get_indexer(seen["item_id"]),
            microseconds(seen["last"]),
        )
