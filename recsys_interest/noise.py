"""Wrong events put into a log on purpose, to see how much a method bears.

Chapter: 12 (measuring recommendations).
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from recsys_interest.checks import check_same_ids, check_share
from recsys_interest.ranked_lists import catalogue_ids
from recsys_interest.resampling import Seed
from recsys_interest.schema import validate_events

__all__ = ["add_noise"]


def add_noise(
    events: pd.DataFrame,
    share: float,
    *,
    kind: str = "replace",
    catalogue: pd.DataFrame | Iterable[object] | None = None,
    random_state: Seed = 0,
) -> pd.DataFrame:
    r"""Return a log in which a share of the events is random.

    Of :math:`N` events, :math:`m = \mathrm{round}(s N)` are drawn without replacement. With
    ``"replace"`` each of them gets an item drawn from the catalogue with equal chances, so that a
    true event is lost and a false one comes; with ``"add"`` a copy of each with such an item joins
    the log, so that nothing is lost. A drawn item may be the old one by chance.

    Parameters
    ----------
    events : DataFrame
        Valid events (see `validate_events`).
    share : float
        The :math:`s`, from 0 to 1: noise over the events that were there before.
    kind : {"replace", "add"}, default "replace"
        What happens to the drawn events.
    catalogue : DataFrame with `item_id`, or iterable of ids, optional
        The items to draw from; those of the log if not given.
    random_state : int, RandomState or None, default 0
        Seed of the draws, which depend on the rows of the log and not on their order. With one seed
        the events that are drawn for a smaller share are among those for a larger one.

    Returns
    -------
    DataFrame
        Valid events, sorted by user, time, item and kind of event; a new index.

    Raises
    ------
    TypeError
        If an argument is of the wrong kind.
    ValueError
        If a table does not fit (`SchemaError`), `share` is not between 0 and 1, `kind` is unknown,
        or the catalogue is empty.

    Notes
    -----
    Chapter 12, "Measuring recommendations".

    Rows: H02.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": range(4), "item_id": list("abcd")})
    >>> log["timestamp"] = pd.Timestamp("2026-01-05", tz="UTC")
    >>> add_noise(log, 0.5)["item_id"].tolist()
    ['a', 'b', 'd', 'd']
    >>> len(add_noise(log, 0.5, kind="add"))
    6
    """
    if kind not in ("replace", "add"):
        raise ValueError(f'kind must be "replace" or "add", got {kind!r}')
    share = check_share(share, "share")
    log = validate_events(events)
    keys = ["user_id", "timestamp", "item_id", "event", "value", "text"]
    log = log.sort_values([k for k in keys if k in log], ignore_index=True)
    ids = _items(log, catalogue)
    rng = check_random_state(random_state)
    drawn = rng.permutation(len(log))
    wrong = ids.to_numpy()[rng.randint(len(ids), size=len(log))] if len(log) else ids[:0]
    drawn = np.sort(drawn[: round(share * len(log))])
    noise = log.iloc[drawn].assign(item_id=pd.Series(wrong, dtype=ids.dtype).iloc[drawn])
    rest = log.drop(index=drawn) if kind == "replace" else log
    both = pd.concat([rest, noise]) if len(noise) else rest
    return both.sort_values([k for k in keys if k in log], ignore_index=True)


def _items(log: pd.DataFrame, catalogue: pd.DataFrame | Iterable[object] | None) -> pd.Series:
    if catalogue is None:
        given = log["item_id"]
    else:
        given = catalogue_ids(catalogue)
        check_same_ids(log["item_id"], given, "events.item_id", "catalogue")
    return given.drop_duplicates().sort_values(ignore_index=True)
