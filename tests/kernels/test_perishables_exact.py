import itertools

import numpy as np
import pytest
from scipy import stats

from fullshelf.kernels.demand_table import tabulate
from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.perishables_exact import Perishable, base_stock, best_base_stock, optimum
from fullshelf.kernels.policies import order_up_to, waste_aware
from fullshelf.kernels.simulation import Supply, simulate

TABLE = [0.3, 0.3, 0.25, 0.15]


def step(problem: Perishable, shelf: tuple[int, ...], under_way: tuple[int, ...], order: int, demand: int):
    """One period, told plainly; the shelf is oldest first. Returns the cost and the next state."""
    left, need = list(shelf), demand
    for j in range(len(left)) if problem.issuing == "fifo" else reversed(range(len(left))):
        taken = min(left[j], need)
        left[j] -= taken
        need -= taken
    cost = problem.unit_cost * order + problem.shortage_cost * need + problem.waste_cost * left[0]
    cost += problem.holding_cost * sum(left[1:])
    coming = (*under_way, order)
    return cost, (*left[1:], coming[0]), coming[1:]


def slow_optimum(problem: Perishable, discount: float, sweeps: int) -> dict:
    """Values of all states by value iteration over dictionaries."""
    m, L, orders = problem.shelf_life, problem.lead_time, range(problem.max_order + 1)
    states = [(key[:m], key[m:]) for key in itertools.product(orders, repeat=m + L - 1)]
    value = dict.fromkeys(states, 0.0)
    for _ in range(sweeps):
        fresh = {}
        for state in states:
            totals = []
            for order in orders:
                total = 0.0
                for demand, probability in enumerate(np.asarray(problem.table)):
                    cost, shelf, under_way = step(problem, *state, order, demand)
                    total += probability * (cost + discount * value[shelf, under_way])
                totals.append(total)
            fresh[state] = min(totals)
        change = [fresh[state] - value[state] for state in states]
        # Half a step without discount: newest units first, the best policy orders every second period.
        value = fresh if discount < 1 else {state: 0.5 * (value[state] + fresh[state]) for state in states}
    return {"value": value, "gain": (min(change), max(change))}


@pytest.mark.parametrize("issuing", ["fifo", "lifo"])
@pytest.mark.parametrize(("life", "lead_time"), [(1, 1), (2, 1), (2, 2), (3, 1)])
def test_the_optimum_is_that_of_value_iteration_over_plain_states(issuing, life: int, lead_time: int) -> None:
    problem = Perishable(TABLE, life, lead_time, 3, 5, 7, 1, 2, issuing)
    low, high = slow_optimum(problem, 1.0, 60)["gain"]
    found = optimum(problem, tolerance=1e-9).average_cost()
    assert low - 1e-6 <= found <= high + 1e-6
    assert high - low < 0.02


def test_the_discounted_optimum_has_the_value_of_value_iteration() -> None:
    problem = Perishable(TABLE, 2, 2, 3, 5, 7, 1, 2, "lifo")
    value = slow_optimum(problem, 0.8, 80)["value"]
    found = optimum(problem, 0.8, tolerance=1e-10)
    assert found.discounted_cost(0.8, 200) == pytest.approx(value[(0, 0), (0,)], rel=1e-6)


@pytest.mark.parametrize("issuing", ["fifo", "lifo"])
@pytest.mark.parametrize("aware", [False, True])
def test_the_costs_of_a_policy_are_those_of_the_simulation(issuing, aware: bool) -> None:
    """The simulation orders at the end of a period, this at the start of the next: the same lead time."""
    problem = Perishable(TABLE, 3, 2, 9, 5, 7, 1, 0, issuing)
    demand = np.random.default_rng(3).choice(4, p=TABLE, size=(10, 20_000)).astype(float)
    policy = waste_aware(6, problem.mean) if aware else order_up_to(6)
    run = simulate(demand, policy, Supply(1, 5, 0, 7, 2, shelf_life=3), issuing=issuing, score_from=50)
    assert (run.cost / run.periods).mean() == pytest.approx(base_stock(problem, 6, aware).average_cost(), rel=0.01)


def test_costs_by_period_start_with_an_empty_shelf() -> None:
    problem = Perishable(TABLE, 2, 2, 3, 5, 7, 1, 2)
    costs = base_stock(problem, 4).costs(3)
    assert costs[0] == pytest.approx(5 * problem.mean + 2 * 3)  # all lost, the largest order placed
    assert costs[1] == pytest.approx(5 * problem.mean + 2 * 1)


def test_no_base_stock_beats_the_optimum_and_the_best_is_the_best_of_all() -> None:
    problem = Perishable(TABLE, 2, 1, 5, 5, 7, 1, 2)
    costs = [base_stock(problem, level).average_cost() for level in range(10)]
    best = best_base_stock(problem)
    assert best.level == int(np.argmin(costs))
    assert best.cost == pytest.approx(min(costs))
    assert optimum(problem).average_cost() <= best.cost
    assert best_base_stock(problem, highest=1).level <= 1


def test_a_life_of_one_period_is_the_newsvendor_each_period() -> None:
    """With L = 1 and m = 1 a unit ordered now is sold in the next period or never."""
    problem = Perishable(tabulate(Demand.poisson(4.0)), 1, 1, 12, shortage_cost=5, waste_cost=2)
    level = stats.poisson.ppf(5 / 7, 4)
    assert (optimum(problem).orders == level).all()


def test_the_table_has_the_shortest_life_first() -> None:
    problem = Perishable(TABLE, 2, 1, 3, 5, 7, 1, 2, "fifo")
    table = optimum(problem).table()
    value = slow_optimum(problem, 1.0, 60)["value"]
    for old, fresh in itertools.product(range(4), repeat=2):
        totals = []
        for order in range(4):
            after = [step(problem, (old, fresh), (), order, demand) for demand in range(4)]
            totals.append(sum(p * (cost + value[shelf, ()]) for p, (cost, shelf, _) in zip(TABLE, after, strict=True)))
        assert totals[table[old, fresh]] == pytest.approx(min(totals), abs=1e-6)


def test_problems_without_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="whole numbers of at least 1"):
        Perishable(TABLE, 2, 0, 5, 1)
    with pytest.raises(ValueError, match="15,625 states are more than 1,000"):
        Perishable(TABLE, 5, 2, 4, 1, max_states=1000)
    with pytest.raises(ValueError, match="costs must be finite"):
        Perishable(TABLE, 2, 1, 5, np.nan)
    with pytest.raises(ValueError, match="issuing"):
        Perishable(TABLE, 2, 1, 5, 1, issuing="any")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"inside \(0, 1\]"):
        optimum(Perishable(TABLE, 1, 1, 5, 1), discount=1.1)
