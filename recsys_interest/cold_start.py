"""One recommender that also answers users and items it has never met, put together from parts.

Chapter: 13 (cold start).
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from recsys_interest.catalogue import Growth, extend_catalogue, grow, grown
from recsys_interest.checks import check_kind
from recsys_interest.priors import Prior
from recsys_interest.recommender import Floats, Positions, Recommender
from recsys_interest.schema import validate_users
from recsys_interest.text_informed import TextInformedRecommender

__all__ = ["ColdStartRecommender"]


class ColdStartRecommender(Recommender):
    """Answer every user by the best that is known of them: events, else what they say, else a list.

    The parts are asked in turn, and `source` names the one that answered:

    1. the recommender, for users with behaviour in the log or in the session of `recommend`;
    2. each of the priors, for users who said something that it understands;
    3. the fallback of the recommender, for all others.

    Nothing here decides by itself: each part leaves to the next whom it cannot score, by the
    `fallback` that every recommender has.

    Parameters
    ----------
    recommender : Recommender, optional
        Has a `fallback` for users without behaviour; `TextInformedRecommender` by default. If it is
        a linear model, it also carries what is said to further items (`VectorPrior`).
    priors : sequence of Prior, optional
        `TextPrior`, `InterestPrior`, `ProfilePrior`, `ClusterPrior`, `AttributePrior` or your own,
        the most telling first. None by default: then unknown users get the fallback's list.
    users : DataFrame, optional
        What users say of themselves (see `validate_users`): the columns that the priors read.
        `with_users` takes more of them at any time.

    Attributes
    ----------
    recommender_ : Recommender
        The fitted recommender, whose `fallback_` is the first prior, and so on.
    users_ : DataFrame or None
        What was said, one row a user.

    Notes
    -----
    An answer by a prior is worth less than one by behaviour: a few events replace it. Chapter 13,
    "Cold start".

    Rows: K04, R05.

    Examples
    --------
    >>> from recsys_interest import ClusterPrior, EaseRecommender
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2, 3, 3],
    ...                     "item_id": ["oven", "pan", "oven", "pan", "tent", "rope"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> clusters = pd.Series(["cooks", "cooks", "walkers"], index=[1, 2, 3])
    >>> model = ColdStartRecommender(EaseRecommender(1.0), [ClusterPrior(clusters)]).fit(log)
    >>> model = model.with_users(pd.DataFrame({"user_id": [8], "cluster": ["walkers"]}))
    >>> clicks = pd.DataFrame({"user_id": [9], "item_id": ["rope"], "event": "like",
    ...                        "timestamp": pd.to_datetime(["2026-01-06"])})
    >>> model.recommend([7, 8, 9], k=1, session=clicks)[["user_id", "item_id", "source"]]
       user_id item_id      source
    0        7    oven  popularity
    1        8    oven     cluster
    2        9    tent        ease
    """

    source = "cold_start"

    def __init__(
        self,
        recommender: Recommender | None = None,
        priors: Sequence[Prior] | None = None,
        users: pd.DataFrame | None = None,
    ) -> None:
        self.recommender = recommender
        self.priors = priors
        self.users = users

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
        """Return the k best items of each user, as `Recommender.recommend` does.

        Parameters
        ----------
        user_ids : iterable of ids, optional
            Whom to answer.
        k : int, default 10
            Length of a list.
        exclude_seen : bool, default True
            Leave out what the user touched.
        candidates : iterable of ids, optional
            Recommend only these items.
        session : DataFrame, optional
            Events after those of the log; of a new user they replace what was said.
        max_scores : int, default 5,000,000
            How many scores to hold at once.

        Returns
        -------
        DataFrame
            `user_id`, `item_id`, `rank`, `score` and `source`: which part answered.
        """
        check_is_fitted(self, "recommender_")
        return self.recommender_.recommend(
            user_ids,
            k,
            exclude_seen=exclude_seen,
            candidates=candidates,
            session=session,
            max_scores=max_scores,
        )

    def with_users(self, users: pd.DataFrame) -> Self:
        """Return a copy that also knows what these users say; nothing is learned again.

        Parameters
        ----------
        users : DataFrame
            Valid users (see `validate_users`) with any of the columns that the priors read. A user
            who spoke before is taken by the new word.

        Returns
        -------
        ColdStartRecommender
            The copy; this object stays as it is, and the two share what was learned.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError
            If `users` is not a DataFrame.
        SchemaError
            If the table does not fit, or a prior cannot read a statement.
        """
        check_is_fitted(self, "recommender_")
        told = validate_users(users)
        if self.users_ is not None:
            told = pd.concat([self.users_, told]).drop_duplicates("user_id", keep="last")
        other = copy.copy(self)
        other.users_ = told.reset_index(drop=True)
        other.recommender_ = _told(self._untold, other.users_)
        return other

    def with_items(self, items: pd.DataFrame, item_vectors: pd.DataFrame) -> Self:
        """Return a copy whose catalogue has further items; nothing is learned again.

        Parameters
        ----------
        items : DataFrame
            Valid items (see `validate_items`); those of the catalogue are passed over.
        item_vectors : DataFrame
            A vector of the text of each, indexed by item id.

        Returns
        -------
        ColdStartRecommender
            The copy; this object stays as it is.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        TypeError
            If a part learns its items in `fit` only (`extend_catalogue`).
        """
        check_is_fitted(self, "recommender_")
        return extend_catalogue(self, items, item_vectors)

    def _learn(
        self, log: pd.DataFrame, items: pd.DataFrame | None, item_vectors: pd.DataFrame | None
    ) -> None:
        self._untold = self._chained().fit(log, items, item_vectors)
        self.recommender_, self.users_ = self._untold, None
        if self.users is not None:
            told = self.with_users(self.users)
            self.recommender_, self.users_ = told.recommender_, told.users_

    def _chained(self) -> Recommender:
        head = TextInformedRecommender() if self.recommender is None else self.recommender
        check_kind(head, Recommender, "recommender")
        if "fallback" not in head.get_params(deep=False):
            raise ValueError(
                f"recommender must leave users without behaviour to a fallback, but "
                f"{type(head).__name__} answers everybody; no prior would be asked"
            )
        priors = [] if self.priors is None else self.priors
        if not isinstance(priors, Iterable):
            raise TypeError(f"priors must be a list of Prior objects, got {priors!r}")
        for prior in priors:
            if not isinstance(prior, Prior):
                raise TypeError(f"priors must be Prior objects, got {type(prior).__name__}")
            if prior.fallback is not None:
                raise ValueError("a prior has a fallback of its own; give it to the recommender")
        last = head.get_params(deep=False)["fallback"]
        for prior in reversed(list(priors)):
            last = clone(prior).set_params(fallback=last)
        return clone(head).set_params(fallback=last)

    def _can_score(self, users: Positions) -> NDArray[np.bool_]:
        return self.recommender_._can_score(users)

    def _scores(self, users: Positions) -> Floats:
        return self.recommender_._scores(users)


def _told(model: Recommender, users: pd.DataFrame) -> Recommender:
    """Return a copy of the recommender whose priors know the users."""
    head = copy.copy(model)
    link = head
    while isinstance(getattr(link, "fallback_", None), Prior):
        link.fallback_ = link.fallback_.told(users, model)
        link = link.fallback_
    return head


@grow.register
def _(recommender: ColdStartRecommender, growth: Growth) -> None:
    recommender._untold = grown(recommender._untold, growth)
    users = recommender.users_
    told = recommender._untold if users is None else _told(recommender._untold, users)
    recommender.recommender_ = told
