"""Answers for users without events from a sentence, from chosen interests, from a profile.

Chapter: 13 (cold start).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from recsys_interest.checks import SchemaError, shown
from recsys_interest.encoder import TextEncoder
from recsys_interest.likes import on_grid
from recsys_interest.priors import VectorPrior
from recsys_interest.recommender import Positions, Recommender, rows_of
from recsys_interest.vectors import check_vectors

__all__ = ["InterestPrior", "ProfilePrior", "TextPrior"]


class TextPrior(VectorPrior):
    r"""Answer users from a sentence of theirs: the items of the nearest texts, and what goes along.

    Parameters
    ----------
    encoder : object, optional
        Has ``transform(texts)``, one vector per text: the encoder of the item vectors. By default
        `TextEncoder`.
    column : str, default "text"
        Where the sentence stands in the table of users. Missing or blank is nothing said.
    n_neighbors : int, default 20
        How many nearest items speak for a sentence.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for everybody else; `PopularityRecommender` if not given.

    Attributes
    ----------
    text_ : ndarray of float64, shape (n_items, n_features)
        Centred unit vectors of the items; zeros for an item without text.
    mean_ : ndarray of float64, shape (n_features,)
        What was taken off.
    encoder_ : object
        As given or made.

    Notes
    -----
    `VectorPrior` has the formula. Chapter 13, "Cold start".

    Examples
    --------
    >>> class Letters:  # an encoder for this example: how many of each letter
    ...     def transform(self, texts):
    ...         counts = [[text.count(c) for c in "tov"] for text in texts]
    ...         return pd.DataFrame(counts, index=texts.index)
    >>> log = pd.DataFrame({"user_id": [1, 2, 3], "item_id": ["oven", "oven", "tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> vectors = Letters().transform(pd.Series(["tent", "oven"], index=["tent", "oven"]))
    >>> prior = TextPrior(Letters()).fit(log, item_vectors=vectors)
    >>> told = prior.told(pd.DataFrame({"user_id": [9], "text": ["to the attic"]}))
    >>> told.recommend([9, 10], k=1)[["user_id", "item_id", "source"]]
       user_id item_id      source
    0        9    tent    sentence
    1       10    oven  popularity
    """

    source = "sentence"

    def __init__(
        self,
        encoder: Any = None,
        column: str = "text",
        n_neighbors: int = 20,
        *,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
    ) -> None:
        self.encoder = encoder
        self.column = column
        self.n_neighbors = n_neighbors
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback

    def _check_parameters(self) -> None:
        super()._check_parameters()
        _check_encoder(self.encoder)
        self.encoder_ = TextEncoder(progress=False) if self.encoder is None else self.encoder

    def _understood(self, users: pd.DataFrame) -> sparse.csr_array:
        if self.column not in users:
            return sparse.csr_array((len(users), len(self.item_ids_)))
        texts = _texts(users[self.column], f"users.{self.column}")
        said = np.flatnonzero(texts.str.strip() != "")
        vectors = _encoded(self.encoder_, texts.iloc[said])
        return rows_of(self._histories(vectors, "encoder.transform(texts)"), _place(said, users))


class InterestPrior(VectorPrior):
    r"""Answer users from the interests they choose: names of clusters, or words.

    Each interest brings its own nearest items, so that the larger of two does not outvote the other
    one as in a mean of vectors.

    Parameters
    ----------
    vectors : DataFrame, shape (n_interests, n_features), optional
        What can be chosen: one vector for each name, such as the centroids of interest clusters
        under their names. Capital letters do not matter.
    encoder : object, optional
        Has ``transform(texts)``: for words that are no such name. Without it they are not
        understood.
    column : str, default "interests"
        Where the interests stand in the table of users: a list of names, or one text with commas.
    n_neighbors : int, default 20
        How many nearest items speak for each interest.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for everybody else; `PopularityRecommender` if not given.

    Attributes
    ----------
    text_ : ndarray of float64, shape (n_items, n_features)
        Centred unit vectors of the items; zeros for an item without text.
    mean_ : ndarray of float64, shape (n_features,)
        What was taken off.

    Notes
    -----
    The guessed history is the mean of those of the interests; `VectorPrior` has the formula.
    Chapter 13, "Cold start".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 2, 3], "item_id": ["oven", "oven", "tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> vectors = pd.DataFrame([[1.0, 0.0], [0.0, 1.0]], index=["tent", "oven"])
    >>> themes = pd.DataFrame([[0.9, 0.1]], index=["Out of doors"])
    >>> prior = InterestPrior(themes).fit(log, item_vectors=vectors)
    >>> told = prior.told(pd.DataFrame({"user_id": [9], "interests": [["out of doors"]]}))
    >>> told.recommend([9], k=1)[["user_id", "item_id", "source"]]
       user_id item_id     source
    0        9    tent  interests
    """

    source = "interests"

    def __init__(
        self,
        vectors: pd.DataFrame | None = None,
        encoder: Any = None,
        column: str = "interests",
        n_neighbors: int = 20,
        *,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
    ) -> None:
        self.vectors = vectors
        self.encoder = encoder
        self.column = column
        self.n_neighbors = n_neighbors
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback

    def _check_parameters(self) -> None:
        super()._check_parameters()
        if self.vectors is None and self.encoder is None:
            raise TypeError("vectors and encoder are both missing; give names to choose, or both")
        if self.encoder is not None:
            _check_encoder(self.encoder)
        self._names: dict[str, Any] = {}
        if self.vectors is not None:
            names = check_vectors(self.vectors, "vectors").index
            self._names = {_plain(str(name)): name for name in names}
            if len(self._names) < len(names):
                raise SchemaError(f"vectors.index has names that differ in capitals only: {names}")

    def _understood(self, users: pd.DataFrame) -> sparse.csr_array:
        if self.column not in users:
            return sparse.csr_array((len(users), len(self.item_ids_)))
        chosen = [_interests(cell, self.column) for cell in users[self.column]]
        words = sorted({_plain(w) for words in chosen for w in words} - {""})
        if self.encoder is None:
            words = [w for w in words if w in self._names]
        history = self._of_words(words)
        number = {word: n for n, word in enumerate(words)}
        shares = np.zeros((len(users), len(words)))
        for row, wanted in enumerate(chosen):
            known = {number[w] for w in map(_plain, wanted) if w in number}
            shares[row, list(known)] = 1.0 / max(len(known), 1)
        said = sparse.csr_array(sparse.csr_array(shares) @ history)
        said.data = on_grid(said.data)
        said.sort_indices()
        return said

    def _of_words(self, words: list[str]) -> sparse.csr_array:
        named = [w for w in words if w in self._names]
        other = [w for w in words if w not in self._names]
        parts = [sparse.csr_array((0, len(self.item_ids_)))]
        if self.vectors is not None and named:
            table = check_vectors(self.vectors, "vectors").loc[[self._names[w] for w in named]]
            parts.append(self._histories(table, "vectors"))
        if other:
            vectors = _encoded(self.encoder, pd.Series(other, dtype="str"))
            parts.append(self._histories(vectors, "encoder.transform(texts)"))
        place = {word: n for n, word in enumerate([*named, *other])}
        return sparse.vstack(parts, format="csr")[[place[w] for w in words]]


class ProfilePrior(VectorPrior):
    """Answer users from a profile that somebody else made: a vector in the space of the items.

    Parameters
    ----------
    column : str, default "profile"
        Where the vector stands in the table of users: a list or an array of numbers. Missing or all
        zeros is nothing said.
    n_neighbors : int, default 20
        How many nearest items speak for a profile.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for everybody else; `PopularityRecommender` if not given.

    Attributes
    ----------
    text_ : ndarray of float64, shape (n_items, n_features)
        Centred unit vectors of the items; zeros for an item without text.
    mean_ : ndarray of float64, shape (n_features,)
        What was taken off.

    Notes
    -----
    `VectorPrior` has the formula. Chapter 13, "Cold start".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 2, 3], "item_id": ["oven", "oven", "tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> vectors = pd.DataFrame([[1.0, 0.0], [0.0, 1.0]], index=["tent", "oven"])
    >>> prior = ProfilePrior().fit(log, item_vectors=vectors)
    >>> told = prior.told(pd.DataFrame({"user_id": [9], "profile": [[0.9, 0.1]]}))
    >>> told.recommend([9], k=1)["item_id"].tolist()
    ['tent']
    """

    source = "profile"

    def __init__(
        self,
        column: str = "profile",
        n_neighbors: int = 20,
        *,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
    ) -> None:
        self.column = column
        self.n_neighbors = n_neighbors
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback

    def _understood(self, users: pd.DataFrame) -> sparse.csr_array:
        if self.column not in users:
            return sparse.csr_array((len(users), len(self.item_ids_)))
        name, n = f"users.{self.column}", self.text_.shape[1]
        cells = users[self.column].tolist()
        said = [row for row, cell in enumerate(cells) if not _is_nothing(cell)]
        sizes = {row: np.size(cells[row]) for row in said}
        odd = {users["user_id"][row]: size for row, size in sizes.items() if size != n}
        if odd:
            raise SchemaError(f"{name} must hold vectors of {n} numbers, it has {shown([odd])}")
        rows = [np.asarray(cells[row]).ravel() for row in said]
        table = pd.DataFrame(rows, index=users["user_id"].iloc[said])
        return rows_of(self._histories(table, name), _place(np.array(said, dtype=int), users))


def _place(said: NDArray[Any], users: pd.DataFrame) -> Positions:
    """Return for each user the row among those who said something, −1 for nothing."""
    place = np.full(len(users), -1, dtype=np.intp)
    place[said] = np.arange(len(said))
    return place


def _encoded(encoder: Any, texts: pd.Series) -> pd.DataFrame:
    if texts.empty:
        return pd.DataFrame(np.empty((0, 1)))
    numbered = texts.reset_index(drop=True)
    vectors = encoder.transform(numbered)
    if not isinstance(vectors, pd.DataFrame) or not vectors.index.equals(numbered.index):
        raise ValueError(
            "encoder.transform(texts) must return a frame with the index of the texts, one vector "
            "for each"
        )
    return vectors


def _check_encoder(encoder: Any) -> None:
    if encoder is not None and not hasattr(encoder, "transform"):
        raise TypeError(f"encoder must have transform(texts), got {encoder!r}")


def _texts(column: pd.Series, name: str) -> pd.Series:
    odd = [v for v in column if not isinstance(v, str) and not _is_nothing(v)]
    if odd:
        raise SchemaError(f"{name} must be text, it holds {shown(odd)}")
    return column.where(column.notna(), "").astype("str").reset_index(drop=True)


def _interests(cell: Any, column: str) -> list[str]:
    if isinstance(cell, str):
        return [word for word in (w.strip() for w in cell.split(",")) if word]
    if _is_nothing(cell):
        return []
    if isinstance(cell, Iterable):
        words = list(cell)
        if all(isinstance(w, str) for w in words):
            return [word for word in words if word.strip()]
    raise SchemaError(
        f"users.{column} must be lists of names, or text with commas, it holds {shown([cell])}"
    )


def _is_nothing(cell: Any) -> bool:
    return cell is None or bool(np.ndim(cell) == 0 and pd.isna(cell))


def _plain(word: str) -> str:
    return word.strip().casefold()
