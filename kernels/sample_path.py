"""One path of demand for each SKU that has its distribution, to find levels for policies that have no formula.

The path of T periods holds every (i + 1/2) / T quantile of demand once, in one order drawn for all SKUs, so its mean
and its tail are the distribution's, and a SKU's path does not depend on its neighbours.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.compile import core
from fullshelf.kernels.demand_table import tabulate
from fullshelf.kernels.distributions import Demand

__all__ = ["common_shape", "fill_path", "flattened", "length", "path_order", "tables_by_chunk"]

Array = NDArray[np.float64]

_CHUNK = 4096  # SKUs whose tables of probabilities are in memory at once
_TAIL = 1e-9
_SEED = 20080


def path_order(periods: int) -> NDArray[np.int64]:
    """Return the place on the path of each quantile, (periods,).

    Raises
    ------
    ValueError
        If there are fewer than 16 periods.
    """
    if periods < 16:
        raise ValueError(f"a sample path needs at least 16 periods, got {periods}")
    return np.random.Generator(np.random.PCG64(_SEED)).permutation(periods)


def common_shape(*values: ArrayLike) -> tuple[int, ...]:
    """Return the shape to which the values broadcast.

    Raises
    ------
    ValueError
        If they do not.
    """
    shapes = [np.shape(value) for value in values]
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        found = ", ".join(map(str, shapes))
        raise ValueError(f"the arguments have shapes {found}, which do not broadcast") from None


def flattened(value: ArrayLike, shape: tuple[int, ...]) -> Array:
    """Return the value for each SKU of a shape, in one row."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), shape).reshape(-1)


def tables_by_chunk(demand: Demand, shape: tuple[int, ...]) -> Iterator[tuple[slice, Array]]:
    """Yield chunks of SKUs and their tables of probabilities (n, K), as wide as the fastest mover of the chunk needs.

    Raises
    ------
    ValueError
        If a SKU has no demand distribution, as `tabulate`.
    """
    a, b = flattened(demand.a, shape), flattened(demand.b, shape)
    for start in range(0, a.size, _CHUNK):
        part = slice(start, min(start + _CHUNK, a.size))
        yield part, tabulate(Demand(demand.family, a[part], b[part]), _TAIL)


@core
def length(table: Array) -> int:
    """Return how many entries of a SKU's table are not 0 at its end."""
    n = table.size
    while n > 1 and table[n - 1] == 0.0:
        n -= 1
    return n


@core
def fill_path(table: Array, shuffled: NDArray[np.int64], path: Array) -> tuple[float, float]:
    """Write a SKU's path (T,) and return its mean and standard deviation."""
    T = shuffled.size
    last = length(table) - 1
    k = 0
    below = table[0]
    mean = 0.0
    square = 0.0
    for i in range(T):
        while below < (i + 0.5) / T and k < last:
            k += 1
            below += table[k]
        path[shuffled[i]] = k
        mean += k / T
        square += k * k / T
    return mean, np.sqrt(max(square - mean * mean, 0.0))
