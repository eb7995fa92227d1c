"""The small tables by series, written shard by shard: for processes that work on a few shards of a catalogue."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from fullshelf.engine.commit import write_parquet
from fullshelf.engine.lookup import KeyIndex
from fullshelf.engine.panels import Part
from fullshelf.engine.series_numbers import key_hashes
from fullshelf.engine.series_tables import SeriesRows
from fullshelf.engine.storage import Location

__all__ = ["StoredRows", "store_rows"]

KEY = ["sku", "location"]


@dataclass(frozen=True, slots=True)
class StoredRows:
    """One table of the files that `store_rows` wrote, as `SeriesTable` gives it; series of one shard at a time."""

    folder: Location
    shards: int
    table: str

    def of(self, keys: pl.DataFrame) -> pl.DataFrame:
        """Return the columns for S series (sku, location) of one shard, null where they have no row, and `found`."""
        shard = int(key_hashes(keys["sku"].head(1), keys["location"].head(1))[0] % self.shards) if keys.height else 0
        path = str(rows_path(self.folder, shard))
        own = f"{self.table}."
        columns = [name for name in pl.scan_parquet(path, glob=False).collect_schema() if name.startswith(own)]
        rows = pl.read_parquet(path, columns=[*KEY, *columns], glob=False)
        place = KeyIndex(rows).find(keys["sku"], keys["location"])
        return rows.select(pl.col(columns).gather(place)).rename(lambda name: name.removeprefix(own))


def rows_path(folder: Location, shard: int) -> Location:
    """Name the file of a shard."""
    return folder / f"rows-{shard:05d}.parquet"


def store_rows(folder: Location, shard: int, parts: tuple[Part, ...], tables: dict[str, SeriesRows]) -> None:
    """Write what the tables say of each series of a shard, unless the file is there: `folder` belongs to one run."""
    path = rows_path(folder, shard)
    if path.exists():
        return
    keys = pl.concat([part.shards.keys(shard).select(KEY) for part in parts])
    keys = keys if len(parts) == 1 else keys.unique(maintain_order=True)
    found = [rows.of(keys).select(pl.all().name.prefix(f"{name}.")) for name, rows in tables.items()]
    write_parquet(path, pl.concat([keys, *found], how="horizontal"))
