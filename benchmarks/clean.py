"""Measure cleaning: how long and how much memory do ten million raw events take.

The log is made with numpy: user and item ids as text, times as ISO 8601 text as a CSV gives them,
14 kinds of event, and dirt in about 2 % of the rows (repetitions, missing ids, times that are none,
unknown kinds, returns). The peer is what one would write with plain pandas and what does much
less: drop equal rows, sort by time, user, item, kind, value and text. Each runs in a process of its
own on the same frame. Memory is the highest of the process above what it held without the frame,
in frames, so that the frame itself counts one. The same log with times that are already datetimes
is measured beside it, and a CSV of it is read in chunks.
"""

from __future__ import annotations

import ctypes
import gc
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from recsys_interest import clean_events, read_chunks, write_table
from recsys_interest.event_weights import EVENT_WEIGHTS

N_EVENTS = int(os.environ.get("BENCHMARK_EVENTS", "10_000_000"))
CHUNK_ROWS = 200_000
NOW = "2026-11-01"
ORDER = ["timestamp", "user_id", "item_id", "event", "value", "text"]


def raw_log(n: int, *, text_times: bool, seed: int = 0) -> pd.DataFrame:
    """Return a raw log with dirt in about 2 % of the rows.

    Parameters
    ----------
    n : int
        Number of rows.
    text_times : bool
        Whether times are ISO 8601 text; datetimes otherwise.
    seed : int
        Seed of the random numbers.

    Returns
    -------
    DataFrame
        Columns `user_id, item_id, event, timestamp, value, text`.
    """
    rng = np.random.default_rng(seed)
    users = _named("u", n // 20).take(rng.zipf(1.3, n) % (n // 20 - 1) + 1)
    items = _named("i", n // 100).take(rng.zipf(1.2, n) % (n // 100 - 1) + 1)
    names = [*EVENT_WEIGHTS, "wave", None]
    share = np.array([*[0.998 / len(EVENT_WEIGHTS)] * len(EVENT_WEIGHTS), 0.001, 0.001])
    kind = rng.choice(len(names), n, p=share)
    value = np.where(kind == names.index("rate"), rng.integers(1, 6, n), np.nan)
    value[kind == names.index("exam_score")] = 70
    bought = kind == names.index("purchase")
    value[bought] = np.where(rng.random(bought.sum()) < 0.02, -1, 1)
    seconds = np.sort(rng.integers(1_735_689_600, 1_767_225_600, n))
    stamps = pd.Series(seconds.astype("datetime64[s]").astype("datetime64[us]"))
    if text_times:
        stamps = pd.Series(_iso(stamps.to_numpy()), dtype="str")
        stamps = _with_gaps(stamps, rng, 0.001, "soon")
    else:
        stamps = _with_gaps(stamps, rng, 0.001, None)
    words = pd.Series(["", *(f"so good, {k} of 999" for k in range(999))], dtype="str")
    table = pd.DataFrame(
        {
            "user_id": _with_gaps(users.reset_index(drop=True), rng, 0.001, None),
            "item_id": _with_gaps(items.reset_index(drop=True), rng, 0.001, None),
            "event": pd.Series(names, dtype="str").take(kind).reset_index(drop=True),
            "timestamp": stamps,
            "value": value,
            "text": words.take(np.where(rng.random(n) < 0.1, rng.integers(0, 1000, n), 0)).array,
        }
    )
    again = rng.random(n) < 0.015  # written twice
    rows = np.arange(n)
    rows[1:][again[1:]] -= 1
    return table.take(rows).reset_index(drop=True)


def _named(letter: str, n: int) -> pd.Series:
    return pd.Series([f"{letter}{k:07d}" for k in range(n)], dtype="str")


def _iso(stamps: npt.NDArray[np.datetime64]) -> list[str]:
    return np.datetime_as_string(stamps, unit="s").tolist()


def _with_gaps(
    column: pd.Series, rng: np.random.Generator, share: float, filler: str | None
) -> pd.Series:
    return column.mask(rng.random(len(column)) < share, filler)


def _measure(name: str, path: str) -> dict[str, float]:
    """Clean, or do what the peer does, and return seconds and memory."""
    frame = pd.read_parquet(path)
    n, size = len(frame), int(frame.memory_usage(deep=True).sum())
    # What the reader has freed must not hide what is measured.
    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    _forget_peak()
    before = _memory("VmRSS")
    start = time.perf_counter()
    if name == "clean":
        log = clean_events(frame, now=NOW)
        kept, repaired = len(log.events), int(log.repairs.sum())
        assert kept + len(log.rejected) == n
    else:
        kept, repaired = len(frame.drop_duplicates().sort_values(ORDER, ignore_index=True)), 0
    seconds = time.perf_counter() - start
    peak = _memory("VmHWM") - before + size
    return {"seconds": seconds, "over_frame": peak / size, "frame_mb": size / 1e6,
            "kept": kept, "repaired": repaired}  # fmt: skip


def _read(path: str) -> dict[str, float]:
    """Write the frame as CSV and read it in pieces; return seconds and memory."""
    write_table(read_chunks(path), f"{path}.csv")
    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    _forget_peak()
    before, start = _memory("VmRSS"), time.perf_counter()
    rows = sum(len(piece) for piece in read_chunks(f"{path}.csv", chunk_rows=CHUNK_ROWS))
    seconds = time.perf_counter() - start
    return {"seconds": seconds, "rows": rows, "peak_mb": (_memory("VmHWM") - before) / 1e6,
            "file_mb": Path(f"{path}.csv").stat().st_size / 1e6}  # fmt: skip


def _memory(field: str) -> int:
    """Return a field of this process in bytes; Linux only."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(field))


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _apart(*words: str) -> dict[str, float]:
    """Measure in a process of its own."""
    answer = subprocess.check_output([sys.executable, "-m", "benchmarks.clean", *words])
    return json.loads(answer.splitlines()[-1])


def run() -> dict[str, float]:
    """Print the table and return the figures.

    Returns
    -------
    dict of str to float
        The figures of the last line.
    """
    found = {}
    print(f"{N_EVENTS:,} events")
    print(f"{'what':<10}{'times':<10}{'seconds':>9}{'frame MB':>10}{'peak/frame':>12}{'kept':>12}")
    with tempfile.TemporaryDirectory() as folder:
        for times, name in itertools.product(("text", "datetime"), ("clean", "pandas")):
            path = f"{folder}/{times}.parquet"
            if name == "clean":
                _apart("make", path, times)
            row = found[name, times] = _apart(name, path)
            print(f"{name:<10}{times:<10}{row['seconds']:>9.1f}{row['frame_mb']:>10.0f}"
                  f"{row['over_frame']:>12.2f}{int(row['kept']):>12,}")  # fmt: skip
        csv = _apart("read", f"{folder}/text.parquet")
    print(f"CSV of {csv['file_mb']:.0f} MB, {int(csv['rows']):,} rows, read in pieces of "
          f"{CHUNK_ROWS:,}: {csv['seconds']:.1f} s, {csv['peak_mb']:.0f} MB")  # fmt: skip
    own, peer = found["clean", "text"], found["pandas", "text"]
    own_dates, peer_dates = found["clean", "datetime"], found["pandas", "datetime"]
    return {
        "seconds": round(own["seconds"], 2),
        "events": N_EVENTS,
        "rss_over_frame": round(own["over_frame"], 2),
        "ratio_to_dedup_sort": round(own["seconds"] / peer["seconds"], 2),
        "csv_seconds": round(csv["seconds"], 1),
        "csv_mb": round(csv["file_mb"]),
        "csv_peak_mb": round(csv["peak_mb"]),
        "seconds_datetimes": round(own_dates["seconds"], 2),
        "rss_over_frame_datetimes": round(own_dates["over_frame"], 2),
        "ratio_to_dedup_sort_datetimes": round(own_dates["seconds"] / peer_dates["seconds"], 2),
    }


if __name__ == "__main__":
    if sys.argv[1] == "make":
        raw_log(N_EVENTS, text_times=sys.argv[3] == "text").to_parquet(sys.argv[2])
        print("{}")
    else:
        print(json.dumps(_read(sys.argv[2]) if sys.argv[1] == "read" else _measure(*sys.argv[1:])))
