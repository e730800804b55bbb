"""What one event is worth to a profile: its strength, how rare its item is, and its age.

Chapter: 05 (user profiles).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import SchemaError, shown
from recsys_interest.decayed_sums import DecayedSums, decay, microseconds
from recsys_interest.event_weights import LARGEST_WEIGHT, event_strength, weights_of

__all__ = ["Weighing"]

LARGEST_STRENGTH = 1e200  # a billion of these can still be added

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Weighing:
    """The parameters of `InterestProfiler` that weights depend on, checked when they are put here.

    Parameters
    ----------
    event_weights, neutral_rating, half_life, weigh_events, idf
        See `InterestProfiler`.

    Raises
    ------
    TypeError, ValueError
        If a parameter is of the wrong kind, or out of range.
    """

    event_weights: Mapping[str, float] | None = None
    neutral_rating: float = 3.0
    half_life: float | None = None
    weigh_events: bool = True
    idf: bool | Mapping[Any, float] | pd.Series = False

    def __post_init__(self) -> None:
        weights_of(self.event_weights)
        _check_half_life(self.half_life)
        if not isinstance(self.weigh_events, bool):
            raise TypeError(f"weigh_events must be True or False, got {self.weigh_events!r}")
        if not isinstance(self.idf, bool):
            _checked_idf(self.idf)

    def strength(self, log: pd.DataFrame) -> Floats:
        """Return the strength of each event, 0 where it speaks against the item."""
        strength = event_strength(log, self.event_weights, self.neutral_rating).to_numpy()
        if not self.weigh_events:
            return (strength > 0).astype(np.float64)
        large = ~(strength <= LARGEST_STRENGTH)  # also catches NaN
        if large.any():
            values = shown(log.loc[large, "value"].tolist())
            raise SchemaError(f"events.value is too large to be weighed: {values}; rescale it")
        return np.maximum(strength, 0.0)

    def rarity(self, items: pd.Index, seen: Callable[[], DecayedSums]) -> Floats:
        """Return the inverse document frequency of items, counted in what was `seen` if asked."""
        if self.idf is False:
            return np.ones(len(items))
        if self.idf is True:
            sums = seen()
            return sums.idf()[sums.items.get_indexer(items)]
        given = _checked_idf(self.idf)
        rarity: Floats = given.reindex(items).fillna(given.max()).to_numpy()
        return rarity

    def event_shares(self, log: pd.DataFrame, worth: Floats) -> pd.DataFrame:
        """Return the share of each event in its user's weight, the largest first.

        `worth` is the weight of each event before its age counts; events without any are left out.
        """
        log, weight = log[worth > 0], worth[worth > 0]
        time = microseconds(log["timestamp"])
        newest = pd.Series(time).groupby(log["user_id"].to_numpy()).transform("max").to_numpy()
        weight = weight * decay(newest - time, self.half_life)
        order = ["user_id", "weight", "item_id", "timestamp", "event", "value"]
        upwards = [name != "weight" for name in order]
        table = log.assign(weight=weight).sort_values(order, ascending=upwards)
        total = table.groupby("user_id")["weight"].transform("sum")
        names = ["user_id", "item_id", "event", "timestamp", "value"]
        return table[names].assign(share=table["weight"] / total)

    def settings(self) -> dict[str, Any]:
        """Return the parameters that are baked into sums, as values that JSON keeps."""
        return {
            "half_life": None if self.half_life is None else float(self.half_life),
            "neutral_rating": float(self.neutral_rating),
            "weigh_events": self.weigh_events,
            "event_weights": {k: float(v) for k, v in weights_of(self.event_weights).items()},
        }

    def to_frame(self, **others: Any) -> pd.DataFrame:
        """Return the settings, and others, as a table."""
        made = {**self.settings(), **others}
        values = [json.dumps(value, sort_keys=True) for value in made.values()]
        return pd.DataFrame({"setting": list(made), "value": values})

    def check_frame(self, table: pd.DataFrame) -> dict[str, Any]:
        """Return what `to_frame` wrote down, if it was written with these parameters."""
        saved = dict(zip(table["setting"], map(json.loads, table["value"]), strict=True))
        self.check_same(saved, "the state was made")
        return saved

    def check_same(self, then: Mapping[str, Any], what: str) -> None:
        """Raise ValueError if the sums were made with other parameters."""
        for name, now in self.settings().items():
            if then.get(name) != now:
                raise ValueError(
                    f"{what} with {name}={then.get(name)!r}, now it is {now!r}; set it back, or "
                    f"fit all events again"
                )


def _checked_idf(idf: object) -> pd.Series:
    if not isinstance(idf, (Mapping, pd.Series)):
        raise TypeError(f"idf must be True, False or a mapping of item id to number, got {idf!r}")
    values = pd.Series(idf, dtype="float64")
    odd = values[~values.between(0, LARGEST_WEIGHT)]
    if len(odd) or not len(values):
        raise ValueError(
            f"idf must hold numbers from 0 to {LARGEST_WEIGHT:g}, got {len(values)} numbers, "
            f"among them {shown(odd)}"
        )
    if values.index.has_duplicates:
        twice = shown(values.index[values.index.duplicated()])
        raise ValueError(f"idf must give each item one number, it has several for {twice}")
    return values


def _check_half_life(half_life: object) -> None:
    if half_life is None:
        return
    if isinstance(half_life, bool) or not isinstance(half_life, Real):
        raise TypeError(f"half_life must be a number of days or None, got {half_life!r}")
    if not float(half_life) > 0:
        raise ValueError(f"half_life must be a positive number of days, got {half_life}")
