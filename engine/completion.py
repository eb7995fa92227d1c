"""The end of a run: counts are added up and verified, the report and run.json are written, `_SUCCESS` comes last."""

from __future__ import annotations

import math
import os
import platform
import resource
import shutil
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import polars as pl

from fullshelf.engine.allocation import Allocation
from fullshelf.engine.commit import replacing, write_json, write_parquet
from fullshelf.engine.config import Config
from fullshelf.engine.errors import RunError
from fullshelf.engine.examples import history
from fullshelf.engine.hindsight import accuracy
from fullshelf.engine.identity import versions
from fullshelf.engine.pipeline import Record, ShardJob
from fullshelf.engine.profile import sampled, working
from fullshelf.engine.report import ReportFacts, write_report
from fullshelf.engine.report.survey import exceptions
from fullshelf.engine.run_folder import TABLES, RunFolder


@working("report")
def complete(
    job: ShardJob,
    config: Config,
    records: list[Record],
    quarantined: Mapping[int, str],
    shared_out: Allocation | None,
    seconds: dict[str, float],
    begun: float,
) -> Record:
    """Verify the run, describe it, mark it complete; return run.json's content.

    Raises
    ------
    RunError
        If a count does not add up; the run is not marked complete.
    """
    folder = job.folder
    _place_rejects(job)
    counts = _counts(job, records)
    job.folder.clear_unfinished()
    _verify(job, records, counts)
    summary: Record = {
        "run": folder.path.name,
        "as_of": job.intake.period.start(job.intake.as_of),
        "as_of_number": job.intake.as_of,
        "period": config.period,
        "horizon": job.horizon,
        "model": job.model.fingerprint,
        "device": ", ".join(sorted({record["device"] for record in records})),
        "machine": {
            "processor": platform.machine(),
            "cores": len(os.sched_getaffinity(0)),
            "system": platform.system(),
        },
        "versions": versions(),
        "configuration": config.model_dump(mode="json"),
        "counts": counts,
        "orders": _sum(record["orders"] for record in records),
        "returns": {"rows": job.intake.returns.rows, "units": job.intake.returns.units},
        "rejected": _rejected(folder),
        "periods_without_sales": job.intake.as_of - job.intake.newest,
        "events_unread": job.intake.events_unread,
        "without_stock_row": sum(record["unknown_stock"] for record in records),
        "limits": [] if shared_out is None else _limits(shared_out),
        "allocation": None if shared_out is None else _allocation(shared_out),
        "quarantined": {str(shard): error for shard, error in quarantined.items()},
        "completed": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    rows = [row for record in records for row in record["hindsight"]]
    sums = pl.DataFrame(rows, infer_schema_length=None) if rows else None
    summary["hindsight"] = None if sums is None else asdict(accuracy(sums))
    seconds |= _sum(record["seconds"] for record in records)
    clock = time.perf_counter()
    summary["seconds"], summary["peak_memory_mb"] = seconds, peak_memory_mb()
    summary["profile"] = sampled()
    facts = _facts(job, config, summary, sums, records)
    write_parquet(folder.path / "exceptions.parquet", exceptions(facts.orders, facts.values))
    with replacing(folder.report) as temporary:
        write_report(temporary, facts)
    seconds["report"] = time.perf_counter() - clock
    seconds["total"] = time.perf_counter() - begun
    summary["peak_memory_mb"], summary["profile"] = peak_memory_mb(), sampled()
    write_json(folder.summary, summary)
    if not quarantined:
        folder.clear_work()
    with replacing(folder.success) as temporary:
        temporary.write_text(folder.path.name + "\n", encoding="utf-8")
    return summary


def peak_memory_mb() -> float:
    """Return the largest resident memory of this process so far, in MB.

    From `VmHWM` where the system tells it: Linux hands `ru_maxrss` of a large parent on to the process that it starts.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _place_rejects(job: ShardJob) -> None:
    for number, file in enumerate(job.intake.reject_files):
        with replacing(job.folder.path / "rejects" / f"input-{number:05d}.parquet") as temporary:
            shutil.copyfile(file, temporary)


def _counts(job: ShardJob, records: list[Record]) -> Record:
    """Rows read, used and rejected of each table: what preparing settled and what the shards settled."""
    tables: dict[str, Counter[str]] = {}
    for table, count in job.intake.counts().items():
        tables[table] = Counter(read=count.read, used=count.used, rejected=count.rejected)
    for record in records:
        for table, (read, used, rejected) in record["counts"].items():
            tables.setdefault(table, Counter()).update(read=read, used=used, rejected=rejected)
    return {
        "shards": job.intake.shards,
        "series": sum(record["series"] for record in records),
        "tables": {t: {k: c[k] for k in ("read", "used", "rejected")} for t, c in sorted(tables.items())},
    }


def _verify(job: ShardJob, records: list[Record], counts: Record) -> None:
    """Check that the folder holds what the records say, that each series stands once, and that rows add up."""
    if len(records) < job.intake.shards:
        _remove_parts(job, {record["shard"] for record in records})
    for table in TABLES[:3]:
        expected = sum(f["rows"] for r in records for f in r["files"] if f["file"].startswith(f"{table}/"))
        found = pl.scan_parquet(str(job.folder.path / table / "*.parquet")).select(pl.len()).collect().item()
        if found != expected:
            raise RunError(f"{table}: {found:,} rows lie in {job.folder.path / table}, the shards wrote {expected:,}")
    keys = pl.scan_parquet(str(job.folder.path / "lead_time_demand" / "*.parquet")).select("sku", "location")
    distinct = keys.select(pl.struct("sku", "location").n_unique()).collect(engine="streaming").item()
    if distinct != counts["series"]:
        raise RunError(f"lead_time_demand: {counts['series']:,} series, but {distinct:,} different ones")
    if len(records) == job.intake.shards:
        for table, c in counts["tables"].items():
            if c["read"] != c["used"] + c["rejected"]:
                raise RunError(
                    f"{table}: {c['read']:,} rows read, but {c['used']:,} used and {c['rejected']:,} rejected; "
                    "this is a defect of fullshelf: please report it"
                )


def _remove_parts(job: ShardJob, done: set[int]) -> None:
    """Remove what quarantined shards left half-way, so that no reader takes it for a result."""
    for shard in set(range(job.intake.shards)) - done:
        for table in TABLES:
            job.folder.part(table, shard).unlink(missing_ok=True)


def _rejected(folder: RunFolder) -> list[Record]:
    """Count the rejected rows by table and rule."""
    rejects = pl.scan_parquet(str(folder.path / "rejects" / "*.parquet"))
    return rejects.group_by("table", "rule").len("rows").sort("table", "rule").collect(engine="streaming").to_dicts()


def _limits(shared_out: Allocation) -> list[Record]:
    rows = zip(shared_out.limits, shared_out.wanted, shared_out.used, shared_out.price, strict=True)
    return [
        asdict(limit) | {"wanted": float(wanted), "used": float(used), "shadow_price": float(price)}
        for limit, wanted, used, price in rows
    ]


def _allocation(shared_out: Allocation) -> Record:
    """Say how far the sharing of the limits is from the dual bound, currency; the gap is a share of the bound."""
    gap = None if math.isnan(shared_out.gap) else shared_out.gap
    return {"cost": shared_out.cost, "bound": shared_out.cost - shared_out.regret, "gap": gap}


def _sum(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def _facts(
    job: ShardJob, config: Config, summary: Record, hindsight: pl.DataFrame | None, records: list[Record]
) -> ReportFacts:
    path = job.folder.path
    written = {entry["file"].partition("/")[0] for record in records for entry in record["files"]}

    def where_written(table: str) -> pl.LazyFrame | None:
        return pl.scan_parquet(str(path / table / "*.parquet")) if table in written else None

    return ReportFacts(
        run=summary,
        orders=pl.scan_parquet(str(path / "orders" / "*.parquet")),
        forecasts=pl.scan_parquet(str(path / "forecasts" / "*.parquet")),
        lead_time_demand=pl.scan_parquet(str(path / "lead_time_demand" / "*.parquet")),
        rejects=pl.scan_parquet(str(path / "rejects" / "*.parquet")),
        values=pl.scan_parquet(str(path / "_work" / "values-*.parquet")),
        limits=pl.DataFrame(summary["limits"]) if summary["limits"] else None,
        hindsight=hindsight,
        examples=config.report.examples,
        overrides=where_written("overrides"),
        override_results=where_written("override_results"),
        history=partial(history, job),
        records=records,
    )
