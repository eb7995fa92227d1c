"""What a benchmark hands back, as a table for a person and one JSON line for a machine.

The order on the page is always the same: what the machine allows, the table ours × peer × size, sentences on fairness,
the JSON line.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fullshelf.bench.machine import Limits, Machine
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
            "machine": asdict(self.machine),
            "limits": asdict(self.limits),
            "seeds": dict(self.seeds),
            "figures": dict(self.figures),
            "rows": rows,
            "sentences": list(self.sentences),
        }


def show_machine(console: Console, machine: Machine, limits: Limits) -> None:
    """Print what the machine allows; called before anything is measured."""
    disk = (
        f", disk {_si(limits.write_bytes_per_second)}B/s written and {_si(limits.read_bytes_per_second)}B/s read"
        if limits.write_bytes_per_second
        else ""
    )
    console.print(
        f"{machine.cpu}: {machine.cores} cores, {machine.threads} threads, {_si(machine.memory_bytes)}B of memory, "
        f"{_si(limits.triad_bytes_per_second)}B/s by the triad{disk}",
        soft_wrap=True,
    )
    versions = ", ".join(f"{name} {version}" for name, version in machine.versions.items())
    console.print(f"Python {machine.python}, {versions}; commit {machine.commit or 'unknown'}", soft_wrap=True)


def show_report(console: Console, report: Report, json_path: Path | None = None) -> None:
    """Print the table, the sentences and the JSON line; write the JSON to a file too where one is given."""
    names = list(dict.fromkeys(name for row in report.rows for name in row.figures))
    table = Table(title=f"bench {report.name}", title_justify="left")
    for heading in ("task", "who", "size"):
        table.add_column(heading, overflow="fold", min_width=6)
    for heading in ("cores", "median", "spread", "first call", "per second", *names):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    group = None
    for row in report.rows:
        begins = row.task.partition(":")[0]  # "first night: split" and "first night: read" stand together
        if group is not None and begins != group:
            table.add_section()
        group = begins
        times = (
            (_seconds(row.timing.median), f"{row.timing.spread:.0%}", _seconds(row.timing.first))
            if row.timing
            else ("not run", "", "")
        )
        rate = f"{_si(row.rate)}{row.unit}" if row.rate is not None else ""
        figures = [f"{row.figures[name]:.4g}" if name in row.figures else "" for name in names]
        table.add_row(row.task, row.who, row.size, str(row.cores), *times, rate, *figures, row.note)
    console.print(table)
    for name, value in report.figures.items():
        console.print(f"{name}: {value:,.4g}")
    for sentence in report.sentences:
        console.print(sentence, soft_wrap=True)
    line = json.dumps(report.as_json(), allow_nan=False)
    console.print(line, soft_wrap=True, markup=False, highlight=False)
    if json_path is not None:
        json_path.parent.mkdir(parents=True, exist_ok=True)
        json_path.write_text(line + "\n", encoding="utf-8")


def _si(value: float) -> str:
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {prefix}"
    return f"{value:.3g} "


def _seconds(seconds: float) -> str:
    for factor, unit in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if seconds >= factor:
            return f"{seconds / factor:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"
