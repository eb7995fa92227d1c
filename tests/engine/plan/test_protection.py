from datetime import date

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.calendar import Period
from fullshelf.engine.forecast import Forecast, LeadTimeDemand
from fullshelf.engine.panel import Panel
from fullshelf.engine.protection import periods_needed, protect


def test_demand_of_the_protection_interval_is_looked_up(gamma_forecast, supply_of):
    forecast = gamma_forecast([10, 20, 5], [4, 9, 5])
    demand = protect(forecast, supply_of(3, lead_time=[2, 0, 5], review_period=[1, 3, 2]))
    assert demand.periods.tolist() == [3, 3, 7]
    for s, k in enumerate(demand.periods):
        assert (demand.quantiles[s] == forecast.cumulative[s, k - 1]).all()
    assert demand.mean == pytest.approx([30, 60, 35])


def test_a_part_of_a_period_counts_as_a_whole_one(gamma_forecast, supply_of):
    demand = protect(
        gamma_forecast([10] * 3, 4), supply_of(3, lead_time=[1.5, 2 + 1e-12, 0.1], review_period=[1, 1, 0.5])
    )
    assert demand.periods.tolist() == [3, 3, 2]


def test_a_random_lead_time_widens_demand_and_keeps_its_mean(gamma_forecast, supply_of):
    forecast = gamma_forecast([10, 10], 1, horizon=16)
    demand = protect(forecast, supply_of(2, lead_time=4, lead_time_sd=[0, 1.5]))
    assert demand.mean == pytest.approx([50, 50], rel=0.01)
    assert demand.periods.tolist() == [5, 5]
    assert demand.quantiles[1, -1] > demand.quantiles[0, -1] + 15
    assert demand.quantiles[1, 0] < demand.quantiles[0, 0] - 10


def test_a_series_numbers_do_not_depend_on_its_neighbours(gamma_forecast, supply_of):
    forecast = gamma_forecast([10, 20, 5], [4, 9, 5], horizon=16)
    forecast.mean[:] *= np.linspace(1, 2, 16, dtype=np.float32)  # rising, so that it matters how far one looks
    terms = {"lead_time": [2, 4, 1], "lead_time_sd": [0, 1, 0], "review_period": [1, 2, 1]}
    together = protect(forecast, supply_of(3, **terms))
    for s in range(3):
        alone = protect(
            Forecast(forecast.levels, forecast.quantiles[[s]], forecast.mean[[s]], forecast.cumulative[[s]]),
            supply_of(1, **{name: values[s] for name, values in terms.items()}),
        )
        assert (alone.quantiles[0] == together.quantiles[s]).all()
        assert alone.mean[0] == together.mean[s]
        assert alone.totals.rate[0] == together.totals.rate[s]


def test_a_forecast_that_is_too_short_says_how_long_it_must_be(gamma_forecast, supply_of):
    with pytest.raises(ValueError, match=r"reaches 3 periods, but series 1 has lead time 4 .* ask the model for 6"):
        protect(gamma_forecast([10, 10], 4, horizon=3), supply_of(2, lead_time=[2, 4], review_period=[1, 2]))


def test_periods_needed_covers_late_deliveries(supply_of):
    assert periods_needed(supply_of(2, lead_time=[2, 4], review_period=[7, 1])) == 9
    assert periods_needed(supply_of(2, lead_time=[2, 4], lead_time_sd=[0, 2])) == 11
    assert periods_needed(supply_of(0)) == 1
    assert periods_needed(supply_of(1, lead_time=[None], lead_time_sd=[None], review_period=[None])) == 1


def panel_of(units):
    keys = pl.DataFrame({"sku": [str(s) for s in range(len(units))], "location": ["all"] * len(units)})
    flat = np.concatenate(units).astype(np.float32)
    offsets = np.concatenate([[0], np.cumsum([len(u) for u in units])]).astype(np.int64)
    last = Period.DAY.number_of(date(2024, 6, 30))
    return Panel(keys, flat, np.ones_like(flat), np.empty((flat.size, 0), np.float32), (), offsets, Period.DAY, last)


def test_marginals_alone_need_the_panel_whose_correlation_widens_the_total(gamma_forecast, supply_of):
    forecast = gamma_forecast([10, 10], 4)
    marginal = Forecast(forecast.levels, forecast.quantiles, forecast.mean, None)
    with pytest.raises(ValueError, match="pass the panel"):
        protect(marginal, supply_of(2))
    rng = np.random.default_rng(1)
    steady, drifting = rng.normal(10, 4, 200), np.zeros(200)
    for t in range(1, 200):
        drifting[t] = 0.8 * drifting[t - 1] + rng.normal(0, 2.4)
    demand = protect(marginal, supply_of(2), panel_of([steady, 10 + drifting]))
    assert demand.mean == pytest.approx([30, 30], rel=1e-5)
    assert demand.quantiles[0, -1] == pytest.approx(forecast.cumulative[0, 2, -1], rel=0.08)
    assert demand.quantiles[1, -1] > demand.quantiles[0, -1] * 1.08


def test_series_without_supply_do_not_disturb(gamma_forecast, supply_of):
    supply = supply_of(2, lead_time=[None, 2], review_period=[None, 1], lead_time_sd=[None, 0], planned=[False, True])
    demand = protect(gamma_forecast([10, 10], 4), supply)
    assert demand.periods.tolist() == [1, 3]
    assert np.isfinite(demand.quantiles).all()


def test_records_refuse_wrong_shapes(gamma_forecast, supply_of):
    demand = protect(gamma_forecast([10, 10], 4), supply_of(2))
    with pytest.raises(ValueError, match=r"LeadTimeDemand.mean: expected shape \(2,\), got \(3,\)"):
        LeadTimeDemand(
            demand.levels, demand.quantiles, np.zeros(3), demand.periods, demand.review, demand.first_lead,
            demand.lead_weight, demand.totals,
        )  # fmt: skip
    with pytest.raises(ValueError, match=r"Forecast.cumulative: expected shape"):
        Forecast(demand.levels, np.zeros((2, 3, 13), np.float32), np.zeros((2, 3), np.float32), np.zeros((2, 2, 13)))
