import numpy as np
import pytest
from scipy import stats

from fullshelf.kernels.path_distribution import (
    HALF_SHAPE,
    LARGEST,
    add_linear,
    add_logarithmic,
    error_quantiles,
    gamma_shaped,
    innovation_weights,
    settle,
)

LEVELS = np.array([0.05, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99])
SCORES = stats.norm.ppf(LEVELS)


def outputs(H):
    return np.zeros((H, LEVELS.size)), np.zeros((H, LEVELS.size)), np.zeros(H)


def linear(path, variance, ratios=(), largest=np.inf, weight=1.0):
    q, c, m = outputs(len(path))
    past = np.array(ratios, dtype=float)
    add_linear(np.array(path, float), np.array(variance, float), LEVELS, SCORES, past, largest, weight, q, c, m)
    return q, c, m


def logarithmic(path, variance, errors=(), weight=1.0):
    q, c, m = outputs(len(path))
    past = np.array(errors, dtype=float)
    add_logarithmic(np.array(path, float), np.array(variance, float), LEVELS, SCORES, past, weight, q, c, m)
    return q, c, m


def simulated_errors(weights, sigma, count, seed):
    """Errors of H periods that share innovations: (count, H)."""
    H = len(weights)
    shocks = np.random.default_rng(seed).normal(0, sigma, (count, H))
    return np.stack([sum(weights[h - s] * shocks[:, s] for s in range(h + 1)) for h in range(H)], axis=1)


def test_the_gamma_shape_is_close_to_the_exact_quantiles():
    for deviation in (1.0, 10.0, 30.0, 60.0):
        k = (100 / deviation) ** 2
        exact = stats.gamma.ppf(LEVELS, k, scale=100 / k)
        got = [gamma_shaped(100.0, deviation, z) for z in SCORES]
        np.testing.assert_allclose(got, exact, atol=0.013 * deviation)


def test_the_gamma_shape_of_a_mean_of_zero_is_cut_off_at_zero():
    assert gamma_shaped(0.0, 2.0, -1.0) == 0.0
    assert gamma_shaped(0.0, 2.0, 1.0) == 2.0
    assert gamma_shaped(5.0, 0.0, 1.0) == 5.0


@pytest.mark.parametrize("k", [1, 2, 5, 58, 100])
def test_error_quantiles_lie_between_order_statistics(k):
    errors = np.random.default_rng(k).normal(0, 1, k)
    expected = np.quantile(errors, LEVELS, method="weibull")
    got = np.empty(LEVELS.size)
    error_quantiles(errors, LEVELS, got)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)
    assert (np.diff(errors) >= 0).all()


def test_innovation_weights_give_the_variances_back():
    c = np.array([1.0, 0.6, 0.7, 0.1])
    got = np.empty(4)
    innovation_weights(9.0 * np.cumsum(c**2), got)
    np.testing.assert_allclose(got, 3.0 * c)


def test_a_total_has_the_variance_of_errors_that_move_together():
    c, sigma = np.array([1.0, 0.5, 0.5, 0.6, 0.5]), 8.0
    path = np.array([100.0, 120.0, 90.0, 110.0, 100.0])
    q, total, mean = linear(path, sigma**2 * np.cumsum(c**2))
    demand = path + simulated_errors(c, sigma, 200_000, 0)
    np.testing.assert_allclose(mean, path)
    for h in range(5):
        one, sums = demand[:, h], demand[:, : h + 1].sum(1)
        np.testing.assert_allclose(q[h], np.quantile(one, LEVELS), atol=0.2 * one.std())
        np.testing.assert_allclose(total[h], np.quantile(sums, LEVELS), atol=0.2 * sums.std())
        # The shape is a gamma's, the spread is that of the simulated sum.
        k = (path[: h + 1].sum() / sums.std()) ** 2
        np.testing.assert_allclose(
            total[h], stats.gamma.ppf(LEVELS, k, scale=path[: h + 1].sum() / k), atol=0.02 * sums.std()
        )


def test_a_logarithmic_total_has_the_mean_and_spread_of_a_sum_of_log_normals():
    c, sigma = np.array([1.0, 0.4, 0.4, 0.4]), 0.15
    path = np.log([100.0, 120.0, 90.0, 110.0])
    q, total, mean = logarithmic(path, sigma**2 * np.cumsum(c**2))
    demand = np.exp(path + simulated_errors(c, sigma, 200_000, 1))
    np.testing.assert_allclose(mean, demand.mean(0), rtol=0.003)
    for h in range(4):
        np.testing.assert_allclose(q[h], np.quantile(demand[:, h], LEVELS), rtol=0.01)
        np.testing.assert_allclose(total[h], np.quantile(demand[:, : h + 1].sum(1), LEVELS), rtol=0.01)


def test_the_first_total_is_the_first_period():
    q, c, _ = logarithmic([2.0, 2.0], [0.04, 0.05])
    np.testing.assert_allclose(c[0], q[0])
    q, c, _ = linear([7.0, 8.0], [4.0, 5.0])
    np.testing.assert_allclose(c[0], q[0])


def test_past_ratios_take_half_of_the_shape_when_there_are_fifty():
    ratios = np.r_[np.zeros(25), np.full(25, 2.0)]
    q, _, _ = linear([10.0], [4.0], ratios)
    named, _, _ = linear([10.0], [4.0])
    seen = 10.0 * np.quantile(ratios, LEVELS, method="weibull")
    assert ratios.size == HALF_SHAPE
    np.testing.assert_allclose(q[0], (named[0] + seen) / 2, atol=1e-9)


def test_ratios_from_tiny_forecasts_are_bounded_by_what_was_ever_sold():
    q, _, _ = linear([10.0], [4.0], np.full(50, 1000.0), largest=20.0)
    assert q[0, -1] <= (60.0 + 3 * 10.0) / 2


def test_past_errors_bend_the_logarithmic_shape_but_not_its_spread():
    skewed = np.random.default_rng(2).exponential(1.0, 100)
    q, _, _ = logarithmic([3.0], [0.04], skewed)
    named, _, _ = logarithmic([3.0], [0.04])
    assert q[0, 0] > named[0, 0]
    assert q[0, -1] > named[0, -1]
    assert 0.8 < np.log(q[0, 5] / q[0, 1]) / np.log(named[0, 5] / named[0, 1]) < 1.1


def test_weights_of_two_shapes_add_up():
    whole, part = linear([10.0, 12.0], [4.0, 5.0]), linear([10.0, 12.0], [4.0, 5.0], weight=0.25)
    for a, b in zip(whole, part, strict=True):
        np.testing.assert_allclose(0.25 * a, b)


def test_a_wild_logarithm_stays_finite():
    q, c, m = logarithmic([800.0, -800.0], [50.0, 60.0])
    settle(q, c)
    assert np.isfinite(np.r_[q.ravel(), c.ravel()]).all()
    assert max(q.max(), c.max()) <= LARGEST
    assert (m >= 0).all()


def test_settling_makes_quantiles_rise_with_level_and_totals_with_periods():
    q, c = np.array([[3.0, 2.0], [1.0, 4.0]]), np.array([[5.0, 6.0], [4.0, 3.0]])
    settle(q, c)
    assert q.tolist() == [[3, 3], [1, 4]]
    assert c.tolist() == [[5, 6], [5, 6]]
