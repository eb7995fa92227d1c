"""Plain Polars on the same sales, in a process of its own: read, sort, write. It checks nothing."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from fullshelf.bench.machine import Machine
from fullshelf.bench.process import run_measured
from fullshelf.bench.result import Row
from fullshelf.bench.timing import Timing

TASKS = ("read", "sort", "write")
POLARS_FAIRNESS = (
    "Polars reads, sorts and writes the same sales on the same cores: it checks nothing, knows no shards and holds all "
    "rows in memory, where ours checks every row, adds up double ones, hashes the files and stays within its memory."
)

_WORK = """
import sys, time, polars as pl
clock = [time.perf_counter()]
frame = pl.read_parquet(sys.argv[1])
clock.append(time.perf_counter())
frame = frame.sort("sku", "location", "date")
clock.append(time.perf_counter())
frame.write_parquet(sys.argv[2], compression="zstd", compression_level=1)
clock.append(time.perf_counter())
print(*(after - before for before, after in zip(clock, clock[1:])))
"""


def polars_rows(pattern: str, rows: int, size: str, machine: Machine, repeats: int) -> Iterator[Row]:
    """Let Polars read, sort and write the files that match; a row for each, and one with the reason if it fails."""
    who = f"polars {pl.__version__}"
    with tempfile.TemporaryDirectory(prefix="fullshelf-bench-") as folder:
        command = [sys.executable, "-c", _WORK, pattern, str(Path(folder, "sorted.parquet"))]
        finished = [run_measured(command) for _ in range(repeats + 1)]
    for process in finished:
        if process.returncode != 0:
            reason = process.output.strip().splitlines()[-1:] or [f"exit code {process.returncode}"]
            yield Row("read, sort, write", who, size, rows, "rows", None, note=reason[0])
            return
    times = [[float(word) for word in process.output.split()] for process in finished]
    peak = {"peak GiB": max(process.peak_bytes for process in finished) / 2**30}
    for at, task in enumerate(TASKS):
        timing = Timing(times[0][at], tuple(one[at] for one in times[1:]))
        yield Row(task, who, size, rows, "rows", timing, machine.threads, peak)
    whole = Timing(sum(times[0]), tuple(sum(one) for one in times[1:]))
    yield Row("read, sort, write", who, size, rows, "rows", whole, machine.threads, peak)
