"""The demo's data: a small marketplace ready for `fullshelf refresh`, with a few bad rows so that rejects show."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import polars as pl

from fullshelf.engine.commit import replacing
from fullshelf.engine.simulate import Marketplace, simulate_marketplace

SERIES, PERIODS, LOCATIONS, SEED = 500, 400, 4, 2025
_DIRTY = "part-dirty.parquet"  # beside the sound parts; a new simulation replaces it


def make_demo(out: Path, *, dirty: bool = True, seed: int = SEED) -> Path:
    """Make a marketplace of 500 series × 400 days under `out` and return its configuration.

    Made again, it replaces the tables with the same bytes.

    Raises
    ------
    UsageError
        If `out` holds tables that are not of a simulation.
    """
    market = simulate_marketplace(SERIES, PERIODS, out, locations=LOCATIONS, seed=seed, overwrite=True)
    if dirty:
        _add_bad_rows(market)
    return market.configuration


def _add_bad_rows(market: Marketplace) -> None:
    """Add the mistakes that every export has: a missing name, a broken number, a cost with the wrong sign."""
    as_of, unknown = market.as_of, float("nan")
    good = {
        "sku": "P00000003",
        "location": "coast",
        "date": as_of,
        "units": 2.0,
        "price": 9.99,
        "promo": 0.0,
        "in_stock": 1.0,
    }
    sales = [
        good | {"sku": None},
        good | {"date": None},
        good | {"units": unknown},
        good | {"units": float("inf")},
        good | {"in_stock": 1.7},
        good | {"in_stock": -0.2},
        good | {"date": as_of + timedelta(days=700)},
    ]
    supply = [
        _supply("X-unknown-1") | {"unit_cost": -4.0},
        _supply("X-unknown-2") | {"pack_size": 0.0},
        _supply("X-unknown-3") | {"unit_price": 1.0},
        _supply("X-unknown-4") | {"lead_time": None},
    ]
    stock = [{"sku": "X-unknown-1", "location": "coast", "on_hand": -3.0, "on_order": 0.0, "backorders": 0.0}]
    for table, rows in (("sales", sales), ("supply", supply), ("stock", stock)):
        schema = pl.read_parquet_schema(next(market.tables[table].glob("part-0*.parquet")))
        with replacing(market.tables[table] / _DIRTY) as temporary:
            pl.DataFrame(rows, schema=schema).write_parquet(temporary)


def _supply(sku: str) -> dict[str, object]:
    return {
        "sku": sku,
        "location": "coast",
        "unit_cost": 4.0,
        "unit_price": 9.0,
        "lead_time": 2,
        "review_period": 1,
        "pack_size": 6.0,
        "supplier": "Home Supply 1",
    }
