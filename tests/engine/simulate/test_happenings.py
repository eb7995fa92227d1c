from datetime import date, timedelta

import numpy as np
import polars as pl

from fullshelf.engine.calendar import Period
from fullshelf.engine.simulate.attributes import draw_products
from fullshelf.engine.simulate.marketplace import Marketplace
from fullshelf.engine.simulate.seasons import Span

PERIODS = 400
KEY = ["sku", "location"]


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
