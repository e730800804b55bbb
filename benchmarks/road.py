"""Measure the whole road on a real log: how long, and does cosine on text beat popularity.

movielens-small, 20 % of the events held out at random (seed 0, all of a user on a film together);
relevant are held-out ratings of 4 or more. The time runs from the raw tables to the report, with
the model loaded from disk and nothing encoded before.
"""

from __future__ import annotations

import resource
import tempfile
import time
from pathlib import Path

from recsys_interest import (
    InterestPipeline,
    PopularityRecommender,
    TextEncoder,
    evaluate_recommendations,
    load_dataset,
    random_split,
)

K = 10


def run() -> dict[str, float]:
    """Print the table and return the figures.

    Returns
    -------
    dict of str to float
        The figures of the last line.
    """
    data = load_dataset("movielens-small")
    split = random_split(data.events, test_share=0.2, random_state=0)
    relevant = split.test[(split.test["event"] == "rate") & (split.test["value"] >= 4)]
    start = time.perf_counter()
    road = InterestPipeline(encoder=TextEncoder(progress=False), now="2026-01-01")
    road.fit(split.train, data.items)
    lists = road.recommend(k=K)
    with tempfile.TemporaryDirectory() as folder:
        road.write_report(Path(folder) / "report.html")
    seconds = time.perf_counter() - start
    popular = PopularityRecommender().fit(split.train, data.items).recommend(k=K)
    ndcg = {
        name: evaluate_recommendations(found, relevant, k=K).loc[f"ndcg@{K}"]
        for name, found in (("cosine", lists), ("popularity", popular))
    }
    print(f"{'method':<12}{'NDCG@10':>9}  95 % interval")
    for name, row in ndcg.items():
        print(f"{name:<12}{row['mean']:>9.4f}  [{row['ci_low']:.4f}, {row['ci_high']:.4f}]")
    return {
        "seconds": round(seconds, 2),
        # The highest so far of this process, in KiB on Linux.
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "ndcg_at_10_cosine": round(float(ndcg["cosine"]["mean"]), 4),
        "ndcg_at_10_popularity": round(float(ndcg["popularity"]["mean"]), 4),
        "n_events": len(road.log_.events),
        "n_rejected": len(road.log_.rejected),
    }
