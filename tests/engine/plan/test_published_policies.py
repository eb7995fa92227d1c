"""The planner's own orders on published instances: what they cost in the long run, exactly, beside the optimum.

Every state of an instance is planned as a series of its own, through `order_problem` as in a run; the average cost of
these orders then follows from the chain of states.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from fullshelf.engine.config import PlanSettings
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.planning import order_problem
from fullshelf.engine.protection import protect
from fullshelf.kernels.demand_table import sum_of_periods, tabulate
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.lost_sales_exact import LostSales
from fullshelf.kernels.lost_sales_states import States, average_cost, enumerate_states
from fullshelf.kernels.perishables_exact import Perishable, PerishablePolicy

CASES = Path(__file__).parents[3].parent / "shared" / "cases" / "inventory_cases.json"
AUTO, LEARNED = PlanSettings(), PlanSettings(policy="learned")
BATCH = 20_000  # states planned together
BASE_STOCK_IS_SHORT_OF = 1.02  # of the published costs


def published(family):
    return [case for case in json.loads(CASES.read_text()) if case["family"] == family]


def forecast_of(table, periods, states):
    """Independent demand of every period, known exactly, for as many series as there are states."""
    levels = level_array()
    totals = [np.cumsum(sum_of_periods(table, k)) for k in range(1, periods + 1)]
    running = np.array([np.searchsorted(total, levels - 1e-12) for total in totals], np.float32)
    single = np.repeat(running[:1], periods, axis=0)
    mean = np.full((states, periods), table @ np.arange(table.size), np.float32)
    return Forecast(levels, np.repeat(single[None], states, 0), mean, np.repeat(running[None], states, 0))


def planned(table, on_hand, coming, supply_of, stock_of, lead, settings=AUTO, **terms):
    """Order (S,) where `on_hand` (S,) units are there and `coming` (S, L) arrive for the next periods."""
    orders = np.empty(on_hand.size, np.int64)
    for first in range(0, on_hand.size, BATCH):
        hand, later = on_hand[first : first + BATCH], coming[first : first + BATCH]
        n = hand.size
        arrivals = [[(1 + i, units) for i, units in enumerate(row) if units] for row in later]
        supply = supply_of(n, lead_time=float(lead), review_period=1.0, **terms)
        forecast = forecast_of(table, lead + max(1, int(terms.get("shelf_life", 1))), n)
        problem = order_problem(
            protect(forecast, supply), supply, stock_of(n, arrivals, on_hand=hand.astype(float)), settings
        )
        orders[first : first + BATCH] = problem.orders(np.zeros(n))[1].astype(np.int64)
    return orders


# -- lost sales (Zipkin 2008)


def planners_cost(case, supply_of, stock_of, settings):
    i = case["inputs"]
    mean = i["mean"]
    demand = Demand.poisson(mean) if i["demand"] == "poisson" else Demand.negative_binomial(mean, mean * (1 + mean))
    problem = LostSales(tabulate(demand), i["h"], i["p"], i["L"])
    table, lead = np.asarray(problem.table), i["L"]
    bounds = np.array([problem.quantile(lead + 1 - j) for j in range(lead + 1)])
    states = States(bounds, *enumerate_states(bounds, 5_000_000))
    base = int(bounds[-1]) + 1
    codes = np.repeat(np.arange(states.first.size), np.where(states.first >= 0, states.most + 1, 0))
    hand = np.arange(states.total) - states.first[codes]
    coming = np.array([0 * codes, *(codes // base**j % base for j in range(lead - 1))]).T
    orders = planned(
        table, hand, coming, supply_of, stock_of, lead, settings,
        holding_cost=float(i["h"]), shortage_cost=float(i["p"]),
    )  # fmt: skip
    orders = np.minimum(orders, np.minimum(states.room[codes], states.most[codes] - hand))  # no optimal order is larger
    beyond, cost = problem.period(int(bounds[0]))
    low, high = average_cost(states, table, beyond, cost, 0.0, orders, 1e-5, 5_000)
    assert high - low <= 1e-4 * high
    return 0.5 * (low + high)


def excess(case, supply_of, stock_of, settings=AUTO):
    return planners_cost(case, supply_of, stock_of, settings) / case["expected"]["optimal_cost"] - 1.0


def zipkin(lead_times):
    cases = [case for case in published("lost_sales_zipkin") if "optimal_cost" in case["expected"]]
    return [case for case in cases if case["inputs"]["L"] in lead_times]


needs_cases = pytest.mark.skipif(not CASES.exists(), reason=f"no cases: {CASES} is absent")


@pytest.mark.shared
@needs_cases
def test_lost_sales_of_short_lead_times_cost_within_1_percent_of_the_optimum_on_average(supply_of, stock_of):
    found = [excess(case, supply_of, stock_of) for case in zipkin((1, 2))]
    assert len(found) >= 8
    assert np.mean(found) < 0.01
    assert max(found) < 0.03


@pytest.mark.shared
@pytest.mark.slow
@needs_cases
def test_lost_sales_cost_within_2_percent_of_the_optimum_on_average_over_all_instances(supply_of, stock_of):
    found = {case["id"]: excess(case, supply_of, stock_of) for case in zipkin((1, 2, 3, 4))}
    print(*(f"{name} {100 * share:.2f} %" for name, share in found.items()), sep="\n")
    print(f"mean {100 * np.mean(list(found.values())):.2f} %, largest {100 * max(found.values()):.2f} %")
    assert len(found) == 21
    assert np.mean(list(found.values())) < 0.012
    assert max(found.values()) < 0.025


@pytest.mark.shared
@needs_cases
def test_the_learned_policy_costs_less_than_half_of_autos_excess_on_geometric_demand(supply_of, stock_of):
    cases = [case for case in zipkin((2, 3)) if case["id"] in ("ls_geometric_p39_L2", "ls_geometric_p9_L3")]
    learned, auto = ([excess(case, supply_of, stock_of, how) for case in cases] for how in (LEARNED, AUTO))
    assert len(cases) == 2
    assert max(learned) < 0.005
    assert sum(learned) < 0.5 * sum(auto)


@pytest.mark.shared
@pytest.mark.slow
@needs_cases
def test_the_learned_policy_costs_within_half_a_percent_of_the_optimum_on_average(supply_of, stock_of):
    found = {case["id"]: excess(case, supply_of, stock_of, LEARNED) for case in zipkin((1, 2, 3, 4))}
    print(*(f"{name} {100 * share:.2f} %" for name, share in found.items()), sep="\n")
    print(f"mean {100 * np.mean(list(found.values())):.2f} %, largest {100 * max(found.values()):.2f} %")
    assert len(found) == 21
    assert np.mean(list(found.values())) < 0.005
    assert max(found.values()) < 0.0125


# -- perishables (De Moor, Gijsbrechts and Boute 2022)


def perishable_cost(case, supply_of, stock_of):
    """Discounted cost of the planner's orders, which see units and no ages, as published for the best base stock.

    A unit sold costs its purchase whenever it is bought, so a unit lost costs the shortage less the purchase, and one
    thrown away its purchase on top of the waste.
    """
    i = {"holding_cost": 1, "shortage_cost": 5, "order_cost": 3, "max_order": 10, "gamma": 0.99} | case["inputs"]
    table = np.asarray(tabulate(Demand.gamma(4.0, 2.0)))
    problem = Perishable(
        table, i["shelf_life"], i["lead_time"], i["max_order"], shortage_cost=i["shortage_cost"],
        waste_cost=i["waste_cost"], holding_cost=i["holding_cost"], unit_cost=i["order_cost"], issuing=i["issuing"],
    )  # fmt: skip
    base, life, lead = i["max_order"] + 1, i["shelf_life"], i["lead_time"]
    state = np.arange(base ** (life + lead - 1))
    digit = [state // base**j % base for j in range(life + lead - 1)]  # newest order first, then the freshest units
    newest, (fresh, *old) = digit[: lead - 1], digit[lead - 1 :]
    seen, which = np.unique(np.column_stack([sum(old), fresh, *newest[::-1]]), axis=0, return_inverse=True)
    orders = planned(
        table, seen[:, 0], seen[:, 1:], supply_of, stock_of, lead,
        holding_cost=float(i["holding_cost"]), shortage_cost=float(i["shortage_cost"] - i["order_cost"]),
        unit_cost=float(i["order_cost"]), salvage_value=-float(i["waste_cost"]), shelf_life=float(life),
    )  # fmt: skip
    placed = np.minimum(orders, i["max_order"])[which.ravel()].astype(np.int16)
    return PerishablePolicy(problem, placed).discounted_cost(i["gamma"], i["horizon"], i["warmup"])


def fifo(longest):
    cases = [case for case in published("perishable_de_moor") if case["inputs"]["issuing"] == "fifo"]
    return [case for case in cases if case["inputs"]["shelf_life"] + case["inputs"]["lead_time"] <= longest]


@pytest.mark.shared
@needs_cases
def test_fresh_goods_cost_within_2_percent_of_the_best_base_stock(supply_of, stock_of):
    found = {}
    for case in fifo(5):
        best = -case["expected"]["best_base_stock_return"]
        found[case["id"]] = perishable_cost(case, supply_of, stock_of) / best
    print(*(f"{name} {100 * (share - 1):.2f} %" for name, share in found.items()), sep="\n")
    assert len(found) >= 6
    assert max(found.values()) < BASE_STOCK_IS_SHORT_OF
