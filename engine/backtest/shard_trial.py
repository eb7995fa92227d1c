"""One shard, round by round: forecasts as they would have been, orders from the stock of that moment, the days after.

`decide` and `live` alternate, so that with limits the driver can share them out over all shards in between.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.backtest.costs import COSTS, MEASURES, costs_of
from fullshelf.engine.backtest.known_then import ahead_at, lived, panel_at
from fullshelf.engine.backtest.scores import MIXED, Scores
from fullshelf.engine.backtest.shelf import Shelf
from fullshelf.engine.backtest.trial import TEXTBOOK, Trial, shown_name
from fullshelf.engine.end_of_sale import ENDS, cut_off, ends_of
from fullshelf.engine.errors import ConfigError
from fullshelf.engine.event_covariate import with_events
from fullshelf.engine.forecast import Forecast, LeadTimeDemand
from fullshelf.engine.hindsight import IN_STOCK
from fullshelf.engine.intake import ShardInput
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.engine.planning import OrderProblem, order_problem
from fullshelf.engine.protection import protect
from fullshelf.engine.service_targets import ServiceTargets, targets_of_shard
from fullshelf.engine.tuned_factors import factors_of_shard
from fullshelf.kernels.allocation import exact_sum
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.forecast_errors import ERRORS
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.service import fill_rate_safety_stock
from fullshelf.kernels.textbook import newest_moments, textbook_levels, textbook_orders

Array = NDArray[np.float64]
Ints = NDArray[np.int64]

_COSTS = [MEASURES.index(name) for name in COSTS]
GRAIN = 1 << 20  # parts of a unit of money or goods: whole numbers, so that sums do not depend on the shards


@dataclass(frozen=True, slots=True)
class Decision:
    """What one contender wants to order in a round."""

    rows: Ints  # (n,) series
    problem: OrderProblem | None  # None: the textbook policy
    quantity: Array  # (n,) units, without limits


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What was known at one origin of n series, and what one model made of it: orders depend on nothing else."""

    rows: Ints  # (n,) series
    panel: Panel
    supply: pl.DataFrame  # n rows; planned: whether the series orders in this round
    targets: ServiceTargets
    level: Array  # (n,) units: the textbook's level, which new series begin with
    forecast: Forecast
    demand: LeadTimeDemand


@dataclass(frozen=True, slots=True)
class Given:
    """What a shard reads once: for each side its panel and what is known ahead."""

    panels: tuple[Panel, ...]
    aheads: tuple[KnownAhead | None, ...]
    supplies: tuple[pl.DataFrame, ...]


class ShardTrial:
    """The S series of one shard under every contender."""

    def __init__(self, trial: Trial, shard: int) -> None:
        self._trial, self._shard = trial, shard
        self._start = trial.rounds.origins[0]
        read = [side.read(shard) for side in trial.sides]
        _check_alike(read)
        self._given: Given | None = self._read(read)
        self._cut: tuple[int, int, Panel, Ints] | None = None
        truth = read[0]
        self.keys, self.skus = truth.panel.keys, truth.skus
        S, rounds = truth.panel.series, trial.rounds
        self.costs = costs_of(truth.supply, rounds.every, rounds.periods)
        self.values = pl.concat(
            [
                self.keys.select("sku", "location"),
                truth.supply.select("unit_cost", "unit_price", "volume", "supplier"),
                truth.skus.select("category"),
            ],
            how="horizontal",
        )
        self.demand, observed = lived(truth.panel, self._start)
        self.in_stock = observed >= IN_STOCK
        self.censored = int((~self.in_stock).sum())
        self._joined = np.zeros(S, np.bool_)
        self.year = self._newest_year(truth.panel)
        self._shelves = [Shelf(self.costs, rounds.every, trial.backorder) for _ in trial.contenders]
        self.money = np.zeros((len(trial.contenders), S, len(MEASURES)))
        self.cost = np.zeros((len(trial.contenders), S, rounds.counted))
        self.scores = [Scores(S, level_array(trial.sides[i].config.forecast.levels)) for i, _ in trial.forecasters]
        self.round_money = np.zeros((len(trial.contenders), rounds.warm_up + rounds.counted, len(MEASURES)), object)
        shape = (len(trial.forecasters), rounds.warm_up + rounds.counted, MIXED, len(ERRORS))
        self.round_errors = np.zeros(shape, object)

    @property
    def in_money(self) -> NDArray[np.bool_]:
        """Which series (S,) were ordered for: they have a row of supply and were known by the last round."""
        return self.costs.planned & self._joined

    def release(self) -> None:
        """Forget what can be read again, until the next round."""
        self._given = self._cut = None

    def decide(self, k: int) -> list[Decision]:
        """Forecast at the k-th origin and return what each contender would order."""
        trial = self._trial
        _, live = self.known_at(trial.rounds.origins[k])
        if live.size == 0:
            return [Decision(live, None, np.zeros(0))] * len(trial.contenders)
        decisions: dict[int, Decision] = {}
        for number, (i, name) in enumerate(trial.forecasters):
            side, seen = trial.sides[i], self.foresee(k, number)
            if number == 0:
                self._welcome(live, seen.level)
                for c, contender in enumerate(trial.contenders):
                    if contender.policy == TEXTBOOK:
                        decisions[c] = Decision(live, None, self._textbook_order(c, seen))
            if trial.rounds.counts(k):
                done = k * trial.rounds.every
                errors = self.scores[number].add(
                    live, seen.forecast, seen.demand, self.demand[live, done:], self.in_stock[live, done:]
                )
                self.round_errors[number, k] = [_exact(e) for e in errors]
            tuning = side.config.plan.tuned if name == shown_name(side.config.forecast.model) else None
            tuned = factors_of_shard(tuning, seen.panel, seen.supply, self.skus[live])
            for c, contender in enumerate(trial.contenders):
                if (contender.side, contender.model) == (i, name) and contender.policy != TEXTBOOK:
                    settings = side.config.plan.model_copy(update={"policy": contender.policy})
                    stock = self._shelves[c].stock(live)
                    problem = order_problem(seen.demand, seen.supply, stock, settings, seen.targets, tuned=tuned)
                    decisions[c] = Decision(live, problem, problem.orders(np.zeros(live.size))[1])
        return [decisions[c] for c in range(len(trial.contenders))]

    def known_at(self, last: int, side: int = 0) -> tuple[Panel, Ints]:
        """Return the panel at the end of a period, and which series (n,) it holds; the newest answer is kept."""
        if self._cut is None or self._cut[:2] != (last, side):
            self._cut = (last, side, *panel_at(self._recalled().panels[side], last))
        return self._cut[2:]

    def foresee(self, k: int, number: int = 0) -> Foreseen:
        """Forecast at the k-th origin with one of the trial's forecasters."""
        trial, origin = self._trial, self._trial.rounds.origins[k]
        i, name = trial.forecasters[number]
        given, side = self._recalled(), trial.sides[i]
        then, live = self.known_at(origin, i)
        targets = self._targets(i, then, given.supplies[i][live], live)
        level = self._textbook_level(then, live, targets)
        reviews, kind = np.unique(self.costs.review[live], return_inverse=True)
        due = np.array([trial.rounds.is_due(k, int(review)) for review in reviews], dtype=np.bool_)
        known = ahead_at(given.aheads[i], live, origin - self._start, side.horizon)
        if side.intake.events is not None:
            then, known = with_events(then, known, side.intake.events, side.horizon)
        supply = given.supplies[i][live].with_columns(
            review_period=pl.Series(self.costs.review[live], dtype=pl.Float64),
            planned=pl.Series(self.costs.planned[live] & due[kind]),
        )
        ends = ends_of(supply, given.panels[i].last - origin)
        supply = supply.with_columns(pl.Series(ENDS, ends).replace(0, None))
        forecast = cut_off(side.models[name].forecast(then, side.horizon, known), ends)
        return Foreseen(live, then, supply, targets, level, forecast, protect(forecast, supply, then))

    def live(self, k: int, rows: Ints, orders: list[Array]) -> None:
        """Place the orders (n,) of each contender for some series and live until the next round."""
        rounds, S = self._trial.rounds, self.keys.height
        done = k * rounds.every
        demand = np.where(self.in_money[:, None], self.demand[:, done : done + rounds.every], 0.0)
        for c, quantity in enumerate(orders):
            ordered = np.zeros(S)
            ordered[rows] = quantity
            self._shelves[c].order(rows, quantity)
            found = self.costs.money(self._shelves[c].live(demand), ordered)
            self.round_money[c, k] = _exact(found)
            if rounds.counts(k):
                self.money[c] += found
                self.cost[c, :, k - rounds.warm_up] = found[:, _COSTS].sum(axis=1)

    def _recalled(self) -> Given:
        """Return what was read, again if it was forgotten."""
        given = self._given or self._read([side.read(self._shard) for side in self._trial.sides])
        self._given = given
        return given

    def _read(self, read: list[ShardInput]) -> Given:
        sides = zip(self._trial.sides, read, strict=True)
        return Given(
            tuple(given.panel for given in read),
            tuple(side.ahead(self._shard, given, self._start) for side, given in sides),
            tuple(given.supply for given in read),
        )

    def _newest_year(self, panel: Panel) -> tuple[Array, Array]:
        """Return mean and standard deviation (S,) of a panel's newest year."""
        mean, sd = np.empty(panel.series), np.empty(panel.series)
        newest_moments(panel.units, panel.offsets, round(panel.period.per_year), mean, sd)
        return mean, sd

    def _targets(self, side: int, panel: Panel, supply: pl.DataFrame, live: Ints) -> ServiceTargets:
        """Return what one side's configuration promises for series `live` (n,), as it would have been known then."""
        return targets_of_shard(self._trial.sides[side].config.plan.service, panel, supply, self.skus[live])

    def _textbook_level(self, panel: Panel, live: Ints, targets: ServiceTargets) -> Array:
        """Return the textbook's level (n,): at the costs' ratio, or at what is promised if demand were normal."""
        mean, sd = self._newest_year(panel)
        review = self.costs.review[live].astype(np.float64)
        periods = self.costs.lead[live] + review
        ratio = np.where(np.isnan(targets.cycle), self.costs.ratio[live], targets.cycle)
        with_fill = np.flatnonzero(~np.isnan(targets.fill))
        if with_fill.size:
            lost = self._trial.sides[0].config.plan.stockout == "lost"
            factor = fill_rate_safety_stock(
                targets.fill[with_fill],
                np.maximum(mean * review, 1e-9)[with_fill],
                (sd * np.sqrt(periods))[with_fill],
                lost_sales=lost,
            ).factor
            ratio[with_fill] = Demand.normal(0.0, 1.0).cdf(np.nan_to_num(factor))
        level = np.empty(live.size)
        textbook_levels(mean, sd, periods, ratio, level)
        return level

    def _textbook_order(self, c: int, seen: Foreseen) -> Array:
        costs, live, level, planned = self.costs, seen.rows, seen.level, seen.supply["planned"].to_numpy()
        order = np.empty(live.size)
        position = self._shelves[c].position(live)
        room = np.maximum(costs.max_stock[live] - position, 0.0)
        textbook_orders(level, position, costs.pack[live], costs.moq[live], room, order)
        return np.where(planned, order, 0.0)

    def _welcome(self, live: Ints, level: Array) -> None:
        """Give series that were not known before the textbook level as stock, under every contender alike."""
        new = ~self._joined[live] & self.costs.planned[live]
        self._joined[live] = True
        for shelf in self._shelves:
            shelf.put(live[new], np.floor(np.minimum(level[new], self.costs.max_stock[live[new]]) + 0.5))


def _exact(sums: Array) -> list[int]:
    """Add up columns (n, M) in whole parts of `GRAIN`."""
    return [exact_sum(np.rint(np.nan_to_num(column) * GRAIN).astype(np.int64)) for column in sums.T]


def _check_alike(read: list[ShardInput]) -> None:
    """Raise ConfigError where two sides do not tell of the same sales."""
    first, *others = (given.panel for given in read)
    for other in others:
        if not (
            first.keys.select("sku", "location").equals(other.keys.select("sku", "location"))
            and np.array_equal(first.offsets, other.offsets)
            and np.array_equal(first.units, other.units)
        ):
            raise ConfigError(
                "--against: the two configurations read different sales; they may differ in model, policy, service, "
                "covariates and what they know of products, not in the sales by which they are judged"
            )
