"""What needs a human: exceptions, most money first, then what is missing in the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from fullshelf.engine.report.facts import ReportFacts
from fullshelf.engine.report.markup import Column, Html, join, section, table, tag, users
from fullshelf.engine.report.numbers import aligned, money, number, periods, plural, share
from fullshelf.engine.report.rejected import Rule
from fullshelf.engine.report.survey import EXCEPTIONS, FILL, Survey

Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Kind:
    title: str
    stake: str  # what the money is
    units: str  # what the units are
    advice: str
    columns: tuple[tuple[str, str, bool], ...]  # of the survey; its heading; whether a narrow screen leaves it out


KINDS = {
    "late": _Kind(
        "Runs out before an order can arrive",
        "sales lost",
        "units lost",
        "The stock and what is on its way last shorter than the lead time. An order placed now comes too late: "
        "hasten a delivery, move stock from elsewhere, or pause the offer.",
        (
            ("on_hand", "stock now", True),
            ("on_order", "on its way", True),
            ("lasts", "lasts, {period}s", False),
            ("lead_time", "lead time, {period}s", False),
        ),
    ),
    "short": _Kind(
        f"Short in spite of the order: below {100 * FILL:.0f} % of demand",
        "sales lost",
        "units lost",
        "The order is smaller than demand asks for: a limit, a maximum stock or the costs hold it back. "
        "Check the limit, the margin and the lead time.",
        (
            ("expected_demand", "demand", True),
            ("on_hand", "stock now", True),
            ("order_quantity", "order", False),
            ("fill_rate", "served", False),
        ),
    ),
    "excess": _Kind(
        "Overstock",
        "tied up",
        "units above plan",
        "More is in stock and on its way than the plan would order up to. Nothing is ordered; "
        "consider a promotion, a return to the supplier, or another location.",
        (
            ("on_hand", "stock now", False),
            ("on_order", "on its way", True),
            ("order_up_to", "plan", True),
            ("lasts", "lasts, {period}s", False),
        ),
    ),
    "overdue": _Kind(
        "Overdue deliveries",
        "sales at risk",
        "units overdue",
        "These deliveries should have arrived; the orders count on them for the next period. Ask the supplier, and if "
        "they will not come, take them out of the stock table: then they are ordered anew.",
        (
            ("on_hand", "stock now", False),
            ("on_order", "on its way", True),
            ("expected_demand", "demand", True),
        ),
    ),
    "surprise": _Kind(
        "Sold otherwise than any quantile of the last forecast",
        "unforeseen",
        "units outside",
        "More was sold since the last run than the highest quantile, or less than the lowest. Look for a reason that "
        "the sales table does not tell: a promotion, a competitor, a wrong price, a gap in the data.",
        (
            ("sold", "sold", False),
            ("foreseen", "forecast", False),
            ("on_hand", "stock now", True),
        ),
    ),
}


def attention(facts: ReportFacts, found: Survey, reasons: Mapping[Key, str], rules: list[Rule]) -> Html:
    """Write the section."""
    blocks = [
        _block(facts, found, name, reasons, opened=i == 0)
        for i, name in enumerate(sorted((n for n in KINDS if found.counts[n]), key=lambda n: (-found.stakes[n], n)))
    ]
    gaps = _gaps(facts, found, rules)
    if not blocks and not gaps:
        return section(
            "attention", "Needs a human", tag("p", "Nothing. No series is an exception and no row was rejected.")
        )
    intro = "Ranked by the money at stake." if blocks and found.priced else ""
    quiet = (
        "" if blocks or not found.rows else "No series is expected to run out early, to be short, or to be overstocked."
    )
    return section(
        "attention",
        "Needs a human",
        tag("p", intro or quiet, css="soft") if intro or quiet else "",
        *blocks,
        tag("h3", "Gaps in the data") if gaps else "",
        tag("ul", *(tag("li", gap) for gap in gaps)) if gaps else "",
    )


def _block(facts: ReportFacts, found: Survey, name: str, reasons: Mapping[Key, str], opened: bool) -> Html:
    kind, rows = KINDS[name], found.worst[name]
    count = found.counts[name]
    total = money(found.stakes[name], facts.currency) if found.priced else f"{number(found.stake_units[name])} units"
    summary = tag(
        "summary",
        tag("b", kind.title),
        tag("span", plural(count, "series", "series")),
        tag("span", f"{total} {kind.stake}", css="sum"),
    )
    more = tag("p", f"The {rows.height} largest of {count:,}.", css="note") if rows.height < count else ""
    inside = tag("div", tag("p", kind.advice, css="soft"), _rows(facts, found, name, rows, reasons), more, css="inside")
    return tag("details", summary, inside, **({"open": ""} if opened else {}))


def _rows(facts: ReportFacts, found: Survey, name: str, rows: pl.DataFrame, reasons: Mapping[Key, str]) -> Html:
    kind, (value, units, _) = KINDS[name], EXCEPTIONS[name]
    columns = [Column("product")]
    columns += [Column(t.format(period=facts.period), number=True, spare=spare) for _, t, spare in kind.columns]
    columns.append(Column(kind.units, number=True, spare=found.priced))
    cells = [_column(field, rows[field].to_list()) for field, _, _ in kind.columns] + [aligned(rows[units].to_list())]
    if found.priced:
        columns.append(Column(f"{kind.stake}{f', {facts.currency}' if facts.currency else ''}", number=True))
        cells.append(aligned(rows[value].to_list()))
    products = (product(row, reasons.get((row["sku"], row["location"]), "")) for row in rows.iter_rows(named=True))
    return table(columns, ([name, *row] for name, row in zip(products, zip(*cells, strict=True), strict=True)))


def _column(field: str, values: list[float | None]) -> list[str]:
    if field == "fill_rate":
        return [share(x) for x in values]
    if field == "lasts":
        written = aligned(values, least=1)
        return ["no demand" if x == float("inf") else text for x, text in zip(values, written, strict=True)]
    return aligned(values)


def product(row: Mapping[str, Any], reason: str = "") -> Html:
    """Name a series: its title, or its SKU where it has none; below them SKU and location."""
    place = "" if row["location"] == "all" else join(" · ", users(row["location"], 40))
    below = [users(row["sku"], 40), place] if row["title"] else [place.removeprefix(" · ")]
    name = users(row["title"] or row["sku"], 60)
    lines = [tag("small", *(Html(part) for part in below))] if any(below) else []
    return join(name, *lines, tag("small", users(reason, 240)) if reason else "")


def _gaps(facts: ReportFacts, found: Survey, rules: list[Rule]) -> list[Html]:
    """Say what the data lacks, each with what follows from it."""
    run, gaps = facts.run, list[Html]()
    series = run.get("counts", {}).get("series")
    if series and series > found.rows:
        words = f"{plural(series - found.rows, 'series', 'series')} of {series:,} without a usable row of supply: "
        gaps.append(join(words + "forecast, but not ordered."))
    if without := run.get("periods_without_sales"):
        gaps.append(
            join(f"No series sold anything in the newest {periods(without, facts.period)}: is an export missing?")
        )
    if run.get("events_unread"):
        gaps.append(join("The table of events was not read: the sales have a covariate of that name."))
    if lacking := run.get("without_stock_row"):
        gaps.append(
            join(f"{plural(lacking, 'series', 'series')} without a row of stock: planned as if nothing were there.")
        )
    if rules:
        rows = sum(rule.rows for rule in rules)
        gaps.append(join(f"{plural(rows, 'input row')} rejected: ", tag("a", "which and why", href="#input"), "."))
    if quarantined := run.get("quarantined"):
        gaps.append(
            join(f"{plural(len(quarantined), 'shard')} quarantined: ", tag("a", "the errors", href="#run"), ".")
        )
    return gaps
