"""How an item that nobody likes yet, or few, gets its column of weights from its text.

Chapter: 13 (cold start).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, reduce
from operator import matmul
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve

from recsys_interest.checks import check_positive, shown
from recsys_interest.likes import Doubles
from recsys_interest.linear_forms import DenseForm, LowRankForm
from recsys_interest.nearest_neighbours import nearest_rows
from recsys_interest.recommender import Floats

__all__ = ["ColdRule", "Shares", "TextPairs", "between", "shares_of", "with_cold"]

_KINDS = ("gram", "ridge", "kernel", "smoothing", "neighbours")
_KERNEL_PENALTY = 0.3  # against the 1 that the kernel gives to equal texts


@dataclass(frozen=True)
class ColdRule:
    r"""How an item that nobody likes, or a new one that few like, gets its column of weights.

    Parameters
    ----------
    kind : {"gram", "ridge", "kernel", "smoothing", "neighbours"}
        ``"gram"`` leaves the column of the closed form. ``"ridge"`` is a ridge regression of the
        columns of the liked items on their texts. ``"kernel"`` is one with the kernel
        :math:`e^{\gamma (\cos - 1)}`, which may bend. ``"smoothing"`` is the mean of the columns of
        the liked items whose texts are nearest, each with its cosine as the weight;
        ``"neighbours"`` are these cosines themselves, as in `TextKNNRecommender`.
    setting : float, default 0.0
        The penalty of the ridge regression, or :math:`\gamma`, above 0; or the number of nearest
        items.
    own : float, default 0.0
        What the kernel's columns count for liking the item itself, at least 0: a like of an item
        of the same text then counts beside what goes with it. Above 0 for the dense form only.
    scale : float, default 1.0
        What the columns are multiplied with, above 0. It leaves the order of these items among
        themselves, and says how they stand to the others in one list.
    worth : float, default 0.0
        How many likes the text of a *new* item is worth, at least 0; who is new must be said, see
        `TextInformedRecommender`. With :math:`n` likes, its own column of the closed form and the
        one of its text, not scaled, count as :math:`n` to `worth`. At 0 the first like hands over
        to the closed form. Not for ``"gram"``.

    Raises
    ------
    ValueError
        If there is no such kind, or the setting does not fit it.

    Notes
    -----
    Chapter 13, "Cold start".

    Examples
    --------
    >>> ColdRule("ridge", 3.0)
    ColdRule(kind='ridge', setting=3.0, own=0.0, scale=1.0, worth=0.0)
    """

    kind: str
    setting: float = 0.0
    own: float = 0.0
    scale: float = 1.0
    worth: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"kind must be one of {shown(_KINDS)}, got {self.kind!r}")
        if self.kind in ("ridge", "kernel"):
            check_positive(self.setting, "setting")
        elif self.kind != "gram" and (self.setting < 1 or self.setting != round(self.setting)):
            raise ValueError(f"setting must be a whole number from 1 on, got {self.setting!r}")
        check_positive(self.own, "own", zero=True)
        check_positive(self.scale, "scale")
        if self.own and self.kind != "kernel":
            raise ValueError(f"own is of the kind 'kernel' only, got it with {self.kind!r}")
        check_positive(self.worth, "worth", zero=True)
        if self.worth and self.kind == "gram":
            raise ValueError("worth is not of the kind 'gram', which has no column of text alone")

    @property
    def needs_likes(self) -> bool:
        """Whether the columns count the item itself, which the low-rank form cannot hold."""
        return self.own > 0 or self.kind == "neighbours"


@dataclass(frozen=True)
class Shares:
    """New columns as sums of those of warm items; the table of shares is a product of factors.

    Parameters
    ----------
    factors : tuple of arrays
        Their product has a row for each new and a column for each warm item.
    columns, likes : float
        How much what is summed counts of the columns of the warm items, and of the items
        themselves as something liked.
    """

    factors: tuple[Any, ...]
    columns: float
    likes: float

    def made(self, columns: Floats, warm: NDArray[np.bool_]) -> Floats:
        """Return the new columns, one row each, from those of all items."""
        if not self.likes:
            return self.columns * self._times(columns[warm])
        shares = reduce(matmul, self.factors)
        shares = shares.toarray() if sparse.issparse(shares) else shares
        out = np.zeros((len(shares), len(warm)), dtype=columns.dtype)
        if self.columns:
            out += self.columns * (shares @ columns[warm])
        out[:, warm] += self.likes * shares
        return out

    def scores(self, by_columns: Floats, by_likes: Floats) -> Floats:
        """Return users' scores of the new items from those of warm items and likes of them."""
        parts = ((self.columns, by_columns), (self.likes, by_likes))
        used = [table * by_columns.dtype.type(weight) for weight, table in parts if weight]
        return np.ascontiguousarray(self._times(sum(used[1:], used[0]).T).T)

    def _times(self, table: Floats) -> Floats:
        for factor in reversed(self.factors):
            table = factor @ table
        return np.asarray(table)


class TextPairs:
    """The texts of the cold and the warm items and their products, each made once.

    Parameters
    ----------
    text : ndarray of float32 or float64, shape (n_items, n_features)
        Vectors of length one.
    cold, warm : ndarray of bool, shape (n_items,)
        For which items, from which items.
    """

    def __init__(self, text: Floats, cold: NDArray[np.bool_], warm: NDArray[np.bool_]) -> None:
        self.new, self.known = text[cold], text[warm]

    @cached_property
    def within(self) -> Floats:
        """The cosines among the warm items."""
        return self.known @ self.known.T

    @cached_property
    def across(self) -> Floats:
        """The cosines of each cold item (row) to the warm ones."""
        return self.new @ self.known.T

    @cached_property
    def features(self) -> Floats:
        """The products of the features over the warm items."""
        return self.known.T @ self.known


def shares_of(rule: ColdRule, pairs: TextPairs) -> Shares:
    """Return what the columns of the cold items are made of, by any rule but ``"gram"``."""
    if rule.kind == "ridge":
        return Shares(_ridge_shares(pairs, rule.setting), columns=1.0, likes=0.0)
    if rule.kind == "kernel":
        inner, outer = (_kernel(t, rule.setting) for t in (pairs.within, pairs.across.T))
        return Shares((_solved(inner, _KERNEL_PENALTY, outer),), columns=1.0, likes=rule.own)
    dtype, no_one = pairs.known.dtype, np.full(len(pairs.new), -1)
    near = nearest_rows(
        lambda here: pairs.across[here], no_one, len(pairs.known), int(rule.setting)
    ).astype(dtype)
    if rule.kind == "neighbours":
        return Shares((near,), columns=0.0, likes=1.0)
    total = near.sum(axis=1)
    scale = sparse.diags_array(np.divide(1.0, total, out=np.zeros_like(total), where=total > 0))
    return Shares((scale @ near,), columns=1.0, likes=0.0)


def _ridge_shares(pairs: TextPairs, penalty: float) -> tuple[Floats, ...]:
    # Two ways to the same: whichever of the two tables to invert is the smaller.
    if pairs.known.shape[1] < pairs.known.shape[0]:
        return _solved(pairs.features.copy(), penalty, pairs.new.T), pairs.known.T
    return (_solved(pairs.within.copy(), penalty, pairs.across.T),)


def _solved(inner: Floats, penalty: float, outer: Floats) -> Floats:
    """Return the transpose of (inner + penalty)^-1 outer; inner is overwritten."""
    inner[np.diag_indices(len(inner))] += inner.dtype.type(penalty)
    factor = cho_factor(inner.T, lower=True, overwrite_a=True, check_finite=False)
    return np.asarray(cho_solve(factor, outer, check_finite=False).T)


def _kernel(cosines: Floats, gamma: float) -> Floats:
    out = cosines - cosines.dtype.type(1.0)
    out *= gamma
    return np.exp(out, out=out)


def with_cold(
    form: DenseForm | LowRankForm,
    rule: ColdRule,
    text: Floats,
    n_likes: Doubles,
    new: NDArray[np.bool_] | None = None,
) -> DenseForm | LowRankForm:
    """Return the form with the columns of the cold items made by a rule.

    Parameters
    ----------
    form : DenseForm or LowRankForm
        Fitted.
    rule : ColdRule
        What to do.
    text : ndarray of float64, shape (n_items, n_features)
        Vectors of length one or zero.
    n_likes : ndarray of float64, shape (n_items,)
        How many users like each item. The columns of those nobody likes are made from those of the
        others. Items without a vector keep theirs.
    new : ndarray of bool, shape (n_items,), optional
        Items whose few likes do not say how many will like them (`ColdRule.worth`).

    Returns
    -------
    DenseForm or LowRankForm
        A new form, or the same where nothing is to be done.
    """
    has_text, unliked = text.any(axis=1), n_likes == 0
    fresh = np.zeros_like(unliked) if new is None or not rule.worth else new
    cold, warm = (unliked | fresh) & has_text, ~(unliked | fresh) & has_text
    if not cold.any() or not warm.any() or rule == ColdRule("gram"):
        return form
    old = form.columns()[cold]
    if rule.kind == "gram":
        return form.replaced(cold, rule.scale * old)
    columns = shares_of(rule, TextPairs(text, cold, warm)).made(form.columns(), warm)
    columns *= np.where(fresh[cold], 1.0, rule.scale).astype(columns.dtype)[:, None]
    if fresh.any():
        columns = between(old, columns, n_likes[cold], rule.worth)
    return form.replaced(cold, columns)


def between(of_likes: Floats, of_texts: Floats, n_likes: Doubles, worth: float) -> Floats:
    """Return columns between those of so many likes and those of texts that are worth some likes.

    >>> between(np.array([[1.0]]), np.array([[5.0]]), np.array([1.0]), 3.0).tolist()
    [[4.0]]
    """
    share = (n_likes / (n_likes + worth)).astype(of_likes.dtype)[:, None]
    return np.asarray(share * of_likes + (1.0 - share) * of_texts)
