"""Whether a smallest order that lasts for many cycles pays where demand that finds nothing is lost.

`newsvendor_grid.lots_of` places a smallest order Q when it is cheaper than nothing in its own cycle, G(Q) < G(0): the
reorder point of Zheng (1992), exact where one may wait, for what is owed is served by the later order. Lost demand is
not: below an empty shelf nobody can wait any further, and the question is whether to hold the item at all. Let a run
begin with Q units and end when they are sold. With u the underage cost of a unit, D the demand of a cycle, K the order
cost and H what Q costs in its first cycle beyond none (half of it on average over the run, since stock falls to
nothing), a cycle of the run costs c = K D / Q + H / 2, and the item earns its place while c < u D.

With stock that still serves the share f of the coming cycle's demand, to order now instead of one cycle later saves
(1 - f) u D of lost sales, hastens the run's cost by (1 - f) c, and holds Q beside the stock for f of the cycle:

    order while u (E[(need - 0)+] - E[(need - Q)+]) > f H + (1 - f) (K D / Q + H / 2)

For an economic lot K D / Q = H / 2 and this is Zheng's rule; for a minimum order or a pack above it, up to twice the
size pays.

The slowest movers sell so seldom that the highest quantile of a cycle is 0, and no curve tells that a unit would pay.
Where nothing is there or on its way, what is short without an order is the mean demand D itself, and the smallest order
is placed while u D > K D / Q + H: its first unit may lie for the whole run, so nothing is halved.

What each unit that is left costs once, a price of a limit, counts in full, and goods with a shelf life stay
with the rule of their own cycle: neither is spread over a run.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.order_policies import lost_sales_underage
from fullshelf.kernels.quantile_grid import excess_at

__all__ = ["lasting_lots", "lasting_offsets"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@core
def gain_of_run(
    levels: Array, need: Array, outlast: Array, underage: float, overage: float, outlast_cost: float, x: float,
    lot: float, cycle_demand: float, order_cost: float, bare: bool,
) -> float:  # fmt: skip
    """Return what ordering `lot` now, x units being there beyond the stock, saves against one cycle later; currency."""
    short, then = excess_at(levels, need, x), excess_at(levels, need, x + lot)
    once = overage * (lot - short + then)  # E[(x + Q - need)+] - E[(x - need)+]
    held = outlast_cost * (lot - excess_at(levels, outlast, x) + excess_at(levels, outlast, x + lot))
    if bare:  # the mean says it better than a few quantiles of rare sales
        short = max(cycle_demand, then)
    served = min(max(1.0 - short / cycle_demand, 0.0), 1.0)
    run = order_cost * cycle_demand / lot + 0.5 * held
    return underage * (short - then) - once - served * held - (1.0 - served) * run


@loop
def lasting_lots(
    levels: Array, need: Array, outlast: Array, waiting: Array, outlast_cost: Array, known: Array, carry: Array,
    price: Array, order_cost: Array, cycle_demand: Array, bare: Flags, smallest: Array, trial: Array, most: Array,
    free: Array, quantity: Array,
) -> None:  # fmt: skip
    """Raise `quantity` (S,) from 0 to the smallest order where it is too large for its cycle, yet pays as a run.

    A lot below the demand of a cycle is no run. Where nothing is there and no quantile asks for a unit, `free` rises,
    too.

    Parameters
    ----------
    levels, need, outlast, waiting, outlast_cost, known, carry, price, smallest, trial, most, free, quantity
        As of `order_policies.best_orders`.
    order_cost
        (S,) currency per order.
    cycle_demand
        (S,) units expected in a cycle; 0 where the rule does not hold: backorders, shelf lives, promises.
    bare
        (S,) whether nothing is there, nor on its way.

    Examples
    --------
    A minimum of 24 units of which 0.4 sell in a cycle at a margin of 2, while a unit costs 0.04 to keep: 24 units cost
    0.96 in their first cycle, more than the 0.8 that they earn, but half of it on average.

    >>> levels, need = np.array([0.0, 0.5, 0.9, 0.98]), np.array([[0.0, 0.0, 1.0, 2.0]])
    >>> one, quantity = np.ones(1), np.zeros(1)
    >>> lot = (np.array([False]), 24 * one, 24 * one, np.inf * one, one, quantity)
    >>> lasting_lots(levels, need, need, 2 * one, 0.04 * one, one, one, 0 * one, 0 * one, 0.4 * one, *lot)
    >>> quantity.tolist()
    [24.0]
    """
    for s in range(need.shape[0]):
        D, Q = cycle_demand[s], trial[s]
        if quantity[s] > 0.0 or free[s] >= smallest[s] or most[s] < smallest[s] or not 0.0 < D < Q:
            continue
        a, o = (1.0 - carry[s]) * price[s], outlast_cost[s]
        u = lost_sales_underage(waiting[s] - price[s], a + o, known[s])
        if not 0.0 < u < math.inf:
            continue
        gain = 0.0
        if free[s] > 0.0:
            gain = gain_of_run(levels, need[s], outlast[s], u, a, o, 0.0, Q, D, order_cost[s], bare[s])
        elif bare[s]:
            gain = u * min(D, Q) - order_cost[s] * D / Q - (a + o) * Q
        if gain > 1e-12 * u * D:
            quantity[s] = smallest[s]
            free[s] = free[s] if free[s] > 0.0 else smallest[s]


@loop
def lasting_offsets(
    levels: Array, need: Array, outlast: Array, waiting: Array, outlast_cost: Array, known: Array, carry: Array,
    price: Array, order_cost: Array, cycle_demand: Array, smallest: Array, trial: Array, free: Array, offset: Array,
) -> None:  # fmt: skip
    """Raise `offset` (S,) of `order_policies.reorder_offsets` to the largest x at which `lasting_lots` still orders."""
    for s in range(need.shape[0]):
        if not free[s] > 0.0 or not 0.0 < cycle_demand[s] < trial[s]:
            continue
        a, o = (1.0 - carry[s]) * price[s], outlast_cost[s]
        u = lost_sales_underage(waiting[s] - price[s], a + o, known[s])
        if not 0.0 < u < math.inf:
            continue
        low, high = max(offset[s], free[s] - smallest[s]), free[s]
        for _ in range(24):
            x = 0.5 * (low + high)
            gain = gain_of_run(
                levels,
                need[s],
                outlast[s],
                u,
                a,
                o,
                x,
                trial[s],
                cycle_demand[s],
                order_cost[s],
                False,
            )
            if gain > 0.0:
                low = x
            else:
                high = x
        offset[s] = max(offset[s], low)
