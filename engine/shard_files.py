"""Shard files: rows of many series, split by hash of series, each part sorted by series and day.

`Splitter` takes rows in any order and any amount and needs memory for one buffer and one shard: rows go to one bucket
file per shard first, then each bucket is sorted alone. A folder of shard files holds `shard-00000.parquet`, … (`day`,
`file`, values), `keys.parquet` (the series in the order of shard and key, with how many rows each has) and is described
by a `ShardFiles` record. Measured on 20 M rows, 2 cores: DECISIONS.md.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.errors import RunError
from fullshelf.engine.series_numbers import SeriesNumbers
from fullshelf.engine.storage import Location, Remote
from fullshelf.kernels.partition import DAY_BITS, DAY_MASK, FIRST_VALUE, order, partition

__all__ = ["DAY_ZERO", "FILE", "KEYS", "ShardFiles", "Splitter", "shard_path", "write_keys"]

DAY_ZERO = -25567  # 1900-01-01, in days from 1970-01-01
BUFFER_BYTES = 64 << 20  # of rows, before they are appended to the buckets; twice that while one is written
KEY_ROWS = 1 << 16  # of a row group of keys.parquet: what reading one shard's keys decodes at least
KEYS = "keys.parquet"
FILE = "#file"  # which source file a row comes from; absent where there is only one
Keys = pl.DataFrame


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """A folder of shard files."""

    folder: Path
    values: tuple[str, ...]  # float32 columns
    series: NDArray[np.int64]  # (shards + 1,) offsets into keys.parquet
    sizes: tuple[int, ...]  # bytes of each shard file; 0: no rows, no file
    published: Remote | None = None  # where the same files lie for machines that do not see the folder

    @property
    def shards(self) -> int:
        """Number of shards."""
        return len(self.sizes)

    def is_whole(self) -> bool:
        """Whether every file is there in its full size."""
        try:
            sizes = tuple(shard_path(self.folder, s).stat().st_size if n else 0 for s, n in enumerate(self.sizes))
            return sizes == self.sizes and (self.folder / KEYS).exists()
        except FileNotFoundError:
            return False

    def keys(self, shard: int | None = None) -> Keys:
        """Return sku, location, rows, first (day) of the series of one shard, sorted; or of all, shard by shard."""
        frame = pl.scan_parquet(str(self._where / KEYS), glob=False)
        if shard is not None:
            begin, end = int(self.series[shard]), int(self.series[shard + 1])
            frame = frame.slice(begin, end - begin)
        with _whole(self._where):
            return frame.collect()

    def rows(self, shard: int, values: Collection[str] | None = None) -> pl.DataFrame | None:
        """Return date, FILE and values (default: all) of a shard's rows, in the order of its keys; None if it is empty.

        FILE, and values that the rows do not have, are left out.
        """
        if not self.sizes[shard]:
            return None
        path = str(self._where / shard_path(self.folder, shard).name)
        with _whole(self._where):
            wanted = {"date", FILE, *(self.values if values is None else values)}
            columns = [name for name in pl.scan_parquet(path, glob=False).collect_schema() if name in wanted]
            return pl.read_parquet(path, columns=columns, glob=False)

    @property
    def _where(self) -> Location:
        return self.published or self.folder


@contextmanager
def _whole(folder: Location) -> Iterator[None]:
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as e:
        raise RunError(
            f"{folder}: a shard file is damaged or gone ({e}); delete this folder and call again: it is made anew"
        ) from e


def shard_path(folder: Path, shard: int) -> Path:
    """Name the file of a shard."""
    return folder / f"shard-{shard:05d}.parquet"


def write_keys(folder: Path, keys: Keys) -> None:
    """Write the keys of all shards."""
    keys.rechunk().write_parquet(folder / KEYS, compression="zstd", compression_level=1, row_group_size=KEY_ROWS)


class Splitter:
    """Takes rows, leaves shard files.

    Parameters
    ----------
    folder
        Empty; becomes the folder of the shard files.
    values
        Names of the float32 columns.
    threads
        How many shards are sorted at once.
    stop
        Called between steps; raises when the end was asked for.
    several_files
        Whether the shard files tell of each row which source file it is from; also if rows of a second file come.
    """

    def __init__(
        self,
        folder: Path,
        shards: int,
        values: tuple[str, ...],
        threads: int,
        stop: Callable[[], None],
        several_files: bool = False,
    ) -> None:
        self._folder, self._buckets = folder, folder / "buckets"
        self._shards, self._values, self._threads, self._stop = shards, values, threads, stop
        self._buckets.mkdir(parents=True)
        self._numbers = SeriesNumbers(shards)
        self._width = FIRST_VALUE + len(values)
        self._rows = 0
        self._filled = 0
        self._buffer = self._new_buffer()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="bucket")
        self._writing: Future[None] | None = None
        self._several_files = several_files

    def add(self, batch: pl.DataFrame, file: int | NDArray[np.int64]) -> NDArray[np.int64]:
        """Take rows: sku, location, their `key_columns`, date, values; none of them null.

        `file` is the number of their source file, one for all or one for each.

        Returns
        -------
        The rows' days, counted from DAY_ZERO.
        """
        days = batch["date"].to_physical().to_numpy().astype(np.int64) - DAY_ZERO
        series = self._numbers.number(batch)
        words = [series, (days | (file << DAY_BITS)).astype(np.uint32)]
        words += [batch[name].to_numpy().view(np.uint32) for name in self._values]
        self._several_files |= bool(np.any(np.asarray(file) > 0))
        done = 0
        while done < batch.height:
            if self._filled == len(self._buffer):
                self._flush()
            take = min(batch.height - done, len(self._buffer) - self._filled)
            for w, word in enumerate(words):
                self._buffer[self._filled : self._filled + take, w] = word[done : done + take]
            self._filled += take
            done += take
        self._rows += batch.height
        return days

    def finish(self, progress: Callable[[int, int], None]) -> ShardFiles:
        """Sort every bucket; call once, at the end."""
        self._flush()
        self._wait()
        self._writer.shutdown()
        del self._buffer
        keys, rank = self._numbers.keys()
        counts = np.bincount(keys["shard"].to_numpy(), minlength=self._shards)
        offsets = np.concatenate([[0], np.cumsum(counts)])
        rows, first = np.zeros(keys.height, np.uint32), np.zeros(keys.height, np.int32)

        def sort(shard: int) -> int:
            self._stop()
            here = slice(offsets[shard], offsets[shard + 1])
            return self._sort_bucket(shard, rank, rows[here], first[here])

        sizes = []
        with ThreadPoolExecutor(self._threads, thread_name_prefix="sort") as pool:
            for done, size in enumerate(pool.map(sort, range(self._shards)), start=1):
                sizes.append(size)
                progress(done, self._shards)
        keys = keys.select("sku", "location", rows=pl.Series(rows), first=pl.Series(first).cast(pl.Date))
        write_keys(self._folder, keys)
        shutil.rmtree(self._buckets)
        return ShardFiles(self._folder, self._values, offsets, tuple(sizes))

    def close(self) -> None:
        """End the writing thread; for a splitter that is given up."""
        self._writer.shutdown(cancel_futures=True)

    def _new_buffer(self) -> NDArray[np.uint32]:
        return np.empty((max(1, BUFFER_BYTES // (4 * self._width)), self._width), np.uint32)

    def _flush(self) -> None:
        """Hand the buffer to the writing thread and go on with another; at most one is being written."""
        self._stop()
        self._wait()
        if self._filled:
            self._writing = self._writer.submit(self._append, self._buffer[: self._filled], self._numbers.shard_of)
            self._buffer, self._filled = self._new_buffer(), 0

    def _wait(self) -> None:
        if self._writing is not None:
            self._writing.result()
            self._writing = None

    def _append(self, records: NDArray[np.uint32], shard_of: NDArray[np.uint16]) -> None:
        out = np.empty_like(records)
        offsets = partition(records, shard_of, self._shards, out)
        for shard in np.flatnonzero(np.diff(offsets)):
            with (self._buckets / str(shard)).open("ab", buffering=0) as bucket:
                _write_all(bucket.fileno(), out[offsets[shard] : offsets[shard + 1]])

    def _sort_bucket(
        self, shard: int, rank: NDArray[np.uint32], rows: NDArray[np.uint32], first: NDArray[np.int32]
    ) -> int:
        bucket = self._buckets / str(shard)
        if rows.size == 0:
            return 0
        records = np.fromfile(bucket, np.uint32).reshape(-1, self._width)
        bucket.unlink()
        offsets, columns = order(records, rank, rows.size)
        del records
        rows[:] = np.diff(offsets)
        days = (columns[0] & np.uint32(DAY_MASK)).astype(np.int32) + DAY_ZERO
        first[:] = days[offsets[:-1]]
        table = {"date": pl.Series(days).cast(pl.Date)}
        if self._several_files:
            table[FILE] = pl.Series((columns[0] >> np.uint32(DAY_BITS)).astype(np.uint16))
        for w, name in enumerate(self._values, start=1):
            table[name] = pl.Series(columns[w].view(np.float32))
        path = shard_path(self._folder, shard)
        pl.DataFrame(table).write_parquet(path, compression="zstd", compression_level=1, statistics=False)
        return path.stat().st_size


def _write_all(descriptor: int, records: NDArray[np.uint32]) -> None:
    rest = memoryview(records.reshape(-1).view(np.uint8).data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
