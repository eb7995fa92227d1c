import math

import pytest
import torch

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.batch import COVARIATES, ContextBatch
from fullshelf.engine.models.demand_lm.features import (
    SERIES_FEATURES,
    SLOT_FEATURES,
    STEP_LINEAR,
    STEP_OTHER,
    patch_features,
    scale_of,
    step_features,
)


def batch_of(units: list[float], H: int, period: Period = Period.DAY, missing: int = 0) -> ContextBatch:
    values = torch.tensor([[0.0] * missing + units])
    C = values.shape[1]
    exists = torch.arange(C)[None] >= missing
    return ContextBatch(period, values, exists, torch.ones(1, C), torch.zeros(1, C + H, len(COVARIATES)))


AGO = 9  # place of the value a year ago among the linear features, then that of its neighbours' mean
WEEK = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0]


def test_the_last_season_stands_at_its_phase() -> None:
    batch = batch_of([9.0] * 7 + WEEK, H=16)
    steps = step_features(batch, torch.ones(1))
    assert steps.linear[0, :, 0].tolist() == [WEEK[h % 7] for h in range(16)]
    assert steps.linear[0, :7, 1].tolist() == [(9.0 + u) / 2 for u in WEEK]  # the mean of both seasons
    assert steps.linear.shape == (1, 16, STEP_LINEAR)
    assert steps.other.shape == (1, 16, STEP_OTHER)
    assert steps.series.shape == (1, SERIES_FEATURES)


@pytest.mark.parametrize(("period", "year"), [(Period.DAY, 364), (Period.WEEK, 52), (Period.MONTH, 12)])
def test_the_value_a_year_ago_stands_at_its_step(period: Period, year: int) -> None:
    units = [float(t) for t in range(2184)]  # whole patches of each period
    steps = step_features(batch_of(units, 64, period), torch.ones(1))
    expected = [len(units) - year + h % year for h in range(64)]
    assert steps.linear[0, :, AGO].tolist() == expected
    near = steps.linear[0, : min(year, 11) - 1, AGO + 1].tolist()
    assert near == pytest.approx(expected[: len(near)], abs=1e-3)  # a line's mean around a point is the point


def test_a_history_shorter_than_a_year_has_no_year_ago() -> None:
    steps = step_features(batch_of(WEEK * 8, 10), torch.ones(1))
    assert (steps.linear[0, :, AGO : AGO + 2] == 0).all()
    assert (steps.other[0, :, 2] == 0).all()


def test_a_history_of_just_a_year_says_how_much_of_last_year_it_holds() -> None:
    known = step_features(batch_of(WEEK * 52, 10), torch.ones(1)).other[0, :, 2]
    assert known[0].item() == pytest.approx(8 / 15)  # seven days after the first one, none before it
    assert known[9].item() == pytest.approx(1.0)


def test_a_stock_out_is_not_taken_for_low_demand() -> None:
    full = batch_of([4.0] * 28, 3)
    half = ContextBatch(
        Period.DAY,
        torch.where(torch.arange(28) % 2 == 0, 4.0, 1.0)[None],
        full.exists,
        torch.where(torch.arange(28) % 2 == 0, 1.0, 0.25)[None],
        full.covariates,
    )
    out = ContextBatch(
        Period.DAY, full.units * (torch.arange(28) < 20), full.exists, full.observed.clone(), full.covariates
    )
    out.observed[:, 20:] = 0
    for batch in (half, out):
        assert scale_of(batch).item() == pytest.approx(4.0)
    torch.testing.assert_close(step_features(half, torch.ones(1)).linear, step_features(full, torch.ones(1)).linear)


def test_the_scale_of_no_sale_at_all_is_small_and_positive() -> None:
    assert scale_of(batch_of([0.0] * 21, 1)).item() == pytest.approx(0.5 / 22)
    assert scale_of(batch_of([], 1, missing=7)).item() == pytest.approx(0.5)
    assert math.isclose(scale_of(batch_of([2.0], 1, missing=6)).item(), 2.0)


def test_a_patch_ahead_holds_what_is_known_and_nothing_else() -> None:
    batch = batch_of(WEEK, 10)
    batch.covariates[0, 7 + 8, COVARIATES.index("promo")] = 1.0
    slots, alive = patch_features(batch, torch.ones(1))
    assert slots.shape == (1, 3, 7 * SLOT_FEATURES)
    assert alive.tolist() == [[True, True, True]]
    slots = slots.reshape(3, 7, SLOT_FEATURES)
    assert slots[0, :7, 0].tolist() == pytest.approx([math.asinh(u) for u in WEEK])
    assert slots[1:].nonzero().tolist() == [[1, 1, 4 + COVARIATES.index("promo")]]


def test_patches_before_the_first_period_do_not_exist() -> None:
    assert patch_features(batch_of([1.0], 1, missing=13), torch.ones(1))[1].tolist() == [[False, True, True]]
