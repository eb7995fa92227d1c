"""One path through a forecast that has its mean, its zeros and its spread, without randomness."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GOLDEN = 0.6180339887498949


def golden_levels(horizon: int) -> NDArray[np.float64]:
    """Return the golden-ratio sequence of levels (H,): no stretch of it leaves a part of 0…1 out.

    Examples
    --------
    >>> golden_levels(3).round(2).tolist()
    [0.62, 0.24, 0.85]
    """
    return np.asarray(np.arange(1, horizon + 1) * GOLDEN % 1.0)


def golden_path(levels: NDArray[np.float64], quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each period's quantile at the sequence's next level, (S, H), for quantiles (S, H, Q) at levels (Q,).

    Levels outside the grid are answered by its first and last quantile.

    Examples
    --------
    >>> golden_path(np.array([0.1, 0.9]), np.array([[[0.0, 8.0], [0.0, 8.0]]])).round(2).tolist()
    [[5.18, 1.36]]
    """
    at = golden_levels(quantiles.shape[1])
    above = np.clip(np.searchsorted(levels, at), 1, levels.size - 1)
    share = np.clip((at - levels[above - 1]) / (levels[above] - levels[above - 1]), 0.0, 1.0)
    steps = np.arange(quantiles.shape[1])
    low, high = quantiles[:, steps, above - 1], quantiles[:, steps, above]
    return np.asarray(low + share * (high - low))
