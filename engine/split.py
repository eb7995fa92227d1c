"""From checked rows of files to a splitter, and from shard files to another splitter; shared by sales and `future`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl

from fullshelf.engine.checks import BAD, good_rows
from fullshelf.engine.commit import TEMPORARY, is_disk_full
from fullshelf.engine.errors import RunError
from fullshelf.engine.scan import Scan, reading
from fullshelf.engine.series_numbers import key_columns
from fullshelf.engine.shard_files import FILE, ShardFiles, Splitter
from fullshelf.engine.tables import Table

__all__ = ["batches", "building", "disk_errors", "pass_on", "typed", "value_names"]

BATCH_ROWS = 250_000
NOT_VALUES = ("sku", "location", "date")


def value_names(table: Table, found: set[str]) -> tuple[str, ...]:
    """Return the float32 columns of a table's shard files: of its columns, those that were found."""
    return tuple(name for name in table.names() if name in found and name not in NOT_VALUES)


def typed(table: Table, scan: Scan, values: tuple[str, ...]) -> pl.LazyFrame:
    """Return all rows with the types that the splitter takes; what is unknown is NaN; BAD marks rows to drop."""
    everywhere = pl.lit(table.everywhere, pl.String)
    location = pl.col("location").fill_null(everywhere) if "location" in scan.dtypes else everywhere
    known = [
        pl.col(name).cast(pl.Float32) if name in scan.dtypes else pl.lit(None, pl.Float32).alias(name)
        for name in values
    ]
    return good_rows(table, scan).select(
        "sku",
        location.alias("location"),
        *key_columns(pl.col("sku"), location),
        "date",
        *(value.fill_null(float("nan")) for value in known),
        BAD,
    )


def batches(scan: Scan, frame: pl.LazyFrame) -> Iterator[tuple[int, pl.DataFrame]]:
    """Read a frame made from a file in bounded memory: rows read, and the good ones of them without BAD."""
    chunks = frame.collect_batches(chunk_size=BATCH_ROWS, engine="streaming")
    while True:
        with reading(scan.file):
            chunk = next(chunks, None)
        if chunk is None:
            return
        good = chunk.filter(~pl.col(BAD)) if chunk[BAD].any() else chunk
        yield chunk.height, good.drop(BAD)


def pass_on(
    splitter: Splitter,
    shards: ShardFiles,
    shard: int,
    values: tuple[str, ...],
    numbers: list[int | None],
) -> int:
    """Give the rows of a shard to a splitter; `numbers` maps their source files to new numbers, None drops the rows.

    Returns
    -------
    How many rows were given.
    """
    rows = shards.rows(shard)
    if rows is None:
        return 0
    keys = shards.keys(shard)
    names = keys.select("sku", "location", *key_columns(pl.col("sku"), pl.col("location")))
    series = np.repeat(np.arange(keys.height), keys["rows"].to_numpy())
    file = rows[FILE].to_numpy() if FILE in rows.columns else np.zeros(rows.height, np.uint16)
    unknown = pl.lit(float("nan"), pl.Float32)
    batch = rows.select(
        *names[series],
        "date",
        *(pl.col(name) if name in rows.columns else unknown.alias(name) for name in values),
    )
    given = 0
    for old in np.unique(file):
        new = numbers[old]
        if new is not None:
            part = batch.filter(pl.Series(file == old)) if len(numbers) > 1 else batch
            splitter.add(part, new)
            given += part.height
    return given


@contextmanager
def building(store: Path) -> Iterator[Path]:
    """Give an empty temporary folder in `store`; it is removed unless it was renamed inside the block."""
    temporary = store / f"{TEMPORARY}{os.getpid()}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Explain a disk that cannot be written.

    Raises
    ------
    RunError
        If the disk is full or the folder cannot be written.
    """
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as e:
        if is_disk_full(e):
            raise RunError(
                f"{folder}: the disk is full while the inputs are split; make room and call again to resume, or choose "
                "another `output`"
            ) from e
        if isinstance(e, OSError):
            raise RunError(f"{folder}: cannot be written: {e.strerror or e}") from e
        raise
