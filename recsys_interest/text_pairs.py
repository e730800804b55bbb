"""Pairs of texts that belong together: given, or items that one user consumed.

Chapter: 04 (training the language model).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from recsys_interest.checks import check_count, check_same_ids, shown, valid_text
from recsys_interest.event_weights import event_strength
from recsys_interest.schema import validate_events

__all__ = ["behaviour_pairs", "texts_of_pairs"]


def behaviour_pairs(
    events: pd.DataFrame,
    texts: pd.Series,
    *,
    n_pairs: int = 10_000,
    random_state: int = 0,
) -> pd.DataFrame:
    """Draw pairs of texts of items that the same user consumed.

    The first item is drawn from all (user, item) combinations with an event that speaks for the
    item (`event_strength` above 0), the second from the other items of that user. So active users
    and popular items are drawn more often.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`).
    texts : Series of str
        The text of each item, indexed by item id, as `item_text` returns it; items without one are
        left out.
    n_pairs : int, default 10,000
        Pairs to draw, with replacement.
    random_state : int, default 0
        Seed of the draw.

    Returns
    -------
    DataFrame
        Columns `left` and `right`, `n_pairs` rows.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If no user consumed two items with a text.

    Notes
    -----
    Chapter 04, "Training the language model".

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 1, 2], "item_id": ["a", "b", "a"], "event": "like",
    ...                     "timestamp": pd.Timestamp("2026-01-01", tz="UTC")})
    >>> texts = pd.Series({"a": "a tent", "b": "a stove"})
    >>> behaviour_pairs(log, texts, n_pairs=5)["left"].isin(["a tent", "a stove"]).all()
    np.True_
    """
    check_count(n_pairs, "n_pairs")
    check_count(random_state, "random_state", 0)
    if not isinstance(texts, pd.Series):
        raise TypeError(f"texts must be a Series indexed by item id, got {type(texts).__name__}")
    log = validate_events(events)
    check_same_ids(log["item_id"], texts.index.to_series(), "events.item_id", "texts.index")
    log = log[(event_strength(log) > 0) & log["item_id"].isin(texts.index[texts.notna()])]
    seen = log[["user_id", "item_id"]].drop_duplicates().sort_values(["user_id", "item_id"])
    size = seen.groupby("user_id")["item_id"].transform("size")
    seen, size = seen[size > 1], size[size > 1].to_numpy()
    if seen.empty:
        raise ValueError("events has no user who consumed two items that have a text")
    rng = np.random.default_rng(random_state)
    first = seen.groupby("user_id").ngroup().to_numpy()
    start = np.flatnonzero(np.diff(first, prepend=-1))[first]
    one = rng.integers(len(seen), size=n_pairs)
    # A step of 1 to size − 1 within the user's rows never lands on the same item.
    step = 1 + (rng.random(n_pairs) * (size[one] - 1)).astype(np.int64)
    other = start[one] + (one - start[one] + step) % size[one]
    ids = seen["item_id"].to_numpy()
    return pd.DataFrame(
        {"left": texts.loc[ids[one]].to_numpy(), "right": texts.loc[ids[other]].to_numpy()}
    )


def texts_of_pairs(pairs: pd.DataFrame | Iterable[tuple[str, str]]) -> tuple[list[str], list[str]]:
    """Return both sides of the pairs, sorted, without those that lack a text."""
    if isinstance(pairs, pd.DataFrame):
        missing = [c for c in ("left", "right") if c not in pairs]
        if missing:
            raise ValueError(f"pairs lacks the column(s) {shown(missing)}; it has {shown(pairs)}")
        rows = list(zip(pairs["left"], pairs["right"], strict=True))
    else:
        rows = [tuple(pair) if not isinstance(pair, str) else (pair,) for pair in pairs]
    wrong = [row for row in rows if len(row) != 2]
    if wrong:
        raise TypeError(f"pairs must be pairs of texts, got {shown(wrong)}")
    there = [row for row in rows if not any(t is None or t != t for t in row)]
    bad = [t for row in there for t in row if not isinstance(t, str)]
    if bad:
        raise TypeError(f"pairs must be pairs of texts, got {shown(bad)}")
    kept = sorted((valid_text(a), valid_text(b)) for a, b in there if a.strip() and b.strip())
    if len({a for a, _ in kept}) < 4:
        raise ValueError(f"pairs has {len({a for a, _ in kept})} left texts; training needs 4")
    return [a for a, _ in kept], [b for _, b in kept]
