"""Recommenders whose scores order the items as dot products do: their k best without all scores.

Chapter: 11 (cosine recommendation).
"""

from __future__ import annotations

from abc import abstractmethod

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from recsys_interest.products import best_products, exact_pairs
from recsys_interest.recommender import Floats, Positions, Recommender
from recsys_interest.top_k import Found

__all__ = ["ProductRecommender"]


class ProductRecommender(Recommender):
    r"""A recommender whose scores order the items as dot products do, :math:`P_u \cdot Q_i`.

    A subclass says which are the vectors (`_vectors`); if its scores are not the products, it says
    what they are, pair by pair (`_pair_scores`).

    Notes
    -----
    Chapter 11, "Cosine recommendation". The lists are found by `best_products`.
    """

    @abstractmethod
    def _vectors(self) -> tuple[Floats, Floats, NDArray[np.bool_]]:
        """Return the vectors of users and items, and which items can be recommended at all."""

    def _pair_scores(self, users: Positions, items: Positions) -> Floats:
        of_users, of_items, _ = self._vectors()
        return exact_pairs(of_users, of_items)(users, items)

    def _scores(self, users: Positions) -> Floats:
        of_users, of_items, possible = self._vectors()
        scores: Floats = of_users[users] @ of_items.T
        scores[:, ~possible] = -np.inf
        return scores

    def _slack(self) -> float:
        # Twice the error bound of a dot product of the longest two, in any order of its sums.
        rows = self._vectors()[:2]
        longest = [np.linalg.norm(r, axis=1).max(initial=0.0) for r in rows]
        return float(longest[0] * longest[1] * rows[1].shape[1] * np.finfo(rows[1].dtype).eps)

    def _exact(self, users: Positions, items: Positions, scores: Floats) -> Floats:
        return self._pair_scores(users, items)

    def _best(
        self,
        users: Positions,
        k: int,
        seen: sparse.csr_array | None,
        barred: NDArray[np.bool_],
        max_scores: int,
    ) -> Found:
        of_users, of_items, possible = self._vectors()
        items = np.flatnonzero(possible & ~barred)
        everything = len(items) == len(possible)
        rows, columns, score, rank = best_products(
            of_users[users],
            of_items if everything else of_items[items],
            k,
            hidden=seen if seen is None or everything else seen[:, items],
            score=lambda row, column: self._pair_scores(users[row], items[column]),
            max_scores=max_scores,
        )
        return rows, items[columns], score, rank
