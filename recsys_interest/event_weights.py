"""How much one event says for or against an interest: by its kind, and by its value.

Chapter: 05 (user profiles).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Real
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import SchemaError, check_frame, shown

__all__ = ["COUNTED_KINDS", "EVENT_WEIGHTS", "event_strength", "weights_of"]

LARGEST_WEIGHT = 1e6  # sums of larger ones lose the small ones

#: Default worth of one event of each kind. The order of the kinds is common sense (a purchase says
#: more than a glance), the sizes are a convention: override them where you have evidence.
EVENT_WEIGHTS: Mapping[str, float] = MappingProxyType(
    {
        "impression": 0.0,  # shown, not chosen: no evidence of interest by itself
        "browse": 1.0,
        "search": 1.0,
        "exam_score": 1.0,
        "play": 2.0,
        "follow": 3.0,
        "like": 3.0,
        "comment": 3.0,
        "rate": 3.0,  # multiplied by the rating's distance from neutral, so it can be negative
        "share": 4.0,
        "favourite": 4.0,
        "enrol": 5.0,
        "purchase": 5.0,
        "return": -5.0,  # takes back a purchase
    }
)

#: Kinds of event whose `value` counts: how many times, or how many pieces. Without a value it is
#: one. The other kinds happen once, or have a rating or a score.
COUNTED_KINDS = frozenset(
    ("impression", "browse", "search", "play", "comment", "share", "purchase", "return")
)


def event_strength(
    events: pd.DataFrame,
    weights: Mapping[str, float] | None = None,
    neutral_rating: float = 3.0,
    *,
    counts: str = "log2",
) -> pd.Series:
    r"""Return how much each event says for (+) or against (−) an interest.

    .. math:: s_e = w_{\mathrm{kind}(e)} \cdot
        \begin{cases} (v_e - v_0) / 2 & \text{for ratings} \\
        \log_2(1 + v_e) & \text{for counts, where } v_e = 1 \text{ if there is no value} \\
        1 & \text{otherwise} \end{cases}

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`).
    weights : mapping of str to float, optional
        Weight of each event kind; the kinds given here override or extend `EVENT_WEIGHTS`.
    neutral_rating : float, default 3.0
        The rating :math:`v_0` that says nothing either way, in the unit of the ratings. Ratings
        above it speak for an interest, ratings below it against one.
    counts : {"log2", "linear", "ignore"}, default "log2"
        What the value of the `COUNTED_KINDS` does. ``"log2"`` lets it saturate: one play counts 1,
        three count 2, seven count 3, and a song that ran a thousand times does not drown a user's
        other interests. ``"linear"`` multiplies by it, ``"ignore"`` leaves it out.

    Returns
    -------
    Series of float64
        One strength per event, same index, no unit.

    Raises
    ------
    SchemaError
        If an event kind has no weight.
    ValueError
        If `counts` is none of the three, or `neutral_rating` is not finite.

    Notes
    -----
    Chapter 05, "User profiles". A logarithm of implicit counts is the second confidence of Hu,
    Koren and Volinsky (2008), "Collaborative filtering for implicit feedback datasets", eq. (6).

    Rows: D06, D07.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"event": ["rate", "rate", "like"], "value": [5.0, 1.0, None]})
    >>> event_strength(log).tolist()
    [3.0, -3.0, 3.0]
    >>> plays = pd.DataFrame({"event": ["play"] * 3, "value": [None, 1, 3]})
    >>> event_strength(plays).tolist()
    [2.0, 2.0, 4.0]
    """
    check_frame(events, "events", ("event", "value"))
    if isinstance(neutral_rating, bool) or not isinstance(neutral_rating, Real):
        raise TypeError(f"neutral_rating must be a number, got {neutral_rating!r}")
    if not np.isfinite(float(neutral_rating)):
        raise ValueError(f"neutral_rating must be finite, got {neutral_rating!r}")
    if counts not in _SATURATION:
        raise ValueError(f"counts must be {shown(_SATURATION)}, got {counts!r}")
    table = weights_of(weights)
    # Each kind is looked up once: mapping millions of rows takes seconds.
    places, distinct = pd.factorize(events["event"])
    known = np.append(np.array([table.get(kind, np.nan) for kind in distinct], dtype=float), np.nan)
    weight = pd.Series(known[places], index=events.index, name="event")
    unknown = weight.isna()
    if unknown.any():
        kinds = events.loc[unknown, "event"].unique().tolist()
        raise SchemaError(
            f"events.event has kinds without a weight: {shown(kinds)}; "
            f"pass a weight for each, for example {{{shown(kinds[:1])}: 1.0}}"
        )
    value = events["value"].to_numpy(dtype=float)
    # A rating without a value says nothing; a count without one is one, a count below zero none.
    rated = np.nan_to_num((value - neutral_rating) / 2)
    counted = _SATURATION[counts](np.where(np.isnan(value), 1.0, np.maximum(value, 0.0)))
    is_rating, is_count = events["event"] == "rate", events["event"].isin(COUNTED_KINDS)
    return weight * np.where(is_rating, rated, np.where(is_count, counted, 1.0))


_SATURATION: Mapping[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]] = {
    "log2": lambda count: np.log2(1.0 + count),
    "linear": lambda count: count,
    "ignore": np.ones_like,
}


def weights_of(weights: Mapping[str, float] | None) -> dict[str, float]:
    """Return the weight of every kind of event: `EVENT_WEIGHTS`, overridden by the ones given.

    >>> weights_of({"wave": 0.5})["wave"]
    0.5
    """
    if weights is not None and not isinstance(weights, Mapping):
        raise TypeError(f"event_weights must be a mapping, got {type(weights).__name__}")
    for kind, weight in (weights or {}).items():
        if isinstance(weight, bool) or not isinstance(weight, Real):
            raise TypeError(f"the weight of {kind!r} must be a number, got {weight!r}")
        if not abs(weight) <= LARGEST_WEIGHT:  # also catches NaN
            raise ValueError(
                f"the weight of {kind!r} must lie within ±{LARGEST_WEIGHT:g}, got {weight!r}"
            )
    return {**EVENT_WEIGHTS, **(weights or {})}
