"""The published and constructed cases of shared/cases: EOQ, newsvendor, service and what is demanded behind sales.

Each family of cases has a function here from a case's inputs to our answers, under the names of its expected values.
The policies' families are in their own files; families that nobody answers are named below with the reason.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fullshelf.kernels import newsvendor
from fullshelf.kernels.censored_demand import negative_binomial_fit, poisson_fit
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.eoq import economic_order_quantity, lot_cost
from fullshelf.kernels.eoq_discounts import all_units_discount, incremental_discount
from fullshelf.kernels.eoq_supply import additive_yield, multiplicative_yield, with_disruptions
from fullshelf.kernels.joint_replenishment import joint_replenishment
from fullshelf.kernels.kaplan_meier import kaplan_meier
from fullshelf.kernels.lead_time_moments import lead_time_moments
from fullshelf.kernels.newsvendor_constrained import under_budget, under_limits
from fullshelf.kernels.pooling import pooling
from fullshelf.kernels.priority_list import priority_list
from fullshelf.kernels.rebalancing import rebalance
from fullshelf.kernels.service import (
    fill_rate_safety_stock,
    marginal_fill_rate,
    safety_factor,
    safety_stock,
    service_levels,
)

FILE = Path(__file__).parents[2].parent / "shared" / "cases" / "inventory_cases.json"
NOT_ANSWERED = {
    "multi_echelon_ssm_serial": "more than one echelon is no part of the job (ARCHITECTURE.md, what comes later)",
    "multi_echelon_gsm_serial": "more than one echelon is no part of the job (ARCHITECTURE.md, what comes later)",
    "multi_echelon_gsm_tree": "more than one echelon is no part of the job (ARCHITECTURE.md, what comes later)",
}
Inputs = dict[str, Any]


def wrong_side_costs(i: Inputs) -> tuple[Any, Any]:
    """Underage and overage cost, under either name."""
    return i.get("cu", i.get("p")), i.get("co", i.get("h"))


def named(i: Inputs) -> Demand:
    match i["dist"]:
        case "normal":
            return Demand.normal(i["mean"], i["sd"])
        case "poisson":
            return Demand.poisson(i["mean"])
        case "negbin" | "negative_binomial":
            return Demand.negative_binomial(i["mean"], i["var"])
        case "gamma" if "shape" in i:
            return Demand.gamma_shape(i["shape"], i["scale"])
        case "gamma":
            return Demand.gamma(i["mean"], i["sd"])
        case "exponential":
            return Demand.gamma(i["mean"], i["mean"])
        case "lognormal":
            return Demand.lognormal(i["mu"], i["sigma"])
        case "uniform":
            return Demand.uniform(i["low"], i["high"])
        case other:
            raise AssertionError(f"a case with demand of the unknown distribution {other}")


def best_or_given(demand: Demand, i: Inputs) -> Inputs:
    under, over = wrong_side_costs(i)
    stock = i.get("S", i.get("Q"))
    if stock is not None:
        return {"cost": newsvendor.cost(demand, stock, under, over)}
    answer = newsvendor.optimal(demand, under, over)
    return {"S": answer.quantity, "Q": answer.quantity, "cost": answer.cost, "cr": answer.critical_ratio}


def salvage(i: Inputs) -> Inputs:
    demand = Demand.normal(i["mean"], i["sd"]) if "sd" in i else Demand.poisson(i["mean"])
    stock = i.get("S")
    if stock is None:
        stock = newsvendor.optimal(demand, *newsvendor.from_prices(i["revenue"], i["cost"], i["salvage"])).quantity
    return {"S": stock, "profit": newsvendor.profit(demand, stock, i["revenue"], i["cost"], i["salvage"])}


def myopic(i: Inputs) -> Inputs:
    demand = Demand.normal(i["mean"], i["sd"])
    answer = newsvendor.myopic(demand, i["h"], i["p"], i["c"], i["c_next"], i.get("gamma", 1.0))
    return {"S": answer.quantity, "cost": answer.cost}


def scarf(i: Inputs) -> Inputs:
    if "price" in i:
        under, over = newsvendor.from_prices(i["price"], i["cost"], i["salvage"])
    else:
        under, over = wrong_side_costs(i)
    answer = newsvendor.distribution_free(i["mean"], i["sd"], under, over)
    return {"Q": answer.quantity, "S": answer.quantity, "cost": answer.cost}


def grid(i: Inputs) -> Inputs:
    answer = newsvendor.quantile_grid(i["taus"], i["quantiles"], *wrong_side_costs(i))
    return {"Q": answer.quantity, "S": answer.quantity, "cr": answer.critical_ratio}


def packs(i: Inputs) -> Inputs:
    demand = Demand.negative_binomial(i["mean"], i["var"]) if "var" in i else Demand.poisson(i["mean"])
    under, over = wrong_side_costs(i)
    answer = newsvendor.lot_order(
        demand,
        under,
        over,
        inventory_position=i.get("inventory_position", 0),
        pack_size=i.get("pack", 1),
        moq=i.get("moq", 0),
        order_cost=i.get("K", 0),
    )
    free = newsvendor.optimal(demand, under, over).quantity
    return {"order": answer.order_quantity, "cost": answer.cost, "S_unconstrained": free}


def budget(i: Inputs) -> Inputs:
    answer = under_budget(Demand.normal(i["mean"], i["sd"]), i["cu"], i["co"], i["unit_cost"], i["budget"])
    assert answer.gap < 1e-8
    return {
        "lambda_": answer.shadow_price[0],
        "Q": answer.quantity,
        "cost": answer.cost,
        "spend": answer.usage[0],
    }


def limits(i: Inputs) -> Inputs:
    answer = under_limits(Demand.normal(i["mean"], i["sd"]), i["cu"], i["co"], i["A"], i["b"])
    assert answer.gap < 1e-8
    return {"lambda_": answer.shadow_price, "Q": answer.quantity, "cost": answer.cost, "usage": answer.usage}


def listed(i: Inputs) -> Inputs:
    carry = float(i["carry"].split("*")[0]) * np.array(i["unit_cost"], float)
    answer = priority_list(Demand.poisson(i["poisson_means"]), i["margin"], carry, i["unit_cost"], i["budget"])
    return {"units": answer.units, "spend": answer.spend}


def yielded(i: Inputs) -> Inputs:
    uniform = "yield_lo" in i
    outcome = Demand.uniform(i["yield_lo"], i["yield_hi"]) if uniform else Demand.normal(i["yield_mean"], i["yield_sd"])
    answer = newsvendor.additive_yield(i["demand"], outcome, *wrong_side_costs(i))
    return {"S": answer.quantity, "cost": answer.cost}


def eoq(i: Inputs) -> Inputs:
    options = {"backorder_cost": i.get("p", math.inf), "production_rate": i.get("production", math.inf)}
    if "Q" in i:
        return {"cost": lot_cost(i["Q"], i["K"], i["demand"], i["h"], **options)}
    lot = economic_order_quantity(i["K"], i["demand"], i["h"], **options)
    return {"Q": lot.quantity, "cost": lot.cost, "x": lot.backordered}


def discount(solve: Callable[..., Any]) -> Callable[[Inputs], Inputs]:
    def answer(i: Inputs) -> Inputs:
        lot = solve(i["K"], i["demand"], i["holding_rate"], i["breakpoints"], i["unit_costs"])
        return {"Q": lot.quantity, "region": lot.region, "cost": lot.cost}

    return answer


def joint(i: Inputs) -> Inputs:
    exact = "silver" not in i.get("method", "silver").lower()
    orders = joint_replenishment(i["K"], i["k"], i["h"], i["demand"], optimal=exact)
    return {"T": orders.cycle, "m": orders.multiples, "cost": orders.cost, "Q": orders.quantities}


def disrupted(i: Inputs) -> Inputs:
    answer = with_disruptions(i["K"], i["demand"], i["h"], i["p"], i["disruption_rate"], i["recovery_rate"])
    return dict(zip(("Q", "cost"), answer, strict=True))


def yielding_lot(solve: Callable[..., Any]) -> Callable[[Inputs], Inputs]:
    def answer(i: Inputs) -> Inputs:
        return dict(zip(("Q", "cost"), solve(i["K"], i["demand"], i["h"], i["yield_mean"], i["yield_sd"]), strict=True))

    return answer


def unit_loss(i: Inputs) -> Inputs:
    k = i.get("k", i.get("z"))
    standard = Demand.normal(0.0, 1.0)
    return {"G": standard.loss(k), "Gbar": standard.leftover(k)}


def second_loss(i: Inputs) -> Inputs:
    standard = Demand.normal(0.0, 1.0)
    return {"n2": standard.second_loss(i["z"]), "n2bar": standard.second_leftover(i["z"])}


def cycle_stock(i: Inputs) -> Inputs:
    moments = lead_time_moments(i["mean"], i["sd"], i["L"], i.get("sd_L", 0.0))
    if "ROP" in i:
        levels = service_levels(Demand.normal(moments.mean, moments.sd), i["ROP"])
        return {"csl": levels.cycle_service, "safety_stock": i["ROP"] - moments.mean, "sigma_LTD": moments.sd}
    units = safety_stock(moments.sd, i["csl"]).units
    return {"sigma_LTD": moments.sd, "safety_stock": units, "ROP": moments.mean + units}


def filled(i: Inputs) -> Inputs:
    answer = fill_rate_safety_stock(i["fill_rate"], i["Q"], i["sigma_L"])
    return {
        "Gu": Demand.normal(0.0, 1.0).loss(answer.factor),
        "k": answer.factor,
        "safety_stock": answer.units,
        "R": i.get("mean_L", 0.0) + answer.units,
    }


def marginal(i: Inputs) -> Inputs:
    return {"marginal": marginal_fill_rate(named(i), np.arange(1, 1 + i.get("units", 4)))}


def pooled(i: Inputs) -> Inputs:
    answer = pooling(np.full(i["n"], float(i["sd"])), *wrong_side_costs(i), i.get("rho", 0.0))
    ratio = answer.separate_cost / answer.pooled_cost
    return {"cost_decentralised": answer.separate_cost, "cost_pooled": answer.pooled_cost, "ratio": ratio}


def censored(i: Inputs) -> Inputs:
    if "sales" in i:
        fit = negative_binomial_fit if "negative" in i["model"].lower() else poisson_fit
        answer = fit(i["sales"], i["censored"])
        names = ("rate_mle", "mean_mle", "var_mle", "naive_mean")
        return dict(zip(names, (answer.mean, answer.mean, answer.variance, answer.mean_sales), strict=True))
    estimate = kaplan_meier(i["observed"], i["censored"])
    survival = {
        f"{value:g}": share for value, share in zip(estimate.values, estimate.survival, strict=True) if value == value
    }
    return {"survival": survival, "median": estimate.quantile(0.5)}


def moved(i: Inputs) -> Inputs:
    demand = tuple(Demand.normal(mean, sd) for mean, sd in zip(i["mean"], i["sd"], strict=True))
    answer = rebalance(tuple(i["on_hand"]), demand, i["cu"], i["co"], i["transfer_cost"])
    return {"transfer": answer.units, "cost": answer.cost}


ANSWERS: dict[str, Callable[[Inputs], Inputs]] = {
    "censored_demand": censored,
    "eoq": eoq,
    "eoq_backorders": eoq,
    "eoq_discount_all_units": discount(all_units_discount),
    "eoq_discount_incremental": discount(incremental_discount),
    "eoq_disruptions": disrupted,
    "eoq_yield_additive": yielding_lot(additive_yield),
    "eoq_yield_multiplicative": yielding_lot(multiplicative_yield),
    "epq": eoq,
    "fill_rate_marginal": marginal,
    "joint_replenishment": joint,
    "lead_time_demand_ar1": lambda i: {"sd_sum": lead_time_moments(0.0, i["sd"], i["n"], correlation=i["rho"]).sd},
    "lead_time_variability": cycle_stock,
    "newsvendor_budget": budget,
    "newsvendor_continuous": lambda i: best_or_given(named(i), i),
    "newsvendor_discrete": lambda i: _discrete(i),
    "newsvendor_distribution_free": scarf,
    "newsvendor_empirical": lambda i: _empirical(i),
    "newsvendor_moq_pack": packs,
    "newsvendor_multi_constraint": limits,
    "newsvendor_myopic": myopic,
    "newsvendor_negbin": lambda i: best_or_given(Demand.negative_binomial(i["mean"], i["var"]), i),
    "newsvendor_normal": lambda i: best_or_given(Demand.normal(i["mean"], i["sd"]), i),
    "newsvendor_poisson": lambda i: best_or_given(Demand.poisson(i["mean"] * (1 + i.get("lead_time", 0))), i),
    "newsvendor_quantile_grid": grid,
    "newsvendor_salvage": salvage,
    "newsvendor_yield_additive": yielded,
    "normal_second_loss": second_loss,
    "normal_unit_loss": unit_loss,
    "pooling": pooled,
    "priority_list_budget": listed,
    "safety_factor_csl": lambda i: {"k": safety_factor(i["csl"])},
    "safety_stock_cycle": cycle_stock,
    "safety_stock_fill_rate": filled,
    "transfer_rebalancing": moved,
}


def _discrete(i: Inputs) -> Inputs:
    answer = newsvendor.discrete([float(x) for x in i["pmf"]], list(i["pmf"].values()), *wrong_side_costs(i))
    return {"S": answer.quantity, "cost": answer.cost}


def _empirical(i: Inputs) -> Inputs:
    answer = newsvendor.empirical(i["samples"], *wrong_side_costs(i))
    return {"S": answer.quantity, "cost": answer.cost}


def cases() -> list[dict[str, Any]]:
    return json.loads(FILE.read_text()) if FILE.exists() else []


def parameters(families: Any) -> list[Any]:
    found = [
        pytest.param(case, id=f"{case['id']}: {case['source']}", marks=pytest.mark.shared)
        for case in cases()
        if case["family"] in families
    ]
    absent = pytest.param(None, marks=[pytest.mark.shared, pytest.mark.skip(reason=f"no cases: {FILE} is absent")])
    return found or [absent]


@pytest.mark.parametrize("case", parameters(ANSWERS))
def test_our_answer_is_the_case_s(case: dict[str, Any]) -> None:
    answer = ANSWERS[case["family"]](case["inputs"])
    for name, expected in case["expected"].items():
        ours, theirs = answer[name], expected
        if isinstance(expected, dict):
            assert list(ours) == list(expected)
            ours, theirs = list(ours.values()), list(expected.values())
        np.testing.assert_allclose(np.asarray(ours, float), np.asarray(theirs, float), rtol=case["rtol"], atol=1e-12)


@pytest.mark.parametrize("case", parameters(NOT_ANSWERED))
def test_a_case_that_we_do_not_answer_says_why(case: dict[str, Any]) -> None:
    pytest.skip(NOT_ANSWERED[case["family"]])


@pytest.mark.shared
def test_every_family_of_cases_is_answered_by_some_test() -> None:
    if not FILE.exists():
        pytest.skip(f"no cases: {FILE} is absent")
    tests = "".join(file.read_text() for file in Path(__file__).parent.glob("test_*.py"))
    families = {case["family"] for case in cases()} - set(NOT_ANSWERED)
    assert {family for family in families if f'"{family}"' not in tests} == set()
