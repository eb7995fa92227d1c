"""`fullshelf bench limits`: a catalogue's orders under hundreds of limits, in seconds and distance to the dual bound.

Order problems as a run leaves them behind, with nothing read or forecast: gamma demand, packs, least orders, and
`SCOPES` scopes (all, locations, suppliers, categories) × 3 resources, each with a part of what its series would use.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from resource import RUSAGE_SELF, getrusage
from typing import cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import once
from fullshelf.engine.allocation import Allocation, allocate
from fullshelf.engine.config import PlanSettings
from fullshelf.engine.forecast import LeadTimeDemand, RunningTotals
from fullshelf.engine.limits import Limit
from fullshelf.engine.planning import OrderProblem, order_problem
from fullshelf.engine.shard_orders import Responder, ShardOrders, Together
from fullshelf.kernels.compile import loop
from fullshelf.kernels.demand_law import demand_quantiles, law_table
from fullshelf.kernels.levels import level_array

Array = NDArray[np.float64]

SERIES = {"small": (20_000,), "full": (100_000, 1_000_000)}
SHARD = 20_000  # series
KIB = 1 if sys.platform == "darwin" else 1024  # bytes of a unit of ru_maxrss
WARM_UP = 200  # series
SEED = 41
RESOURCES = ("capital", "volume", "units")
FIELDS = {"location": 300, "supplier": 150, "category": 49}  # with "all" 500 scopes
FEW = {"location": 3, "supplier": 2, "category": 2}  # of the warm-up
HOW = (
    "Every limit has between 0.5 and 1.2 times what its series would order without limits, so some bind and some do "
    "not. `gap` is how much dearer the orders can be at most than the best sharing of the limits: cost less dual "
    "bound, over the bound. `worst use` is the fullest limit's use over its amount. The limits are shared out by the "
    "function that a refresh calls, with its settings and threads. All shards' problems stay in memory, as in one on a "
    "single machine; `peak GiB` is that of this process until then."
)


def measure_limits(
    machine: Machine,
    limits: Limits,
    sizes: tuple[int, ...],
    *,
    fields: dict[str, int] | None = None,
    say: Callable[[str], None] = print,
) -> Report:
    """Share out the limits of catalogues of several sizes."""
    say("warm-up: compiles what is not compiled yet")
    begun = time.perf_counter()
    tiny = [_shard(0, WARM_UP, FEW)]
    allocate(cast(Responder, Together([ShardOrders(*tiny[0], given := _limits(tiny, FEW))], map)), given)
    warm = once(time.perf_counter() - begun)
    rows = [Row("warm-up", OURS, f"{WARM_UP:,} series", WARM_UP, "series", warm)]
    for series in sizes:
        say(f"{series:,} series: order problems")
        problems = [_shard(first, min(SHARD, series - first), fields or FIELDS) for first in range(0, series, SHARD)]
        given = _limits(problems, fields or FIELDS)
        say(f"{series:,} series: {len(given):,} limits")
        with ThreadPoolExecutor(machine.threads) as pool:
            start, used = time.perf_counter(), time.process_time()
            orders = list(pool.map(lambda shard: ShardOrders(shard[0], shard[1], given), problems))  # noqa: B023
            counted = Counted(Together(orders, pool.map))
            together = cast(Responder, counted)
            prepared = time.perf_counter() - start
            found = allocate(together, given)
            seconds = time.perf_counter() - start
        figures = {
            "questions": float(counted.questions),
            "seconds to prepare": prepared,
            "CPU s": time.process_time() - used,
            "peak GiB": getrusage(RUSAGE_SELF).ru_maxrss * KIB / 2**30,
        }
        rows.append(_row(found, series, seconds, figures, machine.threads))
        del problems, orders, counted, together  # before the next size is drawn
    return Report("limits", machine, limits, tuple(rows), {"catalogue": SEED}, (HOW,))


def _row(found: Allocation, series: int, seconds: float, more: dict[str, float], threads: int) -> Row:
    amount = np.array([limit.amount for limit in found.limits])
    figures = {
        "limits": float(amount.size),
        "binding": float((found.price > 0).sum()),
        "gap": found.gap,
        "worst use": float((found.used / amount).max()),
        "used of binding": float((found.used / amount)[found.price > 0].mean()) if found.price.any() else 0.0,
    }
    return Row("limits", OURS, f"{series:,} series", series, "series", once(seconds), threads, figures | more)


class Counted:
    """A responder that counts what it is asked."""

    def __init__(self, orders: Responder) -> None:
        self._orders = orders
        self.questions = 0

    def __getattr__(self, name: str) -> object:
        self.questions += 1
        return getattr(self._orders, name)


def _shard(first: int, count: int, fields: dict[str, int]) -> tuple[OrderProblem, pl.DataFrame]:
    """Draw the order problem and the values of some series."""
    draw = np.random.default_rng([SEED, first])
    mean = draw.gamma(0.8, 25.0, count) + 0.1
    levels = level_array()
    quantiles = np.empty((count, levels.size))
    _quantiles(levels, mean, (mean * draw.uniform(0.3, 1.2, count)) ** 2 + mean, quantiles)
    cost = draw.lognormal(2.0, 1.0, count)
    ones = np.ones(count)
    supply = pl.DataFrame({
        "unit_cost": cost, "unit_price": cost * draw.uniform(1.2, 3.0, count), "holding_cost": 0.004 * cost,
        "shortage_cost": cost * draw.uniform(0.2, 2.0, count), "salvage_value": 0.0 * ones, "order_cost": 0.0 * ones,
        "lead_time": 0.0 * ones, "lead_time_sd": 0.0 * ones, "review_period": ones,
        "moq": draw.choice([0.0, 0.0, 0.0, 10.0], count), "pack_size": draw.choice([1.0, 1.0, 6.0, 12.0], count),
        "volume": draw.lognormal(-6.0, 1.0, count), "planned": ones > 0,
    }).with_columns(max_stock=pl.lit(None, pl.Float64), shelf_life=pl.lit(None, pl.Float64))  # fmt: skip
    names = {field: pl.Series(draw.integers(0, n, count)).cast(pl.String) for field, n in fields.items()}
    stock = pl.DataFrame({
        "on_hand": np.floor(mean * draw.uniform(0.0, 0.8, count)), "on_order": 0.0 * ones, "backorders": 0.0 * ones,
        "known": ones > 0,
    }).with_columns(arrivals=pl.lit([], pl.List(pl.Struct({"step": pl.Int32, "units": pl.Float64}))))  # fmt: skip
    single = quantiles[:, None, :].astype(np.float32)
    whole = np.ones(count, dtype=np.int64)
    demand = LeadTimeDemand(
        levels, quantiles, mean, whole, whole, 0 * whole, np.ones((count, 1)), RunningTotals(single, single, mean)
    )
    keys = {"sku": pl.Series([f"{first + i:08d}" for i in range(count)])}
    values = supply.with_columns(**keys, **names)
    return order_problem(demand, supply, stock, PlanSettings()), values


@loop
def _quantiles(levels: Array, mean: Array, variance: Array, out: Array) -> None:
    table = law_table(levels)
    for s in range(mean.size):
        demand_quantiles(levels, table, True, mean[s], variance[s], out[s])


def _limits(problems: list[tuple[OrderProblem, pl.DataFrame]], fields: dict[str, int]) -> list[Limit]:
    """Give each scope and resource a part of what its series would use."""
    draw = np.random.default_rng(SEED)
    scopes = ["all", *(f"{field}={i}" for field, n in fields.items() for i in range(n))]
    wanted = {(resource, scope): 0.0 for resource in RESOURCES for scope in scopes}
    for problem, values in problems:
        quantity = problem.orders(np.zeros(values.height))[1]
        use = values.with_columns(
            units=pl.Series(quantity),
            capital=pl.Series(quantity * values["unit_cost"].to_numpy()),
            volume=pl.Series(quantity * values["volume"].to_numpy()),
        )
        for resource in RESOURCES:
            wanted[resource, "all"] += float(use[resource].sum())
        for field in fields:
            for name, *sums in use.group_by(field).agg(pl.col(RESOURCES).sum()).iter_rows():
                for resource, total in zip(RESOURCES, sums, strict=True):
                    wanted[resource, f"{field}={name}"] += total
    return [
        Limit(resource, scope, max(amount, 1.0) * float(draw.uniform(0.5, 1.2)))
        for (resource, scope), amount in wanted.items()
    ]
