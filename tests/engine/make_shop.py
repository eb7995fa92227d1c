"""Make supply and stock tables around real sales, and a configuration: for tests and measurements on sales alone.

    python tests/engine/make_shop.py ../shared/data/m5_open /tmp/m5 --period day --as-of 2015-12-03

Costs, lead times and stock are drawn by hash of the key, so the same sales give the same shop.
"""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path

import polars as pl
import yaml


def make_shop(data: Path, out: Path, period: str, as_of: date) -> Path:
    """Write supply.parquet, stock.parquet and shop.yaml into `out`; return the configuration's path."""
    out.mkdir(parents=True, exist_ok=True)
    sales = pl.scan_parquet(data / "sales.parquet").filter(pl.col("date") <= as_of)
    price = pl.col("price").mean() if "price" in sales.collect_schema().names() else pl.lit(10.0)
    keys = sales.group_by("sku", "location").agg(price.fill_null(10.0).alias("unit_price"), rate=pl.col("units").mean())
    dice = pl.struct("sku", "location").hash(seed=1)
    shop = keys.sort("sku", "location").collect().with_columns(dice=dice)
    pl.DataFrame(
        shop.select(
            "sku",
            "location",
            "unit_price",
            unit_cost=pl.col("unit_price") * 0.7,
            lead_time=(pl.col("dice") % 4 + 1).cast(pl.Float64),
            review_period=(pl.col("dice") // 4 % 3 + 1).cast(pl.Float64),
            pack_size=pl.Series([1.0, 6.0, 12.0]).gather(shop["dice"] // 16 % 3),
            order_cost=pl.when(pl.col("dice") // 64 % 5 == 0).then(5.0).otherwise(0.0),
        )
    ).write_parquet(out / "supply.parquet")
    stock = shop.select("sku", "location", on_hand=(pl.col("rate") * (pl.col("dice") // 512 % 8)).round())
    stock.write_parquet(out / "stock.parquet")
    inputs = {name: str((data / f"{name}.parquet").resolve()) for name in ("sales", "skus", "future", "events")}
    inputs = {name: file for name, file in inputs.items() if Path(file).exists()}
    inputs |= {"supply": "supply.parquet", "stock": "stock.parquet"}
    config = out / "shop.yaml"
    config.write_text(yaml.safe_dump({"period": period, "as_of": as_of, "inputs": inputs, "output": "runs"}))
    return config


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with sales.parquet")
    parser.add_argument("out", type=Path, help="folder for the shop")
    parser.add_argument("--period", required=True, choices=["day", "week", "month"])
    parser.add_argument("--as-of", type=date.fromisoformat, required=True)
    given = parser.parse_args()
    print(make_shop(given.data, given.out, given.period, given.as_of))
