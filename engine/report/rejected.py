"""Rejected rows: how many by table and rule, and a few of each to look at."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from fullshelf.engine.report.survey import BATCH

EXAMPLES = 3  # rows shown of each rule


@dataclass(slots=True)
class Rule:
    """What one rule of one table rejected."""

    table: str
    rule: str
    rows: int = 0
    examples: list[tuple[str, str, int | None]] = field(default_factory=list)  # key, value, row in the table


def read_rejects(rejects: pl.LazyFrame) -> list[Rule]:
    """Go once over the rejected rows; most rows first."""
    rules: dict[tuple[str, str], Rule] = {}
    text = [pl.col(c).cast(pl.String).fill_null("") for c in ("table", "rule", "key", "value")]
    rows = rejects.select(*text, pl.col("row").cast(pl.Int64))
    for batch in rows.collect_batches(chunk_size=BATCH, maintain_order=True, engine="streaming"):
        for (table, name), part in batch.partition_by("table", "rule", as_dict=True, include_key=False).items():
            rule = rules.setdefault((table, name), Rule(table, name))
            rule.rows += part.height
            rule.examples += part.head(EXAMPLES - len(rule.examples)).rows()
    return sorted(rules.values(), key=lambda r: (-r.rows, r.table, r.rule))
