"""What the check of an exercise says: a verdict and a hint, never the answer.

Chapter: 00 (quickstart).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Verdict", "also", "called", "equal", "judged", "noticed", "shape_of"]


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


def equal(found: Any, expected: Any) -> bool:
    """Return whether an answer is the expected one, up to rounding; False for any other kind.

    >>> equal([2.0], 2), equal([], 2), equal([2.0, 2.0], 2)
    (True, False, False)
    """
    try:
        given = np.asarray(found, dtype=float)
        return given.size == np.size(expected) and bool(np.allclose(given, expected))
    except (TypeError, ValueError):
        return False


def shape_of(found: Any) -> tuple[int, ...] | None:
    """Return the shape of an answer, None for rows of different lengths."""
    try:
        return np.shape(found)
    except ValueError:
        return None


def noticed(signs: Mapping[str, object]) -> Verdict:
    """Return the hint of the first sign that shows in an answer; the answer passes without one.

    >>> noticed({"Is it sorted?": False, "Look at the sign.": True})
    Not yet. Look at the sign.
    """
    hint = next((hint for hint, shows in signs.items() if shows), "")
    return Verdict(not hint, hint)


def judged(
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    right: Any,
    otherwise: str,
    wrong: Mapping[str, Any] | None = None,
) -> Verdict:
    """Return a verdict on one call: what it raised, the hint of a known wrong answer, or any other.

    >>> judged(max, ([1, 2],), 1, "Compare the two.", {"Smallest, not largest.": 2})
    Not yet. Smallest, not largest.
    """
    found, problem = called(function, *arguments)
    if problem:
        return Verdict(False, problem)
    known = {hint: equal(found, answer) for hint, answer in (wrong or {}).items()}
    return noticed(known | {otherwise: not equal(found, right)})


def also(
    function: Callable[..., Any], arguments: tuple[Any, ...], right: Any, hint: str
) -> Verdict:
    """Return a verdict on one more call, with the same hint for whatever goes wrong.

    >>> also(min, ([],), 0, "What of no numbers?")
    Not yet. What of no numbers?
    """
    found, problem = called(function, *arguments)
    return noticed({hint: problem or not equal(found, right)})
