"""Which service each series is promised: the configuration's scopes looked up for the series of a shard."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.panel import Panel
from fullshelf.engine.service_settings import Service
from fullshelf.kernels.textbook import newest_moments

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ServiceTargets:
    """Promises (S,) of a cycle service level or of a fill rate; NaN: none. Without both the costs decide."""

    cycle: Array
    fill: Array

    @property
    def promised(self) -> NDArray[np.bool_]:
        """Which series (S,) are promised something."""
        return ~(np.isnan(self.cycle) & np.isnan(self.fill))


def service_targets(service: Service | None, series: pl.DataFrame) -> ServiceTargets:
    """Look up each series' promise.

    Parameters
    ----------
    series
        S rows with the columns that the scopes name: sku, location, supplier, category, revenue (currency per period).
        Null matches no scope.

    Examples
    --------
    >>> service = Service(fill=0.9, by=[{"scope": "category=Food", "cycle": 0.99}])
    >>> found = service_targets(service, pl.DataFrame({"category": ["Food/Tea", "Foodie", None]}))
    >>> found.cycle.tolist(), found.fill.tolist()
    ([0.99, nan, nan], [nan, 0.9, 0.9])
    """
    S = series.height
    cycle, fill = np.full(S, np.nan), np.full(S, np.nan)
    if service is None:
        return ServiceTargets(cycle, fill)
    open_ = np.ones(S, np.bool_)
    for target in service.by:
        name, value = target.condition()
        column = pl.col(name)
        if isinstance(value, float):
            inside = column >= value
        elif name == "category":
            inside = (column == value) | column.str.starts_with(f"{value}/")
        else:
            inside = column == value
        rows = open_ & series.select(inside.fill_null(False)).to_series().to_numpy()
        _promise(rows, target.cycle, target.fill, cycle, fill)
        open_ &= ~rows
    _promise(open_, service.cycle, service.fill, cycle, fill)
    return ServiceTargets(cycle, fill)


def targets_of_shard(service: Service | None, panel: Panel, supply: pl.DataFrame, skus: pl.DataFrame) -> ServiceTargets:
    """Look up the promises of a panel's series; `supply` and `skus` are in its order."""
    if service is None or not service.by:
        return service_targets(service, panel.keys)
    series = panel.keys.select("sku", "location").with_columns(supply["supplier"], skus["category"])
    if any(target.condition()[0] == "revenue" for target in service.by):
        mean, sd = np.empty(panel.series), np.empty(panel.series)
        newest_moments(panel.units, panel.offsets, round(panel.period.per_year), mean, sd)
        price = supply.select(pl.coalesce("unit_price", "unit_cost")).to_series()
        series = series.with_columns(revenue=pl.Series(mean) * price)
    return service_targets(service, series)


def _promise(
    rows: NDArray[np.bool_], new_cycle: float | None, new_fill: float | None, cycle: Array, fill: Array
) -> None:
    cycle[rows] = np.nan if new_cycle is None else new_cycle
    fill[rows] = np.nan if new_fill is None else new_fill
