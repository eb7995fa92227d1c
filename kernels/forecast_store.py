"""Copying one series' forecast into the arrays of all series.

By element: numba compiles the assignment of a whole row together with the text of its error message, which takes five
seconds for each function that does it.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

__all__ = ["store_means", "store_quantiles"]


@core
def store_quantiles(one: NDArray[np.float64], all_series: NDArray[np.float32]) -> None:
    """Copy the (H, Q) float64 quantiles of one series into its (H, Q) place in float32."""
    H, Q = one.shape
    for h in range(H):
        for j in range(Q):
            all_series[h, j] = one[h, j]


@core
def store_means(one: NDArray[np.float64], all_series: NDArray[np.float32]) -> None:
    """Copy the (H,) float64 means of one series into their (H,) place in float32."""
    for h in range(one.size):
        all_series[h] = one[h]
