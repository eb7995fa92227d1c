import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.levels import LEVELS, level_array
from fullshelf.kernels.quantile_grid import (
    grid_cdf,
    grid_excess,
    grid_mean,
    grid_quantile,
    grid_sd,
    knots,
)

L = level_array()
steps = st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 50)), min_size=len(LEVELS), max_size=len(LEVELS))


def curve(increments):
    return knots(L, np.cumsum(np.array(increments))[None])


def dense(levels, values, n=200_001):
    u = (np.arange(n) + 0.5) / n
    return grid_quantile(levels, np.repeat(values, n, axis=0), u)


@given(increments=steps)
@settings(max_examples=25, deadline=None)
def test_moments_and_excess_are_those_of_many_quantiles(increments):
    levels, values = curve(increments)
    sample = dense(levels, values)
    scale = max(values[0, -1], 1.0)
    assert grid_mean(levels, values)[0] == pytest.approx(sample.mean(), abs=1e-4 * scale)
    assert grid_sd(levels, values)[0] == pytest.approx(sample.std(), abs=1e-2 * scale)
    for x in (-1.0, 0.0, *np.quantile(sample, [0.1, 0.5, 0.93, 0.9999]), scale * 3):
        expected = np.maximum(sample - x, 0).mean()
        assert grid_excess(levels, values, np.array([x]))[0] == pytest.approx(expected, abs=1e-4 * scale)
        assert grid_cdf(levels, values, np.array([x]))[0] == pytest.approx((sample <= x).mean(), abs=1e-4)


@given(increments=steps, level=st.floats(0, 0.9999))
@settings(max_examples=100, deadline=None)
def test_cdf_of_a_quantile_reaches_its_level_and_quantiles_never_fall(increments, level):
    levels, values = curve(increments)
    at = grid_quantile(levels, values, np.array([level]))
    assert grid_cdf(levels, values, at)[0] >= level - 1e-9
    assert grid_quantile(levels, values, np.array([min(level + 1e-3, 0.99999)]))[0] >= at[0]
    assert (np.diff(values[0]) >= 0).all()
    assert values[0, 0] >= 0


@given(increments=steps, factor=st.sampled_from([0.25, 2.0, 1024.0]))
@settings(max_examples=50, deadline=None)
def test_doubling_the_units_doubles_every_number(increments, factor):
    levels, values = curve(increments)
    scaled = knots(L, np.cumsum(np.array(increments))[None] * factor)[1]
    assert (scaled == values * factor).all()
    x = np.array([7.0])
    assert grid_excess(levels, scaled, x * factor)[0] == pytest.approx(factor * grid_excess(levels, values, x)[0])


def test_levels_of_the_forecast_are_given_back_exactly():
    quantiles = np.array([[0.0, 0, 1, 1, 2, 3, 3, 5, 8, 13, 13, 21, 34]])
    levels, values = knots(L, quantiles)
    assert [grid_quantile(levels, values, np.array([u]))[0] for u in LEVELS] == quantiles[0].tolist()


def test_an_atom_is_a_jump_of_the_cdf():
    levels, values = knots(np.array([0.1, 0.6, 0.9]), np.array([[0.0, 0.0, 2.0]]))
    assert grid_cdf(levels, values, np.array([0.0]))[0] == 0.6
    assert grid_cdf(levels, values, np.array([-1e-9]))[0] == 0.0
    assert grid_cdf(levels, values, np.array([1.0]))[0] == pytest.approx(0.75)


def test_upper_tail_of_an_exponential_distribution_is_exact():
    def exponential(u):
        return -3.0 * np.log1p(-np.asarray(u))

    levels, values = knots(L, exponential(L)[None])
    for u in (0.99, 0.999, 1 - 1e-9):
        assert grid_quantile(levels, values, np.array([u]))[0] == pytest.approx(exponential(u), rel=1e-6)
    x = exponential(0.995)
    assert grid_excess(levels, values, np.array([x]))[0] == pytest.approx(3.0 * 0.005, rel=1e-9)


def test_normal_mean_and_deviation_survive_the_grid_within_two_percent():
    stats = pytest.importorskip("scipy.stats")
    levels, values = knots(L, stats.norm.ppf(L, 100, 20)[None])
    assert grid_mean(levels, values)[0] == pytest.approx(100, abs=0.4)
    assert grid_sd(levels, values)[0] == pytest.approx(20, rel=0.05)


def test_lower_tail_never_goes_below_zero_and_follows_the_first_gap():
    _, values = knots(np.array([0.1, 0.2]), np.array([[1.0, 5.0], [50.0, 51.0], [0.0, 0.0]]))
    assert values[:, 0].tolist() == [0.0, 48.0, 0.0]


def test_zero_demand_has_no_tail():
    levels, values = knots(L, np.zeros((1, len(LEVELS))))
    assert grid_quantile(levels, values, np.array([1 - 1e-12]))[0] == 0
    assert grid_excess(levels, values, np.array([0.0]))[0] == 0


def test_level_one_has_no_finite_quantile_unless_demand_is_certain():
    levels, values = knots(L, np.array([np.arange(13.0), np.full(13, 4.0)]))
    assert grid_quantile(levels, values, np.ones(2)).tolist() == [np.inf, 4.0]
