import numpy as np
import pytest

from fullshelf.kernels.auto import LUMPY_SERIES, SILENT_SERIES, SMOOTH_SERIES, auto, kinds_of_series
from fullshelf.kernels.exponential_smoothing import exponential_smoothing
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.smoothers import with_factors
from fullshelf.kernels.weighted_window import negative_binomial

LEVELS = level_array()


def one(y, horizon=7, season=7, **factors):
    y = np.asarray(y, dtype=np.float32)
    return auto(y, np.ones_like(y), np.array([0, y.size]), horizon, season, LEVELS, **factors)


def pinball(y, q):
    e = y[..., None] - q
    return np.maximum(LEVELS * e, (LEVELS - 1) * e).mean()


def test_series_fall_into_three_kinds():
    rng = np.random.default_rng(0)
    histories = [
        rng.poisson(20, 100),
        rng.poisson(0.5, 100),
        np.append(rng.poisson(20, 100), np.zeros(28)),
        np.append(rng.poisson(20, 100), np.zeros(27)),
        np.full(11, 3),
        rng.gamma(2, 2, 50),
    ]
    units = np.concatenate(histories).astype(np.float32)
    kinds, whole = kinds_of_series(units, np.cumsum([0, *(h.size for h in histories)]), 7, 7)
    assert kinds.tolist() == [
        SMOOTH_SERIES,
        LUMPY_SERIES,
        SILENT_SERIES,
        LUMPY_SERIES,
        LUMPY_SERIES,
        SMOOTH_SERIES,
    ]
    assert whole.tolist() == [True] * 5 + [False]


def test_only_the_newest_periods_are_read():
    rng = np.random.default_rng(1)
    for y in (rng.poisson(30, 1500), rng.poisson(0.5, 1500)):
        for long, short in zip(one(y), one(y[-728:]), strict=True):
            assert long.tobytes() == short.tobytes()
        before = y.copy()
        before[:-728] = 1_000_000
        for long, short in zip(one(before), one(y), strict=True):
            assert long.tobytes() == short.tobytes()


def test_a_trend_that_windows_miss_is_left_to_smoothing():
    rng = np.random.default_rng(2)
    line = 200 + 4.0 * np.arange(133)
    y = rng.poisson(line[:120])
    blend = one(y, 12, 12)[2][0]
    windows = negative_binomial(y.astype(np.float32), np.ones(120, np.float32), np.array([0, 120]), 12, 12, LEVELS)[2][
        0
    ]
    assert np.abs(blend - line[120:132]).mean() < 0.5 * np.abs(windows - line[120:132]).mean()


def test_the_blend_is_never_far_from_its_best_member_on_average():
    rng = np.random.default_rng(3)
    histories = [rng.negative_binomial(0.6, 0.3, 207) for _ in range(60)]
    units = np.concatenate([h[:200] for h in histories]).astype(np.float32)
    future = np.stack([h[200:] for h in histories])
    offsets = np.arange(61) * 200
    blend = auto(units, np.ones_like(units), offsets, 7, 7, LEVELS)[0]
    law = negative_binomial(units, np.ones_like(units), offsets, 7, 7, LEVELS)[0]
    assert pinball(future, blend) < 1.02 * pinball(future, law)


def test_a_silent_series_takes_hardly_anything_and_a_waking_one_is_seen():
    rng = np.random.default_rng(4)
    silent = np.append(rng.poisson(5, 200), np.zeros(60))
    assert one(silent)[2].max() < 0.1
    assert not one(silent)[0].any()
    awake = np.append(silent, rng.poisson(5, 14))
    assert one(awake)[2].min() > 2


@pytest.mark.parametrize("level", [0.5, 40.0])
def test_planned_factors_reach_every_kind_of_series(level):
    rng = np.random.default_rng(5)
    factor = np.where(np.arange(300) % 30 < 5, 3.0, 1.0).astype(np.float32)
    y = rng.poisson(level * factor)
    ahead = np.array([[1, 1, 3, 3, 1, 1, 0]], dtype=np.float32)
    quantiles, cumulative, mean = one(y, factor=factor, ahead=ahead)
    assert mean[0, 2:4].mean() == pytest.approx(3 * mean[0, [0, 1, 4, 5]].mean(), rel=0.25)
    assert mean[0, 6] == 0
    assert not quantiles[0, 6].any()
    assert cumulative[0, 6, 5] == pytest.approx(10 * level, rel=0.3)


def test_smoothers_take_factors_out_and_put_them_back_and_stay_in_bounds():
    y = np.array([10, 30, 10, 30, 10, 30] * 10, dtype=np.float32)
    factor = np.array([1, 3] * 30, dtype=np.float32)
    ahead = np.array([3, 1, 1], dtype=np.float32)
    args = (y, np.ones_like(y), factor, ahead, np.array([0, 60]), 3, 1, LEVELS)
    _, total, mean = with_factors(exponential_smoothing, *args)
    assert mean[0] == pytest.approx([30, 10, 10], rel=0.01)
    assert total[0, :, 5] == pytest.approx([30, 40, 50], rel=0.01)

    def explodes(units, observed, offsets, horizon, season, levels):
        shape = offsets.size - 1, horizon
        return *(np.full((*shape, levels.size), 1e30, np.float32) for _ in "qc"), np.full(shape, 1e30, np.float32)

    quantiles, total, mean = with_factors(explodes, *args[:2], factor[:0], ahead[:0], *args[4:])
    assert quantiles.max() == 90
    assert mean.max() == 90
    assert total[0, :, 0].tolist() == [90, 180, 270]


def test_more_series_than_a_chunk_are_forecast_as_one_by_one():
    rng = np.random.default_rng(6)
    histories = [rng.poisson(rng.choice([0.3, 30]), 40) for _ in range(600)]
    units = np.concatenate(histories).astype(np.float32)
    together = auto(units, np.ones_like(units), np.arange(601) * 40, 3, 7, LEVELS)
    for s in (0, 255, 256, 257, 599):
        for a, b in zip(one(histories[s], 3), together, strict=True):
            assert a[0].tobytes() == b[s].tobytes()
