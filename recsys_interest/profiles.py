"""User vectors: the weighted, time-decayed mean of the vectors of what each user did.

Chapter: 05 (user profiles).
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Self

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import as_moment, check_same_ids
from recsys_interest.schema import event_strength, validate_events
from recsys_interest.vectors import check_vectors

__all__ = ["InterestProfiler"]

_SORT = ["user_id", "item_id", "timestamp", "event", "value", "text"]


class InterestProfiler(BaseEstimator):
    r"""One interest vector per user, from events and item vectors.

    .. math:: F_u = \frac{\sum_{e \in u} w_e \, E_{i(e)}}{\sum_{e \in u} w_e}, \qquad
              w_e = \max(s_e, 0) \cdot 2^{-a_e / h}

    with :math:`E_i` the vector of item :math:`i`, :math:`s_e` the strength of the event
    (`event_strength`), :math:`a_e` its age in days and :math:`h` the half-life. Dividing by the sum
    of the weights keeps the length of a profile from growing with the history; its direction is the
    same. Events that speak against an item (:math:`s_e < 0`) have weight 0: the opposite of a
    dislike is no interest.

    Parameters
    ----------
    event_weights : mapping of str to float, optional
        Overrides or extends `EVENT_WEIGHTS`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    half_life : float, optional
        Days after which an event counts half; no decay by default.
    reference_time : str or Timestamp, optional
        The moment ages are counted from; the last event by default. It changes no profile, since
        it scales all weights of a user alike; it sets the scale of `users_["weight"]`.

    Attributes
    ----------
    profiles_ : DataFrame of float32, shape (n_users, n_features)
        Indexed by `user_id`, sorted. Only users with a positive weight on an item with a vector.
    users_ : DataFrame
        Every user of the events, sorted: `n_events`, `weight` (sum of the weights used) and
        `has_profile`.
    item_vectors_ : DataFrame of float32
        The item vectors, sorted by id.

    Notes
    -----
    Chapter 05, "User profiles". The first source article writes the sum without the division.

    Examples
    --------
    >>> import pandas as pd
    >>> vectors = pd.DataFrame({"x": [1.0, 0.0], "y": [0.0, 1.0]}, index=["tent", "novel"])
    >>> log = pd.DataFrame({"user_id": ["ann"] * 2, "item_id": ["tent", "novel"],
    ...                     "event": ["like", "browse"],
    ...                     "timestamp": pd.to_datetime(["2026-01-01"] * 2)})
    >>> InterestProfiler().fit(log, vectors).profiles_.loc["ann"].tolist()
    [0.75, 0.25]
    """

    def __init__(
        self,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        half_life: float | None = None,
        reference_time: str | pd.Timestamp | None = None,
    ) -> None:
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.half_life = half_life
        self.reference_time = reference_time

    def fit(self, events: pd.DataFrame, item_vectors: pd.DataFrame) -> Self:
        """Compute the profile of every user.

        Parameters
        ----------
        events : DataFrame
            Valid events.
        item_vectors : DataFrame, shape (n_items, n_features)
            Numeric, indexed by item id. A row of zeros means that the item has no vector.

        Returns
        -------
        InterestProfiler
            This object.

        Raises
        ------
        TypeError
            If an argument or `half_life` is of the wrong kind.
        SchemaError
            If the tables do not fit the schema or each other.
        ValueError
            If a vector is not finite, or `half_life` is not positive.
        """
        _check_half_life(self.half_life)
        self.item_vectors_ = check_vectors(item_vectors, "item_vectors")
        self.profiles_, self.users_ = self._profile(validate_events(events))
        return self

    def transform(self, events: pd.DataFrame) -> pd.DataFrame:
        """Return the profiles that other events give, by the item vectors seen in `fit`.

        Parameters
        ----------
        events : DataFrame
            Valid events, of known or new users.

        Returns
        -------
        DataFrame of float32
            As `profiles_`.
        """
        check_is_fitted(self)
        return self._profile(validate_events(events))[0]

    def _profile(self, log: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        index = self.item_vectors_.index
        check_same_ids(log["item_id"], index.to_series(), "events.item_id", "item_vectors.index")
        # Floating-point sums depend on the order of their terms, so the terms get one order.
        log = log.sort_values(_SORT, ignore_index=True)
        rows, users = pd.factorize(log["user_id"], sort=True)
        column = index.get_indexer(log["item_id"])
        strength = event_strength(log, self.event_weights, self.neutral_rating).to_numpy()
        usable = (strength > 0) & self._has_vector()[column]
        rows_used, age = rows[usable], self._age(log)[usable]
        newest = pd.Series(age).groupby(rows_used).min().reindex(range(len(users)), fill_value=0.0)
        # Decay is counted from each user's newest event: after a long silence the weights of all
        # events would underflow to 0, though their ratios, and so the profile, are well defined.
        weight = strength[usable] * self._decay(age - newest.to_numpy()[rows_used])
        shape = (len(users), len(index))
        table = sparse.csr_matrix((weight, (rows_used, column[usable])), shape=shape)
        total = np.asarray(table.sum(axis=1)).ravel()
        known = total > 0
        share = sparse.diags_array(1 / total[known]) @ table[known]
        means = np.asarray(share @ self.item_vectors_.to_numpy(dtype=np.float64))
        ids = pd.Index(users, name="user_id")
        columns = self.item_vectors_.columns
        profiles = pd.DataFrame(means.astype(np.float32), index=ids[known], columns=columns)
        about = {
            "n_events": np.bincount(rows, minlength=len(users)),
            "weight": total * self._decay(newest.to_numpy()),
            "has_profile": known,
        }
        return profiles, pd.DataFrame(about, index=ids)

    def _age(self, log: pd.DataFrame) -> np.ndarray:
        age: np.ndarray = (self._reference(log) - log["timestamp"]).dt.total_seconds().to_numpy()
        return age / 86_400

    def _decay(self, age: np.ndarray) -> np.ndarray:
        if self.half_life is None:
            return np.ones_like(age)
        return np.exp2(-age / self.half_life)

    def _reference(self, log: pd.DataFrame) -> pd.Timestamp:
        if self.reference_time is None or not len(log):
            return log["timestamp"].max()
        return as_moment(self.reference_time, "reference_time")

    def _has_vector(self) -> np.ndarray:
        # The last entry answers for items that are not there, whose place is −1.
        return np.append(self.item_vectors_.to_numpy().any(axis=1), False)


def _check_half_life(half_life: object) -> None:
    if half_life is None:
        return
    if isinstance(half_life, bool) or not isinstance(half_life, Real):
        raise TypeError(f"half_life must be a number of days or None, got {half_life!r}")
    if not float(half_life) > 0:
        raise ValueError(f"half_life must be a positive number of days, got {half_life}")
