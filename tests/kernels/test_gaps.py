import numpy as np
import pytest

from fullshelf.kernels.auto import auto
from fullshelf.kernels.gaps import leave_out_gaps
from fullshelf.kernels.levels import level_array

LEVELS = level_array()
LONGEST = 728


def gaps_of(y, observed=None):
    y = np.asarray(y, dtype=np.float32)
    observed = np.ones_like(y) if observed is None else np.asarray(observed, dtype=np.float32)
    return np.flatnonzero(leave_out_gaps(y, observed, np.array([0, y.size]), LONGEST) == 0).tolist()


def forecast(y, horizon=4, season=52):
    y = np.asarray(y, dtype=np.float32)
    return auto(y, np.ones_like(y), np.array([0, y.size]), horizon, season, LEVELS)


def steady(periods, mean=20.0, seed=0):
    return np.random.default_rng(seed).poisson(mean, periods)


def test_a_pause_of_a_steady_seller_is_a_gap_and_an_ordinary_zero_is_not():
    y = np.concatenate([steady(50), np.zeros(9), steady(9, seed=1)])
    assert gaps_of(y) == list(range(50, 59))
    y = steady(60)
    y[30] = 0
    assert gaps_of(y) == []


def test_a_pause_that_lasts_is_no_gap_yet():
    assert gaps_of(np.concatenate([steady(60), np.zeros(20)])) == []


def test_a_gap_is_left_out_for_as_long_as_it_lasted():
    gap = np.concatenate([steady(50), np.zeros(12)])
    assert gaps_of(np.concatenate([gap, steady(12, seed=1)])) == list(range(50, 62))
    assert gaps_of(np.concatenate([gap, steady(13, seed=1)])) == []


def test_a_slow_mover_keeps_its_zeros():
    for seed in range(20):
        assert gaps_of(np.random.default_rng(seed).poisson(0.3, 260)) == []


def test_an_item_in_decline_keeps_its_zeros():
    """Sold every week, then one left-over in ten weeks: the runs between are its demand now."""
    stragglers = np.zeros(60)
    stragglers[9::10] = 1
    assert gaps_of(np.concatenate([steady(60), stragglers, np.zeros(5)])) == []


def test_stocked_out_periods_and_zeros_before_the_first_sale_are_no_gaps():
    y = np.concatenate([np.zeros(10), steady(50), np.zeros(8), steady(8, seed=1)])
    assert gaps_of(y) == list(range(60, 68))
    observed = np.ones(y.size)
    observed[60:68] = 0
    seen = leave_out_gaps(y.astype(np.float32), observed.astype(np.float32), np.array([0, y.size]), LONGEST)
    assert seen.tolist() == observed.tolist()


def test_a_series_that_came_back_is_forecast_at_the_level_at_which_it_sells():
    gap = np.concatenate([steady(100), np.zeros(20), steady(2, seed=1)])
    never = np.concatenate([steady(100), steady(2, seed=1)])
    q, total, mean = forecast(gap)
    q_never, total_never, mean_never = forecast(never)
    assert mean[0, 0] == pytest.approx(mean_never[0, 0], rel=0.1)
    assert q[0, 2, 5] == pytest.approx(q_never[0, 2, 5], rel=0.15)
    assert total[0, 3, 11] > 0.8 * total_never[0, 3, 11]


def test_while_a_pause_lasts_the_forecast_falls_with_it():
    means = [forecast(np.concatenate([steady(100), np.zeros(n)]))[2].sum() for n in (2, 6, 12, 30)]
    assert (np.diff(means) < 0).all()


def test_a_series_depends_on_itself_alone():
    rng = np.random.default_rng(3)
    parts = [steady(80), np.concatenate([steady(60), np.zeros(12), steady(9)]), rng.poisson(0.4, 90)]
    units = np.concatenate(parts).astype(np.float32)
    offsets = np.cumsum([0, *(p.size for p in parts)])
    seen = leave_out_gaps(units, np.ones_like(units), offsets, LONGEST)
    for i, part in enumerate(parts):
        alone = part.astype(np.float32)
        own = leave_out_gaps(alone, np.ones_like(alone), np.array([0, part.size]), LONGEST)
        assert seen[offsets[i] : offsets[i + 1]].tobytes() == own.tobytes()
