"""Plan: from the demand of the protection interval to the cheapest order of each series.

What an order costs is counted over the R periods from its arrival to the next order's, the only ones that it alone can
change: a unit short costs the shortage cost, a unit on hand at the end of a period the holding cost, a unit thrown away
at the end of its shelf life what was paid for it. What is left over is no loss by itself; it makes the next order
smaller. How `policy: auto` chooses for each series:

- newsvendor where the shelf life ends before the next order arrives: every order stands for itself;
- reorder-point where an order cost makes an economic lot that lasts longer than a review period;
- order-up-to otherwise: each round tops up to the level that is cheapest for its cycle.

`policy: learned` lets a trained network decide how far those levels serve the demand; see `learned_policy`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.config import PlanSettings
from fullshelf.engine.end_of_sale import ends_of
from fullshelf.engine.explanations import explanations
from fullshelf.engine.forecast import LeadTimeDemand
from fullshelf.engine.learned_policy import learned_known
from fullshelf.engine.order_plan import OrderPlan
from fullshelf.engine.reasons import reasons
from fullshelf.engine.service_targets import ServiceTargets, service_targets
from fullshelf.engine.stock_position import StockPosition, stock_position
from fullshelf.engine.tuned_factors import TunedFactors, untuned
from fullshelf.kernels.demand_paths import path_nodes
from fullshelf.kernels.lasting_lots import lasting_lots, lasting_offsets
from fullshelf.kernels.net_requirement import net_requirement
from fullshelf.kernels.order_policies import (
    best_orders,
    economic_lots,
    expectations,
    reorder_offsets,
    whole_packs,
)
from fullshelf.kernels.quantile_grid import grid_cdf
from fullshelf.kernels.service_targets import cycle_service_of_fill, underage_for_service

Array = NDArray[np.float64]

HIGHEST_RATIO = 0.9995  # beyond it a forecast's tail is a guess, even where a unit left over costs nothing
CARRY = 0.9  # of a limit's price that a unit left over saves later; the rest is the risk that it will not be wanted
POLICIES = ("order-up-to", "newsvendor", "reorder-point", "learned")


@dataclass(frozen=True, slots=True)
class Terms:
    """Costs and rules of supply, (S,) each, completed."""

    shortage: Array  # currency per unit short, as given
    holding: Array  # currency per unit and period
    waste: Array  # currency per unit thrown away
    order_cost: Array  # currency per order
    pack: Array  # units
    moq: Array  # units: whole packs, at least one
    max_stock: Array  # units, inf = none
    shelf: NDArray[np.int64]  # shelf life in periods, 0 = keeps
    ends: NDArray[np.int64]  # periods until the sale ends, 0 = it goes on, -1 = it is over
    life: NDArray[np.int64]  # periods in which an order can be sold, 0 = it keeps: shelf life, or until the sale ends
    cycle: NDArray[np.int64]  # periods that an order can sell: the review period, or a shorter shelf life
    single: NDArray[np.bool_]  # the shelf life ends before the next order arrives
    planned: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class OrderProblem:
    """Everything that decides the orders of S series but the price of what they use."""

    terms: Terms
    mean: Array  # (S,) expected demand of the protection interval, units
    periods: NDArray[np.int64]  # (S,) L + R
    review: NDArray[np.int64]  # (S,) R
    position: StockPosition
    reported: NDArray[np.bool_]  # (S,) whether the stock is known
    policy: NDArray[np.int64]  # (S,) index into POLICIES
    levels: Array  # (K,)
    need: Array  # (S, K) net requirement at the end of the protection interval, units
    serve: Array  # (S, K) the requirement whose shortage costs: `need`, or with backorders that of every period
    outlast: Array  # (S, K) what a unit must outlast not to cost, units
    same: NDArray[np.bool_]  # (S,) the last two are one
    lost_before: Array  # (S,) units of sales expected to be lost before the order arrives
    underage: Array  # (S,) currency per unit short that decides: the shortage cost, or what `service` implies
    waiting: Array  # (S,) the same where no order is weighed against the smallest; infinite: `service` is promised
    overage: Array  # (S,) currency per unit left
    deciding: Array  # (S,) the same, but enough to keep the ratio at or below HIGHEST_RATIO
    target: Array  # (S,) cycle service that is promised instead of costs, or that a fill rate takes; NaN: none
    fill: Array  # (S,) fill rate that is promised; NaN: none
    known: Array  # (S,) of `lost_sales_underage`
    fallback: NDArray[np.int64]  # (S,) why the learned policy, which was asked, does not decide: `learned_policy.WHY`
    carry: Array  # (S,) share of a price that a unit left over saves later
    lasting: Array  # (S,) units expected in a cycle where a lot may last for many; 0: backorders, shelf life, promise
    smallest: Array  # (S,) units: MOQ, pack or economic lot
    trial: Array  # (S,) units: the same before a lot was rounded to packs
    most: Array  # (S,) units
    fixed: Array  # (S,) units that a person has set; NaN: none
    tuned: TunedFactors  # what past rounds taught; all that stands above is with them

    def orders(self, price: Array, rows: NDArray[np.int64] | slice = slice(None)) -> tuple[Array, Array]:
        """Return the best order without packs and the order of some of the series, units.

        Parameters
        ----------
        price
            (n,) currency per unit ordered, of those series.
        rows
            (n,) which; all by default.
        """
        free, quantity = np.empty_like(price), np.empty_like(price)
        serve, outlast, waiting, over = self.serve[rows], self.outlast[rows], self.waiting[rows], self.deciding[rows]
        known, carry, lots = self.known[rows], self.carry[rows], (self.smallest[rows], self.trial[rows])
        most = self.most[rows]
        best_orders(
            self.levels, serve, outlast, self.same[rows], self.underage[rows], waiting, over, known, carry, price,
            self.terms.pack[rows], *lots, most, free, quantity,
        )  # fmt: skip
        lasting_lots(
            self.levels, serve, outlast, waiting, over, known, carry, price, self.terms.order_cost[rows],
            self.lasting[rows], self.position.inventory_position[rows] <= 0.0, *lots, most, free, quantity,
        )  # fmt: skip
        quantity = np.where(np.isnan(self.fixed[rows]), quantity, self.fixed[rows])
        return free, np.where(self.terms.planned[rows], quantity, 0.0)

    def plan(
        self, price: Array | None = None, quantity: Array | None = None, limit: pl.Series | None = None
    ) -> OrderPlan:
        """Return the plan at a price (S,) per unit ordered, which `limit` asks, or with given quantities (S,)."""
        S = len(self.need)
        price = np.zeros(S) if price is None else price
        free, best = self.orders(price)
        quantity = best if quantity is None else quantity
        overage = self.deciding
        offset = reorder_offsets(
            self.levels, self.serve, self.outlast, self.waiting, overage, self.known, self.carry, price,
            self.trial, free,
        )  # fmt: skip
        lasting_offsets(
            self.levels, self.serve, self.outlast, self.waiting, overage, self.known, self.carry, price,
            self.terms.order_cost, self.lasting, self.smallest, self.trial, free, offset,
        )  # fmt: skip
        offset = np.where(best > 0, np.maximum(offset, 0.0), offset)
        short, left, leftover_cost = np.empty(S), np.empty(S), np.empty(S)
        expectations(self.levels, self.need, self.outlast, self.overage, quantity, short, left, leftover_cost)
        shortage, position = short + self.lost_before, self.position.inventory_position
        earning = np.maximum(self.underage - price, 0.0)
        left_over = overage + (1.0 - self.carry) * price
        ratio = np.divide(earning, earning + left_over, out=np.zeros(S), where=earning > 0)
        ratio = np.where(np.isnan(self.target), ratio, self.target)
        service = np.where(earning > 0, grid_cdf(self.levels, self.serve, free), 0.0)
        best_level = np.where(earning > 0, np.maximum(position + free, 0.0), 0.0)
        level = np.minimum(best_level, self.terms.max_stock)
        highest = np.minimum(position + offset, self.terms.max_stock - self.smallest)
        due = np.where(earning > 0, np.maximum(np.floor(highest + 1e-9), -1.0), -1.0)
        expected, mean = np.zeros(S), self.mean
        np.divide(shortage, mean, out=expected, where=mean > 0)
        numbers = {
            "order_quantity": quantity,
            "order_up_to": level,
            "reorder_point": due,
            "safety_stock": level - mean,
            "critical_ratio": ratio,
            "expected_demand": mean,
            "expected_shortage": shortage,
            "expected_leftover": left,
            "expected_cost": self.terms.shortage * shortage + leftover_cost + self.terms.order_cost * (quantity > 0),
            "fill_rate": np.clip(1.0 - expected, 0.0, 1.0),
            "shadow_price": price,
        }
        policy = pl.Series(POLICIES).gather(self.policy)
        return OrderPlan(
            policy=policy,
            **numbers,
            reason=reasons(self, free, best_level, service, numbers, limit),
            explanation=explanations(self, free, price, quantity, limit),
        )


def plan_orders(
    demand: LeadTimeDemand,
    supply: pl.DataFrame,
    stock: pl.DataFrame,
    settings: PlanSettings,
    price: Array | None = None,
    targets: ServiceTargets | None = None,
) -> OrderPlan:
    """Return the order of every series.

    Parameters
    ----------
    demand
        Of the protection interval, from `protect`.
    supply, stock
        S rows in the order of `demand`, the contract's columns with defaults filled in; `supply.planned` tells which
        series have what an order needs (the others order 0), `stock.known` whose stock is known (else it counts as 0).
    price
        (S,) shadow price, currency per unit ordered; None: 0.
    targets
        What customers are promised; None: what the settings promise, their scopes looked up in `supply`.
    """
    return order_problem(demand, supply, stock, settings, targets).plan(price)


def order_problem(
    demand: LeadTimeDemand,
    supply: pl.DataFrame,
    stock: pl.DataFrame,
    settings: PlanSettings,
    targets: ServiceTargets | None = None,
    by_hand: Array | None = None,
    tuned: TunedFactors | None = None,
) -> OrderProblem:
    """Work out each series' net requirement and costs; see `plan_orders`.

    `by_hand` (S,) are quantities that persons have set, units; NaN: none. `tuned` is for series that are promised no
    service: tuning weighs costs, and a promise stands above them.
    """
    targets = service_targets(settings.service, supply) if targets is None else targets
    tuned = untuned(supply.height) if tuned is None else tuned.without(targets.promised)
    demand = tuned.of_demand(demand)
    terms = _terms(supply, demand)
    mean_lead = demand.periods - demand.review
    position = stock_position(stock, mean_lead)
    lost, waste = settings.stockout == "lost", np.where(terms.life > 0, terms.waste, 0.0)
    S, levels, totals = len(mean_lead), np.concatenate([[0.0], demand.levels]), demand.totals
    need, outlast, lost_before = np.empty((S, levels.size)), np.empty((S, levels.size)), np.empty(S)
    net_requirement(
        demand.levels, totals.single, totals.running, totals.rate, demand.first_lead,
        demand.lead_weight, demand.review, terms.life, terms.shelf, lost, terms.holding, waste, position.on_hand,
        position.owed, position.offsets, position.steps, position.units, path_nodes(), need, outlast, lost_before,
    )  # fmt: skip
    serve, underage, overage = need, terms.shortage * tuned.shortage, terms.holding * terms.cycle + waste
    if not lost:  # a backorder costs at the end of every period in which it is owed
        every = (terms.cycle > 1) & (terms.life == 0)
        serve = np.where(every[:, None], outlast, need)
        underage = np.where(every, underage * terms.cycle, underage)
    if settings.policy == "newsvendor":
        overage = np.where(terms.life > 0, overage, overage + terms.waste)
    same, waiting = (serve == outlast).all(axis=1), underage
    deciding = np.maximum(overage, underage * ((1 - HIGHEST_RATIO) / HIGHEST_RATIO))
    room = np.maximum(terms.max_stock - position.inventory_position, 0.0)
    policy, smallest, trial = _policy(terms, demand, settings, room)
    room = np.minimum(room, np.maximum(tuned.most(demand.mean * (demand.review / demand.periods)), smallest))
    service, promised = targets.cycle, targets.promised
    if promised.any():  # any overage will do: the underage is made to fit
        wanted = demand.mean * (demand.review / demand.periods)
        span = np.maximum(np.where(smallest > wanted, smallest, terms.pack) - 1.0, 0.0)
        by_fill = cycle_service_of_fill(levels, serve, wanted, span, targets.fill)
        service = np.where(np.isnan(targets.fill), service, by_fill)
        deciding = np.where(promised & (overage <= 0), 1.0, np.where(promised, overage, deciding))
        implied = underage_for_service(levels, serve, outlast, same, deciding, service)
        underage = np.where(promised, implied, underage)
        waiting = np.where(promised, np.inf, waiting)
    known, lasting = np.ones(S), np.zeros(S)
    if lost:
        lasting = np.where(promised | (terms.life > 0), 0.0, demand.mean * (demand.review / demand.periods))
        before, covered = demand.mean * (mean_lead / demand.periods), np.zeros(S)
        np.divide(position.inventory_position, before, out=covered, where=before > 1e-9)
        covered = np.clip(covered, 0.0, 1.0)
        known = np.where(promised | (terms.shelf > 0) | terms.single, 1.0, 1.0 - covered * (mean_lead / demand.periods))
    fallback = np.zeros(S, np.int64)
    if settings.policy == "learned":
        fallback = learned_known(
            settings, terms, demand, position, need, lost_before, underage, deciding, promised, smallest, policy, known
        )
        policy = np.where(fallback == 0, POLICIES.index("learned"), policy)
    return OrderProblem(
        terms=terms, mean=demand.mean, periods=demand.periods, review=demand.review, position=position,
        reported=stock["known"].to_numpy(), policy=policy, levels=levels,
        need=need, serve=serve, outlast=outlast, same=same, lost_before=lost_before, underage=underage,
        waiting=waiting, overage=overage, deciding=deciding,
        target=service, fill=targets.fill, known=known, fallback=fallback,
        carry=np.where(terms.single, 0.0, CARRY), lasting=lasting, smallest=smallest, trial=trial, most=room,
        fixed=np.full(S, np.nan) if by_hand is None else by_hand, tuned=tuned,
    )  # fmt: skip


def _terms(supply: pl.DataFrame, demand: LeadTimeDemand) -> Terms:
    def column(name: str, null: float) -> Array:
        return supply[name].fill_null(null).cast(pl.Float64).to_numpy()

    paid = supply.select(pl.coalesce("unit_cost", "unit_price", "shortage_cost").fill_null(0.0)).to_series().to_numpy()
    pack = column("pack_size", 1.0)
    pack = np.where(pack > 0, pack, 1.0)
    shelf = np.where(np.isfinite(column("shelf_life", np.inf)), column("shelf_life", 0.0), 0.0)
    shelf, ends = np.ceil(shelf - 1e-9).astype(np.int64), ends_of(supply)
    rest = np.maximum(ends - (demand.periods - demand.review), 1)  # periods of sale after the arrival
    life = np.where(ends == 0, shelf, np.where(shelf > 0, np.minimum(shelf, rest), rest))
    return Terms(
        shortage=np.maximum(column("shortage_cost", 0.0), 0.0),
        holding=np.maximum(column("holding_cost", 0.0), 0.0),
        waste=np.maximum(paid - column("salvage_value", 0.0), 0.0),
        order_cost=np.maximum(column("order_cost", 0.0), 0.0),
        pack=pack,
        moq=np.maximum(np.ceil(column("moq", 0.0) / pack - 1e-9), 1.0) * pack,
        max_stock=column("max_stock", np.inf),
        shelf=shelf,
        ends=ends,
        life=life,
        cycle=np.where(life > 0, np.minimum(life, demand.review), demand.review).astype(np.int64),
        single=(life > 0) & (life <= demand.review),
        planned=supply["planned"].to_numpy(),
    )


def _policy(
    terms: Terms, demand: LeadTimeDemand, settings: PlanSettings, room: Array
) -> tuple[NDArray[np.int64], Array, Array]:
    """Return each series' policy, the smallest order that it places, and the same before rounding to packs."""
    rate = demand.totals.rate
    longest = np.minimum(np.where(terms.shelf > 0, rate * terms.shelf / 2, np.inf), room)
    longest = np.where(terms.ends != 0, np.minimum(longest, rate * terms.life), longest)
    lot = economic_lots(terms.order_cost, rate, terms.holding, longest)
    match settings.policy:
        case "newsvendor":
            chosen = np.ones(rate.size)
        case "order-up-to":
            chosen = np.zeros(rate.size)
        case "reorder-point":
            chosen = np.where(terms.single, 1, 2)
        case _:
            pays = (whole_packs(lot, terms.pack) > terms.moq) & (lot > rate * demand.review)
            chosen = np.where(terms.single, 1, np.where(pays, 2, 0))
    lot = np.where(chosen == 2, lot, 0.0)
    return chosen.astype(np.int64), np.maximum(whole_packs(lot, terms.pack), terms.moq), np.maximum(lot, terms.moq)
