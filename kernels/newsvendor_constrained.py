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
from fullshelf.kernels.compile import loop
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.families import density, losses, quantile
from fullshelf.kernels.newsvendor_units import exchange_units, fill_units

__all__ = ["SharedStock", "under_budget", "under_limits"]

_EXCHANGED = 256  # SKUs


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


@loop
def _respond(
    family: int,
    a: FloatArray,
    b: FloatArray,
    under: FloatArray,
    over: FloatArray,
    charge: FloatArray,
    quantity: FloatArray,
    cost: FloatArray,
    slope: FloatArray,
) -> None:
    """Fill each SKU's answer to its charge per unit: the quantity, its own cost, and how the quantity falls with it."""
    for i in range(a.size):
        weight = under[i] + over[i]
        gain = under[i] - charge[i]
        x = 0.0
        slope[i] = 0.0
        if gain > 0.0:
            x = max(quantile(family, a[i], b[i], gain / weight, (over[i] + charge[i]) / weight), 0.0)
            at = density(family, a[i], b[i], x) * weight
            slope[i] = 1.0 / at if x > 0.0 and at > 0.0 else 0.0
        short, left = losses(family, a[i], b[i], x)
        quantity[i] = x
        cost[i] = under[i] * short + (over[i] * left if over[i] > 0.0 else 0.0)


class _Dual:
    """The dual function of one instance: what the SKUs do at given prices."""

    def __init__(
        self, demand: Demand, under: FloatArray, over: FloatArray, usage: FloatArray, limits: FloatArray, parallel: bool
    ) -> None:
        self.demand, self.under, self.over, self.table, self.limits = demand, under, over, usage, limits
        self.parallel = parallel

    def at(self, prices: FloatArray) -> tuple[float, FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return the dual's value, the excess use of each resource, quantities, costs and slopes."""
        charge = prices @ self.table
        quantity, cost, slope = self.demand.over_blocks(
            _respond, [self.under, self.over, charge], 3, parallel=self.parallel
        )
        with np.errstate(invalid="ignore"):  # an endless quantity at a price of 0 makes the dual's value unknown
            excess = self.table @ quantity - self.limits
            value = float(cost.sum() + prices @ excess)
        return value, excess, quantity, cost, slope


def _checked(
    demand: Demand, underage_cost: ArrayLike, overage_cost: ArrayLike, usage: ArrayLike, limits: ArrayLike
) -> tuple[Demand, FloatArray, FloatArray, FloatArray, FloatArray]:
    table, available = np.atleast_2d(floats(usage)), np.atleast_1d(floats(limits))
    under, over = floats(underage_cost), floats(overage_cost)
    shape = np.broadcast_shapes(demand.a.shape, demand.b.shape, under.shape, over.shape, (table.shape[1],))
    if len(shape) != 1 or table.shape != (available.size, shape[0]):
        raise ValueError(
            f"usage must have one row for each of the {available.size} limits and one column for each SKU, "
            f"got {table.shape}; demand and costs broadcast to {shape}"
        )
    if not ((table >= 0.0) & np.isfinite(table)).all() or not ((available >= 0.0) & np.isfinite(available)).all():
        raise ValueError("usage and limits must be finite and not below 0")
    under, over = np.array(np.broadcast_to(under, shape)), np.array(np.broadcast_to(over, shape))
    spread = Demand(
        demand.family, np.array(np.broadcast_to(demand.a, shape)), np.array(np.broadcast_to(demand.b, shape))
    )
    bad = ~((under >= 0.0) & (over >= 0.0) & (under + over > 0.0) & np.isfinite(spread.mean))
    bad |= (over == 0.0) & (table.sum(axis=0) == 0.0)
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of {bad.size} SKUs cannot be solved, the first at index {int(bad.argmax())}: costs must "
            f"be at least 0 and not both 0, demand parameters valid, and an overage cost of 0 needs a resource"
        )
    return spread, under, over, table, available


def _one_price(dual: _Dual) -> FloatArray:
    """Return the price of a single resource: bracketed Newton steps on its excess use, which falls with the price."""
    low = 0.0
    used = dual.table[0] > 0.0
    high = float((dual.under[used] / dual.table[0, used]).max(initial=0.0))
    _, excess, _, _, slope = dual.at(np.array([0.0]))
    if excess[0] <= 0.0:
        return np.array([0.0])
    price = 0.0
    for _ in range(200):
        fall = float((dual.table[0] ** 2 * slope).sum())
        following = price + float(excess[0]) / fall if fall > 0.0 and math.isfinite(excess[0]) else math.inf
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - price) <= 1e-15 * following or high - low <= 4e-16 * high:
            break
        price = following
        _, excess, _, _, slope = dual.at(np.array([price]))
        if excess[0] > 0.0:
            low = price
        else:
            high = price
        # Whole units leave less than one of them unused at best; what is left is filled up afterwards.
        if excess[0] == 0.0 or (dual.demand.discrete and -dual.table[0].max() <= excess[0] < 0.0):
            return np.array([price])
    return np.array([high])  # the smallest price found at which the limit holds


def _many_prices(dual: _Dual) -> FloatArray:
    """Return the prices of several resources by projected Newton steps on the dual (Bertsekas 1982)."""
    prices = np.zeros(dual.limits.size)
    if (dual.over == 0.0).any():  # at a price of 0 somebody asks for an endless quantity
        prices += 0.1 * float(np.median(dual.under)) / np.maximum(dual.table.max(axis=1), 1e-300)
    value, excess, _, _, slope = dual.at(prices)
    scale = 1.0 + np.abs(dual.limits)
    enough = 1e-9 if dual.demand.discrete else 1e-15  # whole units: the dual has kinks, its slope never comes to 0
    for _ in range(100):
        free = (prices > 0.0) | (excess > 0.0)
        if not free.any() or (np.abs(excess[free]) <= 1e-13 * scale[free]).all():
            break
        if not (slope > 0.0).any():  # all demand is certain: no curvature tells how far to go
            slope = dual.under / np.maximum(dual.table.max(axis=0), 1e-300)
            slope = 1.0 / np.maximum(slope * dual.table.max(axis=0), 1e-300) * np.abs(excess).max()
        rows = dual.table[free]
        curvature = (rows * slope) @ rows.T
        curvature[np.diag_indices_from(curvature)] += 1e-12 * np.trace(curvature) + 1e-300
        step = np.zeros_like(prices)
        step[free] = np.linalg.solve(curvature, excess[free])
        if step @ excess <= 0.0:
            step = np.where(free, excess, 0.0)
        size = 1.0
        for _ in range(30):
            trial = np.maximum(prices + size * step, 0.0)
            answer = dual.at(trial)
            if answer[0] >= value + 1e-4 * float((trial - prices) @ excess) - 1e-15 * abs(value):
                break
            size *= 0.5
        else:
            break
        risen = answer[0] - value
        prices, (value, excess, _, _, slope) = trial, answer
        if risen <= enough * abs(value):
            break
    return prices


def _feasible(dual: _Dual, prices: FloatArray) -> FloatArray:
    """Return quantities that keep every limit: those at the prices, cut where they are too many, then filled up.

    Few SKUs of whole units are also exchanged unit for unit; among many what that could win is lost in the sum.
    """
    _, excess, quantity, _, _ = dual.at(prices)
    use = excess + dual.limits
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(excess > 0.0, dual.limits / use, 1.0)
    factor = np.min(np.where(dual.table > 0.0, share[:, None], 1.0), axis=0)
    quantity = quantity * factor
    charge = prices @ dual.table
    if not dual.demand.discrete:
        return _fill_fractions(dual, charge, quantity)
    quantity = np.floor(quantity)
    room = dual.limits - dual.table @ quantity
    demand, table = dual.demand, np.ascontiguousarray(dual.table)
    given = (demand.family, demand.a, demand.b, dual.under, dual.over, table)
    fill_units(*given, charge, room, quantity)
    if quantity.size <= _EXCHANGED:
        rounds = 0
        while rounds < 1000 and exchange_units(*given, room, quantity):
            fill_units(*given, charge, room, quantity)
            rounds += 1
    return np.asarray(quantity)


def _fill_fractions(dual: _Dual, charge: FloatArray, quantity: FloatArray) -> FloatArray:
    """Raise quantities to what they would be without limits, while there is room: demand that is certain jumps there.

    Before a jump the cost falls all the way, so whatever fits is a gain.
    """
    wanted = dual.at(np.zeros_like(dual.limits))[2]
    room = dual.limits - dual.table @ quantity
    short = (wanted > quantity * (1.0 + 1e-9)) & (dual.demand.variance == 0.0)
    with np.errstate(divide="ignore"):
        worth = np.where(short, dual.under / charge, -np.inf)
    for i in np.argsort(-worth, kind="stable")[: int(short.sum())]:
        used = dual.table[:, i] > 0.0
        more = min(float(wanted[i] - quantity[i]), float((room[used] / dual.table[used, i]).min(initial=np.inf)))
        if more > 0.0:
            quantity[i] += more
            room -= more * dual.table[:, i]
    return quantity


def under_limits(
    demand: Demand,
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
        Continuous demand: the optimum, `gap` about 1e-9 or less. Whole units: the quantities at the shadow prices,
        filled up with the units that save most for what they use, then, up to 256 SKUs, exchanged unit for unit while
        that helps; `gap` says how good at worst.

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
    return _solve(_Dual(*_checked(demand, underage_cost, overage_cost, usage, limits), parallel))


def under_budget(
    demand: Demand,
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
    shape = np.broadcast_shapes(*(np.shape(v) for v in (demand.a, demand.b, underage_cost, overage_cost, unit_cost)))
    costs = np.broadcast_to(floats(unit_cost), shape if shape else (1,))
    return _solve(_Dual(*_checked(demand, underage_cost, overage_cost, costs, [budget]), parallel))


def _solve(dual: _Dual) -> SharedStock:
    prices = _one_price(dual) if dual.limits.size == 1 else _many_prices(dual)
    bound = dual.at(prices)[0]
    quantity = _feasible(dual, prices)
    short, left = dual.demand.loss(quantity), dual.demand.leftover(quantity)
    cost = float((dual.under * short + np.where(dual.over > 0.0, dual.over * left, 0.0)).sum())
    gap = 0.0
    if cost > bound:
        gap = (cost - bound) / abs(bound) if bound != 0.0 else math.inf
    return SharedStock(quantity, prices, dual.table @ quantity, cost, bound, gap)
