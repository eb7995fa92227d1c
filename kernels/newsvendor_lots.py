"""The newsvendor who has stock already, pays for each order, and can order whole packs only, from a least quantity on.

The expected cost G(y) of a stock y is convex, so what is best among the allowed orders lies beside the unconstrained
optimum or at the end of the allowed range; ordering nothing is compared as well.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.allowed_lots import lots_beside
from fullshelf.kernels.blocks import FloatArray
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.critical_fractile import mismatch_cost
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.empirical_demand import EmpiricalDemand
from fullshelf.kernels.empirical_lots import empirical_levels, empirical_lots
from fullshelf.kernels.families import NEGATIVE_BINOMIAL, POISSON, losses, mean_of, optimum, tails

__all__ = ["LotOrder", "OrderLevels", "lot_order", "order_levels"]


@dataclass(frozen=True, slots=True)
class LotOrder:
    """What to order now, one entry for each SKU.

    Attributes
    ----------
    order_quantity
        Units: 0, or at least the MOQ and a multiple of the pack.
    cost
        Expected underage and overage cost after it, and the order cost where something is ordered; currency.
    saving
        What the order is expected to save against ordering nothing, currency.
    expected_shortage, expected_leftover
        After the order, units.
    """

    order_quantity: FloatArray
    cost: FloatArray
    saving: FloatArray
    expected_shortage: FloatArray
    expected_leftover: FloatArray


@dataclass(frozen=True, slots=True)
class OrderLevels:
    """The best (s, S) rule of one period: below the reorder point order up to the level, else nothing."""

    reorder_point: FloatArray
    order_up_to: FloatArray


@core
def expected_cost(family: int, a: float, b: float, stock: float, under: float, over: float) -> float:
    """Return under E[(X - stock)+] + over E[(stock - X)+]."""
    short, left = losses(family, a, b, stock)
    return mismatch_cost(under, over, short, left)


@loop
def _lots(
    family: int,
    a: FloatArray,
    b: FloatArray,
    under: FloatArray,
    over: FloatArray,
    position: FloatArray,
    order_cost: FloatArray,
    pack: FloatArray,
    moq: FloatArray,
    max_stock: FloatArray,
    order: FloatArray,
    cost: FloatArray,
    saving: FloatArray,
    shortage: FloatArray,
    leftover: FloatArray,
) -> None:
    for i in range(a.size):
        cu, co, stock, size = under[i], over[i], position[i], pack[i]
        order[i] = cost[i] = saving[i] = shortage[i] = leftover[i] = math.nan
        if not (min(cu, co) >= 0.0 and cu + co > 0.0 and order_cost[i] >= 0.0 and size >= 0.0 and moq[i] >= 0.0):
            continue
        wanted = optimum(family, a[i], b[i], cu / (cu + co), co / (cu + co))[0] - stock
        short, left = losses(family, a[i], b[i], stock)
        nothing = mismatch_cost(cu, co, short, left)
        if not (wanted == wanted and nothing == nothing and max_stock[i] == max_stock[i]):
            continue
        order[i] = 0.0
        cost[i] = nothing
        saving[i] = 0.0
        shortage[i] = short
        leftover[i] = left
        for candidate in lots_beside(wanted, size, moq[i], max_stock[i] - stock):
            if candidate == 0.0:
                continue
            short, left = losses(family, a[i], b[i], stock + candidate)
            after = mismatch_cost(cu, co, short, left) + order_cost[i]
            if after < cost[i]:
                order[i] = candidate
                cost[i] = after
                saving[i] = nothing - after
                shortage[i] = short
                leftover[i] = left


def lot_order(
    demand: Demand | EmpiricalDemand,
    underage_cost: ArrayLike,
    overage_cost: ArrayLike,
    *,
    inventory_position: ArrayLike = 0.0,
    order_cost: ArrayLike = 0.0,
    pack_size: ArrayLike = 1.0,
    moq: ArrayLike = 0.0,
    max_stock: ArrayLike = np.inf,
    parallel: bool = False,
) -> LotOrder:
    """Return the order of least expected cost among 0 and the multiples of the pack that reach the MOQ.

    Parameters
    ----------
    demand
        Of the time that the order must cover.
    underage_cost, overage_cost
        Currency per unit short and per unit left over.
    inventory_position
        Units on hand and on order less backorders; negative where more is owed than there is.
    order_cost
        Currency for each order that is not 0.
    pack_size
        Units in a pack; 0 lets any quantity be ordered.
    moq
        Least order, units.
    max_stock
        The order may not lift the inventory position above it, units.
    parallel
        Use all of numba's threads.

    Returns
    -------
    LotOrder
        Of two orders of equal cost the smaller. NaN for a SKU with a negative cost, pack or MOQ, or two costs of 0.

    Examples
    --------
    26 units would be best for 20 expected; of packs of 12 two are better than three:

    >>> answer = lot_order(Demand.poisson(20), underage_cost=9, overage_cost=1, pack_size=12)
    >>> float(answer.order_quantity), float(answer.cost.round(4))
    (24.0, 8.876)

    For quantiles of a forecast, 15.5 units would be best:

    >>> demand = EmpiricalDemand.quantiles([0.1, 0.5, 0.9], [2.0, 8.0, 20.0])
    >>> float(lot_order(demand, underage_cost=3, overage_cost=1, pack_size=6).order_quantity)
    18.0
    """
    arguments = [underage_cost, overage_cost, inventory_position, order_cost, pack_size, moq, max_stock]
    if isinstance(demand, EmpiricalDemand):
        return LotOrder(*demand.over_rows(empirical_lots, arguments, 5, parallel=parallel))
    return LotOrder(*demand.over_blocks(_lots, arguments, 5, parallel=parallel))


@loop
def _levels(
    family: int,
    a: FloatArray,
    b: FloatArray,
    under: FloatArray,
    over: FloatArray,
    order_cost: FloatArray,
    point: FloatArray,
    level: FloatArray,
) -> None:
    whole = family in (POISSON, NEGATIVE_BINOMIAL)
    for i in range(a.size):
        cu, co = under[i], over[i]
        point[i] = level[i] = math.nan
        if not (min(cu, co) >= 0.0 and cu + co > 0.0 and order_cost[i] >= 0.0):
            continue
        best, short, left = optimum(family, a[i], b[i], cu / (cu + co), co / (cu + co))
        level[i] = best
        if cu == 0.0:
            point[i] = -math.inf if best == best else math.nan
            continue
        if best != best or order_cost[i] == math.inf:
            point[i] = -math.inf if best == best else math.nan
            continue
        if order_cost[i] == 0.0 and (best == math.inf or not whole):
            point[i] = best
            continue
        target = mismatch_cost(cu, co, short, left) + order_cost[i]
        # G(y) >= cu (mean - y) puts the answer above `low`, and G falls up to `best`, a convex curve: Newton's steps
        # from the left stay on the left of the answer.
        y = min(mean_of(family, a[i], b[i]) - target / cu, best)
        for _ in range(200):
            below, above = tails(family, a[i], b[i], y)
            slope = cu * above - co * below
            gap = expected_cost(family, a[i], b[i], y, cu, co) - target
            if gap <= 0.0 or slope <= 0.0:
                break
            following = min(y + gap / slope, best)
            if following <= y + 1e-14 * abs(y):
                break
            y = following
        if whole:
            # The last whole stock where ordering pays, G(y) > target.
            y = min(np.ceil(y), best)
            while expected_cost(family, a[i], b[i], y, cu, co) <= target:
                y -= 1.0
            while y + 1.0 <= best and expected_cost(family, a[i], b[i], y + 1.0, cu, co) > target:
                y += 1.0
        point[i] = y


def order_levels(
    demand: Demand | EmpiricalDemand,
    underage_cost: ArrayLike,
    overage_cost: ArrayLike,
    order_cost: ArrayLike,
    *,
    parallel: bool = False,
) -> OrderLevels:
    """Return the stock at or below which an order pays for its order cost, and the level to order up to then.

    The level S is the newsvendor's quantity, the reorder point s the largest stock with G(s) >= G(S) + order cost
    (of discrete demand the largest whole stock with G(s) > G(S) + order cost, which is S - 1 or less): Scarf 1960,
    one period. Of samples and quantiles any stock may be held, so s lies between them. An underage cost of 0 or an
    infinite order cost never orders: s = -inf. An overage cost of 0 orders up to the highest possible demand, inf
    where there is none. NaN for a negative or infinite cost, two costs of 0, or parameters that no distribution
    has.

    >>> levels = order_levels(Demand.normal(50, 8), 0.70, 0.18, order_cost=2.0)
    >>> float(levels.reorder_point.round(4)), float(levels.order_up_to.round(4))
    (46.4647, 56.604)
    >>> levels = order_levels(EmpiricalDemand.samples([0, 0, 3, 5]), 3, 1, order_cost=1.0)
    >>> float(levels.reorder_point.round(9)), float(levels.order_up_to)
    (2.0, 3.0)
    """
    arguments = [underage_cost, overage_cost, order_cost]
    if isinstance(demand, EmpiricalDemand):
        return OrderLevels(*demand.over_rows(empirical_levels, arguments, 2, parallel=parallel))
    return OrderLevels(*demand.over_blocks(_levels, arguments, 2, parallel=parallel))
