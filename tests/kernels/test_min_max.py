import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fullshelf.kernels import min_max
from fullshelf.kernels.demand_table import sum_of_periods, tabulate
from fullshelf.kernels.distributions import Demand


def chain_cost(s: int, S: int, one: np.ndarray, total: np.ndarray, h: float, p: float, k: float) -> float:
    """Average over the stationary distribution of the position after ordering, by linear algebra."""
    units = np.arange(total.size)
    positions = np.arange(s + 1, S + 1)
    cost = np.array([total @ (h * np.maximum(y - units, 0) + p * np.maximum(units - y, 0)) for y in positions])
    n = positions.size
    move, orders = np.zeros((n, n)), np.zeros(n)
    for i, y in enumerate(positions):
        for d, probability in enumerate(one):
            after = y - d
            orders[i] += probability * (after <= s)
            move[i, n - 1 if after <= s else after - s - 1] += probability
    system = np.vstack([move.T - np.eye(n), np.ones(n)])
    share = np.linalg.lstsq(system, np.r_[np.zeros(n), 1.0], rcond=None)[0]
    return float(share @ (cost + k * orders))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_no_policy_is_cheaper_whatever_the_table(seed: int, lead_time: int) -> None:
    draw = np.random.default_rng(seed)
    one = draw.dirichlet(np.full(draw.integers(2, 6), 0.6))
    h, p, k = draw.uniform(0.2, 2), draw.uniform(0.5, 20), draw.uniform(0, 20)
    total = sum_of_periods(one, lead_time + 1)
    best = min_max.discrete(one, lead_time, h, p, k)
    s, S = int(best.reorder_point), int(best.order_up_to)
    assert best.cost == pytest.approx(chain_cost(s, S, one, total, h, p, k), rel=1e-8)
    around = [(a, b) for a in range(s - 3, s + 4) for b in range(max(a + 1, S - 4), S + 6)]
    costs = min_max.discrete_cost([a for a, _ in around], [b for _, b in around], one, lead_time, h, p, k)
    assert best.cost <= costs.min() * (1 + 1e-10)


@pytest.mark.parametrize("demand", [Demand.poisson(3.0), Demand.negative_binomial(3.0, 7.0)])
@pytest.mark.parametrize("lead_time", [0, 3])
def test_named_demand_and_its_table_agree(demand: Demand, lead_time: int) -> None:
    named = min_max.optimal(demand, lead_time, 1, 9, 24)
    table = min_max.discrete(tabulate(demand, 1e-15), lead_time, 1, 9, 24)
    assert (named.reorder_point, named.order_up_to) == (table.reorder_point, table.order_up_to)
    assert named.cost == pytest.approx(table.cost, rel=1e-9)
    assert min_max.cost(named.reorder_point, named.order_up_to, demand, lead_time, 1, 9, 24) == pytest.approx(
        named.cost
    )
    if demand.family == Demand.poisson(1).family:
        same = min_max.poisson(3.0, lead_time, 1, 9, 24)
        assert same.cost == named.cost
    else:
        assert min_max.negative_binomial(3.0, 7.0, lead_time, 1, 9, 24).cost == named.cost


def test_a_grid_search_finds_nothing_cheaper() -> None:
    best = min_max.poisson(6, 1, 1, 4, 20)
    grid = [(s, S) for s in range(-5, 25) for S in range(s + 1, 45)]
    costs = min_max.cost([s for s, _ in grid], [S for _, S in grid], Demand.poisson(6), 1, 1, 4, 20)
    assert best.cost == pytest.approx(costs.min(), rel=1e-12)


def test_without_order_cost_it_is_base_stock() -> None:
    best = min_max.poisson(7, 2, 1, 9, 0)
    assert best.order_up_to == stats.poisson.ppf(0.9, 21)
    assert best.reorder_point == best.order_up_to - 1


def test_of_reorder_points_that_cost_the_same_the_published_one_is_taken() -> None:
    """Zheng and Federgruen (1991), mean 75: from 86 demand jumps below 67 … 85 alike."""
    best = min_max.poisson(75, 0, 1, 9, 64)
    assert (best.reorder_point, best.order_up_to) == (67, 86)
    costs = min_max.cost([67, 70, 80, 85], 86, Demand.poisson(75), 0, 1, 9, 64)
    np.testing.assert_allclose(costs, best.cost, rtol=1e-9)


def test_extremes_are_answered_or_refused() -> None:
    best = min_max.poisson([1e6, 1e-6, 20, 20], [0, 0, 0, 2], 1, [9, 9, 9, 1e9], 64)
    assert np.isfinite(best.cost).all()
    assert best.order_up_to[1] == 0  # nothing on the shelf for one unit in a million periods
    assert best.cost[1] == pytest.approx(1e-6 * (64 + 9), rel=1e-5)
    too_long = min_max.poisson(1e6, 0, 1, 9, 1e6)
    assert np.isnan([too_long.reorder_point, too_long.order_up_to, too_long.cost]).all()


def test_an_order_cost_that_rises_never_lowers_the_cost_or_the_distance() -> None:
    best = min_max.poisson(8, 1, 1, 9, np.linspace(0, 500, 60))
    assert (np.diff(best.cost) > 0).all()
    distance = best.order_up_to - best.reorder_point
    assert distance[-1] > distance[0]


def test_the_power_approximation_comes_close_to_the_best_and_may_be_truncated() -> None:
    mean = np.array([20.0, 35, 50])
    rule, best = min_max.power_approximation(mean, np.sqrt(mean), 0, 1, 9, 64), min_max.poisson(mean, 0, 1, 9, 64)
    whole = np.rint(rule.reorder_point), np.rint(rule.order_up_to)
    assert (min_max.cost(*whole, Demand.poisson(mean), 0, 1, 9, 64) <= 1.1 * best.cost).all()
    free = min_max.power_approximation(50, 8, 0, 0.18, 0.70, 0.5)
    held = min_max.power_approximation(50, 8, 0, 0.18, 0.70, 0.5, truncate=True)
    assert held.order_up_to == pytest.approx(min(float(free.order_up_to), stats.norm.ppf(0.7 / 0.88, 50, 8)))


def test_where_there_is_no_answer_there_is_nan_and_neighbours_keep_theirs() -> None:
    best = min_max.poisson(
        [6, 0, -1, np.nan, 6, 6, 6], [0, 0, 0, 0, 0.5, 0, 0], [1, 1, 1, 1, 1, 0, 1], 4, [5] * 6 + [np.nan]
    )
    assert np.isnan(best.cost).tolist() == [False] + [True] * 6
    assert best.order_up_to[0] == 10
    assert np.isnan(min_max.cost([4.5, 4, 10], [10, 10.5, 10], Demand.poisson(6), 0, 1, 4, 5)).all()
    assert np.isnan(min_max.power_approximation(50, 0, 0, 1, 9, 5).order_up_to)
    assert np.isnan(min_max.discrete([1.0], 0, 1, 9, 5).cost)


def test_calls_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="demand is continuous"):
        min_max.optimal(Demand.normal(5, 1), 0, 1, 9, 5)
    with pytest.raises(ValueError, match="lead_time must be a whole number"):
        min_max.discrete([0.5, 0.5], -1, 1, 9, 5)
    with pytest.raises(ValueError, match="sum to 1"):
        min_max.discrete([0.5, 0.6], 0, 1, 9, 5)


def test_threads_change_nothing() -> None:
    draw = np.random.default_rng(2)
    numbers = draw.gamma(1, 9, 300), draw.integers(0, 3, 300), 1, draw.uniform(1, 40, 300), 30
    one, two = min_max.poisson(*numbers), min_max.poisson(*numbers, parallel=True)
    np.testing.assert_array_equal(one.cost, two.cost)
