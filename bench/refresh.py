"""`fullshelf bench refresh`: the whole job on a made-up marketplace, stage by stage, beside Polars on the same files.

The refresh runs as a user runs it, in a process of its own whose peak memory is measured: on a first night, on a second
one with one more day of sales, and once more with nothing to do. It does not judge the orders.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.polars_peer import POLARS_FAIRNESS, polars_rows
from fullshelf.bench.process import Finished, run_measured
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import once
from fullshelf.engine.calendar import Period
from fullshelf.engine.simulate import Marketplace, simulate_marketplace

SERIES = {"small": 6_000, "full": 200_000}
PERIODS = 365
SEED = 11
WALL = (
    "split",
    "allocate",
    "report",
    "total",
)  # what the clock of a run measures once; other stages add up over its threads

READING = (
    "Stages from run.json; rows per second always count all rows of the marketplace. split is the wall time of "
    "checking all tables and splitting sales into shards. Stages that are added up over the threads that work side by "
    "side exceed the wall time (total) together."
)


@dataclass(frozen=True, slots=True)
class Night:
    """One call of the refresh."""

    name: str
    process: Finished
    summary: dict[str, Any]  # run.json


def measure_refresh(
    machine: Machine,
    limits: Limits,
    work: Path,
    series: int,
    *,
    periods: int = PERIODS,
    model: str = "auto",
    repeats: int = 3,
    say: Callable[[str], None] = print,
) -> Report:
    """Make the marketplace under `work`, refresh it for two nights, and let Polars read and sort the same sales.

    Raises
    ------
    RuntimeError
        If a refresh fails; the message is its own.
    """
    say(f"simulating {series:,} series × {periods} days under {work}")
    market, simulated = simulate(work, series, periods)
    rows = market.rows["sales"]
    size = f"{series:,} series × {periods} days"
    first, second = _split_nights(market)
    table = [Row("simulate", OURS, size, rows, "rows", once(simulated), machine.threads)]
    say("refresh, warm-up: compiles what is not compiled yet")
    warm = refresh("warm-up", configured(work / "warm-up", work / "runs-warm-up", model))
    table.append(Row("warm-up: total", OURS, "50 series × 30 days", 50, "series", once(warm.process.seconds)))
    for night in _nights(work, market, first, second, model, say):
        table += _rows_of(night, rows, series, size, machine)
    table += polars_rows(str(market.tables["sales"] / "*.parquet"), rows, size, machine, repeats)
    figures = {"sales rows": rows, "sales MB on disk": _megabytes(market.tables["sales"])}
    disk = limits.read_bytes_per_second
    cold = f"The disk would give the sales in {figures['sales MB on disk'] * 1e6 / disk:.2f} s." if disk else ""
    return Report(
        "refresh", machine, limits, tuple(table), {"marketplace": SEED}, (READING, POLARS_FAIRNESS, cold), figures
    )


def simulate(work: Path, series: int, periods: int) -> tuple[Marketplace, float]:
    """Make a marketplace under `work`, and a tiny one for the warm-up; return the seconds of the first too."""
    simulate_marketplace(50, 30, work / "warm-up", seed=SEED, overwrite=True)  # compiles
    begun = time.perf_counter()
    market = simulate_marketplace(series, periods, work / "market", period=Period.DAY, seed=SEED, overwrite=True)
    return market, time.perf_counter() - begun


def _split_nights(market: Marketplace) -> tuple[list[str], list[str]]:
    """Part the sales into all but the newest day, and that day; return the paths of the first and the second night."""
    before, after = market.folder / "sales-before", market.folder / "sales-newest"
    for folder, chosen in ((before, pl.col("date") < market.as_of), (after, pl.col("date") == market.as_of)):
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.parquet"):
            old.unlink()
        if folder == after:
            pl.scan_parquet(market.tables["sales"] / "*.parquet").filter(chosen).sink_parquet(after / "newest.parquet")
            continue
        for part in sorted(market.tables["sales"].glob("*.parquet")):
            pl.scan_parquet(part).filter(chosen).sink_parquet(folder / part.name)
    return [str(before)], [str(before), str(after)]


def _nights(
    work: Path, market: Marketplace, first: list[str], second: list[str], model: str, say: Callable[[str], None]
) -> Iterator[Night]:
    plan = yaml.safe_load(configured(market.folder, work / "runs", model).read_text(encoding="utf-8"))
    yesterday = market.as_of.fromordinal(market.as_of.toordinal() - 1)
    for name, sales, as_of in (
        ("first night", first, yesterday),
        ("second night", second, market.as_of),
        ("called again", second, market.as_of),
    ):
        plan["as_of"], plan["inputs"]["sales"] = as_of, sales
        configuration = market.folder / f"{name.replace(' ', '-')}.yaml"
        configuration.write_text(yaml.safe_dump(plan), encoding="utf-8")
        say(f"refresh, {name}")
        yield refresh(name, configuration)


def configured(market: Path, output: Path, model: str) -> Path:
    """Write the configuration of a simulated marketplace anew, with another output and model."""
    plan = yaml.safe_load((market / "fullshelf.yaml").read_text(encoding="utf-8"))
    plan |= {"output": str(output), "forecast": {"model": model}}
    configuration = market / "bench.yaml"
    configuration.write_text(yaml.safe_dump(plan), encoding="utf-8")
    return configuration


def refresh(name: str, configuration: Path) -> Night:
    """Call `fullshelf refresh` in a process of its own.

    Raises
    ------
    RuntimeError
        If it does not end with exit code 0.
    """
    words = [sys.executable, "-m", "fullshelf.engine", "refresh", str(configuration), "--json", "--quiet"]
    process = run_measured(words)
    if process.returncode != 0:
        raise RuntimeError(f"refresh, {name}: exit code {process.returncode}: {process.output[-2000:]}")
    return Night(name, process, json.loads(process.output.strip().splitlines()[-1]))


def _rows_of(night: Night, rows: int, series: int, size: str, machine: Machine) -> Iterator[Row]:
    inside = 0.0
    if not night.summary["already"]:
        seconds = dict(night.summary["seconds"])
        inside = seconds.pop("total")
        for stage, spent in seconds.items():
            cores = machine.threads if stage == "split" else 1
            note = "" if stage in WALL else "added up over threads"
            figures = used(night.summary.get("profile") or (), stage)
            yield Row(f"{night.name}: {stage}", OURS, size, rows, "rows", once(spent), cores, figures, note)
    whole = once(night.process.seconds)
    peak = {"peak GiB": night.process.peak_bytes / 2**30, "CPU s": night.process.cpu_seconds}
    note = f"{series / whole.median:,.0f} series/s from the shell, {whole.median - inside:.1f} s of it around the run"
    yield Row(f"{night.name}: total", OURS, size, rows, "rows", whole, machine.threads, peak, note)


def used(profile: Sequence[Mapping[str, Any]], stage: str) -> dict[str, float]:
    """Core seconds and peak memory of a stage; for one that leads a phase, all that the phase used."""
    key = "phase" if stage in WALL else "stage"
    rows = [row for row in profile if row[key] == stage]
    if not rows:
        return {}
    cores = sum(row["cpu"] + row["helper_cpu"] for row in rows)
    return {"peak GiB": max(row["peak_memory_mb"] for row in rows) / 1024, "CPU s": cores}


def _megabytes(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 1e6
