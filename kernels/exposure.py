"""Exposure: how many ordinary periods' demand a period can show; the scale on which stock-outs and promotions meet.

A period wholly in stock has exposure 1, a stocked-out one 0: it says nothing. Sales divided by exposure estimate the
level of demand, so a stock-out is never read as low demand. A promotion that doubles demand has exposure 2.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

__all__ = ["NOTHING", "fill_exposure"]

NOTHING: NDArray[np.float32] = np.empty(0, dtype=np.float32)  # stands for factors of 1 throughout


@core
def fill_exposure(
    y: NDArray[np.float32], observed: NDArray[np.float32], factor: NDArray[np.float32], exposure: NDArray[np.float64]
) -> float:
    """Write each period's exposure and return their sum, or 0 where nothing was sold.

    Stock runs out late in a period, after the busier part, so the sales of a share s in stock are taken for those of
    the share √s of the demand. (On FreshRetailNet's hourly stock-outs days with s = 0.25, 0.5 and 0.8 sold 0.70, 0.96
    and 1.15 of a whole day: √s fits, s itself would estimate up to 2.8 times the demand.) Where nothing was ever in
    stock but something sold, sales are taken as they are.

    Parameters
    ----------
    y, observed
        (n,) units and share of the period in stock.
    factor
        (n,) expected demand relative to an ordinary period, or (0,) for 1 throughout.
    exposure
        (n,) output.
    """
    total = sold = 0.0
    for t in range(y.size):
        share = observed[t]
        exposure[t] = 1.0 if share >= 1.0 else (math.sqrt(share) if share > 0.0 else 0.0)
        total += exposure[t]
        sold += y[t]
    if sold <= 0.0:
        return 0.0
    if total == 0.0:
        exposure[:] = 1.0
        total = float(y.size)
    if factor.size:
        total = 0.0
        for t in range(y.size):
            exposure[t] *= factor[t]
            total += exposure[t]
    return total
