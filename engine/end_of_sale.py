"""The end of an item's sale, from column `end_date` of table `skus`: nothing is forecast, and nothing ordered, beyond.

`supply.ends` tells each series' periods from the as-of period to the last one of sale, null where none is known. The
forecast of later periods is 0, and what an order has left at the end is thrown away, as at the end of a shelf life (see
`planning`): so the last orders shrink, and no lot is ordered that would outlast the item.
"""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period
from fullshelf.engine.forecast import Forecast

__all__ = ["ENDS", "cut_off", "ends_of", "with_ends"]

ENDS = "ends"  # column of the supply frame
OVER = -1


def with_ends(supply: pl.DataFrame, skus: pl.DataFrame, period: Period, as_of: int) -> pl.DataFrame:
    """Add `ENDS` to the supply of S series; the period that holds the end date is still sold in.

    Examples
    --------
    >>> from datetime import date
    >>> skus = pl.DataFrame({"end_date": [date(2024, 5, 3), date(2024, 4, 30), None]})
    >>> supply = pl.DataFrame({"lead_time": [1.0, 1.0, 1.0]})
    >>> with_ends(supply, skus, Period.DAY, Period.DAY.number_of(date(2024, 5, 1)))["ends"].to_list()
    [2, -1, None]
    """
    if "end_date" not in skus.columns:
        return supply
    return supply.with_columns(skus.select((period.number("end_date").cast(pl.Int64) - as_of).alias(ENDS)).to_series())


def ends_of(supply: pl.DataFrame, before: int = 0) -> NDArray[np.int64]:
    """Return the periods of sale (S,) that were left `before` periods ago; 0: it goes on, -1: it is over."""
    if ENDS not in supply.columns:
        return np.zeros(supply.height, np.int64)
    left = pl.col(ENDS) + before
    ends = pl.when(left > 0).then(left).otherwise(pl.when(left.is_null()).then(0).otherwise(OVER))
    return supply.select(ends.cast(pl.Int64).alias(ENDS))[ENDS].to_numpy()


def cut_off(forecast: Forecast, ends: NDArray[np.int64]) -> Forecast:
    """Return the forecast with no demand after the end; a series that goes on keeps every bit."""
    ending = np.flatnonzero((ends != 0) & (ends < forecast.horizon))
    if ending.size == 0:
        return forecast
    quantiles, mean = forecast.quantiles.copy(), forecast.mean.copy()
    cumulative = None if forecast.cumulative is None else forecast.cumulative.copy()
    for s in ending.tolist():
        last = max(int(ends[s]), 0)
        quantiles[s, last:], mean[s, last:] = 0, 0
        if cumulative is not None:
            cumulative[s, last:] = cumulative[s, last - 1] if last else 0
    return Forecast(forecast.levels, quantiles, mean, cumulative)
