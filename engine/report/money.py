"""Where the money goes: limits, categories, locations, and how the orders are distributed."""

from __future__ import annotations

import polars as pl

from fullshelf.engine.report import charts
from fullshelf.engine.report.facts import ReportFacts
from fullshelf.engine.report.markup import Column, Html, join, section, table, tag, users
from fullshelf.engine.report.numbers import UNKNOWN, aligned, number, plural, share
from fullshelf.engine.report.survey import EDGES, Survey


def limits(facts: ReportFacts, found: Survey) -> Html:
    """Write the section on what the catalogue shares."""
    given = facts.limits
    if given is None or given.is_empty():
        return Html("")
    body = []
    for row in given.sort("shadow_price", "resource", "scope", descending=[True, False, False]).iter_rows(named=True):
        amount, used = row["amount"], row["used"]
        part = used / amount if amount else float(used > 0)
        bound = bool(row["shadow_price"] and row["shadow_price"] > 0)
        body.append(
            [
                join(row["resource"], tag("small", _scope(row["scope"]))),
                number(amount),
                number(used),
                share(part),
                Html(charts.meter(part, "hot" if bound else "bar")),
                number(row["shadow_price"]) if bound else "not reached",
            ]
        )
    binding = sum(1 for p in given["shadow_price"] if p and p > 0)
    if binding:
        words = f"{plural(binding, 'limit')} {'holds' if binding == 1 else 'hold'} back the orders of "
        words += f"{plural(found.limited, 'series', 'series')}. The shadow price is what the catalogue would save "
        words += (
            "if the limit were one unit higher: where it is above the price of more capital or space, ask for more."
        )
        gap = (facts.run.get("allocation") or {}).get("gap")
        if gap is not None:
            words += f" Any other sharing of the limits could save {gap:.3%} of the expected cost at most."
    else:
        words = "No limit holds an order back."
    columns = [
        Column("resource"),
        Column("limit", True),
        Column("used", True),
        Column("share", True, True),
        Column("", spare=True),
        Column("shadow price", True),
    ]
    return section("limits", "Limits", tag("p", words, css="soft"), table(columns, body))


def _scope(scope: str) -> Html:
    name, equals, value = scope.partition("=")
    return join(name, " ", users(value, 60)) if equals else join("whole catalogue")


def where(facts: ReportFacts, found: Survey) -> Html:
    """Write the section on how orders are distributed over the catalogue."""
    if not found.rows:
        return Html("")
    tables = [
        _groups(facts, found, by, title)
        for by, title in (("category", "By category"), ("location", "By location"), ("policy", "By policy"))
        if by in found.groups and _tells_apart(found.groups[by])
    ]
    pictures = [_picture(facts, found, name) for name in EDGES]
    return section(
        "money",
        "Where the money goes" if found.priced else "Where the units go",
        tag("div", *tables, css="columns"),
        tag("h3", "How the series are distributed"),
        tag("div", *(p for p in pictures if p), css="charts"),
    )


def _tells_apart(groups: pl.DataFrame) -> bool:
    return groups.height > 1 or bool(groups.height and groups["name"][0] not in (None, "", "all"))


def _groups(facts: ReportFacts, found: Survey, by: str, title: str) -> Html:
    rows = found.groups[by]
    top = max(float(rows["order_value"].max() or 0.0), 1e-12)  # type: ignore[arg-type]
    what = f"order value{f', {facts.currency}' if facts.currency else ''}" if found.priced else "units"
    columns = [
        Column(""),
        Column("series", True, True),
        Column("orders", True),
        Column(what, True),
        Column("", spare=True),
        Column("served", True),
    ]
    body = []
    values = aligned(rows["order_value"].to_list())
    for row, value in zip(rows.iter_rows(named=True), values, strict=True):
        name = tag("span", "all others", css="soft") if row["name"] is None else users(row["name"] or f"no {by}", 40)
        served = row["served"] / row["expected_demand"] if row["expected_demand"] > 0 else None
        meter = Html(charts.meter(row["order_value"] / top))
        body.append([name, f"{row['series']:,}", f"{row['placed']:,}", value, meter, share(served)])
    return tag("div", tag("h3", title), table(columns, body))


def _picture(facts: ReportFacts, found: Survey, name: str) -> Html:
    counts, edges = found.histograms[name].tolist(), list(EDGES[name])
    if not sum(counts):
        return Html("")
    bounded = edges[-1] == 1
    if bounded:  # one whole belongs to the last bin
        counts[-2] += counts.pop()
    counts = counts[1:]  # nothing lies below 0
    first = 0 if bounded or name == "cover" else next(i for i, c in enumerate(counts) if c)
    last = len(counts) if bounded else max(i for i, c in enumerate(counts) if c) + 1
    edges_shown = [*edges, float("inf")][first : last + 1]
    money_axis = f"order value{f', {facts.currency}' if facts.currency else ''}"
    title, axis, of = {
        "order_value": ("Order value", money_axis, "orders"),
        "fill_rate": ("Served from stock", "expected share of demand", "series"),
        "cover": ("Cover with the order", f"{facts.period}s that stock and order last", "series"),
        "critical_ratio": ("Critical ratio", "underage over underage and overage cost", "series"),
    }[name]
    if name == "order_value" and not found.priced:
        title, axis = "Order size", "units ordered"
    scale = 100 if name == "fill_rate" else 1
    labels = [
        "" if e == float("inf") else charts.short(e * scale) + (" %" if scale == 100 else "") for e in edges_shown
    ]
    shown = counts[first:last]
    tips = [
        f"{a or UNKNOWN} {f'to {b}' if b else 'and more'}: {c:,} {of}"
        for a, b, c in zip(labels, labels[1:], shown, strict=False)
    ]
    svg = charts.histogram(shown, labels, tips, axis, of)
    return tag("figure", tag("figcaption", title), Html(svg))
