"""A demand distribution given as quantiles at rising levels: its knots, its tails, and the integrals that orders need.

Knots. The levels and quantiles are completed by one knot at level 0 and read as a curve:
- between two knots the quantile is linear in the level (equal quantiles are an atom, as of discrete demand: flat in the
  level, a jump of the cdf);
- below the first level it falls linearly to q(0) = max(0, q1 - 2 (q2 - q1) l1 / (l2 - l1)): twice the slope of the
  first gap, which gives a normal distribution's lowest 5 % or 10 % the right mean to 0.05 standard deviations;
- above the last level K it rises as an exponential tail, q(u) = q_K + b ln((1 - l_K) / (1 - u)), with the scale b that
  passes through the last knot and the lowest knot whose upper probability is at most five times that of the last
  (0.95 and 0.99 on the usual levels). So every ratio below 1 has a finite answer and every integral a closed form.

A curve may be shifted below 0 (demand less stock on hand); nothing here but `knots` assumes that demand is positive.

S series, Q levels, K = Q + 1 knots. Values in any unit; levels are probabilities.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core, loop

__all__ = [
    "cdf_at",
    "complete",
    "excess_at",
    "grid_cdf",
    "grid_excess",
    "grid_mean",
    "grid_quantile",
    "knots",
    "mean_of",
    "tail_scale",
    "value_at",
    "variance_of",
]

Array = NDArray[np.float64]


def knots(levels: Array, quantiles: NDArray[np.floating]) -> tuple[Array, Array]:
    """Complete quantiles (S, Q) at levels (Q,) by the knot at level 0: levels (K,) and values (S, K), never falling.

    Examples
    --------
    >>> l, v = knots(np.array([0.1, 0.2]), np.array([[5.0, 6.0]]))
    >>> l.tolist(), v.tolist()
    ([0.0, 0.1, 0.2], [[3.0, 5.0, 6.0]])
    """
    values = np.empty((quantiles.shape[0], levels.size + 1))
    _complete_all(levels, np.ascontiguousarray(quantiles, dtype=np.float64), values)
    return np.concatenate([[0.0], levels]), values


@core
def complete(levels: Array, quantiles: NDArray[np.floating], out: Array) -> None:
    """Complete the quantiles (Q,) of one series to knots (Q + 1,) in `out`.

    >>> out = np.empty(3)
    >>> complete(np.array([0.1, 0.2]), np.array([5.0, 6.0]), out)
    >>> out.tolist()
    [3.0, 5.0, 6.0]
    """
    top = quantiles[0]
    for i in range(levels.size):
        top = max(top, quantiles[i])
        out[i + 1] = top
    slope = (out[2] - out[1]) / (levels[1] - levels[0]) if levels.size > 1 else 0.0
    out[0] = min(out[1], max(0.0, out[1] - 2.0 * slope * levels[0]))


@loop
def _complete_all(levels: Array, quantiles: Array, out: Array) -> None:
    for s in range(quantiles.shape[0]):
        complete(levels, quantiles[s], out[s])


@core
def tail_scale(levels: Array, values: Array) -> float:
    """Scale b of the exponential tail above the last knot, in units of the values.

    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([0.0, 4.0, 8.0])
    >>> round(tail_scale(levels, values), 4)
    2.4853
    """
    last = levels.size - 1
    anchor = last - 1
    while anchor > 0 and 1.0 - levels[anchor - 1] <= 5.0000001 * (1.0 - levels[last]):
        anchor -= 1
    spread = values[last] - values[anchor]
    if spread <= 0.0:
        return 0.0
    return float(spread / math.log((1.0 - levels[anchor]) / (1.0 - levels[last])))


@core
def value_at(levels: Array, values: Array, level: float) -> float:
    """Quantile at a level in [0, 1); at 1 or above infinite where the tail has a scale.

    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([0.0, 4.0, 8.0])
    >>> round(value_at(levels, values, 0.7), 4)
    6.0
    """
    last = levels.size - 1
    if level <= 0.0:
        return float(values[0])
    if level >= levels[last]:
        scale = tail_scale(levels, values)
        if scale == 0.0 or level == levels[last]:
            return float(values[last])
        if level >= 1.0:
            return math.inf
        return float(values[last] + scale * math.log((1.0 - levels[last]) / (1.0 - level)))
    k = 0
    while levels[k + 1] <= level:
        k += 1
    share = (level - levels[k]) / (levels[k + 1] - levels[k])
    return float(values[k] + share * (values[k + 1] - values[k]))


@core
def cdf_at(levels: Array, values: Array, x: float) -> float:
    """P(D <= x): the highest level whose quantile is at most x.

    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([0.0, 4.0, 8.0])
    >>> round(cdf_at(levels, values, 6.0), 4)
    0.7
    """
    last = levels.size - 1
    if x < values[0]:
        return 0.0
    if x >= values[last]:
        scale = tail_scale(levels, values)
        if scale == 0.0:
            return 1.0
        return float(1.0 - (1.0 - levels[last]) * math.exp((values[last] - x) / scale))
    k = last - 1
    while values[k] > x:
        k -= 1
    share = (x - values[k]) / (values[k + 1] - values[k])
    return float(levels[k] + share * (levels[k + 1] - levels[k]))


@core
def excess_at(levels: Array, values: Array, x: float) -> float:
    """E[(D - x)+], the expected shortage of a stock x: integral of q(u) - x over the levels where q(u) > x.

    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([0.0, 4.0, 8.0])
    >>> round(excess_at(levels, values, 4.0), 4)
    1.4485
    """
    last = levels.size - 1
    scale = tail_scale(levels, values)
    rest = 1.0 - levels[last]
    if x >= values[last]:
        return float(rest * scale * math.exp((values[last] - x) / scale)) if scale > 0.0 else 0.0
    total = rest * (values[last] - x + scale)
    for k in range(last - 1, -1, -1):
        low, high = values[k], values[k + 1]
        width = levels[k + 1] - levels[k]
        if low >= x:
            total += width * (0.5 * (low + high) - x)
        else:
            total += 0.5 * width * (high - x) * (high - x) / (high - low)
            break
    return float(total)


@core
def mean_of(levels: Array, values: Array) -> float:
    """E[D] of the curve.

    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([0.0, 4.0, 8.0])
    >>> round(mean_of(levels, values), 4)
    4.4485
    """
    last = levels.size - 1
    total = (1.0 - levels[last]) * (values[last] + tail_scale(levels, values))
    for k in range(last):
        total += 0.5 * (levels[k + 1] - levels[k]) * (values[k] + values[k + 1])
    return float(total)


@core
def variance_of(levels: Array, values: Array) -> float:
    """Variance of the curve.

    >>> levels, values = np.array([0.0, 0.5, 0.9]), np.array([0.0, 4.0, 8.0])
    >>> round(variance_of(levels, values), 4)
    9.4225
    """
    last = levels.size - 1
    scale = tail_scale(levels, values)
    mean = mean_of(levels, values)
    top = values[last] - mean
    total = (1.0 - levels[last]) * (top * top + 2.0 * top * scale + 2.0 * scale * scale)
    for k in range(last):
        a, b = values[k] - mean, values[k + 1] - mean
        total += (levels[k + 1] - levels[k]) * (a * a + a * b + b * b) / 3.0
    return float(total)


@loop
def grid_quantile(levels: Array, values: Array, level: Array) -> Array:
    """Return the quantiles (S,) of S curves at a level (S,) each.

    Examples
    --------
    >>> grid_quantile(np.array([0.0, 0.5, 0.9]), np.array([[0.0, 4.0, 8.0]]), np.array([0.7])).tolist()
    [6.0]
    """
    out = np.empty(values.shape[0])
    for s in range(values.shape[0]):
        out[s] = value_at(levels, values[s], level[s])
    return out


@loop
def grid_cdf(levels: Array, values: Array, x: Array) -> Array:
    """P(D <= x) (S,) of S curves at a value (S,) each.

    >>> grid_cdf(np.array([0.0, 0.5, 0.9]), np.array([[0.0, 4.0, 8.0]]), np.array([6.0])).tolist()
    [0.7]
    """
    out = np.empty(values.shape[0])
    for s in range(values.shape[0]):
        out[s] = cdf_at(levels, values[s], x[s])
    return out


@loop
def grid_excess(levels: Array, values: Array, x: Array) -> Array:
    """E[(D - x)+] (S,) of S curves, in the unit of the values; E[(x - D)+] is x - mean + this.

    >>> grid_excess(np.array([0.0, 0.5, 0.9]), np.array([[0.0, 4.0, 8.0]]), np.array([4.0])).round(4).tolist()
    [1.4485]
    """
    out = np.empty(values.shape[0])
    for s in range(values.shape[0]):
        out[s] = excess_at(levels, values[s], x[s])
    return out


@loop
def grid_mean(levels: Array, values: Array) -> Array:
    """Return the means (S,) of S curves.

    >>> grid_mean(np.array([0.0, 0.5, 0.9]), np.array([[0.0, 4.0, 8.0]])).round(4).tolist()
    [4.4485]
    """
    out = np.empty(values.shape[0])
    for s in range(values.shape[0]):
        out[s] = mean_of(levels, values[s])
    return out


@loop
def grid_sd(levels: Array, values: Array) -> Array:
    """Return the standard deviations (S,) of S curves."""
    out = np.empty(values.shape[0])
    for s in range(values.shape[0]):
        out[s] = math.sqrt(variance_of(levels, values[s]))
    return out
