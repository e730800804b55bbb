"""Which cluster is which: the assignment, and what is left over."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.cluster_matching import match_clusters

PLACES = np.eye(6)


def users(*sizes, start=0):
    """One cluster of users for each size: 0, 0, 1, 1, 1, ..."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    return pd.Series(labels, index=[f"u{start + n}" for n in range(len(labels))])


def best_by_trying(same):
    """The largest sum of scores above one half, over every way to match."""
    old, new = same.shape
    wide = np.zeros((max(old, new), max(old, new)))
    wide[:old, :new] = np.where(same > 0.5, same, 0)
    rows = range(len(wide))
    return max(wide[rows, list(columns)].sum() for columns in permutations(rows))


def test_names_that_jump_are_found_again():
    before = users(4, 3, 5)
    after = before.map({0: 2, 1: 0, 2: 1})
    match = match_clusters(PLACES[:3], before, PLACES[[1, 2, 0]], after)
    assert match.continued.tolist() == [1, 2, 0]
    assert (match.parent == -1).all()
    assert (match.heir == -1).all()


def test_either_side_alone_is_enough_where_the_other_is_silent():
    before = users(4, 4)
    turned = 1 - before
    assert match_clusters(PLACES[:2], None, PLACES[[1, 0]], None).continued.tolist() == [1, 0]
    strangers = users(4, 4, start=100)
    assert match_clusters(PLACES[:2], before, PLACES[[1, 0]], strangers).continued.tolist() == [
        1,
        0,
    ]
    members = match_clusters(PLACES[:2], before, PLACES[:2], turned, member_weight=1.0)
    assert members.continued.tolist() == [1, 0]
    places = match_clusters(PLACES[:2], before, PLACES[:2], turned, member_weight=0.0)
    assert places.continued.tolist() == [0, 1]


def test_a_split_keeps_one_part_and_names_the_parent_of_the_other():
    before = users(10, 6)
    after = before.where(before != 0, [0] * 6 + [2] * 4 + [0] * 6)
    middle = PLACES[0] + PLACES[2]
    match = match_clusters([middle, PLACES[1]], before, PLACES[:3], after)
    assert match.continued.tolist() == [0, 1, -1]
    assert match.parent.tolist() == [-1, -1, 0]


def test_a_merge_keeps_the_larger_and_names_the_heir_of_the_other():
    after = users(10, 6)
    before = after.where(after != 0, [0] * 6 + [2] * 4 + [0] * 6)
    middle = PLACES[0] + PLACES[2]
    match = match_clusters(PLACES[:3], before, [middle, PLACES[1]], after)
    assert match.continued.tolist() == [0, 1]
    assert match.heir.tolist() == [-1, -1, 0]


def test_of_three_equal_parts_one_keeps_the_id():
    before = users(9)
    after = pd.Series([0, 1, 2] * 3, index=before.index)
    match = match_clusters(PLACES[:1], before, PLACES[3:6], after)
    assert sorted(match.continued) == [-1, -1, 0]
    assert sorted(match.parent) == [-1, 0, 0]
    back = match_clusters(PLACES[3:6], after, PLACES[:1], before)
    assert back.continued.tolist() in ([0], [1], [2])
    assert sorted(back.heir) == [-1, 0, 0]


def test_where_all_parts_are_far_away_the_largest_keeps_the_id():
    whole, parts = users(20), users(3, 10, 7)
    # One of the largest part came from elsewhere: its share is not the best, its size is.
    before = pd.concat([whole.drop("u4"), pd.Series([1] * 12, [f"v{n}" for n in range(12)])])
    before.loc["u4"] = 1
    after = pd.concat([parts, pd.Series([3] * 12, [f"v{n}" for n in range(12)])])
    match = match_clusters(PLACES[[0, 1]], before, PLACES[[2, 3, 4, 1]], after)
    assert match.continued.tolist() == [-1, 0, -1, 1]
    assert match.parent.tolist() == [0, -1, 0, -1]
    back = match_clusters(PLACES[[2, 3, 4, 1]], after, PLACES[[0, 1]], before)
    assert back.continued.tolist() == [1, 3]
    assert back.heir.tolist() == [0, -1, 0, -1]


def test_a_place_that_is_new_and_members_from_everywhere_are_a_birth():
    before = users(6, 6, 6)
    after = before.copy()
    after.iloc[[0, 1, 6, 7, 12, 13]] = 3
    match = match_clusters(PLACES[:3], before, PLACES[:4], after)
    assert match.continued.tolist() == [0, 1, 2, -1]
    assert match.parent.tolist() == [-1] * 4
    back = match_clusters(PLACES[:4], after, PLACES[:3], before)
    assert back.continued.tolist() == [0, 1, 2]
    assert back.heir.tolist() == [-1] * 4


def test_scores_by_hand():
    before, after = users(3, 1), pd.Series([0, 0, 1, 1], index=[f"u{n}" for n in range(4)])
    row = match_clusters(PLACES[:2], before, PLACES[:2], after).scores.set_index(
        ["before", "after"]
    )
    first = row.loc[(0, 0)]
    assert first["shared"] == 2
    assert first["centroids"] == pytest.approx(1.0)
    assert first["same"] == pytest.approx(0.5 * (2 * 2 / (3 + 2)) + 0.5)
    assert first["part"] == pytest.approx(1.0)
    assert first["joined"] == pytest.approx(2 / 3)
    half_way = match_clusters(PLACES[:2], None, [[1, 0.5, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1]], None)
    away = np.sqrt(2 - 2 / np.sqrt(1.25)) / np.sqrt(2)
    assert half_way.scores["same"].iloc[0] == pytest.approx(1 - away)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000))
def test_the_assignment_is_the_best_there_is(seed):
    rng = np.random.default_rng(seed)
    n_old, n_new = rng.integers(1, 5, 2)
    before = pd.Series(rng.integers(-1, n_old, 40))
    after = pd.Series(np.where(rng.random(40) < 0.7, before % n_new, rng.integers(-1, n_new, 40)))
    old, new = rng.normal(size=(n_old, 3)), rng.normal(size=(n_new, 3))
    match = match_clusters(old, before, new, after)
    same = match.scores["same"].to_numpy().reshape(n_old, n_new)
    assert same.min() >= 0
    assert same.max() <= 1 + 1e-12
    taken = match.continued[match.continued >= 0]
    assert taken.is_unique
    found = sum(same[i, j] for j, i in taken.items() if same[i, j] > 0.5)
    assert found == pytest.approx(best_by_trying(same))
    # Whoever goes on neither has a parent nor an heir.
    assert (match.parent[taken.index] == -1).all()
    assert (match.heir[taken.to_numpy()] == -1).all()


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000))
def test_what_the_clusters_are_called_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    before = pd.Series(rng.integers(0, 4, 60))
    after = pd.Series(np.where(rng.random(60) < 0.6, before, rng.integers(0, 4, 60)))
    old = rng.normal(size=(4, 5))
    new = old + rng.normal(0, 0.3, (4, 5))
    turn = rng.permutation(4)
    plain = match_clusters(old, before, new, after)
    turned = match_clusters(old, before, new[np.argsort(turn)], after.map(dict(enumerate(turn))))
    assert turned.continued[turn].tolist() == plain.continued.tolist()
    assert turned.parent[turn].tolist() == plain.parent.tolist()


def test_a_cluster_whose_members_are_gone_is_known_by_its_place():
    before = users(4, 4)
    after = pd.Series([1, 0, 0, 0, 1, 1], index=["u0", "u1", "u2", "u3", "new", "newer"])
    match = match_clusters(PLACES[:2], before, PLACES[:2], after)
    assert match.continued.tolist() == [0, 1]


def test_a_place_is_measured_by_the_nearer_neighbour_of_both_windows():
    new = np.array([[1.0, 0.05], [1.0, 0.8]])
    unit = new / np.linalg.norm(new, axis=1)[:, None]
    near = match_clusters(np.eye(2), None, new, None).scores["centroids"].iloc[0]
    away, apart = np.linalg.norm(unit[0] - [1, 0]), np.linalg.norm(unit[0] - unit[1])
    assert near == pytest.approx(1 - away / apart)


def test_of_a_single_cluster_a_right_angle_is_as_far_as_another_one():
    near = match_clusters([[2.0, 0.0]], None, [[1.0, 1.0]], None).scores["centroids"].item()
    assert near == pytest.approx(1 - np.sqrt(2 - np.sqrt(2)) / np.sqrt(2))
    opposite = match_clusters([[1.0, 0.0], [-1.0, 0.0]], None, [[1.0, 1.0]], None)
    np.testing.assert_allclose(opposite.scores["centroids"], [near, 0.0])


def test_centroids_in_one_place_are_no_measure_of_what_is_different():
    twice = [[1.0, 0.0], [1.0, 0.0]]
    assert (match_clusters(twice, None, [[1.0, 0.0]], None).scores["centroids"] == 0).all()


def test_a_score_of_one_half_is_no_match_and_does_not_count_in_the_sum():
    # Both halves together are more than the one score above it.
    pairs = [(0, 0)] * 8 + [(0, 1)] * 4 + [(1, 0)] * 4
    before, after = (pd.Series([pair[side] for pair in pairs]) for side in (0, 1))
    match = match_clusters(PLACES[:2], before, PLACES[:2], after, member_weight=1.0)
    assert match.scores["same"].tolist() == pytest.approx([2 / 3, 0.5, 0.5, 0.0])
    assert match.continued.tolist() == [0, -1]
    assert match_clusters(PLACES[:1], None, PLACES[1:2], None).continued.tolist() == [-1]


def test_half_of_the_members_are_no_majority():
    before = users(10, 10)
    after = before.copy()
    after.iloc[[0, 1, 2, 10, 11, 12]] = 2
    match = match_clusters(PLACES[:2], before, PLACES[:3], after)
    assert match.continued.tolist() == [0, 1, -1]
    assert match.parent.tolist() == [-1, -1, -1]
    back = match_clusters(PLACES[:3], after, PLACES[:2], before)
    assert back.heir.tolist() == [-1, -1, -1]


def test_the_threshold_stands_for_one_half_in_all_conditions():
    before = users(10, 10)
    after = before.copy()
    after.iloc[[0, 1, 2, 3, 10, 11]] = 2  # two thirds are from the first
    for threshold, parent in ((0.5, 0), (0.7, -1)):
        match = match_clusters(PLACES[:2], before, PLACES[:3], after, threshold=threshold)
        assert match.parent[2] == parent
        back = match_clusters(PLACES[:3], after, PLACES[:2], before, threshold=threshold)
        assert back.heir[2] == parent
    for threshold, continued in ((0.5, 0), (0.7, -1)):  # the score is 0.67
        match = match_clusters([[1.0, 0.0]], None, [[1.0, 0.5]], None, threshold=threshold)
        assert match.continued.item() == continued


def test_a_member_without_a_cluster_is_noise():
    here, missing = pd.Series([0], index=["a"]), pd.Series([np.nan], index=["a"])
    match = match_clusters([[1.0, 0.0]], missing, [[1.0, 0.0]], here)
    assert match.scores["shared"].tolist() == [0]


def test_nothing_on_one_side():
    empty = np.empty((0, 3))
    match = match_clusters(empty, None, np.eye(3), None)
    assert match.continued.tolist() == [-1] * 3
    assert match_clusters(np.eye(3), None, empty, None).heir.tolist() == [-1] * 3
    assert match_clusters(empty, None, empty, None).scores.empty


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"member_weight": 1.5}, ValueError, "from 0 to 1"),
        ({"member_weight": "much"}, TypeError, "member_weight must be a number"),
        ({"centroids": [[np.nan, 1]]}, ValueError, "centroids holds NaN"),
        ({"centroids": [[1, 0, 0]]}, ValueError, "same vectors"),
        ({"centroids": "x"}, TypeError, "table of numbers"),
        ({"centroids": [1.0, 2.0]}, ValueError, "rows and columns"),
        ({"members": [0, 0]}, TypeError, "Series"),
        ({"members": pd.Series([0, 0], index=["a", "a"])}, ValueError, "'a'"),
        ({"members": pd.Series([3], index=["a"])}, ValueError, "cluster 3"),
        ({"members": pd.Series([1], index=["a"])}, ValueError, "cluster 1, there are 1"),
        ({"members": pd.Series([0.5], index=["a"])}, ValueError, "cluster 0.5"),
        ({"members": pd.Series([np.inf], index=["a"])}, ValueError, "cluster inf"),
        ({"members": pd.Series(["x"], index=["a"])}, TypeError, "must be cluster numbers"),
    ],
)
def test_bad_input_is_named(change, error, message):
    here = pd.Series([0], index=["a"])
    given_ = {"centroids": [[1.0, 0.0]], "members": here, "member_weight": 0.5} | change
    with pytest.raises(error, match=message):
        match_clusters(
            given_["centroids"], given_["members"], [[1.0, 0.0]], here,
            member_weight=given_["member_weight"],
        )  # fmt: skip
