"""Compiled search for the best (s, S) policy: Zheng and Federgruen's (1991) algorithm on windows of whole numbers.

A window is where a distribution has any probability that counts: beyond it G is a straight line. So means of a million
need as much work as their standard deviation, not as their mean.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.blocks import FloatArray
from fullshelf.kernels.compile import core, loop

__all__ = ["policies"]

_SMALLEST = 1e-20  # of a probability, as a share of the largest
_POSITIONS = 20_000_000
_WORK = 4e8  # multiplications, about a second


@core
def _window(mean: float, variance: float) -> tuple[int, NDArray[np.float64]]:
    """Return the first number of units and the probabilities from there; Poisson where variance = mean.

    From the mode, taken as 1, by the ratio of neighbours in both directions; then divided by the sum.
    """
    extra = max((variance - mean) / mean, 0.0)
    share = 1.0 / (1.0 + extra)
    mode = 1.0 * np.floor(max(mean - extra, 0.0))
    low, mass = mode, 1.0
    while low > 0.0 and mass > _SMALLEST:
        mass *= low / ((mean + extra * (low - 1.0)) * share)
        low -= 1.0
    high, mass = mode, 1.0
    while mass > _SMALLEST and high - low < _POSITIONS:
        mass *= (mean + extra * high) * share / (high + 1.0)
        high += 1.0
    masses = np.empty(int(high - low) + 1)
    at = int(mode - low)
    masses[at] = 1.0
    for i in range(at, 0, -1):
        k = low + i
        masses[i - 1] = masses[i] * k / ((mean + extra * (k - 1.0)) * share)
    for i in range(at, masses.size - 1):
        k = low + i
        masses[i + 1] = masses[i] * (mean + extra * k) * share / (k + 1.0)
    total = 0.0
    for i in range(masses.size):
        total += masses[i]
    for i in range(masses.size):
        masses[i] /= total
    return int(low), masses


@core
def _losses(masses: NDArray[np.float64], h: float, p: float) -> NDArray[np.float64]:
    """Return G at the positions from the window's first to the one after its last, (masses.size + 1,)."""
    n = masses.size
    g = np.zeros(n + 1)
    below = 0.0
    left = 0.0
    for i in range(n):  # E[(y - D)+] rises by P(D <= y)
        below += masses[i]
        left += below
        g[i + 1] = h * left
    above = 0.0
    short = 0.0
    for i in range(n - 1, -1, -1):  # E[(D - y)+] falls by P(D > y)
        short += above
        g[i] += p * short
        above += masses[i]
    return g


@core
def _g(y: int, first: int, g: NDArray[np.float64], h: float, p: float) -> float:
    """Return G(y), a straight line outside the window."""
    i = y - first
    if i < 0:
        return float(g[0] - p * i)
    if i >= g.size:
        return float(g[g.size - 1] + h * (i - g.size + 1))
    return float(g[i])


@core
def _renewed(
    values: NDArray[np.float64], at: int, own: float, first: int, masses: NDArray[np.float64], some: float
) -> float:
    """Return ``(own + sum over l of P(D = l) values[at - l]) / P(D > 0)``, 1 <= l <= at.

    The renewal equation of all sums over the positions that demand passes before the next order.
    """
    total = own
    for units in range(max(first, 1), min(first + masses.size - 1, at) + 1):
        total += masses[units - first] * values[at - units]
    return float(total / some)


@core
def _longer(values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    longer = np.zeros(max(2 * values.size, size))
    for i in range(values.size):  # a copied slice would compile its error message, for seconds
        longer[i] = values[i]
    return longer


@core
def _cost_of(
    s: int,
    S: int,
    one_first: int,
    one: NDArray[np.float64],
    some: float,
    first: int,
    g: NDArray[np.float64],
    h: float,
    p: float,
    k: float,
) -> float:
    """Return the average cost of one policy."""
    spent = np.zeros(S - s)  # by position s + 1 + j: expected G until the next order
    lived = np.zeros(S - s)  # … expected periods until then
    for j in range(S - s):
        spent[j] = _renewed(spent, j, _g(s + 1 + j, first, g, h, p), one_first, one, some)
        lived[j] = _renewed(lived, j, 1.0, one_first, one, some)
    return float((k + spent[S - s - 1]) / lived[S - s - 1])


@core
def _search(
    one_first: int,
    one: NDArray[np.float64],
    some: float,
    first: int,
    g: NDArray[np.float64],
    h: float,
    p: float,
    k: float,
) -> tuple[float, float, float]:
    """Return s, S and their cost; NaN where the search would be too long."""
    lowest = 0
    for i in range(g.size):
        if g[i] < g[lowest]:
            lowest = i
    start = S = first + lowest
    s = S - 1
    m = np.zeros(64)  # renewal density: expected visits of the position d below the order-up-to level
    m[0] = 1.0 / some
    above, below = k + m[0] * _g(S, first, g, h, p), m[0]
    while above > below * _g(s, first, g, h, p):
        s -= 1
        d = S - s - 1
        if d >= m.size:
            m = _longer(m, d + 1)
        m[d] = _renewed(m, d, 0.0, one_first, one, some)
        above += m[d] * _g(s + 1, first, g, h, p)
        below += m[d]
        if (S - s) * min(one.size, S - s) > _WORK:
            return np.nan, np.nan, np.nan
    least = above / below
    best = S
    # From here S rises and s with it. By position y - origin: expected G and periods from y to the next order below it.
    origin = s + 1
    spent = np.zeros(m.size)
    lived = np.zeros(m.size)
    for y in range(origin, S + 1):
        spent[y - origin] = _renewed(spent, y - origin, _g(y, first, g, h, p), one_first, one, some)
        lived[y - origin] = _renewed(lived, y - origin, 1.0, one_first, one, some)
    while True:
        S += 1
        at = S - origin
        if _g(S, first, g, h, p) > least:
            break
        if (S - start) * min(one.size, S - s) > _WORK:
            return np.nan, np.nan, np.nan
        if at >= m.size:
            m, spent, lived = _longer(m, at + 1), _longer(spent, at + 1), _longer(lived, at + 1)
        visits, cost, periods = 0.0, _g(S, first, g, h, p), 1.0
        for units in range(max(one_first, 1), min(one_first + one.size - 1, at) + 1):  # three `_renewed` at once
            share = one[units - one_first]
            visits += share * m[at - units]
            cost += share * spent[at - units]
            periods += share * lived[at - units]
        m[at], spent[at], lived[at] = visits / some, cost / some, periods / some
        if k + spent[at] < least * lived[at]:
            best = S
            least = (k + spent[at]) / lived[at]
            while least <= _g(s + 1, first, g, h, p):
                s += 1  # the position s is now one to order at: its visits leave all sums above it
                mine = _g(s, first, g, h, p)
                spent[s - origin] = lived[s - origin] = 0.0
                for y in range(s + 1, S + 1):
                    spent[y - origin] -= m[y - s] * mine
                    lived[y - origin] -= m[y - s]
                least = (k + spent[at]) / lived[at]
    # Where demand always jumps over some positions many s cost the same; take the highest with G(s) >= cost.
    while s + 1 < best and _g(s + 1, first, g, h, p) >= least:
        s += 1
    return float(s), float(best), float(least)


@core
def _counts(mean: float, variance: float, lead_time: float) -> bool:
    """Whether demand and lead time make a problem of whole numbers that fits in memory."""
    whole = lead_time == np.floor(lead_time) and 0.0 <= lead_time < 1e6
    if not (whole and 0.0 < mean <= variance < np.inf):
        return False
    total = lead_time + 1.0
    return total * (mean + 20.0 * math.sqrt(variance)) < 1e15 and 20.0 * math.sqrt(variance * total) < _POSITIONS


@core
def _some(mean: float, variance: float) -> float:
    """Return P(D > 0) with all its digits."""
    extra = (variance - mean) / mean
    exponent = -mean if extra < 1e-14 else -mean * math.log1p(extra) / extra
    return -math.expm1(exponent)


@loop
def policies(
    one_table: NDArray[np.float64],
    total_table: NDArray[np.float64],
    search: bool,
    mean: FloatArray,
    variance: FloatArray,
    lead_time: FloatArray,
    holding: FloatArray,
    shortage: FloatArray,
    ordering: FloatArray,
    given_point: FloatArray,
    given_level: FloatArray,
    point: FloatArray,
    level: FloatArray,
    cost: FloatArray,
) -> None:
    """Write the best policy of each SKU and its cost, or without `search` the cost of the policy that is given.

    Demand is Poisson (variance = mean) or negative binomial; where the tables of one period and of L + 1 periods are
    not empty they count instead. One loop for all of it, for each compiles the search anew.
    """
    tables = one_table.size > 0
    for i in range(mean.size):
        h, p, k, periods = holding[i], shortage[i], ordering[i], lead_time[i] + 1.0
        point[i] = level[i] = cost[i] = np.nan
        if not (0.0 < h < np.inf and 0.0 < p < np.inf and 0.0 <= k < np.inf):
            continue
        if tables:
            one_first, one, first, total = 0, one_table, 0, total_table
            some = 0.0
            for units in range(1, one.size):
                some += one[units]
            if not some > 0.0:
                continue
        else:
            if not _counts(mean[i], variance[i], lead_time[i]):
                continue
            one_first, one = _window(mean[i], variance[i])
            first, total = _window(mean[i] * periods, variance[i] * periods)
            some = _some(mean[i], variance[i])
        g = _losses(total, h, p)
        if search:
            point[i], level[i], cost[i] = _search(one_first, one, some, first, g, h, p, k)
            continue
        s, S = given_point[i], given_level[i]
        if s == np.floor(s) and np.floor(S) == S and 0.0 < S - s < _POSITIONS and abs(S) < 1e15:
            point[i], level[i] = s, S
            cost[i] = _cost_of(int(s), int(S), one_first, one, some, first, g, h, p, k)
