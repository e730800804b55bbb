"""Measure how long the first import takes, and what it loads."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys

ROUNDS = 7
PROBE = """
import json, sys, time
start = time.perf_counter()
import recsys_interest
seconds = time.perf_counter() - start
print(json.dumps([seconds, len(sys.modules), "torch" in sys.modules]))
"""


def run() -> dict[str, float | bool]:
    """Print the table and return the figures.

    Returns
    -------
    dict of str to float or bool
        The figures of the last line.
    """
    # A process of its own each time: a module is imported once.
    answers = [
        json.loads(subprocess.check_output([sys.executable, "-c", PROBE])) for _ in range(ROUNDS)
    ]
    seconds = [answer[0] for answer in answers]
    print(f"{'import':<20}{'seconds':>9}")
    for name, value in (("fastest", min(seconds)), ("median", statistics.median(seconds))):
        print(f"{name:<20}{value:>9.4f}")
    return {
        "import_seconds": round(statistics.median(seconds), 4),
        "modules": answers[0][1],
        "torch_loaded": any(answer[2] for answer in answers),
    }
