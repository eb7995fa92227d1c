"""`fullshelf forecast`: forecasts alone, without supply, stock or orders."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from fullshelf.engine.commit import replacing, write_parquet
from fullshelf.engine.config import Config
from fullshelf.engine.end_of_sale import cut_off, ends_of
from fullshelf.engine.errors import ConfigError, RunError
from fullshelf.engine.forecast_table import cumulative_frame, forecast_frame
from fullshelf.engine.intake import Intake, prepare
from fullshelf.engine.local import run_shards
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.models.protocol import DemandModel
from fullshelf.engine.progress import Reporter, silent
from fullshelf.engine.stopping import Stop


@dataclass(frozen=True, slots=True)
class ForecastResult:
    """What was forecast, and the input rows that were not used."""

    series: int
    horizon: int
    rejected: pl.DataFrame  # table, rule, rows


def forecast_to_files(
    config: Config,
    out: Path,
    cumulative_out: Path | None,
    threads: int,
    progress: Reporter = silent,
    stop: Stop | None = None,
) -> ForecastResult:
    """Forecast every series of the sales table into one Parquet file, and the running totals into another.

    Raises
    ------
    UsageError
        If the inputs cannot be used; nothing was written.
    RunError
        If a shard failed.
    """
    stop = stop or Stop()
    for file in filter(None, (out, cumulative_out)):
        if file.is_dir() or not file.parent.is_dir():
            raise ConfigError(f"{file}: expected a file in an existing folder")
        if file.suffix.lower() in (".csv", ".tsv", ".json"):
            raise ConfigError(f"{file}: forecasts are written as Parquet; name the file {file.stem}.parquet")
    if cumulative_out is not None and cumulative_out.resolve() == out.resolve():
        raise ConfigError(f"--cumulative-out {out}: that is the file of --out; name another")
    with tempfile.TemporaryDirectory(prefix=".fullshelf-", dir=out.parent) as scratch:
        work = Path(scratch)
        intake = prepare(config, work / "cache", progress, stop.check)
        model = load_model(config.forecast.model, config.forecast.levels, config.season)
        horizon = config.forecast.horizon or config.period.horizon
        series, rejects = 0, [pl.scan_parquet(file) for file in intake.reject_files]
        job = partial(_one_shard, intake, model, horizon, work, cumulative_out is not None)
        for done, outcome in enumerate(run_shards(range(intake.shards), job, threads, stop), start=1):
            if outcome.error is not None:
                raise RunError(f"shard {outcome.shard}: {outcome.error}") from outcome.error
            series += outcome.result or 0
            progress("shards", done, intake.shards)
        rejects.append(pl.scan_parquet(work / "rejects" / "*.parquet"))
        counted = pl.concat(rejects).group_by("table", "rule").len("rows").sort("table", "rule").collect()
        _join(work / "forecasts", out)
        if cumulative_out is not None:
            _join(work / "cumulative", cumulative_out)
    return ForecastResult(series, horizon, counted)


def _one_shard(intake: Intake, model: DemandModel, horizon: int, work: Path, totals: bool, shard: int) -> int:
    given = intake.read(shard, horizon)
    forecast = cut_off(model.forecast(given.panel, horizon, given.ahead), ends_of(given.supply))
    write_parquet(work / "forecasts" / f"{shard:05d}.parquet", forecast_frame(given.panel, forecast))
    write_parquet(work / "rejects" / f"{shard:05d}.parquet", given.rejects)
    if totals:
        frame = cumulative_frame(given.panel, forecast)
        if frame is None:
            raise RunError("this model gives no running totals; leave --cumulative-out away")
        write_parquet(work / "cumulative" / f"{shard:05d}.parquet", frame)
    return given.panel.series


def _join(parts: Path, out: Path) -> None:
    with replacing(out) as temporary:
        pl.scan_parquet(parts / "*.parquet").sink_parquet(temporary, compression="zstd", compression_level=1)
