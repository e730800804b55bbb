"""How profiles are computed from decayed sums, whatever order the events came in.

Chapter: 05 (user profiles).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import as_moment, check_same_ids, given_ids, shown
from recsys_interest.decayed_sums import DecayedSums, decay, microseconds, moments
from recsys_interest.means import weighted_means
from recsys_interest.schema import validate_events
from recsys_interest.weighing import Weighing

__all__ = ["ProfileSums", "extended", "sums_of", "used_columns"]

_USED = ("user_id", "item_id", "event", "timestamp", "value")

Floats = NDArray[np.float64]


class ProfileSums:
    """What `InterestProfiler` has summed up so far, and the profiles that follow from it.

    Attributes
    ----------
    item_vectors_ : DataFrame of float32
        The item vectors, sorted by id.
    """

    n_jobs: int | None
    reference_time: str | pd.Timestamp | None
    item_vectors_: pd.DataFrame

    def _start(self, vectors: pd.DataFrame, parts: list[DecayedSums], weighing: Weighing) -> None:
        # Parameters that are set later act at the next fit, not on results not yet asked for.
        self.item_vectors_, self._parts, self._weighing = vectors, parts, weighing
        self._now = self.reference_time
        self._cache: tuple[pd.DataFrame, pd.DataFrame] | None = None

    def _results(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        check_is_fitted(self)
        if self._cache is None:
            self._cache = self._profiled(self._whole())
        return self._cache

    def _whole(self) -> DecayedSums:
        self._parts = [DecayedSums.merged(self._parts, self._weighing.half_life)]
        return self._parts[0]

    def _some(self, ids: pd.Index) -> DecayedSums:
        return DecayedSums.merged([part.of(ids) for part in self._parts], self._weighing.half_life)

    def _asked(self, user_ids: Iterable[Any]) -> pd.Index:
        asked = given_ids(user_ids, "user_ids")
        return pd.Index(asked) if len(asked) else self._parts[0].users[:0]

    def _weights(self, sums: DecayedSums) -> tuple[NDArray[Any], ...]:
        """Return which pairs count, their weights, and each user's sum and newest moment.

        Weights are counted from each user's newest pair: after a long silence all of them would
        underflow to 0, though their ratios, and so the profile, are well defined.
        """
        idf = self._rarity(sums.items)
        counts = self._has_vector(sums.items) & (idf > 0)
        used = np.flatnonzero(counts[sums.item])
        user, newest = sums.user[used], sums.newest[used]
        weight = sums.mass[used] * idf[sums.item[used]]
        anchor = np.full(len(sums.users), np.iinfo(np.int64).min)
        if len(user):
            first = np.flatnonzero(np.append(True, user[1:] != user[:-1]))
            anchor[user[first]] = np.maximum.reduceat(newest, first)
        if self._weighing.half_life is not None:
            weight *= decay(anchor[user] - newest, self._weighing.half_life)
        total = np.bincount(user, weight, minlength=len(sums.users))
        return used, weight, total, anchor

    def _profiled(self, sums: DecayedSums) -> tuple[pd.DataFrame, pd.DataFrame]:
        used, weight, total, anchor = self._weights(sums)
        user = sums.user[used]
        column = self.item_vectors_.index.get_indexer(sums.items)[sums.item[used]]
        ends = np.append(0, np.cumsum(np.bincount(user, minlength=len(sums.users))))
        shape = (len(sums.users), len(self.item_vectors_))
        shares = sparse.csr_array((weight / total[user], column, ends), shape=shape)
        means = weighted_means(shares, self.item_vectors_.to_numpy(), self.n_jobs)
        known = total > 0
        silence = np.where(known, self._reference(sums) - anchor, 0)
        about = {
            "n_events": sums.n_events,
            "last_event": moments(sums.last),
            "weight": total * decay(silence, self._weighing.half_life),
            "has_profile": known,
        }
        ids = pd.Index(sums.users, name="user_id")
        profiles = pd.DataFrame(means, index=ids, columns=self.item_vectors_.columns, copy=False)
        return profiles, pd.DataFrame(about, index=ids)

    def _event_shares(self, log: pd.DataFrame) -> pd.DataFrame:
        items = pd.Index(log["item_id"])
        worth = self._weighing.strength(log) * self._rarity(items) * self._has_vector(items)
        return self._weighing.event_shares(log, worth)

    def _reference(self, sums: DecayedSums) -> int:
        if self._now is None:
            return int(sums.last.max(initial=0))
        return int(microseconds(pd.Series([as_moment(self._now, "reference_time")]))[0])

    def _has_vector(self, items: pd.Index) -> NDArray[np.bool_]:
        # The last entry answers for items that are not there, whose place is −1.
        filled = np.append(self.item_vectors_.to_numpy().any(axis=1), False)
        return filled[self.item_vectors_.index.get_indexer(items)]

    def _rarity(self, items: pd.Index) -> Floats:
        return self._weighing.rarity(items, self._whole)


def used_columns(events: pd.DataFrame) -> pd.DataFrame:
    """Leave out what no weight depends on, so that it need not be checked."""
    if not isinstance(events, pd.DataFrame):
        return events  # validate_events says what is wrong
    return events[[column for column in events.columns if column in _USED]]


def sums_of(events: pd.DataFrame, vectors: pd.DataFrame, weighing: Weighing) -> DecayedSums:
    """Return the sums of a table of events, after checking it against the item vectors."""
    log = validate_events(used_columns(events))
    ids = vectors.index.to_series()
    check_same_ids(log["item_id"], ids, "events.item_id", "item_vectors.index")
    return DecayedSums.from_events(log, weighing.strength(log), weighing.half_life)


def extended(known: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """Return the known item vectors with more of them added or replaced."""
    check_same_ids(more.index.to_series(), known.index.to_series(), "item_vectors", "earlier ones")
    if more.columns.tolist() != known.columns.tolist():
        raise ValueError(
            f"item_vectors has {more.shape[1]} columns {shown(more.columns)}, the earlier ones "
            f"{known.shape[1]}: {shown(known.columns)}; encode all items with one model"
        )
    return pd.concat([known.drop(index=more.index, errors="ignore"), more]).sort_index()
