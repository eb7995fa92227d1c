import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fullshelf.bench.cli import app
from fullshelf.bench.parts import part_of
from fullshelf.bench.plan import LED, STAGES, Ask, Part, fit_costs, make_plan
from fullshelf.bench.process import Finished
from fullshelf.bench.refresh import Night

MACHINE = {"cpu": "chip", "cores": 2, "commit": "0123456789", "measured": "2026-11-22T08:00:00", "load": 0.0}
CORE = {  # of a run, a series, a row
    "split": (1.0, 0.0, 2e-6),
    "read": (0.0, 0.0, 1e-6),
    "forecast": (0.0, 1e-4, 3e-6),
    "protect": (0.0, 5e-5, 0.0),
    "plan": (0.1, 2e-4, 0.0),
    "write": (0.0, 4e-5, 0.0),
    "allocate": (0.2, 1e-4, 0.0),
    "report": (1.0, 1e-5, 0.0),
}


def part(series: int, days: int, cores: int = 2) -> Part:
    """Make up a run on a machine whose costs are CORE: split on all cores, limits on all, the report on one."""
    rows = 0.4 * series * days
    found = {"series": series, "days": days, "rows": rows, "cores": cores, "shards": 6}
    core = {name: fixed + a * series + b * rows for name, (fixed, a, b) in CORE.items()}
    found |= {f"{name} core s": seconds for name, seconds in core.items()}
    found["shards core s"] = sum(core[stage] for stage in STAGES)
    wall = {"split": core["split"] / cores, "shards": found["shards core s"] / cores / 0.8}
    wall |= {"allocate": core["allocate"] / cores, "report": core["report"]}
    found |= {f"{name} wall s": seconds for name, seconds in wall.items()}
    found |= {f"{name} thread s": seconds for name, seconds in wall.items()} | {
        "shards thread s": wall["shards"] * cores
    }
    found |= {"start s": 2.0, "start core s": 1.5, "total s": 2.0 + sum(wall.values()), "peak GiB": 0.3 + 1e-6 * series}
    return Part(found | {"sales MB": 2e-6 * rows, "cache MB": 3e-6 * rows, "run MB": 5e-4 * series})


PARTS = [part(10_000, 180), part(10_000, 730), part(40_000, 365)]


def test_the_costs_of_a_run_a_series_and_a_row_are_found_again():
    costs = fit_costs(PARTS)
    for name, amounts in CORE.items():
        assert costs.core[name] == pytest.approx(amounts, rel=1e-4, abs=1e-9)
    assert costs.busy == pytest.approx(0.8)
    assert costs.serial == pytest.approx({"split": 0.0, "allocate": 0.0, "report": 1.0}, abs=1e-6)


@pytest.mark.parametrize(("series", "days"), [(20_000, 365), (50_000, 365), (200_000, 100)])
def test_a_plan_for_the_measured_machine_is_what_it_takes(series: int, days: int):
    wanted = part(series, days)
    plan = make_plan(fit_costs(PARTS), Ask(series, days, cores=2))
    assert plan.seconds == pytest.approx(wanted["total s"], rel=1e-3)
    assert plan.disk_gb == pytest.approx((wanted["sales MB"] + wanted["cache MB"] + wanted["run MB"]) / 1000, rel=1e-6)
    assert plan.memory_gib == pytest.approx(wanted["peak GiB"], rel=0.01)


def test_more_cores_help_shards_but_not_what_one_core_does():
    costs = fit_costs(PARTS)
    few, many = (make_plan(costs, Ask(4_000_000, 730, cores=cores)) for cores in (2, 16))
    assert many.parts["forecast"] == pytest.approx(few.parts["forecast"] / 8)
    assert many.parts["report"] == pytest.approx(few.parts["report"])
    machines = make_plan(costs, Ask(4_000_000, 730, cores=2, machines=8))
    assert machines.parts["forecast"] == pytest.approx(many.parts["forecast"])
    assert machines.parts["split"] == pytest.approx(few.parts["split"])  # one machine leads


def test_no_more_cores_work_than_there_are_shards():
    costs = fit_costs(PARTS)
    one, many = (make_plan(costs, Ask(1000, 365, cores=cores)) for cores in (1, 64))
    assert one.shards == 1
    assert one.parts["forecast"] == pytest.approx(many.parts["forecast"])


def test_gpus_forecast_at_their_rate_and_cost_by_the_hour():
    ask = Ask(100_000_000, 730, cores=128, gpus=8, gpu="H200", gpu_series_per_second=10_000.0, price=4.0)
    plan = make_plan(fit_costs(PARTS), ask)
    assert plan.parts["forecast"] == pytest.approx(1250.0)
    assert plan.cost == pytest.approx(plan.hours * 8 * 4.0)
    assert any("8 GPUs" in sentence for sentence in plan.assumed)


def test_two_shapes_are_too_few():
    with pytest.raises(ValueError, match="at least three measured shapes"):
        fit_costs(PARTS[:2])


def test_a_part_adds_up_what_the_run_was_sampled_to_use():
    def row(phase: str, stage: str) -> dict:
        return {
            "phase": phase,
            "stage": stage,
            "wall": 1.0,
            "seconds": 2.0,
            "queued": 0.5,
            "cpu": 0.5,
            "helper_cpu": 0.25,
        }

    profile = [row("split", "split"), row("shards", "read"), row("shards", "plan"), row("allocate", "plan")]
    night = Night("x", Finished(0, 9.0, 1 << 30, 5.0, ""), {"profile": profile, "counts": {"shards": 3}})
    found = part_of(night, 10, 365, 100, 2)
    assert (found["shards wall s"], found["shards core s"], found["plan core s"]) == (2.0, 1.5, 0.75)
    assert found["shards thread s"] == 3.0  # what was spent in the queue for a core is the machine's, not the job's
    assert (found["start s"], found["start core s"]) == (5.0, 2.0)
    with pytest.raises(RuntimeError, match="not sampled"):
        part_of(Night("x", night.process, {"counts": {"shards": 3}}), 10, 365, 100, 2)


def kept(folder: Path, name: str, rows: list, **machine: str) -> Path:
    file = folder / "m" / f"{name}-full.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"benchmark": name, "machine": MACHINE | machine, "rows": rows}))
    return folder


def keep_parts(folder: Path) -> None:
    row = {"who": "fullshelf auto", "size": "x", "cores": 2, "median_seconds": 1.0, "spread": 0.0, "calls": 1}
    rows = [row | {"task": "part", "figures": dict(p.figures)} for p in PARTS]
    for off, core, memory in ((0.05, 0.08, -0.01), (-0.03, -0.04, -0.05)):
        rows.append(row | {"task": "check", "figures": {"off": off, "core off": core, "memory off": memory}})
    kept(folder, "parts", rows)


def rates(by_context: dict[int, float]) -> list[dict]:
    """Return rows of DemandLM on one core, or on one GPU."""
    return [{"task": f"context {c}", "who": "fullshelf", "per_second": rate} for c, rate in by_context.items()]


def said(folder: Path, *words: str):
    return CliRunner().invoke(app, ["plan", "--series", "100e6", "--history", "730", "--results", str(folder), *words])


def test_the_command_answers_with_hours_cost_memory_disk_shards_and_what_it_assumed(tmp_path: Path):
    keep_parts(tmp_path)
    kept(tmp_path, "inference", rates({512: 9e3, 2048: 4e3}), accelerator="NVIDIA H200")
    result = said(tmp_path, "--gpus", "8", "--gpu", "h200", "--price", "4")
    assert result.exit_code == 0, result.output
    answer = json.loads(result.output.strip().splitlines()[-1])
    assert answer["ask"]["gpu_series_per_second"] == 4e3  # the context that holds 730 days
    assert answer["hours"] == pytest.approx(sum(answer["parts"].values()) / 3600)
    assert answer["cost"] == pytest.approx(answer["hours"] * 32)
    assert answer["shards"] == 32768
    for words in ("hours", "GiB of memory", "GB of disk", "shards", "Assumed:", "NVIDIA H200", "29,200,000,000 rows"):
        assert words in result.output


def test_what_was_not_measured_is_refused_with_what_to_call(tmp_path: Path):
    result = said(tmp_path)
    assert result.exit_code == 2
    assert "no parts were measured" in result.output
    keep_parts(tmp_path)
    result = said(tmp_path, "--gpus", "1", "--gpu", "H200")
    assert result.exit_code == 2
    assert "series-per-second" in result.output
    result = said(tmp_path, "--gpus", "1", "--gpu", "H200", "--series-per-second", "5000")
    assert result.exit_code == 0
    assert "rate of a GPU, NOT MEASURED: given by --series-per-second" in result.output
    assert "That rate was given, not measured." in result.output


def test_a_gpu_that_was_never_measured_is_taken_for_no_faster_than_measured_cores_and_that_is_said(tmp_path: Path):
    keep_parts(tmp_path)
    kept(tmp_path, "inference", rates({512: 700.0, 2048: 400.0}))
    result = said(tmp_path, "--gpus", "8", "--gpu", "H200")
    assert result.exit_code == 0
    answer = json.loads(result.output.strip().splitlines()[-1])
    assert answer["ask"]["gpu_series_per_second"] == 800.0  # two cores at the context that holds 730 days
    assert "rate of a GPU, NOT MEASURED: assumed: no GPU called 'H200' was measured" in result.output
    assert any("a floor and no estimate" in sentence for sentence in answer["assumed"])
    assert answer["sources"]["rate of a GPU, NOT MEASURED"].startswith("assumed")


def test_a_plan_tells_its_model_how_far_it_was_off_and_how_far_it_reaches_beyond_what_was_measured(tmp_path: Path):
    keep_parts(tmp_path)
    text = said(tmp_path, "--cores", "64").output
    assert "parts measured on: chip, 2 cores, 2026-11-22, commit 01234567; model auto" in text
    assert "held against runs of other sizes: seconds +5%, -3%; core seconds +8%, -4%; memory -1%, -5%" in text
    assert "runs of up to 40,000 series and 5,840,000 rows" in text
    assert "2,500 times as many series" in text


def test_runs_of_fewer_shards_than_cores_are_told_as_too_small():
    small = [Part({**found.figures, "shards": 1}) for found in PARTS]
    for parts, told in ((PARTS, False), (small, True)):
        assumed = make_plan(fit_costs(parts), Ask(20_000, 365, cores=2)).assumed
        assert any("had fewer shards (1) than cores (2)" in sentence for sentence in assumed) == told


def test_parts_may_come_from_a_suite_and_a_damaged_file_says_so(tmp_path: Path):
    keep_parts(tmp_path)
    parts = json.loads((tmp_path / "m" / "parts-full.json").read_text())
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps({"benchmark": "all", "runs": [], "results": [parts | {"limits": {}}]}))
    assert said(tmp_path / "none", "--parts", str(suite)).exit_code == 0
    suite.write_text('{"benchmark": "all", "resu')
    result = said(tmp_path / "none", "--parts", str(suite))
    assert result.exit_code == 2
    assert "damaged or cut off" in " ".join(result.output.replace("│", " ").split())


def test_every_phase_that_one_machine_leads_has_its_serial_share():
    assert set(fit_costs(PARTS).serial) == set(LED)
