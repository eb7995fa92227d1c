"""A compiled loop over rows, run on slices of its arrays in several threads.

A loop that releases the GIL needs no `parallel=True` to use all cores. Measured beside it on lot sizing: the same rate,
1.3 s less to compile for each loop, and it may be called from several threads at once, which ends the process under
numba's default threading layer ("concurrent access has been detected").
"""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["in_threads", "tried", "workers", "writeable"]

_LEAST_ROWS = 32  # of a slice: handing it over costs some 0.02 ms
_CALL = 4e-5  # seconds of a call whatever its rows
_FASTEST = 2e-8  # seconds for a row: no loop takes less
_HANDING_OVER = 4e-4  # seconds of work below which one thread is as fast as several


def in_threads(run: Callable[..., None], by_row: Sequence[NDArray[Any]], *shared: Any, parallel: bool = True) -> None:
    """Call a compiled loop on slices of its arrays, so that all threads work.

    Parameters
    ----------
    run
        Called as ``run(*slices, *shared)``; writes its answers into arrays that it is given, releases the GIL and
        treats each row alone.
    by_row
        Arrays with one entry of the first axis for each row, answers included.
    shared
        What every row needs as a whole.
    parallel
        Use all of numba's threads (`numba.set_num_threads`); else `run` is called once, here.

    Raises
    ------
    ValueError
        If the arrays differ in their rows.

    Examples
    --------
    >>> def scale(values, out, factor):
    ...     out[:] = factor * values
    >>> out = np.empty(3)
    >>> in_threads(scale, (np.array([1.0, 2.0, 3.0]), out), 2.0)
    >>> out.tolist()
    [2.0, 4.0, 6.0]
    """
    rows = len(by_row[0])
    if any(len(array) != rows for array in by_row):
        raise ValueError(f"arrays differ in their rows: {[len(array) for array in by_row]}")

    def some(start: int, stop: int) -> None:
        run(*(array[start:stop] for array in by_row), *shared)

    threads = numba.get_num_threads() if parallel else 1
    begin = tried(some, _LEAST_ROWS, rows) if threads > 1 else 0
    slices = min((rows - begin) // _LEAST_ROWS, 4 * threads) if threads > 1 else 1  # more: rows differ in work
    if begin == rows:
        return
    if slices < 2:
        some(begin, rows)
        return
    edges = [begin + (rows - begin) * i // slices for i in range(slices + 1)]
    for task in [workers(threads).submit(some, start, stop) for start, stop in pairwise(edges)]:
        task.result()


def tried(run: Callable[[int, int], None], least: int, size: int) -> int:
    """Do the first rows here, and all where the others would take less time than threads need to take them up.

    Returns
    -------
    int
        How many rows are done: none where there are too few for two threads.

    Examples
    --------
    >>> tried(lambda start, stop: None, 32, 1000)
    1000
    """
    if size < 2 * least:
        return 0
    begin = time.perf_counter()
    run(0, least)
    pace = max((time.perf_counter() - begin - _CALL) / least, _FASTEST)
    if pace * (size - least) > _HANDING_OVER:
        return least
    run(least, size)
    return size


@cache
def workers(threads: int) -> ThreadPoolExecutor:
    """Return the threads that kernels share, kept for the next call: starting two takes about 1 ms, a call less.

    >>> workers(2) is workers(2)
    True
    """
    return ThreadPoolExecutor(threads, thread_name_prefix="fullshelf-kernels")


os.register_at_fork(after_in_child=workers.cache_clear)  # a forked process has the pool, but none of its threads


def writeable(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array contiguous and writeable, a copy where it is not: numba compiles a loop anew for any other kind.

    Examples
    --------
    >>> writeable(np.broadcast_to(1.0, 3)).flags.writeable
    True
    """
    return np.require(array, requirements=("C", "W"))
