"""Yesterday's forecasts beside the sales that came true since."""

from __future__ import annotations

import polars as pl

from fullshelf.engine import hindsight
from fullshelf.engine.report import charts
from fullshelf.engine.report.facts import ReportFacts
from fullshelf.engine.report.markup import Column, Html, join, section, table, tag, users
from fullshelf.engine.report.numbers import UNKNOWN, number, periods, plural, share


def accuracy(facts: ReportFacts) -> Html:
    """Write the section."""
    title = {"day": "Yesterday’s", "week": "Last week’s", "month": "Last month’s"}[facts.period] + " forecasts"
    sums = facts.hindsight
    if sums is None or sums.is_empty() or not sums["pairs"].sum():
        words = (
            "Nothing to compare yet: no sales are known for periods that an earlier run forecast. "
            f"Once sales of the {facts.period} after {'this' if facts.period != 'day' else 'the'} as-of date are in, "
            "the next run says here how good today’s forecasts were."
        )
        return section("accuracy", title, tag("p", words, css="soft"))
    got = hindsight.accuracy(sums)
    runs = [run for run in sums["run"].unique().sort().to_list() if run]
    steps = sums["step"].unique().sort().to_list()
    pairs = f"{plural(got.pairs, 'forecast')} of one series and one {facts.period}"
    words = join(
        f"{pairs}, {_ahead(steps, facts)}",
        *(join(", from the run ", users(runs[0])) if len(runs) == 1 else "",),
        f", have met their sales: {number(got.units)} units. ",
        f"{got.stocked_out:,} more are not counted: the series was out of stock and its demand is unknown. "
        if got.stocked_out
        else "",
        _bias(got.bias),
    )
    measures = [
        ("WQL", _ratio(got.wql), "weighted quantile loss, levels 0.1 … 0.9; 0 is perfect"),
        ("WAPE", share(got.wape), "of the sales is how far the medians were off"),
        ("Bias", share(got.bias), "mean forecast above or, if negative, below the sales"),
    ]
    definition = tag(
        "dl",
        *(tag("div", tag("dt", n), tag("dd", v), tag("dd", note, css="note")) for n, v, note in measures),
        css="figures",
    )
    chart = tag(
        "figure",
        tag("figcaption", "Coverage"),
        Html(charts.reliability(got.coverage)),
        tag(
            "p",
            "On the dashed line the levels kept their promise; below it too much was sold. "
            "Whole numbers lie above it even with a perfect forecast.",
            css="note",
        ),
    )
    by_step = _by_step(sums, steps) if len(steps) > 1 else Html("")
    numbers = tag("div", definition, by_step)
    return section("accuracy", title, tag("p", words, css="soft"), tag("div", numbers, chart, css="beside"))


def _ahead(steps: list[int], facts: ReportFacts) -> str:
    if len(steps) == 1:
        return f"{periods(steps[0], facts.period)} ahead"
    return f"{steps[0]} to {periods(steps[-1], facts.period)} ahead"


def _ratio(x: float | None) -> str:
    return UNKNOWN if x is None else f"{x:.3f}"


def _bias(bias: float | None) -> str:
    if bias is None:
        return "Nothing was sold in them."
    if abs(bias) < 0.005:
        return "On the whole the forecasts were neither too high nor too low."
    return f"On the whole the forecasts were {share(abs(bias))} too {'high' if bias > 0 else 'low'}."


def _by_step(sums: pl.DataFrame, steps: list[int]) -> Html:
    columns = [
        Column("ahead"),
        Column("forecasts", True),
        Column("WQL", True),
        Column("WAPE", True),
        Column("bias", True),
    ]
    shown = steps if len(steps) <= 14 else [*steps[:7], *steps[-7:]]
    body = []
    for step in shown:
        got = hindsight.accuracy(sums.filter(pl.col("step") == step))
        body.append([f"{step}", f"{got.pairs:,}", _ratio(got.wql), share(got.wape), share(got.bias)])
    return tag("div", tag("h3", "By how far ahead"), table(columns, body))
