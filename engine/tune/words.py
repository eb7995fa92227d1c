"""What tuning found, for a buyer: the file with its comments, a sentence for each segment, the table on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from fullshelf.engine.backtest.bootstrap import Difference
from fullshelf.engine.commit import replacing
from fullshelf.engine.report.numbers import UNKNOWN, money, plural
from fullshelf.engine.tuned_settings import Tuning

__all__ = ["print_tuned", "why", "write_tuned"]

HEAD = """\
# Written by `fullshelf tune`. To obey it: plan: {{tuned: {name}}} in the configuration.
#
# In each segment with `kept: true` orders are planned with
#   demand    the forecast demand times this (1: as forecast)
#   shortage  the cost of a unit short times this, where it decides (1: as given)
#   cap       an order's most, in review periods of expected demand (null: none)
# Others are planned as configured. Packs, minimum orders, shelf lives, limits and promises of service hold as before.
#
# What the later rounds, on which nothing was tuned, say of all series together: {verdict}.
"""


def why(kept: bool, same: bool, few: bool, judged: Difference, series: int, least: int) -> str:
    """Say why a segment is kept, or is not."""
    if few:
        return f"{plural(series, 'series', 'series')}: tune.least asks for {least}"
    if same:
        return "nothing that was tried was cheaper"
    low, high = -judged.relative_high[0], -judged.relative_low[0]
    if kept:
        less = f"later rounds cost {100 * -judged.relative[0]:.1f} % less"
        return f"{less}, at least {100 * low:.1f} % in 95 of 100 resamples"
    return f"later rounds do not show it: between {_turn(low)} and {_turn(high)} in 90 of 100 resamples"


def write_tuned(file: Path, tuning: Tuning, whole: Mapping[str, float]) -> None:
    """Write the file under a temporary name and rename it."""
    content = tuning.model_dump(mode="json")
    file.parent.mkdir(parents=True, exist_ok=True)
    head = HEAD.format(name=file.name, verdict=_verdict(whole))
    with replacing(file) as temporary:
        temporary.write_text(
            head + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120), encoding="utf-8"
        )


def print_tuned(console: Console, summary: Mapping[str, Any]) -> None:
    """Print a row for each segment and what it comes to."""
    on, judged = summary["tuned_on"], summary["judged_on"]
    console.print(
        f"{plural(summary['series'], 'series', 'series')}; tuned on {plural(on['rounds'], 'round')} from {on['first']} "
        f"to {on['last']}, judged on {plural(judged['rounds'], 'round')} from {judged['first']} to {judged['last']}.",
        highlight=False,
    )
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("segment")
    for title in ("series", "demand ×", "shortage cost ×", "cap", "cost", "saved"):
        table.add_column(title, justify="right")
    table.add_column("kept")
    for row in summary["segments"]:
        name = ", ".join(f"{trait}={value}" for trait, value in row["segment"].items()) or "all series"
        cap = UNKNOWN if row["cap"] is None else f"{row['cap']:g}"
        numbers = (f"{row['series']:,}", f"{row['demand']:g}", f"{row['shortage']:g}", cap, f"{row['cost']:,.0f}")
        said = f"yes: {row['why']}" if row["kept"] else f"no: {row['why']}"
        table.add_row(name, *numbers, f"{100 * row['saved']:.1f} %", said)
    console.print(table, highlight=False, soft_wrap=True)
    console.print(f"All series: {_verdict(summary)}. {summary['seconds']:.1f} s", highlight=False, soft_wrap=True)
    console.print(f"in {summary['file']}; plan: {{tuned: {summary['file']}}} obeys it", highlight=False)


def _verdict(whole: Mapping[str, Any]) -> str:
    if whole["saved"] == whole["low"] == whole["high"] == 0:
        return f"nothing is won, what is configured cost {money(whole['cost'])}"
    return (
        f"{100 * whole['saved']:.1f} % of {money(whole['cost'])} saved, between {_turn(whole['low'])} and "
        f"{_turn(whole['high'])} in 90 of 100 resamples"
    )


def _turn(saved: float) -> str:
    return f"{100 * abs(saved):.1f} % {'dearer' if saved < 0 else 'cheaper'}"
