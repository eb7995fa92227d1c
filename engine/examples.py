"""The newest sales of a few series, for the report's pictures."""

from __future__ import annotations

import polars as pl

from fullshelf.engine.panel import Panel
from fullshelf.engine.pipeline import ShardJob

HORIZONS = 3  # how many horizons of history a picture shows


def history(job: ShardJob, keys: pl.DataFrame) -> pl.DataFrame:
    """Return sku, location, date, units, in_stock of the newest periods of the series named in `keys`."""
    files = pl.scan_parquet(str(job.folder.path / "lead_time_demand" / "*.parquet"), include_file_paths="file")
    where = files.select("sku", "location", "file").join(keys.lazy(), on=["sku", "location"], how="semi").collect()
    parts = [
        _newest(job.intake.read(shard, 1).panel, where, HORIZONS * job.horizon)
        for shard in sorted(int(file[-len("00000.parquet") : -len(".parquet")]) for file in where["file"].unique())
    ]
    return pl.concat(parts) if parts else pl.DataFrame()


def _newest(panel: Panel, keys: pl.DataFrame, periods: int) -> pl.DataFrame:
    chosen = (
        panel.keys.select("sku", "location").with_row_index("series").join(keys, on=["sku", "location"], how="semi")
    )
    parts = []
    for series, sku, location in chosen.iter_rows():
        begin, end = (int(x) for x in panel.offsets[series : series + 2])
        begin = max(begin, end - periods)
        dates = [panel.period.start(panel.last - (end - 1 - at)) for at in range(begin, end)]
        parts.append(
            pl.DataFrame(
                {"date": dates, "units": panel.units[begin:end], "in_stock": panel.observed[begin:end]},
                schema={"date": pl.Date, "units": pl.Float32, "in_stock": pl.Float32},
            ).select(pl.lit(sku).alias("sku"), pl.lit(location).alias("location"), pl.all())
        )
    return pl.concat(parts)
