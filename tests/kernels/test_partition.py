"""Counting sorts of row records against numpy's stable sort."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fullshelf.kernels.partition import DAY_BITS, order, partition


@st.composite
def tables(draw: st.DrawFn) -> tuple[NDArray[np.uint32], int]:
    """Records of up to 6 series: number, day and file in one word, one value that is the row's place."""
    n = draw(st.integers(0, 60))
    series = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    days = draw(st.lists(st.integers(0, 9), min_size=n, max_size=n))
    files = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    rows = [(s, d | f << DAY_BITS, i) for i, (s, d, f) in enumerate(zip(series, days, files, strict=True))]
    return np.array(rows, np.uint32).reshape(-1, 3), n


@settings(max_examples=100, deadline=None)
@given(tables())
def test_partition_is_a_stable_sort_by_shard(table: tuple[NDArray[np.uint32], int]) -> None:
    records, _ = table
    shard_of = np.array([2, 0, 1, 2, 0, 3], np.uint16)
    out = np.empty_like(records)
    offsets = partition(records, shard_of, 5, out)
    shards = shard_of[records[:, 0]]
    assert (out == records[np.argsort(shards, kind="stable")]).all()
    assert np.diff(offsets).tolist() == np.bincount(shards, minlength=5).tolist()


@settings(max_examples=100, deadline=None)
@given(tables())
def test_order_sorts_by_series_then_day_and_keeps_the_order_of_rows(table: tuple[NDArray[np.uint32], int]) -> None:
    records, n = table
    rank = np.array([3, 0, 5, 1, 4, 2], np.uint32)
    offsets, columns = order(records, rank, 6)
    rows = sorted(range(n), key=lambda i: (rank[records[i, 0]], records[i, 1] & (1 << DAY_BITS) - 1, i))
    assert columns[1].tolist() == rows
    assert columns[0].tolist() == records[rows, 1].tolist()
    assert np.diff(offsets).tolist() == np.bincount(rank[records[:, 0]], minlength=6).tolist()
