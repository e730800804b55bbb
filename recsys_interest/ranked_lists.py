"""Checked recommendation lists, and what counts as a hit in them.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import (
    SchemaError,
    as_numbers,
    canonical_ids,
    check_count,
    check_frame,
    check_same_ids,
    shown,
)
from recsys_interest.vectors import check_item_vectors

__all__ = [
    "catalogue_ids",
    "check_k",
    "checked_lists",
    "checked_relevant",
    "members_by_group",
    "scored_lists",
    "vectors_of_listed",
]

#: Whole numbers up to here are exact as float64.
_MOST = 2**53


def checked_lists(recommendations: pd.DataFrame) -> pd.DataFrame:
    """Return `user_id`, `item_id` and `rank` of lists that have each item and each rank once.

    >>> checked_lists(pd.DataFrame({"user_id": [1, 1], "item_id": ["a", "a"], "rank": [1, 2]}))
    Traceback (most recent call last):
        ...
    recsys_interest.checks.SchemaError: recommendations has a user with the same item_id twice,
    (user_id, item_id): (1, 'a'); a list has each item and each rank once
    """
    name = "recommendations"
    lists = check_frame(recommendations, name, ("user_id", "item_id", "rank"))
    out = pd.DataFrame({c: canonical_ids(lists[c], f"{name}.{c}") for c in ("user_id", "item_id")})
    out["rank"] = _checked_ranks(lists["rank"])
    out = out.reset_index(drop=True)  # an index may have the name of a column
    for column in ("item_id", "rank"):
        twice = out.duplicated(["user_id", column])
        if twice.any():
            pairs = out.loc[twice, ["user_id", column]].itertuples(index=False, name=None)
            raise SchemaError(
                f"{name} has a user with the same {column} twice, (user_id, {column}): "
                f"{shown(pairs)}; a list has each item and each rank once"
            )
    return out


def scored_lists(recommendations: pd.DataFrame) -> pd.DataFrame:
    """Return the checked lists with their finite `score`, sorted by user and rank.

    All other columns stay beside them.
    """
    lists = checked_lists(recommendations)
    check_frame(recommendations, "recommendations", ("score",))
    out = recommendations.reset_index(drop=True).assign(**{c: lists[c] for c in lists})
    score = as_numbers(out["score"]).to_numpy()
    bad = ~np.isfinite(score)
    if bad.any():
        raise ValueError(
            f"recommendations.score is not a finite number for the items "
            f"{shown(out.loc[bad, 'item_id'])}; drop those rows"
        )
    return out.assign(score=score).sort_values(["user_id", "rank"], ignore_index=True)


def checked_relevant(relevant: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that count as hits, each once."""
    table = check_frame(relevant, "relevant", ("user_id", "item_id"))
    if table.empty:
        raise ValueError("relevant has no rows; without a relevant item nothing can be measured")
    ids = {c: canonical_ids(table[c], f"relevant.{c}") for c in ("user_id", "item_id")}
    return pd.DataFrame(ids).drop_duplicates(ignore_index=True)


def catalogue_ids(catalogue: pd.DataFrame | Iterable[object]) -> pd.Series:
    """Return the ids of a catalogue, each once: a frame with `item_id`, or ids.

    >>> catalogue_ids(pd.DataFrame({"item_id": ["tent", "rope", "tent"]})).tolist()
    ['tent', 'rope']
    """
    if isinstance(catalogue, (str, bytes)) or not isinstance(catalogue, Iterable):
        raise TypeError(f"catalogue must be a frame or ids, got {type(catalogue).__name__}")
    if isinstance(catalogue, pd.DataFrame):
        catalogue = check_frame(catalogue, "catalogue", ("item_id",))["item_id"]
    ids = canonical_ids(pd.Series(list(catalogue)), "catalogue").drop_duplicates()
    if ids.empty:
        raise ValueError("catalogue has no items")
    return ids


def vectors_of_listed(item_vectors: pd.DataFrame, items: pd.Series) -> pd.DataFrame:
    """Return the vectors, sorted by id, if each of the recommended items has one."""
    vectors = check_item_vectors(item_vectors, pd.Index(items))
    lacking = items[~items.isin(vectors.index)]
    if len(lacking):
        raise ValueError(f"item_vectors lacks recommended items: {shown(lacking)}; add their rows")
    return vectors


def members_by_group(groups: pd.Series, users: pd.Index) -> dict[Hashable, NDArray[np.bool_]]:
    """Return which of the users are in each group, the groups sorted; or say who has none.

    >>> members_by_group(pd.Series(["A"], index=[1]), pd.Index([1, 2]))
    Traceback (most recent call last):
        ...
    ValueError: groups has no group for 1 user(s): 2; give each one, "unknown" if need be
    """
    if not isinstance(groups, pd.Series):
        raise TypeError(
            f"groups must be a Series of groups indexed by user id, got {type(groups).__name__}"
        )
    ids = canonical_ids(groups.index.to_series(index=range(len(groups))), "groups.index")
    if ids.duplicated().any():
        raise SchemaError(f"groups.index has users twice: {shown(ids[ids.duplicated()])}")
    check_same_ids(users.to_series(), ids, "user_id", "groups.index")
    of = pd.Series(groups.to_numpy(), index=pd.Index(ids.to_numpy(), dtype=ids.dtype))
    of = of.reindex(users)
    lacking = of.isna().to_numpy()
    if lacking.any():
        raise ValueError(
            f"groups has no group for {int(lacking.sum())} user(s): {shown(users[lacking])}; "
            f'give each one, "unknown" if need be'
        )
    try:
        names = sorted(set(of))
    except TypeError:
        raise ValueError(
            f"groups cannot be sorted: {shown(of)}; make them one kind: groups.astype(str)"
        ) from None
    return {name: (of == name).to_numpy() for name in names}


def check_k(k: object) -> int:
    """Return k, or say why it is no length of a list."""
    number = check_count(k, "k")
    if number > _MOST:
        raise ValueError("k must be at most 2**53; no list is longer than its catalogue")
    return number


def _checked_ranks(ranks: pd.Series) -> NDArray[np.int64]:
    name = "recommendations.rank"
    if ranks.isna().any():
        raise SchemaError(
            f"{name} is missing in {int(ranks.isna().sum())} row(s), the first at index "
            f"{shown(ranks.index[ranks.isna()][:1])}; drop those rows, or number them from 1 on"
        )
    values = as_numbers(ranks).to_numpy()
    good = (values >= 1) & (values <= _MOST) & (values == np.round(values))
    if not good.all():
        raise SchemaError(
            f"{name} must be whole numbers from 1 on, it holds {shown(ranks[~good].tolist())}; "
            f"number each list from the best: .groupby('user_id').cumcount() + 1"
        )
    return values.astype(np.int64)
