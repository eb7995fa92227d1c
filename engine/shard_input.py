"""Everything that a run knows of its inputs, given out shard by shard, from any thread."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from fullshelf.engine.calendar import Period
from fullshelf.engine.checks import REJECTS
from fullshelf.engine.end_of_sale import with_ends
from fullshelf.engine.event_covariate import taken, with_events
from fullshelf.engine.overrides import Overrides, rows_of
from fullshelf.engine.panel import PRODUCT, KnownAhead, Panel
from fullshelf.engine.panels import Part, read_ahead, read_panel
from fullshelf.engine.series_tables import SeriesRows, SeriesTable, sku_frame, stock_frame, supply_frame

__all__ = ["Intake", "Returns", "ShardInput", "TableCount"]

TERMS = {"lead_time": pl.Float64, "lead_time_sd": pl.Float64, "review_period": pl.Float64}


@dataclass(frozen=True, slots=True)
class TableCount:
    """Rows of one table. read = used + rejected."""

    read: int
    used: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Returns:
    """Sales with negative units up to the as-of date: used, but no demand."""

    rows: int
    units: float  # negative


@dataclass(frozen=True, slots=True)
class ShardInput:
    """Everything known of the S series of one shard, each frame in the order of the panel."""

    panel: Panel
    ahead: KnownAhead | None
    supply: pl.DataFrame  # table supply with defaults, null = none; planned: whether the series has a usable row; ends
    stock: pl.DataFrame  # on_hand, on_order, backorders, arrivals; known: whether the series has a usable row
    skus: pl.DataFrame  # title, description, category, launch_date, end_date; null = unknown
    rejects: pl.DataFrame  # series that cannot be planned
    counts: dict[str, TableCount]  # of "series"
    overrides: pl.DataFrame | None = None  # `overrides.rows_of`; None: there is no such table


@dataclass(frozen=True, slots=True)
class Intake:
    """The checked inputs of a run."""

    period: Period
    as_of: int  # number of the last known period
    newest: int  # number of the newest period up to it in which any series sold
    shards: int
    fingerprint: str  # sha256, hex, over the content of every input file and how it is read
    covariates: tuple[str, ...]  # the configured ones that the sales have
    returns: Returns
    reject_files: tuple[Path, ...]  # rejected rows of the tables, as Parquet
    limits: pl.DataFrame | None  # resource, scope, amount
    events: pl.DataFrame | None  # date, location (null: everywhere), event
    sales: tuple[Part, ...]
    future: Part | None
    supply: SeriesRows | None
    stock: SeriesRows | None
    skus: SeriesRows | None
    table_counts: Mapping[str, TableCount]
    overrides: Overrides | None = None

    def counts(self) -> dict[str, TableCount]:
        """Return the rows of every configured table."""
        return dict(self.table_counts)

    @property
    def events_unread(self) -> bool:
        """Whether the table `events` is not read because the sales have a covariate of that name."""
        return self.events is not None and taken(self.covariates)

    @property
    def supply_terms(self) -> pl.DataFrame:
        """lead_time, lead_time_sd and review_period of every usable supply row; none where it is not in memory."""
        return self.supply.rows.select(*TERMS) if isinstance(self.supply, SeriesTable) else pl.DataFrame(schema=TERMS)

    def read(self, shard: int, horizon: int) -> ShardInput:
        """Read one shard; `horizon` periods of what is known ahead.

        Raises
        ------
        RunError
            If a shard file is damaged or gone.
        """
        panel = read_panel(self.sales, shard, self.covariates, self.period, self.as_of)
        keys = panel.keys
        skus = sku_frame(self.skus, keys)
        if self.skus is not None:
            panel = replace(panel, products=skus.select(PRODUCT))
        supply = with_ends(supply_frame(self.supply, keys), skus, self.period, self.as_of)
        names = tuple(n for n in self.covariates if self.future is not None and n in self.future.shards.values)
        ahead = None
        if self.future is not None and names:
            ahead = read_ahead(self.future, shard, keys, names, self.period, self.as_of, horizon)
        if self.events is not None:
            panel, ahead = with_events(panel, ahead, self.events, horizon)
        rejects = unplanned(keys, supply["planned"]) if self.supply is not None else pl.DataFrame(schema=REJECTS)
        return ShardInput(
            panel=panel,
            ahead=ahead,
            supply=supply,
            stock=stock_frame(self.stock, keys),
            skus=skus,
            rejects=rejects,
            counts={"series": TableCount(keys.height, keys.height - rejects.height, rejects.height)},
            overrides=rows_of(self.overrides, keys, self.as_of, horizon),
        )


def unplanned(keys: pl.DataFrame, planned: pl.Series) -> pl.DataFrame:
    """Return the series without a usable supply row, as rejects."""
    return keys.filter(~planned).select(
        table=pl.lit("series"),
        key=pl.concat_str("sku", "location", separator="/"),
        rule=pl.lit("no_supply"),
        value=pl.lit(None, pl.String),
        row=pl.lit(None, pl.Int64),
    )
