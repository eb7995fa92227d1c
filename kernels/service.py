"""Service: which stock keeps a promise, what a stock promises, and the safety stock behind both.

Two promises are told apart (Silver, Pyke and Thomas, Inventory and Production Management, 4th ed., chapter 6): the
cycle service level P1, the probability that a cycle has no shortage, and the fill rate P2, the share of demand that is
served from the shelf. Arguments are scalars or arrays over SKUs and broadcast; a SKU without an answer gets NaN.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.blocks import FloatArray, floats, over_blocks
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.empirical_demand import EmpiricalDemand
from fullshelf.kernels.empirical_rows import empirical_losses, empirical_quantile, empirical_tails
from fullshelf.kernels.families import NEGATIVE_BINOMIAL, POISSON, losses, mean_of, quantile, spread, tails
from fullshelf.kernels.special import normal_cdf, normal_loss, normal_loss_inverse

__all__ = [
    "SafetyStock",
    "ServiceLevels",
    "cycle_service_stock",
    "fill_rate_safety_stock",
    "fill_rate_stock",
    "marginal_fill_rate",
    "safety_factor",
    "safety_stock",
    "service_levels",
]


@dataclass(frozen=True, slots=True)
class ServiceLevels:
    """What a stock promises, one entry for each SKU: shares 0…1 and units."""

    cycle_service: FloatArray
    fill_rate: FloatArray
    expected_shortage: FloatArray
    expected_leftover: FloatArray


@dataclass(frozen=True, slots=True)
class SafetyStock:
    """A safety stock: its factor in standard deviations, and units; negative where even less than the mean suffices."""

    factor: FloatArray
    units: FloatArray


def safety_factor(cycle_service: ArrayLike) -> FloatArray:
    """Return the standard normal quantile of a cycle service level; NaN outside [0, 1].

    >>> safety_factor([0.9, 0.95, 0.99]).round(4).tolist()
    [1.2816, 1.6449, 2.3263]
    """
    return Demand.normal(0.0, 1.0).quantile(cycle_service)


def safety_stock(sd: ArrayLike, cycle_service: ArrayLike) -> SafetyStock:
    """Return factor x sd, which keeps a cycle service level when lead-time demand is normal with deviation `sd`.

    >>> float(safety_stock(707.1, 0.95).units.round(1))
    1163.1
    """
    factor = safety_factor(cycle_service)
    deviation, cycle = floats(sd), np.where(np.isnan(factor), np.nan, 0.0)
    with np.errstate(invalid="ignore"):
        units = np.where(deviation > 0.0, factor * deviation, np.where(deviation == 0.0, 0.0 * cycle, np.nan))
    return SafetyStock(factor, units[()])


@core
def exact_factor(target: float, lot: float) -> float:
    """Return k with loss(k) - loss(k + lot) = target in standard deviations, for 0 < target < lot."""
    # The difference is convex for k above -lot / 2 only, but falls everywhere: bisect between safe bounds.
    high = normal_loss_inverse(target)
    low = min(high, -lot) - 1.0
    while normal_loss(low) - normal_loss(low + lot) < target and low > -1e15:
        low = 2.0 * low
    for _ in range(200):
        middle = 0.5 * (low + high)
        if normal_loss(middle) - normal_loss(middle + lot) > target:
            low = middle
        else:
            high = middle
        if high - low <= 1e-15 * (1.0 + abs(high)):
            break
    k = 0.5 * (low + high)
    slope = normal_cdf(-k) - normal_cdf(-k - lot)
    if slope > 1e-300:
        k += (normal_loss(k) - normal_loss(k + lot) - target) / slope
    return k


@loop
def _factors(
    exact: bool, lost: bool, fill: FloatArray, lot: FloatArray, sd: FloatArray, factor: FloatArray, units: FloatArray
) -> None:
    for i in range(fill.size):
        factor[i] = units[i] = math.nan
        if not (0.0 <= fill[i] <= 1.0 and 0.0 < lot[i] < math.inf and 0.0 <= sd[i] < math.inf):
            continue
        short = lot[i] * (1.0 - fill[i])
        if lost:
            short = short / fill[i]
        if sd[i] == 0.0:
            units[i] = -short
            continue
        target = short / sd[i]
        if exact and target > 0.0:
            factor[i] = exact_factor(target, lot[i] / sd[i]) if target < lot[i] / sd[i] else -math.inf
        else:
            factor[i] = normal_loss_inverse(target)
        units[i] = factor[i] * sd[i]


def fill_rate_safety_stock(
    fill_rate: ArrayLike,
    order_quantity: ArrayLike,
    sd: ArrayLike,
    *,
    exact: bool = False,
    lost_sales: bool = False,
    parallel: bool = False,
) -> SafetyStock:
    """Return the safety stock that keeps a fill rate, for normal lead-time demand and a fixed order quantity.

    The factor k solves G_u(k) = order quantity (1 - P2) / sd, where G_u is the normal loss function (Silver, Pyke and
    Thomas, 4th ed., section 6.7). The reorder point is the mean lead-time demand plus the safety stock.

    Parameters
    ----------
    fill_rate
        P2, 0…1. A fill rate of 1 asks for inf.
    order_quantity
        Units in an order, above 0.
    sd
        Standard deviation of lead-time demand, units. Where it is 0 the factor is NaN and the stock what is exact.
    exact
        Subtract the shortage still open when the order arrives: G_u(k) - G_u(k + order quantity / sd) on the left.
    lost_sales
        Demand that is not served is lost: (1 - P2) / P2 instead of 1 - P2. Not together with `exact`.
    parallel
        Use all of numba's threads.

    Raises
    ------
    ValueError
        If both `exact` and `lost_sales` are asked for: the exact form counts backorders.

    Examples
    --------
    >>> answer = fill_rate_safety_stock(0.99, order_quantity=200, sd=100)
    >>> float(answer.factor.round(4)), float(answer.units.round(2))
    (1.6631, 166.31)
    """
    if exact and lost_sales:
        raise ValueError("exact counts backorders and lost_sales has none: choose one of them")
    factor, units = over_blocks(
        _factors, [fill_rate, order_quantity, sd], 2, fixed=(exact, lost_sales), parallel=parallel
    )
    return SafetyStock(factor, units)


def cycle_service_stock(demand: Demand | EmpiricalDemand, cycle_service: ArrayLike) -> FloatArray:
    """Return the smallest stock that suffices with probability `cycle_service`, units.

    >>> cycle_service_stock(Demand.poisson([2.0, 20.0]), 0.95).tolist()
    [5.0, 28.0]
    """
    return demand.quantile(cycle_service)


@loop
def _fill(family: int, a: FloatArray, b: FloatArray, fill: FloatArray, stock: FloatArray) -> None:
    for i in range(a.size):
        mean = mean_of(family, a[i], b[i])
        stock[i] = math.nan
        if not (spread(family, a[i], b[i]) >= 0 and mean >= 0.0 and 0.0 <= fill[i] <= 1.0):
            continue
        if mean == 0.0:
            stock[i] = 0.0
            continue
        if fill[i] == 1.0:
            stock[i] = quantile(family, a[i], b[i], 1.0, 0.0)
            continue
        # The shortage is convex and at least mean - stock, so Newton's steps from here stay left of the answer.
        target = (1.0 - fill[i]) * mean
        x = mean - target
        for _ in range(200):
            gap = losses(family, a[i], b[i], x)[0] - target
            above = tails(family, a[i], b[i], x)[1]
            if gap <= 0.0 or above <= 0.0 or gap <= 1e-14 * above * abs(x):
                break
            x += gap / above
        if family in (POISSON, NEGATIVE_BINOMIAL):
            x = float(np.ceil(x - 1e-9))
            while losses(family, a[i], b[i], x)[0] > target * (1.0 + 1e-12):
                x += 1.0
        stock[i] = x + 0.0  # no -0


@loop
def _empirical_fill(
    values: FloatArray, weights: FloatArray, fill: FloatArray, stock: FloatArray, kind: int, levels: FloatArray
) -> None:
    for i in range(stock.size):
        row, weight = values[i], weights[i]
        short, left = empirical_losses(kind, levels, row, weight, 0.0)
        mean = short - left
        stock[i] = math.nan
        if not (mean >= 0.0 and 0.0 <= fill[i] <= 1.0):
            continue
        if mean == 0.0:
            stock[i] = 0.0
            continue
        if fill[i] == 1.0:
            stock[i] = empirical_quantile(kind, levels, row, weight, 1.0, 0.0, 1.0)
            continue
        target = (1.0 - fill[i]) * mean
        x = mean - target
        for _ in range(200):  # Newton's steps from the left of the answer, as above
            gap = empirical_losses(kind, levels, row, weight, x)[0] - target
            above = empirical_tails(kind, levels, row, weight, x)[1]
            if gap <= 0.0 or above <= 0.0 or gap <= 1e-14 * above * abs(x):
                break
            x += gap / above
        stock[i] = x + 0.0


def fill_rate_stock(demand: Demand | EmpiricalDemand, fill_rate: ArrayLike, *, parallel: bool = False) -> FloatArray:
    """Return the smallest stock that serves the share `fill_rate` of demand on average, units.

    Solves 1 - E[(X - stock)+] / E[X] >= fill rate; a whole number where demand is. A fill rate of 1 asks for the
    highest possible demand, inf where there is none.

    >>> fill_rate_stock(Demand.poisson([2.0, 20.0]), 0.95).tolist()
    [4.0, 22.0]
    >>> float(fill_rate_stock(EmpiricalDemand.samples([0, 0, 3, 5]), 0.875))
    4.0
    """
    if isinstance(demand, EmpiricalDemand):
        return demand.over_rows(_empirical_fill, [fill_rate], 1, parallel=parallel)[0]
    (stock,) = demand.over_blocks(_fill, [fill_rate], 1, parallel=parallel)
    return stock


def service_levels(demand: Demand | EmpiricalDemand, stock: ArrayLike) -> ServiceLevels:
    """Return what a stock promises: P(X <= stock), 1 - E[(X - stock)+] / E[X], and the expected rest on both sides.

    The fill rate is NaN where the mean demand is not above 0.

    >>> levels = service_levels(Demand.normal(5000, 707.1), 6000)
    >>> float(levels.cycle_service.round(4)), float(levels.fill_rate.round(4))
    (0.9214, 0.995)
    """
    shortage, mean = demand.loss(stock), demand.mean
    with np.errstate(invalid="ignore", divide="ignore"):
        fill = np.where(mean > 0.0, 1.0 - shortage / mean, np.nan)
    return ServiceLevels(demand.cdf(stock), fill[()], shortage, demand.leftover(stock))


def marginal_fill_rate(demand: Demand | EmpiricalDemand, units: ArrayLike) -> FloatArray:
    """Return the share of all demand that the k-th unit of stock serves, k = `units`: P(X >= k) / E[X].

    Over k = 1, 2, … it adds up to 1; of continuous demand it is the rate at `units`, per unit. NaN where the mean
    is not above 0.

    >>> marginal_fill_rate(Demand.poisson(2.0), [1, 2, 3, 4]).round(4).tolist()
    [0.4323, 0.297, 0.1617, 0.0714]
    """
    level = floats(units)
    served = demand.sf(np.ceil(level) - 1.0 if demand.discrete else level)
    mean = demand.mean
    with np.errstate(invalid="ignore", divide="ignore"):
        answer: FloatArray = np.where(mean > 0.0, served / mean, np.nan)
    return answer[()]
