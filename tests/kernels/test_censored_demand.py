"""Fits to sold-out periods against a general optimiser, and against the demand that made them."""

import numpy as np
import pytest
import scipy.optimize
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as some

from fullshelf.kernels.censored_demand import negative_binomial_fit, poisson_fit
from fullshelf.kernels.kaplan_meier import kaplan_meier


def likelihood(reference, sales, censored):
    return reference.logpmf(sales[~censored]).sum() + reference.logsf(sales[censored] - 1).sum()


def sold_out(rng, draw, n, stock):
    demand = draw(rng, n)
    limit = rng.integers(stock // 2, stock + 1, n)
    return demand, np.minimum(demand, limit).astype(float), demand >= limit


@settings(max_examples=30, deadline=None)
@given(seed=some.integers(0, 10_000), rate=some.floats(0.2, 60), stock=some.integers(1, 80))
def test_the_poisson_fit_is_the_top_of_the_likelihood(seed, rate, stock):
    rng = np.random.default_rng(seed)
    _, sales, censored = sold_out(rng, lambda r, n: r.poisson(rate, n), 30, stock)
    fit = poisson_fit(sales, censored)
    if censored.all():
        assert np.isnan(fit.mean)
        return
    assert fit.mean_sales == pytest.approx(sales.mean())
    assert fit.mean >= fit.mean_sales * (1 - 1e-12)
    if sales.max() > 0:
        assert fit.log_likelihood == pytest.approx(likelihood(st.poisson(fit.mean), sales, censored), rel=1e-9)
        for other in (0.999, 1.001):
            assert likelihood(st.poisson(fit.mean * other), sales, censored) <= fit.log_likelihood + 1e-9


@pytest.mark.parametrize("seed", range(6))
def test_the_negative_binomial_fit_is_the_top_of_the_likelihood(seed):
    rng = np.random.default_rng(seed)
    _, sales, censored = sold_out(rng, lambda r, n: r.negative_binomial(1.2, 0.15, n), 80, 14)
    fit = negative_binomial_fit(sales, censored)

    def minus(point):
        mean, extra = np.exp(point)
        return -likelihood(st.nbinom(mean / extra, 1 / (1 + extra)), sales, censored)

    found = scipy.optimize.minimize(
        minus, np.log([sales.mean(), 3.0]), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
    )
    assert fit.log_likelihood == pytest.approx(-found.fun, abs=1e-7)
    assert fit.mean == pytest.approx(np.exp(found.x[0]), rel=1e-4)
    assert fit.variance / fit.mean - 1 == pytest.approx(np.exp(found.x[1]), rel=1e-3)


def test_without_sold_out_periods_the_fits_are_the_plain_ones():
    sales = np.array([0, 2, 1, 7, 3, 0, 0, 12, 1, 1.0])
    assert poisson_fit(sales, False).mean == pytest.approx(sales.mean(), rel=1e-14)
    assert negative_binomial_fit(sales, False).mean == pytest.approx(sales.mean(), rel=1e-6)
    even = np.array([3, 3, 4, 3, 2, 3, 3, 4.0])
    fit = negative_binomial_fit(even, False)
    assert fit.variance == fit.mean == pytest.approx(even.mean())


def test_the_fits_find_the_demand_behind_sold_out_shelves():
    rng = np.random.default_rng(3)
    demand, sales, censored = sold_out(rng, lambda r, n: r.negative_binomial(2.0, 0.2, n), 40 * 250, 12)
    rows = (sales.reshape(40, 250), censored.reshape(40, 250))
    fit = negative_binomial_fit(*rows)
    assert fit.mean.mean() == pytest.approx(demand.mean(), rel=0.03)
    assert fit.mean_sales.mean() < 0.8 * demand.mean()
    threaded = negative_binomial_fit(*rows, parallel=True)
    np.testing.assert_array_equal(fit.mean, threaded.mean)
    assert negative_binomial_fit(rows[0][7], rows[1][7]).mean == fit.mean[7]


def test_what_cannot_be_fitted_answers_no_number_and_harms_no_neighbour():
    sales = [[1.0, 2.0], [1.0, 2.0], [np.nan, np.nan], [1.5, 2.0], [-1.0, 2.0], [0.0, 0.0], [0.0, 3.0]]
    censored = [[0, 0], [1, 1], [0, 0], [0, 0], [0, 0], [0, 1], [1, 0]]
    for fit in (poisson_fit(sales, censored), negative_binomial_fit(sales, censored)):
        np.testing.assert_allclose(fit.mean, [1.5, np.nan, np.nan, np.nan, np.nan, 0.0, 3.0])
    with pytest.raises(ValueError, match="True or False"):
        poisson_fit([1.0, 2.0], [0, 2])
    with pytest.raises(ValueError, match="at least one period"):
        poisson_fit([], [])


@settings(max_examples=40, deadline=None)
@given(
    sales=some.lists(some.tuples(some.integers(0, 9), some.booleans()), min_size=1, max_size=20),
    level=some.floats(0.05, 0.95),
)
def test_the_product_limit_matches_its_definition(sales, level):
    values = np.array([value for value, _ in sales], dtype=float)
    censored = np.array([flag for _, flag in sales])
    estimate = kaplan_meier(values, censored)
    share, expected = 1.0, {}
    for value in np.unique(values):
        share *= 1 - ((values == value) & ~censored).sum() / (values >= value).sum()
        expected[value] = share
    n = len(expected)
    assert estimate.values[:n].tolist() == list(expected)
    np.testing.assert_allclose(estimate.survival[:n], list(expected.values()), rtol=1e-12, atol=1e-15)
    assert np.isnan(estimate.values[n:]).all()
    enough = [value for value, above in expected.items() if above <= 1 - level + 1e-12]
    np.testing.assert_equal(estimate.quantile(level), enough[0] if enough else np.nan)


def test_products_are_estimated_side_by_side():
    estimate = kaplan_meier([[1.0, 2.0, np.nan], [5.0, np.nan, np.nan]], [[0, 0, 0], [1, 0, 0]])
    np.testing.assert_array_equal(estimate.quantile([0.5, 0.5]), [1.0, np.nan])


def test_kaplan_meier_quantiles_of_several_levels_are_those_of_each():
    sales = np.array([[2, 3, 4, 5, 6.0], [1, 1, 2, np.nan, np.nan]])
    estimate = kaplan_meier(sales, [[0, 0, 0, 0, 1], [0, 0, 0, 0, 0]])
    levels = np.array([0.1, 0.5, 0.7, 0.9])
    together = estimate.quantile(levels[:, None])
    assert together.shape == (4, 2)
    for row, level in zip(together, levels, strict=True):
        np.testing.assert_array_equal(row, estimate.quantile(level))
    assert np.isnan(together[3, 0])
    assert together[:, 1].tolist() == [1, 1, 2, 2]
