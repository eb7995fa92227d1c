import json
import subprocess
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from fullshelf.bench import suite
from fullshelf.bench.cli import app
from fullshelf.bench.machine import this_machine
from fullshelf.bench.result_file import read_results


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What would be run; a benchmark called `split` fails."""
    seen: list[list[str]] = []

    def run(command, **_):
        seen.append(command)
        if "--json" in command and "split" not in command:
            result = {"benchmark": command[4], "size": command[6], "machine": {}, "limits": {}, "rows": []}
            Path(command[command.index("--json") + 1]).write_text(json.dumps(result) + "\n")
        return subprocess.CompletedProcess(command, 1 if "split" in command else 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    return seen


def test_each_benchmark_is_a_process_that_writes_its_result_under_the_machines_name(tmp_path: Path, calls):
    ran = suite.run_suite(["kernels", "refresh"], "small", tmp_path)
    ours = [command for command in calls if "fullshelf.engine" in command]
    assert [command[4:7] for command in ours] == [["kernels", "--size", "small"], ["refresh", "--size", "small"]]
    assert ran[0].file == tmp_path / this_machine().slug / "kernels-small.json"
    assert [one.outcome for one in ran] == ["complete", "complete"]
    assert json.loads(ran[0].file.read_text())["benchmark"] == "kernels"


def test_one_file_holds_every_result_with_the_seconds_and_outcome_of_each(tmp_path: Path, calls):
    file = tmp_path / "new" / "suite.json"
    words = [word for name in ("kernels", "split", "refresh") for word in ("--only", name)]
    done = CliRunner().invoke(app, ["all", *words, "--repeat", "2", "--json", str(file)])
    assert done.exit_code == 1  # split failed
    found = json.loads(file.read_text())
    assert (found["benchmark"], found["size"]) == ("all", "small")
    assert [run["name"] for run in found["runs"]] == ["kernels", "split", "refresh"] * 2  # in rounds
    assert [run["outcome"] for run in found["runs"]][:3] == ["complete", "failed: exit code 1", "complete"]
    assert found["seconds"] == pytest.approx(sum(run["seconds"] for run in found["runs"]))
    assert [one["benchmark"] for one in read_results(file)] == ["kernels", "refresh"] * 2
    assert json.loads(done.output.strip().splitlines()[-1]) == {k: v for k, v in found.items() if k != "results"}
    assert [other.name for other in file.parent.iterdir()] == ["suite.json"]


def test_what_was_measured_before_an_interruption_stays(tmp_path: Path, calls, monkeypatch: pytest.MonkeyPatch):
    file = tmp_path / "suite.json"

    def stop(ran):
        suite.write_suite(file, ran, "small")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        suite.run_suite(["kernels", "refresh"], "small", None, after=stop)
    assert [one["benchmark"] for one in read_results(file)] == ["kernels"]


def test_the_sum_stands_beside_the_promise_where_a_whole_small_suite_ran_once():
    ran = [suite.Ran(name, 40.0, "complete", None) for name in suite.NAMES]
    assert suite.promise(ran, "small") == "; promised: 600 s on 2 cores (kept)"
    assert suite.promise([*ran[:-1], suite.Ran(suite.NAMES[-1], 400.0, "complete", None)], "small").endswith("(missed)")
    assert suite.promise(ran, "full") == suite.promise(ran[1:], "small") == suite.promise(ran * 2, "small") == ""


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


def test_every_benchmark_of_the_suite_takes_a_size_and_a_file_for_its_json():
    commands = typer.main.get_command(app).commands
    for name in suite.NAMES:
        options = {option for parameter in commands[name].params for option in parameter.opts}
        assert {"--size", "--json"} <= options, name
    assert "--json" in {option for parameter in commands["all"].params for option in parameter.opts}


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
