"""Forecast and LeadTimeDemand as the contract's tables."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.forecast import Forecast, LeadTimeDemand
from fullshelf.engine.panel import Panel


def level_columns(levels: NDArray[np.float64]) -> list[str]:
    """Name the column of each level.

    Examples
    --------
    >>> level_columns(np.array([0.05, 0.5, 0.99]))
    ['q0.05', 'q0.5', 'q0.99']
    """
    return [f"q{level:g}" for level in levels]


def period_dates(panel: Panel, horizon: int) -> list[date]:
    """Return the first days of the periods as-of + 1 … as-of + horizon."""
    return [panel.period.start(panel.last + step) for step in range(1, horizon + 1)]


def forecast_frame(panel: Panel, forecast: Forecast) -> pl.DataFrame:
    """Return table `forecasts`: a row for each series and step, in the panel's order."""
    return _long(panel, forecast.mean, forecast.quantiles, forecast.levels)


def cumulative_frame(panel: Panel, forecast: Forecast) -> pl.DataFrame | None:
    """Return the same columns for the totals of periods 1…step; None where the model gives marginals only."""
    if forecast.cumulative is None:
        return None
    mean = np.cumsum(forecast.mean, axis=1, dtype=np.float64).astype(np.float32)
    return _long(panel, mean, forecast.cumulative, forecast.levels)


def _long(
    panel: Panel, mean: NDArray[np.float32], quantiles: NDArray[np.float32], levels: NDArray[np.float64]
) -> pl.DataFrame:
    S, H, Q = quantiles.shape
    row = pl.Series(np.repeat(np.arange(S, dtype=np.uint32), H))
    dates = pl.Series("date", period_dates(panel, H), dtype=pl.Date)
    flat = quantiles.reshape(S * H, Q)
    return panel.keys.select(pl.col("sku", "location").gather(row)).with_columns(
        dates.gather(np.tile(np.arange(H, dtype=np.uint32), S)),
        pl.Series("step", np.tile(np.arange(1, H + 1, dtype=np.int32), S)),
        pl.Series("mean", mean.reshape(S * H)),
        *(pl.Series(name, np.ascontiguousarray(flat[:, q])) for q, name in enumerate(level_columns(levels))),
    )


def lead_time_demand_frame(panel: Panel, demand: LeadTimeDemand) -> pl.DataFrame:
    """Return table `lead_time_demand`: a row for each series."""
    return panel.keys.select("sku", "location").with_columns(
        pl.Series("periods", demand.periods),
        pl.Series("mean", demand.mean.astype(np.float32)),
        *(
            pl.Series(name, demand.quantiles[:, q].astype(np.float32))
            for q, name in enumerate(level_columns(demand.levels))
        ),
    )
