"""Where the files of a run lie."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fullshelf.engine.commit import TEMPORARY, read_record
from fullshelf.engine.storage import Location, Remote

TABLES = ("forecasts", "lead_time_demand", "orders", "rejects", "explanations", "overrides", "override_results")
AT_ONCE = 16  # requests to a store for the records of finished shards


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run. Tables have one part for each shard; `_work` holds what only an unfinished run needs."""

    path: Location

    def part(self, table: str, shard: int) -> Location:
        """Return the file of one table of one shard."""
        return self.path / table / f"part-{shard:05d}.parquet"

    def record(self, half: str, shard: int) -> Location:
        """Return the record that says that one half (`forecast` or `orders`) of a shard is done."""
        return self.path / "_shards" / f"{shard:05d}-{half}.json"

    def records(self, half: str, shards: Iterable[int]) -> dict[int, dict[str, Any]]:
        """Return the records of those shards whose half is done, by shard.

        In an object store one listing tells which records and files are there.
        """
        if isinstance(self.path, Remote):
            listed = self.path.below()
            there = [s for s in shards if f"_shards/{self.record(half, s).name}" in listed]
            with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="record") as pool:
                found = list(pool.map(lambda s: read_record(self.record(half, s), self.path, listed), there))
        else:
            there = list(shards)
            found = [read_record(self.record(half, s), self.path) for s in there]
        return {shard: record for shard, record in zip(there, found, strict=True) if record is not None}

    def values(self, shard: int) -> Location:
        """Return what each series of a shard costs and has; removed when the run is complete."""
        return self.path / "_work" / f"values-{shard:05d}.parquet"

    def problem(self, shard: int) -> Location:
        """Return the order problem of a shard that waits for the limits; removed when the run is complete."""
        return self.path / "_work" / f"problem-{shard:05d}.npz"

    def clear_unfinished(self) -> None:
        """Remove what a killed process was writing."""
        if isinstance(self.path, Remote):
            unfinished = self.path.scratch.glob(f"{TEMPORARY}*")
        else:
            unfinished = self.path.rglob(f"{TEMPORARY}*")
        for left in unfinished:
            left.unlink(missing_ok=True)

    def clear_work(self) -> None:
        """Remove what only an unfinished run needs."""
        work = self.path / "_work"
        if isinstance(work, Remote):
            work.remove_below()
        else:
            shutil.rmtree(work, ignore_errors=True)

    @property
    def success(self) -> Location:
        """Return the mark that is written last."""
        return self.path / "_SUCCESS"

    @property
    def summary(self) -> Location:
        """Return the file that describes the run."""
        return self.path / "run.json"

    @property
    def report(self) -> Location:
        """Return the page for a person."""
        return self.path / "report.html"

    def read_summary(self) -> dict[str, Any] | None:
        """Return run.json of a complete run, or None."""
        if not self.success.exists():
            return None
        summary: dict[str, Any] = json.loads(self.summary.read_text(encoding="utf-8"))
        return summary
