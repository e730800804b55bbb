"""How many clusters: several criteria in one table, a choice of each, and one recommendation.

Chapter: 09 (Gaussian mixtures), 10 (choosing and naming clusters).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import clone
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.utils import check_random_state
from threadpoolctl import threadpool_limits

from recsys_interest.checks import check_count, shown
from recsys_interest.clusters import InterestClusterer
from recsys_interest.count_criteria import (
    SUBSAMPLE,
    Comparison,
    first_large_gap,
    reference_rows,
    subsamples,
)
from recsys_interest.partitions import count_different
from recsys_interest.reproducible import check_part, content_order, seeded_clone
from recsys_interest.vectors import unit_rows

__all__ = ["CRITERIA", "ClusterCount", "choose_k"]

Array = npt.NDArray[Any]

#: What can be asked for as `rule`.
CRITERIA = ("silhouette", "gap", "bic", "stability", "density")
MOST_CLUSTERS = 30
DIRECTIONS = 20
COLUMNS = {
    "silhouette": ["silhouette"],
    "gap": ["gap", "gap_error"],
    "bic": ["bic"],
    "stability": ["stability", "stability_error"],
    "density": [],
}
_KINDS = {
    "estimator": ("a clusterer", "fit_predict", "sklearn.cluster.KMeans()"),
    "reducer": ("a transformer", "fit_transform", "sklearn.decomposition.PCA(20)"),
    "mixture": ("a mixture", "bic", "sklearn.mixture.GaussianMixture()"),
    "density": ("a clusterer", "fit_predict", "sklearn.cluster.HDBSCAN(copy=True)"),
}


@dataclass(frozen=True, eq=False, repr=False)
class ClusterCount:
    """What `choose_k` found.

    Attributes
    ----------
    table : DataFrame, indexed by k
        `silhouette`, `gap` and `gap_error`, `bic`, `stability` and `stability_error`; NaN where a
        criterion has no value, as the silhouette of one cluster.
    chosen : DataFrame, indexed by criterion
        `k`, missing where a criterion chose none; `at_edge`, True if that is the last k tried, so
        that a larger one may be better; and `how`, in words. The row ``density`` is the number that
        a density method found by itself.
    rule : str
        The criterion whose choice is recommended.
    k : int
        The recommended number of clusters.
    noise_share : float
        Share of the users whom the density method left out; NaN if there was none.
    n_users : int
        Number of users looked at: those with a direction, and at most `max_users`.
    clusterer : InterestClusterer
        Not fitted, with the estimator of the recommended size and the reducer.
    """

    table: pd.DataFrame
    chosen: pd.DataFrame
    rule: str
    k: int
    noise_share: float
    n_users: int
    clusterer: InterestClusterer

    def __repr__(self) -> str:
        others = ", ".join(f"{name} {k}" for name, k in self.chosen["k"].items())
        return f"ClusterCount(k={self.k} by {self.rule}, of {self.n_users:,} users: {others})"


def choose_k(
    vectors: pd.DataFrame | npt.ArrayLike,
    k_values: Iterable[int] | None = None,
    *,
    estimator: Any = None,
    reducer: Any = None,
    mixture: Any = None,
    density: Any = None,
    rule: str = "silhouette",
    criteria: Iterable[str] = CRITERIA,
    n_references: int = 5,
    n_resamples: int = 6,
    max_users: int = 2000,
    random_state: Any = 0,
) -> ClusterCount:
    r"""Score every number of clusters by four criteria that see no label, and recommend one.

    - **Silhouette**: the largest mean of :math:`(b_i - a_i) / \max(a_i, b_i)`, with :math:`a_i` the
      mean distance of user i to its own cluster and :math:`b_i` to the nearest other.
    - **Gap**: the smallest k with
      :math:`\mathrm{Gap}(k) \ge \mathrm{Gap}(k+1) - s_{k+1}`, see `gap_statistic`.
    - **BIC**: the lowest :math:`-2 \log L + p \log n` of a Gaussian mixture with p parameters.
    - **Stability**: the largest mean agreement (adjusted Rand index) of clusterings of random
      samples of 80 % of the users, see `resampled_agreement`.

    And a density method, which takes no k, says how many clusters it finds.

    Parameters
    ----------
    vectors : DataFrame or array of shape (n_users, n_features)
        User vectors, finite, any length. A row of zeros has no direction and is left out.
    k_values : iterable of int, optional
        The numbers to try; by default 1 to 30, or to half the number of different directions.
    estimator : scikit-learn clusterer, mixture or pipeline, optional
        With a parameter `n_clusters` or `n_components`, which is set to every k. Default:
        ``KMeans(n_init=10)``: with fewer starts a worse optimum at one k decides.
    reducer : scikit-learn transformer, optional
        Applied to the unit rows, once. Default: the first 20 principal components, scaled to length
        one; of 20 features or fewer all components, not scaled.
    mixture : GaussianMixture, optional
        Whose BIC is computed. Default: a diagonal covariance per component.
    density : scikit-learn clusterer, optional
        Finds its own number, −1 is noise. Default: HDBSCAN, clusters of at least 1 % of the users.
    rule : {"silhouette", "gap", "bic", "stability", "density"}, default "silhouette"
        Whose choice is recommended. If it has none, that of the first of the others that has one.
    criteria : iterable of str, default all five
        Which to compute: the silhouette alone takes a tenth of the time.
    n_references : int, default 5
        Data sets without clusters, for the gap.
    n_resamples : int, default 6
        Random samples, for the stability.
    max_users : int, default 2000
        Of more users so many are drawn at random: the silhouette needs all pairs.
    random_state : int, RandomState or None, default 0
        Given to every part whose own `random_state` is None.

    Returns
    -------
    ClusterCount
        The table, the choice of every criterion, and the recommendation. If all users have one
        direction, or there is one user, every choice is 1.

    Raises
    ------
    TypeError
        If a part is of the wrong kind, or the estimator takes no number of clusters.
    ValueError
        If the vectors are not finite or all zero, `k_values` is empty, below 1 or above the number
        of different directions, `rule` is unknown, or no criterion chose a number.

    Notes
    -----
    Rousseeuw (1987); Tibshirani, Walther and Hastie (2001); Schwarz (1978); Ben-Hur, Elisseeff and
    Guyon (2002). Chapters 09 and 10; ``python -m benchmarks cluster_count`` prints the errors of
    all criteria against planted numbers. None of them proves that there are clusters at all: the
    silhouette names a k of at least 2 whatever the users, so read the stability at that k, too.

    Scaling the principal components to length one evens out how much each user is of an average
    user. A cluster in the very middle of the others would be scattered by it; where that may be,
    give ``reducer=PCA(20)``.

    Rows: C05, C07, C08.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> rows = np.repeat(np.eye(8)[:4], 30, axis=0) + rng.normal(0, 0.1, (120, 8))
    >>> choice = choose_k(rows, range(1, 8))
    >>> choice.k
    4
    >>> choice.clusterer.fit(rows).n_clusters_
    4
    """
    wanted = _checked_criteria(criteria, rule)
    counts = {"n_references": n_references, "n_resamples": n_resamples, "max_users": max_users}
    for name, number in counts.items():
        check_count(number, name, least=2)
    rng = check_random_state(random_state)
    unit = _drawn(_directions(vectors), max_users, rng)
    ks, different = _checked_ks(k_values, unit)
    given = _parts(unit, different, estimator, reducer, mixture, density)
    seed = int(rng.randint(2**31))
    parts = {name: seeded_clone(part, seed) for name, part in given.items()}
    size_name = _size_name(parts["estimator"])
    if different == 1:
        table = _as_table([{} for _ in ks], ks, wanted)
        everyone = (1, False, "all users have one direction")
        chosen, noise_share = _as_choices(dict.fromkeys(wanted, everyone)), np.nan
    else:
        with threadpool_limits(limits=1, user_api="openmp"), warnings.catch_warnings():
            # Fewer clusters than asked for: the scores say what they are worth.
            warnings.filterwarnings("ignore", "Number of distinct", ConvergenceWarning)
            rows = np.asarray(parts["reducer"].fit_transform(unit), dtype=np.float64)
            comparison = Comparison(
                rows,
                mixture=parts["mixture"],
                references=reference_rows(rows, n_references, rng),
                samples=subsamples(len(rows), n_resamples, rng),
                # A sample may hold fewer than k different directions: then there is no stability.
                most_stable=int(SUBSAMPLE * different) - 1,
                wanted=wanted,
            )
            label = partial(_labels, parts["estimator"], size_name)
            table = _as_table([comparison.scores(k, partial(label, k)) for k in ks], ks, wanted)
            dense = parts["density"].fit_predict(rows) if "density" in wanted else None
        chosen, noise_share = _chosen(table, dense)
    k = _recommended(chosen, [rule, *wanted], ks)
    best = clone(parts["estimator"]).set_params(**{size_name: k})
    # One direction has no principal components.
    clusterer = InterestClusterer(best, None if different == 1 else clone(parts["reducer"]))
    return ClusterCount(table, chosen, rule, k, noise_share, len(unit), clusterer)


def _checked_criteria(criteria: Iterable[str], rule: str) -> list[str]:
    given = [criteria] if isinstance(criteria, str) else list(criteria)
    unknown = [name for name in given if name not in CRITERIA]
    if unknown or not given:
        raise ValueError(f"criteria must be some of {shown(CRITERIA, 5)}, got {shown(unknown)}")
    if rule not in given:
        raise ValueError(f"rule must be one of the criteria {shown(given, 5)}, got {rule!r}")
    return [name for name in CRITERIA if name in given]


def _directions(vectors: object) -> Array:
    """Return the unit rows that are not zero, in an order of their own."""
    try:
        rows = np.array(vectors, dtype=np.float64, order="C")
    except (TypeError, ValueError):
        raise TypeError("vectors must be a table of numbers, one row per user") from None
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"vectors must have rows and columns, they have the shape {rows.shape}")
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if len(bad):
        who = vectors.index[bad] if isinstance(vectors, pd.DataFrame) else bad
        raise ValueError(f"vectors holds NaN or inf in the row(s) {shown(who.tolist())}; drop them")
    unit = unit_rows(rows)
    unit = unit[unit.any(axis=1)]
    if not len(unit):
        raise ValueError("vectors holds nothing but zeros, which have no direction to cluster")
    return unit[content_order(unit)]


def _drawn(unit: Array, most: int, rng: np.random.RandomState) -> Array:
    if len(unit) <= most:
        return unit
    return unit[np.sort(rng.choice(len(unit), most, replace=False))]


def _checked_ks(k_values: Iterable[int] | None, unit: Array) -> tuple[list[int], int]:
    """Return the numbers to try, and how many directions there are, or twice the last number."""
    if k_values is None:
        different = count_different(unit, 2 * MOST_CLUSTERS)
        return list(range(1, min(MOST_CLUSTERS, max(1, different // 2)) + 1)), different
    if not isinstance(k_values, Iterable):
        raise TypeError(
            f"k_values must be several whole numbers, such as range(1, 31), got {k_values!r}"
        )
    ks = sorted({check_count(k, "k_values") for k in k_values})
    if not ks:
        raise ValueError("k_values is empty; for example range(1, 31)")
    different = count_different(unit, 2 * max(ks[-1], MOST_CLUSTERS))
    beyond = [k for k in ks if k > different]
    if beyond:
        raise ValueError(
            f"k_values holds {shown(beyond)}, more than the {different} different direction(s) of "
            f"the users; use {different} at most"
        )
    return ks, different


def _parts(
    unit: Array, different: int, estimator: Any, reducer: Any, mixture: Any, density: Any
) -> dict[str, Any]:
    """Return what the caller put in, checked, and the defaults for the rest."""
    many = unit.shape[1] > DIRECTIONS
    n_directions = min(DIRECTIONS, unit.shape[1], max(1, different - 1))
    least = max(2, min(5, len(unit) // 2), len(unit) // 100)
    principal = PCA(n_directions)
    parts = {
        "estimator": KMeans(n_init=10),
        "reducer": make_pipeline(principal, Normalizer()) if many else principal,
        "mixture": GaussianMixture(covariance_type="diag", max_iter=1000),
        "density": HDBSCAN(min_cluster_size=least, copy=True),
    }
    given = {"estimator": estimator, "reducer": reducer, "mixture": mixture, "density": density}
    for name, part in given.items():
        if part is not None:
            check_part(part, name, *_KINDS[name])
            parts[name] = part
    return parts


def _size_name(model: Any) -> str:
    """Return the name of the parameter that says how many clusters, of a pipeline's last step."""
    prefix, last = "", model
    while hasattr(last, "steps"):
        name, last = last.steps[-1]
        prefix += f"{name}__"
    for name in ("n_clusters", "n_components"):
        if name in last.get_params(deep=False):
            return prefix + name
    raise TypeError(
        f"estimator {type(last).__name__} takes no number of clusters (n_clusters, n_components); "
        f"if it finds its own, give it as density"
    )


def _labels(model: Any, size_name: str, k: int, rows: Array) -> Array:
    return np.asarray(clone(model).set_params(**{size_name: k}).fit_predict(rows))


def _as_table(scores: list[dict[str, float]], ks: list[int], wanted: list[str]) -> pd.DataFrame:
    columns = [column for name in wanted for column in COLUMNS[name]]
    return pd.DataFrame(scores, pd.Index(ks, name="k"), columns, dtype=np.float64)


def _chosen(table: pd.DataFrame, dense: Array | None) -> tuple[pd.DataFrame, float]:
    """Return the choice of every criterion, of equal scores the smaller k, and the noise share."""
    ks = table.index.to_numpy()
    last = int(ks[-1])
    rows: dict[str, tuple[int | None, bool, str]] = {}
    for name, how in (("silhouette", "largest"), ("bic", "lowest"), ("stability", "largest")):
        if name in table:
            k = _first_best(-table[name] if how == "lowest" else table[name])
            rows[name] = (k, k is None or k == last, how)
    if "gap" in table:
        k = first_large_gap(ks, table["gap"].to_numpy(), table["gap_error"].to_numpy())
        rows["gap"] = (k, k is None, "first not below the next by more than its error")
    noise_share = np.nan
    if dense is not None:
        found, noise_share = len(np.unique(dense[dense >= 0])), float(np.mean(dense < 0))
        left_out = f"leaves out {noise_share:.0%} of the users" if found else "no cluster"
        rows["density"] = (found or None, False, left_out)
    return _as_choices({name: rows[name] for name in CRITERIA if name in rows}), noise_share


def _as_choices(rows: dict[str, tuple[int | None, bool, str]]) -> pd.DataFrame:
    chosen = pd.DataFrame.from_dict(rows, orient="index", columns=["k", "at_edge", "how"])
    return chosen.rename_axis("criterion").astype({"k": "Int64", "at_edge": bool})


def _recommended(chosen: pd.DataFrame, order: list[str], ks: list[int]) -> int:
    there = chosen.loc[order, "k"].dropna()
    if there.empty:
        raise ValueError(
            f"no criterion ({shown(chosen.index, 5)}) chose a number from k_values {ks[0]} to "
            f"{ks[-1]}; try more of both"
        )
    return int(there.iloc[0])


def _first_best(scores: pd.Series) -> int | None:
    return None if scores.isna().all() else int(scores.idxmax())
