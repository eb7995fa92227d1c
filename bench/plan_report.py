"""The planner's inputs from kept results, and its answer for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from fullshelf.bench.machine import this_machine
from fullshelf.bench.plan import Ask, Costs, Plan, fit_costs, parts_of
from fullshelf.bench.result import OURS
from fullshelf.bench.results_folder import Kept, read_kept


def costs_from(kept: Sequence[Kept], file: Path | None) -> tuple[Costs, str]:
    """Return the costs and where they were measured: in `file`, on this machine, or on the first that there is.

    Raises
    ------
    ValueError
        If nothing was measured.
    """
    if file is not None:
        found = [Kept(file.stem, json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines() if line]
    else:
        found = [result for result in kept if result.name == "parts"]
    if not found:
        raise ValueError(
            "no parts were measured: call `fullshelf bench all --only parts --size full --json-folder bench/results`, "
            "or name a result of `fullshelf bench parts --json FILE` by --parts FILE"
        )
    ours = [result for result in found if result.machine == this_machine().slug]
    chosen = (ours or found)[0]
    return fit_costs(parts_of(chosen.rows)), chosen.caption()


def gpu_rate(kept: Sequence[Kept], gpu: str, history: int) -> tuple[float, str]:
    """Return series per second of one GPU at the smallest measured context that holds the history, and where from.

    Raises
    ------
    ValueError
        If no such GPU was measured.
    """
    found = [
        (int(row["task"].split()[-1]), row["per_second"], result)
        for result in kept
        if result.name == "inference" and gpu.lower() in result.content["machine"].get("accelerator", "").lower()
        for row in result.rows
        if row["who"] == OURS and row["per_second"]
    ]
    if not found:
        raise ValueError(
            f"no DemandLM was measured on a GPU called {gpu!r}: call `fullshelf bench all --only inference --size full "
            "--json-folder bench/results` there, or give --series-per-second of one GPU"
        )
    context = min((c for c, _, _ in found if c >= history), default=max(c for c, _, _ in found))
    rate, result = max(((rate, result) for c, rate, result in found if c == context), key=lambda pair: pair[0])
    return (
        rate,
        f"context {context}, {result.content['machine']['accelerator']}, {result.content['machine']['measured']}",
    )


def show_plan(console: Console, ask: Ask, plan: Plan, sources: Mapping[str, str]) -> None:
    """Print the hours of each part, what it costs and needs, what was assumed, and one JSON line."""
    console.print(
        f"{ask.series:,} series × {ask.history} periods on {ask.machines:,} × {ask.cores} cores"
        + (f" and {ask.gpus} × {ask.gpu or 'GPU'}" if ask.gpus else ""),
        highlight=False,
    )
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("part")
    for heading in ("wall", "share"):
        table.add_column(heading, justify="right")
    for name, seconds in plan.parts.items():
        table.add_row(name, time_text(seconds), f"{seconds / plan.seconds:.0%}")
    table.add_section()
    table.add_row("in all", time_text(plan.seconds), "")
    console.print(table)
    money = (
        ""
        if plan.cost is None
        else f", {plan.cost:,.2f} at {ask.price:,.2f} an hour of a " + ("GPU" if ask.gpus else "machine")
    )
    console.print(
        f"{plan.hours:,.2f} hours{money}; {plan.memory_gib:,.1f} GiB of memory, {plan.disk_gb:,.1f} GB of disk, "
        f"{plan.shards:,} shards",
        highlight=False,
    )
    for name, source in sources.items():
        console.print(f"{name}: {source}", soft_wrap=True, highlight=False)
    console.print("Assumed:", *plan.assumed, sep="\n- ", soft_wrap=True, highlight=False)
    answer: dict[str, Any] = {"hours": plan.hours, **asdict(plan), "ask": asdict(ask), "sources": dict(sources)}
    console.print(json.dumps({"benchmark": "plan", **answer}), soft_wrap=True, markup=False, highlight=False)


def time_text(seconds: float) -> str:
    """Write a time from seconds to hours.

    Examples
    --------
    >>> time_text(4.25), time_text(600.0), time_text(9000.0)
    ('4.2 s', '10.0 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def plan_for(ask: Ask, parts: Path | None, results: Path) -> tuple[Ask, Costs, dict[str, str]]:
    """Fill in what was measured: the costs, and the rate of the GPU where it was not given.

    Raises
    ------
    ValueError
        If it was not measured.
    """
    kept = read_kept(results)
    costs, source = costs_from(kept, parts)
    sources = {"parts measured on": source}
    if ask.gpus and not ask.gpu_series_per_second:
        rate, source = gpu_rate(kept, ask.gpu, ask.history)
        ask = replace(ask, gpu_series_per_second=rate)
        sources["model measured at"] = source
    return ask, costs, sources
