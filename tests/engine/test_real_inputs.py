"""The real sets: every table is read, nothing is rejected, and the panel holds what the sales say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.calendar import Period
from fullshelf.engine.config import parse_config
from fullshelf.engine.intake import prepare

SHARED = Path(__file__).parents[3] / "shared"
TABLES = ("sales", "supply", "stock", "skus", "future", "events", "limits")
SCENARIOS = {"m5_weekly": "week", "fresh_daily": "day", "giftware_weekly": "week"}
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.exists(), reason=f"{SHARED}: the real data is not on this machine"),
]


def folders() -> list[tuple[Path, str]]:
    if not SHARED.exists():
        return [(SHARED, "day")]
    tasks = json.loads((SHARED / "data" / "tasks.json").read_text())
    data = [(SHARED / "data" / task["task"], task["period"]) for task in tasks]
    return data + [(SHARED / "scenarios" / name, period) for name, period in SCENARIOS.items()]


@pytest.mark.parametrize(("folder", "period"), folders(), ids=lambda v: v.name if isinstance(v, Path) else "")
def test_a_real_set_is_read_whole(folder: Path, period: str, tmp_path: Path) -> None:
    inputs = {name: str(file) for name in TABLES if (file := folder / f"{name}.parquet").exists()}
    intake = prepare(parse_config({"period": period, "inputs": inputs}, base=folder), tmp_path / "cache")
    sales = pl.scan_parquet(folder / "sales.parquet")
    counts = intake.counts()
    assert {name: count.rejected for name, count in counts.items()} == dict.fromkeys(inputs, 0)
    assert counts["sales"].read == sales.select(pl.len()).collect().item()

    location = [name for name in ("sku", "location") if name in sales.collect_schema()]
    number = Period(period).number("date")
    expected = (
        sales.group_by(location)
        .agg(first=number.min(), units=pl.col("units").clip(lower_bound=0).cast(pl.Float64).sum())
        .sort(location)
        .collect()
    )
    found = []
    for shard in range(intake.shards):
        panel = intake.read(shard, 4).panel
        begin, end = panel.offsets[:-1], panel.offsets[1:]
        units = np.add.reduceat(panel.units.astype(np.float64), begin)
        first = (panel.last + 1 - (end - begin)).astype(np.int32)
        found.append(panel.keys.select(location).with_columns(first=first, units=units))
        assert np.isfinite(panel.units).all()
        assert ((panel.observed >= 0) & (panel.observed <= 1)).all()
    joined = pl.concat(found).sort(location)
    assert joined.select(*location, "first").equals(expected.select(*location, "first"))
    np.testing.assert_allclose(joined["units"].to_numpy(), expected["units"].to_numpy(), rtol=1e-6, atol=1e-6)
