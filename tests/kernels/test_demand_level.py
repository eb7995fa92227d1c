import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.demand_level import HALF_LIVES, block_length, demand_level


def level_of(
    y: np.ndarray, exposure: np.ndarray, season: int, horizon: int, counts: bool = True
) -> tuple[float, float, float, np.ndarray]:
    weights = np.empty(len(HALF_LIVES))
    level, dispersion, wander = demand_level(y.astype(np.float32), exposure, season, horizon, counts, weights)
    return level, dispersion, wander, weights


def slow_level(y: np.ndarray, e: np.ndarray, season: int, horizon: int) -> tuple[float, float, float, np.ndarray]:
    """The same by whole windows at each period, without running sums."""
    n = y.size
    B = block_length(n, horizon)
    step = max(1, B // 7)
    average = y.sum() / e.sum()
    halves = [h for i, h in enumerate(HALF_LIVES) if i == 0 or 4 * h <= n]
    warm = min(n // 2, max(2, season // 2))
    newest_first = 0.5 ** (1 / max(8 * B, 2 * season))

    def window(h: float, t: int) -> tuple[float, float, float]:
        d = 0.5 ** (1 / h)
        w = d ** np.arange(t - 1, -1, -1.0)
        start = 0.1 * d**t
        return (
            (w * y[:t]).sum() + start * average,
            (w * e[:t]).sum() + start,
            (w * w * e[:t]).sum() + 0.1 * d ** (2 * t),
        )

    rows = []
    for h in halves:
        loss = error = mean = block_error = block_mean = block_square = periods = 0.0
        for t in range(warm, n):
            units, shown, _ = window(h, t)
            level = units / shown
            weight = newest_first ** (n - 1 - t)
            periods += weight
            error += weight * (y[t] - level * e[t]) ** 2
            mean += weight * level * e[t]
            if t + B <= n and (n - t - B) % step == 0:
                steps_later = (n - t - B) // step
                weight = newest_first ** (step * steps_later)
                forecast = level * e[t : t + B].sum()
                miss = y[t : t + B].sum() - forecast
                loss += weight * abs(miss)
                block_error += weight * miss**2
                block_mean += weight * forecast
                block_square += weight * forecast**2
        units, shown, squared = window(h, n)
        rows.append(
            [
                max(loss, 0.001 * average),
                units / shown,
                shown**2 / squared,
                error,
                mean,
                block_error,
                block_mean,
                block_square,
                periods,
            ]
        )
    table = np.array(rows)
    blocks = table[0, 8] / B
    weights = np.exp(-2 * blocks * (np.log(table[:, 0]) - np.log(table[:, 0]).min()))
    weights /= weights.sum()
    level, effective, error, mean, block_error, block_mean, block_square = weights @ table[:, 1:8]
    dispersion = (error + (1 + 0.1 * level) * level) / (mean + level)
    sampling = dispersion / (level * max(1, effective))
    wander = sampling
    if block_square > 0:
        seen = max(0, (block_error - dispersion * block_mean) / block_square)
        wander = max(0.5 * sampling, (seen * blocks + sampling) / (blocks + 1))
    return level, dispersion, min(wander, 1.0), weights


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 90), st.sampled_from([1, 7, 12]), st.integers(1, 28), st.integers(0, 2**32 - 1))
def test_running_sums_agree_with_whole_windows(n: int, season: int, horizon: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.negative_binomial(0.5, 0.2, n).astype(float)
    y[rng.integers(n)] += 3
    e = rng.choice([0.5, 1.0, 2.0], n)
    level, dispersion, wander, weights = level_of(y, e, season, horizon)
    slow = slow_level(y, e, season, horizon)
    assert (level, dispersion, wander) == pytest.approx(slow[:3], rel=1e-9)
    assert weights[: slow[3].size] == pytest.approx(slow[3], abs=1e-9)
    assert weights[slow[3].size :].tolist() == [0.0] * (len(HALF_LIVES) - slow[3].size)


def test_a_steady_series_takes_long_windows_and_a_jumping_one_short_ones() -> None:
    rng = np.random.default_rng(3)
    steady = level_of(rng.poisson(20, 400).astype(float), np.ones(400), 7, 28)[3]
    jumping = level_of(rng.poisson(np.repeat(rng.choice([2.0, 40.0], 20), 20)).astype(float), np.ones(400), 7, 7)[3]
    assert steady[4:].sum() > 0.8
    assert jumping[:3].sum() > 0.8


def test_the_level_wanders_where_totals_miss_by_more_than_their_periods() -> None:
    rng = np.random.default_rng(4)
    steady = level_of(rng.poisson(20, 600).astype(float), np.ones(600), 7, 28)[2]
    drifting = level_of(
        rng.poisson(20 * np.exp(np.cumsum(rng.normal(0, 0.05, 600)))).astype(float), np.ones(600), 7, 28
    )[2]
    assert steady < 0.002
    # the total of 28 periods of a random walk with steps of 5 % misses by its level's 0.05² x 28 / 3
    assert 0.01 < drifting < 0.05


def test_sales_and_exposure_both_doubled_leave_the_level() -> None:
    y, e = np.random.default_rng(5).poisson(3, 100).astype(float), np.ones(100)
    doubled = e.copy()
    y[-40:] *= 2
    doubled[-40:] *= 2
    assert level_of(y, doubled, 7, 14)[0] == pytest.approx(3, rel=0.2)
    assert level_of(y, e, 7, 14)[0] > 4.5


def test_the_level_scales_with_the_unit() -> None:
    y = np.random.default_rng(6).gamma(0.7, 3, 80)
    one, thousand = (level_of((y * f).astype(np.float32), np.ones(80), 7, 14, counts=False) for f in (1, 1024))
    assert thousand[0] == pytest.approx(1024 * one[0])
    assert thousand[1] == pytest.approx(1024 * one[1])
    assert thousand[2] == pytest.approx(one[2])


def test_a_block_is_the_horizon_or_a_quarter_of_the_history() -> None:
    assert [block_length(n, 28) for n in (1, 40, 400)] == [1, 10, 28]
    assert not math.isnan(level_of(np.array([3.0]), np.ones(1), 7, 28)[2])
