"""Number the series of a stream of rows: each new key gets the next number.

A key is known by 96 bits of hash; that two of ten million keys share them has a chance of 1 in 10^15. The table uses
open addressing with linear probing and is at most half full; the caller doubles it with `grow`. A slot is two words,
the first hash, and half of the second beside number + 1 (0: empty), so that looking at it touches one cache line.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import loop

__all__ = ["grow", "number_rows"]

_HALF = np.uint64(32)
_NUMBER = np.uint64(0xFFFFFFFF)


@loop
def number_rows(
    a: NDArray[np.uint64],
    b: NDArray[np.uint64],
    start: int,
    slots: NDArray[np.uint64],
    count: int,
    out: NDArray[np.uint32],
    first_row: NDArray[np.int64],
) -> tuple[int, int]:
    """Give each row from `start` on its number, until all are done or the table is half full.

    Parameters
    ----------
    a, b
        (n,) the two hashes of each row's key.
    slots
        (a power of two, 2) the table. Changed in place.
    count
        Numbers given so far.
    out
        (n,) receives the number of each row.
    first_row
        (n,) receives, at number - count, the row where each new number first appears.

    Returns
    -------
    The first row that is not done, and how many numbers are given now.
    """
    known = count
    mask = np.uint64(slots.shape[0] - 1)
    half = slots.shape[0] // 2
    for i in range(start, a.size):
        if i > start and a[i] == a[i - 1] and b[i] == b[i - 1]:
            out[i] = out[i - 1]
            continue
        at = a[i] & mask
        rest = b[i] >> _HALF
        number = slots[at, 1] & _NUMBER
        while number != 0 and (slots[at, 0] != a[i] or slots[at, 1] >> _HALF != rest):
            at = (at + np.uint64(1)) & mask
            number = slots[at, 1] & _NUMBER
        if number == 0:
            if count >= half:
                return i, count
            first_row[count - known] = i
            count += 1
            number = np.uint64(count)
            slots[at, 0] = a[i]
            slots[at, 1] = (rest << _HALF) | number
        out[i] = number - np.uint64(1)
    return a.size, count


@loop
def grow(old: NDArray[np.uint64], slots: NDArray[np.uint64]) -> None:
    """Move all entries into a larger, empty table."""
    mask = np.uint64(slots.shape[0] - 1)
    for i in range(old.shape[0]):
        if old[i, 1] & _NUMBER != 0:
            at = old[i, 0] & mask
            while slots[at, 1] & _NUMBER != 0:
                at = (at + np.uint64(1)) & mask
            slots[at] = old[i]
