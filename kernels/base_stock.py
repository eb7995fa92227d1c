"""Base stock: order back up to a level each period; backorders. Levels and what they cost.

An order placed when L periods of demand are to come before it counts must cover them and the period it is for: L + R
with R periods between two orders, the protection interval (lead time and review period as in DATA.md). Lead times are
fixed or random; `fullshelf.kernels.steady_state` says what any level comes to in the long run, and
`fullshelf.kernels.disruptions` has a supplier that fails at times.

All functions take scalars or arrays over SKUs. A SKU whose numbers make no problem (a cost that is not above 0, no
distribution) has NaN and harms no other.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels import newsvendor
from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.families import (
    GAMMA,
    INVALID,
    LOGNORMAL,
    NEGATIVE_BINOMIAL,
    NORMAL,
    POISSON,
    UNIFORM,
    losses,
    mean_of,
    spread,
    tails,
    variance_of,
)
from fullshelf.kernels.threads import in_threads, writeable

__all__ = [
    "BaseStock",
    "of_periods",
    "optimal",
    "random_lead_time",
]


@dataclass(frozen=True, slots=True)
class BaseStock:
    """A level for each SKU."""

    order_up_to: FloatArray  # S, units of inventory position
    cost: FloatArray  # currency per period
    expected_shortage: FloatArray  # units owed at the end of a period
    expected_leftover: FloatArray  # units held at the end of a period
    mean: FloatArray  # of the demand that the level covers, units
    variance: FloatArray  # of the same, units squared


def of_periods(demand: Demand, periods: ArrayLike) -> Demand:
    """Return the demand of several independent periods; of no period it is certainly 0.

    Raises
    ------
    ValueError
        If the family is not closed under sums (lognormal, uniform): tabulate it and convolve.

    Examples
    --------
    >>> float(of_periods(Demand.normal(50, 8), 4).variance)
    256.0
    """
    n = floats(periods)
    if demand.family in (LOGNORMAL, UNIFORM):
        raise ValueError("the total of lognormal or uniform periods is neither: use fullshelf.kernels.demand_table")
    if demand.family in (NORMAL, GAMMA):
        with np.errstate(invalid="ignore"):
            return Demand(demand.family, demand.a * n, demand.b * np.sqrt(n))
    return Demand(demand.family, demand.a * n, demand.b * n)


def optimal(
    demand: Demand,
    lead_time: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    *,
    review_period: ArrayLike = 1,
    parallel: bool = False,
) -> BaseStock:
    """Return the best level: the newsvendor's on the demand of L + R periods.

    Parameters
    ----------
    demand
        Of one period, independent from period to period.
    lead_time
        L, periods of demand between an order and its arrival.
    holding_cost, shortage_cost
        Currency per unit held and per unit owed at the end of a period; with R > 1 of the last one before a delivery.
    review_period
        R, periods between two orders.
    parallel
        Use all of numba's threads.

    Examples
    --------
    Snyder and Shen, example 4.4:

    >>> best = optimal(Demand.normal(50, 8), 4, holding_cost=0.18, shortage_cost=0.70)
    >>> round(float(best.order_up_to), 4), round(float(best.cost), 4)
    (264.7669, 4.4668)
    """
    h, p = floats(holding_cost), floats(shortage_cost)
    total = of_periods(demand, floats(lead_time) + floats(review_period))
    with np.errstate(invalid="ignore"):
        good = (h > 0) & (p > 0) & (floats(lead_time) >= 0) & (floats(review_period) > 0)
    answer = newsvendor.optimal(total, np.where(good, p, np.nan), np.where(good, h, np.nan), parallel=parallel)
    shape = np.shape(answer.quantity)
    mean, variance = (np.broadcast_to(value, shape)[()] for value in (total.mean, total.variance))
    return BaseStock(answer.quantity, answer.cost, answer.expected_shortage, answer.expected_leftover, mean, variance)


def random_lead_time(
    demand: Demand,
    lead_times: ArrayLike,
    probabilities: ArrayLike,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    *,
    review_period: ArrayLike = 0,
    parallel: bool = False,
) -> BaseStock:
    """Return the best level when the lead time is random, orders do not overtake each other, and all are alike.

    Lead-time demand is the mixture of the demand of ``lead_times + review_period`` periods (Zipkin, Foundations of
    Inventory Management, 7.2). With review period 0, the textbook's continuous review, the lead time alone is covered.

    Parameters
    ----------
    demand
        Of one period, independent from period to period and of the lead time.
    lead_times
        (M,) periods of 0 or more.
    probabilities
        (M,) or (S, M): of each lead time; each row sums to 1.
    holding_cost, shortage_cost
        Currency per unit held and per unit owed.
    review_period
        R, periods between two orders.
    parallel
        Use all of numba's threads.

    Raises
    ------
    ValueError
        If a lead time is negative or NaN, or probabilities are negative or do not sum to 1 within 1e-9.

    Examples
    --------
    >>> best = random_lead_time(Demand.poisson(0.8), [2, 6], [0.5, 0.5], holding_cost=1, shortage_cost=9)
    >>> float(best.order_up_to), round(float(best.variance), 2), round(float(best.expected_shortage), 4)
    (7.0, 5.76, 0.1056)
    """
    times, weights = floats(lead_times), floats(probabilities)
    if times.ndim != 1 or weights.ndim not in (1, 2) or weights.shape[-1] != times.size or times.size == 0:
        raise ValueError(
            f"give (M,) lead times and (M,) or (S, M) probabilities, got shapes {times.shape} and {weights.shape}"
        )
    if not (times >= 0).all() or not (weights >= 0).all() or (np.abs(weights.sum(-1) - 1.0) > 1e-9).any():
        raise ValueError("lead times and probabilities must be at least 0, and probabilities must sum to 1")
    values = [demand.a, demand.b, holding_cost, shortage_cost, review_period]
    shape = np.broadcast_shapes(*(np.shape(value) for value in values), weights.shape[:-1])
    rows = [writeable(np.broadcast_to(floats(value), shape).reshape(-1)) for value in values]
    rows.append(writeable(np.broadcast_to(weights, (*shape, times.size)).reshape(-1, times.size)))
    answers = np.empty((rows[0].size, 6))
    of_periods(demand, 1.0)  # refuses families that do not add up
    in_threads(_mixture, (*rows, answers), demand.family, writeable(times), parallel=parallel)
    return BaseStock(*(np.ascontiguousarray(answers[:, i]).reshape(shape)[()] for i in range(6)))


@core
def _mixed_cdf(
    family: int, a: NDArray[np.float64], b: NDArray[np.float64], weights: NDArray[np.float64], x: float
) -> float:
    total = 0.0
    for j in range(a.size):
        if weights[j] > 0.0:
            total += weights[j] * tails(family, a[j], b[j], x)[0]
    return total


@loop
def _mixture(
    a: FloatArray,
    b: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    review: FloatArray,
    weights: FloatArray,
    answers: FloatArray,
    family: int,
    times: FloatArray,
) -> None:
    M = times.size
    discrete = family in (POISSON, NEGATIVE_BINOMIAL)
    first, second = np.empty(M), np.empty(M)
    for i in range(a.size):
        for j in range(answers.shape[1]):
            answers[i, j] = np.nan
        h, p = holding[i], shortage[i]
        costs = 0.0 < h < np.inf and 0.0 < p < np.inf and 0.0 <= review[i] < np.inf
        if not costs or spread(family, a[i], b[i]) == INVALID:
            continue
        mean, square, within = 0.0, 0.0, 0.0
        for j in range(M):
            n = times[j] + review[i]
            first[j] = a[i] * n
            second[j] = b[i] * (n if discrete else np.sqrt(n))
            own = mean_of(family, first[j], second[j])
            mean += weights[i, j] * own
            square += weights[i, j] * own * own
            within += weights[i, j] * variance_of(family, first[j], second[j])
        variance = within + max(square - mean * mean, 0.0)
        ratio = p / (p + h)
        # Bracket the quantile in steps that double, then halve; whole units where demand comes in them.
        step = max(np.ceil(np.sqrt(variance)), 1.0) if discrete else max(np.sqrt(variance), 1e-9 * (1.0 + abs(mean)))
        high = np.floor(mean) if discrete else mean
        low = high - step
        width = step
        while _mixed_cdf(family, first, second, weights[i], high) < ratio and high < 1e300:
            low, high, width = high, high + width, 2.0 * width
        width = step
        while _mixed_cdf(family, first, second, weights[i], low) >= ratio:
            high, low, width = low, low - width, 2.0 * width
        while high - low > (1.0 if discrete else 1e-15 * (abs(low) + abs(high))):
            middle = np.floor(0.5 * (low + high)) if discrete else 0.5 * (low + high)
            if middle in (low, high):
                break
            if _mixed_cdf(family, first, second, weights[i], middle) >= ratio:
                high = middle
            else:
                low = middle
        short, left = 0.0, 0.0
        for j in range(M):
            more, less = losses(family, first[j], second[j], high)
            short += weights[i, j] * more
            left += weights[i, j] * less
        answers[i, 0] = high
        answers[i, 1] = h * left + p * short
        answers[i, 2] = short
        answers[i, 3] = left
        answers[i, 4] = mean
        answers[i, 5] = variance
