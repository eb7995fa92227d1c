"""Quantiles of single periods and of running totals around a forecast path with known error variances.

An innovations model says y_h = f_h + c_0 e_h + c_1 e_{h-1} + …: the errors of neighbouring periods move together, and
the total of periods 1…k has the variance sum over s of (sum of c_{h-s} for h = s…k)². Only the variances v_h of the
single periods are needed here: c_j² = v_{j+1} - v_j.

The shape is partly that of a named distribution, gamma or log-normal, and partly that of the past errors themselves:
their share is k / (k + 50) or less, k errors being known.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

__all__ = ["ERRORS", "add_linear", "add_logarithmic", "clear", "settle"]

Array = NDArray[np.float64]

ERRORS = 100  # newest errors that shape the quantiles
HALF_SHAPE = 50.0  # errors that count as much as the named distribution
LARGEST_LOG_VARIANCE = 1.0  # of a log-normal: a deviation of 2.7 times, beyond which its tail is no sales' any more
LARGEST = 3.0e38  # units, inside float32


@core
def gamma_shaped(mean: float, deviation: float, score: float) -> float:
    """Quantile of the gamma distribution of that mean and deviation; `score` is the normal quantile of the level.

    The approximation of Wilson and Hilferty (1931), good while the deviation is below the mean; never below zero.

    Examples
    --------
    >>> round(gamma_shaped(100.0, 20.0, 1.6448536269514722), 1)  # exactly 135.01
    135.0
    """
    if mean <= 0.0:
        return max(0.0, mean + deviation * score)
    c = deviation / mean
    root = max(0.0, 1.0 - c * c / 9.0 + c * score / 3.0)
    return mean * root * root * root


@core
def error_quantiles(errors: Array, levels: Array, quantiles: Array) -> None:
    """Write the quantiles of the errors (k,) at the levels (Q,), linear between order statistics; sorts in place."""
    k = errors.size
    for gap in (57, 23, 10, 4, 1):  # Shell's sort: numba's own takes 5 s to compile, and k is small
        for i in range(gap, k):
            moving = errors[i]
            j = i
            while j >= gap and errors[j - gap] > moving:
                errors[j] = errors[j - gap]
                j -= gap
            errors[j] = moving
    for q in range(levels.size):
        position = min(max(levels[q] * (k + 1) - 1.0, 0.0), k - 1.0)
        below = int(position)
        above = min(below + 1, k - 1)
        quantiles[q] = errors[below] + (errors[above] - errors[below]) * (position - below)


@core
def innovation_weights(variance: Array, weights: Array) -> None:
    """Write c_j, the weight of an innovation j periods later, from the error variances v_{j+1} of single periods."""
    before = 0.0
    for h in range(variance.size):
        weights[h] = math.sqrt(max(0.0, variance[h] - before))
        before = max(before, variance[h])


@core
def add_linear(
    path: Array,
    variance: Array,
    levels: Array,
    scores: Array,
    ratios: Array,
    largest: float,
    weight: float,
    quantiles: Array,
    cumulative: Array,
    mean: Array,
) -> None:
    """Add `weight` times the quantiles around `path`, in units, to the outputs.

    Parameters
    ----------
    path
        (H,) forecasts, units.
    variance
        (H,) variances of their errors, units².
    levels, scores
        (Q,) probabilities and their standard normal quantiles.
    ratios
        (k,) past values over their forecasts; sorted in place.
    largest
        Past value, units: no quantile taken from the ratios is above three times this and the forecast.
    weight
        Of these quantiles among those that are averaged, level by level.
    quantiles, cumulative, mean
        (H, Q), (H, Q), (H,) outputs, added to.
    """
    H, Q = path.size, scores.size
    k = ratios.size
    share = k / (k + HALF_SHAPE)
    shape = np.ones(Q)
    centre = 0.0 if k > 0 else 1.0
    for i in range(k):
        centre += ratios[i] / k
    if k > 0:
        error_quantiles(ratios, levels, shape)
    pull = np.zeros(H)
    step = np.empty(H)
    innovation_weights(variance, step)
    total = 0.0
    for h in range(H):
        forecast = max(path[h], 0.0)
        deviation = math.sqrt(variance[h])
        wider = math.sqrt(variance[h] / variance[0]) if variance[0] > 0.0 else 1.0
        mean[h] += weight * forecast
        total += forecast
        squares = 0.0
        for s in range(h + 1):
            pull[s] += step[h - s]
            squares += pull[s] * pull[s]
        spread = math.sqrt(squares)
        for q in range(Q):
            named = gamma_shaped(forecast, deviation, scores[q])
            seen = forecast * max(0.0, centre + (shape[q] - centre) * wider)
            seen = min(seen, 3.0 * max(largest, forecast))
            quantiles[h, q] += weight * (named + share * (seen - named))
            cumulative[h, q] += weight * gamma_shaped(total, spread, scores[q])


@core
def add_logarithmic(
    path: Array,
    variance: Array,
    levels: Array,
    scores: Array,
    errors: Array,
    weight: float,
    quantiles: Array,
    cumulative: Array,
    mean: Array,
) -> None:
    """Add `weight` times the quantiles around exp(path) to the outputs; parameters as `add_linear`.

    `path` and `variance` are of log units, `errors` are past differences of logarithms. A total is log-normal around
    the sum of the means, with the relative deviation that the common innovations give it.
    """
    H, Q = path.size, scores.size
    k = errors.size
    shape = scores.copy()
    centre = squared = 0.0
    for i in range(k):
        centre += errors[i] / k
    for i in range(k):
        squared += (errors[i] - centre) ** 2 / k
    if squared > 0.0:
        error_quantiles(errors, levels, shape)
        share = 0.5 * k / (k + 0.5 * HALF_SHAPE)
        for q in range(Q):
            shape[q] = scores[q] + share * ((shape[q] - centre) / math.sqrt(squared) - scores[q])
    pull = np.zeros(H)
    step = np.empty(H)
    innovation_weights(variance, step)
    total_mean = total_median = 0.0
    for h in range(H):
        limited = min(variance[h], LARGEST_LOG_VARIANCE)
        deviation = math.sqrt(limited)
        median = min(math.exp(path[h]), LARGEST)
        expected = median * math.exp(0.5 * limited)
        mean[h] += weight * expected
        total_mean += expected
        total_median += median
        squares = 0.0
        for s in range(h + 1):
            pull[s] += median * step[h - s]
            squares += pull[s] * pull[s]
        spread = min(math.sqrt(squares) / total_median, math.sqrt(LARGEST_LOG_VARIANCE)) if total_median > 0.0 else 0.0
        middle = total_mean * math.exp(-0.5 * spread * spread)
        for q in range(Q):
            quantiles[h, q] += weight * median * math.exp(deviation * shape[q])
            cumulative[h, q] += weight * middle * math.exp(spread * shape[q])


@core
def clear(quantiles: Array, cumulative: Array, mean: Array) -> None:
    """Set the outputs (H, Q), (H, Q), (H,) to zero."""
    for h in range(mean.size):
        mean[h] = 0.0
        for q in range(quantiles.shape[1]):
            quantiles[h, q] = cumulative[h, q] = 0.0


@core
def settle(quantiles: Array, cumulative: Array) -> None:
    """Make (H, Q) quantiles rise with the level, and running totals also with the number of periods."""
    H, Q = quantiles.shape
    for h in range(H):
        for q in range(Q):
            quantiles[h, q] = min(quantiles[h, q], LARGEST)
            cumulative[h, q] = min(cumulative[h, q], LARGEST)
            if q > 0:
                quantiles[h, q] = max(quantiles[h, q], quantiles[h, q - 1])
                cumulative[h, q] = max(cumulative[h, q], cumulative[h, q - 1])
            if h > 0:
                cumulative[h, q] = max(cumulative[h, q], cumulative[h - 1, q])
