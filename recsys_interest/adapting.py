"""Fit the vectors of an encoder to behaviour, and measure on new items whether that helped.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import RidgeCV
from sklearn.utils.extmath import randomized_svd
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import check_count, check_same_ids
from recsys_interest.contrastive import train_contrastive
from recsys_interest.encoder import TextEncoder
from recsys_interest.event_weights import event_strength
from recsys_interest.new_items import compare_on_new_items
from recsys_interest.schema import validate_events, validate_items
from recsys_interest.splitting import cold_item_split
from recsys_interest.text import item_text
from recsys_interest.text_pairs import behaviour_pairs
from recsys_interest.training_plan import TrainingPlan, TrainingResult
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["Adaptation", "BehaviourAdapter", "adapt"]

_ALPHAS = tuple(10.0**n for n in np.arange(-2, 4.5, 0.5))

#: Few and careful steps: the model has seen a billion pairs, the log has thousands.
ADAPTING_PLAN = TrainingPlan(steps=100, batch_size=32, learning_rate=3e-4, evaluate_every=25)


class BehaviourAdapter(TransformerMixin, BaseEstimator):
    r"""Text vectors to behaviour factors, in closed form.

    Let :math:`R` be the matrix of users by items, 1 where a user has an event that speaks for the
    item. Its truncated singular value decomposition :math:`R \approx U S V^\top` gives each item
    the factors :math:`f_i`, row i of :math:`V S`, scaled to length one: items with the same fans
    have the same direction. A ridge regression then predicts them from the text vectors
    :math:`x_i`,

    .. math:: \hat{W}, \hat{b} = \operatorname*{arg\,min}_{W, b}
       \sum_i \lVert f_i - W x_i - b \rVert^2 + \alpha \lVert W \rVert^2 ,

    with the :math:`\alpha` that has the least error when each item is left out once. An item of the
    log keeps its factors; a new one gets :math:`\hat{W} x + \hat{b}`. Both lie in one space.

    Parameters
    ----------
    n_factors : int, default 64
        Factors of an item, fewer if the matrix has no more.
    alphas : sequence of float, optional
        The :math:`\alpha` to choose from; by default from 0.01 to 10,000 in half powers of ten.
    random_state : int, default 0
        Seed of the decomposition.

    Attributes
    ----------
    factors_ : DataFrame, shape (n_known_items, n_factors)
        The factors of the items of the log, of length one.
    ridge_ : RidgeCV
        The regression.
    alpha_ : float
        The strength it chose.
    n_features_in_ : int
        Length of a text vector.

    Notes
    -----
    The mapping to factors of new items: Gantner et al. (2010), "Learning Attribute-to-Feature
    Mappings for Cold-Start Recommendations", doi:10.1109/ICDM.2010.129. Chapter 04, "Training the
    language model".

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": ["a", "b", "c", "d"],
    ...                     "event": "like", "timestamp": pd.Timestamp("2026-01-01", tz="UTC")})
    >>> vectors = pd.DataFrame([[1.0, 0.1], [0.9, 0.0], [0.1, 1.0], [0.0, 0.9], [1.0, 0.0]],
    ...                        index=list("abcde"))
    >>> adapted = BehaviourAdapter(n_factors=2).fit(vectors, log).transform(vectors)
    >>> cosine = adapted @ adapted.T
    >>> bool(cosine.loc["e", "a"] > 0.9 > 0.1 > cosine.loc["e", "c"])
    True
    """

    def __init__(
        self,
        n_factors: int = 64,
        *,
        alphas: Sequence[float] | None = None,
        random_state: int = 0,
    ) -> None:
        self.n_factors = n_factors
        self.alphas = alphas
        self.random_state = random_state

    def fit(self, vectors: pd.DataFrame, events: pd.DataFrame) -> Self:
        """Learn factors from the log, and the way from text vectors to them.

        Parameters
        ----------
        vectors : DataFrame, shape (n_items, n_features)
            One text vector per item, indexed by item id.
        events : DataFrame
            Valid events (see `validate_events`).

        Returns
        -------
        BehaviourAdapter
            This object.

        Raises
        ------
        TypeError
            If an argument is of the wrong kind.
        ValueError
            If fewer than three items have a vector and an event that speaks for them.
        """
        check_count(self.n_factors, "n_factors")
        check_count(self.random_state, "random_state", 0)
        known = check_vectors(vectors, "vectors")
        table, items = _consumed(validate_events(events), known.index)
        n_factors = min(self.n_factors, *table.shape)
        _, size, right = randomized_svd(table, n_factors, n_iter=7, random_state=self.random_state)
        factors = unit_rows(right.T * size)
        self.ridge_ = RidgeCV(alphas=self.alphas or _ALPHAS)
        self.ridge_.fit(known.loc[items].to_numpy(dtype=float), factors)
        self.alpha_ = float(self.ridge_.alpha_)
        self.n_features_in_ = known.shape[1]
        self.factors_ = pd.DataFrame(
            factors.astype(np.float32), index=items, columns=_names(n_factors)
        )
        return self

    def transform(self, vectors: pd.DataFrame) -> pd.DataFrame:
        """Return the factors of items: those of the log where there are some, else predicted.

        Parameters
        ----------
        vectors : DataFrame, shape (n_items, n_features)
            One text vector per item, indexed by item id.

        Returns
        -------
        DataFrame of float32, shape (n_items, n_factors)
            In the order of `vectors`.

        Raises
        ------
        ValueError
            If the vectors are of another length than in `fit`.
        """
        check_is_fitted(self)
        rows = check_vectors(vectors, "vectors")
        if rows.shape[1] != self.n_features_in_:
            raise ValueError(
                f"vectors has {rows.shape[1]} columns, in fit it had {self.n_features_in_}"
            )
        check_same_ids(
            rows.index.to_series(), self.factors_.index.to_series(), "vectors.index", "the log"
        )
        predicted = self.ridge_.predict(rows.to_numpy(dtype=float)).reshape(len(rows), -1)
        adapted = pd.DataFrame(
            predicted.astype(np.float32), index=rows.index, columns=self.factors_.columns
        )
        there = rows.index.intersection(self.factors_.index)
        adapted.loc[there] = self.factors_.loc[there]
        return adapted.loc[vectors.index]

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """Return the column names, `f0`, `f1` and so on.

        Parameters
        ----------
        input_features : ignored
            There for scikit-learn's pipelines.

        Returns
        -------
        ndarray of str
            One name per factor.
        """
        check_is_fitted(self)
        return self.factors_.columns.to_numpy(dtype=object)


@dataclass(frozen=True, eq=False)
class Adaptation:
    """An encoder fitted to behaviour in two ways, and what each was worth on new items.

    Attributes
    ----------
    report : DataFrame
        What `compare_on_new_items` returns for `shuffled` (the frozen vectors, dealt to the wrong
        items), `frozen`, `ridge`, `fine-tuned`, and `fine-tuned + ridge`.
    adapter : BehaviourAdapter
        Fitted to the vectors of the frozen encoder.
    fine_tuned : TrainingResult
        The fine-tuned encoder, and its losses.
    new_items : Index
        The items whose events were held out.
    """

    report: pd.DataFrame
    adapter: BehaviourAdapter
    fine_tuned: TrainingResult
    new_items: pd.Index


def adapt(
    encoder: TextEncoder,
    events: pd.DataFrame,
    items: pd.DataFrame,
    folder: str | os.PathLike[str],
    *,
    n_factors: int = 64,
    n_layers: int | None = 1,
    n_pairs: int = 10_000,
    held_out_share: float = 0.2,
    k: int = 10,
    plan: TrainingPlan | None = None,
    random_state: int = 0,
    progress: bool = True,
) -> Adaptation:
    """Adapt an encoder to a log in two ways, and compare both with the frozen one on new items.

    Some items lose all their events, as if they were new. From the rest of the log are learned: a
    `BehaviourAdapter` (closed form, seconds), and new weights for the last layers of the encoder
    (`train_contrastive` on `behaviour_pairs`). Then each must bring the new items to the users who
    liked them.

    Parameters
    ----------
    encoder : TextEncoder
        The frozen one.
    events : DataFrame
        Valid events (see `validate_events`); those with an `event_strength` above 0 count.
    items : DataFrame
        Valid items (see `validate_items`).
    folder : path
        Where the fine-tuned model goes; see `train_contrastive`.
    n_factors : int, default 64
        See `BehaviourAdapter`.
    n_layers : int, optional
        Last layers to fine-tune, by default one; None for all.
    n_pairs : int, default 10,000
        See `behaviour_pairs`.
    held_out_share : float, default 0.2
        Share of the items that are held out.
    k : int, default 10
        Length of the lists.
    plan : TrainingPlan, optional
        Of the fine-tuning; by default 100 steps of 32 pairs with the rate 0.0003.
    random_state : int, default 0
        Seed of everything.
    progress : bool, default True
        Show a bar when it takes longer than two seconds.

    Returns
    -------
    Adaptation
        The report, gain or no gain, and what was learned.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If the log is too small to hold items out.

    Notes
    -----
    Chapter 04, "Training the language model". What was learned saw no event of the new items.

    Rows: F13.

    Examples
    --------
    >>> from recsys_interest import load_dataset
    >>> films = load_dataset("movielens-small")  # doctest: +SKIP
    >>> done = adapt(TextEncoder(), films.events, films.items, "adapted")  # doctest: +SKIP
    >>> done.report[["recall@10", "gain", "gain_low", "gain_high"]]  # doctest: +SKIP
    """
    if not isinstance(encoder, TextEncoder):
        raise TypeError(f"encoder must be a TextEncoder, got {type(encoder).__name__}")
    log, catalogue = validate_events(events), validate_items(items)
    texts = item_text(catalogue)
    split = cold_item_split(log, test_share=held_out_share, random_state=random_state)
    train = split.train
    liked = split.test[event_strength(split.test) > 0]
    relevant = liked[["user_id", "item_id"]].drop_duplicates()
    frozen = encoder.transform(texts)
    adapter = BehaviourAdapter(n_factors, random_state=random_state).fit(frozen, train)
    fine_tuned = train_contrastive(
        encoder.model,
        behaviour_pairs(train, texts, n_pairs=n_pairs, random_state=random_state),
        folder,
        n_layers=n_layers,
        plan=plan or ADAPTING_PLAN,
        random_state=random_state,
        device=encoder.device,
        progress=progress,
    )
    moved = TextEncoder(fine_tuned.folder, device=encoder.device, progress=progress).transform(
        texts
    )
    both = BehaviourAdapter(n_factors, random_state=random_state).fit(moved, train)
    rng = np.random.default_rng(random_state)
    dealt = frozen.set_axis(frozen.index[rng.permutation(len(frozen))])
    vectors = {
        "frozen": frozen,
        "shuffled": dealt,
        "ridge": adapter.transform(frozen),
        "fine-tuned": moved,
        "fine-tuned + ridge": both.transform(moved),
    }
    report = compare_on_new_items(vectors, train, relevant, k=k, random_state=random_state)
    order = ["shuffled", *(name for name in vectors if name != "shuffled")]
    new_items = pd.Index(relevant["item_id"].unique(), name="item_id").sort_values()
    return Adaptation(report.loc[order], adapter, fine_tuned, new_items)


def _consumed(log: pd.DataFrame, known: pd.Index) -> tuple[sparse.csr_array, pd.Index]:
    """Return who has an event for which item, and the items with one and with a vector."""
    check_same_ids(log["item_id"], known.to_series(), "events.item_id", "vectors.index")
    kept = log[(event_strength(log) > 0) & log["item_id"].isin(known)]
    seen = kept[["user_id", "item_id"]].drop_duplicates()
    rows, users = pd.factorize(seen["user_id"], sort=True)
    columns, items = pd.factorize(seen["item_id"], sort=True)
    if len(items) < 3:
        raise ValueError(
            f"{len(items)} item(s) have a vector and an event that speaks for them; 3 are needed"
        )
    shape = (len(users), len(items))
    return sparse.csr_array((np.ones(len(seen)), (rows, columns)), shape=shape), pd.Index(items)


def _names(n_factors: int) -> list[str]:
    return [f"f{i}" for i in range(n_factors)]
