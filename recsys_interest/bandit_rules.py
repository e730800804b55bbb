"""How to choose among arms that were tried a few times: four rules for Beta–Bernoulli bandits.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from recsys_interest.checks import check_positive

__all__ = ["EpsilonGreedy", "GreedyRule", "RandomRule", "SelectionRule", "ThompsonSampling"]

Floats = NDArray[np.float64]


class SelectionRule(Protocol):
    """What gives each arm a value, the largest of which is taken."""

    def values(self, a: Floats, b: Floats, rng: np.random.RandomState) -> Floats:
        """Return a value of each arm for each user.

        Parameters
        ----------
        a, b : ndarray of float64, shape (n_users, n_arms)
            The rate of positive answers is believed to be Beta(a, b): what was believed before any
            answer, plus the positive ones in `a` and the others in `b`.
        rng : RandomState
            To draw by.

        Returns
        -------
        ndarray of float64, shape (n_users, n_arms)
            What to compare within a row.
        """


class ThompsonSampling:
    r"""Draw a rate for each arm from what is believed of it, and take the largest.

    .. math:: \theta_j \sim \mathrm{Beta}(a_j, b_j), \qquad j^* = \arg\max_j \theta_j

    So an arm is taken as often as it is believed to be the best one.

    Notes
    -----
    Chapter 14, "Dynamic interests". Thompson (1933), doi:10.1093/biomet/25.3-4.285; its regret is
    logarithmic: Agrawal and Goyal (2012), arXiv:1111.1797.

    Examples
    --------
    >>> import numpy as np
    >>> rule, rng = ThompsonSampling(), np.random.RandomState(0)
    >>> drawn = rule.values(np.full((1000, 1), 90.0), np.full((1000, 1), 10.0), rng)
    >>> drawn.mean().round(1).item()
    0.9
    """

    def __repr__(self) -> str:
        return "ThompsonSampling()"

    def values(self, a: Floats, b: Floats, rng: np.random.RandomState) -> Floats:
        """Draw from the beliefs."""
        return rng.beta(a, b)


class GreedyRule:
    """Take the arm with the largest mean so far; of equal ones any.

    Notes
    -----
    Chapter 14, "Dynamic interests". It may never find out that another arm is better.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.array([[2.0, 1.0]]), np.array([[1.0, 2.0]])
    >>> GreedyRule().values(a, b, np.random.RandomState(0)).argmax(axis=1).tolist()
    [0]
    """

    def __repr__(self) -> str:
        return "GreedyRule()"

    def values(self, a: Floats, b: Floats, rng: np.random.RandomState) -> Floats:
        """Return the means, with a tiny random number to decide between equal ones."""
        means: Floats = a / (a + b) + 1e-9 * rng.random_sample(a.shape)
        return means


class EpsilonGreedy(GreedyRule):
    """Take any arm with a small probability, else the best so far.

    Parameters
    ----------
    epsilon : float, default 0.1
        The probability.

    Notes
    -----
    Chapter 14, "Dynamic interests". It never stops to take any arm, so its regret grows for ever.

    Examples
    --------
    >>> import numpy as np
    >>> a, b = np.tile([2.0, 1.0], (1000, 1)), np.tile([1.0, 2.0], (1000, 1))
    >>> taken = EpsilonGreedy(0.2).values(a, b, np.random.RandomState(0)).argmax(axis=1)
    >>> round(taken.mean().item(), 1)
    0.1
    """

    def __init__(self, epsilon: float = 0.1) -> None:
        self.epsilon = check_positive(epsilon, "epsilon", zero=True)
        if self.epsilon > 1:
            raise ValueError(f"epsilon must lie between 0 and 1, got {epsilon}")

    def __repr__(self) -> str:
        return f"EpsilonGreedy({self.epsilon})"

    def values(self, a: Floats, b: Floats, rng: np.random.RandomState) -> Floats:
        """Return the means, or random numbers in some rows."""
        greedy = super().values(a, b, rng)
        explores = rng.random_sample((len(a), 1)) < self.epsilon
        return np.where(explores, rng.random_sample(a.shape), greedy)


class RandomRule:
    """Take any arm.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Examples
    --------
    >>> import numpy as np
    >>> ones = np.ones((4, 2))
    >>> RandomRule().values(ones, ones, np.random.RandomState(0)).shape
    (4, 2)
    """

    def __repr__(self) -> str:
        return "RandomRule()"

    def values(self, a: Floats, b: Floats, rng: np.random.RandomState) -> Floats:
        """Return random numbers."""
        return rng.random_sample(a.shape)
