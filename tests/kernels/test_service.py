"""Service levels, safety stocks, lead-time moments and pooling against enumeration and simulation."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as some

from fullshelf.kernels.distributions import Demand
from fullshelf.kernels.lead_time_moments import lead_time_moments
from fullshelf.kernels.newsvendor import normal
from fullshelf.kernels.pooling import pooling
from fullshelf.kernels.service import (
    cycle_service_stock,
    fill_rate_safety_stock,
    fill_rate_stock,
    marginal_fill_rate,
    safety_factor,
    safety_stock,
    service_levels,
)


def loss(k):
    return st.norm.pdf(k) - k * st.norm.sf(k)


def test_cycle_service_factors_are_normal_quantiles():
    levels = np.array([0.0, 0.5, 0.9, 1 - 1e-9, 1.0])
    np.testing.assert_allclose(safety_factor(levels), st.norm.ppf(levels), rtol=1e-12, atol=1e-15)
    assert np.isnan(safety_factor([-0.1, 1.1])).all()
    answer = safety_stock([10.0, 0.0, -1.0], 0.95)
    np.testing.assert_allclose(answer.units, [16.44853627, 0.0, np.nan])


@settings(max_examples=50, deadline=None)
@given(fill=some.floats(0.3, 0.99999), lot=some.floats(1, 1e4), sd=some.floats(0.1, 1e4))
def test_fill_rate_factors_solve_their_equations(fill, lot, sd):
    short = lot * (1 - fill) / sd
    plain = fill_rate_safety_stock(fill, lot, sd)
    assert loss(plain.factor) == pytest.approx(short, rel=1e-8)
    assert plain.units == pytest.approx(plain.factor * sd)
    exact = fill_rate_safety_stock(fill, lot, sd, exact=True)
    if exact.factor > -1e3:
        assert loss(exact.factor) - loss(exact.factor + lot / sd) == pytest.approx(short, rel=1e-7)
    assert exact.factor <= plain.factor + 1e-9
    lost = fill_rate_safety_stock(fill, lot, sd, lost_sales=True)
    assert loss(lost.factor) == pytest.approx(short / fill, rel=1e-8)


def test_the_exact_fill_rate_is_what_a_simulated_warehouse_serves():
    rng = np.random.default_rng(8)
    lot, sd, mean = 60.0, 40.0, 100.0
    point = mean + fill_rate_safety_stock(0.92, lot, sd, exact=True).units
    # Inventory position is uniform between point and point + lot; what is short at both ends of a cycle differs by
    # what was not served.
    position = rng.uniform(point, point + lot, 400_000)
    demand = rng.normal(mean, sd, position.size)
    step = 1e-3 * lot
    unserved = (np.maximum(demand + step - position, 0) - np.maximum(demand - position, 0)).mean() / step
    assert 1 - unserved == pytest.approx(0.92, abs=0.003)


def test_fill_rates_at_the_edge_of_the_possible():
    answer = fill_rate_safety_stock(
        [1.0, 0.9, 0.9, 1.2, 0.9], [50.0, 50.0, 0.0, 50.0, 50.0], [10.0, 0.0, 10.0, 10.0, -1.0]
    )
    np.testing.assert_allclose(answer.units, [np.inf, -5.0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(answer.factor, [np.inf, np.nan, np.nan, np.nan, np.nan])
    with pytest.raises(ValueError, match="choose one"):
        fill_rate_safety_stock(0.9, 1.0, 1.0, exact=True, lost_sales=True)


@settings(max_examples=50, deadline=None)
@given(mean=some.floats(0.01, 500), variation=some.floats(0.05, 3), fill=some.floats(0.01, 0.9999))
def test_the_stock_for_a_fill_rate_is_the_smallest_that_keeps_it(mean, variation, fill):
    for demand in (
        Demand.poisson(mean),
        Demand.negative_binomial(mean, mean * (1 + 4 * variation)),
        Demand.gamma(mean, variation * mean),
        Demand.normal(mean, 0.2 * mean),
    ):
        stock = fill_rate_stock(demand, fill)
        reached = service_levels(demand, stock).fill_rate
        if demand.discrete:
            assert stock == np.floor(stock)
            assert reached >= fill - 1e-9
            assert stock == 0 or service_levels(demand, stock - 1).fill_rate < fill + 1e-9
        else:
            assert reached == pytest.approx(fill, rel=1e-9)
        assert fill_rate_stock(demand, fill + 0.5 * (1 - fill)) >= stock


def test_promises_at_their_ends():
    assert fill_rate_stock(Demand.poisson([3.0, 0.0, -1.0]), 1.0).tolist()[:2] == [np.inf, 0.0]
    assert np.isnan(fill_rate_stock(Demand.poisson(-1.0), 0.9))
    assert np.isnan(fill_rate_stock(Demand.poisson(3.0), 1.1))
    assert fill_rate_stock(Demand.uniform(0.0, 10.0), 1.0) == 10.0
    assert fill_rate_stock(Demand.poisson(3.0), 0.0) == 0.0
    assert cycle_service_stock(Demand.poisson(3.0), 0.9) == 5.0
    assert np.isnan(service_levels(Demand.poisson(0.0), 1.0).fill_rate)


@pytest.mark.parametrize("demand", [Demand.poisson(2.0), Demand.negative_binomial(2.0, 7.0)])
def test_the_units_of_a_stock_serve_what_the_stock_serves(demand):
    shares = marginal_fill_rate(demand, np.arange(1, 400))
    assert shares.sum() == pytest.approx(1.0, rel=1e-9)
    np.testing.assert_allclose(np.cumsum(shares)[:30], service_levels(demand, np.arange(1, 31)).fill_rate, rtol=1e-10)


def test_continuous_demand_is_served_at_a_rate():
    demand = Demand.gamma(10.0, 6.0)
    grid = np.linspace(0, 12, 20_001)
    served = np.trapezoid(marginal_fill_rate(demand, grid), grid)
    assert served == pytest.approx(service_levels(demand, 12.0).fill_rate, rel=1e-7)


@pytest.mark.parametrize("correlation", [-0.9, -0.3, 0.0, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("periods", [1, 2, 7, 30])
def test_lead_time_deviation_is_that_of_the_whole_covariance(correlation, periods):
    lags = np.abs(np.subtract.outer(np.arange(periods), np.arange(periods)))
    expected = 3.0 * np.sqrt((correlation ** lags.astype(float)).sum())
    answer = lead_time_moments(5.0, 3.0, periods, correlation=correlation)
    assert answer.sd == pytest.approx(expected, rel=1e-10)
    assert answer.mean == 5.0 * periods
    between = lead_time_moments(5.0, 3.0, periods + 0.5, correlation=correlation).sd
    after = lead_time_moments(5.0, 3.0, periods + 1, correlation=correlation).sd
    assert between**2 == pytest.approx((expected**2 + after**2) / 2, rel=1e-10)


def test_random_lead_times_add_their_own_variance():
    rng = np.random.default_rng(1)
    lead = rng.choice([2, 3, 7], 200_000)
    totals = rng.normal(20 * lead, 6 * np.sqrt(lead))
    answer = lead_time_moments(20.0, 6.0, lead.mean(), lead.std())
    assert answer.sd == pytest.approx(totals.std(), rel=0.01)
    assert np.isnan(lead_time_moments(1.0, [-1.0, 1.0, 1.0], [1.0, -1.0, 1.0], 0.0, [0.0, 0.0, 1.5]).sd).all()


def test_pooled_cost_is_the_newsvendors_for_the_total():
    sd = np.array([10.0, 30.0, 25.0])
    for correlation in (-0.5, 0.0, 0.4, 1.0):
        covariance = np.outer(sd, sd) * np.where(np.eye(3) == 1, 1.0, correlation)
        answer = pooling(sd, 9.0, 1.0, correlation)
        assert answer.pooled_sd == pytest.approx(np.sqrt(max(covariance.sum(), 0.0)), abs=1e-6)
        assert answer.pooled_cost == pytest.approx(normal(0.0, answer.pooled_sd, 9.0, 1.0).cost)
        assert answer.separate_cost == pytest.approx(normal(0.0, sd, 9.0, 1.0).cost.sum())
    assert answer.pooled_cost == pytest.approx(answer.separate_cost)
    assert np.isnan(pooling(sd, 9.0, 1.0, [-0.6, 1.1]).pooled_cost).all()
    with pytest.raises(ValueError, match="each location"):
        pooling(3.0, 9.0, 1.0)


def test_the_inverse_of_a_loss_agrees_with_a_root_finder():
    for target in (1e-12, 1e-3, 0.3, 0.5, 4.0):
        root = scipy.optimize.brentq(lambda k, t=target: loss(k) - t, -10, 9, xtol=1e-13)
        assert fill_rate_safety_stock(1 - target / 100, 100.0, 1.0).factor == pytest.approx(
            root, abs=2e-4 if target < 1e-9 else 1e-8
        )


def test_certain_demand_needs_no_safety_stock_whatever_the_promise():
    assert safety_stock(0.0, [0.0, 0.5, 1.0]).units.tolist() == [0.0, 0.0, 0.0]
    assert np.isnan(safety_stock([0.0, -1.0], [np.nan, 0.5]).units).all()


def test_a_fill_rate_of_zero_is_kept_with_returns_as_well():
    stock = fill_rate_stock(Demand.normal(50, 20), 0.0)
    assert service_levels(Demand.normal(50, 20), stock).fill_rate == pytest.approx(0.0, abs=1e-12)
    assert [float(fill_rate_stock(demand, 0.0)) for demand in (Demand.poisson(5), Demand.gamma(5, 3))] == [0.0, 0.0]
