"""Measure how far each criterion of `choose_k` is from the planted number of interests.

Generated logs of 1,000 users with 10 events each on average and 3, 6, 10 and 20 planted interests,
three seeds. MiniLM encodes the items, `InterestProfiler` makes one vector per user, and `choose_k`
sees these vectors and nothing else, with its defaults. The seeds are not those with which its
defaults were found.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys_interest import InterestProfiler, TextEncoder, choose_k, item_text, make_interest_log
from recsys_interest.cluster_count import CRITERIA

PLANTED, SEEDS, USERS = (3, 6, 10, 20), (10, 11, 12), 1000


def run() -> dict[str, float]:
    """Print the numbers chosen and the errors, and return the figures.

    Returns
    -------
    dict of str to float
        The figures of the last line: the worst error of the recommended rule, of each criterion,
        and the processor seconds of one call.
    """
    chosen = chosen_numbers()
    criteria = chosen.columns.drop("seconds")
    # A criterion that chose none counts as zero clusters.
    errors = chosen[criteria].fillna(0).sub(chosen.index.get_level_values("planted"), axis=0).abs()
    print(chosen.round({"seconds": 1}).to_string(na_rep="none"))
    print("\nworst error by planted number")
    print(errors.groupby("planted").max().to_string())
    worst = {name: float(errors[name].max()) for name in criteria}
    return {
        "k_error": worst.pop("recommended"),
        **{f"k_error_{name}": value for name, value in worst.items()},
        "seconds": round(float(chosen["seconds"].median()), 2),
    }


def chosen_numbers(
    encoder: TextEncoder | None = None, criteria: Sequence[str] = CRITERIA
) -> pd.DataFrame:
    """Return what every criterion chose, one row for each log.

    Parameters
    ----------
    encoder : TextEncoder, optional
        Encodes the items; the default model if not given.
    criteria : sequence of str, default all
        What `choose_k` computes; with the recommended one among them.

    Returns
    -------
    DataFrame indexed by planted number and seed
        `recommended`, one column per criterion, and `seconds` of processor time of `choose_k`.
    """
    encoder = TextEncoder(progress=False) if encoder is None else encoder
    rows = {}
    for planted in PLANTED:
        for seed in SEEDS:
            log = make_interest_log(n_users=USERS, n_topics=planted, seed=seed)
            items = encoder.transform(item_text(log.items))
            users = InterestProfiler().fit(log.events, items).profiles_
            start = time.process_time()
            choice = choose_k(users, criteria=criteria)
            seconds = time.process_time() - start
            numbers = choice.chosen["k"].astype("float64")
            rows[planted, seed] = {"recommended": choice.k, **numbers, "seconds": seconds}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(["planted", "seed"])
    return table.astype(np.float64)


def k_error(encoder: TextEncoder | None = None) -> float:
    """Return the worst error of the recommended number of clusters, and compute nothing else.

    Parameters
    ----------
    encoder : TextEncoder, optional
        See `chosen_numbers`.

    Returns
    -------
    float
        In clusters.
    """
    recommended = chosen_numbers(encoder, ["silhouette"])["recommended"]
    return float((recommended - recommended.index.get_level_values("planted")).abs().max())
