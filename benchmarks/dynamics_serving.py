"""Measure a live recommender on one core: one event and a top 10, batches, memory, a durable file.

10,000 items with vectors of 384 numbers, 20,000 users with a history. A request is one event taken
in and ten items returned. `p95_ms` is by the clock; `p95_cpu_ms` is processor time, which other
work on the machine lengthens less. Throughput is that of batches of 10,000 events, by both. The
memory is that of the sums after a million events of five times as many users as fit in.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from recsys_interest import DurableStream, InterestProfiler, LiveRecommender

ITEMS, FEATURES, USERS = 10_000, 384, 20_000
HISTORY, REQUESTS, BATCH = 200_000, 1_000, 10_000
HALF_LIFE = 30.0


def run() -> dict[str, float]:
    """Print the table and return the figures.

    Returns
    -------
    dict of str to float
        `p50_ms`, `p95_ms`, `p99_ms` of a request, the same as processor time, `events_per_s` in
        batches, those of a `DurableStream`, and the users kept in bounded memory.
    """
    return run_serving()


def run_serving() -> dict[str, float]:
    """Print latencies, throughput and memory, and return them.

    Returns
    -------
    dict of str to float
        See `run`.
    """
    with threadpool_limits(1):
        vectors, events = draw(HISTORY + REQUESTS, USERS)
        live = LiveRecommender(HALF_LIFE).fit(None, vectors)
        by_clock, by_processor = _rates(live.partial_fit, events.iloc[:HISTORY])
        figures = {**latencies(live, events.iloc[HISTORY:])}
        figures |= {"events_per_s": by_clock, "events_per_cpu_s": by_processor}
        by_clock, by_processor = durable(vectors, events.iloc[:HISTORY])
        figures |= {"durable_events_per_s": by_clock, "durable_events_per_cpu_s": by_processor}
        figures |= bounded(vectors)
    print(pd.Series(figures, name="value").round(2).to_string())
    return {name: round(float(value), 3) for name, value in figures.items()}


def draw(n_events: int, n_users: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return item vectors and events in the order of time, drawn at random.

    Parameters
    ----------
    n_events, n_users : int
        How many.

    Returns
    -------
    tuple of two DataFrames
        Vectors and events.
    """
    rng = np.random.default_rng(0)
    ids = pd.Index([f"i{n:05d}" for n in range(ITEMS)], name="item_id")
    vectors = pd.DataFrame(rng.standard_normal((ITEMS, FEATURES), dtype=np.float32), index=ids)
    users = np.array([f"u{n:06d}" for n in range(n_users)], dtype=object)
    ticks = np.sort(rng.integers(0, 180 * 86_400_000_000, n_events)).view("timedelta64[us]")
    events = pd.DataFrame(
        {
            "user_id": pd.Series(users[rng.integers(0, n_users, n_events)], dtype="str"),
            "item_id": ids[(rng.random(n_events) ** 2 * ITEMS).astype(np.int64)],
            "event": pd.Series(rng.choice(["browse", "like", "purchase"], n_events), dtype="str"),
            "timestamp": np.datetime64("2026-01-01") + ticks,
        }
    )
    return vectors, events


def latencies(live: LiveRecommender, events: pd.DataFrame) -> dict[str, float]:
    """Return percentiles of the time of one event and ten items, in milliseconds.

    Parameters
    ----------
    live : LiveRecommender
        With a history.
    events : DataFrame
        The requests.

    Returns
    -------
    dict of str to float
        By the clock and of the processor.
    """
    clock, processor = [], []
    for row in events.itertuples(index=False):
        begin, busy = time.perf_counter(), time.thread_time()
        live.observe(row.user_id, row.item_id, row.event, row.timestamp)
        lists = live.recommend([row.user_id], k=10)
        processor.append(time.thread_time() - busy)
        clock.append(time.perf_counter() - begin)
        assert len(lists) == 10
    found = {}
    for name, seconds in (("ms", clock), ("cpu_ms", processor)):
        for percent in (50, 95, 99):
            found[f"p{percent}_{name}"] = 1000 * float(np.percentile(seconds, percent))
    return found


def durable(vectors: pd.DataFrame, events: pd.DataFrame) -> tuple[float, float]:
    """Return the events per second of a stream that is on disk when a batch is answered.

    Parameters
    ----------
    vectors, events : DataFrame
        As from `draw`.

    Returns
    -------
    tuple of two floats
        Events per second by the clock and of the processor.
    """
    start = InterestProfiler(half_life=HALF_LIFE).fit(events.iloc[:0], vectors)
    numbered = events.assign(event_id=np.arange(len(events)))
    with (
        tempfile.TemporaryDirectory() as folder,
        DurableStream(start, Path(folder) / "profiles.stream") as stream,
    ):
        return _rates(stream.append, numbered)


def bounded(vectors: pd.DataFrame) -> dict[str, float]:
    """Return users and megabytes after a stream of many more users than fit in.

    Parameters
    ----------
    vectors : DataFrame
        Of the items.

    Returns
    -------
    dict of str to float
        `bounded_users` and `bounded_mb`, the array of sums.
    """
    most = USERS // 5
    live = LiveRecommender(HALF_LIFE, max_users=most, max_seen=20).fit(None, vectors)
    _, events = draw(HISTORY, USERS)
    for turn in range(5):
        later = events.assign(timestamp=events["timestamp"] + pd.Timedelta(days=180 * turn))
        for start in range(0, len(later), BATCH):
            live.partial_fit(later.iloc[start : start + BATCH])
    sums = live.get_state()["sums"]
    return {"bounded_users": len(sums), "bounded_mb": sums.size * 8 / 2**20}


def _rates(take_in: Callable[[pd.DataFrame], object], events: pd.DataFrame) -> tuple[float, float]:
    begin, busy = time.perf_counter(), time.thread_time()
    for start in range(0, len(events), BATCH):
        take_in(events.iloc[start : start + BATCH])
    clock, processor = time.perf_counter() - begin, time.thread_time() - busy
    return len(events) / clock, len(events) / processor
