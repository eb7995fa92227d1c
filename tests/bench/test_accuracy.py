import importlib.util
from pathlib import Path

import numpy as np
import pytest

from fullshelf.bench import accuracy as bench
from fullshelf.bench.forecast_peer import long_table
from fullshelf.bench.forecast_sample import draw_sample, weighted_quantile_loss
from fullshelf.bench.machine import Limits, this_machine
from fullshelf.bench.open_tasks import task_rows
from fullshelf.engine.calendar import Period

NOTHING = Limits(1.0, 0.0, 0.0)
SHARED = Path(__file__).parents[2].parent / "shared"


def measured(shared: Path | None = None, **more):
    quick = {"models": ("seasonal-naive", "sba"), "peers": (), "periods": (Period.MONTH,), "say": lambda line: None}
    return bench.measure_accuracy(this_machine(), NOTHING, 12, shared, **(quick | more))


def test_every_model_is_scored_on_simulated_series_and_the_naive_scores_one():
    report = measured()
    naive, sba = report.rows
    assert naive.figures["of naive"] == pytest.approx(1.0)
    assert sba.figures["WQL"] / naive.figures["WQL"] == pytest.approx(sba.figures["of naive"])
    assert 0 < sba.figures["WQL of totals"] < sba.figures["WQL"]  # errors of single periods cancel
    assert 0.5 < sba.figures["at or below q0.9"] <= 1
    assert "12 series × 72 months, 12 ahead" in naive.size
    assert report.figures["simulated: fullshelf sba, geometric mean of naive"] == pytest.approx(sba.figures["of naive"])


def test_without_the_real_sales_their_part_is_left_out_with_the_reason(tmp_path: Path):
    report = measured(tmp_path)
    assert {row.task for row in report.rows} == {"simulated months"}
    assert f"{tmp_path / 'data' / 'tasks.json'} does not exist" in report.sentences[-1]
    assert "were not asked for" in measured(None).sentences[-1]


def test_a_peer_or_a_model_that_is_not_installed_is_a_row_with_the_reason(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    report = measured(models=("demand-lm",), peers=("AutoETS",))
    assert [row.timing for row in report.rows] == [None, None]
    assert "torch is not installed" in report.rows[0].note
    assert "statsforecast is not installed" in report.rows[1].note


@pytest.mark.parametrize("period", list(Period))
def test_the_peer_reads_each_period_by_its_first_day(period: Period):
    sample = draw_sample(5, period=period, periods=bench.SPANS[period][0], horizon=bench.SPANS[period][1])
    table = long_table(sample.panel)
    numbers = table.select(period.number("ds"))["ds"].to_numpy()
    ends = sample.panel.offsets[1:] - 1
    assert (numbers[ends] == sample.panel.last).all()
    same = np.diff(table["unique_id"].to_numpy()) == 0
    assert (np.diff(numbers)[same] == 1).all()


def test_the_loss_of_totals_is_that_of_one_number_a_series():
    levels, quantiles, truth = np.array([0.5]), np.array([[2.0], [3.0]]), np.array([4.0, 3.0])
    assert weighted_quantile_loss(levels, quantiles, truth) == pytest.approx(2 / 7)


@pytest.mark.shared
@pytest.mark.slow
def test_ours_and_a_peer_are_scored_by_the_judge_on_real_sales():
    if not (SHARED / "data" / "tasks.json").exists():
        pytest.skip(f"{SHARED} is not there: real sales are no part of the project")
    pytest.importorskip("statsforecast")
    rows = list(task_rows(SHARED, ["seasonal-naive"], ["SeasonalNaive"], ["hospital"], 1, lambda line: None))
    ours, peer = rows
    assert ours.figures["MASE"] == pytest.approx(0.9205, abs=5e-5)  # published
    assert peer.figures["MASE"] == pytest.approx(0.9205, abs=5e-5)
    assert peer.figures["WQL"] == pytest.approx(0.0624, abs=1e-3)
    assert (ours.size, peer.size) == ("767 series, as of 2005-12-01", "767 series, as of 2005-12-01")
