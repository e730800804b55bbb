"""Lists made again from longer lists: less of the same, and a fair share for every interest.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import check_share
from recsys_interest.item_shares import BLEND, checked_shares, target_rows
from recsys_interest.likes import whole_numbers
from recsys_interest.ranked_lists import check_k, scored_lists, vectors_of_listed
from recsys_interest.vectors import unit_rows

__all__ = ["calibrate", "diversify", "fill_quotas"]

Floats = NDArray[np.float64]
Places = NDArray[np.intp]
Flags = NDArray[np.bool_]

_CELLS_AT_ONCE = 2**22  # float64 numbers of one table that are held at one time: 32 MiB


def diversify(
    recommendations: pd.DataFrame,
    item_vectors: pd.DataFrame,
    *,
    k: int = 10,
    trade_off: float = 0.5,
) -> pd.DataFrame:
    r"""Choose k items of each list that are good and unlike each other: maximal marginal relevance.

    With :math:`r_i` the score of an item, scaled within the list so that the best has 1 and the
    last 0, :math:`v_i` its vector scaled to length one and :math:`S` what was chosen so far, the
    next item is

    .. math:: \arg\max_{i \notin S} \; \lambda\, r_i
              - (1 - \lambda) \max_{j \in S} v_i^\top v_j

    where the maximum over an empty :math:`S` is 0. Of equal values the better rank is taken.

    Parameters
    ----------
    recommendations : DataFrame
        `user_id`, `item_id`, `rank` and `score`, as `recommend` returns them; longer than `k`, or
        nothing can change but the order.
    item_vectors : DataFrame of shape (n_vectors, n_dimensions)
        Indexed by item id; every recommended item has one. A vector of zeros is like no other.
    k : int, default 10
        Length of the new lists; shorter where fewer items were given.
    trade_off : float, default 0.5
        The :math:`\lambda`, from 0 to 1. At 1 the order is that of the scores; at 0, after the
        best item, only the distance counts.

    Returns
    -------
    DataFrame
        The columns of `recommendations`, sorted by `user_id` and the new `rank`. The scores are the
        old ones and may rise within a list.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), a score is not finite, an item has no vector, or
        `trade_off` is not between 0 and 1.

    Notes
    -----
    Chapter 12, "Measuring recommendations". Carbonell and Goldstein (1998),
    doi:10.1145/290941.291025. It is greedy, and no bound is known for how far it stays behind the
    best list. The lists of as many users are held as have 4 million pairs of items.

    Rows: R07.

    Examples
    --------
    >>> import pandas as pd
    >>> lists = pd.DataFrame({"user_id": 1, "item_id": ["tent", "big tent", "oven"],
    ...                       "rank": [1, 2, 3], "score": [1.0, 0.9, 0.5]})
    >>> vectors = pd.DataFrame([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]], index=lists["item_id"])
    >>> diversify(lists, vectors, k=2)[["item_id", "rank", "score"]]
      item_id  rank  score
    0    tent     1    1.0
    1    oven     2    0.5
    """
    weight, k = check_share(trade_off, "trade_off"), check_k(k)
    lists = scored_lists(recommendations)
    vectors = vectors_of_listed(item_vectors, lists["item_id"])
    # Whole numbers, so that a cosine is exact whoever else is in the same product.
    whole, power = whole_numbers(unit_rows(vectors.to_numpy(dtype=np.float64)))
    at = vectors.index.get_indexer(lists["item_id"])

    def choose(part: _Lists) -> Places:
        rows = whole[at[part.place]]  # of places that hold nothing: any row, never chosen
        cosines = np.ldexp(np.matmul(rows, rows.transpose(0, 2, 1)), -2 * power)
        nearest = np.zeros(part.place.shape)

        def value() -> Floats:
            return weight * part.relevance - (1 - weight) * nearest

        def take(step: int, who: Places, chosen: Places) -> None:
            near = cosines[who, chosen]
            nearest[who] = np.maximum(nearest[who], near) if step else near

        return _greedy(part, k, value, take)

    return _made(lists, k, choose, lambda n: n * max(n, whole.shape[1]))


def calibrate(
    recommendations: pd.DataFrame,
    categories: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    k: int = 10,
    trade_off: float = 0.5,
) -> pd.DataFrame:
    r"""Choose k items of each list so that its categories have the shares of the user's history.

    With :math:`r_i` as in `diversify`, :math:`c_{gi}` the share of category :math:`g` in item
    :math:`i`, :math:`p_g` its target share and :math:`a = 0.01`, greedily maximise

    .. math:: F(S) = \frac{\lambda}{k} \sum_{i \in S} r_i + (1 - \lambda) \sum_g p_g
              \log \frac{(1 - a)\, \frac{1}{k} \sum_{i \in S} c_{gi} + a\, p_g}{a\, p_g}

    For :math:`|S| = k` the second sum is :math:`-\log a` less the miscalibration of
    `per_list_metrics`. :math:`F` never falls when an item is added, and an item adds the less the
    more there is (a logarithm is concave), so that the greedy list has at least
    :math:`1 - 1/e` = 63 % of the largest :math:`F`. Of equal values the better rank is taken.

    Parameters
    ----------
    recommendations : DataFrame
        `user_id`, `item_id`, `rank` and `score`, as `recommend` returns them; longer than `k`.
    categories : DataFrame of shape (n_items, n_categories)
        Weights of the categories of each item, not negative, indexed by item id: genres, or one
        column for each interest cluster. Rows are scaled to the sum one.
    targets : DataFrame of shape (n_users, n_categories)
        Wanted shares, indexed by user id, see `category_shares`. The lists of users who have no row
        are cut and otherwise stay as they are.
    k : int, default 10
        Length of the new lists; shorter where fewer items were given (:math:`k` in the formula is
        the length that can be reached).
    trade_off : float, default 0.5
        The :math:`\lambda`, from 0 to 1. At 1 the order is that of the scores; at 0 only the
        shares count.

    Returns
    -------
    DataFrame
        The columns of `recommendations`, sorted by `user_id` and the new `rank`: the order in which
        the items were chosen. The scores are the old ones and may rise within a list.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), a score is not finite, an item has no row in
        `categories`, the columns differ, or `trade_off` is not between 0 and 1.

    Notes
    -----
    Chapter 12, "Measuring recommendations". Steck (2018), "Calibrated recommendations",
    doi:10.1145/3240323.3240372; the bound is that of Nemhauser, Wolsey and Fisher (1978),
    doi:10.1007/BF01588971.

    Rows: R07.

    Examples
    --------
    >>> import pandas as pd
    >>> lists = pd.DataFrame({"user_id": 1, "item_id": ["tent", "big tent", "oven"],
    ...                       "rank": [1, 2, 3], "score": [1.0, 0.9, 0.5]})
    >>> about = pd.DataFrame({"out": [1, 1, 0], "in": [0, 0, 1]}, index=lists["item_id"])
    >>> half = pd.DataFrame({"out": [0.5], "in": [0.5]}, index=[1])
    >>> calibrate(lists, about, half, k=2)["item_id"].tolist()
    ['tent', 'oven']
    """
    weight, k = check_share(trade_off, "trade_off"), check_k(k)
    lists = scored_lists(recommendations)
    user, shares, wanted = _shares_and_targets(lists, categories, targets)

    def choose(part: _Lists) -> Places:
        about = shares[part.place]
        target = wanted[user[part.place[:, 0]]]
        length = np.minimum(k, part.filled.sum(axis=1))[:, None]
        have = BLEND * target
        some = target > 0

        def value() -> Floats:
            more = have[:, None, :] + (1 - BLEND) * about / length[:, :, None]
            ratio = np.divide(
                more,
                have[:, None, :],
                out=np.ones_like(more),
                where=np.broadcast_to(some[:, None, :], more.shape),
            )
            gain = (np.log(ratio) * target[:, None, :]).sum(axis=2)
            return weight * part.relevance / length + (1 - weight) * gain

        def take(step: int, who: Places, chosen: Places) -> None:
            have[who] += (1 - BLEND) * about[who, chosen] / length[who]

        return _greedy(part, k, value, take)

    return _made(lists, k, choose, lambda n: n * shares.shape[1])


def fill_quotas(
    recommendations: pd.DataFrame,
    categories: pd.DataFrame,
    targets: pd.DataFrame,
    *,
    k: int = 10,
) -> pd.DataFrame:
    r"""Choose k items of each list so that every category gets its number of places.

    A category with the target share :math:`p_g` gets :math:`\lfloor k\, p_g \rfloor` places, and
    the places that are left go to the largest remainders (of equal ones, the first column). An item
    takes a place of the category that weighs most in it (the first column of equal ones). Each
    category takes its best items; places that no item of the category can fill, and all places of
    users without a target, go to the best of the other items.

    Parameters
    ----------
    recommendations : DataFrame
        `user_id`, `item_id`, `rank` and `score`, as `recommend` returns them; longer than `k`.
    categories : DataFrame of shape (n_items, n_categories)
        Weights of the categories of each item, not negative, indexed by item id: genres, or one
        column for each interest cluster.
    targets : DataFrame of shape (n_users, n_categories)
        Wanted shares, indexed by user id, see `category_shares`.
    k : int, default 10
        Length of the new lists; shorter where fewer items were given.

    Returns
    -------
    DataFrame
        The columns of `recommendations`, sorted by `user_id` and the new `rank`; the items stand in
        the old order. If the scores fall with the rank, no other list that fills the quotas as far
        has a larger sum of them.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), a score is not finite, an item has no row in
        `categories`, or the columns differ.

    Notes
    -----
    Chapter 12, "Measuring recommendations". The places are those of Hamilton's method.

    Rows: R07.

    Examples
    --------
    >>> import pandas as pd
    >>> lists = pd.DataFrame({"user_id": 1, "item_id": ["tent", "big tent", "oven"],
    ...                       "rank": [1, 2, 3], "score": [1.0, 0.9, 0.5]})
    >>> about = pd.DataFrame({"out": [1, 1, 0], "in": [0, 0, 1]}, index=lists["item_id"])
    >>> half = pd.DataFrame({"out": [0.5], "in": [0.5]}, index=[1])
    >>> fill_quotas(lists, about, half, k=2)["item_id"].tolist()
    ['tent', 'oven']
    """
    k = check_k(k)
    lists = scored_lists(recommendations)
    user, shares, wanted = _shares_and_targets(lists, categories, targets)
    kind = np.where(shares.any(axis=1), shares.argmax(axis=1), -1)
    size = np.bincount(user)
    places = _places(wanted, k)
    nth = lists.groupby([user, kind]).cumcount().to_numpy()
    reserved = (kind >= 0) & (nth < places[user, kind])
    # First the reserved, by rank; then the others, by rank; then cut, and back to the old order.
    order = np.lexsort((np.arange(len(user)), ~reserved, user))
    start = np.repeat(np.cumsum(size) - size, size)
    kept = np.sort(order[np.arange(len(user)) - start < k])
    return _renumbered(lists.iloc[kept])


class _Lists:
    """Lists of some users side by side, so that all of them take their next item in one step."""

    def __init__(self, place: Places, filled: Flags, score: Floats) -> None:
        self.place = place  # row of the table, shape (n_users, longest)
        self.filled = filled
        given = np.where(filled, score[place] / 2, np.nan)  # half: a difference may overflow
        low = np.nanmin(given, axis=1, keepdims=True)
        spread = np.nanmax(given, axis=1, keepdims=True) - low
        scaled = np.divide(given - low, spread, out=np.ones_like(given), where=spread > 0)
        self.relevance = np.where(filled, scaled, 0.0)


def _parts(lists: pd.DataFrame, cells: Callable[[int], int]) -> Iterator[_Lists]:
    """Yield the lists of so many users that a table of `cells(longest list)` each stays small."""
    size = lists.groupby("user_id").size().to_numpy()
    begin = np.cumsum(size) - size
    score = lists["score"].to_numpy()
    # Lists of a like length together: a part is as wide as its longest.
    order = np.argsort(size, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        while stop < len(order) and (stop + 1 - start) * cells(int(size[order[stop]])) <= (
            _CELLS_AT_ONCE
        ):
            stop += 1
        here = order[start:stop]
        column = np.arange(size[here].max())
        filled = column[None, :] < size[here][:, None]
        yield _Lists(
            np.where(filled, begin[here][:, None] + column, begin[here][:, None]), filled, score
        )
        start = stop


def _greedy(
    part: _Lists,
    k: int,
    value: Callable[[], Floats],
    take: Callable[[int, Places, Places], None],
) -> Places:
    """Return the chosen rows, one after the other: shape (n_users, k), −1 where there is none."""
    free = part.filled.copy()
    chosen = np.full((len(free), min(k, free.shape[1])), -1, dtype=np.intp)
    for step in range(chosen.shape[1]):
        who = np.flatnonzero(free.any(axis=1))
        best = np.where(free, value(), -np.inf)[who].argmax(axis=1)  # of equal ones the first
        free[who, best] = False
        chosen[who, step] = part.place[who, best]
        take(step, who, best)
    return chosen


def _made(
    lists: pd.DataFrame, k: int, choose: Callable[[_Lists], Places], cells: Callable[[int], int]
) -> pd.DataFrame:
    rows = [choose(part).ravel() for part in _parts(lists, cells)]
    found = np.concatenate(rows) if rows else np.empty(0, dtype=np.intp)
    found = found[found >= 0]
    user = lists.groupby("user_id").ngroup().to_numpy()[found]
    # The rows of a user stand in the order of choice; a stable sort keeps it.
    return _renumbered(lists.iloc[found[np.argsort(user, kind="stable")]])


def _renumbered(lists: pd.DataFrame) -> pd.DataFrame:
    out = lists.reset_index(drop=True)
    out["rank"] = out.groupby("user_id").cumcount().astype("int64") + 1
    return out


def _places(wanted: Floats, k: int) -> NDArray[np.int64]:
    """Return the number of places of each category, by the largest remainders."""
    exact = wanted * k
    places = np.floor(exact)
    left = np.where(wanted.any(axis=1), k - places.sum(axis=1), 0)
    rank = np.argsort(np.argsort(places - exact, axis=1, kind="stable"), axis=1, kind="stable")
    return (places + (rank < left[:, None])).astype(np.int64)


def _shares_and_targets(
    lists: pd.DataFrame, categories: pd.DataFrame, targets: pd.DataFrame
) -> tuple[Places, Floats, Floats]:
    """Return the number of each row's user, the shares of its item, and each user's target."""
    shares = checked_shares(categories, "categories", lists["item_id"], "recommendations.item_id")
    user, users = pd.factorize(lists["user_id"])
    wanted = target_rows(targets, pd.Index(users), shares.columns)
    return user, shares.loc[lists["item_id"]].to_numpy(), wanted
