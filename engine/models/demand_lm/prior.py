"""The prior: simulated demand, the only thing that the shipped DemandLM has ever seen.

`draw` makes windows of one shape: a history as a shop would have recorded it, what it knows ahead, and the true demand
of the periods ahead as target. The ranges come from reasons, not from data; CARD.md names them with the reasons.

Four kinds of series, mixed by the kind of period (`KINDS`):
- retail: level × trend × local level × seasons × holidays × prices and promotions × life cycle, then counts;
- lumpy: the same course with small effects, sold in few orders of random size: spare parts, wholesale;
- smooth: turnover and counts of industries and hospitals: high levels, little noise, a strong year;
- general: compositions of kernels, autoregressions, steps and spikes, as the public synthetic recipes have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.batch import COVARIATES, PATCH, ContextBatch
from fullshelf.engine.models.demand_lm.prior_calendar import Dates, random_last, window_dates
from fullshelf.engine.models.demand_lm.prior_counts import counts, lumps, smooth, weighed
from fullshelf.engine.models.demand_lm.prior_general import general
from fullshelf.engine.models.demand_lm.prior_plans import DAYS, Plans, plans
from fullshelf.engine.models.demand_lm.prior_random import (
    Grid,
    autoregression,
    chance,
    decades,
    normal,
    random_walk,
    spells,
)
from fullshelf.engine.models.demand_lm.prior_records import errors, life, returned, sold
from fullshelf.engine.models.demand_lm.prior_seasons import (
    holidays,
    level,
    pay_days,
    peak_scale,
    weekday_season,
    year_season,
)
from fullshelf.engine.models.demand_lm.weighting import window_weight

KIND_NAMES = ("retail", "lumpy", "smooth", "general")
KINDS = {  # share of each kind of series
    Period.DAY: (0.70, 0.12, 0.08, 0.10),
    Period.WEEK: (0.55, 0.20, 0.13, 0.12),
    Period.MONTH: (0.25, 0.25, 0.37, 0.13),
}
LONGEST_SUM = 1600  # days; weeks and months up to this long are now and then sums of simulated days


@dataclass(frozen=True, slots=True)
class Sample:
    """B simulated windows."""

    batch: ContextBatch
    target: torch.Tensor  # (B, H) float32, true demand in units per period
    weight: torch.Tensor  # (B, H) float32, what each period counts in the loss
    past: torch.Tensor  # (B, C) float32, true demand of the history; the model never sees it
    kind: NDArray[np.intp]  # (B,) which of KIND_NAMES


@dataclass(frozen=True, slots=True)
class _Windows:
    """B windows of T = C + H periods as arrays."""

    demand: Grid  # (B, T) units per period
    units: Grid  # (B, C) as recorded
    observed: Grid  # (B, C)
    first: NDArray[np.intp]  # (B,) first period that exists
    plans: Plans
    event: Grid  # (B, T) code of the event of a period, 0 none


def draw(B: int, period: Period, C: int, H: int, rng: np.random.Generator) -> Sample:
    """Draw B windows of C periods of history and H periods ahead; the same generator state gives the same windows.

    Raises
    ------
    ValueError
        If C is not a whole number of patches, or a size is not positive.

    Examples
    --------
    >>> sample = draw(3, Period.WEEK, 52, 13, np.random.default_rng(0))
    >>> sample.batch.units.shape, sample.target.shape
    (torch.Size([3, 52]), torch.Size([3, 13]))
    """
    if min(B, C, H) < 1 or C % PATCH[period]:
        raise ValueError(f"draw: B={B}, C={C}, H={H}: C must be whole patches of {PATCH[period]}, all at least 1")
    kind = np.sort(rng.choice(len(KIND_NAMES), B, p=KINDS[period]))
    last = random_last(rng, period, B)
    summed = 0
    if period is not Period.DAY and DAYS[period] * (C + H) <= LONGEST_SUM:
        summed = min(int(0.15 * B + rng.random()), int((kind == 0).sum()))
        last[:summed] = last[0]
    dates = window_dates(last, period, C, H)
    windows = _windows(rng, kind, dates, C, H)
    if summed:
        _put(windows, _sums_of_days(rng, summed, period, int(last[0]), C, H))
    return _sample(windows, dates, kind, C)


def _windows(rng: np.random.Generator, kind: NDArray[np.intp], dates: Dates, C: int, H: int) -> _Windows:
    period, B, T = dates.period, kind.size, C + H
    days = DAYS[period]
    effect, event = _seasons(rng, kind, dates)
    planned = plans(rng, period, B, C, T)
    planned.effect[kind >= 2] = 0  # smooth and general series ignore what the shop does
    planned.effect[kind == 1] *= 0.5
    alive, first = life(rng, B, C, T, days)
    effect += planned.effect + _course(rng, kind, T, days)
    effect = np.minimum(effect, 6)
    demand = np.zeros((B, T), dtype=np.float32)
    whole = np.ones(B, dtype=np.bool_)
    for number, name in enumerate(KIND_NAMES):
        rows = np.flatnonzero(kind == number)
        if rows.size == 0:
            continue
        if name == "general":
            demand[rows] = general(rng, rows.size, T, period.season)
            demand[rows] *= np.exp(np.where(alive[rows] < -20, -30, 0))
            whole[rows] = False
            continue
        base = decades(rng, 3.0, 1e6, rows.size) if name == "smooth" else level(rng, period, rows.size)
        mean = base[:, None] * np.exp(np.minimum(effect[rows] + alive[rows], 9))
        if name == "retail":
            demand[rows] = counts(rng, mean)
        elif name == "lumpy":
            demand[rows] = lumps(rng, mean)
        else:
            demand[rows] = smooth(rng, mean, 0.45)
            whole[rows] = (demand[rows] == np.floor(demand[rows])).all(axis=1)
    scaled = chance(rng, 0.12, B)
    scaled = scaled[kind[scaled] < 2]
    demand[scaled] = weighed(rng, demand[scaled])
    whole[scaled] = False
    returned(rng, demand, whole)
    units, observed = sold(rng, demand, period, C, whole)
    errors(rng, units, first)
    return _Windows(demand, units, observed, first, planned, event)


def _seasons(rng: np.random.Generator, kind: NDArray[np.intp], dates: Dates) -> tuple[Grid, Grid]:
    """Return the log of what the seasons do (B, T), and the holidays that are known."""
    period, B = dates.period, kind.size
    by_month = {Period.DAY: 0.05, Period.WEEK: 0.1, Period.MONTH: 0.6}[period]
    effect = year_season(rng, dates, B, by_month, peak_scale(period))
    flat = chance(rng, 0.2, B)
    effect[flat] = 0
    event = np.zeros_like(effect)
    if period is Period.DAY:
        effect += weekday_season(rng, dates, B) + pay_days(rng, dates, B)
        holiday, event = holidays(rng, dates, B)
        effect += holiday
        event *= (rng.random(B) < 0.7)[:, None]
    effect[kind == 1] = np.clip(effect[kind == 1], -30, 1) * 0.6
    return effect, event


def _course(rng: np.random.Generator, kind: NDArray[np.intp], T: int, days: float) -> Grid:
    """Return the log of trend, local level and level shifts (B, T), 0 about the middle of the window.

    Trends of 25 % a year about a fall of 5 % (an item loses buyers to what is listed after it; smooth series 8 % about
    a growth of 1.5 %: turnover is counted in money, and prices rise), over at most six years to each side, in 70 % of
    the series. Local level: a third none, a third a random walk of 4…80 % a year (smooth series 2…40 %) whose
    logarithm drifts down by half its variance, so that demand is expected to stay where it is; a third an
    autoregression of 5…60 % that forgets in 2…90 periods.
    """
    B = kind.size
    years = np.clip((np.arange(T, dtype=np.float32) - T / 2) * np.float32(days / 365.25), -6, 6)
    slope = normal(rng, B) * np.where(kind == 2, 0.08, 0.25) + np.where(kind == 2, 0.015, -0.05)
    slope *= rng.random(B) < 0.7
    course: Grid = np.clip(slope[:, None].astype(np.float32) * years, -2.5, 2.5)
    which = rng.random(B)
    rows = np.flatnonzero(which < 0.37)
    low, high = np.where(kind[rows] == 2, 0.02, 0.04), np.where(kind[rows] == 2, 0.4, 0.8)
    yearly = (low * (high / low) ** rng.random(rows.size)).astype(np.float32)
    course[rows] += random_walk(rng, yearly * np.float32(np.sqrt(days / 365.25)), T)
    course[rows] -= (0.5 * yearly * yearly)[:, None] * years
    rows = np.flatnonzero(which > 0.67)
    memory = decades(rng, 2.0, 90.0, rows.size)
    sd = decades(rng, 0.05, 0.6, rows.size) * np.where(kind[rows] == 2, 0.3, 1.0).astype(np.float32)
    course[rows] += autoregression(rng, np.exp(-1 / memory), sd, T)
    rows = chance(rng, 0.25, B)
    found = spells(rng, np.ones(rows.size, np.float32), decades(rng, 150, 1500, rows.size) / np.float32(days), T)
    size = 0.45 * normal(rng, found.count) * np.where(kind[rows][found.row] == 2, 0.4, 1)
    course[rows] += found.paint(rows.size, T, size)
    return course


def _sums_of_days(rng: np.random.Generator, b: int, period: Period, last: int, C: int, H: int) -> _Windows:
    """Return weeks or months of retail series that were simulated by the day."""
    starts = np.array([Period.DAY.number_of(period.start(last + k)) for k in range(1 - C, H + 2)])
    edges = starts[:-1] - starts[0]
    c, t = int(starts[C] - starts[0]), int(starts[-1] - starts[0])
    dates = window_dates(np.full(b, starts[C] - 1), Period.DAY, c, t - c)
    day = _windows(rng, np.zeros(b, dtype=np.intp), dates, c, t - c)
    lengths = np.diff(starts).astype(np.float32)

    def total(values: Grid) -> Grid:
        return np.add.reduceat(values, edges[: C if values.shape[1] == c else C + H], axis=1)

    def mean(values: Grid) -> Grid:
        summed: Grid = total(values)
        return summed / lengths[: summed.shape[1]]

    first = np.searchsorted(edges[:C], day.first, side="right") - 1
    plan = Plans(
        mean(day.plans.effect), mean(day.plans.price), mean(day.plans.promo), (mean(day.plans.known) > 0.5).astype("f4")
    )
    event = np.maximum.reduceat(day.event, edges, axis=1)
    return _Windows(total(day.demand), total(day.units), mean(day.observed), first, plan, event)


def _put(into: _Windows, part: _Windows) -> None:
    """Write the windows of `part` over the first ones of `into`."""
    b = part.first.size
    for name in ("demand", "units", "observed", "first", "event"):
        getattr(into, name)[:b] = getattr(part, name)
    for name in ("price", "promo", "known"):
        getattr(into.plans, name)[:b] = getattr(part.plans, name)


def _sample(windows: _Windows, dates: Dates, kind: NDArray[np.intp], C: int) -> Sample:
    B, T = windows.demand.shape
    exists = np.arange(C) >= windows.first[:, None]
    named = {
        "price": windows.plans.price,
        "promo": windows.plans.promo,
        "known": windows.plans.known,
        "event": np.minimum(windows.event, 1),
        **dates.phases(),
    }
    covariates = np.zeros((B, T, len(COVARIATES)), dtype=np.float32)
    for k, name in enumerate(COVARIATES):
        if name in named:
            covariates[:, :, k] = named[name]
    covariates[:, :C] *= exists[:, :, None]
    codes = np.zeros((B, T, 2), np.int16)
    codes[:, :, 0] = windows.event
    codes[:, :C] *= exists[:, :, None]
    batch = ContextBatch(
        period=dates.period,
        units=torch.from_numpy(np.ascontiguousarray(windows.units)),
        exists=torch.from_numpy(exists),
        observed=torch.from_numpy(np.where(exists, windows.observed, 1).astype(np.float32)),
        covariates=torch.from_numpy(covariates),
        events=torch.from_numpy(codes),
    )
    target = torch.from_numpy(np.ascontiguousarray(windows.demand[:, C:]))
    past = torch.from_numpy(windows.demand[:, :C] * exists)
    weight = (
        torch.from_numpy(window_weight(windows.units, exists, dates.period))[:, None].expand_as(target).contiguous()
    )
    return Sample(batch, target, weight, past, kind)
