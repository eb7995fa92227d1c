"""Empirical quantiles of a weighted window: of the same phase of the season and pooled, shrunk to each other.

Each value is divided by its exposure (share in stock, phase of the season, promotion), so that all phases are pooled;
the quantiles are multiplied by the factor of the period forecast. The phases' factors are shrunk to 1 by how clearly
they stand out, so a weak season gives pooled quantiles and a clear one those of its phase.
"""

import math

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core
from fullshelf.kernels.demand_level import HALF_LIVES
from fullshelf.kernels.sorting import sort_together

__all__ = ["empirical_of_periods", "weighted_quantiles"]

Array = NDArray[np.float64]

WINDOW = 256  # newest values whose distribution is read


@core
def weighted_quantiles(values: Array, weights: Array, levels: Array, out: Array) -> None:
    """Write the (Q,) quantiles of weighted values; between the middles of two values' weights they are interpolated.

    The two arrays, not empty, come back sorted.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(3)
    >>> weighted_quantiles(np.array([3.0, 1.0]), np.array([1.0, 1.0]), np.array([0.1, 0.5, 0.9]), out)
    >>> out.tolist()
    [1.0, 2.0, 3.0]
    """
    sort_together(values, weights)
    n = values.size
    total = 0.0
    for i in range(n):
        total += weights[i]
    i = 0
    middle = 0.5 * weights[0]
    before = 0.0
    for j in range(levels.size):
        target = levels[j] * total
        while i < n and middle < target:
            before = middle
            i += 1
            if i < n:
                middle += 0.5 * (weights[i - 1] + weights[i])
        if i == 0 or i == n:
            out[j] = values[min(i, n - 1)]
        else:
            share = (target - before) / (middle - before) if middle > before else 1.0
            out[j] = values[i - 1] + share * (values[i] - values[i - 1])


@core
def empirical_of_periods(
    y: NDArray[np.float32],
    exposure: Array,
    share: Array,
    counts: bool,
    levels: Array,
    level: float,
    mean: Array,
    out: Array,
) -> None:
    """Write the (H, Q) quantiles of single periods.

    Parameters
    ----------
    y, exposure
        (n,) units and exposures with season and factors in them.
    share
        (8,) weights of `HALF_LIVES`: a value of age a weighs sum of share x (1 - d) x d^a over their decays d.
    counts
        Whether units are whole numbers; quantiles then are, too.
    level, mean
        Units in a period of exposure 1; (H,) units expected, which scale the quantiles.
    """
    n, H, Q, J = y.size, mean.size, levels.size, share.size
    now, decay = np.empty(J), np.empty(J)
    for w in range(J):
        decay[w] = 0.5 ** (1.0 / HALF_LIVES[w])
        now[w] = share[w] * (1.0 - decay[w])
    W = min(n, WINDOW)
    values, weights = np.empty(W), np.empty(W)
    used = 0
    for age in range(W):
        t = n - 1 - age
        weight = 0.0
        for w in range(J):
            weight += now[w]
            now[w] *= decay[w]
        if exposure[t] > 0.0:
            values[used] = y[t] / exposure[t]
            weights[used] = weight * exposure[t]
            used += 1
    pooled = np.full(Q, level)
    if used:
        weighted_quantiles(values[:used], weights[:used], levels, pooled)
    for h in range(H):
        scale = mean[h] / level
        for j in range(Q):
            value = pooled[j] * scale
            out[h, j] = math.floor(value + 0.5) if counts else value
