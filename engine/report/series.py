"""A dozen series as a person would look at them: sales, forecast, order, reason."""

from __future__ import annotations

from fullshelf.engine.report import fan
from fullshelf.engine.report.attention import product
from fullshelf.engine.report.examples import Example
from fullshelf.engine.report.facts import ReportFacts
from fullshelf.engine.report.markup import Html, section, tag, users
from fullshelf.engine.report.numbers import money, number
from fullshelf.engine.report.summary import as_of, plural_units

ROOM = 650_000  # bytes for all cards: the page stays below a megabyte

KEY = (
    ('<path class="sold" d="M0 9L7 3L13 7L19 2L26 6"/>', "sales"),
    ('<path class="out" d="M4 3v6M10 3v6M16 3v6"/>', "out of stock: demand unknown"),
    ('<path class="median" d="M0 6H26"/>', "median forecast"),
    ('<rect class="narrow" width="26" height="12"/>', "6 of 10 cases"),
    ('<rect class="wide" width="26" height="12"/>', "9 of 10 cases"),
    ('<path class="bracket" d="M0 3H26M14 3v6"/>', "what the order must cover; the tick is its arrival"),
)


def series(facts: ReportFacts, examples: list[Example]) -> Html:
    """Write the section."""
    if not examples:
        return Html("")
    cards: list[Html] = []
    size = 0
    for example in examples:
        card = _card(facts, example)
        size += len(card.encode())
        if size > ROOM:
            break
        cards.append(card)
    left_out = len(examples) - len(cards)
    entries = (tag("li", Html(f'<svg viewBox="0 0 26 12" aria-hidden="true">{d}</svg>'), words) for d, words in KEY)
    return section(
        "series",
        "Series to look at",
        tag("p", "The most telling series of each kind, not the typical ones.", css="soft"),
        tag("ul", *entries, css="key"),
        tag("div", *cards, css="cards"),
        tag("p", f"{left_out:,} more left out to keep this page small.", css="note") if left_out else "",
    )


def _card(facts: ReportFacts, example: Example) -> Html:
    row = example.row
    quantity = row["order_quantity"]
    worth = row["order_value"] if row["unit_cost"] is not None else None
    order = f"Order {plural_units(quantity)}" if quantity else "No order"
    details = [
        ("Order up to", number(row["order_up_to"])),
        ("Demand", number(row["expected_demand"])),
        ("Critical ratio", number(row["critical_ratio"])),
        ("On hand", number(row["on_hand"])),
        ("On its way", number(row["on_order"])),
        ("Cost expected", money(row["expected_cost"])),
    ]
    return tag(
        "article",
        tag("div", row["why"], css="why"),
        tag("h3", product(row)),
        tag("div", order, tag("small", money(worth, facts.currency)) if quantity and worth else "", css="order"),
        Html(fan.fan(example, facts.period, as_of(facts))),
        Html(fan.interval(example, facts.period)),
        tag("p", users(example.reason, 500)) if example.reason else "",
        tag("dl", *(tag("div", tag("dt", n), tag("dd", v)) for n, v in details), css="small"),
    )
