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
from fullshelf.kernels.special import normal_quantile

__all__ = ["CROSTON", "SBA", "SILENT", "TSB", "croston", "croston_forecasts", "sba", "tsb"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]

CROSTON, SBA, TSB, SILENT = 0, 1, 2, 3
NEVER = 1e-4  # probability of no demand at all that changes no quantile
ALPHA = 0.1  # smoothing of sizes, intervals and probabilities: the usual choice in the literature


@core
def _smooth(y: Single, exposure: Array) -> tuple[float, float, float, float, float]:
    """Return smoothed probability, interval, size, variance of sizes, and the periods since the last demand."""
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
    return probability, interval, size, variance, since


@core
def _compound_quantiles(levels: Array, scores: Array, none: float, mean: float, variance: float, out: Array) -> None:
    """Quantiles of demand that is 0 with probability `none` and has that mean and variance over all.

    Given that there is any, its size is nearly gamma (Wilson and Hilferty's cube). `scores` are the normal quantiles of
    the levels, right as they are where `none` does not matter.
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
        cube = max(1e-3, 1.0 - thin + root * score)  # there is demand, however little
        out[j] = size * cube * cube * cube


@core
def _law(
    p: float, size: float, s2: float, ahead: Single, levels: Array, scores: Array, single: Array, totals: Array
) -> None:
    """Fill the quantiles of an ordinary period (Q,) and of the totals (H, Q), units not rounded.

    The total of k periods has the mean k p z and the variance k (p s² + p (1 - p) z²) for probability p, size z and
    variance of sizes s²; to that comes what smoothing leaves open of the level, alpha / (2 - alpha) x (1 - p + s²/z²)
    relative to mean², which all periods share. It is zero with probability (1 - p)^k.
    """
    open_level = ALPHA / (2.0 - ALPHA) * (1.0 - p + s2 / (size * size))
    one = p * s2 + p * (1.0 - p) * size * size
    _compound_quantiles(levels, scores, 1.0 - p, p * size, one, single)
    total = variance = 0.0
    none = 1.0
    for h in range(totals.shape[0]):
        scale = ahead[h] if ahead.size else 1.0
        if scale > 0.0:
            total += scale * p * size
            variance += scale * scale * one
            none *= 1.0 - p
        if total > 0.0:
            shared = open_level * total * total if h else 0.0
            _compound_quantiles(levels, scores, none, total, variance + shared, totals[h])
        else:
            totals[h] = 0.0


@core
def _write(values: Array, scale: float, counts: bool, out: Single) -> None:
    """Write scale x values into `out`; counts are rounded, and what is above 0 is at least 1."""
    for j in range(values.size):
        value = scale * values[j]
        if counts and value > 0.0:
            value = max(1.0, math.floor(value + 0.5))
        out[j] = value


@loop
def croston_forecasts(
    units: Single,
    observed: Single,
    factor: Single,
    ahead: Single,
    offsets: NDArray[np.int64],
    horizon: int,
    levels: Array,
    methods: NDArray[np.int64],
) -> tuple[Single, Single, Single]:
    """Forecast S series by M methods: `CROSTON`, `SBA`, `TSB` or `SILENT`; otherwise as `window_forecasts`.

    Returns
    -------
    quantiles (M, S, H, Q) in units per period, cumulative (M, S, H, Q) in units per 1…k periods, mean (M, S, H).
    """
    M, S, H, Q = methods.size, offsets.size - 1, horizon, levels.size
    quantiles = np.zeros((M, S, H, Q), dtype=np.float32)
    cumulative = np.zeros((M, S, H, Q), dtype=np.float32)
    mean = np.zeros((M, S, H), dtype=np.float32)
    single, totals, scores = np.empty(Q), np.empty((H, Q)), np.empty(Q)
    for j in range(Q):
        scores[j] = normal_quantile(levels[j], 1.0 - levels[j])
    for s in range(S):
        start, stop = offsets[s], offsets[s + 1]
        y = units[start:stop]
        exposure = np.empty(y.size)
        past = factor[start:stop] if factor.size else factor
        future = ahead[s * H : s * H + H] if ahead.size else ahead
        if fill_exposure(y, observed[start:stop], past, exposure) <= 0.0:
            continue
        counts = whole(y)
        probability, interval, size, variance, since = _smooth(y, exposure)
        filled = 0.0
        for m in range(M):
            p = 1.0 / interval
            if methods[m] == TSB:
                p = probability
            elif methods[m] == SILENT:
                p = 0.5 / (since + 1.0)
            if p <= 0.0:
                continue
            if p != filled:
                _law(p, size, variance, future, levels, scores, single, totals)
                filled = p
            bias = 1.0 - 0.5 * ALPHA if methods[m] == SBA else 1.0
            for h in range(H):
                scale = bias * (future[h] if future.size else 1.0)
                if scale > 0.0:
                    mean[m, s, h] = scale * p * size
                    _write(single, scale, counts, quantiles[m, s, h])
                _write(totals[h], bias, counts, cumulative[m, s, h])
                if h:
                    for j in range(Q):
                        cumulative[m, s, h, j] = max(cumulative[m, s, h, j], cumulative[m, s, h - 1, j])
    return quantiles, cumulative, mean


def _alone(
    method: int, units: Single, observed: Single, offsets: NDArray[np.int64], horizon: int, levels: Array
) -> tuple[Single, Single, Single]:
    methods = np.array([method])
    q, total, mean = croston_forecasts(units, observed, NOTHING, NOTHING, offsets, horizon, levels, methods)
    return q[0], total[0], mean[0]


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
    return _alone(CROSTON, units, observed, offsets, horizon, levels)


def sba(
    units: Single, observed: Single, offsets: NDArray[np.int64], horizon: int, season: int, levels: Array
) -> tuple[Single, Single, Single]:
    """Forecast S series by Croston's method as Syntetos and Boylan corrected it; as `croston`, times 1 - alpha / 2."""
    return _alone(SBA, units, observed, offsets, horizon, levels)


def tsb(
    units: Single, observed: Single, offsets: NDArray[np.int64], horizon: int, season: int, levels: Array
) -> tuple[Single, Single, Single]:
    """Forecast S series by Teunter, Syntetos and Babai's method; as `croston`, but demand that ends fades away."""
    return _alone(TSB, units, observed, offsets, horizon, levels)
