"""Find out what users like by offering it: a bandit over interests, and a world to try it in.

Chapter: 14 (dynamic interests).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from recsys_interest.bandit_rules import SelectionRule, ThompsonSampling
from recsys_interest.checks import (
    SchemaError,
    as_numbers,
    canonical_ids,
    check_as_earlier,
    check_count,
    check_frame,
    check_positive,
    check_same_ids,
    given_ids,
    shown,
)

__all__ = ["InterestBandit", "simulate_regret"]

Floats = NDArray[np.float64]


class InterestBandit(BaseEstimator):
    r"""Choose which interest to recommend from next, and learn from the answer.

    For every user (or tier, or cluster: whatever the key stands for) and interest, the rate of
    positive answers is believed to be :math:`\mathrm{Beta}(a, b)`. After an answer
    :math:`r \in \{0, 1\}` to an offer of interest :math:`j`,

    .. math:: a_j \leftarrow \gamma a_j + (1 - \gamma) a_0 + r, \qquad
              b_j \leftarrow \gamma b_j + (1 - \gamma) b_0 + 1 - r .

    With :math:`\gamma = 1` this is Bayes' rule. With :math:`\gamma < 1` old answers fade with each
    answer of the user, for all interests alike, so that an interest that was given up long ago is
    tried again: interests drift.

    Parameters
    ----------
    interests : sequence of str or int
        The arms; at least two different ones.
    rule : SelectionRule, optional
        How to choose; `ThompsonSampling` by default.
    prior : tuple of two floats, default (1.0, 9.0)
        :math:`a_0` and :math:`b_0`, both above 0: what is believed of everybody before any answer,
        by default that one offer in ten is answered. A prior far above the usual rate makes every
        rule try all arms for long, even the greedy one.
    discount : float, default 1.0
        :math:`\gamma`, above 0 and at most 1.
    max_users : int, default 1,000,000
        Most users to remember; the one who answered longest ago is forgotten first.
    random_state : int, RandomState or None, default None
        Seed of the choices.

    Attributes
    ----------
    beliefs_ : DataFrame
        One row for each user and interest, sorted: `user_id, interest, a, b, mean`.

    Notes
    -----
    Chapter 14, "Dynamic interests". To share experience between users, give their cluster or tier
    in the place of the user id. The discounted rule is that of Raj and Kalyani (2017),
    arXiv:1707.09727.

    Rows: R09, U07, U09.

    Examples
    --------
    >>> import pandas as pd
    >>> bandit = InterestBandit(["garden", "jazz"], random_state=0)
    >>> answers = pd.DataFrame({"user_id": "ann", "interest": ["jazz"] * 9 + ["garden"] * 3,
    ...                         "reward": [1] * 9 + [0] * 3})
    >>> bandit.partial_fit(answers).choose(["ann", "bob"]).loc["ann"]
    'jazz'
    >>> bandit.beliefs_[["interest", "a", "b"]]
      interest     a     b
    0   garden   1.0  12.0
    1     jazz  10.0   9.0
    """

    def __init__(
        self,
        interests: Sequence[Any],
        rule: SelectionRule | None = None,
        prior: tuple[float, float] = (1.0, 9.0),
        *,
        discount: float = 1.0,
        max_users: int = 1_000_000,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.interests = interests
        self.rule = rule
        self.prior = prior
        self.discount = discount
        self.max_users = max_users
        self.random_state = random_state

    def fit(self, answers: pd.DataFrame) -> Self:
        """Begin anew with a table of answers.

        Parameters
        ----------
        answers : DataFrame
            As for `partial_fit`.

        Returns
        -------
        InterestBandit
            This object.
        """
        self._begin()
        return self.partial_fit(answers)

    def partial_fit(self, answers: pd.DataFrame) -> Self:
        """Learn from answers, in the order of the rows.

        Parameters
        ----------
        answers : DataFrame
            `user_id`, `interest`, and `reward`: 1 for a positive answer, 0 for none.

        Returns
        -------
        InterestBandit
            This object.

        Raises
        ------
        TypeError
            If something is of the wrong kind.
        ValueError
            If a column is missing, an interest is unknown, or a reward is neither 0 nor 1; then
            nothing was learned.
        """
        if not self.__sklearn_is_fitted__():
            self._begin()
        self._learn(*self._checked_answers(answers))
        return self

    def _learn(self, users: list[Any], arms: list[int], rewards: list[bool]) -> None:
        for user, arm, reward in zip(users, arms, rewards, strict=True):
            belief = self._beliefs.pop(user, None)
            if belief is None:
                belief = self._prior.copy()
                if len(self._beliefs) >= self.max_users:
                    del self._beliefs[next(iter(self._beliefs))]
            self._beliefs[user] = belief  # now the last to be forgotten
            if self.discount < 1:
                belief *= self.discount
                belief += (1 - self.discount) * self._prior
            belief[0 if reward else 1, arm] += 1

    def choose(self, user_ids: Iterable[Any]) -> pd.Series:
        """Return the interest to offer next to each user.

        Parameters
        ----------
        user_ids : iterable
            Whom to offer something, known or not.

        Returns
        -------
        Series
            The interest, named `interest`, indexed by `user_id` in the order given.

        Raises
        ------
        TypeError
            If `user_ids` is a single id.
        SchemaError
            If the ids are mixed, or of another kind than those of the answers.
        """
        if not self.__sklearn_is_fitted__():
            self._begin()
        users = self._asked(user_ids)
        index = pd.Index(users, name="user_id", dtype=None if users else "str")
        return pd.Series(self._arms.take(self._offers(users)), index=index, name="interest")

    def _offers(self, users: list[Any]) -> NDArray[np.intp]:
        beliefs = np.array([self._beliefs.get(user, self._prior) for user in users])
        beliefs = beliefs.reshape(-1, 2, len(self._arms))
        return self._rule.values(beliefs[:, 0], beliefs[:, 1], self._rng).argmax(axis=1)

    def forget(self, user_ids: Iterable[Any]) -> Self:
        """Remove what is believed of some users.

        Parameters
        ----------
        user_ids : iterable
            Whom to forget; who never answered is no error.

        Returns
        -------
        InterestBandit
            This object.

        Raises
        ------
        TypeError, SchemaError
            As `choose`.
        """
        check_is_fitted(self)
        for user in self._asked(user_ids):
            self._beliefs.pop(user, None)
        return self

    @property
    def beliefs_(self) -> pd.DataFrame:
        """What is believed of everybody who answered."""
        check_is_fitted(self)
        users = sorted(self._beliefs)
        a, b = (
            np.array([self._beliefs[u] for u in users])
            .reshape(-1, 2, len(self._arms))
            .swapaxes(0, 1)
        )
        names = pd.Index(users, dtype=None if users else "str").repeat(len(self._arms))
        table = {"user_id": names, "interest": np.tile(self._arms, len(users))}
        found = pd.DataFrame({**table, "a": a.ravel(), "b": b.ravel()})
        found["mean"] = found["a"] / (found["a"] + found["b"])
        return found.sort_values(["user_id", "interest"], ignore_index=True)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_beliefs")

    def _begin(self) -> None:
        arms = given_ids(self.interests, "interests")
        if len(arms) < 2 or arms.duplicated().any():
            raise ValueError(
                f"interests must be at least two different ones, got {shown(arms.tolist())}"
            )
        if not isinstance(self.prior, Sequence) or len(self.prior) != 2:
            raise ValueError(f"prior must be two numbers, got {self.prior!r}")
        first, second = (check_positive(p, "prior") for p in self.prior)
        if check_positive(self.discount, "discount") > 1:
            raise ValueError(f"discount must be above 0 and at most 1, got {self.discount}")
        check_count(self.max_users, "max_users")
        rule = ThompsonSampling() if self.rule is None else self.rule
        if isinstance(rule, type) or not callable(getattr(rule, "values", None)):
            raise TypeError(f"rule must be an object like ThompsonSampling(), got {rule!r}")
        self._rule = rule
        self._arms = pd.Index(arms)
        self._prior = np.repeat([[first], [second]], len(arms), axis=1)
        self._rng = check_random_state(self.random_state)
        self._beliefs: dict[Any, Floats] = {}

    def _asked(self, user_ids: Iterable[Any]) -> list[Any]:
        users = given_ids(user_ids, "user_ids")
        check_as_earlier(users, self._beliefs, "user_ids")
        return users.tolist()

    def _checked_answers(self, answers: pd.DataFrame) -> tuple[list[Any], list[int], list[bool]]:
        table = check_frame(answers, "answers", ("user_id", "interest", "reward"))
        if table.empty:
            return [], [], []
        users = canonical_ids(table["user_id"], "answers.user_id")
        interests = canonical_ids(table["interest"], "answers.interest")
        check_same_ids(interests, self._arms.to_series(), "answers.interest", "interests")
        check_as_earlier(users, self._beliefs, "answers.user_id")
        arms = self._arms.get_indexer(interests)
        if (arms < 0).any():
            raise SchemaError(
                f"answers.interest holds unknown ones: {shown(interests[arms < 0])}; there are "
                f"{shown(self._arms, 12)}"
            )
        given = table["reward"]
        rewards = as_numbers(given.astype("int64") if given.dtype == bool else given)
        odd = ~rewards.isin([0, 1])
        if odd.any():
            raise SchemaError(
                f"answers.reward must be 0 or 1, it holds {shown(given[odd])}; decide "
                f"from which value on an answer is positive"
            )
        return users.tolist(), arms.tolist(), (rewards == 1).tolist()


def simulate_regret(
    bandit: InterestBandit,
    truth: pd.DataFrame,
    n_rounds: int,
    *,
    later: pd.DataFrame | None = None,
    random_state: int | np.random.RandomState | None = 0,
) -> pd.DataFrame:
    r"""Let a bandit recommend to users whose taste is known, and count what it misses.

    .. math:: \mathrm{regret}_t = \frac{1}{n} \sum_u \bigl(\max_j \theta_{uj} - \theta_{u j_t(u)}
              \bigr)

    with :math:`\theta_{uj}` the true rate of positive answers of user :math:`u` to interest
    :math:`j`, and :math:`j_t(u)` what was offered in round :math:`t`. It is 0 for who knows the
    truth, whatever luck decides about single answers.

    Parameters
    ----------
    bandit : InterestBandit
        Cloned and begun anew; its `interests` are the columns of `truth`, in any order.
    truth : DataFrame, shape (n_users, n_interests)
        True rates between 0 and 1, indexed by user id.
    n_rounds : int
        Each user gets one offer in each round.
    later : DataFrame, optional
        The rates from the middle of the rounds on: a drift.
    random_state : int, RandomState or None, default 0
        Seed of the answers. All bandits that are given the same one meet the same luck.

    Returns
    -------
    DataFrame
        Indexed by `round` from 1: `regret`, `total_regret` up to then, and `reward`, the mean of
        the answers.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a rate is not between 0 and 1, or the tables or the bandit do not fit each other.

    Notes
    -----
    Chapter 14, "Dynamic interests".

    Rows: R09, U09.

    Examples
    --------
    >>> import pandas as pd
    >>> truth = pd.DataFrame({"garden": [0.9, 0.1], "jazz": [0.1, 0.9]}, index=["ann", "bob"])
    >>> found = simulate_regret(InterestBandit(["garden", "jazz"], random_state=0), truth, 100)
    >>> bool(found["regret"].tail(50).mean() < found["regret"].head(10).mean())
    True
    """
    rates = _rates(truth, "truth")
    after = rates if later is None else _rates(later, "later")
    if not (after.index.equals(rates.index) and after.columns.equals(rates.columns)):
        raise ValueError("later must have the rows and columns of truth, in the same order")
    check_count(n_rounds, "n_rounds")
    model: InterestBandit = clone(bandit)
    model._begin()
    if set(model._arms) != set(rates.columns):
        raise ValueError(
            f"the bandit chooses from {shown(model._arms, 12)}, the columns of truth are "
            f"{shown(rates.columns, 12)}"
        )
    rng = check_random_state(random_state)
    regret, reward = np.empty(n_rounds), np.empty(n_rounds)
    users, place = rates.index.tolist(), rates.columns.get_indexer(model._arms)
    for turn in range(n_rounds):
        now = (rates if turn < n_rounds // 2 else after).to_numpy()
        luck = rng.random_sample(len(now))
        offers = model._offers(users)
        theirs = now[np.arange(len(now)), place[offers]]
        answers = luck < theirs
        regret[turn], reward[turn] = (now.max(axis=1) - theirs).mean(), answers.mean()
        model._learn(users, offers.tolist(), answers.tolist())
    table = {"regret": regret, "total_regret": regret.cumsum(), "reward": reward}
    return pd.DataFrame(table, index=pd.RangeIndex(1, n_rounds + 1, name="round"))


def _rates(table: pd.DataFrame, name: str) -> pd.DataFrame:
    if not isinstance(table, pd.DataFrame) or table.empty:
        raise TypeError(f"{name} must be a DataFrame of users and interests, got {table!r}")
    rates = table.apply(as_numbers)
    odd = rates.to_numpy()[~((rates >= 0) & (rates <= 1)).to_numpy()]
    if len(odd):
        raise ValueError(f"{name} must hold rates from 0 to 1, it holds {shown(odd.tolist())}")
    if table.index.has_duplicates or table.columns.has_duplicates:
        raise ValueError(f"{name} has a user or an interest twice; keep one each")
    return rates
