"""Exponential smoothing with level, damped trend and season: many settings side by side, averaged by past errors.

One pass over a series updates G settings of (alpha, beta, phi, gamma) at once, so that the machine's vectors are full
and no optimiser has to converge. Each setting is weighted by exp(-criterion / 2), where the criterion is
n log(mean squared error), averaged over the horizons of `LOOK_AHEAD`, plus a penalty for each component beyond level.
Positive series are smoothed twice, as they are and as logarithms, and the two sets of quantiles are averaged.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.deseasonalise import seasonal_indices
from fullshelf.kernels.path_distribution import add_log_normal, add_normal, normal_quantile, settle

Array = NDArray[np.float64]

CONTEXT = 400  # newest periods that are read, or five seasons where that is more
LOOK_AHEAD = (2, 4, 8)  # periods ahead whose errors count beside those of one period
PENALTY = 4.0  # for a trend, and for a season that changes
LEVEL = (0.03, 0.1, 0.2, 0.35, 0.55, 0.8, 0.99)  # alpha
TREND = ((0.0, 0.0), (0.8, 0.3), (0.9, 0.2), (0.96, 0.1))  # phi, beta / alpha
SEASONAL = (0.0, 0.1, 0.3)  # gamma / (1 - alpha)
NEGLIGIBLE = 1e-3  # weight, relative to the best setting


@core
def _pass(
    x: Array, observed: NDArray[np.float32], backward: bool, setting: Array, state: Array, seasonal: Array, error: Array
) -> None:
    """Run G settings over `x`, add up squared errors where `error` has rows.

    setting (4, G): alpha, beta, phi, gamma. state (2, G): level, trend. seasonal (m, G). error (1 + K, G).
    """
    n, m = x.size, seasonal.shape[0]
    alpha, beta, phi, gamma = setting[0], setting[1], setting[2], setting[3]
    level, trend = state[0], state[1]
    G = alpha.size
    K = error.shape[0] - 1
    drift = np.zeros((max(K, 1), G))
    for k in range(K):
        for g in range(G):
            damping = 1.0
            for _ in range(LOOK_AHEAD[k]):
                damping *= phi[g]
                drift[k, g] += damping
    for i in range(n):
        t = n - 1 - i if backward else i
        index = seasonal[t % m]
        value = x[t]
        # What was sold in a period without stock throughout is a lower bound: it can raise the level, not lower it.
        if observed[t] < 1.0:
            for g in range(G):
                base = level[g] + phi[g] * trend[g]
                e = max(0.0, value - base - index[g])
                level[g] = base + alpha[g] * e
                trend[g] = phi[g] * trend[g] + beta[g] * e
                index[g] += gamma[g] * e
        else:
            for g in range(G):
                base = level[g] + phi[g] * trend[g]
                e = value - base - index[g]
                level[g] = base + alpha[g] * e
                trend[g] = phi[g] * trend[g] + beta[g] * e
                index[g] += gamma[g] * e
                error[0, g] += e * e
        for k in range(K):
            ahead = t + LOOK_AHEAD[k]
            if ahead < n and observed[ahead] >= 1.0:
                later = seasonal[ahead % m]
                actual = x[ahead]
                for g in range(G):
                    e = actual - level[g] - drift[k, g] * trend[g] - later[g]
                    error[1 + k, g] += e * e


@core
def _settings(changing_season: bool) -> Array:
    """Return the (4, G) grid of alpha, beta, phi, gamma."""
    S = len(SEASONAL) if changing_season else 1
    setting = np.zeros((4, len(LEVEL) * len(TREND) * S))
    g = 0
    for alpha in LEVEL:
        for phi, share in TREND:
            for c in range(S):
                setting[0, g] = alpha
                setting[1, g] = alpha * share
                setting[2, g] = phi
                setting[3, g] = SEASONAL[c] * (1.0 - alpha)
                g += 1
    return setting


@core
def _smooth(x: Array, observed: NDArray[np.float32], season: int, path: Array, variance: Array) -> None:
    """Write the weighted path and its error variances, both in the unit of `x`, into the (H,) outputs."""
    n, H = x.size, path.size
    m = season if season > 1 and n >= 2 * season else 1
    indices = np.zeros(m)
    kept = seasonal_indices(x, m, indices)
    setting = _settings(m > 1)
    G = setting.shape[1]
    K = 0
    while K < len(LOOK_AHEAD) and LOOK_AHEAD[K] <= n // 3:
        K += 1
    # Start values: the last season's mean, smoothed backwards to the first period.
    newest = min(n, max(4, m))
    mean = 0.0
    for t in range(n - newest, n):
        mean += (x[t] - indices[t % m]) / newest
    state = np.zeros((2, G))
    seasonal = np.empty((m, G))
    error = np.zeros((1 + K, G))
    for g in range(G):
        state[0, g] = mean
        for phase in range(m):
            seasonal[phase, g] = indices[phase]
    _pass(x, observed, True, setting, state, seasonal, error[:1])
    for g in range(G):
        state[1, g] = -state[1, g]
        for phase in range(m):
            seasonal[phase, g] = indices[phase]
    error[:] = 0.0
    _pass(x, observed, False, setting, state, seasonal, error)

    count = np.zeros(1 + K)
    size = 0.0
    for t in range(n):
        size += x[t] * x[t]
        if observed[t] >= 1.0:
            count[0] += 1.0
            for k in range(K):
                count[1 + k] += 1.0 if t >= LOOK_AHEAD[k] else 0.0
    weight = np.empty(G)
    best = np.inf
    for g in range(G):
        criterion = 0.0
        for k in range(1 + K):
            criterion += math.log((error[k, g] + 1e-12 * size + 1e-300) / max(1.0, count[k]))
        penalty = (PENALTY if setting[1, g] > 0.0 else 0.0) + (PENALTY if setting[3, g] > 0.0 else 0.0)
        weight[g] = count[0] * criterion / (1 + K) + penalty
        best = min(best, weight[g])
    total = 0.0
    for g in range(G):
        weight[g] = math.exp(-0.5 * (weight[g] - best))
        weight[g] = weight[g] if weight[g] > NEGLIGIBLE else 0.0
        total += weight[g]

    freedom = max(count[0] - 2.0 - 0.5 * kept * (m - 1), 0.25 * count[0], 1.0)
    path[:] = 0.0
    variance[:] = 0.0
    square = np.zeros(H)
    for g in range(G):
        if weight[g] == 0.0:
            continue
        w = weight[g] / total
        alpha, beta, phi, gamma = setting[0, g], setting[1, g], setting[2, g], setting[3, g]
        trend, drift, slope, damping, summed = state[1, g], 0.0, 0.0, phi, 1.0
        for h in range(H):
            trend *= phi
            drift += trend
            forecast = state[0, g] + drift + seasonal[(n + h) % m, g]
            path[h] += w * forecast
            square[h] += w * (forecast - mean) ** 2
            if h > 0:
                slope += damping * beta
                damping *= phi
                c = alpha + slope + (gamma if h % m == 0 else 0.0)
                summed += c * c
            variance[h] += w * error[0, g] / freedom * summed
    for h in range(H):
        variance[h] += max(0.0, square[h] - (path[h] - mean) ** 2)


@core
def exponential_smoothing_series(
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
    if n == 0:
        return
    scores = np.empty(levels.size)
    for q in range(levels.size):
        scores[q] = normal_quantile(levels[q])
    x = np.empty(n)
    path = np.empty(H)
    variance = np.empty(H)
    positive = True
    average = 0.0
    for t in range(n):
        x[t] = y[t]
        average += x[t] / n
        positive = positive and x[t] > 0.0
    if average == 0.0:
        return
    doubt = 1.0 / (2.0 * n)  # relative deviation of what so few periods cannot show
    _smooth(x, observed, season, path, variance)
    for h in range(H):
        variance[h] += (doubt * average) ** 2
    add_normal(path, variance, scores, 0.5 if positive else 1.0, quantiles, cumulative, mean)
    if positive:
        for t in range(n):
            x[t] = math.log(x[t])
        _smooth(x, observed, season, path, variance)
        for h in range(H):
            variance[h] += doubt * doubt
        add_log_normal(path, variance, scores, 0.5, quantiles, cumulative, mean)
    settle(cumulative)


@loop
def exponential_smoothing(
    units: NDArray[np.float32],
    observed: NDArray[np.float32],
    offsets: NDArray[np.int64],
    horizon: int,
    season: int,
    levels: Array,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Forecast S series by exponential smoothing with damped trend and season.

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
    >>> q, total, mean = exponential_smoothing(units, np.ones_like(units), np.array([0, 40]), 2, 2, np.array([0.5]))
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
        y, share = units[offsets[s] : offsets[s + 1]], observed[offsets[s] : offsets[s + 1]]
        exponential_smoothing_series(y, share, season, levels, one, totals, expected)
        quantiles[s] = one
        cumulative[s] = totals
        mean[s] = expected
    return quantiles, cumulative, mean
