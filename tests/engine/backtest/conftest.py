"""Shops whose backtest can be worked out by hand, and one of each kind for the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from fullshelf.engine.backtest import backtest
from fullshelf.engine.config import Config, parse_config

Tables = dict[str, pl.DataFrame]


def sales_of(units: np.ndarray, first: date, step: timedelta) -> pl.DataFrame:
    """Table sales of S series × T periods, a row for each."""
    S, T = units.shape
    return pl.DataFrame(
        {
            "sku": [f"sku-{s:03d}" for s in range(S) for _ in range(T)],
            "date": [first + t * step for _ in range(S) for t in range(T)],
            "units": units.ravel().astype(float),
        }
    )


def supply_of(series: int, **columns: Any) -> pl.DataFrame:
    """Table supply with the same row for all series but for what is given."""
    given = {"unit_cost": 2.0, "unit_price": 5.0, "holding_cost": 0.1, "lead_time": 1.0} | columns
    return pl.DataFrame({"sku": [f"sku-{s:03d}" for s in range(series)], **given})


@pytest.fixture
def configure(tmp_path: Path) -> Callable[..., Config]:
    """Write tables and return their configuration; keyword arguments are its parts."""

    def made(tables: Tables, name: str = "shop", **parts: Any) -> Config:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        for table, frame in tables.items():
            frame.write_parquet(folder / f"{table}.parquet")
        settings = {"period": "week", "output": "runs", "inputs": {t: f"{t}.parquet" for t in tables}} | parts
        (folder / "shop.yaml").write_text(yaml.safe_dump(settings))
        return parse_config(settings, folder)

    return made


@pytest.fixture
def tables_of() -> Callable[[Config], Tables]:
    """Run a backtest and read its tables."""

    def run(config: Config, against: Config | None = None) -> Tables:
        folder = Path(backtest(config, against)["folder"]) / "backtest"
        return {file.stem: pl.read_parquet(file) for file in sorted(folder.glob("*.parquet"))}

    return run


def shop_tables(series: int = 12, weeks: int = 70, seed: int = 4) -> Tables:
    """Tables of a shop with lots, promotions known ahead, shelf lives, and a series that is born late."""
    random = np.random.default_rng(seed)
    units = random.poisson(random.gamma(2.0, 4.0, series)[:, None], (series, weeks))
    first = date(2023, 1, 2)
    sales = sales_of(units, first, timedelta(weeks=1)).with_columns(
        promo=pl.Series(random.random(series * weeks) < 0.1).cast(pl.Float64),
        in_stock=pl.Series(np.where(random.random(series * weeks) < 0.05, 0.5, 1.0)),
    )
    late = (pl.col("sku") == "sku-001") & (pl.col("date") < first + timedelta(weeks=weeks - 4))
    future = sales.select("sku", "date", "promo")
    supply = supply_of(
        series,
        lead_time=[float(s % 4) for s in range(series)],
        pack_size=[float(1 + 3 * (s % 2)) for s in range(series)],
        order_cost=[float(s % 3) for s in range(series)],
        review_period=[float(1 + s % 2) for s in range(series)],
        shelf_life=[None if s % 3 else 3.0 for s in range(series)],
    )
    skus = pl.DataFrame(
        {
            "sku": [f"sku-{s:03d}" for s in range(series)],
            "category": [None if s == 5 else f"group {s % 2}/sub" for s in range(series)],
        }
    )
    return {"sales": sales.filter(~late), "supply": supply, "future": future, "skus": skus}


@pytest.fixture
def tables() -> Tables:
    return shop_tables()
