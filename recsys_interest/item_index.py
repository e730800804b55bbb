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
from recsys_interest.products import best_products
from recsys_interest.top_k import Found
from recsys_interest.vectors import check_vectors, unit_rows

__all__ = ["ItemIndex"]

_SCORES_AT_ONCE = 2**24  # cosines that are held at one time, in 2 or 4 bytes each

Floats = NDArray[np.float32]


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
        if not checked.index.equals(queries.index):
            checked = checked.loc[queries.index]
        rows = unit_rows(checked.to_numpy())
        row, place, score, rank = self._near(rows, k) if self.approximate else self._best(rows, k)
        return pd.DataFrame(
            {
                "query": checked.index[row],
                "item_id": self.item_ids_[place],
                "rank": rank,
                "score": score.astype(np.float32),
            }
        )

    def _best(self, rows: Floats, k: int) -> Found:
        return best_products(rows, self.vectors_, k, max_scores=_SCORES_AT_ONCE)

    def _near(self, rows: Floats, k: int) -> Found:
        scores, places = self._graph.search(np.ascontiguousarray(rows), k)
        row, column = np.nonzero(places >= 0)
        return row, places[row, column], scores[row, column], column + 1


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
