import numpy as np
import pytest
from numba import njit
from scipy import stats

from fullshelf.kernels import draws

N = 40_000


@njit
def many(kind, parameter, seed, n):
    state = draws.generator(draws.key(seed, 1, 0))
    out = np.empty(n)
    for i in range(n):
        if kind == 0:
            out[i] = draws.uniform(state)
        elif kind == 1:
            out[i] = draws.normal(state)
        elif kind == 2:
            out[i] = draws.gamma(state, parameter)
        else:
            out[i] = draws.poisson(state, parameter)
    return out


def test_uniform_and_normal_draws_follow_their_distributions():
    assert stats.kstest(many(0, 0.0, 3, N), "uniform").pvalue > 1e-3
    assert stats.kstest(many(1, 0.0, 4, N), "norm").pvalue > 1e-3


@pytest.mark.parametrize("shape", [0.3, 1.0, 7.5])
def test_gamma_draws_follow_the_gamma_distribution(shape: float):
    assert stats.kstest(many(2, shape, 5, N), stats.gamma(shape).cdf).pvalue > 1e-3


@pytest.mark.parametrize("mean", [0.02, 0.9, 9.9, 10.1, 60.0, 5000.0])
def test_poisson_draws_follow_the_poisson_distribution(mean: float):
    drawn = many(3, mean, 6, N)
    law = stats.poisson(mean)
    edges = np.unique(law.ppf(np.linspace(0.02, 0.98, 25)))
    bins = np.concatenate([[-1.0], edges, [np.inf]])
    expected = np.diff(np.concatenate([[0.0], law.cdf(edges), [1.0]])) * N
    observed = np.histogram(drawn, bins=np.nextafter(bins, np.inf))[0]
    keep = expected > 5
    assert stats.chisquare(observed[keep], expected[keep] * observed[keep].sum() / expected[keep].sum()).pvalue > 1e-3
    assert drawn.min() >= 0


def test_a_mean_of_zero_or_less_gives_zero():
    assert not many(3, 0.0, 1, 10).any()
    assert not many(3, -2.0, 1, 10).any()


def test_draws_for_a_number_do_not_depend_on_the_others():
    numbers = np.arange(1000)
    order = np.random.default_rng(0).permutation(1000)
    for draw in (draws.uniforms, draws.normals):
        assert np.array_equal(draw(9, 2, numbers)[order], draw(9, 2, numbers[order]))
        assert np.array_equal(draw(9, 2, numbers)[500:600], draw(9, 2, numbers[500:600]))


def test_seeds_streams_and_numbers_all_change_the_draws():
    numbers = np.arange(200)
    base = draws.uniforms(1, 1, numbers)
    assert np.unique(base).size == 200
    assert not np.isin(base, draws.uniforms(2, 1, numbers)).any()
    assert not np.isin(base, draws.uniforms(1, 2, numbers)).any()
    assert abs(np.corrcoef(base[:-1], base[1:])[0, 1]) < 0.25


def test_a_lognormal_is_the_exponential_of_its_normal():
    numbers = np.arange(50)
    expected = 3.0 * np.exp(0.5 * draws.normals(1, 1, numbers))
    assert np.allclose(draws.lognormals(1, 1, numbers, 3.0, 0.5), expected, rtol=1e-14)
