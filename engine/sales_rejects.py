"""The rejected rows of the sales, over all files: those that broke a rule, and those after the as-of date."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

import polars as pl

from fullshelf.engine.calendar import EPOCH, Period
from fullshelf.engine.checks import BAD, as_rejects, with_checks, write_rejects
from fullshelf.engine.generations import Generation, SplitFile
from fullshelf.engine.sales import SalesStore
from fullshelf.engine.scan import reading
from fullshelf.engine.sources import SourceFile
from fullshelf.engine.watch import Watch

__all__ = ["last_day", "late_rows", "write_sales_rejects"]


def last_day(period: Period, as_of: int) -> int:
    """Return the last day of a period, in days from 1970-01-01.

    Examples
    --------
    >>> last_day(Period.MONTH, 0)
    30
    """
    return (period.start(as_of + 1) - EPOCH).days - 1


def late_rows(file: SplitFile, until: int) -> int:
    """Return how many good rows of a file lie after day `until`."""
    return sum(day.rows for day in file.days if day.day > until)


def write_sales_rejects(
    folder: Path, store: SalesStore, files: Iterable[tuple[SourceFile, str]], until: int, watch: Watch
) -> None:
    """Write the rejects of all files (each with its identity) into `folder`; sales after day `until` are rejected too.

    The rows of a file are counted on from those of the files before it. Only files with late rows are read again.
    """
    held: dict[str, list[tuple[Generation, SplitFile]]] = defaultdict(list)
    for generation in store.generations:
        for file in generation.live_files():
            held[file.identity].append((generation, file))
    before = 0
    for number, (source, identity) in enumerate(files):
        generation, file = held[identity].pop()
        frames = []
        if file.rejects is not None:
            frames.append(pl.scan_parquet(generation.folder / file.rejects))
        if late_rows(file, until):
            frames.append(_late(store, source, until))
        if frames:
            with reading(source):
                rows = pl.concat(frames).with_columns(pl.col("row") + before)
                write_rejects(rows, folder / f"sales-{number:05d}.parquet")
        before += file.read
        watch.stop()


def _late(store: SalesStore, source: SourceFile, until: int) -> pl.LazyFrame:
    rows = with_checks(store.table, store.open(source))
    late = rows.filter(~pl.col(BAD) & (pl.col("date") > EPOCH + timedelta(days=until)))
    return as_rejects(store.table, late, "after_as_of", "date")
