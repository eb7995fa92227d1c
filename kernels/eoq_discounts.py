"""Economic order quantity when the unit cost falls with the quantity: all-units and incremental discounts.

Any number of breaks, and packs and a least order. Costs are currency per period and include the purchase.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.threads import in_threads

__all__ = ["DiscountLot", "all_units_discount", "incremental_discount"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DiscountLot:
    """A lot size under discounts, one entry for each SKU.

    Attributes
    ----------
    quantity
        Units ordered at once.
    region
        Which price holds, counted from 0; -1 where there is no answer.
    cost
        Purchase, order and holding cost, currency per period.
    """

    quantity: FloatArray
    region: Ints
    cost: FloatArray


@core
def cost_in_region(quantity: float, setup: float, demand: float, rate: float, price: float, fixed: float) -> float:
    """Return the cost per period when `quantity` units cost fixed + price x quantity and stock its average price."""
    ordering = (setup + fixed) * demand / quantity if setup + fixed > 0.0 else 0.0
    return price * demand + ordering + 0.5 * rate * (fixed + price * quantity)


@loop
def _rows(
    setup: FloatArray,
    demand: FloatArray,
    rate: FloatArray,
    breaks: FloatArray,
    prices: FloatArray,
    pack: FloatArray,
    moq: FloatArray,
    quantity: FloatArray,
    region: Ints,
    cost: FloatArray,
    incremental: bool,
) -> None:
    for s in range(setup.size):
        quantity[s] = cost[s] = math.nan
        region[s] = -1
        regions = 0
        proper = setup[s] >= 0.0 and demand[s] >= 0.0 and rate[s] > 0.0 and pack[s] >= 0.0 and moq[s] >= 0.0
        proper = proper and setup[s] + demand[s] + rate[s] + pack[s] + moq[s] < math.inf and breaks[s, 0] == 0.0
        for r in range(breaks.shape[1]):
            if breaks[s, r] != breaks[s, r]:
                break
            proper = proper and 0.0 < prices[s, r] < math.inf
            if r > 0:
                proper = proper and breaks[s, r] > breaks[s, r - 1] and prices[s, r] <= prices[s, r - 1]
            regions = r + 1
        if not proper:
            continue
        if demand[s] == 0.0:
            quantity[s] = cost[s] = 0.0
            region[s] = 0
            continue
        fixed = 0.0  # what a lot costs beyond the last price times its quantity
        size = pack[s]
        for r in range(regions):
            price = prices[s, r]
            if incremental and r > 0:
                fixed += breaks[s, r] * (prices[s, r - 1] - price)
            low = max(breaks[s, r], moq[s])
            high = breaks[s, r + 1] if r + 1 < regions else math.inf
            best = math.sqrt(2.0 * (setup[s] + fixed) * demand[s] / (rate[s] * price))
            # The cost is convex within a region; of the multiples of a pack the best is beside its lowest point. The
            # upper end of a region belongs to the next one, which costs no more there.
            for step in range(2):
                candidate = max(best, low)
                if size > 0.0:
                    least = size * max(np.ceil(low / size), 1.0)
                    candidate = max(size * (np.floor(best / size) + step), least)
                if candidate >= high or (candidate == 0.0 and setup[s] + fixed > 0.0):
                    continue
                total = cost_in_region(candidate, setup[s], demand[s], rate[s], price, fixed)
                if not total >= cost[s]:
                    quantity[s] = candidate
                    region[s] = r
                    cost[s] = total


def _solve(
    order_cost: ArrayLike,
    demand: ArrayLike,
    holding_rate: ArrayLike,
    breakpoints: ArrayLike,
    unit_costs: ArrayLike,
    pack_size: ArrayLike,
    moq: ArrayLike,
    parallel: bool,
    incremental: bool,
) -> DiscountLot:
    breaks, prices = floats(breakpoints), floats(unit_costs)
    if breaks.ndim == 0 or prices.ndim == 0 or breaks.shape[-1] != prices.shape[-1] or breaks.shape[-1] == 0:
        raise ValueError(
            f"breakpoints and unit_costs must list the same regions along their last axis, "
            f"got shapes {breaks.shape} and {prices.shape}"
        )
    single = [floats(value) for value in (order_cost, demand, holding_rate, pack_size, moq)]
    shape = np.broadcast_shapes(breaks.shape[:-1], prices.shape[:-1], *(value.shape for value in single))
    regions = breaks.shape[-1]
    k, d, i, size, least = (np.array(np.broadcast_to(value, shape)).reshape(-1) for value in single)
    rows = [np.array(np.broadcast_to(table, (*shape, regions))).reshape(-1, regions) for table in (breaks, prices)]
    quantity, cost, region = np.empty(k.size), np.empty(k.size), np.empty(k.size, dtype=np.int64)
    in_threads(_rows, (k, d, i, *rows, size, least, quantity, region, cost), incremental, parallel=parallel)
    return DiscountLot(quantity.reshape(shape)[()], region.reshape(shape)[()], cost.reshape(shape)[()])


def all_units_discount(
    order_cost: ArrayLike,
    demand: ArrayLike,
    holding_rate: ArrayLike,
    breakpoints: ArrayLike,
    unit_costs: ArrayLike,
    *,
    pack_size: ArrayLike = 0.0,
    moq: ArrayLike = 0.0,
    parallel: bool = False,
) -> DiscountLot:
    """Return the lot size of least cost when the price of the region holds for all units of the order.

    cost = c_r d + K d / Q + i c_r Q / 2 for Q from breakpoint r up to the next: Snyder and Shen, Fundamentals of Supply
    Chain Theory, 2nd ed., equations 3.18 and 3.19.

    Parameters
    ----------
    order_cost
        Currency for each order.
    demand
        Units per period.
    holding_rate
        Share of the unit cost that holding a unit costs per period, above 0.
    breakpoints, unit_costs
        (..., R): where each region starts, units, the first at 0, rising; its price, currency per unit, not rising.
        SKUs with fewer regions end in NaN breakpoints.
    pack_size, moq
        The lot is a multiple of the pack (0: any quantity) and at least the MOQ; units.
    parallel
        Use all of numba's threads.

    Returns
    -------
    DiscountLot
        NaN and region -1 for a SKU whose arguments are out of range. Of two lots of equal cost the smaller.

    Raises
    ------
    ValueError
        If breakpoints and unit costs do not have the same number of regions.

    Examples
    --------
    >>> lot = all_units_discount(8, 1300, 0.3, [0, 400, 800], [0.75, 0.72, 0.68])  # Snyder and Shen, example 3.6
    >>> float(lot.quantity), int(lot.region), float(lot.cost.round(6))
    (800.0, 2, 978.6)
    """
    return _solve(order_cost, demand, holding_rate, breakpoints, unit_costs, pack_size, moq, parallel, False)


def incremental_discount(
    order_cost: ArrayLike,
    demand: ArrayLike,
    holding_rate: ArrayLike,
    breakpoints: ArrayLike,
    unit_costs: ArrayLike,
    *,
    pack_size: ArrayLike = 0.0,
    moq: ArrayLike = 0.0,
    parallel: bool = False,
) -> DiscountLot:
    """Return the lot size of least cost when each price holds for the units within its region only.

    A lot in region r costs A_r + c_r Q, A_r = sum of b_j (c_(j-1) - c_j) up to r; cost = c_r d + (K + A_r) d / Q
    + i (A_r + c_r Q) / 2: Snyder and Shen, 2nd ed., equations 3.20 to 3.22. Arguments and errors as of
    `all_units_discount`.

    >>> lot = incremental_discount(8, 600, 0.2, [0, 500, 1000], [0.30, 0.29, 0.28])  # Nahmias, example 4.5
    >>> float(lot.quantity.round(3)), int(lot.region), float(lot.cost.round(3))
    (400.0, 0, 204.0)
    """
    return _solve(order_cost, demand, holding_rate, breakpoints, unit_costs, pack_size, moq, parallel, True)
