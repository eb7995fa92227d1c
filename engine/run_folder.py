"""Where the files of a run lie."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fullshelf.engine.commit import TEMPORARY

TABLES = ("forecasts", "lead_time_demand", "orders", "rejects")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run. Tables have one part for each shard; `_work` holds what only an unfinished run needs."""

    path: Path

    def part(self, table: str, shard: int) -> Path:
        """Return the file of one table of one shard."""
        return self.path / table / f"part-{shard:05d}.parquet"

    def record(self, half: str, shard: int) -> Path:
        """Return the record that says that one half (`forecast` or `orders`) of a shard is done."""
        return self.path / "_shards" / f"{shard:05d}-{half}.json"

    def values(self, shard: int) -> Path:
        """Return what each series of a shard costs and has; removed when the run is complete."""
        return self.path / "_work" / f"values-{shard:05d}.parquet"

    def problem(self, shard: int) -> Path:
        """Return the order problem of a shard that waits for the limits; removed when the run is complete."""
        return self.path / "_work" / f"problem-{shard:05d}.npz"

    def clear_unfinished(self) -> None:
        """Remove what a killed process was writing."""
        for left in self.path.rglob(f"{TEMPORARY}*"):
            left.unlink(missing_ok=True)

    def clear_work(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self.path / "_work", ignore_errors=True)

    @property
    def success(self) -> Path:
        """Return the mark that is written last."""
        return self.path / "_SUCCESS"

    @property
    def summary(self) -> Path:
        """Return the file that describes the run."""
        return self.path / "run.json"

    @property
    def report(self) -> Path:
        """Return the page for a person."""
        return self.path / "report.html"

    def read_summary(self) -> dict[str, Any] | None:
        """Return run.json of a complete run, or None."""
        if not self.success.exists():
            return None
        summary: dict[str, Any] = json.loads(self.summary.read_text(encoding="utf-8"))
        return summary
