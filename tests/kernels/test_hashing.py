"""The hash of series keys against published vectors and a slow reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fullshelf.kernels.hashing import FNV_BASIS, avalanche, fnv1a, hash_pairs

MASK = 2**64 - 1


def joined(texts: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    parts = [text.encode() for text in texts]
    return np.frombuffer(b"".join(parts), np.uint8), np.cumsum([len(part) for part in parts], dtype=np.int64)


def reference(left: str, right: str) -> int:
    state = 0xCBF29CE484222325
    for byte in left.encode() + b"\xff" + right.encode():
        state = (state ^ byte) * 0x100000001B3 & MASK
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        state = (state ^ state >> 33) * factor & MASK
    return state ^ state >> 33


@pytest.mark.parametrize(
    ("text", "published"),
    [("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)],
)
def test_fnv1a_gives_the_published_hashes(text: str, published: int) -> None:
    data = np.frombuffer(text.encode(), np.uint8)
    assert int(fnv1a(data, 0, data.size, FNV_BASIS)) == published


def test_the_finaliser_gives_the_hash_of_murmur3() -> None:
    assert int(avalanche(np.uint64(1))) == 0xB456BCFC34C2CB2C


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=20))
def test_pairs_hash_as_the_slow_reference_says(pairs: list[tuple[str, str]]) -> None:
    got = hash_pairs(*joined([a for a, _ in pairs]), *joined([b for _, b in pairs]))
    assert got.tolist() == [reference(a, b) for a, b in pairs]


def test_where_a_pair_is_parted_matters() -> None:
    a, b = hash_pairs(*joined(["ab", "a"]), *joined(["c", "bc"]))
    assert a != b
