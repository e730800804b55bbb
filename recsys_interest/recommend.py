"""Top-k lists: the articles' cosine method, and the popularity list it has to beat.

Chapter: 11 (cosine recommendation), 13 (cold start).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from recsys_interest.checks import check_positive, check_same_ids
from recsys_interest.likes import likes_matrix
from recsys_interest.profiles import InterestProfiler
from recsys_interest.recommender import Floats, Positions, Recommender, dense_rows
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["CosineRecommender", "PopularityRecommender", "made_fallback"]

PAIRS_AT_ONCE = 8192  # user-item pairs whose vectors are held in float64 at one time


class PopularityRecommender(Recommender):
    r"""Recommend to everybody what most users liked.

    .. math:: \mathrm{score}(i) = \Bigl|\Bigl\{u : \sum_{e \in (u, i)} s_e > 0\Bigr\}\Bigr|

    the number of different users whose events on the item add up to more than nothing (a purchase
    that was returned does not count, a hundred visits of one user count once). Items of the
    catalogue without such a user have the score 0 and come last.

    Parameters
    ----------
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    last_days : float, optional
        Count only the events of so many days before the last one, in days: what is popular now.
        All events if not given.

    Attributes
    ----------
    popularity_ : Series of float64, shape (n_items,)
        The score of each item of the catalogue.

    Notes
    -----
    Chapter 11, "Cosine recommendation". It needs no vectors and answers every user, known or not.

    Rows: H05.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 2, 3], "item_id": ["tent", "tent", "rope"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> PopularityRecommender().fit(log).recommend([3, 99], k=2)
       user_id item_id  rank  score      source
    0        3    tent     1    2.0  popularity
    1       99    tent     1    2.0  popularity
    2       99    rope     2    1.0  popularity
    """

    source = "popularity"

    def __init__(
        self,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        *,
        last_days: float | None = None,
    ) -> None:
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.last_days = last_days

    def _learn(
        self, log: pd.DataFrame, items: pd.DataFrame | None, item_vectors: pd.DataFrame | None
    ) -> None:
        if self.last_days is not None:
            days = check_positive(self.last_days, "last_days")
            log = log[log["timestamp"] > log["timestamp"].max() - pd.Timedelta(days=days)]
        likes = likes_matrix(
            log, self.user_ids_, self.item_ids_, self.event_weights, self.neutral_rating
        )
        self.popularity_ = pd.Series(likes.sum(axis=0), index=self.item_ids_)

    def _scores(self, users: Positions) -> Floats:
        return np.tile(self.popularity_.to_numpy(), (len(users), 1))


class CosineRecommender(Recommender):
    r"""Recommend the items whose vectors point where the user's profile points.

    .. math:: \mathrm{score}(u, i) = \frac{F_u \cdot E_i}{\lVert F_u \rVert \, \lVert E_i \rVert}

    A session of the user is blended in by its own profile :math:`S_u`, with the weight
    :math:`\alpha`; where there is only one of the two, it is that:

    .. math:: F'_u = (1 - \alpha) \frac{F_u}{\lVert F_u \rVert}
        + \alpha \frac{S_u}{\lVert S_u \rVert} .

    Parameters
    ----------
    profiler : InterestProfiler, optional
        Makes the profiles :math:`F_u`; `InterestProfiler()` if not given. It is cloned.
    fallback : Recommender, optional
        Answers for users without a profile: not in the log, without a positive event on an item
        with a vector, or with a profile of zero length. `PopularityRecommender` with the weights of
        the profiler if not given. It is cloned and fitted on the same tables.
    session_weight : float, default 0.5
        :math:`\alpha`, from 0 to 1: how much a session counts beside a user's log.

    Attributes
    ----------
    profiler_ : InterestProfiler
        The fitted profiler.
    fallback_ : Recommender
        The fitted fallback.
    item_vectors_ : ndarray of float32, shape (n_items, n_dimensions)
        The item vectors scaled to length one; zeros for an item without a direction.
    user_vectors_ : ndarray of float32, shape (n_users, n_dimensions)
        The profiles scaled to length one; zeros for a user without a profile.

    Notes
    -----
    Chapter 11, "Cosine recommendation"; cold users: chapter 13, "Cold start". Items without a
    vector, or with one of zeros, have no cosine and are never recommended by it; nor are items that
    have a vector but are neither in the log nor in `items`. All pairs are scored in float32, those
    that can reach a list again in float64 and one by one, so that a list depends neither on the
    other users asked for nor on `max_scores`.

    Rows: D15, K03, R01, R02, R03.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 2], "item_id": ["tent", "oven"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> items = pd.DataFrame({"item_id": ["tent", "rope", "oven"]})
    >>> vectors = pd.DataFrame([[1, 0], [4, 3], [0, 1]], index=items["item_id"], dtype="float32")
    >>> CosineRecommender().fit(log, items, vectors).recommend([1], k=2).round(3)
       user_id item_id  rank  score  source
    0        1    rope     1    0.8  cosine
    1        1    oven     2    0.0  cosine
    """

    source = "cosine"

    def __init__(
        self,
        profiler: InterestProfiler | None = None,
        fallback: Recommender | None = None,
        *,
        session_weight: float = 0.5,
    ) -> None:
        self.profiler = profiler
        self.fallback = fallback
        self.session_weight = session_weight

    def _learn(
        self, log: pd.DataFrame, items: pd.DataFrame | None, item_vectors: pd.DataFrame | None
    ) -> None:
        if check_positive(self.session_weight, "session_weight", zero=True) > 1:
            raise ValueError(f"session_weight must be at most 1, got {self.session_weight!r}")
        if item_vectors is None:
            raise TypeError("item_vectors is missing; TextEncoder makes it from item_text(items)")
        vectors = check_vectors(item_vectors, "item_vectors")
        ids = vectors.index.to_series()
        check_same_ids(self.item_ids_.to_series(), ids, "the catalogue", "item_vectors.index")
        self.item_vectors_ = _unit(vectors.reindex(self.item_ids_, fill_value=0.0))
        self.profiler_ = InterestProfiler() if self.profiler is None else clone(self.profiler)
        self.profiler_.fit(log, vectors)
        self.fallback_ = made_fallback(
            self.fallback, self.profiler_.event_weights, self.profiler_.neutral_rating
        ).fit(log, items, item_vectors)
        profiles = self.profiler_.profiles_
        self.user_vectors_ = _unit(profiles.reindex(self.user_ids_, fill_value=0.0))

    def _take_in(self, asked: pd.Index, users: Positions, session: pd.DataFrame) -> Positions:
        known = dense_rows(self.user_vectors_, users)
        recent = _unit(self.profiler_.transform(session).reindex(asked, fill_value=0.0))
        self.user_vectors_ = _blended(known, recent, self.session_weight)
        return np.arange(len(users))

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        has_profile: NDArray[np.bool_] = np.asarray(self.user_vectors_.any(axis=1))
        return np.logical_and(users >= 0, has_profile[users])

    def _scores(self, users: Positions) -> Floats:
        scores: Floats = self.user_vectors_[users] @ self.item_vectors_.T
        scores[:, ~self.item_vectors_.any(axis=1)] = -np.inf
        return scores

    def _slack(self) -> float:
        # Twice the error bound of a float32 dot product of unit vectors in any order of its sums.
        return float(self.item_vectors_.shape[1] * np.finfo(np.float32).eps)

    def _exact(self, users: Positions, items: Positions, scores: Floats) -> Floats:
        exact = np.empty(len(users))
        for start in range(0, len(users), PAIRS_AT_ONCE):
            part = slice(start, start + PAIRS_AT_ONCE)
            left = self.user_vectors_[users[part]].astype(np.float64)
            exact[part] = np.vecdot(left, self.item_vectors_[items[part]].astype(np.float64))
        return exact


def made_fallback(
    fallback: Recommender | None, event_weights: Mapping[str, float] | None, neutral_rating: float
) -> Recommender:
    """Return an unfitted copy of the fallback; popularity with these weights if there is none.

    >>> made_fallback(None, None, 2.5)
    PopularityRecommender(neutral_rating=2.5)
    """
    if fallback is None:
        return PopularityRecommender(event_weights, neutral_rating)
    if not isinstance(fallback, Recommender):
        raise TypeError(f"fallback must be a Recommender, got {type(fallback).__name__}")
    made: Recommender = clone(fallback)
    return made


def _blended(
    known: NDArray[np.float32], recent: NDArray[np.float32], share: float
) -> NDArray[np.float32]:
    """Return unit vectors between two; where one of them is zero, the other."""
    has_known: NDArray[np.bool_] = np.asarray(known.any(axis=1))
    has_recent: NDArray[np.bool_] = np.asarray(recent.any(axis=1))
    out = np.where(has_recent[:, None], recent, known)
    both = np.flatnonzero(has_known & has_recent)
    mixed = (1.0 - share) * known[both].astype(np.float64) + share * recent[both]
    out[both] = unit_rows(mixed).astype(np.float32)
    return out


def _unit(vectors: pd.DataFrame) -> NDArray[np.float32]:
    return unit_rows(vectors.to_numpy(dtype=np.float64)).astype(np.float32)
