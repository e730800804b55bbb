"""The items of a live recommender: their vectors, and how much was done with each of late.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import canonical_ids, check_same_ids
from recsys_interest.decayed_sums import decay, microseconds, moments
from recsys_interest.products import exact_pairs
from recsys_interest.profile_sums import extended
from recsys_interest.top_k import Found, ranked, shortlist
from recsys_interest.vectors import unit_rows

__all__ = ["LiveCatalogue", "known_kind"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

NEVER = np.iinfo(np.int64).min


class LiveCatalogue:
    """Items sorted by id, with unit vectors to rank by and decayed sums of strengths.

    Parameters
    ----------
    vectors : DataFrame of float32
        Checked, sorted by id. A row of zeros is an item without a vector.
    half_life : float or None
        Days after which an event counts half.
    """

    def __init__(self, vectors: pd.DataFrame, half_life: float | None) -> None:
        self.half_life = half_life
        self.mass, self.newest = np.zeros(len(vectors)), np.full(len(vectors), NEVER)
        self._take(vectors)

    def _take(self, vectors: pd.DataFrame) -> None:
        self.vectors = vectors
        unit = unit_rows(vectors.to_numpy(dtype=np.float64)).astype(np.float32)
        self.unit = np.ascontiguousarray(unit)
        self.blank: NDArray[np.bool_] = np.logical_not(unit.any(axis=1))
        # Twice the error bound of a dot product of two of length one, in any order of its sums.
        self.slack = float(unit.shape[1] * np.finfo(np.float32).eps)
        self.rows = vectors.to_numpy()
        self.place = {item: n for n, item in enumerate(vectors.index.tolist())}

    @property
    def ids(self) -> pd.Index:
        """The items."""
        return self.vectors.index

    def extend(self, more: pd.DataFrame) -> NDArray[np.intp]:
        """Add items or replace vectors, and return where the items so far are now."""
        before = self.ids
        self._take(extended(self.vectors, more))
        places = self.ids.get_indexer(before)
        mass, newest = self.mass, self.newest
        self.mass, self.newest = np.zeros(len(self.ids)), np.full(len(self.ids), NEVER)
        self.mass[places], self.newest[places] = mass, newest
        return places

    def add(self, item: Ints, time: Ints, strength: Floats) -> None:
        """Count events on known items."""
        some, code = np.unique(item, return_inverse=True)  # a catalogue may be large
        mass, before = self.mass[some], self.newest[some]
        newest = before.copy()
        np.maximum.at(newest, code, time)
        mass *= decay(np.where(mass > 0, newest - before, 0), self.half_life)
        faded = strength * decay(newest[code] - time, self.half_life)
        self.mass[some] = mass + np.bincount(code, faded, len(some))
        self.newest[some] = newest

    def popularity(self) -> Floats:
        """Return the decayed sum of strengths of each item, at the moment of the newest event."""
        now = int(self.newest.max(initial=NEVER))
        age = np.where(self.mass > 0, now - self.newest, 0)
        popularity: Floats = self.mass * decay(age, self.half_life)
        return popularity

    def scores(self, own: NDArray[np.bool_], directions: Singles) -> NDArray[np.floating]:
        """Return the cosines with the directions of those who have an own one, else popularity."""
        if len(own) == 1 and own[0]:  # the usual request, without a copy
            scores: Singles = (self.unit @ directions[0])[None]
            scores[0, self.blank] = -np.inf
            return scores
        # Sums of strengths need float64: two large ones may differ by little.
        kind = np.float32 if own.all() else np.float64
        scores = np.empty((len(own), len(self.ids)), dtype=kind)
        scores[own] = directions @ self.unit.T
        scores[np.ix_(own, self.blank)] = -np.inf
        scores[~own] = self.popularity()
        return scores

    def best(
        self, scores: NDArray[np.floating], own: NDArray[np.bool_], directions: Singles, k: int
    ) -> Found:
        """Return row, item, score and rank of the k best of each row of `scores`.

        The last bits of a product of matrices depend on their sizes. So the cosines of what may be
        among the best are computed once more, pair by pair: equal items stay equal.
        """
        user, item = shortlist(scores, k, np.where(own, 2 * self.slack, 0.0))
        score, mine = scores[user, item].astype(np.float64), own[user]
        place = np.cumsum(own) - 1
        score[mine] = exact_pairs(directions, self.unit)(place[user[mine]], item[mine])
        return ranked(user, item, score, k)

    def to_frame(self) -> pd.DataFrame:
        """Return the counts as a table."""
        counts = {"mass": self.mass, "newest": moments(self.newest)}
        return pd.DataFrame(counts, index=self.ids)

    def from_frame(self, table: pd.DataFrame) -> None:
        """Take over what `to_frame` returned."""
        self.mass = table["mass"].to_numpy(copy=True)
        self.newest = microseconds(table["newest"]).copy()


def known_kind(one: Any, name: str, known: Mapping[Any, int]) -> Any:
    """Return an id that is of the kind of the known ones; in microseconds if all is well.

    >>> known_kind(7.0, "user_id", {1: 0})
    7
    """
    other = next(iter(known), one)
    if type(one) is type(other) is str and one.strip():
        return one
    if type(one) is type(other) is int and abs(one) < 2**63:
        return one
    ids = canonical_ids(pd.Series([one]), name)
    check_same_ids(ids, pd.Series([other]), name, f"the earlier {name}")
    return ids.tolist()[0]
