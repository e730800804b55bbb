from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import auc

from recsys_interest.log_statistics import describe_log, gini

quick = settings(deadline=None, max_examples=50)
counts = st.lists(st.integers(0, 1000), min_size=1, max_size=30).filter(any)


def make_log(minutes, users=1, items=1):
    log = pd.DataFrame({"user_id": users, "item_id": items}, index=range(len(minutes)))
    start = pd.Timestamp("2026-01-01", tz="UTC")
    return log.assign(timestamp=start + pd.to_timedelta(list(minutes), unit="min"))


# Gini


@quick
@given(x=counts)
def test_gini_is_twice_the_area_above_the_lorenz_curve(x):
    share = np.concatenate([[0], np.cumsum(np.sort(x))]) / sum(x)
    area = auc(np.linspace(0, 1, len(share)), share)
    assert gini(x) == pytest.approx(1 - 2 * area, abs=1e-12)


@quick
@given(x=counts)
def test_gini_is_the_mean_difference_of_two(x):
    apart = np.abs(np.subtract.outer(x, x)).mean()
    assert gini(x) == pytest.approx(apart / (2 * np.mean(x)), abs=1e-12)


@quick
@given(x=counts, seed=st.integers(0, 99), factor=st.integers(2, 10**6))
def test_gini_depends_neither_on_order_nor_on_scale(x, seed, factor):
    shuffled = np.random.default_rng(seed).permutation(x)
    assert gini(shuffled) == gini(x)
    assert gini(np.array(x) * factor) == pytest.approx(gini(x), abs=1e-12)
    assert 0 <= gini(x) <= 1 - 1 / len(x) + 1e-12


def test_gini_of_huge_counts():
    assert gini([1e308, 1e308, 0]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ([], "counts is empty"),
        ([0, 0], "all counts are 0"),
        ([1, -1], "not negative"),
        ([1, float("nan")], "finite"),
        ([1, float("inf")], "finite"),
    ],
)
def test_odd_counts_are_errors(bad, message):
    with pytest.raises(ValueError, match=message):
        gini(bad)


# The whole log


def test_a_log_in_numbers():
    log = make_log([0, 720, 1440, 1440], users=["a", "a", "a", "b"], items=["x", "x", "y", "x"])
    described = describe_log(log)
    assert described.to_dict() == {
        **{"events": 4, "users": 2, "items": 2, "pairs": 3, "density": 0.75},
        **{"events_per_user": 2, "events_per_item": 2, "gini_users": 0.25, "gini_items": 0.25},
        "days": 1,
    }
    items = pd.DataFrame({"item_id": ["x", "y", "z", "w"]})
    with_items = describe_log(log, items)
    assert with_items["items"] == 4
    assert with_items["density"] == 3 / 8
    assert with_items["gini_items"] == gini([3, 1, 0, 0])


def test_an_empty_log_is_an_error():
    with pytest.raises(ValueError, match="events has no rows"):
        describe_log(make_log([]))
