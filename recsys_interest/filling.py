"""What to do about missing items, kinds and values: reject the row, or fill something in.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.checks import canonical_ids, check_same_ids, shown
from recsys_interest.clean_log import Findings
from recsys_interest.parsing import NEEDS_VALUE, Codes

__all__ = ["check_fill", "fill_items", "fill_values"]

_COLUMNS = ("item_id", "event", "value")


def check_fill(fill: Mapping[str, Any] | None, weights: Mapping[str, float]) -> dict[str, Any]:
    """Return what to fill in, or say what cannot be.

    Parameters
    ----------
    fill : mapping or None
        See `clean_events`.
    weights : mapping of str to float
        The known kinds of event.

    Returns
    -------
    dict
        `item_id`, `event`, and `value` as a dict from kind to ``"median"`` or a number, as far as
        they are given.

    Raises
    ------
    TypeError
        If `fill` or something in it is of the wrong kind.
    ValueError
        If it names an unknown column or kind, or a number that is not finite.
    """
    if fill is not None and not isinstance(fill, Mapping):
        raise TypeError(f"fill must be a mapping from columns, got {type(fill).__name__}")
    given = dict(fill or {})
    unknown = [c for c in given if c not in _COLUMNS]
    if unknown:
        raise ValueError(f"fill names {shown(unknown)}; only {shown(_COLUMNS)} can be filled in")
    if "event" in given and given["event"] not in list(weights):
        raise ValueError(f"fill['event'] is {given['event']!r}, which is no known kind of event")
    if "value" in given:
        policy = given["value"]
        each = policy if isinstance(policy, Mapping) else dict.fromkeys(NEEDS_VALUE, policy)
        given["value"] = {kind: _value_policy(kind, each[kind], weights) for kind in each}
    return given


def _value_policy(kind: str, policy: object, weights: Mapping[str, float]) -> str | float:
    if kind not in weights:
        raise ValueError(f"fill['value'] names {kind!r}, which is no known kind of event")
    if isinstance(policy, str) and policy == "median":
        return policy
    if isinstance(policy, bool) or not isinstance(policy, Real):
        raise TypeError(f"fill['value'] must be 'median' or a number, got {policy!r} for {kind!r}")
    if not np.isfinite(float(policy)):
        raise ValueError(f"fill['value'] must be finite, got {policy!r} for {kind!r}")
    return float(policy)


def fill_items(items: Codes, constant: object, findings: Findings) -> Codes:
    """Return the items with a constant where they are missing.

    Parameters
    ----------
    items : Codes
        The items of the events.
    constant : str or int
        The id to fill in.
    findings : Findings
        Where the repairs are noted.

    Returns
    -------
    Codes
        None of them is missing.
    """
    missing = items.codes < 0
    extra = canonical_ids(pd.Series([constant]), "fill['item_id']")
    check_same_ids(items.values, extra, "events.item_id", "fill['item_id']")
    values = pd.concat([items.values, extra]) if len(items.values) else extra
    ranks, distinct = pd.factorize(values, sort=True)
    findings.repair("filled_item", missing)
    # The constant's rank stands last, where the code −1 of a missing item finds it.
    return Codes(ranks.astype(np.int32)[items.codes], pd.Series(distinct))


def fill_values(
    value: npt.NDArray[np.float64],
    kinds: Codes,
    policies: Mapping[str, str | float],
    findings: Findings,
) -> npt.NDArray[np.float64]:
    """Return the values with the missing ones filled in; note the ones that stay missing.

    Parameters
    ----------
    value : array of float64
        NaN where it is missing.
    kinds : Codes
        The kinds of the events.
    policies : mapping
        From kinds of event to ``"median"`` (of the kind's values in rows without a fault) or a
        number.
    findings : Findings
        Where repairs and faults are noted.

    Returns
    -------
    array of float64
        One value per row.
    """
    value = value.copy() if policies else value
    missing = np.isnan(value) & findings.good
    for kind, policy in policies.items():
        of_kind = kinds.codes == kinds.values.searchsorted(kind)
        known = value[of_kind & ~np.isnan(value) & findings.good]
        if policy == "median" and not len(known):
            continue
        rows = missing & of_kind
        value[rows] = np.median(known) if policy == "median" else policy
        findings.repair("filled_value", rows)
    needs = np.isin(kinds.codes, [kinds.values.searchsorted(kind) for kind in NEEDS_VALUE])
    findings.reject("missing_value", needs & np.isnan(value))
    return value
