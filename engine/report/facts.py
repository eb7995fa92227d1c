"""What the report is made of: the run's description, its tables as lazy scans, and where to look up sales."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from fullshelf.engine.calendar import Period


@dataclass(frozen=True, slots=True)
class ReportFacts:
    """All that the page says. Tables are scanned in batches, so a catalogue of any size fits.

    `run` is the content of run.json: as_of and period are needed. Shown where they are there, left out where not: run,
    horizon, model, completed, device, machine, versions, configuration, seconds (by stage), peak_memory_mb, counts
    (shards, series, tables: by name read, used, rejected), returns (rows, units), periods_without_sales,
    events_unread, without_stock_row, quarantined (error by shard).
    """

    run: Mapping[str, Any]
    orders: pl.LazyFrame
    forecasts: pl.LazyFrame
    lead_time_demand: pl.LazyFrame
    rejects: pl.LazyFrame
    history: Callable[
        [pl.DataFrame], pl.DataFrame
    ]  # sku, location → sku, location, date, units, in_stock, a few horizons
    examples: int = 12  # series drawn
    values: pl.LazyFrame | None = None  # one row a series: sku, location and any of survey.VALUE_COLUMNS
    limits: pl.DataFrame | None = None  # resource, scope, amount, used, shadow_price
    hindsight: pl.DataFrame | None = None  # sums of hindsight.compare, of all shards
    overrides: pl.LazyFrame | None = None  # table `overrides` of the run
    override_results: pl.LazyFrame | None = None
    records: Sequence[Mapping[str, Any]] = ()  # of the shards; told: shard, turns (work, worker, begun, ended)
    currency: str = ""  # label behind amounts of money

    @property
    def period(self) -> Period:
        """The run's step of time."""
        return Period(self.run["period"])
