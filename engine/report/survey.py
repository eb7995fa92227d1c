"""One pass over the orders, in bounded memory: totals, distributions, the rows worth looking at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

KEY = ["sku", "location"]
BATCH = 100_000  # rows looked at together
FILL = 0.9  # a series expected to serve less of its demand is an exception
GROUPS = 8  # categories, locations and policies shown by name; the rest is one line

VALUE_COLUMNS = {
    "unit_cost": pl.Float64,
    "unit_price": pl.Float64,
    "shortage_cost": pl.Float64,
    "on_hand": pl.Float64,
    "on_order": pl.Float64,
    "backorders": pl.Float64,
    "overdue": pl.Float64,
    "surprise": pl.Float64,
    "sold": pl.Float64,
    "foreseen": pl.Float64,
    "lead_time": pl.Float64,
    "review_period": pl.Float64,
    "title": pl.String,
    "category": pl.String,
}
ORDER_COLUMNS = (
    *("order_quantity", "order_up_to", "reorder_point", "safety_stock", "critical_ratio", "expected_demand"),
    *("expected_shortage", "expected_leftover", "expected_cost", "fill_rate", "shadow_price"),
)
SUMS = (
    *("order_quantity", "order_value", "expected_demand", "expected_shortage", "shortage_value", "expected_leftover"),
    *("leftover_value", "expected_cost", "served", "stock_value", "on_order_value"),
)
GROUP_SUMS = ("placed", "order_quantity", "order_value", "expected_demand", "shortage_value", "served")
EDGES = {
    "order_value": [0, *(m * 10.0**e for e in range(-2, 9) for m in (1, 2, 5))],
    "fill_rate": [0, *(round(0.8 + 0.02 * i, 2) for i in range(11))],
    "cover": [0.0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 36, 52],
    "critical_ratio": [0, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.99, 1],
}
# What makes a series an example, best first; each by the column that ranks it and the rows that qualify.
EXAMPLES = {
    "Large order": ("order_value", pl.col("order_quantity") > 0),
    "Sales at risk": ("shortage_value", pl.col("shortage_value") > 0),
    "Runs out before an order can arrive": ("late_value", pl.col("late_value") > 0),
    "Overstock": ("excess_value", pl.col("excess_value") > 0),
    "Cut by a limit": ("limit_value", pl.col("shadow_price") > 0),
    "Slow mover": ("slowness", (pl.col("order_quantity") > 0) & (pl.col("expected_demand") > 0)),
    "Fast mover": ("expected_demand", pl.col("expected_demand") > 0),
    "Wide safety margin": ("margin", pl.col("expected_demand") >= 1),
    "Sells, but needs no order": ("expected_demand", pl.col("order_quantity") == 0),
}
# Each exception: what is at stake, the same in units, and the rows that qualify.
EXCEPTIONS = {
    "late": ("late_value", "late_units", pl.col("late_units") > 0),
    "short": (  # what is late is lost whatever is ordered, so it is not said twice
        "shortage_value",
        "expected_shortage",
        (pl.col("expected_shortage") > 0) & (pl.col("fill_rate") < FILL) & ~(pl.col("late_units") > 0).fill_null(False),
    ),
    "excess": ("excess_value", "excess_units", pl.col("excess_units") > 0),
    "overdue": ("overdue_value", "overdue", pl.col("overdue") > 0),
    "surprise": ("surprise_value", "surprise_units", pl.col("surprise_units") > 0),
}

EXCEPTION_COLUMNS = {
    "kind": pl.String, "sku": pl.String, "location": pl.String, "money": pl.Float64, "units": pl.Float64,
    "on_hand": pl.Float64, "on_order": pl.Float64, "lasts": pl.Float64, "lead_time": pl.Float64,
    "expected_demand": pl.Float64, "order_quantity": pl.Float64, "order_up_to": pl.Float64, "fill_rate": pl.Float64,
    "shadow_price": pl.Float64, "sold": pl.Float64, "foreseen": pl.Float64,
}  # fmt: skip


@dataclass(slots=True)
class Survey:
    """What one pass over the orders found."""

    priced: bool  # False: no cost is known, every `…_value` is in units
    rows: int = 0
    placed: int = 0
    limited: int = 0  # series whose order a limit cuts
    stocked: bool = False  # some stock is known
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SUMS, 0.0))
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(EXCEPTIONS, 0))  # series, by exception
    stakes: dict[str, float] = field(default_factory=lambda: dict.fromkeys(EXCEPTIONS, 0.0))
    stake_units: dict[str, float] = field(default_factory=lambda: dict.fromkeys(EXCEPTIONS, 0.0))
    histograms: dict[str, NDArray[np.int64]] = field(
        default_factory=lambda: {name: np.zeros(len(edges) + 1, np.int64) for name, edges in EDGES.items()}
    )
    groups: dict[str, pl.DataFrame] = field(default_factory=dict)  # by category, location, policy: GROUP_SUMS
    worst: dict[str, pl.DataFrame] = field(default_factory=dict)  # by exception, most money first
    examples: pl.DataFrame = field(default_factory=pl.DataFrame)  # chosen rows with `why`

    @property
    def fill_rate(self) -> float | None:
        """Share of demand that is expected to be served from stock."""
        demand = self.sums["expected_demand"]
        return self.sums["served"] / demand if demand > 0 else None


def survey(orders: pl.LazyFrame, values: pl.LazyFrame | None, examples: int, worst: int) -> Survey:
    """Look at every order once; keep `worst` rows of each exception and choose `examples` series."""
    given = [] if values is None else values.collect_schema().names()
    found = Survey(priced="unit_cost" in given, stocked="on_hand" in given)
    candidates: dict[str, pl.DataFrame] = {}
    for batch in _batches(orders, values, given):
        _add_totals(found, batch)
        for name, (by, units, which) in EXCEPTIONS.items():
            rows = batch.filter(which)
            found.counts[name] += rows.height
            found.stakes[name] += float(rows[by].sum())
            found.stake_units[name] += float(rows[units].sum())
            found.worst[name] = _best(found.worst.get(name), rows, by, worst)
        for name, (by, which) in EXAMPLES.items():
            candidates[name] = _best(candidates.get(name), batch.filter(which), by, examples)
    found.examples = _take_turns(candidates, examples)
    for by, frame in found.groups.items():
        found.groups[by] = _largest(frame, "order_value")
    return found


def exceptions(orders: pl.LazyFrame, values: pl.LazyFrame | None) -> pl.DataFrame:
    """Return table `exceptions`: every row that qualifies, most money first; a series can stand in several kinds.

    kind `late`: stock and arrivals do not last until an order placed now arrives; `short`: less than `FILL` of demand
    is expected to be served in spite of the order; `excess`: more is there than the plan would order up to; `overdue`:
    arrivals that should have come by now and that the plan counts on; `surprise`: more or less was sold since the last
    run than its highest or lowest quantile. `money` is the sales at risk, what is tied up, or what the surprise was
    worth, null where no cost is known; `units` the same in units.
    """
    given = [] if values is None else values.collect_schema().names()
    parts = [pl.DataFrame(schema=EXCEPTION_COLUMNS)]
    for batch in _batches(orders, values, given):
        for name, (by, units, which) in EXCEPTIONS.items():
            money = pl.col(by) if "unit_cost" in given else pl.lit(None, pl.Float64)
            found = batch.filter(which).with_columns(kind=pl.lit(name), money=money, units=pl.col(units))
            parts.append(found.select(pl.col(c).cast(t) for c, t in EXCEPTION_COLUMNS.items()))
    table = pl.concat(parts)
    return table.sort("money", "units", "kind", *KEY, descending=[True, True, False, False, False], nulls_last=True)


def _batches(orders: pl.LazyFrame, values: pl.LazyFrame | None, given: list[str]) -> Iterator[pl.DataFrame]:
    rows = orders.select(
        *KEY, pl.col("policy").cast(pl.String), *(pl.col(c).cast(pl.Float64).fill_nan(None) for c in ORDER_COLUMNS)
    )
    if values is not None:
        columns = [pl.col(c).cast(t) for c, t in VALUE_COLUMNS.items() if c in given]
        rows = rows.join(values.select(*KEY, *columns), on=KEY, how="left", maintain_order="left")
    lacking = [pl.lit(None, dtype=t).alias(c) for c, t in VALUE_COLUMNS.items() if c not in given]
    rows = rows.with_columns(*lacking)
    for step in _derived("unit_cost" in given):
        rows = rows.with_columns(**step)
    yield from rows.collect_batches(chunk_size=BATCH, maintain_order=True, engine="streaming")


def _derived(priced: bool) -> list[dict[str, pl.Expr]]:
    """Columns computed from the orders and the values, in steps that build on each other."""
    c = pl.col
    cost, shortage = c("unit_cost"), c("shortage_cost")
    price = pl.coalesce(c("unit_price"), cost + shortage, shortage, cost, 0.0) if priced else pl.lit(1.0)
    return [
        {
            "cost": cost.fill_nan(None).fill_null(0.0) if priced else pl.lit(1.0),
            "worth": price,
            "position": c("on_hand") + c("on_order").fill_null(0.0) - c("backorders").fill_null(0.0),
            "rate": c("expected_demand") / (c("lead_time") + c("review_period")),
        },
        {
            "order_value": c("order_quantity") * c("cost"),
            "shortage_value": c("expected_shortage") * c("worth"),
            "leftover_value": c("expected_leftover") * c("cost"),
            "served": c("expected_demand") * c("fill_rate"),
            "stock_value": c("on_hand") * c("cost"),
            "on_order_value": c("on_order") * c("cost"),
            "late_units": (c("rate") * c("lead_time") - c("position")).clip(lower_bound=0.0),
            "excess_units": pl.when(c("order_quantity") == 0)
            .then((c("position") - c("order_up_to")).clip(lower_bound=0.0))
            .otherwise(0.0),
            "placed": (c("order_quantity") > 0).cast(pl.Int64),
            "cover": (c("position") + c("order_quantity")).clip(lower_bound=0.0) / c("rate"),
            "lasts": c("position").clip(lower_bound=0.0) / c("rate"),
            "slowness": -c("expected_demand"),
            "margin": c("order_up_to") / c("expected_demand"),
            "limit_value": c("shadow_price") * c("cost"),
            "surprise_units": c("surprise").abs(),
            "surprise_value": pl.when(c("surprise") > 0)
            .then(c("surprise") * c("worth"))
            .otherwise(-c("surprise") * c("cost")),
            "relied": (c("expected_demand") - c("position") + c("overdue")).clip(lower_bound=0.0),
        },
        {"overdue_value": pl.min_horizontal("overdue", "relied") * c("worth")},
        {"late_value": c("late_units") * c("worth"), "excess_value": c("excess_units") * c("cost")},
    ]


def _add_totals(found: Survey, batch: pl.DataFrame) -> None:
    found.rows += batch.height
    found.placed += int(batch["placed"].sum())
    found.limited += int((batch["shadow_price"] > 0).sum())
    for name in SUMS:
        found.sums[name] += float(batch[name].sum())
    for name, edges in EDGES.items():
        rows = batch.filter(pl.col("order_quantity") > 0) if name == "order_value" else batch
        # bin i holds edges[i - 1] <= x < edges[i]
        bins = np.searchsorted(np.asarray(edges), rows[name].drop_nulls().drop_nans().to_numpy(), side="right")
        found.histograms[name] += np.bincount(bins, minlength=len(edges) + 1)
    for by, column in {
        "category": pl.col("category").str.split("/").list.first(),
        "location": pl.col("location"),
        "policy": pl.col("policy"),
    }.items():
        sums = batch.group_by(column.fill_null("").alias("name"), maintain_order=True).agg(
            pl.len().cast(pl.Int64).alias("series"), pl.col(GROUP_SUMS).sum()
        )
        before = found.groups.get(by)
        found.groups[by] = (
            sums if before is None else pl.concat([before, sums]).group_by("name", maintain_order=True).sum()
        )


def _best(kept: pl.DataFrame | None, rows: pl.DataFrame, by: str, n: int) -> pl.DataFrame:
    """Keep the n rows with the highest values; equal ones in the order of their keys."""
    if n and rows.height > n:
        rows = rows.filter(pl.col(by) >= rows[by].top_k(n).min())
    if kept is not None:
        rows = pl.concat([kept, rows])
    return rows.sort(by, *KEY, descending=[True, False, False], nulls_last=True).head(n)


def _take_turns(candidates: dict[str, pl.DataFrame], n: int) -> pl.DataFrame:
    """Choose n different series, the best of each kind first, then the second best of each."""
    chosen: list[pl.DataFrame] = []
    seen: set[tuple[str, str]] = set()
    ranks = dict.fromkeys(candidates, 0)
    while len(chosen) < n:
        before = len(chosen)
        for why, rows in candidates.items():
            while ranks[why] < rows.height and len(chosen) < n:
                row = rows[ranks[why]]
                ranks[why] += 1
                key = row.select(KEY).row(0)
                if key not in seen:
                    seen.add((key[0], key[1]))
                    chosen.append(row.with_columns(why=pl.lit(why)))
                    break
        if len(chosen) == before:
            break
    return pl.concat(chosen) if chosen else pl.DataFrame()


def _largest(groups: pl.DataFrame, by: str) -> pl.DataFrame:
    """Sort groups, largest first; past GROUPS the rest is one row whose name is null."""
    rows = groups.sort(by, "name", descending=[True, False])
    if rows.height <= GROUPS + 1:
        return rows
    rest = rows[GROUPS:].select(pl.lit(None, dtype=pl.String).alias("name"), pl.exclude("name").sum())
    return pl.concat([rows[:GROUPS], rest])
