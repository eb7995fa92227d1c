"""`fullshelf bench all`: every benchmark in a process of its own, one after the other, and what each took.

A process of its own keeps one benchmark's memory, threads and imports out of the next one's figures, and a benchmark
that fails ends nothing but itself.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fullshelf.bench.machine import this_machine

# In this order: what is quick and says most comes first.
NAMES = (
    "kernels", "forecast", "inference", "split", "refresh", "headline", "parts", "limits", "scaling", "faults",
    "accuracy", "decisions",
)  # fmt: skip
NEEDS = {"inference": ("torch", "model"), "scaling": ("ray", "ray"), "faults": ("ray", "ray")}


@dataclass(frozen=True, slots=True)
class Ran:
    """One benchmark of the suite."""

    name: str
    seconds: float
    outcome: str  # "complete", "left out: …" or "failed: …"
    file: Path | None

    @property
    def failed(self) -> bool:
        """Whether it ran and did not come to its end."""
        return self.outcome.startswith("failed")


def missing(name: str) -> str:
    """Say why a benchmark cannot run here; "" if it can."""
    package, extra = NEEDS.get(name, ("", ""))
    if package and find_spec(package) is None:
        return f"{package} is not installed: pip install 'fullshelf[{extra}]'"
    return ""


def result_file(folder: Path, name: str, size: str) -> Path:
    """Return where a result of this machine is kept."""
    return folder / this_machine().slug / f"{name}-{size}.json"


def run_suite(names: Sequence[str], size: str, json_folder: Path | None) -> list[Ran]:
    """Run each benchmark; what they print goes straight through."""
    ran = []
    for name in names:
        if reason := missing(name):
            ran.append(Ran(name, 0.0, f"left out: {reason}", None))
            continue
        file = None if json_folder is None else result_file(json_folder, name, size)
        words = [] if file is None else ["--json", str(file)]
        command = [sys.executable, "-m", "fullshelf.engine", "bench", name, "--size", size, *words]
        begun = time.perf_counter()
        code = subprocess.run(command, check=False).returncode
        outcome = "complete" if code == 0 else f"failed: exit code {code}"
        ran.append(Ran(name, time.perf_counter() - begun, outcome, file if code == 0 else None))
    return ran


def show_suite(console: Console, ran: Sequence[Ran]) -> None:
    """Print what each benchmark took and where its result lies."""
    table = Table("benchmark", "seconds", "outcome", "result", title="bench all", title_justify="left")
    for one in ran:
        table.add_row(one.name, f"{one.seconds:.0f}", one.outcome, str(one.file or ""))
    console.print(table)
    console.print(f"{sum(one.seconds for one in ran):.0f} s in all")
