import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.lot_sizing import wagner_whitin


def cost_of(orders, demand, order_cost, holding_cost, unit_cost) -> float:
    stock = np.cumsum(orders - demand)
    if stock.min() < -1e-9:
        return np.inf
    return float(np.sum((orders > 0) * order_cost + unit_cost * orders + holding_cost * stock))


def cheapest_of_all_plans(demand, order_cost, holding_cost, unit_cost) -> float:
    """Try every set of order periods; each order lasts to the next one."""
    T = len(demand)
    best = np.inf
    for chosen in itertools.product((False, True), repeat=T):
        orders, last = np.zeros(T), None
        for t in range(T):
            last = t if chosen[t] else last
            if last is None and demand[t] > 0:
                break
            if last is not None:
                orders[last] += demand[t]
        else:
            best = min(best, cost_of(orders, demand, order_cost, holding_cost, unit_cost))
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_no_plan_is_cheaper(T: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    demand = draw.integers(0, 30, T) * draw.integers(0, 2, T)
    order_cost, holding_cost = draw.uniform(0, 80, T), draw.uniform(0, 3, T) * draw.integers(0, 2, T)
    unit_cost = draw.uniform(-2, 9, T)
    plan = wagner_whitin(demand, order_cost, holding_cost, unit_cost)
    best = cheapest_of_all_plans(demand, order_cost, holding_cost, unit_cost)
    assert plan.cost == pytest.approx(best, rel=1e-12, abs=1e-9)
    assert cost_of(plan.orders, demand, order_cost, holding_cost, unit_cost) == pytest.approx(best, rel=1e-12, abs=1e-9)


def test_many_skus_at_once_are_the_same_as_one_by_one_on_any_number_of_threads() -> None:
    draw = np.random.default_rng(3)
    demand, order_cost = draw.poisson(3, (200, 40)), draw.uniform(5, 100, (200, 1))
    together = wagner_whitin(demand, order_cost, 0.7, parallel=True)
    alone = [wagner_whitin(row, k, 0.7) for row, k in zip(demand, order_cost, strict=True)]
    np.testing.assert_array_equal(together.orders, [plan.orders for plan in alone])
    np.testing.assert_array_equal(together.cost, [plan.cost for plan in alone])


def test_a_long_horizon_agrees_with_the_quadratic_recursion() -> None:
    draw = np.random.default_rng(4)
    T, K, h = 300, 250.0, 0.5
    demand = draw.gamma(0.5, 20, T)
    go = np.zeros(T + 1)
    for t in range(T - 1, -1, -1):
        held = np.cumsum(h * np.arange(T - t) * demand[t:])
        go[t] = K + np.min(held + go[t + 1 :])
    assert wagner_whitin(demand, K, h).cost == pytest.approx(go[0], rel=1e-12)


def test_no_demand_costs_nothing_and_free_orders_are_placed_period_by_period() -> None:
    nothing = wagner_whitin(np.zeros(5), 10, 1)
    assert nothing.cost == 0
    assert not nothing.orders.any()
    assert wagner_whitin([3, 0, 4], 0, 1).orders.tolist() == [3, 0, 4]


def test_a_sku_that_cannot_be_planned_is_nan_and_harms_no_other() -> None:
    demand = np.array([[5.0, 5.0], [np.nan, 5.0], [-1.0, 5.0], [5.0, 5.0]])
    plan = wagner_whitin(demand, [[10], [10], [10], [-1]], 1)
    assert plan.cost.tolist()[0] == 15
    assert np.isnan(plan.cost[1:]).all()
    assert np.isnan(plan.orders[1:]).all()


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="at least one period"):
        wagner_whitin(np.zeros((3, 0)), 1, 1)
    with pytest.raises(ValueError, match=r"holding_cost must broadcast to demand \(1, 4\)"):
        wagner_whitin(np.zeros(4), 1, [1, 2, 3])
