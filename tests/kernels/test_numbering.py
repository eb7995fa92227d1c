"""Numbers for keys: first come, first numbered, through every growth of the table."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.numbering import grow, number_rows


def number(keys: list[tuple[int, int]], slots: int = 4) -> tuple[list[int], list[int]]:
    """Number keys, growing the table as needed; return the numbers and the rows that were new."""
    a, b = (np.array([key[i] for key in keys], np.uint64) for i in (0, 1))
    table = np.zeros((slots, 2), np.uint64)
    out, first = np.empty(a.size, np.uint32), np.empty(a.size, np.int64)
    at = count = 0
    while True:
        before = count
        at, count = number_rows(a, b, at, table, before, out, first[before:])
        if at == a.size:
            return out.tolist(), first[:count].tolist()
        larger = np.zeros((2 * len(table), 2), np.uint64)
        grow(table, larger)
        table = larger


def reference(keys: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    seen: dict[tuple[int, int], int] = {}
    first = []
    for row, key in enumerate(keys):
        if key not in seen:
            seen[key] = len(seen)
            first.append(row)
    return [seen[key] for key in keys], first


# few different low bits, so that slots collide; halves of b that differ only above bit 32
keys = st.tuples(st.integers(0, 7).map(lambda i: i << 60 | i % 2), st.integers(0, 3).map(lambda i: i << 32))


@settings(max_examples=100, deadline=None)
@given(st.lists(keys, max_size=60))
def test_equal_keys_get_one_number_in_order_of_appearance(rows: list[tuple[int, int]]) -> None:
    assert number(rows) == reference(rows)


def test_many_keys_survive_every_growth() -> None:
    draw = np.random.default_rng(1).integers(0, 2**63, (5000, 2))
    rows = [(int(a), int(b) & ~0xFFFFFFFF) for a, b in draw]
    assert number(rows + rows) == reference(rows + rows)
