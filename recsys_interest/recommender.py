"""What every recommender shares: one `fit`, one `recommend`, one exact way to cut the top k.

Chapter: 11 (cosine recommendation).
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import check_count, check_same_ids, given_ids, shown
from recsys_interest.schema import SchemaError, validate_events, validate_items
from recsys_interest.top_k import Found, Positions, best_cells, ranked, shortlist

__all__ = [
    "Floats",
    "Positions",
    "Recommender",
    "best_cells",
    "dense_rows",
    "rows_of",
]

Floats = NDArray[np.floating]


class Recommender(BaseEstimator, ABC):  # type: ignore[misc]
    """What every recommender shares: one `fit`, one `recommend`, one way to cut the top k.

    A subclass says what it learns (`_learn`), how it scores users (`_scores`) and what a session
    adds to what it knows of them (`_take_in`). If there are some it cannot score, it says whom
    (`_can_score`) and sets ``fallback_``, another fitted recommender that answers for them: a cold
    user is met by composition, not by a branch in every model.

    Attributes
    ----------
    source : str
        What the column ``source`` says for lists of this recommender.
    user_ids_ : Index
        The users of the log, sorted.
    item_ids_ : Index
        The catalogue, sorted: the items of the log and those of `items`.
    seen_ : scipy.sparse.csr_array of bool, shape (n_users, n_items)
        Which user touched which item, by an event of any kind.

    Notes
    -----
    Chapter 11, "Cosine recommendation".

    Examples
    --------
    A recommender of one's own: the same score for every item, so that the order of the ids decides.

    >>> import numpy as np
    >>> import pandas as pd
    >>> class Alphabet(Recommender):
    ...     source = "alphabet"
    ...
    ...     def _learn(self, log, items, item_vectors):
    ...         pass
    ...
    ...     def _scores(self, users):
    ...         return np.zeros((len(users), len(self.item_ids_)))
    >>> log = pd.DataFrame({"user_id": [1, 2], "item_id": ["b", "a"], "event": "like",
    ...                     "timestamp": pd.to_datetime("2026-01-01")})
    >>> Alphabet().fit(log).recommend([1], k=2, exclude_seen=False)["item_id"].tolist()
    ['a', 'b']
    """

    source: ClassVar[str]
    fallback_: Recommender

    def fit(
        self,
        events: pd.DataFrame,
        items: pd.DataFrame | None = None,
        item_vectors: pd.DataFrame | None = None,
    ) -> Self:
        """Learn from a log.

        Parameters
        ----------
        events : DataFrame
            Valid events (see `validate_events`), at least one.
        items : DataFrame, optional
            Valid items (see `validate_items`); those without an event join the catalogue.
        item_vectors : DataFrame of shape (n_vectors, n_dimensions), optional
            One vector per item, indexed by item id. Not every recommender needs them.

        Returns
        -------
        self

        Raises
        ------
        TypeError
            If an argument is of the wrong kind.
        ValueError
            If a table does not fit the schema (`SchemaError`), or there are no events.
        """
        log = validate_events(events)
        if log.empty:
            raise ValueError("events has no rows; a recommender learns from at least one event")
        ids = log["item_id"]
        if items is not None:
            known = validate_items(items)["item_id"]
            check_same_ids(ids, known, "events.item_id", "items.item_id")
            ids = pd.concat([ids, known]) if len(known) else ids
        self.user_ids_ = pd.Index(log["user_id"].unique(), name="user_id").sort_values()
        self.item_ids_ = pd.Index(ids.unique(), name="item_id").sort_values()
        self.seen_ = self._touched(log, self.user_ids_)
        self._learn(log, items, item_vectors)
        return self

    def recommend(
        self,
        user_ids: Iterable[object] | None = None,
        k: int = 10,
        *,
        exclude_seen: bool = True,
        candidates: Iterable[object] | None = None,
        session: pd.DataFrame | None = None,
        max_scores: int = 5_000_000,
    ) -> pd.DataFrame:
        """Return the k best items of each user, best first.

        Parameters
        ----------
        user_ids : iterable of ids, optional
            Whom to answer, each once in the order of first appearance. Users who are not in the log
            get an answer too: `source` says whose. If not given, all users of the log, and of the
            session if there is one, sorted.
        k : int, default 10
            Length of a list. It is shorter where fewer items can be recommended.
        exclude_seen : bool, default True
            Leave out every item the user touched in the log or the session, by an event of any
            kind.
        candidates : iterable of ids, optional
            Recommend only these items of the catalogue.
        session : DataFrame, optional
            Valid events (see `validate_events`) that happened after those of the log, of anybody.
            They count for this answer only. What is known of a user of the log is blended with
            them; of a user who is not in the log they are all that is known. Events on items that
            are not in the catalogue are ignored.
        max_scores : int, default 5,000,000
            How many scores to hold at once (some 20 bytes each, never less than one user's). It
            bounds the memory and leaves the lists as they are.

        Returns
        -------
        DataFrame
            `user_id`, `item_id`, `rank` (int64, 1 is best), `score` (float64, never rising within a
            list; only comparable within one source) and `source`. Equal scores are ranked by the
            smaller item id. A user for whom no item is left has no row.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError
            If an argument is of the wrong kind.
        ValueError
            If `k` or `max_scores` is below 1, a candidate is not in the catalogue, the ids are of
            another kind than in the log, or the session does not fit the schema (`SchemaError`).
        """
        check_is_fitted(self, "item_ids_")
        if not isinstance(exclude_seen, (bool, np.bool_)):
            raise TypeError(f"exclude_seen must be True or False, got {exclude_seen!r}")
        k, max_scores = check_count(k, "k"), check_count(max_scores, "max_scores")
        wanted = None if candidates is None else self._candidates(candidates)
        recent = None if session is None else self._usable(session)
        everybody = self.user_ids_
        if recent is not None and len(recent):
            everybody = everybody.union(pd.Index(recent["user_id"].unique()))
        asked = _asked_ids(user_ids, everybody, "user_ids", "events.user_id")
        users = self.user_ids_.get_indexer(asked)
        seen = rows_of(self.seen_, users)
        model = self
        if recent is not None and asked.isin(recent["user_id"]).any():
            recent = recent[recent["user_id"].isin(asked)]
            seen = seen + self._touched(recent, asked)
            model = copy.copy(self)  # what it keeps of the users is replaced, never changed
            users = model._take_in(asked, users, recent)
        own = model._can_score(users)
        barred = np.full(len(self.item_ids_), wanted is not None)
        if wanted is not None:
            barred[self.item_ids_.get_indexer(wanted)] = False
        hidden = seen[np.flatnonzero(own)] if exclude_seen else None
        lists = model._lists(asked[own], users[own], k, hidden, barred, max_scores)
        if own.all():
            return lists
        rest = self.fallback_.recommend(
            asked[~own],
            k,
            exclude_seen=exclude_seen,
            candidates=wanted,
            session=recent,
            max_scores=max_scores,
        )
        return _in_order_of(asked, [lists, rest])

    @abstractmethod
    def _learn(
        self, log: pd.DataFrame, items: pd.DataFrame | None, item_vectors: pd.DataFrame | None
    ) -> None:
        """Learn from the valid log; `user_ids_`, `item_ids_` and `seen_` are there already."""

    @abstractmethod
    def _scores(self, users: Positions) -> Floats:
        """Return a new array (n_users, n_items): −inf is "never", NaN is not allowed.

        `users` are positions in `user_ids_`, −1 for a user who is not in the log. The scores may be
        off by at most `_slack()`, if `_exact` puts them right.
        """

    def _take_in(self, asked: pd.Index, users: Positions, session: pd.DataFrame) -> Positions:
        """Keep of the users only those asked for, with what the session adds, and say where.

        It is called on a shallow copy of the fitted recommender. `users` are the positions of the
        asked users in `user_ids_`, −1 for one who is not in the log; `session` holds events of
        asked users on items of the catalogue, at least one. What is returned goes to `_can_score`
        and `_scores`. Here: who learns nothing from a session keeps everything as it is.
        """
        return users

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        return np.ones(len(users), dtype=bool)

    def _slack(self) -> float:
        return 0.0

    def _exact(self, users: Positions, items: Positions, scores: Floats) -> Floats:
        return scores

    def _best(
        self,
        users: Positions,
        k: int,
        seen: sparse.csr_array | None,
        barred: NDArray[np.bool_],
        max_scores: int,
    ) -> Found:
        """Return places in `users`, items, scores and ranks of the k best."""
        size = max(1, max_scores // len(self.item_ids_))
        parts = []
        for start in range(0, max(1, len(users)), size):
            chunk = users[start : start + size]
            scores = self._scores(chunk)
            scores[:, barred] = -np.inf
            if seen is not None:
                scores[seen[start : start + size].nonzero()] = -np.inf
            rows, columns = shortlist(scores, k, 2 * self._slack())
            exact = self._exact(chunk[rows], columns, scores[rows, columns])
            parts.append(ranked(rows, columns, exact, k, first=start))
        rows, columns, score, rank = (np.concatenate(p) for p in zip(*parts, strict=True))
        return rows, columns, score, rank

    def _touched(self, log: pd.DataFrame, user_ids: pd.Index) -> sparse.csr_array:
        rows = user_ids.get_indexer(log["user_id"])
        columns = self.item_ids_.get_indexer(log["item_id"])
        ones = np.ones(len(log), dtype=bool)
        shape = (len(user_ids), len(self.item_ids_))
        return sparse.csr_array((ones, (rows, columns)), shape=shape)

    def _usable(self, session: pd.DataFrame) -> pd.DataFrame:
        """Return the events of the session on items of the catalogue."""
        try:
            events = validate_events(session)
        except (TypeError, SchemaError) as error:
            raise type(error)(f"session: {error}") from None
        if events.empty:
            return events
        for column, known in (("user_id", self.user_ids_), ("item_id", self.item_ids_)):
            ids = known.to_series()
            check_same_ids(events[column], ids, f"session.{column}", f"events.{column}")
        return events[events["item_id"].isin(self.item_ids_)]

    def _candidates(self, candidates: Iterable[object]) -> pd.Index:
        wanted = _asked_ids(candidates, self.item_ids_, "candidates", "the catalogue")
        unknown = wanted[~wanted.isin(self.item_ids_)]
        if len(unknown):
            raise ValueError(
                f"candidates holds {len(unknown)} item(s) that are not in the catalogue: "
                f"{shown(unknown.tolist())}; fit with an items table that has them, or drop them"
            )
        return wanted

    def _lists(
        self,
        asked: pd.Index,
        users: Positions,
        k: int,
        seen: sparse.csr_array | None,
        barred: NDArray[np.bool_],
        max_scores: int,
    ) -> pd.DataFrame:
        rows, columns, score, rank = self._best(users, k, seen, barred, max_scores)
        return pd.DataFrame(
            {
                "user_id": asked[rows],
                "item_id": self.item_ids_[columns],
                "rank": rank,
                "score": score,
                "source": pd.Series(self.source, index=range(len(rows)), dtype="str"),
            }
        )


def rows_of(table: sparse.csr_array, users: Positions) -> sparse.csr_array:
    """Return some rows of a table, an empty one for −1.

    >>> rows_of(sparse.csr_array([[1.0, 0.0], [0.0, 2.0]]), np.array([1, -1])).toarray().tolist()
    [[0.0, 2.0], [0.0, 0.0]]
    """
    known = np.flatnonzero(users >= 0)
    found = table[users[known]]
    ends = np.zeros(len(users) + 1, dtype=found.indptr.dtype)
    ends[known + 1] = np.diff(found.indptr)
    shape = (len(users), table.shape[1])
    return sparse.csr_array((found.data, found.indices, np.cumsum(ends)), shape=shape)


def dense_rows(table: NDArray[Any], users: Positions) -> NDArray[Any]:
    """Return some rows of a table, zeros for −1.

    >>> dense_rows(np.array([[1.0], [2.0]]), np.array([1, -1])).tolist()
    [[2.0], [0.0]]
    """
    rows: NDArray[Any] = table[users]
    rows[users < 0] = 0
    return rows


def _in_order_of(asked: pd.Index, parts: list[pd.DataFrame]) -> pd.DataFrame:
    lists = pd.concat([p for p in parts if len(p)] or parts[:1])
    order = np.argsort(asked.get_indexer(lists["user_id"]), kind="stable")
    return lists.iloc[order].reset_index(drop=True)


def _asked_ids(
    ids: Iterable[object] | None, known: pd.Index, name: str, known_name: str
) -> pd.Index:
    if ids is None:
        return known
    asked = given_ids(ids, name)
    if asked.empty:
        return known[:0]
    check_same_ids(asked, known.to_series(), name, known_name)
    return pd.Index(asked.unique(), name=known.name)
