"""Reading a history once for the forecasters that share it: exposures, season, level, dispersion, wandering."""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import core
from fullshelf.kernels.demand_law import whole
from fullshelf.kernels.demand_level import demand_level
from fullshelf.kernels.exposure import fill_exposure
from fullshelf.kernels.phases import phase_factors

__all__ = ["read_demand"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]


@core
def read_demand(
    y: Single, observed: Single, factor: Single, horizon: int, exposure: Array, phases: Array, share: Array
) -> tuple[bool, float, float, float]:
    """Read one series; a level of 0 means that nothing sold.

    Parameters
    ----------
    y, observed
        (n,) units and share of the period in stock, oldest first.
    factor
        (n,) expected demand relative to an ordinary period, or (0,) for 1 throughout.
    horizon
        Periods, H.
    exposure, phases, share
        (n,) exposures with season and factor in them, (m,) factors of the phases from the first unknown period on,
        (8,) weights of `HALF_LIVES`: outputs.

    Returns
    -------
    counts, level, dispersion, wander
        Whether units are whole numbers, and what `demand_level` returns.
    """
    n, m = y.size, phases.size
    phases[:] = 1.0
    share[:] = 0.0
    if fill_exposure(y, observed, factor, exposure) <= 0.0:
        return True, 0.0, 0.0, 0.0
    counts = whole(y)
    phase_factors(y, exposure, m, phases)
    phase = (-n) % m
    for t in range(n):
        exposure[t] *= phases[phase]
        phase = phase + 1 if phase + 1 < m else 0
    level, dispersion, wander = demand_level(y, exposure, m, horizon, counts, share)
    return counts, level, dispersion, wander
