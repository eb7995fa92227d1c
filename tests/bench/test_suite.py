import json
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fullshelf.bench import suite
from fullshelf.bench.cli import app
from fullshelf.bench.machine import this_machine


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would be run; a benchmark called `split` fails."""
    seen: list[list[str]] = []

    def run(command, **_):
        seen.append(command)
        if "--json" in command:
            Path(command[command.index("--json") + 1]).parent.mkdir(parents=True, exist_ok=True)
        return subprocess.CompletedProcess(command, 1 if "split" in command else 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return seen


def test_each_benchmark_is_a_process_that_writes_its_result_under_the_machines_name(tmp_path: Path, calls):
    ran = suite.run_suite(["kernels", "refresh"], "small", tmp_path)
    ours = [command for command in calls if "fullshelf.engine" in command]
    assert [command[4:7] for command in ours] == [["kernels", "--size", "small"], ["refresh", "--size", "small"]]
    assert ran[0].file == tmp_path / this_machine().slug / "kernels-small.json"
    assert [one.outcome for one in ran] == ["complete", "complete"]


def test_one_that_fails_does_not_stop_the_rest_but_the_exit_code_says_so(calls):
    result = CliRunner().invoke(app, ["all", "--only", "split", "--only", "refresh"])
    assert result.exit_code == 1
    assert "failed: exit code 1" in result.output
    assert any("refresh" in command for command in calls)


def test_one_whose_package_is_not_there_is_left_out_with_the_reason(calls, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(suite, "find_spec", lambda name: None)
    (ran,) = suite.run_suite(["inference"], "small", None)
    assert ran.outcome == "left out: torch is not installed: pip install 'fullshelf[model]'"
    assert not ran.failed


def test_a_name_that_no_benchmark_has_is_refused_with_those_there_are():
    result = CliRunner().invoke(app, ["all", "--only", "speed"])
    assert result.exit_code == 2
    assert "speed" in result.output


def test_the_command_line_knows_every_benchmark_of_the_suite():
    there = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert set(suite.NAMES) <= there
    assert {"all", "compare", "plan", "tables"} <= there


def test_every_result_names_its_size_machine_commit_threads_and_seeds(tmp_path: Path):
    out = tmp_path / "split.json"
    done = CliRunner().invoke(app, ["split", "--series", "20", "--work", str(tmp_path / "work"), "--json", str(out)])
    assert done.exit_code == 0, done.output
    found = json.loads(out.read_text())
    assert found["benchmark"] == "split"
    assert found["size"] == "small"
    assert found["seconds"] > 0
    assert found["seeds"]
    assert {"cpu", "cores", "threads", "commit", "versions", "measured", "load"} <= found["machine"].keys()
    for limit in ("triad_bytes_per_second", "matmul_per_second", "read_bytes_per_second", "write_bytes_per_second"):
        assert found["limits"][limit] > 0
    first = done.output.splitlines()[0]
    assert "triad" in first  # what the machine allows stands before what was measured
    assert "matrix products" in first
    assert json.loads(done.output.strip().splitlines()[-1]) == found
