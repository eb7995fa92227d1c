"""`fullshelf bench compare A.json B.json`: what got faster or slower between two runs, with noise taken into account.

A shared machine is not the same from hour to hour, so each wall time is first divided by its benchmark's drift: the
median change of the peers, whose code did not change. Where no peer ran, and for core seconds, which other work hardly
changes, a change counts only as far as it is there both with the drift taken out and without it. It must be larger
than the given loss and than three standard errors: of the two medians, and of the drift's scatter, which is how far the
peers' rows, or ours if they lie closer together, changed around their own median. What was run once a run, such as a
whole refresh, has no spread of its own: it is judged by its core seconds too, which scatter less, and better yet by
several runs in a file. Losses, costs, gaps and peak memory are compared as they are: they should not change at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fullshelf.bench.compare_runs import told
from fullshelf.bench.result import OURS

UNKNOWN_NOISE = 0.05  # relative standard error of the wall time of what was run a single time
CORE_NOISE = 0.03  # of its core seconds: two nights of 200,000 series took 236.3 and 230.6, 240.8 and 241.5
SAMPLED = 0.05  # seconds to which a stage's core seconds are known: the sampler's interval
ERRORS = 3.0  # standard errors below which a change is noise
QUARTILES = 1.349  # interquartile range of a normal distribution, in standard deviations
DEVIATION = 1.4826  # standard deviation of a normal distribution, in median absolute deviations
OF_MEDIAN = 1.253  # standard error of a median, relative to that of a mean
ENOUGH = 5  # rows of ours, of which a single one that changed does not move the deviation from their median
TELLING = 0.02  # seconds of a peer below which it tells more of its own noise than of the hour
WALL, CORE = "wall", "core s"
CORE_FIGURES = ("CPU s", "core s")
FIGURES = {"WQL": 0.0, "WQL of totals": 0.0, "cost": 0.0, "gap": 0.0, "peak GiB": 0.03}  # lower is better; their noise

Key = tuple[str, str, str, str, int]  # benchmark, task, who, size, cores
Row = Mapping[str, Any]
Rows = dict[Key, Row]


@dataclass(frozen=True, slots=True)
class Change:
    """One row that both runs measured."""

    key: Key
    ratio: float  # of B / of A, the drift taken out
    noise: float  # relative standard error of the ratio
    measure: str = WALL  # CORE, or the name of a figure

    def slower(self, loss: float) -> bool:
        """Say whether B takes more by more than the loss and the noise."""
        return self.ratio > 1.0 + max(loss, ERRORS * self.noise)

    def faster(self, loss: float) -> bool:
        """Say whether B takes less by as much."""
        return 1.0 / self.ratio > 1.0 + max(loss, ERRORS * self.noise)


@dataclass(frozen=True, slots=True)
class Drift:
    """How the machine changed between the two runs of a benchmark."""

    benchmark: str
    ratio: float  # time of B / time of A of what did not change
    scatter: float  # by how much rows changed around it; noise of every row
    by: str  # what it was measured on
    sure: bool  # whether it is taken out; else a change counts as far as it is there with it and without

    def out_of(self, ratio: float, sure: bool) -> float:
        """Take it out of a ratio, or, where it is not sure, out of what does not come from it alone."""
        if sure:
            return ratio / self.ratio
        return min((ratio, ratio / self.ratio), key=lambda r: abs(math.log(r))) if _agree(ratio, self.ratio) else 1.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    changes: tuple[Change, ...]
    drifts: tuple[Drift, ...]
    only_a: tuple[Key, ...]  # rows of ours that B did not measure
    only_b: tuple[Key, ...]
    sentences: tuple[str, ...]  # other machine, other size …


def compare(a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]]) -> Comparison:
    """Match the rows of two runs by benchmark, task, who, size and cores.

    Raises
    ------
    ValueError
        If they have no row of ours in common.
    """
    before, after = _rows(a), _rows(b)
    both = [key for key in before if key in after and key[2].startswith(OURS)]
    if not both:
        names = [sorted({f"{one['benchmark']} ({one.get('size') or 'no size'})" for one in runs}) for runs in (a, b)]
        raise ValueError(
            f"the two runs have no row in common: A has {', '.join(names[0])}, B has {', '.join(names[1])}; give two "
            "results of the same benchmark and size"
        )
    benchmarks = list(dict.fromkeys(key[0] for key in both))
    drifts = {name: _drift(name, before, after, a, b) for name in benchmarks}
    changes = [change for key in both for change in _changes(key, before[key], after[key], drifts[key[0]])]
    return Comparison(
        tuple(changes), tuple(drifts.values()), _only(before, after), _only(after, before), tuple(told(a, b)),
    )  # fmt: skip


def _rows(results: Sequence[dict[str, Any]]) -> Rows:
    """Return every row by its key; those of several runs are taken together."""
    found: dict[Key, list[Row]] = {}
    for one in results:
        for row in one["rows"]:
            key = (one["benchmark"], row["task"], _unversioned(row["who"]), row["size"], row["cores"])
            found.setdefault(key, []).append(row)
    return {key: rows[0] if len(rows) == 1 else _pooled(rows) for key, rows in found.items()}


def _pooled(rows: Sequence[Row]) -> Row:
    """Take several runs together: their medians, and the larger of the noise between them and inside them."""
    pooled: dict[str, Any] = {"median_seconds": None, "figures": {}, "noises": {}}
    if timed := [row for row in rows if row["median_seconds"]]:
        pooled["median_seconds"], between = _middle([_seconds(row) for row in timed])
        inside = math.hypot(*(_standard_error(row) for row in timed)) / len(timed)
        pooled["noise"] = max(between, inside)
        pooled["work"] = timed[0].get("work")
    for name in dict.fromkeys(name for row in rows for name in row.get("figures", {})):
        values = [row["figures"][name] for row in rows if name in row.get("figures", {})]
        pooled["figures"][name], between = _middle(values)
        inside = CORE_NOISE / math.sqrt(len(values)) if name in CORE_FIGURES else 0.0
        pooled["noises"][name] = max(between, inside)
    return pooled


def _middle(values: Sequence[float]) -> tuple[float, float]:
    """Return the median and its relative standard error."""
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    if not middle:
        return 0.0, 0.0
    return float(middle), float(OF_MEDIAN * (high - low) / abs(middle) / QUARTILES / math.sqrt(len(values)))


def _drift(
    name: str, before: Rows, after: Rows, a: Sequence[dict[str, Any]], b: Sequence[dict[str, Any]]
) -> Drift:  # fmt: skip
    """Measure how the machine changed between the two runs of a benchmark."""
    both = [key for key in before if key[0] == name and key in after]
    timed = {key: _seconds(after[key]) / _seconds(before[key]) for key in both if _timed(before[key], after[key])}
    peers = {key: ratio for key, ratio in timed.items() if not key[2].startswith(OURS)}
    peers |= _as_far_as_they_got(name, before, after)
    peers = {k: ratio for k, ratio in peers.items() if k not in before or _seconds(before[k]) >= TELLING} or peers
    ours = [ratio for key, ratio in timed.items() if key[2].startswith(OURS)]
    if not peers:
        bandwidths = [_bandwidth(name, runs) for runs in (a, b)]
        ratio = bandwidths[0] / bandwidths[1] if all(bandwidths) else 1.0
        return Drift(name, ratio, 0.0, "the memory bandwidth", sure=False)
    scatter = _deviation(list(peers.values()))
    if len(ours) >= ENOUGH:
        scatter = min(scatter, _deviation(ours))
    middle = math.exp(float(np.median(np.log(list(peers.values())))))
    return Drift(name, middle, scatter, f"{len(peers)} rows of peers", sure=True)


def _as_far_as_they_got(name: str, before: Rows, after: Rows) -> dict[Key, float]:
    """Return the changes of peers that did as much as they could in a given time, by the work that they did."""
    pace: list[dict[tuple[str, str, int], float]] = []
    for rows, others in ((before, after), (after, before)):
        alone = [key for key in rows if key[0] == name and key not in others and not key[2].startswith(OURS)]
        places = [(key[1], key[2], key[4]) for key in alone]
        pace.append(
            {
                place: _seconds(rows[key]) / float(rows[key]["work"])
                for key, place in zip(alone, places, strict=True)
                if rows[key]["median_seconds"] and rows[key].get("work") and places.count(place) == 1
            }
        )
    both = pace[0].keys() & pace[1].keys()
    return {(name, task, who, "", n): pace[1][task, who, n] / pace[0][task, who, n] for task, who, n in sorted(both)}


def _bandwidth(benchmark: str, runs: Sequence[dict[str, Any]]) -> float:
    """Return the median bandwidth of the triad before a benchmark's runs."""
    return float(
        np.median([one["limits"].get("triad_bytes_per_second", 0.0) for one in runs if one["benchmark"] == benchmark])
    )


def _deviation(ratios: Sequence[float]) -> float:
    """Return by how much ratios lie around their median, as a standard deviation of their logarithms."""
    logs = np.log(ratios)
    return float(DEVIATION * np.median(np.abs(logs - np.median(logs))))


def _changes(key: Key, before: Row, after: Row, drift: Drift) -> Iterator[Change]:
    if _timed(before, after):
        noise = math.hypot(_standard_error(before), _standard_error(after), drift.scatter)
        yield Change(key, drift.out_of(_seconds(after) / _seconds(before), drift.sure), noise)
    figures, others = before.get("figures", {}), after.get("figures", {})
    once = before.get("calls", 1) < 2 or after.get("calls", 1) < 2
    if once and (name := next((n for n in CORE_FIGURES if figures.get(n) and others.get(n)), "")):
        noise = math.hypot(_core_error(before, name), _core_error(after, name))
        yield Change(key, drift.out_of(others[name] / figures[name], sure=False), noise, CORE)
    for name, least in FIGURES.items():
        if figures.get(name, 0.0) > 0 and others.get(name, 0.0) > 0:
            errors = [row.get("noises", {}).get(name, 0.0) for row in (before, after)]
            yield Change(key, others[name] / figures[name], math.hypot(least, *errors), name)


def _core_error(row: Row, name: str) -> float:
    """Relative standard error of a row's core seconds."""
    found = row.get("noises", {}).get(name)
    return float(found) if found is not None else math.hypot(CORE_NOISE, SAMPLED / row["figures"][name])


def _agree(ratio: float, drift: float) -> bool:
    """Whether a ratio says slower, or faster, both as it is and with the drift taken out."""
    return (ratio > 1.0) == (ratio / drift > 1.0)


def _only(rows: Rows, others: Rows) -> tuple[Key, ...]:
    return tuple(key for key in rows if key not in others and key[2].startswith(OURS))


def _timed(before: Row, after: Row) -> bool:
    return bool(before["median_seconds"] and after["median_seconds"])


def _unversioned(who: str) -> str:
    """Leave a peer's version out: another version is still the peer."""
    name, _, version = who.rpartition(" ")
    return name if name and version[:1].isdigit() else who


def _seconds(row: Row) -> float:
    return float(row["median_seconds"])


def _standard_error(row: Row) -> float:
    """Relative standard error of a row's median."""
    if "noise" in row:
        return float(row["noise"])
    if row["calls"] < 2:
        return UNKNOWN_NOISE
    return OF_MEDIAN * float(row["spread"]) / QUARTILES / math.sqrt(row["calls"])
