"""Lost sales with a lead time, for the million: what to order now, and levels for simple policies.

With backorders a base-stock policy is optimal; with lost sales nothing simple is, and the backorder level can cost a
third too much (Zipkin 2008). Here are the myopic policy, which looks at the units on their way one by one, and base
stock with and without a cap on orders, whose levels are found on a sample path. `fullshelf.kernels.lost_sales_exact`
judges them: on Zipkin's instances the capped levels are within 2.5 % of the optimum.

Lead time L: the demand of L periods comes between the order and its arrival. Demand is independent from period to
period and counted in whole units; the work grows with the units per period, so count a fast mover in cases or hundreds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.sample_path import (
    common_shape,
    fill_path,
    flattened,
    length,
    path_order,
    tables_by_chunk,
)
from fullshelf.kernels.threads import in_threads

__all__ = ["LostSalesLevels", "lost_sales_levels", "lost_sales_order"]

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

_WARM_UP = 64


@dataclass(frozen=True, slots=True)
class LostSalesLevels:
    """A level and a cap for each SKU: order up to the level, at most the cap."""

    order_up_to: Array  # (S,) or scalar, units of inventory position
    most: Array  # (S,) or scalar, units of one order; inf: no cap
    cost: Array  # (S,) or scalar, currency per period: estimate on the sample path


def lost_sales_order(
    on_hand: ArrayLike,
    arrivals: ArrayLike,
    demand: Demand,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    *,
    parallel: bool = False,
) -> Array:
    """Return the order that is cheapest for the period in which it arrives: Zipkin's (2008) myopic policy.

    The distribution of the stock on arrival follows every unit on its way: what is lost before need not be covered.

    Parameters
    ----------
    on_hand
        (S,) or scalar: units now, at the end of a period; whole units, fractions are rounded.
    arrivals
        (S, L) or (L,): units that arrive at the start of the next, the second … L-th period; today's order arrives one
        period later. L = 0 is the newsvendor with stock.
    demand
        Demand of a period.
    holding_cost, shortage_cost
        Currency per unit left at the end of a period, per unit lost.
    parallel
        Use all of numba's threads instead of one.

    Returns
    -------
    (S,) or scalar
        Units. NaN where a cost is not above 0 or a quantity is negative or NaN.

    Raises
    ------
    ValueError
        If shapes do not broadcast or a SKU has no demand distribution.

    Examples
    --------
    >>> float(lost_sales_order(4, [5], Demand.poisson(5.0), 1, 9))
    5.0
    """
    coming = np.asarray(arrivals, dtype=np.float64)
    if coming.ndim == 0:
        raise ValueError("arrivals must be (S, L) or (L,): one column for each period of the lead time")
    shape = common_shape(on_hand, np.empty(coming.shape[:-1]), demand.mean, holding_cost, shortage_cost)
    flat = [flattened(value, shape) for value in (on_hand, holding_cost, shortage_cost)]
    L = coming.shape[-1]
    under_way = np.broadcast_to(coming, (*shape, L)).reshape(flat[0].size, L)
    order = np.empty(flat[0].size)
    for part, table in tables_by_chunk(demand, shape):
        rows = [array[part].copy() for array in (flat[0], under_way, flat[1], flat[2])]
        in_threads(_order_now, (table, *rows, order[part]), parallel=parallel)
    return np.asarray(order.reshape(shape)[()])


def lost_sales_levels(
    demand: Demand,
    holding_cost: ArrayLike,
    shortage_cost: ArrayLike,
    lead_time: ArrayLike,
    *,
    capped: bool = True,
    periods: int = 1024,
    parallel: bool = False,
) -> LostSalesLevels:
    """Return the base-stock level that is cheapest on a sample path, together with a cap on orders.

    The path holds every (i + 1/2) / periods quantile of demand once, in one random order for all SKUs, so its mean and
    its tail are those of the distribution. On a path the cost is convex in the level (Janakiraman and Roundy 2004); the
    cap comes from Xin (2021), Understanding the performance of capped base-stock policies.

    Parameters
    ----------
    demand
        Demand of a period for each SKU.
    holding_cost, shortage_cost
        Currency per unit left at the end of a period, per unit lost.
    lead_time
        L, whole periods of demand between order and arrival; scalar or (S,).
    capped
        Look for a cap as well.
    periods
        Length of the path; the work grows with it.
    parallel
        Use all of numba's threads instead of one.

    Returns
    -------
    LostSalesLevels
        NaN where a cost is not above 0 or the lead time is not a whole number of at least 0.

    Raises
    ------
    ValueError
        If shapes do not broadcast, a SKU has no demand distribution, or there are fewer than 16 periods.

    Examples
    --------
    The exact best level of this instance is 19:

    >>> levels = lost_sales_levels(Demand.poisson(5.0), 1, 9, lead_time=2, capped=False)
    >>> float(levels.order_up_to), round(float(levels.cost), 1)
    (19.0, 6.3)
    """
    shape = common_shape(demand.mean, holding_cost, shortage_cost, lead_time)
    flat = [flattened(value, shape) for value in (holding_cost, shortage_cost, lead_time)]
    shuffled = path_order(periods)
    answers = np.empty((flat[0].size, 3))
    for part, table in tables_by_chunk(demand, shape):
        rows = [array[part].copy() for array in flat]
        in_threads(_levels, (table, *rows, answers[part]), shuffled, capped, parallel=parallel)
    columns = [np.ascontiguousarray(answers[:, i]).reshape(shape)[()] for i in range(3)]
    return LostSalesLevels(*columns)


@loop
def _order_now(table: Array, on_hand: Array, arrivals: Array, holding: Array, shortage: Array, order: Array) -> None:
    L = arrivals.shape[1]
    for s in range(on_hand.size):
        order[s] = np.nan
        good = on_hand[s] >= 0.0 and holding[s] > 0.0 and shortage[s] > 0.0
        units = on_hand[s]
        for i in range(L):
            good = good and arrivals[s, i] >= 0.0
            units += arrivals[s, i]
        if not (good and units + shortage[s] + holding[s] < np.inf):
            continue
        K = length(table[s])
        pmf = table[s, :K]
        size = int(units) + L + 2
        stock = np.zeros(size)
        spare = np.zeros(size)
        top = int(np.floor(on_hand[s] + 0.5))
        stock[top] = 1.0
        for i in range(L):
            come = int(np.floor(arrivals[s, i] + 0.5))
            spare[: top + come + 1] = 0.0
            for w in range(top + 1):
                spare[w + come] = stock[w]
            top += come
            stock[: top + 1] = 0.0
            for d in range(K):  # demand outside, stock inside: the inner loop vectorises
                share = pmf[d]
                for w in range(d + 1, top + 1):
                    stock[w - d] += share * spare[w]
                for w in range(min(d, top) + 1):
                    stock[0] += share * spare[w]
        # P(D - stock on arrival <= z) by z; a surplus of stock counts at z = 0.
        ratio = shortage[s] / (shortage[s] + holding[s])
        z = 0
        while z < K:
            enough = 0.0
            below = 0.0
            d = 0
            for w in range(top + 1):
                while d < K and d <= w + z:
                    below += pmf[d]
                    d += 1
                enough += stock[w] * below
            if enough >= ratio:
                break
            z += 1
        order[s] = z


@core
def _path_cost(
    path: Array, L: int, level: float, most: float, holding: float, shortage: float, under_way: Array
) -> float:
    """Return the mean cost per period of a capped base-stock policy; `under_way` has room for L units."""
    T = path.size
    warm = min(T, _WARM_UP + 4 * L)
    under_way[:L] = 0.0
    stock = level
    coming = 0.0
    left = 0.0
    lost = 0.0
    slot = 0
    for t in range(-warm, T):
        demand = path[t] if t >= 0 else path[T + t]
        if L > 0:
            stock += under_way[slot]
            coming -= under_way[slot]
            order = min(max(level - stock - coming, 0.0), most)
            under_way[slot] = order
            coming += order
            slot += 1
            if slot == L:
                slot = 0
        else:
            stock += min(max(level - stock, 0.0), most)
        stock -= demand
        if stock < 0.0:
            lost += 0.0 if t < 0 else -stock
            stock = 0.0
        left += 0.0 if t < 0 else stock
    return (holding * left + shortage * lost) / T


@loop
def _levels(
    table: Array, holding: Array, shortage: Array, lead_time: Array, answers: Array, shuffled: Integers, capped: bool
) -> None:
    path = np.empty(shuffled.size)
    for s in range(holding.size):
        h, p = holding[s], shortage[s]
        L = int(lead_time[s]) if 0.0 <= lead_time[s] < 1e6 else -1
        if not (0.0 < h < np.inf and 0.0 < p < np.inf) or L < 0 or lead_time[s] != L:
            answers[s] = np.nan
            continue
        mean, sd = fill_path(table[s], shuffled, path)
        spread = sd * np.sqrt(L + 1.0)
        under_way = np.zeros(L + 1)
        level = np.floor((L + 1.0) * mean + spread + 0.5)
        best = _path_cost(path, L, level, np.inf, h, p, under_way)
        step = max(np.floor(0.5 * spread), 1.0)
        while True:
            moved = False
            for sign in (-1.0, 1.0):
                while level + sign * step >= 0.0:
                    cost = _path_cost(path, L, level + sign * step, np.inf, h, p, under_way)
                    if cost >= best:
                        break
                    best, level, moved = cost, level + sign * step, True
                if moved:
                    break
            if not moved:
                if step == 1.0:
                    break
                step = np.floor(0.5 * step)
        most = np.inf
        if capped and L > 0 and spread > 0.0:
            cap = np.floor(mean + 0.5 * spread / np.sqrt(L + 1.0)) + 1.0
            higher = level + 1.0
            capped_cost = _path_cost(path, L, higher, cap, h, p, under_way)
            step = max(np.floor(0.25 * spread), 1.0)
            while True:
                moved = False
                for move in range(6):  # the level, the cap, or both against each other
                    a = step * (1.0 if move in (0, 4) else -1.0 if move in (1, 5) else 0.0)
                    b = step * (1.0 if move in (2, 5) else -1.0 if move in (3, 4) else 0.0)
                    if higher + a < 0.0 or cap + b < 1.0:
                        continue
                    cost = _path_cost(path, L, higher + a, cap + b, h, p, under_way)
                    if cost < capped_cost:
                        capped_cost, higher, cap, moved = cost, higher + a, cap + b, True
                if not moved:
                    if step == 1.0:
                        break
                    step = np.floor(0.5 * step)
            if capped_cost < best:
                best, level, most = capped_cost, higher, cap
        answers[s, 0] = level
        answers[s, 1] = most
        answers[s, 2] = best
