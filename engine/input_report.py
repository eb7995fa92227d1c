"""What a run would reject, in words, for `fullshelf check`: the same preparation, in a temporary folder."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from fullshelf.engine.config import Config
from fullshelf.engine.panels import live_keys
from fullshelf.engine.preparation import prepare
from fullshelf.engine.series_tables import supply_frame
from fullshelf.engine.shard_input import Intake, Returns, TableCount, unplanned
from fullshelf.engine.tables import explain

__all__ = ["Finding", "InputReport", "check"]

EXAMPLES = 3
EVENTS_UNREAD = (
    "the table events is not read: the sales have a covariate `event` or `routine`; take it out of `covariates` to use "
    "the table"
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Rows of one table that break one rule."""

    table: str
    rule: str
    sentence: str
    rows: int
    examples: tuple[dict[str, Any], ...]  # key, value, row


@dataclass(frozen=True, slots=True)
class InputReport:
    """What is in the inputs and what a refresh would not use."""

    period: str
    as_of: date
    series: int
    shards: int
    covariates: tuple[str, ...]
    returns: Returns
    counts: dict[str, TableCount]
    findings: tuple[Finding, ...]
    events_unread: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self)

    def text(self) -> str:
        """Write the report for a person."""
        lines = [f"{self.series:,} series, last known {self.period} {self.as_of}, {self.shards:,} shards"]
        lines.append(f"covariates: {', '.join(self.covariates) or 'none'}")
        if self.returns.rows:
            lines.append(f"returns: {self.returns.rows:,} rows, {self.returns.units:,.10g} units, kept out of demand")
        lines.append("")
        lines.append(f"{'table':<8}{'read':>14}{'used':>14}{'rejected':>14}")
        for table, count in self.counts.items():
            lines.append(f"{table:<8}{count.read:>14,}{count.used:>14,}{count.rejected:>14,}")
        lines.append("")
        for finding in self.findings:
            lines.append(f"{finding.table}.{finding.rule}: {finding.rows:,} × {finding.sentence}")
            for example in finding.examples:
                value = "" if example["value"] is None else f" has {example['value']!r}"
                row = "" if example["row"] is None else f"row {example['row']:,}, "
                lines.append(f"    {row}{example['key']}{value}")
        if not self.findings:
            lines.append("nothing would be rejected")
        if self.events_unread:
            lines.append(EVENTS_UNREAD)
        if "supply" not in self.counts:
            lines.append("no table supply is configured: `fullshelf refresh` needs it, `fullshelf forecast` does not")
        if any(finding.table == "limits" for finding in self.findings):
            lines.append("a limit that is rejected does not hold: correct it before you refresh")
        return "\n".join(lines)


def check(
    config: Config,
    progress: Callable[[str, int, int | None], None] | None = None,
    stop: Callable[[], None] | None = None,
    today: date | None = None,
) -> InputReport:
    """Read and check every input as a refresh would; leave nothing behind.

    Raises
    ------
    UsageError
        As `prepare`.
    """
    with tempfile.TemporaryDirectory(prefix="fullshelf-check-") as scratch:
        intake = prepare(config, Path(scratch), progress, stop, today)
        rejects = [pl.scan_parquet(file) for file in intake.reject_files]
        series = 0
        for shard in range(intake.shards):
            keys = live_keys(intake.sales, shard, intake.period, intake.as_of)
            series += keys.height
            if intake.supply is not None:
                rejects.append(unplanned(keys, supply_frame(intake.supply, keys)["planned"]).lazy())
        findings = _findings(rejects, config)
        return InputReport(
            period=intake.period.value,
            as_of=intake.period.start(intake.as_of),
            series=series,
            shards=intake.shards,
            covariates=intake.covariates,
            returns=intake.returns,
            counts=_counts(intake, series, findings),
            findings=findings,
            events_unread=intake.events_unread,
        )


def _findings(rejects: list[pl.LazyFrame], config: Config) -> tuple[Finding, ...]:
    if not rejects:
        return ()
    by_rule = (
        pl.concat(rejects)
        .group_by("table", "rule")
        .agg(rows=pl.len(), examples=pl.struct("key", "value", "row").bottom_k_by("row", EXAMPLES))
        .sort("table", "rule")
        .collect(engine="streaming")
    )
    return tuple(
        Finding(
            row["table"],
            row["rule"],
            explain(row["table"], row["rule"], config.covariates),
            row["rows"],
            tuple(sorted(row["examples"], key=lambda e: (e["row"] or 0, e["key"]))),
        )
        for row in by_rule.iter_rows(named=True)
    )


def _counts(intake: Intake, series: int, findings: tuple[Finding, ...]) -> dict[str, TableCount]:
    without = sum(finding.rows for finding in findings if finding.table == "series")
    return intake.counts() | {"series": TableCount(series, series - without, without)}
