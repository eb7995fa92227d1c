"""Overrides: read, rejected, followed by forecasts and orders, told, and judged once the sales are known."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.calendar import Period
from fullshelf.engine.config import Config, parse_config
from fullshelf.engine.forecast import Forecast
from fullshelf.engine.override_ledger import RESULTS, judged
from fullshelf.engine.overrides import Overrides, adjusted, rows_of
from fullshelf.engine.panel import Panel
from fullshelf.engine.refresh import refresh
from fullshelf.kernels.levels import level_array

MONDAY = date(2024, 1, 1)
WEEKS = 60
AS_OF = MONDAY + timedelta(weeks=WEEKS - 1)
ITEMS = ("cup", "mug", "pan", "pot")


def week(k: int) -> date:
    """Return the Monday k weeks after the as-of week."""
    return AS_OF + timedelta(weeks=k)


@pytest.fixture
def shop(tmp_path: Path) -> Callable[..., Config]:
    """Return the configuration of four items in two places, with overrides and limits as given."""
    random = np.random.default_rng(5)
    keys = [(sku, place) for sku in ITEMS for place in ("north", "south")]
    sales = pl.DataFrame(
        [
            (sku, place, MONDAY + timedelta(weeks=t), float(units))
            for sku, place in keys
            for t, units in enumerate(random.poisson(20, WEEKS + 4))
        ],
        schema=["sku", "location", "date", "units"],
        orient="row",
    )
    supply = pl.DataFrame({"sku": ITEMS, "unit_cost": 2.0, "unit_price": 5.0, "lead_time": 1.0})
    stock = pl.DataFrame(keys, schema=["sku", "location"], orient="row").with_columns(on_hand=pl.lit(25.0))

    def made(overrides: dict[str, Any] | None = None, as_of: date = AS_OF, **tables: pl.DataFrame) -> Config:
        given = {"sales": sales, "supply": supply, "stock": stock, **tables}
        if overrides is not None:
            given["overrides"] = pl.DataFrame(overrides)
        for name, frame in given.items():
            frame.write_parquet(tmp_path / f"{name}.parquet")
        return parse_config(
            {
                "period": "week",
                "as_of": as_of,
                "output": "runs",
                "inputs": {name: f"{name}.parquet" for name in given},
                "run": {"shards": 2, "threads": 1},
            },
            tmp_path,
        )

    return made


def table(run: dict[str, Any], name: str) -> pl.DataFrame:
    return pl.read_parquet(Path(run["folder"]) / name / "*.parquet").sort("sku", "location", maintain_order=True)


def of(frame: pl.DataFrame, sku: str, location: str) -> pl.DataFrame:
    return frame.filter(pl.col("sku") == sku, pl.col("location") == location)


def test_orders_and_forecasts_follow_what_persons_set_and_others_keep_every_bit(shop: Callable[..., Config]) -> None:
    plain = refresh(shop())
    said = refresh(
        shop(
            {
                "sku": ["cup", "mug", "pan", "pot"],
                "location": ["north", None, "south", "north"],
                "from": [AS_OF, week(1), week(1), week(-5)],
                "to": [AS_OF, week(3), None, week(-2)],
                "quantity": [500.0, None, None, 7.0],
                "factor": [None, 2.0, None, None],
                "level": [None, None, 100.0, None],
                "who": ["Ann", "Bob", None, "Ann"],
                "why": ["fair in town", None, "new shop", "long ago"],
            }
        )
    )
    orders, before = table(said, "orders"), table(plain, "orders")
    forecasts, earlier = table(said, "forecasts"), table(plain, "forecasts")
    assert of(orders, "cup", "north")["order_quantity"].item() == 500
    reason = of(orders, "cup", "north")["reason"].item()
    assert reason.startswith("Override: order of 500 until 2025-02-17 by Ann (fair in town). Order 500, as a person")
    for place in ("north", "south"):
        double = of(forecasts, "mug", place)["mean"] / of(earlier, "mug", place)["mean"]
        assert double.to_list() == pytest.approx([2, 2, 2, *[1] * 10])
        assert of(orders, "mug", place)["order_quantity"].item() > of(before, "mug", place)["order_quantity"].item()
        assert "Override: demand × 2" in of(orders, "mug", place)["reason"].item()
    assert of(forecasts, "pan", "south")["mean"].to_list() == pytest.approx([100.0] * 13)
    assert of(forecasts, "pan", "south")["q0.5"][0] == pytest.approx(100, rel=0.1)
    assert "demand of 100 a period by a person (new shop)" in of(orders, "pan", "south")["reason"].item()
    for sku, place in (("cup", "south"), ("pan", "north"), ("pot", "north"), ("pot", "south")):
        for now, then in ((orders, before), (forecasts, earlier)):
            assert of(now, sku, place).equals(of(then, sku, place))
    kept = table(said, "overrides")
    assert kept.select("sku", "location").rows() == [
        ("cup", "north"), ("mug", "north"), ("mug", "south"), ("pan", "south")
    ]  # fmt: skip
    assert of(kept, "cup", "north")["without"].item() == of(before, "cup", "north")["order_quantity"].item()
    assert said["counts"]["tables"]["overrides"] == {"read": 4, "used": 4, "rejected": 0}


def test_bad_rows_are_rejected_with_the_rule_that_they_break(shop: Callable[..., Config]) -> None:
    rows = {
        "sku": ["cup", "cup", "tub", "cup", "cup", None],
        "from": [None, None, None, week(3), None, None],
        "to": [None, None, None, week(1), None, None],
        "quantity": [1.0, None, 1.0, 1.0, -2.0, 1.0],
        "factor": [2.0, None, None, None, None, None],
    }
    rejects = pl.read_parquet(Path(refresh(shop(rows))["folder"]) / "rejects" / "*.parquet")
    found = rejects.filter(pl.col("table") == "overrides")
    assert dict(found.select("row", "rule").rows()) == {
        1: "change_twice", 2: "change_missing", 3: "no_sales", 4: "to_before_from", 5: "quantity_negative",
        6: "sku_missing",
    }  # fmt: skip


def test_what_an_override_cost_or_saved_is_told_once_the_sales_are_known(shop: Callable[..., Config]) -> None:
    rows = {"sku": ["cup"], "location": ["north"], "from": [AS_OF], "to": [AS_OF], "quantity": [400.0], "who": ["Ann"]}
    first = refresh(shop(rows))
    assert not (Path(first["folder"]) / "override_results").exists()
    early = table(refresh(shop(rows, as_of=week(1))), "override_results")
    assert early["cost"].to_list() == [None]
    late = table(refresh(shop(rows, as_of=week(2))), "override_results")
    assert late.select("sku", "as_of", "ordered").rows() == [("cup", AS_OF, 400.0)]
    sold = pl.read_parquet(shop().inputs.sales[0]).filter(
        pl.col("sku") == "cup", pl.col("location") == "north", pl.col("date").is_between(week(1), week(2))
    )["units"]
    left = max(25 - sold[0], 0)
    for name, ordered in (("cost", 400.0), ("cost_without", late["without"].item())):
        there = left + ordered
        by_hand = 3 * max(sold[1] - there, 0) + 2 * 0.25 / (365.25 / 7) * max(there - sold[1], 0)
        assert late[name].item() == pytest.approx(by_hand)
    assert late["cost"].item() > late["cost_without"].item()
    page = Path(refresh(shop(rows, as_of=week(2)))["folder"], "report.html").read_text()
    assert "Overrides" in page
    assert "Ann" in page


def forecast_of(mean: float, horizon: int = 3) -> Forecast:
    levels = level_array()
    shape = (np.arange(levels.size) / 6).astype(np.float32) * np.float32(mean)
    means = np.full((1, horizon), mean, np.float32)
    return Forecast(levels, np.tile(shape, (1, horizon, 1)), means, np.cumsum(np.tile(shape, (1, horizon, 1)), axis=1))


def rows_for(*rows: tuple[Any, ...]) -> pl.DataFrame:
    table = pl.DataFrame(
        [("cup", *row, None, None, i) for i, row in enumerate(rows)],
        schema=["sku", "location", "first", "last", "kind", "value", "who", "why", "order"],
        orient="row",
        schema_overrides={"location": pl.String, "who": pl.String, "why": pl.String},
    )
    found = rows_of(Overrides(table), pl.DataFrame({"sku": ["cup"], "location": ["north"]}), 0, 3)
    assert found is not None
    return found


def test_totals_are_stretched_by_their_own_mean() -> None:
    before = forecast_of(10)
    after = adjusted(before, rows_for((None, 2, 2, "factor", 4.0)), 0)
    assert after.mean[0].tolist() == [10, 40, 10]
    assert before.cumulative is not None
    assert after.cumulative is not None
    stretched = before.cumulative[0] * np.array([1, 2.5, 2])[:, None]
    assert after.cumulative[0] == pytest.approx(stretched, rel=1e-5)
    assert before.mean[0].tolist() == [10, 10, 10]


def test_a_row_for_the_location_wins_and_then_the_first() -> None:
    rows = rows_for((None, 1, 3, "level", 5.0), ("north", 2, 2, "level", 7.0), ("north", 2, 3, "level", 9.0))
    assert adjusted(forecast_of(10), rows, 0).mean[0].tolist() == [5, 7, 9]


def test_a_level_for_what_never_sold_has_a_spread() -> None:
    after = adjusted(forecast_of(0), rows_for((None, 1, 3, "level", 8.0)), 0)
    assert after.mean[0].tolist() == [8, 8, 8]
    assert after.quantiles[0, 0, 0] < 6 < after.quantiles[0, 0, -1]
    assert after.cumulative is not None
    assert (np.diff(after.cumulative[0], axis=0) >= 0).all()


def test_a_verdict_waits_for_the_protection_interval_and_forgets_who_is_gone() -> None:
    panel = Panel(
        pl.DataFrame({"sku": ["cup"], "location": ["all"]}), np.float32([4] * 10), np.ones(10, np.float32),
        np.zeros((10, 0), np.float32), (), np.array([0, 10]), Period.DAY, Period.DAY.number_of(date(2024, 5, 10)),
    )  # fmt: skip
    row = {
        "sku": "cup", "location": "all", "as_of": date(2024, 5, 6), "override": "", "ordered": 10.0, "without": 2.0,
        "lead": 1, "review": 2, "life": 0, "holding": 1.0, "shortage": 3.0, "waste": 0.0, "ends": False, "on_hand": 3.0,
        "owed": 0.0, "arrivals": [{"step": 1, "units": 2.0}], "cost": None, "cost_without": None,
    }  # fmt: skip
    before = pl.DataFrame([row, row | {"as_of": date(2024, 5, 8)}, row | {"sku": "gone"}], schema=RESULTS)
    found = judged(before, panel, backorder=False)
    # 3 + 2 - 4 leave 1; with 10: 7 and 3 left. With 2: 1 short, then 4 short, lost
    assert found["cost"].to_list() == [10.0, None]
    assert found["cost_without"].to_list() == [15.0, None]
    owed = judged(before, panel, backorder=True)
    assert owed["cost_without"].to_list() == [18.0, None]


def test_what_is_left_of_an_item_that_a_person_has_ended_is_thrown_away_in_hindsight() -> None:
    """One period on the way, two to sell in: 1 unit left of the stock, 4 or none of the order."""
    row = {
        "sku": "cup", "location": "all", "as_of": date(2024, 5, 6), "override": "", "ordered": 0.0, "without": 4.0,
        "lead": 1, "review": 2, "life": 0, "holding": 1.0, "shortage": 3.0, "waste": 5.0, "ends": True, "on_hand": 3.0,
        "owed": 0.0, "arrivals": [], "cost": None, "cost_without": None,
    }  # fmt: skip
    before = pl.DataFrame([row], schema=RESULTS)
    for since, cost, without in (([2, 0, 0], 1 * 2 + 5 * 1, 5 * 2 + 5 * 5), ([2, 0, 1], 1.0, 5.0 + 4.0)):
        units = np.float32([4] * 6 + since)
        panel = Panel(
            pl.DataFrame({"sku": ["cup"], "location": ["all"]}), units, np.ones(9, np.float32),
            np.zeros((9, 0), np.float32), (), np.array([0, 9]), Period.DAY, Period.DAY.number_of(date(2024, 5, 9)),
        )  # fmt: skip
        found = judged(before, panel, backorder=False)
        assert found.select("cost", "cost_without").row(0) == (cost, without)  # sold again: it was no end
    assert judged(before.drop("ends"), panel, backorder=False)["cost"].item() == 1.0


def test_a_factor_of_0_for_ever_is_an_end_in_the_ledger(shop: Callable[..., Config]) -> None:
    rows = {"sku": ["cup", "mug"], "from": [week(1)] * 2, "to": [None, week(1)], "factor": [0.0, 0.0]}
    made = refresh(shop(rows))
    found = pl.read_parquet(Path(made["folder"]) / "overrides" / "*.parquet")
    assert found.group_by("sku").agg(pl.col("ends").all()).sort("sku")["ends"].to_list() == [True, False]


def test_a_persons_order_stands_beside_the_limits(shop: Callable[..., Config]) -> None:
    limits = pl.DataFrame({"resource": ["units"], "scope": ["all"], "amount": [60.0]})
    rows = {"sku": ["cup"], "location": ["north"], "quantity": [500.0], "who": ["Ann"]}
    run = refresh(shop(rows, limits=limits))
    orders = table(run, "orders")
    assert of(orders, "cup", "north")["order_quantity"].item() == 500
    others = orders.filter(~((pl.col("sku") == "cup") & (pl.col("location") == "north")))
    assert 50 <= others["order_quantity"].sum() <= 60
    assert run["limits"][0]["used"] <= 60


def test_an_order_before_a_promotion_is_larger(shop: Callable[..., Config]) -> None:
    """Every sixth week was a promotion that doubled demand; the two weeks after the as-of week are one."""
    sales = pl.read_parquet(shop().inputs.sales[0]).with_columns(
        promo=(((pl.col("date") - MONDAY).dt.total_days() // 7) % 6 == 0).cast(pl.Float64)
    )
    sales = sales.with_columns(units=pl.col("units") * (1 + pl.col("promo")))
    keys = sales.select("sku", "location").unique()
    ahead = [keys.with_columns(date=pl.lit(week(k)), promo=pl.lit(1.0 if k in (1, 2) else 0.0)) for k in range(1, 9)]
    planned = pl.concat(ahead)
    with_promo = table(refresh(shop(sales=sales, future=planned)), "orders")
    without = table(refresh(shop(sales=sales, future=planned.with_columns(promo=pl.lit(0.0)))), "orders")
    grown = with_promo["expected_demand"] / without["expected_demand"]
    assert grown.min() > 1.5
    assert (with_promo["order_quantity"] > without["order_quantity"] + 10).all()


def test_no_order_outlives_an_item_that_ends(shop: Callable[..., Config]) -> None:
    """Lead time and review are a week each: an order of today is for the second week after it."""
    rows = {"sku": ["cup", "mug"], "from": [week(2), week(3)], "factor": [0.0, 0.0], "why": ["delisted", "delisted"]}
    orders = table(refresh(shop(rows)), "orders")
    assert orders.filter(pl.col("sku") == "cup")["order_quantity"].to_list() == [0, 0]
    assert (orders.filter(pl.col("sku") != "cup")["order_quantity"] > 0).all()
