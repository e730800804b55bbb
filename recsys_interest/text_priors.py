"""Answers for users without events from a sentence, from chosen interests, from a profile.

Chapter: 13 (cold start).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recsys_interest.checks import SchemaError, shown, valid_text
from recsys_interest.encoder import TextEncoder
from recsys_interest.likes import on_grid
from recsys_interest.priors import VectorPrior
from recsys_interest.recommender import Recommender
from recsys_interest.vectors import check_encoder, check_vectors, encoded

__all__ = ["InterestPrior", "ProfilePrior", "TextPrior"]

_ENCODED = "encoder.transform(texts)"


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
        self.encoder_ = check_encoder(
            TextEncoder(progress=False) if self.encoder is None else self.encoder
        )

    def _meant(self, cells: pd.Series) -> sparse.csr_array:
        odd = [cell for cell in cells if not isinstance(cell, str)]
        if odd:
            raise SchemaError(f"users.{self.column} must be text, it holds {shown(odd)}")
        return self._histories(encoded(self.encoder_, [valid_text(t) for t in cells]), _ENCODED)


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
            check_encoder(self.encoder)
        self._themes = pd.DataFrame()
        if self.vectors is not None:
            table = check_vectors(self.vectors, "vectors")
            self._themes = table.set_axis([_plain(str(name)) for name in table.index])
        twice = self._themes.index[self._themes.index.duplicated()]
        if len(twice):
            raise SchemaError(
                f"vectors.index has names that differ in capitals only: {shown(twice)}"
            )

    def _meant(self, cells: pd.Series) -> sparse.csr_array:
        chosen = [_interests(cell, self.column) for cell in cells]
        words = sorted(set().union(*chosen))
        if self.encoder is None:
            words = [w for w in words if w in self._themes.index]
        number = {word: n for n, word in enumerate(words)}
        pairs = [(row, number[w]) for row, ws in enumerate(chosen) for w in ws if w in number]
        rows, columns = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        share = 1.0 / np.bincount(rows, minlength=1)[rows]
        shares = sparse.csr_array((share, (rows, columns)), shape=(len(chosen), len(words)))
        said = sparse.csr_array(shares @ self._of_words(words))
        said.data = on_grid(said.data)
        said.sort_indices()
        return said

    def _of_words(self, words: list[str]) -> sparse.csr_array:
        named = [w for w in words if w in self._themes.index]
        other = [w for w in words if w not in self._themes.index]
        parts = [sparse.csr_array((0, len(self.item_ids_)))]
        if named:
            parts.append(self._histories(self._themes.loc[named], "vectors"))
        if other:
            parts.append(self._histories(encoded(self.encoder, other), _ENCODED))
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

    def _meant(self, cells: pd.Series) -> sparse.csr_array:
        name, n = f"users.{self.column}", self.text_.shape[1]
        # As objects, because NumPy makes no array of numbers of lists of different lengths.
        rows = [np.asarray(cell, dtype=object).ravel() for cell in cells]
        size = np.array([len(row) for row in rows])
        if (size != n).any():
            who = cells.index[size != n].tolist()
            found = size[size != n].tolist()
            raise SchemaError(
                f"{name} must hold vectors of {n} numbers, it has {shown(found)} for {shown(who)}"
            )
        return self._histories(pd.DataFrame(rows, index=cells.index).infer_objects(), name)


def _interests(cell: Any, column: str) -> set[str]:
    words = cell.split(",") if isinstance(cell, str) else [cell]
    if isinstance(cell, Iterable) and not isinstance(cell, str):
        words = list(cell)
    if all(isinstance(w, str) for w in words):
        return {_plain(w) for w in words} - {""}
    raise SchemaError(
        f"users.{column} must be lists of names, or text with commas, it holds {shown([cell])}"
    )


def _plain(word: str) -> str:
    return valid_text(word).strip().casefold()
