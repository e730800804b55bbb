"""What cleaning hands back: clean events, rejected rows with their reasons, counted repairs.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

__all__ = ["REASONS", "REPAIRS", "CleanLog"]

#: The reasons for rejecting a row, each with its meaning. They are tried in this order, and a row
#: carries the first that applies: missing_user, missing_item, missing_event, unknown_event,
#: unparsable_time, future_time, bad_value, missing_value, unknown_item, return_without_purchase,
#: duplicate, near_duplicate, robot.
REASONS: Mapping[str, str] = MappingProxyType(
    {
        "missing_user": "user_id is missing or blank",
        "missing_item": "item_id is missing or blank",
        "missing_event": "the kind of event is missing or blank",
        "unknown_event": "the kind of event has no weight",
        "unparsable_time": "timestamp is missing or is not a time",
        "future_time": "timestamp lies after `now`",
        "bad_value": "value is not a finite number, or is a count below zero",
        "missing_value": "a rating or an exam score without a value",
        "unknown_item": "item_id is not in the items table",
        "return_without_purchase": "a negative quantity, and no purchase before it to take back",
        "duplicate": "the same row was read before",
        "near_duplicate": "the same user, item and kind shortly before",
        "robot": "the user acts faster or more regularly than a person",
    }
)

#: What is repaired in rows that are kept, each with its meaning. The keys are negative_quantity,
#: filled_item, filled_event, filled_value, clock_gap, clock_overlap and repaired_text.
REPAIRS: Mapping[str, str] = MappingProxyType(
    {
        "negative_quantity": "a negative quantity became a return",
        "filled_item": "a missing item_id was filled in",
        "filled_event": "a missing kind of event was filled in",
        "filled_value": "a missing value was filled in",
        "clock_gap": "a local time that the clocks skipped was moved forward",
        "clock_overlap": "a local time that the clocks showed twice was read as the first",
        "repaired_text": "text that was decoded with the wrong encoding was restored",
    }
)


def _no_repairs() -> pd.Series:
    return pd.Series([], index=pd.Index([], dtype="str", name="repair"), dtype="int64", name="rows")


@dataclass(frozen=True)
class CleanLog:
    """A cleaned log: what was kept, what was not and why, and what was repaired.

    Attributes
    ----------
    events : DataFrame
        Canonical events, sorted by time, index 0…n−1.
    rejected : DataFrame
        The rejected rows as they were read, under their old index, and the column `reason`.
    repairs : Series of int64
        How many of the kept rows were repaired in each way that occurred; see `REPAIRS`.
    report : DataFrame
        Rows read, kept, rejected for each reason and repaired in each way that occurred, with the
        share of the rows read and the meaning. Read = kept + rejected; repaired rows are kept rows.
    """

    events: pd.DataFrame
    rejected: pd.DataFrame
    repairs: pd.Series = field(default_factory=_no_repairs)

    @cached_property
    def report(self) -> pd.DataFrame:
        """Rows read, kept, rejected and repaired, one line a reason."""
        counts = self.rejected["reason"].value_counts().to_dict()
        lines = [("read", len(self.events) + len(self.rejected), "")]
        lines += [("kept", len(self.events), "")]
        lines += [(f"rejected: {r}", counts[r], REASONS[r]) for r in REASONS if r in counts]
        repaired = self.repairs.to_dict()
        lines += [(f"repaired: {r}", repaired[r], REPAIRS[r]) for r in REPAIRS if r in repaired]
        report = pd.DataFrame(lines, columns=["step", "rows", "meaning"]).set_index("step")
        report.index.name = None
        report.insert(1, "share", report["rows"] / max(lines[0][1], 1))
        return report.astype({"rows": "int64", "meaning": "str"})

    def __repr__(self) -> str:
        lines = ["CleanLog"]
        wide = max(len(step) for step in self.report.index)
        for step, row in self.report.iterrows():
            line = f"  {step:<{wide}}  {row['rows']:>12,}  {row['share']:>8.2%}  {row['meaning']}"
            lines.append(line.rstrip())
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f'<tr><th scope="row" style="text-align:left">{escape(str(step))}</th>'
            f'<td style="text-align:right">{row["rows"]:,}</td>'
            f'<td style="text-align:right">{row["share"]:.2%}</td>'
            f'<td style="text-align:left">{escape(row["meaning"])}</td></tr>'
            for step, row in self.report.iterrows()
        )
        head = "".join(f'<th scope="col">{name}</th>' for name in ("", *self.report.columns))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


class Findings:
    """The first fault of every row, and the rows of every repair."""

    def __init__(self, n_rows: int) -> None:
        self.code = np.zeros(n_rows, dtype=np.int8)  # 0 while there is no fault
        self.repaired: dict[str, npt.NDArray[np.int64]] = {}

    def reject(self, reason: str, rows: npt.ArrayLike) -> None:
        """Note a fault of rows, given as a mask or as positions."""
        at = np.asarray(rows)
        at = np.flatnonzero(at) if at.dtype == bool else at
        order = list(REASONS).index(reason) + 1
        known = self.code[at]
        self.code[at[(known == 0) | (known > order)]] = order

    def repair(self, repair: str, rows: npt.ArrayLike) -> None:
        """Note a repair of rows, given as a mask or as positions."""
        at = np.asarray(rows)
        at = np.flatnonzero(at) if at.dtype == bool else at
        self.repaired[repair] = np.union1d(self.repaired.get(repair, at[:0]), at)

    @property
    def good(self) -> npt.NDArray[np.bool_]:
        """The rows without a fault."""
        return self.code == 0

    def reasons(self) -> npt.NDArray[np.object_]:
        """Return the reason of every rejected row, in the order of the rows."""
        return np.array(["", *REASONS], dtype=object)[self.code[self.code > 0]]

    def repairs(self) -> pd.Series:
        """Return how many rows without a fault were repaired in each way."""
        counts = {r: int((self.code[at] == 0).sum()) for r, at in self.repaired.items()}
        found = [(r, counts[r]) for r in REPAIRS if counts.get(r)]
        if not found:
            return _no_repairs()
        index = pd.Index([r for r, _ in found], dtype="str", name="repair")
        return pd.Series([n for _, n in found], index=index, dtype="int64", name="rows")
