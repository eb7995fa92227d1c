"""Seasons of the prior: weekdays and closed days, the year, pay-days, holidays. All as logarithms of factors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period
from fullshelf.engine.event_covariate import CODES, NAMELESS
from fullshelf.engine.models.demand_lm.prior_calendar import Dates
from fullshelf.engine.models.demand_lm.prior_random import Grid, Rows, between, chance, decades, normal

CLOSED = np.float32(-30.0)  # log of a factor that is nothing
YEAR = 366


def weekday_season(rng: np.random.Generator, dates: Dates, b: int) -> Grid:
    """Draw what the weekdays do: 15 % nothing, most some, a quarter a closed day, shops of weekends or of workdays."""
    profile = normal(rng, b, 7) * decades(rng, 0.03, 0.6, b)[:, None]
    profile[chance(rng, 0.15, b)] = 0
    weekend = chance(rng, 0.35, b)
    profile[weekend, 4:] += between(rng, 0.0, 0.9, weekend.size)[:, None] * np.array([0.4, 1, 0.8], np.float32)
    workdays = chance(rng, 0.12, b)
    profile[workdays, 5:] -= decades(rng, 0.3, 4.0, workdays.size)[:, None]
    sundays = chance(rng, 0.2, b)
    profile[sundays, 6] = CLOSED
    other = chance(rng, 0.06, b)
    profile[other, rng.integers(0, 7, other.size)] = CLOSED
    both = chance(rng, 0.05, b)
    profile[both, 5:] = CLOSED
    is_open = profile > CLOSED / 2
    profile -= (profile * is_open).sum(axis=1, keepdims=True) / np.maximum(is_open.sum(axis=1, keepdims=True), 1)
    profile[~is_open] = CLOSED
    season = np.take_along_axis(profile, dates.weekday, axis=1)
    changed = chance(rng, 0.06, b)  # a new rhythm, or new opening hours, from some day on
    if changed.size:
        other_profile = profile[rng.integers(0, b, changed.size)]
        after = np.arange(season.shape[1]) >= rng.integers(0, season.shape[1], changed.size)[:, None]
        renewed = np.take_along_axis(other_profile, dates.weekday[changed], axis=1)
        season[changed] = np.where(after, renewed, season[changed])
    return season


def year_profile(rng: np.random.Generator, b: int, strong: float) -> NDArray[np.float32]:
    """Draw the course of the year in 366 days: harmonics, peaks of some weeks (Christmas above all), seasonal goods."""
    day = np.arange(YEAR, dtype=np.float32)
    profile = np.zeros((b, YEAR), dtype=np.float32)
    smooth = chance(rng, 0.7, b)
    if smooth.size:
        angle = np.float32(2 * np.pi / YEAR) * np.outer(np.arange(1, 5, dtype=np.float32), day)
        waves = np.concatenate([np.sin(angle), np.cos(angle)])
        weight = normal(rng, smooth.size, 8) * np.tile(np.array([1, 0.6, 0.35, 0.2], np.float32), 2)
        profile[smooth] = (weight * decades(rng, 0.03, strong, smooth.size)[:, None]) @ waves
    for share, low, high, first, last in ((0.3, 0.1, 1.5, 325, 362), (0.25, 0.1, 1.2, 0, 366)):
        peaked = chance(rng, share, b)
        center, width = between(rng, first, last, peaked.size), decades(rng, 4, 30, peaked.size)
        distance = np.abs(day - center[:, None])
        distance = np.minimum(distance, YEAR - distance) / width[:, None]
        profile[peaked] += decades(rng, low, high, peaked.size)[:, None] * np.exp(-0.5 * distance * distance)
    seasonal = chance(rng, 0.05, b)  # goods that are sold in one part of the year alone
    center, half = between(rng, 0, YEAR, seasonal.size), between(rng, 40, 140, seasonal.size)
    distance = np.abs(day - center[:, None])
    distance = np.minimum(distance, YEAR - distance)
    profile[seasonal] -= between(rng, 1, 6, seasonal.size)[:, None] * (distance > half[:, None])
    return profile


def month_profile(rng: np.random.Generator, b: int, low: float, high: float) -> NDArray[np.float32]:
    """Draw a year in which each month has a factor of its own, as industries and hospitals have: 366 days."""
    factor = normal(rng, b, 12) * decades(rng, low, high, b)[:, None]
    dip = chance(rng, 0.2, b)  # the month of the holidays
    factor[dip, rng.integers(0, 12, dip.size)] -= between(rng, 0.1, 1.2, dip.size)
    month = np.minimum(np.arange(YEAR) // 30.5, 11).astype(np.intp)
    return factor[:, month]


def year_season(rng: np.random.Generator, dates: Dates, b: int, by_month: float, strong: float) -> Grid:
    """Draw the yearly season; with probability `by_month` a factor for each month, now and then growing or fading."""
    profile = year_profile(rng, b, strong)
    months = chance(rng, by_month, b)
    profile[months] = month_profile(rng, months.size, 0.02, min(strong, 0.6))
    season = np.take_along_axis(profile, dates.day_of_year, axis=1)
    fading = chance(rng, 0.15, b)
    T = season.shape[1]
    drift = np.linspace(-1, 1, T, dtype=np.float32)
    season[fading] *= np.exp(normal(rng, fading.size)[:, None] * 0.3 * drift)
    return season


def pay_days(rng: np.random.Generator, dates: Dates, b: int) -> Grid:
    """Draw more sales after the pay-day (early or late in the month), fading over some days; 12 % of series."""
    effect = np.zeros(dates.middle.shape, dtype=np.float32)
    rows = chance(rng, 0.12, b)
    if rows.size == 0:
        return effect
    day = dates.day_of_month[rows]
    since = np.where(rng.random((rows.size, 1)) < 0.6, day, (day - 24) % 31).astype(np.float32)
    effect[rows] = between(rng, 0.1, 0.7, rows.size)[:, None] * np.exp(
        -since / decades(rng, 1.5, 8, rows.size)[:, None]
    )
    return effect


def holidays(rng: np.random.Generator, dates: Dates, b: int) -> tuple[Grid, Grid]:
    """Draw holidays, fixed and moving, closed or busy, with a run-up; days alone.

    Returns
    -------
    effect, event
        (b, T) log of a factor; the holiday's own code on the day itself, the same in every year.
    """
    T = dates.middle.shape[1]
    effect, event = np.zeros((b, T), dtype=np.float32), np.zeros((b, T), dtype=np.float32)
    rows = chance(rng, 0.4, b)
    if rows.size == 0:
        return effect, event
    each = 8  # holidays a year
    place = rng.integers(0, 365, (rows.size, each))
    size = np.where(rng.random((rows.size, 1)) < 0.4, 0.1, 1.0) * normal(rng, rows.size, each) * 0.5 + 0.15
    size[rng.random((rows.size, each)) < 0.3] = CLOSED
    moving = np.where(rng.random((rows.size, each)) < 0.3, 12, 0)
    code = rng.integers(1, CODES + 1, (rows.size, each))
    nameless = chance(rng, 0.3, rows.size)  # shops that only say that there is one
    code[nameless] = NAMELESS
    run_up = between(rng, 0.0, 0.5, rows.size) * (rng.random(rows.size) < 0.6)
    first = dates.middle[rows, 0]
    for year in range(T // 365 + 2):
        day = place + np.rint(moving * (rng.random(place.shape) * 2 - 1)).astype(np.int64)
        new_year = first - dates.day_of_year[rows, 0]
        at = np.rint(new_year[:, None] + year * 365.25).astype(np.int64) + day - first[:, None]
        r, e = np.nonzero((at >= 0) & (at < T))
        effect[rows[r], at[r, e]] = size[r, e]
        event[rows[r], at[r, e]] = code[r, e]
        for days, share in ((1, 1.0), (2, 0.6), (3, 0.3)):
            before = at[r, e] - days
            ok = before >= 0
            effect[rows[r][ok], before[ok]] += np.float32(share) * run_up[r][ok]
    return effect, event


def peak_scale(period: Period) -> float:
    """Return how strong a year's harmonics may be; a month smooths what a day shows."""
    return {"day": 0.8, "week": 0.8, "month": 0.7}[period.value]


def level(rng: np.random.Generator, period: Period, b: int) -> Rows:
    """Draw mean units a period of retail series, over six decades: most near 1.5 a day, the rest from 0.01 to 3,000."""
    log10 = np.where(rng.random(b) < 0.6, 0.2 + 0.7 * normal(rng, b), between(rng, -2.0, 3.5, b))
    days = {"day": 1.0, "week": 7.0, "month": 30.4}[period.value]
    if period is not Period.DAY:  # a slow mover is looked at by the week or month
        log10 = log10 - between(rng, 0.0, 1.5, b)
    return np.clip(10.0**log10 * days, 1e-3, 1e6).astype(np.float32)
