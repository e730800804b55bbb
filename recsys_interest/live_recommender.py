"""Recommendations that follow every event: update in bounded memory, answer in milliseconds.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import (
    SchemaError,
    as_moment,
    check_as_earlier,
    check_count,
    check_same_ids,
    given_ids,
    shown,
)
from recsys_interest.decayed_sums import microseconds
from recsys_interest.live_catalogue import LiveCatalogue, known_kind
from recsys_interest.live_profiles import LiveProfiles
from recsys_interest.profile_sums import used_columns
from recsys_interest.schema import validate_events
from recsys_interest.vectors import check_vectors
from recsys_interest.weighing import Weighing

__all__ = ["LiveRecommender"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

SCORES_AT_ONCE = 5_000_000
MOST_STRENGTHS = 10_000
_SOURCES = np.array(["popularity", "live"])
_SOME_DAY = pd.Timestamp(0, tz="UTC")
_STATE = {"users", "sums", "seen", "items", "item_vectors", "settings"}


class LiveRecommender(BaseEstimator):
    r"""Rank items by the cosine with the decayed profile of this very moment.

    .. math:: \mathrm{score}(u, i) = \cos\Bigl(E_i, \sum_{e \in u} \max(s_e, 0)\,
              2^{-(t_u - t_e)/h} E_{i(e)}\Bigr)

    which is what `CosineRecommender` with an `InterestProfiler` of the same half-life gives after a
    `fit` on all events up to now. Here each event costs microseconds and the log is not kept: of a
    user there is one sum of vectors, so the memory does not grow with the number of events.

    Parameters
    ----------
    half_life : float, optional
        Days after which an event counts half; no decay by default.
    event_weights : mapping of str to float, optional
        Overrides or extends `EVENT_WEIGHTS`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    max_users : int, default 100,000
        Most users to know, 8 bytes each for each feature. When there is a new one, the user whose
        events came longest ago is dropped, and is new when coming back.
    max_seen : int, default 500
        Most items of a user that are remembered as seen, those of the latest events.

    Attributes
    ----------
    item_vectors_ : DataFrame of float32, shape (n_items, n_features)
        The catalogue, sorted by id.
    users_ : DataFrame
        Indexed by `user_id`, sorted: `n_events`, `last_event`, and `has_profile`.
    profiles_ : DataFrame of float32, shape (n_users, n_features)
        The profiles, indexed like `users_`; zeros for a user without one.
    n_evicted_ : int
        How many times a user was dropped to make room.

    Notes
    -----
    Chapter 14, "Dynamic interests". An event on an item without a vector counts in `n_events` and
    changes nothing else, also if the vector comes later; `InterestProfiler` keeps such events, in
    memory that grows. Users without a profile get the items with the largest decayed sum of
    strengths over all users. `forget` does not take a user's share out of these sums.

    Rows: U03.

    Examples
    --------
    >>> import pandas as pd
    >>> vectors = pd.DataFrame({"x": [1.0, 0.8, 0.0], "y": [0.0, 0.6, 1.0]})
    >>> live = LiveRecommender(half_life=1.0).fit(None, vectors.set_axis(["tent", "rope", "novel"]))
    >>> live.observe("ann", "tent", "like", "2026-01-05").recommend(["ann"], k=1)
      user_id item_id  rank  score source
    0     ann    rope     1    0.8   live
    >>> live.observe("ann", "novel", "purchase", "2026-01-15").profiles_.round(3)
                 x      y
    user_id
    ann      0.001  0.999
    """

    def __init__(
        self,
        half_life: float | None = None,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        *,
        max_users: int = 100_000,
        max_seen: int = 500,
    ) -> None:
        self.half_life = half_life
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.max_users = max_users
        self.max_seen = max_seen

    def fit(self, events: pd.DataFrame | None, item_vectors: pd.DataFrame) -> Self:
        """Begin with a catalogue and, if there is one, a log.

        Parameters
        ----------
        events : DataFrame or None
            Valid events.
        item_vectors : DataFrame, shape (n_items, n_features)
            Numeric, indexed by item id. A row of zeros is an item without a vector, which is never
            recommended to a user with a profile.

        Returns
        -------
        LiveRecommender
            This object.

        Raises
        ------
        TypeError
            If an argument or a parameter is of the wrong kind.
        SchemaError
            If the tables do not fit the schema or each other.
        ValueError
            If a vector is not finite, or a parameter is out of range.
        """
        self._begin(check_vectors(item_vectors, "item_vectors"))
        return self if events is None else self.partial_fit(events)

    def partial_fit(self, events: pd.DataFrame, item_vectors: pd.DataFrame | None = None) -> Self:
        """Take in a batch of events, in any order, late ones too.

        Parameters
        ----------
        events : DataFrame
            Valid events that were not given before; `DurableStream` takes care of that.
        item_vectors : DataFrame, optional
            Items to add to the catalogue, or new vectors of known ones, which act on events from
            now on.

        Returns
        -------
        LiveRecommender
            This object.

        Raises
        ------
        TypeError, SchemaError, ValueError
            As `fit`; then nothing of the batch was taken in.
        """
        if not self.__sklearn_is_fitted__():
            if item_vectors is None:
                raise TypeError("item_vectors is missing; the first partial_fit needs it")
            return self.fit(events, item_vectors)
        log = validate_events(used_columns(events))
        strength = self._weighing.strength(log)
        check_as_earlier(log["user_id"], self._live.row, "events.user_id")
        more = None if item_vectors is None else check_vectors(item_vectors, "item_vectors")
        ids = (self._catalogue.ids if more is None else more.index).to_series()
        check_same_ids(log["item_id"], ids, "events.item_id", "item_vectors.index")
        if more is not None:
            self._live.renumber(self._catalogue.extend(more))
        if len(log):
            item = self._catalogue.ids.get_indexer(log["item_id"])
            user, users = pd.factorize(log["user_id"], sort=True)
            self._add(users.tolist(), user, item, microseconds(log["timestamp"]), strength)
        return self

    def observe(
        self,
        user_id: Any,
        item_id: Any,
        event: str = "browse",
        timestamp: Any = None,
        value: float = np.nan,
    ) -> Self:
        """Take in one event.

        Parameters
        ----------
        user_id, item_id : int or str
            Who, with what.
        event : str, default "browse"
            Kind of event.
        timestamp : str or datetime
            When; without a zone it is read as UTC.
        value : float, optional
            The rating, the quantity, the score.

        Returns
        -------
        LiveRecommender
            This object.

        Raises
        ------
        TypeError, ValueError
            If something is of the wrong kind, or the kind of event has no weight.
        """
        check_is_fitted(self)
        moment = as_moment(timestamp, "timestamp").to_datetime64().astype("datetime64[us]")
        user = known_kind(user_id, "user_id", self._live.row)
        item = self._catalogue.place.get(item_id, -1)
        if item < 0:
            known_kind(item_id, "item_id", self._catalogue.place)
        strength = np.array([self._strength(event, value)])
        at = np.array([moment]).astype(np.int64)
        self._add([user], np.zeros(1, dtype=np.int64), np.array([item]), at, strength)
        return self

    def recommend(
        self, user_ids: Iterable[Any] | None = None, k: int = 10, *, exclude_seen: bool = True
    ) -> pd.DataFrame:
        """Return the k best items of each user, best first.

        Parameters
        ----------
        user_ids : iterable of ids, optional
            Whom to answer, known or not, each once; all known users if not given.
        k : int, default 10
            Length of a list. It is shorter where fewer items can be recommended.
        exclude_seen : bool, default True
            Leave out the items that are remembered of the user.

        Returns
        -------
        DataFrame
            `user_id`, `item_id`, `rank`, `score` and `source` (``"live"``, or ``"popularity"`` for
            who has no profile), as `Recommender.recommend` returns them.

        Raises
        ------
        TypeError, ValueError
            If an argument is of the wrong kind, or `k` is below 1.
        """
        check_is_fitted(self)
        k = check_count(k, "k")
        if not isinstance(exclude_seen, (bool, np.bool_)):
            raise TypeError(f"exclude_seen must be True or False, got {exclude_seen!r}")
        asked = sorted(self._live.row) if user_ids is None else self._asked(user_ids)
        rows = self._live.find(asked)
        size = max(1, SCORES_AT_ONCE // max(1, len(self._catalogue.ids)))
        at = range(0, max(len(asked), 1), size)
        parts = [self._lists(rows[start : start + size], k, exclude_seen, start) for start in at]
        user, item, score, rank, own = (np.concatenate(p) for p in zip(*parts, strict=True))
        ids = [asked[place] for place in user.tolist()]
        return pd.DataFrame(
            {
                "user_id": pd.Index(ids, dtype=None if ids else "str").array,
                "item_id": self._catalogue.ids.take(item).array,  # a Series would be aligned
                "rank": rank,
                "score": score,
                "source": pd.array(_SOURCES[own.astype(np.intp)], dtype="str"),
            }
        )

    def forget(self, user_ids: Iterable[Any]) -> Self:
        """Remove a user's profile and seen items, as if the user were new.

        Parameters
        ----------
        user_ids : iterable
            Whom to forget; who never occurred is no error.

        Returns
        -------
        LiveRecommender
            This object.

        Raises
        ------
        TypeError
            If `user_ids` is a single id.
        SchemaError
            If the ids are of another kind than those of the events.
        """
        check_is_fitted(self)
        for user in self._asked(user_ids):
            self._live.drop(user)
        return self

    def get_state(self) -> dict[str, pd.DataFrame]:
        """Return everything that was learned as tables, see `DurableStream`.

        Returns
        -------
        dict of str to DataFrame
            ``users``, ``sums``, ``seen``, ``items``, ``item_vectors`` and ``settings``.
        """
        check_is_fitted(self)
        return {
            **self._live.to_frames(self._catalogue.ids),
            "items": self._catalogue.to_frame(),
            "item_vectors": self._catalogue.vectors,
            "settings": self._weighing.to_frame(n_evicted=self._live.n_evicted),
        }

    def set_state(self, state: Mapping[str, pd.DataFrame]) -> Self:
        """Go on where `get_state` was called.

        Parameters
        ----------
        state : mapping of str to DataFrame
            What `get_state` returned.

        Returns
        -------
        LiveRecommender
            This object, fitted.

        Raises
        ------
        ValueError
            If a table is missing, or the sums were made with other parameters.
        """
        missing = sorted(_STATE - set(state))
        if missing:
            raise SchemaError(f"state lacks {shown(missing)}; pass all that get_state returned")
        saved = self._checked().check_frame(state["settings"])
        self._begin(check_vectors(state["item_vectors"], "item_vectors"))
        self._catalogue.from_frame(state["items"])
        self._live.n_evicted = int(saved["n_evicted"])
        self._live.from_frames(state, self._catalogue.ids)
        return self

    @property
    def item_vectors_(self) -> pd.DataFrame:
        """The catalogue."""
        check_is_fitted(self)
        return self._catalogue.vectors

    @property
    def users_(self) -> pd.DataFrame:
        """What is known about every user."""
        check_is_fitted(self)
        return self._live.users()

    @property
    def profiles_(self) -> pd.DataFrame:
        """The profile of every user."""
        check_is_fitted(self)
        return self._live.profiles(self._catalogue.vectors.columns)

    @property
    def n_evicted_(self) -> int:
        """How many times a user was dropped to make room."""
        check_is_fitted(self)
        return self._live.n_evicted

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_live")

    def _checked(self) -> Weighing:
        check_count(self.max_users, "max_users")
        check_count(self.max_seen, "max_seen")
        return Weighing(self.event_weights, self.neutral_rating, self.half_life)

    def _begin(self, vectors: pd.DataFrame) -> None:
        self._weighing = self._checked()
        self._strengths: dict[tuple[str, float], float] = {}
        half_life = self._weighing.half_life
        self._catalogue = LiveCatalogue(vectors, half_life)
        self._live = LiveProfiles(vectors.shape[1], half_life, self.max_users, self.max_seen)

    def _asked(self, user_ids: Iterable[Any]) -> list[Any]:
        users = given_ids(user_ids, "user_ids")
        check_as_earlier(users, self._live.row, "user_ids")
        return list(dict.fromkeys(users.tolist()))

    def _strength(self, event: str, value: float) -> float:
        key = (event, value if value == value else np.nan)  # one NaN for all of them
        if key not in self._strengths:
            if len(self._strengths) >= MOST_STRENGTHS:
                self._strengths.clear()
            row = {"user_id": 0, "item_id": 0, "timestamp": _SOME_DAY, "event": [event]}
            one = validate_events(pd.DataFrame({**row, "value": [value]}))
            self._strengths[key] = self._weighing.strength(one).item()
        return self._strengths[key]

    def _add(self, users: list[Any], user: Ints, item: Ints, time: Ints, strength: Floats) -> None:
        # Whatever order they came in: the same users make room, and sums are equal.
        order = np.lexsort((strength, item, user, time))
        user, item, time, strength = user[order], item[order], time[order], strength[order]
        known: NDArray[np.bool_] = item >= 0
        counts = known.copy()
        counts[known] = ~self._catalogue.blank[item[known]]
        weight = np.where(counts, strength, 0.0)
        self._live.add(users, user, item, time, weight, self._catalogue.rows)
        self._catalogue.add(item[known], time[known], strength[known])

    def _lists(self, rows: Ints, k: int, exclude_seen: bool, start: int) -> tuple[Any, ...]:
        own, directions = self._live.directions(rows)
        scores = self._catalogue.scores(own, directions)
        if exclude_seen:
            for place in np.flatnonzero(rows >= 0).tolist():
                scores[place, list(self._live.seen[rows[place]])] = -np.inf
        user, item, score, rank = self._catalogue.best(scores, own, directions, k)
        return user + start, item, score, rank, own[user]
