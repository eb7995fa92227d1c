"""The estimates that simple rules make, on histories whose answers are known."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
import torch

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.batch import COVARIATES, ContextBatch
from fullshelf.engine.models.demand_lm.estimates import BEFORE, LEVELS, LINEAR, MOST
from fullshelf.engine.models.demand_lm.features import exposure_of, scale_of, step_features
from fullshelf.engine.models.demand_lm.prior import draw

M = len(LEVELS[Period.DAY])
TREND, YEAR, PLANS = M + 1, M + 2, M + 3  # the longer trend, last year's course, what like plans did
CYCLE = {
    Period.DAY: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0],
    Period.WEEK: [1.0 + k % 5 for k in range(52)],
    Period.MONTH: [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 20.0, 30.0],
}


def history(units: object, H: int, period: Period = Period.DAY) -> ContextBatch:
    values = torch.as_tensor(np.asarray(units, np.float32))[None]
    C = values.shape[1]
    return ContextBatch(
        period, values, torch.ones(1, C, dtype=torch.bool), torch.ones(1, C), torch.zeros(1, C + H, len(COVARIATES))
    )


def estimated(batch: ContextBatch) -> torch.Tensor:
    """Return the estimates alone, (H, LINEAR) in units."""
    scale = scale_of(batch)
    return step_features(batch, scale).linear[0, :, -LINEAR:] * scale


@pytest.mark.parametrize("period", [Period.DAY, Period.MONTH])
def test_a_season_is_gone_on_with_at_the_newest_level(period: Period) -> None:
    cycle, L = np.array(CYCLE[period]), period.season
    level = np.repeat([1.0, 2.0], 20)[:, None]  # sales double halfway
    found = estimated(history((level * cycle).ravel(), 2 * L, period))
    expected = 2.0 * np.tile(cycle, 2)
    assert found[:, 0].tolist() == pytest.approx(expected.tolist(), rel=0.05)
    assert found[:, 3].mean() < found[:, 0].mean()  # a long memory has not forgotten the lower level


def test_a_line_is_gone_on_with_and_flattens() -> None:
    found = estimated(history(10.0 + 0.1 * np.arange(364), 64))[:, TREND]
    weeks = found.unfold(0, 7, 7).mean(1).diff()  # from week to week
    assert found[0].item() == pytest.approx(0.1 * 364 + 10, rel=0.1)
    assert (weeks > 0).all()
    assert (weeks.diff() < 0).all()


def test_a_trend_falls_no_lower_than_nothing_and_rises_no_higher_than_the_bound() -> None:
    falling, rising = history(np.maximum(40.0 - np.arange(91), 0), 28), history(np.r_[np.zeros(909), 1e5], 28)
    assert (estimated(falling) >= 0).all()
    found = estimated(rising) / scale_of(rising)
    assert (found <= MOST).all()
    assert (found == MOST).any()


def test_last_years_course_is_set_upon_this_years_level() -> None:
    day = np.arange(728 - 14)
    peak = 1.0 + 2.0 * ((day % 364 >= 350) | (day % 364 < 14))  # three times as much about the turn of the year
    found = estimated(history(np.where(day < 364, 1.0, 3.0) * peak, 14))
    newest = np.mean((3.0 * peak)[-BEFORE[Period.DAY] :])
    assert found[:, YEAR].min().item() > 1.5 * newest
    assert found[:, 2].max().item() < 1.5 * newest  # the level alone knows nothing of it


def test_what_a_promotion_did_is_expected_of_the_next_one() -> None:
    C, H = 364, 14
    promo = np.zeros(C + H, np.float32)
    promo[10:C:30], promo[C + 3] = 1, 1
    batch = history(np.where(promo[:C] > 0, 6.0, 2.0), H)
    batch.covariates[0, :, COVARIATES.index("promo")] = torch.from_numpy(promo)
    batch.covariates[0, :, COVARIATES.index("known")] = 1
    found = estimated(batch)[:, PLANS]
    assert found[3].item() == pytest.approx(6.0, rel=0.15)
    assert found[4].item() == pytest.approx(2.0, rel=0.05)
    batch.covariates[0, C:, COVARIATES.index("known")] = 0  # nobody knows what is planned
    batch.covariates[0, C:, COVARIATES.index("promo")] = 0
    unknown = estimated(batch)[:, PLANS]
    assert unknown.min().item() == pytest.approx(unknown.max().item(), rel=0.1)
    assert 2.0 < unknown[0].item() < 2.4  # the mean of all days


def test_an_event_is_expected_to_do_what_it_did_and_not_what_others_did() -> None:
    C, H = 364, 7
    codes = torch.zeros(1, C + H, 2, dtype=torch.int16)
    closed, busy = [50, 150, 250, C + 2], [60, 160, 260, C + 3]
    codes[0, closed, 0], codes[0, busy, 0] = 700, 7
    units = np.full(C, 5.0)
    units[closed[:3]], units[busy[:3]] = 0, 15
    found = estimated(replace(history(units, H), events=codes))[:, PLANS]
    assert found[2].item() < 1.0
    assert found[3].item() == pytest.approx(15, rel=0.25)
    assert found[4].item() == pytest.approx(5.0, rel=0.05)


def test_a_routine_and_an_event_are_told_apart() -> None:
    C, H = 364, 7
    codes = torch.zeros(1, C + H, 2, dtype=torch.int16)
    codes[0, ::10, 1] = 7  # pay-out days: 364 is none, 370 is
    codes[0, [105, 205, C + 1], 0] = 7
    units = np.where(codes[0, :C, 1].numpy() > 0, 8.0, 4.0)
    units[[105, 205]] = 0
    found = estimated(replace(history(units, H), events=codes))[:, PLANS]
    assert found[6].item() == pytest.approx(8.0, rel=0.15)
    assert found[1].item() < 2.0
    assert found[0].item() == pytest.approx(4.0, rel=0.1)


def test_plans_that_never_differ_say_nothing() -> None:
    sample = draw(4, Period.DAY, 91, 14, np.random.default_rng(5))
    sample.batch.covariates[:, :, [COVARIATES.index(name) for name in ("price", "promo")]] = 0.25
    steps = step_features(replace(sample.batch, events=None), torch.ones(4))
    assert (steps.other[..., -1] == 0).all()
    torch.testing.assert_close(steps.linear[..., -1], steps.linear[..., -LINEAR + 2])


def test_neighbours_with_events_change_no_bit_of_a_series() -> None:
    sample = draw(6, Period.DAY, 182, 14, np.random.default_rng(8))
    batch = replace(sample.batch, events=torch.zeros(6, 196, 2, dtype=torch.int16))
    batch.covariates[0, ::9, COVARIATES.index("promo")], batch.covariates[0, :, COVARIATES.index("known")] = 1, 1
    alone = step_features(batch, scale_of(batch))
    events = torch.zeros_like(batch.events)  # type: ignore[arg-type]
    events[1:, ::50, 0], events[1:, ::5, 1] = 3, 4
    beside = step_features(replace(batch, events=events), scale_of(batch))
    assert torch.equal(alone.linear[0], beside.linear[0])
    assert torch.equal(alone.other[0], beside.other[0])
    assert not torch.equal(alone.linear[1:], beside.linear[1:])


def test_a_neighbour_with_plans_changes_no_bit_of_a_series_without() -> None:
    sample = draw(4, Period.DAY, 182, 14, np.random.default_rng(8))
    batch = replace(sample.batch, events=None)
    batch.covariates[0, :, [COVARIATES.index(name) for name in ("price", "promo", "known")]] = 0
    rows = {f.name: getattr(batch, f.name) for f in fields(batch)}
    still = {**rows, "covariates": batch.covariates[:1].expand(4, -1, -1).contiguous()}
    beside, alone = (step_features(ContextBatch(**given), scale_of(batch)) for given in (rows, still))
    assert torch.equal(alone.linear[0], beside.linear[0])
    assert torch.equal(alone.other[0], beside.other[0])
    assert (alone.other[..., -1] == 0).all()
    assert (beside.other[1:, :, -1] > 0).any()


@pytest.mark.parametrize("days", [30, 34, 60, 200])
def test_a_long_time_out_of_stock_is_not_a_level_of_nothing(days: int) -> None:
    batch = history(np.full(364, 6.0), 14)
    batch.units[0, -days:], batch.observed[0, -days:] = 0, 0
    assert estimated(batch).min().item() == pytest.approx(6.0, rel=0.02)


def test_days_without_stock_change_no_estimate() -> None:
    units = np.tile(CYCLE[Period.DAY], 13)
    full, gaps = history(units, 14), history(units * (np.arange(91) % 4 > 0), 14)
    gaps.observed[0] = torch.from_numpy((np.arange(91) % 4 > 0).astype(np.float32))
    assert exposure_of(gaps).sum() < exposure_of(full).sum()
    torch.testing.assert_close(estimated(gaps), estimated(full), rtol=0.15, atol=0.15)


@pytest.mark.parametrize("period", list(Period))
@pytest.mark.parametrize("units", [[0.0], [1e9], [0.0, 0.0, 5.0], [1.0, 0.0] * 700])
def test_estimates_of_odd_histories_are_finite(period: Period, units: list[float]) -> None:
    C = -(-len(units) // 84) * 84
    batch = history([0.0] * (C - len(units)) + units, 64, period)
    batch.exists[0, : C - len(units)] = False
    steps = step_features(batch, torch.full((1,), max(max(units), 0.1)))
    assert torch.isfinite(steps.linear).all()
    assert torch.isfinite(steps.other).all()
