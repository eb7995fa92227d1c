import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fullshelf.bench import headline as bench
from fullshelf.bench.cli import app
from fullshelf.bench.machine import Limits, this_machine
from fullshelf.bench.process import Finished
from fullshelf.bench.refresh import Night

USED = {"cpu": 0.0, "helper_cpu": 0.0, "wall": 0.0, "peak_memory_mb": 512.0}


def night(*profile: dict) -> Night:
    """Make up a run of 10 s and 16 core seconds."""
    summary = {
        "device": "cpu",
        "seconds": {"split": 1.0, "forecast": 12.0, "plan": 2.0, "total": 9.0},
        "profile": [{"phase": "shards"} | USED | row for row in profile],
    }
    return Night("fullshelf auto", Finished(0, 10.0, 2 << 30, 16.0, ""), summary)


def rows(found: Night) -> list:
    return list(bench.rows_of(found, "fullshelf auto", 500, "500 series × 365 days", this_machine()))


def test_the_engines_share_is_what_the_model_did_not_use_of_core_seconds_and_of_wall_time():
    model = {"stage": "forecast", "cpu": 9.0, "helper_cpu": 3.0, "wall": 7.0}
    *stages, whole = rows(night(model, {"stage": "plan", "cpu": 2.0, "wall": 1.0}))
    assert [row.task for row in stages] == [f"Parquet to orders: {name}" for name in ("split", "forecast", "plan")]
    assert stages[1].figures == {"peak GiB": 0.5, "CPU s": 12.0}
    assert whole.task == "Parquet to orders"
    assert whole.rate == 50.0
    assert whole.figures == {
        "CPU s": 16.0, "peak GiB": 2.0, "model CPU s": 12.0,
        "engine share": 0.25, "of wall": pytest.approx(0.3),
    }  # fmt: skip


def test_a_model_that_works_in_several_phases_is_added_up():
    first = {"stage": "forecast", "cpu": 4.0, "wall": 2.0}
    again = {"phase": "allocate", "stage": "forecast", "cpu": 4.0, "wall": 3.0}
    whole = rows(night(first, again))[-1]
    assert whole.figures["engine share"] == pytest.approx(0.5)
    assert whole.figures["of wall"] == pytest.approx(0.5)


def test_where_threads_are_not_counted_no_share_is_made_up():
    assert "engine share" not in rows(night())[-1].figures
    assert "not known" in bench.goal_text({})


def test_every_model_begins_with_nothing_and_one_that_cannot_run_says_why(tmp_path: Path, monkeypatch):
    found_runs = []

    def refresh(name: str, configuration: Path) -> Night:
        plan = yaml.safe_load(configuration.read_text())
        output = Path(plan["output"])
        found_runs.append((name, plan["forecast"]["model"], output.exists()))
        output.mkdir(exist_ok=True)
        return night({"stage": "forecast", "cpu": 8.0, "wall": 5.0})

    monkeypatch.setattr(bench, "refresh", refresh)
    monkeypatch.setattr(bench, "missing_model", lambda name: "no torch" if name == "demand-lm" else "")
    report = bench.measure_headline(
        this_machine(), Limits(1e9, 0, 0), tmp_path, 20, periods=40, models=("auto", "demand-lm", "croston"),
        say=lambda line: None,
    )  # fmt: skip
    assert [model for name, model, _ in found_runs if name != "warm-up"] == ["auto", "croston"]
    assert not any(there for _, _, there in found_runs)
    (left_out,) = [row for row in report.rows if row.who == "fullshelf demand-lm"]
    assert (left_out.timing, left_out.note) == (None, "no torch")
    assert report.figures["engine share, auto"] == report.figures["engine share, croston"] == 0.5
    assert "auto 50% (missed)" in report.sentences[-1]


@pytest.mark.slow
def test_the_command_measures_from_parquet_to_orders_by_each_model_that_is_named(tmp_path: Path):
    out = tmp_path / "headline.json"
    words = ["headline", "--series", "40", "--periods", "40", "--model", "seasonal-naive", "--model", "croston"]
    done = CliRunner().invoke(app, [*words, "--work", str(tmp_path / "work"), "--json", str(out)])
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    assert (found["benchmark"], found["size"], found["seeds"]) == ("headline", "small", {"marketplace": 11})
    for model in ("seasonal-naive", "croston"):
        mine = {row["task"]: row for row in found["rows"] if row["who"] == f"fullshelf {model}"}
        assert {"warm-up", "Parquet to orders", "Parquet to orders: split", "Parquet to orders: forecast"} <= set(mine)
        whole = mine["Parquet to orders"]
        assert whole["size"] == "40 series × 40 days"
        assert whole["work"] == 40
        assert whole["figures"]["CPU s"] > 0.1
        share = whole["figures"].get("engine share", 1.0)  # nothing was seen of so short a stage, perhaps
        assert 0.5 < share <= 1.0
    assert found["figures"]["sales rows"] > 40
    assert not (tmp_path / "work" / "runs").exists()
