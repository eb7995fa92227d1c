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

Array = NDArray[np.float64]

ERRORS = 100  # newest errors that shape the quantiles
HALF_SHAPE = 50.0  # errors that count as much as the named distribution


@core
def normal_quantile(p: float) -> float:
    """Quantile of the standard normal distribution; Wichura (1988), algorithm AS 241, relative error below 1e-15.

    Examples
    --------
    >>> round(normal_quantile(0.975), 12)
    1.95996398454
    """
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        a = 2509.0809287301226727 * r + 33430.575583588128105
        a = ((a * r + 67265.770927008700853) * r + 45921.953931549871457) * r + 13731.693765509461125
        a = ((a * r + 1971.5909503065514427) * r + 133.14166789178437745) * r + 3.387132872796366608
        b = 5226.495278852854561 * r + 28729.085735721942674
        b = ((b * r + 39307.89580009271061) * r + 21213.794301586595867) * r + 5394.1960214247511077
        b = ((b * r + 687.1870074920579083) * r + 42.313330701600911252) * r + 1.0
        return q * a / b
    r = math.sqrt(-math.log(p if q < 0 else 1.0 - p))
    if r <= 5.0:
        r -= 1.6
        a = 7.7454501427834140764e-4 * r + 0.0227238449892691845833
        a = ((a * r + 0.24178072517745061177) * r + 1.27045825245236838258) * r + 3.64784832476320460504
        a = ((a * r + 5.7694972214606914055) * r + 4.6303378461565452959) * r + 1.42343711074968357734
        b = 1.05075007164441684324e-9 * r + 5.475938084995344946e-4
        b = ((b * r + 0.0151986665636164571966) * r + 0.14810397642748007459) * r + 0.68976733498510000455
        b = ((b * r + 1.6763848301838038494) * r + 2.05319162663775882187) * r + 1.0
    else:
        r -= 5.0
        a = 2.01033439929228813265e-7 * r + 2.71155556874348757815e-5
        a = ((a * r + 0.0012426609473880784386) * r + 0.026532189526576123093) * r + 0.29656057182850489123
        a = ((a * r + 1.7848265399172913358) * r + 5.4637849111641143699) * r + 6.6579046435011037772
        b = 2.04426310338993978564e-15 * r + 1.4215117583164458887e-7
        b = ((b * r + 1.8463183175100546818e-5) * r + 7.868691311456132591e-4) * r + 0.0148753612908506148525
        b = ((b * r + 0.13692988092273580531) * r + 0.59983220655588793769) * r + 1.0
    return -a / b if q < 0 else a / b


@core
def gamma_shaped(mean: float, deviation: float, score: float) -> float:
    """Quantile of the gamma distribution of that mean and deviation; `score` is the normal quantile of the level.

    The approximation of Wilson and Hilferty (1931), good while the deviation is below the mean; never below zero.

    Examples
    --------
    >>> round(gamma_shaped(100.0, 20.0, 1.6448536269514722), 1)  # exactly 135.1
    135.1
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
    for i in range(1, k):  # numba's sort takes 5 s to compile, and k is small
        moving = errors[i]
        j = i
        while j > 0 and errors[j - 1] > moving:
            errors[j] = errors[j - 1]
            j -= 1
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
        deviation = math.sqrt(variance[h])
        median = math.exp(path[h])
        # Beyond a variance of 1 the log-normal mean is no description of sales any more.
        expected = median * math.exp(0.5 * min(variance[h], 1.0))
        mean[h] += weight * expected
        total_mean += expected
        total_median += median
        squares = 0.0
        for s in range(h + 1):
            pull[s] += median * step[h - s]
            squares += pull[s] * pull[s]
        spread = math.sqrt(squares) / total_median if total_median > 0.0 else 0.0
        middle = total_mean * math.exp(-0.5 * min(spread * spread, 1.0))
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
            if q > 0:
                quantiles[h, q] = max(quantiles[h, q], quantiles[h, q - 1])
                cumulative[h, q] = max(cumulative[h, q], cumulative[h, q - 1])
            if h > 0:
                cumulative[h, q] = max(cumulative[h, q], cumulative[h - 1, q])
