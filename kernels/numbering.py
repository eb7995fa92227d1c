"""Number the series of a stream of rows: each new pair of codes gets the next number.

An open-addressing table with linear probing. It is at most half full; the caller doubles it with `grow`.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio: Fibonacci hashing


@core
def slot(key: np.uint64, size: int) -> np.uint64:
    """Return where to look first for a key in a table of `size` (a power of two) slots."""
    mixed = key * GOLDEN
    return (mixed ^ (mixed >> np.uint64(32))) & np.uint64(size - 1)


@loop
def number_rows(
    left: NDArray[np.uint32],
    right: NDArray[np.uint32],
    start: int,
    keys: NDArray[np.uint64],
    numbers: NDArray[np.uint32],
    count: int,
    out: NDArray[np.uint32],
    first_row: NDArray[np.int64],
) -> tuple[int, int]:
    """Give each row from `start` on its number, until all are done or the table is half full.

    Parameters
    ----------
    left, right
        (n,) codes of the two parts of the key.
    keys, numbers
        The table: the key in each slot, and its number + 1; 0 marks an empty slot. Changed in place.
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
    half = keys.size // 2
    for i in range(start, left.size):
        if i > start and left[i] == left[i - 1] and right[i] == right[i - 1]:
            out[i] = out[i - 1]
            continue
        key = (np.uint64(left[i]) << np.uint64(32)) | np.uint64(right[i])
        at = slot(key, keys.size)
        while numbers[at] != 0 and keys[at] != key:
            at = (at + np.uint64(1)) & np.uint64(keys.size - 1)
        if numbers[at] == 0:
            if count >= half:
                return i, count
            keys[at] = key
            first_row[count - known] = i
            count += 1
            numbers[at] = count
        out[i] = numbers[at] - np.uint32(1)
    return left.size, count


@loop
def grow(
    old_keys: NDArray[np.uint64],
    old_numbers: NDArray[np.uint32],
    keys: NDArray[np.uint64],
    numbers: NDArray[np.uint32],
) -> None:
    """Move all entries into a larger, empty table."""
    for i in range(old_keys.size):
        if old_numbers[i] != 0:
            at = slot(old_keys[i], keys.size)
            while numbers[at] != 0:
                at = (at + np.uint64(1)) & np.uint64(keys.size - 1)
            keys[at] = old_keys[i]
            numbers[at] = old_numbers[i]
