"""The newsvendor: how much to stock for one period of uncertain demand.

Too little costs the underage cost for each unit short, too much the overage cost for each unit left over. The best
stock is the smallest x with P(X <= x) >= underage / (underage + overage), the critical ratio (Arrow, Harris and
Marschak 1951; Silver, Pyke and Thomas, Inventory and Production Management, 4th ed., section 9.2).

All functions take scalars or arrays over SKUs, which broadcast. A SKU without an answer gets NaN and harms no other: a
negative or infinite cost, both costs 0, parameters that no distribution has. An overage cost of 0 asks for the highest
possible demand (inf where there is none), an underage cost of 0 for the lowest (-inf of the normal distribution, else
0).

>>> answer = normal(mean=50, sd=8, underage_cost=0.70, overage_cost=0.18)  # Snyder and Shen, 2nd ed., example 4.3
>>> float(answer.quantity.round(4)), float(answer.cost.round(4))
(56.604, 1.9976)
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats, over_blocks
from fullshelf.kernels.compile import loop
from fullshelf.kernels.critical_fractile import Newsvendor, critical_ratio, from_prices
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.empirical_demand import EmpiricalDemand
from fullshelf.kernels.families import NORMAL, POISSON, optimum
from fullshelf.kernels.newsvendor_lanes import normal_lanes, poisson_lanes
from fullshelf.kernels.newsvendor_lots import LotOrder, OrderLevels, lot_order, order_levels
from fullshelf.kernels.newsvendor_quantiles import quantile_grid
from fullshelf.kernels.newsvendor_samples import discrete, empirical

__all__ = [
    "LotOrder",
    "Newsvendor",
    "OrderLevels",
    "additive_yield",
    "cost",
    "critical_ratio",
    "discrete",
    "distribution_free",
    "empirical",
    "from_prices",
    "gamma",
    "lognormal",
    "lot_order",
    "multiplicative_yield",
    "myopic",
    "negative_binomial",
    "normal",
    "optimal",
    "order_levels",
    "poisson",
    "profit",
    "quantile_grid",
    "uniform",
]


@loop
def _optimal(
    family: int,
    a: FloatArray,
    b: FloatArray,
    under: FloatArray,
    over: FloatArray,
    ratio: FloatArray,
    quantity: FloatArray,
    shortage: FloatArray,
    leftover: FloatArray,
    cost: FloatArray,
) -> None:
    for i in range(a.size):
        cu, co = under[i], over[i]
        if not (min(cu, co) >= 0.0 and cu + co < math.inf):
            ratio[i] = quantity[i] = shortage[i] = leftover[i] = cost[i] = math.nan
            continue
        ratio[i] = cu / (cu + co)
        quantity[i], shortage[i], leftover[i] = optimum(family, a[i], b[i], ratio[i], co / (cu + co))
        # A cost of 0 may meet an endless shortage or leftover; then the least cost, which no stock reaches, is 0.
        cost[i] = (cu * shortage[i] if cu > 0.0 else 0.0) + (co * leftover[i] if co > 0.0 else 0.0)
        if quantity[i] != quantity[i]:
            cost[i] = math.nan


def optimal(demand: Demand, underage_cost: ArrayLike, overage_cost: ArrayLike, *, parallel: bool = False) -> Newsvendor:
    """Return the best stock for demand of any named distribution.

    Parameters
    ----------
    demand
        Units per period, see `fullshelf.kernels.distributions.Demand`.
    underage_cost, overage_cost
        Currency per unit short and per unit left over.
    parallel
        Use all of numba's threads.

    Examples
    --------
    >>> answer = optimal(Demand.lognormal(6.0, 0.3), 0.1765, 1.0)  # Snyder and Shen, 2nd ed., problem 4.8 (b)
    >>> float(answer.quantity.round(3)), float(answer.cost.round(3))
    (295.627, 29.443)
    """
    costs = [underage_cost, overage_cost]
    if demand.family == NORMAL:
        results = over_blocks(normal_lanes, [demand.a, demand.b, *costs], 5, parallel=parallel)
    elif demand.family == POISSON:
        results = over_blocks(poisson_lanes, [demand.a, *costs], 5, parallel=parallel)
    else:
        results = demand.over_blocks(_optimal, costs, 5, parallel=parallel)
    ratio, quantity, shortage, leftover, expected_cost = results
    return Newsvendor(quantity, ratio, expected_cost, shortage, leftover)


def normal(
    mean: ArrayLike, sd: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike, *, parallel: bool = False
) -> Newsvendor:
    """Solve for normal demand: quantity = mean + z sd, cost = (underage + overage) sd pdf(z).

    z is the normal quantile of the critical ratio. The quantity is the formula's, negative where sd is large and the
    ratio low; a shop takes the larger of it and 0.

    >>> answer = normal(mean=50, sd=8, underage_cost=0.70, overage_cost=0.18)  # Snyder and Shen, 2nd ed., example 4.3
    >>> float(answer.quantity.round(4)), float(answer.cost.round(4))
    (56.604, 1.9976)
    """
    return optimal(Demand.normal(mean, sd), underage_cost, overage_cost, parallel=parallel)


def poisson(
    mean: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike, *, parallel: bool = False
) -> Newsvendor:
    """Solve for Poisson demand, in whole units.

    >>> answer = poisson(mean=18, underage_cost=270, overage_cost=200)  # Snyder and Shen, 2nd ed., problem 4.8 (a)
    >>> float(answer.quantity), float(answer.cost.round(4))
    (19.0, 786.0884)
    """
    return optimal(Demand.poisson(mean), underage_cost, overage_cost, parallel=parallel)


def negative_binomial(
    mean: ArrayLike, variance: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike, *, parallel: bool = False
) -> Newsvendor:
    """Solve for negative binomial demand, in whole units: Poisson demand whose rate is itself gamma distributed.

    >>> answer = negative_binomial(mean=5, variance=15, underage_cost=9, overage_cost=1)
    >>> float(answer.quantity), float(answer.cost.round(6))
    (10.0, 8.342023)
    """
    return optimal(Demand.negative_binomial(mean, variance), underage_cost, overage_cost, parallel=parallel)


def gamma(
    mean: ArrayLike, sd: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike, *, parallel: bool = False
) -> Newsvendor:
    """Solve for gamma demand (sd = mean: exponential).

    >>> answer = gamma(mean=50, sd=25, underage_cost=0.7, overage_cost=0.18)
    >>> float(answer.quantity.round(4)), float(answer.cost.round(4))
    (68.4378, 6.9026)
    """
    return optimal(Demand.gamma(mean, sd), underage_cost, overage_cost, parallel=parallel)


def lognormal(
    log_mean: ArrayLike, log_sd: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike, *, parallel: bool = False
) -> Newsvendor:
    """Solve for demand whose logarithm is normal with the given mean and standard deviation.

    >>> answer = lognormal(6.0, 0.3, 0.1765, 1.0)  # Snyder and Shen, 2nd ed., problem 4.8 (b)
    >>> float(answer.quantity.round(3)), float(answer.cost.round(3))
    (295.627, 29.443)
    """
    return optimal(Demand.lognormal(log_mean, log_sd), underage_cost, overage_cost, parallel=parallel)


def uniform(
    low: ArrayLike, high: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike, *, parallel: bool = False
) -> Newsvendor:
    """Solve for demand spread evenly between low and high.

    >>> answer = uniform(0, 100, underage_cost=3, overage_cost=1)
    >>> float(answer.quantity), float(answer.cost)
    (75.0, 37.5)
    """
    return optimal(Demand.uniform(low, high), underage_cost, overage_cost, parallel=parallel)


def cost(
    demand: Demand | EmpiricalDemand, quantity: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike
) -> FloatArray:
    """Return underage E[(X - quantity)+] + overage E[(quantity - X)+], the expected cost of any stock, currency.

    >>> float(cost(Demand.normal(50, 8), 40, 0.70, 0.18).round(6))
    7.356132
    """
    return floats(underage_cost) * demand.loss(quantity) + floats(overage_cost) * demand.leftover(quantity)


def profit(
    demand: Demand | EmpiricalDemand,
    quantity: ArrayLike,
    price: ArrayLike,
    unit_cost: ArrayLike,
    salvage_value: ArrayLike = 0.0,
) -> FloatArray:
    """Return the expected profit of any stock: price x sales + salvage x leftover - unit cost x stock, currency.

    >>> under, over = from_prices(1.0, 0.3, 0.12)  # Snyder and Shen, 2nd ed., example 4.2
    >>> best = normal(50, 8, under, over).quantity
    >>> float(profit(Demand.normal(50, 8), best, 1.0, 0.3, 0.12).round(4))
    33.0024
    """
    under, over = from_prices(price, unit_cost, salvage_value)
    return under * demand.mean - cost(demand, quantity, under, over)


def myopic(
    demand: Demand,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    unit_cost: ArrayLike,
    next_unit_cost: ArrayLike,
    discount: ArrayLike = 1.0,
) -> Newsvendor:
    """Return the stock that is best for this period when what is left saves buying at the next period's unit cost.

    critical ratio = (shortage - c+) / (shortage + holding) with c+ = unit cost - discount x next unit cost (Veinott
    1966; Zipkin 2000, section 9.4.3; myopic policies are optimal where demand does not fall over time). NaN where
    -holding <= c+ <= shortage does not hold: then the best stock is none or endless. `cost` is Veinott's, with the
    purchase: unit cost x quantity + holding and shortage - discount x next unit cost x (quantity - mean).

    >>> answer = myopic(Demand.normal(50, 8), 0.18, 0.70, 0.3, 0.35, 0.98)
    >>> float(answer.quantity.round(4)), float(answer.cost.round(4))
    (58.0989, 16.6824)
    """
    holding, shortage, now = (floats(value) for value in (holding_cost, shortage_cost, unit_cost))
    later = floats(discount) * floats(next_unit_cost)
    answer = optimal(demand, shortage - (now - later), holding + (now - later))
    money = now * answer.quantity - later * (answer.quantity - demand.mean)
    money = money + shortage * answer.expected_shortage + holding * answer.expected_leftover
    return Newsvendor(answer.quantity, answer.critical_ratio, money, answer.expected_shortage, answer.expected_leftover)


def additive_yield(demand: ArrayLike, yields: Demand, underage_cost: ArrayLike, overage_cost: ArrayLike) -> Newsvendor:
    """Return the best order when demand is known and quantity + Y arrives, Y of the distribution `yields`.

    quantity = demand - (overage / (underage + overage))-quantile of Y (Snyder and Shen, 2nd ed., equation 9.28). For
    normal demand beside normal Y give the mean demand and yields with the variances added up.

    >>> answer = additive_yield(1.5e6, Demand.uniform(-5e5, 5e5), underage_cost=75, overage_cost=15)  # example 9.6
    >>> float(answer.quantity.round(1)), float(answer.cost.round(1))
    (1833333.3, 6250000.0)
    """
    mirrored = optimal(yields, overage_cost, underage_cost)
    return Newsvendor(
        floats(demand) - mirrored.quantity,
        1.0 - mirrored.critical_ratio,
        mirrored.cost,
        mirrored.expected_leftover,
        mirrored.expected_shortage,
    )


def multiplicative_yield(
    demand: ArrayLike,
    lowest_yield: ArrayLike,
    highest_yield: ArrayLike,
    underage_cost: ArrayLike,
    overage_cost: ArrayLike,
) -> Newsvendor:
    """Return the best order when demand is known and the share Y of it arrives, even between the two shares >= 0.

    The best quantity solves E[Y; quantity Y > demand] = underage / (underage + overage) E[Y]; with a uniform share
    quantity = demand / sqrt(r lowest² + (1 - r) highest²), r the critical ratio.

    >>> answer = multiplicative_yield(100, 0.5, 1.0, underage_cost=3, overage_cost=1)
    >>> float(answer.quantity.round(4)), float(answer.cost.round(4))
    (151.1858, 29.1503)
    """
    low, high = floats(lowest_yield), floats(highest_yield)
    wanted = floats(demand)
    ratio = critical_ratio(underage_cost, overage_cost)
    with np.errstate(invalid="ignore", divide="ignore"):
        quantity = wanted / np.sqrt(ratio * low * low + (1.0 - ratio) * high * high)
        quantity = np.where((wanted >= 0.0) & (low >= 0.0) & (high >= low), quantity, np.nan)
    arriving = Demand.uniform(quantity * low, quantity * high)
    left, short = arriving.loss(wanted), arriving.leftover(wanted)
    return Newsvendor(quantity[()], ratio, floats(underage_cost) * short + floats(overage_cost) * left, short, left)


def distribution_free(mean: ArrayLike, sd: ArrayLike, underage_cost: ArrayLike, overage_cost: ArrayLike) -> Newsvendor:
    """Return Scarf's stock: the best against the worst distribution that has this mean and standard deviation.

    quantity = mean + sd / 2 (sqrt(cu / co) - sqrt(co / cu)) where cu / co > (sd / mean)², else 0 (Scarf 1958; Gallego
    and Moon 1993). `cost`, `expected_shortage` and `expected_leftover` are those of the worst distribution.

    >>> under, over = from_prices(price=50.3, unit_cost=35.1, salvage_value=25.0)  # Gallego and Moon's example
    >>> float(distribution_free(900, 122, under, over).quantity.round(1))
    925.1
    """
    mean, sd = floats(mean), floats(sd)
    under, over = floats(underage_cost), floats(overage_cost)
    ratio = critical_ratio(under, over)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        step = 0.5 * (np.sqrt(under / over) - np.sqrt(over / under))
        quantity = np.where(under * mean * mean > over * sd * sd, mean + np.where(sd > 0.0, sd * step, 0.0), 0.0)
        quantity = np.where((mean >= 0.0) & (sd >= 0.0) & np.isfinite(ratio), quantity, np.nan)
        # Scarf's bound: E[(X - x)+] <= (sqrt(sd² + (x - mean)²) - (x - mean)) / 2, and mean for a stock of 0.
        gap = quantity - mean
        far = np.hypot(sd, gap)
        short = np.where(quantity == 0.0, mean, 0.5 * np.where(gap > 0.0, sd * sd / (far + gap), far - gap))
        left = np.where(quantity == 0.0, 0.0, 0.5 * np.where(gap < 0.0, sd * sd / (far - gap), far + gap))
        money = np.where(under > 0.0, under * short, 0.0) + np.where(over > 0.0, over * left, 0.0)
        money = np.where(np.isnan(quantity), np.nan, money)
    return Newsvendor(quantity[()], ratio, money[()], short[()], left[()])
