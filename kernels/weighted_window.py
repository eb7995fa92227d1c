"""Forecasts from a weighted window of each series' own past: by a negative binomial law and by empirical quantiles.

Both read the history once, in `read_demand`, and share level, dispersion and wandering; the totals of both follow the
law. `demand_level` says how the windows are weighted.
"""

import numpy as np
from numpy.typing import NDArray

from fullshelf.kernels.compile import loop
from fullshelf.kernels.demand_law import law_table
from fullshelf.kernels.demand_level import HALF_LIVES, block_length
from fullshelf.kernels.demand_reading import read_demand
from fullshelf.kernels.empirical import empirical_of_periods
from fullshelf.kernels.exposure import NOTHING
from fullshelf.kernels.forecast_store import store_means, store_quantiles
from fullshelf.kernels.negbin_forecast import fill_means, law_of_periods, law_of_totals

__all__ = ["empirical", "negative_binomial", "window_forecasts"]

Array = NDArray[np.float64]
Single = NDArray[np.float32]
Offsets = NDArray[np.int64]


@loop
def window_forecasts(
    units: Single,
    observed: Single,
    factor: Single,
    ahead: Single,
    offsets: Offsets,
    horizon: int,
    season: int,
    levels: Array,
    members: int,
) -> tuple[Single, Single, Single]:
    """Forecast S series by the law, by empirical quantiles, or by both.

    Parameters
    ----------
    units, observed
        (N,) units and share of the period in stock of all series, one after the other, oldest first.
    factor, ahead
        (N,) and (S * H,) demand expected relative to an ordinary period, e.g. of promotions; `NOTHING` for 1.
    offsets
        (S + 1,) series s owns positions offsets[s] … offsets[s + 1] - 1.
    horizon, season
        Periods, H and m.
    levels
        (Q,) rising probabilities.
    members
        0: negative binomial; 1: empirical; 2: both.

    Returns
    -------
    quantiles (M, S, H, Q) in units per period, cumulative (M, S, H, Q) in units per 1…k periods, mean (S, H).
    """
    S, H, Q = offsets.size - 1, horizon, levels.size
    M = 2 if members == 2 else 1
    quantiles = np.zeros((M, S, H, Q), dtype=np.float32)
    cumulative = np.zeros((M, S, H, Q), dtype=np.float32)
    expected = np.zeros((S, H), dtype=np.float32)
    single, total, mean = np.empty((H, Q)), np.empty((H, Q)), np.empty(H)
    phases, share = np.empty(season), np.empty(len(HALF_LIVES))
    table = law_table(levels)
    for s in range(S):
        start, stop = offsets[s], offsets[s + 1]
        y = units[start:stop]
        exposure = np.empty(y.size)
        past = factor[start:stop] if factor.size else factor
        counts, level, dispersion, wander = read_demand(y, observed[start:stop], past, H, exposure, phases, share)
        if level <= 0.0:
            continue
        block = block_length(y.size, H)
        fill_means(level, phases, ahead[s * H : s * H + H] if ahead.size else ahead, mean)
        store_means(mean, expected[s])
        for m in range(M):
            if members == 1 or m == 1:
                empirical_of_periods(y, exposure, share, counts, levels, level, mean, single)
            else:
                law_of_periods(levels, table, counts, dispersion, wander, block, mean, single)
            for j in range(Q):
                total[0, j] = single[0, j]
            law_of_totals(levels, table, counts, dispersion, wander, block, mean, total)
            store_quantiles(single, quantiles[m, s])
            store_quantiles(total, cumulative[m, s])
    return quantiles, cumulative, expected


def negative_binomial(
    units: Single, observed: Single, offsets: Offsets, horizon: int, season: int, levels: Array
) -> tuple[Single, Single, Single]:
    """Forecast S series by a negative binomial (counts) or gamma law (fractions) around a weighted level.

    Parameters
    ----------
    units, observed
        (N,) units and share of the period in stock of all series, one after the other, oldest first.
    offsets
        (S + 1,) series s owns positions offsets[s] … offsets[s + 1] - 1.
    horizon, season
        Periods, H and m.
    levels
        (Q,) rising probabilities.

    Returns
    -------
    quantiles (S, H, Q) in units per period, cumulative (S, H, Q) in units per 1…k periods, mean (S, H).

    Examples
    --------
    >>> import numpy as np
    >>> units = np.tile(np.array([0, 3, 1, 0, 2, 0], dtype=np.float32), 20)
    >>> q, total, mean = negative_binomial(units, np.ones_like(units), np.array([0, 120]), 2, 1, np.array([0.5, 0.9]))
    >>> q[0, 0].tolist(), total[0, 1].tolist(), mean.round(1).ravel().tolist()
    ([1.0, 3.0], [2.0, 4.0], [1.0, 1.0])
    """
    q, total, mean = window_forecasts(units, observed, NOTHING, NOTHING, offsets, horizon, season, levels, 0)
    return q[0], total[0], mean


def empirical(
    units: Single, observed: Single, offsets: Offsets, horizon: int, season: int, levels: Array
) -> tuple[Single, Single, Single]:
    """Forecast S series by the weighted quantiles of their own newest values; as `negative_binomial` otherwise.

    Examples
    --------
    >>> import numpy as np
    >>> units = np.tile(np.array([0, 4, 1, 0, 2], dtype=np.float32), 40)
    >>> q, total, mean = empirical(units, np.ones_like(units), np.array([0, 200]), 1, 1, np.array([0.1, 0.5, 0.9]))
    >>> q.ravel().tolist()
    [0.0, 1.0, 4.0]
    """
    q, total, mean = window_forecasts(units, observed, NOTHING, NOTHING, offsets, horizon, season, levels, 1)
    return q[0], total[0], mean
