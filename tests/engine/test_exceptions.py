"""Late suppliers and forecast surprises of whole runs."""

from datetime import date, timedelta

import polars as pl
import pytest

from fullshelf.engine.config import load_config
from fullshelf.engine.refresh import refresh

ARRIVALS = pl.List(pl.Struct({"step": pl.Int32, "units": pl.Float64}))


def exceptions(shop, **settings):
    found = refresh(load_config(shop.config, [f"{key}={value}" for key, value in settings.items()]))
    return found, pl.read_parquet(f"{found['folder']}/exceptions.parquet")


def test_an_overdue_delivery_is_used_and_told(shop):
    stock = shop.tables["stock"]
    lists = [[{"step": -2, "units": 500.0}, {"step": 1, "units": 3.0}], *([[]] * (stock.height - 1))]
    shop.tables["stock"] = stock.with_columns(arrivals=pl.Series(lists, dtype=ARRIVALS), on_hand=pl.lit(0.0))
    shop.write()
    run, table = exceptions(shop)
    assert run["counts"]["tables"]["stock"]["rejected"] == 0
    overdue = table.filter(pl.col("kind") == "overdue")
    assert overdue.select("sku", "location", "units", "on_order").row(0) == ("sku-000", "north", 500.0, 503.0)
    assert overdue.height == 1
    assert 0 < overdue["money"].item() < 500 * 5.0  # no more than the demand that relies on it


def test_what_no_quantile_of_the_last_run_held_is_a_surprise(shop):
    last = shop.tables["sales"]["date"].max()
    assert isinstance(last, date)
    _, before = exceptions(shop)
    assert "surprise" not in before["kind"]
    new = {"sku": ["sku-003"], "location": ["south"], "date": [last + timedelta(weeks=1)], "units": [900.0]}
    shop.tables["sales"] = pl.concat([shop.tables["sales"], pl.DataFrame(new | {"price": [1.0]})])
    shop.write()
    _, table = exceptions(shop)
    first = table.filter(pl.col("kind") == "surprise").row(0, named=True)
    assert (first["sku"], first["location"], first["sold"]) == ("sku-003", "south", 900.0)
    assert 0 < first["foreseen"] < 100
    assert 700 < first["units"] < 900
    assert first["money"] == pytest.approx(first["units"] * 12.0)  # its price
