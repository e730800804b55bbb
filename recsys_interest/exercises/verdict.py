"""What the check of an exercise says: a verdict and a hint, never the answer.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Verdict", "called", "equal"]


@dataclass(frozen=True)
class Verdict:
    """What a check says.

    Attributes
    ----------
    passed : bool
        Whether the exercise is solved.
    hint : str
        What to think about next; empty if it is solved.
    """

    passed: bool
    hint: str = ""

    def __repr__(self) -> str:
        return "Right." if self.passed else f"Not yet. {self.hint}"

    def __bool__(self) -> bool:
        return self.passed


def called(function: Callable[..., Any], *arguments: Any) -> tuple[Any, str]:
    """Return what the reader's function returns, or a hint if it fails."""
    copies = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    try:
        with np.errstate(all="ignore"):
            return function(*copies), ""
    except Exception as error:  # whatever the reader's code raises is the reader's to see
        return None, f"It raised {type(error).__name__}: {error}"


def equal(found: Any, expected: np.ndarray) -> bool:
    """Return whether an answer is the expected array, up to rounding; False for any other kind."""
    try:
        return bool(np.allclose(np.asarray(found, dtype=float), expected))
    except (TypeError, ValueError):
        return False
