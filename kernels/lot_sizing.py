"""Dynamic lot sizing: which periods to order in when demand is known and changes (Wagner and Whitin 1958).

It knows no lead time, capacity, pack or minimum order, and no uncertainty: shift the demand by the lead time, and use
`reorder_quantity` or `min_max` where demand is random.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.threads import in_threads, writeable

__all__ = ["LotSizes", "wagner_whitin"]


@dataclass(frozen=True, slots=True)
class LotSizes:
    """The cheapest plan of each SKU."""

    orders: NDArray[np.float64]  # (S, T) or (T,) units ordered at the start of each period, there to serve it
    cost: NDArray[np.float64]  # (S,) or scalar, currency over all periods: ordering, buying and holding


def wagner_whitin(
    demand: ArrayLike,
    order_cost: ArrayLike,
    holding_cost: ArrayLike,
    unit_cost: ArrayLike = 0.0,
    *,
    parallel: bool = False,
) -> LotSizes:
    """Return the orders of least total cost that meet known demand on time.

    Minimises ``sum_t [K_t (q_t > 0) + c_t q_t + h_t I_t]`` where ``I_t`` is what is left at the end of period t, by
    the recursion of Wagner and Whitin (1958) in the O(T log T) form of Wagelmans, van Hoesel and Kolen (1992): the best
    next order of a period is found on the lower convex envelope of (demand from there on, cost from there on).

    Parameters
    ----------
    demand
        (S, T), or (T,) for one SKU: units per period, 0 or more.
    order_cost, holding_cost, unit_cost
        Currency per order, per unit held at the end of a period, per unit bought; each a scalar, (T,), (S, 1) or
        (S, T). They may differ between periods and be 0 or more; unit costs may be negative.
    parallel
        Use all of numba's threads instead of one.

    Returns
    -------
    LotSizes
        A period without demand has no order unless buying ahead there is cheapest. Of plans of the same cost, the one
        whose next order lies latest. A SKU with a NaN, an infinite value or a negative demand, order or holding cost
        has no plan: NaN.

    Raises
    ------
    ValueError
        If demand has no period or more than two axes, or a cost does not broadcast to it.

    Examples
    --------
    Snyder and Shen, Fundamentals of Supply Chain Theory, Example 3.9:

    >>> plan = wagner_whitin([90, 120, 80, 70], order_cost=500, holding_cost=2)
    >>> plan.orders.tolist(), float(plan.cost)
    ([210.0, 0.0, 150.0, 0.0], 1380.0)
    """
    units = np.asarray(demand, dtype=np.float64)
    if units.ndim not in (1, 2) or units.shape[-1] == 0:
        raise ValueError(f"demand must be (S, T) or (T,) with at least one period, got shape {units.shape}")
    table = np.atleast_2d(units)
    costs = []
    for name, value in (("order_cost", order_cost), ("holding_cost", holding_cost), ("unit_cost", unit_cost)):
        array = np.asarray(value, dtype=np.float64)
        try:
            costs.append(np.broadcast_to(array, table.shape))
        except ValueError:
            raise ValueError(
                f"{name} must broadcast to demand {table.shape}: a scalar, (T,), (S, 1) or (S, T), got {array.shape}"
            ) from None
    orders = np.empty(table.shape)
    cost = np.empty(table.shape[0])
    flat = [writeable(array) for array in (table, *costs)]
    in_threads(_all, (*flat, orders, cost), parallel=parallel)
    return LotSizes(orders.reshape(units.shape), cost.reshape(units.shape[:-1])[()])


@core
def _one(
    demand: NDArray[np.float64],
    order_cost: NDArray[np.float64],
    holding_cost: NDArray[np.float64],
    unit_cost: NDArray[np.float64],
    orders: NDArray[np.float64],
) -> float:
    """Write the orders (T,) and return their cost.

    Buying for period i in period t costs ``c_t + h_t + … + h_{i-1} = m_t - (h_i + … + h_T)`` a unit with ``m_t = c_t +
    h_t + … + h_T``; the second part is the same in every plan. With D_t the demand of t … T, the cost from t on is
    ``G_t = K_t + min over s > t of m_t (D_t - D_s) + G_s``.
    """
    T = demand.size
    for t in range(T):
        # Also false for NaN.
        if not (0 <= demand[t] < np.inf and 0 <= order_cost[t] < np.inf and 0 <= holding_cost[t] < np.inf):
            orders[:] = np.nan
            return np.nan
        if not abs(unit_cost[t]) < np.inf:
            orders[:] = np.nan
            return np.nan
    later = np.zeros(T + 1)  # D
    go = np.zeros(T + 1)  # G
    chosen = np.full(T + 1, T)  # the next period with an order, when t has one; -t - 1 when t has none
    hull = np.empty(T + 1, dtype=np.int64)  # periods on the lower envelope, D rising
    hull[0] = T
    size = 1
    held = 0.0
    for t in range(T - 1, -1, -1):
        held += holding_cost[t]
        slope = unit_cost[t] + held
        later[t] = later[t + 1] + demand[t]
        # The steepest edge of the envelope that is below `slope` ends at the best s: edges get steeper with D.
        low, high = 0, size - 1
        while low < high:
            middle = (low + high) // 2
            a, b = hull[middle], hull[middle + 1]
            if go[b] - go[a] < slope * (later[b] - later[a]):
                low = middle + 1
            else:
                high = middle
        s = hull[low]
        cost = slope * (later[t] - later[s]) + go[s]
        if later[t] > later[s]:
            cost += order_cost[t]
        if demand[t] == 0 and go[t + 1] <= cost:
            cost = go[t + 1]
            chosen[t] = -(t + 1) - 1
        else:
            chosen[t] = s
        go[t] = cost
        # Put (D_t, G_t) on the envelope; it is the rightmost point.
        while size > 0:
            b = hull[size - 1]
            if later[t] == later[b]:
                if go[t] > go[b]:
                    break
                size -= 1
                continue
            if size == 1:
                break
            a = hull[size - 2]
            if (go[b] - go[a]) * (later[t] - later[b]) < (go[t] - go[b]) * (later[b] - later[a]):
                break
            size -= 1
        if size == 0 or later[t] > later[hull[size - 1]]:
            hull[size] = t
            size += 1
    # Walk the plan; its cost is summed anew, for m_t carries the holding cost of the whole horizon.
    orders[:] = 0.0
    t = 0
    while t < T:
        if chosen[t] < 0:
            t = -chosen[t] - 1
            continue
        s = chosen[t]
        quantity = 0.0
        for i in range(t, s):
            quantity += demand[i]
        orders[t] = quantity
        t = s
    total = 0.0
    stock = 0.0
    for t in range(T):
        stock += orders[t] - demand[t]
        if orders[t] > 0:
            total += order_cost[t] + unit_cost[t] * orders[t]
        total += holding_cost[t] * max(stock, 0.0)
    return total


@loop
def _all(
    demand: NDArray[np.float64],
    order_cost: NDArray[np.float64],
    holding_cost: NDArray[np.float64],
    unit_cost: NDArray[np.float64],
    orders: NDArray[np.float64],
    cost: NDArray[np.float64],
) -> None:
    for i in range(demand.shape[0]):
        cost[i] = _one(demand[i], order_cost[i], holding_cost[i], unit_cost[i], orders[i])
