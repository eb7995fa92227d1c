"""Economic order quantity: how much to order at once when demand is steady and certain.

Costs are currency per period, demand units per period; the purchase itself is not part of the cost, for it does not
depend on the quantity (`fullshelf.kernels.eoq_discounts` is for prices that do). Arguments are scalars or arrays over
SKUs and broadcast. A SKU without an answer gets NaN: a negative or unknown number, production slower than demand, or
order and holding cost both 0, where every quantity costs the same.

>>> lot = economic_order_quantity(order_cost=8, demand=1300, holding_cost=0.225)  # Snyder and Shen, 2nd ed., ex. 3.1
>>> float(lot.quantity.round(4)), float(lot.cost.round(4))
(304.0468, 68.4105)
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats, over_blocks
from fullshelf.kernels.compile import core, loop

__all__ = ["Lot", "cost_penalty", "economic_order_quantity", "lot_cost"]


@dataclass(frozen=True, slots=True)
class Lot:
    """A lot size and what it costs, one entry for each SKU.

    Attributes
    ----------
    quantity
        Units ordered at once; inf where holding costs nothing, 0 where ordering does or nothing is demanded.
    cost
        Order, holding and backorder cost, currency per period.
    backordered
        Share of demand that waits, 0…1.
    cycle
        Periods from order to order.
    """

    quantity: FloatArray
    cost: FloatArray
    backordered: FloatArray
    cycle: FloatArray


@core
def effective_holding_cost(demand: float, holding: float, backorder: float, production: float) -> float:
    """Return what multiplies quantity / 2 in the cost per period; NaN where an argument makes no sense."""
    if not (demand >= 0.0 and holding >= 0.0 and backorder >= 0.0 and production >= demand and demand < math.inf):
        return math.nan
    share = 1.0 if backorder == math.inf or holding == 0.0 else backorder / (backorder + holding)
    growth = 1.0 if production == math.inf or demand == 0.0 else 1.0 - demand / production
    return holding * growth * share


@core
def lot_cost_of(quantity: float, ordering: float, holding: float) -> float:
    """Return ordering / quantity + holding quantity / 2, where ordering is the order cost times demand."""
    if ordering == 0.0 and holding == 0.0:
        return 0.0
    if quantity == math.inf:
        return math.inf if holding > 0.0 else 0.0
    if quantity == 0.0:
        return math.inf if ordering > 0.0 else 0.0
    return ordering / quantity + 0.5 * holding * quantity


@loop
def _lots(
    order_cost: FloatArray,
    demand: FloatArray,
    holding: FloatArray,
    backorder: FloatArray,
    production: FloatArray,
    pack: FloatArray,
    moq: FloatArray,
    quantity: FloatArray,
    cost: FloatArray,
    backordered: FloatArray,
    cycle: FloatArray,
) -> None:
    for i in range(demand.size):
        quantity[i] = cost[i] = backordered[i] = cycle[i] = math.nan
        carry = effective_holding_cost(demand[i], holding[i], backorder[i], production[i])
        ordering = order_cost[i] * demand[i]
        size = pack[i]
        if not (carry == carry and order_cost[i] >= 0.0 and size >= 0.0 and moq[i] >= 0.0):
            continue
        waiting = 0.0 if holding[i] == 0.0 or backorder[i] == math.inf else holding[i] / (holding[i] + backorder[i])
        if demand[i] == 0.0:
            quantity[i] = cost[i] = 0.0
            backordered[i] = waiting
            cycle[i] = math.inf
            continue
        if ordering == 0.0 and carry == 0.0:
            continue
        best = math.sqrt(2.0 * ordering / carry)
        if size == 0.0 or best == math.inf:
            best = max(best, moq[i])
        else:
            least = max(np.ceil(moq[i] / size), 1.0)
            low = max(np.floor(best / size), least) * size
            high = low + size
            # The cost is convex in the quantity, so the best multiple is beside the best quantity.
            best = high if lot_cost_of(high, ordering, carry) < lot_cost_of(low, ordering, carry) else low
        quantity[i] = best
        cost[i] = lot_cost_of(best, ordering, carry)
        backordered[i] = waiting
        cycle[i] = best / demand[i]


def economic_order_quantity(
    order_cost: ArrayLike,
    demand: ArrayLike,
    holding_cost: ArrayLike,
    *,
    backorder_cost: ArrayLike = np.inf,
    production_rate: ArrayLike = np.inf,
    pack_size: ArrayLike = 0.0,
    moq: ArrayLike = 0.0,
    parallel: bool = False,
) -> Lot:
    """Return the lot size of least cost: EOQ, with planned backorders, with gradual production (EPQ), in packs.

    quantity = sqrt(2 order cost x demand / h') and cost = sqrt(2 order cost x demand x h'), where h' is the holding
    cost h, times p / (p + h) with backorders at p, times 1 - demand / production rate with gradual delivery. Harris
    1913; Snyder and Shen, Fundamentals of Supply Chain Theory, 2nd ed., equations 3.4, 3.5, 3.27 to 3.29, 3.31, 3.32.

    Parameters
    ----------
    order_cost
        Currency for each order (set-up).
    demand
        Units per period.
    holding_cost
        Currency per unit and period.
    backorder_cost
        Currency per unit waiting and period; inf: nobody waits.
    production_rate
        Units per period while a lot arrives; inf: it arrives at once. Must not be below demand.
    pack_size, moq
        The lot is a multiple of the pack (0: any quantity) and at least the MOQ; units.
    parallel
        Use all of numba's threads.

    Examples
    --------
    >>> lot = economic_order_quantity(8, 1300, 0.225, backorder_cost=5)  # Snyder and Shen, 2nd ed., example 3.8
    >>> float(lot.quantity.round(4)), float(lot.backordered.round(5)), float(lot.cost.round(4))
    (310.8126, 0.04306, 66.9214)
    >>> lot = economic_order_quantity(4, 80, 0.08, production_rate=110)  # problem 3.22
    >>> float(lot.quantity.round(3)), float(lot.cost.round(5))
    (171.27, 3.73679)
    >>> economic_order_quantity(8, 1300, 0.225, pack_size=[0, 48, 400], moq=[500, 0, 0]).quantity.tolist()
    [500.0, 288.0, 400.0]
    """
    arguments = [order_cost, demand, holding_cost, backorder_cost, production_rate, pack_size, moq]
    return Lot(*over_blocks(_lots, arguments, 4, parallel=parallel))


def lot_cost(
    quantity: ArrayLike,
    order_cost: ArrayLike,
    demand: ArrayLike,
    holding_cost: ArrayLike,
    *,
    backorder_cost: ArrayLike = np.inf,
    production_rate: ArrayLike = np.inf,
) -> FloatArray:
    """Return the cost per period of any lot size, order cost x demand / quantity + h' quantity / 2, currency.

    h' as in `economic_order_quantity`; backorders are planned as well as they can be for this quantity. NaN for a
    quantity that is not above 0.

    >>> float(lot_cost(400, 8, 1300, 0.225))
    71.0
    """
    units, setup, rate = floats(quantity), floats(order_cost), floats(demand)
    holding, backorder, production = floats(holding_cost), floats(backorder_cost), floats(production_rate)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(np.isinf(backorder) | (holding == 0.0), 1.0, backorder / (backorder + holding))
        carry = holding * share * np.where(rate > 0.0, 1.0 - rate / production, 1.0)
        valid = (units > 0.0) & (setup >= 0.0) & (rate >= 0.0) & (carry >= 0.0)
        cost: FloatArray = np.where(valid, setup * rate / units + 0.5 * carry * units, np.nan)
    return cost[()]


def cost_penalty(ratio: ArrayLike) -> FloatArray:
    """Return by which share the cost of ordering and holding rises when `ratio` times the best quantity is ordered.

    (ratio + 1 / ratio) / 2 - 1, whatever the costs (Snyder and Shen, 2nd ed., section 3.2): twice or half the best
    quantity costs a quarter more, a demand guessed 20 % too high less than half a percent. NaN unless ratio > 0.

    >>> cost_penalty([0.5, 1.0, 1.2**0.5, 2.0]).round(4).tolist()
    [0.25, 0.0, 0.0042, 0.25]
    """
    factor = floats(ratio)
    with np.errstate(invalid="ignore", divide="ignore"):
        # (ratio - 1)² / (2 ratio), which loses no digits near 1
        penalty: FloatArray = np.where(factor > 0.0, (factor - 1.0) ** 2 / (2.0 * factor), np.nan)
    return penalty[()]
