"""When the made-up customers buy: the year, the week, holidays of everyone and of one location."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from zlib import crc32

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period
from fullshelf.engine.simulate.catalogue import Category, location_name
from fullshelf.kernels.draws import uniforms


@dataclass(frozen=True, slots=True)
class Span:
    """P periods, of which the first T are known; the rest lie ahead."""

    period: Period
    first: int  # number of the first period (Period.number_of)
    known: int  # T
    total: int  # P

    @property
    def last(self) -> date:
        """First day of the as-of period."""
        return self.period.start(self.first + self.known - 1)

    @property
    def days(self) -> float:
        """Days in a period, on average."""
        return 365.25 / self.period.per_year

    @property
    def starts(self) -> list[date]:
        """First day of each of the P periods."""
        return [self.period.start(self.first + t) for t in range(self.total)]


@dataclass(frozen=True, slots=True)
class Occasion:
    """A day of the year on which demand differs, and how it builds up."""

    name: str
    on: Callable[[int], date]  # by year
    sense: Literal["gifts", "feast", "deals", "all"]  # which sensitivity of a category it meets
    height: float  # added to log demand on the day, for a sensitivity of 1
    before: int  # days of build-up
    after: int  # days of decline


def easter(year: int) -> date:
    """Return Easter Sunday (Gregorian; Butcher's algorithm, as in Meeus 1991).

    Examples
    --------
    >>> easter(2024)
    datetime.date(2024, 3, 31)
    """
    a, (b, c) = year % 19, divmod(year, 100)
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    weekday = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    m = (a + 11 * h + 22 * weekday) // 451
    month, day = divmod(h + weekday - 7 * m + 114, 31)
    return date(year, month, day + 1)


def nth_weekday(year: int, month: int, weekday: int, nth: int) -> date:
    """Return the nth given weekday (Monday = 0) of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


OCCASIONS: tuple[Occasion, ...] = (
    Occasion("New Year's Day", lambda y: date(y, 1, 1), "all", -0.7, 0, 0),
    Occasion("Valentine's Day", lambda y: date(y, 2, 14), "gifts", 0.35, 5, 0),
    Occasion("Easter Sunday", easter, "feast", 0.6, 6, 0),
    Occasion("Mother's Day", lambda y: nth_weekday(y, 5, 6, 2), "gifts", 0.4, 6, 0),
    Occasion("Summer Sale", lambda y: date(y, 7, 10), "deals", 0.5, 0, 4),
    Occasion("Singles' Day", lambda y: date(y, 11, 11), "deals", 0.6, 1, 0),
    Occasion("Black Friday", lambda y: nth_weekday(y, 11, 3, 4) + timedelta(days=1), "deals", 0.9, 2, 1),
    Occasion("Cyber Monday", lambda y: nth_weekday(y, 11, 3, 4) + timedelta(days=4), "deals", 0.6, 1, 1),
    Occasion("Christmas Day", lambda y: date(y, 12, 25), "gifts", 0.55, 24, 0),
    Occasion("Christmas Closing", lambda y: date(y, 12, 25), "all", -1.5, 0, 0),
    Occasion("New Year's Eve", lambda y: date(y, 12, 31), "feast", 0.5, 4, 0),
)
_LOCAL_OCCASIONS = 2  # a year and location


def season_table(span: Span, categories: tuple[Category, ...]) -> NDArray[np.float64]:
    """Return (categories, P): log of demand relative to a plain period, of each category."""
    days, of_period = _calendar(span)
    weekend = np.array([day.weekday() >= 5 for day in days], float)
    angle = np.array([2 * math.pi * day.timetuple().tm_yday / 365.25 for day in days])
    lifts = {sense: np.zeros(len(days)) for sense in ("gifts", "feast", "deals", "all")}
    index = {day: i for i, day in enumerate(days)}
    for day, occasion in _national(days[0], days[-1] + timedelta(days=31)):
        _add_lift(lifts[occasion.sense], index, day, occasion.height, occasion.before, occasion.after)
    rows = []
    for c in categories:
        log = c.swing * np.cos(angle - 2 * math.pi * c.peak / 365.25) + c.weekend * (weekend - 2 / 7)
        log += c.gifts * lifts["gifts"] + c.feast * lifts["feast"] + c.deals * lifts["deals"] + lifts["all"]
        rows.append(_by_period(log, of_period, span.total))
    return np.stack(rows)


def local_table(span: Span, locations: int, seed: int) -> NDArray[np.float64]:
    """Return (locations, P): log of what a location's own holidays do to its demand."""
    days, of_period = _calendar(span)
    index = {day: i for i, day in enumerate(days)}
    rows = []
    for location in range(locations):
        log = np.zeros(len(days))
        for day, height in _local(days[0], days[-1], location, seed):
            _add_lift(log, index, day, height, 1, 0)
        rows.append(_by_period(log, of_period, span.total))
    return np.stack(rows)


def events_frame(span: Span, locations: int, seed: int) -> pl.DataFrame:
    """Return the `events` table: what is in the calendar, everywhere (location null) or at one location."""
    days, _ = _calendar(span)
    rows: list[tuple[date, str | None, str]] = [
        (day, None, occasion.name)
        for day, occasion in _national(days[0], days[-1])
        if occasion.name != "Christmas Closing"  # the same day under another name
    ]
    for location in range(locations):
        name = location_name(location)
        rows += [(day, name, f"Fair of {name}") for day, _ in _local(days[0], days[-1], location, seed)]
    schema = {"date": pl.Date, "location": pl.String, "event": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("date", "location", "event", nulls_last=False)


def _calendar(span: Span) -> tuple[list[date], NDArray[np.int64]]:
    """Return every day of the span, and the index of its period."""
    begin, end = span.period.start(span.first), span.period.start(span.first + span.total)
    days = [begin + timedelta(days=i) for i in range((end - begin).days)]
    return days, np.array([span.period.number_of(day) - span.first for day in days])


def _national(begin: date, end: date) -> Iterator[tuple[date, Occasion]]:
    for year in range(begin.year, end.year + 1):
        for occasion in OCCASIONS:
            if begin <= (day := occasion.on(year)) <= end:
                yield day, occasion


def _local(begin: date, end: date, location: int, seed: int) -> Iterator[tuple[date, float]]:
    numbers = np.arange(_LOCAL_OCCASIONS) + _LOCAL_OCCASIONS * location
    when = uniforms(seed, crc32(b"fair day"), numbers)
    height = 0.2 + 0.4 * uniforms(seed, crc32(b"fair height"), numbers)
    for year in range(begin.year, end.year + 1):
        for u, h in zip(when, height, strict=True):
            if begin <= (day := date(year, 1, 1) + timedelta(days=int(365 * u))) <= end:
                yield day, float(h)


def _add_lift(
    log: NDArray[np.float64], index: dict[date, int], day: date, height: float, before: int, after: int
) -> None:
    for offset in range(-before, after + 1):
        at = index.get(day + timedelta(days=offset))
        if at is not None:
            width = before if offset < 0 else after
            log[at] += height * (1 - abs(offset) / (width + 1))


def _by_period(log: NDArray[np.float64], of_period: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    sums = np.bincount(of_period, weights=np.exp(log), minlength=total)
    table: NDArray[np.float64] = np.log(sums / np.bincount(of_period, minlength=total))
    return table
