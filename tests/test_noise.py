import numpy as np
import pandas as pd
import pytest

from recsys_interest.checks import SchemaError
from recsys_interest.noise import add_noise


def made_log(n=400, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, 30, n),
            "item_id": rng.integers(0, 200, n),
            "event": "view",
            "timestamp": pd.Timestamp("2026-01-05", tz="UTC")
            + pd.to_timedelta(np.arange(n), unit="min"),
        }
    )


def cells(log):
    return log[["user_id", "timestamp", "item_id"]]


@pytest.mark.rows("H02")
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 1.0])
def test_so_many_events_are_replaced_and_nothing_else(share):
    log = made_log()
    noisy = add_noise(log, share)
    assert len(noisy) == len(log)
    # Times are unique here: they tell which event was which.
    old, new = (t.set_index("timestamp").sort_index() for t in (log, noisy))
    assert (old["user_id"] == new["user_id"]).all()
    changed = (old["item_id"] != new["item_id"]).sum()
    m = round(share * len(log))
    assert m * 0.97 <= changed <= m  # one in 200 draws is the old item
    assert noisy["item_id"].isin(log["item_id"]).all()


def test_so_many_events_are_added_and_none_lost():
    log = made_log()
    noisy = add_noise(log, 0.25, kind="add")
    assert len(noisy) == len(log) + 100
    both = pd.concat([cells(noisy), cells(log)])
    assert not both.duplicated().sum() < len(log)
    assert noisy.groupby("timestamp").size().value_counts().to_dict() == {1: 300, 2: 100}


def test_a_larger_share_holds_the_noise_of_a_smaller_one():
    log = made_log()
    by_time = [
        add_noise(log, share).set_index("timestamp")["item_id"].sort_index()
        for share in (0.0, 0.2, 0.4)
    ]
    little = by_time[0] != by_time[1]
    assert (by_time[1][little] == by_time[2][little]).all()


def test_items_are_drawn_with_equal_chances_from_the_catalogue():
    log = made_log(n=6000)
    noisy = add_noise(log, 1.0, catalogue=range(1000, 1010))
    counts = noisy["item_id"].value_counts()
    assert sorted(counts.index) == list(range(1000, 1010))
    assert counts.min() > 480
    assert counts.max() < 720


def test_row_order_does_not_matter_and_the_seed_does():
    log = made_log()
    expected = add_noise(log, 0.3)
    again = add_noise(log.sample(frac=1, random_state=0), 0.3)
    pd.testing.assert_frame_equal(again, expected, check_exact=True)
    assert (add_noise(log, 0.3, random_state=1)["item_id"] != expected["item_id"]).any()
    assert add_noise(log.iloc[:0], 0.5, catalogue=[1]).empty


def test_a_catalogue_may_be_the_frame_of_the_items():
    log, ids = made_log().astype({"item_id": str}), ["x", "y", "z"]
    items = pd.DataFrame({"item_id": ids, "title": "a title"})
    noisy = add_noise(log, 1.0, catalogue=items)
    assert set(noisy["item_id"]) == set(ids)
    pd.testing.assert_frame_equal(noisy, add_noise(log, 1.0, catalogue=ids))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"share": 1.2}, ValueError, "share must be from 0 to 1.0, got 1.2"),
        ({"share": "half"}, TypeError, "share must be a number"),
        ({"share": 0.1, "kind": "flip"}, ValueError, "kind must be .* got 'flip'"),
        ({"share": 0.1, "catalogue": []}, ValueError, "catalogue has no items"),
        ({"share": 0.1, "catalogue": "abc"}, TypeError, "catalogue must be a frame or ids"),
        ({"share": 0.1, "catalogue": ["a"]}, SchemaError, "no id can match"),
    ],
)
def test_bad_input_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        add_noise(made_log(), **arguments)
