"""`fullshelf bench NAME`: prints what the machine allows, a table ours × peer × size, and one JSON line."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fullshelf.bench.machine import Limits, Machine, measure_limits, this_machine
from fullshelf.bench.options import SHARED, JsonFile, Say, Series, SharedData, Size, SizeOption, Work
from fullshelf.bench.result import Report, show_machine, show_report
from fullshelf.bench.results_commands import compare, plan, tables
from fullshelf.engine.progress import output

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Benchmarks: ours, the peers and the physical limit, in the same run.",
)


@app.command()
def faults(
    size: SizeOption = Size.SMALL,
    seed: Annotated[int, typer.Option(min=0, help="of the faults and of the marketplace")] = 5,
    work: Work = None,
    json_file: JsonFile = None,
) -> None:
    """Refresh on Ray under fire: killed actors, nodes, drivers, hung shards, damaged files, full disk, broken store."""
    from fullshelf.bench.faults import measure_faults

    _run_in(
        work,
        lambda machine, limits, folder, say: measure_faults(machine, limits, folder, size, seed, say=say),
        size,
        json_file,
        packages=("ray",),
    )


@app.command()
def scaling(
    size: SizeOption = Size.SMALL,
    series: Series = None,
    work: Work = None,
    json_file: JsonFile = None,
) -> None:
    """Measure what the Ray executor costs beside the local one, the driver's shards per second, and the scheduler."""
    from fullshelf.bench.scaling import SERIES, SIMULATED, measure_scaling

    _run_in(
        work,
        lambda machine, limits, folder, say: measure_scaling(
            machine, limits, folder, series or SERIES[size], simulated=SIMULATED[size], say=say
        ),
        size,
        json_file,
        packages=("ray",),
    )


@app.callback()
def _group() -> None:
    """Keep the command names even while there is a single one."""


@app.command()
def split(size: SizeOption = Size.SMALL, series: Series = None, work: Work = None, json_file: JsonFile = None) -> None:
    """Measure checking and splitting: rows per second from files to shards, beside Polars reading and sorting them."""
    from fullshelf.bench.split import SERIES, measure_split

    _run_in(
        work,
        lambda machine, limits, folder, say: measure_split(machine, limits, folder, series or SERIES[size], say=say),
        size,
        json_file,
        disk=True,
    )


@app.command()
def refresh(
    size: SizeOption = Size.SMALL,
    series: Series = None,
    periods: Annotated[int, typer.Option(min=30, help="days of sales")] = 365,
    model: Annotated[str, typer.Option(help="demand model")] = "auto",
    work: Work = None,
    json_file: JsonFile = None,
) -> None:
    """Measure the whole job: rows per second by stage, two nights, peak memory, beside Polars on the same files."""
    from fullshelf.bench.refresh import SERIES, measure_refresh

    _run_in(
        work,
        lambda machine, limits, folder, say: measure_refresh(
            machine, limits, folder, series or SERIES[size], periods=periods, model=model, say=say
        ),
        size,
        json_file,
        packages=("torch",),
        disk=True,
    )


@app.command()
def headline(
    size: SizeOption = Size.SMALL,
    series: Series = None,
    periods: Annotated[int, typer.Option(min=30, help="days of sales")] = 365,
    model: Annotated[list[str] | None, typer.Option(help="demand model; may be repeated")] = None,
    work: Work = None,
    json_file: JsonFile = None,
) -> None:
    """Measure a catalogue from Parquet to orders by each model, and the engine's share outside the model."""
    from fullshelf.bench.headline import MODELS, SERIES, measure_headline

    _run_in(
        work,
        lambda machine, limits, folder, say: measure_headline(
            machine, limits, folder, series or SERIES[size], periods=periods, models=model or MODELS, say=say
        ),
        size,
        json_file,
        packages=("torch",),
        disk=True,
    )


@app.command()
def forecast(size: SizeOption = Size.SMALL, series: Series = None, json_file: JsonFile = None) -> None:
    """Measure our classical models beside statsforecast: series per second of one core, and the loss of both."""
    from fullshelf.bench.forecast import BUDGET, SERIES, measure_forecasts

    _run(
        lambda machine, limits, say: measure_forecasts(
            machine, limits, series or SERIES[size], budget=BUDGET[size], say=say
        ),
        size,
        json_file,
        packages=("statsforecast",),
    )


@app.command()
def inference(
    size: SizeOption = Size.SMALL,
    weights: Annotated[Path | None, typer.Option(help="folder of a DemandLM; default: the shipped one")] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure DemandLM: series per second by context, beside the shape of Chronos-Bolt-tiny and matrix products."""
    from fullshelf.bench.inference import BATCHES, BUDGET, REPEATS, SIZES, measure_inference
    from fullshelf.engine.models.demand_lm.forecaster import SHIPPED

    _run(
        lambda machine, limits, say: measure_inference(
            machine,
            limits,
            weights or SHIPPED,
            BATCHES[size],
            sizes=SIZES[size],
            repeats=REPEATS[size],
            budget=BUDGET[size],
            say=say,
        ),
        size,
        json_file,
        packages=("torch", "transformers"),
    )


@app.command()
def sizes(
    size: SizeOption = Size.SMALL,
    windows: Annotated[int | None, typer.Option(min=1, help="windows of the prior; default by --size")] = None,
    shared: SharedData = SHARED,
    work: Work = None,
    json_file: JsonFile = None,
) -> None:
    """Train DemandLMs of several sizes on the same windows: parameters, series per second and accuracy of each."""
    from fullshelf.bench.sizes import SHAPES, WINDOWS, measure_sizes

    real = shared if size == Size.FULL else None
    _run_in(
        work,
        lambda machine, limits, folder, say: measure_sizes(
            machine, limits, folder, windows or WINDOWS[size], real, shapes=SHAPES[size], say=say
        ),
        size,
        json_file,
        packages=("torch", "transformers"),
    )


@app.command()
def kernels(
    size: SizeOption = Size.SMALL,
    only: Annotated[list[str] | None, typer.Option(help="part of a kernel's name; may be repeated")] = None,
    json_file: JsonFile = None,
) -> None:
    """Measure the inventory kernels: SKUs per second on 1 and 2 threads, beside stockpyl and the memory bandwidth."""
    from fullshelf.bench.kernel_problems import PROBLEMS
    from fullshelf.bench.kernels import BUDGET, LONGEST, PEER_SECONDS, SIZES, measure_kernels

    chosen = [problem for problem in PROBLEMS if not only or any(part in problem.name for part in only)]
    if not chosen:
        raise typer.BadParameter(f"no kernel is called {only}; there are: {', '.join(p.name for p in PROBLEMS)}")
    _run(
        lambda machine, limits, say: measure_kernels(
            machine,
            limits,
            SIZES[size],
            problems=chosen,
            budget=BUDGET[size],
            peer_seconds=PEER_SECONDS[size],
            longest=LONGEST[size],
            say=say,
        ),
        size,
        json_file,
        packages=("stockpyl", "inventorize", "scipy"),
    )


@app.command()
def limits(size: SizeOption = Size.SMALL, series: Series = None, json_file: JsonFile = None) -> None:
    """Share out 1,500 limits over a catalogue: seconds, and the distance to the dual bound."""
    from fullshelf.bench.limits import SERIES, measure_limits

    sizes = (series,) if series else SERIES[size]
    _run(lambda machine, ceiling, say: measure_limits(machine, ceiling, sizes, say=say), size, json_file)


@app.command()
def accuracy(
    size: SizeOption = Size.SMALL,
    series: Series = None,
    shared: SharedData = SHARED,
    model: Annotated[list[str] | None, typer.Option(help="demand model; may be repeated")] = None,
    task: Annotated[list[str] | None, typer.Option(help="open task; may be repeated; default: all of them")] = None,
    windows: Annotated[int, typer.Option(min=1, help="newest as-of dates of each task")] = 1,
    json_file: JsonFile = None,
) -> None:
    """Score our models and statsforecast's: on simulated series, and on real sales where they are at hand."""
    from fullshelf.bench.accuracy import MODELS, SERIES, measure_accuracy

    real = shared if task or size == Size.FULL else None
    _run(
        lambda machine, limits, say: measure_accuracy(
            machine, limits, series or SERIES[size], real, models=model or MODELS, tasks=task, windows=windows, say=say
        ),
        size,
        json_file,
        packages=("statsforecast", "torch"),
    )


@app.command()
def decisions(
    size: SizeOption = Size.SMALL,
    series: Series = None,
    shared: SharedData = SHARED,
    scenario: Annotated[list[str] | None, typer.Option(help="scenario; may be repeated; default: all of them")] = None,
    observe: Annotated[str, typer.Option(help="demand, or sold: the shop sees only what it sold")] = "demand",
    work: Work = None,
    json_file: JsonFile = None,
) -> None:
    """Count the money: our orders beside the policies of shops and textbooks, simulated and on real sales."""
    from fullshelf.bench.decisions import SERIES, measure_decisions

    real = shared if scenario or size == Size.FULL else None
    _run_in(
        work,
        lambda machine, limits, folder, say: measure_decisions(
            machine, limits, folder, series or SERIES[size], real, scenarios=scenario, observe=observe, say=say
        ),
        size,
        json_file,
    )


@app.command()
def parts(
    size: SizeOption = Size.SMALL,
    model: Annotated[str, typer.Option(help="demand model")] = "auto",
    work: Work = None,
    json_file: JsonFile = None,
) -> None:
    """Measure what `plan` adds up, and hold the plan against runs of other sizes."""
    from fullshelf.bench.parts import SIZES, measure_parts

    _run_in(
        work,
        lambda machine, limits, folder, say: measure_parts(
            machine, limits, folder / "parts", SIZES[size], model=model, say=say
        ),
        size,
        json_file,
        packages=("torch",),
        disk=True,
    )


@app.command(name="all")
def every(
    size: SizeOption = Size.SMALL,
    only: Annotated[list[str] | None, typer.Option(help="name of a benchmark; may be repeated; default: all")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="rounds; `compare` tells noise from what runs once by them")] = 1,
    json_folder: Annotated[
        Path | None, typer.Option(help="write each result to FOLDER/MACHINE/NAME-SIZE.json, e.g. bench/results")
    ] = None,
    json_file: Annotated[
        Path | None,
        typer.Option(
            "--json", metavar="FILE", dir_okay=False, help="write all results, seconds and outcomes to one file"
        ),
    ] = None,
) -> None:
    """Run every benchmark in a process of its own, one after the other; exit code 1 where one failed."""
    from fullshelf.bench.suite import NAMES, Ran, run_suite, show_suite, write_suite

    if unknown := set(only or ()) - set(NAMES):
        raise typer.BadParameter(f"no benchmark is called {sorted(unknown)}; there are: {', '.join(NAMES)}")
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)  # now, not when all has been measured

    def after(ran: Sequence[Ran]) -> None:
        if json_file is not None:
            write_suite(json_file, ran, size)

    chosen = [name for name in NAMES if not only or name in only]
    ran = run_suite(chosen, size, json_folder, repeat=repeat, after=after)
    show_suite(output(), ran, size)
    if any(one.failed for one in ran):
        raise typer.Exit(1)


for command in (compare, plan, tables):
    app.command()(command)


def _run_in(
    work: Path | None,
    measure: Callable[[Machine, Limits, Path, Say], Report],
    size: Size,
    json_file: Path | None,
    *,
    packages: Sequence[str] = (),
    disk: bool = False,
) -> None:
    """Run a benchmark as `_run` does, in the folder that was named or in one that is removed; `disk`: measure its."""
    with tempfile.TemporaryDirectory(prefix="fullshelf-bench-") as scratch:
        folder = work or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        _run(
            lambda machine, limits, say: measure(machine, limits, folder, say),
            size,
            json_file,
            packages=packages,
            disk=folder if disk else None,
        )


def _run(
    measure: Callable[[Machine, Limits, Say], Report],
    size: Size,
    json_file: Path | None,
    *,
    packages: Sequence[str] = (),
    disk: Path | None = None,
) -> None:
    """Print what the machine allows, measure, print the report; a benchmark of its own file needs no more than this."""
    console = output()
    progress = Console(stderr=True)
    begun = time.perf_counter()
    machine, limits = this_machine(packages), measure_limits(disk)
    show_machine(console, machine, limits)
    report = measure(machine, limits, lambda line: progress.print(f"… {line}", style="dim"))
    show_report(console, replace(report, size=str(size), seconds=time.perf_counter() - begun), json_file)


def main(argv: Sequence[str] | None = None) -> None:
    """Run one benchmark by name, e.g. `main(["refresh", "--size", "small"])`."""
    app(args=None if argv is None else list(argv), prog_name="fullshelf bench")
