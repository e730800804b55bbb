"""Find the nearest items of a vector: exactly, or approximately where there are very many.

Chapter: 03 (BERT features), 11 (cosine recommendation).
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from recsys_interest.checks import check_count
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["ItemIndex"]

_SCORES_AT_ONCE = 2**23  # cosines that are held at one time: 32 MiB

Floats = NDArray[np.float32]
Places = NDArray[np.int64]


class ItemIndex(BaseEstimator):
    """The items of a catalogue, ready to be searched by cosine.

    Parameters
    ----------
    approximate : bool, default False
        Search a graph of neighbours (HNSW of the package `faiss-cpu`, extra ``ann``) instead of
        all items: for millions of items. Exact search reads every item, and of equal cosines the
        smaller id comes first.
    n_links : int, default 32
        Neighbours that each item of the graph knows: more of them find more, with more memory.
    breadth : int, default 128
        Candidates that the graph's search keeps: more of them find more, in more time.

    Attributes
    ----------
    item_ids_ : Index
        The items, sorted.
    vectors_ : ndarray of float32, shape (n_items, n_features)
        Their unit vectors, in this order.

    Notes
    -----
    The graph: Malkov and Yashunin (2020), "Efficient and robust approximate nearest neighbor search
    using hierarchical navigable small world graphs". Chapter 03, "BERT features".

    Rows: F10.

    Examples
    --------
    >>> vectors = pd.DataFrame([[1.0, 0.1], [1.0, 0.0], [0.0, 2.0]], index=["b", "a", "c"])
    >>> ItemIndex().fit(vectors).nearest(vectors.loc[["c"]], k=2).round(2)
      query item_id  rank  score
    0     c       c     1    1.0
    1     c       b     2    0.1
    """

    def __init__(self, approximate: bool = False, *, n_links: int = 32, breadth: int = 128) -> None:
        self.approximate = approximate
        self.n_links = n_links
        self.breadth = breadth

    def fit(self, vectors: pd.DataFrame, y: object = None) -> Self:
        """Take in the items.

        Parameters
        ----------
        vectors : DataFrame, shape (n_items, n_features)
            One row per item, indexed by item id.
        y : ignored
            There for scikit-learn's pipelines.

        Returns
        -------
        ItemIndex
            This object.

        Raises
        ------
        ImportError
            If `approximate` is asked for and faiss is not installed.
        SchemaError
            If an id occurs twice.
        TypeError
            If `vectors` is not a frame.
        ValueError
            If a value is not a finite number, or there is no item.
        """
        n_links, breadth = (
            check_count(self.n_links, "n_links"),
            check_count(self.breadth, "breadth"),
        )
        checked = check_vectors(vectors, "vectors")
        if not len(checked):
            raise ValueError("vectors holds no item; there is nothing to search")
        self.item_ids_ = checked.index
        self.vectors_: Floats = unit_rows(checked.to_numpy())
        self._graph: Any = _graph(self.vectors_, n_links, breadth) if self.approximate else None
        return self

    def nearest(self, queries: pd.DataFrame, k: int = 10) -> pd.DataFrame:
        """Return the items of highest cosine for each query.

        Parameters
        ----------
        queries : DataFrame, shape (n_queries, n_features)
            One row per query, for example user profiles, indexed by id.
        k : int, default 10
            How many items; fewer if there are fewer.

        Returns
        -------
        DataFrame
            `query`, `item_id`, `rank` (from 1), `score` (cosine), in the order of the queries.

        Raises
        ------
        NotFittedError
            If `fit` was not called.
        ValueError
            If the queries have another number of features than the items.
        """
        check_is_fitted(self)
        k = min(check_count(k, "k"), len(self.item_ids_))
        checked = check_vectors(queries, "queries")
        if checked.shape[1] != self.vectors_.shape[1]:
            raise ValueError(
                f"queries has {checked.shape[1]} features, the items {self.vectors_.shape[1]}; "
                f"encode both with the same model"
            )
        checked = checked.loc[queries.index]
        rows = unit_rows(checked.to_numpy())
        places, scores = self._approximate(rows, k) if self.approximate else self._exact(rows, k)
        found = places >= 0
        return pd.DataFrame(
            {
                "query": checked.index[np.nonzero(found)[0]],
                "item_id": self.item_ids_[places[found]],
                "rank": np.broadcast_to(np.arange(1, k + 1), places.shape)[found],
                "score": scores[found],
            }
        )

    def _exact(self, rows: Floats, k: int) -> tuple[Places, Floats]:
        places = np.empty((len(rows), k), dtype=np.int64)
        scores = np.empty((len(rows), k), dtype=np.float32)
        size = max(1, _SCORES_AT_ONCE // len(self.vectors_))
        for start in range(0, len(rows), size):
            here = slice(start, start + size)
            places[here], scores[here] = _top(rows[here] @ self.vectors_.T, k)
        return places, scores

    def _approximate(self, rows: Floats, k: int) -> tuple[Places, Floats]:
        scores, places = self._graph.search(np.ascontiguousarray(rows), k)
        return places, scores


def _top(cosines: Floats, k: int) -> tuple[Places, Floats]:
    """Return the k largest of each row, best first, and of equal ones the first."""
    n = cosines.shape[1]
    edge = np.partition(cosines, n - k, axis=1)[:, n - k, None]
    rows, columns = np.nonzero(cosines >= edge)  # with all ties at the edge
    order = np.lexsort((columns, -cosines[rows, columns], rows))
    first = np.searchsorted(rows, np.arange(len(cosines)))
    best = order[first[:, None] + np.arange(k)]
    return columns[best], cosines[rows[best], columns[best]]


def _graph(vectors: Floats, n_links: int, breadth: int) -> Any:
    try:
        import faiss
    except ImportError:
        raise ImportError("approximate search needs faiss: pip install faiss-cpu") from None
    graph = faiss.IndexHNSWFlat(vectors.shape[1], n_links, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = 2 * breadth
    graph.hnsw.efSearch = breadth
    graph.add(np.ascontiguousarray(vectors))
    return graph
