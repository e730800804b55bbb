"""Measure dynamic interests: ids that stay, drift that is found, refits that pay, serving in time.

The parts, each of which runs alone and says what it measures: `dynamics_identity` (ids and the
ledger), `dynamics_drift` (drifted users, false alarms, refit policies, bandits) and
`dynamics_serving` (one event and a list; batches).
"""

from __future__ import annotations

from benchmarks import dynamics_drift, dynamics_identity, dynamics_serving


def run() -> dict[str, float]:
    """Print the tables of all parts and return their figures.

    Returns
    -------
    dict of str to float
        The figures of the last line.
    """
    found: dict[str, float] = {}
    for part in (dynamics_serving, dynamics_identity, dynamics_drift):
        print(f"\n# {part.__name__.removeprefix('benchmarks.')}\n")
        found |= part.run()
    return found
