import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.deseasonalise import CAUTION, seasonal_indices


def indices_of(x, season):
    out = np.full(season, np.nan)
    return out, seasonal_indices(np.asarray(x, dtype=np.float64), season, out)


def slow_indices(x, m):
    n, half = len(x), m // 2
    window = np.ones(m) if m % 2 else np.r_[0.5, np.ones(m - 1), 0.5]
    differences = {p: [] for p in range(m)}
    for t in range(half, n - half):
        differences[t % m].append(x[t] - np.sum(window * x[t - half : t + half + 1]) / m)
    means = np.array([np.mean(differences[p]) if differences[p] else 0.0 for p in range(m)])
    within = sum((d - means[p]) ** 2 for p in range(m) for d in differences[p])
    counts = np.array([len(differences[p]) for p in range(m)])
    indices = means - means.mean()
    between = np.sum(counts * indices**2)
    freedom = counts.sum() - m
    kept = max(0.0, 1 - CAUTION * within / freedom * (m - 1) / between) if freedom > 0 and between > 0 else 0.0
    return indices * kept, kept


@pytest.mark.parametrize(("n", "m"), [(24, 12), (61, 12), (40, 7), (15, 5), (9, 2), (130, 52)])
def test_indices_equal_a_slow_classical_decomposition(n, m):
    rng = np.random.default_rng(n)
    x = 50 + 0.3 * np.arange(n) + 10 * np.sin(2 * np.pi * np.arange(n) / m) + rng.normal(0, 1, n)
    got, kept = indices_of(x, m)
    expected, expected_kept = slow_indices(x, m)
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-9)
    assert kept == pytest.approx(expected_kept, rel=1e-9)


def test_a_clear_season_is_kept_and_found_beside_a_trend():
    t = np.arange(60)
    true = np.array([3.0, -1.0, -2.0, 0.0])
    got, kept = indices_of(10 + 2.0 * t + true[t % 4], 4)
    np.testing.assert_allclose(got, true, atol=1e-9)
    assert kept > 0.999


def test_chance_alone_makes_hardly_any_season():
    rng = np.random.default_rng(1)
    kept = [indices_of(rng.normal(0, 1, 72), 12)[1] for _ in range(200)]
    assert np.mean(kept) < 0.03


@pytest.mark.parametrize(("n", "m"), [(0, 12), (1, 12), (23, 12), (13, 7), (5, 1)])
def test_less_than_two_seasons_say_nothing(n, m):
    got, kept = indices_of(np.arange(n, dtype=float), m)
    assert kept == 0.0
    assert (got == 0.0).all()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=60), st.integers(1, 13), st.floats(1e-3, 1e6))
def test_indices_scale_with_the_values_and_sum_to_zero(values, season, factor):
    got, kept = indices_of(values, season)
    scaled, scaled_kept = indices_of(np.array(values) * factor, season)
    size = max(values) + 1e-300
    assert 0.0 <= kept <= 1.0
    assert abs(got.sum()) <= 1e-9 * size
    np.testing.assert_allclose(scaled / factor, got, atol=1e-6 * size)
    assert scaled_kept == pytest.approx(kept, abs=1e-5)
