"""A hash of series keys that never changes: the same on every machine and with every library version.

It decides which shard a series belongs to. Byte by byte, so endianness does not matter; only distinct keys are hashed
(once each), so speed does not matter either.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop

__all__ = ["FNV_BASIS", "FNV_PRIME", "SEPARATOR", "avalanche", "fnv1a", "hash_pairs"]

FNV_BASIS = np.uint64(0xCBF29CE484222325)
FNV_PRIME = np.uint64(0x100000001B3)
SEPARATOR = np.uint64(0xFF)  # a byte that UTF-8 never uses: ("ab", "c") and ("a", "bc") differ


@core
def fnv1a(data: NDArray[np.uint8], begin: int, end: int, state: np.uint64) -> np.uint64:
    """Continue the 64-bit FNV-1a hash `state` over data[begin:end] (Fowler, Noll, Vo; draft-eastlake-fnv)."""
    for i in range(begin, end):
        state = (state ^ np.uint64(data[i])) * FNV_PRIME
    return state


@core
def avalanche(state: np.uint64) -> np.uint64:
    """Spread every input bit over all output bits (the 64-bit finaliser of MurmurHash3)."""
    state ^= state >> np.uint64(33)
    state *= np.uint64(0xFF51AFD7ED558CCD)
    state ^= state >> np.uint64(33)
    state *= np.uint64(0xC4CEB9FE1A85EC53)
    state ^= state >> np.uint64(33)
    return state


@loop
def hash_pairs(
    left: NDArray[np.uint8], left_ends: NDArray[np.int64], right: NDArray[np.uint8], right_ends: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """Hash n pairs of texts.

    Parameters
    ----------
    left, right
        The UTF-8 bytes of all first and of all second texts, one after the other.
    left_ends, right_ends
        (n,) where each text ends.

    Returns
    -------
    (n,) hashes.
    """
    n = left_ends.size
    out = np.empty(n, np.uint64)
    left_begin = right_begin = 0
    for i in range(n):
        state = fnv1a(left, left_begin, left_ends[i], FNV_BASIS)
        state = (state ^ SEPARATOR) * FNV_PRIME
        state = fnv1a(right, right_begin, right_ends[i], state)
        out[i] = avalanche(state)
        left_begin, right_begin = left_ends[i], right_ends[i]
    return out
