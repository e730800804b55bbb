"""Add what everybody likes to what a user's few likes say: an intercept for short histories.

Chapter: 13 (cold start).
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from recsys_interest.checks import check_kind, check_positive
from recsys_interest.ease import EaseRecommender
from recsys_interest.likes import Doubles, likes_matrix, on_grid
from recsys_interest.recommend import made_fallback
from recsys_interest.recommender import Floats, Positions, Recommender

__all__ = ["PopularityBlend"]

_LARGEST_WEIGHT = 1e6  # from 2**23 on, sums on the grid are no longer exact


class PopularityBlend(Recommender):
    r"""Add a little popularity to the scores of another recommender.

    .. math:: \mathrm{score}(u, i) = \mathrm{score}_0(u, i) + b \, p_i

    with :math:`p_i` the share of users who like the item. A linear model of likes such as EASE has
    no intercept: for a user with one like it predicts nearly nothing for all items, and what little
    it says is noisy. The sum over likes grows with the history, the intercept does not, so it
    decides where little is known and fades by itself.

    Parameters
    ----------
    recommender : Recommender, optional
        Whose scores to add to; `EaseRecommender` by default. It is cloned.
    weight : float, default 0.3
        :math:`b`, from 0 to a million; in the unit of the scores, which for a linear model of likes
        are likes as well. Choose it on a validation split.
    fallback : Recommender, optional
        Answers for users whom the recommender cannot score; by default its own fallback.

    Attributes
    ----------
    recommender_ : Recommender
        The fitted one.
    share_ : ndarray of float64, shape (n_items,)
        :math:`p`.
    added_ : ndarray of float64, shape (n_items,)
        :math:`b p`, in multiples of :math:`2^{-30}`.
    fallback_ : Recommender
        The fitted fallback.

    Notes
    -----
    Chapter 13, "Cold start".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 3, 4],
    ...                     "item_id": ["tent", "rope", "tent", "oven", "oven"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> for weight in (0.0, 1.0):
    ...     model = PopularityBlend(EaseRecommender(l2=1.0), weight).fit(log)
    ...     print(model.recommend([2])[["item_id", "score"]].round(3).values.tolist())
    [['rope', 0.333], ['oven', 0.0]]
    [['rope', 0.583], ['oven', 0.5]]
    """

    source = "blend"

    def __init__(
        self,
        recommender: Recommender | None = None,
        weight: float = 0.3,
        *,
        fallback: Recommender | None = None,
    ) -> None:
        self.recommender = recommender
        self.weight = weight
        self.fallback = fallback

    def _learn(
        self, log: pd.DataFrame, items: pd.DataFrame | None, item_vectors: pd.DataFrame | None
    ) -> None:
        weight = check_positive(self.weight, "weight", zero=True)
        if weight > _LARGEST_WEIGHT:
            raise ValueError(f"weight must be at most {_LARGEST_WEIGHT:g}, got {weight:g}")
        inner = EaseRecommender() if self.recommender is None else self.recommender
        inner = check_kind(inner, Recommender, "recommender")
        self.recommender_ = clone(inner).fit(log, items, item_vectors)
        weighing = getattr(self.recommender_, "profiler_", inner)
        event_weights = getattr(weighing, "event_weights", None)
        neutral = getattr(weighing, "neutral_rating", 3.0)
        likes = likes_matrix(log, self.user_ids_, self.item_ids_, event_weights, neutral)
        self.share_: Doubles = likes.mean(axis=0)
        self.added_ = on_grid(weight * self.share_)
        if self.fallback is None and hasattr(self.recommender_, "fallback_"):
            self.fallback_ = self.recommender_.fallback_
        else:
            fallback = made_fallback(self.fallback, event_weights, neutral)
            self.fallback_ = fallback.fit(log, items, item_vectors)

    def _take_in(self, asked: pd.Index, users: Positions, session: pd.DataFrame) -> Positions:
        self.recommender_ = copy.copy(self.recommender_)
        return self.recommender_._take_in(asked, users, session)

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        return self.recommender_._can_score(users)

    def _scores(self, users: Positions) -> Floats:
        return self.recommender_._scores(users) + self.added_

    def _slack(self) -> float:
        return self.recommender_._slack()

    def _exact(self, users: Positions, items: Positions, scores: Floats) -> Floats:
        added = self.added_[items]
        return self.recommender_._exact(users, items, scores - added) + added
