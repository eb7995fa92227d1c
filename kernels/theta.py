"""The theta method: a smoothed level plus part of the long-run slope, beside a season.

The theta line with theta = 2, smoothed and averaged with the straight line (Assimakopoulos and Nikolopoulos 2000), is
simple exponential smoothing with half the slope of the line as drift (Hyndman and Billah 2003). Here G settings of the
smoothing constant, of that share and of the season's own constant run side by side, the slope is that of the line
through what was known at each period (Fiorucci et al. 2016, the dynamic form), and `setting_weights` says how the
settings are averaged. The season is multiplicative where all sales are positive, and additive otherwise.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.censored_periods import fill_censored
from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.deseasonalise import seasonal_indices
from fullshelf.kernels.path_distribution import ERRORS, add_linear, add_logarithmic, clear, settle
from fullshelf.kernels.setting_weights import HALF_LIFE, LOOK_AHEAD, horizons, weigh_settings
from fullshelf.kernels.special import normal_quantile

__all__ = ["theta"]

Array = NDArray[np.float64]

CONTEXT = 300  # newest periods that are read, or five seasons where that is more
LEVEL = (0.03, 0.1, 0.25, 0.45, 0.7, 0.95)  # smoothing constant alpha
SHARE = (0.0, 0.5, 1.0)  # of the slope: 1 - 1 / theta for theta = 1, 2 and without end
SEASONAL = (0.0, 0.15, 0.5)  # smoothing constant of the season gamma / (1 - alpha)
SHARE_PENALTY = 8.0  # for the whole slope, in units of -2 log likelihood
SEASON_PENALTY = 4.0  # the same, for indices that change
LEAST_INDEX, LARGEST_INDEX = 0.1, 10.0  # bounds of a multiplicative index that changes


@core
def _settings(m: int) -> Array:
    """Return the (3, G) grid of alpha, share, gamma; without a season (m = 1) gamma is 0."""
    L, T, S = len(LEVEL), len(SHARE), len(SEASONAL) if m > 1 else 1
    setting = np.empty((3, L * T * S))
    for g in range(L * T * S):
        setting[0, g] = LEVEL[g // (T * S)]
        setting[1, g] = SHARE[g // S % T]
        setting[2, g] = SEASONAL[g % S] * (1.0 - setting[0, g])
    return setting


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
    multiplicative: bool,
    setting: Array,
    level: Array,
    seasonal: Array,
    error: Array,
    count: Array,
) -> None:
    """Run G settings over `x` (n,), from the start values level (G,) and seasonal (m, G), which are updated.

    Discounted squared errors are added to `error` (K, G), their weights to `count` (K,).
    """
    n, m, K, G = x.size, seasonal.shape[0], error.shape[0], level.size
    alpha, share, gamma = setting[0], setting[1], setting[2]
    start = min(n // 4, 12)  # the first forecasts are of the start value
    before = 0.0
    discount = 0.5 ** (1.0 / HALF_LIFE)
    weight_of_t = discount ** (n - 1)
    later_weighs = np.empty(K)
    for k in range(K):
        later_weighs[k] = discount ** -LOOK_AHEAD[k]
    for t in range(n):
        value, index = x[t], seasonal[t % m]
        # What was sold in a period without stock throughout is a lower bound: it can raise the level, as far as the
        # period was in stock, and never lowers it.
        stocked = min(max(observed[t], 0.0), 1.0)
        bound = 0.0 if stocked < 1.0 else -np.inf
        if multiplicative:
            for g in range(G):
                base = level[g] + share[g] * before
                e = value - base * index[g]
                e = stocked * (e if e > bound else bound)
                level[g] = base + alpha[g] * e / index[g]
                new = index[g] + gamma[g] * e / base if base > 0.0 else index[g]
                new = new if new > LEAST_INDEX else LEAST_INDEX
                index[g] = new if new < LARGEST_INDEX else LARGEST_INDEX
        else:
            for g in range(G):
                base = level[g] + share[g] * before
                e = value - base - index[g]
                e = stocked * (e if e > bound else bound)
                level[g] = base + alpha[g] * e
                index[g] += gamma[g] * e
        before = slope[t]
        for k in range(K):
            ahead = t + LOOK_AHEAD[k]
            if t >= start - 1 and ahead < n and observed[ahead] >= 1.0:
                weight = weight_of_t * later_weighs[k]
                count[k] += weight
                actual, later, rise = x[ahead], seasonal[ahead % m], before * LOOK_AHEAD[k]
                if multiplicative:
                    for g in range(G):
                        e = actual - (level[g] + share[g] * rise) * later[g]
                        error[k, g] += weight * e * e
                else:
                    for g in range(G):
                        e = actual - (level[g] + share[g] * rise) - later[g]
                        error[k, g] += weight * e * e
        weight_of_t /= discount


@core
def _one_step(
    x: Array,
    observed: NDArray[np.float32],
    slope: Array,
    multiplicative: bool,
    setting: Array,
    g: int,
    level: float,
    index: Array,
    fitted: Array,
) -> None:
    """Write the one-step forecasts of setting g into `fitted` (n,); updates the indices (m,)."""
    alpha, share, gamma = setting[0, g], setting[1, g], setting[2, g]
    m = index.size
    before = 0.0
    for t in range(x.size):
        base, i = level + share * before, index[t % m]
        fitted[t] = base * i if multiplicative else base + i
        e = x[t] - fitted[t]
        if observed[t] < 1.0:
            e = observed[t] * max(0.0, e)
        if multiplicative:
            level = base + alpha * e / i
            i = i + gamma * e / base if base > 0.0 else i
            index[t % m] = min(max(i, LEAST_INDEX), LARGEST_INDEX)
        else:
            level = base + alpha * e
            index[t % m] = i + gamma * e
        before = slope[t]


@core
def _smooth(
    x: Array,
    filled: Array,
    observed: NDArray[np.float32],
    indices: Array,
    multiplicative: bool,
    used: float,
    path: Array,
    variance: Array,
    fitted: Array,
) -> None:
    """Write the weighted path and its error variances (H,), and one-step forecasts (n,), in the unit of `x`.

    `filled` (n,) is `x` with something likely where the sale is only a lower bound; `indices` (m,) are the season's at
    the start, overwritten; `used` is the freedom that they took.
    """
    n, H, m = x.size, path.size, indices.size
    setting = _settings(m)
    G = setting.shape[1]
    plain, slope = np.empty(n), np.empty(n)
    size = first = 0.0
    newest = min(n, 4)
    for t in range(n):
        plain[t] = filled[t] / indices[t % m] if multiplicative else filled[t] - indices[t % m]
        size += filled[t] * filled[t] / n
        first += plain[t] / newest if t < newest else 0.0
    _slopes(plain, slope)
    level, seasonal, penalty, weight = np.empty(G), np.empty((m, G)), np.empty(G), np.empty(G)
    for g in range(G):
        level[g] = first
        penalty[g] = SHARE_PENALTY * setting[1, g] + (SEASON_PENALTY if setting[2, g] > 0.0 else 0.0)
        for phase in range(m):
            seasonal[phase, g] = indices[phase]
    K = horizons(n)
    error, count = np.zeros((K, G)), np.zeros(K)
    _pass(x, observed, slope, multiplicative, setting, level, seasonal, error, count)
    best = weigh_settings(error, count, 1e-12 * size + 1e-300, penalty, weight)
    _one_step(x, observed, slope, multiplicative, setting, best, first, indices, fitted)

    freedom = max(count[0] - 2.0 - used, 0.25 * count[0], 1e-9)
    centre = level[best]
    square = np.zeros(H)
    for h in range(H):
        path[h] = variance[h] = 0.0
    for g in range(G):
        if weight[g] == 0.0:
            continue
        summed = 0.0
        for h in range(H):
            c = 1.0 if h == 0 else setting[0, g] + (setting[2, g] if h % m == 0 else 0.0)
            summed += c * c
            base, i = level[g] + setting[1, g] * slope[n - 1] * (h + 1), seasonal[(n + h) % m, g]
            if multiplicative:
                forecast = max(base, 0.02 * centre) * i  # a falling line stops above zero
                spread = summed * i * i
            else:
                forecast = base + i
                spread = summed
            path[h] += weight[g] * forecast
            square[h] += weight[g] * (forecast - centre) ** 2
            variance[h] += weight[g] * error[0, g] / freedom * spread
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
    x, filled, logs = np.empty(n), np.empty(n), np.empty(n)
    observed = fill_censored(y, observed, filled)
    positive = True
    average = largest = 0.0
    for t in range(n):
        x[t] = y[t]
        average += filled[t] / n
        largest = max(largest, filled[t])
        positive = positive and filled[t] > 0.0
    if average == 0.0:
        return
    m = season if season > 1 and n >= 2 * season else 1
    indices = np.empty(m)
    if positive:
        for t in range(n):
            logs[t] = math.log(filled[t])
    kept = seasonal_indices(logs if positive else filled, m, indices)
    if positive:
        for phase in range(m):
            indices[phase] = math.exp(indices[phase])
    H, Q = mean.size, levels.size
    scores = np.empty(Q)
    for q in range(Q):
        scores[q] = normal_quantile(levels[q], 1.0 - levels[q])
    path, variance, fitted, errors = np.empty(H), np.empty(H), np.empty(n), np.empty(n)
    _smooth(x, filled, observed, indices, positive, 0.5 * kept * (m - 1), path, variance, fitted)
    doubt = (average / (2.0 * n)) ** 2  # what so few periods cannot show
    for h in range(H):
        variance[h] += doubt
    for logarithmic in range(2 if positive else 1):
        k = 0
        for t in range(max(0, n - ERRORS), n):
            if observed[t] >= 1.0:
                errors[k] = x[t] / max(fitted[t], (0.1 if logarithmic else 0.5) * average)
                errors[k] = math.log(errors[k]) if logarithmic else errors[k]
                k += 1
        if logarithmic:
            relative = 0.0
            for h in range(H):
                forecast = max(path[h], 1e-3 * average)
                relative = max(relative, variance[h] / (forecast * forecast))
                path[h], variance[h] = math.log(forecast), math.log1p(relative)
            add_logarithmic(path, variance, levels, scores, errors[:k], 0.5, quantiles, cumulative, mean)
        else:
            weight = 0.5 if positive else 1.0
            add_linear(path, variance, levels, scores, errors[:k], largest, weight, quantiles, cumulative, mean)
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
