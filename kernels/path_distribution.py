"""Quantiles of single periods and of running totals around a forecast path with known error variances.

An innovations model says y_h = f_h + c_0 e_h + c_1 e_{h-1} + … : so the errors of neighbouring periods move together,
and the total of periods 1…k has the variance sum over s of (sum of c_{h-s} for h = s…k)². Only the variances v_h of the
single periods are needed here: c_j² = v_{j+1} - v_j.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

Array = NDArray[np.float64]


@core
def normal_quantile(p: float) -> float:
    """Quantile of the standard normal distribution; Wichura (1988), algorithm AS 241, relative error below 1e-15.

    Examples
    --------
    >>> round(normal_quantile(0.975), 12)
    1.959963984540
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
def add_log_normal(
    path: Array, variance: Array, scores: Array, weight: float, quantiles: Array, cumulative: Array, mean: Array
) -> None:
    """Add `weight` times the log-normal quantiles around exp(path) to the outputs.

    Parameters
    ----------
    path
        (H,) forecasts of log units.
    variance
        (H,) variances of their errors, not falling.
    scores
        (Q,) standard normal quantiles of the levels.
    weight
        Of this distribution among those that are averaged, quantile by quantile.
    quantiles, cumulative, mean
        (H, Q), (H, Q), (H,) outputs, added to. A total is log-normal around the sum of the means, with the relative
        deviation that the common innovations give it.
    """
    H, Q = path.size, scores.size
    pull = np.zeros(H)
    step = np.empty(H)
    before = 0.0
    for h in range(H):
        step[h] = math.sqrt(max(0.0, variance[h] - before))
        before = max(before, variance[h])
    total_mean = total_median = 0.0
    for h in range(H):
        deviation = math.sqrt(variance[h])
        median = math.exp(path[h])
        expected = median * math.exp(0.5 * min(variance[h], 1.0))
        mean[h] += weight * expected
        total_mean += expected
        total_median += median
        squares = 0.0
        for s in range(h + 1):
            pull[s] += median * step[h - s]
            squares += pull[s] * pull[s]
        spread = math.sqrt(squares) / total_median
        centre = total_mean * math.exp(-0.5 * min(spread * spread, 1.0))
        for q in range(Q):
            quantiles[h, q] += weight * median * math.exp(deviation * scores[q])
            cumulative[h, q] += weight * centre * math.exp(spread * scores[q])


@core
def add_normal(
    path: Array, variance: Array, scores: Array, weight: float, quantiles: Array, cumulative: Array, mean: Array
) -> None:
    """Add `weight` times the normal quantiles around `path`, cut off at zero, to the outputs; as `add_log_normal`.

    `path` is in units and `variance` in units²; the mean is that of the distribution cut off at zero.
    """
    H, Q = path.size, scores.size
    pull = np.zeros(H)
    step = np.empty(H)
    before = 0.0
    for h in range(H):
        step[h] = math.sqrt(max(0.0, variance[h] - before))
        before = max(before, variance[h])
    total = 0.0
    for h in range(H):
        deviation = math.sqrt(variance[h])
        expected = max(path[h], 0.0)
        if deviation > 0.0:
            z = path[h] / deviation
            density = math.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)
            expected = path[h] * 0.5 * math.erfc(-z / math.sqrt(2.0)) + deviation * density
        mean[h] += weight * max(0.0, expected)
        total += path[h]
        squares = 0.0
        for s in range(h + 1):
            pull[s] += step[h - s]
            squares += pull[s] * pull[s]
        spread = math.sqrt(squares)
        for q in range(Q):
            quantiles[h, q] += weight * max(0.0, path[h] + deviation * scores[q])
            cumulative[h, q] += weight * max(0.0, total + spread * scores[q])


@core
def settle(cumulative: Array) -> None:
    """Raise running totals (H, Q) that fall with the number of periods: demand is never negative."""
    for h in range(1, cumulative.shape[0]):
        for q in range(cumulative.shape[1]):
            cumulative[h, q] = max(cumulative[h, q], cumulative[h - 1, q])
