"""What a benchmark hands back, as a table for a person and one JSON line for a machine.

The order on the page is always the same: what the machine allows, the table ours × peer × size, sentences on fairness,
the JSON line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from fullshelf.bench.machine import BUSY, Limits, Machine
from fullshelf.bench.timing import Timing

OURS = "fullshelf"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: who did what, at which size, how fast."""

    task: str  # what was done, e.g. "split" or "newsvendor"
    who: str  # OURS, "fullshelf …" or the peer
    size: str  # e.g. "20,000 series × 365 days"
    work: float  # units of work of one call
    unit: str  # of the work: "rows", "series", "SKUs"
    timing: Timing | None  # None: it was not run, and `note` says why
    cores: int = 1  # that the call used
    figures: Mapping[str, float] = field(default_factory=dict)  # anything else measured, e.g. {"WQL": 0.71}
    note: str = ""

    @property
    def rate(self) -> float | None:
        """Units of work per second of a warm call."""
        return self.work / self.timing.median if self.timing and self.timing.median > 0 else None


@dataclass(frozen=True, slots=True)
class Report:
    """A benchmark that ran."""

    name: str
    machine: Machine
    limits: Limits
    rows: tuple[Row, ...]
    seeds: Mapping[str, int] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()  # how to read it, what is fair and what is not
    figures: Mapping[str, float] = field(default_factory=dict)  # of the benchmark as a whole, e.g. peak memory
    size: str = ""  # "small" or "full"
    seconds: float = 0.0  # that the benchmark took in all
    shown: tuple[str, ...] = ()  # figures that the table shows, where not all of them

    def as_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        rows = [
            {
                "task": row.task,
                "who": row.who,
                "size": row.size,
                "work": row.work,
                "unit": row.unit,
                "cores": row.cores,
                "median_seconds": row.timing.median if row.timing else None,
                "spread": row.timing.spread if row.timing else None,
                "calls": len(row.timing.seconds) if row.timing else 0,
                "first_call_seconds": row.timing.first if row.timing else None,
                "per_second": row.rate,
                "figures": dict(row.figures),
                "note": row.note,
            }
            for row in self.rows
        ]
        return {
            "benchmark": self.name,
            "size": self.size,
            "seconds": self.seconds,
            "machine": asdict(self.machine),
            "limits": asdict(self.limits),
            "seeds": dict(self.seeds),
            "figures": dict(self.figures),
            "rows": rows,
            "sentences": list(self.sentences),
        }


def show_machine(console: Console, machine: Machine, limits: Limits) -> None:
    """Print what the machine allows; called before anything is measured."""
    products = f", {si(limits.matmul_per_second)}FLOP/s by float32 matrix products" if limits.matmul_per_second else ""
    disk = (
        f", disk {si(limits.write_bytes_per_second)}B/s written and {si(limits.read_bytes_per_second)}B/s read"
        if limits.write_bytes_per_second
        else ""
    )
    console.print(
        f"{machine.cpu}: {machine.cores} cores, {machine.threads} threads, {si(machine.memory_bytes)}B of memory, "
        f"{si(limits.triad_bytes_per_second)}B/s by the triad{products}{disk}",
        soft_wrap=True,
    )
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    console.print(f"Python {machine.python}, {versions}; commit {machine.commit or 'unknown'}", soft_wrap=True)
    if machine.load > BUSY:
        console.print(
            f"[yellow]Others keep {machine.load:.1f} cores busy: the times are not those of a quiet machine.",
            soft_wrap=True,
        )


def show_report(console: Console, report: Report, json_path: Path | None = None) -> None:
    """Print the table, the sentences and the JSON line; write the JSON to a file too where one is given."""
    console.print(_table(report))
    for name, value in report.figures.items():
        console.print(f"{name}: {_figure(value)}")
    for sentence in report.sentences:
        console.print(sentence, soft_wrap=True)
    line = json.dumps(report.as_json(), allow_nan=False)
    console.print(line, soft_wrap=True, markup=False, highlight=False)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(line + "\n", encoding="utf-8")


def _table(report: Report) -> Table:
    """Return the rows as a table, without empty columns; a size that all rows of a task share is told once."""
    rows = report.rows
    sizes = {task: {row.size for row in rows if row.task == task and row.size} for task in {row.task for row in rows}}
    shared = all(len(found) <= 1 for found in sizes.values())
    names = list(report.shown or dict.fromkeys(name for row in rows for name in row.figures))
    columns: dict[str, list[str]] = {
        "task": [_task(row, rows[:i], shared) for i, row in enumerate(rows)],
        "who": [row.who for row in rows],
        "size": [] if shared else [row.size for row in rows],
        "cores": [str(row.cores) for row in rows],
        "median": [seconds_text(row.timing.median) if row.timing else "" if row.figures else "not run" for row in rows],
        "spread": [f"{row.timing.spread:.0%}" if row.timing and len(row.timing.seconds) > 1 else "" for row in rows],
        "first call": [seconds_text(t.first) if (t := row.timing) and (t.first,) != t.seconds else "" for row in rows],
        "per second": [f"{si(row.rate)}{row.unit}" if row.rate is not None else "" for row in rows],
        **{name: [_figure(row.figures[name]) if name in row.figures else "" for row in rows] for name in names},
        "note": [row.note for row in rows],
    }
    columns = {name: cells for name, cells in columns.items() if any(cells)}
    table = Table(title=f"bench {report.name}", title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in columns:
        if name in ("task", "who", "size", "note"):
            table.add_column(name, overflow="fold", min_width=12 if name == "who" else 6)
        else:
            table.add_column(name, justify="right", no_wrap=not name.startswith(tuple(names)))
    for i, cells in enumerate(zip(*columns.values(), strict=True)):
        if i and _group(rows[i]) != _group(rows[i - 1]):
            table.add_section()
        table.add_row(*cells)
    return table


def _group(row: Row) -> str:
    """Rows that stand together: "first night: split" and "first night: read"."""
    return row.task.partition(":")[0]


def _task(row: Row, before: Sequence[Row], shared: bool) -> str:
    if not shared:
        return row.task
    if before and before[-1].task == row.task:
        return ""
    told = any(_group(other) == _group(row) and other.size == row.size for other in before)
    return row.task if told or not row.size else f"{row.task}\n[dim]{row.size}[/]"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10_000 or value == int(value) else f"{value:.4g}"


def si(value: float) -> str:
    """Write a number with the prefix of its unit.

    Examples
    --------
    >>> si(12_345.0), si(0.5)
    ('12.3 k', '0.5 ')
    """
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}"
    return f"{value:.3g} "


def seconds_text(seconds: float) -> str:
    """Write a time.

    Examples
    --------
    >>> seconds_text(478.2), seconds_text(0.0123)
    ('478 s', '12.3 ms')
    """
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
