"""A holiday on which nothing was ever sold is closed, if that cannot be chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fullshelf.engine.calendar import Period
from fullshelf.engine.event_covariate import NAMELESS
from fullshelf.engine.models.demand_lm.batch import COVARIATES, ContextBatch
from fullshelf.engine.models.demand_lm.closed_days import closed_ahead, without_closed
from fullshelf.engine.models.demand_lm.continuation import predict
from fullshelf.engine.models.demand_lm.forecaster import SHIPPED
from fullshelf.engine.models.demand_lm.modeling import DemandLM

C, H = 364, 7
PAST = (60, 150, 250)
CHRISTMAS, FAIR = 12, 13


def batch_of(
    level: float, on_the_day: float = 0.0, days: tuple[int, ...] = PAST, unit: float = 1.0, code: int = CHRISTMAS
) -> ContextBatch:
    """Make a year of Poisson days with an event on some of them and on the third day ahead."""
    units = torch.from_numpy(np.random.default_rng(1).poisson(level, C).astype(np.float32))[None] * unit
    codes = torch.zeros(1, C + H, 2, dtype=torch.int16)
    units[0, list(days)] = on_the_day
    codes[0, [*days, C + 2], 0] = code
    exists = torch.ones(1, C, dtype=torch.bool)
    covariates = torch.zeros(1, C + H, len(COVARIATES))
    return ContextBatch(Period.DAY, units, exists, torch.ones(1, C), covariates, events=codes)


def closed(batch: ContextBatch) -> list[bool]:
    found = closed_ahead(batch)
    assert found is not None
    return [bool(day) for day in found[0]]


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e6])
def test_a_holiday_on_which_nothing_was_ever_sold_is_closed_and_no_other_day(unit: float) -> None:
    assert closed(batch_of(6.0, unit=unit)) == [False, False, True, False, False, False, False]


def test_without_an_event_ahead_no_day_is_closed() -> None:
    batch = batch_of(6.0)
    quiet = replace(batch, events=torch.cat([batch.events[:, :C], torch.zeros(1, H, 2, dtype=torch.int16)], dim=1))
    assert closed(quiet) == [False] * H


@pytest.mark.parametrize(
    "batch",
    [
        pytest.param(batch_of(0.5), id="slow"),
        pytest.param(batch_of(0.5, unit=1e6), id="slow in small units"),
        pytest.param(batch_of(6.0, on_the_day=1.0), id="sold"),
        pytest.param(batch_of(6.0, days=(60,)), id="once"),
        pytest.param(batch_of(6.0, days=(60, 61, 62, 63, 64)), id="one festival of five days"),
        pytest.param(batch_of(6.0, code=NAMELESS), id="no names"),
    ],
)
def test_what_may_be_chance_is_not_closed(batch: ContextBatch) -> None:
    assert not any(closed(batch))


def test_lumps_are_not_taken_for_closed() -> None:
    """Packs of 12 in a quarter of the days, eight past days of an open event: a chance of one in ten each time."""
    rng = np.random.default_rng(3)
    days = tuple(range(20, 360, 45))
    wrong = 0
    for _ in range(100):
        batch = batch_of(0.0, days=days)
        units = torch.from_numpy(12.0 * (rng.random(C) < 0.25)).float()[None]
        wrong += any(closed(replace(batch, units=units)))
    assert wrong <= 2


def test_another_event_a_stock_out_a_routine_and_a_weekly_closing_day_close_nothing() -> None:
    batch = batch_of(6.0)
    events = batch.events
    assert events is not None
    other = events.clone()
    other[0, C:, 0] = torch.where(other[0, C:, 0] > 0, FAIR, 0)
    out = batch.observed.clone()
    out[0, list(PAST)] = 0
    for changed in (replace(batch, events=other), replace(batch, events=events.flip(-1)), replace(batch, observed=out)):
        assert not any(closed(changed))
    sundays = batch_of(6.0, days=(62, 153, 251))  # all of one weekday, on which nothing is sold in any week
    units = sundays.units * (torch.arange(C) % 7 != 62 % 7)
    assert {day % 7 for day in (62, 153, 251)} == {6}
    assert not any(closed(replace(sundays, units=units)))


def test_weeks_and_what_knows_of_no_events_are_left_alone() -> None:
    batch = batch_of(6.0)
    assert closed_ahead(replace(batch, events=None)) is None
    assert closed_ahead(replace(batch, period=Period.WEEK)) is None


def test_totals_lose_what_they_had_of_a_closed_day() -> None:
    quantiles = torch.tensor([[[1.0, 3.0], [2.0, 6.0], [1.0, 3.0]]])
    totals = torch.tensor([[[1.0, 3.0], [4.0, 8.0], [5.0, 11.0]]])
    day = torch.tensor([[False, True, False]])
    less, left = without_closed(quantiles, totals, day)
    assert less[0, 1].tolist() == [0, 0]
    assert left[0, 0].tolist() == [1, 3]
    assert left[0, 1].tolist() == pytest.approx([4 / 3, 3.0])  # a total never falls
    assert left[0, 2].tolist() == pytest.approx([2.5, 5.5])
    torch.testing.assert_close(without_closed(quantiles, totals, day & False)[1], totals)


def test_a_closed_day_beyond_one_pass_is_closed_and_a_path_of_the_forecast_is_no_evidence() -> None:
    far = 100
    batch = batch_of(6.0)
    events = batch.events
    assert events is not None
    codes = torch.cat([events[:, :C], torch.zeros(1, far, 2, dtype=torch.int16)], dim=1)
    codes[0, C + 90, 0], codes[0, [C + 10, C + 30, C + 80], 0] = CHRISTMAS, FAIR
    long = replace(batch, covariates=torch.zeros(1, C + far, len(COVARIATES)), events=codes)
    model = DemandLM.from_pretrained(SHIPPED)
    model.train(False)
    quantiles, totals = predict(model, long)
    middle = quantiles.shape[-1] // 2
    assert (quantiles[0, :, middle] == 0).nonzero().ravel().tolist() == [90]
    assert (totals.diff(dim=1) >= 0).all()
    assert torch.equal(quantiles[0, 90], torch.zeros_like(quantiles[0, 90]))
