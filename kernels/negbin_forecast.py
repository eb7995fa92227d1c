"""Quantiles of a negative binomial (counts) or gamma law around a level, of periods and of running totals."""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core
from fullshelf.kernels.demand_law import demand_quantiles

__all__ = ["fill_means", "law_of_periods", "law_of_totals"]

Array = NDArray[np.float64]


@core
def fill_means(level: float, phases: Array, ahead: NDArray[np.float32], mean: Array) -> None:
    """Write the (H,) expected units: level x factor of the phase x factor ahead (size 0 for 1 throughout)."""
    m = phases.size
    for h in range(mean.size):
        mean[h] = level * phases[h % m]
        if ahead.size:
            mean[h] *= ahead[h]


@core
def law_of_periods(
    levels: Array, table: Array, counts: bool, dispersion: float, wander: float, block: int, mean: Array, out: Array
) -> None:
    """Write the (H, Q) quantiles of single periods.

    The variance is dispersion x mean; further ahead half of the wandering comes to it, relative to mean²: the other
    half is in the dispersion already, which is measured on forecasts too.
    """
    for h in range(mean.size):
        spread = dispersion + 0.5 * wander * min(1.0, h / max(1.0, block - 1.0)) * mean[h]
        demand_quantiles(levels, table, counts, mean[h], spread * mean[h], out[h])


@core
def law_of_totals(
    levels: Array, table: Array, counts: bool, dispersion: float, wander: float, block: int, mean: Array, out: Array
) -> None:
    """Write the (H, Q) quantiles of the totals of periods 1…k, from k = 2 on; they never fall below row k - 1.

    The total has the variance dispersion x mean + wander x r x mean²; r rises from 0 at one period, whose dispersion
    holds all there is, to 1 at the block over which the level was seen to wander.
    """
    H, Q = out.shape
    total = mean[0]
    for h in range(1, H):
        total += mean[h]
        r = min(1.0, h / max(1.0, block - 1.0))
        demand_quantiles(levels, table, counts, total, (dispersion + wander * r * total) * total, out[h])
        for j in range(Q):
            out[h, j] = max(out[h, j], out[h - 1, j])
