"""What went in and how the run went: rows by table, rejected rows, seconds, memory, versions, configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import yaml

from fullshelf.engine.report import charts
from fullshelf.engine.report.facts import ReportFacts
from fullshelf.engine.report.flame import where_the_time_went
from fullshelf.engine.report.markup import Column, Html, join, section, table, tag, users
from fullshelf.engine.report.numbers import duration, memory, number, plural, share
from fullshelf.engine.report.rejected import Rule
from fullshelf.engine.report.timeline import who_did_what

RULES = 20  # rules shown with examples
SHARDS = 10  # quarantined shards shown
CONFIGURATION = 20_000  # characters


def rows_read(facts: ReportFacts, rules: list[Rule]) -> Html:
    """Write the section on the input rows."""
    tables: Mapping[str, Mapping[str, int]] = facts.run.get("counts", {}).get("tables", {})
    parts = []
    if tables:
        columns = [
            Column("table"),
            *(Column(c, True) for c in ("rows read", "used", "rejected")),
            Column("share", True, True),
        ]
        body = [
            [name, *(f"{c.get(k, 0):,}" for k in ("read", "used", "rejected")), share(c.get("rejected", 0) / c["read"])]
            if c.get("read")
            else [name, "0", "0", "0", ""]
            for name, c in tables.items()
        ]
        parts.append(table(columns, body))
    returns = facts.run.get("returns") or {}
    if returns.get("rows"):
        words = f"{plural(returns['rows'], 'row')} of sales are returns, {number(abs(returns['units']))} units; "
        parts.append(tag("p", words + "they are kept out of demand.", css="soft"))
    parts.append(tag("h3", "Rejected rows") if rules else tag("p", "No row was rejected.", css="soft"))
    if rules:
        columns = [Column("rule"), Column("rows", True), Column("for example")]
        parts.append(table(columns, (_rule(rule) for rule in rules[:RULES])))
        if len(rules) > RULES:
            parts.append(
                tag("p", f"{plural(len(rules) - RULES, 'more rule')}: all rows lie in rejects/*.parquet.", css="note")
            )
    return section("input", "Input rows", *parts)


def _rule(rule: Rule) -> list[str]:
    examples = []
    for key, value, row in rule.examples:
        where = f", row {row:,}" if row is not None else ""
        found = join(": ", users(value, 60)) if value else Html("")
        examples.append(tag("div", users(key, 60), found, tag("span", where, css="soft")))
    return [join(users(rule.rule, 80), tag("small", users(rule.table, 40))), f"{rule.rows:,}", join(*examples)]


def the_run(facts: ReportFacts) -> Html:
    """Write the section for whoever runs the job."""
    run = facts.run
    seconds = {name: s for name, s in (run.get("seconds") or {}).items() if isinstance(s, int | float)}
    return section(
        "run",
        "The run",
        _quarantined(run),
        tag("div", _stages(seconds) if seconds else "", _description(run), css="columns"),
        where_the_time_went(run.get("profile") or (), seconds.get("total", 0.0)),
        who_did_what(facts.records),
        _configuration(run),
    )


def _quarantined(run: Mapping[str, Any]) -> Html:
    lost = run.get("quarantined") or {}
    if not lost:
        return Html("")
    body = [[users(str(shard), 20), users(str(error), 300)] for shard, error in list(lost.items())[:SHARDS]]
    more = f"{len(lost) - SHARDS:,} more in run.json." if len(lost) > SHARDS else ""
    return join(
        tag("h3", "Quarantined shards", css="warn"),
        table([Column("shard"), Column("error")], body),
        tag("p", more, css="note") if more else "",
    )


def _stages(seconds: Mapping[str, float]) -> Html:
    longest = max(*seconds.values(), 1e-9)
    body = [[users(name, 40), duration(s), Html(charts.meter(s / longest))] for name, s in seconds.items()]
    return tag(
        "div",
        tag("h3", "Seconds by stage"),
        table([Column("stage"), Column("time", True), Column("")], body, css="stages"),
        tag("p", "Stages of shards that worked side by side are added up.", css="note"),
    )


def _description(run: Mapping[str, Any]) -> Html:
    machine = run.get("machine") or {}
    counts = run.get("counts") or {}
    lines = {
        "run": run.get("run"),
        "completed": run.get("completed"),
        "model": run.get("model"),
        "device": run.get("device"),
        "machine": ", ".join(f"{k} {v}" for k, v in machine.items()) if isinstance(machine, Mapping) else machine,
        "peak memory": memory(run["peak_memory_mb"]) if run.get("peak_memory_mb") else None,
        "shards": f"{counts['shards']:,}" if counts.get("shards") else None,
        "series": f"{counts['series']:,}" if counts.get("series") else None,
        **(run.get("versions") or {}),
    }
    body = [[name, users(str(value), 120)] for name, value in lines.items() if value]
    return tag("div", tag("h3", "What ran, and where"), table([Column(""), Column("")], body, css="plain"))


def _configuration(run: Mapping[str, Any]) -> Html:
    given = run.get("configuration")
    if not given:
        return Html("")
    plain = json.loads(json.dumps(given, default=str))
    words = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=100)
    words = re.sub(r"(?<=://)[^/@\s]+@", "…@", words)  # a password in a URL is nobody's business
    words = words if len(words) <= CONFIGURATION else words[:CONFIGURATION] + "\n… cut; the whole is in run.json"
    return tag("details", tag("summary", tag("b", "Configuration")), tag("pre", words))
