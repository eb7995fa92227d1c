import io
import json
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fullshelf.bench.machine import Limits, disk_rates, this_machine, triad_bandwidth
from fullshelf.bench.process import run_measured
from fullshelf.bench.result import OURS, Report, Row, show_machine, show_report
from fullshelf.bench.timing import Timing, measure, once


def test_the_first_call_is_kept_apart_from_the_warm_ones():
    calls: list[str] = []
    timings = measure({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, repeats=3)
    assert calls == ["a", "b"] * 4
    assert all(len(t.seconds) == 3 for t in timings.values())


def test_a_slow_contender_stops_at_the_budget_but_has_one_warm_call():
    timings = measure({"slow": lambda: sum(range(10_000))}, repeats=50, budget=0.0)
    assert len(timings["slow"].seconds) == 1


def test_a_timing_without_a_call_is_refused():
    with pytest.raises(ValueError, match="at least one call"):
        Timing(1.0, ())


def test_bandwidth_and_disk_rates_are_positive(tmp_path: Path):
    assert triad_bandwidth(elements=1 << 16, repeats=2) > 1e6
    assert min(disk_rates(tmp_path, size=16 << 20)) > 1e5
    assert not list(tmp_path.iterdir())


def test_peak_memory_is_that_of_the_child():
    small = run_measured([sys.executable, "-c", "print('hello')"])
    large = run_measured([sys.executable, "-c", "x = bytearray(200 << 20); x[::4096] = b'1' * len(x[::4096])"])
    assert small.returncode == large.returncode == 0
    assert small.output.strip() == "hello"
    assert 0 < small.cpu_seconds < 60
    assert large.peak_bytes - small.peak_bytes > 150 << 20


def test_a_report_is_a_table_and_one_json_line_that_carries_machine_and_rows(tmp_path: Path):
    machine = this_machine(["rich"])
    limits = Limits(1e10, 1e9, 2e9)
    rows = (
        Row("split", OURS, "1,000 rows", 1000, "rows", once(0.5), 2, {"WQL": 0.25}),
        Row("split", "peer 1.0", "1,000 rows", 1000, "rows", None, note="peer is not installed"),
    )
    report = Report("demo", machine, limits, rows, {"data": 7}, ("A sentence.",), {"peak memory (GiB)": 0.5})
    page = io.StringIO()
    console = Console(file=page, width=200)
    show_machine(console, machine, limits)
    show_report(console, report, tmp_path / "out" / "demo.json")
    text = page.getvalue()
    assert "2 krows" in text
    assert "peer is not installed" in text
    assert "A sentence." in text
    line = json.loads(text.splitlines()[-1])
    assert line == json.loads((tmp_path / "out" / "demo.json").read_text())
    assert line["rows"][0]["per_second"] == 2000
    assert line["rows"][1]["median_seconds"] is None
    assert line["seeds"] == {"data": 7}
    assert line["machine"]["versions"]["rich"]
    assert line["machine"]["cores"] >= 1


def test_a_command_that_does_not_exist_is_named():
    with pytest.raises(OSError, match="no-such-program"):
        run_measured(["no-such-program"])


def test_the_exit_code_of_the_command_comes_back():
    assert run_measured([sys.executable, "-c", "raise SystemExit(75)"]).returncode == 75
