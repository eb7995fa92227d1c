import numpy as np
import pytest
from scipy.stats import nbinom

from fullshelf.kernels.demand_level import HALF_LIVES, demand_level
from fullshelf.kernels.exposure import NOTHING
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.weighted_window import empirical, negative_binomial, window_forecasts

LEVELS = level_array()


def one(forecaster, y, horizon=3, season=1):
    y = np.asarray(y, dtype=np.float32)
    q, total, mean = forecaster(y, np.ones_like(y), np.array([0, y.size]), horizon, season, LEVELS)
    return q[0], total[0], mean[0]


def level_of(y, horizon):
    share = np.empty(len(HALF_LIVES))
    y = np.asarray(y, dtype=np.float32)
    return *demand_level(y, np.ones(y.size), 1, horizon, True, share), share


def test_the_law_is_the_negative_binomial_around_the_level():
    y = np.random.default_rng(0).negative_binomial(1, 0.3, 90)
    level, dispersion, wander, _ = level_of(y, 3)
    q, total, mean = one(negative_binomial, y)
    assert mean == pytest.approx(level)
    for values, units, spread in (
        (q[0], level, dispersion),
        (q[2], level, dispersion + 0.5 * wander * level),
        (total[1], 2 * level, dispersion + 0.5 * wander * 2 * level),
        (total[2], 3 * level, dispersion + wander * 3 * level),
    ):
        p = 1 / spread
        assert values.tolist() == nbinom.ppf(LEVELS, units * p / (1 - p), p).tolist()


def test_the_empirical_quantiles_are_those_of_the_weighted_values():
    y = np.random.default_rng(1).gamma(1.0, 3.0, 300).astype(np.float32)
    share = level_of(y, 3)[3]
    halves = np.array(HALF_LIVES)
    decay = 0.5 ** (1 / halves)
    age = np.arange(256)[:, None]
    weights = (share * (1 - decay) * decay**age).sum(1)
    values = y[::-1][:256].astype(float)
    order = np.argsort(values)
    middle = np.cumsum(weights[order]) - 0.5 * weights[order]
    # the level was estimated for counts above, which moves no weight
    expected = np.interp(LEVELS * weights.sum(), middle, values[order])
    assert one(empirical, y)[0][0] == pytest.approx(expected, rel=1e-3)


def test_the_phases_of_a_clear_season_have_their_own_quantiles():
    rng = np.random.default_rng(2)
    y = rng.poisson(np.tile([2, 2, 20], 60))
    q, _, mean = one(empirical, y, 3, 3)
    assert mean[2] > 7 * mean[0]
    assert 17 <= q[2, 5] <= 23
    assert q[0, 5] <= 3


def test_a_planned_promotion_is_forecast_and_a_past_one_is_no_level():
    rng = np.random.default_rng(3)
    factor = np.where(np.arange(200) % 20 < 4, 4.0, 1.0).astype(np.float32)
    y = rng.poisson(5 * factor).astype(np.float32)
    ahead = np.array([1, 4, 1], dtype=np.float32)
    for member in (0, 1):
        _, total, mean = window_forecasts(y, np.ones_like(y), factor, ahead, np.array([0, 200]), 3, 1, LEVELS, member)
        assert mean[0] == pytest.approx([5, 20, 5], rel=0.15)
        assert total[0, 0, 2, 5] == pytest.approx(30, rel=0.15)
    assert window_forecasts(y, np.ones_like(y), NOTHING, NOTHING, np.array([0, 200]), 3, 1, LEVELS, 0)[2][0, 0] > 6


def test_both_members_at_once_are_the_two_alone():
    y = np.random.default_rng(4).poisson(3, 80).astype(np.float32)
    q, total, mean = window_forecasts(y, np.ones_like(y), NOTHING, NOTHING, np.array([0, 80]), 5, 7, LEVELS, 2)
    for i, forecaster in enumerate((negative_binomial, empirical)):
        alone = forecaster(y, np.ones_like(y), np.array([0, 80]), 5, 7, LEVELS)
        for together, by_itself in zip((q[i], total[i], mean), alone, strict=True):
            assert together.tobytes() == by_itself.tobytes()
