"""The calendar of simulated windows: which day, week or month each period is, and where in its year and month."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period

FIRST, LAST = np.datetime64("1800-01-01"), np.datetime64("2060-01-01")
_DAYS = np.arange(FIRST, LAST)
_ORIGIN = int(FIRST.astype(np.int64))  # day number of the first row of the tables
_YEARS, _MONTHS = _DAYS.astype("M8[Y]"), _DAYS.astype("M8[M]")
_DAY_OF_YEAR = (_DAYS - _YEARS.astype("M8[D]")).astype(np.int32)  # 0…365
_DAY_OF_MONTH = (_DAYS - _MONTHS.astype("M8[D]")).astype(np.int32)  # 0…30
_MONTH_DAYS = ((_MONTHS + 1).astype("M8[D]") - _MONTHS.astype("M8[D]")).astype(np.int32)


@dataclass(frozen=True, slots=True)
class Dates:
    """The days that B windows of T periods stand for."""

    period: Period
    middle: NDArray[np.int64]  # (B, T) day number of the middle day of each period

    @property
    def weekday(self) -> NDArray[np.int64]:
        """(B, T) 0 = Monday."""
        return np.asarray((self.middle + 3) % 7)

    @property
    def day_of_year(self) -> NDArray[np.int32]:
        """(B, T) 0…365."""
        return np.asarray(_DAY_OF_YEAR[self.middle - _ORIGIN])

    @property
    def day_of_month(self) -> NDArray[np.int32]:
        """(B, T) 0…30."""
        return np.asarray(_DAY_OF_MONTH[self.middle - _ORIGIN])

    @property
    def days_left_in_month(self) -> NDArray[np.int32]:
        """(B, T) 0 on the last day of the month."""
        at = self.middle - _ORIGIN
        return np.asarray(_MONTH_DAYS[at] - 1 - _DAY_OF_MONTH[at])

    def phases(self) -> dict[str, NDArray[np.float32]]:
        """Return the calendar covariates by name, each (B, T)."""
        at = self.middle - _ORIGIN
        year = (_DAY_OF_YEAR[at].astype(np.float32) + 0.5) * np.float32(2 * np.pi / 365.25)
        found = {"year_sin": np.sin(year), "year_cos": np.cos(year)}
        if self.period is Period.DAY:
            month = (_DAY_OF_MONTH[at].astype(np.float32) + 0.5) * np.float32(2 * np.pi) / _MONTH_DAYS[at]
            found |= {"month_sin": np.sin(month).astype(np.float32), "month_cos": np.cos(month).astype(np.float32)}
        return found


def window_dates(last: NDArray[np.int64], period: Period, C: int, H: int) -> Dates:
    """Return the dates of windows whose as-of periods have these numbers (Period.number_of)."""
    number = last[:, None] + np.arange(1 - C, H + 1)
    if period is Period.DAY:
        return Dates(period, number)
    if period is Period.WEEK:
        return Dates(period, number * 7)  # Monday is 7 n - 3, so this is the Thursday
    start = number.astype("M8[M]").astype("M8[D]").astype(np.int64)
    return Dates(period, start + 15)


def random_last(rng: np.random.Generator, period: Period, b: int) -> NDArray[np.int64]:
    """Draw as-of periods from 2000 to 2029."""
    day = rng.integers(10957, 21915, b)
    if period is Period.DAY:
        return np.asarray(day)
    if period is Period.WEEK:
        return np.asarray((day + 3) // 7)
    return day.astype("M8[D]").astype("M8[M]").astype(np.int64)
