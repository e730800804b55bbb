"""Choose the settings of the text-informed linear model on likes that were held out.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from recsys_interest.cold_rules import ColdRule, TextPairs, between, shares_of, with_cold
from recsys_interest.likes import Doubles
from recsys_interest.linear_forms import DenseForm, DenseSolver, LowRankForm, LowRankSolver
from recsys_interest.recommender import Floats, best_cells

__all__ = ["COLD_RULES", "Search", "all_but", "held_out_cells", "ndcg_by_user"]

_K = 10
_SHARE = 0.2
_USERS = 2000  # more of them would make a choice surer by little
_ITEMS = 4096  # to solve for all of 30,000 items again and again would take hours
_ROWS_AT_ONCE = 500
_LEAST_L2, _MOST_L2 = 8.0, 16384.0
_TEXT_WEIGHTS = 0.3, 3.0, (0.03, 10.0)  # the first, the factor to the next, the least and the most
COLD_RULES = (
    ColdRule("gram"),
    *(ColdRule("ridge", penalty) for penalty in (1.0, 3.0, 10.0)),
    *(ColdRule("kernel", gamma, own) for gamma in (1.0, 2.0, 4.0) for own in (0.0, 0.3, 1.0, 4.0)),
    *(ColdRule("smoothing", n) for n in (5, 20, 50)),
    *(ColdRule("neighbours", n) for n in (5, 20, 50)),
)
_SCALES = tuple(0.25**n for n in range(6))
_FEW = (1, 2, 4, 8, 16, 32)
_WORTHS = (0.0, *(4.0**n for n in range(5)))

Form = DenseForm | LowRankForm


class Search:
    """A search for the penalty, the text weight and the rule for cold items.

    Parameters
    ----------
    likes : csr_array of float64, shape (n_users, n_items)
        All that may be learned from.
    text : ndarray of float64, shape (n_items, n_features)
        Vectors of length one or zero.
    solver : callable
        Vectors to a solver: likes, penalty and text weight to a form. Of a large catalogue it gets
        4,096 items drawn at random, and all that is tried is tried on these.
    random_state : int
        Seed of what is held out.
    new : ndarray of bool, shape (n_items,)
        Items that had no time to be liked: nothing is learned from how few like them.

    Attributes
    ----------
    tried : list of dict
        One for each setting that was looked at.
    """

    def __init__(
        self,
        likes: sparse.csr_array,
        text: Doubles,
        solver: Callable[[Doubles], DenseSolver | LowRankSolver],
        random_state: int,
        new: NDArray[np.bool_],
    ) -> None:
        self.tried: list[dict[str, Any]] = []
        self._rng = np.random.default_rng(random_state)
        if likes.shape[1] > _ITEMS:
            some = np.sort(self._rng.permutation(likes.shape[1])[:_ITEMS])
            likes, text, new = likes[:, some], text[some], new[some]
        self.text = text
        self.solve = solver(text)
        self._likes = likes
        self._new = new
        self._seen, self._hidden = held_out_cells(likes, _SHARE, self._rng)
        self._values: dict[tuple[float, float], Doubles] = {}

    def start(self) -> float:
        """Return a penalty to start from: how many like the item of a like, on average."""
        times = self._seen.sum(axis=0)
        usual = np.square(times).sum() / times.sum() if times.any() else _LEAST_L2
        return float(np.clip(2.0 ** np.rint(np.log2(usual)), _LEAST_L2, _MOST_L2))

    def penalty(self, start: float, text_weight: float) -> float:
        """Return the best penalty: doubled or halved as long as that helps."""
        return self._climb(start, 2.0, (_LEAST_L2, _MOST_L2), lambda l2: (l2, text_weight))

    def text_weight(self, l2: float) -> float:
        """Return the best text weight, zero unless text helps by more than its standard error."""
        if not self.text.any():
            return 0.0
        best = self._climb(*_TEXT_WEIGHTS, lambda weight: (l2, weight))
        gain = self._ndcg(l2, best) - self._ndcg(l2, 0.0)
        if not len(gain):
            return 0.0
        return best if gain.mean() > gain.std() / np.sqrt(len(gain)) else 0.0

    def _climb(
        self,
        best: float,
        factor: float,
        bounds: tuple[float, float],
        setting: Callable[[float], tuple[float, float]],
    ) -> float:
        for step in (factor, 1.0 / factor):
            before = best
            while bounds[0] <= best * step <= bounds[1] and self._better(
                setting(best * step), setting(best)
            ):
                best *= step
            if best != before:
                break
        return best

    def cold_rule(self, l2: float, text_weight: float, rules: Iterable[ColdRule]) -> ColdRule:
        """Return the best rule for items that lost all their likes, one in five of the liked."""
        cold = self._some_liked()
        kept, lost = all_but(self._likes, np.where(cold, 0, np.inf), self._rng)
        users = _some_users(kept, lost)
        best, best_value = ColdRule("ridge", 3.0), -1.0
        if not len(users):
            return best
        warm = (kept.sum(axis=0) > 0) & self.text.any(axis=1)
        form = self.solve(kept, l2, text_weight)
        seen, wanted = kept[users], lost[users][:, np.flatnonzero(cold)].toarray() > 0
        by_columns = form.only(warm).scores(seen)
        by_likes = seen[:, np.flatnonzero(warm)].toarray().astype(by_columns.dtype)
        pairs = TextPairs(self.text.astype(by_columns.dtype), cold, warm)
        made_for: ColdRule | None = None
        for rule in rules:
            if rule.kind == "gram" and not text_weight:
                continue
            if rule.kind == "gram":
                scores = form.only(cold).scores(seen)
            else:
                if replace(rule, own=0.0) != made_for:  # else only what is summed is another
                    made_for = replace(rule, own=0.0)
                    shares = shares_of(rule, pairs)
                if rule.own:
                    shares = replace(shares, likes=rule.own)
                scores = shares.scores(by_columns, by_likes)
            values = _ndcg(scores, wanted)
            self._note("cold", l2, text_weight, values, rule)
            if values.mean() > best_value:
                best, best_value = rule, values.mean()
        return best

    def worth(self, l2: float, text_weight: float, rule: ColdRule) -> ColdRule:
        """Return the rule with the best worth of a text for new items that few like so far.

        One in five of the liked items keeps 1 to 32 of its likes, drawn at random, so that their
        number says nothing of how many were lost. Only these items are ranked.
        """
        new = self._some_liked()
        most = np.where(new, self._rng.choice(_FEW, size=len(new)), np.inf)
        kept, lost = all_but(self._likes, most, self._rng)
        if rule.kind == "gram" or not len(_some_users(kept, lost)):
            return rule
        n_likes = kept.sum(axis=0)
        warm = (n_likes > 0) & ~new & self.text.any(axis=1)
        if not warm.any():
            return rule
        form = self.solve(kept, l2, text_weight)
        columns = form.columns()
        pairs = TextPairs(self.text.astype(columns.dtype), new, warm)
        of_texts = shares_of(rule, pairs).made(columns, warm)
        best, best_value = rule, -1.0
        for worth in _WORTHS:
            made = replace(rule, worth=worth)
            mixed = form.replaced(new, between(columns[new], of_texts, n_likes[new], worth))
            scored = _scored(mixed, kept, lost)
            values = np.concatenate([_ndcg(s[:, new], wanted[:, new]) for s, wanted in scored])
            self._note("few", l2, text_weight, values, made)
            if values.mean() > best_value:
                best, best_value = made, values.mean()
        return best

    def _some_liked(self) -> NDArray[np.bool_]:
        """Return one in five of the liked items with a text that are not new, drawn at random."""
        had_time = (self._likes.sum(axis=0) > 0) & ~self._new
        liked = np.flatnonzero(had_time & self.text.any(axis=1))
        out = np.zeros(self._likes.shape[1], dtype=bool)
        out[self._rng.permutation(liked)[: round(_SHARE * len(liked))]] = True
        return out

    def scaled(self, l2: float, text_weight: float, rule: ColdRule) -> ColdRule:
        """Return the rule with the scale that is best where new and known items share a list.

        Cold are the items all of whose likes are held out, as it happens. An item that had its time
        and that nobody has liked so far is rarely liked next; only such a test knows how rarely.
        """
        n_likes = self._seen.sum(axis=0)
        warm = n_likes > 0
        cold = ~warm & ~self._new
        if not self._hidden.nnz or not (cold & self.text.any(axis=1)).any() or not warm.any():
            return rule
        form = self.solve(self._seen, l2, text_weight)
        form = with_cold(form, rule, self.text.astype(form.columns().dtype), n_likes)
        values = _ndcg_by_scale(form, cold, self._new, self._seen, self._hidden)
        if not values.size:
            return rule
        rules = [replace(rule, scale=scale) for scale in _SCALES]
        for made, of_users in zip(rules, values, strict=True):
            self._note("mixed", l2, text_weight, of_users, made)
        return rules[int(values.mean(axis=1).argmax())]

    def table(self) -> pd.DataFrame:
        """Return what was tried."""
        of_rule = ["rule", "setting", "own", "scale", "worth"]
        columns = ["stage", "l2", "text_weight", *of_rule, "ndcg", "n_users"]
        return pd.DataFrame(self.tried, columns=columns)

    def _better(self, new: tuple[float, float], old: tuple[float, float]) -> bool:
        values = self._ndcg(*new), self._ndcg(*old)
        return bool(len(values[0]) and values[0].mean() > values[1].mean())

    def _ndcg(self, l2: float, text_weight: float) -> Doubles:
        key = (l2, text_weight)
        if key not in self._values:
            form = self.solve(self._seen, l2, text_weight) if self._hidden.nnz else None
            values = np.empty(0) if form is None else ndcg_by_user(form, self._seen, self._hidden)
            self._values[key] = values
            if len(values):
                self._note("warm", l2, text_weight, values)
        return self._values[key]

    def _note(
        self, stage: str, l2: float, weight: float, values: Doubles, rule: ColdRule | None = None
    ) -> None:
        row = {"stage": stage, "l2": l2, "text_weight": weight, "ndcg": values.mean()}
        if rule is not None:
            row |= asdict(rule)
            row["rule"] = row.pop("kind")
        self.tried.append(row | {"n_users": len(values)})


def held_out_cells(
    likes: sparse.csr_array, share: float, rng: np.random.Generator
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return the likes without a random share of them, and this share.

    >>> likes = sparse.csr_array(np.ones((2, 5)))
    >>> seen, hidden = held_out_cells(likes, 0.3, np.random.default_rng(0))
    >>> seen.nnz, hidden.nnz, (seen + hidden).toarray().min()
    (7, 3, np.float64(1.0))
    """
    hidden = np.zeros(likes.nnz, dtype=bool)
    hidden[rng.permutation(likes.nnz)[: round(share * likes.nnz)]] = True
    return _parts(likes, hidden)


def all_but(
    likes: sparse.csr_array, most: Doubles, rng: np.random.Generator
) -> tuple[sparse.csr_array, sparse.csr_array]:
    """Return the likes, of each item at most so many, drawn at random, and the others.

    >>> likes = sparse.csr_array(np.ones((5, 2)))
    >>> kept, lost = all_but(likes, np.array([2.0, np.inf]), np.random.default_rng(0))
    >>> kept.sum(axis=0).tolist(), lost.sum(axis=0).tolist()
    ([2.0, 5.0], [3.0, 0.0])
    """
    order = rng.permutation(likes.nnz)
    order = order[np.argsort(likes.indices[order], kind="stable")]
    items = likes.indices[order]
    nth = np.arange(likes.nnz) - np.searchsorted(items, items)
    hidden = np.zeros(likes.nnz, dtype=bool)
    hidden[order] = nth >= most[items]
    return _parts(likes, hidden)


def _parts(
    likes: sparse.csr_array, hidden: NDArray[np.bool_]
) -> tuple[sparse.csr_array, sparse.csr_array]:
    rows = np.repeat(np.arange(likes.shape[0]), np.diff(likes.indptr))
    parts = [
        sparse.csr_array((likes.data[m], (rows[m], likes.indices[m])), shape=likes.shape)
        for m in (~hidden, hidden)
    ]
    return parts[0], parts[1]


def ndcg_by_user(form: Form, seen: sparse.csr_array, hidden: sparse.csr_array) -> Doubles:
    """Return NDCG@10 (see `per_user_metrics`) of users with something seen and something hidden.

    Parameters
    ----------
    form : DenseForm or LowRankForm
        What scores.
    seen, hidden : csr_array of float64, shape (n_users, n_items)
        What is known, and never recommended; and what is to be found.

    Returns
    -------
    ndarray of float64
        One number for each of those users, at most 2,000 of them, evenly chosen.
    """
    parts = [_ndcg(scores, wanted) for scores, wanted in _scored(form, seen, hidden)]
    return np.concatenate(parts) if parts else np.empty(0)


def _ndcg_by_scale(
    form: Form,
    cold: NDArray[np.bool_],
    left_out: NDArray[np.bool_],
    seen: sparse.csr_array,
    hidden: sparse.csr_array,
) -> Doubles:
    """Return the same with the scores of the cold items at each scale, one row for each."""
    parts = []
    for scores, wanted in _scored(form, seen, hidden):
        scores[:, left_out] = -np.inf
        of_cold = scores[:, cold]
        rows = []
        for scale in _SCALES:
            scores[:, cold] = of_cold * of_cold.dtype.type(scale)
            rows.append(_ndcg(scores, wanted))
        parts.append(rows)
    return np.hstack(parts) if parts else np.empty((len(_SCALES), 0))


def _scored(
    form: Form, seen: sparse.csr_array, hidden: sparse.csr_array
) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """Yield the scores of some users at a time, −inf for what they know, and what is hidden."""
    users = _some_users(seen, hidden)
    for start in range(0, len(users), _ROWS_AT_ONCE):
        chunk = users[start : start + _ROWS_AT_ONCE]
        known = seen[chunk]
        scores = form.scores(known)
        scores[np.repeat(np.arange(len(chunk)), np.diff(known.indptr)), known.indices] = -np.inf
        yield scores, hidden[chunk].toarray() > 0


def _some_users(seen: sparse.csr_array, hidden: sparse.csr_array) -> NDArray[np.intp]:
    users = np.flatnonzero((np.diff(seen.indptr) > 0) & (np.diff(hidden.indptr) > 0))
    if len(users) <= _USERS:
        return users
    return users[np.linspace(0, len(users) - 1, _USERS).astype(np.intp)]


def _ndcg(scores: Floats, wanted: NDArray[np.bool_]) -> Doubles:
    discount = 1 / np.log2(np.arange(_K) + 2.0)
    rows, columns, _, rank = best_cells(scores, _K)
    gain = np.where(wanted[rows, columns], discount[rank - 1], 0.0)
    total = np.bincount(rows, weights=gain, minlength=len(scores))
    return total / np.cumsum(discount)[np.minimum(_K, wanted.sum(axis=1)) - 1]
