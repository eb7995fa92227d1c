"""`Demand` against SciPy and against sums over every outcome, far into the tails."""

import numpy as np
import pytest
import scipy.special as sp
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as some

from fullshelf.kernels.distributions import Demand

LEVELS = np.array([1e-9, 1e-6, 1e-3, 0.1, 0.5, 0.9, 0.99, 1 - 1e-6, 1 - 1e-9])
positive = some.floats(1e-3, 1e4)


def negative_binomial(mean, variance):
    return st.nbinom(mean * mean / (variance - mean), mean / variance)


PAIRS = [
    (Demand.normal(50, 8), st.norm(50, 8)),
    (Demand.poisson(0.01), st.poisson(0.01)),
    (Demand.poisson(3.7), st.poisson(3.7)),
    (Demand.poisson(63.9), st.poisson(63.9)),
    (Demand.poisson(65.0), st.poisson(65.0)),
    (Demand.poisson(1e6), st.poisson(1e6)),
    (Demand.negative_binomial(0.2, 3.0), negative_binomial(0.2, 3.0)),
    (Demand.negative_binomial(5.0, 15.0), negative_binomial(5.0, 15.0)),
    (Demand.negative_binomial(40.0, 41.0), negative_binomial(40.0, 41.0)),
    (Demand.negative_binomial(900.0, 90_000.0), negative_binomial(900.0, 90_000.0)),
    (Demand.negative_binomial(1e5, 1.5e5), negative_binomial(1e5, 1.5e5)),
    (Demand.gamma(50.0, 25.0), st.gamma(4.0, scale=12.5)),
    (Demand.gamma(3.0, 9.0), st.gamma(1 / 9, scale=27.0)),
    (Demand.gamma(1e4, 100.0), st.gamma(1e4, scale=1.0)),
    (Demand.lognormal(6.0, 0.3), st.lognorm(0.3, scale=np.exp(6.0))),
    (Demand.uniform(-2.0, 6.0), st.uniform(-2.0, 8.0)),
]


@pytest.mark.parametrize(("demand", "reference"), PAIRS)
def test_probabilities_quantiles_and_moments_match_scipy(demand, reference):
    quantiles = reference.ppf(LEVELS)
    np.testing.assert_allclose(demand.quantile(LEVELS), quantiles, rtol=1e-10)
    np.testing.assert_allclose(demand.upper_quantile(LEVELS[::-1]), reference.isf(LEVELS[::-1]), rtol=1e-10)
    np.testing.assert_allclose(demand.cdf(quantiles), reference.cdf(quantiles), rtol=1e-9)
    # SciPy itself is off by 7e-6 in the upper tail of a Poisson mean of 1e6; the sum below is not.
    np.testing.assert_allclose(demand.sf(quantiles), reference.sf(quantiles), rtol=1e-5 if demand.mean > 5e5 else 1e-9)
    density = reference.pmf(quantiles) if demand.discrete else reference.pdf(quantiles)
    np.testing.assert_allclose(demand.density(quantiles), density, rtol=1e-8)
    assert demand.mean == pytest.approx(reference.mean(), rel=1e-13)
    assert demand.variance == pytest.approx(reference.var(), rel=1e-12)


def test_the_tails_of_large_poisson_means_are_the_sum_of_their_probabilities():
    demand = Demand.poisson(1e6)
    for stock in (1_003_000, 1_006_000, 1_010_000):
        above = demand.density(np.arange(stock + 1.0, stock + 40_000))
        assert demand.sf(stock) == pytest.approx(above[::-1].sum(), rel=1e-12)
        below = demand.density(np.arange(1_960_000.0 - stock, 2_000_000.0 - stock + 1))
        assert demand.cdf(2_000_000 - stock) == pytest.approx(below.sum(), rel=1e-12)


@pytest.mark.parametrize(("demand", "reference"), [pair for pair in PAIRS if pair[0].discrete and pair[0].mean < 2000])
def test_losses_of_discrete_demand_match_the_sum_over_every_outcome(demand, reference):
    outcomes = np.arange(reference.ppf(1 - 1e-15) * 2 + 50)
    mass = reference.pmf(outcomes)
    for x in (-2.0, 0.0, 1.0, *np.floor(reference.ppf([0.3, 0.9, 0.999, 1 - 1e-7]))):
        above, below = np.maximum(outcomes - x, 0), np.maximum(x - outcomes, 0)
        assert demand.loss(x) == pytest.approx((above * mass).sum(), rel=1e-7, abs=1e-11)
        assert demand.leftover(x) == pytest.approx((below * mass).sum(), rel=1e-7, abs=1e-11)
        half = x + 0.25
        assert demand.loss(half) == pytest.approx((np.maximum(outcomes - half, 0) * mass).sum(), rel=1e-7, abs=1e-11)
        second = (above * np.maximum(outcomes - x - 1, 0) * mass).sum() / 2
        assert demand.second_loss(x) == pytest.approx(second, rel=1e-6, abs=1e-8)
        second = (below * np.maximum(x + 1 - outcomes, 0) * mass).sum() / 2
        assert demand.second_leftover(x) == pytest.approx(second, rel=1e-6, abs=1e-8)
    assert np.isnan(demand.second_loss(1.5))


@pytest.mark.parametrize(("demand", "reference"), [pair for pair in PAIRS if not pair[0].discrete])
def test_losses_of_continuous_demand_match_the_integral_over_quantiles(demand, reference):
    # E[g(X)] is the integral of g over the quantiles; Gauss-Legendre in pieces towards both ends.
    nodes, weights = np.polynomial.legendre.leggauss(60)
    edges = np.concatenate([10.0 ** np.arange(-15, 0), [0.5]])
    edges = np.concatenate([[0.0], edges])
    middle, half = (edges[1:] + edges[:-1]) / 2, np.diff(edges) / 2
    p = (middle[:, None] + half[:, None] * nodes).ravel()
    w = (half[:, None] * weights).ravel()
    x = np.concatenate([reference.ppf(p), reference.isf(p)])
    w = np.concatenate([w, w])
    for stock in (*reference.ppf([0.05, 0.5, 0.8, 0.999]), reference.mean() - 10 * reference.std()):
        above, below = np.maximum(x - stock, 0), np.maximum(stock - x, 0)
        unit = reference.std()
        assert demand.loss(stock) == pytest.approx((above * w).sum(), rel=1e-3, abs=1e-3 * unit)
        assert demand.leftover(stock) == pytest.approx((below * w).sum(), rel=1e-3, abs=1e-3 * unit)
        assert demand.loss(stock) - demand.leftover(stock) == pytest.approx(reference.mean() - stock, rel=1e-12)
        assert demand.second_loss(stock) == pytest.approx((above**2 * w).sum() / 2, rel=3e-3, abs=1e-3 * unit**2)
        total = demand.second_loss(stock) + demand.second_leftover(stock)
        assert total == pytest.approx((reference.var() + (reference.mean() - stock) ** 2) / 2, rel=1e-11)


@settings(max_examples=60, deadline=None)
@given(mean=positive, extra=some.floats(0.0, 50.0), level=some.floats(1e-9, 1 - 1e-9))
def test_a_discrete_quantile_is_the_first_stock_that_reaches_the_level(mean, extra, level):
    demand = Demand.negative_binomial(mean, mean * (1 + extra)) if extra else Demand.poisson(mean)
    stock = demand.quantile(level)
    assert demand.cdf(stock) >= level * (1 - 1e-10)
    assert stock == 0 or demand.cdf(stock - 1) < level * (1 + 1e-10)


@settings(max_examples=40, deadline=None)
@given(mean=positive, variation=some.floats(0.05, 20.0), level=some.floats(1e-9, 1 - 1e-9))
def test_a_gamma_quantile_undoes_the_distribution_function(mean, variation, level):
    demand = Demand.gamma(mean, mean * variation)
    stock = demand.quantile(level)
    if stock > 1e-250:
        assert min(demand.cdf(stock), demand.sf(stock)) == pytest.approx(min(level, 1 - level), rel=1e-7)


def test_the_negative_binomial_becomes_poisson_as_the_extra_variance_vanishes():
    for extra in (0.0, 1e-15, 1e-12, 1e-9):
        nearly, poisson = Demand.negative_binomial(20.0, 20.0 * (1 + extra)), Demand.poisson(20.0)
        np.testing.assert_allclose(nearly.cdf(np.arange(50.0)), poisson.cdf(np.arange(50.0)), rtol=1e-7)
        np.testing.assert_array_equal(nearly.quantile(LEVELS), poisson.quantile(LEVELS))


CERTAIN = [
    Demand.normal(7.0, 0.0),
    Demand.gamma(7.0, 0.0),
    Demand.lognormal(np.log(7.0), 0.0),
    Demand.uniform(7.0, 7.0),
]


@pytest.mark.parametrize("demand", CERTAIN)
def test_zero_spread_is_a_certain_demand(demand):
    assert demand.quantile([1e-9, 0.5, 1.0]) == pytest.approx([7.0] * 3)
    assert demand.loss([2.0, 9.0]) == pytest.approx([5.0, 0.0])
    assert demand.leftover([2.0, 9.0]) == pytest.approx([0.0, 2.0])
    assert demand.cdf([6.9, 7.1]).tolist() == [0.0, 1.0]


def test_no_demand_at_all_needs_no_stock():
    for demand in (Demand.poisson(0.0), Demand.negative_binomial(0.0, 0.0), Demand.gamma(0.0, 0.0)):
        assert demand.quantile(0.999) == 0.0
        assert demand.loss(0.0) == 0.0
        assert demand.second_leftover(3.0) == pytest.approx(6.0 if demand.discrete else 4.5)


def test_impossible_parameters_answer_no_number_and_harm_no_neighbour():
    for demand in (
        Demand.normal([5.0, 5.0, np.nan], [1.0, -1.0, 1.0]),
        Demand.poisson([5.0, -1.0, np.inf]),
        Demand.negative_binomial([5.0, 5.0, 0.0], [6.0, 4.9, 2.0]),
        Demand.gamma([5.0, -5.0, 0.0], [6.0, 1.0, 2.0]),
        Demand.gamma_shape([5.0, -5.0, np.nan], [6.0, 1.0, 2.0]),
        Demand.lognormal([5.0, 1.0, np.nan], [0.1, -0.1, 1.0]),
        Demand.uniform([5.0, 5.0, np.nan], [6.0, 4.0, 1.0]),
    ):
        for answer in (demand.mean, demand.cdf(3), demand.quantile(0.7), demand.loss(3), demand.second_loss(3)):
            assert np.isnan(answer).tolist() == [False, True, True]


def test_levels_outside_of_the_unit_interval_answer_no_number():
    for demand, _ in PAIRS:
        assert np.isnan(demand.quantile([-0.1, 1.1, np.nan])).all()


def test_answers_have_the_broadcast_shape_and_scalars_answer_scalars():
    demand = Demand.normal(np.array([[1.0], [2.0]]), np.array([1.0, 2.0, 3.0]))
    assert demand.cdf(0.0).shape == (2, 3)
    assert np.ndim(Demand.poisson(4.0).cdf(2)) == 0
    with pytest.raises(ValueError, match=r"\(2,\).*\(3,\).*do not broadcast"):
        Demand.normal([1.0, 2.0], [1.0, 2.0, 3.0]).cdf(0.0)


def test_the_number_of_threads_and_the_neighbours_change_no_bit():
    rng = np.random.default_rng(5)
    mean = rng.gamma(0.5, 40.0, 70_000)
    levels = rng.uniform(size=mean.size)
    serial = Demand.poisson(mean).quantile(levels)
    np.testing.assert_array_equal(serial, Demand.poisson(mean).quantile(levels, parallel=True))
    order = rng.permutation(mean.size)
    np.testing.assert_array_equal(serial[order], Demand.poisson(mean[order]).quantile(levels[order]))
    assert serial[123] == Demand.poisson(mean[123]).quantile(levels[123])


def test_small_upper_probabilities_of_rarely_sold_items_keep_their_digits():
    for mean, dispersion, units in [(1e-8, 1e4, 1), (1e-8, 1e8, 2), (0.01, 1e8, 1000), (0.01, 50.0, 10)]:
        size, p = mean / (dispersion - 1.0), 1.0 / dispersion
        # P(X > k) added up downwards from where nothing is left, in logarithms
        k = np.arange(units + 1.0, units + 60.0 * dispersion + 60.0) if dispersion < 1e5 else None
        if k is not None:
            logs = sp.gammaln(size + k) - sp.gammaln(size) - sp.gammaln(k + 1) + size * np.log(p) + k * np.log1p(-p)
            expected = np.exp(logs)[::-1].sum()
        else:
            below = np.arange(1.0, units + 1.0)
            logs = sp.gammaln(size + below) - sp.gammaln(size) - sp.gammaln(below + 1)
            some = -np.expm1(size * np.log(p))
            expected = some - np.exp(logs + size * np.log(p) + below * np.log1p(-p)).sum()
        found = Demand.negative_binomial(mean, mean * dispersion).sf(units)
        assert found == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("units", [1e19, 1e200, 1e300, np.inf])
def test_a_stock_beyond_all_counts_is_enough(units):
    for demand in (Demand.poisson(5), Demand.negative_binomial(5, 15)):
        assert (demand.cdf(units), demand.sf(units), demand.density(units), demand.loss(units)) == (1, 0, 0, 0)
        assert demand.leftover(units) == pytest.approx(units)
