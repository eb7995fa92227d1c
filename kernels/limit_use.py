"""What the orders of S series claim of many limits, of which each series uses few: one of each of G groups or none.

J limits; index J stands for none. All sums are whole numbers, see `fullshelf.kernels.allocation`.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.allocation import PARTS
from fullshelf.kernels.compile import loop

__all__ = ["add_use", "unit_prices"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Limits = NDArray[np.int32]

MASK = np.int64(0xFFFFFFFF)


@loop
def unit_prices(limit: Limits, claim: Array, prices: Array, rows: Ints, out: Array) -> None:
    """Write what a unit of the series `rows` (n,) pays for what it claims, added up in the order of the groups.

    Parameters
    ----------
    limit, claim
        (S, G) limits and units of the resource per unit ordered.
    prices
        (J + 1,) currency per unit of the resource; the last is 0.
    out
        (n,) currency per unit ordered.

    Examples
    --------
    >>> out = np.empty(1)
    >>> unit_prices(np.int32([[0, 2]]), np.array([[5.0, 0.0]]), np.array([0.1, 3.0, 0.0]), np.array([0]), out)
    >>> out.tolist()
    [0.5]
    """
    for n in range(rows.size):
        s = rows[n]
        total = 0.0
        for g in range(limit.shape[1]):
            total += prices[limit[s, g]] * claim[s, g]
        out[n] = total


@loop
def add_use(
    limit: Limits, claim: Array, amount: Array, rows: Ints, quantity: Array, group: int, high: Ints, low: Ints
) -> None:
    """Add the parts that orders use to `high` and `low` (J + 1,): their sums shifted by 32 bits and the rest.

    Parameters
    ----------
    limit, claim
        (S, G) as of `unit_prices`.
    amount
        (J + 1,) of the limits; 0 where there is nothing.
    rows, quantity
        (n,) series and their orders, units.
    group
        The one to count, -1 for all.

    Examples
    --------
    >>> high, low = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    >>> row, amount = np.array([0]), np.array([20.0, 1.0])
    >>> add_use(np.int32([[0]]), np.array([[5.0]]), amount, row, np.array([2.0]), -1, high, low)
    >>> (int(high[0]) << 32) + int(low[0]) == PARTS // 2
    True
    """
    first, last = (0, limit.shape[1]) if group < 0 else (group, group + 1)
    for n in range(rows.size):
        s = rows[n]
        for g in range(first, last):
            j = limit[s, g]
            use = claim[s, g] * quantity[n]
            if use > 0.0:
                share = use / amount[j] if amount[j] > 0.0 else use
                parts = np.int64(np.rint(min(share, 4.0) * PARTS))
                high[j] += parts >> 32
                low[j] += parts & MASK
