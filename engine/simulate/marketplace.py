"""A whole marketplace: all input tables and a configuration, written a part at a time."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from fullshelf.engine.calendar import Period
from fullshelf.engine.commit import TEMPORARY, replacing
from fullshelf.engine.errors import UsageError
from fullshelf.engine.progress import Reporter, silent
from fullshelf.engine.simulate.attributes import LONGEST_LEAD_DAYS, SUPPLIERS, Ints, draw_products, draw_series
from fullshelf.engine.simulate.catalogue import CATEGORIES, DEPARTMENTS
from fullshelf.engine.simulate.seasons import Span, events_frame, local_table, season_table
from fullshelf.engine.simulate.tables import (
    Part,
    future_frame,
    limits_frame,
    play,
    sales_frame,
    skus_frame,
    stock_frame,
    supply_frame,
    truth_frame,
)

END = date(2025, 6, 29)  # a Sunday; not today, so that the same seed gives the same bytes tomorrow
CONFIGURATION = "fullshelf.yaml"
TABLES = ("sales", "supply", "stock", "skus", "future", "events", "limits")
_LOCATIONS = 5
_CELLS = 6_000_000  # series × periods of a part: some 400 MB while it is made
_PRODUCTS = 200_000  # SKUs of a part of `skus`


@dataclass(frozen=True, slots=True)
class Marketplace:
    """What was written."""

    folder: Path
    configuration: Path  # ready for `fullshelf refresh`
    tables: dict[str, Path]  # by name; `truth` too where it was asked for
    rows: dict[str, int]  # by table
    series: int
    skus: int
    locations: int
    periods: int
    as_of: date
    seed: int

    @property
    def bytes(self) -> int:
        """Size of all tables on disk."""
        return sum(f.stat().st_size for path in self.tables.values() for f in [path, *path.rglob("*")] if f.is_file())

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as values for JSON."""
        paths = {"folder": str(self.folder), "configuration": str(self.configuration), "bytes": self.bytes}
        tables = {name: str(path) for name, path in self.tables.items()}
        return asdict(self) | paths | {"tables": tables, "as_of": self.as_of.isoformat()}

    def text(self) -> str:
        """Say what was made and what to do with it."""
        rows = ", ".join(f"{name} {count:,}" for name, count in self.rows.items())
        return (
            f"{self.series:,} series ({self.skus:,} SKUs at {self.locations:,} locations) × {self.periods:,} periods "
            f"up to {self.as_of}\nrows: {rows}; {self.bytes / 1e6:,.1f} MB\n"
            f"next: fullshelf refresh {self.configuration}"
        )


def simulate_marketplace(
    series: int,
    periods: int,
    out: Path,
    *,
    period: Period = Period.DAY,
    seed: int = 0,
    end: date | None = None,
    locations: int | None = None,
    ahead: int | None = None,
    zeros: bool = False,
    truth: bool = False,
    overwrite: bool = False,
    part_series: int | None = None,
    progress: Reporter | None = None,
    stop: Callable[[], None] | None = None,
) -> Marketplace:
    """Make up a marketplace and write all its input tables and a configuration under `out`.

    The same arguments give the same bytes. What a series is like and what happens to it depends on the seed, its own
    number, the period, the span and the number of locations; not on how many series there are or how they are parted.
    Memory does not grow with the number of series.

    Parameters
    ----------
    series
        SKUs at locations; every SKU is at every location, but the last where they do not divide.
    periods
        Known periods, the last of them the as-of period.
    out
        Folder; made where it is missing.
    end
        Any day of the as-of period; default 2025-06-29.
    locations
        Default 5, and no more than series.
    ahead
        Periods of `future`; default: the period's horizon and the series' own lead time and review.
    zeros
        Write rows for periods in stock without a sale too; the contract does not need them.
    truth
        Write the table `truth` (sku, location, date, demand, expected) in a folder that the configuration does not
        name: demand as customers wanted it, the coming periods too.
    overwrite
        Replace the tables of an earlier simulation in `out`.
    part_series
        Series made at a time, and in each Parquet file; default by the number of periods.
    progress
        Called with "simulate", the series done, and their number.
    stop
        Called between parts; what it raises ends the simulation, and nothing is left behind.

    Raises
    ------
    UsageError
        If a number is out of bounds, or `out` holds tables already.
    """
    _check(series, periods, locations, ahead, part_series, seed)
    locations = min(series, _LOCATIONS if locations is None else locations)
    report = _reporter(progress or silent, stop)
    last = period.number_of(end or END)
    coming = period.horizon + round((LONGEST_LEAD_DAYS + 9) / 365.25 * period.per_year) if ahead is None else ahead
    span = Span(period, last - periods + 1, periods, periods + coming)
    size = part_series or max(1, _CELLS // span.total)
    _make_room(out, overwrite)
    work = out / f"{TEMPORARY}simulate"
    shutil.rmtree(work, ignore_errors=True)  # of a call that was killed
    try:
        rows = _write_skus(work, -(-series // locations), seed, span)
        rows |= _write_series(work, series, locations, size, seed, span, ahead, zeros, truth, report)
        events = events_frame(span, locations, seed)
        _write(work, "events", 0, events, rows)
        names = [*TABLES, "truth"] if truth else list(TABLES)
        for name in names:
            (work / name).rename(out / name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    with replacing(out / CONFIGURATION) as temporary:
        temporary.write_text(_configuration(period, span.last), encoding="utf-8")
    return Marketplace(
        folder=out,
        configuration=out / CONFIGURATION,
        tables={name: out / name for name in names},
        rows={name: rows[name] for name in names},
        series=series,
        skus=rows["skus"],
        locations=locations,
        periods=periods,
        as_of=span.last,
        seed=seed,
    )


def _reporter(progress: Reporter, stop: Callable[[], None] | None) -> Reporter:
    def report(stage: str, done: int, total: int | None) -> None:
        progress(stage, done, total)
        if stop is not None:
            stop()

    return report


def parts(series: int, size: int) -> Iterator[Ints]:
    """Yield the numbers 0 … series - 1 in runs of `size`."""
    for begin in range(0, series, size):
        yield np.arange(begin, min(series, begin + size), dtype=np.int64)


def _write_skus(work: Path, skus: int, seed: int, span: Span) -> dict[str, int]:
    rows: dict[str, int] = {}
    for i, numbers in enumerate(parts(skus, _PRODUCTS)):
        _write(work, "skus", i, skus_frame(draw_products(seed, numbers, span), span), rows)
    return rows


def _write_series(
    work: Path,
    series: int,
    locations: int,
    size: int,
    seed: int,
    span: Span,
    ahead: int | None,
    zeros: bool,
    truth: bool,
    report: Reporter,
) -> dict[str, int]:
    season, local = season_table(span, CATEGORIES), local_table(span, locations, seed)
    recent = min(span.known, max(1, round(28 / span.days)))  # periods whose orders the limits are set by
    rows: dict[str, int] = {}
    # Whole cents, cm³ and units: sums of integers do not depend on the order of the parts.
    capital, volume = 0, np.zeros(locations, np.int64)
    supplied = np.zeros(len(DEPARTMENTS) * SUPPLIERS, np.int64)
    report("simulate", 0, series)
    for i, numbers in enumerate(parts(series, size)):
        products = draw_products(seed, np.arange(numbers[0] // locations, numbers[-1] // locations + 1), span)
        drawn = draw_series(seed, numbers, locations, products, span)
        part = play(numbers, drawn, products, locations, span, season, local, recent, truth)
        for name, frame in _frames(part, span, seed, ahead, zeros, truth):
            _write(work, name, i, frame, rows)
        capital += int((part.ordered * products.cost[part.product]).sum())
        bought = part.ordered * np.rint(products.litres[part.product] * 1000).astype(np.int64)
        np.add.at(volume, part.series["location"], bought)
        np.add.at(supplied, products.supplier[part.product], part.ordered)
        report("simulate", int(numbers[-1]) + 1, series)
    _write(work, "limits", 0, limits_frame(capital, volume, supplied, recent, span.days), rows)
    return rows


def _frames(
    part: Part, span: Span, seed: int, ahead: int | None, zeros: bool, truth: bool
) -> Iterator[tuple[str, pl.DataFrame]]:
    yield "sales", sales_frame(part, span, zeros)
    yield "future", future_frame(part, span, ahead)
    yield "supply", supply_frame(part, seed)
    yield "stock", stock_frame(part)
    if truth:
        yield "truth", truth_frame(part, span)


def _write(work: Path, table: str, number: int, frame: pl.DataFrame, rows: dict[str, int]) -> None:
    with replacing(work / table / f"part-{number:05d}.parquet") as temporary:
        frame.write_parquet(temporary, compression="zstd", compression_level=1)
    rows[table] = rows.get(table, 0) + frame.height


def _configuration(period: Period, as_of: date) -> str:
    values = {
        "period": period.value,
        "as_of": as_of,
        "inputs": {name: name for name in TABLES},
        "output": "runs",
    }
    return yaml.safe_dump(values, sort_keys=False)


def _make_room(out: Path, overwrite: bool) -> None:
    out.mkdir(parents=True, exist_ok=True)
    there = [out / name for name in (*TABLES, "truth") if (out / name).exists()]
    if there and not overwrite:
        raise UsageError(f"{there[0]} is there already; choose another folder, or overwrite it (--overwrite)")
    for path in there:
        foreign = [p for p in (path.iterdir() if path.is_dir() else [path]) if not p.match("part-*.parquet")]
        if foreign:
            raise UsageError(f"{foreign[0]} is not of a simulation; choose another folder, or move it away")
        shutil.rmtree(path)


def _check(
    series: int, periods: int, locations: int | None, ahead: int | None, part_series: int | None, seed: int
) -> None:
    bounds = {
        "series": (series, 1, 99_999_999),
        "periods": (periods, 1, 20_000),
        "locations": (locations, 1, 10_000),
        "ahead": (ahead, 0, 1024),
        "part_series": (part_series, 1, 99_999_999),
        "seed": (seed, 0, 2**63 - 1),
    }
    for name, (value, low, high) in bounds.items():
        if value is not None and not low <= value <= high:
            raise UsageError(f"simulate: {name} must be {low:,} … {high:,}, found {value:,}")
