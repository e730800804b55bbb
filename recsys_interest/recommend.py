"""Top-k lists: the articles' cosine method, and the popularity list it has to beat.

Chapter: 11 (cosine recommendation), 13 (cold start).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from recsys_interest.checks import check_kind, check_positive, check_share, shown
from recsys_interest.clusters import InterestClusterer
from recsys_interest.likes import likes_matrix
from recsys_interest.product_recommender import ProductRecommender
from recsys_interest.products import exact_pairs
from recsys_interest.profiles import InterestProfiler
from recsys_interest.recommender import (
    Floats,
    Positions,
    Recommender,
    dense_rows,
)
from recsys_interest.sessions import blend_profiles
from recsys_interest.vectors import check_item_vectors, unit_rows

__all__ = [
    "CosineRecommender",
    "PopularityRecommender",
    "ProfileRecommender",
    "made_clusterer",
    "made_fallback",
]

_METRICS = ("cosine", "dot", "euclidean")


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
            age = (log["timestamp"].max() - log["timestamp"]) / pd.Timedelta(days=1)
            log = log[age < days]
        likes = likes_matrix(
            log, self.user_ids_, self.item_ids_, self.event_weights, self.neutral_rating
        )
        self.popularity_ = pd.Series(likes.sum(axis=0), index=self.item_ids_)

    def _scores(self, users: Positions) -> Floats:
        return np.tile(self.popularity_.to_numpy(), (len(users), 1))


class ProfileRecommender(Recommender):
    r"""A recommender that knows a user by the direction of his profile.

    A session of the user is blended in by its own profile :math:`S_u`, with the weight
    :math:`\alpha`; where there is only one of the two, it is that:

    .. math:: F'_u = (1 - \alpha) \frac{F_u}{\lVert F_u \rVert}
        + \alpha \frac{S_u}{\lVert S_u \rVert} .

    A subclass says what it learns from the profiles (`_learn_profiles`) and what becomes of that
    when they change (`_take_in_profiles`). Its `__init__` takes `profiler`, `fallback` and
    `session_weight`.

    Attributes
    ----------
    profiler_ : InterestProfiler
        The fitted profiler.
    fallback_ : Recommender
        The fitted fallback: it answers for users without a profile.
    profile_vectors_ : ndarray of float32, shape (n_users, n_dimensions)
        The profiles scaled to length one; zeros for a user without a profile.
    """

    profiler: InterestProfiler | None
    fallback: Recommender | None
    session_weight: float

    def _learn(
        self, log: pd.DataFrame, items: pd.DataFrame | None, item_vectors: pd.DataFrame | None
    ) -> None:
        check_share(self.session_weight, "session_weight")
        vectors = check_item_vectors(item_vectors, self.item_ids_)
        profiler = InterestProfiler() if self.profiler is None else self.profiler
        self.profiler_ = clone(check_kind(profiler, InterestProfiler, "profiler"))
        self.profiler_.fit(log, vectors)
        self.fallback_ = made_fallback(
            self.fallback, self.profiler_.event_weights, self.profiler_.neutral_rating
        ).fit(log, items, item_vectors)
        profiles = self.profiler_.profiles_
        self.profile_vectors_ = _unit(profiles.reindex(self.user_ids_, fill_value=0.0))
        self._learn_profiles(log, vectors)

    @abstractmethod
    def _learn_profiles(self, log: pd.DataFrame, vectors: pd.DataFrame) -> None:
        """Learn from `profile_vectors_`, the valid log and the checked vectors of items."""

    def _take_in(self, asked: pd.Index, users: Positions, session: pd.DataFrame) -> Positions:
        known = dense_rows(self.profile_vectors_, users)
        recent = self.profiler_.transform(session)
        usual = pd.DataFrame(known, index=asked, columns=recent.columns)
        blended = _unit(blend_profiles(usual, recent, self.session_weight).reindex(asked))
        changed = recent.any(axis=1).reindex(asked, fill_value=False).to_numpy()
        self.profile_vectors_ = np.where(changed[:, None], blended, known)
        self._take_in_profiles(users)
        return np.arange(len(users))

    def _take_in_profiles(self, users: Positions) -> None:
        """Keep of the users only those at `users` (−1: a new one), by `profile_vectors_`."""


class CosineRecommender(ProfileRecommender, ProductRecommender):
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
    metric : {"cosine", "dot", "euclidean"}, default "cosine"
        What compares the user's vector, scaled to length one, with the item's. ``"dot"`` is
        :math:`F_u \cdot E_i` and ``"euclidean"`` is :math:`-\lVert F_u - E_i \rVert`, both with the
        item's vector as long as it is. Where all items have length one, the lists are the same.
    clusterer : InterestClusterer, optional
        Stands between user and items: the user's vector is the centroid of the cluster that his
        profile falls in, never its label, which is a name and has no direction. It is cloned and
        fitted on the profiles. Users without a cluster go to the fallback.
    session_weight : float, default 0.5
        :math:`\alpha`, from 0 to 1: how much a session counts beside a user's log.

    Attributes
    ----------
    profiler_ : InterestProfiler
        The fitted profiler.
    fallback_ : Recommender
        The fitted fallback.
    clusterer_ : InterestClusterer or None
        The fitted clusterer.
    item_vectors_ : ndarray of float32, shape (n_items, n_dimensions)
        The item vectors, for the cosine scaled to length one; zeros for an item without a
        direction.
    profile_vectors_ : ndarray of float32, shape (n_users, n_dimensions)
        The profiles scaled to length one; zeros for a user without a profile.
    user_vectors_ : ndarray of float32, shape (n_users, n_dimensions)
        What the items are compared with: the profiles, or the centroids.

    Notes
    -----
    Chapter 11, "Cosine recommendation"; cold users: chapter 13, "Cold start". Items without a
    vector, or with one of zeros, have no cosine and are never recommended by it; nor are items that
    have a vector but are neither in the log nor in `items`. All pairs are scored roughly, those
    that can reach a list again in float64 and one by one (`best_products`), so that a list depends
    neither on the other users asked for nor on `max_scores`.

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
        metric: str = "cosine",
        clusterer: InterestClusterer | None = None,
        session_weight: float = 0.5,
    ) -> None:
        self.profiler = profiler
        self.fallback = fallback
        self.metric = metric
        self.clusterer = clusterer
        self.session_weight = session_weight

    def _learn_profiles(self, log: pd.DataFrame, vectors: pd.DataFrame) -> None:
        if self.metric not in _METRICS:
            raise ValueError(f"metric must be one of {shown(_METRICS)}, got {self.metric!r}")
        rows = vectors.reindex(self.item_ids_, fill_value=0.0)
        self.item_vectors_ = _unit(rows) if self.metric == "cosine" else _contiguous(rows)
        self.clusterer_ = None
        if self.clusterer is not None:
            self.clusterer_ = made_clusterer(self.clusterer).fit(self.profile_vectors_)
        self._take_in_profiles(np.arange(len(self.user_ids_)))

    def _take_in_profiles(self, users: Positions) -> None:
        self.user_vectors_ = self.profile_vectors_
        if self.clusterer_ is not None:
            cluster = self.clusterer_.predict(self.profile_vectors_)
            centroids = unit_rows(self.clusterer_.centroids_.astype(np.float32))
            self.user_vectors_ = np.zeros_like(self.profile_vectors_)
            self.user_vectors_[cluster >= 0] = centroids[cluster[cluster >= 0]]

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        return np.logical_and(users >= 0, self.user_vectors_[users].any(axis=1))

    def _vectors(self) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        users, items = self.user_vectors_, self.item_vectors_
        possible: NDArray[np.bool_] = np.asarray(items.any(axis=1))
        if self.metric != "euclidean":
            return users, items, possible
        # The nearest item has the largest F·E − |E|²/2, which is a product, too.
        half = np.square(items, dtype=np.float64).sum(axis=1) / 2
        ones = np.ones(len(users))
        return np.column_stack([users, ones]), np.column_stack([items, -half]), possible

    def _scores(self, users: Positions) -> Floats:
        if self.metric != "euclidean":
            return super()._scores(users)
        n_items = len(self.item_ids_)
        pairs = np.repeat(users, n_items), np.tile(np.arange(n_items), len(users))
        scores = self._pair_scores(*pairs).reshape(len(users), n_items)
        scores[:, ~self.item_vectors_.any(axis=1)] = -np.inf
        return scores

    def _pair_scores(self, users: Positions, items: Positions) -> Floats:
        compare = _minus_distance if self.metric == "euclidean" else np.vecdot
        return exact_pairs(self.user_vectors_, self.item_vectors_, compare)(users, items)


def made_fallback(
    fallback: Recommender | None, event_weights: Mapping[str, float] | None, neutral_rating: float
) -> Recommender:
    """Return an unfitted copy of the fallback; popularity with these weights if there is none.

    >>> made_fallback(None, None, 2.5)
    PopularityRecommender(neutral_rating=2.5)
    """
    if fallback is None:
        return PopularityRecommender(event_weights, neutral_rating)
    made: Recommender = clone(check_kind(fallback, Recommender, "fallback"))
    return made


def made_clusterer(clusterer: InterestClusterer | None) -> InterestClusterer:
    """Return an unfitted copy of the clusterer; one with a fixed seed if there is none.

    >>> made_clusterer(None)
    InterestClusterer(random_state=0)
    """
    if clusterer is None:
        return InterestClusterer(random_state=0)
    made: InterestClusterer = clone(check_kind(clusterer, InterestClusterer, "clusterer"))
    return made


def _minus_distance(left: Floats, right: Floats) -> Floats:
    apart = left - right
    return -np.sqrt(np.vecdot(apart, apart))


def _unit(vectors: pd.DataFrame) -> NDArray[np.float32]:
    return unit_rows(vectors.to_numpy(dtype=np.float64)).astype(np.float32)


def _contiguous(vectors: pd.DataFrame) -> NDArray[np.float32]:
    return np.ascontiguousarray(vectors.to_numpy(dtype=np.float32))
