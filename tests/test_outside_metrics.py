"""The ranking metrics against four outside libraries, each asked for what it defines."""

import numpy as np
import pandas as pd
import pytest
import pytrec_eval
import torch
from implicit.evaluation import ranking_metrics_at_k
from scipy import sparse
from sklearn import metrics as sk
from torchmetrics import retrieval

from recsys_interest.list_metrics import per_list_metrics
from recsys_interest.ranking_metrics import per_user_metrics

N_USERS, N_ITEMS, LENGTH = 60, 25, 12


@pytest.fixture(scope="module")
def case():
    """Lists of different lengths, users without a list, more relevant items than places."""
    rng = np.random.default_rng(4)
    lists, relevant = [], []
    for u in range(N_USERS):
        n = int(rng.integers(0, LENGTH + 1)) if u % 3 else LENGTH
        lists += [(u, i, r) for r, i in enumerate(rng.permutation(N_ITEMS)[:n], 1)]
        relevant += [(u, i) for i in rng.permutation(N_ITEMS)[: rng.integers(1, 13)]]
    return (
        pd.DataFrame(lists, columns=["user_id", "item_id", "rank"]),
        pd.DataFrame(relevant, columns=["user_id", "item_id"]),
    )


@pytest.mark.rows("M03")
@pytest.mark.parametrize("k", [1, 3, 10])
def test_trec_eval(case, k):
    lists, relevant = case
    wanted = {str(u): {str(i): 1 for i in own} for u, own in relevant.groupby("user_id")["item_id"]}
    runs = {
        str(u): {str(i): float(-r) for i, r in zip(own["item_id"], own["rank"], strict=True)}
        for u, own in lists[lists["rank"] <= k].groupby("user_id")
    }
    names = {
        "precision": f"P_{k}",
        "recall": f"recall_{k}",
        "ndcg": f"ndcg_cut_{k}",
        "mrr": "recip_rank",
        "hit_rate": f"success_{k}",
        "map": f"map_cut_{k}",
    }
    measures = {n if n == "recip_rank" else n.rpartition("_")[0] + f".{k}" for n in names.values()}
    theirs = pytrec_eval.RelevanceEvaluator(wanted, measures).evaluate(runs)
    ours = per_user_metrics(lists, relevant, k)
    missing = [u for u in ours.index if str(u) not in theirs]
    assert missing, "the case must have users without a list"
    assert (ours.loc[missing] == 0).all(axis=None)  # trec_eval leaves them out of its means
    n = relevant.groupby("user_id").size()
    for name, their_name in names.items():
        found = pd.Series({int(u): v[their_name] for u, v in theirs.items()})
        if name == "map":  # theirs divides by all relevant items, ours by those that fit
            found = found * n[found.index] / n[found.index].clip(upper=k)
        np.testing.assert_allclose(ours.loc[found.index, f"{name}@{k}"], found, rtol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 10])
def test_torchmetrics(case, k):
    lists, relevant = case
    # It sees whole rankings: what is not in the list stands behind it.
    keys = ["user_id", "item_id"]
    grid = pd.MultiIndex.from_product([range(N_USERS), range(N_ITEMS)], names=keys)
    grid = grid.to_frame(index=False)
    full = grid.merge(lists, how="left", on=keys)
    full = full.merge(relevant.assign(hit=True), how="left", on=keys)
    hit = full["hit"].eq(True).to_numpy()
    keep = full["rank"].le(k).to_numpy() | hit
    # Above zero: what scores below, torchmetrics counts as a miss.
    value = 2000.0 - full["rank"].where(full["rank"] <= k, 1000.0).to_numpy()
    # A relevant item that was not recommended must not slip into the first k.
    last = pd.DataFrame({"user_id": np.repeat(np.arange(N_USERS), k)})
    index = np.concatenate([full["user_id"].to_numpy()[keep], last["user_id"]])
    score = np.concatenate([value[keep], np.full(len(last), 1500.0)])
    target = np.concatenate([hit[keep], np.zeros(len(last), dtype=bool)])
    ours = per_user_metrics(lists, relevant, k).mean()
    pairs = {
        "precision": retrieval.RetrievalPrecision,
        "recall": retrieval.RetrievalRecall,
        "ndcg": retrieval.RetrievalNormalizedDCG,
        "mrr": retrieval.RetrievalMRR,
        "hit_rate": retrieval.RetrievalHitRate,
    }
    for name, theirs in pairs.items():
        found = theirs(top_k=k)(
            torch.tensor(score, dtype=torch.float32),
            torch.tensor(target),
            indexes=torch.tensor(index, dtype=torch.long),
        )
        np.testing.assert_allclose(ours[f"{name}@{k}"], float(found), rtol=1e-5)


class Fixed:
    """Hands out lists that were made before, the way `implicit` asks for them."""

    def __init__(self, table):
        self.table = table

    def recommend(self, userid, user_items, N, **options):
        return self.table[userid, :N], None


@pytest.mark.parametrize("k", [1, 3, 10])
def test_implicit(case, k):
    lists, relevant = case
    full = lists.groupby("user_id").size().eq(LENGTH)
    users = full.index[full]
    lists = lists[lists["user_id"].isin(users)]
    relevant = relevant[relevant["user_id"].isin(users)]
    table = np.zeros((N_USERS, LENGTH), dtype=np.int32)
    table[lists["user_id"], lists["rank"] - 1] = lists["item_id"]
    shape = (N_USERS, N_ITEMS)
    ones = np.ones(len(relevant))
    test = sparse.csr_matrix((ones, (relevant["user_id"], relevant["item_id"])), shape=shape)
    theirs = ranking_metrics_at_k(
        Fixed(table), sparse.csr_matrix(shape), test, K=k, show_progress=False
    )
    ours = per_user_metrics(lists, relevant, k).mean()
    np.testing.assert_allclose(ours[f"ndcg@{k}"], theirs["ndcg"], rtol=1e-12)
    np.testing.assert_allclose(ours[f"map@{k}"], theirs["map"], rtol=1e-12)
    # Its precision is over all users together, and over the hits that were possible.
    hits = per_user_metrics(lists, relevant, k)[f"precision@{k}"] * k
    possible = relevant.groupby("user_id").size().clip(upper=k)
    np.testing.assert_allclose(hits.sum() / possible.sum(), theirs["precision"], rtol=1e-12)


def test_one_list_four_libraries_three_numbers():
    # Five relevant items, three places, hits at the first and the third.
    lists = pd.DataFrame({"user_id": 1, "item_id": list("axb"), "rank": [1, 2, 3]})
    relevant = pd.DataFrame({"user_id": 1, "item_id": list("abcde")})
    ours = per_user_metrics(lists, relevant, 3).loc[1, "map@3"]
    trec = pytrec_eval.RelevanceEvaluator({"1": dict.fromkeys("abcde", 1)}, {"map_cut.3"})
    theirs = trec.evaluate({"1": {"a": 3.0, "x": 2.0, "b": 1.0}})["1"]["map_cut_3"]
    score, hit = torch.tensor([6.0, 5, 4, 3, 2, 1]), torch.tensor([1, 0, 1, 1, 1, 1])
    torchs = retrieval.RetrievalMAP(top_k=3)(score, hit, indexes=torch.zeros(6, dtype=torch.long))
    learn = sk.average_precision_score([1, 0, 1], [3, 2, 1])
    np.testing.assert_allclose(ours, (1 + 2 / 3) / 3, rtol=1e-12)
    np.testing.assert_allclose(theirs, (1 + 2 / 3) / 5, rtol=1e-12)
    np.testing.assert_allclose([float(torchs), learn], (1 + 2 / 3) / 2, rtol=1e-6)


def test_the_distance_is_that_of_scipy():
    from scipy.spatial.distance import pdist

    rng = np.random.default_rng(0)
    vectors = pd.DataFrame(rng.normal(size=(30, 6)), index=range(30))
    rows = [(u, i, r) for u in range(20) for r, i in enumerate(rng.permutation(30)[:8], 1)]
    lists = pd.DataFrame(rows, columns=["user_id", "item_id", "rank"])
    found = per_list_metrics(lists, 5, item_vectors=vectors)["intra_list_distance@5"]
    for user, own in lists[lists["rank"] <= 5].groupby("user_id"):
        expected = pdist(vectors.loc[own["item_id"]], "cosine").mean()
        np.testing.assert_allclose(found[user], expected, rtol=1e-6)
