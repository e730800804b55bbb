"""Plant the faults of real logs in a generated one, so that cleaning can be scored exactly.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.schema import EVENT_COLUMNS
from recsys_interest.seeded import Ints, below, shuffled, stream

__all__ = ["FAULTS", "ROBOT_ROWS", "dirt_counts", "plant_faults"]

#: The faults, each with what is written. All but the last are further rows, which cleaning rejects
#: for a reason of this name; the last changes a return, which cleaning repairs.
FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "missing_user": "a row without a user, or with a blank one",
        "missing_item": "a row without an item, or with a blank one",
        "missing_event": "a row without a kind of event, or with a blank one",
        "unknown_event": "a kind of event that nobody knows",
        "unparsable_time": "no time, or one that is ambiguous",
        "future_time": "a time in the year 9996",
        "bad_value": "a value that is no finite number",
        "missing_value": "a rating or an exam score without its value",
        "unknown_item": "an item that the catalogue does not list",
        "duplicate": "a row that stands there twice",
        "near_duplicate": "the same again within a minute",
        "robot": "a user who acts each second, or every five minutes without a pause",
        "return_without_purchase": "a purchase of −1 by a user who never bought the item",
        "negative_quantity": "a return written as a purchase of a negative quantity",
    }
)
ROBOT_ROWS = 120  # that each robot leaves
NEAR_SECONDS = 60

_SPOILED: Mapping[str, tuple[str, tuple[str | None, ...]]] = MappingProxyType(
    {
        "missing_user": ("user_id", (None, " ")),
        "missing_item": ("item_id", (None, " ")),
        "missing_event": ("event", (None, " ")),
        "unknown_event": ("event", ("clck", "page_view", "BROWSE?")),
        "unparsable_time": ("timestamp", (None, "03/04/2026", "yesterday")),
        "bad_value": ("value", ("many", "inf", "1e999")),
        "missing_value": ("value", (None,)),
    }
)
_SWEEP = ("browse", "play", "like", "share", "follow", "favourite", "enrol", "impression", "search")
_PERIODS = (1, 300)  # seconds between the events of a fast robot and of a patient one


def dirt_counts(dirt: float | Mapping[str, int], total: int) -> dict[str, int]:
    """Return how many rows to plant with each fault; of a share, each fault gets as much.

    A mapping counts robots, a share the rows of robots, too.
    """
    if isinstance(dirt, Mapping):
        counts = {fault: int(dirt.get(fault, 0)) for fault in FAULTS}
        return {fault: n * (ROBOT_ROWS if fault == "robot" else 1) for fault, n in counts.items()}
    if not dirt:
        return dict.fromkeys(FAULTS, 0)
    each = max(1, int(dirt * total / len(FAULTS)))
    robots = max(1, each // ROBOT_ROWS)
    return {fault: robots * ROBOT_ROWS if fault == "robot" else each for fault in FAULTS}


def plant_faults(
    events: pd.DataFrame,
    item_ids: Sequence[str],
    counts: Mapping[str, int],
    *,
    at_most: bool,
    seed: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the log as a careless system would write it, all text, and where the faults are.

    The further rows are made from rows of the log, no two from the same. What is too rare for
    `counts` is an error, or with `at_most` planted as often as it can be.
    """
    rng = stream(seed, 7)
    raw = _written(events)
    victims = _Victims(events, rng)
    planted = []
    for fault in [f for f in FAULTS if f not in ("robot", "negative_quantity")]:
        rows = victims.take(fault, counts[fault], at_most)
        planted.append(_spoil(fault, raw.take(rows), events.take(rows), rng).assign(at=rows))
    planted.append(_robots(events, item_ids, counts["robot"] // ROBOT_ROWS, rng))
    returns = victims.take("negative_quantity", counts["negative_quantity"], at_most)
    raw["fault"] = ""
    raw.loc[returns, ["event", "fault"]] = ["purchase", "negative_quantity"]
    raw.loc[returns, "value"] = "-" + raw.loc[returns, "value"]
    both = pd.concat([raw.assign(at=np.arange(len(raw))), *planted])
    both = both.sort_values("at", kind="stable", ignore_index=True)
    found = np.flatnonzero(both["fault"] != "")
    truth = pd.DataFrame({"row": found, "fault": both["fault"].take(found).to_numpy()})
    return both[list(EVENT_COLUMNS)], truth.astype({"fault": "str"})


def _written(events: pd.DataFrame) -> pd.DataFrame:
    """Return the log with every column as text, like a CSV file read without looking."""
    raw = events.copy()
    raw["timestamp"] = _spelled(events["timestamp"])
    raw["value"] = events["value"].map("{:g}".format).astype("str").where(events["value"].notna())
    return raw


def _spelled(times: pd.Series) -> pd.Series:
    return times.dt.strftime("%Y-%m-%dT%H:%M:%SZ").astype("str")


class _Victims:
    """Rows of the log, each used for one fault at most, so that no fault hides another."""

    def __init__(self, events: pd.DataFrame, rng: np.random.Generator) -> None:
        self.events = events
        self.order = shuffled(np.arange(len(events)), rng)
        self.free = np.ones(len(events), dtype=bool)

    def take(self, fault: str, count: int, at_most: bool) -> Ints:
        able = self.order[(self._able(fault) & self.free)[self.order]]
        if count > len(able) and not at_most:
            raise ValueError(
                f"dirt asks for {count:,} rows with the fault {fault!r}, and the log has "
                f"{len(able):,} that it fits; make a larger log or ask for fewer"
            )
        taken = np.sort(able[:count])
        self.free[taken] = False
        return taken

    def _able(self, fault: str) -> npt.NDArray[np.bool_]:
        kind = self.events["event"]
        if fault == "negative_quantity":
            return (kind == "return").to_numpy()
        if fault == "missing_value":
            return kind.isin(["rate", "exam_score"]).to_numpy()
        if fault == "return_without_purchase":
            pair = self.events["user_id"] + " " + self.events["item_id"]
            return ~pair.isin(pair[kind == "purchase"]).to_numpy()
        # A return that is written in two ways would be a duplicate of itself.
        return (kind != "return").to_numpy()


def _spoil(
    fault: str, rows: pd.DataFrame, clean: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    rows = rows.assign(fault=fault)
    if fault in _SPOILED:
        column, choices = _SPOILED[fault]
        chosen = np.array(choices, dtype=object)[below(rng.random(len(rows)), len(choices))]
        rows[column] = pd.Series(chosen, index=rows.index, dtype="str")
    elif fault == "future_time":
        rows["timestamp"] = "9996" + rows["timestamp"].str[4:]  # a leap year, for 29 February
    elif fault == "unknown_item":
        rows["item_id"] = "gone-" + rows["item_id"]
    elif fault == "near_duplicate":
        later = 1 + below(rng.random(len(rows)), NEAR_SECONDS)
        rows["timestamp"] = _spelled(clean["timestamp"] + pd.to_timedelta(later, unit="s"))
    elif fault == "return_without_purchase":
        rows["event"], rows["value"], rows["text"] = "purchase", "-1", ""
    return rows


def _robots(
    events: pd.DataFrame, item_ids: Sequence[str], n_robots: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Let robots sweep the catalogue, the fast ones in a minute or two, the patient ones a day."""
    if n_robots and len(item_ids) * len(_SWEEP) < ROBOT_ROWS:
        least = -(-ROBOT_ROWS // len(_SWEEP))
        raise ValueError(f"robots need {least} items to sweep, there are {len(item_ids)}")
    begin = below(rng.random(n_robots), len(events))
    robot = np.repeat(np.arange(n_robots), ROBOT_ROWS)
    step = np.tile(np.arange(ROBOT_ROWS), n_robots)
    after = pd.to_timedelta(step * np.array(_PERIODS)[robot % 2], unit="s")
    first = below(rng.random(n_robots), len(item_ids))[robot]
    swept = {
        "user_id": pd.Series([f"robot-{n + 1}" for n in robot.tolist()], dtype="str"),
        "item_id": np.array(item_ids, dtype=object)[(first + step) % len(item_ids)],
        "event": np.array(_SWEEP, dtype=object)[step // len(item_ids)],
        "timestamp": _spelled(
            events["timestamp"].take(begin[robot]).reset_index(drop=True) + after
        ),
        "value": None,
        "text": "",
        "fault": "robot",
        "at": begin[robot],
    }
    texts = dict.fromkeys([*EVENT_COLUMNS, "fault"], "str")
    return pd.DataFrame(swept).astype(texts)
