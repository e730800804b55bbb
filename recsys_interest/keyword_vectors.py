"""How much each keyword counts for a user, and the weighted sum of the keywords' vectors.

Chapter: 02 (text and keywords).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from numbers import Real

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer

from recsys_interest.checks import check_frame, check_same_ids
from recsys_interest.event_weights import event_strength
from recsys_interest.schema import validate_events
from recsys_interest.text_checks import as_texts
from recsys_interest.tokens import WordAnalyzer

__all__ = ["keyword_vectors", "keyword_weights"]


def keyword_weights(
    events: pd.DataFrame,
    texts: pd.Series,
    *,
    event_weights: Mapping[str, float] | None = None,
    neutral_rating: float = 3.0,
    half_life: float | None = None,
    analyzer: Callable[[str], Iterable[str]] | None = None,
) -> pd.DataFrame:
    r"""Return how much each keyword counts for each user: TF-IDF, event weight and decay together.

    .. math:: w_{uj} = \mathrm{idf}_j \sum_{e \in u} \max(s_e, 0)\, 2^{-a_e / h}\,
        \mathrm{tf}_{i(e), j}, \qquad \mathrm{idf}_j = 1 + \log \frac{1 + n}{1 + n_j}

    with :math:`\mathrm{tf}_{ij}` the number of times the text of item :math:`i` holds word
    :math:`j`, :math:`n_j` the number of the :math:`n` texts that hold it, :math:`s_e` the strength
    of event :math:`e` (`event_strength`), :math:`a_e` its age in days and :math:`h` the half-life.

    Parameters
    ----------
    events : DataFrame
        Valid events.
    texts : Series of str
        The texts of the items (`item_text`), indexed by item id.
    event_weights : mapping of str to float, optional
        Overrides or extends `EVENT_WEIGHTS`.
    neutral_rating : float, default 3.0
        The rating that says nothing either way.
    half_life : float, optional
        Days, counted back from the last event of the log, after which an event counts half; no
        decay by default.
    analyzer : callable, optional
        Text to words, `WordAnalyzer` by default.

    Returns
    -------
    DataFrame
        `user_id`, `keyword`, `weight`: one row for each keyword of a user with a positive weight,
        by user, the heaviest first, ties in alphabetical order.

    Raises
    ------
    TypeError
        If `texts` is not a Series of text, or `half_life` not a number.
    SchemaError
        If the tables do not fit the schema or each other.
    ValueError
        If `half_life` is not positive.

    Notes
    -----
    Chapter 02, "Text and keywords".

    Rows: F05.

    Examples
    --------
    >>> import pandas as pd
    >>> log = pd.DataFrame({"user_id": [1, 1], "item_id": [7, 8], "event": ["browse", "like"],
    ...                     "timestamp": pd.to_datetime(["2026-01-01", "2026-01-02"])})
    >>> texts = pd.Series(["red tent", "red stove"], index=[7, 8])
    >>> keyword_weights(log, texts).round(2)
       user_id keyword  weight
    0        1   stove    4.22
    1        1     red    4.00
    2        1    tent    1.41
    """
    _check_half_life(half_life)
    if not isinstance(texts, pd.Series):
        raise TypeError(f"texts must be a Series indexed by item id, got {type(texts).__name__}")
    texts = as_texts(texts, "texts", TypeError).sort_index()
    # Floating-point sums depend on the order of their terms, so the terms get one order.
    order = ["user_id", "item_id", "timestamp", "event", "value"]
    log = validate_events(events).sort_values(order, ignore_index=True)
    check_same_ids(log["item_id"], texts.index.to_series(), "events.item_id", "texts.index")
    strength = event_strength(log, event_weights, neutral_rating).clip(lower=0).to_numpy()
    if half_life is not None:
        age = (log["timestamp"].max() - log["timestamp"]).dt.total_seconds() / 86_400
        strength = strength * np.exp2(-age.to_numpy() / half_life)
    place = texts.index.get_indexer(log["item_id"])
    rows, users = pd.factorize(log["user_id"], sort=True)
    use = (place >= 0) & (strength > 0)
    shape = (len(users), len(texts))
    table = sparse.csr_matrix((strength[use], (rows[use], place[use])), shape=shape)
    counts, words = _tfidf(texts, WordAnalyzer() if analyzer is None else analyzer)
    weights = (table @ counts).tocoo()
    out = pd.DataFrame(
        {
            "user_id": users.take(weights.row),
            "keyword": pd.Series(words[weights.col], dtype="str"),
            "weight": weights.data,
        }
    )
    by = ["user_id", "weight", "keyword"]
    return out.sort_values(by, ascending=[True, False, True], ignore_index=True)


def keyword_vectors(
    weights: pd.DataFrame, word_vectors: pd.DataFrame, *, normalize: bool = True
) -> pd.DataFrame:
    r"""Return one vector per user: the weighted mean, or sum, of the vectors of the keywords.

    .. math:: F_u = \frac{\sum_j w_{uj} E_j}{\sum_j w_{uj}}

    Without the denominator the length of :math:`F_u` grows with the history, and a Euclidean
    distance compares how much two users did rather than what.

    Parameters
    ----------
    weights : DataFrame
        `user_id`, `keyword`, `weight` (see `keyword_weights`).
    word_vectors : DataFrame, shape (n_words, n_features)
        Indexed by word, for example ``WordVectors().fit(texts).word_vectors_``. Keywords without a
        vector are left out.
    normalize : bool, default True
        Divide by the sum of the weights.

    Returns
    -------
    DataFrame of float32, shape (n_users, n_features)
        Indexed by `user_id`, sorted; zeros for a user without a known keyword.

    Raises
    ------
    TypeError
        If an argument is not a DataFrame.
    SchemaError
        If `weights` lacks a column.
    ValueError
        If a weight is missing, negative or infinite, or a word has two vectors.

    Notes
    -----
    Chapter 02, "Text and keywords". The first source article writes the sum, with weights it does
    not define.

    Rows: F05.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"user_id": [1, 1], "keyword": ["tent", "wine"], "weight": [3.0, 1.0]})
    >>> vectors = pd.DataFrame({"x": [1.0, 0.0], "y": [0.0, 1.0]}, index=["tent", "wine"])
    >>> keyword_vectors(table, vectors).loc[1].tolist()
    [0.75, 0.25]
    >>> keyword_vectors(table, vectors, normalize=False).loc[1].tolist()
    [3.0, 1.0]
    """
    table = check_frame(weights, "weights", ("user_id", "keyword", "weight"))
    if not isinstance(word_vectors, pd.DataFrame):
        raise TypeError(f"word_vectors must be a DataFrame, got {type(word_vectors).__name__}")
    if not word_vectors.index.is_unique:
        raise ValueError("word_vectors has two vectors for one word; keep one each")
    amount = table["weight"].to_numpy(dtype=float, na_value=np.nan)
    if not (np.isfinite(amount) & (amount >= 0)).all():
        raise ValueError("weights.weight must be finite and not negative")
    table = table.assign(weight=amount).sort_values(["user_id", "keyword", "weight"])
    rows, users = pd.factorize(table["user_id"], sort=True)
    place = word_vectors.index.get_indexer(table["keyword"])
    known = place >= 0
    shape = (len(users), len(word_vectors))
    matrix = sparse.csr_matrix(
        (table["weight"].to_numpy()[known], (rows[known], place[known])), shape=shape
    )
    sums = matrix @ word_vectors.to_numpy(dtype=np.float64)
    if normalize:
        total = np.asarray(matrix.sum(axis=1)).reshape(-1, 1)
        sums = np.divide(sums, total, out=np.zeros_like(sums), where=total > 0)
    index = pd.Index(users, name="user_id")
    return pd.DataFrame(sums.astype(np.float32), index=index, columns=word_vectors.columns)


def _tfidf(
    texts: pd.Series, analyzer: Callable[[str], Iterable[str]]
) -> tuple[sparse.csr_matrix, np.ndarray]:
    # The lengths of texts must not cancel before the sum, so rows are not scaled to length one.
    counter = TfidfVectorizer(analyzer=analyzer, norm=None)
    try:
        return counter.fit_transform(texts), counter.get_feature_names_out()
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        return sparse.csr_matrix((len(texts), 0)), np.array([], dtype=object)


def _check_half_life(half_life: object) -> None:
    if half_life is None:
        return
    if isinstance(half_life, bool) or not isinstance(half_life, Real):
        raise TypeError(f"half_life must be a number of days or None, got {half_life!r}")
    if not float(half_life) > 0:
        raise ValueError(f"half_life must be a positive number of days, got {half_life}")
