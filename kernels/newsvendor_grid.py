"""The cheapest order for demand given as quantiles: unconstrained, and in lots with a minimum, by expected cost.

The cost of a quantity q at the curves `need` (what the order must serve) and `outlast` (what it must outlast not to be
left over; the same curve where every unit left costs the same) is convex:

    G(q) = u E[(need - q)+] + a E[(q - need)+] + o E[(q - outlast)+]

u underage cost of a unit short, a and o overage costs of a unit left, all in currency per unit. Its slope is
G'(q) = -u (1 - F_need(q)) + a F_need(q) + o F_outlast(q), so where both curves are one, q is the quantile of `need` at
the critical ratio u / (u + a + o) (Arrow, Harris and Marschak 1951). Because G is convex, the best whole number of
lots is the one below or the one above that q, and the choice between no order and the smallest order is G(smallest) <
G(0). The same comparison is the exact reorder point of a given lot size, G(r) = G(r + Q): Zheng (1992), Management
Science 38.

Curves are knots of `quantile_grid`: levels (K,) that start with 0, values (S, K); they may be negative.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.quantile_grid import cdf_at, excess_at, value_at

__all__ = ["CERTAIN", "best_quantity", "cost_at", "fill_newsvendor_grid", "lots_of", "newsvendor_grid", "slope_at"]

Array = NDArray[np.float64]

CERTAIN = 1.0 - 1e-9  # highest level asked of a curve: what costs nothing to hold is still not ordered without end


@loop
def newsvendor_grid(levels: Array, values: Array, underage: Array, overage: Array) -> Array:
    """Return the newsvendor quantity (S,): the quantile at underage / (underage + overage), never below 0.

    Parameters
    ----------
    levels, values
        Knots (K,) and (S, K) of demand, `quantile_grid.knots`.
    underage, overage
        (S,) currency per unit short and per unit left. Both 0: nothing is ordered. NaN in, NaN out. Overage 0: the
        quantile at 1 - 1e-9.

    Examples
    --------
    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([[0.0, 10.0, 18.0]])
    >>> newsvendor_grid(levels, values, np.array([7.0]), np.array([3.0])).tolist()
    [14.0]
    """
    out = np.empty(values.shape[0])
    fill_newsvendor_grid(values, underage, overage, out, levels)
    return out


@loop
def fill_newsvendor_grid(values: Array, underage: Array, overage: Array, out: Array, levels: Array) -> None:
    """Fill `out` (S,) with what `newsvendor_grid` returns: by `threads.in_threads`, without a copy of the answers.

    >>> levels, values, out = np.array([0.0, 0.5, 0.9]), np.array([[0.0, 10.0, 18.0]]), np.empty(1)
    >>> fill_newsvendor_grid(values, np.array([7.0]), np.array([3.0]), out, levels)
    >>> out.tolist()
    [14.0]
    """
    last = levels.size - 1
    top = levels[last]
    for s in range(out.size):
        under = underage[s]
        total = under + overage[s]
        if math.isnan(total):
            out[s] = np.nan
        elif under <= 0.0:
            out[s] = 0.0
        else:
            ratio = min(under / total, CERTAIN)
            if 0.0 < ratio < top:
                # `value_at` without a branch that depends on the data: 2.5 times as fast, at 55 % of the triad.
                k = 0
                for j in range(1, last):
                    k += 1 if levels[j] <= ratio else 0
                low = values[s, k]
                share = (ratio - levels[k]) / (levels[k + 1] - levels[k])
                out[s] = max(0.0, low + share * (values[s, k + 1] - low))
            else:
                out[s] = max(0.0, value_at(levels, values[s], ratio))


@core
def slope_at(
    levels: Array, need: Array, outlast: Array, underage: float, overage: float, outlast_cost: float, q: float
) -> float:
    """G'(q): expected cost of one unit more, currency per unit.

    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([0.0, 4.0, 8.0])
    >>> slope_at(levels, values, values, 3.0, 1.0, 0.0, 4.0)
    -1.0
    """
    served = cdf_at(levels, need, q)
    return -underage * (1.0 - served) + overage * served + outlast_cost * cdf_at(levels, outlast, q)


@core
def cost_at(
    levels: Array, need: Array, outlast: Array, underage: float, overage: float, outlast_cost: float, q: float,
    need_mean: float, outlast_mean: float,
) -> float:  # fmt: skip
    """G(q): expected cost of a quantity, currency; the means of the curves are passed because callers ask often.

    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([0.0, 4.0, 8.0])
    >>> round(cost_at(levels, values, values, 3.0, 1.0, 0.0, 4.0, 4.448534, 4.448534), 4)
    5.3456
    """
    short = excess_at(levels, need, q)
    total = underage * short + overage * (q - need_mean + short)
    if outlast_cost > 0.0:
        total += outlast_cost * (q - outlast_mean + excess_at(levels, outlast, q))
    return total


@core
def best_quantity(
    levels: Array, need: Array, outlast: Array, underage: float, overage: float, outlast_cost: float, same: bool
) -> float:
    """Return the unconstrained q where G' crosses 0; negative where what is there is already too much.

    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([0.0, 4.0, 8.0])
    >>> round(best_quantity(levels, values, values, 3.0, 1.0, 0.0, True), 9)
    6.5
    """
    if underage <= 0.0:
        return float(min(need[0], 0.0))
    if same or outlast_cost <= 0.0:
        ratio = underage / (underage + overage + max(outlast_cost, 0.0))
        return value_at(levels, need, min(ratio, CERTAIN))
    low = min(need[0], outlast[0])
    high = value_at(levels, need, min(underage / (underage + overage), CERTAIN))  # there G' >= 0: o F >= 0 comes on top
    for _ in range(100):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        if slope_at(levels, need, outlast, underage, overage, outlast_cost, middle) < 0.0:
            low = middle
        else:
            high = middle
        if high - low <= 1e-12 * max(abs(low), abs(high)):
            break
    return high


@core
def lots_of(
    levels: Array, need: Array, outlast: Array, underage: float, waiting: float, overage: float, outlast_cost: float,
    free: float, pack: float, smallest: float, trial: float, most: float, need_mean: float, outlast_mean: float,
) -> float:  # fmt: skip
    """Return the cheapest of 0 and the multiples of `pack` from `smallest` to `most`; `free` is the best without packs.

    `smallest` is itself a multiple of `pack`. Where it is more than `free`, it is ordered if `trial` units are cheaper
    than none; `trial` is `smallest`, or an economic lot before it was rounded to packs: decided on the rounded lot,
    an order could vanish when demand rises and the lot jumps by a pack. There a unit short costs `waiting`, elsewhere
    `underage`. Among equals the smaller is taken. An infinite `waiting` says that `free` is a promise to customers: the
    least lots that keep it are ordered, whatever they cost.

    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([0.0, 4.0, 8.0])
    >>> lots_of(levels, values, values, 3.0, 3.0, 1.0, 0.0, 6.5, 6.0, 6.0, 6.0, np.inf, 4.4485, 4.4485)
    6.0
    """
    if underage <= 0.0 or free <= 0.0:
        return 0.0
    top = np.floor(most / pack + 1e-9) * pack
    if top < smallest:
        return 0.0
    if waiting == math.inf:
        return float(min(max(np.ceil(free / pack - 1e-9) * pack, smallest), top))
    if free < smallest:
        none = cost_at(levels, need, outlast, waiting, overage, outlast_cost, 0.0, need_mean, outlast_mean)
        tried = cost_at(levels, need, outlast, waiting, overage, outlast_cost, trial, need_mean, outlast_mean)
        return smallest if tried < none - 1e-12 * abs(none) else 0.0
    below = float(min(np.floor(free / pack + 1e-9) * pack, top))
    above = min(below + pack, top)
    cost = cost_at(levels, need, outlast, underage, overage, outlast_cost, below, need_mean, outlast_mean)
    more = cost_at(levels, need, outlast, underage, overage, outlast_cost, above, need_mean, outlast_mean)
    return float(above) if more < cost - 1e-12 * abs(cost) else below
