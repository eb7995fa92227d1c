import hashlib
import json
from datetime import date, timedelta
from pathlib import Path

import numba
import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from fullshelf.engine.calendar import Period
from fullshelf.engine.config import load_config
from fullshelf.engine.errors import Interrupted, UsageError
from fullshelf.engine.intake import check
from fullshelf.engine.simulate import marketplace as module
from fullshelf.engine.simulate.attributes import draw_products
from fullshelf.engine.simulate.catalogue import CATEGORIES, DEPARTMENTS
from fullshelf.engine.simulate.marketplace import TABLES, Marketplace, parts, simulate_marketplace
from fullshelf.engine.simulate.seasons import Span

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


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Marketplace:
    return simulate_marketplace(SERIES, PERIODS, tmp_path_factory.mktemp("market"), seed=4, truth=True)


@pytest.fixture(scope="module")
def tables(market: Marketplace) -> dict[str, pl.DataFrame]:
    return {name: pl.read_parquet(path / "*.parquet") for name, path in market.tables.items()}


def fingerprint(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def read(market: Marketplace) -> dict[str, pl.DataFrame]:
    return {name: pl.read_parquet(path / "*.parquet") for name, path in market.tables.items()}


# --- determinism and memory


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path: Path):
    a, b, c = (
        simulate_marketplace(60, 90, tmp_path / name, seed=seed, truth=True)
        for name, seed in (("a", 7), ("b", 7), ("c", 8))
    )
    assert fingerprint(a.folder) == fingerprint(b.folder)
    for name in ("sales", "supply", "stock", "future"):
        assert fingerprint(a.tables[name]) != fingerprint(c.tables[name])


def test_the_size_of_a_part_changes_no_row(tmp_path: Path):
    whole = simulate_marketplace(83, 60, tmp_path / "whole", locations=4, truth=True)
    parted = simulate_marketplace(83, 60, tmp_path / "parted", locations=4, truth=True, part_series=7)
    assert len(list(parted.tables["sales"].iterdir())) == 12
    assert whole.rows == parted.rows
    a, b = read(whole), read(parted)
    for name, frame in a.items():
        assert_frame_equal(frame, b[name])


def test_threads_change_no_byte(tmp_path: Path):
    two = simulate_marketplace(40, 60, tmp_path / "two")
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        one = simulate_marketplace(40, 60, tmp_path / "one")
    finally:
        numba.set_num_threads(before)
    assert fingerprint(one.folder) == fingerprint(two.folder)


def test_more_series_do_not_change_the_ones_that_were_there(tmp_path: Path):
    few = read(simulate_marketplace(30, 60, tmp_path / "few", locations=3))
    many = read(simulate_marketplace(90, 60, tmp_path / "many", locations=3))
    for name in ("sales", "supply", "stock", "future", "skus"):
        keys = few["skus"].select("sku")
        assert_frame_equal(few[name], many[name].join(keys, on="sku", how="semi", maintain_order="left"))


def test_no_more_than_one_part_is_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sizes = []
    play = module.play

    def watched(numbers, *rest):
        sizes.append(numbers.size)
        return play(numbers, *rest)

    monkeypatch.setattr(module, "play", watched)
    monkeypatch.setattr(module, "_CELLS", 1000)
    simulate_marketplace(50, 30, tmp_path, ahead=20)
    assert max(sizes) <= 1000 // 50
    assert sum(sizes) == 50


def test_parts_cover_every_series_once():
    assert [n for part in parts(23, 5) for n in part] == list(range(23))
    assert max(part.size for part in parts(23, 5)) == 5
    assert list(parts(0, 5)) == []


# --- the contract


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


# --- what happened


def test_sales_are_censored_demand(tables: dict[str, pl.DataFrame], market: Marketplace):
    sold = tables["sales"].filter(pl.col("units") >= 0)
    truth = tables["truth"].filter(pl.col("date") <= market.as_of)
    both = truth.join(sold, on=[*KEY, "date"], how="left")
    assert both.height == truth.height
    assert sold.join(truth, on=[*KEY, "date"], how="anti").is_empty()
    missing = both.filter(pl.col("units").is_null())
    assert (missing["demand"] == 0).all()
    there = both.filter(pl.col("units").is_not_null())
    assert (there["units"] <= there["demand"]).all()
    in_stock = there.filter(pl.col("in_stock") == 1)
    assert in_stock["units"].equals(in_stock["demand"].rename("units"))
    lost = 1 - there["units"].sum() / truth["demand"].sum()
    assert 0.03 < lost < 0.25
    assert 0.02 < (there["in_stock"] < 1).sum() / truth.height < 0.15


def test_most_series_are_intermittent_and_some_sell_every_day(tables: dict[str, pl.DataFrame]):
    series = (
        tables["truth"]
        .group_by(KEY)
        .agg(
            mean=pl.col("demand").mean(),
            zeros=(pl.col("demand") == 0).mean(),
            spread=pl.col("demand").var() / pl.col("demand").mean(),
        )
    )
    assert 0.45 < (series["zeros"] > 0.5).mean() < 0.85
    assert (series["zeros"] < 0.05).mean() > 0.02
    assert 0.1 < (series["spread"] > 3).mean() < 0.5
    assert series["mean"].quantile(0.99) > 20 * series["mean"].median()


def test_products_come_and_go(tables: dict[str, pl.DataFrame], market: Marketplace):
    begin = market.as_of - timedelta(days=PERIODS - 1)
    life = tables["truth"].group_by("sku").agg(first=pl.col("date").min(), last=pl.col("date").max())
    assert 0.2 < (life["first"] > begin).mean() < 0.4
    assert 0.03 < (life["last"] <= market.as_of).mean() < 0.2
    launched = tables["skus"].join(life, on="sku").filter(pl.col("first") > begin)
    assert (launched["launch_date"] == launched["first"]).all()


def test_promotions_sell_more_at_a_lower_price(tables: dict[str, pl.DataFrame]):
    sales = tables["sales"].filter(pl.col("units") >= 0, pl.col("in_stock") == 1)
    truth = tables["truth"].join(sales, on=[*KEY, "date"])
    by_sku = truth.group_by(*KEY, promoted=pl.col("promo") > 0).agg(pl.col("expected", "price").mean())
    pairs = by_sku.filter("promoted").join(by_sku.filter(~pl.col("promoted")), on=KEY, suffix="_plain")
    assert pairs.height > 200
    assert (pairs["price"] < pairs["price_plain"]).mean() > 0.95
    assert (pairs["expected"] / pairs["expected_plain"]).median() > 1.2


def test_seasons_and_holidays_show_in_the_categories_that_have_them(tables: dict[str, pl.DataFrame]):
    truth = tables["truth"].join(tables["skus"], on="sku")

    def ratio(where: str, busy: pl.Expr, quiet: pl.Expr) -> float:
        """Median over the series of what is expected on busy days, relative to quiet days."""
        own = truth.filter(pl.col("category").str.starts_with(where)).group_by(KEY)
        means = own.agg(pl.col("expected").filter(c).mean().alias(n) for n, c in (("busy", busy), ("quiet", quiet)))
        return means.filter(pl.col("quiet") > 0).select(pl.col("busy") / pl.col("quiet")).to_series().median()

    december = pl.col("date").is_between(date(2024, 12, 1), date(2024, 12, 22))
    spring = pl.col("date").is_between(date(2025, 3, 1), date(2025, 4, 30))
    weekend = pl.col("date").dt.weekday() >= 6
    assert ratio("Toys/B", december, spring) > 2
    assert ratio("Garden", december, spring) < 0.5
    assert ratio("Electronics", pl.col("date") == date(2024, 11, 29), spring) > 2
    assert ratio("Fresh/Bakery", weekend, ~weekend) > 1.2
    assert ratio("Office", weekend, ~weekend) < 0.8
    assert ratio("", pl.col("date") == date(2024, 12, 25), spring) < 0.6


def test_words_of_a_title_carry_demand_and_price():
    """A model that reads titles has something to learn: within a category, brands differ by more than chance."""
    products = draw_products(1, np.arange(20_000), Span(Period.DAY, 19_000, 300, 340))
    frame = pl.DataFrame({name: getattr(products, name) for name in ("category", "brand", "rate", "price")})
    for column in ("rate", "price"):
        log = frame.with_columns(pl.col(column).log() - pl.col(column).log().mean().over("category"))
        groups = log.group_by("category", "brand").agg(n=pl.len(), mean=pl.col(column).mean(), var=pl.col(column).var())
        within = (groups["var"] * (groups["n"] - 1)).sum() / (groups["n"] - 1).sum()
        between = (groups["n"] * groups["mean"] ** 2).sum() / groups.height
        assert between > 3 * within, column


# --- other shapes


@pytest.mark.parametrize(("period", "periods"), [(Period.WEEK, 110), (Period.MONTH, 40)])
def test_weeks_begin_on_monday_and_months_on_their_first_day(period: Period, periods: int, tmp_path: Path):
    market = simulate_marketplace(200, periods, tmp_path, period=period, truth=True)
    found = read(market)
    dates = pl.concat([found[name]["date"] for name in ("sales", "future", "truth")]).unique()
    assert [period.start(period.number_of(d)) for d in dates] == dates.to_list()
    assert found["sales"]["date"].max() == market.as_of
    assert period.number_of(market.as_of) - period.number_of(found["truth"]["date"].min()) == periods - 1
    assert found["sales"]["promo"].is_between(0.01, 0.99).any()
    assert (found["supply"]["lead_time"] <= 40 / (365.25 / period.per_year) + 1).all()


def test_rows_for_zero_sales_are_written_on_demand(tmp_path: Path):
    lean = read(simulate_marketplace(40, 80, tmp_path / "lean"))
    full = read(simulate_marketplace(40, 80, tmp_path / "full", zeros=True, truth=True))
    sold = full["sales"].filter(pl.col("units") >= 0)
    known = full["truth"].filter(pl.col("date") <= date(2025, 6, 29))
    assert_frame_equal(sold.select(*KEY, "date"), known.select(*KEY, "date"))
    assert_frame_equal(
        lean["sales"], full["sales"].join(lean["sales"], on=[*KEY, "date", "units"], how="semi", maintain_order="left")
    )
    left_out = full["sales"].join(lean["sales"], on=[*KEY, "date"], how="anti")
    assert left_out.height > 100
    assert (left_out["units"] == 0).all()
    assert (left_out["in_stock"] == 1).all()


@pytest.mark.parametrize(("series", "periods"), [(1, 1), (3, 2), (6, 30)])
def test_the_smallest_marketplaces_are_whole(series: int, periods: int, tmp_path: Path):
    market = simulate_marketplace(series, periods, tmp_path, ahead=0)
    found = read(market)
    assert found["sales"].select(KEY).unique().height == series
    assert found["supply"].height == found["stock"].height == series
    assert found["future"].is_empty()
    for name in TABLES:
        assert dict(found[name].schema) == SCHEMAS[name]


# --- files


def test_nothing_stands_at_its_final_name_before_all_is_written(tmp_path: Path):
    seen: list[int] = []

    def look(stage: str, done: int, total: int | None) -> None:
        assert (stage, total) == ("simulate", 20)
        seen.append(done)
        assert not any((tmp_path / name).exists() for name in TABLES)

    simulate_marketplace(20, 30, tmp_path, part_series=6, progress=look)
    assert seen == [0, 6, 12, 18, 20]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([*TABLES, "fullshelf.yaml"])


def test_a_simulation_that_breaks_off_leaves_nothing_behind(tmp_path: Path):
    def stop(stage: str, done: int, total: int | None) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_marketplace(20, 30, tmp_path, part_series=5, progress=stop)
    assert not list(tmp_path.iterdir())


def test_a_simulation_asks_between_its_parts_whether_to_stop(tmp_path: Path):
    asked: list[int] = []

    def stop() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise Interrupted("stop")

    with pytest.raises(Interrupted):
        simulate_marketplace(20, 30, tmp_path, part_series=5, stop=stop)
    assert len(asked) == 3
    assert not list(tmp_path.iterdir())


def test_what_was_made_can_be_read_by_machines_and_by_people(market: Marketplace):
    values = json.loads(json.dumps(market.as_dict()))
    assert values["rows"]["supply"] == SERIES
    assert values["as_of"] == "2025-06-29"
    assert values["bytes"] > 100_000
    assert f"fullshelf refresh {market.configuration}" in market.text()


def test_tables_that_are_there_are_replaced_only_on_purpose(tmp_path: Path):
    simulate_marketplace(30, 30, tmp_path, part_series=10, truth=True)
    with pytest.raises(UsageError, match=r"sales is there already; choose another folder"):
        simulate_marketplace(10, 30, tmp_path)
    again = simulate_marketplace(10, 30, tmp_path, overwrite=True)
    assert len(list((tmp_path / "sales").iterdir())) == 1
    assert not (tmp_path / "truth").exists()
    assert read(again)["supply"].height == 10


def test_files_that_are_not_of_a_simulation_are_never_removed(tmp_path: Path):
    mine = tmp_path / "sales" / "mine.csv"
    mine.parent.mkdir()
    mine.write_text("sku,date,units\n")
    with pytest.raises(UsageError, match=r"mine\.csv is not of a simulation"):
        simulate_marketplace(10, 30, tmp_path, overwrite=True)
    assert mine.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"series": 0}, "series must be 1"),
        ({"periods": 0}, "periods must be 1"),
        ({"locations": 0}, "locations must be 1"),
        ({"ahead": -1}, "ahead must be 0"),
        ({"seed": -1}, "seed must be 0"),
    ],
)
def test_numbers_out_of_bounds_are_named(arguments: dict[str, int], message: str, tmp_path: Path):
    with pytest.raises(UsageError, match=message):
        simulate_marketplace(**({"series": 5, "periods": 5} | arguments), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
