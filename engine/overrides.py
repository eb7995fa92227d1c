"""Overrides: what a person knows better, from the table `overrides`, looked up for the series of a shard.

A row says what the forecast or the order of one SKU (at one location, or at all) is from one day to another:
`factor` multiplies the forecast of the periods that hold those days, `level` replaces it by that many units a period,
`quantity` is the order of every round whose as-of period holds one of those days. For each period the first row that
holds counts, a row that names the location before one that does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period
from fullshelf.engine.checks import Checked, set_aside
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.scan import ROW
from fullshelf.engine.tables import OVERRIDES
from fullshelf.kernels.demand_law import demand_quantiles, law_table

__all__ = ["Overrides", "adjusted", "check_overrides", "ordered_by_hand", "overrides_of", "rows_of", "sentences"]

Array = NDArray[np.float64]

KINDS = ("quantity", "factor", "level")
ALWAYS, FOR_EVER = -(1 << 30), 1 << 30
GUESS = 0.5  # deviation of a level that a person gives for what never sold, as a share of it, beside that of counting


@dataclass(frozen=True, slots=True)
class Overrides:
    """The checked rows: sku, location (null: all), first and last period, kind, value, who, why, and `order`."""

    rows: pl.DataFrame

    def of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return the rows for S series (sku, location): row (place in keys) and the columns, those that win first."""
        series = keys.select("sku", "location").with_row_index("row")
        own = series.join(self.rows.filter(pl.col("location").is_not_null()), on=["sku", "location"])
        general = self.rows.filter(pl.col("location").is_null()).drop("location")
        shared = series.join(general, on="sku").select(own.columns)
        ranked = pl.concat([own.with_columns(rank=pl.lit(0)), shared.with_columns(rank=pl.lit(1))])
        return ranked.sort("row", "rank", "order").drop("rank")


def check_overrides(checked: Checked, series: pl.DataFrame) -> Checked:
    """Reject rows of which no series (sku, location) is known."""
    named = checked.good.select("sku", "location")
    own = named.join(series.with_columns(known=True), on=["sku", "location"], how="left", maintain_order="left")
    item = series.select("sku").unique().with_columns(known=True)
    item = named.select("sku").join(item, on="sku", how="left", maintain_order="left")
    strange = pl.select(pl.when(named["location"].is_null()).then(item["known"]).otherwise(own["known"]).is_null())
    return set_aside(checked, OVERRIDES, "no_sales", "sku", strange.to_series())


def overrides_of(good: pl.DataFrame, period: Period) -> Overrides:
    """Turn checked rows into overrides by period."""
    kind = pl.coalesce(pl.when(pl.col(name).is_not_null()).then(pl.lit(name)) for name in KINDS)
    return Overrides(
        good.sort(ROW).select(
            "sku",
            "location",
            first=period.number("from").fill_null(ALWAYS),
            last=period.number("to").fill_null(FOR_EVER),
            kind=kind,
            value=pl.coalesce(KINDS),
            who="who",
            why="why",
            order=pl.int_range(pl.len()),
        )
    )


def rows_of(overrides: Overrides | None, keys: pl.DataFrame, as_of: int, horizon: int) -> pl.DataFrame | None:
    """Return the rows that act in a run: quantities that hold at `as_of`, factors and levels for what is forecast."""
    if overrides is None:
        return None
    rows = overrides.of(keys)
    now = (pl.col("first") <= as_of) & (pl.col("last") >= as_of)
    ahead = (pl.col("first") <= as_of + horizon) & (pl.col("last") > as_of)
    return rows.filter(pl.when(pl.col("kind") == "quantity").then(now).otherwise(ahead))


def adjusted(forecast: Forecast, rows: pl.DataFrame, as_of: int) -> Forecast:
    """Return the forecast with factors and levels; a series without rows keeps every bit.

    A distribution is stretched: its mean becomes what the person says, its relative spread stays. The totals of 1…k
    periods are stretched by their own mean. What had a mean of 0 gets a negative binomial about the person's level.
    """
    rows = rows.filter(pl.col("kind") != "quantity")
    if rows.is_empty():
        return forecast
    H = forecast.horizon
    quantiles, mean = forecast.quantiles.copy(), forecast.mean.copy()
    cumulative = None if forecast.cumulative is None else forecast.cumulative.copy()
    table = law_table(forecast.levels)
    for (place,), own in rows.group_by("row", maintain_order=True):
        s = int(place)
        before = forecast.mean[s].astype(np.float64)
        after, open_ = before.copy(), np.ones(H, np.bool_)
        for row in own.iter_rows(named=True):
            inside = np.zeros(H, np.bool_)
            inside[max(0, row["first"] - as_of - 1) : max(0, row["last"] - as_of)] = True
            inside &= open_
            after[inside] = row["value"] if row["kind"] == "level" else before[inside] * row["value"]
            open_ &= ~inside
        mean[s] = after
        changed = after != before
        for h in np.flatnonzero(changed).tolist():
            quantiles[s, h] = _stretched(forecast.levels, table, forecast.quantiles[s, h], before[h], after[h])
        if cumulative is not None and forecast.cumulative is not None and changed.any():
            totals = np.cumsum(before), np.cumsum(after)
            for h in range(int(np.flatnonzero(changed)[0]), H):
                old = forecast.cumulative[s, h]
                cumulative[s, h] = _stretched(forecast.levels, table, old, totals[0][h], totals[1][h])
            cumulative[s] = np.maximum.accumulate(cumulative[s], axis=0)
            cumulative[s, 0] = quantiles[s, 0]
    return Forecast(forecast.levels, quantiles, mean, cumulative)


def _stretched(
    levels: Array, table: Array, quantiles: NDArray[np.float32], before: float, after: float
) -> NDArray[np.float32]:
    if before > 0 and quantiles[-1] > 0:
        return quantiles * np.float32(after / before)
    out = np.empty(levels.size)
    demand_quantiles(levels, table, True, after, after + (GUESS * after) ** 2, out)
    return out.astype(np.float32)


def ordered_by_hand(rows: pl.DataFrame | None, series: int) -> Array:
    """Return the order quantities (S,) that persons have set; NaN: none."""
    quantity = np.full(series, np.nan)
    if rows is not None:
        first = rows.filter(pl.col("kind") == "quantity").unique("row", keep="first", maintain_order=True)
        quantity[first["row"].to_numpy()] = first["value"].to_numpy()
    return quantity


def sentences(rows: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return `row` and a sentence for each series with rows: what was changed, from when to when, by whom and why."""

    def day(name: str) -> pl.Expr:
        number = pl.col(name)
        text = number.map_elements(lambda n: period.start(n).isoformat(), return_dtype=pl.String)
        return pl.when(number.abs() < FOR_EVER).then(text)

    what = (
        pl.when(pl.col("kind") == "quantity")
        .then(pl.format("order of {}", _short("value")))
        .when(pl.col("kind") == "factor")
        .then(pl.format("demand × {}", _short("value")))
        .otherwise(pl.format("demand of {} a period", _short("value")))
    )
    reason = pl.when(pl.col("why").is_not_null()).then(pl.format(" ({})", "why")).otherwise(pl.lit(""))
    until = pl.when(pl.col("last") < FOR_EVER).then(pl.format(" until {}", day("last"))).otherwise(pl.lit(""))
    who = pl.coalesce(pl.format(" by {}", "who"), pl.lit(" by a person"))
    one = rows.select("row", text=pl.concat_str(what, until, who, reason))
    return one.group_by("row", maintain_order=True).agg(text="Override: " + pl.col("text").str.join("; ") + ".")


def _short(name: str) -> pl.Expr:
    value = pl.col(name)
    whole = value == value.floor()
    return pl.when(whole).then(value.cast(pl.Int64, strict=False).cast(pl.String)).otherwise(value.cast(pl.String))
