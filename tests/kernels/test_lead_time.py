import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.lead_time import (
    autocorrelation,
    lead_time_distribution,
    mix_over_lead_times,
    total_sd_ar1,
    totals_by_moments_ar1,
)
from fullshelf.kernels.levels import LEVELS, level_array
from fullshelf.kernels.quantile_grid import grid_cdf, grid_mean, grid_sd, knots

CASES = Path(__file__).parents[2].parent / "shared" / "cases" / "inventory_cases.json"
L = level_array()


def published(family):
    if not CASES.exists():
        pytest.skip("needs ../shared/cases")
    return [case for case in json.loads(CASES.read_text()) if case["family"] == family]


@pytest.mark.shared
def test_published_lead_time_demand_ar1():
    for case in published("lead_time_demand_ar1"):
        i = case["inputs"]
        found = total_sd_ar1(np.full((1, i["n"]), float(i["sd"])), np.array([i["rho"]]))[0, -1]
        assert found == pytest.approx(case["expected"]["sd_sum"], rel=case["rtol"]), case["id"]


@pytest.mark.shared
def test_published_lead_time_variability():
    for case in published("lead_time_variability"):
        i = case["inputs"]
        H = 200
        first, weight = lead_time_distribution(np.array([float(i["L"])]), np.array([float(i["sd_L"])]), np.array([H]))
        periods = first[0] + np.arange(weight.shape[1])
        mean = (weight[0] * periods).sum()
        variance = (weight[0] * (periods * i["sd"] ** 2 + (i["mean"] * (periods - mean)) ** 2)).sum()
        assert np.sqrt(variance) == pytest.approx(case["expected"]["sigma_LTD"], rel=2e-3), case["id"]


@given(mean=st.floats(0.3, 30), share=st.floats(0.02, 1.0))
@settings(max_examples=60, deadline=None)
def test_whole_lead_times_keep_mean_and_deviation(mean, share):
    sd = mean * share
    first, weight = lead_time_distribution(np.array([mean]), np.array([sd]), np.array([1000]))
    periods = first[0] + np.arange(weight.shape[1])
    assert weight.sum() == pytest.approx(1)
    assert (weight >= 0).all()
    found = (weight[0] * periods).sum()
    assert found == pytest.approx(mean, rel=0.01, abs=0.01)
    least = np.sqrt((mean % 1) * (1 - mean % 1))  # whole numbers cannot vary less around this mean
    spread = np.sqrt((weight[0] * (periods - found) ** 2).sum())
    assert spread == pytest.approx(max(sd, least), rel=0.02, abs=0.02)


def test_a_certain_lead_time_is_one_whole_number():
    first, weight = lead_time_distribution(np.array([2.0, 1.5, 0.0]), np.zeros(3), np.array([9, 9, 9]))
    assert first.tolist() == [2, 2, 0]
    assert weight.tolist() == [[1.0], [1.0], [1.0]]


def test_no_lead_time_is_longer_than_the_longest():
    first, weight = lead_time_distribution(np.array([5.0]), np.array([3.0]), np.array([6]))
    assert first[0] + np.flatnonzero(weight[0] > 0).max() == 6
    assert weight.sum() == pytest.approx(1)


def test_mixed_totals_have_the_mixture_as_cdf():
    rng = np.random.default_rng(1)
    running = np.sort(np.cumsum(rng.gamma(2, 3, (1, 6, len(L))), axis=1), axis=2).astype(np.float32)
    first, weight = np.array([1]), np.array([[0.2, 0.5, 0.3]])
    out = np.empty((1, len(L)))
    mix_over_lead_times(L, running, first, weight, np.array([2]), out)
    for level, x in zip(LEVELS, out[0], strict=True):
        mixed = sum(
            w * grid_cdf(*knots(L, running[:, 1 + n + 2 - 1]), np.array([x]))[0] for n, w in enumerate(weight[0])
        )
        assert mixed == pytest.approx(level, abs=1e-6)


def test_one_lead_time_is_looked_up_untouched():
    running = np.arange(3 * len(L), dtype=np.float32).reshape(1, 3, len(L))
    out = np.empty((1, len(L)))
    mix_over_lead_times(L, running, np.array([1]), np.ones((1, 1)), np.array([2]), out)
    assert (out == running[:, 2]).all()


def ar1_gamma_totals(rho, n, paths=60_000):
    """Totals of n periods with gamma margins (mean 10, sd 6) and an AR(1) Gaussian copula."""
    stats = pytest.importorskip("scipy.stats")
    rng = np.random.default_rng(7)
    z = rng.standard_normal(paths)
    total = np.zeros(paths)
    margin = stats.gamma((10 / 6) ** 2, scale=36 / 10)
    for k in range(n):
        if k:
            z = rho * z + np.sqrt(1 - rho**2) * rng.standard_normal(paths)
        total += margin.ppf(stats.norm.cdf(z))
    return margin, total


@pytest.mark.parametrize("rho", [0.0, 0.6])
def test_moments_come_near_the_true_total_where_summed_quantiles_and_root_n_do_not(rho):
    n = 5
    margin, total = ar1_gamma_totals(rho, n)
    marginal = margin.ppf(L)
    quantiles = np.repeat(marginal[None, None], n, axis=1).astype(np.float32)
    mean = np.full((1, n), 10, np.float32)
    found = totals_by_moments_ar1(L, quantiles, mean, np.array([rho]))[0, -1]
    truth = np.quantile(total, L)
    assert found[8:] == pytest.approx(truth[8:], rel=0.03)
    summed, independent = n * marginal, n * 10 + np.sqrt(n) * 6 * (marginal - 10) / 6
    high = LEVELS.index(0.98)
    assert abs(found[high] - truth[high]) < abs(summed[high] - truth[high]) / 3
    if rho:
        assert abs(found[high] - truth[high]) < abs(independent[high] - truth[high]) / 3


def test_full_correlation_gives_the_sum_of_the_quantiles():
    quantiles = np.repeat(np.linspace(1, 20, len(L))[None, None], 4, axis=1).astype(np.float32)
    mean = np.full((1, 4), grid_mean(*knots(L, quantiles[:, 0]))[0], np.float32)
    found = totals_by_moments_ar1(L, quantiles, mean, np.array([1.0]))
    assert found[0] == pytest.approx(np.cumsum(quantiles[0], axis=0), rel=1e-4)


@given(rho=st.floats(0, 0.95), scale=st.floats(0.01, 1e4), seed=st.integers(0, 50))
@settings(max_examples=40, deadline=None)
def test_totals_never_fall_with_level_or_period_and_are_never_negative(rho, scale, seed):
    rng = np.random.default_rng(seed)
    quantiles = np.sort(rng.gamma(0.3, scale, (2, 6, len(L))), axis=2).astype(np.float32)
    found = totals_by_moments_ar1(L, quantiles, quantiles.mean(axis=2), np.full(2, rho))
    assert (np.diff(found, axis=2) >= 0).all()
    assert (np.diff(found, axis=1) >= 0).all()
    assert (found >= 0).all()


def test_total_deviation_is_that_of_the_full_covariance():
    sd, rho = np.array([[3.0, 1.0, 4.0, 1.5]]), 0.4
    lag = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    covariance = np.outer(sd[0], sd[0]) * rho**lag
    expected = [np.sqrt(covariance[: k + 1, : k + 1].sum()) for k in range(4)]
    assert total_sd_ar1(sd, np.array([rho]))[0] == pytest.approx(expected)


def test_correlation_of_an_ar1_history_is_found_and_of_a_short_one_is_not_believed():
    rng = np.random.default_rng(3)
    series = []
    for n, rho in ((400, 0.6), (400, 0.0), (3, 0.9)):
        x = np.zeros(n)
        for t in range(1, n):
            x[t] = rho * x[t - 1] + rng.standard_normal()
        series.append(x + 20)
    units = np.concatenate(series).astype(np.float32)
    offsets = np.cumsum([0, 400, 400, 3]).astype(np.int64)
    found = autocorrelation(units, np.ones_like(units), offsets, 1000)
    assert found[0] == pytest.approx(0.6, abs=0.1)
    assert found[1] < 0.15
    assert found[2] == 0


def test_stocked_out_periods_do_not_count_for_the_correlation():
    units = np.tile(np.array([5, 7, 0, 0], np.float32), 50)
    observed = np.tile(np.array([1, 1, 0, 0], np.float32), 50)
    offsets = np.array([0, 200])
    assert autocorrelation(units, observed, offsets, 200)[0] == 0
    assert grid_sd(*knots(L, np.zeros((1, len(L)))))[0] == 0
