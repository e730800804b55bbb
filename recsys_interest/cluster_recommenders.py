"""What clusters are good for in a list: a prior for their users, and candidates to choose from.

Chapter: 11 (cosine recommendation).
"""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from recsys_interest.checks import check_count, check_kind, check_positive
from recsys_interest.clusters import InterestClusterer
from recsys_interest.likes import likes_matrix
from recsys_interest.profiles import InterestProfiler
from recsys_interest.recommend import CosineRecommender, ProfileRecommender, made_clusterer
from recsys_interest.recommender import Floats, Positions, Recommender

__all__ = ["ClusterPopularityRecommender", "TwoStageRecommender"]


class ClusterPopularityRecommender(ProfileRecommender):
    r"""Recommend what the users of a user's cluster like.

    With :math:`n_{ci}` of the :math:`n_c` users of cluster c who like item i, and :math:`n_i` of
    all n users,

    .. math:: \mathrm{score}(u, i) = \frac{n_{ci} + h \, n_i / n}{n_c + h}, \qquad c = c(u) .

    Parameters
    ----------
    clusterer : InterestClusterer, optional
        Groups the profiles; ``InterestClusterer(random_state=0)`` if not given. It is cloned.
    profiler : InterestProfiler, optional
        Makes the profiles; `InterestProfiler()` if not given. It is cloned.
    fallback : Recommender, optional
        Answers for users without a cluster; `PopularityRecommender` with the weights of the
        profiler if not given. It is cloned and fitted on the same tables.
    prior_users : float, default 10.0
        :math:`h`, in users: pulls what few users say towards what all say. Without end it is
        popularity.
    session_weight : float, default 0.5
        How much a session counts beside a user's log when his cluster is looked up, from 0 to 1.

    Attributes
    ----------
    clusterer_ : InterestClusterer
        The fitted clusterer.
    clusters_ : ndarray of int64, shape (n_users,)
        The nearest cluster of each user, −1 for none.
    shares_ : ndarray of float64, shape (n_clusters, n_items)
        The scores.
    profiler_ : InterestProfiler
        The fitted profiler.
    fallback_ : Recommender
        The fitted fallback.

    Notes
    -----
    Chapter 11, "Cosine recommendation".

    Rows: R04.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 3, 3, 4],
    ...                     "item_id": ["tent", "rope", "tent", "oven", "pan", "oven"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> rows = [[1, 0], [1, 0], [0, 1], [0, 1]]
    >>> vectors = pd.DataFrame(rows, index=["tent", "rope", "oven", "pan"])
    >>> model = ClusterPopularityRecommender(prior_users=1.0).fit(log, item_vectors=vectors)
    >>> model.recommend([2, 4], k=1).round(3)
       user_id item_id  rank  score              source
    0        2    rope     1  0.417  cluster_popularity
    1        4     pan     1  0.417  cluster_popularity
    """

    source = "cluster_popularity"

    def __init__(
        self,
        clusterer: InterestClusterer | None = None,
        profiler: InterestProfiler | None = None,
        fallback: Recommender | None = None,
        *,
        prior_users: float = 10.0,
        session_weight: float = 0.5,
    ) -> None:
        self.clusterer = clusterer
        self.profiler = profiler
        self.fallback = fallback
        self.prior_users = prior_users
        self.session_weight = session_weight

    def _learn_profiles(self, log: pd.DataFrame, vectors: pd.DataFrame) -> None:
        prior = check_positive(self.prior_users, "prior_users")
        self.clusterer_ = made_clusterer(self.clusterer).fit(self.profile_vectors_)
        self.clusters_ = self.clusterer_.predict(self.profile_vectors_)
        weights, neutral = self.profiler_.event_weights, self.profiler_.neutral_rating
        likes = likes_matrix(log, self.user_ids_, self.item_ids_, weights, neutral)
        everybody = likes.sum(axis=0) / len(self.user_ids_)
        self.shares_ = np.empty((self.clusterer_.n_clusters_, len(self.item_ids_)))
        for cluster in range(len(self.shares_)):
            members = np.flatnonzero(self.clusters_ == cluster)
            counts = likes[members].sum(axis=0)
            self.shares_[cluster] = (counts + prior * everybody) / (len(members) + prior)

    def _take_in_profiles(self, users: Positions) -> None:
        self.clusters_ = self.clusterer_.predict(self.profile_vectors_)

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        return np.logical_and(users >= 0, self.clusters_[users] >= 0)

    def _scores(self, users: Positions) -> Floats:
        scores: Floats = self.shares_[self.clusters_[users]]
        return scores


class TwoStageRecommender(Recommender):
    """Let one recommender propose candidates, and another put them in order.

    Parameters
    ----------
    candidates : Recommender, optional
        Whose first `n_candidates` items are the candidates of a user, seen or not;
        `ClusterPopularityRecommender()` if not given. It also answers for users whom the other
        cannot score. It is cloned.
    ranker : Recommender, optional
        Whose scores order them; `CosineRecommender()` if not given. It is cloned.
    n_candidates : int, default 200
        How many. The seen ones among them are taken out later, so a list can be shorter than asked
        for where a user has seen most of them.

    Attributes
    ----------
    fallback_ : Recommender
        The fitted recommender of the candidates.
    ranker_ : Recommender
        The fitted ranker.

    Notes
    -----
    Candidate generation and ranking as in Covington, Adams and Sargin (2016), "Deep neural networks
    for YouTube recommendations", doi:10.1145/2959100.2959190. Chapter 11, "Cosine recommendation".

    Rows: R04.

    Examples
    --------
    >>> from recsys_interest.recommend import CosineRecommender, PopularityRecommender
    >>> log = pd.DataFrame({"user_id": [1, 2, 3, 3], "item_id": ["tent", "oven", "oven", "tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> items = pd.DataFrame({"item_id": ["tent", "rope", "oven"]})
    >>> vectors = pd.DataFrame([[1, 0], [4, 3], [0, 1]], index=items["item_id"])
    >>> model = TwoStageRecommender(PopularityRecommender(), CosineRecommender(), n_candidates=2)
    >>> model.fit(log, items, vectors).recommend([1])[["item_id", "score", "source"]]
      item_id  score     source
    0    oven    0.0  two_stage
    """

    source = "two_stage"

    def __init__(
        self,
        candidates: Recommender | None = None,
        ranker: Recommender | None = None,
        *,
        n_candidates: int = 200,
    ) -> None:
        self.candidates = candidates
        self.ranker = ranker
        self.n_candidates = n_candidates

    def _learn(
        self, log: pd.DataFrame, items: pd.DataFrame | None, item_vectors: pd.DataFrame | None
    ) -> None:
        check_count(self.n_candidates, "n_candidates")
        made = {}
        for name, default in (
            ("candidates", ClusterPopularityRecommender()),
            ("ranker", CosineRecommender()),
        ):
            given = default if getattr(self, name) is None else getattr(self, name)
            made[name] = clone(check_kind(given, Recommender, name)).fit(log, items, item_vectors)
        self.fallback_, self.ranker_ = made["candidates"], made["ranker"]
        self._asked: pd.Index = self.user_ids_
        self._session: pd.DataFrame | None = None
        self._at: Positions = np.arange(len(self.user_ids_))

    def _take_in(self, asked: pd.Index, users: Positions, session: pd.DataFrame) -> Positions:
        self.ranker_ = copy.copy(self.ranker_)
        self._at = self.ranker_._take_in(asked, users, session)
        self._asked, self._session = asked, session
        return np.arange(len(users))

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        return np.logical_and(users >= 0, self.ranker_._can_score(self._at[users]))

    def _scores(self, users: Positions) -> Floats:
        scores = self.ranker_._scores(self._at[users])
        proposed = self.fallback_.recommend(
            self._asked[users], self.n_candidates, exclude_seen=False, session=self._session
        )
        rows = self._asked[users].get_indexer(proposed["user_id"])
        columns = self.item_ids_.get_indexer(proposed["item_id"])
        kept = np.full(scores.shape, -np.inf)
        kept[rows, columns] = scores[rows, columns]
        return kept

    def _slack(self) -> float:
        return self.ranker_._slack()

    def _exact(self, users: Positions, items: Positions, scores: Floats) -> Floats:
        return self.ranker_._exact(self._at[users], items, scores)
