"""What the items of a live recommender are worth: sums that fade, whatever the order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys_interest.live_catalogue import LiveCatalogue

DAY = 86_400_000_000  # microseconds
VECTORS = pd.DataFrame(
    [[2.0, 0.0], [0.0, 0.0], [0.3, 0.4], [0.0, -9.0]], index=list("abde"), dtype="float32"
)


def events(seed, n=40):
    rng = np.random.default_rng(seed)
    item, time = rng.integers(0, 4, n), rng.integers(0, 60, n) * DAY
    return item, time, rng.choice([-5.0, 1.0, 3.0], n)


def by_definition(item, time, strength, half_life):
    worth = strength * 2.0 ** -((time.max() - time) / DAY / half_life) if half_life else strength
    return np.bincount(item, worth, 4)


@pytest.mark.parametrize("half_life", [None, 5.0])
def test_popularity_is_the_faded_sum_in_any_order_and_batches(half_life):
    item, time, strength = events(0)
    strength = np.abs(strength)
    expected = by_definition(item, time, strength, half_life)
    for seed in range(4):
        catalogue = LiveCatalogue(VECTORS, half_life)
        order = np.random.default_rng(seed).permutation(len(item))
        for part in np.array_split(order, 1 + 3 * seed):
            catalogue.add(item[part], time[part], strength[part])
        np.testing.assert_allclose(catalogue.popularity(), expected, rtol=1e-12)


def test_what_was_never_touched_is_worth_nothing():
    assert LiveCatalogue(VECTORS, 5.0).popularity().tolist() == [0.0] * 4
    one = LiveCatalogue(VECTORS, 5.0)
    one.add(np.array([2]), np.array([7 * DAY]), np.array([3.0]))
    assert one.popularity().tolist() == [0.0, 0.0, 3.0, 0.0]


def test_counts_stay_with_their_items_when_others_join():
    item, time, strength = events(1)
    catalogue = LiveCatalogue(VECTORS, 5.0)
    catalogue.add(item, time, np.abs(strength))
    before = pd.Series(catalogue.popularity(), index=catalogue.ids)
    more = pd.DataFrame([[1.0, 1.0], [5.0, 0.0]], index=["c", "a"], dtype="float32")
    places = catalogue.extend(more)
    assert catalogue.ids.tolist() == list("abcde")
    assert places.tolist() == [0, 1, 3, 4]
    after = pd.Series(catalogue.popularity(), index=catalogue.ids)
    pd.testing.assert_series_equal(after.drop("c"), before)
    assert after["c"] == 0
    assert catalogue.unit[[0, 2]].tolist() == [[1.0, 0.0], [np.float32(0.5**0.5)] * 2]
    assert catalogue.place == {name: n for n, name in enumerate("abcde")}


def test_a_table_and_back():
    item, time, strength = events(2)
    catalogue, other = LiveCatalogue(VECTORS, 5.0), LiveCatalogue(VECTORS, 5.0)
    catalogue.add(item, time, np.abs(strength))
    other.from_frame(catalogue.to_frame())
    for one in (catalogue, other):
        one.add(np.array([0]), np.array([80 * DAY]), np.array([1.0]))
    np.testing.assert_array_equal(catalogue.popularity(), other.popularity())


def test_scores_are_cosines_or_popularity():
    catalogue = LiveCatalogue(VECTORS, None)
    catalogue.add(np.array([1, 3]), np.array([DAY, DAY]), np.array([2.0, 1.0]))
    directions = np.array([[0.6, 0.8], [0.0, 1.0]], dtype=np.float32)
    own = np.array([True, False, True])
    scores = catalogue.scores(own, directions)
    expected = [[0.6, -np.inf, 1.0, -0.8], [0.0, 2.0, 0.0, 1.0], [0.0, -np.inf, 0.8, -1.0]]
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    np.testing.assert_allclose(catalogue.scores(own[:1], directions[:1]), expected[:1], atol=1e-6)
    rows, columns, score, rank = catalogue.best(scores, own, directions, 2)
    assert rows.tolist() == [0, 0, 1, 1, 2, 2]
    assert columns.tolist() == [2, 0, 1, 3, 2, 0]
    assert rank.tolist() == [1, 2] * 3
    np.testing.assert_allclose(score, [1.0, 0.6, 2.0, 1.0, 0.8, 0.0], atol=1e-6)


def test_scores_that_are_off_are_put_right():
    # As rough scores a little off would have it, the first is better.
    vectors = pd.DataFrame([[1.0, 0.0], [1.0, 1e-5]], index=list("ab"), dtype="float32")
    catalogue = LiveCatalogue(vectors, None)
    direction = catalogue.unit[1:]
    rough = np.array([[1.0, 1.0 - catalogue.slack]], dtype=np.float32)
    _, columns, score, _ = catalogue.best(rough, np.array([True]), direction, 1)
    assert columns.tolist() == [1]
    unit = catalogue.unit[1].astype(np.float64)
    assert score.tolist() == [unit @ unit]
