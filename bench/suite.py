"""`fullshelf bench all`: every benchmark in a process of its own, one after the other, and what each took.

A process of its own keeps one benchmark's memory, threads and imports out of the next one's figures, and a benchmark
that fails ends nothing but itself.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fullshelf.bench.machine import this_machine
from fullshelf.bench.result_file import SUITE

# In this order: what is quick and says most comes first.
NAMES = (
    "kernels", "forecast", "inference", "split", "refresh", "headline", "parts", "limits", "scaling", "faults",
    "accuracy", "decisions", "sizes",
)  # fmt: skip
NEEDS = {
    "inference": ("torch", "model"),
    "sizes": ("torch", "model"),
    "scaling": ("ray", "ray"),
    "faults": ("ray", "ray"),
}
PROMISED = {"small": 600.0}  # seconds of all of them on 2 cores


@dataclass(frozen=True, slots=True)
class Ran:
    """One benchmark of the suite."""

    name: str
    seconds: float
    outcome: str  # "complete", "left out: …" or "failed: …"
    file: Path | None
    result: dict[str, Any] | None = None  # what its JSON holds

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
    """Return where a result of this machine lies."""
    return folder / this_machine().slug / f"{name}-{size}.json"


def run_suite(
    names: Sequence[str],
    size: str,
    json_folder: Path | None,
    *,
    repeat: int = 1,
    after: Callable[[Sequence[Ran]], None] = lambda ran: None,
) -> list[Ran]:
    """Run each benchmark, and all of them again so often; what they print goes straight through.

    Parameters
    ----------
    names, size
        Which, and how much is measured.
    json_folder
        Where the result of each is kept; of several runs the last.
    repeat
        How often the whole suite runs: in rounds, so that a noisy minute does not hit one benchmark alone.
    after
        Called with what has run so far after each.
    """
    ran: list[Ran] = []
    with tempfile.TemporaryDirectory(prefix="fullshelf-bench-") as scratch:
        for name in [name for _ in range(repeat) for name in names]:
            ran.append(_run(name, size, json_folder, Path(scratch, f"{name}.json")))
            after(ran)
    return ran


def _run(name: str, size: str, json_folder: Path | None, written: Path) -> Ran:
    if reason := missing(name):
        return Ran(name, 0.0, f"left out: {reason}", None)
    written.unlink(missing_ok=True)  # of the round before
    command = [sys.executable, "-m", "fullshelf.engine", "bench", name, "--size", size, "--json", str(written)]
    begun = time.perf_counter()
    code = subprocess.run(command, check=False).returncode
    seconds = time.perf_counter() - begun
    if code != 0:
        return Ran(name, seconds, f"failed: exit code {code}", None)
    result = json.loads(written.read_text(encoding="utf-8"))
    if json_folder is None:
        return Ran(name, seconds, "complete", None, result)
    kept = result_file(json_folder, name, size)
    kept.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(written, kept)
    return Ran(name, seconds, "complete", kept, result)


def suite_json(ran: Sequence[Ran], size: str) -> dict[str, Any]:
    """Return the suite as plain values, without the results: seconds and outcome of each run."""
    runs = [{"name": one.name, "seconds": one.seconds, "outcome": one.outcome} for one in ran]
    return {"benchmark": SUITE, "size": size, "seconds": sum(one.seconds for one in ran), "runs": runs}


def write_suite(file: Path, ran: Sequence[Ran], size: str) -> None:
    """Write all results of the suite as one JSON object; a reader sees the former file or the new one."""
    results = [one.result for one in ran if one.result is not None]
    unfinished = file.with_name(f".{file.name}.new")
    unfinished.write_text(json.dumps(suite_json(ran, size) | {"results": results}) + "\n", encoding="utf-8")
    unfinished.replace(file)


def show_suite(console: Console, ran: Sequence[Ran], size: str) -> None:
    """Print what each benchmark took and where its result lies, the sum beside what was promised, and one JSON line."""
    table = Table("benchmark", "seconds", "outcome", "result", title="bench all", title_justify="left")
    for one in ran:
        table.add_row(one.name, f"{one.seconds:.0f}", one.outcome, str(one.file or ""))
    console.print(table)
    seconds = sum(one.seconds for one in ran)
    console.print(f"{seconds:.0f} s in all{promise(ran, size)}", soft_wrap=True)
    console.print(json.dumps(suite_json(ran, size)), soft_wrap=True, markup=False, highlight=False)


def promise(ran: Sequence[Ran], size: str) -> str:
    """Say whether a whole suite, run once, kept within the seconds that are promised for its size; "" for others.

    Examples
    --------
    >>> promise([Ran(name, 60.0, "complete", None) for name in NAMES], "small")
    '; promised: 600 s on 2 cores (missed)'
    """
    if size not in PROMISED or tuple(one.name for one in ran) != NAMES:
        return ""
    kept = sum(one.seconds for one in ran) <= PROMISED[size]
    return f"; promised: {PROMISED[size]:.0f} s on 2 cores ({'kept' if kept else 'missed'})"
