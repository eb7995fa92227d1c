import numpy as np
import pytest

from fullshelf.kernels.setting_weights import HALF_LIFE, LOOK_AHEAD, horizons
from fullshelf.kernels.theta import LEVEL, SEASON_PENALTY, SEASONAL, SHARE, SHARE_PENALTY, _slopes, _smooth, theta

LEVELS = np.array([0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99])


def forecast(y, observed=None, horizon=6, season=1):
    y = np.asarray(y, dtype=np.float32)
    observed = np.ones_like(y) if observed is None else np.asarray(observed, dtype=np.float32)
    return [a[0] for a in theta(y, observed, np.array([0, y.size]), horizon, season, LEVELS)]


def line_slope(x):
    return np.polyfit(np.arange(len(x)), x, 1)[0] if len(x) >= 4 else 0.0


def slow_smooth(x, indices, multiplicative, used, H):
    """All settings one after the other; returns path, variance, one-step forecasts of the best."""
    n, m = len(x), len(indices)
    join, split = (np.multiply, np.divide) if multiplicative else (np.add, np.subtract)
    plain = [split(x[t], indices[t % m]) for t in range(n)]
    slopes = [line_slope(plain[: t + 1]) for t in range(n)]
    first = np.mean(plain[: min(n, 4)])
    start = min(n // 4, 12)
    rows = []
    for alpha in LEVEL:
        for share in SHARE:
            for part in SEASONAL if m > 1 else SEASONAL[:1]:
                gamma, level, season, slope = part * (1 - alpha), first, list(indices), 0.0
                fitted = []
                errors = {h: [] for h in LOOK_AHEAD[: horizons(n)]}
                for t in range(n):
                    base = level + share * slope
                    fitted.append(join(base, season[t % m]))
                    e = x[t] - fitted[-1]
                    level = base + alpha * split(e, season[t % m] if multiplicative else 0.0)
                    step = gamma * e / base if multiplicative else gamma * e
                    season[t % m] += step
                    slope = slopes[t]
                    for h in errors:
                        if t >= start - 1 and t + h < n:
                            ahead = join(level + share * slope * h, season[(t + h) % m])
                            errors[h].append((0.5 ** ((n - 1 - t - h) / HALF_LIFE), (x[t + h] - ahead) ** 2))
                means = [sum(w * e for w, e in errors[h]) / sum(w for w, _ in errors[h]) for h in errors]
                count = sum(w for w, _ in errors[1])
                criterion = count * np.mean(np.log(means)) + SHARE_PENALTY * share + SEASON_PENALTY * (gamma > 0)
                ends = [level + share * slope * h for h in range(1, H + 1)]
                last = [season[(n - 1 + h) % m] for h in range(1, H + 1)]
                spread = np.cumsum([1.0] + [(alpha + gamma * (j % m == 0)) ** 2 for j in range(1, H)])
                scale = np.square(last) if multiplicative else 1.0
                rows.append((criterion, join(ends, last), means[0] * count * spread * scale, count, fitted))
    least = min(r[0] for r in rows)
    weights = np.array([np.exp(-0.5 * (r[0] - least)) for r in rows])
    weights[weights <= 1e-3] = 0
    weights /= weights.sum()
    paths = np.array([r[1] for r in rows])
    path = weights @ paths
    count = rows[0][3]
    variance = weights @ (paths - path) ** 2 + weights @ np.array([r[2] for r in rows]) / max(
        count - 2 - used, 0.25 * count
    )
    return path, variance, rows[int(np.argmax(weights))][4]


@pytest.mark.parametrize(("n", "m", "multiplicative"), [(60, 12, True), (60, 12, False), (30, 1, True), (6, 1, False)])
def test_path_and_variance_are_those_of_a_slow_reference(n, m, multiplicative):
    rng = np.random.default_rng(n + m)
    t = np.arange(n)
    wave = np.sin(2 * np.pi * np.arange(m) / m) if m > 1 else np.zeros(1)
    indices = 1 + 0.2 * wave if multiplicative else 9 * wave
    x = 80 + 0.5 * t + rng.normal(0, 4, n)
    x = x * indices[t % m] if multiplicative else x + indices[t % m]
    path, variance, fitted = np.empty(14), np.empty(14), np.empty(n)
    expected = slow_smooth(x, indices, multiplicative, 3.0, 14)
    _smooth(x, x, np.ones(n, np.float32), indices.copy(), multiplicative, 3.0, path, variance, fitted)
    np.testing.assert_allclose(path, expected[0], rtol=1e-8)
    np.testing.assert_allclose(variance, expected[1], rtol=1e-6)
    np.testing.assert_allclose(fitted, expected[2], rtol=1e-8)


def test_slopes_are_those_of_the_line_through_what_was_known():
    x = np.random.default_rng(0).normal(100, 5, 40)
    slope = np.empty(40)
    _slopes(x, slope)
    np.testing.assert_allclose(slope, [line_slope(x[: t + 1]) for t in range(40)], atol=1e-9)


def test_theta_two_is_smoothing_with_half_the_slope_as_drift():
    assert 0.5 in SHARE
    y = 100 + 3.0 * np.arange(80)
    _, _, mean = forecast(y, horizon=10)
    rise = np.diff(mean)
    assert (rise > 1.4).all()
    assert (rise < 3.1).all()


def test_a_multiplicative_season_grows_with_the_level():
    t = np.arange(120)
    wave = np.sin(2 * np.pi * t / 12)
    _, _, mean = forecast((50 + 2 * t) * (1 + 0.4 * wave), horizon=12, season=12)
    future = np.arange(120, 132)
    expected = (50 + 2 * future) * (1 + 0.4 * np.sin(2 * np.pi * future / 12))
    np.testing.assert_allclose(mean, expected, rtol=0.07)


def test_a_falling_line_stops_above_zero():
    q, c, mean = forecast(np.linspace(1000, 30, 60), horizon=40)
    assert (mean > 0).all()
    assert (q >= 0).all()
    assert (np.diff(c, axis=0) >= 0).all()


def test_noise_around_a_level_is_covered_at_every_level():
    rng = np.random.default_rng(5)
    S, n, H = 400, 60, 6
    demand = rng.normal(200, 20, (S, n + H))
    units = demand[:, :n].astype(np.float32).ravel()
    q, c, mean = theta(units, np.ones_like(units), np.arange(S + 1) * n, H, 12, LEVELS)
    actual = demand[:, n:]
    np.testing.assert_allclose((actual[:, :, None] <= q).mean((0, 1)), LEVELS, atol=0.035)
    np.testing.assert_allclose((actual.cumsum(1)[:, -1:] <= c[:, -1]).mean(0), LEVELS, atol=0.08)
    assert abs(mean.mean() / 200 - 1) < 0.01
