"""Fill a cache with vectors that can be checked, in a process of its own: it may be killed."""

from __future__ import annotations

import hashlib
import sys

import numpy as np

from recsys_interest.vector_cache import VectorCache

WIDTH = 8


def key(number):
    return hashlib.blake2b(str(number).encode(), digest_size=16).digest()


def vector(number, width=WIDTH):
    """The only right vector for a number, so that a wrong one is seen wherever it comes from."""
    return np.random.default_rng(number).normal(size=width).astype(np.float32)


def fill(cache, numbers, size=100):
    for start in range(0, len(numbers), size):
        some = numbers[start : start + size]
        rows = np.stack([vector(n) for n in some])
        cache.put([key(n) for n in some], rows, [n % 3 == 0 for n in some])


if __name__ == "__main__":
    cache = VectorCache(sys.argv[1])
    for start in range(int(sys.argv[2]), int(sys.argv[3]), 20):
        fill(cache, range(start, start + 20))
        print(start, flush=True)
