from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys_interest import item_index
from recsys_interest.checks import SchemaError
from recsys_interest.item_index import ItemIndex


def catalogue(n, d=16, seed=0):
    """Return vectors in groups, as items of a few topics are."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(8, d))[rng.integers(0, 8, n)] + 0.6 * rng.normal(size=(n, d))
    return pd.DataFrame(rows, index=[f"i{i:05d}" for i in range(n)])


@settings(deadline=None, max_examples=40)
@given(
    grid=st.lists(st.tuples(st.integers(-2, 2), st.integers(-2, 2)), min_size=1, max_size=12),
    k=st.integers(1, 15),
    at_once=st.integers(1, 40),
)
def test_exact_search_is_a_full_sort(grid, k, at_once):
    vectors = pd.DataFrame(grid, index=range(len(grid)), dtype=float)
    index = ItemIndex().fit(vectors)
    usual, item_index._SCORES_AT_ONCE = item_index._SCORES_AT_ONCE, at_once
    try:
        found = index.nearest(vectors, k=k)
    finally:
        item_index._SCORES_AT_ONCE = usual
    cosines = index.vectors_ @ index.vectors_.T
    for query, lists in found.groupby("query"):
        expected = np.lexsort((np.arange(len(grid)), -cosines[query]))[:k]
        np.testing.assert_allclose(lists["score"], cosines[query][expected], atol=1e-6)
        assert lists["rank"].tolist() == list(range(1, len(expected) + 1))
    assert len(found) == len(grid) * min(k, len(grid))


def test_of_equal_items_the_smaller_id_comes_first():
    vectors = pd.DataFrame([[1.0, 0.0]] * 5, index=list("ecadb"))
    found = ItemIndex().fit(vectors).nearest(vectors.head(1), k=3)
    assert found["item_id"].tolist() == ["a", "b", "c"]


@pytest.mark.rows("F10")
def test_exact_and_approximate_search_agree():
    pytest.importorskip("faiss")
    vectors, queries = catalogue(4000), catalogue(300, seed=1)
    exact = ItemIndex().fit(vectors).nearest(queries, k=10)
    near = ItemIndex(approximate=True).fit(vectors).nearest(queries, k=10)
    both = exact.merge(near, on=["query", "item_id"])
    assert len(both) / len(exact) >= 0.99
    np.testing.assert_allclose(both["score_x"], both["score_y"], atol=1e-5)
    careless = ItemIndex(approximate=True, n_links=2, breadth=1).fit(vectors)
    few = exact.merge(careless.nearest(queries, k=10), on=["query", "item_id"])
    assert len(few) / len(exact) < 0.99  # the comparison can fail


def test_without_faiss_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match="pip install faiss-cpu"):
        ItemIndex(approximate=True).fit(catalogue(5))


def test_queries_keep_their_order():
    vectors = catalogue(30)
    queries = vectors.loc[["i00007", "i00001", "i00020"]]
    found = ItemIndex().fit(vectors).nearest(queries, k=1)
    assert found["query"].tolist() == found["item_id"].tolist() == list(queries.index)


def test_wrong_input_is_named():
    index = ItemIndex().fit(catalogue(5))
    with pytest.raises(ValueError, match="queries has 3 features, the items 16"):
        index.nearest(pd.DataFrame([[1.0, 2.0, 3.0]], index=["u"]))
    with pytest.raises(ValueError, match="holds no item"):
        ItemIndex().fit(catalogue(5).head(0))
    with pytest.raises(SchemaError, match="duplicates"):
        ItemIndex().fit(pd.concat([catalogue(2), catalogue(1)]))
    with pytest.raises(ValueError, match="k must be at least 1, got 0"):
        index.nearest(catalogue(1), k=0)
