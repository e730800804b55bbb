"""Take new items into a fitted recommender by their texts, without learning again.

Chapter: 13 (cold start).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import singledispatch
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import solve
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import check_same_ids
from recsys_interest.cold_rules import with_cold
from recsys_interest.ease import EaseRecommender
from recsys_interest.likes import Doubles, cooccurrence
from recsys_interest.linear_forms import DenseForm, LowRankForm, centred
from recsys_interest.nearest_neighbours import ItemKNNRecommender
from recsys_interest.recommend import CosineRecommender, PopularityRecommender
from recsys_interest.recommender import Floats, Positions, Recommender
from recsys_interest.schema import validate_items
from recsys_interest.text_informed import TextInformedRecommender
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["Growth", "columns_of_texts", "extend_catalogue", "grow"]

AnyRecommender = TypeVar("AnyRecommender", bound=Recommender)


@dataclass(frozen=True)
class Growth:
    """A catalogue that became longer.

    Attributes
    ----------
    item_ids : Index
        All items, sorted.
    place : ndarray of int, shape (n_old,)
        Where the old ones are now.
    new : ndarray of int, shape (n_new,)
        Where the new ones are.
    vectors : DataFrame of float32, shape (n_new, n_features)
        Those of the new items, in their order; zeros for one without.
    """

    item_ids: pd.Index
    place: Positions
    new: Positions
    vectors: pd.DataFrame

    def columns(self, table: sparse.csr_array) -> sparse.csr_array:
        """Return a sparse table with empty columns for the new items."""
        shape = (table.shape[0], len(self.item_ids))
        indices = self.place[table.indices].astype(table.indices.dtype)
        wide = sparse.csr_array((table.data, indices, table.indptr), shape=shape)
        wide.sort_indices()
        return wide

    def rows(self, table: NDArray[np.floating], new: NDArray[np.floating]) -> Floats:
        """Return a dense table of items with these rows for the new ones."""
        out = np.empty((len(self.item_ids), *table.shape[1:]), dtype=table.dtype)
        out[self.place], out[self.new] = table, new
        return out


def extend_catalogue(
    recommender: AnyRecommender, items: pd.DataFrame, item_vectors: pd.DataFrame
) -> AnyRecommender:
    """Return a copy of a fitted recommender whose catalogue has further items.

    A new item is scored by what its text says: by its cosine, or by the `ColdRule` of
    `TextInformedRecommender`; models of behaviour alone know nothing of it and put it last.

    Parameters
    ----------
    recommender : Recommender
        Fitted: a `CosineRecommender`, `PopularityRecommender`, `EaseRecommender`,
        `ItemKNNRecommender`, `TextInformedRecommender` or `ColdStartRecommender`, whose fallback is
        one of these, too. Further kinds are added with ``grow.register``.
    items : DataFrame
        Valid items (see `validate_items`); those of the catalogue are passed over.
    item_vectors : DataFrame, shape (n_vectors, n_features)
        A vector of the text of each new item, by the encoder of the others, indexed by item id. An
        item that is missing from it has no text.

    Returns
    -------
    Recommender
        The copy. The recommender stays as it is.

    Raises
    ------
    NotFittedError
        If `fit` was not called.
    TypeError
        If an argument is of the wrong kind, or recommenders of the kind learn their items in `fit`
        only.
    ValueError
        If a table does not fit (`SchemaError`), or the vectors have another number of features.

    Notes
    -----
    The weights between the old items stay as they are, and so does the mean of the vectors. A later
    `fit` on all items moves both a little, but for models that do not read texts the two are the
    same. Chapter 13, "Cold start".

    Examples
    --------
    >>> log = pd.DataFrame({"user_id": [1, 2], "item_id": ["tent", "oven"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> vectors = pd.DataFrame([[1, 0], [0, 1]], index=["tent", "oven"])
    >>> model = CosineRecommender().fit(log, item_vectors=vectors)
    >>> rope = pd.DataFrame({"item_id": ["rope"]})
    >>> more = extend_catalogue(model, rope, pd.DataFrame([[4, 3]], index=["rope"]))
    >>> more.recommend([1], k=1)["item_id"].tolist(), model.recommend([1], k=1)["item_id"].tolist()
    (['rope'], ['oven'])
    """
    if not isinstance(recommender, Recommender):
        raise TypeError(f"recommender must be a Recommender, got {type(recommender).__name__}")
    check_is_fitted(recommender, "item_ids_")
    old = recommender.item_ids_
    given = validate_items(items)["item_id"]
    check_same_ids(given, old.to_series(), "items.item_id", "the catalogue")
    vectors = check_vectors(item_vectors, "item_vectors")
    ids = vectors.index.to_series()
    check_same_ids(ids, old.to_series(), "item_vectors.index", "the catalogue")
    added = pd.Index(given[~given.isin(old)]).sort_values()
    if added.empty:
        return copy.copy(recommender)
    longer = pd.Index(old.append(added), name="item_id").sort_values()
    vectors = vectors.reindex(added, fill_value=0.0)
    growth = Growth(longer, longer.get_indexer(old), longer.get_indexer(added), vectors)
    return _grown(recommender, growth)


def _grown(recommender: AnyRecommender, growth: Growth) -> AnyRecommender:
    other = copy.copy(recommender)
    grow(other, growth)  # while the rest is as it was
    for name in ("seen_", "likes_", "_strength"):
        if hasattr(other, name):
            setattr(other, name, growth.columns(getattr(other, name)))
    other.item_ids_ = growth.item_ids
    if hasattr(other, "fallback_"):
        other.fallback_ = _grown(other.fallback_, growth)
    return other


@singledispatch
def grow(recommender: Recommender, growth: Growth) -> None:
    """Replace what a recommender learned of the items by tables with the new ones.

    Called on a shallow copy: replace attributes, never change them. Its `item_ids_` and likes are
    still the old ones.

    Parameters
    ----------
    recommender : Recommender
        The copy.
    growth : Growth
        What is new.

    Raises
    ------
    TypeError
        If there is no rule for the kind.
    """
    raise TypeError(
        f"{type(recommender).__name__} learns its items in fit only; fit it again with a table of "
        f"items that has the new ones"
    )


@grow.register
def _(recommender: PopularityRecommender, growth: Growth) -> None:
    popularity = recommender.popularity_.reindex(growth.item_ids, fill_value=0.0)
    recommender.popularity_ = popularity


@grow.register
def _(recommender: CosineRecommender, growth: Growth) -> None:
    old = recommender.item_vectors_
    _check_width(growth.vectors, old.shape[1])
    new = unit_rows(growth.vectors.to_numpy(dtype=np.float64)).astype(np.float32)
    recommender.item_vectors_ = growth.rows(old, new)
    profiler = copy.copy(recommender.profiler_)
    known = profiler.item_vectors_
    more = growth.vectors.loc[~growth.vectors.index.isin(known.index)]
    profiler.partial_fit(_no_events(recommender), more.set_axis(known.columns, axis=1))
    recommender.profiler_ = profiler


@grow.register(EaseRecommender)
@grow.register(ItemKNNRecommender)
def _(recommender: EaseRecommender | ItemKNNRecommender, growth: Growth) -> None:
    weights, n = recommender.weights_, len(growth.item_ids)
    if sparse.issparse(weights):
        wide = growth.columns(weights)
        rows = sparse.csr_array((np.ones(len(growth.place)), (growth.place, range(len(growth.place)))), shape=(n, len(growth.place)))
        recommender.weights_ = sparse.csr_array(rows @ wide)
    else:
        recommender.weights_ = _padded(weights, growth)


@grow.register
def _(recommender: TextInformedRecommender, growth: Growth) -> None:
    new = columns_of_texts(recommender, growth.vectors)
    ...


def _no_events(recommender: Recommender) -> pd.DataFrame: ...
