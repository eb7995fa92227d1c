"""The command line: `fullshelf COMMAND`. Each command reads its options and calls one function of the engine."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fullshelf.engine.calendar import Period
from fullshelf.engine.errors import ConfigError, FullshelfError, Interrupted
from fullshelf.engine.identity import code_version
from fullshelf.engine.models.names import MODELS
from fullshelf.engine.progress import Reporter, for_stream, output, silent
from fullshelf.engine.stopping import Stop, on_signals

if TYPE_CHECKING:
    from fullshelf.engine.config import Config

QUARANTINED = 3  # exit code: complete but for quarantined shards

app = typer.Typer(
    name="fullshelf",
    help="From a marketplace's sales to an order for every SKU.",
    epilog="Exit codes: 0 complete, 1 failed (call again to resume), 2 bad configuration or usage, "
    "3 complete but for quarantined shards, 75 interrupted (call again).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

ConfigFile = Annotated[Path, typer.Argument(metavar="CONFIG.yaml", help="the configuration file")]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="a.b=VALUE", help="override a value of the configuration; may be repeated"),
]
Address = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="of a Ray cluster to work on; sets run.executor: ray")
]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON object, no text and no progress")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="no progress")]


@contextmanager
def _job(as_json: bool, quiet: bool) -> Iterator[tuple[Reporter, Stop]]:
    """Give a job its progress and its polite stop; turn errors into a message and the exit code that they mean."""
    try:
        with on_signals() as stop:
            live = for_stream(quiet or as_json)
            if live is None:
                yield silent, stop
            else:
                with live as progress:
                    yield progress, stop
    except FullshelfError as e:
        if as_json:
            print(json.dumps({"error": str(e), "exit_code": e.exit_code}))
        print(f"fullshelf: {e}", file=sys.stderr)
        raise typer.Exit(e.exit_code) from e
    except KeyboardInterrupt:
        print("fullshelf: interrupted; call again to resume", file=sys.stderr)
        raise typer.Exit(Interrupted.exit_code) from None


def _print_json(content: Any) -> None:
    print(json.dumps(content, default=str))


def _version(wanted: bool) -> None:
    if wanted:
        print(f"fullshelf {code_version()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


@app.command()
def refresh(
    config: ConfigFile,
    overrides: Overrides = None,
    address: Address = None,
    profile: Annotated[bool, typer.Option("--profile", help="print where the time and the memory went")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run the main job: inputs → forecasts → orders → report. Called again it resumes, or says that it is complete."""
    from fullshelf.engine.config import load_config
    from fullshelf.engine.profile_text import print_profile
    from fullshelf.engine.summary_text import print_summary

    with _job(as_json, quiet) as (progress, stop):
        settings = load_config(config, _with_address(overrides, address))
        summary = _refresher(settings.run.executor)(settings, progress, stop)
    _print_json(summary) if as_json else print_summary(output(), summary)
    if profile and not as_json:
        print_profile(output(), summary)
    if summary["quarantined"]:
        raise typer.Exit(QUARANTINED)


@app.command()
def check(config: ConfigFile, overrides: Overrides = None, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Read the configuration and every input, report what a refresh would reject; write nothing."""
    from fullshelf.engine.config import load_config
    from fullshelf.engine.intake import check as run
    from fullshelf.engine.learned_policy import network_weights
    from fullshelf.engine.models.catalogue import load_model

    with _job(as_json, quiet):
        settings = load_config(config, overrides or ())
        model = load_model(settings.forecast.model, settings.forecast.levels, settings.season)
        if settings.plan.tuned is not None:
            settings.plan.tuned.check_model(model.fingerprint)
        if settings.plan.policy == "learned":
            network_weights(settings.plan.weights)
        report = run(settings)
    _print_json(report.as_dict()) if as_json else print(report.text())


@app.command()
def forecast(
    sales: Annotated[str, typer.Option(help="table sales: file, folder or glob, Parquet or CSV")],
    period: Annotated[Period, typer.Option(help="one step of time")],
    horizon: Annotated[int, typer.Option(min=1, max=1024, help="periods to forecast")],
    out: Annotated[Path, typer.Option(help="Parquet file for the forecasts")],
    as_of: Annotated[
        str | None, typer.Option(help="last known period (YYYY-MM-DD); default: the newest in sales")
    ] = None,
    model: Annotated[str, typer.Option(help=f"{', '.join(MODELS)}, or a folder of weights")] = "auto",
    season: Annotated[int | None, typer.Option(min=1, help="periods; default 7 days, 52 weeks, 12 months")] = None,
    skus: Annotated[str | None, typer.Option(help="table skus: titles, categories, ends of sale")] = None,
    future: Annotated[str | None, typer.Option(help="table future: covariates known ahead")] = None,
    events: Annotated[str | None, typer.Option(help="table events: holidays")] = None,
    cumulative_out: Annotated[Path | None, typer.Option(help="Parquet file for the totals of periods 1…step")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="shards worked on at once; default: all cores")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Forecast every series of a sales table; no orders."""
    from fullshelf.engine.config import parse_config
    from fullshelf.engine.forecast_job import forecast_to_files
    from fullshelf.engine.summary_text import rejected_text

    tables = {"sales": sales, "skus": skus, "future": future, "events": events}
    with _job(as_json, quiet) as (progress, stop):
        settings = parse_config(
            {
                "period": period,
                "as_of": _date(as_of, "--as-of"),
                "inputs": {name: path for name, path in tables.items() if path is not None},
                "forecast": {"model": model, "horizon": horizon, "season": season},
            },
            base=Path.cwd(),
            source="command line",
        )
        result = forecast_to_files(settings, out, cumulative_out, threads or _cores(), progress, stop)
    rejected = result.rejected.to_dicts()
    if as_json:
        _print_json({"series": result.series, "horizon": result.horizon, "rejected": rejected, "out": out})
    else:
        print(f"{result.series:,} series × {result.horizon} periods in {out}; rejected: {rejected_text(rejected)}")


@app.command()
def backtest(
    config: ConfigFile,
    against: Annotated[
        Path | None, typer.Option(metavar="B.yaml", help="a second configuration: these two compete")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Live past order rounds again: accuracy, and the money that the orders would have cost, by model and policy."""
    from fullshelf.engine.backtest import backtest as run
    from fullshelf.engine.backtest.words import print_backtest
    from fullshelf.engine.config import load_config

    with _job(as_json, quiet) as (progress, stop):
        other = None if against is None else load_config(against)
        summary = run(load_config(config, overrides or ()), other, progress, stop)
    _print_json(summary) if as_json else print_backtest(output(), summary)


@app.command()
def tune(
    config: ConfigFile,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="file for what is found; default tune.output, tuned.yaml")
    ] = None,
    overrides: Overrides = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Learn a few numbers of the plan from past order rounds: factors on demand and shortage cost, a cap on orders.

    Segments (ABC/XYZ classes by default, `tune.by`) are tuned on tune.rounds rounds and judged on the tune.judge later
    ones; what did not win there by more than noise is not kept. `plan: {tuned: FILE}` then obeys the file.
    """
    from fullshelf.engine.config import load_config
    from fullshelf.engine.tune import tune as run
    from fullshelf.engine.tune.words import print_tuned

    given = [*(overrides or ()), "plan.tuned=null"]  # what an earlier call found is not what it is compared with
    if out is not None:
        given.append(f"tune.output={json.dumps(str(out.absolute()))}")
    with _job(as_json, quiet) as (progress, stop):
        summary = run(load_config(config, given), progress, stop)
    _print_json(summary) if as_json else print_tuned(output(), summary)


@app.command()
def simulate(
    series: Annotated[int, typer.Option(min=1, help="number of SKU-location pairs")],
    periods: Annotated[int, typer.Option(min=1, help="periods of sales")],
    out: Annotated[Path, typer.Option(help="folder for the tables and a configuration")],
    period: Annotated[Period, typer.Option(help="one step of time")] = Period.DAY,
    seed: Annotated[int, typer.Option(min=0, help="the same seed gives the same bytes")] = 0,
    end: Annotated[str | None, typer.Option(metavar="DATE", help="any day of the last known period")] = None,
    locations: Annotated[int | None, typer.Option(min=1, help="locations of each SKU; default 5")] = None,
    ahead: Annotated[
        int | None, typer.Option(min=0, help="periods of `future`; default: the horizon and each lead time")
    ] = None,
    zeros: Annotated[bool, typer.Option("--zeros", help="write rows for periods without a sale too")] = False,
    truth: Annotated[bool, typer.Option("--truth", help="write uncensored demand, the coming periods too")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="replace an earlier simulation in the folder")] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a marketplace of any size with all input tables."""
    from fullshelf.engine.simulate import simulate_marketplace

    with _job(as_json, quiet) as (progress, stop):
        made = simulate_marketplace(
            series,
            periods,
            out,
            period=period,
            seed=seed,
            end=_date(end, "--end"),
            locations=locations,
            ahead=ahead,
            zeros=zeros,
            truth=truth,
            overwrite=overwrite,
            progress=progress,
            stop=stop.check,
        )
    _print_json(made.as_dict()) if as_json else print(made.text())


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="folder for the marketplace and its run")] = Path("demo"),
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Make a small marketplace, refresh it, say where to look."""
    from fullshelf.engine.config import load_config
    from fullshelf.engine.demo import make_demo
    from fullshelf.engine.refresh import refresh as run
    from fullshelf.engine.summary_text import print_summary

    with _job(as_json, quiet) as (progress, stop):
        summary = run(load_config(make_demo(out)), progress, stop)
    _print_json(summary) if as_json else print_summary(output(), summary)


@app.command()
def fit(
    config: ConfigFile,
    overrides: Overrides = None,
    address: Address = None,
    resume: Annotated[
        bool, typer.Option("--resume/--no-resume", help="go on from the checkpoint, or begin afresh")
    ] = True,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Train the demand model, or fine-tune it on the configured sales; with fit.what=policy, the learned policy."""
    from fullshelf.engine.config import load_config
    from fullshelf.engine.summary_text import fit_text

    with _job(as_json, quiet) as (progress, stop):
        settings = load_config(config, _with_address(overrides, address))
        where = "local" if settings.fit.what == "policy" else settings.run.executor  # minutes of one core
        summary = _fitter(where)(settings, progress, stop, resume)
    _print_json(summary) if as_json else print(fit_text(summary))


@app.command()
def submit(
    config: ConfigFile,
    overrides: Overrides = None,
    address: Annotated[
        str | None, typer.Option(metavar="URL", help="http://HOST:8265 of the cluster's dashboard; default RAY_ADDRESS")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="follow the job and end with its exit code")] = True,
    name: Annotated[
        str | None, typer.Option("--id", help="of the job; default by configuration, code and inputs as seen from here")
    ] = None,
    wheel: Annotated[
        Path | None, typer.Option(metavar="FILE", help="wheel of fullshelf; default: made from what is installed here")
    ] = None,
    ship: Annotated[bool, typer.Option("--ship/--no-ship", help="send the wheel, or use what the nodes have")] = True,
    env: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="environment variable that the job gets too; no secrets")
    ] = None,
    driver_cpus: Annotated[float, typer.Option(min=0, help="cores reserved for the driver")] = 0,
    as_json: AsJson = False,
) -> None:
    """Run the refresh as a Ray job and follow it; called again it finds the same job. Ctrl-C only stops following."""
    from fullshelf.engine.config import load_config

    def show(text: str) -> None:
        print(text, end="", flush=True, file=sys.stderr if as_json else sys.stdout)

    with _job(as_json, quiet=True) as (_, stop):
        with _needs_ray("submit"):
            from fullshelf.cluster.submit import submit_refresh
        settings = load_config(config, overrides or ())
        done = submit_refresh(settings, address, name, wheel, ship, env or (), driver_cpus, wait, show, stop)
    _print_json(done) if as_json else print(f"job {done['job']} {done['found']}; exit code {done['exit_code']}")
    if done["exit_code"]:
        raise typer.Exit(done["exit_code"])


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []})
def bench(context: typer.Context) -> None:
    """Measure speed, memory and accuracy beside peers; `fullshelf bench --help` names the benchmarks."""
    from fullshelf.bench.cli import main as benchmarks

    benchmarks(context.args)


def _with_address(overrides: list[str] | None, address: str | None) -> list[str]:
    """Return the overrides, with what an address says."""
    return [*(overrides or ()), *(() if address is None else ("run.executor=ray", f"run.address={address}"))]


@contextmanager
def _needs_ray(what: str) -> Iterator[None]:
    """Say what to install where an import fails because Ray is not there."""
    try:
        yield
    except ModuleNotFoundError as e:
        if (e.name or "").partition(".")[0] != "ray":
            raise
        raise ConfigError(f"{what} needs Ray: pip install 'fullshelf[ray]'") from e


def _refresher(executor: str) -> Callable[[Config, Reporter, Stop], dict[str, Any]]:
    """Return the refresh on this machine, or on a cluster."""
    if executor == "local":
        from fullshelf.engine.refresh import refresh as here

        return here
    with _needs_ray("run.executor: ray"):
        from fullshelf.cluster.refresh import refresh as there
    return there


def _fitter(executor: str) -> Callable[[Config, Reporter, Stop, bool], dict[str, Any]]:
    """Return the fit on this machine, or on a cluster."""
    if executor == "local":
        from fullshelf.engine.fit_job import fit as here

        return here
    with _needs_ray("run.executor: ray"):
        from fullshelf.cluster.fit import fit as there
    return there


def _date(text: str | None, option: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"{option} {text}: expected a date as YYYY-MM-DD") from None


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def main() -> None:
    """Enter from the shell."""
    app()
