"""Service promises on a requirement curve: the cycle service that a fill rate takes, and the costs that imply it.

No normal demand anywhere: both are read from the curve `need` of what an order must serve (`net_requirement`).
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.quantile_grid import cdf_at, excess_at, value_at

__all__ = ["cycle_service_of_fill", "underage_for_service"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

LEAST = 1e-6  # a service level stays this far from 0 and 1: there no cost implies it
PARTS = 32  # of a span, when an average over it is taken


@core
def mean_excess(levels: Array, curve: Array, low: float, span: float) -> float:
    """E[(need - q)+] averaged over stocks q from `low` to `low + span`, units: by the midpoints of `PARTS` parts."""
    if span <= 0.0:
        return excess_at(levels, curve, low)
    total = 0.0
    for i in range(PARTS):
        total += excess_at(levels, curve, low + span * (i + 0.5) / PARTS)
    return total / PARTS


@loop
def cycle_service_of_fill(levels: Array, need: Array, wanted: Array, span: Array, fill: Array) -> Array:
    """Return the cycle service levels (S,) of the orders that serve the share `fill` (S,) of demand; NaN for NaN.

    An order that brings stock to q loses E[(need - q)+] of its cycle's demand. Lots leave stock anywhere from the least
    that needs no order, q, to q + span, all about equally often (Silver, Pyke and Thomas 2017, 6.7; Hadley and Whitin
    1963), so q solves: the mean of E[(need - x)+] over x = q … q + span is (1 - fill) wanted. The answer is
    P(need <= q).

    Parameters
    ----------
    levels, need
        (K,) and (S, K) units, knots of `quantile_grid`.
    wanted
        (S,) units: expected demand of the periods from an order's arrival to the next one's.
    span
        (S,) units by which lots bring stock above the least; 0: units are ordered singly.

    Examples
    --------
    Demand uniform on 0 … 10 and 98 % of the mean of 5: (10 - q)² / 20 = 0.1.

    >>> levels, need = np.array([0.0, 1.0 - 1e-9]), np.array([[0.0, 10.0]])
    >>> cycle_service_of_fill(levels, need, np.array([5.0]), np.zeros(1), np.array([0.98])).round(4).tolist()
    [0.8586]
    """
    out = np.full(need.shape[0], np.nan)
    for s in range(need.shape[0]):
        if math.isnan(fill[s]):
            continue
        curve, allowed = need[s], (1.0 - fill[s]) * wanted[s]
        low = curve[0] - allowed - span[s]  # there at least E[need] - low - span is lost
        high = curve[levels.size - 1]
        step = max(high - low, 1e-9)
        for _ in range(60):
            if mean_excess(levels, curve, high, span[s]) <= allowed:
                break
            high += step
            step *= 2.0
        for _ in range(100):
            middle = 0.5 * (low + high)
            if not low < middle < high:
                break
            if mean_excess(levels, curve, middle, span[s]) > allowed:
                low = middle
            else:
                high = middle
            if high - low <= 1e-9 * max(abs(low), abs(high)):
                break
        out[s] = min(max(cdf_at(levels, curve, high), LEAST), 1.0 - LEAST)
    return out


@loop
def underage_for_service(
    levels: Array, need: Array, outlast: Array, same: Flags, outlast_cost: Array, service: Array
) -> Array:
    """Underage costs (S,) that make service levels (S,) the cheapest: P(no stock-out) = service at the optimum.

    NaN where the service is NaN.
    """
    out = np.full(need.shape[0], np.nan)
    for s in range(need.shape[0]):
        if math.isnan(service[s]):
            continue
        q = value_at(levels, need[s], service[s])
        lasting = cdf_at(levels, outlast[s], q)
        if same[s]:  # at an atom of demand the cdf jumps past the service that is asked
            lasting = min(lasting, service[s])
        out[s] = outlast_cost[s] * max(lasting, 1e-3) / (1.0 - service[s])
    return out
