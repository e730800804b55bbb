"""Exact top-k against a full sort of exact products, where rough arithmetic would go wrong."""

import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from threadpoolctl import threadpool_limits

from recsys_interest import products, top_k
from recsys_interest.products import best_products, has_bfloat16
from recsys_interest.top_k import best_cells, shortlist

ROUGH = [products._Float32, products._Bfloat16]


@pytest.fixture(params=ROUGH, ids=["float32", "bfloat16"])
def rough(request, monkeypatch):
    """Both ways on every processor: torch multiplies bfloat16 everywhere, only not as fast."""
    monkeypatch.setattr(products, "has_bfloat16", lambda: request.param is products._Bfloat16)
    monkeypatch.setattr(products, "_WORTH_BFLOAT16", 0)
    monkeypatch.setattr(products, "_WORTH_TORCH", 0)
    return request.param


def sorted_out(left, right, k, hidden=None):
    """Return columns and scores of the k best by a full sort of float64 products."""
    scores = np.array([[np.vecdot(a, b) for b in right.astype(float)] for a in left.astype(float)])
    scores = scores.reshape(len(left), len(right))
    if hidden is not None:
        scores[hidden] = -np.inf
    columns = [
        [c for c in np.lexsort((np.arange(len(row)), -row)) if row[c] > -np.inf][:k]
        for row in scores
    ]
    return columns, [list(row[c]) for row, c in zip(scores, columns, strict=True)]


def assert_exact(left, right, k, hidden=None, **more):
    mask = None if hidden is None else sparse.csr_array(hidden)
    rows, columns, scores, rank = best_products(left, right, k, hidden=mask, **more)
    expected, values = sorted_out(left, right, k, hidden)
    assert columns.tolist() == [c for row in expected for c in row]
    assert rows.tolist() == [i for i, row in enumerate(expected) for _ in row]
    assert rank.tolist() == [r for row in expected for r in range(1, len(row) + 1)]
    np.testing.assert_array_equal(scores, [v for row in values for v in row])
    assert np.isfinite(scores).all()


def units(n, d, seed):
    rows = np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("k", [1, 10, 400, 401, 5000])
def test_random_vectors(rough, k):
    assert_exact(units(7, 24, 0), units(401, 24, 1), k)


def test_near_ties_below_bfloat16_and_below_float32(rough):
    """Steps of one unit in the last place of float32, 2**16 times finer than bfloat16 can see."""
    base = units(1, 32, 2)
    right = np.repeat(base, 300, axis=0)
    right[:, 5] += np.float32(2.0**-22) * np.random.default_rng(0).permutation(300)
    right = np.vstack([right, units(300, 32, 3)]).astype(np.float32)
    assert len(np.unique(right[:300, 5])) > 100
    assert_exact(np.vstack([base, units(4, 32, 4)]), right, 10)


def test_bfloat16_alone_would_be_wrong():
    """The list of the rounded products is another one, so that the tests above can fail."""
    import torch

    left, right = units(50, 32, 0), units(2000, 32, 1)
    bits = [torch.from_numpy(rows).bfloat16() for rows in (left, right)]
    by_bits = best_cells((bits[0] @ bits[1].T).float().numpy(), 10)[1]
    assert by_bits.tolist() != best_products(left, right, 10)[1].tolist()


def test_what_rounds_to_the_same_bits_is_told_apart(rough):
    """All items have the same bits in bfloat16, and their order is the reverse of the columns."""
    right = np.full((600, 16), 1.0, dtype=np.float32)
    right[:, 0] += np.arange(600, dtype=np.float32) * np.float32(2.0**-22)
    assert_exact(np.ones((3, 16), dtype=np.float32), right, 7)


def test_ties_go_to_the_smaller_column(rough):
    right = np.repeat(units(3, 8, 0), 200, axis=0)[np.random.default_rng(0).permutation(600)]
    assert_exact(units(9, 8, 1), right, 15)


@pytest.mark.parametrize("sign", [-1.0, 0.0, 1.0])
def test_products_below_zero_and_of_nothing(rough, sign):
    """Bits order positive numbers only; where the bound is not positive there is another way."""
    left = np.abs(units(6, 8, 0))
    right = np.float32(sign) * np.abs(units(500, 8, 1))
    assert_exact(left, right, 10)
    assert_exact(np.vstack([left, -left, 0 * left]), right, 10)


@pytest.mark.parametrize("power", [-130, -60, -30, 0, 30, 60])
def test_lengths_of_any_size(rough, power):
    """Products of some of these do not fit into float32."""
    scale = np.float32(2.0**power)
    lengths = np.exp2(np.random.default_rng(0).integers(-9, 9, size=(300, 1))).astype(np.float32)
    assert_exact(scale * units(5, 8, 0), scale * lengths * units(300, 8, 1), 10)
    assert_exact(scale * units(5, 8, 0), lengths * units(300, 8, 1), 10)


def test_float64_vectors_keep_their_digits(rough):
    right = np.ones((400, 4)) + 1e-13 * np.random.default_rng(0).permutation(400)[:, None]
    assert_exact(np.ones((2, 4)), right, 6)


def test_hidden_pairs_are_never_found(rough):
    rng = np.random.default_rng(0)
    left, right = units(30, 16, 0), units(500, 16, 1)
    hidden = rng.random((30, 500)) < rng.random((30, 1))
    hidden[0], hidden[1] = True, False
    hidden[2, 3:] = True
    assert_exact(left, right, 10, hidden)
    best = sorted_out(left, right, 300)[0]
    for row, columns in enumerate(best):
        hidden[row, columns] = True  # what is left has products below zero
    assert_exact(left, right, 10, hidden)


@pytest.mark.parametrize("n_threads", [1, 2])
@pytest.mark.parametrize("max_scores", [1, 5000, 10**9])
def test_neither_threads_nor_memory_change_a_list(rough, n_threads, max_scores, monkeypatch):
    monkeypatch.setattr(products, "_ROWS_AT_ONCE", 16)
    monkeypatch.setattr(products, "_PAIRS_AT_ONCE", 5)
    left, right = units(70, 12, 0), units(300, 12, 1)
    with threadpool_limits(n_threads):
        assert_exact(left, right, 5, max_scores=max_scores)


def test_shapes_without_anything(rough):
    for n, m in ((0, 5), (5, 0), (0, 0)):
        found = best_products(units(n, 4, 0), units(m, 4, 1), 3)
        assert [len(part) for part in found] == [0, 0, 0, 0]


def test_any_memory_layout_will_do(rough):
    left, right = units(20, 16, 0), units(300, 16, 1)
    expected = best_products(left, right, 4)
    found = best_products(np.asfortranarray(left), np.asfortranarray(right), 4)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 400),
    d=st.integers(1, 40),
    k=st.integers(1, 30),
    grid=st.booleans(),
    way=st.sampled_from(ROUGH),
)
def test_the_bound_holds(seed, n, d, k, grid, way):
    """The shortlist has every cell that is among the k best by products of whole fractions."""
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(3, d)), rng.normal(size=(n, d))
    if grid:
        left, right = np.round(left), np.round(right)
    left, right = left.astype(np.float32), right.astype(np.float32)
    rows, columns = way(right).shortlist(left, k, None)
    for row in range(3):
        exact = [
            sum(Fraction(float(a)) * Fraction(float(b)) for a, b in zip(left[row], x, strict=True))
            for x in right
        ]
        edge = sorted(exact, reverse=True)[min(k, n) - 1]
        needed = {c for c, value in enumerate(exact) if value >= edge}
        assert needed <= set(columns[rows == row].tolist())


@pytest.mark.parametrize("way", ROUGH)
def test_the_shortlist_is_short(way):
    rows, _ = way(units(5000, 64, 0)).shortlist(units(40, 64, 1), 10, None)
    assert len(rows) < 40 * 30


def test_the_bound_for_a_sum_is_not_the_usual_error():
    """All roundings in the same direction: the rough product is off by most of the bound."""
    d = 64
    x = np.full(d, 1 + 2.0**-8 - 2.0**-20, dtype=np.float32)  # rounds to 1, all in one direction
    scale = products._scaled(x[None])
    way = products._Bfloat16(x[None])
    rounded = way.bits.float().numpy()
    off = abs(float(np.vecdot(rounded[0], rounded[0])) - float(np.vecdot(scale[0], scale[0])))
    bound = float(way._error(scale, rounded)[0])
    assert 0.5 * bound < off < bound


@settings(deadline=None, max_examples=100)
@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 700),
    k=st.integers(1, 40),
    kind=st.sampled_from(["normal", "whole", "never", "equal", "float32"]),
    margin=st.sampled_from([0.0, 0.3]),
)
def test_best_cells_are_a_full_sort(seed, n, k, kind, margin):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(rng.integers(0, 12), n))
    if kind == "whole":
        scores = np.round(scores)
    elif kind == "never":
        scores[rng.random(scores.shape) < 0.7] = -np.inf
    elif kind == "equal":
        scores = 0 * scores + np.round(rng.normal(size=(len(scores), 1)))
    elif kind == "float32":
        scores = scores.astype(np.float32)
    rows, columns, found, rank = best_cells(scores, k)
    expected = [
        (i, c, r)
        for i, row in enumerate(scores)
        for r, c in enumerate(
            [c for c in np.lexsort((np.arange(n), -row)) if row[c] > -np.inf][:k], start=1
        )
    ]
    assert list(zip(rows.tolist(), columns.tolist(), rank.tolist(), strict=True)) == expected
    np.testing.assert_array_equal(found, scores[rows, columns])
    if len(scores) and n > k:
        edge = np.sort(scores, axis=1)[:, -k, None]
        needed = (scores >= edge - margin) & (scores > -np.inf)
        cells = set(zip(*shortlist(scores, k, margin), strict=True))
        assert set(zip(*np.nonzero(needed), strict=True)) <= cells


def test_one_row_with_many_ties_is_sorted_too(monkeypatch):
    monkeypatch.setattr(top_k, "_LARGEST_WASTE", 0)
    scores = np.random.default_rng(0).normal(size=(20, 300))
    first = best_cells(scores, 7)
    monkeypatch.setattr(top_k, "_LARGEST_WASTE", 10**9)
    for one, other in zip(first, best_cells(scores, 7), strict=True):
        np.testing.assert_array_equal(one, other)


def test_torch_is_loaded_only_where_it_pays():
    import subprocess

    code = (
        "import sys, numpy as np; from recsys_interest.products import best_products; "
        "best_products(np.eye(5), np.eye(5), 2); print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "False"


def test_the_processor_is_asked(monkeypatch):
    import torch

    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    for said, expected in (({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda s=said: s, raising=False)
        assert has_bfloat16() is expected
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert has_bfloat16() is False


def test_sums_in_float32_are_off_by_no_more_than_the_bound():
    left, right = units(20, 500, 0), units(300, 500, 1)
    way = products._Float32(right)
    scaled = products._scaled(left)
    off = np.abs(scaled @ way.table.T - scaled.astype(float) @ way.table.T.astype(float))
    assert off.max() > 0
    assert (off <= way._error(scaled, scaled)[:, None]).all()


@pytest.mark.parametrize("k", [1, 5])
def test_sums_as_wrong_as_the_bound_allows_lose_nothing(k, monkeypatch):
    """What is needed is too small by the whole bound, the rest too large; then it is rounded."""
    import torch

    numbers = torch.from_numpy(np.abs(np.random.default_rng(0).normal(size=(201, 4096))))
    rows = numbers.bfloat16().float().numpy()  # so that nothing but the sums is rounded
    left, right = rows[:200], np.repeat(rows[200:], 400, axis=0)
    left[:, 300:] = 0  # short sums of long rows
    right[:, :300] /= 16
    right[200 : 200 + k, 0] *= 1 + 2.0**-6  # hardly better than the others
    right[300:] /= 4
    way = products._Bfloat16(right)
    scaled = products._scaled(left)
    exact = scaled.astype(float) @ way.bits.float().numpy().astype(float).T
    needed = exact >= np.sort(exact, axis=1)[:, -k, None]
    error = way._error(scaled, scaled)[:, None]
    worst = torch.from_numpy(np.where(needed, exact - error, exact + error)).bfloat16()
    monkeypatch.setattr(torch, "mm", lambda *_: worst)
    found = np.zeros(exact.shape, dtype=bool)
    found[way.shortlist(left, k, None)] = True
    assert (found | ~needed).all()
    assert found.sum() < found.size
