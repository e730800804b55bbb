"""What comes next: a recurrent network over the vectors of the items, in the order of the events.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import check_count, check_share
from recsys_interest.event_weights import event_strength
from recsys_interest.product_recommender import ProductRecommender
from recsys_interest.recommend import made_fallback
from recsys_interest.recommender import (
    Floats,
    Positions,
    Recommender,
    dense_rows,
)
from recsys_interest.training import train
from recsys_interest.training_plan import TrainingPlan, losses_frame
from recsys_interest.vectors import check_item_vectors, unit_rows
from recsys_interest.word_pieces import padded

if TYPE_CHECKING:
    import torch

__all__ = ["GRURecommender"]

#: By default: small, so that a log of some ten thousand events takes seconds.
GRU_PLAN = TrainingPlan(steps=300, batch_size=64, learning_rate=3e-3, evaluate_every=30)

_HELD_OUT_SHARE = 0.1
_USERS_AT_ONCE = 256


class GRURecommender(ProductRecommender):
    r"""Recommend what a gated recurrent unit expects after the items a user had.

    The items of a user, in the order of time, are read as their vectors :math:`x_1, \dots, x_n`.
    With a learned projection :math:`P`, a learned number :math:`\beta` and the share :math:`q_j` of
    item j among all the items read (each counted once more, so that none is 0),

    .. math:: h_t = \mathrm{GRU}(P x_t, h_{t-1}), \qquad
       p(j \mid x_1, \dots, x_t) \propto \exp(h_t^\top P x_j + \beta \log q_j)

    and training maximises the log-probability of :math:`x_{t+1}` at every place :math:`t`.
    :math:`\beta` begins at 1: before any training the list is popularity. An item that has a vector
    but no event can be recommended too.

    Parameters
    ----------
    hidden_size : int, default 64
        Length of the state :math:`h`.
    max_length : int, default 50
        Only so many last items of a user are read.
    dropout : float, default 0.2
        Share of the inputs and states that are dropped in training.
    plan : TrainingPlan, optional
        By default 300 steps of 64 users with the rate 0.003. A tenth of the users are held out for
        early stopping.
    fallback : Recommender, optional
        Answers for users without a single usable event; `PopularityRecommender` if not given. It is
        cloned and fitted on the same tables.
    random_state : int, default 0
        Seed of weights, split, batches and dropout.
    device : str, optional
        By default a GPU if there is one.
    progress : bool, default True
        Show a bar when it takes longer than two seconds.

    Attributes
    ----------
    losses_ : DataFrame
        `step`, `train_loss` and `held_out_loss` of each look.
    user_states_ : ndarray of float64, shape (n_users, hidden_size + 1)
        :math:`h` after the last item, and a one; zeros without a usable event.
    item_states_ : ndarray of float64, shape (n_items, hidden_size + 1)
        :math:`P x_j` and :math:`\beta \log q_j`.
    fallback_ : Recommender
        The fitted fallback.

    Notes
    -----
    Cho et al. (2014) for the unit; Hidasi et al. (2016), "Session-based Recommendations with
    Recurrent Neural Networks". Usable events are those that speak for an item (`event_strength`
    above 0) with a vector. Chapter 04, "Training the language model".

    Rows: F07.

    Examples
    --------
    After a comes b, after b comes c, and so on in a ring.

    >>> import numpy as np
    >>> import pandas as pd
    >>> ring = [(user, (user + t) % 8, t) for user in range(32) for t in range(4)]
    >>> log = pd.DataFrame(ring, columns=["user_id", "item_id", "day"])
    >>> log["timestamp"] = pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(log["day"], "D")
    >>> vectors = pd.DataFrame(np.eye(8))
    >>> model = GRURecommender(dropout=0.0, progress=False).fit(log, item_vectors=vectors)
    >>> model.recommend([0, 1, 6], k=1)["item_id"].tolist()
    [4, 5, 2]
    """

    source = "gru"

    def __init__(
        self,
        hidden_size: int = 64,
        *,
        max_length: int = 50,
        dropout: float = 0.2,
        plan: TrainingPlan | None = None,
        fallback: Recommender | None = None,
        random_state: int = 0,
        device: str | None = None,
        progress: bool = True,
    ) -> None:
        self.hidden_size = hidden_size
        self.max_length = max_length
        self.dropout = dropout
        self.plan = plan
        self.fallback = fallback
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def _learn(
        self, log: pd.DataFrame, items: pd.DataFrame | None, item_vectors: pd.DataFrame | None
    ) -> None:
        check_count(self.hidden_size, "hidden_size")
        check_count(self.max_length, "max_length", 2)
        check_count(self.random_state, "random_state", 0)
        check_share(self.dropout, "dropout", 0.9)
        vectors = check_item_vectors(item_vectors, self.item_ids_)
        rows = unit_rows(vectors.reindex(self.item_ids_, fill_value=0.0).to_numpy())
        self.has_vector_: npt.NDArray[np.bool_] = np.asarray(rows.any(axis=1))
        self.fallback_ = made_fallback(self.fallback, None, 3.0).fit(log, items, item_vectors)
        self._read = self._sequences(log, self.user_ids_)
        self._task = _NextItemTask(self, rows, [s for s in self._read if len(s)])
        self.losses_ = self._task.train()
        self.item_states_ = self._task.item_states()
        self.user_states_ = self._task.user_states(self._read)

    def _take_in(self, asked: pd.Index, users: Positions, session: pd.DataFrame) -> Positions:
        states = dense_rows(self.user_states_, users)
        for place, more in enumerate(self._sequences(session, asked)):
            if len(more):
                before = self._read[users[place]] if users[place] >= 0 else more[:0]
                sequence = np.append(before, more)[-self.max_length :]
                # One by one: in a batch the last digits depend on who else is in it.
                states[place] = self._task.user_states([sequence])[0]
        self.user_states_ = states
        return np.arange(len(users))

    def _sequences(self, log: pd.DataFrame, user_ids: pd.Index) -> list[Positions]:
        """Return the usable items of each user, oldest first."""
        item = self.item_ids_.get_indexer(log["item_id"])
        usable = (event_strength(log).to_numpy() > 0) & self.has_vector_[item]
        kept = log[usable].sort_values(["user_id", "timestamp", "item_id"], kind="stable")
        item = self.item_ids_.get_indexer(kept["item_id"])
        user = user_ids.get_indexer(kept["user_id"])
        item = item[np.argsort(user, kind="stable")]
        bounds = np.searchsorted(np.sort(user), np.arange(1, len(user_ids)))
        return [part[-self.max_length :] for part in np.split(item, bounds)]

    def _can_score(self, users: Positions) -> npt.NDArray[np.bool_]:
        return np.logical_and(users >= 0, self.user_states_[users].any(axis=1))

    def _vectors(self) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
        return self.user_states_, self.item_states_, self.has_vector_


class _NextItemTask:
    """The network with its sequences: the loss of a batch, and of the users held out."""

    def __init__(
        self, settings: GRURecommender, vectors: npt.NDArray[Any], sequences: list[Positions]
    ) -> None:
        import torch

        from recsys_interest.language_model import usable_device

        self.settings = settings
        self.plan = settings.plan or GRU_PLAN
        self.device = usable_device(settings.device)
        rng = np.random.default_rng(settings.random_state)
        long = [s for s in sequences if len(s) > 1]
        order = rng.permutation(len(long))
        n_held_out = min(max(1, round(_HELD_OUT_SHARE * len(long))), len(long) - 1)
        self.held = [long[i] for i in order[: max(0, n_held_out)]]
        self.trained = [long[i] for i in np.sort(order[max(0, n_held_out) :])]
        times = np.bincount(np.concatenate([*sequences, []]).astype(int), minlength=len(vectors))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.random_state)
            self.net = _make_network(vectors, times, settings).to(self.device)

    def train(self) -> pd.DataFrame:
        """Train, and return the losses; without a user who had two items there is nothing to do."""
        if not self.held:
            return losses_frame([])
        run = train(
            self.net,
            self.loss_at,
            self.held_out,
            self.plan,
            folder=None,
            settings={},
            random_state=self.settings.random_state,
            progress=self.settings.progress,
            name="next item",
        )
        return losses_frame(run.rows)

    def loss_at(self, rng: np.random.Generator) -> torch.Tensor:
        size = min(self.plan.batch_size, len(self.trained))
        chosen = rng.choice(len(self.trained), size, replace=False)
        total, count = self._loss([self.trained[i] for i in chosen])
        return total / count

    def held_out(self) -> float:
        parts = [
            self._loss(self.held[start : start + _USERS_AT_ONCE])
            for start in range(0, len(self.held), _USERS_AT_ONCE)
        ]
        return sum(float(total) for total, _ in parts) / sum(count for _, count in parts)

    def item_states(self) -> Floats:
        """Return the states of all items, with their biases."""
        import torch

        with torch.inference_mode():
            # Each vector once, so that items with the same vector tie to the last bit.
            vectors = self.net.vectors.cpu().numpy().astype(np.float64)
            distinct, which = np.unique(vectors, axis=0, return_inverse=True)
            projection = self.net.project.weight.cpu().numpy().astype(np.float64)
            bias = self.net.bias().cpu().numpy().astype(np.float64)
        return np.column_stack([(distinct @ projection.T)[which], bias])

    def user_states(self, sequences: list[Positions]) -> Floats:
        """Return the states after these sequences, with a one; zeros after none."""
        import torch

        self.net.eval()
        users = np.zeros((len(sequences), self.settings.hidden_size + 1))
        read = [i for i, s in enumerate(sequences) if len(s)]
        with torch.inference_mode():
            for start in range(0, len(read), _USERS_AT_ONCE):
                part = read[start : start + _USERS_AT_ONCE]
                ids, real = self._batch([sequences[i] for i in part])
                last = real.sum(dim=1) - 1
                found = self.net(ids)[torch.arange(len(part), device=self.device), last]
                users[part, :-1], users[part, -1] = found.cpu().numpy(), 1.0
        return users

    def _batch(self, sequences: list[Positions]) -> tuple[torch.Tensor, torch.Tensor]:
        import torch

        ids, real = padded([s.tolist() for s in sequences], 0)
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(real).to(self.device)

    def _loss(self, sequences: list[Positions]) -> tuple[torch.Tensor, int]:
        import torch

        ids, real = self._batch(sequences)
        states, following, asked = self.net(ids[:, :-1]), ids[:, 1:], real[:, 1:]
        scores = states[asked] @ self.net.items().T + self.net.bias()
        total = torch.nn.functional.cross_entropy(scores, following[asked], reduction="sum")
        return total, int(asked.sum())


def _make_network(
    vectors: npt.NDArray[Any], times: npt.NDArray[np.int64], settings: GRURecommender
) -> Any:
    import torch

    class Network(torch.nn.Module):
        vectors: torch.Tensor
        log_share: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            size = settings.hidden_size
            self.register_buffer("vectors", torch.from_numpy(vectors.astype(np.float32)))
            self.project = torch.nn.Linear(vectors.shape[1], size, bias=False)
            self.gru = torch.nn.GRU(size, size, batch_first=True)
            self.drop = torch.nn.Dropout(settings.dropout)
            share = np.log((times + 1) / (times + 1).sum())
            self.register_buffer("log_share", torch.from_numpy(share.astype(np.float32)))
            self.weight = torch.nn.Parameter(torch.ones(()))

        def bias(self) -> torch.Tensor:
            return self.weight * self.log_share

        def items(self) -> torch.Tensor:
            return self.project(self.vectors)

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.drop(self.gru(self.drop(self.project(self.vectors[ids])))[0])

    return Network()
