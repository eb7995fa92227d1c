"""Overrides: what persons have set in this run, and what earlier ones cost or saved."""

from __future__ import annotations

import polars as pl

from fullshelf.engine.report.facts import ReportFacts
from fullshelf.engine.report.markup import Column, Html, join, section, table, tag, users
from fullshelf.engine.report.numbers import aligned, day, money, plural

SHOWN = 40  # rows of each table
COLUMNS = {
    "sku": pl.String, "location": pl.String, "as_of": pl.Date, "override": pl.String, "ordered": pl.Float64,
    "without": pl.Float64, "cost": pl.Float64, "cost_without": pl.Float64,
}  # fmt: skip


def overrides(facts: ReportFacts) -> Html:
    """Write the section; nothing where nobody has ever set anything."""
    now = _rows(facts.overrides)
    past = _rows(facts.override_results)
    known = past.filter(pl.col("cost").is_not_null())
    if now.is_empty() and past.is_empty():
        return Html("")
    blocks = []
    if now.height:
        apart = (pl.col("ordered") - pl.col("without")).abs()
        rows = now.sort(apart, "sku", "location", descending=[True, False, False]).head(SHOWN)
        columns = [Column("series"), Column("override"), Column("order", True), Column("without it", True)]
        cells = zip(aligned(rows["ordered"].to_list()), aligned(rows["without"].to_list()), strict=True)
        body = [
            [_series(row["sku"], row["location"]), users(row["override"], 240), ordered, without]
            for row, (ordered, without) in zip(rows.iter_rows(named=True), cells, strict=True)
        ]
        blocks.append(tag("p", f"{plural(now.height, 'order')} of this run: what persons have set, and what the plan "
                               "alone would order, limits aside.", css="soft"))  # fmt: skip
        blocks.append(join(table(columns, body), _more(now.height)))
    if past.height:
        blocks.append(tag("h3", "In hindsight"))
        waiting = past.height - known.height
        if known.height:
            saved = float((known["cost_without"] - known["cost"]).sum())
            words = f"{plural(known.height, 'overridden order')} {'has' if known.height == 1 else 'have'} come true: "
            words += f"{money(abs(saved), facts.currency)} {'saved' if saved >= 0 else 'lost'} against the plan alone, "
            words += "in shortage, holding and waste of the periods that each order served."
            blocks.append(tag("p", words))
            blocks.append(join(_judged(facts, known), _more(known.height)))
        if waiting:
            blocks.append(tag("p", f"{plural(waiting, 'earlier order')} cannot be judged yet.", css="note"))
    return section("overrides", "Overrides", *blocks)


def _judged(facts: ReportFacts, known: pl.DataFrame) -> Html:
    difference = pl.col("cost_without") - pl.col("cost")
    rows = known.sort(difference.abs(), "as_of", "sku", "location", descending=[True, True, False, False]).head(SHOWN)
    gains = rows.select(difference).to_series().to_list()
    columns = [
        Column("series"), Column("override"), Column("as of", spare=True), Column("ordered", True, True),
        Column("without it", True, True), Column(f"saved{f', {facts.currency}' if facts.currency else ''}", True),
    ]  # fmt: skip
    cells = zip(*(aligned(v) for v in (rows["ordered"].to_list(), rows["without"].to_list(), gains)), strict=True)
    body = [
        [_series(row["sku"], row["location"]), users(row["override"], 240), day(row["as_of"]), *numbers]
        for row, numbers in zip(rows.iter_rows(named=True), cells, strict=True)
    ]
    return table(columns, body)


def _series(sku: str, location: str) -> Html:
    return join(users(sku, 40), tag("small", users(location, 40)) if location != "all" else Html(""))


def _more(rows: int) -> Html:
    return tag("p", f"The {SHOWN} largest of {rows:,}.", css="note") if rows > SHOWN else Html("")


def _rows(scan: pl.LazyFrame | None) -> pl.DataFrame:
    return pl.DataFrame(schema=COLUMNS) if scan is None else scan.select(*COLUMNS).collect()
