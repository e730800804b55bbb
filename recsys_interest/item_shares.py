"""What items are about, as shares of categories, and which shares a user's history has.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import SchemaError, canonical_ids, check_same_ids, shown
from recsys_interest.likes import likes_matrix
from recsys_interest.schema import validate_events
from recsys_interest.vectors import numbers_of

__all__ = ["BLEND", "category_shares", "checked_shares", "divergence", "target_rows"]

Floats = NDArray[np.float64]

#: How much of the target is mixed into a list's shares, so that their ratio stays finite.
BLEND = 0.01


def category_shares(
    events: pd.DataFrame,
    categories: pd.DataFrame,
    *,
    event_weights: Mapping[str, float] | None = None,
    neutral_rating: float = 3.0,
) -> pd.DataFrame:
    r"""Return the share of each category in what each user likes.

    With :math:`H_u` the items that user :math:`u` likes (their events add up to more than nothing)
    and that have a category, and :math:`c_{gi}` the share of category :math:`g` in item :math:`i`:

    .. math:: p_{ug} = \frac{1}{|H_u|} \sum_{i \in H_u} c_{gi}

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`), at least one.
    categories : DataFrame of shape (n_items, n_categories)
        Weights of the categories of each item, not negative, indexed by item id. Rows are scaled to
        the sum one; a row of zeros has no category.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.

    Returns
    -------
    DataFrame of float64, shape (n_users, n_categories)
        Indexed by `user_id`, sorted. Rows sum to one; users without such an item have no row.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), there are no events, or an item of the log has no
        row in `categories`.

    Notes
    -----
    Chapter 12, "Measuring recommendations". After Steck (2018), doi:10.1145/3240323.3240372, with
    the same weight for all items.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 1], "item_id": ["tent", "oven"]})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> about = pd.DataFrame({"outdoors": [1, 1], "cooking": [0, 1]}, index=["tent", "oven"])
    >>> category_shares(log, about)
             outdoors  cooking
    user_id
    1            0.75     0.25
    """
    log = validate_events(events)
    if log.empty:
        raise ValueError("events has no rows; shares come from a history")
    users = pd.Index(log["user_id"].unique(), name="user_id").sort_values()
    items = pd.Index(log["item_id"].unique()).sort_values()
    shares = checked_shares(categories, "categories", items.to_series(), "events.item_id")
    rows = shares.loc[items].to_numpy()
    likes = likes_matrix(log, users, items, event_weights, neutral_rating)
    total, size = likes @ rows, likes @ (rows.sum(axis=1) > 0).astype(np.float64)
    some = size > 0
    return pd.DataFrame(total[some] / size[some, None], index=users[some], columns=shares.columns)


def checked_shares(
    categories: pd.DataFrame, name: str, items: pd.Series, items_name: str
) -> pd.DataFrame:
    """Return the rows of `categories`, each scaled to the sum one, if all of the items have one.

    >>> checked_shares(pd.DataFrame({"x": [1], "y": [3]}, index=[7]), "shares", pd.Series([7]), "")
          x     y
    7  0.25  0.75
    """
    if not isinstance(categories, pd.DataFrame):
        raise TypeError(
            f"{name} must be a DataFrame indexed by id, got {type(categories).__name__}; "
            f"for texts: texts.str.get_dummies(', ')"
        )
    ids = canonical_ids(categories.index.to_series(index=range(len(categories))), f"{name}.index")
    if ids.duplicated().any():
        raise SchemaError(f"{name}.index has ids twice: {shown(ids[ids.duplicated()])}")
    check_same_ids(items, ids, items_name, f"{name}.index")
    columns = categories.columns
    if columns.empty or columns.has_duplicates:
        raise SchemaError(f"{name} must have a column for each category, it has {shown(columns)}")
    weights = numbers_of(categories, name, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        total = weights.sum(axis=1, keepdims=True)
    bad = ~np.isfinite(total[:, 0]) | (weights < 0).any(axis=1)
    if bad.any():
        raise ValueError(f"{name} must be finite and not negative, see {shown(ids[bad])}")
    lacking = items[~items.isin(ids)]
    if len(lacking):
        raise ValueError(f"{name} lacks {shown(lacking)} of {items_name}; add their rows")
    shares = np.divide(weights, total, out=np.zeros_like(weights), where=total > 0)
    index = pd.Index(ids.to_numpy(), dtype=ids.dtype)
    return pd.DataFrame(shares, index=index, columns=columns)


def target_rows(targets: pd.DataFrame, users: pd.Index, columns: pd.Index) -> Floats:
    """Return the target shares of each of the users; zeros for those who have none.

    >>> table = pd.DataFrame({"x": [2.0]}, index=[1])
    >>> target_rows(table, pd.Index([1, 2]), pd.Index(["x"])).tolist()
    [[1.0], [0.0]]
    """
    shares = checked_shares(targets, "targets", pd.Series([], dtype=users.dtype), "")
    check_same_ids(users.to_series(), shares.index.to_series(), "user_id", "targets.index")
    if set(shares.columns) != set(columns):
        odd = set(shares.columns) ^ set(columns)
        raise ValueError(
            f"targets and categories differ in the columns {shown(sorted(odd, key=str))}"
        )
    return shares[columns].reindex(users).fillna(0.0).to_numpy()


def divergence(wanted: Floats, found: Floats) -> Floats:
    r"""Return Steck's :math:`\sum_g p_g \log (p_g / ((1 - a) q_g + a p_g))`, in nats, for each row.

    >>> divergence(np.array([[0.5, 0.5], [0.0, 0.0]]), np.array([[0.5, 0.5], [1.0, 0.0]]))
    array([ 0., nan])
    """
    mixed = (1 - BLEND) * found + BLEND * wanted
    ratio = np.divide(wanted, mixed, out=np.ones_like(wanted), where=wanted > 0)
    total = (wanted * np.log(ratio)).sum(axis=1)
    return np.where(wanted.any(axis=1), total, np.nan)
