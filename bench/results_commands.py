"""The commands that read results rather than measure: `compare`, `plan`, `tables`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fullshelf.bench.machine import usable_cores
from fullshelf.engine.progress import output


def compare(
    a: Annotated[Path, typer.Argument(metavar="A.json", exists=True, dir_okay=False, help="the run before")],
    b: Annotated[Path, typer.Argument(metavar="B.json", exists=True, dir_okay=False, help="the run after")],
    loss: Annotated[float, typer.Option(min=0, help="share by which a row may be slower")] = 0.1,
) -> None:
    """Say what got faster or slower between two runs; exit code 1 where something did by more than the loss."""
    from fullshelf.bench.compare import compare as compare_runs
    from fullshelf.bench.compare_report import show
    from fullshelf.bench.result_file import read_results

    try:
        found = compare_runs(read_results(a), read_results(b))
    except ValueError as e:
        raise typer.BadParameter(str(e)) from e
    if not show(found, loss, output()):
        raise typer.Exit(1)


def plan(
    series: Annotated[float, typer.Option(min=1, help="series of the catalogue, e.g. 100e6")],
    history: Annotated[int, typer.Option(min=1, help="periods of sales")],
    cores: Annotated[
        int | None, typer.Option(min=1, help="of one machine; default 16 a GPU, or this machine's")
    ] = None,
    machines: Annotated[int | None, typer.Option(min=1, help="default 1, or one for 8 GPUs")] = None,
    gpus: Annotated[int, typer.Option(min=0, help="in all; they run DemandLM")] = 0,
    gpu: Annotated[str, typer.Option(help="part of its name, e.g. H200")] = "",
    series_per_second: Annotated[
        float, typer.Option(min=0, help="DemandLM on one GPU; default: as measured on a GPU of that name")
    ] = 0.0,
    rows: Annotated[float | None, typer.Option(min=1, help="rows of sales; default: as dense as measured")] = None,
    price: Annotated[float | None, typer.Option(min=0, help="an hour of a GPU, or of a machine without one")] = None,
    measured: Annotated[
        Path | None, typer.Option("--parts", exists=True, dir_okay=False, help="result of `bench parts --json FILE`")
    ] = None,
    results: Annotated[Path | None, typer.Option(help="folder of results; default: bench/results")] = None,
) -> None:
    """Plan a catalogue's night from measured parts: hours, cost, memory, disk, shards, and what was assumed."""
    from fullshelf.bench.plan import Ask, machines_for, make_plan
    from fullshelf.bench.plan_report import plan_for, show_plan
    from fullshelf.bench.results_folder import RESULTS

    many = machines or machines_for(gpus)
    each = cores or (16 * -(-gpus // many) if gpus else usable_cores())
    ask = Ask(
        round(series), history, each, many, rows, gpus=gpus, gpu=gpu, gpu_series_per_second=series_per_second,
        price=price,
    )  # fmt: skip
    try:
        ask, costs, sources = plan_for(ask, measured, results or RESULTS)
    except ValueError as e:
        raise typer.BadParameter(str(e)) from e
    show_plan(output(), ask, make_plan(costs, ask), sources)


def tables(
    check: Annotated[bool, typer.Option("--check", help="write nothing; exit code 1 where something differs")] = False,
    results: Annotated[Path | None, typer.Option(help="folder of results; default: bench/results")] = None,
    root: Annotated[Path | None, typer.Option(help="folder of README.md and docs/; default: the source tree")] = None,
) -> None:
    """Write the result tables of README.md and docs/ from the kept results."""
    from fullshelf.bench.results_folder import RESULTS, ROOT, read_kept
    from fullshelf.bench.tables import documents

    try:
        wanted = documents(root or ROOT, read_kept(results or RESULTS))
    except ValueError as e:
        raise typer.BadParameter(str(e)) from e
    stale = [file for file, text in wanted.items() if not file.exists() or file.read_text(encoding="utf-8") != text]
    for file in stale:
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(wanted[file], encoding="utf-8")
        output().print(f"{file}: {'differs from the results' if check else 'written'}", soft_wrap=True)
    if check and stale:
        raise typer.Exit(1)
