"""A backtest in words: the verdict, and the table at the end on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from rich.console import Console
from rich.table import Table

from fullshelf.engine.calendar import Period
from fullshelf.engine.report.numbers import UNKNOWN, day, money, number, periods, plural, share

CLEAR = 0.95  # a share of the resamples that one may call sure


def contender_name(row: Mapping[str, Any], summary: Mapping[str, Any]) -> str:
    """Name a contender: model and policy, the configuration where there are two."""
    name = row["policy"] if row["policy"] == "textbook" else f"{row['model']}, {row['policy']}"
    return f"{row['config']}: {name}" if len(summary["configurations"]) > 1 else name


def verdict(summary: Mapping[str, Any]) -> list[str]:
    """Say which contender cost least, and how sure that is."""
    base, *others = summary["contenders"]
    first = contender_name(base, summary)
    words = [f"{_upper(first)} would have cost {money(base['cost'])} and served {share(base['fill_rate'])} of demand."]
    for row in others:
        name, apart = contender_name(row, summary), abs(row["difference"])
        between = f"90 % of resamples lie between {_signed(row['low'])} and {_signed(row['high'])}"
        if row["difference"] == 0 and row["low"] == row["high"] == 0:
            words.append(f"{_upper(name)} would have cost the same.")
            continue
        more = "more" if row["difference"] > 0 else "less"
        sure = max(row["p_better"], 1 - row["p_better"])
        how = f"{share(sure)} sure" if sure >= CLEAR else f"not sure ({share(sure)})"
        how = "so it is in every resample" if sure == 1 else how
        relative = f" ({share(abs(row['relative']))})" if base["cost"] > 0 else ""
        words.append(f"{_upper(name)} would have cost {money(apart)} {more}{relative}: {how}; {between}.")
    return words


def period_words(summary: Mapping[str, Any]) -> str:
    """Say over what it was counted."""
    period = Period(summary["period"])
    out = summary["series_left_out"]
    return (
        f"{plural(summary['series'], 'series', 'series')}, {plural(summary['rounds'], 'round')} every "
        f"{periods(summary['every'], period)} from {_day(summary['first_origin'])} to {_day(summary['as_of'])}, after "
        f"{plural(summary['warm_up'], 'round')} to warm up."
        + (f" {plural(out, 'series', 'series')} without supply, or not known by then, are left out." if out else "")
    )


def print_backtest(console: Console, summary: Mapping[str, Any]) -> None:
    """Print the verdict and one row for each contender."""
    if summary["already"]:
        console.print(f"Complete already: nothing changed since {summary['completed']}.", highlight=False)
    console.print(period_words(summary), highlight=False)
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("model, policy")
    titles = ("cost", "holding", "shortage", "ordering", "waste", "fill rate", "stock at cost", "WQL", "WQL lead time")
    for title in (*titles, "difference", "90 % of resamples", "P(better)"):
        table.add_column(title, justify="right")
    for i, row in enumerate(summary["contenders"]):
        parts = [f"{row[f'{part}_cost']:,.0f}" for part in ("holding", "shortage", "order", "waste")]
        differ = [_signed(row["difference"]), f"{_signed(row['low'])} … {_signed(row['high'])}", share(row["p_better"])]
        table.add_row(
            contender_name(row, summary),
            f"{row['cost']:,.0f}",
            *parts,
            share(row["fill_rate"]),
            f"{row['mean_capital']:,.0f}",
            number(row["wql"]),
            number(row["lead_wql"]),
            *(differ if i else [UNKNOWN] * 3),
        )
    console.print(table, highlight=False, soft_wrap=True)
    for sentence in verdict(summary)[1:]:
        console.print(sentence, highlight=False, soft_wrap=True)
    seconds = summary["seconds"]
    console.print(
        f"{seconds['total']:.1f} s, {summary['peak_memory_mb']:,.0f} MB at most", highlight=False, style="dim"
    )
    console.print(f"tables in {summary['folder']}/backtest", highlight=False, soft_wrap=True)
    console.print(f"page   {summary['folder']}/backtest.html", highlight=False, soft_wrap=True)


def _signed(x: float) -> str:
    return f"{'+' if x > 0 else ''}{money(x)}" if abs(x) < 999.995 else f"{x:+,.0f}"


def _upper(words: str) -> str:
    return words[:1].upper() + words[1:]


def _day(d: date | str) -> str:
    return day(d if isinstance(d, date) else date.fromisoformat(d[:10]))
