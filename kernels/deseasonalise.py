"""Seasonal indices of one series: classical decomposition, shrunk towards no season by how clearly they stand out."""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core

__all__ = ["seasonal_indices"]

CAUTION = 2.0  # James and Stein have 1; but a season must not only have been, it must also return


@core
def seasonal_indices(x: NDArray[np.float64], season: int, indices: NDArray[np.float64]) -> float:
    """Write the additive index of each phase t % season of `x` into `indices` and return the share kept.

    Differences from a centred moving average over one season are averaged by phase and centred to sum to zero; they
    are then multiplied by max(0, 1 - 2 noise / signal), a cautious positive-part James-Stein weight, where noise and
    signal are the mean squares within and between phases. So a season that chance alone explains vanishes, and a clear
    one stays.

    Parameters
    ----------
    x
        (n,) values, oldest first, without NaN; logarithms give multiplicative indices.
    season
        Periods in a season, m. Fewer than 2 m values give zeros.
    indices
        (m,) output, in the unit of `x`.

    Returns
    -------
    The weight that the indices kept, 0…1.

    Examples
    --------
    >>> import numpy as np
    >>> out = np.empty(2)
    >>> kept = seasonal_indices(np.array([1.0, 3.0, 1.0, 3.0, 1.0, 3.0, 1.0]), 2, out)
    >>> out.tolist(), kept
    ([-1.0, 1.0], 1.0)
    """
    n = x.size
    for phase in range(indices.size):
        indices[phase] = 0.0
    if season < 2 or n < 2 * season:
        return 0.0
    half = season // 2
    even = season % 2 == 0
    # Even seasons: both ends of a window of m + 1 count half.
    detrended = np.empty(n - 2 * half)
    moving = 0.0
    for i in range(2 * half + 1):
        moving += x[i]
    for t in range(half, n - half):
        if t > half:
            moving += x[t + half] - x[t - half - 1]
        total = moving - 0.5 * (x[t - half] + x[t + half]) if even else moving
        detrended[t - half] = x[t] - total / season
    count = np.zeros(season)
    for i in range(detrended.size):
        phase = (i + half) % season
        indices[phase] += detrended[i]
        count[phase] += 1.0
    centre = 0.0
    for phase in range(season):
        if count[phase] > 0:
            indices[phase] /= count[phase]
        centre += indices[phase] / season
    within = between = 0.0
    for i in range(detrended.size):
        within += (detrended[i] - indices[(i + half) % season]) ** 2
    for phase in range(season):
        indices[phase] -= centre
        between += count[phase] * indices[phase] ** 2
    freedom = detrended.size - season
    kept = 0.0
    if between > 0.0 and freedom > 0:
        noise = within / freedom
        kept = max(0.0, 1.0 - CAUTION * noise * (season - 1) / between)
    for phase in range(season):
        indices[phase] *= kept
    return kept
