"""The planner's inputs from kept results, and its answer for a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from fullshelf.bench.machine import this_machine
from fullshelf.bench.plan import Ask, Costs, Plan, fit_costs, parts_of
from fullshelf.bench.result import OURS
from fullshelf.bench.result_file import read_results
from fullshelf.bench.results_folder import Kept, read_kept

NOT_MEASURED = "rate of a GPU, NOT MEASURED"


def costs_from(kept: Sequence[Kept], file: Path | None) -> tuple[Costs, dict[str, str]]:
    """Return the costs and where they come from: from `file`, this machine's, or those of the first that there is.

    Raises
    ------
    ValueError
        If nothing was measured.
    """
    if file is not None:
        found = [Kept(file.stem, one) for one in read_results(file) if one["benchmark"] == "parts"]
    else:
        found = [result for result in kept if result.name == "parts"]
    if not found:
        raise ValueError(
            f"{file or 'the kept results'}: no parts were measured: call `fullshelf bench all --only parts --size full "
            "--json-folder bench/results`, or name a result of `fullshelf bench parts --json FILE` by --parts FILE"
        )
    ours = [result for result in found if result.machine == this_machine().slug]
    chosen = (ours or found)[0]
    return fit_costs(parts_of(chosen.rows)), sources_of(chosen)


def sources_of(parts: Kept) -> dict[str, str]:
    """Say where parts were measured, by which model, and how far plans made from them were off measured runs."""
    model = str(parts.rows[0]["who"]).removeprefix(OURS).strip() or "auto"
    found = {"parts measured on": f"{parts.caption()}; model {model}"}
    checks = [row["figures"] for row in parts.rows if row["task"] == "check"]
    if checks:
        off = {
            name: ", ".join(f"{check[figure]:+.0%}" for check in checks)
            for name, figure in {"seconds": "off", "core seconds": "core off", "memory": "memory off"}.items()
        }
        told = "; ".join(f"{name} {values}" for name, values in off.items())
        found["held against runs of other sizes"] = f"{told} (planned over measured, less 1)"
    return found


@dataclass(frozen=True, slots=True)
class Rate:
    """Series per second of one GPU, and where the figure comes from."""

    series_per_second: float
    source: str
    measured: bool


def gpu_rate(kept: Sequence[Kept], gpu: str, history: int) -> Rate:
    """Return the rate of one GPU at the smallest measured context that holds the history.

    Where no such GPU was measured it is taken to be as fast as all cores of a machine on which DemandLM was: a floor.

    Raises
    ------
    ValueError
        If DemandLM was not measured at all.
    """
    inference = [result for result in kept if result.name == "inference" and any(map(_ours, result.rows))]
    ours = [result for result in inference if _accelerator(result) and gpu.lower() in _accelerator(result).lower()]
    if rates := [_rate_at(result, history) for result in ours]:
        context, rate, result = max(rates, key=lambda found: found[1])
        measured = str(result.content["machine"]["measured"])[:10]
        return Rate(rate, f"measured at context {context} on {_accelerator(result)}, {measured}", measured=True)
    if not (on_cores := [_rate_at(result, history) for result in inference if not _accelerator(result)]):
        raise ValueError(
            f"no DemandLM was measured on a GPU called {gpu!r}, nor on cores: call `fullshelf bench all --only "
            "inference --size full --json-folder bench/results` there, or give --series-per-second of one GPU"
        )
    context, rate, result = max(on_cores, key=lambda found: found[1])
    cores = int(result.content["machine"]["cores"])
    source = (
        f"assumed: no GPU called {gpu!r} was measured, so each is taken to be as fast as the {cores} cores of "
        f"{result.content['machine']['cpu']}, {rate:,.0f} series/s of each at context {context}. That is a floor and "
        "no estimate; `bench inference` on that GPU, or --series-per-second, replaces it"
    )
    return Rate(rate * cores, source, measured=False)


def _accelerator(result: Kept) -> str:
    return str(result.content["machine"].get("accelerator", ""))


def _ours(row: Mapping[str, Any]) -> bool:
    return bool(row["who"] == OURS and row["per_second"])


def _rate_at(result: Kept, history: int) -> tuple[int, float, Kept]:
    """Return the context, and the best series per second at it."""
    rates: dict[int, float] = {}
    for row in result.rows:
        if _ours(row):
            context = int(row["task"].split()[-1])
            rates[context] = max(rates.get(context, 0.0), row["per_second"])
    context = min((c for c in rates if c >= history), default=max(rates))
    return context, rates[context], result


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
        style = "yellow" if name == NOT_MEASURED else None
        console.print(f"{name}: {source}", soft_wrap=True, highlight=False, markup=False, style=style)
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
    costs, sources = costs_from(kept, parts)
    if ask.gpus and not ask.gpu_series_per_second:
        rate = gpu_rate(kept, ask.gpu, ask.history)
        ask = replace(ask, gpu_series_per_second=rate.series_per_second, gpu_rate_from=rate.source)
        sources["rate of a GPU" if rate.measured else NOT_MEASURED] = rate.source
    elif ask.gpus:
        sources[NOT_MEASURED] = "given by --series-per-second"
    return ask, costs, sources
