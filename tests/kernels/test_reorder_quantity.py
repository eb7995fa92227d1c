import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from fullshelf.kernels import reorder_heuristics as rules
from fullshelf.kernels import reorder_quantity as exact

GAUSS = np.polynomial.legendre.leggauss(200)
COSTS = st.tuples(st.floats(0.2, 5), st.floats(0.1, 50), st.floats(0.1, 100))


def position_cost(y, distribution, h: float, p: float) -> float:
    """G(y) by summing or integrating over demand."""
    if isinstance(distribution.dist, stats.rv_discrete):
        units = np.arange(int(distribution.ppf(1 - 1e-15)) + 2)
        return float(distribution.pmf(units) @ (h * np.maximum(y - units, 0) + p * np.maximum(units - y, 0)))
    low, high = distribution.ppf([1e-18, 1 - 1e-16])
    points, weights = GAUSS
    held = (
        0.5 * (y - min(low, y)) * weights @ distribution.cdf(0.5 * (y + min(low, y)) + 0.5 * (y - min(low, y)) * points)
    )
    top = max(high, y)
    return h * held + p * 0.5 * (top - y) * weights @ distribution.sf(0.5 * (y + top) + 0.5 * (top - y) * points)


@settings(max_examples=25, deadline=None)
@given(st.floats(0.05, 12), st.floats(0, 3), COSTS)
def test_no_whole_policy_is_cheaper_for_poisson_demand(rate: float, lead_time: float, costs) -> None:
    h, p, k = costs
    found = exact.poisson(rate, lead_time, h, p, k)
    distribution = stats.poisson(rate * lead_time)
    low, high = int(found.reorder_point) - 3, int(found.reorder_point + found.order_quantity) + 4
    cost = np.array([position_cost(y, distribution, h, p) for y in range(low + 1, high + 1)])
    total = np.concatenate([[0.0], np.cumsum(cost)])
    size = np.arange(total.size) - np.arange(total.size)[:, None]
    average = (rate * k + total - total[:, None])[size > 0] / size[size > 0]
    best = average.min()
    assert found.cost == pytest.approx(best, rel=1e-9)
    same = exact.poisson_cost(found.reorder_point, found.order_quantity, rate, lead_time, h, p, k)
    assert same == pytest.approx(found.cost, rel=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.floats(1, 2000), st.floats(0.01, 1.0), st.floats(0.01, 4), COSTS)
def test_no_policy_is_cheaper_for_normal_demand(rate: float, spread: float, lead_time: float, costs) -> None:
    h, p, k = costs
    sd = spread * rate
    found = exact.normal(rate, sd, lead_time, h, p, k)
    step = 0.01 * (sd * np.sqrt(lead_time) + float(found.order_quantity))
    for r in (-step, 0, step):
        for q in (-step, 0, step):
            quantity = max(float(found.order_quantity) + q, 1e-3)
            other = exact.normal_cost(found.reorder_point + r, quantity, rate, sd, lead_time, h, p, k)
            assert other >= found.cost * (1 - 1e-12)
    least = exact.normal_cost(found.reorder_point, found.order_quantity, rate, sd, lead_time, h, p, k)
    assert least == pytest.approx(found.cost, rel=1e-12)
    again = exact.normal_reorder_point(found.order_quantity, rate, sd, lead_time, h, p)
    assert again == pytest.approx(found.reorder_point, rel=1e-9, abs=1e-9 * rate)


def test_the_cost_of_a_policy_is_that_of_the_integral() -> None:
    h, p, k, rate, sd, lead_time = 0.225, 7.5, 8, 1300, 150, 1 / 12
    distribution = stats.norm(rate * lead_time, sd * np.sqrt(lead_time))
    for r, q in ((100, 250), (0, 40), (300, 1)):
        points, weights = np.polynomial.legendre.leggauss(60)
        area = (
            0.5
            * q
            * sum(
                w * position_cost(r + 0.5 * q * (1 + x), distribution, h, p)
                for x, w in zip(points, weights, strict=True)
            )
        )
        assert exact.normal_cost(r, q, rate, sd, lead_time, h, p, k) == pytest.approx((k * rate + area) / q, rel=1e-7)


def test_the_optimum_is_that_of_a_general_minimiser() -> None:
    h, p, k, rate, sd, lead_time = 0.3, 6.0, 40, 500, 120, 0.2
    found = exact.normal(rate, sd, lead_time, h, p, k)
    other = optimize.minimize(
        lambda x: float(exact.normal_cost(x[0], np.exp(x[1]), rate, sd, lead_time, h, p, k)),
        [100, 5],
        method="Nelder-Mead",
        options={"xatol": 1e-8, "fatol": 1e-12, "maxiter": 4000},
    )
    assert found.cost == pytest.approx(other.fun, rel=1e-9)


def test_without_spread_it_is_the_economic_order_quantity_with_backorders() -> None:
    found = exact.normal(1300, 0, 1 / 12, 0.225, 7.5, 8)
    lot = np.sqrt(2 * 8 * 1300 * (0.225 + 7.5) / (0.225 * 7.5))
    assert found.order_quantity == pytest.approx(lot)
    assert found.cost == pytest.approx(np.sqrt(2 * 8 * 1300 * 0.225 * 7.5 / (0.225 + 7.5)))


def test_without_order_cost_it_is_base_stock() -> None:
    found = exact.normal(100, 20, 1, 1, 9, 0)
    assert found.order_quantity == 0
    assert found.reorder_point == pytest.approx(stats.norm.ppf(0.9, 100, 20))
    whole = exact.poisson(10, 1, 1, 9, 0)
    assert (whole.order_quantity, whole.reorder_point) == (1, stats.poisson.ppf(0.9, 10) - 1)


def test_means_of_a_million_and_of_a_millionth_are_answered() -> None:
    found = exact.poisson([1e6, 1e-6], 1, 1, 99, [1e6, 1.0])
    near = exact.normal(1e6, 1e3, 1, 1, 99, 1e6)
    assert found.cost[0] == pytest.approx(near.cost, rel=1e-5)
    assert found.cost[1] == pytest.approx(1e-6 + 1e-6 * 99, rel=1e-5) or found.order_quantity[1] == 1


def test_the_shortage_and_order_cost_push_the_way_they_must() -> None:
    rising = exact.poisson(20, 1, 1, np.geomspace(0.5, 1e9, 40), 50)
    assert (np.diff(rising.reorder_point + rising.order_quantity) >= 0).all()
    lots = exact.normal(200, 30, 0.5, 1, 9, np.geomspace(0.01, 1e6, 40))
    assert (np.diff(lots.order_quantity) > 0).all()
    assert (np.diff(lots.cost) > 0).all()


def test_zheng_s_bound_on_the_cost_of_a_simple_quantity_holds() -> None:
    draw = np.random.default_rng(1)
    numbers = draw.uniform(10, 1000, 200), draw.uniform(1, 300, 200), draw.uniform(0.05, 3, 200)
    costs = draw.uniform(0.1, 2, 200), draw.uniform(1, 50, 200), draw.uniform(1, 500, 200)
    simple, best = rules.eoq_with_backorders(*numbers, *costs), exact.normal(*numbers, *costs)
    assert (simple.cost >= best.cost * (1 - 1e-12)).all()
    assert (simple.cost <= 1.125 * best.cost).all()


def test_the_iterated_rules_solve_their_equations() -> None:
    rate, sd, lead_time, h, p, k = 1300, 150, 1 / 12, 0.225, 7.5, 8
    mean, spread = rate * lead_time, sd * np.sqrt(lead_time)
    rule = rules.expected_inventory_level(rate, sd, lead_time, h, p, k)
    assert stats.norm.sf(rule.reorder_point, mean, spread) == pytest.approx(rule.order_quantity * h / (p * rate))
    rule = rules.loss_function(rate, sd, lead_time, h, p, k)
    z = (float(rule.reorder_point) - mean) / spread
    loss = spread * (stats.norm.pdf(z) - z * stats.norm.sf(z))
    assert loss == pytest.approx(h * rule.order_quantity / (h + p))


def test_where_there_is_no_answer_there_is_nan_and_neighbours_keep_theirs() -> None:
    found = exact.poisson(
        [1.5, 0, np.nan, 1.5, 1.5, 1.5], [2, 2, 2, -1, 2, 2], [20, 20, 20, 20, 0, 20], 150, [100] * 5 + [-1]
    )
    assert np.isnan(found.cost).tolist() == [False, True, True, True, True, True]
    assert np.isnan(exact.normal(100, [-1, np.inf], 1, 1, 9, 5).cost).all()
    assert np.isnan(exact.poisson_cost([1.5, 1], [3, 0], 1, 1, 1, 9, 5)).all()
    too_cheap = rules.expected_inventory_level(10, 3, 1, 5, 0.1, 100)
    assert np.isnan([too_cheap.reorder_point, too_cheap.order_quantity, too_cheap.cost]).all()


def test_threads_change_nothing() -> None:
    draw = np.random.default_rng(2)
    numbers = draw.gamma(1, 9, 2000), draw.uniform(0, 3, 2000), 1, draw.uniform(1, 40, 2000), 30
    one, two = exact.poisson(*numbers), exact.poisson(*numbers, parallel=True)
    np.testing.assert_array_equal(one.cost, two.cost)
    np.testing.assert_array_equal(one.reorder_point, two.reorder_point)
