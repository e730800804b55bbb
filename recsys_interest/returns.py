"""Turn purchases of a negative quantity into returns of an earlier purchase.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

from recsys_interest.clean_log import Findings
from recsys_interest.parsing import Codes

__all__ = ["match_returns"]


def match_returns(
    kinds: Codes,
    value: npt.NDArray[np.float64],
    pair: npt.NDArray[np.int64],
    micros: npt.NDArray[np.int64],
    findings: Findings,
) -> tuple[Codes, npt.NDArray[np.float64]]:
    """Return kinds and values in which no purchase and no return has a negative quantity.

    A purchase of a negative quantity becomes a return if the same user bought the same item before
    or at the same moment, how many of them is not asked: the log may begin after the purchase of
    the rest. Otherwise it takes back nothing, and is rejected.

    Parameters
    ----------
    kinds : Codes
        The kinds of the events.
    value : array of float64
        Quantities; a purchase without one is a purchase of one.
    pair : array of int64
        One number per user and item.
    micros : array of int64
        Moments.
    findings : Findings
        Where repairs and faults are noted.

    Returns
    -------
    tuple
        The new kinds and values.
    """
    purchase, back = (kinds.values.searchsorted(kind) for kind in ("purchase", "return"))
    negative = (value < 0) & findings.good
    taken = np.flatnonzero(negative & (kinds.codes == purchase))
    signed = np.flatnonzero(negative & (kinds.codes == back))
    if not len(taken) + len(signed):
        return kinds, value
    bought = np.flatnonzero((kinds.codes == purchase) & findings.good & ~(value <= 0))
    bought = bought[np.isin(pair[bought], pair[taken])]
    first = pd.Series(micros[bought]).groupby(pair[bought]).min()
    place = first.index.get_indexer(pair[taken])
    before = place >= 0
    before[before] = first.to_numpy()[place[before]] <= micros[taken[before]]
    findings.reject("return_without_purchase", taken[~before])
    repaired = np.concatenate([taken[before], signed])
    findings.repair("negative_quantity", repaired)
    codes, value = kinds.codes.copy(), value.copy()
    codes[taken[before]] = back
    value[repaired] = -value[repaired]
    return Codes(codes, kinds.values), value
