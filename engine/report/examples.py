"""The few series that are drawn: their order, their reason, their sales, their forecast."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from fullshelf.engine.report.facts import ReportFacts
from fullshelf.engine.report.survey import KEY


@dataclass(frozen=True, slots=True)
class Example:
    """One series as it is drawn."""

    row: Mapping[str, Any]  # its order and what the survey derived from it
    reason: str
    demand: Mapping[str, float]  # over the protection interval: periods, mean, q…; empty where unknown
    forecast: pl.DataFrame  # date, step, mean, q…; oldest first
    history: pl.DataFrame  # date, units, in_stock; oldest first


def read_examples(facts: ReportFacts, chosen: pl.DataFrame) -> list[Example]:
    """Look up what the chosen series' pictures need; the tables are scanned once each."""
    if chosen.is_empty():
        return []
    keys = chosen.select(KEY)
    reasons = read_reasons(facts, keys)
    demand = _rows(facts.lead_time_demand, keys)
    forecasts = _rows(facts.forecasts, keys).sort("step").partition_by(KEY, as_dict=True)
    sales = facts.history(keys)
    history = sales.sort("date").partition_by(KEY, as_dict=True) if sales.height else {}
    by_demand = {(r.pop("sku"), r.pop("location")): r for r in demand.iter_rows(named=True)}
    return [
        Example(
            row=row,
            reason=reasons.get(key) or "",
            demand=by_demand.get(key, {}),
            forecast=forecasts.get(key, pl.DataFrame()),
            history=history.get(key, pl.DataFrame()),
        )
        for row in chosen.iter_rows(named=True)
        for key in [(row["sku"], row["location"])]
    ]


def read_reasons(facts: ReportFacts, keys: pl.DataFrame) -> dict[tuple[str, str], str]:
    """Look up why these series get the orders they get."""
    rows = _rows(facts.orders.select(*KEY, "reason"), keys)
    return {(sku, location): reason for sku, location, reason in rows.iter_rows()}


def _rows(table: pl.LazyFrame, keys: pl.DataFrame) -> pl.DataFrame:
    # `is_in` lets the scan skip row groups by their statistics and decode other columns for the matches alone
    wanted = table.filter(pl.col("sku").is_in(keys["sku"].unique().sort().to_list()))
    return wanted.join(keys.lazy(), on=KEY, how="semi").collect(engine="streaming")
