"""Lists for users with several interests, each with its share of the places.

Chapter: 11 (cosine recommendation).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import clone

from recsys_interest.checks import check_count, check_positive
from recsys_interest.interests import multi_interest
from recsys_interest.likes import Doubles, whole_numbers
from recsys_interest.profiles import InterestProfiler
from recsys_interest.recommend import ProfileRecommender
from recsys_interest.recommender import Floats, Positions, Recommender, best_cells
from recsys_interest.top_k import Found, ranked
from recsys_interest.vectors import unit_rows

__all__ = ["SeveralInterestsRecommender"]


class SeveralInterestsRecommender(ProfileRecommender):
    r"""Recommend by the cosine to each of a user's interests, and give each its share of the list.

    The interests of a user are groups of his items (`multi_interest`), each with a medoid and an
    importance :math:`w_m`. Every item of the catalogue belongs to the interest whose medoid has the
    largest cosine to it. With :math:`r_m(i)` the rank of the item within its interest,

    .. math:: \mathrm{score}(u, i) = \frac{w_m}{r_m(i)} .

    Sorted by these quotients the list is that of D'Hondt's rule for seats in a parliament: of n
    places each interest holds its share, rounded down at least, and the first n places of a longer
    list are the list of n.

    Parameters
    ----------
    profiler : InterestProfiler, optional
        Its weights make the importances; `InterestProfiler()` if not given. It is cloned.
    fallback : Recommender, optional
        Answers for users without a profile; `PopularityRecommender` with the weights of the
        profiler if not given. It is cloned and fitted on the same tables.
    distance : float, default 1.2
        The dearest merge of two groups of items, see `multi_interest`.
    max_interests : int, default 10
        Keep only the most important ones.
    session_weight : float, default 0.5
        Weight, from 0 to 1, of the interests of a session beside those of the log.

    Attributes
    ----------
    interests_ : DataFrame
        `user_id`, `interest`, `item_id` (the medoid), `importance` and `n_items`: what
        `multi_interest` returns, the most important ones of each user.
    profiler_ : InterestProfiler
        The fitted profiler.
    fallback_ : Recommender
        The fitted fallback.
    item_vectors_ : ndarray of float64, shape (n_items, n_dimensions)
        Unit vectors, rounded so that their products are exact; zeros for an item without one.

    Notes
    -----
    Chapter 11, "Cosine recommendation". One mean of several interests can point where none of them
    is. The interests of a session join those of the log with their importances times
    `session_weight`; those of the log are multiplied by the rest.

    Examples
    --------
    Three quarters for camping, a quarter for novels.

    >>> log = pd.DataFrame({"user_id": 1, "item_id": ["tent"] * 3 + ["novel"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> ids = ["tent", "rope", "lamp", "stove", "novel", "poem"]
    >>> rows = [[1, 0], [1, 0.1], [1, 0.2], [1, 0.3], [0, 1], [0.1, 1]]
    >>> vectors = pd.DataFrame(rows, index=ids)
    >>> items = pd.DataFrame({"item_id": ids})
    >>> model = SeveralInterestsRecommender(distance=0.5).fit(log, items, vectors)
    >>> model.recommend([1], k=4)[["item_id", "score"]]
      item_id  score
    0    rope  0.750
    1    lamp  0.375
    2    poem  0.250
    3   stove  0.250
    """

    source = "several_interests"

    def __init__(
        self,
        profiler: InterestProfiler | None = None,
        fallback: Recommender | None = None,
        *,
        distance: float = 1.2,
        max_interests: int = 10,
        session_weight: float = 0.5,
    ) -> None:
        self.profiler = profiler
        self.fallback = fallback
        self.distance = distance
        self.max_interests = max_interests
        self.session_weight = session_weight

    def _learn_profiles(self, log: pd.DataFrame, vectors: pd.DataFrame) -> None:
        check_positive(self.distance, "distance", zero=True)
        check_count(self.max_interests, "max_interests")
        self.item_vectors_ = _exact_units(vectors.reindex(self.item_ids_, fill_value=0.0))
        self.interests_ = self._interests_of(self.profiler_)
        self._of_user = _by_user(self.interests_, self.user_ids_)

    def _take_in(self, asked: pd.Index, users: Positions, session: pd.DataFrame) -> Positions:
        places = super()._take_in(asked, users, session)
        rarity = self.profiler_.idf_
        recent = (
            clone(self.profiler_).set_params(idf=rarity).fit(session, self.profiler_.item_vectors_)
        )
        more = self._interests_of(recent)
        known = self.interests_[self.interests_["user_id"].isin(asked)]
        both = known["user_id"].isin(more["user_id"])
        added = more["user_id"].isin(known["user_id"])
        share = float(self.session_weight)
        known = known.assign(importance=known["importance"] * np.where(both, 1 - share, 1.0))
        more = more.assign(importance=more["importance"] * np.where(added, share, 1.0))
        joined = pd.concat([known, more] if len(known) else [more])
        self.interests_ = joined[joined["importance"] > 0].reset_index(drop=True)
        self._of_user = _by_user(self.interests_, asked)
        return places

    def _interests_of(self, profiler: InterestProfiler) -> pd.DataFrame:
        found = multi_interest(profiler, distance=self.distance)
        return found[found["interest"] < self.max_interests].reset_index(drop=True)

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        has_interests = [len(self._of_user[user]) > 0 for user in users]
        return np.logical_and(users >= 0, np.array(has_interests, dtype=bool))

    def _cosines(self, users: Positions) -> list[Doubles]:
        """Return for each user the cosines of his interests (rows) to the items."""
        ids = [self.interests_["item_id"].iloc[self._of_user[u]] for u in users]
        vectors = self.profiler_.item_vectors_
        return [_exact_units(vectors.loc[i]) @ self.item_vectors_.T for i in ids]

    def _scores(self, users: Positions) -> Floats:
        best = [cosines.max(axis=0) for cosines in self._cosines(users)]
        scores = np.array(best).reshape(len(users), len(self.item_ids_))
        scores[:, ~self.item_vectors_.any(axis=1)] = -np.inf
        return scores

    def _best(
        self,
        users: Positions,
        k: int,
        seen: sparse.csr_array | None,
        barred: NDArray[np.bool_],
        max_scores: int,
    ) -> Found:
        never = barred | ~self.item_vectors_.any(axis=1)
        importance = self.interests_["importance"].to_numpy()
        rows, columns, quotients = [], [], []
        for place, user in enumerate(users):  # a user has few interests, and one is held at a time
            (cosines,) = self._cosines(users[place : place + 1])
            nearest = cosines.argmax(axis=0)
            cosines[:, never] = -np.inf
            if seen is not None:
                cosines[:, seen[[place]].indices] = -np.inf
            cosines[np.arange(len(cosines))[:, None] != nearest] = -np.inf
            interest, column, _, rank = best_cells(cosines, k)
            rows.append(np.full(len(column), place))
            columns.append(column)
            quotients.append(importance[self._of_user[user]][interest] / rank)
        empty = np.empty(0, dtype=np.intp)
        joined = np.concatenate([empty, *rows]), np.concatenate([empty, *columns])
        return ranked(*joined, np.concatenate([np.empty(0), *quotients]), k)


def _exact_units(vectors: pd.DataFrame) -> Doubles:
    """Return unit vectors in steps so wide that their dot products are exact."""
    unit = unit_rows(vectors.to_numpy(dtype=np.float64))
    unit = np.vstack([unit, np.eye(1, unit.shape[1])])  # the same steps, whatever the rows
    whole, power = whole_numbers(unit)
    steps: Doubles = np.ldexp(whole[:-1], -power)
    return steps


def _by_user(interests: pd.DataFrame, user_ids: pd.Index) -> list[Positions]:
    """Return the rows of each user, the most important interest first."""
    user = user_ids.get_indexer(interests["user_id"])
    order = np.lexsort((interests["item_id"], -interests["importance"].to_numpy(), user))
    order = order[user[order] >= 0]
    return np.split(order, np.searchsorted(user[order], np.arange(1, len(user_ids))))
