"""The season as a factor for each phase, shrunk towards 1 by how clearly it stands out of the noise."""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

__all__ = ["phase_factors"]

LONGEST = 26  # seasons looked at, where a season is short
CLEARLY = 0.5  # standard deviations of chance that a season must stand out by
USUAL = 0.05  # variance of phase factors expected before any evidence, ± SURE
SURE = 0.1
DOUBT = 0.3  # seasons' worth of noise as large as all variation that are believed in before any is seen


@core
def phase_factors(
    y: NDArray[np.float32], exposure: NDArray[np.float64], season: int, factors: NDArray[np.float64]
) -> None:
    """Write the factor of each phase: `factors[h % season]` belongs to h periods after the first unknown one.

    Sales are compared with a centred moving level over one season, by phase. The factors' differences from 1 are
    multiplied by t / (t + c): c is the variance that chance alone gives a factor, and t the variance of true factors,
    a compromise between what was seen beyond chance and the prior 0.05 ± 0.1, weighted by their precisions. Where the
    F statistic is less than half a standard deviation above 1 there is no season. So chance alone makes hardly any, and
    short, lumpy histories make little.

    Parameters
    ----------
    y, exposure
        (n,) units and exposures, oldest first.
    season
        Periods in a season, m; less than two seasons of history give 1 throughout.
    factors
        (m,) output, mean 1.
    """
    m = season
    factors[:] = 1.0
    n = y.size
    W = min(n, LONGEST * m) if m <= LONGEST else n
    if m < 2 or W // m < 2:
        return
    start = n - W
    sold = np.zeros(W + 1)
    exposed = np.zeros(W + 1)
    for i in range(W):
        sold[i + 1] = sold[i] + y[start + i]
        exposed[i + 1] = exposed[i] + exposure[start + i]
    half = m // 2
    # The level at the ends leans on one side, which a trend would bend: left out where enough else is there.
    first, last = (half, W - half) if W // m >= 3 else (0, W)
    expected = np.zeros(W)
    up = np.zeros(m)
    down = np.zeros(m)
    phase = (first - W) % m
    for i in range(first, last):
        a, b = i - half, i + half + 1
        if a < 0 or b > W:
            a = 0 if a < 0 else W - m
            units, shown = sold[a + m] - sold[a], exposed[a + m] - exposed[a]
        elif m % 2 == 1:
            units, shown = sold[b] - sold[a], exposed[b] - exposed[a]
        else:
            units = 0.5 * (sold[b - 1] - sold[a] + sold[b] - sold[a + 1])
            shown = 0.5 * (exposed[b - 1] - exposed[a] + exposed[b] - exposed[a + 1])
        if shown > 0.0:
            expected[i] = units / shown * exposure[start + i]
        if expected[i] > 0.0:
            up[phase] += y[start + i]
            down[phase] += expected[i]
        phase = phase + 1 if phase + 1 < m else 0
    ups = downs = 0.0
    for j in range(m):
        ups += up[j]
        downs += down[j]
    if ups <= 0.0 or downs <= 0.0:
        return
    ratio = ups / downs
    within = overall = 0.0
    count = 0
    phase = (first - W) % m
    for i in range(first, last):
        if expected[i] > 0.0:
            fitted = expected[i] * up[phase] / down[phase]
            within += (y[start + i] - fitted) ** 2 / expected[i]
            overall += (y[start + i] - expected[i] * ratio) ** 2 / expected[i]
            count += 1
        phase = phase + 1 if phase + 1 < m else 0
    freedom = count - m - (last - first) / m
    if freedom < 1.0:
        return
    # Where each phase sold once, its own value explains it wholly: part of all variation counts as noise.
    noise = (within + DOUBT * m * overall / count) / (freedom + DOUBT * m)
    between = 0.0
    for j in range(m):
        if down[j] > 0.0:
            between += down[j] * (up[j] / down[j] - ratio) ** 2
    chance = noise * m / downs
    seen = between / (m - 1.0) * m / downs
    if seen <= chance * (1.0 + CLEARLY * math.sqrt(2.0 / (m - 1.0) + 2.0 / freedom)):
        return
    prior = 1.0 / (SURE * SURE)
    precision = (m - 1.0) / (2.0 * seen * seen)
    true = (prior * USUAL + precision * (seen - chance)) / (prior + precision)
    kept = true / (true + chance)
    total = 0.0
    for j in range(m):
        if down[j] > 0.0:
            factors[j] = max(0.0, 1.0 + kept * (up[j] / down[j] / ratio - 1.0))
        total += factors[j]
    for j in range(m):
        factors[j] *= m / total
