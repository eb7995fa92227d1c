"""Exponential smoothing with level, damped trend and season: many settings side by side, averaged by past errors.

One pass over a series updates G settings of (alpha, beta, phi, gamma) at once, so that the machine's vectors are full
and no optimiser has to converge; `setting_weights` says how they are averaged. Positive series are smoothed twice, as
they are and as logarithms, and the two sets of quantiles are averaged level by level.
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

__all__ = ["exponential_smoothing"]

Array = NDArray[np.float64]

CONTEXT = 300  # newest periods that are read, or five seasons where that is more
LEVEL = (0.03, 0.1, 0.25, 0.45, 0.7, 0.95)  # alpha
# phi, beta / alpha: none, two damped trends, and a level that partly returns after a shock (beta below 0).
TREND = ((0.0, 0.0), (0.8, 0.3), (0.95, 0.1), (0.9, -0.09))
SEASONAL = (0.0, 0.15, 0.5)  # gamma / (1 - alpha)
LEVEL_PENALTY = 2.0  # times alpha, in units of -2 log likelihood: a steady level is the likelier one
TREND_PENALTY = 8.0
SEASON_PENALTY = 4.0  # for indices that change


@core
def _settings(m: int) -> Array:
    """Return the (4, G) grid of alpha, beta, phi, gamma; without a season (m = 1) gamma is 0."""
    L, T, S = len(LEVEL), len(TREND), len(SEASONAL) if m > 1 else 1
    setting = np.empty((4, L * T * S))
    for g in range(L * T * S):
        alpha = LEVEL[g // (T * S)]
        phi, share = TREND[g // S % T]
        setting[0, g] = alpha
        setting[1, g] = alpha * share
        setting[2, g] = phi
        setting[3, g] = SEASONAL[g % S] * (1.0 - alpha)
    return setting


@core
def _pass(
    x: Array, observed: NDArray[np.float32], step: int, setting: Array, state: Array, seasonal: Array, error: Array
) -> None:
    """Run G settings over `x`, forwards (step 1) or backwards (step -1), and add up discounted squared errors.

    setting (4, G): alpha, beta, phi, gamma. state (2, G): level, trend. seasonal (m, G).
    error (K, G): of the first K of LOOK_AHEAD; backwards, only of one period ahead.
    """
    n, m = x.size, seasonal.shape[0]
    alpha, beta, phi, gamma = setting[0], setting[1], setting[2], setting[3]
    level, trend = state[0], state[1]
    G = alpha.size
    K = error.shape[0] if step > 0 else 1
    drift = np.zeros((len(LOOK_AHEAD), G))
    for k in range(K):
        for g in range(G):
            damping = 1.0
            for _ in range(LOOK_AHEAD[k]):
                damping *= phi[g]
                drift[k, g] += damping
    discount = 0.5 ** (1.0 / HALF_LIFE)
    weight = discount ** (n - 1)
    later_weighs = np.empty(K)
    for k in range(K):
        later_weighs[k] = discount ** -LOOK_AHEAD[k]
    t = 0 if step > 0 else n - 1
    for _ in range(n):
        index = seasonal[t % m]
        value = x[t]
        # What was sold in a period without stock throughout is a lower bound: it can raise the level, as far as the
        # period was in stock, and never lowers it.
        share = min(max(observed[t], 0.0), 1.0)
        bound = 0.0 if share < 1.0 else -np.inf
        counts = weight if observed[t] >= 1.0 else 0.0
        for g in range(G):
            base = level[g] + phi[g] * trend[g]
            e = value - base - index[g]
            e = share * (e if e > bound else bound)
            level[g] = base + alpha[g] * e
            trend[g] = phi[g] * trend[g] + beta[g] * e
            index[g] += gamma[g] * e
            error[0, g] += counts * e * e
        for k in range(1, K):
            ahead = t + LOOK_AHEAD[k]
            if ahead < n and observed[ahead] >= 1.0:
                later = seasonal[ahead % m]
                actual = x[ahead]
                counts = weight * later_weighs[k]
                for g in range(G):
                    e = actual - level[g] - drift[k, g] * trend[g] - later[g]
                    error[k, g] += counts * e * e
        weight /= discount
        t += step


@core
def _one_step(
    x: Array, observed: NDArray[np.float32], setting: Array, g: int, start: Array, index: Array, fitted: Array
) -> None:
    """Write the one-step forecasts of setting g from its start values into `fitted` (n,); updates `index` (m,)."""
    alpha, beta, phi, gamma = setting[0, g], setting[1, g], setting[2, g], setting[3, g]
    level, trend = start[0, g], start[1, g]
    m = index.size
    for t in range(x.size):
        base = level + phi * trend
        fitted[t] = base + index[t % m]
        e = x[t] - fitted[t]
        if observed[t] < 1.0:
            e = observed[t] * max(0.0, e)
        level = base + alpha * e
        trend = phi * trend + beta * e
        index[t % m] += gamma * e


@core
def _smooth(
    x: Array, filled: Array, observed: NDArray[np.float32], season: int, path: Array, variance: Array, fitted: Array
) -> None:
    """Write the weighted path and its error variances (H,), and one-step forecasts (n,), in the unit of `x` (n,).

    `filled` (n,) is `x` with something likely where the sale is only a lower bound.
    """
    n, H = x.size, path.size
    m = season if season > 1 and n >= 2 * season else 1
    indices = np.zeros(m)
    kept = seasonal_indices(filled, m, indices)
    setting = _settings(m)
    G = setting.shape[1]
    K = horizons(n)
    count = np.zeros(K)
    size = 0.0
    discount, counts = 0.5 ** (1.0 / HALF_LIFE), 1.0
    for t in range(n - 1, -1, -1):
        size += filled[t] * filled[t]
        if observed[t] >= 1.0:
            count[0] += counts
            for k in range(1, K):
                count[k] += counts if t >= LOOK_AHEAD[k] else 0.0
        counts *= discount
    # Start values: the newest season's mean, smoothed backwards to the first period.
    newest = min(n, max(4, m))
    mean = 0.0
    for t in range(n - newest, n):
        mean += (filled[t] - indices[t % m]) / newest
    state = np.zeros((2, G))
    seasonal = np.empty((m, G))
    for g in range(G):
        state[0, g] = mean
    for phase in range(m):
        for g in range(G):
            seasonal[phase, g] = indices[phase]
    start, first_season, error = np.empty((2, G)), np.empty((m, G)), np.zeros((K, G))
    for step in (-1, 1):
        if step > 0:
            for g in range(G):
                state[1, g] = -state[1, g]
                start[0, g], start[1, g] = state[0, g], state[1, g]
                error[0, g] = 0.0
                for phase in range(m):
                    first_season[phase, g] = seasonal[phase, g]
        _pass(x, observed, step, setting, state, seasonal, error)
    weight, penalty = np.empty(G), np.empty(G)
    for g in range(G):
        penalty[g] = LEVEL_PENALTY * setting[0, g]
        penalty[g] += TREND_PENALTY if setting[1, g] != 0.0 else 0.0
        penalty[g] += SEASON_PENALTY if setting[3, g] > 0.0 else 0.0
    best = weigh_settings(error, count, 1e-12 * size + 1e-300, penalty, weight)
    for phase in range(m):
        indices[phase] = first_season[phase, best]
    _one_step(x, observed, setting, best, start, indices, fitted)

    # Start values use up freedom: level, trend, and half of the season's indices as far as they were kept.
    freedom = max(count[0] - 2.0 - 0.5 * kept * (m - 1), 0.25 * count[0], 1e-9)
    square = np.zeros(H)
    for h in range(H):
        path[h] = variance[h] = 0.0
    for g in range(G):
        if weight[g] == 0.0:
            continue
        alpha, beta, phi, gamma = setting[0, g], setting[1, g], setting[2, g], setting[3, g]
        trend, drift, slope, damping, summed = state[1, g], 0.0, 0.0, phi, 1.0
        for h in range(H):
            trend *= phi
            drift += trend
            forecast = state[0, g] + drift + seasonal[(n + h) % m, g]
            path[h] += weight[g] * forecast
            square[h] += weight[g] * (forecast - mean) ** 2
            if h > 0:
                slope += damping * beta
                damping *= phi
                c = alpha + slope + (gamma if h % m == 0 else 0.0)
                summed += c * c
            variance[h] += weight[g] * error[0, g] / freedom * summed
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
    n = min(y.size, max(CONTEXT, 5 * season))
    clear(quantiles, cumulative, mean)
    if n == 0:
        return
    y, observed = y[y.size - n :], observed[observed.size - n :]
    x, filled = np.empty(n), np.empty(n)
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
    scores = np.empty(levels.size)
    for q in range(levels.size):
        scores[q] = normal_quantile(levels[q], 1.0 - levels[q])
    H = mean.size
    path, variance, fitted, errors = np.empty(H), np.empty(H), np.empty(n), np.empty(n)
    doubt = 1.0 / (2.0 * n)  # relative deviation that so few periods cannot show
    for logarithmic in range(2 if positive else 1):
        if logarithmic:
            for t in range(n):
                x[t] = math.log(x[t]) if x[t] > 0.0 else -np.inf  # a bound that says nothing
                filled[t] = math.log(filled[t])
        _smooth(x, filled, observed, season, path, variance, fitted)
        k = 0
        for t in range(max(0, n - ERRORS), n):
            if observed[t] >= 1.0:
                errors[k] = x[t] - fitted[t] if logarithmic else x[t] / max(fitted[t], 0.5 * average)
                k += 1
        unit = 1.0 if logarithmic else average
        for h in range(H):
            variance[h] += (doubt * unit) ** 2
        if logarithmic:
            add_logarithmic(path, variance, levels, scores, errors[:k], 0.5, quantiles, cumulative, mean)
        else:
            weight = 0.5 if positive else 1.0
            add_linear(path, variance, levels, scores, errors[:k], largest, weight, quantiles, cumulative, mean)
    settle(quantiles, cumulative)


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
        for h in range(H):
            mean[s, h] = expected[h]
            for q in range(Q):
                quantiles[s, h, q] = one[h, q]
                cumulative[s, h, q] = totals[h, q]
    return quantiles, cumulative, mean
