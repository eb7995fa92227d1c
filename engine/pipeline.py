"""One shard, from its sales to its orders. An executor says where and when; nothing here knows about neighbours.

With limits that span shards the way has two halves: `run_shard` commits forecasts and leaves what planning needs, the
driver shares out the limits over all shards' `limited_orders`, `commit_orders` ends it. Without limits `run_shard` goes
the whole way at once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from fullshelf.engine import hindsight
from fullshelf.engine.commit import write_json, write_parquet
from fullshelf.engine.config import PlanSettings
from fullshelf.engine.end_of_sale import cut_off, ends_of
from fullshelf.engine.forecast_table import forecast_frame, lead_time_demand_frame
from fullshelf.engine.intake import Intake, ShardInput
from fullshelf.engine.limits import Limit
from fullshelf.engine.models.protocol import DemandModel
from fullshelf.engine.order_plan import OrderPlan
from fullshelf.engine.override_ledger import OVERRIDE, judged, ledger, with_overrides, with_sentences
from fullshelf.engine.overrides import adjusted, ordered_by_hand
from fullshelf.engine.planning import order_problem
from fullshelf.engine.problem_file import load_problem, save_problem
from fullshelf.engine.process_name import process_name
from fullshelf.engine.profile import working
from fullshelf.engine.protection import protect
from fullshelf.engine.run_folder import RunFolder
from fullshelf.engine.service_targets import targets_of_shard
from fullshelf.engine.shard_orders import ShardOrders
from fullshelf.engine.stock_position import overdue
from fullshelf.engine.storage import Location, read_back
from fullshelf.engine.tuned_factors import factors_of_shard

Record = dict[str, Any]  # what is kept of a finished shard: files with rows and sha256, counts, sums, seconds


@dataclass(frozen=True, slots=True)
class ShardJob:
    """What every shard of a run shares."""

    intake: Intake
    model: DemandModel
    plan: PlanSettings
    horizon: int
    folder: RunFolder
    previous: Location | None  # the last complete run, whose forecasts are compared with what came true
    limits: tuple[Limit, ...] = ()  # that span the shards


@dataclass(slots=True)
class Clock:
    """Seconds spent in each stage, and since when."""

    seconds: dict[str, float] = field(default_factory=dict)
    begun: float = field(default_factory=time.time)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add the time inside the block to a stage."""
        begun = time.perf_counter()
        try:
            with working(name):
                yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begun

    def turn(self, work: str) -> Record:
        """Say which process did some work and from when to when, in seconds since 1970 by its machine's clock."""
        begun, ended = round(self.begun, 3), round(time.time(), 3)
        return {"work": work, "worker": process_name(), "begun": begun, "ended": ended}


def run_shard(job: ShardJob, shard: int) -> Record:
    """Forecast one shard and, where no limit spans the shards, order; commit it and return its record."""
    clock = Clock()
    with clock.stage("read"):
        given = job.intake.read(shard, job.horizon)
        since = _forecast_before(job, shard, given)
    with clock.stage("forecast"):
        alone = forecast = cut_off(job.model.forecast(given.panel, job.horizon, given.ahead), ends_of(given.supply))
        if given.overrides is not None:
            forecast = adjusted(alone, given.overrides, given.panel.last)
    with clock.stage("protect"):
        demand = protect(forecast, given.supply, given.panel)
    with clock.stage("plan"):
        targets = targets_of_shard(job.plan.service, given.panel, given.supply, given.skus)
        tuned = factors_of_shard(job.plan.tuned, given.panel, given.supply, given.skus)
        values = with_overrides(_values(given, since), given, alone, targets, job.plan, tuned)
    with clock.stage("write"):
        part = job.folder.part
        files = [
            write_parquet(part("forecasts", shard), forecast_frame(given.panel, forecast)),
            write_parquet(part("lead_time_demand", shard), lead_time_demand_frame(given.panel, demand)),
            write_parquet(part("rejects", shard), given.rejects),
            write_parquet(job.folder.values(shard), values),
            *_override_results(job, shard, given),
        ]
    record: Record = {
        "shard": shard,
        "series": given.panel.series,
        "device": job.model.device,
        "files": files,
        "counts": {table: (c.read, c.used, c.rejected) for table, c in given.counts.items()},
        "unknown_stock": int((given.supply["planned"] & ~given.stock["known"]).sum()),
        "hindsight": _hindsight(job, given, since),
        "seconds": clock.seconds,
    }
    with clock.stage("plan"):
        by_hand = ordered_by_hand(given.overrides, given.panel.series)
        problem = order_problem(demand, given.supply, given.stock, job.plan, targets, by_hand, tuned)
    if job.limits:
        with clock.stage("write"):
            save_problem(job.folder.problem(shard), problem)
        record["turns"] = [clock.turn("forecast")]
        write_json(job.folder.record("forecast", shard), record)
        return record
    with clock.stage("plan"):
        plan = problem.plan()
    return commit_orders(job, record, values, plan, clock)


def limited_orders(job: ShardJob, shard: int) -> tuple[pl.DataFrame, ShardOrders]:
    """Return a forecast shard's values (see `_values`) and its answers to the driver of the limits."""
    path = job.folder.values(shard)
    with read_back(path):
        values = pl.read_parquet(str(path), glob=False)
    problem = load_problem(job.folder.problem(shard))
    return values, ShardOrders(problem, values, job.limits)


def commit_orders(job: ShardJob, record: Record, values: pl.DataFrame, plan: OrderPlan, clock: Clock) -> Record:
    """Write a shard's orders and the record that says that it is done."""
    shard = record["shard"]
    with clock.stage("write"):
        orders = plan.frame(values.select("sku", "location"))
        files = list(record["files"])
        if OVERRIDE in values.columns:
            orders = with_sentences(orders, values)
            made = ledger(orders, values, job.intake.period.start(job.intake.as_of))
            files.append(write_parquet(job.folder.part("overrides", shard), made))
        explained = pl.concat([values.select("sku", "location"), plan.explanation], how="horizontal")
        orders, explained = (frame.filter(values["planned"]) for frame in (orders, explained))
        files.append(write_parquet(job.folder.part("orders", shard), orders))
        files.append(write_parquet(job.folder.part("explanations", shard), explained))
    turns = [*record.get("turns", ()), clock.turn("orders")]
    totals = order_totals(orders, values)
    record = record | {"files": files, "orders": totals, "seconds": clock.seconds, "turns": turns}
    write_json(job.folder.record("orders", shard), record)
    return record


def _values(given: ShardInput, since: pl.DataFrame | None) -> pl.DataFrame:
    """Costs, terms and stock of each series, and how it surprised: what limits claim and the report tells."""
    supply = given.supply.select(
        "unit_cost", "unit_price", "holding_cost", "shortage_cost", "lead_time", "review_period", "volume", "supplier",
        "planned",
    )  # fmt: skip
    stock = given.stock.select("on_hand", "on_order", "backorders", overdue=overdue(given.stock))
    skus = given.skus.select("title", "category")
    surprised = hindsight.surprises(since, given.panel)
    return pl.concat([given.panel.keys.select("sku", "location"), supply, stock, skus, surprised], how="horizontal")


def order_totals(orders: pl.DataFrame, values: pl.DataFrame) -> dict[str, float]:
    """Sum up a shard's orders: rows, orders placed, units, currency."""
    cost = values.filter(pl.col("planned"))["unit_cost"].fill_null(0.0)
    quantity = orders["order_quantity"]
    return {
        "rows": orders.height,
        "placed": int((quantity > 0).sum()),
        "units": float(quantity.sum()),
        "value": float((quantity * cost).sum()),
        "expected_cost": float(orders["expected_cost"].fill_nan(0.0).sum()),
        "expected_demand": float(orders["expected_demand"].sum()),
        "expected_shortage": float(orders["expected_shortage"].sum()),
    }


def _override_results(job: ShardJob, shard: int, given: ShardInput) -> list[Record]:
    """Write what overrides of earlier runs cost or saved, where there were any."""
    if job.previous is None:
        return []
    files = [RunFolder(job.previous).part(table, shard) for table in ("overrides", "override_results")]
    before = [_table(file) for file in files if file.exists()]
    if not before:
        return []
    found = judged(pl.concat(before), given.panel, job.plan.stockout == "backorder")
    return [write_parquet(job.folder.part("override_results", shard), found)]


def _table(file: Location) -> pl.DataFrame:
    with read_back(file):
        return pl.read_parquet(str(file), glob=False)


def _forecast_before(job: ShardJob, shard: int, given: ShardInput) -> pl.DataFrame | None:
    """Return what the last run forecast for the periods since then; None where there is no such run."""
    if job.previous is None:
        return None
    file = RunFolder(job.previous).part("forecasts", shard)
    if not file.exists():
        return None
    today = given.panel.period.start(given.panel.last)
    with read_back(file):
        return pl.scan_parquet(str(file), glob=False).filter(pl.col("date") <= today).collect()


def _hindsight(job: ShardJob, given: ShardInput, since: pl.DataFrame | None) -> list[dict[str, Any]]:
    """Compare what the last run forecast for the periods since then with what came true."""
    if job.previous is None or since is None:
        return []
    return hindsight.compare(since, given.panel, job.previous.name).to_dicts()
