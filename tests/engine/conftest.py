"""A small shop for the tests of whole runs."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml


class Shop:
    """Input tables in a folder and the configuration beside them; a test changes a table and writes it again."""

    def __init__(self, folder: Path, series: int = 24, weeks: int = 70) -> None:
        self.folder = folder
        random = np.random.default_rng(7)
        keys = [(f"sku-{i // 2:03d}", ("north", "south")[i % 2]) for i in range(series)]
        first = date(2023, 1, 2)
        rate = random.gamma(1.0, 6.0, series)
        units = random.poisson(rate[:, None], (series, weeks))
        at = [(s, t) for s in range(series) for t in range(weeks) if units[s, t] > 0 or t in (0, weeks - 1)]
        self.tables: dict[str, pl.DataFrame] = {
            "sales": pl.DataFrame(
                {
                    "sku": [keys[s][0] for s, _ in at],
                    "location": [keys[s][1] for s, _ in at],
                    "date": [first + timedelta(weeks=t) for _, t in at],
                    "units": [float(units[s, t]) for s, t in at],
                    "price": [5.0 + s for s, _ in at],
                }
            ),
            "supply": pl.DataFrame(
                {
                    "sku": [k[0] for k in keys],
                    "location": [k[1] for k in keys],
                    "unit_cost": [3.0 + i for i in range(series)],
                    "unit_price": [5.0 + i for i in range(series)],
                    "lead_time": [1.0 + i % 3 for i in range(series)],
                    "pack_size": [1.0 + 5 * (i % 2) for i in range(series)],
                    "moq": [0.0 if i % 3 else 6.0 for i in range(series)],
                    "supplier": [f"supplier-{i % 4}" for i in range(series)],
                }
            ),
            "stock": pl.DataFrame(
                {
                    "sku": [k[0] for k in keys],
                    "location": [k[1] for k in keys],
                    "on_hand": [float(round(2 * r)) for r in rate],
                    "on_order": [0.0] * series,
                }
            ),
        }
        self.settings: dict[str, Any] = {"period": "week", "output": "runs"}
        self.write()

    @property
    def config(self) -> Path:
        return self.folder / "shop.yaml"

    @property
    def runs(self) -> Path:
        return self.folder / "runs"

    def write(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            table.write_parquet(self.folder / f"{name}.parquet")
        inputs = {name: f"{name}.parquet" for name in self.tables}
        self.config.write_text(yaml.safe_dump(self.settings | {"inputs": inputs}))
        return self.config


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "shop")
