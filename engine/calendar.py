"""Periods of time: days, weeks that start on Monday, months; as whole numbers that can be subtracted."""

from __future__ import annotations

from datetime import date, timedelta
from enum import StrEnum

import polars as pl

EPOCH = date(1970, 1, 1)
_MONDAY_SHIFT = 3  # 1970-01-01 is a Thursday: day number + 3 is a multiple of 7 on Mondays


class Period(StrEnum):
    """One step of time."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    @property
    def season(self) -> int:
        """Periods in the season that demand usually follows: a week of days, a year of weeks or months."""
        return {"day": 7, "week": 52, "month": 12}[self.value]

    @property
    def per_year(self) -> float:
        """Periods in a year."""
        return {"day": 365.25, "week": 365.25 / 7, "month": 12.0}[self.value]

    @property
    def horizon(self) -> int:
        """Periods forecast where the configuration names no horizon."""
        return {"day": 28, "week": 13, "month": 12}[self.value]

    def number(self, column: str | pl.Expr) -> pl.Expr:
        """Expression: how many periods after the one that holds 1970-01-01 a date lies; Int32."""
        expr = pl.col(column) if isinstance(column, str) else column
        if self is Period.MONTH:
            return ((expr.dt.year() - 1970) * 12 + expr.dt.month().cast(pl.Int32) - 1).cast(pl.Int32)
        days = expr.cast(pl.Date).to_physical()
        return days if self is Period.DAY else (days + _MONDAY_SHIFT).floordiv(7).cast(pl.Int32)

    def number_of(self, day: date) -> int:
        """Count the periods from the one that holds 1970-01-01 to the one that holds `day`.

        Examples
        --------
        >>> Period.WEEK.number_of(date(2024, 1, 1)) - Period.WEEK.number_of(date(2023, 12, 31))
        1
        """
        if self is Period.MONTH:
            return (day.year - 1970) * 12 + day.month - 1
        days = (day - EPOCH).days
        return days if self is Period.DAY else (days + _MONDAY_SHIFT) // 7

    def start(self, number: int) -> date:
        """Return the first day of the period with that number.

        Examples
        --------
        >>> Period.MONTH.start(Period.MONTH.number_of(date(2024, 2, 29)))
        datetime.date(2024, 2, 1)
        """
        if self is Period.MONTH:
            return date(1970 + number // 12, number % 12 + 1, 1)
        return EPOCH + timedelta(days=number if self is Period.DAY else number * 7 - _MONDAY_SHIFT)
