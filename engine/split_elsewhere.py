"""Large sales split by other processes, the driver's side: who runs a step is another's matter (`Elsewhere`).

The driver cuts the files into pieces, has every piece read and every range of shards written, and checks on the way
that no row is lost. What comes out is the generation that this process alone would have made, byte by byte. A driver
that is called again after its death goes on from the records of the steps that are done.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import polars as pl

from fullshelf.engine.checks import raise_if_hopeless, write_rejects
from fullshelf.engine.commit import replacing
from fullshelf.engine.day_counts import added
from fullshelf.engine.errors import RunError
from fullshelf.engine.exchange import Exchange, index_path, piece_record, range_record
from fullshelf.engine.fingerprints import Known, check_unchanged, combine
from fullshelf.engine.generations import DayCount, SplitFile
from fullshelf.engine.pickled import JobFile, write_job
from fullshelf.engine.scan import reading
from fullshelf.engine.shard_files import ShardFiles, shard_path, write_keys
from fullshelf.engine.sources import SourceFile
from fullshelf.engine.split_pieces import PIECE_ROWS, RANGE_ROWS, Span, cut, shard_bounds
from fullshelf.engine.tables import Table
from fullshelf.engine.watch import Watch

__all__ = ["PREFIX", "Elsewhere", "Step", "Steps", "plan_exchange", "remove_exchanges", "split_elsewhere"]

PREFIX = "exchange-"
APPEAR_SECONDS = 120.0  # NFS remembers for a minute that there was no such file
Record = dict[str, Any]
Step = Literal["piece", "range"]
Steps = Callable[[Step, Sequence[int]], Iterator[int]]  # runs these numbers, yields each when its record is written


class Elsewhere(Protocol):
    """Other processes that can split sales; they see the folder of the split sales and the files."""

    def takes(self, rows: int) -> bool:
        """Whether so many rows are to be split there."""
        ...

    def working(self, job: JobFile) -> AbstractContextManager[Steps]:
        """Have processes open the job; inside the block its steps can be run."""
        ...


def plan_exchange(
    folder: Path,
    table: Table,
    rename: dict[str, str],
    files: Sequence[tuple[SourceFile, Known]],
    values: tuple[str, ...],
    shards: int,
) -> Exchange:
    """Cut the splitting of some files up; the same files give the same folder below `folder`."""
    sources, known = tuple(file for file, _ in files), tuple(known for _, known in files)
    rows = [k.rows for k in known]
    pieces = cut(zip(sources, rows, strict=True), PIECE_ROWS)
    bounds = shard_bounds(shards, sum(rows), RANGE_ROWS)
    name = combine([*(k.identity(file) for file, k in files), *(file.path for file in sources), repr((pieces, bounds))])
    return Exchange(folder / f"{PREFIX}{name[:16]}", table, rename, sources, known, values, shards, pieces, bounds)


def split_elsewhere(exchange: Exchange, elsewhere: Elsewhere, watch: Watch) -> tuple[ShardFiles, list[SplitFile]]:
    """Run both steps; return the shard files, in a folder to be renamed, and what their source files hold.

    Raises
    ------
    UsageError
        If a file cannot be used.
    RunError
        If a file changed, the disk is full, rows do not add up, or a step fails again and again.
    """
    for name in ("pieces", "ranges", "out"):
        (exchange.folder / name).mkdir(parents=True, exist_ok=True)
    job = write_job(exchange.folder / "job.pickle", exchange=exchange)
    with elsewhere.working(job) as run:
        pieces = _pieces(exchange, run, watch)
        check_unchanged(exchange.files, exchange.known)
        files = _files(exchange, pieces)
        _write_indices(exchange, pieces)
        ranges = _ranges(exchange, run, watch)
    wrote, used = sum(record["rows"] for record in ranges), sum(file.used for file in files)
    if wrote != used:
        raise RunError(
            f"{exchange.folder}: {used:,} rows were read, but {wrote:,} written; this is a defect of fullshelf: please "
            "report it"
        )
    series = np.concatenate([[0], np.cumsum([n for record in ranges for n in record["series"]])])
    keys = [pl.read_parquet(exchange.folder / "ranges" / record["keys"], glob=False) for record in ranges]
    write_keys(exchange.out, pl.concat(keys))
    sizes = tuple(size for record in ranges for size in record["sizes"])
    return ShardFiles(exchange.out, exchange.values, series, sizes), files


def _pieces(exchange: Exchange, run: Steps, watch: Watch) -> list[Record]:
    """Have the pieces read that have not been; return the records of all."""
    numbers = range(len(exchange.pieces))
    records = {n: record for n in numbers if (record := _piece_done(exchange, n)) is not None}
    rows = sum(known.rows for known in exchange.known)
    done = sum(_read(record) for record in records.values())
    watch.progress("split", done, max(rows, done))
    for number in run("piece", [n for n in numbers if n not in records]):
        records[number] = _appearing(partial(_piece_done, exchange, number), piece_record(exchange, number), watch)
        done += _read(records[number])
        watch.progress("split", done, max(rows, done))
    return [records[n] for n in numbers]


def _read(record: Record) -> int:
    return sum(span["read"] for span in record["spans"])


def _ranges(exchange: Exchange, run: Steps, watch: Watch) -> list[Record]:
    """Have the ranges written that have not been; return the records of all."""
    numbers = range(len(exchange.bounds) - 1)
    records = {n: record for n in numbers if (record := _range_done(exchange, n)) is not None}
    watch.progress("sort", len(records), len(numbers))
    for number in run("range", [n for n in numbers if n not in records]):
        records[number] = _appearing(partial(_range_done, exchange, number), range_record(exchange, number), watch)
        watch.progress("sort", len(records), len(numbers))
    return [records[n] for n in numbers]


def _appearing(find: Callable[[], Record | None], path: Path, watch: Watch) -> Record:
    """Wait for a record that another machine has written: a network file system may show it late."""
    begun = time.monotonic()
    while (record := find()) is None:
        watch.stop()
        if time.monotonic() - begun > APPEAR_SECONDS:
            raise RunError(
                f"{path}: was written on another machine, but is not to be seen from this one; the folder must lie "
                "where every node sees it"
            )
        time.sleep(0.1)
    return record


def _piece_done(exchange: Exchange, piece: int) -> Record | None:
    """Return the record of a piece whose files are there; what they hold is checked by who reads them."""
    path = piece_record(exchange, piece)
    record = _record(path)
    if record is None:
        return None
    rejects = [span["rejects"] for span in record["spans"] if span["rejects"] is not None]
    whole = _size(path.with_name(record["file"])) == record["size"]
    return record if whole and all(path.with_name(name).exists() for name in rejects) else None


def _range_done(exchange: Exchange, number: int) -> Record | None:
    path = range_record(exchange, number)
    record = _record(path)
    if record is None or not path.with_name(record["keys"]).exists():
        return None
    shards = range(*exchange.bounds[number : number + 2])
    whole = all(
        size == 0 or _size(shard_path(exchange.out, shard)) == size
        for shard, size in zip(shards, record["sizes"], strict=True)
    )
    return record if whole else None


def _record(path: Path) -> Record | None:
    try:
        record: Record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return record


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _files(exchange: Exchange, pieces: list[Record]) -> list[SplitFile]:
    """Put together what the pieces say of each file; every row read is used or rejected."""
    spans: list[list[Record]] = [[] for _ in exchange.files]
    for record in pieces:
        for span in record["spans"]:
            spans[span["file"]].append(span)
    return [_file(exchange, number, parts) for number, parts in enumerate(spans)]


def _file(exchange: Exchange, number: int, parts: list[Record]) -> SplitFile:
    file, known = exchange.files[number], exchange.known[number]
    read, used = sum(part["read"] for part in parts), sum(part["used"] for part in parts)
    rejected = sum(part["rejected"] for part in parts)
    if read != used + rejected or (file.format == "parquet" and read != known.rows):
        raise RunError(
            f"{file.path}: {read:,} of {known.rows:,} rows read, {used:,} used, {rejected:,} rejected; this is a "
            "defect of fullshelf: please report it"
        )
    if read and not used:
        raise_if_hopeless(exchange.table, exchange.open(Span(number, 0, None)))
    rejects = [part["rejects"] for part in parts if part["rejects"] is not None]
    name = f"rejects-{number:05d}.parquet" if rejects else None
    if name is not None:
        frames = [pl.scan_parquet(exchange.folder / "pieces" / found, glob=False) for found in rejects]
        with reading(file), replacing(exchange.out / name) as temporary:
            write_rejects(pl.concat(frames), temporary)
    days = added([DayCount(**day) for day in part["days"]] for part in parts)
    return SplitFile(known.identity(file), read, name, days)


def _write_indices(exchange: Exchange, pieces: list[Record]) -> None:
    """Tell each range where its segments lie, in the order of the rows."""
    columns = ("range", "place", "bytes", "rows", "sha256")
    empty = pl.DataFrame(schema={"file": pl.String, **dict.fromkeys(columns[:-1], pl.Int64), "sha256": pl.String})
    listed = [
        pl.DataFrame(record["segments"]).select(pl.lit(record["file"]).alias("file"), *columns)
        for record in pieces
        if record["segments"]
    ]
    by_range = pl.concat([empty, *listed]).partition_by("range", as_dict=True, maintain_order=True)
    for number in range(len(exchange.bounds) - 1):
        with replacing(index_path(exchange, number)) as temporary:
            by_range.get((number,), empty).write_parquet(temporary)


def remove_exchanges(folder: Path) -> None:
    """Remove what is left of every exchange below `folder`."""
    for left in folder.glob(f"{PREFIX}*"):
        shutil.rmtree(left, ignore_errors=True)
