"""Prepare the inputs of a run: find, fingerprint, check and split them, and settle the as-of period.

What does not change between nights is kept in the cache folder; everything there can be deleted at any time.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache as once
from pathlib import Path

import polars as pl

from fullshelf.engine.calendar import EPOCH, Period
from fullshelf.engine.checks import Checked, check, check_renames, no_rejects, set_aside
from fullshelf.engine.commit import TEMPORARY, only_one, write_parquet
from fullshelf.engine.config import Config, nearest
from fullshelf.engine.errors import ConfigError, InputError
from fullshelf.engine.fingerprints import Fingerprints, Known, check_unchanged, combine
from fullshelf.engine.future import split_future
from fullshelf.engine.generations import DayCount
from fullshelf.engine.overrides import check_overrides, overrides_of
from fullshelf.engine.panels import Part, all_live_keys
from fullshelf.engine.profile import working
from fullshelf.engine.sales import SalesStore
from fullshelf.engine.sales_rejects import last_day, late_rows, write_sales_rejects
from fullshelf.engine.scan import ROW, column_names
from fullshelf.engine.series_tables import Series, SeriesTable, check_skus, check_stock, check_supply
from fullshelf.engine.shard_input import Intake, Returns, TableCount
from fullshelf.engine.sources import SourceFile, find_files
from fullshelf.engine.split import building, disk_errors
from fullshelf.engine.split_elsewhere import Elsewhere
from fullshelf.engine.tables import LIMITS, ORDINARY_COVARIATES, Table, table_of
from fullshelf.engine.watch import Watch
from fullshelf.kernels.panel import NEVER

__all__ = ["Preparation", "default_shards", "prepare", "preparing"]

SHARD_ROWS = 1 << 20  # at most, by default
MOST_SHARDS = 65536
SMALL = ("supply", "stock", "skus", "events", "limits", "overrides")
AHEAD_OF_UTC = timedelta(hours=14)  # no clock on Earth is further ahead
DECIDING = (  # modules whose change makes what is cached worthless
    *("tables", "scan", "checks", "split", "shard_files", "sales", "sales_rejects", "future", "series_numbers"),
    *("generations", "day_counts", "split_pieces", "exchange", "split_elsewhere"),
)
Progress = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class _Input:
    """One configured table: what it should be, where it lies, what it holds."""

    table: Table
    files: list[SourceFile]
    rename: dict[str, str]  # the file's column name → the contract's
    known: list[Known]

    @property
    def identities(self) -> list[str]:
        """What each file holds and how it is read, hashed."""
        return [known.identity(file) for file, known in zip(self.files, self.known, strict=True)]

    def fingerprint(self) -> str:
        """Hash what all files hold, in whatever order they come, and the renamed columns."""
        return combine(
            [self.table.name, *sorted(self.identities), *(f"{a}={b}" for a, b in sorted(self.rename.items()))]
        )


@dataclass(frozen=True, slots=True)
class Preparation:
    """Inputs whose sales are split: what names a run is known, the other tables have not been read yet."""

    fingerprint: str  # sha256, hex, over the content of every input file and how it is read
    as_of: int  # number of the last known period
    shards: int
    config: Config
    cache: Path
    inputs: Mapping[str, _Input]
    store: SalesStore
    watch: Watch

    @working("split")
    def settle(self) -> Intake:
        """Read and check the other tables.

        Raises
        ------
        UsageError
            If a table cannot be used.
        RunError
            If the disk is full, or a file changed while it was read.
        """
        intake = _settle(self)
        for given in self.inputs.values():
            check_unchanged(given.files, given.known)
        _remove_others(self.cache, intake)
        return intake


@contextmanager
def preparing(
    config: Config,
    cache: Path,
    progress: Progress | None = None,
    stop: Callable[[], None] | None = None,
    today: date | None = None,
    elsewhere: Elsewhere | None = None,
) -> Iterator[Preparation]:
    """Find the inputs, split the sales that are new, and hold the cache meanwhile; see `prepare`.

    Parameters
    ----------
    elsewhere
        Other processes that split large sales.
    """
    watch = Watch(progress or _silent, stop or _go_on, config.run.threads or len(os.sched_getaffinity(0)))
    found = _find(config)
    with disk_errors(cache), only_one(cache / "intake.lock", f"{cache}: another preparation of inputs"):
        with working("split"):
            begun = _begin(config, cache, found, watch, today, elsewhere)
        yield begun


def _find(config: Config) -> dict[str, tuple[Table, list[SourceFile], dict[str, str]]]:
    """Return of each configured table what it should be, its files, and its renamed columns."""
    tables = {name: table_of(name, dict.fromkeys(config.covariates)) for name in config.inputs.given()}
    files = {name: find_files(name, paths) for name, paths in config.inputs.given().items()}
    return {name: (table, files[name], _renames(config, table)) for name, table in tables.items()}


def _begin(
    config: Config,
    cache: Path,
    found: Mapping[str, tuple[Table, list[SourceFile], dict[str, str]]],
    watch: Watch,
    today: date | None,
    elsewhere: Elsewhere | None,
) -> Preparation:
    _remove(cache.glob(f"{TEMPORARY}*"))
    memory = Fingerprints(cache / "fingerprints.json")
    known = memory.of([file for _, files, _ in found.values() for file in files], watch)
    inputs = {
        name: _Input(table, files, rename, [known[file.path] for file in files])
        for name, (table, files, rename) in found.items()
    }
    store = _split_sales(config, cache, inputs["sales"], watch, elsewhere)
    return Preparation(
        fingerprint=combine([inputs[name].fingerprint() for name in sorted(inputs)]),
        as_of=_as_of(config, store, today),
        shards=store.shards,
        config=config,
        cache=cache,
        inputs=inputs,
        store=store,
        watch=watch,
    )


def prepare(
    config: Config,
    cache: Path,
    progress: Progress | None = None,
    stop: Callable[[], None] | None = None,
    today: date | None = None,
) -> Intake:
    """Read and check every input, and split what is new.

    Parameters
    ----------
    cache
        Folder for what later calls can use again.
    progress
        Called with a stage, how much is done, and the total or None.
    stop
        Called often; raises when the end was asked for.
    today
        Sales dated later cannot be the newest known ones; default: the date that the clock shows.

    Raises
    ------
    UsageError
        If an input or the configuration cannot be used; the message says what to do.
    RunError
        If the disk is full, another process prepares in the same folder, or a file changes while it is read.
    """
    with preparing(config, cache, progress, stop, today) as begun:
        return begun.settle()


def default_shards(rows: int) -> int:
    """Return the power of two that leaves about a million rows, or half of that, to a shard.

    Examples
    --------
    >>> default_shards(0), default_shards(1 << 20), default_shards(8_714_266)
    (1, 1, 16)
    """
    return min(MOST_SHARDS, 1 << max(0, (rows - 1) // SHARD_ROWS).bit_length())


def _split_sales(config: Config, cache: Path, sales: _Input, watch: Watch, elsewhere: Elsewhere | None) -> SalesStore:
    rows = sum(known.rows for known in sales.known)
    shards = config.run.shards or default_shards(rows)
    renamed = (f"{a}={b}" for a, b in sorted(sales.rename.items()))
    recipe = combine([_code(), str(shards), *sales.table.names(), *renamed])
    store = SalesStore(cache / f"sales-{recipe[:16]}", sales.table, sales.rename, shards, elsewhere)
    store.update(list(zip(sales.files, sales.known, strict=True)), watch)
    if not any(generation.live_rows for generation in store.generations):
        read = sum(file.read for generation in store.generations for file in generation.live_files())
        raise InputError(
            f"inputs.sales: {f'none of {read:,} rows can be used' if read else 'no rows'} in "
            f"{', '.join(file.path for file in sales.files[:3])}; was the export cut short? Every row needs sku, date "
            "and units that are numbers"
        )
    held = {name for generation in store.generations for name in generation.shards.values}
    for name in sales.table.names():
        if name in config.covariates and name not in held and name not in ORDINARY_COVARIATES:
            raise InputError(
                f"covariates: no sales file has a column {name!r}{nearest(name, column_names(sales.files[0]))}"
            )
    check_renames(sales.table, sales.rename, {*held, "sku", "location", "date"})
    return store


def _as_of(config: Config, store: SalesStore, today: date | None) -> int:
    """Return the configured as-of period, or the newest of the sales that does not lie in the future."""
    period = Period(config.period)
    days = _days(store)
    first = EPOCH + timedelta(days=min(days))
    if config.as_of is None:
        until = last_day(period, period.number_of(today or (datetime.now(UTC) + AHEAD_OF_UTC).date()))
        newest = max((day for day in days if day <= until), default=max(days))
        return period.number_of(EPOCH + timedelta(days=newest))
    as_of = period.number_of(config.as_of)
    if as_of < period.number_of(first):
        raise InputError(f"as_of: {config.as_of} lies before the first sales, of {first}; choose a later day")
    return as_of


def _days(store: SalesStore) -> set[int]:
    """Return the days with sales, from 1970-01-01."""
    return {day.day for generation in store.generations for file in generation.live_files() for day in file.days}


def _settle(begun: Preparation) -> Intake:
    """Check the other tables against the series that have sales, and collect the rejects."""
    config, cache, inputs = begun.config, begun.cache, begun.inputs
    store, as_of, watch, fingerprint = begun.store, begun.as_of, begun.watch, begun.fingerprint
    period = Period(config.period)
    parts = tuple(Part(generation.shards, generation.alive) for generation in store.generations)
    series = all_live_keys(parts, period, as_of)
    known = Series(series, lambda: all_live_keys(parts, period, int(NEVER) - 1))
    small = {name: _small(config, inputs[name], known, watch) for name in SMALL if name in inputs}
    settled = combine([_code(), fingerprint, store.folder.name, period, str(as_of)])[:16]
    future = None
    if "future" in inputs:
        given = inputs["future"]
        args = (given.table, list(zip(given.files, given.known, strict=True)), given.rename, series)
        future = split_future(cache / f"future-{settled}", *args, parts[0].shards.shards, watch)
    folder = cache / f"rejects-{settled}"
    until = last_day(period, as_of)
    if not folder.exists():
        with building(cache) as temporary:
            sales = inputs["sales"]
            write_sales_rejects(temporary, store, list(zip(sales.files, sales.identities, strict=True)), until, watch)
            others = pl.concat([no_rejects(), *(checked.rejects for checked in small.values())])
            if others.height:
                write_parquet(temporary / "tables.parquet", others)
            temporary.rename(folder)
    counts = {"sales": _sales_count(store, until)}
    counts |= {name: TableCount(c.read, c.good.height, c.rejects.height) for name, c in small.items()}
    reject_files = tuple(sorted(folder.glob("*.parquet")))
    if future is not None:
        rejects = future.folder / str(future.files[0].rejects)
        rejected = pl.scan_parquet(rejects).select(pl.len()).collect().item()
        counts["future"] = TableCount(future.files[0].read, future.files[0].read - rejected, rejected)
        reject_files = (*reject_files, rejects)
    held = {name for part in parts for name in part.shards.values}
    by_series = {name: SeriesTable(small[name].good) for name in ("supply", "stock", "skus") if name in small}
    plain = {name: small[name].good.drop(ROW) for name in ("limits", "events") if name in small}
    return Intake(
        period=period,
        as_of=as_of,
        newest=period.number_of(EPOCH + timedelta(days=max((d for d in _days(store) if d <= until), default=until))),
        shards=parts[0].shards.shards,
        fingerprint=fingerprint,
        covariates=tuple(name for name in dict.fromkeys(config.covariates) if name in held),
        returns=_returns(store, until),
        reject_files=reject_files,
        limits=plain.get("limits"),
        events=plain.get("events"),
        sales=parts,
        future=None if future is None else Part(future.shards, future.alive),
        supply=by_series.get("supply"),
        stock=by_series.get("stock"),
        skus=by_series.get("skus"),
        table_counts=counts,
        overrides=overrides_of(small["overrides"].good, period) if "overrides" in small else None,
    )


def _small(config: Config, given: _Input, series: Series, watch: Watch) -> Checked:
    """Read and check a table that fits in memory."""
    watch.stop()
    checked = check(given.table, given.files, given.rename)
    match given.table.name:
        case "supply":
            return check_supply(checked, series, config.plan.holding_rate, Period(config.period).per_year)
        case "stock":
            return check_stock(checked, series)
        case "skus":
            return check_skus(checked, series)
        case "limits":
            again = checked.good.select(pl.struct("resource", "scope").is_first_distinct().not_()).to_series()
            return set_aside(checked, LIMITS, "duplicate", "scope", again)
        case "overrides":
            return check_overrides(checked, series.live)
    return checked


def _sales_count(store: SalesStore, until: int) -> TableCount:
    live = [file for generation in store.generations for file in generation.live_files()]
    read, used = sum(file.read for file in live), sum(file.used - late_rows(file, until) for file in live)
    return TableCount(read, used, read - used)


def _returns(store: SalesStore, until: int) -> Returns:
    """Add up returns in an order that does not depend on the generations."""
    days: list[DayCount] = [
        day
        for generation in store.generations
        for file in generation.live_files()
        for day in file.days
        if day.returned_rows and day.day <= until
    ]
    return Returns(sum(day.returned_rows for day in days), math.fsum(day.returned_units for day in days))


def _renames(config: Config, table: Table) -> dict[str, str]:
    """Return the table's renamed columns.

    Raises
    ------
    ConfigError
        If a target is no column of the table, or two columns become one.
    """
    rename = config.columns.get(table.name, {})
    unused = ORDINARY_COVARIATES if table.name in ("sales", "future") else ()
    for source, to in rename.items():
        if to not in (*table.names(), *unused):
            raise ConfigError(
                f"columns.{table.name}: {source!r} is mapped to {to!r}, which this table does not have"
                f"{nearest(to, table.names())}"
            )
    if len(set(rename.values())) < len(rename):
        raise ConfigError(f"columns.{table.name}: two columns are mapped to the same one")
    return {source: to for source, to in rename.items() if to in table.names()}


@once
def _code() -> str:
    """Hash the modules that decide what the cache holds: another version of them does not trust it."""
    here = Path(__file__).parent
    return combine([hashlib.sha256((here / f"{name}.py").read_bytes()).hexdigest() for name in DECIDING])


def _remove_others(cache: Path, intake: Intake) -> None:
    """Remove what earlier calls left in the cache and this one did not use."""
    used = {part.shards.folder for part in (*intake.sales, *filter(None, [intake.future]))}
    used |= {folder.parent for folder in used} | {file.parent for file in intake.reject_files}
    _remove(f for kind in ("sales", "future", "rejects") for f in cache.glob(f"{kind}-*") if f not in used)


def _remove(folders: Iterable[Path]) -> None:
    for folder in list(folders):
        shutil.rmtree(folder, ignore_errors=True)


def _silent(stage: str, done: int, total: int | None) -> None:
    """Report nothing."""


def _go_on() -> None:
    """Never stop."""
