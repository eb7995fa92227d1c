"""The top of the page: what was decided, in one paragraph and a few numbers."""

from __future__ import annotations

from datetime import date, datetime

from fullshelf.engine.calendar import Period
from fullshelf.engine.report.facts import ReportFacts
from fullshelf.engine.report.markup import Html, join, tag, users
from fullshelf.engine.report.numbers import day, money, number, periods, plural, share
from fullshelf.engine.report.survey import Survey


def as_of(facts: ReportFacts) -> date:
    """Return the first day of the as-of period."""
    given = facts.run["as_of"]
    if isinstance(given, datetime):
        given = given.date()
    return given if isinstance(given, date) else date.fromisoformat(str(given)[:10])


def as_of_words(facts: ReportFacts) -> str:
    """Name the as-of period."""
    d = as_of(facts)
    return {Period.DAY: day(d), Period.WEEK: f"the week of {day(d)}", Period.MONTH: day(d).partition(" ")[2]}[
        facts.period
    ]


def head(facts: ReportFacts, found: Survey) -> Html:
    """Write title, paragraph, alert and headline numbers."""
    run = facts.run
    origin = f"Decided at the end of {as_of_words(facts)}"
    if run.get("horizon"):
        origin += f", looking {periods(run['horizon'], facts.period)} ahead"
    model = join(" with the model ", users(str(run["model"]), 60)) if run.get("model") else Html("")
    return tag(
        "header",
        tag("div", "fullshelf · run ", users(str(run.get("run", ""))), css="note"),
        tag("h1", f"Orders as of {as_of_words(facts)}"),
        tag("p", _paragraph(facts, found), css="lead"),
        tag("p", origin, model, ".", css="soft"),
        _alert(facts),
        _figures(facts, found) if found.rows else Html(""),
    )


def _paragraph(facts: ReportFacts, found: Survey) -> str:
    s = found.sums
    if not found.rows:
        return (
            "No order was worked out: no series has both sales and a row of supply. "
            "The input rows below say what was read and what was not used."
        )
    many = plural(found.rows, "series", "series")
    if not found.placed:
        words = f"Nothing needs to be ordered: for each of {many} the stock on hand and on its way is enough."
    else:
        worth = f", worth {money(s['order_value'], facts.currency)}" if found.priced else ""
        words = f"{found.placed:,} of {many} get an order: {plural_units(s['order_quantity'])}{worth}."
    if found.fill_rate is not None:
        words += f" With {'it' if found.placed == 1 else 'them'}" if found.placed else " So"
        words += f", {share(found.fill_rate)} of demand is expected to be served from stock."
    if found.counts["late"]:
        words += (
            f" {plural(found.counts['late'], 'series', 'series')} {'is' if found.counts['late'] == 1 else 'are'} "
            "expected to run out before an order can arrive."
        )
    return words


def plural_units(x: float) -> str:
    """Write an amount of units.

    Examples
    --------
    >>> plural_units(1), plural_units(1250.0)
    ('1 unit', '1,250 units')
    """
    return f"{number(x)} unit{'' if x == 1 else 's'}"


def _alert(facts: ReportFacts) -> Html:
    lost = facts.run.get("quarantined") or {}
    if not lost:
        return Html("")
    shards = facts.run.get("counts", {}).get("shards")
    of = f" of {shards:,}" if shards else ""
    return tag(
        "p",
        tag("strong", f"{plural(len(lost), 'shard')}{of} failed and {'was' if len(lost) == 1 else 'were'} left out. "),
        "The series in them have no forecast and no order in this run; ",
        tag("a", "the run", href="#run"),
        " names the errors.",
        css="alert",
        role="alert",
    )


def _figures(facts: ReportFacts, found: Survey) -> Html:
    s, c = found.sums, facts.currency
    figures = [("Orders placed", f"{found.placed:,}", f"of {plural(found.rows, 'series', 'series')} planned")]
    if found.priced:
        figures.append(("Order value", money(s["order_value"], c), f"{plural_units(s['order_quantity'])} at cost"))
    else:
        figures.append(("Units ordered", number(s["order_quantity"]), "no unit costs are known"))
    figures += [
        ("Demand expected", number(s["expected_demand"]), "units until the next order can arrive"),
        ("Served from stock", share(found.fill_rate), "of that demand, expected"),
    ]
    if found.priced:
        figures += [
            ("Sales at risk", money(s["shortage_value"], c), f"{number(s['expected_shortage'])} units short, expected"),
            (
                "Left over",
                money(s["leftover_value"], c),
                f"{number(s['expected_leftover'])} units at cost, before the next order",
            ),
        ]
    else:
        figures += [
            ("Expected short", number(s["expected_shortage"]), "units"),
            ("Expected left over", number(s["expected_leftover"]), "units"),
        ]
    if found.priced and found.stocked:
        figures.append(("Stock on hand", money(s["stock_value"], c), f"and {money(s['on_order_value'], c)} on its way"))
    figures.append(("Expected cost", money(s["expected_cost"], c), "of holding, ordering and being short"))
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", value), tag("dd", note, css="note")) for name, value, note in figures),
        css="figures",
    )
