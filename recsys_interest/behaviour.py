"""What recommenders that learn from likes share: the likes, and who answers for users without.

Chapter: 11 (cosine recommendation).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from recsys_interest.likes import Doubles, liked, strength_matrix, whole_numbers
from recsys_interest.recommend import made_fallback
from recsys_interest.recommender import Floats, Positions, Recommender, dense_rows, rows_of
from recsys_interest.vectors import check_item_vectors, unit_rows

__all__ = ["BehaviourRecommender", "FactorRecommender", "LinearRecommender", "aligned_vectors"]


class BehaviourRecommender(Recommender):
    """A recommender that learns from who likes what.

    A subclass says what it learns from the likes (`_learn_likes`) and how it scores (`_scores`).
    If it keeps more of the users than their likes, it says what becomes of that when their likes
    change (`_take_in_likes`). Its `__init__` takes `event_weights`, `neutral_rating` and
    `fallback`.

    Attributes
    ----------
    likes_ : scipy.sparse.csr_array of float64, shape (n_users, n_items)
        Ones where the events of a user on an item add up to more than nothing (`likes_matrix`).
    fallback_ : Recommender
        Answers for users without a like, and for those who are not in the log.
    """

    event_weights: Mapping[str, float] | None
    neutral_rating: float
    fallback: Recommender | None

    def _learn(
        self, log: pd.DataFrame, items: pd.DataFrame | None, item_vectors: pd.DataFrame | None
    ) -> None:
        self._check_parameters()
        self._strength = self._strengths(log, self.user_ids_)
        self.likes_ = liked(self._strength)
        fallback = made_fallback(self.fallback, self.event_weights, self.neutral_rating)
        self.fallback_ = fallback.fit(log, items, item_vectors)
        self._learn_likes(self.likes_, item_vectors)

    def _check_parameters(self) -> None:
        """Raise if a parameter of the subclass is wrong."""

    @abstractmethod
    def _learn_likes(self, likes: sparse.csr_array, item_vectors: pd.DataFrame | None) -> None:
        """Learn from the table of likes."""

    def _take_in(self, asked: pd.Index, users: Positions, session: pd.DataFrame) -> Positions:
        before = rows_of(self.likes_, users)
        # Added up, not put together: a return in the session takes back a purchase in the log.
        strength = rows_of(self._strength, users) + self._strengths(session, asked)
        self._strength, self.likes_ = strength, liked(strength)
        changed = np.flatnonzero((before != self.likes_).sum(axis=1))
        self._take_in_likes(users, changed)
        return np.arange(len(users))

    def _take_in_likes(self, users: Positions, changed: Positions) -> None:
        """Keep of the users only those at `users` (−1: a new one); `likes_` has their likes.

        The likes of those at the places `changed` are others than in the log.
        """

    def _strengths(self, log: pd.DataFrame, user_ids: pd.Index) -> sparse.csr_array:
        return strength_matrix(
            log, user_ids, self.item_ids_, self.event_weights, self.neutral_rating
        )

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        has_likes = np.diff(self.likes_.indptr) > 0
        return np.logical_and(users >= 0, has_likes[users])


class LinearRecommender(BehaviourRecommender):
    r"""A recommender whose scores are sums of weights over the liked items, :math:`X W`.

    Attributes
    ----------
    weights_ : ndarray or scipy.sparse.csr_array of float64, shape (n_items, n_items)
        What liking the item of the row says for the item of the column; multiples of
        :math:`2^{-30}`, so that the sums are exact (`on_grid`).
    """

    weights_: Any

    def _scores(self, users: Positions) -> Floats:
        scores = self.likes_[users] @ self.weights_
        return np.asarray(scores.toarray() if sparse.issparse(scores) else scores)


class FactorRecommender(BehaviourRecommender):
    r"""A recommender whose scores are dot products of factors, :math:`P_u \cdot Q_i`.

    A subclass says which factors a user with given likes has when the items keep theirs
    (`_folded_in`).

    Attributes
    ----------
    user_factors_ : ndarray of float64, shape (n_users, n_factors)
        :math:`P`, rounded so that the dot products are exact (`whole_numbers`).
    item_factors_ : ndarray of float64, shape (n_items, n_factors)
        :math:`Q`, likewise.
    """

    user_factors_: Doubles
    item_factors_: Doubles

    def _set_factors(self, of_users: NDArray[Any], of_items: NDArray[Any]) -> None:
        for name, factors in (("user_factors_", of_users), ("item_factors_", of_items)):
            rows, power = whole_numbers(factors)
            setattr(self, name, np.ldexp(rows, -power))

    @abstractmethod
    def _folded_in(self, likes: sparse.csr_array) -> Doubles:
        """Return the factors of users with these likes, each row by itself."""

    def _take_in_likes(self, users: Positions, changed: Positions) -> None:
        factors = dense_rows(self.user_factors_, users)
        rows = self._folded_in(self.likes_[changed])
        for place, row in zip(changed, rows, strict=True):
            # Each with a scale of its own, which must not depend on who is asked for together.
            whole, power = whole_numbers(row[None])
            factors[place] = np.ldexp(whole[0], -power)
        self.user_factors_ = factors

    def _scores(self, users: Positions) -> Floats:
        return self.user_factors_[users] @ self.item_factors_.T


def aligned_vectors(item_vectors: pd.DataFrame | None, item_ids: pd.Index) -> Doubles:
    """Return one unit vector for each item of the catalogue, zeros where there is none.

    >>> vectors = pd.DataFrame([[3.0, 4.0]], index=["b"])
    >>> aligned_vectors(vectors, pd.Index(["a", "b"])).round(1).tolist()
    [[0.0, 0.0], [0.6, 0.8]]
    """
    vectors = check_item_vectors(item_vectors, item_ids)
    rows: Doubles = vectors.reindex(item_ids, fill_value=0.0).to_numpy(dtype=np.float64)
    return unit_rows(rows)
