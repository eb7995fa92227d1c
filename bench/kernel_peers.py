"""One SKU of each benchmark problem as stockpyl and inventorize solve it; imported only when they are called.

Each function takes a SKU's numbers in the order of `kernel_problems` and returns the answers that ours are held
against. What a peer needs beside the numbers (a distribution object, a network) is made inside, for its users must too.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from typing import Any

import numpy as np

PEERS = ("stockpyl", "inventorize")


def missing(peer: str) -> str:
    """Return why a peer cannot be measured, "" where it can."""
    return "" if importlib.util.find_spec(peer) else f"{peer} is not installed"


def newsvendor_normal(mean: float, sd: float, h: float, p: float) -> tuple[float, ...]:
    """Stockpyl's level and cost."""
    from stockpyl.newsvendor import newsvendor_normal as solve

    return tuple(solve(h, p, mean, sd))


def newsvendor_poisson(mean: float, h: float, p: float) -> tuple[float, ...]:
    """Stockpyl's level and cost."""
    from stockpyl.newsvendor import newsvendor_poisson as solve

    return tuple(solve(h, p, mean))


def newsvendor_grid(levels: Any, values: Any, h: float, p: float) -> tuple[float, ...]:
    """Stockpyl's level on the same curve as a histogram of SciPy; its tail is closed, so for ratios inside."""
    from scipy.stats import rv_histogram
    from stockpyl.newsvendor import newsvendor_continuous

    edges = np.append(values, 2 * values[-1])
    mass = np.append(np.diff(levels), 1 - levels[-1])
    return (newsvendor_continuous(h, p, demand_distrib=rv_histogram((mass, edges), density=False))[0],)


def newsvendor_gamma(mean: float, sd: float, h: float, p: float) -> tuple[float, ...]:
    """Stockpyl's level and cost."""
    from scipy.stats import gamma
    from stockpyl.newsvendor import newsvendor_continuous

    return tuple(newsvendor_continuous(h, p, demand_distrib=gamma((mean / sd) ** 2, scale=sd * sd / mean)))


def eoq_backorders(order_cost: float, demand: float, h: float, p: float) -> tuple[float, ...]:
    """Stockpyl's quantity and cost."""
    from stockpyl.eoq import economic_order_quantity_with_backorders as solve

    quantity, _, cost = solve(order_cost, h, p, demand)
    return quantity, cost


def all_units(order_cost: float, demand: float, rate: float, breaks: Any, prices: Any) -> tuple[float, ...]:
    """Stockpyl's quantity and cost."""
    from stockpyl.eoq import economic_order_quantity_with_all_units_discounts as solve

    quantity, _, cost = solve(order_cost, rate, demand, breaks.tolist(), prices.tolist())
    return quantity, cost


def incremental(order_cost: float, demand: float, rate: float, breaks: Any, prices: Any) -> tuple[float, ...]:
    """Stockpyl's quantity and cost."""
    from stockpyl.eoq import economic_order_quantity_with_incremental_discounts as solve

    quantity, _, cost = solve(order_cost, rate, demand, breaks.tolist(), prices.tolist())
    return quantity, cost


def eoq_disruptions(k: float, demand: float, h: float, p: float, fail: float, heal: float) -> tuple[float, ...]:
    """Stockpyl's cost."""
    from stockpyl.supply_uncertainty import eoq_with_disruptions as solve

    return (solve(k, h, p, demand, fail, heal)[1],)


def r_q_poisson(demand: float, lead_time: float, h: float, p: float, order_cost: float) -> tuple[float, ...]:
    """Stockpyl's reorder point, quantity and cost."""
    from stockpyl.rq import r_q_poisson_exact

    return tuple(r_q_poisson_exact(h, p, order_cost, demand, lead_time))


def r_q_normal(mean: float, sd: float, lead_time: float, h: float, p: float, order_cost: float) -> tuple[float, ...]:
    """Stockpyl has no exact policy: the best r for the best Q of SciPy's scalar minimiser over stockpyl's cost."""
    from scipy.optimize import minimize_scalar
    from stockpyl.rq import r_q_cost, r_q_optimal_r_for_q

    def cost(quantity: float) -> float:
        point = r_q_optimal_r_for_q(quantity, h, p, mean, sd, lead_time)
        return float(r_q_cost(point, quantity, h, p, order_cost, mean, sd, lead_time))

    simple = np.sqrt(2 * order_cost * mean * (h + p) / (h * p))
    best = minimize_scalar(
        cost, bounds=(simple, 6 * simple + 6 * sd), method="bounded", options={"xatol": 1e-4 * simple}
    )
    return r_q_optimal_r_for_q(best.x, h, p, mean, sd, lead_time), best.x, best.fun


def r_q_eil(mean: float, sd: float, lead_time: float, h: float, p: float, order_cost: float) -> tuple[float, ...]:
    """Stockpyl's reorder point, quantity and cost."""
    from stockpyl.rq import r_q_eil_approximation

    return tuple(r_q_eil_approximation(h, p, order_cost, mean, sd, lead_time))


def s_s_exact(mean: float, h: float, p: float, order_cost: float) -> tuple[float, ...]:
    """Stockpyl's cost; levels of the same cost may differ."""
    from stockpyl.ss import s_s_discrete_exact

    return (s_s_discrete_exact(h, p, order_cost, use_poisson=True, demand_mean=mean)[2],)


def s_s_power(mean: float, sd: float, h: float, p: float, order_cost: float) -> tuple[float, ...]:
    """Stockpyl's reorder point and level."""
    from stockpyl.ss import s_s_power_approximation

    return tuple(s_s_power_approximation(h, p, order_cost, mean, sd))


def base_stock(mean: float, sd: float, h: float, p: float, lead_time: float) -> tuple[float, ...]:
    """Stockpyl's level and cost."""
    from stockpyl.newsvendor import newsvendor_normal as solve

    return tuple(solve(h, p, mean, sd, lead_time=lead_time))


def lots(demand: Any, order_cost: Any, h: Any) -> tuple[float, ...]:
    """Stockpyl's cost."""
    from stockpyl.wagner_whitin import wagner_whitin

    return (wagner_whitin(len(demand), float(h[0]), float(order_cost[0]), demand.tolist())[1],)


def simulation(demand: Any, level: float, lead_time: int, h: float, p: float) -> tuple[float, ...]:
    """Stockpyl's total cost; it orders before the delivery of the same period, so its lead time is ours + 1."""
    from stockpyl.sim import simulation as run
    from stockpyl.supply_chain_network import single_stage_system

    network = single_stage_system(
        holding_cost=h,
        stockout_cost=p,
        shipment_lead_time=int(lead_time) + 1,
        demand_type="D",
        demand_list=demand.tolist(),
        policy_type="BS",
        base_stock_level=float(level),
    )
    return (run(network, len(demand), rand_seed=1, progress_bar=False),)


def inventorize_normal(mean: float, sd: float, h: float, p: float) -> tuple[float, ...]:
    """Inventorize's quantity, with price and salvage value that give the same critical ratio."""
    inventorize = importlib.import_module("inventorize")
    return (float(inventorize.MPN_singleperiod(mean, sd, 1.0 + p, 1.0, 1.0 - h, 0.0)["quantity"]),)


def inventorize_poisson(mean: float, h: float, p: float) -> tuple[float, ...]:
    """Inventorize's quantity, with price and salvage value that give the same critical ratio."""
    inventorize = importlib.import_module("inventorize")
    return (float(inventorize.MPP_singleperiod(mean, 1.0 + p, 1.0, 1.0 - h, 0.0)["quantity"]),)


def inventorize_simulation(demand: Any, level: float, lead_time: int, h: float, p: float) -> tuple[float, ...]:
    """Inventorize's units lost; an order counts from the L-th period after that of its demand, so L is ours + 1."""
    inventorize = importlib.import_module("inventorize")
    with warnings.catch_warnings(record=True):  # it sets a filter of its own and warns at each call
        mean = float(np.mean(demand))
        _, metrics = inventorize.sim_base_pois(demand, mean, int(lead_time) + 1, 0.9, float(level), p, h)
    return (float(metrics["total_lost_sales"]),)
