"""The backtest of whole shops: money worked out by hand, nothing from the future, the same bytes however it is cut."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.backtest import backtest
from fullshelf.engine.errors import ConfigError, InputError

WEEK = timedelta(weeks=1)
FIRST = date(2023, 1, 2)


def steady(weeks: int, last: float = 5.0) -> pl.DataFrame:
    units = np.full((1, weeks), 5.0)
    units[0, -1] = last
    rows = {"sku": "sku-000", "date": [FIRST + t * WEEK for t in range(weeks)], "units": units[0]}
    return pl.DataFrame(rows)


def supply(**columns: float) -> pl.DataFrame:
    row = {"unit_cost": 2.0, "unit_price": 5.0, "holding_cost": 0.1, "lead_time": 1.0, "order_cost": 1.0} | columns
    return pl.DataFrame({"sku": ["sku-000"], **{name: [value] for name, value in row.items()}})


QUICK = {"rounds": 4, "warm_up": 0, "models": ["seasonal-naive"], "policies": ["textbook"]}


def textbook(found: dict[str, pl.DataFrame]) -> dict[str, Any]:
    return found["series"].filter(pl.col("policy") == "textbook").row(0, named=True)


def test_money_is_what_it_is_by_hand(configure: Callable[..., Any], tables_of: Callable[..., Any]) -> None:
    """Five a week without a doubt, L = 1, R = 1: level 10. Start 10, then 5, 0, 0, 0 left; orders of 5 from round 2."""
    shop = {"sales": steady(60), "supply": supply()}
    config = configure(shop, forecast={"model": "seasonal-naive"}, backtest=QUICK)
    row = textbook(tables_of(config))
    assert (row["holding_cost"], row["shortage_cost"], row["order_cost"]) == pytest.approx((0.5, 0.0, 2.0))
    assert (row["demand"], row["sold"], row["orders"], row["ordered"]) == (20.0, 20.0, 2.0, 15.0)
    assert row["mean_capital"] == pytest.approx(2.0 * 5 / 4)
    assert row["cost"] == pytest.approx(2.5)


def test_what_is_short_costs_and_is_lost_or_owed(configure: Callable[..., Any], tables_of: Callable[..., Any]) -> None:
    """In the last week 9 are wanted and 5 are there."""
    shop = {"sales": steady(60, last=9.0), "supply": supply()}
    for stockout in ("lost", "backorder"):
        config = configure(
            shop, stockout, forecast={"model": "seasonal-naive"}, backtest=QUICK, plan={"stockout": stockout}
        )
        row = textbook(tables_of(config))
        assert row["shortage_cost"] == pytest.approx(4 * 3.0)
        assert row["fill_rate"] == pytest.approx(20 / 24)


def test_goods_past_their_shelf_life_are_thrown_away(
    configure: Callable[..., Any], tables_of: Callable[..., Any]
) -> None:
    """A life of 2: the start stock of 10 is a week old, so 5 are sold in the first week and 5 thrown away."""
    shop = {"sales": steady(60), "supply": supply(shelf_life=2.0)}
    row = textbook(tables_of(configure(shop, forecast={"model": "seasonal-naive"}, backtest=QUICK)))
    assert row["waste_cost"] >= 5 * 2.0
    assert row["wasted"] >= 5.0
    assert row["short"] == 5.0  # the second week: nothing is left, and what was ordered at the end of the first is due


def test_rounds_of_warm_up_do_not_count(configure: Callable[..., Any], tables_of: Callable[..., Any]) -> None:
    shop = {"sales": steady(60), "supply": supply()}
    settings = QUICK | {"rounds": 2, "warm_up": 2}
    found = tables_of(configure(shop, forecast={"model": "seasonal-naive"}, backtest=settings))
    assert textbook(found)["cost"] == pytest.approx(2.0)  # two orders arrive, nothing is left
    assert found["rounds"]["counts"].to_list() == [False] * 4 + [True] * 4
    assert found["rounds"]["round"].unique().sort().to_list() == [-1, 0, 1, 2]


MODELS = {"models": ["negative-binomial"], "policies": ["auto", "textbook"], "rounds": 5, "resamples": 100}


def test_sales_after_an_origin_change_nothing_before_it(
    configure: Callable[..., Any], tables_of: Callable[..., Any], tables: dict[str, pl.DataFrame]
) -> None:
    known = tables_of(configure(tables, forecast={"model": "auto", "horizon": 6}, backtest=MODELS))["rounds"]
    last = tables["sales"]["date"].max()
    since = last - 2 * WEEK  # the last two weeks turn out otherwise
    other = tables["sales"].with_columns(
        units=pl.when(pl.col("date") > since).then(pl.col("units") * 7 + 3).otherwise("units"),
        in_stock=pl.when(pl.col("date") > since).then(0.2).otherwise("in_stock"),
        promo=pl.when(pl.col("date") > since).then(1 - pl.col("promo")).otherwise("promo"),
    )
    shop = tables | {"sales": other}
    changed = tables_of(configure(shop, "changed", forecast={"model": "auto", "horizon": 6}, backtest=MODELS))["rounds"]
    before, at = pl.col("origin") < since, pl.col("origin") <= since
    hindsight = pl.exclude("wql", "lead_wql")  # what came true later decides how good a forecast was
    assert known.filter(before).select(hindsight).equals(changed.filter(before).select(hindsight))
    assert known.filter(at).select("ordered").equals(changed.filter(at).select("ordered"))
    assert not known.filter(~before).select("cost").equals(changed.filter(~before).select("cost"))


@pytest.mark.parametrize("limited", [False, True])
def test_shards_and_threads_change_no_byte(
    configure: Callable[..., Any], tables: dict[str, pl.DataFrame], limited: bool
) -> None:
    if limited:
        tables = tables | {"limits": pl.DataFrame({"resource": ["units"], "scope": ["all"], "amount": [60.0]})}
    found = []
    for shards, threads in ((1, 1), (4, 2)):
        config = configure(
            tables,
            f"shards-{shards}",
            forecast={"model": "negative-binomial", "horizon": 6},
            run={"shards": shards, "threads": threads},
            backtest=MODELS | {"models": ["seasonal-naive"]},
        )
        folder = Path(backtest(config)["folder"])
        found.append({file.name: file.read_bytes() for file in (folder / "backtest").iterdir()})
        found[-1]["name"] = folder.name.encode()
        found[-1]["page"] = (folder / "backtest.html").read_bytes()
        rounds = pl.read_parquet(folder / "backtest" / "rounds.parquet")
        assert (rounds["ordered"].max() <= 60.0) == limited
    assert found[0] == found[1]


def test_the_better_model_wins_where_the_season_is_planted(
    configure: Callable[..., Any], tables_of: Callable[..., Any]
) -> None:
    random = np.random.default_rng(1)
    days, series = 120, 20
    rate = np.where(np.arange(days) % 7 == 5, 30.0, 2.0)
    units = random.poisson(rate, (series, days))
    sales = pl.DataFrame(
        {
            "sku": [f"sku-{s:03d}" for s in range(series) for _ in range(days)],
            "date": [FIRST + timedelta(days=t) for _ in range(series) for t in range(days)],
            "units": units.ravel().astype(float),
        }
    )
    rows = {"unit_cost": 2.0, "unit_price": 5.0, "holding_cost": 0.5, "lead_time": 0.0}
    shop = {"sales": sales, "supply": pl.DataFrame({"sku": [f"sku-{s:03d}" for s in range(series)], **rows})}
    settings = {"every": 1, "rounds": 14, "warm_up": 3, "models": ["croston"], "policies": ["auto"], "resamples": 200}
    config = configure(shop, period="day", forecast={"model": "seasonal-naive", "horizon": 7}, backtest=settings)
    total = tables_of(config)["segments"].filter(pl.col("kind") == "all")
    base, other = total.iter_rows(named=True)
    assert (base["model"], other["model"]) == ("seasonal-naive", "croston")
    assert other["low"] > 0
    assert other["p_better"] == 0
    assert base["wql"] < other["wql"]
    assert base["lead_wql"] < other["lead_wql"]


def test_tables_add_up(
    configure: Callable[..., Any], tables_of: Callable[..., Any], tables: dict[str, pl.DataFrame]
) -> None:
    found = tables_of(configure(tables, forecast={"model": "negative-binomial", "horizon": 6}, backtest=MODELS))
    by = ["model", "policy"]
    series = found["series"].group_by(by).agg(pl.col("cost", "demand", "sold").sum()).sort(by)
    rounds = found["rounds"].filter("counts").group_by(by).agg(pl.col("cost", "demand", "sold").sum()).sort(by)
    for kind in ("all", "category", "class", "abc", "xyz"):
        part = found["segments"].filter(pl.col("kind") == kind)
        sums = part.group_by(by).agg(pl.col("cost", "demand", "sold").sum()).sort(by)
        for column in ("cost", "demand", "sold"):
            np.testing.assert_allclose(sums[column], series[column])
            np.testing.assert_allclose(rounds[column], series[column], atol=1e-4)
    lost = found["series"].select((pl.col("demand") - pl.col("sold") - pl.col("short")).abs().max()).item()
    assert lost < 1e-9
    groups = found["segments"].filter(pl.col("kind") == "category")["segment"].unique().sort().to_list()
    assert groups == ["group 0", "group 1", "no category"]


def test_a_late_series_joins_with_stock_and_counts_from_then(
    configure: Callable[..., Any], tables_of: Callable[..., Any], tables: dict[str, pl.DataFrame]
) -> None:
    found = tables_of(configure(tables, forecast={"model": "negative-binomial", "horizon": 6}, backtest=MODELS))
    late = found["series"].filter(pl.col("sku") == "sku-001")
    sold = tables["sales"].filter(pl.col("sku") == "sku-001").sort("date")["units"]
    assert late["demand"].unique().to_list() == [sold[1:].sum()]  # known from the round at the end of its first week
    assert (late["sold"] > 0).all()


def test_two_configurations_that_are_one_cost_the_same(
    configure: Callable[..., Any], tables: dict[str, pl.DataFrame]
) -> None:
    parts: dict[str, Any] = {"forecast": {"model": "negative-binomial", "horizon": 6}, "backtest": MODELS}
    config = configure(tables, **parts)
    same = backtest(config, config)["contenders"]
    assert [row["config"] for row in same] == ["A", "B"]
    assert (same[1]["difference"], same[1]["low"], same[1]["high"], same[1]["p_better"]) == (0, 0, 0, 0.5)
    other = configure(tables, **parts, plan={"service": 0.6})
    rows = backtest(config, other)["contenders"]
    assert rows[0]["cost"] == same[0]["cost"]
    assert rows[1]["fill_rate"] < rows[0]["fill_rate"]


def test_two_configurations_must_tell_of_the_same_sales(
    configure: Callable[..., Any], tables: dict[str, pl.DataFrame]
) -> None:
    parts: dict[str, Any] = {"forecast": {"model": "seasonal-naive", "horizon": 6}, "backtest": MODELS}
    config = configure(tables, **parts)
    other = configure(tables | {"sales": tables["sales"].with_columns(pl.col("units") + 1)}, "other", **parts)
    with pytest.raises(ConfigError, match="different sales"):
        backtest(config, other)
    assert not Path(config.output).exists()


def test_more_rounds_than_history_are_refused_with_the_number_that_fits(
    configure: Callable[..., Any], tables: dict[str, pl.DataFrame]
) -> None:
    config = configure(tables, forecast={"model": "seasonal-naive"}, backtest={"rounds": 200})
    with pytest.raises(InputError, match=r"backtest\.rounds to at most 66"):
        backtest(config)
    assert not Path(config.output).exists()
