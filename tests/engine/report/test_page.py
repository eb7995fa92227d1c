import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest

from fullshelf.engine.calendar import Period
from fullshelf.engine.report import write_report
from fullshelf.engine.report.page import build
from fullshelf.engine.report.style import STYLE

VOID = {"meta", "link", "br", "rect", "path", "circle"}


class Outline(HTMLParser):
    """Notes the words of a page, every address in it, and elements that are not closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words, self.addresses, self.open, self.ids, self.tags = "", [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [
            v for k, v in attrs if k in ("href", "src", "action", "data", "poster", "srcset", "xlink:href")
        ]
        self.ids += [v for k, v in attrs if k == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.words += data


def words(facts) -> str:
    return re.sub(r"\s+", " ", Outline(build(facts)).words.replace(STYLE, ""))


def test_the_page_says_what_the_tables_say(facts):
    page = words(facts)
    orders = facts.orders.collect().join(facts.values.collect(), on=["sku", "location"])
    value = (orders["order_quantity"] * orders["unit_cost"]).sum()
    placed = (orders["order_quantity"] > 0).sum()
    assert f"{placed} of 240 series get an order: {orders['order_quantity'].sum():,.0f} units" in page
    assert f"worth {value:,.0f} EUR" in page
    assert "4 series of 244 without a usable row of supply" in page
    assert "206 input rows rejected" in page
    assert "unit_cost is negative" in page
    assert "100017-M: -3.5, row 17" in page
    assert "1,204 rows of sales are returns" in page
    assert "6,000 forecasts of one series and one day" in page
    assert "2 limits hold back the orders of" in page
    assert "1.3 GB" in page
    assert "38.9 s" in page


def test_every_example_shows_its_reason_and_its_pictures(facts):
    page = Outline(build(facts))
    assert page.tags.count("article") == 12
    reasons = facts.orders.select("reason").collect()["reason"].to_list()
    assert sum(reason in page.words for reason in set(reasons)) >= 12
    labels = re.findall(r'<svg[^>]* role="img" aria-label="([^"]+)"', build(facts))
    assert len(labels) == 12 * 2 + 4 + 1  # fan and interval of each example, four distributions, coverage
    assert all(len(label) > 20 for label in labels)


def test_the_page_is_whole_and_needs_nothing_else(facts):
    page = Outline(build(facts))
    assert page.open == []
    assert "script" not in page.tags
    assert {a for a in page.addresses if not a.startswith("#")} == {"data:,"}
    assert "url(" not in STYLE
    assert "@import" not in STYLE
    assert len(set(page.ids)) == len(page.ids)
    assert {a[1:] for a in page.addresses if a.startswith("#")} <= set(page.ids)


def test_the_same_facts_give_the_same_bytes(facts, tmp_path):
    for name in ("a", "b"):
        write_report(tmp_path / name, facts)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


@pytest.mark.parametrize("series", [0, 1, 2])
def test_a_tiny_or_empty_run_has_a_page_too(facts_of, series):
    facts = facts_of(series, limits=None, hindsight=None)
    page = words(replace(facts, rejects=facts.rejects.head(0)))
    assert not re.search(r"\b(nan|inf|none|null)\b", page.lower())
    assert ("No order was worked out" in page) == (series == 0)
    assert "Nothing to compare yet" in page
    assert "The run" in page


def test_what_is_not_there_is_said_in_words(facts_of):
    facts = facts_of(30)
    facts = replace(
        facts,
        orders=facts.orders.with_columns(
            order_quantity=pl.lit(0.0), fill_rate=pl.lit(0.99), shadow_price=pl.lit(0.0), order_up_to=pl.lit(1e9)
        ),
        values=facts.values.with_columns(on_hand=pl.lit(1e6), overdue=pl.lit(0.0), surprise=None),
        rejects=facts.rejects.head(0),
        hindsight=facts.hindsight.head(0),
        limits=facts.limits.with_columns(shadow_price=pl.lit(0.0)),
        run={k: v for k, v in facts.run.items() if k in ("as_of", "period")},
    )
    page = words(facts)
    assert "Nothing needs to be ordered" in page
    assert "Nothing. No series is an exception and no row was rejected." in page
    assert "No row was rejected." in page
    assert "No limit holds an order back." in page
    assert "Nothing to compare yet" in page


def test_a_run_with_lost_shards_says_so_first_and_names_the_errors(facts_of):
    facts = facts_of(5)
    run = {**facts.run, "quarantined": {"17": "ComputeError: <b>bad</b> shard"}}
    page = words(replace(facts, run=run))
    assert page.index("1 shard of 2 failed and was left out") < page.index("Orders placed")
    assert "ComputeError: <b>bad</b> shard" in page


def test_without_costs_and_stock_the_page_counts_units(facts):
    page = words(replace(facts, values=None, currency=""))
    assert "Units ordered" in page
    assert "Where the units go" in page
    assert "Order value" not in page
    assert "tied up" not in page


@pytest.mark.parametrize(
    ("period", "title"),
    [(Period.WEEK, "Orders as of the week of 2 June 2025"), (Period.MONTH, "Orders as of June 2025")],
)
def test_weeks_and_months_are_named_as_such(tmp_path, facts, period, title):
    start = {Period.WEEK: "2025-06-02", Period.MONTH: "2025-06-01"}[period]
    facts = replace(facts, run={**facts.run, "period": period.value, "as_of": start})
    page = words(facts)
    assert title in page
    assert f"units per {period}" in page
    assert {"week": "Last week’s forecasts", "month": "Last month’s forecasts"}[period] in page


def test_every_word_of_a_user_is_escaped(facts_of):
    facts = facts_of(12)
    attack = '"><script>alert(1)</script>&<img src=//x onerror=a()>\x00\x1b'
    rejects = facts.rejects.with_columns(
        pl.col("table", "key", "rule", "value").map_elements(lambda _: attack, pl.String)
    )
    orders = facts.orders.with_columns(
        reason=pl.lit(attack), sku=pl.format("{}{}", pl.col("sku"), pl.lit(attack)), policy=pl.lit(attack)
    )
    rename = pl.format("{}{}", pl.col("sku"), pl.lit(attack))
    facts = replace(
        facts,
        orders=orders,
        rejects=rejects,
        forecasts=facts.forecasts.with_columns(sku=rename),
        lead_time_demand=facts.lead_time_demand.with_columns(sku=rename),
        values=facts.values.with_columns(sku=rename, title=pl.lit(attack), category=pl.lit(attack)),
        history=lambda keys: pl.DataFrame(),
        limits=facts.limits.with_columns(scope=pl.lit("supplier=" + attack)),
        currency=attack,
        run={**facts.run, "run": attack, "model": attack, "quarantined": {attack: attack}, "seconds": {attack: 1.0}}
        | {"machine": {attack: attack}, "versions": {attack: attack}, "configuration": {attack: attack}},
    )
    page = build(facts)
    outline = Outline(page)
    assert not {"script", "img"} & set(outline.tags)
    assert outline.open == []
    assert "\x00" not in page
    assert attack[:-2] in outline.words


def test_passwords_in_addresses_are_not_shown(facts_of):
    facts = facts_of(2)
    run = {**facts.run, "configuration": {"inputs": {"sales": ["s3://key:secret@bucket/sales.parquet"]}}}
    page = build(replace(facts, run=run))
    assert "secret" not in page
    assert "s3://…@bucket/sales.parquet" in page


def test_the_page_stays_below_a_megabyte_whatever_is_in_it(facts_of):
    facts = facts_of(150, examples=100)
    long, rng = "Ünïcode <&> " * 400, np.random.default_rng(0)
    H = 1024
    keys = facts.orders.select("sku", "location").collect()
    steps = keys.select(pl.all().repeat_by(H).explode()).with_columns(
        step=pl.Series(list(range(1, H + 1)) * keys.height, dtype=pl.Int32)
    )
    levels = ("q0.05", "q0.2", "q0.5", "q0.8", "q0.95")
    forecasts = steps.with_columns(pl.Series(q, rng.random(steps.height) * 1e6, dtype=pl.Float32) for q in levels)
    past = steps.with_columns(
        date=pl.date(2025, 6, 8) - pl.duration(days=pl.col("step")), units=pl.col("step") * 1234.5, in_stock=pl.lit(0.5)
    )
    facts = replace(
        facts,
        orders=facts.orders.with_columns(reason=pl.lit(long)),
        forecasts=forecasts.lazy(),
        history=lambda wanted: past.join(wanted, on=["sku", "location"], how="semi"),
        values=facts.values.with_columns(
            title=pl.lit(long), category=pl.format("{}{}", pl.int_range(pl.len()), pl.lit(long))
        ),
        rejects=pl.LazyFrame(
            {"table": "sales", "key": long, "rule": [f"rule {i} {long}" for i in range(300)], "value": long, "row": 1}
        ),
        run={**facts.run, "quarantined": {str(i): long for i in range(500)}, "configuration": {"columns": [long] * 50}},
    )
    page = build(facts)
    assert len(page.encode()) < 1_000_000
    assert "more left out to keep this page small" in page
    assert "280 more rules" in page


@pytest.mark.slow
def test_a_million_orders_make_a_page_of_less_than_a_megabyte(facts, tmp_path):
    n, rng = 1_000_000, np.random.default_rng(1)
    skus = pl.Series([f"SKU{i:07d}" for i in range(n)])
    orders, values = facts.orders.collect(), facts.values.collect()
    pick = pl.Series(rng.integers(0, orders.height, n))
    key = {"sku": skus, "location": pl.lit("all")}
    orders.select(pl.all().gather(pick)).with_columns(**key).write_parquet(tmp_path / "orders.parquet")
    values.select(pl.all().gather(pick)).with_columns(**key).write_parquet(tmp_path / "values.parquet")
    big = replace(
        facts,
        orders=pl.scan_parquet(tmp_path / "orders.parquet"),
        values=pl.scan_parquet(tmp_path / "values.parquet"),
        history=lambda keys: pl.DataFrame(),
    )
    assert "of 1,000,000 series get an order" in words(big)
    assert len(build(big).encode()) < 1_000_000
