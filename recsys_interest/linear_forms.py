"""The closed form of the text-informed linear model, dense or of low rank, and its cold columns.

Chapter: 13 (cold start).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.linalg import cho_factor, cho_solve
from sklearn.utils.extmath import randomized_svd

from recsys_interest.checks import check_positive, shown
from recsys_interest.ease import closed_form
from recsys_interest.likes import Doubles, on_grid, put_on_grid, whole_numbers
from recsys_interest.nearest_neighbours import text_neighbours
from recsys_interest.recommender import Floats

__all__ = [
    "ColdRule",
    "DenseForm",
    "LowRankForm",
    "centred",
    "dense_form",
    "low_rank_form",
    "with_cold",
]

_ROWS_AT_ONCE = 1024
_KINDS = ("gram", "ridge", "kernel", "smoothing", "neighbours")
_KERNEL_PENALTY = 0.3  # against the 1 that the kernel gives to equal texts


@dataclass
class DenseForm:
    """All weights: row j, column i is what liking j says for i."""

    weights: Floats

    def scores(self, likes: sparse.csr_array) -> Floats:
        """Return the scores of users with these likes."""
        # In another type the product would copy all weights.
        return np.asarray(likes.astype(self.weights.dtype) @ self.weights)

    def only(self, items: NDArray[np.bool_]) -> DenseForm:
        """Return the form that scores some items only."""
        return DenseForm(np.ascontiguousarray(self.weights[:, items]))

    def columns(self) -> Floats:
        """Return what is known of each item as something liked: one row each."""
        return self.weights.T

    def replaced(self, items: NDArray[np.bool_], columns: Floats) -> DenseForm:
        """Return the form with other columns for some items."""
        weights = self.weights.copy()
        weights[:, items] = columns.T
        return DenseForm(weights)

    def rounded(self) -> DenseForm:
        """Return the form with weights whose sums are exact."""
        put_on_grid(self.weights)
        return self


@dataclass
class LowRankForm:
    """Weights as a product of factors, without its diagonal: left @ right.T - diag(own).

    A column that is made of others, for an item nobody likes, is made of whole columns: what the
    diagonal holds is taken off only where a user likes the very item.
    """

    left: Doubles
    right: Doubles
    own: Doubles

    def scores(self, likes: sparse.csr_array) -> Floats:
        """Return the scores of users with these likes."""
        users, power = self._users(likes)
        right, other = whole_numbers(self.right)
        scores: Floats = np.ldexp(users @ right.T, -power - other)
        if not self.own.any():
            return scores
        rows = np.repeat(np.arange(likes.shape[0]), np.diff(likes.indptr))
        scores[rows, likes.indices] -= on_grid(self.own)[likes.indices]
        return scores

    def _users(self, likes: sparse.csr_array) -> tuple[Doubles, int]:
        # Rows of `left` are parts of orthonormal axes: n likes add up to no more than sqrt(n). The
        # scale is the same for everybody, it must not depend on who is asked for together.
        left, power = whole_numbers(self.left)
        bits = 25 - int(np.frexp(np.sqrt(likes.shape[1]))[1])
        return np.rint(np.ldexp(likes @ left, bits - power)), bits

    def columns(self) -> Floats:
        """Return what is known of each item as something liked: one row each."""
        return self.right

    def only(self, items: NDArray[np.bool_]) -> LowRankForm:
        """Return the form that scores some items only, which nobody likes."""
        return LowRankForm(self.left, self.right[items], np.zeros(len(self.left)))

    def replaced(self, items: NDArray[np.bool_], columns: Floats) -> LowRankForm:
        """Return the form with other columns for some items."""
        right, own = self.right.copy(), self.own.copy()
        right[items] = columns
        own[items] = np.vecdot(self.left[items], right[items])
        return LowRankForm(self.left, right, own)

    def rounded(self) -> LowRankForm:
        """Return the form itself: its scores are exact already."""
        return self


def dense_form(gram: Doubles, text: Doubles, l2: float, text_weight: float) -> DenseForm:
    r"""Return the weights of EASE for the Gram matrix :math:`X^\top X + \tau \lambda E E^\top`.

    Parameters
    ----------
    gram : ndarray of float32 or float64, shape (n_items, n_items)
        :math:`X^\top X`; its type is that of the result.
    text : ndarray of float64, shape (n_items, n_features)
        :math:`E`.
    l2, text_weight : float
        :math:`\lambda` and :math:`\tau`.

    Examples
    --------
    >>> gram = np.array([[1.0, 0.0], [0.0, 0.0]])
    >>> dense_form(gram, np.array([[1.0], [1.0]]), 1.0, 1.0).weights.round(2).tolist()
    [[0.0, 0.33], [0.5, 0.0]]
    """
    whole = gram.copy()
    if text_weight:
        rows = (np.sqrt(text_weight * l2) * text).astype(gram.dtype)
        for start in range(0, len(whole), _ROWS_AT_ONCE):
            here = slice(start, start + _ROWS_AT_ONCE)
            whole[here] += rows[here] @ rows.T
    return DenseForm(closed_form(whole, l2))


def low_rank_form(
    likes: sparse.csr_array,
    text: Doubles,
    l2: float,
    text_weight: float,
    n_factors: int,
    random_state: int,
) -> LowRankForm:
    r"""Return the same weights from the strongest directions of the likes and texts.

    With :math:`V` the first right singular vectors of the likes with the texts below them,
    :math:`[X; \sqrt{\tau \lambda} E^\top]`, their singular values :math:`s` and
    :math:`h = s^2 / (s^2 + \lambda)`,

    .. math:: W_{ij} = \frac{\sum_f V_{if} h_f V_{jf}}{1 - \sum_f h_f V_{jf}^2} \quad (i \ne j) .

    With all directions this is the dense form.

    >>> likes = sparse.csr_array([[1.0, 0.0]])
    >>> form = low_rank_form(likes, np.array([[1.0], [1.0]]), 1.0, 1.0, 2, 0)
    >>> (form.left @ form.right.T - np.diag(form.own)).round(2).tolist()
    [[0.0, 0.33], [0.5, 0.0]]
    """
    texts = sparse.csr_array(np.sqrt(text_weight * l2) * text.T)
    both = sparse.vstack([likes, texts], format="csr") if text_weight else likes
    rank = min(n_factors, *both.shape)
    _, sizes, axes = randomized_svd(both, rank, n_iter=4, random_state=random_state)
    held = sizes**2 / (sizes**2 + l2)
    left = axes.T * np.sqrt(held)
    right = left / (1.0 - np.square(left).sum(axis=1, keepdims=True))
    return LowRankForm(left, right, np.vecdot(left, right))


@dataclass(frozen=True)
class ColdRule:
    r"""How an item that nobody likes gets its column of weights.

    Parameters
    ----------
    kind : {"gram", "ridge", "kernel", "smoothing", "neighbours"}
        ``"gram"`` leaves the column of the closed form. ``"ridge"`` is a ridge regression of the
        columns of the liked items on their texts. ``"kernel"`` is one with the kernel
        :math:`e^{\gamma (\cos - 1)}`, which may bend, of columns that count the item itself as 1;
        for the dense form only. ``"smoothing"`` is the mean of the columns of the
        liked items whose texts are nearest, each with its cosine as the weight; ``"neighbours"``
        are these cosines themselves, as in `TextKNNRecommender`.
    setting : float, default 0.0
        The penalty of the ridge regression, or :math:`\gamma`, above 0; or the number of nearest
        items.

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
    ColdRule(kind='ridge', setting=3.0)
    """

    kind: str
    setting: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in _KINDS:
            raise ValueError(f"kind must be one of {shown(_KINDS)}, got {self.kind!r}")
        if self.kind in ("ridge", "kernel"):
            check_positive(self.setting, "setting")
        elif self.kind != "gram" and (self.setting < 1 or self.setting != round(self.setting)):
            raise ValueError(f"setting must be a whole number from 1 on, got {self.setting!r}")


def with_cold(
    form: DenseForm | LowRankForm,
    rule: ColdRule,
    text: Doubles,
    cold: NDArray[np.bool_],
    warm: NDArray[np.bool_],
) -> DenseForm | LowRankForm:
    """Return the form with the columns of the cold items made by a rule.

    Parameters
    ----------
    form : DenseForm or LowRankForm
        Fitted on the warm items.
    rule : ColdRule
        What to do.
    text : ndarray of float64, shape (n_items, n_features)
        Vectors of length one or zero.
    cold, warm : ndarray of bool, shape (n_items,)
        For which items, from which items. Cold items without a vector keep their columns.

    Returns
    -------
    DenseForm or LowRankForm
        A new form, or the same where nothing is to be done.
    """
    has_text = text.any(axis=1)
    cold, warm = cold & has_text, warm & has_text
    if rule.kind == "gram" or not cold.any() or not warm.any():
        return form
    if rule.kind == "ridge":
        return form.replaced(cold, _ridge(form.columns(), text, cold, warm, rule.setting))
    if rule.kind == "kernel":
        return form.replaced(cold, _kernel(form.columns(), text, cold, warm, rule.setting))
    near = text_neighbours(text, warm, int(rule.setting))[np.flatnonzero(cold)]
    if rule.kind == "neighbours":
        return form.replaced(cold, near.toarray())
    total = near.sum(axis=1)
    shares = sparse.diags_array(np.divide(1.0, total, out=np.zeros_like(total), where=total > 0))
    return form.replaced(cold, np.asarray(shares @ near @ form.columns()))


def _ridge(
    columns: Floats, text: Doubles, cold: NDArray[np.bool_], warm: NDArray[np.bool_], penalty: float
) -> Floats:
    rows = text[warm]
    inner = rows.T @ rows + penalty * np.eye(rows.shape[1])
    # (E'E + r)^-1 E' first: then the long table of columns is multiplied only once.
    to_cold = text[cold] @ np.linalg.solve(inner, rows.T)
    return to_cold @ columns[warm]


def _kernel(
    columns: Floats, text: Doubles, cold: NDArray[np.bool_], warm: NDArray[np.bool_], gamma: float
) -> Floats:
    known = text[warm]
    inner = np.exp(gamma * (known @ known.T - 1.0))
    inner[np.diag_indices(len(inner))] += _KERNEL_PENALTY
    outer = np.exp(gamma * (known @ text[cold].T - 1.0))
    shares = cho_solve(cho_factor(inner, lower=True, overwrite_a=True), outer, overwrite_b=True).T
    out = shares @ columns[warm]
    out[:, warm] += shares
    return out


def centred(vectors: Doubles, mean: Doubles) -> Doubles:
    """Return the vectors less their mean, of length one again.

    All texts of a catalogue share a direction that tells no two items apart. Vectors that do not
    differ from the mean by more than rounding say nothing and become zeros, zeros stay zeros.

    >>> centred(np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([0.5, 0.5])).round(2).tolist()
    [[0.71, -0.71], [0.0, 0.0]]
    """
    out = vectors - mean
    out[~vectors.any(axis=1)] = 0.0
    length = np.sqrt(np.square(out).sum(axis=1, keepdims=True))
    return np.divide(out, length, out=np.zeros_like(out), where=length > 1e-6)
