"""How good predicted tiers are: ordinal metrics with intervals, agreement, calibration.

Chapter: 06 (interest tiers).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from recsys_interest.checks import check_count, shown
from recsys_interest.tier_tables import checked_probabilities, checked_tiers, group_codes

__all__ = ["evaluate_tiers", "tier_agreement", "tier_calibration"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_SMALLEST = float(np.finfo(np.float64).eps)  # scikit-learn clips here, too
_AT_ONCE = 100  # resamples; all of them would fill the memory of a laptop
_HARD = ("macro_f1", "kappa", "mae", "accuracy")
_SOFT = ("log_loss", "brier", "calibration_error")


def evaluate_tiers(
    truth: pd.Series | ArrayLike,
    predicted: Mapping[str, Any] | pd.Series | ArrayLike,
    *,
    probabilities: Mapping[str, Any] | None = None,
    reference: str | None = None,
    groups: pd.Series | ArrayLike | None = None,
    n_boot: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> pd.DataFrame:
    r"""Measure predicted tiers against true ones, several methods on the same users.

    With :math:`t_i` the true and :math:`\hat t_i` the predicted tier of :math:`n` users,
    :math:`O_{ab}` the share of users with :math:`t = a, \hat t = b`, :math:`E_{ab}` the product of
    the two margins of :math:`O`, and :math:`p_{ik}` the predicted probability of tier :math:`k`:

    .. math::
        \mathrm{macro\_f1} &= \frac{1}{K} \sum_k
            \frac{2\, O_{kk}}{\sum_b O_{kb} + \sum_a O_{ak}} \qquad
        \mathrm{kappa} = 1 - \frac{\sum_{ab} (a - b)^2 O_{ab}}{\sum_{ab} (a - b)^2 E_{ab}} \\
        \mathrm{mae} &= \frac{1}{n} \sum_i \lvert t_i - \hat t_i \rvert \qquad
        \mathrm{accuracy} = \sum_k O_{kk} \\
        \mathrm{log\_loss} &= -\frac{1}{n} \sum_i \log p_{i t_i} \qquad
        \mathrm{brier} = \frac{1}{n} \sum_i \sum_k (p_{ik} - [t_i = k])^2

    The mean of the F1 is over the tiers that occur in either; a tier never predicted has 0. Kappa
    has quadratic weights, so that an error of two tiers counts four times an error of one.
    ``calibration_error`` is the expected calibration error of the most probable tier in ten bins
    of equal width: the mean distance between stated probability and share of hits.

    Parameters
    ----------
    truth : Series or array of whole numbers, shape (n,)
        The true tiers.
    predicted : mapping of name to tiers, or the tiers of one method
        Series are matched to a Series `truth` by their index, arrays by position. One method given
        alone is called ``predicted``.
    probabilities : mapping of name to DataFrame of shape (n, n_tiers), optional
        Probabilities of a method in `predicted`, columns the tiers (or ``tier_<tier>``); a tier
        without a column has probability 0, which the log loss clips at 2.2e-16 as scikit-learn.
    reference : str, optional
        Also measure how much better than this method every other one is, on the same resamples.
    groups : Series or array of shape (n,), optional
        Whom a row belongs to, where one user has several: whole groups are resampled.
    n_boot : int, default 1000
        Number of bootstrap samples; 0 leaves the intervals NaN.
    random_state : int, RandomState or None, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame of float64
        Indexed by `method` and `metric`: `value`, and `ci_low` and `ci_high`, its 95 % percentile
        bootstrap interval over users; with `reference` also `difference` (value minus that of the
        reference), `difference_low` and `difference_high`.

    Raises
    ------
    TypeError
        If tiers are not whole numbers.
    ValueError
        If lengths or indexes differ, nothing is given, or a row of probabilities does not sum to 1.

    Notes
    -----
    Chapter 06, "Interest tiers". Kappa after Cohen (1968), doi:10.1037/h0026256. It is NaN where
    truth and prediction are one and the same constant.

    Rows: T01, T03.

    Examples
    --------
    >>> methods = {"model": [0, 1, 2, 1], "zero": [0, 0, 0, 0]}
    >>> found = evaluate_tiers([0, 1, 2, 2], methods, n_boot=0)["value"]
    >>> found.unstack().round(2)[["macro_f1", "kappa", "mae"]]
    metric  macro_f1  kappa   mae
    method
    model       0.78    0.8  0.25
    zero        0.13    0.0  1.25
    """
    if isinstance(truth, pd.Series):
        truth = truth.sort_index()  # the resamples must not depend on the order of the rows
    true, index = checked_tiers(truth, None, "truth")
    given = predicted if isinstance(predicted, Mapping) else {"predicted": predicted}
    found = {
        name: checked_tiers(p, index, f"predicted[{name!r}]", len(true))[0]
        for name, p in given.items()
    }
    if not len(true) or not found:
        raise ValueError("there is nothing to measure; pass at least one user and one method")
    if reference is not None and reference not in found:
        raise ValueError(f"reference={reference!r} is not among the methods: {shown(found)}")
    strange = set(probabilities or {}) - set(found)
    if strange:
        raise ValueError(f"probabilities of methods without predictions: {shown(sorted(strange))}")
    measures = {name: _Measure(true, tiers) for name, tiers in found.items()}
    for name, table in (probabilities or {}).items():
        measures[name].add(checked_probabilities(table, index, true, name))
    codes = group_codes(groups, index, len(true))
    values, draws = _bootstrap(measures, codes, n_boot, random_state)
    return _table(values, draws, reference)


class _Measure:
    """The metrics of one method as a function of how often every user counts."""

    def __init__(self, true: Ints, tiers: Ints, power: int = 2) -> None:
        self.true, self.power = true, power
        self.levels = np.union1d(true, tiers)
        k = len(self.levels)
        self.cell = np.searchsorted(self.levels, true) * k + np.searchsorted(self.levels, tiers)
        self.per_user: dict[str, Floats] = {}
        self.bins: tuple[Ints, Floats] | None = None

    def add(self, p: tuple[Floats, Ints]) -> None:
        chances, levels = p
        hit = (self.true[:, None] == levels[None, :]).astype(np.float64)
        own = (chances * hit).sum(axis=1)
        self.per_user["log_loss"] = -np.log(np.clip(own, _SMALLEST, 1.0))
        self.per_user["brier"] = ((chances - hit) ** 2).sum(axis=1)
        top = chances.argmax(axis=1)
        sure = chances[np.arange(len(top)), top]
        gap = sure - hit[np.arange(len(top)), top]
        self.bins = np.minimum((sure * 10).astype(np.int64), 9), gap

    def of(self, weights: Floats) -> dict[str, Floats]:
        k = len(self.levels)
        cells = _sums(self.cell, weights, k * k).reshape(-1, k, k)
        size = weights.sum(axis=1)
        apart = np.abs(self.levels[:, None] - self.levels[None, :]).astype(np.float64)
        right = cells[:, np.arange(k), np.arange(k)]
        margins = cells.sum(axis=2), cells.sum(axis=1)
        both = margins[0] + margins[1]
        chance = margins[0][:, :, None] * margins[1][:, None, :] / size[:, None, None]
        observed, expected = ((c * apart**self.power).sum(axis=(1, 2)) for c in (cells, chance))
        with np.errstate(invalid="ignore", divide="ignore"):
            kappa = np.where(expected > 0, 1 - observed / expected, np.nan)
        out = {
            "macro_f1": (2 * right / np.where(both > 0, both, 1)).mean(axis=1),
            "kappa": kappa,
            "mae": (cells * apart).sum(axis=(1, 2)) / size,
            "accuracy": right.sum(axis=1) / size,
        }
        for name, values in self.per_user.items():
            out[name] = weights @ values / size
        if self.bins is not None:
            code, gap = self.bins
            out["calibration_error"] = np.abs(_sums(code, weights * gap, 10)).sum(axis=1) / size
        return out


def _sums(code: Ints, weights: Floats, size: int) -> Floats:
    """Return for every row of weights their sum by code, shape (n_rows, size)."""
    return np.stack([np.bincount(code, weights=row, minlength=size) for row in weights])


def _bootstrap(
    measures: dict[str, _Measure],
    codes: Ints,
    n_boot: int,
    random_state: int | np.random.RandomState | None,
) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, Floats]]]:
    """Return the metrics of every method, once on all rows and once for each resample."""
    check_count(n_boot, "n_boot", least=0)
    rng = check_random_state(random_state)
    whole = np.ones((1, len(codes)))
    values = {
        name: {k: float(v[0]) for k, v in m.of(whole).items()} for name, m in measures.items()
    }
    n = int(codes.max()) + 1
    parts: dict[str, list[dict[str, Floats]]] = {name: [] for name in measures}
    for begin in range(0, n_boot, _AT_ONCE):
        count = min(_AT_ONCE, n_boot - begin)
        times = [np.bincount(rng.randint(n, size=n), minlength=n)[codes] for _ in range(count)]
        weights = np.array(times, dtype=np.float64)
        for name, measure in measures.items():
            parts[name].append(measure.of(weights))
    draws = {
        name: {k: np.concatenate([np.empty(0), *(b[k] for b in blocks)]) for k in values[name]}
        for name, blocks in parts.items()
    }
    return values, draws


def _table(
    values: dict[str, dict[str, float]], draws: dict[str, dict[str, Floats]], reference: str | None
) -> pd.DataFrame:
    rows = {}
    for name, metrics in values.items():
        for metric in (m for m in (*_HARD, *_SOFT) if m in metrics):
            low, high = _interval(draws[name][metric])
            row = {"value": metrics[metric], "ci_low": low, "ci_high": high}
            if reference is not None:
                other = values[reference].get(metric, np.nan)
                apart = draws[name][metric] - draws[reference].get(metric, np.nan)
                row["difference"] = metrics[metric] - other
                row["difference_low"], row["difference_high"] = _interval(apart)
            rows[name, metric] = row
    out = pd.DataFrame.from_dict(rows, orient="index").astype(np.float64)
    out.index = pd.MultiIndex.from_tuples(out.index, names=["method", "metric"])
    return out


def _interval(draws: Floats) -> tuple[float, float]:
    # A resample in which a metric does not exist says nothing about its spread.
    there = draws[np.isfinite(draws)]
    if not len(there):
        return np.nan, np.nan
    low, high = np.percentile(there, [2.5, 97.5])
    return float(low), float(high)


def tier_agreement(
    first: pd.Series,
    second: pd.Series,
    *,
    weights: str = "quadratic",
    n_boot: int = 1000,
    random_state: int | np.random.RandomState | None = 0,
) -> pd.Series:
    """Measure how far two sources of tiers agree beyond chance, on the users both know.

    Parameters
    ----------
    first, second : Series of whole numbers
        Tiers indexed by user, for example from `judge_tiers` and `tier_labels`.
    weights : {"quadratic", "linear"}, default "quadratic"
        How an error grows with the number of tiers it spans, in the weighted kappa.
    n_boot : int, default 1000
        Number of bootstrap samples of users; 0 leaves the interval NaN.
    random_state : int, RandomState or None, default 0
        Seed of the bootstrap.

    Returns
    -------
    Series of float64
        `kappa`, `ci_low`, `ci_high`, `agreement` (share of equal tiers) and `n_users`.

    Raises
    ------
    TypeError
        If an argument is not a Series of whole numbers.
    ValueError
        If no user is in both, or `weights` is another word.

    Notes
    -----
    Chapter 06, "Interest tiers"; see `evaluate_tiers` for the formula.

    Rows: T06.

    Examples
    --------
    >>> import pandas as pd
    >>> one, other = pd.Series([0, 1, 2, 2]), pd.Series([0, 1, 1, 2])
    >>> tier_agreement(one, other, n_boot=0)[["kappa", "agreement"]].round(2).to_dict()
    {'kappa': 0.8, 'agreement': 0.75}
    """
    if not (isinstance(first, pd.Series) and isinstance(second, pd.Series)):
        raise TypeError("first and second must be Series of tiers, indexed by user")
    if weights not in ("quadratic", "linear"):
        raise ValueError(f"weights must be 'quadratic' or 'linear', got {weights!r}")
    both = first.index.intersection(second.index).sort_values()
    if both.empty:
        raise ValueError("first and second have no user in common; index both by user id")
    (one, _), (other, _) = (
        checked_tiers(first, both, "first"),
        checked_tiers(second, both, "second"),
    )
    measures = {"": _Measure(one, other, power=1 if weights == "linear" else 2)}
    values, draws = _bootstrap(measures, np.arange(len(one)), n_boot, random_state)
    low, high = _interval(draws[""]["kappa"])
    found = {"kappa": values[""]["kappa"], "ci_low": low, "ci_high": high}
    return pd.Series({**found, "agreement": values[""]["accuracy"], "n_users": float(len(one))})


def tier_calibration(
    truth: pd.Series | ArrayLike, probabilities: pd.DataFrame, *, n_bins: int = 10
) -> pd.DataFrame:
    """Compare stated probabilities with what happened: the numbers of a reliability diagram.

    Parameters
    ----------
    truth : Series or array of whole numbers, shape (n,)
        The true tiers.
    probabilities : DataFrame of shape (n, n_tiers)
        Columns the tiers (or ``tier_<tier>``); matched to a Series `truth` by index.
    n_bins : int, default 10
        Bins of equal width between 0 and 1.

    Returns
    -------
    DataFrame
        One row for every tier and bin with a user in it, indexed by `tier` and `bin`: `stated`
        (mean probability), `happened` (share of these users who are in the tier), `n_users`.

    Raises
    ------
    TypeError, ValueError
        As `evaluate_tiers`.

    Notes
    -----
    Chapter 06, "Interest tiers".

    Examples
    --------
    >>> import pandas as pd
    >>> stated = pd.DataFrame({0: [0.9, 0.8, 0.3], 1: [0.1, 0.2, 0.7]})
    >>> tier_calibration([0, 0, 1], stated, n_bins=2).loc[1]
         stated  happened  n_users
    bin
    0      0.15       0.0        2
    1      0.70       1.0        1
    """
    check_count(n_bins, "n_bins")
    true, index = checked_tiers(truth, None, "truth")
    chances, levels = checked_probabilities(probabilities, index, true, "probabilities")
    rows = pd.DataFrame(
        {
            "tier": np.repeat(levels, len(true)),
            "stated": chances.T.ravel(),
            "happened": (true[None, :] == levels[:, None]).astype(np.float64).ravel(),
        }
    )
    rows["bin"] = np.minimum((rows["stated"] * n_bins).astype(np.int64), n_bins - 1)
    grouped = rows.groupby(["tier", "bin"])
    return grouped[["stated", "happened"]].mean().assign(n_users=grouped.size())
