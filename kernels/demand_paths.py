"""A fixed set of demand paths whose totals follow the forecast: what lost sales and shelf lives need.

What a new order must serve depends on what is left when it arrives, and that on how demand falls on the periods before:
a sale lost in one period leaves the next period's stock alone. The paths give each period its own forecast
distribution and the protection interval its own:

- Normal scores √c f + √(1 - c) e_k, with a factor f common to all periods (nobody knows the level) and an own e_k, give
  each period's demand by its quantiles. The common share c is no assumption: it follows from the variance that the
  model gives the total and the periods, Var C = Σ s_k² + c ((Σ s_k)² - Σ s_k²).
- The scores are drawn given one sum of them, weighted with the s_k: N paths take it at N fixed levels with fixed
  weights, 20 equal strata up to 0.9 and ever finer ones above, because orders are decided in the upper tail. The sum is
  that of the protection interval or, where they alone decide what the order must serve, of the periods it serves.
- The paths, sorted by their totals of these periods, are scaled so that the n-th total is the forecast's quantile at
  the n-th level: the total's distribution is the model's own, and it falls on its periods as such totals do.

Measured on Zipkin's lost-sales instances (independent Poisson and geometric demand): DECISIONS.md.

The same nodes serve every series, so a series' numbers depend on nothing but itself.
"""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core
from fullshelf.kernels.quantile_grid import tail_scale
from fullshelf.kernels.special import normal_cdf, normal_quantile

__all__ = ["TABLE", "Nodes", "common_share", "draw_demand", "fill_table", "path_nodes"]

Array = NDArray[np.float64]

BOUNDS = (0.93, 0.95, 0.965, 0.975, 0.985, 0.99, 0.995, 0.9975, 0.999, 0.9995, 0.9999, 1.0)  # of the upper strata
BODY = 20  # equal strata up to 0.9
EACH = 4  # paths in a stratum
DIMENSIONS = 33  # the factor and 32 periods; later periods use the periods' scores again in turn
TABLE = 65  # knots of a period's quantiles over the normal score
REACH = 4.0  # the table's range of scores


class Nodes(NamedTuple):
    """N paths as levels and normal scores; the same for every series."""

    weight: Array  # (N,) sum 1
    score: Array  # (N,) rising; normal scores of the total
    noise: Array  # (DIMENSIONS, N) standard normal scores, uncorrelated
    table: Array  # (TABLE,) rising; levels at equal steps of the normal score


@cache
def path_nodes() -> Nodes:
    """Return the nodes, made once."""
    bounds = np.concatenate([np.linspace(0.0, 0.9, BODY + 1), BOUNDS])
    width = np.repeat(np.diff(bounds) / EACH, EACH)
    level = np.repeat(bounds[:-1], EACH) + width * (np.tile(np.arange(EACH), bounds.size - 1) + 0.5)
    N = level.size
    even = np.array([normal_quantile(u, 1.0 - u) for u in (np.arange(N) + 0.5) / N])
    columns = [even[np.argsort(np.argsort(np.arange(1, N + 1) * math.sqrt(p) % 1.0))] for p in _primes(DIMENSIONS)]
    noise = np.linalg.qr(np.array(columns).T)[0]  # Latin hypercube in the order of a Kronecker sequence, decorrelated
    noise *= np.sqrt(N) * np.sign((noise * np.array(columns).T).sum(axis=0))
    scores = np.linspace(-REACH, REACH, TABLE)
    return Nodes(
        width,
        np.array([normal_quantile(u, 1.0 - u) for u in level]),
        np.ascontiguousarray(noise.T),
        np.array([normal_cdf(z) for z in scores]),
    )


def _primes(count: int) -> list[int]:
    found: list[int] = []
    candidate = 2
    while len(found) < count:
        if all(candidate % p for p in found):
            found.append(candidate)
        candidate += 1
    return found


@core
def fill_table(levels: Array, values: Array, at: Array, out: Array) -> None:
    """Quantiles of one curve at the rising levels `at` into `out`: `value_at` for many levels in one sweep."""
    last = levels.size - 1
    scale = tail_scale(levels, values)
    k = 0
    for i in range(at.size):
        u = at[i]
        if u >= levels[last]:
            out[i] = values[last]
            if scale > 0.0:
                out[i] += scale * math.log((1.0 - levels[last]) / (1.0 - u))
        else:
            while levels[k + 1] <= u:
                k += 1
            out[i] = values[k] + (values[k + 1] - values[k]) * ((u - levels[k]) / (levels[k + 1] - levels[k]))


@core
def at_score(table: Array, z: float) -> float:
    """Quantile at a normal score, linear between the table's knots and level beyond its range."""
    position = (z + REACH) * ((TABLE - 1) / (2.0 * REACH))
    if position <= 0.0:
        return float(table[0])
    if position >= TABLE - 1:
        return float(table[TABLE - 1])
    k = int(position)
    return float(table[k] + (position - k) * (table[k + 1] - table[k]))


@core
def common_share(total_variance: float, sd: Array) -> float:
    """Share c of the scores that periods of deviations sd (M,) have in common, 0…1, from their total's variance."""
    squares = sum_of_sd = 0.0
    for m in range(sd.size):
        squares += sd[m] * sd[m]
        sum_of_sd += sd[m]
    cross = sum_of_sd * sum_of_sd - squares
    if cross <= 0.0:
        return 0.0
    return min(max((total_variance - squares) / cross, 0.0), 1.0)


@core
def draw_demand(
    tables: Array, total_table: Array, begin: int, end: int, sd: Array, share: float, nodes: Nodes,
    demand: Array,
) -> None:  # fmt: skip
    """Fill demand (M, N): M periods of N paths, in rising order of the total of the periods begin + 1 … end.

    Parameters
    ----------
    tables
        (M, TABLE) quantiles of the periods over normal scores.
    total_table
        (TABLE,) quantiles of that total over normal scores.
    sd
        (end,) standard deviations of the periods, units.
    share
        `common_share`.
    """
    M, N = demand.shape
    common, own = math.sqrt(share), math.sqrt(1.0 - share)
    dimensions = nodes.noise.shape[0] - 1
    raw, sums, given = np.empty((M, N)), np.zeros(N), np.zeros(N)
    weights = squares = 0.0
    for m in range(begin, end):
        weights += sd[m]
        squares += sd[m] * sd[m]
    spread = math.sqrt((1.0 - share) * squares + share * weights * weights)
    for m in range(M):
        noise = nodes.noise[1 + m % dimensions]
        for i in range(N):
            raw[m, i] = common * nodes.noise[0, i] + own * noise[i]
        if begin <= m < end and spread > 0.0:
            for i in range(N):
                given[i] += raw[m, i] * (sd[m] / spread)
    for m in range(M):
        inside = begin <= m < end
        pull = 0.0
        if spread > 0.0:
            pull = (share * weights + ((1.0 - share) * sd[m] if inside else 0.0)) / spread
        for i in range(N):
            raw[m, i] = at_score(tables[m], raw[m, i] + pull * (nodes.score[i] - given[i]))
            if inside:
                sums[i] += raw[m, i]
    order = np.argsort(sums)
    for n in range(N):
        i = order[n]
        target = at_score(total_table, nodes.score[n])
        factor = target / sums[i] if sums[i] > 0.0 else 1.0
        for m in range(M):
            demand[m, n] = raw[m, i]
            if begin <= m < end:
                demand[m, n] = raw[m, i] * factor if sums[i] > 0.0 else target / (end - begin)
