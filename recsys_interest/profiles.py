"""User vectors: the weighted, time-decayed mean of the vectors of what each user did.

Chapter: 05 (user profiles).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import SchemaError, as_moment, check_frame, check_same_ids, shown
from recsys_interest.decayed_sums import DecayedSums, moments
from recsys_interest.means import threads
from recsys_interest.profile_sums import ProfileSums, extended, sums_of, used_columns
from recsys_interest.schema import validate_events
from recsys_interest.vectors import check_vectors
from recsys_interest.weighing import Weighing

__all__ = ["InterestProfiler"]

_STATE = {
    "users": ("user_id", "n_events", "last_event"),
    "pairs": ("user_id", "item_id", "newest", "mass"),
    "settings": ("setting", "value"),
}


class InterestProfiler(ProfileSums, BaseEstimator):
    r"""One interest vector per user, from events and item vectors.

    .. math:: F_u = \frac{\sum_{e \in u} w_e \, E_{i(e)}}{\sum_{e \in u} w_e}, \qquad
              w_e = \max(s_e, 0) \cdot \mathrm{idf}_{i(e)} \cdot 2^{-a_e / h}

    with :math:`E_i` the vector of item :math:`i`, :math:`s_e` the strength of the event
    (`event_strength`), :math:`a_e` its age in days and :math:`h` the half-life. Dividing by the sum
    of the weights keeps the length of a profile from growing with the history; its direction is the
    same. Events that speak against an item (:math:`s_e < 0`) have weight 0: the opposite of a
    dislike is no interest.

    The inverse document frequency makes what few users touch say more about those who do,

    .. math:: \mathrm{idf}_i = 1 + \ln \frac{1 + n}{1 + n_i}

    with :math:`n_i` the number of users with a positive event on item :math:`i` and :math:`n` that
    of users with any (scikit-learn's smoothed formula, users for documents, items for terms).

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
    weigh_events : bool, default True
        Whether a purchase counts more than a glance. Without it every event with a positive
        strength counts 1.
    idf : bool or mapping of item id to float, default False
        True counts the inverse document frequency in the events seen so far. Then one user's event
        moves other users' profiles a little; give fixed values where that is not wanted. An item
        that is missing from them gets the largest.
    n_jobs : int, optional
        Threads that work on the vectors; 1 by default, −1 for one a core. The result is the same.

    Attributes
    ----------
    profiles_ : DataFrame of float32, shape (n_users, n_features)
        One row for every user of the events, indexed by `user_id`, sorted. Zeros for a user without
        a positive event on an item with a vector; `users_["has_profile"]` says who that is.
    users_ : DataFrame
        Indexed like `profiles_`: `n_events`, `last_event`, `weight` (sum of the weights used, at
        the reference time) and `has_profile`.
    idf_ : Series of float64, shape (n_items,)
        The inverse document frequency of every item with a positive event; 1 where it is off.
    item_vectors_ : DataFrame of float32
        The item vectors, sorted by id.

    Notes
    -----
    Chapter 05, "User profiles". The first source article writes the sum without the division.

    What is kept between batches is one decayed sum for each pair of user and item, and not one
    vector for each user. So the inverse document frequency can change afterwards, an item may get
    its vector later than its first event, and any profile can be taken apart into its
    contributions. A batch costs time in proportion to its own length, again each time the tables
    are merged; that happens a logarithmic number of times.

    Rows: F14.

    Examples
    --------
    >>> import pandas as pd
    >>> vectors = pd.DataFrame({"x": [1.0, 0.0], "y": [0.0, 1.0]}, index=["tent", "novel"])
    >>> log = pd.DataFrame({"user_id": ["ann"] * 2, "item_id": ["tent", "novel"],
    ...                     "event": ["like", "browse"],
    ...                     "timestamp": pd.to_datetime(["2026-01-01"] * 2)})
    >>> InterestProfiler().fit(log, vectors).profiles_.loc["ann"].tolist()
    [0.75, 0.25]
    >>> stream = InterestProfiler().partial_fit(log.tail(1), vectors).partial_fit(log.head(1))
    >>> stream.profiles_.loc["ann"].tolist()
    [0.75, 0.25]
    """

    def __init__(
        self,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        half_life: float | None = None,
        reference_time: str | pd.Timestamp | None = None,
        *,
        weigh_events: bool = True,
        idf: bool | Mapping[Any, float] | pd.Series = False,
        n_jobs: int | None = None,
    ) -> None:
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.half_life = half_life
        self.reference_time = reference_time
        self.weigh_events = weigh_events
        self.idf = idf
        self.n_jobs = n_jobs

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
        weighing = self._checked()
        vectors = check_vectors(item_vectors, "item_vectors")
        self._start(vectors, [sums_of(events, vectors, weighing)], weighing)
        return self

    def partial_fit(self, events: pd.DataFrame, item_vectors: pd.DataFrame | None = None) -> Self:
        """Take in one more batch of events; batches may come in any order, late events too.

        Parameters
        ----------
        events : DataFrame
            Valid events that were not given before: an event that is given twice counts twice.
        item_vectors : DataFrame, shape (n_items, n_features), optional
            Needed in the first call. Later it adds items, or replaces the vectors of known ones.

        Returns
        -------
        InterestProfiler
            This object, with the profiles that `fit` on all events at once would give.

        Raises
        ------
        TypeError
            If the first call has no `item_vectors`, or something is of the wrong kind.
        SchemaError
            If the tables do not fit the schema or each other.
        ValueError
            If the vectors have other columns than before, or a parameter changed that past events
            were summed with.
        """
        if not self.__sklearn_is_fitted__():
            if item_vectors is None:
                raise TypeError("item_vectors is missing; the first partial_fit needs it")
            return self.fit(events, item_vectors)
        weighing = self._checked()
        weighing.check_same(self._weighing.settings(), "the events so far were summed")
        vectors = self.item_vectors_
        if item_vectors is not None:
            vectors = extended(vectors, check_vectors(item_vectors, "item_vectors"))
        new = sums_of(events, vectors, weighing)
        kinds = (new.users.to_series(), self._parts[0].users.to_series())
        check_same_ids(*kinds, "events.user_id", "the earlier one")
        parts = [*self._parts, new]
        # Tables of similar size are merged, so that each row is merged a logarithmic number of
        # times, whatever the size of the batches.
        while len(parts) > 1 and 2 * len(parts[-1].mass) >= len(parts[-2].mass):
            parts[-2:] = [DecayedSums.merged(parts[-2:], weighing.half_life)]
        self._start(vectors, parts, weighing)
        return self

    def transform(self, events: pd.DataFrame) -> pd.DataFrame:
        """Return the profiles that other events give, by the item vectors and idf seen in `fit`.

        Parameters
        ----------
        events : DataFrame
            Valid events, of known or new users.

        Returns
        -------
        DataFrame of float32
            As `profiles_`, one row for every user of these events.
        """
        check_is_fitted(self)
        return self._profiled(sums_of(events, self.item_vectors_, self._weighing))[0]

    def lookup(self, user_ids: Iterable[Any]) -> pd.DataFrame:
        """Return the profiles of some users without computing those of all.

        Parameters
        ----------
        user_ids : iterable
            Whose profiles to return, in this order. Users that never occurred get zeros.

        Returns
        -------
        DataFrame of float32, shape (n_asked, n_features)
            Indexed by `user_id`.
        """
        check_is_fitted(self)
        ids = self._asked(user_ids)
        found: pd.DataFrame = self._profiled(self._some(ids))[0].reindex(ids, fill_value=0.0)
        return found.rename_axis("user_id")

    def contributions(
        self, user_ids: Iterable[Any] | None = None, events: pd.DataFrame | None = None
    ) -> pd.DataFrame:
        r"""Return what each profile is made of: the shares of the weight, which sum to one.

        .. math:: F_u = \sum_i c_{ui} E_i, \qquad \sum_i c_{ui} = 1

        Parameters
        ----------
        user_ids : iterable, optional
            Whose profiles to take apart; all by default. Who has no profile has no rows.
        events : DataFrame, optional
            The events the profiles were made of. Only sums per item are kept, so they are needed
            to go down to single events.

        Returns
        -------
        DataFrame
            `user_id, item_id, last_event, share`, by user, the largest share first. With `events`,
            one row for each that counts: `user_id, item_id, event, timestamp, value, share`, under
            its index in `events`.

        Examples
        --------
        >>> import pandas as pd
        >>> vectors = pd.DataFrame({"x": [1.0, 0.0]}, index=["tent", "novel"]).assign(y=1.0)
        >>> log = pd.DataFrame({"user_id": ["ann"] * 2, "item_id": ["tent", "novel"],
        ...                     "event": ["like", "browse"],
        ...                     "timestamp": pd.to_datetime(["2026-01-01"] * 2)})
        >>> InterestProfiler().fit(log, vectors).contributions()[["item_id", "share"]]
          item_id  share
        0    tent   0.75
        1   novel   0.25
        """
        check_is_fitted(self)
        ids = None if user_ids is None else self._asked(user_ids)
        if events is not None:
            log = validate_events(used_columns(events))
            return self._event_shares(log if ids is None else log[log["user_id"].isin(ids)])
        sums = self._whole() if ids is None else self._some(ids)
        used, weight, total, _ = self._weights(sums)
        user, item = sums.user[used], sums.item[used]
        share = weight / total[user]
        order = np.lexsort((item, -share, user))
        table = {
            "user_id": sums.users.take(user[order]),
            "item_id": sums.items.take(item[order]),
            "last_event": moments(sums.newest[used][order]),
            "share": share[order],
        }
        return pd.DataFrame(table)

    def forget(self, user_ids: Iterable[Any]) -> Self:
        """Remove everything that is known of some users, as if their events had never come.

        Parameters
        ----------
        user_ids : iterable
            Whom to forget; who never occurred is no error.

        Returns
        -------
        InterestProfiler
            This object. Events of these users that are given again later count again;
            `DurableStream` refuses them.

        Raises
        ------
        TypeError
            If `user_ids` is a single id.
        SchemaError
            If the ids are of another kind than those of the events.
        """
        check_is_fitted(self)
        ids, known = self._asked(user_ids), self._whole()
        # To forget nobody because of "7" for 7 would look like having forgotten.
        check_same_ids(ids.to_series(), known.users.to_series(), "user_ids", "events.user_id")
        self._start(self.item_vectors_, [known.without(ids)], self._weighing)
        return self

    def get_state(self) -> dict[str, pd.DataFrame]:
        """Return everything that was learned as tables, to be written to files.

        Returns
        -------
        dict of str to DataFrame
            ``users``, ``pairs``, ``settings`` and ``item_vectors``. Nothing of it is an event; its
            size grows with the pairs of user and item.
        """
        check_is_fitted(self)
        users, pairs = self._whole().to_frames()
        return {
            "users": users,
            "pairs": pairs,
            "settings": self._weighing.to_frame(),
            "item_vectors": self.item_vectors_.copy(),
        }

    def set_state(self, state: Mapping[str, pd.DataFrame]) -> Self:
        """Go on where `get_state` was called.

        Parameters
        ----------
        state : mapping of str to DataFrame
            What `get_state` returned.

        Returns
        -------
        InterestProfiler
            This object, fitted.

        Raises
        ------
        SchemaError
            If a table or a column is missing, or the tables contradict each other.
        ValueError
            If the sums were made with other parameters than this object has.
        """
        missing = sorted({*_STATE, "item_vectors"} - set(state))
        if missing:
            raise SchemaError(f"state lacks {shown(missing)}; pass all that get_state returned")
        users, pairs, settings = (check_frame(state[n], n, c) for n, c in _STATE.items())
        weighing = self._checked()
        weighing.check_frame(settings)
        vectors = check_vectors(state["item_vectors"], "item_vectors")
        sums = DecayedSums.from_frames(users, pairs, weighing.half_life)
        self._start(vectors, [sums], weighing)
        return self

    @property
    def profiles_(self) -> pd.DataFrame:
        """One vector for every user, computed when first asked for after new events."""
        return self._results()[0]

    @property
    def users_(self) -> pd.DataFrame:
        """What is known about every user."""
        return self._results()[1]

    @property
    def idf_(self) -> pd.Series:
        """The inverse document frequency of every item with a positive event."""
        check_is_fitted(self)
        items = self._whole().items
        return pd.Series(self._rarity(items), index=items, name="idf").rename_axis("item_id")

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_parts")

    def _checked(self) -> Weighing:
        threads(self.n_jobs)
        if self.reference_time is not None:
            as_moment(self.reference_time, "reference_time")
        return Weighing(
            self.event_weights,
            self.neutral_rating,
            self.half_life,
            self.weigh_events,
            self.idf,
        )
