"""Users like some given ones, and how much better than chance they do what those did.

Chapter: 10 (choosing and naming clusters).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import hypergeom
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from recsys_interest.checks import check_count, shown
from recsys_interest.reproducible import check_part, seeded_clone
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["look_alike_lift", "look_alikes"]

Floats = npt.NDArray[np.float64]
#: Nearer to the mean than this, a unit vector of single precision is the mean but for rounding.
SAME = 1e-6
#: Takes vectors and seeds, returns the other users, the best first.
Finder = Callable[[pd.DataFrame, list[Any]], Any]


def look_alikes(
    vectors: pd.DataFrame,
    seeds: Iterable[Any],
    *,
    k: int | None = None,
    estimator: Any = None,
    random_state: Any = None,
) -> pd.DataFrame:
    r"""Return the users who are most like some given ones.

    What all users have in common is taken out first: with unit vectors :math:`x_u` and their mean
    :math:`\bar x` over all users, :math:`z_u = (x_u - \bar x) / \lVert x_u - \bar x \rVert`. A
    classifier then learns to tell the seeds from all others, and its score ranks the others. That
    some of them are seeds not yet known is the point, and lowers all scores alike (Elkan and Noto,
    2008).

    Parameters
    ----------
    vectors : DataFrame of shape (n_users, n_features)
        Interest vectors, indexed by user. A row of zeros has no direction and is left out.
    seeds : iterable of user ids
        The users to look for more of.
    k : int, optional
        How many to return. Default: all.
    estimator : scikit-learn classifier, optional
        Anything with `decision_function` or `predict_proba`; seeds are class 1. Default: logistic
        regression, the two classes weighing the same.
    random_state : int, RandomState or None, default None
        Given to every part of `estimator` whose own `random_state` is None.

    Returns
    -------
    DataFrame
        Indexed by user, the most alike first, seeds left out: `rank` from 1, `score` of the
        classifier, and `similarity`, the cosine of :math:`z_u` with the mean of the seeds'
        :math:`z`. Equal scores are in the order of the similarity, then of the user id.

    Raises
    ------
    TypeError
        If `vectors` is no DataFrame, `seeds` is text, or the estimator is no classifier.
    ValueError
        If there is no seed, a seed has no vector or one of zeros, or a value is not finite.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters". Learning from positive and unlabelled rows: Elkan
    and Noto (2008), doi:10.1145/1401890.1401920. Measure it with `look_alike_lift`.

    Rows: C10.

    Examples
    --------
    >>> vectors = pd.DataFrame([[9, 1], [8, 2], [7, 2], [1, 9], [2, 8]], index=list("abcde"))
    >>> look_alikes(vectors, ["a"], k=2)["rank"].to_dict()
    {'b': 1, 'c': 2}
    """
    if k is not None:
        check_count(k, "k")
    table = check_vectors(vectors, "vectors")
    chosen = _positions(seeds, table.index)
    unit = unit_rows(table.to_numpy(dtype=np.float64))
    directed: npt.NDArray[np.bool_] = np.asarray(unit.any(axis=1))
    if not directed[chosen].all():
        empty = shown(table.index[chosen[~directed[chosen]]])
        raise ValueError(f"seeds {empty} have vectors of zeros, without a direction; drop them")
    is_seed = np.zeros(len(unit), dtype=bool)
    is_seed[chosen] = True
    is_seed, users = is_seed[directed], table.index[directed]
    away = unit[directed] - unit[directed].mean(axis=0)
    away[np.abs(away).max(axis=1) < SAME] = 0.0
    common = unit_rows(away)
    out = pd.DataFrame(index=users[~is_seed])
    others = common[~is_seed]
    out["similarity"] = others @ unit_rows(common[is_seed].mean(axis=0, keepdims=True))[0]
    out["score"] = _scores(common, is_seed, estimator, random_state) if len(others) else 0.0
    order = np.lexsort((-out["similarity"].to_numpy(), -out["score"].to_numpy()))
    out = out.iloc[order].head(k if k is not None else len(out))
    out.insert(0, "rank", np.arange(1, len(out) + 1))
    return out[["rank", "score", "similarity"]]


def look_alike_lift(
    vectors: pd.DataFrame,
    audiences: Mapping[Any, Iterable[Any]] | pd.Series,
    held_out: Mapping[Any, Iterable[Any]] | pd.Series,
    *,
    k: int = 50,
    find: Finder | None = None,
) -> pd.DataFrame:
    r"""Measure how much more often than chance look-alikes do later what the seeds did.

    An audience is the users who did one thing: bought a book, opened an article. The candidates
    are all other users with a vector. Of those, the share that does it in the held-out behaviour
    is the base rate, which a random choice reaches on average, and

    .. math:: \mathrm{lift} = \frac{\text{share of the first } k \text{ look-alikes that does it}}
        {\text{share of all candidates that does it}} .

    Parameters
    ----------
    vectors : DataFrame of shape (n_users, n_features)
        Interest vectors from the behaviour before, indexed by user.
    audiences : mapping or Series of name to user ids
        Who did it before, for example ``train.groupby("item_id")["user_id"].unique()``. Users
        without a vector, or with one of zeros, are left out.
    held_out : mapping or Series of name to user ids
        Who did it later. An audience that is not here has nobody.
    k : int, default 50
        How many look-alikes to take; all candidates where there are fewer.
    find : callable, optional
        Takes `vectors` and a list of seeds, returns the users in order, the best first, as an index
        or as a frame indexed by them. Default: `look_alikes`.

    Returns
    -------
    DataFrame
        Indexed by audience: `n_seeds`, `n_candidates`, `n_later` (the candidates that did it
        later), `base_rate`, `hit_rate`, `lift` (NaN if nobody did it later), and `p_value`, the
        probability that a random choice of as many finds as many or more. An audience without
        seeds or candidates has no row.

    Raises
    ------
    TypeError
        If `audiences` or `held_out` is no mapping, or `vectors` no DataFrame.
    ValueError
        If `k` is below 1, or `find` returns a seed, a stranger, or a user twice.

    Notes
    -----
    Chapter 10, "Choosing and naming clusters". A random choice has a lift of 1, but a random choice
    is a weak rival: users who do much do anything more often. Compare with them, too, by a `find`
    that ranks by activity. The probability is hypergeometric.

    Rows: C10, Q01.

    Examples
    --------
    >>> vectors = pd.DataFrame([[9, 1], [8, 2], [7, 2], [1, 9], [2, 8]], index=list("abcde"))
    >>> found = look_alike_lift(vectors, {"tent": ["a"]}, {"tent": ["b"]}, k=1)
    >>> found[["n_candidates", "base_rate", "hit_rate", "lift", "p_value"]].values.tolist()
    [[4.0, 0.25, 1.0, 4.0, 0.25]]
    """
    check_count(k, "k")
    for name, given in (("audiences", audiences), ("held_out", held_out)):
        if not isinstance(given, (Mapping, pd.Series)):
            kind = type(given).__name__
            raise TypeError(f"{name} must be a mapping or Series of name to user ids, got {kind}")
    table = check_vectors(vectors, "vectors")
    table = table[table.any(axis=1)]
    later = dict(held_out.items())
    rows = {}
    for name, users in audiences.items():
        seeds = [u for u in dict.fromkeys(users) if u in table.index]
        candidates = table.index.difference(seeds)
        if len(seeds) == 0 or len(candidates) == 0:
            continue
        ranked = look_alikes(table, seeds) if find is None else find(table, seeds)
        picked = _picked(ranked, candidates)[:k]
        rows[name] = _row(
            len(seeds), candidates, candidates.isin(list(later.get(name, ()))), picked
        )
    names = ["n_seeds", "n_candidates", "n_later", "base_rate", "hit_rate", "lift", "p_value"]
    out = pd.DataFrame.from_dict(rows, orient="index", columns=names)
    return out.astype(dict.fromkeys(names[:3], np.int64)).rename_axis("audience")


def _row(
    n_seeds: int, candidates: pd.Index, does: npt.NDArray[np.bool_], picked: pd.Index
) -> tuple[float, ...]:
    n, good, drawn = len(candidates), int(does.sum()), len(picked)
    hits = int(picked.isin(candidates[does]).sum())
    base, rate = good / n, hits / drawn if drawn else np.nan
    lift = rate / base if good else np.nan
    return n_seeds, n, good, base, rate, lift, float(hypergeom.sf(hits - 1, n, good, drawn))


def _picked(ranked: Any, candidates: pd.Index) -> pd.Index:
    found = ranked.index if isinstance(ranked, pd.DataFrame) else pd.Index(ranked)
    odd = found[~found.isin(candidates) | found.duplicated()]
    if len(odd):
        raise ValueError(
            f"find returned {shown(odd)}: seeds, users without a vector, or users twice; "
            f"return each other user at most once"
        )
    return found


def _positions(seeds: Iterable[Any], users: pd.Index) -> npt.NDArray[np.intp]:
    if isinstance(seeds, (str, bytes)) or not isinstance(seeds, Iterable):
        raise TypeError(f"seeds must be a list of user ids, got {seeds!r}")
    wanted = list(dict.fromkeys(seeds))
    if not wanted:
        raise ValueError("seeds is empty; give at least one user id")
    unknown = [u for u in wanted if u not in users]
    if unknown:
        raise ValueError(
            f"seeds holds users without a vector: {shown(unknown)}; leave them out: "
            f"[u for u in seeds if u in vectors.index]"
        )
    return np.sort(users.get_indexer(pd.Index(wanted)))


def _scores(
    common: Floats, is_seed: npt.NDArray[np.bool_], estimator: Any, random_state: Any
) -> Floats:
    if estimator is None:
        estimator = LogisticRegression(class_weight="balanced", max_iter=1000)
    check_part(estimator, "estimator", "a classifier", "fit", "LogisticRegression()")
    ways = ("decision_function", "predict_proba")
    way = next((w for w in ways if hasattr(estimator, w)), None)
    if way is None:
        raise TypeError(
            f"estimator must have decision_function or predict_proba, got {estimator!r}"
        )
    model = seeded_clone(estimator, random_state)
    with threadpool_limits(limits=2, user_api="openmp"):
        model.fit(common, is_seed.astype(np.int64))
    scores = np.asarray(getattr(model, way)(common[~is_seed]), dtype=np.float64)
    return scores if scores.ndim == 1 else scores[:, -1]
