import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.schema import EVENT_COLUMNS, SchemaError, validate_events
from recsys_interest.splitting import (
    Split,
    cold_item_split,
    cold_user_split,
    random_split,
    time_split,
    user_split,
)

quick = settings(deadline=None, max_examples=50)
every_split = pytest.mark.parametrize(
    "split", [time_split, random_split, user_split, cold_item_split, cold_user_split]
)
cold_splits = pytest.mark.parametrize(
    ("split", "column", "other"),
    [(cold_item_split, "item_id", "user_id"), (cold_user_split, "user_id", "item_id")],
)


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


@every_split
@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_outside_0_1_is_an_error(split, share):
    with pytest.raises(ValueError, match="test_share must lie between 0 and 1"):
        split(make_log([0, 1]), test_share=share)


@every_split
@pytest.mark.parametrize("share", ["0.2", True, None])
def test_a_share_of_the_wrong_kind_is_an_error(split, share):
    with pytest.raises(TypeError, match="test_share must be a number"):
        split(make_log([0, 1]), test_share=share)


@every_split
def test_empty_and_malformed_logs_are_errors(split):
    with pytest.raises(ValueError, match="events has no rows"):
        split(make_log([]))
    with pytest.raises(SchemaError, match="lacks the column"):
        split(make_log([0, 1]).drop(columns="item_id"))
    with pytest.raises(TypeError, match="events must be a pandas DataFrame"):
        split([1, 2])


# By user


def nearest_moments(user_log, wanted):
    """Return the possible sizes of a user's test side that are nearest to the wanted one."""
    moments = sorted(user_log["timestamp"].unique())[1:]
    sizes = [int((user_log["timestamp"] >= m).sum()) for m in moments]
    best = min((abs(size - wanted) for size in sizes), default=None)
    return max((size for size in sizes if abs(size - wanted) == best), default=0)


@quick
@given(log=logs(), share=shares, last=st.none() | st.integers(1, 9), seed=st.integers(0, 99))
def test_user_split_tests_every_user_on_the_own_future(log, share, last, seed):
    moments = log.groupby("user_id")["timestamp"].nunique()
    if (moments < 2).all():
        with pytest.raises(ValueError, match="no user has events of two moments"):
            user_split(log, test_share=share, last=last)
        return
    split = user_split(log, test_share=share, last=last)
    assert_partition(log, split)
    newest = split.train.groupby("user_id")["timestamp"].max()
    oldest = split.test.groupby("user_id")["timestamp"].min()
    assert set(oldest.index) <= set(newest.index), "a user is tested of whom nothing is known"
    assert (newest[oldest.index] < oldest).all(), "train knows a tested user's future"
    for user, events in log.groupby("user_id"):
        wanted = share * len(events) if last is None else last
        assert (split.test["user_id"] == user).sum() == nearest_moments(events, wanted)
    shuffled = user_split(log.sample(frac=1, random_state=seed), test_share=share, last=last)
    pd.testing.assert_frame_equal(shuffled.train.sort_index(), split.train)


def test_leave_one_out():
    log = make_log([0, 1, 2, 0, 5, 3, 9], users=["a", "a", "a", "b", "b", "b", "c"])
    split = user_split(log, last=1)
    assert split.test["item_id"].tolist() == [2, 4], "the latest of a and b; c has only one"
    assert user_split(log, last=100).train["item_id"].tolist() == [0, 3, 6]


def test_a_trend_leaks_through_user_split_and_not_through_time_split():
    log = make_log([0, 1, 10, 11], users=["early", "early", "late", "late"])
    by_user, by_time = user_split(log, last=1), time_split(log, test_share=0.25)
    assert by_user.train["timestamp"].max() > by_user.test["timestamp"].min()
    assert by_time.train["timestamp"].max() < by_time.test["timestamp"].min()


@pytest.mark.parametrize(
    ("last", "error"), [(0, ValueError), (-1, ValueError), (1.0, TypeError), (True, TypeError)]
)
def test_an_odd_last_is_an_error(last, error):
    with pytest.raises(error, match="last must be"):
        user_split(make_log([0, 1]), last=last)


# Cold items and cold users


@cold_splits
@quick
@given(log=logs(), share=shares, seed=st.integers(0, 99))
def test_nothing_cold_is_in_train(split, column, other, log, share, seed):
    n = log[column].nunique()
    if n == 1:
        with pytest.raises(ValueError, match=f"events has one {column} only"):
            split(log, test_share=share)
        return
    cut = split(log, test_share=share, random_state=seed)
    assert_partition(log, cut)
    known, cold = set(cut.train[column]), set(cut.test[column])
    assert not known & cold, "train knows what is tested as unknown"
    assert len(cold) == np.clip(round(share * n), 1, n - 1)
    shuffled = split(log.sample(frac=1, random_state=seed), test_share=share, random_state=seed)
    pd.testing.assert_frame_equal(shuffled.test.sort_index(), cut.test)


@cold_splits
def test_what_is_cold_depends_on_the_seed_and_the_ids_only(split, column, other):
    log = make_log(np.arange(400)).assign(user_id=np.arange(400) % 50)
    first, other_seed = (set(split(log, random_state=s).test[column]) for s in (1, 2))
    assert first != other_seed
    twice = pd.concat([log, log.assign(timestamp=log["timestamp"] + pd.Timedelta("1h"))])
    twice[other] = 1
    assert set(split(twice.reset_index(drop=True), random_state=1).test[column]) == first


@cold_splits
def test_cold_is_drawn_evenly(split, column, other):
    # Each of four ids must be cold in about a quarter of the draws; 4.6 standard deviations.
    log = make_log([0, 1, 2, 3]).assign(user_id=list("abcd"), item_id=list("abcd"))
    drawn = [split(log, test_share=0.25, random_state=s).test[column].item() for s in range(100)]
    counts = pd.Series(drawn).value_counts()
    assert len(counts) == 4
    assert (abs(counts - 25) < 20).all()


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
    user_split(log)
    cold_item_split(log)
    pd.testing.assert_frame_equal(log, before)
    with pytest.raises(AttributeError):
        split.train = log
    assert isinstance(split, Split)
