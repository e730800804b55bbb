"""Take new items into a fitted recommender by their texts, without learning again.

Chapter: 13 (cold start).
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import singledispatch
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import solve
from sklearn.utils.validation import check_is_fitted

from recsys_interest.blending import PopularityBlend
from recsys_interest.checks import check_kind, check_same_ids
from recsys_interest.cold_rules import TextPairs, shares_of
from recsys_interest.ease import EaseRecommender
from recsys_interest.group_priors import GroupPrior
from recsys_interest.likes import Doubles, cooccurrence, on_grid
from recsys_interest.linear_forms import DenseForm, LowRankForm, centred, closeness
from recsys_interest.nearest_neighbours import ItemKNNRecommender
from recsys_interest.priors import VectorPrior
from recsys_interest.recommend import CosineRecommender, PopularityRecommender
from recsys_interest.recommender import Floats, Positions, Recommender
from recsys_interest.schema import validate_items
from recsys_interest.text_informed import TextInformedRecommender
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["Growth", "check_width", "columns_of_texts", "extend_catalogue", "grow", "grown"]

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

    def rows(self, table: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
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
        `ItemKNNRecommender`, `TextInformedRecommender`, `PopularityBlend` or
        `ColdStartRecommender`, whose fallback is one of these, too. Further kinds are added with
        ``grow.register``.
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

    Rows: R06.

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
    check_kind(recommender, Recommender, "recommender")
    check_is_fitted(recommender, "item_ids_")
    old = recommender.item_ids_
    given = validate_items(items)["item_id"]
    check_same_ids(given, old.to_series(), "items.item_id", "the catalogue")
    vectors = check_vectors(item_vectors, "item_vectors")
    ids = vectors.index.to_series()
    check_same_ids(ids, old.to_series(), "item_vectors.index", "the catalogue")
    added = pd.Index(given[~given.isin(old)]).sort_values()
    longer = pd.Index(old.append(added), name="item_id").sort_values()
    vectors = vectors.reindex(added, fill_value=0.0)
    growth = Growth(longer, longer.get_indexer(old), longer.get_indexer(added), vectors)
    return grown(recommender, growth)


def grown(recommender: AnyRecommender, growth: Growth) -> AnyRecommender:
    """Return a copy of a fitted recommender for the longer catalogue, its fallbacks included."""
    other = copy.copy(recommender)
    grow(other, growth)  # while the rest is as it was
    for name in ("seen_", "likes_", "_strength"):
        if hasattr(other, name):
            setattr(other, name, growth.columns(getattr(other, name)))
    other.item_ids_ = growth.item_ids
    if hasattr(other, "fallback_"):
        other.fallback_ = grown(other.fallback_, growth)
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
    check_width(growth.vectors, old.shape[1])
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
    weights = recommender.weights_
    if sparse.issparse(weights):
        recommender.weights_ = growth.columns(growth.columns(weights).T.tocsr()).T.tocsr()
    else:
        recommender.weights_ = _padded(weights, growth)


@grow.register
def _(recommender: TextInformedRecommender, growth: Growth) -> None:
    columns = columns_of_texts(recommender, growth.vectors)
    form, blank = recommender.model_, np.zeros((len(growth.new), 1))
    if isinstance(form, DenseForm):
        weights = _padded(form.weights, growth)
        weights[np.ix_(growth.place, growth.new)] = on_grid(columns.T)
        recommender.model_ = DenseForm(weights)
    else:
        left, own = growth.rows(form.left, blank), growth.rows(form.own, blank[:, 0])
        recommender.model_ = LowRankForm(left, growth.rows(form.right, columns), own)
    recommender.text_ = growth.rows(recommender.text_, _texts(recommender, growth.vectors))


@grow.register
def _(recommender: PopularityBlend, growth: Growth) -> None:
    nothing = np.zeros(len(growth.new))
    recommender.share_ = growth.rows(recommender.share_, nothing)
    recommender.added_ = growth.rows(recommender.added_, nothing)
    recommender.recommender_ = grown(recommender.recommender_, growth)


@grow.register
def _(recommender: VectorPrior, growth: Growth) -> None:
    recommender.text_ = growth.rows(recommender.text_, _texts(recommender, growth.vectors))
    recommender._nothing_said(len(growth.item_ids))


@grow.register
def _(recommender: GroupPrior, growth: Growth) -> None:
    groups = recommender.groups_.reindex(columns=growth.item_ids, fill_value=0.0)
    recommender.groups_ = groups


def columns_of_texts(model: TextInformedRecommender, vectors: pd.DataFrame) -> Floats:
    r"""Return what a fitted model would know of items that nobody likes yet, from their texts.

    By the model's `ColdRule`. Where that is ``"gram"``, the closed form of the liked items and one
    more has the column :math:`P \, \tau \lambda k`, with :math:`P` of the model and the closeness
    :math:`k` of the text to those of the liked items.

    Parameters
    ----------
    model : TextInformedRecommender
        Fitted.
    vectors : DataFrame of float32, shape (n_texts, n_features)
        As `check_vectors` returns them; zeros for no text.

    Returns
    -------
    ndarray of float64
        One row a text: in the dense form what liking each item of the catalogue says for it, in the
        low-rank form its factors.
    """
    new = _texts(model, vectors)
    form, rule = model.model_, model.cold_rule_
    warm = (model.likes_.sum(axis=0) > 0) & model.text_.any(axis=1)
    columns: Floats = np.zeros((len(new), form.columns().shape[1]))
    if rule.kind == "gram" and warm.any():
        if isinstance(form, DenseForm):
            columns[:, warm] = _dense_gram(model, warm, new)
        else:
            columns = _low_rank_gram(model, form.left, new)
    elif warm.any():
        cold = np.arange(len(model.text_) + len(new)) >= len(model.text_)
        text = np.vstack([model.text_, new])
        shares = shares_of(rule, TextPairs(text, cold, np.append(warm, ~cold[cold])))
        columns = shares.made(form.columns(), warm).astype(np.float64)
    columns[~new.any(axis=1)] = 0.0
    return rule.scale * columns


def _texts(model: TextInformedRecommender | VectorPrior, vectors: pd.DataFrame) -> Doubles:
    """Return vectors as the model keeps those of its items: centred, of length one."""
    check_width(vectors, model.text_.shape[1])
    return centred(unit_rows(vectors.to_numpy(dtype=np.float64)), model.mean_)


def _dense_gram(model: TextInformedRecommender, warm: NDArray[np.bool_], new: Doubles) -> Floats:
    weight, text = model.text_weight_ * model.l2_, model.text_[warm]
    gram = cooccurrence(sparse.csr_array(model.likes_[:, warm]))
    diagonal = np.diag_indices(len(gram))
    gram[diagonal] = gram[diagonal] / (1.0 - model.dropout) + model.l2_
    gram += weight * closeness(text, text)
    right = weight * closeness(text, new)
    return np.asarray(solve(gram, right, assume_a="pos", overwrite_a=True, overwrite_b=True).T)


def _low_rank_gram(model: TextInformedRecommender, left: Doubles, new: Doubles) -> Floats:
    # `left` is V sqrt(h) over the roots of the penalties, with h = s^2 / (s^2 + l2).
    odds = model.dropout / (1.0 - model.dropout)
    penalties = 1.0 + odds * np.asarray(model.likes_.sum(axis=0)).ravel() / model.l2_
    held = penalties @ np.square(left)
    weight = model.text_weight_ * (1.0 - held) / held  # tau l2 / s^2
    return np.asarray((new @ (model.text_.T @ left)) * weight)


def _padded(weights: Floats, growth: Growth) -> Floats:
    n = len(growth.item_ids)
    wide = np.zeros((n, n), dtype=weights.dtype)
    wide[np.ix_(growth.place, growth.place)] = weights
    return wide


def _no_events(recommender: Recommender) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": recommender.user_ids_[:0],
            "item_id": recommender.item_ids_[:0],
            "timestamp": pd.DatetimeIndex([], tz="UTC"),
        }
    )


def check_width(vectors: pd.DataFrame, width: int) -> None:
    """Raise if the vectors have not the width of those of fit."""
    if vectors.shape[1] != width:
        raise ValueError(
            f"item_vectors has {vectors.shape[1]} features, those of fit had {width}; encode both "
            f"with the same model"
        )
