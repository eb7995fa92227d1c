"""What overrides changed, and what they cost or saved once the sales are known.

A run writes `overrides`: each series that a person has overridden, its order, and what the plan alone would have
ordered (limits aside). Later runs read the ledger of the run before them and, when the protection interval of an order
is over, live it again from the stock of that day with both quantities: shortage, holding and waste of the R periods
from the order's arrival on, the only ones that it alone can change. Where a person has said that nothing will be
demanded any more (a factor or level of 0 without an end) and nothing was, what is left then counts as thrown away: no
later order gets smaller by it. That is `override_results`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.config import PlanSettings
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.overrides import FOR_EVER, sentences
from fullshelf.engine.panel import Panel
from fullshelf.engine.planning import order_problem
from fullshelf.engine.protection import protect
from fullshelf.engine.service_targets import ServiceTargets
from fullshelf.engine.shard_input import ShardInput
from fullshelf.engine.stock_position import stock_position
from fullshelf.engine.tuned_factors import TunedFactors
from fullshelf.kernels.shop_steps import SUMS, live_on, put_on_shelf

__all__ = ["OVERRIDE", "RESULTS", "ended", "judged", "ledger", "with_overrides", "with_sentences"]

Array = NDArray[np.float64]

OVERRIDE = "override"  # column of a shard's values: what is kept of each overridden series
KEPT = 400  # days for which a verdict is shown
ARRIVALS = pl.List(pl.Struct({"step": pl.Int64, "units": pl.Float64}))
TERMS: dict[str, pl.DataType] = {
    "lead": pl.Int64(), "review": pl.Int64(), "life": pl.Int64(), "holding": pl.Float64(), "shortage": pl.Float64(),
    "waste": pl.Float64(), "ends": pl.Boolean(), "on_hand": pl.Float64(), "owed": pl.Float64(), "arrivals": ARRIVALS,
}  # fmt: skip
RESULTS = pl.Schema(
    {"sku": pl.String(), "location": pl.String(), "as_of": pl.Date(), "override": pl.String(), "ordered": pl.Float64(),
     "without": pl.Float64(), **TERMS, "cost": pl.Float64(), "cost_without": pl.Float64()}
)  # fmt: skip


def with_overrides(
    values: pl.DataFrame, given: ShardInput, alone: Forecast, targets: ServiceTargets, plan: PlanSettings,
    tuned: TunedFactors | None = None,
) -> pl.DataFrame:  # fmt: skip
    """Add the column `OVERRIDE` to a shard's values: text, what the plan alone would order, and terms; null elsewhere.

    Parameters
    ----------
    alone
        The forecast before any override.
    """
    rows = given.overrides
    if rows is None:
        return values
    said = sentences(rows, given.panel.period)
    if said.is_empty():
        return values.with_columns(
            pl.lit(None, pl.Struct({"text": pl.String(), "without": pl.Float64(), **TERMS})).alias(OVERRIDE)
        )
    places = said["row"].to_numpy()
    demand = protect(alone, given.supply, given.panel)
    problem = order_problem(demand, given.supply, given.stock, plan, targets, tuned=tuned)
    without = problem.orders(np.zeros(values.height))[1]
    lead, terms = problem.periods - problem.review, problem.terms
    stock = stock_position(given.stock, lead)
    arrivals = [
        [{"step": int(stock.steps[i]), "units": float(stock.units[i])} for i in range(*stock.offsets[s : s + 2])]
        for s in places
    ]
    columns: dict[str, Array | NDArray[np.int64] | NDArray[np.bool_]] = {
        "lead": lead, "review": problem.review, "life": terms.shelf, "holding": terms.holding,
        "shortage": terms.shortage, "waste": terms.waste, "on_hand": stock.on_hand, "owed": stock.owed,
        "ends": ended(rows, problem.periods + given.panel.last),
    }  # fmt: skip
    kept = said.with_columns(
        pl.Series("without", without[places]),
        *(pl.Series(name, column[places]) for name, column in columns.items()),
        pl.Series("arrivals", arrivals, dtype=ARRIVALS),
    )
    kept = kept.select("row", pl.struct("text", "without", *TERMS).alias(OVERRIDE))
    named = values.with_row_index("row")
    return named.join(kept, on="row", how="left", maintain_order="left").drop("row")


def ended(rows: pl.DataFrame, by: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which series (S,) a person has said to end: the row that holds in period `by` (S,) says 0 for ever.

    Of several rows of a series that hold, the first one does, as in `overrides.adjusted`.

    Examples
    --------
    >>> rows = pl.DataFrame({"row": [0, 1, 2, 3, 3], "first": 5, "last": [FOR_EVER, FOR_EVER, 9, FOR_EVER, FOR_EVER],
    ...                      "kind": ["factor", "quantity", "level", "level", "factor"], "value": [0.0, 0, 0, 5, 0]})
    >>> ended(rows, np.full(4, 6)).tolist(), ended(rows, np.full(4, 4)).tolist()
    ([True, False, False, False], [False, False, False, False])
    """
    said = rows.filter(pl.col("kind") != "quantity")
    said = said.with_columns(by=by[said["row"].to_numpy()])
    holding = said.filter(pl.col("by").is_between("first", "last")).unique("row", keep="first", maintain_order=True)
    found = np.zeros(by.size, np.bool_)
    found[holding.filter(pl.col("value") == 0, pl.col("last") >= FOR_EVER)["row"].to_numpy()] = True
    return found


def with_sentences(orders: pl.DataFrame, values: pl.DataFrame) -> pl.DataFrame:
    """Put who and why before the reason of each overridden order; both frames are in one order."""
    said = values.select(said=pl.col(OVERRIDE).struct.field("text"))
    reason = pl.concat_str(pl.col("said") + " ", "reason", ignore_nulls=True)
    return pl.concat([orders, said], how="horizontal").with_columns(reason=reason).drop("said")


def ledger(orders: pl.DataFrame, values: pl.DataFrame, as_of: Any) -> pl.DataFrame:
    """Return table `overrides` of a run: `RESULTS` with unknown costs, for the overridden series that are planned."""
    both = orders.select("sku", "location", ordered="order_quantity").with_columns(values[OVERRIDE], values["planned"])
    both = both.filter(pl.col(OVERRIDE).is_not_null() & pl.col("planned")).drop("planned").unnest(OVERRIDE)
    return both.select(
        "sku", "location", pl.lit(as_of, pl.Date).alias("as_of"), pl.col("text").alias("override"), "ordered",
        "without", *TERMS, cost=pl.lit(None, pl.Float64), cost_without=pl.lit(None, pl.Float64),
    )  # fmt: skip


def judged(before: pl.DataFrame, panel: Panel, backorder: bool) -> pl.DataFrame:
    """Return table `override_results`: earlier rows of `RESULTS`, with costs where the sales are known by now.

    A row whose series is gone, or that lies further back than `KEPT` days, is left out.
    """
    period = panel.period
    series = panel.keys.select("sku", "location").with_row_index("row")
    rows = before.join(series, on=["sku", "location"], maintain_order="left").with_columns(
        number=period.number("as_of").cast(pl.Int64)
    )
    if "ends" not in rows.columns:  # the run before this one is of an older version
        rows = rows.with_columns(ends=pl.lit(False))
    rows = rows.filter(pl.col("as_of").cast(pl.Int32) + KEPT >= pl.lit(period.start(panel.last)).cast(pl.Int32))
    costs = []
    for row in rows.iter_rows(named=True):
        due = row["cost"] is None and row["number"] + row["lead"] + row["review"] <= panel.last
        end = int(panel.offsets[row["row"] + 1]) - (panel.last - row["number"])
        if not due or end <= panel.offsets[row["row"]]:
            costs.append((row["cost"], row["cost_without"]))
            continue
        demand = panel.units[end : end + row["lead"] + row["review"]].astype(np.float64)
        costs.append((_lived(row, demand, row["ordered"], backorder), _lived(row, demand, row["without"], backorder)))
    found = pl.DataFrame(costs, schema={"cost": pl.Float64, "cost_without": pl.Float64}, orient="row")
    return rows.drop("cost", "cost_without", "row", "number").with_columns(found.get_columns()).select(list(RESULTS))


def _lived(row: dict[str, Any], demand: Array, quantity: float, backorder: bool) -> float:
    """Live one series from the stock of its order on; return the cost of the R periods from the arrival, currency."""
    lead, review = row["lead"], row["review"]
    life = np.array([row["life"] if row["life"] <= lead + review + 1 else 0], dtype=np.int64)
    shelves, owed = np.zeros((1, int(life[0]) + 1)), np.array([row["owed"]])
    put_on_shelf(np.array([row["on_hand"]]), np.zeros(1, np.int64), life, shelves)
    pipeline = np.zeros((1, lead + review))
    for arrival in row["arrivals"] or []:
        if arrival["step"] <= lead + review:
            pipeline[0, arrival["step"] - 1] += arrival["units"]
    pipeline[0, lead] += quantity
    sums = np.empty((1, len(SUMS)))
    if lead:
        live_on(demand[None, :lead].copy(), life, backorder, shelves, owed, pipeline, sums)
    live_on(demand[None, lead:].copy(), life, backorder, shelves, owed, pipeline, sums)
    of = dict(zip(SUMS, sums[0].tolist(), strict=True))
    over = bool(row["ends"]) and not demand[lead:].any()
    wasted = of["wasted"] + (float(shelves.sum()) if over else 0.0)
    cost: float = row["shortage"] * of["short"] + row["holding"] * of["left"] + row["waste"] * wasted
    return cost
