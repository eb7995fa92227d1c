"""Shops to tune: with a model that is wrong on purpose, and with one that cannot be bettered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from fullshelf.engine.backtest import job
from fullshelf.engine.config import Config, load_config
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.models.catalogue import load_model


def shop_tables(series: int = 40, weeks: int = 60, seed: int = 3, **supply: Any) -> dict[str, pl.DataFrame]:
    """Steady Poisson demand of 4 to 30 a week; lead time 1."""
    random = np.random.default_rng(seed)
    units = random.poisson(random.uniform(4.0, 30.0, series)[:, None], (series, weeks)).astype(float)
    skus = [f"sku-{s:03d}" for s in range(series)]
    first = date(2023, 1, 2)
    sales = pl.DataFrame(
        {
            "sku": [sku for sku in skus for _ in range(weeks)],
            "date": [first + timedelta(weeks=t) for _ in skus for t in range(weeks)],
            "units": units.ravel(),
        }
    )
    terms = {"unit_cost": 2.0, "unit_price": 5.0, "holding_cost": 0.3, "lead_time": 1.0} | supply
    stock = pl.DataFrame({"sku": skus, "on_hand": [float(n) for n in random.integers(0, 40, series)]})
    return {"sales": sales, "supply": pl.DataFrame({"sku": skus, **terms}), "stock": stock}


@pytest.fixture
def tables_of() -> Callable[..., dict[str, pl.DataFrame]]:
    return shop_tables


class Biased:
    """A model whose forecasts are all too low by one factor."""

    def __init__(self, inner: Any, factor: float) -> None:
        self._inner, self._factor = inner, np.float32(factor)
        self.fingerprint, self.device = f"biased {factor}", "cpu"

    def forecast(self, panel: Any, horizon: int, ahead: Any) -> Forecast:
        made, f = self._inner.forecast(panel, horizon, ahead), self._factor
        total = None if made.cumulative is None else made.cumulative * f
        return replace(made, quantiles=made.quantiles * f, mean=made.mean * f, cumulative=total)


@pytest.fixture
def biased(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Make every model of a backtest wrong by a factor."""

    def make(factor: float) -> None:
        monkeypatch.setattr(job, "load_model", lambda *given: Biased(load_model(*given), factor))

    return make


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Config]:
    """Write a shop and return its configuration; keyword arguments are its parts."""

    def made(tables: dict[str, pl.DataFrame] | None = None, name: str = "shop", **parts: Any) -> Config:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        for table, frame in (tables or shop_tables()).items():
            frame.write_parquet(folder / f"{table}.parquet")
        settings = {
            "period": "week",
            "inputs": {file.stem: file.name for file in sorted(folder.glob("*.parquet"))},
            "forecast": {"model": "empirical", "horizon": 4},
            "run": {"threads": 1},
        }
        settings["tune"] = {"by": [], "rounds": 12, "judge": 10, "candidates": 45} | parts.pop("tune", {})
        (folder / "shop.yaml").write_text(yaml.safe_dump(settings | parts))
        return load_config(folder / "shop.yaml")

    return made
