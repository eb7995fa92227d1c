"""The main job: inputs → forecasts → orders → report, resumable, committed in one step."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from fullshelf.engine.commit import only_one, read_current, switch_current
from fullshelf.engine.completion import complete
from fullshelf.engine.config import Config
from fullshelf.engine.errors import ConfigError, RunError, UsageError
from fullshelf.engine.executor import Executor, LocalExecutor
from fullshelf.engine.identity import run_id
from fullshelf.engine.intake import Intake, preparing
from fullshelf.engine.lease import holding
from fullshelf.engine.limits import read_limits
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.pipeline import ShardJob
from fullshelf.engine.profile import sampling, working
from fullshelf.engine.progress import Reporter, silent
from fullshelf.engine.protection import periods_needed
from fullshelf.engine.run_folder import RunFolder
from fullshelf.engine.stopping import Stop
from fullshelf.engine.storage import Location, Remote, place, read_back, work_folder

CACHE = ".cache"  # beside the runs: shard files that the next night uses again
SENDING = "sending"  # in the cache: files on their way to an object store


def refresh(
    config: Config, progress: Reporter = silent, stop: Stop | None = None, executor: Executor | None = None
) -> dict[str, Any]:
    """Run the refresh, or resume it, or recognise that it is complete; return run.json with `folder` and `already`.

    Parameters
    ----------
    executor
        Where shards are worked on; default: threads of this process.

    Raises
    ------
    UsageError
        If the configuration or an input cannot be used; nothing was written to the run.
    RunError
        If the run failed; the next call resumes.
    Interrupted
        If `stop` was set; the next call resumes.
    """
    stop = stop or Stop()
    if config.inputs.supply is None:
        raise ConfigError("inputs.supply: orders need costs and lead times; for forecasts alone: `fullshelf forecast`")
    if executor is None:
        if config.run.executor != "local":
            raise ConfigError("run.executor: ray: call `fullshelf refresh`, or fullshelf.cluster.refresh.refresh")
        executor = LocalExecutor(config.run.threads or len(os.sched_getaffinity(0)))
    cache = cache_folder(config)
    runs = place(config.output, cache / SENDING)
    if isinstance(runs, Remote):
        _make_folder(cache, "run.work")
        with only_one(cache / "lock", f"{runs}: another refresh"), holding(runs, stop):
            return _refresh(config, runs, cache, executor, progress, stop)
    ours = not runs.exists()
    _make_folder(runs, "output")
    try:
        with only_one(cache / "lock", f"{runs}: another refresh"):
            return _refresh(config, runs, cache, executor, progress, stop)
    except UsageError:
        if ours:  # bad input writes nothing
            shutil.rmtree(runs)
        raise


def cache_folder(config: Config) -> Path:
    """Return the local folder for split sales and locks: `run.work`, or for local runs a folder beside them."""
    if config.run.work or not isinstance(place(config.output, Path()), Path):
        return work_folder(config.output, config.run.work)
    return Path(config.output) / CACHE


@sampling()
def _refresh(
    config: Config, runs: Location, cache: Path, executor: Executor, progress: Reporter, stop: Stop
) -> dict[str, Any]:
    begun = time.perf_counter()
    model = load_model(config.forecast.model, config.forecast.levels, config.season)
    if config.plan.tuned is not None:
        config.plan.tuned.check_model(model.fingerprint)
    with preparing(config, cache, progress, stop.check, elsewhere=executor.elsewhere(stop)) as inputs:
        name = run_id(config, inputs.fingerprint, model.fingerprint, inputs.shards, inputs.as_of)
        folder = RunFolder(runs / name)
        done = folder.read_summary()
        if done is not None and not done["quarantined"]:
            _switch_if_newer(runs, name, done)
            return done | {"folder": str(folder.path), "already": True}
        intake = inputs.settle()
    seconds, shared_out = {"split": time.perf_counter() - begun}, None
    previous = _previous(runs, name, intake)
    horizon = max(config.forecast.horizon or config.period.horizon, periods_needed(intake.supply_terms))
    limits = () if intake.limits is None else tuple(read_limits(intake.limits))
    job = ShardJob(intake, model, config.plan, horizon, folder, previous, limits)
    folder.success.unlink(missing_ok=True)
    records, quarantined = _all_shards(job, executor, progress, stop)
    if limits:
        clock = time.perf_counter()
        records, shared_out = executor.share_out(job, records, progress, stop)
        seconds["allocate"] = time.perf_counter() - clock
    with read_back(runs):
        summary = complete(job, config, records, quarantined, shared_out, seconds, begun)
    switch_current(runs, name)
    return summary | {"folder": str(folder.path), "already": False}


def _switch_if_newer(runs: Location, name: str, done: dict[str, Any]) -> None:
    """Switch `current` to a complete run that was killed just before it did so itself."""
    folder = read_current(runs)
    before = None if folder is None else RunFolder(folder).read_summary()
    if before is None or before["completed"] < done["completed"]:
        switch_current(runs, name)


def _make_folder(folder: Path, setting: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise ConfigError(f"{setting}: {folder}: cannot make this folder: {e.strerror}") from e
    if not os.access(folder, os.W_OK):
        raise ConfigError(f"{setting}: {folder}: no permission to write there")


def _previous(runs: Location, name: str, intake: Intake) -> Location | None:
    """Return the last complete run if its forecasts can be compared shard by shard: older, same period and shards."""
    folder = read_current(runs)
    if folder is None or folder.name == name:
        return None
    summary = RunFolder(folder).read_summary()
    comparable = (
        summary is not None
        and summary["configuration"]["period"] == intake.period
        and summary["counts"]["shards"] == intake.shards
        and summary["as_of_number"] < intake.as_of
    )
    return folder if comparable else None


@working("shards")
def _all_shards(
    job: ShardJob, executor: Executor, progress: Reporter, stop: Stop
) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """Run every shard that has no record yet; return the records and the quarantined shards."""
    folder, shards, half = job.folder, range(job.intake.shards), "forecast" if job.limits else "orders"
    records = folder.records(half, shards)
    todo, errors = [s for s in shards if s not in records], dict[int, Exception]()
    progress("shards", len(records), len(shards))
    for outcome in executor.run(job, todo, stop):
        if outcome.result is not None:
            records[outcome.shard] = outcome.result
            progress("shards", len(records), len(shards))
        elif outcome.error is not None:
            errors[outcome.shard] = outcome.error
    if errors and not records:
        shard, error = min(errors.items())
        raise RunError(f"every shard failed; shard {shard}: {type(error).__name__}: {error}") from error
    return [records[s] for s in sorted(records)], {s: f"{type(e).__name__}: {e}" for s, e in errors.items()}
