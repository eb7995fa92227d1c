from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from fullshelf.bench import refresh as bench
from fullshelf.bench.cli import app
from fullshelf.bench.machine import Limits, this_machine
from fullshelf.bench.process import Finished
from fullshelf.engine.simulate import simulate_marketplace


def test_the_two_nights_part_the_sales_at_the_newest_day(tmp_path: Path):
    market = simulate_marketplace(30, 40, tmp_path / "market", part_series=10)
    first, second = bench._split_nights(market)
    whole = pl.read_parquet(market.tables["sales"] / "*.parquet")
    before, newest = (pl.read_parquet(Path(path) / "*.parquet") for path in second)
    assert first == second[:1]
    assert before["date"].max() < market.as_of
    assert set(newest["date"]) == {market.as_of}
    assert before.height + newest.height == whole.height


def test_a_refresh_that_fails_is_an_error_with_its_message(tmp_path: Path):
    configuration = tmp_path / "bad.yaml"
    configuration.write_text("period: fortnight\n")
    with pytest.raises(RuntimeError, match=r"exit code 2: .*fortnight"):
        bench.refresh("first night", configuration)


def test_a_night_becomes_a_row_for_each_stage_and_one_for_the_whole():
    seconds = {"split": 2.0, "read": 1.0, "forecast": 4.0, "report": 0.5, "total": 5.0}
    process = Finished(0, 6.0, 3 << 30, 11.0, "")
    rows = list(
        bench._rows_of(
            bench.Night("first night", process, {"already": False, "seconds": seconds}), 600, 30, "x", this_machine()
        )
    )
    assert [row.task.split(": ")[1] for row in rows] == ["split", "read", "forecast", "report", "total"]
    assert [row.rate for row in rows] == [300.0, 600.0, 150.0, 1200.0, 100.0]
    assert [bool(row.note) for row in rows] == [False, True, True, False, True]
    assert "1.0 s of it around the run" in rows[-1].note
    assert rows[-1].figures == {"peak GiB": 3.0, "CPU s": 11.0}
    (again,) = bench._rows_of(bench.Night("again", process, {"already": True}), 600, 30, "x", this_machine())
    assert again.task == "again: total"


def test_a_stage_says_what_it_used_and_a_phase_what_all_stages_in_it_used():
    parts = {"cpu": 1.0, "helper_cpu": 0.5, "peak_memory_mb": 512.0}
    places = (("shards", "plan"), ("allocate", "plan"), ("allocate", "allocate"))
    profile = [{"phase": phase, "stage": stage} | parts for phase, stage in places]
    assert bench.used(profile, "plan") == {"peak GiB": 0.5, "CPU s": 3.0}
    assert bench.used(profile, "allocate") == {"peak GiB": 0.5, "CPU s": 3.0}
    assert bench.used(profile, "report") == {}


@pytest.mark.slow
def test_the_whole_benchmark_measures_three_calls_and_polars(tmp_path: Path):
    report = bench.measure_refresh(
        this_machine(), Limits(1e9, 1e8, 1e8), tmp_path, 60, periods=60, model="seasonal-naive", repeats=1,
        say=lambda line: None,
    )  # fmt: skip
    tasks = [row.task for row in report.rows]
    for wanted in (
        "simulate",
        "first night: split",
        "first night: total",
        "second night: total",
        "called again: total",
    ):
        assert wanted in tasks
    assert tasks[-4:] == ["read", "sort", "write", "read, sort, write"]
    by_task = {row.task: row for row in report.rows}
    assert by_task["first night: total"].figures["peak GiB"] > 0.05
    assert all(row.timing is not None for row in report.rows)
    assert report.figures["sales rows"] == by_task["sort"].work


def test_help_names_the_benchmarks():
    text = CliRunner().invoke(app, ["--help"]).output
    for name in ("refresh", "forecast", "all"):
        assert name in text
