import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import gamma, nbinom, poisson

from fullshelf.kernels.demand_law import demand_quantiles, law_table, whole
from fullshelf.kernels.levels import level_array

LEVELS = level_array()
TABLE = law_table(LEVELS)


def quantiles(mean: float, variance: float, counts: bool) -> np.ndarray:
    out = np.full(LEVELS.size, np.nan)
    demand_quantiles(LEVELS, TABLE, counts, mean, variance, out)
    return out


@pytest.mark.parametrize("mean", [0.01, 0.4, 3.0, 29.0])
@pytest.mark.parametrize("ratio", [1.1, 2.0, 9.0, 400.0])
def test_small_counts_have_the_quantiles_of_the_negative_binomial(mean: float, ratio: float) -> None:
    p = 1 / ratio
    size = mean * p / (1 - p)
    q = quantiles(mean, mean * ratio, True)
    assert (nbinom.cdf(q, size, p) >= LEVELS - 1e-9).all()
    assert (nbinom.cdf(q - 1, size, p) < LEVELS + 1e-9).all()


def test_counts_as_variable_as_chance_alone_have_the_quantiles_of_the_poisson() -> None:
    assert quantiles(7.3, 7.3, True).tolist() == poisson.ppf(LEVELS, 7.3).tolist()


@pytest.mark.parametrize("mean", [31.0, 900.0, 1e9])
@pytest.mark.parametrize("spread", [0.02, 0.3, 1.0, 2.0])
def test_large_counts_are_near_those_of_the_negative_binomial(mean: float, spread: float) -> None:
    variance = mean + (spread * mean) ** 2
    p = mean / variance
    error = np.abs(quantiles(mean, variance, True) - nbinom.ppf(LEVELS, mean * p / (1 - p), p))
    assert error.max() <= 0.015 * np.sqrt(variance) + 1


@pytest.mark.parametrize("shape", [0.0625, 0.3, 1.0, 3.9, 4.1, 50.0, 1e6])
def test_fractions_have_the_quantiles_of_the_gamma(shape: float) -> None:
    error = np.abs(quantiles(5.0, 25.0 / shape, False) - gamma.ppf(LEVELS, shape, scale=5.0 / shape))
    assert error.max() <= 0.012 * 5.0 / np.sqrt(shape)


def test_demand_without_a_mean_is_zero_and_without_a_variance_is_its_mean() -> None:
    assert quantiles(0.0, 1.0, True).tolist() == [0.0] * LEVELS.size
    assert quantiles(4.0, 0.0, False) == pytest.approx(4.0)
    assert quantiles(4.0, 0.0, True).tolist() == [4.0] * LEVELS.size


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-6, 1e9), st.floats(1e-6, 1e4), st.booleans())
def test_quantiles_are_finite_and_never_fall_with_the_level(mean: float, ratio: float, counts: bool) -> None:
    q = quantiles(mean, mean * ratio, counts)
    assert np.isfinite(q).all()
    assert q[0] >= 0
    assert (np.diff(q) >= 0).all()


def test_one_fraction_among_the_values_makes_them_no_counts() -> None:
    assert whole(np.array([0, 3, 1e9], dtype=np.float32))
    assert not whole(np.array([0, 3, 0.5], dtype=np.float32))
