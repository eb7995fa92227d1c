"""The run as one page for a person: what is ordered, what needs a human, how good the forecasts were."""

from fullshelf.engine.report.facts import ReportFacts
from fullshelf.engine.report.page import write_report

__all__ = ["ReportFacts", "write_report"]
