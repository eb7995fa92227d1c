"""The level of demand on weighted windows, how noisy it is and how far it wanders: what several forecasters share."""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

__all__ = ["HALF_LIVES", "block_length", "demand_level"]

Array = NDArray[np.float64]

HALF_LIVES = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)  # periods
WINDOWS = len(HALF_LIVES)
# What is kept of each window lies in one array at constant places: separate arrays might overlap for all that the
# compiler knows, and it would not work on all windows at once.
UNITS, SHOWN, SQUARED, LEVEL, ABSOLUTE, BLOCK_ERROR, BLOCK_MEAN, BLOCK_SQUARE, ERROR, MEAN, DECAY = (
    WINDOWS * i for i in range(11)
)
SHARPNESS = 2.0  # how much past errors decide between half-lives; 1 is the likelihood of independent Laplace errors
STEPS = 7  # forecasts of a block in each block's length
MEMORY = 8.0  # blocks after which an error counts half
PRIOR_PERIODS = 1.0  # what the prior of the dispersion weighs


@core
def block_length(n: int, horizon: int) -> int:
    """Return how many periods' total the past errors are about: the horizon, or a quarter of a short history."""
    return max(1, min(horizon, n // 4))


@core
def demand_level(
    y: NDArray[np.float32], exposure: Array, season: int, horizon: int, counts: bool, weights: Array
) -> tuple[float, float, float]:
    """Estimate level, dispersion and wandering of one series, from its exposures with season and promotions in them.

    Eight exponential windows run over the history side by side. At each period each window forecasts the total of the
    block that follows; windows are then averaged by (sum of absolute block errors)^(-2 x number of blocks), the newest
    errors counting most. Absolute errors on purpose: after a run of zeros most series stay at zero and a few jump back,
    and squared errors would keep all forecasts up for those few. A half-life above a quarter of the history is left
    out: it would only repeat the plain mean.

    Parameters
    ----------
    y, exposure
        (n,) units and exposures, oldest first, with a positive sum each.
    season, horizon
        Periods, m and H.
    counts
        Whether units are whole numbers.
    weights
        (8,) output: the share of each half-life of `HALF_LIVES`.

    Returns
    -------
    level
        Units in a period of exposure 1.
    dispersion
        Variance of a period's demand around its forecast / mean.
    wander
        Variance / mean² of the level itself over one block: what the totals of many periods share.
    """
    n = y.size
    windows = 1
    while windows < len(HALF_LIVES) and 4.0 * HALF_LIVES[windows] <= n:
        windows += 1
    B = block_length(n, horizon)
    sold = np.zeros(n + 1)
    exposed = np.zeros(n + 1)
    for t in range(n):
        sold[t + 1] = sold[t] + y[t]
        exposed[t + 1] = exposed[t] + exposure[t]
    average = sold[n] / exposed[n]
    state = np.zeros(DECAY + WINDOWS)
    for w in range(WINDOWS):
        state[UNITS + w] = 0.1 * average  # a tenth of a period of the average, so that no level is 0
        state[SHOWN + w] = state[SQUARED + w] = 0.1
        state[LEVEL + w] = average
        state[DECAY + w] = 0.5 ** (1.0 / HALF_LIVES[w])
    fade = 0.5 ** (1.0 / max(MEMORY * B, 2.0 * season))
    step = max(1, B // STEPS)  # blocks overlap: every so many periods one is enough
    block_fade = fade**step
    periods = 0.0
    warm = min(n // 2, max(2, season // 2))
    for t in range(n):
        if t >= warm:
            if t + B <= n and (n - t - B) % step == 0:
                total = sold[t + B] - sold[t]
                length = exposed[t + B] - exposed[t]
                for w in range(WINDOWS):
                    forecast = state[LEVEL + w] * length
                    e = total - forecast
                    state[ABSOLUTE + w] = state[ABSOLUTE + w] * block_fade + abs(e)
                    state[BLOCK_ERROR + w] = state[BLOCK_ERROR + w] * block_fade + e * e
                    state[BLOCK_MEAN + w] = state[BLOCK_MEAN + w] * block_fade + forecast
                    state[BLOCK_SQUARE + w] = state[BLOCK_SQUARE + w] * block_fade + forecast * forecast
            for w in range(WINDOWS):
                forecast = state[LEVEL + w] * exposure[t]
                state[ERROR + w] = state[ERROR + w] * fade + (y[t] - forecast) ** 2
                state[MEAN + w] = state[MEAN + w] * fade + forecast
            periods = periods * fade + 1.0
        for w in range(WINDOWS):
            state[UNITS + w] = state[UNITS + w] * state[DECAY + w] + y[t]
            state[SHOWN + w] = state[SHOWN + w] * state[DECAY + w] + exposure[t]
            state[SQUARED + w] = state[SQUARED + w] * state[DECAY + w] * state[DECAY + w] + exposure[t]
            state[LEVEL + w] = state[UNITS + w] / state[SHOWN + w]
    weights[:] = 0.0
    blocks = periods / B
    best = -np.inf
    for w in range(windows):
        weights[w] = -SHARPNESS * blocks * math.log(max(state[ABSOLUTE + w], 1e-3 * average))
        best = max(best, weights[w])
    sum_of_weights = 0.0
    for w in range(windows):
        weights[w] = math.exp(weights[w] - best)
        sum_of_weights += weights[w]
    mu = effective = e1 = m1 = eb = mb = sb = 0.0
    for w in range(windows):
        weights[w] /= sum_of_weights
        mu += weights[w] * state[LEVEL + w]
        effective += weights[w] * state[SHOWN + w] * state[SHOWN + w] / state[SQUARED + w]
        e1 += weights[w] * state[ERROR + w]
        m1 += weights[w] * state[MEAN + w]
        eb += weights[w] * state[BLOCK_ERROR + w]
        mb += weights[w] * state[BLOCK_MEAN + w]
        sb += weights[w] * state[BLOCK_SQUARE + w]
    prior = 0.1 * mu + (1.0 if counts else 0.0)  # a tenth of the mean squared, and what counting adds
    dispersion = (e1 + PRIOR_PERIODS * prior * mu) / (m1 + PRIOR_PERIODS * mu)
    sampling = dispersion / (mu * max(1.0, effective))
    wander = sampling
    if blocks > 0.0 and sb > 0.0:
        seen = max(0.0, (eb - dispersion * mb) / sb)
        wander = max(0.5 * sampling, (seen * blocks + sampling) / (blocks + 1.0))
    return mu, dispersion, min(wander, 1.0)
