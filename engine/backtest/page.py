"""`backtest.html`: the verdict in money for a person, one file that needs no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from fullshelf.engine.backtest.figures import cost_bars, intervals, running_difference
from fullshelf.engine.backtest.words import contender_name, period_words, verdict
from fullshelf.engine.calendar import Period
from fullshelf.engine.report import charts
from fullshelf.engine.report.frame import page
from fullshelf.engine.report.markup import Column, Html, join, section, table, tag, users
from fullshelf.engine.report.numbers import UNKNOWN, aligned, day, money, number, share

PARTS = (("holding", "bar"), ("shortage", "hot"), ("order", "median-fill"), ("waste", "soft-fill"))
LINES = ("median", "sold", "out", "bracket", "now")
MORE = ".median-fill{fill:var(--narrow)}.soft-fill{fill:var(--soft)}.swatch rect{stroke:none}"
SEGMENTS = (("class", "Class"), ("abc", "Revenue"), ("xyz", "Variability"), ("category", "Category"))


def write_page(path: Path, summary: Mapping[str, Any], segments: pl.DataFrame, rounds: pl.DataFrame) -> None:
    """Write the page: no script, no network, the same bytes for the same facts."""
    path.write_text(build(summary, segments, rounds), encoding="utf-8")


def build(summary: Mapping[str, Any], segments: pl.DataFrame, rounds: pl.DataFrame) -> Html:
    """Return the page.

    Parameters
    ----------
    summary
        What backtest.json holds.
    segments, rounds
        The tables of these names.
    """
    rows: list[dict[str, Any]] = summary["contenders"]
    names = [contender_name(row, summary) for row in rows]
    parts = [
        ("cost", "Cost", _cost(rows, names)),
        ("rounds", "Round by round", _rounds(names, rounds, rows)),
        ("forecasts", "Forecasts", _forecasts(rows, summary)),
        ("segments", "Segments", _segments(segments, summary)),
        ("how", "How it was counted", _how(summary)),
    ]
    title = "Backtest: which orders would have cost least"
    top = tag(
        "header",
        tag("div", "fullshelf · backtest ", users(str(summary["backtest"])), css="note"),
        tag("h1", title),
        *(tag("p", sentence, css="lead") for sentence in verdict(summary)),
        tag("p", period_words(summary), css="soft"),
    )
    sections = [(anchor, name, section(anchor, name, content)) for anchor, name, content in parts]
    return page(title, top, sections, "Money is in the currency of the supply table.", MORE)


def _cost(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> Html:
    bars = [(n, [(p, css, r[f"{p}_cost"]) for p, css in PARTS]) for n, r in zip(names, rows, strict=True)]
    key = tag(
        "ul",
        *(
            tag(
                "li",
                Html(f'<svg class="swatch" viewBox="0 0 26 12"><rect class="{css}" width="26" height="12"/></svg>'),
                p,
            )
            for p, css in PARTS
        ),
        css="key",
    )
    chart = tag("figure", tag("figcaption", "What the cost is made of"), Html(cost_bars(bars)), key)
    others = [
        (n, r["relative"], r["relative_low"], r["relative_high"]) for n, r in zip(names[1:], rows[1:], strict=True)
    ]
    sure = tag(
        "figure",
        tag("figcaption", f"Cost against {names[0]}"),
        Html(intervals(others)),
        tag("p", "The bar holds 90 % of resamples of series and rounds; left of 0 is cheaper.", css="note"),
    )
    columns = [
        Column("model, policy"),
        Column("cost", True),
        *(Column(part, True, spare=True) for part, _ in PARTS),
        Column("fill rate", True),
        Column("stock at cost", True, spare=True),
        Column("cheaper, P", True),
    ]
    money_columns = [aligned([row["cost"] for row in rows])]
    money_columns += [aligned([row[f"{part}_cost"] for row in rows]) for part, _ in PARTS]
    body = []
    for i, (name, row) in enumerate(zip(names, rows, strict=True)):
        cells = [column[i] for column in money_columns]
        better = UNKNOWN if i == 0 else share(row["p_better"])
        body.append([users(name), *cells, share(row["fill_rate"]), money(row["mean_capital"]), better])
    beside = tag("div", chart, sure if others else Html(""), css="beside")
    return join(beside, table(columns, body))


def _rounds(names: Sequence[str], rounds: pl.DataFrame, rows: Sequence[dict[str, Any]]) -> Html:
    counted = rounds.filter("counts")
    per = [_of(counted, row)["cost"].to_list() for row in rows]
    origins: list[date] = _of(counted, rows[0])["origin"].to_list()
    css = [LINES[i % len(LINES)] for i in range(len(rows) - 1)]
    lines = [
        (name, line, [a - b for a, b in zip(costs, per[0], strict=True)])
        for name, line, costs in zip(names[1:], css, per[1:], strict=True)
    ]
    if not lines:
        return tag("p", "There is one contender: nothing to compare.", css="soft")
    key = tag(
        "ul",
        *(
            tag("li", Html(f'<svg viewBox="0 0 26 12"><path class="{line}" d="M0 6H26"/></svg>'), users(name))
            for name, line, _ in lines
        ),
        css="key",
    )
    figure = tag(
        "figure",
        tag("figcaption", f"Cost less that of {names[0]}, added up"),
        Html(running_difference(origins, lines)),
        key,
    )
    columns = [Column("round of"), *(Column(name, True, spare=i > 1) for i, name in enumerate(names))]
    cells = [aligned(costs) for costs in per]
    shown = range(len(origins)) if len(origins) <= 26 else range(len(origins) - 26, len(origins))
    body = [[day(origins[k]), *(column[k] for column in cells)] for k in shown]
    figures = table(columns, body)
    note = tag("p", "Cost of the periods from each round to the next.", css="note")
    return tag("div", figure, tag("div", figures, note), css="beside")


def _forecasts(rows: Sequence[dict[str, Any]], summary: Mapping[str, Any]) -> Html:
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    for row in rows:
        if row["wql"] is not None:
            seen.setdefault((row["config"], row["model"]), row)
    if not seen:
        return tag("p", "No forecast could be compared with sales.", css="soft")
    two = len(summary["configurations"]) > 1
    columns = [
        Column("model"),
        Column("WQL", True),
        Column("WAPE", True, spare=True),
        Column("bias", True),
        Column("WQL of lead-time demand", True),
        Column("bias of it", True, spare=True),
    ]
    body, figures = [], []
    for (config, model), row in seen.items():
        name = f"{config}: {model}" if two else model
        body.append(
            [
                users(name),
                number(row["wql"]),
                share(row["wape"]),
                share(row["bias"]),
                number(row["lead_wql"]),
                share(row["lead_bias"]),
            ]
        )
        covered = {
            float(k.removeprefix("lead_coverage_q")): v
            for k, v in row.items()
            if k.startswith("lead_coverage_q") and v is not None
        }
        if covered:
            figures.append(
                tag("figure", tag("figcaption", "Lead-time demand, ", users(name)), Html(charts.reliability(covered)))
            )
    words = tag(
        "p",
        "WQL is the weighted quantile loss of levels 0.1 … 0.9 over all origins and steps; 0 is perfect. Lead-time "
        "demand is the total of lead time and review period, the only thing that an order looks at. Periods that were "
        "not in stock throughout are left out.",
        css="note",
    )
    return join(table(columns, body), words, tag("div", *figures, css="charts"))


def _segments(segments: pl.DataFrame, summary: Mapping[str, Any]) -> Html:
    """Tell each segment's cost and the best of the others, with its interval."""
    parts = []
    for kind, title in SEGMENTS:
        here = segments.filter(pl.col("kind") == kind)
        if here["segment"].n_unique() < 2:
            continue
        body = []
        for _, group in here.group_by("segment", maintain_order=True):
            base, *others = group.iter_rows(named=True)
            best = min(others, key=lambda row: row["cost"], default=None)
            line = [
                users(base["segment"]), f"{base['series']:,}", money(base["cost"]), share(base["fill_rate"])
            ]  # fmt: skip
            if best is None:
                body.append([*line, UNKNOWN, UNKNOWN, UNKNOWN])
                continue
            between = f"{100 * best['relative_low']:+.1f} … {100 * best['relative_high']:+.1f} %"
            line += [users(contender_name(best, summary)), f"{100 * best['relative']:+.1f} %", between]
            body.append(line)
        columns = [
            Column(title),
            Column("series", True, spare=True),
            Column("cost", True),
            Column("fill rate", True, spare=True),
            Column("best of the others", spare=True),
            Column("its cost against it", True),
            Column("90 % of resamples", True),
        ]
        parts.append(join(tag("h3", title), table(columns, body)))
    words = tag(
        "p",
        "Cost and fill rate of the configured one. A, B and C are the series that make the first 80 %, the next 15 % "
        "and the rest of the revenue of the newest year; X, Y and Z those whose sales of a period vary by up to half "
        "of their mean, up to all of it, or more.",
        css="note",
    )
    return join(*parts, words) if parts else tag("p", "All series are of one kind.", css="soft")


def _how(summary: Mapping[str, Any]) -> Html:
    period = Period(summary["period"])
    censored = summary["periods_stocked_out"] / max(summary["periods_lived"], 1)
    sentences = [
        (
            f"Each round knows what was known at the end of its {period}: sales up to it, and rows of `future` after "
            "it. Costs, lead times and packs are those of today’s supply table."
        ),
        (
            "All begin with the same stock: the textbook level, mean · (L + R) + z · sd · √(L + R) of the newest year. "
            f"{summary['warm_up']} rounds before the first that counts let each find its own level. A series that was "
            "not known yet joins in its first round with that same stock."
        ),
        f"Ordered at the end of a {period}, goods can be sold from lead time + 1 {period}s later; a random lead time "
        "is lived at its mean. What cannot be served is "
        + ("owed" if summary["configurations"]["A"]["plan"]["stockout"] == "backorder" else "lost")
        + ". Goods past their shelf life are thrown away, the oldest are sold first. Order cost is booked on arrival.",
        (
            f"What was sold stands for what was wanted. {share(censored)} of the {period}s were not in stock "
            "throughout: there the sale is a lower bound, and so is the cost of being short; forecasts are not "
            "measured on them."
        ),
        "The intervals draw the series anew, with the same rounds; they say nothing of other weeks.",
    ]
    if summary["limits"]:
        sentences.append(
            "The limits held in each round: by shadow prices, for the textbook by cutting all its orders by one share."
        )
    return tag("div", *(tag("p", sentence) for sentence in sentences))


def _of(rounds: pl.DataFrame, row: Mapping[str, Any]) -> pl.DataFrame:
    same = [pl.col(name) == row[name] for name in ("config", "model", "policy")]
    return rounds.filter(*same).sort("round")
