"""Croston's method, its correction by Syntetos and Boylan, and that of Teunter, Syntetos and Babai, with quantiles.

Croston (1972) smooths the sizes of demands and the intervals between them apart; SBA (2005) multiplies the ratio by
1 - alpha / 2, which takes out most of its bias; TSB (2011) smooths the probability of a demand in every period, so that
it falls while nothing sells. The quantiles are those of a total of Bernoulli demands with random sizes. `SILENT` is for
series that have stopped selling: after n silent periods a demand has the probability 0.5 / (n + 1), Jeffreys' estimate.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop
from fullshelf.kernels.demand_law import whole
from fullshelf.kernels.exposure import NOTHING, fill_exposure
from fullshelf.kernels.forecast_store import store_means, store_quantiles
from fullshelf.kernels.special import normal_quantile

__all__ = ["CROSTON", "SBA", "SILENT", "TSB", "croston", "croston_forecasts", "sba", "tsb"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]

CROSTON, SBA, TSB, SILENT = 0, 1, 2, 3
NEVER = 1e-4  # probability of no demand at all that changes no quantile
ALPHA = 0.1  # smoothing of sizes, intervals and probabilities: the usual choice in the literature


@core
def _sizes(y: Single, exposure: Array, method: int) -> tuple[float, float, float]:
    """Return the probability of a demand in a period, the mean size and the variance of sizes."""
    n = y.size
    first = -1
    probability = interval = size = variance = since = 0.0
    for t in range(n):
        # What could be seen of the period: a stock-out does not make an interval longer.
        since += min(1.0, exposure[t])
        if y[t] > 0.0:
            # A sale of a barely stocked period is not scaled up beyond ten times.
            units = y[t] / max(exposure[t], 0.1) if exposure[t] > 0.0 else float(y[t])
            if first < 0:
                first = t
                size = units
                interval = max(1.0, since)
                probability = 1.0 / interval
            else:
                e = units - size
                size += ALPHA * e
                variance = (1.0 - ALPHA) * (variance + ALPHA * e * e)
                interval += ALPHA * (max(1.0, since) - interval)
            since = 0.0
        if first >= 0 and t > first:
            probability += ALPHA * min(1.0, exposure[t]) * ((1.0 if y[t] > 0.0 else 0.0) - probability)
    if method == TSB:
        return probability, size, variance
    if method == SILENT:
        return 0.5 / (since + 1.0), size, variance
    return 1.0 / interval, size, variance


@core
def _compound_quantiles(
    levels: Array, scores: Array, counts: bool, none: float, mean: float, variance: float, out: Array
) -> None:
    """Quantiles of demand that is 0 with probability `none` and has that mean and variance over all.

    Given that there is any, its size is nearly gamma (Wilson and Hilferty's cube); counts are rounded and at least 1.
    `scores` are the normal quantiles of the levels, right as they are where `none` does not matter.
    """
    positive = 1.0 - none
    size = mean / positive
    spread = max(0.0, (variance + mean * mean) / positive - size * size)
    thin = spread / (9.0 * size * size)  # 1 / (9 shape)
    root = math.sqrt(thin)
    for j in range(levels.size):
        score = scores[j]
        if none > NEVER:
            p = (levels[j] - none) / positive
            if p <= 0.0:
                out[j] = 0.0
                continue
            score = normal_quantile(p, 1.0 - p)
        cube = max(0.0, 1.0 - thin + root * score)
        value = size * cube * cube * cube
        out[j] = max(1.0, math.floor(value + 0.5)) if counts else value


@core
def _series(
    y: Single,
    observed: Single,
    factor: Single,
    ahead: Single,
    method: int,
    levels: Array,
    scores: Array,
    quantiles: Array,
    cumulative: Array,
    mean: Array,
) -> None:
    """Forecast one series into the outputs; arguments as in `croston_forecasts`.

    The total of k periods has the mean k p z and the variance k (p s² + p (1 - p) z²) for probability p, size z and
    variance of sizes s²; to that comes what smoothing leaves open of the level, alpha / (2 - alpha) x (1 - p + s²/z²)
    relative to mean², which all periods share. It is zero with probability (1 - p)^k.
    """
    H, Q = quantiles.shape
    quantiles[:] = 0.0
    cumulative[:] = 0.0
    mean[:] = 0.0
    exposure = np.empty(y.size)
    if fill_exposure(y, observed, factor, exposure) <= 0.0:
        return
    counts = whole(y)
    p, z, s2 = _sizes(y, exposure, method)
    if p <= 0.0:
        return
    open_level = ALPHA / (2.0 - ALPHA) * (1.0 - p + s2 / (z * z))
    bias = 1.0 - 0.5 * ALPHA if method == SBA else 1.0
    total = variance = 0.0
    none = 1.0
    for h in range(H):
        scale = bias * (ahead[h] if ahead.size else 1.0)
        if scale > 0.0:
            mean[h] = scale * p * z
            one = scale * scale * (p * s2 + p * (1.0 - p) * z * z)
            if h == 0 or ahead.size:
                _compound_quantiles(levels, scores, counts, 1.0 - p, mean[h], one, quantiles[h])
            else:
                for j in range(Q):
                    quantiles[h, j] = quantiles[0, j]
            total += mean[h]
            variance += one
            none *= 1.0 - p
        if total > 0.0:
            shared = open_level * total * total if h else 0.0
            _compound_quantiles(levels, scores, counts, none, total, variance + shared, cumulative[h])
        if h:
            for j in range(Q):
                cumulative[h, j] = max(cumulative[h, j], cumulative[h - 1, j])


@loop
def croston_forecasts(
    units: Single,
    observed: Single,
    factor: Single,
    ahead: Single,
    offsets: NDArray[np.int64],
    horizon: int,
    levels: Array,
    method: int,
) -> tuple[Single, Single, Single]:
    """Forecast S series by `CROSTON`, `SBA`, `TSB` or `SILENT`; otherwise as `window_forecasts` for one member."""
    S, H, Q = offsets.size - 1, horizon, levels.size
    quantiles = np.empty((S, H, Q), dtype=np.float32)
    cumulative = np.empty((S, H, Q), dtype=np.float32)
    mean = np.empty((S, H), dtype=np.float32)
    one, totals, expected, scores = np.empty((H, Q)), np.empty((H, Q)), np.empty(H), np.empty(Q)
    for j in range(Q):
        scores[j] = normal_quantile(levels[j], 1.0 - levels[j])
    for s in range(S):
        start, stop = offsets[s], offsets[s + 1]
        past = factor[start:stop] if factor.size else factor
        future = ahead[s * H : s * H + H] if ahead.size else ahead
        _series(units[start:stop], observed[start:stop], past, future, method, levels, scores, one, totals, expected)
        store_quantiles(one, quantiles[s])
        store_quantiles(totals, cumulative[s])
        store_means(expected, mean[s])
    return quantiles, cumulative, mean


def croston(
    units: Single, observed: Single, offsets: NDArray[np.int64], horizon: int, season: int, levels: Array
) -> tuple[Single, Single, Single]:
    """Forecast S series by Croston's method; arguments and results as in `negative_binomial`. `season` is not used.

    Examples
    --------
    >>> import numpy as np
    >>> units = np.tile(np.array([0, 0, 0, 6], dtype=np.float32), 10)
    >>> q, total, mean = croston(units, np.ones_like(units), np.array([0, 40]), 1, 1, np.array([0.5, 0.9]))
    >>> q.ravel().tolist(), mean.ravel().tolist()
    ([0.0, 6.0], [1.5])
    """
    return croston_forecasts(units, observed, NOTHING, NOTHING, offsets, horizon, levels, CROSTON)


def sba(
    units: Single, observed: Single, offsets: NDArray[np.int64], horizon: int, season: int, levels: Array
) -> tuple[Single, Single, Single]:
    """Forecast S series by Croston's method as Syntetos and Boylan corrected it; as `croston`, times 1 - alpha / 2."""
    return croston_forecasts(units, observed, NOTHING, NOTHING, offsets, horizon, levels, SBA)


def tsb(
    units: Single, observed: Single, offsets: NDArray[np.int64], horizon: int, season: int, levels: Array
) -> tuple[Single, Single, Single]:
    """Forecast S series by Teunter, Syntetos and Babai's method; as `croston`, but demand that ends fades away."""
    return croston_forecasts(units, observed, NOTHING, NOTHING, offsets, horizon, levels, TSB)
