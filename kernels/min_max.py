"""The (s, S) policy: order up to S whenever the inventory position is at or below s; periodic review, backorders.

Demand comes in whole units. At the start of a period the position is seen and the order placed; it arrives L periods
later, and at the end of that period each unit held costs h and each unit owed p. With demand D of L + 1 periods and
``G(y) = h E[(y - D)+] + p E[(D - y)+]`` the policy costs ``(K + sum over d < S - s of m(d) G(S - d)) / M(S - s)`` a
period, where m is the renewal density of one period's demand and M its sum. The best is found as in Zheng and
Federgruen (1991), Finding optimal (s, S) policies is about as simple as evaluating a single policy.

Beside DATA.md's lead time (ordered at the end of a period): the same L.

>>> best = poisson(6, 0, holding_cost=1, shortage_cost=4, order_cost=5)  # Snyder and Shen, example 4.7
>>> float(best.reorder_point), float(best.order_up_to), round(float(best.cost), 4)
(4.0, 10.0, 8.0341)
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.blocks import FloatArray, over_blocks
from fullshelf.kernels.compile import loop
from fullshelf.kernels.demand_table import checked_table, sum_of_periods
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.families import NEGATIVE_BINOMIAL, POISSON
from fullshelf.kernels.min_max_search import policies
from fullshelf.kernels.special import normal_quantile

__all__ = [
    "MinMax",
    "cost",
    "discrete",
    "discrete_cost",
    "negative_binomial",
    "optimal",
    "poisson",
    "power_approximation",
]

_BLOCK = 64


@dataclass(frozen=True, slots=True)
class MinMax:
    """A policy for each SKU."""

    reorder_point: FloatArray  # s, units: order at or below it
    order_up_to: FloatArray  # S, units
    cost: FloatArray  # currency per period


def optimal(
    demand: Demand,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
    *,
    parallel: bool = False,
) -> MinMax:
    """Return the best policy for Poisson or negative binomial demand.

    Of reorder points that cost the same the one at which not ordering would cost more than the average (so s is unique
    even where demand always jumps over some positions).

    Parameters
    ----------
    demand
        Demand of one period, independent from period to period.
    lead_time
        L, whole periods of 0 or more.
    holding_cost, shortage_cost
        Currency per unit held and per unit owed at the end of a period.
    order_cost
        Currency per order, 0 or more; 0 gives the base-stock policy S = s + 1.
    parallel
        Use all of numba's threads.

    Returns
    -------
    MinMax
        NaN where a cost is not above 0 (the order cost may be 0), the lead time is no whole number, there is no demand,
        or the search would need more than 4e8 multiplications: `power_approximation` then comes close.

    Raises
    ------
    ValueError
        If demand is continuous: round it to units with `fullshelf.kernels.demand_table` and call `discrete`.

    Examples
    --------
    Snyder and Shen, example 4.7:

    >>> best = optimal(Demand.poisson(6), 0, holding_cost=1, shortage_cost=4, order_cost=5)
    >>> float(best.reorder_point), float(best.order_up_to), round(float(best.cost), 4)
    (4.0, 10.0, 8.0341)
    """
    mean, variance = _moments(demand)
    costs = [holding_cost, shortage_cost, order_cost]
    return _solve([mean, variance, lead_time, *costs], (np.empty(0), np.empty(0)), parallel=parallel)


def poisson(
    mean: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
    *,
    parallel: bool = False,
) -> MinMax:
    """Return the best policy for Poisson demand with a mean per period, see `optimal`.

    >>> best = poisson([6, 12], 0, holding_cost=1, shortage_cost=4, order_cost=5)
    >>> best.reorder_point.tolist(), best.order_up_to.tolist()
    ([4.0, 10.0], [10.0, 15.0])
    """
    return optimal(Demand.poisson(mean), lead_time, holding_cost, shortage_cost, order_cost, parallel=parallel)


def negative_binomial(
    mean: ArrayLike,
    variance: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
    *,
    parallel: bool = False,
) -> MinMax:
    """Return the best policy for negative binomial demand with mean and variance per period, see `optimal`.

    >>> best = negative_binomial(5, 15, 2, holding_cost=1, shortage_cost=9, order_cost=20)
    >>> float(best.reorder_point), float(best.order_up_to), round(float(best.cost), 4)
    (16.0, 32.0, 21.1258)
    """
    demand = Demand.negative_binomial(mean, variance)
    return optimal(demand, lead_time, holding_cost, shortage_cost, order_cost, parallel=parallel)


def cost(
    reorder_point: ArrayLike,
    order_up_to: ArrayLike,
    demand: Demand,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
) -> FloatArray:
    """Return the cost of a policy under Poisson or negative binomial demand; NaN where s < S are no whole numbers.

    Examples
    --------
    >>> round(float(cost(4, 10, Demand.poisson(6), 0, 1, 4, 5)), 4)
    8.0341
    """
    mean, variance = _moments(demand)
    numbers = [mean, variance, lead_time, holding_cost, shortage_cost, order_cost]
    return _solve(numbers, (np.empty(0), np.empty(0)), (reorder_point, order_up_to)).cost


def discrete(
    table: ArrayLike,
    lead_time: int,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
    *,
    parallel: bool = False,
) -> MinMax:
    """Return the best policy for demand with any table of probabilities (K,), entry k P(D = k); costs over SKUs.

    Examples
    --------
    >>> best = discrete([0.25, 0.5, 0.25], 1, holding_cost=1, shortage_cost=9, order_cost=4)
    >>> float(best.reorder_point), float(best.order_up_to)
    (2.0, 5.0)
    """
    numbers = [1.0, 1.0, lead_time, holding_cost, shortage_cost, order_cost]
    return _solve(numbers, _tables(table, lead_time), parallel=parallel)


def discrete_cost(
    reorder_point: ArrayLike,
    order_up_to: ArrayLike,
    table: ArrayLike,
    lead_time: int,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
) -> FloatArray:
    """Return the cost of a policy for demand with a table of probabilities, see `discrete` and `cost`.

    >>> round(float(discrete_cost(2, 5, [0.25, 0.5, 0.25], 1, holding_cost=1, shortage_cost=9, order_cost=4)), 4)
    3.517
    """
    numbers = [1.0, 1.0, lead_time, holding_cost, shortage_cost, order_cost]
    return _solve(numbers, _tables(table, lead_time), (reorder_point, order_up_to)).cost


def power_approximation(
    mean: ArrayLike,
    sd: ArrayLike,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    order_cost: ArrayLike,
    *,
    truncate: bool = False,
) -> MinMax:
    """Return the power approximation of Ehrhardt and Mosier (1984), fitted to optimal policies.

    With the mean m of a period and mean m_L and standard deviation s_L of L + 1 periods:
    ``Q = 1.30 m^0.494 (K / h)^0.506 (1 + s_L^2 / m^2)^0.116``, ``z = sqrt(Q h / (s_L p))``,
    ``s = 0.973 m_L + s_L (0.183 / z + 1.063 - 2.192 z)``, ``S = s + Q``.

    Parameters
    ----------
    mean, sd
        Of demand per period.
    lead_time
        L, periods of 0 or more.
    holding_cost, shortage_cost, order_cost
        As in `optimal`; the order cost must be above 0.
    truncate
        Where Q is at most 1.5 m, hold s and S at or below the newsvendor's level ``m_L + s_L F^-1(p / (p + h))``, as
        Ehrhardt and Mosier do; Snyder and Shen leave it out.

    Returns
    -------
    MinMax
        No whole numbers; the cost is NaN, for the rule gives none (`cost` has it for whole levels). All NaN where a
        parameter is out of its range, or the standard deviation is 0.

    Examples
    --------
    Snyder and Shen, example 4.8:

    >>> rule = power_approximation(50, 8, 0, holding_cost=0.18, shortage_cost=0.70, order_cost=2.5)
    >>> round(float(rule.reorder_point), 4), round(float(rule.order_up_to), 4)
    (40.1946, 74.2902)
    """
    arguments = [mean, sd, lead_time, holding_cost, shortage_cost, order_cost]
    point, level = over_blocks(_power, arguments, 2, fixed=(truncate,))
    return MinMax(point, level, np.full(np.shape(point), np.nan)[()])


def _solve(
    numbers: list[ArrayLike],
    tables: tuple[NDArray[np.float64], NDArray[np.float64]],
    given: tuple[ArrayLike, ArrayLike] | None = None,
    *,
    parallel: bool = False,
) -> MinMax:
    """Find the best policies, or the cost of given ones, as `min_max_search.policies` wants it asked."""
    fixed = (*tables, given is None)
    arguments = [*numbers, *(given or (0.0, 0.0))]
    return MinMax(*over_blocks(policies, arguments, 3, fixed=fixed, parallel=parallel, block=_BLOCK))


def _moments(demand: Demand) -> tuple[FloatArray, FloatArray]:
    if demand.family not in (POISSON, NEGATIVE_BINOMIAL):
        raise ValueError(
            "demand is continuous: an (s, S) policy here counts units; tabulate it (fullshelf.kernels.demand_table) "
            "and call min_max.discrete"
        )
    return demand.a, demand.a if demand.family == POISSON else demand.b


def _tables(table: ArrayLike, lead_time: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if lead_time != int(lead_time) or lead_time < 0:
        raise ValueError(f"lead_time must be a whole number of at least 0, got {lead_time}")
    one = checked_table(table)
    return one, sum_of_periods(one, int(lead_time) + 1)


@loop
def _power(
    truncate: bool,
    mean: FloatArray,
    sd: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    ordering: FloatArray,
    point: FloatArray,
    level: FloatArray,
) -> None:
    for i in range(mean.size):
        m, h, p, k = mean[i], holding[i], shortage[i], ordering[i]
        point[i] = level[i] = np.nan
        costs = 0.0 < h < np.inf and 0.0 < p < np.inf and 0.0 < k < np.inf
        if not (costs and 0.0 < m < np.inf and 0.0 < sd[i] < np.inf and 0.0 <= lead_time[i] < np.inf):
            continue
        total, spread = m * (lead_time[i] + 1.0), sd[i] * np.sqrt(lead_time[i] + 1.0)
        q = 1.30 * m**0.494 * (k / h) ** 0.506 * (1.0 + (spread / m) ** 2) ** 0.116
        z = np.sqrt(q * h / (spread * p))
        s = 0.973 * total + spread * (0.183 / z + 1.063 - 2.192 * z)
        point[i], level[i] = s, s + q
        if truncate and q <= 1.5 * m:
            most = total + spread * normal_quantile(p / (p + h), h / (p + h))
            point[i], level[i] = min(s, most), min(s + q, most)
