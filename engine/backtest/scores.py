"""How good the forecasts at the origins were, for each series and round by round."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.forecast import Forecast, LeadTimeDemand
from fullshelf.engine.hindsight import WQL_LEVELS
from fullshelf.kernels.forecast_errors import ERRORS, forecast_errors

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MIXED = 2  # periods and protection intervals


class Scores:
    """Errors of one model's forecasts of single periods (0) and of protection intervals (1), summed over rounds."""

    def __init__(self, series: int, levels: Array) -> None:
        self._levels = levels
        self._weighed = np.array([any(abs(q - w) < 1e-9 for w in WQL_LEVELS) for q in levels])
        middle = np.flatnonzero(np.abs(levels - 0.5) < 1e-9)
        self._median = int(middle[0]) if middle.size else -1
        self.sums = np.zeros((MIXED, series, len(ERRORS)))
        self.covered = np.zeros((MIXED, series, levels.size), np.int64)

    def add(self, live: Ints, forecast: Forecast, demand: LeadTimeDemand, truth: Array, in_stock: Bools) -> list[Array]:
        """Compare the forecasts of an origin for series `live` (n,) with truth (n, T) of the periods after it.

        Returns
        -------
        The errors (n, 5) of this origin alone, of single periods and of protection intervals.
        """
        H = min(forecast.horizon, truth.shape[1])
        steps = (
            np.ascontiguousarray(forecast.quantiles[:, :H]),
            np.ascontiguousarray(forecast.mean[:, :H], dtype=np.float64),
            np.ascontiguousarray(truth[:, :H]),
            np.ascontiguousarray(in_stock[:, :H]),
        )
        inside = demand.periods <= truth.shape[1]
        end = np.minimum(demand.periods, truth.shape[1])[:, None] - 1
        total = np.take_along_axis(np.cumsum(truth, axis=1), end, axis=1)
        stocked = np.take_along_axis(np.cumsum(~in_stock, axis=1), end, axis=1) == 0
        whole = (
            np.ascontiguousarray(demand.quantiles[:, None, :], dtype=np.float32),
            np.ascontiguousarray(demand.mean[:, None]),
            total,
            stocked & inside[:, None],
        )
        found = []
        for kind, given in enumerate((steps, whole)):
            sums = np.empty((live.size, len(ERRORS)))
            covered = np.empty((live.size, self._levels.size), np.int64)
            forecast_errors(self._levels, self._weighed, self._median, *given, sums, covered)
            self.sums[kind, live] += sums
            self.covered[kind, live] += covered
            found.append(sums)
        return found
