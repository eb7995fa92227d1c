"""Sorting small arrays inside a kernel, without numpy's sort, which takes two seconds to compile in each function."""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

__all__ = ["sort_together"]


@core
def sort_together(values: NDArray[np.float64], partners: NDArray[np.float64]) -> None:
    """Sort values in place, each with its partner; Shell's sort with Ciura's gaps, made for a few hundred values.

    Examples
    --------
    >>> import numpy as np
    >>> values, partners = np.array([3.0, 1.0, 2.0]), np.array([30.0, 10.0, 20.0])
    >>> sort_together(values, partners)
    >>> values.tolist(), partners.tolist()
    ([1.0, 2.0, 3.0], [10.0, 20.0, 30.0])
    """
    for gap in (701, 301, 132, 57, 23, 10, 4, 1):
        for i in range(gap, values.size):
            value, partner = values[i], partners[i]
            j = i
            while j >= gap and values[j - gap] > value:
                values[j] = values[j - gap]
                partners[j] = partners[j - gap]
                j -= gap
            values[j] = value
            partners[j] = partner
