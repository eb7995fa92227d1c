"""The closing words of a run on a terminal."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from fullshelf.engine.calendar import Period
from fullshelf.engine.report.numbers import periods, plural

STAGES = ("split", "read", "forecast", "protect", "plan", "allocate", "write", "report")


def print_summary(console: Console, summary: dict[str, Any]) -> None:
    """Say what was done, what it costs, what was left out, how long it took, and where the files lie."""
    folder, orders, counts = escape(summary["folder"]), summary["orders"], summary["counts"]
    if summary["already"]:
        console.print(f"Complete already: nothing changed since {summary['completed']}. {folder}", highlight=False)
        return
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    table.add_row(
        "run", f"{summary['run']}, as of {summary['as_of']} ({summary['period']}), model {config_model(summary)}"
    )
    if without := summary["periods_without_sales"]:
        table.add_row(
            "sales",
            f"[yellow]none in the newest {periods(without, Period(summary['period']))}: taken for demand of 0; "
            "is an export missing?",
        )
    if summary.get("events_unread"):
        table.add_row("events", "[yellow]table not read: the sales have a covariate `event` or `routine`")
    table.add_row("series", f"{counts['series']:,} in {counts['shards']:,} shards, {summary['horizon']} periods ahead")
    table.add_row(
        "orders",
        f"{orders.get('placed', 0):,.0f} of {orders.get('rows', 0):,.0f} series order, "
        f"{orders.get('units', 0):,.0f} units, {orders.get('value', 0):,.2f} at cost",
    )
    for limit in summary.get("limits", []):
        table.add_row(
            "limit",
            f"{limit['resource']} of {escape(limit['scope'])}: {limit['used']:,.2f} of {limit['amount']:,.2f} used, "
            f"shadow price {limit['shadow_price']:.4g}",
        )
    if (gap := (summary.get("allocation") or {}).get("gap")) is not None:
        table.add_row("limits", f"shared out within {gap:.3%} of the least expected cost that there can be")
    if unused := sum(r["rows"] for r in summary["rejected"] if r["table"] == "limits"):
        table.add_row("limit", f"[yellow]{unused:,} rejected, so they do not hold: see rejects, correct, refresh again")
    if summary["returns"]["rows"]:
        returns = summary["returns"]
        table.add_row("returns", f"{plural(returns['rows'], 'row')}, {returns['units']:,.0f} units, kept out of demand")
    table.add_row("rejected", rejected_text(summary["rejected"]))
    if summary["without_stock_row"]:
        table.add_row(
            "stock", f"[yellow]{summary['without_stock_row']:,} series have no usable stock row: counted as 0 on hand"
        )
    for shard, error in summary["quarantined"].items():
        table.add_row("quarantined", f"[red]shard {shard}: {escape(error)}")
    seconds = summary["seconds"]
    parts = ", ".join(f"{stage} {seconds[stage]:.1f}" for stage in STAGES if stage in seconds)
    table.add_row("seconds", f"{seconds['total']:.1f} in all; by stage, added over threads: {parts}")
    table.add_row("memory", f"{summary['peak_memory_mb']:,.0f} MB at most")
    table.add_row("orders in", f"{folder}/orders")
    table.add_row("report", f"{folder}/report.html")
    console.print(table, highlight=False, soft_wrap=True)


def config_model(summary: dict[str, Any]) -> str:
    """Return the configured name of the model."""
    name: str = summary["configuration"]["forecast"]["model"]
    return name


def fit_text(summary: dict[str, Any]) -> str:
    """Say what a fit came to."""
    folder = summary["folder"]
    if summary["already"]:
        return f"Complete already: nothing changed. {folder}"
    if summary.get("what") == "policy":
        ratios = [held["ratio"] for held in summary["held_back"]]
        return (
            f"{summary['steps']:,} steps in {summary['seconds']:.0f} s; on instances held back the orders cost "
            f"{100 * (sum(ratios) / len(ratios) - 1):+.2f} % beside auto's, at worst {100 * (max(ratios) - 1):+.2f} %\n"
            f"Use it: plan.policy: learned, plan.weights: {summary['weights']}"
        )
    held = f"held-back loss {summary['held_back']:.4f} (totals {summary['held_back_total']:.4f})"
    if summary["data"] == "sales":
        held += f", before {summary['held_back_before']:.4f} ({summary['held_back_total_before']:.4f})"
    kept = "; the new weights were not better, so the old ones are kept" if summary["kept_old"] else ""
    done = f"{summary['steps']:,} steps, {summary['windows']:,} windows in {summary['seconds']:.0f} s"
    return f"{done}; {held}{kept}\nUse it: forecast.model: {folder}"


def rejected_text(rejected: list[dict[str, Any]]) -> str:
    """Name the rules that rejected rows, with the rows of each.

    Examples
    --------
    >>> rejected_text([{"table": "sales", "rule": "units_nan", "rows": 1200}])
    '1,200 rows: sales units_nan 1,200'
    """
    if not rejected:
        return "no row"
    rules = ", ".join(f"{r['table']} {r['rule']} {r['rows']:,}" for r in rejected)
    return f"{plural(sum(r['rows'] for r in rejected), 'row')}: {rules}"
