"""Which rounds of the past are lived again."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import polars as pl

from fullshelf.engine.calendar import Period
from fullshelf.engine.config import BacktestSettings

SLACK = 1e-9
USUAL = {Period.DAY: 7, Period.WEEK: 1, Period.MONTH: 1}  # periods between rounds where supply names no longer review


@dataclass(frozen=True, slots=True)
class Rounds:
    """Order rounds at the end of periods `origins[0]`, `origins[1]` …, each `every` periods; the last ends at `as_of`.

    Examples
    --------
    >>> rounds = Rounds(as_of=100, every=7, warm_up=1, counted=2)
    >>> rounds.origins, rounds.periods, rounds.counts(0), rounds.counts(1)
    ((79, 86, 93), 21, False, True)
    """

    as_of: int  # number of the last known period
    every: int  # periods between two rounds
    warm_up: int  # rounds that are lived but not counted
    counted: int

    @property
    def origins(self) -> tuple[int, ...]:
        """Number of the period at whose end each round orders."""
        return tuple(self.as_of - n * self.every for n in range(self.warm_up + self.counted, 0, -1))

    @property
    def periods(self) -> int:
        """Periods that are lived, warm-up included."""
        return (self.warm_up + self.counted) * self.every

    @property
    def scored(self) -> int:
        """Periods that count."""
        return self.counted * self.every

    def counts(self, k: int) -> bool:
        """Whether round k counts."""
        return k >= self.warm_up

    def is_due(self, k: int, review: int) -> bool:
        """Whether a series that is reviewed every `review` periods orders in round k: its first after each review.

        Examples
        --------
        >>> [Rounds(100, 7, 0, 6).is_due(k, 14) for k in range(4)]
        [True, False, True, False]
        """
        return k == 0 or k * self.every // review > (k - 1) * self.every // review


def settle_rounds(settings: BacktestSettings, period: Period, as_of: int, terms: pl.DataFrame) -> Rounds:
    """Fill in what the configuration leaves open.

    Parameters
    ----------
    terms
        lead_time and review_period of the usable supply rows, periods.
    """
    every, warm_up = settings.every, settings.warm_up
    if every is None:
        shortest = ceil(float(terms["review_period"].fill_null(1.0).min() or 1.0) - SLACK)  # type: ignore[arg-type]
        every = shortest if shortest > 1 else USUAL[period]
    if warm_up is None:
        longest = ceil(float(terms["lead_time"].fill_null(0.0).max() or 0.0) - SLACK)  # type: ignore[arg-type]
        warm_up = -(-longest // every)
    return Rounds(as_of, every, warm_up, settings.rounds)
