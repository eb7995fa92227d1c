import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from fullshelf.kernels.croston import CROSTON, SBA, SILENT, TSB, croston, croston_forecasts, sba, tsb
from fullshelf.kernels.exposure import NOTHING
from fullshelf.kernels.levels import level_array

LEVELS = level_array()
ALPHA = 0.1


def one(method, y, horizon=3, levels=LEVELS):
    y = np.asarray(y, dtype=np.float32)
    q, total, mean = method(y, np.ones_like(y), np.array([0, y.size]), horizon, 1, levels)
    return q[0], total[0], mean[0]


def slow_croston(y):
    """Sizes and intervals smoothed apart, as in Croston (1972): (size, interval, variance of sizes)."""
    size = interval = None
    variance = 0.0
    gap = 0
    for value in y:
        gap += 1
        if value > 0:
            if size is None:
                size, interval = value, gap
            else:
                variance = (1 - ALPHA) * (variance + ALPHA * (value - size) ** 2)
                size = ALPHA * value + (1 - ALPHA) * size
                interval = ALPHA * gap + (1 - ALPHA) * interval
            gap = 0
    return size, interval, variance


def slow_tsb(y):
    """Probability updated in every period after the first demand, as in Teunter, Syntetos and Babai (2011)."""
    first = int(np.flatnonzero(y)[0])
    probability = 1 / (first + 1)
    for value in y[first + 1 :]:
        probability = ALPHA * (value > 0) + (1 - ALPHA) * probability
    return probability


histories = st.lists(st.integers(0, 5), min_size=1, max_size=60).filter(any)


@settings(max_examples=50, deadline=None)
@given(histories)
def test_means_agree_with_the_methods_written_out(y):
    size, interval, _ = slow_croston(y)
    assert one(croston, y)[2] == pytest.approx(size / interval)
    assert one(sba, y)[2] == pytest.approx((1 - ALPHA / 2) * size / interval)
    assert one(tsb, y)[2] == pytest.approx(slow_tsb(np.array(y)) * size)


@settings(max_examples=50, deadline=None)
@given(histories)
def test_quantiles_agree_with_the_compound_law_written_out(y):
    y = [v * 0.7 for v in y]  # fractions are not rounded
    size, interval, variance = slow_croston(y)
    p = 1 / interval
    _, total, _ = one(croston, y, horizon=4)
    shared = ALPHA / (2 - ALPHA) * (1 - p + variance / size**2)
    for k in range(1, 5):
        mean = k * p * size
        spread = k * (p * variance + p * (1 - p) * size**2) + (shared * mean**2 if k > 1 else 0)
        none = (1 - p) ** k
        given_any = mean / (1 - none)
        thin = max(0.0, (spread + mean**2) / (1 - none) - given_any**2) / (9 * given_any**2)
        level = np.maximum((LEVELS - none) / (1 - none), 1e-12)
        value = given_any * np.maximum(0, 1 - thin + np.sqrt(thin) * norm.ppf(level)) ** 3
        expected = np.where(none < LEVELS, value, 0)
        if none > 1e-3:
            assert total[k - 1] == pytest.approx(np.maximum(expected, total[k - 2] if k > 1 else 0), rel=1e-4, abs=1e-5)


def test_a_demand_of_six_every_fourth_period_is_zero_up_to_three_quarters():
    q, total, _ = one(croston, [0, 0, 0, 6] * 20)
    assert q[0].tolist() == [0.0] * 8 + [6.0] * 5
    assert (total[2, 8:] >= 6).all()


def test_tsb_fades_while_nothing_sells_and_croston_does_not():
    y = [3] * 40 + [0] * 40
    assert one(croston, y)[2][0] == pytest.approx(3, rel=0.01)
    assert one(tsb, y)[2][0] == pytest.approx(3 * 0.9**40, rel=0.01)


def test_a_silent_series_may_sell_again_with_a_small_probability():
    y = np.concatenate([np.full(20, 4), np.zeros(99)]).astype(np.float32)
    args = (y, np.ones_like(y), NOTHING, NOTHING, np.array([0, y.size]), 5, LEVELS)
    q, total, mean = (x[0] for x in croston_forecasts(*args, np.array([SILENT])))
    assert mean[0] == pytest.approx(0.5 / 100 * 4)
    assert not q[0].any()
    assert total[0, 4].tolist() == [0.0] * 11 + [4.0] * 2


def test_a_planned_promotion_scales_its_period_alone():
    y = np.tile([0, 4], 40).astype(np.float32)
    ahead = np.array([1, 3, 1], dtype=np.float32)
    ones, method = np.ones_like(y), np.array([CROSTON])
    q, _, mean = croston_forecasts(y, ones, ones, ahead, np.array([0, 80]), 3, LEVELS, method)
    assert mean[0, 0].tolist() == [2.0, 6.0, 2.0]
    assert q[0, 0, :, -1].tolist() == [4.0, 12.0, 4.0]


def test_methods_side_by_side_are_the_methods_alone():
    rng = np.random.default_rng(3)
    y = rng.poisson(0.4, 90).astype(np.float32) * rng.integers(1, 5, 90).astype(np.float32)
    args = (y, np.ones_like(y), NOTHING, NOTHING, np.array([0, 40, 90]), 9, LEVELS)
    methods = [TSB, SBA, CROSTON, SILENT, SBA]
    together = croston_forecasts(*args, np.array(methods))
    for m, method in enumerate(methods):
        for several, alone in zip(together, croston_forecasts(*args, np.array([method])), strict=True):
            assert (several[m] == alone[0]).all()
