"""`fullshelf backtest`: from a configuration, or two, to tables, a page and a verdict in money."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import asdict
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from fullshelf.engine.backtest.live import live_all
from fullshelf.engine.backtest.page import write_page
from fullshelf.engine.backtest.result import Result
from fullshelf.engine.backtest.rounds import Rounds, settle_rounds
from fullshelf.engine.backtest.tables import accuracy_table, rounds_table, segments_table, series_table, with_classes
from fullshelf.engine.backtest.trial import NEWEST_YEAR, TEXTBOOK, Contender, Side, Trial, shown_name
from fullshelf.engine.commit import only_one, replacing, write_json, write_parquet
from fullshelf.engine.completion import peak_memory_mb
from fullshelf.engine.config import Config
from fullshelf.engine.errors import ConfigError, InputError
from fullshelf.engine.identity import backtest_id, versions
from fullshelf.engine.intake import Intake, prepare
from fullshelf.engine.limits import read_limits
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.models.protocol import DemandModel
from fullshelf.engine.progress import Reporter, silent
from fullshelf.engine.protection import periods_needed
from fullshelf.engine.refresh import cache_folder
from fullshelf.engine.run_folder import RunFolder
from fullshelf.engine.stopping import Stop

FOLDER = "backtests"  # beside the runs
AGAINST = "against"  # in the cache: what the second configuration reads
SUMMARY, PAGE = "backtest.json", "backtest.html"
YARDSTICK = "seasonal-naive"


def backtest(
    config: Config, against: Config | None = None, progress: Reporter = silent, stop: Stop | None = None
) -> dict[str, Any]:
    """Live past rounds again, or recognise that this was done; return backtest.json with `folder` and `already`.

    Parameters
    ----------
    against
        A second configuration: then these two compete, over the rounds, sales and costs of the first.

    Raises
    ------
    UsageError
        If a configuration or an input cannot be used; nothing was written.
    RunError
        If a shard failed.
    Interrupted
        If `stop` was set; the next call begins anew.
    """
    stop = stop or Stop()
    if "://" in config.output:
        raise ConfigError(f"output: {config.output}: expected a local folder")
    for given in filter(None, (config, against)):
        if given.inputs.supply is None:
            raise ConfigError("inputs.supply: orders need costs and lead times")
    if against is not None and against.period != config.period:
        raise ConfigError(f"--against: its period is {against.period}, that of the first is {config.period}")
    runs = Path(config.output)
    ours = not runs.exists()
    try:
        runs.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ConfigError(f"output: {runs}: cannot make the folder of the runs: {e.strerror}") from e
    try:
        with only_one(cache_folder(config) / "lock", f"{runs}: another refresh or backtest"):
            return _backtest(config, against, runs, progress, stop)
    except (ConfigError, InputError):
        if ours:  # bad input writes nothing
            shutil.rmtree(runs)
        raise


def _backtest(config: Config, against: Config | None, runs: Path, progress: Reporter, stop: Stop) -> dict[str, Any]:
    begun = time.perf_counter()
    trial = _trial(config, against, progress, stop)
    intake = trial.sides[0].intake
    contents = [
        (side.config, side.intake.fingerprint, sorted(model.fingerprint for model in side.models.values()))
        for side in trial.sides
    ]
    folder = RunFolder(runs / FOLDER / backtest_id(contents, intake.as_of))
    done = _finished(folder)
    if done is not None:
        return done | {"folder": str(folder.path), "already": True}
    seconds = {"split": time.perf_counter() - begun}
    clock = time.perf_counter()
    threads = config.run.threads or len(os.sched_getaffinity(0))
    result = live_all(trial, threads, progress, stop)
    if not result.series["lived"].any():
        raise InputError(_nobody(trial.rounds, intake))
    seconds["live"] = time.perf_counter() - clock
    summary = _write(folder, trial, result, seconds, begun)
    return summary | {"folder": str(folder.path), "already": False}


def _trial(config: Config, against: Config | None, progress: Reporter, stop: Stop) -> Trial:
    cache = cache_folder(config)
    intake = prepare(config, cache, progress, stop.check)
    rounds = settle_rounds(config.backtest, intake.period, intake.as_of, intake.supply_terms)
    _check_history(rounds, intake)
    plan = config.plan.policy
    if against is None:
        models = list(dict.fromkeys([config.forecast.model, *(config.backtest.models or (YARDSTICK,))]))
        policies = list(dict.fromkeys([plan, *(config.backtest.policies or (TEXTBOOK,))]))
        sides = [side_of("A", config, intake, models, rounds)]
        named = list(sides[0].models)
        contenders = [Contender(0, name, p) for name in named for p in policies if p != TEXTBOOK]
        contenders += [Contender(0, NEWEST_YEAR, TEXTBOOK)] * (TEXTBOOK in policies)
    else:
        as_of = intake.period.start(intake.as_of)
        run = against.run.model_copy(update={"shards": intake.shards, "threads": config.run.threads})
        against = against.model_copy(update={"as_of": as_of, "run": run})
        other = prepare(against, cache / AGAINST, progress, stop.check)
        sides = [
            side_of("A", config, intake, [config.forecast.model], rounds),
            side_of("B", against, other, [against.forecast.model], rounds),
        ]
        contenders = [Contender(i, next(iter(s.models)), s.config.plan.policy) for i, s in enumerate(sides)]
    limits = () if intake.limits is None else tuple(read_limits(intake.limits))
    return Trial(tuple(sides), tuple(contenders), rounds, limits)


def side_of(name: str, config: Config, intake: Intake, models: list[str], rounds: Rounds) -> Side:
    """Load the models of one configuration."""
    loaded: dict[str, DemandModel] = {}
    for model in models:
        shown = shown_name(model)
        if shown in loaded:
            raise ConfigError(f"backtest.models: two models are called {shown!r}; rename the folder of one")
        loaded[shown] = load_model(model, config.forecast.levels, config.season)
        if config.plan.tuned is not None and model == config.forecast.model:
            config.plan.tuned.check_model(loaded[shown].fingerprint)
    terms = intake.supply_terms.with_columns(pl.col("review_period").clip(lower_bound=float(rounds.every)))
    needed = max(periods_needed(terms), rounds.every)
    horizon = max(config.forecast.horizon or config.period.horizon, needed)
    return Side(name, config, intake, loaded, horizon)


def begins_too_early(rounds: Rounds, intake: Intake) -> tuple[date, int] | None:
    """Return the day of the first sales and how many rounds could count; None where the first round is not before."""
    day: date = pl.concat([part.shards.keys().select("first") for part in intake.sales]).min().item()
    first = intake.period.number_of(day)
    if first <= rounds.origins[0]:
        return None
    return day, max((intake.as_of - first) // rounds.every - rounds.warm_up, 0)


def _check_history(rounds: Rounds, intake: Intake) -> None:
    """Raise InputError where the sales begin after the first round."""
    if (found := begins_too_early(rounds, intake)) is not None:
        day, possible = found
        raise InputError(
            f"backtest: {rounds.counted} rounds and {rounds.warm_up} to warm up, every {rounds.every} "
            f"{intake.period}s, would begin on {intake.period.start(rounds.origins[0])}, before the first sales, of "
            f"{day}; "
            + (f"set backtest.rounds to at most {possible}" if possible else "set backtest.rounds and warm_up lower")
        )


def _finished(folder: RunFolder) -> dict[str, Any] | None:
    if not folder.success.exists():
        return None
    summary: dict[str, Any] = json.loads((folder.path / SUMMARY).read_text(encoding="utf-8"))
    return summary


def _write(folder: RunFolder, trial: Trial, result: Result, seconds: dict[str, float], begun: float) -> dict[str, Any]:
    """Write tables, page and summary, the mark of completion last; return the summary."""
    rounds, side = trial.rounds, trial.sides[0]
    clock = time.perf_counter()
    series = with_classes(result)
    segments = segments_table(trial, result, series)
    by_round = rounds_table(trial, result)
    tables = {
        "series": series_table(trial, result, series, rounds.scored),
        "accuracy": accuracy_table(trial, result, series),
        "rounds": by_round,
        "segments": segments,
    }
    for name, table in tables.items():
        write_parquet(folder.path / "backtest" / f"{name}.parquet", table)
    period = side.intake.period
    summary: dict[str, Any] = {
        "backtest": folder.path.name,
        "as_of": period.start(rounds.as_of),
        "period": period,
        "rounds": rounds.counted,
        "warm_up": rounds.warm_up,
        "every": rounds.every,
        "first_origin": period.start(rounds.origins[rounds.warm_up]),
        "series": int(result.series["lived"].sum()),
        "series_left_out": int((~result.series["lived"]).sum()),
        "periods_lived": rounds.periods * result.series.height,
        "periods_stocked_out": result.censored,
        "limits": [asdict(limit) for limit in trial.limits],
        "contenders": segments.filter(pl.col("kind") == "all").drop("kind", "segment", "series").to_dicts(),
        "configurations": {s.name: s.config.model_dump(mode="json") for s in trial.sides},
        "versions": versions(),
        "completed": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with replacing(folder.path / PAGE) as temporary:
        write_page(temporary, summary, segments, by_round)
    seconds["write"] = time.perf_counter() - clock
    seconds["total"] = time.perf_counter() - begun
    summary["seconds"], summary["peak_memory_mb"] = seconds, peak_memory_mb()
    write_json(folder.path / SUMMARY, summary)
    with replacing(folder.success) as temporary:
        temporary.write_text(folder.path.name + "\n", encoding="utf-8")
    return summary


def _nobody(rounds: Rounds, intake: Intake) -> str:
    return (
        f"backtest: no series has both a row of supply and sales up to {intake.period.start(rounds.origins[-1])}; "
        "write sku and location alike in both tables, or set backtest.rounds lower"
    )
