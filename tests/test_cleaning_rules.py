"""The rules of cleaning that look at more than one row, or that change a value."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.clean_log import REASONS, REPAIRS
from recsys_interest.cleaning import clean_events
from recsys_interest.datasets import load_dataset
from recsys_interest.robots import RobotRule
from recsys_interest.schema import validate_events

NOW = "2026-02-01"


def log(*rows, columns=("user_id", "item_id", "event", "timestamp", "value", "text")):
    filled = [(*row, *[None] * (len(columns) - len(row))) for row in rows]
    return pd.DataFrame(filled, columns=columns)


def clean(table, **options):
    return clean_events(table, now=NOW, **options)


def at(seconds):
    return (pd.Timestamp("2026-01-05") + pd.Timedelta(seconds=seconds)).isoformat()


# Near duplicates


def clicks(*seconds, user="ann", item="a", kind="like"):
    return log(*[(user, item, kind, at(s)) for s in seconds])


@pytest.mark.parametrize(
    ("seconds", "window", "kept"),
    [
        ([0, 1, 2], None, [0, 1, 2]),
        ([0, 1, 2], "1s", [0, 2]),  # measured from the click that is kept
        ([0, 1, 2], "2s", [0]),
        ([0, 1, 2, 3, 4, 5, 6], "2s", [0, 3, 6]),
        ([0, 5, 6, 20], dt.timedelta(seconds=1), [0, 5, 20]),
        ([0, 1], "0.999999s", [0, 1]),
    ],
)
def test_of_near_duplicates_the_first_is_kept(seconds, window, kept):
    found = clean(clicks(*seconds), near_duplicates=window)
    assert found.events["timestamp"].tolist() == [pd.Timestamp(at(s), tz="UTC") for s in kept]
    assert found.rejected["reason"].eq("near_duplicate").all()


def test_near_duplicates_agree_in_user_item_and_kind():
    table = pd.concat(
        [clicks(0), clicks(1, user="bob"), clicks(1, item="b"), clicks(1, kind="share")]
    )
    assert clean(table, near_duplicates="1h").rejected.empty
    other_words = pd.concat([clicks(0), clicks(1).assign(value=2, text="again")])
    assert len(clean(other_words, near_duplicates="1h").events) == 1


@pytest.mark.rows("D02")
@settings(deadline=None, max_examples=40)
@given(seconds=st.lists(st.integers(0, 60), max_size=25), window=st.integers(0, 20))
def test_near_duplicates_are_found_as_by_hand(seconds, window):
    kept = []
    for second in sorted(seconds):
        if not kept or second - kept[-1] > window:
            kept.append(second)
    found = clean(clicks(*seconds), near_duplicates=f"{window}s")
    assert found.events["timestamp"].tolist() == [pd.Timestamp(at(s), tz="UTC") for s in kept]


@pytest.mark.parametrize(
    ("window", "error"), [(5, TypeError), ("soon", ValueError), ("-1s", ValueError)]
)
def test_a_window_that_is_none_is_refused(window, error):
    with pytest.raises(error, match="near_duplicates"):
        clean(clicks(0), near_duplicates=window)


# Returns


def test_a_negative_purchase_takes_back_an_earlier_one():
    table = log(
        ("ann", "a", "purchase", at(0), 3),
        ("ann", "a", "purchase", at(9), -2),
        ("bob", "a", "purchase", at(9), -2),  # bought nothing
        ("ann", "b", "purchase", at(0), -1),  # bought something else
        ("cem", "a", "purchase", at(5), 1),
        ("cem", "a", "purchase", at(4), -1),  # bought it only later
        ("dan", "a", "purchase", at(0), None),  # one, without saying so
        ("dan", "a", "purchase", at(0), -1),  # at the same moment, as clocks round
        ("eve", "a", "return", at(0), -4),  # says which way it goes twice
    )
    found = clean(table)
    back = found.events[found.events["event"] == "return"]
    assert dict(zip(back["user_id"], back["value"], strict=True)) == {"ann": 2, "dan": 1, "eve": 4}
    assert found.rejected["reason"].eq("return_without_purchase").all()
    assert sorted(found.rejected["user_id"]) == ["ann", "bob", "cem"]
    assert found.repairs.to_dict() == {"negative_quantity": 3}
    assert found.report.loc["repaired: negative_quantity", "rows"] == 3


def test_a_faulty_purchase_cannot_be_taken_back():
    table = log(("ann", "a", "purchase", "soon", 3), ("ann", "a", "purchase", at(9), -2))
    reasons = clean(table).rejected["reason"]
    assert sorted(reasons) == ["return_without_purchase", "unparsable_time"]


@pytest.mark.parametrize("kind", ["play", "browse", "share"])
def test_nothing_else_can_be_counted_below_zero(kind):
    assert clean(log(("ann", "a", kind, at(0), -1))).rejected["reason"].tolist() == ["bad_value"]
    assert clean(log(("ann", "a", kind, at(0), 0))).rejected.empty


def test_ratings_and_own_kinds_may_be_negative():
    table = log(("ann", "a", "rate", at(0), -7), ("ann", "a", "wave", at(0), -7))
    assert clean(table, event_weights={"wave": 1}).rejected.empty


# Missing values

GAPS = log(
    ("ann", "a", "rate", at(0), 1),
    ("ann", "a", "rate", at(1), 4),
    ("ann", "a", "rate", at(2), 5),
    ("bob", "a", "rate", at(3), 99, "future"),
    ("bob", "a", "rate", at(4), None),
    ("bob", "a", "exam_score", at(5), None),
    ("bob", None, None, at(6), None),
)
GAPS.loc[3, "timestamp"] = "2027-01-01"


@pytest.mark.rows("D03")
def test_by_default_what_lacks_something_is_rejected():
    found = clean(GAPS)
    assert found.repairs.empty
    assert found.rejected["reason"].value_counts().to_dict() == {
        "missing_value": 2,
        "future_time": 1,
        "missing_item": 1,
    }


@pytest.mark.rows("D03")
def test_the_median_is_that_of_the_kind_in_faultless_rows():
    found = clean(GAPS, fill={"value": "median"})
    rated = found.events[found.events["user_id"] == "bob"]
    assert rated["value"].tolist() == [4.0]
    # No exam score is known, so there is no median to fill in.
    assert found.rejected["reason"].value_counts()["missing_value"] == 1
    assert found.repairs.to_dict() == {"filled_value": 1}


def test_constants_are_filled_in_per_kind_and_counted():
    fill = {"value": {"rate": "median", "exam_score": 50, "browse": 2}, "event": "browse"}
    found = clean(GAPS, fill={**fill, "item_id": "none"})
    new = found.events[found.events["user_id"] == "bob"]
    assert new[["item_id", "event", "value"]].to_numpy().tolist() == [
        ["a", "rate", 4.0],
        ["a", "exam_score", 50.0],
        ["none", "browse", 2.0],
    ]
    assert found.repairs.to_dict() == {"filled_item": 1, "filled_event": 1, "filled_value": 3}
    assert found.rejected["reason"].tolist() == ["future_time"]
    assert not found.events["value"].isna().any()


def test_a_filled_item_must_be_known_like_any_other():
    items = pd.DataFrame({"item_id": ["a"]})
    table = log(("ann", None, "like", at(0)))
    found = clean_events(table, items, now=NOW, fill={"item_id": "none"})
    assert found.rejected["reason"].tolist() == ["unknown_item"]
    assert found.repairs.empty  # only what is kept counts as repaired


def test_numbers_are_filled_in_among_numbers():
    table = log(("ann", 7.0, "like", at(0)), ("ann", None, "like", at(0)))
    assert clean(table, fill={"item_id": 3}).events["item_id"].tolist() == [3, 7]
    with pytest.raises(ValueError, match=r"events.item_id is int64, fill\['item_id'\] is str"):
        clean(table, fill={"item_id": "none"})


@pytest.mark.parametrize(
    ("fill", "error", "message"),
    [
        ("median", TypeError, "fill must be a mapping"),
        ({"user_id": "x"}, ValueError, "fill names 'user_id'; only 'item_id', 'event', 'value'"),
        ({"event": "wave"}, ValueError, "'wave', which is no known kind"),
        ({"value": "mean"}, TypeError, "must be 'median' or a number, got 'mean'"),
        ({"value": True}, TypeError, "must be 'median' or a number, got True"),
        ({"value": float("nan")}, ValueError, "must be finite"),
        ({"value": {"wave": 1}}, ValueError, "'wave', which is no known kind"),
        ({"item_id": " "}, ValueError, r"fill\['item_id'\] is blank"),
        ({"item_id": None}, ValueError, r"fill\['item_id'\] is missing"),
    ],
)
def test_what_cannot_be_filled_in_is_named(fill, error, message):
    with pytest.raises(error, match=message):
        clean(GAPS, fill=fill)


# Time zones


def test_times_without_an_offset_are_read_in_the_zone_that_is_named():
    table = log(
        ("ann", "a", "like", "2026-01-05T12:00"),
        ("bob", "a", "like", "2026-01-05T12:00Z"),
        ("cem", "a", "like", "20260105T120000+0200"),
        ("dan", "a", "like", "2026-01-05"),
        ("eve", "a", "like", dt.datetime(2026, 1, 5, 12)),
        ("fay", "a", "like", dt.datetime(2026, 1, 5, 12, tzinfo=dt.UTC)),
        ("gus", "a", "like", 1767614400),
    )
    found = clean(table, timezone="Asia/Shanghai").events.set_index("user_id")["timestamp"]
    hours = found.dt.strftime("%d %H").to_dict()
    assert hours == {"ann": "05 04", "bob": "05 12", "cem": "05 10", "dan": "04 16",
                     "eve": "05 04", "fay": "05 12", "gus": "05 12"}  # fmt: skip


@pytest.mark.parametrize("as_text", [True, False])
def test_the_jumps_of_the_clock_are_defined_and_counted(as_text):
    written = ["2025-03-30 02:30", "2025-10-26 02:30", "2025-07-01 02:30"]
    table = log(*[("ann", "a", "like", stamp) for stamp in written])
    if not as_text:
        table["timestamp"] = pd.to_datetime(table["timestamp"])
    found = clean(table, timezone="Europe/Berlin")
    assert found.events["timestamp"].astype(str).tolist() == [
        "2025-03-30 01:00:00+00:00",  # 02:30 never was; the clocks went from 02:00 to 03:00
        "2025-07-01 00:30:00+00:00",
        "2025-10-26 00:30:00+00:00",  # 02:30 was twice; the first time was summer time
    ]
    assert found.repairs.to_dict() == {"clock_gap": 1, "clock_overlap": 1}
    again = clean(found.events, timezone="Europe/Berlin")
    pd.testing.assert_frame_equal(again.events, found.events)
    assert again.repairs.empty


@pytest.mark.parametrize(
    ("zone", "error"), [("Mars/Olympus", ValueError), ("../x", ValueError), (8, TypeError)]
)
def test_an_unknown_zone_is_named(zone, error):
    with pytest.raises(error, match=f"time ?zone.*{zone}"):
        clean(log(), timezone=zone)


# Robots


def beats(n, every, user="bot"):
    return log(*[(user, f"i{k}", "browse", at(k * every)) for k in range(n)])


def people(n=40, seed=0):
    rng = np.random.default_rng(seed)
    rows = [(f"p{u}", f"i{k}", "browse", at(s)) for u in range(n)
            for k, s in enumerate(np.cumsum(rng.exponential(40, 60)).round())]  # fmt: skip
    return log(*rows)


@pytest.mark.parametrize(
    ("n", "every"),
    [
        (100, 0.5),  # by its rate
        (60, 1.0),
        (40, 7),  # by its regularity
        (40, 600),
    ],
)
def test_robots_are_found_among_people(n, every):
    table = pd.concat([people(), beats(n, every)])
    assert clean(table).rejected.empty
    found = clean(table, robots=RobotRule())
    assert set(found.rejected["user_id"]) == {"bot"}
    assert found.rejected["reason"].tolist() == ["robot"] * n
    again = clean(found.events, robots=RobotRule())
    assert again.rejected.empty


@pytest.mark.parametrize(
    "habit",
    [
        beats(365, 86_400),  # the news, every day
        beats(40, 60),  # on a clock that shows minutes, every minute
        log(*[("bot", f"i{k}", "purchase", at(0), 1) for k in range(500)]),  # one large basket
        beats(20, 7),  # too few to judge
    ],
)
def test_habits_baskets_and_coarse_clocks_make_no_robot(habit):
    times = pd.to_datetime(habit["timestamp"])
    others = people(3).assign(timestamp=at(0)) if (times.dt.second == 0).all() else people(3)
    found = clean(pd.concat([others, habit]), robots=RobotRule())
    assert "robot" not in set(found.rejected["reason"])


def test_pauses_do_not_hide_a_robot():
    shifts = [beats(30, 5).assign(timestamp=[at(day * 86_400 + 5 * k) for k in range(30)])
              for day in range(10)]  # fmt: skip
    assert clean(pd.concat([people(), *shifts]), robots=RobotRule()).rejected["reason"].eq(
        "robot"
    ).sum() == len(pd.concat(shifts))


def test_no_person_of_movielens_is_a_robot():
    data = load_dataset("movielens-small")
    rule = RobotRule()
    assert rule.find(data.events["user_id"], data.events["timestamp"]) == []


def test_the_parameters_of_the_rule_are_checked():
    with pytest.raises(ValueError, match="max_per_minute must be at least 1"):
        RobotRule(max_per_minute=0)
    with pytest.raises(TypeError, match="regular_share must be a number"):
        RobotRule(regular_share="all")
    with pytest.raises(ValueError, match="tolerance must lie above 0"):
        RobotRule(tolerance=0)
    with pytest.raises(TypeError, match="robots must be a RobotRule, got bool"):
        clean(log(), robots=True)


# All of them together

DIRTY = st.lists(
    st.tuples(
        st.sampled_from(["ann", "bob", None]),
        st.sampled_from(["a", "b", None]),
        st.sampled_from(["purchase", "return", "rate", "play", None]),
        st.one_of(st.integers(0, 30).map(at), st.sampled_from(["2025-03-30 02:30", "x"])),
        st.sampled_from([None, 2.0, -2.0, 1, "many"]),
        st.sampled_from([None, "hm"]),
    ),
    max_size=25,
)
OPTIONS = {
    "fill": {"value": "median", "event": "browse", "item_id": "b"},
    "near_duplicates": "3s",
    "robots": RobotRule(max_per_minute=4, min_gaps=3),
    "timezone": "Europe/Berlin",
}


@settings(deadline=None, max_examples=80)
@given(rows=DIRTY, random=st.randoms(use_true_random=False))
def test_with_every_rule_no_row_is_lost_and_neither_order_nor_repetition_matters(rows, random):
    table = log(*rows).astype({"value": object})
    mixed = table.iloc[random.sample(range(len(table)), len(table))]
    found, other = clean(table, **OPTIONS), clean(mixed, **OPTIONS)
    assert len(found.events) + len(found.rejected) == len(table)
    assert set(found.rejected["reason"]) <= set(REASONS)
    assert set(found.repairs.index) <= set(REPAIRS)
    pd.testing.assert_frame_equal(validate_events(found.events), found.events)
    pd.testing.assert_frame_equal(found.events, other.events)
    pd.testing.assert_frame_equal(
        found.rejected.reset_index(drop=True), other.rejected.reset_index(drop=True)
    )
    pd.testing.assert_series_equal(found.repairs, other.repairs)
    again = clean(found.events, **OPTIONS)
    pd.testing.assert_frame_equal(again.events, found.events)
    assert again.rejected.empty
    assert again.repairs.empty
