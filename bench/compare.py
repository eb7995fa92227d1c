"""`fullshelf bench compare A.json B.json`: what got faster or slower between two runs of the same benchmark.

A shared machine is not the same from hour to hour, so each time is first divided by the drift: the median change
of the peers, whose code did not change, or of the memory bandwidth where no peer ran. A change counts when it is larger
than the given loss and than three standard errors: of the two medians, and of the peers around the drift, which shows
how unlike the two hours were. A file may hold several runs, a line each: what
was run once a run, such as a whole refresh, has no spread of its own and is told from noise by repeating it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from fullshelf.bench.machine import BUSY
from fullshelf.bench.result import OURS

UNKNOWN_NOISE = 0.05  # relative standard error of what was run a single time
ERRORS = 3.0  # standard errors below which a change is noise
QUARTILES = 1.349  # interquartile range of a normal distribution, in standard deviations
DEVIATION = 1.4826  # standard deviation of a normal distribution, in median absolute deviations
OF_MEDIAN = 1.253  # standard error of a median, relative to that of a mean

Key = tuple[str, str, str, str, int]  # benchmark, task, who, size, cores
Rows = dict[Key, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Change:
    """One row that both runs measured."""

    key: Key
    ratio: float  # time of B / time of A, the drift taken out
    noise: float  # relative standard error of the ratio

    def slower(self, loss: float) -> bool:
        """Say whether B takes longer by more than the loss and the noise."""
        return self.ratio > 1.0 + max(loss, ERRORS * self.noise)

    def faster(self, loss: float) -> bool:
        """Say whether B is quicker by as much."""
        return 1.0 / self.ratio > 1.0 + max(loss, ERRORS * self.noise)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    changes: tuple[Change, ...]
    drift: float  # time of B / time of A of what did not change
    scatter: float  # by how much the peers, whose code is the same, changed around the drift; noise of every row
    by: str  # what the drift was measured on
    only_a: tuple[Key, ...]  # rows of ours that B did not measure
    only_b: tuple[Key, ...]
    sentences: tuple[str, ...]  # other machine, other size …


def read_results(path: Path) -> list[dict[str, Any]]:
    """Read a file of JSON lines, one benchmark each.

    Raises
    ------
    ValueError
        If the file is no result of `fullshelf bench`.
    """
    try:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        if not found or not all("rows" in one and "machine" in one for one in found):
            raise ValueError
    except ValueError as e:
        raise ValueError(f"{path}: no result of a benchmark; expected a file that `bench NAME --json` wrote") from e
    return found


def compare(a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]]) -> Comparison:
    """Match the rows of two runs by benchmark, task, who, size and cores.

    Raises
    ------
    ValueError
        If they have no row in common.
    """
    before, after = _timed(a), _timed(b)
    both = [key for key in before if key in after]
    if not both:
        raise ValueError("the two runs have no row in common: not the same benchmark, or not the same sizes")
    peers = [key for key in both if not key[2].startswith(OURS)]
    if peers:
        changed = np.log([_seconds(after[k]) / _seconds(before[k]) for k in peers])
        drift = math.exp(float(np.median(changed)))
        scatter = float(DEVIATION * np.median(np.abs(changed - np.median(changed))))
        by = f"{len(peers)} rows of peers"
    else:
        scatter = 0.0
        drift = a[0]["limits"]["triad_bytes_per_second"] / b[0]["limits"]["triad_bytes_per_second"]
        by = "the memory bandwidth"
    changes = []
    for key in both:
        if key in peers:
            continue
        noise = math.hypot(_standard_error(before[key]), _standard_error(after[key]), scatter)
        changes.append(Change(key, _seconds(after[key]) / _seconds(before[key]) / drift, noise))
    sentences = []
    if a[0]["machine"]["cpu"] != b[0]["machine"]["cpu"] or a[0]["machine"]["cores"] != b[0]["machine"]["cores"]:
        sentences.append("The machines differ: read the ratios with care.")
    for name, runs in (("A", a), ("B", b)):
        load = max(one["machine"].get("load", 0.0) for one in runs)
        if load > BUSY:
            sentences.append(f"During {name} others kept {load:.1f} cores busy: measure again on a quiet machine.")
    return Comparison(
        tuple(changes), drift, scatter, by,
        tuple(k for k in before if k not in after), tuple(k for k in after if k not in before), tuple(sentences),
    )  # fmt: skip


def show(found: Comparison, loss: float, console: Console) -> bool:
    """Print what changed and return whether nothing is slower."""
    table = Table(title="bench compare", title_justify="left")
    for heading in ("benchmark", "task", "who", "size"):
        table.add_column(heading, overflow="fold")
    for heading in ("cores", "time B/A", "±", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for change in sorted(found.changes, key=lambda c: -c.ratio):
        word = "slower" if change.slower(loss) else "faster" if change.faster(loss) else ""
        *names, cores = change.key
        table.add_row(*names, str(cores), f"{change.ratio:.3f}", f"{change.noise:.1%}", word)
    console.print(table)
    scatter = f" They scatter around it by {found.scatter:.1%}, which is noise of every row." if found.scatter else ""
    console.print(f"Drift of the machine by {found.by}: {found.drift:.3f}; it is taken out.{scatter}", soft_wrap=True)
    for name, keys in (("A", found.only_a), ("B", found.only_b)):
        if keys:
            console.print(f"Only in {name}: {', '.join(' '.join(map(str, k)) for k in keys)}", soft_wrap=True)
    for sentence in found.sentences:
        console.print(sentence, soft_wrap=True)
    slower = sum(c.slower(loss) for c in found.changes)
    console.print(f"{slower} of {len(found.changes)} rows are slower by more than {loss:.0%} and the noise.")
    return slower == 0


def _timed(results: Sequence[dict[str, Any]]) -> Rows:
    found: dict[Key, list[dict[str, Any]]] = {}
    for one in results:
        for row in one["rows"]:
            if row["median_seconds"]:
                key = (one["benchmark"], row["task"], _unversioned(row["who"]), row["size"], row["cores"])
                found.setdefault(key, []).append(row)
    return {key: rows[0] if len(rows) == 1 else _pooled(rows) for key, rows in found.items()}


def _pooled(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Take several runs together: their median, and the larger of the noise between them and inside them."""
    seconds = [_seconds(row) for row in rows]
    low, middle, high = np.quantile(seconds, (0.25, 0.5, 0.75))
    between = OF_MEDIAN * (high - low) / middle / QUARTILES / math.sqrt(len(rows))
    inside = math.hypot(*(_standard_error(row) for row in rows)) / len(rows)
    return {"median_seconds": float(middle), "noise": max(float(between), inside)}


def _unversioned(who: str) -> str:
    """Leave a peer's version out: another version is still the peer."""
    name, _, version = who.rpartition(" ")
    return name if name and version[:1].isdigit() else who


def _seconds(row: dict[str, Any]) -> float:
    return float(row["median_seconds"])


def _standard_error(row: dict[str, Any]) -> float:
    """Relative standard error of a row's median."""
    if "noise" in row:
        return float(row["noise"])
    if row["calls"] < 2:
        return UNKNOWN_NOISE
    return OF_MEDIAN * float(row["spread"]) / QUARTILES / math.sqrt(row["calls"])
