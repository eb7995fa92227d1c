import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.exposure import NOTHING
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.seasonal_naive import seasonal_naive, seasonal_naive_forecasts

LEVELS = level_array()


def one(y, season, horizon, observed=None):
    y = np.asarray(y, dtype=np.float32)
    observed = np.ones_like(y) if observed is None else np.asarray(observed, dtype=np.float32)
    q, total, mean = seasonal_naive(y, observed, np.array([0, y.size]), horizon, season, LEVELS)
    return q[0], total[0], mean[0]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=40).filter(any), st.integers(1, 12), st.integers(1, 20))
def test_the_median_and_the_mean_are_the_last_season_again(y, season, horizon):
    expected = np.resize(y[-season:] if len(y) >= season else y[-1:], horizon)
    q, total, mean = one(y, season, horizon)
    assert mean.tolist() == expected.tolist()
    assert q[:, 5].tolist() == expected.tolist()
    assert total[:, 5].tolist() == expected.cumsum().tolist()


def test_the_spread_is_that_of_past_seasonal_differences():
    rng = np.random.default_rng(0)
    y = rng.normal(1000, 50, 120).round(2) + np.tile([0, 200, 400, 0], 30)
    absolute = np.sort(np.append(np.abs(np.float32(y[4:]) - np.float32(y[:-4])), y.mean()))
    q, _, _ = one(y, 4, 4)
    for j, level in enumerate(LEVELS):
        spread = np.interp(abs(2 * level - 1) * 116, np.arange(117), absolute)
        assert q[0, j] - q[0, 5] == pytest.approx(np.sign(level - 0.5) * spread, rel=1e-3, abs=1e-2)


def test_the_second_season_ahead_is_less_certain_than_the_first():
    rng = np.random.default_rng(1)
    q, _, _ = one(np.tile([100.0, 200], 40) + rng.normal(0, 5, 80), 2, 4)
    assert q[2, -1] - q[2, 5] == pytest.approx(np.sqrt(2) * (q[0, -1] - q[0, 5]), rel=1e-3)


def test_totals_of_independent_periods_spread_with_the_root_of_their_number():
    rng = np.random.default_rng(2)
    _, total, _ = one(rng.normal(1000, 50, 700), 7, 7)
    assert (total[6, 10] - total[6, 5]) / (total[0, 10] - total[0, 5]) == pytest.approx(np.sqrt(7), rel=0.25)


def test_a_stocked_out_value_is_replaced_by_the_season_before():
    y = [5, 1, 5, 1, 6, 0]
    assert one(y, 2, 2, [1, 1, 1, 1, 1, 0])[2].tolist() == [6.0, 1.0]


def test_a_value_sold_while_partly_in_stock_is_a_lower_bound():
    assert one([5, 5, 9], 1, 1, [1, 1, 0.25])[2].tolist() == [18.0]
    assert one([5, 5, 1], 1, 1, [1, 1, 0.25])[2].tolist() == [5.0]


def test_past_promotions_are_taken_out_and_planned_ones_put_in():
    y = np.array([10, 30, 10, 30], dtype=np.float32)
    factor = np.array([1, 3, 1, 3], dtype=np.float32)
    ahead = np.array([3, 1], dtype=np.float32)
    _, total, mean = seasonal_naive_forecasts(y, np.ones_like(y), factor, ahead, np.array([0, 4]), 2, 2, LEVELS)
    assert mean[0].tolist() == [30.0, 10.0]
    assert total[0, :, 5].tolist() == [30.0, 40.0]
    blind = seasonal_naive_forecasts(y, np.ones_like(y), NOTHING, NOTHING, np.array([0, 4]), 2, 2, LEVELS)[2]
    assert blind[0].tolist() == [10.0, 30.0]
