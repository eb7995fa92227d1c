"""What a base-stock level comes to in the long run: stock, backorders, cycle service and fill rate; backorders.

Each R periods an order lifts the inventory position to the level S and arrives L periods later, at the start of a
period. The net stock at the end of the j-th period of its cycle, j = 1 … R, is S less the demand of L + j periods,
right after the delivery S less that of L (Zipkin, Foundations of Inventory Management, chapter 6; Silver, Pyke and
Thomas, section 6.9).

>>> found = steady_state(Demand.poisson(5), 2, 15)
>>> [round(float(x), 4) for x in (found.expected_leftover, found.cycle_service, found.fill_rate)]
[1.5365, 0.5681, 0.7134]
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from fullshelf.kernels.base_stock import of_periods
from fullshelf.kernels.blocks import FloatArray, floats
from fullshelf.kernels.distributions import Demand

__all__ = ["SteadyState", "steady_state", "steady_state_of_random_lead_time"]


@dataclass(frozen=True, slots=True)
class SteadyState:
    """What a level comes to in the long run, one entry for each SKU."""

    expected_leftover: FloatArray  # units held at the end of a period, mean over the periods
    expected_shortage: FloatArray  # units owed at the end of a period, mean over the periods
    cycle_service: FloatArray  # probability that a replenishment cycle ends without units owed
    fill_rate: FloatArray  # share of demand that is served in its period


def steady_state(
    demand: Demand, lead_time: ArrayLike, level: ArrayLike, *, review_period: ArrayLike = 1
) -> SteadyState:
    """Return the long-run figures of a level.

    cycle service = P(D(L + R) <= S); fill rate = 1 - (E[owed before a delivery] - E[owed after it]) / (R E[D]) with
    E[owed after n periods] = E[(D(n) - S)+].

    Parameters
    ----------
    demand
        Of one period, independent from period to period: normal, gamma, Poisson or negative binomial.
    lead_time
        L, periods of demand between an order and its arrival, 0 or more.
    level
        S, units of inventory position.
    review_period
        R, whole periods between two orders.

    Returns
    -------
    SteadyState
        NaN where the lead time is negative or the review period is no whole number of at least 1; the fill rate also
        without demand.

    Raises
    ------
    ValueError
        If the family is not closed under sums (lognormal, uniform).

    Examples
    --------
    >>> found = steady_state(Demand.normal(50, 8), 2, 260, review_period=3)
    >>> [round(float(x), 4) for x in (found.expected_leftover, found.cycle_service, found.fill_rate)]
    [61.0746, 0.7119, 0.9785]
    """
    L, S, R = (floats(value) for value in (lead_time, level, review_period))
    shape = np.broadcast_shapes(demand.a.shape, demand.b.shape, L.shape, S.shape, R.shape)
    L, S, R = (np.broadcast_to(value, shape) for value in (L, S, R))
    proper = (L >= 0.0) & (R >= 1.0) & (np.floor(R) == R) & np.isfinite(L + R)
    length = np.where(proper, R, 1.0)
    left, short = np.zeros(shape), np.zeros(shape)
    for j in range(1, int(length.max(initial=1.0)) + 1):
        total = of_periods(demand, np.where(proper, L + j, 0.0))
        left += np.where(j <= length, total.leftover(S), 0.0)
        short += np.where(j <= length, total.loss(S), 0.0)
    end, start = (of_periods(demand, np.where(proper, periods, 0.0)) for periods in (L + R, L))
    mean = np.broadcast_to(demand.mean, shape)
    with np.errstate(invalid="ignore", divide="ignore"):
        fill = np.clip(1.0 - (end.loss(S) - start.loss(S)) / (length * mean), 0.0, 1.0)
        fill = np.where(mean > 0, fill, np.nan)
    figures = (left / length, short / length, end.cdf(S), fill)
    return SteadyState(*(np.where(proper, figure, np.nan)[()] for figure in figures))


def steady_state_of_random_lead_time(
    demand: Demand,
    lead_times: ArrayLike,
    probabilities: ArrayLike,
    level: ArrayLike,
    *,
    review_period: ArrayLike = 1,
) -> SteadyState:
    """Return the long-run figures of a level when lead times are random and orders do not overtake each other.

    Each figure is the mean, over lead times, of that of a fixed one (Zipkin, section 7.4: with R = 1 the net stock at
    the end of a period is S less the demand of a random lead time and a period). With R > 1 the mean over cycles, each
    counted R periods from its delivery.

    Parameters
    ----------
    demand, level, review_period
        As of `steady_state`.
    lead_times
        (M,) periods of 0 or more.
    probabilities
        (M,) or (S, M): of each lead time; each row sums to 1.

    Raises
    ------
    ValueError
        If a lead time is negative or NaN, probabilities are negative or do not sum to 1 within 1e-9, or the family is
        not closed under sums.

    Examples
    --------
    >>> found = steady_state_of_random_lead_time(Demand.poisson(0.8), [2, 6], [0.5, 0.5], 7)
    >>> [round(float(x), 4) for x in (found.expected_leftover, found.cycle_service, found.fill_rate)]
    [3.2149, 0.8968, 0.8633]
    """
    times, weights = floats(lead_times), floats(probabilities)
    if times.ndim != 1 or weights.ndim not in (1, 2) or weights.shape[-1] != times.size or times.size == 0:
        raise ValueError(
            f"give (M,) lead times and (M,) or (S, M) probabilities, got shapes {times.shape} and {weights.shape}"
        )
    if not (times >= 0).all() or not (weights >= 0).all() or (np.abs(weights.sum(-1) - 1.0) > 1e-9).any():
        raise ValueError("lead times and probabilities must be at least 0, and probabilities must sum to 1")
    each = [steady_state(demand, time, level, review_period=review_period) for time in times]
    names = ("expected_leftover", "expected_shortage", "cycle_service", "fill_rate")
    return SteadyState(*(sum(weights[..., m] * getattr(found, name) for m, found in enumerate(each)) for name in names))
