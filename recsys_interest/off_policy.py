"""What another policy would have earned, estimated from clicks that an old one collected.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import (
    as_numbers,
    canonical_ids,
    check_count,
    check_frame,
    check_positive,
    shown,
)
from recsys_interest.resampling import Seed, interval, times_drawn

__all__ = ["off_policy_value"]

Floats = NDArray[np.float64]


def off_policy_value(
    logged: pd.DataFrame,
    *,
    max_weight: float | None = None,
    n_boot: int = 1000,
    random_state: Seed = 0,
) -> pd.DataFrame:
    r"""Estimate the mean reward of a target policy from what a logging policy showed.

    In row :math:`t` the logging policy showed an item with the known probability :math:`b_t`, and
    earned the reward :math:`r_t`; the target policy would have shown it with the probability
    :math:`\pi_t`. With :math:`w_t = \pi_t / b_t`,

    .. math::
        \mathrm{logged} = \frac{1}{T} \sum_t r_t \qquad
        \mathrm{replay} = \frac{\sum_t \pi_t\, r_t}{\sum_t \pi_t} \qquad
        \mathrm{ips} = \frac{1}{T} \sum_t w_t\, r_t \qquad
        \mathrm{snips} = \frac{\sum_t w_t\, r_t}{\sum_t w_t}

    ``logged`` is the value of the logging policy. ``replay`` looks only where the target policy
    agrees; it is right if the old policy chose with equal chances, and takes the old one's
    preferences over if it did not. ``ips`` (inverse propensity scores) has the right mean wherever
    :math:`b > 0` for all that :math:`\pi` would show:

    .. math:: \mathbb{E}[w\, r] = \sum_a b(a)\, \frac{\pi(a)}{b(a)}\, \mathbb{E}[r \mid a]
              = \sum_a \pi(a)\, \mathbb{E}[r \mid a]

    ``snips`` divides by the weights instead of their expected sum: a little bias, which vanishes
    with :math:`T`, for a smaller variance.

    Parameters
    ----------
    logged : DataFrame
        One row for each item that was shown: `reward` (a finite number, for example 1 for a click),
        `propensity` (:math:`b_t`, above 0, at most 1) and `target` (:math:`\pi_t`, from 0 to 1).
        With `user_id`, users are resampled and not rows, because rows of one user are alike.
    max_weight : float, optional
        Cut the weights there: less variance, and a bias towards too little.
    n_boot : int, default 1000
        Number of bootstrap samples; 0 leaves the intervals NaN.
    random_state : int, RandomState or None, default 0
        Seed of the bootstrap.

    Returns
    -------
    DataFrame of float64
        Index `estimator` (``logged``, ``replay``, ``ips``, ``snips``), columns `value`, `ci_low`,
        `ci_high` (95 % percentile interval), and `n_effective`, :math:`(\sum w)^2 / \sum w^2`: so
        many rows of equal weight say as much. An estimator is NaN where the target policy would
        have shown nothing of what was shown.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), there are no rows, or a number is outside its
        range.

    Notes
    -----
    Chapter 12, "Measuring recommendations". This is a proxy: it is right about the reward that was
    logged, by users whom the lists did not change, and only if the propensities are true. Replay:
    Li et al. (2011), doi:10.1145/1935826.1935878; the self-normalised estimator: Swaminathan and
    Joachims (2015), "The self-normalized estimator for counterfactual learning".

    Rows: M06, U08.

    Examples
    --------
    The old policy shows item a (worth 1) nine times in ten, item b (worth 0) once; the new one
    throws a coin.

    >>> import pandas as pd
    >>> log = pd.DataFrame({"reward": [1.0] * 9 + [0.0], "propensity": [0.9] * 9 + [0.1],
    ...                     "target": 0.5})
    >>> off_policy_value(log, n_boot=0)["value"].round(2).to_dict()
    {'logged': 0.9, 'replay': 0.9, 'ips': 0.5, 'snips': 0.5}
    """
    n_boot = check_count(n_boot, "n_boot", 0)
    user, (reward, propensity, target) = _users(logged), _columns(logged)
    # A sum of floats depends on their order, the estimate must not.
    order = np.lexsort((target, propensity, reward, user))
    user = user[order]
    reward, propensity, target = (x[order] for x in (reward, propensity, target))
    with np.errstate(over="ignore", invalid="ignore"):
        weight = target / propensity
        if max_weight is not None:
            weight = np.minimum(weight, check_positive(max_weight, "max_weight"))
        terms = np.column_stack(
            [np.ones(len(reward)), reward, target, target * reward, weight, weight * reward]
        )
        total, squares = terms.sum(axis=0), (terms[:, [2, 4]] ** 2).sum(axis=0)
    if not np.isfinite([*total, *squares]).all():
        raise ValueError(
            f"logged cannot be added up: its rewards reach {np.abs(reward).max():g}, its weights "
            f"(target / propensity) {weight.max():g}; scale the rewards, or give max_weight"
        )
    sums = np.column_stack([np.bincount(user, weights=t) for t in terms.T])
    value = _values(total[None, :])[0]
    drawn = [times @ sums for times in times_drawn(len(sums), n_boot, random_state)]
    low, high = interval(_values(np.array(drawn).reshape(-1, terms.shape[1])))
    return pd.DataFrame(
        {
            "value": value,
            "ci_low": low,
            "ci_high": high,
            "n_effective": _effective(total, squares),
        },
        index=pd.Index(["logged", "replay", "ips", "snips"], name="estimator"),
    )


def _values(sums: Floats) -> Floats:
    rows, reward, target, targeted, weight, weighted = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        found = [
            reward / rows,
            targeted / target,
            np.where(weight > 0, weighted / rows, np.nan),
            weighted / weight,
        ]
    return np.column_stack(found)


def _effective(sums: Floats, squares: Floats) -> Floats:
    rows, _, target, _, weight, _ = sums
    total = np.array([rows, target, weight, weight])
    square = np.array([rows, squares[0], squares[1], squares[1]])
    return np.divide(total**2, square, out=np.zeros(4), where=square > 0)


def _users(logged: pd.DataFrame) -> NDArray[np.intp]:
    """Return the number of each row's user; without users, every row is one."""
    table = check_frame(logged, "logged", ("reward", "propensity", "target"))
    if table.empty:
        raise ValueError("logged has no rows; an estimate needs at least one shown item")
    if "user_id" not in table:
        return np.arange(len(table))
    users = canonical_ids(table["user_id"].reset_index(drop=True), "logged.user_id")
    return pd.factorize(users, sort=True)[0]


def _columns(table: pd.DataFrame) -> tuple[Floats, Floats, Floats]:
    out = []
    for name, least in (("reward", -np.inf), ("propensity", 0.0), ("target", 0.0)):
        given = table[name]
        if pd.api.types.is_bool_dtype(given.dtype):  # clicked or not
            given = given.astype("float64")
        numbers = as_numbers(given).to_numpy()
        most = np.inf if name == "reward" else 1.0
        good = np.isfinite(numbers) & (numbers >= least) & (numbers <= most)
        if name == "propensity":
            good &= numbers > 0
        if not good.all():
            span = {"reward": "finite", "propensity": "above 0, at most 1", "target": "from 0 to 1"}
            raise ValueError(
                f"logged.{name} must be {span[name]}, it holds {shown(table.loc[~good, name])}"
            )
        out.append(numbers)
    return out[0], out[1], out[2]
