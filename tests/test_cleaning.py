from __future__ import annotations

import datetime as dt
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.cleaning import REASONS, clean_events
from recsys_interest.event_weights import EVENT_WEIGHTS
from recsys_interest.schema import SchemaError, validate_events
from recsys_interest.times import parse_times

NOW = "2026-02-01"
ITEMS = pd.DataFrame({"item_id": ["a", "b"], "title": ["Tent", "Stove"]})


def raw(**columns):
    base = {"user_id": ["ann"], "item_id": ["a"], "timestamp": ["2026-01-05T10:00"]}
    return pd.DataFrame({**base, "event": ["like"], "value": [None], "text": [None], **columns})


def reason_of(table, **options):
    log = clean_events(table, ITEMS, now=NOW, **options)
    return log.rejected["reason"].tolist()


@pytest.mark.rows("D01")
@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("user_id", None, "missing_user"),
        ("user_id", "  ", "missing_user"),
        ("item_id", None, "missing_item"),
        ("item_id", "", "missing_item"),
        ("item_id", "zzz", "unknown_item"),
        ("event", None, "missing_event"),
        ("event", "wave", "unknown_event"),
        ("event", 7, "unknown_event"),
        ("timestamp", None, "unparsable_time"),
        ("timestamp", "soon", "unparsable_time"),
        ("timestamp", "03/04/2026", "unparsable_time"),
        ("timestamp", True, "unparsable_time"),
        ("timestamp", "2026-02-30", "unparsable_time"),
        ("timestamp", 1e300, "unparsable_time"),
        ("timestamp", 10**400, "unparsable_time"),
        ("timestamp", "now", "unparsable_time"),
        ("timestamp", "today", "unparsable_time"),
        ("timestamp", np.datetime64("300000-01-01", "s"), "unparsable_time"),
        ("timestamp", "2026-02-01T00:00:01Z", "future_time"),
        ("value", "many", "bad_value"),
        ("value", float("inf"), "bad_value"),
        ("value", 10**400, "bad_value"),
        ("value", 3 + 4j, "bad_value"),
        ("value", True, "bad_value"),
        ("value", pd.Timestamp("2026-01-01"), "bad_value"),
    ],
)
def test_every_fault_has_its_reason(column, value, reason):
    table = raw(**{column: pd.Series([value], dtype=object)})
    log = clean_events(table, ITEMS, now=NOW)
    assert log.rejected["reason"].tolist() == [reason]
    assert log.events.empty
    assert log.report.loc[f"rejected: {reason}", "rows"] == 1


def test_a_faultless_row_is_kept():
    assert reason_of(raw()) == []


def test_ratings_need_a_value():
    assert reason_of(raw(event=["rate"])) == ["missing_value"]
    assert reason_of(raw(event=["rate"], value=[4])) == []


def test_the_first_fault_is_the_one_that_is_named():
    assert list(REASONS)[:2] == ["missing_user", "missing_item"]
    assert reason_of(raw(user_id=[None], item_id=[None], timestamp=["soon"])) == ["missing_user"]


def test_own_kinds_of_event_are_accepted_with_a_weight():
    assert reason_of(raw(event=["wave"]), event_weights={"wave": 1.0}) == []


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-01-05",
        "2026-01-05 00:00:00",
        "2026-01-05T08:00:00+08:00",
        "20260105",
        "1767571200",
        1767571200,
        1767571200.0,
        dt.datetime(2026, 1, 5),
        dt.date(2026, 1, 5),
        pd.Timestamp("2026-01-05", tz="UTC"),
        np.datetime64("2026-01-05"),
    ],
)
def test_times_are_read_in_every_usual_spelling(stamp):
    parsed = parse_times(pd.Series([stamp], dtype=object))
    assert parsed.tolist() == [pd.Timestamp("2026-01-05", tz="UTC")]


def test_numeric_times_take_their_unit():
    table = raw(timestamp=[1767571200123])
    log = clean_events(table, now=NOW, timestamp_unit="ms")
    assert log.events["timestamp"][0] == pd.Timestamp("2026-01-05 00:00:00.123", tz="UTC")
    with pytest.raises(ValueError, match="timestamp_unit must be 's', 'ms', 'us' or 'ns'"):
        clean_events(table, timestamp_unit="minutes")


def test_equal_rows_count_once_however_they_are_written():
    table = pd.concat([raw(), raw(), raw(timestamp=["2026-01-05T10:00:00Z"])], ignore_index=True)
    log = clean_events(table, ITEMS, now=NOW)
    assert len(log.events) == 1
    assert log.rejected["reason"].tolist() == ["duplicate", "duplicate"]


def test_near_misses_are_not_duplicates():
    others = [raw(user_id=["bob"]), raw(item_id=["b"]), raw(event=["browse"]), raw(value=[1])]
    others += [raw(text=["!"]), raw(timestamp=["2026-01-05T10:00:01"])]
    log = clean_events(pd.concat([raw(), *others], ignore_index=True), ITEMS, now=NOW)
    assert len(log.events) == 7


def test_rejected_rows_are_as_they_were_read():
    table = raw(user_id=[None], shop=["x"]).set_index(pd.Index(["line 9"]))
    rejected = clean_events(table, now=NOW).rejected
    assert rejected.index.tolist() == ["line 9"]
    pd.testing.assert_frame_equal(rejected.drop(columns="reason"), table)


def test_extra_columns_are_kept():
    assert clean_events(raw(shop=["x"]), now=NOW).events["shop"].tolist() == ["x"]


def test_ids_of_different_kinds_are_an_error_not_a_loss():
    with pytest.raises(SchemaError, match=r"events.item_id is int64, items.item_id is str"):
        clean_events(raw(item_id=[1]), ITEMS, now=NOW)


def test_a_reason_column_of_the_user_is_not_overwritten():
    with pytest.raises(SchemaError, match="column 'reason'"):
        clean_events(raw(reason=["x"]))


def test_the_report_reads_well_in_both_places():
    log = clean_events(pd.concat([raw(), raw(user_id=[None])]), ITEMS, now=NOW)
    assert "rejected: missing_user" in repr(log)
    assert "50.00%" in repr(log)
    assert "<table" in log._repr_html_()


def test_an_empty_log_is_clean():
    log = clean_events(raw().iloc[:0], ITEMS, now=NOW)
    assert len(log.events) == len(log.rejected) == 0
    assert log.report.loc["read", "rows"] == 0


DIRTY = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", None, " "]),
        st.sampled_from(["a", "b", "zzz", None]),
        st.sampled_from(
            ["2026-01-05", "2026-01-05T00:00Z", "soon", "2027-01-01", "20260106", None]
        ),
        st.sampled_from([*list(EVENT_WEIGHTS)[:4], "rate", "wave", None]),
        st.sampled_from([None, 1.0, 5, "many", float("inf")]),
        st.sampled_from([None, "", "好", "x\n<b>"]),
    ),
    max_size=30,
)


def frame(rows):
    columns = ["user_id", "item_id", "timestamp", "event", "value", "text"]
    return pd.DataFrame(rows, columns=columns, dtype=object)


@settings(deadline=None, max_examples=80)
@given(rows=DIRTY)
def test_no_row_is_lost_and_every_kept_row_is_valid(rows):
    table = frame(rows)
    log = clean_events(table, ITEMS, now=NOW)
    assert len(log.events) + len(log.rejected) == len(table)
    assert log.rejected["reason"].isin(list(REASONS)).all()
    steps = log.report["rows"]
    assert steps[steps.index.str.startswith(("kept", "rejected"))].sum() == len(table)
    pd.testing.assert_frame_equal(validate_events(log.events), log.events)
    assert log.events["item_id"].isin(ITEMS["item_id"]).all()


@pytest.mark.rows("D02")
@settings(deadline=None, max_examples=60)
@given(rows=DIRTY)
def test_cleaning_is_idempotent(rows):
    once = clean_events(frame(rows), ITEMS, now=NOW)
    twice = clean_events(once.events, ITEMS, now=NOW)
    assert twice.rejected.empty
    pd.testing.assert_frame_equal(twice.events, once.events)


@settings(deadline=None, max_examples=60)
@given(rows=DIRTY, random=st.randoms(use_true_random=False))
def test_row_order_does_not_matter(rows, random):
    mixed = list(rows)
    random.shuffle(mixed)
    one = clean_events(frame(rows), ITEMS, now=NOW)
    other = clean_events(frame(mixed), ITEMS, now=NOW)
    pd.testing.assert_frame_equal(one.events, other.events)
    pd.testing.assert_frame_equal(
        one.rejected.reset_index(drop=True), other.rejected.reset_index(drop=True)
    )


@pytest.mark.parametrize("column", ["event", "user_id", "text"])
def test_categories_are_read_like_text(column):
    table = pd.concat([raw(), raw(user_id=["bob"], event=["typo"])], ignore_index=True)
    expected = clean_events(table, ITEMS, now=NOW)
    found = clean_events(table.astype({column: "category"}), ITEMS, now=NOW)
    pd.testing.assert_frame_equal(found.events, expected.events)
    assert found.rejected["reason"].tolist() == expected.rejected["reason"].tolist()


def test_arrow_columns_are_read_like_others():
    table = pd.concat([raw(), raw(user_id=[None])], ignore_index=True)
    arrow = table.convert_dtypes(dtype_backend="pyarrow")
    found = clean_events(arrow, ITEMS.convert_dtypes(dtype_backend="pyarrow"), now=NOW)
    pd.testing.assert_frame_equal(found.events, clean_events(table, ITEMS, now=NOW).events)


def test_ids_that_floats_would_merge_are_refused():
    table = pd.concat([raw(), raw(), raw()], ignore_index=True)
    with pytest.raises(SchemaError, match="read as floats, which round ids of 2"):
        clean_events(table.assign(user_id=[2**53, 2**53 + 1, None]), now=NOW)


def test_half_a_surrogate_pair_is_an_error_in_ids_and_replaced_in_text():
    with pytest.raises(SchemaError, match=r"events.user_id holds text that is not valid Unicode"):
        clean_events(raw(user_id=pd.Series(["\udce9"], dtype=object)), now=NOW)
    log = clean_events(raw(text=pd.Series(["a\udce9"], dtype=object)), now=NOW)
    assert log.events["text"].tolist() == ["a\ufffd"]


def test_an_index_named_like_a_column_is_no_obstacle():
    table = pd.concat([raw(), raw(user_id=[None])]).set_index("user_id", drop=False)
    assert len(clean_events(table, ITEMS, now=NOW).events) == 1
    assert validate_events(clean_events(table, now=NOW).events).index.name is None


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ({"wave": "x"}, TypeError, "the weight of 'wave' must be a number, got 'x'"),
        ({"wave": float("inf")}, ValueError, "the weight of 'wave' must lie within"),
        ({"wave": float("nan")}, ValueError, "the weight of 'wave' must lie within"),
        (["wave"], TypeError, "event_weights must be a mapping, got list"),
    ],
)
def test_wrong_weights_are_named(weights, error, message):
    with pytest.raises(error, match=message):
        clean_events(raw(), event_weights=weights)


def test_one_long_text_does_not_widen_every_rejected_row():
    table = pd.concat([raw(user_id=[None])] * 300, ignore_index=True)
    table.loc[0, "text"] = "x" * 1_000_000
    tracemalloc.start()
    clean_events(table, now=NOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000  # a table of fixed width would take 1.2 GB
