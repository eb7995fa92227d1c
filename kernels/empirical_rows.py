"""One SKU's demand by its outcomes or its quantiles: scalar cores of probabilities, quantile and expected shortage.

A row holds the outcomes in rising order with their weights, or the knots of quantiles at common levels, see
`fullshelf.kernels.quantile_grid`; a row that begins with NaN has no demand and answers NaN.
`fullshelf.kernels.empirical_demand.EmpiricalDemand` is the form for arrays.
"""

import math

from fullshelf.kernels.blocks import FloatArray
from fullshelf.kernels.compile import core
from fullshelf.kernels.quantile_grid import cdf_at, excess_at, mean_of, value_at

__all__ = ["GRID", "NAMED", "OUTCOMES", "empirical_losses", "empirical_quantile", "empirical_tails"]

NAMED, OUTCOMES, GRID = -1, 0, 1  # NAMED: no row at all, a distribution of `families` instead


@core
def empirical_losses(
    kind: int, levels: FloatArray, row: FloatArray, weight: FloatArray, x: float
) -> tuple[float, float]:
    """Return E[(X - x)+] and E[(x - X)+] of one SKU; NaN where it has no outcome."""
    if x != x or row[0] != row[0]:
        return math.nan, math.nan
    if abs(x) == math.inf:
        return (0.0, math.inf) if x > 0.0 else (math.inf, 0.0)
    if kind == GRID:
        short = excess_at(levels, row, x)
        return short, max(x - mean_of(levels, row) + short, 0.0)
    total = short = left = 0.0
    for i in range(row.size):
        gap = row[i] - x
        total += weight[i]
        short += weight[i] * max(gap, 0.0)
        left += weight[i] * max(-gap, 0.0)
    return short / total, left / total


@core
def empirical_tails(
    kind: int, levels: FloatArray, row: FloatArray, weight: FloatArray, x: float
) -> tuple[float, float]:
    """Return P(X <= x) and P(X > x) of one SKU; NaN where it has no outcome."""
    if x != x or row[0] != row[0]:
        return math.nan, math.nan
    if kind == GRID:
        below = cdf_at(levels, row, x)
        return below, 1.0 - below
    below = above = 0.0
    for i in range(row.size):
        if row[i] <= x:
            below += weight[i]
        else:
            above += weight[i]
    return below / (below + above), above / (below + above)


@core
def empirical_quantile(
    kind: int, levels: FloatArray, row: FloatArray, weight: FloatArray, p: float, q: float, highest: float
) -> float:
    """Return the smallest x with P(X <= x) >= p / (p + q), of a grid at a level of `highest` or below.

    Of outcomes compared in products: 19 of 20 must reach 19 / (19 + 1).
    """
    if row[0] != row[0] or not (p >= 0.0 and q >= 0.0 and 0.0 < p + q < math.inf):
        return math.nan
    if kind == GRID:
        return value_at(levels, row, min(p / (p + q), highest))
    total = 0.0
    last = 0
    for i in range(row.size):
        total += weight[i]
        last = i if weight[i] > 0.0 else last
    reached = 0.0
    for i in range(row.size):
        reached += weight[i]
        if weight[i] > 0.0 and reached * (p + q) >= p * total * (1.0 - 1e-14):
            return float(row[i])
    return float(row[last])
