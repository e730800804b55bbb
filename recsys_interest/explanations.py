"""Why an item is on a list: what each liked item adds to its score.

Chapter: 13 (cold start).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import singledispatch
from typing import TypeVar

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from recsys_interest.behaviour import LinearRecommender
from recsys_interest.blending import PopularityBlend
from recsys_interest.checks import (
    canonical_ids,
    check_count,
    check_frame,
    check_kind,
    check_same_ids,
    shown,
)
from recsys_interest.cold_start import ColdStartRecommender
from recsys_interest.linear_forms import DenseForm
from recsys_interest.priors import VectorPrior
from recsys_interest.recommend import CosineRecommender
from recsys_interest.recommender import Positions, Recommender
from recsys_interest.text_informed import TextInformedRecommender

__all__ = [
    "by_source",
    "checked_lists",
    "contributions",
    "explain",
    "recommender_with",
]

AnyRecommender = TypeVar("AnyRecommender", bound=Recommender)

_PAIR = ["user_id", "item_id"]
_LISTS = (*_PAIR, "rank", "score", "source")


def explain(
    recommender: Recommender,
    lists: pd.DataFrame,
    *,
    top: int | None = 3,
    session: pd.DataFrame | None = None,
) -> pd.DataFrame:
    r"""Return what each thing the user did adds to the score of each item on a list.

    The score of a linear model is a sum over the liked items; its addends are the contributions,

    .. math:: \mathrm{score}(u, i) = \sum_j c_{uij}, \qquad c_{uij} = x_{uj} W_{ji} .

    For the cosine with a profile :math:`F_u = \sum_j a_{uj} E_j` it is a sum, too,

    .. math:: c_{uij} = \frac{a_{uj} \, E_j \cdot E_i}{\lVert F_u \rVert \, \lVert E_i \rVert} ,

    but what is left when an event is gone has another length, so that the score does not fall by
    exactly its contribution. For a user who said something (`VectorPrior`), the items that the
    statement stands for take the place of the liked ones.

    Parameters
    ----------
    recommender : Recommender
        Fitted: a `LinearRecommender` (such as EASE), `TextInformedRecommender`,
        `CosineRecommender`, `PopularityBlend` (whose popularity is nobody's contribution), or
        `ColdStartRecommender` of these. Further kinds are added with
        ``contributions.register``.
    lists : DataFrame
        What it recommended: `user_id`, `item_id`, `rank`, `score` and `source`.
    top : int, optional
        How many reasons for each item, the largest contributions first; all if None.
    session : DataFrame, optional
        The session that the lists were made with.

    Returns
    -------
    DataFrame
        `user_id`, `item_id`, `rank`, `score`, `because` (the item that speaks for it),
        `contribution` (in the unit of the score; negative if it speaks against it) and `share` (of
        all positive contributions to this item), in the order of the lists. Items that were
        recommended for another reason, such as popularity, have no rows.

    Raises
    ------
    NotFittedError
        If `fit` was not called.
    TypeError
        If an argument is of the wrong kind.
    SchemaError
        If `lists` lacks a column, or its ids are of another kind than those of the log.
    ValueError
        If `top` is below 1, or an item is not in the catalogue.

    Notes
    -----
    Chapter 13, "Cold start".

    Rows: H03.

    Examples
    --------
    >>> from recsys_interest import EaseRecommender
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2, 3], "item_id": ["tent", "rope"] * 2 + ["tent"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> model = EaseRecommender(l2=1.0).fit(log)
    >>> found = explain(model, model.recommend([3]))
    >>> found[["item_id", "score", "because", "contribution"]].round(3)
      item_id  score because  contribution
    0    rope    0.5    tent           0.5
    """
    if top is not None:
        check_count(top, "top")
    rows, parts = checked_lists(recommender, lists), []
    for link, mine in by_source(recommender, rows):
        items = link.item_ids_.get_indexer(mine["item_id"])
        found = contributions(link, pd.Index(mine["user_id"]), items, session)
        if found is not None:
            parts.append(_reasons(mine, found, link.item_ids_, top))
    if not parts:
        nothing = sparse.csr_array((0, len(recommender.item_ids_)))
        parts = [_reasons(rows.iloc[:0], nothing, recommender.item_ids_, top)]
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


@singledispatch
def contributions(
    recommender: Recommender, users: pd.Index, items: Positions, session: pd.DataFrame | None
) -> sparse.csr_array | None:
    """Return what each item of the catalogue adds to the scores of pairs of user and item.

    Parameters
    ----------
    recommender : Recommender
        Fitted.
    users : Index, shape (n_pairs,)
        Their ids; only users the recommender can score.
    items : ndarray of int, shape (n_pairs,)
        Positions in the catalogue.
    session : DataFrame or None
        That of `recommend`.

    Returns
    -------
    csr_array of float64, shape (n_pairs, n_items), or None
        Rows that add up to the scores. None: it cannot be said for this kind of recommender.
    """
    return None


@contributions.register(LinearRecommender)
@contributions.register(TextInformedRecommender)
def _(
    recommender: LinearRecommender | TextInformedRecommender,
    users: pd.Index,
    items: Positions,
    session: pd.DataFrame | None,
) -> sparse.csr_array:
    model, place = recommender_with(recommender, users, session)
    return _of_history(recommender, model.likes_[place], items)


@contributions.register
def _(
    recommender: PopularityBlend, users: pd.Index, items: Positions, session: pd.DataFrame | None
) -> sparse.csr_array | None:
    return contributions(recommender.recommender_, users, items, session)


@contributions.register
def _(
    recommender: VectorPrior, users: pd.Index, items: Positions, session: pd.DataFrame | None
) -> sparse.csr_array:
    said = recommender.said_[recommender.user_ids_.get_indexer(users)]
    rows = np.repeat(np.arange(len(users)), np.diff(said.indptr))
    own = np.where(said.indices == items[rows], said.data, 0.0)
    itself = sparse.csr_array((own, said.indices, said.indptr), shape=said.shape)
    model = recommender.model_
    if isinstance(model, PopularityBlend):
        model = model.recommender_
    if isinstance(model, (LinearRecommender, TextInformedRecommender)):
        return sparse.csr_array(itself + _of_history(model, said, items))
    return itself


@contributions.register
def _(
    recommender: CosineRecommender, users: pd.Index, items: Positions, session: pd.DataFrame | None
) -> sparse.csr_array:
    asked = users.unique()
    vectors = recommender.profiler_.item_vectors_
    weights = _profile_weights(recommender, asked, session, vectors)
    raw = vectors.to_numpy(dtype=np.float64)
    length = np.linalg.norm(weights @ raw, axis=1)[asked.get_indexer(users)]
    weights = weights[asked.get_indexer(users)]
    rows = np.repeat(np.arange(len(users)), np.diff(weights.indptr))
    with_item = recommender.item_vectors_[items].astype(np.float64)
    data = weights.data * np.vecdot(raw[weights.indices], with_item[rows]) / length[rows]
    known = recommender.item_ids_.get_indexer(vectors.index)[weights.indices]
    shape = (len(users), len(recommender.item_ids_))
    return sparse.csr_array((data[known >= 0], (rows[known >= 0], known[known >= 0])), shape=shape)


def recommender_with(
    recommender: AnyRecommender, users: pd.Index, session: pd.DataFrame | None
) -> tuple[AnyRecommender, Positions]:
    """Return the recommender with what a session adds to the users, and where they are in it."""
    asked = users.unique()
    place = recommender.user_ids_.get_indexer(asked)
    model = recommender
    recent = None if session is None else recommender._usable(session)
    if recent is not None and asked.isin(recent["user_id"]).any():
        model = copy.copy(recommender)
        place = model._take_in(asked, place, recent[recent["user_id"].isin(asked)])
    return model, place[asked.get_indexer(users)]


def checked_lists(recommender: Recommender, lists: pd.DataFrame) -> pd.DataFrame:
    """Return lists with canonical ids and a plain index, or say what does not fit."""
    check_kind(recommender, Recommender, "recommender")
    check_is_fitted(recommender, "item_ids_")
    rows = check_frame(lists, "lists", _LISTS).reset_index(drop=True)
    for column, known in (("user_id", recommender.user_ids_), ("item_id", recommender.item_ids_)):
        rows[column] = canonical_ids(rows[column], f"lists.{column}")
        check_same_ids(rows[column], known.to_series(), f"lists.{column}", f"events.{column}")
    strange = rows.loc[~rows["item_id"].isin(recommender.item_ids_), "item_id"]
    if len(strange):
        raise ValueError(f"lists has items that are not in the catalogue: {shown(strange)}")
    return rows


def by_source(
    recommender: Recommender, rows: pd.DataFrame
) -> Iterator[tuple[Recommender, pd.DataFrame]]:
    """Yield each part of a chain with the rows of the lists that it made."""
    link: Recommender | None = recommender
    while isinstance(link, ColdStartRecommender):
        link = link.recommender_
    while link is not None:
        mine = rows[rows["source"] == link.source]
        if len(mine):
            yield link, mine
        link = getattr(link, "fallback_", None)


def _of_history(
    model: LinearRecommender | TextInformedRecommender, history: sparse.csr_array, items: Positions
) -> sparse.csr_array:
    """Return x_j W_ji for each pair of a history and an item."""
    rows = np.repeat(np.arange(len(items)), np.diff(history.indptr))
    liked, item = history.indices, items[rows]
    if isinstance(model, LinearRecommender):
        weights = model.weights_[liked, item]
    elif isinstance(model.model_, DenseForm):
        weights = model.model_.weights[liked, item]
    else:
        form = model.model_
        weights = np.vecdot(form.left[liked], form.right[item])
        weights = weights - np.where(liked == item, form.own[liked], 0.0)
    data = history.data * np.asarray(weights).ravel()
    return sparse.csr_array((data, history.indices, history.indptr), shape=history.shape)


def _profile_weights(
    recommender: CosineRecommender,
    asked: pd.Index,
    session: pd.DataFrame | None,
    vectors: pd.DataFrame,
) -> sparse.csr_array:
    """Return how much of each item's vector is in the profile of each user, up to its length."""
    profiler = recommender.profiler_
    known = _shares(profiler.contributions(asked), asked, vectors)
    recent = None if session is None else recommender._usable(session)
    if recent is None or not asked.isin(recent["user_id"]).any():
        return known
    idf = profiler.idf_ if profiler.idf is True else profiler.idf
    other = clone(profiler).set_params(idf=idf)
    other.fit(recent[recent["user_id"].isin(asked)], vectors)
    now = _shares(other.contributions(), asked, vectors)
    alpha = float(recommender.session_weight)
    only = [np.diff(part.indptr) == 0 for part in (now, known)]
    scale = [np.where(o, 1.0, w) for o, w in zip(only, (1.0 - alpha, alpha), strict=True)]
    parts = [sparse.diags_array(s) @ t for s, t in zip(scale, (known, now), strict=True)]
    return sparse.csr_array(parts[0] + parts[1])


def _shares(parts: pd.DataFrame, asked: pd.Index, vectors: pd.DataFrame) -> sparse.csr_array:
    """Return the shares of items in profiles of length one."""
    row, column = asked.get_indexer(parts["user_id"]), vectors.index.get_indexer(parts["item_id"])
    shape = (len(asked), len(vectors))
    table = sparse.csr_array((parts["share"].to_numpy(), (row, column)), shape=shape)
    length = np.linalg.norm(table @ vectors.to_numpy(dtype=np.float64), axis=1)
    scale = np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)
    return sparse.csr_array(sparse.diags_array(scale) @ table)


def _reasons(
    rows: pd.DataFrame, found: sparse.csr_array, item_ids: pd.Index, top: int | None
) -> pd.DataFrame:
    found = sparse.csr_array(found)
    found.eliminate_zeros()
    pair = np.repeat(np.arange(len(rows)), np.diff(found.indptr))
    speaks = np.bincount(pair, np.maximum(found.data, 0.0), minlength=len(rows))
    share = np.maximum(found.data, 0.0) / np.maximum(speaks[pair], np.finfo(float).tiny)
    order = np.lexsort((found.indices, -found.data, pair))
    nth = np.arange(len(order)) - np.searchsorted(pair[order], pair[order], side="left")
    kept = order if top is None else order[nth < top]
    out = rows[["user_id", "item_id", "rank", "score"]].iloc[pair[kept]]
    return out.assign(
        because=item_ids[found.indices[kept]], contribution=found.data[kept], share=share[kept]
    )
