"""A run's job as a file, so that a process on another machine can open it: only its path and its hash travel there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace

from fullshelf.engine.config import ForecastSettings
from fullshelf.engine.errors import RunError
from fullshelf.engine.learned_policy import policy_fingerprint
from fullshelf.engine.models.catalogue import load_model
from fullshelf.engine.pickled import JobFile, read_job, write_job
from fullshelf.engine.pipeline import ShardJob
from fullshelf.engine.publish import publish
from fullshelf.engine.storage import Remote
from fullshelf.engine.stored_rows import StoredRows, store_rows

__all__ = ["open_job", "save_job"]

TABLES = ("supply", "stock", "skus")


def save_job(
    job: ShardJob,
    forecast: ForecastSettings,
    season: int,
    shards: Iterable[int],
    threads: int,
    check: Callable[[], None],
) -> JobFile:
    """Write the job, and for each of the shards what the small tables say of its series, into the run's `_work` folder.

    Where that is in an object store the shard files are sent there too.

    Parameters
    ----------
    forecast, season
        What the job's model was loaded with: it is loaded again where the job is opened.
    check
        Called between shards; raises when the end was asked for.
    """
    work, intake, shards = job.folder.path / "_work", job.intake, list(shards)
    tables = {name: rows for name in TABLES if (rows := getattr(intake, name)) is not None}

    def store(shard: int) -> None:
        check()
        store_rows(work, shard, intake.sales, tables)

    with ThreadPoolExecutor(threads, thread_name_prefix="rows") as pool:
        list(pool.map(store, shards))
    stored = {name: StoredRows(work, intake.shards, name) for name in tables}
    thin = replace(
        intake,
        reject_files=(),
        limits=None,
        supply=stored.get("supply"),
        stock=stored.get("stock"),
        skus=stored.get("skus"),
    )
    if isinstance(work, Remote):
        thin = publish(thin, work / "split", shards, check)
    values = {f.name: getattr(job, f.name) for f in fields(job) if f.name not in ("intake", "model")}
    model = (forecast.model, forecast.levels, season, job.model.fingerprint)
    return write_job(work / "job.pickle", intake=thin, model=model, weights=policy_fingerprint(job.plan), job=values)


def open_job(file: JobFile) -> ShardJob:
    """Read what `save_job` wrote.

    Raises
    ------
    RunError
        If the file is not to be seen from here or is another one, or if this machine's code or model would give other
        numbers than the driver's.
    """
    found = read_job(file)
    name, levels, season, fingerprint = found["model"]
    model = load_model(name, levels, season)
    if model.fingerprint != fingerprint:
        raise RunError(f"forecast.model: {name} on this machine is {model.fingerprint!r}, the driver's {fingerprint!r}")
    job = ShardJob(intake=found["intake"], model=model, **found["job"])
    if (own := policy_fingerprint(job.plan)) != found["weights"]:
        raise RunError(f"plan.weights: {job.plan.weights} on this machine is {own}, the driver's {found['weights']}")
    return job
