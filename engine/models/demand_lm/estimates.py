"""What simple rules expect of each coming period: level times season, trend, the year's course, what like plans did.

A network of a hundred units multiplies badly, and a level times a season times a promotion is a product. So the
products are made here, each the estimate that a planner would write down, and the heads learn which to believe. All are
ratios of what was sold to what the season lets one expect, so periods without stock and closed days weigh nothing.

B rows, C periods of context, H periods ahead, L periods of a season, R seasons, M memories.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from fullshelf.engine.calendar import Period
from fullshelf.engine.models.demand_lm.batch import ContextBatch
from fullshelf.engine.models.demand_lm.like_plans import effect_of_plans
from fullshelf.engine.models.demand_lm.ratios import ratio

YEAR = {Period.DAY: 364, Period.WEEK: 52, Period.MONTH: 12}  # periods after which the phase of season and year recurs
AROUND = {Period.DAY: 7, Period.WEEK: 2, Period.MONTH: 1}  # periods on each side of the same time last year
INDEX_DECAY = {Period.DAY: 0.96, Period.WEEK: 0.75, Period.MONTH: 0.8}  # weight of a season in the index by the next
INDEX_AROUND = {Period.DAY: 0, Period.WEEK: 1, Period.MONTH: 0}  # neighbours that a phase's index is averaged with
LEVELS = {
    Period.DAY: (4, 14, 56, 182),
    Period.WEEK: (2, 6, 16, 52),
    Period.MONTH: (1.5, 4, 12, 36),
}  # memories, periods
TRENDS = {Period.DAY: (42, 182), Period.WEEK: (12, 40), Period.MONTH: (6, 20)}
FAINT = 1e-3  # periods of the longer memory that a level starts with: they count where it has seen nothing else
TREND_PRIOR = 0.02  # of the squared weight of all: how sure a slope must be
BEFORE = {
    Period.DAY: 56,
    Period.WEEK: 8,
    Period.MONTH: 3,
}  # periods before a year ago that this year's are held against
MOST = 20.0  # an estimate is at most this many scales of the history

LINEAR = len(LEVELS[Period.DAY]) + len(TRENDS[Period.DAY]) + 2
OTHER = 2


def estimates(
    batch: ContextBatch, value: Tensor, exposure: Tensor, near: Tensor, near_weight: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what the rules expect of each period ahead (B, H, LINEAR), and how much they rest on (B, H, OTHER).

    Parameters
    ----------
    value, exposure
        (B, C) units in scales of the history, and the share of each period that could sell.
    near, near_weight
        (B, H) mean of the same time last year with its neighbours, and the periods it rests on.
    """
    period, C, H = batch.period, value.shape[1], batch.horizon
    L = period.season
    index = _season_index(value, exposure, period)
    ahead = index[:, torch.arange(H, device=value.device) % L]
    expected = exposure * index[:, _phase(C, L, value.device)]

    levels = _levels(value, expected, period)
    found = [level[:, None] * ahead for level in levels]
    found += [trend * ahead for trend in _trends(value, expected, period, H, levels[-1])]
    settled = levels[2]
    course, sure = _year_course(value, exposure, period, near, near_weight, settled)
    found.append(course if YEAR[period] == L else course * ahead)
    effect, evidence = effect_of_plans(batch, value, expected, settled)
    found.append(settled[:, None] * ahead * effect.clamp(max=MOST))
    return torch.stack(found, dim=-1).clamp(0.0, MOST), torch.stack([sure, torch.log1p(evidence) / 2.0], dim=-1)


def expected_by_season(value: Tensor, exposure: Tensor, period: Period) -> Tensor:
    """Return what the season lets one expect of each past period at a level of 1, (B, C), nothing without stock."""
    index = _season_index(value, exposure, period)
    return exposure * index[:, _phase(value.shape[1], period.season, value.device)]


def _phase(C: int, L: int, device: torch.device) -> Tensor:
    """Return the phase of each of C past periods; the next period is phase 0."""
    return (torch.arange(C, device=device) - C) % L


def _season_index(value: Tensor, exposure: Tensor, period: Period) -> Tensor:
    """Return each phase's demand by that of its season's mean, (B, L); phase 0 is the next period.

    A ratio of sums, drawn to 1 by what its own scatter over the seasons says of it (James and Stein 1961): n seasons
    whose ratios scatter by s² around phases that differ by d² weigh n against s² / d².
    """
    C, L, around = value.shape[1], period.season, INDEX_AROUND[period]
    R = -(-C // L)
    v, e = (pad(x, (R * L - C, 0)).reshape(-1, R, L) for x in (value, exposure))
    weight = (INDEX_DECAY[period] ** torch.arange(R - 1, -1, -1, device=value.device))[:, None]
    level = ratio(v.sum(2, keepdim=True), e.sum(2, keepdim=True))
    expected = e * level
    sold, base = (_smoothed((weight * x).sum(1), around) for x in (v, expected))
    raw = torch.where(base > 1e-6, sold / base.clamp(min=1e-6), 1.0)
    seasons = weight * ((level > 0) & (e.sum(2, keepdim=True) >= 0.5 * L))
    count = (seasons.sum((1, 2)) ** 2 / (seasons**2).sum((1, 2)).clamp(min=1e-6)) * (2 * around + 1)
    off = (weight * (v - expected * raw[:, None]) ** 2).sum((1, 2))
    size = (weight * e * level**2).sum((1, 2))
    scatter = ratio(off, size) * count / (count - 1.0).clamp(min=0.5)
    differ = ratio((base * (raw - 1.0) ** 2).sum(1), base.sum(1)) - scatter / count.clamp(min=1.0)
    doubt = torch.where(count > 1.5, scatter / differ.clamp(min=1e-4), 1.0)[:, None]
    return (raw * count[:, None] + doubt) / (count[:, None] + doubt)


def _smoothed(x: Tensor, around: int) -> Tensor:
    """Return each phase with its neighbours, around the year's turn too."""
    found = x
    for k in range(1, around + 1):
        found = found + x.roll(k, 1) + x.roll(-k, 1)
    return found


def _levels(value: Tensor, expected: Tensor, period: Period) -> tuple[Tensor, ...]:
    """Return the level without season, (B,) for each memory; a period weighs less the older it is."""
    age = torch.arange(value.shape[1] - 1, -1, -1, device=value.device)
    memory = torch.tensor(LEVELS[period], device=value.device)
    weight = torch.exp(-age[:, None] / memory)
    sold, seen = value @ weight, expected @ weight
    found = [ratio(value.sum(1), expected.sum(1))]
    for k in reversed(range(memory.numel())):  # one that has seen no stock for long is the next longer one's
        found.append((sold[:, k] + FAINT * found[-1]) / (seen[:, k] + FAINT))
    return tuple(reversed(found[1:]))


def _trends(value: Tensor, expected: Tensor, period: Period, H: int, longest: Tensor) -> list[Tensor]:
    """Return straight lines through the newest periods, gone on with and flattening out, (B, H) for each memory.

    `longest` (B,) is the level where they have seen no stock.
    """
    C = value.shape[1]
    age = torch.arange(C, dtype=value.dtype, device=value.device).flip(0)
    step = torch.arange(1, H + 1, dtype=value.dtype, device=value.device)
    lines = []
    for memory in TRENDS[period]:
        weight, time = torch.exp(-age / memory), -age / memory
        powers = torch.stack([weight, weight * time, weight * time * time], dim=-1)
        (s0, s1, s2), (y0, y1) = (expected @ powers).unbind(-1), (value @ powers[:, :2]).unbind(-1)
        slope = ratio(s0 * y1 - s1 * y0, s0 * s2 - s1 * s1 + TREND_PRIOR * s0 * s0 + s0)
        level = (y0 - slope * s1 + FAINT * longest) / (s0 + FAINT)
        flattened = 1.0 - torch.exp(-step / memory)
        lines.append((level[:, None] + slope[:, None] * flattened).clamp(min=0.0))
    return lines


def _year_course(
    value: Tensor, exposure: Tensor, period: Period, near: Tensor, near_weight: Tensor, settled: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the newest level times last year's course from here on (B, H), and the share of that known (B, H)."""
    C, year, before = value.shape[1], YEAR[period], BEFORE[period]
    full = 2 * AROUND[period] + 1
    sold, seen = (x[:, -before:].sum(1, keepdim=True) for x in (value, exposure))
    newest = torch.where(seen > 1e-3, ratio(sold, seen), settled[:, None])
    lo, hi = max(0, C - year - before), max(0, C - year)
    weight = exposure[:, lo:hi].sum(1, keepdim=True)
    base = ratio(value[:, lo:hi].sum(1, keepdim=True), weight)
    drawn = (near * near_weight + base * AROUND[period]) / (near_weight + AROUND[period])
    known = (base > 1e-6) & (weight >= before / 2)
    course = torch.where(known, drawn / base.clamp(min=1e-6), 1.0).clamp(max=MOST)
    return newest * course, near_weight / full * known
