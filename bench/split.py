"""`fullshelf bench split`: from input files to checked, sorted shards, beside Polars on the same sales.

Every call begins with an empty cache, in one process that has compiled before; a last one finds everything done.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from fullshelf.bench.machine import Limits, Machine
from fullshelf.bench.polars_peer import POLARS_FAIRNESS, polars_rows
from fullshelf.bench.process import run_measured
from fullshelf.bench.result import OURS, Report, Row
from fullshelf.bench.timing import Timing, once
from fullshelf.engine.calendar import Period
from fullshelf.engine.simulate import simulate_marketplace

SERIES = {"small": 10_000, "full": 200_000}
PERIODS = 365
SEED = 11
READING = (
    "Rows are those of `sales`; all seven tables are checked in the same time. The first call is that of a marketplace "
    "of 50 series: it imports and compiles, or loads what was compiled. `of disk` is the time that the disk alone "
    "would need to read the sales and to write the shards, over the time taken; files just written come from memory."
)

_SPLIT = """
import json, shutil, sys, time
from pathlib import Path
begun = time.perf_counter()
from fullshelf.engine.config import load_config
from fullshelf.engine.intake import prepare
prepare(load_config(Path(sys.argv[1])), Path(sys.argv[3], "warm"))
first, config, cache, seconds = time.perf_counter() - begun, load_config(Path(sys.argv[2])), Path(sys.argv[3], "c"), []
for _ in range(int(sys.argv[4])):
    shutil.rmtree(cache, ignore_errors=True)
    begun = time.perf_counter()
    intake = prepare(config, cache)
    seconds.append(time.perf_counter() - begun)
written = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
begun = time.perf_counter()
prepare(config, cache)
again = time.perf_counter() - begun
print(json.dumps([first, seconds, again, written, intake.shards]))
"""


def measure_split(
    machine: Machine,
    limits: Limits,
    work: Path,
    series: int,
    *,
    periods: int = PERIODS,
    repeats: int = 5,
    say: Callable[[str], None] = print,
) -> Report:
    """Simulate a marketplace under `work`, split it several times, and let Polars read, sort and write its sales.

    Raises
    ------
    RuntimeError
        If the split fails; the message is its own.
    """
    say(f"simulating {series:,} series × {periods} days under {work}")
    warm = simulate_marketplace(50, 30, work / "warm-up", seed=SEED, overwrite=True)
    market = simulate_marketplace(series, periods, work / "market", period=Period.DAY, seed=SEED, overwrite=True)
    rows = market.rows["sales"]
    size = f"{series:,} series × {periods} days"
    say(f"splitting {rows:,} rows, {repeats} times")
    files = [str(warm.configuration), str(market.configuration), str(work / "cache")]
    process = run_measured([sys.executable, "-c", _SPLIT, *files, str(repeats)])
    if process.returncode != 0:
        raise RuntimeError(f"split: exit code {process.returncode}: {process.output[-2000:]}")
    first, seconds, again, written, shards = json.loads(process.output.strip().splitlines()[-1])
    timing = Timing(first, tuple(seconds))
    read = sum(file.stat().st_size for file in market.tables["sales"].iterdir())
    figures = {"peak GiB": process.peak_bytes / 2**30}
    if limits.read_bytes_per_second and limits.write_bytes_per_second:
        physical = read / limits.read_bytes_per_second + written / limits.write_bytes_per_second
        figures["of disk"] = physical / timing.median
    table = [
        Row("check and split", OURS, size, rows, "rows", timing, machine.threads, figures),
        Row("called again", OURS, size, rows, "rows", once(again), machine.threads, note="nothing changed"),
    ]
    table += polars_rows(str(market.tables["sales"] / "*.parquet"), rows, size, machine, repeats)
    whole = {"sales rows": rows, "sales MB on disk": read / 1e6, "shards": shards, "shards MB on disk": written / 1e6}
    return Report("split", machine, limits, tuple(table), {"marketplace": SEED}, (READING, POLARS_FAIRNESS), whole)
