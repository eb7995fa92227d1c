"""The problems of `fullshelf bench kernels`: how they are drawn, our call for many SKUs, and the peers' call for one.

A drawn problem is a tuple of arrays whose first axis is the SKUs. Demand, costs and lead times are wide apart on
purpose, so that no branch is always taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fullshelf.bench import kernel_peers as peers
from fullshelf.kernels import base_stock, min_max, newsvendor, reorder_heuristics, reorder_quantity, service
from fullshelf.kernels.disruptions import with_disruptions
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.eoq import economic_order_quantity
from fullshelf.kernels.eoq_discounts import all_units_discount, incremental_discount
from fullshelf.kernels.eoq_supply import with_disruptions as lot_with_disruptions
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.lost_sales import lost_sales_levels, lost_sales_order
from fullshelf.kernels.lot_sizing import wagner_whitin
from fullshelf.kernels.newsvendor_grid import fill_newsvendor_grid
from fullshelf.kernels.perishables import perishable_levels
from fullshelf.kernels.policies import order_up_to
from fullshelf.kernels.quantile_grid import knots
from fullshelf.kernels.simulation import Start, Supply, simulate
from fullshelf.kernels.threads import in_threads

Arrays = tuple[NDArray[Any], ...]
PERIODS = 52  # of lot sizing and simulation

_KNOT_LEVELS = knots(level_array(), np.zeros((1, level_array().size)))[0]


@dataclass(frozen=True, slots=True)
class Problem:
    """One kernel to measure."""

    name: str
    draw: Callable[[int, np.random.Generator], Arrays]
    ours: Callable[[Arrays, bool], Arrays]  # (problem, whether on all threads) -> answers, (n,) each
    peers: Mapping[str, Callable[..., tuple[float, ...]]] = field(default_factory=dict)  # one SKU's numbers -> answers
    goal: float | None = None  # times stockpyl, on one thread
    goal_of_bandwidth: float | None = None  # share of the triad on all threads
    tolerance: float = 1e-6  # relative, of the answers
    moved: Callable[[Arrays], float] | None = None  # bytes that a call reads and writes


def _costs(n: int, draw: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw holding and shortage costs: critical ratios between 0.67 and 0.995."""
    return draw.uniform(0.2, 1.0, n), draw.uniform(2.0, 40.0, n)


def _means(n: int, draw: np.random.Generator) -> NDArray[np.float64]:
    """Mean demand: many slow movers, few fast ones."""
    return draw.gamma(0.8, 25.0, n) + 0.1


def _draw_normal(n: int, draw: np.random.Generator) -> Arrays:
    mean = _means(n, draw)
    return mean, mean * draw.uniform(0.1, 0.6, n), *_costs(n, draw)


def _draw_poisson(n: int, draw: np.random.Generator) -> Arrays:
    return _means(n, draw), *_costs(n, draw)


def _draw_grid(n: int, draw: np.random.Generator) -> Arrays:
    values = np.empty((n, _KNOT_LEVELS.size))
    mean = _means(n, draw)
    slope = np.concatenate([[0.0], -np.log1p(-_KNOT_LEVELS[1:])])  # quantiles of an exponential distribution
    np.multiply(mean[:, None], slope, out=values)
    return values, draw.uniform(0.4, 1.0, n), draw.uniform(2.0, 36.0, n)  # ratios inside the levels, as the peer needs


def _grid(problem: Arrays, parallel: bool) -> Arrays:
    values, holding, shortage = problem
    quantity = np.empty(len(values))
    in_threads(fill_newsvendor_grid, (values, shortage, holding, quantity), _KNOT_LEVELS, parallel=parallel)
    return (quantity,)


def _draw_order_cost(n: int, draw: np.random.Generator) -> Arrays:
    """Mean, lead time, holding, shortage and order cost."""
    return _means(n, draw), draw.uniform(0.2, 3.0, n), *_costs(n, draw), draw.uniform(2.0, 60.0, n)


def _draw_order_cost_normal(n: int, draw: np.random.Generator) -> Arrays:
    mean, lead_time, *costs = _draw_order_cost(n, draw)
    mean *= 20.0
    return mean, mean * draw.uniform(0.05, 0.3, n), lead_time, *costs


def _draw_min_max(n: int, draw: np.random.Generator) -> Arrays:
    return draw.gamma(1.5, 4.0, n) + 0.2, *_costs(n, draw), draw.uniform(2.0, 60.0, n)


def _draw_lots(n: int, draw: np.random.Generator) -> Arrays:
    demand = draw.poisson(_means(n, draw)[:, None], (n, PERIODS)).astype(np.float64)
    return demand, draw.uniform(20.0, 400.0, (n, 1)), draw.uniform(0.2, 1.0, (n, 1))


def _draw_paths(n: int, draw: np.random.Generator) -> Arrays:
    """Demand of a year of weeks, level, lead time, holding and shortage cost."""
    mean = _means(n, draw)
    lead_time = draw.integers(0, 4, n)
    demand = draw.poisson(mean[:, None], (n, PERIODS)).astype(np.float64)
    return demand, np.ceil(mean * (lead_time + 1) + 2 * np.sqrt(mean)), lead_time, *_costs(n, draw)


def _simulated(stockout: Any) -> Callable[[Arrays, bool], Arrays]:
    def run(problem: Arrays, parallel: bool) -> Arrays:
        demand, level, lead_time, holding, shortage = problem
        supply = Supply(holding, shortage, lead_time=lead_time)
        lived = simulate(demand, order_up_to(level), supply, Start(level), stockout=stockout, parallel=parallel)
        return (lived.cost,) if stockout == "backorder" else (lived.short,)

    return run


def _draw_discounts(n: int, draw: np.random.Generator) -> Arrays:
    """Order cost, demand, holding rate, break points and unit costs of three regions."""
    first = draw.uniform(50, 400, n)
    breaks = np.column_stack([np.zeros(n), first, first * draw.uniform(2, 5, n)])
    price = draw.uniform(1, 20, n)
    prices = price[:, None] * np.array([1.0, 0.95, 0.9])
    return draw.uniform(5, 50, n), draw.uniform(100, 5000, n), draw.uniform(0.1, 0.4, n), breaks, prices


def _draw_lot(n: int, draw: np.random.Generator) -> Arrays:
    return draw.uniform(2.0, 60.0, n), _means(n, draw) * 50, *_costs(n, draw)


def _draw_failing(n: int, draw: np.random.Generator) -> Arrays:
    return _means(n, draw), *_costs(n, draw), draw.uniform(0.01, 0.3, n), draw.uniform(0.1, 0.9, n)


def _draw_failing_lot(n: int, draw: np.random.Generator) -> Arrays:
    return *_draw_lot(n, draw), draw.uniform(0.2, 2.0, n), draw.uniform(5.0, 20.0, n)


def _draw_fill(n: int, draw: np.random.Generator) -> Arrays:
    mean = _means(n, draw) * 10
    return draw.uniform(0.8, 0.999, n), mean, mean * draw.uniform(0.05, 0.5, n)


def _draw_slow(n: int, draw: np.random.Generator) -> Arrays:
    """Slow movers: mean, holding, shortage and waste cost, lead time, shelf life, stock and one order under way."""
    mean = draw.gamma(1.0, 3.0, n) + 0.2
    stock = draw.poisson(mean), draw.poisson(mean)[:, None].repeat(2, axis=1)
    return mean, *_costs(n, draw), draw.uniform(1, 5, n), draw.integers(0, 4, n), draw.integers(2, 7, n), *stock


def _two(answer: Any, *names: str) -> Arrays:
    return tuple(np.asarray(getattr(answer, name)) for name in names)


PROBLEMS: tuple[Problem, ...] = (
    Problem(
        "newsvendor, normal demand",
        _draw_normal,
        lambda x, on: _two(newsvendor.normal(x[0], x[1], x[3], x[2], parallel=on), "quantity", "cost"),
        {"stockpyl": peers.newsvendor_normal, "inventorize": peers.inventorize_normal},
        goal=10_000,
        moved=lambda x: 8.0 * len(x[0]) * 9,
    ),
    Problem(
        "newsvendor, Poisson demand",
        _draw_poisson,
        lambda x, on: _two(newsvendor.poisson(x[0], x[2], x[1], parallel=on), "quantity", "cost"),
        {"stockpyl": peers.newsvendor_poisson, "inventorize": peers.inventorize_poisson},
        goal=10_000,
        moved=lambda x: 8.0 * len(x[0]) * 8,
    ),
    Problem(
        "newsvendor, quantile grid",
        _draw_grid,
        _grid,
        {"stockpyl": lambda v, h, p: peers.newsvendor_grid(_KNOT_LEVELS, v, h, p)},
        goal=10_000,
        goal_of_bandwidth=0.5,
        moved=lambda x: float(x[0].nbytes + 3 * x[1].nbytes),
    ),
    Problem(
        "newsvendor, negative binomial demand",
        lambda n, draw: ((m := _means(n, draw)), m * draw.uniform(1.1, 4.0, n), *_costs(n, draw)),
        lambda x, on: _two(newsvendor.negative_binomial(x[0], x[1], x[3], x[2], parallel=on), "quantity", "cost"),
    ),
    Problem(
        "newsvendor, gamma demand",
        _draw_normal,
        lambda x, on: _two(newsvendor.gamma(x[0], x[1], x[3], x[2], parallel=on), "quantity", "cost"),
        {"stockpyl": peers.newsvendor_gamma},
    ),
    Problem(
        "economic order quantity with backorders",
        _draw_lot,
        lambda x, on: _two(
            economic_order_quantity(x[0], x[1], x[2], backorder_cost=x[3], parallel=on), "quantity", "cost"
        ),
        {"stockpyl": peers.eoq_backorders},
    ),
    Problem(
        "all-units discount, 3 prices",
        _draw_discounts,
        lambda x, on: _two(all_units_discount(*x, parallel=on), "quantity", "cost"),
        {"stockpyl": peers.all_units},
    ),
    Problem(
        "incremental discount, 3 prices",
        _draw_discounts,
        lambda x, on: _two(incremental_discount(*x, parallel=on), "quantity", "cost"),
        {"stockpyl": peers.incremental},
    ),
    Problem(
        "economic order quantity with disruptions",
        _draw_failing_lot,
        lambda x, on: (lot_with_disruptions(*x, parallel=on)[1],),
        {"stockpyl": peers.eoq_disruptions},
        tolerance=1e-4,
    ),
    Problem(
        "safety stock for a fill rate",
        _draw_fill,
        lambda x, on: _two(service.fill_rate_safety_stock(*x, parallel=on), "units"),
    ),
    Problem(
        "(r, Q) exact, Poisson demand",
        _draw_order_cost,
        lambda x, on: _two(reorder_quantity.poisson(*x, parallel=on), "reorder_point", "order_quantity", "cost"),
        {"stockpyl": peers.r_q_poisson},
        goal=300,
    ),
    Problem(
        "(r, Q) exact, normal demand",
        _draw_order_cost_normal,
        lambda x, on: _two(reorder_quantity.normal(*x, parallel=on), "reorder_point", "order_quantity", "cost"),
        {"stockpyl": peers.r_q_normal},
        goal=300,
        tolerance=1e-4,
    ),
    Problem(
        "(r, Q) expected inventory level",
        _draw_order_cost_normal,
        lambda x, _: _two(reorder_heuristics.expected_inventory_level(*x), "reorder_point", "order_quantity", "cost"),
        {"stockpyl": peers.r_q_eil},
        tolerance=1e-5,
    ),
    Problem(
        "(s, S) exact, Poisson demand",
        _draw_min_max,
        lambda x, on: _two(min_max.poisson(x[0], 0, *x[1:], parallel=on), "cost"),
        {"stockpyl": peers.s_s_exact},
        goal=300,
    ),
    Problem(
        "(s, S) power approximation",
        lambda n, draw: (*_draw_normal(n, draw), draw.uniform(2.0, 60.0, n)),
        lambda x, _: _two(min_max.power_approximation(x[0], x[1], 0, *x[2:]), "reorder_point", "order_up_to"),
        {"stockpyl": peers.s_s_power},
    ),
    Problem(
        "base stock, normal demand",
        lambda n, draw: (*_draw_normal(n, draw), draw.integers(0, 8, n).astype(np.float64)),
        lambda x, on: _two(
            base_stock.optimal(Demand.normal(x[0], x[1]), x[4], x[2], x[3], parallel=on), "order_up_to", "cost"
        ),
        {"stockpyl": peers.base_stock},
    ),
    Problem(
        "base stock with disruptions",
        _draw_failing,
        lambda x, _: _two(with_disruptions(*x), "order_up_to", "cost"),  # stockpyl 1.0.2 raises TypeError here
    ),
    Problem(
        f"Wagner-Whitin, {PERIODS} periods",
        _draw_lots,
        lambda x, on: (np.asarray(wagner_whitin(*x, parallel=on).cost),),
        {"stockpyl": peers.lots},
        goal=300,
    ),
    Problem(
        f"simulation, {PERIODS} periods, backorders",
        _draw_paths,
        _simulated("backorder"),
        {"stockpyl": peers.simulation},
        goal=10_000,
    ),
    Problem(
        f"simulation, {PERIODS} periods, lost sales",
        _draw_paths,
        _simulated("lost"),
        {"inventorize": peers.inventorize_simulation},
    ),
    Problem(
        "lost sales, order now (myopic)",
        _draw_slow,
        lambda x, on: (lost_sales_order(x[6], x[7], Demand.poisson(x[0]), x[1], x[2], parallel=on),),
    ),
    Problem(
        "lost sales, level and cap",
        _draw_slow,
        lambda x, on: _two(lost_sales_levels(Demand.poisson(x[0]), x[1], x[2], x[4], parallel=on), "order_up_to"),
    ),
    Problem(
        "perishables, level",
        _draw_slow,
        lambda x, on: _two(
            perishable_levels(Demand.poisson(x[0]), x[1], x[2], x[3], x[4], x[5], parallel=on), "order_up_to"
        ),
    ),
)
