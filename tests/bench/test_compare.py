import copy
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fullshelf.bench.cli import app
from fullshelf.bench.compare import compare


def run_of(seconds, *, peer=1.0, triad=1e10, calls=7, spread=0.04, cpu="x"):
    def row(task, who, median):
        return {
            "task": task, "who": who, "size": "1,000 SKUs", "cores": 1, "median_seconds": median, "spread": spread,
            "calls": calls, "figures": {}, "note": "",
        }  # fmt: skip

    rows = [row(task, "fullshelf", s) for task, s in seconds.items()]
    if peer:
        rows += [row(task, "stockpyl 1.0.2", peer) for task in seconds]
    return {
        "benchmark": "kernels", "machine": {"cpu": cpu, "cores": 2}, "limits": {"triad_bytes_per_second": triad},
        "rows": rows,
    }  # fmt: skip


BEFORE = {"newsvendor": 1.0, "EOQ": 0.2, "(r, Q)": 3.0}


def said(tmp_path, a, b, *options):
    for name, run in (("a", a), ("b", b)):
        (tmp_path / f"{name}.json").write_text(json.dumps(run) + "\n")
    return CliRunner().invoke(app, ["compare", f"{tmp_path}/a.json", f"{tmp_path}/b.json", *options])


def test_two_runs_that_differ_by_noise_alone_are_the_same(tmp_path):
    rng = np.random.default_rng(3)
    for _ in range(20):
        again = {task: s * rng.normal(1, 0.02) for task, s in BEFORE.items()}
        assert said(tmp_path, run_of(BEFORE), run_of(again)).exit_code == 0


def test_a_slowdown_of_a_fifth_is_found_and_named(tmp_path):
    result = said(tmp_path, run_of(BEFORE), run_of(BEFORE | {"EOQ": 0.24}))
    assert result.exit_code == 1
    (line,) = [line for line in result.output.splitlines() if "slower │" in line]
    assert "EOQ" in line
    assert "1 of 3 rows are slower" in result.output
    assert said(tmp_path, run_of(BEFORE), run_of(BEFORE | {"EOQ": 0.24}), "--loss", "0.3").exit_code == 0


def test_a_machine_that_is_slower_for_everybody_is_no_loss(tmp_path):
    busy = {task: 1.5 * s for task, s in BEFORE.items()}
    assert said(tmp_path, run_of(BEFORE), run_of(busy, peer=1.5)).exit_code == 0
    assert said(tmp_path, run_of(BEFORE, peer=None), run_of(busy, peer=None, triad=1e10 / 1.5)).exit_code == 0
    assert said(tmp_path, run_of(BEFORE), run_of(busy, peer=1.0)).exit_code == 1


def test_what_was_run_once_or_wildly_must_change_by_more():
    once, wild = run_of(BEFORE, calls=1, spread=0.0), run_of(BEFORE, spread=0.5)
    for run in (once, wild):
        after = copy.deepcopy(run)
        for row in after["rows"]:
            if row["task"] == "EOQ" and row["who"] == "fullshelf":
                row["median_seconds"] *= 1.15
        (change,) = [c for c in compare([run], [after]).changes if c.key[1] == "EOQ"]
        assert change.ratio == pytest.approx(1.15)
        assert not change.slower(0.1)


def test_what_is_run_once_shows_a_fifth_when_it_is_repeated(tmp_path):
    def write(name, slower):
        rng = np.random.default_rng(4)
        runs = [run_of({t: s * slower * rng.normal(1, 0.02) for t, s in BEFORE.items()}, calls=1) for _ in range(5)]
        (tmp_path / name).write_text("\n".join(json.dumps(run) for run in runs))
        return str(tmp_path / name)

    before, runner = write("before.json", 1.0), CliRunner()
    assert runner.invoke(app, ["compare", before, write("same.json", 1.01)]).exit_code == 0
    found = runner.invoke(app, ["compare", before, write("slower.json", 1.2)])
    assert found.exit_code == 1
    assert "3 of 3 rows are slower" in found.output


def test_a_run_that_differs_from_the_others_is_noise_and_not_the_median():
    steady = [run_of(BEFORE, calls=1) for _ in range(4)]
    wild = [*steady[:3], run_of({t: 3 * s for t, s in BEFORE.items()}, calls=1)]
    changes = compare(steady, wild).changes
    assert all(change.ratio == pytest.approx(1.0) for change in changes)
    assert all(change.noise > compare(steady, steady).changes[0].noise for change in changes)


def test_peers_that_scatter_show_that_the_two_hours_cannot_be_compared(tmp_path):
    slower = run_of({task: 1.5 * s for task, s in BEFORE.items()})
    wild = copy.deepcopy(slower)
    for row, factor in zip([r for r in wild["rows"] if r["who"] != "fullshelf"], (0.4, 1.0, 2.0), strict=True):
        row["median_seconds"] *= factor
    assert said(tmp_path, run_of(BEFORE), slower).exit_code == 1
    result = said(tmp_path, run_of(BEFORE), wild)
    assert result.exit_code == 0
    assert "rows scatter around it by" in result.output


def test_a_machine_on_which_others_worked_is_named(tmp_path):
    busy = run_of(BEFORE)
    busy["machine"] |= {"load": 1.7}
    assert "During B others kept 1.7 cores busy" in said(tmp_path, run_of(BEFORE), busy).output


def test_a_peer_of_another_version_is_still_the_peer():
    newer = run_of(BEFORE)
    for row in newer["rows"]:
        row["who"] = row["who"].replace("1.0.2", "1.1.0")
    (drift,) = compare([run_of(BEFORE)], [newer]).drifts
    assert drift.by == "3 rows of peers"


def test_a_peer_that_got_less_far_in_its_time_tells_the_drift_by_the_work_it_did():
    a, b = run_of(BEFORE), run_of({t: 1.5 * s for t, s in BEFORE.items()})
    for run, skus in ((a, 12), (b, 8)):
        for row in run["rows"]:
            if row["who"] != "fullshelf":
                row |= {"size": f"{skus} SKUs", "work": skus}
    found = compare([a], [b])
    assert (found.drifts[0].by, found.drifts[0].ratio) == ("3 rows of peers", pytest.approx(1.5))
    assert not any(change.slower(0.1) for change in found.changes)


def test_rows_of_one_run_alone_and_other_machines_are_told(tmp_path):
    result = said(tmp_path, run_of(BEFORE), run_of({"EOQ": 0.2, "new": 1.0}, cpu="y"))
    assert "Only in A: kernels newsvendor fullshelf" in result.output
    assert "Only in B: kernels new fullshelf" in result.output
    assert "The machines differ" in result.output


def test_a_damaged_file_is_told_with_exit_code_2(tmp_path):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text("")
    result = CliRunner().invoke(app, ["compare", f"{tmp_path}/a.json", f"{tmp_path}/b.json"])
    assert result.exit_code == 2
    assert "no result of a benchmark: it is empty" in " ".join(result.output.replace("│", " ").split())


def test_runs_without_a_common_row_cannot_be_compared(tmp_path):
    result = said(tmp_path, run_of({"a": 1.0}), run_of({"b": 1.0}))
    assert result.exit_code == 2
    assert "no row in common" in result.output


def test_core_seconds_find_a_fifth_in_what_was_run_once(tmp_path):
    def once(factor, cores):
        run = run_of({t: s * factor for t, s in BEFORE.items()}, peer=None, calls=1)
        for row in run["rows"]:
            row["figures"] = {"CPU s": 10.0 * cores}
        return run

    assert said(tmp_path, once(1.0, 1.0), once(1.05, 1.05)).exit_code == 0
    found = said(tmp_path, once(1.0, 1.0), once(1.2, 1.2))
    assert found.exit_code == 1
    assert "3 of 3 rows are slower" in found.output
    assert said(tmp_path, once(1.0, 1.0), once(1.3, 1.0)).exit_code == 1  # it waits: wall time alone shows it


def test_core_seconds_that_grow_no_more_than_the_machine_slowed_down_are_no_loss(tmp_path):
    a, b = run_of(BEFORE, calls=1), run_of({t: 1.5 * s for t, s in BEFORE.items()}, peer=1.5, calls=1)
    for run, cores in ((a, 10.0), (b, 13.0)):
        for row in run["rows"]:
            row["figures"] = {"CPU s": cores}
    assert said(tmp_path, a, b).exit_code == 0


def test_a_bandwidth_that_was_measured_too_high_hides_no_slow_down_and_makes_none(tmp_path):
    for triad in (1e10, 1.3e10):
        assert said(tmp_path, run_of(BEFORE, peer=None), run_of(BEFORE, peer=None, triad=triad)).exit_code == 0
        slower = run_of({t: 1.2 * s for t, s in BEFORE.items()}, peer=None, triad=triad)
        assert said(tmp_path, run_of(BEFORE, peer=None), slower).exit_code == 1


def test_every_benchmark_has_its_own_drift(tmp_path):
    def suite(kernels, split):
        runs = [run_of({t: f * s for t, s in BEFORE.items()}, peer=f) for f in (kernels, split)]
        runs[1]["benchmark"] = "split"
        return {"benchmark": "all", "size": "small", "runs": [], "results": runs}

    result = said(tmp_path, suite(1.0, 1.0), suite(1.0, 1.6))
    assert result.exit_code == 0
    assert "kernels: drift of the machine by 3 rows of peers: 1.000" in result.output
    assert "split: drift of the machine by 3 rows of peers: 1.600" in result.output
    slower = suite(1.0, 1.6)
    slower["results"][0]["rows"][1]["median_seconds"] *= 1.2
    assert said(tmp_path, suite(1.0, 1.0), slower).exit_code == 1
    one_alone = said(tmp_path, suite(1.0, 1.0), run_of(BEFORE))  # a suite beside a single result
    assert one_alone.exit_code == 0
    assert "Only A has split." in one_alone.output


def test_losses_and_costs_are_compared_without_noise(tmp_path):
    a, b = run_of(BEFORE), run_of(BEFORE)
    for run, loss in ((a, 0.40), (b, 0.45)):
        run["rows"][0]["figures"] = {"WQL": loss, "cost": 100.0, "peak GiB": 1.0}
    result = said(tmp_path, a, b)
    assert result.exit_code == 1
    assert "1 of 3 losses, costs, gaps and peaks of memory are worse" in result.output
    assert said(tmp_path, b, a).exit_code == 0


def test_results_without_times_are_compared_by_their_figures(tmp_path):
    a, b = run_of({"shop": 1.0}, peer=None), run_of({"shop": 1.0}, peer=None)
    for run, cost in ((a, 100.0), (b, 120.0)):
        run["rows"][0] |= {"median_seconds": None, "spread": None, "calls": 0, "figures": {"cost": cost}}
    assert said(tmp_path, a, a).exit_code == 0
    assert said(tmp_path, a, b).exit_code == 1


def test_commits_versions_and_sizes_that_differ_are_told(tmp_path):
    a, b = run_of(BEFORE), run_of(BEFORE)
    a["size"], b["size"] = "small", "full"
    a["machine"] |= {"commit": "a" * 40, "versions": {"numpy": "2.4.6"}}
    b["machine"] |= {"commit": "b" * 40 + "+changes", "versions": {"numpy": "2.5.0"}}
    text = said(tmp_path, a, b).output
    assert "A is of commit aaaaaaaa, B of bbbbbbbb+changes." in text
    assert "The versions differ: numpy 2.4.6 and 2.5.0." in text
    assert "The sizes differ, small and full" in text
