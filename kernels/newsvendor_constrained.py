"""The newsvendor for many SKUs under common limits: one budget, or several resources at once.

minimise sum of G_i(Q_i) subject to sum of a_ki Q_i <= b_k for each resource k and Q_i >= 0, where G_i is the expected
underage and overage cost. At shadow prices w_k a SKU orders the newsvendor's quantity for the ratio
(underage - sum of w_k a_ki) / (underage + overage); the prices maximise the concave dual, whose value is a lower bound
of any feasible cost (Hadley and Whitin 1963; Gallego and Moon 1993; Silver, Pyke and Thomas, 4th ed., section 9.3).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.empirical_demand import EmpiricalDemand
from fullshelf.kernels.newsvendor_dual import (
    Shared,
    at_prices,
    bound_at,
    cost_of,
    prices_of_many,
    prices_of_one,
)
from fullshelf.kernels.newsvendor_proximal import near_centre
from fullshelf.kernels.newsvendor_units import exchange_units, fill_units

__all__ = ["SharedStock", "under_budget", "under_limits"]

_EXCHANGED = 256  # SKUs
_SMOOTH = 1e-9  # gap above which the dual had kinks after all


@dataclass(frozen=True, slots=True)
class SharedStock:
    """Stocks of N SKUs that share K resources.

    Attributes
    ----------
    quantity
        (N,) units; whole numbers where demand is.
    shadow_price
        (K,) by how much the cost would fall with one more unit of a resource; 0 where it is not used up.
    usage
        (K,) of each resource.
    cost
        Expected underage and overage cost of all SKUs, currency.
    bound
        Lower bound of the cost of any feasible stocks: the dual's value at the shadow prices.
    gap
        (cost - bound) / |bound|: how far from the best the answer can be at most; 0 where the cost is the bound, inf
        where the bound alone is 0.
    """

    quantity: FloatArray
    shadow_price: FloatArray
    usage: FloatArray
    cost: float
    bound: float
    gap: float


def _checked(
    demand: Demand | EmpiricalDemand,
    underage_cost: ArrayLike,
    overage_cost: ArrayLike,
    usage: ArrayLike,
    limits: ArrayLike,
    parallel: bool,
) -> Shared:
    table, available = np.atleast_2d(floats(usage)), np.atleast_1d(floats(limits))
    under, over = floats(underage_cost), floats(overage_cost)
    shape = np.broadcast_shapes(demand.shape, under.shape, over.shape, (table.shape[1],))
    if len(shape) != 1 or table.shape != (available.size, shape[0]):
        raise ValueError(
            f"usage must have one row for each of the {available.size} limits and one column for each SKU, "
            f"got {table.shape}; demand and costs broadcast to {shape}"
        )
    if not ((table >= 0.0) & np.isfinite(table)).all() or not ((available >= 0.0) & np.isfinite(available)).all():
        raise ValueError("usage and limits must be finite and not below 0")
    under, over = np.array(np.broadcast_to(under, shape)), np.array(np.broadcast_to(over, shape))
    spread = demand.broadcast(shape)
    bad = ~((under >= 0.0) & (over >= 0.0) & (under + over > 0.0) & np.isfinite(spread.mean))
    bad |= (over == 0.0) & (table.sum(axis=0) == 0.0)
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of {bad.size} SKUs cannot be solved, the first at index {int(bad.argmax())}: costs must "
            f"be at least 0 and not both 0, demand parameters valid, and an overage cost of 0 needs a resource"
        )
    return Shared(spread, under, over, np.ascontiguousarray(table), available, parallel)


def _cut(shared: Shared, quantity: FloatArray) -> FloatArray:
    """Return the quantities, those that use a resource of which there is too little scaled down to what there is."""
    use = shared.table @ quantity
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(use > shared.limits, shared.limits / use, 1.0)
    return np.asarray(quantity * np.min(np.where(shared.table > 0.0, share[:, None], 1.0), axis=0))


def _whole(shared: Shared, demand: Demand, prices: FloatArray, quantity: FloatArray) -> FloatArray:
    """Return whole units that keep every limit: `quantity` rounded down and filled up.

    Those of few SKUs are also exchanged unit for unit; among many what that could win is lost in the sum.
    """
    units = np.floor(quantity)
    room = shared.limits - shared.table @ units
    charge = prices @ shared.table
    given = (demand.family, demand.a, demand.b, shared.under, shared.over, shared.table)
    fill_units(*given, charge, room, units)
    if units.size <= _EXCHANGED:
        rounds = 0
        while rounds < 1000 and exchange_units(*given, room, units):
            fill_units(*given, charge, room, units)
            rounds += 1
    return units


def under_limits(
    demand: Demand | EmpiricalDemand,
    underage_cost: ArrayLike,
    overage_cost: ArrayLike,
    usage: ArrayLike,
    limits: ArrayLike,
    *,
    parallel: bool = False,
) -> SharedStock:
    """Return the stocks of least expected cost that keep several common limits.

    Parameters
    ----------
    demand
        Of N SKUs in one period.
    underage_cost, overage_cost
        (N,) or scalars, currency per unit short and left over.
    usage
        (K, N) of each resource by one unit of each SKU, e.g. its unit cost or volume.
    limits
        (K,) how much there is of each resource.
    parallel
        Use all of numba's threads.

    Returns
    -------
    SharedStock
        The optimum, `gap` about 1e-9 or less; of samples and quantiles any stock may be held. Whole units (Poisson,
        negative binomial): the quantities at the shadow prices, filled up with the units that save most for what they
        use, then, up to 256 SKUs, exchanged unit for unit while that helps; `gap` says how good at worst.

    Raises
    ------
    ValueError
        If shapes do not fit, usage or limits are negative, or a SKU has no answer (its costs or demand make no sense):
        limits tie the SKUs together, so no SKU can be left out in silence.

    Examples
    --------
    >>> stock = under_limits(Demand.normal([100, 80], [20, 30]), [4, 6], [1, 2], [[8, 10], [0.5, 0.2]], [1500, 60])
    >>> stock.quantity.round(2).tolist(), stock.shadow_price.round(4).tolist()
    ([88.24, 79.41], [0.1498, 2.8206])
    """
    return _solve(_checked(demand, underage_cost, overage_cost, usage, limits, parallel))


def under_budget(
    demand: Demand | EmpiricalDemand,
    underage_cost: ArrayLike,
    overage_cost: ArrayLike,
    unit_cost: ArrayLike,
    budget: float,
    *,
    parallel: bool = False,
) -> SharedStock:
    """Return the stocks of least expected cost whose purchase keeps one budget.

    Arguments and errors as of `under_limits`; `unit_cost` (N,) or a scalar, currency per unit, `budget` currency. The
    shadow price is what one more unit of currency would save.

    >>> stock = under_budget(Demand.normal([900, 800], [122, 200]), [15.2, 15.0], [10.1, 12.5], [35.1, 25.0], 50_000)
    >>> stock.quantity.round(2).tolist(), float(stock.shadow_price[0].round(4)), float(stock.usage[0].round(6))
    ([878.52, 766.56], 0.123, 50000.0)
    """
    shape = np.broadcast_shapes(demand.shape, *(np.shape(v) for v in (underage_cost, overage_cost, unit_cost)))
    costs = np.broadcast_to(floats(unit_cost), shape if shape else (1,))
    return _solve(_checked(demand, underage_cost, overage_cost, costs, [budget], parallel))


def _solve(shared: Shared) -> SharedStock:
    if isinstance(shared.demand, EmpiricalDemand):
        return _kinked(shared)
    prices = prices_of_one(shared) if shared.limits.size == 1 else prices_of_many(shared)
    quantity = _cut(shared, at_prices(shared, prices).quantity)
    if shared.demand.discrete:
        return _stock(shared, prices, _whole(shared, shared.demand, prices, quantity))
    stock = _stock(shared, prices, quantity)
    if stock.gap <= _SMOOTH:
        return stock
    careful = _kinked(shared)
    return careful if not careful.gap >= stock.gap else stock


def _kinked(shared: Shared) -> SharedStock:
    prices, quantity = near_centre(shared)
    return _stock(shared, prices, _cut(shared, quantity))


def _stock(shared: Shared, prices: FloatArray, quantity: FloatArray) -> SharedStock:
    bound, cost = bound_at(shared, prices), float(cost_of(shared, quantity).sum())
    gap = 0.0
    if cost > bound:
        gap = (cost - bound) / abs(bound) if bound != 0.0 else math.inf
    return SharedStock(quantity, prices, shared.table @ quantity, cost, bound, gap)
