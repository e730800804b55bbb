"""The closed form of the text-informed linear model, dense or of low rank.

Chapter: 13 (cold start).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from recsys_interest.ease import closed_form
from recsys_interest.likes import Doubles, cooccurrence, on_grid, put_on_grid, whole_numbers
from recsys_interest.recommender import Floats

__all__ = [
    "DenseForm",
    "DenseSolver",
    "LowRankForm",
    "LowRankSolver",
    "centred",
    "closeness",
]

_ROWS_AT_ONCE = 1024
_BEND = 2.0


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
        weights[items, items] = 0.0  # an item says nothing for itself, as in the other columns
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


class DenseSolver:
    r"""The weights of EASE for the completed Gram matrix.

    .. math:: G + \frac{p}{1 - p} \operatorname{diag}(G) + \tau \lambda K, \qquad G = X^\top X

    with the `closeness` :math:`K` of the texts.

    What several solutions share is computed once: the closeness of the texts, and the
    co-occurrences as long as the likes are the same object.

    Parameters
    ----------
    text : ndarray of float64, shape (n_items, n_features)
        Vectors of length one or zero.
    dropout : float
        :math:`p`.
    dtype : {"float32", "float64"}
        Of the tables and of the weights.
    once : bool, default False
        Keep nothing for the next solution, which takes two tables less.

    Examples
    --------
    >>> solve = DenseSolver(np.array([[1.0], [1.0]]), 0.0, "float64")
    >>> solve(sparse.csr_array([[1.0, 0.0]]), 1.0, 1.0).weights.round(2).tolist()
    [[0.0, 0.33], [0.5, 0.0]]
    """

    def __init__(self, text: Doubles, dropout: float, dtype: str, *, once: bool = False) -> None:
        self.dtype = dtype
        self._dropout = dropout
        self._rows = text.astype(dtype, copy=False)
        self._once = once
        self._closeness: Floats | None = None
        self._likes: sparse.csr_array | None = None

    def __call__(self, likes: sparse.csr_array, l2: float, text_weight: float) -> DenseForm:
        """Return the form for likes, penalty and text weight."""
        if self._once:
            gram = self._counted(likes)
        else:
            if likes is not self._likes:
                self._likes, self._gram = likes, self._counted(likes)
            gram = self._gram.copy()
        if text_weight:
            self._complete(gram, text_weight * l2)
        return DenseForm(closed_form(gram, l2))

    def _counted(self, likes: sparse.csr_array) -> Floats:
        gram: Floats = cooccurrence(likes).astype(self.dtype, copy=False)
        gram[np.diag_indices(len(gram))] *= gram.dtype.type(1.0 / (1.0 - self._dropout))
        return gram

    def _complete(self, gram: Floats, weight: float) -> None:
        if self._closeness is None and not self._once:
            self._closeness = closeness(self._rows, self._rows)
        for start in range(0, len(gram), _ROWS_AT_ONCE):
            here = slice(start, start + _ROWS_AT_ONCE)
            kept = self._closeness
            near = closeness(self._rows[here], self._rows) if kept is None else kept[here]
            gram[here] += gram.dtype.type(weight) * near


class LowRankSolver:
    r"""Nearly the same weights from the strongest directions of the likes and texts.

    The closeness is the cosine, :math:`K = E E^\top`. With the penalties
    :math:`d_i = \lambda + p / (1 - p) \, G_{ii}` of the items, :math:`V` the first right singular
    vectors of the likes with the texts below them,
    :math:`[X; \sqrt{\tau \lambda} E^\top] \operatorname{diag}(d)^{-1/2}`, their singular values
    :math:`s` and :math:`h = s^2 / (s^2 + 1)`,

    .. math:: W_{ij} = \sqrt{\frac{d_j}{d_i}} \,
        \frac{\sum_f V_{if} h_f V_{jf}}{1 - \sum_f h_f V_{jf}^2} \quad (i \ne j) .

    With all directions these are the weights of the closed form.

    Parameters
    ----------
    text : ndarray of float64, shape (n_items, n_features)
        :math:`E`.
    dropout : float
        :math:`p`.
    n_factors : int
        How many directions.
    random_state : int
        Seed of the randomised decomposition.

    Examples
    --------
    >>> solve = LowRankSolver(np.array([[1.0], [1.0]]), 0.0, 2, 0)
    >>> form = solve(sparse.csr_array([[1.0, 0.0]]), 1.0, 1.0)
    >>> (form.left @ form.right.T - np.diag(form.own)).round(2).tolist()
    [[0.0, 0.33], [0.5, 0.0]]
    """

    dtype = "float64"

    def __init__(self, text: Doubles, dropout: float, n_factors: int, random_state: int) -> None:
        self._text = text
        self._dropout = dropout
        self._n_factors = n_factors
        self._random_state = random_state

    def __call__(self, likes: sparse.csr_array, l2: float, text_weight: float) -> LowRankForm:
        """Return the form for likes, penalty and text weight."""
        texts = sparse.csr_array(np.sqrt(text_weight * l2) * self._text.T)
        both = sparse.vstack([likes, texts], format="csr") if text_weight else likes
        times = np.asarray(likes.sum(axis=0)).ravel()
        # In units of the smallest, so that no row of `left` is longer than a row of V.
        penalties = 1.0 + self._dropout / (1.0 - self._dropout) * times / l2
        root = np.sqrt(penalties)
        scaled = sparse.csr_array(both @ sparse.diags_array(1.0 / root))
        rank = min(self._n_factors, *both.shape)
        _, sizes, axes = randomized_svd(scaled, rank, n_iter=4, random_state=self._random_state)
        left = axes.T * np.sqrt(sizes**2 / (sizes**2 + l2))
        right = left / (1.0 - np.square(left).sum(axis=1, keepdims=True))
        left, right = left / root[:, None], right * root[:, None]
        return LowRankForm(left, right, np.vecdot(left, right))


def closeness(rows: Floats, others: Floats) -> Floats:
    r"""Return how close texts are: 0 at a right angle, 1 where they are equal, bent in between.

    .. math:: K(E_i, E_j) = \frac{e^{\gamma E_i \cdot E_j} - 1}{e^{\gamma} - 1}, \qquad \gamma = 2

    It rises faster where texts are close, so that a few near ones say more than many far ones; and
    it is positive semidefinite, as a power series of the cosine without negative terms.

    >>> rows = np.array([[1.0, 0.0], [0.6, 0.8]])
    >>> closeness(rows, rows).round(2).tolist()
    [[1.0, 0.36], [0.36, 1.0]]
    """
    out = rows @ others.T
    out *= _BEND
    np.expm1(out, out=out)
    out /= np.expm1(_BEND)
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
