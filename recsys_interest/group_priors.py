"""Answers for users without events from the group they belong to: a cluster, or what they are.

Chapter: 13 (cold start).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from recsys_interest.checks import SchemaError, check_positive, check_same_ids, shown
from recsys_interest.likes import Doubles, on_grid
from recsys_interest.priors import Prior
from recsys_interest.recommender import Floats, Recommender
from recsys_interest.schema import validate_users

__all__ = ["AttributePrior", "ClusterPrior"]

_NOISE = -1


class GroupPrior(Prior):
    r"""A prior whose statements are groups, and whose scores are what a group likes.

    .. math:: p_{gi} = \frac{\sum_{u \in g} x_{ui} + m \, p_i}{n_g + m}, \qquad
        \mathrm{score}(u, i) = \operatorname*{mean}_{g \ni u} p_{gi}

    with :math:`p_i` the share of all users who like the item, so that a group of few users says
    little more than that.

    Attributes
    ----------
    groups_ : DataFrame of float64, shape (n_groups, n_items)
        :math:`p_{gi}`, in multiples of :math:`2^{-30}`, indexed by column and value.
    """

    shrinkage: float

    def _check_parameters(self) -> None:
        check_positive(self.shrinkage, "shrinkage", zero=True)
        check_same_ids(
            self._table()["user_id"], self.user_ids_.to_series(), "users.user_id", "events.user_id"
        )

    def _table(self) -> pd.DataFrame:
        """Return the known users with a column for each kind of group."""
        raise NotImplementedError

    def _learn_likes(self, likes: sparse.csr_array, item_vectors: pd.DataFrame | None) -> None:
        table = self._table()
        table = table[table["user_id"].isin(self.user_ids_)].set_index("user_id")
        pairs = [
            (column, value)
            for column in table
            for value in sorted(_groups(table[column]).dropna().unique(), key=repr)
        ]
        self._place = {pair: n for n, pair in enumerate(pairs)}
        members = self._members(table)
        rows = likes[self.user_ids_.get_indexer(table.index)]
        counts: Doubles = (members.T @ rows).toarray()
        overall, m = likes.sum(axis=0) / likes.shape[0], float(self.shrinkage)
        share = (counts + m * overall) / (members.sum(axis=0)[:, None] + m)
        index = pd.MultiIndex.from_tuples(pairs, names=["column", "value"])
        self.groups_ = pd.DataFrame(on_grid(share), index=index, columns=self.item_ids_)
        self._nothing_said(len(pairs))

    def _members(self, table: pd.DataFrame) -> sparse.csr_array:
        # Python looks 3, 3.0 and a NumPy 3 up as one and the same.
        cells = [
            (row, self._place[column, value])
            for column in table
            for row, value in enumerate(_groups(table[column]))
            if (column, value) in self._place
        ]
        row, place = np.array(cells, dtype=np.intp).reshape(-1, 2).T
        shape = (len(table), len(self._place))
        return sparse.csr_array((np.ones(len(cells)), (row, place)), shape=shape)

    def _understood(self, users: pd.DataFrame) -> sparse.csr_array:
        kinds = {column for column, _ in self._place}
        return self._members(users[[column for column in users if column in kinds]])

    def _said_scores(self, said: sparse.csr_array) -> Floats:
        number = np.maximum(said.sum(axis=1), 1.0)[:, None]
        return np.asarray(said @ self.groups_.to_numpy()) / number


class ClusterPrior(GroupPrior):
    r"""Answer users by what is liked in the interest cluster they belong to.

    Parameters
    ----------
    clusters : Series
        The cluster of known users, a number or a name, indexed by user id; none if −1 or missing.
    column : str, default "cluster"
        Where the cluster stands in the table of users, for example by `InterestClusterer.predict`.
    shrinkage : float, default 10.0
        :math:`m`, in users: how much the likes of all users count beside those of the cluster.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for everybody else; `PopularityRecommender` if not given.

    Attributes
    ----------
    groups_ : DataFrame of float64, shape (n_clusters, n_items)
        The score of each item in each cluster.

    Notes
    -----
    `GroupPrior` has the formula. Chapter 13, "Cold start".

    Rows: R04.

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 2, 3, 4], "item_id": ["oven", "oven", "oven", "tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> clusters = pd.Series(["cooks", "cooks", "cooks", "walkers"], index=[1, 2, 3, 4])
    >>> prior = ClusterPrior(clusters, shrinkage=1.0).fit(log)
    >>> told = prior.told(pd.DataFrame({"user_id": [9], "cluster": ["walkers"]}))
    >>> told.recommend([9], k=1)[["item_id", "score", "source"]]
      item_id  score   source
    0    tent  0.625  cluster
    """

    source = "cluster"

    def __init__(
        self,
        clusters: pd.Series,
        column: str = "cluster",
        shrinkage: float = 10.0,
        *,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
    ) -> None:
        self.clusters = clusters
        self.column = column
        self.shrinkage = shrinkage
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback

    def _table(self) -> pd.DataFrame:
        if not isinstance(self.clusters, pd.Series):
            kind = type(self.clusters).__name__
            raise TypeError(f"clusters must be a Series indexed by user id, got {kind}")
        named = {"user_id": self.clusters.index, self.column: self.clusters.to_numpy()}
        table = validate_users(pd.DataFrame(named))
        labels = _groups(table[self.column])
        return table[labels.notna() & ~labels.isin([_NOISE])]


class AttributePrior(GroupPrior):
    r"""Answer users by what is liked by those who are like them: of their age, from their town.

    Parameters
    ----------
    users : DataFrame
        Known users (see `validate_users`) with their attributes.
    columns : sequence of str, optional
        Which attributes; all if not given. Each value is a group; numbers with many values, such
        as an age in years, are better cut into a few (`pandas.cut`).
    shrinkage : float, default 10.0
        :math:`m`, in users: how much the likes of all users count beside those of a group.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for everybody else; `PopularityRecommender` if not given.

    Attributes
    ----------
    groups_ : DataFrame of float64, shape (n_groups, n_items)
        The score of each item in each group.

    Notes
    -----
    `GroupPrior` has the formula; of several attributes the scores are averaged, and one that is
    missing or unheard of is left out. Chapter 13, "Cold start".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 2, 3, 4], "item_id": ["oven", "oven", "oven", "tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> users = pd.DataFrame({"user_id": [1, 2, 3, 4], "town": ["A", "A", "A", "B"]})
    >>> prior = AttributePrior(users, shrinkage=1.0).fit(log)
    >>> told = prior.told(pd.DataFrame({"user_id": [9], "town": ["B"]}))
    >>> told.recommend([9], k=1)[["item_id", "score", "source"]]
      item_id  score      source
    0    tent  0.625  attributes
    """

    source = "attributes"

    def __init__(
        self,
        users: pd.DataFrame,
        columns: Sequence[str] | None = None,
        shrinkage: float = 10.0,
        *,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
    ) -> None:
        self.users = users
        self.columns = columns
        self.shrinkage = shrinkage
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback

    def _table(self) -> pd.DataFrame:
        table = validate_users(self.users)
        if self.columns is None:
            return table
        wanted = [] if isinstance(self.columns, str) else list(self.columns)
        missing = [c for c in wanted if c not in table.columns[1:]]
        if missing or isinstance(self.columns, str) or len(set(wanted)) < len(wanted):
            raise ValueError(
                f"columns must be a list of columns of users, each once, got {self.columns!r}; "
                f"users has {shown(table.columns[1:])}"
            )
        return table[["user_id", *wanted]]


def _groups(column: pd.Series) -> pd.Series:
    odd = [] if column.dtype != object else [v for v in column if not isinstance(v, Hashable)]
    if odd:
        raise SchemaError(
            f"users.{column.name} holds {shown(odd)}; a group is a number or a text, so leave the "
            f"column out, or make one of each cell"
        )
    return column
