"""Forecasts made once for every past round, in a form in which orders can be tried on them many times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.backtest.costs import Costs
from fullshelf.engine.backtest.rounds import Rounds
from fullshelf.engine.backtest.shard_trial import Foreseen, ShardTrial
from fullshelf.engine.backtest.trial import Trial
from fullshelf.engine.config import PlanSettings
from fullshelf.engine.end_of_sale import ENDS
from fullshelf.engine.forecast import LeadTimeDemand, RunningTotals
from fullshelf.engine.service_targets import ServiceTargets
from fullshelf.engine.stopping import Stop
from fullshelf.engine.tuned_factors import traits_of

__all__ = ["Rehearsal", "Scene", "joined", "rehearse", "some"]

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

SUPPLY = (  # what orders are planned from
    "unit_cost", "unit_price", "holding_cost", "shortage_cost", "salvage_value", "order_cost", "moq", "pack_size",
    "max_stock", "shelf_life", "planned", ENDS,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    """One origin: what n of the S series knew."""

    place: Ints  # (S,) row of each series below; -1: it did not exist yet
    supply: pl.DataFrame  # n rows of SUPPLY
    targets: ServiceTargets  # (n,)
    level: Array  # (n,) units that a series begins with
    demand: LeadTimeDemand  # n series


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """S series over all rounds, sorted by sku and location."""

    keys: pl.DataFrame  # sku, location
    traits: pl.DataFrame  # S rows of `traits_of` when the rounds that are tuned on had passed; null: not known then
    costs: Costs
    demand: Array  # (S, T) units of the periods from the first origin on; not in stock: at least what was forecast
    in_stock: NDArray[np.bool_]  # (S, T) whether all of that demand was seen
    scenes: tuple[Scene, ...]
    rounds: Rounds
    settings: PlanSettings


def rehearse(trial: Trial, shard: int, boundary: int, stop: Stop) -> Rehearsal:
    """Forecast one shard at every origin; `boundary` is the period at whose end the traits are taken."""
    play, rounds = ShardTrial(trial, shard), trial.rounds
    S = play.keys.height
    panel, live = play.known_at(boundary)
    supply = trial.sides[0].read(shard).supply[live]
    row = np.full(S, -1, np.int64)
    row[live] = np.arange(live.size)
    known = pl.Series(row, dtype=pl.Int64).set(pl.Series(row < 0), None)
    traits = traits_of(panel, supply, play.skus[live]).select(pl.all().gather(known))
    scenes, demand, every = [], play.demand.copy(), rounds.every
    for k in range(len(rounds.origins)):
        stop.check()
        seen = play.foresee(k)
        scenes.append(_scene(seen, S))
        now, mean = slice(k * every, (k + 1) * every), seen.forecast.mean[:, :every]
        units = demand[seen.rows, now]
        demand[seen.rows, now] = np.where(play.in_stock[seen.rows, now], units, np.maximum(units, mean))
    return Rehearsal(
        keys=play.keys.select("sku", "location"),
        traits=traits,
        costs=play.costs,
        demand=demand,
        in_stock=play.in_stock,
        scenes=tuple(scenes),
        rounds=rounds,
        settings=trial.sides[0].config.plan,
    )


def joined(parts: Sequence[Rehearsal]) -> Rehearsal:
    """Put shards together; what comes out does not depend on how the series were split."""
    keys = pl.concat([part.keys for part in parts]).with_row_index("row").sort("sku", "location")
    order = keys["row"].to_numpy().astype(np.int64)
    costs = Costs(*(np.concatenate([getattr(p.costs, f.name) for p in parts])[order] for f in fields(Costs)))
    scenes = tuple(_joined([part.scenes[k] for part in parts], order) for k in range(len(parts[0].scenes)))
    return Rehearsal(
        keys=keys.drop("row"),
        traits=pl.concat([part.traits for part in parts])[order],
        costs=costs,
        demand=np.concatenate([part.demand for part in parts])[order],
        in_stock=np.concatenate([part.in_stock for part in parts])[order],
        scenes=scenes,
        rounds=parts[0].rounds,
        settings=parts[0].settings,
    )


def some(demand: LeadTimeDemand, rows: Ints) -> LeadTimeDemand:
    """Return the demand of some series, (n,) rows that may come more than once."""
    totals = demand.totals
    return LeadTimeDemand(
        demand.levels, demand.quantiles[rows], demand.mean[rows], demand.periods[rows], demand.review[rows],
        demand.first_lead[rows], demand.lead_weight[rows],
        RunningTotals(totals.single[rows], totals.running[rows], totals.rate[rows]),
    )  # fmt: skip


def _scene(seen: Foreseen, S: int) -> Scene:
    place = np.full(S, -1, np.int64)
    place[seen.rows] = np.arange(seen.rows.size)
    return Scene(place, seen.supply.select(SUPPLY), seen.targets, seen.level, seen.demand)


def _joined(parts: Sequence[Scene], order: Ints) -> Scene:
    sizes = np.cumsum([0, *(part.level.size for part in parts)])
    place = np.concatenate([np.where(p.place < 0, -1, p.place + n) for p, n in zip(parts, sizes, strict=False)])
    demands = [part.demand for part in parts]
    longest = max(demand.totals.single.shape[1] for demand in demands)
    widest = max(demand.lead_weight.shape[1] for demand in demands)

    def long(values: NDArray[np.float32]) -> NDArray[np.float32]:
        # a shard's totals reach as far as its own longest protection interval: nobody reads beyond a series' own
        return np.pad(values, ((0, 0), (0, longest - values.shape[1]), (0, 0)))

    totals = RunningTotals(
        np.concatenate([long(one.totals.single) for one in demands]),
        np.concatenate([long(one.totals.running) for one in demands]),
        np.concatenate([one.totals.rate for one in demands]),
    )
    demand = LeadTimeDemand(
        levels=demands[0].levels,
        quantiles=np.concatenate([one.quantiles for one in demands]),
        mean=np.concatenate([one.mean for one in demands]),
        periods=np.concatenate([one.periods for one in demands]),
        review=np.concatenate([one.review for one in demands]),
        first_lead=np.concatenate([one.first_lead for one in demands]),
        lead_weight=np.concatenate(
            [np.pad(one.lead_weight, ((0, 0), (0, widest - one.lead_weight.shape[1]))) for one in demands]
        ),
        totals=totals,
    )
    targets = ServiceTargets(*(np.concatenate([getattr(p.targets, n) for p in parts]) for n in ("cycle", "fill")))
    level = np.concatenate([part.level for part in parts])
    return Scene(place[order], pl.concat([part.supply for part in parts]), targets, level, demand)
