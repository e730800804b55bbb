"""A linear model of behaviour and text in one closed form: for known, new and described items.

Chapter: 13 (cold start).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from recsys_interest.behaviour import BehaviourRecommender, aligned_vectors
from recsys_interest.checks import check_count, check_positive, given_ids, shown
from recsys_interest.cold_rules import ColdRule, with_cold
from recsys_interest.likes import Doubles, on_grid
from recsys_interest.linear_forms import DenseSolver, LowRankSolver, centred
from recsys_interest.recommender import Floats, Positions, Recommender, best_cells
from recsys_interest.validation import COLD_RULES, Search
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["TextInformedRecommender"]

logger = logging.getLogger(__name__)


class TextInformedRecommender(BehaviourRecommender):
    r"""EASE whose table of co-occurrences is completed by how similar the texts of the items are.

    With the likes :math:`X`, :math:`G = X^\top X`, and the closeness :math:`K` of the texts, an
    increasing function of the cosine of their centred vectors (`closeness`), the weights are those
    of `EaseRecommender` as if the texts were more users who like items of similar text together:

    .. math:: P = \left(G + \frac{p}{1 - p} \operatorname{diag}(G) + \tau \lambda K + \lambda I
        \right)^{-1}, \qquad
        W_{ij} = -P_{ij} / P_{jj} \; (i \ne j), \qquad \mathrm{score} = X W .

    At :math:`\tau = 0` and :math:`p = 0` this is EASE; :math:`p` is the share of the likes that is
    left out at random, over and over, while the weights are learned. What is not given is chosen on
    likes that are held out inside `fit`: :math:`\lambda`, then :math:`\tau`, zero unless NDCG@10
    gains more than its standard error, then :math:`\lambda` once more; then, by hiding all likes
    of some items, the rule that gives an item nobody likes its column of :math:`W` (`ColdRule`):
    the closed form itself, a ridge regression of columns on texts, straight or bent, the mean
    column of the nearest texts, or their cosines; at last how much such columns count in a list
    with the others.

    The number of its likes says how liked an item is, if it had its time. Of `new_items` it does
    not: their columns are between those of the closed form and those of their texts, by how many
    likes a text is worth (`ColdRule.worth`), which is chosen by hiding most likes of some items. In
    a catalogue of more than 4,096 items the choices are made on so many of them, drawn at random.

    Parameters
    ----------
    l2 : float, optional
        The penalty :math:`\lambda`, above 0; in the unit of a number of users.
    text_weight : float, optional
        :math:`\tau`, at least 0; how much the texts weigh against the penalty.
    dropout : float, default 0.25
        :math:`p`, at least 0 and below 1. More of it holds back the items that many like.
    cold_rule : ColdRule, optional
        How an item that nobody likes, or a new one, gets its column.
    new_items : iterable of ids, optional
        Items of the catalogue that came so late that their few likes say nothing yet about how many
        will like them. If not given, none: every item with a like keeps its column of the closed
        form.
    max_dense_items : int, default 30,000
        A larger catalogue is solved in its `n_factors` strongest directions instead of exactly,
        with the cosines themselves as the closeness, and `form_` and a log message say so. The
        exact form takes :math:`8 n^2` bytes and time that grows with :math:`n^3`.
    n_factors : int, default 512
        Directions of the low-rank form.
    event_weights : mapping of str to float, optional
        Weights of the event kinds, see `event_strength`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    fallback : Recommender, optional
        Answers for users without a like and unknown users; `PopularityRecommender` if not given.
        It is cloned and fitted on the same tables.
    random_state : int, default 0
        Seed of what is held out and of the low-rank form.

    Attributes
    ----------
    l2_, text_weight_ : float
        As given or chosen.
    cold_rule_ : ColdRule
        As given or chosen.
    validation_ : DataFrame
        What was tried: `stage` (``warm``; ``cold``, new items among themselves; ``few``, those with
        few likes; ``mixed``, with the others), `l2`, `text_weight`, `rule`, `setting`, `own`,
        `scale`, `worth`, `ndcg` and `n_users`. Empty where everything was given.
    form_ : {"dense", "low-rank"}
        How the model was solved.
    model_ : DenseForm or LowRankForm
        The weights.
    mean_ : ndarray of float64, shape (n_features,)
        The mean of the unit vectors, which was taken off.
    text_ : ndarray of float64, shape (n_items, n_features)
        The centred vectors of length one; zeros for an item without text.
    likes_ : scipy.sparse.csr_array of float64, shape (n_users, n_items)
        :math:`X`.
    fallback_ : Recommender
        The fitted fallback.

    Notes
    -----
    Jeunen, Van Balen and Goethals (2020), "Closed-form models for collaborative filtering with
    side-information", doi:10.1145/3383313.3418480, where the completed form is called CEASE.
    Steck (2020), "Autoencoders that don't overfit towards the identity", for the dropout. The
    centring of the vectors, the bent closeness, the rules for new items and the choice of the
    settings are this project's. Chapter 13, "Cold start".

    Rows: R06.

    Examples
    --------
    Nobody has liked the new rope, but its text is that of the old one.

    >>> liked = (["tent", "rope"], ["oven", "pan"])
    >>> pairs = [(user, item) for user in range(6) for item in liked[user % 2]]
    >>> log = pd.DataFrame([*pairs, (9, "tent")], columns=["user_id", "item_id"])
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> items = pd.DataFrame({"item_id": ["tent", "rope", "oven", "pan", "new rope"]})
    >>> rows = [[1, 0.5], [1, 0], [0, 1], [0, 1], [1, 0]]
    >>> vectors = pd.DataFrame(rows, index=items["item_id"], dtype="float32")
    >>> rule = ColdRule("smoothing", 2)
    >>> model = TextInformedRecommender(l2=1.0, text_weight=1.0, cold_rule=rule)
    >>> model = model.fit(log, items, vectors)
    >>> model.recommend([9], k=2)["item_id"].tolist()
    ['rope', 'new rope']
    """

    source = "text_informed"

    def __init__(
        self,
        l2: float | None = None,
        text_weight: float | None = None,
        *,
        dropout: float = 0.25,
        cold_rule: ColdRule | None = None,
        new_items: Iterable[object] | None = None,
        max_dense_items: int = 30_000,
        n_factors: int = 512,
        event_weights: Mapping[str, float] | None = None,
        neutral_rating: float = 3.0,
        fallback: Recommender | None = None,
        random_state: int = 0,
    ) -> None:
        self.l2 = l2
        self.text_weight = text_weight
        self.dropout = dropout
        self.cold_rule = cold_rule
        self.new_items = new_items
        self.max_dense_items = max_dense_items
        self.n_factors = n_factors
        self.event_weights = event_weights
        self.neutral_rating = neutral_rating
        self.fallback = fallback
        self.random_state = random_state

    def recommend_texts(
        self, query_vectors: pd.DataFrame, k: int = 10, *, n_neighbors: int = 20
    ) -> pd.DataFrame:
        r"""Return the k best items for each text, as for a user who likes what the text describes.

        .. math:: \mathrm{score} = s + s W, \qquad s_j = \max(q \cdot E_j, 0) \text{ for the
            nearest items, else } 0

        with the centred unit vector :math:`q` of the text: the items of the nearest texts, and what
        those who like them like.

        Parameters
        ----------
        query_vectors : DataFrame, shape (n_queries, n_features)
            Vectors of the same encoder as those of the items, indexed by a name of each query.
        k : int, default 10
            Length of a list.
        n_neighbors : int, default 20
            How many nearest items speak for the text.

        Returns
        -------
        DataFrame
            `query`, `item_id`, `rank` and `score`, in the order of the queries; no rows for a query
            without a direction.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If the queries have another number of features than the items.
        """
        check_is_fitted(self, "model_")
        k, wanted = check_count(k, "k"), check_count(n_neighbors, "n_neighbors")
        queries = check_vectors(query_vectors, "query_vectors").loc[query_vectors.index]
        if queries.shape[1] != self.text_.shape[1]:
            raise ValueError(
                f"query_vectors has {queries.shape[1]} features, the items {self.text_.shape[1]}; "
                f"encode both with the same model"
            )
        near = on_grid(centred(unit_rows(queries.to_numpy(float)), self.mean_) @ self.text_.T)
        near[near <= 0] = -np.inf
        rows, columns, cosine, _ = best_cells(near, wanted)
        history = sparse.csr_array((cosine, (rows, columns)), shape=near.shape)
        scores = on_grid(self.model_.scores(history) + history.toarray())
        scores[np.diff(history.indptr) == 0] = -np.inf
        rows, columns, score, rank = best_cells(scores, k)
        table = {"item_id": self.item_ids_[columns], "rank": rank, "score": score}
        return pd.DataFrame({"query": queries.index[rows], **table})

    def _check_parameters(self) -> None:
        if self.l2 is not None:
            check_positive(self.l2, "l2")
        if self.text_weight is not None:
            check_positive(self.text_weight, "text_weight", zero=True)
        if not check_positive(self.dropout, "dropout", zero=True) < 1:
            raise ValueError(f"dropout must be below 1, got {self.dropout!r}")
        if self.cold_rule is not None and not isinstance(self.cold_rule, ColdRule):
            raise TypeError(f"cold_rule must be a ColdRule, got {self.cold_rule!r}")
        check_count(self.max_dense_items, "max_dense_items")
        check_count(self.n_factors, "n_factors")

    def _learn_likes(self, likes: sparse.csr_array, item_vectors: pd.DataFrame | None) -> None:
        vectors = aligned_vectors(item_vectors, self.item_ids_)
        has_text = vectors.any(axis=1)
        self.mean_ = vectors[has_text].mean(axis=0) if has_text.any() else vectors[0]
        self.text_ = centred(vectors, self.mean_)
        is_dense = len(self.item_ids_) < self.max_dense_items
        self.form_ = "dense" if is_dense else "low-rank"
        if not is_dense:
            logger.warning(
                "%d items are too many for the exact form (max_dense_items=%d): solved in %d "
                "directions",
                *(len(self.item_ids_), self.max_dense_items, self.n_factors),
            )
        new = self._new()
        self._choose(likes, new)
        solver = self._solver(self.text_, "float64", once=True)
        model = solver(likes, self.l2_, self.text_weight_)
        n_likes = likes.sum(axis=0)
        self.model_ = with_cold(model, self.cold_rule_, self.text_, n_likes, new).rounded()

    def _new(self) -> NDArray[np.bool_]:
        if self.new_items is None:
            return np.zeros(len(self.item_ids_), dtype=bool)
        if isinstance(self.new_items, Iterator):  # the next fit would find it empty
            raise TypeError("new_items must be a list, array or Series of ids, got an iterator")
        ids = given_ids(self.new_items, "new_items")
        unknown = ids[~ids.isin(self.item_ids_)]
        if len(unknown):
            raise ValueError(f"new_items are not in the catalogue: {shown(unknown)}")
        return np.asarray(self.item_ids_.isin(ids))

    def _choose(self, likes: sparse.csr_array, new: NDArray[np.bool_]) -> None:
        search = Search(likes, self.text_, self._solver, self.random_state, new)
        given = self.text_weight
        start = search.start() if self.l2 is None else float(self.l2)
        first = search.penalty(start, given or 0.0) if self.l2 is None else start
        self.text_weight_ = search.text_weight(first) if given is None else float(given)
        again = self.l2 is None and given is None and self.text_weight_ > 0
        self.l2_ = search.penalty(first, self.text_weight_) if again else first
        self.cold_rule_ = self.cold_rule or self._best_rule(search, bool(new.any()))
        if self.cold_rule_.needs_likes and self.form_ == "low-rank":
            raise ValueError(
                f"cold_rule {self.cold_rule_.kind!r} needs the dense form, but the catalogue has "
                f"{len(self.item_ids_)} items; raise max_dense_items or take 'ridge'"
            )
        self.validation_ = search.table()

    def _best_rule(self, search: Search, are_new: bool) -> ColdRule:
        rules = [r for r in COLD_RULES if self.form_ == "dense" or not r.needs_likes]
        settings = self.l2_, self.text_weight_
        rule = search.cold_rule(*settings, rules)
        return search.scaled(*settings, search.worth(*settings, rule) if are_new else rule)

    def _solver(
        self, text: Doubles, dtype: str = "float32", *, once: bool = False
    ) -> DenseSolver | LowRankSolver:
        if self.form_ == "dense":
            return DenseSolver(text, self.dropout, dtype, once=once)
        return LowRankSolver(text, self.dropout, self.n_factors, self.random_state)

    def _scores(self, users: Positions) -> Floats:
        return self.model_.scores(self.likes_[users])
