"""`fullshelf bench plan`: hours, cost, memory, disk and shards of a catalogue, added up from measured parts.

A stage costs so much for itself, for each series and for each row, in core seconds; the amounts that are not negative
and fit the measured shapes best are taken. Shards share nothing, so their core seconds are divided by all cores;
splitting, sharing out limits and the report happen on one machine and get faster with its cores only as far as they
did on the machine that was measured (Amdahl's law). What is assumed is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.preparation import default_shards

PHASES = ("split", "shards", "allocate", "report")
STAGES = ("read", "forecast", "protect", "plan", "write")
LED = ("split", "allocate", "report")  # phases that one machine leads
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Part:
    """One measured run: series, days, rows, cores, shards, and core and wall seconds by phase and stage."""

    figures: Mapping[str, float]

    def __getitem__(self, name: str) -> float:
        return self.figures[name]


@dataclass(frozen=True, slots=True)
class Costs:
    """What a run costs: for itself, for each series, for each row."""

    core: Mapping[str, tuple[float, float, float]]  # by phase or stage, core seconds
    memory: tuple[float, float, float]  # GiB: of a run, for each series, for each row that is worked on at once
    serial: Mapping[str, float]  # of the phases that one machine leads: share that more cores do not help
    busy: float  # share of the cores' time that shards kept them computing
    start: float  # seconds before and after the run
    start_core: float  # core seconds of it
    rows_per_period: float  # rows of sales for each series and period
    bytes_per_row: float  # of sales and of their shards
    bytes_per_series: float  # of a run's folder
    cores: int  # of the machine that was measured
    most_series: float  # of a measured run
    most_rows: float
    most_shards: int  # fewer than cores: what shards do side by side could not show

    def core_seconds(self, name: str, series: float, rows: float) -> float:
        """Core seconds of a phase or stage."""
        fixed, by_series, by_row = self.core[name]
        return fixed + by_series * series + by_row * rows


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be planned."""

    series: int
    history: int  # periods
    cores: int  # of one machine
    machines: int = 1
    rows: float | None = None  # of sales; None: as dense as what was measured
    gpus: int = 0  # in all; 0: the model that was measured, on the cores
    gpu: str = ""
    gpu_series_per_second: float = 0.0  # of one GPU
    gpu_rate_from: str = "given, not measured"  # where that rate comes from
    price: float | None = None  # an hour: of a GPU, or of a machine where there is none


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer."""

    parts: Mapping[str, float]  # wall seconds by phase and, of the shards, by stage
    core_seconds: float
    shards: int
    memory_gib: float  # of the machine that leads
    disk_gb: float
    cost: float | None  # in the currency of the price
    assumed: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Wall seconds from the shell."""
        return sum(self.parts.values())

    @property
    def hours(self) -> float:
        """Wall hours."""
        return self.seconds / 3600


def fit_costs(parts: Sequence[Part]) -> Costs:
    """Fit the costs to measured runs of different shapes.

    Raises
    ------
    ValueError
        If there are fewer than three shapes.
    """
    if len({(part["series"], part["rows"]) for part in parts}) < 3:
        raise ValueError("costs of a series and of a row need at least three measured shapes: `fullshelf bench parts`")
    sizes = np.array([[1.0, part["series"], part["rows"]] for part in parts])
    in_flight = np.array([[1.0, part["series"], _in_flight(part["rows"], int(part["cores"]))] for part in parts])
    largest = max(parts, key=lambda part: part["rows"])
    cores = int(largest["cores"])
    core = {name: _fit(sizes, [part[f"{name} core s"] for part in parts]) for name in (*LED, *STAGES)}
    return Costs(
        core=core,
        memory=_fit(in_flight, [part["peak GiB"] for part in parts]),
        serial={name: _serial(largest[f"{name} core s"], largest[f"{name} thread s"], cores) for name in LED},
        busy=min(largest["shards core s"] / max(largest["shards thread s"], 1e-9), 1.0),
        start=float(np.median([part["start s"] for part in parts])),
        start_core=float(np.median([part["start core s"] for part in parts])),
        rows_per_period=largest["rows"] / (largest["series"] * largest["days"]),
        bytes_per_row=(largest["sales MB"] + largest["cache MB"]) * 1e6 / largest["rows"],
        bytes_per_series=largest["run MB"] * 1e6 / largest["series"],
        cores=cores,
        most_series=max(part["series"] for part in parts),
        most_rows=largest["rows"],
        most_shards=int(largest["shards"]),
    )


def make_plan(costs: Costs, ask: Ask) -> Plan:
    """Add up the parts."""
    rows = ask.series * ask.history * costs.rows_per_period if ask.rows is None else ask.rows
    shards = default_shards(round(rows))
    workers = min(ask.cores * ask.machines, shards)
    parts = {"start": costs.start, "split": _led(costs, "split", ask, rows)}
    for stage in STAGES:
        if stage == "forecast" and ask.gpus:
            parts[stage] = ask.series / (ask.gpus * ask.gpu_series_per_second)
        else:
            parts[stage] = costs.core_seconds(stage, ask.series, rows) / (workers * costs.busy)
    parts |= {name: _led(costs, name, ask, rows) for name in LED[1:]}
    fixed, by_series, by_row = costs.memory
    return Plan(
        parts=parts,
        core_seconds=costs.start_core + sum(costs.core_seconds(name, ask.series, rows) for name in costs.core),
        shards=shards,
        memory_gib=fixed + by_series * ask.series + by_row * _in_flight(rows, ask.cores),
        disk_gb=(rows * costs.bytes_per_row + ask.series * costs.bytes_per_series) / 1e9,
        cost=None if ask.price is None else sum(parts.values()) / 3600 * ask.price * (ask.gpus or ask.machines),
        assumed=tuple(_assumed(costs, ask, rows, workers)),
    )


def _led(costs: Costs, name: str, ask: Ask, rows: float) -> float:
    serial = costs.serial[name]
    return costs.core_seconds(name, ask.series, rows) * (serial + (1 - serial) / ask.cores)


def _assumed(costs: Costs, ask: Ask, rows: float, workers: int) -> list[str]:
    dense = f"{costs.rows_per_period:.2f} rows for each series and period, as measured" if ask.rows is None else "given"
    serial = ", ".join(f"{name} {costs.serial[name]:.0%}" for name in LED)
    led = (
        f"Splitting, limits and report are led by one machine of {ask.cores} cores; more cores do not help {serial} of "
        "their work, reckoned from what they kept busy where they were measured."
    )
    reach = (
        f"A series and a row cost what they did in runs of up to {costs.most_series:,.0f} series and "
        f"{costs.most_rows:,.0f} rows; this has {_times(ask.series / costs.most_series)} as many series and "
        f"{_times(rows / costs.most_rows)} as many rows."
    )
    words = [
        f"{rows:,.0f} rows of sales: {dense}.",
        f"A core is as fast as one of the machine that was measured, which had {costs.cores}; the disk keeps up.",
        f"Shards keep {costs.busy:.0%} of the time of {workers:,} cores, as measured; no shard waits for another.",
        reach,
        led,
        "A first night: every row is new. Later nights split the new rows alone where each night has its own file.",
        f"Two shards at most are held in memory for each core of the machine that leads; {costs.start:.1f} s to start.",
    ]
    if costs.most_shards < costs.cores:
        words.append(
            f"The largest measured run had fewer shards ({costs.most_shards}) than cores ({costs.cores}), so sharing "
            "out limits, which goes by shards, could not use them all: measure `bench parts --size full`."
        )
    if ask.gpus:
        words.append(
            f"The {ask.gpus} GPUs forecast {ask.gpu_series_per_second:,.0f} series/s each, while the cores' stages "
            f"wait: overlap would only make it faster. That rate was {ask.gpu_rate_from}."
        )
    return words


def _times(ratio: float) -> str:
    """Say how much of something there is.

    Examples
    --------
    >>> _times(1000.0), _times(0.5)
    ('1,000 times', '0.5 times')
    """
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.2g} times"


def _in_flight(rows: float, cores: int) -> float:
    """Rows that shards hold at once."""
    return min(rows, cores * rows / default_shards(round(rows)))


def _serial(core: float, wall: float, cores: int) -> float:
    """Share of the work that more cores do not help, by Amdahl's law: core / wall = cores / (1 + share · (cores - 1)).

    Examples
    --------
    >>> _serial(core=2.0, wall=1.0, cores=2), _serial(core=1.0, wall=1.0, cores=2)
    (0.0, 1.0)
    """
    if cores == 1 or core <= 0:
        return 1.0
    return min(max((cores * wall / core - 1) / (cores - 1), 0.0), 1.0)


def _fit(sizes: Floats, seconds: Sequence[float]) -> tuple[float, float, float]:
    """Return amounts ≥ 0 for a run, a series and a row whose sums come closest to the seconds, relative to each.

    Examples
    --------
    >>> sizes = np.array([[1, 10, 100], [1, 10, 400], [1, 40, 800.0]])
    >>> [round(x, 6) for x in _fit(sizes, [1.5, 3.0, 5.6])]
    [0.8, 0.02, 0.005]
    """
    y = np.maximum(np.asarray(seconds, dtype=np.float64), 1e-9)
    scaled = sizes / y[:, None]
    best, least = np.zeros(3), np.inf
    for count in (1, 2, 3):
        for chosen in combinations(range(3), count):
            found = np.linalg.lstsq(scaled[:, chosen], np.ones(y.size), rcond=None)[0]
            if (found < 0).any():
                continue
            error = float(np.square(scaled[:, chosen] @ found - 1).sum())
            if error < least - 1e-12:
                best, least = np.zeros(3), error
                best[list(chosen)] = found
    return float(best[0]), float(best[1]), float(best[2])


def parts_of(rows: Sequence[Mapping[str, object]]) -> list[Part]:
    """Return the parts that a kept result of `bench parts` holds."""
    return [Part(row["figures"]) for row in rows if row["task"] == "part"]  # type: ignore[arg-type]


def machines_for(gpus: int) -> int:
    """Machines that hold so many GPUs, eight in each."""
    return max(1, ceil(gpus / 8))
