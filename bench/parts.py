"""`fullshelf bench parts`: what the planner adds up, measured; then the planner held against runs of other sizes.

Refreshes of a few shapes (series × days) say what a series and a row cost in each stage. The sizes that the plan is
held against are none of those shapes.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.plan import PHASES, STAGES, Ask, Costs, Part, fit_costs, make_plan
from fullshelf.bench.refresh import Night, configured, refresh
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import once
from fullshelf.engine.simulate import simulate_marketplace

SEED = 11
DAYS = 365


@dataclass(frozen=True, slots=True)
class Shapes:
    """Series and days of the runs."""

    parts: tuple[tuple[int, int], ...]
    checks: tuple[tuple[int, int], ...]


SIZES = {
    "small": Shapes(((1_000, 180), (1_000, 730), (4_000, DAYS)), ((2_500, DAYS),)),
    "full": Shapes(((10_000, 180), (10_000, 730), (100_000, DAYS)), ((5_000, DAYS), (50_000, DAYS), (200_000, DAYS))),
}
SHOWN = ("core s", "planned core s", "core off", "planned s", "off", "peak GiB", "memory off", "disk off")
READING = (
    "`off` is what was planned over what was measured, less 1; the plan knows nothing of the runs it is held against. "
    "All runs are first nights of simulated marketplaces with seven tables and limits on capital and space."
)


def measure_parts(
    machine: Machine, limits: Limits, work: Path, shapes: Shapes, *, model: str = "auto", say: Callable[[str], None]
) -> Report:
    """Refresh each shape, fit the costs, and hold the plan against the runs that check it.

    Raises
    ------
    RuntimeError
        If a refresh fails, or this system does not tell what a run used.
    """
    say("warm-up: compiles what is not compiled yet")
    warm = _run(work, 50, 30, model, machine)
    rows, parts = [_row("warm-up", warm, machine, model)], []
    for series, days in shapes.parts:
        say(f"{series:,} series × {days} days")
        part = _run(work, series, days, model, machine)
        parts.append(part)
        rows.append(_row("part", part, machine, model))
    costs = fit_costs(parts)
    for series, days in shapes.checks:
        say(f"check: {series:,} series × {days} days")
        part = _run(work, series, days, model, machine)
        rows.append(_row("check", part, machine, model, _held_against(costs, part, machine)))
    return Report("parts", machine, limits, tuple(rows), {"marketplace": SEED}, (READING,), shown=SHOWN)


def _run(work: Path, series: int, days: int, model: str, machine: Machine) -> Part:
    market = simulate_marketplace(series, days, work / "market", seed=SEED, overwrite=True)
    runs = work / "runs"
    night = refresh(f"{series:,} series × {days} days", configured(market.folder, runs, model))
    found = part_of(night, market.series, days, market.rows["sales"], machine.cores)
    sales = _bytes(market.tables["sales"])
    cache = _bytes(runs / ".cache")
    figures = {"sales MB": sales / 1e6, "cache MB": cache / 1e6, "run MB": (_bytes(runs) - cache) / 1e6}
    shutil.rmtree(work)
    work.mkdir()
    return Part({**found, **figures})


def part_of(night: Night, series: int, days: int, rows: int, cores: int) -> dict[str, float]:
    """Return what a run used, by phase and by stage of its shards: core seconds, wall seconds, seconds of its threads.

    Threads' seconds leave out the time in which all cores were taken, so that others on the machine count for little.
    In a phase that one thread leads they are its own.

    Raises
    ------
    RuntimeError
        If the run was not sampled.
    """
    profile: Sequence[Mapping[str, Any]] = night.summary.get("profile") or []
    if not profile:
        raise RuntimeError(f"{night.name}: the run was not sampled; that needs Linux and the counters of its threads")
    found = {"series": float(series), "days": float(days), "rows": float(rows), "cores": float(cores)}
    found["shards"] = float(night.summary["counts"]["shards"])
    for phase in PHASES:
        inside = [row for row in profile if row["phase"] == phase]
        found[f"{phase} wall s"] = sum(row["wall"] for row in inside)
        found[f"{phase} core s"] = sum(row["cpu"] + row["helper_cpu"] for row in inside)
        length = "seconds" if phase == "shards" else "wall"  # of all threads, or of the one that leads
        found[f"{phase} thread s"] = sum(
            row[length] * (1 - row["queued"] / max(row["seconds"], 1e-9)) for row in inside
        )
    for stage in STAGES:
        inside = [row for row in profile if row["phase"] == "shards" and row["stage"] == stage]
        found[f"{stage} core s"] = sum(row["cpu"] + row["helper_cpu"] for row in inside)
    found["core s"] = night.process.cpu_seconds
    found["start core s"] = max(found["core s"] - sum(found[f"{phase} core s"] for phase in PHASES), 0.0)
    found["total s"] = night.process.seconds
    found["start s"] = max(night.process.seconds - sum(found[f"{phase} wall s"] for phase in PHASES), 0.0)
    found["peak GiB"] = night.process.peak_bytes / 2**30
    return found


def _held_against(costs: Costs, part: Part, machine: Machine) -> dict[str, float]:
    ask = Ask(series=int(part["series"]), history=int(part["days"]), rows=part["rows"], cores=machine.cores)
    plan = make_plan(costs, ask)
    return {
        "planned core s": plan.core_seconds,
        "core off": plan.core_seconds / part["core s"] - 1,
        "planned s": plan.seconds,
        "measured s": part["total s"],
        "off": plan.seconds / part["total s"] - 1,
        "planned GiB": plan.memory_gib,
        "memory off": plan.memory_gib / part["peak GiB"] - 1,
        "disk off": plan.disk_gb * 1000 / (part["sales MB"] + part["cache MB"] + part["run MB"]) - 1,
    }


def _row(task: str, part: Part, machine: Machine, model: str, more: Mapping[str, float] | None = None) -> Row:
    size = f"{part['series']:,.0f} series × {part['days']:.0f} days"
    figures = {**part.figures, **(more or {})}
    return Row(task, f"{OURS} {model}", size, part["rows"], "rows", once(part["total s"]), machine.threads, figures)


def _bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
