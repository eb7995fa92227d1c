"""What every forecaster keeps, whatever its method."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullshelf.kernels.auto import auto
from fullshelf.kernels.croston import croston, sba, tsb
from fullshelf.kernels.levels import level_array
from fullshelf.kernels.seasonal_naive import seasonal_naive
from fullshelf.kernels.weighted_window import empirical, negative_binomial

Forecaster = Callable[..., tuple[np.ndarray, np.ndarray, np.ndarray]]
ALL: dict[str, Forecaster] = {
    f.__name__: f for f in (seasonal_naive, empirical, negative_binomial, croston, sba, tsb, auto)
}
LEVELS = level_array()
UNITS = st.one_of(st.just(0.0), st.floats(0, 1e9, width=32), st.integers(0, 9).map(float))
each = pytest.mark.parametrize("forecaster", ALL.values(), ids=ALL.keys())


def forecast(
    forecaster: Forecaster,
    histories: list[np.ndarray],
    horizon: int = 6,
    season: int = 4,
    stocked: list[np.ndarray] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    units = np.concatenate([np.zeros(0), *histories]).astype(np.float32)
    observed = np.ones_like(units) if stocked is None else np.concatenate(stocked).astype(np.float32)
    offsets = np.cumsum([0, *(h.size for h in histories)])
    return forecaster(units, observed, offsets, horizon, season, LEVELS)


def marketplace(seed: int = 0) -> list[np.ndarray]:
    """Smooth, seasonal, lumpy, dead, new, fractional and constant series."""
    rng = np.random.default_rng(seed)
    season = np.tile([1.0, 2.0, 3.0, 2.0], 30)
    return [
        rng.poisson(20, 100).astype(float),
        rng.poisson(50 * season).astype(float),
        rng.binomial(1, 0.2, 90) * rng.integers(1, 30, 90).astype(float),
        np.concatenate([rng.poisson(3, 30).astype(float), np.zeros(60)]),
        np.array([4.0]),
        rng.gamma(2, 3, 60).round(1),
        np.full(50, 7.0),
        rng.poisson(np.linspace(5, 60, 70)).astype(float),
    ]


def assert_sound(result: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    quantiles, cumulative, mean = result
    for values in result:
        assert values.dtype == np.float32
        assert np.isfinite(values).all()
        assert (values >= 0).all()
    for levels in (quantiles, cumulative):
        assert (np.diff(levels, axis=2) >= -1e-6 * np.abs(levels[:, :, 1:])).all()
    assert (np.diff(cumulative, axis=1) >= 0).all()
    assert np.allclose(cumulative[:, 0], quantiles[:, 0], rtol=1e-5)  # the total of one period is that period
    assert mean.shape == quantiles.shape[:2]


@each
def test_forecasts_of_a_mixed_marketplace_are_sound(forecaster: Forecaster) -> None:
    assert_sound(forecast(forecaster, marketplace()))


@each
@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.lists(
            st.one_of(st.just(0.0), st.floats(0, 1e9, width=32), st.integers(0, 9).map(float)), min_size=1, max_size=60
        ),
        min_size=1,
        max_size=3,
    ),
    st.integers(1, 9),
    st.sampled_from([1, 4, 7]),
    st.integers(0, 2**32 - 1),
)
def test_any_history_is_answered_soundly(
    forecaster: Forecaster, histories: list[list[float]], horizon: int, season: int, seed: int
) -> None:
    arrays = [np.array(h) for h in histories]
    rng = np.random.default_rng(seed)
    stocked = [rng.choice([0.0, 0.3, 1.0], a.size, p=[0.2, 0.1, 0.7]) for a in arrays]
    assert_sound(forecast(forecaster, arrays, horizon, season, stocked))


@each
def test_a_series_depends_on_itself_alone(forecaster: Forecaster) -> None:
    histories = marketplace()
    together = forecast(forecaster, histories)
    order = np.random.default_rng(1).permutation(len(histories))
    shuffled = forecast(forecaster, [histories[i] for i in order])
    alone = [forecast(forecaster, [h]) for h in histories]
    for k in range(3):
        assert shuffled[k].tobytes() == together[k][order].tobytes()
        assert np.concatenate([a[k] for a in alone]).tobytes() == together[k].tobytes()


@each
def test_doubling_fractional_units_doubles_the_forecast(forecaster: Forecaster) -> None:
    rng = np.random.default_rng(2)
    histories = [rng.gamma(0.8, 5, 80), rng.gamma(5, 2, 50), rng.binomial(1, 0.3, 60) * rng.gamma(2, 2, 60)]
    once = forecast(forecaster, histories)
    twice = forecast(forecaster, [2 * h.astype(np.float32) for h in histories])
    for a, b in zip(once, twice, strict=True):
        assert b == pytest.approx(2 * a, rel=1e-4, abs=1e-6)


@each
def test_counts_are_forecast_in_whole_numbers(forecaster: Forecaster) -> None:
    quantiles, cumulative, _ = forecast(forecaster, marketplace()[2:5])
    assert (quantiles == quantiles.round()).all()
    assert (cumulative == cumulative.round()).all()


@each
def test_what_never_sold_is_forecast_to_sell_nothing(forecaster: Forecaster) -> None:
    for history in (np.zeros(1), np.zeros(200)):
        for values in forecast(forecaster, [history]):
            assert not values.any()


@each
def test_a_constant_is_forecast_as_itself(forecaster: Forecaster) -> None:
    quantiles, cumulative, mean = forecast(forecaster, [np.full(200, 100.0)])
    bias = 0.06 if forecaster is sba else 0.01
    assert np.abs(mean / 100 - 1).max() < bias
    assert np.abs(quantiles[0, :, 5] / 100 - 1).max() < bias
    assert cumulative[0, 5, 5] == pytest.approx(600, rel=bias)
    assert quantiles[0, :, -1].max() < 200


@each
def test_one_period_of_history_is_its_own_forecast(forecaster: Forecaster) -> None:
    _, _, mean = forecast(forecaster, [np.array([8.0])])
    assert mean[0] == pytest.approx(8, rel=0.06)


@each
def test_a_thousand_million_units_are_forecast_in_thousand_millions(forecaster: Forecaster) -> None:
    rng = np.random.default_rng(3)
    quantiles, cumulative, mean = forecast(forecaster, [(1e9 * rng.uniform(0.8, 1.2, 100)).round()])
    assert np.abs(mean / 1e9 - 1).max() < 0.3
    assert (quantiles[0, :, -1] < 2e9).all()
    assert cumulative[0, 5, 5] == pytest.approx(6e9, rel=0.3)


@each
def test_stocked_out_periods_raise_the_forecast_and_do_not_lower_it(forecaster: Forecaster) -> None:
    rng = np.random.default_rng(4)
    demand = rng.poisson(10, 120).astype(float)
    out = np.zeros(120, dtype=bool)
    out[4::5] = True
    out[3::5] = True
    sales = np.where(out, 0, demand)
    blind = forecast(forecaster, [sales])
    seeing = forecast(forecaster, [sales], stocked=[1.0 - out])
    assert blind[2].mean() < 8
    assert 8.5 < seeing[2].mean() < 11.5
    assert seeing[1][0, -1, 5] > blind[1][0, -1, 5]


@each
def test_half_sold_periods_count_for_more_than_they_sold(forecaster: Forecaster) -> None:
    sales = np.tile([10.0, 7.0], 50)
    stocked = np.tile([1.0, 0.5], 50)
    assert forecast(forecaster, [sales], stocked=[stocked])[2].mean() > forecast(forecaster, [sales])[2].mean()


@each
def test_sales_that_were_never_in_stock_are_taken_as_they_are(forecaster: Forecaster) -> None:
    sales = np.full(60, 5.0)
    mean = forecast(forecaster, [sales], stocked=[np.zeros(60)])[2]
    assert 4.5 < mean.mean() < 15


@each
def test_no_series_is_no_error(forecaster: Forecaster) -> None:
    assert forecast(forecaster, [])[0].shape == (0, 6, LEVELS.size)


@each
def test_other_levels_are_answered_at_those_levels(forecaster: Forecaster) -> None:
    units = marketplace()[0].astype(np.float32)
    offsets = np.array([0, units.size])
    three = forecaster(units, np.ones_like(units), offsets, 3, 4, np.array([0.3, 0.5, 0.7]))[0]
    all_levels = forecaster(units, np.ones_like(units), offsets, 3, 4, LEVELS)[0]
    assert three == pytest.approx(all_levels[:, :, [3, 5, 7]], abs=1)


@pytest.mark.parametrize("forecaster", [negative_binomial, empirical, auto], ids=lambda f: f.__name__)
def test_quantiles_and_totals_of_stationary_demand_cover_what_they_say(forecaster: Forecaster) -> None:
    rng = np.random.default_rng(5)
    histories = [rng.negative_binomial(2, 0.2, 200).astype(float) for _ in range(150)]
    future = rng.negative_binomial(2, 0.2, (150, 7))
    quantiles, cumulative, _ = forecast(forecaster, histories, 7, 7)
    for level, index in ((0.5, 5), (0.9, 9), (0.95, 10)):
        single = (future <= quantiles[:, :, index]).mean()
        total = (future.cumsum(1)[:, 6] <= cumulative[:, 6, index]).mean()
        assert level - 0.03 < single < level + 0.12  # whole numbers cover more
        assert abs(total - level) < 0.1


@pytest.mark.parametrize("forecaster", [negative_binomial, auto], ids=lambda f: f.__name__)
def test_totals_are_narrower_than_summed_quantiles_and_wider_than_nothing(forecaster: Forecaster) -> None:
    quantiles, cumulative, _ = forecast(forecaster, marketplace()[:3], 12)
    summed = quantiles.cumsum(1)[:, -1]
    assert (cumulative[:, -1, 10] < summed[:, 10]).all()
    assert (cumulative[:, -1, 10] > cumulative[:, -1, 5]).all()
