"""The small tables by series: supply terms, stock, product texts. Checked once, then looked up shard by shard.

Of two rows with one key the first counts. A supply row without location stands for all locations of its item, and a row
that names the location wins over it. A stock row without location belongs to the item's only location: units that lie
somewhere cannot lie everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from fullshelf.engine.checks import Checked, set_aside
from fullshelf.engine.errors import InputError
from fullshelf.engine.lookup import KeyIndex
from fullshelf.engine.scan import ROW
from fullshelf.engine.tables import SKUS, STOCK, SUPPLY, Table

__all__ = [
    "Series",
    "SeriesRows",
    "SeriesTable",
    "check_skus",
    "check_stock",
    "check_supply",
    "sku_frame",
    "stock_frame",
    "supply_frame",
]

KEY = ["sku", "location"]
_ARRIVED = pl.col("arrivals").list.eval(pl.element().struct.field("units")).list.sum()


@dataclass(frozen=True, slots=True)
class Series:
    """sku and location of the series that the sales know."""

    live: pl.DataFrame  # with sales up to the as-of date
    ever: Callable[[], pl.DataFrame]  # with sales at any time


class SeriesRows(Protocol):
    """A table that gives rows for series."""

    def of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return the columns for S series (sku, location), null where no row stands for them, and `found`."""
        ...


class SeriesTable:
    """A checked table, in memory, that gives rows for series."""

    def __init__(self, table: pl.DataFrame) -> None:
        self.rows = table if "location" in table.columns else table.with_columns(location=pl.lit(None, pl.String))
        self._index = KeyIndex(self.rows)
        self._columns = [name for name in table.columns if name not in (*KEY, ROW)]

    def of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return the columns for S series (sku, location), null where no row stands for them, and `found`."""
        rows = self._index.find(keys["sku"], keys["location"])
        general = self._index.find(keys["sku"], None)
        place = pl.Series(rows, dtype=pl.Int64).set(pl.Series(rows < 0), None)
        place = place.fill_null(pl.Series(general).set(pl.Series(general < 0), None))
        return self.rows.select(pl.col(self._columns).gather(place)).with_columns(found=place.is_not_null())


def check_supply(checked: Checked, series: Series, holding_rate: float, per_year: float) -> Checked:
    """Reject second and strange rows of supply, fill in what has a default, derive holding and shortage cost.

    Raises
    ------
    InputError
        If every row is strange, for then the keys are written differently in the two tables.
    """
    checked = _known(_unique(checked, SUPPLY, KEY), SUPPLY, series)
    defaults = [pl.col(c.name).fill_null(c.default) for c in SUPPLY.columns if c.default is not None]
    derived = (
        pl.col("holding_cost").fill_null(pl.col("unit_cost") * holding_rate / per_year),
        pl.col("shortage_cost").fill_null(pl.col("unit_price") - pl.col("unit_cost")),
    )
    return Checked(checked.good.with_columns(*defaults, *derived), checked.rejects)


def check_stock(checked: Checked, series: Series) -> Checked:
    """Reject second and strange rows of stock, place those without location, count what is on its way.

    Raises
    ------
    InputError
        If no row can be placed, or every row is strange: counting all as out of stock would order all anew.
    """
    counts = series.live.group_by("sku").agg(only=pl.col("location").first(), locations=pl.len())
    joined = checked.good.join(counts, on="sku", how="left", maintain_order="left")
    homeless = joined.select(pl.col("location").is_null() & (pl.col("locations") > 1).fill_null(False)).to_series()
    placed = joined.with_columns(pl.col("location").fill_null(pl.col("only"))).drop("only", "locations")
    checked = set_aside(Checked(placed, checked.rejects), STOCK, "location_missing", "location", homeless)
    if homeless.all() and homeless.len():
        raise InputError(
            "inputs.stock: no row names a location, but the sales are by location; add a column `location`, or map it: "
            "columns: {stock: {YOUR_COLUMN: location}}"
        )
    checked = _known(_unique(checked, STOCK, KEY), STOCK, series)
    good = checked.good.with_columns(
        on_order=pl.when(pl.col("arrivals").list.len() > 0).then(_ARRIVED).otherwise(pl.col("on_order").fill_null(0.0)),
        backorders=pl.col("backorders").fill_null(0.0),
        arrivals=pl.col("arrivals").fill_null([]),
    )
    return Checked(good, checked.rejects)


def check_skus(checked: Checked, series: Series) -> Checked:
    """Reject second and strange rows of skus."""
    checked = _unique(checked, SKUS, ["sku"])
    strange = _not_in(checked.good, series.live, ["sku"])
    return set_aside(checked, SKUS, "no_sales", "sku", strange)


def supply_frame(table: SeriesRows | None, keys: pl.DataFrame) -> pl.DataFrame:
    """Return the supply terms of S series, null where there are none, and whether they can be planned."""
    if table is None:
        return keys.with_columns(_nothing(SUPPLY), planned=pl.lit(False)).drop(KEY)
    return table.of(keys).rename({"found": "planned"})


def stock_frame(table: SeriesRows | None, keys: pl.DataFrame) -> pl.DataFrame:
    """Return the stock of S series; without a row 0 is on hand and `known` is false."""
    arrivals = pl.List(pl.Struct({"step": pl.Int32, "units": pl.Float64}))
    if table is None:
        zero = {name: pl.lit(0.0) for name in ("on_hand", "on_order", "backorders")}
        return keys.with_columns(**zero, arrivals=pl.lit([], arrivals), known=pl.lit(False)).drop(KEY)
    found = table.of(keys).rename({"found": "known"})
    return found.with_columns(
        pl.col("on_hand", "on_order", "backorders").fill_null(0.0), pl.col("arrivals").fill_null([])
    )


def sku_frame(table: SeriesRows | None, keys: pl.DataFrame) -> pl.DataFrame:
    """Return title, description, category and launch date of S series, null where unknown."""
    return keys.with_columns(_nothing(SKUS)).drop(KEY) if table is None else table.of(keys).drop("found")


def _nothing(table: Table) -> list[pl.Expr]:
    dtypes = {"text": pl.String(), "number": pl.Float64(), "date": pl.Date()}
    return [pl.lit(None, dtypes[c.kind]).alias(c.name) for c in table.columns if c.name not in KEY]


def _unique(checked: Checked, table: Table, key: list[str]) -> Checked:
    again = checked.good.select(pl.struct(key).is_first_distinct().not_()).to_series()
    return set_aside(checked, table, "duplicate", key[-1], again)


def _known(checked: Checked, table: Table, series: Series) -> Checked:
    """Reject rows of which no series is known."""
    strange = _strange(checked.good, series.live)
    if strange.len() and strange.all() and _strange(checked.good, series.ever()).all():
        row, known = checked.good.row(0, named=True), series.live.row(0, named=True)
        raise InputError(
            f"inputs.{table.name}: none of {strange.len():,} rows belongs to a series with sales. The first names sku "
            f"{row['sku']!r}, location {row['location']!r}; the first series of the sales is sku {known['sku']!r}, "
            f"location {known['location']!r}. Write sku and location alike in both tables"
        )
    return set_aside(checked, table, "no_sales", "sku", strange)


def _strange(rows: pl.DataFrame, series: pl.DataFrame) -> pl.Series:
    everywhere = pl.lit(rows["location"].is_null())
    own, item = _not_in(rows, series, KEY), _not_in(rows, series, ["sku"])
    return pl.select(pl.when(everywhere).then(item).otherwise(own)).to_series()


def _not_in(rows: pl.DataFrame, series: pl.DataFrame, on: list[str]) -> pl.Series:
    known = series.select(on).unique().with_columns(known=pl.lit(True))
    return rows.select(on).join(known, on=on, how="left", maintain_order="left")["known"].is_null()
