"""The consensus against all pairs of users and SciPy's linkage, and what must not matter to it."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics import adjusted_rand_score

from recsys_interest import consensus
from recsys_interest.consensus import consensus_clusters


def by_pairs(labelings):
    """Return the co-association of every pair of users, from its definition."""
    rows = labelings.to_numpy().tolist()
    n = len(rows)
    together = np.eye(n)
    for i, j in combinations(range(n), 2):
        shared = [a == b and a != -1 for a, b in zip(rows[i], rows[j], strict=True)]
        together[i, j] = together[j, i] = np.mean(shared)
    return together


def noisy(truth, n_labelings, wrong, seed=0):
    """Return labelings that each put the share `wrong` of the users anywhere."""
    rng = np.random.default_rng(seed)
    k = truth.max() + 1
    columns = {
        f"a{b}": np.where(rng.random(len(truth)) < wrong, rng.integers(0, k, len(truth)), truth)
        for b in range(n_labelings)
    }
    index = pd.Index([f"u{i:03d}" for i in range(len(truth))], name="user_id")
    return pd.DataFrame(columns, index=index)


TRUTH = np.repeat(np.arange(4), [40, 30, 20, 10])


@pytest.mark.rows("Q05")
@pytest.mark.parametrize("n_clusters", [None, 4])
def test_the_crowd_is_better_than_each(n_clusters):
    labelings = noisy(TRUTH, 7, wrong=0.3)
    found = consensus_clusters(labelings, n_clusters)
    each = [adjusted_rand_score(TRUTH, labelings[c]) for c in labelings]
    whole = found["cluster"] < 4
    ours = adjusted_rand_score(TRUTH[whole], found["cluster"][whole])
    assert whole.mean() > 0.9
    assert ours > max(each) + 0.15
    assert ours > 0.9


def test_agreement_is_low_where_labels_are_random_and_one_where_they_are_equal():
    random = consensus_clusters(noisy(TRUTH, 7, wrong=1.0), 4)
    assert random["agreement"].mean() < 0.5
    assert abs(adjusted_rand_score(TRUTH, random["cluster"])) < 0.1
    equal = consensus_clusters(noisy(TRUTH, 7, wrong=0.0))
    assert (equal["agreement"] == 1).all()
    assert equal["cluster"].tolist() == TRUTH.tolist()


def test_users_on_whom_the_algorithms_disagree_are_the_wrong_ones():
    labelings = noisy(TRUTH, 5, wrong=0.4, seed=2)
    found = consensus_clusters(labelings, 4)
    majority = found["cluster"].groupby(TRUTH).agg(lambda s: s.mode()[0])
    right = (found["cluster"].to_numpy() == majority.loc[TRUTH].to_numpy()).astype(bool)
    assert 0.5 < right.mean() < 1
    assert found["agreement"][right].mean() > found["agreement"][~right].mean() + 0.1


@pytest.mark.parametrize("seed", range(8))
def test_linkage_is_scipys(seed):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 4, 12)
    similar = rng.random((12, 12))
    similar = np.triu(similar, 1) + np.triu(similar, 1).T
    merges = consensus._average_linkage(similar, sizes)
    who = np.repeat(np.arange(12), sizes)  # a pattern of three users is three points at one place
    away = np.where(who[:, None] == who, 0.0, 1 - similar[who][:, who])
    tree = linkage(squareform(away), "average")
    heights = tree[len(who) - 12 :, 2]
    np.testing.assert_allclose(sorted(1 - m[0] for m in merges), heights, rtol=1e-10)
    for k in (1, 2, 5, 12):
        ours = consensus._cut(merges, 12, k)
        theirs = fcluster(tree, k, criterion="maxclust")
        assert adjusted_rand_score(ours[who], theirs) == 1
    ours = consensus._cut(merges, 12, None)
    assert adjusted_rand_score(ours[who], fcluster(tree, 0.5, criterion="distance")) == 1


few = st.integers(-1, 3)


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_properties_of_any_small_table(data):
    width = data.draw(st.integers(1, 4))
    rows = data.draw(st.lists(st.tuples(*[few] * width), min_size=1, max_size=10))
    labelings = pd.DataFrame(rows, index=[f"u{i}" for i in range(len(rows))])
    found = consensus_clusters(labelings)
    assert found.index.equals(labelings.index)

    order = data.draw(st.permutations(range(len(rows))))
    pd.testing.assert_frame_equal(consensus_clusters(labelings.iloc[order]), found.iloc[order])
    renamed = labelings.map({-1: "-1", 0: "d", 1: "a", 2: "c", 3: "b"}.get).replace("-1", -1)
    pd.testing.assert_frame_equal(consensus_clusters(renamed), found)
    turned = consensus_clusters(labelings[labelings.columns[::-1]])
    pd.testing.assert_frame_equal(turned, found)

    together = by_pairs(labelings)
    noise = (labelings == -1).mean(axis=1).to_numpy()
    cluster = found["cluster"].to_numpy()
    assert ((cluster == -1) == (noise > 0.5)).all()
    for i, (own, agreement) in enumerate(found.to_numpy()):
        others = [j for j in range(len(rows)) if j != i and cluster[j] == own]
        if own == -1:
            assert agreement == noise[i]
        elif others:
            assert agreement == pytest.approx(together[i, others].mean())
        else:
            assert np.isnan(agreement)
    # No two clusters are together for a majority: one more merge was not allowed.
    for a, b in combinations(range(cluster.max() + 1), 2):
        assert together[np.ix_(cluster == a, cluster == b)].mean() <= 0.5 + 1e-9
    sizes = np.bincount(cluster[cluster >= 0], minlength=1)
    assert (np.diff(sizes) <= 0).all()


def test_noise_of_the_majority_is_noise():
    labelings = pd.DataFrame(
        {"a": [0, 0, -1, -1], "b": [0, 0, -1, 0], "c": [1, 1, 1, 1]}, index=[4, 3, 2, 1]
    )
    found = consensus_clusters(labelings)
    assert found["cluster"].tolist() == [0, 0, -1, 0]
    assert found["agreement"].tolist() == pytest.approx([5 / 6, 5 / 6, 2 / 3, 2 / 3])
    nobody = consensus_clusters(labelings * 0 - 1)
    assert nobody["cluster"].tolist() == [-1] * 4
    assert nobody["agreement"].tolist() == [1] * 4


def test_one_user_and_one_labeling():
    one = consensus_clusters(pd.DataFrame({"a": [3]}, index=["ann"]))
    assert one["cluster"].tolist() == [0]
    assert one["agreement"].isna().all()
    alone = noisy(TRUTH, 1, wrong=0.0)
    assert consensus_clusters(alone)["cluster"].tolist() == TRUTH.tolist()


def test_many_patterns_give_nearly_the_same(monkeypatch):
    labelings = noisy(np.repeat(TRUTH, 5), 9, wrong=0.3)
    full = consensus_clusters(labelings, 4)
    n_patterns = len(labelings.drop_duplicates())
    assert n_patterns > 300
    monkeypatch.setattr(consensus, "MOST_PATTERNS", 150)
    quick = consensus_clusters(labelings, 4)
    truth = np.repeat(TRUTH, 5)
    assert adjusted_rand_score(quick["cluster"], truth) > 0.9
    assert adjusted_rand_score(quick["cluster"], full["cluster"]) > 0.9
    mixed = labelings.sample(frac=1, random_state=0)
    pd.testing.assert_frame_equal(consensus_clusters(mixed, 4).loc[quick.index], quick)


GOOD = noisy(TRUTH, 3, wrong=0.2)


@pytest.mark.parametrize(
    ("labelings", "n_clusters", "error", "message"),
    [
        (GOOD.to_numpy(), None, TypeError, "labelings must be a DataFrame, .* got ndarray"),
        (GOOD[:0], None, ValueError, r"needs users and columns, it has the shape \(0, 3\)"),
        (GOOD[[]], None, ValueError, "needs users and columns"),
        (pd.concat([GOOD, GOOD[:1]]), None, ValueError, "has the users 'u000' more than once"),
        (GOOD.drop("u007").reindex(GOOD.index), None, ValueError, "'a0'.* is missing for 'u007'"),
        (GOOD, 0, ValueError, "n_clusters must be at least 1, got 0"),
        (GOOD, 2.0, TypeError, "n_clusters must be a whole number"),
        (GOOD[["a0"]], 5, ValueError, "n_clusters = 5, but the labelings tell only 4 groups"),
    ],
)
def test_bad_labelings_are_named(labelings, n_clusters, error, message):
    with pytest.raises(error, match=message):
        consensus_clusters(labelings, n_clusters)
