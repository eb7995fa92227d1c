import numpy as np
import pytest
from scipy import stats

from fullshelf.kernels.deseasonalise import seasonal_indices
from fullshelf.kernels.exponential_smoothing import (
    LEVEL,
    LEVEL_PENALTY,
    SEASON_PENALTY,
    SEASONAL,
    TREND,
    TREND_PENALTY,
    _pass,
    _settings,
    _smooth,
    exponential_smoothing,
)
from fullshelf.kernels.setting_weights import HALF_LIFE, LOOK_AHEAD, horizons

LEVELS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99])


def forecast(y, observed=None, horizon=6, season=1):
    y = np.asarray(y, dtype=np.float32)
    observed = np.ones_like(y) if observed is None else np.asarray(observed, dtype=np.float32)
    return [a[0] for a in exponential_smoothing(y, observed, np.array([0, y.size]), horizon, season, LEVELS)]


class OneSetting:
    """The textbook recursion of one setting, a period at a time."""

    def __init__(self, alpha, beta, phi, gamma, level, trend, season):
        self.constants = alpha, beta, phi, gamma
        self.level, self.trend, self.season = level, trend, list(season)

    def ahead(self, t, h):
        """Forecast for period t + h, made after period t."""
        phi = self.constants[2]
        return self.level + sum(phi**i for i in range(1, h + 1)) * self.trend + self.season[(t + h) % len(self.season)]

    def update(self, t, value, share=1.0):
        alpha, beta, phi, gamma = self.constants
        e = value - self.ahead(t - 1, 1)
        e = e if share >= 1 else share * max(0.0, e)
        self.level += phi * self.trend + alpha * e
        self.trend = phi * self.trend + beta * e
        self.season[t % len(self.season)] += gamma * e
        return e


def innovations(alpha, beta, phi, gamma, m, H):
    """Weight of an innovation 0 … H - 1 periods later."""
    return [1.0] + [alpha + beta * sum(phi**i for i in range(1, j + 1)) + gamma * (j % m == 0) for j in range(1, H)]


def slow_smooth(x, season, H):
    """All settings one after the other; returns path, variance, one-step forecasts of the best."""
    n = len(x)
    m = season if season > 1 and n >= 2 * season else 1
    indices = np.zeros(m)
    kept = seasonal_indices(np.asarray(x, float), m, indices)
    newest = min(n, max(4, m))
    mean = np.mean([x[t] - indices[t % m] for t in range(n - newest, n)])
    ages = [0.5 ** ((n - 1 - t) / HALF_LIFE) for t in range(n)]
    rows = []
    for alpha in LEVEL:
        for phi, share in TREND:
            for part in SEASONAL if m > 1 else SEASONAL[:1]:
                constants = alpha, alpha * share, phi, part * (1 - alpha)
                back = OneSetting(*constants, mean, 0.0, indices)
                for t in range(n - 1, -1, -1):
                    back_e = x[t] - (back.level + phi * back.trend + back.season[t % m])
                    back.level += phi * back.trend + alpha * back_e
                    back.trend = phi * back.trend + constants[1] * back_e
                    back.season[t % m] += constants[3] * back_e
                one = OneSetting(*constants, back.level, -back.trend, back.season)
                fitted, errors = [], {h: [] for h in LOOK_AHEAD[: horizons(n)]}
                for t in range(n):
                    fitted.append(one.ahead(t - 1, 1))
                    errors[1].append(ages[t] * one.update(t, x[t]) ** 2)
                    for h in errors:
                        if h > 1 and t + h < n:
                            errors[h].append(ages[t + h] * (x[t + h] - one.ahead(t, h)) ** 2)
                logs = [np.log(sum(e) / sum(ages[h if h > 1 else 0 :])) for h, e in errors.items()]
                criterion = sum(ages) * np.mean(logs)
                criterion += (
                    LEVEL_PENALTY * alpha + TREND_PENALTY * (constants[1] != 0) + SEASON_PENALTY * (constants[3] > 0)
                )
                rows.append((criterion, one, constants, sum(errors[1]), fitted))
    least = min(r[0] for r in rows)
    weights = np.array([np.exp(-0.5 * (r[0] - least)) for r in rows])
    weights[weights <= 1e-3] = 0
    weights /= weights.sum()
    freedom = max(sum(ages) - 2 - 0.5 * kept * (m - 1), 0.25 * sum(ages))
    paths = np.array([[r[1].ahead(n - 1, h) for h in range(1, H + 1)] for r in rows])
    path = weights @ paths
    variance = weights @ (paths - path) ** 2
    for w, (_, _, (alpha, beta, phi, gamma), squares, _) in zip(weights, rows, strict=True):
        variance += w * squares / freedom * np.cumsum(np.square(innovations(alpha, beta, phi, gamma, m, H)))
    return path, variance, rows[int(np.argmax(weights))][4]


@pytest.mark.parametrize(("n", "season"), [(70, 12), (25, 12), (20, 12), (40, 1), (50, 7), (5, 1), (2, 1)])
def test_path_and_variance_are_those_of_a_slow_reference(n, season):
    rng = np.random.default_rng(n)
    t = np.arange(n)
    x = 50 + 0.2 * t + 8 * np.sin(2 * np.pi * t / max(season, 2)) + rng.normal(0, 3, n)
    path, variance, fitted = np.empty(15), np.empty(15), np.empty(n)
    _smooth(x, x, np.ones(n, np.float32), season, path, variance, fitted)
    expected_path, expected_variance, expected_fitted = slow_smooth(x, season, 15)
    np.testing.assert_allclose(path, expected_path, rtol=1e-8)
    np.testing.assert_allclose(variance, expected_variance, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fitted, expected_fitted, rtol=1e-8)


def test_the_innovation_weights_give_the_variance_of_simulated_futures():
    rng = np.random.default_rng(3)
    m, H, count = 4, 10, 4_000
    setting = _settings(m)
    for g in (0, 17, 40, 71):
        ends = np.empty((count, H))
        for i in range(count):
            one = OneSetting(*setting[:, g], 100.0, 0.0, np.zeros(m))
            for h in range(H):
                ends[i, h] = one.ahead(h - 1, 1) + rng.standard_normal()
                one.update(h, ends[i, h])
        expected = np.cumsum(np.square(innovations(*setting[:, g], m, H)))
        np.testing.assert_allclose(ends.var(0), expected, rtol=0.12)


def test_a_stocked_out_period_never_lowers_and_raises_by_its_share():
    x = np.array([5.0, 50.0])
    setting, error = _settings(1), np.zeros((1, _settings(1).shape[1]))
    for share in (0.0, 0.25, 1.0):
        state = np.zeros((2, setting.shape[1]))
        state[0] = 20.0
        seasonal = np.zeros((1, setting.shape[1]))
        _pass(x[:1], np.float32([share]), 1, setting, state, seasonal, error)
        if share < 1:
            np.testing.assert_allclose(state[0], 20.0)
        else:
            np.testing.assert_allclose(state[0], 20.0 - 15.0 * setting[0])
        state[:] = 0.0
        state[0] = 20.0
        _pass(x[1:], np.float32([share]), 1, setting, state, seasonal * 0.0, error)
        np.testing.assert_allclose(state[0], 20.0 + share * 30.0 * setting[0])


def test_noise_around_a_level_is_covered_at_every_level():
    rng = np.random.default_rng(5)
    S, n, H = 400, 60, 6
    demand = rng.normal(200, 20, (S, n + H))
    units = demand[:, :n].astype(np.float32).ravel()
    q, c, mean = exponential_smoothing(units, np.ones_like(units), np.arange(S + 1) * n, H, 12, LEVELS)
    actual = demand[:, n:]
    covered = (actual[:, :, None] <= q).mean((0, 1))
    np.testing.assert_allclose(covered, LEVELS, atol=0.035)
    totals = (actual.cumsum(1)[:, -1:] <= c[:, -1]).mean(0)
    np.testing.assert_allclose(totals, LEVELS, atol=0.08)
    assert abs(mean.mean() / 200 - 1) < 0.01


def test_a_random_walk_keeps_its_last_level_and_widens_with_the_root_of_time():
    rng = np.random.default_rng(6)
    y = 1000 + np.cumsum(rng.normal(0, 10, 300))
    q, _, mean = forecast(y, horizon=16)
    np.testing.assert_allclose(mean, y[-1], rtol=0.03)
    width = q[:, 9] - q[:, 1]
    assert 2.5 < width[15] / width[0] < 5.0
    assert width[0] == pytest.approx(2 * stats.norm.ppf(0.9) * 10, rel=0.3)


def test_a_season_and_a_trend_go_on():
    t = np.arange(96)
    season = 1 + 0.3 * np.sin(2 * np.pi * t / 12)
    future = np.arange(96, 108)
    _, total, mean = forecast((100 + t) * season, horizon=12, season=12)
    expected = (100 + future) * (1 + 0.3 * np.sin(2 * np.pi * future / 12))
    np.testing.assert_allclose(mean, expected, rtol=0.06)
    assert total[-1, 5] == pytest.approx(expected.sum(), rel=0.05)


def test_a_season_of_days_that_are_often_zero_does_not_explode():
    rng = np.random.default_rng(8)
    y = rng.poisson(0.3, 200)
    q, c, mean = forecast(y, horizon=28, season=7)
    assert 0.1 < mean.mean() < 0.6
    assert q.max() <= 3 * max(y.max(), mean.max())
    assert c[-1, 5] == pytest.approx(28 * y[-60:].mean(), rel=0.6)
