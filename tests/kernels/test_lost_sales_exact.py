import itertools

import numpy as np
import pytest

from fullshelf.kernels.demand_table import tabulate
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.lost_sales_exact import LostSales, myopic_cost, optimum, policy_cost, vector_base_stock_cost
from fullshelf.kernels.lost_sales_search import (
    best_base_stock,
    best_capped_base_stock,
    best_reorder_quantity,
    best_reorder_up_to,
    best_reorder_up_to_capped,
)
from fullshelf.kernels.policies import order_up_to
from fullshelf.kernels.simulation import Supply, simulate

SMALL = LostSales([0.3, 0.3, 0.2, 0.2], holding_cost=1, shortage_cost=6, lead_time=2)


def chain_cost(problem: LostSales, order) -> float:
    """Stationary distribution of a policy by linear algebra, from the empty state."""
    table = np.asarray(problem.table)
    index: dict[tuple[int, ...], int] = {}
    rows, costs, todo = [], [], [(0,) * problem.lead_time]
    while todo:
        state = todo.pop()
        if state in index:
            continue
        index[state] = len(index)
        z = order(state)
        along = [*state[1:], z]
        row, cost = {}, problem.order_cost * (z > 0)
        for d, probability in enumerate(table):
            left = max(state[0] - d, 0)
            cost += probability * (problem.holding_cost * left + problem.shortage_cost * max(d - state[0], 0))
            following = (left + along[0], *along[1:])
            row[following] = row.get(following, 0.0) + probability
            todo.append(following)
        rows.append(row)
        costs.append(cost)
    n = len(index)
    matrix = np.zeros((n, n))
    for i, row in enumerate(rows):
        for state, probability in row.items():
            matrix[i, index[state]] += probability
    system = np.vstack([matrix.T - np.eye(n), np.ones(n)])
    share = np.linalg.lstsq(system, np.r_[np.zeros(n), 1.0], rcond=None)[0]
    return float(share @ np.array(costs))


def slow_optimum(problem: LostSales, highest: int) -> float:
    """Value iteration over all states whose parts are at most `highest`, with no other bound."""
    table, L = np.asarray(problem.table), problem.lead_time
    states = list(itertools.product(range(highest + 1), repeat=L))
    value = dict.fromkeys(states, 0.0)
    for _ in range(400):
        fresh = {}
        for state in states:
            best = np.inf
            for z in range(highest + 1):
                along = [*state[1:], z]
                total = problem.order_cost * (z > 0)
                for d, probability in enumerate(table):
                    left = max(state[0] - d, 0)
                    cost = problem.holding_cost * left + problem.shortage_cost * max(d - state[0], 0)
                    following = (min(left + along[0], highest), *along[1:])
                    total += probability * (cost + value[following])
                best = min(best, total)
            fresh[state] = best
        changes = [fresh[state] - value[state] for state in states]
        value = fresh
        if max(changes) - min(changes) < 1e-7:
            break
    return 0.5 * (max(changes) + min(changes))


@pytest.mark.parametrize("lead_time", [1, 2])
@pytest.mark.parametrize("order_cost", [0.0, 2.0])
def test_the_optimum_is_that_of_value_iteration_without_bounds(lead_time: int, order_cost: float) -> None:
    problem = LostSales([0.4, 0.4, 0.2], 1, 5, lead_time, order_cost)
    assert optimum(problem).cost == pytest.approx(slow_optimum(problem, 7), rel=1e-5)


@pytest.mark.parametrize(
    ("numbers", "order"),
    [
        ({"reorder_point": 6, "order_up_to": 6}, lambda state: max(6 - sum(state), 0)),
        ({"reorder_point": 6, "order_up_to": 6, "most": 2}, lambda state: min(max(6 - sum(state), 0), 2)),
        ({"reorder_point": 3, "order_up_to": 7}, lambda state: 7 - sum(state) if sum(state) <= 3 else 0),
        ({"reorder_point": 4, "order_quantity": 3}, lambda state: -(-max(5 - sum(state), 0) // 3) * 3),
    ],
)
@pytest.mark.parametrize("lead_time", [1, 3])
def test_the_cost_of_a_policy_is_that_of_its_markov_chain(numbers: dict, order, lead_time: int) -> None:
    problem = LostSales([0.3, 0.3, 0.2, 0.2], 1, 6, lead_time, order_cost=0.7)
    assert policy_cost(problem, **numbers, tolerance=1e-9) == pytest.approx(chain_cost(problem, order), rel=1e-7)


def test_the_simulation_counts_the_same_cost() -> None:
    """The simulation orders at the end of a period, this at the start of the next: the same lead time."""
    demand = np.random.default_rng(5).choice(4, p=np.asarray(SMALL.table), size=(8, 40_000)).astype(float)
    run = simulate(demand, order_up_to(7), Supply(1, 6, lead_time=2), score_from=100)
    assert (run.cost / run.periods).mean() == pytest.approx(policy_cost(SMALL, 7, 7), rel=0.01)


def test_no_simple_policy_beats_the_optimum_and_more_freedom_never_costs_more() -> None:
    problem = LostSales(tabulate(Demand.poisson(2.0)), 1, 9, lead_time=2)
    least = optimum(problem).cost
    base, capped = best_base_stock(problem), best_capped_base_stock(problem)
    slack = 1 + 2e-6
    assert least <= capped.cost * slack
    assert capped.cost <= base.cost * slack
    assert least <= myopic_cost(problem, 2) * slack
    assert myopic_cost(problem, 2) <= myopic_cost(problem, 1) * slack
    assert least <= vector_base_stock_cost(problem) * slack


def test_with_an_order_cost_a_cap_and_a_free_level_save_money() -> None:
    problem = LostSales(tabulate(Demand.poisson(2.0)), 1, 9, lead_time=1, order_cost=6)
    least = optimum(problem).cost
    free, lots, capped = best_reorder_up_to(problem), best_reorder_quantity(problem), best_reorder_up_to_capped(problem)
    assert least <= capped.cost * (1 + 2e-6) <= free.cost * (1 + 4e-6)
    assert least <= lots.cost * (1 + 2e-6)
    assert free.order_up_to > free.reorder_point
    every = {(s, S): policy_cost(problem, s, S) for s in range(2, 10) for S in range(s + 1, s + 12)}
    assert free.cost == pytest.approx(min(every.values()), rel=1e-6)


def test_the_best_base_stock_is_the_best_of_all_levels() -> None:
    costs = [policy_cost(SMALL, level, level) for level in range(14)]
    best = best_base_stock(SMALL)
    assert best.order_up_to == int(np.argmin(costs))
    assert best.cost == pytest.approx(min(costs), rel=1e-6)


def test_the_optimal_order_falls_with_stock_on_the_shelf_and_on_its_way() -> None:
    policy = optimum(SMALL)
    orders = np.array([[policy.order(x, [way]) for x in range(5)] for way in range(3)])
    assert (np.diff(orders, axis=0) <= 0).all()
    assert (np.diff(orders, axis=1) <= 0).all()
    with pytest.raises(ValueError, match="not among the states"):
        policy.order(500, [0])


def test_problems_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="lead_time must be a whole number of at least 1"):
        LostSales([1, 0], 1, 1, 0)
    with pytest.raises(ValueError, match="above 0"):
        LostSales([0.5, 0.5], 0, 1, 1)
    with pytest.raises(ValueError, match="certainly 0"):
        LostSales([1.0], 1, 1, 1)
    with pytest.raises(ValueError, match="more than 1,000 states"):
        optimum(LostSales(tabulate(Demand.poisson(50.0)), 1, 9, 3), max_states=1000)
    with pytest.raises(ValueError, match="whole numbers"):
        policy_cost(SMALL, 1.5, 3)  # type: ignore[arg-type]
    assert policy_cost(SMALL, -1, -1) == pytest.approx(6 * SMALL.mean)
