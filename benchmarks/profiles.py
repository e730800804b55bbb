"""Measure profiles at full size: seconds, memory, growth with the log, and against a loop.

One million users with 20 million events on 100,000 items whose vectors have 384 numbers, all
factors of the weight switched on, two threads; and a tenth of the users and events. The time runs
from the raw tables to the vectors, the check of the tables included. Each size has a process of its
own, whose peak memory holds the log and the result too. The loop goes over a sample of the users
with pandas; its time per user is scaled up.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import pandas as pd

from recsys_interest import InterestProfiler, event_strength

USERS, EVENTS_EACH, ITEMS, FEATURES = 1_000_000, 20, 100_000, 384
HALF_LIFE = 30.0
SAMPLE, ROUNDS = 400, 3
KINDS = ("browse", "search", "play", "like", "purchase", "rate")


def run() -> dict[str, float]:
    """Print the table and return the figures.

    Returns
    -------
    dict of str to float
        The figures of the last line.
    """
    tenth, full = _in_own_process(USERS // 10), _in_own_process(USERS)
    print(f"{'users':>9}{'events':>12}{'seconds':>9}{'peak MB':>9}")
    for users, found in ((USERS // 10, tenth), (USERS, full)):
        row = f"{found['seconds']:>9.2f}{found['peak_rss_mb']:>9.0f}"
        print(f"{users:>9,}{users * EVENTS_EACH:>12,}{row}")
    looped = full["loop_per_user"] * USERS
    print(f"a loop over the users, from a sample of {SAMPLE}: {looped:.0f} s")
    return {
        "seconds": round(full["seconds"], 2),
        "peak_rss_mb": round(full["peak_rss_mb"], 1),
        "growth_10x": round(full["seconds"] / tenth["seconds"], 2),
        "ratio_to_loop": round(looped / full["seconds"], 1),
    }


def measure(n_users: int) -> dict[str, float]:
    """Return seconds, peak memory and the seconds a loop needs per user, in this process."""
    events, vectors = make_log(n_users)
    seconds = []
    for _ in range(ROUNDS):
        profiler = InterestProfiler(half_life=HALF_LIFE, idf=True, n_jobs=2)
        start = time.perf_counter()
        profiles = profiler.fit(events, vectors).profiles_
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # KiB on Linux
    sample = events[events["user_id"].isin(profiles.index[:SAMPLE])]
    start = time.perf_counter()
    looped = _loop(sample, vectors, profiler.idf_, events["timestamp"].max())
    per_user = (time.perf_counter() - start) / len(looped)
    np.testing.assert_allclose(profiles.loc[looped.index], looped, atol=1e-5)
    return {
        "seconds": statistics.median(seconds),
        "peak_rss_mb": peak,
        "loop_per_user": per_user,
    }


def make_log(n_users: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a log drawn at random, a few items much more popular, and item vectors."""
    rng = np.random.default_rng(0)
    n_events = n_users * EVENTS_EACH
    codes = rng.integers(0, len(KINDS), n_events, dtype=np.int8)
    kinds = pd.Categorical.from_codes(codes, pd.Index(KINDS, dtype="str"))
    ages = rng.integers(0, 180 * 86_400_000_000, n_events).view("timedelta64[us]")
    events = pd.DataFrame(
        {
            "user_id": rng.integers(0, n_users, n_events),
            "item_id": (rng.random(n_events) ** 2 * ITEMS).astype(np.int64),
            "event": kinds.astype("str"),
            "timestamp": np.datetime64("2026-01-01") + ages,
            "value": rng.integers(1, 6, n_events).astype(float),
        }
    )
    return events, pd.DataFrame(rng.standard_normal((ITEMS, FEATURES), dtype=np.float32))


def _loop(
    events: pd.DataFrame, vectors: pd.DataFrame, idf: pd.Series, now: pd.Timestamp
) -> pd.DataFrame:
    """Compute the same profiles one user at a time."""
    found = {}
    for user, mine in events.groupby("user_id"):
        strength = event_strength(mine).clip(lower=0)
        age = (now - mine["timestamp"]).dt.total_seconds() / 86_400
        weight = strength * mine["item_id"].map(idf).fillna(0) * 2.0 ** (-age / HALF_LIFE)
        if weight.sum() > 0:
            found[user] = np.average(vectors.loc[mine["item_id"]], axis=0, weights=weight)
    return pd.DataFrame.from_dict(found, orient="index")


def _in_own_process(n_users: int) -> dict[str, float]:
    work = f"from benchmarks.profiles import measure; print(json.dumps(measure({n_users})))"
    code = f"import json; {work}"
    output = subprocess.check_output([sys.executable, "-c", code], text=True)
    figures: dict[str, float] = json.loads(output.splitlines()[-1])
    return figures
