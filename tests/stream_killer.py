"""Feed a stream from children that are killed again and again, and compare with an undisturbed one.

In a process of its own: it forks, and it must not share threads or warnings with the tests.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from recsys_interest.durable_stream import DurableStream
from recsys_interest.profiles import InterestProfiler

VECTORS = pd.DataFrame(np.eye(6), index=list("abcdef"))
N_BATCHES, SIZE = 60, 25


def sent():
    """All batches, in no order of time."""
    rng = np.random.default_rng(0)
    n = N_BATCHES * SIZE
    events = pd.DataFrame(
        {
            "user_id": rng.integers(1, 30, n),
            "item_id": rng.choice(list("abcdef"), n),
            "event": "like",
            "timestamp": pd.Timestamp("2026-01-01")
            + pd.to_timedelta(rng.integers(0, 9**7, n), "s"),
            "event_id": np.arange(n),
        }
    )
    return [events.iloc[a : a + SIZE] for a in range(0, n, SIZE)]


def opened(path):
    model = InterestProfiler(half_life=5.0).fit(sent()[0].iloc[:0], VECTORS)
    return DurableStream(model, path, save_every=4 * SIZE, sync=False)


def feed(path, moment, tell, place):
    """Send everything but what is known to have arrived, and some of that again.

    Dies by its own hand at the line number `moment` of the code that handles the stream.
    """
    lines = 0

    def trace(frame, event, _):
        nonlocal lines
        if "recsys_interest" not in frame.f_code.co_filename:
            return None
        lines += event == "line"
        if lines == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    if moment:
        sys.settrace(trace)
    with opened(path) as stream:
        for batch in sent()[max(0, place - 3) :]:
            os.write(tell, b"." * (stream.append(batch).accepted > 0))


def killed(path, rng, place):
    """Return how many batches a child took in before it was killed, or None if it was not."""
    hear, tell = os.pipe()
    by_hand = rng.random() < 0.5
    child = os.fork()
    if not child:
        feed(path, 0 if by_hand else int(rng.integers(1, 3000)), tell, place)
        os._exit(0)
    os.close(tell)
    heard = 0
    if by_hand:  # at whatever the child does after its n-th batch, commits included
        heard = len(os.read(hear, 1))
        os.kill(child, signal.SIGKILL)
    while more := len(os.read(hear, 1000)):
        heard += more
    os.close(hear)
    _, status = os.waitpid(child, 0)
    return heard if os.WIFSIGNALED(status) else None


def state(path):
    with opened(path) as stream:
        return stream.model.get_state()


if __name__ == "__main__":
    folder, wanted = Path(sys.argv[1]), int(sys.argv[2])
    rng = np.random.default_rng(1)
    kills, place = 0, 0
    while kills < wanted and place < N_BATCHES:
        heard = killed(folder / "killed", rng, place)
        if heard is None:  # it came to the end alive
            break
        kills, place = kills + 1, place + heard
        print("killed", place)
    with opened(folder / "killed") as stream:
        arrived = [len(batch) - stream.append(batch).accepted for batch in sent()]
    print("lost", sum(SIZE - n for n in arrived[:place]))
    with opened(folder / "calm") as stream:
        assert sum(stream.append(batch).accepted for batch in sent()) == N_BATCHES * SIZE
    one, other = state(folder / "killed"), state(folder / "calm")
    print("same", all(one[name].equals(other[name]) for name in other))
