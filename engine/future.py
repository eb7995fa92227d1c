"""The table `future`, split into the shards of the sales: what is known ahead for each series.

A row without location stands for every location of its item, so it is given to each of them while splitting.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import polars as pl

from fullshelf.engine.checks import (
    BAD,
    as_rejects,
    check_renames,
    good_rows,
    located,
    no_rejects,
    rejected_rows,
    with_checks,
)
from fullshelf.engine.commit import write_parquet
from fullshelf.engine.fingerprints import Known, check_unchanged
from fullshelf.engine.generations import META, Generation, SplitFile, load_one, write_meta
from fullshelf.engine.panels import GENERAL
from fullshelf.engine.scan import Scan, open_file, reading
from fullshelf.engine.series_numbers import key_columns
from fullshelf.engine.shard_files import Splitter
from fullshelf.engine.sources import SourceFile
from fullshelf.engine.split import batches, building, disk_errors, value_names
from fullshelf.engine.tables import Table
from fullshelf.engine.watch import Watch

__all__ = ["split_future"]

KEY = ["sku", "location"]
REJECTED = "rejects.parquet"


def split_future(
    folder: Path,
    table: Table,
    files: Iterable[tuple[SourceFile, Known]],
    rename: Mapping[str, str],
    series: pl.DataFrame,
    shards: int,
    watch: Watch,
) -> Generation:
    """Split the rows of all files for the given series, unless `folder` holds them already.

    Parameters
    ----------
    folder
        Named by everything that decides its content.
    series
        sku and location of all series that have sales.

    Returns
    -------
    The shard files, as a generation of one file, whose rejects are those of the whole table.
    """
    if (folder / META).exists():
        found = load_one(folder)
        if found.shards.is_whole():
            return found
    files = list(files)
    scans = [open_file(table, file, rename) for file, _ in files]
    check_renames(table, rename, {name for scan in scans for name in scan.dtypes})
    values = value_names(table, {name for scan in scans for name in scan.dtypes})
    with disk_errors(folder), building(folder.parent) as temporary:
        splitter = Splitter(temporary, shards, (GENERAL, *values), watch.threads, watch.stop)
        try:
            read, rejects = 0, [no_rejects()]
            for scan in scans:
                with reading(scan.file):
                    rows: int = scan.frame.select(pl.len()).collect(engine="streaming").item()
                    rejected = [
                        frame.collect(engine="streaming").with_columns(pl.col("row") + read)
                        for frame in (rejected_rows(table, scan), _strangers(table, scan, series))
                    ]
                for _, good in batches(scan, _for_series(table, scan, series, values)):
                    splitter.add(good, 0)
                    watch.stop()
                rejects += rejected
                read += rows
                watch.progress("future", read, None)
            generation = splitter.finish(lambda done, of: watch.progress("sort", done, of))
        finally:
            splitter.close()
        check_unchanged([file for file, _ in files], [known for _, known in files])
        write_parquet(temporary / REJECTED, pl.concat(rejects).sort("row"))
        write_meta(Generation(generation, (SplitFile(folder.name, read, REJECTED, ()),), (True,)))
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    return load_one(folder)


def _strangers(table: Table, scan: Scan, series: pl.DataFrame) -> pl.LazyFrame:
    """Return good rows of which no series is known, as rejects."""
    good = with_checks(table, scan).filter(~pl.col(BAD)).with_columns(_location())
    own = good.filter(pl.col("location").is_not_null()).join(series.lazy(), on=KEY, how="anti")
    everywhere = good.filter(pl.col("location").is_null()).join(series.lazy(), on="sku", how="anti")
    return pl.concat([as_rejects(table, frame, "no_sales", "sku") for frame in (own, everywhere)])


def _for_series(table: Table, scan: Scan, series: pl.DataFrame, values: tuple[str, ...]) -> pl.LazyFrame:
    """Return the good rows of known series, one row for each series that a row stands for."""
    good = good_rows(table, scan).filter(~pl.col(BAD)).with_columns(_location("location" in scan.dtypes))
    own = good.filter(pl.col("location").is_not_null()).join(series.lazy(), on=KEY, how="semi")
    everywhere = good.filter(pl.col("location").is_null()).drop("location").join(series.lazy(), on="sku")
    known = [
        (pl.col(name) if name in scan.dtypes else pl.lit(None).alias(name)).cast(pl.Float32).fill_null(float("nan"))
        for name in values
    ]
    return pl.concat(
        [
            frame.select(
                "sku",
                "location",
                *key_columns(pl.col("sku"), pl.col("location")),
                "date",
                pl.lit(flag, pl.Float32).alias(GENERAL),
                *known,
                BAD,
            )
            for frame, flag in ((own, 0.0), (everywhere, 1.0))
        ]
    )


def _location(present: bool = True) -> pl.Expr:
    if not present:
        return pl.lit(None, pl.String).alias("location")
    return located(pl.col("location")).alias("location")
