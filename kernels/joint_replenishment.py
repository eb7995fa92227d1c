"""Joint replenishment: items that share the cost of an order, each ordered in every m-th of a common cycle.

cost per period = K / T + sum over items of k / (m T) + h d m T / 2, with K the cost that every order shares, k the cost
of adding an item to it, h the item's holding cost per unit and period, d its demand per period, T the cycle.

An item that comes in packs is ordered in the fewest packs that last until its next order. Its orders change between two
sizes then, and what is left over when the next comes is on average pack (1 - 1 / b) / 2, where d m T / pack = a / b in
lowest terms: half a pack as a rule, nothing where packs fit. All orders of an item reach its MOQ, rounded up to packs,
where d m T does (Porras and Dekker 2006, An efficient optimal solution method for the joint replenishment problem with
minimum order quantities).
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
        (..., N) units of each item in an order that it is part of; in packs the larger of the two sizes.
    cost
        (...) currency per period.
    """

    cycle: FloatArray
    multiples: FloatArray
    quantities: FloatArray
    cost: FloatArray


@core
def cycle_and_cost(
    shared: float, single: FloatArray, carry: FloatArray, shortest: FloatArray, multiples: FloatArray
) -> tuple[float, float]:
    """Return the best cycle for given multiples and its cost per period, leftovers of packs apart.

    carry = holding cost x demand; an item's cycle m T must not be below `shortest`.
    """
    setup = shared
    weight = 0.0
    least = 0.0
    for n in range(single.size):
        if multiples[n] > 0.0:
            setup += single[n] / multiples[n]
            weight += carry[n] * multiples[n]
            least = max(least, shortest[n] / multiples[n])
    cycle = math.sqrt(2.0 * setup / weight)
    if cycle >= least:
        return cycle, math.sqrt(2.0 * setup * weight)
    return least, setup / least + 0.5 * weight * least


@core
def leftover_of_packs(quantity: float, pack: float) -> float:
    """Return what is left on average when the next order comes, of orders of whole packs that average `quantity`."""
    if pack == 0.0:
        return 0.0
    packs = quantity / pack
    for b in range(1, 33):
        if abs(packs * b - np.floor(packs * b + 0.5)) < 1e-9 * packs * b:
            return 0.5 * pack * (1.0 - 1.0 / b)
    return 0.5 * pack


@core
def with_packs(
    shared: float,
    single: FloatArray,
    holding: FloatArray,
    demand: FloatArray,
    pack: FloatArray,
    shortest: FloatArray,
    multiples: FloatArray,
    cycle: float,
) -> tuple[float, float]:
    """Return the better of a cycle and those beside it at which an item's packs fit, and its whole cost per period."""
    chosen = cycle
    least = math.inf
    for trial in range(2 * pack.size + 1):
        n = (trial - 1) // 2
        tried = cycle
        if trial > 0:
            if not (multiples[n] > 0.0 and pack[n] > 0.0):
                continue
            packs = np.floor(demand[n] * multiples[n] * cycle / pack[n]) + (trial % 2)
            tried = packs * pack[n] / (demand[n] * multiples[n])
        cost = shared / tried if tried > 0.0 else math.inf
        for i in range(pack.size):
            if multiples[i] > 0.0:
                length = multiples[i] * tried
                if length < shortest[i] * (1.0 - 1e-12):
                    cost = math.inf
                    break
                left = leftover_of_packs(demand[i] * length, pack[i])
                cost += single[i] / length + holding[i] * (0.5 * demand[i] * length + left)
        if cost < least:
            least = cost
            chosen = tried
    return chosen, least


@core
def best_cycle(
    shared: float,
    single: FloatArray,
    holding: FloatArray,
    demand: FloatArray,
    carry: FloatArray,
    pack: FloatArray,
    shortest: FloatArray,
    multiples: FloatArray,
) -> tuple[float, float]:
    """Return a cycle for given multiples, the best where nothing comes in packs, and its cost per period."""
    cycle, cost = cycle_and_cost(shared, single, carry, shortest, multiples)
    packed = False
    for n in range(pack.size):
        packed = packed or pack[n] > 0.0
    if packed:
        return with_packs(shared, single, holding, demand, pack, shortest, multiples, cycle)
    return cycle, cost


@core
def silver(shared: float, single: FloatArray, carry: FloatArray, shortest: FloatArray, multiples: FloatArray) -> None:
    """Fill the multiples by Silver's rule: the item that is cheapest to order in relation leads with m = 1.

    Items whose least order lasts longer than that get the multiple that it needs.
    """
    lead = -1
    for n in range(single.size):
        if carry[n] > 0.0 and (lead < 0 or single[n] / carry[n] < single[lead] / carry[lead]):
            lead = n
    bound = False
    for n in range(single.size):
        multiples[n] = 0.0
        if carry[n] > 0.0:
            ratio = single[n] / carry[n] * (carry[lead] / (shared + single[lead]))
            multiples[n] = 1.0 if n == lead else max(np.floor(math.sqrt(ratio) + 0.5), 1.0)
            bound = bound or shortest[n] > 0.0
    if bound:
        cycle = math.sqrt(2.0 * (shared + single[lead]) / carry[lead])
        for n in range(single.size):
            if multiples[n] > 0.0:
                multiples[n] = max(multiples[n], np.ceil(shortest[n] / cycle * (1.0 - 1e-12)))


@core
def exact(
    shared: float,
    single: FloatArray,
    holding: FloatArray,
    demand: FloatArray,
    carry: FloatArray,
    pack: FloatArray,
    shortest: FloatArray,
    multiples: FloatArray,
) -> None:
    """Improve the multiples to the best there are, by shortening the cycle from where all of them are 1.

    For a cycle T item n is best at the smallest m with m (m + 1) >= 2 k / (h d T²) and m T >= shortest, so its multiple
    rises as T passes sqrt(2 k / (h d m (m + 1))) or shortest / m. Each set of multiples on the way is tried with its
    own best cycle; no shorter cycle can win once K / T + sum of the items' own least costs reaches the best cost found.
    """
    best = multiples.copy()
    least = best_cycle(shared, single, holding, demand, carry, pack, shortest, multiples)[1]
    alone = 0.0
    for n in range(single.size):
        multiples[n] = 1.0 if carry[n] > 0.0 else 0.0
        if carry[n] > 0.0:
            own = max(math.sqrt(2.0 * single[n] / carry[n]), shortest[n])
            alone += single[n] / own + 0.5 * carry[n] * own if own > 0.0 else 0.0
    while True:
        cost = best_cycle(shared, single, holding, demand, carry, pack, shortest, multiples)[1]
        if cost < least:
            least = cost
            for n in range(single.size):
                best[n] = multiples[n]
        cycle = 0.0
        rising = -1
        for n in range(single.size):
            if carry[n] > 0.0:
                limit = math.sqrt(2.0 * single[n] / (carry[n] * multiples[n] * (multiples[n] + 1.0)))
                limit = max(limit, shortest[n] / multiples[n])
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
    pack: FloatArray,
    moq: FloatArray,
    cycle: FloatArray,
    multiples: FloatArray,
    cost: FloatArray,
    optimal: bool,
) -> None:
    carry, shortest = np.empty(single.shape[1]), np.empty(single.shape[1])
    for f in range(shared.size):
        proper = shared[f] > 0.0 and shared[f] < math.inf
        wanted = 0
        for n in range(carry.size):
            absent = single[f, n] != single[f, n] and holding[f, n] != holding[f, n] and demand[f, n] != demand[f, n]
            carry[n] = shortest[n] = 0.0
            if not absent:
                proper = proper and 0.0 <= pack[f, n] < math.inf and 0.0 <= moq[f, n] < math.inf
                packed = pack[f, n] > 0.0
                packs = max(np.ceil(moq[f, n] / pack[f, n] - 1e-9), 1.0) if packed else 0.0
                least = packs * pack[f, n] if packed else moq[f, n]
                shortest[n] = least / demand[f, n] if demand[f, n] > 0.0 else 0.0
                carry[n] = holding[f, n] * demand[f, n]
                proper = proper and single[f, n] >= 0.0 and holding[f, n] >= 0.0 and demand[f, n] >= 0.0
                proper = proper and single[f, n] + carry[n] < math.inf and (holding[f, n] > 0.0 or demand[f, n] == 0.0)
            wanted += carry[n] > 0.0
        if not proper or wanted == 0:
            cycle[f] = cost[f] = math.nan
            for n in range(carry.size):
                multiples[f, n] = math.nan
            continue
        silver(shared[f], single[f], carry, shortest, multiples[f])
        if optimal:
            exact(shared[f], single[f], holding[f], demand[f], carry, pack[f], shortest, multiples[f])
        cycle[f], cost[f] = best_cycle(
            shared[f], single[f], holding[f], demand[f], carry, pack[f], shortest, multiples[f]
        )


def joint_replenishment(
    shared_order_cost: ArrayLike,
    order_costs: ArrayLike,
    holding_costs: ArrayLike,
    demand: ArrayLike,
    *,
    pack_size: ArrayLike = 0.0,
    moq: ArrayLike = 0.0,
    optimal: bool = False,
    parallel: bool = False,
) -> JointOrders:
    """Return a common cycle and how often each item is part of its order, each in whole packs and from a least order.

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
    pack_size, moq
        (..., N) or scalars: orders of an item are multiples of its pack (0: any quantity) and at least its MOQ; units.
    optimal
        False: Silver's (1976) rule, as in Silver, Pyke and Peterson (1998), section 11.2. True: the best of all cyclic
        policies, by a search over the cycle (after Goyal 1974). With packs the cycles tried for each set of multiples
        are the best without them and those beside it at which the packs of an item fit.
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
    >>> orders = joint_replenishment(600, [120, 840, 300], [160, 20, 50], [1, 1, 1], pack_size=[2, 0, 0], moq=[0, 0, 5])
    >>> float(orders.cycle.round(4)), orders.quantities.tolist(), float(orders.cost.round(4))
    (4.0, [4.0, 12.0, 8.0], 927.5)
    """
    tables = [floats(table) for table in (order_costs, holding_costs, demand, pack_size, moq)]
    shared = floats(shared_order_cost)
    items = np.broadcast_shapes(*(table.shape for table in tables))
    if len(items) == 0:
        raise ValueError("order_costs, holding_costs and demand are all single numbers: give one entry for each item")
    shape = np.broadcast_shapes(items[:-1], shared.shape)
    rows = [np.array(np.broadcast_to(table, (*shape, items[-1]))).reshape(-1, items[-1]) for table in tables]
    setup = np.array(np.broadcast_to(shared, shape)).reshape(-1)
    cycle, cost, multiples = np.empty(setup.size), np.empty(setup.size), np.empty((setup.size, items[-1]))
    in_threads(_families, (setup, *rows, cycle, multiples, cost), optimal, parallel=parallel)
    with np.errstate(invalid="ignore", divide="ignore"):
        units = np.where(multiples > 0.0, cycle[:, None] * multiples * rows[2], np.where(multiples == 0.0, 0.0, np.nan))
        packs = np.ceil(units / rows[3] * (1.0 - 1e-9))
        quantities = np.where((rows[3] > 0.0) & (multiples > 0.0), packs * rows[3], units)
    return JointOrders(
        cycle.reshape(shape)[()],
        multiples.reshape((*shape, items[-1])),
        quantities.reshape((*shape, items[-1])),
        cost.reshape(shape)[()],
    )
