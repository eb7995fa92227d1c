"""The theta method: a smoothed level plus part of the long-run slope, on the series without its season.

The theta line with theta = 2, smoothed and averaged with the straight line (Assimakopoulos and Nikolopoulos 2000), is
simple exponential smoothing with half the slope of the line as drift (Hyndman and Billah 2003). Here G settings of the
smoothing constant and of that share run side by side, the slope is that of the line through what was known at each
period (Fiorucci et al. 2016, the dynamic form), and settings are weighted by their past errors at several horizons.
The season is multiplicative, and so are the errors where all sales are positive.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.deseasonalise import seasonal_indices
from fullshelf.kernels.path_distribution import add_log_normal, add_normal, normal_quantile, settle

Array = NDArray[np.float64]

CONTEXT = 400  # newest periods that are read, or five seasons where that is more
LOOK_AHEAD = (1, 2, 4, 8)  # periods ahead whose errors count
LEVEL = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.85, 1.0)  # smoothing constant
SHARE = (0.0, 0.25, 0.5)  # of the slope: 1 - 1 / theta for theta = 1, 4/3, 2
NEGLIGIBLE = 1e-3  # weight, relative to the best setting


@core
def _smooth(
    x: Array, observed: NDArray[np.float32], alpha: Array, share: Array, level: Array, error: Array, count: Array
) -> float:
    """Run G settings over `x` (n,), add squared errors to `error` (K, G); return the slope at the end."""
    n, K, G = x.size, error.shape[0], alpha.size
    start = min(n // 4, 12)  # the first forecasts are of the start value
    sum_t = sum_x = sum_tt = sum_tx = steps = 0.0
    slope = 0.0
    for t in range(n):
        value = x[t]
        if observed[t] < 1.0:
            for g in range(G):
                base = level[g] + share[g] * slope
                level[g] = base + alpha[g] * max(0.0, value - base)
        else:
            for g in range(G):
                base = level[g] + share[g] * slope
                level[g] = base + alpha[g] * (value - base)
        sum_t += t
        sum_x += value
        sum_tt += t * t
        sum_tx += t * value
        if t > 0:
            steps += (value - x[t - 1]) ** 2
        if t >= 3:
            slope = (sum_tx - sum_t * sum_x / (t + 1)) / (sum_tt - sum_t * sum_t / (t + 1))
            # A random walk of such steps has a slope by chance: keep what stands out of it.
            chance = steps / (t * (t + 1.0))
            slope *= slope * slope / (slope * slope + chance) if slope != 0.0 else 0.0
        if t >= start - 1:
            for k in range(K):
                ahead = t + LOOK_AHEAD[k]
                if ahead < n and observed[ahead] >= 1.0:
                    count[k] += 1.0
                    actual = x[ahead]
                    rise = slope * LOOK_AHEAD[k]
                    for g in range(G):
                        e = actual - level[g] - share[g] * rise
                        error[k, g] += e * e
    return slope


@core
def _path(x: Array, observed: NDArray[np.float32], kept: float, season: int, path: Array, variance: Array) -> None:
    """Write the weighted path and its error variances, in the unit of the deseasonalised `x`, into (H,) outputs."""
    n, H = x.size, path.size
    L, G = len(SHARE), len(LEVEL) * len(SHARE)
    alpha, share, level = np.empty(G), np.empty(G), np.empty(G)
    newest = min(n, 4)
    first = x[:newest].mean()
    size = 0.0
    for t in range(n):
        size += x[t] * x[t] / n
    for g in range(G):
        alpha[g] = LEVEL[g // L]
        share[g] = SHARE[g % L]
        level[g] = first
    K = 1
    while K < len(LOOK_AHEAD) and LOOK_AHEAD[K] <= n // 3:
        K += 1
    error = np.zeros((K, G))
    count = np.zeros(K)
    slope = _smooth(x, observed, alpha, share, level, error, count)
    weight = np.empty(G)
    best = np.inf
    for g in range(G):
        criterion = 0.0
        for k in range(K):
            error[k, g] /= max(1.0, count[k])
            criterion += math.log(error[k, g] + 1e-12 * size + 1e-300)
        weight[g] = count[0] * criterion / K
        best = min(best, weight[g])
    total = 0.0
    for g in range(G):
        weight[g] = math.exp(-0.5 * (weight[g] - best))
        weight[g] = weight[g] if weight[g] > NEGLIGIBLE else 0.0
        total += weight[g]
    inflation = n / max(n - 2.0 - 0.5 * kept * (season - 1), 0.25 * n)
    path[:] = 0.0
    variance[:] = 0.0
    square = np.zeros(H)
    centre = level[G - 1]
    for g in range(G):
        if weight[g] == 0.0:
            continue
        w = weight[g] / total
        for h in range(H):
            forecast = level[g] + share[g] * slope * (h + 1)
            path[h] += w * forecast
            square[h] += w * (forecast - centre) ** 2
            variance[h] += w * error[0, g] * inflation * (1.0 + h * alpha[g] * alpha[g])
    for h in range(H):
        variance[h] += max(0.0, square[h] - (path[h] - centre) ** 2)


@core
def theta_series(
    y: NDArray[np.float32],
    observed: NDArray[np.float32],
    season: int,
    levels: Array,
    quantiles: Array,
    cumulative: Array,
    mean: Array,
) -> None:
    """Forecast one series into the outputs.

    Parameters
    ----------
    y
        (n,) units per period, oldest first, never negative or NaN.
    observed
        (n,) share of the period in stock; below 1 the sale is a lower bound of demand.
    season
        Periods in a season; 1 for none.
    levels
        (Q,) probabilities, rising.
    quantiles, cumulative, mean
        (H, Q), (H, Q), (H,) outputs: units per period, units in periods 1…k, units per period.
    """
    n0, H = y.size, mean.size
    n = min(n0, max(CONTEXT, 5 * season))
    y, observed = y[n0 - n :], observed[n0 - n :]
    quantiles[:] = 0.0
    cumulative[:] = 0.0
    mean[:] = 0.0
    x = np.empty(n)
    positive = True
    average = 0.0
    for t in range(n):
        x[t] = y[t]
        average += x[t] / n
        positive = positive and x[t] > 0.0
    if average == 0.0:
        return
    m = season if season > 1 and n >= 2 * season else 1
    index = np.zeros(m)
    if positive:
        logs = np.log(x)
        kept = seasonal_indices(logs, m, index)
        for phase in range(m):
            index[phase] = math.exp(index[phase])
    else:
        kept = seasonal_indices(x, m, index)
        for phase in range(m):
            index[phase] = max(0.05, 1.0 + index[phase] / average)
    for t in range(n):
        x[t] /= index[t % m]
    scores = np.empty(levels.size)
    for q in range(levels.size):
        scores[q] = normal_quantile(levels[q])
    path = np.empty(H)
    variance = np.empty(H)
    _path(x, observed, kept, m, path, variance)
    doubt = (average / (2.0 * n)) ** 2  # what so few periods cannot show
    floor = 0.02 * average  # a falling line stops above zero
    highest = 0.0
    for h in range(H):
        units = max(path[h], floor)
        season_of_h = index[(n + h) % m]
        if positive:
            highest = max(highest, math.log(1.0 + (variance[h] + doubt) / (units * units)))
            path[h], variance[h] = math.log(units * season_of_h), highest
        else:
            highest = max(highest, variance[h] + doubt)
            path[h], variance[h] = units * season_of_h, highest * season_of_h * season_of_h
    if positive:
        add_log_normal(path, variance, scores, 1.0, quantiles, cumulative, mean)
    else:
        add_normal(path, variance, scores, 1.0, quantiles, cumulative, mean)
    settle(cumulative)


@loop
def theta(
    units: NDArray[np.float32],
    observed: NDArray[np.float32],
    offsets: NDArray[np.int64],
    horizon: int,
    season: int,
    levels: Array,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Forecast S series by the theta method.

    Parameters
    ----------
    units
        (N,) units per period of all series, one after the other, oldest first.
    observed
        (N,) share of the period in stock, 0…1.
    offsets
        (S + 1,) series s owns positions offsets[s] … offsets[s + 1] - 1.
    horizon, season
        Periods, H and m.
    levels
        (Q,) probabilities, rising.

    Returns
    -------
    quantiles (S, H, Q) in units per period, cumulative (S, H, Q) in units per 1…k periods, mean (S, H).

    Examples
    --------
    >>> import numpy as np
    >>> units = np.tile(np.array([10, 20], dtype=np.float32), 20)
    >>> q, total, mean = theta(units, np.ones_like(units), np.array([0, 40]), 2, 2, np.array([0.5]))
    >>> q.round().ravel().tolist(), total.round().ravel().tolist()
    ([10.0, 20.0], [10.0, 30.0])
    """
    S, H, Q = offsets.size - 1, horizon, levels.size
    quantiles = np.empty((S, H, Q), dtype=np.float32)
    cumulative = np.empty((S, H, Q), dtype=np.float32)
    mean = np.empty((S, H), dtype=np.float32)
    one = np.empty((H, Q))
    totals = np.empty((H, Q))
    expected = np.empty(H)
    for s in range(S):
        y, stocked = units[offsets[s] : offsets[s + 1]], observed[offsets[s] : offsets[s + 1]]
        theta_series(y, stocked, season, levels, one, totals, expected)
        quantiles[s] = one
        cumulative[s] = totals
        mean[s] = expected
    return quantiles, cumulative, mean
