import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.levels import level_array
from fullshelf.kernels.newsvendor_grid import best_quantity
from fullshelf.kernels.order_policies import best_orders
from fullshelf.kernels.quantile_grid import excess_at, grid_cdf, grid_quantile, knots
from fullshelf.kernels.service_targets import cycle_service_of_fill, underage_for_service

L = level_array()


def normal_curve(mean, sd):
    stats = pytest.importorskip("scipy.stats")
    return knots(L, stats.norm.ppf(L, mean, sd)[None])


def best(levels, need, u, o):
    n = len(need)
    terms = (np.full(n, x) for x in (u, u, o, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0, np.inf))
    free, quantity = np.empty(n), np.empty(n)
    best_orders(levels, need, need, np.ones(n, bool), *terms, free, quantity)
    return free


@given(service=st.floats(0.02, 0.995), o=st.floats(0.001, 10))
@settings(max_examples=50, deadline=None)
def test_a_service_level_is_met_by_the_underage_that_it_implies(service, o):
    levels, values = normal_curve(50, 10)
    u = underage_for_service(levels, values, values, np.array([True]), np.array([o]), np.array([service]))
    free = best(levels, values, u[0], o)
    assert grid_cdf(levels, values, free)[0] == pytest.approx(service, abs=1e-6)
    assert free[0] == pytest.approx(grid_quantile(levels, values, np.array([service]))[0], rel=1e-6)


def test_a_service_level_is_met_where_units_left_need_outlast_less_than_what_they_serve():
    levels, values = normal_curve(50, 10)
    outlast = values - 20.0  # a unit left over may cost although the period ends without it
    u = underage_for_service(levels, values, outlast, np.array([False]), np.array([1.0]), np.array([0.9]))
    free = best_quantity(levels, values[0], outlast[0], u[0], 0.0, 1.0, False)
    assert grid_cdf(levels, values, np.array([free]))[0] == pytest.approx(0.9, abs=1e-6)


def test_who_is_promised_nothing_gets_nothing():
    levels, values = normal_curve(50, 10)
    nothing = np.array([np.nan])
    assert np.isnan(underage_for_service(levels, values, values, np.array([True]), np.ones(1), nothing))
    assert np.isnan(cycle_service_of_fill(levels, values, np.ones(1), np.zeros(1), nothing))


@given(fill=st.floats(0.5, 0.9999), there=st.floats(0, 80))
@settings(max_examples=100, deadline=None)
def test_a_fill_rate_leaves_the_shortage_that_it_allows(fill, there):
    levels, values = normal_curve(50, 10)
    values = values - there
    service = cycle_service_of_fill(levels, values, np.array([50.0]), np.zeros(1), np.array([fill]))
    q = grid_quantile(levels, values, service)[0]
    if 1e-5 < service[0] < 1 - 1e-5:
        assert excess_at(levels, values[0], q) == pytest.approx((1 - fill) * 50, rel=1e-3, abs=1e-3)


def test_the_normal_textbook_agrees_where_demand_is_normal():
    """Lots of 200, a deviation of 100: Silver, Pyke and Thomas; the grid of levels is coarse at 0.95 to 0.98."""
    service = pytest.importorskip("fullshelf.kernels.service")
    levels, values = normal_curve(500, 100)
    found = cycle_service_of_fill(levels, values, np.array([200.0]), np.zeros(1), np.array([0.99]))
    k = service.fill_rate_safety_stock(0.99, 200, 100).factor
    assert grid_quantile(levels, values, found)[0] == pytest.approx(500 + 100 * k, abs=5)


def test_lots_that_leave_stock_above_the_least_need_less_of_it():
    levels, values = normal_curve(50, 10)
    wanted, fill = np.array([50.0]), np.array([0.98])
    service = [cycle_service_of_fill(levels, values, wanted, np.array([span]), fill)[0] for span in (0, 20, 100, 400)]
    assert (np.diff(service) < 0).all()
    q = grid_quantile(levels, values, np.array([service[2]]))[0]
    inside = np.linspace(q, q + 100, 2001)
    assert np.mean([excess_at(levels, values[0], x) for x in inside]) == pytest.approx(1.0, rel=0.02)
