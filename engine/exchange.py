"""The two steps by which processes on many machines split the sales: read a piece, write a range of shards.

A piece's good rows go to one file, a segment for each range of shards; a range puts its segments together in the order
of the pieces and hands them to the `Splitter`. A step's results have names that no other attempt uses, and the record
that names them is written last: a step that is killed, raced or repeated does no harm. What both steps hold in memory
is bounded by CHUNK_ROWS and the Splitter's buffers, whatever the sales.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.checks import rejected_rows, write_rejects
from fullshelf.engine.commit import TEMPORARY, replacing, write_json, write_parquet
from fullshelf.engine.day_counts import DayCounts
from fullshelf.engine.errors import RunError
from fullshelf.engine.fingerprints import Known, stat_of
from fullshelf.engine.scan import Scan, open_file, reading
from fullshelf.engine.series_numbers import SeriesNumbers, key_columns
from fullshelf.engine.shard_files import DAY_ZERO, FILE, Splitter, shard_path
from fullshelf.engine.sources import SourceFile
from fullshelf.engine.split import batches, disk_errors, typed
from fullshelf.engine.split_pieces import Piece, Span
from fullshelf.engine.tables import Table

__all__ = ["Exchange", "index_path", "join_range", "piece_record", "range_record", "split_piece"]

CHUNK_ROWS = 1 << 21  # good rows held before they are written as segments
Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exchange:
    """What every step must know: which files are split, how, and where."""

    folder: Path
    table: Table
    rename: dict[str, str]
    files: tuple[SourceFile, ...]
    known: tuple[Known, ...]
    values: tuple[str, ...]  # float32 columns of the shard files
    shards: int
    pieces: tuple[Piece, ...]
    bounds: tuple[int, ...]  # range r has the shards from bounds[r] to bounds[r + 1] - 1

    @property
    def out(self) -> Path:
        """Return the folder of the shard files."""
        return self.folder / "out"

    def open(self, span: Span) -> Scan:
        """Open the rows of a span; their numbers are those in the file.

        Raises
        ------
        RunError
            If this machine does not see the file that the driver sees.
        """
        file, known = self.files[span.file], self.known[span.file]
        if known.stat and (not Path(file.path).exists() or stat_of(file)[:2] != known.stat[:2]):
            raise RunError(
                f"{file.path}: this machine does not see the file that the driver saw; the sales must lie where every "
                "node sees them, and must not change meanwhile. Else set run.split: driver"
            )
        scan = open_file(self.table, file, self.rename)
        if span.begin == 0 and span.rows is None:
            return scan
        return replace(scan, frame=scan.frame.slice(span.begin, span.rows))


def piece_record(exchange: Exchange, piece: int) -> Path:
    """Name the record that says that a piece is done."""
    return exchange.folder / "pieces" / f"{piece:05d}.json"


def range_record(exchange: Exchange, number: int) -> Path:
    """Name the record that says that a range of shards is done."""
    return exchange.folder / "ranges" / f"{number:05d}.json"


def index_path(exchange: Exchange, number: int) -> Path:
    """Name the list of a range's segments."""
    return exchange.folder / "ranges" / f"{number:05d}-segments.parquet"


def split_piece(exchange: Exchange, piece: int, stop: Callable[[], None]) -> None:
    """Read the rows of a piece, check them, and write the good and the rejected ones; then the piece's record.

    Raises
    ------
    InputError
        If a file cannot be used.
    RunError
        If the disk is full, or this machine sees another file than the driver.
    """
    name, spans = f"{piece:05d}-{uuid4().hex[:12]}", list[Record]()
    path = exchange.folder / "pieces" / f"{name}.segments"
    with disk_errors(exchange.folder):
        with replacing(path) as temporary, temporary.open("wb") as file:
            writer = _Segments(exchange, file)
            for span in exchange.pieces[piece]:
                scan, days = exchange.open(span), DayCounts()
                for read, good in batches(scan, typed(exchange.table, scan, exchange.values)):
                    stop()
                    since = good["date"].to_physical().to_numpy().astype(np.int64) - DAY_ZERO
                    days.take(read, since, good["units"].to_numpy())
                    writer.add(good, span.file)
                found: Record = {
                    "file": span.file,
                    "read": days.read,
                    "used": days.used,
                    "rejected": 0,
                    "rejects": None,
                }
                if days.used < days.read:
                    rejects = path.with_name(f"{name}-{span.file:05d}.rejects")
                    with reading(scan.file), replacing(rejects) as unfinished:
                        write_rejects(rejected_rows(exchange.table, scan), unfinished)
                    found["rejected"] = pl.scan_parquet(rejects, glob=False).select(pl.len()).collect().item()
                    found["rejects"] = rejects.name
                spans.append(found | {"days": [asdict(day) for day in days.counts()]})
            writer.flush()
        size = path.stat().st_size
        content = {"file": path.name, "size": size, "spans": spans, "segments": writer.segments()}
        write_json(piece_record(exchange, piece), content)


class _Segments:
    """Writes rows to a file, sorted by range of shards: now and then a Parquet file for each range, one after another.

    The record says where each lies; a row of a range is looked at again only by the step that writes this range.
    """

    def __init__(self, exchange: Exchange, file: BinaryIO) -> None:
        self._exchange, self._file = exchange, file
        self._held: list[pl.DataFrame] = []
        self._ranges: list[NDArray[np.int64]] = []
        self._numbers = SeriesNumbers(exchange.shards)
        self._place = 0
        self._written: list[tuple[int, int, int, int, str]] = []  # range, place, bytes, rows, sha256
        sizes = np.diff(exchange.bounds)
        self._range_of = np.repeat(np.arange(sizes.size), sizes)

    def add(self, rows: pl.DataFrame, file: int) -> None:
        """Take good rows of a source file."""
        shards = self._numbers.shard_of[self._numbers.number(rows)] if rows.height else np.empty(0, np.uint16)
        self._ranges.append(self._range_of[shards])
        self._held.append(
            rows.select("sku", "location", "date", pl.lit(file, pl.UInt16).alias(FILE), *self._exchange.values)
        )
        if sum(frame.height for frame in self._held) >= CHUNK_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        if not self._held:
            return
        ranges = np.concatenate(self._ranges)
        order = np.argsort(ranges, kind="stable")
        rows = pl.concat(self._held)[order]
        self._held, self._ranges, self._numbers = [], [], SeriesNumbers(self._exchange.shards)
        ends = np.searchsorted(ranges[order], np.arange(len(self._exchange.bounds)))
        for number in np.flatnonzero(np.diff(ends)).tolist():
            segment = rows[ends[number] : ends[number + 1]]
            memory = BytesIO()
            segment.write_parquet(memory, compression="zstd", compression_level=1, statistics=False)
            content = memory.getbuffer()
            self._file.write(content)
            digest = hashlib.sha256(content).hexdigest()
            self._written.append((number, self._place, content.nbytes, segment.height, digest))
            self._place += content.nbytes

    def segments(self) -> dict[str, list[Any]]:
        """Return columns: where the segments lie, in the order of the rows."""
        names = ("range", "place", "bytes", "rows", "sha256")
        return dict(zip(names, map(list, zip(*self._written, strict=True)), strict=True)) if self._written else {}


def join_range(exchange: Exchange, number: int, threads: int, stop: Callable[[], None]) -> None:
    """Write the shard files of a range from the segments that its index names; then the range's record.

    Raises
    ------
    RunError
        If the disk is full, or a segment is not what was written.
    """
    index = pl.read_parquet(index_path(exchange, number), glob=False)
    begin, end = exchange.bounds[number : number + 2]
    temporary = exchange.folder / f"{TEMPORARY}{uuid4().hex}"
    with disk_errors(exchange.folder):
        splitter = Splitter(
            temporary, exchange.shards, exchange.values, threads, stop, several_files=len(exchange.files) > 1
        )
        try:
            for name, place, size, digest in index.select("file", "place", "bytes", "sha256").iter_rows():
                rows = _segment(exchange.folder / "pieces" / name, place, size, digest)
                hashes = key_columns(pl.col("sku"), pl.col("location"))
                splitter.add(rows.with_columns(hashes), rows[FILE].to_numpy().astype(np.int64))
            files = splitter.finish(lambda done, of: None)
            exchange.out.mkdir(exist_ok=True)
            for shard in range(begin, end):
                if files.sizes[shard]:
                    shard_path(temporary, shard).replace(shard_path(exchange.out, shard))
            keys_file = range_record(exchange, number).with_name(f"{number:05d}-{uuid4().hex[:12]}.keys")
            keys = files.keys()
            entry = write_parquet(keys_file, keys)
        finally:
            splitter.close()
            shutil.rmtree(temporary, ignore_errors=True)
        content = {
            "rows": int(keys["rows"].sum()),
            "sizes": files.sizes[begin:end],
            "series": np.diff(files.series)[begin:end].tolist(),
            "keys": keys_file.name,
            "sha256": entry["sha256"],
        }
        write_json(range_record(exchange, number), content)


def _segment(path: Path, place: int, size: int, digest: str) -> pl.DataFrame:
    """Read a segment.

    Raises
    ------
    RunError
        If it is gone or another one.
    """
    try:
        with path.open("rb") as file:
            file.seek(place)
            content = file.read(size)
    except FileNotFoundError:
        content = b""
    if hashlib.sha256(content).hexdigest() != digest:
        raise RunError(
            f"{path}: is damaged, gone or not seen from this machine; delete {path.parent.parent} and call again: it "
            "is made anew"
        )
    return pl.read_parquet(BytesIO(content))
