"""What the planner makes of a forecast, laid out once for forecasts that keep their shape: knots, paths, spreads.

`net_requirement` works it out anew for each order; a simulated shop with thousands of orders on the same forecast needs
it once. Certain lead time L, review of one period.

`requirement_slopes` is `net_requirement` for such forecasts, with the derivative that a trained policy learns by.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import loop
from fullshelf.kernels.demand_paths import TABLE, Nodes, common_share, draw_demand, fill_table
from fullshelf.kernels.net_requirement import DECIDES
from fullshelf.kernels.quantile_grid import complete, mean_of, value_at, variance_of
from fullshelf.kernels.special import normal_quantile

__all__ = ["forecast_shapes", "requirement_slopes"]

Array = NDArray[np.float64]


@loop
def forecast_shapes(
    levels: Array, grid: Array, rate: Array, single: Array, running: Array, holding: Array, shortage: Array,
    nodes: Nodes, arriving: Array, total: Array, paths: Array, switch: Array, shape: Array, score: Array,
) -> None:  # fmt: skip
    """Fill the last six from the forecasts of S series.

    Parameters
    ----------
    levels, grid
        (Q,) levels of the forecast and (K,) of the curves, K = Q + 1: 0 first.
    rate
        (S,) mean demand of a period, units.
    single, running
        (S, L + 1, Q) quantiles of the demand of period k, and of periods 1…k, units.
    holding, shortage
        (S,) currency per unit left, per unit short.
    nodes
        `demand_paths.path_nodes()`.
    arriving, total
        (S, K) knots of the demand of period L + 1 and of the total.
    paths
        (S, 2, L + 1, N) demand drawn by the total, and by period L + 1.
    switch
        (S,) units: with less stock than this `net_requirement` draws by period L + 1.
    shape
        (S, 4) spread of period L + 1 (at least a twentieth of the rate), its mean, its median; spread of the total.
    score
        (S,) normal score of the critical ratio.
    """
    S, M, _ = single.shape
    tables, last_table, total_table, sd = np.empty((M, TABLE)), np.empty(TABLE), np.empty(TABLE), np.empty(M)
    curve = np.empty(grid.size)
    for s in range(S):
        for k in range(M):
            complete(levels, single[s, k], curve)
            fill_table(grid, curve, nodes.table, tables[k])
            sd[k] = np.sqrt(variance_of(grid, curve))
        arriving[s] = curve
        fill_table(grid, curve, nodes.table, last_table)
        complete(levels, running[s, M - 1], total[s])
        fill_table(grid, total[s], nodes.table, total_table)
        variance = variance_of(grid, total[s])
        share = common_share(variance, sd)
        draw_demand(tables, total_table, 0, M, sd, share, nodes, paths[s, 0])
        draw_demand(tables, last_table, M - 1, M, sd, share, nodes, paths[s, 1])
        switch[s] = value_at(grid, total[s], DECIDES) - value_at(grid, arriving[s], DECIDES)
        shape[s, 0] = max(sd[M - 1], 0.05 * rate[s])
        shape[s, 1] = mean_of(grid, arriving[s])
        shape[s, 2] = value_at(grid, arriving[s], 0.5)
        shape[s, 3] = np.sqrt(variance)
        both = shortage[s] + holding[s]
        score[s] = normal_quantile(shortage[s] / both, holding[s] / both)


@loop
def requirement_slopes(
    paths: Array, weight: Array, switch: Array, arriving: Array, grid: Array, on_hand: Array, coming: Array,
    need: Array, lost: Array, slope: Array, lost_slope: Array,
) -> None:  # fmt: skip
    """Fill the requirement of S states and how it moves with the stock: `net_requirement` where sales are lost.

    Parameters
    ----------
    paths, switch, arriving
        (S, 2, L + 1, N), (S,), (S, K) of `forecast_shapes`.
    weight
        (N,) of the paths.
    grid
        (K,) levels, 0 first.
    on_hand, coming
        (S,) units, (S, L) units that arrive for the next periods.
    need, lost
        (S, K) the requirement's knots, (S,) units expected to be lost before the order arrives.
    slope, lost_slope
        (S, K, L + 1), (S, L + 1): their derivatives by stock and by each arrival. A path that just sells out takes the
        mean of the slopes on both sides.
    """
    S, _, M, N = paths.shape
    L, K = M - 1, grid.size
    values, moves, g = np.empty(N), np.empty((N, L + 1)), np.empty(L + 1)
    for s in range(S):
        there = on_hand[s]
        for m in range(L):
            there += coming[s, m]
        demand = paths[s, 1 if there < switch[s] else 0]
        lost[s] = 0.0
        lost_slope[s] = 0.0
        for i in range(N):
            stock = on_hand[s]
            g[:] = 0.0
            g[0] = 1.0
            for m in range(L):
                g[m + 1] = 1.0
                stock += coming[s, m] - demand[m, i]
                if stock <= 0.0:
                    kept = 0.5 if stock == 0.0 else 0.0
                    lost[s] -= weight[i] * stock
                    for j in range(m + 2):
                        lost_slope[s, j] -= weight[i] * (1.0 - kept) * g[j]
                        g[j] *= kept
                    stock = 0.0
            values[i] = demand[L, i] - stock
            for j in range(L + 1):
                moves[i, j] = -g[j]
        if there == 0.0:
            need[s] = arriving[s]
            slope[s] = 0.0
            continue
        order = np.argsort(values, kind="mergesort")
        i, done = 0, weight[order[0]]
        middle, before = 0.5 * done, 0.0
        for k in range(K):
            while middle < grid[k] and i < N - 1:
                before = middle
                i += 1
                middle = done + 0.5 * weight[order[i]]
                done += weight[order[i]]
            high, low = order[i], order[max(i - 1, 0)]
            share = min((grid[k] - before) / (middle - before), 1.0) if i > 0 else 1.0
            need[s, k] = values[low] + (values[high] - values[low]) * share
            for j in range(L + 1):
                slope[s, k, j] = moves[low, j] + (moves[high, j] - moves[low, j]) * share
