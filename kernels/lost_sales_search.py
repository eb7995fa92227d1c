"""The cheapest parameters of simple lost-sales policies, by the exact cost of `fullshelf.kernels.lost_sales_exact`."""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fullshelf.kernels.lost_sales_exact import LostSales, policy_cost, vector_base_stock_cost

__all__ = [
    "BestPolicy",
    "best_base_stock",
    "best_capped_base_stock",
    "best_reorder_quantity",
    "best_reorder_up_to",
    "best_reorder_up_to_capped",
    "best_vector_base_stock",
]


@dataclass(frozen=True, slots=True)
class BestPolicy:
    """The cheapest parameters of a simple policy, as `fullshelf.kernels.policies` calls them."""

    cost: float  # currency per period
    reorder_point: int
    order_up_to: int
    order_quantity: int = 0  # 0: none
    most: int | None = None  # None: no cap


def best_vector_base_stock(problem: LostSales, tolerance: float = 1e-5) -> tuple[float, float]:
    """Return the critical ratio whose vector base-stock policy is cheapest, to 0.02, and its cost.

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> problem = LostSales(tabulate(Demand.poisson(2.0)), 1, 4, lead_time=1)
    >>> ratio, cost = best_vector_base_stock(problem)
    >>> round(ratio, 2), round(cost, 4)
    (0.68, 2.5784)
    """
    top = problem.shortage_cost / (problem.shortage_cost + problem.holding_cost)
    ratios = np.append(np.arange(0.02, top, 0.02), top).tolist()
    costs: dict[tuple[int, ...], float] = {}
    answers = []
    for ratio in ratios:
        levels = tuple(problem.quantile(i, ratio) for i in range(1, problem.lead_time + 2))
        if levels not in costs:
            costs[levels] = vector_base_stock_cost(problem, ratio, tolerance)
        answers.append((costs[levels], ratio))
    cost, ratio = min(answers)
    return ratio, cost


def best_base_stock(problem: LostSales, tolerance: float = 1e-6) -> BestPolicy:
    """Return the best base-stock level; its cost is convex in the level (Janakiraman and Roundy 2004).

    Examples
    --------
    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> best = best_base_stock(LostSales(tabulate(Demand.poisson(5.0)), 1, 9, lead_time=2))
    >>> best.order_up_to, round(best.cost, 4)
    (19, 6.3163)
    """
    cost, (level,) = _descend(lambda level: policy_cost(problem, level, level, tolerance=tolerance), _starts(problem))
    return BestPolicy(cost, level, level)


def best_capped_base_stock(problem: LostSales, tolerance: float = 1e-6) -> BestPolicy:
    """Return the best level and cap of orders.

    Xin (2021), Understanding the performance of capped base-stock policies in lost-sales inventory models.

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> problem = LostSales(tabulate(Demand.poisson(2.0)), 1, 4, lead_time=1)
    >>> best = best_capped_base_stock(problem)
    >>> best.order_up_to, best.most, round(best.cost, 4)
    (5, 3, 2.5784)
    """
    starts = [(level, cap) for (level,) in _starts(problem) for cap in _caps(problem)]
    cost, (level, most) = _descend(
        lambda level, most: policy_cost(problem, level, level, most=most, tolerance=tolerance) if most > 0 else np.inf,
        starts,
    )
    return BestPolicy(cost, level, level, most=most)


def best_reorder_up_to(problem: LostSales, tolerance: float = 1e-6) -> BestPolicy:
    """Return the best reorder point and order-up-to level (s, S), found by descent among neighbours.

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> problem = LostSales(tabulate(Demand.poisson(2.0)), 1, 4, lead_time=1, order_cost=5)
    >>> best = best_reorder_up_to(problem)
    >>> best.reorder_point, best.order_up_to, round(best.cost, 4)
    (2, 6, 5.1064)
    """
    cost, (point, level) = _descend(
        lambda point, level: policy_cost(problem, point, level, tolerance=tolerance) if level > point else np.inf,
        [(level - 1, level + _lot(problem) - 1) for (level,) in _starts(problem)],
    )
    return BestPolicy(cost, point, level)


def best_reorder_quantity(problem: LostSales, tolerance: float = 1e-6) -> BestPolicy:
    """Return the best reorder point and quantity (s, nQ), found by descent among neighbours.

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> problem = LostSales(tabulate(Demand.poisson(2.0)), 1, 4, lead_time=1, order_cost=5)
    >>> best = best_reorder_quantity(problem)
    >>> best.reorder_point, best.order_quantity, round(best.cost, 4)
    (2, 5, 5.07)
    """
    cost, (point, lot) = _descend(
        lambda point, lot: policy_cost(problem, point, 0, lot, tolerance=tolerance) if lot > 0 else np.inf,
        [(level - 1, _lot(problem)) for (level,) in _starts(problem)],
    )
    return BestPolicy(cost, point, point, order_quantity=lot)


def best_reorder_up_to_capped(problem: LostSales, tolerance: float = 1e-6) -> BestPolicy:
    """Return the best (s, S, q): order up to S, at most q. Bijvank, Bhulai and Huh's (2015) modified (s, S).

    >>> from fullshelf.kernels.demand_table import tabulate
    >>> from fullshelf.kernels.distributions import Demand
    >>> problem = LostSales(tabulate(Demand.poisson(2.0)), 1, 4, lead_time=1, order_cost=5)
    >>> best = best_reorder_up_to_capped(problem)
    >>> best.reorder_point, best.order_up_to, best.most, round(best.cost, 4)
    (2, 7, 5, 5.07)
    """

    def cost_of(point: int, level: int, most: int) -> float:
        if level <= point or most < 1:
            return np.inf
        return policy_cost(problem, point, level, most=most, tolerance=tolerance)

    free = best_reorder_up_to(problem, tolerance)
    starts = [(free.reorder_point, free.order_up_to, cap) for cap in (_lot(problem), *_caps(problem))]
    cost, (point, level, most) = _descend(cost_of, starts)
    return BestPolicy(cost, point, level, most=most)


def _lot(problem: LostSales) -> int:
    """Return the economic order quantity, at least 1."""
    return max(1, round(math.sqrt(2 * problem.order_cost * problem.mean / problem.holding_cost)))


def _caps(problem: LostSales) -> tuple[int, ...]:
    return (int(np.ceil(problem.mean)) + 1, problem.quantile(1))


def _starts(problem: LostSales) -> list[tuple[int]]:
    """Return base-stock levels near the best: for shortage costs p / (L + 1) and p + L h with backorders, and between.

    Huh, Janakiraman, Muckstadt and Rusmevichientong (2009).
    """
    p, h, L = problem.shortage_cost, problem.holding_cost, problem.lead_time
    low, high = (problem.quantile(L + 1, b / (b + h)) for b in (p / (L + 1), p + L * h))
    return [(low,), ((low + high) // 2,)]


def _descend(cost_of: Callable[..., float], starts: Sequence[tuple[int, ...]]) -> tuple[float, tuple[int, ...]]:
    """Return the least cost and its point: from the best start to the cheapest neighbour until there is none.

    Neighbours lie up to 1 unit away along one axis of one, up to 2 units in all axes of several.
    """
    known: dict[tuple[int, ...], float] = {}

    def cost_at(point: tuple[int, ...]) -> float:
        if point not in known:
            known[point] = cost_of(*point)
        return known[point]

    here = min(starts, key=cost_at)
    reach = range(-1, 2) if len(here) == 1 else range(-2, 3)
    while True:
        around = [
            tuple(a + b for a, b in zip(here, step, strict=True)) for step in itertools.product(reach, repeat=len(here))
        ]
        best = min(around, key=cost_at)
        if not cost_at(best) < cost_at(here):
            return cost_at(here), here
        here = best
