import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.schema import EVENT_COLUMNS, SchemaError, validate_events
from recsys_interest.splitting import Split, random_split, time_split

quick = settings(deadline=None, max_examples=50)


def make_log(hours, users=1):
    n = len(hours)
    return pd.DataFrame(
        {
            "user_id": np.resize(users, n),
            "item_id": np.arange(n),
            "timestamp": pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(hours, unit="h"),
        }
    )


@st.composite
def logs(draw):
    n = draw(st.integers(2, 40))
    rows = [
        (draw(st.integers(0, 3)), draw(st.integers(0, 3)), draw(st.integers(0, 4)))
        for _ in range(n)
    ]
    log = pd.DataFrame(rows, columns=["user_id", "item_id", "hour"])
    hours = pd.to_timedelta(log.pop("hour"), unit="h")
    log["timestamp"] = pd.Timestamp("2026-01-01", tz="UTC") + hours
    log["value"] = draw(st.lists(st.sampled_from([1.0, np.nan]), min_size=n, max_size=n))
    return log


def assert_partition(log, split):
    both = pd.concat([split.train, split.test]).sort_index()
    pd.testing.assert_frame_equal(both, validate_events(log).sort_index())
    assert len(split.train)
    assert len(split.test)


shares = st.floats(0.01, 0.99)


@quick
@given(log=logs(), share=shares, seed=st.integers(0, 99))
def test_time_split_keeps_every_row_and_the_order_of_time(log, share, seed):
    if log["timestamp"].min() == log["timestamp"].max():
        with pytest.raises(ValueError, match=r"all .* have the timestamp"):
            time_split(log, test_share=share)
        return
    split = time_split(log, test_share=share)
    assert_partition(log, split)
    assert split.train["timestamp"].max() < split.test["timestamp"].min()
    shuffled = time_split(log.sample(frac=1, random_state=seed), test_share=share)
    pd.testing.assert_frame_equal(shuffled.train.sort_index(), split.train)
    pd.testing.assert_frame_equal(shuffled.test.sort_index(), split.test)


@quick
@given(log=logs(), share=shares, seed=st.integers(0, 99))
def test_random_split_keeps_every_row_whatever_the_order(log, share, seed):
    if len(log.drop_duplicates(["user_id", "item_id"])) == 1:
        with pytest.raises(ValueError, match="one user on one item only"):
            random_split(log, test_share=share)
        return
    split = random_split(log, test_share=share, random_state=seed)
    assert_partition(log, split)
    pairs = [set(zip(p["user_id"], p["item_id"], strict=True)) for p in (split.train, split.test)]
    assert not pairs[0] & pairs[1], "an event in train gives one in test away"
    shuffled = random_split(
        log.sample(frac=1, random_state=seed), test_share=share, random_state=seed
    )
    pd.testing.assert_frame_equal(shuffled.train.sort_index(), split.train)


@quick
@given(n=st.integers(2, 60), share=shares)
def test_both_splits_hit_the_share_where_all_events_differ(n, share):
    log = make_log(np.arange(n))
    wanted = np.clip(round(share * n), 1, n - 1)
    assert len(random_split(log, test_share=share).test) == wanted
    n_test = len(time_split(log, test_share=share).test)
    assert abs(n_test - share * n) == np.abs(np.arange(1, n) - share * n).min()


def test_equal_times_stay_together_and_the_nearest_moment_wins():
    log = make_log([0, 0, 0, 1, 1, 1, 1, 1, 1, 2])
    # Possible test sides: 7 rows (from hour 1) or 1 row (hour 2); 20 % of 10 is nearer to 1.
    assert time_split(log, test_share=0.2).test["item_id"].tolist() == [9]
    assert time_split(log, test_share=0.5).test["item_id"].tolist() == list(range(3, 10))


def test_the_first_moment_never_becomes_the_cutoff():
    assert len(time_split(make_log([0] * 9 + [1]), test_share=0.9).test) == 1


def test_rows_keep_order_index_and_other_columns():
    log = make_log([3, 0, 2, 1]).set_index(pd.Index([40, 10, 30, 20])).assign(page="p")
    split = time_split(log, test_share=0.5)
    assert split.train.index.tolist() == [10, 20]
    assert split.test.index.tolist() == [40, 30]
    assert list(split.test.columns) == [*EVENT_COLUMNS, "page"]


@pytest.mark.parametrize(
    "cutoff",
    [
        "2026-01-01T02:00",
        "2026-01-01T03:00+01:00",
        dt.datetime(2026, 1, 1, 2),
        pd.Timestamp("2026-01-01T02:00", tz="UTC"),
        np.datetime64("2026-01-01T02:00"),
    ],
)
def test_an_event_at_the_cutoff_is_test(cutoff):
    assert time_split(make_log([0, 1, 2, 3]), cutoff=cutoff).test["item_id"].tolist() == [2, 3]


@pytest.mark.parametrize("cutoff", ["2026-01-01", "2025-01-01", "2026-01-01T03:01"])
def test_a_cutoff_that_empties_a_side_is_an_error_with_the_range(cutoff):
    with pytest.raises(ValueError, match=r"one side empty.*2026-01-01 00:00.*2026-01-01 03:00"):
        time_split(make_log([0, 1, 2, 3]), cutoff=cutoff)


@pytest.mark.parametrize("cutoff", ["soon", pd.NaT, np.datetime64("NaT")])
def test_a_cutoff_that_is_no_time_is_an_error(cutoff):
    with pytest.raises(ValueError, match=r"is not a moment|is missing"):
        time_split(make_log([0, 1]), cutoff=cutoff)


def test_a_number_is_no_cutoff():
    with pytest.raises(TypeError, match="cutoff must be a date"):
        time_split(make_log([0, 1]), cutoff=20260101)


@pytest.mark.parametrize("split", [time_split, random_split])
@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_outside_0_1_is_an_error(split, share):
    with pytest.raises(ValueError, match="test_share must lie between 0 and 1"):
        split(make_log([0, 1]), test_share=share)


@pytest.mark.parametrize("split", [time_split, random_split])
@pytest.mark.parametrize("share", ["0.2", True, None])
def test_a_share_of_the_wrong_kind_is_an_error(split, share):
    with pytest.raises(TypeError, match="test_share must be a number"):
        split(make_log([0, 1]), test_share=share)


@pytest.mark.parametrize("split", [time_split, random_split])
def test_empty_and_malformed_logs_are_errors(split):
    with pytest.raises(ValueError, match="events has no rows"):
        split(make_log([]))
    with pytest.raises(SchemaError, match="lacks the column"):
        split(make_log([0, 1]).drop(columns="item_id"))
    with pytest.raises(TypeError, match="events must be a pandas DataFrame"):
        split([1, 2])


def test_random_split_depends_on_the_seed_only():
    log = make_log(np.arange(200))
    first, again, other = (random_split(log, random_state=s).test for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert first["item_id"].tolist() != other["item_id"].tolist()


def test_inputs_stay_as_they_were_and_a_split_is_frozen():
    log = make_log([2, 1, 0])
    before = log.copy(deep=True)
    split = time_split(log)
    random_split(log)
    pd.testing.assert_frame_equal(log, before)
    with pytest.raises(AttributeError):
        split.train = log
    assert isinstance(split, Split)
