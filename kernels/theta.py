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
from fullshelf.kernels.path_distribution import ERRORS, add_linear, add_logarithmic, clear, normal_quantile, settle

Array = NDArray[np.float64]

CONTEXT = 300  # newest periods that are read, or five seasons where that is more
HALF_LIFE = 60.0  # periods after which an error counts half
LOOK_AHEAD = (1, 2, 4, 8)  # periods ahead whose errors count
LEVEL = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.55, 0.7, 0.85, 1.0)  # smoothing constant
SHARE = (0.0, 0.5, 1.0)  # of the slope: 1 - 1 / theta for theta = 1, 2 and without end
LEAST_INDEX = 0.1  # of a phase that hardly sells, so that what it sells is not blown up
NEGLIGIBLE = 1e-3  # weight, relative to the best setting


@core
def _slopes(x: Array, slope: Array) -> None:
    """Write into `slope` (n,) that of the straight line through the values up to each period; 0 for the first three."""
    sum_t = sum_x = sum_tt = sum_tx = 0.0
    for t in range(x.size):
        sum_t += t
        sum_x += x[t]
        sum_tt += t * t
        sum_tx += t * x[t]
        slope[t] = 0.0
        if t >= 3:
            slope[t] = (sum_tx - sum_t * sum_x / (t + 1)) / (sum_tt - sum_t * sum_t / (t + 1))


@core
def _pass(
    x: Array,
    observed: NDArray[np.float32],
    slope: Array,
    alpha: Array,
    share: Array,
    level: Array,
    error: Array,
    count: Array,
) -> None:
    """Run G settings over `x` (n,); add discounted squared errors to `error` (K, G), their weights to `count` (K,)."""
    n, K, G = x.size, error.shape[0], alpha.size
    start = min(n // 4, 12)  # the first forecasts are of the start value
    before = 0.0
    for t in range(n):
        value = x[t]
        # What was sold in a period without stock throughout is a lower bound: it can raise the level, not lower it.
        bound = 0.0 if observed[t] < 1.0 else -np.inf
        for g in range(G):
            base = level[g] + share[g] * before
            e = value - base
            e = e if e > bound else bound
            level[g] = base + alpha[g] * e
        before = slope[t]
        for k in range(K):
            ahead = t + LOOK_AHEAD[k]
            if t >= start - 1 and ahead < n and observed[ahead] >= 1.0:
                weight = 0.5 ** ((n - 1 - ahead) / HALF_LIFE)
                count[k] += weight
                actual = x[ahead]
                rise = before * LOOK_AHEAD[k]
                for g in range(G):
                    e = actual - level[g] - share[g] * rise
                    error[k, g] += weight * e * e


@core
def _one_step(
    x: Array, observed: NDArray[np.float32], slope: Array, alpha: float, share: float, level: float, fitted: Array
) -> None:
    """Write the one-step forecasts of a single setting into `fitted` (n,)."""
    before = 0.0
    for t in range(x.size):
        fitted[t] = level + share * before
        e = x[t] - fitted[t]
        if observed[t] < 1.0:
            e = max(0.0, e)
        level = fitted[t] + alpha * e
        before = slope[t]


@core
def _path(x: Array, observed: NDArray[np.float32], used: float, path: Array, variance: Array, fitted: Array) -> None:
    """Write the weighted path and its error variances (H,), and one-step forecasts (n,), in the unit of `x`.

    `used` is the freedom that the seasonal indices of `x` took.
    """
    n, H = x.size, path.size
    L, G = len(SHARE), len(LEVEL) * len(SHARE)
    alpha, share, level, slope = np.empty(G), np.empty(G), np.empty(G), np.empty(n)
    newest = min(n, 4)
    first = size = 0.0
    for t in range(newest):
        first += x[t] / newest
    for t in range(n):
        size += x[t] * x[t] / n
    for g in range(G):
        alpha[g] = LEVEL[g // L]
        share[g] = SHARE[g % L]
        level[g] = first
    K = 0
    for ahead in LOOK_AHEAD:
        K += 1 if ahead <= max(1, n // 3) else 0
    error = np.zeros((K, G))
    count = np.zeros(K)
    _slopes(x, slope)
    _pass(x, observed, slope, alpha, share, level, error, count)
    weight = np.empty(G)
    best = 0
    for g in range(G):
        criterion = 0.0
        for k in range(K):
            if count[k] > 0.0:
                criterion += math.log(error[k, g] / count[k] + 1e-12 * size + 1e-300) / K
        weight[g] = count[0] * criterion
        if weight[g] < weight[best]:
            best = g
    least, total = weight[best], 0.0
    for g in range(G):
        weight[g] = math.exp(-0.5 * (weight[g] - least))
        weight[g] = weight[g] if weight[g] > NEGLIGIBLE else 0.0
        total += weight[g]
    _one_step(x, observed, slope, alpha[best], share[best], first, fitted)
    freedom = max(count[0] - 2.0 - used, 0.25 * count[0], 1e-9)
    centre = level[best]
    square = np.zeros(H)
    for h in range(H):
        path[h] = variance[h] = 0.0
    for g in range(G):
        w = weight[g] / total
        if w == 0.0:
            continue
        for h in range(H):
            forecast = level[g] + share[g] * slope[n - 1] * (h + 1)
            path[h] += w * forecast
            square[h] += w * (forecast - centre) ** 2
            variance[h] += w * error[0, g] / freedom * (1.0 + h * alpha[g] * alpha[g])
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
    n = min(y.size, max(CONTEXT, 5 * season))
    clear(quantiles, cumulative, mean)
    if n == 0:
        return
    y, observed = y[y.size - n :], observed[observed.size - n :]
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
    index = np.empty(m)
    if positive:
        for t in range(n):
            x[t] = math.log(x[t])
    kept = seasonal_indices(x, m, index)
    for phase in range(m):
        index[phase] = math.exp(index[phase]) if positive else max(LEAST_INDEX, 1.0 + index[phase] / average)
    for t in range(n):
        x[t] = y[t] / index[t % m]
    H, Q = mean.size, levels.size
    scores = np.empty(Q)
    for q in range(Q):
        scores[q] = normal_quantile(levels[q])
    path, variance, fitted, errors = np.empty(H), np.empty(H), np.empty(n), np.empty(n)
    _path(x, observed, 0.5 * kept * (m - 1), path, variance, fitted)
    k = 0
    for t in range(max(0, n - ERRORS), n):
        if observed[t] >= 1.0:
            errors[k] = x[t] / max(fitted[t], 0.5 * average)
            errors[k] = math.log(errors[k]) if positive else errors[k]
            k += 1
    doubt = (average / (2.0 * n)) ** 2  # what so few periods cannot show
    floor = 0.02 * average  # a falling line stops above zero
    relative = 0.0
    for h in range(H):
        units = max(path[h], floor)
        relative = max(relative, (variance[h] + doubt) / (units * units))
        path[h] = units * index[(n + h) % m]
        variance[h] = relative * path[h] * path[h]
        if positive:
            path[h], variance[h] = math.log(path[h]), math.log1p(relative)
    if positive:
        add_logarithmic(path, variance, levels, scores, errors[:k], 1.0, quantiles, cumulative, mean)
    else:
        add_linear(path, variance, levels, scores, errors[:k], 1.0, quantiles, cumulative, mean)
    settle(quantiles, cumulative)


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
        for h in range(H):
            mean[s, h] = expected[h]
            for q in range(Q):
                quantiles[s, h, q] = one[h, q]
                cumulative[s, h, q] = totals[h, q]
    return quantiles, cumulative, mean
