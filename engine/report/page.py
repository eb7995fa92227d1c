"""The whole page, from its facts to one file that needs nothing else."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from fullshelf.engine.report.accuracy import accuracy
from fullshelf.engine.report.attention import attention
from fullshelf.engine.report.examples import read_examples, read_reasons
from fullshelf.engine.report.facts import ReportFacts
from fullshelf.engine.report.frame import page
from fullshelf.engine.report.machine import rows_read, the_run
from fullshelf.engine.report.markup import Html
from fullshelf.engine.report.money import limits, where
from fullshelf.engine.report.overrides import overrides
from fullshelf.engine.report.rejected import read_rejects
from fullshelf.engine.report.series import series
from fullshelf.engine.report.summary import as_of_words, head
from fullshelf.engine.report.survey import KEY, survey

WORST = 8  # rows shown of each exception
FOOT = (
    "Expected numbers are over each series’ protection interval: lead time and review period, from the end of the "
    "as-of period. Money is in the currency of the supply table."
)


def write_report(path: Path, facts: ReportFacts) -> None:
    """Write the page: one self-contained HTML file, no script, no network, the same bytes for the same facts."""
    path.write_text(build(facts), encoding="utf-8")


def build(facts: ReportFacts) -> Html:
    """Read the facts and return the page."""
    found = survey(facts.orders, facts.values, facts.examples, WORST)
    rules = read_rejects(facts.rejects)
    short = found.worst.get("short", pl.DataFrame())
    reasons = read_reasons(facts, short.select(KEY)) if short.height else {}
    sections = [
        ("attention", "Needs a human", attention(facts, found, reasons, rules)),
        ("limits", "Limits", limits(facts, found)),
        ("overrides", "Overrides", overrides(facts)),
        ("money", "Money" if found.priced else "Units", where(facts, found)),
        ("accuracy", "Accuracy", accuracy(facts)),
        ("series", "Series", series(facts, read_examples(facts, found.examples))),
        ("input", "Input rows", rows_read(facts, rules)),
        ("run", "The run", the_run(facts)),
    ]
    return page(f"Orders as of {as_of_words(facts)}", head(facts, found), sections, FOOT)
