from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys_interest.event_weights import COUNTED_KINDS, EVENT_WEIGHTS, event_strength
from recsys_interest.schema import (
    EVENT_COLUMNS,
    ITEM_COLUMNS,
    SchemaError,
    canonical_ids,
    shown,
    validate_events,
    validate_items,
    validate_users,
)


def log(**columns):
    base = {
        "user_id": [1, 2],
        "item_id": ["a", "b"],
        "timestamp": pd.to_datetime(["2026-01-01", "2026-01-02"]),
    }
    return pd.DataFrame({**base, **columns})


@pytest.mark.rows("D01")
def test_the_least_log_is_completed():
    events = validate_events(log())
    assert tuple(events.columns) == EVENT_COLUMNS
    assert events["event"].tolist() == ["browse", "browse"]
    assert events["value"].isna().all()
    assert events["text"].tolist() == ["", ""]
    assert str(events["timestamp"].dtype) == "datetime64[us, UTC]"


def test_rows_index_extra_columns_and_the_input_are_kept():
    raw = log(shop=["x", "y"]).set_index(pd.Index([7, 3]))
    before = raw.copy(deep=True)
    events = validate_events(raw)
    assert events.index.tolist() == [7, 3]
    assert events["shop"].tolist() == ["x", "y"]
    pd.testing.assert_frame_equal(raw, before)


def test_validating_twice_changes_nothing():
    once = validate_events(log(value=[4, None], text=["x", None]))
    pd.testing.assert_frame_equal(validate_events(once), once)


def test_times_of_other_zones_become_utc():
    times = pd.to_datetime(["2026-01-01 08:00", "2026-01-01 09:00"]).tz_localize("Asia/Shanghai")
    assert validate_events(log(timestamp=times))["timestamp"][0].hour == 0


@pytest.mark.parametrize(
    ("events", "message"),
    [
        (
            log().drop(columns="user_id"),
            r"events lacks the column\(s\) 'user_id'; it has",
        ),
        (log(user_id=[1, None]), "events.user_id is missing in 1 row.*first at index 1"),
        (log(user_id=[1.5, 2.0]), "events.user_id holds fractions, not ids: 1.5"),
        (log(user_id=[1, "one"]), "events.user_id mixes the kinds 'int', 'str'; make it one kind"),
        (log(user_id=[True, False]), "events.user_id holds True/False"),
        (log(user_id=[2**80, 1]), "events.user_id exceeds 64 bits"),
        (log(timestamp=["2026-01-01", "x"]), "events.timestamp has the type str; parse it first"),
        (
            log(timestamp=pd.to_datetime(["2026-01-01", None])),
            "events.timestamp is missing .* in 1 row",
        ),
        (log(event=["like", None]), "events.event is missing in 1 row"),
        (log(value=["five", 3]), "events.value holds what is not a finite number: 'five'"),
        (log(value=[np.inf, 3]), "events.value holds what is not a finite number: inf"),
        (log(text=[["a"], "b"]), "text must be text, it holds 'list', 'str'; join lists first"),
    ],
)
def test_an_error_names_the_column_the_values_and_the_fix(events, message):
    with pytest.raises(SchemaError, match=message):
        validate_events(events)


def test_a_column_given_twice_is_refused():
    twice = pd.concat([log(), log()[["user_id"]]], axis=1)
    with pytest.raises(SchemaError, match=r"events has the column\(s\) 'user_id' more than once"):
        validate_events(twice)


def test_other_kinds_of_table_are_a_type_error():
    with pytest.raises(TypeError, match="events must be a pandas DataFrame, got list"):
        validate_events([1, 2])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pd.Series([3, 1]), [3, 1]),
        (pd.Series([3.0, 1.0]), [3, 1]),
        (pd.Series([3, 1], dtype="Int32"), [3, 1]),
        (pd.Series(["007", "7"]), ["007", "7"]),
        (pd.Series(["b", "a"], dtype="category"), ["b", "a"]),
        (pd.Series(["b", "a"], dtype=object), ["b", "a"]),
        (pd.Series([np.int64(3), 1], dtype=object), [3, 1]),
        (pd.Series([], dtype=object), []),
    ],
)
def test_ids_become_int64_or_str_without_changing(given, expected):
    ids = canonical_ids(given, "ids")
    assert ids.tolist() == expected
    assert ids.dtype == ("int64" if expected and isinstance(expected[0], int) else "str")


def test_items_are_completed_and_duplicates_named():
    items = validate_items(pd.DataFrame({"item_id": [2, 1], "title": ["Tent", None]}))
    assert tuple(items.columns) == ITEM_COLUMNS
    assert items["title"].tolist() == ["Tent", ""]
    with pytest.raises(SchemaError, match=r"items.item_id has duplicates: 2; keep one row each"):
        validate_items(pd.DataFrame({"item_id": [2, 2, 1]}))


@pytest.mark.rows("D07")
def test_strength_follows_kind_and_rating():
    events = pd.DataFrame(
        {
            "event": ["purchase", "return", "impression", "rate", "rate", "rate", "rate"],
            "value": [2.0, 1.0, np.nan, 5.0, 3.0, 1.0, np.nan],
        }
    )
    w = EVENT_WEIGHTS
    two = np.log2(1 + 2)
    expected = [w["purchase"] * two, w["return"], 0, w["rate"], 0, -w["rate"], 0]
    assert event_strength(events).tolist() == expected


@pytest.mark.rows("D07")
def test_counts_saturate_and_happen_once_without_a_value():
    events = pd.DataFrame({"event": "play", "value": [np.nan, 0, 1, 3, 1000, -5]})
    weight = EVENT_WEIGHTS["play"]
    expected = [1, 0, 1, 2, np.log2(1001), 0]
    np.testing.assert_allclose(event_strength(events), weight * np.array(expected))
    linear = event_strength(events, counts="linear")
    np.testing.assert_allclose(linear, weight * np.array([1, 0, 1, 3, 1000, 0]))
    assert event_strength(events, counts="ignore").eq(weight).all()
    with pytest.raises(ValueError, match="counts must be 'log2', 'linear', 'ignore', got 'sqrt'"):
        event_strength(events, counts="sqrt")


def test_values_of_what_happens_once_and_of_own_kinds_do_not_count():
    events = pd.DataFrame({"event": ["like", "wave", "exam_score"], "value": [7.0, 7.0, 80.0]})
    found = event_strength(events, {"wave": 2.0}).tolist()
    assert found == [EVENT_WEIGHTS["like"], 2.0, EVENT_WEIGHTS["exam_score"]]


@pytest.mark.rows("D06")
def test_the_kinds_of_all_seven_domains_have_a_weight_and_a_sign():
    kinds = "browse purchase search follow like comment share play favourite rate enrol exam_score"
    assert all(EVENT_WEIGHTS[kind] > 0 for kind in kinds.split())
    assert EVENT_WEIGHTS["return"] < 0
    assert EVENT_WEIGHTS["impression"] == 0
    assert set(EVENT_WEIGHTS) >= COUNTED_KINDS


def test_the_table_of_kinds_is_the_one_that_is_used():
    page = (Path(__file__).parents[1] / "book" / "api" / "schema.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([−\d]+) \| (\w+)", page, flags=re.MULTILINE)
    assert {kind: float(weight.replace("−", "-")) for kind, weight, _ in rows} == EVENT_WEIGHTS
    assert {kind for kind, _, value in rows if value == "count"} == COUNTED_KINDS


def test_strength_takes_other_weights_and_names_unknown_kinds():
    events = pd.DataFrame({"event": ["like", "wave"], "value": [np.nan, np.nan]})
    assert event_strength(events, {"wave": 0.5, "like": 1.0}).tolist() == [1.0, 0.5]
    with pytest.raises(SchemaError, match="kinds without a weight: 'wave'; pass a weight"):
        event_strength(events)


def test_shown_shortens_long_values_and_long_lists():
    text = shown(["x" * 1_000_000, *range(10)])
    assert len(text) < 200
    assert text.endswith("and 6 more")


@pytest.mark.parametrize("blank", ["", " "])
def test_blank_ids_are_refused_in_both_tables(blank):
    with pytest.raises(SchemaError, match=r"items.item_id is blank in 1 row"):
        validate_items(pd.DataFrame({"item_id": ["a", blank]}))
    with pytest.raises(SchemaError, match=r"events.user_id is blank in 1 row"):
        validate_events(log(user_id=["a", blank]))


def test_users_keep_their_attributes_and_come_once():
    raw = pd.DataFrame({"age": [31, None], "user_id": [2.0, 1.0], "tags": [["a"], None]})
    before = raw.copy(deep=True)
    users = validate_users(raw.set_index(pd.Index([9, 8])))
    assert users.columns.tolist() == ["user_id", "age", "tags"]
    assert users["user_id"].tolist() == [2, 1]
    assert users.index.tolist() == [9, 8]
    assert users["tags"].tolist()[0] == ["a"]
    pd.testing.assert_frame_equal(validate_users(users), users)
    pd.testing.assert_frame_equal(raw, before)
    empty = validate_users(pd.DataFrame({"user_id": []}, dtype="str"))
    assert empty.columns.tolist() == ["user_id"]


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ({"age": [1]}, r"users lacks the column\(s\) 'user_id'"),
        ({"user_id": ["a", None]}, "users.user_id is missing in 1 row"),
        ({"user_id": ["a", "a"]}, "users.user_id has duplicates: 'a'; keep one row each"),
        ({"user_id": ["a"], 7: [1]}, "users has columns whose names are not text: 7"),
    ],
)
def test_users_that_do_not_fit_are_named(users, message):
    with pytest.raises(SchemaError, match=message):
        validate_users(pd.DataFrame(users))


def test_users_that_are_no_frame_are_a_type_error():
    with pytest.raises(TypeError, match="users must be a pandas DataFrame, got dict"):
        validate_users({"user_id": [1]})
