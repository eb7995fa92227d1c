from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from fullshelf.engine.calendar import Period
from fullshelf.engine.config import load_config
from fullshelf.engine.intake import check
from fullshelf.engine.simulate.catalogue import CATEGORIES, DEPARTMENTS
from fullshelf.engine.simulate.marketplace import TABLES, Marketplace, simulate_marketplace

SERIES, PERIODS, LOCATIONS = 1500, 400, 5

SCHEMAS = {
    "sales": {
        "sku": pl.String,
        "location": pl.String,
        "date": pl.Date,
        "units": pl.Float64,
        "price": pl.Float64,
        "promo": pl.Float64,
        "in_stock": pl.Float64,
    },
    "supply": {
        "sku": pl.String,
        "location": pl.String,
        "unit_cost": pl.Float64,
        "unit_price": pl.Float64,
        "salvage_value": pl.Float64,
        "order_cost": pl.Float64,
        "lead_time": pl.Int64,
        "lead_time_sd": pl.Float64,
        "review_period": pl.Int64,
        "moq": pl.Float64,
        "pack_size": pl.Float64,
        "max_stock": pl.Float64,
        "shelf_life": pl.Int64,
        "volume": pl.Float64,
        "supplier": pl.String,
    },
    "stock": {
        "sku": pl.String,
        "location": pl.String,
        "on_hand": pl.Float64,
        "on_order": pl.Float64,
        "backorders": pl.Float64,
        "arrivals": pl.List(pl.Struct({"step": pl.Int64, "units": pl.Float64})),
    },
    "skus": {"sku": pl.String, "title": pl.String, "category": pl.String, "launch_date": pl.Date},
    "future": {"sku": pl.String, "location": pl.String, "date": pl.Date, "price": pl.Float64, "promo": pl.Float64},
    "events": {"date": pl.Date, "location": pl.String, "event": pl.String},
    "limits": {"resource": pl.String, "scope": pl.String, "amount": pl.Float64},
}
KEY = ["sku", "location"]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_the_columns_and_types_of_the_contract(tables: dict[str, pl.DataFrame], name: str):
    assert dict(tables[name].schema) == SCHEMAS[name]


def test_counts_are_those_of_the_files(market: Marketplace, tables: dict[str, pl.DataFrame]):
    assert market.rows == {name: frame.height for name, frame in tables.items()}
    assert (market.series, market.skus, market.locations) == (SERIES, SERIES // LOCATIONS, LOCATIONS)
    assert market.bytes == sum(f.stat().st_size for path in market.tables.values() for f in path.iterdir())


def test_every_series_has_sales_supply_and_stock_and_a_title(tables: dict[str, pl.DataFrame]):
    keys = tables["supply"].select(KEY)
    assert keys.height == SERIES
    assert keys.is_unique().all()
    assert_frame_equal(keys, tables["stock"].select(KEY))
    assert_frame_equal(keys, tables["sales"].select(KEY).unique(maintain_order=True))
    assert tables["future"].join(keys, on=KEY, how="anti").is_empty()
    assert set(tables["skus"]["sku"]) == set(keys["sku"])
    assert tables["skus"]["sku"].is_unique().all()


def test_sales_are_sorted_and_hold_only_known_periods(market: Marketplace, tables: dict[str, pl.DataFrame]):
    sales = tables["sales"]
    assert_frame_equal(sales, sales.sort(*KEY, "date", maintain_order=True))
    assert sales["date"].max() == market.as_of == date(2025, 6, 29)
    assert sales["date"].min() == market.as_of - timedelta(days=PERIODS - 1)
    assert tables["future"]["date"].min() > market.as_of


def test_a_period_has_one_row_of_sales_and_at_most_one_of_returns(tables: dict[str, pl.DataFrame]):
    sales = tables["sales"].with_columns(returned=pl.col("units") < 0)
    assert not sales.select(*KEY, "date", "returned").is_duplicated().any()
    share = -sales.filter("returned")["units"].sum() / sales.filter(~pl.col("returned"))["units"].sum()
    assert 0.002 < share < 0.05


def test_values_are_inside_their_bounds(tables: dict[str, pl.DataFrame]):
    sales, supply, stock = tables["sales"], tables["supply"], tables["stock"]
    assert sales.select(pl.col("units", "price", "promo", "in_stock").is_finite().all()).row(0) == (True,) * 4
    assert sales["units"].round().equals(sales["units"])
    assert sales.select((pl.col("promo", "in_stock").is_between(0, 1)).all()).row(0) == (True, True)
    assert sales["price"].min() > 0
    assert (supply["unit_price"] > supply["unit_cost"]).all()
    assert supply["unit_cost"].min() > 0
    assert supply["pack_size"].min() >= 1
    assert (supply["moq"] % supply["pack_size"] == 0).all()
    assert supply["lead_time"].min() >= 0
    assert supply["review_period"].min() >= 1
    assert (supply["max_stock"].drop_nulls() > 0).all()
    assert stock["on_hand"].min() >= 0
    for column in ("lead_time_sd", "order_cost", "moq", "max_stock", "shelf_life"):
        given = (supply[column].fill_null(0) > 0).mean()
        assert 0.02 < given < 0.9, column


def test_what_arrives_is_what_is_on_order(tables: dict[str, pl.DataFrame]):
    stock = tables["stock"].join(tables["supply"].select(*KEY, "pack_size"), on=KEY)
    sums = stock.select(pl.col("arrivals").list.eval(pl.element().struct.field("units")).list.sum()).to_series()
    assert stock["on_order"].equals(sums.rename("on_order"))
    arrivals = stock.filter(pl.col("on_order") > 0).explode("arrivals").unnest("arrivals")
    assert arrivals["step"].min() >= 1
    assert (arrivals["units"] % arrivals["pack_size"] == 0).all()
    assert 0.15 < (stock["on_order"] > 0).mean() < 0.8


def test_future_covers_the_horizon_and_the_own_protection_interval(tables: dict[str, pl.DataFrame]):
    width = tables["future"].group_by(KEY).len("periods").join(tables["supply"], on=KEY)
    full = width["periods"] == Period.DAY.horizon + width["lead_time"] + width["review_period"]
    assert full.mean() > 0.85  # the others end before
    assert (width["periods"] <= 28 + width["lead_time"] + width["review_period"]).all()


def test_events_and_limits_name_what_exists(tables: dict[str, pl.DataFrame]):
    places = set(tables["supply"]["location"])
    assert set(tables["events"]["location"].drop_nulls()) == places
    assert {"Black Friday", "Christmas Day", "Easter Sunday"} <= set(tables["events"]["event"])
    limits = {(resource, scope) for resource, scope, _ in tables["limits"].rows()}
    assert ("capital", "all") in limits
    assert {("volume", f"location={place}") for place in places} <= limits
    (supplier,) = [scope.removeprefix("supplier=") for resource, scope in limits if resource == "units"]
    assert supplier in set(tables["supply"]["supplier"])
    assert tables["limits"]["amount"].min() > 0


def test_titles_fit_their_categories(tables: dict[str, pl.DataFrame]):
    categories = {c.path: c for c in CATEGORIES}
    seen = set()
    for title, path in tables["skus"].select("title", "category").iter_rows():
        department = DEPARTMENTS[path.split("/")[0]]
        brand, kind, noun, size = (
            [w for w in words if w in title]
            for words in (department.brands, department.kinds, categories[path].nouns, [w for w, _ in department.sizes])
        )
        assert title in {f"{b} {k} {n}, {s}" for b in brand for k in kind for n in noun for s in size}, (
            f"{title!r} is no title of {path}"
        )
        seen.add(path)
    assert len(seen) == len(CATEGORIES)


def test_the_configuration_is_ready_for_refresh(market: Marketplace):
    config = load_config(market.configuration)
    assert config.as_of == market.as_of
    assert set(config.inputs.given()) == set(TABLES)
    assert all(Path(p).is_dir() for paths in config.inputs.given().values() for p in paths)


@pytest.mark.parametrize("period", list(Period))
def test_the_checks_of_the_inputs_find_nothing_to_reject(period: Period, tmp_path: Path):
    market = simulate_marketplace(150, 60, tmp_path, period=period, seed=9)
    found = check(load_config(market.configuration)).as_dict()
    for name in TABLES:
        assert found["counts"][name] == {"read": market.rows[name], "used": market.rows[name], "rejected": 0}, name


@pytest.mark.parametrize(("series", "periods"), [(1, 1), (3, 2), (6, 30)])
def test_the_smallest_marketplaces_are_whole(series: int, periods: int, tmp_path: Path):
    market = simulate_marketplace(series, periods, tmp_path, ahead=0)
    found = {name: pl.read_parquet(path / "*.parquet") for name, path in market.tables.items()}
    assert found["sales"].select(KEY).unique().height == series
    assert found["supply"].height == found["stock"].height == series
    assert found["future"].is_empty()
    for name in TABLES:
        assert dict(found[name].schema) == SCHEMAS[name]
