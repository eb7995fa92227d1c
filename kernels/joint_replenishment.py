"""Joint replenishment: items that share the cost of an order, each ordered in every m-th of a common cycle.

cost per period = K / T + sum over items of k / (m T) + h d m T / 2, with K the cost that every order shares, k the cost
of adding an item to it, h the item's holding cost per unit and period, d its demand per period, T the cycle.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.threads import in_threads

__all__ = ["JointOrders", "joint_replenishment"]


@dataclass(frozen=True, slots=True)
class JointOrders:
    """When a family of items is ordered, for one family or an array of them.

    Attributes
    ----------
    cycle
        (...) periods between two orders.
    multiples
        (..., N): each item is part of every m-th order; 0 for an item that nobody demands.
    quantities
        (..., N) units of each item in an order that it is part of.
    cost
        (...) currency per period.
    """

    cycle: FloatArray
    multiples: FloatArray
    quantities: FloatArray
    cost: FloatArray


@core
def cycle_and_cost(shared: float, single: FloatArray, carry: FloatArray, multiples: FloatArray) -> tuple[float, float]:
    """Return the best cycle for given multiples and its cost per period; carry = holding cost x demand."""
    setup = shared
    weight = 0.0
    for n in range(single.size):
        if multiples[n] > 0.0:
            setup += single[n] / multiples[n]
            weight += carry[n] * multiples[n]
    return math.sqrt(2.0 * setup / weight), math.sqrt(2.0 * setup * weight)


@core
def silver(shared: float, single: FloatArray, carry: FloatArray, multiples: FloatArray) -> None:
    """Fill the multiples by Silver's rule: the item that is cheapest to order in relation leads with m = 1."""
    lead = -1
    for n in range(single.size):
        if carry[n] > 0.0 and (lead < 0 or single[n] / carry[n] < single[lead] / carry[lead]):
            lead = n
    for n in range(single.size):
        multiples[n] = 0.0
        if carry[n] > 0.0:
            ratio = single[n] / carry[n] * (carry[lead] / (shared + single[lead]))
            multiples[n] = 1.0 if n == lead else max(np.floor(math.sqrt(ratio) + 0.5), 1.0)


@core
def exact(shared: float, single: FloatArray, carry: FloatArray, multiples: FloatArray) -> None:
    """Improve the multiples to the best there are, by shortening the cycle from where all of them are 1.

    For a cycle T item n is best at the smallest m with m (m + 1) >= 2 k / (h d T²), so its multiple rises as T passes
    sqrt(2 k / (h d m (m + 1))). Each set of multiples on the way is tried with its own best cycle; no shorter cycle can
    win once K / T + sum of the items' own least costs reaches the best cost found.
    """
    best = multiples.copy()
    least = cycle_and_cost(shared, single, carry, multiples)[1]
    alone = 0.0
    for n in range(single.size):
        multiples[n] = 1.0 if carry[n] > 0.0 else 0.0
        alone += math.sqrt(2.0 * single[n] * carry[n]) if carry[n] > 0.0 else 0.0
    while True:
        cost = cycle_and_cost(shared, single, carry, multiples)[1]
        if cost < least:
            least = cost
            for n in range(single.size):
                best[n] = multiples[n]
        cycle = 0.0
        rising = -1
        for n in range(single.size):
            if carry[n] > 0.0:
                limit = math.sqrt(2.0 * single[n] / (carry[n] * multiples[n] * (multiples[n] + 1.0)))
                if limit > cycle:
                    cycle = limit
                    rising = n
        if rising < 0 or shared / cycle + alone >= least:
            break
        multiples[rising] += 1.0
    for n in range(single.size):
        multiples[n] = best[n]


@loop
def _families(
    shared: FloatArray,
    single: FloatArray,
    holding: FloatArray,
    demand: FloatArray,
    cycle: FloatArray,
    multiples: FloatArray,
    cost: FloatArray,
    optimal: bool,
) -> None:
    carry = np.empty(single.shape[1])
    for f in range(shared.size):
        proper = shared[f] > 0.0 and shared[f] < math.inf
        wanted = 0
        for n in range(carry.size):
            absent = single[f, n] != single[f, n] and holding[f, n] != holding[f, n] and demand[f, n] != demand[f, n]
            carry[n] = 0.0
            if not absent:
                carry[n] = holding[f, n] * demand[f, n]
                proper = proper and single[f, n] >= 0.0 and holding[f, n] >= 0.0 and demand[f, n] >= 0.0
                proper = proper and single[f, n] + carry[n] < math.inf and (holding[f, n] > 0.0 or demand[f, n] == 0.0)
            wanted += carry[n] > 0.0
        if not proper or wanted == 0:
            cycle[f] = cost[f] = math.nan
            for n in range(carry.size):
                multiples[f, n] = math.nan
            continue
        silver(shared[f], single[f], carry, multiples[f])
        if optimal:
            exact(shared[f], single[f], carry, multiples[f])
        cycle[f], cost[f] = cycle_and_cost(shared[f], single[f], carry, multiples[f])


def joint_replenishment(
    shared_order_cost: ArrayLike,
    order_costs: ArrayLike,
    holding_costs: ArrayLike,
    demand: ArrayLike,
    *,
    optimal: bool = False,
    parallel: bool = False,
) -> JointOrders:
    """Return a common cycle and how often each item is part of its order.

    Parameters
    ----------
    shared_order_cost
        (...) currency for each order, whatever is in it; above 0, for without it nothing is joint.
    order_costs
        (..., N) currency for each item in an order.
    holding_costs
        (..., N) currency per unit and period.
    demand
        (..., N) units per period. Families of fewer items are filled up with NaN in all three; an item without demand
        is never ordered.
    optimal
        False: Silver's (1976) rule, as in Silver, Pyke and Peterson (1998), section 11.2. True: the best of all cyclic
        policies, by a search over the cycle (after Goyal 1974).
    parallel
        Use all of numba's threads, for many families.

    Returns
    -------
    JointOrders
        NaN for a family with a negative or unknown number, an item that is demanded but costs nothing to hold, or no
        demand at all.

    Examples
    --------
    >>> orders = joint_replenishment(600, [120, 840, 300], [160, 20, 50], [1, 1, 1])
    >>> float(orders.cycle.round(4)), orders.multiples.tolist(), float(orders.cost.round(4))
    (3.1032, [1.0, 3.0, 1.0], 837.8544)
    """
    tables = [floats(table) for table in (order_costs, holding_costs, demand)]
    shared = floats(shared_order_cost)
    items = np.broadcast_shapes(*(table.shape for table in tables))
    if len(items) == 0:
        raise ValueError("order_costs, holding_costs and demand are all single numbers: give one entry for each item")
    shape = np.broadcast_shapes(items[:-1], shared.shape)
    rows = [np.array(np.broadcast_to(table, (*shape, items[-1]))).reshape(-1, items[-1]) for table in tables]
    setup = np.array(np.broadcast_to(shared, shape)).reshape(-1)
    cycle, cost, multiples = np.empty(setup.size), np.empty(setup.size), np.empty((setup.size, items[-1]))
    in_threads(_families, (setup, *rows, cycle, multiples, cost), optimal, parallel=parallel)
    with np.errstate(invalid="ignore"):
        quantities = np.where(
            multiples > 0.0, cycle[:, None] * multiples * rows[2], np.where(multiples == 0.0, 0.0, np.nan)
        )
    return JointOrders(
        cycle.reshape(shape)[()],
        multiples.reshape((*shape, items[-1])),
        quantities.reshape((*shape, items[-1])),
        cost.reshape(shape)[()],
    )
