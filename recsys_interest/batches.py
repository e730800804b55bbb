"""Which texts are encoded, in which batches, and what happens when memory runs out.

Chapter: 03 (BERT features).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from recsys_interest.checks import shown, valid_text

if TYPE_CHECKING:
    from recsys_interest.language_model import LanguageModel, Tokens

__all__ = ["WindowMerge", "batches", "distinct_texts", "halving"]

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]


class WindowMerge:
    """Several windows of one text become one vector: their weighted mean, or their maximum."""

    def __init__(self, tokens: Tokens, pooling: str) -> None:
        lengths = np.array([len(row) for row in tokens.rows], dtype=np.float32)
        total = np.bincount(tokens.owner, weights=lengths)[tokens.owner]
        self._weight = np.divide(lengths, total, out=np.zeros_like(total), where=total > 0)
        self._owner = tokens.owner
        self._seen = np.zeros(len(tokens.cut), dtype=bool)
        self._largest = pooling == "max"

    def add(self, table: Floats, where: np.ndarray, batch: list[int], vectors: Floats) -> None:
        """Add the windows of a batch to the rows of `table` that belong to their texts."""
        for row, vector in zip(batch, vectors, strict=True):
            text = self._owner[row]
            place = where[text]
            if not self._largest:
                table[place] += np.float32(self._weight[row]) * vector
            elif self._seen[text]:
                np.maximum(table[place], vector, out=table[place])
            else:
                table[place] = vector
            self._seen[text] = True


def distinct_texts(texts: Any) -> tuple[np.ndarray, list[str], pd.Index]:
    """Return the number of each row's text (−1: blank), the distinct texts, and the index."""
    if isinstance(texts, str):
        raise TypeError("give a list of texts, not one text: [text]")
    series = texts if isinstance(texts, pd.Series) else pd.Series(list(texts), dtype=object)
    try:
        codes, distinct = pd.factorize(series.astype(object), use_na_sentinel=True)
    except TypeError:  # what cannot be hashed is no text either
        codes, distinct = np.arange(len(series)), series.to_list()
    odd = [i for i, value in enumerate(distinct) if not isinstance(value, str)]
    if odd:
        kinds = sorted({type(distinct[i]).__name__ for i in odd})
        where = series.index[np.isin(codes, odd)]
        raise TypeError(f"texts must be str, got {shown(kinds)} at index {shown(where)}")
    # Different halves of characters may become the same text.
    kept, names = pd.factorize(np.array([valid_text(t) for t in distinct], dtype=object))
    filled = np.array([bool(t.strip()) for t in names], dtype=bool)
    number = np.append(np.where(filled, np.cumsum(filled) - 1, -1)[kept], -1)
    return number[codes], [t for t, full in zip(names, filled, strict=True) if full], series.index


def batches(order: list[int], lengths: list[int], budget: int) -> Iterator[list[int]]:
    """Yield runs of `order`, each of at most `budget` tokens or of one row."""
    batch: list[int] = []
    tokens = 0
    for row in order:
        if batch and tokens + lengths[row] > budget:
            yield batch
            batch, tokens = [], 0
        batch.append(row)
        tokens += lengths[row]
    if batch:
        yield batch


def halving(model: LanguageModel, rows: list[list[int]], pooling: str) -> Floats:
    """Return the vectors of a batch; where memory runs out, of its halves one after the other."""
    try:
        return model.vectors(rows, pooling)
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        if len(rows) == 1:
            raise MemoryError(
                f"a single text of {len(rows[0])} tokens does not fit into memory; "
                f"set max_tokens below that"
            ) from error
    # Outside the handler, so that what the failed try held is freed.
    logger.warning("out of memory with %d texts at a time; going on with half", len(rows))
    middle = len(rows) // 2
    parts = [halving(model, half, pooling) for half in (rows[:middle], rows[middle:])]
    return np.concatenate(parts)


def _is_out_of_memory(error: Exception) -> bool:
    # On a CPU torch raises a plain RuntimeError that says so.
    said = ("out of memory", "can't allocate memory", "not enough memory")
    return isinstance(error, MemoryError) or any(s in str(error).lower() for s in said)
