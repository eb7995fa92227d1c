"""`fullshelf bench headline`: a catalogue from Parquet to orders, by one model after the other, and the engine's share.

Each model's refresh begins with nothing: it checks and splits the sales, forecasts, orders under limits, writes tables
and report, in a process of its own whose CPU time and memory are the system's count. The engine's share is all that was
not the stage `forecast`. It measures one night and no peer: that is `bench refresh`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from fullshelf.bench.forecast_peer import missing_model
from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.refresh import SEED, Night, configured, refresh, simulate, used
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import once

SERIES = {"small": 2_000, "full": 1_000_000}
PERIODS = 365
MODELS = ("auto", "demand-lm")
MODEL = "forecast"  # the stage that is the model: from a panel's arrays to quantiles
GOAL = 0.2  # of the engine's share
ALL, WARM_UP = "Parquet to orders", "warm-up"
READING = (
    "Seconds are those from the shell, from starting the process to its end. `engine share` is the share of all core "
    f"seconds, starting and imports included, that the stage `{MODEL}` did not use, which loads the model too (of few "
    "series that is most of it, so only large catalogues tell the share); `of wall` the same of wall time, "
    "which says more where a GPU computes, a stage's wall time being its part of each moment's threads. The goal is "
    f"{GOAL:.0%} at the most. The warm-up, a marketplace of 50 series, compiles what is not compiled and loads the "
    "model. The marketplace has seven tables, and limits on capital and space."
)
UNKNOWN = "This system does not count what threads use, so the engine's share is not known here."


def measure_headline(
    machine: Machine,
    limits: Limits,
    work: Path,
    series: int,
    *,
    periods: int = PERIODS,
    models: Sequence[str] = MODELS,
    say: Callable[[str], None] = print,
) -> Report:
    """Make the marketplace under `work` and refresh it by each model.

    Raises
    ------
    RuntimeError
        If a refresh fails; the message is its own.
    """
    say(f"simulating {series:,} series × {periods} days under {work}")
    market, simulated = simulate(work, series, periods)
    rows, size = market.rows["sales"], f"{series:,} series × {periods} days"
    table = [Row("simulate", OURS, size, series, "series", once(simulated), machine.threads)]
    shares: dict[str, float] = {}
    devices = set[str]()
    for model in models:
        who = f"{OURS} {model}"
        if reason := missing_model(model):
            table.append(Row(ALL, who, size, series, "series", None, note=reason))
            continue
        say(f"{who}: warm-up")
        warm = refresh(WARM_UP, configured(work / "warm-up", work / "runs-warm-up", model))
        table.append(Row(WARM_UP, who, "50 series × 30 days", 50, "series", once(warm.process.seconds)))
        say(f"{who}: {size}")
        night = refresh(who, configured(market.folder, work / "runs", model))
        table += rows_of(night, who, series, size, machine)
        if "engine share" in table[-1].figures:
            shares[model] = table[-1].figures["engine share"]
        devices.add(str(night.summary["device"]))
        for folder in ("runs", "runs-warm-up"):
            shutil.rmtree(work / folder)  # the next model begins with nothing
    if any("cuda" in device for device in devices):
        import torch  # it is there: a run has used it

        machine = replace(machine, accelerator=torch.cuda.get_device_name())
    figures = {"sales rows": rows} | {f"engine share, {model}": share for model, share in shares.items()}
    sentences = (READING, goal_text(shares))
    return Report("headline", machine, limits, tuple(table), {"marketplace": SEED}, sentences, figures)


def goal_text(shares: Mapping[str, float]) -> str:
    """Say which models' nights meet the goal.

    Examples
    --------
    >>> goal_text({"auto": 0.61, "demand-lm": 0.2})
    "Engine's share outside the model, goal 20%: auto 61% (missed), demand-lm 20% (met)."
    """
    if not shares:
        return UNKNOWN
    words = (f"{model} {share:.0%} ({'met' if share <= GOAL else 'missed'})" for model, share in shares.items())
    return f"Engine's share outside the model, goal {GOAL:.0%}: {', '.join(words)}."


def rows_of(night: Night, who: str, series: int, size: str, machine: Machine) -> Iterator[Row]:
    """Yield a row for each stage, and one of the whole with the engine's share."""
    profile: Sequence[Mapping[str, Any]] = night.summary.get("profile") or ()
    stages = [name for name in night.summary["seconds"] if name != "total"]
    for stage in stages:
        spent = once(night.summary["seconds"][stage])
        yield Row(f"{ALL}: {stage}", who, size, series, "series", spent, machine.threads, used(profile, stage))
    whole, cores = once(night.process.seconds), night.process.cpu_seconds
    figures = {"CPU s": cores, "peak GiB": night.process.peak_bytes / 2**30}
    if model := [row for row in profile if row["stage"] == MODEL]:
        in_model = sum(row["cpu"] + row["helper_cpu"] for row in model)
        figures |= {
            "model CPU s": in_model,
            "engine share": share_outside(in_model, cores),
            "of wall": share_outside(sum(row["wall"] for row in model), whole.median),
        }
    note = f"device: {night.summary['device']}"
    yield Row(ALL, who, size, series, "series", whole, machine.threads, figures, note)


def share_outside(part: float, whole: float) -> float:
    """Return the share of the whole that is not the part; the sampler may count a little more than the system.

    Examples
    --------
    >>> share_outside(3.0, 4.0), share_outside(1.01, 1.0)
    (0.25, 0.0)
    """
    return max(1.0 - part / whole, 0.0)
