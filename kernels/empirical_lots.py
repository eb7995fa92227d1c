"""The loops of `lot_order` and `order_levels` for demand given by outcomes or quantiles."""

import math

from fullshelf.kernels.allowed_lots import lots_beside
from fullshelf.kernels.blocks import FloatArray
from fullshelf.kernels.compile import loop
from fullshelf.kernels.critical_fractile import mismatch_cost
from fullshelf.kernels.empirical_rows import empirical_losses, empirical_quantile, empirical_tails
from fullshelf.kernels.newsvendor_grid import CERTAIN

__all__ = ["empirical_levels", "empirical_lots"]


@loop
def empirical_lots(
    values: FloatArray,
    weights: FloatArray,
    under: FloatArray,
    over: FloatArray,
    position: FloatArray,
    order_cost: FloatArray,
    pack: FloatArray,
    moq: FloatArray,
    max_stock: FloatArray,
    order: FloatArray,
    cost: FloatArray,
    saving: FloatArray,
    shortage: FloatArray,
    leftover: FloatArray,
    kind: int,
    levels: FloatArray,
) -> None:
    """Fill what `fullshelf.kernels.newsvendor_lots.lot_order` returns."""
    for i in range(order.size):
        cu, co, stock = under[i], over[i], position[i]
        order[i] = cost[i] = saving[i] = shortage[i] = leftover[i] = math.nan
        if not (min(cu, co) >= 0.0 and cu + co > 0.0 and order_cost[i] >= 0.0 and pack[i] >= 0.0 and moq[i] >= 0.0):
            continue
        row, weight = values[i], weights[i]
        wanted = empirical_quantile(kind, levels, row, weight, cu, co, CERTAIN) - stock
        short, left = empirical_losses(kind, levels, row, weight, stock)
        nothing = mismatch_cost(cu, co, short, left)
        if not (wanted == wanted and nothing == nothing and max_stock[i] == max_stock[i]):
            continue
        order[i], cost[i], saving[i], shortage[i], leftover[i] = 0.0, nothing, 0.0, short, left
        for candidate in lots_beside(wanted, pack[i], moq[i], max_stock[i] - stock):
            if candidate == 0.0:
                continue
            short, left = empirical_losses(kind, levels, row, weight, stock + candidate)
            after = mismatch_cost(cu, co, short, left) + order_cost[i]
            if after < cost[i]:
                order[i], cost[i], saving[i], shortage[i], leftover[i] = candidate, after, nothing - after, short, left


@loop
def empirical_levels(
    values: FloatArray,
    weights: FloatArray,
    under: FloatArray,
    over: FloatArray,
    order_cost: FloatArray,
    point: FloatArray,
    level: FloatArray,
    kind: int,
    levels: FloatArray,
) -> None:
    """Fill what `fullshelf.kernels.newsvendor_lots.order_levels` returns."""
    for i in range(point.size):
        cu, co, row, weight = under[i], over[i], values[i], weights[i]
        point[i] = level[i] = math.nan
        if not (min(cu, co) >= 0.0 and 0.0 < cu + co < math.inf and order_cost[i] >= 0.0):
            continue
        best = empirical_quantile(kind, levels, row, weight, cu, co, CERTAIN)
        level[i] = best
        if best != best:
            continue
        if cu == 0.0 or order_cost[i] == math.inf:
            point[i] = -math.inf
            continue
        short, left = empirical_losses(kind, levels, row, weight, best)
        target = mismatch_cost(cu, co, short, left) + order_cost[i]
        # G(y) = cu (mean - y) + ... puts the answer above this y, and G is convex: Newton's steps from the left of the
        # answer stay there; along outcomes, between which G is straight, they arrive.
        y = min(best - (left - short) - target / cu, best)
        for _ in range(200):
            below, above = empirical_tails(kind, levels, row, weight, y)
            slope = cu * above - co * below
            short, left = empirical_losses(kind, levels, row, weight, y)
            gap = mismatch_cost(cu, co, short, left) - target
            if gap <= 0.0 or slope <= 0.0:
                break
            following = min(y + gap / slope, best)
            if following <= y + 1e-14 * abs(y):
                break
            y = following
        point[i] = y
