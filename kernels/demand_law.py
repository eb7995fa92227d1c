"""Quantiles of demand from its mean and variance: negative binomial or Poisson for counts, gamma for the rest.

Made for forecasting millions of series, where an error of a thousandth of the mean does not matter and a microsecond
does: small counts walk along the probabilities; everything else uses Wilson and Hilferty's cube for shapes above 4 and
a table below. `fullshelf.kernels.negative_binomial` and `gamma` have the exact functions, one quantile at a time.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core
from fullshelf.kernels.special import normal_quantile

__all__ = ["demand_quantiles", "law_table", "whole"]

Array = NDArray[np.float64]

SMALLEST = 1.0 / 64.0  # shape of the table's first row
ROWS_PER_DOUBLING = 4
ROWS = 8 * ROWS_PER_DOUBLING + 1  # the last row is the shape 4
WALK = 30.0  # mean up to which counts walk along their probabilities; above it, a rounded gamma errs by less than 1 %


@core
def _gamma_quantile(p: float, a: float) -> float:
    """Quantile of the gamma distribution of shape a <= 4 and scale 1, to 1e-9, by Newton's method on log y."""
    constant = math.lgamma(a + 1.0)
    low, high = (math.log(p) + constant) / a, 6.0  # P(a, y) < y^a / Gamma(a + 1)
    u = low
    for _ in range(200):
        y = math.exp(u)
        term = 1.0
        series = 1.0
        k = 0
        while term > 1e-16 * series:
            k += 1
            term *= y / (a + k)
            series += term
        head = math.exp(a * u - y - constant)
        error = head * series - p
        if error > 0.0:
            high = u
        else:
            low = u
        slope = head * a
        following = u - error / slope if slope > 0.0 else low
        if not low < following < high:
            following = 0.5 * (low + high)
        if abs(following - u) < 1e-9:
            break
        u = following
    return math.exp(u)


@core
def law_table(levels: Array) -> Array:
    """Return what `demand_quantiles` needs for the (Q,) levels, made once for many series.

    Row 0 holds the quantiles of the standard normal distribution; the others those of the gamma distribution with
    mean 1 and shapes from 1/64 to 4, four to a doubling.
    """
    table = np.empty((1 + ROWS, levels.size))
    for j in range(levels.size):
        table[0, j] = normal_quantile(levels[j], 1.0 - levels[j])
        for i in range(ROWS):
            shape = SMALLEST * 2.0 ** (i / ROWS_PER_DOUBLING)
            table[1 + i, j] = _gamma_quantile(levels[j], shape) / shape
    return table


@core
def whole(y: NDArray[np.float32]) -> bool:
    """Say whether all values are whole numbers: demand is then forecast in whole numbers too."""
    fractions = 0
    for value in y:
        fractions += value != math.floor(value)
    return fractions == 0


@core
def _gamma_quantiles(table: Array, mean: float, variance: float, out: Array) -> None:
    shape = mean * mean / variance if variance > 0.0 else np.inf
    if shape >= 4.0:
        # Wilson and Hilferty (1931): the cube root is nearly normal
        spread = 1.0 / (9.0 * shape)
        root = math.sqrt(spread)
        for j in range(out.size):
            cube = max(0.0, 1.0 - spread + root * table[0, j])
            out[j] = mean * cube * cube * cube
        return
    place = max(0.0, ROWS_PER_DOUBLING * math.log2(shape / SMALLEST))
    row = min(int(place), ROWS - 2)
    share = place - row
    for j in range(out.size):
        out[j] = mean * ((1.0 - share) * table[1 + row, j] + share * table[2 + row, j])


@core
def demand_quantiles(levels: Array, table: Array, counts: bool, mean: float, variance: float, out: Array) -> None:
    """Write the quantiles of demand with that mean and variance into `out`.

    Parameters
    ----------
    levels, table
        (Q,) rising probabilities and their `law_table`.
    counts
        Whether demand is in whole numbers. Then the law is the negative binomial; the Poisson where the variance is
        about the mean; a rounded gamma where it is smaller, or the mean is above 30.
    mean, variance
        Units and units squared; a mean of 0 or below gives zeros.
    out
        (Q,) units, never negative, never falling.

    Examples
    --------
    >>> import numpy as np
    >>> levels, out = np.array([0.5, 0.95]), np.empty(2)
    >>> demand_quantiles(levels, law_table(levels), True, 2.0, 6.0, out)
    >>> out.tolist()
    [1.0, 7.0]
    """
    Q = out.size
    if not mean > 0.0:
        out[:] = 0.0
        return
    if not counts:
        _gamma_quantiles(table, mean, variance, out)
        return
    if mean > WALK or variance < 0.9 * mean:
        _gamma_quantiles(table, mean, variance, out)
        for j in range(Q):
            out[j] = math.floor(out[j] + 0.5)
        return
    # r = size of the negative binomial; ratio of neighbouring probabilities (r + k - 1) / k * step
    if variance > 1.001 * mean:
        r = mean * mean / (variance - mean)
        step = 1.0 - mean / variance
        mass = math.exp(r * math.log(mean / variance))
    else:
        r = 0.0
        step = mean
        mass = math.exp(-mean)
    total = mass
    k = 0
    for j in range(Q):
        while total < levels[j] and k < 10_000:
            k += 1
            mass *= (step * (r + k - 1.0) if r > 0.0 else step) / k
            total += mass
        out[j] = k
