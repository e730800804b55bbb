"""What all profiles can be computed from: one decayed sum of strengths per user and item.

Chapter: 05 (user profiles).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import SchemaError, shown
from recsys_interest.schema import TIMESTAMP_DTYPE

__all__ = ["MICROSECONDS_A_DAY", "DecayedSums", "decay"]

MICROSECONDS_A_DAY = 86_400_000_000

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class DecayedSums:
    r"""The sufficient statistics of all profiles, sorted by user and item.

    For user :math:`u`, item :math:`i` and the events :math:`e` of :math:`u` on :math:`i` with
    positive strength :math:`s_e` at time :math:`t_e`,

    .. math:: t_{ui} = \max_e t_e, \qquad m_{ui} = \sum_e s_e \, 2^{-(t_{ui} - t_e) / h} .

    Every pair has its own anchor :math:`t_{ui}`, so that :math:`m_{ui}` lies between the strength
    of its newest event and the sum of all: it neither overflows nor vanishes, however long the log
    is. Two tables of these are merged by the same formula, with sums in the place of events; it is
    associative and commutative, so batches may come in any order.

    Attributes
    ----------
    users, items : Index
        Sorted ids: every user, and the items with a positive event.
    n_events, last : ndarray of int64, shape (n_users,)
        Number of events, and the time of the last one in microseconds, whatever their strength.
    user, item : ndarray of int64, shape (n_pairs,)
        Places in `users` and `items`.
    newest : ndarray of int64, shape (n_pairs,)
        :math:`t_{ui}` in microseconds.
    mass : ndarray of float64, shape (n_pairs,)
        :math:`m_{ui}`.
    """

    users: pd.Index
    items: pd.Index
    n_events: Ints
    last: Ints
    user: Ints
    item: Ints
    newest: Ints
    mass: Floats

    @classmethod
    def from_events(
        cls, log: pd.DataFrame, strength: Floats, half_life: float | None
    ) -> DecayedSums:
        """Sum up valid events; those without a positive strength are only counted.

        The result depends on the set of rows only, not on their order, to the last bit.
        """
        codes, users = pd.factorize(log["user_id"], sort=True)
        time = microseconds(log["timestamp"])
        last = np.full(len(users), np.iinfo(np.int64).min)
        np.maximum.at(last, codes, time)
        positive = np.flatnonzero(strength > 0)
        chosen = log["item_id"] if len(positive) == len(log) else log["item_id"].iloc[positive]
        item, items = pd.factorize(chosen, sort=True)
        pairs = _collapsed(
            codes[positive], item, time[positive], strength[positive], len(items), half_life
        )
        counts = np.bincount(codes, minlength=len(users))
        return cls(pd.Index(users), pd.Index(items), counts, last, *pairs)

    @classmethod
    def merged(cls, parts: Sequence[DecayedSums], half_life: float | None) -> DecayedSums:
        """Add up several tables of sums."""
        if len(parts) == 1:
            return parts[0]
        users = _union([part.users for part in parts])
        items = _union([part.items for part in parts])
        at = [users.get_indexer(part.users) for part in parts]
        n_events = np.zeros(len(users), dtype=np.int64)
        last = np.full(len(users), np.iinfo(np.int64).min)
        for part, places in zip(parts, at, strict=True):
            n_events[places] += part.n_events
            last[places] = np.maximum(last[places], part.last)
        user = np.concatenate([p[part.user] for part, p in zip(parts, at, strict=True)])
        item = np.concatenate([items.get_indexer(part.items)[part.item] for part in parts])
        newest = np.concatenate([part.newest for part in parts])
        mass = np.concatenate([part.mass for part in parts])
        pairs = _collapsed(user, item, newest, mass, len(items), half_life)
        return cls(users, items, n_events, last, *pairs)

    def of(self, users: pd.Index) -> DecayedSums:
        """Return the sums of some users; those that are not there are left out."""
        found = self.users.get_indexer(users)
        places = np.unique(found[found >= 0])
        low = np.searchsorted(self.user, places)
        counts = np.searchsorted(self.user, places, side="right") - low
        rows = np.repeat(low - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
        return DecayedSums(
            self.users[places],
            self.items,
            self.n_events[places],
            self.last[places],
            np.repeat(np.arange(len(places)), counts),
            self.item[rows],
            self.newest[rows],
            self.mass[rows],
        )

    def without(self, users: pd.Index) -> DecayedSums:
        """Return the sums of everybody but some users; an item that nobody else had is gone."""
        rest = self.of(self.users[~self.users.isin(users)])
        used, item = np.unique(rest.item, return_inverse=True)
        return replace(rest, items=rest.items[used], item=item.astype(np.int64))

    def idf(self) -> Floats:
        r"""Return :math:`1 + \ln((1 + n) / (1 + n_i))`, and last that of an item nobody has."""
        n_users = np.count_nonzero(np.diff(self.user, prepend=-1))
        holders = np.append(np.bincount(self.item, minlength=len(self.items)), 0)
        return 1 + np.log((1 + n_users) / (1 + holders))

    def to_frames(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the users and the pairs as two tables with ids."""
        users = {"user_id": self.users, "n_events": self.n_events, "last_event": moments(self.last)}
        pairs = {
            "user_id": self.users.take(self.user),
            "item_id": self.items.take(self.item),
            "newest": moments(self.newest),
            "mass": self.mass,
        }
        return pd.DataFrame(users), pd.DataFrame(pairs)

    @classmethod
    def from_frames(
        cls, users: pd.DataFrame, pairs: pd.DataFrame, half_life: float | None
    ) -> DecayedSums:
        """Return what `to_frames` was called on; rows may come in any order."""
        twice = users["user_id"].duplicated()
        strange = ~pairs["user_id"].isin(users["user_id"])
        if twice.any() or strange.any():
            who = [*users.loc[twice, "user_id"], *pairs.loc[strange, "user_id"]]
            raise SchemaError(f"state: users and pairs do not fit each other for {shown(who)}")
        users = users.sort_values("user_id", ignore_index=True)
        known = pd.Index(users["user_id"], name=None)
        item, items = pd.factorize(pairs["item_id"], sort=True)
        return cls(
            known,
            pd.Index(items),
            users["n_events"].to_numpy(dtype=np.int64),
            microseconds(users["last_event"]),
            *_collapsed(
                known.get_indexer(pairs["user_id"]),
                item,
                microseconds(pairs["newest"]),
                pairs["mass"].to_numpy(dtype=np.float64),
                len(items),
                half_life,
            ),
        )


def decay(age: Ints, half_life: float | None) -> Floats:
    r"""Return :math:`2^{-a/h}` for ages in microseconds and a half-life in days; 1 without one.

    >>> decay(np.array([0, MICROSECONDS_A_DAY]), 1.0).tolist()
    [1.0, 0.5]
    """
    if half_life is None:
        return np.ones(len(age))
    halvings: Floats = age / (-MICROSECONDS_A_DAY * float(half_life))
    return np.exp2(halvings, out=halvings)


def microseconds(moments: pd.Series) -> Ints:
    """Return moments in UTC as whole microseconds since 1970."""
    return moments.astype(TIMESTAMP_DTYPE).astype("int64").to_numpy()


def moments(microseconds: Ints) -> pd.DatetimeIndex:
    """Return microseconds since 1970 as moments in UTC."""
    return pd.DatetimeIndex(microseconds.view("datetime64[us]")).tz_localize("UTC")


def _collapsed(
    user: Ints, item: Ints, time: Ints, mass: Floats, n_items: int, half_life: float | None
) -> tuple[Ints, Ints, Ints, Floats]:
    """Return one row per pair, sorted: user, item, newest time, decayed sum."""
    key = user * np.int64(max(n_items, 1)) + item
    order = np.argsort(key)
    key = key[order]
    same = key[1:] == key[:-1]
    repeated = np.flatnonzero(np.append(same, False) | np.append(False, same))
    # Floating-point sums depend on the order of their terms, so the terms get one order. Most
    # pairs have a single event and need none.
    rows = order[repeated]
    order[repeated] = rows[np.lexsort((mass[rows], time[rows], key[repeated]))]
    first = np.flatnonzero(np.append(True, ~same)) if len(key) else np.zeros(0, dtype=np.int64)
    time, mass = time[order], mass[order]
    if len(first) < len(key):
        size = np.diff(np.append(first, len(key)))
        newest = time[first + size - 1]
        mass = np.add.reduceat(mass * decay(np.repeat(newest, size) - time, half_life), first)
        key, time = key[first], newest
    return key // max(n_items, 1), key % max(n_items, 1), time, mass


def _union(indexes: Sequence[pd.Index]) -> pd.Index:
    # Without the empty ones, whose kind means nothing.
    filled = [index for index in indexes if len(index)] or [indexes[0]]
    return reduce(pd.Index.union, filled)
