import importlib.util

import numpy as np
import polars as pl
import pytest

from fullshelf.bench import forecast as bench
from fullshelf.bench.forecast_peer import StatsForecastPeer, long_table
from fullshelf.bench.forecast_sample import Sample, draw_sample, first_series, shortest, weighted_quantile_loss
from fullshelf.bench.machine import Limits, one_core, this_machine, usable_cores
from fullshelf.engine.calendar import Period
from fullshelf.kernels.levels import LEVELS

NOTHING = Limits(1.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def sample() -> Sample:
    return draw_sample(30)


def test_the_loss_is_the_mean_pinball_loss_relative_to_what_was_sold():
    rng = np.random.default_rng(1)
    quantiles, truth = np.sort(rng.gamma(2.0, size=(4, 3, 13)), axis=2), rng.poisson(2.0, (4, 3)).astype(float)
    total = 0.0
    for q, level in enumerate(LEVELS):
        for s in range(4):
            for h in range(3):
                error = truth[s, h] - quantiles[s, h, q]
                total += 2 * (level * error if error >= 0 else (level - 1) * error)
    expected = total / len(LEVELS) / truth.sum()
    assert weighted_quantile_loss(np.array(LEVELS), quantiles, truth) == pytest.approx(expected)


def test_a_sample_has_history_and_a_life_beyond_the_horizon(sample: Sample):
    lengths = np.diff(sample.panel.offsets)
    assert sample.panel.series == 30
    assert sample.truth.shape == (30, bench.HORIZON)
    assert lengths.min() >= shortest(Period.DAY, bench.HORIZON)
    assert lengths.max() == bench.PERIODS
    assert sample.truth.sum() > 0


def test_the_table_for_the_peer_ends_at_the_as_of_date(sample: Sample):
    table = long_table(sample.panel)
    ends = table.group_by("unique_id").agg(pl.col("ds").max(), pl.len()).sort("unique_id")
    assert (ends["ds"] == sample.as_of).all()
    assert np.array_equal(ends["len"], np.diff(sample.panel.offsets))
    assert np.array_equal(table["y"], sample.panel.units)


def test_the_first_series_of_a_panel_are_a_panel(sample: Sample):
    few = first_series(sample.panel, 3)
    assert few.series == 3
    assert np.array_equal(few.units, sample.panel.units[: sample.panel.offsets[3]])


def test_a_peer_that_is_not_installed_is_a_row_with_the_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    report = bench.measure_forecasts(this_machine(), NOTHING, 5, models=(), say=lambda line: None)
    assert [row.who for row in report.rows] == [f"statsforecast {name}" for name in bench.PEERS]
    assert all(row.timing is None and "fullshelf[bench]" in row.note for row in report.rows)


def test_our_models_are_measured_with_speed_and_loss():
    report = bench.measure_forecasts(
        this_machine(), NOTHING, 20, models=("seasonal-naive", "sba"), peers=(), repeats=1, say=lambda line: None
    )
    assert [row.who for row in report.rows] == ["fullshelf seasonal-naive", "fullshelf sba"]
    for row in report.rows:
        assert row.timing is not None
        assert row.rate is not None
        assert 0 < row.figures["WQL"] < 2
    assert report.as_json()["seeds"] == {"marketplace": 23}


@pytest.mark.slow
@pytest.mark.parametrize("name", bench.PEERS)
def test_the_quantiles_of_a_peer_come_in_our_shape(name: str, sample: Sample):
    pytest.importorskip("statsforecast")
    few = first_series(sample.panel, 3)
    quantiles = StatsForecastPeer(name, bench.HORIZON)(few)
    assert quantiles.shape == (3, bench.HORIZON, len(LEVELS))
    assert np.isfinite(quantiles).all()
    assert quantiles.min() >= 0
    assert (np.diff(quantiles, axis=2) >= 0).all()
    assert weighted_quantile_loss(np.array(LEVELS), quantiles, sample.truth[:3]) < 3


def test_one_core_is_given_back():
    before = usable_cores()
    with one_core():
        assert usable_cores() == 1
    assert usable_cores() == before
