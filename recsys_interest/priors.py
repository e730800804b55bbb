"""What to show a user without events who says something: what all such answers share.

Chapter: 13 (cold start).
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from functools import singledispatch
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from recsys_interest.behaviour import BehaviourRecommender, LinearRecommender, aligned_vectors
from recsys_interest.blending import PopularityBlend
from recsys_interest.checks import check_count, check_same_ids, is_missing, plain
from recsys_interest.likes import on_grid
from recsys_interest.linear_forms import centred
from recsys_interest.recommender import Floats, Positions, Recommender, best_cells, rows_of
from recsys_interest.schema import validate_users
from recsys_interest.text_informed import TextInformedRecommender
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["Prior", "VectorPrior", "liked_next"]


class Prior(BehaviourRecommender):
    """Answer for users of whom nothing is known but what they say of themselves.

    A subclass says what a statement means (`_understood`) and how it scores (`_said_scores`). Users
    who said nothing that it understands are left to the fallback, so that priors can be put in a
    row: see `ColdStartRecommender`.

    Attributes
    ----------
    said_ : scipy.sparse.csr_array of float64
        What each user said, in terms of the prior; an empty row for nothing.
    fallback_ : Recommender
        Answers for all others.

    Notes
    -----
    Chapter 13, "Cold start".

    Examples
    --------
    A prior of one's own: users name one thing they want.

    >>> class WishPrior(Prior):
    ...     source = "wish"
    ...
    ...     def __init__(self, event_weights=None, neutral_rating=3.0, fallback=None):
    ...         self.event_weights = event_weights
    ...         self.neutral_rating = neutral_rating
    ...         self.fallback = fallback
    ...
    ...     def _learn_likes(self, likes, item_vectors):
    ...         self._nothing_said(len(self.item_ids_))
    ...
    ...     def _understood(self, users):
    ...         wished = users["wish"].to_numpy()[:, None] == self.item_ids_.to_numpy()
    ...         return sparse.csr_array(wished.astype(float))
    ...
    ...     def _said_scores(self, said):
    ...         return said.toarray()
    >>> log = pd.DataFrame({"user_id": [1, 2, 3], "item_id": ["oven", "oven", "tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> told = WishPrior().fit(log).told(pd.DataFrame({"user_id": [9], "wish": ["tent"]}))
    >>> told.recommend([8, 9], k=1)[["user_id", "item_id", "source"]]
       user_id item_id      source
    0        8    oven  popularity
    1        9    tent        wish
    """

    said_: sparse.csr_array
    model_: Recommender | None

    def told(self, users: pd.DataFrame, model: Recommender | None = None) -> Self:
        """Return a copy that knows what users said; nothing is learned again.

        Parameters
        ----------
        users : DataFrame
            Valid users (see `validate_users`), and a column that the prior reads. Whoever is not in
            it has said nothing, even if an earlier table said so.
        model : Recommender, optional
            Fitted on the same tables: what it knows of which items go together carries a statement
            to further items (`liked_next`).

        Returns
        -------
        Prior
            Of the same class. Its `user_ids_` are those of the table.

        Raises
        ------
        SchemaError
            If the table does not fit, or a statement is not of the kind the prior reads.
        """
        check_is_fitted(self, "item_ids_")
        known = validate_users(users)
        check_same_ids(
            known["user_id"], self.user_ids_.to_series(), "users.user_id", "events.user_id"
        )
        known = known.sort_values("user_id", ignore_index=True)
        other = copy.copy(self)
        other.user_ids_ = pd.Index(known["user_id"], name="user_id")
        place = self.user_ids_.get_indexer(other.user_ids_)
        other.seen_, other.likes_ = rows_of(self.seen_, place), rows_of(self.likes_, place)
        other._strength = rows_of(self._strength, place)
        other.said_ = self._understood(known)
        other.model_ = model
        return other

    @abstractmethod
    def _understood(self, users: pd.DataFrame) -> sparse.csr_array:
        """Return what each of the valid users said, an empty row for nothing."""

    @abstractmethod
    def _said_scores(self, said: sparse.csr_array) -> Floats:
        """Return a new array (n_users, n_items)."""

    def _nothing_said(self, n_terms: int) -> None:
        self.said_, self.model_ = sparse.csr_array((len(self.user_ids_), n_terms)), None

    def _take_in_likes(self, users: Positions, changed: Positions) -> None:
        self.said_ = rows_of(self.said_, users)

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        # The last one is who stands nowhere (−1), even if nobody was told of.
        has_said: NDArray[np.bool_] = np.append(np.diff(self.said_.indptr) > 0, False)
        return has_said[users]

    def _scores(self, users: Positions) -> Floats:
        return self._said_scores(self.said_[users])


@singledispatch
def liked_next(model: Recommender, history: sparse.csr_array) -> Floats:
    """Return the scores that a fitted model gives to users with a history, all at once.

    Parameters
    ----------
    model : Recommender
        A `LinearRecommender` or `TextInformedRecommender`, or a `PopularityBlend` of one; of any
        other kind nothing is known about weighted histories, and the scores are zeros.
    history : csr_array of float64, shape (n_users, n_items)
        How much each user likes each item of the model's catalogue.

    Returns
    -------
    ndarray of float64, shape (n_users, n_items)
        A new array.
    """
    return np.zeros(history.shape)


@liked_next.register
def _(model: LinearRecommender, history: sparse.csr_array) -> Floats:
    scores = history @ model.weights_
    return np.asarray(scores.toarray() if sparse.issparse(scores) else scores)


@liked_next.register
def _(model: TextInformedRecommender, history: sparse.csr_array) -> Floats:
    return model.model_.scores(history)


@liked_next.register
def _(model: PopularityBlend, history: sparse.csr_array) -> Floats:
    return liked_next(model.recommender_, history) + model.added_


class VectorPrior(Prior):
    r"""A prior whose statements are vectors in the space of the items' texts.

    A vector stands for a guessed history: its nearest items, liked as much as they are near,

    .. math:: s_j = \max(q \cdot E_j, 0) \text{ for the nearest items, else } 0, \qquad
        \mathrm{score} = s + s W ,

    with the centred unit vectors :math:`q` of the statement and :math:`E_j` of the items, and the
    weights :math:`W` of a linear model if there is one. A subclass says what the cells of its
    column stand for (`_meant`).
    """

    column: str
    n_neighbors: int

    def _check_parameters(self) -> None:
        check_count(self.n_neighbors, "n_neighbors")
        if not isinstance(self.column, str):
            raise TypeError(f"column must be the name of a column, got {self.column!r}")

    def _learn_likes(self, likes: sparse.csr_array, item_vectors: pd.DataFrame | None) -> None:
        vectors = aligned_vectors(item_vectors, self.item_ids_)
        has_text = vectors.any(axis=1)
        self.mean_ = vectors[has_text].mean(axis=0) if has_text.any() else vectors[0]
        self.text_ = centred(vectors, self.mean_)
        self._nothing_said(len(self.item_ids_))

    def _understood(self, users: pd.DataFrame) -> sparse.csr_array:
        place, said = np.full(len(users), -1, dtype=np.intp), np.empty(0, dtype=np.intp)
        histories = sparse.csr_array((0, len(self.item_ids_)))
        if self.column in users:
            said = np.flatnonzero(~is_missing(plain(users[self.column])))
        if len(said):
            cells = users[self.column].iloc[said].set_axis(users["user_id"].iloc[said])
            histories, place[said] = self._meant(cells), np.arange(len(said))
        return rows_of(histories, place)

    @abstractmethod
    def _meant(self, cells: pd.Series) -> sparse.csr_array:
        """Return the history each cell stands for: at least one, by user id, none missing."""

    def _histories(self, vectors: pd.DataFrame, name: str) -> sparse.csr_array:
        rows = check_vectors(vectors, name).loc[vectors.index].to_numpy(dtype=np.float64)
        if rows.shape[1] != self.text_.shape[1]:
            raise ValueError(
                f"{name} has {rows.shape[1]} features, the items {self.text_.shape[1]}; encode "
                f"both with the same model"
            )
        near = on_grid(centred(unit_rows(rows), self.mean_) @ self.text_.T)
        near[near <= 0] = -np.inf
        row, column, cosine, _ = best_cells(near, self.n_neighbors)
        return sparse.csr_array((cosine, (row, column)), shape=near.shape)

    def _said_scores(self, said: sparse.csr_array) -> Floats:
        scores = said.toarray()
        if self.model_ is not None:
            scores = on_grid(scores + liked_next(self.model_, said))
        return scores
