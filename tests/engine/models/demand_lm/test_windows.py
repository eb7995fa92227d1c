from collections.abc import Callable
from datetime import date, timedelta

import numpy as np
import pytest

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.batch import COVARIATES, PATCH
from fullshelf.engine.models.demand_lm.prior_calendar import window_dates
from fullshelf.engine.models.demand_lm.windows import (
    CALENDAR,
    calendar_covariates,
    contexts,
    rows_of,
    windows,
)
from fullshelf.engine.panel import KnownAhead, Panel

PanelOf = Callable[..., Panel]


@pytest.mark.parametrize("period", list(Period))
def test_contexts_are_whole_patches(period: Period) -> None:
    sizes = contexts(period, 2048)
    assert len(sizes) == 11
    assert all(C % PATCH[period] == 0 and B > 0 for C in sizes for B in [rows_of(C)])
    assert contexts(period, 64) == sizes[:1]


def test_each_series_goes_once_to_the_smallest_context_that_holds_it(panel_of: PanelOf) -> None:
    lengths = [1, 63, 64, 126, 127, 511, 512, 900]
    panel = panel_of([np.arange(1.0, n + 1) for n in lengths])
    seen = {}
    for window in windows(panel, None, 5, 512, np.arange(8)):
        B, C = window.batch.units.shape
        assert rows_of(C) == B
        assert not window.batch.exists[window.rows.size :].any()
        for i, s in enumerate(window.rows):
            seen[int(s)] = C
            n = min(lengths[s], C)
            assert window.batch.exists[i].sum() == n
            assert window.batch.units[i, C - n :].tolist() == list(np.arange(lengths[s] - n + 1.0, lengths[s] + 1))
            assert (window.batch.units[i, : C - n] == 0).all()
    assert [seen[s] for s in range(8)] == [63, 63, 91, 126, 189, 511, 511, 511]


@pytest.mark.parametrize("period", list(Period))
def test_the_calendar_is_that_of_the_prior(period: Period) -> None:
    last = period.number_of(date(2023, 12, 31))
    found = calendar_covariates(period, last, 504, 40)
    phases = window_dates(np.array([last]), period, 504, 40).phases()
    for k, name in enumerate(CALENDAR):
        expected = phases[name][0] if name in phases else np.zeros(544)
        np.testing.assert_allclose(found[:, k], expected, atol=2e-6)


def test_the_calendar_knows_the_year() -> None:
    day = date(2024, 3, 1)
    found = calendar_covariates(Period.DAY, Period.DAY.number_of(day) - 1, 7, 1)[-1]
    place = 2 * np.pi * ((day - date(2024, 1, 1)) / timedelta(days=1) + 0.5) / 365.25
    assert found[:2].tolist() == pytest.approx([np.sin(place), np.cos(place)], abs=1e-6)
    assert found[2:].tolist() == pytest.approx([np.sin(np.pi / 31), np.cos(np.pi / 31)], abs=1e-6)


def test_prices_are_relative_to_the_series_own_median(panel_of: PanelOf) -> None:
    price = np.array([np.nan, 10.0, 10.0, 20.0, 10.0, 0.0, 10.0])
    panel = panel_of([np.ones(7)], price=price)
    ahead = KnownAhead(np.array([[[5.0], [np.nan]]], np.float32), ("price",))
    (window,) = windows(panel, ahead, 2, 64, np.arange(1))
    found = window.batch.covariates[0, -9:, COVARIATES.index("price")].tolist()
    assert found == pytest.approx([0, 0, 0, np.log(2), 0, 0, 0, -np.log(2), 0])
    known = window.batch.covariates[0, -9:, COVARIATES.index("known")].tolist()
    assert known == [0, 1, 1, 1, 1, 0, 1, 1, 0]


def test_a_promotion_that_nobody_planned_is_not_one_that_nobody_knows(panel_of: PanelOf) -> None:
    panel = panel_of([np.ones(3), np.ones(3)], promo=np.array([0, 1, 0, 0, 0, 0]))
    ahead = KnownAhead(np.array([[[0.0]], [[np.nan]]], np.float32), ("promo",))
    (window,) = windows(panel, ahead, 1, 64, np.arange(2))
    names = [COVARIATES.index(name) for name in ("promo", "known")]
    assert window.batch.covariates[0, -4:, names].tolist() == [[0, 1], [1, 1], [0, 1], [0, 1]]
    assert window.batch.covariates[1, -4:, names].tolist() == [[0, 1], [0, 1], [0, 1], [0, 0]]


def test_events_are_read_where_the_panel_has_them(panel_of: PanelOf) -> None:
    panel = panel_of([np.ones(3)], event=np.array([0.0, 1.0, np.nan]))
    (window,) = windows(panel, None, 1, 64, np.arange(1))
    assert window.batch.covariates[0, -4:, COVARIATES.index("event")].tolist() == [0, 1, 0, 0]
    assert (window.batch.covariates[0, :, COVARIATES.index("known")] == 0).all()
