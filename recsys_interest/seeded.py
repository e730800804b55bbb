"""Random choices that are the same on any machine: uniform draws, compared, added, multiplied.

Chapter: 01 (behaviour logs).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["below", "shuffled", "stream", "weighted"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def stream(seed: int, part: int) -> np.random.Generator:
    """Return the generator of one part of the log, so that no part depends on another's draws."""
    # PCG64 by name: default_rng() may point to another generator one day.
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, part])))


def below(draws: Floats, size: int | Ints) -> Ints:
    """Turn uniform draws in [0, 1) into whole numbers 0 … size − 1."""
    return (draws * size).astype(np.int64)


def weighted(draws: Floats, percent: Ints, row: Ints | None = None) -> Ints:
    """Turn uniform draws into choices; `percent` is one list, or a table and `row` its rows."""
    bounds = np.atleast_2d(percent).cumsum(axis=1)
    rows = np.zeros(len(draws), dtype=np.int64) if row is None else row
    choice = np.zeros(len(draws), dtype=np.int64)
    for bound in bounds.T:  # column by column: a million draws need no table of a million rows
        choice += draws * 100 >= bound[rows]
    return choice


def shuffled(values: Ints, rng: np.random.Generator) -> Ints:
    """Return the values in random order."""
    return values[np.argsort(rng.random(len(values)), kind="stable")]
