"""Whether interests changed, whose and when: of users, of clusters, of everybody.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from scipy.stats import false_discovery_control
from sklearn.cluster import KMeans
from sklearn.utils import check_random_state

from recsys_interest.change_points import against_chance, change_point
from recsys_interest.checks import (
    as_moment,
    canonical_ids,
    check_count,
    check_positive,
    check_same_ids,
    shown,
)
from recsys_interest.decayed_sums import microseconds, moments
from recsys_interest.event_weights import event_strength
from recsys_interest.profile_sums import used_columns
from recsys_interest.schema import validate_events
from recsys_interest.sessions import session_numbers
from recsys_interest.stability import stability_index
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["detect_drift"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

N_GROUPS = 8  # groups of items that the stability index counts in, if none are given
N_MOMENTS = 20  # moments to look for a change of a group of users at
LEAST_SIDE = 3  # events of a user on either side of a change


def detect_drift(
    events: pd.DataFrame,
    item_vectors: pd.DataFrame,
    *,
    by: Literal["user", "population"] | pd.Series = "user",
    cutoff: Any = None,
    item_groups: pd.Series | None = None,
    session_gap: float | None = None,
    alpha: float = 0.01,
    n_permutations: int = 499,
    random_state: int | np.random.RandomState | None = 0,
) -> pd.DataFrame:
    r"""Compare what users did before with what they did after a moment, and say if it changed.

    An interest drifts if its events are on other items than before. With the mean vectors
    :math:`\bar E` of the events of positive strength on both sides of a moment :math:`t`,

    .. math:: T(t) = \frac{n_{<t} \, n_{\ge t}}{n}
              \left\lVert \bar E_{<t} - \bar E_{\ge t} \right\rVert^2 .

    The largest :math:`T(t)` over all moments says when. Whether it is more than chance is decided
    by permutations: each user's events are dealt out anew over the same moments, all orders being
    equally likely if nothing changed. So the rate of false alarms is `alpha` at most, without any
    assumption on the vectors or on how active users are; and a population that changes only
    because other users came has no drift, though its stability index moves.

    Parameters
    ----------
    events : DataFrame
        Valid events. Those with a strength (`event_strength`) of 0 or less, or on an item without
        a vector, say nothing about an interest and are left out.
    item_vectors : DataFrame, shape (n_items, n_features)
        Indexed by item id; scaled to length one. Indicator columns of known topics will do, too.
    by : {"user", "population"} or Series, default "user"
        What to look at: each user, all users together, or the clusters of users that a Series of
        labels indexed by user id gives.
    cutoff : str or datetime, optional
        The moment to compare at. By default it is searched for: between any two events of a user,
        with three on either side, or at 20 moments for groups of users.
    item_groups : Series, optional
        Group of each item, indexed by item id, to count the stability index in; by default eight
        clusters of the vectors.
    session_gap : float, optional
        Minutes of silence between two sessions (`session_numbers`). If given, the events of a
        session are averaged and count as one: what is done in one go is on similar items, so that
        single events are not equally likely in every order, and bursts would be called drifts.
    alpha : float, default 0.01
        Largest p-value that is called a drift; it is also the rate of false alarms.
    n_permutations : int, default 499
        The p-values are multiples of one over one more than this.
    random_state : int, RandomState or None, default 0
        Seed of the permutations.

    Returns
    -------
    DataFrame
        One row for every user with an event, for every cluster, or one called ``"population"``:

        - `n_before`, `n_after`: events (or sessions) that count on both sides of `changed_at`;
        - `changed_at`: the first moment of the new interest, or `cutoff`;
        - `distance`: one minus the cosine of the mean vectors before and after;
        - `strength`: :math:`T` divided by its mean over the permutations: what to rank by;
        - `p_value`, and `q_value` (Benjamini and Hochberg), for lists of many users;
        - `psi`, `psi_by_chance`: the stability index over `item_groups` and what to expect of it
          where nothing changed, see `population_stability`;
        - `drifted`: whether `p_value` is at most `alpha`.

        Where there are too few events to compare, the numbers are missing and `drifted` is False.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), a vector is not finite, `alpha` is not between 0
        and 1, or no permutation could reach it.

    See Also
    --------
    recsys_interest.drift_monitor.DriftMonitor : Watches a stream.

    Notes
    -----
    Chapter 14, "Dynamic interests". That permutations give an exact test: Hemerik and Goeman
    (2018), doi:10.1007/s11749-017-0571-1.

    Rows: K04.

    Examples
    --------
    >>> import pandas as pd
    >>> vectors = pd.DataFrame({"x": [1.0, 0.0], "y": [0.0, 1.0]}, index=["tent", "novel"])
    >>> days = pd.date_range("2026-01-01", periods=20, tz="UTC")
    >>> ann = pd.DataFrame({"user_id": "ann", "item_id": ["tent"] * 12 + ["novel"] * 8})
    >>> bob = pd.DataFrame({"user_id": "bob", "item_id": ["tent", "novel"] * 10})
    >>> log = pd.concat([t.assign(event="like", timestamp=days) for t in (ann, bob)])
    >>> found = detect_drift(log, vectors)
    >>> found["drifted"].to_dict(), str(found.loc["ann", "changed_at"].date())
    ({'ann': True, 'bob': False}, '2026-01-13')
    """
    _check_alpha(alpha, check_count(n_permutations, "n_permutations"))
    rng = check_random_state(random_state)
    log, vectors = (
        validate_events(used_columns(events)),
        check_vectors(item_vectors, "item_vectors"),
    )
    ids = vectors.index.to_series()
    check_same_ids(log["item_id"], ids, "events.item_id", "item_vectors.index")
    moment = None if cutoff is None else _microseconds(cutoff)
    what = _Evidence.of(log, vectors, _groups(item_groups, vectors))
    if session_gap is not None:
        what = what.by_session(session_gap)
    users = pd.Index(np.sort(log["user_id"].unique()), name="user_id")
    if isinstance(by, str) and by == "user":
        table = _of_users(what, users, moment, n_permutations, rng)
    else:
        labels = _labels(by, users)
        table = _of_groups(what, labels, moment, n_permutations, rng)
    known = table["p_value"].notna()
    table["q_value"] = np.nan
    if known.any():
        table.loc[known, "q_value"] = false_discovery_control(table.loc[known, "p_value"])
    table["drifted"] = table["p_value"] <= alpha
    return table[[*_COLUMNS, "drifted"]]


_COLUMNS = ("n_before", "n_after", "changed_at", "distance", "strength", "p_value", "q_value",
            "psi", "psi_by_chance")  # fmt: skip


@dataclass(frozen=True)
class _Evidence:
    """Events that count, by user and time; the order of the rows of the log decides nothing."""

    user: NDArray[Any]
    time: Ints
    rows: Floats  # (n_events, n_features)
    counts: Floats  # (n_events, n_groups of items)

    @classmethod
    def of(cls, log: pd.DataFrame, vectors: pd.DataFrame, groups: Ints) -> _Evidence:
        unit = unit_rows(vectors.to_numpy(dtype=np.float64))
        place = vectors.index.get_indexer(log["item_id"])
        has_vector = np.append(unit.any(axis=1), False)  # the last one answers for −1
        used = np.logical_and(has_vector[place], event_strength(log).to_numpy() > 0)
        user, time = log["user_id"].to_numpy()[used], microseconds(log["timestamp"])[used]
        place = place[used]
        order = np.lexsort((place, time, pd.factorize(user, sort=True)[0]))
        place = place[order]
        known = np.arange(int(groups.max(initial=-1)) + 1) == groups[place][:, None]
        return cls(user[order], time[order], unit[place], known.astype(np.float64))

    def by_session(self, gap: float) -> _Evidence:
        """Return the mean vector of each session, at its first moment."""
        table = pd.DataFrame({"user_id": self.user, "item_id": 0, "timestamp": moments(self.time)})
        session = session_numbers(table, gap).to_numpy()
        first = np.flatnonzero(
            np.append(True, np.logical_or(self.user[1:] != self.user[:-1], np.diff(session) != 0))
        )
        if not len(self.user):
            return self
        size = np.diff(np.append(first, len(self.user)))[:, None]
        rows, counts = (np.add.reduceat(a, first) for a in (self.rows, self.counts))
        return _Evidence(self.user[first], self.time[first], rows / size, counts)


def _of_users(
    what: _Evidence, users: pd.Index, moment: Ints | None, n: int, rng: np.random.RandomState
) -> pd.DataFrame:
    owner = users.get_indexer(what.user)
    ends = np.searchsorted(owner, np.arange(len(users) + 1))
    found = [_empty() for _ in users]
    for place in range(len(users)):
        mine = slice(ends[place], ends[place + 1])
        time, rows = what.time[mine], _compact(what.rows[mine])
        if moment is None:  # events of one moment have no order, and no cut between them
            places = LEAST_SIDE + np.flatnonzero(np.diff(time[LEAST_SIDE - 1 : 1 - LEAST_SIDE]))
        else:
            at = np.searchsorted(time, moment)
            places = at[(at > 0) & (at < len(time))]
        if not len(places):
            continue
        cut, strength, p = change_point(rows, places, n, rng)
        found[place] |= {"changed_at": time[cut] if moment is None else moment[0]}
        found[place] |= {"strength": strength, "p_value": p}
        found[place] |= _both_sides(what, mine, np.arange(len(time)) < cut)
    return _table(found, users)


def _of_groups(
    what: _Evidence, labels: pd.Series, moment: Ints | None, n: int, rng: np.random.RandomState
) -> pd.DataFrame:
    codes, names = pd.factorize(labels, sort=True)
    label = np.append(codes, -1)[labels.index.get_indexer(what.user)]
    found = []
    for code in range(len(names)):
        mine = np.flatnonzero(label == code)
        time = what.time[mine]
        edges = _edges(time) if moment is None else moment
        if len(time):
            edges = edges[(edges > time.min()) & (edges <= time.max())]
        row = _empty()
        if len(time) and len(edges):
            best, strength, p = _shuffled(what, mine, edges, n, rng)
            row |= {"changed_at": edges[best], "strength": strength, "p_value": p}
            row |= _both_sides(what, mine, time < edges[best])
        found.append(row)
    return _table(found, pd.Index(names, name=labels.name))


def _edges(time: Ints) -> Ints:
    at = np.arange(1, N_MOMENTS + 1) / (N_MOMENTS + 1)
    return np.unique(np.quantile(time, at, method="inverted_cdf")) if len(time) else time


def _shuffled(
    what: _Evidence, mine: Ints, edges: Ints, n: int, rng: np.random.RandomState
) -> tuple[int, float, float]:
    """Compare the statistic at every edge with that of events dealt out anew to their users."""
    rows = what.rows[mine] - what.rows[mine].mean(axis=0)
    user = pd.factorize(what.user[mine])[0]  # their events stand together
    period = np.searchsorted(edges, what.time[mine], side="right")
    shape = (len(edges) + 1, len(mine))
    before = np.cumsum(np.bincount(period, minlength=shape[0]))[:-1]
    scale = len(mine) / (before * (len(mine) - before))

    def statistics(order: Ints) -> Floats:
        sums = sparse.csr_array((np.ones(len(mine)), (period, order)), shape=shape) @ rows
        return scale * np.square(np.cumsum(sums, axis=0)[:-1]).sum(axis=1)

    found = statistics(np.arange(len(mine)))
    chance = np.array(
        [statistics(np.lexsort((rng.random_sample(len(mine)), user))).max() for _ in range(n)]
    )
    return int(found.argmax()), *against_chance(float(found.max()), chance)


def _both_sides(what: _Evidence, mine: slice | Ints, before: NDArray[np.bool_]) -> dict[str, Any]:
    sides = before, ~before
    n_before, n_after = (int(side.sum()) for side in sides)
    old, new = unit_rows(np.array([what.rows[mine][side].mean(axis=0) for side in sides]))
    counts = np.array([what.counts[mine][side].sum(axis=0) for side in sides])
    p, q = counts[:, counts.any(axis=0)]  # what nobody here knows is no bin
    by_chance = (len(p) - 1) * (1 / n_before + 1 / n_after) if len(p) else np.nan
    return {
        "n_before": n_before,
        "n_after": n_after,
        "distance": max(0.0, 1 - float(old @ new)),
        "psi": float(stability_index(p, q)) if len(p) else np.nan,
        "psi_by_chance": by_chance,
    }


def _compact(rows: Floats) -> Floats:
    """Return fewer columns with the same distances between the rows."""
    if rows.shape[0] >= rows.shape[1]:
        return rows
    values, vectors = np.linalg.eigh(rows @ rows.T)
    compact: Floats = vectors * np.sqrt(np.maximum(values, 0.0))
    return compact


def _empty() -> dict[str, Any]:
    return {"n_before": 0, "n_after": 0, "changed_at": np.iinfo(np.int64).min}


def _table(rows: list[dict[str, Any]], index: pd.Index) -> pd.DataFrame:
    table = pd.DataFrame(rows, index=index, columns=list(_COLUMNS))
    for name in ("n_before", "n_after"):
        table[name] = table[name].astype(np.int64)
    at = table["changed_at"].to_numpy(dtype=np.int64)  # the smallest number is NaT
    table["changed_at"] = moments(at.copy())
    rest = [n for n in _COLUMNS if n not in ("n_before", "n_after", "changed_at")]
    return table.astype(dict.fromkeys(rest, "float64"))


def _labels(by: object, users: pd.Index) -> pd.Series:
    if isinstance(by, str) and by == "population":
        return pd.Series("population", index=users, name="population")
    if not isinstance(by, pd.Series):
        raise TypeError(
            f"by must be 'user', 'population' or a Series of clusters by user id, got {by!r}"
        )
    labels = labels_by_id(by, "by", users, "events.user_id").dropna()
    return labels.rename("cluster" if by.name is None else by.name)


def labels_by_id(labels: pd.Series, name: str, known: pd.Index, known_name: str) -> pd.Series:
    """Return labels whose index holds each id once, of the kind of the known ones.

    >>> labels_by_id(pd.Series({1.0: "calm"}), "by", pd.Index([1, 2]), "users").index.tolist()
    [1]
    """
    if not isinstance(labels, pd.Series):
        raise TypeError(f"{name} must be a Series of labels by id, got {labels!r}")
    ids = canonical_ids(labels.index.to_series(index=range(len(labels))), f"{name}.index")
    check_same_ids(ids, known.to_series(), f"{name}.index", known_name)
    if ids.duplicated().any():
        twice = shown(ids[ids.duplicated()].tolist())
        raise ValueError(f"{name} has ids more than once: {twice}; give each one label")
    return labels.set_axis(pd.Index(ids))


def _groups(item_groups: pd.Series | None, vectors: pd.DataFrame) -> Ints:
    if item_groups is not None:
        groups = labels_by_id(item_groups, "item_groups", vectors.index, "item_vectors.index")
        table = pd.Series(pd.factorize(groups, sort=True)[0], index=groups.index)
        return table.reindex(vectors.index, fill_value=-1).to_numpy(dtype=np.int64)
    unit = unit_rows(vectors.to_numpy(dtype=np.float64))
    different = len(np.unique(unit, axis=0))
    if not different:
        return np.zeros(0, dtype=np.int64)
    model = KMeans(min(N_GROUPS, different), n_init=1, random_state=0)
    return model.fit_predict(unit).astype(np.int64)


def _microseconds(cutoff: Any) -> Ints:
    return microseconds(pd.Series([as_moment(cutoff, "cutoff")]))


def _check_alpha(alpha: object, n_permutations: int) -> None:
    level = check_positive(alpha, "alpha")
    if level >= 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    if level * (n_permutations + 1) < 1:
        raise ValueError(
            f"alpha={alpha} cannot be reached with {n_permutations} permutations; use at least "
            f"{int(np.ceil(1 / level)) - 1}"
        )
