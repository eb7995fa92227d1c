from datetime import date

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.catalogue import FORECASTERS, load_model
from fullshelf.engine.models.classical import anniversaries
from fullshelf.engine.panel import KnownAhead, Panel
from fullshelf.kernels.levels import LEVELS

LAST = Period.DAY.number_of(date(2024, 12, 20))


def panel_of(histories: list[np.ndarray], promo: np.ndarray | None = None, period: Period = Period.DAY) -> Panel:
    units = np.concatenate(histories).astype(np.float32)
    names = () if promo is None else ("promo",)
    covariates = np.empty((units.size, 0)) if promo is None else promo[:, None]
    return Panel(
        pl.DataFrame({"sku": [f"s{i}" for i in range(len(histories))], "location": "all"}),
        units,
        np.ones_like(units),
        covariates.astype(np.float32),
        names,
        np.cumsum([0, *(h.size for h in histories)]),
        period,
        LAST,
    )


@pytest.mark.parametrize("name", ["auto", *FORECASTERS])
def test_every_model_forecasts_a_panel(name: str) -> None:
    rng = np.random.default_rng(0)
    forecast = load_model(name, LEVELS, 7).forecast(panel_of([rng.poisson(5, 100), rng.poisson(0.3, 50)]), 5)
    assert forecast.quantiles.shape == (2, 5, len(LEVELS))
    assert forecast.cumulative is not None
    assert forecast.mean[0].mean() > forecast.mean[1].mean()


def test_a_planned_promotion_is_in_the_forecast_and_an_unplanned_future_changes_nothing() -> None:
    promo = (np.arange(400) % 40 < 6).astype(np.float32)
    panel = panel_of([np.random.default_rng(1).poisson(10 * (1 + 2 * promo))], promo)
    model = load_model("auto", LEVELS, 7)
    plan = np.zeros((1, 4, 1), dtype=np.float32)
    plan[0, 2] = 1
    planned = model.forecast(panel, 4, KnownAhead(plan, ("promo",)))
    assert planned.mean[0, 2] / planned.mean[0, 1] == pytest.approx(3, rel=0.15)
    assert planned.cumulative is not None
    assert planned.cumulative[0, 3, 5] == pytest.approx(60, rel=0.15)
    without = model.forecast(panel, 4)
    unknown = model.forecast(panel, 4, KnownAhead(np.full_like(plan, np.nan), ("promo",)))
    assert unknown.quantiles.tobytes() == without.quantiles.tobytes()


def test_what_is_known_ahead_but_not_of_the_past_is_not_used() -> None:
    panel = panel_of([np.random.default_rng(2).poisson(10, 100)])
    model = load_model("auto", LEVELS, 7)
    ahead = KnownAhead(np.ones((1, 4, 1), dtype=np.float32), ("price",))
    assert model.forecast(panel, 4, ahead).mean.tobytes() == model.forecast(panel, 4).mean.tobytes()


def test_a_yearly_closing_day_is_forecast_for_days_alone() -> None:
    units = np.random.default_rng(3).poisson(30, 1300)
    for year in (2021, 2022, 2023):
        units[1299 - (LAST - Period.DAY.number_of(date(year, 12, 25)))] = 0
    model = load_model("auto", LEVELS, 7)
    mean = model.forecast(panel_of([units]), 7).mean[0]
    assert mean[4] == 0
    assert mean[[0, 1, 2, 3, 5, 6]].min() > 20
    assert model.forecast(panel_of([units], period=Period.WEEK), 7).mean[0].min() > 20


def test_anniversaries_are_the_same_dates_of_earlier_years() -> None:
    back = anniversaries(LAST, 12, 1500)
    assert back.shape == (12, 5)
    for h in range(12):
        day = Period.DAY.start(LAST + 1 + h)
        for y in range(5):
            assert Period.DAY.start(LAST - int(back[h, y])) == day.replace(year=day.year - 1 - y)
    leap = Period.DAY.number_of(date(2024, 2, 28))
    assert Period.DAY.start(leap - int(anniversaries(leap, 1, 400)[0, 0])) == date(2023, 2, 28)
