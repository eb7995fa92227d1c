"""A whole run, and a backtest, of items whose sale ends; promotions that are planned reach the orders in time."""

from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest

from fullshelf.engine.backtest import backtest
from fullshelf.engine.config import load_config
from fullshelf.engine.refresh import refresh


def run(shop):
    shop.write()
    folder = refresh(load_config(shop.config))["folder"]
    return {
        table: pl.read_parquet(Path(folder) / table / "*.parquet").sort("sku", "location")
        for table in ("orders", "forecasts", "lead_time_demand")
    }


def test_an_item_that_ends_is_neither_forecast_nor_ordered_beyond(shop):
    last = shop.tables["sales"]["date"].max()
    shop.tables["stock"] = shop.tables["stock"].with_columns(on_hand=pl.lit(0.0))
    ends = [last + timedelta(weeks=1, days=3), last - timedelta(weeks=4), None]
    names = ["sku-000", "sku-001", "sku-002"]
    shop.tables["skus"] = pl.DataFrame({"sku": names, "title": ["a", "b", "c"]})
    before = run(shop)
    shop.tables["skus"] = shop.tables["skus"].with_columns(end_date=pl.Series(ends))
    after = run(shop)
    changed = pl.col("sku").is_in(names[:2])
    for table, frame in after.items():
        assert frame.filter(~changed).equals(before[table].filter(~changed))
    rest = after["forecasts"].filter(changed).with_columns(sold=(pl.col("sku") == "sku-000") & (pl.col("step") <= 1))
    assert (rest.filter("sold")["mean"] > 0).all()
    assert (rest.filter(~pl.col("sold"))["q0.99"] == 0).all()
    assert (after["orders"].filter(changed)["order_quantity"] == 0).all()  # the lead times are 1 … 3 weeks
    assert (before["orders"].filter(changed)["order_quantity"] > 0).any()


@pytest.mark.parametrize("arrives", [True, False])
def test_a_planned_promotion_is_ordered_for_when_it_can_still_be_served(shop, arrives):
    sales = shop.tables["sales"]
    last, weeks = sales["date"].max(), (pl.col("date") - pl.lit(sales["date"].min())).dt.total_days() // 7
    promoted = sales.with_columns(promo=(weeks % 5 == 2).cast(pl.Float64))
    shop.tables["sales"] = promoted.with_columns(units=pl.col("units") * (1 + 3 * pl.col("promo")))
    shop.tables["supply"] = shop.tables["supply"].with_columns(lead_time=1.0, moq=0.0, pack_size=1.0)
    shop.tables["stock"] = shop.tables["stock"].with_columns(on_hand=pl.lit(0.0))
    shop.settings["covariates"] = ["promo"]
    keys, orders = shop.tables["stock"].select("sku", "location"), {}
    for planned in (False, True):
        steps = pl.DataFrame({"step": [1, 2, 3]})
        at = 2 if arrives else 3  # ordered now it is there for week 2, and alone in it
        future = keys.join(steps, how="cross").with_columns(
            date=pl.lit(last) + pl.duration(weeks=pl.col("step")),
            promo=(pl.col("step") == at).cast(pl.Float64) * planned,
        )
        shop.tables["future"] = future.drop("step")
        orders[planned] = run(shop)["orders"]["order_quantity"].sum()
    if arrives:
        assert orders[True] > 2 * orders[False]
    else:
        assert orders[True] == orders[False]


def test_a_backtest_orders_until_the_end_and_no_longer(shop):
    last = shop.tables["sales"]["date"].max()
    ordered = {}
    for weeks in (None, 8, 30):
        end = None if weeks is None else last - timedelta(weeks=weeks)
        shop.tables["skus"] = pl.DataFrame({"sku": ["sku-000", "sku-001"], "end_date": [end, None]})
        shop.settings["backtest"] = {"rounds": 12, "models": ["auto"], "policies": ["auto"]}
        shop.write()
        folder = Path(backtest(load_config(shop.config))["folder"])
        table = pl.read_parquet(folder / "backtest" / "series.parquet")
        ordered[weeks] = table.group_by("sku").agg(pl.col("ordered").sum()).sort("sku").head(2)["ordered"].to_list()
    assert ordered[None][0] > ordered[8][0] > ordered[30][0] == 0
    assert ordered[None][1] == ordered[8][1] == ordered[30][1] > 0
