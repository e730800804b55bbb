"""Cleaning, scored on faults that were planted: all are found, and no clean row is rejected."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest.cleaning import REASONS, CleanLog, clean_events
from recsys_interest.interest_dirt import FAULTS, NEAR_SECONDS, ROBOT_ROWS
from recsys_interest.interest_log import Dataset, make_interest_log
from recsys_interest.robots import RobotRule

REJECTED = [fault for fault in FAULTS if fault != "negative_quantity"]
SOME = dict.fromkeys(FAULTS, 7) | {"robot": 3, "missing_user": 40, "duplicate": 0}


def cleaned(log: Dataset, **options: object) -> CleanLog:
    defaults: dict[str, object] = {
        "near_duplicates": f"{NEAR_SECONDS}s",
        "robots": RobotRule(),
        "now": "2026-12-31",
    }
    return clean_events(log.events, log.items, **(defaults | options))


def test_every_reason_is_planted() -> None:
    assert set(REJECTED) == set(REASONS)


@pytest.mark.rows("D05")
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dirt", [0.05, SOME], ids=["share", "counts"])
def test_every_planted_fault_is_found_and_no_clean_row_is_rejected(
    seed: int, dirt: float | dict[str, int]
) -> None:
    log = make_interest_log(dirt=dirt, seed=seed)
    result = cleaned(log)
    planted = log.truth["dirt"].set_index("row")["fault"]
    rejected = planted[planted != "negative_quantity"]
    found = result.rejected["reason"].sort_index()
    assert found.to_dict() == rejected.to_dict()
    assert result.repairs.to_dict() == {"negative_quantity": (planted == "negative_quantity").sum()}
    clean = make_interest_log(seed=seed)
    pd.testing.assert_frame_equal(result.events, clean.events)


@given(
    st.dictionaries(st.sampled_from(list(FAULTS)), st.integers(0, 3)),
    st.integers(0, 2**32),
    st.sampled_from(["en", "zh", "both"]),
)
@settings(deadline=None, max_examples=12)
def test_counts_are_exact(dirt: dict[str, int], seed: int, language: str) -> None:
    log = make_interest_log(
        150,
        n_items=40,
        n_topics=3,
        domains=["commerce", "education"],
        dirt=dirt,
        seed=seed,
        language=language,
    )
    expected = {fault: n for fault, n in dirt.items() if n}
    if "robot" in expected:
        expected["robot"] *= ROBOT_ROWS
    planted = log.truth["dirt"]
    assert planted["fault"].value_counts().to_dict() == expected
    further = sum(expected.values()) - expected.get("negative_quantity", 0)
    assert len(log.events) == 1500 + further
    assert planted["row"].is_unique
    assert cleaned(log).rejected["reason"].value_counts().to_dict() == {
        fault: n for fault, n in expected.items() if fault != "negative_quantity"
    }


def test_dirt_changes_nothing_else() -> None:
    dirty, clean = (make_interest_log(200, dirt=dirt) for dirt in (0.2, 0.0))
    pd.testing.assert_frame_equal(dirty.items, clean.items)
    pd.testing.assert_frame_equal(dirty.users, clean.users)
    for name in ("users", "mixture", "items", "titles"):
        pd.testing.assert_frame_equal(dirty.truth[name], clean.truth[name])
    assert clean.truth["dirt"].columns.tolist() == ["row", "fault"]
    assert clean.truth["dirt"].empty
    assert (dirty.events.dtypes == "str").all()
    share = (dirty.truth["dirt"]["fault"] != "robot").sum() / 2000
    assert 0.1 < share <= 0.2


def test_a_fault_that_is_not_looked_for_is_not_found() -> None:
    # The score can fail: without the two options, robots and near duplicates stay.
    log = make_interest_log(dirt=0.05)
    found = set(cleaned(log, near_duplicates=None, robots=None).rejected["reason"])
    assert found == set(REJECTED) - {"robot", "near_duplicate"}


def test_robots_come_in_two_kinds() -> None:
    log = make_interest_log(dirt={"robot": 2})
    robots = log.events[log.events["user_id"].str.startswith("robot-")]
    times = pd.to_datetime(robots["timestamp"])
    spans = times.groupby(robots["user_id"]).agg(lambda t: t.max() - t.min())
    assert spans.dt.total_seconds().tolist() == [119, 119 * 300]
    slow_only = cleaned(log, robots=RobotRule(max_per_minute=1000)).rejected
    assert set(slow_only["user_id"]) == {"robot-2"}


@pytest.mark.parametrize(
    ("dirt", "error", "message"),
    [
        (0.6, ValueError, "dirt must be a share of at most 0.5, got 0.6"),
        (-0.1, ValueError, "dirt must be from 0 to 1.0, got -0.1"),
        ("much", TypeError, "dirt must be a number from 0 to 1.0, got 'much'"),
        (True, TypeError, "dirt must be a number from 0 to 1.0, got True"),
        ({"typo": 1}, ValueError, "dirt has unknown faults: 'typo'; there are 'missing_user'"),
        ({"robot": 0.5}, TypeError, r"dirt\['robot'\] must be a whole number, got 0.5"),
        ({"robot": -1}, ValueError, r"dirt\['robot'\] must be from 0"),
        ({"duplicate": 10_000}, ValueError, "10,000 rows with the fault 'duplicate', and the log"),
    ],
)
def test_odd_dirt(dirt: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        make_interest_log(50, dirt=dirt)  # type: ignore[arg-type]


def test_robots_need_a_catalogue() -> None:
    with pytest.raises(ValueError, match="robots need 14 items to sweep, there are 8"):
        make_interest_log(50, n_items=8, dirt={"robot": 1})
