"""Runs a compiled loop over all SKUs block by block, on one thread or on several.

Scalars and columns broadcast without ever being written out at full length: a block is small enough for the cache, so
an argument that all SKUs share costs no memory traffic. Every loop of this kind works SKU by SKU, hence the numbers do
not depend on the block size or on the number of threads.

The parallel form cuts the SKUs into blocks for plain threads instead of compiling the loop a second time with `prange`:
the loops release the GIL, so it is as fast, compiles in no time, and may be called from many threads at once, which
numba's default threading layer may not. `fullshelf.kernels.threads` does the same for loops over whole rows.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numba import get_num_threads
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.threads import tried, workers

FloatArray = NDArray[np.float64]

BLOCK = 32_768
"""SKUs in one block: 256 KiB an argument, so that a handful of arguments stays in the second-level cache."""

LEAST = 32
"""SKUs in the smallest block that a thread is started for."""

__all__ = ["FloatArray", "floats", "over_blocks"]


def floats(value: ArrayLike) -> FloatArray:
    """Return the value as a float64 array, which it stays where it is one."""
    return np.asarray(value, dtype=np.float64)


def over_blocks(
    loop: Callable[..., None],
    arguments: Sequence[ArrayLike],
    results: int,
    *,
    fixed: Sequence[object] = (),
    parallel: bool = False,
    block: int = BLOCK,
) -> list[FloatArray]:
    """Apply `loop(*fixed, *arguments, *results)` to flat float64 blocks of the broadcast arguments.

    Parameters
    ----------
    loop
        Compiled function that fills the result arrays SKU by SKU.
    arguments
        Scalars or arrays whose shapes broadcast.
    results
        How many result arrays the loop fills.
    fixed
        What the loop gets before the arrays, the same for all SKUs.
    parallel
        Use all of numba's threads (`numba.set_num_threads`) instead of one.
    block
        SKUs at a time; fewer than by default for loops that take long on a SKU, or most threads would have none.

    Returns
    -------
    list of arrays
        The results in the broadcast shape; NumPy scalars where all arguments are scalars.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.
    """
    arrays = [floats(argument) for argument in arguments]
    try:
        shape = np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        found = ", ".join(str(array.shape) for array in arrays)
        raise ValueError(
            f"the arguments have shapes {found}, which do not broadcast: give scalars or one entry for each SKU"
        ) from None
    size = int(np.prod(shape, dtype=np.int64))
    flat = [_row(array, shape) for array in arrays]
    answers = [np.empty(size) for _ in range(results)]

    def some(start: int, stop: int) -> None:
        for begin in range(start, stop, block):
            end = min(begin + block, stop)
            inputs = [_block(array, begin, end) for array in flat]
            loop(*fixed, *inputs, *[answer[begin:end] for answer in answers])

    threads = get_num_threads() if parallel else 1
    done = tried(some, LEAST, size) if threads > 1 else 0
    # A few slices for each thread, so that all end at about the same time.
    each = min(block, max((size - done) // (4 * threads), LEAST)) if threads > 1 else size
    starts = range(done, size, max(each, 1))
    if len(starts) > 1:
        for _ in workers(threads).map(lambda start: some(start, min(start + each, size)), starts):
            pass
    else:
        some(done, size)
    return [answer.reshape(shape)[()] for answer in answers]


def _row(array: FloatArray, shape: tuple[int, ...]) -> FloatArray:
    """Flatten; a scalar stays one number, what is neither a scalar nor of full shape is written out once."""
    if array.size == 1:
        return array.reshape(1)
    return np.ascontiguousarray(array if array.shape == shape else np.broadcast_to(array, shape)).reshape(-1)


def _block(row: FloatArray, start: int, stop: int) -> FloatArray:
    """Cut a block, always contiguous and writeable, for numba would compile the loop anew for any other kind."""
    if row.size == 1:
        return np.full(stop - start, row[0])
    block = row[start:stop]
    return block if block.flags.writeable else block.copy()
