"""`refresh --profile`: where the time went, on a terminal."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from fullshelf.engine.report.numbers import memory, share

RESOURCES = {
    "cpu": "computing",
    "helpers": "helpers",
    "queued": "no core free",
    "disk": "disk",
    "waiting": "waiting",
}


def print_profile(console: Console, summary: dict[str, Any]) -> None:
    """Print phase, stage, seconds, what they were spent on, and the peak memory of each."""
    rows = summary.get("profile") or []
    if not rows:
        console.print("profile: nothing was sampled; that needs Linux and more than a moment", highlight=False)
        return
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("phase, stage")
    gpu = ["GPU s"] if any(row.get("gpu") for row in rows) else []
    for heading in ("wall s", "threads' s", *RESOURCES.values(), "core s", *gpu, "MB read", "MB written", "memory"):
        table.add_column(heading, justify="right")
    for row in rows:
        own = row["stage"] == row["phase"]
        table.add_row(
            row["phase"] if own else f"  {row['phase']}, {row['stage']}",
            f"{row['wall']:.2f}",
            f"{row['seconds']:.2f}",
            *(share(row[field] / row["seconds"]) if row["seconds"] > 0 else "" for field in RESOURCES),
            f"{row['cpu'] + row['helper_cpu']:.2f}",
            *(f"{row.get('gpu', 0.0):.2f}" for _ in gpu),
            f"{row['read_mb']:.0f}",
            f"{row['written_mb']:.0f}",
            memory(row["peak_memory_mb"]),
        )
    console.print(table, highlight=False)
    console.print(
        "helpers: threads of Polars and of numerical libraries computed while the stage waited for them; memory: of "
        "the whole process. Shards on other machines are not in it.",
        style="dim",
        highlight=False,
        soft_wrap=True,
    )
