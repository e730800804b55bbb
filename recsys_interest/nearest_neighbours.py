"""Lists from what is alike: items liked by the same users, users of like taste, items of like text.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from recsys_interest.behaviour import BehaviourRecommender, LinearRecommender, aligned_vectors
from recsys_interest.checks import check_count, check_positive
from recsys_interest.likes import Doubles, on_grid
from recsys_interest.recommender import Floats, Positions, Recommender, best_cells, rows_of

__all__ = ["ItemKNNRecommender", "TextKNNRecommender", "UserKNNRecommender", "nearest_rows"]

_CELLS_AT_ONCE = 2**23  # similarities that are held dense at one time: 64 MiB


class ItemKNNRecommender(LinearRecommender):
    r"""Score an item by the liked items among its nearest neighbours.

    With :math:`n_{ij}` users who like both items and :math:`N(i)` the `n_neighbors` items most
    similar to i,

    .. math:: s_{ij} = \frac{n_{ij}}{\sqrt{n_i n_j} + h}, \qquad
        \mathrm{score}(u, i) = \sum_{j \in N(i),\; x_{uj} = 1} s_{ij} .

    With ``neighbors_of="liked"`` the sum goes over the liked j with :math:`i \in N(j)` instead:
    every liked item speaks for its own neighbours.

    Parameters
    ----------
    n_neighbors : int, default 100
        Neighbours of each item; of equally similar ones, those with the smaller id. Items that no
        user likes together are no neighbours.
    shrinkage : float, default 10.0
        :math:`h`, in users: pulls similarities that rest on few users towards 0.
    neighbors_of : {"scored", "liked"}, default "scored"
        Whose neighbours are kept: those of the item that is scored, or those of each liked item.
        With all neighbours the two are the same.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for users without a like and unknown users; `PopularityRecommender` if not given.
        It is cloned and fitted on the same tables.

    Attributes
    ----------
    weights_ : scipy.sparse.csr_array of float64, shape (n_items, n_items)
        :math:`s_{ij}` in row j and column i, in multiples of :math:`2^{-30}`.
    likes_ : scipy.sparse.csr_array of float64, shape (n_users, n_items)
        :math:`x`.
    fallback_ : Recommender
        The fitted fallback.

    Notes
    -----
    ``"scored"`` is Sarwar et al. (2001), "Item-based collaborative filtering recommendation
    algorithms", doi:10.1145/371920.372071, with likes in place of ratings; ``"liked"`` is Deshpande
    and Karypis (2004), "Item-based top-N recommendation algorithms", doi:10.1145/963770.963776,
    which the packages `implicit` and RecPack follow. Chapter 12, "Measuring recommendations".

    Rows: K03.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["tent", "rope"] * 2 + ["tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> ItemKNNRecommender(shrinkage=0.0).fit(log).recommend([3]).round(3)
       user_id item_id  rank  score    source
    0        3    rope     1  0.816  item_knn
    """

    source = "item_knn"

    def __init__(
        self,
        n_neighbors: int = 100,
        *,
        shrinkage: float = 10.0,
        neighbors_of: str = "scored",
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.shrinkage = shrinkage
        self.neighbors_of = neighbors_of
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback

    def _check_parameters(self) -> None:
        check_count(self.n_neighbors, "n_neighbors")
        check_positive(self.shrinkage, "shrinkage", zero=True)
        if self.neighbors_of not in ("scored", "liked"):
            raise ValueError(f"neighbors_of must be 'scored' or 'liked', got {self.neighbors_of!r}")

    def _learn_likes(self, likes: sparse.csr_array, item_vectors: pd.DataFrame | None) -> None:
        table = likes.T.tocsr()
        everyone = np.arange(table.shape[0])
        near = _cosine_neighbours(table, table, everyone, self.n_neighbors, self.shrinkage)
        self.weights_ = near.T.tocsr() if self.neighbors_of == "scored" else near


class UserKNNRecommender(BehaviourRecommender):
    r"""Score an item by the users of like taste who like it.

    With :math:`n_{uv}` items that both users like and :math:`N(u)` the `n_neighbors` users most
    similar to u,

    .. math:: s_{uv} = \frac{n_{uv}}{\sqrt{n_u n_v} + h}, \qquad
        \mathrm{score}(u, i) = \sum_{v \in N(u)} s_{uv} \, x_{vi} .

    Parameters
    ----------
    n_neighbors : int, default 100
        Neighbours of each user; of equally similar ones, those with the smaller id.
    shrinkage : float, default 10.0
        :math:`h`, in items: pulls similarities that rest on few items towards 0.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for users without a like and unknown users; `PopularityRecommender` if not given.
        It is cloned and fitted on the same tables.

    Attributes
    ----------
    similarity_ : scipy.sparse.csr_array of float64, shape (n_users, n_users)
        :math:`s_{uv}` of the neighbours of each row's user, in multiples of :math:`2^{-30}`.
    likes_ : scipy.sparse.csr_array of float64, shape (n_users, n_items)
        :math:`x`.
    fallback_ : Recommender
        The fitted fallback.

    Notes
    -----
    Herlocker et al. (1999), "An algorithmic framework for performing collaborative filtering",
    doi:10.1145/312624.312682, with likes in place of ratings. Chapter 12, "Measuring
    recommendations".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["tent", "rope", "tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> UserKNNRecommender(shrinkage=0.0).fit(log).recommend([2]).round(3)
       user_id item_id  rank  score    source
    0        2    rope     1  0.707  user_knn
    """

    source = "user_knn"

    def __init__(
        self,
        n_neighbors: int = 100,
        *,
        shrinkage: float = 10.0,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.shrinkage = shrinkage
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback

    def _check_parameters(self) -> None:
        check_count(self.n_neighbors, "n_neighbors")
        check_positive(self.shrinkage, "shrinkage", zero=True)

    def _learn_likes(self, likes: sparse.csr_array, item_vectors: pd.DataFrame | None) -> None:
        self._others = likes
        self.similarity_ = self._neighbours(likes, np.arange(likes.shape[0]))

    def _neighbours(self, likes: sparse.csr_array, users: Positions) -> sparse.csr_array:
        return _cosine_neighbours(likes, self._others, users, self.n_neighbors, self.shrinkage)

    def _take_in_likes(self, users: Positions, changed: Positions) -> None:
        near = self._neighbours(self.likes_[changed], users[changed])
        both = sparse.vstack([rows_of(self.similarity_, users), near], format="csr")
        row = np.arange(len(users))
        row[changed] = len(users) + np.arange(len(changed))
        self.similarity_ = both[row]

    def _scores(self, users: Positions) -> Floats:
        return np.asarray((self.similarity_[users] @ self._others).toarray())


class TextKNNRecommender(LinearRecommender):
    r"""Score an item by the liked items among those of the most similar text.

    .. math:: \mathrm{score}(u, i) = \sum_{j \in N(i),\; x_{uj} = 1} \cos(E_i, E_j)

    where :math:`N(i)` are the `n_neighbors` liked items whose vectors have the largest positive
    cosine to that of i. It needs no behaviour of item i itself.

    Parameters
    ----------
    n_neighbors : int, default 20
        Neighbours of each item among those that somebody likes; of equally similar ones, those with
        the smaller id.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for users who like no item with a vector and unknown users; `PopularityRecommender`
        if not given. It is cloned and fitted on the same tables.

    Attributes
    ----------
    weights_ : scipy.sparse.csr_array of float64, shape (n_items, n_items)
        The cosine of the items of row j and column i if j is a neighbour of i, in multiples of
        :math:`2^{-30}`.
    has_vector_ : ndarray of bool, shape (n_items,)
        Which items have a vector other than zero. The others are never recommended.
    likes_ : scipy.sparse.csr_array of float64, shape (n_users, n_items)
        :math:`x`.
    fallback_ : Recommender
        The fitted fallback.

    Notes
    -----
    Chapter 13, "Cold start".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 2], "item_id": ["tent", "oven"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> items = pd.DataFrame({"item_id": ["tent", "rope", "oven"]})
    >>> vectors = pd.DataFrame([[1, 0], [4, 3], [0, 1]], index=items["item_id"], dtype="float32")
    >>> TextKNNRecommender().fit(log, items, vectors).recommend([1], k=1).round(3)
       user_id item_id  rank  score    source
    0        1    rope     1    0.8  text_knn
    """

    source = "text_knn"

    def __init__(
        self,
        n_neighbors: int = 20,
        *,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
    ) -> None:
        self.n_neighbors = n_neighbors
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback

    def _check_parameters(self) -> None:
        check_count(self.n_neighbors, "n_neighbors")

    def _learn_likes(self, likes: sparse.csr_array, item_vectors: pd.DataFrame | None) -> None:
        vectors = aligned_vectors(item_vectors, self.item_ids_)
        self.has_vector_ = vectors.any(axis=1)
        known = np.flatnonzero(likes.sum(axis=0) > 0)
        near = text_neighbours(vectors, vectors[known], self.n_neighbors, known)
        all_rows = sparse.csr_array(
            (near.data, known[near.indices], near.indptr), 2 * (len(vectors),)
        )
        self.weights_ = all_rows.T.tocsr()

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        n_usable = self.likes_[users] @ self.has_vector_.astype(np.float64)
        return np.logical_and(users >= 0, n_usable > 0)

    def _scores(self, users: Positions) -> Floats:
        scores = super()._scores(users)
        scores[:, ~self.has_vector_] = -np.inf
        return scores


def text_neighbours(
    vectors: Floats, known: Floats, n_neighbors: int, known_at: Positions | None = None
) -> sparse.csr_array:
    """Return the positive cosines of some items to the known items nearest to them.

    Parameters
    ----------
    vectors, known : ndarray of float32 or float64, shape (n, n_features), (n_known, n_features)
        Vectors of length one or zero.
    n_neighbors : int
        How many known items to keep of each; of equally near ones the first.
    known_at : ndarray of int, shape (n_known,), optional
        Which of `vectors` the known items are; no item is its own neighbour.

    Returns
    -------
    csr_array of float64, shape (n, n_known)
        In multiples of :math:`2^{-30}`.

    Examples
    --------
    >>> vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> text_neighbours(vectors, vectors[:2], 1, np.arange(2)).toarray().round(2).tolist()
    [[0.0, 0.8], [0.8, 0.0], [0.0, 0.6]]
    """
    own = np.full(len(vectors), -1)
    if known_at is not None:
        own[known_at] = np.arange(len(known))
    return nearest_rows(lambda here: vectors[here] @ known.T, own, len(known), n_neighbors)


def nearest_rows(
    similarity: Callable[[slice], Floats], own: Positions, n: int, n_neighbors: int
) -> sparse.csr_array:
    """Keep the largest positive similarities of each row, itself left out.

    Parameters
    ----------
    similarity : callable
        Returns some rows of the table of similarities, dense; called for a few rows at a time, so
        that the table is never held as a whole.
    own : ndarray of int, shape (n_rows,)
        Which column is the row itself; −1 where none is.
    n : int
        Columns of the table.
    n_neighbors : int
        How many to keep in each row; of equal ones the first.

    Returns
    -------
    csr_array of float64, shape (n_rows, n)
        In multiples of :math:`2^{-30}`.

    Examples
    --------
    >>> table = np.array([[9.0, 1.0, 2.0], [1.0, 9.0, 1.0], [2.0, 1.0, 9.0]])
    >>> nearest_rows(lambda here: table[here].copy(), np.arange(3), 3, 1).toarray().tolist()
    [[0.0, 0.0, 2.0], [1.0, 0.0, 0.0], [2.0, 0.0, 0.0]]
    """
    size = max(1, _CELLS_AT_ONCE // max(n, 1))
    parts = [sparse.csr_array((0, n))]
    for start in range(0, len(own), size):
        here = slice(start, start + size)
        values = on_grid(similarity(here))
        known = np.flatnonzero(own[here] >= 0)
        values[known, own[here][known]] = 0.0
        values[values <= 0] = -np.inf
        rows, columns, scores, _ = best_cells(values, n_neighbors)
        parts.append(sparse.csr_array((scores, (rows, columns)), shape=values.shape))
    near = sparse.csr_array(sparse.vstack(parts, format="csr"), dtype=np.float64)
    near.sort_indices()
    return near


def _cosine_neighbours(
    rows: sparse.csr_array,
    others: sparse.csr_array,
    own: Positions,
    n_neighbors: int,
    shrinkage: float,
) -> sparse.csr_array:
    left, right = np.sqrt(rows.sum(axis=1)), np.sqrt(others.sum(axis=1))
    columns = others.T.tocsr()

    def cosines(here: slice) -> Doubles:
        both = (rows[here] @ columns).toarray()
        scale = np.multiply.outer(left[here], right) + shrinkage
        return np.divide(both, scale, out=both, where=scale > 0)

    return nearest_rows(cosines, own, others.shape[0], n_neighbors)
