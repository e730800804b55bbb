"""Whatever a frame holds, it becomes a clean log or an error of this package that says why not."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from recsys_interest.clean_log import REASONS, REPAIRS
from recsys_interest.cleaning import clean_events
from recsys_interest.event_weights import EVENT_WEIGHTS
from recsys_interest.robots import RobotRule
from recsys_interest.schema import EVENT_COLUMNS, SchemaError, validate_events

NOW = "2026-02-01"
COLUMNS = ("user_id", "item_id", "timestamp", "event", "value", "text")
LONG = "好 😀 \u202e" * 200_000  # 1 MB
ODD_TEXT = [
    *(
        "",
        " ",
        "\t\n",
        "\x00",
        "a\x00b",
        "\x1b[31mred",
        "\r\n",
        "\x85",
        "\u2028",
        "\ufeff",
        "\udce9",
    ),
    *("שלום עולם", "\u202emarhaba\u202c", "مرحبا", "👩‍👩‍👧‍👦", "e\u0301", "\U0010ffff", LONG),
    *(
        "NaN",
        "null",
        "None",
        "inf",
        "-0",
        "1e999",
        "0x10",
        "１２",
        "1_000",
        "true",
        "<script>",
        "'; --",
    ),
]
ODD_TIMES = [
    *("2026-01-05", "20260105", "2026-01-05T10:00:00.123456789Z", "2026-13-01", "2026-02-30"),
    *(
        "0000-01-01",
        "10000-01-01",
        "2026-W02",
        "2026-001",
        "2026-01-05T24:00",
        "2026-01-05T23:59:60",
    ),
    *(
        "2026-01-05T10:00+99:99",
        "1767571200",
        "-1",
        "1e20",
        "123e-5",
        "now",
        "٢٠٢٦-٠١-٠٥",
        "2026-01-05 x",
    ),
    *("2025-03-30 02:30", "2025-10-26 02:30", "0001-01-01T00:00+14:00", "9999-12-31T23:59-12:00"),
]
ODD_NUMBERS = [
    *(0, -1, 7, 2**53 + 1, 2**63, -(2**64), 10**400, True, 0.0, -0.0, 1.5, 1e308, float("nan")),
    *(float("inf"), np.int64(7), np.float32(2.5), np.uint64(2**64 - 1), np.bool_(True), 3 + 4j),
    *(Decimal("2.5"), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"), Fraction(1, 3)),
]
ODD_THINGS = [
    *(None, pd.NA, pd.NaT, b"bytes", [], [1], {}, {"a": 1}, (), frozenset(), object, len),
    *(
        dt.datetime(2026, 1, 5),
        dt.datetime(2026, 1, 5, tzinfo=dt.UTC),
        dt.date(1, 1, 1),
        dt.time(3),
    ),
    *(dt.datetime(9999, 12, 31, 23), dt.timedelta(1), pd.Timestamp("2026-01-05", tz="Asia/Tokyo")),
    *(np.datetime64("2026-01-05"), np.datetime64("300000-01-01", "s"), np.datetime64("NaT")),
    *(np.array([1, 2]), pd.Series([1]), pd.Interval(0, 1), pd.Period("2026-01"), range(3)),
]
ANYTHING = st.one_of(
    st.sampled_from([*ODD_TEXT, *ODD_TIMES]),
    st.sampled_from(ODD_NUMBERS),
    st.sampled_from(ODD_THINGS),
    st.text(max_size=6),
    st.integers(),
    st.floats(),
    st.datetimes(),
)
# Columns of one kind reach the rules, columns of many kinds the errors; both must be met.
IDS = [st.sampled_from(["ann", "bob", None]), st.integers(1, 3), st.sampled_from([1.0, 2.0, None]),
       st.sampled_from([*ODD_TEXT, None])]  # fmt: skip
SENSIBLE = {
    "user_id": IDS,
    "item_id": IDS,
    "timestamp": [st.sampled_from([*ODD_TIMES, None]), st.datetimes(), st.integers(), st.floats(),
                  st.sampled_from([dt.datetime(2026, 1, 5), dt.date(2026, 1, 5)])],
    "event": [st.sampled_from([*EVENT_WEIGHTS, "wave", None]), st.just("purchase")],
    "value": [st.floats(), st.integers(-3, 3), st.sampled_from([1.0, -1.0, None]),
              st.sampled_from([*ODD_NUMBERS, *ODD_TEXT[-14:], None])],
    "text": [st.sampled_from(["", "x", None]), st.sampled_from(ODD_TEXT)],
}  # fmt: skip


@st.composite
def cells(draw, name, n):
    # Mostly sensible, for in a frame with six odd columns only the first would ever be read.
    odd = draw(st.integers(0, 9)) == 0
    kinds = ANYTHING if odd else draw(st.sampled_from(SENSIBLE[name]))
    wanted = draw(
        st.sampled_from([None, None, "infer", "str", "category", "Int64", "Float64", "utc"])
    )
    return draw(st.lists(kinds, min_size=n, max_size=n)), wanted


@st.composite
def tables(draw):
    n = draw(st.integers(0, 6))
    names = [c for c in COLUMNS if c in COLUMNS[:3] or draw(st.integers(0, 5))]
    columns = {name: draw(cells(name, n)) for name in names}
    if draw(st.booleans()):
        columns["extra"] = draw(cells("value", n))
    return columns, n and draw(st.booleans())


def column_of(values, wanted=None):
    held = np.empty(len(values), dtype=object)  # cell by cell, as numpy would take lists apart
    for at, value in enumerate(values):
        held[at] = value
    column = pd.Series(held, dtype=object)
    try:
        if wanted == "infer":
            return column.infer_objects()
        kind = {None: object, "utc": "datetime64[ns, UTC]"}.get(wanted, wanted)
        return column.astype(kind)
    except Exception:  # pandas cannot make this column, so nobody can hand it in
        return column


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "timezone": st.sampled_from(["Europe/Berlin", "Asia/Kolkata", "America/St_Johns"]),
        "timestamp_unit": st.sampled_from(["s", "ms", "us", "ns"]),
        "near_duplicates": st.sampled_from(["0s", "1h", "100000D"]),
        "robots": st.just(RobotRule(max_per_minute=1, min_gaps=1)),
        "repair_text": st.booleans(),
        "fill": st.sampled_from([{"value": "median"}, {"value": {"browse": 1}, "event": "browse"}]),
        "items": st.sampled_from(
            [pd.DataFrame({"item_id": ["ann"]}), pd.DataFrame({"item_id": [1]})]
        ),
    },
)


def clean_or_say_why_not(table, **options):
    """Return a clean log, or what the error of this package says."""
    try:
        return clean_events(table, now=NOW, **options), None
    except SchemaError as error:
        return None, str(error)


# A table that fails is small as it is drawn.
@settings(
    deadline=None,
    max_examples=2000,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(drawn=tables(), options=OPTIONS)
@example(({c: ([Decimal("sNaN")], None) for c in COLUMNS}, False), {})
def test_any_frame_becomes_a_clean_log_or_an_error_of_ours(drawn, options):
    columns, twice = drawn
    table = pd.DataFrame({name: column_of(*column) for name, column in columns.items()})
    if twice:
        table = pd.concat([table, table.iloc[:1]])
    log, fault = clean_or_say_why_not(table, **options)
    if log is None:
        assert fault.startswith("events.")
        assert len(fault) < 2000
        return
    assert len(log.events) + len(log.rejected) == len(table)
    assert set(log.rejected["reason"]) <= set(REASONS)
    assert set(log.repairs.index) <= set(REPAIRS)
    events = log.events[list(EVENT_COLUMNS)]  # the other columns are as they were read
    pd.testing.assert_frame_equal(validate_events(events), events)
    assert log.events["timestamp"].le(pd.Timestamp(NOW, tz="UTC")).all()
    repr(log), log._repr_html_()


@pytest.mark.parametrize("column", COLUMNS)
def test_any_single_thing_in_any_column(column):
    row = {"user_id": "ann", "item_id": "a", "timestamp": "2026-01-05", "event": "rate"}
    for thing in [*ODD_TEXT, *ODD_TIMES, *ODD_NUMBERS, *ODD_THINGS]:
        table = pd.DataFrame({**row, "value": 3.0, "text": "", column: column_of([thing])})
        log, fault = clean_or_say_why_not(table)
        if log is None:
            assert fault.startswith(f"events.{column}")
        else:
            assert len(log.events) + len(log.rejected) == 1
