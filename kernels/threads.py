"""A compiled loop over rows, run on slices of its arrays in several threads.

A loop that releases the GIL needs no `parallel=True` to use all cores. Measured beside it on lot sizing: the same rate,
1.3 s less to compile for each loop, and it may be called from several threads at once, which ends the process under
numba's default threading layer ("concurrent access has been detected").
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["in_threads", "workers", "writeable"]

_LEAST_ROWS = 32  # of a slice: handing it over costs some 0.02 ms


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
    threads = numba.get_num_threads() if parallel else 1
    slices = min(rows // _LEAST_ROWS, 4 * threads) if threads > 1 else 1  # more than threads: rows differ in work
    if slices < 2:
        run(*by_row, *shared)
        return
    edges = [rows * i // slices for i in range(slices + 1)]
    slices_of = [[array[start:stop] for array in by_row] for start, stop in pairwise(edges)]
    for task in [workers(threads).submit(run, *cut, *shared) for cut in slices_of]:
        task.result()


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
