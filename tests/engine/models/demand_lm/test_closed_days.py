"""A holiday on which nothing was ever sold is closed, if that cannot be chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.batch import COVARIATES, ContextBatch
from fullshelf.engine.models.demand_lm.closed_days import closed_ahead, without_closed
from fullshelf.engine.models.demand_lm.features import exposure_of

C, H = 364, 7
PAST = [60, 150, 250]
CHRISTMAS, FAIR = 12, 13


def batch_of(level: float, on_the_day: float = 0.0, times: int = 3) -> ContextBatch:
    """Make a year of Poisson days with an event on some of them and on the third day ahead."""
    units = torch.from_numpy(np.random.default_rng(1).poisson(level, C).astype(np.float32))[None]
    codes = torch.zeros(1, C + H, 2, dtype=torch.int16)
    days = PAST[:times]
    units[0, days] = on_the_day
    codes[0, [*days, C + 2], 0] = CHRISTMAS
    exists = torch.ones(1, C, dtype=torch.bool)
    covariates = torch.zeros(1, C + H, len(COVARIATES))
    return ContextBatch(Period.DAY, units, exists, torch.ones(1, C), covariates, events=codes)


def closed(batch: ContextBatch) -> list[bool]:
    found = closed_ahead(batch, batch.units, exposure_of(batch))
    assert found is not None
    return [bool(day) for day in found[0]]


def test_a_holiday_on_which_nothing_was_ever_sold_is_closed_and_no_other_day() -> None:
    assert closed(batch_of(6.0)) == [False, False, True, False, False, False, False]


@pytest.mark.parametrize(
    ("level", "on_the_day", "times"), [(0.5, 0.0, 3), (6.0, 1.0, 3), (6.0, 0.0, 1)], ids=["slow", "sold", "once"]
)
def test_what_may_be_chance_is_not_closed(level: float, on_the_day: float, times: int) -> None:
    assert not any(closed(batch_of(level, on_the_day, times)))


def test_another_event_a_stock_out_and_a_routine_close_nothing() -> None:
    batch = batch_of(6.0)
    events = batch.events
    assert events is not None
    other, routine = events.clone(), events.flip(-1)
    other[0, C:, 0] = torch.where(other[0, C:, 0] > 0, FAIR, 0)
    out = batch.observed.clone()
    out[0, PAST] = 0
    for changed in (replace(batch, events=other), replace(batch, events=routine), replace(batch, observed=out)):
        assert not any(closed(changed))
    assert closed_ahead(replace(batch, events=None), batch.units, exposure_of(batch)) is None


def test_totals_lose_what_they_had_of_a_closed_day() -> None:
    quantiles = torch.tensor([[[1.0, 3.0], [2.0, 6.0], [1.0, 3.0]]])
    totals = torch.tensor([[[1.0, 3.0], [4.0, 8.0], [5.0, 11.0]]])
    day = torch.tensor([[False, True, False]])
    less, left = without_closed(quantiles, totals, day)
    assert less[0, 1].tolist() == [0, 0]
    assert left[0, 0].tolist() == [1, 3]
    assert left[0, 1].tolist() == pytest.approx([4 / 3, 8 / 3])
    assert left[0, 2].tolist() == pytest.approx([2.5, 5.5])
    torch.testing.assert_close(without_closed(quantiles, totals, day & False)[1], totals)
